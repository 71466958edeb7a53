/* SPDX-License-Identifier: MIT */

/* secret.c: memory that is wiped, and borrowed cryptography by its vectors. */

#include "unit.h"

#include "secret.h"

static const enum mn_secret_kind kinds[] = {
	MN_SECRET_PLAIN, MN_SECRET_GUARDED
};

static int
start(void **state)
{
	(void)state;
	/* A second time is as good as the first. */
	return mn_secret_init() && mn_secret_init() ? 0 : -1;
}

static void
test_new_secret_is_zero_and_ends_in_nul(void **state)
{
	struct mn_secret *s;
	size_t i, k;

	(void)state;
	for (k = 0; k < ROWS(kinds); k++) {
		s = mn_secret_new(kinds[k], 100);
		assert_non_null(s);
		assert_int_equal(mn_secret_len(s), 100);
		for (i = 0; i <= 100; i++)
			assert_int_equal(mn_secret_get(s)[i], 0);
		mn_secret_free(s);
	}
}

static void
test_copy_holds_the_bytes_and_a_nul(void **state)
{
	struct mn_secret *s;
	size_t k;

	(void)state;
	for (k = 0; k < ROWS(kinds); k++) {
		s = mn_secret_copy(kinds[k], "a\0bcd", 4);
		assert_non_null(s);
		assert_int_equal(mn_secret_len(s), 4);
		assert_memory_equal(mn_secret_get(s), "a\0bc", 5);
		assert_ptr_equal(mn_secret_bytes(s), mn_secret_get(s));
		mn_secret_free(s);
		s = mn_secret_copy(kinds[k], NULL, 0);
		assert_non_null(s);
		assert_int_equal(mn_secret_len(s), 0);
		assert_string_equal(mn_secret_get(s), "");
		mn_secret_free(s);
	}
	mn_secret_free(NULL);
}

static void
test_cut_wipes_what_is_forgotten(void **state)
{
	static const char zero[32];
	struct mn_secret *s;
	size_t k;

	(void)state;
	for (k = 0; k < ROWS(kinds); k++) {
		s = mn_secret_copy(kinds[k], "0123456789abcdefghijklmnopqrstu",
		    31);
		assert_non_null(s);
		mn_secret_cut(s, 10);
		assert_int_equal(mn_secret_len(s), 10);
		assert_string_equal(mn_secret_get(s), "0123456789");
		assert_memory_equal(mn_secret_get(s) + 10, zero, 22);
		mn_secret_cut(s, 10);	/* nothing more, */
		mn_secret_cut(s, 31);	/* and nothing back */
		assert_int_equal(mn_secret_len(s), 10);
		mn_secret_cut(s, 0);
		assert_memory_equal(mn_secret_get(s), zero, 32);
		mn_secret_free(s);
	}
}

static void
test_wipe_leaves_zeros(void **state)
{
	static const char zero[16];
	char buf[16] = "a secret";

	(void)state;
	mn_secret_wipe(buf, sizeof(buf));
	assert_memory_equal(buf, zero, sizeof(buf));
	mn_secret_wipe(NULL, 0);
}

/* The flags of the mapping that holds p, as in "rd wr mr mw me dd sd ". */
static bool
mapping_flags(const void *p, char *flags, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long low, high;
	bool here = false, found = false;
	char line[1024];

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
			here = (uintptr_t)p >= low && (uintptr_t)p < high;
		else if (here && strncmp(line, "VmFlags:", 8) == 0) {
			(void)snprintf(flags, size, "%s", line + 8);
			found = true;
		}
	}
	(void)fclose(f);
	return found;
}

static void
test_guarded_secret_is_out_of_core_dumps(void **state)
{
	struct mn_secret *s = mn_secret_copy(MN_SECRET_GUARDED, "token", 5);
	struct mn_secret *plain = mn_secret_copy(MN_SECRET_PLAIN, "token", 5);
	char flags[256];

	(void)state;
	assert_non_null(s);
	assert_non_null(plain);
	if (!mapping_flags(mn_secret_get(s), flags, sizeof(flags))) {
		puts("skipped: /proc/self/smaps tells no VmFlags");
		mn_secret_free(s);
		mn_secret_free(plain);
		skip();
	}
	CONTAINS(flags, " dd ");
	/* That the test can fail: ordinary memory is dumped. */
	assert_true(mapping_flags(mn_secret_get(plain), flags,
	    sizeof(flags)));
	assert_null(strstr(flags, " dd "));
	mn_secret_free(s);
	mn_secret_free(plain);
}

static void
test_equal_compares_every_byte(void **state)
{
	unsigned char a[32], b[32];
	size_t i;

	(void)state;
	mn_secret_random(a, sizeof(a));
	memcpy(b, a, sizeof(b));
	assert_true(mn_secret_equal(a, b, sizeof(a)));
	assert_true(mn_secret_equal(a, "x", 0));
	for (i = 0; i < 8 * sizeof(a); i++) {
		b[i / 8] ^= (unsigned char)(1u << i % 8);
		ROW(!mn_secret_equal(a, b, sizeof(a)), "bit %zu", i);
		b[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	end_rows();
}

static void
test_uniform_stays_below_and_reaches_all(void **state)
{
	bool seen[7] = { false };
	uint32_t n;
	int i;

	(void)state;
	assert_int_equal(mn_secret_uniform(0), 0);
	assert_int_equal(mn_secret_uniform(1), 0);
	for (i = 0; i < 10000; i++) {
		n = mn_secret_uniform(ROWS(seen));
		assert_true(n < ROWS(seen));
		seen[n] = true;
	}
	for (i = 0; i < (int)ROWS(seen); i++)
		assert_true(seen[i]);
}

static void
test_sha256_of_fips_180(void **state)
{
	static const struct {
		const char *message;
		const char *hash;
	} rows[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb924"
		    "27ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223"
		    "b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039"
		    "a33ce45964ff2167f6ecedd419db06c1" },
	};
	unsigned char hash[MN_SHA256_SIZE];
	char hex[2 * MN_SHA256_SIZE + 1];
	struct mn_piece piece[2];
	size_t i, cut, len;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		len = strlen(rows[i].message);
		/* However it is cut into pieces. */
		for (cut = 0; cut <= len; cut++) {
			piece[0] = (struct mn_piece){ rows[i].message, cut };
			piece[1] = (struct mn_piece){ rows[i].message + cut,
			    len - cut };
			mn_secret_sha256(piece, 2, hash);
			mn_secret_to_hex(hash, sizeof(hash), hex);
			ROW(strcmp(hex, rows[i].hash) == 0, "%zu at %zu: %s",
			    i, cut, hex);
		}
	}
	end_rows();
}

static void
test_hmac_sha256_of_rfc_4231(void **state)
{
	static const struct {
		const char *key;	/* a text, or n times a byte */
		unsigned char byte;
		size_t n;
		const char *data;
		unsigned char data_byte;
		size_t data_n;
		const char *mac;
	} rows[] = {
		{ NULL, 0x0b, 20, "Hi There", 0, 8,		/* 4.2 */
		    "b0344c61d8db38535ca8afceaf0bf12b"
		    "881dc200c9833da726e9376c2e32cff7" },
		{ "Jefe", 0, 4, "what do ya want for nothing?", 0, 28,
		    "5bdcc146bf60754e6a042426089575c7"		/* 4.3 */
		    "5a003f089d2739839dec58b964ec3843" },
		{ NULL, 0xaa, 20, NULL, 0xdd, 50,		/* 4.4 */
		    "773ea91e36800e46854db8ebd09181a7"
		    "2959098b3ef8c122d9635514ced565fe" },
		{ NULL, 0xaa, 131, "Test Using Larger Than Block-Size Key - "
		    "Hash Key First", 0, 54,			/* 4.7 */
		    "60e431591ee0b67f0d8a26aacbf5b77f"
		    "8e0bc6213728c5140546040f0ee37f54" },
	};
	unsigned char mac[MN_SHA256_SIZE];
	char hex[2 * MN_SHA256_SIZE + 1];
	char *key, *data;
	struct mn_secret *s;
	struct mn_piece piece[3];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		key = many((char)rows[i].byte, rows[i].n);
		data = many((char)rows[i].data_byte, rows[i].data_n);
		if (rows[i].key != NULL)
			memcpy(key, rows[i].key, rows[i].n);
		if (rows[i].data != NULL)
			memcpy(data, rows[i].data, rows[i].data_n);
		s = mn_secret_copy(MN_SECRET_PLAIN, key, rows[i].n);
		assert_non_null(s);
		piece[0] = (struct mn_piece){ data, 3 };
		piece[1] = (struct mn_piece){ data, 0 };
		piece[2] = (struct mn_piece){ data + 3, rows[i].data_n - 3 };
		mn_secret_hmac_sha256(s, piece, 3, mac);
		mn_secret_to_hex(mac, sizeof(mac), hex);
		ROW(strcmp(hex, rows[i].mac) == 0, "%zu: %s", i, hex);
		mn_secret_free(s);
		free(key);
		free(data);
	}
	end_rows();
}

struct decoding {
	const char *s;
	size_t size;
	const char *out;	/* NULL: refused */
};

static void
decodings(bool (*decode)(const char *, size_t, void *, size_t),
    const struct decoding *row, size_t n)
{
	unsigned char out[64];
	size_t len;
	char *s;
	bool good;

	for (; n > 0; n--, row++) {
		len = strlen(row->s);
		s = exact(row->s, len);
		good = decode(s, len, out, row->size);
		ROW(good == (row->out != NULL) && (!good ||
		    memcmp(out, row->out, row->size) == 0),
		    "\"%s\" as %zu bytes: %s", row->s, row->size,
		    good ? "taken" : "refused");
		free(s);
	}
	end_rows();
}

static void
test_base64_is_standard_and_padded(void **state)
{
	static const struct decoding rows[] = {
		/* RFC 4648 10 */
		{ "Zg==", 1, "f" }, { "Zm8=", 2, "fo" }, { "Zm9v", 3, "foo" },
		{ "Zm9vYg==", 4, "foob" }, { "Zm9vYmFy", 6, "foobar" },
		{ "+/+/", 3, "\xfb\xff\xbf" },
		{ "", 1, NULL },
		{ "Zm9v", 2, NULL }, { "Zm9v", 4, NULL },
		{ "Zm8", 2, NULL },		/* no padding */
		{ "Zg=", 1, NULL }, { "Zg", 1, NULL },
		{ "Zm9v=", 3, NULL }, { "Zg===", 1, NULL },
		{ "Zm8= ", 2, NULL }, { " Zm8=", 2, NULL },
		{ "Zm 8=", 2, NULL }, { "Zm8=\n", 2, NULL },
		{ "Zm\n8=", 2, NULL }, { "-_-_", 3, NULL },
		{ "Zh==", 1, NULL },		/* bits that nobody reads */
		{ "Zm9=", 2, NULL },
		{ "Zm9*", 3, NULL }, { "Z===", 1, NULL },
		{ "Zm8=Zm8=", 4, NULL }, { "Zm9vZm8=x", 5, NULL },
	};

	(void)state;
	decodings(mn_secret_from_base64, rows, ROWS(rows));
}

static void
test_hex_is_lower_case_and_whole(void **state)
{
	static const struct decoding rows[] = {
		{ "00ff7a", 3, "\0\xffz" },
		{ "0123456789abcdef", 8, "\x01\x23\x45\x67\x89\xab\xcd\xef" },
		{ "", 1, NULL }, { "0", 1, NULL }, { "000", 1, NULL },
		{ "00", 2, NULL }, { "0000", 1, NULL },
		{ "FF", 1, NULL }, { "fF", 1, NULL }, { "Ff", 1, NULL },
		{ "0g", 1, NULL }, { " 00", 1, NULL }, { "00 ", 1, NULL },
		{ "0 0", 1, NULL }, { "00:11", 2, NULL }, { "0x00", 1, NULL },
		{ "00\n", 1, NULL }, { "/0", 1, NULL }, { ":0", 1, NULL },
		{ "`0", 1, NULL },
	};

	(void)state;
	decodings(mn_secret_from_hex, rows, ROWS(rows));
}

/* RFC 4648 10, and bytes of which two alphabets differ. */
static void
test_base64_is_written_standard_and_padded(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "+//+" },
		{ "Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
	};
	struct mn_secret *s, *out;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		s = mn_secret_copy(MN_SECRET_GUARDED, rows[i][0],
		    strlen(rows[i][0]));
		out = mn_secret_to_base64(s);
		ROW(strcmp(mn_secret_get(out), rows[i][1]) == 0 &&
		    mn_secret_len(out) == strlen(rows[i][1]), "%s: %s",
		    rows[i][1], mn_secret_get(out));
		mn_secret_free(s);
		mn_secret_free(out);
	}
	end_rows();
}

static void
test_nul_in_an_encoding_is_refused(void **state)
{
	unsigned char out[4];

	(void)state;
	assert_false(mn_secret_from_base64("Zm9v\0", 5, out, 3));
	assert_false(mn_secret_from_base64("Zm\0v", 4, out, 3));
	assert_false(mn_secret_from_hex("00\0", 3, out, 1));
	assert_false(mn_secret_from_hex("0\0", 2, out, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_secret_is_zero_and_ends_in_nul),
		cmocka_unit_test(test_copy_holds_the_bytes_and_a_nul),
		cmocka_unit_test(test_cut_wipes_what_is_forgotten),
		cmocka_unit_test(test_wipe_leaves_zeros),
		cmocka_unit_test(test_guarded_secret_is_out_of_core_dumps),
		cmocka_unit_test(test_equal_compares_every_byte),
		cmocka_unit_test(test_uniform_stays_below_and_reaches_all),
		cmocka_unit_test(test_sha256_of_fips_180),
		cmocka_unit_test(test_hmac_sha256_of_rfc_4231),
		cmocka_unit_test(test_base64_is_standard_and_padded),
		cmocka_unit_test(test_base64_is_written_standard_and_padded),
		cmocka_unit_test(test_hex_is_lower_case_and_whole),
		cmocka_unit_test(test_nul_in_an_encoding_is_refused),
	};

	return cmocka_run_group_tests_name("secret", tests, start, NULL);
}
