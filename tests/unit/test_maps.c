/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps: lines as the kernel writes them, and what it never writes. Ground truth of the
 * live case: mmap()'s own arguments.
 */
#include "fixture.h"

#include "target/maps.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

static int parse(struct maps *m, const char *text)
{
	return maps_parse(m, text, strlen(text));
}

static void one_line_of_each_kind(void **state)
{
	struct maps m;

	assert_int_equal(parse(&m,
			       "55d0c0000000-55d0c0001000 r-xp 00002000 fe:01 1311"
			       "                       /usr/bin/python3.11\n"
			       "55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0"
			       "                          [heap]\n"
			       "7f0c5a7d0000-7f0c5a7d2000 rw-p 00000000 00:00 0 \n"
			       "7f0c5a7d2000-7f0c5a7d3000 ---s 00000000 00:05 18446744073709551615"
			       "  /dev/zero (deleted)\n"
			       "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0"
			       "                  [vsyscall]\n"),
			 0);
	assert_int_equal(m.nr, 5);
	assert_int_equal(m.v[0].start, 0x55d0c0000000);
	assert_int_equal(m.v[0].end, 0x55d0c0001000);
	assert_int_equal(m.v[0].offset, 0x2000);
	assert_int_equal(m.v[0].dev, makedev(0xfe, 1));
	assert_int_equal(m.v[0].inode, 1311);
	assert_true(m.v[0].read && !m.v[0].write && m.v[0].exec && !m.v[0].shared);
	assert_string_equal(m.v[0].path, "/usr/bin/python3.11");
	assert_false(m.v[0].deleted);
	assert_string_equal(m.v[1].path, "[heap]");
	assert_null(m.v[2].path);
	assert_int_equal(m.v[2].inode, 0);
	assert_true(m.v[3].shared && !m.v[3].read && m.v[3].deleted);
	assert_true(m.v[3].inode == UINT64_MAX);
	assert_string_equal(m.v[3].path, "/dev/zero");
	assert_true(m.v[4].end == 0xffffffffff601000);
	maps_done(&m);
	assert_null(m.v);
}

static void path_is_decoded(void **state)
{
	static const struct {
		const char *text, *path;
		bool deleted;
	} cases[] = {
		{"/a b  c", "/a b  c", false},
		{"/a\\012b", "/a\nb", false},
		{"/a\\012", "/a\n", false},
		{"/a\\01", "/a\\01", false},
		{"/a\\101", "/a\\101", false}, /* only newline is escaped */
		{"/a (deleted)", "/a", true},
		{"/a (deleted) (deleted)", "/a (deleted)", true},
		{"/a (deleted)x", "/a (deleted)x", false},
		{"/a (deleted) ", "/a (deleted) ", false},
		{"/memfd:x y (deleted)", "/memfd:x y", true},
		{"[anon:my arena]", "[anon:my arena]", false},
		{"anon_inode:[perf_event]", "anon_inode:[perf_event]", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[200];
		struct maps m;

		snprintf(line, sizeof(line), "1000-2000 r--p 00000000 fe:00 7      %s",
			 cases[i].text);
		assert_int_equal(parse(&m, line), 0);
		assert_int_equal(m.nr, 1);
		assert_string_equal(m.v[0].path, cases[i].path);
		assert_int_equal(m.v[0].deleted, cases[i].deleted);
		maps_done(&m);
	}
}

static void other_text_is_refused(void **state)
{
	static const char *const texts[] = {
		"\n",
		"x",
		"1000-2000",
		"1000-2000 r--p 0 fe:00",
		"1000-2000 r--p 0 fe:00 ",
		"1000-2000 r--q 0 fe:00 7",
		"1000-2000 rw 0 fe:00 7",
		"2000-1000 r--p 0 fe:00 7",
		"1000-1000 r--p 0 fe:00 7",
		"1001-2000 r--p 0 fe:00 7",
		"10000000000001000-2000 r--p 0 fe:00 7",
		"1000-2000 r--p 0 fe:00 7x",
		"1000-2000 r--p 0 fe:00 99999999999999999999",
		"1000-2000 r--p 0 1ffffffff:00 7",
		"1000-2000  r--p 0 fe:00 7",
		"1000-2000 r--p 0 fe:00 7 /a\n\n3000-4000 r--p 0 fe:00 7 /a\n",
	};
	struct maps m = {.nr = 77};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (parse(&m, texts[i]) != -EINVAL)
			fail_msg("accepted: %s", texts[i]);
	assert_int_equal(maps_parse(&m, "1000-2000 r--p 0 fe:00 7 /a\0b", 30), -EINVAL);
	assert_int_equal(m.nr, 77);
	assert_int_equal(parse(&m, ""), 0);
	assert_int_equal(m.nr, 0);
	maps_done(&m);
}

/* A mapping that grows while the kernel prints is shown twice. */
static void overlaps_are_cut(void **state)
{
	struct maps m;

	assert_int_equal(parse(&m, "1000-3000 r--p 00000000 fe:00 7 /a\n"
				   "1000-5000 r--p 00000000 fe:00 7 /a\n"
				   "2000-4000 r--p 00001000 fe:00 7 /a\n"
				   "4000-6000 rw-p 00000000 00:00 0 \n"),
			 0);
	assert_int_equal(m.nr, 3);
	assert_int_equal(m.v[1].start, 0x3000);
	assert_int_equal(m.v[1].end, 0x5000);
	assert_int_equal(m.v[1].offset, 0x2000);
	assert_int_equal(m.v[2].start, 0x5000);
	assert_int_equal(m.v[2].offset, 0);
	maps_done(&m);
}

static void find_knows_the_borders(void **state)
{
	struct maps m;

	assert_int_equal(parse(&m, "1000-2000 r--p 0 00:00 0\n2000-3000 rw-p 0 00:00 0\n"
				   "5000-7000 r--p 0 00:00 0\n"),
			 0);
	assert_null(maps_find(&m, 0xfff));
	assert_ptr_equal(maps_find(&m, 0x1000), &m.v[0]);
	assert_ptr_equal(maps_find(&m, 0x1fff), &m.v[0]);
	assert_ptr_equal(maps_find(&m, 0x2000), &m.v[1]);
	assert_null(maps_find(&m, 0x3000));
	assert_ptr_equal(maps_find(&m, 0x6fff), &m.v[2]);
	assert_null(maps_find(&m, 0x7000));
	assert_null(maps_find(&m, UINT64_MAX));
	maps_done(&m);
	assert_null(maps_find(&m, 0x1000));
}

static void more_than_the_limit_is_refused(void **state)
{
	size_t size = (MAPS_MAX + 1) * 40ul, len = 0, last = 0;
	char *text = malloc(size);
	struct maps m;

	for (unsigned long i = 1; i <= MAPS_MAX + 1; i++) {
		last = len;
		len += (size_t)snprintf(text + len, size - len, "%lx000-%lx000 r--p 0 00:00 0\n", i,
					i + 1);
	}
	assert_int_equal(maps_parse(&m, text, len), -E2BIG);
	assert_int_equal(maps_parse(&m, text, last), 0);
	assert_int_equal(m.nr, MAPS_MAX);
	maps_done(&m);
	free(text);
}

static void own_maps_parse(void **state)
{
	char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *text = malloc(1 << 20);
	FILE *in = fopen("/proc/self/maps", "re");
	const struct vma *v;
	struct maps m;
	size_t len;

	assert_true(page != MAP_FAILED && in);
	assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	rewind(in);
	len = fread(text, 1, 1 << 20, in);
	fclose(in);
	assert_int_equal(maps_parse(&m, text, len), 0);
	v = maps_find(&m, (uintptr_t)page);
	assert_non_null(v);
	assert_true(v->read && v->write && v->exec && !v->shared && !v->inode);
	assert_int_equal(v->end, (uintptr_t)page + 4096);
	maps_done(&m);
	free(text);
	munmap(page, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_of_each_kind),
		cmocka_unit_test(path_is_decoded),
		cmocka_unit_test(other_text_is_refused),
		cmocka_unit_test(overlaps_are_cut),
		cmocka_unit_test(find_knows_the_borders),
		cmocka_unit_test(more_than_the_limit_is_refused),
		cmocka_unit_test(own_maps_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
