/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the way to a file.  The bytes are a tree of folders, files, links and
 * devices with owners and modes, which is made below a folder of our own, and
 * a path into it.  The judge walks the tree as it was meant, in memory, by the
 * rules alone: "What makes a file safe", as monime.conf(5) tells them.
 *
 * Made by root, for the owners; whose process it is to be is told by what
 * stands in the place of getuid() and its like.
 */

#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "safefile.h"

#define USER		12345
#define NODES		14
#define NAMES		4
#define MAX		16	/* bytes of a file that is read */

enum type { FOLDER, FILE_, LINK, FIFO, SOCKET, DEVICE };

struct node {
	enum type type;
	struct node *up;
	struct node *below[NAMES];
	uid_t uid;
	mode_t mode;
	size_t size;
	char target[80];
	char path[256];
};

struct tree {
	size_t n;
	struct node node[NODES];
};

static const char *const names[NAMES] = { "ma", "mb", "mc", "md" };

/* What a path may be made of besides. */
static const char *const parts[] = { "ma", "mb", "mc", "md", "ma", "mb", ".",
    ".." , "" };

static char top[64];
static struct node above[2];	/* "/" and "/run" */

static uid_t real, effective;

uid_t __wrap_getuid(void);
uid_t __wrap_geteuid(void);
gid_t __wrap_getgid(void);
gid_t __wrap_getegid(void);

uid_t
__wrap_getuid(void)
{
	return real;
}

uid_t
__wrap_geteuid(void)
{
	return effective;
}

gid_t
__wrap_getgid(void)
{
	return 0;
}

gid_t
__wrap_getegid(void)
{
	return 0;
}

/*
 * The tree, as it is meant and as it is made
 */

static void
add_part(char *s, size_t size, const char *part)
{
	size_t len = strlen(s);

	if (len + 1 + strlen(part) < size)
		(void)snprintf(s + len, size - len, "/%s", part);
}

/* One to four parts; from the top, from here, or ending in a slash. */
static void
read_target(struct input *in, char *s, size_t size)
{
	unsigned int how = input_byte(in), i;
	char text[80] = "";

	for (i = 0; i < 1 + how % 4; i++)
		add_part(text, sizeof(text),
		    parts[input_byte(in) % (sizeof(parts) / sizeof(*parts))]);
	(void)snprintf(s, size, "%s%s%s", how & 16 ? top : "",
	    how & 16 ? text : text + 1, how & 32 ? "/" : "");
	/* The system makes no empty one. */
	if (s[0] == '\0')
		(void)snprintf(s, size, ".");
}

static const mode_t modes[] = {
	0700, 0755, 0600, 0644, 0750, 0770, 0775, 0777, 01777, 01770, 0640,
	0660, 0666, 0400, 0, 0604
};

static void
make(const struct node *n)
{
	static const char bytes[MAX * 2] = "0123456789abcdef0123456789abcdef";
	int fd, r = 0;

	switch (n->type) {
	case FOLDER:
		r = mkdir(n->path, 0700);
		break;
	case FILE_:
		fd = open(n->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		r = fd < 0 || write(fd, bytes, n->size) != (ssize_t)n->size;
		(void)close(fd);
		break;
	case LINK:
		r = symlink(n->target, n->path);
		break;
	case FIFO:
		r = mknod(n->path, S_IFIFO | 0600, 0);
		break;
	case SOCKET:
		r = mknod(n->path, S_IFSOCK | 0600, 0);
		break;
	case DEVICE:
		r = mknod(n->path, S_IFCHR | 0600, makedev(1, 3));
		break;
	}
	if (r == 0)
		r = lchown(n->path, n->uid, 0);
	if (r == 0 && n->type != LINK)
		r = chmod(n->path, n->mode);
	MUST(r == 0, "%s cannot be made: %m", n->path);
}

/* A node in a free place of a folder, if the bytes name one. */
static void
grow(struct tree *t, struct input *in)
{
	struct node *up = &t->node[input_byte(in) % t->n];
	unsigned int what = input_byte(in), name = what / 8 % NAMES;
	struct node *n = &t->node[t->n];

	if (up->type != FOLDER || up->below[name] != NULL)
		return;
	memset(n, 0, sizeof(*n));
	/* Mostly folders, files and links. */
	n->type = what % 8 < 6 ? (enum type)(what % 3) :
	    (enum type)(FIFO + what / 32 % 3);
	n->up = up;
	n->uid = what & 128 ? USER : 0;
	n->mode = modes[input_byte(in) % (sizeof(modes) / sizeof(*modes))];
	if (n->type == LINK)
		read_target(in, n->target, sizeof(n->target));
	else if (n->type == FILE_)
		n->size = input_byte(in) % (MAX + 3);
	(void)snprintf(n->path, sizeof(n->path), "%s/%s", up->path,
	    names[name]);
	up->below[name] = n;
	make(n);
	t->n++;
}

static void
fell(struct tree *t)
{
	while (t->n > 1) {
		t->n--;
		(void)remove(t->node[t->n].path);
	}
}

/*
 * The judge
 */

struct trip {
	const struct mn_safefile_rule *rule;
	bool file;
	bool caller;
	unsigned int links;
	const struct node *at;
	const struct node *end;
};

static bool
passes(const struct trip *w, const struct node *n)
{
	return n->uid == 0 || (w->caller && n->uid == real);
}

/* A folder of root's to which all may add, and where that is allowed. */
static bool
is_shared(const struct trip *w, const struct node *n)
{
	return (n->mode & 022) != 0 && (n->mode & 01000) != 0 &&
	    n->uid == 0 && w->rule->sticky;
}

static bool
is_good_folder(const struct trip *w, const struct node *n)
{
	return n->type == FOLDER && passes(w, n) &&
	    ((n->mode & 022) == 0 || is_shared(w, n));
}

static bool
is_good_file(const struct trip *w, const struct node *n)
{
	return n->type == FILE_ && passes(w, n) &&
	    n->size <= w->rule->max &&
	    (n->mode & (w->rule->secret ? 077 : 022)) == 0;
}

static const struct node *
child(const struct node *folder, const char *name, size_t len)
{
	size_t i;

	if (folder == &above[0])
		return len == 3 && memcmp(name, "run", 3) == 0 ?
		    &above[1] : NULL;
	if (folder == &above[1])
		return strlen(top) - 5 == len &&
		    memcmp(name, top + 5, len) == 0 ? above[1].below[0] : NULL;
	for (i = 0; i < NAMES; i++) {
		if (strlen(names[i]) == len &&
		    memcmp(names[i], name, len) == 0)
			return folder->below[i];
	}
	return NULL;
}

static int walk(struct trip *w, const char *path);

static int
walk_link(struct trip *w, const struct node *n, const char *rest)
{
	char path[4096];

	if (n->uid != 0 || w->at->uid != 0 ||
	    ++w->links > MN_SAFEFILE_LINKS)
		return MONIME_EUNSAFE;
	(void)snprintf(path, sizeof(path), "%s%s", n->target, rest);
	if (n->target[0] == '/')
		w->at = &above[0];
	return walk(w, path);
}

static int
walk_one(struct trip *w, const char *name, size_t len)
{
	const struct node *n = child(w->at, name, len);
	const char *rest = name + len;

	if (n == NULL)
		return MONIME_ECONFIG;
	/* Whoever may add to the folder may have put it there. */
	if (is_shared(w, w->at) && n->uid != 0)
		return MONIME_EUNSAFE;
	if (n->type == LINK)
		return walk_link(w, n, rest);
	if (w->file && *rest == '\0') {
		w->end = n;
		return is_good_file(w, n) ? MONIME_OK : MONIME_EUNSAFE;
	}
	if (!is_good_folder(w, n))
		return MONIME_EUNSAFE;
	w->at = n;
	return walk(w, rest);
}

/* From where we are. */
static int
walk(struct trip *w, const char *path)
{
	size_t len;

	path += strspn(path, "/");
	len = strcspn(path, "/");
	if (len == 0) {
		w->end = w->at;
		return w->file || is_shared(w, w->at) ?
		    MONIME_EUNSAFE : MONIME_OK;
	}
	if (len == 1 && path[0] == '.')
		return walk(w, path + 1);
	if (len == 2 && path[0] == '.' && path[1] == '.') {
		w->at = w->at->up;
		return walk(w, path + 2);
	}
	return walk_one(w, path, len);
}

/* What is asked for is written out: no part is empty, "." or "..". */
static bool
is_plain(const char *path)
{
	const char *s = path;
	size_t n;

	if (path[0] != '/')
		return false;
	for (; *s != '\0'; s += n) {
		n = strcspn(++s, "/");
		if (n == 0 || (n == 1 && s[0] == '.') ||
		    (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
	}
	return true;
}

static int
expect(struct trip *w, const char *path)
{
	if (!is_plain(path))
		return MONIME_EUNSAFE;
	w->at = &above[0];
	return walk(w, path);
}

/*
 * The question
 */

static void
ask_file(const char *path, const struct mn_safefile_rule *rule,
    struct trip *w)
{
	struct mn_error e = MN_ERROR_INIT;
	struct mn_safefile_id id;
	struct mn_secret *s;
	struct stat st;
	bool missing;
	int r, want;

	w->file = true;
	want = expect(w, path);
	r = mn_safefile_read(path, rule, &s, &id, &missing, &e);
	MUST(r == want, "%s: %d, not %d: %s", path, r, want,
	    mn_error_get(&e));
	MUST((r == MONIME_OK) == (s != NULL), "bytes or none");
	MUST((r == MONIME_OK) == (e.text.len == 0), "a line or none");
	MUST(missing == (r == MONIME_ECONFIG), "missing or not");
	if (r == MONIME_OK) {
		MUST(mn_secret_len(s) == w->end->size, "%zu bytes",
		    mn_secret_len(s));
		MUST(lstat(w->end->path, &st) == 0 && st.st_ino == id.ino,
		    "another file");
	}
	mn_secret_free(s);
	mn_error_free(&e);
}

static void
ask_folder(const char *path, const struct mn_safefile_rule *rule,
    struct trip *w)
{
	struct mn_error e = MN_ERROR_INIT;
	struct stat st, named;
	int fd, r, want;

	w->file = false;
	want = expect(w, path);
	fd = mn_safefile_folder(path, rule, &r, NULL, &e);
	MUST(r == want, "%s: %d, not %d: %s", path, r, want,
	    mn_error_get(&e));
	MUST((r == MONIME_OK) == (fd >= 0), "a descriptor or none");
	if (r == MONIME_OK) {
		MUST(fstat(fd, &st) == 0 && lstat(w->end->path, &named) == 0 &&
		    st.st_ino == named.st_ino, "another folder");
		(void)close(fd);
	}
	mn_error_free(&e);
}

static void
read_path(struct input *in, char *path, size_t size)
{
	unsigned int how = input_byte(in), i;

	(void)snprintf(path, size, "%s", how & 64 ? top + 1 : top);
	for (i = 0; i < 1 + how % 6; i++)
		add_part(path, size, parts[input_byte(in) %
		    (how & 32 ? sizeof(parts) / sizeof(*parts) : NAMES)]);
}

static void
clean(void)
{
	(void)rmdir(top);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (getuid() != 0 || !mn_secret_init()) {
		(void)fputs("other owners' files are root's to make\n",
		    stderr);
		exit(FUZZ_SKIP);
	}
	(void)umask(0);
	(void)snprintf(top, sizeof(top), "/run/monime-fuzz-%d",
	    (int)getpid());
	MUST(mkdir(top, 0755) == 0, "%s: %m", top);
	(void)atexit(clean);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree t;
	struct input in = { data, size };
	unsigned int flags = input_byte(&in), i;
	const struct mn_safefile_rule rule = {
		.max = MAX, .secret = flags & 1, .caller = flags & 2,
		.sticky = flags & 4
	};
	struct trip w = { .rule = &rule };
	char path[512];

	real = flags & 8 ? USER : 0;
	effective = flags & 16 ? USER : 0;
	w.caller = rule.caller && real == effective;
	t.n = 1;
	t.node[0] = (struct node){ .type = FOLDER, .mode = 0755,
	    .up = &above[1] };
	(void)snprintf(t.node[0].path, sizeof(t.node[0].path), "%s", top);
	above[0] = (struct node){ .type = FOLDER, .mode = 0755,
	    .up = &above[0], .path = "/" };
	above[1] = (struct node){ .type = FOLDER, .mode = 0755,
	    .up = &above[0], .path = "/run", .below = { &t.node[0] } };
	for (i = 0; i < NODES * 2 && t.n < NODES && in.left > 8; i++)
		grow(&t, &in);
	read_path(&in, path, sizeof(path));
	ask_file(path, &rule, &w);
	w.links = 0;
	ask_folder(path, &rule, &w);
	fell(&t);
	return 0;
}
