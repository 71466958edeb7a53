/* SPDX-License-Identifier: MIT */

/*
 * monime_metrics(): what each verb counts, over threads and processes; read by
 * Prometheus' own parser, and as a page.  metrics.py has the readers.
 */

#include <sys/wait.h>

#include "living.h"

#define ACCOUNTS	"/v1/financial-accounts?limit=1"
#define COLLECTIONS	"/api/v1/collections"
#define BIG		(1 << 20)

static char samples[BIG];	/* what the parser understood */

/* The text through a reader; what that prints stands in samples. */
static void
read_back(struct monime *const *m, size_t n, const char *format)
{
	static char text[BIG];
	char path[] = "/tmp/monime-metrics-XXXXXX", command[512];
	size_t len, got;
	int fd = mkstemp(path), status;
	FILE *out;

	len = monime_metrics(m, n, format, text, sizeof(text));
	assert_true(fd >= 0 && len > 0 && len < sizeof(text));
	assert_int_equal(write(fd, text, len), len);
	(void)close(fd);
	if (canary_in(text) != NULL)
		fail_row(__FILE__, __LINE__, "a secret: %s", canary_in(text));
	(void)snprintf(command, sizeof(command),
	    "/usr/bin/python3 -B " TESTS_DIR "/integration/metrics.py %s %s",
	    format, path);
	out = popen(command, "r");
	assert_non_null(out);
	got = fread(samples, 1, sizeof(samples) - 1, out);
	samples[got] = '\0';
	status = pclose(out);
	(void)unlink(path);
	if (status != 0)
		fail_row(__FILE__, __LINE__, "%s: what is written is wrong",
		    format);
}

/* A sample of a profile, by what else its labels say; -1: there is none. */
static double
value(const char *profile, const char *name, const char *labels)
{
	const char *line, *at, *end;
	char start[256], wanted[256];

	(void)snprintf(start, sizeof(start), "%s{profile=\"%s\",", name,
	    profile);
	(void)snprintf(wanted, sizeof(wanted), "%s%s}",
	    *labels != '\0' ? "," : "", labels);
	for (line = samples; (line = strstr(line, start)) != NULL; line++) {
		end = line + strcspn(line, "\n");
		at = strstr(line, wanted);
		if (at != NULL && at < end && (line == samples ||
		    line[-1] == '\n'))
			return strtod(at + strlen(wanted), NULL);
	}
	return -1;
}

#define assert_sample(name, labels, want)	\
	sample_is(name, labels, want, __FILE__, __LINE__)

static void
sample_is(const char *name, const char *labels, double want,
    const char *file, int line)
{
	double got = value("test/t", name, labels);

	if (got < want || got > want)
		fail_row(file, line, "%s{%s} is %g, not %g", name, labels, got,
		    want);
}

static void
check(struct monime *m, const char *token, int want)
{
	struct monime_call *call;

	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    want);
	monime_call_free(call);
}

#define RESULT(r)	"result=\"" r "\""
#define VERDICT(r, s)	RESULT(r) ",source=\"" s "\""
#define REQUEST(r, s)	RESULT(r) ",status_class=\"" s "\""

/* An outage, a refusal and a mistake of ours are told apart. */
static void
test_checks_are_counted(void **state)
{
	struct monime *m = open_test("check = { accept = \"any\"; };");

	(void)state;
	check(m, sandbox_token(sandbox, "test"), MONIME_OK);
	check(m, "nonsense", MONIME_EDENIED);
	check(m, sandbox_token(sandbox, "live"), MONIME_EENVIRONMENT);
	sandbox_revoke(sandbox, "revoked_test");
	check(m, sandbox_token(sandbox, "revoked_test"), MONIME_EDENIED);
	sandbox_fault(sandbox, J({"status": 503}));
	check(m, sandbox_token(sandbox, "stranger_test"), MONIME_EHTTP);
	sandbox_fault(sandbox, J({"status": 429,
	    "headers": [["Monime-Rate-Limit", "token-limit"]]}));
	check(m, sandbox_token(sandbox, "limited_test"), MONIME_ELIMIT);
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_verdicts_total", VERDICT("ok", "network"), 1);
	assert_sample("monime_verdicts_total", VERDICT("denied", "local"), 1);
	assert_sample("monime_verdicts_total", VERDICT("denied", "network"),
	    1);
	assert_sample("monime_verdicts_total",
	    VERDICT("environment", "local"), 1);
	assert_sample("monime_verdicts_total", VERDICT("http", "network"), 1);
	assert_sample("monime_verdicts_total", VERDICT("limit", "network"), 1);
	assert_sample("monime_probes_total", RESULT("ok"), 1);
	assert_sample("monime_probes_total", RESULT("denied"), 1);
	assert_sample("monime_probes_total", RESULT("http"), 1);
	assert_sample("monime_probe_duration_seconds_count", "", 4);
	/* The bearer's limit is not ours. */
	assert_sample("monime_rate_limits_total",
	    "layer=\"token-limit\",token=\"presented\"", 1);
	assert_sample("monime_rate_limits_total",
	    "layer=\"token-limit\",token=\"own\"", 0);
	assert_sample("monime_requests_total", REQUEST("ok", "2xx"), 0);
	assert_sample("monime_credential_checks_total", RESULT("ok"), 0);
	monime_close(m);
}

static void
test_requests_are_counted(void **state)
{
	struct monime *m = open_test("retry = { attempts = 2; };");

	(void)state;
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	ask(m, "GET", "/v1/payouts/pot-nowhere", MONIME_EHTTP);
	ask(m, "GET", "//", MONIME_EINVAL);
	sandbox_fault(sandbox, J({"status": 503}));
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	/* libcurl sends again by itself, too. */
	sandbox_fault(sandbox, J({"path": "/v1/banks", "drop": "status",
	    "times": -1}));
	ask(m, "GET", "/v1/banks", MONIME_ELOST);
	sandbox_fault(sandbox, J({"status": 429,
	    "headers": [["Retry-After", "3600"],
			["Monime-Rate-Limit", "space-limit"]]}));
	ask(m, "GET", ACCOUNTS, MONIME_ELIMIT);
	sandbox_fault(sandbox, J({"status": 429,
	    "headers": [["Retry-After", "3600"],
			["Monime-Rate-Limit", "a \"new\" one"]]}));
	ask(m, "GET", ACCOUNTS, MONIME_ELIMIT);
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_requests_total", REQUEST("ok", "2xx"), 2);
	assert_sample("monime_requests_total", REQUEST("http", "4xx"), 1);
	assert_sample("monime_requests_total", REQUEST("inval", "none"), 1);
	assert_sample("monime_requests_total", REQUEST("lost", "none"), 1);
	assert_sample("monime_requests_total", REQUEST("limit", "4xx"), 2);
	assert_sample("monime_retries_total", "", 2);
	assert_sample("monime_rate_limits_total",
	    "layer=\"space-limit\",token=\"own\"", 1);
	assert_sample("monime_rate_limits_total",
	    "layer=\"untold\",token=\"own\"", 1);
	/* What was refused here took no time. */
	assert_sample("monime_request_duration_seconds_count", "", 6);
	assert_sample("monime_request_duration_seconds_bucket",
	    "le=\"+Inf\"", 6);
	monime_close(m);
}

static void
test_other_verbs_are_counted(void **state)
{
	struct monime *m = open_test("webhook = { secrets = "
	    "[\"canary_webhook_secret_01\"]; };\n"
	    "allow = { methods = [\"GET\"]; paths = [\"/v1/*\"]; };");
	struct monime_call *call;
	char url[256];

	(void)state;
	sandbox_fault(sandbox, J({"path": "/", "times": 2, "json": {
	    "status": {"environment": "test", "isAuthenticated": true},
	    "apiVersion": {"id": "caph.2025-06-20", "deprecated": true}}}));
	assert_code(call, monime_check_credential(m, &call), MONIME_OK);
	monime_call_free(call);
	(void)snprintf(url, sizeof(url), "%s/v1/banks",
	    monime_get(m, "origin"));
	assert_code(call, monime_authorize(m, "GET", url, &call), MONIME_OK);
	monime_call_free(call);
	assert_code(call, monime_authorize(m, "POST", url, &call),
	    MONIME_EPOLICY);
	monime_call_free(call);
	assert_code(call, monime_authorize(m, NULL, NULL, &call),
	    MONIME_EINVAL);
	assert_fact(call, "allow", "yes");
	monime_call_free(call);
	assert_code(NULL, monime_verify_webhook(m, "t=1,v1=x", 8, "{}", 2),
	    MONIME_EDENIED);
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_credential_checks_total", RESULT("ok"), 1);
	assert_sample("monime_authorizations_total", RESULT("ok"), 1);
	assert_sample("monime_authorizations_total", RESULT("policy"), 1);
	assert_sample("monime_authorizations_total", RESULT("inval"), -1);
	assert_sample("monime_webhooks_total", RESULT("denied"), 1);
	assert_sample("monime_api_version_deprecated", "", 1);
	assert_sample("monime_profile_usable", "", 1);
	assert_sample("monime_verdicts_total", VERDICT("ok", "network"), 0);
	monime_close(m);
}

static void
test_benching_is_counted(void **state)
{
	struct monime *m = open_test("");

	(void)state;
	sandbox_revoke(sandbox, "test");
	ask(m, "GET", ACCOUNTS, MONIME_EDENIED);
	ask(m, "GET", ACCOUNTS, MONIME_EDENIED);
	ask(m, "GET", ACCOUNTS, MONIME_EDENIED);
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_requests_total", REQUEST("denied", "4xx"), 1);
	assert_sample("monime_requests_total", REQUEST("denied", "none"), 2);
	assert_sample("monime_benched_refusals_total", "", 2);
	monime_close(m);
}

static void
test_reloads_are_counted(void **state)
{
	struct monime *m = open_test("reload = \"1 s\";");
	char path[256];

	(void)state;
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	write_profile("test/t", "monime", "test", "purpose = \"new\";"
	    "reload = \"1 s\";");
	move_clock(1001);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	sandbox_write_file(folder, "test/t.conf", 0600, "provider = ;\n");
	move_clock(30001);
	ask(m, "GET", ACCOUNTS, MONIME_OK);
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_reloads_total", "outcome=\"taken\"", 1);
	assert_row(value("test/t", "monime_reloads_total",
	    "outcome=\"refused\"") >= 1);
	(void)snprintf(path, sizeof(path), "%s/test/t.conf", folder);
	assert_int_equal(unlink(path), 0);
	/* To be gone it has to be missed twice. */
	move_clock(30001);
	(void)monime_metrics(&m, 1, "html", NULL, 0);
	move_clock(30001);
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_reloads_total", "outcome=\"withdrawn\"", 1);
	assert_sample("monime_profile_usable", "", 0);
	ask(m, "GET", ACCOUNTS, MONIME_EPOLICY);
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_requests_total", REQUEST("policy", "none"), 1);
	monime_close(m);
}

static void
test_token_fetches_are_counted(void **state)
{
	struct monime *m;

	(void)state;
	sandbox_write_file(folder, "test/t.conf", 0600,
	    "provider = \"mono\";\nproduct = \"breb\";\n"
	    "base_url = \"%s\";\nretry = { attempts = 1; };\noauth2 = {\n"
	    "\tclient_id = \"%s\";\n\tclient_secret = \"%s\";\n};\n",
	    sandbox_origin(sandbox, "mono_sandbox"),
	    sandbox_token(sandbox, "oauth_client_id"),
	    sandbox_token(sandbox, "oauth_client_secret"));
	m = open_named("test/t");
	sandbox_fault(sandbox, J({"path": "/api/v1/oauth", "status": 401}));
	ask(m, "GET", COLLECTIONS, MONIME_EDENIED);
	ask(m, "GET", COLLECTIONS, MONIME_EDENIED);
	move_clock(30001);
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_token_fetches_total", RESULT("denied"), 1);
	assert_sample("monime_token_fetches_total", RESULT("ok"), 1);
	assert_sample("monime_benched_refusals_total", "", 1);
	assert_row(value("test/t", "monime_credential_age_seconds", "") >= 0);
	monime_close(m);
}

#define CHILDREN	4
#define THREADS		3
#define CHECKS		500

static const char *
check_some(struct monime *m, int number)
{
	int i;

	(void)number;
	for (i = 0; i < CHECKS; i++) {
		if (monime_check_token(m, "nonsense", 8, NULL) !=
		    MONIME_EDENIED)
			return "a check";
	}
	for (i = 0; i < 5; i++) {
		if (monime_request(m, "GET", ACCOUNTS, NULL, NULL, 0, NULL) !=
		    MONIME_OK)
			return "a request";
	}
	return NULL;
}

/* Children of a fork that end, and threads in each, and the parent. */
static void
test_sums_over_processes_are_exact(void **state)
{
	const double crews = (CHILDREN + 1) * THREADS;
	struct monime *m = open_test("");
	pid_t child[CHILDREN];
	int i, status;

	(void)state;
	for (i = 0; i < CHILDREN; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] == 0) {
			crew_start(m, THREADS, check_some);
			crew_wait(THREADS);
			monime_close(m);
			_exit(0);
		}
	}
	crew_start(m, THREADS, check_some);
	crew_wait(THREADS);
	for (i = 0; i < CHILDREN; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	read_back(&m, 1, "openmetrics");
	assert_sample("monime_verdicts_total", VERDICT("denied", "local"),
	    crews * CHECKS);
	assert_sample("monime_requests_total", REQUEST("ok", "2xx"),
	    crews * 5);
	assert_sample("monime_request_duration_seconds_count", "", crews * 5);
	monime_close(m);
}

/* Many handles: each family once, each profile in it; and the page of them. */
static void
test_many_profiles_in_one_text(void **state)
{
	struct monime *m[5];
	struct monime_call *call;

	(void)state;
	m[0] = open_test("purpose = \"<b>\\\"bold\\\"</b> & 'more'\";\n"
	    "owner = \"</dl><script>\";\nrotate_by = \"2020-01-01\";");
	m[1] = open_profile("test/u", "mono_sandbox", "mono_sandbox",
	    "check = { path = \"/v1/accounts/x\"; };");
	m[2] = open_profile("test/v", "monime", NULL, "");
	m[3] = NULL;
	assert_int_not_equal(monime_open("test/nowhere", folder, &m[4]),
	    MONIME_OK);
	ask(m[0], "GET", ACCOUNTS, MONIME_OK);
	check(m[0], sandbox_token(sandbox, "test"), MONIME_OK);
	assert_code(call, monime_check_token(m[2], "nonsense", 8, &call),
	    MONIME_EDENIED);
	monime_call_free(call);
	read_back(m, 5, "openmetrics");
	assert_sample("monime_requests_total", REQUEST("ok", "2xx"), 1);
	assert_true(value("test/u", "monime_requests_total",
	    REQUEST("ok", "2xx")) == 0);
	assert_true(value("test/v", "monime_verdicts_total",
	    VERDICT("denied", "local")) == 1);
	assert_non_null(strstr(samples, "monime_profiles_not_open{} 2\n"));
	assert_non_null(strstr(samples, "provider=\"mono\""));
	read_back(m, 5, "html");
	read_back(m, 1, "html");
	read_back(NULL, 0, "html");
	read_back(NULL, 0, "openmetrics");
	monime_close(m[0]);
	monime_close(m[1]);
	monime_close(m[2]);
	monime_close(m[4]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_checks_are_counted),
		LIVING(test_requests_are_counted),
		LIVING(test_other_verbs_are_counted),
		LIVING(test_benching_is_counted),
		LIVING(test_reloads_are_counted),
		LIVING(test_token_fetches_are_counted),
		LIVING(test_sums_over_processes_are_exact),
		LIVING(test_many_profiles_in_one_text),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
