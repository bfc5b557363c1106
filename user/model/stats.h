/* SPDX-License-Identifier: MIT */
/*
 * pymalloc's own account of itself: what sys._debugmallocstats() prints, as numbers. Filled by the
 * walker (python/) from memory or by the parser (output/) from text; both renderers and the
 * difference know only this. Plain data and arithmetic.
 */
#ifndef PMT_MODEL_STATS_H
#define PMT_MODEL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_MAX_CLASSES    64
#define STATS_MAX_FREE_LISTS 48

struct size_class {
	uint64_t pools; /* pools that hold at least one block in use */
	uint64_t used;	/* blocks in use */
	uint64_t avail; /* blocks free in those pools */
};

struct free_list {
	char type[40]; /* as printed, without plural s: "PyDictObject", "5-sized PyTupleObject" */
	uint64_t count;
	uint64_t item_bytes;
};

struct malloc_stats {
	bool pymalloc; /* false: the text has no pymalloc part, only free lists */
	bool hidden;   /* pymalloc is in use under hooks (tracemalloc) that make CPython print none
		      * of it: numbers are here, the text leaves them out */
	uint32_t threshold;  /* "Small block threshold", 512 */
	uint32_t nr_classes; /* 32 or 64; block size of class i is (i + 1) * alignment */
	uint32_t alignment;
	struct size_class classes[STATS_MAX_CLASSES];

	bool has_serial; /* "# times object malloc called": 3.6, 3.7 with debug hooks */
	uint64_t serial;
	uint64_t arenas_total; /* ever allocated */
	uint64_t arenas_reclaimed;
	uint64_t arenas_highwater;
	uint64_t arenas_current;
	uint64_t arena_bytes; /* size of one arena: 262144 or 1048576 */
	uint64_t pool_bytes;  /* size of one pool: 4096 or 16384 */

	uint64_t allocated_bytes; /* "bytes in allocated blocks" */
	uint64_t available_bytes; /* "bytes in available blocks" */
	uint64_t unused_pools;	  /* free pools; * pool_bytes is the printed value */
	uint64_t header_bytes;
	uint64_t quantization_bytes;
	uint64_t alignment_bytes;

	bool radix; /* the arena map block, 3.10 and later */
	uint64_t map_mid_nodes, map_bot_nodes;
	uint64_t map_root_bytes, map_mid_bytes, map_bot_bytes;

	size_t nr_free_lists;
	struct free_list free_lists[STATS_MAX_FREE_LISTS]; /* in the order printed */
};

/*
 * Fills the derived lines (allocated_bytes .. quantization_bytes) from classes, alignment,
 * pool_bytes and pool_overhead (bytes of a pool header rounded up to the alignment).
 */
void stats_derive(struct malloc_stats *s, uint64_t pool_overhead);

/* The "Total" line: sum of the lines above it. */
uint64_t stats_total(const struct malloc_stats *s);

/* narenas * ARENA_SIZE == Total: CPython's own invariant, false for a torn read. */
bool stats_consistent(const struct malloc_stats *s);

/* Every figure that would be printed is the same. */
bool stats_equal(const struct malloc_stats *a, const struct malloc_stats *b);

#endif
