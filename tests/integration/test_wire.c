/* SPDX-License-Identifier: MIT */

/*
 * The wire: where a request may go, by whom it is believed, what of the
 * process and its surroundings it heeds, and what it leaves behind.
 *
 * This program also runs itself, in surroundings that a test has prepared: see
 * helper() at the end.
 */

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <curl/curl.h>

#include "common.h"

#define ACCOUNT		"/v1/financial-accounts/fac-sandbox"
#define PLAIN		"confirm_environment = false;"
#define ONCE		"retry = { attempts = 1; };"

#define CHILD_ENVIRONMENT	32

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED	true
#else
#define SANITIZED	false
#endif

extern char **environ;

static int
get(struct monime *m)
{
	return monime_request(m, "GET", ACCOUNT, NULL, NULL, 0, NULL);
}

static int
post(struct monime *m)
{
	struct monime_call *call;
	int r;

	r = monime_request(m, "POST", "/v1/payouts", NULL, "{}", 2, &call);
	monime_call_free(call);
	return r;
}

/* Credentials follow no redirect. */

static void
test_redirect_leads_nowhere(void **state)
{
	static const int statuses[] = { 300, 301, 302, 303, 307, 308 };
	struct monime *m;
	char name[32];
	size_t i;

	(void)state;
	m = open_test(PLAIN ONCE);
	for (i = 0; i < ROWS(statuses); i++) {
		(void)snprintf(name, sizeof(name), "%d", statuses[i]);
		row = name;
		faultf("{\"redirect\": \"elsewhere\", \"status\": %d,"
		    " \"times\": 3}", statuses[i]);
		assert_code(NULL, get(m), MONIME_EPROTO);
		assert_code(NULL, post(m), MONIME_EPROTO);
		assert_code(NULL, monime_check_credential(m, NULL),
		    MONIME_EPROTO);
	}
	row = "";
	/* To the same host, to plain HTTP, and to none. */
	faultf("[{\"redirect\": \"%s/v1/x\"}, {\"redirect\": \"/v1/x\"},"
	    " {\"redirect\": \"plain\"}, {\"redirect\": \"//localhost:%u/\"},"
	    " {\"redirect\": \"file:///etc/passwd\"}, {\"redirect\": \"\"}]",
	    sandbox_origin(sandbox, "monime"),
	    sandbox_port(sandbox, "elsewhere"));
	for (i = 0; i < 6; i++)
		assert_code(NULL, get(m), MONIME_EPROTO);
	assert_int_equal(sandbox_requests(sandbox, "monime"),
	    3 * ROWS(statuses) + 6);
	assert_int_equal(sandbox_connections(sandbox, "elsewhere"), 0);
	assert_int_equal(sandbox_bytes(sandbox, "elsewhere"), 0);
	assert_int_equal(sandbox_connections(sandbox, "plain"), 0);
	assert_int_equal(sandbox_bytes(sandbox, "plain"), 0);
	monime_close(m);
}

static void
test_other_ways_to_lead_away_are_not_taken(void **state)
{
	struct monime *m = open_test(PLAIN ONCE);
	struct json_object *log;

	(void)state;
	faultf("{\"json\": {}, \"times\": 2, \"headers\": ["
	    "[\"Location\", \"%s/\"], [\"Content-Location\", \"%s/\"],"
	    "[\"Refresh\", \"0; url=%s/\"], [\"Link\", \"<%s/>\"],"
	    "[\"Alt-Svc\", \"h2=\\\"localhost:%u\\\"; ma=9999\"],"
	    "[\"Set-Cookie\", \"a=b\"],"
	    "[\"Strict-Transport-Security\", \"max-age=9999\"]]}",
	    sandbox_origin(sandbox, "elsewhere"),
	    sandbox_origin(sandbox, "elsewhere"),
	    sandbox_origin(sandbox, "elsewhere"),
	    sandbox_origin(sandbox, "elsewhere"),
	    sandbox_port(sandbox, "elsewhere"));
	assert_code(NULL, get(m), MONIME_OK);
	assert_code(NULL, get(m), MONIME_OK);
	assert_code(NULL, get(m), MONIME_OK);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 3);
	assert_int_equal(sandbox_connections(sandbox, "elsewhere"), 0);
	log = sandbox_log(sandbox);
	assert_header(sandbox_logged(log, "monime", -1), "Cookie", NULL);
	json_object_put(log);
	monime_close(m);
}

/* Certificates. */

static void
test_bad_certificate_is_enet_and_nothing_is_sent(void **state)
{
	static const char *const servers[] = {
		"wrong_name", "self_signed", "expired"
	};
	struct monime_call *call;
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(servers); i++) {
		row = servers[i];
		m = open_profile("test/t", servers[i], "test", PLAIN);
		assert_code(call, monime_request(m, "POST", "/v1/payouts",
		    NULL, "{}", 2, &call), MONIME_ENET);
		assert_fact(call, "executed", "no");
		/* Another attempt would find the same. */
		assert_fact(call, "attempts", "1");
		monime_call_free(call);
		assert_code(NULL, get(m), MONIME_ENET);
		assert_code(NULL, monime_check_credential(m, NULL),
		    MONIME_ENET);
		assert_code(NULL, monime_check_token(m,
		    sandbox_token(sandbox, "test"),
		    strlen(sandbox_token(sandbox, "test")), NULL),
		    MONIME_ENET);
		assert_row(sandbox_requests(sandbox, servers[i]) == 0);
		assert_row(sandbox_bytes(sandbox, servers[i]) == 0);
		assert_row(sandbox_connections(sandbox, servers[i]) >= 4);
		monime_close(m);
	}
	assert_int_equal(sandbox_effects(sandbox), 0);
}

static void
test_authority_is_the_one_of_our_file_alone(void **state)
{
	struct monime *m;

	(void)state;
	/* The system's folder does not know the sandbox. */
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [\"test\", \"live\"];\n");
	m = open_test(PLAIN ONCE);
	assert_code(NULL, get(m), MONIME_ENET);
	assert_int_equal(sandbox_bytes(sandbox, "monime"), 0);
	monime_close(m);
	/* Its own hashed folder does. */
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [\"test\", \"live\"];\nca_path = \"%s\";\n",
	    sandbox_ca_path(sandbox));
	if (geteuid() == 0) {
		m = open_test(PLAIN ONCE);
		assert_code(NULL, get(m), MONIME_OK);
		monime_close(m);
	}
}

static void
test_origin_without_tls_is_refused_at_open(void **state)
{
	struct monime *m;

	(void)state;
	write_profile("test/t", "plain", "test", "");
	assert_code(NULL, monime_open("test/t", folder, &m), MONIME_ECONFIG);
	assert_non_null(strstr(monime_error(m), "https://"));
	assert_code(NULL, get(m), MONIME_ECONFIG);
	monime_close(m);
	assert_silence();
}

static void
test_listener_without_tls_gets_no_request(void **state)
{
	struct json_object *log, *list;
	struct monime *m;
	size_t i, j;

	(void)state;
	sandbox_write_file(folder, "test/t.conf", 0600,
	    "provider = \"monime\";\nspace = \"spc-sandbox\";\n"
	    "base_url = \"https://localhost:%u\";\n" PLAIN ONCE,
	    sandbox_port(sandbox, "plain"));
	m = open_named("test/t");
	assert_code(NULL, get(m), MONIME_ENET);
	monime_close(m);
	/* A TLS hello arrived, and no word of ours. */
	log = sandbox_log(sandbox);
	list = json_object_object_get(log, "streams");
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);
		size_t len;
		char *s = logged_bytes(one, "data", &len);

		for (j = 0; j + 6 <= len; j++)
			assert_memory_not_equal(s + j, "canary", 6);
		assert_null(memmem(s, len, "GET ", 4));
		free(s);
	}
	json_object_put(log);
}

/*
 * A server of another kind than the sandbox: python3 with a script.  It prints
 * its port, and ends with its standard input.
 */
struct server {
	pid_t pid;
	int in;
	int out;
	unsigned int port;
};

static struct server
serve(const char *script, const char *a, const char *b)
{
	char *const argv[] = {
		(char *)"/usr/bin/python3", (char *)"-c", (char *)script,
		(char *)a, (char *)b, NULL
	};
	static char *const none[] = { NULL };
	posix_spawn_file_actions_t actions;
	struct server s;
	char line[32] = "";
	int in[2], out[2];
	ssize_t n;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0),
	    0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1],
	    1), 0);
	assert_int_equal(posix_spawn(&s.pid, argv[0], &actions, NULL, argv,
	    none), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(in[0]);
	(void)close(out[1]);
	s.in = in[1];
	s.out = out[0];
	n = read(s.out, line, sizeof(line) - 1);
	assert_true(n > 0);
	s.port = (unsigned int)atoi(line);
	assert_int_not_equal(s.port, 0);
	return s;
}

/* Wait until it has printed that many lines more; then it ends. */
static void
serve_end(struct server *s, size_t lines, char *text, size_t size)
{
	struct pollfd p = { .fd = s->out, .events = POLLIN };
	size_t len = 0, n = 0;

	while (n < lines && len < size - 1 && poll(&p, 1, 10000) == 1 &&
	    read(s->out, text + len, 1) == 1) {
		if (text[len++] == '\n')
			n++;
	}
	text[len] = '\0';
	(void)close(s->in);
	(void)close(s->out);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
	assert_int_equal(n, lines);
}

/* Arguments: the certificate, and the newest version it speaks. */
static const char old_tls[] =
    "import socket, ssl, sys, threading, warnings\n"
    "warnings.simplefilter('ignore')\n"
    "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
    "c.load_cert_chain(sys.argv[1], sys.argv[1][:-4] + '.key')\n"
    "c.set_ciphers('ALL:@SECLEVEL=0')\n"
    "c.minimum_version = ssl.TLSVersion.TLSv1\n"
    "c.maximum_version = getattr(ssl.TLSVersion, sys.argv[2])\n"
    "s = socket.create_server(('127.0.0.1', 0))\n"
    "print(s.getsockname()[1], flush=True)\n"
    "def run():\n"
    "    while True:\n"
    "        p, _ = s.accept()\n"
    "        try:\n"
    "            t = c.wrap_socket(p, server_side=True)\n"
    "            print(t.version(), flush=True)\n"
    "            if b'canary' in t.recv(65536):\n"
    "                print('token', flush=True)\n"
    "            t.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n"
    "Connection: close\\r\\n\\r\\n{}')\n"
    "            t.close()\n"
    "        except OSError:\n"
    "            print('failed', flush=True)\n"
    "            p.close()\n"
    "threading.Thread(target=run, daemon=True).start()\n"
    "sys.stdin.read()\n";

/*
 * A relay to other ports: the first connection goes to one, later ones to the
 * other.  Arguments: both ports.
 */
static const char relay[] =
    "import socket, sys, threading\n"
    "s = socket.create_server(('127.0.0.1', 0))\n"
    "print(s.getsockname()[1], flush=True)\n"
    "def pump(a, b):\n"
    "    try:\n"
    "        while True:\n"
    "            d = a.recv(65536)\n"
    "            if not d:\n"
    "                break\n"
    "            b.sendall(d)\n"
    "    except OSError:\n"
    "        pass\n"
    "    for x in (a, b):\n"
    "        try:\n"
    "            x.shutdown(socket.SHUT_RDWR)\n"
    "        except OSError:\n"
    "            pass\n"
    "def run():\n"
    "    port = int(sys.argv[1])\n"
    "    while True:\n"
    "        a, _ = s.accept()\n"
    "        b = socket.create_connection(('127.0.0.1', port))\n"
    "        for x in ((a, b), (b, a)):\n"
    "            threading.Thread(target=pump, args=x, daemon=True).start()\n"
    "        port = int(sys.argv[2])\n"
    "threading.Thread(target=run, daemon=True).start()\n"
    "sys.stdin.read()\n";

/*
 * libcurl sends again on a second connection when a kept one dies: that the
 * second one is not to be trusted does not take back the first.
 */
static void
test_bad_certificate_after_a_lost_request_is_elost(void **state)
{
	char first[16], second[16], said[64];
	struct monime_call *call;
	struct monime *m;
	struct server s;

	(void)state;
	(void)snprintf(first, sizeof(first), "%u",
	    sandbox_port(sandbox, "monime"));
	(void)snprintf(second, sizeof(second), "%u",
	    sandbox_port(sandbox, "wrong_name"));
	s = serve(relay, first, second);
	sandbox_write_file(folder, "test/t.conf", 0600,
	    "provider = \"monime\";\nspace = \"spc-sandbox\";\n"
	    "base_url = \"https://localhost:%u\";\n" PLAIN, s.port);
	sandbox_write_file(folder, "test/t.token", 0600, "%s\n",
	    sandbox_token(sandbox, "test"));
	m = open_named("test/t");
	assert_code(NULL, get(m), MONIME_OK);
	sandbox_fault(sandbox, J({"method": "POST", "reused": true,
	    "drop": "status", "execute": true}));
	assert_code(call, monime_request(m, "POST", "/v1/payouts", NULL, "{}",
	    2, &call), MONIME_ELOST);
	assert_fact(call, "executed", "unknown");
	monime_call_free(call);
	assert_int_equal(sandbox_effects(sandbox), 1);
	assert_int_equal(sandbox_requests(sandbox, "wrong_name"), 0);
	monime_close(m);
	serve_end(&s, 0, said, sizeof(said));
}

/* Nothing from the environment. */

struct child {
	const char *env[CHILD_ENVIRONMENT];
	size_t n;
	char text[4096];		/* what it printed */
	int status;
};

static const char *
say_env(char *buf, size_t size, const char *name, const char *value)
{
	(void)snprintf(buf, size, "%s=%s", name, value);
	return buf;
}

/*
 * Run this program, or a copy of it at path, as a helper in an environment
 * of its own.
 */
static void
run_child(struct child *c, const char *path, bool as_nobody,
    const char *verb, const char *argument)
{
	char *argv[] = {
		(char *)"helper", (char *)verb, (char *)argument, NULL
	};
	size_t len = 0;
	int out[2];
	ssize_t n;
	pid_t pid;

	assert_true(c->n < CHILD_ENVIRONMENT);
	c->env[c->n] = NULL;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(out[1], 1);
		if (as_nobody && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(98);
		(void)execve(path, argv, (char **)(uintptr_t)c->env);
		_exit(99);
	}
	(void)close(out[1]);
	while (len < sizeof(c->text) - 1 && (n = read(out[0], c->text + len,
	    sizeof(c->text) - 1 - len)) > 0)
		len += (size_t)n;
	c->text[len] = '\0';
	(void)close(out[0]);
	assert_int_equal(waitpid(pid, &c->status, 0), pid);
	if (!WIFEXITED(c->status) || WEXITSTATUS(c->status) != 0)
		fail_row(__FILE__, __LINE__, "helper: status %#x: %s",
		    (unsigned int)c->status, c->text);
}

/*
 * Ask such a server, from a process whose OpenSSL is configured to speak all
 * versions, so that it is ours to refuse them.
 */
static void
ask_version(const char *version, size_t lines, const char *want,
    const char *want_said)
{
	struct server s = serve(old_tls, sandbox_certificate(sandbox,
	    "server"), version);
	struct child c = { .n = 0 };
	char variable[512], file[256], said[256];

	sandbox_write_file(folder, "openssl.cnf", 0644,
	    "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
	    "[c]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n");
	(void)snprintf(file, sizeof(file), "%s/openssl.cnf", folder);
	c.env[c.n++] = say_env(variable, sizeof(variable), "OPENSSL_CONF",
	    file);
	sandbox_write_file(folder, "test/t.conf", 0600,
	    "provider = \"monime\";\nspace = \"spc-sandbox\";\n"
	    "base_url = \"https://localhost:%u\";\n" PLAIN ONCE, s.port);
	sandbox_write_file(folder, "test/t.token", 0600, "%s\n",
	    sandbox_token(sandbox, "test"));
	row = version;
	run_child(&c, "/proc/self/exe", false, "get", folder);
	serve_end(&s, lines, said, sizeof(said));
	assert_string_equal(c.text, want);
	assert_string_equal(said, want_said);
}

static void
test_tls_before_1_2_is_refused(void **state)
{
	(void)state;
	ask_version("TLSv1_2", 2, "0\n", "TLSv1.2\ntoken\n");
	ask_version("TLSv1_1", 1, "-7\n", "failed\n");
	ask_version("TLSv1", 1, "-7\n", "failed\n");
}

static void
test_hostile_environment_changes_nothing(void **state)
{
	static const char *const proxies[] = {
		"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy",
		"ALL_PROXY"
	};
	char text[16][512], netrc[256];
	struct child c = { .n = 0 };
	struct json_object *log, *one;
	const char *head;
	size_t i, n = 0;

	(void)state;
	sandbox_write_file(folder, ".netrc", 0600,
	    "machine localhost login canary_netrc password canary_netrc\n"
	    "default login canary_netrc password canary_netrc\n");
	sandbox_write_file(folder, ".curlrc", 0600,
	    "proxy = \"%s\"\nheader = \"X-Curlrc: yes\"\ninsecure\n",
	    sandbox_origin(sandbox, "proxy"));
	(void)snprintf(netrc, sizeof(netrc), "%s/.netrc", folder);
	for (i = 0; i < ROWS(proxies); i++, n++)
		c.env[c.n++] = say_env(text[n], sizeof(text[n]), proxies[i],
		    sandbox_origin(sandbox, "proxy"));
	c.env[c.n++] = "SSL_CERT_FILE=/dev/null";
	c.env[c.n++] = "SSL_CERT_DIR=/nowhere";
	c.env[c.n++] = "CURL_CA_BUNDLE=/dev/null";
	c.env[c.n++] = "CURL_SSL_BACKEND=gnutls";
	c.env[c.n++] = say_env(text[n++], sizeof(text[0]), "HOME", folder);
	c.env[c.n++] = say_env(text[n++], sizeof(text[0]), "CURL_HOME",
	    folder);
	c.env[c.n++] = say_env(text[n++], sizeof(text[0]), "NETRC", netrc);
	write_profile("test/t", "monime", "test", PLAIN ONCE);
	run_child(&c, "/proc/self/exe", false, "get", folder);
	assert_string_equal(c.text, "0\n");
	assert_int_equal(sandbox_connections(sandbox, "proxy"), 0);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "monime", 0);
	head = sandbox_text(one, "head");
	assert_null(strstr(head, "canary_netrc"));
	assert_null(strstr(head, "Basic"));
	assert_null(strstr(head, "Curlrc"));
	assert_string_equal(sandbox_text(one, "token"), "test");
	assert_null(sandbox_header(one, "Authorization", 1));
	json_object_put(log);
}

static void
test_authority_of_the_environment_is_not_trusted(void **state)
{
	char file[256], dir[256], bundle[256], conf[512], path[256];
	struct child c = { .n = 0 };

	(void)state;
	c.env[c.n++] = say_env(file, sizeof(file), "SSL_CERT_FILE",
	    sandbox_ca_file(sandbox));
	c.env[c.n++] = say_env(dir, sizeof(dir), "SSL_CERT_DIR",
	    sandbox_ca_path(sandbox));
	c.env[c.n++] = say_env(bundle, sizeof(bundle), "CURL_CA_BUNDLE",
	    sandbox_ca_file(sandbox));
	sandbox_write_file(folder, "trust.cnf", 0644,
	    "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
	    "[c]\nVerifyCAFile = %s\nVerifyMode = None\n",
	    sandbox_ca_file(sandbox));
	(void)snprintf(path, sizeof(path), "%s/trust.cnf", folder);
	c.env[c.n++] = say_env(conf, sizeof(conf), "OPENSSL_CONF", path);
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [\"test\", \"live\"];\n");
	write_profile("test/t", "monime", "test", PLAIN ONCE);
	run_child(&c, "/proc/self/exe", false, "get", folder);
	assert_string_equal(c.text, "-7\n");
	assert_int_equal(sandbox_requests(sandbox, "monime"), 0);
	assert_int_equal(sandbox_bytes(sandbox, "monime"), 0);
}

static void
use_proxy(const char *proxy)
{
	sandbox_write_file(folder, "monime.conf", 0644,
	    "environments = [\"test\", \"live\"];\nca_file = \"%s/ca.pem\";\n"
	    "proxy = \"%s\";\n", folder, proxy);
}

static void
test_proxy_of_our_file_is_used_and_sees_a_tunnel_alone(void **state)
{
	struct child c = { .n = 0 };
	struct json_object *log, *one;
	const char *head;
	char want[64];

	(void)state;
	c.env[c.n++] = "no_proxy=*";
	c.env[c.n++] = "NO_PROXY=*";
	c.env[c.n++] = "https_proxy=http://127.0.0.1:1";
	use_proxy(sandbox_origin(sandbox, "proxy"));
	write_profile("test/t", "monime", "test", PLAIN ONCE);
	run_child(&c, "/proc/self/exe", false, "get", folder);
	assert_string_equal(c.text, "0\n");
	assert_int_equal(sandbox_requests(sandbox, "proxy"), 1);
	assert_int_equal(sandbox_requests(sandbox, "monime"), 1);
	log = sandbox_log(sandbox);
	one = sandbox_logged(log, "proxy", 0);
	(void)snprintf(want, sizeof(want), "localhost:%u",
	    sandbox_port(sandbox, "monime"));
	assert_string_equal(sandbox_text(one, "method"), "CONNECT");
	assert_string_equal(sandbox_text(one, "target"), want);
	head = sandbox_text(one, "head");
	assert_null(strcasestr(head, "authorization"));
	assert_null(strcasestr(head, "monime-space-id"));
	assert_null(strstr(head, "canary"));
	assert_null(strstr(head, "fac-sandbox"));
	json_object_put(log);
}

static void
test_proxy_that_fails_is_enet(void **state)
{
	static const struct {
		const char *server;
		const char *fault;
	} rows[] = {
		{ "refused", NULL },
		{ "proxy", J({"server": "proxy", "status": 407}) },
		{ "proxy", J({"server": "proxy", "status": 403}) },
		{ "proxy", J({"server": "proxy", "status": 200,
		    "body": "{\"a\":1}"}) },
		{ "proxy", J({"server": "proxy", "redirect": "elsewhere"}) },
		{ "proxy", J({"server": "proxy", "drop": "status"}) },
		{ "proxy", J({"server": "proxy", "garbage": true}) },
		{ "proxy", J({"server": "proxy", "hold": true}) },
	};
	struct monime_call *call;
	struct monime *m;
	char url[64];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].fault != NULL ? rows[i].fault : rows[i].server;
		sandbox_reset(sandbox);
		if (rows[i].fault != NULL)
			sandbox_fault(sandbox, rows[i].fault);
		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u",
		    sandbox_port(sandbox, rows[i].server));
		use_proxy(url);
		m = open_test(PLAIN ONCE "connect_timeout = \"300 ms\";");
		assert_code(call, monime_request(m, "POST", "/v1/payouts",
		    NULL, "{}", 2, &call), MONIME_ENET);
		assert_fact(call, "executed", "no");
		monime_call_free(call);
		assert_row(sandbox_requests(sandbox, "monime") == 0);
		assert_row(sandbox_connections(sandbox, "elsewhere") == 0);
		monime_close(m);
	}
}

static void
test_bad_certificate_behind_a_proxy_is_enet(void **state)
{
	struct monime *m;

	(void)state;
	use_proxy(sandbox_origin(sandbox, "proxy"));
	m = open_profile("test/t", "wrong_name", "test", PLAIN ONCE);
	assert_code(NULL, get(m), MONIME_ENET);
	assert_int_equal(sandbox_requests(sandbox, "proxy"), 1);
	assert_int_equal(sandbox_bytes(sandbox, "wrong_name"), 0);
	monime_close(m);
}

/* SSLKEYLOGFILE, also where secure_getenv() would hide it. */

static void
test_sslkeylogfile_refuses_the_open(void **state)
{
	char variable[512], file[256];
	struct child c = { .n = 0 };

	(void)state;
	(void)snprintf(file, sizeof(file), "%s/keys", folder);
	c.env[c.n++] = say_env(variable, sizeof(variable), "SSLKEYLOGFILE",
	    file);
	write_profile("test/t", "monime", "test", PLAIN ONCE);
	run_child(&c, "/proc/self/exe", false, "get", folder);
	assert_string_equal(c.text, "open -12 SSLKEYLOGFILE\n-11\n");
	assert_int_not_equal(access(file, F_OK), 0);
	assert_silence();
	/* What it is refused for: libcurl's own start makes the file. */
	run_child(&c, "/proc/self/exe", false, "curl", folder);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(unlink(file), 0);
	/* Set to nothing it is set. */
	c.n = 0;
	c.env[c.n++] = "SSLKEYLOGFILE=";
	run_child(&c, "/proc/self/exe", false, "get", folder);
	assert_string_equal(c.text, "open -12 SSLKEYLOGFILE\n-11\n");
}

static bool
copy_file(const char *from, const char *to, mode_t mode)
{
	char buf[65536];
	ssize_t n = -1;
	int in, out;

	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (in >= 0 && out >= 0) {
		while ((n = read(in, buf, sizeof(buf))) > 0) {
			if (write(out, buf, (size_t)n) != n) {
				n = -1;
				break;
			}
		}
		if (fchmod(out, mode) != 0)
			n = -1;
	}
	if (in >= 0)
		(void)close(in);
	if (out >= 0)
		(void)close(out);
	return n == 0;
}

/* A fresh folder that all can enter, where setuid bits count. */
static bool
setuid_folder(char *dir, size_t size)
{
	static const char *const places[] = { "/run", "/var/tmp", "/tmp" };
	struct statvfs v;
	size_t i;

	for (i = 0; i < ROWS(places); i++) {
		if (statvfs(places[i], &v) != 0 ||
		    (v.f_flag & (ST_NOSUID | ST_NOEXEC)))
			continue;
		(void)snprintf(dir, size, "%s/monime-setuid.XXXXXX",
		    places[i]);
		if (mkdtemp(dir) != NULL && chmod(dir, 0755) == 0)
			return true;
	}
	return false;
}

static void
test_sslkeylogfile_under_setuid_makes_no_file(void **state)
{
	char dir[64], program[128], open_to_all[128], file[192];
	char variable[512];
	struct child c = { .n = 0 };
	struct stat st;

	(void)state;
	need_root();
	if (!setuid_folder(dir, sizeof(dir))) {
		print_message("skip: no folder where setuid bits count\n");
		skip();
	}
	(void)snprintf(program, sizeof(program), "%s/helper", dir);
	(void)snprintf(open_to_all, sizeof(open_to_all), "%s/all", dir);
	(void)snprintf(file, sizeof(file), "%s/keys", open_to_all);
	assert_true(copy_file("/proc/self/exe", program, 04755));
	assert_int_equal(mkdir(open_to_all, 0700), 0);
	assert_int_equal(chmod(open_to_all, 0777), 0);
	c.env[c.n++] = say_env(variable, sizeof(variable), "SSLKEYLOGFILE",
	    file);
	if (SANITIZED)
		c.env[c.n++] = "ASAN_OPTIONS=detect_leaks=0";
	write_profile("test/t", "monime", "test", PLAIN ONCE);

	run_child(&c, program, true, "get", folder);
	assert_string_equal(c.text, "setuid\nopen -12 SSLKEYLOGFILE\n-11\n");
	assert_int_not_equal(access(file, F_OK), 0);
	assert_silence();
	/* The harness itself: libcurl would have made it, as root. */
	run_child(&c, program, true, "curl", folder);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_uid, 0);

	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(open_to_all), 0);
	assert_int_equal(unlink(program), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* What it leaves behind. */

static size_t
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

/* Descriptors that a program started by us would inherit, one a line. */
static void
inherited(char *text, size_t size)
{
	struct child c = { .n = 0 };

	run_child(&c, "/proc/self/exe", false, "fds", "");
	(void)snprintf(text, size, "%s", c.text);
}

static size_t
lines_of(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text++;
	}
	return n;
}

static void
test_sockets_are_closed_on_exec(void **state)
{
	char before[4096], after[4096];
	struct monime *m;
	int fd, internet = 0, others = 0;

	(void)state;
	inherited(before, sizeof(before));
	m = open_profile("test/t", "monime", "test", "");
	assert_code(NULL, get(m), MONIME_OK);
	assert_code(NULL, post(m), MONIME_OK);
	assert_code(NULL, monime_check_token(m, sandbox_token(sandbox, "test"),
	    strlen(sandbox_token(sandbox, "test")), NULL), MONIME_OK);
	/* Connections are kept, and each is ours alone. */
	for (fd = 3; fd < 256; fd++) {
		struct stat st;
		int domain = 0, flags = fcntl(fd, F_GETFD);
		socklen_t len = sizeof(domain);

		if (flags < 0 || fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode))
			continue;
		(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
		if (domain == AF_UNIX) {
			others += (flags & FD_CLOEXEC) == 0;
			continue;
		}
		internet++;
		if ((flags & FD_CLOEXEC) == 0)
			fail_row(__FILE__, __LINE__, "descriptor %d", fd);
	}
	assert_true(internet >= 2);
	inherited(after, sizeof(after));
	assert_int_equal(lines_of(after, "anon_inode"),
	    lines_of(before, "anon_inode"));
	/*
	 * libcurl makes a pair of sockets for each multi handle, to wake it up
	 * (curl_multi_wakeup), and lets them be inherited.  Nothing is ever
	 * written to them; nobody can ask libcurl for another kind.
	 */
	assert_true(lines_of(after, "socket:") <=
	    lines_of(before, "socket:") + (size_t)others);
	if (others > 0)
		print_message("note: libcurl %s leaves %d of its own sockets "
		    "to be inherited\n", curl_version(), others);
	monime_close(m);
	inherited(after, sizeof(after));
	assert_string_equal(after, before);
}

#define THREADS	16
#define CALLS	50

struct worker {
	pthread_t thread;
	struct monime *m;
	int number;
	int wrong;
	char problem[512];
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	const char *token = sandbox_token(sandbox, "test");
	const char *stranger = sandbox_token(sandbox, "stranger_test");
	struct monime_call *call;
	int i, r, want;

	for (i = 0; i < CALLS; i++) {
		want = MONIME_OK;
		switch ((i + w->number) % 10) {
		case 0:
			r = monime_request(w->m, "POST", "/v1/payouts", NULL,
			    "{}", 2, &call);
			break;
		case 1:
			r = monime_check_token(w->m, token, strlen(token),
			    &call);
			break;
		case 2:
			r = monime_check_token(w->m, stranger,
			    strlen(stranger), &call);
			want = MONIME_EFORBIDDEN;
			break;
		case 3:
			r = monime_request(w->m, "GET", "/v1/x/../y", NULL,
			    NULL, 0, &call);
			want = MONIME_EINVAL;
			break;
		default:
			r = monime_request(w->m, "GET", ACCOUNT, NULL, NULL,
			    0, &call);
			break;
		}
		if (r != want || monime_call_result(call) != r) {
			w->wrong++;
			(void)snprintf(w->problem, sizeof(w->problem),
			    "%d, not %d: %s", r, want,
			    monime_call_error(call));
		}
		monime_call_free(call);
	}
	return NULL;
}

static void
count_logged(void *data, int level, const char *line)
{
	(void)level;
	(void)line;
	(*(size_t *)data)++;
}

static void
test_threads_share_a_handle(void **state)
{
	struct monime *m = open_test("timeout = \"1 min\";"
	    "check = { timeout = \"1 min\"; };");
	struct worker worker[THREADS];
	size_t logged = 0;
	int i;

	(void)state;
	monime_set_log(m, LOG_DEBUG, count_logged, &logged);
	memset(worker, 0, sizeof(worker));
	for (i = 0; i < THREADS; i++) {
		worker[i].m = m;
		worker[i].number = i;
		assert_int_equal(pthread_create(&worker[i].thread, NULL, work,
		    &worker[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(worker[i].thread, NULL), 0);
	for (i = 0; i < THREADS; i++) {
		if (worker[i].wrong > 0)
			fail_row(__FILE__, __LINE__, "%d wrong, last: %s",
			    worker[i].wrong, worker[i].problem);
	}
	assert_int_equal(sandbox_effects(sandbox), THREADS * CALLS / 10);
	assert_true(logged >= THREADS * CALLS);
	monime_close(m);
}

static void
test_handles_are_apart(void **state)
{
	struct monime *a, *b, *c;
	struct json_object *log;

	(void)state;
	a = open_profile("test/a", "monime", "test", PLAIN);
	b = open_profile("test/b", "mono_sandbox", "mono_sandbox", "");
	c = open_profile("test/c", "monime", "limited_test", PLAIN);
	assert_code(NULL, get(a), MONIME_OK);
	assert_code(NULL, monime_request(b, "GET",
	    "/v1/bank_accounts/bac_sandbox", NULL, NULL, 0, NULL), MONIME_OK);
	assert_code(NULL, get(c), MONIME_OK);
	assert_code(NULL, get(a), MONIME_OK);
	log = sandbox_log(sandbox);
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 0),
	    "token"), "test");
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 1),
	    "token"), "limited_test");
	assert_string_equal(sandbox_text(sandbox_logged(log, "monime", 2),
	    "token"), "test");
	/* A credential's connections are its own. */
	assert_int_not_equal(
	    logged_number(sandbox_logged(log, "monime", 0), "connection"),
	    logged_number(sandbox_logged(log, "monime", 1), "connection"));
	assert_int_equal(
	    logged_number(sandbox_logged(log, "monime", 0), "connection"),
	    logged_number(sandbox_logged(log, "monime", 2), "connection"));
	json_object_put(log);
	monime_close(b);
	assert_code(NULL, get(c), MONIME_OK);
	monime_close(a);
	assert_code(NULL, get(c), MONIME_OK);
	monime_close(c);
	sandbox_wait_down(sandbox, "open", "monime", 0);
	sandbox_wait_down(sandbox, "open", "mono_sandbox", 0);
}

static void
test_call_outlives_its_handle(void **state)
{
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;

	(void)state;
	assert_code(call, monime_request(m, "GET", ACCOUNT, NULL, NULL, 0,
	    &call), MONIME_OK);
	monime_close(m);
	assert_int_equal(monime_call_status(call), 200);
	assert_non_null(strstr(monime_call_body(call, NULL), "fac-sandbox"));
	assert_fact(call, "executed", "yes");
	monime_call_free(call);
}

static size_t
heap_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static size_t
mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	size_t n = 0;
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	(void)fclose(f);
	return n;
}

static void
test_open_and_close_leave_nothing(void **state)
{
	size_t fds = 0, heap = 0, maps = 0;
	struct monime *m;
	int i;

	(void)state;
	write_profile("test/t", "monime", "test", "webhook = { secrets = "
	    "[\"0123456789abcdef\"]; };");
	write_profile("test/bad", "monime", "live", "");
	for (i = 0; i < 1100; i++) {
		/* The first hundred fill what is kept for good. */
		if (i == 100) {
			fds = descriptors();
			maps = mappings();
			heap = heap_in_use();
		}
		m = open_named("test/t");
		monime_close(m);
		assert_code(NULL, monime_open("test/bad", folder, &m),
		    MONIME_EENVIRONMENT);
		monime_close(m);
	}
	assert_int_equal(descriptors(), fds);
	if (!SANITIZED) {
		assert_true(mappings() <= maps + 4);
		assert_true(heap_in_use() <= heap + 4096);
	}
}

static void
test_handles_that_were_used_leave_nothing(void **state)
{
	size_t fds = 0, heap = 0, maps = 0;
	struct monime *m;
	int i;

	(void)state;
	write_profile("test/t", "monime", "test", PLAIN);
	for (i = 0; i < 400; i++) {
		if (i == 100) {
			fds = descriptors();
			maps = mappings();
			heap = heap_in_use();
		}
		m = open_named("test/t");
		assert_code(NULL, get(m), MONIME_OK);
		monime_close(m);
	}
	assert_int_equal(descriptors(), fds);
	if (!SANITIZED) {
		assert_true(mappings() <= maps + 4);
		/* The allocator's own caches take thousands to settle. */
		assert_true(heap_in_use() <= heap + 131072);
	}
	sandbox_wait_down(sandbox, "open", "monime", 0);
}

static void
test_requests_leave_nothing(void **state)
{
	size_t fds = 0, heap = 0;
	struct monime *m = open_test(PLAIN);
	struct monime_call *call;
	int i;

	(void)state;
	for (i = 0; i < 300; i++) {
		if (i == 100) {
			fds = descriptors();
			heap = heap_in_use();
		}
		assert_code(NULL, get(m), MONIME_OK);
		assert_code(call, monime_request(m, "GET", "/v1/x", NULL,
		    NULL, 0, &call), MONIME_EHTTP);
		monime_call_free(call);
	}
	assert_int_equal(descriptors(), fds);
	if (!SANITIZED)
		assert_true(heap_in_use() <= heap + 4096);
	monime_close(m);
}

static void
test_no_descriptor_is_esys_and_passes(void **state)
{
	struct monime *m = open_test(PLAIN ONCE);
	struct rlimit was, none;
	struct monime_call *call;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	(void)!monime_request(m, "GET", ACCOUNT, NULL, NULL, 0, &call);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_code(call, monime_call_result(call), MONIME_ESYS);
	assert_fact(call, "executed", "no");
	monime_call_free(call);
	assert_code(NULL, get(m), MONIME_OK);
	monime_close(m);
}

/* What a child of this program does: see run_child(). */
static int
helper(const char *verb, const char *argument)
{
	struct monime *m;
	struct dirent *e;
	char path[64], target[256];
	ssize_t n;
	DIR *d;
	int r;

	if (getuid() != geteuid())
		(void)puts("setuid");
	if (strcmp(verb, "curl") == 0)
		return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ?
		    0 : 1;
	if (strcmp(verb, "get") == 0) {
		r = monime_open("test/t", argument, &m);
		if (r != MONIME_OK)
			(void)printf("open %d %s\n", r, strstr(monime_error(m),
			    "SSLKEYLOGFILE") != NULL ? "SSLKEYLOGFILE" :
			    monime_error(m));
		(void)printf("%d\n", get(m));
		monime_close(m);
		return 0;
	}
	d = opendir("/proc/self/fd");
	if (d == NULL)
		return 1;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || atoi(e->d_name) <= 2 ||
		    atoi(e->d_name) == dirfd(d))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%.16s",
		    e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n >= 0) {
			target[n] = '\0';
			(void)printf("%s\n", target);
		}
	}
	(void)closedir(d);
	return 0;
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(test_redirect_leads_nowhere),
		TEST(test_other_ways_to_lead_away_are_not_taken),
		TEST(test_bad_certificate_is_enet_and_nothing_is_sent),
		TEST(test_authority_is_the_one_of_our_file_alone),
		TEST(test_origin_without_tls_is_refused_at_open),
		TEST(test_listener_without_tls_gets_no_request),
		TEST(test_tls_before_1_2_is_refused),
		TEST(test_bad_certificate_after_a_lost_request_is_elost),
		TEST(test_hostile_environment_changes_nothing),
		TEST(test_authority_of_the_environment_is_not_trusted),
		TEST(test_proxy_of_our_file_is_used_and_sees_a_tunnel_alone),
		TEST(test_proxy_that_fails_is_enet),
		TEST(test_bad_certificate_behind_a_proxy_is_enet),
		TEST(test_sslkeylogfile_refuses_the_open),
		TEST(test_sslkeylogfile_under_setuid_makes_no_file),
		TEST(test_sockets_are_closed_on_exec),
		TEST(test_threads_share_a_handle),
		TEST(test_handles_are_apart),
		TEST(test_call_outlives_its_handle),
		TEST(test_open_and_close_leave_nothing),
		TEST(test_handles_that_were_used_leave_nothing),
		TEST(test_requests_leave_nothing),
		TEST(test_no_descriptor_is_esys_and_passes),
	};

	if (argc == 3 && strcmp(argv[0], "helper") == 0)
		return helper(argv[1], argv[2]);
	return cmocka_run_group_tests(tests, common_start, common_stop);
}
