/* SPDX-License-Identifier: MIT */

/* What each result code means to the one who typed the command. */

#define _GNU_SOURCE
#include "cli.h"
#include "output.h"

#include <syslog.h>

#include "banned.h"

#define LATER	"try again; nothing has been decided"
#define OURS	"mend what the lines above name; nothing was sent"
#define SYSTEM	"look at the limits of this process and at its memory"

static const struct mn_outcome outcomes[] = {
	{ MONIME_OK, MN_YES, "MONIME_OK", "accepted", NULL, NULL, NULL },
	{ MONIME_EDENIED, MN_NO, "MONIME_EDENIED", "denied",
	    "the token is missing, invalid, expired or revoked",
	    "make a new token with the provider, then run: monime set-token",
	    "its bearer needs a valid token" },
	{ MONIME_EFORBIDDEN, MN_NO, "MONIME_EFORBIDDEN", "forbidden",
	    "the token is valid, but not for this: a permission, role, Space "
	    "or address is wanting",
	    "compare the token's permissions, and the Space and path that the "
	    "profile names, with what the provider shows",
	    "its bearer needs a token that is let into the profile's Space" },
	{ MONIME_EENVIRONMENT, MN_NO, "MONIME_EENVIRONMENT", "environment",
	    "the token or the origin belongs to the other environment",
	    "use test tokens with test/ profiles and live ones with live/",
	    "its bearer mixes test and live" },
	{ MONIME_EPOLICY, MN_NO, "MONIME_EPOLICY", "unknown",
	    "our own profile forbids it; nothing was sent",
	    "look at allow and expires in the profile",
	    "look at allow and expires in the profile" },
	{ MONIME_ELIMIT, MN_UNKNOWN, "MONIME_ELIMIT", "unknown",
	    "the API's rate limit is reached; nothing was executed",
	    "wait as long as \"retry after\" says",
	    "wait as long as \"retry after\" says" },
	{ MONIME_EHTTP, MN_UNKNOWN, "MONIME_EHTTP", "unknown",
	    "the API answered with an error", LATER, LATER },
	{ MONIME_ENET, MN_UNKNOWN, "MONIME_ENET", "unknown",
	    "no connection to the API; nothing was sent",
	    "look at the network, proxy, ca_file and base_url",
	    "look at the network, proxy, ca_file and base_url" },
	{ MONIME_ELOST, MN_UNKNOWN, "MONIME_ELOST", "unknown",
	    "sent, but no complete answer came", LATER, LATER },
	{ MONIME_EPROTO, MN_UNKNOWN, "MONIME_EPROTO", "unknown",
	    "the answer breaks the API's promises",
	    "see whether base_url names the API, and no proxy answers for it",
	    "see whether base_url names the API, and no proxy answers for it" },
	{ MONIME_EINVAL, MN_USAGE, "MONIME_EINVAL", "unknown",
	    "an argument is not valid; nothing was sent", OURS, OURS },
	{ MONIME_ECONFIG, MN_USAGE, "MONIME_ECONFIG", "unknown",
	    "a file is missing or wrong", OURS, OURS },
	{ MONIME_EUNSAFE, MN_USAGE, "MONIME_EUNSAFE", "unknown",
	    "a file is not safe to read", OURS, OURS },
	{ MONIME_ENOMEM, MN_UNKNOWN, "MONIME_ENOMEM", "unknown",
	    "out of memory", SYSTEM, SYSTEM },
	{ MONIME_ESYS, MN_UNKNOWN, "MONIME_ESYS", "unknown",
	    "the system refused what is needed", SYSTEM, SYSTEM },
	{ MONIME_EPENDING, MN_UNKNOWN, "MONIME_EPENDING", "unknown",
	    "the call has not finished", LATER, LATER },
	{ MONIME_ECANCELED, MN_UNKNOWN, "MONIME_ECANCELED", "unknown",
	    "the call was canceled", LATER, LATER },
};

/* New codes may come: each is a failure. */
static const struct mn_outcome other = {
	0, MN_UNKNOWN, "MONIME_E", "unknown", "an unknown failure", LATER, LATER
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
