/* SPDX-License-Identifier: MIT */

/* The scanner of settings files.  See scan.h. */

#define _GNU_SOURCE
#include "scan.h"

#include <string.h>

#include "banned.h"

#define NAME_START	MN_TEXT_LOWER MN_TEXT_UPPER "*"
#define NAME_MORE	MN_TEXT_ALNUM "*_-"
#define NUMBER_START	MN_TEXT_DIGIT "+-."
#define NUMBER_MORE	MN_TEXT_ALNUM "+-."

/* What takes a value's place: its offset, and in the last bit what it was. */
static void
put_literal(struct mn_text *out, size_t offset, bool number)
{
	mn_text_add(out, " %zu ", 2 * offset + number);
}

struct scanner {
	const char *path;
	char *s;		/* ends in a NUL */
	size_t len;
	size_t i;
	size_t depth;
	struct mn_text *out;
	struct mn_error *e;
};

int
mn_scan_line(const char *s, size_t offset)
{
	int line = 1;
	size_t i;

	for (i = 0; i < offset; i++)
		line += s[i] == '\n';
	return line;
}

static int
broken(struct scanner *sc, size_t at, const char *what)
{
	return mn_error_add(sc->e, MONIME_ECONFIG, "%s:%d: %s", sc->path,
	    mn_scan_line(sc->s, at), what);
}

static bool
is_in(const char *set, char c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Decode a string where it stands, and leave its offset behind. */
static int
scan_string(struct scanner *sc)
{
	size_t from = sc->i + 1, to = from, i = from;
	char *s = sc->s;

	for (; s[i] != '"'; i++) {
		if (i == sc->len || s[i] == '\n')
			return broken(sc, sc->i,
			    "a string must end on the line where it begins");
		if (s[i] == '\\' && s[++i] != '"' && s[i] != '\\')
			return broken(sc, sc->i,
			    "in a string, \\ can only precede \" or \\");
		s[to++] = s[i];
	}
	s[to] = '\0';
	sc->i = i + 1;
	put_literal(sc->out, from, false);
	return MONIME_OK;
}

static int
scan_number(struct scanner *sc)
{
	put_literal(sc->out, sc->i, true);
	sc->i += strspn(sc->s + sc->i, NUMBER_MORE);
	return MONIME_OK;
}

/* A key, true or false.  A secret without its quotes is longer. */
static int
scan_name(struct scanner *sc)
{
	size_t len = strspn(sc->s + sc->i, NAME_MORE);

	if (len > MN_SCAN_NAME)
		return broken(sc, sc->i,
		    "text that is neither a key nor in quotes");
	mn_text_put(sc->out, sc->s + sc->i, len);
	sc->i += len;
	return MONIME_OK;
}

static int
scan_line_comment(struct scanner *sc)
{
	sc->i += strcspn(sc->s + sc->i, "\n");
	return MONIME_OK;
}

static int
scan_block_comment(struct scanner *sc)
{
	const char *end = strstr(sc->s + sc->i + 2, "*/");

	if (end == NULL)
		return broken(sc, sc->i, "a comment without its end");
	mn_text_put(sc->out, " ", 1);
	for (; sc->s + sc->i < end; sc->i++) {
		if (sc->s[sc->i] == '\n')
			mn_text_put(sc->out, "\n", 1);
	}
	sc->i += 2;
	return MONIME_OK;
}

static int
scan_other(struct scanner *sc)
{
	char c = sc->s[sc->i];

	if (c == '@')
		return broken(sc, sc->i, "@include is not supported: "
		    "what a file says must stand in it");
	if (is_in("{[(", c) && ++sc->depth > MN_SCAN_DEPTH)
		return broken(sc, sc->i, "brackets are nested too deeply");
	if (is_in("}])", c) && sc->depth > 0)
		sc->depth--;
	mn_text_put(sc->out, &c, 1);
	sc->i++;
	return MONIME_OK;
}

static int
scan_next(struct scanner *sc)
{
	const char *s = sc->s + sc->i;

	if (s[0] == '"')
		return scan_string(sc);
	if (s[0] == '#' || (s[0] == '/' && s[1] == '/'))
		return scan_line_comment(sc);
	if (s[0] == '/' && s[1] == '*')
		return scan_block_comment(sc);
	if (is_in(NAME_START, s[0]))
		return scan_name(sc);
	if (is_in(NUMBER_START, s[0]))
		return scan_number(sc);
	return scan_other(sc);
}

int
mn_scan(const char *path, char *s, size_t len, struct mn_text *out,
    struct mn_error *e)
{
	struct scanner sc = {
		.path = path, .s = s, .len = len, .out = out, .e = e
	};
	const char *nul = memchr(s, '\0', len);
	int r = MONIME_OK;

	if (len > MN_SCAN_MAX)
		return mn_error_add(e, MONIME_ECONFIG, "%s: too large", path);
	if (nul != NULL)
		return broken(&sc, (size_t)(nul - s), "a NUL byte");
	while (r == MONIME_OK && sc.i < len)
		r = scan_next(&sc);
	if (r == MONIME_OK && out->failed)
		return MONIME_ENOMEM;
	return r;
}

bool
mn_scan_literal(const char *s, size_t len, int placeholder,
    struct mn_literal *l)
{
	if (placeholder < 0 || (size_t)placeholder / 2 >= len)
		return false;
	l->offset = (size_t)placeholder / 2;
	l->number = placeholder % 2 != 0;
	l->s = s + l->offset;
	l->len = l->number ? strspn(l->s, NUMBER_MORE) : strlen(l->s);
	return true;
}
