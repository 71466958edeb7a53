/* SPDX-License-Identifier: MIT */

/*
 * One probe for all who want to know: threads, loops and processes that wait
 * for each other's, and that go away, die, fork or close while they do.
 */

#include <malloc.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "probing.h"

/* How many */

#define PROCESSES	4
#define ON_THE_LOOP	2500
#define BLOCKING	3

struct many {
	pthread_barrier_t gate;
	int on_the_loop;
};

static void
work_many(struct monime *m, void *arg)
{
	const char *token = sandbox_token(sandbox, "test");
	struct asker asker[BLOCKING];
	struct many *many = arg;
	struct monime_call *call;
	int i, r, pending = 0;

	(void)pthread_barrier_wait(&many->gate);
	for (i = 0; i < BLOCKING; i++)
		asker_start(&asker[i], m, "test");
	for (i = 0; i < many->on_the_loop; i++) {
		r = monime_check_token_start(m, token, strlen(token), NULL,
		    &call);
		MUST(r == MONIME_EPENDING || r == MONIME_OK);
		if (r == MONIME_OK)
			monime_call_free(call);
		else
			pending++;
	}
	while (pending > 0) {
		MUST(readable(monime_fd(m), PATIENCE));
		while ((call = monime_next(m)) != NULL) {
			MUST(monime_call_result(call) == MONIME_OK);
			monime_call_free(call);
			pending--;
		}
	}
	for (i = 0; i < BLOCKING; i++)
		MUST(asker_wait(&asker[i]) == MONIME_OK);
	monime_close(m);
}

static void
test_four_processes_and_one_new_token_make_one_probe(void **state)
{
	struct monime *m = open_checks("check = { timeout = \"9s\"; };");
	struct many *many = common_memory(sizeof(*many));
	pthread_barrierattr_t attr;
	struct json_object *log;
	pid_t pid[PROCESSES];
	int i;

	(void)state;
	many->on_the_loop = slow() ? 200 : ON_THE_LOOP;
	(void)pthread_barrierattr_init(&attr);
	(void)pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	(void)pthread_barrier_init(&many->gate, &attr, PROCESSES);
	(void)pthread_barrierattr_destroy(&attr);
	sandbox_fault(sandbox, J({"delay": 0.3}));
	for (i = 0; i < PROCESSES; i++)
		pid[i] = child_start(m, work_many, many);
	for (i = 0; i < PROCESSES; i++)
		child_wait(pid[i]);
	assert_asked(2);
	log = sandbox_log(sandbox);
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 0),
	    "target"), "/");
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 1),
	    "target"), ACCOUNTS "?limit=1");
	json_object_put(log);
	assert_check(m, "test", MONIME_OK, "cache");
	(void)munmap(many, sizeof(*many));
	monime_close(m);
}

/* Two handles on one profile, each with its loop and a thread beside it. */
#define BOTH	100

static const char *
check_each(struct monime *m, int number)
{
	struct monime_call *call;
	char token[64];
	int i, r, pending = 0;

	for (i = 0; i < BOTH; i++) {
		(void)snprintf(token, sizeof(token),
		    "mon_test_canary_both_%08d", i);
		if (number % 2 == 0) {
			if (monime_check_token(m, token, strlen(token),
			    NULL) != MONIME_EDENIED)
				return "a blocking check failed";
			continue;
		}
		r = monime_check_token_start(m, token, strlen(token), NULL,
		    &call);
		if (r == MONIME_EPENDING)
			pending++;
		else
			monime_call_free(call);
		if (r != MONIME_EPENDING && r != MONIME_EDENIED)
			return "a check was not begun";
	}
	while (pending > 0 && readable(monime_fd(m), PATIENCE)) {
		while ((call = monime_next(m)) != NULL) {
			r = monime_call_result(call);
			monime_call_free(call);
			if (r != MONIME_EDENIED)
				return "a check on the loop failed";
			pending--;
		}
	}
	return pending == 0 ? NULL : "a loop was not woken";
}

static struct monime *both[2];

static const char *
check_on_both(struct monime *unused, int number)
{
	(void)unused;
	return check_each(both[number / 2], number);
}

static void
test_two_handles_on_one_profile_share_their_probes(void **state)
{
	(void)state;
	both[0] = open_checks(CHECK("negative_ttl = \"60s\";"));
	both[1] = open_named("test/p");
	crew_start(NULL, 4, check_on_both);
	crew_wait(4);
	assert_asked(BOTH);
	monime_close(both[0]);
	monime_close(both[1]);
}

/* Who asks may go */

static void
test_prober_that_is_killed_leaves_it_to_the_others(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *call;
	struct asker asker;
	pid_t prober, other[2];
	int64_t from;
	int status;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	prober = child_start(m, work_check, "test");
	sandbox_wait(sandbox, "held", "monime", 1);
	other[0] = child_start(m, work_check, "test");
	other[1] = child_start(m, work_check_loop, "test");
	asker_start(&asker, m, "test");
	call = begin_check(m, "test", NULL);
	await_nothing(m, 60);
	from = real_ms();
	(void)kill(prober, SIGKILL);
	/* Nobody has waited for it yet: it is a zombie. */
	await_result(m, call, MONIME_OK);
	assert_int_equal(asker_wait(&asker), MONIME_OK);
	child_wait(other[0]);
	child_wait(other[1]);
	assert_in_range(real_ms() - from, 0, 2500);
	assert_int_equal(waitpid(prober, &status, 0), prober);
	assert_asked(2);
	monime_close(m);
}

static void
test_who_began_may_go_and_all_others_get_the_verdict(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *began, *joined;
	struct asker asker;
	pid_t other[2];

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	began = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	joined = begin_check(m, "test", NULL);
	other[0] = child_start(m, work_check, "test");
	other[1] = child_start(m, work_check_loop, "test");
	asker_start(&asker, m, "test");
	let_them_wait();
	monime_call_free(began);
	await_nothing(m, 20);
	assert_int_equal(sandbox_release(sandbox), 1);
	await_result(m, joined, MONIME_OK);
	assert_int_equal(asker_wait(&asker), MONIME_OK);
	child_wait(other[0]);
	child_wait(other[1]);
	assert_asked(1);
	assert_quiet(m);
	monime_close(m);
}

/* The probe is the handle's: also when all have gone, somebody may come. */
static void
test_all_may_go_and_the_verdict_is_remembered(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *call[3];
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	for (i = 0; i < 3; i++)
		call[i] = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	for (i = 0; i < 3; i++)
		monime_call_free(call[i]);
	assert_int_equal(sandbox_release(sandbox), 1);
	sandbox_wait_down(sandbox, "held", "monime", 0);
	await_nothing(m, 100);
	assert_check(m, "test", MONIME_OK, "cache");
	assert_asked(1);
	monime_close(m);
}

static void
test_blocking_check_takes_over_what_all_have_left(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *call;
	struct asker asker;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	call = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	monime_call_free(call);
	asker_start(&asker, m, "test");
	let_them_wait();
	assert_int_equal(sandbox_release(sandbox), 1);
	assert_int_equal(asker_wait(&asker), MONIME_OK);
	assert_in_range(asker.took, 0, 2500);
	assert_asked(1);
	monime_close(m);
}

/* Neither depends on the other */

static void
test_blocking_check_in_the_thread_of_a_loop_that_waits(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *call;

	(void)state;
	call = begin_check(m, "test", NULL);
	/* Nobody has called monime_next(), and nobody can now. */
	assert_check(m, "test", MONIME_OK, "network");
	assert_int_equal(monime_call_result(call), MONIME_EPENDING);
	assert_true(readable(monime_fd(m), 0));
	await_result(m, call, MONIME_OK);
	assert_asked(1);
	assert_quiet(m);
	monime_close(m);
}

static const char *
begin_and_leave(struct monime *m, int number)
{
	const char *token = sandbox_token(sandbox, "test");
	struct monime_call *call;

	(void)number;
	return monime_check_token_start(m, token, strlen(token), NULL,
	    &call) == MONIME_EPENDING ? NULL : "it is not pending";
}

static void
test_blocking_checks_beside_a_loop_that_nobody_runs(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct asker asker[4];
	int i;

	(void)state;
	crew_start(m, 1, begin_and_leave);
	crew_wait(1);
	for (i = 0; i < 4; i++)
		asker_start(&asker[i], m, "test");
	for (i = 0; i < 4; i++) {
		assert_int_equal(asker_wait(&asker[i]), MONIME_OK);
		assert_in_range(asker[i].took, 0, 2500);
	}
	assert_asked(1);
	await_all(m, 1);
	monime_close(m);
}

/* A blocking check that drives the probes, and leaves them to the loop. */
static void
test_loop_goes_on_when_a_blocking_check_times_out(void **state)
{
	struct monime *m = open_checks("check = { accept = \"any\";"
	    " timeout = \"600ms\"; };");
	struct monime_call *call;
	struct asker asker;
	int64_t from;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true, "times": 2}));
	asker_start(&asker, m, "test");
	sandbox_wait(sandbox, "held", "monime", 1);
	sleep_ms(300);
	from = real_ms();
	call = begin_check(m, "stranger_test", NULL);
	await_count(m, "held", "monime", 2);
	assert_int_equal(asker_wait(&asker), MONIME_ELOST);
	assert_in_range(asker.took, 590, 2500);
	(void)sandbox_release(sandbox);
	await_result(m, call, MONIME_OK);
	assert_in_range(real_ms() - from, 0, 610);
	monime_close(m);
}

/*
 * Rounds of checks on the loop, while threads do the same blocking, at random
 * times and for a few tokens: a wake-up that is lost is a check that takes
 * until its deadline, since there is nothing else to do.
 */
#define TOO_LONG	2500	/* ms; of 5 s */

enum watch {
	WATCH_POLL,
	WATCH_LEVELS,
	WATCH_EDGES
};

static const char *const names[] = {
	"test", "stranger_test", "limited_test"
};

static bool stop_asking;	/* atomic */

static unsigned int
dice(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

static const char *
ask_over_and_over(struct monime *m, int number)
{
	unsigned int seed = (unsigned int)number + 1;
	const char *wrong = NULL;
	int64_t from;
	int r;

	while (wrong == NULL &&
	    !__atomic_load_n(&stop_asking, __ATOMIC_RELAXED)) {
		from = real_ms();
		r = check_now(m, names[dice(&seed, ROWS(names))]);
		if (r != MONIME_OK)
			wrong = monime_strerror(r);
		else if (real_ms() - from > TOO_LONG)
			wrong = "a blocking check was not woken";
		(void)usleep(dice(&seed, 2000));
	}
	return wrong;
}

/* A descriptor to watch, in that way. */
static int
watch(struct monime *m, enum watch how)
{
	struct epoll_event ev = {
		.events = EPOLLIN | (how == WATCH_EDGES ? EPOLLET : 0)
	};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, monime_fd(m), &ev),
	    0);
	return epoll;
}

static bool
woken(struct monime *m, enum watch how, int epoll)
{
	struct epoll_event ev;

	return how == WATCH_POLL ? readable(monime_fd(m), TOO_LONG) :
	    epoll_wait(epoll, &ev, 1, TOO_LONG) == 1;
}

/* Some checks at once on the loop; how often is it woken until all are done? */
static int
one_round(struct monime *m, enum watch how, int epoll, unsigned int *seed)
{
	struct monime_call *call, *victim = NULL;
	int i, wakes = 0, left = (int)dice(seed, 3) + 1;

	for (i = 0; i < left; i++) {
		call = begin_check(m, names[dice(seed, ROWS(names))], NULL);
		if (victim == NULL && dice(seed, 4) == 0)
			victim = call;
		if (dice(seed, 2) == 0)
			(void)usleep(dice(seed, 800));
	}
	if (victim != NULL) {
		monime_call_free(victim);
		left--;
	}
	while (left > 0) {
		if (!woken(m, how, epoll))
			fail_row(__FILE__, __LINE__, "a loop was not woken");
		wakes++;
		while ((call = monime_next(m)) != NULL) {
			assert_code(call, monime_call_result(call),
			    MONIME_OK);
			monime_call_free(call);
			left--;
		}
	}
	return wakes;
}

static void
rounds(enum watch how, int threads)
{
	struct monime *m = open_checks(ASKS_ANEW);
	int epoll = watch(m, how), wakes = 0, i, n = slow() ? 60 : 600;
	unsigned int seed = 7;
	int64_t from;

	stop_asking = false;
	crew_start(m, threads, ask_over_and_over);
	for (i = 0; i < n; i++) {
		from = real_ms();
		wakes += one_round(m, how, epoll, &seed);
		if (real_ms() - from > TOO_LONG)
			fail_row(__FILE__, __LINE__, "a check on the loop "
			    "took %lld ms", (long long)(real_ms() - from));
		if (dice(&seed, 2) == 0)
			(void)usleep(dice(&seed, 1500));
	}
	__atomic_store_n(&stop_asking, true, __ATOMIC_RELAXED);
	crew_wait(threads);
	print_message("%d rounds, %d threads: %.1f wake-ups each\n", n,
	    threads, (double)wakes / n);
	assert_in_range(wakes / n, 1, 60);
	assert_quiet(m);
	(void)close(epoll);
	monime_close(m);
}

static void
test_polled_loop_and_threads_lose_no_wake_up(void **state)
{
	(void)state;
	rounds(WATCH_POLL, 1);
	rounds(WATCH_POLL, 4);
}

static void
test_level_triggered_loop_and_threads_lose_no_wake_up(void **state)
{
	(void)state;
	rounds(WATCH_LEVELS, 2);
}

static void
test_edge_triggered_loop_and_threads_lose_no_wake_up(void **state)
{
	(void)state;
	rounds(WATCH_EDGES, 1);
	rounds(WATCH_EDGES, 4);
}

/* Much to do in the host's loop when the answer to the probe comes. */
#define BESIDE	24

static void
test_busy_loop_does_not_forget_its_probe(void **state)
{
	struct monime *m = open_test("connections = 32;\n" ASKS_ANEW);
	struct monime_call *call, *get[BESIDE], *check;
	int64_t from;
	int i, n;

	(void)state;
	for (n = 0; n < 5; n++) {
		faultf("{\"path\": \"/v1\", \"huge\": 600000, \"hold\": true,"
		    " \"times\": %d}", BESIDE);
		sandbox_fault(sandbox, J({"hold": true}));
		for (i = 0; i < BESIDE; i++)
			get[i] = begin_get(m, ACCOUNTS, NULL);
		check = begin_check(m, "stranger_test", NULL);
		await_count(m, "held", "monime", BESIDE + 1);
		(void)sandbox_release(sandbox);
		/* All answers lie ready before anybody looks. */
		sleep_ms(400);
		from = real_ms();
		for (i = 0; i < BESIDE + 1; i++) {
			call = await(m, PATIENCE);
			assert_non_null(call);
			assert_code(call, monime_call_result(call), MONIME_OK);
			if (call == check)
				assert_in_range(real_ms() - from, 0, TOO_LONG);
			monime_call_free(call);
		}
		(void)get;
	}
	monime_close(m);
}

/* The verdict that thousands wait for */

static double
processor_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

#define CROWD	5000

static void
test_no_step_is_long_when_a_crowd_is_told(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	int fd = monime_fd(m), i, left = CROWD, steps = 0;
	double from, longest = 0;
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	for (i = 0; i < CROWD; i++)
		(void)begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	assert_int_equal(sandbox_release(sandbox), 1);
	while (left > 0) {
		assert_true(readable(fd, PATIENCE));
		do {
			from = processor_ms();
			call = monime_next(m);
			from = processor_ms() - from;
			if (from > longest)
				longest = from;
			steps++;
			if (call != NULL) {
				assert_code(call, monime_call_result(call),
				    MONIME_OK);
				monime_call_free(call);
				left--;
			}
		} while (call != NULL);
	}
	print_message("%d are told in %d steps, the longest %.2f ms on the "
	    "processor\n", CROWD, steps, longest);
	assert_asked(1);
	monime_close(m);
}

/* A host that takes its time with each of them is told all the same. */
static void
test_slow_host_is_told_what_came_in_time(void **state)
{
	struct monime *m = open_checks("check = { accept = \"any\";"
	    " timeout = \"600ms\"; };");
	struct monime_call *call;
	int64_t from = real_ms();
	int i, n = slow() ? CROWD / 5 : CROWD;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	for (i = 0; i < n; i++)
		(void)begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	await_nothing(m, 400 - (real_ms() - from));
	assert_int_equal(sandbox_release(sandbox), 1);
	for (i = 0; i < n; i++) {
		call = await(m, PATIENCE);
		assert_non_null(call);
		assert_code(call, monime_call_result(call), MONIME_OK);
		monime_call_free(call);
		if (i < 400)
			sleep_ms(1);
	}
	monime_close(m);
}

/* Closing */

static void
test_close_cancels_and_lets_others_ask_at_once(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime *other = open_named("test/p");
	struct monime_call *call[4];
	struct asker asker;
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true, "times": 2}));
	for (i = 0; i < 4; i++)
		call[i] = begin_check(m, i < 3 ? "test" : "stranger_test",
		    &call[i]);
	await_count(m, "held", "monime", 2);
	asker_start(&asker, other, "test");
	let_them_wait();
	assert_asked(2);
	monime_close(m);
	assert_int_equal(asker_wait(&asker), MONIME_OK);
	assert_in_range(asker.took, 0, 2500);
	assert_asked(3);
	for (i = 0; i < 4; i++) {
		assert_int_equal(monime_call_result(call[i]),
		    MONIME_ECANCELED);
		assert_ptr_equal(monime_call_data(call[i]), &call[i]);
		assert_non_null(monime_call_error(call[i]));
		monime_call_free(call[i]);
	}
	assert_check(other, "stranger_test", MONIME_OK, "network");
	monime_close(other);
}

/* What is queued has claims, too, and has not begun. */
static void
test_close_before_the_loop_ran_lets_others_ask(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime *other = open_named("test/p");
	struct monime_call *call = begin_check(m, "test", NULL);

	(void)state;
	monime_close(m);
	assert_check(other, "test", MONIME_OK, "network");
	assert_asked(1);
	monime_close(other);
	assert_int_equal(monime_call_result(call), MONIME_ECANCELED);
	monime_call_free(call);
}

static void
test_close_with_verdicts_that_nobody_heard_of(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *call[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		call[i] = begin_check(m, "test", NULL);
	assert_check(m, "test", MONIME_OK, "network");
	monime_close(m);
	for (i = 0; i < 3; i++) {
		assert_int_equal(monime_call_result(call[i]),
		    MONIME_ECANCELED);
		monime_call_free(call[i]);
	}
}

/* Fork */

struct family {
	struct monime_call **call;
	int gate[2];		/* a pipe: the child waits for its end */
};

static void
work_cancelled(struct monime *m, void *arg)
{
	struct family *f = arg;

	MUST(monime_call_result(f->call[0]) == MONIME_ECANCELED);
	monime_call_free(f->call[0]);
	MUST(monime_next(m) == NULL);
	MUST(monime_call_result(f->call[1]) == MONIME_ECANCELED);
	monime_close(m);
	MUST(monime_call_result(f->call[1]) == MONIME_ECANCELED);
	monime_call_free(f->call[1]);
}

static void
work_check_another(struct monime *m, void *arg)
{
	(void)arg;
	work_check_loop(m, "stranger_test");
}

static void
test_child_cancels_and_sends_nothing_for_its_parent(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *call[2];
	struct family f = { .call = call };

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	call[0] = begin_check(m, "test", NULL);
	call[1] = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	control("/reset", J({"only": ["log"]}));
	child(m, work_cancelled, &f);
	await_nothing(m, 20);
	assert_int_equal(sandbox_count(sandbox, "raw", "monime"), 0);
	assert_int_equal(sandbox_count(sandbox, "open", "monime"), 1);
	/* One that asks has a connection of its own. */
	child(m, work_check_another, NULL);
	assert_int_equal(sandbox_connections(sandbox, "monime"), 1);
	assert_asked(1);
	assert_int_equal(sandbox_release(sandbox), 1);
	await_all(m, 2);
	assert_asked(1);
	monime_close(m);
}

/* While its parent drives the probe, and while that only waits for it. */
static void
test_child_gets_the_verdict_that_its_parent_asks_for(void **state)
{
	struct monime *m = open_checks("check = { accept = \"any\";"
	    " timeout = \"3s\"; negative_ttl = \"0s\"; };");
	struct monime_call *call;
	pid_t pid;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	call = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	pid = child_start(m, work_check, "test");
	await_nothing(m, 100);
	assert_int_equal(sandbox_release(sandbox), 1);
	await_result(m, call, MONIME_OK);
	child_wait(pid);
	assert_asked(1);

	sandbox_fault(sandbox, J({"hold": true}));
	call = begin_check(m, "stranger_test", NULL);
	await_count(m, "held", "monime", 1);
	/* So much later than its parent's its deadline is. */
	await_nothing(m, 1000);
	child(m, work_check_another, NULL);
	assert_asked(3);
	monime_call_free(call);
	monime_close(m);
}

static void
work_after_its_parent(struct monime *m, void *arg)
{
	struct family *f = arg;
	char c;

	(void)close(f->gate[1]);
	MUST(read(f->gate[0], &c, 1) == 0);
	work_check(m, "test");
	MUST(monime_call_result(f->call[0]) == MONIME_ECANCELED);
	monime_call_free(f->call[0]);
}

static void
test_parent_may_close_before_its_child(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *call;
	struct family f = { .call = &call };
	pid_t pid;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	call = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	assert_int_equal(pipe(f.gate), 0);
	pid = child_start(m, work_after_its_parent, &f);
	monime_close(m);
	monime_call_free(call);
	(void)close(f.gate[1]);
	child_wait(pid);
	(void)close(f.gate[0]);
	assert_asked(2);
}

/* Nothing is left of a thousand handles, each with a check pending. */
static void
one_handle(int number)
{
	struct monime *m = open_named("test/p");
	struct monime_call *call[2];
	struct family f = { .call = call };

	call[0] = begin_check(m, "test", NULL);
	call[1] = begin_check(m, "stranger_test", NULL);
	if (number % 10 == 0)
		await_nothing(m, 0);
	if (number % 50 == 0)
		child(m, work_cancelled, &f);
	if (number % 4 == 0)
		monime_call_free(call[0]);
	monime_close(m);
	monime_call_free(call[1]);
	if (number % 4 != 0)
		monime_call_free(call[0]);
}

static void
test_a_thousand_handles_leave_nothing(void **state)
{
	int i, n = slow() ? 200 : 1000, before = 0;
	size_t memory = 0;

	(void)state;
	write_profile("test/p", "monime", NULL, CHECK(""));
	sandbox_fault(sandbox, J({"hold": true, "times": -1}));
	for (i = 0; i < n; i++) {
		one_handle(i);
		if (i == n / 2) {
			before = descriptors();
			memory = mallinfo2().uordblks;
		}
	}
	assert_int_equal(descriptors(), before);
	/* A sanitizer has an allocator of its own, which tells nothing. */
	if (memory > 0)
		assert_in_range(mallinfo2().uordblks, 0, memory + 32768);
}

/* An API that is not there */

#define OUTAGE_TOKENS	60

/* Checks of as many tokens end in time, with one of two codes. */
static void
outage(struct monime *m, int want, int or_want, int64_t within)
{
	struct monime_call *call;
	char token[64];
	int i, r, pending = 0;
	int64_t from = real_ms();
	double at, longest = 0;

	for (i = 0; i < OUTAGE_TOKENS; i++) {
		(void)snprintf(token, sizeof(token),
		    "mon_test_canary_none_%08d", i);
		assert_code(call, monime_check_token_start(m, token,
		    strlen(token), NULL, &call), MONIME_EPENDING);
	}
	for (pending = i; pending > 0; ) {
		at = processor_ms();
		call = monime_next(m);
		at = processor_ms() - at;
		if (at > longest)
			longest = at;
		if (call == NULL) {
			assert_true(readable(monime_fd(m), PATIENCE));
			continue;
		}
		r = monime_call_result(call);
		assert_code(call, r, r == or_want ? or_want : want);
		assert_int_equal(monime_http_status(r), 503);
		monime_call_free(call);
		pending--;
	}
	assert_in_range(real_ms() - from, 0, within);
	print_message("%d tokens in %d ms, the longest step %.2f ms on the "
	    "processor\n", i, (int)(real_ms() - from), longest);
	assert_quiet(m);
}

#define OUTAGE	"check = { accept = \"any\"; timeout = \"700ms\";"	\
	" probes = 512; probe_rate = 10000; };\n"

static void
test_refused_connections_end_all_checks(void **state)
{
	struct monime *m = open_profile("test/r", "refused", NULL, OUTAGE);

	(void)state;
	outage(m, MONIME_ENET, MONIME_ENET, 3000);
	monime_close(m);
}

static void
test_stalled_handshakes_end_with_the_deadline(void **state)
{
	struct monime *m = open_checks(OUTAGE);

	(void)state;
	sandbox_fault(sandbox, J({"server": "monime", "drop": "stall",
	    "times": -1}));
	outage(m, MONIME_ENET, MONIME_ENET, 3000);
	monime_close(m);
}

static void
test_stalled_answers_end_with_the_deadline(void **state)
{
	struct monime *m = open_checks(OUTAGE);

	(void)state;
	sandbox_fault(sandbox, J({"hold": true, "times": -1}));
	outage(m, MONIME_ELOST, MONIME_ENET, 3000);
	monime_close(m);
}

/*
 * A network of its own, with a name server that never answers.  The sandbox
 * is not reached from there.
 */
static bool
silence_names(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct ifreq lo = { .ifr_flags = IFF_UP | IFF_RUNNING };
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/resolv.conf", folder);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) != 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)snprintf(lo.ifr_name, sizeof(lo.ifr_name), "lo");
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(53);
	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0 &&
	    bind(fd, (void *)&a, sizeof(a)) == 0;
}

static void
work_dead_names(struct monime *m, void *arg)
{
	struct monime_call *call;
	char token[64];
	int64_t from;
	int i, done = 0;

	(void)arg;
	if (!silence_names())
		_exit(77);
	from = real_ms();
	for (i = 0; i < OUTAGE_TOKENS; i++) {
		(void)snprintf(token, sizeof(token),
		    "mon_test_canary_none_%08d", i);
		MUST(monime_check_token_start(m, token, strlen(token), NULL,
		    &call) == MONIME_EPENDING);
	}
	while (done < OUTAGE_TOKENS) {
		MUST(readable(monime_fd(m), PATIENCE));
		while ((call = monime_next(m)) != NULL) {
			MUST(monime_call_result(call) == MONIME_ENET);
			monime_call_free(call);
			done++;
		}
	}
	MUST(real_ms() - from < 3000);
	/* Blocking the same; and nobody waits for the resolver at the end. */
	MUST(check_now(m, "test") == MONIME_ENET);
	from = real_ms();
	monime_close(m);
	MUST(real_ms() - from < 1000);
}

static void
test_dead_name_server_ends_with_the_deadline(void **state)
{
	struct monime *m;
	pid_t pid;
	int status;

	(void)state;
	sandbox_write_file(folder, "resolv.conf", 0644,
	    "nameserver 127.0.0.1\n");
	sandbox_write_file(folder, "test/n.conf", 0600,
	    "provider = \"monime\";\nspace = \"%s\";\n"
	    "base_url = \"https://nobody.example\";\n" OUTAGE,
	    sandbox_space(sandbox, "test"));
	m = open_named("test/n");
	pid = child_start(m, work_dead_names, NULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	monime_close(m);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skip: no namespaces of its own to be had\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_four_processes_and_one_new_token_make_one_probe),
		LIVING(test_two_handles_on_one_profile_share_their_probes),
		LIVING(test_prober_that_is_killed_leaves_it_to_the_others),
		LIVING(test_who_began_may_go_and_all_others_get_the_verdict),
		LIVING(test_all_may_go_and_the_verdict_is_remembered),
		LIVING(test_blocking_check_takes_over_what_all_have_left),
		LIVING(test_blocking_check_in_the_thread_of_a_loop_that_waits),
		LIVING(test_blocking_checks_beside_a_loop_that_nobody_runs),
		LIVING(test_loop_goes_on_when_a_blocking_check_times_out),
		LIVING(test_polled_loop_and_threads_lose_no_wake_up),
		LIVING(test_level_triggered_loop_and_threads_lose_no_wake_up),
		LIVING(test_edge_triggered_loop_and_threads_lose_no_wake_up),
		LIVING(test_busy_loop_does_not_forget_its_probe),
		LIVING(test_no_step_is_long_when_a_crowd_is_told),
		LIVING(test_slow_host_is_told_what_came_in_time),
		LIVING(test_close_cancels_and_lets_others_ask_at_once),
		LIVING(test_close_before_the_loop_ran_lets_others_ask),
		LIVING(test_close_with_verdicts_that_nobody_heard_of),
		LIVING(test_child_cancels_and_sends_nothing_for_its_parent),
		LIVING(test_child_gets_the_verdict_that_its_parent_asks_for),
		LIVING(test_parent_may_close_before_its_child),
		LIVING(test_a_thousand_handles_leave_nothing),
		LIVING(test_refused_connections_end_all_checks),
		LIVING(test_stalled_handshakes_end_with_the_deadline),
		LIVING(test_stalled_answers_end_with_the_deadline),
		LIVING(test_dead_name_server_ends_with_the_deadline),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
