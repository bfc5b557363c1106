/* SPDX-License-Identifier: MIT */
/*
 * What decode_state() reads off the code, without symbols, must be what the symbols say: for every
 * interpreter of 3.6 to 3.11 on this machine that has some.
 */
#include "interpreters.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "python/decode.h"
#include "target/elf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdint.h>

static struct elf_file *open_elf(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file *elf = NULL;
	struct fault f = {0};

	assert_true(fd >= 0);
	if (elf_file_open(&elf, fd, path, NULL, &f))
		fail_msg("%s", f.text);
	return elf;
}

static uint64_t symbol(const struct elf_file *elf, const char *name)
{
	struct elf_symbol s;

	return elf_file_symbol(elf, name, &s) ? 0 : s.value;
}

static void check(const struct interpreter *i, const char *name, uint64_t decoded, uint64_t want)
{
	if (decoded != want)
		fail_msg("%s: %s decoded at %#lx, is at %#lx", i->name, name, decoded, want);
}

static void check_pymalloc(const struct interpreter *i, const struct elf_file *symbols,
			   const struct decoded_state *d)
{
	const struct {
		const char *name;
		uint64_t decoded;
	} objects[] = {
		{"arenas", d->arenas},
		{"maxarenas", d->maxarenas},
		{"ntimes_arena_allocated", d->ntimes},
		{"narenas_currently_allocated", d->narenas},
		{"narenas_highwater", d->highwater},
		{"arena_map_mid_count", d->map_mid_count},
		{"arena_map_bot_count", d->map_bot_count},
		{"_PyObject_Arena", d->arena_allocator},
		{"_PyMem_Raw", d->raw_allocator},
		{"_PyMem", d->mem_allocator},
		{"_PyObject", d->object_allocator},
		{"_PyObject_Malloc", d->object_malloc},
		{"_PyMem_DebugMalloc", d->debug_malloc},
	};
	struct elf_symbol pools;

	for (size_t k = 0; k < ARRAY_SIZE(objects); k++)
		check(i, objects[k].name, objects[k].decoded, symbol(symbols, objects[k].name));
	/* since 3.8 it is counted but not printed */
	if (i->minor <= 7)
		check(i, "serialno", d->serialno, symbol(symbols, "serialno"));
	if (!elf_file_symbol(symbols, "usedpools", &pools) && pools.size)
		assert_int_equal(d->nr_classes, pools.size / 16);
	assert_int_equal(d->arena_size, i->minor >= 10 ? 1 << 20 : 256 << 10);
	assert_int_equal(d->pool_size, i->minor >= 10 ? 16 << 10 : 4 << 10);
}

/* Link-time optimisation leaves numfree without its source file: all are checked to be one each. */
static void check_free_lists(const struct interpreter *i, const struct elf_file *symbols,
			     const struct decoded_state *d)
{
	static const struct {
		const char *file;
		unsigned last_minor;
	} lists[] = {
		{"methodobject.c", 8}, {"classobject.c", 8}, {"dictobject.c", 9},
		{"floatobject.c", 9},  {"frameobject.c", 9}, {"listobject.c", 9},
		{"tupleobject.c", 9},
	};
	uint64_t seen[ARRAY_SIZE(lists)] = {0};

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		uint64_t addr = decode_numfree(d, lists[k].file);
		struct elf_symbol s;

		if (i->minor > lists[k].last_minor) {
			assert_int_equal(addr, 0);
			continue;
		}
		if (!elf_file_static_symbol(symbols, lists[k].file, "numfree", &s))
			check(i, lists[k].file, addr, s.value);
		if (!addr)
			fail_msg("%s: numfree of %s not found", i->name, lists[k].file);
		for (size_t n = 0; n < k; n++)
			assert_int_not_equal(addr, seen[n]);
		seen[k] = addr;
	}
	assert_int_equal(decode_numfree(d, "intobject.c"), 0);
}

static void test_interpreter(void **state)
{
	const struct interpreter *i = *state;
	struct decoded_state d = {0};
	struct elf_file *elf, *symbols;
	struct fault f = {0};

	if (!i->path[0])
		skip();
	elf = open_elf(i->path);
	symbols = open_elf(i->debug[0] ? i->debug : i->path);
	if (elf_file_symbols(symbols) == ELF_DYNSYM_ONLY) {
		elf_file_close(symbols);
		elf_file_close(elf);
		skip();
	}
	if (decode_state(elf, 3u << 24 | i->minor << 16 | 0xf0, &d, &f))
		fail_msg("%s: %s", i->name, f.text);
	check_pymalloc(i, symbols, &d);
	check_free_lists(i, symbols, &d);
	elf_file_close(symbols);
	elf_file_close(elf);
}

static void test_later_versions_refused(void **state)
{
	struct elf_file *elf = open_elf("/proc/self/exe");
	struct decoded_state d = {.arenas = 1};
	struct fault f = {0};

	assert_int_equal(decode_state(elf, 0x030c01f0, &d, &f), -ENOTSUP);
	assert_int_equal(d.arenas, 1);
	elf_file_close(elf);
}

/* A file without the exported functions: an error that says what is missing, not an address. */
static void test_not_python(void **state)
{
	struct elf_file *elf = open_elf("/proc/self/exe");
	struct decoded_state d = {.arenas = 1};
	struct fault f = {0};

	assert_int_equal(decode_state(elf, 0x030b02f0, &d, &f), -ENOENT);
	assert_non_null(strstr(f.text, "_PyObject_Arena"));
	assert_int_equal(d.arenas, 1);
	elf_file_close(elf);
}

static bool is_debug_build(const struct interpreter *i)
{
	size_t len = strlen(i->path);

	return len && i->path[len - 1] == 'd';
}

int main(void)
{
	struct CMUnitTest tests[MAX_INTERPRETERS + 2] = {
		cmocka_unit_test(test_later_versions_refused),
		cmocka_unit_test(test_not_python),
	};
	struct interpreters *all = interpreters_find(6, 11);
	size_t nr = 2;
	int failed;

	for (unsigned k = 0; k < all->nr; k++) {
		struct interpreter *i = &all->i[k];

		/* debug builds are never stripped (their DWARF is what they are for) */
		if (i->minor < 6 || i->minor > 11 || is_debug_build(i))
			continue;
		tests[nr].name = i->name;
		tests[nr].test_func = test_interpreter;
		tests[nr++].initial_state = i;
	}
	failed = _cmocka_run_group_tests("decode", tests, nr, NULL, NULL);
	free(all);
	return failed;
}
