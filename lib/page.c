/* SPDX-License-Identifier: MIT */

/* The page for people. */

#define _GNU_SOURCE
#include "reading.h"

#include "banned.h"

void
mn_page_write(const struct mn_readings *all, struct mn_text *out)
{
	(void)all;
	mn_text_add(out, "<!doctype html>\n");
}
