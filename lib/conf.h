/* SPDX-License-Identifier: MIT */

/* A settings file: bytes in, the fields of a profile out, by a table. */

#ifndef MN_CONF_H
#define MN_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "profile.h"
#include "secret.h"

enum mn_conf_type {
	MN_CONF_GROUP,		/* nothing */
	MN_CONF_BOOL,		/* bool */
	MN_CONF_NUMBER,		/* int64_t, as the three below */
	MN_CONF_DURATION,
	MN_CONF_SIZE,
	MN_CONF_DATE,
	MN_CONF_STRING,		/* char * */
	MN_CONF_ACCEPT,		/* enum mn_accept: a word's index plus 1 */
	MN_CONF_SECRET,		/* struct mn_secret *, guarded */
	MN_CONF_LIST,		/* struct mn_list */
	MN_CONF_SET,		/* bool[], by a word's index */
	MN_CONF_SECRETS		/* struct mn_secret *[MN_PROFILE_SECRETS] */
};

/* What a string must look like, and how to say so. */
struct mn_conf_form {
	bool (*good)(const char *s, size_t len);
	const char *want;
};

struct mn_conf_key {
	const char *name;	/* "ttl" in the group "check": "check.ttl" */
	enum mn_conf_type type;
	size_t to;		/* offset in struct mn_profile */
	int64_t min;
	int64_t max;
	const struct mn_conf_form *form;
	const char *const *words;	/* instead of a form; ends in NULL */
	size_t count;		/* MN_CONF_SECRETS: offset of their number */
	bool hush;		/* never quoted, as if it were a secret */
	const char *value;	/* MN_CONF_STRING: the default in its group */
};

/*
 * What one key needs of the others: "when" is a key or a group that stands in
 * the file; where "is" is set, the rule holds for that value, be it a default.
 */
struct mn_conf_rule {
	const char *when;	/* NULL: always */
	const char *is;
	enum {
		MN_CONF_NEEDS,
		MN_CONF_EXCLUDES
	} what;
	const char *key;
	const char *or;		/* may stand instead of key */
};

struct mn_conf_table {
	const struct mn_conf_key *key;
	size_t n;
	const struct mn_conf_rule *rule;
	size_t nrules;
};

/* At least as many as the largest table has. */
#define MN_CONF_KEYS	64

/* A file, and where its keys stand. */
struct mn_conf {
	const char *path;	/* for the messages */
	const struct mn_conf_table *table;
	struct mn_profile *p;
	struct mn_error *e;
	int line[MN_CONF_KEYS];	/* by a key's index; 0: it does not */
};

/*
 * Read a file's bytes, which are worthless afterwards, into c->p, and judge
 * them by the table's rules.  MONIME_ECONFIG, with a line for each error, but
 * one alone for a syntax error; MONIME_ENOMEM.
 */
int mn_conf_read(struct mn_conf *c, struct mn_secret *bytes);

/* The line of a key of the table, or 0. */
int mn_conf_line(const struct mn_conf *c, const char *name);

/* Where a key's value stands in p. */
void *mn_conf_field(struct mn_profile *p, const struct mn_conf_key *key);

/*
 * Quote a value that is no secret.  What may be one after all, since people
 * paste tokens and passwords into the wrong place, is described instead.
 */
void mn_conf_show(struct mn_text *t, const char *s);

#endif
