/* SPDX-License-Identifier: MIT */

/* The tables behind what is told of the counters.  See reading.h. */

#define _GNU_SOURCE
#include "reading.h"

#include "banned.h"

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))
#define AT(field)	offsetof(struct mn_numbers, field)

/* MONIME_E..., in order. */
static const char *const results[] = {
	"ok", "denied", "forbidden", "environment", "policy", "limit", "http",
	"net", "lost", "proto", "inval", "config", "unsafe", "nomem", "sys",
	"pending", "canceled"
};
static const char *const sources[] = { "network", "cache", "stale", "local" };
static const char *const classes[] = {
	"2xx", "3xx", "4xx", "5xx", "none", "other"
};
static const char *const layers[] = {
	"token-limit", "space-limit", "endpoint-limit", "untold"
};
static const char *const tokens[] = { "own", "presented" };
static const char *const outcomes[] = { "taken", "refused", "withdrawn" };

_Static_assert(ROWS(results) == MN_METRICS_RESULTS, "a word for each result");
_Static_assert(ROWS(sources) == MN_SOURCES, "a word for each source");
_Static_assert(ROWS(classes) == MN_STATUS_CLASSES, "a word for each class");
_Static_assert(ROWS(layers) == MN_LAYERS, "a word for each layer");
_Static_assert(ROWS(outcomes) == MN_RELOADEDS, "a word for each outcome");

#define BY(name, table)	{ .label = (name), .words = (table), .n = ROWS(table) }
#define BY_NOTHING	{ .n = 1 }
#define RESULT		BY("result", results)

/* The answers to a check, of all results. */
#define VERDICTS	4

const struct mn_counter_row mn_reading_counters[MN_COUNTERS] = {
	[MN_COUNT_VERDICTS] = {
		"monime_verdicts",
		"Checks of presented tokens, by result and by what knew it.",
		AT(verdicts), { RESULT, BY("source", sources) },
		{ VERDICTS, MN_SOURCES }
	},
	[MN_COUNT_PROBES] = {
		"monime_probes",
		"Times that the API was asked about a presented token.",
		AT(probes), { RESULT, BY_NOTHING }, { VERDICTS, 1 }
	},
	[MN_COUNT_REQUESTS] = {
		"monime_requests",
		"API requests, by result and by the last attempt's status.",
		AT(requests), { RESULT, BY("status_class", classes) }, { 1, 1 }
	},
	[MN_COUNT_AUTHORIZATIONS] = {
		"monime_authorizations",
		"Requests authorized for another sender.",
		AT(authorizations), { RESULT, BY_NOTHING }, { 1, 1 }
	},
	[MN_COUNT_CREDENTIAL_CHECKS] = {
		"monime_credential_checks",
		"Checks of the profile's own credential.",
		AT(credential_checks), { RESULT, BY_NOTHING }, { 1, 1 }
	},
	[MN_COUNT_WEBHOOKS] = {
		"monime_webhooks",
		"Webhook deliveries whose signature was judged.",
		AT(webhooks), { RESULT, BY_NOTHING }, { 2, 1 }
	},
	[MN_COUNT_TOKEN_FETCHES] = {
		"monime_token_fetches",
		"Access tokens asked of the OAuth 2.0 token endpoint.",
		AT(token_fetches), { RESULT, BY_NOTHING }, { 1, 1 }
	},
	[MN_COUNT_RETRIES] = {
		"monime_retries", "Attempts made again after a failure.",
		AT(retries), { BY_NOTHING, BY_NOTHING }, { 1, 1 }
	},
	[MN_COUNT_BENCHED] = {
		"monime_benched_refusals",
		"Calls refused here while the own credential was benched.",
		AT(benched), { BY_NOTHING, BY_NOTHING }, { 1, 1 }
	},
	[MN_COUNT_LIMITS] = {
		"monime_rate_limits",
		"Answers with status 429, by the layer that limits and by "
		    "whose token it was.",
		AT(limits), { BY("layer", layers), BY("token", tokens) },
		{ MN_LAYERS, 2 }
	},
	[MN_COUNT_RELOADS] = {
		"monime_reloads",
		"Changed profiles seen, by each process, and their outcome.",
		AT(reloads), { BY("outcome", outcomes), BY_NOTHING },
		{ MN_RELOADEDS, 1 }
	},
};

const struct mn_bound mn_reading_bounds[MN_BUCKETS] = {
	{ 5, "0.005", "5 ms" },		{ 10, "0.01", "10 ms" },
	{ 25, "0.025", "25 ms" },	{ 50, "0.05", "50 ms" },
	{ 100, "0.1", "100 ms" },	{ 250, "0.25", "250 ms" },
	{ 500, "0.5", "500 ms" },	{ 1000, "1.0", "1 s" },
	{ 2500, "2.5", "2.5 s" },	{ 5000, "5.0", "5 s" },
	{ 10000, "10.0", "10 s" },	{ 30000, "30.0", "30 s" },
};

uint64_t
mn_reading_number(const struct mn_reading *r,
    const struct mn_counter_row *row, size_t i, size_t j)
{
	const char *base = (const char *)&r->numbers + row->at;

	return ((const uint64_t *)(const void *)base)[i * row->by[1].n + j];
}

uint64_t
mn_reading_add(uint64_t a, uint64_t b)
{
	uint64_t c;

	return __builtin_add_overflow(a, b, &c) ? UINT64_MAX : c;
}

uint64_t
mn_reading_times(const struct mn_histogram *h)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i <= MN_BUCKETS; i++)
		n = mn_reading_add(n, h->bucket[i]);
	return n;
}
