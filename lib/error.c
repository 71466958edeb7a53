/* SPDX-License-Identifier: MIT */

/* Error texts, and the fixed phrases and statuses of the result codes. */

#define _GNU_SOURCE
#include "error.h"

#include <stdarg.h>
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

int
mn_error_add(struct mn_error *e, int code, const char *fmt, ...)
{
	char line[MN_ERROR_LINE + 1];
	size_t len;
	va_list ap;
	int want;

	va_start(ap, fmt);
	want = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	len = want < 0 ? 0 : strlen(line);
	if (e->text.len > 0)
		mn_text_put(&e->text, "\n", 1);
	mn_text_show(&e->text, line, len, "");
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
