/* SPDX-License-Identifier: MIT */

/*
 * Attacks on the connection: answers that nobody asked for, answers to
 * somebody else, and what an earlier exchange leaves behind.
 */

#include "common.h"

#include <dlfcn.h>
#include <sys/wait.h>

#include <curl/curl.h>

#define YES	"{\"status\":{\"isAuthenticated\":true," \
		"\"environment\":\"test\"}}"

/* The library calls this one, in the place of libcurl's. */

static int refuse_add;

CURLMcode
curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	CURLMcode (*real)(CURLM *, CURL *) =
	    dlsym(RTLD_NEXT, "curl_multi_add_handle");

	if (refuse_add > 0) {
		refuse_add--;
		return CURLM_OUT_OF_MEMORY;
	}
	return real(multi, easy);
}

static void
base64(const char *s, size_t len, char *out)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned int v;
	size_t i;

	for (i = 0; i < len; i += 3) {
		v = (unsigned int)(unsigned char)s[i] << 16;
		if (i + 1 < len)
			v |= (unsigned int)(unsigned char)s[i + 1] << 8;
		if (i + 2 < len)
			v |= (unsigned char)s[i + 2];
		*out++ = set[v >> 18];
		*out++ = set[v >> 12 & 63];
		*out++ = i + 1 < len ? set[v >> 6 & 63] : '=';
		*out++ = i + 2 < len ? set[v & 63] : '=';
	}
	*out = '\0';
}

/* Answer path with one, and a while later, unasked, with more. */
static void
answer_and_more(const char *path, const char *one, const char *more)
{
	char raw[4096], text[8192];
	int n;

	n = snprintf(raw, sizeof(raw), "%s%s", one, more);
	base64(raw, (size_t)n, text);
	faultf("{\"path\": \"%s\", \"raw\": \"%s\", \"keep\": true, "
	    "\"drip\": {\"bytes\": %zu, \"every\": 0.2}}", path, text,
	    strlen(one));
}

static int
check(struct monime *m, const char *token, struct monime_call **call)
{
	const char *s = sandbox_token(sandbox, token);

	return monime_check_token(m, s, strlen(s), call);
}

/* A whole answer of the API, by hand. */
static const char *
answer(char *buf, size_t size, const char *body)
{
	(void)snprintf(buf, size, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
	    "\r\n%s", strlen(body), body);
	return buf;
}

static void
test_unasked_answer_lets_nobody_in(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL,
	    "check = { accept = \"any\"; };");
	struct monime_call *call;
	char one[512];

	(void)state;
	answer_and_more("/", answer(one, sizeof(one), YES), one);
	assert_code(call, check(m, "test", &call), MONIME_OK);
	monime_call_free(call);
	(void)usleep(500000);
	assert_code(call, check(m, "revoked_test", &call), MONIME_EDENIED);
	monime_call_free(call);
	monime_close(m);
}

static void
test_unasked_answer_is_no_answer_to_a_write(void **state)
{
	struct monime *m = open_test("confirm_environment = false;");
	struct monime_call *call;
	char one[512], more[512];

	(void)state;
	answer_and_more("/v1/banks", answer(one, sizeof(one), "{}"),
	    answer(more, sizeof(more), "[0]"));
	assert_code(call, monime_request(m, "GET", "/v1/banks", NULL, NULL, 0,
	    &call), MONIME_OK);
	monime_call_free(call);
	(void)usleep(500000);
	assert_code(call, monime_request(m, "POST", "/v1/payouts", NULL, "{}",
	    2, &call), MONIME_OK);
	assert_string_not_equal(monime_call_body(call, NULL), "[0]");
	assert_fact(call, "attempts", "1");
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_call_free(call);
	monime_close(m);
}

static void
test_answer_without_a_length_may_have_been_cut(void **state)
{
	static const char *const faults[] = {
		J({"path": "/v1/banks", "content_length": "",
		    "drop": "body"}),
		J({"path": "/v1/banks", "content_length": "", "keep": false}),
		J({"path": "/v1/banks", "content_length": "", "status": 403,
		    "drop": "body"}),
	};
	struct monime *m = open_test("retry = { attempts = 1; };");
	struct monime_call *call;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(faults); i++) {
		row = faults[i];
		sandbox_fault(sandbox, faults[i]);
		assert_code(call, monime_request(m, "GET", "/v1/banks", NULL,
		    NULL, 0, &call), MONIME_ELOST);
		assert_fact(call, "executed", "unknown");
		monime_call_free(call);
	}
	monime_close(m);
}

static void
test_answer_that_ends_twice_is_none(void **state)
{
	static const char *const faults[] = {
		J({"path": "/v1/banks", "headers": [["Content-Length", "2"]]}),
		J({"path": "/v1/banks", "headers": [["CONTENT-LENGTH", "2"]]}),
		J({"path": "/v1/banks", "headers": [["Content-Length", "2"]],
		    "chunked": true}),
		J({"path": "/v1/banks", "headers": [["Transfer-Encoding",
		    "chunked"]]}),
		J({"path": "/v1/banks", "headers": [["transfer-encoding",
		    "gzip"]], "chunked": true}),
	};
	struct monime *m = open_test("");
	struct monime_call *call;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(faults); i++) {
		row = faults[i];
		sandbox_fault(sandbox, faults[i]);
		assert_code(call, monime_request(m, "GET", "/v1/banks", NULL,
		    NULL, 0, &call), MONIME_EPROTO);
		assert_fact(call, "attempts", "1");
		monime_call_free(call);
		/* Nothing of it is left for who comes next. */
		assert_code(call, monime_request(m, "GET", "/v1/banks", NULL,
		    NULL, 0, &call), MONIME_OK);
		monime_call_free(call);
	}
	monime_close(m);
}

static void
test_answer_without_a_body_needs_no_length(void **state)
{
	struct monime *m = open_test("retry = { attempts = 1; };");
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/v1/banks", "content_length": "",
	    "status": 204, "text": ""}));
	assert_code(call, monime_request(m, "GET", "/v1/banks", NULL, NULL, 0,
	    &call), MONIME_OK);
	monime_call_free(call);
	sandbox_fault(sandbox, J({"path": "/v1/banks", "content_length": ""}));
	assert_code(call, monime_request(m, "HEAD", "/v1/banks", NULL, NULL, 0,
	    &call), MONIME_OK);
	monime_call_free(call);
	sandbox_fault(sandbox, J({"path": "/v1/banks", "chunked": true}));
	assert_code(call, monime_request(m, "GET", "/v1/banks", NULL, NULL, 0,
	    &call), MONIME_OK);
	monime_call_free(call);
	monime_close(m);
}

static void
test_request_that_never_began_has_no_status(void **state)
{
	struct monime *m = open_test("confirm_environment = false;");
	struct monime_call *call;

	(void)state;
	assert_code(call, monime_request(m, "GET", "/v1/banks", NULL, NULL, 0,
	    &call), MONIME_OK);
	monime_call_free(call);
	refuse_add = 1;
	assert_code(call, monime_request(m, "POST", "/v1/payouts", NULL, "{}",
	    2, &call), MONIME_ENOMEM);
	assert_int_equal(monime_call_status(call), 0);
	assert_fact(call, "executed", "no");
	assert_int_equal(sandbox_effects(sandbox), 0);
	monime_call_free(call);
	monime_close(m);
}

/* It takes up a changed profile, and lets the former one's connections go. */
static void
test_child_that_verifies_a_webhook_is_quiet(void **state)
{
	static const char more[] = "reload = \"1 s\"; webhook = { "
	    "secrets = [ \"test-secret-key-at-least-32-chars!!\" ]; };";
	struct monime *m = open_test(more);
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(monime_check_credential(m, NULL), MONIME_OK);
	assert_int_equal(sandbox_count(sandbox, "open", "monime"), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)usleep(1100000);
		write_profile("test/t", "monime", "test", more);
		_exit(monime_verify_webhook(m, "", 0, "", 0) ==
		    MONIME_EDENIED ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)usleep(100000);
	assert_int_equal(sandbox_count(sandbox, "open", "monime"), 1);
	monime_close(m);
}

static void
test_status_of_the_confirmation_is_not_that_of_the_write(void **state)
{
	static const char *const faults[] = {
		J({"path": "/", "json": {"status": {"isAuthenticated":
		    false}}, "times": -1}),
		J({"path": "/", "json": {}, "times": -1}),
		J({"path": "/", "status": 503, "times": -1}),
		J({"path": "/", "status": 403, "times": -1}),
	};
	struct monime_call *call;
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(faults); i++) {
		row = faults[i];
		sandbox_reset(sandbox);
		sandbox_fault(sandbox, faults[i]);
		m = open_test("retry = { attempts = 1; };");
		assert_row(monime_request(m, "POST", "/v1/payouts", NULL, "{}",
		    2, &call) != MONIME_OK);
		assert_fact(call, "attempts", "0");
		assert_row(monime_call_status(call) == 0);
		monime_call_free(call);
		monime_close(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unasked_answer_lets_nobody_in),
		TEST(test_unasked_answer_is_no_answer_to_a_write),
		TEST(test_answer_without_a_length_may_have_been_cut),
		TEST(test_answer_that_ends_twice_is_none),
		TEST(test_answer_without_a_body_needs_no_length),
		TEST(test_request_that_never_began_has_no_status),
		TEST(test_status_of_the_confirmation_is_not_that_of_the_write),
		TEST(test_child_that_verifies_a_webhook_is_quiet),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
