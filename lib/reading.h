/* SPDX-License-Identifier: MIT */

/*
 * What the counters of several handles are at one moment, and the tables that
 * name them: from these the text for machines and the page for people are
 * written.
 */

#ifndef MN_READING_H
#define MN_READING_H

#include <stddef.h>

#include "edition.h"
#include "metrics.h"
#include "text.h"

/* Upper bounds of the buckets of a histogram; one more is without a bound. */
#define MN_BUCKETS	12

enum mn_histogram_name {
	MN_TIME_REQUESTS,
	MN_TIME_PROBES,
	MN_TIMES
};

struct mn_histogram {
	uint64_t bucket[MN_BUCKETS + 1];	/* each without those below */
	uint64_t sum;			/* ms */
};

/* The numbers of one slot, or of all of them together. */
struct mn_numbers {
	uint64_t verdicts[MN_METRICS_RESULTS][MN_SOURCES];
	uint64_t probes[MN_METRICS_RESULTS];
	uint64_t requests[MN_METRICS_RESULTS][MN_STATUS_CLASSES];
	uint64_t authorizations[MN_METRICS_RESULTS];
	uint64_t credential_checks[MN_METRICS_RESULTS];
	uint64_t webhooks[MN_METRICS_RESULTS];
	uint64_t token_fetches[MN_METRICS_RESULTS];
	uint64_t retries;
	uint64_t benched;
	uint64_t limits[MN_LAYERS][2];
	uint64_t reloads[MN_RELOADEDS];
	struct mn_histogram times[MN_TIMES];
};

struct mn_dimension {
	const char *label;		/* NULL: there is none */
	const char *const *words;
	size_t n;
};

struct mn_counter_row {
	const char *name;		/* without "_total" */
	const char *help;
	size_t at;			/* in struct mn_numbers */
	struct mn_dimension by[2];
	/* So many of each are told even while they are 0, so that whoever
	 * watches a rate sees the first one. */
	size_t always[2];
};

extern const struct mn_counter_row mn_reading_counters[MN_COUNTERS];

struct mn_bound {
	int64_t ms;
	const char *seconds;		/* as OpenMetrics wants it */
	const char *words;		/* for people */
};

extern const struct mn_bound mn_reading_bounds[MN_BUCKETS];

/* There is no such number. */
#define MN_READING_NONE		INT64_MIN

/* Of one profile. */
struct mn_reading {
	struct mn_edition *edition;	/* as it is now, referenced */
	bool refused;			/* no call may begin */
	struct mn_metrics *metrics;
	struct mn_numbers numbers;
	int64_t since;			/* time(2) of the first open */
	int64_t deprecated;		/* 0, 1 or NONE */
	int64_t age;			/* s since the credential's file has
					 * changed */
	int64_t expiry;			/* s until then, or negative */
	int64_t rotation;
	const char *fingerprint;	/* of a static credential, or NULL */
};

struct mn_readings {
	struct mn_reading *of;
	size_t n;
	size_t not_open;		/* handles of which nothing is known */
	int64_t now;			/* time(2) */
};

/* Counter [i][j] of a row. */
uint64_t mn_reading_number(const struct mn_reading *r,
    const struct mn_counter_row *row, size_t i, size_t j);

/* How many a histogram holds. */
uint64_t mn_reading_times(const struct mn_histogram *h);

/* The sum of two, at most what fits. */
uint64_t mn_reading_add(uint64_t a, uint64_t b);

/* OpenMetrics 1.0. */
void mn_openmetrics_write(const struct mn_readings *all, struct mn_text *out);

/* One file of HTML, with nothing to fetch and nothing to run. */
void mn_page_write(const struct mn_readings *all, struct mn_text *out);

#endif
