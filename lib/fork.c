/* SPDX-License-Identifier: MIT */

/* Children of fork(2).  See fork.h. */

#define _GNU_SOURCE
#include "fork.h"

#include <sched.h>
#include <sys/mman.h>

#include "call.h"

#include "banned.h"

#define PAGE	4096	/* at least; the kernel rounds up */

bool
mn_fork_open(struct monime *m)
{
	void *page;

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return false;
	if (madvise(page, PAGE, MADV_WIPEONFORK) != 0) {
		(void)munmap(page, PAGE);
		return false;
	}
	m->here = page;
	*m->here = MN_FORK_HERE;
	return true;
}

void
mn_fork_close(struct monime *m)
{
	if (m->here != NULL)
		(void)munmap(m->here, PAGE);
	m->here = NULL;
}

void
mn_fork_forget(struct monime *m)
{
	unsigned int seen = MN_FORK_WIPED;

	if (__atomic_compare_exchange_n(m->here, &seen, MN_FORK_BUSY, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		mn_events_forget(m);
		mn_probe_forget(m);
		mn_edition_forget(m->now);
		mn_metrics_forget();
		__atomic_store_n(m->here, MN_FORK_HERE, __ATOMIC_RELEASE);
		return;
	}
	/* Another thread of this child was first: it has little to do. */
	while (__atomic_load_n(m->here, __ATOMIC_ACQUIRE) != MN_FORK_HERE)
		(void)sched_yield();
}
