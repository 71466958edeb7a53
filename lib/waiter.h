/* SPDX-License-Identifier: MIT */

/*
 * What another thread tells a loop: whoever waits is in a list, and whoever
 * signals makes the eventfd readable that the loop watches.
 */

#ifndef MN_WAITER_H
#define MN_WAITER_H

#include <stdbool.h>

struct mn_waiters {
	struct mn_waiter *first;	/* in their order, */
	struct mn_waiter **last;	/* to here, where there is one */
	int event;		/* an eventfd; -1: not needed yet */
	bool stirred;		/* it is readable, by the loop's own doing */
};

/*
 * mn_waiter_signal() may come from any thread, as long as the waiter is there:
 * whoever signals and whoever gives up waiting agree on that by a lock of their
 * own.  fire() runs in the loop.
 */
struct mn_waiter {
	struct mn_waiters *set;
	struct mn_waiter *next;
	struct mn_waiter **link;	/* NULL: it does not wait */
	bool signaled;
	void (*fire)(void *arg);
	void *arg;
};

/* The new eventfd, or -1; errno. */
int mn_waiter_open(struct mn_waiters *set);
void mn_waiter_close(struct mn_waiters *set);

/* The set is open. */
void mn_waiter_join(struct mn_waiters *set, struct mn_waiter *w);
void mn_waiter_leave(struct mn_waiter *w);
void mn_waiter_signal(struct mn_waiter *w);

/* Make the eventfd readable, in the loop's own thread. */
void mn_waiter_stir(struct mn_waiters *set);

/*
 * It is readable: fire what has been signaled, one at least and others until
 * spent() says that there is no time; it is readable then.
 */
void mn_waiter_wake(struct mn_waiters *set, bool (*spent)(void *arg),
    void *arg);

#endif
