/* SPDX-License-Identifier: MIT */

/*
 * OAuth 2.0 against authorization servers that others wrote: a profile of
 * Bre-B's shape whose token_url is the peer's, and whose API is a resource
 * server beside it, which verifies the token by the peer's own means.
 */

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "../integration/living.h"

#define COLLECTIONS	"/api/v1/collections"

/* The client's secret, as a profile has it; the peers have it as well. */
#define SECRET	"canary p@ss:w&rd=%+/~\\\"\\\\"

static pid_t peer;
static int hold = -1;		/* its standard input */
static char origin[64];

static void
peer_stop(void)
{
	if (hold >= 0)
		(void)close(hold);
	if (peer > 0)
		(void)waitpid(peer, NULL, 0);
	hold = -1;
	peer = 0;
}

static void
peer_start(const char *name)
{
	const char *certificate = sandbox_certificate(sandbox, "server");
	char script[256], key[256], ca[256], line[128], *environment[3];
	char path[4096];
	posix_spawn_file_actions_t actions;
	int in[2], out[2];
	ssize_t n, at = 0;

	(void)snprintf(script, sizeof(script), BUILD_DIR "/peers/%s.mjs",
	    name);
	(void)snprintf(key, sizeof(key), "%.*s.key",
	    (int)(strlen(certificate) - strlen(".pem")), certificate);
	(void)snprintf(ca, sizeof(ca), "NODE_EXTRA_CA_CERTS=%s",
	    sandbox_ca_file(sandbox));
	(void)snprintf(path, sizeof(path), "PATH=%s", getenv("PATH"));
	environment[0] = path;
	environment[1] = ca;
	environment[2] = NULL;

	const char *arguments[] = { "node", script, certificate, key, NULL };

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	(void)posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	(void)posix_spawn_file_actions_addopen(&actions, 2,
	    BUILD_DIR "/peers/log", O_WRONLY | O_CREAT | O_APPEND, 0644);
	assert_int_equal(posix_spawnp(&peer, "node", &actions, NULL,
	    (char **)(uintptr_t)arguments, environment), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(in[0]);
	(void)close(out[1]);
	hold = in[1];
	/* What a library prints before is no JSON. */
	for (;;) {
		n = read(out[0], line + at, sizeof(line) - 1 - (size_t)at);
		if (n <= 0)
			fail_row(__FILE__, __LINE__, "%s did not start: see "
			    BUILD_DIR "/peers/log", name);
		at += n;
		line[at] = '\0';
		if (strchr(line, '\n') != NULL)
			break;
	}
	(void)close(out[0]);
	assert_int_equal(sscanf(line, "{\"port\":%ld}", (long *)&n), 1);
	(void)snprintf(origin, sizeof(origin), "https://localhost:%ld",
	    (long)n);
}

static struct monime *
open_peer(const char *group)
{
	sandbox_write_file(folder, "test/peer.conf", 0600,
	    "provider = \"mono\";\nproduct = \"breb\";\nbase_url = \"%s\";\n"
	    "oauth2 = {\n\ttoken_url = \"%s/token\";\n%s\n};\n",
	    origin, origin, group);
	return open_logged("test/peer");
}

/* A number of GET /counts; without a credential, so not by the library. */
static long
count(struct monime *m, const char *name)
{
	struct monime_call *call;
	struct json_object *v;
	long n;

	assert_code(call, monime_request(m, "GET", "/counts", NULL, NULL, 0,
	    &call), MONIME_OK);
	v = json_tokener_parse(monime_call_body(call, NULL));
	n = (long)json_object_get_int64(json_object_object_get(v, name));
	json_object_put(v);
	monime_call_free(call);
	return n;
}

static const char *
post(struct monime *m, int number)
{
	struct monime_call *call;
	const char *wrong = NULL;

	(void)number;
	if (monime_request(m, "POST", COLLECTIONS, NULL, "{}", 2, &call) !=
	    MONIME_OK)
		wrong = strdup(monime_call_error(call));
	monime_call_free(call);
	return wrong;
}

/* The main job: a token, requests with it, and another when it is refused. */
static void
does_the_job(struct monime *m, const char *scope)
{
	long before, tokens;
	struct monime_call *call;

	assert_code(call, monime_check_credential(m, &call), MONIME_OK);
	if (scope != NULL)
		assert_fact(call, "token-scope", scope);
	assert_row(monime_call_get(call, "token-expires-in") != NULL);
	look_over(call);
	monime_call_free(call);
	before = count(m, "effects");
	tokens = count(m, "tokens");
	ask(m, "GET", COLLECTIONS, MONIME_OK);
	ask(m, "POST", COLLECTIONS, MONIME_OK);
	ask(m, "POST", "/revoke", MONIME_OK);
	/* The old one is refused: one refresh, and the request once more. */
	crew_start(m, 16, post);
	crew_wait(16);
	assert_row(count(m, "effects") == before + 17);
	assert_row(count(m, "tokens") == tokens + 1);
}

static void
test_oidc_provider(void **state)
{
	static const struct {
		const char *name;
		const char *group;
		const char *scope;
	} rows[] = {
		{ "post", "client_id = \"post client\";", NULL },
		{ "basic", "client_id = \"basic:client\"; auth = \"basic\";",
		  NULL },
		{ "scope", "client_id = \"post client\";"
		  "scope = \"collections outgoing_transfers\";",
		  "collections outgoing_transfers" },
		{ "a signed token for a resource",
		  "client_id = \"basic:client\"; auth = \"basic\";"
		  "scope = \"collections\";"
		  "extra = [\"resource=https://api.example/\"];",
		  "collections" },
	};
	struct monime *m;
	char group[512];
	size_t i;

	(void)state;
	peer_start("oidc_provider");
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		(void)snprintf(group, sizeof(group),
		    "%s client_secret = \"%s\";", rows[i].group, SECRET);
		m = open_peer(group);
		does_the_job(m, rows[i].scope);
		monime_close(m);
	}
	peer_stop();
}

static void
test_oidc_provider_refuses(void **state)
{
	static const struct {
		const char *group;
		const char *told;
	} rows[] = {
		{ "client_id = \"post client\"; client_secret = \"canary\";",
		  "reason invalid_client" },
		{ "client_id = \"nobody\"; auth = \"basic\";"
		  "client_secret = \"" SECRET "\";", "reason invalid_client" },
		{ "client_id = \"post client\"; scope = \"tenant_accounts\";"
		  "client_secret = \"" SECRET "\";", "reason invalid_scope" },
		{ "client_id = \"post client\"; grant = \"password\";"
		  "client_secret = \"" SECRET "\"; username = \"u\";"
		  "password = \"canary\";", "reason unsupported_grant_type" },
	};
	struct monime_call *call;
	struct monime *m;
	size_t i;

	(void)state;
	peer_start("oidc_provider");
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].group;
		m = open_peer(rows[i].group);
		assert_code(call, monime_check_credential(m, &call),
		    MONIME_EDENIED);
		if (strstr(monime_call_error(call), rows[i].told) == NULL)
			fail_row(__FILE__, __LINE__, "%s",
			    monime_call_error(call));
		look_over(call);
		monime_call_free(call);
		ask(m, "GET", COLLECTIONS, MONIME_EDENIED);
		monime_close(m);
	}
	peer_stop();
}

static void
test_oauth2_mock_server(void **state)
{
	static const struct {
		const char *name;
		const char *group;
		const char *scope;
	} rows[] = {
		{ "post", "", NULL },
		{ "basic", "auth = \"basic\";", NULL },
		{ "scope", "scope = \"collections\";", "collections" },
		{ "extra", "extra = [\"aud=https://api.example/\"];", NULL },
		{ "password", "grant = \"password\"; username = \"u\";"
		  "password = \"canary\";", NULL },
	};
	struct monime *m;
	char group[512];
	size_t i;

	(void)state;
	peer_start("oauth2_mock_server");
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].name;
		(void)snprintf(group, sizeof(group), "client_id = \"c\";"
		    "client_secret = \"%s\"; %s", SECRET, rows[i].group);
		m = open_peer(group);
		does_the_job(m, rows[i].scope);
		monime_close(m);
	}
	peer_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVING(test_oidc_provider),
		LIVING(test_oidc_provider_refuses),
		LIVING(test_oauth2_mock_server),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, common_start, common_stop);
}
