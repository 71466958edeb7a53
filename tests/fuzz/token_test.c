/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the answer to the token test.  A yes is only what another reader of
 * JSON takes for the same yes; and what that one takes for an answer is one.
 * From there the verdict on a bearer is taken, in either environment and by
 * several statuses.
 */

#include "json.h"

#include "call.h"

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

/* As a probe's call has it when the answer is there. */
static int
verdict(const char *body, size_t len, enum mn_environment environment,
    int status)
{
	struct mn_profile profile = {
		.name = "any/fuzz", .environment = environment
	};
	struct mn_edition edition = {
		.profile = &profile,
		.provider = mn_provider_find("monime", NULL),
		.wire = { .origin = "https://origin.example" },
	};
	struct monime m = { .failure = MONIME_OK };
	struct monime_call call = { .m = &m, .edition = &edition };
	struct mn_token_test t;
	size_t i;
	int r;

	mn_log_init(&m.log);
	call.error.text.max = MN_ERROR_MAX;
	mn_transfer_init(&call.transfer);
	call.transfer.content.max = MN_CHECK_ANSWER_MAX;
	mn_text_put(&call.transfer.content, body, len);
	call.transfer.wire = MN_WIRE_ANSWER;
	call.transfer.status = status;
	memset(&t, 0, sizeof(t));
	r = mn_call_token_test(&call, &t);
	MUST((r == MONIME_OK) == (call.error.text.len == 0), "\"%s\"",
	    mn_error_get(&call.error));
	for (i = 0; i < call.facts; i++)
		free(call.fact[i].own);
	free(call.fact);
	mn_error_free(&call.error);
	mn_transfer_free(&call.transfer);
	mn_log_free(&m.log);
	return r;
}

static void
judge_verdicts(const char *body, size_t len, bool told,
    const struct mn_token_test *t)
{
	static const struct {
		int status;
		int code;
	} rows[] = {
		{ 201, MONIME_EPROTO }, { 302, MONIME_EPROTO },
		{ 401, MONIME_EDENIED }, { 403, MONIME_EFORBIDDEN },
		{ 503, MONIME_EHTTP },
	};
	bool test = strcmp(t->environment, "test") == 0;
	bool live = strcmp(t->environment, "live") == 0;
	int want = MONIME_EPROTO, own, other;
	size_t i;

	own = verdict(body, len, MN_TEST, 200);
	other = verdict(body, len, MN_LIVE, 200);
	if (told && !t->authenticated)
		want = MONIME_EDENIED;
	MUST(!told || t->authenticated || (own == want && other == want),
	    "%d and %d for a no", own, other);
	MUST((own == MONIME_OK) == (told && t->authenticated && test),
	    "%d in test", own);
	MUST((other == MONIME_OK) == (told && t->authenticated && live),
	    "%d in live", other);
	MUST((own == MONIME_EENVIRONMENT) == (other == MONIME_OK) &&
	    (other == MONIME_EENVIRONMENT) == (own == MONIME_OK),
	    "%d in test, %d in live", own, other);
	MUST(told || (own == want && other == want), "%d and %d for nothing",
	    own, other);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		MUST(verdict(body, len, MN_TEST, rows[i].status) ==
		    rows[i].code, "by status %d", rows[i].status);
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
	judge_verdicts(mn_text_get(&text), size, told, &t);
	mn_text_free(&text);
	return 0;
}
