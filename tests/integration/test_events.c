/* SPDX-License-Identifier: MIT */

/* Event loops: monime_fd(), monime_next() and what is started for them. */

#include "loops.h"

/* Watching */

static void
test_level_triggered_each_call_is_reported_once(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	int fd = monime_fd(m), i, data[5], seen[5] = { 0 };

	(void)state;
	assert_false(readable(fd, 0));
	for (i = 0; i < 5; i++)
		(void)begin_get(m, ACCOUNTS, &data[i]);
	for (i = 0; i < 5; i++) {
		call = await(m, PATIENCE);
		assert_non_null(call);
		assert_code(call, monime_call_result(call), MONIME_OK);
		seen[(int *)monime_call_data(call) - data]++;
		assert_non_null(strstr(monime_call_body(call, NULL),
		    "fac-sandbox"));
		monime_call_free(call);
	}
	for (i = 0; i < 5; i++)
		assert_int_equal(seen[i], 1);
	assert_quiet(m);
	assert_int_equal(monime_fd(m), fd);
	monime_close(m);
}

static void
test_descriptor_is_non_blocking_close_on_exec_and_goes(void **state)
{
	struct monime *m = open_test("");
	int fd = monime_fd(m);

	(void)state;
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_null(monime_next(m));
	monime_close(m);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(monime_fd(NULL), MONIME_ECONFIG);
	assert_null(monime_next(NULL));
}

/* A host that is woken once for each edge; how long is one to wait? */
static bool
edge(int epoll, int ms)
{
	struct epoll_event ev;

	return epoll_wait(epoll, &ev, 1, ms) == 1;
}

static int
watch_edges(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev), 0);
	return epoll;
}

static void
test_edge_triggered_all_are_reported(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	int epoll = watch_edges(monime_fd(m)), round, i, done;

	(void)state;
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 10; i++)
			(void)begin_get(m, ACCOUNTS, NULL);
		for (done = 0; done < 10; ) {
			assert_true(edge(epoll, PATIENCE));
			while ((call = monime_next(m)) != NULL) {
				assert_code(call, monime_call_result(call),
				    MONIME_OK);
				monime_call_free(call);
				done++;
			}
		}
	}
	close(epoll);
	monime_close(m);
}

/* Each way to watch, by a host that takes one call for each wake-up. */
static void
take_one_a_time(struct monime *m, int epoll)
{
	struct monime_call *call;
	int i, done = 0, wakes = 0;

	for (i = 0; i < 30; i++)
		(void)begin_get(m, ACCOUNTS, NULL);
	while (done < 30) {
		assert_true(epoll >= 0 ? edge(epoll, PATIENCE) :
		    readable(monime_fd(m), PATIENCE));
		assert_true(++wakes < 10000);
		call = monime_next(m);
		if (call != NULL)
			done++;
		monime_call_free(call);
	}
	assert_quiet(m);
}

static void
test_one_call_taken_for_each_wake_up(void **state)
{
	struct monime *m = open_test("");
	int epoll;

	(void)state;
	take_one_a_time(m, -1);
	epoll = watch_edges(monime_fd(m));
	take_one_a_time(m, epoll);
	close(epoll);
	monime_close(m);
}

static void
test_readable_as_long_as_a_call_is_ready(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	int fd = monime_fd(m), i, left;

	(void)state;
	sandbox_fault(sandbox, J({"method": "GET", "hold": true,
	    "times": -1}));
	for (i = 0; i < 4; i++)
		(void)begin_get(m, ACCOUNTS, NULL);
	await_count(m, "held", "monime", 4);
	assert_int_equal(sandbox_release(sandbox), 4);
	for (left = 4; left > 0; left--) {
		call = await(m, PATIENCE);
		assert_non_null(call);
		monime_call_free(call);
		/* All four are, or will be, ready. */
		if (left > 1)
			assert_true(readable(fd, PATIENCE));
	}
	assert_quiet(m);
	monime_close(m);
}

static void
test_duplicate_may_be_watched_and_closed(void **state)
{
	struct monime *m = open_test("");
	int copy = fcntl(monime_fd(m), F_DUPFD_CLOEXEC, 100), epoll;

	(void)state;
	epoll = watch_edges(copy);
	take_one_a_time(m, epoll);
	close(epoll);
	close(copy);
	take_one_a_time(m, -1);
	monime_close(m);
}

/* Starting */

static void
test_local_results_come_at_once_and_are_never_reported(void **state)
{
	static const char bad[] = "no such prefix";
	struct monime *m = open_test("allow = { methods = [\"GET\"]; };");
	struct monime *wrong;
	struct monime_call *call;

	(void)state;
	assert_code(call, monime_request_start(m, "GET", "no/slash", NULL,
	    NULL, 0, &m, &call), MONIME_EINVAL);
	assert_ptr_equal(monime_call_data(call), &m);
	monime_call_free(call);
	assert_code(call, monime_request_start(m, "POST", "/v1/payouts", NULL,
	    "{}", 2, NULL, &call), MONIME_EPOLICY);
	monime_call_free(call);
	assert_code(call, monime_check_token_start(m, NULL, 0, NULL, &call),
	    MONIME_EDENIED);
	monime_call_free(call);
	assert_code(call, monime_check_token_start(m, bad, sizeof(bad) - 1,
	    NULL, &call), MONIME_EDENIED);
	monime_call_free(call);
	assert_code(call, monime_authorize_start(m, "GET", "https://elsewhere/",
	    NULL, &call), MONIME_EPOLICY);
	monime_call_free(call);
	assert_int_equal(monime_open("test/none", folder, &wrong),
	    MONIME_ECONFIG);
	assert_code(call, monime_request_start(wrong, "GET", ACCOUNTS, NULL,
	    NULL, 0, NULL, &call), MONIME_ECONFIG);
	monime_call_free(call);
	assert_int_equal(monime_fd(wrong), MONIME_ECONFIG);
	assert_null(monime_next(wrong));
	monime_close(wrong);
	assert_int_equal(monime_request_start(NULL, "GET", ACCOUNTS, NULL,
	    NULL, 0, NULL, &call), MONIME_ENOMEM);
	assert_null(call);
	assert_quiet(m);
	assert_silence();
	monime_close(m);
}

static void
test_every_verb_has_a_start(void **state)
{
	struct monime *m = open_test("allow = { methods = [\"GET\"];"
	    " paths = [\"/v1/*\"]; };");
	const char *token = sandbox_token(sandbox, "test");
	struct monime_call *call;
	char url[256];

	(void)state;
	assert_code(call, monime_check_token_start(m, token, strlen(token),
	    NULL, &call), MONIME_EPENDING);
	await_result(m, call, MONIME_OK);
	token = sandbox_token(sandbox, "stranger_test");
	assert_code(call, monime_check_token_start(m, token, strlen(token),
	    NULL, &call), MONIME_EPENDING);
	await_result(m, call, MONIME_EFORBIDDEN);
	(void)snprintf(url, sizeof(url), "%s" ACCOUNTS,
	    monime_get(m, "origin"));
	/* The first one has the environment confirmed, the next are local. */
	assert_code(call, monime_authorize_start(m, "GET", url, NULL, &call),
	    MONIME_EPENDING);
	await_result(m, call, MONIME_OK);
	assert_code(call, monime_authorize_start(m, "GET", url, NULL, &call),
	    MONIME_OK);
	assert_non_null(monime_call_header(call, "Authorization"));
	monime_call_free(call);
	await_nothing(m, 20);
	monime_close(m);
}

static void
test_arguments_may_be_wiped_when_start_returns(void **state)
{
	struct monime *m = open_test("");
	char method[] = "POST", path[] = "/v1/payouts", body[] = "{\"n\":1}";
	char header[] = "X-Request-Id: r1";
	const char *headers[] = { header, NULL };
	struct monime_call *call;
	struct json_object *log, *one;

	(void)state;
	assert_code(call, monime_request_start(m, method, path, headers, body,
	    strlen(body), NULL, &call), MONIME_EPENDING);
	memset(method, 'x', sizeof(method));
	memset(path, 'x', sizeof(path));
	memset(body, 'x', sizeof(body));
	memset(header, 'x', sizeof(header));
	headers[0] = NULL;
	await_result(m, call, MONIME_OK);
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "monime", -1);
	assert_string_equal(sandbox_text(one, "target"), "/v1/payouts");
	assert_string_equal(sandbox_text(one, "body"), "{\"n\":1}");
	assert_header(one, "X-Request-Id", "r1");
	json_object_put(log);
	monime_close(m);
}

/* Between two calls of monime_next() */

static void
test_anything_may_be_called_between_two_reports(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call, *victim, *others;
	struct monime *other;
	int round, done = 0;

	(void)state;
	for (round = 0; round < 20; round++)
		(void)begin_get(m, ACCOUNTS, NULL);
	for (round = 0; round < 20; round++) {
		/* Another handle, closed with a call pending. */
		other = open_named("test/t");
		others = begin_get(other, ACCOUNTS, NULL);
		(void)monime_next(other);
		victim = begin_get(m, ACCOUNTS, &victim);
		call = await(m, PATIENCE);
		assert_non_null(call);
		if (call == victim) {
			victim = NULL;
			done--;
		}
		assert_code(call, monime_call_result(call), MONIME_OK);
		/* A blocking verb, a start and two calls that go. */
		ask(m, "GET", ACCOUNTS, MONIME_OK);
		(void)begin_get(m, ACCOUNTS, NULL);
		monime_call_free(victim);
		monime_call_free(call);
		monime_close(other);
		monime_call_free(others);
		done++;
	}
	for (; done < 40; done++) {
		call = await(m, PATIENCE);
		assert_non_null(call);
		assert_code(call, monime_call_result(call), MONIME_OK);
		monime_call_free(call);
	}
	await_nothing(m, 20);
	monime_close(m);
}

/* Freeing pending calls */

static void
test_freed_in_the_queue_and_in_flight(void **state)
{
	struct monime *m = open_test("connections = 1;");
	struct monime_call *call[5];
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	for (i = 0; i < 5; i++)
		call[i] = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "held", "monime", 1);
	monime_call_free(call[3]);
	monime_call_free(call[1]);
	monime_call_free(call[0]);	/* on the wire */
	await_result(m, call[2], MONIME_OK);
	await_result(m, call[4], MONIME_OK);
	assert_quiet(m);
	/* The connection of the first went with it. */
	sandbox_wait_down(sandbox, "open", "monime", 1);
	monime_close(m);
}

static void
test_freed_in_the_handshake(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call[8], *last;
	int i, before;

	(void)state;
	(void)monime_fd(m);
	before = descriptors();
	sandbox_fault(sandbox, J({"server": "monime", "drop": "stall",
	    "times": 4}));
	for (i = 0; i < 8; i++)
		call[i] = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "connections", "monime", 4);
	/* Four hang in their handshakes, and the rest behind them. */
	await_nothing(m, 100);
	assert_int_equal(sandbox_connections(sandbox, "monime"), 4);
	for (i = 0; i < 8; i++)
		monime_call_free(call[i]);
	await_nothing(m, 20);
	last = begin_get(m, ACCOUNTS, NULL);
	await_result(m, last, MONIME_OK);
	/* libcurl has a pair for itself, and there is one connection. */
	assert_in_range(descriptors(), before, before + 3);
	monime_close(m);
}

static void
test_freed_in_back_off(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call, *other;

	(void)state;
	sandbox_fault(sandbox, J({"status": 429,
	    "headers": [["Retry-After", "1"]]}));
	call = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "requests", "monime", 1);
	await_nothing(m, 50);
	monime_call_free(call);
	other = begin_get(m, ACCOUNTS, NULL);
	await_result(m, other, MONIME_OK);
	await_nothing(m, 1200);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 2);
	monime_close(m);
}

static void
test_freed_while_it_waits_for_a_token_and_fetches_one(void **state)
{
	struct monime *m = open_breb("");
	struct monime_call *fetcher, *waiter, *heir;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/api/v1/oauth/token",
	    "hold": true, "times": 1}));
	fetcher = begin_get(m, COLLECTIONS, NULL);
	waiter = begin_get(m, COLLECTIONS, NULL);
	heir = begin_get(m, COLLECTIONS, NULL);
	await_count(m, "held", BREB, 1);
	monime_call_free(waiter);
	await_nothing(m, 20);
	monime_call_free(fetcher);
	/* Nobody is stranded: the third fetches. */
	await_result(m, heir, MONIME_OK);
	assert_int_equal(total("token_requests"), 2);
	assert_quiet(m);
	monime_close(m);
}

/* Closing */

static void
test_closed_with_calls_pending(void **state)
{
	struct monime *m = open_test("connections = 4;");
	struct monime_call *held[6], *done;
	int i, before = descriptors();

	(void)state;
	done = begin_get(m, ACCOUNTS, NULL);
	assert_ptr_equal(await(m, PATIENCE), done);
	sandbox_fault(sandbox, J({"hold": true, "times": -1}));
	for (i = 0; i < 6; i++)
		held[i] = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "held", "monime", 4);
	monime_close(m);
	/* What had finished stays as it was. */
	assert_non_null(strstr(monime_call_body(done, NULL), "fac-sandbox"));
	monime_call_free(done);
	for (i = 0; i < 6; i++) {
		assert_int_equal(monime_call_result(held[i]),
		    MONIME_ECANCELED);
		assert_non_null(monime_call_error(held[i]));
		monime_call_free(held[i]);
	}
	assert_in_range(descriptors(), 0, before);
	sandbox_wait_down(sandbox, "open", "monime", 0);
}

static void
test_closed_with_ready_calls_that_nobody_heard_of(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call[8], *first;
	int i, n = 0;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true, "times": -1}));
	for (i = 0; i < 8; i++)
		call[i] = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "held", "monime", 8);
	(void)sandbox_release(sandbox);
	sandbox_wait_down(sandbox, "held", "monime", 0);
	sleep_ms(50);
	first = await(m, PATIENCE);
	assert_non_null(first);
	for (i = 0; i < 8; i++)
		n += monime_call_result(call[i]) == MONIME_OK;
	assert_true(n > 1);	/* several came in that step */
	monime_close(m);
	for (i = 0; i < 8; i++) {
		assert_in_set(-monime_call_result(call[i]),
		    ((unsigned long[]){ MONIME_OK, -MONIME_ECANCELED }), 2);
		if (monime_call_result(call[i]) == MONIME_OK)
			assert_int_equal(monime_call_status(call[i]), 200);
		monime_call_free(call[i]);
	}
}

static void
test_freed_when_ready_and_never_heard_of(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call[8];
	int i, n = 0;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true, "times": 8}));
	for (i = 0; i < 8; i++)
		call[i] = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "held", "monime", 8);
	(void)sandbox_release(sandbox);
	sandbox_wait_down(sandbox, "held", "monime", 0);
	sleep_ms(50);
	assert_non_null(await(m, PATIENCE));
	for (i = 0; i < 8; i++) {
		n += monime_call_result(call[i]) == MONIME_OK;
		monime_call_free(call[i]);
	}
	assert_true(n > 1);	/* several came in that step */
	assert_null(monime_next(m));
	await_result(m, begin_get(m, ACCOUNTS, NULL), MONIME_OK);
	assert_quiet(m);
	monime_close(m);
}

/* Time */

static void
test_deadline_passes_without_a_timer_of_the_host(void **state)
{
	struct monime *m = open_test("timeout = \"1 s\";"
	    " connections = 1;");
	struct monime_call *sent, *queued;
	int64_t from = real_ms();

	(void)state;
	sandbox_fault(sandbox, J({"hold": true, "times": -1}));
	sent = begin_get(m, ACCOUNTS, NULL);
	queued = begin_get(m, ACCOUNTS, NULL);
	assert_true(readable(monime_fd(m), 0));
	await_result(m, sent, MONIME_ELOST);
	/* It may have got the other one's place for its last milliseconds. */
	assert_ptr_equal(await(m, PATIENCE), queued);
	assert_true(monime_call_result(queued) == MONIME_ENET ||
	    monime_call_result(queued) == MONIME_ELOST);
	monime_call_free(queued);
	assert_in_range(real_ms() - from, 995, 5000);
	monime_close(m);
}

static void
test_retries_come_without_a_timer_of_the_host(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J({"status": 503, "times": 2}));
	call = begin_get(m, ACCOUNTS, NULL);
	await_result(m, call, MONIME_OK);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 3);
	monime_close(m);
}

static const char *
check_own(struct monime *m, int number)
{
	struct monime_call *call;
	int r = monime_check_credential(m, &call);

	(void)number;
	monime_call_free(call);
	return r == MONIME_OK ? NULL : "the credential was not accepted";
}

static const char *
request_own(struct monime *m, int number)
{
	struct monime_call *call;
	int r = monime_request(m, "GET", COLLECTIONS, NULL, NULL, 0, &call);

	(void)number;
	monime_call_free(call);
	return r == MONIME_OK ? NULL : "the request failed";
}

static void
test_deadline_passes_while_a_thread_fetches_the_token(void **state)
{
	struct monime *m = open_breb("timeout = \"400ms\";\n"
	    "check = { timeout = \"9s\"; };");
	struct monime_call *call;
	int64_t from;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/api/v1/oauth/token",
	    "hold": true, "times": 1}));
	crew_start(m, 1, check_own);
	sandbox_wait(sandbox, "held", BREB, 1);
	from = real_ms();
	call = begin_get(m, COLLECTIONS, NULL);
	/* Also a host that comes only when it is called. */
	assert_true(readable(monime_fd(m), 3000));
	await_result(m, call, MONIME_ENET);
	assert_in_range(real_ms() - from, 395, 3000);
	assert_int_equal(sandbox_release(sandbox), 1);
	crew_wait(1);
	monime_close(m);
}

static void
test_waiting_for_a_token_that_another_thread_fetches(void **state)
{
	struct monime *m = open_breb("");
	struct monime_call *call[3];
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/api/v1/oauth/token",
	    "hold": true, "times": 1}));
	crew_start(m, 1, request_own);
	sandbox_wait(sandbox, "held", BREB, 1);
	for (i = 0; i < 3; i++)
		call[i] = begin_get(m, COLLECTIONS, NULL);
	await_nothing(m, 30);
	monime_call_free(call[1]);
	assert_int_equal(sandbox_release(sandbox), 1);
	crew_wait(1);
	for (i = 0; i < 2; i++) {
		struct monime_call *got = await(m, PATIENCE);

		assert_non_null(got);
		assert_code(got, monime_call_result(got), MONIME_OK);
		monime_call_free(got);
	}
	assert_int_equal(total("token_requests"), 1);
	monime_close(m);
}

/* Blocking verbs beside it */

static const char *
request_twenty(struct monime *m, int number)
{
	struct monime_call *call;
	int i, r;

	(void)number;
	for (i = 0; i < 20; i++) {
		r = monime_request(m, "GET", ACCOUNTS, NULL, NULL, 0, &call);
		monime_call_free(call);
		if (r != MONIME_OK)
			return "a request failed";
	}
	return NULL;
}

static void
test_blocking_verbs_neither_wait_nor_are_seen(void **state)
{
	struct monime *m = open_test("connections = 2;");
	struct monime_call *call[10];
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/v1/banks", "hold": true,
	    "times": -1}));
	for (i = 0; i < 10; i++)
		call[i] = begin_get(m, "/v1/banks", NULL);
	await_count(m, "held", "monime", 2);
	/* While nobody runs the loop, and while somebody does. */
	crew_start(m, 8, request_twenty);
	crew_wait(8);
	crew_start(m, 8, request_twenty);
	await_nothing(m, 100);
	crew_wait(8);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	await_nothing(m, 20);
	for (i = 0; i < 10; i++) {
		assert_int_equal(monime_call_result(call[i]),
		    MONIME_EPENDING);
		monime_call_free(call[i]);
	}
	monime_close(m);
}

/* The host may never come back to the loop that fetches. */
static void
test_blocking_verb_takes_over_what_a_loop_began(void **state)
{
	struct monime *m = open_breb("");
	struct monime_call *call;
	int64_t from;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/api/v1/oauth/token",
	    "hold": true, "times": 1}));
	call = begin_get(m, COLLECTIONS, NULL);
	await_count(m, "held", BREB, 1);
	from = real_ms();
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	assert_in_range(real_ms() - from, 0, 5000);
	assert_int_equal(sandbox_release(sandbox), 1);
	await_result(m, call, MONIME_OK);
	assert_int_equal(total("token_requests"), 2);
	/* And what is left of it lets the next ones fetch. */
	sandbox_revoke(sandbox, "oauth");
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	assert_int_equal(total("token_requests"), 3);
	monime_close(m);
}

static void
test_who_began_may_go_when_somebody_took_over(void **state)
{
	struct monime *m = open_breb("");
	struct monime_call *fetcher, *waiter;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/api/v1/oauth/token",
	    "hold": true, "times": 2}));
	fetcher = begin_get(m, COLLECTIONS, NULL);
	waiter = begin_get(m, COLLECTIONS, NULL);
	await_count(m, "held", BREB, 1);
	crew_start(m, 1, request_own);
	await_count(m, "held", BREB, 2);
	monime_call_free(fetcher);
	await_nothing(m, 30);	/* it still waits: for the new fetcher */
	assert_int_equal(total("token_requests"), 2);
	(void)sandbox_release(sandbox);
	crew_wait(1);
	await_result(m, waiter, MONIME_OK);
	assert_int_equal(total("token_requests"), 2);
	monime_close(m);
}

/* A rotation under way */

static void
test_call_in_back_off_outlives_its_edition(void **state)
{
	struct monime *m = open_test("reload = \"1s\";");
	struct monime_call *old, *new;

	(void)state;
	sandbox_fault(sandbox, J({"status": 429,
	    "headers": [["Retry-After", "3"]]}));
	old = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "requests", "monime", 1);
	await_nothing(m, 50);
	write_profile("test/t", "monime", "limited_test", "reload = \"1s\";");
	sleep_ms(1100);
	new = begin_get(m, ACCOUNTS, NULL);
	await_result(m, new, MONIME_EFORBIDDEN);
	/* The first one goes on with what it began with. */
	await_result(m, old, MONIME_OK);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 3);
	monime_close(m);
}

/* Many */

static void
test_a_thousand_pending_at_once(void **state)
{
	struct monime *m = open_test("timeout = \"60s\"; connections = 64;");
	struct monime_call *call;
	int i, before, done = 0, freed = 0;
	struct monime_call *victims[100];

	(void)state;
	(void)monime_fd(m);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	before = descriptors();
	sandbox_fault(sandbox, J({"delay": 0.02, "times": -1}));
	for (i = 0; i < 1000; i++) {
		call = begin_get(m, ACCOUNTS, NULL);
		if (i % 10 == 5)
			victims[freed++] = call;
	}
	for (i = 0; i < freed; i++)
		monime_call_free(victims[i]);
	for (; done < 1000 - freed; done++) {
		call = await(m, PATIENCE);
		assert_non_null(call);
		assert_code(call, monime_call_result(call), MONIME_OK);
		monime_call_free(call);
	}
	await_nothing(m, 20);
	sandbox_close_idle(sandbox, "monime");
	/* libcurl notices a closed connection when it wants it. */
	(void)begin_get(m, ACCOUNTS, NULL);
	call = await(m, PATIENCE);
	monime_call_free(call);
	assert_in_range(descriptors(), before, before + 64 + 2);
	monime_close(m);
	assert_in_range(descriptors(), 0, before);
}

/* It is watched all the time: its end is told once, and not for ever. */
static void
test_kept_connection_that_ends_wakes_once(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	int round;

	(void)state;
	for (round = 0; round < 3; round++) {
		call = begin_get(m, ACCOUNTS, NULL);
		await_result(m, call, MONIME_OK);
		assert_quiet(m);
		assert_int_equal(sandbox_close_idle(sandbox, "monime"), 1);
		assert_true(readable(monime_fd(m), PATIENCE));
		assert_quiet(m);
	}
	assert_int_equal(sandbox_connections(sandbox, "monime"), 3);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_level_triggered_each_call_is_reported_once),
		LIVING(test_descriptor_is_non_blocking_close_on_exec_and_goes),
		LIVING(test_kept_connection_that_ends_wakes_once),
		LIVING(test_edge_triggered_all_are_reported),
		LIVING(test_one_call_taken_for_each_wake_up),
		LIVING(test_readable_as_long_as_a_call_is_ready),
		LIVING(test_duplicate_may_be_watched_and_closed),
		LIVING(test_local_results_come_at_once_and_are_never_reported),
		LIVING(test_every_verb_has_a_start),
		LIVING(test_arguments_may_be_wiped_when_start_returns),
		LIVING(test_anything_may_be_called_between_two_reports),
		LIVING(test_freed_in_the_queue_and_in_flight),
		LIVING(test_freed_in_the_handshake),
		LIVING(test_freed_in_back_off),
		LIVING(test_freed_while_it_waits_for_a_token_and_fetches_one),
		LIVING(test_closed_with_calls_pending),
		LIVING(test_closed_with_ready_calls_that_nobody_heard_of),
		LIVING(test_freed_when_ready_and_never_heard_of),
		LIVING(test_deadline_passes_without_a_timer_of_the_host),
		LIVING(test_retries_come_without_a_timer_of_the_host),
		LIVING(test_deadline_passes_while_a_thread_fetches_the_token),
		LIVING(test_waiting_for_a_token_that_another_thread_fetches),
		LIVING(test_blocking_verbs_neither_wait_nor_are_seen),
		LIVING(test_blocking_verb_takes_over_what_a_loop_began),
		LIVING(test_who_began_may_go_when_somebody_took_over),
		LIVING(test_call_in_back_off_outlives_its_edition),
		LIVING(test_a_thousand_pending_at_once),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
