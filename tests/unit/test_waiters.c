/* SPDX-License-Identifier: MIT */

/* waiter.c: what another thread tells a loop, and timers beside that. */

#include "unit.h"

#include <pthread.h>
#include <time.h>

#include "loop.h"

static struct mn_loop *
new_loop(void)
{
	struct mn_loop *l;

	assert_true(mn_transfer_global());
	l = mn_loop_new();
	assert_non_null(l);
	mn_loop_clock(l);
	return l;
}

/* Timers note their number as they fire. */

#define TIMERS	100

static int fired[2 * TIMERS];
static size_t nfired;

struct numbered {
	struct mn_timer timer;
	int number;
};

static void
note(void *arg)
{
	fired[nfired++] = ((struct numbered *)arg)->number;
}

static void
test_timers_fire_in_their_order(void **state)
{
	struct mn_loop *l = new_loop();
	struct numbered t[TIMERS];
	int64_t began = mn_loop_now(l);
	size_t i;

	(void)state;
	nfired = 0;
	for (i = 0; i < TIMERS; i++) {
		/* 37 and 100 have no common divisor: each time once. */
		t[i] = (struct numbered){
			.timer = { .fire = note, .arg = &t[i] },
			.number = (int)(i * 37 % TIMERS)
		};
		assert_true(mn_loop_set(l, &t[i].timer,
		    began + t[i].number / 4));
	}
	/* Every seventh is taken back, and one is set anew. */
	for (i = 0; i < TIMERS; i += 7)
		mn_loop_unset(l, &t[i].timer);
	assert_true(mn_loop_set(l, &t[1].timer, began + 40));
	while (nfired < TIMERS - 15)
		mn_loop_run(l, true);
	mn_loop_run(l, false);
	assert_int_equal(nfired, TIMERS - 15);
	assert_int_equal(fired[nfired - 1], t[1].number);
	for (i = 1; i + 1 < nfired; i++)
		assert_true(fired[i - 1] / 4 <= fired[i] / 4);
	assert_true(mn_loop_time() >= began + 40);
	mn_loop_free(l);
}

static void
test_loop_without_anything_returns_at_once(void **state)
{
	struct mn_loop *l = new_loop();

	(void)state;
	mn_loop_run(l, true);
	mn_loop_run(l, false);
	mn_loop_free(l);
}

/* Waiters. */

#define WAITERS	8

struct told {
	struct mn_waiter waiter;
	struct mn_loop *loop;
	int times;
	struct told *also;	/* which stops waiting then, or NULL */
};

static void
on_told(void *arg)
{
	struct told *t = arg;

	t->times++;
	if (t->also != NULL)
		mn_waiter_leave(&t->also->waiter);
}

static void
wait_in(struct mn_loop *l, struct told *t)
{
	t->waiter.fire = on_told;
	t->waiter.arg = t;
	assert_true(mn_loop_wait(l, &t->waiter));
}

static void *
signal_later(void *arg)
{
	struct timespec ts = { 0, 20000000 };

	(void)nanosleep(&ts, NULL);
	mn_waiter_signal(arg);
	return NULL;
}

static void
test_signal_of_another_thread_wakes_the_loop(void **state)
{
	struct mn_loop *l = new_loop();
	struct told t = { .times = 0 }, other = { .times = 0 };
	pthread_t thread;
	int i;

	(void)state;
	wait_in(l, &other);
	for (i = 1; i <= 10; i++) {
		wait_in(l, &t);
		assert_int_equal(pthread_create(&thread, NULL, signal_later,
		    &t.waiter), 0);
		while (t.times < i)
			mn_loop_run(l, true);
		(void)pthread_join(thread, NULL);
	}
	assert_int_equal(t.times, 10);
	assert_int_equal(other.times, 0);
	mn_waiter_leave(&other.waiter);
	mn_waiter_leave(&other.waiter);
	/* What was told before is not told again. */
	mn_loop_run(l, true);
	assert_int_equal(t.times, 10);
	mn_loop_free(l);
}

static void
test_signal_before_the_loop_runs_is_kept(void **state)
{
	struct mn_loop *l = new_loop();
	struct told t[3] = { { .times = 0 }, { .times = 0 }, { .times = 0 } };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		wait_in(l, &t[i]);
	for (i = 0; i < 3; i++)
		mn_waiter_signal(&t[i].waiter);
	while (t[0].times + t[1].times + t[2].times < 3)
		mn_loop_run(l, true);
	for (i = 0; i < 3; i++)
		assert_int_equal(t[i].times, 1);
	mn_loop_free(l);
}

/* Whoever is called may take others from the list, whichever comes first. */
static void
test_waiter_that_is_taken_back_by_another_is_not_called(void **state)
{
	struct mn_loop *l = new_loop();
	struct told t[2] = { { .times = 0 }, { .times = 0 } };

	(void)state;
	t[0].also = &t[1];
	t[1].also = &t[0];
	wait_in(l, &t[0]);
	wait_in(l, &t[1]);
	mn_waiter_signal(&t[0].waiter);
	mn_waiter_signal(&t[1].waiter);
	while (t[0].times + t[1].times < 1)
		mn_loop_run(l, true);
	mn_loop_run(l, false);
	assert_int_equal(t[0].times + t[1].times, 1);
	mn_loop_free(l);
}

/* Whoever is called may go on waiting, and be told anew at once. */
static void
tell_again(void *arg)
{
	struct told *t = arg;

	t->times++;
	assert_true(mn_loop_wait(t->loop, &t->waiter));
	mn_waiter_signal(&t->waiter);
}

static void
test_waiter_that_is_told_over_and_over_ends_a_step(void **state)
{
	struct told t = { .loop = new_loop() }, other[2] = { { .times = 0 } };
	struct numbered timer = { .timer = { .fire = note, .arg = &timer } };
	int i, before;

	(void)state;
	nfired = 0;
	wait_in(t.loop, &other[0]);
	wait_in(t.loop, &t);
	t.waiter.fire = tell_again;
	wait_in(t.loop, &other[1]);
	assert_true(mn_loop_set(t.loop, &timer.timer, mn_loop_now(t.loop)));
	mn_waiter_signal(&t.waiter);
	mn_waiter_signal(&other[0].waiter);
	mn_waiter_signal(&other[1].waiter);
	/* Step by step, without losing one; and all else gets its turn. */
	for (i = 0; i < 10; i++) {
		before = t.times;
		assert_true(mn_loop_run(t.loop, true));
		assert_true(t.times > before);
	}
	assert_int_equal(other[0].times, 1);
	assert_int_equal(other[1].times, 1);
	assert_int_equal(nfired, 1);
	mn_loop_free(t.loop);
}

static void
test_deadline_comes_while_one_waits(void **state)
{
	struct mn_loop *l = new_loop();
	struct told t = { .times = 0 };
	struct numbered late = { .timer = { .fire = note, .arg = &late },
	    .number = 1 };

	(void)state;
	nfired = 0;
	wait_in(l, &t);
	assert_true(mn_loop_set(l, &late.timer, mn_loop_now(l) + 20));
	while (nfired == 0)
		mn_loop_run(l, true);
	assert_int_equal(t.times, 0);
	mn_waiter_leave(&t.waiter);
	mn_loop_free(l);
}

/*
 * As oauth2.c uses it: a thread for each loop; one of them tells all others,
 * over and over.  A lock makes sure that who is told still waits.
 */
#define ROUNDS	200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct told *waiting[WAITERS];
static int rounds[WAITERS];

static void *
wait_rounds(void *arg)
{
	int number = (int)(intptr_t)arg, i;
	struct mn_loop *l = mn_loop_new();
	struct told t = { .times = 0 };

	for (i = 1; l != NULL && i <= ROUNDS; i++) {
		(void)pthread_mutex_lock(&lock);
		t.waiter.fire = on_told;
		t.waiter.arg = &t;
		if (!mn_loop_wait(l, &t.waiter))
			abort();
		waiting[number] = &t;
		(void)pthread_mutex_unlock(&lock);
		while (t.times < i)
			mn_loop_run(l, true);
		/* Whoever signaled holds this until it is done with it. */
		(void)pthread_mutex_lock(&lock);
		(void)pthread_mutex_unlock(&lock);
	}
	mn_loop_free(l);
	__atomic_store_n(&rounds[number], t.times, __ATOMIC_RELEASE);
	return NULL;
}

static void
test_many_threads_are_told_each_time(void **state)
{
	pthread_t thread[WAITERS];
	int i, left = WAITERS * ROUNDS;

	(void)state;
	assert_true(mn_transfer_global());
	for (i = 0; i < WAITERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, wait_rounds,
		    (void *)(intptr_t)i), 0);
	while (left > 0) {
		(void)pthread_mutex_lock(&lock);
		for (i = 0; i < WAITERS; i++) {
			if (waiting[i] == NULL)
				continue;
			mn_waiter_signal(&waiting[i]->waiter);
			waiting[i] = NULL;
			left--;
		}
		(void)pthread_mutex_unlock(&lock);
	}
	for (i = 0; i < WAITERS; i++) {
		(void)pthread_join(thread[i], NULL);
		assert_int_equal(rounds[i], ROUNDS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_in_their_order),
		cmocka_unit_test(test_loop_without_anything_returns_at_once),
		cmocka_unit_test(test_signal_of_another_thread_wakes_the_loop),
		cmocka_unit_test(test_signal_before_the_loop_runs_is_kept),
		cmocka_unit_test(
		    test_waiter_that_is_taken_back_by_another_is_not_called),
		cmocka_unit_test(
		    test_waiter_that_is_told_over_and_over_ends_a_step),
		cmocka_unit_test(test_deadline_comes_while_one_waits),
		cmocka_unit_test(test_many_threads_are_told_each_time),
	};

	return cmocka_run_group_tests_name("waiters", tests, NULL, NULL);
}
