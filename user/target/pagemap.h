/* SPDX-License-Identifier: MIT */
/*
 * Internal to target/: what the page tables of a process say about a range of its memory.
 */
#ifndef PMT_TARGET_PAGEMAP_H
#define PMT_TARGET_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* <linux/fs.h> of 6.7; older headers lack it. */
struct page_run {
	uint64_t start, end, categories;
};

struct pagemap_scan {
	uint64_t size, flags, start, end;
	uint64_t walk_end; /* out: where it stopped */
	uint64_t vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
_Static_assert(sizeof(struct pagemap_scan) == 96, "struct pm_scan_arg");

#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct pagemap_scan)
#define SCAN_FILE	   (1u << 2) /* the page cache's page, or shmem's */
#define SCAN_PRESENT	   (1u << 3)
#define SCAN_SWAPPED	   (1u << 4)
#define SCAN_ZERO	   (1u << 5) /* the page of zeros that all processes share */
#define SCAN_HUGE	   (1u << 6)
#define SCAN_GUARD	   (1u << 8) /* since 6.15; such a page is also shown as swapped */

/* Entries of /proc/PID/pagemap. */
#define ENTRY_PRESENT	(1ull << 63)
#define ENTRY_SWAPPED	(1ull << 62)
#define ENTRY_FILE	(1ull << 61)
#define ENTRY_GUARD	(1ull << 58)	   /* since 6.15 */
#define ENTRY_EXCLUSIVE (1ull << 56)	   /* of a present page: mapped once in the whole system */
#define ENTRY_FRAME	((1ull << 55) - 1) /* 0 without CAP_SYS_ADMIN */

struct pagemap {
	int fd;	    /* of /proc/PID/pagemap, borrowed */
	bool scan;  /* PAGEMAP_SCAN works (since 6.7, "fs/proc/task_mmu: implement IOCTL ...") */
	bool guard; /* and knows PAGE_IS_GUARD (since 6.15) */
	uint64_t calls; /* system calls made */
};

#define PAGEMAP_WORDS(nr_pages) (((nr_pages) + 63) / 64)

/* Probes nothing: the first pagemap_look() finds out what the kernel offers. */
void pagemap_init(struct pagemap *p, int fd);

/*
 * For the nr_pages pages from addr: bit i of present, if page i can be read without a fault, and of
 * swapped (may be NULL), if its bytes are elsewhere: swap, or on the way to another page frame. A
 * page with neither bit was never touched, has been given back, is a guard page, is not mapped, or
 * its process has ended. 0 or -errno.
 */
int pagemap_look(struct pagemap *p, uint64_t addr, size_t nr_pages, uint64_t *present,
		 uint64_t *swapped);

#endif
