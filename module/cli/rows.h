/* SPDX-License-Identifier: MIT */

/* What a profile's files tell about its credential, without the secret. */

#ifndef MN_ROWS_H
#define MN_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "profile.h"

#define MN_DAY	86400
#define MN_SOON	14		/* days left of a date that is worth a look */

struct mn_row {
	const char *name;	/* the folder's */
	struct mn_profile *p;	/* NULL: it could not be read */
	char *error;		/* NULL: the library opens it */
	int result;		/* of that open */
	const char *kind;	/* "token", "oauth2" or "none" */
	const char *file;	/* that holds the credential, or NULL */
	int64_t changed;	/* time(2) of that file's last change */
};

/*
 * Read a profile as monime_open() would, and what it says.  m, which may be
 * NULL, gets the handle.  False: out of memory.
 */
bool mn_row_read(const struct mn_cli *cli, const char *name,
    struct mn_row *row, struct monime **m);

void mn_row_free(struct mn_row *row);

/* "YYYY-MM-DD" of a day since 1970-01-01. */
#define MN_DATE_SIZE	11

const char *mn_row_date(int64_t day, char buf[MN_DATE_SIZE]);

#endif
