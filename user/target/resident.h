/* SPDX-License-Identifier: MIT */
/*
 * What of a process is resident, page by page: what its page tables hold, less what the kernel does not
 * count as its RSS (the shared page of zeros, huge pages of hugetlbfs, device memory). On a process that
 * stands still the sum is the Rss of smaps_rollup to the byte.
 */
#ifndef PMT_TARGET_RESIDENT_H
#define PMT_TARGET_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct fault;
struct maps;
struct target;

struct resident_run {
	uint64_t start, end;
	unsigned int flags; /* enum page_flags of model/account.h */
};

struct resident {
	struct resident_run *v; /* ascending; neighbours differ in flags or do not touch */
	size_t nr;
	uint64_t bytes;
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

/* The first run that ends behind addr, or r->nr. */
size_t resident_find(const struct resident *r, uint64_t addr);

/* account_pages() of each. -ENOMEM */
int resident_account(const struct resident *r, struct account *a);

#endif
