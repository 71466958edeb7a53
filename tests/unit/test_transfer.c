/* SPDX-License-Identifier: MIT */

/* transfer.c: the head of an answer, limits, and how an exchange ended. */

#include "unit.h"
#include "copies.h"

/* For what is static; the Makefile lets these definitions come first. */
#undef _GNU_SOURCE
#include "../../lib/transfer.c"

/* An answer's head, fed line by line as libcurl does. */
static void
feed(struct mn_transfer *t, const char *const *lines)
{
	size_t len;
	char *line;

	for (; *lines != NULL; lines++) {
		len = strlen(*lines);
		line = exact(*lines, len);	/* libcurl adds no NUL */
		ROW(on_header(line, 1, len, t) == len, "%s", *lines);
		free(line);
	}
}

static void
test_header_is_found_whatever_its_case(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "Monime-Request-Id: req-1\r\n",
		"CONTENT-TYPE: application/json\r\n", "retry-after: 5\r\n",
		"\r\n", NULL
	};
	static const char *const names[][2] = {
		{ "Monime-Request-Id", "req-1" },
		{ "monime-request-id", "req-1" },
		{ "MONIME-REQUEST-ID", "req-1" },
		{ "Content-Type", "application/json" },
		{ "Retry-After", "5" },
		{ "Retry-Afte", NULL }, { "Retry-After2", NULL },
		{ "etry-After", NULL }, { "", NULL }, { "HTTP/1.1 200", NULL },
		{ "req-1", NULL }, { "application/json", NULL }, { "5", NULL },
	};
	struct mn_transfer t;
	const char *got;
	size_t i;

	(void)state;
	mn_transfer_init(&t);
	feed(&t, lines);
	for (i = 0; i < ROWS(names); i++) {
		got = mn_transfer_header(&t.head, names[i][0]);
		ROW(names[i][1] == NULL ? got == NULL :
		    got != NULL && strcmp(got, names[i][1]) == 0, "%s: %s",
		    names[i][0], got != NULL ? got : "NULL");
	}
	end_rows();
	mn_transfer_free(&t);
}

static void
test_first_of_several_headers_counts(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "X-A: first\r\n", "x-a: second\r\n",
		"X-B: b\r\n", "\r\n", NULL
	};
	struct mn_transfer t;

	(void)state;
	mn_transfer_init(&t);
	feed(&t, lines);
	assert_string_equal(mn_transfer_header(&t.head, "X-a"), "first");
	assert_string_equal(mn_transfer_header(&t.head, "X-B"), "b");
	end_rows();
	mn_transfer_free(&t);
}

static void
test_headers_asked_for_together_are_those_asked_for_alone(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "X-Abc: 1\r\n", "x-ab: 2\r\n",
		"y-ab: 3\r\n", "X-AB: 4\r\n", "x-abd: 5\r\n", "\r\n", NULL
	};
	static const char *const names[] = {
		"X-Ab", "Y-AB", "X", "X-Abc", "8-ab", "", "x-ab"
	};
	const char *value[ROWS(names)], *alone;
	struct mn_transfer t;
	size_t i;

	(void)state;
	mn_transfer_init(&t);
	mn_transfer_headers(&t.head, names, value, ROWS(names));
	for (i = 0; i < ROWS(names); i++)
		assert_null(value[i]);
	feed(&t, lines);
	mn_transfer_headers(&t.head, names, value, ROWS(names));
	for (i = 0; i < ROWS(names); i++) {
		alone = mn_transfer_header(&t.head, names[i]);
		ROW(alone == value[i], "%s", names[i]);
	}
	assert_string_equal(value[0], "2");
	assert_string_equal(value[1], "3");
	assert_null(value[2]);
	assert_string_equal(value[3], "1");
	assert_null(value[4]);
	assert_null(value[5]);
	assert_string_equal(value[6], "2");
	end_rows();
	mn_transfer_free(&t);
}

static void
test_headers_are_counted_in_their_order(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "A: 1\r\n", "B:\r\n", "A: 2\r\n",
		"\r\n", NULL
	};
	static const char *const want[][2] = {
		{ "A", "1" }, { "B", "" }, { "A", "2" }
	};
	struct mn_transfer t;
	const char *name, *value;
	size_t i;

	(void)state;
	mn_transfer_init(&t);
	assert_null(mn_transfer_header_at(&t.head, 0, NULL));
	feed(&t, lines);
	for (i = 0; i < ROWS(want); i++) {
		value = NULL;
		name = mn_transfer_header_at(&t.head, i, &value);
		assert_non_null(name);
		assert_string_equal(name, want[i][0]);
		assert_string_equal(value, want[i][1]);
		assert_ptr_equal(mn_transfer_header_at(&t.head, i, NULL),
		    name);
	}
	assert_null(mn_transfer_header_at(&t.head, ROWS(want), &value));
	assert_null(mn_transfer_header_at(&t.head, SIZE_MAX, &value));
	end_rows();
	mn_transfer_free(&t);
}

static void
test_white_space_around_a_value_goes(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "A:x\r\n", "B: \t y z \t\r\n",
		"C:   \r\n", "D: no end of line", "E: lone newline\n",
		"F: a: b\r\n", "\r\n", NULL
	};
	static const char *const want[][2] = {
		{ "A", "x" }, { "B", "y z" }, { "C", "" },
		{ "D", "no end of line" }, { "E", "lone newline" },
		{ "F", "a: b" },
	};
	struct mn_transfer t;
	size_t i;

	(void)state;
	mn_transfer_init(&t);
	feed(&t, lines);
	for (i = 0; i < ROWS(want); i++)
		assert_string_equal(mn_transfer_header(&t.head, want[i][0]),
		    want[i][1]);
	end_rows();
	mn_transfer_free(&t);
}

static void
test_line_that_is_no_header_is_left_out(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "A: 1\r\n", " folded: 2\r\n",
		"\tfolded: 3\r\n", ": no name\r\n", "no colon\r\n",
		"B: 4\r\n", "\r\n", NULL
	};
	struct mn_transfer t;

	(void)state;
	mn_transfer_init(&t);
	feed(&t, lines);
	assert_string_equal(mn_transfer_header_at(&t.head, 0, NULL), "A");
	assert_string_equal(mn_transfer_header_at(&t.head, 1, NULL), "B");
	assert_null(mn_transfer_header_at(&t.head, 2, NULL));
	end_rows();
	mn_transfer_free(&t);
}

static void
test_nul_in_a_header_shifts_no_other(void **state)
{
	static const char *const before[] = {
		"HTTP/1.1 200 OK\r\n", "A: 1\r\n", NULL
	};
	static const char *const after[] = { "B: 2\r\n", "\r\n", NULL };
	static char value[] = "X: a\0Retry-After\r\n";
	static char name[] = "X\0Y: z\r\n";
	struct mn_transfer t;

	(void)state;
	mn_transfer_init(&t);
	feed(&t, before);
	(void)on_header(value, 1, sizeof(value) - 1, &t);
	(void)on_header(name, 1, sizeof(name) - 1, &t);
	feed(&t, after);
	assert_null(mn_transfer_header(&t.head, "Retry-After"));
	assert_null(mn_transfer_header(&t.head, "Y"));
	assert_string_equal(mn_transfer_header(&t.head, "A"), "1");
	assert_string_equal(mn_transfer_header(&t.head, "B"), "2");
	end_rows();
	mn_transfer_free(&t);
}

static void
test_head_of_the_last_status_replaces_interim_ones(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 100 Continue\r\n", "X-Interim: 1\r\n", "\r\n",
		"HTTP/1.1 103 Early Hints\r\n", "X-Early: 1\r\n", "\r\n",
		"HTTP/1.1 200 OK\r\n", "X-Last: 1\r\n", "\r\n", NULL
	};
	struct mn_transfer t;

	(void)state;
	mn_transfer_init(&t);
	feed(&t, lines);
	assert_null(mn_transfer_header(&t.head, "X-Interim"));
	assert_null(mn_transfer_header(&t.head, "X-Early"));
	assert_string_equal(mn_transfer_header(&t.head, "X-Last"), "1");
	end_rows();
	mn_transfer_free(&t);
}

static void
test_trailer_is_no_header(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "A: 1\r\n", "\r\n",
		"Retry-After: 99\r\n", "A: 2\r\n", NULL
	};
	struct mn_transfer t;

	(void)state;
	mn_transfer_init(&t);
	feed(&t, lines);
	assert_null(mn_transfer_header(&t.head, "Retry-After"));
	assert_string_equal(mn_transfer_header(&t.head, "A"), "1");
	assert_null(mn_transfer_header_at(&t.head, 1, NULL));
	end_rows();
	mn_transfer_free(&t);
}

static void
test_heads_of_more_than_64_kib_are_refused(void **state)
{
	static char status[] = "HTTP/1.1 100 Continue\r\n";
	static char empty[] = "\r\n";
	struct mn_transfer t;
	size_t n, each, sent = 0;
	char *line;

	(void)state;
	mn_transfer_init(&t);
	line = many('x', 1000);
	memcpy(line, "X: ", 3);
	/* Spread over interim answers too, each of which starts anew. */
	for (n = 0; n < 100; n++) {
		each = on_header(status, 1, strlen(status), &t);
		if (each == 0)
			break;
		each = on_header(line, 1, 1000, &t);
		if (each == 0 || on_header(empty, 1, 2, &t) == 0)
			break;
		sent += strlen(status) + 1002;
	}
	assert_in_range(sent, MN_TRANSFER_HEAD_MAX - 2000,
	    MN_TRANSFER_HEAD_MAX);
	assert_int_equal(t.wire, MN_WIRE_BROKEN);
	CONTAINS(t.problem, "64 KiB");
	free(line);
	mn_transfer_free(&t);
}

static void
test_body_is_taken_up_to_its_limit_and_no_byte_more(void **state)
{
	struct mn_transfer t;
	char bytes[] = "0123456789";

	(void)state;
	mn_transfer_init(&t);
	t.max_answer = 15;
	mn_transfer_reset(&t);
	assert_int_equal(on_body(bytes, 1, 10, &t), 10);
	assert_int_equal(on_body(bytes, 1, 5, &t), 5);
	assert_string_equal(mn_text_get(&t.content), "012345678901234");
	assert_int_equal(on_body(bytes, 1, 0, &t), 0);
	assert_int_not_equal(t.wire, MN_WIRE_BROKEN);
	assert_int_equal(on_body(bytes, 1, 1, &t), 0);
	assert_int_equal(t.wire, MN_WIRE_BROKEN);
	CONTAINS(t.problem, "max_answer");
	mn_transfer_free(&t);
}

static void
test_reset_forgets_the_answer_and_keeps_the_question(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "A: 1\r\n", NULL
	};
	struct mn_transfer t;
	char bytes[] = "body";

	(void)state;
	mn_transfer_init(&t);
	t.method = "GET";
	t.target = "/";
	t.max_answer = 100;
	mn_transfer_reset(&t);
	feed(&t, lines);
	assert_int_equal(on_body(bytes, 1, 4, &t), 4);
	t.sent = true;
	t.status = 200;
	t.wire = MN_WIRE_ANSWER;
	problem(&t, "something");
	mn_transfer_reset(&t);
	assert_null(mn_transfer_header(&t.head, "A"));
	assert_int_equal(t.content.len, 0);
	assert_int_equal(t.content.max, 100);
	assert_int_equal(t.head_bytes, 0);
	assert_int_equal(t.status, 0);
	assert_int_equal(t.wire, MN_WIRE_UNSENT);
	assert_false(t.sent);
	assert_string_equal(t.problem, "");
	assert_string_equal(t.method, "GET");
	assert_string_equal(t.target, "/");
	/* In the middle of a head: the next line is no part of it. */
	assert_false(t.in_head);
	end_rows();
	mn_transfer_free(&t);
}

static void
test_problem_too_long_is_cut(void **state)
{
	struct mn_transfer t;
	char *s = many('p', 1000);

	(void)state;
	mn_transfer_init(&t);
	problem(&t, s);
	assert_int_equal(strlen(t.problem), MN_TRANSFER_PROBLEM - 1);
	free(s);
	mn_transfer_free(&t);
}

static void
test_end_tells_what_was_sent_from_what_was_not(void **state)
{
	static const struct {
		CURLcode code;
		enum mn_wire unsent;
		enum mn_wire sent;
	} rows[] = {
		{ CURLE_OK, MN_WIRE_ANSWER, MN_WIRE_ANSWER },
		{ CURLE_COULDNT_RESOLVE_HOST, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_COULDNT_CONNECT, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_OPERATION_TIMEDOUT, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_SEND_ERROR, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_RECV_ERROR, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_GOT_NOTHING, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_PARTIAL_FILE, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_SSL_CONNECT_ERROR, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_ABORTED_BY_CALLBACK, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_COULDNT_RESOLVE_PROXY, MN_WIRE_UNSENT, MN_WIRE_LOST },
		{ CURLE_WEIRD_SERVER_REPLY, MN_WIRE_UNSENT, MN_WIRE_BROKEN },
		{ CURLE_UNSUPPORTED_PROTOCOL, MN_WIRE_UNSENT,
		    MN_WIRE_BROKEN },
		{ CURLE_WRITE_ERROR, MN_WIRE_UNSENT, MN_WIRE_BROKEN },
		{ CURLE_OUT_OF_MEMORY, MN_WIRE_NOMEM, MN_WIRE_NOMEM },
		{ CURLE_FAILED_INIT, MN_WIRE_SYS, MN_WIRE_SYS },
		/* libcurl may have sent it before, on one that died. */
		{ CURLE_PEER_FAILED_VERIFICATION, MN_WIRE_UNTRUSTED,
		    MN_WIRE_LOST },
	};
	struct mn_transfer t = { .sent = false };
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		t.sent = false;
		ROW(classify(&t, rows[i].code) == rows[i].unsent, "%s, unsent",
		    curl_easy_strerror(rows[i].code));
		t.sent = true;
		ROW(classify(&t, rows[i].code) == rows[i].sent, "%s, sent",
		    curl_easy_strerror(rows[i].code));
	}
	/* No code that exists reads as an answer. */
	for (i = 1; i < CURL_LAST; i++) {
		ROW(classify(&t, (CURLcode)i) != MN_WIRE_ANSWER, "code %zu",
		    i);
	}
	end_rows();
}

static void
test_date_is_an_http_date(void **state)
{
	static const char *const good[] = {	/* RFC 9110 5.6.7 */
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
	};
	static const char *const bad[] = {
		"", " ", "5", "-1", "now", "Sun", "08:49:37", "x",
		"Sun, 06 Xyz 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:99:37 GMT",
	};
	int64_t got;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(good); i++) {
		got = mn_transfer_date(good[i]) + (int64_t)time(NULL);
		ROW(got == 784111777 || got == 784111778, "%s: %lld",
		    good[i], (long long)got);
	}
	for (i = 0; i < ROWS(bad); i++)
		ROW(mn_transfer_date(bad[i]) == INT64_MIN, "%s", bad[i]);
	end_rows();
}

static void
test_kept_handle_holds_nothing_of_an_earlier_transfer(void **state)
{
	struct mn_wire_config config = {
		.origin = "https://127.0.0.1:1", .ca_path = "/nonexistent",
		.connections = 1
	};
	struct mn_transfer t;
	struct mn_easy *k;
	char *private = NULL;

	(void)state;
	assert_true(mn_transfer_global());
	k = mn_transfer_easy_new(&config, NULL);
	assert_non_null(k);
	mn_transfer_init(&t);
	t.method = "POST";
	t.target = "/v1/x";
	t.body = "{}";
	t.len = 2;
	t.line[t.lines++] = "Accept: application/json";
	t.connect_timeout = 1000;
	assert_true(mn_transfer_begin(&t, k));
	assert_ptr_equal(mn_transfer_of(k), &t);
	assert_ptr_equal(t.easy, k);
	assert_int_equal(curl_easy_getinfo(k->curl, CURLINFO_PRIVATE,
	    &private), CURLE_OK);
	assert_ptr_equal(private, &t);
	/* The lines are not copied: they hold tokens. */
	assert_ptr_equal(k->node[0].data, t.line[0]);
	assert_null(k->node[0].next);
	mn_transfer_end(&t, CURLE_COULDNT_CONNECT);
	assert_int_equal(t.wire, MN_WIRE_UNSENT);
	assert_string_not_equal(t.problem, "");
	assert_null(mn_transfer_of(k));
	assert_null(t.easy);
	mn_transfer_easy_free(k);
	mn_transfer_easy_free(NULL);
	mn_transfer_free(&t);
}

static void
test_head_that_was_cut_is_no_answer(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n", "A: 1\r\n", NULL
	};
	struct mn_wire_config config = {
		.origin = "https://127.0.0.1:1", .ca_path = "/nonexistent",
		.connections = 1
	};
	struct mn_transfer t;
	struct mn_easy *k;

	(void)state;
	assert_true(mn_transfer_global());
	k = mn_transfer_easy_new(&config, NULL);
	assert_non_null(k);
	mn_transfer_init(&t);
	t.method = "GET";
	t.target = "/";
	assert_true(mn_transfer_begin(&t, k));
	t.sent = true;
	feed(&t, lines);
	mn_transfer_end(&t, CURLE_OK);
	assert_int_equal(t.wire, MN_WIRE_LOST);
	CONTAINS(t.problem, "within the headers");
	end_rows();
	mn_transfer_easy_free(k);
	mn_transfer_free(&t);
}

/* Nothing, some and all of it is escaped, below and above what fits at once. */
static void
test_escaping_leaves_no_copy(void **state)
{
	static const size_t signs[] = { 0, 1, 5 };	/* of five */
	char secret[81], wanted[3 * sizeof(secret)], masked[9];
	struct mn_text out = MN_TEXT_INIT(1024);
	size_t i, k, n, at;
	bool sign;

	(void)state;
	if (copies_unknown())
		skip();
	for (i = 0; i < ROWS(signs) * (sizeof(secret) - 1); i++) {
		n = i / ROWS(signs) + 1;
		for (k = at = 0; k < n; k++) {
			sign = signs[i % ROWS(signs)] > (k * 7 + i) % 5;
			secret[k] = (char)(sign ? '%' :
			    'A' + (i + k * k + k / 3) % 26);
			wanted[at++] = secret[k];
			if (!sign)
				continue;
			wanted[at++] = '2';
			wanted[at++] = '5';
		}
		wanted[at] = '\0';
		mn_transfer_escape(&out, secret, n);
		ROW(!out.failed && strcmp(mn_text_get(&out), wanted) == 0,
		    "%zu: %s", n, mn_text_get(&out));
		mn_text_free(&out);
		/* Its second half: malloc() writes where the first one was. */
		if (i % ROWS(signs) > 0 || n < 2 * sizeof(masked))
			continue;
		memcpy(masked, secret + n / 2, sizeof(masked));
		copies_mask(masked, sizeof(masked));
		ROW(copies(masked, sizeof(masked)) == 0, "%zu: left", n);
	}
	end_rows();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_is_found_whatever_its_case),
		cmocka_unit_test(test_first_of_several_headers_counts),
		cmocka_unit_test(
		    test_headers_asked_for_together_are_those_asked_for_alone),
		cmocka_unit_test(test_headers_are_counted_in_their_order),
		cmocka_unit_test(test_white_space_around_a_value_goes),
		cmocka_unit_test(test_line_that_is_no_header_is_left_out),
		cmocka_unit_test(test_nul_in_a_header_shifts_no_other),
		cmocka_unit_test(
		    test_head_of_the_last_status_replaces_interim_ones),
		cmocka_unit_test(test_trailer_is_no_header),
		cmocka_unit_test(test_heads_of_more_than_64_kib_are_refused),
		cmocka_unit_test(
		    test_body_is_taken_up_to_its_limit_and_no_byte_more),
		cmocka_unit_test(
		    test_reset_forgets_the_answer_and_keeps_the_question),
		cmocka_unit_test(test_problem_too_long_is_cut),
		cmocka_unit_test(
		    test_end_tells_what_was_sent_from_what_was_not),
		cmocka_unit_test(test_head_that_was_cut_is_no_answer),
		cmocka_unit_test(test_date_is_an_http_date),
		cmocka_unit_test(test_escaping_leaves_no_copy),
		cmocka_unit_test(
		    test_kept_handle_holds_nothing_of_an_earlier_transfer),
	};

	return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
