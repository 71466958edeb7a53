/* SPDX-License-Identifier: MIT */

/*
 * The other side of a binding that is measured: remembered checks in C, in
 * turns that the binding's own process asks for.
 *
 *	remembered TOKEN
 *
 * For each line of standard input, "plain N" or "call N", it does N checks,
 * without or with a call that is then freed, and prints the nanoseconds that
 * one of them took of the processor.
 */

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

static struct monime *m;
static const char *token;
static size_t len;

static void
check(bool wants_call, size_t n)
{
	struct monime_call *call;
	size_t i;

	for (i = 0; i < n; i++) {
		if (monime_check_token(m, token, len,
		    wants_call ? &call : NULL) != MONIME_OK)
			errx(1, "another verdict");
		if (wants_call)
			monime_call_free(call);
	}
}

int
main(int argc, char **argv)
{
	char what[8];
	double start;
	size_t n;

	if (argc != 2)
		errx(2, "usage: remembered TOKEN");
	token = argv[1];
	len = strlen(token);
	m = bench_open("test/check");
	check(false, 1);
	while (scanf("%7s %zu", what, &n) == 2 && n > 0) {
		start = bench_now(true);
		check(strcmp(what, "call") == 0, n);
		(void)printf("%.1f\n", (bench_now(true) - start) / (double)n);
		(void)fflush(stdout);
	}
	monime_close(m);
	return 0;
}
