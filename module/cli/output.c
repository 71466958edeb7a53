/* SPDX-License-Identifier: MIT */

/* Lines, bodies, colour, progress and JSON.  See output.h. */

#define _GNU_SOURCE
#include "output.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli.h"

#include "banned.h"

#define LINE_MAX_BYTES	(4 * MN_ERROR_MAX)

static struct {
	bool colour[2];		/* standard output, standard error */
	bool terminal[2];
	bool progress;		/* a line of it stands there now */
} screen;

static const char *const paint[] = {
	[MN_PLAIN] = "",
	[MN_GOOD] = "\033[32m",
	[MN_BAD] = "\033[31m",
	[MN_DOUBT] = "\033[33m",
};

#define LIVE	"\033[1;37;41m"	/* bold white on red */
#define RESET	"\033[0m"

void
mn_output_init(void)
{
	const char *no_color = secure_getenv("NO_COLOR");
	const char *term = secure_getenv("TERM");
	bool wanted;

	/* no-color.org: any value but the empty one. */
	wanted = (no_color == NULL || no_color[0] == '\0') &&
	    term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
	screen.terminal[0] = isatty(STDOUT_FILENO) == 1;
	screen.terminal[1] = isatty(STDERR_FILENO) == 1;
	screen.colour[0] = wanted && screen.terminal[0];
	screen.colour[1] = wanted && screen.terminal[1];
}

static bool
coloured(const FILE *f)
{
	return f == stdout ? screen.colour[0] :
	    f == stderr ? screen.colour[1] : false;
}

void
mn_output_escape(struct mn_text *t, const char *s, size_t len)
{
	mn_text_show(t, s, len, "");
}

size_t
mn_output_width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (((unsigned char)*s & 0xc0) != 0x80)
			n++;
	}
	return n;
}

static void
add_profile(struct mn_text *t, const FILE *f, const char *profile)
{
	bool live = strncmp(profile, "live/", 5) == 0 && coloured(f);

	if (live)
		mn_text_add(t, LIVE);
	mn_output_escape(t, profile, strlen(profile));
	if (live)
		mn_text_add(t, RESET);
}

static void
add_painted(struct mn_text *t, const FILE *f, enum mn_colour colour,
    const char *s, size_t len)
{
	bool painted = colour != MN_PLAIN && coloured(f);

	if (painted)
		mn_text_add(t, "%s", paint[colour]);
	mn_output_escape(t, s, len);
	if (painted)
		mn_text_add(t, RESET);
}

const char *
mn_output_unnamed(const char *text, const char *profile)
{
	size_t n = profile != NULL ? strlen(profile) : 0;

	return n > 0 && strncmp(text, profile, n) == 0 &&
	    strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

__attribute__((__format__(__printf__, 5, 0)))
static void
put_line(FILE *f, const char *before, const char *profile,
    enum mn_colour colour, const char *fmt, va_list ap)
{
	struct mn_text raw = MN_TEXT_INIT(MN_ERROR_MAX);
	struct mn_text line = MN_TEXT_INIT(LINE_MAX_BYTES);
	const char *text;

	mn_output_progress_end();
	mn_text_add(&line, "%s", before);
	if (profile != NULL) {
		add_profile(&line, f, profile);
		mn_text_add(&line, ": ");
	}
	mn_text_vadd(&raw, fmt, ap);
	text = mn_output_unnamed(mn_text_get(&raw), profile);
	add_painted(&line, f, colour, text, strlen(text));
	(void)fprintf(f, "%s%s\n", mn_text_get(&line),
	    raw.failed || line.failed ? "..." : "");
	mn_text_free(&raw);
	mn_text_free(&line);
}

void
mn_output_row(const char *profile, size_t width, enum mn_colour colour,
    const char *text)
{
	struct mn_text line = MN_TEXT_INIT(LINE_MAX_BYTES);
	size_t len = strlen(profile);

	mn_output_progress_end();
	add_profile(&line, stdout, profile);
	mn_text_add(&line, "%*s  ", len < width ? (int)(width - len) : 0, "");
	add_painted(&line, stdout, colour, text, strlen(text));
	(void)printf("%s\n", mn_text_get(&line));
	mn_text_free(&line);
}

void
mn_output_line(FILE *f, const char *profile, enum mn_colour colour,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(f, "", profile, colour, fmt, ap);
	va_end(ap);
}

bool
mn_output_error(const char *profile, const char *fmt, ...)
{
	va_list ap;

	/* What was printed before comes before, where both are shown. */
	(void)fflush(stdout);
	va_start(ap, fmt);
	put_line(stderr, "monime: ", profile, MN_PLAIN, fmt, ap);
	va_end(ap);
	return mn_output_done(stderr);
}

void
mn_output_errors(const char *profile, const char *text)
{
	size_t n;

	/* A failure without a word: there was no memory for one. */
	if (*text == '\0')
		text = monime_strerror(MONIME_ENOMEM);
	for (; *text != '\0'; text += n + (text[n] == '\n' ? 1 : 0)) {
		n = strcspn(text, "\n");
		if (n > 0)
			(void)mn_output_error(profile, "%.*s", (int)n, text);
	}
}

void
mn_output_body(FILE *f, const void *bytes, size_t len)
{
	struct mn_text t = MN_TEXT_INIT(SIZE_MAX / 8);
	const char *s = bytes;

	if (f != stdout || !screen.terminal[0]) {
		(void)fwrite(bytes, 1, len, f);
		return;
	}
	mn_text_show(&t, s, len, "\n\t");
	if (t.failed)
		mn_text_add(&t, "...");
	(void)fwrite(mn_text_get(&t), 1, t.len, f);
	if (len > 0 && s[len - 1] != '\n')
		(void)fputc('\n', f);
	mn_text_free(&t);
}

bool
mn_output_done(FILE *f)
{
	return fflush(f) == 0 && ferror(f) == 0;
}

void
mn_output_progress(const char *fmt, ...)
{
	struct mn_text raw = MN_TEXT_INIT(256);
	struct mn_text line = MN_TEXT_INIT(1024);
	va_list ap;

	/* Without colour there is no way to remove it either. */
	if (!screen.colour[1])
		return;
	va_start(ap, fmt);
	mn_text_vadd(&raw, fmt, ap);
	va_end(ap);
	mn_output_escape(&line, mn_text_get(&raw), raw.len);
	(void)fprintf(stderr, "\r\033[K%s", mn_text_get(&line));
	screen.progress = true;
	mn_text_free(&raw);
	mn_text_free(&line);
}

void
mn_output_progress_end(void)
{
	if (!screen.progress)
		return;
	screen.progress = false;
	(void)fputs("\r\033[K", stderr);
}

static void *
needed(void *p)
{
	if (p == NULL) {
		(void)fputs("monime: out of memory\n", stderr);
		exit(MN_UNKNOWN);
	}
	return p;
}

struct json_object *
mn_output_json_object(void)
{
	return needed(json_object_new_object());
}

struct json_object *
mn_output_json_list(void)
{
	return needed(json_object_new_array());
}

void
mn_output_json_add(struct json_object *o, const char *name,
    struct json_object *child)
{
	if (json_object_object_add(o, name, child) != 0)
		(void)needed(NULL);
}

void
mn_output_json_append(struct json_object *list, struct json_object *child)
{
	if (json_object_array_add(list, child) != 0)
		(void)needed(NULL);
}

void
mn_output_json_null(struct json_object *o, const char *name)
{
	mn_output_json_add(o, name, NULL);
}

void
mn_output_json_string(struct json_object *o, const char *name, const char *s)
{
	struct mn_text t = MN_TEXT_INIT(LINE_MAX_BYTES);

	if (s == NULL) {
		mn_output_json_null(o, name);
		return;
	}
	/* json-c passes on bytes that are no UTF-8; JSON knows none. */
	mn_text_show(&t, s, strlen(s), "\n\t");
	mn_output_json_add(o, name,
	    needed(json_object_new_string(mn_text_get(&t))));
	mn_text_free(&t);
}

void
mn_output_json_number(struct json_object *o, const char *name, int64_t n)
{
	mn_output_json_add(o, name, needed(json_object_new_int64(n)));
}

void
mn_output_json_bool(struct json_object *o, const char *name, bool yes)
{
	mn_output_json_add(o, name, needed(json_object_new_boolean(yes)));
}

void
mn_output_json_fact(struct json_object *o, const char *name, const char *s,
    bool number)
{
	char key[64];
	uint64_t n;
	size_t i;

	for (i = 0; i + 1 < sizeof(key) && name[i] != '\0'; i++)
		key[i] = name[i] == '-' ? '_' : name[i];
	key[i] = '\0';
	if (number && s != NULL &&
	    mn_text_number(s, strlen(s), INT64_MAX, &n))
		mn_output_json_number(o, key, (int64_t)n);
	else
		mn_output_json_string(o, key, s);
}

bool
mn_output_json_print(FILE *f, struct json_object *o, bool one_line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!one_line)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	mn_output_progress_end();
	(void)fprintf(f, "%s\n",
	    (const char *)needed((void *)(uintptr_t)
	    json_object_to_json_string_ext(o, flags)));
	json_object_put(o);
	return mn_output_done(f);
}
