/* SPDX-License-Identifier: MIT */

/* The sockets that a loop has open.  See sockets.h. */

#define _GNU_SOURCE
#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "banned.h"

bool
mn_sockets_add(struct mn_sockets *set, int fd)
{
	size_t room = set->room ? 2 * set->room : 8;
	struct mn_socket *more;

	if (set->count == set->room) {
		more = realloc(set->socket, room * sizeof(*more));
		if (more == NULL)
			return false;
		set->socket = more;
		set->room = room;
	}
	set->socket[set->count++] = (struct mn_socket){ .fd = fd };
	return true;
}

struct mn_socket *
mn_sockets_find(struct mn_sockets *set, int fd)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		if (set->socket[i].fd == fd)
			return &set->socket[i];
	}
	return NULL;
}

void
mn_sockets_remove(struct mn_sockets *set, int fd)
{
	struct mn_socket *s = mn_sockets_find(set, fd);

	if (s != NULL)
		*s = set->socket[--set->count];
}

/* The local port of a socket, or 0. */
static int
port_of(int fd)
{
	struct sockaddr_storage a = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(a);

	if (getsockname(fd, (void *)&a, &len) != 0)
		return 0;
	if (a.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)(void *)&a)->sin_port);
	if (a.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)(void *)&a)->sin6_port);
	return 0;
}

/* Is it closed, or is there something to read? */
static bool
is_readable(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	    (errno != EAGAIN && errno != EWOULDBLOCK);
}

/*
 * libcurl would take what can be read for the answer to the next request.  Two
 * origins may see the same port: then neither may be readable.
 */
bool
mn_sockets_spoilt(struct mn_sockets *set, int port)
{
	bool found = false;
	struct mn_socket *s;

	for (s = set->socket; s < set->socket + set->count; s++) {
		if (s->port == 0)
			s->port = port_of(s->fd);
		if (s->port != port)
			continue;
		if (is_readable(s->fd))
			return true;
		found = true;
	}
	return !found;
}

void
mn_sockets_close(struct mn_sockets *set)
{
	size_t i;

	for (i = 0; i < set->count; i++)
		(void)close(set->socket[i].fd);
}

void
mn_sockets_free(struct mn_sockets *set)
{
	free(set->socket);
	*set = (struct mn_sockets){ 0 };
}
