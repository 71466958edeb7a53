/* SPDX-License-Identifier: MIT */

/*
 * Profiles: names, keys, forms, rules, where they come from and what they say
 * when they are wrong.
 *
 * Whatever needs files that are root's runs as root, in a folder below /run,
 * whose ancestors are safe; a plain user skips that.  Linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=strdup,--wrap=sodium_malloc it lets
 * every allocation fail in turn as well.  MONIME_ETC is the folder etc/.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf.h"
#include "keys.h"
#include "profile.h"
#include "scan.h"

#ifndef MONIME_ETC
#define MONIME_ETC	"etc"
#endif

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

/* In every secret of these tests, and in no text that anybody gets to see. */
#define CANARY		"CaNaRy"
#define SECRET		"mon_test_" CANARY "0123456789"
#define NOW		1767225600	/* 2026-01-01 */
#define NOBODY		65534

/*
 * Memory that runs short.
 */

static long until_short = -1;	/* allocations; -1: never */

static bool
short_of_memory(void)
{
	if (until_short < 0)
		return false;
	if (until_short == 0)
		return true;
	until_short--;
	return false;
}

void *__real_malloc(size_t size) __attribute__((__weak__));
void *__real_calloc(size_t n, size_t size) __attribute__((__weak__));
char *__real_strdup(const char *s) __attribute__((__weak__));
void *__real_sodium_malloc(size_t size) __attribute__((__weak__));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__wrap_strdup(const char *s);
void *__wrap_sodium_malloc(size_t size);

void *
__wrap_malloc(size_t size)
{
	return short_of_memory() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return short_of_memory() ? NULL : __real_calloc(n, size);
}

char *
__wrap_strdup(const char *s)
{
	return short_of_memory() ? NULL : __real_strdup(s);
}

void *
__wrap_sodium_malloc(size_t size)
{
	return short_of_memory() ? NULL : __real_sodium_malloc(size);
}

/*
 * A text that is read without files.
 */

struct reading {
	struct mn_profile *p;
	struct mn_conf conf;
	struct mn_error e;
	int r;
};

static void
read_bytes(struct reading *g, const struct mn_conf_table *table,
    const void *bytes, size_t len)
{
	struct mn_secret *s = mn_secret_copy(MN_SECRET_GUARDED, bytes, len);

	assert_non_null(s);
	g->e = (struct mn_error)MN_ERROR_INIT;
	g->p = calloc(1, sizeof(*g->p));
	assert_non_null(g->p);
	mn_keys_defaults(g->p);
	g->conf = (struct mn_conf){
		.path = "FILE", .table = table, .p = g->p, .e = &g->e
	};
	g->r = mn_conf_read(&g->conf, s);
	mn_secret_free(s);
	assert_null(strstr(mn_error_get(&g->e), CANARY));
	assert_int_equal(g->r == MONIME_OK, mn_error_get(&g->e)[0] == '\0');
}

static void
read_text(struct reading *g, const struct mn_conf_table *table,
    const char *text)
{
	read_bytes(g, table, text, strlen(text));
}

static void
forget(struct reading *g)
{
	mn_error_free(&g->e);
	mn_keys_free(g->p);
	free(g->p);
}

static void
expect(const struct mn_conf_table *table, const char *text, const char *error)
{
	struct reading g;

	read_text(&g, table, text);
	assert_string_equal(mn_error_get(&g.e), error);
	assert_int_equal(g.r, error[0] == '\0' ? MONIME_OK : MONIME_ECONFIG);
	forget(&g);
}

/* A good profile of one line, and a case from line 2 on. */
static void
expect_profile(const char *text, const char *error)
{
	char whole[16384];

	(void)snprintf(whole, sizeof(whole), "provider = \"monime\";\n%s\n",
	    text);
	expect(&mn_keys_profile, whole, error);
}

static void
expect_host(const char *text, const char *error)
{
	expect(&mn_keys_host, text, error);
}

/*
 * Names.
 */

static void
test_names_of_the_pattern_are_profiles(void **state)
{
	static const char *const good[] = {
		"test/a", "live/a", "test/payouts", "live/0", "test/a_b-c9",
		("test/0123456789012345678901234567890123456789"
		"012345678901234567890123")
	};
	enum mn_environment environment;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(good); i++) {
		assert_true(mn_profile_name(good[i], &environment));
		assert_int_equal(environment,
		    good[i][0] == 'l' ? MN_LIVE : MN_TEST);
	}
}

static void
test_other_names_are_not(void **state)
{
	static const char *const bad[] = {
		"", "test", "test/", "live/", "/a", "a", "prod/a", "Test/a",
		"test/A", "test/-a", "test/_a", "test/.a", "test/a.b",
		"test/a/b", "test//a", "test/../live/x", "test/a ", " test/a",
		"test/a\n", "test/\xc3\xa9", "live\\a", "test/a*",
		("test/0123456789012345678901234567890123456789"
		"0123456789012345678901234")
	};
	enum mn_environment environment;
	struct mn_error e = MN_ERROR_INIT;
	struct mn_profile *p;
	size_t i;

	(void)state;
	assert_false(mn_profile_name(NULL, &environment));
	for (i = 0; i < ROWS(bad); i++) {
		assert_false(mn_profile_name(bad[i], &environment));
		p = (void *)&e;
		assert_int_equal(mn_profile_open(bad[i], "/", NOW, &p, &e),
		    MONIME_EINVAL);
		assert_null(p);
		assert_non_null(strstr(mn_error_get(&e),
		    "test/NAME or live/NAME, where NAME is "
		    "[a-z0-9][a-z0-9_-]{0,63}"));
		mn_error_free(&e);
	}
}

static void
test_a_token_in_a_names_place_is_not_shown(void **state)
{
	struct mn_error e = MN_ERROR_INIT;
	struct mn_profile *p;

	(void)state;
	assert_int_equal(mn_profile_open(SECRET, NULL, NOW, &p, &e),
	    MONIME_EINVAL);
	assert_null(strstr(mn_error_get(&e), CANARY));
	assert_non_null(strstr(mn_error_get(&e), "looks like a token"));
	mn_error_free(&e);
}

static void
test_a_relative_folder_is_invalid(void **state)
{
	struct mn_error e = MN_ERROR_INIT;
	struct mn_profile *p;

	(void)state;
	assert_int_equal(mn_profile_open("test/a", "etc", NOW, &p, &e),
	    MONIME_EINVAL);
	assert_string_equal(mn_error_get(&e), "the configuration folder is an "
	    "absolute path; found \"etc\"");
	mn_error_free(&e);
}

/*
 * The table.
 */

static bool
is_array(const struct mn_conf_key *key)
{
	return key->type == MN_CONF_LIST || key->type == MN_CONF_SET ||
	    key->type == MN_CONF_SECRETS;
}

static bool
is_quantity(const struct mn_conf_key *key)
{
	return key->type == MN_CONF_NUMBER || key->type == MN_CONF_DURATION ||
	    key->type == MN_CONF_SIZE;
}

static bool
is_secret(const struct mn_conf_key *key)
{
	return key->hush || key->type == MN_CONF_SECRET ||
	    key->type == MN_CONF_SECRETS;
}

/* "check = { ttl = VALUE; };" */
static void
assign(char *buf, size_t size, const char *key, const char *value)
{
	const char *dot = strchr(key, '.');

	if (dot == NULL)
		(void)snprintf(buf, size, "%s = %s;", key, value);
	else
		(void)snprintf(buf, size, "%.*s = { %s = %s; };",
		    (int)(dot - key), key, dot + 1, value);
}

/* Is the first line that of the key, and does it say what was found? */
static void
expect_found(const struct mn_conf_table *table, const char *key,
    const char *value, const char *found)
{
	char text[8192], line[8192];
	struct reading g;

	assign(text, sizeof(text), key, value);
	read_text(&g, table, text);
	assert_int_equal(g.r, MONIME_ECONFIG);
	(void)snprintf(line, sizeof(line), "FILE:1: %s: found %s; wanted ",
	    key, found);
	if (strncmp(mn_error_get(&g.e), line, strlen(line)) != 0)
		fail_msg("%s\nis not\n%s", mn_error_get(&g.e), line);
	forget(&g);
}

static void
wrong_types(const struct mn_conf_table *table, const struct mn_conf_key *key)
{
	expect_found(table, key->name, "( )", "a list in ( )");
	if (key->type != MN_CONF_GROUP)
		expect_found(table, key->name, "{ a = true; }", "a group");
	if (key->type != MN_CONF_BOOL)
		expect_found(table, key->name, "TRUE", "true");
	if (!is_array(key))
		expect_found(table, key->name, "[ true ]", "an array of 1");
	if (key->type == MN_CONF_GROUP)
		return;
	if (!is_array(key)) {
		if (!is_quantity(key))
			expect_found(table, key->name, "-5", is_secret(key) ?
			    "a number" : "the number -5");
		expect_found(table, key->name, "\"\"", is_secret(key) ?
		    "an unfit string" : "\"\"");
	} else {
		expect_found(table, key->name, "[ true ]", "true");
		expect_found(table, key->name, "[ 5 ]", is_secret(key) ?
		    "a number" : "the number 5");
		expect_found(table, key->name, "[ \"\" ]", is_secret(key) ?
		    "an unfit string" : "\"\"");
	}
}

static void
test_every_key_refuses_wrong_types(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < mn_keys_profile.n; i++)
		wrong_types(&mn_keys_profile, &mn_keys_profile.key[i]);
	for (i = 0; i < mn_keys_host.n; i++)
		wrong_types(&mn_keys_host, &mn_keys_host.key[i]);
}

static void
value_of(char *buf, size_t size, const struct mn_conf_key *key, int64_t n)
{
	(void)snprintf(buf, size, key->type == MN_CONF_NUMBER ? "%lld" :
	    key->type == MN_CONF_SIZE ? "\"%lld B\"" : "\"%lld ms\"",
	    (long long)n);
}

static bool
in_range(const struct mn_conf_table *table, const struct mn_conf_key *key,
    int64_t n)
{
	char value[64], text[256];
	struct reading g;
	bool good;

	value_of(value, sizeof(value), key, n);
	assign(text, sizeof(text), key->name, value);
	read_text(&g, table, text);
	good = strstr(mn_error_get(&g.e), ": found ") == NULL;
	if (good)
		assert_int_equal(*(int64_t *)mn_conf_field(g.p, key), n);
	forget(&g);
	return good;
}

static void
ranges(const struct mn_conf_table *table)
{
	const struct mn_conf_key *key;
	size_t i;

	for (i = 0; i < table->n; i++) {
		key = &table->key[i];
		if (!is_quantity(key))
			continue;
		assert_true(key->min >= 0 && key->min < key->max);
		assert_true(in_range(table, key, key->min));
		assert_true(in_range(table, key, key->max));
		assert_false(in_range(table, key, key->max + 1));
		assert_false(in_range(table, key, INT64_MAX));
		assert_false(in_range(table, key, 4294967296 + key->min));
		assert_false(in_range(table, key, -1));
		if (key->min > 0)
			assert_false(in_range(table, key, key->min - 1));
	}
}

static void
test_every_quantity_has_its_range(void **state)
{
	(void)state;
	ranges(&mn_keys_profile);
	ranges(&mn_keys_host);
}

/* Strings that each form takes, and strings that it does not. */
static const struct {
	const char *key;
	const char *good[8];
	const char *bad[24];
} forms[] = {
	{ "provider", { "monime", "mono" },
	    { "Monime", "monime ", "stripe" } },
	{ "product", { "banking", "core", "breb", "wallet" },
	    { "Banking", "bre-b" } },
	{ "token", { SECRET, "x" },
	    { CANARY " ", " " CANARY, CANARY "\xc3\xa9", CANARY "\x7f" } },
	{ "token_file", { "/a", "/a b/c" }, { "a", "./a", "~/a", "/",
	    "/a\x01" } },
	{ "space", { "spc-a", "spc-k6QmvUn4e8DJpQfTEbZoKDxyZAZ" },
	    { "spc-", "a", "SPC-a", "spc-a b", "spc-\xc3\xa9",
	    "spc-012345678901234567890123456789012345678901234567890123456"
	    "7890" } },
	{ "version", { "caph.2025-08-23" }, { "a b",
	    "0123456789012345678901234567890123456789012345678901234567890"
	    "1234" } },
	{ "base_url", { "https://api.monime.io", "https://localhost:8443",
	    "https://127.0.0.1:1", "https://[::1]:65535", "https://[::1]",
	    "https://a-b.c0", "https://xn--a" },
	    { "http://api.monime.io", "https://", "https://Api.monime.io",
	    "https://a/", "https://a/v1", "https://a?b", "https://a#b",
	    "https://u:p@a", "https://a:", "https://a:0", "https://a:65536",
	    "https://-a", "https://a..b", "https://a.", "https://[::g]",
	    "HTTPS://a", "https://a-", "https://a-.b", "https://[]",
	    "https://[::1", "https://[::1]a", "https://[127.0.0.1]",
	    "https://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]" } },
	{ "owner", { "Ms \xc3\x89xample <a@example.com>" },
	    { "a\tb", "a\x7f" } },
	{ "purpose", { "payouts" }, { "\x1b[31m" } },
	{ "scope", { "payouts" }, { "\x01" } },
	{ "rotate_by", { "2026-01-01", "1970-01-01", "2028-02-29" },
	    { "2026-02-29", "2026-1-1", "26-01-01", "2026-13-01", "tomorrow",
	    "2026-01-01 ", "1969-12-31" } },
	{ "expires", { "2026-12-31" }, { "2026-12-32", "never" } },
	{ "allow.spaces", { "spc-a" }, { "a" } },
	{ "allow.methods", { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" },
	    { "get", "CONNECT", "OPTIONS", "*", "GET " } },
	{ "allow.paths", { "/", "/v1/payouts", "/v1/*", "/*" },
	    { "v1", "*", "/v1*", "/*/a", "/v1/**", "/a b", "/\xc3\xa9",
	    "/a*/*", "/a?b", "/a?", "/a?b/*", "/a;b", "/a#b" } },
	{ "allow.addresses", { "192.0.2.7", "2001:db8::7", "::" },
	    { "192.0.2", "192.0.2.0/24", "example.com", "1.2.3.256", ":" } },
	{ "check.accept", { "space", "path", "any" }, { "none", "Any" } },
	{ "check.path", { "/", "/v1/a?b=1" }, { "v1", "/a b" } },
	{ "oauth2.token_url", { "https://a/", "https://a:1/b?c",
	    "https://[::1]:8443/oauth/token" },
	    { "https://a", "https://a:1", "http://a/b", "https://a#b",
	    "https://a/b#c", "https://u:p@a/b", "https://u@a/b", "https://a?b",
	    "https://a/b c", "https://A/b" } },
	{ "oauth2.grant", { "client_credentials", "password" },
	    { "refresh_token" } },
	{ "oauth2.client_id", { "a", "a b" }, { "a\x7f" } },
	{ "oauth2.client_secret", { CANARY, CANARY " b", CANARY "\xc3\xa9" },
	    { CANARY " ", " " CANARY, CANARY "\t", CANARY "\x7f" } },
	{ "oauth2.client_secret_file", { "/a" }, { "a" } },
	{ "oauth2.username", { "a b" }, { "a\x01" } },
	{ "oauth2.password", { CANARY " b" }, { CANARY "\x01" } },
	{ "oauth2.password_file", { "/a" }, { "a" } },
	{ "oauth2.scope", { "a b:readonly" }, { "a\x01" } },
	{ "oauth2.audience", { "https://a" }, { "a b" } },
	{ "oauth2.auth", { "post", "basic" }, { "none" } },
	{ "oauth2.body", { "form", "json" }, { "xml" } },
	{ "oauth2.extra", { "a=", "a.b-c_d=e f" }, { CANARY, "=" CANARY,
	    CANARY " a=b", "a=" CANARY "\x01" } },
	{ "webhook.secrets", { CANARY "0123456789", CANARY "012 456789" },
	    { CANARY "012345678", CANARY "0123456789 " } },
	{ "webhook.secret_files", { "/a" }, { "a" } },
	{ "environments", { "test", "live" }, { "Live", "sandbox", "*" } },
	{ "proxy", { "http://proxy:3128", "http://192.0.2.7:80",
	    "http://[::1]:3128" },
	    { "proxy:3128", "http://proxy", "https://proxy:3128",
	    "http://u:" CANARY "@proxy:3128", "http://u@proxy:3128",
	    "http://proxy:3128/", "socks5://proxy:1080", "http://:3128" } },
	{ "ca_file", { "/a.pem" }, { "a.pem" } },
	{ "ca_path", { "/a" }, { "a" } },
};

static bool
takes(const struct mn_conf_table *table, const struct mn_conf_key *key,
    const char *s)
{
	char value[512], text[1024], line[64];
	struct reading g;
	bool good;

	(void)snprintf(value, sizeof(value),
	    is_array(key) ? "[ \"%s\" ]" : "\"%s\"", s);
	assign(text, sizeof(text), key->name, value);
	read_text(&g, table, text);
	good = strstr(mn_error_get(&g.e), ": found ") == NULL;
	(void)snprintf(line, sizeof(line), "FILE:1: %s: found ", key->name);
	if (!good)
		assert_ptr_equal(strstr(mn_error_get(&g.e), line),
		    mn_error_get(&g.e));
	forget(&g);
	return good;
}

static const struct mn_conf_key *
find(const struct mn_conf_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->n; i++) {
		if (strcmp(table->key[i].name, name) == 0)
			return &table->key[i];
	}
	return NULL;
}

static void
test_every_string_has_its_form(void **state)
{
	const struct mn_conf_table *table;
	const struct mn_conf_key *key;
	size_t i, j;

	(void)state;
	for (i = 0; i < ROWS(forms); i++) {
		table = &mn_keys_profile;
		if (find(table, forms[i].key) == NULL)
			table = &mn_keys_host;
		key = find(table, forms[i].key);
		assert_non_null(key);
		for (j = 0; j < ROWS(forms[i].good) && forms[i].good[j]; j++)
			if (!takes(table, key, forms[i].good[j]))
				fail_msg("%s: %s", key->name,
				    forms[i].good[j]);
		for (j = 0; j < ROWS(forms[i].bad) && forms[i].bad[j]; j++)
			if (takes(table, key, forms[i].bad[j]))
				fail_msg("%s: %s", key->name, forms[i].bad[j]);
	}
}

static void
test_no_key_is_without_a_case_above(void **state)
{
	const struct mn_conf_key *key;
	const char *name;
	size_t i, j, n = 0;

	(void)state;
	for (i = 0; (name = mn_profile_key(i)) != NULL; i++) {
		key = find(&mn_keys_profile, name);
		if (key == NULL)
			key = find(&mn_keys_host, name);
		assert_non_null(key);
		assert_int_not_equal(key->type, MN_CONF_GROUP);
		assert_true(strlen(name) <= MN_SCAN_NAME);
		for (j = 0; j < ROWS(forms); j++)
			n += strcmp(forms[j].key, name) == 0;
		if (!is_quantity(key) && key->type != MN_CONF_BOOL)
			assert_int_equal(n, 1);
		n = 0;
	}
	assert_int_equal(i, 57);
	assert_null(mn_profile_key(i + 1));
}

static void
test_limits_of_length_and_number(void **state)
{
	char text[8192], value[4096];
	struct reading g;
	size_t i;

	(void)state;
	memset(value, 'a', sizeof(value));
	value[256] = '\0';
	(void)snprintf(text, sizeof(text), "owner = \"%s\";", value);
	expect_profile(text, "");
	value[256] = 'a';
	value[257] = '\0';
	(void)snprintf(text, sizeof(text), "owner = \"%s\";", value);
	expect_profile(text, "FILE:2: owner: found a string of 257 bytes; "
	    "wanted 1 to 256 bytes of text without control characters");

	(void)snprintf(text, sizeof(text), "%s", "allow = { methods = [ ");
	for (i = 0; i < 257; i++)
		(void)snprintf(text + strlen(text), 16, "%s\"GET\"",
		    i > 0 ? ", " : "");
	(void)snprintf(text + strlen(text), 16, " ]; };");
	expect_profile(text, "FILE:2: allow.methods: found an array of 257; "
	    "wanted up to 256 strings in [ ], each \"GET\" or \"HEAD\" or "
	    "\"POST\" or \"PUT\" or \"PATCH\" or \"DELETE\"");

	expect_profile("webhook = { secrets = [ \"1\", \"2\", \"3\", \"4\", "
	    "\"5\", \"6\", \"7\", \"8\", \"9\" ]; };",
	    "FILE:2: webhook.secrets: found an array of 9; wanted up to 8 "
	    "strings in [ ], each 16 to 8192 bytes, no control character, no "
	    "space at either end");

	read_text(&g, &mn_keys_profile, "allow = { methods = []; };");
	assert_true(g.p->allow.methods.set);
	assert_int_equal(g.p->allow.methods.n, 0);
	assert_false(g.p->allow.paths.set);
	forget(&g);
}

/*
 * What an error says.
 */

static void
test_errors_are_lines_to_act_upon(void **state)
{
	(void)state;
	expect_profile("check = {\n\tttl = \"61 min\";\n};",
	    "FILE:3: check.ttl: found \"61 min\"; wanted a number and its "
	    "unit, from \"0 s\" to \"1 h\"");
	expect_profile("check = { ttl = 60; };",
	    "FILE:2: check.ttl: found the number 60; wanted a number and its "
	    "unit, from \"0 s\" to \"1 h\"");
	expect_profile("max_answer = \"65 MiB\";",
	    "FILE:2: max_answer: found \"65 MiB\"; wanted a number and its "
	    "unit, from \"1 KiB\" to \"64 MiB\"");
	expect_profile("timeout = \"99 ms\";",
	    "FILE:2: timeout: found \"99 ms\"; wanted a number and its unit, "
	    "from \"100 ms\" to \"10 min\"");
	expect_profile("retry = { attempts = 11; };",
	    "FILE:2: retry.attempts: found the number 11; wanted a whole "
	    "number from 1 to 10");
	expect_profile("retry = { attempts = \"3\"; };",
	    "FILE:2: retry.attempts: found \"3\"; wanted a whole number from 1 "
	    "to 10");
	expect_profile("retry = 3;",
	    "FILE:2: retry: found a number; wanted a group: "
	    "retry = { ... };");
	expect_profile("confirm_environment = \"true\";",
	    "FILE:2: confirm_environment: found \"true\"; wanted true or "
	    "false, without quotes");
	expect_profile("expires = \"31.12.2026\";",
	    "FILE:2: expires: found \"31.12.2026\"; wanted a date in quotes, "
	    "\"YYYY-MM-DD\"");
	expect_profile("check = { accept = \"all\"; };",
	    "FILE:2: check.accept: found \"all\"; wanted \"space\" or \"path\" "
	    "or \"any\"");
	expect_profile("allow = { methods = [\n\"GET\",\n\n\"get\"\n\n]; };",
	    "FILE:5: allow.methods: found \"get\"; wanted up to 256 strings "
	    "in [ ], each \"GET\" or \"HEAD\" or \"POST\" or \"PUT\" or "
	    "\"PATCH\" or \"DELETE\"");
	expect_profile("token = \"" CANARY " \";",
	    "FILE:2: token: found an unfit string; wanted 1 to 8192 visible "
	    "ASCII characters");
}

static void
test_unknown_keys_are_errors(void **state)
{
	(void)state;
	expect_profile("tokn = \"" CANARY "\";",
	    "FILE:2: tokn: unknown key; is token meant?");
	expect_profile("check = { tll = \"1 s\"; };",
	    "FILE:2: check.tll: unknown key; is check.ttl meant?");
	expect_profile("frobnicate = { a = \"" CANARY "\"; };",
	    "FILE:2: frobnicate: unknown key");
	expect_profile("check = { oauth2 = { a = 1; }; };",
	    "FILE:2: check.oauth2: unknown key");
	expect_host("token = \"" CANARY "\";", "FILE:1: token: unknown key");
	expect_host("environment = [ \"live\" ];",
	    "FILE:1: environment: unknown key; is environments meant?");
}

static void
test_all_errors_of_a_file_are_told_at_once(void **state)
{
	(void)state;
	expect(&mn_keys_profile,
	    "tokn = \"" CANARY "\";\n"
	    "check = { ttl = \"2 h\";\n"
	    "          entries = 1; };\n"
	    "allow = { methods = [ \"get\",\n"
	    "    \"put\" ]; };\n"
	    "token = \"" CANARY "\"; token_file = \"/a\";\n",
	    "FILE:1: tokn: unknown key; is token meant?\n"
	    "FILE:2: check.ttl: found \"2 h\"; wanted a number and its unit, "
	    "from \"0 s\" to \"1 h\"\n"
	    "FILE:3: check.entries: found the number 1; wanted a whole number "
	    "from 64 to 1048576\n"
	    "FILE:4: allow.methods: found \"get\"; wanted up to 256 strings "
	    "in [ ], each \"GET\" or \"HEAD\" or \"POST\" or \"PUT\" or "
	    "\"PATCH\" or \"DELETE\"\n"
	    "FILE:5: allow.methods: found \"put\"; wanted up to 256 strings "
	    "in [ ], each \"GET\" or \"HEAD\" or \"POST\" or \"PUT\" or "
	    "\"PATCH\" or \"DELETE\"\n"
	    "FILE: provider is missing; add it\n"
	    "FILE:6: token: token_file (line 6) does not go with it; take one "
	    "out");
}

static void
test_a_syntax_error_stands_alone(void **state)
{
	(void)state;
	expect_profile("tokn = 1;\ncheck = {\n", "FILE:5: syntax error");
	expect_profile("token = ;", "FILE:2: syntax error");
	expect_profile("token = " CANARY ";", "FILE:2: syntax error");
	expect_profile("token = mon_test_" CANARY "_0123456789abcdef;",
	    "FILE:2: text that is neither a key nor in quotes");
	expect_profile("\"token\" = 1;", "FILE:2: syntax error");
	expect_profile("token = \"" CANARY "\" \"" CANARY "\";",
	    "FILE:2: syntax error");
	expect_profile("allow = { methods = [ \"GET\", true ]; };",
	    "FILE:2: mismatched element type in array");
}

static void
test_duplicate_keys_are_errors(void **state)
{
	(void)state;
	expect_profile("token = \"" CANARY "\";\ntoken = \"a\";",
	    "FILE:3: duplicate setting name");
	expect_profile("check = { ttl = \"1 s\";\nttl = \"2 s\"; };",
	    "FILE:3: duplicate setting name");
	expect_profile("check = { ttl = \"1 s\"; };\n"
	    "check = { stale = \"2 s\"; };",
	    "FILE:3: duplicate setting name");
}

static void
test_includes_are_refused(void **state)
{
	static const char line[] = "FILE:2: @include is not supported: what a "
	    "file says must stand in it";

	(void)state;
	expect_profile("@include \"/etc/monime/live/x.conf\"", line);
	expect_profile(" \t@include \"x\"", line);
	expect_profile("check = { @include \"x\" };", line);
	expect_profile("/* */ @include \"x\"", line);
	expect_profile("@ include", line);
	expect_profile("# @include \"x\"\n// @include\n/*\n@include \"x\"\n*/",
	    "");
	expect_profile("purpose = \"@include\";", "");
}

static void
test_numbers_never_become_others(void **state)
{
	static const struct {
		const char *number;
		const char *found;
	} numbers[] = {
		{ "4294967360", "4294967360" }, { "-4294967232",
		"-4294967232" }, { "4294967360L", "4294967360L" },
		{ "0x40", "0x40" }, { "64.0", "64.0" }, { "6.4e1", "6.4e1" },
		{ "64L", "64L" }, { "+64", "+64" }, { "0b1000000",
		"0b1000000" }, { "1e999999", "1e999999" },
		{ "18446744073709551680", "18446744073709551680" },
		{ "184467440737095516801844674407370955168018446744",
		"18446744073709551680..." }
	};
	char text[256], line[256];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(numbers); i++) {
		(void)snprintf(text, sizeof(text),
		    "check = {\nentries = %s; };", numbers[i].number);
		(void)snprintf(line, sizeof(line),
		    "FILE:3: check.entries: found the number %s; wanted a "
		    "whole number from 64 to 1048576", numbers[i].found);
		expect_profile(text, line);
	}
	expect_profile("check = { entries = 64; };", "");
}

static void
test_bytes_that_no_text_has_are_refused(void **state)
{
	static const char nul[] =
	    "provider = \"monime\";\n\npurpose = \"a\0b\";";
	static char large[MN_SCAN_MAX + 1];
	struct reading g;

	(void)state;
	read_bytes(&g, &mn_keys_profile, nul, sizeof(nul) - 1);
	assert_string_equal(mn_error_get(&g.e), "FILE:3: a NUL byte");
	forget(&g);
	memset(large, ' ', sizeof(large));
	read_bytes(&g, &mn_keys_profile, large, sizeof(large));
	assert_string_equal(mn_error_get(&g.e), "FILE: too large");
	forget(&g);
	expect_profile("purpose = \"a\\x00\";", "FILE:2: in a string, \\ can "
	    "only precede \" or \\");
	expect_profile("purpose = \"a\\", "FILE:2: in a string, \\ can only "
	    "precede \" or \\");
	expect_profile("purpose = \"a\nb\";", "FILE:2: a string must end on "
	    "the line where it begins");
	expect_profile("\npurpose = \"" CANARY, "FILE:3: a string must end on "
	    "the line where it begins");
	expect_profile("/* " CANARY "\n\n", "FILE:2: a comment without its "
	    "end");
	expect_profile("a = ((((((((((1))))))))));", "FILE:2: brackets are "
	    "nested too deeply");
	expect_profile("purpose = /a;", "FILE:2: syntax error");
	expect_profile("}]);", "FILE:2: syntax error");
}

static void
test_what_is_neither_shown_nor_kept(void **state)
{
	(void)state;
	expect_profile("space = \"" SECRET "\";",
	    "FILE:2: space: found what looks like a token; wanted \"spc-\" and "
	    "up to 60 visible ASCII characters");
	expect_profile("base_url = \"https://u:" CANARY "@a\";",
	    "FILE:2: base_url: found a string of 18 bytes; wanted "
	    "\"https://\", a host in lower case, perhaps \":PORT\", no more");
	expect_host("proxy = \"http://u:" CANARY "@a:1\";",
	    "FILE:1: proxy: found a string of 19 bytes; wanted "
	    "\"http://HOST:PORT\", without user or password");
}

/* What the scanner hands to libconfig. */
static void
test_libconfig_sees_no_secret(void **state)
{
	char s[] = "# old: " CANARY "\n"
	    "token = \"" CANARY "\\\"" CANARY "\"; // " CANARY "\n"
	    "/* " CANARY "\n */ n = 123456;";
	struct mn_text out = MN_TEXT_INIT(sizeof(s) * MN_SCAN_GROWTH);
	struct mn_error e = MN_ERROR_INIT;
	struct mn_literal l;

	(void)state;
	assert_int_equal(mn_scan("FILE", s, sizeof(s) - 1, &out, &e),
	    MONIME_OK);
	assert_string_equal(mn_text_get(&out),
	    "\ntoken =  46 ; \n \n n =  137 ;");
	assert_true(mn_scan_literal(s, sizeof(s) - 1, 46, &l));
	assert_string_equal(l.s, CANARY "\"" CANARY);
	assert_false(l.number);
	assert_int_equal(mn_scan_line(s, l.offset), 2);
	assert_true(mn_scan_literal(s, sizeof(s) - 1, 137, &l));
	assert_true(l.number);
	assert_int_equal(l.len, 6);
	assert_false(mn_scan_literal(s, sizeof(s) - 1, 999, &l));
	assert_false(mn_scan_literal(s, sizeof(s) - 1, -1, &l));
	mn_text_free(&out);
	mn_error_free(&e);
}

/*
 * Rules between keys.
 */

static void
test_keys_that_need_or_exclude_others(void **state)
{
	static const char client[] = "token_url = \"https://a/b\"; "
	    "client_id = \"a\"; client_secret = \"" CANARY "\"; ";
	char text[1024];
	size_t i;
	static const struct {
		const char *more;
		const char *error;
	} more[] = {
		{ "", "" },
		{ "grant = \"password\";", "FILE:2: oauth2.grant = "
		"\"password\": oauth2.username is missing; add it\n"
		"FILE:2: oauth2.grant = \"password\": oauth2.password or "
		"oauth2.password_file is missing; add one" },
		{ "username = \"a\";", "FILE: oauth2.grant = "
		"\"client_credentials\": oauth2.username (line 2) does not go "
		"with it; take one out" },
		{ "client_secret_file = \"/a\";", "FILE:2: "
		"oauth2.client_secret: oauth2.client_secret_file (line 2) "
		"does not go with it; take one out" },
	};

	(void)state;
	expect(&mn_keys_profile, "", "FILE: provider is missing; add it");
	expect(&mn_keys_profile, "provider = \"mono\";",
	    "FILE:1: provider = \"mono\": product is missing; add it");
	expect_profile("product = \"core\";", "FILE:1: provider = \"monime\": "
	    "product (line 2) does not go with it; take one out");
	expect_profile("oauth2 = { };",
	    "FILE: oauth2.grant = \"client_credentials\": oauth2.client_secret "
	    "or oauth2.client_secret_file is missing; add one");
	expect_profile("webhook = { };", "FILE:2: webhook: webhook.secrets or "
	    "webhook.secret_files is missing; add one");
	expect_host("ca_file = \"/a\";\nca_path = \"/b\";",
	    "FILE:1: ca_file: ca_path (line 2) does not go with it; take one "
	    "out");
	for (i = 0; i < ROWS(more); i++) {
		(void)snprintf(text, sizeof(text), "oauth2 = { %s%s };",
		    client, more[i].more);
		expect_profile(text, more[i].error);
	}
	(void)snprintf(text, sizeof(text), "token = \"" CANARY "\";\n"
	    "oauth2 = { %s };", client);
	expect_profile(text, "FILE:3: oauth2: token (line 2) does not go with "
	    "it; take one out");
}

static void
test_defaults(void **state)
{
	struct reading g;

	(void)state;
	read_text(&g, &mn_keys_profile, "provider = \"monime\";");
	assert_int_equal(g.r, MONIME_OK);
	assert_true(g.p->host.environments[MN_TEST]);
	assert_false(g.p->host.environments[MN_LIVE]);
	assert_int_equal(g.p->check.accept, MN_ACCEPT_DEFAULT);
	assert_null(g.p->check.path);
	assert_int_equal(g.p->check.ttl, 60000);
	assert_int_equal(g.p->check.negative_ttl, 5000);
	assert_int_equal(g.p->check.stale, 0);
	assert_int_equal(g.p->check.entries, 8192);
	assert_int_equal(g.p->check.timeout, 3000);
	assert_int_equal(g.p->check.probes, 64);
	assert_int_equal(g.p->check.probe_rate, 50);
	assert_int_equal(g.p->attempts, 3);
	assert_int_equal(g.p->timeout, 30000);
	assert_int_equal(g.p->connect_timeout, 5000);
	assert_int_equal(g.p->max_answer, 8388608);
	assert_int_equal(g.p->connections, 64);
	assert_true(g.p->confirm_environment);
	assert_int_equal(g.p->reload, 10000);
	assert_int_equal(g.p->rotate_by, -1);
	assert_int_equal(g.p->expires, -1);
	assert_int_equal(g.p->oauth2.margin, -1);
	assert_int_equal(g.p->oauth2.default_lifetime, 300000);
	assert_int_equal(g.p->webhook.tolerance, 300000);
	assert_null(g.p->oauth2.grant);
	assert_false(g.p->allow.methods.set);
	forget(&g);

	read_text(&g, &mn_keys_profile, "oauth2 = { };");
	assert_string_equal(g.p->oauth2.grant, "client_credentials");
	assert_string_equal(g.p->oauth2.auth, "post");
	assert_string_equal(g.p->oauth2.body, "form");
	forget(&g);
}

static void
test_values_arrive(void **state)
{
	struct reading g;

	(void)state;
	read_text(&g, &mn_keys_profile,
	    "provider : \"mono\", product : \"breb\"\n"
	    "token = \"" SECRET "\";\r\n"
	    "expires = \"2026-01-02\";\n"
	    "purpose = \"a \\\"b\\\" \\\\ # no // comment /* at all\";\n"
	    "confirm_environment = False;\n"
	    "check = { accept = \"any\"; ttl = \"1min\"; };\n"
	    "allow = { methods = [ \"GET\", \"PUT\" ]; };\n"
	    "webhook = { secrets = [ \"" CANARY "0123456789\",\n"
	    "    \"" CANARY "9876543210\" ]; };\n");
	assert_string_equal(mn_error_get(&g.e), "");
	assert_string_equal(g.p->product, "breb");
	assert_string_equal(mn_secret_get(g.p->token), SECRET);
	assert_int_equal(g.p->expires, 20455);
	assert_string_equal(g.p->purpose,
	    "a \"b\" \\ # no // comment /* at all");
	assert_false(g.p->confirm_environment);
	assert_int_equal(g.p->check.accept, MN_ACCEPT_ANY);
	assert_int_equal(g.p->check.ttl, 60000);
	assert_int_equal(g.p->allow.methods.n, 2);
	assert_string_equal(g.p->allow.methods.item[1], "PUT");
	assert_int_equal(g.p->webhook.n, 2);
	assert_string_equal(mn_secret_get(g.p->webhook.secret[1]),
	    CANARY "9876543210");
	forget(&g);

	read_text(&g, &mn_keys_host, "environments = [ \"live\" ];");
	assert_false(g.p->host.environments[MN_TEST]);
	assert_true(g.p->host.environments[MN_LIVE]);
	forget(&g);
}

/*
 * The samples of etc/.
 */

static size_t
slurp(const char *name, char *buf, size_t size)
{
	char path[512];
	FILE *f;
	size_t len;

	(void)snprintf(path, sizeof(path), MONIME_ETC "/%s", name);
	f = fopen(path, "re");
	if (f == NULL)
		fail_msg("%s: cannot be read", path);
	len = fread(buf, 1, size - 1, f);
	buf[len] = '\0';
	(void)fclose(f);
	return len;
}

/* Every "#key = value" of a sample; prose has a space behind its "#". */
static void
uncomment(char *s)
{
	char *p;

	for (p = strchr(s, '#'); p != NULL; p = strchr(p + 1, '#')) {
		if (p[1] != ' ' && p[1] != '\n' &&
		    (p == s || p[-1] == '\n' || p[-1] == '\t'))
			*p = ' ';
	}
}

static void
test_samples_are_good(void **state)
{
	static const char *const samples[] = {
		"profiles/monime.conf", "profiles/mono-banking.conf",
		"profiles/mono-core.conf", "profiles/mono-breb.conf",
		"profiles/mono-wallet.conf"
	};
	char text[16384];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(samples); i++) {
		(void)slurp(samples[i], text, sizeof(text));
		expect(&mn_keys_profile, text, "");
		uncomment(text);
		expect(&mn_keys_profile, text, "");
	}
	(void)slurp("monime.conf", text, sizeof(text));
	expect_host(text, "");
}

static void
test_samples_tell_the_true_defaults(void **state)
{
	char text[16384];
	const struct mn_conf_key *key;
	struct reading defaults, told;
	size_t i;

	(void)state;
	read_text(&defaults, &mn_keys_profile, "provider = \"monime\";");
	(void)slurp("profiles/monime.conf", text, sizeof(text));
	uncomment(text);
	read_text(&told, &mn_keys_profile, text);
	for (i = 0; i < mn_keys_profile.n; i++) {
		key = &mn_keys_profile.key[i];
		if (is_quantity(key))
			assert_int_equal(
			    *(int64_t *)mn_conf_field(defaults.p, key),
			    *(int64_t *)mn_conf_field(told.p, key));
	}
	assert_int_equal(told.p->confirm_environment,
	    defaults.p->confirm_environment);
	forget(&told);

	(void)slurp("monime.conf", text, sizeof(text));
	uncomment(text);
	read_text(&told, &mn_keys_host, text);
	assert_true(told.p->host.environments[MN_TEST]);
	assert_false(told.p->host.environments[MN_LIVE]);
	assert_int_equal(told.p->timeout, defaults.p->timeout);
	assert_int_equal(told.p->connect_timeout,
	    defaults.p->connect_timeout);
	assert_int_equal(told.p->check.timeout, defaults.p->check.timeout);
	assert_string_equal(told.p->host.ca_path, MONIME_CA_PATH);
	forget(&told);
	forget(&defaults);
}

/* The first example is the host's file, the others are profiles. */
static void
test_examples_of_the_manual_are_good(void **state)
{
	char text[65536], *p, *end;
	size_t n = 0;

	(void)state;
	(void)slurp("monime.conf.5", text, sizeof(text));
	p = strstr(text, ".Sh EXAMPLES");
	assert_non_null(p);
	while ((p = strstr(p, ".Bd -literal")) != NULL) {
		p = strchr(p, '\n') + 1;
		end = strstr(p, ".Ed");
		assert_non_null(end);
		*end = '\0';
		expect(n++ == 0 ? &mn_keys_host : &mn_keys_profile, p, "");
		p = end + 1;
	}
	assert_int_equal(n, 4);
}

static void
test_no_prefix_of_a_sample_does_harm(void **state)
{
	char text[16384];
	struct reading g;
	size_t len, i;

	(void)state;
	len = slurp("profiles/monime.conf", text, sizeof(text));
	uncomment(text);
	for (i = 0; i < len; i += 7) {
		read_bytes(&g, &mn_keys_profile, text, i);
		forget(&g);
	}
}

/*
 * Files.
 */

static char folder[64];

static void
in_folder(char *path, size_t size, const char *name)
{
	(void)snprintf(path, size, "%s/%s", folder, name);
}

static void
put_bytes(const char *name, mode_t mode, const void *bytes, size_t len)
{
	char path[256];
	int fd;

	if (name[0] == '/')
		(void)snprintf(path, sizeof(path), "%s", name);
	else
		in_folder(path, sizeof(path), name);
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len ||
	    fchmod(fd, mode) != 0)
		abort();
	(void)close(fd);
}

static void
put(const char *name, mode_t mode, const char *text)
{
	put_bytes(name, mode, text, strlen(text));
}

static int
clear(const char *path)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return system(command);
}

static int
make_folder(void **state)
{
	char path[128];

	(void)state;
	if (geteuid() != 0)
		return 0;
	(void)snprintf(folder, sizeof(folder), "/run/monime-test-XXXXXX");
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	in_folder(path, sizeof(path), "test");
	if (mkdir(path, 0700) != 0)
		return -1;
	in_folder(path, sizeof(path), "live");
	return mkdir(path, 0700);
}

static int
remove_folder(void **state)
{
	(void)state;
	return geteuid() == 0 ? clear(folder) : 0;
}

static void
needs_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skipped: needs files that are root's\n");
	skip();
}

struct opened {
	struct mn_profile *p;
	struct mn_error e;
	int r;
};

static void
open_at(struct opened *o, const char *name, int64_t now)
{
	o->e = (struct mn_error)MN_ERROR_INIT;
	o->p = (void *)o;
	o->r = mn_profile_open(name, folder, now, &o->p, &o->e);
}

static void
shut(struct opened *o)
{
	mn_profile_free(o->p);
	mn_error_free(&o->e);
}

static void
open_good(struct opened *o, const char *name)
{
	open_at(o, name, NOW);
	if (o->r != MONIME_OK)
		fail_msg("%s", mn_error_get(&o->e));
	assert_non_null(o->p);
	assert_string_equal(mn_error_get(&o->e), "");
}

static void
open_bad(const char *name, int code, const char *says)
{
	char wanted[512], *mark;
	struct opened o;

	open_at(&o, name, NOW);
	assert_int_equal(o.r, code);
	assert_null(o.p);
	assert_null(strstr(mn_error_get(&o.e), CANARY));
	/* "@" stands for the folder. */
	mark = strchr(says, '@');
	if (mark != NULL)
		(void)snprintf(wanted, sizeof(wanted), "%.*s%s%s",
		    (int)(mark - says), says, folder, mark + 1);
	else
		(void)snprintf(wanted, sizeof(wanted), "%s", says);
	if (strstr(mn_error_get(&o.e), wanted) == NULL)
		fail_msg("%s\nhas not\n%s", mn_error_get(&o.e), wanted);
	shut(&o);
}

#define PLAIN	"provider = \"monime\";\n"

static bool
recorded(const struct mn_profile *p, const char *name, bool there)
{
	static const struct mn_safefile_id none;
	char path[256];
	size_t i;

	in_folder(path, sizeof(path), name);
	for (i = 0; i < p->nfiles; i++) {
		if (strcmp(p->file[i].path, path) == 0)
			return mn_safefile_same(&p->file[i].id, &none) !=
			    there;
	}
	return false;
}

static void
test_a_profile_opens(void **state)
{
	struct opened o;

	(void)state;
	needs_root();
	put("test/a.conf", 0600, PLAIN "base_url = \"https://a\";\n");
	open_good(&o, "test/a");
	assert_string_equal(o.p->name, "test/a");
	assert_int_equal(o.p->environment, MN_TEST);
	assert_string_equal(o.p->path + strlen(folder), "/test/a.conf");
	assert_string_equal(o.p->provider, "monime");
	assert_int_equal(o.p->base_url_line, 2);
	assert_null(o.p->token);
	assert_null(o.p->token_file);
	assert_string_equal(o.p->host.ca_path, MONIME_CA_PATH);
	assert_null(o.p->host.ca);
	assert_string_equal(mn_error_get(&o.p->warnings), "");
	assert_int_equal(o.p->nfiles, 3);
	assert_true(recorded(o.p, "monime.conf", false));
	assert_true(recorded(o.p, "test/a.conf", true));
	assert_true(recorded(o.p, "test/a.token", false));
	shut(&o);
}

static void
test_a_missing_profile_is_an_error(void **state)
{
	(void)state;
	needs_root();
	open_bad("test/a", MONIME_ECONFIG, "@/test/a.conf");
}

static void
test_nothing_falls_through_to_another_profile(void **state)
{
	(void)state;
	needs_root();
	put("monime.conf", 0644, "environments = [\"test\", \"live\"];");
	put("test/a.conf", 0600, PLAIN);
	open_bad("live/a", MONIME_ECONFIG, "@/live/a.conf");
}

static void
test_an_unsafe_profile_is_refused(void **state)
{
	char path[128];

	(void)state;
	needs_root();
	put("test/a.conf", 0640, PLAIN);
	open_bad("test/a", MONIME_EUNSAFE, "@/test/a.conf");
	put("test/a.conf", 0600, PLAIN);
	put("test/a.token", 0644, SECRET);
	open_bad("test/a", MONIME_EUNSAFE, "@/test/a.token");
	put("test/a.token", 0600, SECRET);
	put("monime.conf", 0666, "");
	open_bad("test/a", MONIME_EUNSAFE, "@/monime.conf");
	put("monime.conf", 0644, "");
	in_folder(path, sizeof(path), "test");
	assert_int_equal(chmod(path, 0777), 0);
	open_bad("test/a", MONIME_EUNSAFE, "@/test");
}

static void
test_the_host_must_allow_an_environment(void **state)
{
	(void)state;
	needs_root();
	/* Told before the profile is looked for: there is none. */
	open_bad("live/a", MONIME_EENVIRONMENT, "@/monime.conf: this host may "
	    "not use live profiles, which move real money; to allow them, add "
	    "the line environments = [ \"test\", \"live\" ];");
	put("monime.conf", 0644, "environments = [ \"test\" ];");
	open_bad("live/a", MONIME_EENVIRONMENT, "change its line to "
	    "environments = [ \"test\", \"live\" ];");
	put("monime.conf", 0644, "environments = [ ];");
	open_bad("live/a", MONIME_EENVIRONMENT, "environments = [ \"live\" ];");
	put("monime.conf", 0644, "environments = [ \"live\" ];");
	open_bad("test/a", MONIME_EENVIRONMENT, "@/monime.conf: this host may "
	    "not use test profiles; to allow them, change its line to "
	    "environments = [ \"test\", \"live\" ];");
}

static void
test_live_opens_where_it_is_allowed(void **state)
{
	struct opened o;

	(void)state;
	needs_root();
	put("monime.conf", 0644, "environments = [ \"live\" ];");
	put("live/a.conf", 0600, PLAIN);
	open_good(&o, "live/a");
	assert_int_equal(o.p->environment, MN_LIVE);
	assert_string_equal(mn_error_get(&o.p->warnings), "");
	shut(&o);
}

static void
test_the_hosts_values_hold_unless_the_profile_has_its_own(void **state)
{
	struct opened o;

	(void)state;
	needs_root();
	put("monime.conf", 0644, "timeout = \"11 s\"; connect_timeout = "
	    "\"2 s\"; check_timeout = \"1 s\"; "
	    "proxy = \"http://proxy:3128\";");
	put("test/a.conf", 0600, PLAIN "timeout = \"12 s\";");
	open_good(&o, "test/a");
	assert_int_equal(o.p->timeout, 12000);
	assert_int_equal(o.p->connect_timeout, 2000);
	assert_int_equal(o.p->check.timeout, 1000);
	assert_string_equal(o.p->host.proxy, "http://proxy:3128");
	assert_true(recorded(o.p, "monime.conf", true));
	shut(&o);
}

/* It was read, and no request could ever match it. */
static void
test_allowed_path_with_a_query_is_an_error(void **state)
{
	(void)state;
	expect_profile("allow = {\nmethods = [ \"GET\" ];\n"
	    "paths = [ \"/v1/payouts\", \"/v1/payouts?limit=1\" ]; };",
	    "FILE:4: allow.paths: found \"/v1/payouts?limit=1\"; wanted up to "
	    "256 strings in [ ], each a path that begins with \"/\" and may "
	    "end in \"/*\"; no other \"*\", no \";\", \"\\\" or \"#\", and no "
	    "\"?\": leave the query out, any is let through");
}

/* An empty file or folder of authorities would trust nobody. */
static void
test_missing_authorities_are_not_told_to_be_made_empty(void **state)
{
	static const char *const settings[] = {
		"ca_file = \"/run/none.pem\";",
		"ca_file = \"/run/none/a.pem\";",
		"ca_path = \"/run/none\";",
		"ca_path = \"/run/none/certs\";",
	};
	const char *said;
	struct opened o;
	size_t i;

	(void)state;
	needs_root();
	put("test/a.conf", 0600, PLAIN);
	for (i = 0; i < ROWS(settings); i++) {
		put("monime.conf", 0644, settings[i]);
		open_at(&o, "test/a", NOW);
		assert_int_equal(o.r, MONIME_ECONFIG);
		/* The line ends there: no command follows. */
		said = strstr(mn_error_get(&o.e), ": not there; ");
		assert_non_null(said);
		assert_string_equal(said, ": not there; put trusted "
		    "certificates there, or take the setting out: the "
		    "system's are then trusted");
		shut(&o);
	}
}

static void
test_a_wrong_host_file_is_an_error(void **state)
{
	char path[128];

	(void)state;
	needs_root();
	put("test/a.conf", 0600, PLAIN);
	put("monime.conf", 0644, "\nproxi = 1;\nca_path = 2;");
	open_bad("test/a", MONIME_ECONFIG, "@/monime.conf:2: proxi: unknown "
	    "key; is proxy meant?");
	put("monime.conf", 0644, "ca_file = \"/run/none/a.pem\";");
	open_bad("test/a", MONIME_ECONFIG, "@/monime.conf:1: ca_file: "
	    "/run/none");
	put("monime.conf", 0644, "ca_path = \"/run/none\";");
	open_bad("test/a", MONIME_ECONFIG, "@/monime.conf:1: ca_path: "
	    "/run/none");
	put("monime.conf", 0644, "ca_path = \"/tmp\";");
	open_bad("test/a", MONIME_EUNSAFE, "@/monime.conf:1: ca_path: /tmp");
	in_folder(path, sizeof(path), "monime.conf");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("gone", path), 0);
	open_bad("test/a", MONIME_ECONFIG, "@/gone");
}

static void
test_certificates_of_the_hosts_own(void **state)
{
	static const char pem[] = "-----BEGIN CERTIFICATE-----\nMIIB\n"
	    "-----END CERTIFICATE-----\n";
	char text[256];
	struct opened o;

	(void)state;
	needs_root();
	put("test/a.conf", 0600, PLAIN);
	put("ca.pem", 0644, pem);
	(void)snprintf(text, sizeof(text), "ca_file = \"%s/ca.pem\";", folder);
	put("monime.conf", 0644, text);
	open_good(&o, "test/a");
	assert_null(o.p->host.ca_path);
	assert_string_equal(mn_secret_get(o.p->host.ca), pem);
	assert_true(recorded(o.p, "ca.pem", true));
	shut(&o);
	put("ca.pem", 0644, "0\x82");
	open_bad("test/a", MONIME_ECONFIG, "@/monime.conf:1: ca_file: found "
	    "no certificate; wanted PEM, with lines -----BEGIN "
	    "CERTIFICATE-----");
	(void)snprintf(text, sizeof(text), "ca_path = \"%s/test\";", folder);
	put("monime.conf", 0644, text);
	open_good(&o, "test/a");
	assert_string_equal(o.p->host.ca_path + strlen(folder), "/test");
	shut(&o);
}

/*
 * Where a token comes from.
 */

static void
test_a_token_in_the_profile(void **state)
{
	struct opened o;

	(void)state;
	needs_root();
	put("test/a.conf", 0600, PLAIN "token = \"" SECRET "\";");
	put("test/a.token", 0600, "another");
	open_good(&o, "test/a");
	assert_string_equal(mn_secret_get(o.p->token), SECRET);
	assert_null(o.p->token_file);
	shut(&o);
}

static void
test_a_token_beside_the_profile(void **state)
{
	struct opened o;

	(void)state;
	needs_root();
	put("test/a.conf", 0600, PLAIN);
	put("test/a.token", 0600, SECRET "\n");
	open_good(&o, "test/a");
	assert_string_equal(mn_secret_get(o.p->token), SECRET);
	assert_string_equal(o.p->token_file + strlen(folder),
	    "/test/a.token");
	assert_true(recorded(o.p, "test/a.token", true));
	shut(&o);
}

static void
test_a_token_in_a_named_file(void **state)
{
	char text[256];
	struct opened o;

	(void)state;
	needs_root();
	(void)snprintf(text, sizeof(text), PLAIN
	    "token_file = \"%s/secret\";", folder);
	put("test/a.conf", 0600, text);
	put("test/a.token", 0600, "another");
	open_bad("test/a", MONIME_ECONFIG, "@/test/a.conf:2: token_file: ");
	put("secret", 0600, SECRET);
	open_good(&o, "test/a");
	assert_string_equal(mn_secret_get(o.p->token), SECRET);
	assert_string_equal(o.p->token_file + strlen(folder), "/secret");
	assert_true(recorded(o.p, "secret", true));
	shut(&o);
	put("secret", 0644, SECRET);
	open_bad("test/a", MONIME_EUNSAFE, "@/secret");
}

static void
test_a_secrets_file_holds_only_it(void **state)
{
	static const struct {
		const char *text;
		const char *found;
	} files[] = {
		{ "", "nothing" }, { "\n", "nothing" },
		{ CANARY "\n\n", "white space besides one newline at the end" },
		{ CANARY "\r\n",
		"white space besides one newline at the end" },
		{ " " CANARY, "white space besides one newline at the end" },
		{ CANARY " \n", "white space besides one newline at the end" },
		{ CANARY "\n" CANARY "\n",
		"white space besides one newline at the end" },
		{ CANARY "\xff", "something else" },
	};
	char line[256];
	size_t i;

	(void)state;
	needs_root();
	put("test/a.conf", 0600, PLAIN);
	for (i = 0; i < ROWS(files); i++) {
		put("test/a.token", 0600, files[i].text);
		(void)snprintf(line, sizeof(line), "@/test/a.token: found %s; "
		    "wanted 1 to 8192 visible ASCII characters, and at most "
		    "one newline", files[i].found);
		open_bad("test/a", MONIME_ECONFIG, line);
	}
	put_bytes("test/a.token", 0600, CANARY "\0" CANARY, 13);
	open_bad("test/a", MONIME_ECONFIG, "found something else");
}

static void
test_oauth2_takes_no_token_file(void **state)
{
	char text[512];
	struct opened o;

	(void)state;
	needs_root();
	(void)snprintf(text, sizeof(text), "provider = \"mono\";\n"
	    "product = \"breb\";\n"
	    "oauth2 = { token_url = \"https://a/b\"; client_id = \"a\";\n"
	    "client_secret_file = \"%s/client\"; grant = \"password\";\n"
	    "username = \"u\"; password_file = \"%s/password\"; };",
	    folder, folder);
	put("test/a.conf", 0600, text);
	put("test/a.token", 0600, SECRET);
	put("client", 0600, CANARY " client\n");
	put("password", 0600, CANARY " password");
	open_good(&o, "test/a");
	assert_true(o.p->oauth2.set);
	assert_null(o.p->token);
	assert_string_equal(mn_secret_get(o.p->oauth2.client_secret),
	    CANARY " client");
	assert_string_equal(mn_secret_get(o.p->oauth2.password),
	    CANARY " password");
	assert_true(recorded(o.p, "client", true));
	assert_true(recorded(o.p, "password", true));
	shut(&o);
	put("client", 0600, "");
	put("password", 0600, "");
	open_bad("test/a", MONIME_ECONFIG, "@/client: found nothing");
	open_bad("test/a", MONIME_ECONFIG, "@/password: found nothing");
}

static void
test_webhook_secrets_from_text_and_files(void **state)
{
	char text[1024];
	struct opened o;
	size_t i;

	(void)state;
	needs_root();
	(void)snprintf(text, sizeof(text), PLAIN "webhook = { secrets = [ \""
	    CANARY "0123456789\" ];\nsecret_files = [ \"%s/hook\" ]; };",
	    folder);
	put("test/a.conf", 0600, text);
	put("hook", 0600, CANARY "9876543210\n");
	open_good(&o, "test/a");
	assert_true(o.p->webhook.set);
	assert_int_equal(o.p->webhook.n, 2);
	assert_string_equal(mn_secret_get(o.p->webhook.secret[0]),
	    CANARY "0123456789");
	assert_string_equal(mn_secret_get(o.p->webhook.secret[1]),
	    CANARY "9876543210");
	shut(&o);
	put("hook", 0600, CANARY "987654321\n");
	open_bad("test/a", MONIME_ECONFIG, "@/hook: found something else; "
	    "wanted 16 to 8192 bytes");

	put("test/a.conf", 0600, PLAIN "webhook = { secrets = [ ]; };");
	open_bad("test/a", MONIME_ECONFIG, "@/test/a.conf:2: webhook: found 0 "
	    "secrets; wanted 1 to 8");
	(void)snprintf(text, sizeof(text), PLAIN "webhook = { secrets = [ \""
	    CANARY "0123456789\" ]; secret_files = [ ");
	for (i = 0; i < MN_PROFILE_SECRETS; i++)
		(void)snprintf(text + strlen(text), 128, "%s\"%s/hook\"",
		    i > 0 ? ", " : "", folder);
	(void)snprintf(text + strlen(text), 16, " ]; };");
	put("test/a.conf", 0600, text);
	open_bad("test/a", MONIME_ECONFIG, "@/test/a.conf:2: webhook: found 9 "
	    "secrets; wanted 1 to 8");
}

/* A Kubernetes volume: a sticky folder, links of root's in it. */
static void
test_a_token_in_a_kubernetes_volume(void **state)
{
	char text[256], path[256];
	struct opened o;

	(void)state;
	needs_root();
	in_folder(path, sizeof(path), "volume");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 01777), 0);
	in_folder(path, sizeof(path), "volume/..2026_01_01");
	assert_int_equal(mkdir(path, 0755), 0);
	put("volume/..2026_01_01/token", 0400, SECRET);
	in_folder(path, sizeof(path), "volume/..data");
	assert_int_equal(symlink("..2026_01_01", path), 0);
	in_folder(path, sizeof(path), "volume/token");
	assert_int_equal(symlink("..data/token", path), 0);
	(void)snprintf(text, sizeof(text), PLAIN
	    "token_file = \"%s/volume/token\";", folder);
	put("test/a.conf", 0600, text);
	open_good(&o, "test/a");
	assert_string_equal(mn_secret_get(o.p->token), SECRET);
	shut(&o);

	/* NAME.conf itself gains nothing from that. */
	in_folder(path, sizeof(path), "test");
	assert_int_equal(chmod(path, 01777), 0);
	open_bad("test/a", MONIME_EUNSAFE, "@/test");
}

/*
 * Dates.
 */

static void
test_an_expired_profile_is_refused(void **state)
{
	struct opened o;

	(void)state;
	needs_root();
	/* Before its secrets are read: there is no such file. */
	put("test/a.conf", 0600, PLAIN "token_file = \"/run/none\";\n"
	    "expires = \"2025-12-31\";");
	open_bad("test/a", MONIME_EPOLICY, "@/test/a.conf:3: expires: the "
	    "profile has expired");
	put("test/a.conf", 0600, PLAIN "expires = \"2026-01-01\";");
	open_at(&o, "test/a", NOW + 86399);
	assert_int_equal(o.r, MONIME_OK);
	shut(&o);
	open_at(&o, "test/a", NOW + 86400);
	assert_int_equal(o.r, MONIME_EPOLICY);
	shut(&o);
}

static void
test_warnings(void **state)
{
	char line[512];
	struct opened o;

	(void)state;
	needs_root();
	put("test/a.conf", 0600, PLAIN "rotate_by = \"2025-12-31\";\n"
	    "check = { accept = \"any\"; };");
	open_good(&o, "test/a");
	(void)snprintf(line, sizeof(line), "%s/test/a.conf:2: rotate_by: the "
	    "credential is due for rotation\n%s/test/a.conf:3: check.accept: "
	    "\"any\" lets in every valid token, whoever holds it", folder,
	    folder);
	assert_string_equal(mn_error_get(&o.p->warnings), line);
	shut(&o);
	put("test/a.conf", 0600, PLAIN "rotate_by = \"2026-01-01\";");
	open_good(&o, "test/a");
	assert_string_equal(mn_error_get(&o.p->warnings), "");
	shut(&o);
}

/*
 * Other users, and systemd: in a process of the test's own.
 */

static int
opens(const char *name)
{
	struct opened o;
	int r;

	open_at(&o, name, NOW);
	r = o.r;
	if (strstr(mn_error_get(&o.e), CANARY) != NULL)
		r = -100;
	if (r != MONIME_OK && o.p != NULL)
		r = -101;
	shut(&o);
	return r;
}

/* Zero, or the line that broke the promise. */
#define PROMISE(what)	do { if (!(what)) return __LINE__; } while (0)

static void
in_a_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		status = fn();
		if (status > 0)
			(void)fprintf(stderr, "line %d\n", status);
		_exit(status == 0 ? 0 : status < 0 ? 77 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: needs a mount namespace\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int
as_somebody(void)
{
	char path[128];

	in_folder(path, sizeof(path), "test");
	PROMISE(chown(path, NOBODY, NOBODY) == 0);
	in_folder(path, sizeof(path), "live");
	PROMISE(chown(path, NOBODY, NOBODY) == 0);
	put("monime.conf", 0644, "environments = [ \"test\", \"live\" ];");
	put("test/a.conf", 0600, PLAIN);
	in_folder(path, sizeof(path), "test/a.conf");
	PROMISE(chown(path, NOBODY, NOBODY) == 0);
	put("live/a.conf", 0600, PLAIN);
	in_folder(path, sizeof(path), "live/a.conf");
	PROMISE(chown(path, NOBODY, NOBODY) == 0);
	/* What is another's is not root's. */
	PROMISE(opens("test/a") == MONIME_EUNSAFE);
	PROMISE(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	/* Lent rights are not the caller's own. */
	PROMISE(setresuid(0, NOBODY, 0) == 0);
	PROMISE(opens("test/a") == MONIME_EUNSAFE);
	PROMISE(setresuid(NOBODY, 0, 0) == 0);
	PROMISE(opens("test/a") == MONIME_EUNSAFE);
	PROMISE(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	PROMISE(opens("test/a") == MONIME_OK);
	PROMISE(opens("live/a") == MONIME_EUNSAFE);
	return 0;
}

static void
test_a_users_own_files_pass_for_test_alone(void **state)
{
	(void)state;
	needs_root();
	in_a_child(as_somebody);
}

static int
own_namespace(void)
{
	/* In a chroot "/" is no mount, so that ours would be seen outside. */
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none",
	    MS_REC | MS_PRIVATE, NULL) != 0)
		return -1;
	PROMISE(mount("none", "/run", "tmpfs", 0, "mode=0755") == 0);
	PROMISE(mkdir("/run/credentials", 0755) == 0);
	PROMISE(mkdir("/run/monime", 0755) == 0);
	PROMISE(mkdir("/run/monime/test", 0700) == 0);
	PROMISE(mkdir("/run/monime/live", 0700) == 0);
	(void)snprintf(folder, sizeof(folder), "/run/monime");
	put("test/a.conf", 0600, PLAIN "purpose = \"of the folder\";");
	put("test/b.conf", 0600, PLAIN "purpose = \"of the folder\";");
	put("test/b.token", 0600, SECRET);
	put("test/a.token", 0600, SECRET);
	return 0;
}

/* As systemd leaves it: mode 0500, the unit's user, read-only, 0400 files. */
static int
bear(const char *path, uid_t uid, mode_t mode, const char *text, bool ro)
{
	char file[128];

	PROMISE(mkdir(path, 0700) == 0);
	PROMISE(mount("none", path, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC,
	    "mode=0700") == 0);
	(void)snprintf(file, sizeof(file), "%s/monime.test.a", path);
	put(file, mode, text);
	PROMISE(chown(file, uid, NOBODY) == 0);
	PROMISE(chown(path, uid, NOBODY) == 0 && chmod(path, 0500) == 0);
	if (ro)
		PROMISE(mount("none", path, "none", MS_REMOUNT | MS_BIND |
		    MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) == 0);
	return 0;
}

static int
credential_comes_first(void)
{
	struct opened o;
	int r = own_namespace();

	if (r != 0)
		return r;
	PROMISE(bear("/run/credentials/a.service", 0, 0440, PLAIN
	    "purpose = \"of systemd\"; token = \"" SECRET "\";", true) == 0);
	(void)setenv("CREDENTIALS_DIRECTORY", "/run/credentials/a.service", 1);
	open_at(&o, "test/a", NOW);
	PROMISE(o.r == MONIME_OK);
	PROMISE(strcmp(o.p->purpose, "of systemd") == 0);
	PROMISE(strcmp(o.p->path,
	    "/run/credentials/a.service/monime.test.a") == 0);
	PROMISE(strcmp(mn_secret_get(o.p->token), SECRET) == 0);
	PROMISE(o.p->nfiles == 2);
	shut(&o);
	/* A right folder without that name: on to the configuration. */
	open_at(&o, "test/b", NOW);
	PROMISE(o.r == MONIME_OK);
	PROMISE(strcmp(o.p->purpose, "of the folder") == 0);
	PROMISE(strcmp(mn_secret_get(o.p->token), SECRET) == 0);
	PROMISE(o.p->nfiles == 4);
	shut(&o);
	/* The host's word holds for it too. */
	PROMISE(opens("live/a") == MONIME_EENVIRONMENT);
	return 0;
}

static void
test_systemds_credential_is_the_whole_profile(void **state)
{
	(void)state;
	needs_root();
	in_a_child(credential_comes_first);
}

static int
credential_has_no_default_token(void)
{
	struct opened o;
	int r = own_namespace();

	if (r != 0)
		return r;
	PROMISE(bear("/run/credentials/a.service", 0, 0400, PLAIN, true) == 0);
	put("/run/credentials/monime.test.a", 0600, PLAIN);
	(void)setenv("CREDENTIALS_DIRECTORY", "/run/credentials/a.service", 1);
	open_at(&o, "test/a", NOW);
	PROMISE(o.r == MONIME_OK);
	PROMISE(o.p->token == NULL && o.p->token_file == NULL);
	shut(&o);
	return 0;
}

static void
test_a_credential_has_no_token_beside_it(void **state)
{
	(void)state;
	needs_root();
	in_a_child(credential_has_no_default_token);
}

static int
credential_of_a_user(void)
{
	int r = own_namespace();

	if (r != 0)
		return r;
	put("monime.conf", 0644, "environments = [ \"test\", \"live\" ];");
	PROMISE(bear("/run/credentials/a.service", NOBODY, 0400, PLAIN,
	    true) == 0);
	(void)setenv("CREDENTIALS_DIRECTORY", "/run/credentials/a.service", 1);
	/* Neither root's nor this process's. */
	PROMISE(opens("test/a") == MONIME_EUNSAFE);
	PROMISE(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	PROMISE(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	PROMISE(opens("test/a") == MONIME_OK);
	return 0;
}

static void
test_a_credential_may_be_the_units_users(void **state)
{
	(void)state;
	needs_root();
	in_a_child(credential_of_a_user);
}

static int
wrong_credentials(void)
{
	static const char *const wrong[] = {
		"", "/", "a.service", "./a.service",
		"run/credentials/a.service",
		"/run/credentials", "/run/credentials/", "/run/credentials/.",
		"/run/credentials/..", "/run/credentials/../x",
		"/run/credentials/../credentials/a.service",
		"/run//credentials/a.service", "/run/credentials//a.service",
		"/run/credentials/a.service/", "/run/credentials/a.service/.",
		"/run/credentials/link", "/run/credentials/out",
		"/run/credentials/none", "/run/credentials/plain",
		"/run/credentials/rw.service", "/run/credentials/file",
		"/run/x", "/tmp/x", "/run/credentialsx/a",
		"/run/credentials/open.service"
	};
	size_t i;
	int r = own_namespace();

	if (r != 0)
		return r;
	PROMISE(bear("/run/credentials/a.service", 0, 0400, PLAIN, true) == 0);
	PROMISE(bear("/run/credentials/rw.service", 0, 0400, PLAIN,
	    false) == 0);
	PROMISE(bear("/run/credentials/open.service", 0, 0404, PLAIN,
	    true) == 0);
	PROMISE(bear("/run/x", 0, 0400, PLAIN, true) == 0);
	PROMISE(mount("none", "/tmp", "tmpfs", 0, "mode=01777") == 0);
	PROMISE(bear("/tmp/x", 0, 0400, PLAIN, true) == 0);
	PROMISE(mkdir("/run/credentialsx", 0755) == 0);
	PROMISE(bear("/run/credentialsx/a", 0, 0400, PLAIN, true) == 0);
	PROMISE(symlink("a.service", "/run/credentials/link") == 0);
	PROMISE(symlink("/run/x", "/run/credentials/out") == 0);
	PROMISE(mkdir("/run/credentials/plain", 0500) == 0);
	put("/run/credentials/plain/monime.test.a", 0400, PLAIN);
	put("/run/credentials/file", 0400, PLAIN);
	for (i = 0; i < ROWS(wrong); i++) {
		(void)setenv("CREDENTIALS_DIRECTORY", wrong[i], 1);
		r = opens("test/a");
		if (r != MONIME_EUNSAFE && r != MONIME_ECONFIG)
			(void)fprintf(stderr, "\"%s\": %d\n", wrong[i], r);
		PROMISE(r == MONIME_EUNSAFE || r == MONIME_ECONFIG);
	}
	(void)setenv("CREDENTIALS_DIRECTORY", "/run/credentials/a.service", 1);
	PROMISE(opens("test/a") == MONIME_OK);
	return 0;
}

static void
test_no_other_folder_passes_for_systemds(void **state)
{
	(void)state;
	needs_root();
	in_a_child(wrong_credentials);
}

static int
broken_credential(void)
{
	int r = own_namespace();

	if (r != 0)
		return r;
	PROMISE(bear("/run/credentials/a.service", 0, 0400, "tokn = \""
	    CANARY "\";", true) == 0);
	(void)setenv("CREDENTIALS_DIRECTORY", "/run/credentials/a.service", 1);
	PROMISE(opens("test/a") == MONIME_ECONFIG);
	return 0;
}

static void
test_a_broken_credential_does_not_fall_through(void **state)
{
	(void)state;
	needs_root();
	in_a_child(broken_credential);
}

static int
no_certificates(void)
{
	struct opened o;
	int r = own_namespace();

	if (r != 0)
		return r;
	PROMISE(mount("none", "/etc", "tmpfs", 0, "mode=0755") == 0);
	open_at(&o, "test/a", NOW);
	PROMISE(o.r == MONIME_ECONFIG);
	PROMISE(strcmp(mn_error_get(&o.e), MONIME_CA_PATH ": the system's "
	    "folder of certificate authorities is not there; install the "
	    "package ca-certificates, or set ca_file or ca_path in "
	    "/run/monime/monime.conf") == 0);
	shut(&o);
	put("monime.conf", 0644, "ca_path = \"/run/monime/live\";");
	PROMISE(opens("test/a") == MONIME_OK);
	return 0;
}

static void
test_missing_certificates_are_told(void **state)
{
	(void)state;
	needs_root();
	in_a_child(no_certificates);
}

/*
 * Short memory: each allocation in turn.
 */

static void
test_no_allocation_may_fail_unnoticed(void **state)
{
	char text[1024], secret[4096];
	struct opened o;
	long n;

	(void)state;
	needs_root();
	if (__real_malloc == NULL || __real_calloc == NULL ||
	    __real_strdup == NULL || __real_sodium_malloc == NULL) {
		print_message("skipped: linked without --wrap\n");
		skip();
	}
	(void)snprintf(text, sizeof(text), "environments = [ \"test\" ];"
	    "ca_file = \"%s/ca.pem\"; proxy = \"http://a:1\";", folder);
	put("monime.conf", 0644, text);
	put("ca.pem", 0644, "-----BEGIN CERTIFICATE-----\n");
	put("hook", 0600, CANARY "9876543210\n");
	put("client", 0600, CANARY "\n");
	(void)snprintf(secret, sizeof(secret), "provider = \"mono\";"
	    "product = \"breb\"; rotate_by = \"2025-01-01\";"
	    "allow = { methods = [ \"GET\", \"PUT\" ]; };"
	    "webhook = { secrets = [ \"" CANARY "0123456789\" ];"
	    "secret_files = [ \"%s/hook\" ]; };"
	    "oauth2 = { token_url = \"https://a/b\"; client_id = \"a\";"
	    "client_secret_file = \"%s/client\"; extra = [ \"a=b\" ]; };",
	    folder, folder);
	put("test/a.conf", 0600, secret);
	for (n = 0; n < 10000; n++) {
		until_short = n;
		open_at(&o, "test/a", NOW);
		if (until_short > 0) {
			until_short = -1;
			break;
		}
		until_short = -1;
		assert_int_equal(o.r, o.p == NULL ? MONIME_ENOMEM : MONIME_OK);
		shut(&o);
	}
	assert_int_equal(o.r, MONIME_OK);
	assert_true(n > 40 && n < 10000);
	shut(&o);
}

#define WITH_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_the_pattern_are_profiles),
		cmocka_unit_test(test_other_names_are_not),
		cmocka_unit_test(test_a_token_in_a_names_place_is_not_shown),
		cmocka_unit_test(test_a_relative_folder_is_invalid),
		cmocka_unit_test(test_every_key_refuses_wrong_types),
		cmocka_unit_test(test_every_quantity_has_its_range),
		cmocka_unit_test(test_every_string_has_its_form),
		cmocka_unit_test(test_no_key_is_without_a_case_above),
		cmocka_unit_test(test_limits_of_length_and_number),
		cmocka_unit_test(test_errors_are_lines_to_act_upon),
		cmocka_unit_test(test_unknown_keys_are_errors),
		cmocka_unit_test(test_all_errors_of_a_file_are_told_at_once),
		cmocka_unit_test(test_a_syntax_error_stands_alone),
		cmocka_unit_test(test_duplicate_keys_are_errors),
		cmocka_unit_test(test_includes_are_refused),
		cmocka_unit_test(test_numbers_never_become_others),
		cmocka_unit_test(test_bytes_that_no_text_has_are_refused),
		cmocka_unit_test(test_what_is_neither_shown_nor_kept),
		cmocka_unit_test(test_libconfig_sees_no_secret),
		cmocka_unit_test(test_keys_that_need_or_exclude_others),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values_arrive),
		cmocka_unit_test(test_samples_are_good),
		cmocka_unit_test(test_samples_tell_the_true_defaults),
		cmocka_unit_test(test_examples_of_the_manual_are_good),
		cmocka_unit_test(test_no_prefix_of_a_sample_does_harm),
		WITH_FOLDER(test_a_profile_opens),
		WITH_FOLDER(test_a_missing_profile_is_an_error),
		WITH_FOLDER(test_nothing_falls_through_to_another_profile),
		WITH_FOLDER(test_an_unsafe_profile_is_refused),
		WITH_FOLDER(test_the_host_must_allow_an_environment),
		WITH_FOLDER(test_live_opens_where_it_is_allowed),
		WITH_FOLDER(
		    test_the_hosts_values_hold_unless_the_profile_has_its_own),
		cmocka_unit_test(test_allowed_path_with_a_query_is_an_error),
		WITH_FOLDER(
		    test_missing_authorities_are_not_told_to_be_made_empty),
		WITH_FOLDER(test_a_wrong_host_file_is_an_error),
		WITH_FOLDER(test_certificates_of_the_hosts_own),
		WITH_FOLDER(test_a_token_in_the_profile),
		WITH_FOLDER(test_a_token_beside_the_profile),
		WITH_FOLDER(test_a_token_in_a_named_file),
		WITH_FOLDER(test_a_secrets_file_holds_only_it),
		WITH_FOLDER(test_oauth2_takes_no_token_file),
		WITH_FOLDER(test_webhook_secrets_from_text_and_files),
		WITH_FOLDER(test_a_token_in_a_kubernetes_volume),
		WITH_FOLDER(test_an_expired_profile_is_refused),
		WITH_FOLDER(test_warnings),
		WITH_FOLDER(test_a_users_own_files_pass_for_test_alone),
		WITH_FOLDER(test_systemds_credential_is_the_whole_profile),
		WITH_FOLDER(test_a_credential_has_no_token_beside_it),
		WITH_FOLDER(test_a_credential_may_be_the_units_users),
		WITH_FOLDER(test_no_other_folder_passes_for_systemds),
		WITH_FOLDER(test_a_broken_credential_does_not_fall_through),
		WITH_FOLDER(test_missing_certificates_are_told),
		WITH_FOLDER(test_no_allocation_may_fail_unnoticed),
	};

	(void)unsetenv("CREDENTIALS_DIRECTORY");
	if (!mn_secret_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
