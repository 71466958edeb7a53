/* SPDX-License-Identifier: MIT */

/*
 * monime-pam-check: whether a token is a user's, and good.  See answer.h for
 * how it is asked.  It gives nobody rights that they did not have: only root's
 * processes can read what it reads.
 */

#define _GNU_SOURCE
#include "answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "map.h"
#include "secret.h"

#include "banned.h"

/* The most of a line of the log, so that several fit into an answer. */
#define LINE		1000

struct check {
	const char *profile;
	const char *users;
	const char *folder;	/* NULL: the built-in one */
	bool debug;
	const char *user;
	const char *token;
	struct mn_text lines;
	char request[MN_ANSWER_REQUEST];
};

/* Whatever is not told here is not known. */
static const struct {
	int code;
	enum mn_verdict verdict;
} verdicts[] = {
	{ MONIME_OK, MN_VERDICT_ACCEPTED },
	{ MONIME_EDENIED, MN_VERDICT_DENIED },
	{ MONIME_EFORBIDDEN, MN_VERDICT_DENIED },
	{ MONIME_EENVIRONMENT, MN_VERDICT_DENIED },
	{ MONIME_EPOLICY, MN_VERDICT_CONFIGURATION },
	{ MONIME_EINVAL, MN_VERDICT_CONFIGURATION },
	{ MONIME_ECONFIG, MN_VERDICT_CONFIGURATION },
	{ MONIME_EUNSAFE, MN_VERDICT_CONFIGURATION },
};

static enum mn_verdict
verdict_of(int code)
{
	size_t i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (verdicts[i].code == code)
			return verdicts[i].verdict;
	}
	return MN_VERDICT_UNKNOWN;
}

/* A file that cannot be used is no verdict on anybody. */
static enum mn_verdict
verdict_of_files(int code)
{
	return code == MONIME_ENOMEM || code == MONIME_ESYS ?
	    MN_VERDICT_UNKNOWN : MN_VERDICT_CONFIGURATION;
}

/* A line for the log, of which an answer holds as many as fit. */
static void
tell(struct check *c, int level, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

static void
tell(struct check *c, int level, const char *fmt, ...)
{
	char line[LINE + 1];
	va_list ap;

	if (level > (c->debug ? LOG_DEBUG : LOG_NOTICE))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	mn_text_add(&c->lines, "%d %s\n", level, line);
}

static void
tell_line(void *data, int level, const char *line)
{
	tell(data, level, "%s", line);
}

static void
tell_errors(struct check *c, const char *lines)
{
	size_t n;

	for (; *lines != '\0'; lines += n) {
		n = strcspn(lines, "\n");
		tell(c, LOG_ERR, "%.*s", (int)n, lines);
		n += lines[n] == '\n';
	}
}

/*
 * Out of reach of whoever started the host: no core, no debugger, no signal,
 * no terminal's folder; and not for longer than anybody waits.
 */
static bool
seclude(struct check *c)
{
	(void)alarm(MN_ANSWER_SECONDS);
	(void)umask(077);
	if (geteuid() != 0) {
		tell(c, LOG_WARNING, "this process is not root's, and only "
		    "root's can read profiles");
		return false;
	}
	/* Last what a change of the ids would undo. */
	if (chdir("/") == 0 && setresgid(0, 0, 0) == 0 &&
	    setresuid(0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0)
		return true;
	tell(c, LOG_ERR, "this process cannot become root's alone");
	return false;
}

/*
 * "USER\0TOKEN\0" and nothing else, in one piece as it was written.  The end of
 * the pipe is not waited for: a fork of the host may have a copy of its end.
 */
static bool
read_request(struct check *c)
{
	const char *end;
	ssize_t n;

	do {
		n = read(STDIN_FILENO, c->request, sizeof(c->request));
	} while (n < 0 && errno == EINTR);
	if (n < 2 || c->request[n - 1] != '\0')
		return false;
	end = c->request + n;
	c->user = c->request;
	c->token = c->user + strlen(c->user) + 1;
	/* The last NUL may be the user's. */
	return c->token < end && c->token + strlen(c->token) + 1 == end;
}

static enum mn_verdict
ask(struct check *c, struct monime *m)
{
	static const char *const words[MN_VERDICTS] = {
		[MN_VERDICT_UNKNOWN] = "not let in: nobody knows whether the "
		    "token is good",
		[MN_VERDICT_DENIED] = "denied",
		[MN_VERDICT_CONFIGURATION] = "not let in: a fault of ours",
		[MN_VERDICT_ACCEPTED] = "accepted",
	};
	enum mn_verdict verdict;

	/* The library's own line, in the log already, has the reason. */
	verdict = verdict_of(monime_check_token(m, c->token, strlen(c->token),
	    NULL));
	tell(c, verdict == MN_VERDICT_ACCEPTED ? LOG_DEBUG : LOG_NOTICE,
	    "%s: %s", c->user, words[verdict]);
	return verdict;
}

/*
 * Is it this user's token?  Nothing is sent before this is known.  A user who
 * has no line is not named: it may be a token, typed a line too early.
 */
static enum mn_verdict
look_up(struct check *c)
{
	char fingerprint[MONIME_FINGERPRINT_SIZE] = "";
	enum mn_verdict verdict = MN_VERDICT_DENIED;
	struct mn_error e = MN_ERROR_INIT;
	struct mn_map_found found;
	int r;

	r = monime_fingerprint(c->token, strlen(c->token), fingerprint,
	    sizeof(fingerprint));
	if (r != MONIME_OK && c->token[0] != '\0')
		return MN_VERDICT_UNKNOWN;
	r = mn_map_find(c->users, c->user, fingerprint, &found, &e);
	if (r != MONIME_OK)
		verdict = verdict_of_files(r);
	else if (found.token)
		verdict = MN_VERDICT_ACCEPTED;
	else if (found.user)
		tell(c, LOG_NOTICE, "%s: denied: the token is none of this "
		    "user's", c->user);
	else
		tell(c, LOG_NOTICE, "denied: a user without a line in %s",
		    c->users);
	tell_errors(c, mn_error_get(&e));
	mn_error_free(&e);
	return verdict;
}

static enum mn_verdict
judge(struct check *c)
{
	enum mn_verdict verdict;
	struct monime *m;
	int r;

	/* First, so that a fault of ours shows whoever asks. */
	r = monime_open(c->profile, c->folder, &m);
	monime_set_log(m, c->debug ? LOG_DEBUG : LOG_NOTICE, tell_line, c);
	if (r != MONIME_OK) {
		tell_errors(c, monime_error(m));
		verdict = verdict_of_files(r);
	} else {
		verdict = look_up(c);
		if (verdict == MN_VERDICT_ACCEPTED)
			verdict = ask(c, m);
	}
	monime_close(m);
	return verdict;
}

/* In one piece, which fits into the pipe. */
static bool
answer(const struct check *c, enum mn_verdict verdict)
{
	char buf[MN_ANSWER_MAX + 1];
	ssize_t n;
	int len;

	len = snprintf(buf, sizeof(buf), "%s\n%s%s", mn_answers[verdict].word,
	    mn_text_get(&c->lines), c->lines.failed ? MN_ANSWER_MORE : "");
	do {
		n = write(STDOUT_FILENO, buf, (size_t)len);
	} while (n < 0 && errno == EINTR);
	return n == len;
}

int
main(int argc, char **argv)
{
	static struct check c = { .lines = MN_TEXT_INIT(MN_ANSWER_LINES) };
	enum mn_verdict verdict = MN_VERDICT_UNKNOWN;

	if (argc != 5) {
		(void)fputs("monime-pam-check is for pam_monime(8) to run\n",
		    stderr);
		return mn_answers[MN_VERDICT_CONFIGURATION].status;
	}
	c.profile = argv[1];
	c.users = argv[2];
	c.folder = argv[3][0] != '\0' ? argv[3] : NULL;
	c.debug = argv[4][0] != '\0';
	if (seclude(&c) && mn_secret_init() && read_request(&c))
		verdict = judge(&c);
	explicit_bzero(c.request, sizeof(c.request));
	if (!answer(&c, verdict))
		verdict = MN_VERDICT_UNKNOWN;
	mn_text_free(&c.lines);
	return mn_answers[verdict].status;
}
