/* SPDX-License-Identifier: MIT */

/*
 * monime_verify_webhook(): did the provider sign this delivery?
 *
 * Monime: "t=SECONDS,v1=BASE64", over t, "_" and the body.
 * Mono:   "t=SECONDS,v1=HEX[,v1=HEX...]", over t, "." and the body.
 */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "fork.h"
#include "reload.h"

#include "banned.h"

#define HEADER_MAX	1024
#define SIGNATURES_MAX	8
#define TIME_DIGITS	12

struct delivery {
	const char *time;	/* as it was signed */
	size_t time_len;
	uint64_t seconds;
	size_t n;
	struct {
		const char *s;
		size_t len;
	} signature[SIGNATURES_MAX];
};

/* One "name=value" of the header. */
static bool
take(struct delivery *d, const char *s, size_t len)
{
	if (len >= 2 && memcmp(s, "t=", 2) == 0) {
		/* One time, or two readers would take two. */
		if (d->time != NULL || len - 2 > TIME_DIGITS ||
		    !mn_text_number(s + 2, len - 2, UINT64_MAX, &d->seconds))
			return false;
		d->time = s + 2;
		d->time_len = len - 2;
		return true;
	}
	if (len >= 3 && memcmp(s, "v1=", 3) == 0) {
		if (d->n == SIGNATURES_MAX)
			return false;
		d->signature[d->n].s = s + 3;
		d->signature[d->n++].len = len - 3;
		return true;
	}
	/* Other schemes may come; they prove nothing. */
	return memchr(s, '=', len) != NULL;
}

static bool
split(struct delivery *d, const char *s, size_t len)
{
	const char *end = s + len;
	const char *comma;
	size_t n;

	if (len > HEADER_MAX || !mn_text_printable(s, len))
		return false;
	while (s < end) {
		while (s < end && *s == ' ')
			s++;
		comma = memchr(s, ',', (size_t)(end - s));
		n = (size_t)((comma != NULL ? comma : end) - s);
		if (!take(d, s, n))
			return false;
		s += n + (comma != NULL);
	}
	return d->time != NULL && d->n > 0;
}

static bool
fresh(uint64_t seconds, int64_t now, int64_t tolerance_ms)
{
	int64_t age = now - (int64_t)seconds;

	return age <= tolerance_ms / 1000 && -age <= tolerance_ms / 1000;
}

/* Any secret and any signature; all are tried whatever the first ones say. */
static bool
matches(const struct mn_edition *m, const struct delivery *d, const void *body,
    size_t len)
{
	const struct mn_piece pieces[3] = {
		{ d->time, d->time_len },
		{ &m->provider->webhook.separator, 1 },
		{ body, len },
	};
	unsigned char want[MN_SHA256_SIZE], got[MN_SHA256_SIZE];
	bool match = false, read;
	size_t i, j;

	for (i = 0; i < m->profile->webhook.n; i++) {
		mn_secret_hmac_sha256(m->profile->webhook.secret[i], pieces,
		    3, want);
		for (j = 0; j < d->n; j++) {
			read = m->provider->webhook.base64 ?
			    mn_secret_from_base64(d->signature[j].s,
			    d->signature[j].len, got, sizeof(got)) :
			    mn_secret_from_hex(d->signature[j].s,
			    d->signature[j].len, got, sizeof(got));
			if (read && mn_secret_equal(want, got, sizeof(want)))
				match = true;
		}
	}
	mn_secret_wipe(want, sizeof(want));
	return match;
}

static int
verify(struct monime *m, const struct mn_edition *e, const char *signature,
    size_t signature_len, const void *body, size_t len)
{
	struct delivery d = { .time = NULL };
	const char *name = e->profile->name;
	int64_t now = (int64_t)time(NULL);
	int r = MONIME_EDENIED;

	if (e->profile->webhook.n == 0)
		return MONIME_ECONFIG;
	/* A filter of system calls may deny it: that is no forgery. */
	if (now < 0)
		return MONIME_ESYS;
	if (signature == NULL || !split(&d, signature, signature_len))
		mn_log_write(&m->log, LOG_NOTICE,
		    "%s: webhook: a malformed signature header", name);
	else if (!fresh(d.seconds, now, e->profile->webhook.tolerance))
		mn_log_write(&m->log, LOG_NOTICE,
		    "%s: webhook: signed outside of the tolerance: is the "
		    "clock right?", name);
	else if (!matches(e, &d, body != NULL ? body : "", len))
		mn_log_write(&m->log, LOG_NOTICE,
		    "%s: webhook: no signature matches", name);
	else
		r = MONIME_OK;
	return r;
}

int
monime_verify_webhook(struct monime *m, const char *signature,
    size_t signature_len, const void *body, size_t len)
{
	struct mn_edition *e;
	char *refusal;
	bool refused;
	int r;

	if (m == NULL || m->failure != MONIME_OK)
		return MONIME_ECONFIG;
	if (body == NULL && len > 0)
		return MONIME_EINVAL;
	/* A changed profile takes the connections of the former one along. */
	mn_fork_look(m);
	e = mn_reload_edition(m, &refused, &refusal);
	r = refused ? MONIME_EPOLICY :
	    verify(m, e, signature, signature_len, body, len);
	mn_metrics_count(m, MN_COUNT_WEBHOOKS, r, 0);
	free(refusal);
	mn_edition_free(e);
	return r;
}
