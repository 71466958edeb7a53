/* SPDX-License-Identifier: MIT */

/*
 * A second reader of JSON, to compare the first one with: jansson, which
 * refuses a key given twice and a NUL by itself.  It shares names with json-c,
 * so it is loaded and never linked.
 */

#ifndef FUZZ_JSON_H
#define FUZZ_JSON_H

#include <dlfcn.h>

#include <jansson.h>

#include "fuzz.h"

static struct {
	json_t *(*loadb)(const char *, size_t, size_t, json_error_t *);
	json_t *(*get)(const json_t *, const char *);
	const char *(*string)(const json_t *);
	size_t (*length)(const json_t *);
	json_t *(*at)(const json_t *, size_t);
	size_t (*count)(const json_t *);
	json_int_t (*integer)(const json_t *);
	double (*real)(const json_t *);
	void (*drop)(json_t *);
} peer;

static inline bool
peer_open(void)
{
	void *so = dlopen("libjansson.so.4", RTLD_NOW | RTLD_LOCAL);
	const struct {
		const char *name;
		void *to;
	} names[] = {
		{ "json_loadb", &peer.loadb },
		{ "json_object_get", &peer.get },
		{ "json_string_value", &peer.string },
		{ "json_string_length", &peer.length },
		{ "json_array_get", &peer.at },
		{ "json_array_size", &peer.count },
		{ "json_integer_value", &peer.integer },
		{ "json_real_value", &peer.real },
		{ "json_delete", &peer.drop },
	};
	void *symbol;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		symbol = so != NULL ? dlsym(so, names[i].name) : NULL;
		if (symbol == NULL)
			return false;
		memcpy(names[i].to, &symbol, sizeof(symbol));
	}
	return true;
}

enum peer_says {
	PEER_NO,
	PEER_TWICE,		/* JSON, but for a key given twice */
	PEER_YES
};

/*
 * Is it JSON?  *odd: not to this reader alone, which knows no numbers beyond
 * its own and no half characters.
 */
static inline enum peer_says
peer_parse(const char *s, size_t len, json_t **root, bool *odd)
{
	json_error_t e;

	*odd = false;
	*root = NULL;
	/* This reader passes over one behind a number or a word. */
	if (memchr(s, '\0', len) != NULL)
		return PEER_NO;
	*root = peer.loadb(s, len, JSON_REJECT_DUPLICATES, &e);
	if (*root != NULL)
		return PEER_YES;
	*odd = json_error_code(&e) == json_error_numeric_overflow ||
	    strstr(e.text, "Unicode") != NULL;
	*root = peer.loadb(s, len, 0, &e);
	if (*root == NULL)
		*odd = *odd || json_error_code(&e) ==
		    json_error_numeric_overflow ||
		    strstr(e.text, "Unicode") != NULL;
	return *root != NULL ? PEER_TWICE : PEER_NO;
}

static inline void
peer_free(json_t *root)
{
	if (root != NULL && root->refcount != (size_t)-1 &&
	    --root->refcount == 0)
		peer.drop(root);
}

/* The member of an object; NULL: none, or no object. */
static inline json_t *
peer_member(const json_t *o, const char *name)
{
	return json_is_object(o) ? peer.get(o, name) : NULL;
}

/* A string that is made of those bytes alone, 1 to max of them; else "". */
static inline const char *
peer_word(const json_t *o, const char *name, const char *set, size_t max)
{
	const json_t *v = peer_member(o, name);
	size_t len;

	if (!json_is_string(v))
		return "";
	len = peer.length(v);
	return len > 0 && len <= max && strspn(peer.string(v), set) == len ?
	    peer.string(v) : "";
}

/* How deep brackets stand within each other, of what is JSON. */
static inline size_t
peer_depth(const char *s, size_t len)
{
	size_t depth = 0, most = 0, i;
	bool inside = false;

	for (i = 0; i < len; i++) {
		if (inside && s[i] == '\\')
			i++;
		else if (s[i] == '"')
			inside = !inside;
		else if (!inside && (s[i] == '{' || s[i] == '['))
			most = ++depth > most ? depth : most;
		else if (!inside && (s[i] == '}' || s[i] == ']'))
			depth--;
	}
	return most;
}

#endif
