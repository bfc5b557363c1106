/* SPDX-License-Identifier: MIT */
/* Accounts made by hand, and the maps that come of them. */
#ifndef PMT_TESTS_MAP_FIXTURE_H
#define PMT_TESTS_MAP_FIXTURE_H

#include "base/cleanup.h"
#include "model/account.h"
#include "model/explanation.h"
#include "model/memory_map.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB		(1ull << 20)
#define PYMALLOC_AT	0x7f1c20000000ull
#define HEAP_AT		0x55d0c0a01000ull
#define THREADS_AT	0x7f1c08000000ull
#define MMAPPED_AT	0x7f1c40000000ull
#define MAP_HOSTILE_ARG "</title><script>alert(1)</script>&\"'\x1b[31m]]>\n\xff"

/*
 * fragmented: 40 arenas, of which every tenth is full and the others hold a few blocks a pool; a heap
 *	of 24 MiB that is free but for its ends, 2 heaps of threads, 3 mmapped chunks
 * old: the same, with pools of 4 KiB
 * hostile: the same, of a process whose arguments are markup
 * many: 5000 arenas, 64 heaps of threads, 4000 chunks far apart
 * sparse: chunks of a terabyte, each with a page here and there
 * empty: nothing
 */
struct map_case {
	struct account *a;
	struct memory_map map;
	struct explanation e;
	int err;
};

static inline void map_pages(struct map_case *c, uint64_t start, uint64_t bytes)
{
	if (!c->err)
		c->err = account_pages(c->a, start, start + bytes, 0);
}

static inline struct account_area *map_area(struct map_case *c, uint64_t start, uint64_t bytes,
					    enum memory_kind kind)
{
	struct account_area *area = NULL;

	if (!c->err)
		c->err = account_area(c->a, start, start + bytes, kind, NULL, &area);
	return area;
}

/* Pools of 16 KiB with `percent` of live blocks; the last eight were never used. */
static inline void map_arena(struct map_case *c, uint64_t start, unsigned int percent)
{
	struct account_area *area = map_area(c, start, MIB, MEMORY_PY_OVERHEAD);

	for (uint64_t at = start; area && at < start + MIB; at += 16384) {
		uint64_t live = at + 48 + (16384 - 48) * percent / 100;

		if (percent < 90 && (at / 16384) % 11 == 3)
			account_part(area, at, at + 16384, MEMORY_PY_FREE_POOLS);
		account_part(area, at + 48, live, MEMORY_PY_LIVE);
		account_part(area, live, at + 16384, MEMORY_PY_FREE);
	}
}

static inline void map_heap(struct map_case *c, uint64_t start, uint64_t bytes,
			    enum memory_kind used, enum memory_kind unused)
{
	struct account_area *area = map_area(c, start, bytes, used);

	if (!area)
		return;
	account_part(area, start + 2 * MIB, start + bytes - MIB / 2, unused);
	account_part(area, start + bytes - 65536, start + bytes, unused);
}

static inline void map_fill_fragmented(struct map_case *c, uint64_t arenas)
{
	map_pages(c, HEAP_AT, 24 * MIB);
	for (uint64_t i = 0; i < 2; i++)
		map_pages(c, THREADS_AT + i * 64 * MIB, (3 + i) * MIB);
	for (uint64_t i = 0; i < arenas; i++)
		map_pages(c, PYMALLOC_AT + (i + (i > 20) * 3) * MIB, MIB - 65536 * (i % 3));
	for (uint64_t i = 0; i < 3; i++)
		map_pages(c, MMAPPED_AT + arenas * MIB + i * 2 * MIB, MIB / 2);
	for (uint64_t i = 0; i < arenas; i++)
		map_arena(c, PYMALLOC_AT + (i + (i > 20) * 3) * MIB,
			  i % 10 ? (unsigned int)(i * i % 23) : 99);
	map_heap(c, HEAP_AT, 24 * MIB, MEMORY_HEAP_USED, MEMORY_HEAP_FREE);
	for (uint64_t i = 0; i < 2; i++)
		map_heap(c, THREADS_AT + i * 64 * MIB, (3 + i) * MIB, MEMORY_ARENA_USED,
			 MEMORY_ARENA_FREE);
	for (uint64_t i = 0; i < 3; i++)
		map_area(c, MMAPPED_AT + arenas * MIB + i * 2 * MIB, MIB / 2, MEMORY_MMAPPED);
}

static inline void map_fill_many(struct map_case *c)
{
	for (uint64_t i = 0; i < 5000; i++)
		map_pages(c, PYMALLOC_AT + i * (MIB + 65536), MIB);
	for (uint64_t i = 0; i < 4000; i++)
		map_pages(c, PYMALLOC_AT + (6000 + i * 7) * MIB, 8192);
	for (uint64_t i = 0; i < 5000; i++)
		map_arena(c, PYMALLOC_AT + i * (MIB + 65536), (unsigned int)(i * 7919 % 100));
	for (uint64_t i = 0; i < 4000; i++)
		map_area(c, PYMALLOC_AT + (6000 + i * 7) * MIB, 8192, MEMORY_MMAPPED);
}

static inline void map_fill_sparse(struct map_case *c)
{
	for (uint64_t i = 0; i < 90000; i++)
		map_pages(c, i * 0x40000000ull + i % 7 * 4096, 4096);
	for (uint64_t i = 0; i < 90; i++)
		map_area(c, i * 1000 * 0x40000000ull, 1000 * 0x40000000ull, MEMORY_MMAPPED);
	map_area(c, 0, UINT64_MAX, MEMORY_HEAP_USED);
}

/* c->err: -EINVAL for another kind. */
static inline void map_case_open(struct map_case *c, const char *kind)
{
	struct account_row *rows = NULL;
	size_t nr;

	*c = (struct map_case){.a = account_new()};
	memory_map_watch(&c->map, c->a);
	if (!strcmp(kind, "fragmented") || !strcmp(kind, "hostile") || !strcmp(kind, "old"))
		map_fill_fragmented(c, 40);
	else if (!strcmp(kind, "many"))
		map_fill_many(c);
	else if (!strcmp(kind, "sparse"))
		map_fill_sparse(c);
	else if (strcmp(kind, "empty"))
		c->err = -1;
	c->e.has_pools = true;
	c->e.pools.pool_bytes = strcmp(kind, "old") ? 16384 : 4096;
	c->e.process.pid = 4242;
	c->e.process.cmdline =
		strdup(!strcmp(kind, "hostile") ? MAP_HOSTILE_ARG : "/usr/bin/python3 app.py");
	c->e.python.version_hex = 0x030c01f0;
	c->e.time_ns = 1700000000000000000;
	if (!c->err)
		c->err = account_close(c->a, &rows, &nr, &c->e.total);
	free(rows);
	if (!c->err)
		c->err = memory_map_finish(&c->map);
	c->e.total += 5 * MIB;
}

static inline void map_case_close(struct map_case *c)
{
	memory_map_done(&c->map);
	account_free(c->a);
	free(c->e.process.cmdline);
}

#endif
