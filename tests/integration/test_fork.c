/* SPDX-License-Identifier: MIT */

/*
 * Children of fork(2), and of exec: what is theirs, what is their parent's,
 * and that no byte of theirs ever travels on a connection of their parent's.
 */

#include <sys/socket.h>
#include <sys/stat.h>

#include "children.h"

#define CHILDREN	8

static void
get(struct monime *m, const char *path)
{
	struct monime_call *call;
	int r = monime_request(m, "GET", path, NULL, NULL, 0, &call);

	if (r != MONIME_OK)
		(void)fprintf(stderr, "%s\n", monime_call_error(call));
	monime_call_free(call);
	MUST(r == MONIME_OK);
}

/* The connection on which the last request to a server came. */
static int64_t
last_connection(const char *server)
{
	struct json_object *log = sandbox_log(sandbox);
	int64_t n = logged_number(sandbox_logged(log, server, -1),
	    "connection");

	json_object_put(log);
	return n;
}

static void
work_requests(struct monime *m, void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 3; i++)
		get(m, ACCOUNTS);
	monime_close(m);
}

static void
test_eight_children_and_the_connection_lives_on(void **state)
{
	struct monime *m = open_test("");
	pid_t pid[CHILDREN];
	int64_t mine;
	int i;

	(void)state;
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	mine = last_connection("monime");
	for (i = 0; i < CHILDREN; i++)
		pid[i] = child_start(m, work_requests, NULL);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	for (i = 0; i < CHILDREN; i++)
		child_wait(pid[i]);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	assert_int_equal(last_connection("monime"), mine);
	assert_int_equal(sandbox_connections(sandbox, "monime"),
	    1 + CHILDREN);
	assert_int_equal(sandbox_requests(sandbox, "monime"),
	    3 + 3 * CHILDREN);
	monime_close(m);
}

/* Every way out of a child, while the parent has connections of all kinds. */

static void
leave_at_once(struct monime *m, void *arg)
{
	(void)m;
	(void)arg;
}

static void
leave_by_exit(struct monime *m, void *arg)
{
	(void)arg;
	get(m, ACCOUNTS);
	/* With what the C library has to run at the end. */
	exit(0);
}

static void
leave_by_close(struct monime *m, void *arg)
{
	(void)arg;
	monime_close(m);
}

static void
leave_by_free(struct monime *m, void *arg)
{
	struct monime_call **call = arg;

	MUST(monime_call_result(call[0]) == MONIME_ECANCELED);
	monime_call_free(call[0]);
	monime_call_free(call[1]);
	monime_close(m);
}

static void
test_no_byte_of_a_child_on_a_parents_connection(void **state)
{
	static void (*const ways[])(struct monime *, void *) = {
		leave_at_once, leave_by_close, leave_by_free, leave_by_exit
	};
	struct monime *m = open_test("connections = 1;");
	struct monime_call *call[2];
	size_t i, raw;

	(void)state;
	ask(m, "GET", ACCOUNTS, MONIME_OK);	/* kept, of a blocking verb */
	sandbox_fault(sandbox, J({"hold": true, "times": -1}));
	call[0] = begin_get(m, ACCOUNTS, NULL);	/* in flight */
	call[1] = begin_get(m, ACCOUNTS, NULL);	/* queued */
	await_count(m, "held", "monime", 1);
	json_object_put(sandbox_post(sandbox, "/reset", J({"only": ["log"]})));
	for (i = 0; i < ROWS(ways) - 1; i++) {
		child(m, ways[i], call);
		await_nothing(m, 20);
		raw = sandbox_count(sandbox, "raw", "monime");
		if (raw != 0 || sandbox_count(sandbox, "open", "monime") != 2)
			fail_row(__FILE__, __LINE__, "way %zu: %zu bytes, %zu "
			    "connections left", i, raw,
			    sandbox_count(sandbox, "open", "monime"));
	}
	/* One that has its own connection: that alone has bytes. */
	assert_int_equal(sandbox_release(sandbox), 1);
	json_object_put(sandbox_post(sandbox, "/reset",
	    J({"only": ["faults"]})));
	child(m, ways[i], call);
	await_result(m, call[0], MONIME_OK);
	await_result(m, call[1], MONIME_OK);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	assert_int_equal(sandbox_count(sandbox, "open", "monime"), 2);
	monime_close(m);
}

/*
 * A child that has never entered the library but for its counters, which is
 * where it finds that the profile has changed.
 */
static void
work_metrics(struct monime *m, void *arg)
{
	(void)arg;
	move_clock(20000);
	MUST(monime_metrics(&m, 1, "openmetrics", NULL, 0) > 0);
	MUST(logged("a changed profile is taken up") == 1);
}

static void
test_counters_in_a_child_leave_the_parents_connections_alone(void **state)
{
	struct monime *m = open_test("connections = 1;");
	int64_t mine;

	(void)state;
	monime_set_log(m, 7, log_line, NULL);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	mine = last_connection("monime");
	write_profile("test/t", "monime", "test", "connections = 2;");
	child(m, work_metrics, NULL);
	sleep_ms(100);
	assert_int_equal(sandbox_count(sandbox, "open", "monime"), 1);
	assert_int_equal(last_connection("monime"), mine);
	monime_close(m);
}

/* The child's own loop */

static void
work_loop(struct monime *m, void *arg)
{
	struct monime_call **old = arg, *call;
	int fd, i;

	/* Before anything else is called. */
	for (i = 0; i < 4; i++)
		MUST(monime_call_result(old[i]) == MONIME_ECANCELED);
	fd = monime_fd(m);
	MUST(fd >= 0 && monime_fd(m) == fd);
	for (i = 0; i < 4; i++) {
		MUST(monime_call_result(old[i]) == MONIME_ECANCELED);
		MUST(monime_call_data(old[i]) == &old[i]);
	}
	MUST(monime_next(m) == NULL);
	monime_call_free(old[1]);
	MUST(monime_request_start(m, "GET", ACCOUNTS "?limit=1", NULL, NULL,
	    0, m, &call) == MONIME_EPENDING);
	for (i = 0; i < 1000; i++) {
		struct monime_call *got = monime_next(m);

		if (got != NULL) {
			MUST(got == call);
			break;
		}
		(void)readable(fd, 100);
	}
	MUST(monime_call_result(call) == MONIME_OK);
	monime_call_free(old[0]);
	get(m, ACCOUNTS "?limit=1");
	monime_close(m);
	/* They outlive it. */
	MUST(monime_call_result(old[2]) == MONIME_ECANCELED);
	monime_call_free(old[2]);
	monime_call_free(call);
	monime_call_free(old[3]);
}

static void
test_child_has_a_loop_and_the_parents_goes_on(void **state)
{
	struct monime *m = open_test("connections = 2;");
	struct monime_call *call[4], *got;
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/v1/banks", "hold": true,
	    "times": -1}));
	for (i = 0; i < 4; i++)
		call[i] = begin_get(m, "/v1/banks", &call[i]);
	await_count(m, "held", "monime", 2);
	child(m, work_loop, call);
	await_nothing(m, 20);
	assert_int_equal(sandbox_count(sandbox, "held", "monime"), 2);
	json_object_put(sandbox_post(sandbox, "/reset",
	    J({"only": ["faults"]})));
	for (i = 0; i < 4; i++) {
		got = await(m, PATIENCE);
		assert_non_null(got);
		assert_code(got, monime_call_result(got), MONIME_OK);
		monime_call_free(got);
	}
	assert_quiet(m);
	monime_close(m);
}

/* Descriptors */

struct expect {
	int fd[64];
	int n;
};

/* What was opened since, that a child is to close. */
static void
note_descriptors(struct expect *e, const bool *before)
{
	struct stat st;
	int fd;

	e->n = 0;
	for (fd = 0; fd < 1024; fd++) {
		if (before[fd] || fstat(fd, &st) != 0)
			continue;
		/* libcurl's own are not to be had: no close-on-exec. */
		if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
			continue;
		e->fd[e->n++] = fd;
	}
}

static void
work_descriptors(struct monime *m, void *arg)
{
	struct expect *e = arg;
	struct stat st;
	int i, left = 0;

	/* The first entry into the library closes them. */
	MUST(monime_next(m) == NULL);
	for (i = 0; i < e->n; i++)
		left += fstat(e->fd[i], &st) == 0;
	MUST(left == 0);
}

static void
test_child_closes_its_copies_of_descriptors(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	bool before[1024];
	struct expect e;
	int fd;

	(void)state;
	for (fd = 0; fd < 1024; fd++)
		before[fd] = fcntl(fd, F_GETFD) >= 0;
	sandbox_fault(sandbox, J({"path": "/v1/banks", "hold": true}));
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	call = begin_get(m, "/v1/banks", NULL);
	await_count(m, "held", "monime", 1);
	note_descriptors(&e, before);
	/* Two loops with a connection each, a timerfd and an eventfd. */
	assert_int_equal(e.n, 6);
	child(m, work_descriptors, &e);
	monime_call_free(call);
	monime_close(m);
}

/*
 * A child that never enters the library keeps its copies open.  The parent's
 * loop does not turn for that when a connection ends.
 */
static void
work_sleep(struct monime *m, void *arg)
{
	(void)m;
	(void)arg;
	sleep_ms(10000);
}

static void
test_child_that_sleeps_keeps_no_loop_awake(void **state)
{
	struct monime *m = open_test("timeout = \"500ms\";");
	struct monime_call *call;
	pid_t pid;
	int i, wakes = 0;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true, "times": 2}));
	call = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "held", "monime", 1);
	pid = child_start(m, work_sleep, NULL);
	/* Its connection goes, while the child has it, too. */
	await_result(m, call, MONIME_ELOST);
	call = begin_get(m, ACCOUNTS, NULL);
	await_count(m, "held", "monime", 2);
	sandbox_fault(sandbox, J({"drop": "status", "times": -1}));
	(void)sandbox_release(sandbox);
	monime_call_free(await(m, PATIENCE));
	for (i = 0; i < 20; i++) {
		wakes += readable(monime_fd(m), 20);
		await_nothing(m, 0);
	}
	assert_in_range(wakes, 0, 3);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &i, 0);
	monime_close(m);
}

/* Nothing of ours gets through exec; what libcurl leaves open is told. */
static void
test_program_that_is_run_inherits_none_of_ours(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	char after[8192];
	FILE *f;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/v1/banks", "hold": true}));
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	call = begin_get(m, "/v1/banks", NULL);
	await_count(m, "held", "monime", 1);
	f = popen("ls -l /proc/self/fd", "r");
	assert_non_null(f);
	after[fread(after, 1, sizeof(after) - 1, f)] = '\0';
	(void)pclose(f);
	assert_null(strstr(after, "eventpoll"));
	assert_null(strstr(after, "timerfd"));
	assert_null(strstr(after, "eventfd"));
	monime_call_free(call);
	monime_close(m);
}

/* The sockets among them, by /proc/net/tcp: none is a connection. */
static void
test_no_connection_gets_through_exec(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	bool before[1024];
	int fd, pairs = 0;

	(void)state;
	for (fd = 0; fd < 1024; fd++)
		before[fd] = fcntl(fd, F_GETFD) >= 0;
	sandbox_fault(sandbox, J({"path": "/v1/banks", "hold": true}));
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	call = begin_get(m, "/v1/banks", NULL);
	await_count(m, "held", "monime", 1);
	for (fd = 0; fd < 1024; fd++) {
		struct sockaddr_storage a = { .ss_family = 0 };
		socklen_t len = sizeof(a);
		int flags = fcntl(fd, F_GETFD);

		if (before[fd] || flags < 0 || (flags & FD_CLOEXEC) != 0)
			continue;
		/* libcurl's own, to wake itself: a pair in each multi. */
		assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
		assert_int_equal(a.ss_family, AF_UNIX);
		pairs++;
	}
	print_message("libcurl's own descriptors that exec inherits: %d\n",
	    pairs);
	assert_in_range(pairs, 0, 4);
	monime_call_free(call);
	monime_close(m);
}

/* OAuth 2.0 */

static void
work_breb(struct monime *m, void *arg)
{
	(void)arg;
	get(m, COLLECTIONS);
	monime_close(m);
}

static void
test_child_uses_the_token_that_its_parent_got(void **state)
{
	struct monime *m = open_breb("");
	int i;

	(void)state;
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	for (i = 0; i < 4; i++)
		child(m, work_breb, NULL);
	assert_int_equal(total("token_requests"), 1);
	monime_close(m);
}

static void
test_child_fetches_for_itself_while_its_parent_does(void **state)
{
	struct monime *m = open_breb("");
	struct monime_call *call[2], *got;
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"path": "/api/v1/oauth/token",
	    "hold": true, "times": 1}));
	call[0] = begin_get(m, COLLECTIONS, NULL);
	call[1] = begin_get(m, COLLECTIONS, NULL);
	await_count(m, "held", BREB, 1);
	child(m, work_breb, NULL);
	(void)sandbox_release(sandbox);
	for (i = 0; i < 2; i++) {
		got = await(m, PATIENCE);
		assert_non_null(got);
		assert_code(got, monime_call_result(got), MONIME_OK);
		monime_call_free(got);
	}
	assert_int_equal(total("token_requests"), 2);
	(void)call;
	monime_close(m);
}

/* A credential that the parent was asking about is not asked for ever. */
static void
work_refused(struct monime *m, void *arg)
{
	struct monime_call *call;
	int r;

	(void)arg;
	r = monime_request(m, "GET", ACCOUNTS, NULL, NULL, 0, &call);
	monime_call_free(call);
	MUST(r == MONIME_EDENIED);
	/* The token test has been asked, so that it is benched. */
	r = monime_request(m, "GET", ACCOUNTS, NULL, NULL, 0, &call);
	MUST(r == MONIME_EDENIED);
	MUST(strstr(monime_call_error(call), "nothing is sent") != NULL);
	monime_call_free(call);
	monime_close(m);
}

static void
test_child_asks_about_what_its_parent_was_asking(void **state)
{
	struct monime *m = open_profile("test/t", "monime", "revoked_test",
	    "");
	struct monime_call *call;

	(void)state;
	sandbox_revoke(sandbox, "revoked_test");
	/* GET / of the parent's call hangs, the child's is answered. */
	faultf("{\"path\": \"/v1\", \"status\": 401, \"times\": -1}");
	call = begin_get(m, ACCOUNTS, NULL);
	sandbox_fault(sandbox, J({"path": "/", "hold": true, "times": 1}));
	await_count(m, "held", "monime", 1);
	child(m, work_refused, NULL);
	monime_call_free(call);
	monime_close(m);
}

/* Verdicts */

static void
check(struct monime *m, const char *token, int want)
{
	struct monime_call *call;
	int r;

	r = monime_check_token(m, token, strlen(token), &call);
	if (r != want)
		(void)fprintf(stderr, "%d, not %d: %s\n", r, want,
		    monime_call_error(call));
	monime_call_free(call);
	MUST(r == want);
}

static void
work_bad(struct monime *m, void *arg)
{
	check(m, arg, MONIME_EDENIED);
	monime_close(m);
}

#define FORKS	300

static void
test_three_hundred_forks_cross_no_verdict(void **state)
{
	const char *good = sandbox_token(sandbox, "test");
	struct monime *m = open_profile("test/g", "monime", NULL,
	    "check = { ttl = \"1s\"; negative_ttl = \"1s\";"
	    " timeout = \"20s\"; probes = 512; probe_rate = 10000; };");
	char bad[64];
	pid_t pid[4];
	int i, k;

	(void)state;
	for (i = 0; i < FORKS; i += 4) {
		for (k = 0; k < 4; k++) {
			(void)snprintf(bad, sizeof(bad),
			    "mon_test_canary_bad_%06d", i + k);
			pid[k] = child_start(m, work_bad, bad);
		}
		check(m, good, MONIME_OK);
		for (k = 0; k < 4; k++)
			child_wait(pid[k]);
	}
	monime_close(m);
}

/* As servers do: the opener has no loop and no connection, the children do. */
static void
work_prefork(struct monime *m, void *arg)
{
	struct monime_call *call;
	int i, n = 0, fd = monime_fd(m);

	(void)arg;
	for (i = 0; i < 20; i++)
		MUST(monime_request_start(m, "GET", ACCOUNTS, NULL, NULL, 0,
		    NULL, &call) == MONIME_EPENDING);
	while (n < 20) {
		MUST(readable(fd, PATIENCE));
		while ((call = monime_next(m)) != NULL) {
			MUST(monime_call_result(call) == MONIME_OK);
			monime_call_free(call);
			n++;
		}
	}
	/* And children of children. */
	if (arg != NULL) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			work_prefork(m, NULL);
			_exit(0);
		}
		MUST(waitpid(pid, &status, 0) == pid && status == 0);
		get(m, ACCOUNTS);
	}
	monime_close(m);
}

static void
test_children_of_a_server_and_their_children(void **state)
{
	struct monime *m = open_test("");
	pid_t pid[4];
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		pid[i] = child_start(m, work_prefork, m);
	for (i = 0; i < 4; i++)
		child_wait(pid[i]);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	monime_close(m);
}

/*
 * What the kernel saw: the child of tests' own that strace follows neither
 * writes to nor shuts down a socket that it did not open.
 */
static void
test_strace_sees_no_write_to_an_inherited_descriptor(void **state)
{
	struct monime *m = open_test("");
	struct monime_call *call;
	char command[512], line[1024], path[256];
	struct stat st;
	bool inherited[1024], closed[1024] = { false };
	int fd, writes = 0, lines = 0, gate[2];
	FILE *f;
	pid_t pid;
	char c;

	(void)state;
	if (system("strace -qq -o /dev/null true >/dev/null 2>&1") != 0) {
		print_message("skip: strace cannot trace here\n");
		skip();
	}
	sandbox_fault(sandbox, J({"path": "/v1/banks", "hold": true,
	    "times": -1}));
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	call = begin_get(m, "/v1/banks", NULL);
	await_count(m, "held", "monime", 1);
	for (fd = 0; fd < 1024; fd++)
		inherited[fd] = fstat(fd, &st) == 0 && fd > 2;
	assert_int_equal(pipe(gate), 0);
	(void)snprintf(path, sizeof(path), "%s/strace", folder);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(gate[1]);
		MUST(read(gate[0], &c, 1) == 1);
		work_requests(m, NULL);
		monime_call_free(call);
		_exit(0);
	}
	(void)snprintf(command, sizeof(command), "strace -f -qq -o %s -p %d "
	    "-e trace=write,writev,sendto,sendmsg,sendmmsg,shutdown,close,"
	    "dup,dup2,dup3 & sleep 1", path, (int)pid);
	assert_int_equal(system(command), 0);
	assert_int_equal(write(gate[1], "x", 1), 1);
	child_wait(pid);
	sleep_ms(200);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		char name[32];

		if (sscanf(line, "%*d %31[a-z0-9](%d", name, &fd) != 2 ||
		    fd < 0 || fd >= 1024)
			continue;
		lines++;
		if (strcmp(name, "close") == 0)
			closed[fd] = true;
		else if (inherited[fd] && !closed[fd])
			writes++;
	}
	fclose(f);
	assert_true(lines > 10);
	assert_int_equal(writes, 0);
	(void)close(gate[0]);
	(void)close(gate[1]);
	monime_call_free(call);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_eight_children_and_the_connection_lives_on),
		LIVING(test_no_byte_of_a_child_on_a_parents_connection),
		LIVING(
	test_counters_in_a_child_leave_the_parents_connections_alone),
		LIVING(test_child_has_a_loop_and_the_parents_goes_on),
		LIVING(test_child_closes_its_copies_of_descriptors),
		LIVING(test_child_that_sleeps_keeps_no_loop_awake),
		LIVING(test_program_that_is_run_inherits_none_of_ours),
		LIVING(test_no_connection_gets_through_exec),
		LIVING(test_child_uses_the_token_that_its_parent_got),
		LIVING(test_child_fetches_for_itself_while_its_parent_does),
		LIVING(test_child_asks_about_what_its_parent_was_asking),
		LIVING(test_three_hundred_forks_cross_no_verdict),
		LIVING(test_children_of_a_server_and_their_children),
		LIVING(test_strace_sees_no_write_to_an_inherited_descriptor),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
