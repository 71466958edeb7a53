/* SPDX-License-Identifier: MIT */

/* metrics.c and what is written of it: sums, sharing, escaping, limits. */

#include <pthread.h>
#include <sys/wait.h>

#include "folder.h"

/* For what is static; the Makefile lets these definitions come first. */
#undef _GNU_SOURCE
#include "../../lib/metrics.c"

#define THREADS		8
#define CHILDREN	4
#define EACH		20000

static struct folder home, other;
static const char *const both[] = { "openmetrics", "html" };

static int
make_folders(void **state)
{
	(void)state;
	if (!folder_make(&home) || !folder_make(&other))
		return 0;
	return 0;
}

static int
remove_folders(void **state)
{
	(void)state;
	folder_remove(&home);
	folder_remove(&other);
	return 0;
}

#define NEED_FOLDER	do {						\
	if (home.path[0] == '\0')					\
		skip();							\
} while (0)

#define PLAIN	"provider = \"monime\";\nspace = \"spc-1\";\n" \
		"token = \"mon_test_canary\";\n"

static struct monime *
open_in(const struct folder *f, const char *name, const char *text)
{
	struct monime *m;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s.conf", name);
	folder_write(f, path, text);
	if (monime_open(name, f->path, &m) != MONIME_OK)
		fail_msg("%s", monime_error(m));
	return m;
}

/* The whole text; the caller frees it. */
static char *
whole(struct monime *const *m, size_t n, const char *format)
{
	size_t size, len = monime_metrics(m, n, format, NULL, 0);
	char *text = NULL;

	/* "9 seconds old" is longer a moment later. */
	do {
		free(text);
		size = len + 1;
		text = malloc(size);
		assert_non_null(text);
		len = monime_metrics(m, n, format, text, size);
	} while (len >= size);
	assert_int_equal(strlen(text), len);
	return text;
}

static size_t
times(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

static void *
count_some(void *arg)
{
	struct monime *m = arg;
	int i;

	for (i = 0; i < EACH; i++) {
		mn_metrics_verdict(m, MONIME_OK, MN_SOURCE_CACHE);
		mn_metrics_count(m, MN_COUNT_REQUESTS, MONIME_EHTTP,
		    MN_STATUS_5XX);
	}
	return NULL;
}

static void
count_in_threads(struct monime *m)
{
	pthread_t thread[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count_some,
		    m), 0);
	for (i = 0; i < THREADS; i++)
		(void)pthread_join(thread[i], NULL);
}

static void
test_forks_and_threads_add_up_exactly(void **state)
{
	struct mn_numbers all = { .retries = 0 };
	const uint64_t want = (CHILDREN + 1) * THREADS * EACH;
	struct monime *m;
	pid_t child[CHILDREN];
	int i, status;

	(void)state;
	NEED_FOLDER;
	m = open_in(&home, "test/a", PLAIN);
	for (i = 0; i < CHILDREN; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] == 0) {
			mn_metrics_forget();
			count_in_threads(m);
			_exit(0);
		}
	}
	count_in_threads(m);
	for (i = 0; i < CHILDREN; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	sum(m->metrics->shared, &all);
	assert_int_equal(all.verdicts[0][MN_SOURCE_CACHE], want);
	assert_int_equal(all.requests[-MONIME_EHTTP][MN_STATUS_5XX], want);
	all.verdicts[0][MN_SOURCE_CACHE] = 0;
	all.requests[-MONIME_EHTTP][MN_STATUS_5XX] = 0;
	for (i = 0; i < (int)(sizeof(all) / sizeof(uint64_t)); i++)
		assert_int_equal(((uint64_t *)&all)[i], 0);
	monime_close(m);
}

static void *
slot_of(void *arg)
{
	return numbers(arg);
}

static void
test_threads_and_children_have_lines_of_their_own(void **state)
{
	struct monime *m;
	struct mn_numbers *mine;
	void *theirs;
	pthread_t thread;
	pid_t child;
	int status;

	(void)state;
	NEED_FOLDER;
	m = open_in(&home, "test/a", PLAIN);
	mine = numbers(m->metrics);
	assert_ptr_equal(numbers(m->metrics), mine);
	assert_int_equal((uintptr_t)mine % LINE, 0);
	assert_int_equal(pthread_create(&thread, NULL, slot_of, m->metrics),
	    0);
	(void)pthread_join(thread, &theirs);
	assert_ptr_not_equal(theirs, mine);
	child = fork();
	if (child == 0) {
		mn_metrics_forget();
		_exit(numbers(m->metrics) == mine);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	monime_close(m);
}

static void
test_each_counter_has_its_own_place(void **state)
{
	const struct mn_counter_row *row;
	struct mn_reading r = { .refused = false };
	struct monime *m;
	size_t what, i, j, k, n = 0;
	const size_t words = sizeof(struct mn_numbers) / sizeof(uint64_t);

	(void)state;
	NEED_FOLDER;
	m = open_in(&home, "test/a", PLAIN);
	for (what = 0; what < MN_COUNTERS; what++) {
		row = &mn_reading_counters[what];
		for (i = 0; i < row->by[0].n; i++) {
			for (j = 0; j < row->by[1].n; j++, n++)
				mn_metrics_count(m, (enum mn_counter)what,
				    row->by[0].n == MN_METRICS_RESULTS ?
				    -(int)i : (int)i, (int)j);
		}
		/* What nobody knows is counted nowhere. */
		mn_metrics_count(m, (enum mn_counter)what, -17, 0);
		mn_metrics_count(m, (enum mn_counter)what, 17, 0);
		mn_metrics_count(m, (enum mn_counter)what, 0, 6);
		mn_metrics_count(m, (enum mn_counter)what, INT32_MIN, 0);
	}
	mn_metrics_verdict(m, 1, MN_SOURCE_CACHE);
	mn_metrics_verdict(m, -17, MN_SOURCE_CACHE);
	sum(m->metrics->shared, &r.numbers);
	for (what = 0; what < MN_COUNTERS; what++) {
		row = &mn_reading_counters[what];
		for (i = 0; i < row->by[0].n; i++) {
			for (j = 0; j < row->by[1].n; j++)
				assert_int_equal(mn_reading_number(&r, row, i,
				    j), 1);
		}
	}
	for (k = 0; k < words; k++)
		n -= ((uint64_t *)&r.numbers)[k];
	assert_int_equal(n, 0);
	monime_close(m);
}

static void
test_result_words_are_the_names_of_the_codes(void **state)
{
	const struct mn_dimension *by =
	    &mn_reading_counters[MN_COUNT_VERDICTS].by[0];

	(void)state;
	assert_string_equal(by->words[-MONIME_OK], "ok");
	assert_string_equal(by->words[-MONIME_EDENIED], "denied");
	assert_string_equal(by->words[-MONIME_EENVIRONMENT], "environment");
	assert_string_equal(by->words[-MONIME_EPROTO], "proto");
	assert_string_equal(by->words[-MONIME_EINVAL], "inval");
	assert_string_equal(by->words[-MONIME_ESYS], "sys");
	assert_string_equal(by->words[-MONIME_ECANCELED], "canceled");
	assert_int_equal(by->n, -MONIME_ECANCELED + 1);
}

/* monime.h: shared by the handles that one process opens on one profile. */
static void
test_handles_on_one_profile_are_told_once(void **state)
{
	struct monime *m[3];
	char *text;

	(void)state;
	NEED_FOLDER;
	m[0] = open_in(&home, "test/a", PLAIN);
	m[1] = open_in(&home, "test/b", PLAIN);
	m[2] = open_in(&home, "test/a", PLAIN);
	assert_ptr_equal(m[0]->metrics, m[2]->metrics);
	assert_ptr_not_equal(m[0]->metrics, m[1]->metrics);
	mn_metrics_count(m[0], MN_COUNT_RETRIES, 0, 0);
	mn_metrics_count(m[2], MN_COUNT_RETRIES, 0, 0);
	text = whole(m, 3, "openmetrics");
	assert_int_equal(times(text, "monime_retries_total{profile=\"test/a\""),
	    1);
	CONTAINS(text, "monime_retries_total{profile=\"test/a\",environment="
	    "\"test\",provider=\"monime\"} 2\n");
	free(text);
	/* The first goes; what it counted stays while another is open. */
	monime_close(m[0]);
	text = whole(&m[2], 1, "openmetrics");
	CONTAINS(text, "provider=\"monime\"} 2\n");
	free(text);
	monime_close(m[2]);
	m[0] = open_in(&home, "test/a", PLAIN);
	text = whole(&m[0], 1, "openmetrics");
	CONTAINS(text, "monime_retries_total{profile=\"test/a\",environment="
	    "\"test\",provider=\"monime\"} 0\n");
	free(text);
	monime_close(m[0]);
	monime_close(m[1]);
}

/* Both may be served to anybody; the log and the doctor tell the rest. */
static void
test_refused_profile_tells_no_path(void **state)
{
	struct monime *m;
	char *text;
	size_t i;

	(void)state;
	NEED_FOLDER;
	m = open_in(&home, "test/a", PLAIN);
	m->refused = true;
	m->refusal = strdup("/srv/secret/a.token is gone");
	for (i = 0; i < ROWS(both); i++) {
		text = whole(&m, 1, both[i]);
		assert_null(strstr(text, "/srv/"));
		assert_null(strstr(text, "a.token"));
		assert_null(strstr(text, home.path));
		free(text);
	}
	text = whole(&m, 1, "html");
	CONTAINS(text, "Calls are refused: our own profile forbids it.  The "
	    "log says why, and so does monime doctor.");
	free(text);
	text = whole(&m, 1, "openmetrics");
	CONTAINS(text, "monime_profile_usable{profile=\"test/a\",environment="
	    "\"test\",provider=\"monime\"} 0\n");
	free(text);
	monime_close(m);
}

static void
test_namesakes_of_two_folders_are_added_up(void **state)
{
	struct monime *m[3];
	char *text;

	(void)state;
	NEED_FOLDER;
	m[0] = open_in(&home, "test/a", PLAIN);
	m[1] = open_in(&other, "test/a", PLAIN);
	m[2] = open_in(&other, "test/a", PLAIN);
	mn_metrics_count(m[0], MN_COUNT_RETRIES, 0, 0);
	mn_metrics_count(m[1], MN_COUNT_RETRIES, 0, 0);
	mn_metrics_count(m[2], MN_COUNT_RETRIES, 0, 0);
	text = whole(m, 3, "openmetrics");
	assert_int_equal(times(text, "monime_retries_total{"), 1);
	CONTAINS(text, "monime_retries_total{profile=\"test/a\",environment="
	    "\"test\",provider=\"monime\"} 3\n");
	free(text);
	monime_close(m[0]);
	monime_close(m[1]);
	monime_close(m[2]);
}

static void
test_what_did_not_open_is_counted(void **state)
{
	struct monime *m[3] = { NULL, NULL, NULL };
	char *text;

	(void)state;
	NEED_FOLDER;
	m[1] = open_in(&home, "test/a", PLAIN);
	assert_int_not_equal(monime_open("test/none", home.path, &m[2]),
	    MONIME_OK);
	text = whole(m, 3, "openmetrics");
	CONTAINS(text, "\nmonime_profiles_not_open 2\n");
	free(text);
	text = whole(m, 3, "html");
	CONTAINS(text, "2 profiles did not open");
	/* Paths are the log's. */
	assert_null(strstr(text, home.path));
	free(text);
	monime_close(m[1]);
	monime_close(m[2]);
}

static void
test_arguments(void **state)
{
	static const char *const unknown[] = {
		NULL, "", "json", "HTML", "openmetrics "
	};
	char buf[8];
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(unknown); i++) {
		memset(buf, 'x', sizeof(buf));
		ROW(monime_metrics(NULL, 0, unknown[i], buf, sizeof(buf)) == 0,
		    "%s", unknown[i]);
		ROW(buf[0] == '\0', "%s", unknown[i]);
		ROW(monime_metrics(NULL, 0, unknown[i], NULL, 0) == 0, "%s",
		    unknown[i]);
	}
	end_rows();
	/* No list is an empty one, whatever its length. */
	text = whole(NULL, 5, "openmetrics");
	CONTAINS(text, "monime_profiles_not_open 0\n");
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	free(text);
	/* A size without a buffer is no buffer. */
	assert_int_not_equal(monime_metrics(NULL, 0, "html", NULL, 9), 0);
	memset(buf, 'x', sizeof(buf));
	assert_int_not_equal(monime_metrics(NULL, 0, "html", buf, 0), 0);
	assert_int_equal(buf[0], 'x');
}

static void
test_cut_at_every_size(void **state)
{
	static const struct timespec old[2] = {
		{ .tv_sec = 1600000000 }, { .tv_sec = 1600000000 }
	};
	struct monime *m;
	char path[300], *text, *cut;
	size_t i, size, len;

	(void)state;
	NEED_FOLDER;
	/* "9 seconds old" would be longer a moment later. */
	monime_close(open_in(&home, "test/a", PLAIN));
	(void)snprintf(path, sizeof(path), "%s/test/a.conf", home.path);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(monime_open("test/a", home.path, &m), MONIME_OK);
	count_some(m);
	for (i = 0; i < ROWS(both); i++) {
		text = whole(&m, 1, both[i]);
		len = strlen(text);
		/* Each size at both ends, and some between them. */
		for (size = 1; size <= len + 2;
		    size += size < 80 || size > len - 80 ? 1 : 97) {
			/* exact: whatever is written behind it is seen. */
			cut = malloc(size);
			assert_non_null(cut);
			assert_int_equal(monime_metrics(&m, 1, both[i],
			    cut, size), len);
			assert_int_equal(strlen(cut),
			    size <= len ? size - 1 : len);
			/* Its end has times, which go on. */
			if (size < 600)
				assert_memory_equal(cut, text, size - 1 < len ?
				    size - 1 : len);
			free(cut);
		}
		free(text);
	}
	monime_close(m);
}

static void
test_html_is_escaped(void **state)
{
	struct monime *m;
	char *text;

	(void)state;
	NEED_FOLDER;
	m = open_in(&home, "test/a", PLAIN
	    "purpose = \"<script>alert(1)</script> & 'x'\";\n"
	    "owner = \"\\\"><img src=x onerror=y>\";\n");
	text = whole(&m, 1, "html");
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<img"));
	CONTAINS(text, "&#60;script&#62;alert(1)&#60;/script&#62; &#38; "
	    "&#39;x&#39;");
	CONTAINS(text, "&#34;&#62;&#60;img src=x onerror=y&#62;");
	assert_null(strstr(text, "canary"));
	free(text);
	text = whole(&m, 1, "openmetrics");
	assert_null(strstr(text, "canary"));
	free(text);
	monime_close(m);
}

static void
test_live_is_told_in_words_and_comes_first(void **state)
{
	struct monime *m[2];
	char *text;

	(void)state;
	NEED_FOLDER;
	if (geteuid() != 0)
		skip();
	folder_write(&home, "monime.conf",
	    "environments = [\"test\", \"live\"];\n");
	m[0] = open_in(&home, "test/a", PLAIN);
	m[1] = open_in(&home, "live/b", "provider = \"monime\";\n"
	    "space = \"spc-1\";\ntoken = \"mon_canary\";\n");
	text = whole(m, 2, "html");
	CONTAINS(text, "2 profiles, 1 live");
	CONTAINS(text, "<b>LIVE</b> real money");
	assert_true(strstr(text, "<h2 id=\"h1\">live/b") <
	    strstr(text, "<h2 id=\"h0\">test/a"));
	free(text);
	monime_close(m[0]);
	monime_close(m[1]);
}

/* Days of the profile, told in seconds; the named day still counts. */
static void
test_dates(void **state)
{
	int64_t now = 86400 * 100 + 60;

	(void)state;
	assert_int_equal(until(-1, now), MN_READING_NONE);
	assert_int_equal(until(100, now), 86340);
	assert_int_equal(until(99, now), -60);
	assert_int_equal(until(0, now), -99 * 86400 - 60);
}

static void
test_overdue_rotation_is_told(void **state)
{
	struct monime *m;
	char *text;

	(void)state;
	NEED_FOLDER;
	m = open_in(&home, "test/a", PLAIN "rotate_by = \"2020-02-29\";\n"
	    "expires = \"2999-12-31\";\n");
	text = whole(&m, 1, "html");
	CONTAINS(text, "The credential was to be replaced");
	assert_null(strstr(text, "The profile expires"));
	free(text);
	text = whole(&m, 1, "openmetrics");
	CONTAINS(text, "monime_credential_rotation_seconds{profile=\"test/a\""
	    ",environment=\"test\",provider=\"monime\"} -");
	CONTAINS(text, "monime_credential_age_seconds{");
	CONTAINS(text, "monime_credential_info{");
	free(text);
	monime_close(m);
}

static void
test_profile_without_a_credential_has_no_age(void **state)
{
	struct monime *m;
	char *text;

	(void)state;
	NEED_FOLDER;
	m = open_in(&home, "test/a",
	    "provider = \"monime\";\nspace = \"spc-1\";\n");
	text = whole(&m, 1, "openmetrics");
	assert_null(strstr(text, "monime_credential_age_seconds{"));
	assert_null(strstr(text, "monime_credential_info{"));
	assert_null(strstr(text, "monime_api_version_deprecated{"));
	free(text);
	mn_metrics_deprecated(m, true);
	text = whole(&m, 1, "openmetrics");
	CONTAINS(text, "monime_api_version_deprecated{profile=\"test/a\","
	    "environment=\"test\",provider=\"monime\"} 1\n");
	free(text);
	monime_close(m);
}

/* Whoever writes into the memory makes the numbers lie, and nothing else. */
static void
test_hostile_memory(void **state)
{
	static const unsigned char bytes[] = { 0xff, 0x80, 0x7f, 0x01 };
	struct monime *m;
	char *text;
	size_t i, j;

	(void)state;
	NEED_FOLDER;
	m = open_in(&home, "test/a", PLAIN);
	for (i = 0; i < ROWS(bytes); i++) {
		memset(m->metrics->shared, bytes[i],
		    sizeof(*m->metrics->shared));
		count_some(m);
		for (j = 0; j < ROWS(both); j++) {
			text = whole(&m, 1, both[j]);
			assert_true(strlen(text) > 1000);
			free(text);
		}
	}
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forks_and_threads_add_up_exactly),
		cmocka_unit_test(
		    test_threads_and_children_have_lines_of_their_own),
		cmocka_unit_test(test_each_counter_has_its_own_place),
		cmocka_unit_test(test_result_words_are_the_names_of_the_codes),
		cmocka_unit_test(test_handles_on_one_profile_are_told_once),
		cmocka_unit_test(test_refused_profile_tells_no_path),
		cmocka_unit_test(test_namesakes_of_two_folders_are_added_up),
		cmocka_unit_test(test_what_did_not_open_is_counted),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_cut_at_every_size),
		cmocka_unit_test(test_html_is_escaped),
		cmocka_unit_test(test_live_is_told_in_words_and_comes_first),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_overdue_rotation_is_told),
		cmocka_unit_test(test_profile_without_a_credential_has_no_age),
		cmocka_unit_test(test_hostile_memory),
	};

	return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
