/* SPDX-License-Identifier: MIT */

/* monime check: is this credential, or this token of somebody's, good? */

#define _GNU_SOURCE
#include "cli.h"
#include "facts.h"
#include "input.h"
#include "output.h"

#include <getopt.h>
#include <string.h>

#include "banned.h"

struct question {
	const char *profile;
	const char *token_file;	/* NULL: the profile's own credential */
	bool json;
	bool verbose;
};

static const char *
mend_of(const struct question *q, int result)
{
	const struct mn_outcome *outcome = mn_outcome_of(result);

	return q->token_file != NULL ? outcome->mend_other :
	    outcome->mend_own;
}

/* call NULL: the profile did not open, which is no verdict on anybody. */
static void
print_json(const struct question *q, int result, const char *error,
    const struct monime_call *call)
{
	struct json_object *o = mn_output_json_object();
	int verdict = call != NULL ? result : MONIME_ECONFIG;

	mn_output_json_string(o, "profile", q->profile);
	mn_output_json_string(o, "of", q->token_file != NULL ? "token" :
	    "credential");
	mn_output_json_string(o, "verdict", mn_outcome_of(verdict)->verdict);
	mn_facts_json(o, MN_FACTS_CHECK, result, call);
	mn_output_json_string(o, "error", error[0] != '\0' ? error : NULL);
	mn_output_json_string(o, "mend", mend_of(q, verdict));
	(void)mn_output_json_print(stdout, o, false);
}

static void
print_lines(const struct question *q, int result,
    const struct monime_call *call)
{
	const struct mn_outcome *outcome = mn_outcome_of(result);
	const char *error = monime_call_error(call);
	const char *mend = mend_of(q, result);
	bool renew = result == MONIME_EDENIED && q->token_file == NULL;

	mn_output_line(stdout, q->profile, outcome->status == MN_YES ?
	    MN_GOOD : outcome->status == MN_NO ? MN_BAD : MN_DOUBT, "%s",
	    mn_outcome_words(outcome));
	mn_facts_print(stdout, q->profile, call);
	if (error[0] != '\0')
		mn_output_line(stdout, q->profile, MN_PLAIN, "%-12s %s",
		    "cause", mn_output_unnamed(error, q->profile));
	if (mend != NULL)
		mn_output_line(stdout, q->profile, MN_PLAIN, "%-12s %s%s%s",
		    "mend", mend, renew ? " " : "", renew ? q->profile : "");
}

static int
ask(const struct question *q, struct monime *m, struct monime_call **call,
    int *result)
{
	struct mn_secret *token;

	if (q->token_file == NULL) {
		mn_output_progress("%s: asking the API", q->profile);
		*result = monime_check_credential(m, call);
	} else {
		token = mn_input_secret_file(q->token_file, "Token: ");
		if (token == NULL)
			return MN_USAGE;
		mn_output_progress("%s: asking the API", q->profile);
		*result = monime_check_token(m, mn_secret_get(token),
		    mn_secret_len(token), call);
		mn_secret_free(token);
	}
	mn_output_progress_end();
	return MN_YES;
}

static int
check(const struct mn_cli *cli, const struct question *q)
{
	struct monime_call *call = NULL;
	struct monime *m = NULL;
	int result, status;

	result = mn_outcome_open(cli, q->profile, q->verbose, &m);
	if (result != MONIME_OK) {
		if (q->json)
			print_json(q, result, m != NULL ? monime_error(m) :
			    monime_strerror(result), NULL);
		status = mn_outcome_open_status(result);
		goto out;
	}
	status = ask(q, m, &call, &result);
	if (status != MN_YES)
		goto out;
	if (q->json)
		print_json(q, result, monime_call_error(call), call);
	else
		print_lines(q, result, call);
	status = (int)mn_outcome_of(result)->status;
out:
	monime_call_free(call);
	monime_close(m);
	return status;
}

static int
run(struct mn_cli *cli)
{
	struct question q = { 0 };
	int letter;

	while ((letter = mn_options_next(cli)) > 0) {
		switch (letter) {
		case MN_OPTION_TOKEN_FILE:
			q.token_file = optarg;
			break;
		case MN_OPTION_JSON:
			q.json = true;
			break;
		case 'v':
			q.verbose = true;
			break;
		}
	}
	if (letter < 0)
		return cli->status;
	q.profile = cli->operand[0];
	return check(cli, &q);
}

static const struct mn_cli_option options[] = {
	{ MN_OPTION_TOKEN_FILE, "token-file", "FILE",
	    "check this token; - is a prompt or standard input" },
	{ MN_OPTION_JSON, "json", NULL, "print one JSON object" },
	{ 'v', "verbose", NULL, "tell what the library does" },
	{ 0, NULL, NULL, NULL }
};

const struct mn_cli_command mn_check = {
	.name = "check",
	.operands = "PROFILE",
	.min = 1,
	.max = 1,
	.summary = "Ask the API whether a credential or a token is good",
	.text =
"Without --token-file it is the profile's own credential that the API is\n"
"asked about.  With it, a token that somebody presents is judged as a server\n"
"would judge it: by the profile's environment, Space and \"accept\".\n"
"With OAuth 2.0 a new access token is fetched, and its scope and lifetime are\n"
"told; with check.path it has to open that as well.\n"
"A token is never an argument, since every process may read those.\n",
	.examples =
"  monime check test/payouts\n"
"  monime check live/payouts --json\n"
"  monime check test/gateway --token-file -\n",
	.options = options,
	.run = run,
};
