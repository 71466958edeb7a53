/* SPDX-License-Identifier: MIT */

/*
 * What the measurements share: short turns of two sides in pairs, medians and
 * quartiles, and the lines that the runner reads.
 *
 * Machines change their pace from one second to the next.  So what is compared
 * is measured in pairs of turns of a few milliseconds, the order swapped each
 * time, and what counts is the median of the ratios.  And where memory happens
 * to lie makes some percent, for as long as it lies there, even between two
 * sides that are the same: so both are opened anew again and again.
 */

#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "monime.h"

#define BENCH_PAIRS	501	/* the most */
#define BENCH_TRIES	3	/* so many times as many, on a busy machine */
#define BENCH_FRESH	20	/* pairs until both sides are opened anew */

struct bench_side {
	void (*open)(void);		/* NULL: there is nothing to open */
	void (*close)(void);
	void (*run)(size_t n);		/* so many operations */
	size_t n;			/* of a turn */
	/* What one of them took: ns by the clock, and on processors. */
	double cost[BENCH_TRIES * BENCH_PAIRS];
	double worked[BENCH_TRIES * BENCH_PAIRS];
};

/* full; or quick, where a look is enough: BENCH=quick. */
size_t bench_size(size_t full, size_t quick);

/* What the runner has put into the environment. */
const char *bench_setting(const char *name);

/*
 * Run apart from the server, on any other processor; or on its very own, where
 * what both cost adds up.  No processor sleeps from then on.
 */
void bench_place(bool apart);

/* A profile of the runner's folder. */
struct monime *bench_open(const char *profile);

/* Nanoseconds by the clock, or those that this thread had a processor. */
double bench_now(bool worked);

/* Let the operations of a turn take so many milliseconds. */
void bench_turn(struct bench_side *s, double ms);

/* Nanoseconds that this process could have run and others did. */
double bench_queued(void);

/*
 * So many pairs of turns.  The first ones after an opening do not count, nor
 * do those in which others had much of the processors, if they can be helped.
 */
void bench_pairs(struct bench_side *a, struct bench_side *b, size_t pairs);

/*
 * Open, do n operations, and do them once more for somebody who counts what
 * bench_counted() takes: then there is nothing left to begin or to connect.
 */
void bench_count(struct bench_side *s, size_t n);
void bench_counted(struct bench_side *s, size_t n);

/*
 * Tell the median and the quartiles of n values, which get sorted.  bar is
 * "<= 2.0", say, or "" where there is none.
 */
void bench_figure(const char *what, const char *unit, const char *bar,
    double *value, size_t n);

/* The same of a single value. */
void bench_single(const char *what, const char *unit, const char *bar,
    double value);

/* Tell what a column of two sides is to the other: over / under. */
void bench_ratio(const char *what, const char *bar, const double *over,
    const double *under, size_t n);

/* A size of this process: a line of /proc/self/status, in bytes. */
double bench_status(const char *name);

#endif
