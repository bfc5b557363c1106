/* SPDX-License-Identifier: MIT */
/*
 * Internal to target/: what the page tables of a process say about a range of its memory.
 */
#ifndef PMT_TARGET_PAGEMAP_H
#define PMT_TARGET_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
