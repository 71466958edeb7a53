/* SPDX-License-Identifier: MIT */

/* The profile's own credential, as it travels. */

#ifndef MN_CREDENTIAL_H
#define MN_CREDENTIAL_H

#include "abi.h"
#include "secret.h"

struct mn_credential {
	unsigned int references;
	struct mn_secret *header;	/* "Authorization: Bearer ..." */
	char fingerprint[MONIME_FINGERPRINT_SIZE];
	bool confirmed;			/* the API named our environment */
};

/* NULL where memory is short. */
struct mn_credential *mn_credential_new(const struct mn_secret *token);
struct mn_credential *mn_credential_keep(struct mn_credential *c);
void mn_credential_free(struct mn_credential *c);

/* The value behind "Authorization: ". */
const char *mn_credential_value(const struct mn_credential *c);

/* A header line that presents a token; NULL where memory is short. */
struct mn_secret *mn_credential_line(enum mn_secret_kind kind,
    const char *token, size_t len);

/* Has the API confirmed the environment?  Any thread may tell. */
bool mn_credential_confirmed(const struct mn_credential *c);
void mn_credential_confirm(struct mn_credential *c);

#endif
