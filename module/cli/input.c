/* SPDX-License-Identifier: MIT */

/* Prompts without echo, and files.  See input.h. */

#define _GNU_SOURCE
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "output.h"

#include "banned.h"

/* The longest token and its newline, and what tells that more came. */
#define SECRET_MAX	8192

/* Signals that must not leave a terminal without echo. */
static const int caught[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU
};

#define CAUGHT	(sizeof(caught) / sizeof(caught[0]))

static volatile sig_atomic_t arrived;

static void
note(int number)
{
	arrived = number;
}

static ssize_t
read_some(int fd, char *buf, size_t size)
{
	ssize_t n;

	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Up to size bytes, or -1: errno tells. */
static ssize_t
read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read_some(fd, buf + len, size - len);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/*
 * A line, or -1 where a signal or an error came first.  The signals are held
 * but for the wait, so that none comes between a look at it and the read.
 */
static ssize_t
read_line(char *buf, size_t size, const sigset_t *open)
{
	struct pollfd typed = { .fd = STDIN_FILENO, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	while (len < size && (len == 0 || buf[len - 1] != '\n')) {
		if (ppoll(&typed, 1, NULL, open) < 0)
			return -1;
		n = read_some(STDIN_FILENO, buf + len, size - len);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* The line that was typed, or -1, with the terminal as it was before. */
static ssize_t
read_hidden(const char *prompt, char *buf, size_t size)
{
	struct sigaction act, old[CAUGHT];
	struct termios shown, hidden;
	sigset_t held, open;
	ssize_t n = -1;
	size_t i;

	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return -1;
	memset(&act, 0, sizeof(act));
	act.sa_handler = note;
	(void)sigemptyset(&held);
	for (i = 0; i < CAUGHT; i++)
		(void)sigaddset(&held, caught[i]);
	(void)sigprocmask(SIG_BLOCK, &held, &open);
	for (i = 0; i < CAUGHT; i++)
		(void)sigaction(caught[i], &act, &old[i]);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0) {
		(void)fprintf(stderr, "%s", prompt);
		(void)fflush(stderr);
		n = read_line(buf, size, &open);
		(void)fputc('\n', stderr);
	}
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	for (i = 0; i < CAUGHT; i++)
		(void)sigaction(caught[i], &old[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &open, NULL);
	return n;
}

/* Whoever stops the program at the prompt gets the prompt again. */
static ssize_t
prompted(const char *prompt, char *buf, size_t size)
{
	ssize_t n;
	int number;

	do {
		n = read_hidden(prompt, buf, size);
		number = arrived;
		arrived = 0;
		if (number != 0)
			(void)raise(number);
	} while (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU);
	if (number != 0) {	/* and its disposition let us live */
		errno = EINTR;
		return -1;
	}
	return n;
}

static struct mn_secret *
refuse(struct mn_secret *s, const char *name, const char *why)
{
	(void)mn_output_error(NULL, "%s: %s", name, why);
	mn_secret_free(s);
	return NULL;
}

/* The secret is what was read but for one newline at its end. */
static struct mn_secret *
finish(struct mn_secret *s, const char *name, ssize_t n)
{
	size_t len;

	if (n < 0) {
		(void)mn_output_error(NULL, "%s: %m", name);
		mn_secret_free(s);
		return NULL;
	}
	len = (size_t)n;
	if (len == SECRET_MAX)
		return refuse(s, name, "too long for a token");
	if (len > 0 && mn_secret_get(s)[len - 1] == '\n')
		len--;
	if (len == 0)
		return refuse(s, name, "no token in it");
	mn_secret_cut(s, len);
	return s;
}

static struct mn_secret *
out_of_memory(void)
{
	(void)mn_output_error(NULL, "out of memory");
	return NULL;
}

struct mn_secret *
mn_input_secret(const char *prompt)
{
	struct mn_secret *s;
	ssize_t n;

	s = mn_secret_new(MN_SECRET_GUARDED, SECRET_MAX);
	if (s == NULL)
		return out_of_memory();
	if (isatty(STDIN_FILENO))
		n = prompted(prompt, mn_secret_bytes(s), SECRET_MAX);
	else
		n = read_all(STDIN_FILENO, mn_secret_bytes(s), SECRET_MAX);
	return finish(s, "standard input", n);
}

struct mn_secret *
mn_input_secret_file(const char *name, const char *prompt)
{
	struct mn_secret *s;
	ssize_t n;
	int fd;

	if (strcmp(name, "-") == 0)
		return mn_input_secret(prompt);
	s = mn_secret_new(MN_SECRET_GUARDED, SECRET_MAX);
	if (s == NULL)
		return out_of_memory();
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return finish(s, name, -1);
	n = read_all(fd, mn_secret_bytes(s), SECRET_MAX);
	s = finish(s, name, n);
	(void)close(fd);
	return s;
}

bool
mn_input_file(const char *name, struct mn_text *t)
{
	bool standard = strcmp(name, "-") == 0;
	char buf[16384];
	ssize_t n = -1;
	int fd;

	fd = standard ? STDIN_FILENO :
	    open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (fd >= 0 && (n = read_some(fd, buf, sizeof(buf))) > 0 &&
	    !t->failed)
		mn_text_put(t, buf, (size_t)n);
	if (n < 0)
		(void)mn_output_error(NULL, "%s: %m",
		    standard ? "standard input" : name);
	else if (t->failed)
		(void)mn_output_error(NULL, "%s: more than %zu bytes",
		    standard ? "standard input" : name, t->max);
	mn_secret_wipe(buf, sizeof(buf));
	if (fd >= 0 && !standard)
		(void)close(fd);
	return n >= 0 && !t->failed;
}
