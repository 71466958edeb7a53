/* SPDX-License-Identifier: MIT */

/* One HTTP exchange by libcurl.  See transfer.h. */

#define _GNU_SOURCE
#include "transfer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "abi.h"
#include "banned.h"

#define HEAD_USUAL	500	/* bytes of a head that most do not pass */

/*
 * So much is escaped at once.  libcurl begins with 32 bytes, and leaves what it
 * has of a secret behind when it needs more.
 */
#define ESCAPED		10

struct mn_easy {
	CURL *curl;
	struct mn_transfer *transfer;
	const struct mn_wire_config *config;
	bool (*started)(struct mn_transfer *, int port);
	/* As it was left: each option costs something to set. */
	const char *url;	/* NULL: another than the origin */
	bool get;
	bool fresh;
	int64_t connect_timeout;
	/*
	 * The list of header lines in our own nodes: the lines hold tokens,
	 * and curl_slist_append() would copy them.
	 */
	struct curl_slist node[MN_TRANSFER_LINES + 1];
	char problem[CURL_ERROR_SIZE];
};

void
mn_transfer_init(struct mn_transfer *t)
{
	memset(t, 0, sizeof(*t));
	t->head.max = MN_TRANSFER_HEAD_MAX;
	mn_transfer_reset(t);
}

void
mn_transfer_reset(struct mn_transfer *t)
{
	mn_text_free(&t->head);
	mn_text_free(&t->content);
	t->content.max = t->max_answer;
	t->wire = MN_WIRE_UNSENT;
	t->sent = false;
	t->resent = false;
	t->status = 0;
	t->problem[0] = '\0';
	t->head_bytes = 0;
	t->in_head = false;
	t->stale = false;
	t->unwatched = false;
}

void
mn_transfer_free(struct mn_transfer *t)
{
	mn_text_free(&t->head);
	mn_text_free(&t->content);
}

const char *
mn_transfer_header_at(const struct mn_text *head, size_t i,
    const char **value)
{
	const char *s = mn_text_get(head);
	const char *end = s + head->len;
	const char *v;

	for (; s < end; i--) {
		v = s + strlen(s) + 1;
		if (i == 0) {
			if (value != NULL)
				*value = v;
			return s;
		}
		s = v + strlen(v) + 1;
	}
	return NULL;
}

void
mn_transfer_headers(const struct mn_text *head, const char *const *name,
    const char **value, size_t n)
{
	const char *s = mn_text_get(head);
	const char *end = s + head->len;
	const char *v;
	size_t i, len;

	for (i = 0; i < n; i++)
		value[i] = NULL;
	for (; s < end; s = v + strlen(v) + 1) {
		len = strlen(s);
		v = s + len + 1;
		for (i = 0; i < n; i++) {
			/* Most differ in their first letter already. */
			if (((*s ^ *name[i]) & ~('a' ^ 'A')) == 0 &&
			    value[i] == NULL && strlen(name[i]) == len &&
			    mn_text_alike(s, name[i], len))
				value[i] = v;
		}
	}
}

const char *
mn_transfer_header(const struct mn_text *head, const char *name)
{
	const char *value;

	mn_transfer_headers(head, &name, &value, 1);
	return value;
}

int64_t
mn_transfer_date(const char *value)
{
	time_t t = curl_getdate(value, NULL);

	return t == -1 ? INT64_MIN : (int64_t)t - (int64_t)time(NULL);
}

void
mn_transfer_escape(struct mn_text *out, const char *s, size_t len)
{
	char *escaped;
	size_t n;

	for (; len > 0; s += n, len -= n) {
		n = len < ESCAPED ? len : ESCAPED;
		escaped = curl_easy_escape(NULL, s, (int)n);
		if (escaped == NULL) {
			out->failed = true;
			return;
		}
		mn_text_put(out, escaped, strlen(escaped));
		explicit_bzero(escaped, strlen(escaped));
		curl_free(escaped);
	}
}

bool
mn_transfer_global(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static bool started;
	bool r;

	(void)pthread_mutex_lock(&lock);
	/*
	 * Once, and never undone: others in this process may use libcurl as
	 * well.  But what failed for want of memory may not the next time.
	 */
	if (!started)
		started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	r = started;
	(void)pthread_mutex_unlock(&lock);
	return r;
}

bool
mn_transfer_resolves_apart(void)
{
	const curl_version_info_data *info;

	info = curl_version_info(CURLVERSION_NOW);
	return (info->features & CURL_VERSION_ASYNCHDNS) != 0;
}

static void
problem(struct mn_transfer *t, const char *s)
{
	size_t n = strlen(s);

	if (n >= sizeof(t->problem))
		n = sizeof(t->problem) - 1;
	memcpy(t->problem, s, n);
	t->problem[n] = '\0';
}

/*
 * Does that header tell where the answer ends, and has another done so?  Then
 * somebody between us and the origin may have seen two answers where we see
 * one, or the reverse (RFC 9112 6.3 and 11.2).
 */
static bool
ends_twice(const struct mn_text *head, const char *name, size_t len)
{
	static const char *const ends[] = {
		"Content-Length", "Transfer-Encoding"
	};
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (strlen(ends[i]) == len && mn_text_alike(name, ends[i], len))
			return mn_transfer_header(head, ends[0]) != NULL ||
			    mn_transfer_header(head, ends[1]) != NULL;
	}
	return false;
}

static void
add_header(struct mn_transfer *t, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *value, *end = line + len;
	size_t n;
	char *s;

	/* A line that begins with white space continues another: obsolete. */
	if (colon == NULL || colon == line || *line == ' ' || *line == '\t')
		return;
	/* It would shift what follows: names and values end in one. */
	if (memchr(line, '\0', len) != NULL)
		return;
	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == '\r' || end[-1] == '\n' ||
	    end[-1] == ' ' || end[-1] == '\t'))
		end--;
	n = (size_t)(colon - line);
	len = (size_t)(end - value);
	if (ends_twice(&t->head, line, n)) {
		t->wire = MN_WIRE_BROKEN;
		problem(t, "the answer says twice where it ends");
		return;
	}
	s = mn_text_grow(&t->head, n + 1 + len + 1);
	if (s == NULL)
		return;
	memcpy(s, line, n);
	s[n] = '\0';
	memcpy(s + n + 1, value, len);
	s[n + 1 + len] = '\0';
}

/* Lines of one or more heads (each 1xx has its own), and of trailers. */
static size_t
on_header(char *line, size_t size, size_t len, void *arg)
{
	struct mn_transfer *t = arg;

	(void)size;	/* always 1 */
	t->head_bytes += len;
	if (t->head_bytes > MN_TRANSFER_HEAD_MAX) {
		t->wire = MN_WIRE_BROKEN;
		problem(t, "the answer's headers pass 64 KiB");
		return 0;
	}
	if (!t->in_head) {
		/* What is neither a head nor in one is a trailer. */
		if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
			t->in_head = true;
			mn_text_free(&t->head);
			mn_text_expect(&t->head, HEAD_USUAL);
		}
		return len;
	}
	if (len <= 2)
		t->in_head = false;	/* the empty line */
	else
		add_header(t, line, len);
	return t->wire == MN_WIRE_BROKEN ? 0 : len;
}

static size_t
on_body(char *bytes, size_t size, size_t len, void *arg)
{
	struct mn_transfer *t = arg;

	(void)size;	/* always 1 */
	if (len > t->max_answer - t->content.len) {
		t->wire = MN_WIRE_BROKEN;
		problem(t, "the answer is larger than max_answer");
		return 0;
	}
	mn_text_put(&t->content, bytes, len);
	return t->content.failed ? 0 : len;
}

/* The connection stands, the request is about to be written. */
static int
on_prerequest(void *arg, char *primary_ip, char *local_ip, int primary_port,
    int local_port)
{
	struct mn_transfer *t = arg;

	(void)primary_ip;
	(void)local_ip;
	(void)primary_port;
	if (!t->easy->started(t, local_port))
		return CURL_PREREQFUNC_ABORT;
	if (t->sent)
		t->resent = true;
	t->sent = true;
	return CURL_PREREQFUNC_OK;
}

/* Options of one kind each, set once for a kept handle. */
static CURLcode
set_long(CURL *c)
{
	static const struct {
		CURLoption option;
		long value;
	} options[] = {
		{ CURLOPT_SSL_VERIFYPEER, 1 },
		{ CURLOPT_SSL_VERIFYHOST, 2 },
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_UNRESTRICTED_AUTH, 0 },
		{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_PATH_AS_IS, 1 },
		{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
		{ CURLOPT_HTTP09_ALLOWED, 0 },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
		/* An encoding that nobody asked for stays as it came. */
		{ CURLOPT_HTTP_CONTENT_DECODING, 0 },
		{ CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
		/* Our headers are the origin's, never the proxy's. */
		{ CURLOPT_HEADEROPT, CURLHEADER_SEPARATE },
		/* Do not join a resolver's thread that hangs. */
		{ CURLOPT_QUICK_EXIT, 1 },
	};
	CURLcode r = CURLE_OK;
	size_t i;

	for (i = 0; r == CURLE_OK &&
	    i < sizeof(options) / sizeof(options[0]); i++)
		r = curl_easy_setopt(c, options[i].option, options[i].value);
	return r;
}

static CURLcode
set_trust(CURL *c, const struct mn_wire_config *config)
{
	struct curl_blob blob = {
		.data = (void *)(uintptr_t)config->ca,
		.len = config->ca_len,
		.flags = CURL_BLOB_NOCOPY,
	};
	CURLcode r;

	/* Both always set, so that nothing built into libcurl is left. */
	if ((r = curl_easy_setopt(c, CURLOPT_CAPATH, config->ca_path)) !=
	    CURLE_OK)
		return r;
	r = curl_easy_setopt(c, CURLOPT_CAINFO, (char *)NULL);
	if (r == CURLE_OK && config->ca_path == NULL)
		r = curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
	return r;
}

static CURLcode
set_network(CURL *c, const struct mn_wire_config *config)
{
	CURLcode r;

	/* "" and not NULL: NULL would ask the environment. */
	if ((r = curl_easy_setopt(c, CURLOPT_PROXY,
	    config->proxy != NULL ? config->proxy : "")) != CURLE_OK ||
	    (r = curl_easy_setopt(c, CURLOPT_NOPROXY, "")) != CURLE_OK ||
	    (r = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https")) !=
	    CURLE_OK)
		return r;
	return curl_easy_setopt(c, CURLOPT_USERAGENT,
	    "libmonime/" MONIME_VERSION);
}

static CURLcode
set_callbacks(CURL *c, char *error)
{
	CURLcode r;

	if ((r = curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header)) !=
	    CURLE_OK ||
	    (r = curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body)) !=
	    CURLE_OK ||
	    (r = curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_prerequest)) !=
	    CURLE_OK)
		return r;
	return curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
}

struct mn_easy *
mn_transfer_easy_new(const struct mn_wire_config *c,
    bool (*started)(struct mn_transfer *, int port))
{
	struct mn_easy *k;

	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return NULL;
	k->config = c;
	k->started = started;
	k->curl = curl_easy_init();
	if (k->curl == NULL || set_long(k->curl) != CURLE_OK ||
	    set_trust(k->curl, c) != CURLE_OK ||
	    set_network(k->curl, c) != CURLE_OK ||
	    set_callbacks(k->curl, k->problem) != CURLE_OK) {
		mn_transfer_easy_free(k);
		return NULL;
	}
	return k;
}

void
mn_transfer_easy_free(struct mn_easy *k)
{
	if (k == NULL)
		return;
	if (k->curl != NULL)
		curl_easy_cleanup(k->curl);
	free(k);
}

void *
mn_transfer_easy_curl(struct mn_easy *k)
{
	return k->curl;
}

struct mn_transfer *
mn_transfer_of(struct mn_easy *k)
{
	return k->transfer;
}

/*
 * With a body, or for a method whose request has one by definition, libcurl's
 * POST; else its GET.  The name on the wire is ours in every case.
 */
static CURLcode
set_method(struct mn_easy *k, const struct mn_transfer *t)
{
	bool get = strcmp(t->method, "GET") == 0 && t->body == NULL;
	CURL *c = k->curl;
	bool head = strcmp(t->method, "HEAD") == 0;
	bool post = t->body != NULL || (t->method[0] == 'P');
	CURLcode r;

	if (get && k->get)
		return CURLE_OK;
	k->get = false;
	if ((r = curl_easy_setopt(c, CURLOPT_NOBODY, head ? 1L : 0L)) !=
	    CURLE_OK ||
	    (r = curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST,
	    head ? NULL : t->method)) != CURLE_OK)
		return r;
	if (head)
		return CURLE_OK;
	if (!post) {
		r = curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
		k->get = get && r == CURLE_OK;
		return r;
	}
	if ((r = curl_easy_setopt(c, CURLOPT_POST, 1L)) != CURLE_OK ||
	    (r = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
	    (curl_off_t)t->len)) != CURLE_OK)
		return r;
	/* Not copied. */
	return curl_easy_setopt(c, CURLOPT_POSTFIELDS,
	    t->body != NULL ? t->body : "");
}

static CURLcode
set_lines(struct mn_easy *k, const struct mn_transfer *t)
{
	size_t i;

	for (i = 0; i < t->lines; i++) {
		k->node[i].data = (char *)(uintptr_t)t->line[i];
		k->node[i].next = i + 1 < t->lines ? &k->node[i + 1] : NULL;
	}
	return curl_easy_setopt(k->curl, CURLOPT_HTTPHEADER,
	    t->lines > 0 ? &k->node[0] : NULL);
}

static CURLcode
set_target(struct mn_easy *k, const struct mn_transfer *t)
{
	const char *url = t->url != NULL ? t->url : k->config->origin;
	CURLcode r;

	if (url != k->url &&
	    (r = curl_easy_setopt(k->curl, CURLOPT_URL, url)) != CURLE_OK)
		return r;
	/* Only the origin stays where it is. */
	k->url = t->url == NULL ? url : NULL;
	return curl_easy_setopt(k->curl, CURLOPT_REQUEST_TARGET, t->target);
}

static CURLcode
set_connection(struct mn_easy *k, const struct mn_transfer *t)
{
	CURLcode r = CURLE_OK;

	if (t->connect_timeout != k->connect_timeout)
		r = curl_easy_setopt(k->curl, CURLOPT_CONNECTTIMEOUT_MS,
		    (long)t->connect_timeout);
	if (r == CURLE_OK && t->fresh != k->fresh)
		r = curl_easy_setopt(k->curl, CURLOPT_FRESH_CONNECT,
		    t->fresh ? 1L : 0L);
	if (r == CURLE_OK) {
		k->connect_timeout = t->connect_timeout;
		k->fresh = t->fresh;
	}
	return r;
}

bool
mn_transfer_begin(struct mn_transfer *t, struct mn_easy *k)
{
	CURL *c = k->curl;

	k->transfer = t;
	k->problem[0] = '\0';
	t->easy = k;
	return set_method(k, t) == CURLE_OK && set_lines(k, t) == CURLE_OK &&
	    set_target(k, t) == CURLE_OK && set_connection(k, t) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_HEADERDATA, t) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_PREREQDATA, t) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK;
}

/*
 * libcurl does not tell a host that cannot be reached from a process that has
 * no descriptor for a socket, or for asking a name server.
 */
static bool
has_descriptors(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

static enum mn_wire
classify(const struct mn_transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return MN_WIRE_ANSWER;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		/* libcurl may have sent it before, on one that died. */
		return t->sent ? MN_WIRE_LOST : MN_WIRE_UNTRUSTED;
	case CURLE_OUT_OF_MEMORY:
		return MN_WIRE_NOMEM;
	case CURLE_FAILED_INIT:
	case CURLE_UNKNOWN_OPTION:
	case CURLE_NOT_BUILT_IN:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return MN_WIRE_SYS;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		if (t->sent)
			return MN_WIRE_LOST;
		return has_descriptors() ? MN_WIRE_UNSENT : MN_WIRE_SYS;
	case CURLE_UNSUPPORTED_PROTOCOL:	/* an answer of HTTP/0.9 */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_WRITE_ERROR:
		return t->sent ? MN_WIRE_BROKEN : MN_WIRE_UNSENT;
	default:
		return t->sent ? MN_WIRE_LOST : MN_WIRE_UNSENT;
	}
}

/*
 * Does nothing but the end of the connection tell where the body ends?  To
 * libcurl that is an end even without TLS's own close, so that whoever sits on
 * the line can cut it (RFC 9112 9.8).
 */
static bool
is_open_ended(const struct mn_transfer *t, CURL *c)
{
	curl_off_t length = -1;
	const char *coding;

	if (strcmp(t->method, "HEAD") == 0 || t->status == 204 ||
	    t->status == 304)
		return false;
	if (curl_easy_getinfo(c, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
	    &length) == CURLE_OK && length >= 0)
		return false;
	coding = mn_transfer_header(&t->head, "Transfer-Encoding");
	return coding == NULL || strcasestr(coding, "chunked") == NULL;
}

void
mn_transfer_end(struct mn_transfer *t, int curlcode)
{
	CURLcode code = (CURLcode)curlcode;
	struct mn_easy *k = t->easy;
	long status = 0;

	if (t->content.failed || t->head.failed)
		t->wire = MN_WIRE_NOMEM;
	else if (t->wire != MN_WIRE_BROKEN)
		t->wire = classify(t, code);
	/* What was never begun has the status of the one before. */
	if (t->sent && curl_easy_getinfo(k->curl, CURLINFO_RESPONSE_CODE,
	    &status) == CURLE_OK)
		t->status = (int)status;
	/* To libcurl a connection that closes within the head ends it. */
	if (t->wire == MN_WIRE_ANSWER && (t->in_head || t->status < 200)) {
		t->wire = MN_WIRE_LOST;
		problem(t, "the connection was closed within the headers");
	}
	if (t->wire == MN_WIRE_ANSWER && is_open_ended(t, k->curl)) {
		t->wire = MN_WIRE_LOST;
		problem(t, "the answer does not say where it ends");
	}
	if (t->wire != MN_WIRE_ANSWER && t->problem[0] == '\0')
		problem(t, k->problem[0] != '\0' ?
		    k->problem : curl_easy_strerror(code));
	/* Nothing of the transfer's may be left behind. */
	(void)curl_easy_setopt(k->curl, CURLOPT_HTTPHEADER, NULL);
	if (!k->get)
		(void)curl_easy_setopt(k->curl, CURLOPT_POSTFIELDS, NULL);
	k->transfer = NULL;
	t->easy = NULL;
}
