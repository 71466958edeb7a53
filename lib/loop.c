/* SPDX-License-Identifier: MIT */

/* The engine behind every verb.  See loop.h. */

#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "banned.h"

/*
 * What one step does at most, since whoever calls has others to serve: each
 * of its three parts ends after SLICE, whatever is left, and begins at most so
 * many transfers.  One event may take some ms by itself: a handshake does.
 */
#define SLICE	1000	/* us */
#define EVENTS	16	/* taken from the kernel at once */
#define LAUNCHES	8	/* transfers begun, in each lane */

struct mn_socket {
	int fd;
	int port;			/* ours; 0: not looked up yet */
};

struct mn_pool {
	struct mn_lanes *lanes;
	uint32_t slot;			/* in the loop */
	CURLM *multi;
	struct mn_timer timer;		/* libcurl's */
	struct mn_transfer *first;	/* queue */
	struct mn_transfer **last;
	struct mn_transfer *busy;	/* those that libcurl has */
	struct mn_easy **spare;		/* kept handles that nobody uses */
	size_t spares;
	int open;			/* sockets */
	int connecting;			/* of these, not yet of use */
	int active;			/* transfers that libcurl has */
	int starting;			/* of these, not yet writing */
};

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

/* What an event of epoll's is about: a pool, or one of these. */
enum {
	SLOT_EVENT,
	SLOT_TIMER,
	SLOT_INSIDE,
	SLOT_POOLS
};

struct mn_loop {
	int epoll;
	int event;			/* an eventfd; -1: not needed yet */
	int timer;			/* a timerfd; -1: nobody watches */
	int64_t armed;			/* when it will fire; 0: it will not */
	int64_t now;
	int64_t until;			/* of this part of a step; us */
	bool more;			/* the last step left something */
	struct mn_lanes *lanes;
	struct mn_pool **slot;		/* by number - SLOT_POOLS; with holes */
	size_t slots;
	struct mn_timer **heap;		/* from 1 on */
	size_t timers;
	size_t room;
	struct mn_waiter *waiters;
	void (*inside)(void *arg);	/* for the loop inside */
	void *inside_arg;
	struct mn_socket *socket;	/* all that are open */
	size_t sockets;
	size_t socket_room;
	struct mn_loop *forgotten;	/* the next such one */
};

static void
put(struct mn_loop *l, size_t place, struct mn_timer *timer)
{
	l->heap[place] = timer;
	timer->place = place;
}

static void
rise(struct mn_loop *l, size_t i, struct mn_timer *timer)
{
	for (; i > 1 && l->heap[i / 2]->at > timer->at; i /= 2)
		put(l, i, l->heap[i / 2]);
	put(l, i, timer);
}

static void
sink(struct mn_loop *l, size_t i, struct mn_timer *timer)
{
	size_t child;

	while ((child = 2 * i) <= l->timers) {
		if (child < l->timers &&
		    l->heap[child + 1]->at < l->heap[child]->at)
			child++;
		if (l->heap[child]->at >= timer->at)
			break;
		put(l, i, l->heap[child]);
		i = child;
	}
	put(l, i, timer);
}

bool
mn_loop_set(struct mn_loop *l, struct mn_timer *timer, int64_t at)
{
	struct mn_timer **heap;
	size_t room;

	mn_loop_unset(l, timer);
	if (l->timers + 2 > l->room) {
		room = l->room ? 2 * l->room : 16;
		heap = realloc(l->heap, room * sizeof(*heap));
		if (heap == NULL)
			return false;
		l->heap = heap;
		l->room = room;
	}
	timer->at = at;
	rise(l, ++l->timers, timer);
	return true;
}

void
mn_loop_unset(struct mn_loop *l, struct mn_timer *timer)
{
	size_t i = timer->place;
	struct mn_timer *last;

	if (i == 0)
		return;
	timer->place = 0;
	last = l->heap[l->timers--];
	if (last == timer)
		return;
	/* The last one takes the place and finds its own from there. */
	if (i > 1 && l->heap[i / 2]->at > last->at)
		rise(l, i, last);
	else
		sink(l, i, last);
}

int64_t
mn_loop_time(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
mn_loop_clock(struct mn_loop *l)
{
	l->now = mn_loop_time();
}

int64_t
mn_loop_now(struct mn_loop *l)
{
	return l->now;
}

static int64_t
micros(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A part of a step begins. */
static void
slice(struct mn_loop *l)
{
	l->until = micros() + SLICE;
}

/* Is its time over?  Then the next step goes on. */
static bool
spent(struct mn_loop *l)
{
	if (micros() < l->until)
		return false;
	l->more = true;
	return true;
}

/* libcurl: watch this socket for that. */
static int
on_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *known)
{
	struct mn_pool *p = arg;
	struct epoll_event ev = { 0 };
	int op = known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		/* Gone already where libcurl closed it first. */
		(void)epoll_ctl(p->lanes->loop->epoll, EPOLL_CTL_DEL, fd, NULL);
		(void)curl_multi_assign(p->multi, fd, NULL);
		return 0;
	}
	ev.data.u64 = (uint64_t)p->slot << 32 | (uint32_t)fd;
	if (what & CURL_POLL_IN)
		ev.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		ev.events |= EPOLLOUT;
	if (epoll_ctl(p->lanes->loop->epoll, op, fd, &ev) != 0) {
		/* A number that was closed and opened again. */
		op = errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
		if ((errno != EEXIST && errno != ENOENT) ||
		    epoll_ctl(p->lanes->loop->epoll, op, fd, &ev) != 0)
			return -1;
	}
	(void)curl_multi_assign(p->multi, fd, p);
	return 0;
}

/* libcurl: call me again in ms milliseconds; -1: no need. */
static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct mn_pool *p = arg;

	(void)multi;
	if (ms < 0) {
		mn_loop_unset(p->lanes->loop, &p->timer);
		return 0;
	}
	return mn_loop_set(p->lanes->loop, &p->timer,
	    p->lanes->loop->now + ms) ? 0 : -1;
}

static void
on_timeout(void *arg)
{
	struct mn_pool *p = arg;
	int running;

	(void)curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0,
	    &running);
}

static bool
remember(struct mn_loop *l, int fd)
{
	size_t room = l->socket_room ? 2 * l->socket_room : 8;
	struct mn_socket *more;

	if (l->sockets == l->socket_room) {
		more = realloc(l->socket, room * sizeof(*more));
		if (more == NULL)
			return false;
		l->socket = more;
		l->socket_room = room;
	}
	l->socket[l->sockets++] = (struct mn_socket){ .fd = fd };
	return true;
}

static void
forget(struct mn_loop *l, int fd)
{
	size_t i;

	for (i = 0; i < l->sockets; i++) {
		if (l->socket[i].fd == fd) {
			l->socket[i] = l->socket[--l->sockets];
			break;
		}
	}
}

static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct mn_transfer *t = mn_transfer_of(arg);
	int fd;

	(void)purpose;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (!remember(t->pool->lanes->loop, fd)) {
		(void)close(fd);
		return CURL_SOCKET_BAD;
	}
	t->pool->open++;
	/* One for sending again is of use at once: nobody settles it. */
	if (!t->sent) {
		t->opened++;
		t->pool->connecting++;
	}
	return fd;
}

static int
on_close(void *arg, curl_socket_t fd)
{
	struct mn_pool *p = arg;

	p->open--;
	forget(p->lanes->loop, fd);
	/*
	 * A child that has not entered the library yet has it open, too: so
	 * epoll would not let go of it, and tell of it for ever.
	 */
	(void)epoll_ctl(p->lanes->loop->epoll, EPOLL_CTL_DEL, fd, NULL);
	return close(fd);
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
 * May the kept connection with that local port not be used?  What can be read
 * there nobody asked for, and libcurl would take it for the answer to the next
 * request.  Two origins may see the same port: then neither may be readable.
 */
static bool
is_spoilt(struct mn_loop *l, int port)
{
	bool found = false;
	struct mn_socket *s;

	for (s = l->socket; s < l->socket + l->sockets; s++) {
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

/* The transfer has its connection, or has ended without one. */
static void
settle(struct mn_transfer *t)
{
	if (!t->sent)
		t->pool->starting--;
	t->pool->connecting -= t->opened;
	t->opened = 0;
}

/* A new connection may have session tickets of TLS to read, a kept one not. */
static bool
on_start(struct mn_transfer *t, int port)
{
	if (t->opened == 0 && is_spoilt(t->pool->lanes->loop, port)) {
		t->stale = true;
		return false;
	}
	settle(t);
	return true;
}

static struct mn_easy *
easy_get(struct mn_pool *p)
{
	struct mn_easy *k;
	CURL *c;

	if (p->spares > 0)
		return p->spare[--p->spares];
	k = mn_transfer_easy_new(p->lanes->config, on_start);
	if (k == NULL)
		return NULL;
	c = mn_transfer_easy_curl(k);
	if (curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open) !=
	    CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, k) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close) !=
	    CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, p) != CURLE_OK) {
		mn_transfer_easy_free(k);
		return NULL;
	}
	return k;
}

static int
most(const struct mn_pool *p)
{
	return p->lanes->config->connections < MN_LOOP_TRANSFERS ?
	    p->lanes->config->connections : MN_LOOP_TRANSFERS;
}

static void
easy_put(struct mn_pool *p, struct mn_easy *k)
{
	if (p->spares < (size_t)most(p))
		p->spare[p->spares++] = k;
	else
		mn_transfer_easy_free(k);
}

static bool
pool_open(struct mn_pool *p)
{
	if (p->multi != NULL)
		return true;
	p->spare = calloc((size_t)most(p), sizeof(*p->spare));
	p->multi = curl_multi_init();
	if (p->spare != NULL && p->multi != NULL &&
	    curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ==
	    CURLM_OK &&
	    curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p) == CURLM_OK &&
	    curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timer) ==
	    CURLM_OK &&
	    curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p) == CURLM_OK &&
	    curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING)
	    == CURLM_OK &&
	    curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)most(p)) ==
	    CURLM_OK)
		return true;
	(void)curl_multi_cleanup(p->multi);
	free(p->spare);
	p->multi = NULL;
	p->spare = NULL;
	return false;
}

/* Take it out of the list that it is in. */
static void
unlist(struct mn_transfer *t)
{
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	t->link = NULL;
	t->next = NULL;
}

static void
queue_remove(struct mn_transfer *t)
{
	if (t->next == NULL)
		t->pool->last = t->link;
	unlist(t);
}

/* Take the transfer out of libcurl. */
static void
detach(struct mn_transfer *t, int code)
{
	struct mn_pool *p = t->pool;
	struct mn_easy *k = t->easy;

	(void)curl_multi_remove_handle(p->multi, mn_transfer_easy_curl(k));
	unlist(t);
	p->active--;
	settle(t);
	mn_transfer_end(t, code);
	easy_put(p, k);
	t->pool = NULL;
}

/* What never got as far as libcurl. */
static void
fail(struct mn_transfer *t, enum mn_wire wire, const char *why)
{
	t->wire = wire;
	(void)snprintf(t->problem, sizeof(t->problem), "%s", why);
	t->pool = NULL;
	t->done(t);
}

static void
launch(struct mn_pool *p, struct mn_transfer *t)
{
	struct mn_easy *k = NULL;
	bool begun;

	if (!pool_open(p) || (k = easy_get(p)) == NULL) {
		fail(t, MN_WIRE_NOMEM, "out of memory");
		return;
	}
	begun = mn_transfer_begin(t, k);
	t->next = p->busy;
	t->link = &p->busy;
	if (t->next != NULL)
		t->next->link = &t->next;
	p->busy = t;
	p->active++;
	p->starting++;
	if (!begun || curl_multi_add_handle(p->multi,
	    mn_transfer_easy_curl(k)) != CURLM_OK) {
		detach(t, CURLE_OUT_OF_MEMORY);
		t->done(t);
	}
}

/*
 * May the first of the queue go?  Handshakes are what blocks: about a
 * millisecond each, and a cold CA folder more.
 */
static bool
admits(const struct mn_pool *p)
{
	int idle = p->open - p->connecting - (p->active - p->starting);

	if (p->active >= most(p))
		return false;
	if (p->first->fresh || idle < 0)
		idle = 0;
	return p->starting < MN_LOOP_HANDSHAKES + idle;
}

static void
admit(struct mn_pool *p)
{
	struct mn_transfer *t;
	int n;

	for (n = 0; n < LAUNCHES && (t = p->first) != NULL && admits(p); n++) {
		queue_remove(t);
		launch(p, t);
	}
}

static void
enqueue(struct mn_pool *p, struct mn_transfer *t)
{
	t->pool = p;
	t->next = NULL;
	t->link = p->last;
	*p->last = t;
	p->last = &t->next;
	mn_loop_stir(p->lanes->loop);
}

/* Tell those whose transfers have ended. */
static void
drain(struct mn_pool *p)
{
	struct mn_loop *l = p->lanes->loop;
	struct mn_transfer *t;
	CURLMsg *msg;
	CURLcode code;
	char *private = NULL;
	bool again;
	int left, n;

	/* One at least, so that every lane gets on. */
	for (n = 0; p->multi != NULL && (n == 0 || !spent(l)); n++) {
		msg = curl_multi_info_read(p->multi, &left);
		if (msg == NULL)
			break;
		if (msg->msg != CURLMSG_DONE)
			continue;
		code = msg->data.result;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
		    &private);
		t = (void *)private;
		again = code == CURLE_ABORTED_BY_CALLBACK && t->stale &&
		    !t->sent;
		detach(t, (int)code);
		if (again) {
			/* That connection is gone, so this has an end. */
			mn_transfer_reset(t);
			enqueue(p, t);
		} else {
			t->done(t);
		}
	}
}

static void
fire(struct mn_loop *l)
{
	struct mn_timer *timer;
	int n;

	for (n = 0; l->timers > 0 && l->heap[1]->at <= l->now &&
	    (n == 0 || !spent(l)); n++) {
		timer = l->heap[1];
		mn_loop_unset(l, timer);
		timer->fire(timer->arg);
	}
}

struct mn_loop *
mn_loop_new(void)
{
	struct mn_loop *l;

	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->event = l->timer = -1;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return NULL;
	}
	mn_loop_clock(l);
	return l;
}

/* Have a descriptor of ours watched, under a number that is no pool's. */
static bool
watch(struct mn_loop *l, int fd, uint32_t slot)
{
	struct epoll_event ev = { .events = EPOLLIN };

	ev.data.u64 = (uint64_t)slot << 32;
	return fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static bool
open_event(struct mn_loop *l)
{
	if (l->event >= 0)
		return true;
	l->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch(l, l->event, SLOT_EVENT))
		return true;
	if (l->event >= 0)
		(void)close(l->event);
	l->event = -1;
	return false;
}

int
mn_loop_fd(struct mn_loop *l)
{
	if (l->timer >= 0)
		return l->epoll;
	if (!open_event(l))
		return -1;
	l->timer = timerfd_create(CLOCK_MONOTONIC,
	    TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch(l, l->timer, SLOT_TIMER))
		return l->epoll;
	if (l->timer >= 0)
		(void)close(l->timer);
	l->timer = -1;
	return -1;
}

static bool
slot_take(struct mn_loop *l, struct mn_pool *p)
{
	struct mn_pool **slot;
	size_t i;

	for (i = 0; i < l->slots && l->slot[i] != NULL; i++)
		continue;
	if (i == l->slots) {
		slot = realloc(l->slot, (l->slots + 1) * sizeof(*slot));
		if (slot == NULL)
			return false;
		l->slot = slot;
		l->slots++;
	}
	l->slot[i] = p;
	p->slot = (uint32_t)(i + SLOT_POOLS);
	return true;
}

static void
pool_close(struct mn_pool *p)
{
	struct mn_loop *l = p->lanes->loop;
	size_t i;

	while (p->first != NULL)
		mn_loop_cancel(p->first);
	while (p->busy != NULL)
		mn_loop_cancel(p->busy);
	for (i = 0; i < p->spares; i++)
		mn_transfer_easy_free(p->spare[i]);
	if (p->multi != NULL)
		(void)curl_multi_cleanup(p->multi);
	mn_loop_unset(l, &p->timer);
	free(p->spare);
	if (p->slot != 0)
		l->slot[p->slot - SLOT_POOLS] = NULL;
}

static void
lanes_free(struct mn_lanes *lanes)
{
	size_t i;

	for (i = 0; i < MN_LANES; i++)
		pool_close(&lanes->pool[i]);
	if (lanes->drop != NULL)
		lanes->drop(lanes->owner);
	free(lanes);
}

struct mn_lanes *
mn_loop_open(struct mn_loop *l, const struct mn_wire_config *config,
    void (*drop)(void *owner), void *owner)
{
	struct mn_lanes *lanes;
	struct mn_pool *p;

	lanes = calloc(1, sizeof(*lanes));
	if (lanes == NULL)
		return NULL;
	lanes->loop = l;
	lanes->config = config;
	for (p = lanes->pool; p < lanes->pool + MN_LANES; p++) {
		p->lanes = lanes;
		p->last = &p->first;
		p->timer.fire = on_timeout;
		p->timer.arg = p;
		if (!slot_take(l, p)) {
			lanes_free(lanes);
			return NULL;
		}
	}
	lanes->drop = drop;
	lanes->owner = owner;
	lanes->next = l->lanes;
	l->lanes = lanes;
	return lanes;
}

void
mn_loop_retire(struct mn_lanes *lanes)
{
	lanes->retired = true;
	mn_loop_stir(lanes->loop);
}

void
mn_loop_hold(struct mn_lanes *lanes)
{
	lanes->held++;
}

void
mn_loop_let(struct mn_lanes *lanes)
{
	lanes->held--;
	if (lanes->retired)
		mn_loop_stir(lanes->loop);
}

static bool
busy(const struct mn_lanes *lanes)
{
	size_t i;

	if (lanes->held > 0)
		return true;
	for (i = 0; i < MN_LANES; i++) {
		if (lanes->pool[i].active > 0 || lanes->pool[i].first != NULL)
			return true;
	}
	return false;
}

/* Close what is retired and idle. */
static void
sweep(struct mn_loop *l)
{
	struct mn_lanes **link = &l->lanes;
	struct mn_lanes *lanes;

	while ((lanes = *link) != NULL) {
		if (!lanes->retired || busy(lanes)) {
			link = &lanes->next;
			continue;
		}
		*link = lanes->next;
		lanes_free(lanes);
	}
}

void
mn_loop_free(struct mn_loop *l)
{
	struct mn_lanes *lanes;
	size_t i;

	if (l == NULL)
		return;
	while ((lanes = l->lanes) != NULL) {
		l->lanes = lanes->next;
		lanes_free(lanes);
	}
	for (i = 1; i <= l->timers; i++)
		l->heap[i]->place = 0;
	if (l->event >= 0)
		(void)close(l->event);
	if (l->timer >= 0)
		(void)close(l->timer);
	(void)close(l->epoll);
	free(l->socket);
	free(l->slot);
	free(l->heap);
	free(l);
}

void
mn_loop_forget(struct mn_loop *l)
{
	static struct mn_loop *forgotten;
	size_t i;

	for (i = 0; i < l->sockets; i++)
		(void)close(l->socket[i].fd);
	if (l->event >= 0)
		(void)close(l->event);
	if (l->timer >= 0)
		(void)close(l->timer);
	(void)close(l->epoll);
	/*
	 * libcurl would say goodbye to the servers, on connections that are
	 * the parent's: its memory stays as it is, where a search for leaks
	 * finds it.
	 */
	l->forgotten = __atomic_exchange_n(&forgotten, l, __ATOMIC_ACQ_REL);
}

struct mn_loop *
mn_loop_of(const struct mn_lanes *lanes)
{
	return lanes->loop;
}

void
mn_loop_start(struct mn_lanes *lanes, enum mn_lane lane,
    struct mn_transfer *t)
{
	enqueue(&lanes->pool[lane], t);
}

void
mn_loop_cancel(struct mn_transfer *t)
{
	struct mn_loop *l;

	if (t->pool == NULL)
		return;
	l = t->pool->lanes->loop;
	if (t->easy != NULL) {
		detach(t, CURLE_ABORTED_BY_CALLBACK);
	} else {
		queue_remove(t);
		t->pool = NULL;
	}
	/* There is a place for the next one of the queue. */
	mn_loop_stir(l);
}

bool
mn_loop_has(const struct mn_transfer *t)
{
	return t->pool != NULL;
}

/* Milliseconds until the next deadline; -1: there is none. */
static int
patience(const struct mn_loop *l)
{
	int64_t ms;

	if (l->more)
		return 0;
	if (l->timers == 0)
		return -1;
	ms = l->heap[1]->at - l->now;
	if (ms < 0)
		return 0;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static bool
idle(const struct mn_loop *l)
{
	const struct mn_lanes *lanes;

	for (lanes = l->lanes; lanes != NULL; lanes = lanes->next) {
		if (busy(lanes))
			return false;
	}
	return l->timers == 0 && l->waiters == NULL;
}

void
mn_loop_stir(struct mn_loop *l)
{
	uint64_t one = 1;

	/* Where nobody watches, whoever stirs goes on to run it. */
	if (l->timer < 0)
		return;
	/* Also where it is readable: somebody may watch for edges. */
	(void)!write(l->event, &one, sizeof(one));
}

bool
mn_loop_wait(struct mn_loop *l, struct mn_waiter *w)
{
	if (!open_event(l))
		return false;
	w->loop = l;
	w->signaled = false;
	w->next = l->waiters;
	w->link = &l->waiters;
	if (w->next != NULL)
		w->next->link = &w->next;
	l->waiters = w;
	return true;
}

void
mn_loop_unwait(struct mn_waiter *w)
{
	if (w->link == NULL)
		return;
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	w->link = NULL;
}

void
mn_loop_signal(struct mn_waiter *w)
{
	int fd = w->loop->event;
	uint64_t one = 1;

	__atomic_store_n(&w->signaled, true, __ATOMIC_RELEASE);
	/* Full only where it is readable already. */
	(void)!write(fd, &one, sizeof(one));
}

bool
mn_loop_nest(struct mn_loop *l, struct mn_loop *inside,
    void (*told)(void *arg), void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	l->inside = told;
	l->inside_arg = arg;
	ev.data.u64 = (uint64_t)SLOT_INSIDE << 32;
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, inside->epoll, &ev) == 0;
}

void
mn_loop_unnest(struct mn_loop *l, struct mn_loop *inside)
{
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, inside->epoll, NULL);
}

static void
wake(struct mn_loop *l)
{
	struct mn_waiter *w;
	uint64_t count;

	(void)!read(l->event, &count, sizeof(count));
	/* fire() may take any of them from the list: begin anew after each. */
	for (w = l->waiters; w != NULL; ) {
		if (!__atomic_load_n(&w->signaled, __ATOMIC_ACQUIRE)) {
			w = w->next;
			continue;
		}
		mn_loop_unwait(w);
		w->fire(w->arg);
		w = l->waiters;
	}
}

static void
dispatch(struct mn_loop *l, const struct epoll_event *ev)
{
	size_t slot = ev->data.u64 >> 32;
	int fd = (int)(ev->data.u64 & 0xffffffff);
	struct mn_pool *p;
	uint64_t count;
	int mask = 0;
	int running;

	if (slot == SLOT_EVENT) {
		wake(l);
		return;
	}
	if (slot == SLOT_TIMER) {
		(void)!read(l->timer, &count, sizeof(count));
		l->armed = 0;
		return;
	}
	if (slot == SLOT_INSIDE) {
		l->inside(l->inside_arg);
		return;
	}
	p = l->slot[slot - SLOT_POOLS];
	if (p == NULL || p->multi == NULL)
		return;		/* closed since */
	if (ev->events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (ev->events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (ev->events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(p->multi, fd, mask, &running);
}

/*
 * Let the timerfd fire for the next deadline.  One that it would fire for too
 * early does no harm, so it is set again only for an earlier one.
 */
static void
arm(struct mn_loop *l)
{
	struct itimerspec at = { .it_interval = { 0, 0 } };
	int64_t next;

	if (l->timer < 0 || l->timers == 0)
		return;
	next = l->heap[1]->at;
	if (l->armed != 0 && l->armed <= next)
		return;
	at.it_value.tv_sec = next / 1000;
	at.it_value.tv_nsec = next % 1000 * 1000000;
	if (timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &at, NULL) == 0)
		l->armed = next;
}

static void
admit_all(struct mn_loop *l)
{
	struct mn_lanes *lanes;
	size_t i;

	for (lanes = l->lanes; lanes != NULL; lanes = lanes->next) {
		for (i = 0; i < MN_LANES; i++)
			admit(&lanes->pool[i]);
	}
}

static void
drain_all(struct mn_loop *l)
{
	struct mn_lanes *lanes;
	size_t i;

	for (lanes = l->lanes; lanes != NULL; lanes = lanes->next) {
		for (i = 0; i < MN_LANES; i++)
			drain(&lanes->pool[i]);
	}
}

/* Is something left, a deadline due, or may something of a queue go? */
static bool
due(const struct mn_loop *l)
{
	const struct mn_lanes *lanes;
	const struct mn_pool *p;

	if (l->more || (l->timers > 0 && l->heap[1]->at <= l->now))
		return true;
	for (lanes = l->lanes; lanes != NULL; lanes = lanes->next) {
		for (p = lanes->pool; p < lanes->pool + MN_LANES; p++) {
			if (p->first != NULL && admits(p))
				return true;
		}
	}
	return false;
}

bool
mn_loop_run(struct mn_loop *l, bool wait)
{
	struct epoll_event event[EVENTS];
	int i, n;

	admit_all(l);
	sweep(l);
	if (wait && idle(l))
		return false;
	mn_loop_clock(l);
	n = epoll_wait(l->epoll, event, EVENTS, wait && !due(l) ?
	    patience(l) : 0);
	mn_loop_clock(l);
	l->more = false;
	slice(l);
	/* What is not seen to now is still there for the next step. */
	for (i = 0; i < n && (i == 0 || !spent(l)); i++)
		dispatch(l, &event[i]);
	slice(l);
	fire(l);
	slice(l);
	drain_all(l);
	arm(l);
	return n > 0 || due(l);
}
