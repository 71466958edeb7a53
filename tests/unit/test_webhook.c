/* SPDX-License-Identifier: MIT */

/* webhook.c: who signed a delivery, and when. */

#include "folder.h"

#include <time.h>

#include "monime.h"

#define NOW	1771803194

static time_t now = NOW;

time_t __wrap_time(time_t *t);

time_t
__wrap_time(time_t *t)
{
	if (t != NULL)
		*t = now;
	return now;
}

enum { HOOK, TWO, NEW, BRIEF, BANK, NONE, HANDLES };

#define OLD_SECRET	"test-secret-key-at-least-32-chars!!"
#define NEW_SECRET	"another-secret-of-thirty-two-ch!"

static const struct {
	const char *name;
	const char *text;
} profiles[HANDLES] = {
	[HOOK] = { "test/hook", "provider = \"monime\";\n"
	    "webhook = { secrets = [ \"" OLD_SECRET "\" ]; };\n" },
	[TWO] = { "test/two", "provider = \"monime\";\nwebhook = { "
	    "secrets = [ \"" NEW_SECRET "\", \"" OLD_SECRET "\" ]; };\n" },
	[NEW] = { "test/new", "provider = \"monime\";\n"
	    "webhook = { secrets = [ \"" NEW_SECRET "\" ]; };\n" },
	[BRIEF] = { "test/brief", "provider = \"monime\";\nwebhook = { "
	    "secrets = [ \"" OLD_SECRET "\" ]; tolerance = \"10 s\"; };\n" },
	[BANK] = { "test/bank", "provider = \"mono\";\n"
	    "product = \"banking\";\n"
	    "webhook = { secrets = [ \"" OLD_SECRET "\" ]; };\n" },
	[NONE] = { "test/none", "provider = \"monime\";\n" },
};

static struct folder folder;
static struct monime *handle[HANDLES];

static int
start(void **state)
{
	char file[64];
	int i;

	(void)state;
	if (!folder_make(&folder))
		return 0;
	for (i = 0; i < HANDLES; i++) {
		(void)snprintf(file, sizeof(file), "%s.conf",
		    profiles[i].name);
		folder_write(&folder, file, profiles[i].text);
		if (monime_open(profiles[i].name, folder.path, &handle[i]) !=
		    MONIME_OK) {
			print_error("%s\n", monime_error(handle[i]));
			return -1;
		}
	}
	return 0;
}

static int
stop(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < HANDLES; i++)
		monime_close(handle[i]);
	folder_remove(&folder);
	return 0;
}

static void
need_folder(void)
{
	if (folder.path[0] == '\0')
		skip();
}

/* A delivery of Monime's; its signatures were made with openssl dgst. */
#define BODY	"{\"apiVersion\":\"caph.2025-08-23\",\"event\":{"	\
	"\"id\":\"wkd-1\",\"name\":\"payment.completed\","		\
	"\"timestamp\":\"1771803194\"},\"object\":{\"id\":\"spm-1\","	\
	"\"type\":\"payment\"},\"data\":{}}"
#define T	"t=1771803194"
#define B64	"hUGmUIHafgfanuXu2mJ5C+bOCRTryjRq/AIP8M/78sg="
#define B64NONE	"drjGPiJwsx7oYAx9xPbr27w7AqdVWr4DnABaEy8WoVg="
#define B64NEW	"9P19d/ZYlXaINkEko4luPJt9aKM9N7n3mX2FotTNdnQ="
#define HEX	"d02562684d57c7b9bffc7186a1f64fd6" \
	"4b8de09c223da5c534e424c93fcd0dd7"
#define HEXNONE	"365d98f28832bd40e4ce0b92e73152e1" \
	"549db172e42804b6e1b8c586a25a3998"
#define HEXNEW	"6361755cd00f3ae31574c1c4d48cd49c" \
	"023ad9849510c69aa4f7db6a3837cdb2"
#define V	",v1=" B64
#define WRONG	",v1=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static const struct row {
	int with;
	const char *header;
	size_t len;
	const char *body;
	int result;
} rows[] = {
#define R(with, header, body, result)					\
	{ with, header, sizeof(header) - 1, body, MONIME_ ## result }
	/* Good ones. */
	R(HOOK, T V, BODY, OK),
	R(HOOK, T ",v1=" B64NONE, "", OK),
	R(BANK, T ",v1=" HEX, BODY, OK),
	R(BANK, T ",v1=" HEXNONE, "", OK),
	R(HOOK, "v1=" B64 "," T, BODY, OK),
	R(HOOK, T ", v1=" B64, BODY, OK),
	R(HOOK, T WRONG V, BODY, OK),
	R(HOOK, T V WRONG, BODY, OK),
	R(HOOK, T WRONG WRONG WRONG WRONG WRONG WRONG WRONG V, BODY, OK),
	R(HOOK, T V ",v0=abc,v2=def", BODY, OK),
	R(BANK, T ",v1=" HEXNEW ",v1=" HEX, BODY, OK),
	/* A rotation: either secret, old or new. */
	R(TWO, T V, BODY, OK),
	R(TWO, T ",v1=" B64NEW, BODY, OK),
	R(TWO, T WRONG ",v1=" B64NEW, BODY, OK),
	R(NEW, T ",v1=" B64NEW, BODY, OK),
	R(NEW, T V, BODY, EDENIED),
	R(HOOK, T ",v1=" B64NEW, BODY, EDENIED),
	R(TWO, T WRONG, BODY, EDENIED),

	/* Not those bytes. */
	R(HOOK, T V, BODY "\n", EDENIED),
	R(HOOK, T V, " " BODY, EDENIED),
	R(HOOK, T V, "", EDENIED),
	R(HOOK, T V, "{}", EDENIED),
	R(HOOK, T ",v1=" B64NONE, BODY, EDENIED),
	R(BANK, T ",v1=" HEXNONE, BODY, EDENIED),
	/* The other provider's way: its separator, its encoding. */
	R(HOOK, T ",v1=0CViaE1Xx7m//HGGofZP1kuN4JwiPaXFNOQkyT/NDdc=", BODY,
	    EDENIED),
	R(HOOK, T ",v1=" HEX, BODY, EDENIED),
	R(BANK, T ",v1="
	    "8541a65081da7e07da9ee5eeda62790be6ce0914ebca346afc020ff0cffbf2c8",
	    BODY, EDENIED),
	R(BANK, T V, BODY, EDENIED),
	/* The body's end moved into the time, and the reverse. */
	R(HOOK, "t=177180319" V, "4_" BODY, EDENIED),
	R(HOOK, "t=17718031941" V, BODY, EDENIED),
	R(HOOK, "t=01771803194" V, BODY, EDENIED),
	R(HOOK, "t=1771803195" V, BODY, EDENIED),

	/* Times. */
	R(HOOK, T "," T V, BODY, EDENIED),
	R(HOOK, "t=1," T V, BODY, EDENIED),
	R(HOOK, T V ",t=1", BODY, EDENIED),
	R(HOOK, "t=," T V, BODY, EDENIED),
	R(HOOK, T ",t=" V, BODY, EDENIED),
	R(HOOK, "t=" V, BODY, EDENIED),
	R(HOOK, "t" V, BODY, EDENIED),
	R(HOOK, "t=0001771803194" V, BODY, EDENIED),	/* 13 digits */
	R(HOOK, "t=1771803194000" V, BODY, EDENIED),
	R(HOOK, "t=99999999999999999999" V, BODY, EDENIED),
	R(HOOK, "t=-1771803194" V, BODY, EDENIED),
	R(HOOK, "t=+1771803194" V, BODY, EDENIED),
	R(HOOK, "t=1771803194.0" V, BODY, EDENIED),
	R(HOOK, "t=0x699b9cfa" V, BODY, EDENIED),
	R(HOOK, "t= 1771803194" V, BODY, EDENIED),
	R(HOOK, "t=1771803194 " V, BODY, EDENIED),
	R(HOOK, "t =1771803194" V, BODY, EDENIED),
	R(HOOK, "T=1771803194" V, BODY, EDENIED),
	R(HOOK, "t=0" V, BODY, EDENIED),
	R(HOOK, "v1=" B64, BODY, EDENIED),

	/* Signatures. */
	R(HOOK, T, BODY, EDENIED),
	R(HOOK, T ",", BODY, EDENIED),
	R(HOOK, T ",v1", BODY, EDENIED),
	R(HOOK, T ",v1=", BODY, EDENIED),
	R(HOOK, T ",v1=,v1=", BODY, EDENIED),
	R(HOOK, T ",v0=" B64, BODY, EDENIED),
	R(HOOK, T ",V1=" B64, BODY, EDENIED),
	R(HOOK, T ",v1 =" B64, BODY, EDENIED),
	R(HOOK, T ",v1= " B64, BODY, EDENIED),
	R(HOOK, T V " ", BODY, EDENIED),
	R(HOOK, T V "=", BODY, EDENIED),
	R(HOOK, T ";v1=" B64, BODY, EDENIED),
	R(HOOK, T "&v1=" B64, BODY, EDENIED),
	R(HOOK, T " v1=" B64, BODY, EDENIED),
	R(HOOK, T ",," "v1=" B64, BODY, EDENIED),
	R(HOOK, T ",v1:" B64, BODY, EDENIED),
	R(HOOK, T ",v1=\"" B64 "\"", BODY, EDENIED),
	R(HOOK, T WRONG WRONG WRONG WRONG WRONG WRONG WRONG WRONG V, BODY,
	    EDENIED),
	R(HOOK, T V WRONG WRONG WRONG WRONG WRONG WRONG WRONG WRONG, BODY,
	    EDENIED),
	/* Without padding, the URL alphabet, bits that nobody reads, cut. */
	R(HOOK, T ",v1=hUGmUIHafgfanuXu2mJ5C+bOCRTryjRq/AIP8M/78sg", BODY,
	    EDENIED),
	R(HOOK, T ",v1=hUGmUIHafgfanuXu2mJ5C-bOCRTryjRq_AIP8M_78sg=", BODY,
	    EDENIED),
	R(HOOK, T ",v1=hUGmUIHafgfanuXu2mJ5C+bOCRTryjRq/AIP8M/78sh=", BODY,
	    EDENIED),
	R(HOOK, T ",v1=hUGmUIHafgfanuXu2mJ5C+bOCRTryjRq/AIP8M/78g==", BODY,
	    EDENIED),
	R(HOOK, T ",v1=hUGmUIHafgfanuXu2mJ5C+bOCRTryjRq/AIP8M/78sgA", BODY,
	    EDENIED),
	R(HOOK, T ",v1=HUGmUIHafgfanuXu2mJ5C+bOCRTryjRq/AIP8M/78sg=", BODY,
	    EDENIED),
	/* Upper case, an odd digit, one digit less and one more. */
	R(BANK, T ",v1="
	    "D02562684D57C7B9BFFC7186A1F64FD64B8DE09C223DA5C534E424C93FCD0DD7",
	    BODY, EDENIED),
	R(BANK, T ",v1=D" "02562684d57c7b9bffc7186a1f64fd64b8de09c223da5c534"
	    "e424c93fcd0dd7", BODY, EDENIED),
	R(BANK, T ",v1=d02562684d57c7b9bffc7186a1f64fd64b8de09c223da5c534e4"
	    "24c93fcd0dd", BODY, EDENIED),
	R(BANK, T ",v1=" HEX "0", BODY, EDENIED),
	R(BANK, T ",v1=" HEX "00", BODY, EDENIED),
	R(BANK, T ",v1=0x" HEX, BODY, EDENIED),
	R(BANK, T ",v1=" HEXNEW, BODY, EDENIED),

	/* No header at all, and bytes that none has. */
	R(HOOK, "", BODY, EDENIED),
	R(HOOK, " ", BODY, EDENIED),
	R(HOOK, ",", BODY, EDENIED),
	R(HOOK, "=", BODY, EDENIED),
	R(HOOK, "\0", BODY, EDENIED),
	R(HOOK, T V "\0", BODY, EDENIED),
	R(HOOK, T "\0" V, BODY, EDENIED),
	R(HOOK, T V "\n", BODY, EDENIED),
	R(HOOK, T V "\r\n", BODY, EDENIED),
	R(HOOK, T ",\tv1=" B64, BODY, EDENIED),
	R(HOOK, T V ",x=\xc3\xa9", BODY, EDENIED),
	R(HOOK, B64, BODY, EDENIED),
	R(BANK, HEX, BODY, EDENIED),
	R(HOOK, "t=1771803194,es256=" B64, BODY, EDENIED),

	R(NONE, T V, BODY, ECONFIG),
	R(NONE, "", "", ECONFIG),
#undef R
};

/* Both from copies that end where they end. */
static int
verify(struct monime *m, const char *header, size_t header_len,
    const char *body, size_t len)
{
	char *h = exact(header, header_len), *b = exact(body, len);
	int r = monime_verify_webhook(m, h, header_len, b, len);

	free(h);
	free(b);
	return r;
}

static void
test_only_what_was_signed_with_our_secret_is_good(void **state)
{
	size_t i;
	int r;

	(void)state;
	need_folder();
	for (i = 0; i < ROWS(rows); i++) {
		r = verify(handle[rows[i].with], rows[i].header, rows[i].len,
		    rows[i].body, strlen(rows[i].body));
		ROW(r == rows[i].result, "%zu: %s: %s: %d", i,
		    profiles[rows[i].with].name, rows[i].header, r);
	}
	end_rows();
}

static void
test_body_or_signature_changed_by_one_bit_is_refused(void **state)
{
	char body[] = BODY, header[] = T V;
	size_t i;

	(void)state;
	need_folder();
	for (i = 0; i < 8 * (sizeof(body) - 1); i++) {
		body[i / 8] ^= (char)(1u << i % 8);
		ROW(verify(handle[HOOK], T V, strlen(T V), body,
		    sizeof(body) - 1) == MONIME_EDENIED, "body, bit %zu", i);
		body[i / 8] ^= (char)(1u << i % 8);
	}
	for (i = 0; i < 8 * (sizeof(header) - 1); i++) {
		header[i / 8] ^= (char)(1u << i % 8);
		ROW(verify(handle[HOOK], header, sizeof(header) - 1, BODY,
		    strlen(BODY)) == MONIME_EDENIED, "header, bit %zu: %s",
		    i, header);
		header[i / 8] ^= (char)(1u << i % 8);
	}
	end_rows();
	assert_int_equal(verify(handle[HOOK], header, sizeof(header) - 1,
	    body, sizeof(body) - 1), MONIME_OK);
}

static void
test_header_and_body_cut_anywhere_are_refused(void **state)
{
	size_t len;

	(void)state;
	need_folder();
	for (len = 0; len < strlen(T V); len++)
		ROW(verify(handle[HOOK], T V, len, BODY, strlen(BODY)) ==
		    MONIME_EDENIED, "header of %zu", len);
	for (len = 0; len < strlen(BODY); len++)
		ROW(verify(handle[HOOK], T V, strlen(T V), BODY, len) ==
		    MONIME_EDENIED, "body of %zu", len);
	end_rows();
}

static void
test_header_of_more_than_a_kibibyte_is_refused(void **state)
{
	char *header = many('x', 1025);

	(void)state;
	need_folder();
	memcpy(header, T V ",x=", strlen(T V ",x="));
	assert_int_equal(verify(handle[HOOK], header, 1024, BODY,
	    strlen(BODY)), MONIME_OK);
	assert_int_equal(verify(handle[HOOK], header, 1025, BODY,
	    strlen(BODY)), MONIME_EDENIED);
	free(header);
}

static void
test_time_is_within_the_tolerance_on_either_side(void **state)
{
	static const struct {
		int with;
		int64_t skew;		/* of our clock */
		int result;
	} at[] = {
		{ HOOK, 0, MONIME_OK },
		{ HOOK, 300, MONIME_OK }, { HOOK, -300, MONIME_OK },
		{ HOOK, 301, MONIME_EDENIED }, { HOOK, -301, MONIME_EDENIED },
		{ HOOK, 86400, MONIME_EDENIED },
		{ HOOK, -NOW, MONIME_EDENIED },
		{ HOOK, 1000000000000, MONIME_EDENIED },
		{ BANK, 300, MONIME_OK }, { BANK, 301, MONIME_EDENIED },
		{ BRIEF, 10, MONIME_OK }, { BRIEF, -10, MONIME_OK },
		{ BRIEF, 11, MONIME_EDENIED }, { BRIEF, -11, MONIME_EDENIED },
	};
	const char *header;
	size_t i;

	(void)state;
	need_folder();
	for (i = 0; i < ROWS(at); i++) {
		now = NOW + at[i].skew;
		header = at[i].with == BANK ? T ",v1=" HEX : T V;
		ROW(verify(handle[at[i].with], header, strlen(header), BODY,
		    strlen(BODY)) == at[i].result, "%d, %lld s", at[i].with,
		    (long long)at[i].skew);
	}
	now = NOW;
	end_rows();
}

static void
test_arguments_that_are_not_there(void **state)
{
	(void)state;
	need_folder();
	assert_int_equal(monime_verify_webhook(NULL, T V, strlen(T V), BODY,
	    strlen(BODY)), MONIME_ECONFIG);
	assert_int_equal(monime_verify_webhook(handle[HOOK], NULL, 0, BODY,
	    strlen(BODY)), MONIME_EDENIED);
	assert_int_equal(monime_verify_webhook(handle[HOOK], NULL, 5, BODY,
	    strlen(BODY)), MONIME_EDENIED);
	assert_int_equal(monime_verify_webhook(handle[HOOK], T V,
	    strlen(T V), NULL, 5), MONIME_EINVAL);
	assert_int_equal(monime_verify_webhook(handle[HOOK],
	    T ",v1=" B64NONE, strlen(T ",v1=" B64NONE), NULL, 0), MONIME_OK);
}

/* A filter of system calls may deny it: no signature is forged by that. */
static void
test_without_a_clock_nobody_knows(void **state)
{
	(void)state;
	need_folder();
	now = -1;
	assert_int_equal(monime_verify_webhook(handle[HOOK], T V, strlen(T V),
	    BODY, strlen(BODY)), MONIME_ESYS);
	now = NOW;
	assert_int_equal(monime_verify_webhook(handle[HOOK], T V, strlen(T V),
	    BODY, strlen(BODY)), MONIME_OK);
}

struct heard {
	int lines;
	char line[1100];
};

static void
hear(void *data, int level, const char *line)
{
	struct heard *h = data;

	(void)level;
	h->lines++;
	(void)snprintf(h->line, sizeof(h->line), "%s", line);
}

static void
test_refusal_is_one_log_line_that_says_why(void **state)
{
	static const struct {
		const char *header;
		time_t now;
		const char *part;	/* NULL: no line */
	} cases[] = {
		{ T V, NOW, NULL },
		{ "canary", NOW, "malformed" },
		{ T V, NOW + 301, "tolerance" },
		{ T WRONG, NOW, "no signature matches" },
	};
	struct heard h;
	size_t i;

	(void)state;
	need_folder();
	monime_set_log(handle[HOOK], 7, hear, &h);
	for (i = 0; i < ROWS(cases); i++) {
		memset(&h, 0, sizeof(h));
		now = cases[i].now;
		(void)verify(handle[HOOK], cases[i].header,
		    strlen(cases[i].header), BODY, strlen(BODY));
		ROW(h.lines == (cases[i].part != NULL) &&
		    (h.lines == 0 || (strstr(h.line, cases[i].part) != NULL &&
		    strstr(h.line, "test/hook") != NULL &&
		    strstr(h.line, "canary") == NULL &&
		    strstr(h.line, OLD_SECRET) == NULL)), "%zu: %s", i,
		    h.line);
	}
	now = NOW;
	monime_set_log(handle[HOOK], 0, NULL, NULL);
	end_rows();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_only_what_was_signed_with_our_secret_is_good),
		cmocka_unit_test(
		    test_body_or_signature_changed_by_one_bit_is_refused),
		cmocka_unit_test(
		    test_header_and_body_cut_anywhere_are_refused),
		cmocka_unit_test(
		    test_header_of_more_than_a_kibibyte_is_refused),
		cmocka_unit_test(
		    test_time_is_within_the_tolerance_on_either_side),
		cmocka_unit_test(test_arguments_that_are_not_there),
		cmocka_unit_test(test_without_a_clock_nobody_knows),
		cmocka_unit_test(test_refusal_is_one_log_line_that_says_why),
	};

	return cmocka_run_group_tests_name("webhook", tests, start, stop);
}
