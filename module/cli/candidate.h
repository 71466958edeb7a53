/* SPDX-License-Identifier: MIT */

/*
 * A configuration folder of its own, in which a new token is tried before it
 * replaces the old one.  It stands within the environment's folder, so that
 * the token never touches another file system, and goes when the program
 * does, by a signal as well.
 */

#ifndef MN_CANDIDATE_H
#define MN_CANDIDATE_H

#include <stdbool.h>

#include "cli.h"
#include "secret.h"

struct mn_candidate {
	int at;			/* the environment's folder */
	const char *environment;
	const char *name;	/* without its environment */
	struct mn_text path;	/* of the candidate, a configuration folder */
	struct mn_text real;	/* what stands in its place in messages */
};

/* Wait for the lock that one set-token at a time holds. */
bool mn_candidate_lock(int at, const char *folder);

/* Make it.  host (monime.conf) may be NULL.  False: the reason was told. */
bool mn_candidate_make(struct mn_candidate *c, const struct mn_secret *host,
    const void *conf, size_t len, const struct mn_secret *token);

/* Put the token, and first a new NAME.conf, into place for good. */
bool mn_candidate_install(struct mn_candidate *c, bool conf);

/* Remove what is left of it. */
void mn_candidate_remove(struct mn_candidate *c);

/* Lines of the library that speak of the candidate, as of the real files. */
void mn_candidate_tell(const struct mn_candidate *c, const char *profile,
    const char *lines);

#endif
