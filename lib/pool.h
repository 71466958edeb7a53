/* SPDX-License-Identifier: MIT */

/*
 * Who goes next: the queue of one lane, those that are under way, and how many
 * of them there may be.  It knows nothing of libcurl; loop.c has the rest.
 */

#ifndef MN_POOL_H
#define MN_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timer.h"
#include "transfer.h"

#define MN_POOL_HANDSHAKES	4	/* TLS handshakes at once, in a lane */
#define MN_POOL_TRANSFERS	512	/* transfers at once, in a lane */

/*
 * Connections are not shared between lanes: what a stranger's token provokes
 * must not reach the connections of our own credential.
 */
enum mn_lane {
	MN_LANE_OWN,
	MN_LANE_PROBE,
	MN_LANES
};

struct mn_pool {
	struct mn_lanes *lanes;
	uint32_t slot;			/* in the loop; 0: none */
	void *multi;			/* libcurl's; NULL: not needed yet */
	struct mn_timer timer;		/* likewise libcurl's */
	struct mn_transfer *first;	/* queue */
	struct mn_transfer **last;
	struct mn_transfer *busy;	/* those that libcurl has */
	struct mn_easy **spare;		/* kept handles that nobody uses */
	size_t spares;
	int open;			/* sockets */
	int connecting;			/* of these, not yet of use */
	int active;			/* transfers that libcurl has */
	int starting;			/* of these, not yet writing */
	bool unwatched;			/* some of these have such a socket */
};

/* The pools of one configuration in one loop. */
struct mn_lanes {
	struct mn_loop *loop;
	const struct mn_wire_config *config;
	struct mn_pool pool[MN_LANES];
	struct mn_lanes *next;
	bool retired;
	unsigned int held;		/* by calls, also those that sleep */
	void (*drop)(void *owner);
	void *owner;
};

/* How many may be under way at once. */
int mn_pool_most(const struct mn_pool *p);

void mn_pool_enqueue(struct mn_pool *p, struct mn_transfer *t);

/* Take a transfer out of the queue that it is in. */
void mn_pool_withdraw(struct mn_transfer *t);

/* May the first of the queue go? */
bool mn_pool_ready(const struct mn_pool *p);

/* It is under way from here on; until there. */
void mn_pool_begin(struct mn_pool *p, struct mn_transfer *t);
void mn_pool_end(struct mn_transfer *t);

/* A socket has been opened for the transfer. */
void mn_pool_opened(struct mn_transfer *t);

/* The transfer has its connection, or has ended without one. */
void mn_pool_settle(struct mn_transfer *t);

/* Does anybody need these? */
bool mn_pool_busy(const struct mn_lanes *lanes);

#endif
