/* SPDX-License-Identifier: MIT */

/* Reading options from a command's table, which its help prints as well. */

#define _GNU_SOURCE
#include "cli.h"
#include "output.h"

#include <getopt.h>
#include <string.h>

#include "banned.h"

#define OPTIONS_MAX	16

/* The table as getopt_long(3) wants it; every command has --help. */
struct table {
	char letters[2 * OPTIONS_MAX + 4];
	struct option names[OPTIONS_MAX + 2];
};

static void
make_table(const struct mn_cli_option *o, struct table *t)
{
	size_t n = 0, l = 0;

	memset(t, 0, sizeof(*t));
	t->letters[l++] = ':';		/* tell a missing argument apart */
	t->letters[l++] = 'h';
	for (; o->name != NULL && n < OPTIONS_MAX; o++, n++) {
		t->names[n].name = o->name;
		t->names[n].has_arg = o->argument != NULL ?
		    required_argument : no_argument;
		t->names[n].val = o->letter;
		if (o->letter >= MN_OPTION_JSON)
			continue;
		t->letters[l++] = (char)o->letter;
		if (o->argument != NULL)
			t->letters[l++] = ':';
	}
	t->names[n].name = "help";
	t->names[n].val = 'h';
}

static void
add_accepted(struct mn_text *t, const struct mn_cli_command *c)
{
	const struct mn_cli_option *o;

	for (o = c->options; o->name != NULL; o++) {
		if (o->letter < MN_OPTION_JSON)
			mn_text_add(t, "-%c", o->letter);
		else
			mn_text_add(t, "--%s", o->name);
		mn_text_add(t, "%s%s, ", o->argument != NULL ? " " : "",
		    o->argument != NULL ? o->argument : "");
	}
	mn_text_add(t, "--help");
}

static bool
is_global(const char *word)
{
	return strncmp(word, "-C", 2) == 0 ||
	    strncmp(word, "--folder", 8) == 0;
}

/* The word that getopt_long() did not take: "-x" of "-vx", or all of it. */
static int
refuse(struct mn_cli *cli, const char *what)
{
	struct mn_text t = MN_TEXT_INIT(1024);
	const char *word = cli->argv[optind - 1];

	if (is_global(word))
		what = "stands before the command";
	add_accepted(&t, cli->command);
	if (optopt > 0 && optopt < MN_OPTION_JSON)
		(void)mn_output_error(NULL, "%s: -%c: %s; it takes %s",
		    cli->command->name, optopt, what, mn_text_get(&t));
	else
		(void)mn_output_error(NULL, "%s: %s: %s; it takes %s",
		    cli->command->name, word, what, mn_text_get(&t));
	mn_text_free(&t);
	cli->status = MN_USAGE;
	return -1;
}

/* The words of "PROFILE METHOD PATH" behind the first n. */
static const char *
missing(const char *operands, int n)
{
	for (; n > 0; n--)
		operands += strcspn(operands, " ") + 1;
	return operands;
}

static int
count_operands(struct mn_cli *cli)
{
	const struct mn_cli_command *c = cli->command;

	cli->operand = cli->argv + optind;
	cli->operands = cli->argc - optind;
	if (cli->operands >= c->min && cli->operands <= c->max)
		return 0;
	if (cli->operands > c->max)
		(void)mn_output_error(NULL, "%s: %s: one argument too many",
		    c->name, cli->operand[c->max]);
	else
		(void)mn_output_error(NULL, "%s: %s: missing", c->name,
		    missing(c->operands, cli->operands));
	cli->status = mn_help_usage(c);
	return -1;
}

int
mn_options_next(struct mn_cli *cli)
{
	struct table t;
	int letter;

	make_table(cli->command->options, &t);
	opterr = 0;
	letter = getopt_long(cli->argc, cli->argv, t.letters, t.names, NULL);
	switch (letter) {
	case -1:
		return count_operands(cli);
	case 'h':
		mn_help_command(cli->command);
		cli->status = mn_output_done(stdout) ? MN_YES : MN_UNKNOWN;
		return -1;
	case ':':
		return refuse(cli, "its argument is missing");
	case '?':
		return refuse(cli, optopt >= MN_OPTION_JSON ?
		    "takes no argument" : "no such option");
	default:
		return letter;
	}
}
