/* SPDX-License-Identifier: MIT */

/*
 * monime_request() and monime_authorize() against the sandbox: what is sent,
 * how often, what it does there, and what is said of it here.
 */

#include <ctype.h>

#include "common.h"

#define ACCOUNTS	"/v1/financial-accounts?limit=1"
#define ACCOUNT		"/v1/financial-accounts/fac-sandbox"
#define PAYOUTS		"/v1/payouts"
#define MONO_ACCOUNT	"/v1/bank_accounts/bac_sandbox"

/* So that a POST is the first request that a fresh handle sends. */
#define PLAIN		"confirm_environment = false;"

static const char body[] = "{\"amount\":{\"currency\":\"SLE\",\"value\":1}}";

static int
get(struct monime *m, const char *path, struct monime_call **call)
{
	return monime_request(m, "GET", path, NULL, NULL, 0, call);
}

static int
post(struct monime *m, struct monime_call **call)
{
	return monime_request(m, "POST", PAYOUTS, NULL, body,
	    sizeof(body) - 1, call);
}

/* What goes wrong, by who asked. */

struct want {
	int code;
	const char *attempts;
	const char *executed;
	long effects;
};

#define ONCE_MORE	{ MONIME_OK, "2", "yes", 0 }

static const struct {
	const char *name;
	const char *fault;	/* without the method */
	const char *retry_after;
	struct want get, post, delete;
} mishaps[] = {
	{ "dropped when accepted", "\"drop\": \"accept\"", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ENET, "1", "no", 0 } },
	{ "dropped in the handshake", "\"drop\": \"handshake\"", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ENET, "1", "no", 0 } },
	{ "dropped with the head", "\"drop\": \"request\"", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELOST, "1", "unknown", 0 } },
	{ "dropped before the status",
	    "\"drop\": \"status\", \"execute\": true", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELOST, "1", "unknown", 1 } },
	{ "dropped in the headers", "\"drop\": \"headers\"", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELOST, "1", "unknown", 1 } },
	{ "dropped in the body", "\"drop\": \"body\"", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELOST, "1", "unknown", 1 } },
	{ "reset", "\"reset\": true, \"execute\": true", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELOST, "1", "unknown", 1 } },
	{ "409", "\"status\": 409", NULL,
	    { MONIME_EHTTP, "1", "no", 0 },
	    { MONIME_EHTTP, "1", "unknown", 0 },
	    { MONIME_EHTTP, "1", "no", 0 } },
	{ "429, at once",
	    "\"status\": 429, \"headers\": [[\"Retry-After\", \"0\"]]", "0",
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "429, later than the deadline",
	    "\"status\": 429, \"headers\": [[\"Retry-After\", \"5\"]]", "5",
	    { MONIME_ELIMIT, "1", "no", 0 },
	    { MONIME_ELIMIT, "1", "no", 0 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "429, tomorrow",
	    "\"status\": 429, \"headers\": [[\"Retry-After\", \"99999\"]]",
	    "99999",
	    { MONIME_ELIMIT, "1", "no", 0 },
	    { MONIME_ELIMIT, "1", "no", 0 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "429, with more digits than a number",
	    "\"status\": 429, \"headers\": [[\"Retry-After\","
	    " \"99999999999999999999999\"]]", "2592000",
	    { MONIME_ELIMIT, "1", "no", 0 },
	    { MONIME_ELIMIT, "1", "no", 0 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "429, at a date",
	    "\"status\": 429, \"headers\": [[\"Retry-After\","
	    " \"Fri, 31 Dec 2049 23:59:59 GMT\"]]", "2592000",
	    { MONIME_ELIMIT, "1", "no", 0 },
	    { MONIME_ELIMIT, "1", "no", 0 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "429, at a date gone by",
	    "\"status\": 429, \"headers\": [[\"Retry-After\","
	    " \"Fri, 31 Dec 1999 23:59:59 GMT\"]]", "0",
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "429, with rubbish",
	    "\"status\": 429, \"headers\": [[\"Retry-After\", \"soon\"]]",
	    NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "429, with a sign",
	    "\"status\": 429, \"headers\": [[\"Retry-After\", \"-1\"]]", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "429, with nothing", "\"status\": 429", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_ELIMIT, "1", "no", 0 } },
	{ "503 once", "\"status\": 503", NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_EHTTP, "1", "unknown", 0 } },
	{ "503, and it was carried out", "\"status\": 503, \"execute\": true",
	    NULL,
	    { MONIME_OK, "2", "yes", 0 },
	    { MONIME_OK, "2", "yes", 1 },
	    { MONIME_EHTTP, "1", "unknown", 1 } },
	{ "503 three times", "\"status\": 503, \"times\": 3", NULL,
	    { MONIME_EHTTP, "3", "unknown", 0 },
	    { MONIME_EHTTP, "3", "unknown", 0 },
	    { MONIME_EHTTP, "1", "unknown", 0 } },
	{ "garbage", "\"garbage\": true", NULL,
	    { MONIME_EPROTO, "1", "unknown", 0 },
	    { MONIME_EPROTO, "1", "unknown", 0 },
	    { MONIME_EPROTO, "1", "unknown", 0 } },
	{ "302", "\"redirect\": \"elsewhere\"", NULL,
	    { MONIME_EPROTO, "1", "unknown", 0 },
	    { MONIME_EPROTO, "1", "unknown", 0 },
	    { MONIME_EPROTO, "1", "unknown", 0 } },
	{ "304", "\"status\": 304", NULL,
	    { MONIME_EPROTO, "1", "unknown", 0 },
	    { MONIME_EPROTO, "1", "unknown", 0 },
	    { MONIME_EPROTO, "1", "unknown", 0 } },
	{ "400", "\"status\": 400", NULL,
	    { MONIME_EHTTP, "1", "no", 0 },
	    { MONIME_EHTTP, "1", "no", 0 },
	    { MONIME_EHTTP, "1", "no", 0 } },
	{ "401", "\"status\": 401", NULL,
	    { MONIME_EDENIED, "1", "no", 0 },
	    { MONIME_EDENIED, "1", "no", 0 },
	    { MONIME_EDENIED, "1", "no", 0 } },
	{ "403", "\"status\": 403", NULL,
	    { MONIME_EFORBIDDEN, "1", "no", 0 },
	    { MONIME_EFORBIDDEN, "1", "no", 0 },
	    { MONIME_EFORBIDDEN, "1", "no", 0 } },
	{ "no answer", "\"hold\": true, \"execute\": true", NULL,
	    { MONIME_ELOST, "1", "unknown", 0 },
	    { MONIME_ELOST, "1", "unknown", 1 },
	    { MONIME_ELOST, "1", "unknown", 1 } },
};

/* Every request with that method had the same head and body. */
static void
assert_identical(const char *method)
{
	struct json_object *log = sandbox_log(sandbox);
	struct json_object *list = json_object_object_get(log, "requests");
	struct json_object *first = NULL, *one;
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		one = json_object_array_get_idx(list, i);
		/* The token test is ours to ask, not the caller's request. */
		if (!same(sandbox_text(one, "method"), method) ||
		    same(sandbox_text(one, "target"), "/"))
			continue;
		if (first == NULL)
			first = one;
		assert_row(same(sandbox_text(one, "head"),
		    sandbox_text(first, "head")));
		/* A body that was not read is logged as none. */
		if (!same(sandbox_text(first, "body"), "") &&
		    !same(sandbox_text(one, "body"), ""))
			assert_row(same(sandbox_text(one, "body"),
			    sandbox_text(first, "body")));
	}
	json_object_put(log);
}

static void
try_mishap(size_t i, const char *method, const char *path,
    const struct want *want)
{
	bool connection = strstr(mishaps[i].fault, "accept\"") != NULL ||
	    strstr(mishaps[i].fault, "handshake") != NULL;
	bool write = strcmp(method, "GET") != 0;
	struct monime_call *call;
	struct monime *m;
	int64_t began, took;
	char name[128];

	(void)snprintf(name, sizeof(name), "%s: %s", method, mishaps[i].name);
	row = name;
	sandbox_reset(sandbox);
	m = open_test(strstr(mishaps[i].fault, "hold") != NULL ?
	    PLAIN "timeout = \"700 ms\";" : PLAIN "timeout = \"2500 ms\";");
	if (connection)
		faultf("{%s}", mishaps[i].fault);
	else
		faultf("{\"method\": \"%s\", %s}", method, mishaps[i].fault);
	began = now_ms();
	assert_code(call, monime_request(m, method, path, NULL,
	    strcmp(method, "POST") == 0 ? body : NULL,
	    strcmp(method, "POST") == 0 ? sizeof(body) - 1 : 0, &call),
	    want->code);
	took = now_ms() - began;
	assert_row(took < 2500 + 500);
	/* Whoever is told to come back after the deadline does not wait. */
	if (want->code == MONIME_ELIMIT)
		assert_row(took < 2000);
	assert_fact(call, "attempts", want->attempts);
	assert_fact(call, "executed", want->executed);
	assert_fact(call, "source", "network");
	assert_fact(call, "retry-after", want->code == MONIME_ELIMIT ?
	    mishaps[i].retry_after : NULL);
	assert_row(sandbox_effects(sandbox) == want->effects);
	assert_row(sandbox_effects(sandbox) <= 1);
	assert_identical(method);
	if (write && want->code == MONIME_OK)
		assert_row(monime_call_status(call) == 200);
	monime_call_free(call);
	monime_close(m);
}

static void
test_mishaps_of_a_read(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(mishaps); i++)
		try_mishap(i, "GET", ACCOUNTS, &mishaps[i].get);
}

static void
test_mishaps_of_a_keyed_write(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(mishaps); i++)
		try_mishap(i, "POST", PAYOUTS, &mishaps[i].post);
}

static void
test_mishaps_of_an_unkeyed_write(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(mishaps); i++)
		try_mishap(i, "DELETE", ACCOUNT, &mishaps[i].delete);
}

static void
test_never_connected_is_enet_after_all_attempts(void **state)
{
	struct monime *m = open_profile("test/t", "refused", "test", PLAIN);
	struct monime_call *call;

	(void)state;
	assert_code(call, post(m, &call), MONIME_ENET);
	assert_fact(call, "attempts", "3");
	assert_fact(call, "executed", "no");
	assert_int_equal(monime_call_status(call), 0);
	monime_call_free(call);
	monime_close(m);
}

/* "Nothing was sent" must not be said of a call that sent something. */
static void
test_enet_after_an_unknown_attempt_is_elost(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J([
	    {"method": "POST", "drop": "status", "execute": true},
	    {"server": "monime", "drop": "accept", "skip": 1, "times": -1}]));
	assert_code(call, post(m, &call), MONIME_ELOST);
	assert_fact(call, "attempts", "3");
	assert_fact(call, "executed", "unknown");
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_call_free(call);
	monime_close(m);
}

static void
test_elimit_after_an_unknown_attempt_is_elost(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J([
	    {"method": "POST", "drop": "status", "execute": true},
	    {"method": "POST", "status": 429,
	     "headers": [["Retry-After", "9999"]]}]));
	assert_code(call, post(m, &call), MONIME_ELOST);
	assert_fact(call, "attempts", "2");
	assert_fact(call, "executed", "unknown");
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_call_free(call);
	monime_close(m);
}

static void
test_refusal_after_an_unknown_attempt_leaves_it_unknown(
    void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J([
	    {"method": "POST", "drop": "status", "execute": true},
	    {"method": "POST", "status": 400}]));
	assert_code(call, post(m, &call), MONIME_EHTTP);
	assert_fact(call, "executed", "unknown");
	monime_call_free(call);
	monime_close(m);
}

static void
test_success_after_a_connection_that_never_was_is_success(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J({"drop": "accept", "times": 2}));
	assert_code(call, post(m, &call), MONIME_OK);
	assert_fact(call, "attempts", "3");
	assert_fact(call, "executed", "yes");
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_call_free(call);
	monime_close(m);
}

static void
test_retry_after_is_waited_for(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	int64_t began = now_ms(), took;

	(void)state;
	sandbox_fault(sandbox, J({"method": "POST", "status": 429,
	    "headers": [["Retry-After", "1"]]}));
	assert_code(call, post(m, &call), MONIME_OK);
	took = now_ms() - began;
	assert_true(took >= 1000 && took < 3000);
	assert_fact(call, "attempts", "2");
	monime_call_free(call);
	monime_close(m);
}

static void
test_attempts_are_those_of_the_profile(void **state)
{
	struct monime *m = open_test(PLAIN "retry = { attempts = 1; };");
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J({"status": 503, "times": -1}));
	assert_code(call, get(m, ACCOUNTS, &call), MONIME_EHTTP);
	assert_fact(call, "attempts", "1");
	monime_call_free(call);
	assert_code(call, post(m, &call), MONIME_EHTTP);
	assert_fact(call, "attempts", "1");
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 2);
	monime_close(m);
}

static void
test_bucket_ends_the_retries_of_a_handle(void **state)
{
	struct monime *m = open_profile("test/t", "refused", "test",
	    "retry = { attempts = 2; };");
	struct monime_call *call = NULL;
	int retries = 0, i;

	(void)state;
	for (i = 0; i < 14; i++) {
		assert_code(call, get(m, ACCOUNTS, &call), MONIME_ENET);
		retries += atoi(monime_call_get(call, "attempts")) - 1;
		if (i < 10)
			assert_fact(call, "attempts", "2");
		if (i > 11)
			assert_fact(call, "attempts", "1");
		monime_call_free(call);
	}
	assert_in_range(retries, 10, 11);
	monime_close(m);
	/* Another handle has its own. */
	m = open_named("test/t");
	assert_code(call, get(m, ACCOUNTS, &call), MONIME_ENET);
	assert_fact(call, "attempts", "2");
	monime_call_free(call);
	monime_close(m);
}

/*
 * libcurl by itself sends again when a kept connection dies as the
 * request arrives.
 */

static const struct {
	const char *server;
	const char *method;
	const char *path;
	bool keyed;
} writes[] = {
	{ "monime", "POST", PAYOUTS, true },
	{ "monime", "PATCH", ACCOUNT, false },
	{ "monime", "DELETE", ACCOUNT, false },
	{ "mono_sandbox", "POST", "/v1/transfers", true },
	{ "mono_sandbox", "PUT", MONO_ACCOUNT, true },
	{ "mono_sandbox", "PATCH", MONO_ACCOUNT, true },
	{ "mono_sandbox", "DELETE", MONO_ACCOUNT, false },
};

/* A handle with a kept connection on which one request was answered. */
static struct monime *
open_warm(const char *server)
{
	struct monime *m = open_profile("test/t", server,
	    is_mono(server) ? "mono_sandbox" : "test", PLAIN);

	assert_code(NULL, get(m, is_mono(server) ? MONO_ACCOUNT : ACCOUNT,
	    NULL), MONIME_OK);
	return m;
}

static void
try_dead_connection(size_t i, const char *drop)
{
	const char *server = writes[i].server;
	const char *text = strcmp(writes[i].method, "DELETE") == 0 ?
	    NULL : body;
	struct json_object *log, *one;
	struct monime_call *call;
	struct monime *m;
	char name[128];

	(void)snprintf(name, sizeof(name), "%s %s: %s", server,
	    writes[i].method, drop);
	row = name;
	sandbox_reset(sandbox);
	m = open_warm(server);
	faultf("{\"server\": \"%s\", \"reused\": true, %s}", server, drop);
	assert_code(call, monime_request(m, writes[i].method, writes[i].path,
	    NULL, text, text != NULL ? strlen(text) : 0, &call), MONIME_OK);
	assert_fact(call, "executed", "yes");
	monime_call_free(call);
	assert_row(sandbox_effects(sandbox) == 1);
	log = sandbox_log(sandbox);
	if (writes[i].keyed) {
		/* Sent twice, with one key. */
		assert_row(logged_count(log, writes[i].method) == 2);
		assert_identical(writes[i].method);
	} else {
		/* The dead connection was never tried. */
		assert_row(logged_count(log, writes[i].method) == 1);
		one = sandbox_logged(log, server, -1);
		assert_row(logged_number(one, "sequence") == 1);
	}
	json_object_put(log);
	monime_close(m);
}

static void
test_kept_connection_that_dies_costs_nothing_twice(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(writes); i++) {
		try_dead_connection(i, "\"drop\": \"request\"");
		try_dead_connection(i,
		    "\"drop\": \"status\", \"execute\": true");
		try_dead_connection(i, "\"reset\": true, \"execute\": true");
	}
}

static void
test_kept_connection_that_was_closed_is_no_mishap(void **state)
{
	struct monime_call *call;
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(writes); i++) {
		row = writes[i].method;
		sandbox_reset(sandbox);
		m = open_warm(writes[i].server);
		assert_row(sandbox_close_idle(sandbox, writes[i].server) >= 1);
		sandbox_wait_down(sandbox, "open", writes[i].server, 0);
		assert_code(call, monime_request(m, writes[i].method,
		    writes[i].path, NULL, body, sizeof(body) - 1, &call),
		    MONIME_OK);
		assert_fact(call, "attempts", "1");
		monime_call_free(call);
		assert_row(sandbox_effects(sandbox) == 1);
		monime_close(m);
	}
}

/* What libcurl sent on the dead connection was sent. */
static void
test_dead_connection_and_then_none_is_elost(void **state)
{
	struct monime *m = open_warm("monime");
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J([
	    {"method": "POST", "reused": true, "drop": "status",
	     "execute": true},
	    {"server": "monime", "drop": "accept", "times": -1}]));
	assert_code(call, post(m, &call), MONIME_ELOST);
	assert_fact(call, "executed", "unknown");
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_call_free(call);
	monime_close(m);
}

/* Nor is it undone by a limit that the second time met. */
static void
test_dead_connection_and_then_a_429_is_elost(void **state)
{
	struct monime *m = open_warm("monime");
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J([
	    {"method": "POST", "reused": true, "raw": "",
	     "execute": true},
	    {"method": "POST", "status": 429, "execute": false, "times": -1,
	     "headers": [["Retry-After", "99"]]}]));
	/* Who sends it again, libcurl or we, is how its end arrives. */
	assert_code(call, post(m, &call), MONIME_ELOST);
	assert_fact(call, "executed", "unknown");
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_call_free(call);
	monime_close(m);
}

static void
test_reads_share_a_connection_and_unkeyed_writes_do_not(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct json_object *log;
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_code(NULL, get(m, ACCOUNTS, NULL), MONIME_OK);
	assert_int_equal(sandbox_connections(sandbox, "monime"), 1);
	for (i = 0; i < 3; i++)
		assert_code(NULL, monime_request(m, "PATCH", ACCOUNT, NULL,
		    "{}", 2, NULL), MONIME_OK);
	assert_int_equal(sandbox_connections(sandbox, "monime"), 4);
	assert_int_equal(sandbox_effects(sandbox), 3);
	log = sandbox_log(sandbox);
	for (i = 3; i < 6; i++)
		assert_int_equal(logged_number(sandbox_logged(log, "monime",
		    i), "sequence"), 1);
	json_object_put(log);
	monime_close(m);
}

/* What is refused never leaves, what is sent arrives as it is. */

static const char *const bad_paths[] = {
	"", "v1/payouts", "?x", "*", "https://localhost/v1", "//", "//v1",
	"/v1//payouts", "/v1/", "/./v1", "/../v1", "/v1/.", "/v1/..",
	"/v1/./payouts", "/v1/../payouts", "/v1/x/?a=b",
	"/v1/payouts#", "/v1/payouts#x", "/v1/pay;x", "/v1;x=1/payouts",
	"/v1\\payouts", "/v1/payouts?a=b;c", "/v1/payouts?a=\\",
	"/v1/pay outs", "/v1/payouts ", " /v1/payouts", "/v1/payouts\n",
	"/v1/payouts\r\nX: y", "/v1/pay\tout", "/v1/\x01", "/v1/\x7f",
	"/v1/caf\xc3\xa9", "/v1/\xff", "/v1/payouts HTTP/1.1",
	"/v1/%70ayouts", "/v1/%7Eme", "/v1/a%2Eb", "/v1/a%2db", "/v1/%5f",
	"/v1/%2e%2e/x", "/v1/%2E", "/v1/%2fx", "/v1/%2Fx", "/v1/%5cx",
	"/v1/%252e", "/v1/%25", "/v1/%3bx", "/v1/%3fx", "/v1/%23x",
	"/v1/%00", "/v1/%0a", "/v1/%0D%0A", "/v1/%1f", "/v1/%7f",
	"/v1/%", "/v1/%2", "/v1/%zz", "/v1/%4g", "/v1/%-1", "/v1/x?q=%",
	"/v1/x?q=%41", "/v1/x?q=%2F", "/v1/x?q=%00",
};

static const char *const good_paths[] = {
	"/", "/v1", "/v1/payouts", "/v1/payouts?", "/v1/payouts?limit=1",
	"/v1/payouts?a=/../b//c/./", "/v1/payouts?a=?b", "/?x=y",
	"/v1/a.b", "/v1/..a", "/v1/a..", "/v1/...", "/v1/.hidden", "/v1/-_.~",
	"/v1/!$&'()*+,:@=", "/v1/{id}", "/v1/a|b", "/v1/\"x\"", "/v1/<x>",
	"/v1/[1]", "/v1/`x`", "/v1/^x", "/v1/%20x", "/v1/%C3%A9",
	"/v1/%c3%a9", "/v1/%FF", "/v1/%2Bx", "/v1/%3Cx%3E", "/v1/%40",
	"/v1/x?after=AAA%3D%3D", "/v1/x?a%5B%5D=1", "/V1/Payouts",
};

static void
test_paths_with_two_meanings_never_leave(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(bad_paths); i++) {
		row = bad_paths[i];
		assert_code(call, get(m, bad_paths[i], &call), MONIME_EINVAL);
		assert_fact(call, "source", "local");
		assert_fact(call, "attempts", "0");
		assert_fact(call, "executed", "no");
		assert_row(monime_call_error(call)[0] != '\0');
		monime_call_free(call);
		assert_code(NULL, monime_request(m, "DELETE", bad_paths[i],
		    NULL, NULL, 0, NULL), MONIME_EINVAL);
	}
	row = "NULL";
	assert_code(NULL, get(m, NULL, NULL), MONIME_EINVAL);
	assert_silence();
	monime_close(m);
}

static void
test_paths_arrive_byte_for_byte(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct json_object *log;
	char line[128];
	const char *head;
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < ROWS(good_paths); i++) {
		row = good_paths[i];
		r = get(m, good_paths[i], NULL);
		assert_row(r == MONIME_OK || r == MONIME_EHTTP);
		log = sandbox_log(sandbox);
		assert_row(sandbox_requests(sandbox, "monime") == i + 1);
		head = sandbox_text(sandbox_logged(log, "monime", -1), "head");
		(void)snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n",
		    good_paths[i]);
		if (strncmp(head, line, strlen(line)) != 0)
			fail_row(__FILE__, __LINE__, "%s", head);
		json_object_put(log);
	}
	monime_close(m);
}

static void
test_longest_path_arrives_and_a_longer_one_does_not_leave(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct json_object *log;
	char *path = malloc(8194);

	(void)state;
	assert_non_null(path);
	memset(path, 'x', 8193);
	memcpy(path, "/v1/", 4);
	path[8193] = '\0';
	assert_code(NULL, get(m, path, NULL), MONIME_EINVAL);
	assert_silence();
	path[8192] = '\0';
	assert_code(NULL, get(m, path, NULL), MONIME_EHTTP);
	log = sandbox_log(sandbox);
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 0),
	    "target"), path);
	json_object_put(log);
	free(path);
	monime_close(m);
}

static void
test_other_methods_never_leave(void **state)
{
	static const char *const methods[] = {
		"", "get", "Get", "GET ", " GET", "GETT", "CONNECT", "TRACE",
		"OPTIONS", "PURGE", "post", "POST\r\nX: y", "G\xc9T", "*",
		"M-SEARCH", "HEAD\n"
	};
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(methods); i++) {
		row = methods[i];
		assert_code(call, monime_request(m, methods[i], "/v1/x", NULL,
		    NULL, 0, &call), MONIME_EINVAL);
		monime_call_free(call);
	}
	assert_code(NULL, monime_request(m, NULL, "/v1/x", NULL, NULL, 0,
	    NULL), MONIME_EINVAL);
	assert_silence();
	monime_close(m);
}

static void
test_methods_arrive(void **state)
{
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"
	};
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	struct json_object *log;
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < ROWS(methods); i++) {
		row = methods[i];
		r = monime_request(m, methods[i], ACCOUNT, NULL, NULL, 0,
		    &call);
		assert_row(r == MONIME_OK || r == MONIME_EHTTP);
		monime_call_free(call);
		log = sandbox_log(sandbox);
		assert_row(same(sandbox_text(sandbox_logged(log, "monime",
		    -1), "method"), methods[i]));
		assert_row(logged_count(log, methods[i]) == 1);
		json_object_put(log);
	}
	monime_close(m);
}

/* What was set for one request is not left for the next one. */
static void
test_methods_take_turns_on_one_handle(void **state)
{
	static const struct {
		const char *method;
		const char *body;
	} turns[] = {
		{ "GET", NULL }, { "GET", NULL }, { "PATCH", "{\"a\":1}" },
		{ "GET", NULL }, { "HEAD", NULL }, { "GET", NULL },
		{ "DELETE", NULL }, { "GET", NULL }, { "POST", NULL },
		{ "HEAD", NULL }, { "PUT", "{}" }, { "DELETE", NULL },
		{ "DELETE", "{\"b\":2}" }, { "GET", NULL }
	};
	struct monime *m = open_test(PLAIN);
	struct json_object *log, *sent;
	struct monime_call *call;
	const char *text;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(turns); i++) {
		row = turns[i].method;
		text = turns[i].body != NULL ? turns[i].body : "";
		(void)!monime_request(m, turns[i].method, ACCOUNT, NULL,
		    turns[i].body, strlen(text), &call);
		assert_row(monime_call_status(call) > 0);
		monime_call_free(call);
		log = sandbox_log(sandbox);
		sent = sandbox_logged(log, "monime", -1);
		assert_row(same(sandbox_text(sent, "method"),
		    turns[i].method));
		assert_row(same(sandbox_text(sent, "body"), text));
		assert_row((sandbox_header(sent, "Content-Length", 0) != NULL)
		    == (turns[i].body != NULL || turns[i].method[0] == 'P'));
		json_object_put(log);
	}
	monime_close(m);
}

static const struct {
	const char *line;
	int code;
} bad_headers[] = {
	{ "", MONIME_EINVAL },
	{ "Accept", MONIME_EINVAL },
	{ "Accept:", MONIME_EINVAL },
	{ "Accept: ", MONIME_EINVAL },
	{ "Accept;", MONIME_EINVAL },
	{ "Accept ;", MONIME_EINVAL },
	{ "Accept : x", MONIME_EINVAL },
	{ " Accept: x", MONIME_EINVAL },
	{ ": x", MONIME_EINVAL },
	{ "Accept: x ", MONIME_EINVAL },
	{ "Accept: a\tb", MONIME_EINVAL },
	{ "Accept: a\r\nX-Y: b", MONIME_EINVAL },
	{ "Accept: a\nX-Y: b", MONIME_EINVAL },
	{ "Accept: a\rb", MONIME_EINVAL },
	{ "Accept: \x7f", MONIME_EINVAL },
	{ "Accept: caf\xc3\xa9", MONIME_EINVAL },
	{ "Accept\r\nX: y", MONIME_EINVAL },
	{ "Acc\xc3\xa9pt: x", MONIME_EINVAL },
	{ "Authorization: Bearer x", MONIME_EINVAL },
	{ "authorization: Bearer x", MONIME_EINVAL },
	{ "Proxy-Authorization: Basic eDp5", MONIME_EINVAL },
	{ "Cookie: a=b", MONIME_EINVAL },
	{ "Host: example.org", MONIME_EINVAL },
	{ "Content-Length: 5", MONIME_EINVAL },
	{ "Transfer-Encoding: chunked", MONIME_EINVAL },
	{ "Connection: close", MONIME_EINVAL },
	{ "Connection: Authorization", MONIME_EINVAL },
	{ "Expect: 100-continue", MONIME_EINVAL },
	{ "Upgrade: h2c", MONIME_EINVAL },
	{ "TE: trailers", MONIME_EINVAL },
	{ "Trailer: x", MONIME_EINVAL },
	{ "User-Agent: me", MONIME_EINVAL },
	{ "Accept-Encoding: gzip", MONIME_EINVAL },
	{ "Range: bytes=0-1", MONIME_EINVAL },
	{ "X-HTTP-Method-Override: DELETE", MONIME_EINVAL },
	{ "X-HTTP-Method: DELETE", MONIME_EINVAL },
	{ "X-Method-Override: DELETE", MONIME_EINVAL },
	{ "X-Original-URL: /v1/x", MONIME_EINVAL },
	{ "X-Forwarded-For: 1.2.3.4", MONIME_EINVAL },
	{ "X-Idempotency-Key: x", MONIME_EINVAL },
	{ "Monime_Space_Id: spc-sandbox", MONIME_EINVAL },
	{ "Monime-Space-Id: spc-live", MONIME_EPOLICY },
	{ "Monime-Space-Id: spc-stranger-test", MONIME_EPOLICY },
	{ "Monime-Space-Id: spc-sandbo", MONIME_EPOLICY },
	{ "Monime-Space-Id: spc-sandbox,spc-live", MONIME_EPOLICY },
	{ "Idempotency-Key: x", MONIME_EINVAL },	/* of a GET */
	{ "@/etc/passwd", MONIME_EINVAL },
};

static void
test_other_headers_never_leave(void **state)
{
	const char *const twice[] = {
		"Accept: a/b", "ACCEPT: a/b", NULL
	};
	const char *const spaces[] = {
		"Monime-Space-Id: spc-sandbox",
		"monime-space-id: spc-sandbox", NULL
	};
	struct monime *m = open_test(PLAIN);
	const char *headers[2] = { NULL, NULL };
	struct monime_call *call;
	char *big;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(bad_headers); i++) {
		row = headers[0] = bad_headers[i].line;
		assert_code(call, monime_request(m, "GET", ACCOUNTS, headers,
		    NULL, 0, &call), bad_headers[i].code);
		assert_fact(call, "executed", "no");
		monime_call_free(call);
	}
	row = "twice";
	assert_code(NULL, monime_request(m, "GET", ACCOUNTS, twice, NULL, 0,
	    NULL), MONIME_EINVAL);
	assert_code(NULL, monime_request(m, "GET", ACCOUNTS, spaces, NULL, 0,
	    NULL), MONIME_EINVAL);
	row = "large";
	big = malloc(8 + 4098);
	assert_non_null(big);
	memset(big, 'x', 8 + 4097);
	memcpy(big, "Accept: ", 8);
	big[8 + 4097] = '\0';
	headers[0] = big;
	assert_code(NULL, monime_request(m, "GET", ACCOUNTS, headers, NULL, 0,
	    NULL), MONIME_EINVAL);
	assert_silence();
	free(big);
	monime_close(m);
}

/* The whole head, so that nothing else can have slipped in. */
static void
assert_head(const char *want)
{
	struct json_object *log = sandbox_log(sandbox);
	const char *got = sandbox_text(sandbox_logged(log, NULL, -1), "head");

	if (strcmp(got, want) != 0)
		fail_row(__FILE__, __LINE__, "sent:\n%swanted:\n%s", got,
		    want);
	json_object_put(log);
}

static void
test_head_of_a_read_is_exactly_this(void **state)
{
	struct monime *m = open_test(PLAIN);
	char want[1024];

	(void)state;
	assert_code(NULL, get(m, ACCOUNTS, NULL), MONIME_OK);
	(void)snprintf(want, sizeof(want),
	    "GET " ACCOUNTS " HTTP/1.1\r\n"
	    "Host: localhost:%u\r\n"
	    "User-Agent: libmonime/" MONIME_VERSION "\r\n"
	    "Authorization: Bearer %s\r\n"
	    "Monime-Space-Id: spc-sandbox\r\n"
	    "Accept: application/json\r\n\r\n",
	    sandbox_port(sandbox, "monime"), sandbox_token(sandbox, "test"));
	assert_head(want);
	monime_close(m);
}

static void
test_head_of_a_write_with_all_headers_is_exactly_this(void **state)
{
	static const char *const headers[] = {
		"accept: application/json;q=0.9, */*;  q=0.1",
		"Accept-Language: kri, en", "content-TYPE: application/json",
		"Monime-Space-Id: spc-other", "Monime-Version: caph.2025-08-23",
		"X-Request-Id: a b",
		"traceparent:00-0af7651916cd43dd8448eb2-01",
		"IDEMPOTENCY-KEY: order-1", NULL
	};
	struct monime *m = open_test(PLAIN "version = \"caph.2025-06-20\";"
	    "allow = { spaces = [\"spc-sandbox\", \"spc-other\"]; };");
	char want[1024];

	(void)state;
	assert_code(NULL, monime_request(m, "POST", PAYOUTS, headers, body,
	    sizeof(body) - 1, NULL), MONIME_EFORBIDDEN);
	(void)snprintf(want, sizeof(want),
	    "POST " PAYOUTS " HTTP/1.1\r\n"
	    "Host: localhost:%u\r\n"
	    "User-Agent: libmonime/" MONIME_VERSION "\r\n"
	    "Authorization: Bearer %s\r\n"
	    "Idempotency-Key: order-1\r\n"
	    "accept: application/json;q=0.9, */*;  q=0.1\r\n"
	    "Accept-Language: kri, en\r\n"
	    "content-TYPE: application/json\r\n"
	    "Monime-Space-Id: spc-other\r\n"
	    "Monime-Version: caph.2025-08-23\r\n"
	    "X-Request-Id: a b\r\n"
	    "traceparent:00-0af7651916cd43dd8448eb2-01\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    sandbox_port(sandbox, "monime"), sandbox_token(sandbox, "test"),
	    sizeof(body) - 1);
	assert_head(want);
	monime_close(m);
}

static void
test_head_of_a_mono_write_is_exactly_this(void **state)
{
	static const char *const headers[] = { "Idempotency-Key: o-1", NULL };
	struct monime *m = open_profile("test/t", "mono_sandbox",
	    "mono_sandbox", "");
	char want[1024];

	(void)state;
	assert_code(NULL, monime_request(m, "PUT", MONO_ACCOUNT, headers, body,
	    sizeof(body) - 1, NULL), MONIME_OK);
	(void)snprintf(want, sizeof(want),
	    "PUT " MONO_ACCOUNT " HTTP/1.1\r\n"
	    "Host: localhost:%u\r\n"
	    "User-Agent: libmonime/" MONIME_VERSION "\r\n"
	    "Authorization: Bearer %s\r\n"
	    "X-Idempotency-Key: o-1\r\n"
	    "Accept: application/json\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    sandbox_port(sandbox, "mono_sandbox"),
	    sandbox_token(sandbox, "mono_sandbox"), sizeof(body) - 1);
	assert_head(want);
	monime_close(m);
}

static void
test_write_without_a_body_names_no_type(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct json_object *log, *one;

	(void)state;
	assert_code(NULL, monime_request(m, "DELETE", ACCOUNT, NULL, NULL, 0,
	    NULL), MONIME_OK);
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "monime", 0);
	assert_header(one, "Content-Type", NULL);
	assert_header(one, "Transfer-Encoding", NULL);
	assert_header(one, "Expect", NULL);
	json_object_put(log);
	monime_close(m);
}

static void
test_mono_takes_no_header_of_monime(void **state)
{
	static const char *const lines[] = {
		"Monime-Space-Id: spc-sandbox",
		"Monime-Version: caph.2025-06-20"
	};
	const char *headers[2] = { NULL, NULL };
	struct monime *m = open_profile("test/t", "mono_sandbox",
	    "mono_sandbox", "");
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(lines); i++) {
		row = headers[0] = lines[i];
		assert_code(NULL, monime_request(m, "GET", MONO_ACCOUNT,
		    headers, NULL, 0, NULL), MONIME_EINVAL);
	}
	assert_silence();
	monime_close(m);
}

/* "allow" */

static void
test_allow_refuses_before_anything_is_sent(void **state)
{
	static const char *const other[] = {
		"Monime-Space-Id: spc-live", NULL
	};
	static const struct {
		const char *method;
		const char *path;
		int code;
	} rows[] = {
		{ "POST", PAYOUTS, MONIME_EPOLICY },
		{ "DELETE", ACCOUNT, MONIME_EPOLICY },
		{ "HEAD", ACCOUNT, MONIME_EPOLICY },
		{ "GET", "/", MONIME_EPOLICY },
		{ "GET", "/v1/payouts", MONIME_EPOLICY },
		{ "GET", "/v1/financial-accounts", MONIME_EPOLICY },
		{ "GET", "/v1/financial-accountsX", MONIME_EPOLICY },
		{ "GET", "/v1/financial", MONIME_EPOLICY },
		{ "GET", "/v1/banks/x", MONIME_EPOLICY },
		{ "GET", "/v1/Banks", MONIME_EPOLICY },
		{ "GET", "/v1/financial-accounts/../payouts", MONIME_EINVAL },
	};
	struct monime *m = open_test("allow = { methods = [\"GET\", \"PATCH\"];"
	    " paths = [\"/v1/financial-accounts/*\", \"/v1/banks\"]; };");
	struct monime_call *call;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].path;
		assert_code(call, monime_request(m, rows[i].method,
		    rows[i].path, NULL, NULL, 0, &call), rows[i].code);
		assert_fact(call, "source", "local");
		assert_fact(call, "executed", "no");
		monime_call_free(call);
	}
	assert_code(NULL, monime_request(m, "GET", ACCOUNT, other, NULL, 0,
	    NULL), MONIME_EPOLICY);
	assert_silence();
	row = "allowed";
	assert_code(NULL, get(m, ACCOUNT, NULL), MONIME_OK);
	assert_code(NULL, get(m, "/v1/banks?limit=1", NULL), MONIME_OK);
	assert_code(NULL, monime_request(m, "PATCH", ACCOUNT, NULL, "{}", 2,
	    NULL), MONIME_OK);
	monime_close(m);
}

static void
test_empty_allow_allows_nothing(void **state)
{
	struct monime *m = open_test("allow = { paths = [ ]; };");

	(void)state;
	assert_code(NULL, get(m, ACCOUNT, NULL), MONIME_EPOLICY);
	monime_close(m);
	m = open_test("allow = { methods = [ ]; };");
	assert_code(NULL, get(m, ACCOUNT, NULL), MONIME_EPOLICY);
	monime_close(m);
	assert_silence();
}

static void
test_allowed_space_replaces_the_own(void **state)
{
	static const char *const headers[] = {
		"Monime-Space-Id: spc-stranger-test", NULL
	};
	struct monime *m = open_test(PLAIN
	    "allow = { spaces = [\"spc-sandbox\", \"spc-stranger-test\"]; };");
	struct json_object *log;

	(void)state;
	assert_code(NULL, monime_request(m, "GET", ACCOUNTS, headers, NULL, 0,
	    NULL), MONIME_EFORBIDDEN);
	log = sandbox_log(sandbox);
	assert_header(sandbox_logged(log, "monime", 0), "Monime-Space-Id",
	    "spc-stranger-test");
	json_object_put(log);
	monime_close(m);
}

/* What comes back, and how much of it. */

static void
test_answers_that_pass_a_limit(void **state)
{
	static const struct {
		const char *fault;
		int code;
	} rows[] = {
		{ J({"huge": 1024}), MONIME_OK },
		{ J({"huge": 1025}), MONIME_EPROTO },
		{ J({"huge": 1025, "chunked": true}), MONIME_EPROTO },
		{ J({"huge": 9999999}), MONIME_EPROTO },
		{ J({"huge": 9999, "status": 400}), MONIME_EPROTO },
		{ J({"huge_headers": 30000}), MONIME_OK },
		{ J({"huge_headers": 80000}), MONIME_EPROTO },
		{ J({"endless": "headers"}), MONIME_EPROTO },
		{ J({"endless": "body"}), MONIME_EPROTO },
		{ J({"endless": "1xx"}), MONIME_EPROTO },
		{ J({"drip": {"bytes": 1, "every": 0.01}}), MONIME_ELOST },
		{ J({"content_length": "900"}), MONIME_ELOST },
		{ J({"content_length": "-5"}), MONIME_EPROTO },
	};
	struct monime_call *call;
	struct monime *m;
	int64_t began, took;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].fault;
		sandbox_reset(sandbox);
		sandbox_fault(sandbox, rows[i].fault);
		m = open_test(PLAIN "max_answer = \"1 KiB\";"
		    "timeout = \"1 s\"; retry = { attempts = 1; };");
		began = now_ms();
		assert_code(call, get(m, "/v1/banks", &call), rows[i].code);
		took = now_ms() - began;
		assert_row(took < 3000);
		assert_fact(call, "attempts", "1");
		monime_call_free(call);
		monime_close(m);
	}
}

static void
test_largest_answer_arrives_whole(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	const char *s;
	size_t len;

	(void)state;
	sandbox_fault(sandbox, J([{"huge": 8388608}, {"huge": 8388609}]));
	assert_code(call, get(m, ACCOUNTS, &call), MONIME_OK);
	s = monime_call_body(call, &len);
	assert_int_equal(len, 8388608);
	assert_int_equal(s[len], '\0');
	assert_int_equal(s[len - 1], '}');
	monime_call_free(call);
	assert_code(call, get(m, ACCOUNTS, &call), MONIME_EPROTO);
	monime_call_free(call);
	monime_close(m);
}

static void
test_slow_drip_ends_at_the_deadline(void **state)
{
	struct monime *m = open_test(PLAIN "timeout = \"500 ms\";");
	struct monime_call *call;
	int64_t began = now_ms(), took;

	(void)state;
	sandbox_fault(sandbox, J({"method": "POST", "times": -1,
	    "drip": {"bytes": 1, "every": 0.02}}));
	assert_code(call, post(m, &call), MONIME_ELOST);
	took = now_ms() - began;
	assert_true(took >= 490 && took < 3 * 500);
	assert_fact(call, "executed", "unknown");
	assert_fact(call, "attempts", "1");
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_call_free(call);
	monime_close(m);
}

static void
test_stalled_connection_ends_at_its_timeout(void **state)
{
	struct monime *m = open_test(PLAIN "connect_timeout = \"300 ms\";"
	    "retry = { attempts = 1; };");
	struct monime_call *call;
	int64_t began = now_ms(), took;

	(void)state;
	sandbox_fault(sandbox, J({"drop": "stall"}));
	assert_code(call, post(m, &call), MONIME_ENET);
	took = now_ms() - began;
	assert_true(took >= 290 && took < 3 * 300);
	assert_fact(call, "executed", "no");
	monime_call_free(call);
	monime_close(m);
}

static void
test_empty_answers_of_success_are_success(void **state)
{
	static const char *const faults[] = {
		J({"status": 200, "body": ""}),
		J({"status": 201, "body": ""}),
		J({"status": 202, "body": ""}),
		J({"status": 204}),
		J({"status": 200, "body": "", "chunked": true}),
		J({"status": 200, "body": "", "keep": false}),
	};
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	size_t i, len;

	(void)state;
	for (i = 0; i < ROWS(faults); i++) {
		row = faults[i];
		sandbox_fault(sandbox, faults[i]);
		assert_code(call, post(m, &call), MONIME_OK);
		assert_row(same(monime_call_body(call, &len), ""));
		assert_row(len == 0);
		assert_row(same(monime_call_error(call), ""));
		assert_fact(call, "executed", "yes");
		monime_call_free(call);
	}
	monime_close(m);
	row = "Mono: DELETE";
	m = open_profile("test/t", "mono_sandbox", "mono_sandbox", "");
	assert_code(call, monime_request(m, "DELETE", MONO_ACCOUNT, NULL, NULL,
	    0, &call), MONIME_OK);
	assert_int_equal(monime_call_status(call), 204);
	monime_call_free(call);
	assert_code(call, monime_request(m, "POST", "/v1/transfers", NULL,
	    "{}", 2, &call), MONIME_OK);
	assert_int_equal(monime_call_status(call), 201);
	monime_call_free(call);
	monime_close(m);
}

static void
test_answer_is_handed_on(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	const char *value = NULL;
	size_t i, n = 0, len;

	(void)state;
	sandbox_fault(sandbox, J({"text": "{\"a\": 1}", "status": 201,
	    "headers": [["X-One", "1"], ["X-TWO", "  two  "], ["X-One", "3"],
	    ["X-Empty", ""]], "trailers": [["X-Late", "no"]]}));
	assert_code(call, get(m, "/v1/banks", &call), MONIME_OK);
	assert_int_equal(monime_call_status(call), 201);
	assert_string_equal(monime_call_body(call, &len), "{\"a\": 1}");
	assert_int_equal(len, 8);
	assert_string_equal(monime_call_header(call, "x-one"), "1");
	assert_string_equal(monime_call_header(call, "X-Two"), "two");
	assert_string_equal(monime_call_header(call, "x-empty"), "");
	assert_null(monime_call_header(call, "X-Late"));
	assert_null(monime_call_header(call, "HTTP/1.1 201 Created"));
	for (i = 0; monime_call_header_at(call, i, &value) != NULL; i++) {
		if (same(monime_call_header_at(call, i, &value), "X-One")) {
			n++;
			assert_true(same(value, "1") || same(value, "3"));
		}
	}
	assert_int_equal(n, 2);
	assert_null(monime_call_header_at(call, i, &value));
	assert_null(value);
	monime_call_free(call);
	monime_close(m);
}

static void
test_head_has_headers_and_no_body(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	size_t len;

	(void)state;
	assert_code(call, monime_request(m, "HEAD", ACCOUNT, NULL, NULL, 0,
	    &call), MONIME_OK);
	assert_string_equal(monime_call_body(call, &len), "");
	assert_int_equal(len, 0);
	assert_non_null(monime_call_header(call, "Content-Length"));
	assert_fact(call, "idempotency-key", NULL);
	monime_call_free(call);
	/* The connection is of use afterwards. */
	assert_code(NULL, get(m, ACCOUNT, NULL), MONIME_OK);
	assert_int_equal(sandbox_connections(sandbox, "monime"), 1);
	monime_close(m);
}

static void
test_bodies_arrive_byte_for_byte(void **state)
{
	static const size_t sizes[] = { 0, 1, 5, 1024, 1025, 65536, 1048576 };
	struct monime *m = open_test(PLAIN);
	struct json_object *log;
	char *sent = malloc(1048576), *got;
	size_t i, j, len;
	int r;

	(void)state;
	assert_non_null(sent);
	for (j = 0; j < 1048576; j++)
		sent[j] = (char)(j * 131 >> 3);		/* NULs and all */
	sent[0] = '\0';
	for (i = 0; i < ROWS(sizes); i++) {
		row = "body";
		sandbox_reset(sandbox);
		r = monime_request(m, "PATCH", ACCOUNT, NULL, sent, sizes[i],
		    NULL);
		assert_code(NULL, r, MONIME_EHTTP);	/* it is no JSON */
		log = sandbox_log(sandbox);
		got = logged_bytes(sandbox_logged(log, "monime", -1), "body",
		    &len);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(got, sent, len);
		free(got);
		json_object_put(log);
	}
	row = "";
	assert_code(NULL, monime_request(m, "PATCH", ACCOUNT, NULL, NULL, 5,
	    NULL), MONIME_EINVAL);
	assert_code(NULL, monime_request(m, "GET", ACCOUNT, NULL, "x", 1,
	    NULL), MONIME_EINVAL);
	assert_code(NULL, monime_request(m, "HEAD", ACCOUNT, NULL, "", 0,
	    NULL), MONIME_EINVAL);
	free(sent);
	monime_close(m);
}

static void
test_error_of_monime_has_its_facts(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;

	(void)state;
	assert_code(call, get(m, "/v1/payouts/pot-nowhere", &call),
	    MONIME_EHTTP);
	assert_int_equal(monime_call_status(call), 404);
	assert_fact(call, "reason", "not_found");
	assert_fact(call, "message", "There is no such object");
	assert_non_null(monime_call_get(call, "request-id"));
	assert_non_null(strstr(monime_call_error(call), "not_found"));
	assert_non_null(strstr(monime_call_error(call),
	    monime_call_get(call, "request-id")));
	/* What others say stays out of our own text. */
	assert_null(strstr(monime_call_error(call), "no such object"));
	assert_non_null(strstr(monime_call_body(call, NULL), "not_found"));
	monime_call_free(call);
	sandbox_fault(sandbox, J({"status": 429,
	    "headers": [["Retry-After", "3600"],
			["Monime-Rate-Limit", "space-limit"]]}));
	assert_code(call, get(m, ACCOUNTS, &call), MONIME_ELIMIT);
	assert_fact(call, "retry-after", "3600");
	assert_fact(call, "rate-limit", "space-limit");
	assert_fact(call, "reason", "too_many_requests");
	monime_call_free(call);
	monime_close(m);
}

static void
test_error_of_mono_has_its_facts(void **state)
{
	struct monime *m = open_profile("test/t", "mono_sandbox",
	    "mono_sandbox", "");
	struct monime_call *call;

	(void)state;
	assert_code(call, get(m, "/v1/transfers/trf_nowhere", &call),
	    MONIME_EHTTP);
	assert_fact(call, "reason", "item_not_found");
	assert_fact(call, "message", "There is no such object");
	assert_non_null(monime_call_get(call, "request-id"));
	assert_int_equal(strncmp(monime_call_get(call, "request-id"), "log_",
	    4), 0);
	assert_non_null(strstr(monime_call_error(call), "log_"));
	monime_call_free(call);
	sandbox_revoke(sandbox, "mono_sandbox");
	assert_code(call, get(m, MONO_ACCOUNT, &call), MONIME_EDENIED);
	assert_fact(call, "reason", "invalid_token");
	/* The documented cause and mend. */
	assert_non_null(strstr(monime_call_error(call), "expired"));
	monime_call_free(call);
	monime_close(m);
}

static void
test_mono_is_retried_after_its_own_statuses(void **state)
{
	static const struct {
		int status;
		bool again;
	} rows[] = {
		{ 408, true }, { 500, true }, { 502, true }, { 503, true },
		{ 504, true }, { 501, false }, { 505, false }, { 400, false },
		{ 404, false }, { 409, false }, { 422, false },
	};
	struct monime *m;
	struct monime_call *call;
	char name[16];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		(void)snprintf(name, sizeof(name), "%d", rows[i].status);
		row = name;
		sandbox_reset(sandbox);
		m = open_profile("test/t", "mono_sandbox", "mono_sandbox", "");
		faultf("{\"status\": %d}", rows[i].status);
		assert_code(call, monime_request(m, "POST", "/v1/transfers",
		    NULL, "{}", 2, &call),
		    rows[i].again ? MONIME_OK : MONIME_EHTTP);
		assert_fact(call, "attempts", rows[i].again ? "2" : "1");
		assert_row(sandbox_effects(sandbox) == rows[i].again);
		monime_call_free(call);
		monime_close(m);
	}
}

static void
test_words_of_odd_form_are_left_out(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J({"status": 400,
	    "body": "{\"error\":{\"reason\":\"Bad reason\",\"message\":7}}",
	    "headers": [["Monime-Request-Id", "req 1\\x1b[31m"],
			["Monime-Rate-Limit", "<b>"]]}));
	assert_code(call, get(m, ACCOUNTS, &call), MONIME_EHTTP);
	assert_fact(call, "reason", NULL);
	assert_fact(call, "message", NULL);
	assert_fact(call, "request-id", NULL);
	assert_fact(call, "rate-limit", NULL);
	assert_null(strstr(monime_call_error(call), "Bad"));
	monime_call_free(call);
	monime_close(m);
}

/* Idempotency keys. */

static bool
is_uuid4(const char *s)
{
	static const char form[] = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
	size_t i;

	if (s == NULL || strlen(s) != sizeof(form) - 1)
		return false;
	for (i = 0; form[i] != '\0'; i++) {
		if (form[i] == 'x' ? !isxdigit((unsigned char)s[i]) ||
		    isupper((unsigned char)s[i]) :
		    form[i] == 'y' ? strchr("89ab", s[i]) == NULL :
		    s[i] != form[i])
			return false;
	}
	return true;
}

static void
test_key_is_made_told_and_sent(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *first, *second;
	struct json_object *log;

	(void)state;
	assert_code(first, post(m, &first), MONIME_OK);
	assert_true(is_uuid4(monime_call_get(first, "idempotency-key")));
	assert_fact(first, "replayed", NULL);
	log = sandbox_log(sandbox);
	assert_header(sandbox_logged(log, "monime", -1), "Idempotency-Key",
	    monime_call_get(first, "idempotency-key"));
	json_object_put(log);
	/* One for each call, never one for all. */
	assert_code(second, post(m, &second), MONIME_OK);
	assert_string_not_equal(monime_call_get(first, "idempotency-key"),
	    monime_call_get(second, "idempotency-key"));
	assert_int_equal(sandbox_effects(sandbox), 2);
	monime_call_free(first);
	monime_call_free(second);
	monime_close(m);
}

static void
test_own_key_is_sent_and_replayed(void **state)
{
	static const char *const headers[] = {
		"Idempotency-Key: order-17", NULL
	};
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_code(call, monime_request(m, "POST", PAYOUTS, headers,
		    body, sizeof(body) - 1, &call), MONIME_OK);
		assert_fact(call, "idempotency-key", "order-17");
		assert_fact(call, "replayed", i == 0 ? NULL : "yes");
		monime_call_free(call);
	}
	assert_int_equal(sandbox_effects(sandbox), 1);
	/* The same key for other bytes is what the API calls a conflict. */
	assert_code(call, monime_request(m, "POST", PAYOUTS, headers, "{}", 2,
	    &call), MONIME_EHTTP);
	assert_int_equal(monime_call_status(call), 409);
	assert_fact(call, "reason", "idempotency_key_in_use");
	assert_fact(call, "attempts", "1");
	monime_call_free(call);
	/* Whoever brings a key knows it. */
	assert_code(NULL, monime_request(m, "POST", PAYOUTS, headers, body,
	    sizeof(body) - 1, NULL), MONIME_OK);
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_close(m);
}

static void
test_key_that_nobody_would_learn_is_refused(void **state)
{
	struct monime *m = open_test("");

	(void)state;
	assert_code(NULL, post(m, NULL), MONIME_EINVAL);
	assert_silence();
	/* These make none. */
	assert_code(NULL, get(m, ACCOUNT, NULL), MONIME_OK);
	assert_code(NULL, monime_request(m, "PATCH", ACCOUNT, NULL, "{}", 2,
	    NULL), MONIME_OK);
	monime_close(m);
	m = open_profile("test/t", "mono_sandbox", "mono_sandbox", "");
	assert_code(NULL, monime_request(m, "PUT", MONO_ACCOUNT, NULL, "{}",
	    2, NULL), MONIME_EINVAL);
	monime_close(m);
}

static void
test_key_where_none_is_honoured_is_refused(void **state)
{
	static const char *const headers[] = { "Idempotency-Key: k", NULL };
	static const struct {
		const char *server;
		const char *method;
	} rows[] = {
		{ "monime", "GET" }, { "monime", "HEAD" }, { "monime", "PUT" },
		{ "monime", "PATCH" }, { "monime", "DELETE" },
		{ "mono_sandbox", "GET" }, { "mono_sandbox", "DELETE" },
	};
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].method;
		m = open_profile("test/t", rows[i].server,
		    is_mono(rows[i].server) ? "mono_sandbox" : "test", "");
		assert_code(NULL, monime_request(m, rows[i].method,
		    "/v1/bank_accounts/x", headers, NULL, 0, NULL),
		    MONIME_EINVAL);
		monime_close(m);
	}
	assert_silence();
}

static void
try_key_length(const char *server, size_t len, int code)
{
	struct monime *m = open_profile("test/t", server,
	    is_mono(server) ? "mono_sandbox" : "test", PLAIN);
	char line[512] = "Idempotency-Key: ";
	const char *headers[] = { line, NULL };
	size_t n = strlen(line);
	char name[64];

	(void)snprintf(name, sizeof(name), "%s: %zu", server, len);
	row = name;
	memset(line + n, 'k', len);
	line[n + len] = '\0';
	assert_code(NULL, monime_request(m, "POST", is_mono(server) ?
	    "/v1/transfers" : PAYOUTS, headers, "{}", 2, NULL), code);
	monime_close(m);
}

static void
test_key_is_as_long_as_the_provider_takes(void **state)
{
	(void)state;
	try_key_length("monime", 64, MONIME_OK);
	try_key_length("monime", 65, MONIME_EINVAL);
	try_key_length("mono_sandbox", 255, MONIME_OK);
	try_key_length("mono_sandbox", 256, MONIME_EINVAL);
}

static void
test_mono_key_has_its_own_name(void **state)
{
	struct monime *m = open_profile("test/t", "mono_sandbox",
	    "mono_sandbox", "");
	static const char *const methods[] = { "POST", "PUT", "PATCH" };
	struct monime_call *call;
	struct json_object *log, *one;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(methods); i++) {
		row = methods[i];
		assert_code(call, monime_request(m, methods[i], i == 0 ?
		    "/v1/transfers" : MONO_ACCOUNT, NULL, "{}", 2, &call),
		    MONIME_OK);
		assert_row(is_uuid4(monime_call_get(call, "idempotency-key")));
		log = sandbox_log(sandbox);
		one = sandbox_logged(log, "mono_sandbox", -1);
		assert_header(one, "X-Idempotency-Key",
		    monime_call_get(call, "idempotency-key"));
		assert_header(one, "Idempotency-Key", NULL);
		json_object_put(log);
		monime_call_free(call);
	}
	monime_close(m);
}

/* The environment, before the first write. */

static void
test_environment_is_confirmed_once_before_writes(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	struct json_object *log;

	(void)state;
	/* A read needs none. */
	assert_code(NULL, get(m, ACCOUNT, NULL), MONIME_OK);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	assert_code(call, post(m, &call), MONIME_OK);
	assert_fact(call, "environment", "test");
	assert_fact(call, "attempts", "1");
	monime_call_free(call);
	assert_code(call, post(m, &call), MONIME_OK);
	monime_call_free(call);
	assert_code(NULL, monime_request(m, "DELETE", ACCOUNT, NULL, NULL, 0,
	    NULL), MONIME_OK);
	log = sandbox_log(sandbox);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 5);
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 1),
	    "target"), "/");
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 1),
	    "method"), "GET");
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 2),
	    "method"), "POST");
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 3),
	    "method"), "POST");
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 4),
	    "method"), "DELETE");
	json_object_put(log);
	monime_close(m);
	/* Once for each handle. */
	m = open_named("test/t");
	assert_code(call, post(m, &call), MONIME_OK);
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 7);
	monime_close(m);
}

static const struct {
	const char *name;
	const char *fault;
	int code;
} stops[] = {
	{ "the other environment", J({"path": "/", "json": {"status":
	    {"isAuthenticated": true, "environment": "live"}}}),
	    MONIME_EENVIRONMENT },
	{ "not authenticated", J({"path": "/", "json": {"status":
	    {"isAuthenticated": false, "environment": null}}}),
	    MONIME_EDENIED },
	{ "401", J({"path": "/", "status": 401}), MONIME_EDENIED },
	{ "403", J({"path": "/", "status": 403}), MONIME_EFORBIDDEN },
	{ "no environment", J({"path": "/", "json": {"status":
	    {"isAuthenticated": true, "environment": null}}}), MONIME_ENET },
	{ "text", J({"path": "/", "json": {"status":
	    {"isAuthenticated": "true", "environment": "test"}}}),
	    MONIME_ENET },
	{ "429", J({"path": "/", "status": 429, "times": -1}),
	    MONIME_ENET },
	{ "503", J({"path": "/", "status": 503, "times": -1}),
	    MONIME_ENET },
	{ "302", J({"path": "/", "redirect": "elsewhere"}), MONIME_ENET },
	{ "garbage", J({"path": "/", "garbage": true}), MONIME_ENET },
	{ "dropped before the status", J({"path": "/", "drop": "status",
	    "times": -1}), MONIME_ENET },
	{ "dropped in the body", J({"path": "/", "drop": "body",
	    "times": -1}), MONIME_ENET },
	{ "dropped when accepted", J({"server": "monime", "drop": "accept",
	    "times": -1}),
	    MONIME_ENET },
	{ "no answer", J({"path": "/", "hold": true}), MONIME_ENET },
};

/* It is a read like any other, and nothing of the write has left. */
static void
test_confirmation_is_tried_again_after_a_503(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	sandbox_reset(sandbox);
	sandbox_fault(sandbox, J({"path": "/", "status": 503}));
	m = open_test("");
	assert_code(call, post(m, &call), MONIME_OK);
	assert_fact(call, "attempts", "1");
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 3);
	assert_int_equal(sandbox_effects(sandbox), 1);
	monime_close(m);
}

/* An error of two lines is two lines of the log. */
static void
hear_line(void *data, int level, const char *line)
{
	int *n = data;

	if (level <= LOG_WARNING && strstr(line, "could not be") != NULL)
		(*n)++;
	assert_null(strchr(line, '\\'));
}

static void
test_unconfirmed_environment_stops_the_write(void **state)
{
	int lines;
	struct monime_call *call;
	struct json_object *log;
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(stops); i++) {
		row = stops[i].name;
		sandbox_reset(sandbox);
		sandbox_fault(sandbox, stops[i].fault);
		m = open_test("timeout = \"3 s\";");
		lines = 0;
		monime_set_log(m, LOG_DEBUG, hear_line, &lines);
		assert_code(call, post(m, &call), stops[i].code);
		assert_row((lines == 1) == (stops[i].code == MONIME_ENET));
		assert_fact(call, "attempts", "0");
		assert_fact(call, "executed", "no");
		/* The answer to the question is not the answer to the call. */
		assert_row(same(monime_call_body(call, NULL), ""));
		monime_call_free(call);
		log = sandbox_log(sandbox);
		assert_row(logged_count(log, "POST") == 0);
		assert_row(sandbox_effects(sandbox) == 0);
		json_object_put(log);
		/* One that the token test refused is benched. */
		if (stops[i].code == MONIME_EDENIED) {
			monime_close(m);
			continue;
		}
		/* It is asked again, and then it may go. */
		sandbox_reset(sandbox);
		assert_code(call, post(m, &call), MONIME_OK);
		monime_call_free(call);
		assert_row(sandbox_effects(sandbox) == 1);
		monime_close(m);
	}
	assert_int_equal(sandbox_connections(sandbox, "elsewhere"), 0);
}

static void
test_confirmation_and_write_have_one_deadline(void **state)
{
	struct monime *m = open_test("timeout = \"2 s\";");
	struct monime_call *call;
	int64_t began = now_ms(), took;

	(void)state;
	sandbox_fault(sandbox, J([{"path": "/v1", "hold": true},
	    {"path": "/", "delay": 1.6}]));
	assert_code(call, post(m, &call), MONIME_ELOST);
	took = now_ms() - began;
	assert_true(took >= 1990 && took < 1600 + 2000);
	monime_call_free(call);
	monime_close(m);
}

static void
test_live_write_is_confirmed_as_live(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	need_root();
	m = open_profile("live/t", "monime", "live", "");
	assert_code(call, post(m, &call), MONIME_OK);
	assert_fact(call, "environment", "live");
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 2);
	monime_close(m);
}

static void
test_mono_and_a_waived_confirmation_ask_nothing(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	m = open_profile("test/t", "mono_sandbox", "mono_sandbox", "");
	assert_code(call, monime_request(m, "POST", "/v1/transfers", NULL,
	    "{}", 2, &call), MONIME_OK);
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "mono_sandbox"), 1);
	monime_close(m);
	m = open_test(PLAIN);
	assert_code(call, post(m, &call), MONIME_OK);
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	monime_close(m);
}

static void
test_origin_address_is_compared(void **state)
{
	static const struct {
		const char *seen;	/* JSON */
		int code;
	} rows[] = {
		{ "\"2c0f:2a80:4ea:1f08:2c1b:e667:f921:ddcf\"", MONIME_OK },
		{ "\"2C0F:2A80:04EA:1F08:2C1B:E667:F921:DDCF\"", MONIME_OK },
		{ "\"192.0.2.7\"", MONIME_OK },
		{ "\"192.0.2.8\"", MONIME_EPOLICY },
		{ "\"2c0f::1\"", MONIME_EPOLICY },
		{ "\"\"", MONIME_EPOLICY },
		{ "null", MONIME_EPOLICY },
		{ "\"192.0.2.7 \"", MONIME_EPOLICY },
	};
	struct monime_call *call;
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].seen;
		sandbox_reset(sandbox);
		m = open_test("allow = { addresses = [\"192.0.2.7\","
		    " \"2c0f:2a80:04ea:1f08:2c1b:e667:f921:ddcf\"]; };");
		faultf("{\"path\": \"/\", \"json\": {\"status\":"
		    " {\"isAuthenticated\": true, \"environment\": \"test\"},"
		    " \"requestOrigin\": {\"country\": \"SL\","
		    " \"ipAddress\": %s}}}", rows[i].seen);
		assert_code(call, post(m, &call), rows[i].code);
		assert_fact(call, "executed",
		    rows[i].code == MONIME_OK ? "yes" : "no");
		monime_call_free(call);
		assert_row(sandbox_effects(sandbox) ==
		    (rows[i].code == MONIME_OK));
		monime_close(m);
	}
}

static void
test_no_credential_is_our_own_fault(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	(void)state;
	assert_code(call, get(m, ACCOUNT, &call), MONIME_ECONFIG);
	assert_string_not_equal(monime_call_error(call), "");
	monime_call_free(call);
	assert_code(call, post(m, &call), MONIME_ECONFIG);
	monime_call_free(call);
	assert_silence();
	monime_close(m);
}

/* monime_authorize() */

#define ALLOW	"allow = { methods = [\"GET\", \"POST\"];" \
		" paths = [\"/v1/payouts\", \"/v1/payouts/*\"," \
		" \"/v1/transfers\"]; };"

static int
authorize(struct monime *m, const char *method, const char *path,
    struct monime_call **call)
{
	char url[512];

	(void)snprintf(url, sizeof(url), "%s%s", monime_get(m, "origin"),
	    path);
	return monime_authorize(m, method, url, call);
}

static void
test_authorized_headers_are_exactly_these(void **state)
{
	struct monime *m = open_test(ALLOW "version = \"caph.2025-06-20\";");
	struct monime_call *call;
	const char *value;
	char want[128];

	(void)state;
	assert_code(call, authorize(m, "POST", "/v1/payouts/x?y=z", &call),
	    MONIME_OK);
	(void)snprintf(want, sizeof(want), "Bearer %s",
	    sandbox_token(sandbox, "test"));
	assert_string_equal(monime_call_header_at(call, 0, &value),
	    "Authorization");
	assert_string_equal(value, want);
	assert_string_equal(monime_call_header_at(call, 1, &value),
	    "Monime-Space-Id");
	assert_string_equal(value, "spc-sandbox");
	assert_string_equal(monime_call_header_at(call, 2, &value),
	    "Monime-Version");
	assert_string_equal(value, "caph.2025-06-20");
	assert_null(monime_call_header_at(call, 3, &value));
	assert_string_equal(monime_call_header(call, "authorization"), want);
	assert_fact(call, "environment", "test");
	assert_string_equal(monime_call_body(call, NULL), "");
	monime_call_free(call);
	/* Confirmed by the API, once. */
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	assert_code(call, authorize(m, "GET", "/v1/payouts", &call),
	    MONIME_OK);
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	assert_int_equal(sandbox_effects(sandbox), 0);
	monime_close(m);
}

static void
test_authorize_refuses_what_is_not_allowed(void **state)
{
	static const struct {
		const char *method;
		const char *path;
	} rows[] = {
		{ "DELETE", "/v1/payouts" }, { "get", "/v1/payouts" },
		{ "GET", "" }, { "GET", "/" }, { "GET", "/v1/payments" },
		{ "GET", "/v1/payoutsX" }, { "GET", "/v1/payouts/../x" },
		{ "GET", "/v1/payouts/%2e%2e/x" }, { "GET", "/v1//payouts" },
		{ "GET", "/v1/payouts#x" }, { "GET", "/v1/payouts/x;y" },
		{ "GET", "/v1/payouts/%2Fx" }, { "GET", "/v1/%70ayouts" },
		{ "GET", "/v1/payouts/ x" }, { "GET", ".evil.org/v1/payouts" },
		{ "GET", "@evil.org/v1/payouts" }, { "GET", "0/v1/payouts" },
		{ "GET", ":1/v1/payouts" }, { "GET", "?/v1/payouts" },
	};
	static const char *const urls[] = {
		"", "/v1/payouts", "https://evil.org/v1/payouts",
		"HTTPS://localhost/v1/payouts", "http://localhost/v1/payouts",
		"https://localhost/v1/payouts",
		"https://x@localhost/v1/payouts", "https:/v1/payouts",
	};
	struct monime *m = open_test(ALLOW);
	struct monime_call *call;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].path;
		assert_code(call, authorize(m, rows[i].method, rows[i].path,
		    &call), MONIME_EPOLICY);
		assert_row(monime_call_header_at(call, 0, NULL) == NULL);
		assert_row(monime_call_header(call, "Authorization") == NULL);
		monime_call_free(call);
	}
	for (i = 0; i < ROWS(urls); i++) {
		row = urls[i];
		assert_code(call, monime_authorize(m, "GET", urls[i], &call),
		    MONIME_EPOLICY);
		assert_row(monime_call_header_at(call, 0, NULL) == NULL);
		monime_call_free(call);
	}
	row = "NULL";
	assert_code(NULL, monime_authorize(m, NULL, urls[0], NULL),
	    MONIME_EINVAL);
	assert_code(NULL, monime_authorize(m, "GET", NULL, NULL),
	    MONIME_EINVAL);
	assert_silence();
	monime_close(m);
}

static void
test_authorize_needs_methods_and_paths(void **state)
{
	static const char *const incomplete[] = {
		"", "allow = { methods = [\"GET\"]; };",
		"allow = { paths = [\"/v1/payouts\"]; };",
	};
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(incomplete); i++) {
		row = incomplete[i];
		m = open_test(incomplete[i]);
		assert_code(NULL, authorize(m, "GET", "/v1/payouts", NULL),
		    MONIME_EPOLICY);
		monime_close(m);
	}
	row = "no credential";
	m = open_profile("test/t", "monime", NULL, ALLOW);
	assert_code(NULL, authorize(m, "GET", "/v1/payouts", NULL),
	    MONIME_ECONFIG);
	monime_close(m);
	assert_silence();
}

/* Also where it refuses, so that a host can ask before there is a request. */
static void
test_authorize_tells_its_terms(void **state)
{
	static const struct {
		const char *provider;
		const char *lines;
		const char *accept;
		const char *allow;
	} rows[] = {
		{ "monime", "", "space", "no" },
		{ "monime", ALLOW, "space", "yes" },
		{ "monime", "allow = { methods = [\"GET\"]; };", "space",
		    "no" },
		{ "monime", ALLOW "check = { accept = \"any\"; };", "any",
		    "yes" },
		{ "mono_sandbox", "allow = { paths = [\"/v1/payouts\"]; };"
		    "check = { accept = \"path\"; path = \"/v1/x\"; };",
		    "path", "no" },
	};
	struct monime_call *call;
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].lines;
		m = open_profile("test/t", rows[i].provider, NULL,
		    rows[i].lines);
		assert_code(call, monime_authorize(m, "", "", &call),
		    MONIME_EPOLICY);
		assert_string_equal(monime_call_get(call, "accept"),
		    rows[i].accept);
		assert_string_equal(monime_call_get(call, "allow"),
		    rows[i].allow);
		monime_call_free(call);
		monime_close(m);
	}
	assert_silence();
}

static void
test_authorize_hands_out_nothing_unconfirmed(void **state)
{
	struct monime_call *call;
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(stops); i++) {
		row = stops[i].name;
		sandbox_reset(sandbox);
		sandbox_fault(sandbox, stops[i].fault);
		m = open_test(ALLOW "timeout = \"500 ms\";");
		/* Even for a read: somebody else sends it. */
		assert_code(call, authorize(m, "GET", "/v1/payouts", &call),
		    stops[i].code);
		assert_row(monime_call_header_at(call, 0, NULL) == NULL);
		assert_row(monime_call_header(call, "Authorization") == NULL);
		monime_call_free(call);
		monime_close(m);
	}
}

static void
test_mono_is_authorized_without_asking(void **state)
{
	struct monime *m = open_profile("test/t", "mono_sandbox",
	    "mono_sandbox", ALLOW);
	struct monime_call *call;
	const char *value;
	char want[128];

	(void)state;
	assert_code(call, authorize(m, "POST", "/v1/transfers", &call),
	    MONIME_OK);
	(void)snprintf(want, sizeof(want), "Bearer %s",
	    sandbox_token(sandbox, "mono_sandbox"));
	assert_string_equal(monime_call_header_at(call, 0, &value),
	    "Authorization");
	assert_string_equal(value, want);
	assert_null(monime_call_header_at(call, 1, &value));
	monime_call_free(call);
	assert_silence();
	monime_close(m);
}

static void
count_line(void *data, int level, const char *line)
{
	int *n = data;

	if (level <= LOG_WARNING && strstr(line, "401") != NULL)
		(*n)++;
}

static void
test_report_of_a_refusal_is_said(void **state)
{
	struct monime *m = open_test(ALLOW);
	struct monime_call *call;
	int n = 0;

	(void)state;
	monime_set_log(m, LOG_WARNING, count_line, &n);
	assert_code(call, authorize(m, "POST", "/v1/payouts", &call),
	    MONIME_OK);
	monime_call_report(call, 200);
	assert_int_equal(n, 0);
	monime_call_report(call, 401);
	assert_int_equal(n, 1);
	assert_int_equal(monime_call_status(call), 401);
	monime_call_free(call);
	/* There is nothing to report of these. */
	monime_call_report(NULL, 401);
	assert_code(call, authorize(m, "POST", "/v1/other", &call),
	    MONIME_EPOLICY);
	monime_call_report(call, 401);
	monime_call_free(call);
	assert_int_equal(n, 1);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mishaps_of_a_read),
		TEST(test_mishaps_of_a_keyed_write),
		TEST(test_mishaps_of_an_unkeyed_write),
		TEST(test_never_connected_is_enet_after_all_attempts),
		TEST(test_enet_after_an_unknown_attempt_is_elost),
		TEST(test_elimit_after_an_unknown_attempt_is_elost),
		TEST(test_refusal_after_an_unknown_attempt_leaves_it_unknown),
		TEST(test_success_after_a_connection_that_never_was_is_success),
		TEST(test_retry_after_is_waited_for),
		TEST(test_attempts_are_those_of_the_profile),
		TEST(test_bucket_ends_the_retries_of_a_handle),
		TEST(test_kept_connection_that_dies_costs_nothing_twice),
		TEST(test_kept_connection_that_was_closed_is_no_mishap),
		TEST(test_dead_connection_and_then_none_is_elost),
		TEST(test_dead_connection_and_then_a_429_is_elost),
		TEST(test_reads_share_a_connection_and_unkeyed_writes_do_not),
		TEST(test_paths_with_two_meanings_never_leave),
		TEST(test_paths_arrive_byte_for_byte),
		TEST(test_longest_path_arrives_and_a_longer_one_does_not_leave),
		TEST(test_other_methods_never_leave),
		TEST(test_methods_arrive),
		TEST(test_methods_take_turns_on_one_handle),
		TEST(test_other_headers_never_leave),
		TEST(test_head_of_a_read_is_exactly_this),
		TEST(test_head_of_a_write_with_all_headers_is_exactly_this),
		TEST(test_head_of_a_mono_write_is_exactly_this),
		TEST(test_write_without_a_body_names_no_type),
		TEST(test_mono_takes_no_header_of_monime),
		TEST(test_allow_refuses_before_anything_is_sent),
		TEST(test_empty_allow_allows_nothing),
		TEST(test_allowed_space_replaces_the_own),
		TEST(test_answers_that_pass_a_limit),
		TEST(test_largest_answer_arrives_whole),
		TEST(test_slow_drip_ends_at_the_deadline),
		TEST(test_stalled_connection_ends_at_its_timeout),
		TEST(test_empty_answers_of_success_are_success),
		TEST(test_answer_is_handed_on),
		TEST(test_head_has_headers_and_no_body),
		TEST(test_bodies_arrive_byte_for_byte),
		TEST(test_error_of_monime_has_its_facts),
		TEST(test_error_of_mono_has_its_facts),
		TEST(test_mono_is_retried_after_its_own_statuses),
		TEST(test_words_of_odd_form_are_left_out),
		TEST(test_key_is_made_told_and_sent),
		TEST(test_own_key_is_sent_and_replayed),
		TEST(test_key_that_nobody_would_learn_is_refused),
		TEST(test_key_where_none_is_honoured_is_refused),
		TEST(test_key_is_as_long_as_the_provider_takes),
		TEST(test_mono_key_has_its_own_name),
		TEST(test_environment_is_confirmed_once_before_writes),
		TEST(test_confirmation_is_tried_again_after_a_503),
		TEST(test_unconfirmed_environment_stops_the_write),
		TEST(test_confirmation_and_write_have_one_deadline),
		TEST(test_live_write_is_confirmed_as_live),
		TEST(test_mono_and_a_waived_confirmation_ask_nothing),
		TEST(test_origin_address_is_compared),
		TEST(test_no_credential_is_our_own_fault),
		TEST(test_authorized_headers_are_exactly_these),
		TEST(test_authorize_refuses_what_is_not_allowed),
		TEST(test_authorize_needs_methods_and_paths),
		TEST(test_authorize_tells_its_terms),
		TEST(test_authorize_hands_out_nothing_unconfirmed),
		TEST(test_mono_is_authorized_without_asking),
		TEST(test_report_of_a_refusal_is_said),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
