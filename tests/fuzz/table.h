/* SPDX-License-Identifier: MIT */

/*
 * The verdict table as a machine that the bytes drive, for the fuzzers that
 * watch it: a clock, some tokens, and probes that begin, end or are given up.
 * Random numbers come from a generator that starts anew with every input.
 */

#ifndef FUZZ_TABLE_H
#define FUZZ_TABLE_H

#include <sodium.h>

#include "fuzz.h"

#include "abi.h"
#include "verdicts.h"

#define TOKENS		8	/* as many as have room in one set */
#define PROBES		16	/* in hand at once */
#define EVENTS		256
#define LATE		900	/* ms */

struct event {
	int code;
	bool outage;
	int64_t at;		/* the probe's start; of an unknown, its end */
};

struct token {
	char text[16];
	struct mn_verdict_id id;
	size_t n;
	struct event event[EVENTS];
};

struct held {
	struct mn_probe probe;
	size_t token;
	bool held;
};

struct machine {
	struct mn_verdicts_config config;
	struct mn_verdicts *v;
	int64_t now;
	int64_t last;		/* that the clock showed */
	struct token token[TOKENS];
	struct held held[PROBES];
};

static uint64_t random_state;

static uint32_t
next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 32);
}

static void
fill_random(void *buf, size_t size)
{
	unsigned char *p = buf;

	while (size-- > 0)
		*p++ = (unsigned char)next_random();
}

static const char *
random_name(void)
{
	return "fuzz";
}

static struct randombytes_implementation generator = {
	.implementation_name = random_name,
	.random = next_random,
	.buf = fill_random,
};

static const int codes[] = {
	MONIME_OK, MONIME_OK, MONIME_OK, MONIME_EDENIED, MONIME_EFORBIDDEN,
	MONIME_EENVIRONMENT, MONIME_ENET, MONIME_EHTTP
};

/* Milliseconds by which the clock moves; it may be read a little late. */
static const int64_t steps[] = {
	0, 1, 1, 3, 16, 100, 500, 999, 1000, 1001, 2999, 5000, 54000, 60000,
	3600000, -1, -400
};

static const struct mn_verdicts_config configs[] = {
	{ 60000, 5000, 0, 3000, 64, 4, 4 },
	{ 60000, 5000, 30000, 3000, 64, 64, 10000 },
	{ 0, 5000, 0, 3000, 64, 4, 100 },
	{ 1000, 0, 600000, 500, 64, 1, 1 },
	{ 3600000, 600000, 3600000, 600000, 64, 512, 10000 },
	{ 60000, 5000, 60000, 3000, 64, 2, 50 },
};

static inline bool
is_refusal(int code)
{
	return code == MONIME_EDENIED || code == MONIME_EFORBIDDEN ||
	    code == MONIME_EENVIRONMENT;
}

static inline void
machine_init(void)
{
	MUST(randombytes_set_implementation(&generator) == 0, "no generator");
	if (!mn_secret_init())
		exit(FUZZ_SKIP);
}

static inline void
machine_open(struct machine *m, unsigned int choice)
{
	size_t i;

	memset(m, 0, sizeof(*m));
	random_state = choice;
	m->config = configs[choice % (sizeof(configs) / sizeof(*configs))];
	m->v = mn_verdicts_open(&m->config, NULL, 0);
	MUST(m->v != NULL, "no table");
	m->now = m->last = 100000000;
	for (i = 0; i < TOKENS; i++)
		(void)snprintf(m->token[i].text, sizeof(m->token[i].text),
		    "mon_test_%zu", i);
}

static inline void
machine_close(struct machine *m)
{
	mn_verdicts_close(m->v);
}

static inline void
step_clock(struct machine *m, unsigned int choice)
{
	m->now += steps[choice % (sizeof(steps) / sizeof(*steps))];
	if (m->now > m->last)
		m->last = m->now;
	/* No clock of a host is read so late. */
	if (m->now < m->last - LATE)
		m->now = m->last - LATE;
}

static inline bool
look(struct machine *m, size_t i, struct mn_verdict *found)
{
	struct token *t = &m->token[i];
	bool r;

	r = mn_verdicts_look(m->v, t->text, strlen(t->text), m->now, &t->id,
	    found);
	return r;
}

/* A probe's end, as it is noted; what is written down is the table's. */
static inline void
note(struct machine *m, const struct held *h, int code, bool outage)
{
	struct token *t = &m->token[h->token];
	bool decided = code == MONIME_OK || is_refusal(code);

	/* The claim has ended: a yes may be older than what others know. */
	if (!h->held || (code == MONIME_OK && m->now >= h->probe.deadline))
		return;
	if (t->n < EVENTS)
		t->event[t->n++] = (struct event){ code, outage,
		    decided ? h->probe.started : m->now };
}

/* The first probe in hand of the token, or any. */
static inline struct held *
held_of(struct machine *m, size_t token)
{
	struct held *any = NULL;
	size_t i;

	for (i = 0; i < PROBES; i++) {
		if (m->held[i].held && m->held[i].token == token)
			return &m->held[i];
		if (m->held[i].held)
			any = &m->held[i];
	}
	return any;
}

static inline struct held *
free_hand(struct machine *m)
{
	size_t i;

	for (i = 0; i < PROBES; i++) {
		if (!m->held[i].held)
			return &m->held[i];
	}
	return NULL;
}

#endif
