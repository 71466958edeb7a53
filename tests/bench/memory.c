/* SPDX-License-Identifier: MIT */

/*
 * Memory: of a verdict, of a handle beside what libcurl takes for the same
 * connections, and what very many calls leave behind.
 */

#include <err.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "bench.h"

#define HANDLES	50	/* as many profiles as the runner has made for this */
#define TOKEN	"mon_test_0123456789abcdefghijklmnopqrstu"

/* entries-1 and entries-2 differ in so many accepted tokens; refusals have a
 * table of their own, a quarter of the size. */
#define ENTRIES	(65536 + 65536 / 4)

struct use {
	double allocated;	/* by malloc(), and not freed */
	double shared;		/* mapped, for other processes to see */
	double resident;
	double virtual;
};

/* Sizes of the mappings that fork() does not copy. */
static double
shared(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char mode[8], line[512];
	double sum = 0;

	if (f == NULL)
		err(1, "/proc/self/maps");
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 &&
		    mode[3] == 's')
			sum += (double)(to - from);
	}
	(void)fclose(f);
	return sum;
}

static struct use
measure(void)
{
	struct mallinfo2 info = mallinfo2();

	return (struct use){
		.allocated = (double)info.uordblks + (double)info.hblkhd,
		.shared = shared(),
		.resident = bench_status("VmRSS"),
		.virtual = bench_status("VmSize"),
	};
}

/* What has come since, in n parts. */
static struct use
since(struct use before, double n)
{
	struct use now = measure();

	return (struct use){
		.allocated = (now.allocated - before.allocated) / n,
		.shared = (now.shared - before.shared) / n,
		.resident = (now.resident - before.resident) / n,
		.virtual = (now.virtual - before.virtual) / n,
	};
}

static void
ask(struct monime *m)
{
	if (monime_request(m, "GET", BARE_PATH, NULL, NULL, 0, NULL) !=
	    MONIME_OK)
		errx(1, "a request failed");
}

static void
check(struct monime *m)
{
	if (monime_check_token(m, TOKEN, strlen(TOKEN), NULL) != MONIME_OK)
		errx(1, "a check failed");
}

static void
of_a_verdict(void)
{
	struct use before, small, large;
	struct monime *first = bench_open("test/own"), *m[2];

	/* What the first one of a process takes is not the table's. */
	before = measure();
	m[0] = bench_open("test/entries-1");
	small = since(before, 1);
	before = measure();
	m[1] = bench_open("test/entries-2");
	large = since(before, 1);
	bench_single("memory of a verdict, shared by all processes", "bytes",
	    "<= 64", (large.shared - small.shared) / ENTRIES);
	bench_single("  and in each process", "bytes", "",
	    (large.allocated - small.allocated) / ENTRIES);
	monime_close(m[0]);
	monime_close(m[1]);
	monime_close(first);
}

/* A handle that requests and checks has two connections. */
static void
of_a_handle(size_t n)
{
	struct monime **m = calloc(n, sizeof(*m));
	struct bare *bare = calloc(2 * n, sizeof(*bare));
	struct use before, opened, used, alone;
	char name[32];
	size_t i;

	if (m == NULL || bare == NULL)
		errx(1, "no memory");
	before = measure();
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "test/handle-%zu", i);
		m[i] = bench_open(name);
	}
	opened = since(before, (double)n);
	for (i = 0; i < n; i++) {
		ask(m[i]);
		check(m[i]);
	}
	used = since(before, (double)n);
	before = measure();
	for (i = 0; i < 2 * n; i++) {
		bare_open(&bare[i], CURL_HTTP_VERSION_1_1);
		bare_get(&bare[i]);
	}
	alone = since(before, (double)n);
	bench_single("a handle as it is opened, virtual memory", "bytes",
	    "<= 1048576", opened.virtual);
	bench_single("  resident", "bytes", "<= 1048576", opened.resident);
	bench_single("  of its virtual memory, shared by all processes",
	    "bytes", "", opened.shared);
	bench_single("  allocated", "bytes", "", opened.allocated);
	bench_single("a handle with two connections beside libcurl's, virtual",
	    "bytes", "<= 1048576", used.virtual - alone.virtual);
	bench_single("  resident", "bytes", "<= 1048576",
	    used.resident - alone.resident);
	bench_single("  allocated", "bytes", "",
	    used.allocated - alone.allocated);
	bench_single("  what libcurl allocates for the two itself", "bytes",
	    "", alone.allocated);
	for (i = 0; i < n; i++)
		monime_close(m[i]);
	for (i = 0; i < 2 * n; i++)
		bare_close(&bare[i]);
	free(m);
	free(bare);
}

static void
of_many_calls(struct monime *m, void (*one)(struct monime *m), size_t n,
    const char *what)
{
	struct use before, grown;
	char title[96];
	size_t i;

	(void)snprintf(title, sizeof(title), "growth over %zu %s, allocated",
	    n, what);
	for (i = 0; i < n / 20; i++)
		one(m);
	before = measure();
	for (i = 0; i < n; i++)
		one(m);
	grown = since(before, 1);
	bench_single(title, "bytes", "<= 0", grown.allocated);
	bench_single("  resident", "bytes", "<= 0", grown.resident);
}

int
main(void)
{
	struct monime *m;

	of_a_verdict();
	m = bench_open("test/check");
	of_many_calls(m, check, bench_size(1000000, 10000),
	    "remembered checks");
	monime_close(m);
	m = bench_open("test/own");
	of_many_calls(m, ask, bench_size(20000, 1000),
	    "requests");
	monime_close(m);
	of_a_handle(HANDLES);
	return 0;
}
