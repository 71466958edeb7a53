/* SPDX-License-Identifier: MIT */

/* The engine behind every verb.  See loop.h. */

#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "sockets.h"
#include "banned.h"

/*
 * What one step does at most, since whoever calls has others to serve: each
 * of its three parts ends after SLICE, whatever is left, and begins at most so
 * many transfers.  One event may take some ms by itself: a handshake does.
 */
#define SLICE	1000	/* us */
#define EVENTS	16	/* taken from the kernel at once */
#define LAUNCHES	8	/* transfers begun, in each lane */

/* What an event of epoll's is about: a pool, or one of these. */
enum {
	SLOT_EVENT,
	SLOT_TIMER,
	SLOT_INSIDE,
	SLOT_POOLS
};

struct mn_loop {
	int epoll;
	int timer;			/* a timerfd; -1: nobody watches */
	int64_t armed;			/* when it will fire; 0: it will not */
	int64_t now;
	int64_t until;			/* of this part of a step; us */
	bool more;			/* the last step left something */
	bool ended;			/* something of what was just begun */
	struct mn_lanes *lanes;
	struct mn_pool **slot;		/* by number - SLOT_POOLS; with holes */
	size_t slots;
	struct mn_timers timers;
	struct mn_waiters waiters;
	void (*inside)(void *arg);	/* for the loop inside */
	void *inside_arg;
	struct mn_sockets sockets;	/* all that are open */
	struct mn_loop *forgotten;	/* the next such one */
};

bool
mn_loop_set(struct mn_loop *l, struct mn_timer *timer, int64_t at)
{
	return mn_timer_set(&l->timers, timer, at);
}

void
mn_loop_unset(struct mn_loop *l, struct mn_timer *timer)
{
	mn_timer_unset(&l->timers, timer);
}

int64_t
mn_loop_time(void)
{
	/* A filter of system calls may deny it. */
	struct timespec ts = { 0, 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
mn_loop_clock(struct mn_loop *l)
{
	int64_t now = mn_loop_time();

	/* From 0 on deadlines would be as far away as the last boot. */
	if (now != 0)
		l->now = now;
}

int64_t
mn_loop_now(struct mn_loop *l)
{
	return l->now;
}

static int64_t
micros(void)
{
	struct timespec ts = { 0, 0 };

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
spent(void *arg)
{
	struct mn_loop *l = arg;

	if (micros() < l->until)
		return false;
	l->more = true;
	return true;
}

/*
 * Nothing would tell of that socket until the time limit has passed.  libcurl
 * must not hear of it: it would give up all that the pool has, for ever.
 */
static void
note_unwatched(struct mn_pool *p, CURL *curl)
{
	struct mn_transfer *t;
	char *private = NULL;

	(void)curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private);
	t = (void *)private;
	t->unwatched = p->unwatched = true;
	(void)snprintf(t->problem, sizeof(t->problem),
	    "the system would not watch the connection: %m");
}

static bool
watch_socket(struct mn_pool *p, int fd, uint32_t events, bool known)
{
	struct epoll_event ev = { .events = events };
	int epoll = p->lanes->loop->epoll;

	ev.data.u64 = (uint64_t)p->slot << 32 | (uint32_t)fd;
	if (epoll_ctl(epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev)
	    == 0)
		return true;
	/* A number that was closed and opened again. */
	if (errno == EEXIST)
		return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &ev) == 0;
	return errno == ENOENT &&
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

/*
 * Watch one of our connections.  The next request asks for the same, so that it
 * stays watched in between: see dispatch().
 */
static bool
watch_connection(struct mn_pool *p, struct mn_socket *s, uint32_t events)
{
	s->idle = events == 0;
	if (events == 0 || events == s->events)
		return true;
	if (!watch_socket(p, s->fd, events, s->events != 0))
		return false;
	s->events = events;
	return true;
}

static void
unwatch(struct mn_loop *l, int fd)
{
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* libcurl: watch this socket for that. */
static int
on_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *known)
{
	struct mn_pool *p = arg;
	struct mn_loop *l = p->lanes->loop;
	struct mn_socket *s = mn_sockets_find(&l->sockets, fd);
	uint32_t events = 0;
	bool watched = true;

	if (what != CURL_POLL_REMOVE && (what & CURL_POLL_IN))
		events |= EPOLLIN;
	if (what != CURL_POLL_REMOVE && (what & CURL_POLL_OUT))
		events |= EPOLLOUT;
	if (s != NULL)
		watched = watch_connection(p, s, events);
	else if (what == CURL_POLL_REMOVE)
		unwatch(l, fd);
	else
		watched = watch_socket(p, fd, events, known != NULL);
	if (!watched)
		note_unwatched(p, curl);
	else if (s == NULL)
		(void)curl_multi_assign(p->multi, fd,
		    what == CURL_POLL_REMOVE ? NULL : p);
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

static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct mn_transfer *t = mn_transfer_of(arg);
	int fd;

	(void)purpose;
	/* libcurl would go on with one that it could not make non-blocking. */
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (!mn_sockets_add(&t->pool->lanes->loop->sockets, fd)) {
		(void)close(fd);
		return CURL_SOCKET_BAD;
	}
	mn_pool_opened(t);
	return fd;
}

static int
on_close(void *arg, curl_socket_t fd)
{
	struct mn_pool *p = arg;

	p->open--;
	mn_sockets_remove(&p->lanes->loop->sockets, fd);
	/*
	 * A child that has not entered the library yet has it open, too: so
	 * epoll would not let go of it, and tell of it for ever.
	 */
	unwatch(p->lanes->loop, fd);
	return close(fd);
}

/* A new connection may have session tickets of TLS to read, a kept one not. */
static bool
on_start(struct mn_transfer *t, int port)
{
	if (t->opened == 0 &&
	    mn_sockets_spoilt(&t->pool->lanes->loop->sockets, port)) {
		t->stale = true;
		return false;
	}
	mn_pool_settle(t);
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

static void
easy_put(struct mn_pool *p, struct mn_easy *k)
{
	if (p->spares < (size_t)mn_pool_most(p))
		p->spare[p->spares++] = k;
	else
		mn_transfer_easy_free(k);
}

static bool
pool_open(struct mn_pool *p)
{
	if (p->multi != NULL)
		return true;
	p->spare = calloc((size_t)mn_pool_most(p), sizeof(*p->spare));
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
	    curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS,
	    (long)mn_pool_most(p)) == CURLM_OK)
		return true;
	(void)curl_multi_cleanup(p->multi);
	free(p->spare);
	p->multi = NULL;
	p->spare = NULL;
	return false;
}

/* Take the transfer out of libcurl. */
static void
detach(struct mn_transfer *t, int code)
{
	struct mn_pool *p = t->pool;
	struct mn_easy *k = t->easy;

	(void)curl_multi_remove_handle(p->multi, mn_transfer_easy_curl(k));
	mn_pool_end(t);
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
	mn_pool_begin(p, t);
	if (!begun || curl_multi_add_handle(p->multi,
	    mn_transfer_easy_curl(k)) != CURLM_OK) {
		detach(t, CURLE_OUT_OF_MEMORY);
		t->done(t);
	}
}

/* What libcurl has been given sends before anybody sleeps. */
static void
set_off(struct mn_pool *p)
{
	int running;

	(void)curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0,
	    &running);
	/* It may have ended, too: no event would tell. */
	if (running < p->active || p->unwatched)
		p->lanes->loop->ended = true;
}

static void
admit(struct mn_pool *p)
{
	struct mn_transfer *t;
	int n;

	for (n = 0; n < LAUNCHES && mn_pool_ready(p); n++) {
		t = p->first;
		mn_pool_withdraw(t);
		launch(p, t);
	}
	if (n > 0 && p->multi != NULL)
		set_off(p);
}

static void
enqueue(struct mn_pool *p, struct mn_transfer *t)
{
	mn_pool_enqueue(p, t);
	mn_loop_stir(p->lanes->loop);
}

/* End those that nothing would end but their time limit. */
static void
end_unwatched(struct mn_pool *p)
{
	struct mn_transfer *t = p->busy;

	p->unwatched = false;
	while (t != NULL) {
		if (!t->unwatched) {
			t = t->next;
			continue;
		}
		detach(t, CURLE_FAILED_INIT);
		t->done(t);
		/* Which may have taken back others. */
		t = p->busy;
	}
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
		if (msg == NULL) {
			if (p->unwatched)
				end_unwatched(p);
			break;
		}
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

/* Has a deadline passed? */
static bool
is_due(const struct mn_loop *l)
{
	const struct mn_timer *first = mn_timer_first(&l->timers);

	return first != NULL && first->at <= l->now;
}

static void
fire(struct mn_loop *l)
{
	struct mn_timer *timer;
	int n;

	for (n = 0; is_due(l) && (n == 0 || !spent(l)); n++) {
		timer = mn_timer_first(&l->timers);
		mn_timer_unset(&l->timers, timer);
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
	l->waiters.event = l->timer = -1;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return NULL;
	}
	/* Nobody reads it; but runtimes look before they watch it. */
	(void)fcntl(l->epoll, F_SETFL, O_NONBLOCK);
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
	if (l->waiters.event >= 0 ||
	    watch(l, mn_waiter_open(&l->waiters), SLOT_EVENT))
		return true;
	mn_waiter_close(&l->waiters);
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
	/* All of them before any can fail: they are given up together. */
	for (p = lanes->pool; p < lanes->pool + MN_LANES; p++) {
		p->lanes = lanes;
		p->last = &p->first;
		p->timer.fire = on_timeout;
		p->timer.arg = p;
	}
	for (p = lanes->pool; p < lanes->pool + MN_LANES; p++) {
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

/* Close what is retired and idle. */
static void
sweep(struct mn_loop *l)
{
	struct mn_lanes **link = &l->lanes;
	struct mn_lanes *lanes;

	while ((lanes = *link) != NULL) {
		if (!lanes->retired || mn_pool_busy(lanes)) {
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

	if (l == NULL)
		return;
	while ((lanes = l->lanes) != NULL) {
		l->lanes = lanes->next;
		lanes_free(lanes);
	}
	mn_waiter_close(&l->waiters);
	if (l->timer >= 0)
		(void)close(l->timer);
	(void)close(l->epoll);
	mn_timer_free(&l->timers);
	mn_sockets_free(&l->sockets);
	free(l->slot);
	free(l);
}

void
mn_loop_forget(struct mn_loop *l)
{
	static struct mn_loop *forgotten;

	mn_sockets_close(&l->sockets);
	mn_waiter_close(&l->waiters);
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
		mn_pool_withdraw(t);
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
	const struct mn_timer *first = mn_timer_first(&l->timers);
	int64_t ms;

	if (l->more)
		return 0;
	if (first == NULL)
		return -1;
	ms = first->at - l->now;
	if (ms < 0)
		return 0;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static bool
idle(const struct mn_loop *l)
{
	const struct mn_lanes *lanes;

	for (lanes = l->lanes; lanes != NULL; lanes = lanes->next) {
		if (mn_pool_busy(lanes))
			return false;
	}
	return l->timers.count == 0 && l->waiters.first == NULL;
}

void
mn_loop_rouse(struct mn_loop *l)
{
	/* Where nobody watches, whoever stirs goes on to run it. */
	if (l->timer >= 0)
		mn_waiter_stir(&l->waiters);
}

void
mn_loop_stir(struct mn_loop *l)
{
	if (!l->waiters.stirred)
		mn_loop_rouse(l);
}

bool
mn_loop_wait(struct mn_loop *l, struct mn_waiter *w)
{
	if (!open_event(l))
		return false;
	mn_waiter_join(&l->waiters, w);
	return true;
}

bool
mn_loop_nest(struct mn_loop *l, struct mn_loop *inside,
    void (*told)(void *arg), void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	l->inside = told;
	l->inside_arg = arg;
	ev.data.u64 = (uint64_t)SLOT_INSIDE << 32;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, inside->epoll, &ev) == 0)
		return true;
	/* It is there, since it could not be taken out. */
	return errno == EEXIST &&
	    epoll_ctl(l->epoll, EPOLL_CTL_MOD, inside->epoll, &ev) == 0;
}

void
mn_loop_unnest(struct mn_loop *l, struct mn_loop *inside)
{
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, inside->epoll, NULL);
}

static void
dispatch(struct mn_loop *l, const struct epoll_event *ev)
{
	size_t slot = ev->data.u64 >> 32;
	int fd = (int)(ev->data.u64 & 0xffffffff);
	struct mn_pool *p;
	struct mn_socket *s;
	uint64_t count;
	int mask = 0;
	int running;

	if (slot == SLOT_EVENT) {
		mn_waiter_wake(&l->waiters, spent, l);
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
	s = mn_sockets_find(&l->sockets, fd);
	if (s != NULL && s->idle) {
		/* The server has closed it, say: its next user finds out. */
		unwatch(l, fd);
		s->events = 0;
		return;
	}
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
	const struct mn_timer *first = mn_timer_first(&l->timers);
	struct itimerspec at = { .it_interval = { 0, 0 } };
	int64_t next;

	if (l->timer < 0 || first == NULL)
		return;
	next = first->at;
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

	if (l->more || is_due(l))
		return true;
	for (lanes = l->lanes; lanes != NULL; lanes = lanes->next) {
		for (p = lanes->pool; p < lanes->pool + MN_LANES; p++) {
			if (mn_pool_ready(p))
				return true;
		}
	}
	return false;
}

bool
mn_loop_run(struct mn_loop *l, bool wait)
{
	struct epoll_event event[EVENTS];
	int i, n = 0;

	l->ended = false;
	admit_all(l);
	sweep(l);
	if (wait && idle(l))
		return false;
	mn_loop_clock(l);
	/* What has ended already need not wait for the kernel's word. */
	if (!wait || !l->ended) {
		n = epoll_wait(l->epoll, event, EVENTS, wait && !due(l) ?
		    patience(l) : 0);
		mn_loop_clock(l);
	}
	l->more = false;
	if (n > 0)
		slice(l);
	/*
	 * What is not seen to now is still there for the next step, but for
	 * the loop inside: of that epoll tells once.
	 */
	for (i = 0; i < n; i++) {
		if (i == 0 || event[i].data.u64 >> 32 == SLOT_INSIDE ||
		    !spent(l))
			dispatch(l, &event[i]);
	}
	if (is_due(l)) {
		slice(l);
		fire(l);
	}
	slice(l);
	drain_all(l);
	arm(l);
	return n > 0 || l->ended || due(l);
}
