/* SPDX-License-Identifier: MIT */

/*
 * Whether the files of a profile have changed.  One thread at a time looks,
 * every "reload" at most; after a change sooner, since who writes may not have
 * done yet.  Nobody waits for it.
 */

#ifndef MN_RELOAD_H
#define MN_RELOAD_H

#include "edition.h"

struct monime;

#define MN_RELOAD_TELL	60000	/* ms between two lines on the same fault */
#define MN_RELOAD_SOON	100	/* ms from a change to the next look, and
				 * twice as long to each one after that */

struct mn_reload *mn_reload_new(const char *name, const char *folder);
void mn_reload_free(struct mn_reload *r);

/*
 * The edition for a new call, referenced, after a look where one is due.
 * *refused: no call may begin, the code is MONIME_EPOLICY; *refusal is a copy
 * of the reason, the caller's to free, or NULL where memory is short.
 */
struct mn_edition *mn_reload_edition(struct monime *m, bool *refused,
    char **refusal);

/*
 * Is there something that a new call has to see to: a look, or a refusal?  By
 * mn_verdicts_time(); takes no lock.
 */
bool mn_reload_due(const struct monime *m, int64_t now);

/* Look now, since a credential was refused; the edition after that. */
struct mn_edition *mn_reload_again(struct monime *m);

#endif
