/* SPDX-License-Identifier: MIT */

/*
 * One HTTP exchange: what is asked, and what came of it.  It knows nothing of
 * providers, tokens or retries.  loop.c moves it along.
 */

#ifndef MN_TRANSFER_H
#define MN_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define MN_TRANSFER_LINES	20	/* header lines of a request */
#define MN_TRANSFER_HEAD_MAX	65536	/* bytes of all heads of an answer */
#define MN_TRANSFER_PROBLEM	256

/* What holds for every transfer of a handle; it outlives them. */
struct mn_wire_config {
	const char *origin;	/* https://host[:port] */
	const char *proxy;	/* http://host[:port], or NULL */
	const char *ca_path;	/* a hashed folder; NULL: ca */
	const void *ca;		/* PEM */
	size_t ca_len;
	int connections;	/* at once, and kept */
};

enum mn_wire {
	MN_WIRE_ANSWER,		/* a whole answer */
	MN_WIRE_UNSENT,		/* nothing of the request was sent */
	MN_WIRE_UNTRUSTED,	/* likewise: not the origin's certificate */
	MN_WIRE_LOST,		/* sent, but no whole answer */
	MN_WIRE_BROKEN,		/* sent; the answer is no HTTP, or too much */
	MN_WIRE_NOMEM,		/* ours; sent tells */
	MN_WIRE_SYS		/* ours; sent tells */
};

struct mn_easy;
struct mn_pool;

struct mn_transfer {
	/* Set by whoever asks; all pointers must last until it is done. */
	const char *url;	/* NULL: the origin and target */
	const char *method;
	const char *target;	/* sent byte for byte */
	const char *line[MN_TRANSFER_LINES];
	size_t lines;
	const void *body;	/* NULL: none */
	size_t len;
	size_t max_answer;
	int64_t connect_timeout;	/* ms */
	bool fresh;		/* on a connection of its own, so that libcurl
				 * has no cause to send it twice */
	void (*done)(struct mn_transfer *t);
	void *arg;

	/* What came of it. */
	enum mn_wire wire;
	bool sent;
	bool resent;		/* by libcurl, on a dead kept connection: what
				 * came of the first time is not known */
	int status;		/* 0: no head arrived */
	struct mn_text head;	/* name NUL value NUL ... */
	struct mn_text content;
	char problem[MN_TRANSFER_PROBLEM];	/* "" after an answer */

	/* The wire's own. */
	struct mn_easy *easy;
	struct mn_pool *pool;
	struct mn_transfer *next;
	struct mn_transfer **link;	/* what points here, in a list */
	size_t head_bytes;
	int opened;		/* sockets, until the request is written */
	bool stale;		/* its kept connection was of no use */
	bool unwatched;		/* the system would not watch its socket */
	bool in_head;
};

void mn_transfer_init(struct mn_transfer *t);

/* Forget the answer, so that the same can be asked again. */
void mn_transfer_reset(struct mn_transfer *t);

void mn_transfer_free(struct mn_transfer *t);

/* The first header of that name, whatever its case, or NULL. */
const char *mn_transfer_header(const struct mn_text *head, const char *name);

/* The same for n names at once. */
void mn_transfer_headers(const struct mn_text *head, const char *const *name,
    const char **value, size_t n);

/* Header i, or NULL past the last one. */
const char *mn_transfer_header_at(const struct mn_text *head, size_t i,
    const char **value);

/* Seconds from now to an HTTP date; INT64_MIN: it is none. */
int64_t mn_transfer_date(const char *value);

/* Append a name or a value for application/x-www-form-urlencoded. */
void mn_transfer_escape(struct mn_text *out, const char *s, size_t len);

/* Does this libcurl resolve names beside the calling thread? */
bool mn_transfer_resolves_apart(void);

/* libcurl's own start, once for each process; false: it failed. */
bool mn_transfer_global(void);

/*
 * For loop.c alone: a kept libcurl handle.  started is called when a request
 * is about to be written to the connection with that local port; false: it
 * must not be.
 */
struct mn_easy *mn_transfer_easy_new(const struct mn_wire_config *c,
    bool (*started)(struct mn_transfer *, int port));
void mn_transfer_easy_free(struct mn_easy *k);
void *mn_transfer_easy_curl(struct mn_easy *k);
struct mn_transfer *mn_transfer_of(struct mn_easy *k);

/* Fill the kept handle from the transfer; false: memory is short. */
bool mn_transfer_begin(struct mn_transfer *t, struct mn_easy *k);

/* Note how it ended, and let go of the handle. */
void mn_transfer_end(struct mn_transfer *t, int curlcode);

#endif
