/* SPDX-License-Identifier: MIT */

/* Access tokens by OAuth 2.0.  See oauth2.h. */

#define _GNU_SOURCE
#include "oauth2.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "text.h"

#include "banned.h"

#define DEFAULT_PATH	"/api/v1/oauth/token"

struct mn_oauth2 {
	const struct mn_profile *profile;
	char *origin;			/* of the token endpoint */
	const char *path;		/* in url */
	char *url;

	pthread_mutex_t lock;		/* of all below */
	struct mn_credential *current;
	int64_t soft;			/* from then on a new one is wanted */
	int64_t hard;			/* from then on it is no good */
	char scope[MN_ANSWER_MESSAGE + 1];
	struct monime_call *fetcher;	/* whom all wait for; NULL: nobody */
	bool hosted;			/* it is on an event loop */
	struct monime_call *waiting;
	int64_t refused_until;		/* nobody is asked before */
	int refused_code;
	char refused_text[MN_OAUTH2_TEXT];
	int64_t early_at;		/* no early refresh before */
	int refusals;			/* tokens in a row, none of any use */
};

struct mn_oauth2 *
mn_oauth2_new(const struct mn_profile *p, const char *origin)
{
	const size_t scheme = sizeof("https://") - 1;
	struct mn_oauth2 *o;
	int len;

	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->profile = p;
	(void)pthread_mutex_init(&o->lock, NULL);
	len = p->oauth2.token_url != NULL ?
	    asprintf(&o->url, "%s", p->oauth2.token_url) :
	    asprintf(&o->url, "%s" DEFAULT_PATH, origin);
	if (len < 0) {
		o->url = NULL;
		mn_oauth2_free(o);
		return NULL;
	}
	/* profile.c has seen to the form: https://host[:port]/path. */
	o->path = o->url + scheme + strcspn(o->url + scheme, "/");
	o->origin = strndup(o->url, (size_t)(o->path - o->url));
	if (o->origin == NULL) {
		mn_oauth2_free(o);
		return NULL;
	}
	return o;
}

void
mn_oauth2_free(struct mn_oauth2 *o)
{
	if (o == NULL)
		return;
	mn_credential_free(o->current);
	(void)pthread_mutex_destroy(&o->lock);
	free(o->origin);
	free(o->url);
	free(o);
}

/* All but the secrets, and how they are sent. */
static bool
same_request(const struct mn_oauth2 *a, const struct mn_oauth2 *b)
{
	const struct mn_profile *p = a->profile, *q = b->profile;
	size_t i;

	if (!mn_text_same(a->url, b->url) ||
	    !mn_text_same(p->oauth2.grant, q->oauth2.grant) ||
	    !mn_text_same(p->oauth2.client_id, q->oauth2.client_id) ||
	    !mn_text_same(p->oauth2.username, q->oauth2.username) ||
	    !mn_text_same(p->oauth2.scope, q->oauth2.scope) ||
	    !mn_text_same(p->oauth2.audience, q->oauth2.audience) ||
	    p->oauth2.extra.n != q->oauth2.extra.n)
		return false;
	for (i = 0; i < p->oauth2.extra.n; i++) {
		if (!mn_text_same(p->oauth2.extra.item[i],
		    q->oauth2.extra.item[i]))
			return false;
	}
	return true;
}

void
mn_oauth2_succeed(struct mn_oauth2 *o, struct mn_oauth2 *former)
{
	if (!same_request(o, former))
		return;
	(void)pthread_mutex_lock(&former->lock);
	if (former->current != NULL) {
		o->current = mn_credential_keep(former->current);
		o->hard = former->hard;
		o->soft = 0;	/* see soon what the new secret is good for */
		memcpy(o->scope, former->scope, sizeof(o->scope));
	}
	(void)pthread_mutex_unlock(&former->lock);
}

/* Why there is none, for a while.  Locked. */
static void
remember(struct mn_oauth2 *o, int code, const char *text, int64_t until)
{
	o->refused_until = until;
	o->refused_code = code;
	(void)snprintf(o->refused_text, sizeof(o->refused_text), "%s", text);
}

void
mn_oauth2_drop(struct mn_oauth2 *o, const struct mn_credential *c)
{
	struct mn_credential *old = NULL;

	(void)pthread_mutex_lock(&o->lock);
	/* Of N threads with the same token the first one drops it. */
	if (o->current == c) {
		old = o->current;
		o->current = NULL;
		o->refusals = mn_credential_proved(c) ? 1 : o->refusals + 1;
		if (o->refusals >= MN_BENCH_REFUSALS)
			remember(o, MONIME_EDENIED, "the API refuses every "
			    "access token", mn_loop_time() + MN_BENCH);
	}
	(void)pthread_mutex_unlock(&o->lock);
	mn_credential_free(old);
}

void
mn_oauth2_forget(struct mn_oauth2 *o)
{
	o->fetcher = NULL;
	o->waiting = NULL;
}

/* What waits is on a list of the source and on one of its own loop. */
static void
list_add(struct mn_oauth2 *o, struct monime_call *call)
{
	call->fetch.next_waiting = o->waiting;
	o->waiting = call;
	call->fetch.waiting = true;
}

static void
list_remove(struct mn_oauth2 *o, struct monime_call *call)
{
	struct monime_call **link;

	for (link = &o->waiting; *link != NULL;
	    link = &(*link)->fetch.next_waiting) {
		if (*link == call) {
			*link = call->fetch.next_waiting;
			break;
		}
	}
	call->fetch.waiting = false;
}

/*
 * The fetch is over: with a token, with an error, or (MONIME_EPENDING) with
 * what concerns nobody but the one who fetched.  Tell all who wait.  Locked.
 */
static void
tell(struct mn_oauth2 *o, const struct monime_call *by, int code,
    const char *text, struct mn_credential *token)
{
	struct monime_call *call;

	if (o->fetcher == by)
		o->fetcher = NULL;
	else if (token == NULL)
		return;		/* who took over goes on, for all who wait */
	while ((call = o->waiting) != NULL) {
		o->waiting = call->fetch.next_waiting;
		call->fetch.waiting = false;
		call->fetch.told = code;
		free(call->fetch.told_text);
		call->fetch.told_text = strdup(text);
		if (token != NULL) {
			mn_credential_free(call->credential);
			call->credential = mn_credential_keep(token);
		}
		mn_waiter_signal(&call->fetch.waiter);
	}
}

static void
proceed(struct monime_call *call)
{
	struct mn_oauth2 *o = call->edition->oauth2;
	int64_t left;
	char scope[sizeof(o->scope)];

	(void)pthread_mutex_lock(&o->lock);
	left = o->current == call->credential ?
	    o->hard - mn_loop_now(call->loop) : 0;
	memcpy(scope, o->scope, sizeof(scope));
	(void)pthread_mutex_unlock(&o->lock);
	if (left > 0)
		mn_call_fact(call, "token-expires-in", "%lld",
		    (long long)(left / 1000));
	if (scope[0] != '\0')
		mn_call_fact(call, "token-scope", "%s", scope);
	call->fetch.next(call);
}

static void get(struct monime_call *call);

/* Woken by whoever fetched. */
static void
on_told(void *arg)
{
	struct monime_call *call = arg;
	struct mn_oauth2 *o = call->edition->oauth2;

	/* Whoever signaled holds this until it is done with the waiter. */
	(void)pthread_mutex_lock(&o->lock);
	(void)pthread_mutex_unlock(&o->lock);
	switch (call->fetch.told) {
	case MONIME_OK:
		proceed(call);
		break;
	case MONIME_EPENDING:
		get(call);
		break;
	default:
		(void)mn_call_finish(call, call->fetch.told, "%s",
		    call->fetch.told_text != NULL ? call->fetch.told_text :
		    monime_strerror(call->fetch.told));
	}
}

/* The deadline came first. */
static void
on_late(struct monime_call *call)
{
	struct mn_oauth2 *o = call->edition->oauth2;

	(void)pthread_mutex_lock(&o->lock);
	list_remove(o, call);
	mn_waiter_leave(&call->fetch.waiter);
	(void)pthread_mutex_unlock(&o->lock);
	(void)mn_call_finish(call, MONIME_ENET,
	    "%s: no access token within the time limit; nothing was sent",
	    call->edition->profile->name);
}

void
mn_oauth2_leave(struct monime_call *call)
{
	struct mn_oauth2 *o = call->edition->oauth2;

	(void)pthread_mutex_lock(&o->lock);
	if (call->fetch.waiting)
		list_remove(o, call);
	mn_waiter_leave(&call->fetch.waiter);
	if (call->fetch.ours)
		tell(o, call, MONIME_EPENDING, "", NULL);
	call->fetch.ours = false;
	(void)pthread_mutex_unlock(&o->lock);
}

/* lasting: milliseconds that it need not be asked again. */
static void
fail(struct monime_call *call, int code, int64_t lasting, const char *text)
{
	struct mn_oauth2 *o = call->edition->oauth2;
	int64_t now = mn_loop_now(call->loop);
	bool usable;

	mn_metrics_count(call->m, MN_COUNT_TOKEN_FETCHES, code, 0);
	(void)pthread_mutex_lock(&o->lock);
	usable = o->current != NULL && now < o->hard;
	o->early_at = now + MN_OAUTH2_EARLY_RETRY;
	if (lasting > 0)
		remember(o, code, text, now + lasting);
	if (usable && call->fetch.early) {
		mn_credential_free(call->credential);
		call->credential = mn_credential_keep(o->current);
	}
	/* Others may have more time, or more need. */
	tell(o, call, call->expired || call->fetch.early ?
	    MONIME_EPENDING : code, text, NULL);
	call->fetch.ours = false;
	(void)pthread_mutex_unlock(&o->lock);
	if (usable && call->fetch.early) {
		mn_log_write(&call->m->log, LOG_WARNING,
		    "%s: %s; the old access token is still good",
		    call->edition->profile->name, text);
		proceed(call);
		return;
	}
	(void)mn_call_finish(call, code, "%s", text);
}

static int64_t
lifetime(const struct mn_oauth2 *o, int64_t told)
{
	if (told <= 0)
		return o->profile->oauth2.default_lifetime;
	if (told > MN_OAUTH2_LIFETIME_MAX)
		told = MN_OAUTH2_LIFETIME_MAX;
	return told * 1000;
}

static int64_t
margin(const struct mn_oauth2 *o, int64_t life)
{
	int64_t most = life / MN_OAUTH2_MARGIN_PART;

	/* One that leaves nothing would ask anew for every request. */
	if (o->profile->oauth2.margin >= 0)
		return o->profile->oauth2.margin < life / 2 ?
		    o->profile->oauth2.margin : life / 2;
	return most < MN_OAUTH2_MARGIN_MAX ? most : MN_OAUTH2_MARGIN_MAX;
}

static void
succeed(struct monime_call *call, struct mn_answer_token *answer)
{
	struct mn_oauth2 *o = call->edition->oauth2;
	struct mn_credential *token, *old;
	int64_t life = lifetime(o, answer->lifetime);

	token = mn_credential_new(answer->token);
	if (token == NULL) {
		fail(call, MONIME_ENOMEM, 0, "out of memory");
		return;
	}
	(void)pthread_mutex_lock(&o->lock);
	old = o->current;
	o->current = token;
	o->hard = call->fetch.began + life;
	o->soft = o->hard - margin(o, life);
	o->refused_until = 0;
	memcpy(o->scope, answer->scope, sizeof(o->scope));
	mn_credential_free(call->credential);
	call->credential = mn_credential_keep(token);
	tell(o, call, MONIME_OK, "", token);
	call->fetch.ours = false;
	(void)pthread_mutex_unlock(&o->lock);
	mn_credential_free(old);
	mn_metrics_count(call->m, MN_COUNT_TOKEN_FETCHES, MONIME_OK, 0);
	mn_log_write(&call->m->log, LOG_INFO,
	    "%s: a new access token, %s, for %lld s",
	    call->edition->profile->name, token->fingerprint,
	    (long long)(life / 1000));
	proceed(call);
}

/*
 * What an answer without a token means to the request that wanted one.  A
 * refusal, in RFC 6749's words or the API's own, lasts: asking again with the
 * same will not help.
 */
static int
judge(struct monime_call *call, int64_t *lasting, char *text, size_t size)
{
	const struct mn_transfer *t = &call->transfer;
	const struct mn_oauth2 *o = call->edition->oauth2;
	struct mn_answer_error error = { .reason = "" };
	int code;

	*lasting = 0;
	if (t->wire != MN_WIRE_ANSWER) {
		(void)snprintf(text, size, "%s: %s", o->url, t->problem);
		return t->wire == MN_WIRE_NOMEM ? MONIME_ENOMEM : MONIME_ENET;
	}
	code = mn_retry_code(t->status);
	mn_answer_error(mn_text_get(&t->content), t->content.len, &error);
	(void)snprintf(text, size, "%s: HTTP status %d%s%s; no access token",
	    o->url, t->status, error.reason[0] != '\0' ? ", reason " : "",
	    error.reason);
	if (code == MONIME_ELIMIT || code == MONIME_EPROTO)
		return code;
	if (t->status >= 500 || t->status == 408)
		return MONIME_ENET;
	*lasting = MN_OAUTH2_REMEMBERED;
	return MONIME_EDENIED;
}

/* The milliseconds for which a 429 asks; at most what is remembered. */
static int64_t
patience(int64_t seconds)
{
	if (seconds < 0)
		return 0;
	return seconds < MN_OAUTH2_REMEMBERED / 1000 ?
	    seconds * 1000 : MN_OAUTH2_REMEMBERED;
}

static void fetch(struct monime_call *call);

static void
on_fetched(struct monime_call *call)
{
	const struct mn_transfer *t = &call->transfer;
	struct mn_answer_token answer;
	char text[MN_OAUTH2_TEXT];
	const char *why = NULL, *after;
	int64_t delay, wanted = -1, lasting = 0;
	int code;

	mn_call_stop(call, "no answer in good time");
	mn_text_free(&call->fetch.body);
	if (t->wire == MN_WIRE_ANSWER &&
	    mn_retry_code(t->status) == MONIME_OK) {
		if (mn_answer_token(mn_text_get(&t->content),
		    t->content.len, &answer, &why)) {
			mn_transfer_reset(&call->transfer);
			succeed(call, &answer);
			mn_secret_free(answer.token);
			return;
		}
		code = MONIME_EPROTO;
		(void)snprintf(text, sizeof(text), "%s: %s",
		    call->edition->oauth2->url, why);
	} else {
		code = judge(call, &lasting, text, sizeof(text));
	}
	after = mn_transfer_header(&t->head, "Retry-After");
	if (after != NULL)
		wanted = mn_retry_after(after, mn_transfer_date(after));
	call->retry_after = wanted;
	/* With an old token in hand nobody has to wait for the new one. */
	delay = call->fetch.early ||
	    (code != MONIME_ENET && code != MONIME_ELIMIT) ? -1 :
	    mn_call_again(call, code, ++call->fetch.tries);
	mn_transfer_reset(&call->transfer);
	if (delay >= 0) {
		mn_call_sleep(call, delay, fetch);
		return;
	}
	if (wanted >= 0)
		mn_call_fact(call, "retry-after", "%lld", (long long)wanted);
	if (code == MONIME_ELIMIT)
		lasting = patience(wanted);
	fail(call, code, lasting, text);
}

/* The parameters of the grant, in the order that RFC 6749 has them. */
static size_t
parameters(const struct mn_oauth2 *o, struct mn_parameter *q, char **names)
{
	const struct mn_profile *p = o->profile;
	bool post = p->oauth2.auth == NULL ||
	    strcmp(p->oauth2.auth, "post") == 0;
	size_t n = 0, i, len;

	q[n++] = (struct mn_parameter){ "grant_type", p->oauth2.grant != NULL ?
	    p->oauth2.grant : "client_credentials" };
	if (post && p->oauth2.client_id != NULL)
		q[n++] = (struct mn_parameter){ "client_id",
		    p->oauth2.client_id };
	if (post && p->oauth2.client_secret != NULL)
		q[n++] = (struct mn_parameter){ "client_secret",
		    mn_secret_get(p->oauth2.client_secret) };
	if (p->oauth2.username != NULL)
		q[n++] = (struct mn_parameter){ "username",
		    p->oauth2.username };
	if (p->oauth2.password != NULL)
		q[n++] = (struct mn_parameter){ "password",
		    mn_secret_get(p->oauth2.password) };
	if (p->oauth2.scope != NULL)
		q[n++] = (struct mn_parameter){ "scope", p->oauth2.scope };
	if (p->oauth2.audience != NULL)
		q[n++] = (struct mn_parameter){ "audience",
		    p->oauth2.audience };
	for (i = 0; i < p->oauth2.extra.n && n < MN_OAUTH2_PARAMETERS; i++) {
		len = strcspn(p->oauth2.extra.item[i], "=");
		names[i] = strndup(p->oauth2.extra.item[i], len);
		if (names[i] == NULL)
			return 0;
		q[n++] = (struct mn_parameter){ names[i],
		    p->oauth2.extra.item[i] + len + 1 };
	}
	return n;
}

static bool
write_body(struct monime_call *call)
{
	const struct mn_oauth2 *o = call->edition->oauth2;
	struct mn_parameter q[MN_OAUTH2_PARAMETERS];
	char *names[MN_OAUTH2_PARAMETERS] = { NULL };
	struct mn_text *body = &call->fetch.body;
	size_t n = parameters(o, q, names), i;
	bool json = o->profile->oauth2.body != NULL &&
	    strcmp(o->profile->oauth2.body, "json") == 0;

	mn_text_free(body);
	body->max = MN_OAUTH2_ANSWER_MAX;
	if (n > 0 && json)
		body->failed = !mn_answer_object(q, n, body);
	for (i = 0; !json && i < n; i++) {
		mn_text_put(body, "&", i > 0);
		mn_transfer_escape(body, q[i].name, strlen(q[i].name));
		mn_text_put(body, "=", 1);
		mn_transfer_escape(body, q[i].value, strlen(q[i].value));
	}
	for (i = 0; i < MN_OAUTH2_PARAMETERS; i++)
		free(names[i]);
	call->transfer.line[0] = json ? "Content-Type: application/json" :
	    "Content-Type: application/x-www-form-urlencoded";
	return n > 0 && !body->failed;
}

/* RFC 6749 2.3.1: both are form-encoded before they are put together. */
static bool
write_basic(struct monime_call *call)
{
	const struct mn_profile *p = call->edition->profile;
	struct mn_text pair = MN_TEXT_INIT(MN_OAUTH2_ANSWER_MAX);
	struct mn_secret *raw, *encoded = NULL;
	struct mn_text *line = &call->fetch.line;

	mn_text_free(line);
	line->max = MN_OAUTH2_ANSWER_MAX;
	mn_transfer_escape(&pair, p->oauth2.client_id,
	    strlen(p->oauth2.client_id));
	mn_text_put(&pair, ":", 1);
	mn_transfer_escape(&pair, mn_secret_get(p->oauth2.client_secret),
	    mn_secret_len(p->oauth2.client_secret));
	raw = pair.failed ? NULL : mn_secret_copy(MN_SECRET_GUARDED, pair.s,
	    pair.len);
	if (raw != NULL)
		encoded = mn_secret_to_base64(raw);
	if (encoded != NULL)
		mn_text_add(line, "Authorization: Basic %s",
		    mn_secret_get(encoded));
	mn_secret_free(raw);
	mn_secret_free(encoded);
	mn_text_free(&pair);
	return line->len > 0 && !line->failed;
}

/* How long a request waits for what it can do without. */
static int64_t
early_limit(const struct monime_call *call, int64_t now)
{
	int64_t half = (call->deadline.at - now) / 2;
	int64_t connect = call->edition->profile->connect_timeout;

	return half < connect ? half : connect;
}

/* POST to the token endpoint. */
static void
fetch(struct monime_call *call)
{
	const struct mn_profile *p = call->edition->profile;
	struct mn_transfer *t = &call->transfer;
	struct mn_oauth2 *o = call->edition->oauth2;
	bool basic = p->oauth2.auth != NULL &&
	    strcmp(p->oauth2.auth, "basic") == 0;

	if (call->expired) {
		fail(call, MONIME_ENET, 0,
		    "no access token within the time limit");
		return;
	}
	if (!write_body(call) || (basic && !write_basic(call))) {
		fail(call, MONIME_ENOMEM, 0, "out of memory");
		return;
	}
	t->lines = 1;
	t->line[t->lines++] = "Accept: application/json";
	t->line[t->lines++] = "Expect:";
	if (basic)
		t->line[t->lines++] = mn_text_get(&call->fetch.line);
	t->url = o->origin;
	t->method = "POST";
	t->target = o->path;
	t->body = mn_text_get(&call->fetch.body);
	t->len = call->fetch.body.len;
	t->max_answer = MN_OAUTH2_ANSWER_MAX;
	t->connect_timeout = p->connect_timeout;
	t->fresh = false;
	call->fetch.began = mn_loop_now(call->loop);
	mn_call_send(call, MN_LANE_OWN, on_fetched);
	/* Memory is short: then the call's own limit is all there is. */
	if (call->fetch.early)
		(void)mn_loop_set(call->loop, &call->pause,
		    call->fetch.began + early_limit(call, call->fetch.began));
}

/* One of: a token in hand, a remembered refusal, a wait, our own fetch. */
static void
get(struct monime_call *call)
{
	struct mn_oauth2 *o = call->edition->oauth2;
	int64_t now = mn_loop_now(call->loop), left;
	const bool hosted = call->event.link != NULL;
	char text[MN_OAUTH2_TEXT];
	bool good, late, refused;

	(void)pthread_mutex_lock(&o->lock);
	good = o->current != NULL && now < o->hard && !call->fetch.forced;
	refused = now < o->refused_until && !call->fetch.forced;
	late = good && now >= o->soft && now >= o->early_at && !refused;
	if (good && (!late || o->fetcher != NULL)) {
		mn_credential_free(call->credential);
		call->credential = mn_credential_keep(o->current);
		(void)pthread_mutex_unlock(&o->lock);
		proceed(call);
		return;
	}
	if (!good && refused) {
		(void)snprintf(text, sizeof(text), "%s", o->refused_text);
		call->fetch.told = o->refused_code;
		left = o->refused_until - now;
		(void)pthread_mutex_unlock(&o->lock);
		mn_metrics_count(call->m, MN_COUNT_BENCHED, 0, 0);
		(void)mn_call_finish(call, call->fetch.told,
		    "%s (remembered: not asked again for %lld s)",
		    text, (long long)(left + 999) / 1000);
		return;
	}
	/*
	 * A blocking verb does not wait for a loop that the host may not come
	 * back to: it takes over.
	 */
	if (o->fetcher != NULL && (!o->hosted || hosted)) {
		call->next = on_late;
		call->fetch.waiter.fire = on_told;
		call->fetch.waiter.arg = call;
		if (!mn_loop_wait(call->loop, &call->fetch.waiter)) {
			(void)pthread_mutex_unlock(&o->lock);
			(void)mn_call_finish(call, MONIME_ESYS,
			    "no descriptor for an eventfd");
			return;
		}
		list_add(o, call);
		(void)pthread_mutex_unlock(&o->lock);
		return;
	}
	o->fetcher = call;
	o->hosted = hosted;
	call->fetch.ours = true;
	call->fetch.early = late;
	call->fetch.tries = 0;
	(void)pthread_mutex_unlock(&o->lock);
	fetch(call);
}

void
mn_oauth2_get(struct monime_call *call, bool forced,
    void (*next)(struct monime_call *call))
{
	call->fetch.next = next;
	call->fetch.forced = forced;
	get(call);
}
