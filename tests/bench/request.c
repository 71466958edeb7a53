/* SPDX-License-Identifier: MIT */

/*
 * What monime_request() costs beside the same request by libcurl alone, one
 * after the other on one kept connection.
 *
 *	request			pairs of turns
 *	request library N	N requests, for somebody who counts instructions
 *	request bare N
 */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "bench.h"

#define TURN	5	/* ms */

static struct monime *m;
static struct bare bare;

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
open_libcurl(void)
{
	bare_open(&bare, CURL_HTTP_VERSION_1_1);
}

static void
close_libcurl(void)
{
	bare_close(&bare);
}

static void
by_library(size_t n)
{
	struct monime_call *call;
	size_t len;

	for (; n > 0; n--) {
		if (monime_request(m, "GET", BARE_PATH, NULL, NULL, 0,
		    &call) != MONIME_OK || monime_call_status(call) != 200 ||
		    *monime_call_body(call, &len) == '\0')
			errx(1, "%s", monime_call_error(call));
		monime_call_free(call);
	}
}

static void
by_libcurl(size_t n)
{
	for (; n > 0; n--)
		bare_get(&bare);
}

static struct bench_side library = {
	.open = open_library, .close = close_library, .run = by_library
};
static struct bench_side alone = {
	.open = open_libcurl, .close = close_libcurl, .run = by_libcurl
};

static void
compare(bool apart, const char *what, const char *bar)
{
	size_t pairs = bench_size(301, 31);

	bench_place(apart);
	bench_turn(&library, TURN);
	bench_turn(&alone, TURN);
	bench_pairs(&library, &alone, pairs);
	bench_ratio(what, bar, alone.cost, library.cost, pairs);
	bench_ratio("  time on the processor", "", library.worked,
	    alone.worked, pairs);
	bench_figure("  by the library", "ns", "", library.cost, pairs);
	bench_figure("  by libcurl alone", "ns", "", alone.cost, pairs);
}

int
main(int argc, char **argv)
{
	if (argc == 3) {
		bench_count(strcmp(argv[1], "bare") == 0 ? &alone : &library,
		    (size_t)atoi(argv[2]));
		return 0;
	}
	compare(true,
	    "monime_request, throughput against libcurl's easy handle",
	    ">= 0.97");
	compare(false, "  with the server on the same processor", "");
	return 0;
}
