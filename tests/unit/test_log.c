/* SPDX-License-Identifier: MIT */

/* log.c: what a host's function receives. */

#include "unit.h"

#include <pthread.h>

#include "log.h"

struct heard {
	int count;
	int level;
	char line[16384];
};

static void
hear(void *data, int level, const char *line)
{
	struct heard *h = data;

	h->count++;
	h->level = level;
	(void)snprintf(h->line, sizeof(h->line), "%s", line);
}

static void
test_silence_is_the_default(void **state)
{
	struct heard h = { .count = 0 };
	struct mn_log log;

	(void)state;
	mn_log_init(&log);
	mn_log_write(&log, LOG_EMERG, "anybody?");
	mn_log_set(&log, LOG_DEBUG, NULL, &h);
	mn_log_write(&log, LOG_EMERG, "anybody?");
	assert_int_equal(h.count, 0);
	mn_log_free(&log);
}

static void
test_lines_up_to_the_level_are_heard(void **state)
{
	struct heard h;
	struct mn_log log;
	int level, line;

	(void)state;
	mn_log_init(&log);
	for (level = LOG_EMERG; level <= LOG_DEBUG; level++) {
		mn_log_set(&log, level, hear, &h);
		for (line = LOG_EMERG; line <= LOG_DEBUG; line++) {
			h.count = 0;
			mn_log_write(&log, line, "level %d", line);
			ROW(h.count == (line <= level), "%d at %d", line,
			    level);
			ROW(h.count == 0 || h.level == line, "told as %d",
			    h.level);
		}
	}
	end_rows();
	mn_log_free(&log);
}

static void
test_replaced_function_is_not_called_again(void **state)
{
	struct heard first = { .count = 0 }, second = { .count = 0 };
	struct mn_log log;

	(void)state;
	mn_log_init(&log);
	mn_log_set(&log, LOG_INFO, hear, &first);
	mn_log_write(&log, LOG_INFO, "one");
	mn_log_set(&log, LOG_INFO, hear, &second);
	mn_log_write(&log, LOG_INFO, "two");
	mn_log_set(&log, LOG_INFO, NULL, NULL);
	mn_log_write(&log, LOG_INFO, "three");
	assert_int_equal(first.count, 1);
	assert_string_equal(first.line, "one");
	assert_int_equal(second.count, 1);
	assert_string_equal(second.line, "two");
	mn_log_free(&log);
}

static void
test_no_control_byte_gets_through(void **state)
{
	struct heard h;
	struct mn_log log;
	int c;

	(void)state;
	mn_log_init(&log);
	mn_log_set(&log, LOG_INFO, hear, &h);
	for (c = 1; c < 256; c++) {
		h.count = 0;
		mn_log_write(&log, LOG_INFO, "a%cb", c);
		ROW(h.count == 1 && strlen(h.line) ==
		    (c >= 0x20 && c < 0x7f ? 3 : 6), "0x%02x: %s", c, h.line);
	}
	end_rows();
	mn_log_write(&log, LOG_INFO, "%s", "one\nJan 1 00:00:00 forged");
	assert_string_equal(h.line, "one\\x0aJan 1 00:00:00 forged");
	mn_log_free(&log);
}

static void
test_line_too_long_is_cut_and_not_lost(void **state)
{
	static const size_t lengths[] = {
		MN_LOG_MAX - 1, MN_LOG_MAX, MN_LOG_MAX + 1, 5000, 100000
	};
	struct heard h;
	struct mn_log log;
	size_t i, want;
	char *s;

	(void)state;
	mn_log_init(&log);
	mn_log_set(&log, LOG_INFO, hear, &h);
	for (i = 0; i < ROWS(lengths); i++) {
		s = many('x', lengths[i]);
		h.count = 0;
		mn_log_write(&log, LOG_INFO, "%s", s);
		want = lengths[i] < MN_LOG_MAX ? lengths[i] : MN_LOG_MAX;
		ROW(h.count == 1 && strlen(h.line) == want,
		    "%zu bytes: told %d times, %zu bytes", lengths[i],
		    h.count, strlen(h.line));
		free(s);
	}
	/* What is escaped counts as it is written, and is not cut in two. */
	s = many('\n', 2000);
	mn_log_write(&log, LOG_INFO, "%s", s);
	ROW(strlen(h.line) == MN_LOG_MAX / 4 * 4, "escaped: %zu bytes",
	    strlen(h.line));
	free(s);
	end_rows();
	mn_log_free(&log);
}

static void
test_empty_line_is_not_told(void **state)
{
	struct heard h = { .count = 0 };
	struct mn_log log;

	(void)state;
	mn_log_init(&log);
	mn_log_set(&log, LOG_INFO, hear, &h);
	mn_log_write(&log, LOG_INFO, "%s", "");
	assert_int_equal(h.count, 0);
	mn_log_free(&log);
}

/* Set back to silence while others write: nobody is heard afterwards. */

static struct mn_log shared;
static bool over;
static bool listening;
static int late;

static void
listen(void *data, int level, const char *line)
{
	(void)data;
	(void)level;
	(void)line;
	if (!__atomic_load_n(&listening, __ATOMIC_SEQ_CST))
		(void)__atomic_add_fetch(&late, 1, __ATOMIC_SEQ_CST);
}

static void *
write_always(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		mn_log_write(&shared, LOG_INFO, "line");
	return NULL;
}

static void
test_nobody_is_called_once_set_log_has_returned(void **state)
{
	pthread_t thread[2];
	size_t i;

	(void)state;
	mn_log_init(&shared);
	for (i = 0; i < ROWS(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL,
		    write_always, NULL), 0);
	for (i = 0; i < 200; i++) {
		__atomic_store_n(&listening, true, __ATOMIC_SEQ_CST);
		mn_log_set(&shared, LOG_INFO, listen, NULL);
		mn_log_set(&shared, LOG_INFO, NULL, NULL);
		__atomic_store_n(&listening, false, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (i = 0; i < ROWS(thread); i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(late, 0);
	mn_log_free(&shared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence_is_the_default),
		cmocka_unit_test(test_lines_up_to_the_level_are_heard),
		cmocka_unit_test(test_replaced_function_is_not_called_again),
		cmocka_unit_test(test_no_control_byte_gets_through),
		cmocka_unit_test(test_line_too_long_is_cut_and_not_lost),
		cmocka_unit_test(test_empty_line_is_not_told),
		cmocka_unit_test(
		    test_nobody_is_called_once_set_log_has_returned),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
