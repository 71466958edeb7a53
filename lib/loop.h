/* SPDX-License-Identifier: MIT */

/*
 * What moves transfers and timers along: one epoll descriptor, libcurl's
 * multi interface behind it, and deadlines.  A loop belongs to one thread at a
 * time.  Nothing here blocks but mn_loop_run() where it is told to.
 */

#ifndef MN_LOOP_H
#define MN_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"
#include "timer.h"
#include "transfer.h"
#include "waiter.h"

struct mn_loop;

/* NULL: no descriptor or no memory; errno. */
struct mn_loop *mn_loop_new(void);

/* Cancels what is under way without telling anybody. */
void mn_loop_free(struct mn_loop *l);

/*
 * A descriptor that is readable whenever there is something to do, for a loop
 * that somebody else waits for; -1: there is none to be had; errno.
 */
int mn_loop_fd(struct mn_loop *l);

/*
 * config must last until drop(owner) is called, which is when the lanes have
 * been retired and nothing is under way in them.  NULL: memory is short.
 */
struct mn_lanes *mn_loop_open(struct mn_loop *l,
    const struct mn_wire_config *config, void (*drop)(void *owner),
    void *owner);
void mn_loop_retire(struct mn_lanes *lanes);

/*
 * Whoever will start transfers in the lanes holds them until it lets go:
 * between two transfers nothing else keeps retired ones.
 */
void mn_loop_hold(struct mn_lanes *lanes);
void mn_loop_let(struct mn_lanes *lanes);

struct mn_loop *mn_loop_of(const struct mn_lanes *lanes);

/*
 * In the child of a fork: close what it has of its parent's descriptors,
 * without a word on any connection, and forget the rest.
 */
void mn_loop_forget(struct mn_loop *l);

/* Milliseconds by a monotonic clock: now, and as of the loop's last step. */
int64_t mn_loop_time(void);
int64_t mn_loop_now(struct mn_loop *l);

/* Read the clock anew: before deadlines are made. */
void mn_loop_clock(struct mn_loop *l);

/* Queue a transfer.  Its done() is called from mn_loop_run(), never here. */
void mn_loop_start(struct mn_lanes *lanes, enum mn_lane lane,
    struct mn_transfer *t);

/* Take a transfer back; done() will not be called. */
void mn_loop_cancel(struct mn_transfer *t);

/* Is it queued or under way? */
bool mn_loop_has(const struct mn_transfer *t);

/* false: memory is short, and the timer is not set. */
bool mn_loop_set(struct mn_loop *l, struct mn_timer *timer, int64_t at);
void mn_loop_unset(struct mn_loop *l, struct mn_timer *timer);

/* Have the loop wait for a signal, too; false: no descriptor for it. */
bool mn_loop_wait(struct mn_loop *l, struct mn_waiter *w);

/*
 * Have told() called in a loop when there is something to do in the one
 * inside, which somebody else may run: it is told once for each time that
 * something comes up there.  One loop inside at a time; from any thread.
 */
bool mn_loop_nest(struct mn_loop *l, struct mn_loop *inside,
    void (*told)(void *arg), void *arg);
void mn_loop_unnest(struct mn_loop *l, struct mn_loop *inside);

/*
 * From the loop's own thread: there is something to do.  Where the descriptor
 * is readable already that is told; but whoever watches for edges may have
 * taken the last one and not come to the end: then rouse.
 */
void mn_loop_stir(struct mn_loop *l);
void mn_loop_rouse(struct mn_loop *l);

/*
 * Do what can be done now; with wait, first sleep until there is something.
 * Without transfers, timers and waiters it returns at once.  False: there was
 * nothing to do, and the descriptor is not readable.
 */
bool mn_loop_run(struct mn_loop *l, bool wait);

#endif
