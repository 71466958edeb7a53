/* SPDX-License-Identifier: MIT */

/*
 * Calls on somebody else's event loop: the one loop of a handle that its
 * descriptor stands for, and the calls that are pending or ready on it.
 */

#ifndef MN_EVENTS_H
#define MN_EVENTS_H

#include "edition.h"

struct monime;
struct monime_call;
struct mn_events;

/* A call's place among those of its handle. */
struct mn_event {
	struct monime_call *next;
	struct monime_call **link;	/* NULL: on neither list */
	bool starting;		/* its _start has not returned */
};

/*
 * Start a verb without waiting: begin() starts the steps.  The result is the
 * call's, or MONIME_EPENDING.
 */
int mn_events_start(struct monime_call *call,
    void (*begin)(struct monime_call *call), struct monime_call **out);

/* The call has finished: monime_next() will tell, if it is to be told. */
void mn_events_finished(struct monime_call *call);

/* The call goes. */
void mn_events_leave(struct monime_call *call);

/* The handle is closed: what is pending is canceled. */
void mn_events_close(struct monime *m);

/* In the child of a fork: what is pending is canceled, and not ours. */
void mn_events_forget(struct monime *m);

#endif
