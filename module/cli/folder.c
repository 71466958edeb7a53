/* SPDX-License-Identifier: MIT */

/* Which profiles a configuration folder holds.  Names alone are read here. */

#define _GNU_SOURCE
#include "cli.h"
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "safefile.h"

#include "banned.h"

/* More files than this in one folder are nobody's profiles. */
#define PROFILES_MAX	10000

static int
open_folder(const char *path, enum mn_environment environment, bool secret,
    bool *missing, struct mn_error *e)
{
	const struct mn_safefile_rule rule = {
		.secret = secret,
		.caller = environment == MN_TEST,
	};
	int code;

	return mn_safefile_folder(path, &rule, &code, missing, e);
}

int
mn_folder_open(const struct mn_cli *cli, enum mn_environment environment,
    bool *missing, struct mn_error *e)
{
	struct mn_text path = MN_TEXT_INIT(8192);
	int fd;

	mn_text_add(&path, "%s/%s", cli->folder,
	    mn_profile_environment(environment));
	fd = open_folder(mn_text_get(&path), environment, true, missing, e);
	mn_text_free(&path);
	return fd;
}

int
mn_folder_look(const struct mn_cli *cli, enum mn_environment environment,
    bool *missing, struct mn_error *e)
{
	struct mn_text path = MN_TEXT_INIT(8192);
	int fd;

	fd = mn_folder_open(cli, environment, missing, e);
	if (fd >= 0 || *missing)
		return fd;
	mn_text_add(&path, "%s/%s", cli->folder,
	    mn_profile_environment(environment));
	if (!path.failed)
		fd = open(mn_text_get(&path),
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The walk may have stopped above it. */
	if (!path.failed && fd < 0 && errno == ENOENT)
		*missing = true;
	mn_text_free(&path);
	return fd;
}

bool
mn_folder_exists(const struct mn_cli *cli)
{
	struct mn_error e = MN_ERROR_INIT;
	bool missing;
	int fd;

	fd = open_folder(cli->folder, MN_TEST, false, &missing, &e);
	if (fd < 0)
		mn_output_errors(NULL, mn_error_get(&e));
	else
		(void)close(fd);
	mn_error_free(&e);
	return fd >= 0;
}

static int
compare(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

/* "NAME.conf" as "ENVIRONMENT/NAME", or NULL; *fatal: memory. */
static char *
profile_of(const char *file, enum mn_environment environment, bool *fatal)
{
	size_t len = strlen(file);
	enum mn_environment of;
	char *name;

	if (len <= 5 || strcmp(file + len - 5, ".conf") != 0)
		return NULL;
	if (asprintf(&name, "%s/%.*s", mn_profile_environment(environment),
	    (int)(len - 5), file) < 0) {
		*fatal = true;
		return NULL;
	}
	if (mn_profile_name(name, &of))
		return name;
	free(name);
	return NULL;
}

static bool
append(struct mn_folder *f, char *name)
{
	char **p;

	if (f->n % 64 == 0) {
		p = reallocarray(f->name, f->n + 64, sizeof(*p));
		if (p == NULL)
			return false;
		f->name = p;
	}
	f->name[f->n++] = name;
	return true;
}

/* NULL: the end, or an error, which would cut the list. */
static struct dirent *
next(DIR *dir, bool *fatal)
{
	struct dirent *d;

	errno = 0;
	d = readdir(dir);
	if (d == NULL && errno != 0)
		*fatal = true;
	return d;
}

bool
mn_folder_add(struct mn_folder *f, int fd, enum mn_environment environment)
{
	size_t before = f->n;
	struct dirent *d;
	bool fatal = false;
	char *name;
	DIR *dir;
	int copy;

	/* closedir() closes, and the descriptor is the caller's. */
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (dir == NULL) {
		if (copy >= 0)
			(void)close(copy);
		return false;
	}
	rewinddir(dir);
	while (!fatal && (d = next(dir, &fatal)) != NULL) {
		name = profile_of(d->d_name, environment, &fatal);
		if (name == NULL)
			continue;
		if (f->n - before >= PROFILES_MAX || !append(f, name)) {
			free(name);
			fatal = true;
		}
	}
	(void)closedir(dir);
	if (f->n > before)
		qsort(f->name + before, f->n - before, sizeof(*f->name),
		    compare);
	return !fatal;
}

void
mn_folder_free(struct mn_folder *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free(f->name[i]);
	free(f->name);
	f->name = NULL;
	f->n = 0;
}
