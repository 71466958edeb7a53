/* SPDX-License-Identifier: MIT */

/*
 * The helper as a child of the host, for five seconds at most.
 *
 * The host keeps its signals, descriptors, environment and memory: nothing is
 * set here that would have to be set back.  So the child may be reaped by
 * others: a host that ignores SIGCHLD has the kernel do it, and one that
 * handles it may be quicker than we are.  The verdict therefore comes through a
 * pipe, the end through a descriptor of the process, and the exit status is
 * one more sign where there is one.
 */

#define _GNU_SOURCE
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "banned.h"

#define NAME	"monime-pam-check"

/* How long a killed helper may take to be gone, milliseconds. */
#define GRACE	500

/* What stands for an exit status that there is not. */
#define STATUS_NONE	(-1)	/* killed, or not gone yet */
#define STATUS_TAKEN	(-2)	/* reaped by others */

struct helper {
	const struct mn_question *question;
	mn_helper_log *log;
	void *data;
	int request[2];
	int answer[2];
	pid_t pid;
	int process;		/* its descriptor */
	int64_t deadline;
	bool ended;
	size_t len;
	char said[MN_ANSWER_MAX + 1];
};

/* Milliseconds; a clock that fails is -1. */
static int64_t
now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return -1;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
tell(const struct helper *h, int level, const char *what)
{
	char line[256];

	(void)snprintf(line, sizeof(line), NAME ": %s", what);
	h->log(h->data, level, line);
}

static void
tell_error(const struct helper *h, const char *what, int number)
{
	char line[256];

	errno = number;
	(void)snprintf(line, sizeof(line), NAME ": %s: %m", what);
	h->log(h->data, LOG_ERR, line);
}

static void
let_go(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/*
 * A host may have closed 0, 1 or 2, and something in it may write there all
 * the same: nothing of ours stays below 3.
 */
static bool
raise_above_standard(int *fd)
{
	int high;

	if (*fd > STDERR_FILENO)
		return true;
	high = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	let_go(fd);
	*fd = high;
	return high >= 0;
}

static bool
open_pipe(int end[2])
{
	if (pipe2(end, O_CLOEXEC) != 0) {
		end[0] = end[1] = -1;
		return false;
	}
	return raise_above_standard(&end[0]) && raise_above_standard(&end[1]);
}

static bool
open_pipes(struct helper *h)
{
	if (open_pipe(h->request) && open_pipe(h->answer) &&
	    fcntl(h->answer[0], F_SETFL, O_NONBLOCK) == 0)
		return true;
	tell_error(h, "no pipe", errno);
	return false;
}

/* What the child gets to see of the host's descriptors: nothing. */
static int
set_descriptors(const struct helper *h, posix_spawn_file_actions_t *files)
{
	int r;

	r = posix_spawn_file_actions_adddup2(files, h->request[0],
	    STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(files, h->answer[1],
		    STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(files, STDERR_FILENO,
		    "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(files,
		    STDERR_FILENO + 1);
	return r;
}

/* No signal is ignored or blocked there, and no key on a terminal sends one. */
static int
set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int r;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setflags(attributes,
		    POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
		    POSIX_SPAWN_SETSID);
	return r;
}

static int
execute(struct helper *h, const posix_spawn_file_actions_t *files,
    const posix_spawnattr_t *attributes)
{
	const struct mn_question *q = h->question;
	const char *const argv[] = {
		NAME, q->profile, q->users, q->folder,
		q->debug ? "debug" : "", NULL
	};
	char *const none[] = { NULL };

	return posix_spawn(&h->pid, MONIME_PAM_CHECK, files, attributes,
	    (char *const *)(uintptr_t)argv, none);
}

/* 0, or why it did not start. */
static int
spawn(struct helper *h)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int r;

	if ((r = posix_spawn_file_actions_init(&files)) != 0)
		return r;
	if ((r = posix_spawnattr_init(&attributes)) != 0)
		goto out;
	r = set_descriptors(h, &files);
	if (r == 0)
		r = set_attributes(&attributes);
	if (r == 0)
		r = execute(h, &files, &attributes);
	(void)posix_spawnattr_destroy(&attributes);
out:
	(void)posix_spawn_file_actions_destroy(&files);
	return r;
}

/*
 * A number may be another's as soon as somebody reaps; it is ours while it can
 * be waited for.
 */
static void
kill_by_number(const struct helper *h)
{
	siginfo_t info;

	if (waitid(P_PID, (id_t)h->pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) != 0)
		return;
	(void)kill(h->pid, SIGKILL);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/*
 * Take hold of the child, so that no other process is ever meant: if it can
 * still be waited for, nobody else had its number when it was asked for.
 */
static bool
hold(struct helper *h)
{
	siginfo_t info;
	int number;

	h->process = (int)syscall(SYS_pidfd_open, h->pid, 0);
	if (h->process >= 0 && raise_above_standard(&h->process) &&
	    waitid(P_PIDFD, (id_t)h->process, &info,
	    WEXITED | WNOHANG | WNOWAIT) == 0)
		return true;
	number = errno;
	let_go(&h->process);
	kill_by_number(h);
	tell_error(h, "it cannot be held", number);
	return false;
}

static bool
start(struct helper *h, enum mn_verdict *verdict)
{
	int64_t time = now();
	int r;

	h->deadline = time + MN_ANSWER_SECONDS * 1000;
	r = time >= 0 ? spawn(h) : errno;
	let_go(&h->answer[1]);
	if (r == 0)
		return hold(h);
	if (r == ENOENT || r == EACCES || r == ENOEXEC)
		*verdict = MN_VERDICT_CONFIGURATION;
	tell_error(h, MONIME_PAM_CHECK " does not start", r);
	return false;
}

/*
 * What is too long for the pipe is nobody's token.  It is asked about as
 * nobody with nothing, and so goes the same way and takes the same time.
 */
static size_t
write_down(char buf[MN_ANSWER_REQUEST], const char *user, const char *token)
{
	size_t users = strlen(user) + 1;
	size_t tokens = strlen(token) + 1;

	if (users > MN_ANSWER_REQUEST || tokens > MN_ANSWER_REQUEST - users) {
		user = token = "";
		users = tokens = 1;
	}
	memcpy(buf, user, users);
	memcpy(buf + users, token, tokens);
	return users + tokens;
}

/*
 * It fits into the pipe, whose reading end is still open here: this neither
 * waits nor raises SIGPIPE.
 */
static bool
hand_over(struct helper *h)
{
	char buf[MN_ANSWER_REQUEST];
	ssize_t n;
	size_t len;

	len = write_down(buf, h->question->user, h->question->token);
	do {
		n = write(h->request[1], buf, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		tell_error(h, "it cannot be written to", errno);
	explicit_bzero(buf, sizeof(buf));
	let_go(&h->request[0]);
	let_go(&h->request[1]);
	return n >= 0 && (size_t)n == len;
}

/* Until it has ended, or the time has come. */
static void
wait_until(struct helper *h, int64_t deadline)
{
	struct pollfd process = { .fd = h->process, .events = POLLIN };
	int64_t time;

	while (!h->ended && (time = now()) >= 0 && time < deadline) {
		if (poll(&process, 1, (int)(deadline - time)) < 0 &&
		    errno != EINTR)
			return;
		h->ended = (process.revents & POLLIN) != 0;
	}
}

/* The exit status of what has ended. */
static int
reap(const struct helper *h)
{
	siginfo_t info = { 0 };
	int r;

	do {
		r = waitid(P_PIDFD, (id_t)h->process, &info,
		    WEXITED | WNOHANG);
	} while (r != 0 && errno == EINTR);
	if (r != 0)
		return errno == ECHILD ? STATUS_TAKEN : STATUS_NONE;
	if (info.si_pid == 0 || info.si_code != CLD_EXITED)
		return STATUS_NONE;
	return info.si_status;
}

static int
kill_it(struct helper *h)
{
	(void)syscall(SYS_pidfd_send_signal, h->process, SIGKILL, NULL, 0);
	wait_until(h, now() + GRACE);
	(void)reap(h);
	return STATUS_NONE;
}

/* The exit status, if the helper ended by itself and in time. */
static int
see_end(struct helper *h)
{
	wait_until(h, h->deadline);
	if (h->ended)
		return reap(h);
	tell(h, LOG_WARNING, "it gives no answer in time and is killed");
	return kill_it(h);
}

/*
 * What it said before it ended.  Somebody may have got a copy of the pipe's
 * other end by a fork, so there may be no end to it.
 */
static void
read_answer(struct helper *h)
{
	ssize_t n;

	do {
		n = read(h->answer[0], h->said + h->len,
		    sizeof(h->said) - h->len);
		if (n > 0)
			h->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
}

/* Is it lines of text, the last one ended, and all of it? */
static bool
is_text(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || len > MN_ANSWER_MAX)
		return false;
	for (i = 0; i < len; i++) {
		if (((unsigned char)s[i] < 0x20 && s[i] != '\n') ||
		    s[i] == 0x7f)
			return false;
	}
	return s[len - 1] == '\n';
}

/* The lines behind the first, as strings; false: one is none for a log. */
static bool
cut_lines(char *s, const char *end)
{
	char *next;

	for (; s < end; s = next + 1) {
		next = memchr(s, '\n', (size_t)(end - s));
		*next = '\0';
		if (next - s < 2 || s[0] < '0' || s[0] > '7' || s[1] != ' ')
			return false;
	}
	return true;
}

static enum mn_verdict
verdict_of(const char *word, int status)
{
	int i;

	for (i = 0; i < MN_VERDICTS; i++) {
		if (strcmp(mn_answers[i].word, word) == 0 &&
		    (status == mn_answers[i].status || status == STATUS_TAKEN))
			return (enum mn_verdict)i;
	}
	return MN_VERDICTS;
}

/* Only what is right to the last byte is an answer. */
static enum mn_verdict
understand(struct helper *h, int status)
{
	enum mn_verdict verdict = MN_VERDICTS;
	char *s = h->said, *end;

	read_answer(h);
	end = h->said + h->len;
	if (status != STATUS_NONE && is_text(h->said, h->len)) {
		s = memchr(s, '\n', h->len);
		*s++ = '\0';
		if (cut_lines(s, end))
			verdict = verdict_of(h->said, status);
	}
	if (verdict == MN_VERDICTS) {
		tell(h, LOG_ERR, "it ended without a verdict");
		return MN_VERDICT_UNKNOWN;
	}
	for (; s < end; s += strlen(s) + 1)
		h->log(h->data, s[0] - '0', s + 2);
	return verdict;
}

enum mn_verdict
mn_helper_ask(const struct mn_question *q, mn_helper_log *log, void *data)
{
	enum mn_verdict verdict = MN_VERDICT_UNKNOWN;
	struct helper h;

	memset(&h, 0, sizeof(h));
	h.question = q;
	h.log = log;
	h.data = data;
	h.request[0] = h.request[1] = h.answer[0] = h.answer[1] = -1;
	h.process = -1;
	if (!open_pipes(&h) || !start(&h, &verdict))
		goto out;
	if (hand_over(&h))
		verdict = understand(&h, see_end(&h));
	else
		(void)kill_it(&h);
out:
	let_go(&h.request[0]);
	let_go(&h.request[1]);
	let_go(&h.answer[0]);
	let_go(&h.answer[1]);
	let_go(&h.process);
	return verdict;
}
