/* SPDX-License-Identifier: MIT */

/*
 * Rotation without restart: what a changed file does to a program that runs,
 * and what it does not do.  MONIME_ROTATION_SECONDS is how long the load
 * lasts; 3 by default.
 */

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "living.h"

#define LISTS	"/v1/financial-accounts"
#define PAYOUTS	"/v1/payouts"
#define BANKS	"/v1/bank_accounts"
#define NOBODY	65534

/* The day, moved, for "expires" alone. */
static time_t day_moved;	/* s */

time_t time(time_t *to);

time_t
time(time_t *to)
{
	struct timespec ts;
	time_t now;

	(void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
	now = ts.tv_sec + __atomic_load_n(&day_moved, __ATOMIC_RELAXED);
	if (to != NULL)
		*to = now;
	return now;
}

/* Put a file in its place as one should: whole, at once. */
static void replace(const char *name, mode_t mode, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

static void
replace(const char *name, mode_t mode, const char *fmt, ...)
{
	char from[256], to[256], new[64], text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(new, sizeof(new), "%s.new", name);
	sandbox_write_file(folder, new, mode, "%s", text);
	(void)snprintf(from, sizeof(from), "%s/%s", folder, new);
	(void)snprintf(to, sizeof(to), "%s/%s", folder, name);
	assert_int_equal(rename(from, to), 0);
}

static void
put_away(const char *name, bool away)
{
	char from[256], to[256];

	(void)snprintf(from, sizeof(from), "%s/%s%s", folder, name,
	    away ? "" : ".away");
	(void)snprintf(to, sizeof(to), "%s/%s%s", folder, name,
	    away ? ".away" : "");
	assert_int_equal(rename(from, to), 0);
}

static void
grant(const char *token, const char *server)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "{\"token\": \"%s\", "
	    "\"environment\": \"test\", \"spaces\": [\"spc-sandbox\"], "
	    "\"server\": \"%s\", \"name\": \"%s\"}", token, server, token);
	control("/grant", text);
}

static void
write_conf(const char *more)
{
	replace("test/r.conf", 0600, "provider = \"monime\";\n"
	    "space = \"%s\";\nbase_url = \"%s\";\n%s\n",
	    sandbox_space(sandbox, "test"), sandbox_origin(sandbox, "monime"),
	    more);
}

static void
write_token(const char *token)
{
	replace("test/r.token", 0600, "%s\n", token);
}

static struct monime *
open_it(const char *more)
{
	write_conf(more);
	write_token(sandbox_token(sandbox, "test"));
	return open_logged("test/r");
}

#define K1	"mon_test_canary_k1"
#define K2	"mon_test_canary_k2"
#define SECOND	"reload = \"1 s\";"

/* With which token did the last request come? */
#define assert_bearer(name)	\
	common_bearer(name, __FILE__, __LINE__)

static void
common_bearer(const char *name, const char *file, int line)
{
	struct json_object *log = sandbox_log(sandbox);
	const char *got = sandbox_text(sandbox_logged(log, "monime", -1),
	    "token");

	if (!same(got, name))
		fail_row(file, line, "the bearer was %s, not %s", got, name);
	json_object_put(log);
}

/* Under load. */

static bool done;		/* atomic */
static size_t loaded;		/* requests; atomic */
static size_t written;		/* of these, writes; atomic */

static const char *
load(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;
	char *text;
	int i, r;

	for (i = number; wrong == NULL &&
	    !__atomic_load_n(&done, __ATOMIC_RELAXED); i++) {
		if (i % 4 == 0)
			r = monime_request(m, "POST", PAYOUTS, NULL,
			    "{\"n\":1}", 7, &call);
		else
			r = monime_request(m, "GET", LISTS, NULL, NULL, 0,
			    &call);
		(void)__atomic_add_fetch(&loaded, 1, __ATOMIC_RELAXED);
		if (r == MONIME_OK && i % 4 == 0)
			(void)__atomic_add_fetch(&written, 1,
			    __ATOMIC_RELAXED);
		if (r != MONIME_OK) {
			if (asprintf(&text, "%s: %s", monime_strerror(r),
			    monime_call_error(call)) < 0)
				abort();
			wrong = text;
		}
		if (canary_in(monime_call_error(call)) != NULL)
			wrong = "a secret is told";
		monime_call_free(call);
		/* The sandbox has to hear of rotations, too. */
		sleep_ms(2);
	}
	return wrong;
}

struct revocation {
	char token[64];
	int64_t at;
};

#define STEP	200		/* ms between two files */
#define GRACE	1000		/* ms that the old key lives on */

static void
test_rotation_under_load_fails_no_request(void **state)
{
	static const char conf[] = SECOND;
	const char *seconds = getenv("MONIME_ROTATION_SECONDS");
	int64_t end, next;
	struct revocation old[64] = { { "", 0 } };
	size_t first = 0, last = 0, bad = 0, rotations = 0;
	char key[64], now[64];
	struct monime *m;
	int step = 0;

	(void)state;
	(void)snprintf(now, sizeof(now), "mon_test_canary_rotation_%06d", 0);
	grant(now, "monime");
	write_conf(conf);
	write_token(now);
	m = open_logged("test/r");
	__atomic_store_n(&done, false, __ATOMIC_RELAXED);
	__atomic_store_n(&loaded, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&written, 0, __ATOMIC_RELAXED);
	crew_start(m, 8, load);
	next = real_ms();
	end = next + 1000 * (seconds != NULL ? atoi(seconds) : 3);
	while (real_ms() < end) {
		step++;
		(void)snprintf(key, sizeof(key),
		    "mon_test_canary_rotation_%06d", step);
		switch (step % 10) {
		case 3:
			write_token("mon_test_canary_rot");
			break;
		case 5:
			replace("test/r.token", 0640, "%s\n", now);
			break;
		case 7:
			replace("test/r.conf", 0600, "provider = \"mon\n");
			break;
		case 8:
			write_conf(conf);
			/* FALLTHROUGH */
		default:
			grant(key, "monime");
			write_token(key);
			(void)snprintf(old[last % 64].token, 64, "%s", now);
			old[last++ % 64].at = real_ms() + GRACE;
			(void)snprintf(now, sizeof(now), "%s", key);
			rotations++;
		}
		if (step % 10 == 3 || step % 10 == 5 || step % 10 == 7) {
			/* Have it looked at while it is there. */
			bad++;
			move_clock(1000);
		}
		next = real_ms() + STEP;
		while (first < last && old[first % 64].at <= next) {
			if (old[first % 64].at > real_ms())
				sleep_ms(old[first % 64].at - real_ms());
			sandbox_revoke(sandbox, old[first++ % 64].token);
		}
		if (next > real_ms())
			sleep_ms(next - real_ms());
	}
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	crew_wait(8);
	assert_true(loaded > 100);
	assert_int_equal(sandbox_effects(sandbox), written);
	assert_true(logged("test/r.token") > 0);
	assert_true(logged("chmod 0600") > 0);
	assert_true(logged("test/r.conf:1") > 0);
	assert_true(logged("a changed profile is taken up") > 3);
	print_message("rotation under load: %zu requests, %zu of them writes, "
	    "%zu rotations, %zu bad files between, %zu taken up, 0 failed\n",
	    loaded, written, rotations, bad,
	    logged("a changed profile is taken up"));
	monime_close(m);
}

static void
test_changed_token_is_taken_up_within_reload(void **state)
{
	struct monime *m = open_it("reload = \"5 s\";");

	(void)state;
	grant(K1, "monime");
	ask(m, "GET", LISTS, MONIME_OK);
	assert_bearer("test");
	write_token(K1);
	move_clock(4000);
	ask(m, "GET", LISTS, MONIME_OK);
	assert_bearer("test");
	move_clock(1100);
	ask(m, "GET", LISTS, MONIME_OK);
	assert_bearer(K1);
	assert_logged("5 test/r: a changed profile is taken up, credential ",
	    1);
	/* A write has the environment of the new one confirmed. */
	ask(m, "POST", PAYOUTS, MONIME_OK);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 5);
	monime_close(m);
}

/*
 * The new key's first request comes on a connection that carried no other, and
 * a write with it only when the API has confirmed the environment.
 */
static void
assert_fresh_and_confirmed(const char *key, bool write)
{
	struct json_object *log = sandbox_log(sandbox), *one;
	long nth = 0;

	do {
		one = sandbox_logged(log, "monime", nth++);
		assert_non_null(one);
	} while (!same(sandbox_text(one, "token"), key));
	assert_row(logged_number(one, "sequence") == 1);
	if (write)
		assert_row(same(sandbox_text(one, "target"), "/"));
	json_object_put(log);
}

/* Nobody waits for "reload" where the old key is refused. */
static void
test_refused_key_is_read_anew_at_once(void **state)
{
	static const char *const methods[] = { "GET", "POST" };
	static const char *const paths[] = { LISTS, PAYOUTS };
	struct monime *m;
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < ROWS(methods); i++) {
		for (j = 0; j < 2; j++) {
			row = methods[i];
			sandbox_reset(sandbox);
			log_forget();
			grant(K1, "monime");
			m = open_it("reload = \"1 h\";");
			/* j: is the environment confirmed before? */
			ask(m, j ? "POST" : "GET", j ? PAYOUTS : LISTS,
			    MONIME_OK);
			write_token(K1);
			sandbox_revoke(sandbox, "test");
			ask(m, methods[i], paths[i], MONIME_OK);
			assert_bearer(K1);
			assert_fresh_and_confirmed(K1, i == 1);
			assert_row(sandbox_effects(sandbox) == j + (i == 1));
			assert_logged("benched", 0);
			monime_close(m);
		}
	}
}

/* Each keeps the former profile, and the log says what is wrong with it. */
static void
test_bad_file_keeps_the_former_one_and_is_told(void **state)
{
	static const struct {
		const char *name;
		const char *file;
		mode_t mode;
		const char *text;
		const char *told;
	} rows[] = {
		{ "half a conf", "test/r.conf", 0600,
		  "provider = \"monime\";\nspace = \"spc-san",
		  "test/r.conf:2" },
		{ "syntax", "test/r.conf", 0600,
		  "provider = \"monime\"\nspace\n", "test/r.conf:" },
		{ "empty conf", "test/r.conf", 0600, "",
		  "test/r.conf" },
		{ "an unknown key", "test/r.conf", 0600,
		  "provider = \"monime\";\ntokn = \"canary\";\n",
		  "tokn" },
		{ "mode of the conf", "test/r.conf", 0644,
		  "provider = \"monime\";\n", "chmod 0600" },
		{ "mode of the token", "test/r.token", 0640,
		  "mon_test_canary_k1\n", "chmod 0600" },
		{ "an empty token", "test/r.token", 0600, "",
		  "r.token: found nothing" },
		{ "two tokens", "test/r.token", 0600,
		  "mon_test_canary_a\nmon_test_canary_b\n",
		  "r.token: found white space" },
		{ "a live token", "test/r.token", 0600, "mon_canary_live\n",
		  "a live token in a test profile" },
		{ "no token", "test/r.token", 0600, "canary_none\n",
		  "no token of monime" },
		{ "the host's file", "monime.conf", 0644, "environments = [",
		  "monime.conf:1" },
		{ "the host's file's mode", "monime.conf", 0666,
		  "environments = [\"test\"];", "chmod" },
	};
	struct monime *m;
	size_t i;
	char host[512];
	int j;

	(void)state;
	(void)snprintf(host, sizeof(host), "environments = [\"test\", "
	    "\"live\"];\nca_file = \"%s/ca.pem\";\n", folder);
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		log_forget();
		m = open_it(SECOND);
		ask(m, "GET", LISTS, MONIME_OK);
		replace(rows[i].file, rows[i].mode, "%s", rows[i].text);
		for (j = 0; j < 40; j++) {
			move_clock(1400);	/* 56 s in all */
			ask(m, "GET", LISTS, MONIME_OK);
		}
		assert_bearer("test");
		assert_logged("is not taken up, the former one stays", 1);
		if (logged(rows[i].told) == 0)
			fail_row(__FILE__, __LINE__, "not told: %s\n%s",
			    rows[i].told, log_text);
		move_clock(10000);
		ask(m, "GET", LISTS, MONIME_OK);
		assert_logged("is not taken up, the former one stays", 2);
		assert_logged("a changed profile is taken up", 0);

		replace("monime.conf", 0644, "%s", host);
		write_conf(SECOND);
		write_token(K1);
		grant(K1, "monime");
		move_clock(1400);
		ask(m, "GET", LISTS, MONIME_OK);
		assert_bearer(K1);
		assert_logged("a changed profile is taken up", 1);
		monime_close(m);
	}
}

static void
test_another_fault_is_told_at_once(void **state)
{
	struct monime *m = open_it(SECOND);
	int i;

	(void)state;
	ask(m, "GET", LISTS, MONIME_OK);
	replace("test/r.token", 0640, K1 "\n");
	for (i = 0; i < 5; i++) {
		move_clock(1400);
		ask(m, "GET", LISTS, MONIME_OK);
	}
	assert_logged("r.token: readable by group", 1);
	/* Whoever mends the one has not waited for the other. */
	replace("test/r.token", 0600, "\n\n");
	for (i = 0; i < 5; i++) {
		move_clock(1400);
		ask(m, "GET", LISTS, MONIME_OK);
	}
	assert_logged("r.token: readable by group", 1);
	assert_logged("r.token: found white space", 1);
	monime_close(m);
}

static void
test_what_needs_a_new_open_is_refused_and_told(void **state)
{
	static const struct {
		const char *name;
		const char *conf;	/* %s: the sandbox's origin */
		const char *token;
		const char *told;
	} rows[] = {
		{ "space", "provider = \"monime\"; space = \"spc-other\"; "
		  "base_url = \"%s\";", K1, "another space" },
		{ "no space", "provider = \"monime\"; "
		  "base_url = \"%s\";", K1, "another space" },
		{ "origin", "provider = \"monime\"; space = \"spc-sandbox\";",
		  K1, "another origin" },
		{ "provider", "provider = \"mono\"; product = \"banking\"; "
		  "base_url = \"%s\";", "canary_sandbox_key_k1",
		  "another provider or product" },
	};
	struct monime *m;
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		sandbox_reset(sandbox);
		log_forget();
		m = open_it(SECOND);
		ask(m, "GET", LISTS, MONIME_OK);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		replace("test/r.conf", 0600, rows[i].conf,
		    sandbox_origin(sandbox, "monime"));
#pragma GCC diagnostic pop
		write_token(rows[i].token);
		for (j = 0; j < 10; j++) {
			move_clock(1100);
			ask(m, "GET", LISTS, MONIME_OK);
			assert_bearer("test");
		}
		assert_logged(rows[i].told, 1);
		assert_logged("needs a new open", 1);
		assert_string_equal(monime_get(m, "provider"), "monime");
		assert_string_equal(monime_get(m, "space"), "spc-sandbox");
		monime_close(m);
	}

	/* One product for another of the same origin. */
	row = "product";
	log_forget();
	write_profile("test/p", "mono_sandbox", "mono_sandbox", SECOND);
	m = open_logged("test/p");
	ask(m, "GET", BANKS, MONIME_OK);
	replace("test/p.conf", 0600, "provider = \"mono\";\n"
	    "product = \"core\";\nbase_url = \"%s\";\n",
	    sandbox_origin(sandbox, "mono_sandbox"));
	move_clock(1100);
	ask(m, "GET", BANKS, MONIME_OK);
	assert_logged("another provider or product needs a new open", 1);
	assert_string_equal(monime_get(m, "product"), "banking");
	monime_close(m);
}

static void
test_fifo_in_the_place_of_a_file_holds_nobody_up(void **state)
{
	struct monime *m = open_it(SECOND);
	char path[256];

	(void)state;
	ask(m, "GET", LISTS, MONIME_OK);
	put_away("test/r.conf", true);
	(void)snprintf(path, sizeof(path), "%s/test/r.conf", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	move_clock(1400);
	ask(m, "GET", LISTS, MONIME_OK);
	assert_logged("a FIFO; a regular file is wanted here", 1);
	assert_logged("is not taken up, the former one stays", 1);
	put_away("test/r.conf", false);
	move_clock(1400);
	ask(m, "GET", LISTS, MONIME_OK);
	monime_close(m);
}

/* Whole or not at all: a token goes with the version beside it. */
static const char *const version[] = {
	"caph.2025-06-20", "caph.2025-08-23"
};

static void
test_changed_profile_is_taken_whole(void **state)
{
	struct json_object *log, *list, *one;
	const char *conf = SECOND "token = \"%s\"; version = \"%s\";";
	const char *token, *said;
	char more[256], path[256];
	struct monime *m;
	size_t i, seen[2] = { 0, 0 };
	int j;

	(void)state;
	grant(K1, "monime");
	grant(K2, "monime");
	(void)snprintf(path, sizeof(path), "%s/test/r.token", folder);
	(void)unlink(path);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(more, sizeof(more), conf, K1, version[0]);
	write_conf(more);
	m = open_logged("test/r");
	__atomic_store_n(&done, false, __ATOMIC_RELAXED);
	crew_start(m, 8, load);
	for (j = 1; j <= 20; j++) {
		sleep_ms(50);
		(void)snprintf(more, sizeof(more), conf, j % 2 ? K2 : K1,
		    version[j % 2]);
		write_conf(more);
		move_clock(1001);
	}
#pragma GCC diagnostic pop
	sleep_ms(50);
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	crew_wait(8);
	assert_true(logged("a changed profile is taken up") >= 15);

	log = sandbox_log(sandbox);
	list = json_object_object_get(log, "requests");
	for (i = 0; i < json_object_array_length(list); i++) {
		one = json_object_array_get_idx(list, i);
		if (strncmp(sandbox_text(one, "target"), "/v1", 3) != 0)
			continue;
		token = sandbox_text(one, "token");
		said = sandbox_header(one, "Monime-Version", 0);
		assert_true(same(token, K1) || same(token, K2));
		assert_string_equal(said, version[same(token, K2)]);
		seen[same(token, K2)]++;
	}
	assert_true(seen[0] > 10 && seen[1] > 10);
	json_object_put(log);
	monime_close(m);
}

#define ALLOW	"allow = { methods = [\"GET\"]; paths = [\"/v1/*\"]; };"

/* Every verb says it, and nothing is sent. */
static void
refused_by_all(struct monime *m, const char *why)
{
	const char *token = sandbox_token(sandbox, "test");
	size_t before = sandbox_requests(sandbox, "monime");
	struct monime_call *call;
	char url[256];

	ask(m, "GET", LISTS, MONIME_EPOLICY);
	ask(m, "POST", LISTS, MONIME_EPOLICY);
	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    MONIME_EPOLICY);
	assert_row(strstr(monime_call_error(call), why) != NULL);
	look_over(call);
	monime_call_free(call);
	assert_code(NULL, monime_check_credential(m, NULL), MONIME_EPOLICY);
	(void)snprintf(url, sizeof(url), "%s" LISTS,
	    sandbox_origin(sandbox, "monime"));
	assert_code(call, monime_authorize(m, "GET", url, &call),
	    MONIME_EPOLICY);
	assert_row(monime_call_header(call, "Authorization") == NULL);
	monime_call_free(call);
	assert_code(NULL, monime_verify_webhook(m, "t=1,v1=", 7, "", 0),
	    MONIME_EPOLICY);
	assert_row(sandbox_requests(sandbox, "monime") == before);
	assert_logged("calls are refused from now on", 1);
}

static void
test_gone_file_is_refused_when_seen_twice(void **state)
{
	/* What comes back with its folder has not changed meanwhile. */
	static const char *const files[] = {
		"test/r.conf", "test/r.token", "test"
	};
	struct monime *m;
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < ROWS(files); i++) {
		row = files[i];
		sandbox_reset(sandbox);
		log_forget();
		m = open_it("reload = \"5 s\";" ALLOW);
		ask(m, "GET", LISTS, MONIME_OK);

		/* Once may be a rename under way. */
		put_away(files[i], true);
		move_clock(5001);
		for (j = 0; j < 5; j++)
			ask(m, "GET", LISTS, MONIME_OK);
		put_away(files[i], false);
		move_clock(5001);
		ask(m, "GET", LISTS, MONIME_OK);
		put_away(files[i], true);
		move_clock(5001);
		ask(m, "GET", LISTS, MONIME_OK);
		assert_logged("refused", 0);

		move_clock(5001);
		refused_by_all(m, files[i]);
		move_clock(5001);
		ask(m, "GET", LISTS, MONIME_EPOLICY);
		assert_logged("calls are refused from now on", 1);

		put_away(files[i], false);
		move_clock(5001);
		ask(m, "GET", LISTS, MONIME_OK);
		monime_close(m);
	}
}

static void
test_looks_after_a_401_do_not_count_as_seen(void **state)
{
	struct monime *m = open_it("reload = \"1 h\";");
	int i;

	(void)state;
	ask(m, "GET", LISTS, MONIME_OK);
	put_away("test/r.conf", true);
	faultf(J({"path": "%s", "status": 401, "times": 5}), PAYOUTS);
	for (i = 0; i < 5; i++)
		ask(m, "GET", PAYOUTS, MONIME_EDENIED);
	ask(m, "GET", LISTS, MONIME_OK);
	put_away("test/r.conf", false);
	monime_close(m);
}

static void
test_withdrawn_environment_is_refused(void **state)
{
	struct monime *m = open_it(SECOND ALLOW);

	(void)state;
	ask(m, "GET", LISTS, MONIME_OK);
	replace("monime.conf", 0644, "environments = [\"live\"];\n"
	    "ca_file = \"%s/ca.pem\";\n", folder);
	move_clock(1001);
	refused_by_all(m, "this host may not use test");
	replace("monime.conf", 0644, "environments = [\"test\", \"live\"];\n"
	    "ca_file = \"%s/ca.pem\";\n", folder);
	move_clock(1001);
	ask(m, "GET", LISTS, MONIME_OK);
	monime_close(m);
}

static void
test_expiry_is_refused(void **state)
{
	static const char *const files[] = { "as it was", "wrong", "hidden" };
	struct monime *m;
	char more[128], text[16];
	struct tm tm;
	time_t tomorrow;
	size_t i;

	(void)state;
	/* By a new file. */
	m = open_it(SECOND ALLOW);
	ask(m, "GET", LISTS, MONIME_OK);
	write_conf(SECOND ALLOW "expires = \"2020-01-31\";");
	move_clock(1001);
	refused_by_all(m, "expire");
	write_conf(SECOND ALLOW "expires = \"2099-01-31\";");
	move_clock(1001);
	ask(m, "GET", LISTS, MONIME_OK);
	monime_close(m);

	/* As the day comes, whatever has become of the file. */
	tomorrow = time(NULL) + 86400;
	(void)strftime(text, sizeof(text), "%Y-%m-%d",
	    gmtime_r(&tomorrow, &tm));
	(void)snprintf(more, sizeof(more), SECOND ALLOW "expires = \"%s\";",
	    text);
	for (i = 0; i < ROWS(files); i++) {
		row = files[i];
		log_forget();
		m = open_it(more);
		ask(m, "GET", LISTS, MONIME_OK);
		if (i == 1)
			replace("test/r.conf", 0600, "provider\n");
		if (i == 2)
			replace("test/r.conf", 0644, "provider\n");
		move_clock(1001);
		ask(m, "GET", LISTS, MONIME_OK);
		__atomic_store_n(&day_moved, 2 * 86400, __ATOMIC_RELAXED);
		move_clock(1001);
		refused_by_all(m, "expire");
		__atomic_store_n(&day_moved, 0, __ATOMIC_RELAXED);
		monime_close(m);
	}
}

static void
test_new_profile_warns_anew(void **state)
{
	struct monime *m = open_it(SECOND);

	(void)state;
	ask(m, "GET", LISTS, MONIME_OK);
	write_conf(SECOND "rotate_by = \"2020-01-31\";");
	move_clock(1001);
	ask(m, "GET", LISTS, MONIME_OK);
	assert_logged("due for rotation", 1);
	monime_close(m);
}

/*
 * A server that has given root up.  The child tells its findings by a letter
 * for each step, so that the parent can fail with them.
 */
static int
child_request(struct monime *m)
{
	struct monime_call *call;
	int r = monime_request(m, "GET", LISTS, NULL, NULL, 0, &call);

	if (r != MONIME_OK && r != MONIME_EPOLICY)
		(void)dprintf(2, "child: %s\n", monime_call_error(call));
	monime_call_free(call);
	return r;
}

static void
child(int from, int to)
{
	struct monime *m;
	char c;
	int i;

	if (monime_open("test/r", folder, &m) != MONIME_OK)
		_exit(10);
	monime_set_log(m, LOG_DEBUG, log_line, NULL);
	if (child_request(m) != MONIME_OK)
		_exit(11);
	if (setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) != 0)
		_exit(12);
	if (write(to, "o", 1) != 1 || read(from, &c, 1) != 1)
		_exit(13);
	/* The parent has rotated the file. */
	for (i = 0; i < 10; i++) {
		move_clock(61000);
		if (child_request(m) != MONIME_OK)
			_exit(14);
	}
	if (logged("5 test/r: this process may not read the profile any more")
	    != 1 || logged("taken up") != 0)
		_exit(15);
	if (write(to, "o", 1) != 1 || read(from, &c, 1) != 1)
		_exit(16);
	/* The parent has withdrawn the environment, in a file for all. */
	move_clock(61000);
	if (child_request(m) != MONIME_EPOLICY)
		_exit(17);
	monime_close(m);
	if (canary_in(log_text) != NULL)
		_exit(18);
	log_forget();
	_exit(0);
}

static void
test_process_that_gave_root_up_keeps_what_it_has(void **state)
{
	int down[2], up[2], status;
	pid_t pid;
	char c;

	(void)state;
	need_root();
	write_conf(SECOND);
	write_token(sandbox_token(sandbox, "test"));
	assert_int_equal(pipe(down), 0);
	assert_int_equal(pipe(up), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(down[0], up[1]);
	(void)close(up[1]);
	assert_int_equal(read(up[0], &c, 1), 1);
	grant(K1, "monime");
	write_token(K1);
	assert_int_equal(write(down[1], "g", 1), 1);
	c = 0;
	(void)!read(up[0], &c, 1);
	if (c == 'o') {
		assert_bearer("test");
		replace("monime.conf", 0644, "environments = [\"live\"];\n"
		    "ca_file = \"%s/ca.pem\";\n", folder);
		assert_int_equal(write(down[1], "g", 1), 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	replace("monime.conf", 0644, "environments = [\"test\", \"live\"];\n"
	    "ca_file = \"%s/ca.pem\";\n", folder);
	(void)close(up[0]);
	(void)close(down[0]);
	(void)close(down[1]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* One request for each thread, each on its own connection. */
static const char *
get(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;

	(void)number;
	if (monime_request(m, "GET", LISTS, NULL, NULL, 0, &call) != MONIME_OK)
		wrong = strdup(monime_call_error(call));
	monime_call_free(call);
	return wrong;
}

static void
test_connections_of_the_old_credential_are_dropped(void **state)
{
	struct monime *m = open_it(SECOND);
	struct json_object *log, *one;
	int64_t connection;

	(void)state;
	(void)sandbox_close_idle(sandbox, "monime");
	sandbox_wait_down(sandbox, "open", "monime", 0);
	faultf(J({"path": "%s", "execute": true, "hold": true, "times": 8}),
	    LISTS);
	crew_start(m, 8, get);
	sandbox_wait(sandbox, "held", "monime", 8);
	(void)sandbox_release(sandbox);
	crew_wait(8);
	assert_int_equal(sandbox_count(sandbox, "open", "monime"), 8);
	ask(m, "GET", LISTS, MONIME_OK);
	assert_int_equal(sandbox_count(sandbox, "open", "monime"), 8);

	/* One is in use while the file changes: it finishes there. */
	faultf(J({"path": "%s", "execute": true, "hold": true}), LISTS);
	crew_start(m, 1, get);
	sandbox_wait(sandbox, "held", "monime", 1);
	grant(K1, "monime");
	write_token(K1);
	move_clock(1001);
	ask(m, "GET", LISTS, MONIME_OK);
	sandbox_wait_down(sandbox, "open", "monime", 2);
	(void)sandbox_release(sandbox);
	crew_wait(1);
	sandbox_wait_down(sandbox, "open", "monime", 1);

	/* What is left is the new one's. */
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "monime", -1);
	assert_string_equal(sandbox_text(one, "token"), K1);
	connection = logged_number(one, "connection");
	json_object_put(log);
	ask(m, "GET", LISTS, MONIME_OK);
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "monime", -1);
	assert_int_equal(logged_number(one, "connection"), connection);
	json_object_put(log);
	monime_close(m);
	sandbox_wait_down(sandbox, "open", "monime", 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_changed_token_is_taken_up_within_reload),
		LIVING(test_refused_key_is_read_anew_at_once),
		LIVING(test_bad_file_keeps_the_former_one_and_is_told),
		LIVING(test_fifo_in_the_place_of_a_file_holds_nobody_up),
		LIVING(test_another_fault_is_told_at_once),
		LIVING(test_what_needs_a_new_open_is_refused_and_told),
		LIVING(test_changed_profile_is_taken_whole),
		LIVING(test_gone_file_is_refused_when_seen_twice),
		LIVING(test_looks_after_a_401_do_not_count_as_seen),
		LIVING(test_withdrawn_environment_is_refused),
		LIVING(test_expiry_is_refused),
		LIVING(test_new_profile_warns_anew),
		LIVING(test_process_that_gave_root_up_keeps_what_it_has),
		LIVING(test_connections_of_the_old_credential_are_dropped),
		LIVING(test_rotation_under_load_fails_no_request),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
