/* SPDX-License-Identifier: MIT */

/*
 * What the APIs say, taken out of their JSON.  Types and lengths are tested
 * before anything is believed; what does not fit is left out.
 */

#ifndef MN_ANSWER_H
#define MN_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "secret.h"
#include "text.h"

#define MN_ANSWER_DEPTH		32	/* levels of nested JSON */
#define MN_ANSWER_WORD		64	/* bytes of an id or a reason */
#define MN_ANSWER_MESSAGE	512	/* bytes of a message; more is cut */

struct mn_parameter {
	const char *name;
	const char *value;
};

/* Monime: "Quick Token Test".  "" and false: not told. */
struct mn_token_test {
	bool authenticated;
	char environment[MN_ANSWER_WORD + 1];
	char version[MN_ANSWER_WORD + 1];
	char release[MN_ANSWER_WORD + 1];	/* "caph 2025-06-20" */
	bool deprecated_told;
	bool deprecated;
	char country[3];
	char address[46];
};

/*
 * false: this is no answer to the token test, and *why is a fixed phrase.
 * True says only that "authenticated" is a verdict.
 */
bool mn_answer_token_test(const char *body, size_t len,
    struct mn_token_test *t, const char **why);

/* The error envelopes of Monime, of Mono and of RFC 6749 5.2. */
struct mn_answer_error {
	char reason[MN_ANSWER_WORD + 1];	/* [a-z0-9_] */
	char message[MN_ANSWER_MESSAGE + 1];	/* as it came: untrusted */
	char id[MN_ANSWER_WORD + 1];		/* [A-Za-z0-9_-] */
};

/* Whatever of it is there. */
void mn_answer_error(const char *body, size_t len, struct mn_answer_error *e);

/* RFC 6749 5.1.  A refresh token is not looked at: 4.4.3 has none. */
struct mn_answer_token {
	struct mn_secret *token;	/* the caller's to free */
	int64_t lifetime;		/* seconds; 0: not told */
	char scope[MN_ANSWER_MESSAGE + 1];
};

/* false: this is no bearer token; *why is a fixed phrase. */
bool mn_answer_token(const char *body, size_t len, struct mn_answer_token *t,
    const char **why);

/* A JSON object of n strings; false: memory is short. */
bool mn_answer_object(const struct mn_parameter *parameters, size_t n,
    struct mn_text *out);

/* An id that somebody else chose, fit for a log; false: *id is "". */
bool mn_answer_id(const char *value, char id[MN_ANSWER_WORD + 1]);

#endif
