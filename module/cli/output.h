/* SPDX-License-Identifier: MIT */

/*
 * All that the command prints.  What others said (messages, names of files,
 * arguments) is escaped, so that it can neither forge a line nor speak to the
 * terminal; colour and progress are for terminals alone.
 */

#ifndef MN_OUTPUT_H
#define MN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "text.h"

enum mn_colour {
	MN_PLAIN,
	MN_GOOD,
	MN_BAD,
	MN_DOUBT
};

/* Once, before anything else here. */
void mn_output_init(void);

/*
 * A line about a profile, which every such line names; NULL: about none.  A
 * live one stands out where there is colour.
 */
void mn_output_line(FILE *f, const char *profile, enum mn_colour colour,
    const char *fmt, ...) __attribute__((__format__(__printf__, 4, 5)));

/* A text without the "PROFILE: " with which it may begin. */
const char *mn_output_unnamed(const char *text, const char *profile);

/* A row of a table on standard output, whose first column is a profile. */
void mn_output_row(const char *profile, size_t width, enum mn_colour colour,
    const char *text);

/* A line on standard error, behind "monime: ".  False: it was not written. */
bool mn_output_error(const char *profile, const char *fmt, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* Each line of text as an error. */
void mn_output_errors(const char *profile, const char *text);

/* Bytes as they are; on a terminal readable, escaped, and on a line's end. */
void mn_output_body(FILE *f, const void *bytes, size_t len);

/* Append what others said, with \xNN for what is no harmless UTF-8. */
void mn_output_escape(struct mn_text *t, const char *s, size_t len);

/* How many columns an escaped text takes, nearly: its characters. */
size_t mn_output_width(const char *s);

/* Everything reached its file? */
bool mn_output_done(FILE *f);

/* What is being done now, on one line that the next output removes. */
void mn_output_progress(const char *fmt, ...)
    __attribute__((__format__(__printf__, 1, 2)));
void mn_output_progress_end(void);

/*
 * JSON.  Where memory is short these end the program, so nobody looks.  NULL
 * for a string is JSON's null.  A child belongs to whom it was added.
 */
struct json_object;

struct json_object *mn_output_json_object(void);
struct json_object *mn_output_json_list(void);
void mn_output_json_string(struct json_object *o, const char *name,
    const char *s);
void mn_output_json_number(struct json_object *o, const char *name,
    int64_t n);
void mn_output_json_bool(struct json_object *o, const char *name, bool yes);
void mn_output_json_null(struct json_object *o, const char *name);
void mn_output_json_add(struct json_object *o, const char *name,
    struct json_object *child);
void mn_output_json_append(struct json_object *list,
    struct json_object *child);

/*
 * A fact, its name with "_" for "-", which scripts can write without quotes;
 * number: as one, where it consists of digits.
 */
void mn_output_json_fact(struct json_object *o, const char *name,
    const char *s, bool number);

/* Print on one line, or on many, and free. */
bool mn_output_json_print(FILE *f, struct json_object *o, bool one_line);

#endif
