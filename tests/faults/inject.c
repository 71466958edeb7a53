/* SPDX-License-Identifier: MIT */

/* See inject.h. */

#define CURL_DISABLE_TYPECHECK
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <curl/multi.h>
#include <json-c/json.h>
#include <libconfig.h>
#include <link.h>
#include <sodium.h>

#include "inject.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

static struct fault here;

struct fault *fault = &here;

const char *const fault_object_names[FAULT_OBJECTS] = {
	"curl easy handle", "curl multi handle", "JSON tokener",
	"libconfig configuration", "guarded memory", "mapping"
};

enum {
	EASY, MULTI, TOKENER, CONFIG, GUARDED, MAPPING
};

/*
 * Who calls
 */

enum owner {
	NOBODY,		/* the test, the loader and this file */
	OURS,
	OTHERS,
	TLS,
	HOST
};

static enum owner program;

/* Names of objects; what none is like is another library. */
static const struct {
	const char *name;
	enum owner owner;
} owners[] = {
	{ "libmonime", OURS },
	{ "ngx_http_monime", OURS },
	{ "mod_monime", OURS },
	{ "pam_monime", OURS },
	{ "libcrypto", TLS },
	{ "libssl", TLS },
	{ "ld-linux", NOBODY },
	{ "inject.so", NOBODY },
};

static enum owner
owner_by_name(const char *path)
{
	const char *name = strrchr(path, '/');
	size_t i;

	if (*path == '\0')
		return program;
	name = name != NULL ? name + 1 : path;
	for (i = 0; i < ROWS(owners); i++) {
		if (strncmp(name, owners[i].name, strlen(owners[i].name)) == 0)
			return owners[i].owner;
	}
	return OTHERS;
}

/* The loader's own index: no lock, and no allocation. */
static enum owner
owner_of(const void *caller)
{
	static __thread struct {
		const void *caller;
		enum owner owner;
	} known[1024] __attribute__((__tls_model__("initial-exec"))), *k;
	struct dl_find_object found;

	k = &known[(uintptr_t)caller / 2 % ROWS(known)];
	if (k->caller != caller) {
		k->owner = _dl_find_object((void *)(uintptr_t)caller,
		    &found) == 0 && found.dlfo_link_map != NULL ?
		    owner_by_name(found.dlfo_link_map->l_name) : NOBODY;
		k->caller = caller;
	}
	return k->owner;
}

static int
describe(char *text, size_t size, const void *address)
{
	Dl_info info;
	const char *name;

	if (dladdr(address, &info) == 0 || info.dli_fname == NULL)
		return snprintf(text, size, "%p", address);
	name = strrchr(info.dli_fname, '/');
	return snprintf(text, size, "%s+0x%lx%s%s",
	    name != NULL ? name + 1 : info.dli_fname,
	    (unsigned long)((const char *)address -
	    (const char *)info.dli_fbase),
	    info.dli_sname != NULL ? " " : "",
	    info.dli_sname != NULL ? info.dli_sname : "");
}

/*
 * Whether it fails
 */

/* What is ours of a kind is somebody else's of another one. */
static unsigned int
kind_by(enum owner owner, unsigned int kind)
{
	switch (owner) {
	case OURS:
		return kind;
	case OTHERS:
		return kind == FAULT_ALLOC_OURS ? FAULT_ALLOC_OTHERS : 0;
	case TLS:
		return kind == FAULT_ALLOC_OURS ? FAULT_ALLOC_TLS : 0;
	case HOST:
		return kind == FAULT_ALLOC_OURS ? FAULT_ALLOC_HOST : 0;
	default:
		return 0;
	}
}

static void
count_all(unsigned int kind)
{
	int i;

	for (i = 0; i < FAULT_KINDS; i++) {
		if (kind & 1u << i)
			(void)__atomic_add_fetch(&fault->counts[i], 1,
			    __ATOMIC_RELAXED);
	}
}

static bool
fails(unsigned int kind, const char *what, const void *caller)
{
	uint32_t n;

	if (!fault->armed)
		return false;
	kind = kind_by(owner_of(caller), kind);
	count_all(kind);
	if ((kind & fault->kinds) == 0)
		return false;
	n = __atomic_add_fetch(&fault->count, 1, __ATOMIC_RELAXED);
	if (fault->at == 0 || n < fault->at ||
	    (n > fault->at && !fault->lasting))
		return false;
	if (__atomic_fetch_add(&fault->failed, 1, __ATOMIC_RELAXED) == 0) {
		(void)snprintf(fault->what, sizeof(fault->what), "%s", what);
		(void)describe(fault->where, sizeof(fault->where), caller);
	}
	return true;
}

#define CALLER	__builtin_extract_return_addr(__builtin_return_address(0))

/* One of the errors that it can give. */
static int
pick(const int *numbers, size_t n)
{
	errno = numbers[fault->how % n];
	return -1;
}

#define WITH(...)	\
	pick((const int[]){ __VA_ARGS__ }, ROWS(((int[]){ __VA_ARGS__ })))

static void *
next(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (p == NULL) {
		static const char why[] = "inject: no such function: ";

		(void)!write(STDERR_FILENO, why, sizeof(why) - 1);
		(void)!write(STDERR_FILENO, name, strlen(name));
		(void)!write(STDERR_FILENO, "\n", 1);
		_exit(99);
	}
	return p;
}

#define REAL(name)	({						\
	static __typeof__(&name) real_;					\
	if (real_ == NULL)						\
		real_ = (__typeof__(&name))next(#name);			\
	real_;								\
})

/*
 * Allocations, and what is left of them
 */

enum { BLOCKS = 1 << 17 };

struct block {
	void *p;		/* NULL: free; GONE: was one */
	const void *caller;
	size_t size;
};

#define GONE	((void *)1)

static struct block *blocks;
static char blocks_lock;

static struct block *
block_at(const void *p)
{
	size_t i = (size_t)((uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15) >> 47);

	return &blocks[i % BLOCKS];
}

static void
lock(void)
{
	while (__atomic_test_and_set(&blocks_lock, __ATOMIC_ACQUIRE))
		continue;
}

static void
unlock(void)
{
	__atomic_clear(&blocks_lock, __ATOMIC_RELEASE);
}

static uint32_t *
block_count(const void *caller)
{
	switch (owner_of(caller)) {
	case OURS:
		return &fault->blocks_ours;
	case TLS:
		return &fault->blocks_tls;
	default:
		return &fault->blocks_others;
	}
}

static void
keep(void *p, size_t size, const void *caller)
{
	struct block *b;
	int tries = 0;

	if (p == NULL || !fault->tracking ||
	    owner_of(caller) == NOBODY)
		return;
	lock();
	if (blocks == NULL)
		blocks = mmap(NULL, BLOCKS * sizeof(*blocks),
		    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_NORESERVE, -1, 0);
	for (b = block_at(p); b->p != NULL && b->p != GONE &&
	    ++tries < BLOCKS; ) {
		if (++b == blocks + BLOCKS)
			b = blocks;
	}
	b->p = p;
	b->caller = caller;
	b->size = size;
	++*block_count(caller);
	unlock();
}

/* Where nothing follows it stops nobody's search, nor do those before. */
static void
forget(struct block *b)
{
	b->p = GONE;
	if (b + 1 < blocks + BLOCKS && b[1].p != NULL)
		return;
	for (; b > blocks && b->p == GONE; b--)
		b->p = NULL;
}

static void
drop(const void *p)
{
	struct block *b;
	int tries = 0;

	if (p == NULL || blocks == NULL)
		return;
	lock();
	for (b = block_at(p); b->p != NULL && ++tries < BLOCKS; ) {
		if (b->p == p) {
			--*block_count(b->caller);
			forget(b);
			break;
		}
		if (++b == blocks + BLOCKS)
			b = blocks;
	}
	unlock();
}

void
fault_track(void)
{
	if (blocks != NULL)
		(void)REAL(munmap)(blocks, BLOCKS * sizeof(*blocks));
	blocks = NULL;
	fault->blocks_ours = fault->blocks_others = fault->blocks_tls = 0;
	memset(fault->objects, 0, sizeof(fault->objects));
	fault->tracking = 1;
}

void
fault_tell_blocks(char *text, unsigned long size, const uint32_t *of)
{
	struct block *b;
	size_t len = 0;

	text[0] = '\0';
	for (b = blocks; b != NULL && b < blocks + BLOCKS; b++) {
		if (b->p == NULL || b->p == GONE ||
		    block_count(b->caller) != of)
			continue;
		if (len + 160 > size)
			return;
		len += (size_t)sprintf(text + len, "%s%zu bytes by ",
		    len > 0 ? ", " : "", b->size);
		len += (size_t)describe(text + len, size - len, b->caller);
		if (len >= size)
			return;
	}
}

/*
 * dlsym() may itself ask for memory, as it looks for the next malloc(): what
 * comes then is from here, and is never given back.
 */
static _Alignas(16) char early[4096];
static size_t early_used;
static __thread bool resolving
    __attribute__((__tls_model__("initial-exec")));

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

static void *
from_early(size_t size)
{
	void *p = early + early_used;

	early_used += (size + 15) / 16 * 16;
	return early_used <= sizeof(early) ? p : NULL;
}

static bool
is_early(const void *p)
{
	return (const char *)p >= early &&
	    (const char *)p < early + sizeof(early);
}

/* False: this is dlsym()'s own. */
static bool
ready(void)
{
	if (real_free != NULL)
		return true;
	if (resolving)
		return false;
	resolving = true;
	real_malloc = next("malloc");
	real_calloc = next("calloc");
	real_realloc = next("realloc");
	real_free = next("free");
	resolving = false;
	return true;
}

static void *
no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *
malloc(size_t size)
{
	void *p;

	if (!ready())
		return from_early(size);
	if (fails(FAULT_ALLOC_OURS, "malloc", CALLER))
		return no_memory();
	p = real_malloc(size);
	keep(p, size, CALLER);
	return p;
}

void *
calloc(size_t n, size_t size)
{
	void *p;

	if (!ready())
		return from_early(n * size);
	if (fails(FAULT_ALLOC_OURS, "calloc", CALLER))
		return no_memory();
	p = real_calloc(n, size);
	keep(p, n * size, CALLER);
	return p;
}

static void *
resize(void *old, size_t size, const char *name, const void *caller)
{
	void *p;

	if (!ready() || fails(FAULT_ALLOC_OURS, name, caller))
		return no_memory();
	drop(old);
	p = real_realloc(old, size);
	keep(p != NULL ? p : old, size, caller);
	return p;
}

void *
realloc(void *old, size_t size)
{
	return resize(old, size, "realloc", CALLER);
}

void *
reallocarray(void *old, size_t n, size_t size)
{
	if (size > 0 && n > SIZE_MAX / size)
		return no_memory();
	return resize(old, n * size, "reallocarray", CALLER);
}

void
free(void *p)
{
	if (p == NULL || is_early(p) || !ready())
		return;
	drop(p);
	real_free(p);
}

/* nginx's, for its pools. */
int
posix_memalign(void **p, size_t alignment, size_t size)
{
	int r;

	if (fails(FAULT_ALLOC_OURS, "posix_memalign", CALLER))
		return ENOMEM;
	r = REAL(posix_memalign)(p, alignment, size);
	if (r == 0)
		keep(*p, size, CALLER);
	return r;
}

#undef strdup
#undef strndup

char *
strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *p;

	if (!ready() || fails(FAULT_ALLOC_OURS, "strdup", CALLER))
		return no_memory();
	p = real_malloc(size);
	keep(p, size, CALLER);
	return p != NULL ? memcpy(p, s, size) : NULL;
}

char *
strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p;

	if (!ready() || fails(FAULT_ALLOC_OURS, "strndup", CALLER))
		return no_memory();
	p = real_malloc(len + 1);
	keep(p, len + 1, CALLER);
	if (p == NULL)
		return NULL;
	p[len] = '\0';
	return memcpy(p, s, len);
}

static int
print(char **out, const char *fmt, va_list ap, const void *caller)
{
	va_list again;
	int len;

	if (!ready() || fails(FAULT_ALLOC_OURS, "asprintf", caller)) {
		(void)no_memory();
		return -1;
	}
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	*out = len < 0 ? NULL : real_malloc((size_t)len + 1);
	if (*out == NULL)
		return -1;
	keep(*out, (size_t)len + 1, caller);
	return vsnprintf(*out, (size_t)len + 1, fmt, ap);
}

int
asprintf(char **out, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = print(out, fmt, ap, CALLER);
	va_end(ap);
	return r;
}

int __asprintf_chk(char **out, int flag, const char *fmt, ...);

int
__asprintf_chk(char **out, int flag, const char *fmt, ...)
{
	va_list ap;
	int r;

	(void)flag;
	va_start(ap, fmt);
	r = print(out, fmt, ap, CALLER);
	va_end(ap);
	return r;
}

/*
 * System calls.  Each has a wrapper of the one form: it fails with one of
 * these errors, or is made.
 */

#define CALL(type, name, declared, given, refusal)			\
type									\
name declared								\
{									\
	if (fails(FAULT_CALL_OURS, #name, CALLER))			\
		return (type)(refusal);					\
	return REAL(name) given;					\
}

/* The same for what gives a descriptor. */
#define OPENS(name, declared, given, refusal)				\
int									\
name declared								\
{									\
	if (fails(FAULT_CALL_OURS | FAULT_OPEN_OURS, #name, CALLER))	\
		return refusal;						\
	return REAL(name) given;					\
}

#define UNREADABLE	WITH(EMFILE, ENFILE, EACCES, ENOENT, EIO, ENOMEM)

int __open_2(const char *path, int flags);
int __openat_2(int at, const char *path, int flags);

OPENS(__open_2, (const char *path, int flags), (path, flags), UNREADABLE)
OPENS(__openat_2, (int at, const char *path, int flags), (at, path, flags),
    UNREADABLE)

int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (fails(FAULT_CALL_OURS | FAULT_OPEN_OURS, "open", CALLER))
		return UNREADABLE;
	return REAL(open)(path, flags, mode);
}

int
openat(int at, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (fails(FAULT_CALL_OURS | FAULT_OPEN_OURS, "openat", CALLER))
		return UNREADABLE;
	return REAL(openat)(at, path, flags, mode);
}

int
fcntl(int fd, int what, ...)
{
	va_list ap;
	void *value;

	va_start(ap, what);
	value = va_arg(ap, void *);
	va_end(ap);
	if (fails(FAULT_CALL_OURS, "fcntl", CALLER))
		return WITH(EIO, EMFILE, EINVAL);
	return REAL(fcntl)(fd, what, value);
}

OPENS(socket, (int family, int type, int protocol), (family, type, protocol),
    WITH(EMFILE, ENFILE, ENOBUFS, EAFNOSUPPORT))
OPENS(epoll_create1, (int flags), (flags), WITH(EMFILE, ENFILE, ENOMEM))
OPENS(timerfd_create, (int clock, int flags), (clock, flags),
    WITH(EMFILE, ENFILE, ENOMEM))
OPENS(eventfd, (unsigned int value, int flags), (value, flags),
    WITH(EMFILE, ENFILE, ENOMEM))

CALL(int, fstat, (int fd, struct stat *st), (fd, st), WITH(EIO, ENOMEM))
CALL(int, stat, (const char *path, struct stat *st), (path, st),
    WITH(EIO, ENOENT, EACCES, ENOMEM, ELOOP))
CALL(int, lstat, (const char *path, struct stat *st), (path, st),
    WITH(EIO, ENOENT, EACCES, ENOMEM))
CALL(int, fstatat, (int at, const char *path, struct stat *st, int flags),
    (at, path, st, flags), WITH(EIO, ENOENT, EACCES, ENOMEM))
CALL(int, fstatvfs, (int fd, struct statvfs *st), (fd, st),
    WITH(EIO, ENOSYS, ENOMEM, EINTR))
CALL(ssize_t, getxattr, (const char *path, const char *name, void *value,
    size_t size), (path, name, value, size), WITH(EIO, ENOTSUP, ERANGE))
CALL(ssize_t, readlinkat, (int at, const char *path, char *buf, size_t size),
    (at, path, buf, size), WITH(EIO, EACCES, ENOENT, ENOMEM))
CALL(int, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *ev),
    (epoll, op, fd, ev), WITH(ENOMEM, ENOSPC, EBADF, EPERM))
CALL(int, epoll_wait, (int epoll, struct epoll_event *ev, int n, int ms),
    (epoll, ev, n, ms), WITH(EINTR, EBADF, EINVAL))
CALL(ssize_t, recv, (int fd, void *buf, size_t len, int flags),
    (fd, buf, len, flags), WITH(EIO, ENOMEM, ECONNRESET, EINTR))
CALL(int, getsockname, (int fd, struct sockaddr *a, socklen_t *len),
    (fd, a, len), WITH(ENOBUFS, EBADF))
CALL(int, poll, (struct pollfd *fds, nfds_t n, int ms), (fds, n, ms),
    WITH(EINTR, ENOMEM))
CALL(int, kill, (pid_t pid, int number), (pid, number), WITH(EPERM, ESRCH))
CALL(int, madvise, (void *p, size_t len, int advice), (p, len, advice),
    WITH(EINVAL, ENOMEM, EAGAIN))

/* Those of the command. */
CALL(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *t,
    const sigset_t *mask), (fds, n, t, mask), WITH(EINTR, ENOMEM))
CALL(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode),
    WITH(ENOSPC, EACCES, EROFS))
CALL(int, renameat2, (int from, const char *a, int to, const char *b,
    unsigned int flags), (from, a, to, b, flags), WITH(EIO, EXDEV, EROFS))
CALL(int, fsync, (int fd), (fd), WITH(EIO, ENOSPC))
CALL(int, flock, (int fd, int how), (fd, how), WITH(EINTR, ENOLCK))
CALL(int, fchmod, (int fd, mode_t mode), (fd, mode), WITH(EPERM, EIO))
CALL(int, ftruncate, (int fd, off_t len), (fd, len), WITH(EIO, EINTR))
CALL(FILE *, fdopen, (int fd, const char *mode), (fd, mode),
    (uintptr_t)(WITH(ENOMEM) + 1))
CALL(DIR *, fdopendir, (int fd), (fd), (uintptr_t)(WITH(ENOMEM, EBADF) + 1))
CALL(DIR *, opendir, (const char *path), (path),
    (uintptr_t)(WITH(EMFILE, EACCES, ENOENT, ENOMEM) + 1))
CALL(struct dirent *, readdir, (DIR *d), (d), (uintptr_t)(WITH(EIO) + 1))

/* 0: an end that comes too early; or one byte alone. */
ssize_t
read(int fd, void *buf, size_t len)
{
	if (!fails(FAULT_CALL_OURS, "read", CALLER))
		return REAL(read)(fd, buf, len);
	switch (fault->how % 4) {
	case 0:
		errno = EIO;
		return -1;
	case 1:
		return REAL(read)(fd, buf, len > 0 ? 1 : 0);
	case 2:
		errno = EINTR;
		return -1;
	default:
		return 0;
	}
}

ssize_t
write(int fd, const void *buf, size_t len)
{
	if (!fails(FAULT_CALL_OURS, "write", CALLER))
		return REAL(write)(fd, buf, len);
	switch (fault->how % 4) {
	case 0:
		errno = EIO;
		return -1;
	case 1:
		return REAL(write)(fd, buf, len > 8 ? 1 : len);
	case 2:
		errno = EINTR;
		return -1;
	default:
		errno = ENOSPC;
		return -1;
	}
}

void *
mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	void *p;

	if (fails(FAULT_CALL_OURS, "mmap", CALLER)) {
		(void)WITH(ENOMEM, EAGAIN, EPERM);
		return MAP_FAILED;
	}
	p = REAL(mmap)(at, len, protection, flags, fd, offset);
	if (p != MAP_FAILED && owner_of(CALLER) == OURS)
		fault->objects[MAPPING]++;
	return p;
}

int
munmap(void *p, size_t len)
{
	if (owner_of(CALLER) == OURS)
		fault->objects[MAPPING]--;
	return REAL(munmap)(p, len);
}

/* pidfd_open() has no name of its own yet. */
long
syscall(long number, ...)
{
	va_list ap;
	long a, b, c, d, e, f;

	va_start(ap, number);
	a = va_arg(ap, long);
	b = va_arg(ap, long);
	c = va_arg(ap, long);
	d = va_arg(ap, long);
	e = va_arg(ap, long);
	f = va_arg(ap, long);
	va_end(ap);
	if (fails(FAULT_CALL_OURS | FAULT_OPEN_OURS, "syscall", CALLER))
		return WITH(ENOSYS, EMFILE, EPERM, ESRCH);
	return REAL(syscall)(number, a, b, c, d, e, f);
}

/*
 * Clocks.  That of the kernel for timers is not moved: what is armed is.
 */

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int64_t ns;
	int r;

	if (fails(FAULT_CALL_OURS, "clock_gettime", CALLER))
		return WITH(EINVAL, EPERM);
	r = REAL(clock_gettime)(clock, ts);
	if (r != 0 || fault->clock == 0 || (clock != CLOCK_MONOTONIC &&
	    clock != CLOCK_MONOTONIC_COARSE))
		return r;
	ns = ts->tv_nsec + fault->clock % 1000 * 1000000;
	ts->tv_sec += fault->clock / 1000 + ns / 1000000000;
	ts->tv_nsec = ns % 1000000000;
	return 0;
}

CALL(time_t, time, (time_t *t), (t), WITH(EPERM))

int
timerfd_settime(int fd, int flags, const struct itimerspec *new,
    struct itimerspec *old)
{
	struct itimerspec real = *new;
	int64_t ns;

	if (fails(FAULT_CALL_OURS, "timerfd_settime", CALLER))
		return WITH(ECANCELED, EINVAL);
	if (flags & TFD_TIMER_ABSTIME) {
		ns = real.it_value.tv_sec * INT64_C(1000000000) +
		    real.it_value.tv_nsec - fault->clock * 1000000;
		real.it_value.tv_sec = ns / 1000000000;
		real.it_value.tv_nsec = ns % 1000000000;
	}
	return REAL(timerfd_settime)(fd, flags, &real, old);
}

/*
 * The libraries.  What fails is not done at all.
 */

CALL(CURLcode, curl_global_init, (long flags), (flags), CURLE_FAILED_INIT)
CALL(char *, curl_easy_escape, (CURL *c, const char *s, int len), (c, s, len),
    (uintptr_t)0)

CURL *
curl_easy_init(void)
{
	CURL *c;

	if (fails(FAULT_CALL_OURS, "curl_easy_init", CALLER))
		return NULL;
	c = REAL(curl_easy_init)();
	if (c != NULL && owner_of(CALLER) == OURS)
		fault->objects[EASY]++;
	return c;
}

void
curl_easy_cleanup(CURL *c)
{
	if (c != NULL && owner_of(CALLER) == OURS)
		fault->objects[EASY]--;
	REAL(curl_easy_cleanup)(c);
}

/* One argument of the size of a register, whatever its type. */
CURLcode
curl_easy_setopt(CURL *c, CURLoption option, ...)
{
	va_list ap;
	void *value;

	va_start(ap, option);
	value = va_arg(ap, void *);
	va_end(ap);
	if (fails(FAULT_CALL_OURS, "curl_easy_setopt", CALLER))
		return CURLE_OUT_OF_MEMORY;
	return REAL(curl_easy_setopt)(c, option, value);
}

/* A pointer that we gave it is always given back. */
CURLcode
curl_easy_getinfo(CURL *c, CURLINFO info, ...)
{
	va_list ap;
	void *value;

	va_start(ap, info);
	value = va_arg(ap, void *);
	va_end(ap);
	if (info != CURLINFO_PRIVATE &&
	    fails(FAULT_CALL_OURS, "curl_easy_getinfo", CALLER))
		return CURLE_UNKNOWN_OPTION;
	return REAL(curl_easy_getinfo)(c, info, value);
}

CURLM *
curl_multi_init(void)
{
	CURLM *c;

	if (fails(FAULT_CALL_OURS, "curl_multi_init", CALLER))
		return NULL;
	c = REAL(curl_multi_init)();
	if (c != NULL && owner_of(CALLER) == OURS)
		fault->objects[MULTI]++;
	return c;
}

CURLMcode
curl_multi_cleanup(CURLM *c)
{
	if (c != NULL && owner_of(CALLER) == OURS)
		fault->objects[MULTI]--;
	return REAL(curl_multi_cleanup)(c);
}

CURLMcode
curl_multi_setopt(CURLM *c, CURLMoption option, ...)
{
	va_list ap;
	void *value;

	va_start(ap, option);
	value = va_arg(ap, void *);
	va_end(ap);
	if (fails(FAULT_CALL_OURS, "curl_multi_setopt", CALLER))
		return CURLM_OUT_OF_MEMORY;
	return REAL(curl_multi_setopt)(c, option, value);
}

CALL(CURLMcode, curl_multi_add_handle, (CURLM *m, CURL *c), (m, c),
    CURLM_OUT_OF_MEMORY)
CALL(CURLMcode, curl_multi_assign, (CURLM *m, curl_socket_t fd, void *p),
    (m, fd, p), CURLM_BAD_SOCKET)
CALL(CURLMcode, curl_multi_socket_action, (CURLM *m, curl_socket_t fd,
    int mask, int *running), (m, fd, mask, running), CURLM_OUT_OF_MEMORY)
CALL(time_t, curl_getdate, (const char *s, const time_t *unused), (s, unused),
    -1)

struct json_tokener *
json_tokener_new_ex(int depth)
{
	struct json_tokener *t;

	if (fails(FAULT_CALL_OURS, "json_tokener_new_ex", CALLER))
		return NULL;
	t = REAL(json_tokener_new_ex)(depth);
	if (t != NULL && owner_of(CALLER) == OURS)
		fault->objects[TOKENER]++;
	return t;
}

void
json_tokener_free(struct json_tokener *t)
{
	if (t != NULL && owner_of(CALLER) == OURS)
		fault->objects[TOKENER]--;
	REAL(json_tokener_free)(t);
}

CALL(struct json_object *, json_tokener_parse_ex, (struct json_tokener *t,
    const char *s, int len), (t, s, len), (uintptr_t)0)
CALL(struct json_object *, json_object_new_object, (void), (), (uintptr_t)0)
CALL(struct json_object *, json_object_new_array, (void), (), (uintptr_t)0)
CALL(struct json_object *, json_object_new_string, (const char *s), (s),
    (uintptr_t)0)
CALL(struct json_object *, json_object_new_boolean, (json_bool b), (b),
    (uintptr_t)0)
CALL(struct json_object *, json_object_new_int64, (int64_t n), (n),
    (uintptr_t)0)
CALL(int, json_object_object_add, (struct json_object *o, const char *name,
    struct json_object *value), (o, name, value), -1)
CALL(int, json_object_array_add, (struct json_object *o,
    struct json_object *value), (o, value), -1)
CALL(const char *, json_object_to_json_string_ext, (struct json_object *o,
    int flags), (o, flags), (uintptr_t)0)
CALL(const char *, json_object_to_json_string_length, (struct json_object *o,
    int flags, size_t *len), (o, flags, len), (uintptr_t)0)

void
config_init(config_t *c)
{
	if (owner_of(CALLER) == OURS)
		fault->objects[CONFIG]++;
	REAL(config_init)(c);
}

void
config_destroy(config_t *c)
{
	if (owner_of(CALLER) == OURS)
		fault->objects[CONFIG]--;
	REAL(config_destroy)(c);
}

CALL(int, config_read_string, (config_t *c, const char *s), (c, s),
    CONFIG_FALSE)

CALL(int, sodium_init, (void), (), -1)

void *
sodium_malloc(size_t size)
{
	void *p;

	if (fails(FAULT_ALLOC_OURS, "sodium_malloc", CALLER))
		return no_memory();
	p = REAL(sodium_malloc)(size);
	if (p != NULL && owner_of(CALLER) == OURS)
		fault->objects[GUARDED]++;
	return p;
}

void
sodium_free(void *p)
{
	if (p != NULL && owner_of(CALLER) == OURS)
		fault->objects[GUARDED]--;
	REAL(sodium_free)(p);
}

/*
 * Crashes
 */

/* A library that ends the process is as bad as one that crashes. */
void
exit(int status)
{
	switch (owner_of(CALLER)) {
	case OTHERS:
	case TLS:
		/* libc itself, after main(), is nobody's fault. */
		if (fault->failed > 0)
			abort();
		break;
	default:
		break;
	}
	REAL(exit)(status);
	abort();
}

int
fault_backtrace(char *text, unsigned long size)
{
	void *frames[40];
	enum owner first = NOBODY, owner;
	int i, n = backtrace(frames, ROWS(frames));
	char one[200];
	size_t len = 0;

	text[0] = '\0';
	for (i = 0; i < n; i++) {
		owner = owner_of(frames[i]);
		if (owner == NOBODY)
			continue;
		(void)describe(one, sizeof(one), frames[i]);
		/* libc only does what it is told. */
		if (first == NOBODY && strstr(one, "libc.so") == NULL)
			first = owner;
		if (len + strlen(one) + 4 < size)
			len += (size_t)sprintf(text + len, "%s%s",
			    len > 0 ? " < " : "", one);
	}
	return first == OURS;
}

/*
 * Where no test speaks to it
 */

static uint32_t
number(const char *name)
{
	const char *s = getenv(name);

	return s != NULL ? (uint32_t)strtoul(s, NULL, 10) : 0;
}

static void
map_control(const char *path)
{
	void *p;
	int fd;

	fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
	p = fd < 0 ? MAP_FAILED : REAL(mmap)(NULL, sizeof(here),
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		fault = p;
	if (fd >= 0)
		(void)REAL(close)(fd);
}

__attribute__((__constructor__)) static void
begin(void)
{
	const char *control = getenv("FAULT_CONTROL");
	const char *is = getenv("FAULT_MAIN");

	if (is != NULL)
		program = strcmp(is, "host") == 0 ? HOST : OURS;
	if (control != NULL) {
		map_control(control);
		return;
	}
	fault->kinds = number("FAULT_KINDS");
	fault->at = number("FAULT_AT");
	fault->how = number("FAULT_HOW");
	fault->lasting = number("FAULT_LASTING");
	fault->armed = fault->kinds != 0;
}

__attribute__((__destructor__)) static void
end(void)
{
	const char *path = getenv("FAULT_COUNT");
	int fd;

	fault->armed = 0;
	fd = path != NULL ? REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return;
	(void)dprintf(fd, "%u %u %s %s\n", fault->count, fault->failed,
	    fault->what, fault->where);
	(void)REAL(close)(fd);
}
