/* SPDX-License-Identifier: MIT */

/* What web servers refuse, and in which words.  See refusal.h. */

#include "refusal.h"

#include <monime.h>

#define COUNT(table)	(sizeof(table) / sizeof((table)[0]))

#define CHALLENGE	"Bearer realm=\"monime\""
#define BODY(error)	"{\"error\":\"" error "\"}\n"

/* RFC 6750 3.1, in a challenge and a body. */
#define NAMED(error)	CHALLENGE ", error=\"" error "\"", BODY(error)

/* Whatever is not named here is "unknown", and no fault of the client. */
static const struct verdict {
	int result;
	const char *word;
	const char *challenge;
	const char *body;
} verdicts[] = {
	{ MONIME_OK, "accepted", NULL, NULL },
	{ MONIME_EDENIED, "denied", NAMED("invalid_token") },
	{ MONIME_EENVIRONMENT, "environment", NAMED("invalid_token") },
	{ MONIME_EFORBIDDEN, "forbidden", NAMED("insufficient_scope") },
};

/* Where RFC 6750 has no error; any other status is a failure of ours. */
static const struct mn_refusal refusals[] = {
	{ 400, NULL, BODY("invalid_request") },
	{ 401, CHALLENGE, BODY("unauthorized") },
	{ 403, NULL, BODY("forbidden") },
	{ 503, NULL, BODY("temporarily_unavailable") },
};

static const struct mn_refusal malformed = { 400, NAMED("invalid_request") };

static const char *const smuggled[] = {
	"Monime-Space-Id",
	"X-HTTP-Method-Override",
	"X-HTTP-Method",
	"X-Method-Override",
};

static const struct verdict *
find_verdict(int result)
{
	size_t i;

	for (i = 0; i < COUNT(verdicts); i++) {
		if (verdicts[i].result == result)
			return &verdicts[i];
	}
	return NULL;
}

const char *
mn_refusal_verdict(int result)
{
	const struct verdict *v = find_verdict(result);

	return v != NULL ? v->word : "unknown";
}

struct mn_refusal
mn_refusal_of_status(int status)
{
	struct mn_refusal r = { 500, NULL, BODY("server_error") };
	size_t i;

	for (i = 0; i < COUNT(refusals); i++) {
		if (refusals[i].status == status)
			return refusals[i];
	}
	if (status >= 400)
		r.status = status;
	return r;
}

static struct mn_refusal
refuse(int result)
{
	return mn_refusal_of_status(result == MN_REFUSAL_UNKNOWN ? 503 :
	    monime_http_status(result));
}

struct mn_refusal
mn_refusal_of_token(int result)
{
	const struct verdict *v = find_verdict(result);
	struct mn_refusal r = refuse(result);

	if (v != NULL && v->challenge != NULL) {
		r.challenge = v->challenge;
		r.body = v->body;
	}
	return r;
}

/* The scheme, and no token behind it. */
static bool
is_malformed(const char *header, size_t len)
{
	static const char scheme[] = "Bearer";
	const size_t n = sizeof(scheme) - 1;

	return len >= n && mn_refusal_same_name(header, n, scheme) &&
	    (len == n || header[n] == ' ' || header[n] == '\t');
}

struct mn_refusal
mn_refusal_of_nobody(int result, const char *header, size_t len)
{
	return is_malformed(header, len) ? malformed : refuse(result);
}

/* Whatever the locale. */
static int
fold(char c)
{
	if (c == '_')
		return '-';
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool
mn_refusal_same_name(const char *name, size_t len, const char *other)
{
	size_t i;

	for (i = 0; i < len && other[i] != '\0'; i++) {
		if (fold(name[i]) != fold(other[i]))
			return false;
	}
	return i == len && other[i] == '\0';
}

bool
mn_refusal_smuggles(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < COUNT(smuggled); i++) {
		if (mn_refusal_same_name(name, len, smuggled[i]))
			return true;
	}
	return false;
}
