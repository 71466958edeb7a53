/* SPDX-License-Identifier: MIT */

/* How often something secret stands in the memory of this process. */

#ifndef COPIES_H
#define COPIES_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPIES_BLOCK	65536
#define COPIES_MASK	0x55	/* what is sought is itself no copy */

/*
 * Valgrind takes minutes to read it all, and a sanitizer has mappings of
 * terabytes.
 */
static inline bool
copies_unknown(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#else
	return getenv("VALGRIND") != NULL;
#endif
}

static inline void
copies_mask(char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		s[i] ^= COPIES_MASK;
}

static inline int
copies_in(const char *block, size_t size, const char *masked, size_t len)
{
	int n = 0;
	size_t i, k;

	for (i = 0; i + len <= size; i++) {
		for (k = 0; k < len; k++) {
			if ((block[i + k] ^ COPIES_MASK) != masked[k])
				break;
		}
		n += k == len;
	}
	return n;
}

/*
 * Beside files and the stack.  It is read from outside, since what has been
 * freed is not to be touched.  masked: what went through copies_mask().
 */
static inline int
copies(const char *masked, size_t len)
{
	char block[COPIES_BLOCK];
	unsigned long from, to;
	char line[512], mode[8];
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), found = 0;
	FILE *f = fopen("/proc/self/maps", "re");
	ssize_t n;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 ||
		    mode[1] != 'w' || strchr(line, '/') != NULL ||
		    strstr(line, "[stack") != NULL)
			continue;
		/* Blocks overlap, so that none is cut. */
		for (; from < to; from += (unsigned long)n - (len - 1)) {
			n = pread(fd, block, sizeof(block) < to - from ?
			    sizeof(block) : to - from, (off_t)from);
			if (n < (ssize_t)len)
				break;
			found += copies_in(block, (size_t)n, masked, len);
			if ((size_t)n < sizeof(block))
				break;
		}
	}
	if (f != NULL)
		(void)fclose(f);
	if (fd >= 0)
		(void)close(fd);
	return found;
}

#endif
