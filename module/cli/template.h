/* SPDX-License-Identifier: MIT */

/* A new profile's file, with comments for whoever edits it next. */

#ifndef MN_TEMPLATE_H
#define MN_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

struct mn_template {
	const char *profile;
	const char *provider;
	const char *product;
	const char *space;
	const char *owner;
	const char *purpose;
	int64_t today;		/* days since 1970-01-01 */
};

/* Is anything but the profile given? */
bool mn_template_given(const struct mn_template *t);

/* Write the file, or say what is missing or wrong. */
bool mn_template_write(const struct mn_template *t, struct mn_text *out);

#endif
