/* SPDX-License-Identifier: MIT */
/*
 * The address space in cells, for a picture: of each stretch of memory that an allocator has, how much of
 * each cell is in use, free, and not resident. Plain data.
 */
#ifndef PMT_MODEL_MEMORY_MAP_H
#define PMT_MODEL_MEMORY_MAP_H

#include "model/explanation.h"

#include <stddef.h>
#include <stdint.h>

/* A cell is as large as a pool of pymalloc since 3.10; smaller ones would say nothing of its blocks. */
#define MEMORY_MAP_CELL (16u << 10)

struct memory_cell {
	uint16_t used, free; /* of its bytes, resident; used + free <= MEMORY_MAP_CELL */
};

/* An arena of pymalloc, the brk heap, a heap of a thread arena, an mmapped chunk: one after another. */
struct memory_region {
	uint64_t start, end; /* addresses; cells begin at start */
	enum memory_group group;
	char name[48]; /* "arena 12", "heap", "arena of thread 3" */
	uint64_t used, free, absent;
	struct memory_cell *cells;
	size_t nr_cells;
};

struct memory_map {
	struct memory_region *v; /* ascending by address */
	size_t nr;
	uint64_t left_out; /* bytes of regions for which there was no room */
};

/*
 * From an account that is complete. Kinds that count as free: py_free, py_free_pools, py_never, heap_free, heap_tcache,
 * heap_top, arena_free, arena_tcache, arena_top. -ENOMEM
 */
int memory_map_of(const struct account *a, struct memory_map *ret);
void memory_map_done(struct memory_map *m);

#endif
