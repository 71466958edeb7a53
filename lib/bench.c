/* SPDX-License-Identifier: MIT */

/*
 * Our own credential: which one a call works with, and what a 401 to it means.
 *
 * Repeating a bad credential brings penalties, so one that is refused is
 * benched.  But a 401 on one path is no proof of that: the token test has to
 * refuse it too, or, where there is none, three requests in a row.  Nothing
 * that others present comes by here.
 */

#define _GNU_SOURCE
#include <string.h>

#include "call.h"
#include "reload.h"

#include "banned.h"

/*
 * The credential before this one, where this one has never worked: it may be
 * half a file, or a slip.  NULL: there is none, or it is no good either.
 */
static struct mn_credential *
spare(struct mn_edition *e)
{
	if (e->former == NULL || mn_credential_proved(e->credential) ||
	    __atomic_load_n(&e->former_refused, __ATOMIC_RELAXED))
		return NULL;
	return e->former;
}

void
mn_call_credential(struct monime_call *call, bool asked,
    void (*next)(struct monime_call *call))
{
	struct mn_edition *e = call->edition;
	struct mn_credential *c = e->credential;
	int64_t left;

	if (e->oauth2 != NULL) {
		mn_oauth2_get(call, asked, next);
		return;
	}
	if (c == NULL) {
		(void)mn_call_finish(call, MONIME_ECONFIG,
		    "%s: no credential: write its token into the file that "
		    "monime.conf(5) names, or use monime set-token",
		    e->profile->name);
		return;
	}
	left = asked ? 0 : mn_credential_benched(c, mn_loop_now(call->loop));
	if (left > 0)
		c = spare(e);
	if (c == NULL) {
		mn_metrics_count(call->m, MN_COUNT_BENCHED, 0, 0);
		(void)mn_call_finish(call, MONIME_EDENIED,
		    "%s: the API refused this credential; nothing is sent with "
		    "it for %lld s, or until its file changes: replace it",
		    e->profile->name, (long long)(left + 999) / 1000);
		return;
	}
	call->credential = mn_credential_keep(c);
	next(call);
}

static void
bench(struct monime *m, const struct mn_edition *e, struct mn_credential *c)
{
	mn_credential_bench(c, mn_loop_time());
	mn_log_write(&m->log, LOG_ERR,
	    "%s: the API refuses the credential %s: benched for %d s, or until "
	    "its file changes", e->profile->name, c->fingerprint,
	    MN_BENCH / 1000);
}

void
mn_call_note_refusal(struct monime_call *call, bool certain)
{
	const struct mn_edition *e = call->edition;

	if (e->oauth2 != NULL)
		return;
	/* Without a token test a row of them is as certain as it gets. */
	if (!e->provider->token_test)
		certain = mn_credential_refused(call->credential) >=
		    MN_BENCH_REFUSALS;
	if (certain)
		bench(call->m, e, call->credential);
}

static bool
equal(const struct mn_credential *a, const struct mn_credential *b)
{
	return a != NULL && b != NULL &&
	    strcmp(a->fingerprint, b->fingerprint) == 0;
}

/* Has the call been refused with it? */
static bool
tried(const struct monime_call *call, const struct mn_credential *c)
{
	size_t i;

	for (i = 0; i < call->tries; i++) {
		if (equal(call->tried[i], c))
			return true;
	}
	return call->tries == MN_CALL_TRIES;
}

/* Go on with another credential, on a connection that carries no other. */
static void
change(struct monime_call *call, struct mn_credential *c)
{
	mn_credential_free(call->credential);
	call->credential = mn_credential_keep(c);
	call->fresh = true;
	mn_call_forget_answer(call);
	call->resend(call);
}

/* The newest one is refused: the one before it, or none. */
static void
fall_back(struct monime_call *call)
{
	struct mn_edition *e = mn_reload_again(call->m);
	struct mn_credential *c = spare(e);

	if (c != NULL && !tried(call, c)) {
		change(call, c);
	} else {
		if (equal(call->credential, e->former))
			__atomic_store_n(&e->former_refused, true,
			    __ATOMIC_RELAXED);
		call->give_up(call);
	}
	mn_edition_free(e);
}

/* The token test of a credential that a path has refused. */
static void
on_test(struct monime_call *call)
{
	const struct mn_transfer *t = &call->transfer;
	struct mn_token_test test;
	const char *why;

	mn_credential_asked(call->credential);
	call->asking = false;
	if (t->wire == MN_WIRE_ANSWER && (t->status == 401 ||
	    (t->status == 200 && mn_answer_token_test(
	    mn_text_get(&t->content), t->content.len, &test, &why) &&
	    !test.authenticated)))
		mn_call_note_refusal(call, true);
	mn_transfer_reset(&call->transfer);
	fall_back(call);
}

/* What does the refusal say of our own credential as it is now? */
static void
hold_against(struct monime_call *call, bool certain)
{
	mn_call_keep_answer(call);
	if (certain || !call->edition->provider->token_test) {
		mn_call_note_refusal(call, certain);
		fall_back(call);
		return;
	}
	/* One asks for all that are refused at this time. */
	if (!mn_credential_ask(call->credential)) {
		fall_back(call);
		return;
	}
	call->asking = true;
	mn_call_ask(call, mn_secret_get(call->credential->header), "/");
	mn_call_send(call, MN_LANE_OWN, on_test);
}

/* An access token: once more with a new one. */
static void
refresh(struct monime_call *call)
{
	mn_oauth2_drop(call->edition->oauth2, call->credential);
	if (call->tries > 1 || call->expired) {
		mn_call_keep_answer(call);
		call->give_up(call);
		return;
	}
	mn_transfer_reset(&call->transfer);
	mn_oauth2_get(call, false, call->resend);
}

void
mn_call_refused(struct monime_call *call, bool certain,
    void (*resend)(struct monime_call *call),
    void (*give_up)(struct monime_call *call))
{
	struct mn_edition *e;

	call->resend = resend;
	call->give_up = give_up;
	if (call->tries < MN_CALL_TRIES)
		call->tried[call->tries++] =
		    mn_credential_keep(call->credential);
	if (call->edition->oauth2 != NULL) {
		refresh(call);
		return;
	}
	e = mn_reload_again(call->m);
	if (call->expired) {
		mn_call_keep_answer(call);
		give_up(call);
	} else if (e->credential != NULL && !tried(call, e->credential) &&
	    mn_credential_benched(e->credential, mn_loop_time()) == 0) {
		/* The file has changed: what was refused is no news. */
		change(call, e->credential);
	} else if (equal(call->credential, e->credential)) {
		/* The very object that others use and ask. */
		mn_credential_free(call->credential);
		call->credential = mn_credential_keep(e->credential);
		hold_against(call, certain);
	} else {
		fall_back(call);
	}
	mn_edition_free(e);
}

void
mn_call_distrust(struct monime_call *call)
{
	struct mn_edition *e = call->edition;

	if (e->oauth2 != NULL)
		mn_oauth2_drop(e->oauth2, call->credential);
	else if (e->provider->token_test)
		/* The next write and the next authorization ask first. */
		mn_credential_doubt(call->credential);
	else
		mn_call_note_refusal(call, false);
}
