/* SPDX-License-Identifier: MIT */

/*
 * The life of a verdict: what is remembered, for whom and how long, what ends
 * it, and how much of the API and of this process strangers can use up.
 */

#include <sys/resource.h>
#include <sys/time.h>

#include "probing.h"

/* The clock on the wall has more than one face. */

time_t time(time_t *t);
int gettimeofday(struct timeval *restrict tv, void *restrict tz);

time_t
time(time_t *t)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

static void
move_wall(int64_t ms)
{
	(void)__atomic_add_fetch(&wall_moved, ms, __ATOMIC_RELAXED);
}

/* An outage, for as long as the faults stand. */
#define OUTAGE		J({"status": 503, "times": -1})
#define NO_FAULTS	J({"only": ["faults"]})

/* Remembering */

static void
test_remembered_yes_tells_what_the_first_one_did(void **state)
{
	const char *token = sandbox_token(sandbox, "test");
	struct monime *m = open_checks(CHECK(""));
	char fingerprint[MONIME_FINGERPRINT_SIZE];
	struct monime_call *call;
	int data;

	(void)state;
	assert_int_equal(monime_fingerprint(token, strlen(token), fingerprint,
	    sizeof(fingerprint)), MONIME_OK);
	assert_check(m, "test", MONIME_OK, "network");
	move_clock(7000);
	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    MONIME_OK);
	assert_fact(call, "source", "cache");
	assert_fact(call, "age", "7");
	assert_fact(call, "environment", "test");
	assert_fact(call, "fingerprint", fingerprint);
	assert_string_equal(monime_call_error(call), "");
	assert_int_equal(monime_call_status(call), 0);
	monime_call_free(call);
	/* On a loop it is answered at once, and never reported. */
	assert_code(call, monime_check_token_start(m, token, strlen(token),
	    &data, &call), MONIME_OK);
	assert_ptr_equal(monime_call_data(call), &data);
	assert_fact(call, "source", "cache");
	assert_null(monime_next(m));
	monime_call_free(call);
	assert_int_equal(monime_check_token(m, token, strlen(token), NULL),
	    MONIME_OK);
	assert_asked(1);
	/* It outlives its handle. */
	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    MONIME_OK);
	monime_close(m);
	assert_fact(call, "fingerprint", fingerprint);
	monime_call_free(call);
}

static void
test_remembered_no_tells_no_name(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	const char *token = sandbox_token(sandbox, "revoked_test");
	struct monime_call *call;

	(void)state;
	assert_check(m, "revoked_test", MONIME_EDENIED, "network");
	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    MONIME_EDENIED);
	assert_fact(call, "source", "cache");
	assert_fact(call, "fingerprint", NULL);
	assert_fact(call, "environment", NULL);
	assert_string_not_equal(monime_call_error(call), "");
	look_over(call);
	monime_call_free(call);
	assert_asked(1);
	monime_close(m);
}

static void
test_yes_lives_for_ttl_and_a_tenth_less_at_least(void **state)
{
	struct monime *m = open_checks(CHECK("ttl = \"60s\";"));

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	move_clock(53000);
	assert_check(m, "test", MONIME_OK, "cache");
	move_clock(7100);
	assert_check(m, "test", MONIME_OK, "network");
	assert_asked(2);
	monime_close(m);
}

static void
test_no_lives_for_negative_ttl_and_a_tenth_either_way(void **state)
{
	struct monime *m = open_checks(CHECK("negative_ttl = \"10s\";"));

	(void)state;
	assert_check(m, "revoked_test", MONIME_EDENIED, "network");
	move_clock(8900);
	assert_check(m, "revoked_test", MONIME_EDENIED, "cache");
	move_clock(2200);
	assert_check(m, "revoked_test", MONIME_EDENIED, "network");
	assert_asked(2);
	monime_close(m);
}

/* Also who did not hear it from the API is told when to come back. */
static void
test_remembered_limit_tells_when_to_come_back(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	const char *token = sandbox_token(sandbox, "test");
	struct monime_call *call;

	(void)state;
	sandbox_fault(sandbox, J({"status": 429}));
	assert_check(m, "test", MONIME_ELIMIT, "network");
	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    MONIME_ELIMIT);
	assert_fact(call, "source", "cache");
	assert_fact(call, "retry-after", "1");
	monime_call_free(call);
	monime_close(m);
}

static void
test_outage_is_held_for_a_second(void **state)
{
	static const struct {
		const char *fault;
		int code;
	} rows[] = {
		{ J({"status": 503}), MONIME_EHTTP },
		{ J({"status": 429}), MONIME_ELIMIT },
		{ J({"drop": "body"}), MONIME_ELOST },
		{ J({"text": "{}"}), MONIME_EPROTO },
	};
	struct monime *m = open_checks(CHECK(""));
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		sandbox_reset(sandbox);
		/* libcurl sends anew what a kept connection has lost. */
		(void)sandbox_close_idle(sandbox, "monime");
		sandbox_wait_down(sandbox, "open", "monime", 0);
		sandbox_fault(sandbox, rows[i].fault);
		assert_check(m, "test", rows[i].code, "network");
		assert_check(m, "test", rows[i].code, "cache");
		/* Of this token alone. */
		assert_check(m, "revoked_test", MONIME_EDENIED, "network");
		move_clock(1020);
		assert_check(m, "test", MONIME_OK, "network");
		assert_asked(3);
		move_clock(61000);
	}
	monime_close(m);
}

static void
test_stale_prolongs_a_yes_over_an_outage_alone(void **state)
{
	struct monime *m = open_checks(CHECK("stale = \"30s\";"
	    " ttl = \"60s\";"));

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	move_clock(61000);
	sandbox_fault(sandbox, OUTAGE);
	assert_check(m, "test", MONIME_OK, "stale");
	assert_check(m, "test", MONIME_OK, "stale");
	assert_asked(2);
	move_clock(1100);
	assert_check(m, "test", MONIME_OK, "stale");
	assert_asked(3);
	/* One that never was good gets nothing of it. */
	assert_check(m, "stranger_test", MONIME_EHTTP, "network");
	/* The bearer's own limit is no outage. */
	control("/reset", NO_FAULTS);
	sandbox_fault(sandbox, J({"status": 429}));
	move_clock(1100);
	assert_check(m, "test", MONIME_ELIMIT, "network");
	/* And it ends: 60 s at most, and 30 more. */
	sandbox_fault(sandbox, OUTAGE);
	move_clock(1100);
	assert_check(m, "test", MONIME_OK, "stale");
	move_clock(26000);
	assert_check(m, "test", MONIME_EHTTP, "network");
	control("/reset", NO_FAULTS);
	move_clock(1100);
	assert_check(m, "test", MONIME_OK, "network");
	monime_close(m);
}

/* That we have no descriptor left says nothing of the API. */
static void
test_stale_prolongs_nothing_for_want_of_descriptors(void **state)
{
	struct monime *m = open_checks(CHECK("stale = \"30s\";"
	    " ttl = \"10s\";"));
	struct rlimit was, none;

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	(void)sandbox_close_idle(sandbox, "monime");
	sandbox_wait_down(sandbox, "open", "monime", 0);
	move_clock(11000);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_check(m, "test", MONIME_ESYS, "network");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	/* Nor is it held against anybody. */
	assert_check(m, "test", MONIME_OK, "network");
	assert_asked(2);
	monime_close(m);
}

static void
test_refusal_ends_what_stale_would_prolong(void **state)
{
	struct monime *m = open_checks(CHECK("stale = \"10min\";"
	    " ttl = \"10s\"; negative_ttl = \"2s\";"));

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	move_clock(11000);
	sandbox_revoke(sandbox, "test");
	assert_check(m, "test", MONIME_EDENIED, "network");
	sandbox_fault(sandbox, OUTAGE);
	assert_check(m, "test", MONIME_EDENIED, "cache");
	move_clock(3000);
	assert_check(m, "test", MONIME_EHTTP, "network");
	monime_close(m);
}

/*
 * Whoever comes when a slow probe is older than ttl gets nothing of its yes,
 * which may be from before the token was revoked.
 */
static void
test_yes_of_a_probe_older_than_ttl_is_for_nobody_who_comes_then(void **state)
{
	struct monime *m = open_checks(CHECK("ttl = \"1s\";"));
	struct asker early, late[2];
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	asker_start(&early, m, "test");
	sandbox_wait(sandbox, "held", "monime", 1);
	sandbox_revoke(sandbox, "test");
	move_clock(1500);
	for (i = 0; i < 2; i++)
		asker_start(&late[i], m, "test");
	let_them_wait();
	assert_int_equal(sandbox_release(sandbox), 1);
	assert_int_equal(asker_wait(&early), MONIME_OK);
	for (i = 0; i < 2; i++)
		assert_int_equal(asker_wait(&late[i]), MONIME_EDENIED);
	/* They share one of their own, which waits for the first to end. */
	assert_asked(2);
	monime_close(m);
}

/* No memory: ttl = "0s" */

static void
test_without_ttl_each_asks_and_who_comes_meanwhile_shares(void **state)
{
	struct monime *m = open_checks(ASKS_ANEW);
	struct monime_call *call;
	struct asker asker[3];
	int i;

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	assert_check(m, "test", MONIME_OK, "network");
	assert_asked(2);
	sandbox_fault(sandbox, J({"hold": true}));
	call = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	for (i = 0; i < 3; i++)
		asker_start(&asker[i], m, "test");
	let_them_wait();
	assert_int_equal(sandbox_release(sandbox), 1);
	for (i = 0; i < 3; i++)
		assert_int_equal(asker_wait(&asker[i]), MONIME_OK);
	await_result(m, call, MONIME_OK);
	assert_in_range(sandbox_requests(sandbox, "monime"), 3, 3);
	monime_close(m);
}

#define ANEW	100

static void
work_anew(struct monime *m, void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < ANEW; i++)
		MUST(check_now(m, "test") == MONIME_OK);
	monime_close(m);
}

static void
test_without_ttl_two_processes_do_not_starve_each_other(void **state)
{
	struct monime *m = open_checks(ASKS_ANEW);
	pid_t pid[2];
	int64_t from = real_ms();
	int i;

	(void)state;
	for (i = 0; i < 2; i++)
		pid[i] = child_start(m, work_anew, NULL);
	for (i = 0; i < 2; i++)
		child_wait(pid[i]);
	assert_asked(2 * ANEW);
	assert_in_range(real_ms() - from, 0, 5000);
	monime_close(m);
}

/* The clock on the wall may be set, and nothing lives longer or shorter. */
static void
test_steps_of_the_wall_clock_change_no_lifetime(void **state)
{
	static const int64_t steps[] = { 3600000, -7200000, 3600000 };
	struct monime *m = open_checks(CHECK("negative_ttl = \"60s\";"));
	struct timeval tv;
	time_t before;
	size_t i;

	(void)state;
	before = time(NULL);
	assert_check(m, "test", MONIME_OK, "network");
	assert_check(m, "revoked_test", MONIME_EDENIED, "network");
	for (i = 0; i < ROWS(steps); i++) {
		move_wall(steps[i]);
		assert_int_equal(gettimeofday(&tv, NULL), 0);
		assert_in_range(tv.tv_sec - time(NULL) + 1, 0, 2);
		assert_check(m, "test", MONIME_OK, "cache");
		assert_check(m, "revoked_test", MONIME_EDENIED, "cache");
		move_clock(17000);
	}
	assert_in_range(time(NULL) - before, 0, 60);
	assert_check(m, "test", MONIME_OK, "cache");
	move_clock(16000);
	/* 67 s by the clock that nobody sets; an hour on the wall. */
	move_wall(-3600000);
	assert_check(m, "test", MONIME_OK, "network");
	assert_check(m, "revoked_test", MONIME_EDENIED, "network");
	move_wall(3600000);
	assert_asked(4);
	monime_close(m);
}

/* Limits */

/* A token of the right form that nobody has. */
static size_t
stranger(char *buf, size_t size, int family, int number)
{
	return (size_t)snprintf(buf, size, "mon_test_canary_%c%08d",
	    'a' + family, number);
}

static void
assert_limited(struct monime *m, int number)
{
	struct monime_call *call;
	char token[64];
	size_t len = stranger(token, sizeof(token), 0, number);
	int64_t from = real_ms();
	int r;

	r = monime_check_token(m, token, len, &call);
	assert_code(call, r, MONIME_ELIMIT);
	assert_in_range(real_ms() - from, 0, 500);
	assert_fact(call, "retry-after", "1");
	assert_fact(call, "source", "local");
	assert_int_equal(monime_http_status(r), 503);
	monime_call_free(call);
	/* On a loop it is told at once as well. */
	assert_code(call, monime_check_token_start(m, token, len, NULL, &call),
	    MONIME_ELIMIT);
	assert_fact(call, "retry-after", "1");
	monime_call_free(call);
}

static void
test_more_than_probes_at_once_are_limited_at_once(void **state)
{
	struct monime *m = open_checks("check = { accept = \"any\";"
	    " timeout = \"5s\"; ttl = \"10s\"; probes = 4;"
	    " probe_rate = 1000; };");
	struct monime_call *known, *call[2];
	char token[64];
	int i;

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	move_clock(11000);
	sandbox_fault(sandbox, J({"hold": true, "times": -1}));
	for (i = 0; i < 2; i++) {
		(void)stranger(token, sizeof(token), 1, i);
		assert_code(call[i], monime_check_token_start(m, token,
		    strlen(token), NULL, &call[i]), MONIME_EPENDING);
	}
	await_count(m, "held", "monime", 2);
	assert_limited(m, 1);
	/* Who was good before has a share of his own. */
	known = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 3);
	assert_limited(m, 2);
	assert_asked(4);
	(void)sandbox_release(sandbox);
	for (i = 0; i < 2; i++)
		monime_call_free(call[i]);
	await_result(m, known, MONIME_OK);
	monime_close(m);
}

static void
test_more_than_probe_rate_are_limited_at_once(void **state)
{
	struct monime *m = open_checks("check = { accept = \"any\";"
	    " ttl = \"10s\"; probe_rate = 2; };");

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	move_clock(11000);
	assert_check(m, "revoked_test", MONIME_EDENIED, "network");
	assert_limited(m, 1);
	assert_check(m, "test", MONIME_OK, "network");
	assert_limited(m, 2);
	assert_asked(3);
	/* A limit is no verdict: it is not remembered. */
	move_clock(1100);
	assert_check(m, "stranger_test", MONIME_OK, "network");
	assert_limited(m, 3);
	monime_close(m);
}

#define FLOOD	10000	/* tokens of each of two processes */

struct flood {
	int number;
	int asked;		/* of whom the API was asked */
	int limited;
};

static void
work_flood(struct monime *m, void *arg)
{
	struct flood *f = arg;
	int i, r, n = slow() ? FLOOD / 10 : FLOOD;
	struct monime_call *call;
	char token[64];
	size_t len;

	for (i = 0; i < n; i++) {
		len = stranger(token, sizeof(token), f->number, i);
		r = monime_check_token(m, token, len, &call);
		MUST(r == MONIME_EDENIED || r == MONIME_ELIMIT);
		f->asked += r == MONIME_EDENIED;
		f->limited += r == MONIME_ELIMIT;
		monime_call_free(call);
		if (i % 100 != 0)
			continue;
		MUST(monime_check_token(m, sandbox_token(sandbox, "test"),
		    strlen(sandbox_token(sandbox, "test")), &call) ==
		    MONIME_OK);
		MUST(same(monime_call_get(call, "source"), "cache"));
		monime_call_free(call);
	}
	monime_close(m);
}

#define LATENCIES	300

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The time that 99 of 100 requests with our own credential stay below; ms. */
static double
p99(struct monime *m)
{
	static double took[LATENCIES];
	struct timespec a, b;
	int i;

	for (i = 0; i < LATENCIES; i++) {
		(void)clock_gettime(CLOCK_MONOTONIC_RAW, &a);
		ask(m, "GET", ACCOUNTS, MONIME_OK);
		(void)clock_gettime(CLOCK_MONOTONIC_RAW, &b);
		took[i] = (double)(b.tv_sec - a.tv_sec) * 1e3 +
		    (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	}
	qsort(took, LATENCIES, sizeof(took[0]), by_size);
	return took[LATENCIES * 99 / 100];
}

static void
test_flood_of_tokens_starves_nobody(void **state)
{
	struct monime *m = open_test("check = { accept = \"any\"; };");
	struct flood *f = common_memory(2 * sizeof(*f));
	double quiet, flooded = 0;
	pid_t pid[2];
	int64_t from, took;
	int i, asked;

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	quiet = p99(m);
	from = real_ms();
	for (i = 0; i < 2; i++) {
		f[i].number = i;
		pid[i] = child_start(m, work_flood, &f[i]);
	}
	flooded = p99(m);
	for (i = 0; i < 2; i++)
		child_wait(pid[i]);
	took = real_ms() - from;
	asked = f[0].asked + f[1].asked;
	print_message("%d tokens in %d ms: %d asked about, %d limited; the "
	    "p99 of requests is %.2f ms, %.2f ms without\n",
	    asked + f[0].limited + f[1].limited, (int)took, asked,
	    f[0].limited + f[1].limited, flooded, quiet);
	/* Half of 50 a second, and a second's worth at the start. */
	assert_in_range(asked, 20, 25 + 25 * (took + 1000) / 1000);
	assert_asked(1 + asked + 2 * LATENCIES);
	assert_check(m, "test", MONIME_OK, "cache");
	(void)munmap(f, 2 * sizeof(*f));
	monime_close(m);
}

/* One bearer's verdict is nobody else's */

static const struct {
	const char *token;		/* NULL: none */
	int want[2];			/* of "space", of "any" */
} bearers[] = {
	{ "test", { MONIME_OK, MONIME_OK } },
	{ NULL, { MONIME_EDENIED, MONIME_EDENIED } },
	{ "revoked_test", { MONIME_EDENIED, MONIME_EDENIED } },
	{ "stranger_test", { MONIME_EFORBIDDEN, MONIME_OK } },
	{ "live", { MONIME_EENVIRONMENT, MONIME_EENVIRONMENT } },
};

static struct monime *pair[2];

static const char *
alternate(struct monime *unused, int number)
{
	struct monime_call *call;
	const char *token;
	int i, r, k, n = (slow() ? 5000 : 100000) / 2;
	size_t who;

	(void)unused;
	for (i = 0; i < n; i++) {
		who = (size_t)(i + number) % ROWS(bearers);
		k = (i / (number + 1)) % 2;
		token = bearers[who].token != NULL ?
		    sandbox_token(sandbox, bearers[who].token) : NULL;
		r = monime_check_token(pair[k], token,
		    token != NULL ? strlen(token) : 0, &call);
		if (r != bearers[who].want[k])
			return bearers[who].token;
		if (monime_call_result(call) != r)
			return "the call says otherwise";
		monime_call_free(call);
	}
	return NULL;
}

static void
test_hundred_thousand_alternating_bearers_cross_no_verdict(void **state)
{
	(void)state;
	write_profile("test/a", "monime", NULL, "");
	write_profile("test/b", "monime", NULL,
	    "check = { accept = \"any\"; };");
	pair[0] = open_named("test/a");
	pair[1] = open_named("test/b");
	crew_start(NULL, 2, alternate);
	crew_wait(2);
	monime_close(pair[0]);
	monime_close(pair[1]);
}

/* What ends a yes */

static void
work_unknown_or_no(struct monime *m, void *arg)
{
	int r = check_now(m, "test");

	(void)arg;
	MUST(r != MONIME_OK);
	MUST(check_now(m, "test") == MONIME_EDENIED);
	monime_close(m);
}

static void
test_check_that_nobody_drove_in_time_is_no_outage(void **state)
{
	struct monime *m = open_checks(CHECK(""));
	struct monime_call *call = begin_check(m, "test", NULL);

	(void)state;
	monime_call_free(call);
	move_clock(6000);
	sandbox_fault(sandbox, J({"hold": true}));
	(void)begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	/* The first one has ended meanwhile, and this one is told no outage. */
	(void)begin_check(m, "test", NULL);
	assert_int_equal(sandbox_release(sandbox), 1);
	await_all(m, 2);
	assert_check(m, "test", MONIME_OK, "cache");
	assert_asked(1);
	monime_close(m);
}

/* A process that is stopped with a yes in its socket finds a no. */
static void
test_slow_yes_does_not_replace_a_newer_no(void **state)
{
	struct monime *m = open_checks("check = { accept = \"any\";"
	    " timeout = \"600ms\"; negative_ttl = \"60s\"; };");
	pid_t pid;

	(void)state;
	/* The answer is made before the wait. */
	sandbox_fault(sandbox, J({"delay": 0.2}));
	pid = child_start(m, work_unknown_or_no, NULL);
	sandbox_wait(sandbox, "requests", "monime", 1);
	(void)kill(pid, SIGSTOP);
	sandbox_revoke(sandbox, "test");
	sleep_ms(300);
	/* It waits for the stopped one's claim to end. */
	assert_check(m, "test", MONIME_EDENIED, "network");
	(void)kill(pid, SIGCONT);
	child_wait(pid);
	assert_check(m, "test", MONIME_EDENIED, "cache");
	assert_asked(2);
	monime_close(m);
}

static void
test_deleted_profile_forgets_every_yes(void **state)
{
	struct monime *m = open_checks("reload = \"1s\";" CHECK(""));
	struct monime_call *call;
	char path[256];

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	assert_check(m, "test", MONIME_OK, "cache");
	(void)snprintf(path, sizeof(path), "%s/test/p.conf", folder);
	assert_int_equal(unlink(path), 0);
	/* Once may be a rename under way. */
	move_clock(1100);
	assert_check(m, "test", MONIME_OK, "cache");
	move_clock(1100);
	assert_check(m, "test", MONIME_EPOLICY, NULL);
	assert_check(m, "test", MONIME_EPOLICY, NULL);
	assert_code(call, monime_check_token_start(m,
	    sandbox_token(sandbox, "test"),
	    strlen(sandbox_token(sandbox, "test")), NULL, &call),
	    MONIME_EPOLICY);
	monime_call_free(call);
	assert_asked(1);
	monime_close(m);
}

static void
test_withdrawn_environment_forgets_every_yes(void **state)
{
	struct monime *m = open_checks("reload = \"1s\";" CHECK(""));

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [\"live\"];\nca_file = \"%s/ca.pem\";\n", folder);
	move_clock(1100);
	assert_check(m, "test", MONIME_EPOLICY, NULL);
	monime_close(m);
}

/* Rotation */

static void
test_changed_token_keeps_all_verdicts(void **state)
{
	static const char more[] = "reload = \"1s\";" CHECK("");
	struct monime *m = open_profile("test/p", "monime", "test", more);

	(void)state;
	monime_set_log(m, LOG_NOTICE, log_line, NULL);
	assert_check(m, "stranger_test", MONIME_OK, "network");
	assert_check(m, "revoked_test", MONIME_EDENIED, "network");
	write_profile("test/p", "monime", "limited_test", more);
	move_clock(1100);
	assert_check(m, "stranger_test", MONIME_OK, "cache");
	assert_check(m, "revoked_test", MONIME_EDENIED, "cache");
	assert_logged("a changed profile is taken up", 1);
	assert_asked(2);
	monime_close(m);
}

/*
 * Which policy certainly holds: 0, either; 1, "any"; 2, "space".  In steps of
 * 4 it counts, lest one that came again passes for one that stayed.  Atomic.
 */
static int policy;
static bool looked_enough;	/* atomic */

static const char *
look_all_the_time(struct monime *m, int number)
{
	const char *wrong = NULL;
	int before, r;

	(void)number;
	while (wrong == NULL &&
	    !__atomic_load_n(&looked_enough, __ATOMIC_RELAXED)) {
		r = check_now(m, "test");
		if (r != MONIME_OK)
			wrong = monime_strerror(r);
		before = __atomic_load_n(&policy, __ATOMIC_ACQUIRE);
		r = check_now(m, "stranger_test");
		if (__atomic_load_n(&policy, __ATOMIC_ACQUIRE) != before)
			continue;
		if (r == MONIME_OK ? before % 4 == 2 :
		    r != MONIME_EFORBIDDEN || before % 4 == 1)
			wrong = monime_strerror(r);
	}
	return wrong;
}

static void
test_changed_check_serves_no_verdict_of_the_former_one(void **state)
{
	static const char *const more[] = {
		"reload = \"1s\"; check = { accept = \"any\"; timeout ="
		    " \"9s\"; probe_rate = 1000; };",
		"reload = \"1s\"; check = { timeout = \"9s\";"
		    " probe_rate = 1000; };",
	};
	static const int want[] = { MONIME_OK, MONIME_EFORBIDDEN };
	struct monime *m = open_checks(more[0]);
	int i;

	(void)state;
	__atomic_store_n(&policy, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&looked_enough, false, __ATOMIC_RELAXED);
	assert_check(m, "stranger_test", MONIME_OK, "network");
	assert_check(m, "stranger_test", MONIME_OK, "cache");
	move_clock(1100);
	crew_start(m, 4, look_all_the_time);
	/* After a change, the next look comes soon. */
	for (i = 1; i <= 10; i++) {
		__atomic_store_n(&policy, 4 * i, __ATOMIC_RELEASE);
		write_profile("test/p", "monime", NULL, more[i % 2]);
		/* Another thread may be the one that takes it up. */
		while (check_now(m, "stranger_test") != want[i % 2])
			sleep_ms(1);
		__atomic_store_n(&policy, 4 * i + i % 2 + 1,
		    __ATOMIC_RELEASE);
		sleep_ms(10);
	}
	__atomic_store_n(&looked_enough, true, __ATOMIC_RELAXED);
	crew_wait(4);
	monime_close(m);
}

/* All else is as before. */
static void
test_another_path_to_open_forgets_every_yes(void **state)
{
	static const char *const more[] = {
		"reload = \"1s\"; check = { timeout = \"9s\"; };",
		"reload = \"1s\"; check = { timeout = \"9s\";"
		    " path = \"/v1/payouts\"; };",
	};
	struct monime *m = open_checks(more[0]);

	(void)state;
	assert_check(m, "test", MONIME_OK, "network");
	assert_check(m, "test", MONIME_OK, "cache");
	sandbox_fault(sandbox, J({"path": "/v1/payouts", "status": 403,
	    "times": -1}));
	write_profile("test/p", "monime", NULL, more[1]);
	move_clock(1100);
	assert_check(m, "test", MONIME_EFORBIDDEN, "network");
	monime_close(m);
}

/* Who waits for a probe has asked under the policy of that time. */
static void
test_probe_under_way_serves_its_own_policy_alone(void **state)
{
	struct monime *m = open_checks("reload = \"1s\";" CHECK(""));
	struct monime_call *old, *new;
	int i;

	(void)state;
	sandbox_fault(sandbox, J({"hold": true}));
	old = begin_check(m, "stranger_test", NULL);
	await_count(m, "held", "monime", 1);
	write_profile("test/p", "monime", NULL,
	    "reload = \"1s\"; check = { timeout = \"5s\"; };");
	move_clock(1100);
	new = begin_check(m, "stranger_test", NULL);
	await_result(m, new, MONIME_EFORBIDDEN);
	assert_int_equal(sandbox_release(sandbox), 1);
	await_result(m, old, MONIME_OK);
	for (i = 0; i < 2; i++)
		assert_check(m, "stranger_test", MONIME_EFORBIDDEN, "cache");
	assert_asked(3);
	monime_close(m);
}

/* Counting */

/* A counter of the profile, with all of these labels; -1: there is none. */
static long
counter(struct monime *m, const char *name, const char *labels)
{
	static char text[1 << 20];
	const char *line, *next;
	char wanted[256];
	size_t n;

	n = monime_metrics(&m, 1, "openmetrics", text, sizeof(text));
	assert_in_range(n, 1, sizeof(text) - 1);
	(void)snprintf(wanted, sizeof(wanted), "%s} ", labels);
	for (line = text; line != NULL && *line != '\0'; line = next) {
		next = strchr(line, '\n');
		next = next != NULL ? next + 1 : NULL;
		if (strncmp(line, name, strlen(name)) != 0 ||
		    line[strlen(name)] != '{')
			continue;
		line = strstr(line, wanted);
		if (line != NULL && (next == NULL || line < next))
			return strtol(line + strlen(wanted), NULL, 10);
	}
	return -1;
}

#define assert_verdicts(m, result, source, n)	\
	assert_int_equal(counter(m, "monime_verdicts_total",	\
	    "result=\"" result "\",source=\"" source "\""), n)
#define assert_probes(m, result, n)	\
	assert_int_equal(counter(m, "monime_probes_total",	\
	    "result=\"" result "\""), n)

static void
work_counted(struct monime *m, void *arg)
{
	(void)arg;
	MUST(check_now(m, "test") == MONIME_OK);
	MUST(check_now(m, "stranger_test") == MONIME_OK);
	monime_close(m);
}

static void
test_verdicts_and_probes_add_up(void **state)
{
	struct monime *m = open_profile("test/c", "monime", NULL,
	    "check = { accept = \"any\"; stale = \"60s\"; ttl = \"10s\";"
	    " probe_rate = 4; };");
	struct monime_call *call;
	struct asker asker;
	int i;

	(void)state;
	/* Four who share a probe; one of them never hears of it. */
	sandbox_fault(sandbox, J({"hold": true}));
	call = begin_check(m, "test", NULL);
	await_count(m, "held", "monime", 1);
	(void)begin_check(m, "test", NULL);
	(void)begin_check(m, "test", NULL);
	monime_call_free(call);
	asker_start(&asker, m, "test");
	let_them_wait();
	(void)sandbox_release(sandbox);
	assert_int_equal(asker_wait(&asker), MONIME_OK);
	await_all(m, 2);
	assert_verdicts(m, "ok", "network", 3);
	assert_probes(m, "ok", 1);
	/* Two remembered here, one in a child, which asks about another. */
	assert_check(m, "test", MONIME_OK, "cache");
	assert_check(m, "test", MONIME_OK, "cache");
	child(m, work_counted, NULL);
	assert_verdicts(m, "ok", "cache", 3);
	assert_verdicts(m, "ok", "network", 4);
	assert_probes(m, "ok", 2);
	/* What never leaves the host, a limit among it. */
	assert_check(m, "live", MONIME_EENVIRONMENT, "local");
	assert_limited(m, 1);
	assert_verdicts(m, "environment", "local", 1);
	assert_verdicts(m, "limit", "local", 2);
	/* An outage, over which a yes is prolonged, twice. */
	move_clock(11000);
	sandbox_fault(sandbox, OUTAGE);
	for (i = 0; i < 2; i++)
		assert_check(m, "test", MONIME_OK, "stale");
	assert_verdicts(m, "ok", "stale", 2);
	assert_probes(m, "http", 1);
	/* And one that nobody knows. */
	for (i = 0; i < 2; i++)
		assert_check(m, "limited_test", MONIME_EHTTP,
		    i == 0 ? "network" : "cache");
	assert_verdicts(m, "http", "network", 1);
	assert_verdicts(m, "http", "cache", 1);
	assert_probes(m, "http", 2);
	assert_probes(m, "ok", 2);
	assert_asked(4);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_remembered_yes_tells_what_the_first_one_did),
		LIVING(test_remembered_no_tells_no_name),
		LIVING(test_yes_lives_for_ttl_and_a_tenth_less_at_least),
		LIVING(test_no_lives_for_negative_ttl_and_a_tenth_either_way),
		LIVING(test_outage_is_held_for_a_second),
		LIVING(test_remembered_limit_tells_when_to_come_back),
		LIVING(test_stale_prolongs_a_yes_over_an_outage_alone),
		LIVING(test_stale_prolongs_nothing_for_want_of_descriptors),
		LIVING(test_refusal_ends_what_stale_would_prolong),
		LIVING(
	test_yes_of_a_probe_older_than_ttl_is_for_nobody_who_comes_then),
		LIVING(
		    test_without_ttl_each_asks_and_who_comes_meanwhile_shares),
		LIVING(test_without_ttl_two_processes_do_not_starve_each_other),
		LIVING(test_steps_of_the_wall_clock_change_no_lifetime),
		LIVING(test_more_than_probes_at_once_are_limited_at_once),
		LIVING(test_more_than_probe_rate_are_limited_at_once),
		LIVING(test_flood_of_tokens_starves_nobody),
		LIVING(
		    test_hundred_thousand_alternating_bearers_cross_no_verdict),
		LIVING(test_check_that_nobody_drove_in_time_is_no_outage),
		LIVING(test_slow_yes_does_not_replace_a_newer_no),
		LIVING(test_deleted_profile_forgets_every_yes),
		LIVING(test_withdrawn_environment_forgets_every_yes),
		LIVING(test_changed_token_keeps_all_verdicts),
		LIVING(test_changed_check_serves_no_verdict_of_the_former_one),
		LIVING(test_another_path_to_open_forgets_every_yes),
		LIVING(test_probe_under_way_serves_its_own_policy_alone),
		LIVING(test_verdicts_and_probes_add_up),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
