/* SPDX-License-Identifier: MIT */

/*
 * Fuzz: a webhook's signature header.  The bytes are a header, a NUL and a
 * body; in the header "T" stands for the time, "L", "M", "N" and "O" for the
 * ends of what is tolerated, and "S" and "Z" for the right signatures of that
 * body and the last time, so that good ones are met, and what remains of them
 * when a byte is changed.  libsodium, asked anew, is the judge.
 */

#include "fuzz.h"

#include <sodium.h>

#undef _GNU_SOURCE
#include "../../lib/webhook.c"

#define NOW		1771803194
#define TOLERANCE	300
#define SECRETS		2

static const char *const secrets[SECRETS] = {
	"the-first-secret-of-this-fuzzer", "and-the-second-of-them"
};

static const struct {
	const char *provider;
	const char *product;
	char separator;
	bool base64;
} providers[] = {
	{ "monime", NULL, '_', true },
	{ "mono", "banking", '.', false },
};

time_t __wrap_time(time_t *t);

time_t
__wrap_time(time_t *t)
{
	if (t != NULL)
		*t = NOW;
	return NOW;
}

struct delivery_of {
	int by;
	const char *body;
	size_t len;
};

/* The one good spelling of a signature of that time and body. */
static void
sign(const struct delivery_of *d, size_t secret, const char *time, size_t len,
    char out[80])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	char *whole = malloc(len + 1 + d->len);

	MUST(whole != NULL, "out of memory");
	memcpy(whole, time, len);
	whole[len] = providers[d->by].separator;
	memcpy(whole + len + 1, d->body, d->len);
	crypto_auth_hmacsha256_init(&state, (const void *)secrets[secret],
	    strlen(secrets[secret]));
	crypto_auth_hmacsha256_update(&state, (const void *)whole,
	    len + 1 + d->len);
	crypto_auth_hmacsha256_final(&state, mac);
	if (providers[d->by].base64)
		(void)sodium_bin2base64(out, 80, mac, sizeof(mac),
		    sodium_base64_VARIANT_ORIGINAL);
	else
		(void)sodium_bin2hex(out, 80, mac, sizeof(mac));
	free(whole);
}

/* Seconds from now, by letter. */
static const struct {
	char letter;
	int from;
} times[] = {
	{ 'T', 0 }, { 'L', -TOLERANCE }, { 'M', -TOLERANCE - 1 },
	{ 'N', TOLERANCE }, { 'O', TOLERANCE + 1 },
};

/* The bytes with what the letters stand for. */
static void
expand(const struct delivery_of *d, const char *s, struct mn_text *out)
{
	char signature[80], time[16] = "1771803194";
	size_t i;

	for (; *s != '\0'; s++) {
		for (i = 0; i < sizeof(times) / sizeof(*times); i++) {
			if (times[i].letter == *s)
				break;
		}
		if (i < sizeof(times) / sizeof(*times)) {
			(void)snprintf(time, sizeof(time), "%d",
			    NOW + times[i].from);
			mn_text_add(out, "t=%s", time);
		} else if (*s == 'S' || *s == 'Z') {
			sign(d, *s == 'Z', time, strlen(time), signature);
			mn_text_add(out, "v1=%s", signature);
		} else {
			mn_text_put(out, s, 1);
		}
	}
}

/* One item of the header; false: it spoils all. */
static bool
read_item(char *item, const char **time, const char *signature[], size_t *n)
{
	item += strspn(item, " ");
	if (strncmp(item, "t=", 2) == 0) {
		item += 2;
		if (*time != NULL || strlen(item) < 1 || strlen(item) > 12 ||
		    strspn(item, "0123456789") != strlen(item))
			return false;
		*time = item;
	} else if (strncmp(item, "v1=", 3) == 0) {
		if (*n == 8)
			return false;
		signature[(*n)++] = item + 3;
	} else {
		return strchr(item, '=') != NULL;
	}
	return true;
}

/*
 * What the rules say: one time, 1 to 12 digits; at most 8 signatures; 1 KiB.
 */
static bool
is_signed(const struct delivery_of *d, const char *header, size_t len)
{
	const char *time = NULL, *signature[8];
	char text[1025], want[80], *item, *rest = text;
	bool match = false, good = true;
	size_t n = 0, i, k;
	int64_t age;

	if (len > 1024 || strlen(header) != len)
		return false;
	for (i = 0; i < len; i++) {
		if (header[i] < ' ' || header[i] > '~')
			return false;
	}
	memcpy(text, header, len + 1);
	/* A comma at the end has nothing behind it. */
	if (len > 0 && text[len - 1] == ',')
		text[len - 1] = '\0';
	while (good && (item = strsep(&rest, ",")) != NULL)
		good = read_item(item, &time, signature, &n);
	if (!good || time == NULL || n == 0)
		return false;
	age = NOW - strtoll(time, NULL, 10);
	if (age > TOLERANCE || age < -TOLERANCE)
		return false;
	for (i = 0; i < SECRETS; i++) {
		sign(d, i, time, strlen(time), want);
		for (k = 0; k < n; k++)
			match |= strcmp(signature[k], want) == 0;
	}
	return match;
}

static void
judge(int by, const char *pattern, const char *body, size_t len)
{
	static struct mn_profile profile = { .name = "test/fuzz" };
	const struct delivery_of d = { by, body, len };
	const struct mn_edition e = {
		.profile = &profile,
		.provider = mn_provider_find(providers[by].provider,
		    providers[by].product),
	};
	struct mn_text header = MN_TEXT_INIT(65536);
	struct monime m;
	char *exact;
	bool want;
	size_t i;
	int r;

	memset(&m, 0, sizeof(m));
	mn_log_init(&m.log);
	for (i = 0; profile.webhook.n < SECRETS; i++)
		profile.webhook.secret[profile.webhook.n++] = mn_secret_copy(
		    MN_SECRET_GUARDED, secrets[i], strlen(secrets[i]));
	profile.webhook.tolerance = TOLERANCE * 1000;
	expand(&d, pattern, &header);
	exact = copy_exactly(mn_text_get(&header), header.len);
	want = is_signed(&d, mn_text_get(&header), header.len);
	r = verify(&m, &e, exact, header.len, body, len);
	MUST(r == (want ? MONIME_OK : MONIME_EDENIED),
	    "result %d for \"%s\"", r, mn_text_get(&header));
	free(exact);
	mn_text_free(&header);
	mn_log_free(&m.log);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (!mn_secret_init())
		exit(FUZZ_SKIP);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char *header = input_string(&in);
	size_t len;
	char *body = input_rest(&in, &len);

	judge(0, header, body, len);
	judge(1, header, body, len);
	free(body);
	free(header);
	return 0;
}
