/* SPDX-License-Identifier: MIT */

/*
 * A program as users have it, which calls every function of the ABI.  It is
 * compiled with the header of the last release and runs with the library of
 * this one: see packaging/abi/check.
 *
 *	program FOLDER ORIGIN SIGNATURE BODY <TOKEN
 *
 * The profile test/abi of the folder may GET /v1/financial-accounts.  What is
 * not as it was is told, and the exit status is 1.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <monime.h>

#define PATH	"/v1/financial-accounts"

static int wrong;
static int lines;

static void
need(int true, const char *what)
{
	if (true)
		return;
	fprintf(stderr, "program: not so: %s\n", what);
	wrong = 1;
}

static void
count(void *data, int level, const char *line)
{
	need(data == &lines && level >= 0 && line != NULL, "a log line");
	lines++;
}

static void
plain(void)
{
	char key[MONIME_KEY_SIZE], print[MONIME_FINGERPRINT_SIZE];
	const char header[] = "Bearer mon_test_x";
	const char *token;
	size_t len;

	need(monime_version()[0] != '\0', "a version");
	need(monime_strerror(MONIME_EDENIED)[0] != '\0', "words for a code");
	need(monime_http_status(MONIME_EDENIED) == 401, "denied is 401");
	need(monime_http_status(MONIME_OK) == 200, "OK is 200");
	token = monime_bearer(header, sizeof(header) - 1, &len);
	need(token == header + 7 && len == 10, "a bearer's token");
	need(monime_new_key(key, sizeof(key)) == MONIME_OK &&
	    strlen(key) == sizeof(key) - 1, "a key");
	need(monime_fingerprint(token, len, print, sizeof(print)) == MONIME_OK
	    && strlen(print) == sizeof(print) - 1, "a fingerprint");
}

static void
blocking(struct monime *m, const char *token, const char *url)
{
	const char *const headers[] = { "X-Request-Id: abi", NULL };
	const char *name, *value = NULL;
	struct monime_call *call = NULL;
	size_t len, i;

	need(monime_check_token(m, token, strlen(token), &call) == MONIME_OK,
	    "the token is accepted");
	need(monime_call_get(call, "environment") != NULL &&
	    strcmp(monime_call_get(call, "environment"), "test") == 0,
	    "its environment");
	monime_call_free(call);
	need(monime_check_token(m, "mon_x", 5, NULL) == MONIME_EENVIRONMENT,
	    "a live token is refused");
	need(monime_check_credential(m, &call) == MONIME_OK,
	    "the credential is accepted");
	monime_call_free(call);

	need(monime_request(m, "GET", PATH, headers, NULL, 0, &call) ==
	    MONIME_OK, "a request");
	need(monime_call_result(call) == MONIME_OK &&
	    monime_call_status(call) == 200, "its status");
	need(monime_call_body(call, &len)[0] == '{' && len > 1, "its body");
	need(monime_call_header(call, "content-type") != NULL, "a header");
	need(monime_call_error(call)[0] == '\0', "no error");
	monime_call_free(call);
	need(monime_request(m, "GET", "/v1/../x", NULL, NULL, 0, &call) ==
	    MONIME_EINVAL, "a path that two may read differently");
	need(monime_call_error(call)[0] != '\0', "an error's words");
	monime_call_free(call);

	need(monime_authorize(m, "GET", url, &call) == MONIME_OK,
	    "a request of others");
	for (i = 0; (name = monime_call_header_at(call, i, &value)) != NULL;
	    i++)
		need(value != NULL && value[0] != '\0', name);
	need(i >= 2, "its headers");
	monime_call_report(call, 200);
	monime_call_free(call);
}

/* Until the call that was begun has come back. */
static void
turn(struct monime *m, int r, struct monime_call *call, int *data)
{
	struct pollfd p = { .fd = monime_fd(m), .events = POLLIN };
	struct monime_call *done = NULL;

	need(p.fd >= 0, "a descriptor");
	if (r == MONIME_EPENDING) {
		while ((done = monime_next(m)) == NULL &&
		    poll(&p, 1, 20000) == 1)
			continue;
		need(done == call, "the call comes back");
	}
	need(monime_call_result(call) == MONIME_OK &&
	    monime_call_data(call) == data, "the call of a loop");
	monime_call_free(call);
}

static void
events(struct monime *m, const char *token, const char *url)
{
	struct monime_call *call = NULL;
	int data, r;

	r = monime_check_token_start(m, token, strlen(token), &data, &call);
	turn(m, r, call, &data);
	r = monime_request_start(m, "GET", PATH, NULL, NULL, 0, &data, &call);
	turn(m, r, call, &data);
	r = monime_authorize_start(m, "GET", url, &data, &call);
	turn(m, r, call, &data);
}

int
main(int argc, char **argv)
{
	static char page[65536];
	char token[256], url[256];
	struct monime *m;

	if (argc != 5 || fgets(token, sizeof(token), stdin) == NULL)
		return 2;
	token[strcspn(token, "\n")] = '\0';
	(void)snprintf(url, sizeof(url), "%s" PATH, argv[2]);
	plain();

	need(monime_open("test/none", argv[1], &m) == MONIME_ECONFIG,
	    "a profile that is not there");
	need(monime_error(m)[0] != '\0', "why");
	monime_close(m);

	if (monime_open("test/abi", argv[1], &m) != MONIME_OK) {
		fprintf(stderr, "program: %s\n", monime_error(m));
		return 1;
	}
	monime_set_log(m, 7, count, &lines);
	need(strcmp(monime_get(m, "profile"), "test/abi") == 0, "its name");
	blocking(m, token, url);
	events(m, token, url);
	need(monime_verify_webhook(m, argv[3], strlen(argv[3]), argv[4],
	    strlen(argv[4])) == MONIME_OK, "a signature");
	need(monime_metrics(&m, 1, "openmetrics", page, sizeof(page)) <
	    sizeof(page) && strstr(page, "# EOF") != NULL, "metrics");
	need(lines > 0, "log lines");
	monime_set_log(m, 0, NULL, NULL);
	monime_close(m);
	return wrong;
}
