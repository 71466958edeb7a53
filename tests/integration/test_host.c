/* SPDX-License-Identifier: MIT */

/*
 * A host that uses libcurl, and with it OpenSSL, for itself before, between
 * and after a hundred times that the library is loaded and unloaded.  The
 * program is not linked with it.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>

#include <curl/curl.h>

#include "common.h"

extern char **environ;

/* The host's own libcurl, which has OpenSSL with it. */

static size_t
swallow(char *bytes, size_t size, size_t n, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * n;
}

static CURL *
host_open(void)
{
	CURL *c = curl_easy_init();

	assert_non_null(c);
	(void)curl_easy_setopt(c, CURLOPT_URL,
	    sandbox_origin(sandbox, "monime"));
	(void)curl_easy_setopt(c, CURLOPT_CAINFO, sandbox_ca_file(sandbox));
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, swallow);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	return c;
}

static void
host_get(CURL *c)
{
	long status = 0;
	CURLcode r = curl_easy_perform(c);

	if (r != CURLE_OK)
		fail_row(__FILE__, __LINE__, "the host's libcurl: %s",
		    curl_easy_strerror(r));
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	assert_int_equal(status, 200);
}

static unsigned long
hash(unsigned long h, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	while (len-- > 0)
		h = h * 31 + *p++;
	return h;
}

/* Signals, the locale, the environment and the mask of files. */
static unsigned long
surroundings(void)
{
	struct sigaction sa;
	unsigned long h = 0;
	sigset_t mask;
	mode_t um = umask(0);
	char **e;
	int i;

	(void)umask(um);
	h = hash(h, &um, sizeof(um));
	for (i = 1; i < 65; i++) {
		memset(&sa, 0, sizeof(sa));
		if (sigaction(i, NULL, &sa) == 0) {
			h = hash(h, &sa.sa_handler, sizeof(sa.sa_handler));
			h = hash(h, &sa.sa_flags, sizeof(sa.sa_flags));
		}
	}
	memset(&mask, 0, sizeof(mask));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	h = hash(h, &mask, sizeof(mask));
	for (e = environ; *e != NULL; e++)
		h = hash(h, *e, strlen(*e) + 1);
	h = hash(h, &environ, sizeof(environ));
	e = (char *[]){ setlocale(LC_ALL, NULL) };
	return hash(h, *e, strlen(*e));
}

static int
descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#define LOAD(f)	do {							\
	*(void **)&api.f = dlsym(so, "monime_" #f);			\
	assert_non_null(api.f);						\
} while (0)

static struct {
	int (*open)(const char *, const char *, struct monime **);
	void (*close)(struct monime *);
	int (*request)(struct monime *, const char *, const char *,
	    const char *const *, const void *, size_t, struct monime_call **);
	void (*call_free)(struct monime_call *);
} api;

static void
use_library(void)
{
	void *so = dlopen(BUILD_DIR "/libmonime.so.0", RTLD_NOW | RTLD_LOCAL);
	struct monime_call *call;
	struct monime *m;
	int r;

	assert_non_null(so);
	LOAD(open);
	LOAD(close);
	LOAD(request);
	LOAD(call_free);
	r = api.open("test/t", folder, &m);
	if (r == MONIME_EUNSAFE) {
		print_message("skip: no folder here that the library "
		    "trusts\n");
		skip();
	}
	assert_int_equal(r, MONIME_OK);
	r = api.request(m, "GET", "/v1/financial-accounts", NULL, NULL, 0,
	    &call);
	assert_int_equal(r, MONIME_OK);
	api.call_free(call);
	api.close(m);
	assert_int_equal(dlclose(so), 0);
	/* It stays where it is: -z nodelete. */
	so = dlopen(BUILD_DIR "/libmonime.so.0",
	    RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	assert_non_null(so);
	(void)dlclose(so);
}

static void
test_host_uses_libcurl_before_between_and_after(void **state)
{
	unsigned long before;
	CURL *kept;
	int i, fds = 0;
	long connections;

	(void)state;
	assert_null(dlopen(BUILD_DIR "/libmonime.so.0",
	    RTLD_NOW | RTLD_NOLOAD));
	write_profile("test/t", "monime", "test", "");
	assert_int_equal(curl_global_init(CURL_GLOBAL_DEFAULT), 0);
	kept = host_open();
	host_get(kept);
	(void)curl_easy_getinfo(kept, CURLINFO_NUM_CONNECTS, &connections);
	assert_int_equal(connections, 1);
	before = surroundings();
	for (i = 0; i < 100; i++) {
		use_library();
		/* On the connection that it has had all the time. */
		host_get(kept);
		(void)curl_easy_getinfo(kept, CURLINFO_NUM_CONNECTS,
		    &connections);
		assert_int_equal(connections, 0);
		if (i == 9)
			fds = descriptors();
		assert_true(surroundings() == before);
	}
	assert_int_equal(descriptors(), fds);
	/* And one of its own that is new. */
	curl_easy_cleanup(kept);
	kept = host_open();
	host_get(kept);
	curl_easy_cleanup(kept);
	/* The host's end of it is not ours. */
	curl_global_cleanup();
	use_library();
	assert_int_equal(curl_global_init(CURL_GLOBAL_DEFAULT), 0);
}

/* As common_start(), which would link this program with the library. */
static int
host_start(void **state)
{
	(void)state;
	sandbox = sandbox_start();
	if (sandbox == NULL)
		return -1;
	folder = sandbox_folder(sandbox);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_host_uses_libcurl_before_between_and_after),
	};

	(void)setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, host_start, common_stop);
}
