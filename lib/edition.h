/* SPDX-License-Identifier: MIT */

/*
 * An edition: a profile as it was read at one time, with all that follows from
 * it.  It never changes.  A call works with one edition from start to end; a
 * changed file makes a new one, which new calls take up, whole or not at all.
 * The connections of an edition are its own, so they go when it goes.
 */

#ifndef MN_EDITION_H
#define MN_EDITION_H

#include <pthread.h>

#include "credential.h"
#include "error.h"
#include "loop.h"
#include "profile.h"
#include "provider.h"

#define MN_LOOPS_KEPT	64	/* idle, each with its connections */

struct mn_oauth2;
struct mn_verdicts;

struct mn_edition {
	unsigned int references;
	struct mn_profile *profile;
	const struct mn_provider *provider;
	struct mn_wire_config wire;
	struct mn_credential *credential;	/* static; NULL: none */
	struct mn_credential *former;	/* the edition's before, or NULL */
	bool former_refused;		/* it is no good either; atomic */
	struct mn_oauth2 *oauth2;	/* NULL: not the way of this product */
	struct mn_verdicts *verdicts;	/* on presented tokens */

	/* Loops of blocking verbs: a thread takes one for a call. */
	pthread_mutex_t lock;
	bool retired;
	struct mn_lanes *idle[MN_LOOPS_KEPT];
	size_t idles;
};

/*
 * Read a profile and judge it; results as of mn_profile_open() and
 * mn_guard_profile().  *withdrawn: this host may not use the environment.
 */
int mn_edition_open(const char *name, const char *folder,
    struct mn_edition **e, bool *withdrawn, struct mn_error *error);

struct mn_edition *mn_edition_keep(struct mn_edition *e);
void mn_edition_free(struct mn_edition *e);

/* No more calls will begin with it: what is idle goes now. */
void mn_edition_retire(struct mn_edition *e);

/*
 * Take up what the former edition knew: its credential, until ours is proved;
 * its access token, until there is one of ours.
 */
void mn_edition_succeed(struct mn_edition *e, struct mn_edition *former);

/* May an open handle go over from one to the other?  Else *what differs. */
bool mn_edition_compatible(const struct mn_edition *a,
    const struct mn_edition *b, const char **what);

/* The lanes in a loop that more than one edition uses, one after the other. */
struct mn_edition_lanes {
	struct mn_edition *edition;	/* whose lanes these are */
	struct mn_lanes *lanes;
};

/* Those for an edition: new ones where it is another.  NULL: no memory. */
struct mn_lanes *mn_edition_lanes(struct mn_edition_lanes *now,
    struct mn_loop *l, struct mn_edition *e);
void mn_edition_lanes_retire(struct mn_edition_lanes *now);

/* NULL: no descriptor or no memory. */
struct mn_lanes *mn_edition_loop_take(struct mn_edition *e);
void mn_edition_loop_give(struct mn_edition *e, struct mn_lanes *lanes);

/* In the child of a fork: none of its loops is ours. */
void mn_edition_forget(struct mn_edition *e);

#endif
