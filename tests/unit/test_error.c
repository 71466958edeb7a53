/* SPDX-License-Identifier: MIT */

/* error.c: phrases, statuses, and error texts that nobody can forge. */

#include "unit.h"

#include "error.h"

static const struct {
	int code;
	int status;
} codes[] = {
	{ MONIME_OK, 200 },
	/* The code says no. */
	{ MONIME_EDENIED, 401 },
	{ MONIME_EENVIRONMENT, 401 },
	{ MONIME_EFORBIDDEN, 403 },
	{ MONIME_EPOLICY, 403 },
	/* Nobody knows. */
	{ MONIME_ELIMIT, 503 },
	{ MONIME_EHTTP, 503 },
	{ MONIME_ENET, 503 },
	{ MONIME_ELOST, 503 },
	{ MONIME_EPROTO, 503 },
	{ MONIME_ECANCELED, 503 },
	/* The fault is ours. */
	{ MONIME_EINVAL, 500 },
	{ MONIME_ECONFIG, 500 },
	{ MONIME_EUNSAFE, 500 },
	{ MONIME_ENOMEM, 500 },
	{ MONIME_ESYS, 500 },
	{ MONIME_EPENDING, 500 },
};

static void
test_every_code_has_its_status(void **state)
{
	size_t i;

	(void)state;
	assert_int_equal(ROWS(codes), 1 - MONIME_ECANCELED);
	for (i = 0; i < ROWS(codes); i++)
		ROW(monime_http_status(codes[i].code) == codes[i].status,
		    "%d: %d", codes[i].code,
		    monime_http_status(codes[i].code));
	end_rows();
}

static void
test_only_success_is_200(void **state)
{
	int code;

	(void)state;
	for (code = -1000; code <= 1000; code++)
		ROW((monime_http_status(code) == 200) == (code == MONIME_OK),
		    "%d", code);
	end_rows();
}

static void
test_unknown_code_is_a_failure_of_ours(void **state)
{
	static const int unknown[] = {
		1, 200, MONIME_ECANCELED - 1, INT32_MIN, INT32_MAX
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(unknown); i++) {
		assert_int_equal(monime_http_status(unknown[i]), 500);
		assert_non_null(monime_strerror(unknown[i]));
		CONTAINS(monime_strerror(unknown[i]), "unknown");
	}
}

static void
test_every_code_has_a_phrase_of_its_own(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < ROWS(codes); i++) {
		assert_true(strlen(monime_strerror(codes[i].code)) > 3);
		assert_null(strstr(monime_strerror(codes[i].code),
		    "unknown failure"));
		for (j = 0; j < i; j++)
			assert_string_not_equal(
			    monime_strerror(codes[i].code),
			    monime_strerror(codes[j].code));
	}
}

static void
test_numbers_never_change(void **state)
{
	(void)state;
	assert_int_equal(MONIME_OK, 0);
	assert_int_equal(MONIME_EDENIED, -1);
	assert_int_equal(MONIME_ENET, -7);
	assert_int_equal(MONIME_EINVAL, -10);
	assert_int_equal(MONIME_ECANCELED, -16);
}

static void
test_each_error_is_a_line(void **state)
{
	struct mn_error e = MN_ERROR_INIT;

	(void)state;
	assert_string_equal(mn_error_get(&e), "");
	assert_int_equal(mn_error_add(&e, MONIME_ECONFIG, "%s:%d", "a", 1),
	    MONIME_ECONFIG);
	assert_string_equal(mn_error_get(&e), "a:1");
	assert_int_equal(mn_error_add(&e, MONIME_EUNSAFE, "b"),
	    MONIME_EUNSAFE);
	assert_string_equal(mn_error_get(&e), "a:1\nb");
	mn_error_free(&e);
	assert_string_equal(mn_error_get(&e), "");
}

static void
test_quoted_bytes_forge_neither_line_nor_terminal(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{ "a\nb", "a\\x0ab" },
		{ "a\r\nb", "a\\x0d\\x0ab" },
		{ "a\x1b[2Jb", "a\\x1b[2Jb" },
		{ "a\tb\x7f", "a\\x09b\\x7f" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },		/* 2 bytes */
		{ "\xe2\x93\x82", "\xe2\x93\x82" },		/* 3 bytes */
		{ "\xf0\x9f\x92\xb0", "\xf0\x9f\x92\xb0" },	/* 4 bytes */
		{ "\xc2\xa0", "\xc2\xa0" },
		{ "\x80", "\\x80" },			/* no beginning */
		{ "\x9b" "2J", "\\x9b2J" },		/* CSI in one byte */
		{ "\xc2\x9b" "2J", "\\xc2\\x9b2J" },	/* CSI in UTF-8 */
		{ "\xc2\x85", "\\xc2\\x85" },		/* NEL: a new line */
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },	/* U+2028: likewise */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" },	/* right to left */
		{ "\xe2\x80\x8f", "\\xe2\\x80\\x8f" },	/* a mark of it */
		{ "\xd8\x9c", "\\xd8\\x9c" },		/* likewise */
		{ "\xef\xbb\xbf", "\\xef\\xbb\\xbf" },	/* unseen */
		{ "\xc3", "\\xc3" },			/* cut off */
		{ "\xc3(", "\\xc3(" },
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xc0\xaf", "\\xc0\\xaf" },		/* too long a form */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },	/* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xff\xfe", "\\xff\\xfe" },
	};
	struct mn_error e;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		e = (struct mn_error)MN_ERROR_INIT;
		(void)mn_error_add(&e, MONIME_ECONFIG, "%s", rows[i].in);
		ROW(strcmp(mn_error_get(&e), rows[i].out) == 0, "%zu: %s", i,
		    mn_error_get(&e));
		mn_error_free(&e);
	}
	end_rows();
}

static void
test_error_too_long_is_cut_and_not_lost(void **state)
{
	struct mn_error e = MN_ERROR_INIT;
	char *s = many('x', 3 * MN_ERROR_MAX);
	size_t len;

	(void)state;
	(void)mn_error_add(&e, MONIME_ECONFIG, "begin %s end", s);
	len = strlen(mn_error_get(&e));
	assert_true(len > 1000 && len <= MN_ERROR_MAX);
	CONTAINS(mn_error_get(&e), "begin xxx");
	assert_string_equal(mn_error_get(&e) + len - 3, "...");
	(void)mn_error_add(&e, MONIME_ECONFIG, "next");
	CONTAINS(mn_error_get(&e), "\nnext");
	mn_error_free(&e);
	free(s);
}

static void
test_errors_in_all_stay_within_their_limit(void **state)
{
	struct mn_error e = MN_ERROR_INIT;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++)
		(void)mn_error_add(&e, MONIME_ECONFIG, "error number %d", i);
	assert_true(strlen(mn_error_get(&e)) <= MN_ERROR_MAX);
	CONTAINS(mn_error_get(&e), "error number 0\nerror number 1\n");
	mn_error_free(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_has_its_status),
		cmocka_unit_test(test_only_success_is_200),
		cmocka_unit_test(test_unknown_code_is_a_failure_of_ours),
		cmocka_unit_test(test_every_code_has_a_phrase_of_its_own),
		cmocka_unit_test(test_numbers_never_change),
		cmocka_unit_test(test_each_error_is_a_line),
		cmocka_unit_test(
		    test_quoted_bytes_forge_neither_line_nor_terminal),
		cmocka_unit_test(test_error_too_long_is_cut_and_not_lost),
		cmocka_unit_test(test_errors_in_all_stay_within_their_limit),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
