/* SPDX-License-Identifier: MIT */

/* What doctor looks for in the folders: modes, and files that are nobody's. */

#define _GNU_SOURCE
#include "doctor.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "banned.h"

#define PATH_BYTES	8192

/* What editors and people leave beside a file; it may hold the secret. */
static const char *const leftovers[] = {
	"~", ".swp", ".swo", ".swn", ".bak", ".old", ".orig", ".save", ".tmp",
	".new", "#", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".rpmsave",
	".rpmnew", ".rpmorig"
};

static bool
ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool
is_leftover(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		if (ends_in(name, leftovers[i]))
			return true;
	}
	return strncmp(name, ".#", 2) == 0;
}

static int
compare(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

/* Does some profile name this file?  x->file is sorted. */
static bool
is_named(const struct mn_examination *x, const char *path)
{
	return x->files > 0 && bsearch(&path, x->file, x->files,
	    sizeof(*x->file), compare) != NULL;
}

/* Is NAME.conf there, of "live/NAME"? */
static bool
has_profile(int fd, const char *name)
{
	struct mn_text file = MN_TEXT_INIT(512);
	struct stat st;
	bool r;

	mn_text_add(&file, "%s.conf", strchr(name, '/') + 1);
	r = fstatat(fd, mn_text_get(&file), &st, AT_SYMLINK_NOFOLLOW) == 0;
	mn_text_free(&file);
	return r;
}

/* "live/payouts" of "payouts.token" in live; false: it is no such file. */
static bool
profile_name(enum mn_environment environment, const char *file,
    const char *suffix, struct mn_text *name)
{
	enum mn_environment of;

	mn_text_free(name);
	if (!ends_in(file, suffix))
		return false;
	mn_text_add(name, "%s/%.*s", mn_profile_environment(environment),
	    (int)(strlen(file) - strlen(suffix)), file);
	return !name->failed && mn_profile_name(mn_text_get(name), &of);
}

/* The nearest name that a profile may have: "Pay Outs.conf" is pay_outs. */
static bool
better_name(const char *file, const char *suffix, struct mn_text *t)
{
	size_t n = strlen(file) - strlen(suffix), i;
	char c;

	mn_text_free(t);
	for (i = 0; i < n && i < 64; i++) {
		c = file[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (strchr(MN_TEXT_LOWER MN_TEXT_DIGIT "_-", c) == NULL)
			c = '_';
		if (i == 0 && (c == '_' || c == '-'))
			c = 'x';
		mn_text_put(t, &c, 1);
	}
	mn_text_add(t, "%s", suffix);
	return n > 0 && !t->failed;
}

static void
add_command(struct mn_text *t, const char *command, const char *path)
{
	mn_text_add(t, "%s ", command);
	mn_findings_word(t, path);
}

/* A file whose name ends as a profile's does, but begins otherwise. */
static void
misnamed(struct mn_examination *x, int fd, const char *folder,
    const char *file, const char *path)
{
	const char *suffix = ends_in(file, ".conf") ? ".conf" : ".token";
	struct mn_text mend = MN_TEXT_INIT(PATH_BYTES);
	struct mn_text name = MN_TEXT_INIT(256);
	struct mn_text better = MN_TEXT_INIT(PATH_BYTES);
	struct stat st;

	if (better_name(file, suffix, &name) && fstatat(fd,
	    mn_text_get(&name), &st, AT_SYMLINK_NOFOLLOW) != 0) {
		mn_text_add(&better, "%s/%s", folder, mn_text_get(&name));
		add_command(&mend, "mv", path);
		mn_text_add(&mend, " ");
		mn_findings_word(&mend, mn_text_get(&better));
	} else {
		add_command(&mend, "rm -i", path);
	}
	mn_findings_add(&x->findings, NULL, "stray", &mend, "%s: no profile "
	    "has such a name, so nobody reads it; a name has a-z, 0-9, _ and "
	    "-, at most 64, and begins with a letter or digit", path);
	mn_text_free(&name);
	mn_text_free(&better);
}

static void
judge_entry(struct mn_examination *x, int fd, const char *folder,
    enum mn_environment environment, const char *file)
{
	struct mn_text path = MN_TEXT_INIT(PATH_BYTES);
	struct mn_text name = MN_TEXT_INIT(512);
	struct mn_text mend = MN_TEXT_INIT(PATH_BYTES);

	mn_text_add(&path, "%s/%s", folder, file);
	if (is_named(x, mn_text_get(&path)) ||
	    profile_name(environment, file, ".conf", &name))
		goto out;
	if (strncmp(file, ".set-token.", 11) == 0) {
		add_command(&mend, "rm -r", mn_text_get(&path));
		mn_findings_add(&x->findings, NULL, "stray", &mend, "%s: left "
		    "by a monime set-token that was killed; it may hold a "
		    "token", mn_text_get(&path));
	} else if (is_leftover(file)) {
		add_command(&mend, "rm", mn_text_get(&path));
		mn_findings_add(&x->findings, NULL, "stray", &mend, "%s: a "
		    "copy that an editor or an upgrade left; it may hold a "
		    "token, which nobody rotates", mn_text_get(&path));
	} else if (profile_name(environment, file, ".token", &name)) {
		if (has_profile(fd, mn_text_get(&name)))
			goto out;
		add_command(&mend, "rm -i", mn_text_get(&path));
		mn_findings_add(&x->findings, NULL, "orphan", &mend, "%s: a "
		    "token without its profile, %s.conf",
		    mn_text_get(&path), mn_text_get(&name));
	} else if (ends_in(file, ".conf") || ends_in(file, ".token")) {
		misnamed(x, fd, folder, file, mn_text_get(&path));
	} else {
		add_command(&mend, "rm -i", mn_text_get(&path));
		mn_findings_add(&x->findings, NULL, "stray", &mend, "%s: "
		    "neither a profile nor named by one",
		    mn_text_get(&path));
	}
out:
	mn_text_free(&mend);
	mn_text_free(&path);
	mn_text_free(&name);
}

static void
judge_mode(struct mn_examination *x, int fd, const char *folder)
{
	struct mn_text mend = MN_TEXT_INIT(PATH_BYTES);
	struct stat st;

	if (fstat(fd, &st) != 0 || (st.st_mode & 077) == 0)
		return;
	add_command(&mend, "chmod 0700", folder);
	mn_findings_add(&x->findings, NULL, "folder-mode", &mend,
	    "%s: mode %04o lets others see which credentials there are; 0700 "
	    "is wanted", folder, (unsigned int)(st.st_mode & 07777));
}

static DIR *
open_copy(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;

	if (dir == NULL && copy >= 0)
		(void)close(copy);
	return dir;
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

bool
mn_doctor_environment(struct mn_examination *x, int fd,
    enum mn_environment environment)
{
	struct mn_text folder = MN_TEXT_INIT(PATH_BYTES);
	struct dirent *d;
	DIR *dir;

	dir = open_copy(fd);
	if (dir == NULL)
		return false;
	mn_text_add(&folder, "%s/%s", x->cli->folder,
	    mn_profile_environment(environment));
	judge_mode(x, fd, mn_text_get(&folder));
	while ((d = readdir(dir)) != NULL) {
		if (!is_dots(d->d_name))
			judge_entry(x, fd, mn_text_get(&folder), environment,
			    d->d_name);
	}
	(void)closedir(dir);
	mn_text_free(&folder);
	return true;
}

/* One level up: profiles and tokens that stand in the wrong folder. */
static void
judge_outer(struct mn_examination *x, const char *file)
{
	struct mn_text path = MN_TEXT_INIT(PATH_BYTES);
	struct mn_text mend = MN_TEXT_INIT(PATH_BYTES);

	mn_text_add(&path, "%s/%s", x->cli->folder, file);
	if (strcmp(file, "monime.conf") != 0 && !is_named(x,
	    mn_text_get(&path)) && (ends_in(file, ".conf") ||
	    ends_in(file, ".token"))) {
		add_command(&mend, "rm -i", mn_text_get(&path));
		mn_findings_add(&x->findings, NULL, "stray", &mend, "%s: "
		    "outside test and live nobody reads profiles and tokens",
		    mn_text_get(&path));
	}
	mn_text_free(&mend);
	mn_text_free(&path);
}

bool
mn_doctor_folder(struct mn_examination *x)
{
	struct dirent *d;
	DIR *dir;

	if (x->files > 0)
		qsort(x->file, x->files, sizeof(*x->file), compare);
	dir = opendir(x->cli->folder);
	if (dir == NULL)
		return false;
	while ((d = readdir(dir)) != NULL)
		judge_outer(x, d->d_name);
	(void)closedir(dir);
	return true;
}
