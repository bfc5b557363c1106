/* SPDX-License-Identifier: MIT */
/*
 * Memory that is not malloc's or not looked into, forked children, readings that did not work out: what
 * is known is said, and no number is claimed that is not.
 */
#include "verdict_fixture.h"

static void test_shared(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_SHARED, MIB(40))->exclusive = 0;
	s.e.kernel.shared += MIB(40);
	scene_judge(&s);
	FOUND(&s, FINDING_SHARED);
	assert_string_equal(
		s.v.sentences[0].text,
		"79 % of RSS (40.0 MiB) is shared memory (MAP_SHARED, memfd, tmpfs): it "
		"stays as long as anybody maps or holds it.");
	ADVISED(&s, REMEDY_NOTHING);
	assert_string_equal(
		s.v.remedies[0].text,
		"none that can be computed from what is seen here; malloc_trim(0) would "
		"return 0 B.");
}

static void test_stacks(void **state)
{
	struct scene s;

	scene_begin(&s);
	s.e.threads = 1200;
	scene_row(&s, MEMORY_STACK, MIB(90));
	scene_row(&s, MEMORY_DATA_STACK, MIB(20));
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"91 % of RSS (110.1 MiB) is stacks of 1,200 threads and of Python's frames.");
}

static void test_other_malloc(void **state)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{"jemalloc",
		 "97 % of RSS (300.0 MiB) is memory of jemalloc, which is not looked into: how much of "
		 "it is free is not known. malloc_trim(0) is glibc's and does nothing for it."},
		{"musl",
		 "97 % of RSS (300.0 MiB) is memory of musl, which is not looked into: how much "
		 "of it is free is not known."},
		{"",
		 "97 % of RSS (300.0 MiB) is memory of another allocator, which is not looked into: "
		 "how much of it is free is not known. malloc_trim(0) is glibc's and does nothing "
		 "for it."},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene s;

		scene_begin(&s);
		/* where malloc is another's, there is nothing of glibc's heap */
		s.e.total -= s.rows[1].bytes;
		s.rows[1].bytes = 0;
		s.e.has_heap = false;
		s.e.heap = (struct heap_stats){0};
		strcpy(s.e.malloc, cases[i].name);
		scene_row(&s, MEMORY_OTHER_MALLOC, MIB(300))->name = (char *)cases[i].name;
		scene_judge(&s);
		FOUND(&s, FINDING_OTHER_MALLOC);
		assert_string_equal(s.v.sentences[0].text, cases[i].text);
		ADVISED(&s, REMEDY_NOTHING);
		assert_string_equal(s.v.remedies[0].text,
				    "none that can be computed from what is seen here.");
	}
}

/* Python's own mimalloc beside glibc's heap, which malloc_trim() is for. */
static void test_mimalloc_of_python(void **state)
{
	struct scene s;
	static char name[] = "mimalloc";

	scene_begin(&s);
	s.e.has_pools = false;
	scene_row(&s, MEMORY_OTHER_MALLOC, MIB(300))->name = name;
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"97 % of RSS (300.0 MiB) is memory of mimalloc, which is not looked into: "
		"how much of it is free is not known.");
}

static void test_forked(void **state)
{
	struct scene s;

	scene_begin(&s);
	for (size_t i = 0; i < s.e.nr_rows; i++)
		s.rows[i].exclusive = 0;
	scene_row(&s, MEMORY_PY_LIVE, KIB(60000))->exclusive = KIB(25000);
	s.e.kernel.pss = KIB(48000);
	s.e.kernel.shared = s.e.total - KIB(25000);
	s.e.parent_anon = KIB(66000);
	scene_judge(&s);
	FOUND(&s, FINDING_COPIED, FINDING_DATA);
	assert_string_equal(
		s.v.sentences[0].text,
		"It shares anonymous memory with a parent or child: of 62.6 MiB, 24.4 MiB is "
		"its own (written or allocated since the fork), 38.2 MiB shared. RSS counts "
		"that in each of them; its share (Pss) is 46.9 MiB.");
	ADVISED(&s, REMEDY_FREEZE);
	assert_string_equal(
		s.v.remedies[0].text,
		"gc.freeze() in the parent before it forks: the garbage collector then does "
		"not copy what the parent made, up to 24.4 MiB. Reference counts copy it all "
		"the same; RSS stays, Pss falls.");
	assert_int_equal(s.v.remedies[0].bytes, KIB(25000));
	assert_false(s.v.remedies[0].exact);

	/* of most of what is its own the parent knows nothing */
	s.e.parent_anon = s.e.total - KIB(20000);
	scene_judge(&s);
	ADVISED(&s, REMEDY_FREEZE);
	assert_in_range(s.v.remedies[0].bytes, KIB(5000), KIB(5000) + KIB(11000));
	/* it is the parent, of others */
	s.e.parent_anon = 0;
	scene_judge(&s);
	ADVISED(&s, REMEDY_NOTHING);
	s.e.parent_anon = KIB(66000);
	/* there is none before 3.7 */
	s.e.python.version_hex = 0x03060ff0;
	scene_judge(&s);
	ADVISED(&s, REMEDY_NOTHING);
	/* nothing was copied yet */
	s.e.python.version_hex = 0x030c01f0;
	s.rows[s.e.nr_rows - 1].exclusive = KIB(156);
	s.e.kernel.shared = s.e.total - KIB(156);
	scene_judge(&s);
	FOUND(&s, FINDING_COPIED, FINDING_DATA);
	ADVISED(&s, REMEDY_NOTHING);
}

/* RSS falls, but no memory becomes free. */
static void test_trim_of_a_child(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_HEAP_FREE, MIB(100))->exclusive = MIB(1);
	s.e.kernel.shared += MIB(99);
	s.e.heap.trim_bytes = s.e.heap.trim_pinned[0] = MIB(99.5);
	scene_judge(&s);
	ADVISED(&s, REMEDY_TRIM);
	assert_string_equal(
		s.v.remedies[0].text,
		"malloc_trim(0) returns 99.5 MiB; the process has to call it: "
		"ctypes.CDLL(None).malloc_trim(0). Most of that is shared with a parent or "
		"child, and stays with them.");
}

static void test_unknown_python(void **state)
{
	struct scene s;

	scene_begin(&s);
	s.e.total -= s.rows[0].bytes;
	s.rows[0].bytes = 0;
	s.e.python.version_hex = 0;
	s.e.has_pools = false;
	s.e.pools = (struct pool_stats){0};
	strcpy(s.e.pools_why, "pid 42: CPython 3.17.0 is not one that is known.");
	scene_row(&s, MEMORY_ANONYMOUS, MIB(80));
	scene_judge(&s);
	FOUND(&s, FINDING_ANONYMOUS);
	assert_string_equal(
		s.v.sentences[0].text,
		"90 % of RSS (80.0 MiB) is anonymous memory that no known allocator has. "
		"No Python that is known: pid 42: CPython 3.17.0 is not one that is "
		"known.");
	ADVISED(&s, REMEDY_NOTHING);
	/* nothing is missing, but there may be others */
	s.e.python.version_hex = 0x030c01f0;
	strcpy(s.e.library_mallocs, "libarrow.so.2600 (jemalloc, mimalloc)");
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"90 % of RSS (80.0 MiB) is anonymous memory that no known allocator has. "
		"Libraries that bring an allocator of their own are loaded, and what those map "
		"looks like this: libarrow.so.2600 (jemalloc, mimalloc).");
	s.e.python.version_hex = 0;
	/* nor Python, nor a malloc that could be read */
	strcpy(s.e.pools_why, "pid 42 is not a Python process");
	s.e.has_heap = false;
	s.e.malloc[0] = 0;
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"90 % of RSS (80.0 MiB) is anonymous memory that no known allocator has. "
		"No Python that is known: pid 42 is not a Python process.");
	assert_string_equal(s.v.remedies[0].text,
			    "none that can be computed from what is seen here.");
	/* Python, but no malloc; whatever the reason is made of */
	s.e.python.version_hex = 0x030c01f0;
	strcpy(s.e.heap_why, "lib\303\244\033[1m.so is there");
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"90 % of RSS (80.0 MiB) is anonymous memory that no known allocator has. "
		"The heap was not looked into: lib??[1m.so is there.");
}

static void test_heap_that_was_not_classified(void **state)
{
	struct scene s;

	scene_begin(&s);
	s.rows[1].kind = MEMORY_HEAP_UNKNOWN;
	s.rows[1].bytes += MIB(60);
	s.rows[1].exclusive += MIB(60);
	s.e.total += MIB(60);
	s.e.approximate = true;
	s.e.heap.exact = false;
	/* what other arenas have is not all of it */
	s.e.heap.trim_bytes = s.e.heap.trim_pinned[4] = MIB(50);
	s.e.heap.arenas = 9;
	strcpy(s.e.heap.why_not, "the chunk at 0x5555 of arena 0x7f00 cannot be");
	strcpy(s.e.heap_why, s.e.heap.why_not);
	scene_judge(&s);
	FOUND(&s, FINDING_HEAP_UNKNOWN);
	assert_string_equal(
		s.v.sentences[0].text,
		"87 % of RSS (61.2 MiB) is heap of glibc that was not classified: the chunk "
		"at 0x5555 of arena 0x7f00 cannot be. How much of it is free is not known.");
	ADVISED(&s, REMEDY_NOTHING);
	assert_string_equal(s.v.remedies[0].text,
			    "none that can be computed as long as the heap is not classified.");
}

static void test_approximate(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_HEAP_FREE, MIB(300));
	scene_row(&s, MEMORY_PY_FREE, MIB(50));
	s.e.heap.trim_bytes = s.e.heap.trim_pinned[0] = MIB(299);
	s.e.pools.pools_used = s.e.pools.sparse_pools = 3200;
	s.e.pools.sparse_blocks = 3200;
	s.e.pools.sparse_live_bytes = KIB(100);
	s.e.pools.sparse_resident = MIB(50);
	s.e.pools.returned_bytes = MIB(49);
	s.e.approximate = true;
	strcpy(s.e.approximate_why, "it grew or shrank by 8 KiB while it was read");
	scene_judge(&s);
	FOUND(&s, FINDING_HEAP_FREE, FINDING_POOLS_PINNED);
	assert_string_equal(
		s.v.sentences[0].text,
		"83 % of RSS (300.0 MiB) is free memory in glibc's heap. These figures are "
		"approximate.");
	ADVISED(&s, REMEDY_TRIM, REMEDY_FREE_SURVIVORS);
	assert_string_equal(s.v.remedies[0].text,
			    "malloc_trim(0) returns up to 299.0 MiB; the process has to call it: "
			    "ctypes.CDLL(None).malloc_trim(0).");
	assert_false(s.v.remedies[0].exact);
	assert_string_equal(s.v.remedies[1].text,
			    "freeing those 3,200 blocks, or a restart, returns up to 49.0 MiB; "
			    "gc.collect() nothing, unless the survivors are garbage in cycles.");
	assert_false(s.v.remedies[1].exact);

	/* with glibc.malloc.hugetlb top goes in huge pages */
	s.e.approximate = false;
	s.e.heap.thp_bytes = MIB(2);
	scene_judge(&s);
	assert_string_equal(s.v.sentences[0].text,
			    "83 % of RSS (300.0 MiB) is free memory in glibc's heap.");
	assert_false(s.v.remedies[0].exact);
	assert_true(s.v.remedies[1].exact);
	/* one arena more or less */
	s.e.pools.returned_unsure = MIB(1);
	scene_judge(&s);
	assert_false(s.v.remedies[1].exact);
}

static void test_swap(void **state)
{
	struct scene s;

	scene_begin(&s);
	s.e.kernel.swap = MIB(1200);
	scene_judge(&s);
	FOUND(&s, FINDING_SWAPPED, FINDING_FILES);
	assert_string_equal(s.v.sentences[0].text,
			    "1.2 GiB more is swapped out: no part of RSS, and slow to touch.");
	assert_int_equal(s.v.sentences[0].bytes, MIB(1200));
	s.e.kernel.swap = MIB(1);
	scene_judge(&s);
	FOUND(&s, FINDING_SMALL);
	s.e.kernel.hugetlb = MIB(512);
	scene_judge(&s);
	FOUND(&s, FINDING_HUGETLB, FINDING_FILES);
	assert_string_equal(s.v.sentences[0].text,
			    "512.0 MiB more is in pages of hugetlbfs (MAP_HUGETLB, "
			    "glibc.malloc.hugetlb=2): no part of RSS.");
}

static void test_huge_pages(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_ANONYMOUS, MIB(42))->huge = MIB(40);
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"80 % of RSS (42.0 MiB) is anonymous memory that no known allocator has. "
		"40.0 MiB of it is in huge pages (THP), resident as a whole once a byte "
		"is touched.");
	/* pymalloc's arenas: pools that were never used are resident then */
	scene_begin(&s);
	scene_row(&s, MEMORY_PY_NEVER, MIB(50))->huge = MIB(50);
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"83 % of RSS (50.0 MiB) is memory of pymalloc that no object is in, most of "
		"it never used. 50.0 MiB of it is in huge pages (THP), resident as a whole "
		"once a byte is touched.");
}

static void test_names(void **state)
{
	for (unsigned int i = 0; i < FINDINGS; i++)
		for (unsigned int k = 0; k <= i; k++)
			assert_true(finding_name(i)[0] &&
				    !strcmp(finding_name(i), finding_name(k)) == (i == k));
	for (unsigned int i = 0; i < REMEDIES; i++)
		for (unsigned int k = 0; k <= i; k++)
			assert_true(remedy_name(i)[0] &&
				    !strcmp(remedy_name(i), remedy_name(k)) == (i == k));
	assert_string_equal(finding_name(FINDINGS), "");
	assert_string_equal(remedy_name(REMEDIES), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_other_malloc),
		cmocka_unit_test(test_mimalloc_of_python),
		cmocka_unit_test(test_forked),
		cmocka_unit_test(test_trim_of_a_child),
		cmocka_unit_test(test_unknown_python),
		cmocka_unit_test(test_heap_that_was_not_classified),
		cmocka_unit_test(test_approximate),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_huge_pages),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
