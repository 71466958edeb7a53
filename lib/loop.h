/* SPDX-License-Identifier: MIT */

/*
 * What moves transfers and timers along: one epoll descriptor, libcurl's
 * multi interface behind it, and a heap of deadlines.  A loop belongs to one
 * thread at a time.  Nothing here blocks but mn_loop_run() where it is told to.
 */

#ifndef MN_LOOP_H
#define MN_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transfer.h"

#define MN_LOOP_HANDSHAKES	4	/* TLS handshakes at once, in a lane */
#define MN_LOOP_TRANSFERS	512	/* transfers at once, in a lane */

/*
 * Connections are not shared between lanes: what a stranger's token provokes
 * must not reach the connections of our own credential.
 */
enum mn_lane {
	MN_LANE_OWN,
	MN_LANE_PROBE,
	MN_LANES
};

struct mn_loop;

struct mn_timer {
	int64_t at;		/* by mn_loop_now() */
	size_t place;		/* in the heap, from 1; 0: not set */
	void (*fire)(void *arg);
	void *arg;
};

/* config must outlive the loop.  NULL: no descriptor or no memory; errno. */
struct mn_loop *mn_loop_new(const struct mn_wire_config *config);

/* Cancels what is under way without telling anybody. */
void mn_loop_free(struct mn_loop *l);

/* Milliseconds by a monotonic clock, as of the loop's last step. */
int64_t mn_loop_now(struct mn_loop *l);

/* Read the clock anew: before deadlines are made. */
void mn_loop_clock(struct mn_loop *l);

/* Queue a transfer.  Its done() is called from mn_loop_run(), never here. */
void mn_loop_start(struct mn_loop *l, enum mn_lane lane,
    struct mn_transfer *t);

/* Take a transfer back; done() will not be called. */
void mn_loop_cancel(struct mn_loop *l, struct mn_transfer *t);

/* Is it queued or under way? */
bool mn_loop_has(const struct mn_transfer *t);

/* false: memory is short, and the timer is not set. */
bool mn_loop_set(struct mn_loop *l, struct mn_timer *timer, int64_t at);
void mn_loop_unset(struct mn_loop *l, struct mn_timer *timer);

/*
 * Do what can be done now; with wait, first sleep until there is something.
 * Without transfers and timers it returns at once.
 */
void mn_loop_run(struct mn_loop *l, bool wait);

#endif
