/* SPDX-License-Identifier: MIT */
/*
 * The address space in cells, for a picture: of each stretch of memory that an allocator has, how much of
 * each cell is in use, free, and not resident. Plain data, and bounded: cells grow with the process.
 *
 *	memory_map_watch(&map, account);	before its first area
 *	...					areas, parts, account_close()
 *	memory_map_finish(&map);
 */
#ifndef PMT_MODEL_MEMORY_MAP_H
#define PMT_MODEL_MEMORY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;

/* A page: as large as a pool of pymalloc was until 3.9. */
#define MEMORY_MAP_CELL (4u << 10)
/* With more of them (1 GiB), each two become one. */
#define MEMORY_MAP_CELLS   (1u << 18)
#define MEMORY_MAP_REGIONS (1u << 20)

enum map_group {
	MAP_PYMALLOC, /* an arena of pymalloc */
	MAP_HEAP,     /* the C library's, by brk */
	MAP_THREADS,  /* a heap of a thread arena */
	MAP_MMAPPED,  /* a chunk that is a mapping of its own */
	MAP_GROUPS
};

const char *map_group_text(enum map_group g);  /* "thread arenas (glibc)" */
const char *map_region_text(enum map_group g); /* "thread heap": what one of them is called */

/*
 * Resident bytes of one cell, which is all addresses of which at is the part above the cell's size:
 * address / cell_bytes. used + free <= cell_bytes
 */
struct memory_cell {
	uint64_t at, used, free;
};

struct memory_region {
	uint64_t start, end; /* addresses, not multiples of anything */
	enum map_group group;
	uint32_t number;	   /* of its group, by address, from 1 */
	uint64_t used, free;	   /* resident; the rest is not */
	struct memory_cell *cells; /* ascending; those with a resident byte */
	size_t nr_cells;
};

struct memory_map {
	struct memory_region *v; /* by group, then ascending by address */
	size_t nr;
	uint64_t cell_bytes; /* MEMORY_MAP_CELL or this times a power of two */
	uint64_t left_out;   /* resident bytes of regions for which there was no room */
	/* until it is finished */
	size_t size, nr_cells;
	bool failed;
};

/*
 * What counts as free: py_free, py_free_pools, py_never, heap_free, heap_tcache, heap_top, arena_free,
 * arena_tcache, arena_top. Whatever else these regions hold is in use.
 */
void memory_map_watch(struct memory_map *m, struct account *a);
/* -ENOMEM: it ran out meanwhile. */
int memory_map_finish(struct memory_map *m);
void memory_map_done(struct memory_map *m);

#endif
