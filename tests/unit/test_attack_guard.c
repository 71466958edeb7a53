/* SPDX-License-Identifier: MIT */

/* guard.c: boundaries of a profile that nothing would keep. */

#include "unit.h"

#include "guard.h"

static int
judge(const struct mn_profile *p, const char *product)
{
	const struct mn_provider *v = mn_provider_find(p->provider, product);
	struct mn_error e = MN_ERROR_INIT;
	int r;

	assert_non_null(v);
	r = mn_guard_profile(p, v, &e);
	if (r != MONIME_OK)
		assert_string_not_equal(mn_error_get(&e), "");
	mn_error_free(&e);
	return r;
}

static void
test_token_url_is_of_the_environment(void **state)
{
	static const struct {
		enum mn_environment environment;
		const char *url;
		int want;
	} rows[] = {
		{ MN_LIVE, "https://breb-participant.sandbox.mono.la"
		    "/api/v1/oauth/token", MONIME_EENVIRONMENT },
		{ MN_LIVE, "https://breb-participant.sandbox.mono.la:8443/t",
		    MONIME_EENVIRONMENT },
		{ MN_LIVE, "https://api.sandbox.cuentamono.com/t:1",
		    MONIME_EENVIRONMENT },
		{ MN_TEST, "https://api.cuentamono.com/api/v1/oauth/token",
		    MONIME_EENVIRONMENT },
		{ MN_TEST, "https://breb-participant.sandbox.mono.la/t",
		    MONIME_OK },
		{ MN_LIVE, "https://api.cuentamono.com/t", MONIME_OK },
		{ MN_LIVE, "https://auth.example.net/t", MONIME_OK },
		/* Its host is another one. */
		{ MN_LIVE, "https://breb-participant.sandbox.mono.la.example/",
		    MONIME_OK },
	};
	struct mn_profile p = {
		.name = "x", .path = "/x", .provider = "mono",
		.product = "breb", .base_url = "https://breb.example.net",
		.oauth2 = { .set = true, .client_id = "c" },
	};
	size_t i;
	int got;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		p.environment = rows[i].environment;
		p.oauth2.token_url = (char *)(uintptr_t)rows[i].url;
		got = judge(&p, "breb");
		ROW(got == rows[i].want, "%s: %d", rows[i].url, got);
	}
	end_rows();
}

static void
test_addresses_that_nobody_would_compare_are_refused(void **state)
{
	char *item[] = { "192.0.2.1" };
	struct mn_profile p = {
		.name = "x", .path = "/x", .provider = "monime",
		.space = "spc-a", .confirm_environment = false,
		.allow.addresses = { .set = true, .n = 1, .item = item },
	};

	(void)state;
	assert_int_equal(judge(&p, NULL), MONIME_ECONFIG);
	p.confirm_environment = true;
	assert_int_equal(judge(&p, NULL), MONIME_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_url_is_of_the_environment),
		cmocka_unit_test(
		    test_addresses_that_nobody_would_compare_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
