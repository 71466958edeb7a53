/* SPDX-License-Identifier: MIT */

/*
 * The handle: what does not open never says yes; what is told of an open one;
 * and that no secret is ever told.
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common.h"

#define ACCOUNT		"/v1/financial-accounts/fac-sandbox"

/* A file that was refused lets nobody in. */

/* Everything a handle can be asked; none of it may succeed or send. */
static void
assert_closed(struct monime *m)
{
	static const char *const facts[] = {
		"profile", "provider", "product", "environment", "origin",
		"space"
	};
	const char *token = sandbox_token(sandbox, "test");
	struct monime_call *call;
	char text[16384] = "x";
	size_t i;

	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    MONIME_ECONFIG);
	assert_row(monime_call_result(call) == MONIME_ECONFIG);
	assert_row(monime_call_error(call)[0] != '\0');
	assert_fact(call, "environment", NULL);
	assert_fact(call, "fingerprint", NULL);
	monime_call_free(call);
	/* Not even "no": our own fault is no verdict on a bearer. */
	assert_code(NULL, monime_check_token(m, NULL, 0, NULL),
	    MONIME_ECONFIG);
	assert_code(NULL, monime_check_token(m, token, strlen(token), NULL),
	    MONIME_ECONFIG);
	assert_code(call, monime_check_credential(m, &call), MONIME_ECONFIG);
	monime_call_free(call);
	assert_code(call, monime_request(m, "GET", ACCOUNT, NULL, NULL, 0,
	    &call), MONIME_ECONFIG);
	monime_call_free(call);
	assert_code(call, monime_request(m, "POST", "/v1/payouts", NULL, "{}",
	    2, &call), MONIME_ECONFIG);
	assert_row(monime_call_header_at(call, 0, NULL) == NULL);
	monime_call_free(call);
	assert_code(call, monime_authorize(m, "GET",
	    "https://api.monime.io/v1/payouts", &call), MONIME_ECONFIG);
	assert_row(monime_call_header_at(call, 0, NULL) == NULL);
	monime_call_free(call);
	assert_code(NULL, monime_verify_webhook(m, "t=1,v1=x", 8, "{}", 2),
	    MONIME_ECONFIG);
	assert_code(call, monime_check_token_start(m, token, strlen(token),
	    NULL, &call), MONIME_ECONFIG);
	monime_call_free(call);
	assert_code(call, monime_request_start(m, "GET", ACCOUNT, NULL, NULL,
	    0, NULL, &call), MONIME_ECONFIG);
	monime_call_free(call);
	assert_code(call, monime_authorize_start(m, "GET",
	    "https://api.monime.io/v1/payouts", NULL, &call), MONIME_ECONFIG);
	monime_call_free(call);
	assert_row(monime_fd(m) == MONIME_ECONFIG);
	assert_row(monime_next(m) == NULL);
	assert_row(monime_metrics(&m, 1, "openmetrics", text,
	    sizeof(text)) < sizeof(text));
	for (i = 0; i < ROWS(facts); i++)
		assert_row(monime_get(m, facts[i]) == NULL);
	assert_row(monime_http_status(MONIME_ECONFIG) == 500);
}

static void
path_of(char *buf, size_t size, const char *name)
{
	(void)snprintf(buf, size, "%s/%s", folder, name);
}

#define BASE	"provider = \"monime\";\nspace = \"spc-sandbox\";\n" \
		"base_url = \"https://localhost:1\";\n"
#define TOKEN	"mon_test_abcdef"

static const struct {
	const char *name;
	const char *conf;	/* NULL: not there */
	mode_t mode;
	const char *token;	/* NULL: not there */
	mode_t token_mode;
	int code;
} states[] = {
	{ "missing", NULL, 0, NULL, 0, MONIME_ECONFIG },
	{ "only a token", NULL, 0, TOKEN, 0600, MONIME_ECONFIG },
	{ "group may read", BASE, 0640, TOKEN, 0600, MONIME_EUNSAFE },
	{ "others may read", BASE, 0604, TOKEN, 0600, MONIME_EUNSAFE },
	{ "group may write", BASE, 0620, TOKEN, 0600, MONIME_EUNSAFE },
	{ "others may write", BASE, 0602, TOKEN, 0600, MONIME_EUNSAFE },
	{ "all may read", BASE, 0644, TOKEN, 0600, MONIME_EUNSAFE },
	{ "others may execute", BASE, 0601, TOKEN, 0600, MONIME_EUNSAFE },
	{ "group may read the token", BASE, 0600, TOKEN, 0640,
	    MONIME_EUNSAFE },
	{ "others may read the token", BASE, 0600, TOKEN, 0604,
	    MONIME_EUNSAFE },
	{ "group may write the token", BASE, 0600, TOKEN, 0620,
	    MONIME_EUNSAFE },
	{ "empty", "", 0600, TOKEN, 0600, MONIME_ECONFIG },
	{ "blank", "\n \n# nothing\n", 0600, TOKEN, 0600, MONIME_ECONFIG },
	{ "cut in a value", "provider = \"monime\";\nspace = \"spc", 0600,
	    TOKEN, 0600, MONIME_ECONFIG },
	{ "cut in a group", BASE "check = { accept = \"space\";", 0600, TOKEN,
	    0600, MONIME_ECONFIG },
	{ "another language", "[profile]\nprovider = monime\n", 0600, TOKEN,
	    0600, MONIME_ECONFIG },
	{ "include", BASE "@include \"other.conf\"\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "unknown key", BASE "fail_open = true;\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "unknown key in a group", BASE "check = { acept = \"any\"; };\n",
	    0600, TOKEN, 0600, MONIME_ECONFIG },
	{ "wrong type", BASE "confirm_environment = \"no\";\n", 0600, TOKEN,
	    0600, MONIME_ECONFIG },
	{ "unknown word", BASE "check = { accept = \"everybody\"; };\n", 0600,
	    TOKEN, 0600, MONIME_ECONFIG },
	{ "a list in place of a word",
	    BASE "check = { accept = [\"any\"]; };\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "no unit", BASE "timeout = 30;\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "out of range", BASE "retry = { attempts = 99; };\n", 0600, TOKEN,
	    0600, MONIME_ECONFIG },
	{ "a key twice", BASE "space = \"spc-other\";\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "no provider", "space = \"spc-sandbox\";\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "unknown provider", "provider = \"stripe\";\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "mono without a product", "provider = \"mono\";\n", 0600, TOKEN,
	    0600, MONIME_ECONFIG },
	{ "monime with a product", BASE "product = \"core\";\n", 0600, TOKEN,
	    0600, MONIME_ECONFIG },
	{ "Mono with a Space", "provider = \"mono\";\nproduct = \"core\";\n"
	    "space = \"spc-sandbox\";\n", 0600, TOKEN, 0600, MONIME_ECONFIG },
	{ "plain HTTP", "provider = \"monime\";\n"
	    "base_url = \"http://localhost\";\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "a user in the origin", "provider = \"monime\";\n"
	    "base_url = \"https://me@localhost\";\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "a path in the origin", "provider = \"monime\";\n"
	    "base_url = \"https://localhost/v1\";\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "expired", BASE "expires = \"2020-01-01\";\n", 0600, TOKEN, 0600,
	    MONIME_EPOLICY },
	{ "no such day", BASE "expires = \"2999-02-30\";\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "another one's prefix", BASE, 0600, "sk_test_abcdef", 0600,
	    MONIME_ECONFIG },
	{ "an empty token", BASE, 0600, "", 0600, MONIME_ECONFIG },
	{ "two lines of token", BASE, 0600, TOKEN "\nx", 0600,
	    MONIME_ECONFIG },
	{ "a live token", BASE, 0600, "mon_abcdef", 0600,
	    MONIME_EENVIRONMENT },
	{ "a live token within", BASE "token = \"mon_abcdef\";\n", 0600, NULL,
	    0, MONIME_EENVIRONMENT },
	{ "the live origin", "provider = \"mono\";\nproduct = \"core\";\n"
	    "base_url = \"https://api.cuentamono.com\";\n", 0600, "abcdef",
	    0600, MONIME_EENVIRONMENT },
	{ "the live origin with a port", "provider = \"mono\";\n"
	    "product = \"core\";\n"
	    "base_url = \"https://api.cuentamono.com:443\";\n", 0600, "abcdef",
	    0600, MONIME_EENVIRONMENT },
	{ "a token file that is not there",
	    BASE "token_file = \"/nowhere/token\";\n", 0600, NULL, 0,
	    MONIME_ECONFIG },
	{ "a short webhook secret", BASE
	    "webhook = { secrets = [\"short\"]; };\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "a Space that allow does not name", BASE
	    "allow = { spaces = [\"spc-other\"]; };\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "a list that is open to all", BASE
	    "check = { path = \"/v1/banks\"; };\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
	{ "a check path with two meanings", BASE
	    "check = { path = \"/v1/x/../y\"; };\n", 0600, TOKEN, 0600,
	    MONIME_ECONFIG },
};

static void
assert_refused(const char *name, int code)
{
	struct monime *m;

	assert_code(NULL, monime_open(name, folder, &m), code);
	assert_row(m != NULL);
	if (monime_error(m)[0] == '\0')
		fail_row(__FILE__, __LINE__, "no reason given");
	assert_closed(m);
	monime_close(m);
}

static void
test_bad_files_open_no_handle_that_says_yes(void **state)
{
	char conf[512], token[512];
	size_t i;

	(void)state;
	path_of(conf, sizeof(conf), "test/t.conf");
	path_of(token, sizeof(token), "test/t.token");
	for (i = 0; i < ROWS(states); i++) {
		row = states[i].name;
		(void)unlink(conf);
		(void)unlink(token);
		if (states[i].conf != NULL)
			sandbox_write_file(folder, "test/t.conf",
			    states[i].mode, "%s", states[i].conf);
		if (states[i].token != NULL)
			sandbox_write_file(folder, "test/t.token",
			    states[i].token_mode, "%s", states[i].token);
		assert_refused("test/t", states[i].code);
	}
	assert_silence();
	/* What all of these differ from. */
	row = "good";
	sandbox_write_file(folder, "test/t.conf", 0600, BASE);
	sandbox_write_file(folder, "test/t.token", 0600, TOKEN "\n");
	monime_close(open_named("test/t"));
}

/* Something that is no regular file stands in the place of the profile. */
static void
test_what_is_no_file_opens_no_handle(void **state)
{
	static const char *const places[] = { "test/t.conf", "test/t.token" };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[512];
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < ROWS(places); i++) {
		write_profile("test/t", "refused", "test", "");
		path_of(path, sizeof(path), places[i]);
		assert_int_equal(unlink(path), 0);
		row = "a FIFO";
		assert_int_equal(mkfifo(path, 0600), 0);
		assert_refused("test/t", MONIME_EUNSAFE);
		assert_int_equal(unlink(path), 0);
		row = "a folder";
		assert_int_equal(mkdir(path, 0700), 0);
		assert_refused("test/t", MONIME_EUNSAFE);
		assert_int_equal(rmdir(path), 0);
		/* A link is followed where it is root's. */
		row = "a link that leads nowhere";
		assert_int_equal(symlink("/nowhere/x", path), 0);
		assert_refused("test/t", geteuid() == 0 ?
		    MONIME_ECONFIG : MONIME_EUNSAFE);
		assert_int_equal(unlink(path), 0);
		row = "a link in a circle";
		assert_int_equal(symlink("t.conf", path), 0);
		if (i == 0)
			assert_refused("test/t", MONIME_EUNSAFE);
		assert_int_equal(unlink(path), 0);
		row = "a socket";
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(strlen(path) < sizeof(address.sun_path));
		memcpy(address.sun_path, path, strlen(path) + 1);
		assert_int_equal(bind(fd, (struct sockaddr *)&address,
		    sizeof(address)), 0);
		(void)close(fd);
		assert_int_equal(chmod(path, 0600), 0);
		assert_refused("test/t", MONIME_EUNSAFE);
		assert_int_equal(unlink(path), 0);
		row = "a huge file";
		sandbox_write_file(folder, places[i], 0600, BASE);
		assert_int_equal(truncate(path, (off_t)1 << 30), 0);
		assert_refused("test/t", MONIME_EUNSAFE);
		assert_int_equal(unlink(path), 0);
	}
	assert_silence();
}

static void
test_bad_folders_open_no_handle(void **state)
{
	static const struct {
		const char *name;	/* below the folder; "": itself */
		mode_t mode;
	} rows[] = {
		{ "", 0775 }, { "", 0757 }, { "", 01777 },
		{ "test", 0770 }, { "test", 0702 }, { "test", 01777 },
	};
	struct monime *m;
	char path[512];
	struct stat st;
	size_t i;

	(void)state;
	write_profile("test/t", "refused", "test", "");
	for (i = 0; i < ROWS(rows); i++) {
		path_of(path, sizeof(path), rows[i].name);
		row = path;
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(chmod(path, rows[i].mode), 0);
		assert_refused("test/t", MONIME_EUNSAFE);
		assert_int_equal(chmod(path, st.st_mode & 07777), 0);
	}
	row = "missing";
	assert_code(NULL, monime_open("test/t", "/nowhere/at/all", &m),
	    MONIME_ECONFIG);
	assert_closed(m);
	monime_close(m);
	row = "relative";
	assert_code(NULL, monime_open("test/t", "etc/monime", &m),
	    MONIME_EINVAL);
	assert_closed(m);
	monime_close(m);
	assert_silence();
}

static void
test_bad_host_files_open_no_handle(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		int code;
	} rows[] = {
		{ "environments = [\"live\"];\n", 0644, MONIME_EENVIRONMENT },
		{ "environments = [ ];\n", 0644, MONIME_EENVIRONMENT },
		{ "environments = [\"tset\"];\n", 0644, MONIME_ECONFIG },
		{ "environments = \"test\";\n", 0644, MONIME_ECONFIG },
		{ "environments = [\"test\"", 0644, MONIME_ECONFIG },
		{ "token = \"mon_test_abcdef\";\n", 0644, MONIME_ECONFIG },
		{ "ca_file = \"/nowhere/ca.pem\";\n", 0644, MONIME_ECONFIG },
		{ "ca_file = \"/dev/null\";\n", 0644, MONIME_EUNSAFE },
		{ "proxy = \"http://me:pw@localhost:1\";\n", 0644,
		    MONIME_ECONFIG },
		{ "", 0664, MONIME_EUNSAFE },
		{ "", 0646, MONIME_EUNSAFE },
	};
	char path[512];
	size_t i;

	(void)state;
	write_profile("test/t", "refused", "test", "");
	for (i = 0; i < ROWS(rows); i++) {
		row = rows[i].text;
		sandbox_write_file(folder, "monime.conf", rows[i].mode, "%s",
		    rows[i].text);
		assert_refused("test/t", rows[i].code);
	}
	/* Without it: test alone, by the system's authorities. */
	row = "missing";
	path_of(path, sizeof(path), "monime.conf");
	assert_int_equal(unlink(path), 0);
	monime_close(open_named("test/t"));
	assert_refused("live/payouts", geteuid() == 0 ?
	    MONIME_EENVIRONMENT : MONIME_EUNSAFE);
	assert_silence();
}

static void
test_other_environment_is_never_fallen_back_to(void **state)
{
	char path[512];

	(void)state;
	need_root();
	write_profile("live/only", "monime", "live", "");
	assert_refused("test/only", MONIME_ECONFIG);
	write_profile("test/other", "monime", "test", "");
	assert_refused("live/other", MONIME_ECONFIG);
	/* A test token does not get into live by a link, or by a copy. */
	path_of(path, sizeof(path), "live/linked.conf");
	assert_int_equal(symlink("../test/other.conf", path), 0);
	sandbox_write_file(folder, "live/linked.token", 0600, TOKEN "\n");
	assert_refused("live/linked", MONIME_EENVIRONMENT);
	assert_silence();
}

static void
test_live_file_of_somebody_else_is_unsafe(void **state)
{
	char path[512];

	(void)state;
	need_root();
	write_profile("live/theirs", "refused", "live", "");
	path_of(path, sizeof(path), "live/theirs.token");
	assert_int_equal(chown(path, 65534, 0), 0);
	assert_refused("live/theirs", MONIME_EUNSAFE);
	path_of(path, sizeof(path), "live/theirs.conf");
	assert_int_equal(chown(path, 65534, 0), 0);
	assert_refused("live/theirs", MONIME_EUNSAFE);
	assert_silence();
}

/* Names, and who may say where systemd's credentials are. */

static void
test_other_names_are_refused(void **state)
{
	static const char *const names[] = {
		NULL, "", "t", "test", "test/", "live/", "/t", "/test/t",
		"test//t", "test/t/", "test/t/u", "test/.", "test/..",
		"test/.t", "test/../live/t", "test/../test/t", "./test/t",
		"../test/t", "test/t.conf", "test/T", "TEST/t", "Test/t",
		"test/_t", "test/-t", "test/t t", "test/ t", " test/t",
		"test/t ", "test/t\n", "test\\t", "test/t%2f", "test/t;x",
		"test/caf\xc3\xa9", "test/\xff", "test/t*", "test/~root",
		"prod/t", "sandbox/t", "tests/t", "live", "livex/t", "test:t",
		"test/"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaa",
	};
	size_t i;

	(void)state;
	write_profile("test/t", "refused", "test", "");
	for (i = 0; i < ROWS(names); i++) {
		row = names[i] != NULL ? names[i] : "NULL";
		assert_refused(names[i], MONIME_EINVAL);
	}
	assert_silence();
}

static void
test_good_names_open(void **state)
{
	static const char *const names[] = {
		"test/t", "test/0", "test/a-b_c", "test/payouts-2025",
		"test/t-",
		"test/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaa",
	};
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(names); i++) {
		row = names[i];
		m = open_profile(names[i], "refused", "test", "");
		assert_row(same(monime_get(m, "profile"), names[i]));
		monime_close(m);
	}
}

static void
test_spoofed_credentials_folder_is_refused(void **state)
{
	const char *const folders[] = {
		folder, "/tmp", "/", "", "/run/credentials",
		"/run/credentials/", "/run/credentials/..",
		"/run/credentials/a/b", "/run/credentials/../../tmp",
		"run/credentials/x", "/run/credentials/nowhere.service",
	};
	size_t i;

	(void)state;
	write_profile("test/t", "refused", "test", "");
	sandbox_write_file(folder, "monime.test.t", 0600, BASE
	    "token = \"" TOKEN "\";\n");
	for (i = 0; i < ROWS(folders); i++) {
		struct monime *m;
		int r;

		row = folders[i];
		assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folders[i],
		    1), 0);
		/* Never a fall-through to the folder. */
		r = monime_open("test/t", folder, &m);
		assert_row(r == MONIME_EUNSAFE || r == MONIME_ECONFIG);
		assert_closed(m);
		monime_close(m);
	}
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	monime_close(open_named("test/t"));
	assert_silence();
}

/* What an open handle tells. */

static void
test_facts_of_a_handle(void **state)
{
	struct monime *m;

	(void)state;
	m = open_profile("test/t", "monime", "test", "");
	assert_string_equal(monime_get(m, "profile"), "test/t");
	assert_string_equal(monime_get(m, "provider"), "monime");
	assert_null(monime_get(m, "product"));
	assert_string_equal(monime_get(m, "environment"), "test");
	assert_string_equal(monime_get(m, "origin"),
	    sandbox_origin(sandbox, "monime"));
	assert_string_equal(monime_get(m, "space"), "spc-sandbox");
	assert_null(monime_get(m, "token"));
	assert_null(monime_get(m, ""));
	assert_null(monime_get(m, NULL));
	assert_null(monime_get(NULL, "profile"));
	assert_string_equal(monime_error(m), "");
	monime_close(m);
	m = open_profile("test/t", "mono_sandbox", "mono_sandbox", "");
	assert_string_equal(monime_get(m, "provider"), "mono");
	assert_string_equal(monime_get(m, "product"), "banking");
	assert_null(monime_get(m, "space"));
	monime_close(m);
	sandbox_write_file(folder, "test/t.conf", 0600,
	    "provider = \"mono\";\nproduct = \"core\";\n");
	m = open_named("test/t");
	assert_string_equal(monime_get(m, "origin"),
	    "https://api.sandbox.cuentamono.com");
	monime_close(m);
	if (geteuid() == 0) {
		sandbox_write_file(folder, "live/facts.conf", 0600,
		    "provider = \"mono\";\nproduct = \"core\";\n");
		m = open_named("live/facts");
		assert_string_equal(monime_get(m, "origin"),
		    "https://api.cuentamono.com");
		assert_string_equal(monime_get(m, "environment"), "live");
		monime_close(m);
	}
	assert_silence();
}

static void
test_null_is_a_call_without_memory(void **state)
{
	const char *value = "x";
	size_t len = 1;

	(void)state;
	assert_int_equal(monime_call_result(NULL), MONIME_ENOMEM);
	assert_int_equal(monime_call_status(NULL), 0);
	assert_null(monime_call_data(NULL));
	assert_string_equal(monime_call_body(NULL, &len), "");
	assert_int_equal(len, 0);
	assert_null(monime_call_header(NULL, "x"));
	assert_null(monime_call_header_at(NULL, 0, &value));
	assert_null(monime_call_get(NULL, "source"));
	assert_string_not_equal(monime_call_error(NULL), "");
	assert_string_not_equal(monime_error(NULL), "");
	monime_call_report(NULL, 401);
	monime_call_free(NULL);
	monime_close(NULL);
}

/* The log. */

struct lines {
	char text[65536];
	size_t n;
	int loudest;
};

static void
keep_line(void *data, int level, const char *line)
{
	struct lines *l = data;
	size_t len = strlen(l->text);

	assert_null(strchr(line, '\n'));
	(void)snprintf(l->text + len, sizeof(l->text) - len, "%s\n", line);
	l->n++;
	if (level < l->loudest)
		l->loudest = level;
}

static void
test_log_goes_to_the_last_function_up_to_its_level(void **state)
{
	struct monime *m = open_profile("test/t", "refused", "test",
	    "retry = { attempts = 1; };");
	static struct lines first, second;

	(void)state;
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	first.loudest = second.loudest = LOG_DEBUG;
	monime_set_log(m, LOG_DEBUG, keep_line, &first);
	assert_code(NULL, monime_request(m, "GET", ACCOUNT, NULL, NULL, 0,
	    NULL), MONIME_ENET);
	assert_int_equal(first.n, 1);
	assert_int_equal(first.loudest, LOG_WARNING);
	assert_non_null(strstr(first.text, "test/t"));
	monime_set_log(m, LOG_WARNING, keep_line, &second);
	assert_code(NULL, monime_request(m, "GET", ACCOUNT, NULL, NULL, 0,
	    NULL), MONIME_ENET);
	/* A notice, which is not asked for. */
	assert_code(NULL, monime_request(m, "GET", "x", NULL, NULL, 0, NULL),
	    MONIME_EINVAL);
	assert_int_equal(first.n, 1);
	assert_int_equal(second.n, 1);
	monime_set_log(m, LOG_DEBUG, NULL, NULL);
	assert_code(NULL, monime_request(m, "GET", ACCOUNT, NULL, NULL, 0,
	    NULL), MONIME_ENET);
	assert_int_equal(first.n, 1);
	assert_int_equal(second.n, 1);
	monime_close(m);
}

static void
test_line_of_a_log_cannot_be_forged(void **state)
{
	struct monime *m = open_test("confirm_environment = false;");
	static struct lines lines;

	(void)state;
	memset(&lines, 0, sizeof(lines));
	monime_set_log(m, LOG_DEBUG, keep_line, &lines);
	assert_code(NULL, monime_request(m, "GET", "/v1/x\nforged: yes", NULL,
	    NULL, 0, NULL), MONIME_EINVAL);
	assert_code(NULL, monime_request(m, "GET\nforged: yes", "/v1/x", NULL,
	    NULL, 0, NULL), MONIME_EINVAL);
	sandbox_fault(sandbox, J({"status": 400,
	    "body": "{\"error\":{\"reason\":\"a\\nforged: yes\"}}",
	    "headers": [["Monime-Request-Id", "a forged: yes"]]}));
	assert_code(NULL, monime_request(m, "GET", ACCOUNT, NULL, NULL, 0,
	    NULL), MONIME_EHTTP);
	assert_int_equal(lines.n, 3);
	assert_null(strstr(lines.text, "forged"));
	monime_close(m);
}

static void
test_warnings_of_the_open_are_said_to_each_log(void **state)
{
	struct monime *m = open_profile("test/t", "refused", "test",
	    "rotate_by = \"2020-01-01\";\ncheck = { accept = \"any\"; };");
	static struct lines first, second, third;

	(void)state;
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	memset(&third, 0, sizeof(third));
	first.loudest = second.loudest = LOG_DEBUG;
	assert_string_equal(monime_error(m), "");
	monime_set_log(m, LOG_WARNING, keep_line, &first);
	assert_int_equal(first.n, 2);
	assert_int_equal(first.loudest, LOG_WARNING);
	assert_non_null(strstr(first.text, "rotate_by"));
	assert_non_null(strstr(first.text, "any"));
	assert_non_null(strstr(first.text, "t.conf:"));
	monime_set_log(m, LOG_DEBUG, keep_line, &second);
	assert_int_equal(second.n, 2);
	assert_int_equal(first.n, 2);
	monime_set_log(m, LOG_ERR, keep_line, &third);
	assert_int_equal(third.n, 0);
	monime_close(m);
	/* Nothing to warn of. */
	m = open_profile("test/t", "refused", "test",
	    "rotate_by = \"2999-01-01\"; expires = \"2999-01-01\";");
	memset(&first, 0, sizeof(first));
	monime_set_log(m, LOG_DEBUG, keep_line, &first);
	assert_int_equal(first.n, 0);
	monime_close(m);
}

/*
 * Canaries.  Each token of the sandbox, and each secret below, has
 * "canary" in it; these are what any run of bytes with that word holds in
 * plain, in base64 at each of three offsets, in hexadecimal, and escaped.
 */
static const char *const traces[] = {
	"canary", "Y2FuYXJ5", "NhbmFye", "jYW5hcn", "63616e617279",
	"63616E617279", "%63%61%6e", "\\x63\\x61",
};

static const char *const fact_names[] = {
	"environment", "source", "age", "retry-after", "attempts", "executed",
	"request-id", "idempotency-key", "replayed", "rate-limit", "reason",
	"api-version", "api-release", "api-deprecated", "origin-country",
	"origin-address", "fingerprint"
};

static struct lines said;

static void
search(const char *what, const char *text)
{
	size_t i;

	for (i = 0; text != NULL && i < ROWS(traces); i++) {
		if (strcasestr(text, traces[i]) != NULL)
			fail_row(__FILE__, __LINE__, "%s: %s", what, text);
	}
}

/* All that is told of a call, but for what the API answered. */
static void
search_call(struct monime_call *call)
{
	size_t i;

	search("error", monime_call_error(call));
	for (i = 0; i < ROWS(fact_names); i++)
		search(fact_names[i], monime_call_get(call, fact_names[i]));
	monime_call_free(call);
}

static void
search_handle(struct monime *m)
{
	static const char *const names[] = {
		"profile", "provider", "product", "environment", "origin",
		"space"
	};
	static const char *const formats[] = { "openmetrics", "html" };
	static char text[65536];
	size_t i;

	search("error of the handle", monime_error(m));
	for (i = 0; i < ROWS(names); i++)
		search(names[i], monime_get(m, names[i]));
	for (i = 0; i < ROWS(formats); i++) {
		text[0] = '\0';
		(void)monime_metrics(&m, 1, formats[i], text, sizeof(text));
		search("metrics", text);
	}
}

#define SECRET	"canary_webhook_secret_0123456789"

static void
check_all(struct monime *m)
{
	static const char *const tokens[] = {
		"test", "live", "stranger_test", "stranger_live",
		"revoked_test", "limited_test", "mono_sandbox",
		"mono_production", "mono_stranger"
	};
	static const char *const odd[] = {
		"mon_test_canary with a space", "mon_test_canary\n", "canary",
		"Bearer mon_test_canary", "mon_test_canary\x80",
		"mon_test_canary\r\nX: y"
	};
	struct monime_call *call;
	size_t i;

	for (i = 0; i < ROWS(tokens); i++) {
		(void)!monime_check_token(m, sandbox_token(sandbox, tokens[i]),
		    strlen(sandbox_token(sandbox, tokens[i])), &call);
		search_call(call);
	}
	for (i = 0; i < ROWS(odd); i++) {
		(void)!monime_check_token(m, odd[i], strlen(odd[i]), &call);
		search_call(call);
	}
	(void)!monime_check_credential(m, &call);
	search_call(call);
}

static void
request_all(struct monime *m)
{
	static const char *const keyed[] = {
		"Idempotency-Key: order-1", NULL
	};
	static const char *const bearer[] = {
		"Authorization: Bearer mon_test_canary_given", NULL
	};
	static const char *const odd[] = {
		"X-Canary: canary\r\n", NULL
	};
	static const char *const *const headers[] = {
		NULL, keyed, bearer, odd
	};
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"
	};
	static const char *const paths[] = {
		ACCOUNT, "/v1/payouts", "/v1/bank_accounts/bac_sandbox",
		"/v1/nowhere"
	};
	struct monime_call *call;
	size_t i, j, k;

	for (i = 0; i < ROWS(methods); i++) {
		for (j = 0; j < ROWS(paths); j++) {
			for (k = 0; k < ROWS(headers); k++) {
				(void)!monime_request(m, methods[i], paths[j],
				    headers[k], i < 2 ? NULL : "{\"canary\":1}",
				    i < 2 ? 0 : 12, &call);
				search_call(call);
			}
		}
	}
}

static void
authorize_all(struct monime *m)
{
	static const char *const urls[] = {
		"%s/v1/payouts", "%s/v1/other", "https://user:canary@%s/",
		"%s/v1/payouts?access_token=canary#canary"
	};
	struct monime_call *call;
	char url[512];
	size_t i;

	for (i = 0; i < ROWS(urls); i++) {
		(void)snprintf(url, sizeof(url), urls[i],
		    monime_get(m, "origin"));
		(void)!monime_authorize(m, "POST", url, &call);
		monime_call_report(call, 200);
		monime_call_report(call, 401);
		search_call(call);
	}
}

static void
webhook_all(struct monime *m)
{
	static const char *const signatures[] = {
		"", "t=1,v1=canary", "t=canary,v1=canary", "v1=" SECRET,
		"t=1771803194,v1=hUGmUIHafgfanuXu2mJ5C+bOCRTryjRq/AIP8M/78sg="
	};
	size_t i;

	for (i = 0; i < ROWS(signatures); i++)
		assert_code(NULL, monime_verify_webhook(m, signatures[i],
		    strlen(signatures[i]), SECRET, strlen(SECRET)),
		    MONIME_EDENIED);
}

/* The API repeats the token in all that a log could quote. */
static void
fault_that_repeats(const char *token)
{
	faultf("{\"status\": 400, \"times\": 2, \"body\": \"{\\\"error\\\":"
	    "{\\\"reason\\\":\\\"Bearer %s\\\",\\\"message\\\":\\\"%s\\\"}}\","
	    "\"headers\": [[\"Monime-Request-Id\", \"Bearer %s\"],"
	    " [\"Monime-Rate-Limit\", \"Bearer %s\"],"
	    " [\"Retry-After\", \"%s\"]]}", token, token, token, token,
	    token);
}

#define EVERYTHING	"allow = { methods = [\"GET\", \"HEAD\", \"POST\"," \
	" \"PUT\", \"PATCH\", \"DELETE\"]; paths = [\"/\", \"/*\"]; };" \
	"webhook = { secrets = [\"" SECRET "\"]; };" \
	"retry = { attempts = 2; };"

static void
try_canaries(const char *name, const char *server, const char *token,
    const char *more)
{
	static const char *const faults[] = {
		J({"drop": "status"}), J({"drop": "body"}),
		J({"garbage": true}), J({"redirect": "elsewhere"}),
		J({"status": 401}), J({"status": 403}), J({"status": 503}),
		J({"drop": "accept"}), J({"endless": "headers"}),
	};
	struct monime_call *call;
	struct monime *m;
	size_t i;

	row = name;
	m = open_profile(name, server, token, more);
	monime_set_log(m, LOG_DEBUG, keep_line, &said);
	check_all(m);
	request_all(m);
	authorize_all(m);
	webhook_all(m);
	for (i = 0; i < ROWS(faults); i++) {
		sandbox_fault(sandbox, faults[i]);
		(void)!monime_request(m, "POST", "/v1/payouts", NULL,
		    "{\"canary\":1}", 12, &call);
		search_call(call);
		sandbox_reset(sandbox);
		sandbox_fault(sandbox, faults[i]);
		(void)!monime_check_credential(m, &call);
		search_call(call);
		sandbox_reset(sandbox);
	}
	fault_that_repeats(sandbox_token(sandbox, token));
	(void)!monime_request(m, "GET", ACCOUNT, NULL, NULL, 0, &call);
	search_call(call);
	(void)!monime_check_credential(m, &call);
	search_call(call);
	search_handle(m);
	monime_close(m);
}

static void
test_no_secret_is_ever_said(void **state)
{
	(void)state;
	memset(&said, 0, sizeof(said));
	try_canaries("test/t", "monime", "test", EVERYTHING);
	try_canaries("test/t", "mono_sandbox", "mono_sandbox", EVERYTHING
	    "check = { accept = \"path\";"
	    " path = \"/v1/bank_accounts/bac_sandbox\"; };");
	try_canaries("test/t", "wrong_name", "test", EVERYTHING);
	try_canaries("test/t", "refused", "test", EVERYTHING);
	if (geteuid() == 0)
		try_canaries("live/t", "monime", "live", EVERYTHING);
	/* There was something to search. */
	assert_true(said.n > 300);
	assert_non_null(strstr(said.text, "HTTP status"));
	search("log", said.text);
}

/* People paste tokens and secrets into the wrong place. */
static void
test_misplaced_secret_is_not_quoted(void **state)
{
	static const char *const lines[] = {
		"space = \"mon_test_canary_abcdef\";",
		"version = \"mon_test_canary abcdef\";",
		"provider = \"mon_test_canary_abcdef\";",
		"product = \"mon_test_canary_abcdef\";",
		"base_url = \"mon_test_canary_abcdef\";",
		"base_url = \"https://canary:canary@localhost\";",
		"token = \"mon_test_canary abcdef\";",
		"token = \"canary_abcdef\";",
		"token = [\"mon_test_canary\"];",
		"token = \"mon_canary_live_abcdef\";",
		"token = \"mon_test_canary_abcdef\"; timeout = \"x\";",
		"token = mon_test_canary_abcdef;",
		"token = \"mon_test_canary_abcdef",
		"token \"mon_test_canary_abcdef\";",
		"\"mon_test_canary_abcdef\"",
		"mon_test_canary_abcdef",
		"mon_test_canary_abcdef = 1;",
		"check = { mon_test_canary_a = 1; };",
		"tokn = \"mon_test_canary_abcdef\";",
		"token_file = \"mon_test_canary_abcdef\";",
		"webhook = { secrets = [\"canary_short\"]; };",
		"webhook = { secret = [\"canary_0123456789abcdef\"]; };",
		"webhook = { secrets = \"canary_0123456789abcdef\"; };",
		"webhook = \"canary_0123456789abcdef\";",
		"oauth2 = { client_secret = \"canary_abcdef\"; };",
		"rotate_by = \"mon_test_canary\";",
		"timeout = \"mon_test_canary\";",
		"check = { accept = \"mon_test_canary\"; };",
		"allow = { methods = [\"mon_test_canary\"]; };",
		"allow = { spaces = [\"mon_test_canary\"]; };",
		"confirm_environment = \"mon_test_canary\";",
	};
	static const char *const tokens[] = {
		"canary abcdef", "mon_test_canary\nmon_test_canary\n",
		"token = \"mon_test_canary\";\n", "canary\x80", "canary",
		"mon_canary_live\n", "\ncanary", "\"mon_test_canary\"",
	};
	struct monime *m;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(lines); i++) {
		row = lines[i];
		sandbox_write_file(folder, "test/t.conf", 0600,
		    "%s%s\n", strncmp(lines[i], "provider", 8) == 0 ? "" :
		    "provider = \"monime\";\n", lines[i]);
		sandbox_write_file(folder, "test/t.token", 0600,
		    "mon_test_canary_in_its_place\n");
		assert_row(monime_open("test/t", folder, &m) != MONIME_OK);
		search("open", monime_error(m));
		assert_row(monime_check_token(m, "x", 1, NULL) ==
		    MONIME_ECONFIG);
		monime_close(m);
	}
	for (i = 0; i < ROWS(tokens); i++) {
		row = tokens[i];
		sandbox_write_file(folder, "test/t.conf", 0600, BASE);
		sandbox_write_file(folder, "test/t.token", 0600, "%s",
		    tokens[i]);
		assert_row(monime_open("test/t", folder, &m) != MONIME_OK);
		search("open", monime_error(m));
		monime_close(m);
	}
	row = "a name";
	assert_row(monime_open("mon_test_canary_abcdef", folder, &m) ==
	    MONIME_EINVAL);
	search("open", monime_error(m));
	monime_close(m);
}

/* The fingerprint is what is shown, and it does not betray the token. */
static void
test_fingerprint_is_the_same_everywhere(void **state)
{
	char text[MONIME_FINGERPRINT_SIZE];
	const char *token = sandbox_token(sandbox, "test");
	struct monime *m = open_profile("test/t", "monime", "test",
	    "allow = { methods = [\"GET\"]; paths = [\"/*\"]; };");
	struct monime_call *call;
	char url[256];

	(void)state;
	assert_int_equal(monime_fingerprint(token, strlen(token), text,
	    sizeof(text)), MONIME_OK);
	assert_int_equal(strlen(text), 32);
	assert_code(call, monime_check_token(m, token, strlen(token), &call),
	    MONIME_OK);
	assert_fact(call, "fingerprint", text);
	monime_call_free(call);
	assert_code(call, monime_check_credential(m, &call), MONIME_OK);
	assert_fact(call, "fingerprint", text);
	monime_call_free(call);
	(void)snprintf(url, sizeof(url), "%s/v1/x", monime_get(m, "origin"));
	assert_code(call, monime_authorize(m, "GET", url, &call), MONIME_OK);
	assert_fact(call, "fingerprint", text);
	monime_call_free(call);
	monime_close(m);
	/* printf 'monime-fingerprint-1\0a' | sha256sum */
	assert_int_equal(monime_fingerprint("a", 1, text, sizeof(text)),
	    MONIME_OK);
	assert_string_equal(text, "a8e6864a8c616afdcb5836437649c7f3");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_files_open_no_handle_that_says_yes),
		TEST(test_what_is_no_file_opens_no_handle),
		TEST(test_bad_folders_open_no_handle),
		TEST(test_bad_host_files_open_no_handle),
		TEST(test_other_environment_is_never_fallen_back_to),
		TEST(test_live_file_of_somebody_else_is_unsafe),
		TEST(test_other_names_are_refused),
		TEST(test_good_names_open),
		TEST(test_spoofed_credentials_folder_is_refused),
		TEST(test_facts_of_a_handle),
		TEST(test_null_is_a_call_without_memory),
		TEST(test_log_goes_to_the_last_function_up_to_its_level),
		TEST(test_line_of_a_log_cannot_be_forged),
		TEST(test_warnings_of_the_open_are_said_to_each_log),
		TEST(test_no_secret_is_ever_said),
		TEST(test_misplaced_secret_is_not_quoted),
		TEST(test_fingerprint_is_the_same_everywhere),
	};

	return cmocka_run_group_tests(tests, common_start, common_stop);
}
