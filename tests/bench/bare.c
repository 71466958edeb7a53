/* SPDX-License-Identifier: MIT */

/* libcurl alone, one request after the other and many at once.  See bare.h. */

#include "bare.h"

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define EVENTS	64	/* taken from the kernel at once */

struct bare_many {
	CURLM *multi;
	int epoll;
	int64_t at;		/* ms; when libcurl wants to be called; -1 */
	struct bare *one;
	size_t ones;
};

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct bare *b = arg;
	char *more;

	(void)size;	/* always 1 */
	if (b->len + n > b->room) {
		more = realloc(b->body, 2 * (b->len + n));
		if (more == NULL)
			return 0;
		b->body = more;
		b->room = 2 * (b->len + n);
	}
	memcpy(b->body + b->len, bytes, n);
	b->len += n;
	return n;
}

static void
set_up(CURL *c, long version)
{
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, version);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_CAPATH, bench_setting("BENCH_CA_PATH"));
	curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 30000L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "bare/1.0");
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
}

static struct curl_slist *
header_lines(void)
{
	struct curl_slist *lines = NULL;
	char line[256];

	(void)snprintf(line, sizeof(line), "Authorization: Bearer %s",
	    bench_setting("BENCH_TOKEN"));
	lines = curl_slist_append(lines, line);
	lines = curl_slist_append(lines, "Monime-Space-Id: spc-bench");
	return curl_slist_append(lines, "Accept: application/json");
}

void
bare_open(struct bare *b, long version)
{
	memset(b, 0, sizeof(*b));
	b->curl = curl_easy_init();
	b->lines = header_lines();
	if (b->curl == NULL || b->lines == NULL)
		errx(1, "no memory for libcurl");
	(void)snprintf(b->url, sizeof(b->url), "%s%s",
	    bench_setting("BENCH_ORIGIN"), BARE_PATH);
	set_up(b->curl, version);
	curl_easy_setopt(b->curl, CURLOPT_HTTPHEADER, b->lines);
	curl_easy_setopt(b->curl, CURLOPT_WRITEDATA, b);
	curl_easy_setopt(b->curl, CURLOPT_PRIVATE, b);
}

void
bare_close(struct bare *b)
{
	curl_easy_cleanup(b->curl);
	curl_slist_free_all(b->lines);
	free(b->body);
}

/* A program asks for one thing and then for another: the URL is new. */
static void
prepare(struct bare *b)
{
	curl_easy_setopt(b->curl, CURLOPT_URL, b->url);
	b->len = 0;
}

static void
finish(const struct bare *b, CURLcode code)
{
	long status = 0;

	curl_easy_getinfo(b->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK || status != 200 || b->len == 0)
		errx(1, "libcurl: %s, status %ld", curl_easy_strerror(code),
		    status);
}

void
bare_get(struct bare *b)
{
	prepare(b);
	finish(b, curl_easy_perform(b->curl));
}

static int64_t
milliseconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* libcurl: watch this socket for that. */
static int
on_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *known)
{
	struct bare_many *s = arg;
	struct epoll_event ev = { .data.fd = fd };

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) |
	    (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
	if (epoll_ctl(s->epoll, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
	    fd, &ev) != 0)
		err(1, "epoll_ctl");
	curl_multi_assign(s->multi, fd, s);
	return 0;
}

static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct bare_many *s = arg;

	(void)multi;
	s->at = ms < 0 ? -1 : milliseconds() + ms;
	return 0;
}

struct bare_many *
bare_many_open(size_t at_once, size_t connections, long version)
{
	struct bare_many *s = calloc(1, sizeof(*s));
	size_t i;

	if (s == NULL || (s->one = calloc(at_once, sizeof(*s->one))) == NULL ||
	    (s->multi = curl_multi_init()) == NULL)
		errx(1, "no memory for libcurl");
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		err(1, "epoll_create1");
	s->at = -1;
	curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
	curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
	curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)connections);
	curl_multi_setopt(s->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
	    (long)connections);
	for (i = 0; i < at_once; i++) {
		bare_open(&s->one[i], version);
		/* Rather wait for a connection of HTTP/2 than make one more. */
		curl_easy_setopt(s->one[i].curl, CURLOPT_PIPEWAIT, 1L);
	}
	s->ones = at_once;
	return s;
}

void
bare_many_close(struct bare_many *s)
{
	size_t i;

	for (i = 0; i < s->ones; i++)
		bare_close(&s->one[i]);
	curl_multi_cleanup(s->multi);
	(void)close(s->epoll);
	free(s->one);
	free(s);
}

static void
begin(struct bare_many *s, struct bare *b)
{
	prepare(b);
	if (curl_multi_add_handle(s->multi, b->curl) != CURLM_OK)
		errx(1, "curl_multi_add_handle");
}

/* Whoever has ended begins anew while there is something to do. */
static size_t
collect(struct bare_many *s, size_t *left)
{
	struct CURLMsg *msg;
	struct bare *b;
	size_t ended = 0;
	int queued;

	while ((msg = curl_multi_info_read(s->multi, &queued)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &b);
		finish(b, msg->data.result);
		curl_multi_remove_handle(s->multi, b->curl);
		ended++;
		if (*left > 0) {
			(*left)--;
			begin(s, b);
		}
	}
	return ended;
}

static void
step(struct bare_many *s)
{
	struct epoll_event event[EVENTS];
	int64_t wait = s->at < 0 ? -1 : s->at - milliseconds();
	int i, n, mask, running;

	if (s->at >= 0 && wait < 0)
		wait = 0;
	n = epoll_wait(s->epoll, event, EVENTS, (int)wait);
	if (n < 0)
		err(1, "epoll_wait");
	if (s->at >= 0 && milliseconds() >= s->at) {
		s->at = -1;
		curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0,
		    &running);
	}
	for (i = 0; i < n; i++) {
		mask = (event[i].events & (EPOLLIN | EPOLLHUP) ?
		    CURL_CSELECT_IN : 0) |
		    (event[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		    (event[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);
		curl_multi_socket_action(s->multi, event[i].data.fd, mask,
		    &running);
	}
}

void
bare_many_get(struct bare_many *s, size_t n)
{
	size_t ended, i;

	for (i = 0, ended = n; i < s->ones && n > 0; i++, n--)
		begin(s, &s->one[i]);
	while (ended > 0) {
		step(s);
		ended -= collect(s, &n);
	}
}
