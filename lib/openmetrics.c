/* SPDX-License-Identifier: MIT */

/*
 * The counters as OpenMetrics 1.0 has them: each family once, with the samples
 * of all profiles.
 */

#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reading.h"

#include "banned.h"

struct gauge {
	const char *name;
	const char *unit;		/* NULL: none */
	const char *help;
	int64_t (*value)(const struct mn_reading *r);
};

/* OpenMetrics: escaped-string. */
static void
put_value(struct mn_text *out, const char *s)
{
	for (; s != NULL && *s != '\0'; s++) {
		if (*s == '\n')
			mn_text_put(out, "\\n", 2);
		else if (*s == '"' || *s == '\\')
			mn_text_add(out, "\\%c", *s);
		else
			mn_text_put(out, s, 1);
	}
}

static void
put_label(struct mn_text *out, const char *name, const char *value)
{
	mn_text_add(out, ",%s=\"", name);
	put_value(out, value);
	mn_text_put(out, "\"", 1);
}

/* The name of a sample and what tells the profile; the brace is left open. */
static void
begin(struct mn_text *out, const struct mn_reading *r, const char *name,
    const char *suffix)
{
	const struct mn_profile *p = r->edition->profile;

	mn_text_add(out, "%s%s{profile=\"", name, suffix);
	put_value(out, p->name);
	mn_text_put(out, "\"", 1);
	put_label(out, "environment", mn_profile_environment(p->environment));
	put_label(out, "provider", p->provider);
}

static void
family(struct mn_text *out, const char *name, const char *type,
    const char *unit, const char *help)
{
	mn_text_add(out, "# TYPE %s %s\n", name, type);
	if (unit != NULL)
		mn_text_add(out, "# UNIT %s %s\n", name, unit);
	mn_text_add(out, "# HELP %s %s\n", name, help);
}

static void
put_number(struct mn_text *out, const struct mn_reading *r,
    const struct mn_counter_row *row, size_t i, size_t j)
{
	uint64_t n = mn_reading_number(r, row, i, j);

	if (n == 0 && (i >= row->always[0] || j >= row->always[1]))
		return;
	begin(out, r, row->name, "_total");
	if (row->by[0].label != NULL)
		put_label(out, row->by[0].label, row->by[0].words[i]);
	if (row->by[1].label != NULL)
		put_label(out, row->by[1].label, row->by[1].words[j]);
	mn_text_add(out, "} %" PRIu64 "\n", n);
}

static void
put_counters(struct mn_text *out, const struct mn_readings *all,
    const struct mn_counter_row *row)
{
	size_t k, i, j;

	family(out, row->name, "counter", NULL, row->help);
	for (k = 0; k < all->n; k++) {
		for (i = 0; i < row->by[0].n; i++) {
			for (j = 0; j < row->by[1].n; j++)
				put_number(out, &all->of[k], row, i, j);
		}
	}
}

static void
put_histogram(struct mn_text *out, const struct mn_reading *r,
    const char *name, const struct mn_histogram *h)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i <= MN_BUCKETS; i++) {
		n = mn_reading_add(n, h->bucket[i]);
		begin(out, r, name, "_bucket");
		put_label(out, "le", i < MN_BUCKETS ?
		    mn_reading_bounds[i].seconds : "+Inf");
		mn_text_add(out, "} %" PRIu64 "\n", n);
	}
	begin(out, r, name, "_count");
	mn_text_add(out, "} %" PRIu64 "\n", n);
	begin(out, r, name, "_sum");
	mn_text_add(out, "} %" PRIu64 ".%03" PRIu64 "\n", h->sum / 1000,
	    h->sum % 1000);
}

static const struct {
	const char *name;
	const char *help;
} histograms[MN_TIMES] = {
	[MN_TIME_REQUESTS] = {
		"monime_request_duration_seconds",
		"Time that API requests took, retries and all."
	},
	[MN_TIME_PROBES] = {
		"monime_probe_duration_seconds",
		"Time that it took to ask the API about a presented token."
	},
};

static int64_t
usable(const struct mn_reading *r)
{
	return !r->refused;
}

static int64_t
deprecated(const struct mn_reading *r)
{
	return r->deprecated;
}

static int64_t
age(const struct mn_reading *r)
{
	return r->age;
}

static int64_t
expiry(const struct mn_reading *r)
{
	return r->expiry;
}

static int64_t
rotation(const struct mn_reading *r)
{
	return r->rotation;
}

static const struct gauge gauges[] = {
	{ "monime_profile_usable", NULL,
	    "1, or 0 while the profile is gone, expired or withdrawn and "
	    "calls are refused.", usable },
	{ "monime_api_version_deprecated", NULL,
	    "1 where the API calls the version deprecated that the own "
	    "credential uses.", deprecated },
	{ "monime_credential_age_seconds", "seconds",
	    "Time since the file with the own credential changed.", age },
	{ "monime_credential_expiry_seconds", "seconds",
	    "Time until the profile expires; then calls are refused.",
	    expiry },
	{ "monime_credential_rotation_seconds", "seconds",
	    "Time until the own credential should have been replaced; "
	    "negative when that is overdue.", rotation },
};

static void
put_gauge(struct mn_text *out, const struct mn_readings *all,
    const struct gauge *g)
{
	int64_t value;
	size_t k;

	family(out, g->name, "gauge", g->unit, g->help);
	for (k = 0; k < all->n; k++) {
		value = g->value(&all->of[k]);
		if (value == MN_READING_NONE)
			continue;
		begin(out, &all->of[k], g->name, "");
		mn_text_add(out, "} %" PRId64 "\n", value);
	}
}

static void
put_facts(struct mn_text *out, const struct mn_readings *all)
{
	const struct mn_reading *r;
	size_t k;

	family(out, "monime_library", "info", NULL, "The running library.");
	mn_text_add(out, "monime_library_info{version=\"%s\"} 1\n",
	    monime_version());
	family(out, "monime_profiles_not_open", "gauge", NULL,
	    "Profiles that did not open: their errors are in the log.");
	mn_text_add(out, "monime_profiles_not_open %zu\n", all->not_open);
	family(out, "monime_profile", "info", NULL, "What a profile is.");
	for (k = 0; k < all->n; k++) {
		r = &all->of[k];
		begin(out, r, "monime_profile", "_info");
		if (r->edition->profile->product != NULL)
			put_label(out, "product", r->edition->profile->product);
		put_label(out, "origin", r->edition->wire.origin);
		mn_text_add(out, "} 1\n");
	}
	family(out, "monime_credential", "info", NULL,
	    "The own credential, by its fingerprint.");
	for (k = 0; k < all->n; k++) {
		r = &all->of[k];
		if (r->fingerprint == NULL)
			continue;
		begin(out, r, "monime_credential", "_info");
		put_label(out, "fingerprint", r->fingerprint);
		mn_text_add(out, "} 1\n");
	}
}

void
mn_openmetrics_write(const struct mn_readings *all, struct mn_text *out)
{
	size_t i, k;

	put_facts(out, all);
	for (i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		put_gauge(out, all, &gauges[i]);
	for (i = 0; i < MN_COUNTERS; i++)
		put_counters(out, all, &mn_reading_counters[i]);
	for (i = 0; i < MN_TIMES; i++) {
		family(out, histograms[i].name, "histogram", "seconds",
		    histograms[i].help);
		for (k = 0; k < all->n; k++)
			put_histogram(out, &all->of[k], histograms[i].name,
			    &all->of[k].numbers.times[i]);
	}
	mn_text_add(out, "# EOF\n");
}
