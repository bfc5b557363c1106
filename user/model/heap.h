/* SPDX-License-Identifier: MIT */
/* The C library's heap in figures. Which bytes are resident, and of which kind, is in account.h. */
#ifndef PMT_MODEL_HEAP_H
#define PMT_MODEL_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* As mallinfo2() and malloc_stats() call them; bytes. */
/*
 * Runs of free memory by the size of the chunk in use right behind, which keeps them (or by their own, if
 * that is less: no such chunk has been there): below 16 KiB, 32, 64, 128 KiB, and from there on.
 */
#define HEAP_PINS      5
#define HEAP_PIN_SMALL (16ull << 10)
#define HEAP_MAP_DEFAULT \
	(128ull << 10) /* M_MMAP_THRESHOLD, M_TRIM_THRESHOLD: what they are at first */

struct heap_stats {
	char version[16]; /* "2.36" */
	uint32_t arenas;  /* the main one included */
	uint64_t arena, fordblks, uordblks, hblkhd, fsmblks, keepcost;
	uint64_t hblks;
	uint64_t mmap_threshold, trim_threshold; /* as they are now */
	bool thresholds_grew;			 /* dynamic, and above their defaults */
	uint64_t thp_bytes; /* glibc.malloc.hugetlb: size of huge pages, or 0 */
	uint64_t tcache_bytes;
	uint64_t trim_bytes; /* resident bytes that malloc_trim(0) would return */
	/* of trim_bytes: below a chunk in use, by its size; in the main arena's top */
	uint64_t trim_pinned[HEAP_PINS], trim_top;
	uint64_t trim_large;   /* of trim_pinned: in runs of HEAP_MAP_DEFAULT and more */
	uint64_t largest_free; /* the largest run of free memory below a chunk in use */
	/* did its own checks hold? each walk ends at top, sums equal system_mem, counts equal */
	bool exact;
	bool settled;	   /* one of them will not, however often it is read */
	char why_not[128]; /* "the chunks of arena 0x7f... end behind its top" */
};

#endif
