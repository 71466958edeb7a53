/* SPDX-License-Identifier: MIT */

/* answer.c: what is taken out of the APIs' JSON, and what is not believed. */

#include "unit.h"
#include "copies.h"

#include <json-c/json.h>

#include "answer.h"

/* Monime: "Quick Token Test", the three answers word for word. */

#define PLATFORM							\
	"\"platform\": \"Monime - \xe2\x93\x82\xef\xb8\x8f\",\n"	\
	"\"tagline\": \"APIs Beyond Payments "				\
	"\xe2\x9a\xa1\xef\xb8\x8f\xe2\x9a\x99\xef\xb8\x8f\xf0\x9f\x92\xb0" \
	"\xef\xb8\x8f\",\n"
#define ORIGIN								\
	"\"requestOrigin\": {\n"					\
	"  \"country\": \"SL\",\n"					\
	"  \"ipAddress\": \"2c0f:2a80:4ea:1f08:2c1b:e667:f921:ddcf\"\n" \
	"}\n"
#define API								\
	"\"apiVersion\": {\n"						\
	"  \"id\": \"caph.2025-06-20\",\n"				\
	"  \"release\": {\n"						\
	"    \"name\": \"caph\",\n"					\
	"    \"date\": \"2025-06-20\"\n"				\
	"  },\n"							\
	"  \"deprecated\": false,\n"					\
	"  \"apiSchemas\": {\n"						\
	"    \"openApi\": \"https://github.com/monimesl/"		\
	"monime-developer-apis/blob/main/api-versions/-/"		\
	"specifications/openapi.yaml\"\n"				\
	"  }\n"								\
	"},\n"

static const char nobody[] = "{\n" PLATFORM
    "\"status\": {\n  \"environment\": null,\n"
    "  \"isAuthenticated\": false\n},\n"
    "\"apiVersion\": null,\n" ORIGIN "}";
static const char in_test[] = "{\n" PLATFORM
    "\"status\": {\n  \"environment\": \"test\",\n"
    "  \"isAuthenticated\": true\n},\n" API ORIGIN "}";
static const char in_live[] = "{\n" PLATFORM
    "\"status\": {\n  \"environment\": \"live\",\n"
    "  \"isAuthenticated\": true\n},\n" API ORIGIN "}";

/* As mn_text holds an answer: a NUL behind the bytes, and nothing else. */
static bool
ask(const char *body, size_t len, struct mn_token_test *t)
{
	const char *why = NULL;
	char *copy = exact(body, len + 1);
	bool r;

	copy[len] = '\0';
	memset(t, 0xa5, sizeof(*t));
	r = mn_answer_token_test(copy, len, t, &why);
	if (r == (why != NULL)) {
		print_error("%s, but why is %s\n", r ? "read" : "refused",
		    why != NULL ? why : "NULL");
		unit_wrong++;
	}
	free(copy);
	return r;
}

static void
test_documented_answer_without_a_token(void **state)
{
	struct mn_token_test t;

	(void)state;
	assert_true(ask(nobody, strlen(nobody), &t));
	assert_false(t.authenticated);
	assert_string_equal(t.environment, "");
	assert_string_equal(t.version, "");
	assert_string_equal(t.release, "");
	assert_false(t.deprecated_told);
	assert_string_equal(t.country, "SL");
	assert_string_equal(t.address,
	    "2c0f:2a80:4ea:1f08:2c1b:e667:f921:ddcf");
	end_rows();
}

static void
test_documented_answers_with_a_token(void **state)
{
	static const struct {
		const char *body;
		const char *environment;
	} rows[] = { { in_test, "test" }, { in_live, "live" } };
	struct mn_token_test t;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		assert_true(ask(rows[i].body, strlen(rows[i].body), &t));
		assert_true(t.authenticated);
		assert_string_equal(t.environment, rows[i].environment);
		assert_string_equal(t.version, "caph.2025-06-20");
		assert_string_equal(t.release, "caph 2025-06-20");
		assert_true(t.deprecated_told);
		assert_false(t.deprecated);
		assert_string_equal(t.country, "SL");
		assert_string_equal(t.address,
		    "2c0f:2a80:4ea:1f08:2c1b:e667:f921:ddcf");
	}
	end_rows();
}

static void
test_answer_cut_anywhere_is_no_verdict(void **state)
{
	static const char *const bodies[] = { nobody, in_test, in_live };
	struct mn_token_test t;
	size_t i, len;

	(void)state;
	for (i = 0; i < ROWS(bodies); i++) {
		for (len = 0; len < strlen(bodies[i]); len++)
			ROW(!ask(bodies[i], len, &t) && !t.authenticated,
			    "%zu cut at %zu", i, len);
	}
	end_rows();
}

static void
test_answer_with_any_byte_broken_is_never_read_beyond(void **state)
{
	char body[sizeof(in_test)];
	struct mn_token_test t;
	size_t i, c;

	(void)state;
	/* Whatever it says then: nothing but what the types hold. */
	for (i = 0; i < sizeof(body) - 1; i++) {
		for (c = 0; c < 256; c += 5) {
			memcpy(body, in_test, sizeof(body));
			body[i] = (char)c;
			(void)ask(body, sizeof(body) - 1, &t);
			ROW(memchr(t.environment, 0, sizeof(t.environment)) !=
			    NULL && memchr(t.version, 0, sizeof(t.version)) !=
			    NULL && memchr(t.release, 0, sizeof(t.release)) !=
			    NULL && memchr(t.country, 0, sizeof(t.country)) !=
			    NULL && memchr(t.address, 0, sizeof(t.address)) !=
			    NULL, "byte %zu as 0x%02zx", i, c);
		}
	}
	end_rows();
}

enum verdict { YES, NO, NOBODY_KNOWS };

struct row {
	const char *body;
	size_t len;
	enum verdict verdict;
	const char *environment;
};

#define R(s, ...)	{ s, sizeof(s) - 1, __VA_ARGS__ }
#define S(s, ...)	R("{\"status\":{" s "}}", __VA_ARGS__)
#define AUTH		"\"isAuthenticated\":true"

static void
verdicts(const struct row *row, size_t n)
{
	static const char *const words[] = { "yes", "no", "nobody knows" };
	struct mn_token_test t;
	enum verdict got;

	for (; n > 0; n--, row++) {
		got = NOBODY_KNOWS;
		if (ask(row->body, row->len, &t))
			got = t.authenticated ? YES : NO;
		else
			ROW(!t.authenticated, "a yes behind a refusal");
		ROW(got == row->verdict && (row->environment == NULL ||
		    strcmp(t.environment, row->environment) == 0),
		    "%s: %s, \"%s\"", row->body, words[got], t.environment);
	}
	end_rows();
}

/* Row 17 of what must not happen here: json-c takes "false" for true. */
static void
test_probe_string_true_is_refused(void **state)
{
	static const struct row rows[] = {
		S("\"isAuthenticated\":true", YES, ""),
		S("\"isAuthenticated\":false", NO, ""),
		S("\"isAuthenticated\":\"true\"", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":\"false\"", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":\"\"", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":1", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":0", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":1.0", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":null", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":[]", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":[true]", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":{}", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":TRUE", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":True", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":yes", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":", NOBODY_KNOWS, NULL),
		S("", NOBODY_KNOWS, NULL),
		S("\"authenticated\":true", NOBODY_KNOWS, NULL),
		S("\"isauthenticated\":true", NOBODY_KNOWS, NULL),
		S("\"isAuthenticated \":true", NOBODY_KNOWS, NULL),
	};

	(void)state;
	verdicts(rows, ROWS(rows));
}

static void
test_status_is_an_object_at_its_place(void **state)
{
	static const struct row rows[] = {
		R("{" AUTH "}", NOBODY_KNOWS, NULL),
		R("{\"status\":[{" AUTH "}]}", NOBODY_KNOWS, NULL),
		R("{\"status\":\"{" AUTH "}\"}", NOBODY_KNOWS, NULL),
		R("{\"status\":null}", NOBODY_KNOWS, NULL),
		R("{\"status\":true}", NOBODY_KNOWS, NULL),
		R("{\"status\":{\"status\":{" AUTH "}}}", NOBODY_KNOWS, NULL),
		R("{\"result\":{\"status\":{" AUTH "}}}", NOBODY_KNOWS, NULL),
		R("{\"Status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("[{\"status\":{" AUTH "}}]", NOBODY_KNOWS, NULL),
		R("\"status\"", NOBODY_KNOWS, NULL),
		R("true", NOBODY_KNOWS, NULL),
		R("null", NOBODY_KNOWS, NULL),
		R("1", NOBODY_KNOWS, NULL),
		R("{}", NOBODY_KNOWS, NULL),
		R("[]", NOBODY_KNOWS, NULL),
	};

	(void)state;
	verdicts(rows, ROWS(rows));
}

static void
test_environment_is_a_plain_string_or_not_told(void **state)
{
	static const struct row rows[] = {
		S(AUTH ",\"environment\":\"test\"", YES, "test"),
		S(AUTH ",\"environment\":\"\\u0074est\"", YES, "test"),
		S(AUTH ",\"environment\":\"live\"", YES, "live"),
		S(AUTH ",\"environment\":\"other\"", YES, "other"),
		S(AUTH ",\"environment\":\"TEST\"", YES, ""),
		S(AUTH ",\"environment\":\"Test\"", YES, ""),
		S(AUTH ",\"environment\":\"test \"", YES, ""),
		S(AUTH ",\"environment\":\" test\"", YES, ""),
		S(AUTH ",\"environment\":\"test\\n\"", YES, ""),
		S(AUTH ",\"environment\":\"\"", YES, ""),
		S(AUTH ",\"environment\":null", YES, ""),
		S(AUTH ",\"environment\":1", YES, ""),
		S(AUTH ",\"environment\":true", YES, ""),
		S(AUTH ",\"environment\":[\"test\"]", YES, ""),
		S(AUTH ",\"environment\":{\"test\":1}", YES, ""),
		/* A C string would end before the NUL. */
		S(AUTH ",\"environment\":\"test\\u0000\"", NOBODY_KNOWS, ""),
		S(AUTH ",\"environment\":\"test\\u0000x\"", NOBODY_KNOWS, ""),
		S(AUTH ",\"environment\":\"test\0\"", NOBODY_KNOWS, ""),
		/* That is a backslash. */
		S(AUTH ",\"environment\":\"test\\\\u0000\"", YES, ""),
		R("{\"environment\":\"test\",\"status\":{" AUTH "}}", YES,
		    ""),
	};

	(void)state;
	verdicts(rows, ROWS(rows));
}

static void
test_key_given_twice_is_no_verdict(void **state)
{
	static const struct row rows[] = {
		S("\"isAuthenticated\":false," AUTH, NOBODY_KNOWS, NULL),
		S(AUTH ",\"isAuthenticated\":false", NOBODY_KNOWS, NULL),
		S(AUTH "," AUTH, NOBODY_KNOWS, NULL),
		S("\"isAuthenticated\":false,\"isAuthentic\\u0061ted\":true",
		    NOBODY_KNOWS, NULL),
		S("\"isAuthentic\\u0061ted\":false," AUTH, NOBODY_KNOWS,
		    NULL),
		S(AUTH ",\"environment\":\"live\",\"environment\":\"test\"",
		    NOBODY_KNOWS, NULL),
		S(AUTH ",\"environment\":\"live\","
		    "\"\\u0065nvironment\":\"test\"", NOBODY_KNOWS, NULL),
		R("{\"status\":{\"isAuthenticated\":false},"
		    "\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{\"environment\":\"live\"},"
		    "\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"st\\u0061tus\":{},\"status\":{" AUTH "}}",
		    NOBODY_KNOWS, NULL),
		R("{\"x\":[{\"a\":1,\"a\":1}],\"status\":{" AUTH "}}",
		    NOBODY_KNOWS, NULL),
		/* json-c ends a key at a NUL. */
		R("{\"status\\u0000x\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{\"isAuthenticated\\u0000\":true}}",
		    NOBODY_KNOWS, NULL),
		/* Colons in strings, and equal keys of two objects, do. */
		R("{\"x\":\"\\\":\\\":\",\"y\":{\"x\":\":\"},"
		    "\"status\":{" AUTH "}}", YES, ""),
		R("{\"x\":[{\"a\":1},{\"a\":{\"a\":[]}}],"
		    "\"status\":{" AUTH "}}", YES, ""),
		R("{\"x\\\\\":1,\"status\":{" AUTH "}}", YES, ""),
	};

	(void)state;
	verdicts(rows, ROWS(rows));
}

static void
test_what_is_no_json_is_no_verdict(void **state)
{
	static const struct row rows[] = {
		R("", NOBODY_KNOWS, NULL),
		R(" ", NOBODY_KNOWS, NULL),
		R("\0", NOBODY_KNOWS, NULL),
		R("<html>isAuthenticated</html>", NOBODY_KNOWS, NULL),
		R("{'status':{'isAuthenticated':true}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{'isAuthenticated':true}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":'\"',\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":'\":\\'',\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{status:{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH ",}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "},}", NOBODY_KNOWS, NULL),
		R("{\"x\":[1,],\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":1 2,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("/**/{\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}}//", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "/* true */}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}}x", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}},", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}}{", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}}{}", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}} {\"status\":{"
		    "\"isAuthenticated\":false}}", NOBODY_KNOWS, NULL),
		R("{}\n{\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}}\0", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}}\0{}", NOBODY_KNOWS, NULL),
		R("{\"status\":{\0" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"status\":\0{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"status\":{" AUTH "}}\f", NOBODY_KNOWS, NULL),
		R("\v{\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("\xef\xbb\xbf{\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("\xff\xfe{\0", NOBODY_KNOWS, NULL),
		R("{\"x\":NaN,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":nan,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":Infinity,\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":-Infinity,\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":\"a\nb\",\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":\"a\tb\",\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":\"\\x41\",\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":\"\\u12\",\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":+1,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":0x1,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		/* RFC 8259 6: no zero in front, digits on both sides. */
		R("{\"x\":00,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":-01,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":009e3,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":1.,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":1.e5,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":-.5,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":-,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":1e,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":1E+,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":1.5e-,\"status\":{" AUTH "}}", NOBODY_KNOWS, NULL),
		R("{\"x\":[0,-0,0.0,10e0,1E+05,0e-0],\"y\":\"00\","
		    "\"status\":{" AUTH "}}", YES, ""),
		/* UTF-8 that is none. */
		R("{\"x\":\"\xff\",\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":\"\x80\",\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":\"\xc3\",\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		R("{\"x\":\"\xe2\x93\",\"status\":{" AUTH "}}", NOBODY_KNOWS,
		    NULL),
		/* What is. */
		R("\r\n\t {\"status\" : {\n\t" AUTH "\r}} \t\r\n", YES, ""),
		R("{\"x\":\"\xc3\xa9\xe2\x93\x82\xf0\x9f\x92\xb0\","
		    "\"status\":{" AUTH "}}", YES, ""),
		R("{\"x\":\"it's NaN, Infinity\",\"status\":{" AUTH "}}",
		    YES, ""),
		R("{\"x\":99999999999999999999999999,\"y\":1e999999,"
		    "\"z\":-0.1E-9,\"status\":{" AUTH "}}", YES, ""),
		R("{\"new\":[{\"field\":null}],\"status\":{" AUTH "}}", YES,
		    ""),
	};

	(void)state;
	verdicts(rows, ROWS(rows));
}

/* A status behind n arrays, one in another. */
static bool
nested(size_t n, size_t close)
{
	char *body = malloc(2 * n + 100);
	struct mn_token_test t;
	size_t len;
	bool r;

	assert_non_null(body);
	len = (size_t)sprintf(body, "{\"status\":{" AUTH "},\"x\":");
	memset(body + len, '[', n);
	memset(body + len + n, ']', close);
	len += n + close;
	body[len++] = '}';
	r = ask(body, len, &t);
	free(body);
	return r;
}

/* json-c looks at the first two bits of each byte alone. */
static void
test_what_is_no_utf_8_is_no_verdict(void **state)
{
	static const struct row rows[] = {
		/* The first and the last of each length, and two in a row. */
		S(AUTH ",\"x\":\"\xc2\x80\xdf\xbf\"", YES, ""),
		S(AUTH ",\"x\":\"\xe0\xa0\x80\xed\x9f\xbf\"", YES, ""),
		S(AUTH ",\"x\":\"\xee\x80\x80\xef\xbf\xbf\"", YES, ""),
		S(AUTH ",\"x\":\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", YES, ""),
		/* "<" and "a" in two bytes, "/" in three, in four. */
		S(AUTH ",\"x\":\"\xc0\xbc\"", NOBODY_KNOWS, NULL),
		S(AUTH ",\"is\xc1\x81uthenticated\":false", NOBODY_KNOWS, NULL),
		S(AUTH ",\"x\":\"\xe0\x80\xaf\"", NOBODY_KNOWS, NULL),
		S(AUTH ",\"x\":\"\xf0\x80\x80\xaf\"", NOBODY_KNOWS, NULL),
		/* Half a character, and beyond the last one. */
		S(AUTH ",\"x\":\"\xed\xa0\x80\"", NOBODY_KNOWS, NULL),
		S(AUTH ",\"x\":\"\xed\xbf\xbf\"", NOBODY_KNOWS, NULL),
		S(AUTH ",\"x\":\"\xf4\x90\x80\x80\"", NOBODY_KNOWS, NULL),
		S(AUTH ",\"x\":\"\xf7\xbf\xbf\xbf\"", NOBODY_KNOWS, NULL),
		S(AUTH ",\"x\":\"\xff\"", NOBODY_KNOWS, NULL),
		S(AUTH ",\"x\":\"\x80\"", NOBODY_KNOWS, NULL),
		S(AUTH ",\"x\":\"\xc3\"", NOBODY_KNOWS, NULL),
	};

	(void)state;
	verdicts(rows, ROWS(rows));
}

static void
test_deep_nesting_is_refused_and_harmless(void **state)
{
	(void)state;
	assert_true(nested(10, 10));
	assert_true(nested(MN_ANSWER_DEPTH - 2, MN_ANSWER_DEPTH - 2));
	assert_false(nested(MN_ANSWER_DEPTH, MN_ANSWER_DEPTH));
	assert_false(nested(MN_ANSWER_DEPTH + 1, MN_ANSWER_DEPTH + 1));
	assert_false(nested(1000000, 1000000));
	assert_false(nested(1000000, 0));
	assert_false(nested(10, 11));
	end_rows();
}

static void
test_facts_that_do_not_fit_are_left_out(void **state)
{
	static const struct {
		const char *more;
		const char *version, *release, *country, *address;
	} rows[] = {
		{ "\"apiVersion\":null,\"requestOrigin\":null",
		    "", "", "", "" },
		{ "\"apiVersion\":\"caph\",\"requestOrigin\":[]",
		    "", "", "", "" },
		{ "\"apiVersion\":{\"id\":\"a\\nb\"}", "", "", "", "" },
		{ "\"apiVersion\":{\"id\":5}", "", "", "", "" },
		{ "\"apiVersion\":{\"id\":\"\"}", "", "", "", "" },
		{ "\"apiVersion\":{\"id\":\"caph.1\"}", "caph.1", "", "",
		    "" },
		{ "\"apiVersion\":{\"release\":{\"name\":\"a\"}}",
		    "", "a", "", "" },
		{ "\"apiVersion\":{\"release\":{\"name\":\"a\","
		    "\"date\":\"2025-06-20x\"}}", "", "a", "", "" },
		{ "\"apiVersion\":{\"release\":{\"name\":\"a\","
		    "\"date\":\"2025-06-20\"}}", "", "a 2025-06-20", "", "" },
		{ "\"apiVersion\":{\"release\":{\"date\":\"2025-06-20\"}}",
		    "", "", "", "" },
		{ "\"requestOrigin\":{\"country\":\"SLE\"}", "", "", "", "" },
		{ "\"requestOrigin\":{\"country\":\"sl\"}", "", "", "", "" },
		{ "\"requestOrigin\":{\"country\":\"SL\"}",
		    "", "", "SL", "" },
		{ "\"requestOrigin\":{\"ipAddress\":\"192.0.2.7\"}",
		    "", "", "", "192.0.2.7" },
		{ "\"requestOrigin\":{\"ipAddress\":\"192.0.2.7; x\"}",
		    "", "", "", "" },
		{ "\"requestOrigin\":{\"ipAddress\":\"::ffff:192.0.2.7\"}",
		    "", "", "", "::ffff:192.0.2.7" },
		{ "\"requestOrigin\":{\"ipAddress\":\"000000000011111111112"
		    "22222222233333333334444455\"}", "", "", "", "" },
	};
	struct mn_token_test t;
	char body[512];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		(void)snprintf(body, sizeof(body),
		    "{\"status\":{" AUTH "},%s}", rows[i].more);
		ROW(ask(body, strlen(body), &t) && t.authenticated &&
		    strcmp(t.version, rows[i].version) == 0 &&
		    strcmp(t.release, rows[i].release) == 0 &&
		    strcmp(t.country, rows[i].country) == 0 &&
		    strcmp(t.address, rows[i].address) == 0, "%s",
		    rows[i].more);
	}
	end_rows();
}

static void
test_words_have_at_most_64_bytes(void **state)
{
	static const size_t lengths[] = { 1, 63, 64, 65, 1000 };
	struct mn_token_test t;
	struct mn_answer_error e;
	char body[4096], id[MN_ANSWER_WORD + 1];
	size_t i, want;
	char *s;

	(void)state;
	for (i = 0; i < ROWS(lengths); i++) {
		s = many('a', lengths[i]);
		want = lengths[i] <= 64 ? lengths[i] : 0;
		(void)snprintf(body, sizeof(body), "{\"status\":{" AUTH ","
		    "\"environment\":\"%s\"},\"apiVersion\":{\"id\":\"%s\"}}",
		    s, s);
		ROW(ask(body, strlen(body), &t) &&
		    strlen(t.environment) == want &&
		    strlen(t.version) == want, "%zu", lengths[i]);
		(void)snprintf(body, sizeof(body), "{\"errors\":[{"
		    "\"error_code\":\"%s\"}],\"id\":\"%s\"}", s, s);
		mn_answer_error(body, strlen(body), &e);
		ROW(strlen(e.reason) == want && strlen(e.id) == want, "%zu",
		    lengths[i]);
		ROW(mn_answer_id(s, id) == (want > 0) && strlen(id) == want,
		    "id of %zu", lengths[i]);
		free(s);
	}
	end_rows();
}

static void
test_deprecation_is_told_by_a_boolean_alone(void **state)
{
	static const struct {
		const char *value;
		bool told, is;
	} rows[] = {
		{ "true", true, true }, { "false", true, false },
		{ "null", false, false }, { "1", false, false },
		{ "\"true\"", false, false },
	};
	struct mn_token_test t;
	char body[256];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		(void)snprintf(body, sizeof(body), "{\"status\":{" AUTH "},"
		    "\"apiVersion\":{\"deprecated\":%s}}", rows[i].value);
		ROW(ask(body, strlen(body), &t) &&
		    t.deprecated_told == rows[i].told &&
		    t.deprecated == rows[i].is, "%s", rows[i].value);
	}
	end_rows();
}

static void
test_error_envelopes_of_both_and_of_rfc_6749(void **state)
{
	static const struct {
		const char *body;
		const char *reason, *message, *id;
	} rows[] = {
		/* Monime */
		{ "{\"success\":false,\"messages\":[],\"error\":{"
		    "\"code\":409,\"reason\":\"idempotency_key_in_use\","
		    "\"message\":\"It is.\",\"details\":[]}}",
		    "idempotency_key_in_use", "It is.", "" },
		{ "{\"success\":false,\"messages\":[],\"error\":{"
		    "\"code\":429,\"reason\":\"too_many_requests\","
		    "\"message\":\"\",\"details\":[]}}",
		    "too_many_requests", "", "" },
		{ "{\"error\":{\"reason\":5,\"message\":[]}}", "", "", "" },
		{ "{\"error\":{}}", "", "", "" },
		{ "{\"error\":{\"reason\":\"Not A Word\"}}", "", "", "" },
		{ "{\"error\":{\"reason\":\"bad\\u0000\"}}", "", "", "" },
		{ "{\"error\":{\"reason\":\"a\\nb\"}}", "", "", "" },
		{ "{\"error\":{\"reason\":\"a-b\"}}", "", "", "" },
		{ "{\"error\":{\"reason\":\"\"}}", "", "", "" },
		/* Mono */
		{ "{\"code\":\"401 Unauthorized\",\"errors\":[{"
		    "\"error_code\":\"invalid_token\",\"message\":\"m\","
		    "\"path\":\"\",\"url\":\"\"}],\"id\":\"log_01H-x\","
		    "\"message\":\"Unauthorized\"}",
		    "invalid_token", "Unauthorized", "log_01H-x" },
		{ "{\"errors\":[],\"id\":\"log_1\",\"message\":\"m\"}",
		    "", "m", "log_1" },
		{ "{\"errors\":[null],\"id\":\"log_1\"}", "", "", "log_1" },
		{ "{\"errors\":[\"x\"],\"id\":\"log_1\"}", "", "", "log_1" },
		{ "{\"errors\":[[]],\"id\":\"a b\"}", "", "", "" },
		{ "{\"errors\":[],\"id\":\"../../x\"}", "", "", "" },
		{ "{\"errors\":[],\"id\":7}", "", "", "" },
		/* RFC 6749 5.2 */
		{ "{\"error\":\"invalid_client\"}", "invalid_client", "",
		    "" },
		{ "{\"error\":\"invalid_scope\",\"error_description\":"
		    "\"No such.\"}", "invalid_scope", "No such.", "" },
		{ "{\"error\":\"Invalid client\"}", "", "", "" },
		/* None of them. */
		{ "", "", "", "" },
		{ "{}", "", "", "" },
		{ "[]", "", "", "" },
		{ "null", "", "", "" },
		{ "Service unavailable", "", "", "" },
		{ "<html></html>", "", "", "" },
		{ "{\"error\":[]}", "", "", "" },
		{ "{\"error\":{\"reason\":\"a\"}", "", "", "" },
	};
	struct mn_answer_error e;
	size_t i, len;
	char *body;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		len = strlen(rows[i].body);
		body = exact(rows[i].body, len + 1);
		memset(&e, 0xa5, sizeof(e));
		mn_answer_error(body, len, &e);
		ROW(strcmp(e.reason, rows[i].reason) == 0 &&
		    strcmp(e.message, rows[i].message) == 0 &&
		    strcmp(e.id, rows[i].id) == 0,
		    "%s: \"%s\", \"%s\", \"%s\"", rows[i].body, e.reason,
		    e.message, e.id);
		free(body);
	}
	end_rows();
}

static void
test_error_cut_anywhere_is_left_out(void **state)
{
	static const char body[] = "{\"code\":\"401 Unauthorized\","
	    "\"errors\":[{\"error_code\":\"invalid_token\"}],"
	    "\"id\":\"log_1\",\"message\":\"m\"}";
	struct mn_answer_error e;
	size_t len;
	char *copy;

	(void)state;
	for (len = 0; len < sizeof(body) - 1; len++) {
		copy = exact(body, len + 1);
		copy[len] = '\0';
		mn_answer_error(copy, len, &e);
		ROW(e.reason[0] == '\0' && e.message[0] == '\0' &&
		    e.id[0] == '\0', "cut at %zu", len);
		free(copy);
	}
	end_rows();
}

static void
test_message_is_cut_at_512_and_not_within_a_character(void **state)
{
	static const size_t lengths[] = { 511, 512, 513, 100000 };
	struct mn_answer_error e;
	char *s, *body;
	size_t i, want, size;

	(void)state;
	for (i = 0; i < ROWS(lengths); i++) {
		s = many('m', lengths[i]);
		size = lengths[i] + 64;
		body = malloc(size);
		assert_non_null(body);
		(void)snprintf(body, size, "{\"error\":{\"message\":\"%s\"}}",
		    s);
		mn_answer_error(body, strlen(body), &e);
		want = lengths[i] < 512 ? lengths[i] : 512;
		ROW(strlen(e.message) == want, "%zu: %zu", lengths[i],
		    strlen(e.message));
		free(body);
		free(s);
	}
	s = many('m', 600);
	memcpy(s + 510, "\xe2\x93\x82", 3);
	body = malloc(700);
	assert_non_null(body);
	(void)snprintf(body, 700, "{\"error\":{\"message\":\"%s\"}}", s);
	mn_answer_error(body, strlen(body), &e);
	ROW(strlen(e.message) == 510, "%zu", strlen(e.message));
	free(body);
	free(s);
	end_rows();
}

static void
test_id_is_of_letters_digits_and_two_signs(void **state)
{
	static const char *const good[] = {
		"a", "req_01-Z", "0b0e7d0c-6d57-4a4e-9d4b-0d8a5b0c1d2e"
	};
	static const char *const bad[] = {
		"", " ", "a b", "a\n", "a.b", "a:b", "a/b", "\xc3\xa9", "a\x1b",
		"a@", "a[", "a`", "a{", "a\x7f"
	};
	char id[MN_ANSWER_WORD + 1];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(good); i++) {
		assert_true(mn_answer_id(good[i], id));
		assert_string_equal(id, good[i]);
	}
	for (i = 0; i < ROWS(bad); i++) {
		(void)snprintf(id, sizeof(id), "before");
		ROW(!mn_answer_id(bad[i], id) && id[0] == '\0', "\"%s\"",
		    bad[i]);
	}
	end_rows();
}

/* The answer of a token endpoint: RFC 6749 5.1. */
static bool
token(const char *body, size_t len, struct mn_answer_token *t,
    const char **why)
{
	char *copy = exact(body, len + 1);
	bool r;

	copy[len] = '\0';
	*why = NULL;
	r = mn_answer_token(copy, len, t, why);
	assert_true(r == (*why == NULL));
	assert_true(r == (t->token != NULL));
	free(copy);
	return r;
}

#define TOKEN	"\"access_token\": \"canary\", "
#define BEARER	"\"token_type\": \"Bearer\""

static void
test_token_answer_is_taken_apart(void **state)
{
	static const struct {
		const char *body;
		int64_t lifetime;
		const char *scope;
	} rows[] = {
		{ "{" TOKEN BEARER "}", 0, "" },
		{ "{" TOKEN "\"token_type\": \"bEARER\"}", 0, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": 3600}", 3600, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": \"3600\"}", 3600, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": 3600.5}", 3600, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": 0}", 0, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": -1}", 0, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": \"-1\"}", 0, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": \"\"}", 0, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": null}", 0, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": {}}", 0, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": "
		  "9223372036854775807}", INT64_MAX, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": "
		  "\"9223372036854775808\"}", INT64_MAX, "" },
		{ "{" TOKEN BEARER ", \"expires_in\": 1e300}", INT64_MAX,
		  "" },
		{ "{" TOKEN BEARER ", \"scope\": \"a b:readonly\"}", 0,
		  "a b:readonly" },
		{ "{" TOKEN BEARER ", \"scope\": \"a\\nb\"}", 0, "" },
		{ "{" TOKEN BEARER ", \"scope\": [\"a\"]}", 0, "" },
		{ "{" TOKEN BEARER ", \"refresh_token\": \"canary_r\", "
		  "\"id_token\": 7}", 0, "" },
	};
	struct mn_answer_token t;
	const char *why;
	bool r;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		r = token(rows[i].body, strlen(rows[i].body), &t, &why);
		ROW(r && strcmp(mn_secret_get(t.token), "canary") == 0 &&
		    t.lifetime == rows[i].lifetime &&
		    strcmp(t.scope, rows[i].scope) == 0, "%s: %s, %lld, %s",
		    rows[i].body, r ? "read" : why, (long long)t.lifetime,
		    t.scope);
		mn_secret_free(t.token);
	}
	end_rows();
}

static void
test_answer_without_a_bearer_token_is_none(void **state)
{
	static const char *const rows[] = {
		"", "null", "[]", "\"canary\"", "{}", "{" BEARER "}",
		"{\"access_token\": \"canary\"}",
		"{" TOKEN "\"token_type\": \"mac\"}",
		"{" TOKEN "\"token_type\": \"Bearer \"}",
		"{" TOKEN "\"token_type\": \"Bearer\\u0000\"}",
		"{" TOKEN "\"token_type\": null}",
		"{\"access_token\": \"\", " BEARER "}",
		"{\"access_token\": 7, " BEARER "}",
		"{\"access_token\": [\"canary\"], " BEARER "}",
		"{\"access_token\": \"can ary\", " BEARER "}",
		"{\"access_token\": \"canary\\r\\nX: y\", " BEARER "}",
		"{\"access_token\": \"canary\\u0000\", " BEARER "}",
		"{\"access_token\": \"canary\xc3\xbc\", " BEARER "}",
		"{" TOKEN TOKEN BEARER "}",
		"{" TOKEN BEARER "} x",
		"{'access_token': 'canary', 'token_type': 'Bearer'}",
	};
	struct mn_answer_token t;
	const char *why;
	size_t i, len;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		ROW(!token(rows[i], strlen(rows[i]), &t, &why), "%s", rows[i]);
	end_rows();

	/* Nor is one that was cut. */
	len = strlen("{" TOKEN BEARER "}");
	for (i = 0; i < len; i++)
		assert_false(token("{" TOKEN BEARER "}", i, &t, &why));
}

static void
test_object_is_written_as_json(void **state)
{
	static const struct mn_parameter rows[] = {
		{ "grant_type", "client_credentials" },
		{ "a", "" },
		{ "b", "\"\\/\b\f\n\r\t\x01\x7f" },
		{ "c", "\xc3\xbc \xf0\x9f\x92\xb0" },
		{ "d\"", "'" },
		/* A password may be of any bytes. */
		{ "e", "\xff\xfc" },
	};
	struct mn_text t = MN_TEXT_INIT(65536);
	struct mn_text small = MN_TEXT_INIT(10);

	(void)state;
	assert_true(mn_answer_object(rows, ROWS(rows), &t));
	assert_string_equal(mn_text_get(&t),
	    "{\"grant_type\":\"client_credentials\",\"a\":\"\","
	    "\"b\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\","
	    "\"c\":\"\xc3\xbc \xf0\x9f\x92\xb0\",\"d\\\"\":\"'\","
	    "\"e\":\"\xff\xfc\"}");
	mn_text_free(&t);
	assert_true(mn_answer_object(rows, 0, &t));
	assert_string_equal(mn_text_get(&t), "{}");
	mn_text_free(&t);
	assert_false(mn_answer_object(rows, ROWS(rows), &small));
	mn_text_free(&small);
}

static int
start(void **state)
{
	(void)state;
	return mn_secret_init() ? 0 : -1;
}

/*
 * What json-c had of it is gone, wherever it stood in the answer; and what is
 * left where nobody cared would be found.
 */
static void
test_no_copy_of_a_token_is_left(void **state)
{
	static const size_t sizes[] = { 40, 300, 5000 };
	static const char *const format[] = {
		"{\"access_token\": \"%s\", \"token_type\": \"Bearer\"}",
		"{\"token_type\": \"Bearer\", \"access_token\": \"%s\"}",
		"{\"token_type\": \"Bearer\", \"access_token\": \"x\", "
		"\"refresh_token\": \"%s\"}"
	};
	char masked[16], body[6000], secret[5001];
	struct mn_answer_token t;
	struct json_object *root;
	const char *why;
	uint32_t drawn = 1;
	size_t i, k, n;
	char *lost;

	(void)state;
	if (copies_unknown())
		skip();
	for (i = 0; i < ROWS(sizes) * ROWS(format); i++) {
		n = sizes[i / ROWS(format)];
		for (k = 0; k < n; k++) {
			drawn = drawn * 1103515245 + 12345;
			secret[k] = (char)('A' + (drawn >> 16) % 26);
		}
		secret[n] = '\0';
		memcpy(masked, secret + n - sizeof(masked), sizeof(masked));
		copies_mask(masked, sizeof(masked));
		n = (size_t)snprintf(body, sizeof(body),
		    format[i % ROWS(format)], secret);
		ROW(mn_answer_token(body, n, &t, &why), "row %zu", i);
		mn_secret_free(t.token);
		ROW(copies(masked, sizeof(masked)) == 0, "row %zu: left", i);
	}
	end_rows();
	/* That they can be found. */
	lost = strdup(secret);
	assert_non_null(lost);
	assert_int_equal(copies(masked, sizeof(masked)), 1);
	explicit_bzero(lost, strlen(lost));
	free(lost);
	assert_int_equal(copies(masked, sizeof(masked)), 0);
	root = json_tokener_parse(body);
	assert_non_null(root);
	json_object_put(root);
	assert_true(copies(masked, sizeof(masked)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documented_answer_without_a_token),
		cmocka_unit_test(test_documented_answers_with_a_token),
		cmocka_unit_test(test_answer_cut_anywhere_is_no_verdict),
		cmocka_unit_test(
		    test_answer_with_any_byte_broken_is_never_read_beyond),
		cmocka_unit_test(test_probe_string_true_is_refused),
		cmocka_unit_test(test_status_is_an_object_at_its_place),
		cmocka_unit_test(
		    test_environment_is_a_plain_string_or_not_told),
		cmocka_unit_test(test_key_given_twice_is_no_verdict),
		cmocka_unit_test(test_what_is_no_json_is_no_verdict),
		cmocka_unit_test(test_what_is_no_utf_8_is_no_verdict),
		cmocka_unit_test(test_deep_nesting_is_refused_and_harmless),
		cmocka_unit_test(test_facts_that_do_not_fit_are_left_out),
		cmocka_unit_test(test_words_have_at_most_64_bytes),
		cmocka_unit_test(test_deprecation_is_told_by_a_boolean_alone),
		cmocka_unit_test(
		    test_error_envelopes_of_both_and_of_rfc_6749),
		cmocka_unit_test(test_error_cut_anywhere_is_left_out),
		cmocka_unit_test(
		    test_message_is_cut_at_512_and_not_within_a_character),
		cmocka_unit_test(test_id_is_of_letters_digits_and_two_signs),
		cmocka_unit_test(test_token_answer_is_taken_apart),
		cmocka_unit_test(test_answer_without_a_bearer_token_is_none),
		cmocka_unit_test(test_no_copy_of_a_token_is_left),
		cmocka_unit_test(test_object_is_written_as_json),
	};

	return cmocka_run_group_tests_name("answer", tests, start, NULL);
}
