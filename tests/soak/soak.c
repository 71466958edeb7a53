/* SPDX-License-Identifier: MIT */

/*
 * A host that is no web server, under load for as long as it may be: blocking
 * checks and writes in threads, a loop with both, in two processes that share
 * what their parent opened.  One of them is killed now and then by whoever
 * runs the soak, and begun anew; the other lives as long as its parent.
 *
 *	soak FOLDER TOKENS RECORD
 *
 * TOKENS is a file of slots (struct slot), to which run adds and in which it
 * notes when a token was revoked.  RECORD gets a line for each write that
 * begins ("b ID") and that ended ("y", "n" or "u", as "executed" has it).
 * On SIGTERM all of it ends, and the counters are printed.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monime.h"

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

#define RECENT		24	/* slots from which half of the tokens come */
#define BURST		100	/* checks between two pauses of a thread */
#define PAUSE_MS	20
#define PAY_MS		200	/* between two writes: the sandbox keeps each */
#define FLIGHTS		16	/* calls that a loop has pending */
#define TTL_NS		2000000000ull	/* check.ttl of the profiles */

/* State of a slot; anything above is when it was revoked, CLOCK_MONOTONIC. */
#define GOOD		0
#define BEING_REVOKED	1

struct slot {
	uint64_t state;
	unsigned char opens;	/* bit i: profile i of checked */
	char pad[7];
	char token[112];
};

struct table {
	uint64_t count;
	char pad[56];
	struct slot slot[];
};

static const char *const checked[] = { "test/one", "test/two" };
#define PAYING	"test/pay"

enum counter {
	CHECKS_YES, CHECKS_NO, CHECKS_UNKNOWN, READS_YES, READS_UNKNOWN,
	WRITES_YES, WRITES_NO, WRITES_UNKNOWN, WRONG_IN, WRONG_OUT, OURS,
	RESTARTS, COUNTERS
};

static const char *const counter_name[COUNTERS] = {
	"checks-yes", "checks-no", "checks-unknown", "reads-yes",
	"reads-unknown", "writes-yes", "writes-no", "writes-unknown",
	"wrong-in", "wrong-out", "ours", "restarts"
};

static struct table *table;
static uint64_t *counter;	/* shared by all processes */
static int record;
static struct monime *check_handle[ROWS(checked)];
static struct monime *pay;
static atomic_int stopping;

static void
on_term(int number)
{
	(void)number;
	stopping = 1;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
count(enum counter which)
{
	(void)__atomic_add_fetch(&counter[which], 1, __ATOMIC_RELAXED);
}

static void
rest(long ms)
{
	struct timespec ts = { 0, ms * 1000000 };

	(void)nanosleep(&ts, NULL);
}

/* Whatever was wrong is told with all that is needed to find out why. */
static void
wrong(enum counter which, const char *what, const struct monime_call *call)
{
	const char *source = monime_call_get(call, "source");

	count(which);
	(void)fprintf(stderr, "soak: %s: %s, from %s: %s\n", what,
	    monime_strerror(monime_call_result(call)),
	    source != NULL ? source : "nowhere", monime_call_error(call));
}

/* One question about one token, from its beginning to its end. */
struct question {
	const struct slot *slot;
	size_t profile;
	uint64_t state;
	uint64_t began;
};

static void
question_new(struct question *q, unsigned int *seed)
{
	size_t n = (size_t)__atomic_load_n(&table->count, __ATOMIC_ACQUIRE);
	size_t from = 0, at;

	if (rand_r(seed) % 2 == 0 && n > RECENT)
		from = n - RECENT;
	at = from + (size_t)rand_r(seed) % (n - from);
	q->slot = &table->slot[at];
	q->profile = (size_t)rand_r(seed) % ROWS(checked);
	q->state = __atomic_load_n(&q->slot->state, __ATOMIC_ACQUIRE);
	q->began = now_ns();
}

/* A yes must be one, a no as well; not to know is allowed. */
static void
judge(const struct question *q, const struct monime_call *call)
{
	const bool opens = (q->slot->opens >> q->profile & 1) != 0;
	const uint64_t state =
	    __atomic_load_n(&q->slot->state, __ATOMIC_ACQUIRE);

	switch (monime_call_result(call)) {
	case MONIME_OK:
		count(CHECKS_YES);
		if (!opens)
			wrong(WRONG_IN, "never good, let in", call);
		else if (q->state > BEING_REVOKED &&
		    q->began > q->state + TTL_NS)
			wrong(WRONG_IN, "revoked, let in", call);
		break;
	case MONIME_EDENIED:
	case MONIME_EFORBIDDEN:
	case MONIME_EENVIRONMENT:
		count(CHECKS_NO);
		if (opens && state == GOOD)
			wrong(WRONG_OUT, "good, refused", call);
		break;
	case MONIME_ELIMIT:
	case MONIME_EHTTP:
	case MONIME_ENET:
	case MONIME_ELOST:
	case MONIME_EPROTO:
		count(CHECKS_UNKNOWN);
		break;
	default:
		wrong(OURS, "a check", call);
	}
}

static void *
check_run(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	struct monime_call *call;
	struct question q;
	int i, r;

	for (i = 0; !stopping; i++) {
		question_new(&q, &seed);
		r = monime_check_token(check_handle[q.profile], q.slot->token,
		    strlen(q.slot->token), &call);
		if (r != monime_call_result(call))
			wrong(OURS, "a result that changed", call);
		judge(&q, call);
		monime_call_free(call);
		if (i % BURST == 0)
			rest(PAUSE_MS);
	}
	return NULL;
}

/* A write that is told from all others by what it says. */
struct payment {
	char id[48];
	char key[80];
	char body[80];
	const char *headers[2];
	bool keyed;
	bool unknown;
	bool done;
};

static void
note(char what, const struct payment *p)
{
	if (dprintf(record, "%c %s\n", what, p->id) < 0)
		abort();
}

static void
payment_new(struct payment *p, unsigned int number)
{
	static unsigned int serial;

	memset(p, 0, sizeof(*p));
	(void)snprintf(p->id, sizeof(p->id), "c-%d-%u", (int)getpid(),
	    __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
	(void)snprintf(p->key, sizeof(p->key), "Idempotency-Key: %s", p->id);
	(void)snprintf(p->body, sizeof(p->body), "{\"soak\":\"%s\"}", p->id);
	p->keyed = number % 4 != 0;
	if (p->keyed)
		p->headers[0] = p->key;
	note('b', p);
}

static const char *
payment_method(const struct payment *p)
{
	return p->keyed ? "POST" : "PATCH";
}

static const char *
payment_path(const struct payment *p)
{
	return p->keyed ? "/v1/payouts" :
	    "/v1/financial-accounts/fac-sandbox";
}

/* What one attempt of ours came to; our credential is good at all times. */
static void
payment_judge(struct payment *p, const struct monime_call *call)
{
	const char *executed = monime_call_get(call, "executed");
	int r = monime_call_result(call);

	switch (r) {
	case MONIME_OK:
		p->done = executed != NULL && strcmp(executed, "yes") == 0;
		if (!p->done)
			wrong(OURS, "a write that was not executed", call);
		break;
	case MONIME_EDENIED:
	case MONIME_EFORBIDDEN:
	case MONIME_EENVIRONMENT:
	case MONIME_EPOLICY:
		wrong(WRONG_OUT, "our own credential", call);
		break;
	case MONIME_ELIMIT:
	case MONIME_EHTTP:
	case MONIME_ENET:
	case MONIME_ELOST:
	case MONIME_EPROTO:
		break;
	default:
		wrong(OURS, "a write", call);
	}
	if (executed == NULL || strcmp(executed, "no") != 0)
		p->unknown = true;
}

static void
payment_end(const struct payment *p)
{
	note(p->done ? 'y' : p->unknown ? 'u' : 'n', p);
	count(p->done ? WRITES_YES : p->unknown ? WRITES_UNKNOWN : WRITES_NO);
}

/* With a key it may be done again, and is, as somebody who pays would. */
static void
pay_blocking(unsigned int number)
{
	struct monime_call *call;
	struct payment p;
	int tries;

	payment_new(&p, number);
	for (tries = p.keyed ? 3 : 1; tries > 0 && !p.done; tries--) {
		if (monime_request(pay, payment_method(&p), payment_path(&p),
		    p.headers, p.body, strlen(p.body), &call) !=
		    monime_call_result(call))
			wrong(OURS, "a result that changed", call);
		payment_judge(&p, call);
		monime_call_free(call);
	}
	payment_end(&p);
}

static void *
pay_run(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; !stopping; i++) {
		pay_blocking(i);
		rest(PAY_MS);
	}
	return NULL;
}

/* One call that a loop has begun. */
struct flight {
	enum { FREE, CHECKING, READING, PAYING_NOW } kind;
	struct question q;
	struct payment p;
};

static struct monime *
flight_handle(const struct flight *f)
{
	return f->kind == CHECKING ? check_handle[f->q.profile] : pay;
}

/* What a loop has done so far. */
struct loop {
	unsigned int seed;
	unsigned int number;
	unsigned int payments;
	uint64_t pay_at;
	struct flight flight[FLIGHTS];
};

static int
flight_start(struct loop *l, struct flight *f, struct monime_call **call)
{
	static const char accounts[] = "/v1/financial-accounts?limit=1";

	if (now_ns() >= l->pay_at) {
		l->pay_at = now_ns() + PAY_MS * 1000000ull;
		f->kind = PAYING_NOW;
		payment_new(&f->p, l->payments++);
		return monime_request_start(pay, payment_method(&f->p),
		    payment_path(&f->p), f->p.headers, f->p.body,
		    strlen(f->p.body), f, call);
	}
	if (l->number++ % 32 == 0) {
		f->kind = READING;
		return monime_request_start(pay, "GET", accounts, NULL, NULL,
		    0, f, call);
	}
	f->kind = CHECKING;
	question_new(&f->q, &l->seed);
	return monime_check_token_start(flight_handle(f), f->q.slot->token,
	    strlen(f->q.slot->token), f, call);
}

static void
flight_end(struct flight *f, struct monime_call *call)
{
	switch (f->kind) {
	case CHECKING:
		judge(&f->q, call);
		break;
	case PAYING_NOW:
		payment_judge(&f->p, call);
		payment_end(&f->p);
		break;
	default:
		count(monime_call_result(call) == MONIME_OK ? READS_YES :
		    READS_UNKNOWN);
	}
	monime_call_free(call);
	f->kind = FREE;
}

/* Reports of all handles; how many calls they ended. */
static int
loop_take(void)
{
	struct monime *const handles[] = {
		check_handle[0], check_handle[1], pay
	};
	struct monime_call *call;
	size_t i;
	int n = 0;

	for (i = 0; i < ROWS(handles); i++) {
		while ((call = monime_next(handles[i])) != NULL) {
			flight_end(monime_call_data(call), call);
			n++;
		}
	}
	return n;
}

static void *
loop_run(void *arg)
{
	struct pollfd fds[] = {
		{ .fd = monime_fd(check_handle[0]), .events = POLLIN },
		{ .fd = monime_fd(check_handle[1]), .events = POLLIN },
		{ .fd = monime_fd(pay), .events = POLLIN }
	};
	struct loop l = { .seed = (unsigned int)(uintptr_t)arg };
	struct monime_call *call;
	int pending = 0;
	size_t i;

	while (pending > 0 || !stopping) {
		for (i = 0; i < FLIGHTS && !stopping; i++) {
			if (l.flight[i].kind != FREE)
				continue;
			if (flight_start(&l, &l.flight[i], &call) ==
			    MONIME_EPENDING)
				pending++;
			else
				flight_end(&l.flight[i], call);
		}
		/* The pause is for what the table answers at once. */
		if (poll(fds, ROWS(fds), pending == FLIGHTS || stopping ?
		    1000 : PAUSE_MS) < 0 && errno != EINTR)
			abort();
		pending -= loop_take();
	}
	return NULL;
}

static void *(*const work[])(void *) = {
	check_run, check_run, pay_run, loop_run
};

static void
child_run(const char *name)
{
	pthread_t thread[ROWS(work)];
	struct sigaction act = { .sa_handler = on_term };
	sigset_t term;
	size_t i;

	(void)prctl(PR_SET_NAME, name);
	(void)sigaction(SIGTERM, &act, NULL);
	for (i = 0; i < ROWS(work); i++) {
		if (pthread_create(&thread[i], NULL, work[i],
		    (void *)((uintptr_t)getpid() * 16 + i)) != 0)
			abort();
	}
	/* Blocked in all others, so that none of them is interrupted. */
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)pthread_sigmask(SIG_UNBLOCK, &term, NULL);
	for (i = 0; i < ROWS(work); i++)
		(void)pthread_join(thread[i], NULL);
	for (i = 0; i < ROWS(checked); i++)
		monime_close(check_handle[i]);
	monime_close(pay);
	exit(0);
}

static pid_t
child_new(const char *name)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		child_run(name);
	}
	return pid;
}

static const char *const child_name[] = { "mortal", "steady" };

static pid_t child[ROWS(child_name)];
static bool told;

/* Begin again what was killed; all else that ends before its time is bad. */
static bool
bury(pid_t pid, int status)
{
	size_t i;

	for (i = 0; child[i] != pid; i++)
		;
	child[i] = 0;
	if (!told && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		count(RESTARTS);
		child[i] = child_new(child_name[i]);
		return true;
	}
	if (told && status == 0)
		return true;
	warnx("%s: status %#x", child_name[i], status);
	return false;
}

static void
tell_children(void)
{
	size_t i;

	told = true;
	for (i = 0; i < ROWS(child); i++) {
		if (child[i] != 0)
			(void)kill(child[i], SIGTERM);
	}
}

static int
watch(const sigset_t *signals)
{
	int failed = 0, status;
	pid_t pid;
	size_t i;

	for (i = 0; i < ROWS(child); i++)
		child[i] = child_new(child_name[i]);
	do {
		if (sigwaitinfo(signals, NULL) == SIGTERM)
			tell_children();
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (!bury(pid, status)) {
				failed = 1;
				tell_children();
			}
		}
	} while (pid == 0);
	return failed;
}

static struct monime *
opened(const char *name, const char *folder)
{
	struct monime *m;

	if (monime_open(name, folder, &m) != MONIME_OK)
		errx(1, "%s: %s", name, monime_error(m));
	return m;
}

static void *
mapped(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	void *at;

	if (size <= 0)
		err(1, "%s", path);
	at = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		err(1, "%s", path);
	(void)close(fd);
	return at;
}

int
main(int argc, char **argv)
{
	sigset_t signals;
	size_t i;
	int failed;

	if (argc != 4)
		errx(2, "usage: soak FOLDER TOKENS RECORD");
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	table = mapped(argv[2]);
	record = open(argv[3], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (record < 0)
		err(1, "%s", argv[3]);
	counter = mmap(NULL, COUNTERS * sizeof(*counter),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counter == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < ROWS(checked); i++)
		check_handle[i] = opened(checked[i], argv[1]);
	pay = opened(PAYING, argv[1]);
	failed = watch(&signals);
	for (i = 0; i < ROWS(checked); i++)
		monime_close(check_handle[i]);
	monime_close(pay);
	for (i = 0; i < COUNTERS; i++)
		(void)printf("%s %llu\n", counter_name[i],
		    (unsigned long long)counter[i]);
	return failed;
}
