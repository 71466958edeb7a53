/* SPDX-License-Identifier: MIT */

/* The facts of a call in the order in which people read them. */

#define _GNU_SOURCE
#include "facts.h"

#include <string.h>

#include "cli.h"
#include "output.h"

#include "banned.h"

#define CHECK	MN_FACTS_CHECK
#define REQUEST	MN_FACTS_REQUEST
#define NUMBER	(1 << 2)
#define SECONDS	(1 << 3)	/* and say so where people read it */

/* By monime(3).  label NULL: for scripts alone. */
static const struct {
	const char *name;
	const char *label;
	unsigned int kinds;
} facts[] = {
	{ "environment", "environment", CHECK },
	{ "api-version", "API version", CHECK },
	{ "api-release", "release", CHECK },
	{ "api-deprecated", "deprecated", CHECK },
	{ "origin-address", "seen from", CHECK },
	{ "origin-country", "country", CHECK },
	{ "fingerprint", "fingerprint", CHECK },
	{ "token-scope", "scope", CHECK },
	{ "token-expires-in", "lifetime", CHECK | NUMBER | SECONDS },
	{ "reason", "reason", CHECK | REQUEST },
	{ "message", "message", CHECK | REQUEST },
	{ "retry-after", "retry after", CHECK | REQUEST | NUMBER },
	{ "rate-limit", "rate limit", CHECK | REQUEST },
	{ "source", NULL, CHECK },
	{ "age", NULL, CHECK | NUMBER },
	{ "attempts", NULL, REQUEST | NUMBER },
	{ "executed", NULL, REQUEST },
	{ "replayed", NULL, REQUEST },
	{ "idempotency-key", NULL, REQUEST },
	{ "request-id", "request id", CHECK | REQUEST },
};

#define FACTS	(sizeof(facts) / sizeof(facts[0]))

void
mn_facts_print(FILE *f, const char *profile, const struct monime_call *call)
{
	const char *value;
	size_t i;

	for (i = 0; i < FACTS; i++) {
		value = monime_call_get(call, facts[i].name);
		if (value != NULL && facts[i].label != NULL)
			mn_output_line(f, profile, MN_PLAIN, "%-12s %s%s",
			    facts[i].label, value,
			    facts[i].kinds & SECONDS ? " s" : "");
	}
}

void
mn_facts_json(struct json_object *o, enum mn_facts kind, int result,
    const struct monime_call *call)
{
	int status = monime_call_status(call);
	size_t i;

	mn_output_json_string(o, "result", mn_outcome_of(result)->name);
	if (status > 0)
		mn_output_json_number(o, "status", status);
	else
		mn_output_json_null(o, "status");
	for (i = 0; i < FACTS; i++) {
		if (facts[i].kinds & kind)
			mn_output_json_fact(o, facts[i].name,
			    monime_call_get(call, facts[i].name),
			    (facts[i].kinds & NUMBER) != 0);
	}
}

static void
add_fact(struct mn_text *t, const struct monime_call *call, const char *name,
    const char *label)
{
	const char *value = monime_call_get(call, name);

	if (value != NULL)
		mn_text_add(t, ", %s %s", label, value);
}

void
mn_facts_summary(const char *profile, const char *what, int result,
    const struct monime_call *call)
{
	struct mn_text t = MN_TEXT_INIT(4096);
	const char *error = monime_call_error(call);
	const char *made = monime_call_get(call, "attempts");
	int status = monime_call_status(call);
	bool sent = made != NULL && strcmp(made, "0") != 0;

	if (status > 0)
		mn_text_add(&t, "status %d", status);
	else
		mn_text_add(&t, "no status");
	add_fact(&t, call, "attempts", "attempts");
	add_fact(&t, call, "executed", "executed");
	add_fact(&t, call, "replayed", "replayed");
	add_fact(&t, call, "retry-after", "retry after");
	add_fact(&t, call, "request-id", "request id");
	if (result != MONIME_OK)
		mn_output_errors(profile, error[0] != '\0' ? error :
		    monime_strerror(result));
	/* What never left has no more to tell. */
	if (result == MONIME_OK || status > 0 || sent)
		(void)mn_output_error(profile, "%s: %s", what,
		    mn_text_get(&t));
	mn_text_free(&t);
}
