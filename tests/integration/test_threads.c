/* SPDX-License-Identifier: MIT */

/* Any number of threads on one handle. */

#include "loops.h"

#define THREADS		32
#define EACH		200	/* requests of a thread */
#define EACH_CHECKED	20	/* checks of a thread */

static int each = EACH;

static const char *
work_requests(struct monime *m, int number)
{
	struct monime_call *call;
	char path[64];
	int i, r;

	(void)snprintf(path, sizeof(path), ACCOUNTS "?limit=%d", number + 1);
	for (i = 0; i < each; i++) {
		r = monime_request(m, "GET", path, NULL, NULL, 0, &call);
		monime_call_free(call);
		if (r != MONIME_OK)
			return "a request failed";
	}
	return NULL;
}

static void
test_threads_on_one_handle_each_with_a_kept_connection(void **state)
{
	struct monime *m = open_test("timeout = \"60s\";");

	(void)state;
	if (getenv("MONIME_TESTS_SLOW") != NULL)
		each = 20;	/* under a sanitizer of threads */
	crew_start(m, THREADS, work_requests);
	crew_wait(THREADS);
	assert_int_equal(sandbox_requests(sandbox, "monime"),
	    THREADS * each);
	/* One each at most: none is opened twice. */
	assert_in_range(sandbox_connections(sandbox, "monime"), 1, THREADS);
	monime_close(m);
	sandbox_wait_down(sandbox, "open", "monime", 0);
}

/* Everything at once: verbs of all kinds, a loop, rotations. */

static const char *
work_everything(struct monime *m, int number)
{
	static const char bad[] = "mon_test_canary_never_was_any";
	const char *good = sandbox_token(sandbox, "test");
	struct monime_call *call;
	char url[256];
	int i, r;

	(void)snprintf(url, sizeof(url), "%s" ACCOUNTS,
	    monime_get(m, "origin"));
	for (i = 0; i < EACH_CHECKED; i++) {
		switch ((i + number) % 5) {
		case 0:
			r = monime_check_token(m, good, strlen(good), &call);
			break;
		case 1:
			r = monime_check_token(m, bad, strlen(bad), &call);
			r = r == MONIME_EDENIED ? MONIME_OK : -100;
			break;
		case 2:
			r = monime_authorize(m, "GET", url, &call);
			break;
		case 3:
			/* A look is not the loop's. */
			call = NULL;
			r = monime_check_token_start(m, good, strlen(good),
			    NULL, NULL);
			r = r == MONIME_EPENDING ? MONIME_OK : r;
			break;
		default:
			r = monime_request(m, "POST", "/v1/payouts", NULL,
			    "{}", 2, &call);
		}
		monime_call_free(call);
		if (r != MONIME_OK)
			return "a verb failed";
	}
	return NULL;
}

static const char more[] = "timeout = \"60s\"; reload = \"1s\";\n"
    "check = { timeout = \"30s\"; };\n"
    "allow = { methods = [\"GET\", \"POST\"]; paths = [\"/v1/*\"]; };\n";

static void
test_all_verbs_a_loop_and_rotations_at_once(void **state)
{
	struct monime *m = open_test(more);
	struct monime_call *call;
	int i, done = 0;

	(void)state;
	crew_start(m, 16, work_everything);
	for (i = 0; i < 100; i++) {
		(void)begin_get(m, ACCOUNTS, NULL);
		if (i % 25 == 0)
			write_profile("test/t", "monime", "test", more);
		while ((call = await(m, i < 99 ? 5 : 1000)) != NULL) {
			assert_code(call, monime_call_result(call),
			    MONIME_OK);
			monime_call_free(call);
			done++;
		}
	}
	crew_wait(16);
	while (done < 100 && (call = await(m, PATIENCE)) != NULL) {
		monime_call_free(call);
		done++;
	}
	assert_int_equal(done, 100);
	monime_close(m);
}

static const char *
work_breb(struct monime *m, int number)
{
	struct monime_call *call;
	int i, r;

	(void)number;
	for (i = 0; i < EACH_CHECKED; i++) {
		r = monime_request(m, "GET", COLLECTIONS, NULL, NULL, 0,
		    &call);
		monime_call_free(call);
		if (r != MONIME_OK)
			return "a request failed";
	}
	return NULL;
}

static void
test_threads_and_a_loop_share_one_access_token(void **state)
{
	struct monime *m = open_breb("timeout = \"60s\";");
	struct monime_call *call;
	int i;

	(void)state;
	crew_start(m, 16, work_breb);
	for (i = 0; i < 20; i++) {
		(void)begin_get(m, COLLECTIONS, NULL);
		call = await(m, 60000);
		assert_non_null(call);
		assert_code(call, monime_call_result(call), MONIME_OK);
		monime_call_free(call);
	}
	crew_wait(16);
	/* One more where a blocking verb took over from the loop. */
	assert_in_range(total("token_requests"), 1, 2);
	monime_close(m);
}

/* Two threads move the same loop, one after the other. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int finished;

static const char *
work_loop(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;
	int done;

	(void)number;
	do {
		(void)pthread_mutex_lock(&turn);
		while ((call = monime_next(m)) != NULL) {
			if (monime_call_result(call) != MONIME_OK)
				wrong = "a call failed";
			monime_call_free(call);
			finished++;
		}
		done = finished;
		(void)pthread_mutex_unlock(&turn);
		sleep_ms(1);
	} while (done < 50);
	return wrong;
}

static void
test_loop_is_handed_from_thread_to_thread(void **state)
{
	struct monime *m = open_test("");
	int i;

	(void)state;
	finished = 0;
	for (i = 0; i < 50; i++)
		(void)begin_get(m, ACCOUNTS, NULL);
	crew_start(m, 4, work_loop);
	crew_wait(4);
	assert_int_equal(finished, 50);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_threads_on_one_handle_each_with_a_kept_connection),
		LIVING(test_all_verbs_a_loop_and_rotations_at_once),
		LIVING(test_threads_and_a_loop_share_one_access_token),
		LIVING(test_loop_is_handed_from_thread_to_thread),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
