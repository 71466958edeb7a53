/* SPDX-License-Identifier: MIT */

/*
 * monime_check_token(): is a token that somebody presents acceptable to us?
 * And monime_check_credential(): is our own?
 *
 * What is not said outright is no yes: a result is MONIME_OK only where the
 * API's own words make it one.
 */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

#include "banned.h"

struct check {
	enum mn_lane lane;
	const char *line;		/* the token's header */
	const char *path;		/* what must open to it, or NULL */
	char space[MN_PROFILE_STRING + 32];
};

static void
end(struct monime_call *call, int result)
{
	/* What is learned of our own holds for whoever uses it next. */
	if (call->credential != NULL && result == MONIME_OK)
		mn_credential_accepted(call->credential);
	if (call->credential != NULL && result == MONIME_EDENIED)
		mn_call_note_refusal(call, true);
	mn_metrics_probe(call, result);
	/* A check's answer is its verdict; the body is nobody's. */
	mn_transfer_reset(&call->transfer);
	(void)mn_call_end(call, result);
}

static void
on_path(struct monime_call *call)
{
	const struct mn_edition *m = call->edition;
	int code;

	code = mn_call_outcome(call);
	/* With Mono the origin is what says the environment. */
	if (code == MONIME_OK && !m->provider->token_test)
		mn_call_fact(call, "environment", "%s",
		    mn_profile_environment(m->profile->environment));
	end(call, code);
}

/* 2xx for a path of ours, or nothing more to ask. */
static void
ask_path(struct monime_call *call)
{
	struct check *c = call->verb;

	if (c->path == NULL) {
		end(call, MONIME_OK);
		return;
	}
	mn_call_ask(call, c->line, c->path);
	if (c->space[0] != '\0')
		call->transfer.line[call->transfer.lines++] = c->space;
	mn_call_send(call, c->lane, on_path);
}

static void
on_token_test(struct monime_call *call)
{
	struct mn_token_test test;
	int code;

	code = mn_call_token_test(call, &test);
	if (code != MONIME_OK)
		end(call, code);
	else
		ask_path(call);
}

/* What is to be asked first. */
static void
ask(struct monime_call *call)
{
	struct check *c = call->verb;

	if (!call->edition->provider->token_test) {
		ask_path(call);
		return;
	}
	mn_call_ask(call, c->line, "/");
	mn_call_send(call, c->lane, on_token_test);
}

/* What a token must open, by the profile: can that be asked for? */
static int
judge(struct monime_call *call)
{
	const struct mn_edition *m = call->edition;
	const struct mn_profile *p = m->profile;
	enum mn_accept accept = mn_guard_accept(p, m->provider);
	const char *path = mn_guard_check_path(p, m->provider);

	if (accept == MN_ACCEPT_SPACE && p->space == NULL)
		return mn_call_finish(call, MONIME_ECONFIG,
		    "%s: set space: a check asks whether the token opens it",
		    p->path);
	if (path == NULL && (accept != MN_ACCEPT_ANY ||
	    !m->provider->token_test))
		return mn_call_finish(call, MONIME_ECONFIG,
		    "%s: set check.path: a check asks whether the token opens "
		    "it", p->path);
	return MONIME_EPENDING;
}

/* The verb's own, for a call in a lane; NULL: no memory. */
static struct check *
prepare(struct monime_call *call, enum mn_lane lane)
{
	struct check *c;

	c = call->verb = calloc(1, sizeof(*c));
	call->verb_free = free;
	if (c != NULL)
		c->lane = lane;
	return c;
}

static void
demand(const struct mn_edition *m, struct check *c)
{
	const struct mn_profile *p = m->profile;

	c->path = mn_guard_check_path(p, m->provider);
	if (p->space != NULL &&
	    mn_guard_accept(p, m->provider) != MN_ACCEPT_ANY)
		(void)snprintf(c->space, sizeof(c->space), "%s: %s",
		    m->provider->space_header, p->space);
}

/* The probe's own call, which asks in the place of all who want to know. */
static void
probe(struct monime_call *call)
{
	struct check *c = prepare(call, MN_LANE_PROBE);

	if (c == NULL) {
		(void)mn_call_end(call, MONIME_ENOMEM);
		return;
	}
	c->line = mn_secret_get(call->bearer);
	demand(call->edition, c);
	ask(call);
}

static int
prepare_token(struct monime_call *call, const char *token, size_t len)
{
	const struct mn_edition *m = call->edition;
	int r;

	mn_call_fact(call, "source", "local");
	r = mn_guard_token(m->profile, m->provider, token, len, &call->error);
	if (r != MONIME_OK)
		return mn_call_end(call, r);
	call->bearer = mn_credential_line(MN_SECRET_PLAIN, token, len);
	if (call->bearer == NULL)
		return mn_call_end(call, MONIME_ENOMEM);
	return judge(call);
}

static void
with_credential(struct monime_call *call)
{
	struct check *c = call->verb;

	mn_call_fact(call, "fingerprint", "%s", call->credential->fingerprint);
	c->line = mn_secret_get(call->credential->header);
	ask(call);
}

static void
begin_credential(struct monime_call *call)
{
	if (!mn_call_clock(call, call->edition->profile->check.timeout))
		return;
	mn_call_credential(call, true, with_credential);
}

static int
prepare_credential(struct monime_call *call)
{
	const struct mn_edition *e = call->edition;
	struct check *c;
	int r = MONIME_EPENDING;

	mn_call_fact(call, "source", "local");
	if (e->credential == NULL && e->oauth2 == NULL)
		return mn_call_finish(call, MONIME_ECONFIG,
		    "%s: no credential to check: monime set-token %s gives "
		    "the profile one", e->profile->name, e->profile->name);
	c = prepare(call, MN_LANE_OWN);
	if (c == NULL)
		return mn_call_end(call, MONIME_ENOMEM);
	/*
	 * A token test is enough, and so is a token endpoint that gives us a
	 * token; else a path has to open.
	 */
	if (!e->provider->token_test &&
	    (e->oauth2 == NULL || e->profile->check.path != NULL)) {
		demand(e, c);
		r = judge(call);
	}
	return r;
}

int
monime_check_token(struct monime *m, const char *token, size_t len,
    struct monime_call **out)
{
	struct mn_verdict found;
	struct monime_call *call;

	if (out != NULL)
		*out = NULL;
	if (mn_probe_remembered(m, token, len, &found))
		return mn_probe_answer(m, token, len, &found, NULL, out);
	call = mn_call_new(m, NULL);
	if (call != NULL && call->result == MONIME_EPENDING)
		(void)prepare_token(call, token, len);
	return mn_probe_block(call, probe, out);
}

static void
begin(struct monime_call *call)
{
	mn_probe_join(call, probe);
}

int
monime_check_token_start(struct monime *m, const char *token, size_t len,
    void *data, struct monime_call **out)
{
	struct mn_verdict found;
	struct monime_call *call;

	if (mn_probe_remembered(m, token, len, &found) &&
	    (out != NULL || !found.stale))
		return mn_probe_answer(m, token, len, &found, data, out);
	/* A look alone: nothing is left pending that nobody could free. */
	if (out == NULL)
		return MONIME_EPENDING;
	call = mn_call_new(m, data);
	if (call != NULL && call->result == MONIME_EPENDING)
		(void)prepare_token(call, token, len);
	return mn_events_start(call, begin, out);
}

int
monime_check_credential(struct monime *m, struct monime_call **out)
{
	struct monime_call *call;

	if (out != NULL)
		*out = NULL;
	call = mn_call_new_for(m, MN_VERB_CREDENTIAL, NULL);
	if (call != NULL && call->result == MONIME_EPENDING)
		(void)prepare_credential(call);
	return mn_call_block(call, begin_credential, out);
}
