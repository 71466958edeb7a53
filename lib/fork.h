/* SPDX-License-Identifier: MIT */

/*
 * Telling a child of fork(2) apart at the price of a read: a page that the
 * kernel wipes in the child.
 */

#ifndef MN_FORK_H
#define MN_FORK_H

#include <stdbool.h>

struct monime;

/* false: no page. */
bool mn_fork_open(struct monime *m);
void mn_fork_close(struct monime *m);

/* In a child, at its first call: forget what is the parent's. */
void mn_fork_forget(struct monime *m);

/* Is this a child that has not forgotten yet? */
#define mn_fork_apart(m)						\
	(__atomic_load_n((m)->here, __ATOMIC_ACQUIRE) != MN_FORK_HERE)

#define mn_fork_look(m)							\
	do {								\
		if (mn_fork_apart(m))					\
			mn_fork_forget(m);				\
	} while (0)

/* What stands in the page: zero in a child. */
enum {
	MN_FORK_WIPED,
	MN_FORK_BUSY,
	MN_FORK_HERE
};

#endif
