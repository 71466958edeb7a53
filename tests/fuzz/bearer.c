/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the value of an Authorization header, as a host hands it on.  A token
 * is found where RFC 6750 2.1 has one, by a judge that knows nothing else, and
 * what the guard then lets through can travel in a header.
 */

#include "fuzz.h"

#include <sodium.h>

#include "credential.h"
#include "guard.h"

/* "Bearer", blanks, the token, blanks. */
static size_t
expect(const char *s, size_t len, size_t *at)
{
	static const char scheme[] = "bearer ";
	size_t i, end = len;

	for (i = 0; i < 7; i++) {
		if (i >= len || (s[i] != scheme[i] && (s[i] < 'A' ||
		    s[i] > 'Z' || s[i] + 'a' - 'A' != scheme[i])))
			return 0;
	}
	while (i < len && s[i] == ' ')
		i++;
	while (end > i && strchr(" \t", s[end - 1]) != NULL &&
	    s[end - 1] != '\0')
		end--;
	*at = i;
	for (len = 0; i < end; i++, len++) {
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] > '~')
			return 0;
	}
	return len;
}

static void
judge_fingerprint(const char *token, size_t len)
{
	static const char name[] = "monime-fingerprint-1";
	unsigned char hash[crypto_hash_sha256_BYTES];
	char want[2 * sizeof(hash) + 1], got[MONIME_FINGERPRINT_SIZE];
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const void *)name, sizeof(name));
	crypto_hash_sha256_update(&state, (const void *)token, len);
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(want, sizeof(want), hash, sizeof(hash));
	want[MONIME_FINGERPRINT_SIZE - 1] = '\0';
	MUST(monime_fingerprint(token, len, got, sizeof(got)) == MONIME_OK,
	    "no fingerprint");
	MUST(strcmp(got, want) == 0, "fingerprint %s, not %s", got, want);
}

/* Not a byte more than the token stands in the line. */
static void
judge_line(const char *token, size_t len)
{
	static const char name[] = "Authorization: Bearer ";
	struct mn_secret *line;

	line = mn_credential_line(MN_SECRET_PLAIN, token, len);
	MUST(line != NULL, "no line");
	MUST(mn_secret_len(line) == strlen(name) + len &&
	    strlen(mn_secret_get(line)) == mn_secret_len(line),
	    "a line of %zu bytes", mn_secret_len(line));
	MUST(memcmp(mn_secret_get(line), name, strlen(name)) == 0 &&
	    memcmp(mn_secret_get(line) + strlen(name), token, len) == 0,
	    "another token");
	mn_secret_free(line);
}

static void
judge_token(enum mn_environment environment, const char *product,
    const char *token, size_t len)
{
	const struct mn_provider *v = mn_provider_find(
	    product != NULL ? "mono" : "monime", product);
	struct mn_profile p = { .name = "any/fuzz",
	    .environment = environment };
	struct mn_error e = MN_ERROR_INIT;
	bool ours, test;
	int r;

	r = mn_guard_token(&p, v, token, len, &e);
	test = len > 9 && memcmp(token, "mon_test_", 9) == 0;
	ours = product != NULL || (len > 4 && memcmp(token, "mon_", 4) == 0 &&
	    (test == (environment == MN_TEST)));
	MUST(r == MONIME_OK || r == MONIME_EDENIED ||
	    r == MONIME_EENVIRONMENT, "result %d", r);
	MUST(r != MONIME_OK || ours, "not one of this environment");
	if (r == MONIME_OK)
		judge_line(token, len);
	mn_error_free(&e);
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
	char *header = copy_exactly(data, size);
	size_t len = SIZE_MAX, at = 0, want;
	const char *token;

	want = expect(header, size, &at);
	token = monime_bearer(header, size, &len);
	MUST(token != NULL, "NULL");
	MUST(len == want, "a token of %zu bytes, not %zu", len, want);
	MUST(len == 0 || token == header + at, "another place");
	if (len > 0)
		judge_fingerprint(token, len);
	/* As it would be presented by itself, be it a token or not. */
	judge_token(MN_TEST, NULL, header, size);
	judge_token(MN_LIVE, NULL, header, size);
	judge_token(MN_TEST, "banking", header, size);
	if (len > 0) {
		judge_token(MN_TEST, NULL, token, len);
		judge_token(MN_LIVE, NULL, token, len);
	}
	free(header);
	return 0;
}
