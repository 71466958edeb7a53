/* SPDX-License-Identifier: MIT */

/*
 * The sockets that a loop has open, and whether a kept one may be used: what
 * can be read there nobody asked for.
 */

#ifndef MN_SOCKETS_H
#define MN_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mn_socket {
	int fd;
	int port;			/* ours; 0: not looked up yet */
	uint32_t events;		/* that epoll watches it for */
	bool idle;			/* and nobody waits for them now */
};

struct mn_sockets {
	struct mn_socket *socket;
	size_t count;
	size_t room;
};

/* false: memory is short. */
bool mn_sockets_add(struct mn_sockets *set, int fd);
void mn_sockets_remove(struct mn_sockets *set, int fd);

/* NULL: it is none of these.  Good until the next one comes or goes. */
struct mn_socket *mn_sockets_find(struct mn_sockets *set, int fd);

/* May the kept connection with that local port not be used? */
bool mn_sockets_spoilt(struct mn_sockets *set, int port);

/* Close them all, without a word on any. */
void mn_sockets_close(struct mn_sockets *set);

void mn_sockets_free(struct mn_sockets *set);

#endif
