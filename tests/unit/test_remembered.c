/* SPDX-License-Identifier: MIT */

/*
 * Checks that the table answers: what they cost, and what their calls tell.
 * No server: the verdicts are stored by hand.
 */

#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "call.h"
#include "verdicts.h"

#include "folder.h"

#define TOKEN	"mon_test_remembered0123456789abcdefghijkl"
#define NOBODY	"mon_test_refused0123456789abcdefghijklmno"

static struct folder folder;
static unsigned long allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *
__wrap_malloc(size_t n)
{
	allocations++;
	return __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

/* Somebody asked the API then; what is to be answered for it? */
static struct mn_verdict
asked(struct monime *m, const char *token, int code, bool outage, int64_t then)
{
	struct mn_verdict_id id;
	struct mn_verdict found;
	struct mn_probe probe;

	assert_false(mn_verdicts_look(m->verdicts, token, strlen(token), then,
	    &id, &found));
	assert_int_equal(mn_verdicts_claim(m->verdicts, &id, then, then + 1000,
	    &probe, &found), MN_CLAIM_MINE);
	mn_verdicts_store(m->verdicts, &probe, code, outage, then, &found);
	return found;
}

/* The API has said so about the token, now. */
static void
learn(struct monime *m, const char *token, int code)
{
	assert_int_equal(asked(m, token, code, false,
	    mn_verdicts_time()).code, code);
}

static struct monime *
open_handle(void)
{
	struct monime *m;

	if (folder.path[0] == '\0')
		skip();
	assert_int_equal(monime_open("test/p", folder.path, &m), MONIME_OK);
	/* The first call looks at the files. */
	assert_int_equal(monime_check_token(m, "", 0, NULL), MONIME_EDENIED);
	learn(m, TOKEN, MONIME_OK);
	learn(m, NOBODY, MONIME_EDENIED);
	return m;
}

static int
check(struct monime *m, const char *token)
{
	return monime_check_token(m, token, strlen(token), NULL);
}

static void
test_remembered_check_allocates_nothing(void **state)
{
	struct monime *m = open_handle();
	unsigned long before;
	int i, r = 0;

	(void)state;
	before = allocations;
	for (i = 0; i < 1000; i++) {
		r |= check(m, TOKEN) != MONIME_OK;
		r |= check(m, NOBODY) != MONIME_EDENIED;
	}
	assert_int_equal(allocations, before);
	assert_int_equal(r, 0);
	/* The wrapper counts. */
	assert_int_equal(check(m, "mon_live_x"), MONIME_EENVIRONMENT);
	assert_true(allocations > before);
	monime_close(m);
}

/* The kernel kills whoever calls it for anything but _exit(2). */
static int
status_under_seccomp(struct monime *m, const char *token, int expected)
{
	int i, status, r = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
			_exit(77);
		for (i = 0; i < 1000; i++)
			r |= check(m, token) != expected;
		(void)syscall(SYS_exit, r);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_remembered_check_makes_no_system_call(void **state)
{
	struct monime *m;
	int status;

	(void)state;
	/* It makes system calls of its own. */
	if (getenv("VALGRIND") != NULL)
		skip();
	m = open_handle();
	status = status_under_seccomp(m, TOKEN, MONIME_OK);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		monime_close(m);
		skip();
	}
	assert_int_equal(status, 0);
	assert_int_equal(status_under_seccomp(m, NOBODY, MONIME_EDENIED), 0);
	/* What has to be asked for is not to be had there. */
	status = status_under_seccomp(m, "mon_test_new", MONIME_EPENDING);
	assert_true(WIFSIGNALED(status));
	monime_close(m);
}

/* For hosts that need no call: a look, which starts nothing. */
static void
test_start_without_a_call_answers_what_is_remembered(void **state)
{
	static const struct {
		const char *token;
		int code;
	} rows[] = {
		{ TOKEN, MONIME_OK }, { NOBODY, MONIME_EDENIED },
		{ "mon_test_new", MONIME_EPENDING },
		{ "mon_live_x", MONIME_EPENDING }, { "", MONIME_EPENDING },
	};
	struct monime *m = open_handle(), *bad;
	unsigned long before = allocations;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(monime_check_token_start(m, rows[i].token,
		    strlen(rows[i].token), NULL, NULL), rows[i].code);
	assert_int_equal(allocations, before);
	assert_null(m->events);
	assert_int_equal(monime_check_token_start(NULL, TOKEN, strlen(TOKEN),
	    NULL, NULL), MONIME_EPENDING);
	assert_int_equal(monime_open("test/none", folder.path, &bad),
	    MONIME_ECONFIG);
	assert_int_equal(monime_check_token_start(bad, TOKEN, strlen(TOKEN),
	    NULL, NULL), MONIME_EPENDING);
	monime_close(bad);
	monime_close(m);
}

static void
assert_told(const struct monime_call *call, const char *name,
    const char *value)
{
	const char *s = monime_call_get(call, name);

	if (value == NULL)
		assert_null(s);
	else
		assert_string_equal(s, value);
}

/* Its call tells what the result does not: how old the yes is. */
static void
test_start_without_a_call_leaves_a_stale_yes_to_one_with(void **state)
{
	static const char token[] = "mon_test_stale";
	struct monime *m = open_handle();
	int64_t now = mn_verdicts_time();
	struct monime_call *call;

	(void)state;
	(void)asked(m, token, MONIME_OK, false, now - 90 * 60 * 1000);
	assert_true(asked(m, token, MONIME_ENET, true, now).stale);
	assert_int_equal(monime_check_token_start(m, token, strlen(token),
	    NULL, NULL), MONIME_EPENDING);
	assert_int_equal(monime_check_token_start(m, token, strlen(token),
	    NULL, &call), MONIME_OK);
	assert_told(call, "source", "stale");
	monime_call_free(call);
	monime_close(m);
}

static void
test_call_of_a_remembered_yes_tells_its_facts(void **state)
{
	struct monime *m = open_handle();
	char name[MONIME_FINGERPRINT_SIZE], token[] = TOKEN;
	struct monime_call *call;
	int data;

	(void)state;
	assert_int_equal(monime_fingerprint(token, strlen(token), name,
	    sizeof(name)), MONIME_OK);
	assert_int_equal(monime_check_token_start(m, token, strlen(token),
	    &data, &call), MONIME_OK);
	/* The caller may wipe it, and the handle may go. */
	memset(token, 'x', strlen(token));
	monime_close(m);
	assert_int_equal(monime_call_result(call), MONIME_OK);
	assert_ptr_equal(monime_call_data(call), &data);
	assert_told(call, "source", "cache");
	assert_told(call, "age", "0");
	assert_told(call, "environment", "test");
	assert_told(call, "fingerprint", name);
	assert_told(call, "attempts", NULL);
	assert_told(call, "no such fact", NULL);
	assert_null(monime_call_get(call, NULL));
	assert_null(monime_call_header(call, NULL));
	assert_string_equal(monime_call_error(call), "");
	assert_int_equal(monime_call_status(call), 0);
	assert_string_equal(monime_call_body(call, NULL), "");
	assert_null(monime_call_header(call, "Date"));
	assert_null(monime_call_header_at(call, 0, NULL));
	monime_call_report(call, 401);
	monime_call_free(call);
}

static void
test_call_of_a_remembered_no_names_nobody(void **state)
{
	struct monime *m = open_handle();
	struct monime_call *call;

	(void)state;
	assert_int_equal(monime_check_token(m, NOBODY, strlen(NOBODY), &call),
	    MONIME_EDENIED);
	assert_told(call, "source", "cache");
	assert_told(call, "fingerprint", NULL);
	assert_told(call, "environment", NULL);
	assert_non_null(strstr(monime_call_error(call), "test/p"));
	assert_non_null(strstr(monime_call_error(call), "remembered"));
	monime_call_free(call);
	monime_close(m);
}

static void
test_handles_of_one_process_share_what_is_remembered(void **state)
{
	struct monime *a = open_handle(), *b;

	(void)state;
	assert_int_equal(monime_open("test/p", folder.path, &b), MONIME_OK);
	assert_int_equal(check(b, NOBODY), MONIME_EDENIED);
	monime_close(a);
	assert_int_equal(check(b, TOKEN), MONIME_OK);
	monime_close(b);
	/* With the last of them it is forgotten. */
	assert_int_equal(monime_open("test/p", folder.path, &b), MONIME_OK);
	assert_false(mn_verdicts_look(b->verdicts, TOKEN, strlen(TOKEN),
	    mn_verdicts_time(), &(struct mn_verdict_id){ { 0 } },
	    &(struct mn_verdict){ 0 }));
	monime_close(b);
}

/* One that no memory was left for, and one that no answer is remembered of. */
static void
test_without_a_table_at_hand_the_answers_are_the_same(void **state)
{
	static char token[3 * MN_TOKEN_MAX];
	struct monime *m = open_handle();
	struct mn_verdicts *v = m->verdicts;

	(void)state;
	m->verdicts = NULL;
	assert_int_equal(check(m, TOKEN), MONIME_OK);
	assert_int_equal(check(m, NOBODY), MONIME_EDENIED);
	assert_int_equal(monime_check_token_start(m, TOKEN, strlen(TOKEN),
	    NULL, NULL), MONIME_EPENDING);
	m->verdicts = v;
	memset(token, 'x', sizeof(token));
	memcpy(token, "mon_test_", 9);
	assert_int_equal(monime_check_token(m, token, sizeof(token), NULL),
	    MONIME_EDENIED);
	monime_close(m);
}

static int
setup(void **state)
{
	(void)state;
	if (folder_make(&folder))
		folder_write(&folder, "test/p.conf",
		    "provider = \"monime\"; space = \"spc-a\";\n"
		    "check = { ttl = \"1 h\"; negative_ttl = \"10 min\"; "
		    "stale = \"1 h\"; };\n");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	folder_remove(&folder);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remembered_check_allocates_nothing),
		cmocka_unit_test(test_remembered_check_makes_no_system_call),
		cmocka_unit_test(
		    test_start_without_a_call_answers_what_is_remembered),
		cmocka_unit_test(
		    test_start_without_a_call_leaves_a_stale_yes_to_one_with),
		cmocka_unit_test(test_call_of_a_remembered_yes_tells_its_facts),
		cmocka_unit_test(test_call_of_a_remembered_no_names_nobody),
		cmocka_unit_test(
		    test_handles_of_one_process_share_what_is_remembered),
		cmocka_unit_test(
		    test_without_a_table_at_hand_the_answers_are_the_same),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
