/* SPDX-License-Identifier: MIT */
/*
 * What test_arena and the fake interpreter say to each other through its stdin and stdout: first
 * where everything is, then for each command its own tally.
 */
#ifndef PMT_TESTS_FAKE_INTERP_H
#define PMT_TESTS_FAKE_INTERP_H

#include <stdint.h>

#define FAKE_ARENA_SIZE (256 << 10)
#define FAKE_CHUNK_SIZE (16 << 10)
#define FAKE_CLASSES	64

struct fake_hello {
	/* offsets in its file */
	uint64_t arena_alloc, arena_free, new_pool, new_pool_old;
	/* addresses in its memory */
	uint64_t ntimes, narenas, main_interp, obmalloc;
	uint32_t interp_gil, interp_feature_flags, tstate_interp, tstate_thread_id;
	uint32_t gil_last_holder, gil_locked;
};

enum fake_what {
	FAKE_TAKE,	 /* n arenas */
	FAKE_FAIL,	 /* n calls of alloc that return none */
	FAKE_RELEASE,	 /* n arenas */
	FAKE_CHUNK,	 /* n calls of alloc and of free with another size */
	FAKE_POOL,	 /* n pools of class arg */
	FAKE_POOL_OLD,	 /* the same by the function without a state */
	FAKE_POOL_OTHER, /* the same for another interpreter's state */
	FAKE_OWN_GIL, /* n arenas taken and released by a thread of an interpreter with its own GIL */
	FAKE_SHARED_GIL, /* the same by one that shares the main GIL but not the allocator */
	FAKE_LEGACY,	 /* the same by one that shares both */
	FAKE_MOVED,	 /* the same, by a thread other than the one its state names */
	FAKE_NO_GIL,	 /* the same by the main interpreter before it has made its GIL */
	FAKE_LIE,	 /* its total grows by n without a call */
};

struct fake_command {
	uint32_t what, n, arg;
};

struct fake_tally {
	uint64_t taken, released, failed, chunks_taken, chunks_released;
	uint64_t other_taken, other_released, pools[FAKE_CLASSES], pools_other;
	uint64_t ntimes, narenas;
};

#endif
