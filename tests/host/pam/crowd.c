/* SPDX-License-Identifier: MIT */

/*
 * A host of PAM in which many log in at once, a thread for each.
 *
 *	crowd CONFDIR SERVICE ROUNDS SIGCHLD [pidfds=FD]
 *
 * reads lines of "USER TOKEN" from standard input.  Each is a thread, which
 * authenticates ROUNDS times and counts the codes.  All the while another one
 * has children of its own.  SIGCHLD is what the host does with it: "default",
 * "ignore", or "handler", which reaps whatever it finds.  Descriptors of
 * processes come from FD, if it is given.
 *
 * It prints a line for each thread, of "CODE*N" in the order of the codes, and
 * "others N", the children of the other thread; "strange N", how many of them
 * ended otherwise than they should have; "left N", children and descriptors
 * that there were not before.
 */

#include "broker.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST	64

struct visitor {
	pthread_t thread;
	char user[128];
	char token[512];
	int codes[64];
};

static const char *folder, *service;
static int rounds;
static bool reaped_by_others, done;
static unsigned int others, strange;

/*
 * Not ours: libpam loads and unloads modules, whose locks cannot be seen, and
 * tells libaudit, which writes into variables that all threads share.
 */
const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
	return "race:ld-linux\nrace:libaudit\n";
}

/* What libpam would send to syslog is looked at elsewhere. */
void __syslog_chk(int level, int flag, const char *fmt, ...);

void
__syslog_chk(int level, int flag, const char *fmt, ...)
{
	(void)level;
	(void)flag;
	(void)fmt;
}

static void
no_delay(int code, unsigned int us, void *data)
{
	(void)code;
	(void)us;
	(void)data;
}

static int
converse(int n, const struct pam_message **m, struct pam_response **r,
    void *data)
{
	const struct visitor *v = data;

	(void)m;
	if (n != 1)
		return PAM_CONV_ERR;
	*r = calloc(1, sizeof(**r));
	(*r)->resp = strdup(v->token);
	return PAM_SUCCESS;
}

static void *
visit(void *data)
{
	struct visitor *v = data;
	struct pam_conv conversation = { converse, v };
	pam_handle_t *pamh;
	int i, r;

	for (i = 0; i < rounds; i++) {
		if (pam_start_confdir(service, v->user, &conversation, folder,
		    &pamh) != PAM_SUCCESS)
			abort();
		pam_set_item(pamh, PAM_FAIL_DELAY,
		    (const void *)(uintptr_t)no_delay);
		r = pam_authenticate(pamh, 0);
		v->codes[r]++;
		pam_end(pamh, r);
	}
	return NULL;
}

/* Nobody takes these children but whoever handles SIGCHLD. */
static void *
have_children(void *data)
{
	int status;
	pid_t pid;

	while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		pid = fork();
		if (pid == 0)
			kill(getpid(), SIGKILL);
		others++;
		status = -1;
		while (waitpid(pid, &status, 0) < 0) {
			if (errno == ECHILD && reaped_by_others)
				status = SIGKILL;
			if (errno != EINTR)
				break;
		}
		strange += pid < 0 || status != SIGKILL;
		usleep(1000);
	}
	return data;
}

static void
on_child(int number)
{
	int saved = errno;

	(void)number;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	errno = saved;
}

static void
set_sigchld(const char *how)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	if (strcmp(how, "default") == 0)
		return;
	reaped_by_others = true;
	if (strcmp(how, "handler") == 0)
		action.sa_handler = on_child;
	sigaction(SIGCHLD, &action, NULL);
}

static int
count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
print(const struct visitor *v)
{
	int i;

	for (i = 0; i < 64; i++) {
		if (v->codes[i] > 0)
			printf("%d*%d ", i, v->codes[i]);
	}
	printf("\n");
}

int
main(int argc, char **argv)
{
	static struct visitor visitors[MOST];
	int i, n = 0, left;
	pthread_t other;

	if (argc < 5 || (argc == 6 &&
	    sscanf(argv[5], "pidfds=%d", &pidfd_broker) != 1))
		return 2;
	folder = argv[1];
	service = argv[2];
	rounds = atoi(argv[3]);
	set_sigchld(argv[4]);
	while (n < MOST && scanf("%127s %511s", visitors[n].user,
	    visitors[n].token) == 2)
		n++;
	left = count_descriptors();
	pthread_create(&other, NULL, have_children, NULL);
	for (i = 0; i < n; i++)
		pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]);
	for (i = 0; i < n; i++)
		pthread_join(visitors[i].thread, NULL);
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	left = count_descriptors() - left;
	while (waitpid(-1, NULL, WNOHANG | __WALL) >= 0)
		left++;
	for (i = 0; i < n; i++)
		print(&visitors[i]);
	printf("others %u\nstrange %u\nleft %d\n", others, strange, left);
	return 0;
}
