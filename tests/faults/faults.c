/* SPDX-License-Identifier: MIT */

/*
 * The fault sweep of the library: each scenario, with each thing that it asks
 * of the system, of the C library and of other libraries failing in turn.
 *
 *	faults [all] [part=I/N] [only=TEXT] [kind=PATTERN] [at=N]
 *
 * By default all of what our own code asks for, and a sample of what happens
 * inside others.  What it finds is told on standard output, a line each, in
 * fields behind tabs:
 *
 *	row	scenario, kind, points there are, points that failed, result
 *		codes with their numbers, crashes of others and what they lost
 *	wrong	scenario, kind, point, what failed, where, what was not right
 *	crash	likewise, with the backtrace, of another library's
 *
 * The exit status is 1 after any of the second kind.
 */

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "faults.h"
#include "inject.h"

#define SECONDS		60	/* that no child takes */
#define HOLD		3000	/* ms: after them an outage is forgotten */
#define FORGOTTEN	70000	/* ms: and every verdict */
#define TRIES		3
#define NO_END		"no end"
#define NOTHING		1	/* no code */
#define CODES		18

/* A way to fail. */
static const struct kind {
	const char *name;
	uint32_t kinds;
	uint32_t lasting;
	uint32_t how;
	int number;		/* of a system call, whoever makes it */
	uint32_t sample;	/* points of it that are tried by default */
	uint32_t most;		/* and with "all"; 0: all */
} kinds[] = {
	{ "our allocations", FAULT_ALLOC_OURS, 0, 0, 0, 0, 0 },
	{ "our allocations from there on", FAULT_ALLOC_OURS, 1, 0, 0, 12, 0 },
	{ "our calls", FAULT_CALL_OURS, 0, 0, 0, 40, 0 },
	{ "our calls, 2nd error", FAULT_CALL_OURS, 0, 1, 0, 6, 0 },
	{ "our calls, 3rd error", FAULT_CALL_OURS, 0, 2, 0, 6, 0 },
	{ "our calls, 4th error", FAULT_CALL_OURS, 0, 3, 0, 6, 0 },
	{ "our descriptors from there on", FAULT_OPEN_OURS, 1, 0, 0, 0, 0 },
	{ "libraries' allocations", FAULT_ALLOC_OTHERS, 0, 0, 0, 12, 0 },
	{ "OpenSSL's allocations", FAULT_ALLOC_TLS, 0, 0, 0, 6, 300 },
	{ "system calls, EIO", 0, 0, 0, EIO, 8, 0 },
	{ "system calls, ENOMEM", 0, 0, 0, ENOMEM, 8, 0 },
	{ "system calls, EINTR", 0, 0, 0, EINTR, 4, 0 },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static struct {
	bool all;
	unsigned int part, parts;
	const char *only, *kind;
	uint32_t at;
} wanted = { .parts = 1, .only = "", .kind = "*" };

static struct outcome *out;
static struct run parent;	/* whose handle children inherit */
static unsigned int serial;	/* of children */
static bool failed;

/* What the unhindered run has left in other libraries. */
static uint32_t usual_others = UINT32_MAX;
static uint32_t usual_tls;

/* OpenSSL keeps the last errors of a thread, with their texts. */
#define ERRORS_OF_TLS	64

void
wrong(struct run *r, const char *fmt, ...)
{
	va_list ap;

	if (r->out->wrong[0] != '\0')
		return;
	va_start(ap, fmt);
	(void)vsnprintf(r->out->wrong, sizeof(r->out->wrong), fmt, ap);
	va_end(ap);
}

/*
 * In the child
 */

static void
on_crash(int number)
{
	int n = snprintf(out->crash, sizeof(out->crash), "%s in ",
	    number == SIGALRM ? NO_END : strsignal(number));

	out->crash_is_ours = fault_backtrace(out->crash + n,
	    sizeof(out->crash) - (size_t)n);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static void
watch_for_crashes(void)
{
	static const int numbers[] = {
		SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM
	};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)signal(numbers[i], on_crash);
	(void)alarm(SECONDS);
}

/* But for the one that libsodium keeps, where getrandom() has failed. */
static int
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[16];
	int n = 0;

	if (d == NULL)
		abort();
	while ((entry = readdir(d)) != NULL)
		n += readlinkat(dirfd(d), entry->d_name, target,
		    sizeof(target)) != 12 ||
		    memcmp(target, "/dev/urandom", 12) != 0;
	(void)closedir(d);
	return n;
}

static const char *
text_of(const struct run *r)
{
	return r->call != NULL || r->m == NULL || r->scenario->act == NULL ||
	    !(r->scenario->flags & OPENS) ?
	    monime_call_error(r->call) : monime_error(r->m);
}

static bool
is_no(int code)
{
	return code == MONIME_EDENIED || code == MONIME_EFORBIDDEN ||
	    code == MONIME_EENVIRONMENT;
}

/* What was really carried out agrees with what was told. */
static void
judge_effects(struct run *r, int code, long effects)
{
	const char *executed = monime_call_get(r->call, "executed");
	bool none = code == MONIME_ENET || code == MONIME_ELIMIT ||
	    (executed != NULL && strcmp(executed, "no") == 0);

	if (effects > 1 || (code == MONIME_OK && effects != 1) ||
	    (none && effects != 0))
		wrong(r, "executed %ld times, result %d, \"executed\" %s",
		    effects, code, executed != NULL ? executed : "untold");
}

static void
judge(struct run *r, int code)
{
	const unsigned int flags = r->scenario->flags;
	const char *text = text_of(r);

	if (code > 0 || code < MONIME_ECANCELED || code == MONIME_EPENDING)
		wrong(r, "result %d", code);
	if (code == MONIME_OK && !(flags & (MAY | WITHDRAWN)))
		wrong(r, "a yes");
	if (is_no(code) && flags & MAY)
		wrong(r, "a no, %d, for what is good: %s", code, text);
	if (flags & SILENT)
		return;
	if (code != MONIME_OK && *text == '\0')
		wrong(r, "no text for %d", code);
	if (strstr(text, "canary") != NULL)
		wrong(r, "a secret in: %s", text);
	if (r->call != NULL && monime_call_result(r->call) != code)
		wrong(r, "%d, but the call says %d", code,
		    monime_call_result(r->call));
	if (code != MONIME_OK && r->call == NULL && !(flags & OPENS) &&
	    code != MONIME_ENOMEM && r->fd >= 0)
		wrong(r, "%d without a call", code);
}

static void
again(struct run *r)
{
	const struct scenario *s = r->scenario;
	int code;

	monime_call_free(r->call);
	r->call = NULL;
	if (!(s->flags & UNDER_WAY))
		fault->clock += HOLD;
	if (s->flags & OPENS) {
		monime_close(r->m);
		r->m = NULL;
	}
	code = s->next != NULL ? s->next(r) : s->act(r);
	if (code != s->then)
		wrong(r, "the next one: %d, not %d: %s", code, s->then,
		    text_of(r));
}

static void
count_left(struct run *r, int descriptors_before)
{
	char left[TEXT] = "";
	int i, now = descriptors();

	if (r->scenario->flags & INHERITS ? now > descriptors_before :
	    now != descriptors_before)
		wrong(r, "%d descriptors, not %d", now, descriptors_before);
	for (i = 0; i < FAULT_OBJECTS; i++) {
		if (fault->objects[i] > 0 || (fault->objects[i] < 0 &&
		    !(r->scenario->flags & INHERITS)))
			wrong(r, "left: %d, %s", fault->objects[i],
			    fault_object_names[i]);
	}
	if (fault->blocks_ours > 0)
		fault_tell_blocks(left, sizeof(left), &fault->blocks_ours);
	else if (fault->blocks_others > usual_others)
		fault_tell_blocks(left, sizeof(left), &fault->blocks_others);
	else if (fault->blocks_tls > usual_tls + ERRORS_OF_TLS)
		fault_tell_blocks(left, sizeof(left), &fault->blocks_tls);
	r->out->others = fault->blocks_others;
	r->out->tls = fault->blocks_tls;
	/* Where they fail themselves, what they lose is theirs. */
	if (fault->blocks_ours > 0 || (left[0] != '\0' &&
	    r->out->must_leave_nothing))
		wrong(r, "left: %u, %u, %u blocks: %s", fault->blocks_ours,
		    fault->blocks_others, fault->blocks_tls, left);
	else if (left[0] != '\0')
		r->out->lost = true;
}

static void
prepare(struct run *r)
{
	const struct scenario *s = r->scenario;
	int code;

	if (s->flags & INHERITS) {
		r->m = parent.m;
		fault->clock += (int64_t)serial * FORGOTTEN;
	} else if (!(s->flags & OPENS)) {
		code = monime_open(s->profile, folder, &r->m);
		if (code != MONIME_OK)
			wrong(r, "before: %s", monime_error(r->m));
	}
	if (s->before != NULL)
		s->before(r);
	if (s->flags & COUNTS)
		json_object_put(sandbox_post(sandbox, "/reset",
		    "{\"only\": [\"effects\", \"log\"]}"));
}

static int
act(struct run *r, const struct kind *kind, uint32_t at)
{
	int code;

	fault->kinds = kind->kinds;
	fault->lasting = kind->lasting;
	fault->how = kind->how;
	fault->at = at;
	r->out->began = true;
	if (kind->number != 0)
		calls_mark();
	fault->armed = kind->number == 0;
	code = r->scenario->act(r);
	fault->armed = 0;
	if (kind->number != 0)
		calls_mark();
	return code;
}

static void
perform(const struct scenario *s, const struct kind *kind, uint32_t at)
{
	static const struct outcome clean;
	static const struct fault calm;
	struct run r = { .scenario = s, .out = out };
	int code, before;

	*out = clean;
	*fault = calm;
	out->must_leave_nothing = (kind->kinds &
	    (FAULT_ALLOC_OURS | FAULT_CALL_OURS | FAULT_OPEN_OURS)) != 0;
	if (s->token != NULL)
		r.token = sandbox_token(sandbox, s->token);
	fault_track();
	before = descriptors();
	prepare(&r);
	code = act(&r, kind, at);
	out->code = code;
	judge(&r, code);
	if (s->flags & COUNTS)
		judge_effects(&r, code, sandbox_effects(sandbox));
	again(&r);
	monime_call_free(r.call);
	monime_close(r.m);
	free(r.buffer);
	fault->tracking = 0;
	count_left(&r, before);
	out->ended = true;
}

/*
 * In the parent
 */

/* A call that was refused was not made, and these would be missed. */
static bool
can_fail(int nr)
{
	/* What the kernel never says to a futex makes libc abort. */
	return nr != __NR_close && nr != __NR_munmap && nr != __NR_futex &&
	    nr != __NR_rt_sigprocmask && nr != __NR_rt_sigaction &&
	    nr != __NR_alarm;
}

static void
in_child(const struct scenario *s, const struct kind *kind, uint32_t at,
    const int ends[2])
{
	watch_for_crashes();
	if (kind->number != 0) {
		(void)close(ends[1]);
		if (calls_watch(ends[0]) != 0) {
			perror("faults: seccomp");
			_exit(2);
		}
		(void)close(ends[0]);
	}
	perform(s, kind, at);
	_exit(0);
}

/* The status with which it ended. */
static int
run_child(const struct scenario *s, const struct kind *kind, uint32_t at)
{
	struct calls_tally tally = {
		.at = at, .number = kind->number, .can_fail = can_fail,
		.failed = -1
	};
	int ends[2] = { -1, -1 }, status;
	pid_t pid;

	serial++;
	if (s->flags & REWRITES)
		scenarios_restore();
	if (kind->number != 0 && socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		abort();
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		in_child(s, kind, at, ends);
	if (pid < 0)
		abort();
	if (kind->number != 0) {
		(void)close(ends[0]);
		calls_supervise(ends[1], &tally);
		(void)close(ends[1]);
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	if (kind->number != 0) {
		fault->count = (uint32_t)tally.calls;
		fault->failed = tally.failed >= 0;
		(void)snprintf(fault->what, sizeof(fault->what),
		    "system call %d", tally.failed);
		fault->where[0] = '\0';
	}
	return status;
}

struct tally {
	uint32_t points;
	uint32_t tried;
	uint32_t crashes;	/* of others */
	uint32_t losses;	/* likewise */
	uint32_t codes[CODES];	/* by -code */
};

static void
tell(const char *what, const struct scenario *s, const struct kind *kind,
    uint32_t at, const char *text)
{
	printf("%s\t%s\t%s\t%u\t%s\t%s\t%s\n", what, s->name, kind->name, at,
	    fault->what, fault->where, text);
}

/*
 * A heap that others have spoilt is found out by whoever is next: then malloc()
 * or free() is where ours is left for the last time.
 */
static bool
is_of_the_heap(const char *trace)
{
	const char *ours = strstr(trace, " < libmonime");
	static const char *const names[] = {
		"__libc_free", "__libc_malloc", "__libc_calloc",
		"__libc_realloc", "malloc", "calloc", "realloc", "free"
	};
	size_t i, n;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = strlen(names[i]);
		if (ours != NULL && (size_t)(ours - trace) > n &&
		    strncmp(ours - n, names[i], n) == 0)
			return true;
	}
	return false;
}

/* What a machine that is busy with other things may do by itself. */
static bool
is_late(void)
{
	static const char *const texts[] = {
		"time limit", "timeout", "timed out", "Timeout",
		"never ended", "not woken"
	};
	size_t i;

	if (!out->ended)
		return strncmp(out->crash, NO_END, strlen(NO_END)) == 0;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strstr(out->wrong, texts[i]) != NULL)
			return true;
	}
	return false;
}

/* Is it worth another one?  False: there was no such point. */
static bool
try(const struct scenario *s, const struct kind *kind, uint32_t at,
    struct tally *t)
{
	int status, tries = 0;
	char text[64];

	/* But not each time. */
	do
		status = run_child(s, kind, at);
	while (is_late() && ++tries < TRIES);
	if (!out->ended && out->crash[0] != '\0' && (!out->crash_is_ours ||
	    (kind->kinds & (FAULT_ALLOC_OTHERS | FAULT_ALLOC_TLS) &&
	    is_of_the_heap(out->crash)))) {
		t->crashes++;
		t->tried++;
		tell("crash", s, kind, at, out->crash);
		return true;
	}
	if (!out->ended) {
		failed = true;
		(void)snprintf(text, sizeof(text), "ended with status %x",
		    (unsigned int)status);
		tell("wrong", s, kind, at, out->crash[0] != '\0' ?
		    out->crash : text);
		return true;
	}
	if (out->wrong[0] != '\0') {
		failed = true;
		tell("wrong", s, kind, at, out->wrong);
	}
	t->losses += out->lost;
	if (fault->failed == 0)
		return false;
	t->tried++;
	if (out->code <= 0 && -out->code < CODES)
		t->codes[-out->code]++;
	return true;
}

static void
tell_row(const struct scenario *s, const struct kind *kind,
    const struct tally *t)
{
	const char *comma = "";
	int i;

	printf("row\t%s\t%s\t%u\t%u\t", s->name, kind->name, t->points,
	    t->tried);
	for (i = 0; i < CODES; i++) {
		if (t->codes[i] == 0)
			continue;
		printf("%s%d:%u", comma, -i, t->codes[i]);
		comma = ",";
	}
	printf("\t%u\t%u\n", t->crashes, t->losses);
}

/*
 * Once as it is, by the system calls or by all else: how many points of each
 * kind there are, and what is left then.
 */
static bool
survey(const struct scenario *s, bool calls, uint32_t counts[FAULT_KINDS])
{
	const struct kind none = { .name = "nothing", .number = calls };
	int want = s->next == NULL || s->flags & WITHDRAWN ?
	    s->then : NOTHING;
	int i, tries = 0;

	usual_others = UINT32_MAX;
	usual_tls = UINT32_MAX - ERRORS_OF_TLS;
	do
		(void)run_child(s, &none, 0);
	while (is_late() && ++tries < TRIES);
	usual_others = out->others;
	usual_tls = out->tls;
	for (i = 0; i < FAULT_KINDS; i++)
		counts[i] = calls ? fault->count : fault->counts[i];
	if (out->ended && out->wrong[0] == '\0' &&
	    (want == NOTHING || out->code == want))
		return true;
	failed = true;
	tell("wrong", s, &none, 0, out->wrong[0] != '\0' ? out->wrong :
	    out->crash[0] != '\0' ? out->crash : "the unhindered run");
	return false;
}

static void
sweep(const struct scenario *s, const struct kind *kind,
    const uint32_t counts[FAULT_KINDS])
{
	struct tally t = { .points = counts[kind->number != 0 ? 0 :
	    ffs((int)kind->kinds) - 1] };
	uint32_t most = wanted.all ? kind->most : kind->sample;
	uint32_t at, step;

	step = most > 0 && t.points > most ? t.points / most : 1;
	/* Not the same ones for all scenarios. */
	at = 1 + (uint32_t)(s - scenarios) % step;
	if (wanted.at != 0)
		at = wanted.at;
	for (; try(s, kind, at, &t) && wanted.at == 0; at += step)
		continue;
	tell_row(s, kind, &t);
}

static void
inherit(const struct scenario *s)
{
	parent = (struct run){ .scenario = s, .out = out };
	if (monime_open(s->profile, folder, &parent.m) != MONIME_OK ||
	    monime_request(parent.m, "GET", "/v1/financial-accounts", NULL,
	    NULL, 0, &parent.call) != MONIME_OK || monime_fd(parent.m) < 0) {
		fprintf(stderr, "faults: %s: %s\n", s->name,
		    monime_error(parent.m));
		exit(2);
	}
	monime_call_free(parent.call);
}

static bool
is_wanted(const struct kind *kind)
{
	return fnmatch(wanted.kind, kind->name, FNM_EXTMATCH) == 0;
}

/* valgrind and the sanitizers cannot be watched. */
static bool
wants_calls(void)
{
	size_t i;

	for (i = 0; i < KINDS; i++) {
		if (kinds[i].number != 0 && is_wanted(&kinds[i]))
			return true;
	}
	return false;
}

static void
run_scenario(const struct scenario *s)
{
	uint32_t counts[2][FAULT_KINDS];
	size_t i;

	if (strstr(s->name, wanted.only) == NULL)
		return;
	/* Whatever the one before has died of. */
	if (sandbox != NULL)
		scenarios_restore();
	if (s->flags & INHERITS)
		inherit(s);
	/* Both before any: what others leave is told by the second. */
	if ((wants_calls() && !survey(s, true, counts[1])) ||
	    !survey(s, false, counts[0]))
		return;
	for (i = 0; i < KINDS; i++) {
		if (is_wanted(&kinds[i]))
			sweep(s, &kinds[i], counts[kinds[i].number != 0]);
	}
	if (s->flags & INHERITS)
		monime_close(parent.m);
}

static void
run_all(bool first)
{
	size_t i;

	for (i = 0; i < scenarios_n; i++) {
		if (i % wanted.parts == wanted.part &&
		    ((scenarios[i].flags & FIRST) != 0) == first)
			run_scenario(&scenarios[i]);
	}
}

/* What nobody has used yet cannot come from the sandbox. */
static void
run_first(void)
{
	char base[] = "/run/monime-faults.XXXXXX", path[64];
	static const char *const folders[] = { "test", "live" };
	size_t i;

	if (mkdtemp(base) == NULL || chmod(base, 0755) != 0) {
		perror(base);
		exit(2);
	}
	for (i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", base, folders[i]);
		(void)mkdir(path, 0700);
	}
	folder = base;
	scenarios_write_first(base);
	run_all(true);
	(void)snprintf(path, sizeof(path), "rm -rf %s", base);
	(void)!system(path);
}

/* What happens once in a process happens here, so that it is nobody's leak. */
static void
warm(void)
{
	static const struct kind none = { "nothing", 0, 0, 0, 0, 0, 0 };
	size_t i;

	for (i = 0; i < scenarios_n; i++) {
		if (strstr(scenarios[i].name, wanted.only) != NULL &&
		    !(scenarios[i].flags & (FIRST | INHERITS)))
			perform(&scenarios[i], &none, 0);
		scenarios_restore();
	}
}

static bool
understand(const char *word)
{
	if (strcmp(word, "all") == 0)
		return wanted.all = true;
	if (strncmp(word, "only=", 5) == 0)
		wanted.only = word + 5;
	else if (strncmp(word, "kind=", 5) == 0)
		wanted.kind = word + 5;
	else
		return sscanf(word, "part=%u/%u", &wanted.part,
		    &wanted.parts) == 2 ||
		    sscanf(word, "at=%u", &wanted.at) == 1;
	return true;
}

static void *
share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

int
main(int argc, char **argv)
{
	void *frames[4];
	int i;

	for (i = 1; i < argc; i++) {
		if (!understand(argv[i])) {
			fprintf(stderr, "faults: %s?\n", argv[i]);
			return 2;
		}
	}
	/* It loads a library when it is first asked. */
	(void)backtrace(frames, 4);
	/* What a child does not live to tell is there, too. */
	out = share(sizeof(*out));
	fault = share(sizeof(*fault));
	run_first();
	sandbox = sandbox_start();
	if (sandbox == NULL)
		return 2;
	folder = sandbox_folder(sandbox);
	scenarios_write();
	warm();
	run_all(false);
	sandbox_stop(sandbox);
	return failed;
}
