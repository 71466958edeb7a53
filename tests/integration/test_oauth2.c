/* SPDX-License-Identifier: MIT */

/*
 * OAuth 2.0 against the sandbox: what the token endpoint is sent, byte for
 * byte; how often it is asked; and what comes of a request while it fails.
 */

#include "living.h"

#define ENDPOINT	"/api/v1/oauth/token"
#define COLLECTIONS	"/api/v1/collections"
#define CLIENT		"client_canary_id_3Gt8XyPw"

/* Where the API accepts and the token endpoint issues. */
#define SERVER		"mono_sandbox"

/* A Bre-B profile; oauth2 is what stands in that group beside the client. */
static void
write_breb(const char *oauth2, const char *more)
{
	sandbox_write_file(folder, "test/o.conf", 0600,
	    "provider = \"mono\";\nproduct = \"breb\";\n"
	    "base_url = \"%s\";\noauth2 = {\n"
	    "\tclient_id = \"%s\";\n\tclient_secret = \"%s\";\n%s\n};\n%s\n",
	    sandbox_origin(sandbox, SERVER),
	    sandbox_token(sandbox, "oauth_client_id"),
	    sandbox_token(sandbox, "oauth_client_secret"), oauth2, more);
}

static struct monime *
open_breb(const char *oauth2, const char *more)
{
	write_breb(oauth2, more);
	return open_logged("test/o");
}

/* The nth request to the token endpoint, from 0, or from -1 backwards. */
static struct json_object *
token_request(struct json_object *log, long nth)
{
	struct json_object *list = json_object_object_get(log, "requests");
	size_t n = json_object_array_length(list), i;
	struct json_object *one;

	for (i = 0; i < n; i++) {
		one = json_object_array_get_idx(list,
		    nth >= 0 ? i : n - 1 - i);
		if (!same(sandbox_text(one, "target"), ENDPOINT))
			continue;
		if (nth == 0 || nth == -1)
			return one;
		nth += nth > 0 ? -1 : 1;
	}
	return NULL;
}

/* A token is asked for, and the only thing that is. */
#define check(m, want)	common_check(m, want, __FILE__, __LINE__)

static void
common_check(struct monime *m, int want, const char *file, int line)
{
	struct monime_call *call;
	int r = monime_check_credential(m, &call);

	common_code(call, r, want, file, line);
	look_over(call);
	monime_call_free(call);
}

/* So many seconds, less what has passed since. */
#define assert_lifetime(call, want)	\
	common_lifetime(call, want, __FILE__, __LINE__)

static void
common_lifetime(const struct monime_call *call, long long want,
    const char *file, int line)
{
	const char *s = monime_call_get(call, "token-expires-in");

	if (s == NULL || atoll(s) > want || atoll(s) < want - 5 ||
	    (want <= 5 && atoll(s) < want - 1))
		fail_row(file, line, "token-expires-in is %s, not %lld",
		    s != NULL ? s : "absent", want);
}

static void
test_breb_gets_a_token_and_performs_requests(void **state)
{
	struct monime *m = open_breb("", "");
	struct monime_call *call;
	struct json_object *log, *one;

	(void)state;
	assert_code(call, monime_request(m, "POST", COLLECTIONS, NULL,
	    "{\"n\":1}", 7, &call), MONIME_OK);
	assert_int_equal(monime_call_status(call), 201);
	assert_fact(call, "executed", "yes");
	assert_fact(call, "attempts", "1");
	assert_lifetime(call, 3600);
	assert_non_null(strstr(monime_call_get(call, "token-scope"),
	    "outgoing_transfers"));
	look_over(call);
	monime_call_free(call);
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	assert_int_equal(sandbox_effects(sandbox), 1);
	assert_int_equal(total("token_requests"), 1);

	log = sandbox_log(sandbox);
	one = sandbox_logged(log, SERVER, 0);
	assert_string_equal(sandbox_text(one, "method"), "POST");
	assert_string_equal(sandbox_text(one, "target"), ENDPOINT);
	assert_header(one, "Accept", "application/json");
	assert_header(one, "Authorization", NULL);
	assert_header(one, "Expect", NULL);
	assert_header(one, "X-Idempotency-Key", NULL);
	one = sandbox_logged(log, SERVER, 1);
	assert_string_equal(sandbox_text(one, "token"), "oauth_1");
	json_object_put(log);
	monime_close(m);
}

static void
test_wallet_must_be_configured_and_says_so(void **state)
{
	static const char group[] =
	    "provider = \"mono\";\nproduct = \"wallet\";\n%s\noauth2 = {\n"
	    "\tclient_id = \"%s\";\n\tclient_secret = \"%s\";\n};\n";
	struct monime *m;
	char line[128];

	(void)state;
	sandbox_write_file(folder, "test/w.conf", 0600, group, "",
	    sandbox_token(sandbox, "oauth_client_id"),
	    sandbox_token(sandbox, "oauth_client_secret"));
	assert_int_equal(monime_open("test/w", folder, &m), MONIME_ECONFIG);
	assert_non_null(strstr(monime_error(m), "set base_url"));
	assert_null(canary_in(monime_error(m)));
	monime_close(m);

	(void)snprintf(line, sizeof(line), "base_url = \"%s\";",
	    sandbox_origin(sandbox, SERVER));
	sandbox_write_file(folder, "test/w.conf", 0600, group, line,
	    sandbox_token(sandbox, "oauth_client_id"),
	    sandbox_token(sandbox, "oauth_client_secret"));
	m = open_logged("test/w");
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	monime_close(m);

	/* Bre-B's production origin is not documented either. */
	if (geteuid() == 0) {
		sandbox_write_file(folder, "live/b.conf", 0600,
		    "provider = \"mono\";\nproduct = \"breb\";\noauth2 = {\n"
		    "\tclient_id = \"c\";\n\tclient_secret = \"s\";\n};\n");
		assert_int_equal(monime_open("live/b", folder, &m),
		    MONIME_ECONFIG);
		assert_non_null(strstr(monime_error(m), "set base_url"));
		monime_close(m);
	}
}

/* What the client has to say, in each of the ways that a profile can ask. */
static void
test_token_request_arrives_byte_for_byte(void **state)
{
	static const struct {
		const char *name;
		const char *group;	/* the whole of oauth2 */
		const char *type;
		const char *authorization;	/* NULL: none */
		const char *body;
	} rows[] = {
		{ "the default",
		  "client_id = \"id\"; client_secret = \"canary_s\";",
		  "application/x-www-form-urlencoded", NULL,
		  "grant_type=client_credentials&client_id=id"
		  "&client_secret=canary_s" },
		{ "form, every parameter",
		  "client_id = \"id\"; client_secret = \"canary_s\";"
		  "scope = \"collections outgoing_transfers:readonly\";"
		  "audience = \"https://a.example/x?y\";"
		  "extra = [\"resource=a b&c=d\", \"empty=\", \"tenant=\xc3"
		  "\xbc\"];",
		  "application/x-www-form-urlencoded", NULL,
		  "grant_type=client_credentials&client_id=id"
		  "&client_secret=canary_s"
		  "&scope=collections%20outgoing_transfers%3Areadonly"
		  "&audience=https%3A%2F%2Fa.example%2Fx%3Fy"
		  "&resource=a%20b%26c%3Dd&empty=&tenant=%C3%BC" },
		{ "form, an odd secret",
		  "client_id = \"i d:1\";"
		  "client_secret = \"canary p@ss:w&rd=%+/~\\\"\\\\\";",
		  "application/x-www-form-urlencoded", NULL,
		  "grant_type=client_credentials&client_id=i%20d%3A1"
		  "&client_secret=canary%20p%40ss%3Aw%26rd%3D%25%2B%2F~%22"
		  "%5C" },
		{ "json",
		  "client_id = \"id\"; client_secret = \"canary_s\";"
		  "body = \"json\"; scope = \"a b\"; audience = \"aud\";"
		  "extra = [\"resource=x=y\"];",
		  "application/json", NULL,
		  "{\"grant_type\":\"client_credentials\",\"client_id\":\"id\","
		  "\"client_secret\":\"canary_s\",\"scope\":\"a b\","
		  "\"audience\":\"aud\",\"resource\":\"x=y\"}" },
		{ "json, an odd secret",
		  "client_id = \"id\";"
		  "client_secret = \"canary \\\"/\\\\ \xc3\xbc\";"
		  "body = \"json\";",
		  "application/json", NULL,
		  "{\"grant_type\":\"client_credentials\",\"client_id\":\"id\","
		  "\"client_secret\":\"canary \\\"/\\\\ \xc3\xbc\"}" },
		{ "basic",		/* id:canary_s */
		  "client_id = \"id\"; client_secret = \"canary_s\";"
		  "auth = \"basic\"; scope = \"a\";",
		  "application/x-www-form-urlencoded",
		  "Basic aWQ6Y2FuYXJ5X3M=",
		  "grant_type=client_credentials&scope=a" },
		{ "basic, form-encoded first",	/* i%20d%3A1:canary%2Fp%2B%25 */
		  "client_id = \"i d:1\"; client_secret = \"canary/p+%\";"
		  "auth = \"basic\";",
		  "application/x-www-form-urlencoded",
		  "Basic aSUyMGQlM0ExOmNhbmFyeSUyRnAlMkIlMjU=",
		  "grant_type=client_credentials" },
		{ "basic, json",
		  "client_id = \"id\"; client_secret = \"canary_s\";"
		  "auth = \"basic\"; body = \"json\";",
		  "application/json", "Basic aWQ6Y2FuYXJ5X3M=",
		  "{\"grant_type\":\"client_credentials\"}" },
		{ "password",
		  "client_id = \"id\"; client_secret = \"canary_s\";"
		  "grant = \"password\"; username = \"u@x y\";"
		  "password = \"canary p&w\";",
		  "application/x-www-form-urlencoded", NULL,
		  "grant_type=password&client_id=id&client_secret=canary_s"
		  "&username=u%40x%20y&password=canary%20p%26w" },
		{ "password, a client without a secret",
		  "client_id = \"id\"; grant = \"password\";"
		  "username = \"u\"; password = \"canary_p\";",
		  "application/x-www-form-urlencoded", NULL,
		  "grant_type=password&client_id=id&username=u"
		  "&password=canary_p" },
		{ "password, no client",
		  "grant = \"password\"; username = \"u\";"
		  "password = \"canary_p\";",
		  "application/x-www-form-urlencoded", NULL,
		  "grant_type=password&username=u&password=canary_p" },
		{ "password, basic, json",
		  "client_id = \"id\"; client_secret = \"canary_s\";"
		  "grant = \"password\"; username = \"u\";"
		  "password = \"canary_p\"; auth = \"basic\";"
		  "body = \"json\";",
		  "application/json", "Basic aWQ6Y2FuYXJ5X3M=",
		  "{\"grant_type\":\"password\",\"username\":\"u\","
		  "\"password\":\"canary_p\"}" },
	};
	struct json_object *log, *one;
	struct monime *m;
	char *body;
	size_t i, len;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		sandbox_reset(sandbox);
		faultf(J({"path": "%s", "json": {"access_token": "canary_x",
		    "token_type": "Bearer", "expires_in": 60}}), ENDPOINT);
		sandbox_write_file(folder, "test/o.conf", 0600,
		    "provider = \"mono\";\nproduct = \"breb\";\n"
		    "base_url = \"%s\";\noauth2 = { %s };\n",
		    sandbox_origin(sandbox, SERVER), rows[i].group);
		m = open_logged("test/o");
		check(m, MONIME_OK);
		monime_close(m);
		log = sandbox_log(sandbox);
		one = token_request(log, 0);
		assert_header(one, "Content-Type", rows[i].type);
		assert_header(one, "Authorization", rows[i].authorization);
		body = logged_bytes(one, "body", &len);
		if (len != strlen(rows[i].body) ||
		    memcmp(body, rows[i].body, len) != 0)
			fail_row(__FILE__, __LINE__, "\n  got  %s\n  want %s",
			    body, rows[i].body);
		free(body);
		assert_row(token_request(log, 1) == NULL);
		json_object_put(log);
	}
}

/* And the sandbox, which reads it, gives a token for each of these. */
static void
test_every_way_is_understood(void **state)
{
	static const struct {
		const char *name;
		const char *setting;
		const char *more;
	} rows[] = {
		{ "form", "{}", "" },
		{ "json", "{}", "body = \"json\";" },
		{ "scope", "{}", "scope = \"collections "
		  "target_resolutions:readonly\";" },
		{ "basic", "{\"oauth_basic\": true}", "auth = \"basic\";" },
		{ "password", "{\"oauth_grants\": [\"password\"]}",
		  "grant = \"password\";"
		  "username = \"canary.user@sandbox.invalid\";"
		  "password_file = \"%s/test/o.password\";" },
	};
	struct monime *m;
	char more[512];
	size_t i;

	(void)state;
	sandbox_write_file(folder, "test/o.password", 0600, "%s\n",
	    sandbox_token(sandbox, "oauth_password"));
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		sandbox_reset(sandbox);
		sandbox_setting(sandbox, rows[i].setting);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		(void)snprintf(more, sizeof(more), rows[i].more, folder);
#pragma GCC diagnostic pop
		m = open_breb(more, "");
		ask(m, "POST", COLLECTIONS, MONIME_OK);
		assert_row(sandbox_effects(sandbox) == 1);
		monime_close(m);
	}
}

static void
test_token_url_elsewhere_is_asked_there(void **state)
{
	struct monime *m;
	struct json_object *log, *one;
	char more[256];

	(void)state;
	(void)snprintf(more, sizeof(more), "token_url = \"%s" ENDPOINT "\";",
	    sandbox_origin(sandbox, "mono_production"));
	m = open_breb(more, "");
	check(m, MONIME_OK);
	monime_close(m);
	assert_int_equal(sandbox_requests(sandbox, SERVER), 0);
	assert_int_equal(sandbox_requests(sandbox, "mono_production"), 1);

	/* The path and query as they stand there. */
	sandbox_fault(sandbox, J({"json": {"access_token": "canary_x",
	    "token_type": "Bearer"}}));
	(void)snprintf(more, sizeof(more), "token_url = \"%s/t?realm=a%%20b\";",
	    sandbox_origin(sandbox, "mono_production"));
	m = open_breb(more, "");
	check(m, MONIME_OK);
	monime_close(m);
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "mono_production", -1);
	assert_string_equal(sandbox_text(one, "target"), "/t?realm=a%20b");
	json_object_put(log);

	/* One without a path is none. */
	(void)snprintf(more, sizeof(more), "token_url = \"%s\";",
	    sandbox_origin(sandbox, "mono_production"));
	write_breb(more, "");
	assert_int_equal(monime_open("test/o", folder, &m), MONIME_ECONFIG);
	monime_close(m);
}

static void
test_odd_lifetimes_are_made_sense_of(void **state)
{
	static const struct {
		const char *said;	/* a member of the answer, or "" */
		const char *more;
		long long want;
	} rows[] = {
		{ ", \"expires_in\": 3600", "", 3600 },
		{ ", \"expires_in\": \"3600\"", "", 3600 },
		{ ", \"expires_in\": 3600.9", "", 3600 },
		{ ", \"expires_in\": 1", "", 1 },
		{ "", "", 300 },
		{ "", "default_lifetime = \"20 s\";", 20 },
		{ ", \"expires_in\": 0", "", 300 },
		{ ", \"expires_in\": \"0\"", "", 300 },
		{ ", \"expires_in\": -5", "", 300 },
		{ ", \"expires_in\": \"-5\"", "", 300 },
		{ ", \"expires_in\": \"soon\"", "", 300 },
		{ ", \"expires_in\": null", "", 300 },
		{ ", \"expires_in\": true", "", 300 },
		{ ", \"expires_in\": [60]", "", 300 },
		{ ", \"expires_in\": 1000000000000", "", 2592000 },
		{ ", \"expires_in\": 9223372036854775807", "", 2592000 },
		{ ", \"expires_in\": 99999999999999999999", "", 2592000 },
		{ ", \"expires_in\": \"9223372036854775807\"", "", 2592000 },
		{ ", \"expires_in\": \"99999999999999999999\"", "", 2592000 },
		{ ", \"expires_in\": 1e300", "", 2592000 },
		{ ", \"expires_in\": -1e300", "", 300 },
	};
	struct monime_call *call;
	struct monime *m;
	size_t i;
	char *text;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].said;
		assert_true(asprintf(&text, "{\"access_token\": \"canary_x\", "
		    "\"token_type\": \"Bearer\"%s}", rows[i].said) > 0);
		fault_text(ENDPOINT, 200, text);
		free(text);
		m = open_breb(rows[i].more, "");
		assert_code(call, monime_check_credential(m, &call), MONIME_OK);
		assert_lifetime(call, rows[i].want);
		monime_call_free(call);
		monime_close(m);
	}
}

static void
test_answers_of_the_endpoint_are_judged(void **state)
{
	static const struct {
		int status;
		const char *body;
		int want;
		const char *why;
	} rows[] = {
		{ 200, J({"access_token": "canary_x", "token_type": "bearer"}),
		  MONIME_OK, NULL },
		{ 200, J({"access_token": "canary_x", "token_type": "BEARER"}),
		  MONIME_OK, NULL },
		{ 201, J({"access_token": "canary_x", "token_type": "Bearer"}),
		  MONIME_OK, NULL },
		{ 200, J({"access_token": "canary_x", "token_type": "mac"}),
		  MONIME_EPROTO, "token_type is not Bearer" },
		{ 200, J({"access_token": "canary_x"}),
		  MONIME_EPROTO, "token_type is not Bearer" },
		{ 200, J({"access_token": "canary_x", "token_type": 1}),
		  MONIME_EPROTO, "token_type is not Bearer" },
		{ 200, J({"token_type": "Bearer"}),
		  MONIME_EPROTO, "no access_token" },
		{ 200, J({"access_token": "", "token_type": "Bearer"}),
		  MONIME_EPROTO, "none that a header may carry" },
		{ 200, J({"access_token": 7, "token_type": "Bearer"}),
		  MONIME_EPROTO, "no access_token" },
		{ 200, "{\"access_token\": \"canary\\r\\nX: y\", "
		  "\"token_type\": \"Bearer\"}",
		  MONIME_EPROTO, "none that a header may carry" },
		{ 200, "{\"access_token\": \"canary\\u0000\", "
		  "\"token_type\": \"Bearer\"}", MONIME_EPROTO, "a NUL" },
		{ 200, "{\"access_token\": \"canary_a\", \"access_token\": "
		  "\"canary_b\", \"token_type\": \"Bearer\"}",
		  MONIME_EPROTO, "a key twice" },
		{ 200, "{'access_token': 'canary_x', 'token_type': 'Bearer'}",
		  MONIME_EPROTO, "" },
		{ 200, "", MONIME_EPROTO, "" },
		{ 200, "{\"access_token\": \"canary_x\", \"token_t",
		  MONIME_EPROTO, "" },
		{ 200, J([]), MONIME_EPROTO, "" },
		{ 200, J({"error": "invalid_client"}), MONIME_EPROTO, "" },
		{ 204, "", MONIME_EPROTO, "" },
		{ 302, "", MONIME_EPROTO, "302" },
		{ 400, J({"error": "invalid_request"}),
		  MONIME_EDENIED, "reason invalid_request" },
		{ 400, J({"error": "invalid_scope"}),
		  MONIME_EDENIED, "reason invalid_scope" },
		{ 401, J({"error": "invalid_client"}),
		  MONIME_EDENIED, "reason invalid_client" },
		{ 401, J({"code": "401 Unauthorized", "errors": [
		  {"error_code": "invalid_token", "message": "m"}],
		  "id": "log_1", "message": "m"}),
		  MONIME_EDENIED, "reason invalid_token" },
		{ 403, "no JSON at all", MONIME_EDENIED, "403" },
		{ 404, "no JSON at all", MONIME_EDENIED, "404" },
		{ 429, J({"error": "slow_down"}), MONIME_ELIMIT, "429" },
		{ 500, J({"error": "server_error"}), MONIME_ENET, "500" },
		{ 503, "", MONIME_ENET, "503" },
	};
	struct monime_call *call;
	struct monime *m;
	char name[32];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		(void)snprintf(name, sizeof(name), "%zu: %.20s", i,
		    rows[i].body);
		row = name;
		sandbox_reset(sandbox);
		fault_text(ENDPOINT, rows[i].status, rows[i].body);
		m = open_breb("", "retry = { attempts = 1; };");
		assert_code(call, monime_check_credential(m, &call),
		    rows[i].want);
		if (rows[i].why != NULL)
			assert_row(strstr(monime_call_error(call),
			    rows[i].why) != NULL);
		look_over(call);
		monime_call_free(call);
		monime_close(m);
		assert_row(total("requests") == 0 ||
		    sandbox_requests(sandbox, SERVER) == 1);
	}
}

static void
test_redirect_of_the_endpoint_is_not_followed(void **state)
{
	struct monime *m = open_breb("", "");

	(void)state;
	faultf(J({"path": "%s", "redirect": "elsewhere"}), ENDPOINT);
	ask(m, "POST", COLLECTIONS, MONIME_EPROTO);
	assert_int_equal(sandbox_bytes(sandbox, "elsewhere"), 0);
	assert_int_equal(sandbox_connections(sandbox, "elsewhere"), 0);
	assert_int_equal(sandbox_requests(sandbox, SERVER), 1);
	monime_close(m);
}

/* RFC 6749's words at the endpoint, Mono's envelope beside it. */
static void
test_both_error_shapes_of_one_host_are_read(void **state)
{
	struct monime *m = open_breb("scope = \"no_such_scope\";", "");
	struct monime_call *call;

	(void)state;
	assert_code(call, monime_request(m, "GET", COLLECTIONS, NULL, NULL, 0,
	    &call), MONIME_EDENIED);
	assert_non_null(strstr(monime_call_error(call),
	    "reason invalid_scope"));
	assert_fact(call, "executed", "no");
	monime_call_free(call);
	monime_close(m);

	m = open_breb("", "");
	faultf(J({"path": "%s", "status": 403}), COLLECTIONS);
	assert_code(call, monime_request(m, "GET", COLLECTIONS, NULL, NULL, 0,
	    &call), MONIME_EFORBIDDEN);
	assert_fact(call, "reason", "not_authorized");
	assert_non_null(monime_call_get(call, "request-id"));
	monime_call_free(call);
	/* 403 is not about the token. */
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	assert_int_equal(total("tokens_issued"), 1);
	monime_close(m);
}

static void
test_busy_endpoint_is_asked_again(void **state)
{
	static const char *const faults[] = {
		J({"path": "/api/v1/oauth/token", "status": 503, "times": 2}),
		J({"path": "/api/v1/oauth/token", "drop": "status",
		    "times": 2}),
		J({"path": "/api/v1/oauth/token", "status": 429,
		    "headers": [["Retry-After", "1"]]}),
	};
	static const long requests[] = { 3, 3, 2 };
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(faults); i++) {
		row = faults[i];
		sandbox_reset(sandbox);
		sandbox_fault(sandbox, faults[i]);
		m = open_breb("", "");
		ask(m, "POST", COLLECTIONS, MONIME_OK);
		assert_row((long)sandbox_requests(sandbox, SERVER) ==
		    requests[i] + 1);
		assert_row(sandbox_effects(sandbox) == 1);
		monime_close(m);
	}
}

static void
test_endpoint_that_asks_for_patience_gets_it(void **state)
{
	struct monime *m = open_breb("", "timeout = \"5 s\";");
	struct monime_call *call;

	(void)state;
	faultf(J({"path": "%s", "status": 429, "times": -1,
	    "headers": [["Retry-After", "20"]]}), ENDPOINT);
	assert_code(call, monime_request(m, "GET", COLLECTIONS, NULL, NULL, 0,
	    &call), MONIME_ELIMIT);
	assert_fact(call, "retry-after", "20");
	assert_fact(call, "executed", "no");
	monime_call_free(call);
	ask(m, "GET", COLLECTIONS, MONIME_ELIMIT);
	assert_int_equal(sandbox_requests(sandbox, SERVER), 1);
	move_clock(20001);
	ask(m, "GET", COLLECTIONS, MONIME_ELIMIT);
	assert_int_equal(sandbox_requests(sandbox, SERVER), 2);
	monime_close(m);
}

static void
test_wrong_client_is_asked_about_once_in_30_s(void **state)
{
	struct monime *m;
	int i;

	(void)state;
	m = open_breb("", "");
	sandbox_write_file(folder, "test/o.conf", 0600,
	    "provider = \"mono\";\nproduct = \"breb\";\n"
	    "base_url = \"%s\";\noauth2 = {\n\tclient_id = \"%s\";\n"
	    "\tclient_secret = \"canary_wrong\";\n};\n",
	    sandbox_origin(sandbox, SERVER),
	    sandbox_token(sandbox, "oauth_client_id"));
	monime_close(m);
	m = open_logged("test/o");
	for (i = 0; i < 100; i++)
		ask(m, i % 2 ? "GET" : "POST", COLLECTIONS, MONIME_EDENIED);
	assert_int_equal(total("token_requests"), 1);
	move_clock(29000);
	ask(m, "GET", COLLECTIONS, MONIME_EDENIED);
	assert_int_equal(total("token_requests"), 1);
	move_clock(1500);
	for (i = 0; i < 100; i++)
		ask(m, "GET", COLLECTIONS, MONIME_EDENIED);
	assert_int_equal(total("token_requests"), 2);
	/* Somebody wants to know: that always asks. */
	check(m, MONIME_EDENIED);
	assert_int_equal(total("token_requests"), 3);
	monime_close(m);
}

/* 64 threads. */

static const char *
post(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;
	char key[64], body[32];
	const char *headers[] = { key, NULL };
	int r;

	(void)snprintf(key, sizeof(key), "Idempotency-Key: thread-%d", number);
	(void)snprintf(body, sizeof(body), "{\"number\":%d}", number);
	r = monime_request(m, "POST", COLLECTIONS, headers, body,
	    strlen(body), &call);
	if (r != MONIME_OK)
		wrong = strdup(monime_call_error(call));
	else if (!same(monime_call_get(call, "executed"), "yes"))
		wrong = "not executed";
	monime_call_free(call);
	return wrong;
}

static void
test_64_threads_without_a_token_make_one_request(void **state)
{
	struct monime *m = open_breb("", "");

	(void)state;
	faultf(J({"path": "%s", "execute": true, "hold": true}), ENDPOINT);
	crew_start(m, 64, post);
	sandbox_wait(sandbox, "held", SERVER, 1);
	sleep_ms(300);		/* for the others to get where they wait */
	assert_int_equal(sandbox_requests(sandbox, SERVER), 1);
	assert_int_equal(sandbox_release(sandbox), 1);
	crew_wait(64);
	assert_int_equal(total("token_requests"), 1);
	assert_int_equal(sandbox_effects(sandbox), 64);
	assert_int_equal(sandbox_requests(sandbox, SERVER), 65);
	monime_close(m);

	/* With no help from the sandbox, and again. */
	sandbox_reset(sandbox);
	m = open_breb("", "");
	crew_start(m, 64, post);
	crew_wait(64);
	assert_int_equal(total("token_requests"), 1);
	assert_int_equal(sandbox_effects(sandbox), 64);
	monime_close(m);
}

static const char *
get_denied(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;

	(void)number;
	if (monime_request(m, "GET", COLLECTIONS, NULL, NULL, 0, &call) !=
	    MONIME_EDENIED)
		wrong = "not denied";
	else if (strstr(monime_call_error(call), "invalid_client") == NULL)
		wrong = "no cause";
	else if (canary_in(monime_call_error(call)) != NULL)
		wrong = "a secret is told";
	monime_call_free(call);
	return wrong;
}

static void
test_64_threads_share_an_error(void **state)
{
	struct monime *m;

	(void)state;
	m = open_breb("", "");
	faultf(J({"path": "%s", "status": 401, "hold": true,
	    "body": "{\"error\": \"invalid_client\"}"}), ENDPOINT);
	crew_start(m, 64, get_denied);
	sandbox_wait(sandbox, "held", SERVER, 1);
	sleep_ms(300);
	(void)sandbox_release(sandbox);
	crew_wait(64);
	assert_int_equal(sandbox_requests(sandbox, SERVER), 1);
	monime_close(m);
}

/* Each key arrived so often, with the same bytes, and last with that token. */
static void
look_at_keys(struct json_object *log, int keys, int times, const char *last)
{
	struct json_object *list = json_object_object_get(log, "requests");
	struct json_object *one;
	char key[32], body[32];
	const char *token;
	int i, n;
	size_t j;

	for (i = 0; i < keys; i++) {
		(void)snprintf(key, sizeof(key), "thread-%d", i);
		(void)snprintf(body, sizeof(body), "{\"number\":%d}", i);
		token = NULL;
		n = 0;
		for (j = 0; j < json_object_array_length(list); j++) {
			one = json_object_array_get_idx(list, j);
			if (!same(sandbox_header(one, "X-Idempotency-Key", 0),
			    key))
				continue;
			n++;
			token = sandbox_text(one, "token");
			assert_row(same(sandbox_text(one, "body"), body));
		}
		assert_row(n == times);
		assert_row(same(token, last));
	}
}

static void
test_64_threads_with_a_revoked_token_make_one_refresh(void **state)
{
	struct monime *m = open_breb("", "");
	struct json_object *log;

	(void)state;
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	assert_int_equal(total("token_requests"), 1);
	sandbox_revoke(sandbox, "oauth");
	/* All of them have sent the token before the first one is refused. */
	faultf(J({"path": "%s", "token": "oauth_1", "times": 64,
	    "execute": true, "hold": true}), COLLECTIONS);
	crew_start(m, 64, post);
	sandbox_wait(sandbox, "held", SERVER, 64);
	assert_int_equal(sandbox_release(sandbox), 64);
	crew_wait(64);
	assert_int_equal(total("token_requests"), 2);
	assert_int_equal(sandbox_effects(sandbox), 64);
	log = sandbox_log(sandbox);
	look_at_keys(log, 64, 2, "oauth_2");
	json_object_put(log);
	monime_close(m);
}

static void
test_second_401_is_the_last(void **state)
{
	struct monime *m = open_breb("", "");
	struct monime_call *call;

	(void)state;
	faultf(J({"path": "%s", "status": 401, "times": -1}), COLLECTIONS);
	assert_code(call, monime_request(m, "POST", COLLECTIONS, NULL,
	    "{\"n\":1}", 7, &call), MONIME_EDENIED);
	assert_int_equal(monime_call_status(call), 401);
	assert_fact(call, "attempts", "2");
	assert_fact(call, "executed", "no");
	assert_fact(call, "reason", "invalid_token");
	monime_call_free(call);
	assert_int_equal(total("token_requests"), 2);
	assert_int_equal(sandbox_effects(sandbox), 0);
	monime_close(m);
}

/* Tokens that are refused as soon as they come: no storm at the endpoint. */
static void
test_tokens_that_are_always_refused_are_benched(void **state)
{
	struct monime *m = open_breb("", "");
	int i;

	(void)state;
	faultf(J({"path": "%s", "status": 401, "times": -1}), COLLECTIONS);
	for (i = 0; i < 1000; i++)
		ask(m, "GET", COLLECTIONS, MONIME_EDENIED);
	assert_true(total("token_requests") <= 4);
	assert_true(sandbox_requests(sandbox, SERVER) <= 8);
	sandbox_reset(sandbox);
	move_clock(30001);
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	monime_close(m);

	/* A 401 on one path, among 2xx on others, benches nothing. */
	sandbox_reset(sandbox);
	m = open_breb("", "");
	faultf(J({"path": "/api/v1/target_resolutions", "status": 401,
	    "times": -1}));
	for (i = 0; i < 20; i++) {
		ask(m, "GET", COLLECTIONS, MONIME_OK);
		ask(m, "GET", "/api/v1/target_resolutions", MONIME_EDENIED);
	}
	monime_close(m);
}

/* Ahead of expiry. */

static void
test_token_is_renewed_ahead_of_its_end(void **state)
{
	static const struct {
		const char *name;
		int expires_in;
		const char *more;
		int64_t before;		/* ms at which the old one is used */
		int64_t after;		/* ms at which a new one is */
	} rows[] = {
		{ "60 s of an hour", 3600, "", 3538000, 3541000 },
		{ "a fifth", 100, "", 78000, 81000 },
		{ "margin", 3600, "margin = \"10 min\";", 2998000, 3001000 },
		{ "margin 0", 100, "margin = \"0 s\";", 98000, 101000 },
		{ "margin beyond the lifetime", 100, "margin = \"1 h\";",
		  48000, 51000 },
	};
	struct monime *m;
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		sandbox_reset(sandbox);
		(void)snprintf(text, sizeof(text), "{\"oauth_expires_in\": %d,"
		    " \"oauth_lifetime\": 100000}", rows[i].expires_in);
		sandbox_setting(sandbox, text);
		m = open_breb(rows[i].more, "");
		ask(m, "GET", COLLECTIONS, MONIME_OK);
		move_clock(rows[i].before);
		ask(m, "GET", COLLECTIONS, MONIME_OK);
		assert_row(total("token_requests") == 1);
		move_clock(rows[i].after - rows[i].before);
		ask(m, "GET", COLLECTIONS, MONIME_OK);
		assert_row(total("token_requests") == 2);
		monime_close(m);
	}
}

static void
test_early_refresh_that_fails_keeps_the_old_token(void **state)
{
	static const struct {
		const char *name;
		const char *fault;	/* of the endpoint */
		int want;		/* after the hard expiry */
	} rows[] = {
		{ "503", J({"path": "/api/v1/oauth/token", "status": 503,
		  "times": -1}), MONIME_ENET },
		{ "dropped", J({"path": "/api/v1/oauth/token",
		  "drop": "status", "times": -1}), MONIME_ENET },
		{ "invalid_client", J({"path": "/api/v1/oauth/token",
		  "status": 401, "body": "{\"error\": \"invalid_client\"}",
		  "times": -1}), MONIME_EDENIED },
		{ "rubbish", J({"path": "/api/v1/oauth/token",
		  "text": "{}", "times": -1}), MONIME_EPROTO },
	};
	struct monime *m;
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		sandbox_reset(sandbox);
		log_forget();
		sandbox_setting(sandbox, "{\"oauth_expires_in\": 100}");
		m = open_breb("", "retry = { attempts = 2; };");
		ask(m, "GET", COLLECTIONS, MONIME_OK);
		sandbox_fault(sandbox, rows[i].fault);
		move_clock(81000);
		for (j = 0; j < 20; j++)
			ask(m, "POST", COLLECTIONS, MONIME_OK);
		/*
		 * One try, and the next one not before some seconds; libcurl
		 * itself sends again where it was a kept connection that died.
		 */
		assert_row(sandbox_requests(sandbox, SERVER) >= 2 + 20 + 1 &&
		    sandbox_requests(sandbox, SERVER) <= 2 + 20 + 1 +
		    (size_t)same(rows[i].name, "dropped"));
		assert_logged("the old access token is still good", 1);
		move_clock(17000);	/* 98 s: the hard expiry is at 100 */
		ask(m, "POST", COLLECTIONS, MONIME_OK);
		move_clock(3000);
		ask(m, "POST", COLLECTIONS, rows[i].want);
		assert_row(sandbox_effects(sandbox) == 21);
		/* And when the endpoint is back, so are we. */
		control("/reset", "{\"only\": [\"faults\"]}");
		move_clock(31000);
		ask(m, "POST", COLLECTIONS, MONIME_OK);
		monime_close(m);
	}
}

static void
test_early_refresh_that_hangs_holds_up_no_request(void **state)
{
	struct monime *m;
	int64_t began;

	(void)state;
	sandbox_setting(sandbox, "{\"oauth_expires_in\": 100}");
	m = open_breb("", "timeout = \"4 s\";");
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	faultf(J({"path": "%s", "hold": true, "times": -1}), ENDPOINT);
	move_clock(81000);
	began = real_ms();
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	assert_true(real_ms() - began < 3000);
	began = real_ms();
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	assert_true(real_ms() - began < 1000);
	assert_logged("the old access token is still good", 1);
	(void)sandbox_release(sandbox);
	monime_close(m);
}

static void
test_401_at_the_old_token_ends_it_at_once(void **state)
{
	struct monime *m;

	(void)state;
	sandbox_setting(sandbox, "{\"oauth_expires_in\": 100}");
	m = open_breb("", "retry = { attempts = 1; };");
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	sandbox_revoke(sandbox, "oauth");
	faultf(J({"path": "%s", "status": 503, "times": -1}), ENDPOINT);
	move_clock(81000);
	/* The refresh fails, the old one is tried, and is no good any more. */
	ask(m, "POST", COLLECTIONS, MONIME_ENET);
	assert_int_equal(sandbox_effects(sandbox), 0);
	assert_int_equal(sandbox_requests(sandbox, SERVER), 2 + 3);
	monime_close(m);
}

static const char *
get(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;

	(void)number;
	if (monime_request(m, "GET", COLLECTIONS, NULL, NULL, 0, &call) !=
	    MONIME_OK)
		wrong = strdup(monime_call_error(call));
	monime_call_free(call);
	return wrong;
}

static void
test_64_threads_at_an_early_refresh_make_one(void **state)
{
	struct monime *m;

	(void)state;
	m = open_breb("", "");
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	move_clock(3550000);
	faultf(J({"path": "%s", "execute": true, "hold": true}), ENDPOINT);
	crew_start(m, 64, get);
	/* 63 of them have the old one and do not wait. */
	sandbox_wait(sandbox, "requests", SERVER, 2 + 1 + 63);
	assert_int_equal(sandbox_release(sandbox), 1);
	crew_wait(64);
	assert_int_equal(total("token_requests"), 2);
	monime_close(m);
}

/* Who waits for another's fetch has a time limit of its own. */

static const char *
check_or_get(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;
	int r;

	if (number == 0) {
		r = monime_check_credential(m, &call);
		if (r != MONIME_ENET)
			wrong = "the check did not time out";
		monime_call_free(call);
		return wrong;
	}
	sandbox_wait(sandbox, "held", SERVER, 1);
	return get(m, number);
}

static void
test_waiter_outlives_a_fetcher_with_less_time(void **state)
{
	struct monime *m;

	(void)state;
	m = open_breb("", "check = { timeout = \"1 s\"; };");
	faultf(J({"path": "%s", "hold": true}), ENDPOINT);
	crew_start(m, 8, check_or_get);
	crew_wait(8);
	(void)sandbox_release(sandbox);
	assert_int_equal(total("token_requests"), 2);
	monime_close(m);

	/* And the reverse: a waiter with less time leaves alone. */
	sandbox_reset(sandbox);
	m = open_breb("", "timeout = \"1 s\"; check = { timeout = \"9 s\"; };");
	faultf(J({"path": "%s", "execute": true, "hold": true}), ENDPOINT);
	crew_start(m, 1, get_denied);	/* "not denied": ENET */
	sandbox_wait(sandbox, "held", SERVER, 1);
	(void)pthread_join(crew_member[0].thread, NULL);
	(void)pthread_barrier_destroy(&crew_now.start);
	assert_string_equal(crew_member[0].wrong, "not denied");
	(void)sandbox_release(sandbox);
	monime_close(m);
}

/* Money: what an earlier attempt may have done is not forgotten. */
static void
test_unknown_outcome_survives_a_failed_refresh(void **state)
{
	struct monime *m = open_breb("", "");
	struct monime_call *call;

	(void)state;
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	/* Executed, but the answer is lost; then the token is revoked; and
	 * then there is no other. */
	faultf(J([{"path": "%s", "drop": "status", "execute": true},
	    {"path": "%s", "status": 401, "times": -1},
	    {"path": "%s", "status": 400, "times": -1,
	     "body": "{\"error\": \"invalid_grant\"}"}]),
	    COLLECTIONS, COLLECTIONS, ENDPOINT);
	assert_code(call, monime_request(m, "POST", COLLECTIONS, NULL,
	    "{\"n\":1}", 7, &call), MONIME_EDENIED);
	assert_fact(call, "executed", "unknown");
	monime_call_free(call);
	monime_close(m);
	assert_int_equal(sandbox_effects(sandbox), 1);

	sandbox_reset(sandbox);
	m = open_breb("", "");
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	faultf(J([{"path": "%s", "drop": "status", "execute": true},
	    {"path": "%s", "status": 401, "times": -1},
	    {"path": "%s", "status": 503, "times": -1}]),
	    COLLECTIONS, COLLECTIONS, ENDPOINT);
	assert_code(call, monime_request(m, "POST", COLLECTIONS, NULL,
	    "{\"n\":1}", 7, &call), MONIME_ELOST);
	assert_fact(call, "executed", "unknown");
	monime_call_free(call);
	monime_close(m);
	assert_int_equal(sandbox_effects(sandbox), 1);
}

/* authorize and report. */

static struct monime_call *
authorize(struct monime *m, const char *path, int want)
{
	struct monime_call *call;
	char url[256];

	(void)snprintf(url, sizeof(url), "%s%s",
	    sandbox_origin(sandbox, SERVER), path);
	assert_code(call, monime_authorize(m, "GET", url, &call), want);
	look_over(call);
	return call;
}

#define ALLOW	"allow = { methods = [\"GET\"]; paths = [\"/api/v1/*\"]; };"

static void
test_report_of_a_401_makes_the_next_fetch(void **state)
{
	struct monime *m = open_breb("", ALLOW);
	struct monime_call *first, *second, *third;

	(void)state;
	first = authorize(m, COLLECTIONS, MONIME_OK);
	assert_string_equal(monime_call_header(first, "Authorization"),
	    "Bearer canary_oauth_000001_Rk5VzTq8Xw2HnB7");
	assert_non_null(monime_call_get(first, "fingerprint"));
	second = authorize(m, COLLECTIONS, MONIME_OK);
	assert_int_equal(total("token_requests"), 1);
	monime_call_report(second, 200);
	monime_call_report(first, 403);
	monime_call_free(authorize(m, COLLECTIONS, MONIME_OK));
	assert_int_equal(total("token_requests"), 1);

	monime_call_report(first, 401);
	third = authorize(m, COLLECTIONS, MONIME_OK);
	assert_string_equal(monime_call_header(third, "Authorization"),
	    "Bearer canary_oauth_000002_Rk5VzTq8Xw2HnB7");
	/* The same token, late: it is dropped already. */
	monime_call_report(second, 401);
	monime_call_free(authorize(m, COLLECTIONS, MONIME_OK));
	assert_int_equal(total("token_requests"), 2);
	assert_int_equal(sandbox_requests(sandbox, SERVER), 2);
	monime_call_free(first);
	monime_call_free(second);
	monime_call_free(third);
	monime_close(m);
}

static void
test_reports_of_nothing_but_401_are_no_storm(void **state)
{
	struct monime *m = open_breb("", ALLOW);
	struct monime_call *call;
	char url[256];
	int i;

	(void)state;
	(void)snprintf(url, sizeof(url), "%s%s",
	    sandbox_origin(sandbox, SERVER), COLLECTIONS);
	for (i = 0; i < 100; i++) {
		(void)!monime_authorize(m, "GET", url, &call);
		monime_call_report(call, 401);
		monime_call_free(call);
	}
	assert_int_equal(total("token_requests"), 3);
	move_clock(30001);
	monime_call_free(authorize(m, COLLECTIONS, MONIME_OK));
	monime_close(m);
}

static void
test_check_credential_fetches_and_tells(void **state)
{
	struct monime *m = open_breb("scope = \"collections\";", "");
	struct monime_call *call;

	(void)state;
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	assert_code(call, monime_check_credential(m, &call), MONIME_OK);
	assert_fact(call, "token-scope", "collections");
	assert_lifetime(call, 3600);
	assert_non_null(monime_call_get(call, "fingerprint"));
	look_over(call);
	monime_call_free(call);
	/* It asked, although there was a token. */
	assert_int_equal(total("token_requests"), 2);
	monime_close(m);

	/* With a path, that has to open as well. */
	m = open_breb("", "check = { path = \"/api/v1/collections\"; };");
	check(m, MONIME_OK);
	faultf(J({"path": "%s", "status": 403}), COLLECTIONS);
	check(m, MONIME_EFORBIDDEN);
	monime_close(m);
}

/* What is rotated here is the client's secret. */
static void
test_changed_secret_keeps_the_token(void **state)
{
	struct monime *m;
	static const char more[] = "reload = \"1 s\";";

	(void)state;
	m = open_breb("", more);
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	/* Half of it is written: no request may fail of that. */
	sandbox_write_file(folder, "test/o.conf", 0600,
	    "provider = \"mono\";\nproduct = \"breb\";\n"
	    "base_url = \"%s\";\noauth2 = {\n\tclient_id = \"%s\";\n"
	    "\tclient_secret = \"canary_cl\";\n};\n%s\n",
	    sandbox_origin(sandbox, SERVER),
	    sandbox_token(sandbox, "oauth_client_id"), more);
	move_clock(1100);
	ask(m, "POST", COLLECTIONS, MONIME_OK);
	ask(m, "POST", COLLECTIONS, MONIME_OK);
	assert_logged("a changed profile is taken up", 1);
	assert_logged("the old access token is still good", 1);
	write_breb("", more);
	move_clock(1100);
	ask(m, "POST", COLLECTIONS, MONIME_OK);
	assert_logged("a changed profile is taken up", 2);
	assert_int_equal(total("tokens_issued"), 2);
	/* Another scope is another token's. */
	write_breb("scope = \"collections\";", more);
	move_clock(1100);
	ask(m, "POST", COLLECTIONS, MONIME_OK);
	assert_int_equal(total("tokens_issued"), 3);
	assert_int_equal(sandbox_effects(sandbox), 4);
	monime_close(m);
}

/* A secret that the endpoint refuses, and what else stands in the group. */
static void
write_refused(const char *name, const char *oauth2)
{
	sandbox_write_file(folder, "test/o.conf", 0600,
	    "provider = \"mono\";\nproduct = \"breb\";\n"
	    "base_url = \"%s\";\noauth2 = {\n\tclient_id = \"%s\";\n"
	    "\tclient_secret = \"canary_cl\";\n%s\n};\nreload = \"1 s\";\n",
	    sandbox_origin(sandbox, SERVER),
	    strcmp(name, "client") == 0 ? "another" :
	    sandbox_token(sandbox, "oauth_client_id"), oauth2);
}

/* Or a profile that may do less would go on with what it could before. */
static void
test_token_of_another_request_is_not_kept(void **state)
{
	static const struct {
		const char *name;
		const char *oauth2;
		int code;
	} rows[] = {
#define SCOPE	"scope = \"collections\"; "
#define EXTRA	"extra = [\"b=c\"]; "
		{ "the same", SCOPE EXTRA, MONIME_OK },
		{ "how it is sent", SCOPE EXTRA "auth = \"basic\"; "
		  "body = \"json\";", MONIME_OK },
		{ "client", SCOPE EXTRA, MONIME_EDENIED },
		{ "no scope", EXTRA, MONIME_EDENIED },
		{ "scope", "scope = \"collections "
		  "target_resolutions:readonly\"; " EXTRA, MONIME_EDENIED },
		{ "audience", SCOPE EXTRA "audience = \"e\";",
		  MONIME_EDENIED },
		{ "no extra", SCOPE, MONIME_EDENIED },
		{ "extra", SCOPE "extra = [\"b=d\"];", MONIME_EDENIED },
		{ "more extra", SCOPE "extra = [\"b=c\", \"d=e\"];",
		  MONIME_EDENIED },
		{ "grant", SCOPE EXTRA "grant = \"password\"; "
		  "username = \"u\"; password = \"canary_p\";",
		  MONIME_EDENIED },
#undef SCOPE
#undef EXTRA
	};
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		m = open_breb(rows[0].oauth2, "reload = \"1 s\";");
		ask(m, "GET", COLLECTIONS, MONIME_OK);
		write_refused(rows[i].name, rows[i].oauth2);
		move_clock(1100);
		ask(m, "GET", COLLECTIONS, rows[i].code);
		monime_close(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_breb_gets_a_token_and_performs_requests),
		LIVING(test_wallet_must_be_configured_and_says_so),
		LIVING(test_token_request_arrives_byte_for_byte),
		LIVING(test_every_way_is_understood),
		LIVING(test_token_url_elsewhere_is_asked_there),
		LIVING(test_odd_lifetimes_are_made_sense_of),
		LIVING(test_answers_of_the_endpoint_are_judged),
		LIVING(test_redirect_of_the_endpoint_is_not_followed),
		LIVING(test_both_error_shapes_of_one_host_are_read),
		LIVING(test_busy_endpoint_is_asked_again),
		LIVING(test_endpoint_that_asks_for_patience_gets_it),
		LIVING(test_wrong_client_is_asked_about_once_in_30_s),
		LIVING(test_64_threads_without_a_token_make_one_request),
		LIVING(test_64_threads_share_an_error),
		LIVING(test_64_threads_with_a_revoked_token_make_one_refresh),
		LIVING(test_second_401_is_the_last),
		LIVING(test_tokens_that_are_always_refused_are_benched),
		LIVING(test_token_is_renewed_ahead_of_its_end),
		LIVING(test_early_refresh_that_fails_keeps_the_old_token),
		LIVING(test_early_refresh_that_hangs_holds_up_no_request),
		LIVING(test_401_at_the_old_token_ends_it_at_once),
		LIVING(test_64_threads_at_an_early_refresh_make_one),
		LIVING(test_waiter_outlives_a_fetcher_with_less_time),
		LIVING(test_unknown_outcome_survives_a_failed_refresh),
		LIVING(test_report_of_a_401_makes_the_next_fetch),
		LIVING(test_reports_of_nothing_but_401_are_no_storm),
		LIVING(test_check_credential_fetches_and_tells),
		LIVING(test_changed_secret_keeps_the_token),
		LIVING(test_token_of_another_request_is_not_kept),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
