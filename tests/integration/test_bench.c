/* SPDX-License-Identifier: MIT */

/*
 * Benching: a credential that the API refuses is not sent again and again,
 * and one that it does not refuse is never held for such.
 */

#include "living.h"

#define LISTS	"/v1/financial-accounts"
#define PAYOUTS	"/v1/payouts"
#define BANKS	"/v1/bank_accounts"
#define TRANSFERS	"/v1/transfers"

#define NEW_KEY	"mon_test_canary_new_key"

static struct monime *
open_it(const char *server, const char *token, const char *more)
{
	write_profile("test/b", server, token, more);
	return open_logged("test/b");
}

static size_t
requests(const char *server)
{
	return sandbox_requests(sandbox, server);
}

#define ALLOW	"allow = { methods = [\"GET\"]; paths = [\"/v1/*\"]; };"

/* One call of whatever kind, with its report; its result. */
static int
once(struct monime *m, const char *server, const char *how)
{
	const char *path = is_mono(server) ? TRANSFERS : PAYOUTS;
	struct monime_call *call;
	char url[256];
	int r;

	if (same(how, "authorize")) {
		(void)snprintf(url, sizeof(url), "%s%s",
		    sandbox_origin(sandbox, server), path);
		r = monime_authorize(m, "GET", url, &call);
		if (r == MONIME_OK) {
			r = MONIME_EDENIED;
			monime_call_report(call, 401);
		}
	} else if (same(how, "GET")) {
		r = monime_request(m, how, path, NULL, NULL, 0, &call);
	} else {
		r = monime_request(m, how, path, NULL, "{}", 2, &call);
	}
	look_over(call);
	monime_call_free(call);
	return r;
}

static void
test_revoked_key_is_sent_4_times_a_minute_at_most(void **state)
{
	static const struct {
		const char *server;
		const char *token;
		const char *how;
		const char *more;
		int status;	/* of the token test */
	} rows[] = {
		{ "monime", "test", "GET", "", 200 },
		{ "monime", "test", "GET", "", 401 },
		{ "monime", "test", "POST", "", 200 },
		{ "monime", "test", "POST", "", 401 },
		{ "monime", "test", "POST",
		  "confirm_environment = false;", 200 },
		{ "monime", "test", "DELETE", "", 200 },
		{ "monime", "test", "authorize", ALLOW, 200 },
		{ "monime", "test", "authorize", ALLOW
		  "confirm_environment = false;", 200 },
		{ "mono_sandbox", "mono_sandbox", "GET", "", 200 },
		{ "mono_sandbox", "mono_sandbox", "POST", "", 200 },
		{ "mono_sandbox", "mono_sandbox", "authorize", ALLOW, 200 },
	};
	struct monime *m;
	int64_t began, ahead;
	char name[64], text[64];
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		(void)snprintf(name, sizeof(name), "%s %s %d %s",
		    rows[i].server, rows[i].how, rows[i].status,
		    rows[i].more);
		row = name;
		sandbox_reset(sandbox);
		log_forget();
		(void)snprintf(text, sizeof(text),
		    "{\"unauthenticated_status\": %d}", rows[i].status);
		sandbox_setting(sandbox, text);
		m = open_it(rows[i].server, rows[i].token, rows[i].more);
		if (!same(rows[i].how, "authorize"))
			ask(m, "GET", is_mono(rows[i].server) ? BANKS : LISTS,
			    MONIME_OK);
		sandbox_revoke(sandbox, rows[i].token);
		control("/reset", "{\"only\": [\"log\"]}");
		began = now_ms();
		for (j = 0; j < 10000; j++) {
			assert_code(NULL, once(m, rows[i].server,
			    rows[i].how), MONIME_EDENIED);
			/* 59 s in all, those that really pass among them. */
			ahead = began + j * 59 / 10 - now_ms();
			if (ahead > 10)
				move_clock(ahead);
		}
		if (requests(rows[i].server) > 4)
			fail_row(__FILE__, __LINE__, "%zu requests",
			    requests(rows[i].server));
		if (!same(rows[i].how, "authorize") || !is_mono(rows[i].server))
			assert_row(requests(rows[i].server) > 0);
		assert_row(sandbox_effects(sandbox) == 0);
		assert_logged(": benched for 30 s", 2);
		monime_close(m);
	}
}

static void
test_401_on_one_path_benches_nothing(void **state)
{
	struct monime *m;
	int i;

	(void)state;
	faultf(J({"path": "%s", "status": 401, "times": -1}), PAYOUTS);
	faultf(J({"path": "%s", "status": 401, "times": -1}), TRANSFERS);

	/* Monime: the token test says that the token is good. */
	m = open_it("monime", "test", "");
	for (i = 0; i < 10; i++)
		ask(m, "GET", PAYOUTS, MONIME_EDENIED);
	ask(m, "POST", PAYOUTS, MONIME_EDENIED);
	ask(m, "GET", LISTS, MONIME_OK);
	monime_close(m);

	/* Mono: other paths say so. */
	m = open_it("mono_sandbox", "mono_sandbox", "");
	for (i = 0; i < 10; i++) {
		ask(m, "GET", TRANSFERS, MONIME_EDENIED);
		ask(m, "POST", TRANSFERS, MONIME_EDENIED);
		ask(m, "GET", BANKS, MONIME_OK);
	}
	monime_close(m);
	assert_logged("benched", 0);
}

/* A token test that cannot be asked is no refusal. */
static void
test_token_test_without_a_verdict_benches_nothing(void **state)
{
	static const char *const faults[] = {
		J({"path": "/", "status": 503, "times": -1}),
		J({"path": "/", "status": 429, "times": -1}),
		J({"path": "/", "status": 403, "times": -1}),
		J({"path": "/", "drop": "status", "times": -1}),
		J({"path": "/", "text": "{}", "times": -1}),
		J({"path": "/", "text":
		    "{\"status\": {\"isAuthenticated\": \"false\"}}",
		    "times": -1}),
	};
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(faults); i++) {
		row = faults[i];
		sandbox_reset(sandbox);
		m = open_it("monime", "test", "");
		ask(m, "POST", PAYOUTS, MONIME_OK);	/* confirmed */
		faultf(J({"path": "%s", "status": 401}), PAYOUTS);
		sandbox_fault(sandbox, faults[i]);
		ask(m, "GET", PAYOUTS, MONIME_EDENIED);
		control("/reset", "{\"only\": [\"faults\"]}");
		ask(m, "GET", PAYOUTS, MONIME_OK);
		monime_close(m);
	}
	assert_logged("benched", 0);
}

static void
test_mono_benches_after_three_with_no_2xx_between(void **state)
{
	struct monime *m = open_it("mono_sandbox", "mono_sandbox", "");
	int i;

	(void)state;
	faultf(J({"path": "%s", "status": 401, "times": 2}), TRANSFERS);
	ask(m, "GET", TRANSFERS, MONIME_EDENIED);
	ask(m, "GET", TRANSFERS, MONIME_EDENIED);
	ask(m, "GET", BANKS, MONIME_OK);	/* begins anew */
	assert_logged("benched", 0);
	sandbox_reset(sandbox);
	sandbox_revoke(sandbox, "mono_sandbox");
	for (i = 1; i <= 10; i++) {
		ask(m, "GET", BANKS, MONIME_EDENIED);
		assert_int_equal(requests("mono_sandbox"), i < 3 ? i : 3);
	}
	assert_logged("benched", 1);
	monime_close(m);
}

static void
test_403_never_benches(void **state)
{
	struct monime *m;
	int i;

	(void)state;
	faultf(J({"path": "/v1/", "status": 403, "times": 200}));
	m = open_it("monime", "test", "");
	for (i = 0; i < 100; i++)
		ask(m, "GET", PAYOUTS, MONIME_EFORBIDDEN);
	monime_close(m);
	m = open_it("mono_sandbox", "mono_sandbox", "");
	for (i = 0; i < 100; i++)
		ask(m, "GET", BANKS, MONIME_EFORBIDDEN);
	ask(m, "GET", BANKS, MONIME_OK);
	monime_close(m);
	m = open_it("monime", "limited_test", "");
	for (i = 0; i < 10; i++)
		ask(m, "GET", LISTS, MONIME_EFORBIDDEN);
	monime_close(m);
	assert_logged("benched", 0);
}

#define present(m, name, want)	\
	common_present(m, name, want, __FILE__, __LINE__)

static void
common_present(struct monime *m, const char *name, int want, const char *file,
    int line)
{
	const char *token = sandbox_token(sandbox, name);
	struct monime_call *call;
	int r = monime_check_token(m, token, strlen(token), &call);

	common_code(call, r, want, file, line);
	look_over(call);
	monime_call_free(call);
}

static void
test_nothing_that_is_presented_benches_anything(void **state)
{
	static const char *const servers[] = { "monime", "mono_sandbox" };
	static const char *const ours[] = { "test", "mono_sandbox" };
	static const char *const theirs[] = { "stranger_test",
	    "mono_stranger" };
	static const char *const paths[] = { LISTS, BANKS };
	struct monime *m;
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < ROWS(servers); i++) {
		row = servers[i];
		sandbox_reset(sandbox);
		/* Each is asked about: refusals are not remembered. */
		m = open_it(servers[i], ours[i], i == 0 ?
		    "check = { negative_ttl = \"0 s\"; };" :
		    "check = { path = \"/v1/bank_accounts/bac_sandbox\"; "
		    "negative_ttl = \"0 s\"; };");
		sandbox_revoke(sandbox, theirs[i]);
		for (j = 0; j < 10; j++)
			present(m, theirs[i], MONIME_EDENIED);
		ask(m, "GET", paths[i], MONIME_OK);

		/* Not even our own token, when it is others that present it. */
		faultf(J({"status": 401, "times": 10}));
		for (j = 0; j < 10; j++)
			present(m, ours[i], MONIME_EDENIED);
		ask(m, "GET", paths[i], MONIME_OK);
		for (j = 0; j < 3; j++) {
			faultf(J({"status": 429}));
			present(m, ours[i], MONIME_ELIMIT);
			move_clock(1100);
		}
		ask(m, "GET", paths[i], MONIME_OK);
		monime_close(m);
	}
	assert_logged("benched", 0);
}

static void
grant(const char *token, const char *server)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "{\"token\": \"%s\", "
	    "\"environment\": \"test\", \"spaces\": [\"spc-sandbox\"], "
	    "\"server\": \"%s\"}", token, server);
	control("/grant", text);
}

static void
test_changed_file_ends_it(void **state)
{
	static const char *const servers[] = { "monime", "mono_sandbox" };
	static const char *const tokens[] = { "test", "mono_sandbox" };
	static const char *const paths[] = { LISTS, BANKS };
	struct monime *m;
	size_t i, before;
	int j;

	(void)state;
	for (i = 0; i < ROWS(servers); i++) {
		row = servers[i];
		sandbox_reset(sandbox);
		grant(NEW_KEY, servers[i]);
		m = open_it(servers[i], tokens[i], "reload = \"5 s\";");
		sandbox_revoke(sandbox, tokens[i]);
		for (j = 0; j < 5; j++)
			ask(m, "GET", paths[i], MONIME_EDENIED);
		before = requests(servers[i]);
		sandbox_write_file(folder, "test/b.token", 0600,
		    NEW_KEY "\n");
		move_clock(5001);
		ask(m, "GET", paths[i], MONIME_OK);
		assert_row(requests(servers[i]) == before + 1);

		/* The same bytes once more are a change, too. */
		sandbox_revoke(sandbox, NEW_KEY);
		for (j = 0; j < 5; j++)
			ask(m, "GET", paths[i], MONIME_EDENIED);
		before = requests(servers[i]);
		sandbox_write_file(folder, "test/b.token", 0600,
		    NEW_KEY "\n");
		control("/reset",
		    "{\"only\": [\"tokens\"]}");
		grant(NEW_KEY, servers[i]);
		move_clock(5001);
		ask(m, "GET", paths[i], MONIME_OK);
		assert_row(requests(servers[i]) == before + 1);
		monime_close(m);
	}
}

static const char *
get(struct monime *m, int number)
{
	const char *path = same(monime_get(m, "provider"), "mono") ?
	    BANKS : LISTS;
	struct monime_call *call;
	const char *wrong = NULL;

	(void)number;
	if (monime_request(m, "GET", path, NULL, NULL, 0, &call) != MONIME_OK)
		wrong = strdup(monime_call_error(call));
	monime_call_free(call);
	return wrong;
}

static void
test_late_401_of_the_old_key_benches_nothing(void **state)
{
	static const char *const servers[] = { "monime", "mono_sandbox" };
	static const char *const tokens[] = { "test", "mono_sandbox" };
	static const char *const paths[] = { LISTS, BANKS };
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(servers); i++) {
		row = servers[i];
		sandbox_reset(sandbox);
		log_forget();
		grant(NEW_KEY, servers[i]);
		m = open_it(servers[i], tokens[i], "");
		ask(m, "GET", paths[i], MONIME_OK);
		faultf(J({"token": "%s", "status": 401, "times": 8,
		    "hold": true}), tokens[i]);
		crew_start(m, 8, get);
		sandbox_wait(sandbox, "held", servers[i], 8);
		sandbox_write_file(folder, "test/b.token", 0600,
		    NEW_KEY "\n");
		sandbox_revoke(sandbox, tokens[i]);
		move_clock(10001);
		ask(m, "GET", paths[i], MONIME_OK);
		assert_logged("a changed profile is taken up", 1);
		(void)sandbox_release(sandbox);
		crew_wait(8);	/* and they go on with the new one */
		ask(m, "GET", paths[i], MONIME_OK);
		assert_logged("benched", 0);
		/* 1; 8 held and sent again; 2: no token test of the old one. */
		assert_row(requests(servers[i]) == 1 + 16 + 2);
		monime_close(m);
	}
}

static void
test_late_report_of_the_old_key_benches_nothing(void **state)
{
	static const char *const servers[] = { "monime", "mono_sandbox" };
	static const char *const tokens[] = { "test", "mono_sandbox" };
	static const char *const paths[] = { LISTS, BANKS };
	struct monime_call *call[5];
	struct monime *m;
	char url[256];
	size_t i, j;

	(void)state;
	for (i = 0; i < ROWS(servers); i++) {
		row = servers[i];
		sandbox_reset(sandbox);
		log_forget();
		grant(NEW_KEY, servers[i]);
		m = open_it(servers[i], tokens[i], ALLOW);
		(void)snprintf(url, sizeof(url), "%s%s",
		    sandbox_origin(sandbox, servers[i]), paths[i]);
		for (j = 0; j < ROWS(call); j++)
			assert_code(call[j], monime_authorize(m, "GET", url,
			    &call[j]), MONIME_OK);
		sandbox_write_file(folder, "test/b.token", 0600,
		    NEW_KEY "\n");
		sandbox_revoke(sandbox, tokens[i]);
		move_clock(10001);
		ask(m, "GET", paths[i], MONIME_OK);
		for (j = 0; j < ROWS(call); j++) {
			monime_call_report(call[j], 401);
			monime_call_free(call[j]);
		}
		ask(m, "GET", paths[i], MONIME_OK);
		/* The reports were of the old one, so nothing of ours ends. */
		assert_code(call[0], monime_authorize(m, "GET", url, &call[0]),
		    MONIME_OK);
		assert_string_equal(monime_call_header(call[0],
		    "Authorization"), "Bearer " NEW_KEY);
		monime_call_free(call[0]);
		monime_close(m);
	}
}

static void
test_check_of_our_own_always_asks(void **state)
{
	struct monime_call *call;
	struct monime *m;
	size_t before;
	int i;

	(void)state;
	m = open_it("monime", "test", "");
	sandbox_revoke(sandbox, "test");
	for (i = 0; i < 3; i++)
		ask(m, "GET", LISTS, MONIME_EDENIED);
	before = requests("monime");
	for (i = 0; i < 3; i++) {
		assert_code(call, monime_check_credential(m, &call),
		    MONIME_EDENIED);
		look_over(call);
		monime_call_free(call);
	}
	assert_int_equal(requests("monime"), before + 3);
	/* What it learns holds for the others. */
	control("/reset",
	    "{\"only\": [\"tokens\"]}");
	ask(m, "GET", LISTS, MONIME_EDENIED);
	assert_code(NULL, monime_check_credential(m, NULL), MONIME_OK);
	ask(m, "GET", LISTS, MONIME_OK);
	/* And the reverse. */
	sandbox_revoke(sandbox, "test");
	assert_code(NULL, monime_check_credential(m, NULL), MONIME_EDENIED);
	before = requests("monime");
	ask(m, "GET", LISTS, MONIME_EDENIED);
	assert_int_equal(requests("monime"), before);
	monime_close(m);
}

static const char *
get_denied(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;

	(void)number;
	if (monime_request(m, "GET", LISTS, NULL, NULL, 0, &call) !=
	    MONIME_EDENIED)
		wrong = "not denied";
	monime_call_free(call);
	return wrong;
}

static void
test_64_threads_with_a_revoked_key_make_one_token_test(void **state)
{
	struct monime *m = open_it("monime", "test", "");

	(void)state;
	sandbox_revoke(sandbox, "test");
	faultf(J([{"path": "/v1/", "times": 64, "execute": true,
	    "hold": true}, {"path": "/", "execute": true, "hold": true}]));
	crew_start(m, 64, get_denied);
	sandbox_wait(sandbox, "held", "monime", 64);
	/* The 64 are answered, and one of them asks about the token ... */
	(void)sandbox_release(sandbox);
	sandbox_wait(sandbox, "requests", "monime", 65);
	sleep_ms(300);		/* ... while the others come this far. */
	assert_int_equal(requests("monime"), 65);
	(void)sandbox_release(sandbox);
	crew_wait(64);
	assert_int_equal(requests("monime"), 65);
	assert_logged("benched", 1);
	monime_close(m);
}

static void
test_deprecated_version_is_told_once_an_hour(void **state)
{
	static const char line[] = "deprecated: move to a newer one";
	struct monime *m;
	int i;

	(void)state;
	sandbox_setting(sandbox, "{\"api_version_deprecated\": true}");
	m = open_it("monime", "test", "");
	/* A stranger's version is the stranger's affair. */
	present(m, "test", MONIME_OK);
	assert_logged(line, 0);
	for (i = 0; i < 5; i++)
		assert_code(NULL, monime_check_credential(m, NULL), MONIME_OK);
	assert_logged(line, 1);
	assert_logged("4 test/b: the API calls its version caph.2025-06-20 "
	    "deprecated", 1);
	move_clock(3590000);
	assert_code(NULL, monime_check_credential(m, NULL), MONIME_OK);
	assert_logged(line, 1);
	move_clock(11000);
	for (i = 0; i < 5; i++)
		assert_code(NULL, monime_check_credential(m, NULL), MONIME_OK);
	assert_logged(line, 2);
	/* The confirmation before a write tells as well. */
	monime_close(m);
	m = open_it("monime", "test", "");
	ask(m, "POST", PAYOUTS, MONIME_OK);
	ask(m, "POST", PAYOUTS, MONIME_OK);
	assert_logged(line, 3);
	monime_close(m);
}

/* A new key that is none, and the one before it. */
static void
test_slip_is_benched_and_the_former_key_serves(void **state)
{
	static const char *const servers[] = { "monime", "mono_sandbox" };
	static const char *const tokens[] = { "test", "mono_sandbox" };
	static const char *const paths[] = { LISTS, BANKS };
	static const char *const writes[] = { PAYOUTS, TRANSFERS };
	static const size_t refused[] = { 2, 3 };	/* until benched */
	struct monime *m;
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < ROWS(servers); i++) {
		row = servers[i];
		sandbox_reset(sandbox);
		log_forget();
		m = open_it(servers[i], tokens[i], "");
		ask(m, "GET", paths[i], MONIME_OK);
		sandbox_write_file(folder, "test/b.token", 0600,
		    "mon_test_canary_sl\n");
		move_clock(10001);
		control("/reset",
		    "{\"only\": [\"log\"]}");
		for (j = 0; j < 50; j++) {
			ask(m, "GET", paths[i], MONIME_OK);
			ask(m, "POST", writes[i], MONIME_OK);
		}
		assert_row(sandbox_effects(sandbox) == 50);
		/* Monime: and one to confirm the environment. */
		assert_row(requests(servers[i]) == 100 + refused[i] +
		    (i == 0));
		assert_logged("benched", 1);

		/* The former one goes as well: that is then the end of it. */
		sandbox_revoke(sandbox, tokens[i]);
		control("/reset",
		    "{\"only\": [\"log\"]}");
		for (j = 0; j < 1000; j++)
			ask(m, j % 2 ? "POST" : "GET",
			    j % 2 ? writes[i] : paths[i], MONIME_EDENIED);
		assert_row(requests(servers[i]) == 1);
		monime_close(m);
	}
}

/* What the caller is told is of the last answer, not of an earlier one. */
static void
test_answer_after_a_resend_is_the_last_one(void **state)
{
	struct monime *m = open_it("monime", "test", "");
	struct monime_call *call;

	(void)state;
	ask(m, "GET", LISTS, MONIME_OK);
	sandbox_write_file(folder, "test/b.token", 0600,
	    "mon_test_canary_sl\n");
	move_clock(10001);
	assert_code(call, monime_request(m, "GET", LISTS, NULL, NULL, 0,
	    &call), MONIME_OK);
	assert_int_equal(monime_call_status(call), 200);
	assert_non_null(strstr(monime_call_body(call, NULL), "fac-sandbox"));
	assert_fact(call, "reason", NULL);
	assert_fact(call, "attempts", "2");
	assert_fact(call, "executed", "yes");
	assert_string_equal(monime_call_error(call), "");
	monime_call_free(call);
	monime_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_revoked_key_is_sent_4_times_a_minute_at_most),
		LIVING(test_401_on_one_path_benches_nothing),
		LIVING(test_token_test_without_a_verdict_benches_nothing),
		LIVING(test_mono_benches_after_three_with_no_2xx_between),
		LIVING(test_403_never_benches),
		LIVING(test_nothing_that_is_presented_benches_anything),
		LIVING(test_changed_file_ends_it),
		LIVING(test_late_401_of_the_old_key_benches_nothing),
		LIVING(test_late_report_of_the_old_key_benches_nothing),
		LIVING(test_check_of_our_own_always_asks),
		LIVING(test_64_threads_with_a_revoked_key_make_one_token_test),
		LIVING(test_deprecated_version_is_told_once_an_hour),
		LIVING(test_slip_is_benched_and_the_former_key_serves),
		LIVING(test_answer_after_a_resend_is_the_last_one),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
