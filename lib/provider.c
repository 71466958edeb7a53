/* SPDX-License-Identifier: MIT */

/* The table of providers and products.  See provider.h. */

#define _GNU_SOURCE
#include "provider.h"

#include <string.h>

#include "text.h"
#include "banned.h"

/* Mono: "Idempotency Keys": 255 characters on one page, UUIDv4 on another. */
#define MONO_COMMON						\
	.key_header = "X-Idempotency-Key",			\
	.key_max = 255,						\
	.key_methods = MN_POST | MN_PUT | MN_PATCH,		\
	.retry = { { 408, 408 }, { 500, 500 }, { 502, 504 } },	\
	.unauthorized = "the credential is missing, malformed, "	\
	    "expired or revoked: replace it",			\
	.forbidden = "the credential is valid, but its role does not "	\
	    "grant this, or it belongs to another tenant",	\
	.webhook = { .separator = '.', .base64 = false }

#define MONO_STATIC						\
	.origin = { "https://api.sandbox.cuentamono.com",	\
	    "https://api.cuentamono.com" }

static const struct mn_provider providers[] = {
	{
		.name = "monime",
		/* One origin for both: the token alone picks. */
		.origin = { "https://api.monime.io", "https://api.monime.io" },
		.prefix = { "mon_test_", "mon_" },
		.space_header = "Monime-Space-Id",
		.version_header = "Monime-Version",
		.key_header = "Idempotency-Key",
		.key_max = 64,
		.key_methods = MN_POST,
		.request_id_header = "Monime-Request-Id",
		.token_test = true,
		.retry = { { 500, 599 } },
		.unauthorized = "the access token is missing, invalid, "
		    "expired or revoked: send a valid and active one",
		.forbidden = "the token is valid, but lacks the permission, "
		    "or its owner has no access to the Space: grant the "
		    "permission, or adjust the owner's role in the Space",
		.webhook = { .separator = '_', .base64 = true },
	},
	{ .name = "mono", .product = "banking", MONO_STATIC, MONO_COMMON },
	{ .name = "mono", .product = "core", MONO_STATIC, MONO_COMMON },
	{
		.name = "mono", .product = "breb", .oauth2 = true,
		.origin = { "https://breb-participant.sandbox.mono.la", NULL },
		MONO_COMMON
	},
	{ .name = "mono", .product = "wallet", .oauth2 = true, MONO_COMMON },
};

static const struct {
	const char *name;
	unsigned int method;
} methods[] = {
	{ "GET", MN_GET },	{ "HEAD", MN_HEAD },
	{ "POST", MN_POST },	{ "PUT", MN_PUT },
	{ "PATCH", MN_PATCH },	{ "DELETE", MN_DELETE },
};

const struct mn_provider *
mn_provider_find(const char *name, const char *product)
{
	size_t i;

	for (i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
		if (mn_text_same(providers[i].name, name) &&
		    mn_text_same(providers[i].product, product))
			return &providers[i];
	}
	return NULL;
}

static bool
begins(const char *token, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && memcmp(token, prefix, n) == 0;
}

bool
mn_provider_environment(const struct mn_provider *p, const char *token,
    size_t len, enum mn_environment *environment)
{
	/* "mon_test_" begins with "mon_", so test is asked first. */
	if (p->prefix[MN_TEST] != NULL &&
	    begins(token, len, p->prefix[MN_TEST])) {
		*environment = MN_TEST;
		return true;
	}
	if (p->prefix[MN_LIVE] != NULL &&
	    begins(token, len, p->prefix[MN_LIVE])) {
		*environment = MN_LIVE;
		return true;
	}
	return false;
}

/* A port does not make another origin of a host. */
static bool
same_host(const char *a, const char *b)
{
	const size_t scheme = sizeof("https://") - 1;
	size_t n;

	if (a == NULL || b == NULL || strlen(a) < scheme)
		return false;
	n = scheme + strcspn(a + scheme, ":/");
	return strncmp(a, b, n) == 0 && (b[n] == '\0' || b[n] == ':');
}

bool
mn_provider_forbids(const struct mn_provider *p, const char *origin,
    enum mn_environment environment)
{
	enum mn_environment other = environment == MN_TEST ? MN_LIVE : MN_TEST;
	const struct mn_provider *q;
	size_t i;

	/* Any product's: a provider's environments are apart as a whole. */
	for (i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
		q = &providers[i];
		if (mn_text_same(q->name, p->name) &&
		    same_host(origin, q->origin[other]) &&
		    !same_host(origin, q->origin[environment]))
			return true;
	}
	return false;
}

bool
mn_provider_retries(const struct mn_provider *p, int status)
{
	size_t i;

	for (i = 0; i < sizeof(p->retry) / sizeof(p->retry[0]); i++) {
		if (status >= p->retry[i].low && status <= p->retry[i].high &&
		    p->retry[i].low != 0)
			return true;
	}
	return false;
}

unsigned int
mn_provider_method(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(methods[i].name, name) == 0)
			return methods[i].method;
	}
	return 0;
}
