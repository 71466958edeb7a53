/* SPDX-License-Identifier: MIT */

/* What doctor finds: each with the command that mends it. */

#ifndef MN_FINDINGS_H
#define MN_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

struct mn_finding {
	char *profile;		/* NULL: it concerns no profile */
	const char *rule;	/* static */
	char *problem;
	char *mend;
};

struct mn_findings {
	size_t n;
	struct mn_finding *item;
	bool failed;		/* memory was short */
};

/*
 * Add one, unless it was found already.  mend is wiped clean for its next
 * use.
 */
void mn_findings_add(struct mn_findings *f, const char *profile,
    const char *rule, struct mn_text *mend, const char *fmt, ...)
    __attribute__((__format__(__printf__, 5, 6)));

/*
 * Add the lines of an error of the library, each of which may end in its
 * command.  For one that does not, the file that it begins with is to be
 * edited, or else file, which may be NULL.
 */
void mn_findings_lines(struct mn_findings *f, const char *profile,
    const char *rule, const char *lines, const char *file);

/* The command at the end of such a line, or NULL. */
const char *mn_findings_command(const char *line);

void mn_findings_free(struct mn_findings *f);

/* Append a word of the shell, quoted where it must be. */
void mn_findings_word(struct mn_text *t, const char *s);

/* Append the command that edits a file. */
void mn_findings_edit(struct mn_text *t, const char *file);

#endif
