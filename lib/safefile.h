/* SPDX-License-Identifier: MIT */

/*
 * Reading a file that nobody but root (or, for test, the caller) can have
 * chosen or written.  The whole path is walked with openat(2) from "/", each
 * component is judged through the descriptor that the next step uses, and the
 * bytes come from the descriptor that was judged.
 */

#ifndef MN_SAFEFILE_H
#define MN_SAFEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "error.h"
#include "secret.h"

/* The largest file with settings or a secret; a CA file may have 1 MiB. */
#define MN_SAFEFILE_MAX		65536
#define MN_SAFEFILE_CA_MAX	1048576

/* The most symbolic links in one path. */
#define MN_SAFEFILE_LINKS	8

struct mn_safefile_rule {
	size_t max;	/* bytes */
	bool secret;	/* no bit for group or others */
	bool caller;	/* the caller's own files and folders pass as well */
	bool sticky;	/* a root-owned sticky folder passes where the next
			 * component is root's: Kubernetes' volumes */
	bool ca;	/* certificate authorities: an empty one is no mend */
	bool systemd;	/* a systemd credential: owner root or this process,
			 * read-only mount, group bits and ACL are systemd's */
};

/* What tells one state of a file from another. */
struct mn_safefile_id {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

/*
 * Read a file whole.  *out is guarded memory and the caller's to free.
 * MONIME_EUNSAFE: a rule is broken; MONIME_ECONFIG: it is not there (and
 * *missing, which may be NULL, is true) or this process may not read it; every
 * refusal adds one line that names the component, the rule, what was found,
 * what is wanted and the command that mends it.
 */
int mn_safefile_read(const char *path, const struct mn_safefile_rule *rule,
    struct mn_secret **out, struct mn_safefile_id *id, bool *missing,
    struct mn_error *e);

/*
 * Judge a folder and all above it by the same rules, and open it: a
 * descriptor with O_DIRECTORY, or -1 and a line.  *code is as above.
 */
int mn_safefile_folder(const char *path, const struct mn_safefile_rule *rule,
    int *code, bool *missing, struct mn_error *e);

bool mn_safefile_same(const struct mn_safefile_id *a,
    const struct mn_safefile_id *b);

#endif
