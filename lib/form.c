/* SPDX-License-Identifier: MIT */

/* What the strings of a settings file must look like.  See form.h. */

#define _GNU_SOURCE
#include "form.h"

#include <arpa/inet.h>
#include <string.h>

#include "banned.h"

#define TEXT_MAX	256	/* owner, purpose and the like */
#define TOKEN_MAX	8192
#define SIGNING_MIN	16	/* bytes of a webhook secret */
#define SPACE_MAX	64	/* Monime: a Space's id */
#define VERSION_MAX	64
#define HOST_MAX	253	/* RFC 1035 2.3.4 */

static bool
starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* No control character; other bytes may be UTF-8. */
static bool
is_clean(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	}
	return true;
}

static bool
is_text(const char *s, size_t len)
{
	return len > 0 && len <= TEXT_MAX && is_clean(s, len);
}

static bool
is_visible(const char *s, size_t len)
{
	return len > 0 && len <= MN_PROFILE_STRING && mn_text_visible(s, len);
}

static bool
is_printable(const char *s, size_t len)
{
	return len > 0 && len <= MN_PROFILE_STRING && mn_text_printable(s, len);
}

static bool
is_token(const char *s, size_t len)
{
	return len > 0 && len <= TOKEN_MAX && mn_text_visible(s, len);
}

static bool
is_password(const char *s, size_t len)
{
	return len > 0 && len <= TOKEN_MAX && is_clean(s, len) &&
	    s[0] != ' ' && s[len - 1] != ' ';
}

static bool
is_signing(const char *s, size_t len)
{
	return len >= SIGNING_MIN && is_password(s, len);
}

static bool
is_space(const char *s, size_t len)
{
	return starts(s, "spc-") && len > 4 && len <= SPACE_MAX &&
	    mn_text_visible(s, len);
}

static bool
is_version(const char *s, size_t len)
{
	return len > 0 && len <= VERSION_MAX && mn_text_visible(s, len);
}

/* The rest is safefile.c's to judge. */
static bool
is_file(const char *s, size_t len)
{
	return s[0] == '/' && len > 1 && is_clean(s, len);
}

static bool
is_path(const char *s, size_t len)
{
	return s[0] == '/' && is_visible(s, len);
}

/* guard.c compares up to "?", and refuses paths that have one of the others. */
static bool
is_pattern(const char *s, size_t len)
{
	const char *star = strchr(s, '*');

	return is_path(s, len) && strpbrk(s, "?;\\#") == NULL &&
	    (star == NULL || (star == s + len - 1 && star[-1] == '/'));
}

static bool
is_address(const char *s, size_t len)
{
	unsigned char address[sizeof(struct in6_addr)];

	(void)len;
	return inet_pton(AF_INET, s, address) == 1 ||
	    inet_pton(AF_INET6, s, address) == 1;
}

/* "[::1]", as it stands in a URL. */
static bool
is_bracketed(const char *s, size_t len)
{
	char address[INET6_ADDRSTRLEN];

	if (len < 2 || len - 2 >= sizeof(address) || s[len - 1] != ']')
		return false;
	memcpy(address, s + 1, len - 2);
	address[len - 2] = '\0';
	return mn_text_made_of(address, len - 2, MN_TEXT_DIGIT "abcdef:.", 2,
	    sizeof(address)) && strchr(address, ':') != NULL &&
	    is_address(address, len - 2);
}

/* Labels of letters, digits and inner hyphens: RFC 1123 2.1. */
static bool
is_host(const char *s, size_t len)
{
	size_t i;
	bool edge = true;	/* a label begins here */

	if (s[0] == '[')
		return is_bracketed(s, len);
	if (!mn_text_made_of(s, len, MN_TEXT_LOWER MN_TEXT_DIGIT ".-", 1,
	    HOST_MAX) || s[len - 1] == '-')
		return false;
	for (i = 0; i < len; i++) {
		if (edge && (s[i] == '.' || s[i] == '-'))
			return false;
		edge = s[i] == '.';
		if (edge && s[i - 1] == '-')
			return false;
	}
	return !edge;
}

/* The length of host and port, or 0; *port: was there one? */
static size_t
origin(const char *s, bool *port)
{
	size_t host, digits = 0;
	uint64_t n;

	host = s[0] == '[' ? strcspn(s, "]") + 1 : strcspn(s, ":/?#@");
	if (host > strlen(s) || !is_host(s, host))
		return 0;
	*port = s[host] == ':';
	if (!*port)
		return host;
	digits = strspn(s + host + 1, MN_TEXT_DIGIT);
	if (!mn_text_number(s + host + 1, digits, 65535, &n) ||
	    s[host + 1] == '0')
		return 0;
	return host + 1 + digits;
}

static bool
is_origin(const char *s, size_t len)
{
	size_t scheme = strlen("https://");
	bool port;

	return starts(s, "https://") && len > scheme &&
	    origin(s + scheme, &port) == len - scheme;
}

static bool
is_url(const char *s, size_t len)
{
	size_t scheme = strlen("https://"), end;
	bool port;

	if (!starts(s, "https://") || !is_visible(s, len))
		return false;
	end = origin(s + scheme, &port);
	return end > 0 && s[scheme + end] == '/' &&
	    strpbrk(s, "#\\\"<>^`{|}") == NULL;
}

static bool
is_proxy(const char *s, size_t len)
{
	size_t scheme = strlen("http://");
	bool port;

	return starts(s, "http://") && len > scheme &&
	    origin(s + scheme, &port) == len - scheme && port;
}

/* "name=value", a parameter of the token request. */
static bool
is_parameter(const char *s, size_t len)
{
	size_t name = strspn(s, MN_TEXT_ALNUM "_.-");

	return name > 0 && s[name] == '=' && len <= MN_PROFILE_STRING &&
	    is_clean(s, len);
}

const struct mn_conf_form mn_form_token = { is_token,
    "1 to 8192 visible ASCII characters" };
const struct mn_conf_form mn_form_password = { is_password,
    "1 to 8192 bytes, no control character, no space at either end" };
const struct mn_conf_form mn_form_signing = { is_signing,
    "16 to 8192 bytes, no control character, no space at either end" };

const struct mn_conf_form mn_form_text = { is_text,
    "1 to 256 bytes of text without control characters" };
const struct mn_conf_form mn_form_visible = { is_visible,
    "1 to 1024 visible ASCII characters" };
const struct mn_conf_form mn_form_printable = { is_printable,
    "1 to 1024 printable ASCII characters" };
const struct mn_conf_form mn_form_space = { is_space,
    "\"spc-\" and up to 60 visible ASCII characters" };
const struct mn_conf_form mn_form_version = { is_version,
    "1 to 64 visible ASCII characters" };
const struct mn_conf_form mn_form_file = { is_file,
    "an absolute path" };
const struct mn_conf_form mn_form_path = { is_path,
    "a path that begins with \"/\", of visible ASCII characters" };
const struct mn_conf_form mn_form_pattern = { is_pattern,
    "a path that begins with \"/\" and may end in \"/*\"; no other \"*\", no "
    "\";\", \"\\\" or \"#\", and no \"?\": leave the query out, any is let "
    "through" };
const struct mn_conf_form mn_form_address = { is_address,
    "an IPv4 or IPv6 address" };
const struct mn_conf_form mn_form_base = { is_origin,
    "\"https://\", a host in lower case, perhaps \":PORT\", no more" };
const struct mn_conf_form mn_form_url = { is_url,
    "\"https://\", a host in lower case, perhaps a port, and a path" };
const struct mn_conf_form mn_form_proxy = { is_proxy,
    "\"http://HOST:PORT\", without user or password" };
const struct mn_conf_form mn_form_parameter = { is_parameter,
    "\"name=value\"" };
