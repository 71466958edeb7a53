/* SPDX-License-Identifier: MIT */

/*
 * The rules that decide what may leave this host, and what a token must look
 * like before anybody is asked about it.  Pure functions: no file, no network,
 * no clock.  Each returns MONIME_OK or a code, and a line that says why.
 */

#ifndef MN_GUARD_H
#define MN_GUARD_H

#include "error.h"
#include "profile.h"
#include "provider.h"

#define MN_TOKEN_MAX	4096	/* characters after the prefix */
#define MN_PATH_MAX	8192	/* bytes of a path with its query */
#define MN_HEADERS_MAX	16	/* headers given with one request */
#define MN_VALUE_MAX	4096	/* bytes of a header's value */
#define MN_BODY_MAX	(64 * 1048576)	/* bytes of a request's body */

/*
 * May this host use that profile as it stands?  MONIME_ECONFIG for what does
 * not fit the provider, MONIME_EENVIRONMENT for a credential or an origin of
 * the other environment.
 */
int mn_guard_profile(const struct mn_profile *p, const struct mn_provider *v,
    struct mn_error *e);

/* Where the profile's requests go. */
const char *mn_guard_origin(const struct mn_profile *p,
    const struct mn_provider *v);

/* "accept", with the provider's default. */
enum mn_accept mn_guard_accept(const struct mn_profile *p,
    const struct mn_provider *v);

/* The path that a check asks for besides the token test; NULL: none. */
const char *mn_guard_check_path(const struct mn_profile *p,
    const struct mn_provider *v);

/* Can it travel in a header? */
bool mn_guard_token_form(const char *token, size_t len);

/*
 * A token that somebody presents.  MONIME_EDENIED: not a token of this
 * provider; MONIME_EENVIRONMENT: of the other environment.
 */
int mn_guard_token(const struct mn_profile *p, const struct mn_provider *v,
    const char *token, size_t len, struct mn_error *e);

/* MONIME_EINVAL: two readers could take this path differently. */
int mn_guard_path(const char *path, struct mn_error *e);

/* A request as it is judged and sent. */
struct mn_guarded {
	unsigned int method;
	const char *key;	/* the value of Idempotency-Key, or NULL */
	bool accept;		/* given in headers, so not to be added */
	bool content_type;
	bool space;
	bool version;
};

/* Method, path, headers and body, by the rules and the profile's "allow". */
int mn_guard_request(const struct mn_profile *p, const struct mn_provider *v,
    const char *method, const char *path, const char *const *headers,
    bool body, size_t len, struct mn_guarded *g, struct mn_error *e);

/* Method and URL of a request that somebody else sends. */
int mn_guard_authorize(const struct mn_profile *p,
    const struct mn_provider *v, const char *method, const char *url,
    struct mn_error *e);

/* What the API says of us, against "allow.addresses". */
int mn_guard_address(const struct mn_profile *p, const char *address,
    struct mn_error *e);

#endif
