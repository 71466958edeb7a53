/* SPDX-License-Identifier: MIT */

/*
 * libcurl alone, as somebody who knows it would use it for the requests that
 * the library makes: kept handles and connections, verified certificates,
 * nothing from the environment, the answer's body and status in the end.
 */

#ifndef BARE_H
#define BARE_H

#include <stddef.h>

#include <curl/curl.h>

#define BARE_PATH	"/v1/financial-accounts?limit=1"

struct bare {
	CURL *curl;
	struct curl_slist *lines;
	char url[256];
	char *body;
	size_t len;
	size_t room;
};

/* version is one of CURL_HTTP_VERSION_*. */
void bare_open(struct bare *b, long version);
void bare_close(struct bare *b);

/* One GET from beginning to end. */
void bare_get(struct bare *b);

/* Many of them at once, on at most so many connections. */
struct bare_many;

struct bare_many *bare_many_open(size_t at_once, size_t connections,
    long version);
void bare_many_close(struct bare_many *s);

/* n of them, so many under way as there may be; back when all have ended. */
void bare_many_get(struct bare_many *s, size_t n);

#endif
