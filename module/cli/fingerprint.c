/* SPDX-License-Identifier: MIT */

/* monime fingerprint: a token's name, for logs and for PAM's map of users. */

#define _GNU_SOURCE
#include "cli.h"
#include "input.h"
#include "output.h"

#include <getopt.h>
#include <string.h>
#include <time.h>

#include "banned.h"

/* The profile's own static token, or NULL: the reason was told. */
static struct mn_secret *
token_of(const struct mn_cli *cli, const char *profile, int *status)
{
	struct mn_error e = MN_ERROR_INIT;
	struct mn_secret *token = NULL;
	struct mn_profile *p = NULL;
	int r;

	r = mn_profile_open(profile, cli->folder, time(NULL), &p, &e);
	*status = MN_USAGE;
	if (r != MONIME_OK) {
		mn_output_errors(profile, e.text.len > 0 ? mn_error_get(&e) :
		    monime_strerror(r));
		*status = mn_outcome_open_status(r);
	} else if (p->token == NULL) {
		(void)mn_output_error(profile, "this profile has no static "
		    "token");
	} else {
		/* Ours from here on. */
		token = p->token;
		p->token = NULL;
	}
	mn_profile_free(p);
	mn_error_free(&e);
	return token;
}

/* The map is lines of "user:fingerprint[,...]". */
static bool
is_user(const char *user)
{
	if (mn_text_visible(user, strlen(user)) && user[0] != '\0' &&
	    user[0] != '#' && strpbrk(user, ":,") == NULL)
		return true;
	(void)mn_output_error(NULL, "--user %s: a name of visible characters, "
	    "without : and , and not beginning with #", user);
	return false;
}

static int
fingerprint(const struct mn_cli *cli, const char *profile, const char *user)
{
	char buf[MONIME_FINGERPRINT_SIZE];
	struct mn_secret *token;
	int r, status = MN_USAGE;

	if (user != NULL && !is_user(user))
		return MN_USAGE;
	token = profile != NULL ? token_of(cli, profile, &status) :
	    mn_input_secret("Token: ");
	if (token == NULL)
		return status;
	r = monime_fingerprint(mn_secret_get(token), mn_secret_len(token),
	    buf, sizeof(buf));
	mn_secret_free(token);
	if (r != MONIME_OK) {
		(void)mn_output_error(profile, "%s", monime_strerror(r));
		return (int)mn_outcome_of(r)->status;
	}
	(void)printf("%s%s%s\n", user != NULL ? user : "",
	    user != NULL ? ":" : "", buf);
	return MN_YES;
}

static int
run(struct mn_cli *cli)
{
	const char *user = NULL;
	int letter;

	while ((letter = mn_options_next(cli)) > 0) {
		if (letter == MN_OPTION_USER)
			user = optarg;
	}
	if (letter < 0)
		return cli->status;
	return fingerprint(cli, cli->operands > 0 ? cli->operand[0] : NULL,
	    user);
}

static const struct mn_cli_option options[] = {
	{ MN_OPTION_USER, "user", "NAME",
	    "print the line \"NAME:fingerprint\" of PAM's map" },
	{ 0, NULL, NULL, NULL }
};

const struct mn_cli_command mn_fingerprint = {
	.name = "fingerprint",
	.operands = "[PROFILE]",
	.max = 1,
	.summary = "Print a name for a token that does not betray it",
	.text =
"It is that of the profile's own token, or of the one on standard input,\n"
"which is asked for without echo where that is a terminal.  The same token\n"
"has the same fingerprint on every host and in every log.  Nothing is sent.\n",
	.examples =
"  monime fingerprint live/payouts\n"
"  monime fingerprint --user ada >> /etc/monime/users\n",
	.options = options,
	.run = run,
};
