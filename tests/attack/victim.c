/* SPDX-License-Identifier: MIT */

/*
 * A process that holds tokens and does with them what it is told, a line each:
 *
 *	check PROFILE TOKEN		code, ms
 *	request PROFILE METHOD PATH	code, ms, "executed"
 *	load SECONDS TOKEN TOKEN	good, wrong: how many calls of both
 *					profiles of LOADED at once
 *	webhook PROFILE SIGNATURE BODY	code
 *
 *	victim FOLDER [LOG]
 *
 * All that the library says goes into LOG, at level debug; and what it is told
 * is wiped when it has been done.  It ends with its input.
 */

#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "monime.h"

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

#define PROFILES	8
#define WORD		160

static const char *folder;
static FILE *said;		/* NULL: nobody listens */

static struct {
	char name[WORD];
	struct monime *m;
} opened[PROFILES];

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
on_log(void *data, int level, const char *line)
{
	(void)fprintf(data, "log %d: %s\n", level, line);
}

static void
listen_to(struct monime *m, const char *profile)
{
	if (said == NULL)
		return;
	(void)fprintf(said, "open %s: %s\n", profile, monime_error(m));
	monime_set_log(m, LOG_DEBUG, on_log, said);
}

/* All that a call says; it is freed. */
static void
hear(struct monime_call *call)
{
	static const char *const names[] = {
		"environment", "executed", "fingerprint", "reason",
		"request-id", "token-scope"
	};
	const char *fact;
	size_t i;

	for (i = 0; said != NULL && i < ROWS(names); i++) {
		fact = monime_call_get(call, names[i]);
		(void)fprintf(said, "%s: %s\n", names[i],
		    fact != NULL ? fact : "");
	}
	if (said != NULL)
		(void)fprintf(said, "call: %s\n", monime_call_error(call));
	monime_call_free(call);
}

static struct monime *
handle(const char *name)
{
	size_t i;

	for (i = 0; i < PROFILES && opened[i].m != NULL; i++) {
		if (strcmp(opened[i].name, name) == 0)
			return opened[i].m;
	}
	if (i == PROFILES)
		errx(1, "too many profiles");
	if (monime_open(name, folder, &opened[i].m) != MONIME_OK)
		errx(1, "%s", monime_error(opened[i].m));
	listen_to(opened[i].m, name);
	(void)snprintf(opened[i].name, sizeof(opened[i].name), "%s", name);
	return opened[i].m;
}

static void
do_check(const char *profile, const char *token)
{
	struct monime *m = handle(profile);
	int64_t began = now_ms();
	struct monime_call *call = NULL;
	int r = monime_check_token(m, token, strlen(token),
	    said != NULL ? &call : NULL);

	hear(call);
	(void)printf("%d %lld\n", r, (long long)(now_ms() - began));
}

static void
do_request(const char *profile, const char *method, const char *path)
{
	static const char body[] = "{\"n\":1}";
	const bool write = strcmp(method, "GET") != 0;
	struct monime *m = handle(profile);
	int64_t began = now_ms();
	struct monime_call *call;
	const char *executed;
	int r;

	r = monime_request(m, method, path, NULL, write ? body : NULL,
	    write ? strlen(body) : 0, &call);
	executed = monime_call_get(call, "executed");
	(void)printf("%d %lld %s\n", r, (long long)(now_ms() - began),
	    executed != NULL ? executed : "-");
	hear(call);
}

static void
do_webhook(const char *profile, const char *signature, const char *body)
{
	(void)printf("%d\n", monime_verify_webhook(handle(profile), signature,
	    strlen(signature), body, strlen(body)));
}

/*
 * Both environments at once.  What the API sees of each call says which of
 * them it was made for: the limit of a list.
 */
static const struct side {
	const char *profile;
	const char *environment;
	const char *path;
} sides[] = {
	{ "test/payouts", "test", "/v1/financial-accounts?limit=11" },
	{ "live/payouts", "live", "/v1/financial-accounts?limit=12" }
};

struct load {
	pthread_t thread;
	int64_t end;
	size_t first;
	char token[ROWS(sides)][WORD];
	unsigned long good, wrong;
};

static void
tell(struct load *l, const struct side *s, const char *what,
    const struct monime_call *call)
{
	l->wrong++;
	(void)fprintf(stderr, "victim: %s: %s: %s\n", s->profile, what,
	    monime_call_error(call));
}

/* A request, our own token, and that of the other environment. */
static void
load_once(struct load *l, size_t at)
{
	const struct side *s = &sides[at];
	const char *mine = l->token[at], *other = l->token[!at];
	struct monime *m = handle(s->profile);
	struct monime_call *call;
	const char *environment;

	if (monime_request(m, "GET", s->path, NULL, NULL, 0, &call) !=
	    MONIME_OK)
		tell(l, s, "a request", call);
	monime_call_free(call);
	if (monime_check_token(m, mine, strlen(mine), &call) != MONIME_OK)
		tell(l, s, "its own token", call);
	environment = monime_call_get(call, "environment");
	if (environment == NULL || strcmp(environment, s->environment) != 0)
		tell(l, s, "its environment", call);
	monime_call_free(call);
	if (monime_check_token(m, other, strlen(other), &call) !=
	    MONIME_EENVIRONMENT)
		tell(l, s, "the other one's token", call);
	monime_call_free(call);
	l->good += 3;
}

static void *
load_run(void *arg)
{
	struct load *l = arg;
	size_t i;

	for (i = l->first; now_ms() < l->end; i++)
		load_once(l, i % ROWS(sides));
	return NULL;
}

static void
do_load(int seconds, const char *test, const char *live)
{
	static struct load load[4];
	unsigned long good = 0, wrong = 0;
	size_t i;

	for (i = 0; i < ROWS(sides); i++)
		(void)handle(sides[i].profile);
	for (i = 0; i < ROWS(load); i++) {
		load[i] = (struct load){
			.first = i, .end = now_ms() + seconds * 1000
		};
		(void)snprintf(load[i].token[0], WORD, "%s", test);
		(void)snprintf(load[i].token[1], WORD, "%s", live);
		if (pthread_create(&load[i].thread, NULL, load_run,
		    &load[i]) != 0)
			errx(1, "no thread");
	}
	for (i = 0; i < ROWS(load); i++) {
		(void)pthread_join(load[i].thread, NULL);
		good += load[i].good;
		wrong += load[i].wrong;
	}
	explicit_bzero(load, sizeof(load));
	(void)printf("%lu %lu\n", good, wrong);
}

int
main(int argc, char **argv)
{
	char line[4 * WORD], a[WORD], b[WORD], c[WORD];
	int seconds;
	size_t i;

	if (argc != 2 && argc != 3)
		errx(2, "usage: victim FOLDER [LOG]");
	folder = argv[1];
	if (argc == 3 && (said = fopen(argv[2], "ae")) == NULL)
		err(1, "%s", argv[2]);
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "check %159s %159s", a, b) == 2)
			do_check(a, b);
		else if (sscanf(line, "request %159s %159s %159s", a, b, c) ==
		    3)
			do_request(a, b, c);
		else if (sscanf(line, "load %d %159s %159s", &seconds, a, b) ==
		    3)
			do_load(seconds, a, b);
		else if (sscanf(line, "webhook %159s %159s %159s", a, b, c) ==
		    3)
			do_webhook(a, b, c);
		else
			errx(2, "what is that?");
		explicit_bzero(line, sizeof(line));
		explicit_bzero(a, sizeof(a));
		explicit_bzero(b, sizeof(b));
		explicit_bzero(c, sizeof(c));
		(void)fflush(stdout);
		if (said != NULL)
			(void)fflush(said);
	}
	for (i = 0; i < PROFILES; i++)
		monime_close(opened[i].m);
	if (said != NULL)
		(void)fclose(said);
	return 0;
}
