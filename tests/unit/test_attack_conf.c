/* SPDX-License-Identifier: MIT */

/* conf.c: a secret that stands in the place of its path is not quoted. */

#include "unit.h"

#include "conf.h"
#include "keys.h"

#define SECRET	"sk-51Hxyz0canary"

static void
test_secret_in_the_place_of_a_path_is_not_quoted(void **state)
{
	static const char *const files[] = {
		"token_file = \"" SECRET "\";",
		"token_file = [ \"" SECRET "\" ];",
		"oauth2 = { client_secret_file = \"" SECRET "\"; };",
		"oauth2 = { password_file = \"" SECRET "\"; };",
		"webhook = { secret_files = [ \"" SECRET "\" ]; };",
		"webhook = { secret_files = \"" SECRET "\"; };",
	};
	struct mn_error e = MN_ERROR_INIT;
	struct mn_secret *bytes;
	struct mn_profile *p;
	struct mn_conf c;
	size_t i;
	int r;

	(void)state;
	assert_true(mn_secret_init());
	for (i = 0; i < ROWS(files); i++) {
		p = calloc(1, sizeof(*p));
		bytes = mn_secret_copy(MN_SECRET_PLAIN, files[i],
		    strlen(files[i]));
		assert_non_null(p);
		assert_non_null(bytes);
		mn_keys_defaults(p);
		c = (struct mn_conf){ .path = "/x.conf",
			.table = &mn_keys_profile, .p = p, .e = &e };
		r = mn_conf_read(&c, bytes);
		ROW(r == MONIME_ECONFIG &&
		    strstr(mn_error_get(&e), "wanted") != NULL &&
		    strstr(mn_error_get(&e), SECRET) == NULL, "%s: %s",
		    files[i], mn_error_get(&e));
		mn_secret_free(bytes);
		mn_keys_free(p);
		free(p);
		mn_error_free(&e);
	}
	end_rows();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_secret_in_the_place_of_a_path_is_not_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
