/* SPDX-License-Identifier: MIT */

/* The command monime(1): global options, and which command runs. */

#define _GNU_SOURCE
#include "cli.h"
#include "output.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "banned.h"

/* In the order of the help. */
const struct mn_cli_command *const mn_cli_commands[] = {
	&mn_check,
	&mn_request,
	&mn_list,
	&mn_doctor,
	&mn_set_token,
	&mn_fingerprint,
	&mn_webhook,
	&mn_help,
	NULL
};

const struct mn_cli_command *
mn_cli_find(const char *name)
{
	struct mn_text t = MN_TEXT_INIT(256);
	size_t i;

	for (i = 0; mn_cli_commands[i] != NULL; i++) {
		if (strcmp(mn_cli_commands[i]->name, name) == 0)
			return mn_cli_commands[i];
	}
	for (i = 0; mn_cli_commands[i] != NULL; i++)
		mn_text_add(&t, "%s%s", i > 0 ? ", " : "",
		    mn_cli_commands[i]->name);
	(void)mn_output_error(NULL, "%s: no such command; there are %s", name,
	    mn_text_get(&t));
	mn_text_free(&t);
	return NULL;
}

/*
 * A file that is opened must not become standard output because that was
 * closed.  Opened for the other direction, so that its use still fails.
 */
static bool
fill_descriptors(void)
{
	int fd;

	for (fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY :
		    O_RDONLY) != fd)
			return false;
	}
	return true;
}

/* Tokens pass through this process: no core, no debugger of the same user. */
static bool
harden(void)
{
	static const struct rlimit none = { 0, 0 };
	struct sigaction ignore;

	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	(void)umask(077);
	/* A reader that went away is an error to be told, not a death. */
	return fill_descriptors() && sigaction(SIGPIPE, &ignore, NULL) == 0 &&
	    setrlimit(RLIMIT_CORE, &none) == 0 &&
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static int
print_version(void)
{
	(void)printf("monime %s\n", MONIME_VERSION);
	if (strcmp(monime_version(), MONIME_VERSION) != 0)
		(void)printf("libmonime %s\n", monime_version());
	return mn_output_done(stdout) ? MN_YES : MN_UNKNOWN;
}

static int
take_folder(struct mn_cli *cli, char *folder)
{
	size_t n = strlen(folder);

	if (folder[0] != '/') {
		(void)mn_output_error(NULL, "-C %s: the configuration folder "
		    "is an absolute path", folder);
		return MN_USAGE;
	}
	while (n > 1 && folder[n - 1] == '/')
		folder[--n] = '\0';
	cli->folder = folder;
	cli->elsewhere = true;
	return MN_YES;
}

/* The options before the command; -1: go on with it. */
static int
global_options(struct mn_cli *cli)
{
	static const struct option names[] = {
		{ "folder", required_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	int letter;

	opterr = 0;
	while ((letter = getopt_long(cli->argc, cli->argv, "+:C:hV", names,
	    NULL)) != -1) {
		switch (letter) {
		case 'C':
			if (take_folder(cli, optarg) != MN_YES)
				return MN_USAGE;
			break;
		case 'h':
			mn_help_all();
			return mn_output_done(stdout) ? MN_YES : MN_UNKNOWN;
		case 'V':
			return print_version();
		default:
			(void)mn_output_error(NULL, "%s: %s; before the "
			    "command stand -C DIR, --help and --version",
			    cli->argv[optind - 1], letter == ':' ?
			    "its argument is missing" : "no such option");
			return MN_USAGE;
		}
	}
	return -1;
}

int
main(int argc, char **argv)
{
	struct mn_cli cli = { .folder = MONIME_FOLDER };
	int r;

	mn_output_init();
	if (!harden() || !mn_secret_init()) {
		(void)mn_output_error(NULL, "the system refuses what keeps "
		    "secrets in this process: %m");
		return MN_UNKNOWN;
	}
	cli.argc = argc;
	cli.argv = argv;
	r = global_options(&cli);
	if (r >= 0)
		return r;
	if (optind >= argc) {
		(void)mn_output_error(NULL, "no command; see monime --help");
		return MN_USAGE;
	}
	cli.command = mn_cli_find(argv[optind]);
	if (cli.command == NULL)
		return MN_USAGE;
	cli.argc -= optind;
	cli.argv += optind;
	optind = 0;		/* begin anew, in getopt(3)'s words */
	r = cli.command->run(&cli);
	if (!mn_output_done(stdout) && r == MN_YES) {
		(void)mn_output_error(NULL, "standard output: %m");
		r = MN_UNKNOWN;
	}
	return r;
}
