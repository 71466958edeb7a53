/* SPDX-License-Identifier: MIT */

/* Error texts, and the fixed phrases and statuses of the result codes. */

#define _GNU_SOURCE
#include "error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "banned.h"

static const struct {
	int code;
	int status;
	const char *phrase;
} codes[] = {
	{ MONIME_OK, 200, "success" },
	{ MONIME_EDENIED, 401, "the API does not accept this token" },
	{ MONIME_EFORBIDDEN, 403, "the token is valid, but not for this" },
	{ MONIME_EENVIRONMENT, 401,
	    "the token belongs to another environment" },
	{ MONIME_EPOLICY, 403, "our own profile forbids it" },
	{ MONIME_ELIMIT, 503, "the API's rate limit is reached" },
	{ MONIME_EHTTP, 503, "the API answered with an error" },
	{ MONIME_ENET, 503, "no connection to the API; nothing was sent" },
	{ MONIME_ELOST, 503, "no complete answer: the outcome is unknown" },
	{ MONIME_EPROTO, 503, "the API's answer breaks its promises" },
	{ MONIME_EINVAL, 500, "an argument is not valid" },
	{ MONIME_ECONFIG, 500, "a configuration file is missing or wrong" },
	{ MONIME_EUNSAFE, 500, "a file is not safe to read" },
	{ MONIME_ENOMEM, 500, "out of memory" },
	{ MONIME_ESYS, 500, "the system refused what is needed" },
	{ MONIME_EPENDING, 500, "the call has not finished" },
	{ MONIME_ECANCELED, 503, "the call was canceled" },
};

const char *
monime_strerror(int code)
{
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == code)
			return codes[i].phrase;
	}
	return "an unknown failure";
}

int
monime_http_status(int code)
{
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == code)
			return codes[i].status;
	}
	return 500;
}

/*
 * The bytes of the UTF-8 character at s (RFC 3629 3), or 0: none that may
 * stand in a line.  C1 controls, U+2028, U+2029 and what turns the direction
 * of writing can make a line look like another.
 */
static size_t
utf8(const char *s, size_t len)
{
	static const struct {
		uint32_t low;
		uint32_t high;
	} wrong[] = {
		{ 0x80, 0x9f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
		{ 0xd800, 0xdfff }, { 0x110000, UINT32_MAX }
	};
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s[0];
	size_t n, i;
	uint32_t code;

	n = c >= 0xf8 ? 0 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
	if (n == 0 || n > len)
		return 0;
	code = c & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		c = (unsigned char)s[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c & 0x3f);
	}
	if (code < least[n])
		return 0;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (code >= wrong[i].low && code <= wrong[i].high)
			return 0;
	}
	return n;
}

int
mn_error_add(struct mn_error *e, int code, const char *fmt, ...)
{
	char line[MN_ERROR_LINE + 1];
	size_t len, i, n;
	va_list ap;
	int want;

	va_start(ap, fmt);
	want = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	len = want < 0 ? 0 : strlen(line);
	if (e->text.len > 0)
		mn_text_put(&e->text, "\n", 1);
	for (i = 0; i < len; i += n) {
		n = utf8(line + i, len - i);
		if (n > 0) {			/* in a path */
			mn_text_put(&e->text, line + i, n);
		} else {
			n = 1;
			mn_text_escape(&e->text, line + i, n);
		}
	}
	if (want > MN_ERROR_LINE)
		mn_text_put(&e->text, "...", 3);
	return code;
}

const char *
mn_error_get(const struct mn_error *e)
{
	return mn_text_get(&e->text);
}

void
mn_error_free(struct mn_error *e)
{
	mn_text_free(&e->text);
}
