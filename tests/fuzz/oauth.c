/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: a token endpoint's answer (RFC 6749 5.1 and 5.2), and how long what it
 * gave is used.  The last byte chooses the profile's margin and lifetime.
 */

#include "json.h"

#undef _GNU_SOURCE
#include "../../lib/oauth2.c"

#define DEFAULT_LIFETIME	300000

static void
judge_lifetime(const json_t *v, int64_t got)
{
	uint64_t n;

	MUST(got >= 0, "a lifetime of %lld", (long long)got);
	if (v == NULL)
		MUST(got == 0, "a lifetime that nobody told");
	else if (json_is_integer(v))
		MUST(got == (peer.integer(v) > 0 ? peer.integer(v) : 0),
		    "a lifetime of %lld", (long long)got);
	else if (json_is_string(v) && mn_text_number(peer.string(v),
	    peer.length(v), INT64_MAX, &n))
		MUST(got == (int64_t)n, "a lifetime of %lld", (long long)got);
	else if (!json_is_string(v) && !json_is_real(v))
		MUST(got == 0, "a lifetime of %lld", (long long)got);
}

/* What there is of visible characters, and of nothing else. */
static bool
is_token_of(const json_t *root)
{
	const json_t *token = peer_member(root, "access_token");
	const json_t *type = peer_member(root, "token_type");
	size_t i, len;

	if (!json_is_string(token) || !json_is_string(type) ||
	    !mn_text_alike(peer.string(type), "bearer", SIZE_MAX) ||
	    strlen(peer.string(type)) != peer.length(type))
		return false;
	len = peer.length(token);
	for (i = 0; i < len; i++) {
		if (peer.string(token)[i] <= ' ' ||
		    peer.string(token)[i] > '~')
			return false;
	}
	return len > 0;
}

static void
judge_answer(const char *body, size_t len, bool good,
    const struct mn_answer_token *t)
{
	enum peer_says says;
	json_t *root;
	const json_t *token;
	bool odd;

	says = peer_parse(body, len, &root, &odd);
	if (good && !odd) {
		MUST(says == PEER_YES, "not JSON, or a key twice");
		MUST(is_token_of(root), "no bearer token");
		token = peer_member(root, "access_token");
		MUST(mn_secret_len(t->token) == peer.length(token) &&
		    memcmp(mn_secret_get(t->token), peer.string(token),
		    peer.length(token)) == 0, "another token");
		judge_lifetime(peer_member(root, "expires_in"), t->lifetime);
	}
	if (says == PEER_YES && peer_depth(body, len) < MN_ANSWER_DEPTH &&
	    is_token_of(root))
		MUST(good, "a token is none");
	peer_free(root);
}

/* It is used within its life, and not asked for anew for every request. */
static void
judge_use(const struct mn_profile *p, int64_t told)
{
	const struct mn_oauth2 o = { .profile = p };
	int64_t life = lifetime(&o, told);
	int64_t early = margin(&o, life);

	MUST(life > 0 && life <= MN_OAUTH2_LIFETIME_MAX * INT64_C(1000),
	    "a life of %lld", (long long)life);
	MUST(told <= 0 || told > MN_OAUTH2_LIFETIME_MAX ||
	    life == told * 1000, "a life of %lld", (long long)life);
	MUST(early >= 0 && early <= life / 2, "%lld of %lld",
	    (long long)early, (long long)life);
	MUST(patience(told) >= 0 && patience(told) <= MN_OAUTH2_REMEMBERED,
	    "a patience of %lld", (long long)patience(told));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (peer_open() && mn_secret_init())
		return 0;
	(void)fputs("no libjansson.so.4, or no random bytes\n", stderr);
	exit(FUZZ_SKIP);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t margins[] = { -1, 0, 1, 30000, 3600000 };
	struct mn_text text = MN_TEXT_INIT(SIZE_MAX / 2);
	struct mn_profile p = { .name = "test/fuzz" };
	struct mn_answer_token t;
	const char *why = NULL;
	unsigned int choice = size > 0 ? data[size - 1] : 0;
	bool good;

	p.oauth2.margin = margins[choice % 5];
	p.oauth2.default_lifetime = choice & 8 ? 1000 : DEFAULT_LIFETIME;
	mn_text_put(&text, data, size);
	good = mn_answer_token(mn_text_get(&text), size, &t, &why);
	MUST(good == (why == NULL), "%s", good ? why : "no reason");
	MUST(good == (t.token != NULL), "a token or none");
	MUST(mn_text_printable(t.scope, strlen(t.scope)), "scope %s",
	    t.scope);
	judge_answer(mn_text_get(&text), size, good, &t);
	judge_use(&p, t.lifetime);
	mn_secret_free(t.token);
	mn_text_free(&text);
	return 0;
}
