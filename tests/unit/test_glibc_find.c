/* SPDX-License-Identifier: MIT */
/* Whether there is a glibc, which one, and whether its malloc is in use. */
#include "fixture.h"
#include "glibc_fixture.h"

#include <errno.h>

static const struct part plain[] = {{'c', 0x290}, {'u', 0x1000}, {0}};

static void replace(struct scene *s, const char *from, const char *to)
{
	char *at = strstr(s->maps_text, from), rest[4096];

	assert_non_null(at);
	snprintf(rest, sizeof(rest), "%s%s", to, at + strlen(from));
	strcpy(at, rest);
}

static void assert_fault(struct scene *s, int err, const char *text)
{
	assert_int_equal(scene_read(s), -err);
	assert_int_equal(s->fault.err, err);
	assert_string_equal(s->fault.text, text);
	scene_done(s);
}

static void test_version(void **state)
{
	static const struct {
		const char *banner, *version;
		unsigned int minor;
	} cases[] = {
		{"GNU C Library (Ubuntu GLIBC 2.35-0ubuntu3.8) stable release version 2.35.\n",
		 "2.35", 35},
		{"GNU C Library (GNU libc) development release version 2.42.9000.\n", "2.42.9000",
		 43},
		{"GNU C Library (GNU libc) stable release version 2.41.1.\n", "2.41.1", 41},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct part parts[] = {
			{'c', cases[i].minor < 42 ? 0x290 : 0x300}, {'u', 0x1000}, {0}};
		struct scene s;

		scene_new(&s, cases[i].minor, parts);
		memset(scene_at(&s, LIBC), 0, 0x1000);
		memcpy(scene_at(&s, LIBC + 0xf00), cases[i].banner, strlen(cases[i].banner));
		assert_int_equal(scene_read(&s), 0);
		assert_string_equal(s.stats.version, cases[i].version);
		assert_true(s.stats.exact);
		scene_done(&s);
	}
}

static void test_version_by_name(void **state)
{
	struct scene s;

	scene_new(&s, 31, plain);
	memset(scene_at(&s, LIBC), 0, 0x1000);
	replace(&s, "libc.so.6", "libc-2.31.so");
	replace(&s, "libc.so.6", "libc-2.31.so");
	assert_int_equal(scene_read(&s), 0);
	assert_string_equal(s.stats.version, "2.31");
	scene_done(&s);

	scene_new(&s, 31, plain);
	memset(scene_at(&s, LIBC), 0, 0x1000);
	assert_fault(&s, ENOTSUP, "the version of glibc was not found");
}

static void test_old(void **state)
{
	struct scene s;

	scene_new(&s, 31, plain);
	memcpy(strstr((char *)scene_at(&s, LIBC + 0x700), "2.31"), "2.28", 4);
	assert_fault(&s, ENOTSUP, "glibc 2.28 is older than 2.31");
}

static void test_none(void **state)
{
	struct scene s;

	scene_new(&s, 36, plain);
	replace(&s, "libc.so.6", "libother.so");
	replace(&s, "libc.so.6", "libother.so");
	assert_fault(&s, ENOENT, "no glibc is mapped");
	scene_new(&s, 36, plain);
	replace(&s, "r--p 00000000 fe:00 1311 /usr/lib/libc.so.6",
		"r-xp 00000000 fe:00 1311 /lib/ld-musl-x86_64.so.1");
	replace(&s, "libc.so.6", "ld-musl-x86_64.so.1");
	assert_fault(&s, ENOENT, "the C library is musl, not glibc");
}

/* main_arena is as the compiler made it. */
static void untouched(struct scene *s, unsigned int minor)
{
	uint64_t bins;

	scene_new(s, minor, plain);
	bins = MAIN + s->layout->bins;
	memset(scene_at(s, LIBC_DATA), 0, 0x2000);
	put64(s, bins + STATE_NEXT, MAIN);
	put64(s, bins + STATE_ATTACHED, 1);
}

static void test_not_in_use(void **state)
{
	struct scene s;

	untouched(&s, 36);
	assert_fault(&s, ENOENT, "glibc's malloc is not in use: another one is linked in");
	untouched(&s, 43);
	assert_fault(&s, ENOENT, "glibc's malloc is not in use: another one is linked in");
	untouched(&s, 36);
	strcat(s.maps_text,
	       "7f0050000000-7f0050001000 r-xp 0 fe:00 9 /opt/libjemalloc\\012.so.2\n");
	assert_fault(&s, ENOENT, "glibc's malloc is not in use: libjemalloc\\x0a.so.2 is there");
	/* set up, and nothing was asked of it; top is no multiple of 16 then */
	scene_new(&s, 43, plain);
	put_state(&s, MAIN, MAIN + 8, 0, MAIN);
	assert_fault(&s, ENOENT, "glibc's malloc is not in use: another one is linked in");
}

/* Its threads are known all the same. */
static void test_stacks_without_malloc(void **state)
{
	struct scene s;

	untouched(&s, 36);
	assert_int_equal(scene_read(&s), -ENOENT);
	assert_non_null(s.g);
	assert_int_equal(glibc_stacks(s.g, s.account), 0);
	free(s.rows);
	assert_int_equal(account_close(s.account, &s.rows, &s.nr_rows, &s.total), 0);
	assert_int_equal(row(&s, MEMORY_STACK), STACK_LEN);
	assert_int_equal(glibc_walk(s.g, s.account, &s.stats, &s.fault), -ENOENT);
	scene_done(&s);
}

static void test_not_found(void **state)
{
	static const char text[] = "the malloc_state of glibc 2.36 was not found";
	uint64_t bins = MAIN + 112;
	struct scene s;

	/* nothing there */
	scene_new(&s, 36, plain);
	memset(scene_at(&s, LIBC_DATA), 0, 0x2000);
	assert_fault(&s, ENOTSUP, text);
	/* bins that point anywhere */
	scene_new(&s, 36, plain);
	for (unsigned int i = 0; i < 2 * NR_BINS; i++)
		put64(&s, bins + 8 * i, 0x1234567);
	assert_fault(&s, ENOTSUP, text);
	/* more memory than there is */
	scene_new(&s, 36, plain);
	put64(&s, bins + STATE_MAX_SYSTEM_MEM, ADDRESS_MAX);
	assert_fault(&s, ENOTSUP, text);
	/* a ring that leads nowhere */
	scene_new(&s, 36, plain);
	put64(&s, bins + STATE_NEXT, 0x10);
	assert_fault(&s, ENOTSUP, text);
	/* no malloc_par */
	scene_new(&s, 36, plain);
	put64(&s, PAR, 0);
	assert_fault(&s, ENOTSUP, text);
	/* two of them */
	scene_new(&s, 36, plain);
	memcpy(scene_at(&s, PAR + 0x100), scene_at(&s, PAR - 0x80), 0x100);
	assert_fault(&s, ENOTSUP, text);
}

/* A thread is just changing bins: they are not what tells main_arena. */
static void test_torn_bins(void **state)
{
	static const struct part newest[] = {{'c', 0x300}, {'u', 0x1000}, {0}};
	uint64_t bins = MAIN + 112;
	struct scene s;

	scene_new(&s, 36, plain);
	for (unsigned int i = 0; i < 2 * (NR_BINS - 10); i++)
		put64(&s, bins + 8 * i, HEAP + 0x400);
	assert_int_equal(scene_read(&s), 0);
	assert_true(s.stats.exact);
	scene_done(&s);

	/* one link of two; where bins of 2.43 are is no multiple of 16 */
	scene_new(&s, 43, newest);
	put64(&s, MAIN + 24, HEAP + 0x400);
	assert_int_equal(scene_read(&s), 0);
	assert_true(s.stats.exact);
	scene_done(&s);
}

/* What the kernel calls the heap, and what is known of it then. */
static void check_pieces(const char *name, const char *why)
{
	struct scene s;

	scene_new(&s, 36, plain);
	if (name)
		replace(&s, "00:00 0 [heap]", name);
	put32(&s, MAIN + 4, 2); /* NONCONTIGUOUS: other pieces are elsewhere */
	put64(&s, MAIN + 112 + STATE_SYSTEM_MEM, HEAP_LEN + 0x100000);
	put64(&s, MAIN + 112 + STATE_MAX_SYSTEM_MEM, HEAP_LEN + 0x100000);
	/* somebody's first block, among zeros */
	put64(&s, PAR + 0x300, HEAP + 0x2a0);
	assert_int_equal(scene_read(&s), 0);
	assert_false(s.stats.exact);
	assert_true(s.stats.settled);
	assert_string_equal(s.stats.why_not, why);
	assert_int_equal(row(&s, MEMORY_HEAP_UNKNOWN), name ? 0 : HEAP_LEN);
	/* of the others all is known */
	assert_int_not_equal(row(&s, MEMORY_ARENA_FREE), 0);
	assert_int_equal(row(&s, MEMORY_MMAPPED), MAPPED_1 + MAPPED_2);
	scene_done(&s);
}

static void test_heap_in_pieces(void **state)
{
	check_pieces(NULL, "the main heap is not of one piece");
	check_pieces("00:00 0 ", "the main heap is not of one piece");
	check_pieces("00:11 77 /anon_hugepage (deleted)",
		     "the main heap is in huge pages of hugetlbfs, which are in no RSS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_version_by_name),
		cmocka_unit_test(test_old),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_not_in_use),
		cmocka_unit_test(test_stacks_without_malloc),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_torn_bins),
		cmocka_unit_test(test_heap_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
