/* SPDX-License-Identifier: MIT */

/*
 * A host of PAM that watches what a module does to it.
 *
 *	login CONFDIR SERVICE USER [WORD ...]
 *
 * reads the token, a line, from standard input and authenticates.  It prints
 * one JSON object: "code", "module" (the code of one that window.c wraps),
 * "delays" (that PAM_FAIL_DELAY was told of), "prompts", "log" (what went to
 * syslog), "changed" (of the host's own state), "copies" (of the token, in
 * memory), "us" (the time of each round), "children" (that a handler of SIGCHLD
 * was told of), and "calls" and "allocations" in the window: that module's, or
 * none.
 *
 *	rounds=N	so often
 *	quiet		the conversation fails
 *	setcred		pam_setcred() after success, with "setcred"
 *	copies		count them
 *	close=012	close these descriptors before
 *	sigchld=ignore, sigchld=nowait, sigchld=handler	the host's disposition
 *	blocked		all signals are blocked
 *	malloc=N	allocation N of the window fails
 *	fault=N,ERRNO	system call N of the window fails, here or in what is
 *			started; "fault" is its number, or -1: there is none
 *	pidfds=FD	where descriptors of processes come from
 */

#include "broker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

#define OUTPUT	100		/* a descriptor that no test closes */
#define STATE	65536

extern char **environ;

static char token[8192];
static char events[3][65536];	/* delays, prompts, log: JSON */
static bool quiet;

/* Allocations of the window, which the compiler thinks malloc() cannot see. */
static volatile bool window;
static unsigned long allocations, allocation_fails;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

/* A sanitizer has these to itself. */
#if !defined(__SANITIZE_ADDRESS__)
static bool
allocation_is_refused(void)
{
	if (!window || ++allocations != allocation_fails)
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return allocation_is_refused() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return allocation_is_refused() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return allocation_is_refused() ? NULL : __libc_realloc(p, size);
}
#endif

/* What window.c tells. */
void login_enter(void);
void login_leave(int code);

static int module = -1;

void
login_enter(void)
{
	calls_mark();
	window = true;
}

void
login_leave(int code)
{
	window = false;
	calls_mark();
	module = code;
}

enum { DELAYS, PROMPTS, LOG };

/* A string of JSON, behind those that are there. */
static void
note(int which, const char *s)
{
	char *to = events[which];
	size_t len = strlen(to);
	size_t max = sizeof(events[0]) - 16;

	if (len > 0)
		to[len++] = ',';
	to[len++] = '"';
	for (; *s != '\0' && len < max; s++) {
		if (*s == '"' || *s == '\\')
			to[len++] = '\\';
		if ((unsigned char)*s < 0x20)
			len += (size_t)sprintf(to + len, "\\u%04x", *s);
		else
			to[len++] = *s;
	}
	to[len++] = '"';
	to[len] = '\0';
}

/* What libpam would send to syslog. */
void __syslog_chk(int level, int flag, const char *fmt, ...);

void
__syslog_chk(int level, int flag, const char *fmt, ...)
{
	char line[8192], *p = line;
	va_list ap;

	(void)flag;
	p += sprintf(p, "<%d> ", level & 7);
	va_start(ap, fmt);
	vsnprintf(p, sizeof(line) - 8, fmt, ap);
	va_end(ap);
	note(LOG, line);
}

static void
record_delay(int code, unsigned int us, void *data)
{
	char line[64];

	(void)code;
	(void)data;
	/* libpam varies it by a quarter and more. */
	snprintf(line, sizeof(line), "%s", us >= 500000 ? "some" : "none");
	note(DELAYS, line);
}

static int
converse(int n, const struct pam_message **m, struct pam_response **r,
    void *data)
{
	bool counted = window;

	(void)data;
	if (quiet || n != 1)
		return PAM_CONV_ERR;
	note(PROMPTS, m[0]->msg);
	/* These are not the module's. */
	window = false;
	*r = calloc(1, sizeof(**r));
	(*r)->resp = malloc(sizeof(token));
	window = counted;
	memcpy((*r)->resp, token, sizeof(token));
	return PAM_SUCCESS;
}

/* What a module must leave as it was. */

static volatile int children_died;

static void
on_child(int number)
{
	int saved = errno;

	(void)number;
	children_died++;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	errno = saved;
}

static size_t
describe_descriptors(char *s)
{
	DIR *d = opendir("/proc/self/fd");
	char path[300], target[300];
	struct dirent *entry;
	struct stat st;
	size_t len = 0;
	ssize_t n;

	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(d))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s",
		    entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		memset(&st, 0, sizeof(st));
		fstat(atoi(entry->d_name), &st);
		len += (size_t)sprintf(s + len, "fd %s %s %o %d %d\n",
		    entry->d_name, target, st.st_mode,
		    fcntl(atoi(entry->d_name), F_GETFL),
		    fcntl(atoi(entry->d_name), F_GETFD));
	}
	closedir(d);
	return len;
}

static size_t
describe_signals(char *s)
{
	struct sigaction action;
	sigset_t mask;
	size_t len = 0;
	int i;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (i = 1; i < NSIG; i++) {
		if (sigaction(i, NULL, &action) == 0)
			len += (size_t)sprintf(s + len, "signal %d %p %x %d\n",
			    i, (void *)(uintptr_t)action.sa_handler,
			    (unsigned int)action.sa_flags,
			    sigismember(&mask, i));
	}
	return len;
}

static void
describe(char *s)
{
	size_t i, len = 0;
	char cwd[4096];
	mode_t mask = umask(0);

	umask(mask);
	len += describe_descriptors(s + len);
	len += describe_signals(s + len);
	for (i = 0; environ[i] != NULL; i++)
		len += (size_t)sprintf(s + len, "environment %.200s\n",
		    environ[i]);
	len += (size_t)sprintf(s + len, "umask %o\ncwd %s\nchild %d\n",
	    mask, getcwd(cwd, sizeof(cwd)),
	    (int)syscall(SYS_wait4, -1, NULL, WNOHANG | __WALL, NULL));
	sprintf(s + len, "dumpable %d\nuids %d %d\nsession %d\n",
	    prctl(PR_GET_DUMPABLE), getuid(), geteuid(), getsid(0));
}

/* Lines of one that are not in the other. */
static void
differ(const char *one, const char *other, char *out)
{
	char line[4600];
	size_t n;

	for (; *one != '\0'; one += n + 1) {
		n = strcspn(one, "\n");
		snprintf(line, sizeof(line), "%.*s\n", (int)n, one);
		if (strstr(other, line) == NULL)
			strcat(out, line);
	}
}

/* A supervisor for this process from here on. */
static struct calls_tally *
watch_calls(unsigned long at, int number)
{
	struct calls_tally *tally = mmap(NULL, sizeof(*tally),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ends[2];

	tally->at = at;
	tally->number = number;
	tally->failed = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		abort();
	/* A grandchild of nobody's: the host has no children to wait for. */
	if (fork() == 0) {
		if (fork() == 0) {
			close(ends[0]);
			calls_supervise(ends[1], tally);
		}
		_exit(0);
	}
	wait(NULL);
	close(ends[1]);
	if (calls_watch(ends[0]) != 0) {
		fprintf(stderr, "seccomp: %m\n");
		exit(77);
	}
	close(ends[0]);
	return tally;
}

/* How often the token is left in this process.  It is gone from here then. */
static int
count_copies(void)
{
	static char pattern[sizeof(token)];
	size_t i, len = strlen(token);
	char line[512], mode[8];
	unsigned long from, to;
	int copies = 0;
	char *p;
	FILE *f;

	for (i = 0; i < len; i++)
		pattern[i] = (char)(token[i] ^ 0x55);
	explicit_bzero(token, sizeof(token));
	f = fopen("/proc/self/maps", "re");
	while (len > 0 && f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 ||
		    mode[0] != 'r' || mode[1] != 'w')
			continue;
		for (p = (char *)from; p + len <= (char *)to; p++) {
			for (i = 0; i < len && (p[i] ^ 0x55) == pattern[i]; i++)
				continue;
			copies += i == len;
		}
	}
	if (f != NULL)
		fclose(f);
	return copies;
}

static double
microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
set_sigchld(const char *how)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	if (strcmp(how, "handler") == 0)
		action.sa_handler = on_child;
	if (strcmp(how, "nowait") == 0) {
		action.sa_handler = SIG_DFL;
		action.sa_flags = SA_NOCLDWAIT;
	}
	sigaction(SIGCHLD, &action, NULL);
}

struct settings {
	int rounds;
	bool setcred;
	bool copies;
	unsigned long fault_at;
	int fault;
};

static void
set(struct settings *s, const char *word)
{
	sigset_t all;

	if (sscanf(word, "rounds=%d", &s->rounds) == 1 ||
	    sscanf(word, "pidfds=%d", &pidfd_broker) == 1 ||
	    sscanf(word, "malloc=%lu", &allocation_fails) == 1 ||
	    sscanf(word, "fault=%lu,%d", &s->fault_at, &s->fault) == 2)
		return;
	if (strcmp(word, "quiet") == 0) {
		quiet = true;
	} else if (strcmp(word, "setcred") == 0) {
		s->setcred = true;
	} else if (strcmp(word, "copies") == 0) {
		s->copies = true;
	} else if (strncmp(word, "close=", 6) == 0) {
		for (word += 6; *word != '\0'; word++)
			close(*word - '0');
	} else if (strncmp(word, "sigchld=", 8) == 0) {
		set_sigchld(word + 8);
	} else if (strcmp(word, "blocked") == 0) {
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
	} else {
		fprintf(stderr, "login: %s?\n", word);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	static char before[STATE], after[STATE], changed[2 * STATE];
	struct settings s = { .rounds = 1 };
	struct pam_conv conversation = { converse, NULL };
	struct calls_tally none = { .failed = -1 }, *tally = &none;
	pam_handle_t *pamh;
	double start, *took;
	int i, copies = -1, r = -1, set_r = -1;

	/* No copy of the token but ours. */
	setvbuf(stdin, NULL, _IONBF, 0);
	if (argc < 4 || fgets(token, sizeof(token), stdin) == NULL ||
	    dup2(STDOUT_FILENO, OUTPUT) < 0)
		return 2;
	fcntl(OUTPUT, F_SETFD, FD_CLOEXEC);
	token[strcspn(token, "\n")] = '\0';
	for (i = 4; i < argc; i++)
		set(&s, argv[i]);
	took = calloc((size_t)s.rounds, sizeof(*took));
	if (pam_start_confdir(argv[2], argv[3], &conversation, argv[1],
	    &pamh) != PAM_SUCCESS)
		return 2;
	pam_set_item(pamh, PAM_FAIL_DELAY,
	    (const void *)(uintptr_t)record_delay);
	if (s.fault_at > 0)
		tally = watch_calls(s.fault_at, s.fault);
	describe(before);
	for (i = 0; i < s.rounds; i++) {
		events[DELAYS][0] = events[PROMPTS][0] = events[LOG][0] = '\0';
		start = microseconds();
		r = pam_authenticate(pamh, 0);
		took[i] = microseconds() - start;
	}
	describe(after);
	if (s.copies)
		copies = count_copies();
	if (s.setcred)
		set_r = pam_setcred(pamh, PAM_ESTABLISH_CRED);
	pam_end(pamh, r);
	differ(before, after, changed);
	differ(after, before, changed);
	dprintf(OUTPUT, "{\"code\":%d,\"module\":%d,\"setcred\":%d,"
	    "\"delays\":[%s],\"prompts\":[%s],\"log\":[%s],", r, module,
	    set_r, events[DELAYS],
	    events[PROMPTS], events[LOG]);
	events[LOG][0] = '\0';
	note(LOG, changed);
	dprintf(OUTPUT, "\"changed\":%s,\"calls\":%lu,\"fault\":%d,"
	    "\"by_host\":%s,\"allocations\":%lu,\"children\":%d,\"copies\":%d,"
	    "\"us\":[", events[LOG], tally->calls, tally->failed,
	    tally->by_host ? "true" : "false", allocations, children_died,
	    copies);
	for (i = 0; i < s.rounds; i++)
		dprintf(OUTPUT, "%s%.1f", i > 0 ? "," : "", took[i]);
	dprintf(OUTPUT, "]}\n");
	free(took);
	return 0;
}
