/* SPDX-License-Identifier: MIT */

/* provider.c: what is particular to each provider, as it is documented. */

#include "unit.h"

#include "provider.h"

static const struct mn_provider *monime, *banking, *core, *breb, *wallet;

static int
start(void **state)
{
	(void)state;
	monime = mn_provider_find("monime", NULL);
	banking = mn_provider_find("mono", "banking");
	core = mn_provider_find("mono", "core");
	breb = mn_provider_find("mono", "breb");
	wallet = mn_provider_find("mono", "wallet");
	return monime != NULL && banking != NULL && core != NULL &&
	    breb != NULL && wallet != NULL ? 0 : -1;
}

static void
test_only_known_names_and_products_are_found(void **state)
{
	static const char *const rows[][2] = {
		{ "monime", "" }, { "monime", "banking" }, { "mono", NULL },
		{ "mono", "" }, { "mono", "Banking" }, { "Mono", "banking" },
		{ "MONIME", NULL }, { "monim", NULL }, { "monimee", NULL },
		{ "", NULL }, { NULL, NULL }, { NULL, "banking" },
		{ "mono", "breb2" }, { "monime ", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		ROW(mn_provider_find(rows[i][0], rows[i][1]) == NULL, "%zu",
		    i);
	end_rows();
	assert_ptr_not_equal(banking, core);
	assert_string_equal(breb->product, "breb");
	assert_null(monime->product);
}

static void
test_origins_are_the_documented_ones(void **state)
{
	const struct {
		const struct mn_provider *v;
		const char *test;
		const char *live;
	} rows[] = {
		{ monime, "https://api.monime.io", "https://api.monime.io" },
		{ banking, "https://api.sandbox.cuentamono.com",
		    "https://api.cuentamono.com" },
		{ core, "https://api.sandbox.cuentamono.com",
		    "https://api.cuentamono.com" },
		{ breb, "https://breb-participant.sandbox.mono.la", NULL },
		{ wallet, NULL, NULL },
	};
	const char *const *got;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		got = rows[i].v->origin;
		if (rows[i].test == NULL)
			assert_null(got[MN_TEST]);
		else
			assert_string_equal(got[MN_TEST], rows[i].test);
		if (rows[i].live == NULL)
			assert_null(got[MN_LIVE]);
		else
			assert_string_equal(got[MN_LIVE], rows[i].live);
	}
}

static void
test_what_is_particular_to_each(void **state)
{
	const struct mn_provider *const mono[] = {
		banking, core, breb, wallet
	};
	size_t i;

	(void)state;
	assert_string_equal(monime->space_header, "Monime-Space-Id");
	assert_string_equal(monime->version_header, "Monime-Version");
	assert_string_equal(monime->key_header, "Idempotency-Key");
	assert_string_equal(monime->request_id_header, "Monime-Request-Id");
	assert_int_equal(monime->key_max, 64);
	assert_int_equal(monime->key_methods, MN_POST);
	assert_true(monime->token_test);
	assert_false(monime->oauth2);
	assert_true(monime->webhook.separator == '_');
	assert_true(monime->webhook.base64);
	for (i = 0; i < ROWS(mono); i++) {
		assert_null(mono[i]->space_header);
		assert_null(mono[i]->version_header);
		assert_null(mono[i]->prefix[MN_TEST]);
		assert_null(mono[i]->prefix[MN_LIVE]);
		assert_string_equal(mono[i]->key_header, "X-Idempotency-Key");
		assert_int_equal(mono[i]->key_max, 255);
		assert_int_equal(mono[i]->key_methods,
		    MN_POST | MN_PUT | MN_PATCH);
		assert_false(mono[i]->token_test);
		assert_int_equal(mono[i]->oauth2, i >= 2);
		assert_true(mono[i]->webhook.separator == '.');
		assert_false(mono[i]->webhook.base64);
	}
}

static void
test_longer_prefix_is_tried_first(void **state)
{
	static const struct {
		const char *token;
		int is;		/* -1: tells nothing */
	} rows[] = {
		{ "mon_test_abc", MN_TEST }, { "mon_test_", MN_TEST },
		{ "mon_abc", MN_LIVE }, { "mon_", MN_LIVE },
		{ "mon_test", MN_LIVE }, { "mon_tes", MN_LIVE },
		{ "mon_live_abc", MN_LIVE }, { "mon_TEST_abc", MN_LIVE },
		{ "mon", -1 }, { "", -1 }, { "m", -1 }, { "Mon_abc", -1 },
		{ " mon_abc", -1 }, { "test_abc", -1 }, { "mono_abc", -1 },
	};
	enum mn_environment of;
	size_t i, len;
	char *token;
	bool tells;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		len = strlen(rows[i].token);
		token = exact(rows[i].token, len);
		of = MN_TEST;
		tells = mn_provider_environment(monime, token, len, &of);
		ROW(tells == (rows[i].is >= 0) &&
		    (!tells || (int)of == rows[i].is), "\"%s\"",
		    rows[i].token);
		ROW(!mn_provider_environment(banking, token, len, &of),
		    "Mono, \"%s\"", rows[i].token);
		free(token);
	}
	end_rows();
}

static void
test_origin_of_the_other_environment_is_forbidden(void **state)
{
	const struct {
		const struct mn_provider *v;
		const char *origin;
		bool in_test;
		bool in_live;
	} rows[] = {
#define LIVE	"https://api.cuentamono.com"
#define SAND	"https://api.sandbox.cuentamono.com"
#define BREB	"https://breb-participant.sandbox.mono.la"
		{ banking, LIVE, true, false },
		{ banking, SAND, false, true },
		{ banking, LIVE ":443", true, false },
		{ banking, LIVE ":8443", true, false },
		{ banking, SAND ":443", false, true },
		/* Of whatever product. */
		{ core, LIVE, true, false }, { core, SAND, false, true },
		{ breb, LIVE, true, false }, { breb, SAND, false, true },
		{ wallet, LIVE, true, false }, { wallet, SAND, false, true },
		{ banking, BREB, false, true }, { breb, BREB, false, true },
		{ wallet, BREB ":1", false, true },
		/* Others'. */
		{ banking, "https://127.0.0.1:8443", false, false },
		{ banking, "https://[::1]:8443", false, false },
		{ banking, "https://api.cuentamono.com.example", false,
		    false },
		{ banking, "https://xapi.cuentamono.com", false, false },
		{ banking, "https://api.cuentamono.co", false, false },
		{ banking, "https://", false, false },
		{ banking, "", false, false },
		{ banking, "https://api.monime.io", false, false },
		/* Monime's one origin is both environments'. */
		{ monime, "https://api.monime.io", false, false },
		{ monime, LIVE, false, false },
		{ monime, SAND, false, false },
#undef LIVE
#undef SAND
#undef BREB
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		ROW(mn_provider_forbids(rows[i].v, rows[i].origin, MN_TEST) ==
		    rows[i].in_test, "%s in test", rows[i].origin);
		ROW(mn_provider_forbids(rows[i].v, rows[i].origin, MN_LIVE) ==
		    rows[i].in_live, "%s in live", rows[i].origin);
	}
	end_rows();
}

static void
test_statuses_that_may_be_tried_again(void **state)
{
	int status;

	(void)state;
	for (status = -1; status < 1000; status++) {
		ROW(mn_provider_retries(monime, status) ==
		    (status >= 500 && status <= 599), "Monime %d", status);
		ROW(mn_provider_retries(banking, status) ==
		    (status == 408 || status == 500 || status == 502 ||
		    status == 503 || status == 504), "Mono %d", status);
	}
	end_rows();
}

static void
test_methods_are_six_in_capitals(void **state)
{
	static const char *const none[] = {
		"", "get", "Get", "OPTIONS", "TRACE", "CONNECT", "GET ", "GETS"
	};
	unsigned int all = 0;
	size_t i;

	(void)state;
	all |= mn_provider_method("GET");
	all |= mn_provider_method("HEAD");
	assert_int_equal(all, MN_SAFE_METHODS);
	all |= mn_provider_method("POST");
	all |= mn_provider_method("PUT");
	all |= mn_provider_method("PATCH");
	all |= mn_provider_method("DELETE");
	assert_int_equal(all, 0x3f);
	for (i = 0; i < ROWS(none); i++)
		assert_int_equal(mn_provider_method(none[i]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_known_names_and_products_are_found),
		cmocka_unit_test(test_origins_are_the_documented_ones),
		cmocka_unit_test(test_what_is_particular_to_each),
		cmocka_unit_test(test_longer_prefix_is_tried_first),
		cmocka_unit_test(
		    test_origin_of_the_other_environment_is_forbidden),
		cmocka_unit_test(test_statuses_that_may_be_tried_again),
		cmocka_unit_test(test_methods_are_six_in_capitals),
	};

	return cmocka_run_group_tests_name("provider", tests, start, NULL);
}
