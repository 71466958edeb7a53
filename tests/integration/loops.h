/* SPDX-License-Identifier: MIT */

/*
 * What the tests of event loops share: calls begun, waited for and counted, as
 * a host with one descriptor would do it, and without any timer of its own.
 */

#ifndef TESTS_INTEGRATION_LOOPS_H
#define TESTS_INTEGRATION_LOOPS_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include "living.h"

#define ACCOUNTS	"/v1/financial-accounts"
#define PATIENCE	10000	/* ms in which everything here happens */

static bool UNUSED
readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLIN) != 0;
}

/* A GET that is pending. */
UNUSED static struct monime_call *
begin_get(struct monime *m, const char *path, void *data)
{
	struct monime_call *call;

	assert_code(call, monime_request_start(m, "GET", path, NULL, NULL, 0,
	    data, &call), MONIME_EPENDING);
	assert_int_equal(monime_call_result(call), MONIME_EPENDING);
	assert_ptr_equal(monime_call_data(call), data);
	return call;
}

/* The next call that finishes within so many ms, or NULL. */
UNUSED static struct monime_call *
await(struct monime *m, int64_t ms)
{
	const int fd = monime_fd(m);
	const int64_t end = real_ms() + ms;
	struct monime_call *call;
	int64_t left;

	assert_true(fd >= 0);
	while ((call = monime_next(m)) == NULL) {
		left = end - real_ms();
		if (left <= 0)
			return NULL;
		(void)readable(fd, (int)left);
	}
	return call;
}

/* It finishes with that, and goes. */
static void UNUSED
await_result(struct monime *m, struct monime_call *call, int want)
{
	struct monime_call *got = await(m, PATIENCE);

	assert_ptr_equal(got, call);
	assert_code(got, monime_call_result(got), want);
	look_over(got);
	monime_call_free(got);
}

/* Move what is pending along for a while; nothing may finish. */
static void UNUSED
await_nothing(struct monime *m, int64_t ms)
{
	struct monime_call *call = await(m, ms);

	if (call != NULL)
		fail_row(__FILE__, __LINE__, "reported: %d, %s",
		    monime_call_result(call), monime_call_error(call));
}

/*
 * Nothing is left to do.  A wake-up or two for nothing may come: a deadline of
 * somebody who has gone.
 */
static void UNUSED
assert_quiet(struct monime *m)
{
	int i;

	for (i = 0; i < 10; i++) {
		await_nothing(m, 0);
		if (!readable(monime_fd(m), 20))
			return;
	}
	fail_row(__FILE__, __LINE__, "the descriptor stays readable");
}

/* As await_nothing(), until the sandbox has counted that. */
static void UNUSED
await_count(struct monime *m, const char *what, const char *server,
    size_t at_least)
{
	const int64_t end = real_ms() + PATIENCE;

	while (sandbox_count(sandbox, what, server) < at_least) {
		if (real_ms() > end)
			fail_row(__FILE__, __LINE__, "%s: %zu, not %zu", what,
			    sandbox_count(sandbox, what, server), at_least);
		await_nothing(m, 5);
	}
}

static int UNUSED
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

/* Mono's Bre-B, whose token comes from the sandbox's token endpoint. */
#define BREB	"mono_sandbox"
#define TOKEN_PATH	"/api/v1/oauth/token"
#define COLLECTIONS	"/api/v1/collections"

static void UNUSED
write_breb(const char *name, const char *more)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s.conf", name);
	sandbox_write_file(folder, path, 0600,
	    "provider = \"mono\";\nproduct = \"breb\";\n"
	    "base_url = \"%s\";\noauth2 = {\n"
	    "\tclient_id = \"%s\";\n\tclient_secret = \"%s\";\n};\n%s\n",
	    sandbox_origin(sandbox, BREB),
	    sandbox_token(sandbox, "oauth_client_id"),
	    sandbox_token(sandbox, "oauth_client_secret"), more);
}

UNUSED static struct monime *
open_breb(const char *more)
{
	write_breb("test/o", more);
	return open_named("test/o");
}

#endif
