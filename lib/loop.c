/* SPDX-License-Identifier: MIT */

/* The engine behind every verb.  See loop.h. */

#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "banned.h"

#define EVENTS	64	/* taken from the kernel at once */

struct mn_pool {
	struct mn_loop *loop;
	unsigned int lane;
	CURLM *multi;
	struct mn_timer timer;		/* libcurl's */
	struct mn_transfer *first;	/* queue */
	struct mn_transfer **last;
	struct mn_easy **spare;		/* kept handles that nobody uses */
	size_t spares;
	int open;			/* sockets */
	int connecting;			/* of these, not yet of use */
	int active;			/* transfers that libcurl has */
	int starting;			/* of these, not yet writing */
};

struct mn_loop {
	const struct mn_wire_config *config;
	int epoll;
	int64_t now;
	struct mn_pool pool[MN_LANES];
	struct mn_timer **heap;		/* from 1 on */
	size_t timers;
	size_t room;
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

void
mn_loop_clock(struct mn_loop *l)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	l->now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
mn_loop_now(struct mn_loop *l)
{
	return l->now;
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
		(void)epoll_ctl(p->loop->epoll, EPOLL_CTL_DEL, fd, NULL);
		(void)curl_multi_assign(p->multi, fd, NULL);
		return 0;
	}
	ev.data.u64 = (uint64_t)p->lane << 32 | (uint32_t)fd;
	if (what & CURL_POLL_IN)
		ev.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		ev.events |= EPOLLOUT;
	if (epoll_ctl(p->loop->epoll, op, fd, &ev) != 0) {
		/* A number that was closed and opened again. */
		op = errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
		if ((errno != EEXIST && errno != ENOENT) ||
		    epoll_ctl(p->loop->epoll, op, fd, &ev) != 0)
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
		mn_loop_unset(p->loop, &p->timer);
		return 0;
	}
	return mn_loop_set(p->loop, &p->timer, p->loop->now + ms) ? 0 : -1;
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
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	t->opened++;
	t->pool->connecting++;
	t->pool->open++;
	return fd;
}

static int
on_close(void *arg, curl_socket_t fd)
{
	struct mn_pool *p = arg;

	p->open--;
	return close(fd);
}

/* The transfer has its connection, or has ended without one. */
static void
settle(struct mn_transfer *t)
{
	t->pool->starting--;
	t->pool->connecting -= t->opened;
	t->opened = 0;
}

static struct mn_easy *
easy_get(struct mn_pool *p)
{
	struct mn_easy *k;
	CURL *c;

	if (p->spares > 0)
		return p->spare[--p->spares];
	k = mn_transfer_easy_new(p->loop->config, settle);
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
	return p->loop->config->connections < MN_LOOP_TRANSFERS ?
	    p->loop->config->connections : MN_LOOP_TRANSFERS;
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

static void
queue_remove(struct mn_transfer *t)
{
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	else
		t->pool->last = t->link;
	t->link = NULL;
	t->next = NULL;
}

/* Take the transfer out of libcurl. */
static void
detach(struct mn_transfer *t, int code)
{
	struct mn_pool *p = t->pool;
	struct mn_easy *k = t->easy;

	(void)curl_multi_remove_handle(p->multi, mn_transfer_easy_curl(k));
	p->active--;
	if (!t->sent)
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

	while ((t = p->first) != NULL && admits(p)) {
		queue_remove(t);
		launch(p, t);
	}
}

/* Tell those whose transfers have ended. */
static void
drain(struct mn_pool *p)
{
	struct mn_transfer *t;
	CURLMsg *msg;
	CURLcode code;
	char *private = NULL;
	int left;

	while (p->multi != NULL &&
	    (msg = curl_multi_info_read(p->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		code = msg->data.result;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
		    &private);
		t = (void *)private;
		detach(t, (int)code);
		t->done(t);
	}
}

static void
fire(struct mn_loop *l)
{
	struct mn_timer *timer;

	while (l->timers > 0 && l->heap[1]->at <= l->now) {
		timer = l->heap[1];
		mn_loop_unset(l, timer);
		timer->fire(timer->arg);
	}
}

struct mn_loop *
mn_loop_new(const struct mn_wire_config *config)
{
	struct mn_loop *l;
	struct mn_pool *p;

	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->config = config;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return NULL;
	}
	for (p = l->pool; p < l->pool + MN_LANES; p++) {
		p->loop = l;
		p->lane = (unsigned int)(p - l->pool);
		p->last = &p->first;
		p->timer.fire = on_timeout;
		p->timer.arg = p;
	}
	mn_loop_clock(l);
	return l;
}

static void
pool_close(struct mn_pool *p)
{
	size_t i;

	if (p->multi == NULL)
		return;
	for (i = 0; i < p->spares; i++)
		mn_transfer_easy_free(p->spare[i]);
	(void)curl_multi_cleanup(p->multi);
	free(p->spare);
}

void
mn_loop_free(struct mn_loop *l)
{
	size_t i;

	if (l == NULL)
		return;
	for (i = 0; i < MN_LANES; i++)
		pool_close(&l->pool[i]);
	(void)close(l->epoll);
	free(l->heap);
	free(l);
}

void
mn_loop_start(struct mn_loop *l, enum mn_lane lane, struct mn_transfer *t)
{
	struct mn_pool *p = &l->pool[lane];

	t->pool = p;
	t->next = NULL;
	t->link = p->last;
	*p->last = t;
	p->last = &t->next;
}

void
mn_loop_cancel(struct mn_loop *l, struct mn_transfer *t)
{
	(void)l;
	if (t->pool == NULL)
		return;
	if (t->easy != NULL) {
		detach(t, CURLE_ABORTED_BY_CALLBACK);
	} else {
		queue_remove(t);
		t->pool = NULL;
	}
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
	size_t i;

	for (i = 0; i < MN_LANES; i++) {
		if (l->pool[i].active > 0 || l->pool[i].first != NULL)
			return false;
	}
	return l->timers == 0;
}

static void
dispatch(struct mn_loop *l, const struct epoll_event *ev)
{
	struct mn_pool *p = &l->pool[ev->data.u64 >> 32];
	int fd = (int)(ev->data.u64 & 0xffffffff);
	int mask = 0;
	int running;

	if (ev->events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (ev->events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (ev->events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(p->multi, fd, mask, &running);
}

void
mn_loop_run(struct mn_loop *l, bool wait)
{
	struct epoll_event event[EVENTS];
	size_t lane;
	int i, n;

	for (lane = 0; lane < MN_LANES; lane++)
		admit(&l->pool[lane]);
	if (idle(l))
		return;
	mn_loop_clock(l);
	n = epoll_wait(l->epoll, event, EVENTS, wait ? patience(l) : 0);
	mn_loop_clock(l);
	for (i = 0; i < n; i++)
		dispatch(l, &event[i]);
	fire(l);
	for (lane = 0; lane < MN_LANES; lane++)
		drain(&l->pool[lane]);
}
