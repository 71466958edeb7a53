/* SPDX-License-Identifier: MIT */

/* guard.c: what may leave this host. */

#include "unit.h"

#include "guard.h"

static const struct mn_provider *monime, *banking, *breb;

static int
start(void **state)
{
	(void)state;
	monime = mn_provider_find("monime", NULL);
	banking = mn_provider_find("mono", "banking");
	breb = mn_provider_find("mono", "breb");
	return mn_secret_init() && monime != NULL && banking != NULL &&
	    breb != NULL ? 0 : -1;
}

/* A profile as it would be read, without anything that limits it. */
static struct mn_profile
plain(const struct mn_provider *v, enum mn_environment environment)
{
	return (struct mn_profile){
		.name = environment == MN_LIVE ? "live/one" : "test/one",
		.environment = environment,
		.path = "/etc/monime/one.conf",
		.provider = (char *)(uintptr_t)v->name,
		.product = (char *)(uintptr_t)v->product,
	};
}

#define LIST(...)	(struct mn_list){ .set = true,			\
	.n = sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *),	\
	.item = (char *[]){ __VA_ARGS__ } }

/* The code was expected, and the text tells; or there is none after OK. */
static bool
told(struct mn_error *e, int code, int want, const char *part)
{
	const char *s = mn_error_get(e);
	bool good = code == want && (want == MONIME_OK ? *s == '\0' :
	    *s != '\0' && (part == NULL || strstr(s, part) != NULL));

	if (!good)
		print_error("%d (%s), wanted %d (%s)\n", code, s, want,
		    part != NULL ? part : "");
	mn_error_free(e);
	return good;
}

#define SEGMENT	"segment"
#define ALIKE	"no two readers"
#define ESCAPE	"escape"

/* The paths of the guard's table: each is refused for a reason of its own. */
static const struct {
	const char *path;
	const char *part;	/* NULL: good */
} paths[] = {
	{ "/", NULL },
	{ "/?limit=1", NULL },
	{ "/?", NULL },
	{ "/v1/financial-accounts", NULL },
	{ "/v1/financial-accounts?limit=1", NULL },
	{ "/v1/payouts/pyt-1", NULL },
	{ "/v1/payouts/pyt-1?", NULL },
	{ "/v1/a.b", NULL },
	{ "/v1/...", NULL },
	{ "/v1/.a", NULL },
	{ "/v1/a.", NULL },
	{ "/v1/..a", NULL },
	{ "/v1/a..", NULL },
	{ "/.well-known/x", NULL },
	{ "/v1/~me/a-b_c!$&'()*+,=:@", NULL },
	{ "/v1/x?after=a%20b", NULL },
	{ "/v1/a%20b", NULL },
	{ "/v1/x%c3%a9", NULL },
	{ "/v1/x%C3%A9", NULL },
	{ "/v1/x%22%3c%3e%5b%5d%5e%60%7b%7c%7d", NULL },
	{ "/v1/x?a=/b//c/../d/", NULL },	/* a query has no segments */
	{ "/v1/x?a=b?c=d", NULL },
	{ "/v1/x?url=https://a.example/b", NULL },
	{ "", "begin with" },
	{ "v1/x", "begin with" },
	{ "?a=b", "begin with" },
	{ "*", "begin with" },
	{ "https://api.monime.io/v1/x", "begin with" },
	{ ".", "begin with" },
	{ " /v1/x", "begin with" },
	{ "//", SEGMENT },
	{ "//evil.example/v1/x", SEGMENT },
	{ "/.", SEGMENT },
	{ "/..", SEGMENT },
	{ "/../v1/x", SEGMENT },
	{ "/./v1/x", SEGMENT },
	{ "/v1/.", SEGMENT },
	{ "/v1/..", SEGMENT },
	{ "/v1/./x", SEGMENT },
	{ "/v1/../x", SEGMENT },
	{ "/v1/x/..?a=b", SEGMENT },
	{ "/v1/x/.?a=b", SEGMENT },
	{ "/v1//x", SEGMENT },
	{ "/v1/x/", SEGMENT },
	{ "/v1/x/?a=b", SEGMENT },
	{ "/v1/x//?a=b", SEGMENT },
	{ "/v1/x;a=b", ALIKE },
	{ "/v1/x;/../y", ALIKE },
	{ "/v1/x?a=b;c=d", ALIKE },
	{ "/v1\\x", ALIKE },
	{ "/v1/x?a=\\", ALIKE },
	{ "/v1/x#y", ALIKE },
	{ "/v1/x?a=b#y", ALIKE },
	{ "/v1/a b", ALIKE },
	{ "/v1/x?a=b c", ALIKE },
	{ "/v1/x HTTP/1.1\r\nHost: evil.example", ALIKE },
	{ "/v1/x\r\n", ALIKE },
	{ "/v1/x\n", ALIKE },
	{ "/v1/x\t", ALIKE },
	{ "/v1/x\x01", ALIKE },
	{ "/v1/x\x1f", ALIKE },
	{ "/v1/x\x7f", ALIKE },
	{ "/v1/x\x80", ALIKE },
	{ "/v1/x\xff", ALIKE },
	{ "/v1/caf\xc3\xa9", ALIKE },
	{ "/v1/x?a=\xc3\xa9", ALIKE },
	{ "/v1/\xef\xbc\x8f", ALIKE },		/* a full-width slash */
	{ "/v1/%", ESCAPE },
	{ "/v1/%2", ESCAPE },
	{ "/v1/%zz", ESCAPE },
	{ "/v1/%2z", ESCAPE },
	{ "/v1/%z2", ESCAPE },
	{ "/v1/%%20", ESCAPE },
	{ "/v1/% 20", ESCAPE },
	{ "/v1/%u0041", ESCAPE },
	{ "/v1/x?a=%", ESCAPE },
	{ "/v1/x?a=%2", ESCAPE },
	{ "/v1/%2e%2e/x", ESCAPE },
	{ "/v1/%252e", ESCAPE },
	{ "/v1/%70ayouts", ESCAPE },
	{ "/v1%2fpayouts", ESCAPE },
	{ "/v1%2Fpayouts", ESCAPE },
	{ "/v1/%5c", ESCAPE },
	{ "/v1/x%00", ESCAPE },
	{ "/v1/x%0d%0aHost:%20evil.example", ESCAPE },
	{ "/v1/x?a=%0a", ESCAPE },
	{ "/v1/x?a=%3f", ESCAPE },
};

static void
test_path_that_two_readers_take_differently_is_refused(void **state)
{
	struct mn_error e;
	size_t i;
	char *path;

	(void)state;
	assert_true(ROWS(paths) >= 60);
	for (i = 0; i < ROWS(paths); i++) {
		e = (struct mn_error)MN_ERROR_INIT;
		path = exact(paths[i].path, strlen(paths[i].path) + 1);
		ROW(told(&e, mn_guard_path(path, &e), paths[i].part == NULL ?
		    MONIME_OK : MONIME_EINVAL, paths[i].part), "\"%s\"",
		    paths[i].path);
		free(path);
	}
	end_rows();
}

static void
test_every_byte_is_judged_raw(void **state)
{
	char path[] = "/v1/x?y";
	struct mn_error e;
	bool good;
	int c;

	(void)state;
	for (c = 1; c < 256; c++) {
		good = c > 0x20 && c < 0x7f && strchr(";\\#%", c) == NULL;
		path[6] = (char)c;	/* in the query */
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_path(path, &e), good ? MONIME_OK :
		    MONIME_EINVAL, NULL), "query 0x%02x", c);
	}
	path[5] = 'z';
	for (c = 1; c < 256; c++) {
		good = c > 0x20 && c < 0x7f && strchr(";\\#%/", c) == NULL;
		path[6] = (char)c;	/* at the end of a segment */
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_path(path, &e), good ? MONIME_OK :
		    MONIME_EINVAL, NULL), "segment 0x%02x", c);
	}
	end_rows();
}

/* All 256, in upper and lower case, in a segment and in a query. */
static void
test_escape_of_what_some_decode_too_early_is_refused(void **state)
{
	static const char *const forms[] = {
		"/v1/a%%%02xb", "/v1/a%%%02Xb", "/v1/x?a=%%%02x",
		"/v1/x?a=%%%02X", "/%%%02x"
	};
	struct mn_error e;
	char path[64];
	bool good;
	size_t i;
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		good = c >= 0x20 && c != 0x7f && strchr(MN_TEXT_ALNUM "-._~"
		    "/\\%;?#", c) == NULL;
		for (i = 0; i < ROWS(forms); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			(void)snprintf(path, sizeof(path), forms[i], c);
#pragma GCC diagnostic pop
			e = (struct mn_error)MN_ERROR_INIT;
			ROW(told(&e, mn_guard_path(path, &e), good ?
			    MONIME_OK : MONIME_EINVAL, ESCAPE), "%s", path);
		}
	}
	end_rows();
}

static void
test_escaped_unreserved_byte_is_refused(void **state)
{
	struct mn_error e = MN_ERROR_INIT;

	(void)state;
	/* RFC 3986 6.2.2.2: equivalent to "/v1/payouts", so not another. */
	assert_true(told(&e, mn_guard_path("/v1/%70ayouts", &e),
	    MONIME_EINVAL, "offset 4"));
}

static void
test_path_too_long_is_refused(void **state)
{
	struct mn_error e = MN_ERROR_INIT;
	char *path = many('a', MN_PATH_MAX + 1);

	(void)state;
	path[0] = '/';
	assert_true(told(&e, mn_guard_path(path, &e), MONIME_EINVAL,
	    "longer than"));
	path[MN_PATH_MAX] = '\0';
	assert_true(told(&e, mn_guard_path(path, &e), MONIME_OK, NULL));
	free(path);
}

static void
test_refusal_of_a_path_names_the_byte(void **state)
{
	struct mn_error e = MN_ERROR_INIT;

	(void)state;
	assert_true(told(&e, mn_guard_path("/v1/a;b", &e), MONIME_EINVAL,
	    "\";\" (byte 0x3b) at offset 5"));
	/* And prints none that could do something. */
	assert_true(told(&e, mn_guard_path("/v1/\x1b[2J", &e), MONIME_EINVAL,
	    "\"\\x1b\" (byte 0x1b)"));
	assert_true(told(&e, mn_guard_path("/v1/\xff", &e), MONIME_EINVAL,
	    "\"\\xff\" (byte 0xff)"));
}

static void
test_method_is_one_of_six_in_capitals(void **state)
{
	static const struct {
		const char *method;
		unsigned int is;	/* 0: refused */
	} rows[] = {
		{ "GET", MN_GET }, { "HEAD", MN_HEAD }, { "POST", MN_POST },
		{ "PUT", MN_PUT }, { "PATCH", MN_PATCH },
		{ "DELETE", MN_DELETE },
		{ NULL, 0 }, { "", 0 }, { "get", 0 }, { "Post", 0 },
		{ "OPTIONS", 0 }, { "TRACE", 0 }, { "CONNECT", 0 },
		{ "PROPFIND", 0 }, { "GET ", 0 }, { " GET", 0 },
		{ "GETX", 0 }, { "GE", 0 }, { "GET\r\n", 0 },
		{ "GET /v1/x HTTP/1.1\r\n", 0 }, { "POST\n", 0 },
	};
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_guarded g;
	struct mn_error e;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_request(&p, monime, rows[i].method,
		    "/v1/x", NULL, false, 0, &g, &e), rows[i].is != 0 ?
		    MONIME_OK : MONIME_EINVAL, "the method must be") &&
		    (rows[i].is == 0 || g.method == rows[i].is), "%s",
		    rows[i].method != NULL ? rows[i].method : "NULL");
	}
	end_rows();
}

#define BAD	"is not \"Name: value\""
#define VALUE	"visible ASCII and space"
#define TWICE	"given twice"

static const struct {
	const char *line[3];
	int code;
	const char *part;
} headers[] = {
	{ { NULL }, MONIME_OK, NULL },
	{ { "Accept: application/json" }, MONIME_OK, NULL },
	{ { "accept: application/json" }, MONIME_OK, NULL },
	{ { "ACCEPT:application/json" }, MONIME_OK, NULL },
	{ { "Accept:   a" }, MONIME_OK, NULL },
	{ { "Accept-Language: en, kri;q=0.5" }, MONIME_OK, NULL },
	{ { "Content-Type: application/json" }, MONIME_OK, NULL },
	{ { "Idempotency-Key: 0b0e7d0c-6d57-4a4e-9d4b-0d8a5b0c1d2e" },
	    MONIME_OK, NULL },
	{ { "Monime-Space-Id: spc-own" }, MONIME_OK, NULL },
	{ { "Monime-Version: caph.2025-08-23" }, MONIME_OK, NULL },
	{ { "X-Request-Id: a:b" }, MONIME_OK, NULL },
	{ { "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"
	    "00f067aa0ba902b7-01" }, MONIME_OK, NULL },
	{ { "Accept: a", "Content-Type: b" }, MONIME_OK, NULL },

	{ { "Authorization: Bearer mon_test_other" }, MONIME_EINVAL, BAD },
	{ { "authorization: Bearer mon_test_other" }, MONIME_EINVAL, BAD },
	{ { "Proxy-Authorization: Basic eDp5" }, MONIME_EINVAL, BAD },
	{ { "Host: evil.example" }, MONIME_EINVAL, BAD },
	{ { "Cookie: a=b" }, MONIME_EINVAL, BAD },
	{ { "X-HTTP-Method-Override: DELETE" }, MONIME_EINVAL, BAD },
	{ { "X-HTTP-Method: DELETE" }, MONIME_EINVAL, BAD },
	{ { "X-Method-Override: DELETE" }, MONIME_EINVAL, BAD },
	{ { "X-Original-URL: /v1/y" }, MONIME_EINVAL, BAD },
	{ { "X-Rewrite-URL: /v1/y" }, MONIME_EINVAL, BAD },
	{ { "X-Forwarded-For: 127.0.0.1" }, MONIME_EINVAL, BAD },
	{ { "X-Idempotency-Key: k" }, MONIME_EINVAL, BAD },
	{ { "Connection: Authorization" }, MONIME_EINVAL, BAD },
	{ { "Connection: close" }, MONIME_EINVAL, BAD },
	{ { "Transfer-Encoding: chunked" }, MONIME_EINVAL, BAD },
	{ { "Content-Length: 0" }, MONIME_EINVAL, BAD },
	{ { "Content-Encoding: gzip" }, MONIME_EINVAL, BAD },
	{ { "Expect: 100-continue" }, MONIME_EINVAL, BAD },
	{ { "Upgrade: h2c" }, MONIME_EINVAL, BAD },
	{ { "TE: trailers" }, MONIME_EINVAL, BAD },
	{ { "Range: bytes=0-1" }, MONIME_EINVAL, BAD },
	{ { "User-Agent: x" }, MONIME_EINVAL, BAD },
	{ { "Monime-Space: spc-own" }, MONIME_EINVAL, BAD },
	{ { "Monime-Space-Id2: spc-own" }, MONIME_EINVAL, BAD },
	{ { "" }, MONIME_EINVAL, BAD },
	{ { ":" }, MONIME_EINVAL, BAD },
	{ { ": a" }, MONIME_EINVAL, BAD },
	{ { "Accept" }, MONIME_EINVAL, BAD },
	{ { "Accept;" }, MONIME_EINVAL, BAD },	/* libcurl: send it empty */
	{ { "Accept:" }, MONIME_EINVAL, VALUE },	/* and: leave it out */
	{ { "Accept: " }, MONIME_EINVAL, VALUE },
	{ { "Accept : a" }, MONIME_EINVAL, BAD },
	{ { " Accept: a" }, MONIME_EINVAL, BAD },
	{ { "\tAccept: a" }, MONIME_EINVAL, BAD },
	{ { "Accept\t: a" }, MONIME_EINVAL, BAD },
	{ { "Acc\xc3\xa9pt: a" }, MONIME_EINVAL, BAD },
	{ { "Accep\xc5\xa5: a" }, MONIME_EINVAL, BAD },
	{ { "X_Request_Id: a" }, MONIME_EINVAL, BAD },
	{ { "Host: a\r\nAccept: b" }, MONIME_EINVAL, BAD },
	{ { "@file" }, MONIME_EINVAL, BAD },
	{ { "Accept:\ta" }, MONIME_EINVAL, VALUE },
	{ { "Accept: a\tb" }, MONIME_EINVAL, VALUE },
	{ { "Accept: a " }, MONIME_EINVAL, VALUE },
	{ { "Accept: a\r\n b" }, MONIME_EINVAL, VALUE },	/* folded */
	{ { "Accept: a\n" }, MONIME_EINVAL, VALUE },
	{ { "Accept: a\r\nAuthorization: Bearer x" }, MONIME_EINVAL, VALUE },
	{ { "Accept: a\rX: b" }, MONIME_EINVAL, VALUE },
	{ { "Accept: caf\xc3\xa9" }, MONIME_EINVAL, VALUE },
	{ { "Accept: a\x7f" }, MONIME_EINVAL, VALUE },
	{ { "Accept: \x01" }, MONIME_EINVAL, VALUE },
	{ { "X-Request-Id: a\nb" }, MONIME_EINVAL, VALUE },

	{ { "Accept: a", "Accept: a" }, MONIME_EINVAL, TWICE },
	{ { "Accept: a", "aCCEPT: b" }, MONIME_EINVAL, TWICE },
	{ { "Monime-Space-Id: spc-own", "monime-space-id: spc-own" },
	    MONIME_EINVAL, TWICE },
	{ { "Idempotency-Key: a", "idempotency-key: b" }, MONIME_EINVAL,
	    TWICE },
	{ { "Content-Type: a", "Host: b" }, MONIME_EINVAL, BAD },

	{ { "Monime-Space-Id: spc-other" }, MONIME_EPOLICY, "Space" },
	{ { "Monime-Space-Id: SPC-OWN" }, MONIME_EPOLICY, "Space" },
	{ { "Monime-Space-Id: spc-own,spc-other" }, MONIME_EPOLICY, "Space" },
	{ { "Idempotency-Key: a b" }, MONIME_EINVAL, "visible characters" },
};

static void
test_header_is_one_of_eight_once_each(void **state)
{
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_guarded g;
	struct mn_error e;
	size_t i;

	(void)state;
	p.space = "spc-own";
	for (i = 0; i < ROWS(headers); i++) {
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_request(&p, monime, "POST", "/v1/x",
		    headers[i].line, true, 2, &g, &e), headers[i].code,
		    headers[i].part), "%zu: \"%s\"", i,
		    headers[i].line[0] != NULL ? headers[i].line[0] : "");
	}
	end_rows();
}

static void
test_header_value_too_long_is_refused(void **state)
{
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	char *line = many('a', 8 + MN_VALUE_MAX + 1);
	const char *const list[] = { line, NULL };
	struct mn_guarded g;

	(void)state;
	memcpy(line, "Accept: ", 8);
	assert_true(told(&e, mn_guard_request(&p, monime, "GET", "/v1/x",
	    list, false, 0, &g, &e), MONIME_EINVAL, VALUE));
	line[8 + MN_VALUE_MAX] = '\0';
	assert_true(told(&e, mn_guard_request(&p, monime, "GET", "/v1/x",
	    list, false, 0, &g, &e), MONIME_OK, NULL));
	free(line);
}

static void
test_refused_header_value_is_not_quoted(void **state)
{
	static const char *const lists[][2] = {
		{ "Authorization: Bearer canary", NULL },
		{ "canary", NULL },
		{ "Accept: canary\n", NULL },
		{ "Monime-Space-Id: canary", NULL },
		{ "Idempotency-Key: canary canary", NULL },
	};
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_guarded g;
	struct mn_error e;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(lists); i++) {
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(mn_guard_request(&p, monime, "POST", "/v1/x", lists[i],
		    false, 0, &g, &e) != MONIME_OK &&
		    strstr(mn_error_get(&e), "canary") == NULL, "%zu: %s", i,
		    mn_error_get(&e));
		mn_error_free(&e);
	}
	end_rows();
}

static void
test_guard_notes_what_headers_bring(void **state)
{
	static const char *const all[] = {
		"accept: a", "content-type: b", "idempotency-key:  key",
		"monime-space-id: spc-own", "monime-version: v", NULL
	};
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	struct mn_guarded g;

	(void)state;
	p.space = "spc-own";
	assert_int_equal(mn_guard_request(&p, monime, "POST", "/", NULL,
	    false, 0, &g, &e), MONIME_OK);
	assert_int_equal(g.method, MN_POST);
	assert_null(g.key);
	assert_false(g.accept || g.content_type || g.space || g.version);
	assert_int_equal(mn_guard_request(&p, monime, "POST", "/", all,
	    false, 0, &g, &e), MONIME_OK);
	assert_string_equal(g.key, "key");
	assert_true(g.accept && g.content_type && g.space && g.version);
}

static void
test_idempotency_key_only_where_it_is_honoured(void **state)
{
	static const struct {
		bool mono;
		const char *method;
		size_t len;
		int code;
		const char *part;
	} rows[] = {
		{ false, "POST", 1, MONIME_OK, NULL },
		{ false, "POST", 64, MONIME_OK, NULL },
		{ false, "POST", 65, MONIME_EINVAL, "at most 64" },
		{ false, "POST", 0, MONIME_EINVAL, VALUE },
		{ false, "GET", 8, MONIME_EINVAL, "does not honour" },
		{ false, "HEAD", 8, MONIME_EINVAL, "does not honour" },
		{ false, "PUT", 8, MONIME_EINVAL, "does not honour" },
		{ false, "PATCH", 8, MONIME_EINVAL, "does not honour" },
		{ false, "DELETE", 8, MONIME_EINVAL, "does not honour" },
		{ true, "POST", 36, MONIME_OK, NULL },
		{ true, "PUT", 255, MONIME_OK, NULL },
		{ true, "PATCH", 255, MONIME_OK, NULL },
		{ true, "POST", 256, MONIME_EINVAL, "at most 255" },
		{ true, "GET", 8, MONIME_EINVAL, "does not honour" },
		{ true, "HEAD", 8, MONIME_EINVAL, "does not honour" },
		{ true, "DELETE", 8, MONIME_EINVAL, "does not honour" },
	};
	const struct mn_provider *v;
	const char *list[2] = { NULL, NULL };
	char *line;
	struct mn_profile p;
	struct mn_guarded g;
	struct mn_error e;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		v = rows[i].mono ? banking : monime;
		p = plain(v, MN_TEST);
		line = many('k', 17 + rows[i].len);
		memcpy(line, "Idempotency-Key: ", 17);
		list[0] = line;
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_request(&p, v, rows[i].method, "/v1/x",
		    list, false, 0, &g, &e), rows[i].code, rows[i].part),
		    "%s %s %zu", v->name, rows[i].method, rows[i].len);
		free(line);
	}
	end_rows();
}

static void
test_monime_headers_are_refused_with_mono(void **state)
{
	static const char *const space[] = { "Monime-Space-Id: spc-x", NULL };
	static const char *const version[] = { "Monime-Version: v", NULL };
	static const char *const accept[] = { "Accept: a", NULL };
	struct mn_profile p = plain(banking, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	struct mn_guarded g;

	(void)state;
	assert_true(told(&e, mn_guard_request(&p, banking, "GET", "/v1/x",
	    space, false, 0, &g, &e), MONIME_EINVAL, "mono has no Spaces"));
	assert_true(told(&e, mn_guard_request(&p, banking, "GET", "/v1/x",
	    version, false, 0, &g, &e), MONIME_EINVAL, "no such header"));
	assert_true(told(&e, mn_guard_request(&p, banking, "GET", "/v1/x",
	    accept, false, 0, &g, &e), MONIME_OK, NULL));
}

static void
test_space_is_our_own_or_an_allowed_one(void **state)
{
	static const struct {
		const char *line;
		int code;
	} rows[] = {
		{ "Monime-Space-Id: spc-own", MONIME_OK },
		{ "Monime-Space-Id: spc-two", MONIME_OK },
		{ "Monime-Space-Id: spc-three", MONIME_EPOLICY },
		{ "Monime-Space-Id: spc-tw", MONIME_EPOLICY },
		{ "Monime-Space-Id: spc-two2", MONIME_EPOLICY },
		{ "Monime-Space-Id: *", MONIME_EPOLICY },
	};
	struct mn_profile p = plain(monime, MN_TEST);
	const char *list[2] = { NULL, NULL };
	struct mn_guarded g;
	struct mn_error e;
	size_t i;

	(void)state;
	p.space = "spc-own";
	p.allow.spaces = LIST("spc-own", "spc-two");
	for (i = 0; i < ROWS(rows); i++) {
		list[0] = rows[i].line;
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_request(&p, monime, "GET", "/v1/x",
		    list, false, 0, &g, &e), rows[i].code, "nothing was sent"),
		    "%s", rows[i].line);
	}
	end_rows();
	/* A profile without a Space may name none. */
	p = plain(monime, MN_TEST);
	list[0] = rows[0].line;
	e = (struct mn_error)MN_ERROR_INIT;
	assert_true(told(&e, mn_guard_request(&p, monime, "GET", "/v1/x",
	    list, false, 0, &g, &e), MONIME_EPOLICY, "nothing was sent"));
}

static void
test_body_fits_the_method_and_the_limit(void **state)
{
	static const struct {
		const char *method;
		bool body;
		size_t len;
		int code;
		const char *part;
	} rows[] = {
		{ "POST", false, 0, MONIME_OK, NULL },
		{ "POST", true, 0, MONIME_OK, NULL },
		{ "POST", true, MN_BODY_MAX, MONIME_OK, NULL },
		{ "POST", true, MN_BODY_MAX + 1, MONIME_EINVAL, "at most" },
		{ "POST", true, SIZE_MAX, MONIME_EINVAL, "at most" },
		{ "POST", false, 1, MONIME_EINVAL, "must be given" },
		{ "DELETE", true, 2, MONIME_OK, NULL },
		{ "GET", true, 2, MONIME_EINVAL, "carries no body" },
		{ "GET", true, 0, MONIME_EINVAL, "carries no body" },
		{ "HEAD", true, 2, MONIME_EINVAL, "carries no body" },
	};
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_guarded g;
	struct mn_error e;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_request(&p, monime, rows[i].method,
		    "/v1/x", NULL, rows[i].body, rows[i].len, &g, &e),
		    rows[i].code, rows[i].part), "%s %zu", rows[i].method,
		    rows[i].len);
	}
	end_rows();
}

static void
test_allow_names_methods_and_paths(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		const char *part;	/* NULL: good */
	} rows[] = {
		{ "GET", "/v1/payouts/x", NULL },
		{ "GET", "/v1/payouts/x/y", NULL },
		{ "GET", "/v1/payouts/x?a=b", NULL },
		{ "POST", "/v1/payments", NULL },
		{ "POST", "/v1/payments?a=b", NULL },
		{ "GET", "/v1/payouts", "allow.paths" },
		{ "GET", "/v1/payouts?a=/b", "allow.paths" },
		{ "GET", "/v1/payoutsx", "allow.paths" },
		{ "GET", "/v1/payoutsx/y", "allow.paths" },
		{ "GET", "/v1/payments/x", "allow.paths" },
		{ "GET", "/v1/payment", "allow.paths" },
		{ "GET", "/v1/Payments", "allow.paths" },
		{ "GET", "/x/v1/payments", "allow.paths" },
		{ "GET", "/", "allow.paths" },
		{ "GET", "/?/v1/payments", "allow.paths" },
		{ "GET", "/v1/banks?/v1/payouts/x", "allow.paths" },
		{ "DELETE", "/v1/payments", "allow.methods" },
		{ "HEAD", "/v1/payments", "allow.methods" },
		{ "PUT", "/v1/payouts/x", "allow.methods" },
	};
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_guarded g;
	struct mn_error e;
	size_t i;

	(void)state;
	p.allow.methods = LIST("GET", "POST");
	p.allow.paths = LIST("/v1/payouts/*", "/v1/payments");
	for (i = 0; i < ROWS(rows); i++) {
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_request(&p, monime, rows[i].method,
		    rows[i].path, NULL, false, 0, &g, &e), rows[i].part ==
		    NULL ? MONIME_OK : MONIME_EPOLICY, rows[i].part), "%s %s",
		    rows[i].method, rows[i].path);
	}
	end_rows();
	/* What is malformed is so, whatever is allowed. */
	e = (struct mn_error)MN_ERROR_INIT;
	assert_true(told(&e, mn_guard_request(&p, monime, "GET",
	    "/v1/payouts/../banks", NULL, false, 0, &g, &e), MONIME_EINVAL,
	    SEGMENT));
}

static void
test_empty_allow_list_allows_nothing(void **state)
{
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	struct mn_guarded g;

	(void)state;
	p.allow.methods.set = true;
	assert_true(told(&e, mn_guard_request(&p, monime, "GET", "/", NULL,
	    false, 0, &g, &e), MONIME_EPOLICY, "allow.methods"));
	p.allow.methods.set = false;
	p.allow.paths.set = true;
	assert_true(told(&e, mn_guard_request(&p, monime, "GET", "/", NULL,
	    false, 0, &g, &e), MONIME_EPOLICY, "allow.paths"));
}

static void
test_star_alone_is_all_but_the_root(void **state)
{
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	struct mn_guarded g;

	(void)state;
	p.allow.paths = LIST("/*");
	assert_true(told(&e, mn_guard_request(&p, monime, "GET", "/v1/x",
	    NULL, false, 0, &g, &e), MONIME_OK, NULL));
	assert_true(told(&e, mn_guard_request(&p, monime, "GET", "/", NULL,
	    false, 0, &g, &e), MONIME_EPOLICY, "allow.paths"));
}

static void
test_authorize_needs_the_origin_byte_for_byte(void **state)
{
	static const struct {
		const char *url;
		const char *part;	/* NULL: good */
	} rows[] = {
		{ "https://api.monime.io/v1/payouts/x", NULL },
		{ "https://api.monime.io/v1/payouts/x?a=b", NULL },
		{ "", "origin" },
		{ "/v1/payouts/x", "origin" },
		{ "https://api.monime.io", "origin" },
		{ "https://api.monime.io?/v1/payouts/x", "origin" },
		{ "https://api.monime.io#/v1/payouts/x", "origin" },
		{ "https://api.monime.io.evil.example/v1/payouts/x",
		    "origin" },
		{ "https://api.monime.iox/v1/payouts/x", "origin" },
		{ "https://api.monime.io@evil.example/v1/payouts/x",
		    "origin" },
		{ "https://api.monime.io:x@evil.example/v1/payouts/x",
		    "origin" },
		{ "https://api.monime.io\\@evil.example/v1/payouts/x",
		    "origin" },
		{ "https://user@api.monime.io/v1/payouts/x", "origin" },
		{ "https://evil.example/https://api.monime.io/v1/payouts/x",
		    "origin" },
		{ "https://evil.example/v1/payouts/x", "origin" },
		{ "https://API.monime.io/v1/payouts/x", "origin" },
		{ "HTTPS://api.monime.io/v1/payouts/x", "origin" },
		{ "http://api.monime.io/v1/payouts/x", "origin" },
		{ "//api.monime.io/v1/payouts/x", "origin" },
		{ "https:/api.monime.io/v1/payouts/x", "origin" },
		{ "https://api.monime.io:443/v1/payouts/x", "origin" },
		{ "https://api.monime.io:444/v1/payouts/x", "origin" },
		{ "https://api.monime.io./v1/payouts/x", "origin" },
		{ " https://api.monime.io/v1/payouts/x", "origin" },
		{ "https://api.monime.io\t/v1/payouts/x", "origin" },
		{ "https://api.monime.io//v1/payouts/x", SEGMENT },
		{ "https://api.monime.io/v1/payouts/../banks", SEGMENT },
		{ "https://api.monime.io/v1/payouts/x;y", ALIKE },
		{ "https://api.monime.io/v1/payouts/x#y", ALIKE },
		{ "https://api.monime.io/v1/payouts/%2e", ESCAPE },
		{ "https://api.monime.io/v1/payouts", "allow.paths" },
		{ "https://api.monime.io/", "allow.paths" },
	};
	struct mn_profile p = plain(monime, MN_LIVE);
	struct mn_error e;
	size_t i;

	(void)state;
	p.allow.methods = LIST("GET");
	p.allow.paths = LIST("/v1/payouts/*");
	for (i = 0; i < ROWS(rows); i++) {
		e = (struct mn_error)MN_ERROR_INIT;
		ROW(told(&e, mn_guard_authorize(&p, monime, "GET",
		    rows[i].url, &e), rows[i].part == NULL ? MONIME_OK :
		    MONIME_EPOLICY, rows[i].part), "\"%s\"", rows[i].url);
	}
	end_rows();
}

static void
test_authorize_needs_allowed_methods_and_paths(void **state)
{
	static const char url[] = "https://api.monime.io/v1/payouts/x";
	static const char *const refused[] = {
		"POST", "get", "HEAD", "", "GET ", "TRACE"
	};
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	size_t i;

	(void)state;
	assert_true(told(&e, mn_guard_authorize(&p, monime, "GET", url, &e),
	    MONIME_EPOLICY, "allow.methods and allow.paths"));
	p.allow.methods = LIST("GET");
	assert_true(told(&e, mn_guard_authorize(&p, monime, "GET", url, &e),
	    MONIME_EPOLICY, "allow.methods and allow.paths"));
	p.allow.methods.set = false;
	p.allow.paths = LIST("/v1/*");
	assert_true(told(&e, mn_guard_authorize(&p, monime, "GET", url, &e),
	    MONIME_EPOLICY, "allow.methods and allow.paths"));
	p.allow.methods.set = true;
	assert_true(told(&e, mn_guard_authorize(&p, monime, "GET", url, &e),
	    MONIME_OK, NULL));
	for (i = 0; i < ROWS(refused); i++)
		ROW(told(&e, mn_guard_authorize(&p, monime, refused[i], url,
		    &e), MONIME_EPOLICY, "allow.methods"), "\"%s\"",
		    refused[i]);
	end_rows();
}

static void
test_authorize_goes_by_base_url(void **state)
{
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;

	(void)state;
	p.base_url = "https://127.0.0.1:8443";
	p.allow.methods = LIST("GET");
	p.allow.paths = LIST("/v1/*");
	assert_string_equal(mn_guard_origin(&p, monime), p.base_url);
	assert_true(told(&e, mn_guard_authorize(&p, monime, "GET",
	    "https://127.0.0.1:8443/v1/x", &e), MONIME_OK, NULL));
	assert_true(told(&e, mn_guard_authorize(&p, monime, "GET",
	    "https://127.0.0.1:84431/v1/x", &e), MONIME_EPOLICY, "origin"));
	assert_true(told(&e, mn_guard_authorize(&p, monime, "GET",
	    "https://127.0.0.1:844/v1/x", &e), MONIME_EPOLICY, "origin"));
	assert_true(told(&e, mn_guard_authorize(&p, monime, "GET",
	    "https://api.monime.io/v1/x", &e), MONIME_EPOLICY, "origin"));
}

static void
test_presented_token_is_judged_before_it_is_sent(void **state)
{
	static const struct {
		const char *token;
		size_t len;
		int in_test;
		int in_live;
		int mono;
	} rows[] = {
#define T(s, ...)	{ s, sizeof(s) - 1, __VA_ARGS__ }
		T("mon_test_abc", MONIME_OK, MONIME_EENVIRONMENT, MONIME_OK),
		T("mon_abc", MONIME_EENVIRONMENT, MONIME_OK, MONIME_OK),
		T("mon_test_a", MONIME_OK, MONIME_EENVIRONMENT, MONIME_OK),
		T("mon_test", MONIME_EENVIRONMENT, MONIME_OK, MONIME_OK),
		T("mon_Test_a", MONIME_EENVIRONMENT, MONIME_OK, MONIME_OK),
		T("mon_test_\"',:;~!", MONIME_OK, MONIME_EENVIRONMENT,
		    MONIME_OK),
		T("", MONIME_EDENIED, MONIME_EDENIED, MONIME_EDENIED),
		T("mon_test_", MONIME_EDENIED, MONIME_EDENIED, MONIME_OK),
		T("mon_", MONIME_EDENIED, MONIME_EDENIED, MONIME_OK),
		T("mon", MONIME_EDENIED, MONIME_EDENIED, MONIME_OK),
		T("Mon_test_abc", MONIME_EDENIED, MONIME_EDENIED, MONIME_OK),
		T("MON_abc", MONIME_EDENIED, MONIME_EDENIED, MONIME_OK),
		T("xmon_abc", MONIME_EDENIED, MONIME_EDENIED, MONIME_OK),
		T("eyJhbGciOi.x.y", MONIME_EDENIED, MONIME_EDENIED,
		    MONIME_OK),
#define N	MONIME_EDENIED, MONIME_EDENIED, MONIME_EDENIED
		T("mon_test_a b", N), T(" mon_test_ab", N),
		T("mon_test_ab ", N), T("mon_test_ab\n", N),
		T("mon_test_ab\r\nX: y", N), T("mon_test_a\tb", N),
		T("mon_test_a\0b", N), T("mon_test_ab\0", N), T("\0", N),
		T("mon_test_\x01", N), T("mon_test_\x7f", N),
		T("mon_test_\x80", N), T("mon_test_\xc3\xa9", N),
#undef N
#undef T
	};
	struct mn_profile test = plain(monime, MN_TEST);
	struct mn_profile live = plain(monime, MN_LIVE);
	struct mn_profile mono = plain(banking, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	size_t i, len;
	char *token;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		len = rows[i].len;
		token = exact(rows[i].token, len);
		ROW(told(&e, mn_guard_token(&test, monime, token, len, &e),
		    rows[i].in_test, NULL), "%zu: \"%s\", test", i,
		    rows[i].token);
		ROW(told(&e, mn_guard_token(&live, monime, token, len, &e),
		    rows[i].in_live, NULL), "%zu: \"%s\", live", i,
		    rows[i].token);
		ROW(told(&e, mn_guard_token(&mono, banking, token, len, &e),
		    rows[i].mono, NULL), "%zu: \"%s\", Mono", i,
		    rows[i].token);
		free(token);
	}
	end_rows();
	assert_true(told(&e, mn_guard_token(&test, monime, NULL, 0, &e),
	    MONIME_EDENIED, "no token"));
	assert_true(told(&e, mn_guard_token(&test, monime, NULL, 5, &e),
	    MONIME_EDENIED, "no token"));
	assert_true(told(&e, mn_guard_token(&test, monime, "mon_abc", 7, &e),
	    MONIME_EENVIRONMENT, "a live token where test is meant; it was "
	    "not sent"));
}

static void
test_token_has_at_most_4096_characters_after_its_prefix(void **state)
{
	static const struct {
		const char *prefix;
		enum mn_environment environment;
	} rows[] = { { "mon_test_", MN_TEST }, { "mon_", MN_LIVE } };
	struct mn_error e = MN_ERROR_INIT;
	struct mn_profile p;
	size_t i, n;
	char *token;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		p = plain(monime, rows[i].environment);
		n = strlen(rows[i].prefix);
		token = many('a', n + MN_TOKEN_MAX + 1);
		memcpy(token, rows[i].prefix, n);
		assert_true(told(&e, mn_guard_token(&p, monime, token,
		    n + MN_TOKEN_MAX, &e), MONIME_OK, NULL));
		assert_true(told(&e, mn_guard_token(&p, monime, token,
		    n + MN_TOKEN_MAX + 1, &e), MONIME_EDENIED, NULL));
		free(token);
	}
	assert_false(mn_guard_token_form("", 0));
	assert_true(mn_guard_token_form("a", 1));
	token = many('a', 100000);
	assert_false(mn_guard_token_form(token, 100000));
	free(token);
}

static void
test_refusal_of_a_token_does_not_quote_it(void **state)
{
	static const char *const tokens[] = {
		"mon_canary", "canary", "mon_test_canary canary"
	};
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(tokens); i++) {
		assert_int_not_equal(mn_guard_token(&p, monime, tokens[i],
		    strlen(tokens[i]), &e), MONIME_OK);
		assert_null(strstr(mn_error_get(&e), "canary"));
		p.token = mn_secret_copy(MN_SECRET_PLAIN, tokens[i],
		    strlen(tokens[i]));
		assert_int_not_equal(mn_guard_profile(&p, monime, &e),
		    MONIME_OK);
		assert_null(strstr(mn_error_get(&e), "canary"));
		mn_secret_free(p.token);
		mn_error_free(&e);
	}
}

/* mn_guard_profile(): what is wrong, and how that is said. */

#define EVERY_DEFAULT	.provider = "monime"

static const struct {
	struct mn_profile p;
	const char *token;
	int code;
	const char *part;
} profiles[] = {
	{ { EVERY_DEFAULT }, NULL, MONIME_OK, NULL },
	{ { EVERY_DEFAULT }, "mon_test_a", MONIME_OK, NULL },
	{ { EVERY_DEFAULT, .environment = MN_LIVE }, "mon_a", MONIME_OK,
	    NULL },
	{ { EVERY_DEFAULT, .base_url = "https://127.0.0.1:1" }, "mon_test_a",
	    MONIME_OK, NULL },
	{ { EVERY_DEFAULT, .base_url = "https://api.monime.io" }, NULL,
	    MONIME_OK, NULL },
	{ { EVERY_DEFAULT, .space = "spc-a" }, NULL, MONIME_OK, NULL },
	{ { .provider = "mono", .product = "banking" }, "a", MONIME_OK,
	    NULL },
	{ { .provider = "mono", .product = "core", .environment = MN_LIVE },
	    "a", MONIME_OK, NULL },
	{ { .provider = "mono", .product = "breb", .oauth2.set = true },
	    NULL, MONIME_OK, NULL },
	{ { .provider = "mono", .product = "banking",
	    .base_url = "https://api.sandbox.cuentamono.com" }, NULL,
	    MONIME_OK, NULL },

	/* Another environment. */
	{ { EVERY_DEFAULT }, "mon_a", MONIME_EENVIRONMENT,
	    "a live token in a test profile" },
	{ { EVERY_DEFAULT, .environment = MN_LIVE }, "mon_test_a",
	    MONIME_EENVIRONMENT, "a test token in a live profile" },
	{ { .provider = "mono", .product = "banking", .base_url_line = 7,
	    .base_url = "https://api.cuentamono.com" }, NULL,
	    MONIME_EENVIRONMENT, "one.conf:7: base_url" },
	{ { .provider = "mono", .product = "breb",
	    .base_url = "https://api.cuentamono.com:8443" }, NULL,
	    MONIME_EENVIRONMENT, "not the provider's for test" },
	{ { .provider = "mono", .product = "wallet", .environment = MN_LIVE,
	    .base_url = "https://breb-participant.sandbox.mono.la" }, NULL,
	    MONIME_EENVIRONMENT, "not the provider's for live" },

	/* What does not fit the provider. */
	{ { .provider = "mono", .product = "wallet" }, NULL, MONIME_ECONFIG,
	    "base_url is not set" },
	{ { .provider = "mono", .product = "breb", .environment = MN_LIVE },
	    NULL, MONIME_ECONFIG, "no live origin of mono breb" },
	{ { .provider = "mono", .product = "breb" }, "a", MONIME_ECONFIG,
	    "OAuth 2.0" },
	{ { EVERY_DEFAULT, .oauth2.set = true }, NULL, MONIME_ECONFIG,
	    "takes a static token" },
	{ { .provider = "mono", .product = "banking", .oauth2.set = true },
	    NULL, MONIME_ECONFIG, "takes a static token" },
	{ { EVERY_DEFAULT }, "sk_live_a", MONIME_ECONFIG,
	    "no token of monime" },
	{ { EVERY_DEFAULT }, "mon_test_", MONIME_ECONFIG,
	    "no token of monime" },
	{ { EVERY_DEFAULT, .environment = MN_LIVE }, "mon_", MONIME_ECONFIG,
	    "no token of monime" },
	{ { EVERY_DEFAULT }, "mon_test_a b", MONIME_ECONFIG,
	    "bytes that no header may carry" },
	{ { .provider = "mono", .product = "banking" }, "a\nb",
	    MONIME_ECONFIG, "bytes that no header may carry" },
	{ { EVERY_DEFAULT, .token_file = "/run/t" }, "a\xff",
	    MONIME_ECONFIG, "/run/t: the token" },
	{ { .provider = "mono", .product = "banking", .space = "spc-a" },
	    NULL, MONIME_ECONFIG, "Monime's" },
	{ { .provider = "mono", .product = "banking", .version = "v" }, NULL,
	    MONIME_ECONFIG, "Monime's" },
	{ { .provider = "mono", .product = "banking",
	    .allow.spaces.set = true }, NULL, MONIME_ECONFIG, "Monime's" },
	{ { .provider = "mono", .product = "banking",
	    .allow.addresses.set = true }, NULL, MONIME_ECONFIG,
	    "allow.addresses" },
	{ { EVERY_DEFAULT, .space = "spc-a", .allow.spaces.set = true },
	    NULL, MONIME_ECONFIG, "space spc-a is not in allow.spaces" },

	/* What a check may ask. */
	{ { EVERY_DEFAULT, .check.accept = MN_ACCEPT_SPACE }, NULL, MONIME_OK,
	    NULL },
	{ { EVERY_DEFAULT, .check.path = "/v1/financial-accounts/fac-1" },
	    NULL, MONIME_OK, NULL },
	{ { EVERY_DEFAULT, .check.accept = MN_ACCEPT_ANY }, NULL, MONIME_OK,
	    NULL },
	{ { EVERY_DEFAULT, .check.path = "/v1/bankso" }, NULL, MONIME_OK,
	    NULL },
	{ { .provider = "mono", .product = "banking",
	    .check.accept = MN_ACCEPT_SPACE }, NULL, MONIME_ECONFIG,
	    "is for Monime" },
	{ { EVERY_DEFAULT, .check.accept = MN_ACCEPT_PATH }, NULL,
	    MONIME_ECONFIG, "needs check.path" },
	{ { EVERY_DEFAULT, .check.path = "/v1/../banks" }, NULL,
	    MONIME_ECONFIG, "not a valid path" },
	{ { EVERY_DEFAULT, .check.path = "/v1/%62anks" }, NULL,
	    MONIME_ECONFIG, "not a valid path" },
	{ { EVERY_DEFAULT, .check.path = "/v1/banks" }, NULL,
	    MONIME_ECONFIG, "opens to any valid token" },
	{ { EVERY_DEFAULT, .check.path = "/v1/banks?country=SL" }, NULL,
	    MONIME_ECONFIG, "opens to any valid token" },
	{ { EVERY_DEFAULT, .check.path = "/v1/banks/bnk-1" }, NULL,
	    MONIME_ECONFIG, "opens to any valid token" },
	{ { EVERY_DEFAULT, .check.path = "/v1/momos",
	    .check.accept = MN_ACCEPT_PATH }, NULL, MONIME_ECONFIG,
	    "opens to any valid token" },
	{ { EVERY_DEFAULT, .check.path = "/v1/countries" }, NULL,
	    MONIME_ECONFIG, "opens to any valid token" },
	{ { EVERY_DEFAULT, .check.path = "/v1/provider-kyc/x" }, NULL,
	    MONIME_ECONFIG, "opens to any valid token" },
	/* The token test answers everybody. */
	{ { EVERY_DEFAULT, .check.path = "/" }, NULL, MONIME_ECONFIG,
	    "opens to any valid token" },
	{ { EVERY_DEFAULT, .check.path = "/?a=b",
	    .check.accept = MN_ACCEPT_PATH }, NULL, MONIME_ECONFIG,
	    "opens to any valid token" },
};

static void
test_profile_that_does_not_fit_is_refused(void **state)
{
	struct mn_error e = MN_ERROR_INIT;
	const struct mn_provider *v;
	struct mn_profile p;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(profiles); i++) {
		p = profiles[i].p;
		p.name = "test/one";
		p.path = "/etc/monime/one.conf";
		v = mn_provider_find(p.provider, p.product);
		assert_non_null(v);
		if (profiles[i].token != NULL)
			p.token = mn_secret_copy(MN_SECRET_PLAIN,
			    profiles[i].token, strlen(profiles[i].token));
		ROW(told(&e, mn_guard_profile(&p, v, &e), profiles[i].code,
		    profiles[i].part), "%zu", i);
		mn_secret_free(p.token);
	}
	end_rows();
}

static void
test_check_asks_what_accept_says(void **state)
{
	static const char space[] = "/v1/financial-accounts?limit=1";
	struct mn_profile m = plain(monime, MN_TEST);
	struct mn_profile o = plain(banking, MN_TEST);

	(void)state;
	assert_int_equal(mn_guard_accept(&m, monime), MN_ACCEPT_SPACE);
	assert_int_equal(mn_guard_accept(&o, banking), MN_ACCEPT_PATH);
	assert_string_equal(mn_guard_check_path(&m, monime), space);
	assert_null(mn_guard_check_path(&o, banking));
	m.check.path = o.check.path = "/v1/mine";
	assert_string_equal(mn_guard_check_path(&m, monime), "/v1/mine");
	assert_string_equal(mn_guard_check_path(&o, banking), "/v1/mine");
	m.check.accept = o.check.accept = MN_ACCEPT_ANY;
	assert_null(mn_guard_check_path(&m, monime));
	/* Mono has no token test: some path has to be asked. */
	assert_string_equal(mn_guard_check_path(&o, banking), "/v1/mine");
	m.check.accept = MN_ACCEPT_PATH;
	assert_string_equal(mn_guard_check_path(&m, monime), "/v1/mine");
	assert_int_equal(mn_guard_accept(&m, monime), MN_ACCEPT_PATH);
}

static void
test_address_is_compared_as_an_address(void **state)
{
	static const struct {
		const char *address;
		bool good;
	} rows[] = {
		{ "192.0.2.7", true },
		{ "192.0.2.8", false },
		{ "192.0.2.70", false },
		{ "192.0.2.07", false },
		{ "192.0.2.7 ", false },
		{ "2001:db8::1", true },
		{ "2001:DB8::1", true },
		{ "2001:db8:0:0:0:0:0:1", true },
		{ "2001:0db8:0000:0000:0000:0000:0000:0001", true },
		{ "2001:db8::0.0.0.1", true },
		{ "2001:db8::2", false },
		{ "2001:db8::1%eth0", false },
		{ "2001:db8::1/64", false },
		{ "[2001:db8::1]", false },
		{ "", false },
		{ "localhost", false },
		{ NULL, false },
	};
	struct mn_profile p = plain(monime, MN_TEST);
	struct mn_error e = MN_ERROR_INIT;
	size_t i;

	(void)state;
	assert_true(told(&e, mn_guard_address(&p, NULL, &e), MONIME_OK,
	    NULL));
	p.allow.addresses = LIST("192.0.2.7", "2001:db8::1");
	for (i = 0; i < ROWS(rows); i++)
		ROW(told(&e, mn_guard_address(&p, rows[i].address, &e),
		    rows[i].good ? MONIME_OK : MONIME_EPOLICY,
		    "allow.addresses"), "%s", rows[i].address != NULL ?
		    rows[i].address : "NULL");
	end_rows();
	p.allow.addresses.n = 0;
	assert_true(told(&e, mn_guard_address(&p, "192.0.2.7", &e),
	    MONIME_EPOLICY, "allow.addresses"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_path_that_two_readers_take_differently_is_refused),
		cmocka_unit_test(test_every_byte_is_judged_raw),
		cmocka_unit_test(
		    test_escape_of_what_some_decode_too_early_is_refused),
		cmocka_unit_test(test_escaped_unreserved_byte_is_refused),
		cmocka_unit_test(test_path_too_long_is_refused),
		cmocka_unit_test(test_refusal_of_a_path_names_the_byte),
		cmocka_unit_test(test_method_is_one_of_six_in_capitals),
		cmocka_unit_test(test_header_is_one_of_eight_once_each),
		cmocka_unit_test(test_header_value_too_long_is_refused),
		cmocka_unit_test(test_refused_header_value_is_not_quoted),
		cmocka_unit_test(test_guard_notes_what_headers_bring),
		cmocka_unit_test(
		    test_idempotency_key_only_where_it_is_honoured),
		cmocka_unit_test(test_monime_headers_are_refused_with_mono),
		cmocka_unit_test(test_space_is_our_own_or_an_allowed_one),
		cmocka_unit_test(test_body_fits_the_method_and_the_limit),
		cmocka_unit_test(test_allow_names_methods_and_paths),
		cmocka_unit_test(test_empty_allow_list_allows_nothing),
		cmocka_unit_test(test_star_alone_is_all_but_the_root),
		cmocka_unit_test(
		    test_authorize_needs_the_origin_byte_for_byte),
		cmocka_unit_test(
		    test_authorize_needs_allowed_methods_and_paths),
		cmocka_unit_test(test_authorize_goes_by_base_url),
		cmocka_unit_test(
		    test_presented_token_is_judged_before_it_is_sent),
		cmocka_unit_test(
		    test_token_has_at_most_4096_characters_after_its_prefix),
		cmocka_unit_test(test_refusal_of_a_token_does_not_quote_it),
		cmocka_unit_test(test_profile_that_does_not_fit_is_refused),
		cmocka_unit_test(test_check_asks_what_accept_says),
		cmocka_unit_test(test_address_is_compared_as_an_address),
	};

	return cmocka_run_group_tests_name("guard", tests, start, NULL);
}
