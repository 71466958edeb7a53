/* SPDX-License-Identifier: MIT */

/* text.c: buffers with a limit, and the small grammars. */

#include "unit.h"

#include "text.h"

static void
test_empty_buffer_reads_as_empty_string(void **state)
{
	struct mn_text t = MN_TEXT_INIT(8);

	(void)state;
	assert_string_equal(mn_text_get(&t), "");
	mn_text_put(&t, NULL, 0);
	assert_string_equal(mn_text_get(&t), "");
	assert_false(t.failed);
	mn_text_free(&t);
}

static void
test_buffer_takes_exactly_its_limit(void **state)
{
	struct mn_text t = MN_TEXT_INIT(4);

	(void)state;
	mn_text_put(&t, "ab", 2);
	mn_text_put(&t, "cd", 2);
	assert_false(t.failed);
	assert_int_equal(t.len, 4);
	assert_string_equal(mn_text_get(&t), "abcd");
	mn_text_put(&t, "e", 1);
	assert_true(t.failed);
	assert_string_equal(mn_text_get(&t), "abcd");
	mn_text_free(&t);
}

static void
test_failed_buffer_keeps_what_it_has_and_takes_no_more(void **state)
{
	struct mn_text t = MN_TEXT_INIT(4);

	(void)state;
	mn_text_put(&t, "abc", 3);
	mn_text_put(&t, "de", 2);
	assert_true(t.failed);
	/* It would fit, but what came before it is missing. */
	mn_text_put(&t, "f", 1);
	mn_text_add(&t, "%s", "g");
	assert_true(t.failed);
	assert_string_equal(mn_text_get(&t), "abc");
	mn_text_free(&t);
}

static void
test_formatted_text_beyond_the_limit_fails_whole(void **state)
{
	struct mn_text t = MN_TEXT_INIT(4);

	(void)state;
	mn_text_add(&t, "%d", 123);
	mn_text_add(&t, "%s", "45");
	assert_true(t.failed);
	assert_string_equal(mn_text_get(&t), "123");
	mn_text_free(&t);
}

static void
test_enormous_length_fails_without_overflow(void **state)
{
	struct mn_text t = MN_TEXT_INIT(100);

	(void)state;
	mn_text_put(&t, "a", 1);
	mn_text_put(&t, "b", SIZE_MAX);
	assert_true(t.failed);
	assert_int_equal(t.len, 1);
	mn_text_free(&t);
}

static void
test_freed_buffer_can_be_used_again_within_its_limit(void **state)
{
	struct mn_text t = MN_TEXT_INIT(3);

	(void)state;
	mn_text_put(&t, "long", 4);
	assert_true(t.failed);
	mn_text_free(&t);
	assert_false(t.failed);
	mn_text_put(&t, "abc", 3);
	assert_string_equal(mn_text_get(&t), "abc");
	mn_text_put(&t, "d", 1);
	assert_true(t.failed);
	mn_text_free(&t);
}

static void
test_nul_bytes_are_kept_and_counted(void **state)
{
	struct mn_text t = MN_TEXT_INIT(100);

	(void)state;
	mn_text_put(&t, "a\0b", 3);
	mn_text_put(&t, "\0", 1);
	assert_int_equal(t.len, 4);
	assert_memory_equal(t.s, "a\0b\0", 5);
	mn_text_free(&t);
}

static void
test_string_is_put_with_the_nul_that_ends_it(void **state)
{
	struct mn_text t = MN_TEXT_INIT(6);

	(void)state;
	mn_text_put_string(&t, "ab");
	mn_text_put_string(&t, "");
	assert_int_equal(t.len, 4);
	assert_memory_equal(t.s, "ab\0\0", 5);
	mn_text_put_string(&t, "c");
	assert_false(t.failed);
	mn_text_put_string(&t, "");
	assert_true(t.failed);
	assert_int_equal(t.len, 6);
	assert_memory_equal(t.s, "ab\0\0c\0", 7);
	mn_text_free(&t);
}

static void
test_what_grows_is_the_callers_to_fill_in(void **state)
{
	struct mn_text t = MN_TEXT_INIT(5);
	char *s;

	(void)state;
	mn_text_put(&t, "a", 1);
	s = mn_text_grow(&t, 4);
	assert_ptr_equal(s, t.s + 1);
	memcpy(s, "bcde", 4);
	assert_int_equal(t.len, 5);
	assert_string_equal(mn_text_get(&t), "abcde");
	assert_null(mn_text_grow(&t, 1));
	assert_true(t.failed);
	assert_string_equal(mn_text_get(&t), "abcde");
	mn_text_free(&t);
}

static void
test_what_is_expected_stays_where_it_is(void **state)
{
	struct mn_text t = MN_TEXT_INIT(1000);
	const char *s;
	int i;

	(void)state;
	mn_text_expect(&t, 1000);
	s = mn_text_get(&t);
	assert_string_equal(s, "");
	for (i = 0; i < 1000; i++)
		mn_text_put(&t, "x", 1);
	assert_ptr_equal(mn_text_get(&t), s);
	assert_false(t.failed);
	mn_text_free(&t);
}

/* Whatever there is of memory and of the limit, it is all there or not. */
static void
test_formatted_text_is_whole_wherever_it_ends(void **state)
{
	char long_text[200];
	struct mn_text t;
	int before, n;

	(void)state;
	memset(long_text, 'y', sizeof(long_text));
	for (before = 0; before < 140; before++) {
		for (n = 0; n < 140; n++) {
			t = (struct mn_text)MN_TEXT_INIT(150);
			mn_text_add(&t, "%.*s", before, long_text);
			mn_text_add(&t, "%.*s", n, long_text);
			assert_true(t.failed == (before + n > 150));
			assert_int_equal(t.len, before +
			    (before + n > 150 ? 0 : n));
			assert_int_equal(strlen(mn_text_get(&t)), t.len);
			mn_text_free(&t);
		}
	}
}

static void
test_growth_keeps_every_byte(void **state)
{
	struct mn_text t = MN_TEXT_INIT(100000);
	size_t i;
	char c;

	(void)state;
	for (i = 0; i < 100000; i++) {
		c = (char)('a' + i % 26);
		mn_text_put(&t, &c, 1);
	}
	assert_false(t.failed);
	assert_int_equal(t.len, 100000);
	for (i = 0; i < 100000; i++)
		assert_int_equal(t.s[i], 'a' + i % 26);
	assert_int_equal(t.s[100000], '\0');
	mn_text_free(&t);
}

static void
test_escape_shows_what_is_not_printable(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
		{ "", 0, "" },
		{ "plain ~text", 11, "plain ~text" },
		{ "\0", 1, "\\x00" },
		{ "a\nb\r", 4, "a\\x0ab\\x0d" },
		{ "\t\x1b[31m", 6, "\\x09\\x1b[31m" },
		{ "\x7f\x80\xff", 3, "\\x7f\\x80\\xff" },
		{ "\x1f\x20\x7e\x7f", 4, "\\x1f ~\\x7f" },
	};
	struct mn_text t;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		t = (struct mn_text)MN_TEXT_INIT(100);
		mn_text_escape(&t, rows[i].in, rows[i].len);
		ROW(strcmp(mn_text_get(&t), rows[i].out) == 0, "%zu: %s", i,
		    mn_text_get(&t));
		mn_text_free(&t);
	}
	end_rows();
}

static void
test_escape_is_never_cut_in_two(void **state)
{
	struct mn_text t = MN_TEXT_INIT(6);

	(void)state;
	mn_text_escape(&t, "abc\n", 4);
	assert_true(t.failed);
	assert_string_equal(mn_text_get(&t), "abc");
	mn_text_free(&t);
}

static void
test_show_lets_through_what_it_is_told_and_no_nul(void **state)
{
	static const char in[] = "a\n\t\0\x1b\xc3\xa9\xc3";
	struct mn_text t = MN_TEXT_INIT(64);
	char *s = exact(in, sizeof(in) - 1);

	(void)state;
	mn_text_show(&t, s, sizeof(in) - 1, "\n\t");
	assert_string_equal(mn_text_get(&t),
	    "a\n\t\\x00\\x1b\xc3\xa9\\xc3");
	mn_text_free(&t);
	mn_text_show(&t, s, sizeof(in) - 1, "");
	assert_string_equal(mn_text_get(&t),
	    "a\\x0a\\x09\\x00\\x1b\xc3\xa9\\xc3");
	mn_text_free(&t);
	free(s);
}

static void
test_no_text_is_the_same_as_no_text_alone(void **state)
{
	char again[] = "space";

	(void)state;
	assert_true(mn_text_same(NULL, NULL));
	assert_false(mn_text_same(NULL, ""));
	assert_false(mn_text_same("", NULL));
	assert_true(mn_text_same("", ""));
	assert_true(mn_text_same("space", again));
	assert_false(mn_text_same("space", "spaces"));
	assert_false(mn_text_same("space", "Space"));
}

/* The bytes of a Latin letter have no other case either: that is a locale's. */
static void
test_only_ascii_letters_have_another_case(void **state)
{
	char a[2] = "", b[2] = "";
	bool same, letter;
	int i, j;

	(void)state;
	for (i = 0; i < 256; i++) {
		for (j = 0; j < 256; j++) {
			a[0] = (char)i;
			b[0] = (char)j;
			letter = (i ^ j) == 0x20 && (i | 0x20) >= 'a' &&
			    (i | 0x20) <= 'z';
			same = i == j || letter;
			ROW(mn_text_alike(a, b, 1) == same &&
			    mn_text_alike(a, b, SIZE_MAX) == same,
			    "%d and %d", i, j);
		}
	}
	end_rows();
}

static void
test_names_are_alike_to_their_end_or_the_limit(void **state)
{
	char *cut = exact("BEARER", 6);

	(void)state;
	assert_true(mn_text_alike(cut, "bearer x", 6));
	free(cut);
	assert_true(mn_text_alike("MONIME-SPACE-ID", "monime-space-id",
	    SIZE_MAX));
	assert_false(mn_text_alike("monime", "monime-", SIZE_MAX));
	assert_false(mn_text_alike("monime-", "monime", SIZE_MAX));
	assert_true(mn_text_alike("monime-", "monime", 6));
	assert_true(mn_text_alike("a", "b", 0));
	/* What stands behind the end is not looked at. */
	assert_true(mn_text_alike("a\0b", "A\0c", 3));
}

/* Wherever the byte stands: they are looked at in eights, and what is left. */
static void
test_classes_of_bytes_end_where_they_should(void **state)
{
	char s[19];
	size_t at;
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		for (at = 0; at < sizeof(s); at++) {
			memset(s, at % 2 ? '!' : '~', sizeof(s));
			s[at] = (char)c;
			ROW(mn_text_visible(s, sizeof(s)) ==
			    (c >= 0x21 && c <= 0x7e),
			    "visible 0x%02x at %zu", c, at);
			ROW(mn_text_printable(s, sizeof(s)) ==
			    (c >= 0x20 && c <= 0x7e),
			    "printable 0x%02x at %zu", c, at);
		}
	}
	end_rows();
	assert_true(mn_text_visible("", 0));
	assert_true(mn_text_printable("", 0));
	assert_false(mn_text_visible("ab c", 4));
	assert_true(mn_text_visible("ab c", 2));
}

static void
test_made_of_counts_and_compares(void **state)
{
	static const struct {
		const char *s;
		size_t len, min, max;
		bool good;
	} rows[] = {
		{ "abc", 3, 1, 3, true },
		{ "abc", 3, 3, 3, true },
		{ "abc", 3, 4, 9, false },
		{ "abc", 3, 1, 2, false },
		{ "", 0, 0, 3, true },
		{ "", 0, 1, 3, false },
		{ "abX", 3, 1, 3, false },
		{ "ab\0", 3, 1, 3, false },	/* strchr() finds the NUL */
		{ "\0", 1, 1, 3, false },
		{ "abX", 2, 1, 3, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		ROW(mn_text_made_of(rows[i].s, rows[i].len, MN_TEXT_LOWER,
		    rows[i].min, rows[i].max) == rows[i].good, "%zu", i);
	end_rows();
}

static void
test_number_is_digits_within_its_maximum(void **state)
{
	static const struct {
		const char *s;
		uint64_t max;
		bool good;
		uint64_t n;
	} rows[] = {
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "7", 6, false, 0 },
		{ "7", 7, true, 7 },
		{ "007", 7, true, 7 },
		{ "65535", 65535, true, 65535 },
		{ "65536", 65535, false, 0 },
		{ "99", 10, false, 0 },
		{ "10", 10, true, 10 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "18446744073709551620", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "9223372036854775807", INT64_MAX, true, INT64_MAX },
		{ "9223372036854775808", INT64_MAX, false, 0 },
		{ "", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
		{ "1\n", 9, false, 0 },
		{ "0x1", 9, false, 0 },
		{ "1e0", 9, false, 0 },
		{ "1.0", 99, false, 0 },
		{ "\xd9\xa3", 9, false, 0 },	/* an Arabic three */
	};
	uint64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		n = 4711;
		ROW(mn_text_number(rows[i].s, strlen(rows[i].s), rows[i].max,
		    &n) == rows[i].good &&
		    n == (rows[i].good ? rows[i].n : 4711),
		    "\"%s\" up to %llu", rows[i].s,
		    (unsigned long long)rows[i].max);
	}
	end_rows();
	assert_true(mn_text_number("12junk", 2, 99, &n));
	assert_int_equal(n, 12);
	assert_false(mn_text_number("1\0002", 3, 999, &n));
}

struct quantity {
	const char *s;
	int64_t n;	/* -1: refused */
};

static void
quantities(bool (*parse)(const char *, int64_t *), const struct quantity *row,
    size_t n)
{
	int64_t got;
	bool good;

	for (; n > 0; n--, row++) {
		got = -1;
		good = parse(row->s, &got);
		ROW(good == (row->n >= 0) && (!good || got == row->n),
		    "\"%s\": %lld", row->s, (long long)got);
	}
	end_rows();
}

static void
test_duration_is_a_number_and_a_unit(void **state)
{
	static const struct quantity rows[] = {
		{ "0 s", 0 }, { "1 ms", 1 }, { "500 ms", 500 },
		{ "30 s", 30000 }, { "30s", 30000 }, { "5 min", 300000 },
		{ "1 h", 3600000 }, { "1 d", 86400000 },
		{ "106751991167 d", 106751991167 * 86400000 },
		{ "106751991168 d", -1 },
		{ "9223372036854775807 ms", INT64_MAX },
		{ "9223372036854775808 ms", -1 },
		{ "9223372036854775 s", 9223372036854775000 },
		{ "9223372036854776 s", -1 },
		{ "99999999999999999999 s", -1 },
		{ "", -1 }, { "s", -1 }, { " s", -1 }, { "30", -1 },
		{ "30 ", -1 }, { "30 S", -1 }, { "30 sec", -1 },
		{ "30 m", -1 }, { "30 M", -1 }, { "30 s ", -1 },
		{ " 30 s", -1 }, { "30\ts", -1 }, { "-30 s", -1 },
		{ "+30 s", -1 }, { "1.5 s", -1 }, { "1 s 1 s", -1 },
		{ "1 h30 min", -1 }, { "0x10 s", -1 }, { "1 KiB", -1 },
	};

	(void)state;
	quantities(mn_text_duration, rows, ROWS(rows));
}

static void
test_size_is_a_number_and_a_unit(void **state)
{
	static const struct quantity rows[] = {
		{ "0 B", 0 }, { "512 B", 512 }, { "64 KiB", 65536 },
		{ "8 MiB", 8388608 }, { "8MiB", 8388608 },
		{ "9223372036854775807 B", INT64_MAX },
		{ "9223372036854775808 B", -1 },
		{ "9007199254740991 KiB", 9007199254740991 * 1024 },
		{ "9007199254740992 KiB", -1 },
		{ "8796093022208 MiB", -1 },
		{ "", -1 }, { "B", -1 }, { "64", -1 }, { "64 KB", -1 },
		{ "64 kib", -1 }, { "64 K", -1 }, { "1 GiB", -1 },
		{ "-1 B", -1 }, { "1 s", -1 }, { "1.5 MiB", -1 },
	};

	(void)state;
	quantities(mn_text_size, rows, ROWS(rows));
}

static void
test_date_is_a_day_of_the_calendar(void **state)
{
	static const struct quantity rows[] = {
		{ "1970-01-01", 0 },
		{ "1970-01-02", 1 },
		{ "1972-02-29", 789 },
		{ "2000-02-29", 11016 },	/* a century that leaps */
		{ "2024-02-29", 19782 },
		{ "2026-11-22", 20779 },
		{ "9999-12-31", 2932896 },
		{ "2100-02-28", 47540 },
		{ "2100-02-29", -1 },		/* one that does not */
		{ "2023-02-29", -1 }, { "2026-02-30", -1 },
		{ "2026-02-31", -1 }, { "2026-04-31", -1 },
		{ "2026-06-31", -1 }, { "2026-09-31", -1 },
		{ "2026-11-31", -1 }, { "2026-12-32", -1 },
		{ "2026-13-01", -1 }, { "2026-00-10", -1 },
		{ "2026-01-00", -1 }, { "1969-12-31", -1 },
		{ "0000-01-01", -1 }, { "", -1 }, { "2026-1-01", -1 },
		{ "2026-01-1", -1 }, { "2026/01/01", -1 },
		{ "20260101", -1 }, { "2026-01-01 ", -1 },
		{ " 2026-01-01", -1 }, { "26-01-01", -1 },
		{ "2026-01-01T00:00", -1 }, { "+026-01-01", -1 },
		{ "2026--1-01", -1 }, { "2026-01--1", -1 },
		{ "01-01-2026", -1 },
	};

	(void)state;
	quantities(mn_text_date, rows, ROWS(rows));
}

static void
test_date_knows_no_time_zone(void **state)
{
	int64_t day;

	(void)state;
	assert_int_equal(setenv("TZ", "Pacific/Kiritimati", 1), 0);
	assert_true(mn_text_date("2026-11-22", &day));
	assert_int_equal(day, 20779);
	assert_int_equal(setenv("TZ", "Pacific/Pago_Pago", 1), 0);
	assert_true(mn_text_date("2026-11-22", &day));
	assert_int_equal(day, 20779);
	assert_int_equal(unsetenv("TZ"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_buffer_reads_as_empty_string),
		cmocka_unit_test(test_buffer_takes_exactly_its_limit),
		cmocka_unit_test(
		    test_failed_buffer_keeps_what_it_has_and_takes_no_more),
		cmocka_unit_test(
		    test_formatted_text_beyond_the_limit_fails_whole),
		cmocka_unit_test(test_enormous_length_fails_without_overflow),
		cmocka_unit_test(
		    test_freed_buffer_can_be_used_again_within_its_limit),
		cmocka_unit_test(test_nul_bytes_are_kept_and_counted),
		cmocka_unit_test(test_string_is_put_with_the_nul_that_ends_it),
		cmocka_unit_test(test_what_grows_is_the_callers_to_fill_in),
		cmocka_unit_test(test_what_is_expected_stays_where_it_is),
		cmocka_unit_test(
		    test_formatted_text_is_whole_wherever_it_ends),
		cmocka_unit_test(test_growth_keeps_every_byte),
		cmocka_unit_test(test_escape_shows_what_is_not_printable),
		cmocka_unit_test(test_escape_is_never_cut_in_two),
		cmocka_unit_test(
		    test_show_lets_through_what_it_is_told_and_no_nul),
		cmocka_unit_test(test_no_text_is_the_same_as_no_text_alone),
		cmocka_unit_test(test_only_ascii_letters_have_another_case),
		cmocka_unit_test(
		    test_names_are_alike_to_their_end_or_the_limit),
		cmocka_unit_test(test_classes_of_bytes_end_where_they_should),
		cmocka_unit_test(test_made_of_counts_and_compares),
		cmocka_unit_test(test_number_is_digits_within_its_maximum),
		cmocka_unit_test(test_duration_is_a_number_and_a_unit),
		cmocka_unit_test(test_size_is_a_number_and_a_unit),
		cmocka_unit_test(test_date_is_a_day_of_the_calendar),
		cmocka_unit_test(test_date_knows_no_time_zone),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
