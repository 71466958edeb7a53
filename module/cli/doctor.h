/* SPDX-License-Identifier: MIT */

/* The parts of monime doctor. */

#ifndef MN_DOCTOR_H
#define MN_DOCTOR_H

#include "cli.h"
#include "findings.h"
#include "rows.h"

struct mn_holder {
	const char *profile;
	char fingerprint[MONIME_FINGERPRINT_SIZE];
	bool in_file;		/* that set-token writes */
};

struct mn_examination {
	const struct mn_cli *cli;
	int64_t now;
	bool online;
	bool verbose;

	struct mn_folder folder;	/* all profiles */
	struct mn_findings findings;
	struct mn_findings notes;	/* dates that come soon */
	bool unreadable;	/* a folder that this user may not read */
	size_t asked;		/* credentials that the API judged */
	size_t unknown;		/* and about which nobody knows */

	/* Credentials, for those that two profiles hold. */
	struct mn_holder *holder;
	size_t holders;

	/* Files that some profile names, and so are no strangers. */
	char **file;
	size_t files;
};

/* One profile: the library's rules, then ours, then the API's word. */
bool mn_doctor_profile(struct mn_examination *x, const char *name);

/* Credentials that two profiles hold. */
void mn_doctor_shared(struct mn_examination *x);

/* Modes, and files that are no profile's; the folder comes first. */
bool mn_doctor_folder(struct mn_examination *x);
bool mn_doctor_environment(struct mn_examination *x, int fd,
    enum mn_environment environment);

/* Append "monime -C DIR " as this host needs it. */
void mn_doctor_command(const struct mn_examination *x, struct mn_text *t);

#endif
