/* SPDX-License-Identifier: MIT */

/* What the commands of monime(1) share: their table, options and outcomes. */

#ifndef MN_CLI_H
#define MN_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "monime.h"
#include "profile.h"

/* The exit status of every command. */
enum mn_cli_status {
	MN_YES,
	MN_NO,
	MN_USAGE,		/* or the configuration */
	MN_UNKNOWN
};

/* The letters of options that have none. */
enum mn_cli_letter {
	MN_OPTION_JSON = 256,
	MN_OPTION_NAMES,
	MN_OPTION_ONLINE,
	MN_OPTION_OWNER,
	MN_OPTION_PRODUCT,
	MN_OPTION_PROVIDER,
	MN_OPTION_PURPOSE,
	MN_OPTION_SIGNATURE,
	MN_OPTION_SPACE,
	MN_OPTION_TOKEN_FILE,
	MN_OPTION_BODY,
	MN_OPTION_UNCHECKED,
	MN_OPTION_USER
};

struct mn_cli_option {
	int letter;
	const char *name;
	const char *argument;	/* NULL: takes none */
	const char *text;
};

struct mn_cli {
	const char *folder;	/* absolute, without a slash at the end */
	bool elsewhere;		/* -C was given */
	const struct mn_cli_command *command;
	int argc;
	char **argv;		/* [0] is the command's name */

	/* By mn_options_next(), at the end of the options. */
	char **operand;
	int operands;
	int status;		/* to leave with, where it says so */
};

/* Texts end in a newline and may be NULL. */
struct mn_cli_command {
	const char *name;
	const char *operands;
	int min;
	int max;
	const char *summary;
	const char *text;
	const char *examples;
	const struct mn_cli_option *options;	/* ends with a NULL name */
	int (*run)(struct mn_cli *cli);
};

/* Ends with NULL. */
extern const struct mn_cli_command *const mn_cli_commands[];

extern const struct mn_cli_command mn_check;
extern const struct mn_cli_command mn_doctor;
extern const struct mn_cli_command mn_fingerprint;
extern const struct mn_cli_command mn_help;
extern const struct mn_cli_command mn_list;
extern const struct mn_cli_command mn_request;
extern const struct mn_cli_command mn_set_token;
extern const struct mn_cli_command mn_webhook;

/* NULL: there is none of that name. */
const struct mn_cli_command *mn_cli_find(const char *name);

/*
 * options.c: the next option's letter, its argument in optarg; 0 after the
 * last one, with as many operands as the command takes; -1 to leave with
 * cli->status, since help was asked for or something was wrong.
 */
int mn_options_next(struct mn_cli *cli);

/* help.c */
void mn_help_all(void);
void mn_help_command(const struct mn_cli_command *c);
int mn_help_usage(const struct mn_cli_command *c);

/* outcome.c: what a result code means here. */
struct mn_outcome {
	int code;
	enum mn_cli_status status;
	const char *name;	/* "MONIME_EDENIED" */
	const char *verdict;	/* as $monime_verdict of the web servers */
	const char *mend_own;	/* what its owner does about a credential */
	const char *mend_other;	/* what is done about somebody's token */
};

const struct mn_outcome *mn_outcome_of(int code);

/* The verdict as people read it. */
const char *mn_outcome_words(const struct mn_outcome *o);

/*
 * Open a profile and say on standard error what it warns of, or at any level
 * if verbose.  Not MONIME_OK: everything has been said.
 */
int mn_outcome_open(const struct mn_cli *cli, const char *profile,
    bool verbose, struct monime **m);

/* The status after an open that failed: our own fault is never a "no". */
int mn_outcome_open_status(int code);

/* Warnings of the open go to standard error, and all lines if verbose. */
void mn_outcome_log(struct monime *m, const char *profile, bool verbose);

/* folder.c: the names of an environment's profiles, sorted. */
struct mn_folder {
	size_t n;
	char **name;		/* "live/payouts" */
};

/*
 * Judge and open the folder of an environment: a descriptor, or -1.  missing
 * is not a failure worth a line.
 */
int mn_folder_open(const struct mn_cli *cli, enum mn_environment environment,
    bool *missing, struct mn_error *e);

/*
 * The same for whoever wants its names alone, and so can do with one that is
 * not safe: e then has a line, and -1 is for one that cannot be read.
 */
int mn_folder_look(const struct mn_cli *cli, enum mn_environment environment,
    bool *missing, struct mn_error *e);

/* Add those in the folder fd; false: memory, or too many. */
bool mn_folder_add(struct mn_folder *f, int fd,
    enum mn_environment environment);

void mn_folder_free(struct mn_folder *f);

/* Is there a configuration folder at all?  Says so where there is none. */
bool mn_folder_exists(const struct mn_cli *cli);

#endif
