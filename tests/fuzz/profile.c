/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the text of a profile and of the host's policy.  Each input is read as
 * both.  What passes keeps to the tables' bounds and belongs to its
 * environment; what does not has a reason, and the reason has no token in it.
 */

#include "fuzz.h"

#include "guard.h"
#include "keys.h"
#include "provider.h"

#define CANARY	"mon_test_CanaryThatNobodySees"

/*
 * Does it stand nowhere but where a string begins?  Elsewhere it is part of
 * another text, which may be quoted.
 */
static bool
is_hidden(const uint8_t *data, size_t size)
{
	const size_t n = sizeof(CANARY) - 1;
	const uint8_t *p = data, *end = data + size;
	bool found = false;

	while ((p = memmem(p, (size_t)(end - p), CANARY, n)) != NULL) {
		if (p == data || p[-1] != '"' ||
		    (p - data > 1 && p[-2] == '\\'))
			return false;
		found = true;
		p++;
	}
	return found;
}

static void
judge_string(const struct mn_conf_key *key, const char *s)
{
	size_t i;

	MUST(strlen(s) <= MN_PROFILE_STRING, "%s is too long", key->name);
	for (i = 0; s[i] != '\0'; i++)
		MUST((unsigned char)s[i] >= 0x20 && s[i] != 0x7f,
		    "%s has a control character", key->name);
}

static void
judge_list(const struct mn_conf_key *key, const struct mn_list *list)
{
	size_t i;

	MUST(list->n <= MN_PROFILE_ITEMS, "%s has %zu items", key->name,
	    list->n);
	for (i = 0; i < list->n; i++)
		judge_string(key, list->item[i]);
}

/* A value that was taken, or the default. */
static void
judge_value(struct mn_profile *p, struct mn_profile *defaults,
    const struct mn_conf_key *key)
{
	char **s;
	int64_t n;

	switch (key->type) {
	case MN_CONF_NUMBER:
	case MN_CONF_DURATION:
	case MN_CONF_SIZE:
	case MN_CONF_DATE:
		n = *(int64_t *)mn_conf_field(p, key);
		MUST((n >= key->min && n <= key->max) ||
		    n == *(int64_t *)mn_conf_field(defaults, key),
		    "%s is %lld", key->name, (long long)n);
		break;
	case MN_CONF_STRING:
		s = mn_conf_field(p, key);
		if (*s != NULL)
			judge_string(key, *s);
		break;
	case MN_CONF_LIST:
		judge_list(key, mn_conf_field(p, key));
		break;
	default:
		break;
	}
}

static void
judge_values(struct mn_profile *p, const struct mn_conf_table *table)
{
	struct mn_profile defaults;
	size_t i;

	memset(&defaults, 0, sizeof(defaults));
	mn_keys_defaults(&defaults);
	for (i = 0; i < table->n; i++)
		judge_value(p, &defaults, &table->key[i]);
	MUST(p->webhook.n <= MN_PROFILE_SECRETS, "%zu webhook secrets",
	    p->webhook.n);
}

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* What may be opened, in that environment. */
static void
judge_profile(const struct mn_profile *p, const struct mn_provider *v)
{
	const char *origin = mn_guard_origin(p, v);
	const char *path = mn_guard_check_path(p, v);
	struct mn_error e = MN_ERROR_INIT;
	bool test;

	MUST(begins(origin, "https://"), "origin %s", origin);
	MUST(strpbrk(origin + strlen("https://"), "/?#@") == NULL,
	    "origin %s", origin);
	MUST(path == NULL || mn_guard_path(path, &e) == MONIME_OK,
	    "check.path %s", path);
	/* By default it may be missing, until somebody wants to check. */
	MUST(p->check.accept != MN_ACCEPT_PATH || path != NULL,
	    "no check.path");
	if (p->token != NULL && v->prefix[MN_TEST] != NULL) {
		MUST(begins(mn_secret_get(p->token), "mon_"),
		    "no token of the provider's");
		test = begins(mn_secret_get(p->token), "mon_test_");
		MUST(test == (p->environment == MN_TEST),
		    "a token of the other environment");
	}
	mn_error_free(&e);
}

static void
guard(struct mn_profile *p, enum mn_environment environment,
    struct mn_error *e)
{
	const struct mn_provider *v;
	int r;

	p->environment = environment;
	v = mn_provider_find(p->provider, p->product);
	MUST(v != NULL, "no provider");
	r = mn_guard_profile(p, v, e);
	MUST((r == MONIME_OK) == (e->text.len == 0), "result %d, \"%s\"", r,
	    mn_error_get(e));
	if (r == MONIME_OK)
		judge_profile(p, v);
}

static void
read_as(const struct mn_conf_table *table, const uint8_t *data, size_t size,
    bool hidden)
{
	struct mn_secret *bytes = mn_secret_copy(MN_SECRET_PLAIN, data, size);
	struct mn_error e = MN_ERROR_INIT;
	struct mn_profile p;
	struct mn_conf conf = {
		.path = "/conf", .table = table, .p = &p, .e = &e
	};
	int r;

	memset(&p, 0, sizeof(p));
	p.name = "test/fuzz";
	p.path = "/conf";
	mn_keys_defaults(&p);
	r = mn_conf_read(&conf, bytes);
	MUST(r == MONIME_OK || r == MONIME_ECONFIG, "result %d", r);
	MUST((r == MONIME_OK) == (e.text.len == 0), "result %d, \"%s\"", r,
	    mn_error_get(&e));
	judge_values(&p, table);
	p.oauth2.set = table == &mn_keys_profile &&
	    mn_conf_line(&conf, "oauth2") != 0;
	if (r == MONIME_OK && table == &mn_keys_profile) {
		guard(&p, MN_TEST, &e);
		mn_error_free(&e);
		e.text.max = MN_ERROR_MAX;
		guard(&p, MN_LIVE, &e);
	}
	MUST(!hidden || strstr(mn_error_get(&e), CANARY) == NULL,
	    "a token in \"%s\"", mn_error_get(&e));
	mn_error_free(&e);
	mn_keys_free(&p);
	mn_secret_free(bytes);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return mn_secret_init() ? 0 : FUZZ_SKIP;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool hidden = is_hidden(data, size);

	read_as(&mn_keys_profile, data, size, hidden);
	read_as(&mn_keys_host, data, size, hidden);
	return 0;
}
