/* SPDX-License-Identifier: MIT */

/*
 * What a remembered verdict costs: monime_check_token() against the bare
 * SipHash-2-4-128 of the same token, and two threads against one.
 */

#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "bench.h"

#define TOKEN	40		/* bytes */
#define TOKENS	1024		/* accepted, asked for in turn */
#define TURN	4		/* ms */

#define ACCEPTED "mon_test_"
#define REFUSED	"mon_test_no_"	/* what the runner's server refuses */

static struct monime *m;
static unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
static char token[TOKENS][TOKEN + 1];
static size_t tokens;		/* of these, in use */
static int expected;
static uint64_t sink;

static void
hash(size_t n)
{
	uint64_t out[2], sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		crypto_shorthash_siphashx24((unsigned char *)out,
		    (const unsigned char *)token[i % tokens], TOKEN, key);
		sum += out[0];
	}
	(void)__atomic_add_fetch(&sink, sum, __ATOMIC_RELAXED);
}

static void
check(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (monime_check_token(m, token[i % tokens], TOKEN, NULL) !=
		    expected)
			errx(1, "another verdict");
	}
}

/*
 * One thread's turn.  Where somebody else had its processor for a while, it
 * says nothing of two at once.
 */
struct turn {
	void (*run)(size_t n);
	size_t n;
	double took;
	bool disturbed;
};

static void
take(struct turn *t)
{
	double start = bench_now(false), work = bench_now(true);

	t->run(t->n);
	work = bench_now(true) - work;
	t->took = bench_now(false) - start;
	t->disturbed = work < 0.95 * t->took;
}

/* The other thread spins between its turns: to wake it would cost a turn. */
static struct turn mine, others;
static int begun, ended;
static bool over;

static void
await(const int *count, int n)
{
	while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < n)
		continue;
}

static void *
other(void *arg)
{
	int i;

	for (i = 1;; i++) {
		await(&begun, i);
		if (over)
			return arg;
		take(&others);
		(void)__atomic_add_fetch(&ended, 1, __ATOMIC_RELEASE);
	}
}

/* How much two get done in the time that one needs; 0: nobody knows. */
static double
gain(bool alone_first)
{
	struct turn alone = mine;
	int i;

	if (alone_first)
		take(&alone);
	i = __atomic_add_fetch(&begun, 1, __ATOMIC_RELEASE);
	take(&mine);
	await(&ended, i);
	if (!alone_first)
		take(&alone);
	if (alone.disturbed || mine.disturbed || others.disturbed)
		return 0;
	return alone.took / mine.took + alone.took / others.took;
}

static void
against_hash(const char *what, size_t n)
{
	static struct bench_side bare = { .run = hash };
	static struct bench_side whole = { .run = check };
	size_t pairs = bench_size(301, 31);

	tokens = n;
	bench_turn(&bare, TURN);
	bench_turn(&whole, TURN);
	bench_pairs(&bare, &whole, pairs);
	/* Neither waits for anything: what others take is not theirs. */
	bench_ratio(what, "<= 2.0", whole.worked, bare.worked, pairs);
	bench_figure("  monime_check_token", "ns", "", whole.worked, pairs);
	bench_figure("  SipHash-2-4-128 of its 40 bytes", "ns", "",
	    bare.worked, pairs);
}

static void
against_one(const char *what, const char *bar, void (*side)(size_t n))
{
	struct bench_side one = { .run = side };
	static double gains[BENCH_PAIRS];
	size_t tries = 4 * BENCH_PAIRS, n = 0, i;
	pthread_t thread;

	bench_turn(&one, 1);
	mine.run = others.run = side;
	mine.n = others.n = one.n;
	begun = ended = 0;
	over = false;
	if (pthread_create(&thread, NULL, other, NULL) != 0)
		errx(1, "no thread");
	for (i = 0; i < tries && n < bench_size(301, 31); i++) {
		gains[n] = gain(i % 2 == 0);
		n += gains[n] > 0;
	}
	over = true;
	(void)__atomic_add_fetch(&begun, 1, __ATOMIC_RELEASE);
	(void)pthread_join(thread, NULL);
	if (n == 0)
		(void)printf("%s: two processors were never ours at once\n",
		    what);
	else
		bench_figure(what, "ratio", bar, gains, n);
}

/* Tokens that have been asked about: the second time nothing may be sent. */
static void
remember(const char *prefix, size_t n, int code)
{
	struct monime_call *call;
	const char *source;
	size_t i, j;

	expected = code;
	for (i = 0; i < 2 * n; i++) {
		if (i < n)
			(void)snprintf(token[i], sizeof(token[i]), "%s%0*zu",
			    prefix, (int)(TOKEN - strlen(prefix)), i);
		j = i % n;
		if (monime_check_token(m, token[j], TOKEN, &call) != code)
			errx(1, "%s", monime_call_error(call));
		source = monime_call_get(call, "source");
		if (strcmp(source, i < n ? "network" : "cache") != 0)
			errx(1, "verdict %zu came from: %s", i, source);
		monime_call_free(call);
	}
}

int
main(void)
{
	m = bench_open("test/check");
	randombytes_buf(key, sizeof(key));
	remember(ACCEPTED, TOKENS, MONIME_OK);
	against_hash("a remembered verdict, time against its token's hash", 1);
	against_hash("  1024 accepted tokens in turn", TOKENS);
	against_one("  two threads at once against one: the hash alone", "",
	    hash);
	against_one("  two threads at once against one: monime_check_token",
	    ">= 1.8", check);
	remember(REFUSED, 256, MONIME_EDENIED);
	against_hash("  256 refused tokens in turn", 256);
	monime_close(m);
	return 0;
}
