/* SPDX-License-Identifier: MIT */

/*
 * What every unit test needs: cmocka, whose headers want an order, and tables
 * that tell of all their wrong rows before they fail.
 */

#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

/* Count a row that is not as expected, and tell which; then end_rows(). */
#define ROW(good, ...) do {						\
	if (!(good)) {							\
		print_error("wrong row: " __VA_ARGS__);			\
		print_error("\n");					\
		unit_wrong++;						\
	}								\
} while (0)

static int unit_wrong;

static inline void
end_rows(void)
{
	int wrong = unit_wrong;

	unit_wrong = 0;
	assert_int_equal(wrong, 0);
}

/* A copy that ends where the bytes end, so that a read beyond is seen. */
static inline void *
exact(const void *bytes, size_t len)
{
	void *p = malloc(len > 0 ? len : 1);

	assert_non_null(p);
	if (len > 0)
		memcpy(p, bytes, len);
	return p;
}

/* n times that byte, and a NUL. */
static inline char *
many(char c, size_t n)
{
	char *s = malloc(n + 1);

	assert_non_null(s);
	memset(s, c, n);
	s[n] = '\0';
	return s;
}

#define CONTAINS(text, part) do {					\
	if (strstr((text), (part)) == NULL)				\
		fail_msg("\"%s\" does not contain \"%s\"", (text),	\
		    (part));						\
} while (0)

#endif
