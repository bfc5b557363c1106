/* SPDX-License-Identifier: MIT */
/* Characters of the three kinds as UTF-8, cut where there is no room. */
#include "base/cleanup.h"
#include "python/strings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *text(unsigned int kind, const void *raw, size_t nr, size_t size, bool cut)
{
	static char *buf;

	free(buf);
	buf = malloc(size ? size : 1); /* no byte more: ASan watches */
	memset(buf, 'z', size ? size : 1);
	return python_text(buf, size, kind, raw, nr, cut);
}

static void whole_strings(void **state)
{
	const uint16_t two[] = {'a', 0x3b1, 0x20ac, 0xd83d, 0xdc80, 0xffff, 0};
	const uint32_t four[] = {'a', 0x1f40d, 0x10ffff, 0x110000, 0xffffffff, 0xdfff};

	assert_string_equal(text(1, "main", 4, 5, false), "main");
	assert_string_equal(text(1, "caf\xe9\xff", 5, 99, false), "café\xc3\xbf");
	assert_string_equal(text(1, "a\0b", 3, 99, false), "a\xef\xbf\xbd"
							   "b");
	assert_string_equal(text(2, two, 7, 99, false),
			    "aα€\\ud83d\\udc80\xef\xbf\xbf\xef\xbf\xbd");
	assert_string_equal(text(4, four, 6, 99, false), "a\xf0\x9f\x90\x8d\xf4\x8f\xbf\xbf"
							 "\xef\xbf\xbd\xef\xbf\xbd\\udfff");
	assert_string_equal(text(1, "", 0, 99, false), "");
	assert_string_equal(text(0, "abc", 3, 99, false), "");
	assert_string_equal(text(3, "abc", 3, 99, false), "");
	assert_string_equal(text(7, "abc", 3, 99, true), "…");
}

static void cut_strings(void **state)
{
	const uint16_t greek[] = {0x3b1, 0x3b2, 0x3b3, 0x3b4}, lone[] = {0xdc80, 0xdc81};

	assert_string_equal(text(1, "main", 4, 99, true), "main…");
	assert_string_equal(text(1, "main", 4, 8, true), "main…");
	assert_string_equal(text(1, "main", 4, 7, true), "mai…");
	/* there are more in raw than fit */
	assert_string_equal(text(1, "long name", 9, 10, false), "long name");
	assert_string_equal(text(1, "long name", 9, 9, false), "long …");
	assert_string_equal(text(1, "long name", 9, 4, false), "…");
	assert_string_equal(text(1, "long name", 9, 3, false), "");
	assert_string_equal(text(1, "long name", 9, 1, false), "");
	/* never within a character */
	assert_string_equal(text(2, greek, 4, 9, false), "αβγδ");
	assert_string_equal(text(2, greek, 4, 8, false), "αβ…");
	assert_string_equal(text(2, greek, 4, 7, false), "α…");
	assert_string_equal(text(2, lone, 2, 13, false), "\\udc80\\udc81");
	assert_string_equal(text(2, lone, 2, 12, false), "\\udc80…");
	assert_string_equal(text(2, lone, 2, 9, false), "…");
	assert_ptr_not_equal(text(1, "a", 1, 0, true), NULL);
}

/* The size that is promised to suffice does, for the longest that a character can become. */
static void promised_size(void **state)
{
	uint32_t four[200];
	uint16_t two[200];

	for (size_t nr = 0; nr <= 200; nr++) {
		for (size_t i = 0; i < nr; i++)
			four[i] = two[i] = 0xdead;
		assert_int_equal(strlen(text(4, four, nr, PYTHON_TEXT_SIZE(nr), true)), nr * 6 + 3);
		assert_int_equal(strlen(text(2, two, nr, PYTHON_TEXT_SIZE(nr), false)), nr * 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_strings),
		cmocka_unit_test(cut_strings),
		cmocka_unit_test(promised_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
