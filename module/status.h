/* SPDX-License-Identifier: MIT */

/*
 * What a server's status location answers: the counters of its profiles, to a
 * collector as OpenMetrics, to people as a page.  Shared by the modules of web
 * servers; of the library it needs monime_metrics() alone.
 */

#ifndef MN_STATUS_H
#define MN_STATUS_H

#include <stdbool.h>
#include <stddef.h>

struct monime;

struct mn_status {
	const char *format;	/* as monime_metrics() names it */
	const char *type;	/* the Content-Type of it */
};

/* Counters grow: nobody is to keep an answer. */
#define MN_STATUS_CACHE_CONTROL	"no-store"

/*
 * Does the value of an Accept header name text/html?  People's browsers do;
 * collectors and most clients of an API do not.
 */
bool mn_status_for_people(const char *accept, size_t len);

/* What to answer.  Static. */
const struct mn_status *mn_status_choose(bool people);

/* The text of it, to be freed, and its length; NULL: memory is short. */
char *mn_status_text(const struct mn_status *s, struct monime *const *m,
    size_t n, size_t *len);

#endif
