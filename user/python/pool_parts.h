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

struct account;
struct fault;
struct pool_stats;
struct python;

/*
 * Puts the arenas of all interpreters into the account. ENOTSUP: pymalloc is not in use, or cannot be
 * read. On a process that runs, each arena is right by itself.
 */
int python_account_pools(struct python *p, struct account *a, struct pool_stats *ret,
			 struct fault *f);

/* The chunks that hold frames, since 3.11: found at each thread state. Returns how many, or -errno. */
int python_account_data_stacks(struct python *p, struct account *a, struct fault *f);

#endif
