/* SPDX-License-Identifier: MIT */

/*
 * monime_authorize(): the headers of a request that somebody else sends, and
 * monime_call_report(): how that went.
 */

#define _GNU_SOURCE
#include <string.h>

#include "call.h"

#include "banned.h"

static void
set(struct monime_call *call, const char *name, const char *value)
{
	struct mn_text *head = &call->transfer.head;

	if (name == NULL || value == NULL)
		return;
	mn_text_put(head, name, strlen(name) + 1);
	mn_text_put(head, value, strlen(value) + 1);
}

static void
hand_out(struct monime_call *call)
{
	const struct mn_edition *m = call->edition;

	set(call, "Authorization", mn_credential_value(call->credential));
	set(call, m->provider->space_header, m->profile->space);
	set(call, m->provider->version_header, m->profile->version);
	(void)mn_call_end(call, call->transfer.head.failed ?
	    MONIME_ENOMEM : MONIME_OK);
}

static void
with_credential(struct monime_call *call)
{
	mn_call_fact(call, "fingerprint", "%s", call->credential->fingerprint);
	mn_call_confirm(call, hand_out);
}

static void
begin(struct monime_call *call)
{
	if (!mn_call_clock(call, call->edition->profile->timeout))
		return;
	mn_call_credential(call, false, with_credential);
}

/*
 * A host that authorizes for whoever passed a check has to know what that
 * check is worth, and whether the profile authorizes at all.
 */
static void
note_terms(struct monime_call *call)
{
	static const char *const words[] = {
		[MN_ACCEPT_SPACE] = "space",
		[MN_ACCEPT_PATH] = "path",
		[MN_ACCEPT_ANY] = "any",
	};
	const struct mn_edition *e = call->edition;
	const struct mn_profile *p = e->profile;

	mn_call_fact(call, "accept", "%s",
	    words[mn_guard_accept(p, e->provider)]);
	mn_call_fact(call, "allow", "%s",
	    p->allow.methods.set && p->allow.paths.set ? "yes" : "no");
}

static int
prepare(struct monime_call *call, const char *method, const char *url)
{
	const struct mn_edition *e = call->edition;
	int r;

	mn_call_fact_word(call, "source", "local");
	mn_call_fact_word(call, "environment",
	    mn_profile_environment(e->profile->environment));
	note_terms(call);
	if (method == NULL || url == NULL)
		return mn_call_finish(call, MONIME_EINVAL,
		    "no method or no URL");
	r = mn_guard_authorize(e->profile, e->provider, method, url,
	    &call->error);
	if (r != MONIME_OK)
		return mn_call_end(call, r);
	return MONIME_EPENDING;
}

int
monime_authorize(struct monime *m, const char *method, const char *url,
    struct monime_call **out)
{
	struct monime_call *call;

	if (out != NULL)
		*out = NULL;
	call = mn_call_new_for(m, MN_VERB_AUTHORIZE, NULL);
	if (call != NULL && call->result == MONIME_EPENDING)
		(void)prepare(call, method, url);
	return mn_call_block(call, begin, out);
}

int
monime_authorize_start(struct monime *m, const char *method, const char *url,
    void *data, struct monime_call **out)
{
	struct monime_call *call =
	    mn_call_new_for(m, MN_VERB_AUTHORIZE, data);

	if (call != NULL && call->result == MONIME_EPENDING)
		(void)prepare(call, method, url);
	return mn_events_start(call, begin, out);
}

void
monime_call_report(struct monime_call *call, int status)
{
	const struct mn_provider *v;

	if (call == NULL || call->kind != MN_VERB_AUTHORIZE ||
	    call->result != MONIME_OK || call->credential == NULL)
		return;
	call->status = status;
	v = call->edition->provider;
	if (status >= 200 && status <= 299)
		mn_credential_accepted(call->credential);
	if (status == 401)
		mn_call_distrust(call);
	if (status == 401 || status == 403)
		mn_log_write(&call->m->log, LOG_WARNING, "%s: a request that "
		    "we authorized was answered with %d: %s",
		    call->edition->profile->name, status,
		    status == 401 ? v->unauthorized : v->forbidden);
}
