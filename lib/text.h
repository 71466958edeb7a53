/* SPDX-License-Identifier: MIT */

/*
 * Text with limits: buffers that are given their largest size at birth, and
 * the small grammars that files, arguments and headers share.
 */

#ifndef MN_TEXT_H
#define MN_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A growing buffer.  Once it would pass its limit, or memory is short, it
 * keeps what it has and is failed; nobody needs to look before the end.  It is
 * wiped whenever it moves or goes.
 */
struct mn_text {
	char *s;		/* NUL-terminated, or NULL while empty */
	size_t len;
	size_t size;
	size_t max;		/* the most bytes, without the NUL */
	bool failed;
};

#define MN_TEXT_INIT(limit)	{ .max = (limit) }

void mn_text_put(struct mn_text *t, const void *bytes, size_t len);

/* A string and its NUL, which counts. */
void mn_text_put_string(struct mn_text *t, const char *s);

/* Append len bytes that the caller is to fill in; NULL: they do not fit. */
char *mn_text_grow(struct mn_text *t, size_t len);

/* So many bytes are expected: get memory once for them all. */
void mn_text_expect(struct mn_text *t, size_t len);
void mn_text_add(struct mn_text *t, const char *fmt, ...)
    __attribute__((__format__(__printf__, 2, 3)));
void mn_text_vadd(struct mn_text *t, const char *fmt, va_list ap)
    __attribute__((__format__(__printf__, 2, 0)));

/* Append bytes that nobody vouches for: what is not printable is \xNN. */
void mn_text_escape(struct mn_text *t, const char *s, size_t len);

/*
 * Append what others said: as it is where it is UTF-8 that neither commands a
 * terminal nor reads otherwise than it stands, or one of those bytes; else as
 * \xNN.
 */
void mn_text_show(struct mn_text *t, const char *s, size_t len,
    const char *also);

/* Is it UTF-8 as RFC 3629 has it: no long forms, no half characters? */
bool mn_text_utf8(const char *s, size_t len);

/* What stands in it; never NULL. */
const char *mn_text_get(const struct mn_text *t);

void mn_text_free(struct mn_text *t);

/* The same text, or both NULL. */
bool mn_text_same(const char *a, const char *b);

/*
 * Are at most the first len bytes the same, the case of A-Z apart?  Unlike
 * strncasecmp(), whatever the host's locale: a Turkish one parts I from i.
 */
bool mn_text_alike(const char *a, const char *b, size_t len);

/* All bytes in 0x21..0x7e; in 0x20..0x7e.  True for no bytes. */
bool mn_text_visible(const char *s, size_t len);
bool mn_text_printable(const char *s, size_t len);

/* All bytes in the set, and between min and max of them. */
bool mn_text_made_of(const char *s, size_t len, const char *set, size_t min,
    size_t max);

/* Decimal digits alone, no sign, at most max. */
bool mn_text_number(const char *s, size_t len, uint64_t max, uint64_t *n);

/* "500 ms", "30 s", "5 min", "1 h", "1 d"; in milliseconds. */
bool mn_text_duration(const char *s, int64_t *ms);

/* "512 B", "64 KiB", "8 MiB"; in bytes. */
bool mn_text_size(const char *s, int64_t *bytes);

/* "YYYY-MM-DD" as days since 1970-01-01. */
bool mn_text_date(const char *s, int64_t *day);

#define MN_TEXT_DIGIT	"0123456789"
#define MN_TEXT_LOWER	"abcdefghijklmnopqrstuvwxyz"
#define MN_TEXT_UPPER	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define MN_TEXT_ALNUM	MN_TEXT_LOWER MN_TEXT_UPPER MN_TEXT_DIGIT

#endif
