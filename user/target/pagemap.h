/* SPDX-License-Identifier: MIT */
/*
 * Internal to target/: what the page tables of a process say about a range of its memory.
 */
#ifndef PMT_TARGET_PAGEMAP_H
#define PMT_TARGET_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PAGEMAP_SCAN, as <linux/fs.h> of 6.7 has it; older headers lack it. */
struct page_run {
	uint64_t start, end, categories;
};

#define SCAN_FILE    (1u << 2) /* the page cache's page, or shmem's */
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_ZERO    (1u << 5) /* the page of zeros that all processes share */
#define SCAN_HUGE    (1u << 6)
#define SCAN_GUARD   (1u << 8) /* since 6.15; such a page is also shown as swapped */

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

/*
 * Each run of neighbouring pages of [start, end) that are present or swapped, alike in the categories
 * wanted, goes to take() in order of address; what that returns, if not 0, ends the scan. runs: room for
 * what one system call tells, of which calls are counted. -ENOTTY: this kernel has no such scan; -EINVAL:
 * nor such categories; -EFAULT: addresses that this machine does not have.
 */
typedef int page_run_fn(void *ctx, const struct page_run *run);

struct page_scan {
	int fd; /* of /proc/PID/pagemap, borrowed */
	uint64_t start, end, categories;
	struct page_run *runs;
	size_t nr_runs;
	uint64_t calls; /* out */
};
int pagemap_scan(struct page_scan *s, page_run_fn *take, void *ctx);

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
