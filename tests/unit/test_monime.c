/* SPDX-License-Identifier: MIT */

/* monime.c and what else of the header needs no network. */

#include "folder.h"

#include "monime.h"

static struct folder folder;

static int
start(void **state)
{
	(void)state;
	if (!folder_make(&folder))
		return 0;
	folder_write(&folder, "monime.conf",
	    "environments = [ \"test\", \"live\" ];\n");
	folder_write(&folder, "test/one.conf", "provider = \"monime\";\n"
	    "space = \"spc-one\";\ntoken = \"mon_test_canary\";\n"
	    "base_url = \"https://127.0.0.1:1\";\n"
	    "rotate_by = \"2001-02-03\";\n"
	    "allow = { methods = [ \"GET\" ]; paths = [ \"/v1/*\" ]; };\n");
	folder_write(&folder, "test/bank.conf", "provider = \"mono\";\n"
	    "product = \"banking\";\n");
	folder_write(&folder, "test/stray.conf", "provider = \"monime\";\n"
	    "token = \"mon_canary\";\n");
	folder_write(&folder, "test/wrong.conf", "provider = \"monime\";\n"
	    "colour = \"red\";\nspace = 5;\n");
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	folder_remove(&folder);
	return 0;
}

static void
need_folder(void)
{
	if (folder.path[0] == '\0')
		skip();
}

static void
test_version_is_the_headers(void **state)
{
	(void)state;
	assert_string_equal(monime_version(), MONIME_VERSION);
}

/* RFC 6750 2.1 */
static void
test_bearer_is_the_token_of_an_authorization_header(void **state)
{
	static const struct {
		const char *header;
		size_t len;
		const char *token;	/* "": none */
	} rows[] = {
#define R(s, token)	{ s, sizeof(s) - 1, token }
		R("Bearer abc", "abc"),
		R("bearer abc", "abc"),
		R("BEARER abc", "abc"),
		R("bEaReR mon_test_x", "mon_test_x"),
		R("Bearer   abc", "abc"),
		R("Bearer abc ", "abc"),
		R("Bearer abc \t ", "abc"),
		R("Bearer a", "a"),
		R("Bearer a.b-c_d~e+f/g==", "a.b-c_d~e+f/g=="),
		R("", ""), R("B", ""), R("Bearer", ""), R("Bearer ", ""),
		R("Bearer    ", ""), R("Bearer \t", ""), R("Bearer\t", ""),
		R("Bearerabc", ""), R("Bearer\tabc", ""), R("Bearer:abc", ""),
		R("Bearer=abc", ""), R("Bearer,abc", ""),
		R("Basic YTpi", ""), R("Digest x", ""), R("abc", ""),
		R("Token abc", ""), R("Bear abc", ""), R("Bearers abc", ""),
		R(" Bearer abc", ""), R("\tBearer abc", ""),
		R("Bearer abc def", ""), R("Bearer abc\tdef", ""),
		R("Bearer \tabc", ""), R("Bearer abc, Basic YTpi", ""),
		R("Bearer abc\n", ""), R("Bearer abc\r\nX: y", ""),
		R("Bearer abc\0", ""), R("Bearer a\0bc", ""),
		R("Bearer \0", ""), R("Bearer\0abc", ""), R("\0", ""),
		R("Bearer caf\xc3\xa9", ""), R("Bearer abc\x7f", ""),
		R("Bearer \x80", ""), R("\xe2\x80\x8b" "Bearer abc", ""),
		R("Bearer\xc2\xa0" "abc", ""),
		R("Basic YTpi, Bearer abc", ""),
#undef R
	};
	const char *token;
	size_t i, len;
	char *header;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		header = exact(rows[i].header, rows[i].len);
		len = 4711;
		token = monime_bearer(header, rows[i].len, &len);
		ROW(token != NULL && len == strlen(rows[i].token) &&
		    memcmp(token, rows[i].token, len) == 0, "\"%s\": %zu",
		    rows[i].header, len);
		free(header);
	}
	end_rows();
	len = 4711;
	assert_non_null(monime_bearer(NULL, 0, &len));
	assert_int_equal(len, 0);
	len = 4711;
	assert_non_null(monime_bearer(NULL, 20, &len));
	assert_int_equal(len, 0);
}

static void
test_bearer_points_into_the_header(void **state)
{
	static const char header[] = "Bearer abc";
	size_t len;

	(void)state;
	assert_ptr_equal(monime_bearer(header, strlen(header), &len),
	    header + 7);
	/* And looks no further than it was told. */
	assert_ptr_equal(monime_bearer(header, 8, &len), header + 7);
	assert_int_equal(len, 1);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
test_key_is_a_random_uuid_of_version_4(void **state)
{
	enum { KEYS = 10000 };
	char (*key)[MONIME_KEY_SIZE] = calloc(KEYS, sizeof(*key));
	bool variant[4] = { false };
	size_t i, k;
	char c;

	(void)state;
	assert_non_null(key);
	for (i = 0; i < KEYS; i++) {
		assert_int_equal(monime_new_key(key[i], sizeof(key[i])),
		    MONIME_OK);
		ROW(strlen(key[i]) == 36, "%s", key[i]);
		for (k = 0; k < 36; k++) {
			c = key[i][k];
			if (k == 8 || k == 13 || k == 18 || k == 23)
				ROW(c == '-', "%s", key[i]);
			else
				ROW(c != '\0' && strchr("0123456789abcdef",
				    c) != NULL, "%s", key[i]);
		}
		ROW(key[i][14] == '4', "%s", key[i]);
		ROW(strchr("89ab", key[i][19]) != NULL, "%s", key[i]);
		c = key[i][19];
		variant[c == '8' ? 0 : c == '9' ? 1 : c == 'a' ? 2 : 3] =
		    true;
	}
	end_rows();
	for (i = 0; i < 4; i++)
		assert_true(variant[i]);
	qsort(key, KEYS, sizeof(*key), by_text);
	for (i = 1; i < KEYS; i++)
		assert_string_not_equal(key[i - 1], key[i]);
	free(key);
}

static void
test_key_needs_its_room(void **state)
{
	char *buf;
	size_t size;

	(void)state;
	assert_int_equal(monime_new_key(NULL, 100), MONIME_EINVAL);
	for (size = 0; size <= MONIME_KEY_SIZE; size++) {
		buf = many('x', size);
		buf = realloc(buf, size > 0 ? size : 1);
		assert_non_null(buf);
		ROW(monime_new_key(buf, size) ==
		    (size < MONIME_KEY_SIZE ? MONIME_EINVAL : MONIME_OK),
		    "%zu", size);
		ROW(size == 0 || size == MONIME_KEY_SIZE || buf[0] == '\0',
		    "%zu: not emptied", size);
		free(buf);
	}
	end_rows();
}

static void
test_fingerprint_is_the_same_on_every_host(void **state)
{
	/* printf 'monime-fingerprint-1\0mon_test_abc' | sha256sum */
	static const struct {
		const char *token;
		size_t len;
		const char *fingerprint;
	} rows[] = {
		{ "mon_test_abc", 12, "2631619cf5b8cae306a9c196b6bf6f1e" },
		{ "a\0b", 3, "83da7f2c5f9cc4030eba29e5c981deab" },
	};
	char buf[MONIME_FINGERPRINT_SIZE];
	char *token;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		token = exact(rows[i].token, rows[i].len);
		assert_int_equal(monime_fingerprint(token, rows[i].len, buf,
		    sizeof(buf)), MONIME_OK);
		assert_string_equal(buf, rows[i].fingerprint);
		free(token);
	}
}

static void
test_fingerprint_needs_a_token_and_its_room(void **state)
{
	char buf[MONIME_FINGERPRINT_SIZE], *small;
	size_t size;

	(void)state;
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(monime_fingerprint(NULL, 0, buf, sizeof(buf)),
	    MONIME_EINVAL);
	assert_int_equal(buf[0], '\0');
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(monime_fingerprint("a", 0, buf, sizeof(buf)),
	    MONIME_EINVAL);
	assert_int_equal(buf[0], '\0');
	assert_int_equal(monime_fingerprint("a", 1, NULL, 100),
	    MONIME_EINVAL);
	for (size = 0; size <= MONIME_FINGERPRINT_SIZE; size++) {
		small = exact("x", 1);
		small = realloc(small, size > 0 ? size : 1);
		assert_non_null(small);
		ROW(monime_fingerprint("a", 1, small, size) ==
		    (size < MONIME_FINGERPRINT_SIZE ? MONIME_EINVAL :
		    MONIME_OK), "%zu", size);
		ROW(size == 0 || size == MONIME_FINGERPRINT_SIZE ||
		    small[0] == '\0', "%zu: not emptied", size);
		free(small);
	}
	end_rows();
}

static void
test_null_is_a_call_that_ran_out_of_memory(void **state)
{
	const char *value = "before";
	size_t len = 4711;

	(void)state;
	monime_close(NULL);
	monime_call_free(NULL);
	monime_call_report(NULL, 401);
	monime_set_log(NULL, 7, NULL, NULL);
	assert_string_equal(monime_error(NULL),
	    monime_strerror(MONIME_ENOMEM));
	assert_int_equal(monime_call_result(NULL), MONIME_ENOMEM);
	assert_null(monime_call_data(NULL));
	assert_int_equal(monime_call_status(NULL), 0);
	assert_string_equal(monime_call_body(NULL, &len), "");
	assert_int_equal(len, 0);
	assert_string_equal(monime_call_body(NULL, NULL), "");
	assert_null(monime_call_header(NULL, "A"));
	assert_null(monime_call_header_at(NULL, 0, &value));
	assert_null(monime_call_header_at(NULL, 0, NULL));
	assert_null(monime_call_get(NULL, "reason"));
	assert_string_equal(monime_call_error(NULL),
	    monime_strerror(MONIME_ENOMEM));
	assert_null(monime_get(NULL, "profile"));
}

/* What each verb answers on a handle, and what its call says. */
static void
verbs_answer(struct monime *m, int code, const char *part)
{
	struct monime_call *call[7];
	int r[7];
	size_t i;

	memset(call, 0x5a, sizeof(call));
	r[0] = monime_check_token(m, "mon_test_x", 10, &call[0]);
	r[1] = monime_check_credential(m, &call[1]);
	r[2] = monime_request(m, "GET", "/v1/x", NULL, NULL, 0, &call[2]);
	r[3] = monime_authorize(m, "GET", "https://127.0.0.1:1/v1/x",
	    &call[3]);
	r[4] = monime_check_token_start(m, "mon_test_x", 10, &i, &call[4]);
	r[5] = monime_request_start(m, "GET", "/v1/x", NULL, NULL, 0, &i,
	    &call[5]);
	r[6] = monime_authorize_start(m, "GET", "https://127.0.0.1:1/v1/x",
	    &i, &call[6]);
	for (i = 0; i < ROWS(call); i++) {
		ROW(r[i] == code && monime_call_result(call[i]) == code,
		    "verb %zu: %d, %d", i, r[i],
		    monime_call_result(call[i]));
		ROW(strstr(monime_call_error(call[i]), part) != NULL,
		    "verb %zu: %s", i, monime_call_error(call[i]));
		ROW(monime_call_status(call[i]) == 0, "verb %zu: status", i);
		ROW((monime_call_data(call[i]) != NULL) == (i >= 4),
		    "verb %zu: data", i);
		ROW(strstr(monime_call_error(call[i]), "canary") == NULL,
		    "verb %zu: a token in %s", i, monime_call_error(call[i]));
		monime_call_free(call[i]);
	}
	/* The same where nobody wants the call. */
	ROW(monime_check_token(m, "mon_test_x", 10, NULL) == code, "0");
	ROW(monime_check_credential(m, NULL) == code, "1");
	ROW(monime_request(m, "GET", "/", NULL, NULL, 0, NULL) == code, "2");
	ROW(monime_authorize(m, "GET", "https://x/", NULL) == code, "3");
	ROW(monime_verify_webhook(m, "t=1,v1=a", 8, "", 0) == code,
	    "webhook");
	ROW(monime_fd(m) == code, "fd");
	end_rows();
	assert_null(monime_next(m));
	assert_null(monime_get(m, "profile"));
	assert_null(monime_get(m, "environment"));
}

static void
test_failed_handle_answers_every_verb_with_econfig(void **state)
{
	const struct {
		const char *profile;
		const char *folder;
		int code;
		const char *part;
	} rows[] = {
		{ NULL, folder.path, MONIME_EINVAL, "no profile" },
		{ "", folder.path, MONIME_EINVAL, "test/NAME" },
		{ "test/../live/x", folder.path, MONIME_EINVAL, "test/NAME" },
		{ "test/one", "relative", MONIME_EINVAL, "absolute" },
		{ "test/none", folder.path, MONIME_ECONFIG, "none.conf" },
		{ "test/stray", folder.path, MONIME_EENVIRONMENT,
		    "a live token in a test profile" },
		{ "test/wrong", folder.path, MONIME_ECONFIG, "colour" },
	};
	struct monime *m;
	size_t i;

	(void)state;
	need_folder();
	for (i = 0; i < ROWS(rows); i++) {
		m = (void *)(uintptr_t)1;
		assert_int_equal(monime_open(rows[i].profile, rows[i].folder,
		    &m), rows[i].code);
		assert_non_null(m);
		CONTAINS(monime_error(m), rows[i].part);
		assert_null(strstr(monime_error(m), "canary"));
		verbs_answer(m, MONIME_ECONFIG, "the profile did not open");
		monime_set_log(m, 7, NULL, NULL);
		monime_close(m);
	}
}

static void
test_every_error_of_a_file_is_told_at_once(void **state)
{
	struct monime *m;

	(void)state;
	need_folder();
	assert_int_equal(monime_open("test/wrong", folder.path, &m),
	    MONIME_ECONFIG);
	CONTAINS(monime_error(m), "wrong.conf:2");
	CONTAINS(monime_error(m), "wrong.conf:3");
	assert_non_null(strchr(monime_error(m), '\n'));
	monime_close(m);
}

static void
test_sslkeylogfile_is_refused_before_anything(void **state)
{
	static const char *const values[] = { "/run/monime-unit-keys", "" };
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(values); i++) {
		assert_int_equal(setenv("SSLKEYLOGFILE", values[i], 1), 0);
		/* Before the folder, which is not even there, is looked at. */
		assert_int_equal(monime_open("test/one",
		    "/nonexistent/monime", &m), MONIME_EUNSAFE);
		CONTAINS(monime_error(m), "unset SSLKEYLOGFILE");
		verbs_answer(m, MONIME_ECONFIG, "SSLKEYLOGFILE");
		monime_close(m);
	}
	assert_int_equal(unsetenv("SSLKEYLOGFILE"), 0);
	assert_int_equal(access(values[0], F_OK), -1);
}

static void
test_facts_of_a_handle(void **state)
{
	static const char *const rows[][3] = {
		{ "profile", "test/one", "test/bank" },
		{ "provider", "monime", "mono" },
		{ "product", NULL, "banking" },
		{ "environment", "test", "test" },
		{ "origin", "https://127.0.0.1:1",
		    "https://api.sandbox.cuentamono.com" },
		{ "space", "spc-one", NULL },
		{ "token", NULL, NULL }, { "", NULL, NULL },
		{ "Profile", NULL, NULL },
	};
	struct monime *m[2];
	const char *got;
	size_t i, k;

	(void)state;
	need_folder();
	assert_int_equal(monime_open("test/one", folder.path, &m[0]),
	    MONIME_OK);
	assert_int_equal(monime_open("test/bank", folder.path, &m[1]),
	    MONIME_OK);
	for (k = 0; k < 2; k++) {
		assert_string_equal(monime_error(m[k]), "");
		assert_null(monime_get(m[k], NULL));
		for (i = 0; i < ROWS(rows); i++) {
			got = monime_get(m[k], rows[i][0]);
			ROW(rows[i][k + 1] == NULL ? got == NULL :
			    got != NULL && strcmp(got, rows[i][k + 1]) == 0,
			    "%s: %s", rows[i][0], got != NULL ? got : "NULL");
		}
		monime_close(m[k]);
	}
	end_rows();
}

static void
count_lines(void *data, int level, const char *line)
{
	int *n = data;

	ROW(level == 4 && strstr(line, "rotate_by") != NULL &&
	    strchr(line, '\n') == NULL, "%d: %s", level, line);
	++*n;
}

static void
test_warnings_of_the_open_are_logged_at_once(void **state)
{
	struct monime *m;
	int n = 0;

	(void)state;
	need_folder();
	assert_int_equal(monime_open("test/one", folder.path, &m), MONIME_OK);
	monime_set_log(m, 3, count_lines, &n);	/* errors alone */
	assert_int_equal(n, 0);
	monime_set_log(m, 4, count_lines, &n);
	assert_int_equal(n, 1);
	monime_set_log(m, 7, NULL, NULL);
	assert_int_equal(n, 1);
	monime_close(m);
	end_rows();
}

static void
test_what_the_guard_refuses_is_refused_by_the_verbs(void **state)
{
	static const char *const evil[] = { "Host: a", NULL };
	struct monime_call *call;
	struct monime *m;

	(void)state;
	need_folder();
	assert_int_equal(monime_open("test/one", folder.path, &m), MONIME_OK);

	assert_int_equal(monime_request(m, "GET", "/v1/../x", NULL, NULL, 0,
	    &call), MONIME_EINVAL);
	CONTAINS(monime_call_error(call), "segment");
	assert_string_equal(monime_call_get(call, "executed"), "no");
	assert_string_equal(monime_call_get(call, "attempts"), "0");
	assert_string_equal(monime_call_get(call, "source"), "local");
	monime_call_free(call);

	assert_int_equal(monime_request(m, "GET", "/v1/x", evil, NULL, 0,
	    NULL), MONIME_EINVAL);
	assert_int_equal(monime_request(m, NULL, "/v1/x", NULL, NULL, 0,
	    NULL), MONIME_EINVAL);
	assert_int_equal(monime_request(m, "GET", NULL, NULL, NULL, 0,
	    NULL), MONIME_EINVAL);
	assert_int_equal(monime_request(m, "GET", "/v1/x", NULL, NULL, 5,
	    NULL), MONIME_EINVAL);
	assert_int_equal(monime_request(m, "POST", "/v1/x", NULL, NULL, 0,
	    NULL), MONIME_EPOLICY);
	assert_int_equal(monime_request(m, "GET", "/x", NULL, NULL, 0,
	    NULL), MONIME_EPOLICY);
	assert_int_equal(monime_authorize(m, NULL, NULL, NULL),
	    MONIME_EINVAL);
	assert_int_equal(monime_authorize(m, "GET",
	    "https://127.0.0.1:1.evil.example/v1/x", NULL), MONIME_EPOLICY);

	assert_int_equal(monime_check_token(m, NULL, 0, NULL),
	    MONIME_EDENIED);
	assert_int_equal(monime_check_token(m, NULL, 7, NULL),
	    MONIME_EDENIED);
	assert_int_equal(monime_check_token(m, "mon_test_a\nb", 12, NULL),
	    MONIME_EDENIED);
	assert_int_equal(monime_check_token(m, "mon_live", 8, &call),
	    MONIME_EENVIRONMENT);
	assert_string_equal(monime_call_get(call, "source"), "local");
	assert_null(monime_call_get(call, "fingerprint"));
	monime_call_free(call);
	monime_close(m);
}

static void
test_write_without_call_or_key_is_refused(void **state)
{
	struct monime *m;

	(void)state;
	need_folder();
	folder_write(&folder, "test/write.conf", "provider = \"monime\";\n"
	    "token = \"mon_test_canary\";\n"
	    "base_url = \"https://127.0.0.1:1\";\n");
	assert_int_equal(monime_open("test/write", folder.path, &m),
	    MONIME_OK);
	/* Nobody would know the key that was made. */
	assert_int_equal(monime_request(m, "POST", "/v1/x", NULL, "{}", 2,
	    NULL), MONIME_EINVAL);
	monime_close(m);
}

static void
test_profile_without_a_credential_can_only_check(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	need_folder();
	assert_int_equal(monime_open("test/bank", folder.path, &m),
	    MONIME_OK);
	assert_int_equal(monime_request(m, "GET", "/v1/x", NULL, NULL, 0,
	    &call), MONIME_ECONFIG);
	CONTAINS(monime_call_error(call), "no credential");
	monime_call_free(call);
	assert_int_equal(monime_check_credential(m, NULL), MONIME_ECONFIG);
	/* And that not without a path to ask for. */
	assert_int_equal(monime_check_token(m, "a", 1, &call),
	    MONIME_ECONFIG);
	CONTAINS(monime_call_error(call), "check.path");
	monime_call_free(call);
	monime_close(m);
}

static void
test_call_outlives_its_handle(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	need_folder();
	assert_int_equal(monime_open("test/one", folder.path, &m), MONIME_OK);
	assert_int_equal(monime_request(m, "GET", "/x", NULL, NULL, 0,
	    &call), MONIME_EPOLICY);
	monime_close(m);
	assert_int_equal(monime_call_result(call), MONIME_EPOLICY);
	CONTAINS(monime_call_error(call), "allow.paths");
	monime_call_free(call);
}

static void
test_nothing_listens_is_a_connection_that_failed(void **state)
{
	struct monime_call *call;
	struct monime *m;

	(void)state;
	need_folder();
	assert_int_equal(monime_open("test/write", folder.path, &m),
	    MONIME_OK);
	/* Port 1: refused at once, and every attempt of it. */
	assert_int_equal(monime_request(m, "GET", "/v1/x", NULL, NULL, 0,
	    &call), MONIME_ENET);
	assert_string_equal(monime_call_get(call, "executed"), "no");
	assert_string_equal(monime_call_get(call, "attempts"), "3");
	assert_null(strstr(monime_call_error(call), "canary"));
	monime_call_free(call);
	/* The environment of a write could not be confirmed. */
	assert_int_equal(monime_request(m, "POST", "/v1/x", NULL, "{}", 2,
	    &call), MONIME_ENET);
	assert_string_equal(monime_call_get(call, "attempts"), "0");
	assert_int_equal(strlen(monime_call_get(call, "idempotency-key")),
	    MONIME_KEY_SIZE - 1);
	monime_call_free(call);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_is_the_headers),
		cmocka_unit_test(
		    test_bearer_is_the_token_of_an_authorization_header),
		cmocka_unit_test(test_bearer_points_into_the_header),
		cmocka_unit_test(test_key_is_a_random_uuid_of_version_4),
		cmocka_unit_test(test_key_needs_its_room),
		cmocka_unit_test(test_fingerprint_is_the_same_on_every_host),
		cmocka_unit_test(test_fingerprint_needs_a_token_and_its_room),
		cmocka_unit_test(test_null_is_a_call_that_ran_out_of_memory),
		cmocka_unit_test(
		    test_failed_handle_answers_every_verb_with_econfig),
		cmocka_unit_test(test_every_error_of_a_file_is_told_at_once),
		cmocka_unit_test(
		    test_sslkeylogfile_is_refused_before_anything),
		cmocka_unit_test(test_facts_of_a_handle),
		cmocka_unit_test(test_warnings_of_the_open_are_logged_at_once),
		cmocka_unit_test(
		    test_what_the_guard_refuses_is_refused_by_the_verbs),
		cmocka_unit_test(test_write_without_call_or_key_is_refused),
		cmocka_unit_test(
		    test_profile_without_a_credential_can_only_check),
		cmocka_unit_test(test_call_outlives_its_handle),
		cmocka_unit_test(
		    test_nothing_listens_is_a_connection_that_failed),
	};

	return cmocka_run_group_tests_name("monime", tests, start, stop);
}
