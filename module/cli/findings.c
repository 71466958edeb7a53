/* SPDX-License-Identifier: MIT */

/* The list of findings.  See findings.h. */

#define _GNU_SOURCE
#include "findings.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "output.h"

#include "banned.h"

/* With these the library's commands begin. */
static const char *const commands[] = {
	"chmod ", "chown ", "install ", "journalctl ", "mkdir ", "mount ",
	"mv ", "rm ", "setfacl ", "unset "
};

/* Would it be printed as it stands? */
static bool
is_plain(const char *s, size_t len)
{
	struct mn_text t = MN_TEXT_INIT(4 * len + 1);
	bool r;

	mn_output_escape(&t, s, len);
	r = !t.failed && strcmp(mn_text_get(&t), s) == 0;
	mn_text_free(&t);
	return r;
}

void
mn_findings_word(struct mn_text *t, const char *s)
{
	size_t len = strlen(s);
	bool plain;

	if (mn_text_made_of(s, len, MN_TEXT_ALNUM "/._+,:@%-", 1, len)) {
		mn_text_put(t, s, len);
		return;
	}
	/* What is printed escaped must be read so: bash's own quotes. */
	plain = is_plain(s, len);
	mn_text_add(t, plain ? "'" : "$'");
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			mn_text_add(t, plain ? "'\\''" : "\\'");
		else if (*s == '\\' && !plain)
			mn_text_add(t, "\\\\");
		else if (!plain && !mn_text_printable(s, 1))
			mn_text_add(t, "\\x%02x", (unsigned char)*s);
		else
			mn_text_put(t, s, 1);
	}
	mn_text_put(t, "'", 1);
}

void
mn_findings_edit(struct mn_text *t, const char *file)
{
	mn_text_add(t, "${EDITOR:-vi} ");
	mn_findings_word(t, file);
}

static bool
equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/*
 * A folder that is not safe is found again with each profile in it: such
 * lines name the folder and are told once.
 */
static bool
known(const struct mn_findings *f, const char *problem, const char *mend)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (equal(f->item[i].problem, problem) &&
		    equal(f->item[i].mend, mend))
			return true;
	}
	return false;
}

static bool
reserve(struct mn_findings *f)
{
	struct mn_finding *item;

	if (f->n % 32 != 0)
		return true;
	item = reallocarray(f->item, f->n + 32, sizeof(*item));
	if (item == NULL)
		return false;
	f->item = item;
	return true;
}

static void
free_finding(struct mn_finding *x)
{
	free(x->profile);
	free(x->problem);
	free(x->mend);
}

static void
add(struct mn_findings *f, const char *profile, const char *rule,
    const char *problem, const char *mend)
{
	struct mn_finding x = { .rule = rule };
	bool path = problem[0] == '/';

	if (path && known(f, problem, mend))
		return;
	x.profile = profile != NULL ? strdup(profile) : NULL;
	x.problem = strdup(problem);
	x.mend = strdup(mend);
	if ((profile != NULL && x.profile == NULL) || x.problem == NULL ||
	    x.mend == NULL || !reserve(f)) {
		free_finding(&x);
		f->failed = true;
		return;
	}
	f->item[f->n++] = x;
}

void
mn_findings_add(struct mn_findings *f, const char *profile, const char *rule,
    struct mn_text *mend, const char *fmt, ...)
{
	struct mn_text problem = MN_TEXT_INIT(MN_ERROR_MAX);
	va_list ap;

	va_start(ap, fmt);
	mn_text_vadd(&problem, fmt, ap);
	va_end(ap);
	if (problem.failed || mend->failed)
		f->failed = true;
	add(f, profile, rule, mn_text_get(&problem), mn_text_get(mend));
	mn_text_free(&problem);
	mn_text_free(mend);
}

const char *
mn_findings_command(const char *line)
{
	const char *s, *found = NULL;
	size_t i;

	for (s = strstr(line, ": "); s != NULL; s = strstr(s + 2, ": ")) {
		for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
			if (strncmp(s + 2, commands[i],
			    strlen(commands[i])) == 0)
				found = s + 2;
		}
	}
	return found;
}

/* "PATH:7: ..." or "PATH: ...", of the configuration. */
static void
add_edit(struct mn_text *mend, const char *line, const char *file)
{
	struct mn_text path = MN_TEXT_INIT(MN_ERROR_MAX);

	mn_text_put(&path, line, strcspn(line, ":"));
	if (path.len > 5 && line[0] == '/' &&
	    strcmp(mn_text_get(&path) + path.len - 5, ".conf") == 0)
		mn_findings_edit(mend, mn_text_get(&path));
	else if (file != NULL)
		mn_findings_edit(mend, file);
	mn_text_free(&path);
}

static void
add_line(struct mn_findings *f, const char *profile, const char *rule,
    char *line, const char *file)
{
	struct mn_text mend = MN_TEXT_INIT(MN_ERROR_MAX);
	const char *command = mn_findings_command(line);

	if (command != NULL) {
		mn_text_add(&mend, "%s", command);
		line[command - line - 2] = '\0';
	} else {
		add_edit(&mend, line, file);
	}
	mn_findings_add(f, profile, rule, &mend, "%s", line);
}

void
mn_findings_lines(struct mn_findings *f, const char *profile,
    const char *rule, const char *lines, const char *file)
{
	char *line;
	size_t n;

	for (; *lines != '\0'; lines += n + (lines[n] == '\n' ? 1 : 0)) {
		n = strcspn(lines, "\n");
		line = strndup(lines, n);
		if (line == NULL) {
			f->failed = true;
			return;
		}
		if (n > 0)
			add_line(f, profile, rule, line, file);
		free(line);
	}
}

void
mn_findings_free(struct mn_findings *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free_finding(&f->item[i]);
	free(f->item);
	f->item = NULL;
	f->n = 0;
}
