/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the heads of an answer, line by line as libcurl hands them on, and what
 * is read out of their values.  A simple list is the judge of what is there.
 */

#include "fuzz.h"

#include "answer.h"
#include "retry.h"

#undef _GNU_SOURCE
#include "../../lib/transfer.c"

#define LINES	512

struct pair {
	char *name;
	char *value;
};

struct list {
	size_t n;
	struct pair pair[LINES];
};

static char *
part(const char *from, const char *to)
{
	char *s = strndup(from, (size_t)(to - from));

	MUST(s != NULL, "out of memory");
	return s;
}

static void
forget(struct list *list)
{
	while (list->n > 0) {
		list->n--;
		free(list->pair[list->n].name);
		free(list->pair[list->n].value);
	}
}

/* "Name: value", or nothing that counts. */
static void
note(struct list *list, const char *line, size_t len)
{
	const char *end = line + len, *colon, *from;

	colon = memchr(line, ':', len);
	if (colon == NULL || colon == line || line[0] == ' ' ||
	    line[0] == '\t' || memchr(line, '\0', len) != NULL)
		return;
	for (from = colon + 1; from < end && (*from == ' ' || *from == '\t');)
		from++;
	while (end > from && strchr(" \t\r\n", end[-1]) != NULL)
		end--;
	MUST(list->n < LINES, "more lines than there are");
	list->pair[list->n].name = part(line, colon);
	list->pair[list->n++].value = part(from, end);
}

static const char *
first(const struct list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (strlen(list->pair[i].name) == strlen(name) &&
		    mn_text_alike(list->pair[i].name, name, SIZE_MAX))
			return list->pair[i].value;
	}
	return NULL;
}

static void
judge_list(const struct mn_transfer *t, const struct list *list)
{
	const char *name, *value = NULL, *want;
	size_t i;

	for (i = 0; i < list->n; i++) {
		name = mn_transfer_header_at(&t->head, i, &value);
		MUST(name != NULL, "header %zu is lost", i);
		MUST(strcmp(name, list->pair[i].name) == 0, "name %zu", i);
		MUST(strcmp(value, list->pair[i].value) == 0, "value %zu", i);
		value = mn_transfer_header(&t->head, name);
		want = first(list, name);
		MUST(value != NULL && strcmp(value, want) == 0,
		    "not the first %s", name);
		MUST(strpbrk(value, "\n") == NULL || strchr(want, '\n'),
		    "a value has more than a line");
	}
	MUST(mn_transfer_header_at(&t->head, list->n, NULL) == NULL,
	    "more headers than lines");
}

static void
judge_together(const struct mn_transfer *t, const struct list *list)
{
	static const char *const name[] = {
		"Retry-After", "Monime-Request-Id", "monime-cache", "X"
	};
	enum { N = sizeof(name) / sizeof(name[0]) };
	const char *value[N], *want;
	size_t i;

	mn_transfer_headers(&t->head, name, value, N);
	for (i = 0; i < N; i++) {
		want = first(list, name[i]);
		MUST((value[i] == NULL) == (want == NULL), "%s", name[i]);
		MUST(want == NULL || strcmp(want, value[i]) == 0, "%s",
		    name[i]);
	}
}

/* Digits mean seconds; what else there is may be a date, or nothing. */
static void
judge_retry(const char *value)
{
	int64_t got = mn_retry_after(value, mn_transfer_date(value));
	int64_t delay;
	uint64_t n = 0;
	size_t i;
	int attempt;

	MUST(got >= -1 && got <= MN_RETRY_AFTER_MAX, "Retry-After %lld",
	    (long long)got);
	for (i = 0; value[i] >= '0' && value[i] <= '9'; i++)
		n = n > MN_RETRY_AFTER_MAX ? n :
		    n * 10 + (uint64_t)(value[i] - '0');
	if (i > 0 && value[i] == '\0')
		MUST(got == (int64_t)(n > MN_RETRY_AFTER_MAX ?
		    MN_RETRY_AFTER_MAX : n), "%s: %lld", value,
		    (long long)got);
	for (attempt = 1; attempt <= 11; attempt += 5) {
		delay = mn_retry_delay(attempt, got);
		MUST(delay >= 0 && delay <= MN_RETRY_AFTER_MAX * INT64_C(1000)
		    + MN_BACKOFF_MAX, "a delay of %lld", (long long)delay);
		MUST(got <= 0 || delay >= got * 1000, "sooner than asked for");
	}
}

static void
judge_id(const char *value)
{
	char id[MN_ANSWER_WORD + 1];
	size_t len = strlen(value);
	bool fits = len > 0 && len <= MN_ANSWER_WORD &&
	    strspn(value, MN_TEXT_ALNUM "_-") == len;

	MUST(mn_answer_id(value, id) == fits, "id %s", value);
	MUST(strcmp(id, fits ? value : "") == 0, "id %s of %s", id, value);
}

static void
judge_values(const struct list *list)
{
	size_t i;

	for (i = 0; i < list->n && i < 8; i++) {
		judge_retry(list->pair[i].value);
		judge_id(list->pair[i].value);
	}
}

/*
 * A line ends in LF, as to libcurl; "HTTP/" begins a head where none is open,
 * and an empty line ends it.
 */
static void
feed(struct mn_transfer *t, struct list *list, const uint8_t *data,
    size_t size)
{
	const uint8_t *lf;
	size_t len, fed = 0, lines = 0;
	bool open = false;
	char *line;

	for (; size > 0 && ++lines < LINES; data += len, size -= len) {
		lf = memchr(data, '\n', size);
		len = lf != NULL ? (size_t)(lf - data) + 1 : size;
		line = copy_exactly(data, len);
		fed += len;
		if (on_header(line, 1, len, t) != len) {
			MUST(fed > MN_TRANSFER_HEAD_MAX, "refused at %zu",
			    fed);
			MUST(t->wire == MN_WIRE_BROKEN, "and not told");
			free(line);
			return;
		}
		MUST(fed <= MN_TRANSFER_HEAD_MAX, "%zu bytes", fed);
		if (!open && len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
			forget(list);
			open = true;
		} else if (open && len <= 2) {
			open = false;
		} else if (open) {
			note(list, line, len);
		}
		MUST(open == t->in_head, "where the head ends");
		free(line);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mn_transfer t;
	struct list list = { .n = 0 };

	mn_transfer_init(&t);
	feed(&t, &list, data, size);
	if (!t.head.failed) {
		judge_list(&t, &list);
		judge_together(&t, &list);
		judge_values(&list);
	}
	forget(&list);
	mn_transfer_free(&t);
	return 0;
}
