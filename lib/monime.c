/* SPDX-License-Identifier: MIT */

/* The handle: opened, closed, and asked for facts. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "call.h"

#include "banned.h"

const char *
monime_version(void)
{
	return MONIME_VERSION;
}

/*
 * libcurl writes the keys of every connection to that file.  It reads the
 * variable with plain getenv() in curl_global_init(), so that a setuid program
 * would do it as root: secure_getenv() would hide that from us.
 */
static int
judge_environment(struct mn_error *e)
{
	if ((getenv)("SSLKEYLOGFILE") == NULL)
		return MONIME_OK;
	return mn_error_add(e, MONIME_EUNSAFE,
	    "SSLKEYLOGFILE is set: libcurl would write the keys of our "
	    "connections there; start this program without it: "
	    "unset SSLKEYLOGFILE");
}

static void
configure_wire(struct monime *m)
{
	const struct mn_profile *p = m->profile;

	m->wire.origin = mn_guard_origin(p, m->provider);
	m->wire.proxy = p->host.proxy;
	m->wire.ca_path = p->host.ca_path;
	if (p->host.ca != NULL) {
		m->wire.ca_path = NULL;
		m->wire.ca = mn_secret_get(p->host.ca);
		m->wire.ca_len = mn_secret_len(p->host.ca);
	}
	m->wire.connections = (int)p->connections;
}

static int
open_profile(struct monime *m, const char *name, const char *folder)
{
	struct mn_profile *p;
	int r;

	if (name == NULL)
		return mn_error_add(&m->error, MONIME_EINVAL, "no profile");
	if ((r = judge_environment(&m->error)) != MONIME_OK)
		return r;
	if (!mn_secret_init())
		return mn_error_add(&m->error, MONIME_ESYS,
		    "the system gives no random bytes");
	r = mn_profile_open(name, folder, (int64_t)time(NULL), &m->profile,
	    &m->error);
	if (r != MONIME_OK)
		return r;
	p = m->profile;
	m->provider = mn_provider_find(p->provider, p->product);
	if (m->provider == NULL)
		return mn_error_add(&m->error, MONIME_ECONFIG,
		    "%s: no such provider or product", p->path);
	r = mn_guard_profile(p, m->provider, &m->error);
	if (r != MONIME_OK)
		return r;
	configure_wire(m);
	if (p->token != NULL) {
		m->credential = mn_credential_new(p->token);
		if (m->credential == NULL)
			return mn_error_add(&m->error, MONIME_ENOMEM, "%s",
			    monime_strerror(MONIME_ENOMEM));
		/* What travels is in the credential now. */
		mn_secret_free(p->token);
		p->token = NULL;
	}
	if (!mn_transfer_global())
		return mn_error_add(&m->error, MONIME_ESYS,
		    "libcurl does not start");
	return MONIME_OK;
}

int
monime_open(const char *profile, const char *folder, struct monime **out)
{
	struct monime *m;

	*out = NULL;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return MONIME_ENOMEM;
	m->references = 1;
	m->error.text.max = MN_ERROR_MAX;
	m->bucket.tenths = MN_BUCKET_MAX;
	mn_log_init(&m->log);
	(void)pthread_mutex_init(&m->lock, NULL);
	m->failure = MONIME_ECONFIG;
	m->failure = open_profile(m, profile, folder);
	*out = m;
	return m->failure;
}

void
monime_close(struct monime *m)
{
	struct mn_loop *l;

	if (m == NULL)
		return;
	(void)pthread_mutex_lock(&m->lock);
	m->closed = true;
	(void)pthread_mutex_unlock(&m->lock);
	while (m->idles > 0) {
		l = m->idle[--m->idles];
		mn_loop_free(l);
	}
	mn_log_set(&m->log, -1, NULL, NULL);
	mn_handle_free(m);
}

const char *
monime_error(const struct monime *m)
{
	if (m == NULL)
		return monime_strerror(MONIME_ENOMEM);
	return mn_error_get(&m->error);
}

const char *
monime_get(const struct monime *m, const char *name)
{
	const struct mn_profile *p;
	size_t i;

	if (m == NULL || name == NULL || m->failure != MONIME_OK)
		return NULL;
	p = m->profile;

	const struct {
		const char *name;
		const char *value;
	} facts[] = {
		{ "profile", p->name },
		{ "provider", p->provider },
		{ "product", p->product },
		{ "environment", mn_profile_environment(p->environment) },
		{ "origin", m->wire.origin },
		{ "space", p->space },
	};

	for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		if (strcmp(facts[i].name, name) == 0)
			return facts[i].value;
	}
	return NULL;
}

void
monime_set_log(struct monime *m, int level, monime_log_fn *fn, void *data)
{
	const char *s;
	size_t n;

	if (m == NULL)
		return;
	mn_log_set(&m->log, level, fn, data);
	if (m->failure != MONIME_OK)
		return;
	/* What monime_open() had to warn of. */
	for (s = mn_error_get(&m->profile->warnings); *s != '\0'; s += n) {
		n = strcspn(s, "\n");
		mn_log_write(&m->log, LOG_WARNING, "%.*s", (int)n, s);
		n += s[n] == '\n';
	}
}

const char *
monime_bearer(const char *header, size_t len, size_t *token_len)
{
	static const char scheme[] = "Bearer ";
	const size_t n = sizeof(scheme) - 1;
	const char *token, *end;

	*token_len = 0;
	if (header == NULL || len <= n ||
	    strncasecmp(header, scheme, n) != 0)
		return "";
	end = header + len;
	token = header + n;
	while (token < end && *token == ' ')
		token++;
	while (end > token && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	/* Whatever else stands there, it is no token. */
	if (!mn_text_visible(token, (size_t)(end - token)))
		return "";
	*token_len = (size_t)(end - token);
	return *token_len > 0 ? token : "";
}

int
monime_new_key(char *buf, size_t size)
{
	static const size_t dashes[] = { 8, 13, 18, 23 };
	unsigned char b[16];
	char hex[2 * sizeof(b) + 1];
	size_t i, from = 0, dash = 0;

	if (buf == NULL || size == 0)
		return MONIME_EINVAL;
	buf[0] = '\0';
	if (size < MONIME_KEY_SIZE)
		return MONIME_EINVAL;
	if (!mn_secret_init())
		return MONIME_ESYS;
	mn_secret_random(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);	/* RFC 9562 5.4 */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);	/* RFC 9562 4.1 */
	mn_secret_to_hex(b, sizeof(b), hex);
	for (i = 0; i < MONIME_KEY_SIZE - 1; i++) {
		if (dash < 4 && i == dashes[dash]) {
			buf[i] = '-';
			dash++;
		} else {
			buf[i] = hex[from++];
		}
	}
	buf[i] = '\0';
	return MONIME_OK;
}

/* The event loop and the counters: not in this release. */

#define LATER	"this release has no event loop yet: use the blocking function"

static int
later(struct monime *m, void *data, struct monime_call **out)
{
	struct monime_call *call = mn_call_new(m, data);

	*out = call;
	if (call == NULL)
		return MONIME_ENOMEM;
	if (call->result == MONIME_EPENDING)
		return mn_call_finish(call, MONIME_ESYS, LATER);
	return call->result;
}

int
monime_check_token_start(struct monime *m, const char *token, size_t len,
    void *data, struct monime_call **call)
{
	(void)token;
	(void)len;
	return later(m, data, call);
}

int
monime_request_start(struct monime *m, const char *method, const char *path,
    const char *const *headers, const void *body, size_t len, void *data,
    struct monime_call **call)
{
	(void)method;
	(void)path;
	(void)headers;
	(void)body;
	(void)len;
	return later(m, data, call);
}

int
monime_authorize_start(struct monime *m, const char *method, const char *url,
    void *data, struct monime_call **call)
{
	(void)method;
	(void)url;
	return later(m, data, call);
}

int
monime_fd(struct monime *m)
{
	return m != NULL && m->failure == MONIME_OK ?
	    MONIME_ESYS : MONIME_ECONFIG;
}

struct monime_call *
monime_next(struct monime *m)
{
	(void)m;
	return NULL;
}

size_t
monime_metrics(struct monime *const *m, size_t n, const char *format,
    char *buf, size_t size)
{
	(void)m;
	(void)n;
	(void)format;
	if (buf != NULL && size > 0)
		buf[0] = '\0';
	return 0;
}
