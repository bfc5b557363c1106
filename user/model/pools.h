/* SPDX-License-Identifier: MIT */
/* How full pymalloc's pools are, and what freeing the few blocks in the emptiest would return. */
#ifndef PMT_MODEL_POOLS_H
#define PMT_MODEL_POOLS_H

#include <stdint.h>

/* Pools with less than this part of the blocks in use that once were are sparse. */
#define POOL_SPARSE_PERCENT 25
#define POOL_FILLS	    10

/* What an explanation needs beyond the sums. Bytes, resident or not, unless they are said to be. */
struct pool_stats {
	uint32_t interpreters; /* with arenas of their own, since 3.12 */
	uint64_t arenas, arena_bytes;
	uint64_t pools_used, pools_free, pools_untouched, pool_bytes;
	uint64_t pools_lost; /* header not resident, or nonsense: all put down as in use */
	uint64_t live_blocks, live_bytes;
	uint64_t free_bytes;  /* used once */
	uint64_t never_bytes; /* of pools in use, not counting free pools */
	uint64_t free_pools_resident;
	uint64_t fills[POOL_FILLS]; /* pools in use by tenths of their blocks in use */

	/* pools of which few blocks are in use: the blocks that keep them are the survivors */
	uint64_t sparse_pools, sparse_blocks, sparse_live_bytes;
	uint64_t sparse_resident;
	/*
	 * If the survivors were freed: arenas that would be given back, and by how much RSS would
	 * shrink. What else these pools hold would be free for any size of block.
	 */
	uint64_t returned_arenas, returned_bytes;
	/* one arena of them may be kept all the same: that depends on the order */
	uint64_t returned_unsure;
};

#endif
