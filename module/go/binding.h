/* SPDX-License-Identifier: MIT */

/*
 * What Go cannot do with monime.h alone: take log lines without being called
 * from C, and hand over text in memory that is wiped.
 */

#ifndef MN_BINDING_H
#define MN_BINDING_H

#include <monime.h>
#include <stddef.h>

/* The name of fact i of a call, or NULL past the last one. */
const char *mn_binding_fact(size_t i);

/*
 * Log lines that wait for Go.  A line comes from a thread that is inside the
 * library, and there is none there but those that Go sent; so whoever comes
 * back fetches what has been written meanwhile.
 */
struct mn_line {
	struct mn_line *next;
	int level;
	const char *text;		/* dies with the line */
};

struct mn_lines;

/* NULL: memory is short. */
struct mn_lines *mn_lines_new(void);
void mn_lines_free(struct mn_lines *lines);

/* A monime_log_fn; data is a struct mn_lines. */
void mn_lines_add(void *data, int level, const char *line);

/* Not 0 while there is something to fetch; to be read atomically. */
const int *mn_lines_waiting(const struct mn_lines *lines);

/*
 * All of them, oldest first, each to be freed; *lost is the number of those
 * that there was no room for.
 */
struct mn_line *mn_lines_take(struct mn_lines *lines, size_t *lost);

/* Wipe and free a string. */
void mn_binding_drop(char *text);

#endif
