/* SPDX-License-Identifier: MIT */
/*
 * malloc's memory as each version of glibc lays it out, and what becomes of it when it is not as it
 * should be: one row, with the reason.
 */
#include "fixture.h"
#include "glibc_fixture.h"

#include <errno.h>

static const unsigned int versions[] = {31, 32, 35, 36, 41, 42, 43};

#define CACHE_PART     \
	{              \
		'c', 0 \
	} /* its size is the version's */

/* 5 pages free between two in use; two in the cache; before top 1 page free. */
static void usual(struct scene *s, unsigned int minor)
{
	struct part parts[] = {CACHE_PART,   {'u', 0x1000}, {'f', 0x5100}, {'t', 0x40},
			       {'u', 0x100}, {'t', 0x40},   {'u', 0x1000}, {0}};

	parts[0].size = glibc_layout(minor)->tcache_remaining ? 0x300 : 0x290;
	scene_new(s, minor, parts);
}

static void assert_sum(const struct scene *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->nr_rows; i++)
		sum += s->rows[i].bytes;
	assert_int_equal(sum, s->total);
}

static void test_versions(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct scene s;
		uint64_t used, top;
		char text[16];

		usual(&s, versions[i]);
		assert_int_equal(scene_read(&s), 0);
		assert_string_equal(s.stats.why_not, "");
		assert_true(s.stats.exact);
		snprintf(text, sizeof(text), "2.%u", versions[i]);
		assert_string_equal(s.stats.version, text);
		used = tcache_chunk(&s) + 0x1000 + 0x100 + 0x1000;
		top = HEAP_LEN - used - 0x5100 - 0x80;
		assert_int_equal(row(&s, MEMORY_HEAP_USED), used);
		assert_int_equal(row(&s, MEMORY_HEAP_FREE), 0x5100);
		assert_int_equal(row(&s, MEMORY_HEAP_TCACHE), 0x80);
		assert_int_equal(row(&s, MEMORY_HEAP_TOP), top);
		assert_int_equal(row(&s, MEMORY_ARENA_USED), 0x100 + 0x800 + 0x40);
		assert_int_equal(row(&s, MEMORY_MMAPPED), MAPPED_1 + MAPPED_2);
		assert_int_equal(row(&s, MEMORY_HEAP_UNKNOWN), 0);
		assert_int_equal(row(&s, MEMORY_ARENA_USED) + row(&s, MEMORY_ARENA_FREE) +
					 row(&s, MEMORY_ARENA_TOP) + row(&s, MEMORY_ARENA_OVERHEAD),
				 2 * SUB_LEN);
		assert_int_equal(s.stats.arenas, 2);
		assert_int_equal(s.stats.arena, HEAP_LEN + 2 * SUB_LEN);
		assert_int_equal(s.stats.keepcost, top);
		assert_int_equal(s.stats.fordblks, 0x5100 + top + row(&s, MEMORY_ARENA_FREE) +
							   row(&s, MEMORY_ARENA_TOP));
		assert_int_equal(s.stats.uordblks, s.stats.arena - s.stats.fordblks);
		assert_int_equal(s.stats.hblks, 2);
		assert_int_equal(s.stats.hblkhd, MAPPED_1 + MAPPED_2);
		assert_int_equal(s.stats.tcache_bytes, 0x80);
		assert_int_equal(s.stats.largest_free, 0x5100);
		assert_false(s.stats.thresholds_grew);
		assert_sum(&s);
		scene_done(&s);
	}
}

/* Its links lead through all its kinds of chunks. */
static void test_fastbins(void **state)
{
	static const struct part parts[] = {
		{'c', 0x290},  {'u', 0x40}, {'b', 0x80}, {'u', 0x40}, {'b', 0x80},
		{'f', 0x4000}, {'b', 0x20}, {'u', 0x50}, {'b', 0x20}, {0}};

	for (size_t i = 0; i < ARRAY_SIZE(versions) && versions[i] < 42; i++) {
		struct scene s;

		scene_new(&s, versions[i], parts);
		assert_int_equal(scene_read(&s), 0);
		assert_string_equal(s.stats.why_not, "");
		assert_int_equal(s.stats.fsmblks, 0x140);
		assert_int_equal(row(&s, MEMORY_HEAP_FREE), 0x4140);
		assert_int_equal(s.stats.largest_free, 0x40a0);
		scene_done(&s);
	}
}

/* 48 bytes and the rest of the page stay; the last piece of a page too; less than that is nothing. */
static void test_trim(void **state)
{
	static const struct {
		struct part parts[8];
		uint64_t bytes;
	} cases[] = {
		/* 0x3000 .. 0x5000 of a chunk at 0x2fd0 or 0x2fe0, where 48 bytes reach into the page */
		{{{'c', 0x290}, {'u', 0x2d40}, {'f', 0x2030}, {'u', 0x20}, {0}}, 0x2000},
		{{{'c', 0x290}, {'u', 0x2d50}, {'f', 0x2020}, {'u', 0x20}, {0}}, 0x1000},
		{{{'c', 0x290}, {'u', 0x2d40}, {'f', 0x1030}, {'u', 0x20}, {0}}, 0x1000},
		{{{'c', 0x290}, {'u', 0x2d40}, {'f', 0x1020}, {'u', 0x20}, {0}}, 0},
		/* merged with what is in fastbins on both sides */
		{{{'c', 0x290},
		  {'u', 0x2cf0},
		  {'b', 0x50},
		  {'f', 0x1fe0},
		  {'b', 0x60},
		  {'u', 0x20},
		  {0}},
		 0x2000},
		{{{'c', 0x290},
		  {'u', 0x2cf0},
		  {'t', 0x50},
		  {'f', 0x1fe0},
		  {'t', 0x60},
		  {'u', 0x20},
		  {0}},
		 0x1000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t top = HEAP_LEN, others;
		struct scene s;

		scene_new(&s, 36, cases[i].parts);
		for (const struct part *p = cases[i].parts; p->size; p++)
			top -= p->size;
		assert_int_equal(scene_read(&s), 0);
		assert_string_equal(s.stats.why_not, "");
		/* of the other arena, the free chunk in its older heap */
		others = 0x1000;
		assert_int_equal(s.stats.trim_bytes - others,
				 cases[i].bytes + (top - 33) / 4096 * 4096);
		scene_done(&s);
	}
}

/* What keeps free memory: the chunk in use behind it, by its size, unless its own is less. */
static void test_pins(void **state)
{
	static const struct {
		struct part parts[8];
		uint64_t pinned[HEAP_PINS], large;
	} cases[] = {
		{{{'c', 0x290}, {'f', 0x5000}, {'u', 0x3ff0}, {0}}, {0x4000}, 0},
		{{{'c', 0x290}, {'f', 0x5000}, {'u', 0x4000}, {0}}, {0, 0x4000}, 0},
		{{{'c', 0x290}, {'f', 0x3000}, {'u', 0x4000}, {0}}, {0x3000 - 0x1000}, 0},
		{{{'c', 0x290}, {'f', 0x9000}, {'u', 0x8000}, {0}}, {0, 0, 0x8000}, 0},
		/* a cached chunk keeps it as well; what is in fastbins does not */
		{{{'c', 0x290}, {'f', 0x5000}, {'t', 0x40}, {'f', 0x5000}, {'u', 0x4000}, {0}},
		 {0x4000, 0x4000},
		 0},
		{{{'c', 0x290}, {'f', 0x5000}, {'b', 0x40}, {'u', 0x4000}, {0}}, {0, 0x4000}, 0},
		/* what can have been a block that is mapped by default */
		{{{'c', 0x290}, {'f', 0x1fff0}, {'u', 0x20}, {0}}, {0x1f000}, 0},
		{{{'c', 0x290}, {'f', 0x20000}, {'u', 0x20}, {0}}, {0x1f000}, 0x1f000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene s;
		uint64_t sum = 0;

		scene_new(&s, 36, cases[i].parts);
		assert_int_equal(scene_read(&s), 0);
		assert_string_equal(s.stats.why_not, "");
		for (int k = 0; k < HEAP_PINS; k++) {
			/* of the other arena, the free chunk before the fenceposts of its older heap */
			assert_int_equal(s.stats.trim_pinned[k],
					 cases[i].pinned[k] + (k ? 0 : 0x1000));
			sum += s.stats.trim_pinned[k];
		}
		assert_int_equal(s.stats.trim_large, cases[i].large);
		assert_int_equal(s.stats.trim_bytes, sum + s.stats.trim_top);
		scene_done(&s);
	}
}

/* Free memory before it goes with top; top goes in units of huge pages if there are such. */
static void test_trim_of_top(void **state)
{
	static const struct part parts[] = {{'c', 0x290}, {'u', 0x10000}, {'b', 0x70}, {0}};
	uint64_t from = 0x290 + 0x10000, others = 0x1000;
	struct scene s;

	scene_new(&s, 36, parts);
	assert_int_equal(scene_read(&s), 0);
	assert_int_equal(s.stats.trim_bytes - others, (HEAP_LEN - from - 33) / 4096 * 4096);
	scene_done(&s);

	scene_new(&s, 36, parts);
	put64(&s, PAR + (uint64_t)s.layout->thp_pagesize, 0x10000);
	assert_int_equal(scene_read(&s), 0);
	assert_int_equal(s.stats.trim_bytes - others, 0x10000);
	assert_int_equal(s.stats.thp_bytes, 0x10000);
	scene_done(&s);

	/* somebody else has moved the break since */
	scene_new(&s, 36, parts);
	memcpy(strstr(s.maps_text, "555500021000"), "555500029000", 12);
	assert_int_equal(scene_read(&s), 0);
	assert_int_equal(s.stats.trim_bytes, others);
	assert_true(s.stats.exact);
	scene_done(&s);
}

/* Pages inside a free chunk may be away; one with a header may not. */
static void test_absent(void **state)
{
	struct scene s;

	usual(&s, 36);
	s.hole = HEAP + 0x3000;
	assert_int_equal(scene_read(&s), 0);
	assert_true(s.stats.exact);
	assert_int_equal(row(&s, MEMORY_HEAP_FREE), 0x5100 - 0x1000);
	assert_int_equal(s.stats.fordblks, 0x5100 + s.stats.keepcost + row(&s, MEMORY_ARENA_FREE) +
						   row(&s, MEMORY_ARENA_TOP));
	assert_sum(&s);
	scene_done(&s);

	usual(&s, 36);
	s.hole = HEAP + 0x6000;
	assert_int_equal(scene_read(&s), 0);
	assert_false(s.stats.exact);
	assert_non_null(strstr(s.stats.why_not, "is not in memory"));
	assert_int_equal(row(&s, MEMORY_HEAP_UNKNOWN), HEAP_LEN - 0x1000);
	assert_sum(&s);
	scene_done(&s);
}

#define SECOND (HEAP + 0x290) /* chunks of usual() in 2.36 */
#define FREE   (SECOND + 0x1000)
#define CACHED (FREE + 0x5100)

struct lie {
	const char *what, *why;
	uint64_t at, value;
};

/* A word of the process, the reason given, and nothing of the heap is classified. */
static void test_lies(void **state)
{
	static const struct lie lies[] = {
		{"no size", "cannot be", SECOND + 8, 1},
		{"16 bytes", "cannot be", SECOND + 8, 0x11},
		{"odd size", "cannot be", SECOND + 8, 0x1009},
		{"past top", "cannot be", SECOND + 8, 0x100001},
		{"huge size", "cannot be", SECOND + 8, ~0xeull},
		{"of another arena", "cannot be", SECOND + 8, 0x1000 | NON_MAIN | PREV_INUSE},
		{"mmapped", "cannot be", SECOND + 8, 0x1000 | IS_MMAPPED | PREV_INUSE},
		{"size at its end", "another size", CACHED, 0x5000},
		{"free and cached", "on two lists", CACHED + 0x48, 0x100},
		{"top's size", "has not the",
		 HEAP + 0x290 + 0x1000 + 0x5100 + 0x80 + 0x100 + 0x1000 + 8, 0x9001},
		{"top moved", "has", MAIN + 96, SECOND},
		{"top elsewhere", "", MAIN + 96, LOADER},
		{"system_mem", "has not the", MAIN + 2184, HEAP_LEN - 0x1000},
		{"noncontiguous", "not of one piece", MAIN, 2ull << 32},
		{"fastbin to nowhere", "a fastbin", MAIN + 16, HEAP + 0x100000},
		{"fastbin off by 8", "a fastbin", MAIN + 16, FREE + 8},
		{"fastbin of a free chunk", "a fastbin", MAIN + 16, FREE},
		{"fastbin inside a chunk", "", MAIN + 16, SECOND + 0x20},
		{"fastbin into another arena", "a fastbin", MAIN + 16, HEAP3 + 48},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct scene s;

		usual(&s, 36);
		put64(&s, lies[i].at, lies[i].value);
		print_message("%s\n", lies[i].what);
		assert_int_equal(scene_read(&s), 0);
		assert_false(s.stats.exact);
		assert_non_null(strstr(s.stats.why_not, lies[i].why));
		assert_int_equal(row(&s, MEMORY_HEAP_UNKNOWN), HEAP_LEN);
		assert_int_equal(row(&s, MEMORY_HEAP_FREE) + row(&s, MEMORY_HEAP_USED), 0);
		assert_sum(&s);
		scene_done(&s);
	}
}

/* These only make it inexact. */
static void test_doubts(void **state)
{
	static const struct lie lies[] = {
		{"a thread in malloc", "was in malloc", MAIN, 1},
		{"more mmapped chunks", "mmapped chunks", PAR - 36, 3ull | 65536ull << 32},
		{"more mmapped bytes", "mmapped chunks", PAR - 16, MAPPED_1},
		{"cache too short", "longer or shorter", HEAP + 16 + 4, 3},
		{"cache in a ring", "longer or shorter", CACHED + 16,
		 (CACHED + 16) ^ (CACHED + 16) >> 12},
		{"cache to nowhere", "", HEAP + 16 + 128 + 16, LOADER + 0xf000},
		{"cache into a chunk", "longer or shorter", CACHED + 16,
		 (SECOND + 0x40) ^ (CACHED + 16) >> 12},
		{"no cache", "no thread's cache", TCB_MAIN - TCACHE_AT, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct scene s;

		usual(&s, 36);
		put64(&s, lies[i].at, lies[i].value);
		print_message("%s\n", lies[i].what);
		assert_int_equal(scene_read(&s), 0);
		assert_false(s.stats.exact);
		assert_non_null(strstr(s.stats.why_not, lies[i].why));
		assert_int_equal(row(&s, MEMORY_HEAP_UNKNOWN), 0);
		assert_int_equal(s.stats.arena, HEAP_LEN + 2 * SUB_LEN);
		assert_sum(&s);
		scene_done(&s);
	}
}

static void test_thresholds(void **state)
{
	struct scene s;

	usual(&s, 36);
	put64(&s, PAR + (uint64_t)s.layout->mmap_threshold, 20975616);
	put64(&s, PAR + (uint64_t)s.layout->trim_threshold, 41951232);
	assert_int_equal(scene_read(&s), 0);
	assert_true(s.stats.thresholds_grew);
	assert_int_equal(s.stats.mmap_threshold, 20975616);
	assert_int_equal(s.stats.trim_threshold, 41951232);
	scene_done(&s);

	/* not by themselves */
	usual(&s, 36);
	put64(&s, PAR + (uint64_t)s.layout->mmap_threshold, 20975616);
	put32(&s, PAR + (uint64_t)s.layout->no_dyn_threshold, 1);
	assert_int_equal(scene_read(&s), 0);
	assert_false(s.stats.thresholds_grew);
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),    cmocka_unit_test(test_fastbins),
		cmocka_unit_test(test_trim),	    cmocka_unit_test(test_pins),
		cmocka_unit_test(test_trim_of_top), cmocka_unit_test(test_absent),
		cmocka_unit_test(test_lies),	    cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_thresholds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
