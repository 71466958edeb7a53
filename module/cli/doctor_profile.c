/* SPDX-License-Identifier: MIT */

/* What doctor looks for in one profile. */

#define _GNU_SOURCE
#include "doctor.h"
#include "output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "banned.h"

/* Mono: rotate keys at least every 90 days. */
#define ROTATION	90

#define MEND_MAX	8192

void
mn_doctor_command(const struct mn_examination *x, struct mn_text *t)
{
	mn_text_add(t, "monime ");
	if (x->cli->elsewhere) {
		mn_text_add(t, "-C ");
		mn_findings_word(t, x->cli->folder);
		mn_text_add(t, " ");
	}
}

static bool
remember_file(struct mn_examination *x, const char *path)
{
	char **p;

	if (x->files % 64 == 0) {
		p = reallocarray(x->file, x->files + 64, sizeof(*p));
		if (p == NULL)
			return false;
		x->file = p;
	}
	x->file[x->files] = strdup(path);
	if (x->file[x->files] == NULL)
		return false;
	x->files++;
	return true;
}

/* set-token writes NAME.token beside NAME.conf, and nothing else. */
static bool
in_own_file(const struct mn_row *row)
{
	const char *token = row->p->token_file;
	const char *conf = row->p->path;
	size_t n = strlen(conf) - strlen("conf");

	return token != NULL && strncmp(token, conf, n) == 0 &&
	    strcmp(token + n, "token") == 0;
}

static bool
remember_credential(struct mn_examination *x, const struct mn_row *row)
{
	const struct mn_secret *s = row->p->token;
	struct mn_holder *p;

	if (s == NULL)
		s = row->p->oauth2.client_secret;
	if (s == NULL)
		return true;
	if (x->holders % 64 == 0) {
		p = reallocarray(x->holder, x->holders + 64, sizeof(*p));
		if (p == NULL)
			return false;
		x->holder = p;
	}
	p = &x->holder[x->holders];
	p->profile = row->name;
	p->in_file = row->p->token != NULL && in_own_file(row);
	if (monime_fingerprint(mn_secret_get(s), mn_secret_len(s),
	    p->fingerprint, sizeof(p->fingerprint)) != MONIME_OK)
		return false;
	x->holders++;
	return true;
}

/* A new line in the file, whatever its last one is. */
static void
add_setting(struct mn_text *t, const struct mn_row *row, const char *key,
    const char *value)
{
	mn_text_add(t, "printf '\\n%s = \"%s\";\\n' >> ", key, value);
	mn_findings_word(t, row->p->path);
}

/* A new credential, by whatever puts it where the old one stands. */
static void
add_renewal(const struct mn_examination *x, struct mn_text *t,
    const struct mn_row *row)
{
	if (row->p->token != NULL && in_own_file(row)) {
		mn_doctor_command(x, t);
		mn_text_add(t, "set-token %s", row->name);
	} else {
		mn_findings_edit(t, row->file != NULL ? row->file :
		    row->p->path);
	}
}

static void
add_date(const struct mn_examination *x, struct mn_text *t,
    const struct mn_row *row, const char *key)
{
	char buf[MN_DATE_SIZE];

	mn_text_add(t, "sed -i '/^[[:space:]]*%s/s/\"[^\"]*\"/\"%s\"/' ", key,
	    mn_row_date(x->now / MN_DAY + ROTATION, buf));
	mn_findings_word(t, row->p->path);
}

static void
judge_owner(struct mn_examination *x, const struct mn_row *row)
{
	struct mn_text mend = MN_TEXT_INIT(MEND_MAX);

	if (row->p->owner == NULL) {
		add_setting(&mend, row, "owner", "NAME <name@example.org>");
		mn_findings_add(&x->findings, row->name, "owner", &mend,
		    "%s: no owner: nobody answers for this credential",
		    row->p->path);
	}
	if (row->p->purpose == NULL) {
		add_setting(&mend, row, "purpose", "WHAT IT IS FOR");
		mn_findings_add(&x->findings, row->name, "purpose", &mend,
		    "%s: no purpose: nobody knows what stops when it is "
		    "revoked", row->p->path);
	}
}

static void
judge_rotation(struct mn_examination *x, const struct mn_row *row)
{
	struct mn_text mend = MN_TEXT_INIT(MEND_MAX);
	const struct mn_profile *p = row->p;
	int64_t today = x->now / MN_DAY;
	char buf[MN_DATE_SIZE];

	if (p->rotate_by < 0 && row->file != NULL) {
		add_setting(&mend, row, "rotate_by",
		    mn_row_date(today + ROTATION, buf));
		mn_findings_add(&x->findings, row->name, "rotate_by", &mend,
		    "%s: no rotate_by: nobody is told when the credential is "
		    "due for rotation", p->path);
	}
	if (p->rotate_by >= 0 && p->rotate_by < today) {
		add_renewal(x, &mend, row);
		mn_text_add(&mend, " && ");
		add_date(x, &mend, row, "rotate_by");
		mn_findings_add(&x->findings, row->name, "rotate_by", &mend,
		    "%s: rotate_by was %s, %" PRId64 " days ago: take a new "
		    "credential, then move the date", p->path,
		    mn_row_date(p->rotate_by, buf), today - p->rotate_by);
	}
}

/*
 * What has expired does not open, not even to set-token, so here the date goes
 * first.  The credential is then overdue, or is renewed by the same line.
 */
static void
judge_expiry(struct mn_examination *x, const struct mn_row *row)
{
	struct mn_text mend = MN_TEXT_INIT(MEND_MAX);
	const struct mn_profile *p = row->p;
	int64_t today = x->now / MN_DAY;
	char buf[MN_DATE_SIZE];

	if (p->expires < 0 || p->expires >= today)
		return;
	add_date(x, &mend, row, "expires");
	if (row->file != NULL && (p->rotate_by < 0 || p->rotate_by >= today)) {
		mn_text_add(&mend, " && ");
		add_renewal(x, &mend, row);
	}
	mn_findings_add(&x->findings, row->name, "expires", &mend,
	    "%s: expired on %s and is refused since: move the date, and take "
	    "a new credential", p->path, mn_row_date(p->expires, buf));
}

/* Days left, where they are few: nothing has to be mended yet. */
static void
note_date(struct mn_examination *x, const struct mn_row *row, const char *key,
    int64_t day)
{
	struct mn_text mend = MN_TEXT_INIT(MEND_MAX);
	int64_t left = day - x->now / MN_DAY;
	char buf[MN_DATE_SIZE];

	if (day < 0 || left < 0 || left >= MN_SOON)
		return;
	mn_findings_add(&x->notes, row->name, key, &mend,
	    "%s is %s: %" PRId64 " days left", key, mn_row_date(day, buf),
	    left);
}

/* What the library warns of at any time; dates are judged above. */
static void
judge_warnings(struct mn_examination *x, const struct mn_row *row)
{
	mn_findings_lines(&x->findings, row->name, "warning",
	    mn_error_get(&row->p->warnings), row->p->path);
}

/* What is wrong in NAME.token is mended by set-token, not by an editor. */
static bool
judge_own_token(struct mn_examination *x, const struct mn_row *row)
{
	struct mn_text mend = MN_TEXT_INIT(MEND_MAX);
	struct mn_text file = MN_TEXT_INIT(MEND_MAX);
	bool r;

	mn_text_add(&file, "%s/%s.token: ", x->cli->folder, row->name);
	r = strncmp(row->error, mn_text_get(&file), file.len) == 0 &&
	    mn_findings_command(row->error) == NULL;
	mn_text_free(&file);
	if (!r)
		return false;
	mn_doctor_command(x, &mend);
	mn_text_add(&mend, "set-token %s", row->name);
	mn_findings_add(&x->findings, row->name, "profile", &mend, "%s",
	    row->error);
	return true;
}

static void
judge_open(struct mn_examination *x, const struct mn_row *row)
{
	struct mn_text file = MN_TEXT_INIT(MEND_MAX);

	/* It has a finding of its own, with the day. */
	if (row->p != NULL && row->result == MONIME_EPOLICY)
		return;
	if (judge_own_token(x, row))
		return;
	mn_text_add(&file, "%s/%s.conf", x->cli->folder, row->name);
	mn_findings_lines(&x->findings, row->name, "profile", row->error,
	    mn_text_get(&file));
	mn_text_free(&file);
}

/* The API's word on the profile's own credential. */
static void
judge_online(struct mn_examination *x, const struct mn_row *row,
    struct monime *m)
{
	struct mn_text mend = MN_TEXT_INIT(MEND_MAX);
	struct monime_call *call = NULL;
	const struct mn_outcome *outcome;
	const char *deprecated;
	int r;

	mn_output_progress("%s: asking the API", row->name);
	mn_outcome_log(m, row->name, x->verbose);
	r = monime_check_credential(m, &call);
	mn_output_progress_end();
	outcome = mn_outcome_of(r);
	deprecated = monime_call_get(call, "api-deprecated");
	if (outcome->status == MN_UNKNOWN) {
		x->unknown++;
		(void)mn_output_error(row->name, "unknown: %s",
		    monime_call_error(call));
	} else {
		x->asked++;
	}
	if (outcome->status == MN_NO) {
		add_renewal(x, &mend, row);
		mn_findings_add(&x->findings, row->name, "online", &mend,
		    "%s: %s", mn_outcome_words(outcome),
		    monime_call_error(call));
	} else if (outcome->status == MN_USAGE) {
		mn_findings_edit(&mend, row->p->path);
		mn_findings_add(&x->findings, row->name, "online", &mend,
		    "cannot be asked: %s", monime_call_error(call));
	}
	if (deprecated != NULL && strcmp(deprecated, "yes") == 0) {
		mn_findings_edit(&mend, row->p->path);
		mn_findings_add(&x->findings, row->name, "online", &mend,
		    "the API calls its version %s deprecated: set version",
		    monime_call_get(call, "api-version"));
	}
	monime_call_free(call);
}

static bool
remember(struct mn_examination *x, const struct mn_row *row)
{
	size_t i;

	for (i = 0; i < row->p->nfiles; i++) {
		if (!remember_file(x, row->p->file[i].path))
			return false;
	}
	return remember_credential(x, row);
}

bool
mn_doctor_profile(struct mn_examination *x, const char *name)
{
	struct monime *m = NULL;
	struct mn_row row;
	bool r;

	r = mn_row_read(x->cli, name, &row, &m);
	if (!r)
		goto out;
	if (row.error != NULL)
		judge_open(x, &row);
	if (row.p != NULL) {
		judge_owner(x, &row);
		judge_expiry(x, &row);
		judge_rotation(x, &row);
		note_date(x, &row, "rotate_by", row.p->rotate_by);
		note_date(x, &row, "expires", row.p->expires);
		judge_warnings(x, &row);
		r = remember(x, &row);
	}
	if (x->online && row.error == NULL && row.file != NULL)
		judge_online(x, &row, m);
out:
	mn_row_free(&row);
	monime_close(m);
	return r;
}

static int
compare(const void *a, const void *b)
{
	const struct mn_holder *x = a, *y = b;
	int r = strcmp(x->fingerprint, y->fingerprint);

	return r != 0 ? r : strcmp(x->profile, y->profile);
}

void
mn_doctor_shared(struct mn_examination *x)
{
	struct mn_text mend = MN_TEXT_INIT(MEND_MAX);
	struct mn_text file = MN_TEXT_INIT(MEND_MAX);
	const struct mn_holder *h;
	size_t i;

	if (x->holders > 1)
		qsort(x->holder, x->holders, sizeof(*x->holder), compare);
	for (i = 1; i < x->holders; i++) {
		h = &x->holder[i];
		if (strcmp(h->fingerprint, h[-1].fingerprint) != 0)
			continue;
		if (h->in_file) {
			mn_doctor_command(x, &mend);
			mn_text_add(&mend, "set-token %s", h->profile);
		} else {
			mn_text_add(&file, "%s/%s.conf", x->cli->folder,
			    h->profile);
			mn_findings_edit(&mend, mn_text_get(&file));
			mn_text_free(&file);
		}
		mn_findings_add(&x->findings, h->profile, "shared", &mend,
		    "has the same credential as %s, so that neither can be "
		    "revoked alone: take one of its own", h[-1].profile);
	}
}
