/* SPDX-License-Identifier: MIT */

/* What a finished call has to tell, as lines or as JSON. */

#ifndef MN_FACTS_H
#define MN_FACTS_H

#include <stdio.h>

#include "monime.h"

struct json_object;

enum mn_facts {
	MN_FACTS_CHECK = 1 << 0,
	MN_FACTS_REQUEST = 1 << 1
};

/* Those of a check that are known, one line each. */
void mn_facts_print(FILE *f, const char *profile,
    const struct monime_call *call);

/*
 * Result, status, and those of that kind; what is unknown is null, so that
 * the same names are always there.  call may be NULL.
 */
void mn_facts_json(struct json_object *o, enum mn_facts kind, int result,
    const struct monime_call *call);

/* Those of a request on one line of standard error, behind what failed. */
void mn_facts_summary(const char *profile, const char *what, int result,
    const struct monime_call *call);

#endif
