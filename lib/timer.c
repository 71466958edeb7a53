/* SPDX-License-Identifier: MIT */

/* Deadlines in a heap.  See timer.h. */

#include "timer.h"

#include <stdlib.h>

#include "banned.h"

static void
put(struct mn_timers *set, size_t place, struct mn_timer *timer)
{
	set->heap[place] = timer;
	timer->place = place;
}

static void
rise(struct mn_timers *set, size_t i, struct mn_timer *timer)
{
	for (; i > 1 && set->heap[i / 2]->at > timer->at; i /= 2)
		put(set, i, set->heap[i / 2]);
	put(set, i, timer);
}

static void
sink(struct mn_timers *set, size_t i, struct mn_timer *timer)
{
	size_t child;

	while ((child = 2 * i) <= set->count) {
		if (child < set->count &&
		    set->heap[child + 1]->at < set->heap[child]->at)
			child++;
		if (set->heap[child]->at >= timer->at)
			break;
		put(set, i, set->heap[child]);
		i = child;
	}
	put(set, i, timer);
}

bool
mn_timer_set(struct mn_timers *set, struct mn_timer *timer, int64_t at)
{
	struct mn_timer **heap;
	size_t room;

	mn_timer_unset(set, timer);
	if (set->count + 2 > set->room) {
		room = set->room ? 2 * set->room : 16;
		heap = realloc(set->heap, room * sizeof(*heap));
		if (heap == NULL)
			return false;
		set->heap = heap;
		set->room = room;
	}
	timer->at = at;
	rise(set, ++set->count, timer);
	return true;
}

void
mn_timer_unset(struct mn_timers *set, struct mn_timer *timer)
{
	size_t i = timer->place;
	struct mn_timer *last;

	if (i == 0)
		return;
	timer->place = 0;
	last = set->heap[set->count--];
	if (last == timer)
		return;
	/* The last one takes the place and finds its own from there. */
	if (i > 1 && set->heap[i / 2]->at > last->at)
		rise(set, i, last);
	else
		sink(set, i, last);
}

struct mn_timer *
mn_timer_first(const struct mn_timers *set)
{
	return set->count > 0 ? set->heap[1] : NULL;
}

void
mn_timer_free(struct mn_timers *set)
{
	size_t i;

	for (i = 1; i <= set->count; i++)
		set->heap[i]->place = 0;
	free(set->heap);
	*set = (struct mn_timers){ 0 };
}
