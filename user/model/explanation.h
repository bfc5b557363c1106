/* SPDX-License-Identifier: MIT */
/*
 * Where one process's memory is at one moment, in plain data: rows that sum up to what is resident, and
 * what else a verdict is drawn from. Strings are raw bytes of the target, and owned.
 *
 *	sum over rows == total == Rss of smaps_rollup, to the byte, if the process stood still
 */
#ifndef PMT_MODEL_EXPLANATION_H
#define PMT_MODEL_EXPLANATION_H

#include "model/account.h"
#include "model/cgroup.h"
#include "model/heap.h"
#include "model/pools.h"
#include "model/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct explanation_row {
	enum memory_kind kind;
	char *name;			 /* what it belongs to: "libc.so.6", "thread 4711"; "" */
	uint64_t bytes, huge, exclusive; /* as in struct account_row */
};

/* The kernel's own sums, bytes: /proc/PID/status and smaps_rollup. */
struct explanation_kernel {
	uint64_t vm_rss;     /* status: may lag (before 6.2: by up to 64 pages a thread and kind) */
	uint64_t rollup_rss; /* of the page tables, as the rows are */
	uint64_t pss, shared, private_clean, private_dirty;
	uint64_t swap, page_tables, hugetlb; /* not resident, but paid for */
	uint64_t guard, zero;		     /* pages that look like memory and are none */
	uint64_t anon_huge;
};

#define ANONYMOUS_PERCENT 10 /* of RSS: much of it */

struct explanation {
	struct process_id process;
	struct python_id python; /* version_hex 0: no Python that is known */
	int64_t time_ns;	 /* CLOCK_REALTIME */
	bool paused;
	int64_t pause_ns;
	uint32_t threads, readings; /* readings: how often it was read until it held still */
	struct explanation_kernel kernel;
	uint64_t parent_anon; /* RssAnon of the parent, if that runs the same program; else 0 */

	/* the largest first */
	struct explanation_row *rows;
	size_t nr_rows;
	uint64_t total;

	/* what was looked into; "" or why not: "not a Python process", "pymalloc is not in use" */
	bool has_pools, has_heap;
	char pools_why[160], heap_why[160];
	struct pool_stats pools; /* if has_pools */
	struct heap_stats heap;	 /* if has_heap */
	char malloc[16]; /* which one is in use: "glibc", "jemalloc", "musl"; "" not known */
	/*
	 * "libarrow.so.2600 (mimalloc)": libraries with an allocator compiled in, whose memory is
	 * MEMORY_ANONYMOUS; looked for where that is ANONYMOUS_PERCENT of the total or more
	 */
	char library_mallocs[160];
	struct memory_cgroup cgroup;

	/* the target ran on, and its memory changed while it was read: what adds up need not be true */
	bool approximate;
	char approximate_why[160];
};

void explanation_done(struct explanation *e);

/* Whether it is approximate for a reason that --pause would cure; what is swapped out stays unread. */
bool explanation_pause_helps(const struct explanation *e);

/* Sum of the rows of a kind; of all kinds from first to last, both included. */
uint64_t explanation_bytes(const struct explanation *e, enum memory_kind first,
			   enum memory_kind last);

/* One row of two explanations; 0 bytes where one has none. */
struct explanation_change {
	enum memory_kind kind;
	const char *name; /* borrowed from either; "" */
	uint64_t before, after;
};

/* The rows whose bytes differ, by kind and name. The caller frees *ret. -ENOMEM */
int explanation_changes(const struct explanation *a, const struct explanation *b,
			struct explanation_change **ret, size_t *ret_nr);

/* Of one and the same process; start time and pid. */
bool explanation_same_process(const struct explanation *a, const struct explanation *b);

/*
 * Rows as a table shows them: kinds in groups, each group and kind with the sum of what is in it.
 */
enum memory_group {
	GROUP_PYMALLOC,
	GROUP_HEAP, /* glibc's, by brk and by arenas of threads, and what it maps */
	GROUP_OTHER_MALLOC,
	GROUP_STACKS, /* of threads, of Python frames */
	GROUP_FILES,
	GROUP_SHARED,
	GROUP_ANONYMOUS,
	GROUP_KERNEL, /* vdso */
	MEMORY_GROUPS
};

enum memory_group memory_kind_group(enum memory_kind k);
const char *memory_group_name(enum memory_group g); /* "pymalloc": JSON members */
const char *memory_group_text(enum memory_group g); /* "glibc heap" */

#endif
