/* SPDX-License-Identifier: MIT */
/* Arenas of threads, mmapped chunks and stacks of a process made by hand, and where these lie. */
#include "fixture.h"
#include "glibc_fixture.h"

#include "glibc/chunk_log.h"

#include <errno.h>

#define ARENA (HEAP2 + 48) /* 2.35 and later */

static const struct part plain[] = {{'c', 0x290}, {'u', 0x1000}, {0}};

static void read_scene(struct scene *s)
{
	uint64_t sum = 0;

	assert_int_equal(scene_read(s), 0);
	for (size_t i = 0; i < s->nr_rows; i++)
		sum += s->rows[i].bytes;
	assert_int_equal(sum, s->total);
}

/* Every byte of both heaps has its kind. */
static void test_heaps(void **state)
{
	uint64_t first = (ARENA + 2200 + 15) & ~15ull, freed = HEAP2 + SUB_LEN - 32 - first - 0x100;
	struct scene s;

	scene_new(&s, 36, plain);
	read_scene(&s);
	assert_true(s.stats.exact);
	assert_int_equal(row(&s, MEMORY_ARENA_USED), 0x100 + 0x800 + 0x40);
	assert_int_equal(row(&s, MEMORY_ARENA_FREE), freed + 0x1200);
	assert_int_equal(row(&s, MEMORY_ARENA_OVERHEAD), first - HEAP2 + 32 + 48);
	assert_int_equal(row(&s, MEMORY_ARENA_TOP), SUB_LEN - 48 - 0x800 - 0x1200 - 0x40);
	scene_done(&s);
}

/* An old top too small for a free chunk: used bytes, then the last fencepost. */
static void test_small_fencepost(void **state)
{
	uint64_t first = (ARENA + 2200 + 15) & ~15ull, flag;
	struct part parts[] = {{'u', HEAP2 + SUB_LEN - 16 - 0x20 - first}, {'u', 0x20}, {0}};
	struct scene s;

	scene_new(&s, 36, plain);
	put_chunks(&s, ARENA, first, parts, &flag);
	put64(&s, HEAP2 + SUB_LEN - 8, PREV_INUSE);
	read_scene(&s);
	assert_string_equal(s.stats.why_not, "");
	assert_int_equal(row(&s, MEMORY_ARENA_OVERHEAD), first - HEAP2 + 16 + 48);
	scene_done(&s);
}

static void test_lies(void **state)
{
	static const struct {
		const char *what, *why;
		uint64_t at, value;
		bool main_too;
	} lies[] = {
		{"heap of another", "is none", HEAP3, MAIN, false},
		{"heap larger than can be", "is none", HEAP3 + 16, 1ull << 40, false},
		{"heap of part of a page", "is none", HEAP3 + 16, SUB_LEN - 8, false},
		{"heap reaches what is not mapped", "does not end at its top", HEAP3 + 16,
		 SUB_LEN * 2, false},
		{"older heap is too large", "bytes, not", HEAP2 + 16, SUB_LEN * 2, false},
		{"older heap not aligned", "is none", HEAP3 + 8, HEAP2 + 4096, false},
		{"older heap elsewhere", "is none", HEAP3 + 8, HEAP2 + HEAP_MAX_SIZE * 4, false},
		{"heaps in a ring", "do not end at its own", HEAP2 + 8, HEAP3, false},
		{"itself before it", "", HEAP3 + 8, HEAP3, false},
		{"too few heaps", "do not end at its own", HEAP3 + 8, 0, false},
		{"system_mem", "bytes, not", ARENA + 2184, SUB_LEN, false},
		{"top in no heap", "", ARENA + 96, STACK, false},
		{"no fencepost", "no fencepost", HEAP2 + SUB_LEN - 8, 0x11, false},
		{"first fencepost", "cannot be", HEAP2 + SUB_LEN - 24, 0x31, false},
		{"arena is not in a heap", "", MAIN + 2160, STACK, false},
		{"the main arena's own chunk", "not where one can be", MAIN + 2160, HEAP + 0x300,
		 true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct scene s;
		int err;

		print_message("%s\n", lies[i].what);
		scene_new(&s, 36, plain);
		put64(&s, lies[i].at, lies[i].value);
		err = scene_read(&s);
		if (lies[i].at == MAIN + 2160 && err) {
			/* a ring that does not close was not taken for main_arena */
			assert_int_equal(err, -ENOTSUP);
			scene_done(&s);
			continue;
		}
		assert_int_equal(err, 0);
		assert_false(s.stats.exact);
		assert_non_null(strstr(s.stats.why_not, lies[i].why));
		assert_int_equal(row(&s, MEMORY_ARENA_USED), 0);
		assert_int_equal(row(&s, MEMORY_HEAP_USED), 0x1290);
		scene_done(&s);
	}
}

/* A ring that closes, but not at main_arena: each arena counts once. */
static void test_arena_twice(void **state)
{
	struct scene s;

	scene_new(&s, 36, plain);
	put64(&s, ARENA + 2160, ARENA);
	assert_int_equal(scene_read(&s), -ENOTSUP);
	assert_non_null(strstr(s.fault.text, "malloc_state of glibc 2.36 was not found"));
	scene_done(&s);

	/* it becomes one after main_arena was found */
	scene_new(&s, 36, plain);
	read_scene(&s);
	put64(&s, ARENA + 2160, ARENA);
	assert_int_equal(scene_read_again(&s), 0);
	assert_int_equal(s.stats.arenas, 2);
	assert_int_equal(s.stats.arena, HEAP_LEN + 2 * SUB_LEN);
	assert_string_equal(s.stats.why_not, "the list of arenas does not end where it begins");
	put64(&s, ARENA + 2160, 0x10000);
	assert_int_equal(scene_read_again(&s), 0);
	assert_int_equal(s.stats.arenas, 2);
	assert_false(s.stats.exact);
	scene_done(&s);
}

/* What is not for writing, or a file's, is no heap. */
static void test_not_mapped(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {{"7f0004003000 rw-p 0 00:00 0", "7f0004003000 r--p 0 00:00 0"},
		     {"7f0004003000 rw-p 0 00:00 0", "7f0004003000 rw-p 0 00:07 1"},
		     {"7f0004003000 rw-p 0 00:00 0", "7f0004002000 rw-p 0 00:00 0"}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene s;

		scene_new(&s, 36, plain);
		memcpy(strstr(s.maps_text, cases[i].from), cases[i].to, strlen(cases[i].to));
		assert_int_equal(scene_read(&s), 0);
		assert_string_equal(s.stats.why_not, "the heap at 0x7f0004000000 is not mapped");
		assert_int_equal(row(&s, MEMORY_ARENA_USED), 0);
		scene_done(&s);
	}
}

/* madvise() has split the first in two mappings; the second begins within one. */
static void test_mmapped(void **state)
{
	static const struct {
		unsigned int minor;
		uint64_t counted;
		bool exact;
	} cases[] = {
		{36, MAPPED_1 + MAPPED_2, true},       {36, MAPPED_1 + MAPPED_2 + 16, false},
		{43, MAPPED_1 + MAPPED_2, true},       {43, MAPPED_1 + MAPPED_2 + 560, true},
		{43, MAPPED_1 + MAPPED_2 - 16, false}, {43, MAPPED_1 + MAPPED_2 + 8, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct part parts[] = {
			{'c', cases[i].minor < 42 ? 0x290 : 0x300}, {'u', 0x1000}, {0}};
		struct scene s;

		scene_new(&s, cases[i].minor, parts);
		put64(&s, PAR - 16, cases[i].counted);
		read_scene(&s);
		assert_int_equal(s.stats.exact, cases[i].exact);
		assert_int_equal(row(&s, MEMORY_MMAPPED), MAPPED_1 + MAPPED_2);
		scene_done(&s);
	}
}

static void test_mmapped_elsewhere(void **state)
{
	struct scene s;

	/* not where a mapping begins: every page is tried */
	scene_new(&s, 36, plain);
	put64(&s, MAPPED + 8, 0);
	put64(&s, MAPPED + 0x5000 + 8, (MAPPED_1 - 0x5000) | IS_MMAPPED);
	put64(&s, PAR - 16, MAPPED_1 + MAPPED_2 - 0x5000);
	read_scene(&s);
	assert_true(s.stats.exact);
	assert_int_equal(row(&s, MEMORY_MMAPPED), MAPPED_1 + MAPPED_2 - 0x5000);
	scene_done(&s);

	/* beyond the mapping: none */
	scene_new(&s, 36, plain);
	put64(&s, MAPPED + 8, (MAPPED_1 + MAPPED_2 + 0x1000) | IS_MMAPPED);
	read_scene(&s);
	assert_false(s.stats.exact);
	assert_int_equal(row(&s, MEMORY_MMAPPED), MAPPED_2);
	assert_non_null(strstr(s.stats.why_not, "1 mmapped chunks"));
	scene_done(&s);
}

/* What somebody else has is passed over, and what follows it is looked at first. */
static void test_mmapped_behind_an_area(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct scene s;

		scene_new(&s, 36, plain);
		/* one that is none: it would reach beyond the area */
		put64(&s, MAPPED + 8, (MAPPED_1 - 0x1000) | IS_MMAPPED);
		put64(&s, MAPPED + 0x5000 + 8, (MAPPED_1 - 0x5000) | IS_MMAPPED);
		put64(&s, PAR - 16, MAPPED_1 + MAPPED_2 - 0x5000);
		if (i) {
			s.claimed = MAPPED;
			s.claimed_end = MAPPED + 0x5000;
		}
		read_scene(&s);
		assert_int_equal(s.stats.exact, i);
		if (i)
			assert_int_equal(row(&s, MEMORY_MMAPPED), MAPPED_1 + MAPPED_2 - 0x5000);
		scene_done(&s);
	}
}

static uint64_t stack_of(const struct scene *s, const char *name)
{
	for (size_t i = 0; i < s->nr_rows; i++)
		if (s->rows[i].kind == MEMORY_STACK && !strcmp(s->rows[i].name, name))
			return s->rows[i].bytes;
	return 0;
}

static void read_stacks(struct scene *s)
{
	assert_int_equal(scene_read(s), 0);
	assert_int_equal(glibc_stacks(s->g, s->account), 0);
	free(s->rows);
	assert_int_equal(account_close(s->account, &s->rows, &s->nr_rows, &s->total), 0);
}

static void test_stacks(void **state)
{
	struct scene s;

	scene_new(&s, 36, plain);
	read_stacks(&s);
	assert_int_equal(stack_of(&s, "thread 101"), STACK_LEN);
	assert_int_equal(row(&s, MEMORY_STACK), STACK_LEN);
	scene_done(&s);

	scene_new(&s, 36, plain);
	put32(&s, TCB_OTHER + 720, 0);
	read_stacks(&s);
	assert_int_equal(stack_of(&s, "unused stacks"), STACK_LEN);
	scene_done(&s);

	/* one that claims all there is */
	scene_new(&s, 36, plain);
	put64(&s, TCB_OTHER + 1680, 0x1000);
	put64(&s, TCB_OTHER + 1688, ADDRESS_MAX);
	read_stacks(&s);
	assert_int_equal(row(&s, MEMORY_STACK), STACK_LEN);
	scene_done(&s);
	scene_new(&s, 36, plain);
	put64(&s, TCB_OTHER + 1688, 1ull << 63);
	read_stacks(&s);
	assert_int_equal(row(&s, MEMORY_STACK), 0);
	scene_done(&s);

	/* it does not point back */
	scene_new(&s, 36, plain);
	put64(&s, TCB_OTHER + 712, HEAD_USER);
	read_stacks(&s);
	assert_int_equal(row(&s, MEMORY_STACK), 0);
	scene_done(&s);
}

/* Runs of any size come back as they were put in. */
static void test_log(void **state)
{
	static const uint64_t sizes[] = {16,  32,  16ull << 4, (1ull << 40) + 16,
					 240, 256, 1ull << 46};
	struct chunk_log log = {0};
	uint64_t bytes, sum = 0;
	unsigned int kind;
	size_t at = 0;

	for (unsigned int i = 0; i < 7000; i++) {
		assert_int_equal(chunk_log_add(&log, sizes[i % 7], i % 6), 0);
		assert_int_equal(chunk_log_add(&log, 16, i % 6), 0);
	}
	assert_int_equal(chunk_log_end(&log), 0);
	for (unsigned int i = 0; i < 7000; i++) {
		assert_true(chunk_log_next(&log, &at, &bytes, &kind));
		assert_int_equal(bytes, sizes[i % 7] + 16);
		assert_int_equal(kind, i % 6);
		sum += bytes;
	}
	assert_false(chunk_log_next(&log, &at, &bytes, &kind));
	assert_true(sum > 1ull << 50);
	chunk_log_done(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heaps),
		cmocka_unit_test(test_small_fencepost),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_arena_twice),
		cmocka_unit_test(test_not_mapped),
		cmocka_unit_test(test_mmapped),
		cmocka_unit_test(test_mmapped_elsewhere),
		cmocka_unit_test(test_mmapped_behind_an_area),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
