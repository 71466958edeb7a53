/* SPDX-License-Identifier: MIT */

/*
 * What the tests of credentials that live share: a clock that can be moved, a
 * log that is kept, a look for canaries, and many threads at once.
 */

#ifndef TESTS_INTEGRATION_LIVING_H
#define TESTS_INTEGRATION_LIVING_H

#include <pthread.h>
#include <sys/syscall.h>

#include "common.h"

/*
 * The library's clock, moved, and the one on the wall.  This definition comes
 * before libc's for the library and for libcurl, since the program exports it
 * (LDFLAGS_test_... in the Makefile).  The other clocks stay as they are.
 */
static int64_t clock_moved;	/* ms; atomic */
static int64_t wall_moved;	/* likewise */

int clock_gettime(clockid_t which, struct timespec *ts);

int
clock_gettime(clockid_t which, struct timespec *ts)
{
	int64_t moved;

	if (syscall(SYS_clock_gettime, which, ts) != 0)
		return -1;
	if (which == CLOCK_MONOTONIC || which == CLOCK_MONOTONIC_COARSE)
		moved = __atomic_load_n(&clock_moved, __ATOMIC_RELAXED);
	else if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
		moved = __atomic_load_n(&wall_moved, __ATOMIC_RELAXED);
	else
		return 0;
	ts->tv_sec += moved / 1000;
	ts->tv_nsec += moved % 1000 * 1000000;
	if (ts->tv_nsec >= 1000000000) {
		ts->tv_sec++;
		ts->tv_nsec -= 1000000000;
	} else if (ts->tv_nsec < 0) {
		ts->tv_sec--;
		ts->tv_nsec += 1000000000;
	}
	return 0;
}

static void UNUSED
move_clock(int64_t ms)
{
	(void)__atomic_add_fetch(&clock_moved, ms, __ATOMIC_RELAXED);
}

/* Milliseconds that really pass. */
static int64_t UNUSED
real_ms(void)
{
	return now_ms() - __atomic_load_n(&clock_moved, __ATOMIC_RELAXED);
}

static void UNUSED
sleep_ms(int64_t ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

/*
 * Every line that the library logged since the test began, level and all:
 * "4 test/t: ...\n".
 */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char *log_text;
static size_t log_len;

static void UNUSED
log_line(void *data, int level, const char *line)
{
	size_t n = strlen(line);
	char *text;

	(void)data;
	(void)pthread_mutex_lock(&log_lock);
	text = realloc(log_text, log_len + n + 4);
	if (text == NULL)
		abort();
	log_text = text;
	log_text[log_len++] = (char)('0' + level);
	log_text[log_len++] = ' ';
	memcpy(log_text + log_len, line, n);
	log_len += n;
	log_text[log_len++] = '\n';
	log_text[log_len] = '\0';
	(void)pthread_mutex_unlock(&log_lock);
}

static void UNUSED
log_forget(void)
{
	(void)pthread_mutex_lock(&log_lock);
	free(log_text);
	log_text = NULL;
	log_len = 0;
	(void)pthread_mutex_unlock(&log_lock);
}

/* How often a text stands in the log. */
static size_t UNUSED
logged(const char *text)
{
	const char *s;
	size_t n = 0;

	(void)pthread_mutex_lock(&log_lock);
	for (s = log_text; s != NULL && (s = strstr(s, text)) != NULL; s++)
		n++;
	(void)pthread_mutex_unlock(&log_lock);
	return n;
}

#define assert_logged(text, n)	\
	common_logged(text, n, __FILE__, __LINE__)

static void UNUSED
common_logged(const char *text, size_t want, const char *file, int line)
{
	size_t got = logged(text);

	if (got != want)
		fail_row(file, line, "\"%s\" is in the log %zu times, not %zu:"
		    "\n%s", text, got, want, log_text != NULL ? log_text : "");
}

/*
 * Every secret that the sandbox knows or issues has this word in it, but the
 * client's id, which is none.
 */
static const char *
canary_in(const char *text)
{
	static const char id[] = "client_canary_id";
	const char *s;

	if (text == NULL)
		return NULL;
	for (s = text; (s = strstr(s, "canary")) != NULL; s++) {
		if (s - text >= 7 &&
		    strncmp(s - 7, id, sizeof(id) - 1) == 0)
			continue;
		return s;
	}
	return NULL;
}

/* Nothing that a caller may print of a call betrays a secret. */
static void UNUSED
look_over(const struct monime_call *call)
{
	static const char *const facts[] = {
		"environment", "source", "age", "retry-after", "attempts",
		"executed", "request-id", "idempotency-key", "replayed",
		"reason", "message", "api-version", "api-release",
		"api-deprecated", "origin-country", "origin-address",
		"fingerprint", "rate-limit", "token-scope",
		"token-expires-in"
	};
	size_t i;

	if (canary_in(monime_call_error(call)) != NULL)
		fail_row(__FILE__, __LINE__, "a secret is told: %s",
		    monime_call_error(call));
	for (i = 0; i < ROWS(facts); i++) {
		if (canary_in(monime_call_get(call, facts[i])) != NULL)
			fail_row(__FILE__, __LINE__, "a secret is told: %s",
			    facts[i]);
	}
}

static void UNUSED
look_over_log(void)
{
	const char *s = canary_in(log_text);

	if (s != NULL)
		fail_row(__FILE__, __LINE__, "a secret is logged: %.80s", s);
}

/* Open, and keep what is logged at the most talkative level. */
UNUSED static struct monime *
open_logged(const char *name)
{
	struct monime *m = open_named(name);

	monime_set_log(m, LOG_DEBUG, log_line, NULL);
	return m;
}

/* Each test begins with an empty log; and none may have betrayed a secret. */
static int UNUSED
living_reset(void **state)
{
	log_forget();
	return common_reset(state);
}

static int UNUSED
living_after(void **state)
{
	(void)state;
	look_over_log();
	log_forget();
	return 0;
}

#define LIVING(name)	\
	cmocka_unit_test_setup_teardown(name, living_reset, living_after)

/* One request, whose result must be that. */
#define ask(m, method, path, want)	\
	common_ask(m, method, path, want, __FILE__, __LINE__)

static void UNUSED
common_ask(struct monime *m, const char *method, const char *path, int want,
    const char *file, int line)
{
	struct monime_call *call;
	bool write = strcmp(method, "GET") != 0;
	int r;

	r = monime_request(m, method, path, NULL, write ? "{\"n\":1}" : NULL,
	    write ? 7 : 0, &call);
	common_code(call, r, want, file, line);
	look_over(call);
	monime_call_free(call);
}

/*
 * n threads that begin at the same time.  What they find wrong they return as
 * a text of their own; cmocka's assertions are the main thread's.
 */
#define THREADS_MAX	64

struct crew {
	pthread_barrier_t start;
	const char *(*work)(struct monime *m, int number);
	struct monime *m;
};

struct crew_member {
	struct crew *crew;
	int number;
	pthread_t thread;
	const char *wrong;
};

static void *
crew_run(void *arg)
{
	struct crew_member *one = arg;

	(void)pthread_barrier_wait(&one->crew->start);
	one->wrong = one->crew->work(one->crew->m, one->number);
	return NULL;
}

static struct crew crew_now;
static struct crew_member crew_member[THREADS_MAX];

static void UNUSED
crew_start(struct monime *m, int n,
    const char *(*work)(struct monime *m, int number))
{
	int i;

	crew_now.m = m;
	crew_now.work = work;
	(void)pthread_barrier_init(&crew_now.start, NULL, (unsigned int)n);
	for (i = 0; i < n; i++) {
		crew_member[i] = (struct crew_member){
			.crew = &crew_now, .number = i
		};
		if (pthread_create(&crew_member[i].thread, NULL, crew_run,
		    &crew_member[i]) != 0)
			abort();
	}
}

static void UNUSED
crew_wait(int n)
{
	const char *wrong = NULL;
	int i;

	for (i = 0; i < n; i++) {
		(void)pthread_join(crew_member[i].thread, NULL);
		if (crew_member[i].wrong != NULL)
			wrong = crew_member[i].wrong;
	}
	(void)pthread_barrier_destroy(&crew_now.start);
	if (wrong != NULL)
		fail_row(__FILE__, __LINE__, "a thread: %s", wrong);
}

/* Tell the sandbox something whose answer is no news. */
static void UNUSED
control(const char *path, const char *json)
{
	json_object_put(sandbox_post(sandbox, path, json));
}

/* A number that the sandbox counts for all listeners together. */
static long UNUSED
total(const char *what)
{
	struct json_object *counts = sandbox_get(sandbox, "/counts");
	long n = (long)json_object_get_int64(
	    json_object_object_get(counts, what));

	json_object_put(counts);
	return n;
}

#endif
