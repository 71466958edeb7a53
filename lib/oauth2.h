/* SPDX-License-Identifier: MIT */

/*
 * OAuth 2.0 (RFC 6749): where an edition's access tokens come from.  One fetch
 * at a time; everybody who waits gets its result.
 */

#ifndef MN_OAUTH2_H
#define MN_OAUTH2_H

#include "loop.h"
#include "profile.h"

struct mn_oauth2;
struct mn_credential;
struct monime_call;

#define MN_OAUTH2_ANSWER_MAX	65536	/* bytes */
#define MN_OAUTH2_REMEMBERED	30000	/* ms that a refusal is, at most */
#define MN_OAUTH2_EARLY_RETRY	5000	/* ms after an early refresh failed */
#define MN_OAUTH2_MARGIN_MAX	60000	/* ms before the end, at most ... */
#define MN_OAUTH2_MARGIN_PART	5	/* ... and that part of the lifetime */
#define MN_OAUTH2_LIFETIME_MAX	2592000	/* s: 30 days */
#define MN_OAUTH2_PARAMETERS	(8 + MN_PROFILE_ITEMS)
#define MN_OAUTH2_TEXT		1024	/* bytes of an error */

/* What a call has of it. */
struct mn_token_fetch {
	void (*next)(struct monime_call *call);	/* with the token */
	bool forced;			/* one in hand is not enough */

	bool waiting;			/* for somebody else's fetch */
	struct monime_call *next_waiting;
	struct mn_waiter waiter;
	int told;			/* what came of it */
	char *told_text;		/* NULL: memory was short */

	bool ours;			/* this call fetches */
	bool early;			/* the old token is still good */
	int tries;
	int64_t began;			/* the last try */
	struct mn_text body;
	struct mn_text line;		/* of the client's authentication */
};

/* The profile and the origin outlive it.  NULL: memory is short. */
struct mn_oauth2 *mn_oauth2_new(const struct mn_profile *p,
    const char *origin);
void mn_oauth2_free(struct mn_oauth2 *o);

/*
 * The profile was read anew: a token that the former one got with the same
 * request, whatever the secrets, is good until there is one of our own.
 */
void mn_oauth2_succeed(struct mn_oauth2 *o, struct mn_oauth2 *former);

/*
 * Let call->credential be a token that is good now, then call next; where none
 * is to be had the call ends.  forced: ask the endpoint in any case.
 */
void mn_oauth2_get(struct monime_call *call, bool forced,
    void (*next)(struct monime_call *call));

/*
 * The API refused that token: it is not to be handed out again.  Where it
 * refuses one after the other the endpoint has a rest.
 */
void mn_oauth2_drop(struct mn_oauth2 *o, const struct mn_credential *c);

/* In the child of a fork: nobody fetches here. */
void mn_oauth2_forget(struct mn_oauth2 *o);

/* The call goes: nobody waits for it, and it waits for nobody. */
void mn_oauth2_leave(struct monime_call *call);

#endif
