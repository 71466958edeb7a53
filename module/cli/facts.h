/* SPDX-License-Identifier: MIT */

/* What a finished call has to tell, as lines or as JSON. */

#ifndef MN_FACTS_H
#define MN_FACTS_H

#include <stdio.h>

#include "monime.h"

struct json_object;

/* The facts that are known, one line each. */
void mn_facts_print(FILE *f, const char *profile,
    const struct monime_call *call);

/* All facts, the unknown ones as null, with status, code and error. */
void mn_facts_json(struct json_object *o, int result,
    const struct monime_call *call);

/* The same on one line, for a request's summary: "status 422, 1 attempt". */
void mn_facts_summary(const char *profile, const char *what, int result,
    const struct monime_call *call);

#endif
