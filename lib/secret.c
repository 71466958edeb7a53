/* SPDX-License-Identifier: MIT */

/* Secret memory and borrowed cryptography: all of libsodium that we use. */

#define _GNU_SOURCE
#include "secret.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "banned.h"

struct mn_secret {
	enum mn_secret_kind kind;
	size_t len;
	size_t size;		/* of bytes, the NUL included */
	char *bytes;
};

bool
mn_secret_init(void)
{
	/* 1 says that it was done before; it takes its own lock. */
	return sodium_init() >= 0;
}

struct mn_secret *
mn_secret_new(enum mn_secret_kind kind, size_t size)
{
	struct mn_secret *s;

	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->kind = kind;
	s->len = size;
	s->size = size + 1;
	s->bytes = kind == MN_SECRET_GUARDED ?
	    sodium_malloc(s->size) : malloc(s->size);
	if (s->bytes == NULL) {
		free(s);
		return NULL;
	}
	memset(s->bytes, 0, s->size);
	return s;
}

struct mn_secret *
mn_secret_copy(enum mn_secret_kind kind, const void *bytes, size_t len)
{
	struct mn_secret *s;

	s = mn_secret_new(kind, len);
	if (s != NULL && len > 0)
		memcpy(s->bytes, bytes, len);
	return s;
}

char *
mn_secret_bytes(struct mn_secret *s)
{
	return s->bytes;
}

const char *
mn_secret_get(const struct mn_secret *s)
{
	return s->bytes;
}

size_t
mn_secret_len(const struct mn_secret *s)
{
	return s->len;
}

void
mn_secret_cut(struct mn_secret *s, size_t len)
{
	if (len >= s->len)
		return;
	sodium_memzero(s->bytes + len, s->size - len);
	s->len = len;
}

void
mn_secret_free(struct mn_secret *s)
{
	if (s == NULL)
		return;
	if (s->kind == MN_SECRET_GUARDED) {
		sodium_free(s->bytes);	/* wipes */
	} else {
		sodium_memzero(s->bytes, s->size);
		free(s->bytes);
	}
	free(s);
}

void
mn_secret_wipe(void *p, size_t len)
{
	if (p != NULL)
		sodium_memzero(p, len);
}

bool
mn_secret_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void
mn_secret_random(void *buf, size_t len)
{
	randombytes_buf(buf, len);
}

uint32_t
mn_secret_uniform(uint32_t below)
{
	return randombytes_uniform(below);
}

void
mn_secret_sha256(const struct mn_piece *pieces, size_t n,
    unsigned char hash[MN_SHA256_SIZE])
{
	crypto_hash_sha256_state state;
	size_t i;

	crypto_hash_sha256_init(&state);
	for (i = 0; i < n; i++)
		crypto_hash_sha256_update(&state, pieces[i].bytes,
		    pieces[i].len);
	crypto_hash_sha256_final(&state, hash);
	sodium_memzero(&state, sizeof(state));
}

void
mn_secret_hmac_sha256(const struct mn_secret *key,
    const struct mn_piece *pieces, size_t n,
    unsigned char mac[MN_SHA256_SIZE])
{
	crypto_auth_hmacsha256_state state;
	size_t i;

	crypto_auth_hmacsha256_init(&state, (const void *)key->bytes,
	    key->len);
	for (i = 0; i < n; i++)
		crypto_auth_hmacsha256_update(&state, pieces[i].bytes,
		    pieces[i].len);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_memzero(&state, sizeof(state));
}

void
mn_secret_siphash(const unsigned char key[MN_SIPHASH_KEY], const void *bytes,
    size_t len, unsigned char hash[MN_SIPHASH_SIZE])
{
	crypto_shorthash_siphashx24(hash, bytes, len, key);
}

uint64_t
mn_secret_siphash64(const unsigned char key[MN_SIPHASH_KEY],
    const void *bytes, size_t len)
{
	unsigned char hash[crypto_shorthash_siphash24_BYTES];
	uint64_t n;

	crypto_shorthash_siphash24(hash, bytes, len, key);
	memcpy(&n, hash, sizeof(n));
	return n;
}

bool
mn_secret_from_base64(const char *s, size_t len, void *out, size_t size)
{
	const char *end;
	size_t got;

	if (sodium_base642bin(out, size, s, len, NULL, &got, &end,
	    sodium_base64_VARIANT_ORIGINAL) != 0)
		return false;
	return got == size && end == s + len;
}

struct mn_secret *
mn_secret_to_base64(const struct mn_secret *s)
{
	const int variant = sodium_base64_VARIANT_ORIGINAL;
	struct mn_secret *out;

	/* The encoded length counts the NUL, which we have besides. */
	out = mn_secret_new(MN_SECRET_GUARDED,
	    sodium_base64_encoded_len(s->len, variant) - 1);
	if (out != NULL)
		(void)sodium_bin2base64(out->bytes, out->size,
		    (const void *)s->bytes, s->len, variant);
	return out;
}

bool
mn_secret_from_hex(const char *s, size_t len, void *out, size_t size)
{
	const char *end;
	size_t got, i;

	for (i = 0; i < len; i++) {
		if (s[i] >= 'A' && s[i] <= 'F')
			return false;
	}
	if (sodium_hex2bin(out, size, s, len, NULL, &got, &end) != 0)
		return false;
	return got == size && end == s + len;
}

void
mn_secret_to_hex(const void *bytes, size_t len, char *out)
{
	sodium_bin2hex(out, 2 * len + 1, bytes, len);
}
