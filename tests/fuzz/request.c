/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: method, path and headers of a request, and the URL of one that others
 * send.  What the guard lets through is put together and handed to libcurl as
 * for any request, and what arrives at the other end of the connection must be
 * that, to the byte, and nothing else; a judge of its own says what two readers
 * could take differently, and libcurl's reader of URLs is one of them.
 *
 * The bytes: one for profile and method, the path, a NUL, headers with a NUL
 * behind each, an empty one, and the body.
 */

#include "fuzz.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>

#undef _GNU_SOURCE
#include "../../lib/request.c"

#define HOST	"origin.example"
#define ORIGIN	"https://" HOST
#define TOKEN	"mon_test_0123456789"
#define SEEN	(1 << 20)

static const struct mn_wire_config config = {
	.origin = ORIGIN, .ca_path = "/", .connections = 1
};
static struct mn_easy *easy;
static struct mn_credential *credential;
static int listening, accepted;
static char seen[SEEN + 1];
static size_t seen_len;

static char *spaces[] = { "spc-other" };

static struct mn_profile profiles[] = {
	{ .name = "test/plain", .base_url = ORIGIN },
	{ .name = "test/space", .base_url = ORIGIN, .space = "spc-own",
	    .version = "caph.2025-06-20",
	    .allow.spaces = { true, 1, spaces } },
	{ .name = "test/mono", .base_url = ORIGIN },
};

static const struct {
	const char *name;
	const char *product;
} providers[] = {
	{ "monime", NULL }, { "monime", NULL }, { "mono", "banking" },
};

static const char *const methods[] = {
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "get", "TRACE"
};

/*
 * The wire: a local socket.  What listens is asked for the connection when
 * libcurl has it, and answers before anything is written.
 */

static bool
on_started(struct mn_transfer *t, int port)
{
	static const char answer[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

	(void)t;
	(void)port;
	accepted = accept(listening, NULL, NULL);
	return accepted >= 0 && write(accepted, answer, strlen(answer)) ==
	    (ssize_t)strlen(answer);
}

static void
open_wire(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len;
	CURL *c;

	/* In no folder; the number is this process's own. */
	(void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
	    "monime-fuzz-%d", (int)getpid());
	len = offsetof(struct sockaddr_un, sun_path) + 1 +
	    strlen(address.sun_path + 1);
	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	MUST(listening >= 0 && bind(listening, (struct sockaddr *)&address,
	    (socklen_t)len) == 0 && listen(listening, 1) == 0, "no socket");
	easy = mn_transfer_easy_new(&config, on_started);
	MUST(easy != NULL, "no handle");
	c = mn_transfer_easy_curl(easy);
	/* All but the line itself is what a request has. */
	MUST(curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_ABSTRACT_UNIX_SOCKET,
	    address.sun_path + 1) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK,
	    "libcurl takes no options");
}

static void
receive(void)
{
	ssize_t n;

	seen_len = 0;
	while ((n = recv(accepted, seen + seen_len, SEEN - seen_len,
	    MSG_DONTWAIT)) > 0)
		seen_len += (size_t)n;
	seen[seen_len] = '\0';
	(void)close(accepted);
}

static void
perform(struct mn_transfer *t)
{
	CURLcode code;

	t->url = "http://" HOST;
	MUST(mn_transfer_begin(t, easy), "it does not begin");
	code = curl_easy_perform(mn_transfer_easy_curl(easy));
	MUST(t->sent, "not sent: %s", curl_easy_strerror(code));
	mn_transfer_end(t, (int)code);
	receive();
	MUST(t->wire == MN_WIRE_ANSWER && t->status == 200, "wire %d: %s",
	    (int)t->wire, t->problem);
}

/*
 * What may be sent
 */

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c | 0x20) : NULL;

	return at != NULL && (c >= 'A' || c <= '9') ?
	    (int)(at - digits) : -1;
}

/* Would a reader who decodes, or one who normalises, have another path? */
static bool
is_ambiguous(const char *path)
{
	static const char unreserved[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	const char *query = strchr(path, '?');
	const char *s;
	size_t n;
	int c;

	for (s = path; *s != '\0'; s++) {
		c = (unsigned char)*s;
		if (c <= ' ' || c > '~' || c == ';' || c == '\\' || c == '#')
			return true;
		if (c != '%')
			continue;
		if (digit(s[1]) < 0 || digit(s[2]) < 0)
			return true;
		c = digit(s[1]) * 16 + digit(s[2]);
		if (c < ' ' || c == 0x7f || strchr(unreserved, c) != NULL ||
		    strchr("/\\%;?#", c) != NULL)
			return true;
	}
	if (path[0] != '/')
		return true;
	for (s = path; s != NULL && s[1] != '\0' && s[1] != '?';
	    s = strchr(s + 1, '/')) {
		if (query != NULL && s > query)
			break;
		n = strcspn(s + 1, "/?");
		if (n == 0 || (n == 1 && s[1] == '.') ||
		    (n == 2 && s[1] == '.' && s[2] == '.'))
			return true;
	}
	/* A slash at the end has an empty segment behind it. */
	n = query != NULL ? (size_t)(query - path) : strlen(path);
	return n > 1 && path[n - 1] == '/';
}

/* libcurl's own reader of URLs finds that path, be it asked to tidy up. */
static void
judge_url(const char *path)
{
	struct mn_text url = MN_TEXT_INIT(65536);
	char *host = NULL, *user = NULL, *p = NULL, *q = NULL;
	CURLU *u = curl_url();
	size_t n = strcspn(path, "?");

	mn_text_add(&url, ORIGIN "%s", path);
	MUST(u != NULL && curl_url_set(u, CURLUPART_URL, mn_text_get(&url),
	    0) == CURLUE_OK, "no URL: %s", path);
	MUST(curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    strcmp(host, HOST) == 0, "another host");
	MUST(curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER,
	    "a user");
	MUST(curl_url_get(u, CURLUPART_PATH, &p, 0) == CURLUE_OK &&
	    strlen(p) == n && memcmp(p, path, n) == 0, "path %s of %s", p,
	    path);
	if (curl_url_get(u, CURLUPART_QUERY, &q, 0) == CURLUE_OK)
		MUST(strcmp(q, path + n + 1) == 0, "query %s of %s", q, path);
	curl_free(host);
	curl_free(user);
	curl_free(p);
	curl_free(q);
	curl_url_cleanup(u);
	mn_text_free(&url);
}

/*
 * What has arrived
 */

/* How often the line stands there, by itself. */
static size_t
count(const char *line, size_t len)
{
	const char *s = strstr(seen, "\r\n");
	size_t n = 0;

	while (s != NULL && strncmp(s, "\r\n\r\n", 4) != 0) {
		s += 2;
		n += strncmp(s, line, len) == 0 &&
		    strncmp(s + len, "\r\n", 2) == 0;
		s = strstr(s, "\r\n");
	}
	return n;
}

static size_t
lines(void)
{
	const char *s = seen;
	size_t n = 0;

	while ((s = strstr(s, "\r\n")) != NULL && strncmp(s, "\r\n\r\n", 4)) {
		n++;
		s += 2;
	}
	return n;
}

static void
expect(size_t *n, const char *name, const char *value)
{
	struct mn_text line = MN_TEXT_INIT(65536);

	mn_text_add(&line, "%s%s", name, value);
	MUST(count(mn_text_get(&line), line.len) == 1, "\"%s\" in:\n%s",
	    mn_text_get(&line), seen);
	mn_text_free(&line);
	(*n)++;
}

static const char *
value_of(const char *header)
{
	const char *s = strchr(header, ':') + 1;

	return s + strspn(s, " ");
}

static void
judge_headers(size_t which, const struct request *q,
    const struct mn_guarded *g, const char *const *headers)
{
	const struct mn_profile *p = &profiles[which];
	size_t n = 0, i;
	char length[32];

	expect(&n, "Host: ", HOST);
	expect(&n, "User-Agent: ", "libmonime/" MONIME_VERSION);
	expect(&n, "Authorization: Bearer ", TOKEN);
	for (i = 0; headers[i] != NULL; i++) {
		if (mn_text_alike(headers[i], "Idempotency-Key:", 16))
			expect(&n, which == 2 ? "X-Idempotency-Key: " :
			    "Idempotency-Key: ", value_of(headers[i]));
		else
			expect(&n, headers[i], "");
	}
	if (!g->accept)
		expect(&n, "Accept: ", "application/json");
	if (!g->space && p->space != NULL)
		expect(&n, "Monime-Space-Id: ", p->space);
	if (!g->version && p->version != NULL)
		expect(&n, "Monime-Version: ", p->version);
	if (!g->content_type && q->body != NULL)
		expect(&n, "Content-Type: ", "application/json");
	if (q->body != NULL || q->method[0] == 'P') {
		(void)snprintf(length, sizeof(length), "%zu", q->len);
		expect(&n, "Content-Length: ", length);
	}
	MUST(lines() == n, "%zu lines, not %zu:\n%s", lines(), n, seen);
}

static void
judge_wire(size_t which, const struct request *q, const struct mn_guarded *g,
    const char *path, const char *const *headers)
{
	struct mn_text line = MN_TEXT_INIT(65536);
	const char *end;

	mn_text_add(&line, "%s %s HTTP/1.1\r\n", q->method, path);
	MUST(strncmp(seen, mn_text_get(&line), line.len) == 0,
	    "\"%s\" became:\n%s", path, seen);
	mn_text_free(&line);
	judge_headers(which, q, g, headers);
	end = strstr(seen, "\r\n\r\n");
	MUST(end != NULL, "no end of the head");
	end += 4;
	MUST(seen_len == (size_t)(end - seen) + q->len &&
	    (q->len == 0 || memcmp(end, q->body, q->len) == 0),
	    "another body:\n%s", seen);
}

static void
send_it(size_t which, const char *method, const char *path,
    const char *const *headers, const void *body, size_t len,
    const struct mn_guarded *g)
{
	struct mn_edition edition = {
		.profile = &profiles[which],
		.provider = mn_provider_find(providers[which].name,
		    providers[which].product),
	};
	struct monime_call call = {
		.edition = &edition, .credential = credential
	};
	struct request *q = calloc(1, sizeof(*q));
	struct mn_transfer *t = &call.transfer;

	MUST(q != NULL && copy(q, &edition, method, path, headers, body, len,
	    g), "out of memory");
	call.verb = q;
	mn_transfer_init(t);
	t->method = q->method;
	t->target = q->path;
	t->body = q->body;
	t->len = q->len;
	t->max_answer = 65536;
	t->content.max = 65536;
	t->connect_timeout = 5000;
	fill(&call);
	perform(t);
	judge_wire(which, q, g, path, headers);
	mn_transfer_free(t);
	request_free(q);
}

static char *allowed_methods[] = { "GET", "PATCH" };
static char *allowed_paths[] = { "/", "/v1/payments", "/v1/accounts/*" };

static bool
is_allowed(const char *method, const char *path)
{
	const char below[] = "/v1/accounts/";
	size_t n = strcspn(path, "?");

	if (strcmp(method, "GET") != 0 && strcmp(method, "PATCH") != 0)
		return false;
	if (strncmp(path, below, strlen(below)) == 0)
		return n > strlen(below);
	return (n == 1 && path[0] == '/') || (n == strlen("/v1/payments") &&
	    strncmp(path, "/v1/payments", n) == 0);
}

/*
 * Somebody else's request: it goes to our origin, to what is allowed, and two
 * readers of its URL find the same there.
 */
static void
judge_authorize(size_t which, const char *method, const char *url)
{
	const size_t n = strlen(ORIGIN);
	struct mn_profile p = profiles[which];
	struct mn_error e = MN_ERROR_INIT;
	const struct mn_provider *v = mn_provider_find(
	    providers[which].name, providers[which].product);
	bool good = strncmp(url, ORIGIN, n) == 0 && url[n] == '/' &&
	    strlen(url + n) <= MN_PATH_MAX && !is_ambiguous(url + n) &&
	    is_allowed(method, url + n);
	int r;

	p.allow.methods = (struct mn_list){ true, 2, allowed_methods };
	p.allow.paths = (struct mn_list){ true, 3, allowed_paths };
	r = mn_guard_authorize(&p, v, method, url, &e);
	MUST(r == (good ? MONIME_OK : MONIME_EPOLICY), "%s %s: %d", method,
	    url, r);
	if (r == MONIME_OK)
		judge_url(url + n);
	mn_error_free(&e);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct mn_secret *token;

	(void)argc;
	(void)argv;
	if (!mn_secret_init() || !mn_transfer_global())
		exit(FUZZ_SKIP);
	token = mn_secret_copy(MN_SECRET_GUARDED, TOKEN, strlen(TOKEN));
	credential = token != NULL ? mn_credential_new(token) : NULL;
	MUST(credential != NULL, "out of memory");
	mn_secret_free(token);
	open_wire();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int first = input_byte(&in);
	size_t which = first / 8 % 3, n = 0, i, len;
	const char *method = methods[first % 8];
	char *path = input_string(&in), *body;
	char *header[MN_HEADERS_MAX + 1] = { NULL };
	struct mn_text url = MN_TEXT_INIT(65536);
	struct mn_error e = MN_ERROR_INIT;
	struct mn_guarded g;
	bool given;
	int r;

	while (n < MN_HEADERS_MAX && in.left > 0 && *in.p != '\0')
		header[n++] = input_string(&in);
	(void)input_byte(&in);
	given = in.left > 0;
	body = input_rest(&in, &len);
	r = mn_guard_request(&profiles[which], mn_provider_find(
	    providers[which].name, providers[which].product), method, path,
	    (const char *const *)header, given, len, &g, &e);
	MUST((r == MONIME_OK) == (e.text.len == 0), "result %d, \"%s\"", r,
	    mn_error_get(&e));
	if (r == MONIME_OK) {
		MUST(!is_ambiguous(path), "let through: %s", path);
		judge_url(path);
		send_it(which, method, path, (const char *const *)header,
		    given ? body : NULL, len, &g);
	} else if (n == 0 && !given && first % 8 < 6 &&
	    strlen(path) <= MN_PATH_MAX) {
		MUST(is_ambiguous(path), "refused: %s", path);
	}
	judge_authorize(which, method, path);
	mn_text_add(&url, ORIGIN "%s", path);
	judge_authorize(which, method, mn_text_get(&url));
	mn_text_free(&url);
	mn_error_free(&e);
	for (i = 0; i < n; i++)
		free(header[i]);
	free(body);
	free(path);
	return 0;
}
