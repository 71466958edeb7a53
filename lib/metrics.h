/* SPDX-License-Identifier: MIT */

/*
 * Counters of what the verbs do, in memory that all processes share which were
 * forked since the profile was opened.  A thread adds to a slot of its own, so
 * that two threads do not wait for each other's cache line; whoever reads adds
 * the slots up.  Nothing here says who presented a token, or which.
 *
 * Whoever can write that memory can make the numbers lie, and nothing else:
 * nothing in it is a pointer, a length or an index.
 */

#ifndef MN_METRICS_H
#define MN_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "profile.h"
#include "provider.h"

#define MN_METRICS_SLOTS	64	/* beyond them threads share one */

struct mn_metrics;
struct monime;
struct monime_call;

/* What a call is, which decides where its end is counted. */
enum mn_verb {
	MN_VERB_CHECK,		/* monime_check_token() */
	MN_VERB_PROBE,		/* what asks for those */
	MN_VERB_CREDENTIAL,	/* monime_check_credential() */
	MN_VERB_REQUEST,
	MN_VERB_AUTHORIZE,
	MN_VERBS
};

/* The values of the fact "source". */
enum mn_source {
	MN_SOURCE_NETWORK,
	MN_SOURCE_CACHE,
	MN_SOURCE_STALE,
	MN_SOURCE_LOCAL,
	MN_SOURCES
};

/* What is counted, with the one or two things that tell its numbers apart. */
enum mn_counter {
	MN_COUNT_VERDICTS,	/* result code, enum mn_source */
	MN_COUNT_PROBES,	/* result code */
	MN_COUNT_REQUESTS,	/* result code, enum mn_status_class */
	MN_COUNT_AUTHORIZATIONS,	/* result code */
	MN_COUNT_CREDENTIAL_CHECKS,	/* result code */
	MN_COUNT_WEBHOOKS,	/* result code */
	MN_COUNT_TOKEN_FETCHES,	/* result code */
	MN_COUNT_RETRIES,
	MN_COUNT_BENCHED,	/* calls that were not sent for it */
	MN_COUNT_LIMITS,	/* enum mn_layer, presented */
	MN_COUNT_RELOADS,	/* enum mn_reloaded */
	MN_COUNTERS
};

enum mn_status_class {
	MN_STATUS_2XX,
	MN_STATUS_3XX,
	MN_STATUS_4XX,
	MN_STATUS_5XX,
	MN_STATUS_NONE,		/* no answer */
	MN_STATUS_OTHER,
	MN_STATUS_CLASSES
};

enum mn_layer {
	MN_LAYER_TOKEN,
	MN_LAYER_SPACE,
	MN_LAYER_ENDPOINT,
	MN_LAYER_UNTOLD,
	MN_LAYERS
};

enum mn_reloaded {
	MN_RELOADED_TAKEN,	/* the new profile holds from now on */
	MN_RELOADED_REFUSED,	/* it is wrong or unsafe: the old one holds */
	MN_RELOADED_WITHDRAWN,	/* calls are refused from now on */
	MN_RELOADEDS
};

/* Result codes, from 0 downwards. */
#define MN_METRICS_RESULTS	17

/*
 * The counters of the profile that was read from path: new ones, or those that
 * this process has open already.  NULL: no memory.
 */
struct mn_metrics *mn_metrics_open(const char *path,
    const struct mn_provider *provider);
void mn_metrics_close(struct mn_metrics *x);

/* In the child of a fork: its threads take slots of their own. */
void mn_metrics_forget(void);

/*
 * Add one.  a and b are as the comment of the counter says, or 0.  Takes no
 * lock and makes no system call; so do all functions up to the next comment.
 */
void mn_metrics_count(struct monime *m, enum mn_counter what, int a, int b);

/*
 * A verdict on a presented token.  What ends in mn_call_end() is counted
 * there: this is for those who answer without a call.
 */
void mn_metrics_verdict(struct monime *m, int result, enum mn_source source);

/* The call has ended: mn_call_end() says so. */
void mn_metrics_end(struct monime_call *call);

/* The call's probe of a presented token has ended, and how. */
void mn_metrics_probe(struct monime_call *call, int result);

/* Status 429; layer is what "Monime-Rate-Limit" said, or NULL. */
void mn_metrics_limited(struct monime_call *call, const char *layer);

/* What the token test said of the API version that our credential uses. */
void mn_metrics_deprecated(struct monime *m, bool deprecated);

#endif
