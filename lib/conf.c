/* SPDX-License-Identifier: MIT */

/*
 * Settings files: libconfig for what the scanner leaves, and a walk over that
 * with the table in hand.  See conf.h.
 */

#define _GNU_SOURCE
#include "conf.h"

#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "scan.h"

#include "banned.h"

struct reader {
	struct mn_conf *c;
	const char *s;		/* the file, its strings decoded in place */
	size_t len;
};

static const struct mn_conf_key *
find(const struct mn_conf_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->n; i++) {
		if (strcmp(table->key[i].name, name) == 0)
			return &table->key[i];
	}
	return NULL;
}

int
mn_conf_line(const struct mn_conf *c, const char *name)
{
	return c->line[find(c->table, name) - c->table->key];
}

void *
mn_conf_field(struct mn_profile *p, const struct mn_conf_key *key)
{
	return (char *)p + key->to;
}

static bool
literal(const struct reader *r, const config_setting_t *setting,
    struct mn_literal *l)
{
	return config_setting_type(setting) == CONFIG_TYPE_INT &&
	    mn_scan_literal(r->s, r->len, config_setting_get_int(setting), l);
}

void
mn_conf_show(struct mn_text *t, const char *s)
{
	size_t len = strlen(s);

	if (strncmp(s, "mon_", 4) == 0)
		mn_text_add(t, "what looks like a token");
	else if (len > 64 || strchr(s, '@') != NULL)
		mn_text_add(t, "a string of %zu bytes", len);
	else
		mn_text_add(t, "\"%s\"", s);
}

static void
found(struct mn_text *t, const struct reader *r,
    const struct mn_conf_key *key, const config_setting_t *setting)
{
	struct mn_literal l;
	size_t shown;

	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		mn_text_add(t, "a group");
		return;
	case CONFIG_TYPE_ARRAY:
		mn_text_add(t, "an array of %d",
		    config_setting_length(setting));
		return;
	case CONFIG_TYPE_LIST:
		mn_text_add(t, "a list in ( )");
		return;
	case CONFIG_TYPE_BOOL:
		mn_text_add(t, config_setting_get_bool(setting) ?
		    "true" : "false");
		return;
	}
	if (!literal(r, setting, &l))
		return;		/* the scanner leaves nothing else */
	shown = l.len < 20 ? l.len : 20;
	/* A group in whose place a string stands may have held a secret. */
	if (key->hush || key->type == MN_CONF_SECRET ||
	    key->type == MN_CONF_SECRETS || key->type == MN_CONF_GROUP)
		mn_text_add(t, "%s", l.number ? "a number" : "an unfit string");
	else if (l.number)
		mn_text_add(t, "the number %.*s%s", (int)shown, l.s,
		    shown < l.len ? "..." : "");
	else
		mn_conf_show(t, l.s);
}

static void
want_quantity(struct mn_text *t, enum mn_conf_type type, int64_t n)
{
	static const struct {
		enum mn_conf_type type;
		int64_t factor;
		const char *name;
	} units[] = {
		{ MN_CONF_DURATION, 3600000, " h" },
		{ MN_CONF_DURATION, 60000, " min" },
		{ MN_CONF_DURATION, 1000, " s" },
		{ MN_CONF_DURATION, 1, " ms" },
		{ MN_CONF_SIZE, 1048576, " MiB" },
		{ MN_CONF_SIZE, 1024, " KiB" },
		{ MN_CONF_SIZE, 1, " B" },
		{ MN_CONF_NUMBER, 1, "" },
	};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].type != type || n % units[i].factor != 0 ||
		    (n == 0 && units[i].factor > 1000))
			continue;
		mn_text_add(t, type == MN_CONF_NUMBER ? "%lld%s" : "\"%lld%s\"",
		    (long long)(n / units[i].factor), units[i].name);
		return;
	}
}

static void
want_string(struct mn_text *t, const struct mn_conf_key *key)
{
	size_t i;

	if (key->words == NULL) {
		mn_text_add(t, "%s", key->form->want);
		return;
	}
	for (i = 0; key->words[i] != NULL; i++)
		mn_text_add(t, "%s\"%s\"", i > 0 ? " or " : "", key->words[i]);
}

static void
want(struct mn_text *t, const struct mn_conf_key *key)
{
	switch (key->type) {
	case MN_CONF_GROUP:
		mn_text_add(t, "a group: %s = { ... };", key->name);
		return;
	case MN_CONF_BOOL:
		mn_text_add(t, "true or false, without quotes");
		return;
	case MN_CONF_DATE:
		mn_text_add(t, "a date in quotes, \"YYYY-MM-DD\"");
		return;
	case MN_CONF_NUMBER:
	case MN_CONF_DURATION:
	case MN_CONF_SIZE:
		mn_text_add(t, key->type == MN_CONF_NUMBER ?
		    "a whole number from " : "a number and its unit, from ");
		want_quantity(t, key->type, key->min);
		mn_text_add(t, " to ");
		want_quantity(t, key->type, key->max);
		return;
	case MN_CONF_LIST:
	case MN_CONF_SET:
	case MN_CONF_SECRETS:
		mn_text_add(t, "up to %d strings in [ ], each ",
		    key->type == MN_CONF_SECRETS ? MN_PROFILE_SECRETS :
		    MN_PROFILE_ITEMS);
		break;
	case MN_CONF_STRING:
	case MN_CONF_ACCEPT:
	case MN_CONF_SECRET:
		break;
	}
	want_string(t, key);
}

static int
refuse(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting)
{
	struct mn_text text = MN_TEXT_INIT(MN_ERROR_MAX);
	int line = (int)config_setting_source_line(setting);
	struct mn_literal l;

	/* libconfig gives an element the line of what follows it. */
	if (config_setting_name(setting) == NULL && literal(r, setting, &l))
		line = mn_scan_line(r->s, l.offset);
	mn_text_add(&text, "found ");
	found(&text, r, key, setting);
	mn_text_add(&text, "; wanted ");
	want(&text, key);
	(void)mn_error_add(r->c->e, 0, "%s:%d: %s: %s", r->c->path, line,
	    key->name, mn_text_get(&text));
	mn_text_free(&text);
	return MONIME_ECONFIG;
}

/* A word's index, or that of the NULL behind the last one. */
static size_t
word(const char *const *words, const char *s)
{
	size_t i;

	for (i = 0; words[i] != NULL && strcmp(words[i], s) != 0; i++)
		;
	return i;
}

static bool
good(const struct mn_conf_key *key, const struct mn_literal *l)
{
	if (l->number || l->len > MN_PROFILE_STRING)
		return false;
	if (key->words != NULL)
		return key->words[word(key->words, l->s)] != NULL;
	return key->form->good(l->s, l->len);
}

/* How to take a value; l is what a string or a number says, else empty. */
typedef int take_fn(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l);

static int
take_bool(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l)
{
	bool *to = mn_conf_field(r->c->p, key);

	(void)l;
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return refuse(r, key, setting);
	*to = config_setting_get_bool(setting) != 0;
	return MONIME_OK;
}

static bool
convert(enum mn_conf_type type, const struct mn_literal *l, int64_t *n)
{
	uint64_t u;

	if (l->s == NULL || l->number != (type == MN_CONF_NUMBER))
		return false;
	switch (type) {
	case MN_CONF_DURATION:
		return mn_text_duration(l->s, n);
	case MN_CONF_SIZE:
		return mn_text_size(l->s, n);
	case MN_CONF_DATE:
		return mn_text_date(l->s, n);
	default:
		if (!mn_text_number(l->s, l->len, INT64_MAX, &u))
			return false;
		*n = (int64_t)u;
		return true;
	}
}

static int
take_quantity(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l)
{
	int64_t *to = mn_conf_field(r->c->p, key);
	int64_t n;

	if (!convert(key->type, l, &n) || n < key->min || n > key->max)
		return refuse(r, key, setting);
	*to = n;
	return MONIME_OK;
}

static int
take_string(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l)
{
	char **to = mn_conf_field(r->c->p, key);

	if (l->s == NULL || !good(key, l))
		return refuse(r, key, setting);
	*to = strdup(l->s);
	return *to != NULL ? MONIME_OK : MONIME_ENOMEM;
}

static int
take_accept(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l)
{
	enum mn_accept *to = mn_conf_field(r->c->p, key);

	if (l->s == NULL || !good(key, l))
		return refuse(r, key, setting);
	*to = (enum mn_accept)(word(key->words, l->s) + 1);
	return MONIME_OK;
}

static int
take_secret(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l)
{
	struct mn_secret **to = mn_conf_field(r->c->p, key);

	if (l->s == NULL || l->number || !key->form->good(l->s, l->len))
		return refuse(r, key, setting);
	*to = mn_secret_copy(MN_SECRET_GUARDED, l->s, l->len);
	return *to != NULL ? MONIME_OK : MONIME_ENOMEM;
}

static int
take_item(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l)
{
	struct mn_list *to = mn_conf_field(r->c->p, key);

	if (l->s == NULL || !good(key, l))
		return refuse(r, key, setting);
	to->item[to->n] = strdup(l->s);
	if (to->item[to->n] == NULL)
		return MONIME_ENOMEM;
	to->n++;
	return MONIME_OK;
}

static int
take_member(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l)
{
	bool *to = mn_conf_field(r->c->p, key);

	if (l->s == NULL || !good(key, l))
		return refuse(r, key, setting);
	to[word(key->words, l->s)] = true;
	return MONIME_OK;
}

static int
take_one_of_secrets(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting, const struct mn_literal *l)
{
	struct mn_secret **to = mn_conf_field(r->c->p, key);
	size_t *n = (size_t *)(void *)((char *)r->c->p + key->count);

	if (l->s == NULL || l->number || !key->form->good(l->s, l->len))
		return refuse(r, key, setting);
	to[*n] = mn_secret_copy(MN_SECRET_GUARDED, l->s, l->len);
	if (to[*n] == NULL)
		return MONIME_ENOMEM;
	(*n)++;
	return MONIME_OK;
}

static take_fn *const take[] = {
	[MN_CONF_BOOL] = take_bool,
	[MN_CONF_NUMBER] = take_quantity,
	[MN_CONF_DURATION] = take_quantity,
	[MN_CONF_SIZE] = take_quantity,
	[MN_CONF_DATE] = take_quantity,
	[MN_CONF_STRING] = take_string,
	[MN_CONF_ACCEPT] = take_accept,
	[MN_CONF_SECRET] = take_secret,
	[MN_CONF_LIST] = take_item,
	[MN_CONF_SET] = take_member,
	[MN_CONF_SECRETS] = take_one_of_secrets
};

static int
take_value(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting)
{
	struct mn_literal l = { 0 };

	if (!literal(r, setting, &l))
		l.s = NULL;
	return take[key->type](r, key, setting, &l);
}

/* Forget the default of a set. */
static void
clear(struct mn_profile *p, const struct mn_conf_key *key)
{
	bool *to = mn_conf_field(p, key);
	size_t i;

	for (i = 0; key->words[i] != NULL; i++)
		to[i] = false;
}

static int
make_room(struct mn_list *list, size_t n)
{
	list->set = true;
	list->item = calloc(n + 1, sizeof(*list->item));
	return list->item != NULL ? MONIME_OK : MONIME_ENOMEM;
}

static int
take_array(struct reader *r, const struct mn_conf_key *key,
    const config_setting_t *setting)
{
	size_t n, max, i;
	int result, code;

	max = key->type == MN_CONF_SECRETS ? MN_PROFILE_SECRETS :
	    MN_PROFILE_ITEMS;
	if (config_setting_type(setting) != CONFIG_TYPE_ARRAY)
		return refuse(r, key, setting);
	n = (size_t)config_setting_length(setting);
	if (n > max)
		return refuse(r, key, setting);
	result = MONIME_OK;
	if (key->type == MN_CONF_SET)
		clear(r->c->p, key);
	else if (key->type == MN_CONF_LIST)
		result = make_room(mn_conf_field(r->c->p, key), n);
	for (i = 0; i < n && result != MONIME_ENOMEM; i++) {
		code = take_value(r, key,
		    config_setting_get_elem(setting, (unsigned int)i));
		if (code != MONIME_OK)
			result = code;
	}
	return result;
}

/* How many letters must change to turn one name into the other. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[MN_SCAN_NAME + 1] = { 0 };
	size_t len = strlen(b), i, j, corner, next;

	for (j = 0; j <= len; j++)
		row[j] = j;
	for (i = 0; a[i] != '\0'; i++) {
		corner = row[0]++;
		for (j = 0; j < len; j++) {
			next = corner + (a[i] != b[j]);
			if (row[j] + 1 < next)
				next = row[j] + 1;
			if (row[j + 1] + 1 < next)
				next = row[j + 1] + 1;
			corner = row[j + 1];
			row[j + 1] = next;
		}
	}
	return row[len];
}

static int
unknown(struct reader *r, const config_setting_t *setting, const char *name)
{
	const char *near = NULL, *other;
	size_t i, best = 3, d;

	for (i = 0; i < r->c->table->n; i++) {
		other = r->c->table->key[i].name;
		d = distance(name, other);
		if (d < best) {
			best = d;
			near = other;
		}
	}
	/* People paste tokens in front of the equals sign as well. */
	return mn_error_add(r->c->e, MONIME_ECONFIG,
	    "%s:%d: %s: unknown key%s%s%s", r->c->path,
	    (int)config_setting_source_line(setting),
	    strstr(name, "mon_") != NULL ? "what looks like a token" : name,
	    near != NULL ? "; is " : "", near != NULL ? near : "",
	    near != NULL ? " meant?" : "");
}

static int take_group(struct reader *r, const char *prefix,
    const config_setting_t *group);

static int
take_setting(struct reader *r, const char *name,
    const config_setting_t *setting)
{
	const struct mn_conf_key *key = find(r->c->table, name);

	if (key == NULL)
		return unknown(r, setting, name);
	r->c->line[key - r->c->table->key] =
	    (int)config_setting_source_line(setting);
	switch (key->type) {
	case MN_CONF_GROUP:
		if (config_setting_type(setting) != CONFIG_TYPE_GROUP)
			return refuse(r, key, setting);
		return take_group(r, name, setting);
	case MN_CONF_LIST:
	case MN_CONF_SET:
	case MN_CONF_SECRETS:
		return take_array(r, key, setting);
	default:
		return take_value(r, key, setting);
	}
}

/* The table is one group deep, so this calls itself but once. */
static int
take_group(struct reader *r, const char *prefix,
    const config_setting_t *group)
{
	const config_setting_t *setting;
	struct mn_text name = MN_TEXT_INIT(2 * MN_SCAN_NAME + 1);
	int result = MONIME_OK, code;
	unsigned int i;

	for (i = 0; i < (unsigned int)config_setting_length(group) &&
	    result != MONIME_ENOMEM; i++) {
		setting = config_setting_get_elem(group, i);
		mn_text_add(&name, "%s%s%s", prefix, prefix[0] ? "." : "",
		    config_setting_name(setting));
		code = name.failed ? MONIME_ENOMEM :
		    take_setting(r, mn_text_get(&name), setting);
		if (code != MONIME_OK)
			result = code;
		mn_text_free(&name);
	}
	return result;
}

/* Strings that have a default, where their group stands. */
static int
fill_in(struct mn_conf *c)
{
	const struct mn_conf_key *key;
	char **to, group[MN_SCAN_NAME + 1];
	size_t i, len;

	for (i = 0; i < c->table->n; i++) {
		key = &c->table->key[i];
		if (key->value == NULL)
			continue;
		len = strcspn(key->name, ".");
		memcpy(group, key->name, len);
		group[len] = '\0';
		to = mn_conf_field(c->p, key);
		if (mn_conf_line(c, group) == 0 || *to != NULL)
			continue;
		*to = strdup(key->value);
		if (*to == NULL)
			return MONIME_ENOMEM;
	}
	return MONIME_OK;
}

static bool
applies(const struct mn_conf *c, const struct mn_conf_rule *rule)
{
	char *const *value;

	if (rule->when == NULL)
		return true;
	if (rule->is == NULL)
		return mn_conf_line(c, rule->when) != 0;
	value = mn_conf_field(c->p, find(c->table, rule->when));
	return *value != NULL && strcmp(*value, rule->is) == 0;
}

/* Why the rule holds: "PATH:7: oauth2.grant = "password": ". */
static void
because(struct mn_text *t, const struct mn_conf *c,
    const struct mn_conf_rule *rule)
{
	int line = rule->when != NULL ? mn_conf_line(c, rule->when) : 0;

	mn_text_add(t, "%s:", c->path);
	if (line != 0)
		mn_text_add(t, "%d:", line);
	if (rule->when != NULL)
		mn_text_add(t, " %s", rule->when);
	if (rule->is != NULL)
		mn_text_add(t, " = \"%s\"", rule->is);
	if (rule->when != NULL)
		mn_text_put(t, ":", 1);
}

static int
judge(const struct mn_conf *c, const struct mn_conf_rule *rule)
{
	struct mn_text t = MN_TEXT_INIT(MN_ERROR_MAX);
	int line = mn_conf_line(c, rule->key);
	bool there = line != 0 ||
	    (rule->or != NULL && mn_conf_line(c, rule->or) != 0);

	if (there == (rule->what == MN_CONF_NEEDS) || !applies(c, rule))
		return MONIME_OK;
	because(&t, c, rule);
	mn_text_add(&t, " %s", rule->key);
	if (rule->what == MN_CONF_EXCLUDES)
		mn_text_add(&t, " (line %d) does not go with it; take one out",
		    line);
	else if (rule->or != NULL)
		mn_text_add(&t, " or %s is missing; add one", rule->or);
	else
		mn_text_add(&t, " is missing; add it");
	(void)mn_error_add(c->e, 0, "%s", mn_text_get(&t));
	mn_text_free(&t);
	return MONIME_ECONFIG;
}

static int
take_all(struct reader *r, const config_setting_t *root)
{
	const struct mn_conf_table *table = r->c->table;
	int result, code;
	size_t i;

	result = take_group(r, "", root);
	if (result == MONIME_ENOMEM || fill_in(r->c) != MONIME_OK)
		return MONIME_ENOMEM;
	for (i = 0; i < table->nrules; i++) {
		code = judge(r->c, &table->rule[i]);
		if (code != MONIME_OK)
			result = code;
	}
	return result;
}

static int
parse(struct reader *r, const char *text)
{
	config_t config;
	int result;

	config_init(&config);
	if (config_read_string(&config, text) == CONFIG_TRUE)
		result = take_all(r, config_root_setting(&config));
	else
		result = mn_error_add(r->c->e, MONIME_ECONFIG, "%s:%d: %s",
		    r->c->path, config_error_line(&config),
		    config_error_text(&config));
	config_destroy(&config);
	return result;
}

int
mn_conf_read(struct mn_conf *c, struct mn_secret *bytes)
{
	struct reader r = {
		.c = c, .s = mn_secret_get(bytes), .len = mn_secret_len(bytes)
	};
	struct mn_text text = MN_TEXT_INIT(MN_SCAN_GROWTH * (r.len + 1));
	int result;

	memset(c->line, 0, sizeof(c->line));
	result = mn_scan(c->path, mn_secret_bytes(bytes), r.len, &text, c->e);
	if (result == MONIME_OK)
		result = parse(&r, mn_text_get(&text));
	mn_text_free(&text);
	return result;
}
