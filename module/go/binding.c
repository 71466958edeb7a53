/* SPDX-License-Identifier: MIT */

/* C's side of the Go package.  See binding.h. */

#define _GNU_SOURCE
#include "binding.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Lines that may wait; each has at most 1 KiB. */
#define ROOM	256

static const char *const facts[] = {
	"accept", "age", "allow", "api-deprecated", "api-release",
	"api-version", "attempts", "environment", "executed", "fingerprint",
	"idempotency-key", "message", "origin-address", "origin-country",
	"rate-limit", "reason", "replayed", "request-id", "retry-after",
	"source", "token-expires-in", "token-scope"
};

struct mn_lines {
	pthread_mutex_t lock;
	struct mn_line *first;
	struct mn_line **last;
	size_t n;
	size_t lost;
	int waiting;
};

const char *
mn_binding_fact(size_t i)
{
	return i < sizeof(facts) / sizeof(facts[0]) ? facts[i] : NULL;
}

struct mn_lines *
mn_lines_new(void)
{
	struct mn_lines *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	if (pthread_mutex_init(&l->lock, NULL) != 0) {
		free(l);
		return NULL;
	}
	l->last = &l->first;
	return l;
}

void
mn_lines_free(struct mn_lines *l)
{
	struct mn_line *line;

	if (l == NULL)
		return;
	while ((line = l->first) != NULL) {
		l->first = line->next;
		free(line);
	}
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

const int *
mn_lines_waiting(const struct mn_lines *l)
{
	return &l->waiting;
}

void
mn_lines_add(void *data, int level, const char *text)
{
	struct mn_lines *l = data;
	size_t size = strlen(text) + 1;
	struct mn_line *line = malloc(sizeof(*line) + size);

	if (line != NULL) {
		line->next = NULL;
		line->level = level;
		line->text = memcpy(line + 1, text, size);
	}
	(void)pthread_mutex_lock(&l->lock);
	if (line != NULL && l->n < ROOM) {
		*l->last = line;
		l->last = &line->next;
		l->n++;
		line = NULL;
	} else {
		l->lost++;
	}
	__atomic_store_n(&l->waiting, 1, __ATOMIC_RELEASE);
	(void)pthread_mutex_unlock(&l->lock);
	free(line);
}

struct mn_line *
mn_lines_take(struct mn_lines *l, size_t *lost)
{
	struct mn_line *first;

	(void)pthread_mutex_lock(&l->lock);
	first = l->first;
	*lost = l->lost;
	l->first = NULL;
	l->last = &l->first;
	l->n = l->lost = 0;
	__atomic_store_n(&l->waiting, 0, __ATOMIC_RELEASE);
	(void)pthread_mutex_unlock(&l->lock);
	return first;
}

void
mn_binding_drop(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}
