/* SPDX-License-Identifier: MIT */

/*
 * monime set-token: a new token for a profile, or a new profile.  The API is
 * asked with it in a candidate first; what it refuses changes nothing.
 */

#define _GNU_SOURCE
#include "candidate.h"
#include "cli.h"
#include "input.h"
#include "output.h"
#include "template.h"

#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "safefile.h"

#include "banned.h"

struct change {
	const struct mn_cli *cli;
	const char *profile;
	enum mn_environment environment;
	bool unchecked;
	bool verbose;
	struct mn_template wanted;

	struct mn_text conf;	/* what NAME.conf says or will say */
	bool new;		/* it is not there yet */
	struct mn_secret *host;	/* monime.conf, or NULL */
	struct mn_secret *token;
	struct mn_candidate candidate;
	char fingerprint[MONIME_FINGERPRINT_SIZE];
};

/* A file below the folder; *out is NULL where it is not there. */
static int
read_file(const struct change *c, const char *name, bool secret,
    struct mn_secret **out)
{
	const struct mn_safefile_rule rule = {
		.max = MN_SAFEFILE_MAX,
		.secret = secret,
		.caller = c->environment == MN_TEST,
	};
	struct mn_text path = MN_TEXT_INIT(8192);
	struct mn_error e = MN_ERROR_INIT;
	bool missing = false;
	int r;

	mn_text_add(&path, "%s/%s", c->cli->folder, name);
	r = mn_safefile_read(mn_text_get(&path), &rule, out, NULL, &missing,
	    &e);
	if (r != MONIME_OK && missing)
		r = MONIME_OK;
	if (r != MONIME_OK)
		mn_output_errors(c->profile, mn_error_get(&e));
	mn_error_free(&e);
	mn_text_free(&path);
	return mn_outcome_open_status(r);
}

/* What NAME.conf says, or the template. */
static int
read_settings(struct change *c)
{
	struct mn_text file = MN_TEXT_INIT(256);
	struct mn_secret *conf = NULL;
	int r;

	mn_text_add(&file, "%s.conf", c->profile);
	r = read_file(c, mn_text_get(&file), true, &conf);
	mn_text_free(&file);
	if (r != MN_YES)
		return r;
	c->new = conf == NULL;
	if (c->new)
		return mn_template_write(&c->wanted, &c->conf) ? MN_YES :
		    MN_USAGE;
	mn_text_put(&c->conf, mn_secret_get(conf), mn_secret_len(conf));
	mn_secret_free(conf);
	if (!mn_template_given(&c->wanted))
		return MN_YES;
	(void)mn_output_error(c->profile, "this profile is there: what its "
	    "file says is changed by an editor; leave out --provider, "
	    "--product, --space, --owner and --purpose");
	return MN_USAGE;
}

/* NAME.token is replaced as a name; a link would be lost. */
static int
judge_target(const struct change *c, int at)
{
	struct mn_text file = MN_TEXT_INIT(256);
	struct stat st;
	int r = MN_YES;

	mn_text_add(&file, "%s.token", strchr(c->profile, '/') + 1);
	if (file.failed) {
		mn_output_errors(c->profile,
		    monime_strerror(MONIME_ENOMEM));
		r = MN_UNKNOWN;
	} else if (fstatat(at, mn_text_get(&file), &st,
	    AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)) {
		(void)mn_output_error(c->profile, "%s/%s.token: not a regular "
		    "file; write the token where it leads, or remove it",
		    c->cli->folder, c->profile);
		r = MN_USAGE;
	}
	mn_text_free(&file);
	return r;
}

static int
refuse(const struct change *c, const char *why)
{
	(void)mn_output_error(c->profile, "%s; nothing was written", why);
	return MN_USAGE;
}

/* Would the profile read NAME.token at all? */
static int
judge_place(const struct change *c, const struct mn_profile *p)
{
	const char *folder = mn_text_get(&c->candidate.path);
	size_t n = strlen(folder);

	if (strncmp(p->path, folder, n) != 0)
		return refuse(c, "systemd's credential is this whole profile, "
		    "and comes first: replace the credential");
	if (p->oauth2.set)
		return refuse(c, "this profile has no token but an oauth2 "
		    "group: write its client_secret");
	if (p->token_file == NULL)
		return refuse(c, "the token stands in NAME.conf itself: take "
		    "the line \"token = ...\" out of it, or change it there");
	if (strncmp(p->token_file, folder, n) != 0)
		return refuse(c, "token_file names another file: write the "
		    "token there, or take that line out");
	return MN_YES;
}

static int
judge_profile(const struct change *c)
{
	struct mn_error e = MN_ERROR_INIT;
	struct mn_profile *p = NULL;
	int r;

	r = mn_profile_open(c->profile, mn_text_get(&c->candidate.path),
	    time(NULL), &p, &e);
	if (r != MONIME_OK) {
		mn_candidate_tell(&c->candidate, c->profile,
		    mn_error_get(&e));
		r = mn_outcome_open_status(r);
	} else {
		r = judge_place(c, p);
	}
	mn_profile_free(p);
	mn_error_free(&e);
	return r;
}

static int
say_verdict(const struct change *c, int result,
    const struct monime_call *call)
{
	const struct mn_outcome *outcome = mn_outcome_of(result);
	const char *fingerprint = monime_call_get(call, "fingerprint");

	if (outcome->status == MN_YES) {
		mn_output_line(stdout, c->profile, MN_GOOD,
		    "the API accepts the token%s%s",
		    fingerprint != NULL ? ", fingerprint " : "",
		    fingerprint != NULL ? fingerprint : "");
		return MN_YES;
	}
	mn_candidate_tell(&c->candidate, c->profile, call != NULL ?
	    monime_call_error(call) : monime_strerror(result));
	if (c->unchecked && outcome->status != MN_NO) {
		(void)mn_output_error(c->profile, "nobody knows whether the "
		    "token is good; it is written all the same");
		return MN_YES;
	}
	(void)mn_output_error(c->profile, "%s; nothing was written%s",
	    mn_outcome_words(outcome), outcome->status == MN_NO ? "" :
	    " (--unchecked would)");
	return (int)outcome->status;
}

/*
 * Another account's token is as valid as ours.  Only a warning: to test tokens
 * Monime closes some of a Space's lists.
 */
static void
ask_space(const struct change *c, struct monime *m)
{
	const char *space = monime_get(m, "space");
	struct monime_call *call = NULL;

	if (space != NULL && monime_check_token(m, mn_secret_get(c->token),
	    mn_secret_len(c->token), &call) == MONIME_EFORBIDDEN)
		(void)mn_output_error(c->profile, "is it the right account's? "
		    "The token is not let into %s: %s", space,
		    monime_call_error(call));
	monime_call_free(call);
}

/* The API's word, or the library's, on the candidate. */
static int
ask(const struct change *c)
{
	struct monime_call *call = NULL;
	struct monime *m = NULL;
	int r;

	r = monime_open(c->profile, mn_text_get(&c->candidate.path), &m);
	if (r != MONIME_OK) {
		mn_candidate_tell(&c->candidate, c->profile, m != NULL ?
		    monime_error(m) : monime_strerror(r));
		(void)mn_output_error(c->profile, "nothing was written");
		/* The token is of the other environment: that is a no. */
		r = r == MONIME_EENVIRONMENT ? MN_NO :
		    mn_outcome_open_status(r);
		goto out;
	}
	mn_outcome_log(m, c->profile, c->verbose);
	mn_output_progress("%s: asking the API", c->profile);
	r = monime_check_credential(m, &call);
	if (r == MONIME_OK)
		ask_space(c, m);
	mn_output_progress_end();
	r = say_verdict(c, r, call);
out:
	monime_call_free(call);
	monime_close(m);
	return r;
}

static int
replace(struct change *c)
{
	struct mn_candidate *x = &c->candidate;
	int r;

	if (!mn_candidate_make(x, c->host, mn_text_get(&c->conf),
	    c->conf.len, c->token))
		return MN_UNKNOWN;
	if ((r = judge_profile(c)) != MN_YES || (r = ask(c)) != MN_YES)
		return r;
	if (!mn_candidate_install(x, c->new))
		return MN_UNKNOWN;
	mn_output_line(stdout, c->profile, MN_PLAIN, "%s/%s.token written",
	    c->cli->folder, c->profile);
	if (c->new)
		mn_output_line(stdout, c->profile, MN_PLAIN,
		    "%s/%s.conf made; have a look at it", c->cli->folder,
		    c->profile);
	return MN_YES;
}

static int
take_token(struct change *c)
{
	struct mn_text prompt = MN_TEXT_INIT(256);

	mn_text_add(&prompt, "New token of %s: ", c->profile);
	c->token = mn_input_secret(mn_text_get(&prompt));
	mn_text_free(&prompt);
	return c->token != NULL ? MN_YES : MN_USAGE;
}

static int
locked(struct change *c, int at)
{
	struct mn_candidate *x = &c->candidate;
	int r;

	x->at = at;
	x->environment = mn_profile_environment(c->environment);
	x->name = strchr(c->profile, '/') + 1;
	x->path = x->real = (struct mn_text)MN_TEXT_INIT(8192);
	mn_text_add(&x->real, "%s", c->cli->folder);
	r = mn_candidate_lock(at, x->environment) ? replace(c) : MN_UNKNOWN;
	mn_candidate_remove(x);
	return r;
}

static int
set_token(struct change *c)
{
	struct mn_error e = MN_ERROR_INIT;
	bool missing;
	int at, r;

	if (!mn_profile_name(c->profile, &c->environment)) {
		(void)mn_output_error(c->profile, "not a profile's name: "
		    "test/NAME or live/NAME, NAME of a-z, 0-9, _ and -");
		return MN_USAGE;
	}
	at = mn_folder_open(c->cli, c->environment, &missing, &e);
	if (at < 0) {
		mn_output_errors(c->profile, mn_error_get(&e));
		mn_error_free(&e);
		return MN_USAGE;
	}
	if ((r = read_settings(c)) == MN_YES &&
	    (r = judge_target(c, at)) == MN_YES &&
	    (r = read_file(c, "monime.conf", false, &c->host)) == MN_YES &&
	    (r = take_token(c)) == MN_YES)
		r = locked(c, at);
	(void)close(at);
	mn_error_free(&e);
	return r;
}

static int
run(struct mn_cli *cli)
{
	struct change c = { .cli = cli, .conf = MN_TEXT_INIT(65536) };
	int letter, r;

	while ((letter = mn_options_next(cli)) > 0) {
		switch (letter) {
		case MN_OPTION_PROVIDER:
			c.wanted.provider = optarg;
			break;
		case MN_OPTION_PRODUCT:
			c.wanted.product = optarg;
			break;
		case MN_OPTION_SPACE:
			c.wanted.space = optarg;
			break;
		case MN_OPTION_OWNER:
			c.wanted.owner = optarg;
			break;
		case MN_OPTION_PURPOSE:
			c.wanted.purpose = optarg;
			break;
		case MN_OPTION_UNCHECKED:
			c.unchecked = true;
			break;
		case 'v':
			c.verbose = true;
			break;
		}
	}
	if (letter < 0)
		return cli->status;
	c.profile = c.wanted.profile = cli->operand[0];
	c.wanted.today = time(NULL) / 86400;
	r = set_token(&c);
	mn_secret_free(c.token);
	mn_secret_free(c.host);
	mn_text_free(&c.conf);
	return r;
}

static const struct mn_cli_option options[] = {
	{ MN_OPTION_PROVIDER, "provider", "NAME",
	    "for a new profile: monime or mono" },
	{ MN_OPTION_PRODUCT, "product", "NAME",
	    "for a new profile of mono: banking or core" },
	{ MN_OPTION_SPACE, "space", "ID",
	    "for a new profile of monime: its Space, spc-..." },
	{ MN_OPTION_OWNER, "owner", "TEXT",
	    "for a new profile: who answers for it" },
	{ MN_OPTION_PURPOSE, "purpose", "TEXT",
	    "for a new profile: what it is for" },
	{ MN_OPTION_UNCHECKED, "unchecked", NULL,
	    "write the token also where nobody knows if it is good" },
	{ 'v', "verbose", NULL, "tell what the library does" },
	{ 0, NULL, NULL, NULL }
};

const struct mn_cli_command mn_set_token = {
	.name = "set-token",
	.operands = "PROFILE",
	.min = 1,
	.max = 1,
	.summary = "Give a profile a new token, or make a new profile",
	.text =
"The token comes from a prompt without echo, or from standard input.  The API\n"
"is asked first: a token that it refuses (exit status 1), or about which\n"
"nobody knows (3), changes nothing.  Then NAME.token is replaced as a whole:\n"
"a server that reads it meanwhile has the old token or the new one.\n"
"A profile that is not there is made from a template with comments, for which\n"
"--provider, --owner and --purpose are needed, and --space or --product.\n",
	.examples =
"  monime set-token live/payouts\n"
"  pass show monime/test | monime set-token test/payouts\n"
"  monime set-token test/new --provider monime --space spc-... \\\n"
"      --owner 'Ada <ada@example.org>' --purpose 'paying out'\n",
	.options = options,
	.run = run,
};
