/* SPDX-License-Identifier: MIT */

/* The status location of a web server.  See status.h. */

#define _GNU_SOURCE
#include "status.h"

#include <monime.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the counters may have grown by between two looks, in bytes. */
#define GROWTH	1024

static const struct mn_status answers[] = {
	{ "openmetrics",
	    "application/openmetrics-text; version=1.0.0; charset=utf-8" },
	{ "html", "text/html; charset=utf-8" },
};

/* RFC 9110 12.4.2: a weight of 0 means "not acceptable". */
static bool
is_refused(const char *parameters, size_t len)
{
	static const char *const zero[] = {
		"q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"
	};
	char bare[16] = "";
	const char *p;
	size_t i, n = 0;

	/* A weight comes last, perhaps with white space around it. */
	for (p = parameters + len; p > parameters && p[-1] != ';'; p--)
		continue;
	for (; p < parameters + len && n < sizeof(bare) - 1; p++) {
		if (*p != ' ' && *p != '\t')
			bare[n++] = *p;
	}
	for (i = 0; i < sizeof(zero) / sizeof(zero[0]); i++) {
		if (strcasecmp(bare, zero[i]) == 0)
			return true;
	}
	return false;
}

bool
mn_status_for_people(const char *accept, size_t len)
{
	static const char type[] = "text/html";
	const size_t n = sizeof(type) - 1;
	const char *end, *range;
	size_t left;

	while (len > 0) {
		end = memchr(accept, ',', len);
		left = end != NULL ? (size_t)(end - accept) : len;
		range = accept;
		accept += left;
		len -= left;
		if (len > 0) {			/* the comma */
			accept++;
			len--;
		}
		while (left > 0 && (*range == ' ' || *range == '\t')) {
			range++;
			left--;
		}
		if (left < n || strncasecmp(range, type, n) != 0 ||
		    (left > n && strchr(" \t;", range[n]) == NULL))
			continue;
		if (!is_refused(range + n, left - n))
			return true;
	}
	return false;
}

const struct mn_status *
mn_status_choose(bool people)
{
	return &answers[people];
}

char *
mn_status_text(const struct mn_status *s, struct monime *const *m, size_t n,
    size_t *len)
{
	size_t size = monime_metrics(m, n, s->format, NULL, 0);
	char *text, *more;

	*len = 0;
	for (text = NULL; ; text = more) {
		size += GROWTH;
		more = realloc(text, size);
		if (more == NULL)
			break;
		*len = monime_metrics(m, n, s->format, more, size);
		if (*len > 0 && *len < size)
			return more;
		/* Nothing at all is want of memory, too. */
		if (*len == 0) {
			text = more;
			break;
		}
		size = *len;
	}
	free(text);
	*len = 0;
	return NULL;
}
