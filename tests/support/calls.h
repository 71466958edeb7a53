/* SPDX-License-Identifier: MIT */

/*
 * Every system call of a process, whoever in it makes them, and one of them
 * fails: another process is asked about each (seccomp_unotify(2)).
 *
 *	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
 *	... in the process that is watched, with ends[0]:
 *	calls_watch(ends[0]);
 *	calls_mark();			the window opens
 *	...
 *	calls_mark();			and closes
 *	... in the other one, until the first has ended:
 *	calls_supervise(ends[1], &tally);
 */

#ifndef TESTS_SUPPORT_CALLS_H
#define TESTS_SUPPORT_CALLS_H

#include <stdbool.h>
#include <sys/types.h>

struct calls_tally {
	unsigned long at;	/* this one of the window fails; 0: none */
	int number;		/* with this errno */
	bool (*can_fail)(int nr);	/* NULL: all that can */
	unsigned long calls;	/* of the window */
	int failed;		/* number of the one that did; -1 before */
	bool by_host;		/* and it was the first process's */
};

/* -1: the kernel would not have it.  It lasts as long as the process. */
int
calls_watch(int to);

void
calls_mark(void);

void
calls_supervise(int from, struct calls_tally *tally);

#endif
