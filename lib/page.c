/* SPDX-License-Identifier: MIT */

/*
 * The counters as a page for people: one file, with nothing to fetch and
 * nothing to run.  What comes from a file or from the other side is escaped;
 * whether money moves is said in words, not by a colour alone.
 */

#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "reading.h"

#include "banned.h"

#define DAY		86400
#define SOON		(14 * DAY)	/* as `monime list` has it */

/*
 * Pairs of text and ground below have a contrast of 4.5 or more;
 * tests/integration/metrics.py works it out.
 */
static const char style[] =
    ":root{color-scheme:light dark;"
    "--page:#f4f5f7;--card:#ffffff;--text:#1a1f26;--muted:#566070;"
    "--line:#d9dde3;--bar:#8fb0e8;"
    "--live:#b3261e;--live-text:#ffffff;--test:#dbe8fb;--test-text:#17427e;"
    "--note:#fdf0d0;--note-text:#5c3d00}\n"
    "@media (prefers-color-scheme:dark){:root{"
    "--page:#11151a;--card:#1a2027;--text:#e7eaee;--muted:#a3adba;"
    "--line:#343c47;--bar:#47699f;"
    "--live:#c62f26;--live-text:#ffffff;--test:#1d3557;--test-text:#cfe2ff;"
    "--note:#3d3010;--note-text:#ffe2a0}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--text);"
    "font:16px/1.5 system-ui,sans-serif}\n"
    "body>header,main,footer{max-width:72rem;margin:0 auto;padding:0 1rem}\n"
    "body>header{padding-top:1.5rem}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:0}\n"
    "h2{font-size:1.35rem;line-height:1.2;margin:0;"
    "overflow-wrap:anywhere}\n"
    ".muted,footer{color:var(--muted)}\n"
    "p{margin:.25rem 0}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.5rem;list-style:none;"
    "padding:0;margin:1rem 0 0}\n"
    "nav a{display:block;padding:.3rem .8rem;border-radius:.4rem;"
    "background:var(--test);color:var(--test-text);text-decoration:none}\n"
    "nav a.live{background:var(--live);color:var(--live-text);"
    "font-weight:700}\n"
    "nav a:hover{text-decoration:underline}\n"
    ".profile{background:var(--card);border:1px solid var(--line);"
    "border-radius:.6rem;margin:1.25rem 0;overflow:hidden}\n"
    ".profile.live{border:3px solid var(--live)}\n"
    ".environment{margin:0;padding:.4rem 1.1rem;background:var(--test);"
    "color:var(--test-text)}\n"
    ".live .environment{background:var(--live);color:var(--live-text);"
    "font-size:1.1rem}\n"
    ".environment b{letter-spacing:.08em;margin-right:.4em}\n"
    ".body{padding:1rem 1.1rem 1.25rem}\n"
    ".notes{background:var(--note);color:var(--note-text);"
    "border-radius:.4rem;padding:.6rem 1rem .6rem 2rem;margin:1rem 0 0}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,"
    "minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0}\n"
    ".tiles div{border:1px solid var(--line);border-radius:.4rem;"
    "padding:.6rem .8rem}\n"
    ".tiles dt{color:var(--muted);font-size:.9rem}\n"
    ".tiles dd{margin:0}\n"
    ".tiles .big{font-size:1.45rem;font-weight:650;line-height:1.3;"
    "font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    ".tiles .small{font-size:.9rem;color:var(--muted)}\n"
    ".tables{display:grid;gap:1.5rem 2rem;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));"
    "align-items:start}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;"
    "font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;font-weight:650;padding-bottom:.3rem}\n"
    "th,td{padding:.3rem .5rem;border-top:1px solid var(--line);"
    "text-align:right;white-space:nowrap}\n"
    "th:first-child{text-align:left;padding-left:0}\n"
    "th:last-child,td:last-child{padding-right:0}\n"
    "thead th,thead td{color:var(--muted);font-weight:400;border-top:0}\n"
    "tbody th{font-weight:400}\n"
    "td.bar{width:45%;padding-right:0}\n"
    "td.bar i{display:block;height:.8rem;border-radius:.2rem;"
    "background:var(--bar);min-width:1px}\n"
    ".about{display:grid;gap:.5rem 2rem;margin:1.5rem 0 0;"
    "padding-top:1rem;border-top:1px solid var(--line);"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr))}\n"
    ".about dt{color:var(--muted);font-size:.9rem}.about dd{margin:0;"
    "overflow-wrap:anywhere}\n"
    "td.none{color:var(--muted)}\n"
    "code{font-size:.92em}\n"
    "footer{padding-bottom:2rem;font-size:.9rem}\n"
    "a:focus-visible,.scroll:focus-visible{outline:3px solid "
    "var(--text);outline-offset:2px}\n"
    "@media (max-width:30rem){.body{padding:.9rem .9rem 1rem}"
    "table{font-size:.92rem}th,td{padding:.3rem .3rem}"
    ".tiles{grid-template-columns:1fr 1fr;gap:.5rem}"
    ".tiles .big{font-size:1.2rem}}\n";

/* HTML's special characters, and what no file of ours has. */
static void
put(struct mn_text *out, const char *s)
{
	for (; s != NULL && *s != '\0'; s++) {
		if (strchr("<>&\"'", *s) != NULL)
			mn_text_add(out, "&#%d;", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			mn_text_put(out, "?", 1);
		else
			mn_text_put(out, s, 1);
	}
}

/* 1234567 as 1,234,567. */
static void
put_count(struct mn_text *out, uint64_t n)
{
	char digits[24];
	size_t len, i;

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	len = strlen(digits);
	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			mn_text_put(out, ",", 1);
		mn_text_put(out, &digits[i], 1);
	}
}

static void
put_time(struct mn_text *out, int64_t at)
{
	char text[32];
	time_t t = (time_t)at;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm) == 0)
		return;
	mn_text_add(out, "<time datetime=\"%.10sT%sZ\">%s UTC</time>", text,
	    text + 11, text);
}

/* A stretch of time in its largest unit. */
static void
put_span(struct mn_text *out, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = {
		{ DAY, "day" }, { 3600, "hour" }, { 60, "minute" },
		{ 1, "second" }
	};
	const size_t last = sizeof(units) / sizeof(units[0]) - 1;
	int64_t n;
	size_t i = 0;

	if (seconds < 0)
		seconds = -seconds;
	while (i < last && seconds < units[i].seconds)
		i++;
	n = seconds / units[i].seconds;
	mn_text_add(out, "%" PRId64 " %s%s", n, units[i].unit,
	    n == 1 ? "" : "s");
}

static bool
live(const struct mn_reading *r)
{
	return r->edition->profile->environment == MN_LIVE;
}

/* All numbers of a counter, or of one row or one column of it. */
#define ALL	SIZE_MAX

static uint64_t
total(const struct mn_reading *r, enum mn_counter what, size_t row, size_t col)
{
	const struct mn_counter_row *c = &mn_reading_counters[what];
	uint64_t n = 0;
	size_t i, j;

	for (i = 0; i < c->by[0].n; i++) {
		for (j = 0; j < c->by[1].n; j++) {
			if ((row != ALL && row != i) ||
			    (col != ALL && col != j))
				continue;
			n = mn_reading_add(n, mn_reading_number(r, c, i, j));
		}
	}
	return n;
}

/* In tenths of a percent; "%f" would have the comma of the host's locale. */
static unsigned int
tenths(uint64_t part, uint64_t whole)
{
	return (unsigned int)(1000.0 * (double)part / (double)whole);
}

/* A part in percent, which is all or nothing only where it really is. */
static void
put_share(struct mn_text *out, uint64_t part, uint64_t whole)
{
	unsigned int n = tenths(part, whole);

	if (part == whole)
		mn_text_add(out, "100%%");
	else if (part == 0)
		mn_text_add(out, "0%%");
	else if (n == 0)
		mn_text_add(out, "&lt;0.1%%");
	else
		mn_text_add(out, "%u.%u%%", n / 10, n % 10);
}

/*
 * What an administrator should look at, as a list that begins with its first
 * item.
 */
static void
note(struct mn_text *out, bool *begun, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));

static void
note(struct mn_text *out, bool *begun, const char *fmt, ...)
{
	struct mn_text text = MN_TEXT_INIT(MN_ERROR_MAX);
	va_list ap;

	va_start(ap, fmt);
	mn_text_vadd(&text, fmt, ap);
	va_end(ap);
	mn_text_add(out, *begun ? "<li>" :
	    "<ul class=\"notes\" aria-label=\"To look at\">\n<li>");
	*begun = true;
	put(out, mn_text_get(&text));
	mn_text_add(out, "</li>\n");
	mn_text_free(&text);
}

/* "in 3 days", or "3 days ago". */
static void
note_date(struct mn_text *out, bool *begun, int64_t left, const char *soon,
    const char *past)
{
	struct mn_text span = MN_TEXT_INIT(64);

	if (left == MN_READING_NONE || left > SOON)
		return;
	put_span(&span, left);
	if (left > 0)
		note(out, begun, "%s in %s.", soon, mn_text_get(&span));
	else
		note(out, begun, "%s %s ago.", past, mn_text_get(&span));
	mn_text_free(&span);
}

static void
put_notes(struct mn_text *out, const struct mn_reading *r)
{
	const struct mn_numbers *n = &r->numbers;
	bool begun = false;

	/* The reason may name a path, and the page may be anybody's. */
	if (r->refused)
		note(out, &begun, "Calls are refused: %s.  The log says why, "
		    "and so does monime doctor.",
		    monime_strerror(MONIME_EPOLICY));
	note_date(out, &begun, r->expiry, "The profile expires",
	    "The profile expired");
	note_date(out, &begun, r->rotation, "The credential is to be replaced",
	    "The credential was to be replaced");
	if (r->deprecated == 1)
		note(out, &begun, "The API calls the version that this "
		    "credential uses deprecated.");
	if (n->benched > 0)
		note(out, &begun, "%" PRIu64 " calls were refused here, "
		    "because the API had refused the credential.", n->benched);
	if (n->reloads[MN_RELOADED_REFUSED] > 0)
		note(out, &begun, "A changed profile was not taken up: the log "
		    "says why, and so does monime doctor.");
	if (total(r, MN_COUNT_LIMITS, ALL, 0) > 0)
		note(out, &begun, "%" PRIu64 " of our own requests met a rate "
		    "limit.", total(r, MN_COUNT_LIMITS, ALL, 0));
	if (begun)
		mn_text_add(out, "</ul>\n");
}

/* The bound within which that part of them was, or NULL for none. */
static const char *
within(const struct mn_histogram *h, double part)
{
	uint64_t n = 0;
	double want = part * (double)mn_reading_times(h);
	size_t i;

	for (i = 0; i < MN_BUCKETS; i++) {
		n = mn_reading_add(n, h->bucket[i]);
		if ((double)n >= want)
			return mn_reading_bounds[i].words;
	}
	return NULL;
}

static void
tile(struct mn_text *out, const char *title)
{
	mn_text_add(out, "<div><dt>%s</dt><dd class=\"big\">", title);
}

static void
end_tile(struct mn_text *out)
{
	mn_text_add(out, "</dd></div>\n");
}

static void
small(struct mn_text *out)
{
	mn_text_add(out, "</dd><dd class=\"small\">");
}

/* How many, and what part of them went well. */
static void
tile_counter(struct mn_text *out, const struct mn_reading *r,
    enum mn_counter what, const char *title, const char *good)
{
	uint64_t n = total(r, what, ALL, ALL);

	if (n == 0)
		return;
	tile(out, title);
	put_count(out, n);
	small(out);
	put_share(out, total(r, what, 0, ALL), n);
	mn_text_add(out, " %s", good);
	end_tile(out);
}

static void
tile_remembered(struct mn_text *out, const struct mn_reading *r)
{
	uint64_t n = total(r, MN_COUNT_VERDICTS, ALL, ALL);
	uint64_t asked = total(r, MN_COUNT_PROBES, ALL, ALL);
	uint64_t known = mn_reading_add(
	    total(r, MN_COUNT_VERDICTS, ALL, MN_SOURCE_CACHE),
	    total(r, MN_COUNT_VERDICTS, ALL, MN_SOURCE_STALE));

	if (n == 0)
		return;
	tile(out, "Answered from memory");
	put_share(out, known, n);
	small(out);
	put_count(out, asked);
	mn_text_add(out, asked == 1 ? " probe of the API" :
	    " probes of the API");
	end_tile(out);
}

static void
tile_times(struct mn_text *out, const struct mn_histogram *h,
    const char *title)
{
	const char *most = within(h, 0.95), *half = within(h, 0.5);

	if (mn_reading_times(h) == 0)
		return;
	tile(out, title);
	mn_text_add(out, "%s %s", half != NULL ? "&le;" : "over",
	    half != NULL ? half : mn_reading_bounds[MN_BUCKETS - 1].words);
	small(out);
	mn_text_add(out, "half of them; 95%% %s %s",
	    most != NULL ? "within" : "take over",
	    most != NULL ? most : mn_reading_bounds[MN_BUCKETS - 1].words);
	end_tile(out);
}

static void
tile_credential(struct mn_text *out, const struct mn_reading *r)
{
	tile(out, "Own credential");
	if (r->age == MN_READING_NONE) {
		mn_text_add(out, "none");
		small(out);
		mn_text_add(out, "this profile only checks others");
		end_tile(out);
		return;
	}
	put_span(out, r->age);
	small(out);
	if (r->rotation == MN_READING_NONE) {
		mn_text_add(out, "old; no date to replace it");
	} else {
		mn_text_add(out, r->rotation > 0 ? "old; replace within " :
		    "old; overdue for ");
		put_span(out, r->rotation);
	}
	end_tile(out);
}

static void
caption(struct mn_text *out, const char *title, const char *first)
{
	mn_text_add(out, "<div class=\"scroll\"><table><caption>%s</caption>"
	    "\n<thead><tr><th scope=\"col\">%s</th>", title, first);
}

/* A table of what was counted: rows and columns with nothing are left out. */
static void
put_table(struct mn_text *out, const struct mn_reading *r,
    enum mn_counter what, const char *title, const char *first)
{
	const struct mn_counter_row *c = &mn_reading_counters[what];
	bool both = c->by[1].label != NULL;
	uint64_t n;
	size_t i, j;

	if (total(r, what, ALL, ALL) == 0)
		return;
	caption(out, title, first);
	for (j = 0; both && j < c->by[1].n; j++) {
		if (total(r, what, ALL, j) > 0)
			mn_text_add(out, "<th scope=\"col\">%s</th>",
			    c->by[1].words[j]);
	}
	mn_text_add(out, "<th scope=\"col\">all</th></tr></thead><tbody>\n");
	for (i = 0; i < c->by[0].n; i++) {
		if (total(r, what, i, ALL) == 0)
			continue;
		mn_text_add(out, "<tr><th scope=\"row\">%s</th>",
		    c->by[0].words[i]);
		for (j = 0; both && j < c->by[1].n; j++) {
			if (total(r, what, ALL, j) == 0)
				continue;
			n = mn_reading_number(r, c, i, j);
			mn_text_add(out, n > 0 ? "<td>" :
			    "<td class=\"none\">");
			put_count(out, n);
			mn_text_add(out, "</td>");
		}
		mn_text_add(out, "<td>");
		put_count(out, total(r, what, i, ALL));
		mn_text_add(out, "</td></tr>\n");
	}
	mn_text_add(out, "</tbody></table></div>\n");
}

static void
put_times(struct mn_text *out, const struct mn_histogram *h,
    const char *title)
{
	uint64_t most = 0;
	unsigned int width;
	size_t i;

	if (mn_reading_times(h) == 0)
		return;
	for (i = 0; i <= MN_BUCKETS; i++) {
		if (h->bucket[i] > most)
			most = h->bucket[i];
	}
	caption(out, title, "within");
	mn_text_add(out, "<th scope=\"col\">count</th>"
	    "<td class=\"bar\"></td></tr></thead><tbody>\n");
	for (i = 0; i <= MN_BUCKETS; i++) {
		if (h->bucket[i] == 0)
			continue;
		mn_text_add(out, "<tr><th scope=\"row\">%s%s</th><td>",
		    i < MN_BUCKETS ? "" : "over ",
		    mn_reading_bounds[i < MN_BUCKETS ? i : i - 1].words);
		put_count(out, h->bucket[i]);
		width = tenths(h->bucket[i], most);
		mn_text_add(out, "</td><td class=\"bar\"><i style=\"width:"
		    "%u.%u%%\"></i></td></tr>\n", width / 10, width % 10);
	}
	mn_text_add(out, "</tbody></table></div>\n");
}

static void
put_fact(struct mn_text *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	mn_text_add(out, "<div><dt>%s</dt><dd><bdi>", name);
	put(out, value);
	mn_text_add(out, "</bdi></dd></div>\n");
}

static void
put_about(struct mn_text *out, const struct mn_reading *r)
{
	const struct mn_profile *p = r->edition->profile;

	mn_text_add(out, "<dl class=\"about\">\n");
	put_fact(out, "provider", p->provider);
	put_fact(out, "product", p->product);
	put_fact(out, "owner", p->owner);
	put_fact(out, "origin", r->edition->wire.origin);
	put_fact(out, "Space", p->space);
	put_fact(out, "fingerprint", r->fingerprint);
	mn_text_add(out, "<div><dt>counted since</dt><dd>");
	put_time(out, r->since);
	mn_text_add(out, "</dd></div>\n</dl>\n");
}

static void
put_profile(struct mn_text *out, const struct mn_reading *r, size_t k)
{
	const struct mn_numbers *n = &r->numbers;

	mn_text_add(out, "<section class=\"profile %s\" id=\"p%zu\" "
	    "aria-labelledby=\"h%zu\">\n<p class=\"environment\">%s</p>\n"
	    "<div class=\"body\">\n<h2 id=\"h%zu\">", live(r) ? "live" : "test",
	    k, k, live(r) ? "<b>LIVE</b> real money moves here" :
	    "<b>TEST</b> no real money moves here", k);
	put(out, r->edition->profile->name);
	mn_text_add(out, "</h2>\n<p class=\"muted\"><bdi>");
	put(out, r->edition->profile->purpose);
	mn_text_add(out, "</bdi></p>\n");
	put_notes(out, r);
	mn_text_add(out, "<dl class=\"tiles\">\n");
	tile_counter(out, r, MN_COUNT_VERDICTS, "Checks of tokens",
	    "accepted");
	tile_remembered(out, r);
	tile_counter(out, r, MN_COUNT_REQUESTS, "Requests", "succeeded");
	tile_counter(out, r, MN_COUNT_AUTHORIZATIONS, "Authorized requests",
	    "authorized");
	tile_counter(out, r, MN_COUNT_WEBHOOKS, "Webhooks", "signed well");
	tile_times(out, &n->times[MN_TIME_REQUESTS], "A request takes");
	tile_times(out, &n->times[MN_TIME_PROBES], "A probe takes");
	tile_credential(out, r);
	mn_text_add(out, "</dl>\n<div class=\"tables\">\n");
	put_table(out, r, MN_COUNT_VERDICTS, "Checks, by what knew the verdict",
	    "verdict");
	put_table(out, r, MN_COUNT_REQUESTS, "Requests, by status", "result");
	put_times(out, &n->times[MN_TIME_REQUESTS], "Time of requests");
	put_times(out, &n->times[MN_TIME_PROBES], "Time of probes");
	put_table(out, r, MN_COUNT_PROBES, "Probes", "result");
	put_table(out, r, MN_COUNT_AUTHORIZATIONS, "Authorized requests",
	    "result");
	put_table(out, r, MN_COUNT_WEBHOOKS, "Webhooks", "result");
	put_table(out, r, MN_COUNT_CREDENTIAL_CHECKS,
	    "Checks of the own credential", "result");
	put_table(out, r, MN_COUNT_TOKEN_FETCHES, "Access tokens fetched",
	    "result");
	put_table(out, r, MN_COUNT_LIMITS, "Rate limits met, by whose token",
	    "limit");
	put_table(out, r, MN_COUNT_RELOADS, "Changed profiles seen",
	    "outcome");
	mn_text_add(out, "</div>\n");
	put_about(out, r);
	mn_text_add(out, "</div>\n</section>\n");
}

static void
put_head(struct mn_text *out, const struct mn_readings *all, size_t lives)
{
	mn_text_add(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	    "content=\"width=device-width,initial-scale=1\">\n"
	    "<meta name=\"robots\" content=\"noindex\">\n<title>monime: "
	    "%zu profile%s, %zu live</title>\n<style>\n%s</style>\n</head>\n"
	    "<body>\n<header>\n<h1>Monime on this server</h1>\n"
	    "<p class=\"muted\">%zu profile%s open, %zu of them live, at ",
	    all->n, all->n == 1 ? "" : "s", lives, style, all->n,
	    all->n == 1 ? "" : "s", lives);
	put_time(out, all->now);
	mn_text_add(out, "</p>\n");
	if (all->not_open > 0)
		mn_text_add(out, "<ul class=\"notes\"><li>%zu profile%s did "
		    "not open: the log says why, and so does <code>monime "
		    "doctor</code>.</li></ul>\n", all->not_open,
		    all->not_open == 1 ? "" : "s");
}

/* Real money comes first. */
static void
each(struct mn_text *out, const struct mn_readings *all,
    void (*write)(struct mn_text *out, const struct mn_reading *r, size_t k))
{
	size_t k;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		for (k = 0; k < all->n; k++) {
			if (live(&all->of[k]) == (pass == 0))
				write(out, &all->of[k], k);
		}
	}
}

static void
put_link(struct mn_text *out, const struct mn_reading *r, size_t k)
{
	mn_text_add(out, "<li><a%s href=\"#p%zu\">",
	    live(r) ? " class=\"live\"" : "", k);
	put(out, r->edition->profile->name);
	mn_text_add(out, "</a></li>\n");
}

void
mn_page_write(const struct mn_readings *all, struct mn_text *out)
{
	size_t k, lives = 0;

	for (k = 0; k < all->n; k++)
		lives += live(&all->of[k]);
	put_head(out, all, lives);
	if (all->n > 1) {
		mn_text_add(out, "<nav aria-label=\"Profiles\"><ul>\n");
		each(out, all, put_link);
		mn_text_add(out, "</ul></nav>\n");
	}
	mn_text_add(out, "</header>\n<main>\n");
	each(out, all, put_profile);
	mn_text_add(out, "</main>\n<footer>\n<p>libmonime %s. Numbers are "
	    "those of all processes that share a profile, since the first of "
	    "them opened it. What a result means, and what mends it: "
	    "<code>man 3 monime</code>.</p>\n</footer>\n</body>\n</html>\n",
	    monime_version());
}
