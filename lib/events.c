/* SPDX-License-Identifier: MIT */

/* Event loops.  See events.h. */

#define _GNU_SOURCE
#include "events.h"

#include <stdlib.h>

#include "call.h"
#include "fork.h"

#include "banned.h"

/*
 * How long a host may go on taking calls before it is sent back to its other
 * work: the descriptor is readable anew then.
 */
#define TURN	1	/* ms */

struct list {
	struct monime_call *first;
	struct monime_call **last;
};

struct mn_events {
	struct mn_loop *loop;
	struct mn_edition_lanes lanes;
	struct list pending;
	struct list ready;
	int64_t turn;			/* when this turn began; -1: none */
};

static void
add(struct list *list, struct monime_call *call)
{
	call->event.next = NULL;
	call->event.link = list->last;
	*list->last = call;
	list->last = &call->event.next;
}

static void
take(struct list *list, struct monime_call *call)
{
	*call->event.link = call->event.next;
	if (call->event.next != NULL)
		call->event.next->event.link = call->event.link;
	else
		list->last = call->event.link;
	call->event.link = NULL;
}

/* The call is pending no longer. */
static void
leave(struct mn_events *ev, struct monime_call *call)
{
	take(&ev->pending, call);
	mn_loop_let(call->lanes);
	call->loop = NULL;
	call->lanes = NULL;
}

static struct mn_events *
events(struct monime *m)
{
	struct mn_events *ev = m->events;

	if (ev != NULL)
		return ev;
	ev = calloc(1, sizeof(*ev));
	if (ev == NULL)
		return NULL;
	ev->pending.last = &ev->pending.first;
	ev->ready.last = &ev->ready.first;
	ev->turn = -1;
	ev->loop = mn_loop_new();
	if (ev->loop == NULL || mn_loop_fd(ev->loop) < 0) {
		mn_loop_free(ev->loop);
		free(ev);
		return NULL;
	}
	m->events = ev;
	return ev;
}

int
mn_events_start(struct monime_call *call,
    void (*begin)(struct monime_call *call), struct monime_call **out)
{
	struct mn_events *ev;

	*out = call;
	if (call == NULL)
		return MONIME_ENOMEM;
	if (call->result != MONIME_EPENDING)
		return call->result;
	if (!mn_transfer_resolves_apart())
		return mn_call_finish(call, MONIME_ESYS,
		    "this libcurl resolves names in the calling thread, which "
		    "would block the event loop: use one with a threaded "
		    "resolver or c-ares");
	ev = events(call->m);
	if (ev == NULL)
		return mn_call_finish(call, MONIME_ESYS,
		    "no descriptor for the event loop");
	call->lanes = mn_edition_lanes(&ev->lanes, ev->loop, call->edition);
	if (call->lanes == NULL)
		return mn_call_end(call, MONIME_ENOMEM);
	call->loop = ev->loop;
	mn_loop_hold(call->lanes);
	add(&ev->pending, call);
	call->event.starting = true;
	begin(call);
	call->event.starting = false;
	if (call->result != MONIME_EPENDING)
		leave(ev, call);
	else
		/* Its deadline counts, whatever it waits for. */
		mn_loop_stir(ev->loop);
	return call->result;
}

void
mn_events_finished(struct monime_call *call)
{
	struct mn_events *ev;

	/* A blocking call has nothing to do with the loop's thread. */
	if (call->event.link == NULL || call->event.starting)
		return;
	ev = call->m->events;
	leave(ev, call);
	add(&ev->ready, call);
	mn_loop_stir(ev->loop);
}

void
mn_events_leave(struct monime_call *call)
{
	struct mn_events *ev;

	/* What never was on a loop may go in any thread. */
	if (call->event.link == NULL)
		return;
	ev = call->m->events;
	if (call->result != MONIME_EPENDING) {
		take(&ev->ready, call);
		return;
	}
	mn_call_abandon(call);
	leave(ev, call);
}

/*
 * It is the parent's: what it has there is neither closed nor told.  But a
 * credential is our own, and nobody is asking about it here.
 */
static void
disown(struct mn_events *ev, struct monime_call *call)
{
	take(&ev->pending, call);
	call->loop = NULL;
	call->lanes = NULL;
	if (call->asking)
		mn_credential_asked(call->credential);
	call->asking = false;
}

/* All that is pending is canceled; nobody hears of what is ready. */
static void
cancel_all(struct mn_events *ev, bool ours)
{
	struct monime_call *call;

	while ((call = ev->pending.first) != NULL) {
		if (ours) {
			mn_call_abandon(call);
			leave(ev, call);
		} else {
			disown(ev, call);
		}
		call->result = MONIME_ECANCELED;
	}
	while ((call = ev->ready.first) != NULL)
		take(&ev->ready, call);
}

void
mn_events_close(struct monime *m)
{
	struct mn_events *ev = m->events;

	if (ev == NULL)
		return;
	cancel_all(ev, true);
	mn_edition_lanes_retire(&ev->lanes);
	mn_loop_free(ev->loop);
	free(ev);
	m->events = NULL;
}

void
mn_events_forget(struct monime *m)
{
	struct mn_events *ev = m->events;

	if (ev == NULL)
		return;
	cancel_all(ev, false);
	mn_loop_forget(ev->loop);
	free(ev);
	m->events = NULL;
}

int
monime_fd(struct monime *m)
{
	struct mn_events *ev;

	if (m == NULL || m->failure != MONIME_OK)
		return MONIME_ECONFIG;
	mn_fork_look(m);
	ev = events(m);
	return ev != NULL ? mn_loop_fd(ev->loop) : MONIME_ESYS;
}

/* Take steps until a call is ready; false: nothing is left, or time is up. */
static bool
await(struct mn_events *ev)
{
	while (ev->ready.first == NULL) {
		if (!mn_loop_run(ev->loop, false))
			return false;
		if (mn_loop_time() - ev->turn >= TURN) {
			mn_loop_rouse(ev->loop);
			return false;
		}
	}
	return true;
}

struct monime_call *
monime_next(struct monime *m)
{
	struct mn_events *ev;
	struct monime_call *call;

	if (m == NULL || m->failure != MONIME_OK)
		return NULL;
	mn_fork_look(m);
	ev = m->events;
	if (ev == NULL)
		return NULL;
	if (ev->turn < 0)
		ev->turn = mn_loop_time();
	if (!await(ev)) {
		ev->turn = -1;
		return NULL;
	}
	call = ev->ready.first;
	take(&ev->ready, call);
	/* Whoever takes one at a time is to come back. */
	mn_loop_rouse(ev->loop);
	return call;
}
