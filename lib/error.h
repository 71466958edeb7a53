/* SPDX-License-Identifier: MIT */

/*
 * Error texts: one line for each error, complete enough to act upon.  A line
 * is what mends a problem, so it may quote a path or a key; never a secret.
 */

#ifndef MN_ERROR_H
#define MN_ERROR_H

#include "abi.h"
#include "text.h"

/* The most text that one operation can have to say. */
#define MN_ERROR_MAX	16384

/* The most of one line; what is longer is cut and ends in "...". */
#define MN_ERROR_LINE	8191

struct mn_error {
	struct mn_text text;
};

#define MN_ERROR_INIT	{ MN_TEXT_INIT(MN_ERROR_MAX) }

/*
 * Add a line and return code, so that a refusal reads
 * "return mn_error_add(e, MONIME_EUNSAFE, ...)".  Bytes that are not printable
 * ASCII or UTF-8 are written as \xNN, so that a path cannot forge a line; so
 * are those characters that could make it look like another.
 */
int mn_error_add(struct mn_error *e, int code, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* The lines; empty when there is none; never NULL. */
const char *mn_error_get(const struct mn_error *e);

void mn_error_free(struct mn_error *e);

#endif
