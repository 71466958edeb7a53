/* SPDX-License-Identifier: MIT */

/* retry.c: what an outcome means, and when there is another attempt. */

#include "unit.h"

#include <pthread.h>
#include <time.h>

#include "abi.h"
#include "retry.h"
#include "secret.h"
#include "transfer.h"

static int
start(void **state)
{
	(void)state;
	return mn_secret_init() ? 0 : -1;
}

static int
code_of(int status)
{
	if (status >= 200 && status <= 299)
		return MONIME_OK;
	if (status == 401)
		return MONIME_EDENIED;
	if (status == 403)
		return MONIME_EFORBIDDEN;
	if (status == 429)
		return MONIME_ELIMIT;
	if (status >= 400 && status <= 599)
		return MONIME_EHTTP;
	return MONIME_EPROTO;	/* 1xx, redirects, no status at all */
}

static void
test_every_status_has_its_code(void **state)
{
	int status;

	(void)state;
	for (status = -1; status < 1000; status++)
		ROW(mn_retry_code(status) == code_of(status), "%d: %d",
		    status, mn_retry_code(status));
	end_rows();
	assert_int_equal(mn_retry_code(INT32_MAX), MONIME_EPROTO);
	assert_int_equal(mn_retry_code(INT32_MIN), MONIME_EPROTO);
}

static void
test_what_an_attempt_did_on_the_other_side(void **state)
{
	static const struct {
		int code;
		int status;
		enum mn_executed unkeyed;
		enum mn_executed keyed;
	} rows[] = {
#define NO	MN_EXECUTED_NO
#define YES	MN_EXECUTED_YES
#define WHO	MN_EXECUTED_UNKNOWN
		{ MONIME_OK, 200, YES, YES },
		{ MONIME_OK, 201, YES, YES },
		{ MONIME_OK, 204, YES, YES },
		{ MONIME_EPROTO, 200, YES, YES },	/* too large */
		{ MONIME_ELOST, 200, WHO, WHO },	/* cut off */
		{ MONIME_ELOST, 0, WHO, WHO },
		{ MONIME_EPROTO, 0, WHO, WHO },
		{ MONIME_EPROTO, 302, WHO, WHO },
		{ MONIME_EPROTO, 101, WHO, WHO },
		{ MONIME_EHTTP, 400, NO, NO },
		{ MONIME_EDENIED, 401, NO, NO },
		{ MONIME_EFORBIDDEN, 403, NO, NO },
		{ MONIME_EHTTP, 404, NO, NO },
		{ MONIME_EHTTP, 422, NO, NO },
		{ MONIME_ELIMIT, 429, NO, NO },
		{ MONIME_EHTTP, 408, WHO, WHO },
		/* With a key it may be our own first attempt. */
		{ MONIME_EHTTP, 409, NO, WHO },
		{ MONIME_ELOST, 401, WHO, WHO },
		{ MONIME_EHTTP, 500, WHO, WHO },
		{ MONIME_EHTTP, 502, WHO, WHO },
		{ MONIME_EHTTP, 503, WHO, WHO },
		{ MONIME_EHTTP, 504, WHO, WHO },
		{ MONIME_ENET, 0, NO, NO },
		{ MONIME_EPOLICY, 0, NO, NO },
		{ MONIME_EINVAL, 0, NO, NO },
		{ MONIME_ENOMEM, 0, NO, NO },
#undef NO
#undef YES
#undef WHO
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		ROW(mn_retry_executed(rows[i].code, rows[i].status, false) ==
		    rows[i].unkeyed, "%d, %d", rows[i].code, rows[i].status);
		ROW(mn_retry_executed(rows[i].code, rows[i].status, true) ==
		    rows[i].keyed, "%d, %d, keyed", rows[i].code,
		    rows[i].status);
	}
	end_rows();
}

static void
test_an_attempt_helps_only_where_the_provider_says(void **state)
{
	const struct mn_provider *const providers[] = {
		mn_provider_find("monime", NULL),
		mn_provider_find("mono", "banking")
	};
	static const struct {
		int code;
		bool helps;
	} rows[] = {
		{ MONIME_OK, false }, { MONIME_EDENIED, false },
		{ MONIME_EFORBIDDEN, false }, { MONIME_EENVIRONMENT, false },
		{ MONIME_EPOLICY, false }, { MONIME_EPROTO, false },
		{ MONIME_EINVAL, false }, { MONIME_ECONFIG, false },
		{ MONIME_EUNSAFE, false }, { MONIME_ENOMEM, false },
		{ MONIME_ESYS, false }, { MONIME_ECANCELED, false },
		{ -99, false }, { 1, false },
		{ MONIME_ENET, true }, { MONIME_ELOST, true },
		{ MONIME_ELIMIT, true },
	};
	size_t i, v;
	int status;

	(void)state;
	for (v = 0; v < ROWS(providers); v++) {
		for (i = 0; i < ROWS(rows); i++)
			ROW(mn_retry_helps(providers[v], rows[i].code, 503) ==
			    rows[i].helps, "%d", rows[i].code);
		for (status = 0; status < 1000; status++)
			ROW(mn_retry_helps(providers[v], mn_retry_code(status),
			    status) == (status == 429 ||
			    mn_provider_retries(providers[v], status)),
			    "%s %d", providers[v]->name, status);
		/* By name: what must never be repeated. */
		assert_false(mn_retry_helps(providers[v], MONIME_EHTTP, 400));
		assert_false(mn_retry_helps(providers[v], MONIME_EHTTP, 404));
		assert_false(mn_retry_helps(providers[v], MONIME_EHTTP, 409));
		assert_false(mn_retry_helps(providers[v], MONIME_EHTTP, 422));
	}
	end_rows();
}

static void
test_retry_after_in_seconds(void **state)
{
	static const struct {
		const char *value;
		int64_t seconds;	/* -1: rubbish */
	} rows[] = {
		{ "0", 0 }, { "5", 5 }, { "05", 5 }, { "120", 120 },
		{ "99999", 99999 },
		{ "2592000", MN_RETRY_AFTER_MAX },
		{ "2592001", MN_RETRY_AFTER_MAX },
		{ "4294967296", MN_RETRY_AFTER_MAX },
		{ "18446744073709551615", MN_RETRY_AFTER_MAX },
		{ "18446744073709551617", MN_RETRY_AFTER_MAX },
		{ "99999999999999999999999999999999", MN_RETRY_AFTER_MAX },
		{ "", -1 }, { "-1", -1 }, { "+5", -1 }, { "5.5", -1 },
		{ " 5", -1 }, { "5 ", -1 }, { "5s", -1 }, { "0x5", -1 },
		{ "1e3", -1 }, { "5,6", -1 }, { "soon", -1 }, { "NaN", -1 },
		{ "5\n", -1 }, { "\xd9\xa5", -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		/* As the caller asks: with the date that it is not. */
		ROW(mn_retry_after(rows[i].value,
		    mn_transfer_date(rows[i].value)) == rows[i].seconds,
		    "\"%s\": %lld", rows[i].value,
		    (long long)mn_retry_after(rows[i].value,
		    mn_transfer_date(rows[i].value)));
	}
	end_rows();
}

static void
test_retry_after_as_a_date(void **state)
{
	static const struct {
		int64_t in;		/* seconds from now */
		int64_t least, most;
	} rows[] = {
		{ -86400, 0, 0 }, { -1, 0, 0 }, { 0, 0, 0 },
		{ 60, 58, 60 }, { 3600, 3598, 3600 },
		{ 100 * 86400, MN_RETRY_AFTER_MAX, MN_RETRY_AFTER_MAX },
	};
	static const char *const rubbish[] = {
		"Mon", "Monday", "tomorrow", "2026-13-45", "00:00:00",
		"Mon, 99 Foo 2026 00:00:00 GMT", "GMT", ",", "-"
	};
	char date[64];
	struct tm tm;
	int64_t got;
	time_t t;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		t = time(NULL) + rows[i].in;
		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(date, sizeof(date),
		    "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
		got = mn_retry_after(date, mn_transfer_date(date));
		ROW(got >= rows[i].least && got <= rows[i].most, "%s: %lld",
		    date, (long long)got);
	}
	for (i = 0; i < ROWS(rubbish); i++)
		ROW(mn_retry_after(rubbish[i], mn_transfer_date(rubbish[i]))
		    == -1, "%s", rubbish[i]);
	end_rows();
	got = mn_transfer_date("Thu, 01 Jan 1970 00:00:10 GMT") +
	    (int64_t)time(NULL);
	assert_in_range(got, 10, 11);
}

static void
test_delay_is_full_jitter_within_its_bounds(void **state)
{
	static const struct {
		int n;
		int64_t most;
	} rows[] = {
		{ 2, 400 }, { 3, 800 }, { 4, 1600 }, { 5, 3200 },
		{ 6, 6400 }, { 7, 8000 }, { 8, 8000 }, { 10, 8000 },
		{ 40, 8000 }, { 1000000, 8000 },
	};
	int64_t low, high, delay;
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		low = INT64_MAX;
		high = -1;
		for (k = 0; k < 2000; k++) {
			delay = mn_retry_delay(rows[i].n, k % 2 ? -1 : 0);
			low = delay < low ? delay : low;
			high = delay > high ? delay : high;
		}
		/* Misses a tenth at either end once in 10^90 times. */
		ROW(low >= 0 && high <= rows[i].most &&
		    low < rows[i].most / 10 &&
		    high > rows[i].most - rows[i].most / 10,
		    "%d: %lld to %lld", rows[i].n, (long long)low,
		    (long long)high);
	}
	end_rows();
}

static void
test_delay_is_no_shorter_than_what_was_asked_for(void **state)
{
	static const int64_t asked[] = { 1, 5, 99999, MN_RETRY_AFTER_MAX };
	bool varies = false;
	int64_t delay, first;
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < ROWS(asked); i++) {
		first = mn_retry_delay(3, asked[i]);
		for (k = 0; k < 100; k++) {
			delay = mn_retry_delay(3, asked[i]);
			ROW(delay >= asked[i] * 1000 &&
			    delay <= asked[i] * 1000 + 200, "%lld: %lld",
			    (long long)asked[i], (long long)delay);
			varies = varies || delay != first;
		}
	}
	end_rows();
	assert_true(varies);
}

static void
test_bucket_holds_ten_and_a_tenth_comes_back_a_call(void **state)
{
	struct mn_bucket b = { MN_BUCKET_MAX };
	int i;

	(void)state;
	for (i = 0; i < 10; i++)
		assert_true(mn_retry_take(&b));
	assert_false(mn_retry_take(&b));
	for (i = 0; i < 9; i++)
		mn_retry_refill(&b);
	assert_false(mn_retry_take(&b));
	mn_retry_refill(&b);
	assert_true(mn_retry_take(&b));
	assert_false(mn_retry_take(&b));
	/* It does not overflow: a quiet month is worth no more than ten. */
	for (i = 0; i < 10000; i++)
		mn_retry_refill(&b);
	for (i = 0; i < 10; i++)
		assert_true(mn_retry_take(&b));
	assert_false(mn_retry_take(&b));
}

#define ROUNDS	20000

static struct mn_bucket shared = { MN_BUCKET_MAX };
static int taken;

static void *
call_often(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		mn_retry_refill(&shared);
		if (mn_retry_take(&shared))
			(void)__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void
test_bucket_of_many_threads_gives_no_more_than_it_had(void **state)
{
	pthread_t thread[4];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, call_often,
		    NULL), 0);
	for (i = 0; i < ROWS(thread); i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	/* What came in went out or is there; a full bucket takes nothing. */
	assert_true(shared.tenths >= 0);
	assert_true(taken * MN_BUCKET_RETRY + shared.tenths <=
	    MN_BUCKET_MAX + (int)ROWS(thread) * ROUNDS);
	assert_true(taken * MN_BUCKET_RETRY + shared.tenths >=
	    (int)ROWS(thread) * ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_status_has_its_code),
		cmocka_unit_test(test_what_an_attempt_did_on_the_other_side),
		cmocka_unit_test(
		    test_an_attempt_helps_only_where_the_provider_says),
		cmocka_unit_test(test_retry_after_in_seconds),
		cmocka_unit_test(test_retry_after_as_a_date),
		cmocka_unit_test(test_delay_is_full_jitter_within_its_bounds),
		cmocka_unit_test(
		    test_delay_is_no_shorter_than_what_was_asked_for),
		cmocka_unit_test(
		    test_bucket_holds_ten_and_a_tenth_comes_back_a_call),
		cmocka_unit_test(
		    test_bucket_of_many_threads_gives_no_more_than_it_had),
	};

	return cmocka_run_group_tests_name("retry", tests, start, NULL);
}
