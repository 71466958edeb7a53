/* SPDX-License-Identifier: MIT */

/* The candidate's files, and the signals that remove them. */

#define _GNU_SOURCE
#include "candidate.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "banned.h"

#define NAME_BYTES	256

enum part {
	PART_TOKEN,
	PART_CONF,
	PART_ENVIRONMENT,
	PART_HOST,
	PART_FOLDER,
	PARTS
};

/*
 * What a signal has to remove, in this order; all paths begin at the folder of
 * the environment.  Set before the first of them is made.
 */
static struct {
	volatile sig_atomic_t armed;
	int at;
	char path[PARTS][NAME_BYTES];
} traces;

static const int caught[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

#define CAUGHT	(sizeof(caught) / sizeof(caught[0]))

static void
remove_traces(void)
{
	size_t i;

	if (traces.armed == 0)
		return;
	for (i = 0; i < PARTS; i++)
		(void)unlinkat(traces.at, traces.path[i],
		    i == PART_ENVIRONMENT || i == PART_FOLDER ?
		    AT_REMOVEDIR : 0);
	traces.armed = 0;
}

/* SA_RESETHAND: the signal then does what it does by itself. */
static void
interrupted(int number)
{
	remove_traces();
	(void)raise(number);
}

static void
catch_signals(void)
{
	struct sigaction act, old;
	size_t i;

	memset(&act, 0, sizeof(act));
	act.sa_handler = interrupted;
	act.sa_flags = (int)SA_RESETHAND;
	for (i = 0; i < CAUGHT; i++) {
		/* What the parent had ignored, nohup for one, stays so. */
		if (sigaction(caught[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_DFL)
			(void)sigaction(caught[i], &act, NULL);
	}
}

static void
hold_signals(int how)
{
	sigset_t set;
	size_t i;

	(void)sigemptyset(&set);
	for (i = 0; i < CAUGHT; i++)
		(void)sigaddset(&set, caught[i]);
	(void)sigprocmask(how, &set, NULL);
}

bool
mn_candidate_lock(int at, const char *folder)
{
	if (flock(at, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK) {
		(void)mn_output_error(NULL, "%s: another set-token is at work; "
		    "waiting for it", folder);
		if (flock(at, LOCK_EX) == 0)
			return true;
	}
	(void)mn_output_error(NULL, "%s: %m", folder);
	return false;
}

static bool
failed(const struct mn_candidate *c, const char *what)
{
	(void)mn_output_error(NULL, "%s/%s: %m", mn_text_get(&c->real), what);
	return false;
}

static bool
write_all(int fd, const char *s, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, s, len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			s += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool
make_file(const struct mn_candidate *c, enum part part, const char *s,
    size_t len)
{
	bool r;
	int fd;

	fd = openat(c->at, traces.path[part], O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(c, traces.path[part]);
	r = fchmod(fd, 0600) == 0 && write_all(fd, s, len) && fsync(fd) == 0;
	if (close(fd) != 0)
		r = false;
	return r ? true : failed(c, traces.path[part]);
}

/* The token as NAME.token has it: with a newline. */
static bool
make_token(const struct mn_candidate *c, const struct mn_secret *token)
{
	size_t len = mn_secret_len(token);
	struct mn_secret *line;
	bool r;

	line = mn_secret_new(MN_SECRET_GUARDED, len + 1);
	if (line == NULL) {
		errno = ENOMEM;
		return failed(c, traces.path[PART_TOKEN]);
	}
	memcpy(mn_secret_bytes(line), mn_secret_get(token), len);
	mn_secret_bytes(line)[len] = '\n';
	r = make_file(c, PART_TOKEN, mn_secret_get(line), len + 1);
	mn_secret_free(line);
	return r;
}

static void
name_parts(struct mn_candidate *c)
{
	unsigned char random[8];
	char hex[2 * sizeof(random) + 1];
	char *folder = traces.path[PART_FOLDER];

	mn_secret_random(random, sizeof(random));
	mn_secret_to_hex(random, sizeof(random), hex);
	(void)snprintf(folder, 64, ".set-token.%s", hex);
	(void)snprintf(traces.path[PART_HOST], NAME_BYTES, "%.63s/monime.conf",
	    folder);
	(void)snprintf(traces.path[PART_ENVIRONMENT], NAME_BYTES, "%.63s/%s",
	    folder, c->environment);
	(void)snprintf(traces.path[PART_CONF], NAME_BYTES, "%.63s/%s/%s.conf",
	    folder, c->environment, c->name);
	(void)snprintf(traces.path[PART_TOKEN], NAME_BYTES,
	    "%.63s/%s/%s.token", folder, c->environment, c->name);
	mn_text_add(&c->path, "%s/%s/%s", mn_text_get(&c->real),
	    c->environment, folder);
}

bool
mn_candidate_make(struct mn_candidate *c, const struct mn_secret *host,
    const void *conf, size_t len, const struct mn_secret *token)
{
	name_parts(c);
	/* By an incomplete path it would be another folder that is judged. */
	if (c->path.failed) {
		errno = ENOMEM;
		return failed(c, traces.path[PART_FOLDER]);
	}
	traces.at = c->at;
	traces.armed = 1;
	catch_signals();
	if (mkdirat(c->at, traces.path[PART_FOLDER], 0700) != 0)
		return failed(c, traces.path[PART_FOLDER]);
	if (mkdirat(c->at, traces.path[PART_ENVIRONMENT], 0700) != 0)
		return failed(c, traces.path[PART_ENVIRONMENT]);
	if (host != NULL && !make_file(c, PART_HOST, mn_secret_get(host),
	    mn_secret_len(host)))
		return false;
	return make_file(c, PART_CONF, conf, len) && make_token(c, token);
}

static bool
put(const struct mn_candidate *c, enum part part, const char *suffix,
    unsigned int flags)
{
	char file[NAME_BYTES];

	(void)snprintf(file, sizeof(file), "%s.%s", c->name, suffix);
	if (renameat2(c->at, traces.path[part], c->at, file, flags) == 0)
		return true;
	(void)mn_output_error(NULL, "%s/%s/%s: %m", mn_text_get(&c->real),
	    c->environment, file);
	return false;
}

bool
mn_candidate_install(struct mn_candidate *c, bool conf)
{
	bool r;

	/* What has begun is finished; the signal comes after it. */
	hold_signals(SIG_BLOCK);
	r = !conf || put(c, PART_CONF, "conf", RENAME_NOREPLACE);
	r = r && put(c, PART_TOKEN, "token", 0);
	if (r && fsync(c->at) != 0)
		r = failed(c, c->environment);
	remove_traces();
	hold_signals(SIG_UNBLOCK);
	return r;
}

void
mn_candidate_remove(struct mn_candidate *c)
{
	hold_signals(SIG_BLOCK);
	remove_traces();
	hold_signals(SIG_UNBLOCK);
	mn_text_free(&c->path);
	mn_text_free(&c->real);
}

void
mn_candidate_tell(const struct mn_candidate *c, const char *profile,
    const char *lines)
{
	const char *path = mn_text_get(&c->path);
	struct mn_text t = MN_TEXT_INIT(MN_ERROR_MAX);
	const char *s;

	/* Nothing was made yet whose name would have to be replaced. */
	if (*path == '\0') {
		mn_output_errors(profile, lines);
		return;
	}
	for (s = strstr(lines, path); s != NULL; s = strstr(lines, path)) {
		mn_text_put(&t, lines, (size_t)(s - lines));
		mn_text_add(&t, "%s", mn_text_get(&c->real));
		lines = s + strlen(path);
	}
	mn_text_add(&t, "%s", lines);
	mn_output_errors(profile, mn_text_get(&t));
	mn_text_free(&t);
}
