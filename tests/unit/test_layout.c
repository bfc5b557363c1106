/* SPDX-License-Identifier: MIT */
/*
 * The checked-in tables against the interpreters they claim to describe (every one on this machine
 * that has debug information), and the choice among them.
 */
#include "interpreters.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "python/dwarf_layout.h"
#include "python/internal.h"
#include "python/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdint.h>

static int read_id(int fd, const char *path, struct python_id *ret, struct fault *f)
{
	struct py_file file = {.name = (char *)path};
	int r = elf_file_open(&file.elf, fd, path, NULL, f);

	if (r)
		return r;
	r = py_version_read(&file, ret, f);
	elf_file_close(file.elf);
	return r;
}

static void compare(const struct interpreter *i, const struct py_layout *dwarf,
		    const struct py_layout *table)
{
#define COMPARE(name_, kind, type, path_)                                                  \
	if (dwarf->name_ != table->name_)                                                  \
		fail_msg("%s: %s is %u, the table says %u", i->name, #name_, dwarf->name_, \
			 table->name_);
	PY_LAYOUT_FIELDS(COMPARE)
#undef COMPARE
}

static void test_interpreter(void **state)
{
	const struct interpreter *i = *state;
	_cleanup_fd_ int fd = i->path[0] ? open(i->path, O_RDONLY | O_CLOEXEC) : -1;
	const struct py_layout_entry *entry;
	struct python_id id = {0};
	struct fault f = {0};
	struct py_layout layout;
	bool measured = false;
	int r;

	if (fd < 0)
		skip();
	r = dwarf_layout_read(fd, i->debug[0] ? i->debug : NULL, &layout, &f);
	if (r == -ENODATA)
		skip();
	if (r || read_id(fd, i->path, &id, &f))
		fail_msg("%s: %s", i->name, f.text);
	entry = layout_find(id.version_hex, id.debug_build, id.free_threaded, &measured);
	if (!entry || !measured)
		skip();
	compare(i, &layout, &entry->layout);
}

/* What every reader relies on; a generator that lost a type would show here without interpreters.
 */
static void test_tables_are_complete(void **state)
{
	const struct py_layout_entry *e;
	size_t nr = 0;

	for (; (e = layout_at(nr)); nr++) {
		const struct py_layout *l = &e->layout;
		unsigned minor = e->version_hex >> 16 & 0xff;

		assert_int_equal(e->version_hex >> 24, 3);
		assert_non_null(strstr(e->provenance, "build-id"));
		assert_int_equal(l->arena_object_size, 48);
		assert_int_equal(l->pool_header_size, 48);
		assert_int_not_equal(l->tstate_thread_id, PY_NONE);
		assert_int_not_equal(l->interp_threads, PY_NONE);
		assert_int_not_equal(l->allocator_malloc, PY_NONE);
		assert_int_equal(l->runtime_interpreters_main == PY_NONE, minor < 7);
		assert_int_equal(l->arena_map_mid_size == PY_NONE, minor < 10);
		assert_int_equal(l->free_tuple == PY_NONE, minor < 10);
		assert_int_equal(l->free_frame != PY_NONE, minor == 10);
		assert_int_equal(l->obmalloc_arenas == PY_NONE, minor < 12);
		assert_int_equal(l->runtime_alloc_obj == PY_NONE, minor < 12);
		assert_int_equal(l->interp_gil == PY_NONE, minor < 12);
		assert_int_equal(l->free_dictkeys == PY_NONE, minor < 13);
		assert_int_equal(l->freelist_size == PY_NONE, minor < 14);
		assert_int_equal(l->object_tid != PY_NONE, e->free_threaded);
		if (minor >= 12)
			assert_int_equal(l->interp_obmalloc_size == 8, minor >= 13);
	}
	assert_true(nr >= 10);
}

static void test_exact_release(void **state)
{
	const struct py_layout_entry *e;
	size_t nr = 0;

	for (; (e = layout_at(nr)); nr++) {
		bool measured = false;

		assert_ptr_equal(layout_find(e->version_hex, e->debug, e->free_threaded, &measured),
				 e);
		assert_true(measured);
	}
}

/* 3.12.1 is measured, 3.12.200 is not; of 3.13.0 and 3.13.5 the nearer. */
static void test_nearest_patch_of_the_minor(void **state)
{
	const struct py_layout_entry *e;
	bool measured = true;

	e = layout_find(0x030cc8f0, false, false, &measured);
	assert_non_null(e);
	assert_int_equal(e->version_hex >> 16, 0x030c);
	assert_false(measured);

	measured = true;
	e = layout_find(0x030d01f0, false, false, &measured);
	assert_int_equal(e->version_hex, 0x030d00f0);
	assert_false(measured);
	e = layout_find(0x030d04f0, false, false, &measured);
	assert_int_equal(e->version_hex, 0x030d05f0);
}

static void test_refused(void **state)
{
	static const uint32_t versions[] = {
		0x030512f0, /* 3.5.18: before the first */
		0x036300f0, /* 3.99.0: behind the last */
		0x030d00c2, /* 3.13.0rc2: a pre-release of a known minor */
		0x030f01a1, /* 3.15.1a1 */
		0x040000f0, 0,
	};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		bool measured = true;

		assert_null(layout_find(versions[i], false, false, &measured));
		assert_true(measured); /* not written */
	}
	/* no table of a free-threaded build; no debug table of 3.12 */
	assert_null(layout_find(0x030d00f0, false, true, &(bool){false}));
	assert_null(layout_find(0x030c01f0, true, false, &(bool){false}));
}

static void test_claims(void **state)
{
	char buf[160], tiny[8];

	assert_string_equal(layout_claims(buf, sizeof(buf)), "3.6–3.15");
	layout_measured(0x030d09f0, buf, sizeof(buf));
	assert_string_equal(buf, "3.13.0, 3.13.5");
	assert_string_equal(layout_measured(0x036300f0, buf, sizeof(buf)), "");
	layout_measured(0x030d09f0, tiny, sizeof(tiny));
	assert_string_equal(tiny, "3.13.0,");
}

static void test_no_debug_information(void **state)
{
	_cleanup_fd_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct py_layout layout = {.arena_address = 77};
	struct fault f = {0};

	assert_int_equal(dwarf_layout_read(null, NULL, &layout, &f), -ENODATA);
	assert_int_equal(dwarf_layout_read(null, "/nonexistent", &layout, &f), -ENOENT);
	assert_int_equal(layout.arena_address, 77);
}

int main(void)
{
	struct CMUnitTest tests[MAX_INTERPRETERS + 16] = {
		cmocka_unit_test(test_tables_are_complete),
		cmocka_unit_test(test_exact_release),
		cmocka_unit_test(test_nearest_patch_of_the_minor),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_no_debug_information),
	};
	struct interpreters *all = interpreters_find(6, 15);
	size_t nr = 6;
	int failed;

	for (unsigned k = 0; k < all->nr; k++) {
		tests[nr].name = all->i[k].name;
		tests[nr].test_func = test_interpreter;
		tests[nr++].initial_state = &all->i[k];
	}
	failed = _cmocka_run_group_tests("layout", tests, nr, NULL, NULL);
	free(all);
	return failed;
}
