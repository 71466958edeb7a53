/* SPDX-License-Identifier: MIT */

/* The command, where its own configuration is at fault. */

#include "common.h"

#include <sys/wait.h>

/* Run the command with a token on its standard input; its exit status. */
static int
command(const char *arguments, const char *token, char *out, size_t size)
{
	char line[1024];
	size_t n;
	FILE *f;

	(void)snprintf(line, sizeof(line), "printf %%s '%s' | "
	    "LD_LIBRARY_PATH=" BUILD_DIR " " BUILD_DIR "/monime -C %s %s "
	    "2>/dev/null", sandbox_token(sandbox, token), folder, arguments);
	f = popen(line, "r");
	assert_non_null(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	return WEXITSTATUS(pclose(f));
}

static const char *
member(struct json_object *o, const char *name)
{
	return json_object_get_string(json_object_object_get(o, name));
}

static void
test_profile_that_does_not_open_is_no_verdict(void **state)
{
	struct json_object *o;
	char out[8192];

	(void)state;
	/* Our own credential is of the other environment: our own fault. */
	write_profile("test/t", "monime", "live", "");
	assert_int_equal(command("check test/t --json --token-file -", "test",
	    out, sizeof(out)), 2);
	o = json_tokener_parse(out);
	assert_non_null(o);
	assert_string_equal(member(o, "result"), "MONIME_EENVIRONMENT");
	assert_string_equal(member(o, "verdict"), "unknown");
	assert_null(strstr(member(o, "mend"), "bearer"));
	json_object_put(o);
	assert_silence();
}

static void
test_verdict_on_a_bearer_is_told(void **state)
{
	struct json_object *o;
	char out[8192];

	(void)state;
	write_profile("test/t", "monime", "test", "");
	assert_int_equal(command("check test/t --json --token-file -", "live",
	    out, sizeof(out)), 1);
	o = json_tokener_parse(out);
	assert_non_null(o);
	assert_string_equal(member(o, "verdict"), "environment");
	json_object_put(o);
	assert_silence();
}

static void
test_output_stays_when_nothing_was_sent(void **state)
{
	char out[8192], path[512], line[1024], kept[64] = "";
	FILE *f;

	(void)state;
	write_profile("test/t", "monime", "test",
	    "retry = { attempts = 1; };");
	sandbox_write_file(folder, "answer", 0600, "the former one");
	(void)snprintf(path, sizeof(path), "%s/answer", folder);
	(void)snprintf(line, sizeof(line),
	    "request test/t POST /v1/payouts -d {} -o %s", path);
	sandbox_fault(sandbox, J({"path": "/", "status": 503}));
	assert_int_equal(command(line, "test", out, sizeof(out)), 3);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(kept, sizeof(kept), f));
	(void)fclose(f);
	assert_string_equal(kept, "the former one");
	assert_int_equal(sandbox_effects(sandbox), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_profile_that_does_not_open_is_no_verdict),
		TEST(test_verdict_on_a_bearer_is_told),
		TEST(test_output_stays_when_nothing_was_sent),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
