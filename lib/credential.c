/* SPDX-License-Identifier: MIT */

/* Credentials and fingerprints.  See credential.h. */

#define _GNU_SOURCE
#include "credential.h"

#include <stdlib.h>
#include <string.h>

#include "banned.h"

#define NAME	"Authorization: "
#define SCHEME	"Bearer "

struct mn_secret *
mn_credential_line(enum mn_secret_kind kind, const char *token, size_t len)
{
	const size_t n = sizeof(NAME SCHEME) - 1;
	struct mn_secret *line;

	line = mn_secret_new(kind, n + len);
	if (line == NULL)
		return NULL;
	memcpy(mn_secret_bytes(line), NAME SCHEME, n);
	memcpy(mn_secret_bytes(line) + n, token, len);
	return line;
}

struct mn_credential *
mn_credential_new(const struct mn_secret *token)
{
	struct mn_credential *c;

	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->references = 1;
	c->header = mn_credential_line(MN_SECRET_GUARDED,
	    mn_secret_get(token), mn_secret_len(token));
	if (c->header == NULL || monime_fingerprint(mn_secret_get(token),
	    mn_secret_len(token), c->fingerprint, sizeof(c->fingerprint)) !=
	    MONIME_OK) {
		mn_credential_free(c);
		return NULL;
	}
	return c;
}

struct mn_credential *
mn_credential_keep(struct mn_credential *c)
{
	(void)__atomic_add_fetch(&c->references, 1, __ATOMIC_RELAXED);
	return c;
}

void
mn_credential_free(struct mn_credential *c)
{
	if (c == NULL || __atomic_sub_fetch(&c->references, 1,
	    __ATOMIC_ACQ_REL) > 0)
		return;
	mn_secret_free(c->header);
	free(c);
}

const char *
mn_credential_value(const struct mn_credential *c)
{
	return mn_secret_get(c->header) + sizeof(NAME) - 1;
}

const char *
mn_credential_token(const struct mn_secret *line, size_t *len)
{
	const size_t n = sizeof(NAME SCHEME) - 1;

	*len = mn_secret_len(line) - n;
	return mn_secret_get(line) + n;
}

bool
mn_credential_confirmed(const struct mn_credential *c)
{
	return __atomic_load_n(&c->confirmed, __ATOMIC_ACQUIRE);
}

void
mn_credential_confirm(struct mn_credential *c)
{
	__atomic_store_n(&c->doubted, false, __ATOMIC_RELAXED);
	__atomic_store_n(&c->confirmed, true, __ATOMIC_RELEASE);
}

void
mn_credential_doubt(struct mn_credential *c)
{
	__atomic_store_n(&c->doubted, true, __ATOMIC_RELAXED);
	__atomic_store_n(&c->confirmed, false, __ATOMIC_RELEASE);
}

bool
mn_credential_doubted(const struct mn_credential *c)
{
	return __atomic_load_n(&c->doubted, __ATOMIC_RELAXED);
}

void
mn_credential_accepted(struct mn_credential *c)
{
	__atomic_store_n(&c->refusals, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&c->benched, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&c->proved, true, __ATOMIC_RELAXED);
}

bool
mn_credential_proved(const struct mn_credential *c)
{
	return __atomic_load_n(&c->proved, __ATOMIC_RELAXED);
}

int
mn_credential_refused(struct mn_credential *c)
{
	return __atomic_add_fetch(&c->refusals, 1, __ATOMIC_RELAXED);
}

void
mn_credential_bench(struct mn_credential *c, int64_t now)
{
	__atomic_store_n(&c->benched, now + MN_BENCH, __ATOMIC_RELAXED);
}

int64_t
mn_credential_benched(const struct mn_credential *c, int64_t now)
{
	int64_t until = __atomic_load_n(&c->benched, __ATOMIC_RELAXED);

	return until > now ? until - now : 0;
}

bool
mn_credential_ask(struct mn_credential *c)
{
	return !__atomic_exchange_n(&c->asking, true, __ATOMIC_ACQUIRE);
}

void
mn_credential_asked(struct mn_credential *c)
{
	__atomic_store_n(&c->asking, false, __ATOMIC_RELEASE);
}

int
monime_fingerprint(const char *token, size_t len, char *buf, size_t size)
{
	/* With its NUL. */
	static const char domain[] = "monime-fingerprint-1";
	unsigned char hash[MN_SHA256_SIZE];
	struct mn_piece pieces[2] = {
		{ domain, sizeof(domain) }, { token, len }
	};

	if (buf == NULL || size == 0)
		return MONIME_EINVAL;
	buf[0] = '\0';
	if (size < MONIME_FINGERPRINT_SIZE || token == NULL || len == 0)
		return MONIME_EINVAL;
	if (!mn_secret_init())
		return MONIME_ESYS;
	mn_secret_sha256(pieces, 2, hash);
	mn_secret_to_hex(hash, 16, buf);
	mn_secret_wipe(hash, sizeof(hash));
	return MONIME_OK;
}
