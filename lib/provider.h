/* SPDX-License-Identifier: MIT */

/*
 * What is particular to each provider and product, as data.  Everything here
 * is documented by the provider; what is not documented is not guessed.
 */

#ifndef MN_PROVIDER_H
#define MN_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "profile.h"

/* HTTP methods, as a set. */
enum mn_method {
	MN_GET		= 1 << 0,
	MN_HEAD		= 1 << 1,
	MN_POST		= 1 << 2,
	MN_PUT		= 1 << 3,
	MN_PATCH	= 1 << 4,
	MN_DELETE	= 1 << 5
};

#define MN_SAFE_METHODS		(MN_GET | MN_HEAD)

struct mn_statuses {
	int low;
	int high;
};

struct mn_provider {
	const char *name;
	const char *product;		/* NULL: the only one */

	/* By enum mn_environment; NULL: base_url must tell. */
	const char *origin[2];
	/* NULL: the token does not tell its environment, the origin does. */
	const char *prefix[2];

	const char *space_header;	/* NULL: no Spaces */
	const char *version_header;
	const char *key_header;		/* of an idempotency key */
	size_t key_max;
	unsigned int key_methods;	/* where keys are honoured */
	const char *request_id_header;	/* NULL: "id" of the error envelope */

	bool token_test;		/* GET / tells about the token */
	bool oauth2;			/* not a static credential */

	/* Statuses after which an idempotent request is tried again. */
	struct mn_statuses retry[4];

	/* The documented cause and mend. */
	const char *unauthorized;	/* 401 */
	const char *forbidden;		/* 403 */

	struct {
		char separator;		/* between time and body */
		bool base64;		/* else lower-case hexadecimal */
	} webhook;
};

/* NULL: no such provider or product. */
const struct mn_provider *mn_provider_find(const char *name,
    const char *product);

/* Does the token say its environment?  The longer prefix is tried first. */
bool mn_provider_environment(const struct mn_provider *p, const char *token,
    size_t len, enum mn_environment *environment);

/* Is that URL at an origin of the provider's other environment alone? */
bool mn_provider_forbids(const struct mn_provider *p, const char *origin,
    enum mn_environment environment);

/* Is the status one after which the provider lets us try again? */
bool mn_provider_retries(const struct mn_provider *p, int status);

/* The method of that name, which is in capitals; 0: none that we send. */
unsigned int mn_provider_method(const char *name);

#endif
