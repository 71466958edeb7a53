/* SPDX-License-Identifier: MIT */

/*
 * Many calls, one after the other and on a loop: memory and descriptors are
 * flat after the first ones.  MONIME_TESTS_CALLS says how many; 4000 without.
 */

#include <malloc.h>

#include "loops.h"

#define AT_ONCE	32

static long calls = 4000;

static long
resident(void)
{
	long pages = 0, all;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &all, &pages), 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static void
one_blocking(struct monime *m, long i)
{
	ask(m, i % 4 == 3 ? "POST" : "GET",
	    i % 4 == 3 ? "/v1/payouts" : ACCOUNTS, MONIME_OK);
}

/* So many are pending; one ends, another begins. */
static void
one_on_loop(struct monime *m, long i)
{
	struct monime_call *call;
	long n;

	/* The last ones end without another. */
	n = i == 0 ? AT_ONCE : i <= calls - AT_ONCE;
	for (; n > 0; n--)
		(void)begin_get(m, ACCOUNTS, NULL);
	call = await(m, PATIENCE);
	assert_non_null(call);
	assert_code(call, monime_call_result(call), MONIME_OK);
	monime_call_free(call);
}

#define CHECKS	250		/* for each call of the others */

/* Nearly all are remembered; each last one is of a token not seen before. */
static void
some_checks(struct monime *m, long i)
{
	const char *good = sandbox_token(sandbox, "test");
	struct monime_call *call;
	char unknown[64];
	long n;
	int r;

	for (n = 0; n < CHECKS; n += 2) {
		assert_int_equal(monime_check_token(m, good, strlen(good),
		    NULL), MONIME_OK);
		r = monime_check_token_start(m, good, strlen(good), NULL,
		    &call);
		while (r == MONIME_EPENDING && monime_next(m) == NULL)
			assert_true(readable(monime_fd(m), PATIENCE));
		assert_non_null(monime_call_get(call, "fingerprint"));
		monime_call_free(call);
	}
	(void)snprintf(unknown, sizeof(unknown), "mon_test_%032ld", i);
	r = monime_check_token(m, unknown, strlen(unknown), NULL);
	assert_true(r == MONIME_EDENIED || r == MONIME_ELIMIT);
}

static void
many(const char *name, void (*one)(struct monime *m, long i))
{
	struct monime *m = open_test("timeout = \"60s\";");
	long first = 0, last, i;
	int fds = 0;

	/* A loop is there from now on, whenever a check first needs it. */
	assert_true(monime_fd(m) >= 0);
	for (i = 0; i < calls; i++) {
		one(m, i);
		/* The sandbox keeps it all. */
		if (i % 1000 == 999)
			sandbox_reset(sandbox);
		if (i == calls / 4) {
			first = resident();
			fds = descriptors();
		}
	}
	last = resident();
	print_message("%s: %ld calls, %ld KiB after a quarter, %ld KiB at "
	    "the end; descriptors %d, %d\n", name, calls, first, last, fds,
	    descriptors());
#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__
	assert_true(last <= first + 512);
#endif
#endif
	assert_in_range(descriptors(), 0, fds + 2);
	monime_close(m);
}

static void
test_blocking_calls_leave_nothing(void **state)
{
	(void)state;
	many("blocking", one_blocking);
}

static void
test_calls_on_a_loop_leave_nothing(void **state)
{
	(void)state;
	many("loop", one_on_loop);
}

static void
test_checks_leave_nothing(void **state)
{
	(void)state;
	many("checks", some_checks);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_blocking_calls_leave_nothing),
		LIVING(test_calls_on_a_loop_leave_nothing),
		LIVING(test_checks_leave_nothing),
	};

	if (getenv("MONIME_TESTS_CALLS") != NULL)
		calls = atol(getenv("MONIME_TESTS_CALLS"));
	return cmocka_run_group_tests(tests, common_start, common_stop);
}
