/* SPDX-License-Identifier: MIT */

/* What the tests of fork(2) share: work that a child does, and its end. */

#ifndef TESTS_INTEGRATION_CHILDREN_H
#define TESTS_INTEGRATION_CHILDREN_H

#include <signal.h>
#include <sys/wait.h>

#include "loops.h"

/*
 * Run work in a child; its status is 0, or the line that was not so.  What a
 * child finds wrong it cannot tell cmocka.
 */
#define MUST(condition)	do {						\
	if (!(condition)) {						\
		(void)fprintf(stderr, "child: line %d: %s\n", __LINE__,	\
		    #condition);					\
		_exit(1);						\
	}								\
} while (0)

static pid_t UNUSED
child_start(struct monime *m, void (*work)(struct monime *m, void *arg),
    void *arg)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		work(m, arg);
		_exit(0);
	}
	return pid;
}

static void UNUSED
child_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void UNUSED
child(struct monime *m, void (*work)(struct monime *m, void *arg), void *arg)
{
	child_wait(child_start(m, work, arg));
}

#endif
