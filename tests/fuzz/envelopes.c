/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the error envelopes of Monime and of Mono, and RFC 6749's.  What is
 * taken out of one keeps to its bytes and bounds, and is what another reader
 * of JSON finds there.
 */

#include "json.h"

#include "answer.h"

#define REASON	MN_TEXT_LOWER MN_TEXT_DIGIT "_"
#define ID	MN_TEXT_ALNUM "_-"

/* A message is cut where a character ends, and where a NUL stands. */
static void
judge_message(const json_t *o, const char *name, const char *got)
{
	const json_t *v = peer_member(o, name);
	const char *want = json_is_string(v) ? peer.string(v) : "";
	size_t len = strlen(got);

	MUST(len <= MN_ANSWER_MESSAGE, "a message of %zu bytes", len);
	MUST(strncmp(got, want, len) == 0, "another message");
	if (want[len] == '\0')
		return;
	MUST((want[len] & 0xc0) != 0x80, "a message ends in a character");
	MUST(len > MN_ANSWER_MESSAGE - 4, "a message is cut at %zu", len);
}

static void
judge_found(const json_t *root, const struct mn_answer_error *e)
{
	const json_t *monime = peer_member(root, "error");
	const json_t *list = peer_member(root, "errors");
	const char *id = "", *reason;

	if (monime != NULL && json_is_object(monime)) {
		reason = peer_word(monime, "reason", REASON, MN_ANSWER_WORD);
		judge_message(monime, "message", e->message);
	} else if (list != NULL && json_is_array(list)) {
		reason = peer_word(peer.at(list, 0), "error_code", REASON,
		    MN_ANSWER_WORD);
		id = peer_word(root, "id", ID, MN_ANSWER_WORD);
		judge_message(root, "message", e->message);
	} else {
		reason = peer_word(root, "error", REASON, MN_ANSWER_WORD);
		judge_message(root, "error_description", e->message);
	}
	MUST(strcmp(e->reason, reason) == 0, "reason %s, not %s", e->reason,
	    reason);
	MUST(strcmp(e->id, id) == 0, "id %s, not %s", e->id, id);
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
	struct mn_text text = MN_TEXT_INIT(SIZE_MAX / 2);
	struct mn_answer_error e;
	json_t *root;
	bool odd;

	mn_text_put(&text, data, size);
	mn_answer_error(mn_text_get(&text), size, &e);
	MUST(strlen(e.reason) <= MN_ANSWER_WORD &&
	    strspn(e.reason, REASON) == strlen(e.reason), "reason %s",
	    e.reason);
	MUST(strlen(e.id) <= MN_ANSWER_WORD &&
	    strspn(e.id, ID) == strlen(e.id), "id %s", e.id);
	if (peer_parse(mn_text_get(&text), size, &root, &odd) == PEER_YES &&
	    peer_depth(mn_text_get(&text), size) < MN_ANSWER_DEPTH)
		judge_found(root, &e);
	peer_free(root);
	mn_text_free(&text);
	return 0;
}
