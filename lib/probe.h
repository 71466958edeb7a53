/* SPDX-License-Identifier: MIT */

/*
 * Who finds out about a presented token: the table of verdicts remembers, or
 * one probe asks the API and all who want to know wait for what it learns.
 *
 * A probe belongs to the handle, not to the call that began it, and all of a
 * handle's run on one loop of their own.  Whoever waits may drive that loop: a
 * blocking call does while nobody else is at it, and a host's event loop has
 * it inside, so that neither depends on the other.
 */

#ifndef MN_PROBE_H
#define MN_PROBE_H

#include "loop.h"
#include "verdicts.h"

#define MN_PROBE_POLL		2	/* ms: to the first look at others */
#define MN_PROBE_POLL_MAX	32	/* ms: between the last ones */
#define MN_PROBE_GRACE		20	/* ms: the probe's own end tells more */
#define MN_PROBE_TOLD		64	/* calls of a loop told in one step */

struct mn_edition;
struct mn_probes;
struct mn_asking;
struct monime;
struct monime_call;

/* What a call has of it. */
struct mn_wait {
	struct mn_asking *asking;	/* NULL: it waits for none */
	struct monime_call *next;	/* of those that wait on a loop */
	struct monime_call **link;
};

/* A handle's; NULL: no memory. */
struct mn_probes *mn_probe_new(void);
void mn_probe_free(struct mn_probes *p);

/* Give up all that is under way; in the child of a fork: forget it. */
void mn_probe_close(struct monime *m);
void mn_probe_forget(struct monime *m);

/*
 * The edition's table answers mn_probe_remembered() from now on.  Tables that
 * did so once stay until the handle goes, since whoever looks takes no lock.
 * A handle that is in use holds its lock meanwhile.
 */
void mn_probe_publish(struct monime *m, struct mn_edition *e);

/*
 * Is there a verdict on the token?  No lock, no memory, no system call.  False
 * also when the handle has something else to see to first.
 */
bool mn_probe_remembered(struct monime *m, const char *token, size_t len,
    struct mn_verdict *found);

/*
 * Answer so, with a call where out is not NULL.  What such a call tells is
 * made when somebody asks for it: mn_probe_tell().
 */
int mn_probe_answer(struct monime *m, const char *token, size_t len,
    const struct mn_verdict *found, void *data, struct monime_call **out);
void mn_probe_tell(struct monime_call *call);

/*
 * Let a call that has its bearer find the verdict, on its loop or blocking.
 * ask() takes the steps that ask the API, in the name of a call of the probe's
 * own, which has the bearer and what the verb keeps.
 */
void mn_probe_join(struct monime_call *call,
    void (*ask)(struct monime_call *call));
int mn_probe_block(struct monime_call *call,
    void (*ask)(struct monime_call *call), struct monime_call **out);

/* The probe's own call has ended; it need not be there afterwards. */
void mn_probe_done(struct monime_call *call);

/* The call goes. */
void mn_probe_leave(struct monime_call *call);

#endif
