/* SPDX-License-Identifier: MIT */

/*
 * Many requests at once, in one thread: monime_fd() and monime_next() beside
 * libcurl's multi interface on an epoll descriptor.  So many are under way at
 * any time; one that has ended makes room for the next.  And which version of
 * HTTP is the better one for that.
 *
 *	many			pairs of turns
 *	many library N		N requests, for somebody who counts instructions
 *	many bare N
 */

#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "bench.h"

#define STREAMS	128	/* of a connection of HTTP/2, by nginx's default */

static size_t at_once = 32;
static struct monime *m;
static struct bare_many *first, *second;	/* by the version of HTTP */

static void
open_library(void)
{
	m = bench_open("test/own");
}

static void
close_library(void)
{
	monime_close(m);
}

static void
begin(void)
{
	struct monime_call *call;

	if (monime_request_start(m, "GET", BARE_PATH, NULL, NULL, 0, NULL,
	    &call) != MONIME_EPENDING)
		errx(1, "%s", monime_call_error(call));
}

static void
end(struct monime_call *call)
{
	size_t len;

	if (monime_call_result(call) != MONIME_OK ||
	    monime_call_status(call) != 200 ||
	    *monime_call_body(call, &len) == '\0')
		errx(1, "%s", monime_call_error(call));
	monime_call_free(call);
}

static void
by_library(size_t n)
{
	struct pollfd p = { .fd = monime_fd(m), .events = POLLIN };
	struct monime_call *call;
	size_t ended, i;

	for (i = 0, ended = n; i < at_once && n > 0; i++, n--)
		begin();
	while (ended > 0) {
		if (poll(&p, 1, -1) != 1)
			err(1, "poll");
		for (; (call = monime_next(m)) != NULL; ended--) {
			end(call);
			if (n > 0) {
				n--;
				begin();
			}
		}
	}
}

static void
open_first(void)
{
	first = bare_many_open(at_once, at_once, CURL_HTTP_VERSION_1_1);
}

static void
close_first(void)
{
	bare_many_close(first);
}

static void
by_first(size_t n)
{
	bare_many_get(first, n);
}

static void
open_second(void)
{
	second = bare_many_open(at_once, (at_once + STREAMS - 1) / STREAMS,
	    CURL_HTTP_VERSION_2TLS);
}

static void
close_second(void)
{
	bare_many_close(second);
}

static void
by_second(size_t n)
{
	bare_many_get(second, n);
}

static struct bench_side library = {
	.open = open_library, .close = close_library, .run = by_library
};
static struct bench_side http1 = {
	.open = open_first, .close = close_first, .run = by_first
};
static struct bench_side http2 = {
	.open = open_second, .close = close_second, .run = by_second
};

static void
compare(struct bench_side *a, struct bench_side *b, size_t pairs,
    const char *what, const char *bar)
{
	a->n = b->n = at_once < 128 ? 640 : 5 * at_once;
	bench_pairs(a, b, pairs);
	bench_ratio(what, bar, b->cost, a->cost, pairs);
	bench_ratio("  time on the processor", "", a->worked, b->worked,
	    pairs);
	bench_figure("  a request by the former", "ns", "", a->cost, pairs);
	bench_figure("  a request by the latter", "ns", "", b->cost, pairs);
}

int
main(int argc, char **argv)
{
	if (argc == 3) {
		bench_count(strcmp(argv[1], "bare") == 0 ? &http1 : &library,
		    (size_t)atoi(argv[2]));
		return 0;
	}
	bench_place(true);
	compare(&library, &http1, bench_size(151, 15),
	    "32 requests at once, throughput against libcurl's multi",
	    ">= 0.95");
	bench_place(false);
	compare(&library, &http1, bench_size(61, 7),
	    "  with the server on the same processor", "");
	bench_place(true);
	compare(&http2, &http1, bench_size(61, 7),
	    "32 at once by libcurl alone, HTTP/2 against HTTP/1.1", "");
	at_once = 512;
	compare(&http2, &http1, bench_size(31, 5),
	    "512 at once by libcurl alone, HTTP/2 against HTTP/1.1", "");
	compare(&library, &http2, bench_size(31, 5),
	    "512 at once, the library against HTTP/2 by libcurl alone", "");
	return 0;
}
