/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the verdict table while somebody writes over its mapping: bytes, whole
 * entries to other places, and what stood there before.  No answer is a yes
 * unless that yes was once stored for that very token and its time is not
 * over; nothing crashes, and everything ends.
 */

#include "table.h"

#define BEFORE	(1 << 16)	/* bytes of the mapping that are kept */

static unsigned char before[BEFORE];

/* Once stored, and not over: whatever has been stored since. */
static bool
was_stored(const struct machine *m, const struct token *t, int code,
    int64_t most)
{
	const struct event *e;

	for (e = t->event; e < t->event + t->n; e++) {
		if (e->code == code && e->at <= m->now &&
		    m->now < e->at + most)
			return true;
	}
	return false;
}

static void
judge(const struct machine *m, size_t i, const struct mn_verdict *found)
{
	const struct token *t = &m->token[i];
	int64_t most = MN_VERDICTS_HOLD;

	if (found->code == MONIME_OK)
		most = m->config.ttl + (found->stale ? m->config.stale : 0);
	else if (is_refusal(found->code))
		most = m->config.negative_ttl + m->config.negative_ttl / 10;
	MUST(was_stored(m, t, found->code, most), "%d, which nobody stored",
	    found->code);
	MUST(!found->stale || found->code == MONIME_OK, "a stale no");
}

static void
do_look(struct machine *m, size_t i)
{
	struct mn_verdict found;

	if (look(m, i, &found))
		judge(m, i, &found);
}

static void
do_claim(struct machine *m, size_t i)
{
	struct held *h = free_hand(m);
	struct mn_verdict found;
	enum mn_claim r;

	if (h == NULL)
		return;
	do_look(m, i);
	r = mn_verdicts_claim(m->v, &m->token[i].id, m->now,
	    m->now + m->config.timeout, &h->probe, &found);
	if (r == MN_CLAIM_HIT)
		judge(m, i, &found);
	if (r == MN_CLAIM_BUSY)
		MUST(h->probe.deadline <= m->now + m->config.timeout + 1000,
		    "busy for ever");
	h->token = i;
	h->held = r == MN_CLAIM_MINE;
}

static void
do_store(struct machine *m, size_t i, unsigned int how)
{
	struct held *h = held_of(m, i);
	int code = codes[how % 8];
	bool outage = (how & 8) != 0 && code < 0 && !is_refusal(code);
	struct mn_verdict found;

	if (h == NULL)
		return;
	note(m, h, code, outage);
	mn_verdicts_store(m->v, &h->probe, code, outage, m->now, &found);
	h->held = false;
	if (found.code != code)
		judge(m, h->token, &found);
}

/* A place that is in use, mostly: empty memory teaches nothing. */
static size_t
place(struct machine *m, struct input *in, size_t unit)
{
	size_t size, at, i;
	unsigned char *p = mn_verdicts_memory(m->v, &size);

	at = (input_byte(in) * 256 + input_byte(in)) % (size / unit) * unit;
	for (i = 0; i < size / 8; i++) {
		if (p[(at + i * 8) % size] != 0)
			return (at + i * 8) % size / unit * unit;
	}
	return at;
}

static void
scribble(struct machine *m, struct input *in, unsigned int how)
{
	size_t size, from, to, unit = how & 16 ? 64 : 8;
	unsigned char *p = mn_verdicts_memory(m->v, &size);

	to = place(m, in, unit);
	switch (how % 8) {
	case 0:
		p[to + how / 32] ^= (unsigned char)(1 << input_byte(in) % 8);
		break;
	case 1:
		memset(p + to, (int)input_byte(in), unit);
		break;
	case 2:
	case 3:
		from = place(m, in, unit);
		memmove(p + to, p + from, unit);
		break;
	case 4:
		memcpy(before, p, size < BEFORE ? size : BEFORE);
		break;
	case 5:
		if (to + unit <= BEFORE)
			memcpy(p + to, before + to, unit);
		break;
	case 6:
		memcpy(p, before, size < BEFORE ? size : BEFORE);
		break;
	case 7:
		for (from = 0; from < unit; from++)
			p[to + from] = (unsigned char)input_byte(in);
		break;
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	machine_init();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine m;
	struct mn_verdicts_count count;
	struct input in = { data, size };
	unsigned int what;
	size_t token;

	memset(before, 0, sizeof(before));
	machine_open(&m, input_byte(&in));
	while (in.left > 0) {
		what = input_byte(&in);
		token = what / 8 % TOKENS;
		switch (what % 8) {
		case 0:
			do_look(&m, token);
			break;
		case 1:
			do_claim(&m, token);
			break;
		case 2:
		case 3:
			do_store(&m, token, input_byte(&in));
			break;
		case 4:
			step_clock(&m, input_byte(&in));
			break;
		default:
			scribble(&m, &in, input_byte(&in));
			break;
		}
	}
	mn_verdicts_count(m.v, m.now, &count);
	for (token = 0; token < TOKENS; token++)
		do_look(&m, token);
	machine_close(&m);
	return 0;
}
