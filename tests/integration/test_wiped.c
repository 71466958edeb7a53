/* SPDX-License-Identifier: MIT */

/*
 * What the library frees, or has json-c free, holds no secret any more.  This
 * malloc(), free() and realloc() come before libc's for these two as well,
 * since the program exports them (LDFLAGS_test_wiped in the Makefile); what
 * others give back, such as libcurl and libconfig, is theirs (SECURITY.md).
 */

#include <dlfcn.h>
#include <link.h>
#include <malloc.h>

#include "loops.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	true
#else
#define SANITIZED	false
#endif

#define BODY		"{\"note\": \"canary_of_a_body_0123456789\"}"
#define HOOK		"canary_webhook_secret_0123456789"
#define MADE_UP		"mon_test_canary_of_nobody"

/* Where the code is that is looked at. */
static const char *const names[] = { "/libmonime.so", "/libjson-c.so" };
static struct {
	uintptr_t low;
	uintptr_t high;
} code[ROWS(names)];

static int watching;		/* atomic */
static size_t seen;		/* blocks of the library's; atomic */
static size_t found;		/* with a secret; atomic */
static const void *culprit;	/* who gave the first one back */
static char what[64];		/* that one, from its secret on */

#if !SANITIZED

/* As it is, and in base64 wherever that begins. */
static const char *const forms[] = { "canary", "Y2FuYXJ5", "NhbmFye",
	"jYW5hcn" };

/* The client's id is none. */
static const char *
secret_in(const char *p, size_t size)
{
	static const char id[] = "client_canary_id";
	const char *s, *end = p + size;
	size_t i;

	for (i = 0; i < ROWS(forms); i++) {
		for (s = p; (s = memmem(s, (size_t)(end - s), forms[i],
		    strlen(forms[i]))) != NULL; s++) {
			if (i > 0 || s - p < 7 || end - s < 9 ||
			    memcmp(s - 7, id, sizeof(id) - 1) != 0)
				return s;
		}
	}
	return NULL;
}

static void
judge(void *p, const void *caller)
{
	size_t size = malloc_usable_size(p);
	const char *s;
	size_t i;

	for (i = 0; (uintptr_t)caller < code[i].low ||
	    (uintptr_t)caller >= code[i].high; i++) {
		if (i + 1 == ROWS(code))
			return;
	}
	(void)__atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED);
	s = secret_in(p, size);
	if (s == NULL ||
	    __atomic_fetch_add(&found, 1, __ATOMIC_RELAXED) > 0)
		return;
	culprit = caller;
	size -= (size_t)(s - (const char *)p);
	memcpy(what, s, size < sizeof(what) ? size : sizeof(what) - 1);
}

void *__libc_malloc(size_t size);
void __libc_free(void *p);
void *__libc_realloc(void *p, size_t size);

/* What others have left in the block, from there on, is not ours. */
static void *
emptied(void *p, size_t from)
{
	size_t size = malloc_usable_size(p);

	if (p != NULL && size > from &&
	    __atomic_load_n(&watching, __ATOMIC_RELAXED))
		memset((char *)p + from, 0, size - from);
	return p;
}

void *
malloc(size_t size)
{
	return emptied(__libc_malloc(size), 0);
}

void
free(void *p)
{
	int number = errno;

	if (p != NULL && __atomic_load_n(&watching, __ATOMIC_RELAXED))
		judge(p, __builtin_return_address(0));
	__libc_free(p);
	errno = number;
}

/* It may leave what was there behind. */
void *
realloc(void *p, size_t size)
{
	size_t before = malloc_usable_size(p);

	if (p != NULL && __atomic_load_n(&watching, __ATOMIC_RELAXED))
		judge(p, __builtin_return_address(0));
	return emptied(__libc_realloc(p, size), before);
}

#endif

static int
find_code(struct dl_phdr_info *object, size_t size, void *data)
{
	const ElfW(Phdr) *p;
	size_t i;

	(void)size;
	(void)data;
	for (i = 0; strstr(object->dlpi_name, names[i]) == NULL; i++) {
		if (i + 1 == ROWS(names))
			return 0;
	}
	for (p = object->dlpi_phdr; p < object->dlpi_phdr +
	    object->dlpi_phnum; p++) {
		if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0)
			continue;
		code[i].low = object->dlpi_addr + p->p_vaddr;
		code[i].high = code[i].low + p->p_memsz;
	}
	return 0;
}

static void
watch(void)
{
	if (SANITIZED) {
		print_message("skip: the sanitizer has free()\n");
		skip();
	}
	(void)dl_iterate_phdr(find_code, NULL);
	seen = found = 0;
	culprit = NULL;
	memset(what, 0, sizeof(what));
	__atomic_store_n(&watching, 1, __ATOMIC_RELAXED);
}

static void
assert_wiped(void)
{
	Dl_info info;

	__atomic_store_n(&watching, 0, __ATOMIC_RELAXED);
	/* Else it was not the library's free() that was looked at. */
	assert_true(seen > 10);
	if (found > 0 && dladdr(culprit, &info) != 0)
		fail_row(__FILE__, __LINE__, "%zu blocks of %zu, the first by "
		    "%s+0x%tx (%s): %s", found, seen, info.dli_fname,
		    (const char *)culprit - (const char *)info.dli_fbase,
		    info.dli_sname != NULL ? info.dli_sname : "static", what);
}

/* A check on the loop, to its end. */
static void
check_on_loop(struct monime *m, const char *token, int want)
{
	struct monime_call *call;
	int r;

	r = monime_check_token_start(m, token, strlen(token), NULL, &call);
	if (r == MONIME_EPENDING) {
		assert_ptr_equal(await(m, PATIENCE), call);
		r = monime_call_result(call);
	}
	assert_code(call, r, want);
	monime_call_free(call);
}

static void
check(struct monime *m, const char *token, int want)
{
	struct monime_call *call;

	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    want);
	monime_call_free(call);
}

static void
test_presented_token_is_left_nowhere(void **state)
{
	struct monime *m;
	int i;

	(void)state;
	watch();
	m = open_test("check = { ttl = \"1h\"; };");
	for (i = 0; i < 2; i++) {
		check(m, sandbox_token(sandbox, "test"), MONIME_OK);
		check(m, sandbox_token(sandbox, "revoked_test"),
		    MONIME_EDENIED);
		check_on_loop(m, sandbox_token(sandbox, "test"), MONIME_OK);
		check_on_loop(m, MADE_UP, MONIME_EDENIED);
		check(m, sandbox_token(sandbox, "live"), MONIME_EENVIRONMENT);
	}
	monime_close(m);
	assert_wiped();
}

static void
test_own_token_and_body_are_left_nowhere(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	watch();
	m = open_test("");
	assert_code(call, monime_check_credential(m, &call), MONIME_OK);
	monime_call_free(call);
	assert_code(call, monime_request(m, "POST", "/v1/payouts", NULL, BODY,
	    sizeof(BODY) - 1, &call), MONIME_OK);
	monime_call_free(call);
	monime_close(m);
	assert_wiped();
}

static void
test_authorization_is_left_nowhere(void **state)
{
	struct monime_call *call;
	struct monime *m;
	char url[256];

	(void)state;
	watch();
	m = open_test("allow = { methods = [\"GET\"]; paths = "
	    "[\"/v1/*\"]; };");
	(void)snprintf(url, sizeof(url), "%s/v1/payouts",
	    sandbox_origin(sandbox, "monime"));
	assert_code(call, monime_authorize(m, "GET", url, &call), MONIME_OK);
	assert_non_null(strstr(monime_call_header(call, "Authorization"),
	    "canary"));
	monime_call_free(call);
	monime_close(m);
	assert_wiped();
}

/* How the client tells its secret, and in what. */
static const struct {
	const char *name;
	const char *setting;
	const char *group;
} grants[] = {
	{ "form", "{}", "" },
	{ "JSON", "{}", "body = \"json\";" },
	{ "basic", "{\"oauth_basic\": true}", "auth = \"basic\";" },
};

static void
test_client_secret_and_access_token_are_left_nowhere(void **state)
{
	struct monime_call *call;
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(grants); i++) {
		row = grants[i].name;
		sandbox_setting(sandbox, grants[i].setting);
		sandbox_write_file(folder, "test/o.conf", 0600,
		    "provider = \"mono\";\nproduct = \"breb\";\n"
		    "base_url = \"%s\";\noauth2 = {\n\tclient_id = \"%s\";\n"
		    "\tclient_secret = \"%s\";\n%s\n"
		    "\textra = [\"key=canary_of_an_extra\"];\n};\n",
		    sandbox_origin(sandbox, "mono_sandbox"),
		    sandbox_token(sandbox, "oauth_client_id"),
		    sandbox_token(sandbox, "oauth_client_secret"),
		    grants[i].group);
		watch();
		m = open_named("test/o");
		assert_code(call, monime_check_credential(m, &call),
		    MONIME_OK);
		monime_call_free(call);
		monime_close(m);
		assert_wiped();
	}
}

static void
test_webhook_secret_is_left_nowhere(void **state)
{
	struct monime *m;

	(void)state;
	watch();
	m = open_test("webhook = { secrets = [\"" HOOK "\"]; };");
	assert_int_equal(monime_verify_webhook(m, "t=1,v1=x", 8, "{}", 2),
	    MONIME_EDENIED);
	monime_close(m);
	assert_wiped();
}

/* What a call was given, where it never came to an end. */
static void
test_canceled_calls_leave_nothing(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true, "times": -1}));
	watch();
	m = open_test("");
	assert_code(call, monime_check_token_start(m, MADE_UP,
	    strlen(MADE_UP), NULL, &call), MONIME_EPENDING);
	assert_null(monime_next(m));
	monime_call_free(call);
	assert_code(call, monime_request_start(m, "POST", "/v1/payouts", NULL,
	    BODY, sizeof(BODY) - 1, NULL, &call), MONIME_EPENDING);
	assert_null(monime_next(m));
	monime_close(m);
	monime_call_free(call);
	assert_wiped();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_presented_token_is_left_nowhere),
		TEST(test_own_token_and_body_are_left_nowhere),
		TEST(test_authorization_is_left_nowhere),
		TEST(test_client_secret_and_access_token_are_left_nowhere),
		TEST(test_webhook_secret_is_left_nowhere),
		TEST(test_canceled_calls_leave_nothing),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
