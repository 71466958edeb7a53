/* SPDX-License-Identifier: MIT */

/*
 * The support for tests, tested: what it starts, tells and cleans up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "sandbox.h"

static struct sandbox *sandbox;

static int
start(void **state)
{
	(void)state;
	sandbox = sandbox_start();
	return sandbox ? 0 : -1;
}

static int
stop(void **state)
{
	(void)state;
	sandbox_stop(sandbox);
	return 0;
}

static int
reset(void **state)
{
	(void)state;
	sandbox_reset(sandbox);
	return 0;
}

static size_t
ignore(char *data, size_t one, size_t count, void *context)
{
	(void)data;
	(void)one;
	(void)context;
	return count;
}

/* One request with the test token; the status, or 0 without an answer. */
static long
ask(const char *server, const char *target, const char *key)
{
	struct curl_slist *headers = NULL;
	CURL *curl = curl_easy_init();
	char text[512];
	long status = 0;

	snprintf(text, sizeof(text), "%s%s", sandbox_origin(sandbox, server),
		 target);
	curl_easy_setopt(curl, CURLOPT_URL, text);
	curl_easy_setopt(curl, CURLOPT_CAINFO, sandbox_ca_file(sandbox));
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
	snprintf(text, sizeof(text), "Authorization: Bearer %s",
		 sandbox_token(sandbox, "test"));
	headers = curl_slist_append(headers, text);
	snprintf(text, sizeof(text), "Monime-Space-Id: %s",
		 sandbox_space(sandbox, "test"));
	headers = curl_slist_append(headers, text);
	if (key) {
		snprintf(text, sizeof(text), "Idempotency-Key: %s", key);
		headers = curl_slist_append(headers, text);
		headers = curl_slist_append(headers,
					    "Content-Type: application/json");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{\"n\":1}");
	}
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	return status;
}

static void
test_requests_are_counted_and_logged(void **state)
{
	struct json_object *log, *one;

	(void)state;
	assert_int_equal(ask("monime", "/", NULL), 200);
	assert_int_equal(ask("monime", "/v1/banks?limit=1", NULL), 200);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 2);
	assert_int_equal(sandbox_connections(sandbox, "monime"), 2);
	assert_int_equal(sandbox_bytes(sandbox, "elsewhere"), 0);
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "monime", -1);
	assert_string_equal(sandbox_text(one, "target"), "/v1/banks?limit=1");
	assert_string_equal(sandbox_text(one, "token"), "test");
	assert_string_equal(sandbox_header(one, "monime-space-id", 0),
			    "spc-sandbox");
	assert_null(sandbox_header(one, "monime-space-id", 1));
	assert_null(sandbox_logged(log, "monime", 2));
	json_object_put(log);
}

static void
test_write_whose_answer_is_dropped_counts_once(void **state)
{
	(void)state;
	sandbox_fault(sandbox, "{\"method\": \"POST\", \"drop\": \"status\","
			       " \"execute\": true}");
	assert_int_equal(ask("monime", "/v1/payouts", "k"), 0);
	assert_int_equal(ask("monime", "/v1/payouts", "k"), 200);
	assert_int_equal(sandbox_effects(sandbox), 1);
}

static void
test_revoked_and_set(void **state)
{
	(void)state;
	sandbox_setting(sandbox, "{\"unauthenticated_status\": 401}");
	sandbox_revoke(sandbox, "test");
	assert_int_equal(ask("monime", "/", NULL), 401);
	sandbox_wait(sandbox, "requests", "monime", 1);
	sandbox_wait_down(sandbox, "open", "monime", 0);
}

static void
test_folder_has_profiles_and_modes(void **state)
{
	const char *folder = sandbox_folder(sandbox);
	struct stat found;
	char path[512];

	(void)state;
	sandbox_write_file(folder, "test/x.conf", 0640, "space = \"%s\";\n",
			   sandbox_space(sandbox, "test"));
	snprintf(path, sizeof(path), "%s/test/x.conf", folder);
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0640);
	snprintf(path, sizeof(path), "%s/test/payouts.token", folder);
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_requests_are_counted_and_logged,
				       reset),
		cmocka_unit_test_setup(
			test_write_whose_answer_is_dropped_counts_once, reset),
		cmocka_unit_test_setup(test_revoked_and_set, reset),
		cmocka_unit_test_setup(test_folder_has_profiles_and_modes,
				       reset),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
