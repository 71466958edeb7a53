/* SPDX-License-Identifier: MIT */

/*
 * A profile: what NAME.conf, its secret files and monime.conf say, read
 * whole and checked for form.  What it means to a provider is guard.c's.
 */

#ifndef MN_PROFILE_H
#define MN_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "safefile.h"
#include "secret.h"

#ifndef MONIME_FOLDER
#define MONIME_FOLDER	"/etc/monime"
#endif
#ifndef MONIME_CA_PATH
#define MONIME_CA_PATH	"/etc/ssl/certs"
#endif

#define MN_PROFILE_SECRETS	8	/* webhook secrets of one profile */
#define MN_PROFILE_FILES	32	/* files that make one profile */
#define MN_PROFILE_ITEMS	256	/* strings of one array */
#define MN_PROFILE_STRING	1024	/* bytes of a string, no secret */

enum mn_environment {
	MN_TEST,
	MN_LIVE
};

enum mn_accept {
	MN_ACCEPT_DEFAULT,	/* Monime: space; Mono: path */
	MN_ACCEPT_SPACE,
	MN_ACCEPT_PATH,
	MN_ACCEPT_ANY
};

struct mn_list {
	bool set;		/* the key stands in the file, be it empty */
	size_t n;
	char **item;
};

/*
 * A file that was read, for those who look whether it changed.  An id that is
 * all zero tells of one that might have been there and was not.
 */
struct mn_profile_file {
	char *path;
	struct mn_safefile_id id;
};

/* Durations are milliseconds, sizes bytes, dates days since 1970-01-01. */
struct mn_profile {
	char *name;		/* "test/payouts" */
	enum mn_environment environment;
	char *path;		/* of NAME.conf */

	char *provider;
	char *product;		/* NULL: the provider has but one */
	struct mn_secret *token;	/* NULL: none */
	char *token_file;	/* where it was read, or NULL: in NAME.conf */
	char *space;
	char *version;
	char *base_url;
	int base_url_line;	/* of NAME.conf, for later errors; 0: none */

	char *owner;
	char *purpose;
	char *scope;
	int64_t rotate_by;	/* -1: not set */
	int64_t expires;	/* -1: not set */

	struct {
		struct mn_list spaces;
		struct mn_list methods;
		struct mn_list paths;
		struct mn_list addresses;
	} allow;

	struct {
		enum mn_accept accept;
		char *path;	/* NULL: not set */
		int64_t ttl;
		int64_t negative_ttl;
		int64_t stale;
		int64_t timeout;
		int64_t entries;
		int64_t probes;
		int64_t probe_rate;
	} check;

	int64_t attempts;
	int64_t timeout;
	int64_t connect_timeout;
	int64_t max_answer;
	int64_t connections;
	bool confirm_environment;
	int64_t reload;

	struct {
		bool set;
		char *token_url;
		char *grant;
		char *client_id;
		struct mn_secret *client_secret;
		char *client_secret_file;	/* NULL: in NAME.conf */
		char *username;
		struct mn_secret *password;
		char *password_file;
		char *scope;
		char *audience;
		char *auth;
		char *body;
		struct mn_list extra;	/* "name=value" */
		int64_t margin;		/* -1: by the lifetime */
		int64_t default_lifetime;
	} oauth2;

	struct {
		bool set;
		size_t n;
		struct mn_secret *secret[MN_PROFILE_SECRETS];
		struct mn_list secret_files;
		int64_t tolerance;
	} webhook;

	/* From monime.conf */
	struct {
		bool environments[2];	/* by enum mn_environment */
		char *proxy;		/* NULL: none */
		char *ca_path;		/* NULL: ca is used */
		char *ca_file;
		struct mn_secret *ca;	/* the bytes of ca_file, or NULL */
	} host;

	size_t nfiles;
	struct mn_profile_file file[MN_PROFILE_FILES];

	/* What monime_open() warns of, one line each. */
	struct mn_error warnings;
};

/* "test/NAME" or "live/NAME", as monime.conf(5) allows. */
bool mn_profile_name(const char *name, enum mn_environment *environment);

/* "test" or "live". */
const char *mn_profile_environment(enum mn_environment environment);

/*
 * The day of a time(2), for dates of profiles; where the clock told none, as
 * under a filter of system calls, a day behind all of them.
 */
int64_t mn_profile_day(int64_t now);

/*
 * Read a profile below folder (absolute; NULL: MONIME_FOLDER), or from
 * systemd's credentials.  now is a time(2), for "expires" and "rotate_by".
 * On failure *p is NULL, and e tells every error of a file at once.
 *
 * MONIME_EINVAL: no such name or folder; MONIME_EENVIRONMENT: this host may
 * not use that environment; MONIME_EPOLICY: the profile has expired;
 * MONIME_ECONFIG, MONIME_EUNSAFE, MONIME_ENOMEM, MONIME_ESYS.
 */
int mn_profile_open(const char *name, const char *folder, int64_t now,
    struct mn_profile **p, struct mn_error *e);

void mn_profile_free(struct mn_profile *p);

/*
 * The keys of the files, for the manual's check: "check.ttl" and the like.
 * NULL past the last one.
 */
const char *mn_profile_key(size_t i);

#endif
