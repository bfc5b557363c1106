/* SPDX-License-Identifier: MIT */
/* The C library's heap in figures. Which bytes are resident, and of which kind, is in account.h. */
#ifndef PMT_MODEL_HEAP_H
#define PMT_MODEL_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* As mallinfo2() and malloc_stats() call them; bytes. */
struct heap_stats {
	char version[16]; /* "2.36" */
	uint32_t arenas;  /* the main one included */
	uint64_t arena, fordblks, uordblks, hblkhd, fsmblks, keepcost;
	uint64_t hblks;
	uint64_t mmap_threshold, trim_threshold; /* as they are now */
	bool thresholds_grew;			 /* dynamic, and above their defaults */
	uint64_t thp_bytes; /* glibc.malloc.hugetlb: size of huge pages, or 0 */
	uint64_t tcache_bytes;
	uint64_t trim_bytes;   /* resident bytes that malloc_trim(0) would return */
	uint64_t largest_free; /* the largest run of free memory below a chunk in use */
	/* did its own checks hold? each walk ends at top, sums equal system_mem, counts equal */
	bool exact;
	char why_not[128]; /* "the chunks of arena 0x7f... end behind its top" */
};

#endif
