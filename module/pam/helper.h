/* SPDX-License-Identifier: MIT */

/* Asking monime-pam-check, from within a host that must not notice. */

#ifndef MN_HELPER_H
#define MN_HELPER_H

#include <stdbool.h>

#include "answer.h"

struct mn_question {
	const char *profile;
	const char *users;
	const char *folder;	/* "": the built-in one */
	bool debug;
	const char *user;
	const char *token;
};

/* A line for the log; level is syslog(3)'s. */
typedef void mn_helper_log(void *data, int level, const char *line);

/*
 * Start the helper, ask it, and see it end, in MN_ANSWER_SECONDS.  Whatever
 * goes wrong is MN_VERDICT_UNKNOWN, or MN_VERDICT_CONFIGURATION where the
 * helper is not there, and a line.
 */
enum mn_verdict mn_helper_ask(const struct mn_question *q,
    mn_helper_log *log, void *data);

#endif
