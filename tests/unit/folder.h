/* SPDX-License-Identifier: MIT */

/*
 * A configuration folder of a test's own, at a place that the library trusts:
 * below /run for root, else in $XDG_RUNTIME_DIR, where test/ is the caller's.
 */

#ifndef FOLDER_H
#define FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

struct folder {
	char path[256];		/* "": there is none */
};

/* False, with a line that says why, where this user can have none. */
static inline bool
folder_make(struct folder *f)
{
	const char *above = geteuid() == 0 ? "/run" :
	    getenv("XDG_RUNTIME_DIR");
	char path[300];

	f->path[0] = '\0';
	/* What would be read instead, or forbid everything. */
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	(void)unsetenv("SSLKEYLOGFILE");
	if (above != NULL)
		(void)snprintf(f->path, sizeof(f->path),
		    "%s/monime-unit-XXXXXX", above);
	if (above == NULL || mkdtemp(f->path) == NULL) {
		puts("skipped: a configuration folder needs root, or "
		    "XDG_RUNTIME_DIR");
		f->path[0] = '\0';
		return false;
	}
	(void)snprintf(path, sizeof(path), "%s/test", f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/live", f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	return true;
}

/* Write a file below it, root-only. */
static inline void
folder_write(const struct folder *f, const char *name, const char *text)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static inline int
folder_remove_one(const char *path, const struct stat *st, int what,
    struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static inline void
folder_remove(struct folder *f)
{
	if (f->path[0] != '\0')
		(void)nftw(f->path, folder_remove_one, 8,
		    FTW_DEPTH | FTW_PHYS);
	f->path[0] = '\0';
}

#endif
