/* SPDX-License-Identifier: MIT */

/*
 * What the tests of shared probes have in common: checks on the loop, in
 * threads and in children, and the question how often the API was asked.
 */

#ifndef TESTS_INTEGRATION_PROBING_H
#define TESTS_INTEGRATION_PROBING_H

#include <sys/mman.h>

#include "children.h"

/* One request for a probe, and no limit but those under test. */
#define CHECK(more)	"check = { accept = \"any\"; timeout = \"5s\";"	\
	" probes = 512; probe_rate = 10000; " more " };\n"
#define ASKS_ANEW	CHECK("ttl = \"0s\";")

/* Under a sanitizer of threads everything takes its time. */
static bool UNUSED
slow(void)
{
	return getenv("MONIME_TESTS_SLOW") != NULL;
}

/* The profile of these tests: it has no credential of its own. */
UNUSED static struct monime *
open_checks(const char *more)
{
	return open_profile("test/p", "monime", NULL, more);
}

/* A check of a token of the sandbox, by name, that is pending. */
UNUSED static struct monime_call *
begin_check(struct monime *m, const char *name, void *data)
{
	const char *token = sandbox_token(sandbox, name);
	struct monime_call *call;

	assert_code(call, monime_check_token_start(m, token, strlen(token),
	    data, &call), MONIME_EPENDING);
	return call;
}

/* So many finish with a yes, in whatever order. */
static void UNUSED
await_all(struct monime *m, int n)
{
	struct monime_call *call;

	for (; n > 0; n--) {
		call = await(m, PATIENCE);
		assert_non_null(call);
		assert_code(call, monime_call_result(call), MONIME_OK);
		monime_call_free(call);
	}
}

/* In any thread and process. */
static int UNUSED
check_now(struct monime *m, const char *name)
{
	const char *token = sandbox_token(sandbox, name);

	return monime_check_token(m, token, strlen(token), NULL);
}

/* The result, where the verdict came from, and how often the API was asked. */
#define assert_check(m, name, want, source)	\
	common_check(m, name, want, source, __FILE__, __LINE__)

static void UNUSED
common_check(struct monime *m, const char *name, int want,
    const char *source, const char *file, int line)
{
	const char *token = sandbox_token(sandbox, name);
	struct monime_call *call;

	row = name;
	common_code(call, monime_check_token(m, token, strlen(token), &call),
	    want, file, line);
	common_fact(call, "source", source, file, line);
	look_over(call);
	monime_call_free(call);
	row = "";
}

#define assert_asked(n)	\
	assert_int_equal(sandbox_requests(sandbox, "monime"), n)

/* A blocking check in a thread of its own. */
struct asker {
	struct monime *m;
	const char *token;
	pthread_t thread;
	int result;
	int64_t took;
};

static void *
asker_run(void *arg)
{
	struct asker *a = arg;
	int64_t from = real_ms();

	a->result = check_now(a->m, a->token);
	a->took = real_ms() - from;
	return NULL;
}

static void UNUSED
asker_start(struct asker *a, struct monime *m, const char *token)
{
	a->m = m;
	a->token = token;
	if (pthread_create(&a->thread, NULL, asker_run, a) != 0)
		abort();
}

static int UNUSED
asker_wait(struct asker *a)
{
	(void)pthread_join(a->thread, NULL);
	return a->result;
}

/* Children that check the token of that name, blocking or on their loop. */
static void UNUSED
work_check(struct monime *m, void *name)
{
	MUST(check_now(m, name) == MONIME_OK);
	monime_close(m);
}

static void UNUSED
work_check_loop(struct monime *m, void *name)
{
	const char *token = sandbox_token(sandbox, name);
	struct monime_call *call, *got;

	MUST(monime_check_token_start(m, token, strlen(token), NULL, &call) ==
	    MONIME_EPENDING);
	while ((got = monime_next(m)) == NULL)
		MUST(readable(monime_fd(m), PATIENCE));
	MUST(got == call && monime_call_result(call) == MONIME_OK);
	monime_call_free(call);
	monime_close(m);
}

/*
 * Time for what has just begun elsewhere to get as far as waiting, which
 * nothing tells.  The tests hold also where it was too short.
 */
static void UNUSED
let_them_wait(void)
{
	sleep_ms(slow() ? 300 : 60);
}

/* Memory that children share with us. */
UNUSED static void *
common_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

#endif
