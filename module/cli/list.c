/* SPDX-License-Identifier: MIT */

/* monime list: which profiles there are, whose, and how old. */

#define _GNU_SOURCE
#include "cli.h"
#include "output.h"
#include "rows.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "banned.h"

enum column {
	PROVIDER,
	OWNER,
	CHANGED,
	ROTATE_BY,
	EXPIRES,
	PURPOSE,
	COLUMNS
};

static const char *const titles[COLUMNS] = {
	"PROVIDER", "OWNER", "FILE CHANGED", "ROTATE BY", "EXPIRES", "PURPOSE"
};

struct line {
	char *name;
	char *error;		/* instead of the cells */
	char *cell[COLUMNS];
	enum mn_colour colour;
};

struct listing {
	const struct mn_cli *cli;
	int64_t now;
	struct mn_folder folder;
	struct line *line;
	size_t n;
	struct json_object *json;	/* NULL: lines */
};

static char *
take(struct mn_text *t)
{
	char *s = t->failed ? NULL : strdup(mn_text_get(t));

	mn_text_free(t);
	return s;
}

/* What a profile says, escaped, or "-". */
static char *
said(const char *s, const char *more)
{
	struct mn_text t = MN_TEXT_INIT(4 * MN_PROFILE_STRING + 16);

	if (s == NULL || s[0] == '\0')
		mn_text_add(&t, "-");
	else
		mn_output_escape(&t, s, strlen(s));
	if (more != NULL)
		mn_text_add(&t, "/%s", more);
	return take(&t);
}

static char *
ago(const struct mn_row *row, int64_t now)
{
	struct mn_text t = MN_TEXT_INIT(64);
	int64_t days = (now - row->changed) / MN_DAY;

	if (row->file == NULL)
		mn_text_add(&t, "-");
	else if (days <= 0)
		mn_text_add(&t, "today");
	else
		mn_text_add(&t, "%lld d ago", (long long)days);
	return take(&t);
}

static char *
date(int64_t day, int64_t now, enum mn_colour *colour)
{
	struct mn_text t = MN_TEXT_INIT(64);
	char buf[MN_DATE_SIZE];
	int64_t left = day - now / MN_DAY;

	if (day < 0) {
		mn_text_add(&t, "-");
		return take(&t);
	}
	mn_text_add(&t, "%s (", mn_row_date(day, buf));
	if (left < 0)
		mn_text_add(&t, "%lld d ago)", (long long)-left);
	else
		mn_text_add(&t, "%lld d)", (long long)left);
	if (left < 0)
		*colour = MN_BAD;
	else if (left < MN_SOON && *colour == MN_PLAIN)
		*colour = MN_DOUBT;
	return take(&t);
}

static char *
first_line(const char *s)
{
	return strndup(s, strcspn(s, "\n"));
}

static bool
fill(struct line *l, const struct mn_row *row, int64_t now)
{
	const struct mn_profile *p = row->p;
	size_t i;

	l->name = strdup(row->name);
	if (row->error != NULL) {
		l->error = first_line(row->error);
		return l->name != NULL && l->error != NULL;
	}
	if (p == NULL)
		return l->name != NULL;
	l->cell[PROVIDER] = said(p->provider, p->product);
	l->cell[OWNER] = said(p->owner, NULL);
	l->cell[CHANGED] = ago(row, now);
	l->cell[ROTATE_BY] = date(p->rotate_by, now, &l->colour);
	l->cell[EXPIRES] = date(p->expires, now, &l->colour);
	l->cell[PURPOSE] = said(p->purpose, NULL);
	for (i = 0; i < COLUMNS; i++) {
		if (l->cell[i] == NULL)
			return false;
	}
	return l->name != NULL;
}

static void
free_lines(struct listing *g)
{
	size_t i, c;

	for (i = 0; i < g->n; i++) {
		free(g->line[i].name);
		free(g->line[i].error);
		for (c = 0; c < COLUMNS; c++)
			free(g->line[i].cell[c]);
	}
	free(g->line);
	mn_folder_free(&g->folder);
}

static void
print_lines(const struct listing *g)
{
	size_t width[COLUMNS], name = sizeof("PROFILE") - 1, i, c, w;
	struct mn_text t = MN_TEXT_INIT(MN_ERROR_MAX);
	const struct line *l;

	for (c = 0; c < COLUMNS; c++)
		width[c] = strlen(titles[c]);
	for (i = 0; i < g->n; i++) {
		l = &g->line[i];
		if (strlen(l->name) > name)
			name = strlen(l->name);
		for (c = 0; c < COLUMNS && l->cell[c] != NULL; c++) {
			w = mn_output_width(l->cell[c]);
			if (w > width[c])
				width[c] = w;
		}
	}
	mn_text_add(&t, "%-*s", (int)name, "PROFILE");
	for (c = 0; c < COLUMNS; c++)
		mn_text_add(&t, "  %-*s", c + 1 < COLUMNS ? (int)width[c] : 0,
		    titles[c]);
	mn_output_line(stdout, NULL, MN_PLAIN, "%s", mn_text_get(&t));
	for (i = 0; i < g->n; i++) {
		l = &g->line[i];
		mn_text_free(&t);
		for (c = 0; c < COLUMNS && l->cell[c] != NULL; c++) {
			w = mn_output_width(l->cell[c]);
			mn_text_add(&t, "%s%s%*s", c > 0 ? "  " : "",
			    l->cell[c], c + 1 < COLUMNS ?
			    (int)(width[c] - w) : 0, "");
		}
		mn_output_row(l->name, name, l->error != NULL ? MN_BAD :
		    l->colour, l->error != NULL ? l->error : mn_text_get(&t));
	}
	mn_text_free(&t);
}

static void
json_date(struct json_object *o, const char *name, const char *left_name,
    int64_t day, int64_t now)
{
	char buf[MN_DATE_SIZE];

	mn_output_json_string(o, name, day < 0 ? NULL :
	    mn_row_date(day, buf));
	if (day < 0)
		mn_output_json_null(o, left_name);
	else
		mn_output_json_number(o, left_name, day - now / MN_DAY);
}

static void
json_credential(struct json_object *o, const struct mn_row *row, int64_t now)
{
	char buf[MN_DATE_SIZE];

	mn_output_json_string(o, "credential", row->kind);
	mn_output_json_string(o, "credential_file", row->file);
	mn_output_json_string(o, "credential_changed", row->file == NULL ?
	    NULL : mn_row_date(row->changed / MN_DAY, buf));
	if (row->file == NULL)
		mn_output_json_null(o, "credential_days");
	else
		mn_output_json_number(o, "credential_days",
		    (now - row->changed) / MN_DAY);
}

static void
add_json(struct listing *g, const struct mn_row *row)
{
	struct json_object *o = mn_output_json_object();
	const struct mn_profile *p = row->p;

	mn_output_json_string(o, "profile", row->name);
	mn_output_json_string(o, "environment",
	    strncmp(row->name, "live/", 5) == 0 ? "live" : "test");
	mn_output_json_bool(o, "usable", row->error == NULL);
	mn_output_json_string(o, "error", row->error);
	if (p != NULL) {
		mn_output_json_string(o, "file", p->path);
		mn_output_json_string(o, "provider", p->provider);
		mn_output_json_string(o, "product", p->product);
		mn_output_json_string(o, "space", p->space);
		mn_output_json_string(o, "owner", p->owner);
		mn_output_json_string(o, "purpose", p->purpose);
		mn_output_json_string(o, "scope", p->scope);
		json_credential(o, row, g->now);
		json_date(o, "rotate_by", "rotate_days", p->rotate_by,
		    g->now);
		json_date(o, "expires", "expires_days", p->expires, g->now);
	}
	mn_output_json_append(g->json, o);
}

static bool
add(struct listing *g, const char *name)
{
	struct mn_row row;
	bool r;

	r = mn_row_read(g->cli, name, &row, NULL);
	if (r && g->json != NULL)
		add_json(g, &row);
	else if (r)
		r = fill(&g->line[g->n++], &row, g->now);
	mn_row_free(&row);
	return r;
}

static bool
add_all(struct listing *g)
{
	size_t i;

	if (g->folder.n == 0)
		return true;
	g->line = calloc(g->folder.n, sizeof(*g->line));
	if (g->line == NULL)
		return false;
	for (i = 0; i < g->folder.n; i++) {
		if (!add(g, g->folder.name[i]))
			return false;
	}
	return true;
}

/* The names of one environment; a folder that is not there has none. */
static int
read_names(struct listing *g, enum mn_environment environment)
{
	struct mn_error e = MN_ERROR_INIT;
	bool missing = false;
	int fd, r = MN_YES;

	fd = mn_folder_look(g->cli, environment, &missing, &e);
	if (fd < 0 && !missing) {
		mn_output_errors(NULL, mn_error_get(&e));
		r = MN_USAGE;
	} else if (fd >= 0 && !mn_folder_add(&g->folder, fd, environment)) {
		(void)mn_output_error(NULL, "%s/%s: cannot be listed",
		    g->cli->folder, mn_profile_environment(environment));
		r = MN_USAGE;
	}
	if (fd >= 0)
		(void)close(fd);
	mn_error_free(&e);
	return r;
}

static int
list(struct listing *g, bool names)
{
	struct json_object *o;
	size_t i;
	int r, s;

	if (!mn_folder_exists(g->cli))
		return MN_USAGE;
	r = read_names(g, MN_TEST);
	s = read_names(g, MN_LIVE);
	if (s != MN_YES)
		r = s;
	for (i = 0; names && i < g->folder.n; i++)
		(void)printf("%s\n", g->folder.name[i]);
	if (names)
		return r;
	if (!add_all(g)) {
		(void)mn_output_error(NULL, "out of memory");
		return MN_UNKNOWN;
	}
	if (g->json != NULL) {
		o = mn_output_json_object();
		mn_output_json_string(o, "folder", g->cli->folder);
		mn_output_json_add(o, "profiles", g->json);
		(void)mn_output_json_print(stdout, o, false);
	} else if (g->n > 0) {
		print_lines(g);
	} else if (r == MN_YES) {
		(void)mn_output_error(NULL, "%s: no profile yet; make one "
		    "with monime set-token", g->cli->folder);
	}
	return r;
}

static int
run(struct mn_cli *cli)
{
	struct listing g = { .cli = cli, .now = time(NULL) };
	bool json = false, names = false;
	int letter, r;

	while ((letter = mn_options_next(cli)) > 0) {
		switch (letter) {
		case MN_OPTION_JSON:
			json = true;
			break;
		case MN_OPTION_NAMES:
			names = true;
			break;
		}
	}
	if (letter < 0)
		return cli->status;
	if (json && names) {
		(void)mn_output_error(NULL, "list: --names and --json do not "
		    "go together; take one");
		return mn_help_usage(cli->command);
	}
	if (json)
		g.json = mn_output_json_list();
	r = list(&g, names);
	free_lines(&g);
	return r;
}

static const struct mn_cli_option options[] = {
	{ MN_OPTION_JSON, "json", NULL, "print one JSON object" },
	{ MN_OPTION_NAMES, "names", NULL,
	    "print the names alone, and open no profile" },
	{ 0, NULL, NULL, NULL }
};

const struct mn_cli_command mn_list = {
	.name = "list",
	.operands = "",
	.summary = "List the profiles: owner, purpose and age, no secret",
	.text =
"FILE CHANGED tells when the file that holds the credential last changed: its\n"
"age, as far as this host can know.  ROTATE BY and EXPIRES are what the\n"
"profile says, with the days that are left.  A profile that cannot be used\n"
"shows why.  Nothing is sent.\n",
	.examples =
"  monime list\n"
"  monime list --json |\n"
"      jq -r '.profiles[] | select((.rotate_days // 99) < 14) | .profile'\n",
	.options = options,
	.run = run,
};
