/* SPDX-License-Identifier: MIT */

/* Reading profiles for list and doctor.  See rows.h. */

#define _GNU_SOURCE
#include "rows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "banned.h"

static void
find_credential(struct mn_row *row)
{
	const struct mn_profile *p = row->p;
	size_t i;

	row->kind = p->token != NULL ? "token" :
	    p->oauth2.set ? "oauth2" : "none";
	if (p->token == NULL && !p->oauth2.set)
		return;
	row->file = p->oauth2.set ? p->oauth2.client_secret_file :
	    p->token_file;
	if (row->file == NULL)
		row->file = p->path;
	for (i = 0; i < p->nfiles; i++) {
		if (strcmp(p->file[i].path, row->file) == 0)
			row->changed = p->file[i].id.modified.tv_sec;
	}
}

bool
mn_row_read(const struct mn_cli *cli, const char *name, struct mn_row *row,
    struct monime **m)
{
	struct mn_error e = MN_ERROR_INIT;
	struct monime *own = NULL;

	memset(row, 0, sizeof(*row));
	row->name = name;
	row->kind = "none";
	row->result = monime_open(name, cli->folder, &own);
	if (row->result != MONIME_OK)
		row->error = strdup(own != NULL ? monime_error(own) :
		    monime_strerror(row->result));
	if (m != NULL)
		*m = own;
	else
		monime_close(own);
	if (row->result != MONIME_OK && row->error == NULL)
		return false;
	/* At the epoch nothing has expired, so an expired one is read too. */
	(void)mn_profile_open(name, cli->folder, 0, &row->p, &e);
	mn_error_free(&e);
	if (row->p != NULL)
		find_credential(row);
	return true;
}

void
mn_row_free(struct mn_row *row)
{
	mn_profile_free(row->p);
	free(row->error);
	row->p = NULL;
	row->error = NULL;
}

const char *
mn_row_date(int64_t day, char buf[MN_DATE_SIZE])
{
	time_t t = (time_t)(day * MN_DAY);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(buf, MN_DATE_SIZE, "%Y-%m-%d", &tm) == 0)
		buf[0] = '\0';
	return buf;
}
