/* SPDX-License-Identifier: MIT */

/* What comes in: secrets from a prompt, bytes from files. */

#ifndef MN_INPUT_H
#define MN_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "secret.h"
#include "text.h"

/*
 * A secret of one line from standard input, or from a prompt without echo
 * where that is a terminal.  NULL: the reason has been told.
 */
struct mn_secret *mn_input_secret(const char *prompt);

/* The same from a file; "-" is as above. */
struct mn_secret *mn_input_secret_file(const char *name, const char *prompt);

/* A file whole, or standard input for "-", as far as t's limit goes. */
bool mn_input_file(const char *name, struct mn_text *t);

#endif
