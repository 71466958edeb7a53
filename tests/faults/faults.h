/* SPDX-License-Identifier: MIT */

/*
 * The fault sweep: what a scenario is.
 *
 * A scenario is one use of the library.  It is run once as it is, then once
 * for each point at which something can fail, each in a child of its own:
 * before() without faults, act() with one, next() without again.
 */

#ifndef TESTS_FAULTS_FAULTS_H
#define TESTS_FAULTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "inject.h"
#include "monime.h"
#include "sandbox.h"

#define TEXT	1024

/* What a child tells; it is shared with its parent. */
struct outcome {
	bool began;		/* the act */
	bool ended;		/* the child, in good order */
	int code;		/* of the act */
	char wrong[TEXT];	/* what was not as it must be; empty: nothing */
	char crash[4 * TEXT];	/* its backtrace */
	bool crash_is_ours;
	uint32_t others;	/* blocks that other libraries have left */
	uint32_t tls;
	bool must_leave_nothing;
	bool lost;		/* more than they do otherwise */
};

struct run {
	const struct scenario *scenario;
	struct outcome *out;
	struct monime *m;
	struct monime_call *call;
	const char *token;
	char *buffer;
	int fd;
};

enum {
	MAY = 1,	/* a yes is right: the token or the signature is good */
	FIRST = 2,	/* nothing of the process has been used before */
	OPENS = 4,	/* the act opens the handle itself */
	INHERITS = 8,	/* the handle is the parent's, in use there */
	COUNTS = 16,	/* writes: what was executed is asked of the sandbox */
	SILENT = 32,	/* the act has no error text of its own */
	WITHDRAWN = 64,	/* a yes is right until the profile is read anew */
	REWRITES = 128,	/* files, which the next run needs as they were */
	UNDER_WAY = 256, /* something still is: time must not leap */
};

struct scenario {
	const char *name;
	const char *profile;
	unsigned int flags;
	const char *token;		/* by its name in the sandbox */
	void (*before)(struct run *r);	/* may be NULL */
	int (*act)(struct run *r);	/* sets r->call where there is one */
	int (*next)(struct run *r);	/* NULL: act, once more */
	int then;			/* what next must give */
};

extern const struct scenario scenarios[];
extern const size_t scenarios_n;

/* Where their profiles are; the sandbox is NULL before those of the first. */
extern struct sandbox *sandbox;
extern const char *folder;

void
scenarios_write_first(const char *folder);
void
scenarios_write(void);
void
scenarios_restore(void);

/* Note what is not as it must be, unless something is noted already. */
void
wrong(struct run *r, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));

#endif
