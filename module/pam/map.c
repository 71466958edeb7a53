/* SPDX-License-Identifier: MIT */

/*
 * Reading the map: lines of "user:fingerprint[,fingerprint...]", with empty
 * ones, and comments behind a # that begins a line or follows a blank.
 */

#define _GNU_SOURCE
#include "map.h"

#include <string.h>

#include "safefile.h"
#include "text.h"

#include "banned.h"

#define FINGERPRINT	(MONIME_FINGERPRINT_SIZE - 1)
#define HEX		MN_TEXT_DIGIT "abcdef"

struct search {
	const char *path;
	const char *user;
	size_t len;		/* of user */
	const char *fingerprint;
	struct mn_error *e;
	int line;
	int result;
	unsigned int user_found;
	unsigned int token_found;
};

static void
wrong(struct search *s, const char *what)
{
	s->result = mn_error_add(s->e, MONIME_ECONFIG, "%s:%d: %s", s->path,
	    s->line, what);
}

/* Up to the comment, without the blanks at the end. */
static size_t
without_comment(const char *line, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' ||
		    line[i - 1] == '\t'))
			break;
	}
	while (i > 0 && (line[i - 1] == ' ' || line[i - 1] == '\t'))
		i--;
	return i;
}

static bool
is_user(const char *s, size_t len)
{
	return len > 0 && mn_text_visible(s, len) &&
	    memchr(s, ',', len) == NULL;
}

/* Neither of these branches on what is the same. */
static unsigned int
is_mine(const struct search *s, const char *user, size_t len)
{
	unsigned int same, as_long;

	as_long = len == s->len;
	same = mn_secret_equal(user, s->user, len < s->len ? len : s->len);
	return as_long & same;
}

static void
compare(struct search *s, unsigned int mine, const char *fingerprint)
{
	unsigned int same;

	same = mn_secret_equal(fingerprint, s->fingerprint, FINGERPRINT);
	s->token_found |= mine & same;
}

static void
read_fingerprints(struct search *s, unsigned int mine, const char *list,
    size_t len)
{
	const char *end = list + len;

	for (;;) {
		if ((size_t)(end - list) < FINGERPRINT ||
		    !mn_text_made_of(list, FINGERPRINT, HEX, FINGERPRINT,
		    FINGERPRINT)) {
			wrong(s, "a fingerprint is 32 digits of 0-9 and a-f, "
			    "as monime fingerprint prints it");
			return;
		}
		compare(s, mine, list);
		list += FINGERPRINT;
		if (list == end)
			return;
		if (*list++ != ',') {
			wrong(s, "fingerprints are separated by a comma, "
			    "without a blank");
			return;
		}
	}
}

static void
read_line(struct search *s, const char *line, size_t len)
{
	const char *colon;
	unsigned int mine;
	size_t users;

	len = without_comment(line, len);
	if (len == 0)
		return;
	if (line[len - 1] == '\r') {
		wrong(s, "a carriage return; lines end in a newline alone");
		return;
	}
	colon = memchr(line, ':', len);
	users = colon != NULL ? (size_t)(colon - line) : 0;
	if (!is_user(line, users)) {
		wrong(s, "a line is \"user:fingerprint[,fingerprint...]\"");
		return;
	}
	mine = is_mine(s, line, users);
	s->user_found |= mine;
	read_fingerprints(s, mine, colon + 1, len - users - 1);
}

static void
read_lines(struct search *s, const char *text, size_t len)
{
	const char *end;
	size_t n;

	for (s->line = 1; len > 0; s->line++) {
		end = memchr(text, '\n', len);
		n = end != NULL ? (size_t)(end - text) : len;
		read_line(s, text, n);
		n += end != NULL;
		text += n;
		len -= n;
	}
}

int
mn_map_find(const char *path, const char *user, const char *fingerprint,
    struct mn_map_found *found, struct mn_error *e)
{
	/* It says who gets in, so it is root's even for test; no secret. */
	const struct mn_safefile_rule rule = { .max = MN_SAFEFILE_MAX };
	struct search s = {
		.path = path,
		.user = user,
		.len = strlen(user),
		.fingerprint = fingerprint,
		.e = e,
		.result = MONIME_OK
	};
	struct mn_secret *text;
	int r;

	found->user = found->token = false;
	r = mn_safefile_read(path, &rule, &text, NULL, NULL, e);
	if (r != MONIME_OK)
		return r;
	read_lines(&s, mn_secret_get(text), mn_secret_len(text));
	mn_secret_free(text);
	if (s.result != MONIME_OK)
		return s.result;
	found->user = s.user_found != 0;
	found->token = s.token_found != 0;
	return MONIME_OK;
}
