/* SPDX-License-Identifier: MIT */
/*
 * What of a process is resident, page by page: what its page tables hold, less what the kernel does not
 * count as its RSS (the shared page of zeros, huge pages of hugetlbfs, device memory). On a process that
 * stands still the sum is the Rss of smaps_rollup to the byte.
 */
#ifndef PMT_TARGET_RESIDENT_H
#define PMT_TARGET_RESIDENT_H

#include "model/page_runs.h"

#include <stdbool.h>
#include <stdint.h>

struct fault;
struct maps;
struct target;

struct resident {
	struct runs runs;
	/*
	 * Not resident. guard: never to be touched, which looks like swap before 6.15. zero: mapped,
	 * and read but never written. Of shared memory that is swapped out page tables know nothing.
	 */
	uint64_t swapped, guard, zero;
	bool scanned; /* by PAGEMAP_SCAN; else from pagemap and smaps */
};

/*
 * One look at the whole address space. maps: where it ends. ESRCH: the process has ended; EPERM.
 * Caller: resident_done().
 */
int target_resident(const struct target *t, const struct maps *maps, struct resident *ret,
		    struct fault *f);
void resident_done(struct resident *r);

#endif
