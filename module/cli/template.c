/* SPDX-License-Identifier: MIT */

/* Templates of profiles, by provider and product. */

#define _GNU_SOURCE
#include "template.h"

#include <string.h>

#include "output.h"
#include "rows.h"

#include "banned.h"

/* Mono: rotate keys at least every 90 days. */
#define ROTATION	90

static const char monime[] =
"\n"
"# What it may be used for; without this: anything within the Space above.\n"
"#allow = {\n"
"#	methods = [ \"GET\", \"POST\" ];\n"
"#	paths = [ \"/v1/payouts\", \"/v1/payouts/*\" ];\n"
"#};\n"
"\n"
"# Which tokens of others a server accepts: those that the Space lets in.\n"
"#check = {\n"
"#	accept = \"space\";\n"
"#	path = \"/v1/financial-accounts?limit=1\";\n"
"#};\n";

static const char mono[] =
"\n"
"# What it may be used for; without this: anything that the key opens.\n"
"#allow = {\n"
"#	methods = [ \"GET\", \"POST\" ];\n"
"#	paths = [ \"/v1/ledger/*\" ];\n"
"#};\n"
"\n"
"# Mono has no token test: a check asks for an object that is yours alone.\n"
"#check = {\n"
"#	accept = \"path\";\n"
"#	path = \"/v1/...\";\n"
"#};\n";

static const struct kind {
	const char *provider;
	const char *product;
	bool space;		/* needed */
	const char *rest;
} kinds[] = {
	{ "monime", NULL, true, monime },
	{ "mono", "banking", false, mono },
	{ "mono", "core", false, mono },
};

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const struct kind *
find(const struct mn_template *t)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (same(kinds[i].provider, t->provider) &&
		    same(kinds[i].product, t->product))
			return &kinds[i];
	}
	return NULL;
}

bool
mn_template_given(const struct mn_template *t)
{
	return t->provider != NULL || t->product != NULL ||
	    t->space != NULL || t->owner != NULL || t->purpose != NULL;
}

/* A setting whose value somebody typed, in libconfig's quotes. */
static void
add(struct mn_text *out, const char *key, const char *value)
{
	mn_text_add(out, "%s = \"", key);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			mn_text_put(out, "\\", 1);
		mn_text_put(out, value, 1);
	}
	mn_text_add(out, "\";\n");
}

static bool
refuse(const struct mn_template *t, const char *why)
{
	(void)mn_output_error(t->profile, "%s", why);
	return false;
}

/* No value may leave its line, or say something that is not seen. */
static bool
is_text(const char *s)
{
	struct mn_text t = MN_TEXT_INIT(4096);
	bool r;

	if (s == NULL)
		return true;
	mn_output_escape(&t, s, strlen(s));
	r = !t.failed && strcmp(mn_text_get(&t), s) == 0;
	mn_text_free(&t);
	return r;
}

static bool
judge(const struct mn_template *t, const struct kind *kind)
{
	if (t->provider == NULL)
		return refuse(t, "there is no such profile yet; to make it, "
		    "give --provider, --owner and --purpose, and --space for "
		    "monime or --product for mono");
	if (kind == NULL)
		return refuse(t, "templates are there for --provider monime, "
		    "and for --provider mono with --product banking or core; "
		    "breb and wallet take OAuth 2.0 credentials, for which "
		    "monime.conf(5) has an example");
	if (kind->space != (t->space != NULL))
		return refuse(t, kind->space ? "--space is missing: the id of "
		    "the Space, spc-..." : "--space is Monime's alone");
	if (t->owner == NULL || t->purpose == NULL)
		return refuse(t, "--owner or --purpose is missing: who "
		    "answers for this credential, and what it is for");
	if (!is_text(t->space) || !is_text(t->owner) || !is_text(t->purpose))
		return refuse(t, "--space, --owner and --purpose are one line "
		    "of text each");
	return true;
}

bool
mn_template_write(const struct mn_template *t, struct mn_text *out)
{
	const struct kind *kind = find(t);
	char buf[MN_DATE_SIZE];

	if (!judge(t, kind))
		return false;
	mn_text_add(out, "# %s: see monime.conf(5).  The token stands beside "
	    "this file, in %s.token.\n\n", t->profile,
	    strchr(t->profile, '/') + 1);
	add(out, "provider", t->provider);
	if (t->product != NULL)
		add(out, "product", t->product);
	if (t->space != NULL)
		add(out, "space", t->space);
	mn_text_add(out, "\n# Who answers for this credential, and what it is "
	    "for.\n");
	add(out, "owner", t->owner);
	add(out, "purpose", t->purpose);
	mn_text_add(out, "\n# A warning after the first day, a refusal after "
	    "the second.\n");
	add(out, "rotate_by", mn_row_date(t->today + ROTATION, buf));
	mn_text_add(out, "#expires = \"YYYY-MM-DD\";\n%s", kind->rest);
	return !out->failed ? true : refuse(t, "out of memory");
}
