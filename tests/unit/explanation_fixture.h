/* SPDX-License-Identifier: MIT */
/* An explanation made by hand: a service whose pools a few survivors keep, forked, with eight threads. */
#ifndef PMT_TESTS_EXPLANATION_FIXTURE_H
#define PMT_TESTS_EXPLANATION_FIXTURE_H

#include "fixture.h"

#include "model/explanation.h"

#define FIX_TIME 1700049600000000000 /* 2023-11-15 12:00:00 UTC */
#define KIB(n)	 ((uint64_t)(n)*1024)

static inline char *fix_copy(const char *s)
{
	char *copy = strdup(s);

	assert_non_null(copy);
	return copy;
}

static inline struct explanation_row *fix_row(struct explanation *e, enum memory_kind kind,
					      const char *name, uint64_t bytes)
{
	struct explanation_row *r;

	e->rows = reallocarray(e->rows, e->nr_rows + 1, sizeof(*e->rows));
	assert_non_null(e->rows);
	r = &e->rows[e->nr_rows++];
	*r = (struct explanation_row){
		.kind = kind, .name = fix_copy(name), .bytes = bytes, .exclusive = bytes};
	e->total += bytes;
	return r;
}

/* What the kernel says is what the rows say. */
static inline void fix_kernel(struct explanation *e)
{
	e->kernel.vm_rss = e->kernel.rollup_rss = e->total;
}

static inline struct explanation *fix_explanation(void)
{
	struct explanation *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	e->process = (struct process_id){.pid = 4242,
					 .ns_pid = 7,
					 .ppid = 1,
					 .start_ticks = 99,
					 .comm = fix_copy("python3"),
					 .cmdline = fix_copy("python3 /srv/app.py"),
					 .exe = fix_copy("/usr/bin/python3.12")};
	e->python = (struct python_id){.version_hex = 0x030c01f0,
				       .shape = SHAPE_SYMBOLS,
				       .allocator = ALLOCATOR_PYMALLOC,
				       .nr_interpreters = 1,
				       .layout = "3.12.1",
				       .layout_measured = true};
	e->time_ns = FIX_TIME;
	e->paused = true;
	e->pause_ns = 12345678;
	e->threads = 8;
	e->readings = 1;
	fix_row(e, MEMORY_PY_FREE, "", KIB(62123) + 128);
	fix_row(e, MEMORY_FILE_TEXT, "/usr/lib/x86_64-linux-gnu/libpython3.12.so.1.0", KIB(4400));
	fix_row(e, MEMORY_PY_LIVE, "", KIB(1387) + 640);
	fix_row(e, MEMORY_FILE_TEXT, "/usr/lib/x86_64-linux-gnu/libc.so.6", KIB(2208));
	fix_row(e, MEMORY_FILE_PRIVATE, "/usr/lib/x86_64-linux-gnu/libpython3.12.so.1.0",
		KIB(1424));
	fix_row(e, MEMORY_HEAP_USED, "", KIB(1230))->exclusive = KIB(30);
	fix_row(e, MEMORY_PY_OVERHEAD, "", KIB(251))->exclusive = 0;
	fix_row(e, MEMORY_FILE_OTHER, "/usr/lib/locale/C.utf8/LC_CTYPE", KIB(156))->exclusive = 0;
	fix_row(e, MEMORY_PY_NEVER, "", KIB(82) + 256);
	fix_row(e, MEMORY_HEAP_FREE, "", KIB(85));
	fix_row(e, MEMORY_STACK, "thread 4242", KIB(64));
	fix_row(e, MEMORY_STACK, "thread 4250", KIB(12));
	fix_row(e, MEMORY_HEAP_TCACHE, "", KIB(40));
	fix_row(e, MEMORY_BSS, "/usr/lib/x86_64-linux-gnu/libpython3.12.so.1.0", KIB(24));
	fix_row(e, MEMORY_ANONYMOUS, "", KIB(20))->huge = 0;
	fix_row(e, MEMORY_MMAPPED, "", KIB(16));
	fix_row(e, MEMORY_VDSO, "", KIB(4));
	fix_kernel(e);
	e->kernel.pss = KIB(66000);
	e->kernel.shared = KIB(7900);
	e->kernel.private_dirty = KIB(65600);
	e->kernel.page_tables = KIB(240);
	e->has_pools = e->has_heap = true;
	e->pools = (struct pool_stats){.interpreters = 1,
				       .arenas = 64,
				       .arena_bytes = 64 << 20,
				       .pools_used = 4006,
				       .pools_free = 12,
				       .pools_untouched = 78,
				       .pool_bytes = 16384,
				       .live_blocks = 21000,
				       .live_bytes = KIB(1387) + 640,
				       .free_bytes = KIB(62123) + 128,
				       .fills = {3900, 42, 10, 4, 0, 0, 0, 0, 0, 50},
				       .sparse_pools = 3942,
				       .sparse_blocks = 7105,
				       .sparse_live_bytes = 600000,
				       .returned_arenas = 60,
				       .returned_bytes = KIB(61000)};
	e->heap = (struct heap_stats){.version = "2.36",
				      .arenas = 1,
				      .arena = 1388544,
				      .fordblks = 87040,
				      .uordblks = 1301504,
				      .hblkhd = 401408,
				      .hblks = 2,
				      .mmap_threshold = 131072,
				      .trim_threshold = 131072,
				      .trim_bytes = 65536,
				      .exact = true};
	strcpy(e->malloc, "glibc");
	return e;
}

static inline void fix_explanation_free(struct explanation *e)
{
	explanation_done(e);
	free(e);
}

/* Five seconds on: a thread more, and free blocks that came into use, so that their group is as large. */
static inline struct explanation *fix_later(void)
{
	struct explanation *e = fix_explanation();

	e->time_ns += 5000000000;
	e->rows[0].exclusive = e->rows[0].bytes -= 4096;
	e->rows[2].bytes += 4096;
	e->rows[1].bytes += 40960;
	e->total += 40960;
	fix_row(e, MEMORY_STACK, "thread 4711", 8192);
	fix_kernel(e);
	e->kernel.swap = 4096;
	return e;
}

static inline void fix_cgroup(struct explanation *e)
{
	e->cgroup = (struct memory_cgroup){.version = 2,
					   .path = fix_copy("/kubepods/pod1/c"),
					   .usage = 300u << 20,
					   .limit = 512u << 20,
					   .high = CGROUP_NO_LIMIT,
					   .peak = CGROUP_UNKNOWN,
					   .limit_path = fix_copy("/kubepods/pod1"),
					   .room = 212u << 20,
					   .room_path = fix_copy("/kubepods"),
					   .room_high = true,
					   .swap_limit = CGROUP_NO_LIMIT,
					   .anon = 200u << 20,
					   .file_inactive = CGROUP_UNKNOWN,
					   .events_max = 3,
					   .pressure_some_us = CGROUP_UNKNOWN,
					   .processes = 7};
}

/* Any rows, with names that other rows have too, at the most nr_rows of them. */
static inline struct explanation *fix_random(unsigned int *seed, size_t nr_rows)
{
	struct explanation *e = calloc(1, sizeof(*e));
	bool taken[MEMORY_KINDS][8] = {{false}};
	size_t nr = (size_t)rand_r(seed) % (nr_rows + 1);

	assert_non_null(e);
	e->process = (struct process_id){.pid = 1, .start_ticks = 2};
	e->time_ns = FIX_TIME;
	for (size_t i = 0; i < nr; i++) {
		int kind = rand_r(seed) % MEMORY_KINDS, which = rand_r(seed) % 8;
		uint64_t bytes = (uint64_t)rand_r(seed) >> rand_r(seed) % 31;
		struct explanation_row *r;
		char name[16] = "";

		if (taken[kind][which])
			continue;
		taken[kind][which] = true;
		if (which)
			snprintf(name, sizeof(name), "lib%d.so", which);
		r = fix_row(e, (enum memory_kind)kind, name, bytes << rand_r(seed) % 20);
		r->exclusive = r->bytes / 2;
		r->huge = r->bytes / 4;
	}
	fix_kernel(e);
	return e;
}

#endif
