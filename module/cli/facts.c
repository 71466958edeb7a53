/* SPDX-License-Identifier: MIT */

/* The facts of a call in the order in which people read them. */

#define _GNU_SOURCE
#include "facts.h"

#include <string.h>

#include "cli.h"
#include "output.h"

#include "banned.h"

/* By monime(3).  label NULL: for scripts alone. */
static const struct {
	const char *name;
	const char *label;
} facts[] = {
	{ "environment", "environment" },
	{ "api-version", "API version" },
	{ "api-release", "release" },
	{ "api-deprecated", "deprecated" },
	{ "origin-address", "seen from" },
	{ "origin-country", "country" },
	{ "scope", "scope" },
	{ "expires-in", "expires in" },
	{ "fingerprint", "fingerprint" },
	{ "reason", "reason" },
	{ "message", "message" },
	{ "retry-after", "retry after" },
	{ "source", "source" },
	{ "age", NULL },
	{ "attempts", NULL },
	{ "executed", NULL },
	{ "replayed", NULL },
	{ "idempotency-key", NULL },
	{ "request-id", "request id" },
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
			mn_output_line(f, profile, MN_PLAIN, "%-12s %s",
			    facts[i].label, value);
	}
}

void
mn_facts_json(struct json_object *o, int result,
    const struct monime_call *call)
{
	const struct mn_outcome *outcome = mn_outcome_of(result);
	int status = monime_call_status(call);
	const char *error = monime_call_error(call);
	size_t i;

	mn_output_json_string(o, "verdict", outcome->verdict);
	mn_output_json_string(o, "result", outcome->name);
	if (status > 0)
		mn_output_json_number(o, "status", status);
	else
		mn_output_json_null(o, "status");
	for (i = 0; i < FACTS; i++)
		mn_output_json_fact(o, facts[i].name,
		    monime_call_get(call, facts[i].name));
	mn_output_json_string(o, "error", error[0] != '\0' ? error : NULL);
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
	int status = monime_call_status(call);

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
	(void)mn_output_error(profile, "%s: %s", what, mn_text_get(&t));
	mn_text_free(&t);
}
