/* SPDX-License-Identifier: MIT */

/*
 * The handle and the call: what verbs share.  A verb is a chain of steps; each
 * sends something or sleeps, and names the step that comes next.
 */

#ifndef MN_CALL_H
#define MN_CALL_H

#include <pthread.h>

#include "abi.h"

#include "answer.h"
#include "credential.h"
#include "edition.h"
#include "error.h"
#include "events.h"
#include "guard.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "oauth2.h"
#include "probe.h"
#include "profile.h"
#include "provider.h"
#include "retry.h"
#include "transfer.h"

#define MN_CALL_FACTS		24
#define MN_CALL_TRIES		4	/* credentials of one call */
#define MN_CHECK_ANSWER_MAX	65536	/* bytes of an answer to a check */
#define MN_CHECK_CONNECT	2000	/* ms */
#define MN_DEPRECATION		3600000	/* ms between two warnings */

struct monime {
	unsigned int references;	/* its owner's, and those of calls */
	int failure;		/* MONIME_OK, or why it did not open */
	struct mn_error error;
	struct mn_log log;
	struct mn_bucket bucket;
	int64_t deprecation_at;	/* no warning before; mn_loop_time() */

	struct mn_edition *first;	/* as opened: its facts stay true */
	struct mn_reload *reload;
	unsigned int *here;	/* fork.h */
	struct mn_metrics *metrics;	/* NULL: it did not open */
	struct mn_events *events;	/* (loop); NULL until it is needed */
	struct mn_probes *probes;
	struct mn_verdicts *verdicts;	/* of the edition that is now; atomic,
					 * NULL: ask the edition */

	pthread_mutex_t lock;	/* of all below */
	struct mn_edition *now;
	bool refused;			/* no call may begin; atomic, */
	char *refusal;			/* for this reason; NULL: no memory */
};

struct mn_fact {
	const char *name;
	const char *value;
	char *own;		/* the same where it has to be freed */
};

struct monime_call {
	enum mn_verb kind;
	int result;
	int status;
	bool remembered;		/* by found, which nobody has told */
	struct monime *m;		/* referenced */
	struct mn_edition *edition;	/* referenced; NULL: it did not open */
	void *data;
	struct mn_text head;		/* of the answer, or to set */
	struct mn_text body;
	struct mn_error error;
	struct mn_fact *fact;		/* MN_CALL_FACTS; NULL: none yet */
	size_t facts;
	struct mn_event event;
	struct mn_verdict found;

	/* Under way. */
	struct mn_loop *loop;		/* NULL: it has finished */
	struct mn_lanes *lanes;
	struct mn_wait wait;
	bool answered;			/* head and body are settled */
	struct mn_transfer transfer;
	struct mn_timer deadline;
	int64_t began;			/* when the clock did; -1: not yet */
	struct mn_timer pause;
	void (*next)(struct monime_call *call);
	bool expired;			/* the deadline has passed */
	struct mn_credential *credential;
	struct mn_token_fetch fetch;
	struct mn_secret *bearer;	/* a presented token's header line */
	int64_t retry_after;		/* seconds; -1: not told */
	bool asking;			/* the token test of a credential */
	struct mn_credential *tried[MN_CALL_TRIES];	/* and refused */
	size_t tries;
	bool fresh;			/* not on the edition's connections */
	int confirmations;		/* tried */
	void (*confirmed)(struct monime_call *call);
	void (*resend)(struct monime_call *call);	/* after a 401, or */
	void (*give_up)(struct monime_call *call);

	void *verb;			/* a verb's own */
	void (*verb_free)(void *verb);
	/* Wherever the call ends: what the result is in the light of all that
	 * the verb has done.  NULL: as it is. */
	int (*verb_settle)(struct monime_call *call, int result);
};

struct monime *mn_handle_keep(struct monime *m);
void mn_handle_free(struct monime *m);

/* A new call of a verb, or of monime_check_token(); or NULL. */
struct monime_call *mn_call_new_for(struct monime *m, enum mn_verb kind,
    void *data);
struct monime_call *mn_call_new(struct monime *m, void *data);

/*
 * One that asks about the bearer of another, for all who want to know.  It
 * ends in mn_probe_done().
 */
struct monime_call *mn_call_new_probe(const struct monime_call *call);

/* A finished one, of a token whose verdict is remembered. */
struct monime_call *mn_call_new_remembered(struct monime *m,
    const char *token, size_t len, void *data);

/* What monime_call_free() does, also within mn_fork_forget(). */
void mn_call_free(struct monime_call *call);

/*
 * End the call, with a text for a result that is none of success, and return
 * the result.  Once for each call.
 */
int mn_call_finish(struct monime_call *call, int result, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* The same where the reason stands in call->error already. */
int mn_call_end(struct monime_call *call, int result);

/* Let the answer at hand be the caller's, before something else is asked. */
void mn_call_keep_answer(struct monime_call *call);

/* Stop what is under way, so that the call can go; nothing is called then. */
void mn_call_abandon(struct monime_call *call);

/* It is nobody's: another one will be. */
void mn_call_forget_answer(struct monime_call *call);

/* Let the call tell what another has learned. */
void mn_call_copy(struct monime_call *call, const struct monime_call *from);

/* For a log: what came of a call, as loud as that is worth. */
void mn_call_log(struct monime *m, const char *name, int result,
    const char *text);

/*
 * Note a fact: a text, a copy of one, or a word that is static, as all names
 * are.  A later one of that name replaces it.
 */
void mn_call_fact(struct monime_call *call, const char *name,
    const char *fmt, ...) __attribute__((__format__(__printf__, 3, 4)));
void mn_call_fact_copy(struct monime_call *call, const char *name,
    const char *s);
void mn_call_fact_word(struct monime_call *call, const char *name,
    const char *word);

/*
 * The deadline counts from here.  False: memory is short, and the call has
 * ended.
 */
MONIME_MUST_CHECK
bool mn_call_clock(struct monime_call *call, int64_t timeout);

/*
 * Ask for method and path with these header lines in front of transfer.line;
 * then call next, unless the call is freed before.
 */
void mn_call_send(struct monime_call *call, enum mn_lane lane,
    void (*next)(struct monime_call *call));

/*
 * Milliseconds to wait before what failed with code is tried again, after so
 * many attempts; -1: it is not to be.  For what may be sent twice.
 */
int64_t mn_call_again(struct monime_call *call, int code, int attempts);
/* What is under way ends here; next is not called. */
void mn_call_stop(struct monime_call *call, const char *why);

/* Sleep; then call next. */
void mn_call_sleep(struct monime_call *call, int64_t ms,
    void (*next)(struct monime_call *call));

/*
 * Ask whose credential line is, and in which environment.  Fills the transfer
 * for GET /, answer size and all.
 */
void mn_call_ask(struct monime_call *call, const char *line,
    const char *target);

/*
 * What came of the exchange: a code, facts of the answer, and call->error's
 * text for all but success.
 */
int mn_call_outcome(struct monime_call *call);

/*
 * What the token test says: MONIME_OK, MONIME_EDENIED, MONIME_EENVIRONMENT,
 * or a code that means that nobody knows.
 */
int mn_call_token_test(struct monime_call *call, struct mn_token_test *test);

/*
 * Let call->credential be our own as it is now, then call next.  asked: it is
 * to be asked about, so that it does not matter what is remembered of it.
 */
void mn_call_credential(struct monime_call *call, bool asked,
    void (*next)(struct monime_call *call));

/*
 * Our own credential was refused; certain: by the token test itself.  What
 * this says of it is noted; then resend is called with another credential, or
 * give_up where there is none.
 */
void mn_call_refused(struct monime_call *call, bool certain,
    void (*resend)(struct monime_call *call),
    void (*give_up)(struct monime_call *call));

/* The same where nothing is to be sent again. */
void mn_call_note_refusal(struct monime_call *call, bool certain);

/* Somebody else saw a 401 for it: be sure before it is used again. */
void mn_call_distrust(struct monime_call *call);

/*
 * Unless the API has done so before, let it confirm our environment, then
 * call next; what it does not confirm ends the call.
 */
void mn_call_confirm(struct monime_call *call,
    void (*next)(struct monime_call *call));

/*
 * Start a verb and wait for it.  begin() starts the steps; the result is the
 * call's, which goes to *out or, where out is NULL, is freed.
 */
int mn_call_block(struct monime_call *call,
    void (*begin)(struct monime_call *call), struct monime_call **out);

/* Its end, for a call that has finished or is NULL. */
int mn_call_give(struct monime_call *call, struct monime_call **out);

#endif
