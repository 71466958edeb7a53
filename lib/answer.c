/* SPDX-License-Identifier: MIT */

/* The APIs' JSON: all of json-c that we use.  See answer.h. */

#define _GNU_SOURCE
#include "answer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "banned.h"

#define REASON	MN_TEXT_LOWER MN_TEXT_DIGIT "_"
#define ID	MN_TEXT_ALNUM "_-"
#define VERSION	MN_TEXT_ALNUM "._-"

/* What we have written ourselves; of others' it has to be UTF-8 as well. */
#define OURS	JSON_TOKENER_STRICT
#define THEIRS	(OURS | JSON_TOKENER_VALIDATE_UTF8)

/* Strict, as far as json-c is by itself; doubt() knows the rest. */
static struct json_tokener *
tokener(int flags)
{
	struct json_tokener *tok = json_tokener_new_ex(MN_ANSWER_DEPTH);

	if (tok != NULL)
		json_tokener_set_flags(tok, flags);
	return tok;
}

static struct json_object *
parse_by(struct json_tokener *tok, const char *body, size_t len)
{
	struct json_object *root;

	root = json_tokener_parse_ex(tok, body, (int)len);
	/* What is open may go on; what follows an object may not. */
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    strspn(body + json_tokener_get_parse_end(tok), " \t\r\n") !=
	    len - json_tokener_get_parse_end(tok)) {
		json_object_put(root);
		root = NULL;
	}
	return root;
}

static struct json_object *
parse(const char *body, size_t len)
{
	struct json_object *root;
	struct json_tokener *tok;

	if (len == 0 || len > INT_MAX)
		return NULL;
	tok = tokener(THEIRS);
	if (tok == NULL)
		return NULL;
	root = parse_by(tok, body, len);
	json_tokener_free(tok);
	return root;
}

/*
 * The same where a string is secret.  json-c gathers each string in a buffer of
 * its own, which moves as it grows and holds the last one when it is freed: a
 * string that is as long as the body and says nothing makes the room before,
 * and takes the place of what was there after.
 */
static struct json_object *
parse_secret(const char *body, size_t len, int flags)
{
	struct json_object *root = NULL;
	struct json_tokener *tok;
	char *filler;

	if (len == 0 || len > INT_MAX - 2)
		return NULL;
	tok = tokener(flags);
	filler = malloc(len + 3);
	if (tok == NULL || filler == NULL)
		goto out;
	memset(filler, ' ', len + 2);
	filler[0] = filler[len + 1] = '"';
	filler[len + 2] = '\0';
	json_object_put(parse_by(tok, filler, len + 2));
	json_tokener_reset(tok);
	root = parse_by(tok, body, len);
	json_tokener_reset(tok);
	json_object_put(parse_by(tok, filler, len + 2));
out:
	free(filler);
	if (tok != NULL)
		json_tokener_free(tok);
	return root;
}

/* The member of that name and type, or NULL. */
static struct json_object *
member(struct json_object *o, const char *name, enum json_type type)
{
	struct json_object *v = NULL;

	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_object_get_ex(o, name, &v) ||
	    !json_object_is_type(v, type))
		return NULL;
	return v;
}

/* A member that is a string of bytes from set, 1 to max of them. */
static bool
word(struct json_object *o, const char *name, const char *set, char *out,
    size_t max)
{
	struct json_object *v = member(o, name, json_type_string);
	const char *s;
	size_t len;

	out[0] = '\0';
	if (v == NULL)
		return false;
	s = json_object_get_string(v);
	len = (size_t)json_object_get_string_len(v);
	if (!mn_text_made_of(s, len, set, 1, max))
		return false;
	memcpy(out, s, len + 1);
	return true;
}

/* The members of all objects within. */
static size_t
members(struct json_object *o)
{
	size_t n = 0, i;

	if (json_object_is_type(o, json_type_array)) {
		for (i = 0; i < json_object_array_length(o); i++)
			n += members(json_object_array_get_idx(o, i));
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, name, value) {
			(void)name;
			n += 1 + members(value);
		}
	}
	return n;
}

/* The length of a number as RFC 8259 6 has it; 0: it is none. */
static size_t
number(const char *s)
{
	size_t n = s[0] == '-';
	size_t digits = strspn(s + n, MN_TEXT_DIGIT);

	if (digits == 0 || (digits > 1 && s[n] == '0'))
		return 0;
	n += digits;
	if (s[n] == '.') {
		digits = strspn(s + ++n, MN_TEXT_DIGIT);
		if (digits == 0)
			return 0;
		n += digits;
	}
	if (s[n] == 'e' || s[n] == 'E') {
		n++;
		n += s[n] == '+' || s[n] == '-';
		digits = strspn(s + n, MN_TEXT_DIGIT);
		if (digits == 0)
			return 0;
		n += digits;
	}
	return n;
}

/*
 * What json-c takes, strict or not, and two readers would take differently:
 * single quotes, NaN and Infinity, 00 and 1. and -.5, control bytes in a
 * string, UTF-8 in longer forms than there is need for; a NUL, behind which its
 * keys end; a key given twice, of which it keeps the last, however that is
 * spelled, so that the text has more colons than the tree has members.
 * NULL: nothing of it.
 */
static const char *
doubt(const char *body, size_t len, struct json_object *root)
{
	bool inside = false;
	size_t colons = 0, i, n;

	if (!mn_text_utf8(body, len))
		return "the answer is not JSON";
	for (i = 0; i < len; i++) {
		if (inside ? (unsigned char)body[i] < 0x20 :
		    memchr("'NI", body[i], 3) != NULL)
			return "the answer is not JSON";
		if (inside && body[i] == '\\') {
			if (len - i > 5 && memcmp(body + i, "\\u0000", 6) == 0)
				return "the answer has a NUL";
			i++;
		} else if (body[i] == '"') {
			inside = !inside;
		} else if (inside) {
			continue;
		} else if (body[i] == ':') {
			colons++;
		} else if (body[i] == '-' ||
		    (body[i] >= '0' && body[i] <= '9')) {
			n = number(body + i);
			if (n == 0)
				return "the answer is not JSON";
			i += n - 1;
		}
	}
	return colons != members(root) ? "the answer has a key twice" : NULL;
}

static void
api_version(struct json_object *root, struct mn_token_test *t)
{
	struct json_object *v = member(root, "apiVersion", json_type_object);
	struct json_object *release = member(v, "release", json_type_object);
	struct json_object *flag = member(v, "deprecated", json_type_boolean);
	char date[16];
	size_t len;

	(void)word(v, "id", VERSION, t->version, MN_ANSWER_WORD);
	if (flag != NULL) {
		t->deprecated_told = true;
		t->deprecated = json_object_get_boolean(flag);
	}
	if (word(release, "name", VERSION, t->release, 32) &&
	    word(release, "date", MN_TEXT_DIGIT "-", date, 10)) {
		len = strlen(t->release);
		t->release[len++] = ' ';
		memcpy(t->release + len, date, strlen(date) + 1);
	}
}

bool
mn_answer_token_test(const char *body, size_t len, struct mn_token_test *t,
    const char **why)
{
	struct json_object *root, *status, *flag, *origin;
	bool r = false;

	memset(t, 0, sizeof(*t));
	root = parse(body, len);
	status = member(root, "status", json_type_object);
	flag = member(status, "isAuthenticated", json_type_boolean);
	*why = root != NULL ? doubt(body, len, root) : "the answer is not JSON";
	if (*why != NULL)
		goto out;
	if (flag == NULL) {
		*why = "status.isAuthenticated is not a boolean";
		goto out;
	}
	(void)word(status, "environment", MN_TEXT_LOWER, t->environment,
	    MN_ANSWER_WORD);
	api_version(root, t);
	origin = member(root, "requestOrigin", json_type_object);
	(void)word(origin, "country", MN_TEXT_UPPER, t->country, 2);
	(void)word(origin, "ipAddress", MN_TEXT_DIGIT "abcdefABCDEF.:",
	    t->address, sizeof(t->address) - 1);
	t->authenticated = json_object_get_boolean(flag);
	r = true;
out:
	json_object_put(root);
	return r;
}

static void
message(struct json_object *o, const char *name, char *out)
{
	struct json_object *v = member(o, name, json_type_string);
	const char *s;
	size_t len;

	if (v == NULL)
		return;
	s = json_object_get_string(v);
	/* Up to a NUL, which a C string cannot hold. */
	len = strnlen(s, MN_ANSWER_MESSAGE + 1);
	if (len > MN_ANSWER_MESSAGE) {
		/* Not within a character. */
		len = MN_ANSWER_MESSAGE;
		while (len > 0 && (s[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(out, s, len);
	out[len] = '\0';
}

void
mn_answer_error(const char *body, size_t len, struct mn_answer_error *e)
{
	struct json_object *root, *monime, *list, *first;

	memset(e, 0, sizeof(*e));
	root = parse(body, len);
	if (root == NULL)
		return;
	monime = member(root, "error", json_type_object);
	list = member(root, "errors", json_type_array);
	if (monime != NULL) {
		(void)word(monime, "reason", REASON, e->reason,
		    MN_ANSWER_WORD);
		message(monime, "message", e->message);
	} else if (list != NULL) {
		first = json_object_array_length(list) > 0 ?
		    json_object_array_get_idx(list, 0) : NULL;
		(void)word(first, "error_code", REASON, e->reason,
		    MN_ANSWER_WORD);
		message(root, "message", e->message);
		(void)word(root, "id", ID, e->id, MN_ANSWER_WORD);
	} else {
		(void)word(root, "error", REASON, e->reason, MN_ANSWER_WORD);
		message(root, "error_description", e->message);
	}
	json_object_put(root);
}

/* json-c keeps a copy of its own: the token in it is wiped where it stands. */
static void
wipe(struct json_object *v)
{
	if (v != NULL)
		mn_secret_wipe((char *)(uintptr_t)json_object_get_string(v),
		    (size_t)json_object_get_string_len(v));
}

/* "expires_in": a number, or a string of digits as some servers have it. */
static int64_t
lifetime(struct json_object *root)
{
	struct json_object *v = NULL;
	const char *s;
	size_t len;
	uint64_t n;

	if (!json_object_object_get_ex(root, "expires_in", &v))
		return 0;
	if (json_object_is_type(v, json_type_int) ||
	    json_object_is_type(v, json_type_double)) {
		/* json-c clamps what no int64 holds. */
		int64_t seconds = json_object_get_int64(v);

		return seconds > 0 ? seconds : 0;
	}
	if (!json_object_is_type(v, json_type_string))
		return 0;
	s = json_object_get_string(v);
	len = (size_t)json_object_get_string_len(v);
	if (!mn_text_made_of(s, len, MN_TEXT_DIGIT, 1, len))
		return 0;
	return mn_text_number(s, len, INT64_MAX, &n) ? (int64_t)n : INT64_MAX;
}

bool
mn_answer_token(const char *body, size_t len, struct mn_answer_token *t,
    const char **why)
{
	struct json_object *root, *token, *type;
	const char *s;
	bool r = false;

	memset(t, 0, sizeof(*t));
	root = parse_secret(body, len, THEIRS);
	token = member(root, "access_token", json_type_string);
	type = member(root, "token_type", json_type_string);
	if (token == NULL) {
		*why = "the answer has no access_token";
		goto out;
	}
	*why = doubt(body, len, root);
	if (*why != NULL)
		goto out;
	if (type == NULL ||
	    !mn_text_alike(json_object_get_string(type), "bearer", SIZE_MAX)) {
		*why = "token_type is not Bearer";
		goto out;
	}
	s = json_object_get_string(token);
	len = (size_t)json_object_get_string_len(token);
	if (len == 0 || !mn_text_visible(s, len)) {
		*why = "the access_token is none that a header may carry";
		goto out;
	}
	t->token = mn_secret_copy(MN_SECRET_GUARDED, s, len);
	if (t->token == NULL) {
		*why = "out of memory";
		goto out;
	}
	t->lifetime = lifetime(root);
	message(root, "scope", t->scope);
	if (!mn_text_printable(t->scope, strlen(t->scope)))
		t->scope[0] = '\0';
	r = true;
out:
	wipe(token);
	wipe(member(root, "refresh_token", json_type_string));
	json_object_put(root);
	return r;
}

static void
wipe_all(struct json_object *root, const struct mn_parameter *parameters,
    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		wipe(member(root, parameters[i].name, json_type_string));
}

/* json-c tells nobody when it has no memory for a part of its text. */
static bool
is_whole(struct json_object *root, const char *text, size_t len,
    const struct mn_parameter *parameters, size_t n)
{
	struct json_object *again = parse_secret(text, len, OURS);
	bool r = again != NULL && json_object_equal(again, root) != 0;

	wipe_all(again, parameters, n);
	json_object_put(again);
	return r;
}

bool
mn_answer_object(const struct mn_parameter *parameters, size_t n,
    struct mn_text *out)
{
	struct json_object *root = json_object_new_object();
	struct json_object *v;
	const char *s;
	size_t i, len;
	bool r = root != NULL;

	for (i = 0; r && i < n; i++) {
		v = json_object_new_string(parameters[i].value);
		r = v != NULL && json_object_object_add(root,
		    parameters[i].name, v) == 0;
		/* It is still ours, and may be a secret. */
		if (!r) {
			wipe(v);
			json_object_put(v);
		}
	}
	s = r ? json_object_to_json_string_length(root,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len) :
	    NULL;
	r = s != NULL && is_whole(root, s, len, parameters, n);
	if (r)
		mn_text_put(out, s, len);
	if (s != NULL)
		mn_secret_wipe((char *)(uintptr_t)s, len);
	wipe_all(root, parameters, n);
	json_object_put(root);
	return r && !out->failed;
}

/* The same for one that comes with every answer. */
static bool
is_id(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!(s[i] >= 'a' && s[i] <= 'z') &&
		    !(s[i] >= '0' && s[i] <= '9') &&
		    !(s[i] >= 'A' && s[i] <= 'Z') && s[i] != '_' &&
		    s[i] != '-')
			return false;
	}
	return len > 0 && len <= MN_ANSWER_WORD;
}

bool
mn_answer_id(const char *value, char id[MN_ANSWER_WORD + 1])
{
	size_t len = strlen(value);

	id[0] = '\0';
	if (!is_id(value, len))
		return false;
	memcpy(id, value, len + 1);
	return true;
}
