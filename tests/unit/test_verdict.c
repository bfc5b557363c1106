/* SPDX-License-Identifier: MIT */
/*
 * What is said of processes whose causes are known: figures as measured of programs that retain memory
 * in one way each.
 */
#include "verdict_fixture.h"

/* Survivors far apart in pymalloc's pools. */
static void fragment(struct scene *s)
{
	scene_row(s, MEMORY_PY_FREE, KIB(62123));
	s->e.pools.pools_used = 4006;
	s->e.pools.sparse_pools = 3942;
	s->e.pools.sparse_blocks = 7105;
	s->e.pools.sparse_live_bytes = KIB(333);
	s->e.pools.sparse_resident = KIB(61900);
	s->e.pools.returned_arenas = 60;
	s->e.pools.returned_bytes = KIB(61440);
	s->e.heap.trim_bytes = s->e.heap.trim_pinned[0] = KIB(96);
}

static void test_pinned_pools(void **state)
{
	struct scene s;

	scene_begin(&s);
	fragment(&s);
	scene_judge(&s);
	FOUND(&s, FINDING_POOLS_PINNED);
	assert_string_equal(s.v.sentences[0].text,
			    "85 % of RSS (60.7 MiB) is free blocks in pymalloc pools that 0.5 % "
			    "survivors pin (3,942 of 4,006 pools are under 25 % full).");
	assert_int_equal(s.v.sentences[0].bytes, KIB(62123));
	ADVISED(&s, REMEDY_FREE_SURVIVORS);
	assert_string_equal(
		s.v.remedies[0].text,
		"freeing those 7,105 blocks, or a restart, returns 60.0 MiB; "
		"malloc_trim(0) would return 96.0 KiB; gc.collect() nothing, unless the "
		"survivors are garbage in cycles.");
	assert_int_equal(s.v.remedies[0].bytes, KIB(61440));
	assert_true(s.v.remedies[0].exact);
}

/* 3.8 and 3.9: more free pools than free blocks. */
static void test_pinned_arenas(void **state)
{
	struct scene s;

	scene_begin(&s);
	fragment(&s);
	s.rows[s.e.nr_rows - 1].bytes = KIB(25872);
	s.e.total -= KIB(62123 - 25872);
	scene_row(&s, MEMORY_PY_FREE_POOLS, KIB(36820));
	s.e.pools.arenas = 254;
	s.e.pools.arena_bytes = KIB(256);
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"85 % of RSS (61.2 MiB) is free memory in 254 pymalloc arenas (256.0 KiB "
		"each) that survivors keep: 50 % is free pools, 35 % free blocks; 3,942 "
		"of 4,006 pools are under 25 % full.");
	ADVISED(&s, REMEDY_FREE_SURVIVORS);
}

/* Most pools are half full, but what few others keep is worth a remedy all the same. */
static void test_few_sparse_pools(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_PY_FREE, MIB(60));
	s.e.pools.pools_used = 7800;
	s.e.pools.sparse_pools = 1200;
	s.e.pools.sparse_blocks = 1300;
	s.e.pools.sparse_resident = MIB(19);
	s.e.pools.returned_bytes = MIB(18);
	scene_judge(&s);
	ADVISED(&s, REMEDY_FREE_SURVIVORS);
	assert_string_equal(
		s.v.remedies[0].text,
		"freeing the 1,300 blocks in pymalloc pools that are under 25 % full, or a "
		"restart, returns 18.0 MiB; malloc_trim(0) would return 0 B; gc.collect() "
		"nothing, unless the survivors are garbage in cycles.");
}

/* Half of each pool is in use: nobody can be blamed, and nothing is promised. */
static void test_half_full_pools(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_PY_FREE, MIB(60));
	scene_row(&s, MEMORY_PY_LIVE, MIB(60));
	s.e.pools.pools_used = 7800;
	s.e.pools.sparse_pools = 12;
	s.e.pools.sparse_blocks = 100;
	s.e.pools.sparse_resident = KIB(192);
	scene_judge(&s);
	FOUND(&s, FINDING_DATA, FINDING_POOLS_PINNED);
	assert_string_equal(
		s.v.sentences[1].text,
		"46 % of RSS (60.0 MiB) is free blocks in 7,800 pymalloc pools, which new "
		"objects of the same sizes will use. Most of that is not pinned by a few survivors: 12 of "
		"7,800 pools are under 25 % full.");
	ADVISED(&s, REMEDY_NOTHING);
	assert_string_equal(s.v.remedies[0].text,
			    "none: the free memory serves new objects, and lies where it cannot be "
			    "given back; malloc_trim(0) would return 0 B.");
}

static void retain(struct scene *s, uint64_t trim)
{
	scene_row(s, MEMORY_HEAP_FREE, KIB(323221));
	s->e.heap.largest_free = KIB(323000);
	s->e.heap.trim_bytes = trim;
	s->e.heap.trim_pinned[2] = trim;
	s->e.heap.trim_large = trim;
}

static void test_heap_below_one_chunk(void **state)
{
	struct scene s;

	scene_begin(&s);
	retain(&s, KIB(322940));
	scene_judge(&s);
	FOUND(&s, FINDING_HEAP_FREE);
	assert_string_equal(
		s.v.sentences[0].text,
		"97 % of RSS (315.6 MiB) is free memory in glibc's heap: 315.4 MiB of it in "
		"one piece below a chunk in use.");
	ADVISED(&s, REMEDY_TRIM, REMEDY_MMAP_THRESHOLD);
	assert_string_equal(s.v.remedies[0].text,
			    "malloc_trim(0) returns 315.4 MiB; the process has to call it: "
			    "ctypes.CDLL(None).malloc_trim(0).");
	assert_int_equal(s.v.remedies[0].bytes, KIB(322940));
	assert_true(s.v.remedies[0].exact);
	assert_string_equal(
		s.v.remedies[1].text,
		"MALLOC_MMAP_THRESHOLD_=32768 at the next start saves up to 315.6 MiB, if "
		"what was freed was blocks of that size or more, as those in use in between "
		"are: each is then a mapping of its own, at the cost of system calls.");
	assert_false(s.v.remedies[1].exact);

	/* small chunks keep it: no threshold would help */
	s.e.heap.trim_pinned[0] = s.e.heap.trim_pinned[2];
	s.e.heap.trim_pinned[2] = 0;
	scene_judge(&s);
	ADVISED(&s, REMEDY_TRIM);
	/* it is as low as that already */
	s.e.heap.trim_pinned[4] = s.e.heap.trim_pinned[0];
	s.e.heap.trim_pinned[0] = 0;
	scene_judge(&s);
	ADVISED(&s, REMEDY_TRIM);
}

static void test_heap_between_chunks(void **state)
{
	struct scene s;

	scene_begin(&s);
	retain(&s, KIB(263612));
	s.e.heap.largest_free = KIB(900);
	s.e.heap.trim_pinned[0] = s.e.heap.trim_pinned[2] / 4;
	s.e.heap.trim_pinned[2] -= s.e.heap.trim_pinned[0];
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"97 % of RSS (315.6 MiB) is free memory in glibc's heap between chunks in "
		"use; the largest piece is 900.0 KiB.");
	ADVISED(&s, REMEDY_TRIM, REMEDY_MMAP_THRESHOLD);
}

/* PYTHONMALLOC=malloc: small chunks. */
static void test_fastbins(void **state)
{
	struct scene s;

	scene_begin(&s);
	retain(&s, KIB(34980));
	s.e.heap.fsmblks = KIB(300000);
	s.e.has_pools = false;
	s.e.heap.trim_pinned[0] = s.e.heap.trim_pinned[2];
	s.e.heap.trim_pinned[2] = 0;
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"97 % of RSS (315.6 MiB) is free memory in glibc's heap, most of it small "
		"chunks in fastbins: freed, and never merged.");
	ADVISED(&s, REMEDY_TRIM);
	assert_int_equal(s.v.remedies[0].bytes, KIB(34980));
}

static void test_thresholds_that_grew(void **state)
{
	struct scene s;

	scene_begin(&s);
	retain(&s, KIB(163860));
	s.e.heap.trim_pinned[0] = s.e.heap.trim_pinned[2];
	s.e.heap.trim_pinned[2] = 0;
	s.e.heap.thresholds_grew = true;
	s.e.heap.mmap_threshold = 20975616;
	s.e.heap.trim_threshold = 41951232;
	scene_judge(&s);
	FOUND(&s, FINDING_THRESHOLD_GREW);
	assert_string_equal(
		s.v.sentences[0].text,
		"97 % of RSS (315.6 MiB) is free memory in glibc's heap. Its mmap_threshold grew to "
		"20,975,616, so blocks up to that size are on the heap now; trim_threshold is "
		"41,951,232.");
	ADVISED(&s, REMEDY_TRIM, REMEDY_MMAP_THRESHOLD);
	assert_string_equal(
		s.v.remedies[1].text,
		"MALLOC_MMAP_THRESHOLD_=131072 at the next start saves up to 315.6 MiB, if "
		"what was freed was blocks of that size or more: the thresholds then do not "
		"grow, and such blocks stay out of the heap.");

	/* small pieces cannot have been such blocks */
	s.e.heap.trim_large = MIB(1);
	scene_judge(&s);
	FOUND(&s, FINDING_HEAP_FREE);
	ADVISED(&s, REMEDY_TRIM);
	/* 400 KiB is where most Python processes get */
	s.e.heap.trim_large = s.e.heap.trim_bytes;
	s.e.heap.mmap_threshold = 401408;
	scene_judge(&s);
	FOUND(&s, FINDING_HEAP_FREE);
	ADVISED(&s, REMEDY_TRIM);
}

static void test_top(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_HEAP_TOP, MIB(40));
	s.e.heap.trim_bytes = s.e.heap.trim_top = MIB(39.5);
	scene_judge(&s);
	/* the threshold is what it always is: something else keeps it, and no tunable is named */
	FOUND(&s, FINDING_HEAP_FREE);
	ADVISED(&s, REMEDY_TRIM);

	s.e.heap.trim_threshold = MIB(60);
	scene_judge(&s);
	assert_string_equal(
		s.v.sentences[0].text,
		"79 % of RSS (40.0 MiB) is free memory in glibc's heap, most of it at its "
		"end, where trim_threshold lets 60.0 MiB stay.");
	ADVISED(&s, REMEDY_TRIM, REMEDY_TRIM_THRESHOLD);
	assert_string_equal(
		s.v.remedies[1].text,
		"MALLOC_TRIM_THRESHOLD_=131072 at the next start saves up to 40.0 MiB: the "
		"heap's end is then given back, of which 60.0 MiB may stay now.");

	s.e.heap.mmap_threshold = MIB(30);
	s.e.heap.thresholds_grew = true;
	scene_judge(&s);
	FOUND(&s, FINDING_THRESHOLD_GREW);
	assert_string_equal(
		s.v.sentences[0].text,
		"79 % of RSS (40.0 MiB) is free memory in glibc's heap, most of it at its end. Its "
		"mmap_threshold grew to 31,457,280, so blocks up to that size are on the heap now; "
		"trim_threshold is 62,914,560.");
	ADVISED(&s, REMEDY_TRIM, REMEDY_TRIM_THRESHOLD);
	assert_string_equal(
		s.v.remedies[1].text,
		"MALLOC_TRIM_THRESHOLD_=131072 at the next start saves up to 40.0 MiB: the "
		"thresholds then do not grow, and the heap's end is given back.");
}

static void test_arenas_of_threads(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_ARENA_FREE, KIB(235074));
	scene_row(&s, MEMORY_ARENA_TOP, KIB(109));
	s.e.heap.arenas = 9;
	s.e.heap.trim_bytes = s.e.heap.trim_pinned[1] = KIB(234880);
	scene_judge(&s);
	FOUND(&s, FINDING_ARENAS_FREE);
	assert_string_equal(
		s.v.sentences[0].text,
		"96 % of RSS (229.7 MiB) is free memory in 8 arenas of threads of glibc's "
		"malloc.");
	ADVISED(&s, REMEDY_TRIM, REMEDY_ARENA_MAX, REMEDY_MMAP_THRESHOLD);
	assert_string_equal(
		s.v.remedies[1].text,
		"MALLOC_ARENA_MAX=1 at the next start saves up to 229.7 MiB, if the threads "
		"peak at different times; little if they peak together.");
	/* one thread has no other to share with in time */
	s.e.heap.arenas = 2;
	s.e.heap.trim_pinned[0] = s.e.heap.trim_pinned[1];
	s.e.heap.trim_pinned[1] = 0;
	scene_judge(&s);
	assert_string_equal(s.v.sentences[0].text,
			    "96 % of RSS (229.7 MiB) is free memory in a thread's arena of glibc's "
			    "malloc.");
	ADVISED(&s, REMEDY_TRIM);
}

static void test_data(void **state)
{
	struct scene s;

	scene_begin(&s);
	scene_row(&s, MEMORY_MMAPPED, KIB(140932))->huge = MIB(59);
	s.rows[1].bytes += KIB(14000);
	s.e.total += KIB(14000);
	s.e.heap.hblks = 55;
	scene_judge(&s);
	FOUND(&s, FINDING_DATA);
	assert_string_equal(
		s.v.sentences[0].text,
		"95 % of RSS (153.9 MiB) is in use: 137.6 MiB in 55 large blocks that malloc "
		"mapped one by one. 59.0 MiB of it is in huge pages (THP), resident as a "
		"whole once a byte is touched.");
	ADVISED(&s, REMEDY_NOTHING);
	assert_string_equal(
		s.v.remedies[0].text,
		"none: it is data, and only the program can let go of it; malloc_trim(0) "
		"would return 0 B.");
	assert_int_equal(s.v.remedies[0].bytes, 0);

	scene_begin(&s);
	scene_row(&s, MEMORY_PY_LIVE, MIB(300));
	scene_row(&s, MEMORY_ARENA_USED, MIB(100));
	s.e.pools.live_blocks = 3000000;
	scene_judge(&s);
	assert_string_equal(s.v.sentences[0].text,
			    "98 % of RSS (402.6 MiB) is in use: 301.4 MiB in Python's small blocks "
			    "(3,000,000 of them), 101.2 MiB in chunks of malloc's heap.");
}

/* Both kinds of waste: the trim that is a remedy of its own is not told twice. */
static void test_two_causes(void **state)
{
	struct scene s;

	scene_begin(&s);
	fragment(&s);
	retain(&s, KIB(322940));
	scene_judge(&s);
	FOUND(&s, FINDING_HEAP_FREE, FINDING_POOLS_PINNED);
	ADVISED(&s, REMEDY_TRIM, REMEDY_FREE_SURVIVORS, REMEDY_MMAP_THRESHOLD);
	assert_string_equal(
		s.v.remedies[1].text,
		"freeing those 7,105 blocks, or a restart, returns 60.0 MiB; gc.collect() "
		"nothing, unless the survivors are garbage in cycles.");
}

static void test_small(void **state)
{
	struct scene s;

	scene_begin(&s);
	s.e.heap.trim_bytes = s.e.heap.trim_top = KIB(696);
	scene_row(&s, MEMORY_HEAP_TOP, KIB(800));
	scene_judge(&s);
	FOUND(&s, FINDING_SMALL);
	assert_string_equal(
		s.v.sentences[0].text,
		"RSS is 11.2 MiB, 57 % of it programs and libraries (page cache): nothing "
		"stands out.");
	ADVISED(&s, REMEDY_NOTHING);
	assert_string_equal(s.v.remedies[0].text,
			    "none is needed; malloc_trim(0) would return 696.0 KiB.");
	/* but even a small one may have a waste */
	scene_row(&s, MEMORY_ANONYMOUS, MIB(6));
	scene_judge(&s);
	FOUND(&s, FINDING_FILES, FINDING_ANONYMOUS);
}

static void test_nothing_at_all(void **state)
{
	struct scene s = {0};

	scene_judge(&s);
	FOUND(&s, FINDING_SMALL);
	assert_string_equal(s.v.sentences[0].text, "RSS is 0 B: nothing stands out.");
	ADVISED(&s, REMEDY_NOTHING);
	assert_string_equal(s.v.remedies[0].text, "none is needed.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pinned_pools),
		cmocka_unit_test(test_pinned_arenas),
		cmocka_unit_test(test_few_sparse_pools),
		cmocka_unit_test(test_half_full_pools),
		cmocka_unit_test(test_heap_below_one_chunk),
		cmocka_unit_test(test_heap_between_chunks),
		cmocka_unit_test(test_fastbins),
		cmocka_unit_test(test_thresholds_that_grew),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_arenas_of_threads),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_two_causes),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_nothing_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
