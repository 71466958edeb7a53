/* SPDX-License-Identifier: MIT */

/*
 * Walking to a file by descriptors, judging each, reading the last.
 *
 * Only one folder is open at a time.  A link, or a ".." in one, rewrites the
 * path and the walk begins anew at "/": every folder is then judged again, and
 * what stands before the component in hand never holds a link.
 */

#define _GNU_SOURCE
#include "safefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "banned.h"

/* How the system lays out an ACL: a header, and the three entries of a mode. */
#define ACL_NAME	"system.posix_acl_access"
#define ACL_PLAIN	(4 + 3 * 8)

struct walk {
	const struct mn_safefile_rule *rule;
	struct mn_error *e;
	bool *missing;
	const char *asked;
	bool file;		/* it ends at a file, not at a folder */
	bool caller;		/* rule->caller, and nobody lent us rights */
	bool sticky;		/* others may add to the folder we stand in */
	bool arrived;		/* at the file */
	unsigned int links;
	size_t done;		/* bytes of path that we walked */
	size_t end;		/* bytes up to the end of the one in hand */
	int at;			/* the folder we stand in */
	int fd;			/* the component in hand, or -1 */
	struct stat folder;	/* of at */
	struct stat st;		/* of fd */
	char path[PATH_MAX];	/* asked, with its links replaced */
};

/* What a line shows of the thing that broke a rule. */
enum fact {
	FACT_NONE,
	FACT_MODE,
	FACT_OWNER,
	FACT_SIZE,
	FACT_TYPE,
	FACT_PROCESS,
	FACT_SYSTEM
};

enum broken {
	PATH_RELATIVE,
	PATH_EMPTY_NAME,
	PATH_DOT,
	PATH_DOTDOT,
	PATH_SLASH,
	FOLDER_TYPE,
	FOLDER_OWNER,
	FOLDER_MODE,
	FOLDER_ACL,
	FOLDER_STICKY,
	FOLDER_MOUNT,
	STICKY_NEXT,
	LINK_OWNER,
	LINK_FOLDER,
	LINK_COUNT,
	LINK_LONG,
	FILE_TYPE,
	FILE_DEVICE,
	FILE_OWNER,
	FILE_SIZE,
	FILE_MODE,
	FILE_ACL,
	SECRET_MODE,
	SECRET_ACL,
	SYSTEMD_MODE,
	FILE_CHANGED,
	MISSING_FILE,
	MISSING_SECRET,
	MISSING_FOLDER,
	MISSING_SECRETS_FOLDER,
	MISSING_CA,
	NAME_LONG,
	MAY_NOT_SEARCH,
	MAY_NOT_READ,
	FORBIDDEN,
	MEMORY,
	SYSTEM
};

/*
 * found follows the component, wanted says what would pass, and mend is a
 * command in which @ stands for the component and $ for the path asked for.
 * There is none where it would do harm: nobody should be told to move
 * /dev/null away, or to open a root-only folder.
 */
static const struct {
	int code;
	enum fact fact;
	const char *found;
	const char *wanted;
	const char *mend;
} rules[] = {
	[PATH_RELATIVE] = { MONIME_EUNSAFE, FACT_NONE,
	    "a relative path", "write it from \"/\" on", NULL },
	[PATH_EMPTY_NAME] = { MONIME_EUNSAFE, FACT_NONE,
	    "two slashes in a row", "write the path with one", NULL },
	[PATH_DOT] = { MONIME_EUNSAFE, FACT_NONE,
	    "a component \".\"", "write the path without it", NULL },
	[PATH_DOTDOT] = { MONIME_EUNSAFE, FACT_NONE,
	    "a component \"..\"", "write the path without it", NULL },
	[PATH_SLASH] = { MONIME_EUNSAFE, FACT_NONE,
	    "a slash at the end", "write the path without it", NULL },
	[FOLDER_TYPE] = { MONIME_EUNSAFE, FACT_TYPE,
	    "", "a folder is wanted here", "mv @ @.old" },
	[FOLDER_OWNER] = { MONIME_EUNSAFE, FACT_OWNER,
	    "a folder of another owner", "it must be root's",
	    "chown root:root @" },
	[FOLDER_MODE] = { MONIME_EUNSAFE, FACT_MODE,
	    "", "nobody but its owner may write to a folder on the way",
	    "chmod go-w @" },
	[FOLDER_ACL] = { MONIME_EUNSAFE, FACT_MODE,
	    " by an ACL",
	    "nobody but its owner may write to a folder on the way",
	    "setfacl -b @" },
	[FOLDER_STICKY] = { MONIME_EUNSAFE, FACT_MODE,
	    "", "sticky or not, nobody but its owner may write to a folder "
	    "on the way; keep the file in a folder of root's and name that",
	    "mv -i $ /etc/monime" },
	[FOLDER_MOUNT] = { MONIME_EUNSAFE, FACT_NONE,
	    "not on a read-only mount",
	    "the folder of a systemd credential is on one",
	    "mount -o bind,ro @ @" },
	[STICKY_NEXT] = { MONIME_EUNSAFE, FACT_OWNER,
	    "of another owner, in a sticky folder that others may add to",
	    "what is read there must be root's", "chown -h root:root @" },
	[LINK_OWNER] = { MONIME_EUNSAFE, FACT_OWNER,
	    "a symbolic link of another owner", "it must be root's",
	    "chown -h root:root @" },
	[LINK_FOLDER] = { MONIME_EUNSAFE, FACT_NONE,
	    "a symbolic link in a folder that is not root's",
	    "put the file itself in its place", "rm @" },
	[LINK_COUNT] = { MONIME_EUNSAFE, FACT_NONE,
	    "one symbolic link too many (8 are followed)",
	    "put the file itself in its place", "rm @" },
	[LINK_LONG] = { MONIME_EUNSAFE, FACT_NONE,
	    "a symbolic link that makes the path too long",
	    "put the file itself in its place", "rm @" },
	[FILE_TYPE] = { MONIME_EUNSAFE, FACT_TYPE,
	    "", "a regular file is wanted here", "mv @ @.old" },
	[FILE_DEVICE] = { MONIME_EUNSAFE, FACT_TYPE,
	    "", "name a regular file instead", NULL },
	[FILE_OWNER] = { MONIME_EUNSAFE, FACT_OWNER,
	    "a file of another owner", "it must be root's",
	    "chown root:root @" },
	[FILE_SIZE] = { MONIME_EUNSAFE, FACT_SIZE,
	    "too large", "put a smaller file in its place", "mv @ @.old" },
	[FILE_MODE] = { MONIME_EUNSAFE, FACT_MODE,
	    "", "nobody but its owner may write to it", "chmod go-w @" },
	[FILE_ACL] = { MONIME_EUNSAFE, FACT_MODE,
	    " by an ACL", "nobody but its owner may write to it",
	    "setfacl -b @" },
	[SECRET_MODE] = { MONIME_EUNSAFE, FACT_MODE,
	    "", "a file that holds a secret must be 0600", "chmod 0600 @" },
	[SECRET_ACL] = { MONIME_EUNSAFE, FACT_MODE,
	    " by an ACL",
	    "a file that holds a secret must be 0600 and have none",
	    "setfacl -b @" },
	[SYSTEMD_MODE] = { MONIME_EUNSAFE, FACT_MODE,
	    "", "a systemd credential is closed to others: let systemd make "
	    "it, with LoadCredential= or SetCredential=", NULL },
	[FILE_CHANGED] = { MONIME_ECONFIG, FACT_NONE,
	    "changed while it was read",
	    "replace it as a whole, by mv, and try again", NULL },
	[MISSING_FILE] = { MONIME_ECONFIG, FACT_NONE,
	    "not there", "make it", "install -m 0644 /dev/null @" },
	[MISSING_SECRET] = { MONIME_ECONFIG, FACT_NONE,
	    "not there", "make it", "install -m 0600 /dev/null @" },
	[MISSING_FOLDER] = { MONIME_ECONFIG, FACT_NONE,
	    "this folder is not there", "make it", "mkdir -m 0755 @" },
	[MISSING_SECRETS_FOLDER] = { MONIME_ECONFIG, FACT_NONE,
	    "this folder is not there", "make it", "mkdir -m 0700 @" },
	[MISSING_CA] = { MONIME_ECONFIG, FACT_NONE,
	    "not there", "put trusted certificates there, or take the setting "
	    "out: the system's are then trusted", NULL },
	[NAME_LONG] = { MONIME_ECONFIG, FACT_NONE,
	    "a longer name than the file system takes", "choose a shorter one",
	    NULL },
	[MAY_NOT_SEARCH] = { MONIME_ECONFIG, FACT_PROCESS,
	    "this process may not look into the folder",
	    "run it as its owner", NULL },
	[MAY_NOT_READ] = { MONIME_ECONFIG, FACT_PROCESS,
	    "this process may not read it", "run it as its owner", NULL },
	[FORBIDDEN] = { MONIME_ECONFIG, FACT_PROCESS,
	    "the system forbids it even to root",
	    "look for a denial by SELinux, AppArmor or the file system",
	    "journalctl -k -g denied" },
	[MEMORY] = { MONIME_ENOMEM, FACT_NONE,
	    "out of memory", "nothing was read", NULL },
	[SYSTEM] = { MONIME_ESYS, FACT_SYSTEM,
	    "the system cannot read it", "nothing was read", NULL },
};

static const char *
type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a folder";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	default:
		return "of an unknown type";
	}
}

/* What three bits of a mode let somebody do. */
static const char *
rights(mode_t bits)
{
	static const char *const words[] = {
		"closed", "executable", "writable", "writable and executable",
		"readable", "readable and executable", "readable and writable",
		"readable, writable and executable"
	};

	return words[bits & 07];
}

/* The bits of group and others, of those that the rule forbids. */
static void
add_rights(struct mn_text *t, mode_t mode, mode_t forbidden)
{
	mode_t group = (mode & forbidden & S_IRWXG) >> 3;
	mode_t others = mode & forbidden & S_IRWXO;

	if (group == others)
		mn_text_add(t, "%s by group and others", rights(group));
	else if (others == 0)
		mn_text_add(t, "%s by group", rights(group));
	else if (group == 0)
		mn_text_add(t, "%s by others", rights(others));
	else
		mn_text_add(t, "%s by group, %s by others", rights(group),
		    rights(others));
}

/* A path as a word of the shell, with what follows it. */
static void
add_word(struct mn_text *t, const char *s, size_t len)
{
	const char *quote = "'";
	size_t i;

	if (mn_text_made_of(s, len, MN_TEXT_ALNUM "/._+,:@%-", 1, len)) {
		mn_text_put(t, s, len);
		return;
	}
	for (i = 0; i < len; i++) {
		/* What an error line would escape needs bash's own quotes. */
		if ((unsigned char)s[i] < 0x80 &&
		    !mn_text_printable(s + i, 1))
			quote = "$'";
	}
	mn_text_add(t, "%s", quote);
	for (i = 0; i < len; i++) {
		if ((unsigned char)s[i] >= 0x80)
			mn_text_put(t, s + i, 1);
		else if (s[i] == '\'')
			mn_text_add(t, quote[0] == '$' ? "\\'" : "'\\''");
		else if (s[i] == '\\' && quote[0] == '$')
			mn_text_add(t, "\\\\");
		else
			mn_text_escape(t, s + i, 1);
	}
	mn_text_put(t, "'", 1);
}

static void
add_mend(struct mn_text *t, const struct walk *w, const char *mend)
{
	const char *s;

	for (s = mend; *s != '\0'; s++) {
		if (*s == '@' && w->end == 0)
			mn_text_put(t, "/", 1);
		else if (*s == '@')
			add_word(t, w->path, w->end);
		else if (*s == '$')
			add_word(t, w->asked, strlen(w->asked));
		else
			mn_text_put(t, s, 1);
	}
}

static mode_t
forbidden_bits(const struct walk *w, bool file)
{
	if (!file)
		return S_IWGRP | S_IWOTH;
	if (w->rule->systemd)
		return S_IRWXO;
	return w->rule->secret ? S_IRWXG | S_IRWXO : S_IWGRP | S_IWOTH;
}

/* The words between the component and the semicolon. */
static void
add_found(struct mn_text *t, const struct walk *w, enum broken rule,
    const struct stat *st, int number)
{
	const char *found = rules[rule].found;
	char reason[128];

	switch (rules[rule].fact) {
	case FACT_NONE:
		mn_text_add(t, "%s", found);
		break;
	case FACT_MODE:
		add_rights(t, st->st_mode,
		    forbidden_bits(w, !S_ISDIR(st->st_mode)));
		mn_text_add(t, "%s (mode %04o)", found,
		    (unsigned int)st->st_mode & 07777);
		break;
	case FACT_OWNER:
		/* No name: getpwuid() may ask the network, and run anything. */
		mn_text_add(t, "%s (uid %ju)", found, (uintmax_t)st->st_uid);
		break;
	case FACT_SIZE:
		mn_text_add(t, "%s (%jd bytes of at most %zu)", found,
		    (intmax_t)st->st_size, w->rule->max);
		break;
	case FACT_TYPE:
		mn_text_add(t, "%s", type_name(st->st_mode));
		break;
	case FACT_PROCESS:
		mn_text_add(t, "%s (uid %ju; it is uid %ju's, mode %04o)",
		    found, (uintmax_t)geteuid(), (uintmax_t)st->st_uid,
		    (unsigned int)st->st_mode & 07777);
		break;
	case FACT_SYSTEM:
		errno = number;
		(void)snprintf(reason, sizeof(reason), "%m");
		mn_text_add(t, "%s (%s)", found, reason);
		break;
	}
}

/* Who else may own it: the owner's rules alone have a caller's exception. */
static void
add_other_owner(struct mn_text *t, const struct walk *w, enum broken rule)
{
	uintmax_t uid = geteuid();

	if (rule != FOLDER_OWNER && rule != FILE_OWNER)
		return;
	if (uid != 0 && (w->caller || w->rule->systemd))
		mn_text_add(t, " or uid %ju's", uid);
}

/* Is the component in hand part of the path that was asked for? */
static bool
was_asked(const struct walk *w)
{
	return strncmp(w->asked, w->path, w->end) == 0 &&
	    (w->asked[w->end] == '/' || w->asked[w->end] == '\0');
}

/*
 * The one line about the component in hand.  It is put together piece by
 * piece, so that a monstrous path costs the end of the line and not all of it.
 */
static int
refuse(const struct walk *w, enum broken rule, const struct stat *st)
{
	struct mn_text t = MN_TEXT_INIT(MN_ERROR_MAX);
	int number = errno;

	mn_text_put(&t, w->end > 0 ? w->path : "/", w->end > 0 ? w->end : 1);
	if (!was_asked(w))
		mn_text_add(&t, " (on the way to %s)", w->asked);
	mn_text_add(&t, ": ");
	add_found(&t, w, rule, st, number);
	mn_text_add(&t, "; %s", rules[rule].wanted);
	add_other_owner(&t, w, rule);
	if (rules[rule].mend != NULL) {
		mn_text_add(&t, ": ");
		add_mend(&t, w, rules[rule].mend);
	}
	mn_error_add(w->e, rules[rule].code, "%s", mn_text_get(&t));
	mn_text_free(&t);
	return rules[rule].code;
}

/* The same about the folder in which the component in hand stands. */
static int
refuse_folder(struct walk *w, enum broken rule)
{
	w->end = w->done;
	return refuse(w, rule, &w->folder);
}

/* Is it the folder that is wanted, or that of the file? */
static bool
is_last_folder(const struct walk *w)
{
	const char *rest = w->path + w->end;

	return w->file ? strchr(rest + 1, '/') == NULL : rest[0] == '\0';
}

static int
not_there(struct walk *w)
{
	if (w->missing != NULL)
		*w->missing = true;
	if (w->rule->ca)
		return refuse(w, MISSING_CA, &w->st);
	if (!w->file || w->path[w->end] != '\0')
		return refuse(w, w->rule->secret && is_last_folder(w) ?
		    MISSING_SECRETS_FOLDER : MISSING_FOLDER, &w->st);
	return refuse(w, w->rule->secret ? MISSING_SECRET : MISSING_FILE,
	    &w->st);
}

/*
 * Why the system would not give us the component in hand: looking for it needs
 * a right to its folder, reading it one to itself.
 */
static int
trouble(struct walk *w, bool looking)
{
	switch (errno) {
	case ENOENT:
		return not_there(w);
	case EACCES:
	case EPERM:
		if (geteuid() == 0)
			return looking ? refuse_folder(w, FORBIDDEN) :
			    refuse(w, FORBIDDEN, &w->st);
		return looking ? refuse_folder(w, MAY_NOT_SEARCH) :
		    refuse(w, MAY_NOT_READ, &w->st);
	case ELOOP:		/* a link since we looked */
	case ENXIO:		/* a socket */
	case ENOTDIR:
		return refuse(w, FILE_CHANGED, &w->st);
	case ENAMETOOLONG:
		return refuse(w, NAME_LONG, &w->st);
	case ENOMEM:
		return refuse(w, MEMORY, &w->st);
	default:
		return refuse(w, SYSTEM, &w->st);
	}
}

static void
let_go(int *fd)
{
	int number = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = number;
}

static bool
read_only(int fd)
{
	struct statvfs v;

	return fstatvfs(fd, &v) == 0 && (v.f_flag & ST_RDONLY) != 0;
}

/*
 * Are the group's bits the mask of an ACL?  This chooses words alone: the mode
 * has been judged.  Descriptors that only mark a place need the way by /proc.
 */
static bool
has_acl(int fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return getxattr(path, ACL_NAME, NULL, 0) > ACL_PLAIN;
}

static bool
owner_passes(const struct walk *w, int fd, uid_t uid)
{
	if (uid == 0 || w->sticky)
		return uid == 0;
	if (w->caller && uid == getuid())
		return true;
	return w->rule->systemd && uid == geteuid() && read_only(fd);
}

/* The component in hand as a folder on the way, or the last one. */
static int
judge_folder(struct walk *w)
{
	const struct stat *st = &w->st;
	mode_t open = st->st_mode & forbidden_bits(w, false);

	w->sticky = false;
	if (!S_ISDIR(st->st_mode))
		return refuse(w, FOLDER_TYPE, st);
	if (!owner_passes(w, w->fd, st->st_uid))
		return refuse(w, FOLDER_OWNER, st);
	if (open == 0 || read_only(w->fd))
		return MONIME_OK;
	if ((st->st_mode & S_ISVTX) != 0) {
		w->sticky = w->rule->sticky && st->st_uid == 0;
		return w->sticky ? MONIME_OK : refuse(w, FOLDER_STICKY, st);
	}
	if ((open & S_IWGRP) != 0 && has_acl(w->fd))
		return refuse(w, FOLDER_ACL, st);
	return refuse(w, FOLDER_MODE, st);
}

static int
judge_file(const struct walk *w, int fd, const struct stat *st)
{
	mode_t open = st->st_mode & forbidden_bits(w, true);
	bool secret = w->rule->secret;

	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		return refuse(w, FILE_DEVICE, st);
	if (!S_ISREG(st->st_mode))
		return refuse(w, FILE_TYPE, st);
	if (!owner_passes(w, fd, st->st_uid))
		return refuse(w, FILE_OWNER, st);
	if ((uintmax_t)st->st_size > w->rule->max)
		return refuse(w, FILE_SIZE, st);
	if (open == 0)
		return MONIME_OK;
	if (w->rule->systemd)
		return refuse(w, SYSTEMD_MODE, st);
	if ((open & S_IRWXG) != 0 && has_acl(fd))
		return refuse(w, secret ? SECRET_ACL : FILE_ACL, st);
	return refuse(w, secret ? SECRET_MODE : FILE_MODE, st);
}

/* Step into the folder in hand. */
static int
enter(struct walk *w)
{
	int r;

	r = judge_folder(w);
	if (r != MONIME_OK)
		return r;
	let_go(&w->at);
	w->at = w->fd;
	w->fd = -1;
	w->folder = w->st;
	w->done = w->end;
	return MONIME_OK;
}

static int
enter_root(struct walk *w)
{
	w->done = w->end = 0;
	w->fd = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->fd < 0 || fstat(w->fd, &w->st) != 0)
		return trouble(w, false);
	return enter(w);
}

/* Take the component in hand without opening it: no device notices. */
static int
look(struct walk *w)
{
	char name[PATH_MAX];
	size_t len = w->end - w->done - 1;
	bool last = w->file && w->path[w->end] == '\0';

	memcpy(name, w->path + w->done + 1, len);
	name[len] = '\0';
	/* O_DIRECTORY wakes an automount, which O_PATH alone lets sleep. */
	w->fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC |
	    (last ? 0 : O_DIRECTORY));
	if (w->fd < 0 && errno == ENOTDIR && !last)
		w->fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (w->fd < 0 || fstat(w->fd, &w->st) != 0)
		return trouble(w, true);
	return MONIME_OK;
}

/*
 * Put target in the place of what stands between the first keep bytes of the
 * path and the end of the component in hand, and begin anew.
 */
static int
redirect(struct walk *w, size_t keep, const char *target, size_t len)
{
	size_t rest = strlen(w->path + w->end);
	size_t slash = len > 0 && target[0] != '/' ? 1 : 0;

	if (len + slash + rest >= sizeof(w->path) - keep)
		return refuse(w, LINK_LONG, &w->st);
	memmove(w->path + keep + slash + len, w->path + w->end, rest + 1);
	if (slash > 0)
		w->path[keep] = '/';
	memcpy(w->path + keep + slash, target, len);
	let_go(&w->fd);
	return enter_root(w);
}

static int
follow(struct walk *w)
{
	char target[PATH_MAX];
	ssize_t len;

	if (w->st.st_uid != 0)
		return refuse(w, LINK_OWNER, &w->st);
	if (w->folder.st_uid != 0)
		return refuse(w, LINK_FOLDER, &w->st);
	if (w->links >= MN_SAFEFILE_LINKS)
		return refuse(w, LINK_COUNT, &w->st);
	len = readlinkat(w->fd, "", target, sizeof(target));
	if (len < 0)
		return trouble(w, false);
	if ((size_t)len == sizeof(target))
		return refuse(w, LINK_LONG, &w->st);
	w->links++;
	return redirect(w, target[0] == '/' ? 0 : w->done, target,
	    (size_t)len);
}

/* ".." of a link's target: its folder holds no link, so its text is true. */
static int
climb(struct walk *w)
{
	size_t keep = w->done;

	while (keep > 0 && w->path[keep - 1] != '/')
		keep--;
	return redirect(w, keep > 0 ? keep - 1 : 0, "", 0);
}

/* A link's target may hold "", "." and "..", the path asked for does not. */
static bool
is_name(const struct walk *w, const char *name)
{
	size_t len = strlen(name);

	return w->end - w->done - 1 == len &&
	    memcmp(w->path + w->done + 1, name, len) == 0;
}

/* Cut what stays in place out of the path. */
static int
stay(struct walk *w)
{
	memmove(w->path + w->done, w->path + w->end,
	    strlen(w->path + w->end) + 1);
	w->end = w->done;
	return MONIME_OK;
}

/* One component further. */
static int
step(struct walk *w)
{
	int r;

	w->end = w->done + 1 + strcspn(w->path + w->done + 1, "/");
	if (is_name(w, "") || is_name(w, "."))
		return stay(w);
	if (is_name(w, ".."))
		return climb(w);
	r = look(w);
	if (r != MONIME_OK)
		return r;
	if (w->sticky && w->st.st_uid != 0)
		return refuse(w, STICKY_NEXT, &w->st);
	if (S_ISLNK(w->st.st_mode))
		return follow(w);
	if (!w->file || w->path[w->end] != '\0')
		return enter(w);
	w->arrived = true;
	return MONIME_OK;
}

/* To the folder, or to the file: then fd is the file, and not yet judged. */
static int
walk(struct walk *w)
{
	int r;

	r = enter_root(w);
	while (r == MONIME_OK && !w->arrived && w->path[w->done] != '\0')
		r = step(w);
	if (r != MONIME_OK)
		return r;
	if (w->file && !w->arrived)	/* a link's target ended in a slash */
		return refuse(w, FILE_TYPE, &w->folder);
	if (w->rule->systemd && !read_only(w->at))
		return refuse_folder(w, FOLDER_MOUNT);
	return MONIME_OK;
}

/* The rules of the text of a path; asked stands in w->path already. */
static int
judge_path(struct walk *w)
{
	size_t len = strlen(w->path);

	w->end = len;
	if (w->path[0] != '/')
		return refuse(w, PATH_RELATIVE, &w->st);
	for (w->end = 0; w->path[w->end] != '\0'; w->done = w->end) {
		w->end += 1 + strcspn(w->path + w->end + 1, "/");
		if (is_name(w, "") && w->end == len)
			return refuse(w, PATH_SLASH, &w->st);
		if (is_name(w, ""))
			return refuse(w, PATH_EMPTY_NAME, &w->st);
		if (is_name(w, "."))
			return refuse(w, PATH_DOT, &w->st);
		if (is_name(w, ".."))
			return refuse(w, PATH_DOTDOT, &w->st);
	}
	return MONIME_OK;
}

static int
begin(struct walk *w, const char *path, const struct mn_safefile_rule *rule,
    bool *missing, struct mn_error *e)
{
	size_t len = strlen(path);

	memset(w, 0, sizeof(*w));
	w->at = w->fd = -1;
	w->rule = rule;
	w->e = e;
	w->missing = missing;
	w->asked = path;
	/* The caller's own word is not enough: see "What makes a file safe". */
	w->caller = rule->caller && getuid() == geteuid() &&
	    getgid() == getegid();
	if (missing != NULL)
		*missing = false;
	if (len == 0)
		return mn_error_add(e, MONIME_EUNSAFE,
		    "an empty path; write one from \"/\" on");
	if (len >= sizeof(w->path))
		return mn_error_add(e, MONIME_EUNSAFE,
		    "%.64s...: a path of %zu bytes; at most %d are followed",
		    path, len, PATH_MAX - 1);
	memcpy(w->path, path, len + 1);
	return judge_path(w);
}

/* Open the file in hand for reading, and judge what was opened. */
static int
open_file(struct walk *w)
{
	int r;

	r = judge_file(w, w->fd, &w->st);
	if (r != MONIME_OK)
		return r;
	let_go(&w->fd);
	do {
		w->fd = openat(w->at, w->path + w->done + 1, O_RDONLY |
		    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	} while (w->fd < 0 && errno == EINTR);
	if (w->fd < 0 || fstat(w->fd, &w->st) != 0)
		return trouble(w, false);
	return judge_file(w, w->fd, &w->st);
}

/* Up to size bytes; how many, or -1. */
static ssize_t
read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static void
identify(const struct stat *st, struct mn_safefile_id *id)
{
	id->dev = st->st_dev;
	id->ino = st->st_ino;
	id->size = st->st_size;
	id->modified = st->st_mtim;
	id->changed = st->st_ctim;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/*
 * The bytes of the file in hand.  One byte more is asked for, to see whether
 * it grows; whoever writes to it meanwhile leaves half a token.
 */
static int
read_file(struct walk *w, struct mn_secret **out)
{
	size_t size = (size_t)w->st.st_size;
	struct mn_secret *s;
	struct stat after;
	ssize_t len;
	int r;

	s = mn_secret_new(MN_SECRET_GUARDED, size + 1);
	if (s == NULL)
		return refuse(w, MEMORY, &w->st);
	len = read_all(w->fd, mn_secret_bytes(s), size + 1);
	if (len < 0 || fstat(w->fd, &after) != 0) {
		r = trouble(w, false);
		goto out;
	}
	r = judge_file(w, w->fd, &after);
	if (r != MONIME_OK)
		goto out;
	if ((size_t)len != size || after.st_size != w->st.st_size ||
	    !same_time(&after.st_mtim, &w->st.st_mtim)) {
		r = refuse(w, FILE_CHANGED, &w->st);
		goto out;
	}
	mn_secret_cut(s, size);
	*out = s;
	s = NULL;
out:
	mn_secret_free(s);
	return r;
}

int
mn_safefile_read(const char *path, const struct mn_safefile_rule *rule,
    struct mn_secret **out, struct mn_safefile_id *id, bool *missing,
    struct mn_error *e)
{
	struct walk w;
	int r;

	*out = NULL;
	r = begin(&w, path, rule, missing, e);
	if (r != MONIME_OK)
		goto out;
	w.file = true;
	r = walk(&w);
	if (r != MONIME_OK)
		goto out;
	r = open_file(&w);
	if (r != MONIME_OK)
		goto out;
	r = read_file(&w, out);
	if (r == MONIME_OK && id != NULL)
		identify(&w.st, id);
out:
	let_go(&w.fd);
	let_go(&w.at);
	return r;
}

int
mn_safefile_folder(const char *path, const struct mn_safefile_rule *rule,
    int *code, bool *missing, struct mn_error *e)
{
	struct walk w;
	int fd = -1;

	*code = begin(&w, path, rule, missing, e);
	if (*code != MONIME_OK)
		goto out;
	*code = walk(&w);
	if (*code != MONIME_OK)
		goto out;
	if (w.sticky) {
		/* Whoever lists it would have to judge each name's owner. */
		*code = refuse(&w, FOLDER_STICKY, &w.folder);
		goto out;
	}
	fd = openat(w.at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		*code = trouble(&w, false);
out:
	let_go(&w.fd);
	let_go(&w.at);
	return fd;
}

bool
mn_safefile_same(const struct mn_safefile_id *a,
    const struct mn_safefile_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    same_time(&a->modified, &b->modified) &&
	    same_time(&a->changed, &b->changed);
}
