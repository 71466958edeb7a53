/* SPDX-License-Identifier: MIT */

/* What may leave this host.  See guard.h. */

#define _GNU_SOURCE
#include "guard.h"

#include <arpa/inet.h>
#include <string.h>

#include "banned.h"

/* Monime: lists that any valid token may read, whoever's it is. */
static const char *const global_lists[] = {
	"/v1/banks", "/v1/momos", "/v1/countries", "/v1/provider-kyc"
};

#define SPACE_PATH	"/v1/financial-accounts?limit=1"

const char *
mn_guard_origin(const struct mn_profile *p, const struct mn_provider *v)
{
	return p->base_url != NULL ? p->base_url : v->origin[p->environment];
}

enum mn_accept
mn_guard_accept(const struct mn_profile *p, const struct mn_provider *v)
{
	if (p->check.accept != MN_ACCEPT_DEFAULT)
		return p->check.accept;
	return v->space_header != NULL ? MN_ACCEPT_SPACE : MN_ACCEPT_PATH;
}

const char *
mn_guard_check_path(const struct mn_profile *p, const struct mn_provider *v)
{
	enum mn_accept accept = mn_guard_accept(p, v);

	if (accept == MN_ACCEPT_SPACE && p->check.path == NULL)
		return SPACE_PATH;
	/* Without a token test some path has to be asked in any case. */
	if (accept == MN_ACCEPT_ANY && v->token_test)
		return NULL;
	return p->check.path;
}

/* Opens to any valid token; the root, the token test, to any at all. */
static bool
is_global(const char *path)
{
	size_t i, n;

	if (path[1] == '\0' || path[1] == '?')
		return true;
	for (i = 0; i < sizeof(global_lists) / sizeof(global_lists[0]); i++) {
		n = strlen(global_lists[i]);
		if (strncmp(path, global_lists[i], n) == 0 &&
		    (path[n] == '\0' || path[n] == '/' || path[n] == '?'))
			return true;
	}
	return false;
}

static bool
holds(const struct mn_list *list, const char *s)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (strcmp(list->item[i], s) == 0)
			return true;
	}
	return false;
}

static int
judge_origin(const struct mn_profile *p, const struct mn_provider *v,
    struct mn_error *e)
{
	if (mn_guard_origin(p, v) == NULL)
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: base_url is not set, and no %s origin of %s %s is "
		    "documented: set base_url to the one you were given",
		    p->path, mn_profile_environment(p->environment),
		    p->provider, p->product);
	if (p->base_url != NULL &&
	    mn_provider_forbids(v, p->base_url, p->environment))
		return mn_error_add(e, MONIME_EENVIRONMENT,
		    "%s:%d: base_url %s is not the provider's for %s: remove "
		    "it, or move this profile to the other environment",
		    p->path, p->base_url_line, p->base_url,
		    mn_profile_environment(p->environment));
	if (p->oauth2.token_url != NULL &&
	    mn_provider_forbids(v, p->oauth2.token_url, p->environment))
		return mn_error_add(e, MONIME_EENVIRONMENT,
		    "%s: oauth2.token_url %s is not the provider's for %s: set "
		    "it to that environment's own, or move this profile to the "
		    "other one", p->path, p->oauth2.token_url,
		    mn_profile_environment(p->environment));
	return MONIME_OK;
}

/*
 * Is it a token of that provider's, and of which environment?  A prefix alone
 * is none.
 */
static bool
is_token(const struct mn_provider *v, const char *token, size_t len,
    enum mn_environment *of)
{
	size_t n;

	if (!mn_provider_environment(v, token, len, of))
		return false;
	n = strlen(v->prefix[*of]);
	return len > n && len - n <= MN_TOKEN_MAX;
}

static int
judge_credential(const struct mn_profile *p, const struct mn_provider *v,
    struct mn_error *e)
{
	const char *where = p->token_file != NULL ? p->token_file : p->path;
	enum mn_environment of;
	const char *token;
	size_t len;

	if (v->oauth2 && p->token != NULL)
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: %s %s takes OAuth 2.0 credentials, not a static "
		    "token: replace it by an oauth2 group",
		    where, p->provider, p->product);
	if (!v->oauth2 && p->oauth2.set)
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: oauth2 is for products that authenticate so; this "
		    "one takes a static token: remove the group", p->path);
	if (p->token == NULL)
		return MONIME_OK;
	token = mn_secret_get(p->token);
	len = mn_secret_len(p->token);
	if (!mn_guard_token_form(token, len))
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: the token has bytes that no header may carry, or "
		    "more than %d characters: write it again, on one line",
		    where, MN_TOKEN_MAX);
	if (v->prefix[MN_TEST] == NULL)
		return MONIME_OK;
	if (!is_token(v, token, len, &of))
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: this is no token of %s: its tokens begin with %s "
		    "(test) or %s (live), and up to %d characters follow",
		    where, p->provider, v->prefix[MN_TEST],
		    v->prefix[MN_LIVE], MN_TOKEN_MAX);
	if (of != p->environment)
		return mn_error_add(e, MONIME_EENVIRONMENT,
		    "%s: a %s token in a %s profile: put a %s token there, "
		    "or use a %s/ profile", where, mn_profile_environment(of),
		    mn_profile_environment(p->environment),
		    mn_profile_environment(p->environment),
		    mn_profile_environment(of));
	return MONIME_OK;
}

static int
judge_check(const struct mn_profile *p, const struct mn_provider *v,
    struct mn_error *e)
{
	const char *path = p->check.path;

	if (p->check.accept == MN_ACCEPT_SPACE && v->space_header == NULL)
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: check.accept = \"space\" is for Monime: here set "
		    "\"path\" and a check.path that names an object of yours",
		    p->path);
	if (p->check.accept == MN_ACCEPT_PATH && path == NULL)
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: check.accept = \"path\" needs check.path, which "
		    "names an object of yours", p->path);
	if (path == NULL)
		return MONIME_OK;
	if (mn_guard_path(path, e) != MONIME_OK)
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: check.path is not a valid path", p->path);
	if (v->space_header != NULL && is_global(path))
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: check.path %s opens to any valid token, whoever "
		    "holds it: name a path within your Space, such as %s",
		    p->path, path, SPACE_PATH);
	return MONIME_OK;
}

static int
judge_headers(const struct mn_profile *p, const struct mn_provider *v,
    struct mn_error *e)
{
	if (v->space_header == NULL && (p->space != NULL ||
	    p->version != NULL || p->allow.spaces.set))
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: space, version and allow.spaces are Monime's: remove "
		    "them", p->path);
	if (p->space != NULL && p->allow.spaces.set &&
	    !holds(&p->allow.spaces, p->space))
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: space %s is not in allow.spaces: add it there",
		    p->path, p->space);
	if (p->allow.addresses.set && !v->token_test)
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: allow.addresses needs an API that tells our address; "
		    "%s does not: remove it", p->path, p->provider);
	if (p->allow.addresses.set && !p->confirm_environment)
		return mn_error_add(e, MONIME_ECONFIG,
		    "%s: allow.addresses is compared when the environment is "
		    "confirmed, which confirm_environment = false waives: take "
		    "out one of them", p->path);
	return MONIME_OK;
}

int
mn_guard_profile(const struct mn_profile *p, const struct mn_provider *v,
    struct mn_error *e)
{
	int r;

	if ((r = judge_origin(p, v, e)) != MONIME_OK ||
	    (r = judge_credential(p, v, e)) != MONIME_OK ||
	    (r = judge_headers(p, v, e)) != MONIME_OK ||
	    (r = judge_check(p, v, e)) != MONIME_OK)
		return r;
	return MONIME_OK;
}

bool
mn_guard_token_form(const char *token, size_t len)
{
	/* The longest prefix has 9 characters. */
	return len > 0 && len <= MN_TOKEN_MAX + 9 &&
	    mn_text_visible(token, len);
}

int
mn_guard_token(const struct mn_profile *p, const struct mn_provider *v,
    const char *token, size_t len, struct mn_error *e)
{
	enum mn_environment of;

	if (token == NULL || len == 0)
		return mn_error_add(e, MONIME_EDENIED, "no token");
	if (!mn_guard_token_form(token, len))
		return mn_error_add(e, MONIME_EDENIED,
		    "not a token: bytes that no header may carry, or more "
		    "than %d characters", MN_TOKEN_MAX);
	if (v->prefix[MN_TEST] == NULL)
		return MONIME_OK;
	if (!is_token(v, token, len, &of))
		return mn_error_add(e, MONIME_EDENIED,
		    "not a token of %s", v->name);
	if (of != p->environment)
		return mn_error_add(e, MONIME_EENVIRONMENT,
		    "a %s token where %s is meant; it was not sent",
		    mn_profile_environment(of),
		    mn_profile_environment(p->environment));
	return MONIME_OK;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * RFC 3986 2.3 and 6.2.2.2: a reader may decode an unreserved byte; and many
 * decode the others too early.
 */
static bool
ambiguous_escape(const char *s)
{
	int high = hex(s[1]);
	int low = high < 0 ? -1 : hex(s[2]);
	int c;

	if (high < 0 || low < 0)
		return true;
	c = high * 16 + low;
	return c < 0x20 || c == 0x7f ||
	    strchr(MN_TEXT_ALNUM "-._~" "/\\%;?#", c) != NULL;
}

/* An empty, "." or ".." segment; s is behind a "/". */
static bool
ambiguous_segment(const char *s)
{
	size_t n = strcspn(s, "/?");

	return n == 0 || (n == 1 && s[0] == '.') ||
	    (n == 2 && s[0] == '.' && s[1] == '.');
}

int
mn_guard_path(const char *path, struct mn_error *e)
{
	bool query = false;
	size_t i;

	if (path[0] != '/')
		return mn_error_add(e, MONIME_EINVAL,
		    "the path must begin with \"/\"");
	if (strlen(path) > MN_PATH_MAX)
		return mn_error_add(e, MONIME_EINVAL,
		    "the path is longer than %d bytes", MN_PATH_MAX);
	for (i = 0; path[i] != '\0'; i++) {
		/* What most of it is made of. */
		if ((path[i] >= 'a' && path[i] <= 'z') || path[i] == '-' ||
		    (path[i] >= '0' && path[i] <= '9'))
			continue;
		if (!mn_text_visible(path + i, 1) ||
		    strchr(";\\#", path[i]) != NULL)
			return mn_error_add(e, MONIME_EINVAL,
			    "the path has \"%c\" (byte 0x%02x) at offset %zu, "
			    "which no two readers take alike", path[i],
			    (unsigned char)path[i], i);
		if (path[i] == '?')
			query = true;
		if (path[i] == '%' && ambiguous_escape(path + i))
			return mn_error_add(e, MONIME_EINVAL,
			    "the path has an escape at offset %zu that is "
			    "malformed or needless, or that some readers "
			    "decode too early", i);
		/* "/" alone and "/?..." name the root. */
		if (!query && path[i] == '/' && ambiguous_segment(path + i + 1)
		    && (i > 0 || (path[1] != '\0' && path[1] != '?')))
			return mn_error_add(e, MONIME_EINVAL,
			    "the path has an empty, \".\" or \"..\" segment at "
			    "offset %zu", i);
	}
	return MONIME_OK;
}

/* A pattern is a path, or a path and "/" and "*": all that is below. */
static bool
matches(const char *pattern, const char *path, size_t len)
{
	size_t n = strlen(pattern);

	if (n >= 2 && strcmp(pattern + n - 2, "/*") == 0)
		return len > n - 1 && strncmp(pattern, path, n - 1) == 0;
	return n == len && memcmp(pattern, path, n) == 0;
}

static int
judge_allow(const struct mn_profile *p, const char *method, const char *path,
    struct mn_error *e)
{
	size_t len = strcspn(path, "?");
	size_t i;

	if (p->allow.methods.set && !holds(&p->allow.methods, method))
		return mn_error_add(e, MONIME_EPOLICY,
		    "%s: allow.methods does not name %s; nothing was sent",
		    p->name, method);
	if (!p->allow.paths.set)
		return MONIME_OK;
	for (i = 0; i < p->allow.paths.n; i++) {
		if (matches(p->allow.paths.item[i], path, len))
			return MONIME_OK;
	}
	return mn_error_add(e, MONIME_EPOLICY,
	    "%s: allow.paths does not name %.*s; nothing was sent",
	    p->name, (int)len, path);
}

/*
 * Headers that a request may bring, and where each is noted.  All others are
 * ours to set, or could change what is asked of whom.
 */
enum header {
	H_ACCEPT,
	H_ACCEPT_LANGUAGE,
	H_CONTENT_TYPE,
	H_IDEMPOTENCY_KEY,
	H_SPACE,
	H_VERSION,
	H_REQUEST_ID,
	H_TRACEPARENT,
	H_COUNT
};

static const char *const allowed[H_COUNT] = {
	[H_ACCEPT] = "Accept",
	[H_ACCEPT_LANGUAGE] = "Accept-Language",
	[H_CONTENT_TYPE] = "Content-Type",
	[H_IDEMPOTENCY_KEY] = "Idempotency-Key",
	[H_SPACE] = "Monime-Space-Id",
	[H_VERSION] = "Monime-Version",
	[H_REQUEST_ID] = "X-Request-Id",
	[H_TRACEPARENT] = "traceparent",
};

static enum header
header_named(const char *line, size_t len)
{
	size_t i;

	for (i = 0; i < H_COUNT; i++) {
		if (strlen(allowed[i]) == len &&
		    mn_text_alike(allowed[i], line, len))
			break;
	}
	return (enum header)i;
}

static int
judge_key(const struct mn_provider *v, const char *value,
    struct mn_guarded *g, struct mn_error *e)
{
	if ((v->key_methods & g->method) == 0)
		return mn_error_add(e, MONIME_EINVAL,
		    "Idempotency-Key: %s does not honour keys for this method, "
		    "so one would promise what nobody keeps", v->name);
	if (strlen(value) > v->key_max ||
	    !mn_text_visible(value, strlen(value)))
		return mn_error_add(e, MONIME_EINVAL,
		    "Idempotency-Key: at most %zu visible characters",
		    v->key_max);
	g->key = value;
	return MONIME_OK;
}

static int
judge_space(const struct mn_profile *p, const struct mn_provider *v,
    const char *value, struct mn_guarded *g, struct mn_error *e)
{
	if (v->space_header == NULL)
		return mn_error_add(e, MONIME_EINVAL,
		    "Monime-Space-Id: %s has no Spaces", v->name);
	g->space = true;
	if (holds(&p->allow.spaces, value) ||
	    (p->space != NULL && strcmp(p->space, value) == 0))
		return MONIME_OK;
	return mn_error_add(e, MONIME_EPOLICY,
	    "%s: neither space nor allow.spaces names that Space; nothing was "
	    "sent", p->name);
}

static int
judge_header(const struct mn_profile *p, const struct mn_provider *v,
    const char *line, unsigned int *seen, struct mn_guarded *g,
    struct mn_error *e)
{
	size_t len = strcspn(line, ":");
	enum header h = header_named(line, len);
	const char *value;

	if (line[len] != ':' || h == H_COUNT)
		return mn_error_add(e, MONIME_EINVAL,
		    "a header that is not \"Name: value\" with one of the "
		    "names Accept, Accept-Language, Content-Type, "
		    "Idempotency-Key, Monime-Space-Id, Monime-Version, "
		    "X-Request-Id, traceparent");
	if (*seen & 1u << h)
		return mn_error_add(e, MONIME_EINVAL, "%s: given twice",
		    allowed[h]);
	*seen |= 1u << h;
	value = line + len + 1;
	value += strspn(value, " ");
	len = strlen(value);
	if (len == 0 || len > MN_VALUE_MAX || !mn_text_printable(value, len) ||
	    value[len - 1] == ' ')
		return mn_error_add(e, MONIME_EINVAL,
		    "%s: a value has 1 to %d bytes of visible ASCII and space, "
		    "and does not end in one", allowed[h], MN_VALUE_MAX);
	switch (h) {
	case H_IDEMPOTENCY_KEY:
		return judge_key(v, value, g, e);
	case H_SPACE:
		return judge_space(p, v, value, g, e);
	case H_VERSION:
		g->version = true;
		if (v->version_header == NULL)
			return mn_error_add(e, MONIME_EINVAL,
			    "Monime-Version: %s has no such header", v->name);
		return MONIME_OK;
	case H_ACCEPT:
		g->accept = true;
		return MONIME_OK;
	case H_CONTENT_TYPE:
		g->content_type = true;
		return MONIME_OK;
	default:
		return MONIME_OK;
	}
}

int
mn_guard_request(const struct mn_profile *p, const struct mn_provider *v,
    const char *method, const char *path, const char *const *headers,
    bool body, size_t len, struct mn_guarded *g, struct mn_error *e)
{
	unsigned int seen = 0;
	size_t i;
	int r;

	memset(g, 0, sizeof(*g));
	if (method == NULL || (g->method = mn_provider_method(method)) == 0)
		return mn_error_add(e, MONIME_EINVAL, "the method must be one "
		    "of GET, HEAD, POST, PUT, PATCH, DELETE");
	if (path == NULL)
		return mn_error_add(e, MONIME_EINVAL, "no path");
	if ((r = mn_guard_path(path, e)) != MONIME_OK)
		return r;
	if ((!body && len > 0) || len > MN_BODY_MAX)
		return mn_error_add(e, MONIME_EINVAL, "a body of %zu bytes: it "
		    "must be given, and have at most %d", len, MN_BODY_MAX);
	if (body && (g->method & MN_SAFE_METHODS))
		return mn_error_add(e, MONIME_EINVAL,
		    "%s carries no body", method);
	for (i = 0; headers != NULL && headers[i] != NULL; i++) {
		if ((r = judge_header(p, v, headers[i], &seen, g, e)) !=
		    MONIME_OK)
			return r;
	}
	return judge_allow(p, method, path, e);
}

int
mn_guard_authorize(const struct mn_profile *p, const struct mn_provider *v,
    const char *method, const char *url, struct mn_error *e)
{
	const char *origin = mn_guard_origin(p, v);
	const char *path;

	if (!p->allow.methods.set || !p->allow.paths.set)
		return mn_error_add(e, MONIME_EPOLICY,
		    "%s: to authorize the requests of others, the profile "
		    "needs allow.methods and allow.paths", p->name);
	if (strncmp(url, origin, strlen(origin)) != 0 ||
	    url[strlen(origin)] != '/')
		return mn_error_add(e, MONIME_EPOLICY,
		    "%s: the URL does not begin with the origin %s and a path",
		    p->name, origin);
	path = url + strlen(origin);
	if (mn_guard_path(path, e) != MONIME_OK)
		return MONIME_EPOLICY;
	return judge_allow(p, method, path, e);
}

int
mn_guard_address(const struct mn_profile *p, const char *address,
    struct mn_error *e)
{
	unsigned char seen[sizeof(struct in6_addr)];
	unsigned char want[sizeof(struct in6_addr)];
	size_t i;
	int family;

	if (!p->allow.addresses.set)
		return MONIME_OK;
	for (i = 0; address != NULL && i < p->allow.addresses.n; i++) {
		family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
		/* One address has several spellings. */
		if (inet_pton(family, address, seen) == 1 &&
		    inet_pton(family, p->allow.addresses.item[i], want) == 1 &&
		    memcmp(seen, want, family == AF_INET6 ? 16 : 4) == 0)
			return MONIME_OK;
	}
	return mn_error_add(e, MONIME_EPOLICY,
	    "%s: the API sees us as %s, which allow.addresses does not name",
	    p->name, address != NULL ? address : "nobody");
}
