/* SPDX-License-Identifier: MIT */
/* base/fault.c and base/text.c: what people read, and what they type. */
#include "fixture.h"

#include "base/fault.h"
#include "base/text.h"

#include <errno.h>

static void faults_say_what_and_return_it(void **state)
{
	struct fault f;

	memset(&f, 0x55, sizeof(f));
	assert_int_equal(fault_set(&f, ENOENT, "no %s in %d", "x", 7), -ENOENT);
	assert_int_equal(f.err, ENOENT);
	assert_string_equal(f.text, "no x in 7");
	assert_string_equal(f.hint, "");
	fault_hint(&f, "try %s", "y");
	assert_string_equal(f.hint, "try y");
	assert_int_equal(fault_errno(&f, EACCES, "cannot open %s", "z"), -EACCES);
	assert_string_equal(f.text, "cannot open z: Permission denied");
	assert_string_equal(f.hint, "");
	fault_clear(&f);
	assert_int_equal(f.err, 0);
	assert_string_equal(f.text, "");
}

static void a_fault_may_be_nobodys(void **state)
{
	assert_int_equal(fault_set(NULL, EIO, "x"), -EIO);
	assert_int_equal(fault_errno(NULL, EIO, "x"), -EIO);
	fault_hint(NULL, "x");
	fault_clear(NULL);
}

static void faults_are_safe_for_a_terminal(void **state)
{
	char long_text[2000];
	struct fault f;

	fault_set(&f, EINVAL, "a%cb\n\x7f\t", 0x1b);
	assert_string_equal(f.text, "a?b???");
	fault_hint(&f, "%c[31m", 0x1b);
	assert_string_equal(f.hint, "?[31m");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = 0;
	fault_errno(&f, EINVAL, "%s", long_text);
	assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
}

/* A text that is cut must not end in the middle of a character. */
static void a_long_fault_stays_utf8(void **state)
{
	char text[1024] = "";
	struct fault f;

	for (int i = 0; i < 500; i++)
		strcat(text, "\u00fc");
	fault_set(&f, EINVAL, "%s", text);
	assert_int_equal(strlen(f.text) % 2, 0);
	fault_set(&f, EINVAL, "%s%s", "x", text);
	assert_int_equal(strlen(f.text) % 2, 1);
	fault_hint(&f, "%s", text);
	assert_int_equal(strlen(f.hint) % 2, 0);
}

static void thousands(void **state)
{
	char buf[32];

	assert_string_equal(text_thousands(buf, 0, false), "0");
	assert_string_equal(text_thousands(buf, 0, true), "+0");
	assert_string_equal(text_thousands(buf, 999, false), "999");
	assert_string_equal(text_thousands(buf, 1000, false), "1,000");
	assert_string_equal(text_thousands(buf, 1048576, true), "+1,048,576");
	assert_string_equal(text_thousands(buf, -123456, true), "-123,456");
	assert_string_equal(text_thousands(buf, INT64_MIN, true), "-9,223,372,036,854,775,808");
	assert_string_equal(text_thousands(buf, INT64_MAX, true), "+9,223,372,036,854,775,807");
}

static void sizes(void **state)
{
	char buf[24];

	assert_string_equal(text_size(buf, 0, false), "0 B");
	assert_string_equal(text_size(buf, 0, true), "+0 B");
	assert_string_equal(text_size(buf, 1023, false), "1023 B");
	assert_string_equal(text_size(buf, 1024, false), "1.0 KiB");
	assert_string_equal(text_size(buf, 98304, false), "96.0 KiB");
	assert_string_equal(text_size(buf, 1048575, false), "1.0 MiB");
	assert_string_equal(text_size(buf, 207827763, false), "198.2 MiB");
	assert_string_equal(text_size(buf, -1536, true), "-1.5 KiB");
	assert_string_equal(text_size(buf, INT64_MAX, true), "+8388608.0 TiB");
	assert_string_equal(text_size(buf, INT64_MIN, false), "-8388608.0 TiB");
}

static void escape(const char *s, const char *expected)
{
	char buf[64];

	assert_string_equal(text_escape(buf, sizeof(buf), s, strlen(s)), expected);
}

static void changes(void **state)
{
	char buf[40];

	assert_string_equal(text_net(buf, 0), "0 B");
	assert_string_equal(text_net(buf, 1536), "+1.5 KiB");
	assert_string_equal(text_net(buf, -1), "\u22121 B");
	assert_string_equal(text_net(buf, INT64_MIN), "\u22128388608.0 TiB");
	assert_string_equal(text_net_bytes(buf, 0), "0");
	assert_string_equal(text_net_bytes(buf, 14889780), "+14,889,780");
	assert_string_equal(text_net_bytes(buf, -1000), "\u22121,000");
	assert_string_equal(text_net_bytes(buf, INT64_MIN), "\u22129,223,372,036,854,775,808");
	assert_string_equal(text_gross(buf, 0), "");
	assert_string_equal(text_gross(buf, -5), "");
	assert_string_equal(text_gross(buf, 1536), "1.5 KiB");
}

static void clocks(void **state)
{
	char buf[32];

	setenv("TZ", "UTC", 1);
	assert_string_equal(text_clock(buf, 1700049605999999999, false), "12:00:05");
	assert_string_equal(text_clock(buf, 1700049605999999999, true), "2023-11-15 12:00:05");
	/* any file can say any time */
	text_clock(buf, INT64_MIN, true);
	text_clock(buf, INT64_MAX, true);
}

static void escaping(void **state)
{
	char buf[8];

	escape("plain /path", "plain /path");
	escape("a\nb\t\x1b[0m\x7f", "a\\x0ab\\x09\\x1b[0m\\x7f");
	escape("back\\slash", "back\\\\slash");
	escape("\u00fc\u20ac\U0001f40d", "\u00fc\u20ac\U0001f40d");
	escape("\xff\xc3", "\\xff\\xc3");
	escape("\xc0\xaf", "\\xc0\\xaf");		    /* overlong */
	escape("\xe0\x80\xaf", "\\xe0\\x80\\xaf");	    /* overlong */
	escape("\xed\xa0\x80", "\\xed\\xa0\\x80");	    /* surrogate */
	escape("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* past U+10FFFF */
	escape("\xc2\x9b", "\\xc2\\x9b");		    /* a C1 control: CSI */
	assert_string_equal(text_escape(buf, sizeof(buf), "a\0b", 3), "a\\x00b");
	assert_string_equal(text_escape(buf, sizeof(buf), "abcdefghij", 10), "abcdefg");
	assert_string_equal(text_escape(buf, sizeof(buf), "abcde\n", 6), "abcde");
	assert_string_equal(text_escape(buf, 1, "abc", 3), "");
	assert_string_equal(text_escape(buf, sizeof(buf), "abcdef\u00fc", 8), "abcdef");
	buf[0] = 'k';
	text_escape(buf, 0, "abc", 3);
	assert_int_equal(buf[0], 'k');
}

/* Characters that reorder or hide what follows: bidirectional controls, zero width, BOM. */
static void characters_that_deceive_are_escaped(void **state)
{
	escape("a\u202eb", "a\\xe2\\x80\\xaeb");
	escape("a\u2066b", "a\\xe2\\x81\\xa6b");
	escape("a\u200fb", "a\\xe2\\x80\\x8fb");
	escape("a\u2028b", "a\\xe2\\x80\\xa8b");
	escape("a\ufeffb", "a\\xef\\xbb\\xbfb");
	escape("a\u2014b", "a\u2014b");
}

static void times(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
	} rows[] = {
		{"5", 5000000000},
		{"90s", 90000000000},
		{"5m", 300000000000},
		{"1.5h", 5400000000000},
		{"0.2", 200000000},
		{".5", 500000000},
		{"0.000000001", 1},
		{"0", 0},
		{"0s", 0},
		{"-1", 0},
		{"", 0},
		{"s", 0},
		{"5x", 0},
		{"5ss", 0},
		{"5 ", 0},
		{" 5", 0},
		{"nan", 0},
		{"inf", 0},
		{"1e3", 0},
		{"0x10", 0},
		{".", 0},
		{"1.2.3", 0},
		{"+5", 0},
		{"999999999999", 0},
		{"3650d", 0},
		{"0.0000000001", 0},
		{"99999999999999999999999999999999", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ns = 0;
		int err = text_parse_time(rows[i].text, &ns);

		if (err != (rows[i].ns ? 0 : -EINVAL) || ns != rows[i].ns)
			fail_msg("\"%s\": %d, %llu", rows[i].text, err, (unsigned long long)ns);
	}
}

static void size_arguments(void **state)
{
	uint64_t v = 7;

	assert_int_equal(text_parse_size("4096", &v), 0);
	assert_int_equal(v, 4096);
	assert_int_equal(text_parse_size("4K", &v), 0);
	assert_int_equal(v, 4096);
	assert_int_equal(text_parse_size("10M", &v), 0);
	assert_int_equal(v, 10 << 20);
	assert_int_equal(text_parse_size("1G", &v), 0);
	assert_int_equal(v, 1 << 30);
	assert_int_equal(text_parse_size("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(text_parse_size("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_int_equal(text_parse_size("18446744073709551616", &v), -EINVAL);
	assert_int_equal(text_parse_size("18014398509481984K", &v), -EINVAL);
	assert_int_equal(text_parse_size("", &v), -EINVAL);
	assert_int_equal(text_parse_size("K", &v), -EINVAL);
	assert_int_equal(text_parse_size("4KB", &v), -EINVAL);
	assert_int_equal(text_parse_size("-4", &v), -EINVAL);
	assert_int_equal(text_parse_size("4 K", &v), -EINVAL);
	assert_int_equal(text_parse_size("1.5M", &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void whole_numbers(void **state)
{
	uint64_t v = 7;

	assert_int_equal(text_parse_u64("1", 1, 10, &v), 0);
	assert_int_equal(v, 1);
	v = 7;
	assert_int_equal(text_parse_u64("0", 1, 10, &v), -EINVAL);
	assert_int_equal(text_parse_u64("11", 1, 10, &v), -EINVAL);
	assert_int_equal(text_parse_u64("-1", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(text_parse_u64(" 1", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(text_parse_u64("1 ", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(text_parse_u64("0x1", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(text_parse_u64("", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(text_parse_u64("99999999999999999999", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(v, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_say_what_and_return_it),
		cmocka_unit_test(a_fault_may_be_nobodys),
		cmocka_unit_test(faults_are_safe_for_a_terminal),
		cmocka_unit_test(a_long_fault_stays_utf8),
		cmocka_unit_test(thousands),
		cmocka_unit_test(sizes),
		cmocka_unit_test(changes),
		cmocka_unit_test(clocks),
		cmocka_unit_test(escaping),
		cmocka_unit_test(characters_that_deceive_are_escaped),
		cmocka_unit_test(times),
		cmocka_unit_test(size_arguments),
		cmocka_unit_test(whole_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
