/* SPDX-License-Identifier: MIT */

/*
 * Very many calls pending at once on one descriptor, in one thread: how long
 * the longest step of the library takes, and what is left behind.
 *
 *	pending [answers | dead-names | cold-ca] [CALLS]
 *
 * answers: a server that answers after a second.  dead-names: a host name, and
 * a name server that never answers; it needs root, for namespaces of its own.
 * cold-ca: as the first, with the authorities of this system and the sandbox's
 * in one hashed folder that is not in the page cache.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <malloc.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "sandbox.h"

struct step {
	const char *name;
	double longest;		/* ms */
	double own;		/* ms without those when others had the
				 * processor; the most of any */
	double at;		/* s after the start */
	size_t n;
	size_t over;		/* how many took more than 10 ms */
};

static struct step start_step = { .name = "monime_request_start" };
static struct step next_step = { .name = "monime_next" };
static struct step free_step = { .name = "monime_call_free" };
static struct step close_step = { .name = "monime_close" };
static double begun;

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* A busy machine is none of the library's doing.  Reading files is. */
static double queued_from;

static double
step(void)
{
	queued_from = bench_queued();
	return now();
}

static void
note(struct step *s, double from)
{
	double ms = now() - from;
	double own = ms - (bench_queued() - queued_from) / 1e6;

	s->n++;
	if (own > s->own)
		s->own = own;
	s->over += ms > 10;
	if (ms > s->longest) {
		s->longest = ms;
		s->at = (from - begun) / 1e3;
	}
}

static void
tell(const struct step *s)
{
	printf("%-21s %6zu times, the longest %7.3f ms (at %4.1f s), "
	    "%zu over 10 ms;\n%46s%7.3f ms of its own\n", s->name, s->n,
	    s->longest, s->at, s->over, "", s->own);
}

static void
figures(const char *kind, int n)
{
	const struct step *all[] = { &start_step, &next_step, &free_step };
	double longest = 0, own = 0;
	char what[96];
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		longest = all[i]->longest > longest ? all[i]->longest : longest;
		own = all[i]->own > own ? all[i]->own : own;
	}
	(void)snprintf(what, sizeof(what),
	    "%d calls pending (%s): the longest step", n, kind);
	bench_single(what, "ms", "<= 10", own);
	bench_single("  by the clock, others' turns included", "ms", "",
	    longest);
	bench_single("  monime_close, and all connections with it", "ms", "",
	    close_step.own);
}

static long
resident(void)
{
	long pages = 0, all;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%ld %ld", &all, &pages) != 2)
		err(1, "/proc/self/statm");
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static int
count(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	if (d == NULL)
		err(1, "%s", path);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

/* A network with a loopback alone, and a name server that says nothing. */
static void
kill_names(const char *folder)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(53),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	char path[512];
	int fd;

	sandbox_write_file(folder, "resolv.conf", 0644,
	    "nameserver 127.0.0.1\n");
	(void)snprintf(path, sizeof(path), "%s/resolv.conf", folder);
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) != 0)
		err(1, "namespaces");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &up) != 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		err(1, "a name server");
}

/* All authorities in one folder, none of them in memory. */
static void
cool(const char *folder, const char *ca)
{
	char command[1024];

	(void)snprintf(command, sizeof(command),
	    "mkdir %s/certs && cp -rL /etc/ssl/certs/*.[0-9] %s/*.[0-9] "
	    "%s/certs && chmod -R go-w %s/certs && sync && "
	    "{ echo 3 > /proc/sys/vm/drop_caches; } 2>/dev/null || "
	    "echo 'the page cache could not be dropped'", folder, ca, folder,
	    folder);
	if (system(command) != 0)
		errx(1, "no folder of authorities");
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [\"test\"];\nca_path = \"%s/certs\";\n", folder);
}

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "answers";
	bool dead = strcmp(kind, "dead-names") == 0;
	int n = argc > 2 ? atoi(argv[2]) :
	    (int)bench_size(10000, 1000), i, left, codes[32] = { 0 };
	struct sandbox *s = sandbox_start();
	const char *folder = sandbox_folder(s);
	struct monime_call *call;
	struct monime *m;
	struct pollfd p = { .events = POLLIN };
	size_t held = 0;
	double from;
	long before, peak;
	int fds;

	sandbox_fault(s, "{\"delay\": 1, \"times\": -1}");
	if (strcmp(kind, "cold-ca") == 0)
		cool(folder, sandbox_ca_path(s));
	sandbox_write_file(folder, "test/many.conf", 0600,
	    "provider = \"monime\";\nspace = \"spc-sandbox\";\n"
	    "base_url = \"%s\";\ntimeout = \"%s\";\nconnections = 512;\n",
	    dead ? "https://never.example.org" : sandbox_origin(s, "monime"),
	    dead ? "12s" : "300s");
	sandbox_write_file(folder, "test/many.token", 0600, "%s\n",
	    sandbox_token(s, "test"));
	if (dead)
		kill_names(folder);
	if (monime_open("test/many", folder, &m) != MONIME_OK)
		errx(1, "%s", monime_error(m));
	p.fd = monime_fd(m);
	before = resident();
	fds = count("/proc/self/fd");
	begun = now();
	for (i = 0; i < n; i++) {
		from = step();
		int r = monime_request_start(m, "GET",
		    "/v1/financial-accounts", NULL, NULL, 0, NULL, &call);
		note(&start_step, from);
		if (r != MONIME_EPENDING)
			errx(1, "%s", monime_call_error(call));
	}
	peak = resident();
	for (left = n; left > 0; ) {
		if (poll(&p, 1, 60000) != 1)
			errx(1, "%d are left, and nothing happens", left);
		for (;;) {
			from = step();
			call = monime_next(m);
			note(&next_step, from);
			if (call == NULL)
				break;
			codes[-monime_call_result(call)]++;
			from = step();
			monime_call_free(call);
			note(&free_step, from);
			left--;
		}
		held = (size_t)count("/proc/self/fd") > held ?
		    (size_t)count("/proc/self/fd") : held;
	}
	printf("%s: %d calls pending at once, %.1f s in all\n", kind, n,
	    (now() - begun) / 1e3);
	for (i = 0; i < 32; i++) {
		if (codes[i] > 0)
			printf("%d: %s\n", codes[i], monime_strerror(-i));
	}
	printf("resident: %ld KiB before, %ld KiB with all of them, "
	    "%ld KiB after\n", before, peak, resident());
	printf("descriptors: %d before, %zu at most, %d after; threads: %d\n",
	    fds, held, count("/proc/self/fd"), count("/proc/self/task"));
	from = step();
	monime_close(m);
	note(&close_step, from);
	(void)malloc_trim(0);
	printf("closed: %ld KiB, %d descriptors\n", resident(),
	    count("/proc/self/fd"));
	tell(&start_step);
	tell(&next_step);
	tell(&free_step);
	tell(&close_step);
	figures(kind, n);
	sandbox_stop(s);
	return 0;
}
