/* SPDX-License-Identifier: MIT */

/*
 * A credential as it travels, and what is known of its standing with the API.
 * It never changes its token: a new token is a new credential, so that what
 * is learned of one is never held against another.
 */

#ifndef MN_CREDENTIAL_H
#define MN_CREDENTIAL_H

#include "abi.h"
#include "secret.h"

#define MN_BENCH		30000	/* ms */
#define MN_BENCH_REFUSALS	3	/* 401s, where there is no token test */

struct mn_credential {
	unsigned int references;
	struct mn_secret *header;	/* "Authorization: Bearer ..." */
	char fingerprint[MONIME_FINGERPRINT_SIZE];

	/* Any thread may tell and ask these. */
	bool confirmed;			/* the API named our environment */
	bool doubted;			/* somebody saw a 401 since */
	bool proved;			/* the API has accepted it */
	bool asking;			/* the token test is under way */
	int refusals;			/* 401s with no 2xx between */
	int64_t benched;		/* until then; mn_loop_time() */
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

/* The token in such a line. */
const char *mn_credential_token(const struct mn_secret *line, size_t *len);

bool mn_credential_confirmed(const struct mn_credential *c);
void mn_credential_confirm(struct mn_credential *c);
/* Another look is wanted before the next write, whatever the profile says. */
void mn_credential_doubt(struct mn_credential *c);
bool mn_credential_doubted(const struct mn_credential *c);

/* A 2xx: no reason for doubt is left. */
void mn_credential_accepted(struct mn_credential *c);
bool mn_credential_proved(const struct mn_credential *c);

/* A 401; the number of them with no 2xx between. */
int mn_credential_refused(struct mn_credential *c);

/* For MN_BENCH from now on nothing is sent with it. */
void mn_credential_bench(struct mn_credential *c, int64_t now);

/* Milliseconds that it is still benched; 0: it is not. */
int64_t mn_credential_benched(const struct mn_credential *c, int64_t now);

/* Take the one place of whoever asks the token test; false: taken. */
bool mn_credential_ask(struct mn_credential *c);
void mn_credential_asked(struct mn_credential *c);

#endif
