/* SPDX-License-Identifier: MIT */

/* call.c: what a call tells where memory is short. */

#include "unit.h"

#include "call.h"

static bool short_of_memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *
__wrap_malloc(size_t size)
{
	return short_of_memory ? NULL : __real_malloc(size);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);

char *
__wrap_strdup(const char *s)
{
	return short_of_memory ? NULL : __real_strdup(s);
}

static void
test_fact_is_no_former_one_when_memory_is_short(void **state)
{
	static char long_value[200];
	struct monime m = { .references = 1, .failure = MONIME_ECONFIG };
	struct monime_call *call;

	(void)state;
	mn_log_init(&m.log);
	call = mn_call_new(&m, NULL);
	assert_non_null(call);
	mn_call_fact_word(call, "executed", "no");
	mn_call_fact(call, "attempts", "%d", 4);
	mn_call_fact_copy(call, "environment", "test");
	mn_call_fact(call, "source", "local");
	memset(long_value, 'x', sizeof(long_value) - 1);

	short_of_memory = true;
	/* A write that was sent: "no" would be a lie. */
	mn_call_fact_word(call, "executed", "unknown");
	mn_call_fact(call, "attempts", "%d", 5);
	mn_call_fact_copy(call, "environment", "live");
	mn_call_fact(call, "source", "%s", long_value);
	mn_call_fact(call, "reason", "too_many_requests");
	short_of_memory = false;

	assert_string_equal(monime_call_get(call, "executed"), "unknown");
	assert_null(monime_call_get(call, "attempts"));
	assert_null(monime_call_get(call, "environment"));
	assert_null(monime_call_get(call, "source"));
	assert_null(monime_call_get(call, "reason"));
	mn_call_fact(call, "source", "%s", long_value);
	mn_call_fact_copy(call, "reason", "r");
	assert_string_equal(monime_call_get(call, "source"), long_value);
	assert_string_equal(monime_call_get(call, "reason"), "r");
	monime_call_free(call);
	mn_log_free(&m.log);
}

static void
test_failure_has_a_text_where_memory_is_short(void **state)
{
	struct monime m = { .references = 1, .failure = MONIME_ECONFIG };
	struct monime_call *call;

	(void)state;
	mn_log_init(&m.log);
	short_of_memory = true;
	call = mn_call_new(&m, NULL);
	short_of_memory = false;
	assert_non_null(call);
	assert_int_equal(monime_call_result(call), MONIME_ECONFIG);
	assert_string_equal(monime_call_error(call),
	    monime_strerror(MONIME_ECONFIG));
	assert_string_equal(monime_error(&m),
	    monime_strerror(MONIME_ECONFIG));
	monime_call_free(call);
	mn_log_free(&m.log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_failure_has_a_text_where_memory_is_short),
		cmocka_unit_test(
		    test_fact_is_no_former_one_when_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
