/* SPDX-License-Identifier: MIT */

/*
 * Who leaves secrets in memory that is given back: put before a program with
 * LD_PRELOAD, this looks into each block that is freed, and at the end into
 * those that are not, for the word that is in all secrets of the tests.  What
 * is found is a line of the file OWNERS_LOG:
 *
 *	PID	freed or kept	LIBRARY	the bytes from the word on, and 7 before
 *
 * LIBRARY is who asked for the block.  Blocks begin as zeros, so that nobody is
 * blamed for what was there before.  Apache's pools come from mmap(); what else
 * does is guarded, and not to be touched.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD	"canary_"
#define BEFORE	7
#define SHOWN	(BEFORE + sizeof(WORD) - 1 + 40)
#define BLOCKS	(1u << 19)
#define GONE	((void *)1)
#define MAPPED	4096
#define POOLS	"libapr-"	/* whose */

void *__libc_malloc(size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

static struct block {
	void *p;
	const void *owner;
} blocks[BLOCKS];

static struct mapped {
	char *p;
	size_t size;
	const void *owner;
} mapped[MAPPED];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;

/* Whoever looks for a name allocates, too. */
static __thread bool inside __attribute__((__tls_model__("initial-exec")));

static size_t
place(const void *p)
{
	return ((uintptr_t)p >> 4) * 2654435761u % BLOCKS;
}

static void *
note(void *p, const void *owner)
{
	size_t i;

	if (p == NULL)
		return NULL;
	memset(p, 0, malloc_usable_size(p));
	(void)pthread_mutex_lock(&lock);
	for (i = place(p); blocks[i].p != NULL && blocks[i].p != GONE &&
	    blocks[i].p != p; i = (i + 1) % BLOCKS)
		continue;
	blocks[i] = (struct block){ p, owner };
	(void)pthread_mutex_unlock(&lock);
	return p;
}

static const void *
forget(const void *p)
{
	const void *owner = NULL;
	size_t i;

	(void)pthread_mutex_lock(&lock);
	for (i = place(p); blocks[i].p != NULL; i = (i + 1) % BLOCKS) {
		if (blocks[i].p == p) {
			owner = blocks[i].owner;
			blocks[i].p = GONE;
			break;
		}
	}
	(void)pthread_mutex_unlock(&lock);
	return owner;
}

static const char *
library(const void *owner)
{
	const char *slash;
	Dl_info info;

	if (owner == NULL || dladdr(owner, &info) == 0 ||
	    info.dli_fname == NULL)
		return "unknown";
	slash = strrchr(info.dli_fname, '/');
	return slash != NULL ? slash + 1 : info.dli_fname;
}

static void
tell(const char *what, const void *owner, const char *p, const char *end)
{
	char line[256], shown[SHOWN + 1];
	size_t i;
	int n;

	for (i = 0; i < SHOWN && p + i < end; i++)
		shown[i] = (char)(p[i] > ' ' && p[i] < 127 ? p[i] : '.');
	shown[i] = '\0';
	n = snprintf(line, sizeof(line), "%d\t%s\t%s\t%s\n", (int)getpid(),
	    what, library(owner), shown);
	if (n > 0 && write(out, line, (size_t)n) != n)
		abort();
}

static void
look(const char *what, const char *p, size_t size, const void *owner)
{
	const char *end = p + size, *s = p;

	if (out < 0 || inside)
		return;
	inside = true;
	for (; (s = memmem(s, (size_t)(end - s), WORD, strlen(WORD))) != NULL;
	    s++)
		tell(what, owner, s - p < BEFORE ? p : s - BEFORE, end);
	inside = false;
}

#define OWNER	__builtin_return_address(0)

static void *
map(void *at, size_t size, int prot, int flags, int fd, off_t offset,
    const void *owner)
{
	void *p = (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
	size_t i;

	if (p == MAP_FAILED || (flags & MAP_PRIVATE) == 0 || fd != -1 ||
	    strncmp(library(owner), POOLS, strlen(POOLS)) != 0)
		return p;
	(void)pthread_mutex_lock(&lock);
	for (i = 0; i < MAPPED && mapped[i].p != NULL; i++)
		continue;
	if (i == MAPPED)
		abort();
	mapped[i] = (struct mapped){ p, size, owner };
	(void)pthread_mutex_unlock(&lock);
	return p;
}

void *
mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	return map(at, size, prot, flags, fd, offset, OWNER);
}

void *
mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	return map(at, size, prot, flags, fd, offset, OWNER);
}

int
munmap(void *p, size_t size)
{
	struct mapped m = { .p = NULL };
	size_t i;

	(void)pthread_mutex_lock(&lock);
	for (i = 0; i < MAPPED; i++) {
		if (mapped[i].p == p && mapped[i].size == size) {
			m = mapped[i];
			mapped[i].p = NULL;
		}
	}
	(void)pthread_mutex_unlock(&lock);
	if (m.p != NULL)
		look("freed", m.p, m.size, m.owner);
	return (int)syscall(SYS_munmap, p, size);
}

void *
malloc(size_t size)
{
	return note(__libc_malloc(size), OWNER);
}

void *
calloc(size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return note(__libc_malloc(all), OWNER);
}

void *
memalign(size_t align, size_t size)
{
	return note(__libc_memalign(align, size), OWNER);
}

void *
aligned_alloc(size_t align, size_t size)
{
	return note(__libc_memalign(align, size), OWNER);
}

int
posix_memalign(void **p, size_t align, size_t size)
{
	*p = note(__libc_memalign(align, size), OWNER);
	return *p != NULL ? 0 : ENOMEM;
}

static void
give_back(void *p)
{
	const void *owner = forget(p);
	int error = errno;

	look("freed", p, malloc_usable_size(p), owner);
	__libc_free(p);
	errno = error;
}

void
free(void *p)
{
	if (p != NULL)
		give_back(p);
}

/* It always moves, as it may. */
void *
realloc(void *p, size_t size)
{
	size_t old = p != NULL ? malloc_usable_size(p) : 0;
	void *q;

	if (p != NULL && size == 0) {
		give_back(p);
		return NULL;
	}
	q = note(__libc_malloc(size), OWNER);
	if (q == NULL || p == NULL)
		return q;
	memcpy(q, p, old < size ? old : size);
	give_back(p);
	return q;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("OWNERS_LOG");

	if (path != NULL)
		out = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		    0600);
}

__attribute__((destructor)) static void
end(void)
{
	size_t i;

	for (i = 0; i < BLOCKS; i++) {
		if (blocks[i].p != NULL && blocks[i].p != GONE)
			look("kept", blocks[i].p,
			    malloc_usable_size(blocks[i].p), blocks[i].owner);
	}
	for (i = 0; i < MAPPED; i++) {
		if (mapped[i].p != NULL)
			look("kept", mapped[i].p, mapped[i].size,
			    mapped[i].owner);
	}
}
