/* SPDX-License-Identifier: MIT */

/*
 * What web servers refuse, and in which words: the verdict on a token, the
 * answer to whom it does not let in, and the headers that no client may send
 * where requests are authorized.  Shared by the modules of web servers; of the
 * library it needs monime_http_status() alone.  All strings are static.
 */

#ifndef MN_REFUSAL_H
#define MN_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

/* No result code of the library's: it was not asked. */
#define MN_REFUSAL_UNKNOWN	1

/* Of Retry-After, where the library does not say, in seconds. */
#define MN_REFUSAL_RETRY_AFTER	"1"

struct mn_refusal {
	int status;
	const char *challenge;	/* of WWW-Authenticate, or NULL */
	const char *body;	/* JSON */
};

/* The result of a check in a word, as variables and logs have it. */
const char *mn_refusal_verdict(int result);

/* For whatever it is; what is no refusal at all becomes a failure. */
struct mn_refusal mn_refusal_of_status(int status);

/* Of a token that was presented. */
struct mn_refusal mn_refusal_of_token(int result);

/*
 * Of who presented none.  The value of the Authorization header, if there is
 * one, tells whether that was meant.
 */
struct mn_refusal mn_refusal_of_nobody(int result, const char *header,
    size_t len);

/* The same but for case, and "-" and "_", which some readers take for one? */
bool mn_refusal_same_name(const char *name, size_t len, const char *other);

/*
 * Would a client by this header change what is asked of whom, when it is we who
 * ask?
 */
bool mn_refusal_smuggles(const char *name, size_t len);

#endif
