/* SPDX-License-Identifier: MIT */

/* The counters: where they are, and how they grow.  See metrics.h. */

#define _GNU_SOURCE
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "call.h"
#include "fork.h"
#include "reading.h"
#include "reload.h"

#include "banned.h"

#define LINE		64		/* bytes of a cache line */
#define TEXT_MAX	(64 << 20)	/* bytes of what is written */

struct slot {
	_Alignas(LINE) struct mn_numbers numbers;
};

enum deprecation {
	DEPRECATED_UNTOLD,
	DEPRECATED_NO,
	DEPRECATED_YES
};

/* What the processes share. */
struct shared {
	unsigned int next_slot;
	unsigned int deprecated;	/* enum deprecation */
	int64_t since;
	struct slot slot[MN_METRICS_SLOTS];
};

/* One for each profile that this process has open. */
struct mn_metrics {
	unsigned int handles;
	char *path;
	const struct mn_provider *provider;
	struct shared *shared;
	struct mn_metrics *next;
};

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mn_metrics *open_list;

/* Which slots are ours is a question anew for the child of a fork. */
static unsigned int process = 1;

static _Thread_local struct {
	unsigned int process;	/* 0: this thread has none yet */
	unsigned int slot;
} here;

static struct mn_metrics *
create(const char *path, const struct mn_provider *provider)
{
	struct mn_metrics *x;
	void *memory;

	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return NULL;
	x->provider = provider;
	x->path = strdup(path);
	memory = mmap(NULL, sizeof(*x->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (x->path == NULL || memory == MAP_FAILED) {
		if (memory != MAP_FAILED)
			(void)munmap(memory, sizeof(*x->shared));
		free(x->path);
		free(x);
		return NULL;
	}
	x->shared = memory;
	x->shared->since = (int64_t)time(NULL);
	x->next = open_list;
	open_list = x;
	return x;
}

struct mn_metrics *
mn_metrics_open(const char *path, const struct mn_provider *provider)
{
	struct mn_metrics *x;

	(void)pthread_mutex_lock(&open_lock);
	for (x = open_list; x != NULL; x = x->next) {
		if (x->provider == provider && strcmp(x->path, path) == 0)
			break;
	}
	if (x == NULL)
		x = create(path, provider);
	if (x != NULL)
		x->handles++;
	(void)pthread_mutex_unlock(&open_lock);
	return x;
}

void
mn_metrics_close(struct mn_metrics *x)
{
	struct mn_metrics **link;

	if (x == NULL)
		return;
	(void)pthread_mutex_lock(&open_lock);
	if (--x->handles > 0) {
		(void)pthread_mutex_unlock(&open_lock);
		return;
	}
	for (link = &open_list; *link != x; link = &(*link)->next)
		continue;
	*link = x->next;
	(void)pthread_mutex_unlock(&open_lock);
	(void)munmap(x->shared, sizeof(*x->shared));
	free(x->path);
	free(x);
}

void
mn_metrics_forget(void)
{
	(void)__atomic_add_fetch(&process, 1, __ATOMIC_RELAXED);
}

/* Slots are handed out in turn, so that few threads never meet in one. */
static __attribute__((__noinline__)) void
take_slot(struct mn_metrics *x, unsigned int now)
{
	here.slot = __atomic_fetch_add(&x->shared->next_slot, 1,
	    __ATOMIC_RELAXED) % MN_METRICS_SLOTS;
	here.process = now;
}

static struct mn_numbers *
numbers(struct mn_metrics *x)
{
	unsigned int now = __atomic_load_n(&process, __ATOMIC_RELAXED);

	if (here.process != now)
		take_slot(x, now);
	return &x->shared->slot[here.slot].numbers;
}

static void
add(uint64_t *number, uint64_t n)
{
	(void)__atomic_fetch_add(number, n, __ATOMIC_RELAXED);
}

void
mn_metrics_verdict(struct monime *m, int result, enum mn_source source)
{
	if (m->metrics == NULL || result > 0 || result <= -MN_METRICS_RESULTS)
		return;
	add(&numbers(m->metrics)->verdicts[-result][source], 1);
}

/* Result codes go downwards from 0, all else upwards. */
static size_t
place(int a)
{
	return (size_t)(a < 0 ? -(int64_t)a : a);
}

void
mn_metrics_count(struct monime *m, enum mn_counter what, int a, int b)
{
	const struct mn_counter_row *row = &mn_reading_counters[what];
	char *base;

	if (m->metrics == NULL || place(a) >= row->by[0].n ||
	    place(b) >= row->by[1].n)
		return;
	base = (char *)numbers(m->metrics) + row->at;
	add((uint64_t *)(void *)base + place(a) * row->by[1].n + place(b), 1);
}

/* How long it took that began with mn_call_clock(). */
static void
observe(struct monime_call *call, enum mn_histogram_name name)
{
	struct mn_histogram *h;
	int64_t ms;
	size_t i = 0;

	if (call->m->metrics == NULL || call->loop == NULL || call->began < 0)
		return;
	ms = mn_loop_now(call->loop) - call->began;
	if (ms < 0)
		ms = 0;
	h = &numbers(call->m->metrics)->times[name];
	while (i < MN_BUCKETS && ms > mn_reading_bounds[i].ms)
		i++;
	add(&h->bucket[i], 1);
	add(&h->sum, (uint64_t)ms);
}

static enum mn_status_class
status_class(int status)
{
	if (status == 0)
		return MN_STATUS_NONE;
	if (status < 200 || status > 599)
		return MN_STATUS_OTHER;
	return (enum mn_status_class)(MN_STATUS_2XX + status / 100 - 2);
}

/* The fact, as a number. */
static enum mn_source
source_of(const struct monime_call *call)
{
	const struct mn_dimension *by =
	    &mn_reading_counters[MN_COUNT_VERDICTS].by[1];
	const char *source = monime_call_get(call, "source");
	size_t i;

	for (i = 0; source != NULL && i < by->n; i++) {
		if (strcmp(by->words[i], source) == 0)
			return (enum mn_source)i;
	}
	return MN_SOURCE_LOCAL;
}

void
mn_metrics_end(struct monime_call *call)
{
	struct monime *m = call->m;

	switch (call->kind) {
	case MN_VERB_CHECK:
		mn_metrics_verdict(m, call->result, source_of(call));
		break;
	case MN_VERB_CREDENTIAL:
		mn_metrics_count(m, MN_COUNT_CREDENTIAL_CHECKS, call->result,
		    0);
		break;
	case MN_VERB_REQUEST:
		mn_metrics_count(m, MN_COUNT_REQUESTS, call->result,
		    (int)status_class(call->status));
		observe(call, MN_TIME_REQUESTS);
		break;
	case MN_VERB_AUTHORIZE:
		/* A host that reads its configuration names no request. */
		if (call->result == MONIME_EINVAL)
			break;
		mn_metrics_count(m, MN_COUNT_AUTHORIZATIONS, call->result, 0);
		break;
	case MN_VERB_PROBE:	/* by mn_metrics_probe() */
	case MN_VERBS:
		break;
	}
}

void
mn_metrics_probe(struct monime_call *call, int result)
{
	if (call->kind != MN_VERB_PROBE)
		return;
	mn_metrics_count(call->m, MN_COUNT_PROBES, result, 0);
	observe(call, MN_TIME_PROBES);
}

void
mn_metrics_limited(struct monime_call *call, const char *layer)
{
	const struct mn_dimension *by =
	    &mn_reading_counters[MN_COUNT_LIMITS].by[0];
	int i = 0;

	while (i < MN_LAYER_UNTOLD && (layer == NULL ||
	    strcmp(by->words[i], layer) != 0))
		i++;
	mn_metrics_count(call->m, MN_COUNT_LIMITS, i,
	    call->kind == MN_VERB_PROBE);
}

void
mn_metrics_deprecated(struct monime *m, bool deprecated)
{
	if (m->metrics == NULL)
		return;
	__atomic_store_n(&m->metrics->shared->deprecated,
	    deprecated ? DEPRECATED_YES : DEPRECATED_NO, __ATOMIC_RELAXED);
}

/* The slots of one mapping, added to what is there. */
static void
sum(const struct shared *s, struct mn_numbers *total)
{
	const size_t n = sizeof(*total) / sizeof(uint64_t);
	uint64_t *to = (uint64_t *)total;
	const uint64_t *from;
	size_t i, j;

	for (i = 0; i < MN_METRICS_SLOTS; i++) {
		from = (const uint64_t *)&s->slot[i].numbers;
		for (j = 0; j < n; j++)
			to[j] = mn_reading_add(to[j],
			    __atomic_load_n(&from[j], __ATOMIC_RELAXED));
	}
}

/* When the file changed in which the credential stands. */
static int64_t
changed(const struct mn_edition *e)
{
	const struct mn_profile *p = e->profile;
	const char *path = p->path;
	size_t i;

	if (e->oauth2 == NULL && e->credential == NULL)
		return MN_READING_NONE;
	if (e->oauth2 == NULL && p->token_file != NULL)
		path = p->token_file;
	if (e->oauth2 != NULL && p->oauth2.client_secret_file != NULL)
		path = p->oauth2.client_secret_file;
	for (i = 0; i < p->nfiles; i++) {
		if (strcmp(p->file[i].path, path) == 0)
			return (int64_t)p->file[i].id.modified.tv_sec;
	}
	return MN_READING_NONE;
}

/* Seconds to the end of a day; that day still counts. */
static int64_t
until(int64_t day, int64_t now)
{
	return day >= 0 ? (day + 1) * 86400 - now : MN_READING_NONE;
}

static void
read_profile(struct mn_reading *r, int64_t now)
{
	const struct mn_edition *e = r->edition;
	int64_t at = changed(e);

	if (at != MN_READING_NONE)
		r->age = now > at ? now - at : 0;
	else
		r->age = MN_READING_NONE;
	r->expiry = until(e->profile->expires, now);
	r->rotation = until(e->profile->rotate_by, now);
	r->fingerprint = e->credential != NULL ?
	    e->credential->fingerprint : NULL;
}

static void
read_shared(struct mn_reading *r)
{
	const struct shared *s = r->metrics->shared;
	unsigned int told = __atomic_load_n(&s->deprecated, __ATOMIC_RELAXED);

	r->since = s->since;
	r->deprecated = MN_READING_NONE;
	if (told == DEPRECATED_NO || told == DEPRECATED_YES)
		r->deprecated = told == DEPRECATED_YES;
	sum(s, &r->numbers);
}

/* Do counters of another folder's profile have the same labels? */
static struct mn_reading *
namesake(const struct mn_readings *all, const struct monime *m)
{
	const char *name = m->first->profile->name;
	size_t i;

	for (i = 0; i < all->n; i++) {
		if (all->of[i].metrics->provider == m->metrics->provider &&
		    strcmp(all->of[i].edition->profile->name, name) == 0)
			return &all->of[i];
	}
	return NULL;
}

static void
read_handle(struct mn_readings *all, struct monime *m)
{
	struct mn_reading *r = namesake(all, m);
	char *refusal;

	/* A new edition would say goodbye on connections of the parent's. */
	mn_fork_look(m);
	/* Two of one name could not be told apart: their sum is told. */
	if (r != NULL) {
		sum(m->metrics->shared, &r->numbers);
		return;
	}
	r = &all->of[all->n++];
	r->metrics = m->metrics;
	r->edition = mn_reload_edition(m, &r->refused, &refusal);
	free(refusal);
	read_shared(r);
	read_profile(r, all->now);
}

/* Handles of a process on one profile share its counters. */
static bool
told(struct monime *const *m, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++) {
		if (m[j] != NULL && m[j]->metrics == m[i]->metrics)
			return true;
	}
	return false;
}

static bool
read_all(struct mn_readings *all, struct monime *const *m, size_t n)
{
	size_t i;

	memset(all, 0, sizeof(*all));
	all->now = (int64_t)time(NULL);
	all->of = calloc(n > 0 ? n : 1, sizeof(*all->of));
	if (all->of == NULL)
		return false;
	for (i = 0; i < n; i++) {
		if (m[i] == NULL || m[i]->metrics == NULL)
			all->not_open++;
		else if (!told(m, i))
			read_handle(all, m[i]);
	}
	return true;
}

static void
forget_all(struct mn_readings *all)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		mn_edition_free(all->of[i].edition);
	free(all->of);
}

static const struct {
	const char *name;
	void (*write)(const struct mn_readings *all, struct mn_text *out);
} formats[] = {
	{ "openmetrics", mn_openmetrics_write },
	{ "html", mn_page_write },
};

static void
write_all(struct monime *const *m, size_t n, const char *format,
    struct mn_text *out)
{
	struct mn_readings all;
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (format == NULL || strcmp(formats[i].name, format) != 0)
			continue;
		if (read_all(&all, m, m != NULL ? n : 0))
			formats[i].write(&all, out);
		forget_all(&all);
	}
}

size_t
monime_metrics(struct monime *const *m, size_t n, const char *format,
    char *buf, size_t size)
{
	struct mn_text text = MN_TEXT_INIT(TEXT_MAX);
	size_t len, copied;

	write_all(m, n, format, &text);
	/* Half of it, for want of memory, would pass for the whole. */
	len = text.failed ? 0 : text.len;
	if (buf != NULL && size > 0) {
		copied = len < size ? len : size - 1;
		memcpy(buf, mn_text_get(&text), copied);
		buf[copied] = '\0';
	}
	mn_text_free(&text);
	return len;
}
