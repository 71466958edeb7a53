/* SPDX-License-Identifier: MIT */

/* The log that a host may ask for.  Levels are syslog(3)'s. */

#ifndef MN_LOG_H
#define MN_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <syslog.h>

#include "abi.h"

/* The most bytes of a line; what is longer is cut. */
#define MN_LOG_MAX	1024

struct mn_log {
	pthread_mutex_t lock;
	int level;
	monime_log_fn *fn;
	void *data;
};

void mn_log_init(struct mn_log *log);
void mn_log_free(struct mn_log *log);
void mn_log_set(struct mn_log *log, int level, monime_log_fn *fn, void *data);

/* Silence, the default, costs one comparison. */
static inline bool
mn_log_wanted(const struct mn_log *log, int level)
{
	return level <= __atomic_load_n(&log->level, __ATOMIC_RELAXED);
}

/* Control characters become \xNN.  Nothing secret is ever an argument. */
void mn_log_write(struct mn_log *log, int level, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

/* Each line of a text, as those of struct mn_error, behind the same words. */
void mn_log_lines(struct mn_log *log, int level, const char *before,
    const char *lines);

#endif
