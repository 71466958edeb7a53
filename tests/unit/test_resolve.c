/* SPDX-License-Identifier: MIT */

/* events.c: nothing starts where libcurl would resolve in this thread. */

#include "folder.h"

#include <curl/curl.h>

#include "abi.h"
#include "unit.h"

static struct folder folder;
static bool together;

curl_version_info_data *__wrap_curl_version_info(CURLversion v);
curl_version_info_data *__real_curl_version_info(CURLversion v);

curl_version_info_data *
__wrap_curl_version_info(CURLversion v)
{
	static curl_version_info_data info;

	info = *__real_curl_version_info(v);
	if (together)
		info.features &= ~CURL_VERSION_ASYNCHDNS;
	return &info;
}

static int
setup(void **state)
{
	(void)state;
	if (folder_make(&folder))
		folder_write(&folder, "test/one.conf",
		    "provider = \"monime\";\ntoken = \"mon_test_x\";\n"
		    "base_url = \"https://127.0.0.1:1\";\n");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	folder_remove(&folder);
	return 0;
}

static void
test_start_is_refused_where_names_would_block(void **state)
{
	struct monime *m;
	struct monime_call *call;

	(void)state;
	if (folder.path[0] == '\0')
		skip();
	assert_int_equal(monime_open("test/one", folder.path, &m), MONIME_OK);
	together = true;
	assert_int_equal(monime_request_start(m, "GET", "/v1/x", NULL, NULL,
	    0, NULL, &call), MONIME_ESYS);
	CONTAINS(monime_call_error(call), "resolves names in the calling");
	CONTAINS(monime_call_error(call), "threaded resolver or c-ares");
	monime_call_free(call);
	assert_null(monime_next(m));
	/* What is local is told as ever. */
	assert_int_equal(monime_check_token_start(m, "no", 2, NULL, &call),
	    MONIME_EDENIED);
	monime_call_free(call);
	/* A blocking verb may wait for a name. */
	assert_int_equal(monime_request(m, "DELETE", "/v1/x", NULL, NULL, 0,
	    &call), MONIME_ENET);
	monime_call_free(call);
	together = false;
	assert_int_equal(monime_request_start(m, "GET", "/v1/x", NULL, NULL,
	    0, NULL, &call), MONIME_EPENDING);
	monime_call_free(call);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_start_is_refused_where_names_would_block),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
