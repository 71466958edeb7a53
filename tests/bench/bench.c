/* SPDX-License-Identifier: MIT */

/* Pairs, quartiles and their lines.  See bench.h. */

#include "bench.h"

#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define DISTURBED	0.02	/* the part of a pair that others may have */
#define PATIENCE	15e9	/* ns for more pairs than there have to be */

/* Where we run as the server sees it. */
static enum { ANYWHERE, APART, TOGETHER } place;

size_t
bench_size(size_t full, size_t quick)
{
	const char *how = getenv("BENCH");

	return how != NULL && strcmp(how, "quick") == 0 ? quick : full;
}

const char *
bench_setting(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		errx(2, "no %s: this is started by tests/bench/run", name);
	return value;
}

/*
 * To wake a processor that sleeps takes some ten times what a request costs,
 * and another time the next minute: so each has something to do that gives way
 * to all else.
 */
static void
keep_awake(size_t cpu)
{
	struct sched_param none = { 0 };
	pid_t parent = getpid();
	cpu_set_t set;

	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		break;
	default:
		return;
	}
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
	    sched_setaffinity(0, sizeof(set), &set) != 0 ||
	    sched_setscheduler(0, SCHED_IDLE, &none) != 0)
		_exit(1);
	for (;;)
		continue;
}

static void
keep_all_awake(const cpu_set_t *all)
{
	size_t i;

	for (i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, all))
			keep_awake(i);
	}
}

void
bench_place(bool apart)
{
	static cpu_set_t all;
	size_t server = (size_t)atoi(bench_setting("BENCH_SERVER_CPU"));
	cpu_set_t set;

	if (CPU_COUNT(&all) == 0) {
		if (sched_getaffinity(0, sizeof(all), &all) != 0)
			err(1, "sched_getaffinity");
		keep_all_awake(&all);
	}
	CPU_ZERO(&set);
	CPU_SET(server, &set);
	if (apart)
		CPU_XOR(&set, &all, &set);
	place = apart && CPU_COUNT(&set) > 0 ? APART : TOGETHER;
	if (CPU_COUNT(&set) == 0)
		set = all;
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		err(1, "sched_setaffinity");
}

struct monime *
bench_open(const char *profile)
{
	struct monime *m;

	if (monime_open(profile, bench_setting("BENCH_FOLDER"), &m) !=
	    MONIME_OK)
		errx(1, "%s", monime_error(m));
	return m;
}

static double
nanoseconds(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

double
bench_now(bool worked)
{
	return nanoseconds(worked ? CLOCK_THREAD_CPUTIME_ID :
	    CLOCK_MONOTONIC);
}

/* Fields of a schedstat: ns on a processor, and ns of waiting for one. */
static void
read_schedstat(int *fd, const char *path, double *ran, double *waited)
{
	unsigned long long field[2];
	char text[128];
	ssize_t n;

	if (*fd < 0)
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	n = pread(*fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%llu %llu", &field[0], &field[1]) != 2)
		err(1, "%s", path);
	*ran = (double)field[0];
	*waited = (double)field[1];
}

double
bench_queued(void)
{
	static int fd = -1;
	double ran, waited;

	read_schedstat(&fd, "/proc/self/schedstat", &ran, &waited);
	return waited;
}

/* Nanoseconds, counted from some time on, that others had our processors. */
static double
taken_by_others(void)
{
	static int fd = -1;
	double ran = 0, waited = 0;
	char path[64];

	if (place != ANYWHERE) {
		(void)snprintf(path, sizeof(path), "/proc/%s/schedstat",
		    bench_setting("BENCH_SERVER_PID"));
		read_schedstat(&fd, path, &ran, &waited);
	}
	if (place != TOGETHER)
		return bench_queued() + waited;
	/* One waits for the other there, and neither sleeps. */
	return nanoseconds(CLOCK_MONOTONIC) -
	    nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - ran;
}

/* What it tells is the part of the time that others had a processor. */
static double
take_turn(struct bench_side *s, size_t i)
{
	double others = taken_by_others();
	double start = nanoseconds(CLOCK_MONOTONIC);
	double work = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
	double took;

	s->run(s->n);
	work = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - work;
	took = nanoseconds(CLOCK_MONOTONIC) - start;
	s->worked[i] = work / (double)s->n;
	s->cost[i] = took / (double)s->n;
	return (taken_by_others() - others) / took;
}

/* The first turn goes to place i for now: it does not count. */
static void
open_side(struct bench_side *s, size_t i)
{
	if (s->open != NULL)
		s->open();
	(void)take_turn(s, i);
}

static void
close_side(struct bench_side *s)
{
	if (s->close != NULL)
		s->close();
}

static void
close_both(struct bench_side *a, struct bench_side *b)
{
	close_side(a);
	close_side(b);
}

void
bench_turn(struct bench_side *s, double ms)
{
	double took;

	s->n = 1;
	open_side(s, 0);
	for (;; s->n *= 2) {
		(void)take_turn(s, 0);
		took = s->cost[0] * (double)s->n / 1e6;
		if (took >= ms / 4)
			break;
	}
	close_side(s);
	s->n = (size_t)((double)s->n * ms / took) + 1;
}

__attribute__((__noinline__)) void
bench_counted(struct bench_side *s, size_t n)
{
	s->run(n);
}

void
bench_count(struct bench_side *s, size_t n)
{
	s->open();
	s->run(n);
	bench_counted(s, n);
	s->close();
}

/* Each time elsewhere in memory. */
static void
open_both(struct bench_side *a, struct bench_side *b, size_t i)
{
	static void *pad;
	bool swap = i / BENCH_FRESH % 2 != 0;

	free(pad);
	pad = malloc((size_t)rand() % 65536 + 1);
	open_side(swap ? b : a, i);
	open_side(swap ? a : b, i);
}

static int
ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Those pairs that count: the first calm ones, else the least disturbed. */
static void
choose(struct bench_side *a, struct bench_side *b, const double *disturbed,
    size_t tried, size_t pairs)
{
	double sorted[BENCH_TRIES * BENCH_PAIRS], most;
	size_t i, n = 0;

	memcpy(sorted, disturbed, tried * sizeof(*sorted));
	qsort(sorted, tried, sizeof(*sorted), ascending);
	most = sorted[pairs - 1] > DISTURBED ? sorted[pairs - 1] : DISTURBED;
	for (i = 0; i < tried && n < pairs; i++) {
		if (disturbed[i] > most)
			continue;
		a->cost[n] = a->cost[i];
		a->worked[n] = a->worked[i];
		b->cost[n] = b->cost[i];
		b->worked[n] = b->worked[i];
		n++;
	}
	(void)printf("%zu pairs of %zu: others had up to %.0f %% of each\n",
	    n, tried, 100 * most);
}

void
bench_pairs(struct bench_side *a, struct bench_side *b, size_t pairs)
{
	static double disturbed[BENCH_TRIES * BENCH_PAIRS];
	double end = bench_now(false) + PATIENCE;
	size_t i, calm = 0, tries = BENCH_TRIES * pairs;

	if (pairs > BENCH_PAIRS)
		errx(2, "%zu pairs are too many", pairs);
	for (i = 0; i < tries && calm < pairs; i++) {
		if (i >= pairs && bench_now(false) > end)
			break;
		if (i % BENCH_FRESH == 0)
			open_both(a, b, i);
		disturbed[i] = i % 2 != 0 ? take_turn(a, i) : 0;
		disturbed[i] += take_turn(b, i);
		disturbed[i] += i % 2 == 0 ? take_turn(a, i) : 0;
		calm += disturbed[i] <= DISTURBED;
		if (i % BENCH_FRESH == BENCH_FRESH - 1)
			close_both(a, b);
	}
	if (i % BENCH_FRESH != 0)
		close_both(a, b);
	choose(a, b, disturbed, i, pairs);
}

void
bench_figure(const char *what, const char *unit, const char *bar,
    double *value, size_t n)
{
	qsort(value, n, sizeof(*value), ascending);
	(void)printf("figure\t%s\t%s\t%s\t%g\t%g\t%g\n", what, unit, bar,
	    value[n / 2], value[n / 4], value[n * 3 / 4]);
	(void)fflush(stdout);
}

void
bench_single(const char *what, const char *unit, const char *bar, double value)
{
	bench_figure(what, unit, bar, &value, 1);
}

void
bench_ratio(const char *what, const char *bar, const double *over,
    const double *under, size_t n)
{
	double ratio[BENCH_PAIRS];
	size_t i;

	for (i = 0; i < n; i++)
		ratio[i] = over[i] / under[i];
	bench_figure(what, "ratio", bar, ratio, n);
}

double
bench_status(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	size_t n = strlen(name);
	char line[256];
	double kib = -1;

	if (f == NULL)
		err(1, "/proc/self/status");
	while (kib < 0 && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, n) == 0 && line[n] == ':')
			kib = atof(line + n + 1);
	}
	(void)fclose(f);
	if (kib < 0)
		errx(1, "/proc/self/status has no %s", name);
	return kib * 1024;
}
