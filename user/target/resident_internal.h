/* SPDX-License-Identifier: MIT */
/* What the two ways to the resident pages share. */
#ifndef PMT_TARGET_RESIDENT_INTERNAL_H
#define PMT_TARGET_RESIDENT_INTERNAL_H

#include "target/resident.h"

#define HUGE_BYTES (2u << 20)
#define HUGE_PAGES (HUGE_BYTES / 4096)

struct resident_reader {
	const struct target *target;
	int pagemap_fd;
	int kpageflags_fd;   /* of all page frames; -1: not opened yet, -2: cannot be */
	uint64_t zero_frame; /* of the page of zeros; 0: not known yet */
	struct resident *ret;
};

/* Up to nr entries from addr on; what is missing at the end of the address space is 0. 0, -errno. */
int resident_entries(struct resident_reader *r, uint64_t addr, uint64_t *ret, size_t nr);

/* Is this the entry of a page of zeros, of the small one or a piece of the huge one? */
bool resident_is_zero(struct resident_reader *r, uint64_t entry, bool huge);

/* Before 6.7: smaps says how much is resident in each mapping, pagemap which pages. */
int resident_by_pagemap(struct resident_reader *r, struct fault *f);

#endif
