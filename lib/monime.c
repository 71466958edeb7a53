/* SPDX-License-Identifier: MIT */

/* The handle: opened, closed, and asked for facts. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "fork.h"
#include "reload.h"

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

static int
open_profile(struct monime *m, const char *name, const char *folder)
{
	bool withdrawn;
	int r;

	if (name == NULL)
		return mn_error_add(&m->error, MONIME_EINVAL, "no profile");
	if ((r = judge_environment(&m->error)) != MONIME_OK)
		return r;
	if (!mn_secret_init())
		return mn_error_add(&m->error, MONIME_ESYS,
		    "the system gives no random bytes");
	r = mn_edition_open(name, folder, &m->first, &withdrawn, &m->error);
	if (r != MONIME_OK)
		return r;
	m->now = mn_edition_keep(m->first);
	m->probes = mn_probe_new();
	if (m->probes == NULL)
		return mn_error_add(&m->error, MONIME_ENOMEM, "%s",
		    monime_strerror(MONIME_ENOMEM));
	mn_probe_publish(m, m->first);
	m->reload = mn_reload_new(name, folder);
	if (m->reload == NULL)
		return mn_error_add(&m->error, MONIME_ENOMEM, "%s",
		    monime_strerror(MONIME_ENOMEM));
	if (!mn_fork_open(m))
		return mn_error_add(&m->error, MONIME_ESYS,
		    "the kernel gives no page that a fork wipes");
	if (!mn_transfer_global())
		return mn_error_add(&m->error, MONIME_ESYS,
		    "libcurl does not start");
	m->metrics = mn_metrics_open(m->first->profile->path,
	    m->first->provider);
	if (m->metrics == NULL)
		return mn_error_add(&m->error, MONIME_ENOMEM, "%s",
		    monime_strerror(MONIME_ENOMEM));
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
	if (m == NULL)
		return;
	if (m->here != NULL)
		mn_fork_look(m);
	mn_events_close(m);
	mn_probe_close(m);
	if (m->now != NULL)
		mn_edition_retire(m->now);
	mn_log_set(&m->log, -1, NULL, NULL);
	mn_handle_free(m);
}

const char *
monime_error(const struct monime *m)
{
	const char *why;

	if (m == NULL)
		return monime_strerror(MONIME_ENOMEM);
	why = mn_error_get(&m->error);
	/* Where memory was short there was none to say so, either. */
	return *why == '\0' && m->failure != MONIME_OK ?
	    monime_strerror(m->failure) : why;
}

const char *
monime_get(const struct monime *m, const char *name)
{
	const struct mn_profile *p;
	size_t i;

	if (m == NULL || name == NULL || m->failure != MONIME_OK)
		return NULL;
	p = m->first->profile;

	const struct {
		const char *name;
		const char *value;
	} facts[] = {
		{ "profile", p->name },
		{ "provider", p->provider },
		{ "product", p->product },
		{ "environment", mn_profile_environment(p->environment) },
		{ "origin", m->first->wire.origin },
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
	if (m == NULL)
		return;
	mn_log_set(&m->log, level, fn, data);
	if (m->failure != MONIME_OK)
		return;
	/* What monime_open() had to warn of. */
	mn_log_lines(&m->log, LOG_WARNING, "",
	    mn_error_get(&m->first->profile->warnings));
}

const char *
monime_bearer(const char *header, size_t len, size_t *token_len)
{
	static const char scheme[] = "Bearer ";
	const size_t n = sizeof(scheme) - 1;
	const char *token, *end;

	*token_len = 0;
	if (header == NULL || len <= n)
		return "";
	/* It is spelt so as a rule. */
	if (memcmp(header, scheme, n) != 0 && !mn_text_alike(header, scheme, n))
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
