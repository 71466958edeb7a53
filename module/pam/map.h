/* SPDX-License-Identifier: MIT */

/* The map of PAM: whose tokens are whose, by their fingerprints. */

#ifndef MN_MAP_H
#define MN_MAP_H

#include <stdbool.h>

#include "error.h"

struct mn_map_found {
	bool user;		/* has a line */
	bool token;		/* is one of this user's */
};

/*
 * Look a user and a token's fingerprint up in the file.  Every fingerprint of
 * it is compared, whoever's it is, in a time that tells neither who has a line
 * nor how much of a fingerprint was right.  fingerprint has room for
 * MONIME_FINGERPRINT_SIZE bytes; one that is empty is nobody's.
 *
 * MONIME_EUNSAFE, MONIME_ECONFIG: the file is not safe, missing or wrong, and
 * a line tells each error; found then says that nothing was.
 */
int mn_map_find(const char *path, const char *user, const char *fingerprint,
    struct mn_map_found *found, struct mn_error *e);

#endif
