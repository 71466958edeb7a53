/* SPDX-License-Identifier: MIT */

/* Editions of a profile.  See edition.h. */

#define _GNU_SOURCE
#include "edition.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guard.h"
#include "oauth2.h"
#include "text.h"
#include "verdicts.h"

#include "banned.h"

static void
configure_wire(struct mn_edition *e)
{
	const struct mn_profile *p = e->profile;

	e->wire.origin = mn_guard_origin(p, e->provider);
	e->wire.proxy = p->host.proxy;
	e->wire.ca_path = p->host.ca_path;
	if (p->host.ca != NULL) {
		e->wire.ca_path = NULL;
		e->wire.ca = mn_secret_get(p->host.ca);
		e->wire.ca_len = mn_secret_len(p->host.ca);
	}
	e->wire.connections = (int)p->connections;
}

static int
load_credential(struct mn_edition *e, struct mn_error *error)
{
	struct mn_profile *p = e->profile;

	if (e->provider->oauth2 && p->oauth2.set) {
		e->oauth2 = mn_oauth2_new(p, e->wire.origin);
		if (e->oauth2 == NULL)
			return mn_error_add(error, MONIME_ENOMEM, "%s",
			    monime_strerror(MONIME_ENOMEM));
	}
	if (p->token == NULL)
		return MONIME_OK;
	e->credential = mn_credential_new(p->token);
	if (e->credential == NULL)
		return mn_error_add(error, MONIME_ENOMEM, "%s",
		    monime_strerror(MONIME_ENOMEM));
	/* What travels is in the credential now. */
	mn_secret_free(p->token);
	p->token = NULL;
	return MONIME_OK;
}

/* What a verdict depends on: under another policy it would be none. */
static int
open_verdicts(struct mn_edition *e, struct mn_error *error)
{
	const struct mn_profile *p = e->profile;
	const struct mn_verdicts_config config = {
		.ttl = p->check.ttl,
		.negative_ttl = p->check.negative_ttl,
		.stale = p->check.stale,
		.timeout = p->check.timeout,
		.entries = p->check.entries,
		.probes = p->check.probes,
		.probe_rate = p->check.probe_rate,
	};
	const int accept = (int)mn_guard_accept(p, e->provider);
	const char *path = mn_guard_check_path(p, e->provider);
	const char *text[] = {
		p->path, p->name, e->provider->name, e->wire.origin,
		p->space != NULL ? p->space : "", path != NULL ? path : "",
	};
	struct mn_piece piece[1 + sizeof(text) / sizeof(text[0])] = {
		{ &accept, sizeof(accept) }
	};
	size_t i;

	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		piece[1 + i] = (struct mn_piece){ text[i], strlen(text[i]) };
	e->verdicts = mn_verdicts_open(&config, piece,
	    sizeof(piece) / sizeof(piece[0]));
	if (e->verdicts == NULL)
		return mn_error_add(error, MONIME_ENOMEM, "%s",
		    monime_strerror(MONIME_ENOMEM));
	return MONIME_OK;
}

static int
load(struct mn_edition *e, const char *name, const char *folder,
    bool *withdrawn, struct mn_error *error)
{
	int r;

	r = mn_profile_open(name, folder, (int64_t)time(NULL), &e->profile,
	    error);
	*withdrawn = r == MONIME_EENVIRONMENT;
	if (r != MONIME_OK)
		return r;
	e->provider = mn_provider_find(e->profile->provider,
	    e->profile->product);
	if (e->provider == NULL)
		return mn_error_add(error, MONIME_ECONFIG,
		    "%s: no such provider or product", e->profile->path);
	r = mn_guard_profile(e->profile, e->provider, error);
	if (r != MONIME_OK)
		return r;
	configure_wire(e);
	r = open_verdicts(e, error);
	if (r != MONIME_OK)
		return r;
	return load_credential(e, error);
}

int
mn_edition_open(const char *name, const char *folder, struct mn_edition **out,
    bool *withdrawn, struct mn_error *error)
{
	struct mn_edition *e;
	int r;

	*out = NULL;
	*withdrawn = false;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return mn_error_add(error, MONIME_ENOMEM, "%s",
		    monime_strerror(MONIME_ENOMEM));
	e->references = 1;
	(void)pthread_mutex_init(&e->lock, NULL);
	r = load(e, name, folder, withdrawn, error);
	if (r == MONIME_OK)
		*out = e;
	else
		mn_edition_free(e);
	return r;
}

struct mn_edition *
mn_edition_keep(struct mn_edition *e)
{
	(void)__atomic_add_fetch(&e->references, 1, __ATOMIC_RELAXED);
	return e;
}

void
mn_edition_free(struct mn_edition *e)
{
	if (e == NULL || __atomic_sub_fetch(&e->references, 1,
	    __ATOMIC_ACQ_REL) > 0)
		return;
	mn_edition_retire(e);
	mn_oauth2_free(e->oauth2);
	mn_verdicts_close(e->verdicts);
	mn_credential_free(e->credential);
	mn_credential_free(e->former);
	mn_profile_free(e->profile);
	(void)pthread_mutex_destroy(&e->lock);
	free(e);
}

void
mn_edition_retire(struct mn_edition *e)
{
	(void)pthread_mutex_lock(&e->lock);
	e->retired = true;
	while (e->idles > 0)
		mn_loop_free(mn_loop_of(e->idle[--e->idles]));
	(void)pthread_mutex_unlock(&e->lock);
}

void
mn_edition_succeed(struct mn_edition *e, struct mn_edition *former)
{
	struct mn_credential *c = former->credential;

	/* A token that never worked is no help; the one before it may be. */
	if (c != NULL && !mn_credential_proved(c) && former->former != NULL)
		c = former->former;
	if (e->credential != NULL && c != NULL)
		e->former = mn_credential_keep(c);
	if (e->oauth2 != NULL && former->oauth2 != NULL)
		mn_oauth2_succeed(e->oauth2, former->oauth2);
}

bool
mn_edition_compatible(const struct mn_edition *a, const struct mn_edition *b,
    const char **what)
{
	*what = NULL;
	if (a->provider != b->provider)
		*what = "provider or product";
	else if (!mn_text_same(a->wire.origin, b->wire.origin))
		*what = "origin";
	else if (!mn_text_same(a->profile->space, b->profile->space))
		*what = "space";
	return *what == NULL;
}

static void
drop(void *owner)
{
	mn_edition_free(owner);
}

struct mn_lanes *
mn_edition_lanes(struct mn_edition_lanes *now, struct mn_loop *l,
    struct mn_edition *e)
{
	struct mn_lanes *lanes;

	if (now->edition == e)
		return now->lanes;
	lanes = mn_loop_open(l, &e->wire, drop, mn_edition_keep(e));
	if (lanes == NULL) {
		mn_edition_free(e);
		return NULL;
	}
	mn_edition_lanes_retire(now);
	now->edition = e;
	now->lanes = lanes;
	return lanes;
}

void
mn_edition_lanes_retire(struct mn_edition_lanes *now)
{
	if (now->lanes != NULL)
		mn_loop_retire(now->lanes);
	*now = (struct mn_edition_lanes){ NULL, NULL };
}

struct mn_lanes *
mn_edition_loop_take(struct mn_edition *e)
{
	struct mn_lanes *lanes = NULL;
	struct mn_loop *l;

	(void)pthread_mutex_lock(&e->lock);
	if (e->idles > 0)
		lanes = e->idle[--e->idles];
	(void)pthread_mutex_unlock(&e->lock);
	if (lanes != NULL || (l = mn_loop_new()) == NULL)
		return lanes;
	lanes = mn_loop_open(l, &e->wire, NULL, NULL);
	if (lanes == NULL)
		mn_loop_free(l);
	return lanes;
}

void
mn_edition_loop_give(struct mn_edition *e, struct mn_lanes *lanes)
{
	(void)pthread_mutex_lock(&e->lock);
	if (e->idles < MN_LOOPS_KEPT && !e->retired) {
		e->idle[e->idles++] = lanes;
		lanes = NULL;
	}
	(void)pthread_mutex_unlock(&e->lock);
	if (lanes != NULL)
		mn_loop_free(mn_loop_of(lanes));
}

void
mn_edition_forget(struct mn_edition *e)
{
	while (e->idles > 0)
		mn_loop_forget(mn_loop_of(e->idle[--e->idles]));
	if (e->oauth2 != NULL)
		mn_oauth2_forget(e->oauth2);
}
