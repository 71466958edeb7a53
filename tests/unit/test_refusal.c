/* SPDX-License-Identifier: MIT */

/* module/refusal.c: what web servers refuse, and in which words. */

#include "unit.h"

#include <monime.h>

#include "refusal.h"

#define REALM	"Bearer realm=\"monime\""

static bool
is_same(const char *got, const char *want)
{
	return want == NULL ? got == NULL : got != NULL &&
	    strcmp(got, want) == 0;
}

static void
expect(struct mn_refusal got, int status, const char *challenge,
    const char *body, const char *of)
{
	ROW(got.status == status && is_same(got.challenge, challenge) &&
	    is_same(got.body, body), "%s: %d, %s, %s", of, got.status,
	    got.challenge != NULL ? got.challenge : "no challenge", got.body);
}

static void
test_result_has_a_word(void **state)
{
	static const struct {
		int result;
		const char *word;
	} rows[] = {
		{ MONIME_OK, "accepted" },
		{ MONIME_EDENIED, "denied" },
		{ MONIME_EENVIRONMENT, "environment" },
		{ MONIME_EFORBIDDEN, "forbidden" },
		{ MONIME_ENET, "unknown" },
		{ MONIME_EPENDING, "unknown" },
		{ MN_REFUSAL_UNKNOWN, "unknown" },
		{ 4711, "unknown" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		ROW(is_same(mn_refusal_verdict(rows[i].result), rows[i].word),
		    "%d: %s", rows[i].result,
		    mn_refusal_verdict(rows[i].result));
	end_rows();
}

static void
test_status_without_a_known_error_has_a_word(void **state)
{
	(void)state;
	expect(mn_refusal_of_status(400), 400, NULL,
	    "{\"error\":\"invalid_request\"}\n", "400");
	expect(mn_refusal_of_status(401), 401, REALM,
	    "{\"error\":\"unauthorized\"}\n", "401");
	expect(mn_refusal_of_status(403), 403, NULL,
	    "{\"error\":\"forbidden\"}\n", "403");
	expect(mn_refusal_of_status(503), 503, NULL,
	    "{\"error\":\"temporarily_unavailable\"}\n", "503");
	end_rows();
}

static void
test_status_that_has_no_word_is_a_server_error(void **state)
{
	static const int kept[] = { 404, 429, 500, 502 };
	static const int no_refusal[] = { -1, 0, 200, 302, 399 };
	char of[16];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(kept); i++) {
		snprintf(of, sizeof(of), "%d", kept[i]);
		expect(mn_refusal_of_status(kept[i]), kept[i], NULL,
		    "{\"error\":\"server_error\"}\n", of);
	}
	for (i = 0; i < ROWS(no_refusal); i++) {
		snprintf(of, sizeof(of), "%d", no_refusal[i]);
		expect(mn_refusal_of_status(no_refusal[i]), 500, NULL,
		    "{\"error\":\"server_error\"}\n", of);
	}
	end_rows();
}

static void
test_token_is_refused_with_the_error_of_rfc_6750(void **state)
{
	static const char invalid[] = REALM ", error=\"invalid_token\"";

	(void)state;
	expect(mn_refusal_of_token(MONIME_EDENIED), 401, invalid,
	    "{\"error\":\"invalid_token\"}\n", "denied");
	expect(mn_refusal_of_token(MONIME_EENVIRONMENT),
	    monime_http_status(MONIME_EENVIRONMENT), invalid,
	    "{\"error\":\"invalid_token\"}\n", "environment");
	expect(mn_refusal_of_token(MONIME_EFORBIDDEN), 403,
	    REALM ", error=\"insufficient_scope\"",
	    "{\"error\":\"insufficient_scope\"}\n", "forbidden");
	end_rows();
}

/* An outage is not to look like a bad token, and nothing like a yes. */
static void
test_token_nobody_knows_about_is_no_fault_of_the_client(void **state)
{
	(void)state;
	expect(mn_refusal_of_token(MONIME_ENET), 503, NULL,
	    "{\"error\":\"temporarily_unavailable\"}\n", "no network");
	expect(mn_refusal_of_token(MN_REFUSAL_UNKNOWN), 503, NULL,
	    "{\"error\":\"temporarily_unavailable\"}\n", "not asked");
	expect(mn_refusal_of_token(MONIME_OK), 500, NULL,
	    "{\"error\":\"server_error\"}\n", "accepted");
	expect(mn_refusal_of_token(4711), 500, NULL,
	    "{\"error\":\"server_error\"}\n", "no code");
	end_rows();
}

static void
test_scheme_without_a_token_is_a_bad_request(void **state)
{
	static const char *const headers[] = {
		"Bearer", "bearer", "BEARER", "Bearer ", "Bearer\t", "bEaReR  ",
		"Bearer a b", "Bearer a, Bearer b", "Bearer \x01",
	};
	size_t i, len;
	char *header;

	(void)state;
	for (i = 0; i < ROWS(headers); i++) {
		len = strlen(headers[i]);
		header = exact(headers[i], len);
		expect(mn_refusal_of_nobody(MONIME_EDENIED, header, len), 400,
		    REALM ", error=\"invalid_request\"",
		    "{\"error\":\"invalid_request\"}\n", headers[i]);
		free(header);
	}
	end_rows();
}

static void
test_who_presents_nothing_is_not_told_of_a_mistake(void **state)
{
	static const char *const headers[] = {
		"", "B", "Beare", "Bearerx", "Bearer=", "BearerToken t",
		"Basic Zm9v", " Bearer t", "Bearer-",
	};
	size_t i, len;
	char *header;

	(void)state;
	expect(mn_refusal_of_nobody(MONIME_EDENIED, NULL, 0), 401, REALM,
	    "{\"error\":\"unauthorized\"}\n", "no header");
	for (i = 0; i < ROWS(headers); i++) {
		len = strlen(headers[i]);
		header = exact(headers[i], len);
		expect(mn_refusal_of_nobody(MONIME_EDENIED, header, len), 401,
		    REALM, "{\"error\":\"unauthorized\"}\n", headers[i]);
		free(header);
	}
	expect(mn_refusal_of_nobody(MONIME_EFORBIDDEN, NULL, 0), 403, NULL,
	    "{\"error\":\"forbidden\"}\n", "forbidden");
	expect(mn_refusal_of_nobody(MN_REFUSAL_UNKNOWN, NULL, 0), 503, NULL,
	    "{\"error\":\"temporarily_unavailable\"}\n", "not asked");
	end_rows();
}

static void
test_name_that_changes_the_request_is_smuggled(void **state)
{
	static const char *const names[] = {
		"Monime-Space-Id", "monime-space-id", "MONIME_SPACE_ID",
		"Monime_Space-Id", "X-HTTP-Method-Override",
		"x_http_method_override", "X-Http-Method", "X-METHOD_OVERRIDE",
	};
	static const char *const others[] = {
		"", "Monime-Space-I", "Monime-Space-Ids", "Monime Space-Id",
		"-", "X-HTTP-Method-", "X-HTTPMethod", "Host", "Connection",
		"\xcdonime-Space-Id", "X\rHTTP\rMethod",
	};
	size_t i, len;
	char *name;

	(void)state;
	for (i = 0; i < ROWS(names) + ROWS(others); i++) {
		bool want = i < ROWS(names);
		const char *of = want ? names[i] : others[i - ROWS(names)];

		len = strlen(of);
		name = exact(of, len);
		ROW(mn_refusal_smuggles(name, len) == want, "%s", of);
		free(name);
	}
	ROW(!mn_refusal_smuggles("X-HTTP-Method\0", 14), "a NUL behind it");
	end_rows();
}

static void
test_names_are_the_same_but_for_case_and_dashes(void **state)
{
	(void)state;
	assert_true(mn_refusal_same_name("HOST", 4, "Host"));
	assert_true(mn_refusal_same_name("idempotency_key", 15,
	    "Idempotency-Key"));
	assert_true(mn_refusal_same_name("Hostess", 4, "Host"));
	assert_false(mn_refusal_same_name("Hos", 3, "Host"));
	assert_false(mn_refusal_same_name("Hosts", 5, "Host"));
	/* They differ by what tells small letters from capitals. */
	assert_false(mn_refusal_same_name("[", 1, "{"));
	assert_false(mn_refusal_same_name("@", 1, "`"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result_has_a_word),
		cmocka_unit_test(
		    test_status_without_a_known_error_has_a_word),
		cmocka_unit_test(
		    test_status_that_has_no_word_is_a_server_error),
		cmocka_unit_test(
		    test_token_is_refused_with_the_error_of_rfc_6750),
		cmocka_unit_test(
		    test_token_nobody_knows_about_is_no_fault_of_the_client),
		cmocka_unit_test(
		    test_scheme_without_a_token_is_a_bad_request),
		cmocka_unit_test(
		    test_who_presents_nothing_is_not_told_of_a_mistake),
		cmocka_unit_test(
		    test_name_that_changes_the_request_is_smuggled),
		cmocka_unit_test(
		    test_names_are_the_same_but_for_case_and_dashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
