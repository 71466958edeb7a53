/* SPDX-License-Identifier: MIT */

/*
 * pam_monime.so: a user of this host logs in with an access token of ours.
 *
 * Here is only what PAM asks of a module.  Which token is whose, and whether it
 * is good, is found out by monime-pam-check: nothing of libmonime, libcurl or
 * libcrypto is loaded into the host.
 */

#define _GNU_SOURCE
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

/* What is declared there, and nothing else, can be seen from outside. */
#pragma GCC visibility push(default)
#include <security/pam_modules.h>
#pragma GCC visibility pop
#include <security/pam_ext.h>

#include "helper.h"

#include "banned.h"

/* As long after every failure, whatever it was; microseconds. */
#define FAIL_DELAY	2000000

struct options {
	const char *profile;
	const char *users;
	const char *folder;
	const char *prompt;
	bool use_first_pass;
	bool try_first_pass;
	bool debug;
};

struct option {
	const char *name;	/* "NAME=": its value follows */
	size_t at;
};

static const struct option options[] = {
	{ "profile=", offsetof(struct options, profile) },
	{ "users=", offsetof(struct options, users) },
	{ "folder=", offsetof(struct options, folder) },
	{ "prompt=", offsetof(struct options, prompt) },
	{ "use_first_pass", offsetof(struct options, use_first_pass) },
	{ "try_first_pass", offsetof(struct options, try_first_pass) },
	{ "debug", offsetof(struct options, debug) },
};

/* pam(7)'s words for them: no other code ever leaves this module. */
static const int codes[MN_VERDICTS] = {
	[MN_VERDICT_UNKNOWN] = PAM_AUTHINFO_UNAVAIL,
	[MN_VERDICT_DENIED] = PAM_AUTH_ERR,
	[MN_VERDICT_CONFIGURATION] = PAM_SERVICE_ERR,
	[MN_VERDICT_ACCEPTED] = PAM_SUCCESS,
};

static void
log_line(void *data, int level, const char *line)
{
	pam_syslog(data, level, "%s", line);
}

static const struct option *
find_option(const char *argument)
{
	size_t i, len;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		len = strlen(options[i].name);
		if (strncmp(argument, options[i].name, len) == 0 &&
		    (argument[len] == '\0' || argument[len - 1] == '='))
			return &options[i];
	}
	return NULL;
}

/*
 * What is wrong with it, or NULL.  Of two profiles, none is taken; and what
 * should have been named and is empty is not what nobody named.
 */
static const char *
set_option(struct options *o, const char *argument)
{
	const struct option *option = find_option(argument);
	const char *value, **text;
	char *field;

	if (option == NULL)
		return "no such argument";
	field = (char *)o + option->at;
	if (strchr(option->name, '=') == NULL) {
		*(bool *)field = true;
		return NULL;
	}
	value = argument + strlen(option->name);
	text = (const char **)(void *)field;
	if (*text != NULL)
		return "given twice";
	*text = value;
	return value[0] != '\0' ? NULL : "no value";
}

static bool
read_options(pam_handle_t *pamh, struct options *o, int argc,
    const char **argv)
{
	const char *wrong;
	int i;

	for (i = 0; i < argc; i++) {
		wrong = set_option(o, argv[i]);
		if (wrong != NULL) {
			/* Not its value: who knows what that is. */
			pam_syslog(pamh, LOG_ERR, "%.*s: %s",
			    (int)strcspn(argv[i], "="), argv[i], wrong);
			return false;
		}
	}
	if (o->folder == NULL)
		o->folder = "";
	if (o->prompt == NULL)
		o->prompt = "Token: ";
	if (o->profile != NULL && o->users != NULL)
		return true;
	pam_syslog(pamh, LOG_ERR, "profile=NAME and users=FILE must be given");
	return false;
}

/*
 * The token: what an earlier module was told, or *asked, which the caller
 * wipes.  It is no password, and so none is left for the modules that follow:
 * one of them might send it anywhere.
 */
static int
find_token(pam_handle_t *pamh, const struct options *o, char **asked,
    const char **token)
{
	const void *earlier = NULL;
	int r;

	if (o->use_first_pass || o->try_first_pass) {
		r = pam_get_item(pamh, PAM_AUTHTOK, &earlier);
		if (r != PAM_SUCCESS)
			return r;
	}
	if (earlier != NULL || o->use_first_pass) {
		*token = earlier != NULL ? earlier : "";
		return PAM_SUCCESS;
	}
	r = pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, asked, "%s", o->prompt);
	if (r == PAM_SUCCESS)
		*token = *asked != NULL ? *asked : "";
	return r;
}

static void
forget(char *asked)
{
	if (asked != NULL)
		explicit_bzero(asked, strlen(asked));
	free(asked);
}

static enum mn_verdict
authenticate(pam_handle_t *pamh, const struct options *o)
{
	struct mn_question q = {
		.profile = o->profile,
		.users = o->users,
		.folder = o->folder,
		.debug = o->debug
	};
	enum mn_verdict verdict = MN_VERDICT_UNKNOWN;
	char *asked = NULL;
	int r;

	r = pam_get_user(pamh, &q.user, NULL);
	if (r == PAM_SUCCESS && q.user == NULL)
		r = PAM_USER_UNKNOWN;
	if (r == PAM_SUCCESS)
		r = find_token(pamh, o, &asked, &q.token);
	if (r == PAM_SUCCESS)
		verdict = mn_helper_ask(&q, log_line, pamh);
	else
		pam_syslog(pamh, LOG_WARNING, "nobody tells user and token: "
		    "%s", pam_strerror(pamh, r));
	if (o->debug)
		pam_syslog(pamh, LOG_DEBUG, "%s, a token from %s: %s",
		    o->profile, q.token == NULL ? "nobody" :
		    q.token == asked ? "a prompt" : "an earlier module",
		    mn_answers[verdict].word);
	forget(asked);
	return verdict;
}

int
pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc,
    const char **argv)
{
	struct options o = { 0 };

	(void)flags;
	(void)pam_fail_delay(pamh, FAIL_DELAY);
	if (!read_options(pamh, &o, argc, argv))
		return codes[MN_VERDICT_CONFIGURATION];
	return codes[authenticate(pamh, &o)];
}

/* A token gives no credentials to set, take back or renew. */
int
pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}
