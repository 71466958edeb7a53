/* SPDX-License-Identifier: MIT */

/*
 * Preloaded into the helper: allocation number FAULT_AT of those that our own
 * code asks for fails, or with FAULT_ALL of all of them.  How many there were
 * is written to the file FAULT_COUNT at the end.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

/* libcrypto alone makes some ten thousand as it starts. */
static const char *const others[] = { "libcrypto", "libssl", "ld-linux" };

static unsigned long count;
static unsigned long at;
static int all;

__attribute__((constructor)) static void
begin(void)
{
	const char *s = getenv("FAULT_AT");

	all = getenv("FAULT_ALL") != NULL;
	at = s != NULL ? strtoul(s, NULL, 10) : 0;
	count = 0;
}

__attribute__((destructor)) static void
end(void)
{
	const char *path = getenv("FAULT_COUNT");
	int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0600) : -1;

	if (fd >= 0) {
		dprintf(fd, "%lu\n", count);
		close(fd);
	}
}

static int
is_ours(const void *caller)
{
	Dl_info info;
	size_t i;

	if (dladdr(caller, &info) == 0 || info.dli_fname == NULL)
		return 0;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strstr(info.dli_fname, others[i]) != NULL)
			return 0;
	}
	return 1;
}

/* The callers are few, and each asks often. */
static int
is_counted(const void *caller)
{
	static __thread struct {
		const void *caller;
		int ours;
	} known[1024], *k;

	if (all)
		return 1;
	k = &known[(unsigned long)caller / 2 % 1024];
	if (k->caller != caller) {
		k->ours = is_ours(caller);
		k->caller = caller;
	}
	return k->ours;
}

static int
fails(const void *caller)
{
	int counted;

	counted = is_counted(caller);
	if (!counted || __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) != at)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL :
	    __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL :
	    __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL :
	    __libc_realloc(p, size);
}
