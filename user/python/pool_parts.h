/* SPDX-License-Identifier: MIT */
/*
 * pymalloc's memory, byte by byte, in the account of what is resident; and the Python frames' own.
 *
 *	arena	| alignment | pool | pool | ...  | pools never carved out |
 *	pool	| header | blocks in use, and free ones used once | blocks never used | loss |
 *			  48				    nextoffset
 *
 * Blocks in use and free ones lie mixed, and only their numbers are known: those in use are put first,
 * so the sums are right, and which page is whose is not.
 */
#ifndef PMT_PYTHON_POOL_PARTS_H
#define PMT_PYTHON_POOL_PARTS_H

#include <stdint.h>

struct account;
struct fault;
struct python;

/* Pools with less than this part of the blocks in use that once were are sparse. */
#define PYTHON_SPARSE_PERCENT 25
#define PYTHON_FILLS	      10

/* What an explanation needs beyond the sums. Bytes, resident or not, unless they are said to be. */
struct python_pools {
	uint32_t interpreters; /* with arenas of their own, since 3.12 */
	uint64_t arenas, arena_bytes;
	uint64_t pools_used, pools_free, pools_untouched, pool_bytes;
	uint64_t pools_lost; /* header not resident, or nonsense: all put down as in use */
	uint64_t live_blocks, live_bytes;
	uint64_t free_bytes;  /* used once */
	uint64_t never_bytes; /* of pools in use, not counting free pools */
	uint64_t free_pools_resident;
	uint64_t fills[PYTHON_FILLS]; /* pools in use by tenths of their blocks in use */

	/* pools of which few blocks are in use: the blocks that keep them are the survivors */
	uint64_t sparse_pools, sparse_blocks, sparse_live_bytes;
	uint64_t sparse_resident;
	/*
	 * If the survivors were freed: arenas that would be given back, and by how much RSS would
	 * shrink. What else these pools hold would be free for any size of block.
	 */
	uint64_t returned_arenas, returned_bytes;
};

/*
 * Puts the arenas of all interpreters into the account. ENOTSUP: pymalloc is not in use, or cannot be
 * read. On a process that runs, each arena is right by itself.
 */
int python_account_pools(struct python *p, struct account *a, struct python_pools *ret,
			 struct fault *f);

/* The chunks that hold frames, since 3.11: found at each thread state. Returns how many, or -errno. */
int python_account_data_stacks(struct python *p, struct account *a, struct fault *f);

#endif
