/* SPDX-License-Identifier: MIT */

/*
 * Deadlines, the nearest one first: a heap, so that setting and unsetting one
 * costs little however many there are.
 */

#ifndef MN_TIMER_H
#define MN_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mn_timer {
	int64_t at;		/* by the clock of whoever has the timers */
	size_t place;		/* in the heap, from 1; 0: not set */
	void (*fire)(void *arg);
	void *arg;
};

struct mn_timers {
	struct mn_timer **heap;	/* from 1 on */
	size_t count;
	size_t room;
};

/* false: memory is short, and the timer is not set. */
bool mn_timer_set(struct mn_timers *set, struct mn_timer *timer, int64_t at);
void mn_timer_unset(struct mn_timers *set, struct mn_timer *timer);

/* The nearest one, or NULL. */
struct mn_timer *mn_timer_first(const struct mn_timers *set);

/* Unset them all. */
void mn_timer_free(struct mn_timers *set);

#endif
