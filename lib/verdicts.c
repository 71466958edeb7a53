/* SPDX-License-Identifier: MIT */

/*
 * The verdict table.  See verdicts.h.
 *
 * A token's name is the SipHash-2-4-128 of it under a key that only these
 * processes have.  One half of the name stands in the entry; the other never
 * leaves a process and, with a secret of our own, keys the seal of the word
 * that is the verdict: time of the probe, code, jitter.  So an entry tells
 * nothing of its token, and a word counts only where somebody who had the
 * token and the key wrote it for that token.
 *
 * Nothing is locked.  An entry is changed by a compare-and-swap of its word,
 * which decides who is later; tag and seal follow, and whoever still owns the
 * word repeats them until they stand.  A reader that comes between, or after a
 * writer that died between, finds a seal that does not fit and has a miss.
 *
 * A verdict is written to the table of its kind and, where the other table
 * knows the token, over what stands there: so each of the two tables by itself
 * tells that an older verdict has ended.
 */

#define _GNU_SOURCE
#include "verdicts.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "abi.h"

#include "banned.h"

#define WAYS	8	/* entries in which a token may stand */
#define TRIES	16	/* then somebody is at work whom we cannot wait for */
#define SLACK	1000	/* ms that clocks of one host may be read apart */
#define SECOND	1000000	/* µs */

/* A word: time of the probe 42 bits, code 5, outage 1, jitter 8, noise 8. */
#define TIME_SHIFT	22
#define CODE_SHIFT	17
#define OUTAGE_SHIFT	16
#define JITTER_SHIFT	8
#define CODES		0x1fU
#define JITTERS		0xffU

/* A claim: of the name 24 bits, end 18 in units, process 22. */
#define CLAIM_SHIFT	40
#define UNTIL_SHIFT	22
#define UNITS		0x3ffffU
#define PIDS		0x3fffffU
#define UNIT		16	/* ms */

enum kind {
	NOTHING,
	ACCEPTED,
	REFUSED,
	UNKNOWN,
	KINDS
};

struct entry {
	uint64_t tag;
	uint64_t word;
	uint64_t seal;
	uint64_t spare[5];
};

enum {
	OPEN,			/* for whoever comes */
	KEPT,			/* for tokens that were good before */
	SHARES
};

struct board {
	uint64_t due[SHARES];	/* µs: when the bucket will be full again */
	uint64_t spare[6];
	uint64_t slot[MN_VERDICTS_PROBES];
};

_Static_assert(sizeof(struct entry) == MN_VERDICTS_ENTRY,
    "an entry is a cache line");
_Static_assert(sizeof(struct board) % MN_VERDICTS_ENTRY == 0,
    "entries begin at a cache line");
_Static_assert(__atomic_always_lock_free(sizeof(uint64_t), NULL),
    "a lock in a mapping would outlive who holds it");

struct table {
	struct entry *entry;
	uint64_t *proof;	/* an entry's; the process's own memory */
	uint64_t sets;		/* a power of two */
};

/* All that must be trusted is here, in the process's own memory. */
struct mn_verdicts {
	unsigned char key[MN_SIPHASH_KEY];
	uint64_t pepper;
	struct table yes;
	struct table no;	/* and what nobody knows */
	struct {
		int64_t most;	/* ms that a verdict lives */
		int64_t spread;	/* of these, what jitter may take */
	} life[KINDS];
	int64_t stale;
	int64_t timeout;
	struct board *board;
	struct {
		size_t first;	/* slot */
		size_t slots;
		int64_t rate;
	} share[SHARES];
	size_t size;		/* of the mapping */

	unsigned char identity[MN_SHA256_SIZE];
	unsigned int references;
	struct mn_verdicts *next;
};

/* A word and what it is written for. */
struct mark {
	const struct mn_verdict_id *id;
	uint64_t word;
	uint64_t seal;
};

/* Those of this process. */
static struct {
	pthread_mutex_t lock;
	struct mn_verdicts *first;
} opened = { PTHREAD_MUTEX_INITIALIZER, NULL };

static uint64_t
get(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static bool
swap(uint64_t *p, uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(p, &from, to, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static uint64_t
word_new(int code, bool outage, int64_t at)
{
	/* Noise keeps two writers of one millisecond apart. */
	uint64_t random = mn_secret_uniform(1U << 16);
	unsigned int field = (unsigned int)(1 - code);

	return (uint64_t)at << TIME_SHIFT | (uint64_t)field << CODE_SHIFT |
	    (uint64_t)outage << OUTAGE_SHIFT | random;
}

static int64_t
word_time(uint64_t word)
{
	return (int64_t)(word >> TIME_SHIFT);
}

/* Empty memory has no code. */
static int
word_code(uint64_t word)
{
	return 1 - (int)(word >> CODE_SHIFT & CODES);
}

static enum kind
word_kind(uint64_t word)
{
	switch (word_code(word)) {
	case 1:
		return NOTHING;
	case MONIME_OK:
		return ACCEPTED;
	case MONIME_EDENIED:
	case MONIME_EFORBIDDEN:
	case MONIME_EENVIRONMENT:
		return REFUSED;
	default:
		return UNKNOWN;
	}
}

/* When a word ceases to count. */
static int64_t
word_end(const struct mn_verdicts *v, uint64_t word)
{
	enum kind kind = word_kind(word);
	int64_t jitter = (int64_t)(word >> JITTER_SHIFT & JITTERS);

	return word_time(word) + v->life[kind].most -
	    v->life[kind].spread * jitter / (int64_t)JITTERS;
}

static bool
live(const struct mn_verdicts *v, uint64_t word, int64_t now)
{
	return word_time(word) <= now && now < word_end(v, word);
}

/* Of the same millisecond, a refusal is the later one. */
static bool
later(uint64_t a, uint64_t b)
{
	if (word_time(a) != word_time(b))
		return word_time(a) > word_time(b);
	return word_kind(a) == REFUSED && word_kind(b) != REFUSED;
}

static uint64_t
seal(const struct mn_verdicts *v, const struct mn_verdict_id *id,
    uint64_t word)
{
	const uint64_t key[2] = { id->half[1], v->pepper };

	return mn_secret_siphash64((const unsigned char *)key, &word,
	    sizeof(word));
}

static struct mark
mark_new(const struct mn_verdicts *v, const struct mn_verdict_id *id,
    uint64_t word)
{
	return (struct mark){ id, word, seal(v, id, word) };
}

/*
 * Is that word in e what was written for the token?  A seal that was found
 * good is remembered, since it costs half as much as the token's hash: with
 * the half of the name that nobody sees, so that it is good for no other.
 */
static inline bool
sealed(const struct mn_verdicts *v, const struct table *t,
    const struct entry *e, const struct mn_verdict_id *id, uint64_t word)
{
	uint64_t *proof = &t->proof[e - t->entry];
	uint64_t expected = word ^ id->half[1];

	if (__atomic_load_n(proof, __ATOMIC_RELAXED) == expected)
		return true;
	if (get(&e->seal) != seal(v, id, word))
		return false;
	__atomic_store_n(proof, expected, __ATOMIC_RELAXED);
	return true;
}

/*
 * The i-th place for a token.  Each token has a first place of its own, so
 * that mostly one cache line is read.
 */
static struct entry *
place(const struct table *t, const struct mn_verdict_id *id, size_t i)
{
	uint64_t set = id->half[0] & (t->sets - 1);
	uint64_t way = ((id->half[0] >> 61) + i) % WAYS;

	return &t->entry[set * WAYS + way];
}

/* The word that stands in a table for a token; 0: none that is sealed. */
static inline uint64_t
recall(const struct mn_verdicts *v, const struct table *t,
    const struct mn_verdict_id *id)
{
	const struct entry *e;
	uint64_t word;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		e = place(t, id, i);
		if (get(&e->tag) != id->half[0])
			continue;
		word = get(&e->word);
		if (sealed(v, t, e, id, word))
			return word;
	}
	return 0;
}

/*
 * Let tag and seal follow the word, as long as it is ours.  They are read
 * before the word: so whoever took it over since has them changed, or will.
 */
static void
publish(struct entry *e, const struct mark *m)
{
	uint64_t tag, old;
	int i;

	for (i = 0; i < TRIES; i++) {
		tag = get(&e->tag);
		old = get(&e->seal);
		if (get(&e->word) != m->word ||
		    (tag == m->id->half[0] && old == m->seal))
			return;
		(void)swap(&e->tag, tag, m->id->half[0]);
		(void)swap(&e->seal, old, m->seal);
	}
}

/*
 * Does what stands there for the token outlast m?  A word without its seal
 * may be one that is being written: it counts, unless no probe can have begun
 * then.
 */
static bool
stands(const struct mn_verdicts *v, const struct table *t,
    const struct entry *e, uint64_t word, const struct mark *m, int64_t now)
{
	enum kind kind = word_kind(word);

	if (kind == NOTHING || (word_time(word) > now + SLACK &&
	    !sealed(v, t, e, m->id, word)))
		return false;
	if (kind == UNKNOWN)
		return word_kind(m->word) == UNKNOWN &&
		    !later(m->word, word);
	/*
	 * Not to know is no news, and ends nothing that is known; nor what our
	 * clock, read before others', cannot see yet.
	 */
	if (word_kind(m->word) == UNKNOWN)
		return kind == REFUSED && now < word_end(v, word);
	return !later(m->word, word);
}

static void
replace(const struct mn_verdicts *v, const struct table *t, struct entry *e,
    const struct mark *m, int64_t now)
{
	uint64_t word;
	int i;

	for (i = 0; i < TRIES; i++) {
		word = get(&e->word);
		if (stands(v, t, e, word, m, now))
			return;
		if (swap(&e->word, word, m->word)) {
			publish(e, m);
			return;
		}
	}
}

/* Write over what the table knows of the token; false: nothing. */
static bool
amend(const struct mn_verdicts *v, const struct table *t,
    const struct mark *m, int64_t now)
{
	struct entry *e;
	bool known = false;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		e = place(t, m->id, i);
		if (get(&e->tag) != m->id->half[0])
			continue;
		replace(v, t, e, m, now);
		known = true;
	}
	return known;
}

/* When the place is free for others: what cannot be true goes first. */
static int64_t
vacancy(const struct mn_verdicts *v, uint64_t word, int64_t now)
{
	if (word_kind(word) == NOTHING || word_time(word) > now + SLACK)
		return -1;
	return word_end(v, word);
}

static struct entry *
victim(const struct mn_verdicts *v, const struct table *t,
    const struct mn_verdict_id *id, int64_t now, uint64_t *old)
{
	struct entry *e, *best = place(t, id, 0);
	int64_t end, first;
	uint64_t word;
	size_t i;

	*old = get(&best->word);
	first = vacancy(v, *old, now);
	for (i = 1; i < WAYS; i++) {
		e = place(t, id, i);
		word = get(&e->word);
		end = vacancy(v, word, now);
		if (end < first) {
			best = e;
			first = end;
			*old = word;
		}
	}
	return best;
}

static void
keep(const struct mn_verdicts *v, const struct table *t,
    const struct mark *m, int64_t now)
{
	struct entry *e;
	uint64_t old;
	int i;

	if (amend(v, t, m, now))
		return;
	for (i = 0; i < TRIES; i++) {
		e = victim(v, t, m->id, now, &old);
		if (swap(&e->word, old, m->word)) {
			publish(e, m);
			return;
		}
	}
}

/*
 * Write a verdict to its own table, and end what the other one says: before,
 * lest we die between, and after, for what came between.  Whoever writes there
 * at the same time does the like, and one of the two sees the other's.
 */
static void
enter(const struct mn_verdicts *v, const struct table *own,
    const struct table *other, const struct mark *m, int64_t now)
{
	struct mark rival = mark_new(v, m->id, recall(v, other, m->id));
	enum kind kind = word_kind(rival.word);

	if ((kind == ACCEPTED || kind == REFUSED) &&
	    !later(m->word, rival.word))
		return;
	(void)amend(v, other, m, now);
	keep(v, own, m, now);
	(void)amend(v, other, m, now);
	rival = mark_new(v, m->id, recall(v, other, m->id));
	kind = word_kind(rival.word);
	if ((kind == ACCEPTED || kind == REFUSED) &&
	    later(rival.word, m->word))
		(void)amend(v, own, &rival, now);
}

static void
answer(struct mn_verdict *found, uint64_t word, bool stale, int64_t now)
{
	found->code = word_code(word);
	found->stale = stale;
	found->age = now - word_time(word);
}

/* *known: the token was good before. */
static bool
find(const struct mn_verdicts *v, const struct mn_verdict_id *id,
    int64_t now, struct mn_verdict *found, bool *known)
{
	uint64_t yes, no;
	bool good;

	yes = recall(v, &v->yes, id);
	good = word_kind(yes) == ACCEPTED && word_time(yes) <= now;
	if (good && live(v, yes, now)) {
		answer(found, yes, false, now);
		return true;
	}
	*known = good && now - MN_VERDICTS_KNOWN < word_end(v, yes);
	no = recall(v, &v->no, id);
	if (word_kind(no) == ACCEPTED || !live(v, no, now))
		return false;
	/* The yes has ended, but what ended it is only an outage. */
	if (good && no >> OUTAGE_SHIFT & 1 &&
	    now < word_end(v, yes) + v->stale)
		answer(found, yes, true, now);
	else
		answer(found, no, false, now);
	return true;
}

bool
mn_verdicts_look(const struct mn_verdicts *v, const char *token, size_t len,
    int64_t now, struct mn_verdict_id *id, struct mn_verdict *found)
{
	bool known;

	mn_secret_siphash(v->key, token, len, (unsigned char *)id->half);
	return find(v, id, now, found, &known);
}

static uint64_t
claim_new(const struct mn_verdict_id *id, int64_t deadline)
{
	uint64_t until = (uint64_t)(deadline + UNIT - 1) / UNIT;

	return id->half[1] >> CLAIM_SHIFT << CLAIM_SHIFT |
	    (until & UNITS) << UNTIL_SHIFT | ((uint64_t)getpid() & PIDS);
}

static pid_t
claim_owner(uint64_t claim)
{
	return (pid_t)(claim & PIDS);
}

static bool
claim_is_of(uint64_t claim, const struct mn_verdict_id *id)
{
	return (claim ^ id->half[1]) >> CLAIM_SHIFT == 0;
}

/* Milliseconds that a claim has left; 0: it has ended, or never was one. */
static int64_t
claim_left(const struct mn_verdicts *v, uint64_t claim, int64_t now)
{
	uint64_t left = (claim >> UNTIL_SHIFT) - (uint64_t)(now / UNIT);
	int64_t ms = (int64_t)(left & UNITS) * UNIT - now % UNIT;

	if (claim_owner(claim) == 0 || ms < 0 || ms > v->timeout + SLACK)
		return 0;
	return ms;
}

/*
 * A process that nobody has waited for yet is dead as well; but where there
 * is no pidfd, in an old kernel or by a filter, that cannot be seen.
 */
static bool
process_is_gone(pid_t pid)
{
#ifdef SYS_pidfd_open
	struct pollfd p = { .events = POLLIN };
	bool gone;

	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.fd >= 0) {
		gone = poll(&p, 1, 0) == 1;
		(void)close(p.fd);
		return gone;
	}
#endif
	return kill(pid, 0) != 0 && errno == ESRCH;
}

/*
 * Milliseconds that somebody else's claim on the token has left; 0: there is
 * none.  Clears away what has ended.
 */
static int64_t
claimed(struct mn_verdicts *v, const struct mn_probe *probe, int64_t now)
{
	uint64_t *slot, claim;
	int64_t left;
	size_t i;

	/* What will not be remembered is not worth waiting for. */
	if (v->life[ACCEPTED].most == 0)
		return 0;
	for (i = 0; i < v->share[KEPT].first + v->share[KEPT].slots; i++) {
		slot = &v->board->slot[i];
		claim = get(slot);
		if (claim == 0 || (probe->claim != 0 && i == probe->slot))
			continue;
		left = claim_left(v, claim, now);
		if (left > 0 && !claim_is_of(claim, &probe->id))
			continue;
		if (left > 0 && (claim_owner(claim) == getpid() ||
		    !process_is_gone(claim_owner(claim))))
			return left;
		(void)swap(slot, claim, 0);
	}
	return 0;
}

/*
 * Take a slot.  All who want one for the same token begin at the same, so that
 * mostly one of them gets it; BUSY: somebody was faster.
 */
static enum mn_claim
seize(struct mn_verdicts *v, int share, struct mn_probe *probe, int64_t now)
{
	uint64_t *slot, old, claim = claim_new(&probe->id, probe->deadline);
	size_t i, at, n = v->share[share].slots;

	for (i = 0; i < n; i++) {
		at = v->share[share].first +
		    (size_t)(probe->id.half[0] % n + i) % n;
		slot = &v->board->slot[at];
		old = get(slot);
		if (claim_left(v, old, now) > 0) {
			if (v->life[ACCEPTED].most > 0 &&
			    claim_is_of(old, &probe->id))
				return MN_CLAIM_BUSY;
			continue;
		}
		if (!swap(slot, old, claim))
			return MN_CLAIM_BUSY;
		probe->claim = claim;
		probe->slot = at;
		return MN_CLAIM_MINE;
	}
	return MN_CLAIM_LIMITED;
}

/* A bucket of one second's probes, full when its time has come. */
static bool
afford(struct mn_verdicts *v, int share, int64_t now)
{
	uint64_t due, from, us = (uint64_t)now * 1000;
	int64_t rate = v->share[share].rate;
	int i;

	for (i = 0; rate > 0 && i < TRIES * TRIES; i++) {
		from = due = get(&v->board->due[share]);
		if (due < us || due > us + SECOND + SLACK * 1000)
			from = us;
		from += (uint64_t)(SECOND / rate);
		if (from > us + SECOND)
			return false;
		if (swap(&v->board->due[share], due, from))
			return true;
	}
	return false;
}

/*
 * Two may have got slots for one token, but then at least one of them sees the
 * other, and gives way.  And whoever had it before may have just finished.
 */
static enum mn_claim
confirm(struct mn_verdicts *v, struct mn_probe *probe, bool known,
    int64_t now, struct mn_verdict *found)
{
	enum mn_claim r = MN_CLAIM_MINE;
	bool ignored;

	if (claimed(v, probe, now) > 0)
		r = MN_CLAIM_BUSY;
	else if (find(v, &probe->id, now, found, &ignored))
		r = MN_CLAIM_HIT;
	else if (!(known && afford(v, KEPT, now)) && !afford(v, OPEN, now))
		r = MN_CLAIM_LIMITED;
	if (r != MN_CLAIM_MINE)
		mn_verdicts_release(v, probe);
	return r;
}

enum mn_claim
mn_verdicts_claim(struct mn_verdicts *v, const struct mn_verdict_id *id,
    int64_t now, int64_t deadline, struct mn_probe *probe,
    struct mn_verdict *found)
{
	enum mn_claim r = MN_CLAIM_BUSY;
	int64_t left;
	bool known;
	int i;

	*probe = (struct mn_probe){ .id = *id, .started = now };
	if (find(v, id, now, found, &known))
		return MN_CLAIM_HIT;
	for (i = 0; r == MN_CLAIM_BUSY && i < TRIES; i++) {
		left = claimed(v, probe, now);
		probe->deadline = now + left;
		if (left > 0)
			return MN_CLAIM_BUSY;
		probe->deadline = deadline < now + v->timeout ?
		    deadline : now + v->timeout;
		r = known ? seize(v, KEPT, probe, now) : MN_CLAIM_LIMITED;
		if (r == MN_CLAIM_LIMITED)
			r = seize(v, OPEN, probe, now);
	}
	if (r != MN_CLAIM_MINE)
		return r;
	return confirm(v, probe, known, now, found);
}

static bool
mine(const struct mn_probe *probe)
{
	return probe->claim != 0 && claim_owner(probe->claim) == getpid();
}

void
mn_verdicts_release(struct mn_verdicts *v, struct mn_probe *probe)
{
	if (mine(probe))
		(void)swap(&v->board->slot[probe->slot], probe->claim, 0);
	probe->claim = 0;
}

/* Verdicts are in the order of their starts; an outage counts from its end. */
static void
write_down(struct mn_verdicts *v, const struct mn_probe *probe, int code,
    bool outage, int64_t now)
{
	uint64_t word = word_new(code, false, probe->started);
	struct mark m;

	switch (word_kind(word)) {
	case ACCEPTED:
		/* Somebody else may have begun since, and know better. */
		if (now >= probe->deadline)
			return;
		m = mark_new(v, &probe->id, word);
		enter(v, &v->yes, &v->no, &m, now);
		return;
	case REFUSED:
		m = mark_new(v, &probe->id, word);
		enter(v, &v->no, &v->yes, &m, now);
		return;
	default:
		m = mark_new(v, &probe->id, word_new(code, outage, now));
		keep(v, &v->no, &m, now);
	}
}

void
mn_verdicts_store(struct mn_verdicts *v, struct mn_probe *probe, int code,
    bool outage, int64_t now, struct mn_verdict *found)
{
	bool known;

	/* What cannot be written is none that we know. */
	if (code > 0 || code < 1 - (int)CODES)
		code = MONIME_EPROTO;
	if (mine(probe))
		write_down(v, probe, code, outage, now);
	mn_verdicts_release(v, probe);
	if (find(v, &probe->id, now, found, &known))
		return;
	found->code = code;
	found->stale = false;
	found->age = now - probe->started;
}

int64_t
mn_verdicts_time(void)
{
	/* Where it is denied nothing that is remembered counts. */
	struct timespec ts = { 0, 0 };

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
count_table(const struct mn_verdicts *v, const struct table *t, int64_t now,
    size_t n[KINDS])
{
	uint64_t i, word;

	for (i = 0; i < t->sets * WAYS; i++) {
		word = get(&t->entry[i].word);
		/* What ended an entry of the other table is counted there. */
		if (live(v, word, now) &&
		    (word_kind(word) == ACCEPTED) == (t == &v->yes))
			n[word_kind(word)]++;
	}
}

void
mn_verdicts_count(const struct mn_verdicts *v, int64_t now,
    struct mn_verdicts_count *count)
{
	size_t i, n[KINDS] = { 0 };

	count_table(v, &v->yes, now, n);
	count_table(v, &v->no, now, n);
	count->accepted = n[ACCEPTED];
	count->refused = n[REFUSED];
	count->unknown = n[UNKNOWN];
	count->probes = 0;
	for (i = 0; i < MN_VERDICTS_PROBES; i++) {
		if (claim_left(v, get(&v->board->slot[i]), now) > 0)
			count->probes++;
	}
}

void *
mn_verdicts_memory(const struct mn_verdicts *v, size_t *size)
{
	*size = v->size;
	return v->board;
}

/* A chain of hashes, so that no two lists look alike. */
static void
identify(const struct mn_verdicts_config *config,
    const struct mn_piece *pieces, size_t n,
    unsigned char identity[MN_SHA256_SIZE])
{
	size_t i;

	mn_secret_sha256(&(struct mn_piece){ config, sizeof(*config) }, 1,
	    identity);
	for (i = 0; i < n; i++) {
		const struct mn_piece part[] = {
			{ identity, MN_SHA256_SIZE },
			pieces[i],
		};

		mn_secret_sha256(part, 2, identity);
	}
}

static void
make_keys(struct mn_verdicts *v)
{
	unsigned char random[MN_SHA256_SIZE], out[MN_SHA256_SIZE];
	const struct mn_piece part[] = {
		{ random, sizeof(random) },
		{ v->identity, sizeof(v->identity) },
	};

	mn_secret_random(random, sizeof(random));
	mn_secret_sha256(part, 2, out);
	memcpy(v->key, out, sizeof(v->key));
	memcpy(&v->pepper, out + sizeof(v->key), sizeof(v->pepper));
	mn_secret_wipe(random, sizeof(random));
	mn_secret_wipe(out, sizeof(out));
}

/* A yes never outlives ttl: its jitter only takes. */
static void
set_lives(struct mn_verdicts *v, const struct mn_verdicts_config *c)
{
	v->life[ACCEPTED].most = c->ttl;
	v->life[ACCEPTED].spread = c->ttl / 10;
	v->life[REFUSED].most = c->negative_ttl + c->negative_ttl / 10;
	v->life[REFUSED].spread = c->negative_ttl / 5;
	v->life[UNKNOWN].most = MN_VERDICTS_HOLD;
	v->stale = c->stale;
	v->timeout = c->timeout;
}

static void
set_shares(struct mn_verdicts *v, const struct mn_verdicts_config *c)
{
	size_t probes = c->probes < MN_VERDICTS_PROBES ?
	    (size_t)c->probes : MN_VERDICTS_PROBES;

	v->share[OPEN].slots = probes - probes / 2;
	v->share[OPEN].rate = c->probe_rate - c->probe_rate / 2;
	v->share[KEPT].first = v->share[OPEN].slots;
	v->share[KEPT].slots = probes / 2;
	v->share[KEPT].rate = c->probe_rate / 2;
}

/*
 * Refusals live for seconds and come at no more than probe_rate: a quarter of
 * the entries is room enough for them.
 */
static bool
map(struct mn_verdicts *v, int64_t entries)
{
	uint64_t all;
	void *p;

	v->yes.sets = 4;
	while (v->yes.sets * WAYS < (uint64_t)entries)
		v->yes.sets *= 2;
	v->no.sets = v->yes.sets / 4;
	all = (v->yes.sets + v->no.sets) * WAYS;
	v->yes.proof = calloc((size_t)all, sizeof(*v->yes.proof));
	if (v->yes.proof == NULL)
		return false;
	v->size = sizeof(*v->board) + (size_t)all * sizeof(*v->yes.entry);
	p = mmap(NULL, v->size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	v->board = p;
	v->yes.entry = (struct entry *)(v->board + 1);
	v->no.entry = v->yes.entry + v->yes.sets * WAYS;
	v->no.proof = v->yes.proof + v->yes.sets * WAYS;
	return true;
}

/* In reverse; v may have got stuck anywhere. */
static void
verdicts_free(struct mn_verdicts *v)
{
	if (v->board != NULL)
		(void)munmap(v->board, v->size);
	free(v->yes.proof);
	mn_secret_wipe(v, sizeof(*v));
	free(v);
}

static struct mn_verdicts *
verdicts_new(const struct mn_verdicts_config *config,
    const unsigned char identity[MN_SHA256_SIZE])
{
	struct mn_verdicts *v;

	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return NULL;
	if (!map(v, config->entries)) {
		verdicts_free(v);
		return NULL;
	}
	memcpy(v->identity, identity, sizeof(v->identity));
	make_keys(v);
	set_lives(v, config);
	set_shares(v, config);
	v->next = opened.first;
	opened.first = v;
	return v;
}

struct mn_verdicts *
mn_verdicts_open(const struct mn_verdicts_config *config,
    const struct mn_piece *pieces, size_t n)
{
	unsigned char identity[MN_SHA256_SIZE];
	struct mn_verdicts *v;

	identify(config, pieces, n, identity);
	(void)pthread_mutex_lock(&opened.lock);
	for (v = opened.first; v != NULL; v = v->next) {
		if (memcmp(v->identity, identity, sizeof(identity)) == 0)
			break;
	}
	if (v == NULL)
		v = verdicts_new(config, identity);
	if (v != NULL)
		v->references++;
	(void)pthread_mutex_unlock(&opened.lock);
	return v;
}

struct mn_verdicts *
mn_verdicts_keep(struct mn_verdicts *v)
{
	(void)pthread_mutex_lock(&opened.lock);
	v->references++;
	(void)pthread_mutex_unlock(&opened.lock);
	return v;
}

void
mn_verdicts_close(struct mn_verdicts *v)
{
	struct mn_verdicts **link;

	if (v == NULL)
		return;
	(void)pthread_mutex_lock(&opened.lock);
	if (--v->references > 0)
		v = NULL;
	for (link = &opened.first; v != NULL && *link != v; )
		link = &(*link)->next;
	if (v != NULL)
		*link = v->next;
	(void)pthread_mutex_unlock(&opened.lock);
	if (v != NULL)
		verdicts_free(v);
}
