/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: the verdict table as a state machine.  The model keeps every verdict
 * that was stored, and works out from that list alone what may be answered,
 * what must be, and who may ask.
 */

#include "table.h"

#define GRANTS	1024

static int64_t grant[GRANTS];	/* when probes were let through */
static size_t grants;
static bool behind;		/* the clock has been read late once */

/* The verdict that counts: the latest start; of one moment, the refusal. */
static const struct event *
latest(const struct token *t)
{
	const struct event *e, *last = NULL;

	for (e = t->event; e < t->event + t->n; e++) {
		if (e->code != MONIME_OK && !is_refusal(e->code))
			continue;
		if (last == NULL || e->at > last->at || (e->at == last->at &&
		    is_refusal(e->code) && !is_refusal(last->code)))
			last = e;
	}
	return last;
}

static bool
has_unknown(const struct machine *m, const struct token *t, bool outage)
{
	const struct event *e;

	for (e = t->event; e < t->event + t->n; e++) {
		if (e->code != MONIME_OK && !is_refusal(e->code) &&
		    (e->outage || !outage) && e->at <= m->now &&
		    m->now < e->at + MN_VERDICTS_HOLD)
			return true;
	}
	return false;
}

/* A yes that lies in the future does not count yet; what does then? */
static bool
had_yes(const struct machine *m, const struct token *t, int64_t life)
{
	const struct event *e, *no;

	for (e = t->event; e < t->event + t->n; e++) {
		if (e->code != MONIME_OK || e->at > m->now ||
		    m->now >= e->at + life)
			continue;
		for (no = t->event; no < t->event + t->n; no++) {
			if (is_refusal(no->code) && no->at >= e->at)
				break;
		}
		if (no == t->event + t->n)
			return true;
	}
	return false;
}

static bool
had_no(const struct machine *m, const struct token *t, int code)
{
	const struct event *e;
	int64_t most = m->config.negative_ttl + m->config.negative_ttl / 10;

	for (e = t->event; e < t->event + t->n; e++) {
		if (e->code == code && e->at <= m->now &&
		    m->now < e->at + most)
			return true;
	}
	return false;
}

/* What may be answered. */
static void
judge_found(const struct machine *m, size_t i, const struct mn_verdict *found)
{
	const struct token *t = &m->token[i];

	if (found->code == MONIME_OK && !found->stale)
		MUST(had_yes(m, t, m->config.ttl), "a yes of nobody's");
	else if (found->code == MONIME_OK)
		MUST(had_yes(m, t, m->config.ttl + m->config.stale) &&
		    has_unknown(m, t, true), "a stale yes of nobody's");
	else if (is_refusal(found->code))
		MUST(had_no(m, t, found->code), "a no of nobody's");
	else
		MUST(has_unknown(m, t, false), "an outage of nobody's");
	MUST(found->age >= 0, "an age of %lld", (long long)found->age);
}

/* What must be: nothing is forgotten before its time, less its jitter. */
static void
judge_memory(const struct machine *m, size_t i, bool known,
    const struct mn_verdict *found)
{
	const struct token *t = &m->token[i];
	const struct event *last = latest(t);
	int64_t life;

	/* What lies ahead of a clock read late may hide what is before. */
	if (last == NULL || behind)
		return;
	life = last->code == MONIME_OK ? m->config.ttl - m->config.ttl / 10 :
	    m->config.negative_ttl - m->config.negative_ttl / 10;
	if (m->now < last->at || m->now >= last->at + life)
		return;
	MUST(known, "%d of %lld is forgotten at %lld", last->code,
	    (long long)last->at, (long long)m->now);
	MUST((found->code == MONIME_OK) == (last->code == MONIME_OK),
	    "%d, not %d", found->code, last->code);
}

static void
do_look(struct machine *m, size_t i)
{
	struct mn_verdict found;
	bool known = look(m, i, &found);

	if (known)
		judge_found(m, i, &found);
	judge_memory(m, i, known, &found);
}

/* Claims on the token, and in all; one that has ended is free to others. */
static size_t
held_now(const struct machine *m, size_t token, size_t *all)
{
	size_t i, n = 0;

	*all = 0;
	for (i = 0; i < PROBES; i++) {
		if (!m->held[i].held || m->last >= m->held[i].probe.deadline)
			continue;
		(*all)++;
		n += m->held[i].token == token;
	}
	return n;
}

/*
 * Does a claim on the token last?  Its end is rounded up to a unit, and told by
 * a clock that comes round: one that its process neither ended nor died of, nor
 * anybody saw since, lasts once more then.
 */
static bool
is_claimed(const struct machine *m, size_t token)
{
	const int64_t turn = INT64_C(1) << 22, unit = 16;
	int64_t left;
	size_t i;

	for (i = 0; i < PROBES; i++) {
		left = (m->held[i].probe.deadline + unit - m->now) &
		    (turn - 1);
		if (m->held[i].held && m->held[i].token == token &&
		    left <= m->config.timeout + LATE + unit)
			return true;
	}
	return false;
}

static void
judge_grant(struct machine *m, size_t i)
{
	size_t n, all, second = 0;

	n = held_now(m, i, &all);
	MUST(n == 0 || m->config.ttl == 0, "two ask about one token");
	MUST(all < (size_t)m->config.probes, "%zu ask at once", all + 1);
	MUST(grants < GRANTS, "more grants than steps");
	grant[grants++] = m->now;
	for (n = 0; n < grants; n++)
		second += grant[n] > m->now - 1000;
	MUST(second <= 2 * (size_t)m->config.probe_rate, "%zu in a second",
	    second);
}

static void
do_claim(struct machine *m, size_t i, unsigned int how)
{
	struct held *h = free_hand(m);
	struct mn_verdict found;

	if (h == NULL)
		return;
	do_look(m, i);
	switch (mn_verdicts_claim(m->v, &m->token[i].id, m->now,
	    m->now + (how & 1 ? 50 : m->config.timeout), &h->probe, &found)) {
	case MN_CLAIM_HIT:
		judge_found(m, i, &found);
		break;
	case MN_CLAIM_MINE:
		MUST(h->probe.deadline <= m->now + m->config.timeout,
		    "a claim that lasts");
		judge_grant(m, i);
		h->token = i;
		h->held = true;
		break;
	case MN_CLAIM_BUSY:
		MUST(is_claimed(m, i), "nobody asks");
		break;
	case MN_CLAIM_LIMITED:
		break;
	}
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
	MUST(h->probe.claim == 0, "a claim is left");
	/* Where nothing counts, it is what was asked for. */
	if (found.code != code)
		judge_found(m, h->token, &found);
	do_look(m, h->token);
}

static void
do_release(struct machine *m, size_t i)
{
	struct held *h = held_of(m, i);

	if (h == NULL)
		return;
	mn_verdicts_release(m->v, &h->probe);
	mn_verdicts_release(m->v, &h->probe);
	h->held = false;
}

static void
judge_count(const struct machine *m)
{
	struct mn_verdicts_count count;
	size_t all, i, yes = 0;

	mn_verdicts_count(m->v, m->now, &count);
	(void)held_now(m, 0, &all);
	MUST(count.accepted <= TOKENS && count.refused <= TOKENS &&
	    count.unknown <= TOKENS, "more than there are tokens");
	for (i = 0; i < TOKENS; i++)
		yes += had_yes(m, &m->token[i], m->config.ttl);
	MUST(count.accepted <= yes, "%zu yes of %zu", count.accepted, yes);
	MUST(count.probes >= all, "%zu probes of %zu", count.probes, all);
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
	struct input in = { data, size };
	unsigned int what, how;
	size_t token;

	grants = 0;
	behind = false;
	machine_open(&m, input_byte(&in));
	while (in.left > 0) {
		what = input_byte(&in);
		token = what / 8 % TOKENS;
		how = what % 8 != 0 ? input_byte(&in) : 0;
		switch (what % 8) {
		case 0:
			do_look(&m, token);
			break;
		case 1:
		case 2:
			do_claim(&m, token, how);
			break;
		case 3:
		case 4:
			do_store(&m, token, how);
			break;
		case 5:
			do_release(&m, token);
			break;
		default:
			how %= sizeof(steps) / sizeof(*steps);
			behind = behind || steps[how] < 0;
			step_clock(&m, how);
			break;
		}
	}
	judge_count(&m);
	for (token = 0; token < TOKENS; token++)
		do_look(&m, token);
	machine_close(&m);
	return 0;
}
