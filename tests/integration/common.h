/* SPDX-License-Identifier: MIT */

/*
 * What the integration tests share: one sandbox for a program, profiles that
 * lead to it, and assertions about calls.  They see monime.h alone.
 */

#ifndef TESTS_INTEGRATION_COMMON_H
#define TESTS_INTEGRATION_COMMON_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "monime.h"
#include "sandbox.h"

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

/* JSON without the quoting: J({"drop": "status"}). */
#define J(...)		#__VA_ARGS__

/* cmocka reports lines; these report the caller's. */
#define assert_code(call, got, want)	\
	common_code(call, got, want, __FILE__, __LINE__)
#define assert_fact(call, name, want)	\
	common_fact(call, name, want, __FILE__, __LINE__)
#define assert_header(request, name, want)	\
	common_header(request, name, want, __FILE__, __LINE__)

/* The row of a table that is being tried, for the failure's text. */
static const char *row = "";

static struct sandbox *sandbox;
static const char *folder;

#define UNUSED	__attribute__((__unused__))

/* A row fails here, told by name. */
static void UNUSED
fail_row(const char *file, int line, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

static void UNUSED
fail_row(const char *file, int line, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error("[%s] %s\n", row, text);
	_fail(file, line);
}

static void UNUSED
common_code(const struct monime_call *call, int got, int want,
    const char *file, int line)
{
	if (got != want)
		fail_row(file, line, "%d (%s), not %d (%s): %s", got,
		    monime_strerror(got), want, monime_strerror(want),
		    call != NULL ? monime_call_error(call) : "no call");
}

static bool UNUSED
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* want NULL: there is no such fact. */
static void UNUSED
common_fact(const struct monime_call *call, const char *name,
    const char *want, const char *file, int line)
{
	const char *got = monime_call_get(call, name);

	if (!same(got, want))
		fail_row(file, line, "\"%s\" is %s, not %s: %s", name,
		    got != NULL ? got : "absent",
		    want != NULL ? want : "absent", monime_call_error(call));
}

/* A logged request has that header, once, or not at all. */
static void UNUSED
common_header(struct json_object *request, const char *name,
    const char *want, const char *file, int line)
{
	const char *got = sandbox_header(request, name, 0);

	if (!same(got, want))
		fail_row(file, line, "%s: %s, not %s", name,
		    got != NULL ? got : "absent",
		    want != NULL ? want : "absent");
	if (sandbox_header(request, name, 1) != NULL)
		fail_row(file, line, "%s: sent twice", name);
}

#define assert_row(condition)	\
	((condition) ? (void)0 :	\
	    fail_row(__FILE__, __LINE__, "not so: %s", #condition))

/* Milliseconds of the monotonic clock. */
static int64_t UNUSED
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* live files must be root's, and only root can make such. */
#define need_root()	do {						\
	if (geteuid() != 0) {						\
		print_message("skip: %s needs root\n", __func__);	\
		skip();							\
	}								\
} while (0)

static bool UNUSED
is_mono(const char *server)
{
	return strncmp(server, "mono_", 5) == 0;
}

/*
 * Write a profile that leads to a server of the sandbox, with the token of
 * that name, or none.  more is further lines.
 */
static void UNUSED
write_profile(const char *name, const char *server, const char *token,
    const char *more)
{
	const char *environment = strncmp(name, "live/", 5) == 0 ?
	    "live" : "test";
	char path[256];

	(void)snprintf(path, sizeof(path), "%s.conf", name);
	if (is_mono(server))
		sandbox_write_file(folder, path, 0600,
		    "provider = \"mono\";\nproduct = \"banking\";\n"
		    "base_url = \"%s\";\n%s\n",
		    sandbox_origin(sandbox, server), more);
	else
		sandbox_write_file(folder, path, 0600,
		    "provider = \"monime\";\nspace = \"%s\";\n"
		    "base_url = \"%s\";\n%s\n",
		    sandbox_space(sandbox, environment),
		    sandbox_origin(sandbox, server), more);
	(void)snprintf(path, sizeof(path), "%s/%s.token", folder, name);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s.token", name);
	if (token != NULL)
		sandbox_write_file(folder, path, 0600, "%s\n",
		    sandbox_token(sandbox, token));
}

/* Open what is there, which must succeed. */
UNUSED static struct monime *
open_named(const char *name)
{
	struct monime *m;
	int r;

	r = monime_open(name, folder, &m);
	if (r != MONIME_OK)
		fail_row(__FILE__, __LINE__, "%s: %s", name, monime_error(m));
	return m;
}

UNUSED static struct monime *
open_profile(const char *name, const char *server, const char *token,
    const char *more)
{
	write_profile(name, server, token, more);
	return open_named(name);
}

/* The usual one: Monime, test, our token. */
UNUSED static struct monime *
open_test(const char *more)
{
	return open_profile("test/t", "monime", "test", more);
}

static void UNUSED
faultf(const char *fmt, ...) __attribute__((__format__(__printf__, 1, 2)));

static void UNUSED
faultf(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	assert_true(n >= 0);
	sandbox_fault(sandbox, text);
	free(text);
}

/* A fault that answers the next request for path with these bytes. */
static void UNUSED
fault_text(const char *path, int status, const char *text)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "path", json_object_new_string(path));
	json_object_object_add(o, "text", json_object_new_string(text));
	json_object_object_add(o, "status", json_object_new_int(status));
	sandbox_fault(sandbox, json_object_to_json_string(o));
	json_object_put(o);
}

/*
 * The bytes of a logged text, in which a character U+0000 to U+00FF stands for
 * each.  The caller frees them.
 */
UNUSED static char *
logged_bytes(struct json_object *request, const char *name, size_t *len)
{
	struct json_object *v = json_object_object_get(request, name);
	const unsigned char *s =
	    (const unsigned char *)json_object_get_string(v);
	size_t n = (size_t)json_object_get_string_len(v), i, at = 0;
	char *out = malloc(n + 1);

	assert_non_null(out);
	for (i = 0; i < n; i++) {
		if (s[i] >= 0x80) {
			out[at++] = (char)((s[i] & 0x03) << 6 |
			    (s[i + 1] & 0x3f));
			i++;
		} else {
			out[at++] = (char)s[i];
		}
	}
	out[at] = '\0';
	*len = at;
	return out;
}

/* A number of a logged request, such as "connection". */
static int64_t UNUSED
logged_number(struct json_object *request, const char *name)
{
	return json_object_get_int64(json_object_object_get(request, name));
}

/* How many requests with that method were logged. */
static size_t UNUSED
logged_count(struct json_object *log, const char *method)
{
	struct json_object *list = json_object_object_get(log, "requests");
	size_t i, n = 0;

	for (i = 0; i < json_object_array_length(list); i++) {
		if (same(sandbox_text(json_object_array_get_idx(list, i),
		    "method"), method))
			n++;
	}
	return n;
}

/* Nothing went to any listener: no request, no connection, no byte. */
static void UNUSED
common_silence(const char *file, int line)
{
	static const char *const servers[] = {
		"monime", "mono_sandbox", "mono_production", "wrong_name",
		"self_signed", "expired", "elsewhere", "plain", "proxy"
	};
	size_t i;

	for (i = 0; i < ROWS(servers); i++) {
		if (sandbox_requests(sandbox, servers[i]) != 0 ||
		    sandbox_connections(sandbox, servers[i]) != 0 ||
		    sandbox_count(sandbox, "raw", servers[i]) != 0)
			fail_row(file, line, "something went to %s",
			    servers[i]);
	}
}

#define assert_silence()	common_silence(__FILE__, __LINE__)

/*
 * A plain user whose folders all lie below one that others may write to, such
 * as /tmp, can have no configuration that the library would read.
 */
static void UNUSED
common_need_safe_folder(void)
{
	struct monime *m;
	int r;

	r = monime_open("test/payouts", folder, &m);
	if (r == MONIME_EUNSAFE && geteuid() != 0) {
		print_message("skip: all of it: set XDG_RUNTIME_DIR to a "
		    "folder that is yours alone: %s\n", monime_error(m));
		monime_close(m);
		sandbox_stop(sandbox);
		exit(0);
	}
	monime_close(m);
}

static int UNUSED
common_start(void **state)
{
	(void)state;
	sandbox = sandbox_start();
	if (sandbox == NULL)
		return -1;
	folder = sandbox_folder(sandbox);
	common_need_safe_folder();
	return 0;
}

static int UNUSED
common_stop(void **state)
{
	(void)state;
	sandbox_stop(sandbox);
	return 0;
}

/* Before each test, so that one which fails takes no other with it. */
static int UNUSED
common_reset(void **state)
{
	(void)state;
	row = "";
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [\"test\", \"live\"];\nca_file = \"%s/ca.pem\";\n",
	    folder);
	sandbox_reset(sandbox);
	return 0;
}

#define TEST(name)	cmocka_unit_test_setup(name, common_reset)

#endif
