/* SPDX-License-Identifier: MIT */

/* monime request: one API request with a profile's credential. */

#define _GNU_SOURCE
#include "cli.h"
#include "facts.h"
#include "input.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "banned.h"

#define HEADERS_MAX	16
#define BODY_MAX	((size_t)64 << 20)	/* as the library's */

struct request {
	const char *profile;
	const char *method;
	const char *path;
	const char *header[HEADERS_MAX + 2];	/* one of ours, and NULL */
	size_t headers;
	const char *data;	/* NULL: no body */
	const char *output;	/* NULL: standard output */
	bool json;
	bool verbose;

	struct mn_text body;
	char key[sizeof("Idempotency-Key: ") + MONIME_KEY_SIZE];
	const char *key_shown;	/* NULL: it carries none */
	FILE *file;
};

/* Where a key is honoured, so that the same bytes may be sent again. */
static const struct {
	const char *provider;
	const char *method;
} keyed[] = {
	{ "monime", "POST" },
	{ "mono", "POST" },
	{ "mono", "PUT" },
	{ "mono", "PATCH" },
};

static bool
takes_key(const struct monime *m, const char *method)
{
	const char *provider = monime_get(m, "provider");
	size_t i;

	for (i = 0; i < sizeof(keyed) / sizeof(keyed[0]); i++) {
		if (provider != NULL &&
		    strcmp(keyed[i].provider, provider) == 0 &&
		    strcmp(keyed[i].method, method) == 0)
			return true;
	}
	return false;
}

static const char *
given_key(const struct request *q)
{
	static const char name[] = "Idempotency-Key:";
	const char *value;
	size_t i;

	for (i = 0; i < q->headers; i++) {
		if (!mn_text_alike(q->header[i], name, sizeof(name) - 1))
			continue;
		value = q->header[i] + sizeof(name) - 1;
		return value + strspn(value, " ");
	}
	return NULL;
}

/* The caller's key, or a new one, where the method may carry one. */
static int
choose_key(struct request *q, const struct monime *m)
{
	static const char name[] = "Idempotency-Key: ";
	size_t n = sizeof(name) - 1;
	int r;

	if (!takes_key(m, q->method))
		return MN_YES;
	q->key_shown = given_key(q);
	if (q->key_shown != NULL)
		return MN_YES;
	memcpy(q->key, name, n);
	r = monime_new_key(q->key + n, sizeof(q->key) - n);
	if (r != MONIME_OK) {
		(void)mn_output_error(q->profile, "%s", monime_strerror(r));
		return (int)mn_outcome_of(r)->status;
	}
	q->header[q->headers++] = q->key;
	q->key_shown = q->key + n;
	return MN_YES;
}

/* Whoever loses the answer finds the key here, so it is told beforehand. */
static int
show_key(const struct request *q)
{
	struct json_object *o;
	bool shown;

	if (q->key_shown == NULL)
		return MN_YES;
	if (q->json) {
		o = mn_output_json_object();
		mn_output_json_string(o, "profile", q->profile);
		mn_output_json_string(o, "method", q->method);
		mn_output_json_string(o, "path", q->path);
		mn_output_json_string(o, "idempotency_key", q->key_shown);
		shown = mn_output_json_print(stderr, o, true);
	} else {
		shown = mn_output_error(q->profile,
		    "%s %s: idempotency key %s", q->method, q->path,
		    q->key_shown);
	}
	return shown ? MN_YES : MN_USAGE;
}

static int
take_body(struct request *q)
{
	size_t n;

	if (q->data == NULL)
		return MN_YES;
	if (q->data[0] == '@')
		return mn_input_file(q->data + 1, &q->body) ? MN_YES :
		    MN_USAGE;
	n = strlen(q->data);
	mn_text_put(&q->body, q->data, n);
	if (!q->body.failed)
		return MN_YES;
	mn_output_errors(q->profile, monime_strerror(MONIME_ENOMEM));
	return MN_UNKNOWN;
}

/* Opened before anything is sent, and emptied when there is an answer. */
static int
open_output(struct request *q)
{
	int fd;

	q->file = stdout;
	if (q->output == NULL)
		return MN_YES;
	fd = open(q->output, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	q->file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (q->file != NULL)
		return MN_YES;
	(void)mn_output_error(NULL, "%s: %m", q->output);
	if (fd >= 0)
		(void)close(fd);
	return MN_USAGE;
}

static bool
write_body(struct request *q, const struct monime_call *call)
{
	const char *name = q->output != NULL ? q->output : "standard output";
	const char *body;
	size_t len;

	body = monime_call_body(call, &len);
	/* A pipe or a device has no length to forget. */
	if (q->output != NULL && ftruncate(fileno(q->file), 0) != 0 &&
	    errno != EINVAL)
		goto failed;
	if (len > 0)
		mn_output_body(q->file, body, len);
	if (mn_output_done(q->file))
		return true;
failed:
	(void)mn_output_error(q->profile, "%s: %m; the request was sent, its "
	    "answer is lost", name);
	return false;
}

static void
print_summary(const struct request *q, int result,
    const struct monime_call *call)
{
	struct mn_text what = MN_TEXT_INIT(8300);
	struct json_object *o;

	if (q->json) {
		o = mn_output_json_object();
		mn_output_json_string(o, "profile", q->profile);
		mn_output_json_string(o, "method", q->method);
		mn_output_json_string(o, "path", q->path);
		mn_facts_json(o, MN_FACTS_REQUEST, result, call);
		mn_output_json_string(o, "error", result == MONIME_OK ? NULL :
		    monime_call_error(call));
		(void)mn_output_json_print(stderr, o, true);
		return;
	}
	if (result == MONIME_OK && !q->verbose)
		return;
	mn_text_add(&what, "%s %s", q->method, q->path);
	mn_facts_summary(q->profile, mn_text_get(&what), result, call);
	mn_text_free(&what);
	if (result == MONIME_ELOST && q->key_shown != NULL)
		(void)mn_output_error(q->profile, "the outcome is unknown: "
		    "send the same bytes again with "
		    "-H 'Idempotency-Key: %s'", q->key_shown);
}

/* An error of the API that says it did nothing is a "no". */
static int
exit_status(int result, const struct monime_call *call)
{
	const char *executed = monime_call_get(call, "executed");

	if (result == MONIME_EHTTP && monime_call_status(call) < 500 &&
	    executed != NULL && strcmp(executed, "no") == 0)
		return MN_NO;
	return (int)mn_outcome_of(result)->status;
}

static int
send_request(struct request *q, struct monime *m)
{
	struct monime_call *call = NULL;
	int result, status;

	mn_output_progress("%s: %s %s", q->profile, q->method, q->path);
	result = monime_request(m, q->method, q->path, q->header,
	    q->data != NULL ? mn_text_get(&q->body) : NULL, q->body.len,
	    &call);
	mn_output_progress_end();
	status = exit_status(result, call);
	if (monime_call_status(call) > 0 && !write_body(q, call))
		status = MN_UNKNOWN;
	print_summary(q, result, call);
	monime_call_free(call);
	return status;
}

static int
perform(const struct mn_cli *cli, struct request *q)
{
	struct monime *m = NULL;
	int r;

	r = mn_outcome_open(cli, q->profile, q->verbose, &m);
	if (r != MONIME_OK) {
		monime_close(m);
		return mn_outcome_open_status(r);
	}
	if ((r = take_body(q)) == MN_YES &&
	    (r = choose_key(q, m)) == MN_YES &&
	    (r = open_output(q)) == MN_YES &&
	    (r = show_key(q)) == MN_YES)
		r = send_request(q, m);
	if (q->file != NULL && q->file != stdout && fclose(q->file) != 0) {
		(void)mn_output_error(NULL, "%s: %m", q->output);
		r = MN_UNKNOWN;
	}
	mn_text_free(&q->body);
	monime_close(m);
	return r;
}

static bool
take_header(struct request *q, const char *line)
{
	if (q->headers < HEADERS_MAX) {
		q->header[q->headers++] = line;
		return true;
	}
	(void)mn_output_error(NULL, "more than %d headers", HEADERS_MAX);
	return false;
}

static int
run(struct mn_cli *cli)
{
	struct request q = { .body = MN_TEXT_INIT(BODY_MAX) };
	int letter;

	while ((letter = mn_options_next(cli)) > 0) {
		switch (letter) {
		case 'H':
			if (!take_header(&q, optarg))
				return MN_USAGE;
			break;
		case 'd':
			q.data = optarg;
			break;
		case 'o':
			q.output = optarg;
			break;
		case MN_OPTION_JSON:
			q.json = true;
			break;
		case 'v':
			q.verbose = true;
			break;
		}
	}
	if (letter < 0)
		return cli->status;
	q.profile = cli->operand[0];
	q.method = cli->operand[1];
	q.path = cli->operand[2];
	return perform(cli, &q);
}

static const struct mn_cli_option options[] = {
	{ 'H', "header", "LINE", "a header, \"Name: value\"; repeatable" },
	{ 'd', "data", "TEXT",
	    "the body; @FILE is a file's, @- standard input" },
	{ 'o', "output", "FILE", "write the answer's body there" },
	{ MN_OPTION_JSON, "json", NULL,
	    "on standard error, JSON objects instead of lines" },
	{ 'v', "verbose", NULL, "tell what happened, also after success" },
	{ 0, NULL, NULL, NULL }
};

const struct mn_cli_command mn_request = {
	.name = "request",
	.operands = "PROFILE METHOD PATH",
	.min = 3,
	.max = 3,
	.summary = "Perform one request with a profile's credential",
	.text =
"The body of the answer goes to standard output.  METHOD is GET, HEAD, POST,\n"
"PUT, PATCH or DELETE; PATH begins with \"/\" and is sent byte for byte.\n"
"Where the provider honours idempotency keys (Monime: POST; Mono: POST, PUT,\n"
"PATCH), the key is printed on standard error before the request is sent.\n"
"Within the provider's window, the same bytes with the same key are safe to\n"
"send again after any failure.\n",
	.examples =
"  monime request test/payouts GET '/v1/financial-accounts?limit=1'\n"
"  monime request test/payouts POST /v1/payouts -d @payout.json\n"
"  monime request test/payouts POST /v1/payouts -d @payout.json \\\n"
"      -H 'Idempotency-Key: 6b1f0b1e-4a8e-4f55-9a2c-0c1b0f7f6f11'\n",
	.options = options,
	.run = run,
};
