/* SPDX-License-Identifier: MIT */

/*
 * What an attempt's outcome means, and whether and when there is another.
 * Pure functions but for the bucket, which is a counter.
 */

#ifndef MN_RETRY_H
#define MN_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "provider.h"

/* The longest Retry-After that is believed: 30 days. */
#define MN_RETRY_AFTER_MAX	2592000

/* Full jitter: 0 to min(MN_BACKOFF_MAX, MN_BACKOFF << attempts made). */
#define MN_BACKOFF		200	/* ms */
#define MN_BACKOFF_MAX		8000	/* ms */

/* A handle's retries: 10 in store, refilled by a tenth with every call. */
#define MN_BUCKET_RETRY		10
#define MN_BUCKET_MAX		(10 * MN_BUCKET_RETRY)

struct mn_bucket {
	int tenths;
};

/* Once for each call. */
void mn_retry_refill(struct mn_bucket *b);

/* May there be one more retry?  Takes it. */
bool mn_retry_take(struct mn_bucket *b);

/* The code of an HTTP status, of whatever number. */
int mn_retry_code(int status);

/* What is known of an attempt's effect on the other side. */
enum mn_executed {
	MN_EXECUTED_NO,
	MN_EXECUTED_YES,
	MN_EXECUTED_UNKNOWN
};

/*
 * What an attempt that ended in code and status (0: none) did.  keyed: it
 * carried an idempotency key, so that a conflict may be with ourselves.
 */
enum mn_executed mn_retry_executed(int code, int status, bool keyed);

/*
 * Is a further attempt of an idempotent request right after that code and
 * status?  403, 409 and the like: no.
 */
bool mn_retry_helps(const struct mn_provider *v, int code, int status);

/*
 * Milliseconds to wait before attempt number n (2, 3, ...), by jitter and by
 * what Retry-After asked for (seconds; -1: nothing).
 */
int64_t mn_retry_delay(int n, int64_t retry_after);

/*
 * Seconds of a Retry-After value: digits, or a date, given its distance from
 * now that whoever parsed it found (INT64_MIN: it is no date).  -1: rubbish.
 */
int64_t mn_retry_after(const char *value, int64_t date_distance);

#endif
