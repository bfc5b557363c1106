/* SPDX-License-Identifier: MIT */
/*
 * The text of sys._debugmallocstats(). Ground truth: what the interpreters themselves printed
 * (tests/fixtures/text), which must survive parse and print byte for byte.
 */
#include "fixture.h"

#include "base/fault.h"
#include "output/stats_text.h"

#include <errno.h>

static char *printed(const struct malloc_stats *s)
{
	struct catch c;

	stats_print(catch_open(&c), s);
	return catch_text(&c);
}

static void parse_fixture(const char *name, struct malloc_stats *ret)
{
	_cleanup_free_ char *text = NULL;
	struct fault f = {0};
	size_t len;

	text = fixture_read(name, &len);
	if (stats_parse(ret, text, len, &f))
		fail_msg("%s: %s", name, f.text);
}

static void every_interpreter_round_trips(void **state)
{
	_cleanup_dir_ DIR *dir = opendir("tests/fixtures/text");
	unsigned int nr = 0;
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		_cleanup_free_ char *text = NULL, *again = NULL;
		struct malloc_stats s;
		char name[300];

		if (e->d_name[0] == '.' || strstr(e->d_name, "mimalloc"))
			continue;
		snprintf(name, sizeof(name), "text/%s", e->d_name);
		parse_fixture(name, &s);
		text = fixture_read(name, NULL);
		again = printed(&s);
		if (strcmp(text, again) != 0)
			fail_msg("%s is printed otherwise", name);
		assert_int_equal(s.pymalloc, !strstr(name, "-malloc"));
		assert_int_equal(s.has_serial, !!strstr(name, "3.7.16-debug"));
		if (s.pymalloc)
			assert_true(stats_consistent(&s));
		nr++;
	}
	assert_true(nr >= 20);
}

static void derived_lines_are_what_the_interpreters_printed(void **state)
{
	static const char *const names[] = {"text/3.6.15.txt", "text/3.9.18.txt",
					    "text/3.11.2-debian.txt", "text/3.15.0-debian.txt"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct malloc_stats s, d;

		parse_fixture(names[i], &s);
		d = s;
		d.allocated_bytes = d.available_bytes = d.header_bytes = d.quantization_bytes = 1;
		stats_derive(&d, 48);
		assert_true(stats_equal(&s, &d));
	}
}

static void numbers_of_3_12(void **state)
{
	struct malloc_stats s;

	parse_fixture("text/3.12.1.txt", &s);
	assert_true(s.pymalloc && s.radix);
	assert_int_equal(s.threshold, 512);
	assert_int_equal(s.nr_classes, 32);
	assert_int_equal(s.alignment, 16);
	assert_int_equal(s.arena_bytes, 1 << 20);
	assert_int_equal(s.pool_bytes, 16384);
	assert_int_equal(s.nr_free_lists, 23);
	assert_string_equal(s.free_lists[0].type, "PyDictObject");
	assert_int_equal(s.free_lists[0].item_bytes, 48);
	assert_string_equal(s.free_lists[22].type, "20-sized PyTupleObject");
}

static void mimalloc_is_refused_by_name(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct malloc_stats s;
	struct fault f = {0};
	size_t len;

	text = fixture_read("text/3.13.0-mimalloc.txt", &len);
	assert_int_equal(stats_parse(&s, text, len, &f), -ENOTSUP);
	assert_non_null(strstr(f.text, "mimalloc"));
}

/* 8-byte alignment: 64 classes, early 3.6 and 3.7 */
static void sixty_four_classes(void **state)
{
	struct malloc_stats s, again;
	struct fault f = {0};
	_cleanup_free_ char *text = NULL;

	parse_fixture("text/3.7.16-debug.txt", &s);
	s.nr_classes = 64;
	s.alignment = 8;
	s.classes[63] = (struct size_class){.pools = 2, .used = 9, .avail = 5};
	stats_derive(&s, 48);
	text = printed(&s);
	assert_non_null(strstr(text, "Small block threshold = 512, in 64 size classes.\n"));
	assert_non_null(strstr(text, "\n   63    512           2               9             5\n"));
	assert_int_equal(stats_parse(&again, text, strlen(text), &f), 0);
	assert_true(stats_equal(&s, &again));
}

static void every_cut_is_noticed(void **state)
{
	static const char *const names[] = {"text/3.12.1.txt", "text/3.7.16-debug.txt",
					    "text/3.12.1-malloc.txt", "text/3.9.18.txt"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *text = NULL;
		size_t len;

		text = fixture_read(names[i], &len);
		/* The last line is whole without its newline. It ends in 0 or in a product. */
		for (size_t cut = 0; cut < len - 1; cut++) {
			_cleanup_free_ char *head = malloc(cut + 1); /* no byte behind it */
			struct malloc_stats s;
			struct fault f = {0};

			assert_non_null(head);
			memcpy(head, text, cut);
			if (stats_parse(&s, head, cut, &f) != -EINVAL || !f.text[0])
				fail_msg("%s: cut at %zu of %zu is not noticed", names[i], cut,
					 len);
		}
	}
}

static void a_missing_line_is_noticed(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t len, start, next;
	unsigned int accepted = 0;

	text = fixture_read("text/3.12.1.txt", &len);
	for (start = 0; start < len; start = next) {
		_cleanup_free_ char *rest = strdup(text);
		struct malloc_stats s;
		struct fault f = {0};

		next = (size_t)(strchr(text + start, '\n') - text) + 1;
		memmove(rest + start, rest + next, len - next);
		accepted += stats_parse(&s, rest, len - (next - start), &f) == 0;
	}
	assert_int_equal(accepted, 6); /* the blank lines */
}

/* One column of one row, each alone: the sums below the table tell. */
static void a_changed_row_is_noticed(void **state)
{
	static const char row[] = "    0     16           1              27           994\n";
	static const char *const changed[] = {
		"    0     16           1              28           994\n",
		"    0     16           1              27           995\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(changed); i++) {
		_cleanup_free_ char *text = NULL;
		struct malloc_stats s;
		struct fault f = {0};
		size_t len;
		char *at;

		text = fixture_read("text/3.12.1.txt", &len);
		at = strstr(text, row);
		assert_non_null(at);
		memcpy(at, changed[i], strlen(changed[i]));
		assert_int_equal(stats_parse(&s, text, len, &f), -EINVAL);
		assert_non_null(strstr(f.text, "do not add up"));
	}
}

static void text_around_it_is_skipped(void **state)
{
	static const char before[] =
		"Traceback (most recent call last):\n  1 2 3 4 5\n# note = 3\r\n";
	static const char after[] =
		"    1     16           1              27           994\nTotal\nbye";
	_cleanup_free_ char *text = NULL, *all = NULL;
	struct malloc_stats s, t;
	struct fault f = {0};
	size_t len;

	parse_fixture("text/3.12.1.txt", &s);
	text = fixture_read("text/3.12.1.txt", &len);
	assert_true(asprintf(&all, "%s%s%s", before, text, after) > 0);
	assert_int_equal(stats_parse(&t, all, strlen(all), &f), 0);
	assert_true(stats_equal(&s, &t));
}

static void carriage_returns_are_accepted(void **state)
{
	_cleanup_free_ char *text = NULL, *dos = NULL;
	struct malloc_stats s, t;
	struct fault f = {0};
	size_t len, n = 0;

	parse_fixture("text/3.12.1.txt", &s);
	text = fixture_read("text/3.12.1.txt", &len);
	dos = malloc(2 * len);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			dos[n++] = '\r';
		dos[n++] = text[i];
	}
	assert_int_equal(stats_parse(&t, dos, n, &f), 0);
	assert_true(stats_equal(&s, &t));
}

static void two_texts_are_refused(void **state)
{
	_cleanup_free_ char *text = NULL, *two = NULL;
	struct malloc_stats s;
	struct fault f = {0};

	text = fixture_read("text/3.12.1.txt", NULL);
	assert_true(asprintf(&two, "%s%s", text, text) > 0);
	assert_int_equal(stats_parse(&s, two, strlen(two), &f), -EINVAL);
	assert_string_equal(f.text, "line 83 begins a second text: one at a time can be read");
}

static void refuse(const char *text, const char *expected)
{
	struct malloc_stats s;
	struct fault f = {0};

	assert_int_equal(stats_parse(&s, text, strlen(text), &f), -EINVAL);
	if (!strstr(f.text, expected))
		fail_msg("\"%s\" does not say \"%s\"", f.text, expected);
}

static void what_is_not_the_text_is_said(void **state)
{
	refuse("", "no text of sys._debugmallocstats()");
	refuse("hello\nworld\n", "no text of sys._debugmallocstats()");
	refuse("{\"schema\": 1}", "no text of sys._debugmallocstats()");
	refuse("Small block threshold = 512, in 0 size classes.\n", "line 1: no pymalloc has 0");
	refuse("Small block threshold = 512, in 65 size classes.\n", "no pymalloc has 65");
	refuse("Small block threshold = 512, in 99999999999999999999 size classes.\n", "damaged");
	refuse("Small block threshold = 512, in 32 si", "line 1 is damaged or cut short");
	refuse("2 arenas * 1048576 bytes/arena     =            2,097,153\n", "should be 2097152");
	refuse("   1 free PyDictObjects * 48 bytes each =    4\n", "should be 48");
	refuse("Small block threshold = 512, in 32 size classes.\n"
	       "class   size   num pools   blocks in use  avail blocks\n"
	       "-----   ----   ---------   -------------  ------------\n"
	       "    1     32           0               2             5\n",
	       "line 4: a size class without a pool");
	refuse("# arenas reclaimed                 =                    0\n", "cut short");
}

/* Numbers no interpreter has must not be undefined behaviour; CPython's own line drops the head. */
static void hostile_numbers_print(void **state)
{
	struct malloc_stats s = {.pymalloc = true,
				 .nr_classes = UINT32_MAX,
				 .radix = true,
				 .nr_free_lists = SIZE_MAX};
	_cleanup_free_ char *text = NULL;

	memset(s.classes, 0xff, sizeof(s.classes));
	memset(s.free_lists, 'x', sizeof(s.free_lists));
	s.alignment = UINT32_MAX;
	s.pool_bytes = s.arena_bytes = s.arenas_current = s.unused_pools = UINT64_MAX;
	stats_derive(&s, UINT64_MAX);
	s.arenas_total = UINT64_MAX;
	text = printed(&s);
	assert_non_null(
		strstr(text, "# arenas allocated total           =6,744,073,709,551,615\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_interpreter_round_trips),
		cmocka_unit_test(derived_lines_are_what_the_interpreters_printed),
		cmocka_unit_test(numbers_of_3_12),
		cmocka_unit_test(mimalloc_is_refused_by_name),
		cmocka_unit_test(sixty_four_classes),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(a_missing_line_is_noticed),
		cmocka_unit_test(a_changed_row_is_noticed),
		cmocka_unit_test(text_around_it_is_skipped),
		cmocka_unit_test(carriage_returns_are_accepted),
		cmocka_unit_test(two_texts_are_refused),
		cmocka_unit_test(what_is_not_the_text_is_said),
		cmocka_unit_test(hostile_numbers_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
