/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: what PAM's module and its helper say to each other.  Bytes that come
 * through either pipe mean something only where they are right to the last
 * one; and what one side writes down, the other side reads.
 */

#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#define MONIME_PAM_CHECK	"/nowhere"

/* Both have functions of these names. */
#undef _GNU_SOURCE
#define tell		module_tell
#define verdict_of	module_verdict_of
#include "../../module/pam/helper.c"
#undef tell
#undef verdict_of
#undef _GNU_SOURCE
#define main		helper_main
int helper_main(int argc, char **argv);
#include "../../module/pam/check.c"
#undef main

struct logged {
	size_t n;
	size_t bytes;
	const char *left;	/* of the answer: what must come next */
};

static int request[2], reply[2];

static void
on_log(void *data, int level, const char *line)
{
	struct logged *l = data;

	l->n++;
	l->bytes += strlen(line);
	if (l->left == NULL)
		return;
	MUST(l->left[0] == '0' + level && l->left[1] == ' ' &&
	    strncmp(l->left + 2, line, strlen(line)) == 0 &&
	    l->left[2 + strlen(line)] == '\n', "another line: %s", line);
	l->left += strlen(line) + 3;
}

static void
on_no_log(void *data, int level, const char *line)
{
	(void)data;
	(void)level;
	(void)line;
}

static void
empty(int fd)
{
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
}

static void
write_all(int fd, const void *bytes, size_t len)
{
	MUST(len == 0 || write(fd, bytes, len) == (ssize_t)len, "no room");
}

/* "USER NUL TOKEN NUL", and not a byte more. */
static bool
is_request(const uint8_t *s, size_t len)
{
	size_t i, nuls = 0;

	for (i = 0; i < len; i++)
		nuls += s[i] == '\0';
	return nuls == 2 && s[len - 1] == '\0' && len <= MN_ANSWER_REQUEST;
}

static void
fuzz_request(const uint8_t *s, size_t len)
{
	static struct check c;

	write_all(request[1], s, len);
	if (read_request(&c)) {
		/* Of a longer one the first part may be one by itself. */
		MUST(is_request(s, len < MN_ANSWER_REQUEST ? len :
		    MN_ANSWER_REQUEST), "no request");
		MUST(c.user == c.request && memcmp(c.user, s,
		    strlen(c.user) + 1) == 0, "another user");
		MUST(memcmp(c.token, s + strlen(c.user) + 1,
		    strlen(c.token) + 1) == 0, "another token");
	} else {
		MUST(!is_request(s, len), "a request is none");
	}
	empty(request[0]);
}

/* What is too long is nobody's. */
static void
fuzz_both_ways(const char *user, const char *token)
{
	static struct check c;
	char buf[MN_ANSWER_REQUEST];
	size_t len = write_down(buf, user, token);
	bool fits = strlen(user) + strlen(token) + 2 <= MN_ANSWER_REQUEST;

	MUST(len <= sizeof(buf), "%zu bytes", len);
	write_all(request[1], buf, len);
	MUST(read_request(&c), "what was written is not read");
	MUST(strcmp(c.user, fits ? user : "") == 0, "another user");
	MUST(strcmp(c.token, fits ? token : "") == 0, "another token");
	empty(request[0]);
}

static enum mn_verdict
expect(const char *s, size_t len, int status, size_t *lines)
{
	enum mn_verdict verdict = MN_VERDICTS;
	const char *lf;
	size_t i, n;

	*lines = 0;
	if (len == 0 || len > MN_ANSWER_MAX || s[len - 1] != '\n')
		return MN_VERDICT_UNKNOWN;
	lf = memchr(s, '\n', len);
	n = (size_t)(lf - s);
	for (i = 0; i < MN_VERDICTS; i++) {
		if (n == strlen(mn_answers[i].word) &&
		    memcmp(s, mn_answers[i].word, n) == 0 &&
		    (status == mn_answers[i].status ||
		    status == STATUS_TAKEN))
			verdict = (enum mn_verdict)i;
	}
	for (i = n + 1; i < len; i += n + 1) {
		lf = memchr(s + i, '\n', len - i);
		n = (size_t)(lf - s) - i;
		if (n < 2 || s[i] < '0' || s[i] > '7' || s[i + 1] != ' ')
			return MN_VERDICT_UNKNOWN;
		(*lines)++;
	}
	for (i = 0; i < len; i++) {
		if (s[i] != '\n' && ((unsigned char)s[i] < ' ' ||
		    s[i] == 0x7f))
			return MN_VERDICT_UNKNOWN;
	}
	return verdict == MN_VERDICTS ? MN_VERDICT_UNKNOWN : verdict;
}

static void
fuzz_answer(const char *s, size_t len, unsigned int how)
{
	static const int statuses[] = {
		0, 1, 2, 3, STATUS_NONE, STATUS_TAKEN, 77, 255
	};
	static struct helper h;
	struct logged logged = { .n = 0 };
	enum mn_verdict want, got;
	int status = statuses[how % 8];
	size_t lines;

	memset(&h, 0, sizeof(h));
	h.answer[0] = reply[0];
	h.log = on_log;
	h.data = &logged;
	want = expect(s, len, status, &lines);
	if (want != MN_VERDICT_UNKNOWN)
		logged.left = (const char *)memchr(s, '\n', len) + 1;
	write_all(reply[1], s, len);
	got = understand(&h, status);
	MUST(got == want, "verdict %d, not %d", (int)got, (int)want);
	MUST(got == MN_VERDICT_UNKNOWN || logged.n == lines, "%zu lines",
	    logged.n);
	empty(reply[0]);
}

/* The helper's own answer, whatever it had to tell. */
static void
fuzz_reply(const char *text, unsigned int how)
{
	static struct check c;
	static struct helper h;
	struct logged logged = { .n = 0 };
	enum mn_verdict verdict = (enum mn_verdict)(how % MN_VERDICTS);
	struct mn_error e = MN_ERROR_INIT;
	size_t i;

	memset(&c, 0, sizeof(c));
	c.lines.max = MN_ANSWER_LINES;
	c.debug = how & 64;
	/* As a path or a user may bring it into a line of the library's. */
	(void)mn_error_add(&e, 0, "%s", text);
	for (i = 0; i < 1 + how / 4 % 8; i++)
		tell_errors(&c, mn_error_get(&e));
	MUST(answer(&c, verdict), "it does not fit");
	memset(&h, 0, sizeof(h));
	h.answer[0] = reply[0];
	h.log = c.lines.failed ? on_no_log : on_log;
	h.data = &logged;
	MUST(understand(&h, mn_answers[verdict].status) == verdict,
	    "another verdict");
	mn_text_free(&c.lines);
	mn_error_free(&e);
	empty(reply[0]);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	MUST(pipe2(request, O_NONBLOCK) == 0 && pipe2(reply, O_NONBLOCK) == 0,
	    "no pipe");
	return mn_secret_init() ? 0 : FUZZ_SKIP;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int what = input_byte(&in), how = input_byte(&in);
	char *first, *second;

	MUST(dup2(request[0], STDIN_FILENO) == STDIN_FILENO &&
	    dup2(reply[1], STDOUT_FILENO) == STDOUT_FILENO, "no descriptor");
	switch (what % 4) {
	case 0:
		fuzz_request(in.p, in.left);
		break;
	case 1:
		first = input_string(&in);
		second = input_string(&in);
		fuzz_both_ways(first, second);
		free(first);
		free(second);
		break;
	case 2:
		fuzz_answer((const char *)in.p, in.left, how);
		break;
	default:
		first = input_string(&in);
		fuzz_reply(first, how);
		free(first);
		break;
	}
	return 0;
}
