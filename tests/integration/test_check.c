/* SPDX-License-Identifier: MIT */

/*
 * monime_check_token() and monime_check_credential() against the sandbox: what
 * is not said outright is no yes, and nobody but the right one is let in.
 */

#include "common.h"

#define YES	"{\"status\":{\"isAuthenticated\":true," \
		"\"environment\":\"test\"}}"

/* Check a token of the sandbox, by name. */
static int
check(struct monime *m, const char *token, struct monime_call **call)
{
	const char *s = sandbox_token(sandbox, token);

	return monime_check_token(m, s, strlen(s), call);
}

static const char *
fingerprint_of(const char *token)
{
	static char text[MONIME_FINGERPRINT_SIZE];
	const char *s = sandbox_token(sandbox, token);

	assert_int_equal(monime_fingerprint(s, strlen(s), text,
	    sizeof(text)), MONIME_OK);
	return text;
}

/* The same profile again, by a handle that remembers nothing. */
static struct monime *
anew(struct monime *m)
{
	char name[80];

	(void)snprintf(name, sizeof(name), "%s", monime_get(m, "profile"));
	monime_close(m);
	return open_named(name);
}

/* Nobody knows: which must never read as a yes, nor as the bearer's fault. */
static void
assert_unknown(int code)
{
	assert_row(code != MONIME_OK);
	assert_row(code != MONIME_EDENIED && code != MONIME_EFORBIDDEN &&
	    code != MONIME_EENVIRONMENT);
	assert_row(monime_http_status(code) == 503);
}

/* The documented answer to a bad token, whatever its status. */

static void
refuse_with_status(const char *setting, int status)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	sandbox_setting(sandbox, setting);
	assert_code(call, check(m, "revoked_test", &call), MONIME_EDENIED);
	assert_int_equal(monime_call_status(call), status);
	assert_fact(call, "source", "network");
	assert_fact(call, "environment", NULL);
	assert_fact(call, "fingerprint", NULL);
	assert_string_not_equal(monime_call_error(call), "");
	/* Whoever was refused is not asked for more. */
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	monime_call_free(call);
	monime_close(m);
}

static void
test_bad_token_answered_with_200_is_denied(void **state)
{
	(void)state;
	refuse_with_status(J({"unauthenticated_status": 200}), 200);
}

static void
test_bad_token_answered_with_401_is_denied(void **state)
{
	(void)state;
	refuse_with_status(J({"unauthenticated_status": 401}), 401);
}

static void
test_good_token_is_accepted_by_the_simplest_answer(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	(void)state;
	/* What the tables of odd answers below differ from. */
	fault_text("/", 200, YES);
	assert_code(call, check(m, "test", &call), MONIME_OK);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 2);
	monime_call_free(call);
	monime_close(m);
}

#define STATUS(members)	"{\"status\":{" members "}}"
#define AUTH(value)	STATUS("\"isAuthenticated\":" value \
			    ",\"environment\":\"test\"")
#define ENV(value)	STATUS("\"isAuthenticated\":true,\"environment\":" \
			    value)
#define DEEP		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
#define PEED		"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"

static const char *const odd_bodies[] = {
	/* The wrong type. */
	AUTH("\"true\""), AUTH("\"false\""), AUTH("\"\""), AUTH("1"),
	AUTH("0"), AUTH("1.0"), AUTH("null"), AUTH("[true]"), AUTH("{}"),
	AUTH("{\"value\":true}"),
	/* In the wrong place, or not there. */
	"", " ", "true", "null", "[]", "{}", "\"true\"",
	"{\"status\":null}", "{\"status\":true}", "{\"status\":[true]}",
	"{\"isAuthenticated\":true,\"environment\":\"test\"}",
	"[" YES "]", "{\"result\":" YES "}",
	STATUS("\"environment\":\"test\""),
	STATUS("\"IsAuthenticated\":true,\"environment\":\"test\""),
	STATUS("\"isAuthenticated \":true,\"environment\":\"test\""),
	STATUS("\"isAuthenticated\\u0000\":true,\"environment\":\"test\""),
	/* No environment that anybody has heard of. */
	STATUS("\"isAuthenticated\":true"),
	ENV("null"), ENV("\"\""), ENV("\"TEST\""), ENV("\"Test\""),
	ENV("\"test \""), ENV("\" test\""), ENV("\"test\\u0000\""),
	ENV("\"test\\u0000live\""), ENV("\"\\u0000test\""), ENV("\"tes\""),
	ENV("\"tests\""), ENV("\"staging\""), ENV("[\"test\"]"), ENV("true"),
	ENV("1"), ENV("{\"name\":\"test\"}"), ENV("\"te\\u0455t\""),
	/* Twice: which one holds, nobody says. */
	AUTH("false,\"isAuthenticated\":true"),
	AUTH("true,\"isAuthenticated\":false"),
	AUTH("true,\"isAuthenticated\":true"),
	AUTH("false,\"isAuthenticate\\u0064\":true"),
	ENV("\"live\",\"environment\":\"test\""),
	ENV("\"live\",\"environmen\\u0074\":\"test\""),
	"{\"status\":{\"isAuthenticated\":false,\"environment\":\"test\"},"
	    "\"status\":{\"isAuthenticated\":true,\"environment\":\"test\"}}",
	"{\"status\":{\"environment\":\"live\"},"
	    "\"status\":{\"isAuthenticated\":true,\"environment\":\"test\"}}",
	"{\"status\":{\"isAuthenticated\":true,\"environment\":\"test\"},"
	    "\"status\":{}}",
	/* Cut, or followed by more. */
	"{\"status\":{\"isAuthenticated\":true,\"environment\":\"test\"",
	"{\"status\":{\"isAuthenticated\":true,\"environment\":\"test\"}",
	"{\"status\":{\"isAuthenticated\":true,\"environment\":\"test\"}]",
	YES "x", YES "}", YES ",", YES YES, YES "\n" YES, YES " null",
	YES "//", YES "/* */", YES "\\u0000",
	/* Almost JSON. */
	"{'status':{'isAuthenticated':true,'environment':'test'}}",
	"{\"status\":{'isAuthenticated':true,\"environment\":\"test\"}}",
	ENV("'test'"), AUTH("True"), AUTH("TRUE"), AUTH("tRUE"),
	AUTH("true,"), STATUS("isAuthenticated:true,environment:\"test\""),
	STATUS("\"isAuthenticated\":true,\"environment\":\"test\","),
	"{\"status\":{\"isAuthenticated\":true,\"environment\":\"test\"},}",
	"{\"status\"={\"isAuthenticated\":true,\"environment\":\"test\"}}",
	"/* */" YES, "//\n" YES, "\xef\xbb\xbf" YES, ")]}'\n" YES,
	"callback(" YES ")", "<html>" YES "</html>",
	"{\"n\":NaN,\"status\":{\"isAuthenticated\":true,"
	    "\"environment\":\"test\"}}",
	"{\"n\":Infinity,\"status\":{\"isAuthenticated\":true,"
	    "\"environment\":\"test\"}}",
	"{\"n\":01,\"status\":{\"isAuthenticated\":true,"
	    "\"environment\":\"test\"}}",
	"{\"n\":" DEEP PEED ",\"status\":{\"isAuthenticated\":true,"
	    "\"environment\":\"test\"}}",
};

static void
test_odd_json_is_unknown(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < ROWS(odd_bodies); i++) {
		row = odd_bodies[i];
		m = anew(m);
		fault_text("/", 200, odd_bodies[i]);
		/* A token that is good: its path would open. */
		r = check(m, "test", &call);
		assert_unknown(r);
		assert_code(call, r, MONIME_EPROTO);
		assert_fact(call, "environment", NULL);
		assert_fact(call, "fingerprint", NULL);
		assert_row(monime_call_body(call, NULL)[0] == '\0');
		monime_call_free(call);
	}
	/* None of them was followed by a second question. */
	assert_int_equal(sandbox_requests(sandbox, "monime"), ROWS(odd_bodies));
	monime_close(m);
}

static void
test_odd_bytes_are_unknown(void **state)
{
	/* base64 of YES and: a NUL; another YES behind a NUL; */
	static const char *const bodies[] = {
		"eyJzdGF0dXMiOnsiaXNBdXRoZW50aWNhdGVkIjp0cnVlLCJlbnZpcm9ubWVud"
		    "CI6InRlc3QifX0A",
		"eyJzdGF0dXMiOnsiaXNBdXRoZW50aWNhdGVkIjp0cnVlLCJlbnZpcm9ubWVud"
		    "CI6InRlc3QifX0AeyJzdGF0dXMiOnt9fQ==",
		/* a NUL in front; {"a":"\xff", "status": ...}; UTF-16. */
		"AHsic3RhdHVzIjp7ImlzQXV0aGVudGljYXRlZCI6dHJ1ZSwiZW52aXJvbm1lb"
		    "nQiOiJ0ZXN0In19",
		"eyJhIjoi/yIsInN0YXR1cyI6eyJpc0F1dGhlbnRpY2F0ZWQiOnRydWUsImVud"
		    "mlyb25tZW50IjoidGVzdCJ9fQ==",
		"//57AH0A",
	};
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < ROWS(bodies); i++) {
		row = bodies[i];
		m = anew(m);
		faultf("{\"path\": \"/\", \"body_base64\": \"%s\"}", bodies[i]);
		r = check(m, "test", NULL);
		assert_unknown(r);
		assert_code(NULL, r, MONIME_EPROTO);
	}
	monime_close(m);
}

static void
test_unknown_fields_and_nulls_are_no_reason_to_refuse(void **state)
{
	static const char *const bodies[] = {
		YES, " \r\n\t" YES "\r\n\t ",
		"{\"platform\":\"M \xe2\x93\x82\",\"status\":{\"environment\":"
		    "\"test\",\"isAuthenticated\":true,\"more\":[1,{}]},"
		    "\"apiVersion\":null,\"requestOrigin\":null,\"x\":{}}",
		"{\"status\":{\"environment\":\"test\",\"isAuthenticated\":"
		    "true},\"apiVersion\":7,\"requestOrigin\":\"here\"}",
		/* An apostrophe, a colon and equal keys of two objects. */
		"{\"tagline\":\"It's: \\\"here\\\"\",\"other\":{\"status\":"
		    "\"up\",\"environment\":\"x\"},\"status\":{\"environment\":"
		    "\"test\",\"isAuthenticated\":true}}",
	};
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(bodies); i++) {
		row = bodies[i];
		m = anew(m);
		fault_text("/", 200, bodies[i]);
		assert_code(call, check(m, "test", &call), MONIME_OK);
		assert_fact(call, "environment", "test");
		assert_fact(call, "api-version", NULL);
		assert_fact(call, "api-deprecated", NULL);
		assert_fact(call, "origin-country", NULL);
		monime_call_free(call);
	}
	monime_close(m);
}

static int
code_of_status(int status)
{
	if (status == 401)
		return MONIME_EDENIED;
	if (status == 403)
		return MONIME_EFORBIDDEN;
	if (status == 429)
		return MONIME_ELIMIT;
	return status >= 400 && status <= 599 ? MONIME_EHTTP : MONIME_EPROTO;
}

static void
test_other_status_with_a_yes_in_its_body_is_no_yes(void **state)
{
	static const int statuses[] = {
		201, 202, 203, 204, 206, 226, 299, 300, 301, 302, 303, 304,
		307, 308, 400, 401, 403, 404, 405, 408, 409, 418, 422, 429,
		451, 500, 501, 502, 503, 504, 599, 600, 999
	};
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;
	char name[16];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(statuses); i++) {
		(void)snprintf(name, sizeof(name), "%d", statuses[i]);
		row = name;
		m = anew(m);
		fault_text("/", statuses[i], YES);
		assert_code(call, check(m, "test", &call),
		    code_of_status(statuses[i]));
		assert_row(monime_call_status(call) == statuses[i]);
		assert_fact(call, "fingerprint", NULL);
		monime_call_free(call);
	}
	assert_int_equal(sandbox_requests(sandbox, "monime"), ROWS(statuses));
	row = "";
	monime_close(m);
}

static void
test_path_opens_with_2xx_alone(void **state)
{
	static const struct {
		int status;
		int code;
	} rows[] = {
		{ 200, MONIME_OK }, { 201, MONIME_OK }, { 204, MONIME_OK },
		{ 301, MONIME_EPROTO }, { 302, MONIME_EPROTO },
		{ 304, MONIME_EPROTO }, { 400, MONIME_EHTTP },
		{ 401, MONIME_EDENIED }, { 403, MONIME_EFORBIDDEN },
		{ 404, MONIME_EHTTP }, { 429, MONIME_ELIMIT },
		{ 500, MONIME_EHTTP }, { 503, MONIME_EHTTP },
		{ 999, MONIME_EPROTO },
	};
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;
	char name[16];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		(void)snprintf(name, sizeof(name), "%d", rows[i].status);
		row = name;
		m = anew(m);
		faultf("{\"path\": \"/v1/financial-accounts?limit=1\","
		    " \"status\": %d}", rows[i].status);
		assert_code(call, check(m, "test", &call), rows[i].code);
		assert_row(monime_call_status(call) == rows[i].status);
		monime_call_free(call);
	}
	monime_close(m);
}

/* Who is let in. */

static void
test_stranger_with_a_valid_token_is_refused_for_our_space(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct json_object *log, *one;
	struct monime_call *call;

	(void)state;
	assert_code(call, check(m, "stranger_test", &call), MONIME_EFORBIDDEN);
	assert_int_equal(monime_call_status(call), 403);
	assert_fact(call, "fingerprint", NULL);
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "monime", 1);
	assert_string_equal(sandbox_text(one, "target"),
	    "/v1/financial-accounts?limit=1");
	assert_header(one, "Monime-Space-Id", "spc-sandbox");
	assert_string_equal(sandbox_text(one, "token"), "stranger_test");
	json_object_put(log);
	monime_call_free(call);
	monime_close(m);
}

static void
keep_line(void *data, int level, const char *line)
{
	char *text = data;

	(void)level;
	strncat(text, line, 4095 - strlen(text));
	strncat(text, "\n", 4095 - strlen(text));
}

static void
test_any_lets_a_stranger_in_and_is_warned_of(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL,
	    "check = { accept = \"any\"; };");
	char lines[4096] = "";
	struct monime_call *call;

	(void)state;
	monime_set_log(m, LOG_WARNING, keep_line, lines);
	assert_non_null(strstr(lines, "any"));
	assert_code(call, check(m, "stranger_test", &call), MONIME_OK);
	assert_fact(call, "fingerprint", fingerprint_of("stranger_test"));
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	monime_call_free(call);
	monime_close(m);
}

static void
test_any_still_refuses_a_bad_token(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL,
	    "check = { accept = \"any\"; };");

	(void)state;
	assert_code(NULL, check(m, "revoked_test", NULL), MONIME_EDENIED);
	monime_close(m);
}

static void
test_token_without_the_permission_is_forbidden(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	(void)state;
	assert_code(call, check(m, "limited_test", &call), MONIME_EFORBIDDEN);
	monime_call_free(call);
	sandbox_setting(sandbox,
	    J({"test_mode_unsupported": ["/v1/financial-accounts"]}));
	assert_code(call, check(m, "test", &call), MONIME_EFORBIDDEN);
	monime_call_free(call);
	monime_close(m);
}

static void
test_own_path_is_asked_where_it_is_set(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL,
	    "check = { path = \"/v1/financial-accounts/fac-sandbox\"; };");
	struct json_object *log;

	(void)state;
	assert_code(NULL, check(m, "limited_test", NULL), MONIME_OK);
	assert_code(NULL, check(m, "stranger_test", NULL), MONIME_EFORBIDDEN);
	log = sandbox_log(sandbox);
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 1),
	    "target"), "/v1/financial-accounts/fac-sandbox");
	json_object_put(log);
	monime_close(m);
}

#define OBJECT	"check = { accept = \"path\";" \
		" path = \"/v1/bank_accounts/bac_sandbox\"; };"

static void
test_mono_key_of_ours_opens_our_object(void **state)
{
	struct monime *m = open_profile("test/t", "mono_sandbox", NULL,
	    OBJECT);
	struct json_object *log, *one;
	struct monime_call *call;

	(void)state;
	assert_code(call, check(m, "mono_sandbox", &call), MONIME_OK);
	assert_fact(call, "environment", "test");
	assert_fact(call, "source", "network");
	assert_fact(call, "fingerprint", fingerprint_of("mono_sandbox"));
	monime_call_free(call);
	log = sandbox_log(sandbox);
	assert_int_equal(logged_count(log, "GET"), 1);
	one = sandbox_logged(log, "mono_sandbox", 0);
	assert_string_equal(sandbox_text(one, "target"),
	    "/v1/bank_accounts/bac_sandbox");
	assert_header(one, "Monime-Space-Id", NULL);
	json_object_put(log);
	monime_close(m);
}

static void
test_mono_stranger_is_never_let_in(void **state)
{
	struct monime *m = open_profile("test/t", "mono_sandbox", NULL,
	    OBJECT);
	struct monime_call *call;

	(void)state;
	assert_int_not_equal(check(m, "mono_stranger", &call), MONIME_OK);
	assert_fact(call, "fingerprint", NULL);
	monime_call_free(call);
	/* A live key, and nonsense: the sandbox origin knows neither. */
	assert_code(NULL, check(m, "mono_production", NULL), MONIME_EDENIED);
	assert_code(NULL, monime_check_token(m, "nonsense", 8, NULL),
	    MONIME_EDENIED);
	sandbox_revoke(sandbox, "mono_sandbox");
	assert_code(NULL, check(m, "mono_sandbox", NULL), MONIME_EDENIED);
	monime_close(m);
}

/* The environment guard. */

static void
test_live_token_in_a_test_profile_is_sent_nowhere(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	(void)state;
	assert_code(call, check(m, "live", &call), MONIME_EENVIRONMENT);
	assert_fact(call, "source", "local");
	assert_fact(call, "fingerprint", NULL);
	assert_int_equal(monime_call_status(call), 0);
	assert_null(strstr(monime_call_error(call), "canary"));
	monime_call_free(call);
	assert_code(NULL, check(m, "stranger_live", NULL),
	    MONIME_EENVIRONMENT);
	assert_silence();
	monime_close(m);
}

static void
test_test_token_in_a_live_profile_is_sent_nowhere(void **state)
{
	struct monime *m;
	struct monime_call *call;

	(void)state;
	need_root();
	m = open_profile("live/t", "monime", NULL, "");
	assert_code(call, check(m, "test", &call), MONIME_EENVIRONMENT);
	assert_fact(call, "source", "local");
	monime_call_free(call);
	assert_silence();
	assert_code(call, check(m, "live", &call), MONIME_OK);
	assert_fact(call, "environment", "live");
	monime_call_free(call);
	m = anew(m);
	/* What is live by its prefix and test by the API's word is neither. */
	fault_text("/", 200, ENV("\"test\""));
	assert_code(call, check(m, "live", &call), MONIME_EENVIRONMENT);
	assert_fact(call, "environment", "test");
	monime_call_free(call);
	monime_close(m);
}

static void
test_api_that_names_the_other_environment_is_believed(void **state)
{
	struct monime *m = open_profile("test/t", "monime", "test", "");
	struct monime_call *call;

	(void)state;
	fault_text("/", 200, ENV("\"live\""));
	assert_code(call, check(m, "test", &call), MONIME_EENVIRONMENT);
	assert_fact(call, "environment", "live");
	assert_fact(call, "source", "network");
	assert_fact(call, "fingerprint", NULL);
	monime_call_free(call);
	fault_text("/", 200, ENV("\"live\""));
	assert_code(call, monime_check_credential(m, &call),
	    MONIME_EENVIRONMENT);
	monime_call_free(call);
	m = anew(m);
	/* A refusal stays one, whatever environment stands beside it. */
	fault_text("/", 200, STATUS("\"isAuthenticated\":false,"
	    "\"environment\":\"test\""));
	assert_code(NULL, check(m, "test", NULL), MONIME_EDENIED);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 3);
	monime_close(m);
}

static void
test_what_is_no_token_is_denied_without_asking(void **state)
{
	static const struct {
		const char *token;
		size_t len;
	} rows[] = {
		{ NULL, 0 }, { NULL, 5 }, { "", 0 }, { "mon_test_x", 0 },
		{ "x", 1 }, { "mon", 3 }, { "mon_", 4 }, { "mon_test_", 9 },
		{ "Mon_test_abcdef", 15 }, { "MON_TEST_abcdef", 15 },
		{ " mon_test_abcdef", 16 }, { "mon_test_abc def", 16 },
		{ "mon_test_abcdef ", 16 }, { "mon_test_abcdef\n", 16 },
		{ "mon_test_abcdef\r", 16 }, { "mon_test_abcdef\0", 16 },
		{ "mon_test_a\0bcdef", 16 }, { "mon_test_abc\tdef", 16 },
		{ "mon_test_a\r\nX: y", 16 }, { "mon_test_abc\x7f", 13 },
		{ "mon_test_abc\x80", 13 }, { "mon_test_\xc3\xa9\xc3\xa9", 13 },
		{ "Bearer mon_test_abcdef", 22 }, { "abcdef", 6 },
		{ "pk_test_abcdef", 14 },
	};
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;
	char *long_token;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].token != NULL ? rows[i].token : "NULL";
		assert_code(call, monime_check_token(m, rows[i].token,
		    rows[i].len, &call), MONIME_EDENIED);
		assert_fact(call, "source", "local");
		monime_call_free(call);
	}
	long_token = malloc(9 + 4097);
	assert_non_null(long_token);
	memset(long_token, 'x', 9 + 4097);
	memcpy(long_token, "mon_test_", 9);
	row = "4097 characters";
	assert_code(NULL, monime_check_token(m, long_token, 9 + 4097, NULL),
	    MONIME_EDENIED);
	assert_silence();
	/* The longest that may travel does. */
	row = "4096 characters";
	assert_code(NULL, monime_check_token(m, long_token, 9 + 4096, NULL),
	    MONIME_EDENIED);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	free(long_token);
	monime_close(m);
}

/* An outage is no verdict. */

static void
test_outage_is_unknown(void **state)
{
	static const struct {
		const char *name;
		const char *fault;
		int code;
	} rows[] = {
		{ "dropped when accepted", J({"drop": "accept"}), MONIME_ENET },
		{ "dropped in the handshake", J({"drop": "handshake"}),
		    MONIME_ENET },
		{ "no hello", J({"drop": "stall"}), MONIME_ENET },
		{ "dropped with the head", J({"drop": "request"}),
		    MONIME_ELOST },
		{ "dropped before the status", J({"drop": "status"}),
		    MONIME_ELOST },
		{ "dropped in the headers", J({"drop": "headers"}),
		    MONIME_ELOST },
		{ "cut in the status line",
		    J({"raw": "SFRUUC8xLjEgMjAwIE8="}), MONIME_ELOST },
		{ "cut behind a 1xx",
		    J({"raw": "SFRUUC8xLjEgMTAyIFByb2Nlc3NpbmcNCg0K"}),
		    MONIME_ELOST },
		{ "dropped in the body", J({"drop": "body"}), MONIME_ELOST },
		{ "reset", J({"reset": true}), MONIME_ELOST },
		{ "no answer", J({"hold": true}), MONIME_ELOST },
		{ "garbage", J({"garbage": true}), MONIME_EPROTO },
		{ "HTTP/0.9", J({"raw": "eyJ9Cg=="}), MONIME_EPROTO },
		{ "endless headers", J({"endless": "headers"}),
		    MONIME_EPROTO },
		{ "endless body", J({"endless": "body"}), MONIME_EPROTO },
		{ "endless 1xx", J({"endless": "1xx"}), MONIME_EPROTO },
		{ "redirected", J({"redirect": "elsewhere"}), MONIME_EPROTO },
		{ "length too long", J({"content_length": "99999"}),
		    MONIME_ELOST },
		{ "429", J({"status": 429}), MONIME_ELIMIT },
		{ "500", J({"status": 500}), MONIME_EHTTP },
		{ "503", J({"status": 503}), MONIME_EHTTP },
	};
	struct monime_call *call;
	struct monime *m;
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		sandbox_reset(sandbox);
		sandbox_fault(sandbox, rows[i].fault);
		m = open_profile("test/t", "monime", NULL, "connect_timeout = "
		    "\"300 ms\"; check = { timeout = \"600 ms\"; };");
		r = check(m, "test", &call);
		assert_unknown(r);
		assert_code(call, r, rows[i].code);
		assert_fact(call, "fingerprint", NULL);
		assert_row(monime_call_error(call)[0] != '\0');
		monime_call_free(call);
		sandbox_reset(sandbox);
		m = anew(m);
		/* And it is over when it is over. */
		assert_code(NULL, check(m, "test", NULL), MONIME_OK);
		monime_close(m);
	}
	assert_int_equal(sandbox_connections(sandbox, "elsewhere"), 0);
}

static void
test_refused_connection_is_unknown(void **state)
{
	struct monime *m = open_profile("test/t", "refused", NULL, "");
	struct monime_call *call;

	(void)state;
	assert_code(call, check(m, "test", &call), MONIME_ENET);
	assert_int_equal(monime_http_status(MONIME_ENET), 503);
	assert_int_equal(monime_call_status(call), 0);
	monime_call_free(call);
	monime_close(m);
}

static void
test_limit_tells_when_to_come_back(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J({"status": 429,
	    "headers": [["Retry-After", "7"]]}));
	assert_code(call, check(m, "test", &call), MONIME_ELIMIT);
	assert_fact(call, "retry-after", "7");
	assert_fact(call, "rate-limit", "token-limit");
	/* A check is asked once. */
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	monime_call_free(call);
	monime_close(m);
}

/* An answer that says yes and has exactly so many bytes. */
static void
fault_of_size(size_t size)
{
	static const char head[] = "{\"status\":{\"isAuthenticated\":true,"
	    "\"environment\":\"test\"},\"x\":\"";
	char *text = malloc(size + 1);

	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + size - 2, "\"}", 3);
	fault_text("/", 200, text);
	free(text);
}

static void
test_answer_beyond_64_kib_is_unknown(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL,
	    "max_answer = \"1 MiB\";");

	(void)state;
	fault_of_size(65536);
	assert_code(NULL, check(m, "test", NULL), MONIME_OK);
	m = anew(m);
	fault_of_size(65537);
	assert_code(NULL, check(m, "test", NULL), MONIME_EPROTO);
	m = anew(m);
	sandbox_fault(sandbox, J({"path": "/v1", "huge": 65537}));
	assert_code(NULL, check(m, "test", NULL), MONIME_EPROTO);
	m = anew(m);
	sandbox_fault(sandbox, J({"huge_headers": 80000}));
	assert_code(NULL, check(m, "test", NULL), MONIME_EPROTO);
	monime_close(m);
}

static void
test_check_timeout_is_kept(void **state)
{
	static const char *const faults[] = {
		J({"drip": {"bytes": 1, "every": 0.02}}),
		J({"hold": true}),
		/* The whole check, not each of its requests. */
		J([{"path": "/", "delay": 1.5},
		   {"path": "/v1", "delay": 1.5}]),
	};
	struct monime *m;
	int64_t began, took;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(faults); i++) {
		row = faults[i];
		sandbox_reset(sandbox);
		sandbox_fault(sandbox, faults[i]);
		m = open_profile("test/t", "monime", NULL,
		    "timeout = \"1 min\"; check = { timeout = \"2 s\"; };");
		began = now_ms();
		assert_code(NULL, check(m, "test", NULL), MONIME_ELOST);
		took = now_ms() - began;
		assert_row(took >= 1990 && took < 2 * 2000);
		monime_close(m);
	}
}

static void
test_host_check_timeout_is_kept(void **state)
{
	struct monime *m;
	int64_t began, took;

	(void)state;
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [\"test\", \"live\"];\nca_file = \"%s/ca.pem\";\n"
	    "check_timeout = \"300 ms\";\n", folder);
	m = open_profile("test/t", "monime", NULL, "");
	sandbox_fault(sandbox, J({"hold": true}));
	began = now_ms();
	assert_code(NULL, check(m, "test", NULL), MONIME_ELOST);
	took = now_ms() - began;
	assert_true(took >= 290 && took < 3 * 300);
	monime_close(m);
}

/* Facts. */

static void
test_accepted_token_has_its_facts(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;
	size_t len = 1;

	(void)state;
	assert_code(call, check(m, "test", &call), MONIME_OK);
	assert_int_equal(monime_call_result(call), MONIME_OK);
	assert_fact(call, "environment", "test");
	assert_fact(call, "source", "network");
	assert_fact(call, "api-version", "caph.2025-06-20");
	assert_fact(call, "api-release", "caph 2025-06-20");
	assert_fact(call, "api-deprecated", "no");
	assert_fact(call, "origin-country", "SL");
	assert_fact(call, "origin-address",
	    "2c0f:2a80:4ea:1f08:2c1b:e667:f921:ddcf");
	assert_fact(call, "fingerprint", fingerprint_of("test"));
	assert_fact(call, "no-such-fact", NULL);
	assert_non_null(monime_call_get(call, "request-id"));
	assert_int_equal(strncmp(monime_call_get(call, "request-id"),
	    "req-sandbox", 11), 0);
	assert_string_equal(monime_call_error(call), "");
	assert_null(monime_call_data(call));
	/* What the API says to a bearer is not ours to hand on. */
	assert_string_equal(monime_call_body(call, &len), "");
	assert_int_equal(len, 0);
	monime_call_free(call);
	monime_close(m);
}

static void
test_deprecated_version_is_told(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	(void)state;
	sandbox_setting(sandbox, J({"api_version_deprecated": true,
	    "api_version": "caph.2025-08-23", "origin_address": "192.0.2.7",
	    "origin_country": "CO"}));
	assert_code(call, check(m, "test", &call), MONIME_OK);
	assert_fact(call, "api-deprecated", "yes");
	assert_fact(call, "api-version", "caph.2025-08-23");
	assert_fact(call, "origin-address", "192.0.2.7");
	assert_fact(call, "origin-country", "CO");
	monime_call_free(call);
	monime_close(m);
}

static void
test_facts_of_odd_form_are_left_out(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	(void)state;
	fault_text("/", 200, "{\"status\":{\"isAuthenticated\":true,"
	    "\"environment\":\"test\"},\"apiVersion\":{\"id\":\"a b\\n\","
	    "\"release\":{\"name\":\"<x>\",\"date\":\"soon\"},"
	    "\"deprecated\":\"true\"},\"requestOrigin\":{\"country\":\"sl\","
	    "\"ipAddress\":\"1.2.3.4\\n\"}}");
	assert_code(call, check(m, "test", &call), MONIME_OK);
	assert_fact(call, "api-version", NULL);
	assert_fact(call, "api-release", NULL);
	assert_fact(call, "api-deprecated", NULL);
	assert_fact(call, "origin-country", NULL);
	assert_fact(call, "origin-address", NULL);
	monime_call_free(call);
	monime_close(m);
}

static void
test_call_may_be_null(void **state)
{
	struct monime *m = open_profile("test/t", "monime", "test", "");

	(void)state;
	assert_code(NULL, check(m, "test", NULL), MONIME_OK);
	assert_code(NULL, check(m, "revoked_test", NULL), MONIME_EDENIED);
	assert_code(NULL, check(m, "stranger_test", NULL), MONIME_EFORBIDDEN);
	assert_code(NULL, check(m, "live", NULL), MONIME_EENVIRONMENT);
	assert_code(NULL, monime_check_token(m, NULL, 0, NULL),
	    MONIME_EDENIED);
	assert_code(NULL, monime_check_credential(m, NULL), MONIME_OK);
	monime_close(m);
}

/* A presented token's check never uses the profile's own credential. */
static void
test_presented_token_travels_alone(void **state)
{
	struct monime *m = open_profile("test/t", "monime", "test", "");
	struct json_object *log;
	long i;

	(void)state;
	assert_code(NULL, monime_check_credential(m, NULL), MONIME_OK);
	assert_code(NULL, check(m, "stranger_test", NULL), MONIME_EFORBIDDEN);
	log = sandbox_log(sandbox);
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 0),
	    "token"), "test");
	for (i = 1; i <= 2; i++) {
		assert_string_equal(sandbox_text(sandbox_logged(log, "monime",
		    i), "token"), "stranger_test");
		/* Nor a connection that ours has used. */
		assert_int_not_equal(logged_number(sandbox_logged(log,
		    "monime", i), "connection"), logged_number(sandbox_logged(
		    log, "monime", 0), "connection"));
	}
	json_object_put(log);
	monime_close(m);
}

/* The profile's own credential. */

static void
test_own_credential_is_asked_for_each_time(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;

	(void)state;
	assert_code(call, monime_check_credential(m, &call), MONIME_OK);
	assert_fact(call, "environment", "test");
	assert_fact(call, "fingerprint", fingerprint_of("test"));
	assert_fact(call, "api-version", "caph.2025-06-20");
	assert_fact(call, "source", "network");
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	sandbox_revoke(sandbox, "test");
	assert_code(call, monime_check_credential(m, &call), MONIME_EDENIED);
	monime_call_free(call);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 2);
	monime_close(m);
}

static void
test_own_live_credential_is_confirmed(void **state)
{
	struct monime *m;
	struct monime_call *call;

	(void)state;
	need_root();
	m = open_profile("live/t", "monime", "live", "");
	assert_code(call, monime_check_credential(m, &call), MONIME_OK);
	assert_fact(call, "environment", "live");
	monime_call_free(call);
	monime_close(m);
}

static void
test_own_mono_credential_is_tried_on_our_object(void **state)
{
	struct monime *m = open_profile("test/t", "mono_sandbox",
	    "mono_sandbox", OBJECT);
	struct monime_call *call;

	(void)state;
	assert_code(call, monime_check_credential(m, &call), MONIME_OK);
	assert_fact(call, "environment", "test");
	assert_fact(call, "fingerprint", fingerprint_of("mono_sandbox"));
	monime_call_free(call);
	sandbox_revoke(sandbox, "mono_sandbox");
	assert_code(call, monime_check_credential(m, &call), MONIME_EDENIED);
	assert_fact(call, "reason", "invalid_token");
	monime_call_free(call);
	monime_close(m);
}

static void
test_no_credential_is_our_own_fault(void **state)
{
	struct monime *m = open_profile("test/t", "monime", NULL, "");
	struct monime_call *call;

	(void)state;
	assert_code(call, monime_check_credential(m, &call), MONIME_ECONFIG);
	assert_string_not_equal(monime_call_error(call), "");
	monime_call_free(call);
	assert_silence();
	monime_close(m);
}

static void
test_missing_space_or_path_is_our_own_fault(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	sandbox_write_file(folder, "test/t.conf", 0600,
	    "provider = \"monime\";\nbase_url = \"%s\";\n",
	    sandbox_origin(sandbox, "monime"));
	m = open_named("test/t");
	assert_code(call, check(m, "test", &call), MONIME_ECONFIG);
	assert_non_null(strstr(monime_call_error(call), "space"));
	assert_int_equal(monime_http_status(MONIME_ECONFIG), 500);
	monime_call_free(call);
	monime_close(m);

	m = open_profile("test/t", "mono_sandbox", "mono_sandbox", "");
	assert_code(call, check(m, "mono_sandbox", &call), MONIME_ECONFIG);
	assert_non_null(strstr(monime_call_error(call), "check.path"));
	monime_call_free(call);
	assert_code(call, monime_check_credential(m, &call), MONIME_ECONFIG);
	monime_call_free(call);
	monime_close(m);

	m = open_profile("test/t", "mono_sandbox", "mono_sandbox",
	    "check = { accept = \"any\"; };");
	assert_code(NULL, check(m, "mono_sandbox", NULL), MONIME_ECONFIG);
	monime_close(m);
	assert_silence();
}

static void
test_path_that_opens_to_everybody_is_refused_at_open(void **state)
{
	static const char *const paths[] = {
		"/v1/banks", "/v1/banks?limit=1", "/v1/banks/slb001",
		"/v1/momos", "/v1/countries", "/v1/provider-kyc/x"
	};
	struct monime *m;
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(paths); i++) {
		row = paths[i];
		(void)snprintf(text, sizeof(text),
		    "check = { path = \"%s\"; };", paths[i]);
		write_profile("test/t", "monime", NULL, text);
		assert_code(NULL, monime_open("test/t", folder, &m),
		    MONIME_ECONFIG);
		assert_row(strstr(monime_error(m), "check.path") != NULL);
		assert_code(NULL, check(m, "test", NULL), MONIME_ECONFIG);
		monime_close(m);
	}
	assert_silence();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_token_answered_with_200_is_denied),
		TEST(test_bad_token_answered_with_401_is_denied),
		TEST(test_good_token_is_accepted_by_the_simplest_answer),
		TEST(test_odd_json_is_unknown),
		TEST(test_odd_bytes_are_unknown),
		TEST(test_unknown_fields_and_nulls_are_no_reason_to_refuse),
		TEST(test_other_status_with_a_yes_in_its_body_is_no_yes),
		TEST(test_path_opens_with_2xx_alone),
		TEST(test_stranger_with_a_valid_token_is_refused_for_our_space),
		TEST(test_any_lets_a_stranger_in_and_is_warned_of),
		TEST(test_any_still_refuses_a_bad_token),
		TEST(test_token_without_the_permission_is_forbidden),
		TEST(test_own_path_is_asked_where_it_is_set),
		TEST(test_mono_key_of_ours_opens_our_object),
		TEST(test_mono_stranger_is_never_let_in),
		TEST(test_live_token_in_a_test_profile_is_sent_nowhere),
		TEST(test_test_token_in_a_live_profile_is_sent_nowhere),
		TEST(test_api_that_names_the_other_environment_is_believed),
		TEST(test_what_is_no_token_is_denied_without_asking),
		TEST(test_outage_is_unknown),
		TEST(test_refused_connection_is_unknown),
		TEST(test_limit_tells_when_to_come_back),
		TEST(test_answer_beyond_64_kib_is_unknown),
		TEST(test_check_timeout_is_kept),
		TEST(test_host_check_timeout_is_kept),
		TEST(test_accepted_token_has_its_facts),
		TEST(test_deprecated_version_is_told),
		TEST(test_facts_of_odd_form_are_left_out),
		TEST(test_call_may_be_null),
		TEST(test_presented_token_travels_alone),
		TEST(test_own_credential_is_asked_for_each_time),
		TEST(test_own_live_credential_is_confirmed),
		TEST(test_own_mono_credential_is_tried_on_our_object),
		TEST(test_no_credential_is_our_own_fault),
		TEST(test_missing_space_or_path_is_our_own_fault),
		TEST(test_path_that_opens_to_everybody_is_refused_at_open),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
