/* SPDX-License-Identifier: MIT */

/*
 * The vocabulary of the files: one row for each key, which the reader, the
 * manual's check and the end of a profile's life all go by.
 */

#define _GNU_SOURCE
#include "keys.h"

#include <stdlib.h>
#include <string.h>

#include "form.h"

#include "banned.h"

#define AT(field)	offsetof(struct mn_profile, field)
#define RANGE(low, high)	.min = (low), .max = (high)
#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

#define KIB	INT64_C(1024)
#define MIB	(1024 * KIB)
#define SECOND	INT64_C(1000)
#define MINUTE	(60 * SECOND)
#define HOUR	(60 * MINUTE)
#define DAY	(24 * HOUR)

static const char *const providers[] = { "monime", "mono", NULL };
static const char *const products[] = {
	"banking", "core", "breb", "wallet", NULL
};
static const char *const methods[] = {
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL
};
/* In the order of enum mn_accept. */
static const char *const accepts[] = { "space", "path", "any", NULL };
/* In the order of enum mn_environment. */
static const char *const environments[] = { "test", "live", NULL };
static const char *const grants[] = {
	"client_credentials", "password", NULL
};
static const char *const auths[] = { "post", "basic", NULL };
static const char *const bodies[] = { "form", "json", NULL };

static const struct mn_conf_key profile_keys[] = {
	{ "provider", MN_CONF_STRING, AT(provider), .words = providers },
	{ "product", MN_CONF_STRING, AT(product), .words = products },
	{ "token", MN_CONF_SECRET, AT(token), .form = &mn_form_token },
	/* Where a path is wanted people paste the secret itself: hush. */
	{ "token_file", MN_CONF_STRING, AT(token_file), .form = &mn_form_file,
	    .hush = true },
	{ "space", MN_CONF_STRING, AT(space), .form = &mn_form_space },
	{ "version", MN_CONF_STRING, AT(version), .form = &mn_form_version },
	{ "base_url", MN_CONF_STRING, AT(base_url), .form = &mn_form_base },
	{ "owner", MN_CONF_STRING, AT(owner), .form = &mn_form_text },
	{ "purpose", MN_CONF_STRING, AT(purpose), .form = &mn_form_text },
	{ "scope", MN_CONF_STRING, AT(scope), .form = &mn_form_text },
	{ "rotate_by", MN_CONF_DATE, AT(rotate_by), RANGE(0, INT64_MAX) },
	{ "expires", MN_CONF_DATE, AT(expires), RANGE(0, INT64_MAX) },
	{ "timeout", MN_CONF_DURATION, AT(timeout), RANGE(100, 10 * MINUTE) },
	{ "connect_timeout", MN_CONF_DURATION, AT(connect_timeout),
	    RANGE(100, 10 * MINUTE) },
	{ "max_answer", MN_CONF_SIZE, AT(max_answer), RANGE(KIB, 64 * MIB) },
	{ "connections", MN_CONF_NUMBER, AT(connections), RANGE(1, 512) },
	{ "confirm_environment", MN_CONF_BOOL, .to = AT(confirm_environment) },
	{ "reload", MN_CONF_DURATION, AT(reload), RANGE(SECOND, HOUR) },

	{ "allow", .type = MN_CONF_GROUP },
	{ "allow.spaces", MN_CONF_LIST, AT(allow.spaces),
	    .form = &mn_form_space },
	{ "allow.methods", MN_CONF_LIST, AT(allow.methods), .words = methods },
	{ "allow.paths", MN_CONF_LIST, AT(allow.paths),
	    .form = &mn_form_pattern },
	{ "allow.addresses", MN_CONF_LIST, AT(allow.addresses),
	    .form = &mn_form_address },

	{ "check", .type = MN_CONF_GROUP },
	{ "check.accept", MN_CONF_ACCEPT, AT(check.accept), .words = accepts },
	{ "check.path", MN_CONF_STRING, AT(check.path), .form = &mn_form_path },
	{ "check.ttl", MN_CONF_DURATION, AT(check.ttl), RANGE(0, HOUR) },
	{ "check.negative_ttl", MN_CONF_DURATION, AT(check.negative_ttl),
	    RANGE(0, 10 * MINUTE) },
	{ "check.stale", MN_CONF_DURATION, AT(check.stale), RANGE(0, HOUR) },
	{ "check.entries", MN_CONF_NUMBER, AT(check.entries),
	    RANGE(64, 1048576) },
	{ "check.timeout", MN_CONF_DURATION, AT(check.timeout),
	    RANGE(100, 10 * MINUTE) },
	{ "check.probes", MN_CONF_NUMBER, AT(check.probes), RANGE(1, 512) },
	{ "check.probe_rate", MN_CONF_NUMBER, AT(check.probe_rate),
	    RANGE(1, 10000) },

	{ "retry", .type = MN_CONF_GROUP },
	{ "retry.attempts", MN_CONF_NUMBER, AT(attempts), RANGE(1, 10) },

	{ "oauth2", .type = MN_CONF_GROUP },
	{ "oauth2.token_url", MN_CONF_STRING, AT(oauth2.token_url),
	    .form = &mn_form_url },
	{ "oauth2.grant", MN_CONF_STRING, AT(oauth2.grant), .words = grants,
	    .value = "client_credentials" },
	{ "oauth2.client_id", MN_CONF_STRING, AT(oauth2.client_id),
	    .form = &mn_form_printable },
	{ "oauth2.client_secret", MN_CONF_SECRET, AT(oauth2.client_secret),
	    .form = &mn_form_password },
	{ "oauth2.client_secret_file", MN_CONF_STRING,
	    AT(oauth2.client_secret_file), .form = &mn_form_file,
	    .hush = true },
	{ "oauth2.username", MN_CONF_STRING, AT(oauth2.username),
	    .form = &mn_form_text },
	{ "oauth2.password", MN_CONF_SECRET, AT(oauth2.password),
	    .form = &mn_form_password },
	{ "oauth2.password_file", MN_CONF_STRING, AT(oauth2.password_file),
	    .form = &mn_form_file, .hush = true },
	{ "oauth2.scope", MN_CONF_STRING, AT(oauth2.scope),
	    .form = &mn_form_printable },
	{ "oauth2.audience", MN_CONF_STRING, AT(oauth2.audience),
	    .form = &mn_form_visible },
	{ "oauth2.auth", MN_CONF_STRING, AT(oauth2.auth), .words = auths,
	    .value = "post" },
	{ "oauth2.body", MN_CONF_STRING, AT(oauth2.body), .words = bodies,
	    .value = "form" },
	{ "oauth2.extra", MN_CONF_LIST, AT(oauth2.extra),
	    .form = &mn_form_parameter,
	    .hush = true },
	{ "oauth2.margin", MN_CONF_DURATION, AT(oauth2.margin),
	    RANGE(0, HOUR) },
	{ "oauth2.default_lifetime", MN_CONF_DURATION,
	    AT(oauth2.default_lifetime), RANGE(SECOND, DAY) },

	{ "webhook", .type = MN_CONF_GROUP },
	{ "webhook.secrets", MN_CONF_SECRETS, AT(webhook.secret),
	    .form = &mn_form_signing, .count = AT(webhook.n) },
	{ "webhook.secret_files", MN_CONF_LIST, AT(webhook.secret_files),
	    .form = &mn_form_file, .hush = true },
	{ "webhook.tolerance", MN_CONF_DURATION, AT(webhook.tolerance),
	    RANGE(SECOND, HOUR) },
};

static const struct mn_conf_key host_keys[] = {
	{ "environments", MN_CONF_SET, AT(host.environments),
	    .words = environments },
	{ "proxy", MN_CONF_STRING, AT(host.proxy), .form = &mn_form_proxy },
	{ "ca_file", MN_CONF_STRING, AT(host.ca_file), .form = &mn_form_file },
	{ "ca_path", MN_CONF_STRING, AT(host.ca_path), .form = &mn_form_file },
	{ "timeout", MN_CONF_DURATION, AT(timeout), RANGE(100, 10 * MINUTE) },
	{ "connect_timeout", MN_CONF_DURATION, AT(connect_timeout),
	    RANGE(100, 10 * MINUTE) },
	{ "check_timeout", MN_CONF_DURATION, AT(check.timeout),
	    RANGE(100, 10 * MINUTE) },
};

static const struct mn_conf_rule profile_rules[] = {
	{ NULL, NULL, MN_CONF_NEEDS, "provider", NULL },
	{ "provider", "mono", MN_CONF_NEEDS, "product", NULL },
	{ "provider", "monime", MN_CONF_EXCLUDES, "product", NULL },
	{ "token", NULL, MN_CONF_EXCLUDES, "token_file", NULL },
	{ "oauth2", NULL, MN_CONF_EXCLUDES, "token", NULL },
	{ "oauth2", NULL, MN_CONF_EXCLUDES, "token_file", NULL },
	{ "oauth2.client_secret", NULL, MN_CONF_EXCLUDES,
	    "oauth2.client_secret_file", NULL },
	{ "oauth2.client_secret", NULL, MN_CONF_NEEDS,
	    "oauth2.client_id", NULL },
	{ "oauth2.client_secret_file", NULL, MN_CONF_NEEDS,
	    "oauth2.client_id", NULL },
	{ "oauth2.password", NULL, MN_CONF_EXCLUDES,
	    "oauth2.password_file", NULL },
	{ "oauth2.grant", "client_credentials", MN_CONF_NEEDS,
	    "oauth2.client_secret", "oauth2.client_secret_file" },
	{ "oauth2.grant", "client_credentials", MN_CONF_EXCLUDES,
	    "oauth2.username", NULL },
	{ "oauth2.grant", "client_credentials", MN_CONF_EXCLUDES,
	    "oauth2.password", NULL },
	{ "oauth2.grant", "client_credentials", MN_CONF_EXCLUDES,
	    "oauth2.password_file", NULL },
	{ "oauth2.grant", "password", MN_CONF_NEEDS, "oauth2.username", NULL },
	{ "oauth2.grant", "password", MN_CONF_NEEDS,
	    "oauth2.password", "oauth2.password_file" },
	{ "oauth2.auth", "basic", MN_CONF_NEEDS,
	    "oauth2.client_secret", "oauth2.client_secret_file" },
	{ "webhook", NULL, MN_CONF_NEEDS,
	    "webhook.secrets", "webhook.secret_files" },
};

static const struct mn_conf_rule host_rules[] = {
	{ "ca_file", NULL, MN_CONF_EXCLUDES, "ca_path", NULL },
};

_Static_assert(ROWS(profile_keys) <= MN_CONF_KEYS, "MN_CONF_KEYS");

const struct mn_conf_table mn_keys_profile = {
	profile_keys, ROWS(profile_keys), profile_rules, ROWS(profile_rules)
};
const struct mn_conf_table mn_keys_host = {
	host_keys, ROWS(host_keys), host_rules, ROWS(host_rules)
};

const char *
mn_profile_key(size_t i)
{
	const struct mn_conf_table *const tables[] = {
		&mn_keys_host, &mn_keys_profile
	};
	size_t t, k;

	for (t = 0; t < ROWS(tables); t++) {
		for (k = 0; k < tables[t]->n; k++) {
			if (tables[t]->key[k].type == MN_CONF_GROUP)
				continue;
			if (i-- == 0)
				return tables[t]->key[k].name;
		}
	}
	return NULL;
}

void
mn_keys_defaults(struct mn_profile *p)
{
	p->host.environments[MN_TEST] = true;
	p->rotate_by = -1;
	p->expires = -1;
	p->check.accept = MN_ACCEPT_DEFAULT;
	p->check.ttl = MINUTE;
	p->check.negative_ttl = 5 * SECOND;
	p->check.stale = 0;
	p->check.timeout = 3 * SECOND;
	p->check.entries = 8192;
	p->check.probes = 64;
	p->check.probe_rate = 50;
	p->attempts = 3;
	p->timeout = 30 * SECOND;
	p->connect_timeout = 5 * SECOND;
	p->max_answer = 8 * MIB;
	p->connections = 64;
	p->confirm_environment = true;
	p->reload = 10 * SECOND;
	p->oauth2.margin = -1;
	p->oauth2.default_lifetime = 300 * SECOND;
	p->webhook.tolerance = 300 * SECOND;
}

static void
free_string(char **s)
{
	if (*s != NULL)
		mn_secret_wipe(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

static void
free_list(struct mn_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		free_string(&list->item[i]);
	free(list->item);
	list->item = NULL;
	list->n = 0;
}

static void
free_secrets(struct mn_secret **secret)
{
	size_t i;

	for (i = 0; i < MN_PROFILE_SECRETS; i++)
		mn_secret_free(secret[i]);
}

static void
free_value(struct mn_profile *p, const struct mn_conf_key *key)
{
	void *field = mn_conf_field(p, key);

	switch (key->type) {
	case MN_CONF_STRING:
		free_string(field);
		break;
	case MN_CONF_SECRET:
		mn_secret_free(*(struct mn_secret **)field);
		break;
	case MN_CONF_LIST:
		free_list(field);
		break;
	case MN_CONF_SECRETS:
		free_secrets(field);
		break;
	default:
		break;
	}
}

void
mn_keys_free(struct mn_profile *p)
{
	size_t i;

	for (i = 0; i < mn_keys_profile.n; i++)
		free_value(p, &mn_keys_profile.key[i]);
	for (i = 0; i < mn_keys_host.n; i++)
		free_value(p, &mn_keys_host.key[i]);
}
