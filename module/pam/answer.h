/* SPDX-License-Identifier: MIT */

/*
 * What pam_monime.so and monime-pam-check say to each other.
 *
 * The module starts the helper with the arguments PROFILE USERS FOLDER DEBUG,
 * of which the last two may be empty, and writes the user and the token, a NUL
 * behind each, to its standard input.  The helper answers on standard output
 * with a line that is the verdict, and lines of "LEVEL TEXT" for the log, and
 * exits with the status that belongs to the verdict.
 */

#ifndef MN_ANSWER_H
#define MN_ANSWER_H

/*
 * The longest of either.  It fits into any pipe (PIPE_BUF): the host never
 * waits to write, and the helper never for the host to read.
 */
#define MN_ANSWER_REQUEST	4096
#define MN_ANSWER_MAX		4096

/* The most of an answer that are lines for the log; and what follows them. */
#define MN_ANSWER_LINES		(MN_ANSWER_MAX - 64)
#define MN_ANSWER_MORE		"4 there is more than an answer holds\n"

/* From the start of the helper to its end, whatever happens. */
#define MN_ANSWER_SECONDS	5

enum mn_verdict {
	MN_VERDICT_UNKNOWN,
	MN_VERDICT_DENIED,
	MN_VERDICT_CONFIGURATION,
	MN_VERDICT_ACCEPTED,
	MN_VERDICTS
};

/* Two signs for each, which a helper that errs will not give together. */
static const struct mn_answer {
	const char *word;
	int status;		/* monime(1)'s */
} mn_answers[MN_VERDICTS] = {
	[MN_VERDICT_UNKNOWN] = { "unknown", 3 },
	[MN_VERDICT_DENIED] = { "denied", 1 },
	[MN_VERDICT_CONFIGURATION] = { "configuration", 2 },
	[MN_VERDICT_ACCEPTED] = { "accepted", 0 },
};

#endif
