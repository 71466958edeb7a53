/* SPDX-License-Identifier: MIT */

/* Log lines for the host's function.  See log.h. */

#define _GNU_SOURCE
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#include "banned.h"

void
mn_log_init(struct mn_log *log)
{
	(void)pthread_mutex_init(&log->lock, NULL);
	log->level = -1;
	log->fn = NULL;
	log->data = NULL;
}

void
mn_log_free(struct mn_log *log)
{
	(void)pthread_mutex_destroy(&log->lock);
}

void
mn_log_set(struct mn_log *log, int level, monime_log_fn *fn, void *data)
{
	/* Whoever is inside the former function is waited for. */
	(void)pthread_mutex_lock(&log->lock);
	__atomic_store_n(&log->level, fn != NULL ? level : -1,
	    __ATOMIC_RELAXED);
	log->fn = fn;
	log->data = data;
	(void)pthread_mutex_unlock(&log->lock);
}

void
mn_log_write(struct mn_log *log, int level, const char *fmt, ...)
{
	struct mn_text line = MN_TEXT_INIT(MN_LOG_MAX);
	char raw[MN_LOG_MAX + 1];
	va_list ap;

	if (!mn_log_wanted(log, level))
		return;
	va_start(ap, fmt);
	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		raw[0] = '\0';
	va_end(ap);
	mn_text_escape(&line, raw, strlen(raw));
	(void)pthread_mutex_lock(&log->lock);
	if (log->fn != NULL && level <= log->level && line.len > 0)
		log->fn(log->data, level, mn_text_get(&line));
	(void)pthread_mutex_unlock(&log->lock);
	mn_text_free(&line);
}

void
mn_log_lines(struct mn_log *log, int level, const char *before,
    const char *lines)
{
	size_t n;

	for (; *lines != '\0'; lines += n) {
		n = strcspn(lines, "\n");
		mn_log_write(log, level, "%s%.*s", before, (int)n, lines);
		n += lines[n] == '\n';
	}
}
