/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/smaps and smaps_rollup, the kernel's own sums of each mapping and of them all:
 *
 *	7f0c5a600000-7f0c5a628000 r--p 00000000 fe:00 1311 /usr/lib/x86_64-linux-gnu/libc.so.6
 *	Size:                160 kB
 *	Rss:                 156 kB
 *	...
 *	VmFlags: rd mr mw me
 */
#ifndef PMT_TARGET_SMAPS_H
#define PMT_TARGET_SMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct fault;
struct target;

struct smaps_entry {
	uint64_t start, end;
	/* bytes */
	uint64_t rss, pss, pss_anon, shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t anon_huge, shmem_huge, file_huge;
	uint64_t swap, swap_pss;
	bool hugetlb; /* pages of hugetlbfs: nobody's RSS */
};

struct smaps {
	struct smaps_entry *v;
	size_t nr;
};

/* Every mapping, ascending. Bounded as target_maps(). Caller: smaps_done(). */
int target_smaps(const struct target *t, struct smaps *ret, struct fault *f);
void smaps_done(struct smaps *s);

/* All mappings together, summed by the kernel; since 4.14. */
int target_smaps_rollup(const struct target *t, struct smaps_entry *ret, struct fault *f);

/* What both read. -EINVAL: not such a file. */
int smaps_parse(FILE *in, struct smaps *ret);

#endif
