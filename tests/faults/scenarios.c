/* SPDX-License-Identifier: MIT */

/* What is done while things fail.  See faults.h. */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "faults.h"
#include "inject.h"

#define ACCOUNTS	"/v1/financial-accounts"
#define PAYOUTS		"/v1/payouts"
#define BODY		"{\"amount\":{\"currency\":\"SLE\",\"value\":100}}"
#define ROOM		(1 << 18)	/* bytes of metrics */
#define PATIENCE	12000		/* ms that no call here takes */
#define SECRET		"canary_webhook_secret_0123456789"

struct sandbox *sandbox;
const char *folder;

/*
 * Profiles
 */

/* Short limits: what stalls ends by them. */
#define LIMITS								\
	"timeout = \"5 s\";\nconnect_timeout = \"4 s\";\n"		\
	"check = { timeout = \"4 s\"; };\n"				\
	"owner = \"Faults\";\npurpose = \"the sweep\";\n"

static void
write_monime(const char *name, const char *host, const char *token,
    const char *more)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s.conf", name);
	sandbox_write_file(folder, path, 0600, "provider = \"monime\";\n"
	    "space = \"%s\";\nbase_url = \"https://%s:%u\";\n%s",
	    sandbox_space(sandbox, "test"), host,
	    sandbox_port(sandbox, "monime"), more);
	(void)snprintf(path, sizeof(path), "%s.token", name);
	if (token != NULL)
		sandbox_write_file(folder, path, 0600, "%s\n",
		    sandbox_token(sandbox, token));
}

void
scenarios_write_first(const char *to)
{
	sandbox_write_file(to, "test/first.conf", 0600,
	    "provider = \"monime\";\nspace = \"spc-1\";\n"
	    "base_url = \"https://127.0.0.1:1\";\n" LIMITS);
	sandbox_write_file(to, "test/first.token", 0600,
	    "mon_test_canary_first\n");
	sandbox_write_file(to, "test/expired.conf", 0600,
	    "provider = \"monime\";\nspace = \"spc-1\";\n"
	    "expires = \"2020-01-01\";\ntoken = \"mon_test_canary_first\";\n"
	    LIMITS);
	sandbox_write_file(to, "live/first.conf", 0600,
	    "provider = \"monime\";\nspace = \"spc-1\";\n"
	    "token = \"mon_canary_first\";\n" LIMITS);
	sandbox_write_file(to, "test/foreign.conf", 0600,
	    "provider = \"monime\";\nspace = \"spc-1\";\n"
	    "token = \"mon_canary_first\";\n" LIMITS);
	sandbox_write_file(to, "test/open.conf", 0644,
	    "provider = \"monime\";\nspace = \"spc-1\";\n"
	    "token = \"mon_test_canary_first\";\n" LIMITS);
}

static void
write_oauth(const char *name, const char *more)
{
	sandbox_write_file(folder, name, 0600,
	    "provider = \"mono\";\nproduct = \"breb\";\n"
	    "base_url = \"%s\";\noauth2 = {\n\tclient_id = \"%s\";\n"
	    "\tclient_secret = \"%s\";\n%s\n};\n" LIMITS,
	    sandbox_origin(sandbox, "mono_sandbox"),
	    sandbox_token(sandbox, "oauth_client_id"),
	    sandbox_token(sandbox, "oauth_client_secret"), more);
}

static void
write_policy(const char *environments)
{
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [%s];\nca_file = \"%s/ca.pem\";\n", environments,
	    folder);
}

void
scenarios_restore(void)
{
	write_policy("\"test\"");
	write_monime("test/turns", "127.0.0.1", "test",
	    LIMITS "reload = \"1 s\";\n");
}

void
scenarios_write(void)
{
	scenarios_restore();
	write_monime("test/t", "127.0.0.1", "test", LIMITS);
	write_monime("test/named", "localhost", "test", LIMITS);
	write_monime("test/revoked", "127.0.0.1", "revoked_test", LIMITS);
	write_monime("test/stranger", "127.0.0.1", "stranger_test", LIMITS);
	write_monime("test/proxy", "127.0.0.1", "test", LIMITS
	    "allow = { methods = [\"GET\", \"POST\"]; paths = [\"/*\"]; };\n");
	write_monime("test/hook", "127.0.0.1", NULL, LIMITS
	    "webhook = { secrets = [\"" SECRET "\"]; };\n");
	sandbox_write_file(folder, "test/bank.conf", 0600,
	    "provider = \"mono\";\nproduct = \"banking\";\n"
	    "base_url = \"%s\";\ntoken_file = \"%s/test/bank.secret\";\n"
	    "timeout = \"5 s\";\ncheck = { timeout = \"4 s\"; "
	    "accept = \"path\"; path = \"%s\"; };\n",
	    sandbox_origin(sandbox, "mono_sandbox"), folder,
	    sandbox_object(sandbox, "mono_sandbox"));
	sandbox_write_file(folder, "test/bank.secret", 0600, "%s\n",
	    sandbox_token(sandbox, "mono_sandbox"));
	write_oauth("test/oauth.conf", "");
	write_oauth("test/basic.conf", "auth = \"basic\"; body = \"json\"; "
	    "scope = \"collections\"; extra = [\"a=b\", \"c=d\"];");
}

/*
 * Verbs
 */

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* As a host's loop, which has no timer for us. */
static int
finish(struct run *r, int code)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	const int64_t end = now_ms() + PATIENCE;
	struct monime_call *got = NULL;

	if (code != MONIME_EPENDING)
		return code;
	while ((got = monime_next(r->m)) == NULL && now_ms() < end)
		(void)poll(&p, 1, (int)(end - now_ms()) + 1);
	if (got != r->call)
		wrong(r, got == NULL ? "the call never ended on the loop" :
		    "another call was reported");
	if (now_ms() >= end)
		wrong(r, "the loop was not woken in time");
	return monime_call_result(r->call);
}

/* False: there is no descriptor, so nothing is begun. */
static bool
watch(struct run *r)
{
	r->fd = monime_fd(r->m);
	return r->fd >= 0;
}

static int
open_it(struct run *r)
{
	return monime_open(r->scenario->profile, folder, &r->m);
}

static int
check(struct run *r)
{
	return monime_check_token(r->m, r->token, strlen(r->token), &r->call);
}

static int
check_without_call(struct run *r)
{
	return monime_check_token(r->m, r->token, strlen(r->token), NULL);
}

static int
check_loop(struct run *r)
{
	if (!watch(r))
		return r->fd;
	return finish(r, monime_check_token_start(r->m, r->token,
	    strlen(r->token), r, &r->call));
}

/* The loop is made by what is started on it. */
static int
check_unwatched(struct run *r)
{
	int code = monime_check_token_start(r->m, r->token, strlen(r->token),
	    r, &r->call);

	if (code == MONIME_EPENDING && !watch(r))
		wrong(r, "a loop without its descriptor");
	return finish(r, code);
}

/* Of whose token nothing is known yet. */
static int
check_stranger(struct run *r)
{
	r->token = sandbox_token(sandbox, "stranger_test");
	return check_loop(r);
}

static void
facts(struct run *r)
{
	static const char *const names[] = {
		"environment", "source", "age", "retry-after", "attempts",
		"executed", "request-id", "reason", "message", "fingerprint",
		"token-scope"
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)monime_call_get(r->call, names[i]);
}

/* What is remembered is told when somebody asks. */
static int
check_and_ask(struct run *r)
{
	int code = check(r);

	facts(r);
	return code;
}

static int
credential(struct run *r)
{
	return monime_check_credential(r->m, &r->call);
}

static int
get(struct run *r)
{
	return monime_request(r->m, "GET", ACCOUNTS "?limit=1", NULL, NULL, 0,
	    &r->call);
}

static int
get_loop(struct run *r)
{
	if (!watch(r))
		return r->fd;
	return finish(r, monime_request_start(r->m, "GET",
	    ACCOUNTS "?limit=1", NULL, NULL, 0, r, &r->call));
}

static int
get_collections(struct run *r)
{
	return monime_request(r->m, "GET", "/api/v1/collections", NULL, NULL,
	    0, &r->call);
}

static int
get_collections_loop(struct run *r)
{
	if (!watch(r))
		return r->fd;
	return finish(r, monime_request_start(r->m, "GET",
	    "/api/v1/collections", NULL, NULL, 0, r, &r->call));
}

static const char *const traced[] = {
	"X-Request-Id: faults-1", "Content-Type: application/json", NULL
};

static int
post(struct run *r)
{
	return monime_request(r->m, "POST", PAYOUTS, traced, BODY,
	    sizeof(BODY) - 1, &r->call);
}

static int
post_loop(struct run *r)
{
	if (!watch(r))
		return r->fd;
	return finish(r, monime_request_start(r->m, "POST", PAYOUTS, traced,
	    BODY, sizeof(BODY) - 1, r, &r->call));
}

static char *
url_of(struct run *r)
{
	char *url;

	if (asprintf(&url, "%s" ACCOUNTS, monime_get(r->m, "origin")) < 0)
		abort();
	return url;
}

static int
authorize(struct run *r)
{
	char *url = url_of(r);
	int code = monime_authorize(r->m, "GET", url, &r->call);

	free(url);
	if (code == MONIME_OK &&
	    monime_call_header(r->call, "Authorization") == NULL)
		wrong(r, "authorized without a header");
	return code;
}

static int
authorize_loop(struct run *r)
{
	char *url = url_of(r);
	int code;

	if (watch(r))
		code = finish(r, monime_authorize_start(r->m, "GET", url, r,
		    &r->call));
	else
		code = r->fd;
	free(url);
	return code;
}

/* And it was refused: the next one asks the token test first. */
static int
authorize_and_report(struct run *r)
{
	int code = authorize(r);

	if (code != MONIME_OK)
		return code;
	monime_call_report(r->call, 401);
	monime_call_free(r->call);
	r->call = NULL;
	return authorize(r);
}

static int
webhook_signed(struct run *r, const char *body)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	char header[256], encoded[64];
	int n;

	n = snprintf(header, sizeof(header), "%lld_", (long long)time(NULL));
	(void)crypto_auth_hmacsha256_init(&state, (const void *)SECRET,
	    sizeof(SECRET) - 1);
	(void)crypto_auth_hmacsha256_update(&state, (const void *)header,
	    (size_t)n);
	(void)crypto_auth_hmacsha256_update(&state, (const void *)BODY,
	    sizeof(BODY) - 1);
	(void)crypto_auth_hmacsha256_final(&state, mac);
	(void)sodium_bin2base64(encoded, sizeof(encoded), mac, sizeof(mac),
	    sodium_base64_VARIANT_ORIGINAL);
	n = snprintf(header, sizeof(header), "t=%lld,v1=%s",
	    (long long)time(NULL), encoded);
	return monime_verify_webhook(r->m, header, (size_t)n, body,
	    strlen(body));
}

static int
webhook(struct run *r)
{
	return webhook_signed(r, BODY);
}

static int
webhook_forged(struct run *r)
{
	return webhook_signed(r, "{\"amount\":{\"value\":1000000}}");
}

static const char stale_signature[] =
    "t=1771803194,v1=hUGmUIHafgfanuXu2mJ5C+bOCRTryjRq/AIP8M/78sg=";

static int
webhook_stale(struct run *r)
{
	return monime_verify_webhook(r->m, stale_signature,
	    sizeof(stale_signature) - 1, BODY, sizeof(BODY) - 1);
}

/* All that is told of a handle. */
static int
tell(struct run *r)
{
	static const char *const formats[] = { "openmetrics", "html" };
	size_t i, n;

	for (i = 0; i < 2; i++) {
		n = monime_metrics(&r->m, 1, formats[i], r->buffer, ROOM);
		if (n >= ROOM || strlen(r->buffer) != n)
			wrong(r, "%zu bytes of %s are told, not %zu",
			    strlen(r->buffer), formats[i], n);
	}
	return n > 0 ? MONIME_OK : MONIME_ENOMEM;
}

static int
tell_all(struct run *r)
{
	int code = tell(r);

	if (strstr(r->buffer, "</html>") == NULL)
		wrong(r, "the page has no end");
	return code;
}

static void
log_line(void *data, int level, const char *line)
{
	(void)level;
	if (*line == '\0' || strstr(line, "canary") != NULL)
		wrong(data, "a line of the log: %s", line);
}

/* Facts, a log at its most talkative, a fingerprint and a key. */
static int
ask(struct run *r)
{
	char key[MONIME_KEY_SIZE], fingerprint[MONIME_FINGERPRINT_SIZE];
	int code;

	if (strcmp(monime_get(r->m, "profile"), r->scenario->profile) != 0 ||
	    monime_get(r->m, "origin") == NULL)
		wrong(r, "a fact is not told");
	monime_set_log(r->m, LOG_DEBUG, log_line, r);
	code = monime_fingerprint(r->token, strlen(r->token), fingerprint,
	    sizeof(fingerprint));
	if (code == MONIME_OK)
		code = monime_new_key(key, sizeof(key));
	return code;
}

static int
close_it(struct run *r)
{
	monime_close(r->m);
	r->m = NULL;
	return MONIME_OK;
}

/* What is open again is of use. */
static int
open_and_check(struct run *r)
{
	int code;

	monime_call_free(r->call);
	r->call = NULL;
	code = open_it(r);
	return code == MONIME_OK ? check(r) : code;
}

static int
cancel(struct run *r)
{
	monime_call_free(r->call);
	r->call = NULL;
	while (monime_next(r->m) != NULL)
		wrong(r, "a call that was freed is reported");
	return MONIME_ECANCELED;
}

/*
 * Before
 */

static void
must(struct run *r, int code, int want)
{
	if (code != want)
		wrong(r, "before: %d, not %d: %s", code, want,
		    r->call != NULL ? monime_call_error(r->call) :
		    monime_error(r->m));
	monime_call_free(r->call);
	r->call = NULL;
}

static void
check_before(struct run *r)
{
	must(r, check(r), r->scenario->flags & MAY ?
	    MONIME_OK : r->scenario->then);
}

static void
get_before(struct run *r)
{
	must(r, get(r), MONIME_OK);
}

static void
post_before(struct run *r)
{
	must(r, post(r), MONIME_OK);
}

static void
connect_loop(struct run *r)
{
	must(r, get_loop(r), MONIME_OK);
}

/* One call is on its way on the loop. */
static void
begin_check(struct run *r)
{
	if (!watch(r) || monime_check_token_start(r->m, r->token,
	    strlen(r->token), r, &r->call) != MONIME_EPENDING)
		wrong(r, "before: nothing is pending");
	(void)monime_next(r->m);
}

static void
begin_get(struct run *r)
{
	if (!watch(r) || monime_request_start(r->m, "GET", ACCOUNTS, NULL,
	    NULL, 0, r, &r->call) != MONIME_EPENDING)
		wrong(r, "before: nothing is pending");
	(void)monime_next(r->m);
}

/* Its token has been refused, but it does not know. */
static void
revoke_issued(struct run *r)
{
	must(r, get_collections(r), MONIME_OK);
	sandbox_revoke(sandbox, "oauth");
}

static void
take_basic(struct run *r)
{
	(void)r;
	sandbox_setting(sandbox, "{\"oauth_basic\": true}");
}

static void
unavailable(struct run *r)
{
	must(r, post(r), MONIME_OK);
	sandbox_reset(sandbox);
	sandbox_fault(sandbox, "{\"method\": \"POST\", \"status\": 503,"
	    " \"headers\": [[\"Retry-After\", \"0\"]]}");
}

/* The file has changed, and is due to be looked at. */
static void
rewrite(struct run *r)
{
	const char *token = r->token;
	static unsigned int turn;
	char more[256];

	must(r, get(r), MONIME_OK);
	r->token = sandbox_token(sandbox, "stranger_test");
	must(r, check(r), MONIME_EFORBIDDEN);
	r->token = token;
	(void)snprintf(more, sizeof(more), "%sreload = \"1 s\";\n"
	    "rotate_by = \"2030-01-%02u\";\n", LIMITS, turn++ % 28 + 1);
	write_monime("test/turns", "127.0.0.1", "test", more);
	fault->clock += 2000;
}

static void
withdraw(struct run *r)
{
	must(r, get(r), MONIME_OK);
	must(r, check(r), MONIME_OK);
	write_policy("\"live\"");
	fault->clock += 2000;
}

static void
remove_it(struct run *r)
{
	char path[512];

	must(r, get(r), MONIME_OK);
	(void)snprintf(path, sizeof(path), "%s/test/turns.conf", folder);
	(void)unlink(path);
	fault->clock += 2000;
	must(r, get(r), MONIME_OK);
	fault->clock += 2000;
}

static void
room(struct run *r)
{
	must(r, check(r), MONIME_OK);
	r->buffer = malloc(ROOM);
	if (r->buffer == NULL)
		abort();
}

static int
get_withdrawn(struct run *r)
{
	int code = get(r);

	if (code != MONIME_EPOLICY) {
		monime_call_free(r->call);
		r->call = NULL;
		fault->clock += 60000;
		code = get(r);
	}
	return code;
}

#define OK	MONIME_OK
#define NO	MONIME_EDENIED

const struct scenario scenarios[] = {
	/* name, profile, flags, token, before, act, next, then */
	{ "open, the first of a process", "test/first", MAY | FIRST | OPENS,
	    NULL, NULL, open_it, NULL, OK },
	{ "open, an expired profile", "test/expired", FIRST | OPENS,
	    NULL, NULL, open_it, NULL, MONIME_EPOLICY },
	{ "open, an environment not allowed", "live/first", FIRST | OPENS,
	    NULL, NULL, open_it, NULL, MONIME_EENVIRONMENT },
	{ "open, a token of the other one", "test/foreign", FIRST | OPENS,
	    NULL, NULL, open_it, NULL, MONIME_EENVIRONMENT },
	{ "open, a file that others can read", "test/open", FIRST | OPENS,
	    NULL, NULL, open_it, NULL, MONIME_EUNSAFE },
	{ "open", "test/proxy", MAY | OPENS, NULL, NULL, open_it, NULL, OK },
	{ "open, OAuth 2.0", "test/oauth", MAY | OPENS, NULL, NULL, open_it,
	    NULL, OK },
	{ "facts and log", "test/t", MAY | SILENT, "test", NULL, ask, NULL,
	    OK },
	{ "metrics", "test/t", MAY | SILENT, "test", room, tell, tell_all,
	    OK },

	{ "check, good", "test/t", MAY, "test", NULL, check, NULL, OK },
	{ "check, by a host name", "test/named", MAY, "test", NULL, check,
	    NULL, OK },
	{ "check, kept connection", "test/t", 0, "revoked_test", get_before,
	    check, NULL, NO },
	{ "check, revoked", "test/t", 0, "revoked_test", NULL, check, NULL,
	    NO },
	{ "check, a stranger's", "test/t", 0, "stranger_test", NULL, check,
	    NULL, MONIME_EFORBIDDEN },
	{ "check, of the other environment", "test/t", 0, "live", NULL, check,
	    NULL, MONIME_EENVIRONMENT },
	{ "check, Mono, good", "test/bank", MAY, "mono_sandbox", NULL, check,
	    NULL, OK },
	{ "check, Mono, a stranger's", "test/bank", 0, "mono_stranger", NULL,
	    check, NULL, MONIME_EHTTP },
	{ "check, on the loop, good", "test/t", MAY, "test", NULL, check_loop,
	    NULL, OK },
	{ "check, on the loop, unwatched", "test/t", MAY, "test", NULL,
	    check_unwatched, NULL, OK },
	{ "check, on the loop, revoked", "test/t", 0, "revoked_test", NULL,
	    check_loop, NULL, NO },
	{ "check, on the loop, a stranger's", "test/t", 0, "stranger_test",
	    NULL, check_loop, NULL, MONIME_EFORBIDDEN },
	{ "check, remembered, good", "test/t", MAY, "test", check_before,
	    check_and_ask, NULL, OK },
	{ "check, remembered, revoked", "test/t", 0, "revoked_test",
	    check_before, check_and_ask, NULL, NO },
	{ "check, remembered, no call", "test/t", 0 | SILENT, "revoked_test",
	    check_before, check_without_call, NULL, NO },
	{ "credential, good", "test/t", MAY, "test", NULL, credential, NULL,
	    OK },
	{ "credential, revoked", "test/revoked", 0, "test", NULL, credential,
	    NULL, NO },
	{ "credential, OAuth 2.0", "test/oauth", MAY, "test", NULL,
	    credential, NULL, OK },
	{ "credential, OAuth 2.0, basic and JSON", "test/basic", MAY, "test",
	    take_basic, credential, NULL, OK },

	{ "request, GET", "test/t", MAY, "test", NULL, get, NULL, OK },
	{ "request, GET, on the loop", "test/t", MAY, "test", NULL, get_loop,
	    NULL, OK },
	{ "request, GET, kept connection", "test/t", MAY, "test",
	    connect_loop, get_loop, NULL, OK },
	{ "request, GET, revoked", "test/revoked", 0, "test", NULL, get,
	    NULL, NO },
	{ "request, POST", "test/t", MAY | COUNTS, "test", NULL, post, NULL,
	    OK },
	{ "request, POST, on the loop", "test/t", MAY | COUNTS, "test", NULL,
	    post_loop, NULL, OK },
	{ "request, POST, after a 503", "test/t", MAY | COUNTS, "test",
	    unavailable, post, NULL, OK },
	{ "request, POST, after a 503, on the loop", "test/t", MAY | COUNTS,
	    "test", unavailable, post_loop, NULL, OK },
	{ "request, POST, a stranger's Space", "test/stranger", COUNTS,
	    "test", NULL, post, NULL, MONIME_EFORBIDDEN },
	{ "request, OAuth 2.0", "test/oauth", MAY, "test", NULL,
	    get_collections, NULL, OK },
	{ "request, OAuth 2.0, on the loop", "test/oauth", MAY, "test", NULL,
	    get_collections_loop, NULL, OK },
	{ "request, OAuth 2.0, refresh", "test/oauth", MAY, "test",
	    revoke_issued,
	    get_collections, NULL, OK },
	{ "authorize", "test/proxy", MAY, "test", NULL, authorize, NULL, OK },
	{ "authorize, on the loop", "test/proxy", MAY, "test", NULL,
	    authorize_loop, NULL, OK },
	{ "authorize, refused upstream", "test/proxy", MAY, "test", NULL,
	    authorize_and_report, NULL, OK },
	{ "webhook, good", "test/hook", MAY | SILENT, "test", NULL, webhook,
	    NULL, OK },
	{ "webhook, forged", "test/hook", SILENT, "test", NULL,
	    webhook_forged, NULL, NO },
	{ "webhook, stale", "test/hook", SILENT, "test", NULL, webhook_stale,
	    NULL, NO },

	{ "cancel a check", "test/t", MAY | SILENT | UNDER_WAY, "test",
	    begin_check, cancel, check_stranger, MONIME_EFORBIDDEN },
	{ "cancel a request", "test/t", MAY | SILENT | UNDER_WAY, "test",
	    begin_get, cancel, get_loop, OK },
	{ "close", "test/t", MAY | SILENT, "test", get_before, close_it,
	    open_and_check, OK },
	{ "close with a check pending", "test/t", MAY | SILENT, "test",
	    begin_check, close_it, open_and_check, OK },
	{ "close with a request pending", "test/t", MAY | SILENT, "test",
	    begin_get, close_it, open_and_check, OK },

	{ "rotation, request", "test/turns", MAY | REWRITES,
	    "test", rewrite, get, NULL, OK },
	{ "rotation, check", "test/turns", MAY | REWRITES,
	    "test", rewrite, check, NULL, OK },
	{ "rotation, check, revoked", "test/turns", REWRITES, "revoked_test",
	    rewrite, check_loop, NULL, NO },
	{ "withdrawal, request", "test/turns", WITHDRAWN | REWRITES,
	    "test", withdraw, get, get_withdrawn, MONIME_EPOLICY },
	{ "removal, request", "test/turns", WITHDRAWN | REWRITES,
	    "test", remove_it, get, get_withdrawn, MONIME_EPOLICY },

	{ "fork, check", "test/t", MAY | INHERITS, "test", NULL, check,
	    NULL, OK },
	{ "fork, check, revoked", "test/t", INHERITS, "revoked_test", NULL,
	    check_loop, NULL, NO },
	{ "fork, request", "test/t", MAY | INHERITS, "test", NULL, get, NULL,
	    OK },
	{ "fork, POST, on the loop", "test/t", MAY | INHERITS | COUNTS,
	    "test", post_before, post_loop, NULL, OK },
};

const size_t scenarios_n = sizeof(scenarios) / sizeof(scenarios[0]);
