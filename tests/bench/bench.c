/* SPDX-License-Identifier: MIT */

/* Pairs, quartiles and their lines.  See bench.h. */

#include "bench.h"

#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

void
bench_place(bool apart)
{
	static cpu_set_t all;
	size_t server = (size_t)atoi(bench_setting("BENCH_SERVER_CPU"));
	cpu_set_t set;

	if (CPU_COUNT(&all) == 0 &&
	    sched_getaffinity(0, sizeof(all), &all) != 0)
		err(1, "sched_getaffinity");
	CPU_ZERO(&set);
	CPU_SET(server, &set);
	if (apart)
		CPU_XOR(&set, &all, &set);
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

static void
take_turn(struct bench_side *s, size_t i)
{
	double start = nanoseconds(CLOCK_MONOTONIC);
	double work = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);

	s->run(s->n);
	s->worked[i] = (nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - work) /
	    (double)s->n;
	s->cost[i] = (nanoseconds(CLOCK_MONOTONIC) - start) / (double)s->n;
}

/* The first turn goes to place i for now: it does not count. */
static void
open_side(struct bench_side *s, size_t i)
{
	if (s->open != NULL)
		s->open();
	take_turn(s, i);
}

static void
close_side(struct bench_side *s)
{
	if (s->close != NULL)
		s->close();
}

void
bench_turn(struct bench_side *s, double ms)
{
	double took;

	s->n = 1;
	open_side(s, 0);
	for (;; s->n *= 2) {
		take_turn(s, 0);
		took = s->cost[0] * (double)s->n / 1e6;
		if (took >= ms / 4)
			break;
	}
	close_side(s);
	s->n = (size_t)((double)s->n * ms / took) + 1;
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

void
bench_pairs(struct bench_side *a, struct bench_side *b, size_t pairs)
{
	size_t i;

	if (pairs > BENCH_PAIRS)
		errx(2, "%zu pairs are too many", pairs);
	for (i = 0; i < pairs; i++) {
		if (i % BENCH_FRESH == 0)
			open_both(a, b, i);
		if (i % 2 != 0)
			take_turn(a, i);
		take_turn(b, i);
		if (i % 2 == 0)
			take_turn(a, i);
		if (i % BENCH_FRESH == BENCH_FRESH - 1 || i == pairs - 1) {
			close_side(a);
			close_side(b);
		}
	}
}

static int
ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
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
