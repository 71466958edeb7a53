/* SPDX-License-Identifier: MIT */

/* Rotation without restart.  See reload.h. */

#define _GNU_SOURCE
#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "call.h"

#include "banned.h"

struct mn_reload {
	char *name;
	char *folder;			/* NULL: the built-in one */
	int64_t due;			/* of the next look; atomic */
	pthread_mutex_t looking;	/* of all below */
	int64_t gone_at;		/* first seen so; 0: it is there */
	int64_t pace;			/* ms to the look after the next */
	bool faulty;			/* what is there is not taken up */
	int64_t tell_at;		/* no line on the same fault before */
	char *told;			/* that one; NULL: none */
	bool told_hidden;
};

struct mn_reload *
mn_reload_new(const char *name, const char *folder)
{
	struct mn_reload *r;

	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	(void)pthread_mutex_init(&r->looking, NULL);
	r->name = strdup(name);
	r->folder = folder != NULL ? strdup(folder) : NULL;
	if (r->name == NULL || (folder != NULL && r->folder == NULL)) {
		mn_reload_free(r);
		return NULL;
	}
	return r;
}

void
mn_reload_free(struct mn_reload *r)
{
	if (r == NULL)
		return;
	(void)pthread_mutex_destroy(&r->looking);
	free(r->told);
	free(r->name);
	free(r->folder);
	free(r);
}

/* In the order in which they matter, where files differ. */
enum look {
	LOOK_SAME,
	LOOK_HIDDEN,		/* this process may not see it */
	LOOK_CHANGED,
	LOOK_GONE
};

/*
 * What a path names now, for a first guess alone: whatever is read is judged
 * by safefile.c then.
 */
static enum look
look_at(const struct mn_profile_file *file)
{
	static const struct mn_safefile_id absent;
	bool was = !mn_safefile_same(&file->id, &absent);
	struct mn_safefile_id id = { .dev = 0 };
	struct stat st;
	int fd;

	if (stat(file->path, &st) != 0) {
		if (errno == EACCES)
			return was ? LOOK_HIDDEN : LOOK_SAME;
		return was ? LOOK_GONE : LOOK_SAME;
	}
	id.dev = st.st_dev;
	id.ino = st.st_ino;
	id.size = st.st_size;
	id.modified = st.st_mtim;
	id.changed = st.st_ctim;
	if (mn_safefile_same(&id, &file->id))
		return LOOK_SAME;
	if (!S_ISREG(st.st_mode))
		return LOOK_CHANGED;
	fd = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == EACCES ? LOOK_HIDDEN : LOOK_CHANGED;
	(void)close(fd);
	return LOOK_CHANGED;
}

/* The worst of all files that make the profile; *path: whose. */
static enum look
look_at_all(const struct mn_profile *p, const char **path)
{
	enum look worst = LOOK_SAME, one;
	size_t i;

	*path = NULL;
	for (i = 0; i < p->nfiles; i++) {
		one = look_at(&p->file[i]);
		if (one <= worst)
			continue;
		worst = one;
		*path = p->file[i].path;
	}
	return worst;
}

static void refuse(struct monime *m, const char *fmt, ...)
    __attribute__((__format__(__printf__, 2, 3)));

static void
refuse(struct monime *m, const char *fmt, ...)
{
	struct mn_text why = MN_TEXT_INIT(MN_ERROR_MAX);
	char *old;
	bool news;
	va_list ap;

	va_start(ap, fmt);
	mn_text_vadd(&why, fmt, ap);
	va_end(ap);
	(void)pthread_mutex_lock(&m->lock);
	news = !m->refused;
	__atomic_store_n(&m->refused, true, __ATOMIC_RELAXED);
	old = m->refusal;
	m->refusal = strdup(mn_text_get(&why));
	(void)pthread_mutex_unlock(&m->lock);
	free(old);
	if (news) {
		mn_metrics_count(m, MN_COUNT_RELOADS, MN_RELOADED_WITHDRAWN,
		    0);
		mn_log_write(&m->log, LOG_ERR,
		    "%s: calls are refused from now on: %s", m->reload->name,
		    mn_text_get(&why));
	}
	mn_text_free(&why);
}

/* The next regular look is in ms milliseconds, or after "reload". */
static void
plan(struct monime *m, int64_t ms)
{
	struct mn_reload *r = m->reload;
	int64_t most = m->now->profile->reload;

	if (ms == 0 || ms > most)
		ms = most;
	r->pace = 2 * ms;
	__atomic_store_n(&r->due, mn_loop_time() + ms, __ATOMIC_RELAXED);
}

/* Calls go on as they were: say why the new file is not taken up. */
static void
tell(struct monime *m, const char *why)
{
	struct mn_reload *r = m->reload;

	mn_metrics_count(m, MN_COUNT_RELOADS, MN_RELOADED_REFUSED, 0);
	if (!r->faulty)
		plan(m, MN_RELOAD_SOON);
	r->faulty = true;
	if (mn_loop_time() < r->tell_at && r->told != NULL &&
	    strcmp(r->told, why) == 0)
		return;
	r->tell_at = mn_loop_time() + MN_RELOAD_TELL;
	free(r->told);
	r->told = strdup(why);
	mn_log_write(&m->log, LOG_ERR, "%s: the changed profile is not taken "
	    "up, the former one stays:", r->name);
	mn_log_lines(&m->log, LOG_ERR, "", why);
}

static void
adopt(struct monime *m, struct mn_edition *e)
{
	struct mn_edition *old = m->now;
	char *refusal;

	mn_edition_succeed(e, old);
	(void)pthread_mutex_lock(&m->lock);
	/* With its table: no verdict of the old one follows one of the new. */
	m->now = e;
	mn_probe_publish(m, e);
	__atomic_store_n(&m->refused, false, __ATOMIC_RELAXED);
	refusal = m->refusal;
	m->refusal = NULL;
	(void)pthread_mutex_unlock(&m->lock);
	mn_edition_retire(old);
	mn_edition_free(old);
	free(refusal);
	plan(m, MN_RELOAD_SOON);
	m->reload->faulty = false;
	free(m->reload->told);
	m->reload->told = NULL;
	m->reload->told_hidden = false;
	mn_metrics_count(m, MN_COUNT_RELOADS, MN_RELOADED_TAKEN, 0);
	mn_log_write(&m->log, LOG_NOTICE,
	    "%s: a changed profile is taken up%s%s", m->reload->name,
	    e->credential != NULL ? ", credential " : "",
	    e->credential != NULL ? e->credential->fingerprint : "");
	mn_log_lines(&m->log, LOG_WARNING, "",
	    mn_error_get(&e->profile->warnings));
}

static void
reread(struct monime *m)
{
	struct mn_error error = MN_ERROR_INIT;
	struct mn_edition *e;
	const char *what, *why;
	bool withdrawn;
	int code;

	code = mn_edition_open(m->reload->name, m->reload->folder, &e,
	    &withdrawn, &error);
	if (code == MONIME_OK && mn_edition_compatible(e, m->first, &what)) {
		adopt(m, e);
	} else if (code == MONIME_OK) {
		(void)mn_error_add(&error, MONIME_ECONFIG,
		    "another %s needs a new open: restart this program", what);
		tell(m, mn_error_get(&error));
		mn_edition_free(e);
	} else if (withdrawn || code == MONIME_EPOLICY) {
		why = mn_error_get(&error);
		refuse(m, "%.*s", (int)strcspn(why, "\n"), why);
	} else {
		tell(m, mn_error_get(&error));
	}
	mn_error_free(&error);
}

static bool
expired(const struct mn_profile *p)
{
	return p->expires >= 0 &&
	    mn_profile_day((int64_t)time(NULL)) > p->expires;
}

static void
look(struct monime *m)
{
	struct mn_reload *r = m->reload;
	const struct mn_profile *p = m->now->profile;
	const char *path;
	enum look seen = look_at_all(p, &path);
	int64_t now = mn_loop_time();

	if (seen != LOOK_GONE)
		r->gone_at = 0;
	switch (seen) {
	case LOOK_SAME:
		/* What was gone may have come back as it was. */
		if (m->refused)
			reread(m);
		break;
	case LOOK_CHANGED:
		reread(m);
		break;
	case LOOK_GONE:
		/* Once may be a rename under way. */
		if (r->gone_at == 0)
			r->gone_at = now;
		else if (now - r->gone_at >= p->reload)
			refuse(m, "%s: this file of the profile is gone",
			    path);
		break;
	case LOOK_HIDDEN:
		if (!r->told_hidden)
			mn_log_write(&m->log, LOG_NOTICE,
			    "%s: this process may not read the profile any "
			    "more: it keeps what it has, and takes up a "
			    "rotation when it is reloaded or restarted",
			    r->name);
		r->told_hidden = true;
		break;
	}
	/* Whatever has become of the file: this one does not live longer. */
	if (!m->refused && expired(m->now->profile))
		refuse(m, "the profile has expired: see \"expires\"");
}

static struct mn_edition *
current(struct monime *m, bool *refused, char **refusal)
{
	struct mn_edition *e;

	(void)pthread_mutex_lock(&m->lock);
	e = mn_edition_keep(m->now);
	*refused = m->refused;
	*refusal = m->refusal != NULL ? strdup(m->refusal) : NULL;
	(void)pthread_mutex_unlock(&m->lock);
	return e;
}

bool
mn_reload_due(const struct monime *m, int64_t now)
{
	return __atomic_load_n(&m->refused, __ATOMIC_RELAXED) ||
	    now >= __atomic_load_n(&m->reload->due, __ATOMIC_RELAXED);
}

struct mn_edition *
mn_reload_edition(struct monime *m, bool *refused, char **refusal)
{
	struct mn_reload *r = m->reload;
	int64_t now = mn_loop_time();

	if (now >= __atomic_load_n(&r->due, __ATOMIC_RELAXED) &&
	    pthread_mutex_trylock(&r->looking) == 0) {
		/* The first call comes soon after the open. */
		if (r->due != 0)
			look(m);
		if (now >= r->due)
			plan(m, r->pace);
		(void)pthread_mutex_unlock(&r->looking);
	}
	return current(m, refused, refusal);
}

struct mn_edition *
mn_reload_again(struct monime *m)
{
	struct mn_edition *e;
	char *refusal;
	bool refused;

	(void)pthread_mutex_lock(&m->reload->looking);
	look(m);
	(void)pthread_mutex_unlock(&m->reload->looking);
	e = current(m, &refused, &refusal);
	free(refusal);
	return e;
}
