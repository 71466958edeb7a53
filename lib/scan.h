/* SPDX-License-Identifier: MIT */

/*
 * Take the values out of a settings file before libconfig sees it.
 *
 * Every string and number is replaced by a small number that says where it
 * stands; comments go.  So libconfig, whose copies nobody can wipe and some of
 * which it never frees, holds no secret, and no version of it can turn a number
 * into another one or include a file.
 */

#ifndef MN_SCAN_H
#define MN_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "text.h"

/* The most bytes of a key, and of anything else outside quotes. */
#define MN_SCAN_NAME	31

/* The deepest nesting of { [ ( that is looked at. */
#define MN_SCAN_DEPTH	8

/* The largest file, so that a placeholder has at most six digits. */
#define MN_SCAN_MAX	65536

/* The text for libconfig is at most this many times as long as the file. */
#define MN_SCAN_GROWTH	8

struct mn_literal {
	const char *s;		/* a string ends in a NUL, a number need not */
	size_t len;
	size_t offset;
	bool number;
};

/*
 * Write what is left of the file to out, line for line, and decode its strings
 * where they stand: s, which ends in a NUL beyond len, is changed.
 * MONIME_ECONFIG, with one line, or MONIME_ENOMEM.
 */
int mn_scan(const char *path, char *s, size_t len, struct mn_text *out,
    struct mn_error *e);

/* What a placeholder stands for; false: it is none. */
bool mn_scan_literal(const char *s, size_t len, int placeholder,
    struct mn_literal *l);

/* The line of an offset, before or after the strings were decoded. */
int mn_scan_line(const char *s, size_t offset);

#endif
