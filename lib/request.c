/* SPDX-License-Identifier: MIT */

/* monime_request(): one API request with the profile's own credential. */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

#include "banned.h"

#define TEXT_USUAL	120	/* bytes of what most send but the body */

struct request {
	struct mn_text text;		/* all of these, a NUL behind each: */
	const char *method;
	const char *path;
	const char *ours;		/* header lines, up to */
	const char *theirs;		/* those that the caller gave */
	void *body;
	size_t len;
	bool accept;
	bool content_type;
	bool safe;			/* GET, HEAD */
	bool keyed;			/* with a key that is honoured */
	int attempts;
	int code;			/* of the last one */
	enum mn_executed executed;	/* by the last one */
	bool unknown;			/* an earlier attempt's effect is */
};

static void
request_free(void *p)
{
	struct request *q = p;

	mn_text_free(&q->text);
	mn_secret_wipe(q->body, q->len);
	free(q->body);
	free(q);
}

static void attempt(struct monime_call *call);
static void with_credential(struct monime_call *call);

static void
note_executed(struct monime_call *call, enum mn_executed executed)
{
	static const char *const words[] = {
		[MN_EXECUTED_NO] = "no",
		[MN_EXECUTED_YES] = "yes",
		[MN_EXECUTED_UNKNOWN] = "unknown",
	};

	mn_call_fact_word(call, "executed", words[executed]);
}

static void
note_attempts(struct monime_call *call, int n)
{
	static const char *const few[] = { "0", "1", "2", "3" };

	if ((size_t)n < sizeof(few) / sizeof(few[0]))
		mn_call_fact_word(call, "attempts", few[n]);
	else
		mn_call_fact(call, "attempts", "%d", n);
}

/*
 * All attempts together, wherever the call ends: it may be for want of a new
 * token, or of the confirmation that a new credential needs.
 */
static int
settle(struct monime_call *call, int code)
{
	struct request *q = call->verb;

	if (q->unknown && q->executed == MN_EXECUTED_NO)
		q->executed = MN_EXECUTED_UNKNOWN;
	note_executed(call, q->executed);
	/* monime.h: these two hold for every attempt that a call made. */
	if (q->unknown && (code == MONIME_ENET || code == MONIME_ELIMIT))
		code = mn_error_add(&call->error, MONIME_ELOST,
		    "%s: the outcome of an earlier attempt is unknown",
		    call->edition->profile->name);
	return code;
}

static void
give_up(struct monime_call *call)
{
	(void)mn_call_end(call, MONIME_EDENIED);
}

static void
answered(struct monime_call *call)
{
	struct request *q = call->verb;
	int64_t delay;
	int code;

	if (call->transfer.resent)
		q->unknown = true;
	code = q->code = mn_call_outcome(call);
	q->executed = mn_retry_executed(code, call->status, q->keyed);
	if (code == MONIME_OK) {
		mn_credential_accepted(call->credential);
	} else if (code == MONIME_EDENIED) {
		mn_call_refused(call, false, with_credential, give_up);
		return;
	}
	delay = q->safe || q->keyed ?
	    mn_call_again(call, code, q->attempts) : -1;
	if (delay < 0) {
		(void)mn_call_end(call, code);
		return;
	}
	if (q->executed != MN_EXECUTED_NO)
		q->unknown = true;
	mn_log_write(&call->m->log, LOG_INFO,
	    "%s: %s: attempt %d: %s; once more in %lld ms",
	    call->edition->profile->name, q->method, q->attempts,
	    mn_error_get(&call->error), (long long)delay);
	mn_call_sleep(call, delay, attempt);
}

/* Strings that stand one behind the other. */
static size_t
add_lines(struct mn_transfer *t, size_t n, const char *line, const char *end)
{
	for (; line < end; line += strlen(line) + 1)
		t->line[n++] = line;
	return n;
}

/* The header lines, the credential's first. */
static void
fill(struct monime_call *call)
{
	struct request *q = call->verb;
	struct mn_transfer *t = &call->transfer;
	const char *end = mn_text_get(&q->text) + q->text.len;
	size_t n = 0;

	t->line[n++] = mn_secret_get(call->credential->header);
	n = add_lines(t, n, q->ours, q->theirs);
	if (!q->accept)
		t->line[n++] = "Accept: application/json";
	/* libcurl would name a form, and wait for a 100. */
	if (!q->content_type && !q->safe)
		t->line[n++] = q->body != NULL ?
		    "Content-Type: application/json" : "Content-Type:";
	if (q->body != NULL)
		t->line[n++] = "Expect:";
	t->lines = add_lines(t, n, q->theirs, end);
}

static void
attempt(struct monime_call *call)
{
	struct request *q = call->verb;
	struct mn_transfer *t = &call->transfer;

	if (call->expired) {
		/* What was is what is: this attempt is not made. */
		(void)mn_call_finish(call, q->code,
		    "%s: the time limit has passed",
		    call->edition->profile->name);
		return;
	}
	q->attempts++;
	note_attempts(call, q->attempts);
	t->url = NULL;
	t->method = q->method;
	t->target = q->path;
	t->body = q->body;
	t->len = q->len;
	t->max_answer = (size_t)call->edition->profile->max_answer;
	t->connect_timeout = call->edition->profile->connect_timeout;
	/* libcurl sends again by itself when a kept connection dies. */
	t->fresh = call->fresh || (!q->safe && !q->keyed);
	fill(call);
	mn_call_send(call, MN_LANE_OWN, answered);
}

/* Also where a better credential has come after a 401. */
static void
with_credential(struct monime_call *call)
{
	struct request *q = call->verb;

	if (q->safe)
		attempt(call);
	else
		mn_call_confirm(call, attempt);
}

static void
begin(struct monime_call *call)
{
	mn_retry_refill(&call->m->bucket);
	if (!mn_call_clock(call, call->edition->profile->timeout))
		return;
	mn_call_credential(call, false, with_credential);
}

static void
put_line(struct mn_text *t, const char *name, const char *value)
{
	mn_text_put(t, name, strlen(name));
	mn_text_put(t, ": ", 2);
	mn_text_put_string(t, value);
}

static void
put_ours(struct mn_text *t, const struct mn_edition *m,
    const struct mn_guarded *g)
{
	const struct mn_profile *p = m->profile;

	if (p->space != NULL && !g->space)
		put_line(t, m->provider->space_header, p->space);
	if (p->version != NULL && !g->version)
		put_line(t, m->provider->version_header, p->version);
	if (g->key != NULL)
		put_line(t, m->provider->key_header, g->key);
}

static void
put_theirs(struct mn_text *t, const char *const *headers)
{
	size_t i;

	for (i = 0; headers != NULL && headers[i] != NULL; i++) {
		/* Its value is sent under the provider's own name. */
		if (!mn_text_alike(headers[i], "Idempotency-Key:", 16))
			mn_text_put_string(t, headers[i]);
	}
}

/* Copies of what the caller gave, and the lines that are ours to add. */
static bool
copy(struct request *q, const struct mn_edition *m, const char *method,
    const char *path, const char *const *headers, const void *body,
    size_t len, const struct mn_guarded *g)
{
	struct mn_text *t = &q->text;
	size_t theirs;

	q->safe = (g->method & MN_SAFE_METHODS) != 0;
	q->accept = g->accept;
	q->content_type = g->content_type;
	q->keyed = g->key != NULL;
	if (body != NULL) {
		q->body = malloc(len > 0 ? len : 1);
		if (q->body != NULL && len > 0)
			memcpy(q->body, body, len);
		q->len = len;
	}
	t->max = SIZE_MAX / 2;	/* the guard has set narrower limits */
	mn_text_expect(t, TEXT_USUAL);
	mn_text_put_string(t, method);
	mn_text_put_string(t, path);
	put_ours(t, m, g);
	theirs = t->len;
	put_theirs(t, headers);
	if (t->failed)
		return false;
	/* It stays where it is from here on. */
	q->method = mn_text_get(t);
	q->path = q->method + strlen(method) + 1;
	q->ours = q->path + strlen(path) + 1;
	q->theirs = q->method + theirs;
	return body == NULL || q->body != NULL;
}

/* Everything up to the first byte that is sent; a result, or EPENDING. */
static int
prepare(struct monime_call *call, const char *method, const char *path,
    const char *const *headers, const void *body, size_t len, bool told)
{
	const struct mn_edition *m = call->edition;
	char fresh[MONIME_KEY_SIZE];
	struct mn_guarded g;
	struct request *q;
	int r;

	mn_call_fact_word(call, "source", "local");
	mn_call_fact_word(call, "environment",
	    mn_profile_environment(m->profile->environment));
	note_attempts(call, 0);
	note_executed(call, MN_EXECUTED_NO);
	r = mn_guard_request(m->profile, m->provider, method, path, headers,
	    body != NULL, len, &g, &call->error);
	if (r != MONIME_OK)
		return mn_call_end(call, r);
	if (g.key == NULL && (g.method & m->provider->key_methods)) {
		if (!told)
			return mn_call_finish(call, MONIME_EINVAL,
			    "this write carries an idempotency key that you "
			    "need to know: pass call, or your own key");
		if ((r = monime_new_key(fresh, sizeof(fresh))) != MONIME_OK)
			return mn_call_finish(call, r, "no random bytes");
		g.key = fresh;
	}
	if (g.key != NULL)
		mn_call_fact_copy(call, "idempotency-key", g.key);
	q = call->verb = calloc(1, sizeof(*q));
	if (q == NULL)
		return mn_call_end(call, MONIME_ENOMEM);
	call->verb_free = request_free;
	call->verb_settle = settle;
	q->code = MONIME_ENET;		/* until something is sent */
	q->executed = MN_EXECUTED_NO;
	if (!copy(q, m, method, path, headers, body, len, &g))
		return mn_call_end(call, MONIME_ENOMEM);
	return MONIME_EPENDING;
}

int
monime_request(struct monime *m, const char *method, const char *path,
    const char *const *headers, const void *body, size_t len,
    struct monime_call **out)
{
	struct monime_call *call;

	if (out != NULL)
		*out = NULL;
	call = mn_call_new_for(m, MN_VERB_REQUEST, NULL);
	if (call != NULL && call->result == MONIME_EPENDING)
		(void)prepare(call, method, path, headers, body, len,
		    out != NULL);
	return mn_call_block(call, begin, out);
}

int
monime_request_start(struct monime *m, const char *method, const char *path,
    const char *const *headers, const void *body, size_t len, void *data,
    struct monime_call **out)
{
	struct monime_call *call =
	    mn_call_new_for(m, MN_VERB_REQUEST, data);

	if (call != NULL && call->result == MONIME_EPENDING)
		(void)prepare(call, method, path, headers, body, len, true);
	return mn_events_start(call, begin, out);
}
