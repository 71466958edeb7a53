/* SPDX-License-Identifier: MIT */

/*
 * What is remembered of presented tokens, for all processes that were forked
 * from the one that opened the profile, and who of them may ask the API.
 *
 *	if (mn_verdicts_look(v, token, len, now, &id, &found))
 *		answer(&found);
 *	else switch (mn_verdicts_claim(v, &id, now, deadline, &probe, &found)) {
 *	case MN_CLAIM_HIT:	answer(&found);
 *	case MN_CLAIM_MINE:	ask the API, then mn_verdicts_store() or, where
 *				nothing came of it, mn_verdicts_release()
 *	case MN_CLAIM_BUSY:	claim again in a few milliseconds
 *	case MN_CLAIM_LIMITED:	nobody knows
 *	}
 *
 * No function waits for another thread or process, and none but _open
 * allocates.  Whoever dies anywhere in here blocks nobody.  What stands in the
 * mapping is not trusted: whatever its bytes are, a verdict that is found is
 * one that was stored for that very token.
 *
 * Times are mn_verdicts_time()'s, read for the call that they are given to: a
 * time from before somebody else's probe does not see its verdict.
 */

#ifndef MN_VERDICTS_H
#define MN_VERDICTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secret.h"

#define MN_VERDICTS_ENTRY	64	/* bytes of memory for a verdict */
#define MN_VERDICTS_PROBES	512	/* the most at once */
#define MN_VERDICTS_HOLD	1000	/* ms that an outage is held */
#define MN_VERDICTS_KNOWN	3600000	/* ms that a lapsed yes still tells */

struct mn_verdicts;

/* The check block of a profile, in its units. */
struct mn_verdicts_config {
	int64_t ttl;
	int64_t negative_ttl;
	int64_t stale;
	int64_t timeout;	/* no claim lives longer */
	int64_t entries;
	int64_t probes;
	int64_t probe_rate;	/* a second */
};

/* What a token is called in the table; it betrays nothing of it. */
struct mn_verdict_id {
	uint64_t half[2];
};

struct mn_verdict {
	int code;		/* MONIME_OK, a refusal, or an unknown's */
	bool stale;		/* a yes past its time, for want of an answer */
	int64_t age;		/* ms since its probe began */
};

/* Somebody's right to ask about a token.  It may be handed on by copying. */
struct mn_probe {
	struct mn_verdict_id id;
	int64_t started;
	int64_t deadline;	/* when the claim ends by itself */
	uint64_t claim;		/* 0: none is held */
	size_t slot;
};

enum mn_claim {
	MN_CLAIM_HIT,
	MN_CLAIM_MINE,
	MN_CLAIM_BUSY,		/* until probe->deadline at the latest */
	MN_CLAIM_LIMITED	/* so many are asked about, or were just now */
};

/* What the table holds, as far as its bytes can be believed. */
struct mn_verdicts_count {
	size_t accepted;
	size_t refused;
	size_t unknown;
	size_t probes;
};

/*
 * The table of that configuration and those pieces: origin, environment,
 * Space, the rest of the check block, which file it was.  A process that has
 * one open gets that.  NULL: no memory.
 */
struct mn_verdicts *mn_verdicts_open(const struct mn_verdicts_config *config,
    const struct mn_piece *pieces, size_t n);

struct mn_verdicts *mn_verdicts_keep(struct mn_verdicts *v);

/* The last of a process takes its own mapping away, nobody else's. */
void mn_verdicts_close(struct mn_verdicts *v);

/*
 * Milliseconds by a clock that nobody sets and that costs next to nothing; it
 * may be some behind mn_loop_time().
 */
int64_t mn_verdicts_time(void);

/* Is there a verdict?  Takes no lock and makes no system call. */
bool mn_verdicts_look(const struct mn_verdicts *v, const char *token,
    size_t len, int64_t now, struct mn_verdict_id *id,
    struct mn_verdict *found);

/*
 * Who asks?  One probe for a token at a time, at most "probes" in all and
 * "probe_rate" a second; half of both is for tokens that were good before.
 * The claim ends with mn_verdicts_store(), mn_verdicts_release(), the process
 * or the deadline, which "timeout" bounds.
 */
enum mn_claim mn_verdicts_claim(struct mn_verdicts *v,
    const struct mn_verdict_id *id, int64_t now, int64_t deadline,
    struct mn_probe *probe, struct mn_verdict *found);

/*
 * The probe has ended so.  outage: by a connection failure, a time-out or a
 * 5xx, over which "stale" may prolong a yes.  found is what to answer now,
 * which need not be the same.  What a fork copied stores nothing.
 */
void mn_verdicts_store(struct mn_verdicts *v, struct mn_probe *probe,
    int code, bool outage, int64_t now, struct mn_verdict *found);

/* The probe was given up: somebody else may have it.  Harmless twice. */
void mn_verdicts_release(struct mn_verdicts *v, struct mn_probe *probe);

void mn_verdicts_count(const struct mn_verdicts *v, int64_t now,
    struct mn_verdicts_count *count);

/* The mapping, for its size and for those who test what others do to it. */
void *mn_verdicts_memory(const struct mn_verdicts *v, size_t *size);

#endif
