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
#include "error.h"
#include "guard.h"
#include "log.h"
#include "loop.h"
#include "profile.h"
#include "provider.h"
#include "retry.h"
#include "transfer.h"

#define MN_CALL_FACTS		24
#define MN_CHECK_ANSWER_MAX	65536	/* bytes of an answer to a check */
#define MN_CHECK_CONNECT	2000	/* ms */
#define MN_LOOPS_KEPT		64	/* idle, each with its connections */

struct monime {
	unsigned int references;	/* its owner's, and those of calls */
	int failure;		/* MONIME_OK, or why it did not open */
	bool closed;
	struct mn_error error;
	struct mn_log log;
	struct mn_profile *profile;
	const struct mn_provider *provider;
	struct mn_wire_config wire;
	struct mn_credential *credential;	/* NULL: none */
	struct mn_bucket bucket;

	/* Loops of blocking verbs: a thread takes one for a call. */
	pthread_mutex_t lock;
	struct mn_loop *idle[MN_LOOPS_KEPT];
	size_t idles;
};

struct monime_call {
	struct monime *m;		/* referenced */
	int result;
	void *data;
	int status;
	struct mn_text head;		/* of the answer, or to set */
	struct mn_text body;
	struct mn_error error;
	struct {
		const char *name;
		char *value;
	} fact[MN_CALL_FACTS];
	size_t facts;

	/* Under way. */
	struct mn_loop *loop;
	struct mn_transfer transfer;
	struct mn_timer deadline;
	struct mn_timer pause;
	void (*next)(struct monime_call *call);
	bool expired;			/* the deadline has passed */
	struct mn_credential *credential;
	struct mn_secret *bearer;	/* a presented token's header line */
	int64_t retry_after;		/* seconds; -1: not told */

	void (*after)(struct monime_call *call);	/* confirmation */

	void *verb;			/* a verb's own */
	void (*verb_free)(void *verb);
};

struct monime *mn_handle_keep(struct monime *m);
void mn_handle_free(struct monime *m);

/* A new call, or NULL. */
struct monime_call *mn_call_new(struct monime *m, void *data);

/*
 * End the call, with a text for a result that is none of success, and return
 * the result.  Once for each call.
 */
int mn_call_finish(struct monime_call *call, int result, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* The same where the reason stands in call->error already. */
int mn_call_end(struct monime_call *call, int result);

/* Note a fact; name is static.  A later one of that name replaces it. */
void mn_call_fact(struct monime_call *call, const char *name,
    const char *fmt, ...) __attribute__((__format__(__printf__, 3, 4)));

/* The deadline counts from here. */
void mn_call_clock(struct monime_call *call, int64_t timeout);

/*
 * Ask for method and path with these header lines in front of transfer.line;
 * then call next, unless the call is freed before.
 */
void mn_call_send(struct monime_call *call, enum mn_lane lane,
    void (*next)(struct monime_call *call));

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

#endif
