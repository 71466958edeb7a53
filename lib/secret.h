/* SPDX-License-Identifier: MIT */

/*
 * The one type that owns secrets, and the cryptography that we borrow.
 *
 * A secret is guarded (libsodium's memory: fenced, locked, out of core dumps)
 * or plain.  Credentials are guarded.  The tokens that others present are
 * plain, since each guarded area costs several of the kernel's mappings and a
 * busy server holds thousands of them.  Both are wiped when they go.
 */

#ifndef MN_SECRET_H
#define MN_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mn_secret;

enum mn_secret_kind {
	MN_SECRET_PLAIN,
	MN_SECRET_GUARDED
};

#define MN_SHA256_SIZE	32
#define MN_SIPHASH_KEY	16
#define MN_SIPHASH_SIZE	16

/* Once for each process, before anything else here; false: no random bytes. */
bool mn_secret_init(void);

/* size zero bytes and a NUL behind them, or NULL where memory is short. */
struct mn_secret *mn_secret_new(enum mn_secret_kind kind, size_t size);

/* A copy of bytes, likewise. */
struct mn_secret *mn_secret_copy(enum mn_secret_kind kind, const void *bytes,
    size_t len);

/* Its bytes, which end in a NUL that is not counted. */
char *mn_secret_bytes(struct mn_secret *s);
const char *mn_secret_get(const struct mn_secret *s);
size_t mn_secret_len(const struct mn_secret *s);

/* Forget all but the first len bytes, and wipe what is forgotten. */
void mn_secret_cut(struct mn_secret *s, size_t len);

/* NULL is nothing. */
void mn_secret_free(struct mn_secret *s);

/* Wipe memory that is not a secret's own. */
void mn_secret_wipe(void *p, size_t len);

/* Compare in a time that tells nothing but the length. */
bool mn_secret_equal(const void *a, const void *b, size_t len);

void mn_secret_random(void *buf, size_t len);

/* Uniformly distributed in 0 .. below - 1; 0 where below is 0. */
uint32_t mn_secret_uniform(uint32_t below);

/* A piece of a message that is hashed without being put together. */
struct mn_piece {
	const void *bytes;
	size_t len;
};

void mn_secret_sha256(const struct mn_piece *pieces, size_t n,
    unsigned char hash[MN_SHA256_SIZE]);
void mn_secret_hmac_sha256(const struct mn_secret *key,
    const struct mn_piece *pieces, size_t n,
    unsigned char mac[MN_SHA256_SIZE]);

/*
 * SipHash-2-4, for names and seals in tables that others may read and write,
 * never for what leaves the host.
 */
void mn_secret_siphash(const unsigned char key[MN_SIPHASH_KEY],
    const void *bytes, size_t len, unsigned char hash[MN_SIPHASH_SIZE]);
uint64_t mn_secret_siphash64(const unsigned char key[MN_SIPHASH_KEY],
    const void *bytes, size_t len);

/* Standard alphabet, padded; exactly size bytes must come out. */
bool mn_secret_from_base64(const char *s, size_t len, void *out, size_t size);

/* The same written: a secret of the text, or NULL where memory is short. */
struct mn_secret *mn_secret_to_base64(const struct mn_secret *s);

/* Lower-case hexadecimal; exactly size bytes must come out. */
bool mn_secret_from_hex(const char *s, size_t len, void *out, size_t size);

/* Write 2 * len characters and a NUL. */
void mn_secret_to_hex(const void *bytes, size_t len, char *out);

#endif
