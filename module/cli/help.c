/* SPDX-License-Identifier: MIT */

/* Help, from the same tables that the commands are read by. */

#define _GNU_SOURCE
#include "cli.h"
#include "output.h"

#include <string.h>

#include "banned.h"

#define COLUMN	26	/* where the text of an option begins */

static void
print_option(const struct mn_cli_option *o)
{
	struct mn_text t = MN_TEXT_INIT(256);

	if (o->letter < MN_OPTION_JSON)
		mn_text_add(&t, "-%c, ", o->letter);
	mn_text_add(&t, "--%s", o->name);
	if (o->argument != NULL)
		mn_text_add(&t, " %s", o->argument);
	if (t.len >= COLUMN - 3)
		(void)printf("  %s\n  %*s%s\n", mn_text_get(&t), COLUMN - 2,
		    "", o->text);
	else
		(void)printf("  %-*s%s\n", COLUMN - 2, mn_text_get(&t),
		    o->text);
	mn_text_free(&t);
}

static void
print_usage(FILE *f, const struct mn_cli_command *c)
{
	(void)fprintf(f, "usage: monime [-C DIR] %s%s%s%s\n", c->name,
	    c->options->name != NULL ? " [options]" : "",
	    c->operands[0] != '\0' ? " " : "", c->operands);
}

int
mn_help_usage(const struct mn_cli_command *c)
{
	print_usage(stderr, c);
	(void)fprintf(stderr, "more: monime help %s\n", c->name);
	return MN_USAGE;
}

void
mn_help_command(const struct mn_cli_command *c)
{
	static const struct mn_cli_option help = {
		'h', "help", NULL, "print this"
	};
	const struct mn_cli_option *o;

	print_usage(stdout, c);
	(void)printf("\n%s.\n", c->summary);
	if (c->text != NULL)
		(void)printf("\n%s", c->text);
	(void)printf("\nOptions:\n");
	for (o = c->options; o->name != NULL; o++)
		print_option(o);
	print_option(&help);
	if (c->examples != NULL)
		(void)printf("\nExamples:\n%s", c->examples);
}

void
mn_help_all(void)
{
	const struct mn_cli_command *const *c;

	(void)printf("usage: monime [-C DIR] COMMAND [options] ...\n\n"
	    "Authenticated calls to the Monime and Mono APIs, and verdicts on "
	    "the access\ntokens that others present.\n\nCommands:\n");
	for (c = mn_cli_commands; *c != NULL; c++)
		(void)printf("  %-14s%s\n", (*c)->name, (*c)->summary);
	(void)printf("\n"
	    "  -C, --folder DIR    configuration folder, an absolute path\n"
	    "                      (" MONIME_FOLDER ")\n"
	    "  -h, --help          print this\n"
	    "  -V, --version       print the version\n"
	    "\n"
	    "A PROFILE is one credential and its rules: \"test/NAME\" or "
	    "\"live/NAME\", the\nfile NAME.conf below the folder's test or "
	    "live.  With live money moves.\n"
	    "\n"
	    "The first steps:\n"
	    "  monime set-token test/payouts --provider monime --space "
	    "spc-... \\\n"
	    "      --owner 'Ada <ada@example.org>' --purpose 'paying out'\n"
	    "  monime check test/payouts\n"
	    "  monime request test/payouts GET /v1/financial-accounts\n"
	    "  monime doctor\n"
	    "\n"
	    "Exit status: 0 yes, 1 no, 2 usage or configuration, 3 unknown.\n"
	    "More: monime help COMMAND, monime(1), monime.conf(5).\n");
}

static const struct mn_cli_option options[] = {
	{ 0, NULL, NULL, NULL }
};

static int
run(struct mn_cli *cli)
{
	const struct mn_cli_command *c = NULL;

	while (mn_options_next(cli) != 0)
		return cli->status;
	if (cli->operands == 0) {
		mn_help_all();
	} else {
		c = mn_cli_find(cli->operand[0]);
		if (c == NULL)
			return MN_USAGE;
		mn_help_command(c);
	}
	return mn_output_done(stdout) ? MN_YES : MN_UNKNOWN;
}

const struct mn_cli_command mn_help = {
	.name = "help",
	.operands = "[COMMAND]",
	.max = 1,
	.summary = "Explain a command, or list them all",
	.options = options,
	.run = run,
};
