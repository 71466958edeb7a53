/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the map of PAM.  The bytes are a user, a NUL, a choice of fingerprint
 * and the file; the judge reads it with a grammar of its own.
 */

#include "fuzz.h"

#include <regex.h>

#include "../../module/pam/map.h"
#include "safefile.h"

#define OURS	"00112233445566778899aabbccddeeff"

static const uint8_t *file;
static size_t file_len;

int __wrap_mn_safefile_read(const char *path,
    const struct mn_safefile_rule *rule, struct mn_secret **out,
    struct mn_safefile_id *id, bool *missing, struct mn_error *e);

int
__wrap_mn_safefile_read(const char *path, const struct mn_safefile_rule *rule,
    struct mn_secret **out, struct mn_safefile_id *id, bool *missing,
    struct mn_error *e)
{
	(void)path;
	(void)id;
	(void)missing;
	(void)e;
	MUST(!rule->caller && !rule->sticky, "anybody's file");
	*out = mn_secret_copy(MN_SECRET_PLAIN, file, file_len);
	MUST(*out != NULL, "out of memory");
	return MONIME_OK;
}

static regex_t line_form, comment_form;

/* One line of the file, as a string; false: it is wrong. */
static bool
read_line(char *line, const char *user, const char *fingerprint,
    struct mn_map_found *found)
{
	regmatch_t m[1];
	char *list, *item;
	bool mine;

	if (regexec(&comment_form, line, 1, m, 0) == 0)
		line[m[0].rm_so] = '\0';
	if (line[0] == '\0')
		return true;
	if (regexec(&line_form, line, 0, NULL, 0) != 0)
		return false;
	list = strchr(line, ':');
	*list++ = '\0';
	mine = strcmp(line, user) == 0;
	found->user |= mine;
	while ((item = strsep(&list, ",")) != NULL)
		found->token |= mine && strcmp(item, fingerprint) == 0;
	return true;
}

/* A NUL ends no line: it is part of a comment, or wrong. */
static char *
copy_line(const uint8_t *s, size_t len)
{
	char *line = malloc(len + 1);
	size_t i;

	MUST(line != NULL, "out of memory");
	for (i = 0; i < len; i++)
		line[i] = s[i] == '\0' ? '\x01' : (char)s[i];
	line[len] = '\0';
	return line;
}

static bool
expect(const char *user, const char *fingerprint, struct mn_map_found *found)
{
	const uint8_t *s = file, *end = file + file_len, *lf;
	bool good = true;
	char *line;
	size_t len;

	found->user = found->token = false;
	for (; s < end; s += len + 1) {
		lf = memchr(s, '\n', (size_t)(end - s));
		len = lf != NULL ? (size_t)(lf - s) : (size_t)(end - s);
		line = copy_line(s, len);
		good = read_line(line, user, fingerprint, found) && good;
		free(line);
	}
	if (!good)
		found->user = found->token = false;
	return good;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	MUST(regcomp(&line_form, "^[]!-+./0-9;-[\\^-~-]+:"
	    "[0-9a-f]{32}(,[0-9a-f]{32})*$", REG_EXTENDED) == 0 &&
	    regcomp(&comment_form, "(^|[ \t])[ \t]*(#.*)?$", REG_EXTENDED) ==
	    0, "a wrong form");
	return mn_secret_init() ? 0 : FUZZ_SKIP;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char fingerprint[MONIME_FINGERPRINT_SIZE] = "";
	struct input in = { data, size };
	struct mn_error e = MN_ERROR_INIT;
	struct mn_map_found want, got;
	char *user = input_string(&in);
	bool good;
	int r;

	if (input_byte(&in) & 1)
		(void)snprintf(fingerprint, sizeof(fingerprint), OURS);
	file = in.p;
	file_len = in.left;
	good = expect(user, fingerprint, &want);
	r = mn_map_find("/map", user, fingerprint, &got, &e);
	MUST(r == (good ? MONIME_OK : MONIME_ECONFIG), "result %d", r);
	MUST(good == (e.text.len == 0), "\"%s\"", mn_error_get(&e));
	MUST(got.user == want.user, "the user");
	MUST(got.token == want.token, "the token");
	MUST(!got.token || fingerprint[0] != '\0', "nobody's token");
	mn_error_free(&e);
	free(user);
	return 0;
}
