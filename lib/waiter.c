/* SPDX-License-Identifier: MIT */

/* What another thread tells a loop.  See waiter.h. */

#include "waiter.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "banned.h"

int
mn_waiter_open(struct mn_waiters *set)
{
	set->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return set->event;
}

void
mn_waiter_close(struct mn_waiters *set)
{
	if (set->event >= 0)
		(void)close(set->event);
	set->event = -1;
}

void
mn_waiter_join(struct mn_waiters *set, struct mn_waiter *w)
{
	w->set = set;
	w->signaled = false;
	w->next = NULL;
	w->link = set->first != NULL ? set->last : &set->first;
	*w->link = w;
	set->last = &w->next;
}

void
mn_waiter_leave(struct mn_waiter *w)
{
	if (w->link == NULL)
		return;
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	else
		w->set->last = w->link;
	w->link = NULL;
}

static void
tell(int event)
{
	uint64_t one = 1;

	/* Full only where it is readable already. */
	(void)!write(event, &one, sizeof(one));
}

void
mn_waiter_stir(struct mn_waiters *set)
{
	set->stirred = true;
	tell(set->event);
}

void
mn_waiter_signal(struct mn_waiter *w)
{
	int event = w->set->event;

	__atomic_store_n(&w->signaled, true, __ATOMIC_RELEASE);
	/* From there on waiter and set may be gone. */
	tell(event);
}

void
mn_waiter_wake(struct mn_waiters *set, bool (*spent)(void *arg), void *arg)
{
	struct mn_waiter *w;
	uint64_t count;
	int n = 0;

	set->stirred = false;
	(void)!read(set->event, &count, sizeof(count));
	/* fire() may take any of them from the list: begin anew after each. */
	for (w = set->first; w != NULL; ) {
		if (!__atomic_load_n(&w->signaled, __ATOMIC_ACQUIRE)) {
			w = w->next;
			continue;
		}
		/* One that waits anew and is signaled could go on for ever. */
		if (n++ > 0 && spent(arg)) {
			mn_waiter_stir(set);
			return;
		}
		mn_waiter_leave(w);
		w->fire(w->arg);
		w = set->first;
	}
}
