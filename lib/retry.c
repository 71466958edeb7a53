/* SPDX-License-Identifier: MIT */

/* When to try again.  See retry.h. */

#define _GNU_SOURCE
#include "retry.h"

#include <string.h>

#include "secret.h"
#include "text.h"

#include "banned.h"

/* In order: the first row whose range holds the status. */
static const struct {
	int low;
	int high;
	int code;
} statuses[] = {
	{ 200, 299, MONIME_OK },
	{ 300, 399, MONIME_EPROTO },	/* redirects are never followed */
	{ 401, 401, MONIME_EDENIED },
	{ 403, 403, MONIME_EFORBIDDEN },
	{ 429, 429, MONIME_ELIMIT },
	{ 400, 599, MONIME_EHTTP },
};

int
mn_retry_code(int status)
{
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (status >= statuses[i].low && status <= statuses[i].high)
			return statuses[i].code;
	}
	return MONIME_EPROTO;
}

enum mn_executed
mn_retry_executed(int code, int status, bool keyed)
{
	if (status >= 200 && status <= 299)
		return code == MONIME_ELOST ?
		    MN_EXECUTED_UNKNOWN : MN_EXECUTED_YES;
	/* An earlier attempt, or a twin elsewhere, may be what it met. */
	if (status == 409 && keyed)
		return MN_EXECUTED_UNKNOWN;
	if (status == 408)
		return MN_EXECUTED_UNKNOWN;
	if (status >= 400 && status <= 499 && code != MONIME_ELOST)
		return MN_EXECUTED_NO;
	switch (code) {
	case MONIME_ELOST:
	case MONIME_EPROTO:
	case MONIME_EHTTP:
		return MN_EXECUTED_UNKNOWN;
	default:
		return MN_EXECUTED_NO;
	}
}

bool
mn_retry_helps(const struct mn_provider *v, int code, int status)
{
	switch (code) {
	case MONIME_ENET:
	case MONIME_ELOST:
	case MONIME_ELIMIT:
		return true;
	case MONIME_EHTTP:
		return mn_provider_retries(v, status);
	default:
		return false;
	}
}

int64_t
mn_retry_delay(int n, int64_t retry_after)
{
	int64_t most = MN_BACKOFF_MAX;
	int64_t delay;

	if (n < 8 && (MN_BACKOFF << (n - 1)) < MN_BACKOFF_MAX)
		most = MN_BACKOFF << (n - 1);
	delay = mn_secret_uniform((uint32_t)most + 1);
	/* What was asked for, and not all of us at that very moment. */
	return retry_after > 0 ? retry_after * 1000 + delay / 4 : delay;
}

int64_t
mn_retry_after(const char *value, int64_t date_distance)
{
	size_t len = strlen(value);
	uint64_t n;

	if (len > 0 && strspn(value, MN_TEXT_DIGIT) == len) {
		if (!mn_text_number(value, len, MN_RETRY_AFTER_MAX, &n))
			return MN_RETRY_AFTER_MAX;
		return (int64_t)n;
	}
	if (date_distance == INT64_MIN)
		return -1;
	if (date_distance < 0)
		return 0;
	return date_distance > MN_RETRY_AFTER_MAX ?
	    MN_RETRY_AFTER_MAX : date_distance;
}

void
mn_retry_refill(struct mn_bucket *b)
{
	int now = __atomic_load_n(&b->tenths, __ATOMIC_RELAXED);

	while (now < MN_BUCKET_MAX &&
	    !__atomic_compare_exchange_n(&b->tenths, &now, now + 1, true,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		continue;
}

bool
mn_retry_take(struct mn_bucket *b)
{
	int now = __atomic_load_n(&b->tenths, __ATOMIC_RELAXED);

	while (now >= MN_BUCKET_RETRY) {
		if (__atomic_compare_exchange_n(&b->tenths, &now,
		    now - MN_BUCKET_RETRY, true, __ATOMIC_RELAXED,
		    __ATOMIC_RELAXED))
			return true;
	}
	return false;
}
