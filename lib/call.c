/* SPDX-License-Identifier: MIT */

/* Calls: their steps, their end, and what they tell.  See call.h. */

#define _GNU_SOURCE
#include "call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fork.h"
#include "reload.h"

#include "banned.h"

#define FACT_MAX	1024	/* bytes of a fact */

struct monime *
mn_handle_keep(struct monime *m)
{
	(void)__atomic_add_fetch(&m->references, 1, __ATOMIC_RELAXED);
	return m;
}

void
mn_handle_free(struct monime *m)
{
	if (__atomic_sub_fetch(&m->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	mn_edition_free(m->first);
	mn_edition_free(m->now);
	free(m->refusal);
	mn_reload_free(m->reload);
	mn_metrics_close(m->metrics);
	mn_fork_close(m);
	mn_probe_free(m->probes);
	mn_error_free(&m->error);
	mn_log_free(&m->log);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

void
mn_call_stop(struct monime_call *call, const char *why)
{
	mn_loop_unset(call->loop, &call->pause);
	if (!mn_loop_has(&call->transfer))
		return;
	mn_loop_cancel(&call->transfer);
	call->transfer.wire = call->transfer.sent ?
	    MN_WIRE_LOST : MN_WIRE_UNSENT;
	(void)snprintf(call->transfer.problem,
	    sizeof(call->transfer.problem), "%s", why);
}

/* The total time is over. */
static void
on_deadline(void *arg)
{
	struct monime_call *call = arg;

	call->expired = true;
	mn_call_stop(call, "no answer within the time limit");
	call->next(call);
}

static void
on_pause(void *arg)
{
	struct monime_call *call = arg;

	call->next(call);
}

static void
on_done(struct mn_transfer *t)
{
	struct monime_call *call = t->arg;

	call->next(call);
}

/*
 * The edition that the call works with.  What keeps it from beginning at all
 * must not read as a verdict: one code for all verbs.
 */
static void
begin_with(struct monime_call *call)
{
	struct monime *m = call->m;
	const char *why = monime_error(m);
	char *refusal;
	bool refused;

	if (m->failure == MONIME_OK) {
		mn_fork_look(m);
	} else {
		(void)mn_call_finish(call, MONIME_ECONFIG,
		    "the profile did not open: %.*s",
		    (int)strcspn(why, "\n"), why);
		return;
	}
	call->edition = mn_reload_edition(m, &refused, &refusal);
	if (refused)
		(void)mn_call_finish(call, MONIME_EPOLICY, "%s: %s",
		    call->edition->profile->name, refusal != NULL ?
		    refusal : "the profile is withdrawn");
	free(refusal);
}

static struct monime_call *
call_new(struct monime *m, enum mn_verb kind)
{
	struct monime_call *call;

	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return NULL;
	call->m = mn_handle_keep(m);
	call->kind = kind;
	call->began = -1;
	call->result = MONIME_EPENDING;
	call->retry_after = -1;
	call->error.text.max = MN_ERROR_MAX;
	mn_transfer_init(&call->transfer);
	call->transfer.done = on_done;
	call->transfer.arg = call;
	call->deadline.fire = on_deadline;
	call->deadline.arg = call;
	call->pause.fire = on_pause;
	call->pause.arg = call;
	return call;
}

struct monime_call *
mn_call_new_for(struct monime *m, enum mn_verb kind, void *data)
{
	struct monime_call *call = m != NULL ? call_new(m, kind) : NULL;

	if (call == NULL)
		return NULL;
	call->data = data;
	begin_with(call);
	return call;
}

struct monime_call *
mn_call_new(struct monime *m, void *data)
{
	return mn_call_new_for(m, MN_VERB_CHECK, data);
}

struct monime_call *
mn_call_new_probe(const struct monime_call *call)
{
	struct monime_call *probe = call_new(call->m, MN_VERB_PROBE);
	const char *token;
	size_t len;

	if (probe == NULL)
		return NULL;
	token = mn_credential_token(call->bearer, &len);
	probe->edition = mn_edition_keep(call->edition);
	probe->bearer = mn_credential_line(MN_SECRET_PLAIN, token, len);
	if (probe->bearer != NULL)
		return probe;
	mn_call_free(probe);
	return NULL;
}

struct monime_call *
mn_call_new_remembered(struct monime *m, const char *token, size_t len,
    void *data)
{
	struct monime_call *call = call_new(m, MN_VERB_CHECK);

	if (call == NULL)
		return NULL;
	call->data = data;
	call->remembered = true;
	call->bearer = mn_credential_line(MN_SECRET_PLAIN, token, len);
	if (call->bearer != NULL)
		return call;
	mn_call_free(call);
	return NULL;
}

bool
mn_call_clock(struct monime_call *call, int64_t timeout)
{
	mn_loop_clock(call->loop);
	call->began = mn_loop_now(call->loop);
	if (mn_loop_set(call->loop, &call->deadline, call->began + timeout))
		return true;
	(void)mn_call_end(call, MONIME_ENOMEM);
	return false;
}

void
mn_call_send(struct monime_call *call, enum mn_lane lane,
    void (*next)(struct monime_call *call))
{
	call->next = next;
	mn_transfer_reset(&call->transfer);
	if (call->expired) {
		(void)snprintf(call->transfer.problem,
		    sizeof(call->transfer.problem),
		    "the time limit has passed");
		next(call);
		return;
	}
	mn_loop_start(call->lanes, lane, &call->transfer);
}

int64_t
mn_call_again(struct monime_call *call, int code, int attempts)
{
	const struct mn_edition *e = call->edition;
	int64_t delay;

	if (call->expired || call->transfer.wire == MN_WIRE_UNTRUSTED ||
	    attempts >= e->profile->attempts ||
	    !mn_retry_helps(e->provider, code, call->transfer.status))
		return -1;
	delay = mn_retry_delay(attempts + 1, call->retry_after);
	if (mn_loop_now(call->loop) + delay >= call->deadline.at)
		return -1;
	if (!mn_retry_take(&call->m->bucket))
		return -1;
	mn_metrics_count(call->m, MN_COUNT_RETRIES, 0, 0);
	return delay;
}

void
mn_call_sleep(struct monime_call *call, int64_t ms,
    void (*next)(struct monime_call *call))
{
	call->next = next;
	if (!mn_loop_set(call->loop, &call->pause,
	    mn_loop_now(call->loop) + ms))
		next(call);
}

static bool
is_named(const struct mn_fact *f, const char *name)
{
	/* Most differ in their first letter already. */
	return f->name[0] == name[0] && strcmp(f->name, name) == 0;
}

/* Forget fact i; another one takes its place. */
static void
drop_fact(struct monime_call *call, size_t i)
{
	free(call->fact[i].own);
	call->fact[i] = call->fact[--call->facts];
}

/* own, or NULL for a word: what is to be freed with it. */
static void
set_fact(struct monime_call *call, const char *name, const char *value,
    char *own)
{
	size_t i;

	for (i = 0; i < call->facts; i++) {
		if (is_named(&call->fact[i], name))
			break;
	}
	if (call->fact == NULL)
		call->fact = malloc(MN_CALL_FACTS * sizeof(*call->fact));
	if (i == MN_CALL_FACTS || call->fact == NULL) {
		free(own);
		return;
	}
	if (i < call->facts)
		free(call->fact[i].own);
	else
		call->facts++;
	call->fact[i].name = name;
	call->fact[i].value = value;
	call->fact[i].own = own;
	/* What is not told is no lie, as the former value would be. */
	if (value == NULL)
		drop_fact(call, i);
}

void
mn_call_fact(struct monime_call *call, const char *name, const char *fmt, ...)
{
	struct mn_text text = MN_TEXT_INIT(FACT_MAX);
	va_list ap;

	va_start(ap, fmt);
	mn_text_vadd(&text, fmt, ap);
	va_end(ap);
	if (text.failed)
		mn_text_free(&text);
	set_fact(call, name, text.s, text.s);
}

void
mn_call_fact_copy(struct monime_call *call, const char *name, const char *s)
{
	char *own = strdup(s);

	set_fact(call, name, own, own);
}

void
mn_call_fact_word(struct monime_call *call, const char *name,
    const char *word)
{
	set_fact(call, name, word, NULL);
}

/* What an earlier attempt's answer told does not hold for the next one. */
static void
forget_answer(struct monime_call *call)
{
	static const char *const names[] = {
		"request-id", "replayed", "rate-limit", "retry-after",
		"reason", "message"
	};
	size_t i, j;

	for (i = 0; i < call->facts; i++) {
		for (j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			if (!is_named(&call->fact[i], names[j]))
				continue;
			drop_fact(call, i--);
			break;
		}
	}
	mn_error_free(&call->error);
	call->retry_after = -1;
}

/* How loud an end is: an outage and our own faults are worth a look. */
static int
loudness(int result)
{
	switch (result) {
	case MONIME_OK:
		return LOG_DEBUG;
	case MONIME_EDENIED:
	case MONIME_EFORBIDDEN:
	case MONIME_EENVIRONMENT:
	case MONIME_EPOLICY:
	case MONIME_EINVAL:
		return LOG_NOTICE;
	case MONIME_ECONFIG:
	case MONIME_EUNSAFE:
	case MONIME_ENOMEM:
	case MONIME_ESYS:
		return LOG_ERR;
	default:
		return LOG_WARNING;
	}
}

/* The answer becomes the caller's; what else is asked then is not. */
void
mn_call_keep_answer(struct monime_call *call)
{
	if (call->answered)
		return;
	call->answered = true;
	call->head = call->transfer.head;
	call->body = call->transfer.content;
	memset(&call->transfer.head, 0, sizeof(call->transfer.head));
	memset(&call->transfer.content, 0, sizeof(call->transfer.content));
	call->transfer.head.max = MN_TRANSFER_HEAD_MAX;
	if (call->status == 0)
		call->status = call->transfer.status;
}

void
mn_call_log(struct monime *m, const char *name, int result, const char *text)
{
	const size_t len = strlen(name);
	size_t n;

	if (!mn_log_wanted(&m->log, loudness(result)))
		return;
	if (result == MONIME_OK)
		text = "success";
	if (text == NULL || *text == '\0')
		text = monime_strerror(result);
	for (; *text != '\0'; text += text[n] == '\n' ? n + 1 : n) {
		/* Some errors begin with the profile's name. */
		if (strncmp(text, name, len) == 0 &&
		    strncmp(text + len, ": ", 2) == 0)
			text += len + 2;
		n = strcspn(text, "\n");
		mn_log_write(&m->log, loudness(result), "%s: %.*s", name,
		    (int)n, text);
	}
}

void
mn_call_copy(struct monime_call *call, const struct monime_call *from)
{
	size_t i;

	for (i = 0; i < from->facts; i++)
		mn_call_fact_copy(call, from->fact[i].name,
		    from->fact[i].value);
	if (from->error.text.len > 0)
		(void)mn_error_add(&call->error, from->result, "%s",
		    mn_error_get(&from->error));
	call->status = from->status;
	call->retry_after = from->retry_after;
}

void
mn_call_forget_answer(struct monime_call *call)
{
	call->answered = false;
	mn_text_free(&call->head);
	mn_text_free(&call->body);
	mn_transfer_reset(&call->transfer);
}

int
mn_call_end(struct monime_call *call, int result)
{
	if (call->verb_settle != NULL)
		result = call->verb_settle(call, result);
	call->result = result;
	if (call->loop != NULL) {
		mn_loop_unset(call->loop, &call->deadline);
		mn_loop_unset(call->loop, &call->pause);
	}
	mn_call_keep_answer(call);
	mn_secret_free(call->bearer);
	call->bearer = NULL;
	if (result == MONIME_OK) {
		mn_error_free(&call->error);
		call->error.text.max = MN_ERROR_MAX;
	} else if (call->error.text.len == 0) {
		(void)mn_error_add(&call->error, result, "%s",
		    monime_strerror(result));
	}
	if (call->kind == MN_VERB_PROBE) {
		mn_probe_done(call);
		return result;
	}
	mn_call_log(call->m, call->edition != NULL ?
	    call->edition->profile->name : "no profile", result,
	    mn_error_get(&call->error));
	mn_metrics_end(call);
	mn_events_finished(call);
	return result;
}

void
mn_call_abandon(struct monime_call *call)
{
	if (call->loop == NULL || call->result != MONIME_EPENDING)
		return;
	mn_loop_cancel(&call->transfer);
	mn_loop_unset(call->loop, &call->deadline);
	mn_loop_unset(call->loop, &call->pause);
	if (call->edition->oauth2 != NULL)
		mn_oauth2_leave(call);
	mn_probe_leave(call);
	if (call->asking)
		mn_credential_asked(call->credential);
	call->asking = false;
}

int
mn_call_finish(struct monime_call *call, int result, const char *fmt, ...)
{
	struct mn_text text = MN_TEXT_INIT(MN_ERROR_MAX);
	va_list ap;

	va_start(ap, fmt);
	mn_text_vadd(&text, fmt, ap);
	va_end(ap);
	(void)mn_error_add(&call->error, result, "%s", mn_text_get(&text));
	mn_text_free(&text);
	return mn_call_end(call, result);
}

void
mn_call_ask(struct monime_call *call, const char *line, const char *target)
{
	struct mn_transfer *t = &call->transfer;
	int64_t connect = call->edition->profile->connect_timeout;

	t->url = NULL;
	t->method = "GET";
	t->target = target;
	t->line[0] = line;
	t->line[1] = "Accept: application/json";
	t->lines = 2;
	t->body = NULL;
	t->len = 0;
	t->fresh = call->fresh;
	t->max_answer = MN_CHECK_ANSWER_MAX;
	t->connect_timeout = connect < MN_CHECK_CONNECT ?
	    connect : MN_CHECK_CONNECT;
}

/* Facts that every answer may tell. */
static void
note_headers(struct monime_call *call, struct mn_answer_error *error)
{
	const struct mn_provider *v = call->edition->provider;
	const char *name[] = {
		"Monime-Cache", "Monime-Rate-Limit", "Retry-After",
		v->request_id_header
	};
	enum { CACHE, LIMIT, RETRY, ID, ALL };
	char id[MN_ANSWER_WORD + 1];
	const char *s[ALL];

	mn_transfer_headers(&call->transfer.head, name, s,
	    v->request_id_header != NULL ? ALL : ID);
	if (v->request_id_header == NULL)
		s[ID] = error->id;
	if (s[ID] != NULL && mn_answer_id(s[ID], id))
		mn_call_fact_copy(call, "request-id", id);
	if (s[CACHE] != NULL)
		mn_call_fact_word(call, "replayed",
		    strcmp(s[CACHE], "irc") == 0 ? "yes" : "no");
	if (s[LIMIT] != NULL && mn_answer_id(s[LIMIT], id))
		mn_call_fact_copy(call, "rate-limit", id);
	if (call->transfer.status == 429)
		mn_metrics_limited(call, s[LIMIT]);
	if (s[RETRY] == NULL)
		return;
	call->retry_after = mn_retry_after(s[RETRY],
	    mn_transfer_date(s[RETRY]));
	if (call->retry_after >= 0)
		mn_call_fact(call, "retry-after", "%lld",
		    (long long)call->retry_after);
}

static const char *
fact(const struct monime_call *call, const char *name)
{
	size_t i;

	for (i = 0; i < call->facts; i++) {
		if (is_named(&call->fact[i], name))
			return call->fact[i].value;
	}
	return NULL;
}

/* Status, reason and ids; then what the provider documents. */
static int
explain(struct monime_call *call, int code)
{
	const struct mn_provider *v = call->edition->provider;
	const struct mn_transfer *t = &call->transfer;
	const char *reason = fact(call, "reason");
	const char *id = fact(call, "request-id");
	const char *mend = "";

	if (code == MONIME_EDENIED)
		mend = v->unauthorized;
	else if (code == MONIME_EFORBIDDEN)
		mend = v->forbidden;
	else if (t->status >= 300 && t->status <= 399)
		mend = "a redirect, which is never followed";
	return mn_error_add(&call->error, code,
	    "%s: HTTP status %d%s%s%s%s%s%s",
	    call->edition->wire.origin, t->status,
	    reason != NULL ? ", reason " : "", reason != NULL ? reason : "",
	    id != NULL ? ", request " : "", id != NULL ? id : "",
	    *mend != '\0' ? ": " : "", mend);
}

int
mn_call_outcome(struct monime_call *call)
{
	static const int codes[] = {
		[MN_WIRE_UNSENT] = MONIME_ENET,
		[MN_WIRE_UNTRUSTED] = MONIME_ENET,
		[MN_WIRE_LOST] = MONIME_ELOST,
		[MN_WIRE_BROKEN] = MONIME_EPROTO,
		[MN_WIRE_NOMEM] = MONIME_ENOMEM,
		[MN_WIRE_SYS] = MONIME_ESYS,
	};
	struct mn_transfer *t = &call->transfer;
	struct mn_answer_error error;
	int code;

	forget_answer(call);
	call->status = t->status;
	mn_call_fact_word(call, "source", "network");
	if (t->wire != MN_WIRE_ANSWER) {
		code = codes[t->wire];
		/* Ours, but it was sent: what counts is that nobody knows. */
		if (t->sent && (code == MONIME_ENOMEM || code == MONIME_ESYS))
			code = MONIME_ELOST;
		return mn_error_add(&call->error, code, "%s: %s",
		    call->edition->wire.origin,
		    t->problem);
	}
	code = mn_retry_code(t->status);
	error.reason[0] = error.message[0] = error.id[0] = '\0';
	if (code != MONIME_OK)
		mn_answer_error(mn_text_get(&t->content), t->content.len,
		    &error);
	note_headers(call, &error);
	if (error.reason[0] != '\0')
		mn_call_fact_copy(call, "reason", error.reason);
	if (error.message[0] != '\0')
		mn_call_fact_copy(call, "message", error.message);
	return code == MONIME_OK ? code : explain(call, code);
}

/* Once an hour: the version is the host's to change, in its own time. */
static void
warn_deprecated(struct monime_call *call, const struct mn_token_test *test)
{
	int64_t now = mn_loop_now(call->loop);
	int64_t at = __atomic_load_n(&call->m->deprecation_at,
	    __ATOMIC_RELAXED);

	if (now >= at && __atomic_compare_exchange_n(
	    &call->m->deprecation_at, &at, now + MN_DEPRECATION, false,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		mn_log_write(&call->m->log, LOG_WARNING,
		    "%s: the API calls its version %s deprecated: move to a "
		    "newer one, see \"version\"",
		    call->edition->profile->name, test->version);
}

static void
note_test(struct monime_call *call, const struct mn_token_test *test)
{
	if (test->version[0] != '\0')
		mn_call_fact_copy(call, "api-version", test->version);
	if (test->release[0] != '\0')
		mn_call_fact_copy(call, "api-release", test->release);
	if (test->deprecated_told)
		mn_call_fact_word(call, "api-deprecated",
		    test->deprecated ? "yes" : "no");
	/* The version of a presented token is its owner's affair. */
	if (test->deprecated && call->credential != NULL)
		warn_deprecated(call, test);
	if (test->deprecated_told && call->credential != NULL)
		mn_metrics_deprecated(call->m, test->deprecated);
	if (test->country[0] != '\0')
		mn_call_fact_copy(call, "origin-country", test->country);
	if (test->address[0] != '\0')
		mn_call_fact_copy(call, "origin-address", test->address);
}

int
mn_call_token_test(struct monime_call *call, struct mn_token_test *test)
{
	const struct mn_edition *m = call->edition;
	const char *origin = m->wire.origin;
	const char *ours = mn_profile_environment(m->profile->environment);
	const char *why = NULL;
	int code;

	code = mn_call_outcome(call);
	if (code != MONIME_OK)
		return code;
	if (call->status != 200)
		return mn_error_add(&call->error, MONIME_EPROTO,
		    "%s: HTTP status %d to the token test", origin,
		    call->status);
	if (!mn_answer_token_test(mn_text_get(&call->transfer.content),
	    call->transfer.content.len, test, &why))
		return mn_error_add(&call->error, MONIME_EPROTO,
		    "%s: %s", origin, why);
	note_test(call, test);
	/* The verdict is in the body: a bad token is answered with 200. */
	if (!test->authenticated)
		return mn_error_add(&call->error, MONIME_EDENIED,
		    "%s: %s", origin, m->provider->unauthorized);
	if (strcmp(test->environment, ours) == 0) {
		mn_call_fact_word(call, "environment", ours);
		return MONIME_OK;
	}
	if (strcmp(test->environment, "test") != 0 &&
	    strcmp(test->environment, "live") != 0)
		return mn_error_add(&call->error, MONIME_EPROTO,
		    "%s: status.environment is neither \"test\" nor \"live\"",
		    origin);
	mn_call_fact_copy(call, "environment", test->environment);
	return mn_error_add(&call->error, MONIME_EENVIRONMENT,
	    "%s: a %s token where %s is meant", origin, test->environment,
	    ours);
}

static void ask_confirmation(struct monime_call *call);

static void
denied(struct monime_call *call)
{
	(void)mn_call_end(call, MONIME_EDENIED);
}

/* The step behind the token test of our own credential. */
static void
on_confirmed(struct monime_call *call)
{
	struct mn_token_test test = { .address = "" };
	int64_t delay;
	int code;

	code = mn_call_token_test(call, &test);
	delay = code == MONIME_OK ? -1 :
	    mn_call_again(call, code, ++call->confirmations);
	/* It is not the status of what was asked for. */
	call->status = 0;
	mn_transfer_reset(&call->transfer);
	if (delay >= 0) {
		mn_call_sleep(call, delay, ask_confirmation);
		return;
	}
	switch (code) {
	case MONIME_OK:
		break;
	case MONIME_EDENIED:
		mn_call_refused(call, true, ask_confirmation, denied);
		return;
	case MONIME_EFORBIDDEN:
	case MONIME_EENVIRONMENT:
		(void)mn_call_end(call, code);
		return;
	default:
		/* Nothing of what was asked for has been sent. */
		(void)mn_error_add(&call->error, code, "%s: the environment "
		    "could not be confirmed; nothing was sent",
		    call->edition->profile->name);
		(void)mn_call_end(call, MONIME_ENET);
		return;
	}
	code = mn_guard_address(call->edition->profile,
	    test.address[0] != '\0' ? test.address : NULL, &call->error);
	if (code != MONIME_OK) {
		(void)mn_call_end(call, code);
		return;
	}
	mn_credential_confirm(call->credential);
	call->confirmed(call);
}

static void
ask_confirmation(struct monime_call *call)
{
	const struct mn_edition *e = call->edition;
	const struct mn_credential *c = call->credential;

	if (!e->provider->token_test || mn_credential_confirmed(c) ||
	    (!e->profile->confirm_environment && !mn_credential_doubted(c))) {
		call->confirmed(call);
		return;
	}
	mn_call_ask(call, mn_secret_get(call->credential->header), "/");
	mn_call_send(call, MN_LANE_OWN, on_confirmed);
}

void
mn_call_confirm(struct monime_call *call,
    void (*next)(struct monime_call *call))
{
	call->confirmed = next;
	call->confirmations = 0;
	ask_confirmation(call);
}

int
mn_call_give(struct monime_call *call, struct monime_call **out)
{
	int r = monime_call_result(call);

	if (out != NULL)
		*out = call;
	else
		monime_call_free(call);
	return r;
}

int
mn_call_block(struct monime_call *call,
    void (*begin)(struct monime_call *call), struct monime_call **out)
{
	if (call != NULL && call->result == MONIME_EPENDING) {
		call->lanes = mn_edition_loop_take(call->edition);
		if (call->lanes == NULL) {
			(void)mn_call_finish(call, MONIME_ESYS,
			    "no descriptor for an epoll instance");
		} else {
			call->loop = mn_loop_of(call->lanes);
			begin(call);
			while (call->result == MONIME_EPENDING)
				(void)mn_loop_run(call->loop, true);
			call->loop = NULL;
			mn_edition_loop_give(call->edition, call->lanes);
		}
	}
	return mn_call_give(call, out);
}

int
monime_call_result(const struct monime_call *call)
{
	if (call == NULL)
		return MONIME_ENOMEM;
	/* A child need not have entered the library yet. */
	if (call->result == MONIME_EPENDING && mn_fork_apart(call->m))
		return MONIME_ECANCELED;
	return call->result;
}

void *
monime_call_data(const struct monime_call *call)
{
	return call != NULL ? call->data : NULL;
}

int
monime_call_status(const struct monime_call *call)
{
	return call != NULL ? call->status : 0;
}

const char *
monime_call_body(const struct monime_call *call, size_t *len)
{
	if (len != NULL)
		*len = call != NULL ? call->body.len : 0;
	return call != NULL ? mn_text_get(&call->body) : "";
}

const char *
monime_call_header(const struct monime_call *call, const char *name)
{
	if (call == NULL || name == NULL)
		return NULL;
	return mn_transfer_header(&call->head, name);
}

const char *
monime_call_header_at(const struct monime_call *call, size_t i,
    const char **value)
{
	if (value != NULL)
		*value = NULL;
	return call != NULL ?
	    mn_transfer_header_at(&call->head, i, value) : NULL;
}

const char *
monime_call_get(const struct monime_call *call, const char *name)
{
	if (call == NULL || name == NULL)
		return NULL;
	/* It is its owner's alone, who cannot tell this from a finished one. */
	if (call->remembered)
		mn_probe_tell((struct monime_call *)(uintptr_t)call);
	return fact(call, name);
}

const char *
monime_call_error(const struct monime_call *call)
{
	const char *why;

	if (call == NULL)
		return monime_strerror(MONIME_ENOMEM);
	why = mn_error_get(&call->error);
	/* Where memory was short there was none to say so, either. */
	return *why == '\0' && call->result < MONIME_OK &&
	    call->result != MONIME_EPENDING ?
	    monime_strerror(call->result) : why;
}

void
mn_call_free(struct monime_call *call)
{
	size_t i;

	for (i = 0; i < call->facts; i++)
		free(call->fact[i].own);
	free(call->fact);
	mn_text_free(&call->head);
	mn_text_free(&call->body);
	mn_error_free(&call->error);
	mn_transfer_free(&call->transfer);
	mn_secret_free(call->bearer);
	mn_credential_free(call->credential);
	for (i = 0; i < call->tries; i++)
		mn_credential_free(call->tried[i]);
	mn_text_free(&call->fetch.body);
	mn_text_free(&call->fetch.line);
	free(call->fetch.told_text);
	if (call->verb != NULL)
		call->verb_free(call->verb);
	mn_edition_free(call->edition);
	mn_handle_free(call->m);
	free(call);
}

void
monime_call_free(struct monime_call *call)
{
	if (call == NULL)
		return;
	if (call->m->here != NULL)
		mn_fork_look(call->m);
	mn_events_leave(call);
	mn_call_free(call);
}
