/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the answer to the token test.  A yes is only what another reader of
 * JSON takes for the same yes; and what that one takes for an answer is one.
 */

#include "json.h"

#include "answer.h"

static void
judge_environment(const json_t *status, const struct mn_token_test *t)
{
	const char *want = peer_word(status, "environment", MN_TEXT_LOWER,
	    MN_ANSWER_WORD);

	MUST(strcmp(t->environment, want) == 0, "environment %s, not %s",
	    t->environment, want);
}

static void
judge_rest(const json_t *root, const struct mn_token_test *t)
{
	const json_t *api = peer_member(root, "apiVersion");
	const json_t *origin = peer_member(root, "requestOrigin");
	const json_t *flag = peer_member(api, "deprecated");

	MUST(strcmp(t->version, peer_word(api, "id", MN_TEXT_ALNUM "._-",
	    MN_ANSWER_WORD)) == 0, "version %s", t->version);
	MUST(t->deprecated_told == (flag != NULL && json_is_boolean(flag)),
	    "deprecated or not");
	MUST(!t->deprecated_told || t->deprecated == json_is_true(flag),
	    "deprecated");
	MUST(strcmp(t->country, peer_word(origin, "country", MN_TEXT_UPPER,
	    2)) == 0, "country %s", t->country);
	MUST(strcmp(t->address, peer_word(origin, "ipAddress",
	    MN_TEXT_DIGIT "abcdefABCDEF.:", 45)) == 0, "address %s",
	    t->address);
}

static void
judge(const char *body, size_t len, bool told, const struct mn_token_test *t)
{
	enum peer_says says;
	json_t *root;
	const json_t *status, *flag;
	bool odd, answer;

	says = peer_parse(body, len, &root, &odd);
	status = peer_member(root, "status");
	flag = peer_member(status, "isAuthenticated");
	answer = says == PEER_YES && flag != NULL && json_is_boolean(flag);
	if (told && !odd) {
		MUST(says == PEER_YES, "not JSON, or a key twice");
		MUST(answer, "no answer");
		MUST(t->authenticated == json_is_true(flag), "another verdict");
		judge_environment(status, t);
		judge_rest(root, t);
	}
	if (answer && peer_depth(body, len) < MN_ANSWER_DEPTH)
		MUST(told, "an answer is none");
	peer_free(root);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (peer_open())
		return 0;
	(void)fputs("no libjansson.so.4\n", stderr);
	exit(FUZZ_SKIP);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A transfer's text ends in a NUL that its length leaves out. */
	struct mn_text text = MN_TEXT_INIT(SIZE_MAX / 2);
	struct mn_token_test t;
	const char *why = NULL;
	bool told;

	mn_text_put(&text, data, size);
	told = mn_answer_token_test(mn_text_get(&text), size, &t, &why);
	MUST(told == (why == NULL), "%s", told ? why : "no reason");
	judge(mn_text_get(&text), size, told, &t);
	mn_text_free(&text);
	return 0;
}
