/* SPDX-License-Identifier: MIT */

/*
 * What the system or libcurl denies once, or a filter of system calls for
 * good: it lets nobody in, and nothing is lost for ever by it.
 */

#include "folder.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <curl/curl.h>

#include "abi.h"
#include "loop.h"
#include "unit.h"
#include "verdicts.h"

static struct folder folder;
static int starts;		/* of libcurl */
static int starts_fail;		/* the first so many */
static bool no_clock;
static bool no_removal;		/* from an epoll instance */
static int sockets, blocking;

CURLcode __wrap_curl_global_init(long flags);
CURLcode __real_curl_global_init(long flags);
time_t __wrap_time(time_t *t);
time_t __real_time(time_t *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *ev);
int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *ev);
int __wrap_socket(int family, int type, int protocol);
int __real_socket(int family, int type, int protocol);

CURLcode
__wrap_curl_global_init(long flags)
{
	if (starts++ < starts_fail)
		return CURLE_FAILED_INIT;
	return __real_curl_global_init(flags);
}

time_t
__wrap_time(time_t *t)
{
	return no_clock ? -1 : __real_time(t);
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (no_clock) {
		errno = EPERM;
		return -1;
	}
	return __real_clock_gettime(clock, ts);
}

int
__wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *ev)
{
	if (no_removal && op == EPOLL_CTL_DEL) {
		errno = ENOMEM;
		return -1;
	}
	return __real_epoll_ctl(epoll, op, fd, ev);
}

int
__wrap_socket(int family, int type, int protocol)
{
	sockets++;
	blocking += (type & SOCK_NONBLOCK) == 0;
	return __real_socket(family, type, protocol);
}

static int
setup(void **state)
{
	(void)state;
	if (!folder_make(&folder))
		return 0;
	folder_write(&folder, "test/one.conf", "provider = \"monime\";\n"
	    "token = \"mon_test_x\";\nbase_url = \"https://127.0.0.1:1\";\n");
	folder_write(&folder, "test/dated.conf", "provider = \"monime\";\n"
	    "token = \"mon_test_x\";\nbase_url = \"https://127.0.0.1:1\";\n"
	    "expires = \"9999-12-31\";\n");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	folder_remove(&folder);
	return 0;
}

/* The first of all: what has started stays so. */
static void
test_libcurl_that_did_not_start_is_started_by_the_next(void **state)
{
	struct monime *m;
	int i;

	(void)state;
	if (folder.path[0] == '\0')
		skip();
	starts_fail = 2;
	for (i = 0; i < 2; i++) {
		assert_int_equal(monime_open("test/one", folder.path, &m),
		    MONIME_ESYS);
		CONTAINS(monime_error(m), "libcurl does not start");
		monime_close(m);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(monime_open("test/one", folder.path, &m),
		    MONIME_OK);
		monime_close(m);
	}
	assert_int_equal(starts, 3);
}

static void
test_profile_that_expires_needs_a_clock(void **state)
{
	struct monime *m;

	(void)state;
	if (folder.path[0] == '\0')
		skip();
	no_clock = true;
	assert_int_equal(monime_open("test/dated", folder.path, &m),
	    MONIME_EPOLICY);
	no_clock = false;
	monime_close(m);
	assert_int_equal(monime_open("test/dated", folder.path, &m),
	    MONIME_OK);
	monime_close(m);
}

static void
test_nothing_is_remembered_without_a_clock(void **state)
{
	const struct mn_verdicts_config config = {
		.ttl = 60000, .negative_ttl = 5000, .timeout = 3000,
		.entries = 64, .probes = 4, .probe_rate = 100,
	};
	const struct mn_piece piece = { "denied", 6 };
	struct mn_verdicts *v = mn_verdicts_open(&config, &piece, 1);
	struct mn_verdict found = { .code = MONIME_EPROTO };
	struct mn_verdict_id id;
	struct mn_probe probe;
	int64_t now = mn_verdicts_time();

	(void)state;
	assert_non_null(v);
	assert_false(mn_verdicts_look(v, "t", 1, now, &id, &found));
	assert_int_equal(mn_verdicts_claim(v, &id, now, now + 3000, &probe,
	    &found), MN_CLAIM_MINE);
	mn_verdicts_store(v, &probe, MONIME_OK, false, now, &found);
	assert_true(mn_verdicts_look(v, "t", 1, now, &id, &found));
	assert_int_equal(found.code, MONIME_OK);
	no_clock = true;
	now = mn_verdicts_time();
	no_clock = false;
	assert_int_equal(now, 0);
	assert_false(mn_verdicts_look(v, "t", 1, now, &id, &found));
	mn_verdicts_close(v);
}

/* Else what waits for a deadline would wait since the last boot. */
static void
test_time_stands_still_without_a_clock(void **state)
{
	struct mn_loop *l = mn_loop_new();
	int64_t before;

	(void)state;
	assert_non_null(l);
	mn_loop_clock(l);
	before = mn_loop_now(l);
	assert_true(before > 0);
	no_clock = true;
	mn_loop_clock(l);
	no_clock = false;
	assert_int_equal(mn_loop_now(l), before);
	mn_loop_free(l);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
test_loop_inside_that_could_not_leave_comes_back(void **state)
{
	struct mn_loop *host = mn_loop_new(), *inside = mn_loop_new();

	(void)state;
	assert_non_null(host);
	assert_non_null(inside);
	assert_true(mn_loop_fd(host) >= 0 && mn_loop_fd(inside) >= 0);
	assert_true(mn_loop_nest(host, inside, nothing, NULL));
	no_removal = true;
	mn_loop_unnest(host, inside);
	no_removal = false;
	assert_true(mn_loop_nest(host, inside, nothing, NULL));
	mn_loop_unnest(host, inside);
	mn_loop_free(host);
	mn_loop_free(inside);
}

/* libcurl goes on where fcntl(2) has failed: then a loop would wait in it. */
static void
test_sockets_are_made_so_that_they_never_block(void **state)
{
	struct monime *m;

	(void)state;
	if (folder.path[0] == '\0')
		skip();
	assert_int_equal(monime_open("test/one", folder.path, &m), MONIME_OK);
	sockets = blocking = 0;
	assert_int_equal(monime_request(m, "DELETE", "/v1/x", NULL, NULL, 0,
	    NULL), MONIME_ENET);
	assert_int_not_equal(sockets, 0);
	assert_int_equal(blocking, 0);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_libcurl_that_did_not_start_is_started_by_the_next),
		cmocka_unit_test(test_profile_that_expires_needs_a_clock),
		cmocka_unit_test(test_nothing_is_remembered_without_a_clock),
		cmocka_unit_test(test_time_stands_still_without_a_clock),
		cmocka_unit_test(
		    test_loop_inside_that_could_not_leave_comes_back),
		cmocka_unit_test(
		    test_sockets_are_made_so_that_they_never_block),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
