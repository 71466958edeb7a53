/* SPDX-License-Identifier: MIT */

/*
 * verdicts.c: what is remembered, for how long, who may ask, and what becomes
 * of it when processes die or the mapping is written over.
 *
 * Times are made up, but where processes race.  Link with -Wl,--wrap= for
 * malloc, calloc, clock_gettime, gettimeofday and time.
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include <cmocka.h>

#include "abi.h"
#include "verdicts.h"

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

#define T0	1000000		/* ms: when most tests begin */
#define TTL	60000
#define NEGATIVE 5000
#define TIMEOUT	3000

static const struct mn_verdicts_config usual = {
	.ttl = TTL, .negative_ttl = NEGATIVE, .timeout = TIMEOUT,
	.entries = 8192, .probes = 64, .probe_rate = 50,
};

static const int refusals[] = {
	MONIME_EDENIED, MONIME_EFORBIDDEN, MONIME_EENVIRONMENT
};

static const int unknowns[] = {
	MONIME_ELIMIT, MONIME_EHTTP, MONIME_ENET, MONIME_ELOST, MONIME_EPROTO,
	MONIME_ENOMEM, MONIME_ESYS, MONIME_EPENDING, MONIME_ECANCELED
};

static unsigned long allocations;
static int shortage;	/* of calls of calloc() until it fails */
static unsigned long walls;		/* looks at the wall clock */
static time_t wall_step;
static bool no_pidfd;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __real_gettimeofday(struct timeval *tv, void *zone);
time_t __real_time(time_t *t);
long __real_syscall(long n, long a, long b, long c, long d);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_gettimeofday(struct timeval *tv, void *zone);
time_t __wrap_time(time_t *t);
long __wrap_syscall(long n, long a, long b, long c, long d);

void *
__wrap_malloc(size_t size)
{
	(void)__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	return __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	(void)__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	if (shortage > 0 && --shortage == 0)
		return NULL;
	return __real_calloc(n, size);
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = __real_clock_gettime(clock, ts);

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
		walls++;
		ts->tv_sec += wall_step;
	}
	return r;
}

int
__wrap_gettimeofday(struct timeval *tv, void *zone)
{
	int r = __real_gettimeofday(tv, zone);

	walls++;
	tv->tv_sec += wall_step;
	return r;
}

time_t
__wrap_time(time_t *t)
{
	time_t now = __real_time(NULL) + wall_step;

	walls++;
	if (t != NULL)
		*t = now;
	return now;
}

/* What is not given to it is not looked at either. */
long
__wrap_syscall(long n, long a, long b, long c, long d)
{
	if (no_pidfd && n == SYS_pidfd_open) {
		errno = ENOSYS;
		return -1;
	}
	return __real_syscall(n, a, b, c, d);
}

/* Under valgrind all takes long, and some things cannot be. */
static bool
valgrind(void)
{
	return getenv("VALGRIND") != NULL;
}

static int
rounds(int n)
{
	return valgrind() ? n / 100 + 1 : n;
}

/* A table of its own. */
static struct mn_verdicts *
fresh(const struct mn_verdicts_config *config)
{
	static int n;
	struct mn_verdicts *v;

	n++;
	v = mn_verdicts_open(config, &(struct mn_piece){ &n, sizeof(n) }, 1);
	assert_non_null(v);
	return v;
}

static bool
look(struct mn_verdicts *v, const char *token, int64_t now,
    struct mn_verdict *found)
{
	struct mn_verdict_id id;

	return mn_verdicts_look(v, token, strlen(token), now, &id, found);
}

/* What a look tells: 1 for nothing. */
static int
told(struct mn_verdicts *v, const char *token, int64_t now)
{
	struct mn_verdict found;

	return look(v, token, now, &found) ? found.code : 1;
}

static struct mn_verdict_id
name(struct mn_verdicts *v, const char *token)
{
	struct mn_verdict_id id;
	struct mn_verdict found;

	(void)mn_verdicts_look(v, token, strlen(token), 0, &id, &found);
	return id;
}

/* As one that has lost its slot but not its answer. */
static struct mn_probe
probe_of(struct mn_verdicts *v, const char *token, int64_t started)
{
	return (struct mn_probe){
		.id = name(v, token), .started = started,
		.deadline = started + TIMEOUT, .claim = (uint64_t)getpid(),
	};
}

static struct mn_verdict
tell_at(struct mn_verdicts *v, const char *token, int code, bool outage,
    int64_t started, int64_t now)
{
	struct mn_probe probe = probe_of(v, token, started);
	struct mn_verdict found;

	mn_verdicts_store(v, &probe, code, outage, now, &found);
	assert_int_equal(probe.claim, 0);
	return found;
}

static void
tell(struct mn_verdicts *v, const char *token, int code, int64_t started)
{
	(void)tell_at(v, token, code, false, started, started);
}

static enum mn_claim
claim(struct mn_verdicts *v, const char *token, int64_t now,
    struct mn_probe *probe)
{
	struct mn_verdict_id id = name(v, token);
	struct mn_verdict found;

	return mn_verdicts_claim(v, &id, now, now + TIMEOUT, probe, &found);
}

static const char *
numbered(const char *what, long i)
{
	static _Thread_local char buf[8][64];
	static _Thread_local int n;

	n = (n + 1) % 8;
	(void)snprintf(buf[n], sizeof(buf[n]), "mon_test_%s_%ld", what, i);
	return buf[n];
}

/* The same numbers in each run. */
static uint32_t
dice(uint32_t below)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

/* From the authors' reference code. */
static void
test_siphash_is_that_of_its_vectors(void **state)
{
	static const unsigned char wide[MN_SIPHASH_SIZE] = {
		0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
		0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93
	};
	static const unsigned char narrow[8] = {
		0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72
	};
	unsigned char key[MN_SIPHASH_KEY], hash[MN_SIPHASH_SIZE];
	uint64_t n;
	unsigned char i;

	(void)state;
	for (i = 0; i < sizeof(key); i++)
		key[i] = i;
	mn_secret_siphash(key, "", 0, hash);
	assert_memory_equal(hash, wide, sizeof(wide));
	n = mn_secret_siphash64(key, "", 0);
	assert_memory_equal(&n, narrow, sizeof(narrow));
}

static void
test_without_memory_there_is_no_table(void **state)
{
	struct mn_verdicts *v;
	int i;

	(void)state;
	for (i = 1; i <= 2; i++) {
		shortage = i;
		assert_null(mn_verdicts_open(&usual, NULL, 0));
		assert_int_equal(shortage, 0);
	}
	v = mn_verdicts_open(&usual, NULL, 0);
	assert_non_null(v);
	mn_verdicts_close(v);
}

static void
test_entry_is_a_cache_line(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	size_t size;
	void *p = mn_verdicts_memory(v, &size);

	(void)state;
	assert_int_equal(MN_VERDICTS_ENTRY, 64);
	assert_int_equal((uintptr_t)p % MN_VERDICTS_ENTRY, 0);
	assert_true(size >= 8192 * MN_VERDICTS_ENTRY);
	/* A handle has to do with a MiB. */
	assert_true(size <= 8192 * MN_VERDICTS_ENTRY * 5 / 4 + 8192);
	mn_verdicts_close(v);
}

static void
test_nothing_is_known_at_first(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_verdicts_count count;

	(void)state;
	assert_int_equal(told(v, "mon_test_a", T0), 1);
	assert_int_equal(told(v, "", T0), 1);
	assert_int_equal(told(v, "mon_test_a", 0), 1);
	mn_verdicts_count(v, T0, &count);
	assert_int_equal(count.accepted + count.refused + count.unknown +
	    count.probes, 0);
	mn_verdicts_close(v);
}

static void
expect_code(struct mn_verdicts *v, int code)
{
	const char *token = numbered("code", code);
	struct mn_verdict found;

	found = tell_at(v, token, code, false, T0, T0 + 20);
	assert_int_equal(found.code, code);
	assert_false(found.stale);
	assert_true(look(v, token, T0 + 100, &found));
	assert_int_equal(found.code, code);
	assert_false(found.stale);
	assert_int_equal(told(v, numbered("other", code), T0 + 100), 1);
}

static void
test_verdict_is_told_to_whoever_looks(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_verdicts_count count;
	struct mn_verdict found;
	size_t i;

	(void)state;
	expect_code(v, MONIME_OK);
	for (i = 0; i < ROWS(refusals); i++)
		expect_code(v, refusals[i]);
	for (i = 0; i < ROWS(unknowns); i++)
		expect_code(v, unknowns[i]);
	assert_true(look(v, numbered("code", MONIME_OK), T0 + 70, &found));
	assert_int_equal(found.age, 70);
	mn_verdicts_count(v, T0 + 100, &count);
	assert_int_equal(count.accepted, 1);
	assert_int_equal(count.refused, ROWS(refusals));
	assert_int_equal(count.unknown, ROWS(unknowns));
	mn_verdicts_close(v);
}

static void
test_code_that_is_none_is_no_yes(void **state)
{
	static const int odd[] = { 1, 2, 31, 32, -31, -32, -100, INT32_MAX,
	    INT32_MIN };
	struct mn_verdicts *v = fresh(&usual);
	struct mn_verdict found;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(odd); i++) {
		found = tell_at(v, numbered("odd", (long)i), odd[i], true, T0,
		    T0);
		assert_int_equal(found.code, MONIME_EPROTO);
		assert_int_equal(told(v, numbered("odd", (long)i), T0),
		    MONIME_EPROTO);
	}
	mn_verdicts_close(v);
}

/* For how many milliseconds is it told? */
static int64_t
lifetime(struct mn_verdicts *v, const char *token, int64_t most)
{
	int64_t low = 0, high = most, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (told(v, token, T0 + mid) == 1)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static void
expect_lifetimes(int code, int64_t from, int64_t to)
{
	struct mn_verdicts *v = fresh(&usual);
	int64_t life, least = INT64_MAX, most = 0;
	int i;

	for (i = 0; i < 800; i++) {
		tell(v, numbered("life", i), code, T0);
		life = lifetime(v, numbered("life", i), 10 * TTL);
		least = life < least ? life : least;
		most = life > most ? life : most;
	}
	assert_in_range(least, from, from + (to - from) / 20);
	assert_in_range(most, to - (to - from) / 20, to);
	mn_verdicts_close(v);
}

static void
test_lifetimes_are_spread_within_their_bounds(void **state)
{
	(void)state;
	/* A yes counts only if now - ttl < probed: so no ms more. */
	expect_lifetimes(MONIME_OK, TTL * 9 / 10, TTL);
	expect_lifetimes(MONIME_EDENIED, NEGATIVE * 9 / 10,
	    NEGATIVE * 11 / 10);
	expect_lifetimes(MONIME_ENET, MN_VERDICTS_HOLD, MN_VERDICTS_HOLD);
}

static void
test_outage_is_held_from_its_end(void **state)
{
	struct mn_verdicts *v = fresh(&usual);

	(void)state;
	(void)tell_at(v, "mon_test_a", MONIME_ELOST, true, T0, T0 + TIMEOUT);
	assert_int_equal(told(v, "mon_test_a", T0 + TIMEOUT + 999),
	    MONIME_ELOST);
	assert_int_equal(told(v, "mon_test_a", T0 + TIMEOUT + 1000), 1);
	mn_verdicts_close(v);
}

static void
test_verdict_of_a_later_time_does_not_count(void **state)
{
	struct mn_verdicts *v = fresh(&usual);

	(void)state;
	tell(v, "mon_test_a", MONIME_OK, T0);
	tell(v, "mon_test_b", MONIME_EDENIED, T0);
	assert_int_equal(told(v, "mon_test_a", T0 - 1), 1);
	assert_int_equal(told(v, "mon_test_b", T0 - 1), 1);
	assert_int_equal(told(v, "mon_test_a", T0), MONIME_OK);
	assert_int_equal(told(v, "mon_test_b", T0), MONIME_EDENIED);
	mn_verdicts_close(v);
}

static void
test_nothing_is_remembered_where_ttl_is_zero(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;

	(void)state;
	config.ttl = config.negative_ttl = 0;
	v = fresh(&config);
	assert_int_equal(tell_at(v, "mon_test_a", MONIME_OK, false, T0,
	    T0 + 5).code, MONIME_OK);
	assert_int_equal(told(v, "mon_test_a", T0 + 5), 1);
	assert_int_equal(tell_at(v, "mon_test_a", MONIME_EDENIED, false, T0,
	    T0).age, 0);
	assert_int_equal(told(v, "mon_test_a", T0), 1);
	mn_verdicts_close(v);
}

/* What comes meanwhile asks for itself, or waits for whom it sees. */
static void
test_without_ttl_no_claim_keeps_others_from_asking(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_probe first, second, third;
	struct mn_verdicts *v;

	(void)state;
	config.ttl = 0;
	config.probes = 2;
	v = fresh(&config);
	assert_int_equal(claim(v, "mon_test_a", T0, &first), MN_CLAIM_MINE);
	/* Strangers have one slot of two. */
	assert_int_equal(claim(v, "mon_test_a", T0, &second),
	    MN_CLAIM_LIMITED);
	mn_verdicts_release(v, &first);
	mn_verdicts_close(v);
	config.probes = 4;
	v = fresh(&config);
	assert_int_equal(claim(v, "mon_test_a", T0, &first), MN_CLAIM_MINE);
	assert_int_equal(claim(v, "mon_test_a", T0, &second), MN_CLAIM_MINE);
	assert_int_not_equal(first.slot, second.slot);
	assert_int_equal(claim(v, "mon_test_a", T0, &third),
	    MN_CLAIM_LIMITED);
	mn_verdicts_release(v, &first);
	assert_int_equal(claim(v, "mon_test_a", T0, &third), MN_CLAIM_MINE);
	mn_verdicts_close(v);
}

static void
test_wall_clock_is_not_asked(void **state)
{
	static const time_t steps[] = { 3600, -3600, 0 };
	struct mn_verdicts *v = fresh(&usual);
	struct mn_probe probe;
	struct mn_verdict found;
	struct timespec ts;
	int64_t now;
	size_t i;

	(void)state;
	now = mn_verdicts_time();
	assert_int_equal(claim(v, "mon_test_a", now, &probe), MN_CLAIM_MINE);
	mn_verdicts_store(v, &probe, MONIME_OK, false, now, &found);
	walls = 0;
	for (i = 0; i < ROWS(steps); i++) {
		wall_step = steps[i];
		now = mn_verdicts_time();
		assert_true(look(v, "mon_test_a", now, &found));
		assert_in_range(found.age, 0, TTL * 9 / 10);
		assert_int_equal(told(v, "mon_test_a", now + TTL), 1);
		(void)__real_clock_gettime(CLOCK_MONOTONIC, &ts);
		assert_in_range((int64_t)ts.tv_sec * 1000 +
		    ts.tv_nsec / 1000000 - now, 0, 1000);
	}
	assert_int_equal(walls, 0);
	mn_verdicts_close(v);
}

struct told {
	int code;
	int64_t started;
};

/* The one that counts: the latest start, and a refusal of equal ones. */
static const struct told *
latest(const struct told *t, size_t n)
{
	const struct told *best = t;
	size_t i;

	for (i = 1; i < n; i++) {
		if (t[i].started > best->started ||
		    (t[i].started == best->started &&
		    t[i].code != MONIME_OK && best->code == MONIME_OK))
			best = &t[i];
	}
	return best;
}

/* The last of equal refusals is as good as the first. */
static bool
is_expected(int code, const struct told *t, size_t n)
{
	const struct told *best = latest(t, n);
	size_t i;

	for (i = 0; i < n; i++) {
		if (t[i].code == code && t[i].started == best->started &&
		    (code == MONIME_OK) == (best->code == MONIME_OK))
			return true;
	}
	return false;
}

/*
 * A thread read the clock, and waits for the processor: meanwhile the token is
 * refused.  An outage that it then notes must not make room for an old yes.
 */
static void
test_outage_told_late_ends_no_refusal(void **state)
{
	struct mn_verdicts *v = fresh(&usual);

	(void)state;
	tell(v, "mon_test_a", MONIME_EDENIED, T0);
	(void)tell_at(v, "mon_test_a", MONIME_ENET, true, T0 - 500, T0 - 400);
	(void)tell_at(v, "mon_test_a", MONIME_OK, false, T0 - 300, T0 - 200);
	assert_int_equal(told(v, "mon_test_a", T0 - 200), 1);
	assert_int_equal(told(v, "mon_test_a", T0), MONIME_EDENIED);
	mn_verdicts_close(v);
}

static void
test_older_probe_never_replaces_a_newer_verdict(void **state)
{
	static const int codes[] = {
		MONIME_OK, MONIME_EDENIED, MONIME_EFORBIDDEN
	};
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct told t[4];
	int i, k, n, digits;

	(void)state;
	config.negative_ttl = TTL;
	v = fresh(&config);
	/* All starts 0..3 and all codes, in the order in which they end. */
	for (i = 0; i < 12 * 12 * 12 * 12; i++) {
		for (k = 0, digits = i; k < 4; k++, digits /= 12) {
			t[k].code = codes[digits % 3];
			t[k].started = T0 + digits / 3 % 4;
			(void)tell_at(v, numbered("order", i), t[k].code,
			    false, t[k].started, T0 + 10 + k);
			n = told(v, numbered("order", i), T0 + 10 + k);
			if (!is_expected(n, t, (size_t)k + 1))
				fail_msg("order %d, step %d: %d", i, k, n);
		}
	}
	mn_verdicts_close(v);
}

static void
test_slow_yes_after_its_deadline_is_not_remembered(void **state)
{
	struct mn_verdicts *v = fresh(&usual);

	(void)state;
	(void)tell_at(v, "mon_test_a", MONIME_OK, false, T0, T0 + TIMEOUT - 1);
	assert_int_equal(told(v, "mon_test_a", T0 + TIMEOUT), MONIME_OK);
	(void)tell_at(v, "mon_test_b", MONIME_OK, false, T0, T0 + TIMEOUT);
	assert_int_equal(told(v, "mon_test_b", T0 + TIMEOUT), 1);
	mn_verdicts_close(v);
}

static void
test_end_of_a_yes_survives_that_of_the_refusal(void **state)
{
	struct mn_verdicts *v = fresh(&usual);

	(void)state;
	tell(v, "mon_test_a", MONIME_OK, T0);
	tell(v, "mon_test_a", MONIME_EDENIED, T0 + 10);
	assert_int_equal(told(v, "mon_test_a", T0 + 10), MONIME_EDENIED);
	assert_int_equal(told(v, "mon_test_a", T0 + 2 * NEGATIVE), 1);
	tell(v, "mon_test_a", MONIME_OK, T0 + 5);
	assert_int_equal(told(v, "mon_test_a", T0 + 2 * NEGATIVE), 1);
	mn_verdicts_close(v);
}

static void
test_not_to_know_ends_nothing(void **state)
{
	struct mn_verdicts *v = fresh(&usual);

	(void)state;
	tell(v, "mon_test_a", MONIME_OK, T0);
	tell(v, "mon_test_a", MONIME_ENET, T0 + 10);
	assert_int_equal(told(v, "mon_test_a", T0 + 20), MONIME_OK);
	tell(v, "mon_test_b", MONIME_EDENIED, T0);
	tell(v, "mon_test_b", MONIME_ENET, T0 + 10);
	assert_int_equal(told(v, "mon_test_b", T0 + 20), MONIME_EDENIED);
	/* And whoever knows is heard, even if it began before. */
	tell(v, "mon_test_c", MONIME_ENET, T0 + 10);
	tell(v, "mon_test_c", MONIME_EDENIED, T0 + 5);
	assert_int_equal(told(v, "mon_test_c", T0 + 20), MONIME_EDENIED);
	tell(v, "mon_test_d", MONIME_ENET, T0 + 10);
	tell(v, "mon_test_d", MONIME_OK, T0 + 5);
	assert_int_equal(told(v, "mon_test_d", T0 + 20), MONIME_OK);
	mn_verdicts_close(v);
}

static const struct {
	int64_t failed;		/* after the yes; the look is 10 ms later */
	int code;
	bool outage;
	int expected;
	bool stale;
} stale_rows[] = {
	{ TTL, MONIME_ENET, true, MONIME_OK, true },
	{ TTL, MONIME_ELOST, true, MONIME_OK, true },
	{ TTL, MONIME_EHTTP, true, MONIME_OK, true },
	{ TTL, MONIME_EHTTP, false, MONIME_EHTTP, false },
	{ TTL, MONIME_ELIMIT, false, MONIME_ELIMIT, false },
	{ TTL, MONIME_EPROTO, false, MONIME_EPROTO, false },
	{ TTL, MONIME_EDENIED, false, MONIME_EDENIED, false },
	{ TTL, MONIME_EDENIED, true, MONIME_EDENIED, false },
	{ TTL + 8000, MONIME_ENET, true, MONIME_ENET, false },
	{ TTL / 2, MONIME_ENET, true, MONIME_OK, false },
};

static void
test_stale_prolongs_a_yes_over_outages_alone(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct mn_verdict found;
	size_t i;
	int64_t at;

	(void)state;
	config.stale = 7000;
	v = fresh(&config);
	for (i = 0; i < ROWS(stale_rows); i++) {
		tell(v, numbered("stale", (long)i), MONIME_OK, T0);
		at = T0 + stale_rows[i].failed;
		found = tell_at(v, numbered("stale", (long)i),
		    stale_rows[i].code, stale_rows[i].outage, at - 50, at);
		assert_int_equal(found.code, stale_rows[i].expected);
		assert_true(look(v, numbered("stale", (long)i), at + 10,
		    &found));
		assert_int_equal(found.code, stale_rows[i].expected);
		assert_int_equal(found.stale, stale_rows[i].stale);
		if (found.stale)
			assert_int_equal(found.age, at + 10 - T0);
	}
	mn_verdicts_close(v);
}

static void
test_stale_yes_is_not_told_without_an_outage(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct mn_probe probe;
	int64_t at = T0 + TTL;

	(void)state;
	config.stale = 7000;
	v = fresh(&config);
	tell(v, "mon_test_a", MONIME_OK, T0);
	assert_int_equal(told(v, "mon_test_a", at), 1);
	assert_int_equal(claim(v, "mon_test_a", at, &probe), MN_CLAIM_MINE);
	(void)tell_at(v, "mon_test_a", MONIME_ENET, true, at, at);
	assert_int_equal(told(v, "mon_test_a", at), MONIME_OK);
	/* Held for a second; then the API is asked again. */
	assert_int_equal(told(v, "mon_test_a", at + 1000), 1);
	/* A token that was refused since is not prolonged. */
	tell(v, "mon_test_b", MONIME_OK, T0);
	tell(v, "mon_test_b", MONIME_EDENIED, at - 6000);
	(void)tell_at(v, "mon_test_b", MONIME_ENET, true, at, at);
	assert_int_equal(told(v, "mon_test_b", at), MONIME_ENET);
	mn_verdicts_close(v);
}

static void
test_refusals_never_push_out_a_yes(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	int i, left = 0, kept = 0;

	(void)state;
	config.entries = 64;
	v = fresh(&config);
	/* More than there is room for: what stays, stays for good. */
	for (i = 0; i < 64; i++)
		tell(v, numbered("yes", i), MONIME_OK, T0);
	for (i = 0; i < 64; i++)
		left += told(v, numbered("yes", i), T0 + 2) == MONIME_OK;
	assert_in_range(left, 40, 64);
	for (i = 0; i < 100000 / (valgrind() ? 100 : 1); i++)
		tell(v, numbered("no", i), i % 2 ? MONIME_EDENIED :
		    MONIME_ENET, T0 + 1);
	for (i = 0; i < 64; i++)
		kept += told(v, numbered("yes", i), T0 + 2) == MONIME_OK;
	assert_int_equal(kept, left);
	mn_verdicts_close(v);
}

static long
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &pages), 2);
	(void)fclose(f);
	return pages;
}

static void
test_million_random_tokens_leave_the_good_one(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_probe probe;
	struct mn_verdict found;
	unsigned long before = 0;
	long pages = 0;
	int64_t now = T0;
	int i, n = rounds(1000000), asked = 0;

	(void)state;
	tell(v, "mon_test_good", MONIME_OK, T0);
	for (i = 0; i < n; i++) {
		if (i == n / 50) {
			pages = resident();
			before = allocations;
		}
		/* 20 000 a second. */
		now = T0 + i / 20;
		if (claim(v, numbered("random", i), now, &probe) ==
		    MN_CLAIM_MINE) {
			asked++;
			mn_verdicts_store(v, &probe, i % 3 ? MONIME_EDENIED :
			    MONIME_ENET, i % 3 == 0, now, &found);
		}
		/* And as if nothing limited them. */
		tell(v, numbered("random", i), MONIME_EDENIED, now);
	}
	assert_int_equal(told(v, "mon_test_good", now), MONIME_OK);
	assert_int_equal(allocations, before);
	/* Valgrind's own memory grows with what it has seen. */
	if (!valgrind())
		assert_in_range(resident() - pages + 64, 0, 128);
	/* Half of 50 a second, and a second's worth to begin with. */
	assert_in_range(asked, 1, 25 * (now - T0) / 1000 + 26);
	mn_verdicts_close(v);
}

/*
 * A model of a few tokens in a table with room for all, and a million steps.
 * It knows between which times a verdict ends, and of claims everything.
 */
#define MODELS	48

struct model {
	struct told verdict;	/* started -1: none */
	bool faded;		/* an outage has taken its place */
	int64_t outage;		/* when an unknown was stored; -1: none */
	struct mn_probe probe;	/* claim 0: none */
	struct mn_probe slow;	/* one that lost its claim; 0: none */
};

static bool
may_live(const struct model *m, int64_t now, bool surely)
{
	bool yes = m->verdict.code == MONIME_OK;
	int64_t life = yes ? TTL : NEGATIVE;

	if (m->verdict.started < 0)
		return false;
	life = surely ? life * 9 / 10 : yes ? life : life * 11 / 10;
	return now < m->verdict.started + life;
}

static void
model_check(const struct model *m, int code, int64_t now)
{
	bool held = m->outage >= 0 && now < m->outage + MN_VERDICTS_HOLD;

	if (may_live(m, now, true))
		assert_int_equal(code, m->verdict.code);
	else if (may_live(m, now, false))
		assert_true(code == m->verdict.code || code == 1 ||
		    (held && code == MONIME_ENET));
	else
		assert_int_equal(code, held ? MONIME_ENET : 1);
}

static void
model_store(struct mn_verdicts *v, struct model *m, struct mn_probe *probe,
    int64_t now)
{
	static const int codes[] = {
		MONIME_OK, MONIME_OK, MONIME_EDENIED, MONIME_EFORBIDDEN,
		MONIME_ENET
	};
	struct told t = { codes[dice(ROWS(codes))], probe->started };
	struct told both[2] = { m->verdict, t };
	struct mn_verdict found;
	bool late = now >= probe->deadline;

	mn_verdicts_store(v, probe, t.code, true, now, &found);
	if (t.code == MONIME_ENET) {
		if (m->verdict.code != MONIME_OK && (may_live(m, now, true) ||
		    (may_live(m, now, false) && found.code != MONIME_ENET)))
			return;
		m->faded = m->verdict.code != MONIME_OK;
		m->outage = now;
		return;
	}
	if (t.code == MONIME_OK && late)
		return;
	if (m->verdict.started >= 0 && latest(both, 2) != &both[1]) {
		if (m->faded && found.code != MONIME_ENET)
			m->outage = -1;
		return;
	}
	m->verdict = t;
	m->faded = false;
	m->outage = -1;
}

static void
model_claim(struct mn_verdicts *v, struct model *m, const char *token,
    int64_t now)
{
	struct mn_probe probe;
	enum mn_claim r = claim(v, token, now, &probe);
	/* A claim ends within one unit after its deadline. */
	bool ended = m->probe.claim == 0 || now >= m->probe.deadline + 16;

	switch (r) {
	case MN_CLAIM_MINE:
		assert_true(m->probe.claim == 0 || now >= m->probe.deadline);
		model_check(m, 1, now);
		if (m->probe.claim != 0)
			m->slow = m->probe;
		m->probe = probe;
		break;
	case MN_CLAIM_BUSY:
		assert_false(ended);
		assert_in_range(probe.deadline - now, 1, TIMEOUT + 16);
		break;
	case MN_CLAIM_HIT:
		assert_int_not_equal(told(v, token, now), 1);
		break;
	default:
		fail_msg("limited");
	}
}

static void
test_table_behaves_as_its_model(void **state)
{
	static struct model model[MODELS];
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct model *m;
	const char *token;
	int64_t now = T0;
	int i, n = rounds(1000000);

	(void)state;
	config.probes = 512;
	config.probe_rate = 10000;
	v = fresh(&config);
	memset(model, 0, sizeof(model));
	for (i = 0; i < MODELS; i++)
		model[i].verdict.started = model[i].outage = -1;
	for (i = 0; i < n; i++) {
		now += dice(20) == 0 ? dice(2000) : dice(3);
		m = &model[dice(MODELS)];
		token = numbered("model", m - model);
		switch (dice(8)) {
		case 0:
		case 1:
			model_claim(v, m, token, now);
			break;
		case 2:
			if (m->probe.claim != 0)
				model_store(v, m, &m->probe, now);
			break;
		case 3:
			if (m->slow.claim != 0)
				model_store(v, m, &m->slow, now);
			break;
		case 4:
			if (dice(4) == 0)
				mn_verdicts_release(v, &m->probe);
			break;
		default:
			model_check(m, told(v, token, now), now);
		}
	}
	mn_verdicts_close(v);
}

static void
test_one_probe_for_a_token_at_a_time(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_probe first, second;
	struct mn_verdict found;

	(void)state;
	assert_int_equal(claim(v, "mon_test_a", T0, &first), MN_CLAIM_MINE);
	assert_int_equal(first.started, T0);
	assert_int_equal(first.deadline, T0 + TIMEOUT);
	assert_int_equal(claim(v, "mon_test_a", T0, &second), MN_CLAIM_BUSY);
	assert_in_range(second.deadline, T0 + TIMEOUT, T0 + TIMEOUT + 16);
	/* One that has none gives nothing back. */
	mn_verdicts_release(v, &second);
	assert_int_equal(claim(v, "mon_test_a", T0, &second), MN_CLAIM_BUSY);
	assert_int_equal(claim(v, "mon_test_b", T0, &second), MN_CLAIM_MINE);
	mn_verdicts_release(v, &second);
	mn_verdicts_release(v, &second);
	assert_int_equal(claim(v, "mon_test_b", T0, &second), MN_CLAIM_MINE);
	/* Who is told by store() is told by claim(). */
	mn_verdicts_store(v, &first, MONIME_EDENIED, false, T0 + 9, &found);
	assert_int_equal(found.code, MONIME_EDENIED);
	assert_int_equal(found.age, 9);
	assert_int_equal(claim(v, "mon_test_a", T0 + 9, &first), MN_CLAIM_HIT);
	mn_verdicts_close(v);
}

static void
test_claim_ends_with_its_deadline(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_verdict_id id = name(v, "mon_test_b");
	struct mn_probe first, second;
	struct mn_verdict found;

	(void)state;
	assert_int_equal(claim(v, "mon_test_a", T0, &first), MN_CLAIM_MINE);
	assert_int_equal(claim(v, "mon_test_a", T0 + TIMEOUT - 1, &second),
	    MN_CLAIM_BUSY);
	assert_int_equal(claim(v, "mon_test_a", T0 + TIMEOUT + 16, &second),
	    MN_CLAIM_MINE);
	/* The first one's end is not that of the second. */
	mn_verdicts_release(v, &first);
	assert_int_equal(claim(v, "mon_test_a", T0 + TIMEOUT + 16, &first),
	    MN_CLAIM_BUSY);
	/* Nobody claims for longer than "timeout". */
	assert_int_equal(mn_verdicts_claim(v, &id, T0, T0 + 1000 * TIMEOUT,
	    &first, &found), MN_CLAIM_MINE);
	assert_int_equal(first.deadline, T0 + TIMEOUT);
	mn_verdicts_close(v);
}

static void
test_strangers_get_half_of_the_probes(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct mn_verdicts_count count;
	struct mn_probe probe[64], more;
	int i;

	(void)state;
	config.probes = 9;
	config.probe_rate = 10000;
	v = fresh(&config);
	for (i = 0; i < 64; i++)
		tell(v, numbered("good", i), MONIME_OK, T0 - TTL);
	for (i = 0; i < 5; i++)
		assert_int_equal(claim(v, numbered("new", i), T0, &probe[i]),
		    MN_CLAIM_MINE);
	for (i = 5; i < 64; i++)
		assert_int_equal(claim(v, numbered("new", i), T0, &more),
		    MN_CLAIM_LIMITED);
	for (i = 5; i < 9; i++)
		assert_int_equal(claim(v, numbered("good", i), T0, &probe[i]),
		    MN_CLAIM_MINE);
	assert_int_equal(claim(v, numbered("good", 9), T0, &more),
	    MN_CLAIM_LIMITED);
	mn_verdicts_count(v, T0, &count);
	assert_int_equal(count.probes, 9);
	/* What was good before may have all; strangers never more than half. */
	mn_verdicts_release(v, &probe[0]);
	assert_int_equal(claim(v, numbered("good", 10), T0, &more),
	    MN_CLAIM_MINE);
	mn_verdicts_release(v, &probe[8]);
	assert_int_equal(claim(v, "mon_test_x", T0, &more), MN_CLAIM_LIMITED);
	/* Nothing is lost for good with those who never came back. */
	for (i = 0; i < 5; i++)
		assert_int_equal(claim(v, numbered("later", i),
		    T0 + TIMEOUT + 16, &more), MN_CLAIM_MINE);
	mn_verdicts_close(v);
}

/* Fill what strangers may have; is that token let through all the same? */
static bool
is_known(struct mn_verdicts *v, const char *token, int64_t now)
{
	struct mn_probe probe;
	enum mn_claim r;
	int i;

	for (i = 0; claim(v, numbered("stranger", i), now, &probe) ==
	    MN_CLAIM_MINE; i++)
		;
	assert_int_equal(i, 32);
	r = claim(v, token, now, &probe);
	mn_verdicts_release(v, &probe);
	return r == MN_CLAIM_MINE;
}

static void
test_token_is_known_for_an_hour_after_its_yes(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;

	(void)state;
	config.probe_rate = 10000;
	v = fresh(&config);
	tell(v, "mon_test_good", MONIME_OK, T0);
	tell(v, "mon_test_gone", MONIME_OK, T0);
	tell(v, "mon_test_gone", MONIME_EDENIED, T0 + 1);
	tell(v, "mon_test_bad", MONIME_EDENIED, T0);
	assert_true(is_known(v, "mon_test_good", T0 + TTL));
	assert_false(is_known(v, "mon_test_gone", T0 + 2 * TTL));
	assert_false(is_known(v, "mon_test_bad", T0 + 3 * TTL));
	/* An outage takes nothing of what it was. */
	tell(v, "mon_test_good", MONIME_ENET, T0 + 4 * TTL);
	assert_true(is_known(v, "mon_test_good", T0 + 3600000));
	assert_false(is_known(v, "mon_test_good", T0 + 3600000 + 2 * TTL));
	mn_verdicts_close(v);
}

static void
test_flood_of_strangers_leaves_probes_to_the_known(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct mn_probe probe;
	struct mn_verdict found;
	int64_t now;
	int i, asked = 0, served = 0, wanted = 0;

	(void)state;
	config.probe_rate = 20;
	v = fresh(&config);
	for (i = 0; i < 100; i++)
		tell(v, numbered("good", i), MONIME_OK, T0 - TTL);
	/* Ten seconds of 20 000 strangers and 10 known ones each. */
	for (i = 0; i < 200000; i++) {
		now = T0 + i / 20;
		if (claim(v, numbered("new", i), now, &probe) ==
		    MN_CLAIM_MINE) {
			asked++;
			mn_verdicts_store(v, &probe, MONIME_EDENIED, false,
			    now, &found);
		}
		if (i % 2000 != 0)
			continue;
		wanted++;
		if (claim(v, numbered("good", i / 2000), now, &probe) ==
		    MN_CLAIM_MINE) {
			served++;
			mn_verdicts_store(v, &probe, MONIME_OK, false, now,
			    &found);
		}
	}
	assert_int_equal(served, wanted);
	assert_in_range(asked, 100, 10 * 10 + 10);
	mn_verdicts_close(v);
}

static void
test_rate_is_that_of_the_profile(void **state)
{
	static const int rates[] = { 1, 2, 3, 50, 10000 };
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct mn_probe probe;
	size_t i;
	int k, n, first;

	(void)state;
	for (i = 0; i < ROWS(rates); i++) {
		config.probe_rate = rates[i];
		v = fresh(&config);
		first = n = 0;
		for (k = 0; k < 60000; k++) {
			if (claim(v, numbered("rate", k), T0 + k / 6,
			    &probe) == MN_CLAIM_MINE)
				n++;
			mn_verdicts_release(v, &probe);
			if (k == 5999)
				first = n;
		}
		/* Strangers' half, in the first second never more than all. */
		k = rates[i] - rates[i] / 2;
		assert_in_range(first, 1, k == 1 ? 1 : 2 * k);
		assert_in_range(n, 9 * k, 11 * k);
		mn_verdicts_close(v);
	}
}

/* A share of none a second is none of theirs: they have the strangers'. */
static void
test_known_token_has_the_strangers_rate_as_well(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct mn_probe probe;
	int i;

	(void)state;
	for (config.probe_rate = 1; config.probe_rate <= 4;
	    config.probe_rate++) {
		v = fresh(&config);
		for (i = 0; i < 5; i++)
			tell(v, numbered("good", i), MONIME_OK, T0 - TTL);
		for (i = 0; i < config.probe_rate; i++) {
			assert_int_equal(claim(v, numbered("good", i), T0,
			    &probe), MN_CLAIM_MINE);
			mn_verdicts_release(v, &probe);
		}
		assert_int_equal(claim(v, numbered("good", i), T0, &probe),
		    MN_CLAIM_LIMITED);
		assert_int_equal(claim(v, "mon_test_new", T0, &probe),
		    MN_CLAIM_LIMITED);
		mn_verdicts_close(v);
	}
}

static void
test_pieces_make_a_table_of_their_own(void **state)
{
	struct mn_piece a[2] = { { "ab", 2 }, { "c", 1 } };
	struct mn_piece b[2] = { { "a", 1 }, { "bc", 2 } };
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v, *w;

	(void)state;
	v = mn_verdicts_open(&usual, a, 2);
	tell(v, "mon_test_a", MONIME_OK, T0);
	w = mn_verdicts_open(&usual, b, 2);
	assert_ptr_not_equal(v, w);
	assert_int_equal(told(w, "mon_test_a", T0), 1);
	assert_int_not_equal(name(v, "mon_test_a").half[0],
	    name(w, "mon_test_a").half[0]);
	mn_verdicts_close(w);
	config.stale++;
	w = mn_verdicts_open(&config, a, 2);
	assert_ptr_not_equal(v, w);
	mn_verdicts_close(w);
	w = mn_verdicts_open(&usual, a, 2);
	assert_ptr_equal(v, w);
	mn_verdicts_close(v);
	assert_int_equal(told(w, "mon_test_a", T0), MONIME_OK);
	mn_verdicts_close(w);
	/* The last one took it away. */
	v = mn_verdicts_open(&usual, a, 2);
	assert_int_equal(told(v, "mon_test_a", T0), 1);
	mn_verdicts_close(v);
	mn_verdicts_close(NULL);
}

static void
expect_exit(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the child: status %x", (unsigned int)status);
}

static void
test_forked_processes_share_verdicts(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_probe probe;
	struct mn_verdict found;
	pid_t pid;

	(void)state;
	tell(v, "mon_test_a", MONIME_OK, T0);
	assert_int_equal(claim(v, "mon_test_c", T0, &probe), MN_CLAIM_MINE);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (told(v, "mon_test_a", T0) != MONIME_OK)
			_exit(1);
		tell(v, "mon_test_b", MONIME_EDENIED, T0);
		/* What its parent holds is not the child's to end. */
		mn_verdicts_store(v, &probe, MONIME_OK, false, T0, &found);
		if (found.code != MONIME_OK || probe.claim != 0 ||
		    told(v, "mon_test_c", T0) != 1)
			_exit(2);
		mn_verdicts_close(v);
		_exit(0);
	}
	expect_exit(pid);
	assert_int_equal(told(v, "mon_test_b", T0), MONIME_EDENIED);
	assert_int_equal(claim(v, "mon_test_c", T0, &(struct mn_probe){ 0 }),
	    MN_CLAIM_BUSY);
	mn_verdicts_store(v, &probe, MONIME_OK, false, T0, &found);
	assert_int_equal(told(v, "mon_test_c", T0), MONIME_OK);
	mn_verdicts_close(v);
}

/* A page that tests and their children share. */
static void *
page(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* A process that has a claim, which is killed. */
static pid_t
killed_claimant(struct mn_verdicts *v)
{
	int *claimed = page(sizeof(*claimed));
	struct mn_probe probe;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (claim(v, "mon_test_a", T0, &probe) == MN_CLAIM_MINE)
			__atomic_store_n(claimed, 1, __ATOMIC_RELEASE);
		for (;;)
			(void)pause();
	}
	while (!__atomic_load_n(claimed, __ATOMIC_ACQUIRE))
		(void)usleep(100);
	assert_int_equal(claim(v, "mon_test_a", T0, &probe), MN_CLAIM_BUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(munmap(claimed, sizeof(*claimed)), 0);
	return pid;
}

static void
test_claim_of_a_killed_process_is_free_at_once(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_probe probe;
	siginfo_t info;
	pid_t pid;

	(void)state;
	/* It knows no pidfd_open(2). */
	if (valgrind())
		skip();
	pid = killed_claimant(v);
	/* It is dead, though nobody has waited for it yet. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT),
	    0);
	assert_int_equal(claim(v, "mon_test_a", T0, &probe), MN_CLAIM_MINE);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	mn_verdicts_close(v);
}

static void
test_without_pidfd_the_claim_is_free_when_the_process_is_waited_for(
    void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_probe probe;
	pid_t pid;

	(void)state;
	no_pidfd = true;
	pid = killed_claimant(v);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(claim(v, "mon_test_a", T0, &probe), MN_CLAIM_MINE);
	no_pidfd = false;
	mn_verdicts_close(v);
}

#define VICTIMS	16

static int
victim_code(int i)
{
	return i % 3 == 0 ? MONIME_OK : refusals[i % 3];
}

static _Noreturn void
write_for_ever(struct mn_verdicts *v)
{
	struct mn_probe probe;
	struct mn_verdict found;
	int64_t now = T0;
	int i;

	for (;; now += 2 * TTL) {
		for (i = 0; i < VICTIMS; i++) {
			if (claim(v, numbered("victim", i), now, &probe) ==
			    MN_CLAIM_MINE)
				mn_verdicts_store(v, &probe, victim_code(i),
				    false, now + 1, &found);
		}
	}
}

static void
test_killed_writer_blocks_nobody(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	struct mn_probe probe;
	struct mn_verdict found;
	/* Later than any probe of the child's. */
	int64_t now = T0 + ((int64_t)1 << 40);
	pid_t pid;
	int i, k, code;

	(void)state;
	if (valgrind())
		skip();
	config.entries = 64;
	config.probe_rate = 10000;
	for (k = 0; k < 400; k++) {
		v = fresh(&config);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			write_for_ever(v);
		(void)usleep(500 + dice(1000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		for (i = 0; i < VICTIMS; i++) {
			code = told(v, numbered("victim", i), now);
			assert_int_equal(code, 1);
			assert_int_equal(claim(v, numbered("victim", i), now,
			    &probe), MN_CLAIM_MINE);
			code = i % 2 ? MONIME_OK : MONIME_EDENIED;
			mn_verdicts_store(v, &probe, code, false, now + 1,
			    &found);
			assert_int_equal(told(v, numbered("victim", i),
			    now + 1), code);
		}
		mn_verdicts_close(v);
	}
}

/*
 * Every state in which a writer can leave the mapping: the child is led
 * through its store one instruction at a time, and at each change of memory
 * it might as well be dead.
 */
struct step {
	int old;		/* what stood there; 1: nothing */
	int new;		/* what is being written */
};

static const struct step steps[] = {
	{ 1, MONIME_OK }, { 1, MONIME_EDENIED }, { 1, MONIME_ENET },
	{ MONIME_OK, MONIME_OK }, { MONIME_OK, MONIME_EDENIED },
	{ MONIME_EDENIED, MONIME_OK }, { MONIME_EDENIED, MONIME_EFORBIDDEN },
	{ MONIME_ENET, MONIME_OK }, { MONIME_ENET, MONIME_EDENIED },
};

/* The writer has died here: what do the others find, and do? */
static void
expect_recovery(struct mn_verdicts *v, const struct step *s, int64_t started)
{
	int64_t now = started + 50, then = now + 2 * TTL;
	struct mn_probe probe;
	struct mn_verdict found;
	int code, round;

	code = told(v, "mon_test_a", now);
	if (code != 1 && code != s->old && code != s->new)
		fail_msg("%d to %d: found %d", s->old, s->new, code);
	/* Its claim ends, and with it all that it could block. */
	for (round = 0; round < 2; round++, then += 2 * TTL) {
		assert_int_equal(told(v, "mon_test_a", then), 1);
		assert_int_equal(claim(v, "mon_test_a", then, &probe),
		    MN_CLAIM_MINE);
		code = round == 0 ? MONIME_EDENIED : MONIME_OK;
		mn_verdicts_store(v, &probe, code, false, then + 1, &found);
		assert_int_equal(told(v, "mon_test_a", then + 1), code);
	}
}

static pid_t
start_writer(struct mn_verdicts *v, const struct step *s, int64_t started)
{
	struct mn_probe probe;
	struct mn_verdict found;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (claim(v, "mon_test_a", started, &probe) != MN_CLAIM_MINE)
			probe = probe_of(v, "mon_test_a", started);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		(void)raise(SIGSTOP);
		mn_verdicts_store(v, &probe, s->new, false, started + 20,
		    &found);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void
lead_writer(struct mn_verdicts *v, const struct step *s, int64_t started)
{
	size_t size;
	unsigned char *memory = mn_verdicts_memory(v, &size);
	unsigned char *last = malloc(size), *here = malloc(size);
	int status, changes = 0;
	pid_t pid = start_writer(v, s, started);

	assert_true(last != NULL && here != NULL);
	memcpy(last, memory, size);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL),
		    0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			break;
		assert_true(WIFSTOPPED(status));
		if (memcmp(memory, last, size) == 0)
			continue;
		changes++;
		memcpy(here, memory, size);
		expect_recovery(v, s, started);
		memcpy(memory, here, size);
		memcpy(last, here, size);
	}
	/* Word and seal at least. */
	assert_true(changes >= 2);
	assert_int_equal(told(v, "mon_test_a", started + 50), s->new);
	free(last);
	free(here);
}

static void
test_writer_may_die_after_any_instruction(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	size_t i;

	(void)state;
	if (valgrind())
		skip();
	config.entries = 64;
	config.probe_rate = 10000;
	for (i = 0; i < ROWS(steps); i++) {
		v = fresh(&config);
		/* A slow probe may end while an earlier verdict is told. */
		if (steps[i].old <= 0)
			tell(v, "mon_test_a", steps[i].old, T0 - 5);
		lead_writer(v, &steps[i], T0);
		mn_verdicts_close(v);
	}
}

/*
 * What happens while somebody claims a token or stores its verdict: the child
 * is stopped after so many instructions of it, and all the rest happens then.
 */
struct scene {
	struct mn_verdicts *v;
	struct mn_probe other;	/* a claim of ours, made before */
	bool asked;		/* we have, or had, the right to ask */
};

static void
somebody_ends_the_same(struct scene *s)
{
	struct mn_verdict found;

	s->asked = true;
	mn_verdicts_store(s->v, &s->other, MONIME_OK, false, T0, &found);
}

static void
somebody_claims_in_a_slot_that_got_free(struct scene *s)
{
	struct mn_probe probe;

	mn_verdicts_release(s->v, &s->other);
	s->asked = claim(s->v, "mon_test_a", T0, &probe) == MN_CLAIM_MINE;
}

static void
somebody_asks_from_start_to_end(struct scene *s)
{
	struct mn_probe probe;
	struct mn_verdict found;

	mn_verdicts_release(s->v, &s->other);
	if (claim(s->v, "mon_test_a", T0, &probe) != MN_CLAIM_MINE)
		return;
	s->asked = true;
	mn_verdicts_store(s->v, &probe, MONIME_EDENIED, false, T0, &found);
}

static void
somebody_refuses_later(struct scene *s)
{
	tell(s->v, "mon_test_a", MONIME_EDENIED, T0 + 1);
}

static void
somebody_accepts_later(struct scene *s)
{
	tell(s->v, "mon_test_a", MONIME_OK, T0 + 1);
}

static int
child_claims(struct mn_verdicts *v)
{
	struct mn_probe probe;

	return (int)claim(v, "mon_test_a", T0, &probe);
}

static int
child_accepts(struct mn_verdicts *v)
{
	tell(v, "mon_test_a", MONIME_OK, T0);
	return MN_CLAIM_HIT;
}

static int
child_refuses(struct mn_verdicts *v)
{
	tell(v, "mon_test_a", MONIME_EDENIED, T0);
	return MN_CLAIM_HIT;
}

static const struct {
	int (*child)(struct mn_verdicts *v);
	void (*happens)(struct scene *s);
	bool same;		/* the claim before is on the same token */
	int told;		/* in the end; 2: does not matter */
} scenes[] = {
	{ child_claims, somebody_ends_the_same, true, MONIME_OK },
	{ child_claims, somebody_claims_in_a_slot_that_got_free, false, 1 },
	{ child_claims, somebody_asks_from_start_to_end, false, 2 },
	{ child_accepts, somebody_refuses_later, true, MONIME_EDENIED },
	{ child_refuses, somebody_accepts_later, true, MONIME_OK },
};

/* Another token's claim, in the slot that ours would take. */
static void
occupy(struct scene *s)
{
	struct mn_probe probe;
	int i;

	assert_int_equal(claim(s->v, "mon_test_a", T0, &probe), MN_CLAIM_MINE);
	mn_verdicts_release(s->v, &probe);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(claim(s->v, numbered("b", i), T0, &s->other),
		    MN_CLAIM_MINE);
		if (s->other.slot == probe.slot)
			return;
		mn_verdicts_release(s->v, &s->other);
	}
	fail_msg("all begin elsewhere");
}

static pid_t
start_child(struct mn_verdicts *v, int (*child)(struct mn_verdicts *v))
{
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		(void)raise(SIGSTOP);
		_exit(child(v));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFSTOPPED(status));
	return pid;
}

/* False: what the child does takes fewer instructions. */
static bool
play(size_t row, int instructions)
{
	struct mn_verdicts_config config = usual;
	struct scene s = { .asked = false };
	bool reached = true;
	int i, code, status;
	pid_t pid;

	config.probes = 4;
	config.probe_rate = 10000;
	s.v = fresh(&config);
	if (scenes[row].same)
		assert_int_equal(claim(s.v, "mon_test_a", T0, &s.other),
		    MN_CLAIM_MINE);
	else
		occupy(&s);
	pid = start_child(s.v, scenes[row].child);
	for (i = 0; i < instructions && reached; i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL),
		    0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		reached = !WIFEXITED(status);
	}
	if (reached) {
		scenes[row].happens(&s);
		assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (s.asked && WEXITSTATUS(status) == MN_CLAIM_MINE)
			fail_msg("scene %zu, %d instructions: both ask", row,
			    instructions);
		code = told(s.v, "mon_test_a", T0 + 2);
		if (scenes[row].told <= 1 && code != scenes[row].told)
			fail_msg("scene %zu, %d instructions: %d is told", row,
			    instructions, code);
	}
	mn_verdicts_close(s.v);
	return reached;
}

static void
test_others_may_come_between_at_any_instruction(void **state)
{
	/* Not all of them, which would take a minute. */
	const int stride = 83;
	const int most = 4000;
	size_t row;
	int n;

	(void)state;
	if (valgrind())
		skip();
	for (row = 0; row < ROWS(scenes); row++) {
		for (n = 0; n < most && play(row, n); n += stride)
			;
		assert_true(n > 10 * stride);
	}
}

/* Four processes of three threads each, and what they share. */
#define PROCESSES	4
#define THREADS		3
#define RACES		400

struct race {
	int ready;
	int wrong;
	int probes[RACES];
	int answers[RACES];
};

struct racer {
	struct mn_verdicts *v;
	struct race *race;
};

static void
race_for(struct mn_verdicts *v, struct race *race, int i)
{
	const char *token = numbered("race", i);
	struct mn_verdict_id id = name(v, token);
	struct mn_probe probe;
	struct mn_verdict found;
	int64_t now;

	for (;;) {
		now = mn_verdicts_time();
		switch (mn_verdicts_claim(v, &id, now, now + TIMEOUT, &probe,
		    &found)) {
		case MN_CLAIM_MINE:
			(void)__atomic_add_fetch(&race->probes[i], 1,
			    __ATOMIC_RELAXED);
			(void)usleep(100);
			mn_verdicts_store(v, &probe, i % 2 ? MONIME_OK :
			    MONIME_EDENIED, false, mn_verdicts_time(), &found);
			/* FALLTHROUGH */
		case MN_CLAIM_HIT:
			if (found.code != (i % 2 ? MONIME_OK : MONIME_EDENIED))
				(void)__atomic_add_fetch(&race->wrong, 1,
				    __ATOMIC_RELAXED);
			(void)__atomic_add_fetch(&race->answers[i], 1,
			    __ATOMIC_RELEASE);
			return;
		case MN_CLAIM_LIMITED:
			(void)__atomic_add_fetch(&race->wrong, 1,
			    __ATOMIC_RELAXED);
			return;
		case MN_CLAIM_BUSY:
			(void)usleep(50);
		}
	}
}

static void *
race_thread(void *arg)
{
	struct racer *r = arg;
	int i;

	(void)__atomic_add_fetch(&r->race->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&r->race->ready, __ATOMIC_SEQ_CST) <
	    PROCESSES * THREADS)
		(void)sched_yield();
	for (i = 0; i < RACES; i++) {
		race_for(r->v, r->race, i);
		/* All begin the next one together. */
		while (__atomic_load_n(&r->race->answers[i], __ATOMIC_ACQUIRE)
		    < PROCESSES * THREADS &&
		    !__atomic_load_n(&r->race->wrong, __ATOMIC_RELAXED))
			(void)sched_yield();
	}
	return NULL;
}

static _Noreturn void
race_process(struct racer *r)
{
	pthread_t thread[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&thread[i], NULL, race_thread, r) != 0)
			_exit(1);
	}
	for (i = 0; i < THREADS; i++)
		(void)pthread_join(thread[i], NULL);
	_exit(0);
}

static void
test_processes_and_threads_make_one_probe_for_a_token(void **state)
{
	struct mn_verdicts_config config = usual;
	struct racer r;
	pid_t pid[PROCESSES];
	int i;

	(void)state;
	config.negative_ttl = TTL;
	config.probe_rate = 10000;
	r.v = fresh(&config);
	r.race = page(sizeof(*r.race));
	for (i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			race_process(&r);
	}
	for (i = 0; i < PROCESSES; i++)
		expect_exit(pid[i]);
	assert_int_equal(r.race->wrong, 0);
	for (i = 0; i < RACES; i++) {
		assert_int_equal(r.race->probes[i], 1);
		assert_int_equal(r.race->answers[i], PROCESSES * THREADS);
	}
	assert_int_equal(munmap(r.race, sizeof(*r.race)), 0);
	mn_verdicts_close(r.v);
}

/* Threads that write and read the same few tokens: for the sanitizer. */
static void *
hammer(void *arg)
{
	struct mn_verdicts *v = arg;
	struct mn_probe probe;
	struct mn_verdict found;
	int64_t now;
	int i;

	for (i = 0; i < 20000 / (valgrind() ? 100 : 1); i++) {
		now = T0 + i / 7;
		if (i % 4 == 0)
			(void)tell_at(v, numbered("hammer", i % 5),
			    i % 3 ? MONIME_OK : MONIME_EDENIED, false, now,
			    now + 1);
		else if (claim(v, numbered("hammer", i % 11), now, &probe) ==
		    MN_CLAIM_MINE)
			mn_verdicts_store(v, &probe, MONIME_OK, false, now,
			    &found);
		else
			(void)told(v, numbered("hammer", i % 5), now);
	}
	return NULL;
}

static void
test_threads_write_at_once(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	pthread_t thread[4];
	int64_t at = T0 + 2 * TTL;
	int i, code;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, hammer, v),
		    0);
	for (i = 0; i < 4; i++)
		(void)pthread_join(thread[i], NULL);
	for (i = 0; i < 11; i++) {
		code = i % 2 ? MONIME_OK : MONIME_EFORBIDDEN;
		tell(v, numbered("hammer", i), code, at);
		assert_int_equal(told(v, numbered("hammer", i), at), code);
	}
	mn_verdicts_close(v);
}

/* What stood in the mapping, whatever stands there now. */
#define TOKENS	60

static const char *
poison_token(int i)
{
	return numbered("poison", i);
}

static int
poison_code(int i)
{
	return i % 3 == 0 ? MONIME_OK : i % 3 == 1 ? MONIME_EDENIED :
	    MONIME_ENET;
}

static void
poison_fill(struct mn_verdicts *v, int64_t now)
{
	int i;

	for (i = 0; i < TOKENS; i++)
		tell(v, poison_token(i), poison_code(i), now);
}

/* Nothing may be told but what was stored. */
static void
expect_nothing_made_up(struct mn_verdicts *v, int64_t stored, int64_t now)
{
	struct mn_verdict found;
	int i;

	for (i = 0; i < TOKENS; i++) {
		if (!look(v, poison_token(i), now, &found))
			continue;
		if (found.code != poison_code(i) ||
		    found.age != now - stored ||
		    now - stored >= TTL)
			fail_msg("token %d: %d, of %ld ms", i, found.code,
			    (long)found.age);
	}
	for (i = 0; i < TOKENS; i++)
		assert_int_equal(told(v, numbered("absent", i), now), 1);
}

static void
poison(uint64_t *word, size_t n, int how)
{
	size_t i, k;
	uint64_t w;

	switch (how) {
	case 0:			/* all of it */
		for (i = 0; i < n; i++)
			word[i] = (uint64_t)dice(UINT32_MAX) << 32 |
			    dice(UINT32_MAX);
		break;
	case 1:			/* bits */
		for (i = 0; i < n; i++)
			word[i] ^= (uint64_t)1 << dice(64);
		break;
	case 2:			/* words change places */
		for (i = 0; i < n; i++) {
			k = dice((uint32_t)n);
			w = word[i];
			word[i] = word[k];
			word[k] = w;
		}
		break;
	case 3:			/* whole entries do, and words of like use */
		for (i = 0; i + 8 <= n; i++) {
			k = dice((uint32_t)(n / 8)) * 8 + i % 8;
			w = word[i];
			word[i] = word[k];
			word[k] = w;
		}
		break;
	default:
		memset(word, how == 4 ? 0xff : 0, n * sizeof(*word));
	}
}

/* Use it all; what comes of it does not matter, but that it comes. */
static void
exercise(struct mn_verdicts *v, int64_t now)
{
	struct mn_verdicts_count count;
	struct mn_probe probe;
	struct mn_verdict found;
	int i;

	for (i = 0; i < TOKENS; i += 7) {
		if (claim(v, poison_token(i), now, &probe) == MN_CLAIM_MINE)
			mn_verdicts_store(v, &probe, poison_code(i), false,
			    now, &found);
		(void)claim(v, numbered("absent", i), now, &probe);
		mn_verdicts_release(v, &probe);
	}
	mn_verdicts_count(v, now, &count);
	assert_true(count.probes <= MN_VERDICTS_PROBES);
}

/* Within seconds all is as if nothing had been. */
static void
expect_health(struct mn_verdicts *v, int64_t now)
{
	struct mn_probe probe;
	struct mn_verdict found;
	int i;

	/* Not more than a set has room for. */
	for (i = 0; i < 8; i++) {
		assert_int_equal(claim(v, numbered("well", i), now, &probe),
		    MN_CLAIM_MINE);
		mn_verdicts_store(v, &probe, MONIME_OK, false, now, &found);
	}
	for (i = 0; i < 8; i++)
		assert_int_equal(told(v, numbered("well", i), now),
		    MONIME_OK);
}

static void
test_poisoned_mapping_makes_up_no_verdict(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	uint64_t *word;
	int64_t now = T0;
	size_t size;
	int i;

	(void)state;
	config.entries = 64;
	config.probe_rate = 10000;
	v = fresh(&config);
	word = mn_verdicts_memory(v, &size);
	for (i = 0; i < rounds(3000); i++) {
		memset(word, 0, size);
		now += 10 * TTL;
		poison_fill(v, now);
		poison(word, size / sizeof(*word), i % 6);
		expect_nothing_made_up(v, now, now + 5);
		expect_nothing_made_up(v, now, now + TTL);
		exercise(v, now + 5);
		exercise(v, now + TIMEOUT + 1016);
		expect_health(v, now + 2 * TIMEOUT + 2032);
	}
	mn_verdicts_close(v);
}

/* The mapping's words that differ from a copy. */
static size_t
differences(const uint64_t *a, const uint64_t *b, size_t n, size_t *at,
    size_t most)
{
	size_t i, k = 0;

	for (i = 0; i < n; i++) {
		if (a[i] != b[i] && k < most)
			at[k++] = i;
	}
	return k;
}

/* Where an entry of that verdict stands. */
static size_t
entry_of(struct mn_verdicts *v, const char *token, int code)
{
	size_t size, n, at[16];
	uint64_t *word = mn_verdicts_memory(v, &size);
	uint64_t *copy = malloc(size);

	assert_non_null(copy);
	memcpy(copy, word, size);
	tell(v, token, code, T0);
	n = differences(word, copy, size / sizeof(*word), at, ROWS(at));
	free(copy);
	assert_int_equal(n, 3);
	assert_int_equal(at[0] % 8, 0);
	return at[0];
}

static void
test_no_bit_turns_a_refusal_into_a_yes(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	size_t size, i, k, no = entry_of(v, "mon_test_no", MONIME_EDENIED);
	uint64_t *word = mn_verdicts_memory(v, &size);
	int code;

	(void)state;
	assert_int_equal(told(v, "mon_test_no", T0), MONIME_EDENIED);
	for (i = 0; i < 3 * 64; i++) {
		for (k = i; k < 3 * 64; k++) {
			word[no + i / 64] ^= (uint64_t)1 << i % 64;
			if (k != i)
				word[no + k / 64] ^= (uint64_t)1 << k % 64;
			code = told(v, "mon_test_no", T0 + NEGATIVE / 2);
			assert_true(code == 1 || (code == MONIME_EDENIED &&
			    i >= 128));
			if (k != i)
				word[no + k / 64] ^= (uint64_t)1 << k % 64;
			word[no + i / 64] ^= (uint64_t)1 << i % 64;
		}
	}
	assert_int_equal(told(v, "mon_test_no", T0), MONIME_EDENIED);
	mn_verdicts_close(v);
}

static void
test_yes_of_one_token_is_none_of_another(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	size_t size, i, yes = entry_of(v, "mon_test_yes", MONIME_OK);
	size_t no = entry_of(v, "mon_test_no", MONIME_EDENIED);
	uint64_t *word = mn_verdicts_memory(v, &size);
	uint64_t copy[3];

	(void)state;
	/* It was looked at, so what a look remembers is in play. */
	assert_int_equal(told(v, "mon_test_yes", T0), MONIME_OK);
	memcpy(copy, &word[yes], sizeof(copy));
	copy[0] = word[no];
	/* Under the tag of the other, wherever it may be looked for. */
	for (i = no % 8; i < size / sizeof(*word); i += 8) {
		if (i != no)
			memcpy(&word[i], copy, sizeof(copy));
	}
	assert_int_equal(told(v, "mon_test_no", T0), MONIME_EDENIED);
	memcpy(&word[no], copy, sizeof(copy));
	assert_int_equal(told(v, "mon_test_no", T0), 1);
	mn_verdicts_close(v);
}

static void
test_word_from_the_future_keeps_no_verdict_out(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	size_t size, yes = entry_of(v, "mon_test_yes", MONIME_OK);
	uint64_t *word = mn_verdicts_memory(v, &size);

	(void)state;
	word[yes + 1] |= (uint64_t)1 << 63;
	assert_int_equal(told(v, "mon_test_yes", T0), 1);
	tell(v, "mon_test_yes", MONIME_OK, T0 + 1);
	assert_int_equal(told(v, "mon_test_yes", T0 + 1), MONIME_OK);
	mn_verdicts_close(v);
}

/* But one that was really written there, by a clock that is ahead, stands. */
static void
test_verdict_by_a_clock_ahead_outlasts_an_older_yes(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_verdict found;

	(void)state;
	tell(v, "mon_test_b", MONIME_OK, T0 + 2000);
	tell(v, "mon_test_b", MONIME_OK, T0);
	assert_true(look(v, "mon_test_b", T0 + 2000, &found));
	assert_int_equal(found.age, 0);
	tell(v, "mon_test_a", MONIME_EDENIED, T0 + 2000);
	tell(v, "mon_test_a", MONIME_OK, T0);
	assert_int_equal(told(v, "mon_test_a", T0), 1);
	assert_int_equal(told(v, "mon_test_a", T0 + 2000), MONIME_EDENIED);
	mn_verdicts_close(v);
}

static void
test_mapping_may_be_written_over_meanwhile(void **state)
{
	struct mn_verdicts_config config = usual;
	struct mn_verdicts *v;
	uint64_t *word, seed = 1;
	int64_t now = T0;
	size_t size;
	pid_t pid;
	int i;

	(void)state;
	config.entries = 64;
	config.probe_rate = 10000;
	v = fresh(&config);
	word = mn_verdicts_memory(v, &size);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Words are often those that stand elsewhere. */
		for (;;) {
			seed = seed * 6364136223846793005ULL + 1;
			word[(seed >> 33) % (size / 8)] =
			    seed & 1 << 20 ? seed :
			    word[(seed >> 43) % (size / 8)];
		}
	}
	for (i = 0; i < rounds(3000); i++) {
		now += 10 * TTL;
		poison_fill(v, now);
		expect_nothing_made_up(v, now, now);
		exercise(v, now);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	now += 10 * TTL;
	exercise(v, now);
	expect_health(v, now + TIMEOUT + 2032);
	mn_verdicts_close(v);
}

static void
test_mapping_tells_nothing_of_a_token(void **state)
{
	static const char token[] = "mon_test_0123456789abcdefghijklmnopqrstuv";
	struct mn_verdicts *v = fresh(&usual);
	struct mn_verdict_id id = name(v, token);
	size_t size;
	char *memory = mn_verdicts_memory(v, &size);

	(void)state;
	tell(v, token, MONIME_OK, T0);
	assert_null(memmem(memory, size, token, 8));
	assert_null(memmem(memory, size, token + 9, 8));
	/* Of its name one half stands there, and one nowhere. */
	assert_non_null(memmem(memory, size, &id.half[0], 8));
	assert_null(memmem(memory, size, &id.half[1], 8));
	/* Nor do keys, which are the first bytes of the struct. */
	assert_null(memmem(memory, size, v, 8));
	assert_null(memmem(memory, size, (char *)v + 8, 8));
	assert_null(memmem(memory, size, (char *)v + 16, 8));
	mn_verdicts_close(v);
}

static void
test_remembered_verdict_needs_no_system_call(void **state)
{
	struct mn_verdicts *v = fresh(&usual);
	struct mn_verdict found;
	unsigned long before;
	bool good = true;
	int64_t now = mn_verdicts_time();
	int i, end[2];
	pid_t pid;

	(void)state;
	if (valgrind())
		skip();
	tell(v, "mon_test_a", MONIME_OK, now);
	tell(v, "mon_test_b", MONIME_EDENIED, now);
	before = allocations;
	assert_int_equal(pipe(end), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* From here on, any but read, write and exit is death. */
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
			_exit(77);
		for (i = 0; i < 1000; i++)
			good = good && look(v, "mon_test_a",
			    mn_verdicts_time(), &found) &&
			    look(v, "mon_test_b", mn_verdicts_time(), &found);
		good = good && allocations == before;
		(void)!write(end[1], &good, sizeof(good));
		for (;;)
			(void)syscall(SYS_exit, 0);
	}
	assert_int_equal(close(end[1]), 0);
	good = false;
	assert_int_equal(read(end[0], &good, sizeof(good)), sizeof(good));
	assert_true(good);
	assert_int_equal(close(end[0]), 0);
	/* It may have threads of a sanitizer, which go on. */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	mn_verdicts_close(v);
}

static int
start(void **state)
{
	(void)state;
	return mn_secret_init() ? 0 : -1;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash_is_that_of_its_vectors),
		cmocka_unit_test(test_without_memory_there_is_no_table),
		cmocka_unit_test(test_entry_is_a_cache_line),
		cmocka_unit_test(test_nothing_is_known_at_first),
		cmocka_unit_test(test_verdict_is_told_to_whoever_looks),
		cmocka_unit_test(test_code_that_is_none_is_no_yes),
		cmocka_unit_test(
		    test_lifetimes_are_spread_within_their_bounds),
		cmocka_unit_test(test_outage_is_held_from_its_end),
		cmocka_unit_test(test_verdict_of_a_later_time_does_not_count),
		cmocka_unit_test(test_nothing_is_remembered_where_ttl_is_zero),
		cmocka_unit_test(
		    test_without_ttl_no_claim_keeps_others_from_asking),
		cmocka_unit_test(test_wall_clock_is_not_asked),
		cmocka_unit_test(test_outage_told_late_ends_no_refusal),
		cmocka_unit_test(
		    test_older_probe_never_replaces_a_newer_verdict),
		cmocka_unit_test(
		    test_slow_yes_after_its_deadline_is_not_remembered),
		cmocka_unit_test(
		    test_end_of_a_yes_survives_that_of_the_refusal),
		cmocka_unit_test(test_not_to_know_ends_nothing),
		cmocka_unit_test(test_stale_prolongs_a_yes_over_outages_alone),
		cmocka_unit_test(test_stale_yes_is_not_told_without_an_outage),
		cmocka_unit_test(test_refusals_never_push_out_a_yes),
		cmocka_unit_test(
		    test_million_random_tokens_leave_the_good_one),
		cmocka_unit_test(test_table_behaves_as_its_model),
		cmocka_unit_test(test_one_probe_for_a_token_at_a_time),
		cmocka_unit_test(test_claim_ends_with_its_deadline),
		cmocka_unit_test(test_strangers_get_half_of_the_probes),
		cmocka_unit_test(
		    test_token_is_known_for_an_hour_after_its_yes),
		cmocka_unit_test(
		    test_flood_of_strangers_leaves_probes_to_the_known),
		cmocka_unit_test(test_rate_is_that_of_the_profile),
		cmocka_unit_test(
		    test_known_token_has_the_strangers_rate_as_well),
		cmocka_unit_test(test_pieces_make_a_table_of_their_own),
		cmocka_unit_test(test_forked_processes_share_verdicts),
		cmocka_unit_test(
		    test_claim_of_a_killed_process_is_free_at_once),
		cmocka_unit_test(
	test_without_pidfd_the_claim_is_free_when_the_process_is_waited_for),
		cmocka_unit_test(test_killed_writer_blocks_nobody),
		cmocka_unit_test(test_writer_may_die_after_any_instruction),
		cmocka_unit_test(
		    test_others_may_come_between_at_any_instruction),
		cmocka_unit_test(
		    test_processes_and_threads_make_one_probe_for_a_token),
		cmocka_unit_test(test_threads_write_at_once),
		cmocka_unit_test(test_poisoned_mapping_makes_up_no_verdict),
		cmocka_unit_test(test_no_bit_turns_a_refusal_into_a_yes),
		cmocka_unit_test(test_yes_of_one_token_is_none_of_another),
		cmocka_unit_test(
		    test_word_from_the_future_keeps_no_verdict_out),
		cmocka_unit_test(
		    test_verdict_by_a_clock_ahead_outlasts_an_older_yes),
		cmocka_unit_test(test_mapping_may_be_written_over_meanwhile),
		cmocka_unit_test(test_mapping_tells_nothing_of_a_token),
		cmocka_unit_test(test_remembered_verdict_needs_no_system_call),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
