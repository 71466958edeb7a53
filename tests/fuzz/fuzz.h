/* SPDX-License-Identifier: MIT */

/*
 * What every fuzzer needs: bytes to take apart, and a word for what must hold
 * whatever they are.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's own names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What a target that cannot run here exits with. */
#define FUZZ_SKIP	5

#define MUST(condition, ...) do {					\
	if (!(condition)) {						\
		(void)fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);	\
		(void)fprintf(stderr, __VA_ARGS__);			\
		(void)fputc('\n', stderr);				\
		abort();						\
	}								\
} while (0)

struct input {
	const uint8_t *p;
	size_t left;
};

/* A copy that ends where the bytes end, so that a read beyond is seen. */
static inline char *
copy_exactly(const void *bytes, size_t len)
{
	char *p = malloc(len > 0 ? len : 1);

	MUST(p != NULL, "out of memory");
	if (len > 0)
		memcpy(p, bytes, len);
	return p;
}

/* One byte; 0 where there is none left. */
static inline unsigned int
input_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

/* All up to a NUL, or all that is left, as a string of its own. */
static inline char *
input_string(struct input *in)
{
	const uint8_t *end = memchr(in->p, '\0', in->left);
	size_t len = end != NULL ? (size_t)(end - in->p) : in->left;
	char *s = malloc(len + 1);

	MUST(s != NULL, "out of memory");
	if (len > 0)
		memcpy(s, in->p, len);
	s[len] = '\0';
	len += end != NULL;
	in->p += len;
	in->left -= len;
	return s;
}

/* All that is left, to the byte. */
static inline char *
input_rest(struct input *in, size_t *len)
{
	char *s = copy_exactly(in->p, in->left);

	*len = in->left;
	in->p += in->left;
	in->left = 0;
	return s;
}

#endif
