/* SPDX-License-Identifier: MIT */

/* Bounded text buffers and the small grammars.  See text.h. */

#define _GNU_SOURCE
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "banned.h"

/* Make room for len more bytes and a NUL.  realloc() would leave a copy. */
static bool
reserve(struct mn_text *t, size_t len)
{
	size_t need, size;
	char *s;

	if (t->failed || len > t->max - t->len) {
		t->failed = true;
		return false;
	}
	need = t->len + len + 1;
	if (need <= t->size)
		return true;
	size = t->size ? t->size : 64;
	while (size < need)
		size *= 2;
	s = malloc(size);
	if (s == NULL) {
		t->failed = true;
		return false;
	}
	if (t->s != NULL) {
		memcpy(s, t->s, t->len);
		explicit_bzero(t->s, t->size);
		free(t->s);
	}
	s[t->len] = '\0';
	t->s = s;
	t->size = size;
	return true;
}

char *
mn_text_grow(struct mn_text *t, size_t len)
{
	char *s;

	if (!reserve(t, len))
		return NULL;
	s = t->s + t->len;
	t->len += len;
	t->s[t->len] = '\0';
	return s;
}

void
mn_text_put(struct mn_text *t, const void *bytes, size_t len)
{
	char *s = mn_text_grow(t, len);

	if (s != NULL && len > 0)
		memcpy(s, bytes, len);
}

void
mn_text_put_string(struct mn_text *t, const char *s)
{
	mn_text_put(t, s, strlen(s) + 1);
}

void
mn_text_expect(struct mn_text *t, size_t len)
{
	(void)reserve(t, len);
}

void
mn_text_vadd(struct mn_text *t, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	int len;

	/* Most texts fit into what is there: to print once is enough. */
	if (!reserve(t, 0))
		return;
	room = t->size - t->len;
	va_copy(again, ap);
	len = vsnprintf(t->s + t->len, room, fmt, again);
	va_end(again);
	if (len >= 0 && (size_t)len < room && (size_t)len <= t->max - t->len) {
		t->len += (size_t)len;
		return;
	}
	t->s[t->len] = '\0';
	if (len < 0 || !reserve(t, (size_t)len)) {
		t->failed = true;
		return;
	}
	(void)vsnprintf(t->s + t->len, t->size - t->len, fmt, ap);
	t->len += (size_t)len;
}

void
mn_text_add(struct mn_text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	mn_text_vadd(t, fmt, ap);
	va_end(ap);
}

void
mn_text_escape(struct mn_text *t, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (mn_text_printable(s + i, 1))
			mn_text_put(t, s + i, 1);
		else
			mn_text_add(t, "\\x%02x", (unsigned char)s[i]);
	}
}

/* Lead bytes of UTF-8 (RFC 3629) and the least that so many may encode. */
static const struct {
	unsigned char mask;
	unsigned char lead;
	uint32_t least;
} forms[] = {
	{ 0x80, 0x00, 0x0 },
	{ 0xe0, 0xc0, 0x80 },
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};

#define FORMS	(sizeof(forms) / sizeof(forms[0]))

/* What commands a terminal, or makes text read otherwise than it stands. */
static const struct {
	uint32_t first;
	uint32_t last;
} harmful[] = {
	{ 0x00, 0x1f },		/* C0 */
	{ 0x7f, 0x9f },		/* DEL and C1 */
	{ 0x061c, 0x061c },	/* directions (Unicode UAX 9) */
	{ 0x200e, 0x200f },
	{ 0x2028, 0x202e },	/* line ends and directions */
	{ 0x2066, 0x2069 },
	{ 0xfeff, 0xfeff },
};

/* The bytes of the character at s and its number, or 0 where it is broken. */
static size_t
decode(const char *s, size_t left, uint32_t *out)
{
	unsigned char lead = (unsigned char)s[0];
	uint32_t c;
	size_t i, n;

	for (n = 0; n < FORMS; n++) {
		if ((lead & forms[n].mask) == forms[n].lead)
			break;
	}
	if (n == FORMS || n >= left)
		return 0;
	c = lead & (unsigned char)~forms[n].mask;
	for (i = 1; i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < forms[n].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return n + 1;
}

bool
mn_text_utf8(const char *s, size_t len)
{
	uint32_t c;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = decode(s + i, len - i, &c);
		if (n == 0)
			return false;
	}
	return true;
}

/* The bytes of the character at s, or 0 where it is broken or harmful. */
static size_t
character(const char *s, size_t left)
{
	uint32_t c;
	size_t i, n;

	n = decode(s, left, &c);
	for (i = 0; n > 0 && i < sizeof(harmful) / sizeof(harmful[0]); i++) {
		if (c >= harmful[i].first && c <= harmful[i].last)
			return 0;
	}
	return n;
}

void
mn_text_show(struct mn_text *t, const char *s, size_t len, const char *also)
{
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = character(s + i, len - i);
		if (n == 0 && s[i] != '\0' && strchr(also, s[i]) != NULL)
			n = 1;
		if (n > 0) {
			mn_text_put(t, s + i, n);
			continue;
		}
		n = 1;
		mn_text_escape(t, s + i, n);
	}
}

const char *
mn_text_get(const struct mn_text *t)
{
	return t->s != NULL ? t->s : "";
}

void
mn_text_free(struct mn_text *t)
{
	if (t->s != NULL) {
		explicit_bzero(t->s, t->size);
		free(t->s);
	}
	t->s = NULL;
	t->len = t->size = 0;
	t->failed = false;
}

bool
mn_text_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static unsigned char
lower(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 'A' && u <= 'Z' ? u | 0x20 : u;
}

bool
mn_text_alike(const char *a, const char *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
		if (a[i] == '\0')
			break;
	}
	return true;
}

#define EACH(byte)	(UINT64_C(0x0101010101010101) * (byte))

/* low is above 0 and high below 0x80: eight bytes at once, none carries. */
static bool
within(const char *s, size_t len, unsigned char low, unsigned char high)
{
	uint64_t w, wrong = 0;
	unsigned char c;

	for (; len >= sizeof(w); s += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, s, sizeof(w));
		wrong |= w | (w + EACH(0x7fu - high)) |
		    ~(w + EACH(0x80u - low));
	}
	if (wrong & EACH(0x80u))
		return false;
	for (; len > 0; s++, len--) {
		c = (unsigned char)*s;
		if (c < low || c > high)
			return false;
	}
	return true;
}

bool
mn_text_visible(const char *s, size_t len)
{
	return within(s, len, 0x21, 0x7e);
}

bool
mn_text_printable(const char *s, size_t len)
{
	return within(s, len, 0x20, 0x7e);
}

bool
mn_text_made_of(const char *s, size_t len, const char *set, size_t min,
    size_t max)
{
	uint64_t in[4] = { 0 };		/* a bit for each byte */
	unsigned char c;
	size_t i;

	if (len < min || len > max)
		return false;
	for (; *set != '\0'; set++) {
		c = (unsigned char)*set;
		in[c / 64] |= UINT64_C(1) << c % 64;
	}
	for (i = 0; i < len; i++) {
		c = (unsigned char)s[i];
		if ((in[c / 64] & UINT64_C(1) << c % 64) == 0)
			return false;
	}
	return true;
}

bool
mn_text_number(const char *s, size_t len, uint64_t max, uint64_t *n)
{
	uint64_t value = 0;
	unsigned int digit;
	size_t i;

	if (len == 0)
		return false;
	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		digit = (unsigned int)(s[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*n = value;
	return true;
}

struct unit {
	const char *name;
	int64_t factor;
};

/* A number, white space or none, and a unit. */
static bool
quantity(const char *s, const struct unit *units, int64_t *out)
{
	const struct unit *u;
	const char *name;
	size_t digits;
	uint64_t n;

	digits = strspn(s, MN_TEXT_DIGIT);
	name = s + digits + strspn(s + digits, " ");
	for (u = units; u->name != NULL; u++) {
		if (strcmp(name, u->name) != 0)
			continue;
		if (!mn_text_number(s, digits,
		    (uint64_t)(INT64_MAX / u->factor), &n))
			return false;
		*out = (int64_t)n * u->factor;
		return true;
	}
	return false;
}

bool
mn_text_duration(const char *s, int64_t *ms)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "min", 60000 },
		{ "h", 3600000 }, { "d", 86400000 }, { NULL, 0 }
	};

	return quantity(s, units, ms);
}

bool
mn_text_size(const char *s, int64_t *bytes)
{
	static const struct unit units[] = {
		{ "B", 1 }, { "KiB", 1024 }, { "MiB", 1048576 }, { NULL, 0 }
	};

	return quantity(s, units, bytes);
}

bool
mn_text_date(const char *s, int64_t *day)
{
	uint64_t year, month, mday;
	struct tm tm = { 0 };
	time_t t;

	if (strlen(s) != 10 || s[4] != '-' || s[7] != '-' ||
	    !mn_text_number(s, 4, 9999, &year) ||
	    !mn_text_number(s + 5, 2, 12, &month) ||
	    !mn_text_number(s + 8, 2, 31, &mday))
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)mday;
	t = timegm(&tm);
	/* timegm() turns the 31st of February into a day of March. */
	if (tm.tm_mon != (int)month - 1 || tm.tm_mday != (int)mday)
		return false;
	*day = t / 86400;
	return year >= 1970;
}
