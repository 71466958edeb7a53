/* SPDX-License-Identifier: MIT */

/* monime webhook: did the provider sign this delivery? */

#define _GNU_SOURCE
#include "cli.h"
#include "input.h"
#include "output.h"

#include <getopt.h>
#include <string.h>

#include "banned.h"

#define BODY_MAX	((size_t)64 << 20)

static int
verify(const struct mn_cli *cli, const char *profile, const char *signature,
    const char *file)
{
	struct mn_text body = MN_TEXT_INIT(BODY_MAX);
	struct monime *m = NULL;
	int r, status;

	r = mn_outcome_open(cli, profile, false, &m);
	if (r != MONIME_OK) {
		status = mn_outcome_open_status(r);
		goto out;
	}
	if (!mn_input_file(file, &body)) {
		status = MN_USAGE;
		goto out;
	}
	r = monime_verify_webhook(m, signature, strlen(signature),
	    mn_text_get(&body), body.len);
	status = (int)mn_outcome_of(r)->status;
	if (status == MN_YES)
		mn_output_line(stdout, profile, MN_GOOD,
		    "signed by the provider");
	else if (status == MN_NO)
		mn_output_line(stdout, profile, MN_BAD, "not signed by the "
		    "provider, or too old, or with another secret");
	else
		(void)mn_output_error(profile, "%s%s", monime_strerror(r),
		    r == MONIME_ECONFIG ? ": the profile has no webhook "
		    "secrets; set webhook.secret_files in it, see "
		    "monime.conf(5)" : "");
out:
	mn_text_free(&body);
	monime_close(m);
	return status;
}

static int
run(struct mn_cli *cli)
{
	const char *signature = NULL, *file = "-";
	int letter;

	while ((letter = mn_options_next(cli)) > 0) {
		switch (letter) {
		case MN_OPTION_SIGNATURE:
			signature = optarg;
			break;
		case MN_OPTION_BODY:
			file = optarg;
			break;
		}
	}
	if (letter < 0)
		return cli->status;
	if (signature == NULL) {
		(void)mn_output_error(NULL, "webhook: --signature is missing");
		return mn_help_usage(cli->command);
	}
	return verify(cli, cli->operand[0], signature, file);
}

static const struct mn_cli_option options[] = {
	{ MN_OPTION_SIGNATURE, "signature", "VALUE",
	    "what stands in the provider's signature header" },
	{ MN_OPTION_BODY, "body", "FILE",
	    "the bytes received; - or nothing is standard input" },
	{ 0, NULL, NULL, NULL }
};

const struct mn_cli_command mn_webhook = {
	.name = "webhook",
	.operands = "PROFILE",
	.min = 1,
	.max = 1,
	.summary = "Verify the signature of a webhook delivery",
	.text =
"The header is Monime-Signature or Mono-Signature, and the body the exact\n"
"bytes that came with it.  Nothing is sent.\n",
	.examples =
"  monime webhook test/payouts --signature 't=1771803194,v1=...' \\\n"
"      --body delivery.json\n",
	.options = options,
	.run = run,
};
