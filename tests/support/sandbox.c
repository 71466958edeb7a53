/* SPDX-License-Identifier: MIT */

/*
 * Starts the sandbox and speaks to its control interface.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "sandbox.h"

#define PYTHON "/usr/bin/python3"

/* Control answers at once, but for a wait, which ends after ten seconds. */
#define CONTROL_SECONDS 60L

struct sandbox {
	pid_t owner;
	pid_t pid;
	int hold; /* its standard input: it ends when this is closed */
	char *base;
	unsigned int folders;
	char **paths;
	struct json_object *facts;
};

struct buffer {
	char *data;
	size_t length;
};

static void
give_up(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

static void
give_up(const char *format, ...)
{
	va_list arguments;

	fputs("sandbox: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

static char *
print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *
print(const char *format, ...)
{
	va_list arguments;
	char *text;
	int r;

	va_start(arguments, format);
	r = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (r < 0)
		give_up("out of memory");
	return text;
}

/* Starting and ending. */

static const char *
tests_folder(void)
{
	const char *folder = getenv("MONIME_TESTS");

#ifdef TESTS_DIR
	if (!folder)
		folder = TESTS_DIR;
#endif
	return folder ? folder : "tests";
}

/*
 * Where the library trusts files: no part of the path may be writable by
 * others, which rules out /tmp.
 */
static const char *
safe_place(void)
{
	const char *place;

	if (geteuid() == 0)
		return "/run";
	place = getenv("XDG_RUNTIME_DIR");
	if (!place)
		place = getenv("BUILD_DIR");
#ifdef BUILD_DIR
	if (!place)
		place = BUILD_DIR;
#endif
	return place ? place : ".";
}

static int
make_base(struct sandbox *s)
{
	char *resolved = realpath(safe_place(), NULL);

	if (!resolved)
		return -1;
	s->base = print("%s/monime-tests.XXXXXX", resolved);
	free(resolved);
	if (!mkdtemp(s->base)) {
		free(s->base);
		s->base = NULL;
		return -1;
	}
	return chmod(s->base, 0755);
}

/*
 * It removes our folder itself, so that a test which is killed leaves nothing
 * behind.  It gets signals as a fresh process has them, and an environment
 * that no test has prepared: LD_PRELOAD, proxies and clocks are meant for the
 * library.
 */
static int
spawn_python(struct sandbox *s, int input, int output)
{
	static char *const environment[] = {
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
		"LC_ALL=C.UTF-8", NULL
	};
	char *script = print("%s/sandbox/sandbox.py", tests_folder());
	char *folder = print("%s/sandbox", s->base);
	char *const arguments[] = { PYTHON, "-B", "-E", "-s", script, "--dir",
				    folder, "--until-eof", "--remove",
				    s->base, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	r = posix_spawn(&s->pid, PYTHON, &actions, &attributes, arguments,
			environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(script);
	free(folder);
	if (r != 0) {
		s->pid = -1;
		errno = r;
		return -1;
	}
	return 0;
}

/*
 * Reads "ready PATH", which comes when all listeners are open.  Its end
 * without that line means that the sandbox has said why on standard error.
 */
static int
read_ready(struct sandbox *s, int output)
{
	char *line = NULL;
	size_t size = 0;
	FILE *file = fdopen(output, "r");
	int r = -1;

	if (!file) {
		close(output);
		return -1;
	}
	if (getline(&line, &size, file) > 0 &&
	    strncmp(line, "ready ", 6) == 0) {
		line[strcspn(line, "\n")] = '\0';
		s->facts = json_object_from_file(line + 6);
		r = s->facts ? 0 : -1;
	}
	free(line);
	fclose(file);
	return r;
}

struct sandbox *
sandbox_start(void)
{
	struct sandbox *s = calloc(1, sizeof(*s));
	int input[2] = { -1, -1 };
	int output[2] = { -1, -1 };
	int r = -1;

	if (!s)
		return NULL;
	s->owner = getpid();
	s->pid = -1;
	s->hold = -1;
	if (make_base(s) < 0)
		goto out;
	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
		goto out;
	s->hold = input[1];
	input[1] = -1;
	if (spawn_python(s, input[0], output[1]) < 0)
		goto out;
	close(output[1]);
	output[1] = -1;
	r = read_ready(s, output[0]);
	output[0] = -1;
out:
	if (r < 0)
		fprintf(stderr, "sandbox: cannot start: %s\n",
			s->pid > 0 ? "see above" : strerror(errno));
	for (int i = 0; i < 2; i++) {
		if (input[i] >= 0)
			close(input[i]);
		if (output[i] >= 0)
			close(output[i]);
	}
	if (r < 0) {
		sandbox_stop(s);
		s = NULL;
	}
	return s;
}

void
sandbox_stop(struct sandbox *s)
{
	bool mine;

	if (!s)
		return;
	mine = s->owner == getpid();
	/*
	 * The signal first: once its input has ended it goes by itself, and a
	 * signal on its way out would keep it from cleaning up.
	 */
	if (mine && s->pid > 0)
		kill(s->pid, SIGTERM);
	if (s->hold >= 0)
		close(s->hold);
	if (mine && s->pid > 0) {
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	} else if (mine && s->base) {
		rmdir(s->base);
	}
	for (unsigned int i = 0; i < s->folders; i++)
		free(s->paths[i]);
	free(s->paths);
	free(s->base);
	json_object_put(s->facts);
	free(s);
}

/* Facts. */

static struct json_object *
fact(struct sandbox *s, const char *group, const char *name)
{
	struct json_object *value = json_object_object_get(s->facts, group);

	if (name)
		value = json_object_object_get(value, name);
	if (!value)
		give_up("there is no %s of the name %s", group,
			name ? name : group);
	return value;
}

unsigned int
sandbox_port(struct sandbox *s, const char *server)
{
	return (unsigned int)json_object_get_int(fact(s, "ports", server));
}

const char *
sandbox_origin(struct sandbox *s, const char *server)
{
	return json_object_get_string(fact(s, "origins", server));
}

const char *
sandbox_token(struct sandbox *s, const char *name)
{
	return json_object_get_string(fact(s, "tokens", name));
}

const char *
sandbox_space(struct sandbox *s, const char *name)
{
	return json_object_get_string(fact(s, "spaces", name));
}

const char *
sandbox_object(struct sandbox *s, const char *name)
{
	return json_object_get_string(fact(s, "objects", name));
}

const char *
sandbox_ca_file(struct sandbox *s)
{
	return json_object_get_string(fact(s, "ca_file", NULL));
}

const char *
sandbox_ca_path(struct sandbox *s)
{
	return json_object_get_string(fact(s, "ca_path", NULL));
}

const char *
sandbox_certificate(struct sandbox *s, const char *name)
{
	return json_object_get_string(fact(s, "certificates", name));
}

pid_t
sandbox_pid(struct sandbox *s)
{
	return s->pid;
}

/* Control. */

static size_t
keep(char *data, size_t one, size_t count, void *context)
{
	struct buffer *buffer = context;
	char *more = realloc(buffer->data, buffer->length + count + 1);

	(void)one;
	if (!more)
		return 0;
	memcpy(more + buffer->length, data, count);
	buffer->data = more;
	buffer->length += count;
	more[buffer->length] = '\0';
	return count;
}

/*
 * A handle for each call: the sandbox may be used by any thread, and after a
 * fork.  Nothing that a test put into the environment concerns it.
 */
static struct json_object *
control(struct sandbox *s, const char *path, const char *json)
{
	struct buffer answer = { NULL, 0 };
	struct json_object *value;
	char *url = print("%s%s", sandbox_origin(s, "control"), path);
	CURL *curl = curl_easy_init();
	CURLcode code;
	long status = 0;

	if (!curl)
		give_up("no curl handle");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, CONTROL_SECONDS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	if (json) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, -1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
	}
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	if (code != CURLE_OK)
		give_up("%s: %s", url, curl_easy_strerror(code));
	if (status != 200)
		give_up("%s: %ld %s", path, status,
			answer.data ? answer.data : "");
	value = json_tokener_parse(answer.data);
	if (!value)
		give_up("%s: no JSON in the answer", path);
	free(answer.data);
	free(url);
	return value;
}

struct json_object *
sandbox_post(struct sandbox *s, const char *path, const char *json)
{
	return control(s, path, json ? json : "{}");
}

struct json_object *
sandbox_get(struct sandbox *s, const char *path)
{
	return control(s, path, NULL);
}

static void
tell(struct sandbox *s, const char *path, const char *json)
{
	json_object_put(sandbox_post(s, path, json));
}

/* Posts {"NAME": VALUE}, the value null or quoted as it must be. */
static struct json_object *
post_text(struct sandbox *s, const char *path, const char *name,
	  const char *value)
{
	struct json_object *given = json_object_new_object();
	struct json_object *answer;

	json_object_object_add(given, name,
			       value ? json_object_new_string(value) : NULL);
	answer = sandbox_post(s, path, json_object_to_json_string(given));
	json_object_put(given);
	return answer;
}

static size_t
take_number(struct json_object *answer, const char *name)
{
	int64_t n;

	n = json_object_get_int64(json_object_object_get(answer, name));
	json_object_put(answer);
	return (size_t)n;
}

void
sandbox_reset(struct sandbox *s)
{
	tell(s, "/reset", NULL);
}

void
sandbox_fault(struct sandbox *s, const char *json)
{
	tell(s, "/fault", json);
}

void
sandbox_setting(struct sandbox *s, const char *json)
{
	tell(s, "/settings", json);
}

void
sandbox_revoke(struct sandbox *s, const char *token)
{
	json_object_put(post_text(s, "/revoke", "token", token));
}

size_t
sandbox_release(struct sandbox *s)
{
	return take_number(sandbox_post(s, "/release", NULL), "released");
}

size_t
sandbox_close_idle(struct sandbox *s, const char *server)
{
	return take_number(post_text(s, "/close", "server", server),
			   "closed");
}

/* What it has seen. */

long
sandbox_effects(struct sandbox *s)
{
	return (long)take_number(sandbox_get(s, "/effects"), "count");
}

size_t
sandbox_count(struct sandbox *s, const char *what, const char *server)
{
	struct json_object *counts = sandbox_get(s, "/counts");
	struct json_object *value = json_object_object_get(counts, what);
	size_t sum = 0;

	if (json_object_is_type(value, json_type_int)) {
		sum = (size_t)json_object_get_int64(value);
	} else if (server) {
		value = json_object_object_get(value, server);
		if (!value)
			give_up("there is no count %s of %s", what, server);
		sum = (size_t)json_object_get_int64(value);
	} else if (value) {
		json_object_object_foreach(value, name, one) {
			(void)name;
			sum += (size_t)json_object_get_int64(one);
		}
	} else {
		give_up("there is no count %s", what);
	}
	json_object_put(counts);
	return sum;
}

size_t
sandbox_requests(struct sandbox *s, const char *server)
{
	return sandbox_count(s, "requests", server);
}

size_t
sandbox_connections(struct sandbox *s, const char *server)
{
	return sandbox_count(s, "connections", server);
}

size_t
sandbox_bytes(struct sandbox *s, const char *server)
{
	return sandbox_count(s, "bytes", server);
}

static void
wait_for(struct sandbox *s, const char *what, const char *server,
	 const char *bound, size_t n)
{
	struct json_object *given = json_object_new_object();
	struct json_object *answer;

	json_object_object_add(given, "what", json_object_new_string(what));
	json_object_object_add(given, "server", server ?
			       json_object_new_string(server) : NULL);
	json_object_object_add(given, bound, json_object_new_int64((int64_t)n));
	answer = sandbox_post(s, "/wait", json_object_to_json_string(given));
	if (!json_object_get_boolean(json_object_object_get(answer,
							    "reached")))
		give_up("%s of %s: waited for %s %zu, saw %s", what,
			server ? server : "all", bound, n,
			json_object_to_json_string(answer));
	json_object_put(answer);
	json_object_put(given);
}

void
sandbox_wait(struct sandbox *s, const char *what, const char *server,
	     size_t at_least)
{
	wait_for(s, what, server, "at_least", at_least);
}

void
sandbox_wait_down(struct sandbox *s, const char *what, const char *server,
		  size_t at_most)
{
	wait_for(s, what, server, "at_most", at_most);
}

struct json_object *
sandbox_log(struct sandbox *s)
{
	return sandbox_get(s, "/log");
}

struct json_object *
sandbox_effect_list(struct sandbox *s)
{
	return sandbox_get(s, "/effects");
}

struct json_object *
sandbox_logged(struct json_object *log, const char *server, long nth)
{
	struct json_object *list = json_object_object_get(log, "requests");
	size_t count = json_object_array_length(list);

	for (size_t i = 0; i < count; i++) {
		size_t at = nth < 0 ? count - 1 - i : i;
		struct json_object *one = json_object_array_get_idx(list, at);
		const char *name = sandbox_text(one, "server");

		if (server && strcmp(name, server) != 0)
			continue;
		if (nth == 0 || nth == -1)
			return one;
		nth += nth < 0 ? 1 : -1;
	}
	return NULL;
}

const char *
sandbox_text(struct json_object *request, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(request, name, &value))
		give_up("a request has no member %s", name);
	return json_object_get_string(value);
}

const char *
sandbox_header(struct json_object *request, const char *name, size_t nth)
{
	struct json_object *list = json_object_object_get(request, "headers");
	size_t count = json_object_array_length(list);

	for (size_t i = 0; i < count; i++) {
		struct json_object *pair = json_object_array_get_idx(list, i);
		struct json_object *part = json_object_array_get_idx(pair, 0);

		if (strcasecmp(json_object_get_string(part), name) != 0)
			continue;
		if (nth-- == 0) {
			part = json_object_array_get_idx(pair, 1);
			return json_object_get_string(part);
		}
	}
	return NULL;
}

/* Configuration folders. */

const char *
sandbox_folder(struct sandbox *s)
{
	char **paths = realloc(s->paths, (s->folders + 1) * sizeof(*paths));
	char *path;

	if (!paths)
		give_up("out of memory");
	s->paths = paths;
	path = print("%s/etc.XXXXXX", s->base);
	if (!mkdtemp(path) || chmod(path, 0755) < 0)
		give_up("%s: %s", path, strerror(errno));
	s->paths[s->folders++] = path;
	json_object_put(post_text(s, "/folder", "path", path));
	return path;
}

void
sandbox_write_file(const char *folder, const char *name, mode_t mode,
		   const char *format, ...)
{
	char *path = print("%s/%s", folder, name);
	va_list arguments;
	FILE *file;
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		give_up("%s: %s", path, strerror(errno));
	va_start(arguments, format);
	if (vfprintf(file, format, arguments) < 0)
		give_up("%s: %s", path, strerror(errno));
	va_end(arguments);
	if (fchmod(fd, mode) < 0 || fclose(file) != 0)
		give_up("%s: %s", path, strerror(errno));
	free(path);
}
