/* SPDX-License-Identifier: MIT */

/*
 * loop.c, with timer.c and pool.c: timers against a model; transfers queued,
 * admitted, taken back.
 */

#include "unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

/* The library's clock: ours, or the true one. */
static int64_t clock_ms = 1000000;
static bool clock_true;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __real_clock_gettime(clockid_t id, struct timespec *ts);

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	if (clock_true || id != CLOCK_MONOTONIC)
		return __real_clock_gettime(id, ts);
	ts->tv_sec = clock_ms / 1000;
	ts->tv_nsec = clock_ms % 1000 * 1000000 + 999999;
	return 0;
}

/* Let it be so many times and fail from then on; -1: never. */
static int watches = -1;

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *ev);
int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *ev);

int
__wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *ev)
{
	if (op != EPOLL_CTL_DEL && watches == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (op != EPOLL_CTL_DEL && watches > 0)
		watches--;
	return __real_epoll_ctl(epoll, op, fd, ev);
}

/* The same for memory that grows. */
static int reallocs = -1;

void *__wrap_realloc(void *p, size_t size);
void *__real_realloc(void *p, size_t size);

void *
__wrap_realloc(void *p, size_t size)
{
	if (reallocs == 0)
		return NULL;
	if (reallocs > 0)
		reallocs--;
	return __real_realloc(p, size);
}

static const struct mn_wire_config nowhere = {
	.origin = "https://127.0.0.1:1", .ca_path = "/nonexistent",
	.connections = 1
};

static int
start(void **state)
{
	(void)state;
	return mn_transfer_global() ? 0 : -1;
}

/* Timers */

#define TIMERS		257
#define OPERATIONS	100000

static struct {
	struct mn_timer timer;
	bool set;		/* the model */
	int64_t at;
	int fired;
} model[TIMERS];
static int64_t last_at;
static int disorder;

static uint32_t
chance(uint32_t below)
{
	static uint64_t x = 88172645463325252;	/* the same in each run */

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16) % below;
}

static void
on_fire(void *arg)
{
	size_t i = (size_t)(uintptr_t)arg;

	model[i].fired++;
	if (!model[i].set || model[i].at > clock_ms || model[i].at < last_at ||
	    model[i].timer.place != 0)
		disorder++;
	last_at = model[i].at;
	model[i].set = false;
}

/* What is due has fired, nothing else has, and the rest is where it was. */
static void
step(struct mn_loop *l, int operation)
{
	int64_t at[TIMERS];
	int before[TIMERS];
	bool due[TIMERS];
	size_t i;

	for (i = 0; i < TIMERS; i++) {
		due[i] = model[i].set && model[i].at <= clock_ms;
		before[i] = model[i].fired;
		at[i] = model[i].at;
	}
	last_at = INT64_MIN;
	mn_loop_run(l, false);
	for (i = 0; i < TIMERS; i++) {
		ROW(model[i].fired == before[i] + due[i] &&
		    (model[i].timer.place != 0) == model[i].set &&
		    (!model[i].set || model[i].timer.at == at[i]),
		    "operation %d: timer %zu", operation, i);
	}
	ROW(disorder == 0, "operation %d: out of order", operation);
	if (unit_wrong > 0)
		end_rows();
}

static void
test_timers_fire_as_a_simple_model_says(void **state)
{
	struct mn_loop *l = mn_loop_new();
	int operation, most = 0, set;
	size_t i;

	(void)state;
	assert_non_null(l);
	for (i = 0; i < TIMERS; i++) {
		model[i].timer.fire = on_fire;
		model[i].timer.arg = (void *)(uintptr_t)i;
	}
	for (operation = 0; operation < OPERATIONS; operation++) {
		i = chance(TIMERS);
		switch (chance(8)) {
		case 0:
			/* Not set, it may be unset all the same. */
			mn_loop_unset(l, &model[i].timer);
			model[i].set = false;
			break;
		case 1:
			clock_ms += chance(60);
			step(l, operation);
			break;
		default:
			/* Few different times, so that many are the same;
			 * now and then one that has passed. */
			model[i].at = clock_ms - 5 + chance(300) / 4 * 4;
			model[i].set = true;
			assert_true(mn_loop_set(l, &model[i].timer,
			    model[i].at));
			break;
		}
		for (set = 0, i = 0; operation % 1000 == 0 && i < TIMERS; i++)
			set += model[i].set;
		most = set > most ? set : most;
	}
	clock_ms += 1000;
	step(l, operation);
	for (i = 0; i < TIMERS; i++)
		assert_false(model[i].set);
	assert_true(most > 50);		/* the heap was deep */
	mn_loop_free(l);
}

/* A timer that sets and unsets others, and itself, when it fires. */

static struct mn_loop *meddling;
static struct mn_timer meddler, victim, heir;
static int meddled, victims, heirs;

static void
on_meddle(void *arg)
{
	(void)arg;
	mn_loop_unset(meddling, &victim);
	(void)mn_loop_set(meddling, &heir, clock_ms);
	if (++meddled < 3)
		(void)mn_loop_set(meddling, &meddler, clock_ms + 10);
}

static void
on_count(void *arg)
{
	++*(int *)arg;
}

static void
test_timer_may_set_and_unset_others_when_it_fires(void **state)
{
	int i;

	(void)state;
	meddling = mn_loop_new();
	assert_non_null(meddling);
	meddler = (struct mn_timer){ .fire = on_meddle };
	victim = (struct mn_timer){ .fire = on_count, .arg = &victims };
	heir = (struct mn_timer){ .fire = on_count, .arg = &heirs };
	assert_true(mn_loop_set(meddling, &meddler, clock_ms + 5));
	assert_true(mn_loop_set(meddling, &victim, clock_ms + 6));
	clock_ms += 6;
	mn_loop_run(meddling, false);
	assert_int_equal(meddled, 1);
	assert_int_equal(victims, 0);
	assert_int_equal(heirs, 1);	/* due at once: in the same step */
	for (i = 0; i < 5; i++) {
		clock_ms += 10;
		mn_loop_run(meddling, false);
	}
	assert_int_equal(meddled, 3);
	mn_loop_free(meddling);
}

static void
test_timer_set_twice_fires_once_at_its_later_word(void **state)
{
	struct mn_loop *l = mn_loop_new();
	int count = 0;
	struct mn_timer timer = { .fire = on_count, .arg = &count };

	(void)state;
	assert_non_null(l);
	assert_true(mn_loop_set(l, &timer, clock_ms + 5));
	assert_true(mn_loop_set(l, &timer, clock_ms + 50));
	clock_ms += 20;
	mn_loop_run(l, false);
	assert_int_equal(count, 0);
	clock_ms += 30;
	mn_loop_run(l, false);
	mn_loop_run(l, false);
	assert_int_equal(count, 1);
	mn_loop_free(l);
}

static void
test_waiting_sleeps_until_the_timer_and_no_longer(void **state)
{
	struct mn_loop *l;
	int count = 0, runs = 0;
	struct mn_timer timer = { .fire = on_count, .arg = &count };
	int64_t from;

	(void)state;
	clock_true = true;
	l = mn_loop_new();
	assert_non_null(l);
	/* Nothing to wait for. */
	mn_loop_run(l, true);
	mn_loop_clock(l);
	from = mn_loop_now(l);
	assert_true(mn_loop_set(l, &timer, from + 50));
	while (count == 0 && runs < 1000) {
		mn_loop_run(l, true);
		runs++;
	}
	assert_true(mn_loop_now(l) - from >= 50);
	/* Asleep, not turning: one wake-up, or two where one came early. */
	assert_in_range(runs, 1, 3);
	mn_loop_free(l);
	clock_true = false;
}

/* Transfers, to a listener that never says a word, or where nobody listens. */

#define MANY	20

struct wire {
	int listener;
	char origin[64];
	struct mn_wire_config config;
	struct mn_loop *loop;
	struct mn_lanes *lanes;
	struct mn_transfer t[MANY];
	int done[MANY];		/* in which order, from 1; 0: not */
	int dones;
};

static void
on_done(struct mn_transfer *t)
{
	struct wire *w = t->arg;

	w->done[t - w->t] = ++w->dones;
}

static void
wire_open(struct wire *w, bool listens, int connections)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	socklen_t len = sizeof(a);
	size_t i;

	memset(w, 0, sizeof(*w));
	clock_true = true;
	w->listener = socket(AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(w->listener >= 0);
	assert_int_equal(bind(w->listener, (void *)&a, len), 0);
	if (listens)
		assert_int_equal(listen(w->listener, 64), 0);
	assert_int_equal(getsockname(w->listener, (void *)&a, &len), 0);
	(void)snprintf(w->origin, sizeof(w->origin), "https://127.0.0.1:%d",
	    ntohs(a.sin_port));
	w->config = nowhere;
	w->config.origin = w->origin;
	w->config.connections = connections;
	w->loop = mn_loop_new();
	assert_non_null(w->loop);
	w->lanes = mn_loop_open(w->loop, &w->config, NULL, NULL);
	assert_non_null(w->lanes);
	for (i = 0; i < MANY; i++) {
		mn_transfer_init(&w->t[i]);
		w->t[i].method = "GET";
		w->t[i].target = "/";
		w->t[i].connect_timeout = 60000;
		w->t[i].done = on_done;
		w->t[i].arg = w;
	}
}

static void
wire_close(struct wire *w)
{
	size_t i;

	mn_loop_free(w->loop);
	for (i = 0; i < MANY; i++) {
		ROW(!mn_loop_has(&w->t[i]), "%zu is still under way", i);
		mn_transfer_free(&w->t[i]);
	}
	(void)close(w->listener);
	clock_true = false;
	end_rows();
}

static void
run(struct wire *w, int times)
{
	for (; times > 0; times--) {
		mn_loop_run(w->loop, false);
		(void)usleep(1000);
	}
}

/* How many have connected by now?  They are closed on the way. */
static int
arrivals(struct wire *w, int keep[MANY])
{
	int n = 0;

	run(w, 30);
	while (n < MANY &&
	    (keep[n] = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		n++;
	return n;
}

static void
hang_up(int *keep, int n)
{
	while (n > 0)
		(void)close(keep[--n]);
}

static void
test_transfers_end_in_their_order_and_never_within_start(void **state)
{
	struct wire w;
	int i;

	(void)state;
	wire_open(&w, false, 1);
	for (i = 0; i < MANY; i++) {
		mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[i]);
		assert_true(mn_loop_has(&w.t[i]));
	}
	assert_int_equal(w.dones, 0);
	for (i = 0; i < 2000 && w.dones < MANY; i++)
		mn_loop_run(w.loop, true);
	for (i = 0; i < MANY; i++) {
		ROW(w.done[i] == i + 1 && w.t[i].wire == MN_WIRE_UNSENT &&
		    !w.t[i].sent && w.t[i].status == 0 &&
		    w.t[i].problem[0] != '\0' && !mn_loop_has(&w.t[i]),
		    "%d: %d, %s", i, w.done[i], w.t[i].problem);
	}
	wire_close(&w);
}

static void
test_queued_transfer_is_taken_back_from_any_place(void **state)
{
	static const int cancelled[] = { 0, 3, 4, 7, MANY - 1, MANY - 2 };
	struct wire w;
	size_t k;
	int i, last = 0;

	(void)state;
	wire_open(&w, false, 1);
	for (i = 0; i < MANY; i++)
		mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[i]);
	for (k = 0; k < ROWS(cancelled); k++) {
		mn_loop_cancel(&w.t[cancelled[k]]);
		assert_false(mn_loop_has(&w.t[cancelled[k]]));
		mn_loop_cancel(&w.t[cancelled[k]]);	/* nothing */
	}
	/* And one goes to the end again. */
	mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[3]);
	for (i = 0; i < 2000 && w.dones < MANY - 5; i++)
		mn_loop_run(w.loop, true);
	mn_loop_run(w.loop, true);
	assert_int_equal(w.dones, MANY - 5);
	for (k = 0; k < ROWS(cancelled); k++)
		ROW((w.done[cancelled[k]] != 0) == (cancelled[k] == 3),
		    "%d", cancelled[k]);
	assert_int_equal(w.done[3], MANY - 5);
	for (i = 0; i < MANY; i++) {
		if (i == 3 || w.done[i] == 0)
			continue;
		ROW(w.done[i] == last + 1, "%d came as number %d", i,
		    w.done[i]);
		last = w.done[i];
	}
	wire_close(&w);
}

static void
test_all_cancelled_leaves_an_empty_queue(void **state)
{
	struct wire w;
	int i;

	(void)state;
	wire_open(&w, false, 1);
	for (i = 0; i < 3; i++)
		mn_loop_start(w.lanes, MN_LANE_PROBE, &w.t[i]);
	for (i = 0; i < 3; i++)
		mn_loop_cancel(&w.t[i]);
	mn_loop_run(w.loop, true);	/* does not sleep */
	assert_int_equal(w.dones, 0);
	mn_loop_start(w.lanes, MN_LANE_PROBE, &w.t[0]);
	for (i = 0; i < 1000 && w.dones == 0; i++)
		mn_loop_run(w.loop, true);
	assert_int_equal(w.done[0], 1);
	wire_close(&w);
}

static void
test_handshakes_at_once_are_limited_in_each_lane(void **state)
{
	int keep[MANY], n, i;
	struct wire w;

	(void)state;
	wire_open(&w, true, 64);
	for (i = 0; i < 10; i++)
		mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[i]);
	n = arrivals(&w, keep);
	assert_int_equal(n, MN_POOL_HANDSHAKES);
	/* The other lane has its own. */
	for (i = 10; i < MANY; i++)
		mn_loop_start(w.lanes, MN_LANE_PROBE, &w.t[i]);
	n += arrivals(&w, keep + n);
	assert_int_equal(n, 2 * MN_POOL_HANDSHAKES);
	/* One that is taken back makes room for one. */
	mn_loop_cancel(&w.t[0]);
	n += arrivals(&w, keep + n);
	assert_int_equal(n, 2 * MN_POOL_HANDSHAKES + 1);
	assert_int_equal(w.dones, 0);
	hang_up(keep, n);
	wire_close(&w);
}

static void
test_connections_at_once_are_limited(void **state)
{
	int keep[MANY], n, i;
	struct wire w;

	(void)state;
	wire_open(&w, true, 2);
	for (i = 0; i < 10; i++)
		mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[i]);
	n = arrivals(&w, keep);
	assert_int_equal(n, 2);
	/* What ends makes room for the next ones. */
	hang_up(keep, n);
	n = arrivals(&w, keep);
	assert_int_equal(n, 2);
	assert_int_equal(w.dones, 2);
	assert_int_equal(w.t[0].wire, MN_WIRE_UNSENT);
	hang_up(keep, n);
	wire_close(&w);
}

static int
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

static void
test_loop_freed_with_things_pending_leaves_nothing_behind(void **state)
{
	struct mn_timer timer[3];
	int keep[MANY], n, i, before = descriptors(), count = 0;
	struct wire w;

	(void)state;
	wire_open(&w, true, 3);
	for (i = 0; i < MANY; i++)
		mn_loop_start(w.lanes, i % 2 ? MN_LANE_OWN : MN_LANE_PROBE,
		    &w.t[i]);
	for (i = 0; i < 3; i++) {
		timer[i] = (struct mn_timer){ .fire = on_count,
		    .arg = &count };
		assert_true(mn_loop_set(w.loop, &timer[i],
		    INT64_MAX - i));
	}
	n = arrivals(&w, keep);
	assert_int_equal(n, 6);
	hang_up(keep, n);
	wire_close(&w);		/* and none of them is under way */
	assert_int_equal(w.dones, 0);
	assert_int_equal(count, 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(timer[i].place, 0);
	assert_int_equal(descriptors(), before);
	mn_loop_free(NULL);
}

static void
test_sockets_are_closed_on_exec(void **state)
{
	int keep[MANY], n, fd, seen = 0;
	struct sockaddr_storage peer;
	socklen_t len;
	struct wire w;

	(void)state;
	wire_open(&w, true, 1);
	mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[0]);
	n = arrivals(&w, keep);
	assert_int_equal(n, 1);
	for (fd = 3; fd < 256; fd++) {
		len = sizeof(peer);
		if (fd == keep[0] ||
		    getpeername(fd, (void *)&peer, &len) != 0 ||
		    peer.ss_family != AF_INET)
			continue;
		ROW(fcntl(fd, F_GETFD) & FD_CLOEXEC, "descriptor %d", fd);
		seen++;
	}
	assert_int_equal(seen, 1);
	hang_up(keep, n);
	wire_close(&w);
}

static void
test_transfer_can_be_asked_again_after_it_ended(void **state)
{
	struct wire w;
	int i;

	(void)state;
	wire_open(&w, false, 1);
	for (i = 0; i < 3; i++) {
		mn_transfer_reset(&w.t[0]);
		mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[0]);
		while (mn_loop_has(&w.t[0]))
			mn_loop_run(w.loop, true);
		assert_int_equal(w.dones, i + 1);
		assert_int_equal(w.t[0].wire, MN_WIRE_UNSENT);
	}
	wire_close(&w);
}

/* epoll has a limit for each user: max_user_watches. */
static void
test_connection_that_cannot_be_watched_ends_at_once(void **state)
{
	int keep[MANY], n, i;
	struct wire w;

	(void)state;
	wire_open(&w, true, 4);
	/* One that has been watched goes on. */
	mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[0]);
	n = arrivals(&w, keep);
	assert_int_equal(n, 1);
	watches = 0;
	mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[1]);
	mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[2]);
	for (i = 0; i < 1000 && w.dones < 2; i++)
		mn_loop_run(w.loop, false);
	watches = -1;
	assert_int_equal(w.dones, 2);
	for (i = 1; i < 3; i++) {
		assert_false(mn_loop_has(&w.t[i]));
		assert_int_equal(w.t[i].wire, MN_WIRE_SYS);
		assert_false(w.t[i].sent);
		assert_string_equal(w.t[i].problem, "the system would not "
		    "watch the connection: No space left on device");
	}
	assert_true(mn_loop_has(&w.t[0]));
	hang_up(keep, n);
	n = arrivals(&w, keep);
	assert_int_equal(w.t[0].wire, MN_WIRE_UNSENT);
	hang_up(keep, n);
	/* And others can go, on the same lane. */
	mn_transfer_reset(&w.t[1]);
	mn_loop_start(w.lanes, MN_LANE_OWN, &w.t[1]);
	n = arrivals(&w, keep);
	assert_int_equal(n, 1);
	assert_true(mn_loop_has(&w.t[1]));
	hang_up(keep, n);
	wire_close(&w);
}

static void
test_lanes_that_get_no_slot_are_given_up(void **state)
{
	struct mn_loop *l = mn_loop_new();
	int n;

	(void)state;
	assert_non_null(l);
	for (n = 0; n < MN_LANES; n++) {
		reallocs = n;
		assert_null(mn_loop_open(l, &nowhere, NULL, NULL));
		reallocs = -1;
	}
	assert_non_null(mn_loop_open(l, &nowhere, NULL, NULL));
	mn_loop_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_as_a_simple_model_says),
		cmocka_unit_test(
		    test_timer_may_set_and_unset_others_when_it_fires),
		cmocka_unit_test(
		    test_timer_set_twice_fires_once_at_its_later_word),
		cmocka_unit_test(
		    test_waiting_sleeps_until_the_timer_and_no_longer),
		cmocka_unit_test(
		    test_transfers_end_in_their_order_and_never_within_start),
		cmocka_unit_test(
		    test_queued_transfer_is_taken_back_from_any_place),
		cmocka_unit_test(test_all_cancelled_leaves_an_empty_queue),
		cmocka_unit_test(
		    test_handshakes_at_once_are_limited_in_each_lane),
		cmocka_unit_test(test_connections_at_once_are_limited),
		cmocka_unit_test(
		    test_loop_freed_with_things_pending_leaves_nothing_behind),
		cmocka_unit_test(test_sockets_are_closed_on_exec),
		cmocka_unit_test(
		    test_transfer_can_be_asked_again_after_it_ended),
		cmocka_unit_test(
		    test_connection_that_cannot_be_watched_ends_at_once),
		cmocka_unit_test(test_lanes_that_get_no_slot_are_given_up),
	};

	return cmocka_run_group_tests_name("loop", tests, start, NULL);
}
