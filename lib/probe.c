/* SPDX-License-Identifier: MIT */

/* Probes of presented tokens, and those who wait for them.  See probe.h. */

#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "fork.h"
#include "reload.h"

#include "banned.h"

/* A token that is being asked about, here or by another process. */
struct mn_asking {
	unsigned int references;	/* who waits, and lists; atomic */
	struct monime_call *call;	/* asks; what it learned is for all */
	void (*ask)(struct monime_call *call);
	struct mn_verdict_id id;	/* of the token */
	struct mn_probe claim;		/* of whoever drives */
	int64_t deadline;		/* by mn_verdicts_time() */
	int64_t began;			/* likewise, to ask; atomic */
	int64_t poll;			/* ms to the next look */
	struct mn_verdict found;
	bool remembered;		/* found is not this one's answer */
	bool done;			/* found holds; atomic */
	bool nested;			/* a loop has waited for it */
	struct monime_call *waiting;	/* those on the host's loop */
	struct mn_asking *next;		/* in asking, or told */
	struct mn_asking **link;
	struct mn_asking *queued;	/* the next to begin */
};

struct mn_probes {
	pthread_mutex_t lock;		/* of all here; never held at work */
	pthread_cond_t changed;		/* a probe is done, or nobody drives */
	unsigned int sleeping;		/* blocking calls that want to know */
	bool driven;			/* somebody is inside the loop, which */
	struct mn_loop *loop;		/* is touched by nobody else */
	struct mn_edition_lanes lanes;	/* likewise */
	struct mn_waiter wake;		/* in it: something is queued */
	struct mn_asking *queue;
	struct mn_asking *asking;
	struct mn_asking *told;		/* done, with calls on a loop to tell */
	struct mn_loop *host;		/* of those */
	struct mn_waiter inbox;		/* in it */
	unsigned int nested;		/* askings for which host has loop */
	struct mn_verdicts **table;	/* published once */
	size_t tables;
};

struct mn_probes *
mn_probe_new(void)
{
	struct mn_probes *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	if (p == NULL)
		return NULL;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	return p;
}

void
mn_probe_free(struct mn_probes *p)
{
	if (p == NULL)
		return;
	while (p->tables > 0)
		mn_verdicts_close(p->table[--p->tables]);
	free(p->table);
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

static bool
keep_table(struct mn_probes *p, struct mn_verdicts *v)
{
	struct mn_verdicts **table;
	size_t i;

	for (i = 0; i < p->tables; i++) {
		if (p->table[i] == v)
			return true;
	}
	table = realloc(p->table, (p->tables + 1) * sizeof(*table));
	if (table == NULL)
		return false;
	p->table = table;
	p->table[p->tables++] = mn_verdicts_keep(v);
	return true;
}

void
mn_probe_publish(struct monime *m, struct mn_edition *e)
{
	struct mn_probes *p = m->probes;
	struct mn_verdicts *v;

	(void)pthread_mutex_lock(&p->lock);
	v = keep_table(p, e->verdicts) ? e->verdicts : NULL;
	(void)pthread_mutex_unlock(&p->lock);
	__atomic_store_n(&m->verdicts, v, __ATOMIC_RELEASE);
}

bool
mn_probe_remembered(struct monime *m, const char *token, size_t len,
    struct mn_verdict *found)
{
	const struct mn_verdicts *v;
	struct mn_verdict_id id;
	int64_t now;

	if (m == NULL || m->failure != MONIME_OK || token == NULL ||
	    len == 0 || len > 2 * MN_TOKEN_MAX)
		return false;
	mn_fork_look(m);
	now = mn_verdicts_time();
	if (mn_reload_due(m, now))
		return false;
	/* What the guard does not let through was never stored. */
	v = __atomic_load_n(&m->verdicts, __ATOMIC_ACQUIRE);
	return v != NULL && mn_verdicts_look(v, token, len, now, &id, found);
}

/* A token that was not accepted has no name here. */
static void
note_fingerprint(struct monime_call *call)
{
	char fingerprint[MONIME_FINGERPRINT_SIZE];
	size_t len;
	const char *token = mn_credential_token(call->bearer, &len);

	if (monime_fingerprint(token, len, fingerprint,
	    sizeof(fingerprint)) == MONIME_OK)
		mn_call_fact_copy(call, "fingerprint", fingerprint);
}

static void
note_verdict(struct monime_call *call, const struct mn_verdict *found)
{
	mn_call_fact_word(call, "source", found->stale ? "stale" : "cache");
	mn_call_fact(call, "age", "%lld", (long long)found->age / 1000);
	if (found->code == MONIME_OK) {
		mn_call_fact_word(call, "environment",
		    mn_profile_environment(
		    call->m->first->profile->environment));
		note_fingerprint(call);
	}
	/* What was told then is over when the API may be asked again. */
	if (found->code == MONIME_ELIMIT)
		mn_call_fact(call, "retry-after", "%d",
		    MN_VERDICTS_HOLD / 1000);
}

void
mn_probe_tell(struct monime_call *call)
{
	call->remembered = false;
	note_verdict(call, &call->found);
}

int
mn_probe_answer(struct monime *m, const char *token, size_t len,
    const struct mn_verdict *found, void *data, struct monime_call **out)
{
	const char *name = m->first->profile->name;
	int r = found->code;

	if (out != NULL) {
		*out = mn_call_new_remembered(m, token, len, data);
		if (*out == NULL)
			return MONIME_ENOMEM;
		(*out)->found = *found;
		(*out)->result = r;
		if (r != MONIME_OK)
			(void)mn_error_add(&(*out)->error, r,
			    "%s: remembered: %s", name, monime_strerror(r));
	}
	mn_metrics_verdict(m, r, found->stale ?
	    MN_SOURCE_STALE : MN_SOURCE_CACHE);
	if (mn_log_wanted(&m->log, LOG_DEBUG) || r != MONIME_OK)
		mn_call_log(m, name, r, NULL);
	return r;
}

/* End a call by what is remembered. */
static void
answer(struct monime_call *call, const struct mn_verdict *found)
{
	note_verdict(call, found);
	if (found->code == MONIME_OK)
		(void)mn_call_end(call, MONIME_OK);
	else
		(void)mn_call_finish(call, found->code, "%s: remembered: %s",
		    call->edition->profile->name,
		    monime_strerror(found->code));
}

static void
limited(struct monime_call *call)
{
	mn_call_fact_word(call, "retry-after", "1");
	(void)mn_call_finish(call, MONIME_ELIMIT, "%s: more tokens are to be "
	    "checked than check.probes and check.probe_rate allow",
	    call->edition->profile->name);
}

static void
nobody_knows(struct monime_call *call)
{
	(void)mn_call_finish(call, MONIME_ENET,
	    "%s: no verdict within the time limit",
	    call->edition->profile->name);
}

static void
list_add(struct mn_asking **list, struct mn_asking *a)
{
	a->next = *list;
	a->link = list;
	if (a->next != NULL)
		a->next->link = &a->next;
	*list = a;
}

static void
list_remove(struct mn_asking *a)
{
	*a->link = a->next;
	if (a->next != NULL)
		a->next->link = a->link;
	a->link = NULL;
}

static void
wait_add(struct mn_asking *a, struct monime_call *call)
{
	call->wait.next = a->waiting;
	call->wait.link = &a->waiting;
	if (a->waiting != NULL)
		a->waiting->wait.link = &call->wait.next;
	a->waiting = call;
}

static void
wait_remove(struct monime_call *call)
{
	if (call->wait.link == NULL)
		return;
	*call->wait.link = call->wait.next;
	if (call->wait.next != NULL)
		call->wait.next->wait.link = call->wait.link;
	call->wait.link = NULL;
}

static void
put(struct mn_asking *a)
{
	if (__atomic_sub_fetch(&a->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	mn_call_free(a->call);
	free(a);
}

/* The call waits no longer. */
static void
part(struct monime_call *call)
{
	struct mn_asking *a = call->wait.asking;

	call->wait.asking = NULL;
	if (a != NULL)
		put(a);
}

/* What was learned, for a call that waited. */
static void
finish(struct monime_call *call)
{
	struct mn_asking *a = call->wait.asking;

	if (a->remembered) {
		answer(call, &a->found);
	} else {
		mn_call_copy(call, a->call);
		if (a->found.code == MONIME_OK)
			note_fingerprint(call);
		(void)mn_call_end(call, a->found.code);
	}
	part(call);
}

/*
 * The loop: who drives, and who is told
 */

/* Nobody drives any more: somebody who wants to know goes on.  Locked. */
static void
hand_over(struct mn_probes *p)
{
	p->driven = false;
	if (p->sleeping > 0)
		(void)pthread_cond_broadcast(&p->changed);
	/* What is left to do there was told while somebody else drove. */
	if (p->nested > 0)
		mn_waiter_signal(&p->inbox);
}

/* A call of the host's loop that is to be told, or NULL.  Locked. */
static struct monime_call *
told(struct mn_probes *p)
{
	struct monime_call *call;
	struct mn_asking *a;

	while ((a = p->told) != NULL) {
		call = a->waiting;
		if (call != NULL) {
			wait_remove(call);
			return call;
		}
		list_remove(a);
		put(a);
	}
	return NULL;
}

/* In the host's loop: something has happened in the one inside. */
static void
attend(void *arg)
{
	struct mn_probes *p = arg;
	struct monime_call *call;
	bool more = false;
	int n;

	(void)pthread_mutex_lock(&p->lock);
	if (p->inbox.link == NULL)
		(void)mn_loop_wait(p->host, &p->inbox);
	if (!p->driven) {
		p->driven = true;
		(void)pthread_mutex_unlock(&p->lock);
		more = mn_loop_run(p->loop, false);
		(void)pthread_mutex_lock(&p->lock);
		p->driven = false;
		if (p->sleeping > 0)
			(void)pthread_cond_broadcast(&p->changed);
	}
	for (n = 0; n < MN_PROBE_TOLD && (call = told(p)) != NULL; n++) {
		(void)pthread_mutex_unlock(&p->lock);
		finish(call);
		(void)pthread_mutex_lock(&p->lock);
	}
	if (more || n == MN_PROBE_TOLD)
		mn_waiter_signal(&p->inbox);
	(void)pthread_mutex_unlock(&p->lock);
}

void
mn_probe_done(struct monime_call *call)
{
	struct mn_asking *a = call->wait.asking;
	struct mn_probes *p = call->m->probes;
	int code = call->result;
	int status = call->status;

	if (a->claim.claim != 0 &&
	    (code == MONIME_ENOMEM || code == MONIME_ESYS)) {
		/* What is our own fault says nothing of the token. */
		mn_verdicts_release(call->edition->verdicts, &a->claim);
	} else if (a->claim.claim != 0) {
		mn_verdicts_store(call->edition->verdicts, &a->claim, code,
		    code == MONIME_ENET || code == MONIME_ELOST ||
		    (code == MONIME_EHTTP && status >= 500),
		    mn_verdicts_time(), &a->found);
		a->remembered = a->found.code != code || a->found.stale;
	}
	if (!a->remembered)
		a->found.code = code;
	if (call->lanes != NULL)
		mn_loop_let(call->lanes);
	call->lanes = NULL;
	call->loop = NULL;
	(void)pthread_mutex_lock(&p->lock);
	list_remove(a);
	__atomic_store_n(&a->done, true, __ATOMIC_RELEASE);
	if (a->nested && --p->nested == 0)
		mn_loop_unnest(p->host, p->loop);
	if (a->waiting != NULL) {
		(void)__atomic_add_fetch(&a->references, 1, __ATOMIC_RELAXED);
		list_add(&p->told, a);
		mn_waiter_signal(&p->inbox);
	}
	if (p->sleeping > 0)
		(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
	put(a);
}

/* What another process learns is written where this one looks. */
static void
look_again(struct monime_call *call)
{
	struct mn_asking *a = call->wait.asking;
	int64_t ms = a->poll;

	if (call->expired) {
		nobody_knows(call);
		return;
	}
	switch (mn_verdicts_claim(call->edition->verdicts, &a->id,
	    mn_verdicts_time(), a->deadline, &a->claim, &a->found)) {
	case MN_CLAIM_HIT:
		a->remembered = true;
		(void)mn_call_end(call, a->found.code);
		return;
	case MN_CLAIM_MINE:
		__atomic_store_n(&a->began, a->claim.started,
		    __ATOMIC_RELAXED);
		a->ask(call);
		return;
	case MN_CLAIM_LIMITED:
		limited(call);
		return;
	case MN_CLAIM_BUSY:
		break;
	}
	if (a->poll < MN_PROBE_POLL_MAX)
		a->poll *= 2;
	mn_call_sleep(call, ms, look_again);
}

static void
begin(struct mn_probes *p, struct mn_asking *a)
{
	struct monime_call *call = a->call;
	int64_t left = a->deadline - mn_verdicts_time();

	call->loop = p->loop;
	call->lanes = mn_edition_lanes(&p->lanes, p->loop, call->edition);
	if (call->lanes == NULL) {
		(void)mn_call_end(call, MONIME_ENOMEM);
		return;
	}
	mn_loop_hold(call->lanes);
	call->next = look_again;
	/* Nobody drove in time: that the API was not asked is no outage. */
	if (left <= 0) {
		mn_verdicts_release(call->edition->verdicts, &a->claim);
		left = 0;
	}
	if (!mn_call_clock(call, left))
		return;
	if (a->claim.claim != 0)
		a->ask(call);
	else
		mn_call_sleep(call, a->poll, look_again);
}

/* In the loop: begin what is queued. */
static void
on_wake(void *arg)
{
	struct mn_probes *p = arg;
	struct mn_asking *a, *queue;

	(void)pthread_mutex_lock(&p->lock);
	(void)mn_loop_wait(p->loop, &p->wake);
	queue = p->queue;
	p->queue = NULL;
	(void)pthread_mutex_unlock(&p->lock);
	while ((a = queue) != NULL) {
		queue = a->queued;
		begin(p, a);
	}
}

static bool
open_loop(struct mn_probes *p)
{
	if (p->loop != NULL)
		return true;
	p->loop = mn_loop_new();
	if (p->loop == NULL)
		return false;
	p->wake.fire = on_wake;
	p->wake.arg = p;
	if (mn_loop_fd(p->loop) >= 0 && mn_loop_wait(p->loop, &p->wake))
		return true;
	mn_loop_free(p->loop);
	p->loop = NULL;
	return false;
}

/*
 * A call joins
 */

static bool
same(const struct mn_verdict_id *a, const struct mn_verdict_id *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/*
 * May its answer be for one who comes now?  A yes is as old as its probe, and
 * none that is older than ttl lets anybody in.  Without ttl no yes is
 * remembered, but who comes meanwhile shares.
 */
static bool
is_young(const struct mn_asking *a, int64_t now)
{
	int64_t began = __atomic_load_n(&a->began, __ATOMIC_RELAXED);
	int64_t ttl = a->call->edition->profile->check.ttl;

	return began == 0 || ttl == 0 || now - began < ttl;
}

/* Who asks about that token already, with some time left?  Locked. */
static struct mn_asking *
find(const struct mn_probes *p, const struct monime_call *call,
    const struct mn_verdict_id *id, int64_t now)
{
	struct mn_asking *a;

	for (a = p->asking; a != NULL; a = a->next) {
		if (same(&a->id, id) && now < a->deadline &&
		    is_young(a, now) &&
		    a->call->edition->verdicts == call->edition->verdicts)
			break;
	}
	return a;
}

static struct mn_asking *
asking_new(struct monime_call *call, const struct mn_probe *claim,
    int64_t deadline, void (*ask)(struct monime_call *call))
{
	struct mn_asking *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->call = mn_call_new_probe(call);
	if (a->call == NULL) {
		free(a);
		return NULL;
	}
	a->references = 1;
	a->call->wait.asking = a;
	a->id = claim->id;
	a->claim = *claim;
	a->began = claim->claim != 0 ? claim->started : 0;
	a->deadline = deadline;
	a->poll = MN_PROBE_POLL;
	a->ask = ask;
	return a;
}

/* A new asking, to be begun by whoever drives.  Locked. */
static struct mn_asking *
enqueue(struct monime_call *call, const struct mn_probe *claim,
    int64_t deadline, void (*ask)(struct monime_call *call))
{
	struct mn_probes *p = call->m->probes;
	struct mn_asking *a = asking_new(call, claim, deadline, ask);

	if (a == NULL)
		return NULL;
	list_add(&p->asking, a);
	a->queued = p->queue;
	p->queue = a;
	mn_waiter_signal(&p->wake);
	return a;
}

/* Have the host's loop told of what happens in ours.  Locked. */
static bool
nest(struct mn_probes *p, struct mn_asking *a, struct mn_loop *host)
{
	if (a->nested)
		return true;
	p->host = host;
	p->inbox.fire = attend;
	p->inbox.arg = p;
	if (p->inbox.link == NULL && !mn_loop_wait(host, &p->inbox))
		return false;
	if (p->nested == 0 && !mn_loop_nest(host, p->loop, attend, p))
		return false;
	a->nested = true;
	p->nested++;
	return true;
}

enum joined {
	JOINED,
	ANSWERED,		/* by *found */
	LIMITED,
	NO_MEMORY,
	NO_LOOP
};

/* Wait for whoever asks, or ask.  Locked. */
static enum joined
join(struct monime_call *call, void (*ask)(struct monime_call *call),
    struct mn_verdict *found)
{
	const struct mn_edition *e = call->edition;
	struct mn_probes *p = call->m->probes;
	int64_t now = mn_verdicts_time();
	int64_t deadline = now + e->profile->check.timeout;
	struct mn_verdict_id id;
	struct mn_probe claim;
	struct mn_asking *a;
	const char *token;
	size_t len;

	token = mn_credential_token(call->bearer, &len);
	if (mn_verdicts_look(e->verdicts, token, len, now, &id, found))
		return ANSWERED;
	if (!open_loop(p))
		return NO_LOOP;
	a = find(p, call, &id, now);
	if (a == NULL) {
		switch (mn_verdicts_claim(e->verdicts, &id, now, deadline,
		    &claim, found)) {
		case MN_CLAIM_HIT:
			return ANSWERED;
		case MN_CLAIM_LIMITED:
			return LIMITED;
		case MN_CLAIM_BUSY:
		case MN_CLAIM_MINE:
			break;
		}
		/* Somebody may have asked and known since we read the clock. */
		if (mn_verdicts_look(e->verdicts, token, len,
		    mn_verdicts_time(), &id, found)) {
			mn_verdicts_release(e->verdicts, &claim);
			return ANSWERED;
		}
		a = enqueue(call, &claim, deadline, ask);
		if (a == NULL) {
			mn_verdicts_release(e->verdicts, &claim);
			return NO_MEMORY;
		}
	}
	if (call->loop != NULL && !nest(p, a, call->loop))
		return NO_LOOP;
	(void)__atomic_add_fetch(&a->references, 1, __ATOMIC_RELAXED);
	call->wait.asking = a;
	if (call->loop != NULL)
		wait_add(a, call);
	return JOINED;
}

/* False: the call has ended. */
static bool
start(struct monime_call *call, void (*ask)(struct monime_call *call))
{
	struct mn_probes *p = call->m->probes;
	struct mn_verdict found;
	enum joined how;

	(void)pthread_mutex_lock(&p->lock);
	how = join(call, ask, &found);
	(void)pthread_mutex_unlock(&p->lock);
	switch (how) {
	case JOINED:
		return true;
	case ANSWERED:
		answer(call, &found);
		return false;
	case LIMITED:
		limited(call);
		return false;
	case NO_MEMORY:
		(void)mn_call_end(call, MONIME_ENOMEM);
		return false;
	case NO_LOOP:
	default:
		(void)mn_call_finish(call, MONIME_ESYS,
		    "no descriptor for an epoll instance");
		return false;
	}
}

static bool
is_done(const struct mn_asking *a)
{
	return __atomic_load_n(&a->done, __ATOMIC_ACQUIRE);
}

/* On the host's loop: the deadline came before the call was told. */
static void
on_late(struct monime_call *call)
{
	struct mn_probes *p = call->m->probes;

	(void)pthread_mutex_lock(&p->lock);
	wait_remove(call);
	(void)pthread_mutex_unlock(&p->lock);
	/* With many to be told, that is no reason not to know. */
	if (is_done(call->wait.asking)) {
		finish(call);
		return;
	}
	part(call);
	nobody_knows(call);
}

void
mn_probe_join(struct monime_call *call,
    void (*ask)(struct monime_call *call))
{
	call->next = on_late;
	if (mn_call_clock(call, call->edition->profile->check.timeout +
	    MN_PROBE_GRACE))
		(void)start(call, ask);
}

/* A blocking call's deadline has come, while it drives. */
static void
on_time(void *arg)
{
	struct monime_call *call = arg;

	call->expired = true;
}

/* Nobody else drives: do it until the verdict is there. */
static void
drive(struct mn_probes *p, struct monime_call *call)
{
	/* Where no timer is to be had the probe's own has to do. */
	(void)mn_loop_set(p->loop, &call->deadline, call->deadline.at);
	while (!is_done(call->wait.asking) && !call->expired)
		(void)mn_loop_run(p->loop, true);
	mn_loop_unset(p->loop, &call->deadline);
}

/* Sleep until something changes, or the deadline.  Locked. */
static void
doze(struct mn_probes *p, struct monime_call *call)
{
	const struct timespec until = {
		.tv_sec = call->deadline.at / 1000,
		.tv_nsec = call->deadline.at % 1000 * 1000000,
	};

	p->sleeping++;
	if (pthread_cond_timedwait(&p->changed, &p->lock, &until) ==
	    ETIMEDOUT)
		call->expired = true;
	p->sleeping--;
}

static void
await(struct monime_call *call)
{
	struct mn_probes *p = call->m->probes;
	bool done;

	(void)pthread_mutex_lock(&p->lock);
	while (!(done = is_done(call->wait.asking)) && !call->expired) {
		if (p->driven) {
			doze(p, call);
			continue;
		}
		p->driven = true;
		(void)pthread_mutex_unlock(&p->lock);
		drive(p, call);
		(void)pthread_mutex_lock(&p->lock);
		hand_over(p);
	}
	(void)pthread_mutex_unlock(&p->lock);
	if (done) {
		finish(call);
		return;
	}
	part(call);
	nobody_knows(call);
}

int
mn_probe_block(struct monime_call *call,
    void (*ask)(struct monime_call *call), struct monime_call **out)
{
	if (call != NULL && call->result == MONIME_EPENDING) {
		call->deadline.fire = on_time;
		call->deadline.at = mn_loop_time() + MN_PROBE_GRACE +
		    call->edition->profile->check.timeout;
		if (start(call, ask))
			await(call);
	}
	return mn_call_give(call, out);
}

void
mn_probe_leave(struct monime_call *call)
{
	struct mn_probes *p = call->m->probes;

	if (call->wait.asking == NULL || call->kind == MN_VERB_PROBE)
		return;
	(void)pthread_mutex_lock(&p->lock);
	wait_remove(call);
	(void)pthread_mutex_unlock(&p->lock);
	part(call);
}

/*
 * The end
 */

/* Whoever still waits has been canceled.  Locked. */
static void
drop(struct mn_asking *a)
{
	struct monime_call *call;

	while ((call = a->waiting) != NULL) {
		wait_remove(call);
		part(call);
	}
	list_remove(a);
	put(a);
}

static void
drop_all(struct mn_probes *p)
{
	while (p->asking != NULL)
		drop(p->asking);
	while (p->told != NULL)
		drop(p->told);
	p->queue = NULL;
}

void
mn_probe_close(struct monime *m)
{
	struct mn_probes *p = m->probes;
	struct mn_asking *a;

	if (p == NULL || p->loop == NULL)
		return;
	for (a = p->asking; a != NULL; a = a->next) {
		mn_verdicts_release(a->call->edition->verdicts, &a->claim);
		mn_call_abandon(a->call);
		if (a->call->lanes != NULL)
			mn_loop_let(a->call->lanes);
	}
	drop_all(p);
	mn_edition_lanes_retire(&p->lanes);
	mn_loop_free(p->loop);
	p->loop = NULL;
}

void
mn_probe_forget(struct monime *m)
{
	struct mn_probes *p = m->probes;

	if (p->loop == NULL)
		return;
	/* What the parent asks about is asked about there. */
	drop_all(p);
	mn_loop_forget(p->loop);
	p->loop = p->host = NULL;
	p->lanes = (struct mn_edition_lanes){ NULL, NULL };
	p->nested = 0;
	p->inbox.link = NULL;
	p->driven = false;
}
