/* SPDX-License-Identifier: MIT */

/* monime doctor: every file, every rule, each finding with what mends it. */

#define _GNU_SOURCE
#include "doctor.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "banned.h"

/*
 * Nothing opens while it is set.  Told once and then taken out of our own
 * environment, so that the rest can be seen.
 */
static void
judge_environment(struct mn_examination *x)
{
	struct mn_text mend = MN_TEXT_INIT(64);

	if (secure_getenv("SSLKEYLOGFILE") == NULL)
		return;
	mn_text_add(&mend, "unset SSLKEYLOGFILE");
	mn_findings_add(&x->findings, NULL, "sslkeylogfile", &mend,
	    "SSLKEYLOGFILE is set, and the keys of connections would be "
	    "written there: no profile opens");
	(void)unsetenv("SSLKEYLOGFILE");
}

/*
 * The folder of an environment, or -1.  One that is not safe is a finding; its
 * names are still read, since the library judges each file by itself.
 */
static int
open_environment(struct mn_examination *x, enum mn_environment environment)
{
	struct mn_error e = MN_ERROR_INIT;
	bool missing = false;
	int fd;

	fd = mn_folder_look(x->cli, environment, &missing, &e);
	if (!missing)
		mn_findings_lines(&x->findings, NULL, "folder",
		    mn_error_get(&e), NULL);
	if (fd < 0 && !missing)
		x->unreadable = true;
	mn_error_free(&e);
	return fd;
}

/* Without a profile nobody else reads monime.conf. */
static void
judge_host(struct mn_examination *x)
{
	struct mn_error e = MN_ERROR_INIT;
	struct mn_text path = MN_TEXT_INIT(8192);
	struct mn_profile *p = NULL;
	int r;

	mn_text_add(&path, "%s/monime.conf", x->cli->folder);
	r = mn_profile_open("test/none", x->cli->folder, x->now, &p, &e);
	if ((r == MONIME_ECONFIG || r == MONIME_EUNSAFE) &&
	    strncmp(mn_error_get(&e), mn_text_get(&path), path.len) == 0)
		mn_findings_lines(&x->findings, NULL, "host",
		    mn_error_get(&e), mn_text_get(&path));
	mn_profile_free(p);
	mn_text_free(&path);
	mn_error_free(&e);
}

static bool
examine_profiles(struct mn_examination *x)
{
	size_t i;

	if (x->folder.n == 0)
		judge_host(x);

	for (i = 0; i < x->folder.n; i++) {
		mn_output_progress("%zu of %zu: %s", i + 1, x->folder.n,
		    x->folder.name[i]);
		if (!mn_doctor_profile(x, x->folder.name[i]))
			return false;
	}
	mn_output_progress_end();
	mn_doctor_shared(x);
	return true;
}

static bool
examine(struct mn_examination *x)
{
	static const enum mn_environment environments[] = {
		MN_TEST, MN_LIVE
	};
	int fd[2] = { -1, -1 };
	bool r = true;
	size_t i;

	judge_environment(x);
	for (i = 0; i < 2; i++) {
		fd[i] = open_environment(x, environments[i]);
		if (fd[i] >= 0 && !mn_folder_add(&x->folder, fd[i],
		    environments[i]))
			r = false;
	}
	r = r && examine_profiles(x) && mn_doctor_folder(x);
	for (i = 0; i < 2; i++) {
		if (fd[i] < 0)
			continue;
		r = r && mn_doctor_environment(x, fd[i], environments[i]);
		(void)close(fd[i]);
	}
	return r && !x->findings.failed && !x->notes.failed;
}

static void
print_lines(const struct mn_examination *x)
{
	const struct mn_finding *f;
	size_t i;

	for (i = 0; i < x->notes.n; i++) {
		f = &x->notes.item[i];
		mn_output_line(stdout, f->profile, MN_DOUBT, "%s",
		    f->problem);
	}
	for (i = 0; i < x->findings.n; i++) {
		f = &x->findings.item[i];
		mn_output_line(stdout, f->profile, MN_PLAIN, "%s%s%s",
		    f->problem, f->mend[0] != '\0' ? ": " : "", f->mend);
	}
	if (x->findings.n > 0)
		return;
	if (x->online)
		mn_output_line(stdout, NULL, x->unknown > 0 ? MN_DOUBT :
		    MN_GOOD, "%s: %zu profiles, nothing to mend; the API "
		    "accepts %zu credentials, %zu unknown", x->cli->folder,
		    x->folder.n, x->asked, x->unknown);
	else
		mn_output_line(stdout, NULL, MN_GOOD,
		    "%s: %zu profiles, nothing to mend", x->cli->folder,
		    x->folder.n);
}

static struct json_object *
json_findings(const struct mn_findings *findings)
{
	struct json_object *list = mn_output_json_list();
	struct json_object *item;
	const struct mn_finding *f;
	size_t i;

	for (i = 0; i < findings->n; i++) {
		f = &findings->item[i];
		item = mn_output_json_object();
		mn_output_json_string(item, "profile", f->profile);
		mn_output_json_string(item, "rule", f->rule);
		mn_output_json_string(item, "problem", f->problem);
		mn_output_json_string(item, "mend", f->mend[0] != '\0' ?
		    f->mend : NULL);
		mn_output_json_append(list, item);
	}
	return list;
}

static void
print_json(const struct mn_examination *x)
{
	struct json_object *o = mn_output_json_object();

	mn_output_json_string(o, "folder", x->cli->folder);
	mn_output_json_number(o, "profiles", (int64_t)x->folder.n);
	mn_output_json_bool(o, "online", x->online);
	mn_output_json_number(o, "asked", (int64_t)x->asked);
	mn_output_json_number(o, "unknown", (int64_t)x->unknown);
	mn_output_json_add(o, "findings", json_findings(&x->findings));
	mn_output_json_add(o, "notes", json_findings(&x->notes));
	(void)mn_output_json_print(stdout, o, false);
}

static void
release(struct mn_examination *x)
{
	size_t i;

	for (i = 0; i < x->files; i++)
		free(x->file[i]);
	free(x->file);
	free(x->holder);
	mn_findings_free(&x->findings);
	mn_findings_free(&x->notes);
	mn_folder_free(&x->folder);
}

static int
doctor(struct mn_examination *x, bool json)
{
	if (!mn_folder_exists(x->cli))
		return MN_USAGE;
	if (!examine(x)) {
		(void)mn_output_error(NULL, "%s: cannot be examined: %m",
		    x->cli->folder);
		return MN_UNKNOWN;
	}
	if (json)
		print_json(x);
	else
		print_lines(x);
	if (x->unreadable)
		return MN_USAGE;
	if (x->findings.n > 0)
		return MN_NO;
	return x->unknown > 0 ? MN_UNKNOWN : MN_YES;
}

static int
run(struct mn_cli *cli)
{
	struct mn_examination x = { .cli = cli, .now = time(NULL) };
	bool json = false;
	int letter, r;

	while ((letter = mn_options_next(cli)) > 0) {
		switch (letter) {
		case MN_OPTION_ONLINE:
			x.online = true;
			break;
		case MN_OPTION_JSON:
			json = true;
			break;
		case 'v':
			x.verbose = true;
			break;
		}
	}
	if (letter < 0)
		return cli->status;
	r = doctor(&x, json);
	release(&x);
	return r;
}

static const struct mn_cli_option options[] = {
	{ MN_OPTION_ONLINE, "online", NULL,
	    "ask the API about each credential as well" },
	{ MN_OPTION_JSON, "json", NULL, "print one JSON object" },
	{ 'v', "verbose", NULL, "with --online, tell what the library does" },
	{ 0, NULL, NULL, NULL }
};

const struct mn_cli_command mn_doctor = {
	.name = "doctor",
	.operands = "",
	.summary = "Examine every file by every rule, and say what mends it",
	.text =
"Each line ends with the command that mends what it tells.  Besides what the\n"
"library refuses, doctor finds profiles without owner, purpose or rotate_by,\n"
"dates that have passed, one credential in two profiles, files that are no\n"
"profile, and folders that others can look into.  Nothing is sent without\n"
"--online.\n",
	.examples =
"  monime doctor\n"
"  monime doctor --online --json\n",
	.options = options,
	.run = run,
};
