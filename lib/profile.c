/* SPDX-License-Identifier: MIT */

/*
 * Opening a profile: the host's file, then the profile's own, from systemd or
 * from the configuration folder, then the files that hold its secrets.  The
 * keys are in keys.c, how a file is read in conf.c.
 */

#define _GNU_SOURCE
#include "profile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "form.h"
#include "keys.h"

#include "banned.h"

#define NAME_MAX_LEN		64
#define SECONDS_A_DAY		86400
#define CREDENTIALS		"/run/credentials/"
#define CERTIFICATE		"-----BEGIN CERTIFICATE-----"

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

struct opening {
	const char *name;		/* without its environment */
	const char *folder;
	int64_t today;
	bool caller;			/* the caller's own files pass */
	bool systemd;			/* a credential bears the profile */
	struct mn_profile *p;
	struct mn_error *e;
	struct mn_conf conf;		/* the file whose keys are in hand */
};

const char *
mn_profile_environment(enum mn_environment environment)
{
	return environment == MN_LIVE ? "live" : "test";
}

bool
mn_profile_name(const char *name, enum mn_environment *environment)
{
	const char *rest;

	if (name == NULL || (strncmp(name, "test/", 5) != 0 &&
	    strncmp(name, "live/", 5) != 0))
		return false;
	rest = name + 5;
	if (rest[0] == '-' || rest[0] == '_' || !mn_text_made_of(rest,
	    strlen(rest), MN_TEXT_LOWER MN_TEXT_DIGIT "_-", 1, NAME_MAX_LEN))
		return false;
	*environment = name[0] == 'l' ? MN_LIVE : MN_TEST;
	return true;
}

/* A string of the caller's own, or NULL where memory is short. */
__attribute__((__format__(__printf__, 1, 2)))
static char *
format(const char *fmt, ...)
{
	struct mn_text t = MN_TEXT_INIT(65536);
	va_list ap;

	va_start(ap, fmt);
	mn_text_vadd(&t, fmt, ap);
	va_end(ap);
	if (t.failed)
		mn_text_free(&t);
	return t.s;
}

/* A line about a key of the file in hand. */
static int
say(struct mn_error *e, int code, const struct opening *o, const char *key,
    const char *what)
{
	return mn_error_add(e, code, "%s:%d: %s: %s", o->conf.path,
	    mn_conf_line(&o->conf, key), key, what);
}

/* Remember a file, be it that it was not there. */
static int
record(struct mn_profile *p, const char *path, const struct mn_safefile_id *id)
{
	struct mn_profile_file *file;

	if (p->nfiles == MN_PROFILE_FILES)
		return MONIME_ESYS;	/* no table has so many keys */
	file = &p->file[p->nfiles];
	file->path = strdup(path);
	if (file->path == NULL)
		return MONIME_ENOMEM;
	file->id = *id;
	p->nfiles++;
	return MONIME_OK;
}

/* A link that leads nowhere is there, and somebody relies on it. */
static bool
absent(const char *path)
{
	struct stat st;

	return lstat(path, &st) != 0;
}

/* Is it the profile that is not there, and not a folder above it? */
static bool
no_profile(const struct opening *o, const char *path, const char *said)
{
	return path == o->p->path && absent(path) &&
	    strncmp(said, path, strlen(path)) == 0;
}

/*
 * Read a file that key names; NULL: none does.  What is optional and not there
 * is MONIME_OK and NULL.
 */
static int
load(struct opening *o, const char *path, const char *key, bool optional,
    const struct mn_safefile_rule *rule, struct mn_secret **out)
{
	struct mn_error said = MN_ERROR_INIT;
	struct mn_safefile_id id;
	bool missing = false;
	int r;

	memset(&id, 0, sizeof(id));
	r = mn_safefile_read(path, rule, out, &id, &missing, &said);
	if (r == MONIME_OK || (optional && missing && absent(path)))
		r = record(o->p, path, &id);
	else if (key != NULL)
		(void)say(o->e, r, o, key, mn_error_get(&said));
	else if (missing && no_profile(o, path, mn_error_get(&said)))
		(void)mn_error_add(o->e, r, "%s: there is no such profile; "
		    "monime list names those that there are, and monime "
		    "set-token %s/%s makes this one", path,
		    mn_profile_environment(o->p->environment), o->name);
	else
		(void)mn_error_add(o->e, r, "%s", mn_error_get(&said));
	if (r != MONIME_OK) {
		mn_secret_free(*out);
		*out = NULL;
	}
	mn_error_free(&said);
	return r;
}

/* Turn to a file; its keys stand nowhere until it is read. */
static void
turn(struct opening *o, const char *path, const struct mn_conf_table *table)
{
	o->conf = (struct mn_conf){
		.path = path, .table = table, .p = o->p, .e = o->e
	};
}

/* The line that allows our environment, beside the other where that is. */
static int
say_environment(const struct opening *o)
{
	bool live = o->p->environment == MN_LIVE;
	bool both = o->p->host.environments[live ? MN_TEST : MN_LIVE];
	int line = mn_conf_line(&o->conf, "environments");

	return mn_error_add(o->e, MONIME_EENVIRONMENT,
	    "%s: this host may not use %s profiles%s; to allow them, %s "
	    "environments = [ %s ];", o->conf.path,
	    mn_profile_environment(o->p->environment),
	    live ? ", which move real money" : "",
	    line != 0 ? "change its line to" : "add the line",
	    both ? "\"test\", \"live\"" : live ? "\"live\"" : "\"test\"");
}

static int
host_file(struct opening *o, const char *path)
{
	const struct mn_safefile_rule rule = {
		.max = MN_SAFEFILE_MAX, .caller = o->caller
	};
	struct mn_secret *bytes;
	int r;

	turn(o, path, &mn_keys_host);
	r = load(o, path, NULL, true, &rule, &bytes);
	if (r == MONIME_OK && bytes != NULL)
		r = mn_conf_read(&o->conf, bytes);
	mn_secret_free(bytes);
	return r;
}

static int
ca_file(struct opening *o)
{
	const struct mn_safefile_rule rule = {
		.max = MN_SAFEFILE_CA_MAX, .caller = o->caller, .ca = true
	};
	struct mn_secret *bytes;
	int r;

	r = load(o, o->p->host.ca_file, "ca_file", false, &rule, &bytes);
	if (r != MONIME_OK)
		return r;
	if (memmem(mn_secret_get(bytes), mn_secret_len(bytes), CERTIFICATE,
	    strlen(CERTIFICATE)) == NULL) {
		mn_secret_free(bytes);
		return say(o->e, MONIME_ECONFIG, o, "ca_file", "found no "
		    "certificate; wanted PEM, with lines " CERTIFICATE);
	}
	o->p->host.ca = bytes;
	return MONIME_OK;
}

static int
ca_folder(struct opening *o)
{
	const struct mn_safefile_rule rule = {
		.caller = o->caller, .ca = true
	};
	int line = mn_conf_line(&o->conf, "ca_path");
	struct mn_error said = MN_ERROR_INIT;
	bool missing = false;
	int r, fd;

	if (line == 0)
		o->p->host.ca_path = strdup(MONIME_CA_PATH);
	if (o->p->host.ca_path == NULL)
		return MONIME_ENOMEM;
	fd = mn_safefile_folder(o->p->host.ca_path, &rule, &r, &missing,
	    &said);
	if (fd >= 0)
		(void)close(fd);
	else if (line != 0)
		(void)say(o->e, r, o, "ca_path", mn_error_get(&said));
	else if (missing)
		(void)mn_error_add(o->e, r, "%s: the system's folder of "
		    "certificate authorities is not there; install the package "
		    "ca-certificates, or set ca_file or ca_path in %s",
		    o->p->host.ca_path, o->conf.path);
	else
		(void)mn_error_add(o->e, r, "%s", mn_error_get(&said));
	mn_error_free(&said);
	return r;
}

static int
host(struct opening *o)
{
	struct mn_profile *p = o->p;
	char *path;
	int r;

	path = format("%s/monime.conf", o->folder);
	if (path == NULL)
		return MONIME_ENOMEM;
	r = host_file(o, path);
	if (r == MONIME_OK && !p->host.environments[p->environment])
		r = say_environment(o);
	if (r == MONIME_OK)
		r = p->host.ca_file != NULL ? ca_file(o) : ca_folder(o);
	free(path);
	return r;
}

/*
 * $CREDENTIALS_DIRECTORY must be what systemd made: one folder below its own,
 * no link, on a read-only mount.
 */
static int
credentials_folder(struct opening *o, const char *folder)
{
	const struct mn_safefile_rule rule = {
		.max = MN_SAFEFILE_MAX, .secret = true, .systemd = true
	};
	size_t above = strlen(CREDENTIALS);
	struct stat opened, named;
	bool same;
	int fd, r;

	if (strncmp(folder, CREDENTIALS, above) != 0 ||
	    folder[above] == '\0' || strchr(folder + above, '/') != NULL)
		return mn_error_add(o->e, MONIME_EUNSAFE,
		    "CREDENTIALS_DIRECTORY: %s: not a folder that systemd "
		    "makes; it is " CREDENTIALS "UNIT: let systemd set it, or "
		    "unset CREDENTIALS_DIRECTORY", folder);
	fd = mn_safefile_folder(folder, &rule, &r, NULL, o->e);
	if (fd < 0)
		return r;
	same = fstat(fd, &opened) == 0 && lstat(folder, &named) == 0 &&
	    opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
	(void)close(fd);
	if (!same)
		return mn_error_add(o->e, MONIME_EUNSAFE,
		    "CREDENTIALS_DIRECTORY: %s: a symbolic link; systemd makes "
		    "a folder: unset CREDENTIALS_DIRECTORY", folder);
	return MONIME_OK;
}

/* The profile as systemd's credential; NULL: there is none of that name. */
static int
credential(struct opening *o, struct mn_secret **bytes)
{
	const struct mn_safefile_rule rule = {
		.max = MN_SAFEFILE_MAX, .secret = true, .systemd = true
	};
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	char *path;
	int r;

	*bytes = NULL;
	if (folder == NULL)
		return MONIME_OK;
	r = credentials_folder(o, folder);
	if (r != MONIME_OK)
		return r;
	path = format("%s/monime.%s.%s", folder,
	    mn_profile_environment(o->p->environment), o->name);
	if (path == NULL)
		return MONIME_ENOMEM;
	r = load(o, path, NULL, true, &rule, bytes);
	if (r == MONIME_OK && *bytes != NULL) {
		o->systemd = true;
		o->p->path = path;
		path = NULL;
	}
	free(path);
	return r;
}

/* The profile's own file, wherever it stands. */
static int
profile_bytes(struct opening *o, struct mn_secret **bytes)
{
	const struct mn_safefile_rule rule = {
		.max = MN_SAFEFILE_MAX, .secret = true, .caller = o->caller
	};
	int r;

	r = credential(o, bytes);
	if (r != MONIME_OK || *bytes != NULL)
		return r;
	o->p->path = format("%s/%s/%s.conf", o->folder,
	    mn_profile_environment(o->p->environment), o->name);
	if (o->p->path == NULL)
		return MONIME_ENOMEM;
	return load(o, o->p->path, NULL, false, &rule, bytes);
}

static int
profile_file(struct opening *o)
{
	struct mn_secret *bytes;
	int r;

	r = profile_bytes(o, &bytes);
	if (r != MONIME_OK)
		return r;
	turn(o, o->p->path, &mn_keys_profile);
	r = mn_conf_read(&o->conf, bytes);
	mn_secret_free(bytes);
	o->p->base_url_line = mn_conf_line(&o->conf, "base_url");
	o->p->oauth2.set = mn_conf_line(&o->conf, "oauth2") != 0;
	o->p->webhook.set = mn_conf_line(&o->conf, "webhook") != 0;
	return r;
}

static int
dates(struct opening *o)
{
	struct mn_profile *p = o->p;

	if (p->expires >= 0 && o->today > p->expires)
		return say(o->e, MONIME_EPOLICY, o, "expires",
		    "the profile has expired; renew the credential and this");
	if (p->rotate_by >= 0 && o->today > p->rotate_by)
		(void)say(&p->warnings, 0, o, "rotate_by",
		    "the credential is due for rotation");
	if (p->check.accept == MN_ACCEPT_ANY)
		(void)say(&p->warnings, 0, o, "check.accept",
		    "\"any\" lets in every valid token, whoever holds it");
	return p->warnings.text.failed ? MONIME_ENOMEM : MONIME_OK;
}

/* What is wrong with a secret's file, without a byte of it. */
static const char *
complaint(const struct mn_secret *s)
{
	const char *bytes = mn_secret_get(s);
	size_t i;

	if (mn_secret_len(s) == 0)
		return "nothing";
	for (i = 0; i < mn_secret_len(s); i++) {
		if (strchr(" \t\n\v\f\r", bytes[i]) != NULL && bytes[i] != '\0')
			return "white space besides one newline at the end";
	}
	return "something else";
}

/* A file that holds one secret, and perhaps a newline. */
static int
secret_file(struct opening *o, const char *path, const char *key,
    const struct mn_conf_form *form, struct mn_secret **out)
{
	const struct mn_safefile_rule rule = {
		.max = MN_SAFEFILE_MAX, .secret = true, .caller = o->caller,
		.sticky = key != NULL
	};
	struct mn_secret *s;
	size_t len;
	int r;

	r = load(o, path, key, key == NULL, &rule, &s);
	if (r != MONIME_OK || s == NULL)
		return r;
	len = mn_secret_len(s);
	if (len > 0 && mn_secret_get(s)[len - 1] == '\n')
		mn_secret_cut(s, len - 1);
	if (!form->good(mn_secret_get(s), mn_secret_len(s))) {
		r = mn_error_add(o->e, MONIME_ECONFIG,
		    "%s: found %s; wanted %s, and at most one newline", path,
		    complaint(s), form->want);
		mn_secret_free(s);
		return r;
	}
	*out = s;
	return MONIME_OK;
}

/* NAME.token, beside the profile's own file. */
static int
default_token(struct opening *o)
{
	char *path;
	int r;

	path = format("%s/%s/%s.token", o->folder,
	    mn_profile_environment(o->p->environment), o->name);
	if (path == NULL)
		return MONIME_ENOMEM;
	r = secret_file(o, path, NULL, &mn_form_token, &o->p->token);
	if (o->p->token != NULL) {
		o->p->token_file = path;
		path = NULL;
	}
	free(path);
	return r;
}

static int
named_files(struct opening *o)
{
	struct mn_profile *p = o->p;
	const struct {
		const char *key;
		const char *path;
		const struct mn_conf_form *form;
		struct mn_secret **out;
	} files[] = {
		{ "token_file", p->token_file, &mn_form_token, &p->token },
		{ "oauth2.client_secret_file", p->oauth2.client_secret_file,
		    &mn_form_password, &p->oauth2.client_secret },
		{ "oauth2.password_file", p->oauth2.password_file,
		    &mn_form_password, &p->oauth2.password },
	};
	int result = MONIME_OK, r;
	size_t i;

	for (i = 0; i < ROWS(files) && result != MONIME_ENOMEM; i++) {
		if (files[i].path == NULL)
			continue;
		r = secret_file(o, files[i].path, files[i].key, files[i].form,
		    files[i].out);
		if (r != MONIME_OK)
			result = r;
	}
	return result;
}

static int
webhook_files(struct opening *o)
{
	const struct mn_list *list = &o->p->webhook.secret_files;
	size_t *n = &o->p->webhook.n, all = *n + list->n, i;
	int result = MONIME_OK, r;

	if (o->p->webhook.set && (all == 0 || all > MN_PROFILE_SECRETS))
		return mn_error_add(o->e, MONIME_ECONFIG,
		    "%s:%d: webhook: found %zu secrets; wanted 1 to %d",
		    o->conf.path, mn_conf_line(&o->conf, "webhook"), all,
		    MN_PROFILE_SECRETS);
	for (i = 0; i < list->n && result != MONIME_ENOMEM; i++) {
		r = secret_file(o, list->item[i], "webhook.secret_files",
		    &mn_form_signing, &o->p->webhook.secret[*n]);
		if (r == MONIME_OK)
			(*n)++;
		else
			result = r;
	}
	return result;
}

static int
secret_files(struct opening *o)
{
	struct mn_profile *p = o->p;
	int r, more;

	r = named_files(o);
	if (r == MONIME_ENOMEM)
		return r;
	more = webhook_files(o);
	if (r == MONIME_OK)
		r = more;
	if (r == MONIME_OK && p->token == NULL && !p->oauth2.set &&
	    !o->systemd)
		r = default_token(o);
	return r;
}

static int
arguments(const char *name, const char *folder,
    enum mn_environment *environment, struct mn_error *e)
{
	struct mn_text t = MN_TEXT_INIT(MN_ERROR_MAX);
	int r = MONIME_OK;

	if (!mn_profile_name(name, environment)) {
		mn_conf_show(&t, name != NULL ? name : "");
		r = mn_error_add(e, MONIME_EINVAL, "a profile's name is "
		    "test/NAME or live/NAME, where NAME is "
		    "[a-z0-9][a-z0-9_-]{0,63}; found %s", mn_text_get(&t));
	} else if (folder[0] != '/') {
		r = mn_error_add(e, MONIME_EINVAL, "the configuration folder "
		    "is an absolute path; found \"%s\"", folder);
	}
	mn_text_free(&t);
	return r;
}

int64_t
mn_profile_day(int64_t now)
{
	return now < 0 ? INT64_MAX : now / SECONDS_A_DAY;
}

int
mn_profile_open(const char *name, const char *folder, int64_t now,
    struct mn_profile **p, struct mn_error *e)
{
	struct opening o = {
		.folder = folder != NULL ? folder : MONIME_FOLDER,
		.today = mn_profile_day(now), .e = e
	};
	enum mn_environment environment = MN_LIVE;
	int r;

	*p = NULL;
	r = arguments(name, o.folder, &environment, e);
	if (r != MONIME_OK)
		return r;
	o.p = calloc(1, sizeof(*o.p));
	if (o.p == NULL)
		return MONIME_ENOMEM;
	o.name = name + strlen("test/");
	o.caller = environment == MN_TEST;	/* safefile.c looks further */
	o.p->warnings = (struct mn_error)MN_ERROR_INIT;
	o.p->environment = environment;
	mn_keys_defaults(o.p);
	o.p->name = strdup(name);
	r = o.p->name != NULL ? host(&o) : MONIME_ENOMEM;
	if (r == MONIME_OK)
		r = profile_file(&o);
	if (r == MONIME_OK)
		r = dates(&o);
	if (r == MONIME_OK)
		r = secret_files(&o);
	if (r == MONIME_OK)
		*p = o.p;
	else
		mn_profile_free(o.p);
	return r;
}

void
mn_profile_free(struct mn_profile *p)
{
	size_t i;

	if (p == NULL)
		return;
	mn_keys_free(p);
	mn_secret_free(p->host.ca);
	for (i = 0; i < p->nfiles; i++)
		free(p->file[i].path);
	free(p->name);
	free(p->path);
	mn_error_free(&p->warnings);
	free(p);
}
