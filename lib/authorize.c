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
	const struct monime *m = call->m;

	set(call, "Authorization", mn_credential_value(call->credential));
	set(call, m->provider->space_header, m->profile->space);
	set(call, m->provider->version_header, m->profile->version);
	(void)mn_call_end(call, call->transfer.head.failed ?
	    MONIME_ENOMEM : MONIME_OK);
}

static void
begin(struct monime_call *call)
{
	mn_call_clock(call, call->m->profile->timeout);
	mn_call_confirm(call, hand_out);
}

static int
prepare(struct monime_call *call, const char *method, const char *url)
{
	struct monime *m = call->m;
	int r;

	mn_call_fact(call, "source", "local");
	if (method == NULL || url == NULL)
		return mn_call_finish(call, MONIME_EINVAL,
		    "no method or no URL");
	r = mn_guard_authorize(m->profile, m->provider, method, url,
	    &call->error);
	if (r != MONIME_OK)
		return mn_call_end(call, r);
	if (m->credential == NULL)
		return mn_call_finish(call, MONIME_ECONFIG,
		    "%s: no credential to authorize with", m->profile->name);
	call->credential = mn_credential_keep(m->credential);
	mn_call_fact(call, "fingerprint", "%s", call->credential->fingerprint);
	mn_call_fact(call, "environment", "%s",
	    mn_profile_environment(m->profile->environment));
	return MONIME_EPENDING;
}

int
monime_authorize(struct monime *m, const char *method, const char *url,
    struct monime_call **out)
{
	struct monime_call *call;

	if (out != NULL)
		*out = NULL;
	call = mn_call_new(m, NULL);
	if (call != NULL && call->result == MONIME_EPENDING)
		(void)prepare(call, method, url);
	return mn_call_block(call, begin, out);
}

void
monime_call_report(struct monime_call *call, int status)
{
	const struct mn_provider *v;
	const char *mend;

	if (call == NULL || call->result != MONIME_OK ||
	    call->credential == NULL)
		return;
	call->status = status;
	v = call->m->provider;
	if (status != 401 && status != 403)
		return;
	mend = status == 401 ? v->unauthorized : v->forbidden;
	mn_log_write(&call->m->log, LOG_WARNING,
	    "%s: a request that we authorized was answered with %d: %s",
	    call->m->profile->name, status, mend);
}
