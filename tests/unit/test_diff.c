/* SPDX-License-Identifier: MIT */
/*
 * The difference of two accounts. Ground truth: what pymemtrace 0.6.3 itself printed for the pairs
 * in tests/fixtures/diff, and the example of its documentation.
 */
#include "fixture.h"

#include "base/fault.h"
#include "output/stats_text.h"

#include <errno.h>

/* The text, or NULL with a fault. */
static char *difference(const struct malloc_stats *a, const struct malloc_stats *b, struct fault *f)
{
	struct catch c;
	int err = stats_print_diff(catch_open(&c), a, b, f);
	char *text = catch_text(&c);

	if (err) {
		assert_string_equal(text, "");
		free(text);
		return NULL;
	}
	return text;
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

static void pairs_print_what_pymemtrace_prints(void **state)
{
	_cleanup_dir_ DIR *dir = opendir("tests/fixtures/diff");
	unsigned int nr = 0;
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		_cleanup_free_ char *expected = NULL, *got = NULL;
		struct malloc_stats a, b;
		struct fault f = {0};
		char name[300];
		int stem = (int)strlen(e->d_name) - (int)strlen(".diff.txt");

		if (stem <= 0 || strcmp(e->d_name + stem, ".diff.txt") != 0)
			continue;
		snprintf(name, sizeof(name), "diff/%.*s.a.txt", stem, e->d_name);
		parse_fixture(name, &a);
		snprintf(name, sizeof(name), "diff/%.*s.b.txt", stem, e->d_name);
		parse_fixture(name, &b);
		snprintf(name, sizeof(name), "diff/%s", e->d_name);
		expected = fixture_read(name, NULL);
		got = difference(&a, &b, &f);
		if (!got || strcmp(got, expected) != 0)
			fail_msg("%s differs:\n%s", name, got ? got : f.text);
		nr++;
	}
	assert_int_equal(nr, 6);
}

static struct free_list *add_list(struct malloc_stats *s, const char *type, uint64_t count,
				  uint64_t bytes)
{
	struct free_list *l = &s->free_lists[s->nr_free_lists++];

	snprintf(l->type, sizeof(l->type), "%s", type);
	l->count = count;
	l->item_bytes = bytes;
	return l;
}

/* A 3.9 account with plausible figures; every class holds enough to go down. */
static struct malloc_stats made_up(void)
{
	struct malloc_stats s = {
		.pymalloc = true,
		.threshold = 512,
		.nr_classes = 32,
		.alignment = 16,
		.arenas_total = 20,
		.arenas_reclaimed = 2,
		.arenas_highwater = 18,
		.arenas_current = 18,
		.arena_bytes = 262144,
		.pool_bytes = 4096,
		.unused_pools = 63,
		.allocated_bytes = 4280848,
		.available_bytes = 70368,
		.header_bytes = 52272,
		.quantization_bytes = 57056,
	};

	for (uint32_t i = 0; i < s.nr_classes; i++)
		s.classes[i] = (struct size_class){.pools = 10, .used = 400, .avail = 100};
	add_list(&s, "PyDictObject", 10, 48);
	add_list(&s, "PyFloatObject", 10, 24);
	add_list(&s, "PyListObject", 10, 40);
	add_list(&s, "PyMethodObject", 10, 48);
	add_list(&s, "1-sized PyTupleObject", 10, 32);
	add_list(&s, "5-sized PyTupleObject", 10, 64);
	return s;
}

static void the_example_of_pymemtraces_documentation(void **state)
{
	static const struct {
		int class, pools, used, avail;
	} rows[] = {{1, 1, 52, 74}, {2, 0, 17, -17}, {3, 0, 33, -33}, {4, 1, 51, -1},
		    {5, 2, 34, 50}, {6, 0, 2, -2},   {7, 0, 1, -1},   {10, 0, 1, -1},
		    {12, 0, 1, -1}, {17, 0, 1, -1},  {18, 0, 2, -2},  {25, 0, 3, -3},
		    {26, 0, 3, -3}, {27, 0, 3, -3},  {29, 0, 3, -3},  {30, 0, 1, -1},
		    {31, 0, 1, -1}};
	static const char expected[] =
		"class   size   num pools   blocks in use  avail blocks\n"
		"-----   ----   ---------   -------------  ------------\n"
		"    1     32          +1             +52           +74\n"
		"    2     48          +0             +17           -17\n"
		"    3     64          +0             +33           -33\n"
		"    4     80          +1             +51            -1\n"
		"    5     96          +2             +34           +50\n"
		"    6    112          +0              +2            -2\n"
		"    7    128          +0              +1            -1\n"
		"   10    176          +0              +1            -1\n"
		"   12    208          +0              +1            -1\n"
		"   17    288          +0              +1            -1\n"
		"   18    304          +0              +2            -2\n"
		"   25    416          +0              +3            -3\n"
		"   26    432          +0              +3            -3\n"
		"   27    448          +0              +3            -3\n"
		"   29    480          +0              +3            -3\n"
		"   30    496          +0              +1            -1\n"
		"   31    512          +0              +1            -1\n"
		"\n"
		"# bytes in allocated blocks        =              +19,904\n"
		"# bytes in available blocks        =               -3,808\n"
		"-4 unused pools * 4096 bytes       =              -16,384\n"
		"# bytes lost to pool headers       =                 +192\n"
		"# bytes lost to quantization       =                  +96\n"
		"\n"
		"  -1 free 1-sized PyTupleObjects * 32 bytes each =                  -32\n"
		"  +1 free 5-sized PyTupleObjects * 64 bytes each =                  +64\n"
		"           +2 free PyDictObjects * 48 bytes each =                  +96\n"
		"           -2 free PyListObjects * 40 bytes each =                  -80\n"
		"         +1 free PyMethodObjects * 48 bytes each =                  +48\n";
	struct malloc_stats a = made_up(), b = a;
	_cleanup_free_ char *got = NULL;
	struct fault f = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct size_class *c = &b.classes[rows[i].class];

		c->pools += rows[i].pools;
		c->used += rows[i].used;
		c->avail += rows[i].avail;
	}
	b.allocated_bytes += 19904;
	b.available_bytes -= 3808;
	b.unused_pools -= 4;
	b.header_bytes += 192;
	b.quantization_bytes += 96;
	b.free_lists[0].count += 2;
	b.free_lists[2].count -= 2;
	b.free_lists[3].count += 1;
	b.free_lists[4].count -= 1;
	b.free_lists[5].count += 1;
	got = difference(&a, &b, &f);
	assert_non_null(got);
	assert_string_equal(got, expected);
}

static void without_change_nothing_is_printed(void **state)
{
	struct malloc_stats a = made_up();
	_cleanup_free_ char *got = NULL;
	struct fault f = {0};

	got = difference(&a, &a, &f);
	assert_string_equal(got, "");
}

/* pymemtrace cannot compare these; docs: stats_text.h. */
static void a_class_of_one_side_had_no_pool_in_the_other(void **state)
{
	struct malloc_stats a = made_up(), b = a;
	_cleanup_free_ char *got = NULL;
	struct fault f = {0};

	memset(&a.classes[9], 0, sizeof(a.classes[9]));
	memset(&b.classes[21], 0, sizeof(b.classes[21]));
	got = difference(&a, &b, &f);
	assert_string_equal(got, "class   size   num pools   blocks in use  avail blocks\n"
				 "-----   ----   ---------   -------------  ------------\n"
				 "    9    160         +10            +400          +100\n"
				 "   21    352         -10            -400          -100\n");
}

static void free_lists_of_one_side(void **state)
{
	struct malloc_stats a = made_up(), b = a;
	_cleanup_free_ char *got = NULL;
	struct fault f = {0};

	a.pymalloc = b.pymalloc = false;
	add_list(&a, "PyFrameObject", 4, 368);
	add_list(&b, "2-sized PyTupleObject", 0, 40);
	b.free_lists[1].item_bytes = 32; /* another build */
	got = difference(&a, &b, &f);
	assert_string_equal(
		got, "\n+   0 free 2-sized PyTupleObjects * 40 bytes each =                    0\n"
		     "-          10 free PyFloatObjects * 24 bytes each =                  240\n"
		     "+          10 free PyFloatObjects * 32 bytes each =                  320\n"
		     "-          4 free PyFrameObjects * 368 bytes each =                1,472\n");
}

static void different_builds_are_refused(void **state)
{
	struct malloc_stats a = made_up(), b = a;
	struct fault f = {0};

	b.nr_classes = 64;
	assert_null(difference(&a, &b, &f));
	assert_int_equal(f.err, EINVAL);
	assert_string_equal(f.text, "32 size classes in the first, 64 in the second");
	b = a;
	b.arena_bytes = 1 << 20;
	assert_null(difference(&a, &b, &f));
	assert_string_equal(f.text, "arenas of 262144 bytes in the first, 1048576 in the second");
	b = a;
	b.pool_bytes = 16384;
	assert_null(difference(&a, &b, &f));
	assert_string_equal(f.text, "pools of 4096 bytes in the first, 16384 in the second");
	b = a;
	b.pymalloc = false;
	assert_null(difference(&a, &b, &f));
	assert_string_equal(f.text, "the second of the two has no pymalloc part");
	assert_null(difference(&b, &a, &f));
	assert_string_equal(f.text, "the first of the two has no pymalloc part");
	assert_true(strlen(f.hint) > 0);
}

static void equality_sees_every_figure(void **state)
{
	struct malloc_stats a = made_up(), b = a;

	assert_true(stats_equal(&a, &b));
	b.free_lists[5].count++;
	assert_false(stats_equal(&a, &b));
	b = a;
	b.classes[31].avail++;
	assert_false(stats_equal(&a, &b));
	b = a;
	b.arenas_highwater++;
	assert_false(stats_equal(&a, &b));
	b = a;
	b.alignment_bytes++;
	assert_false(stats_equal(&a, &b));
	b = a;
	b.serial++; /* not printed: has_serial is false */
	assert_true(stats_equal(&a, &b));
	b.has_serial = true;
	assert_false(stats_equal(&a, &b));
	b = a;
	a.radix = b.radix = true;
	b.map_bot_nodes++;
	assert_false(stats_equal(&a, &b));
}

static void hostile_numbers_wrap(void **state)
{
	struct malloc_stats a = made_up(), b = a;
	_cleanup_free_ char *got = NULL;
	struct fault f = {0};

	b.arenas_total = UINT64_MAX;
	b.unused_pools = UINT64_MAX / 3;
	b.classes[0].used = 1ull << 63;
	got = difference(&a, &b, &f);
	assert_non_null(got);
	assert_non_null(strstr(got, "    0     16          +0  +9223372036854775408 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_print_what_pymemtrace_prints),
		cmocka_unit_test(the_example_of_pymemtraces_documentation),
		cmocka_unit_test(without_change_nothing_is_printed),
		cmocka_unit_test(a_class_of_one_side_had_no_pool_in_the_other),
		cmocka_unit_test(free_lists_of_one_side),
		cmocka_unit_test(different_builds_are_refused),
		cmocka_unit_test(equality_sees_every_figure),
		cmocka_unit_test(hostile_numbers_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
