/* SPDX-License-Identifier: MIT */

/* What each result code means to the one who typed the command. */

#define _GNU_SOURCE
#include "cli.h"
#include "output.h"

#include <syslog.h>

#include "banned.h"

#define LATER	"try again later; nothing has been decided"
#define OURS	"mend what the line above names"
#define SYSTEM	"look at the limits of this process and at its memory"
#define WIRE	"look at the network, and at proxy, ca_file and base_url"
#define PATIENCE	"wait as many seconds as \"retry after\" tells"
#define ALLOW	"look at allow and expires in the profile"
#define ANSWERS	"see whether base_url names the API, and nobody answers for it"

static const struct mn_outcome outcomes[] = {
	{ MONIME_OK, MN_YES, "MONIME_OK", "accepted", NULL, NULL },
	{ MONIME_EDENIED, MN_NO, "MONIME_EDENIED", "denied",
	    "make a new token with the provider, then run: monime set-token",
	    "its bearer needs a valid token" },
	{ MONIME_EFORBIDDEN, MN_NO, "MONIME_EFORBIDDEN", "forbidden",
	    "compare the token's permissions, and the space and path that the "
	    "profile names, with what the provider shows",
	    "its bearer needs a token that the profile's Space lets in" },
	{ MONIME_EENVIRONMENT, MN_NO, "MONIME_EENVIRONMENT", "environment",
	    "use test tokens with test/ profiles, and live ones with live/",
	    "its bearer needs a token of the profile's environment" },
	{ MONIME_EPOLICY, MN_NO, "MONIME_EPOLICY", "unknown", ALLOW, ALLOW },
	{ MONIME_ELIMIT, MN_UNKNOWN, "MONIME_ELIMIT", "unknown",
	    PATIENCE, PATIENCE },
	{ MONIME_EHTTP, MN_UNKNOWN, "MONIME_EHTTP", "unknown", LATER, LATER },
	{ MONIME_ENET, MN_UNKNOWN, "MONIME_ENET", "unknown", WIRE, WIRE },
	{ MONIME_ELOST, MN_UNKNOWN, "MONIME_ELOST", "unknown", LATER, LATER },
	{ MONIME_EPROTO, MN_UNKNOWN, "MONIME_EPROTO", "unknown",
	    ANSWERS, ANSWERS },
	{ MONIME_EINVAL, MN_USAGE, "MONIME_EINVAL", "unknown", OURS, OURS },
	{ MONIME_ECONFIG, MN_USAGE, "MONIME_ECONFIG", "unknown", OURS, OURS },
	{ MONIME_EUNSAFE, MN_USAGE, "MONIME_EUNSAFE", "unknown", OURS, OURS },
	{ MONIME_ENOMEM, MN_UNKNOWN, "MONIME_ENOMEM", "unknown",
	    SYSTEM, SYSTEM },
	{ MONIME_ESYS, MN_UNKNOWN, "MONIME_ESYS", "unknown", SYSTEM, SYSTEM },
	{ MONIME_EPENDING, MN_UNKNOWN, "MONIME_EPENDING", "unknown",
	    LATER, LATER },
	{ MONIME_ECANCELED, MN_UNKNOWN, "MONIME_ECANCELED", "unknown",
	    LATER, LATER },
};

/* New codes may come: each is a failure. */
static const struct mn_outcome other = {
	0, MN_UNKNOWN, "unknown", "unknown", LATER, LATER
};

const struct mn_outcome *
mn_outcome_of(int code)
{
	size_t i;

	for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		if (outcomes[i].code == code)
			return &outcomes[i];
	}
	return &other;
}

/* "environment" is a word for scripts, and the name of a fact as well. */
const char *
mn_outcome_words(const struct mn_outcome *o)
{
	return o->code == MONIME_EENVIRONMENT ? "wrong environment" :
	    o->verdict;
}

int
mn_outcome_open_status(int code)
{
	int status = (int)mn_outcome_of(code)->status;

	return status == MN_NO ? MN_USAGE : status;
}

static void
log_line(void *profile, int level, const char *line)
{
	(void)level;
	(void)mn_output_error(profile, "%s", line);
}

void
mn_outcome_log(struct monime *m, const char *profile, bool verbose)
{
	/* The name outlives the handle: it is an argument of the program. */
	monime_set_log(m, verbose ? LOG_DEBUG : LOG_WARNING, log_line,
	    (void *)(uintptr_t)profile);
	/* The warnings of the open have come; what calls say, we say. */
	if (!verbose)
		monime_set_log(m, 0, NULL, NULL);
}

int
mn_outcome_open(const struct mn_cli *cli, const char *profile, bool verbose,
    struct monime **m)
{
	int r;

	r = monime_open(profile, cli->folder, m);
	if (r == MONIME_OK)
		mn_outcome_log(*m, profile, verbose);
	else if (*m == NULL)
		(void)mn_output_error(profile, "%s", monime_strerror(r));
	else
		mn_output_errors(profile, monime_error(*m));
	return r;
}
