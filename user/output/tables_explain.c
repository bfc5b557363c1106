/* SPDX-License-Identifier: MIT */
/* The field tables of `explain`. */
#include "output/tables.h"

#include "output/table_rows.h"

/* clang-format off */
static const struct field explanation_rows[] = {
	ROW("time_ns", FIELD_I64, explanation, time_ns, "end of the read, nanoseconds since 1970 UTC"),
	ROW("paused", FIELD_BOOL, explanation, paused, "the process was stopped while it was read"),
	ROW("pause_ns", FIELD_I64, explanation, pause_ns, "how long it was stopped"),
	ROW("threads", FIELD_U32, explanation, threads, "threads of the process"),
	ROW("readings", FIELD_U32, explanation, readings, "how often it was read until it held still"),
	ROW("resident_bytes", FIELD_U64, explanation, total, "sum of rows"),
	ROW("approximate", FIELD_BOOL, explanation, approximate,
	    "it never held still: what adds up need not be of one moment"),
	WORDS("malloc", explanation, malloc, "which malloc is in use; empty: not known"),
};
TABLE(explanation);

static const struct field explanation_why_rows[] = {
	ROW("approximate_why", FIELD_TEXT, explanation_why_record, approximate, "why approximate"),
	ROW("pools_why", FIELD_TEXT, explanation_why_record, pools, "why pools is null"),
	ROW("heap_why", FIELD_TEXT, explanation_why_record, heap,
	    "why heap is null, or not exact"),
	ROW("library_mallocs", FIELD_TEXT, explanation_why_record, library_mallocs,
	    "libraries with an allocator compiled in: looked for where anonymous is 10 % or more"),
};
TABLE(explanation_why);

static const struct field explanation_kernel_rows[] = {
	ROW("vm_rss_bytes", FIELD_U64, explanation_kernel, vm_rss,
	    "VmRSS of /proc/PID/status: a counter, which may lag"),
	ROW("rollup_rss_bytes", FIELD_U64, explanation_kernel, rollup_rss,
	    "Rss of smaps_rollup: of the page tables, as rows are"),
	ROW("pss_bytes", FIELD_U64, explanation_kernel, pss,
	    "each page divided by the number of processes that map it"),
	ROW("shared_bytes", FIELD_U64, explanation_kernel, shared, "mapped by others too"),
	ROW("private_clean_bytes", FIELD_U64, explanation_kernel, private_clean,
	    "mapped by nobody else, not written to"),
	ROW("private_dirty_bytes", FIELD_U64, explanation_kernel, private_dirty,
	    "mapped by nobody else, written to"),
	ROW("swap_bytes", FIELD_U64, explanation_kernel, swap, "swapped out; not resident"),
	ROW("page_tables_bytes", FIELD_U64, explanation_kernel, page_tables,
	    "of the kernel for this process; not resident"),
	ROW("hugetlb_bytes", FIELD_U64, explanation_kernel, hugetlb,
	    "in pages of hugetlbfs, which the kernel counts in no RSS"),
	ROW("guard_bytes", FIELD_U64, explanation_kernel, guard, "guard pages: no memory"),
	ROW("zero_bytes", FIELD_U64, explanation_kernel, zero,
	    "read and never written: the shared page of zeros, no memory"),
	ROW("anon_huge_bytes", FIELD_U64, explanation_kernel, anon_huge,
	    "anonymous memory in huge pages"),
};
TABLE(explanation_kernel);

static const struct field explanation_row_rows[] = {
	WORDS("kind", explanation_row_record, kind, "what it is"),
	WORDS("group", explanation_row_record, group, "what the kind belongs to"),
	ROW("name", FIELD_TEXT, explanation_row_record, row.name,
	    "file, thread; empty where the kind says it all"),
	ROW("bytes", FIELD_U64, explanation_row_record, row.bytes, "resident"),
	ROW("huge_bytes", FIELD_U64, explanation_row_record, row.huge, "of them, in huge pages"),
	ROW("exclusive_bytes", FIELD_U64, explanation_row_record, row.exclusive,
	    "of them, mapped nowhere else"),
};
TABLE(explanation_row);

static const struct field explanation_change_rows[] = {
	ROW("kind", FIELD_TEXT, explanation_change_record, kind, "what it is"),
	ROW("group", FIELD_TEXT, explanation_change_record, group, "what the kind belongs to"),
	ROW("name", FIELD_TEXT, explanation_change_record, name, "file, thread; or empty"),
	ROW("before_bytes", FIELD_U64, explanation_change_record, before, "0: it was not there"),
	ROW("after_bytes", FIELD_U64, explanation_change_record, after, "0: it is gone"),
	ROW("change_bytes", FIELD_I64, explanation_change_record, change, "after less before"),
};
TABLE(explanation_change);

static const struct field explanation_diff_rows[] = {
	ROW("same_process", FIELD_BOOL, explanation_diff_record, same_process,
	    "both are of one process"),
	ROW("approximate", FIELD_BOOL, explanation_diff_record, approximate,
	    "one of the two was read while it changed"),
	ROW("begin_ns", FIELD_I64, explanation_diff_record, begin_ns, "when the first was read"),
	ROW("end_ns", FIELD_I64, explanation_diff_record, end_ns, "when the second was"),
	ROW("resident_bytes", FIELD_U64, explanation_diff_record, resident, "of the second"),
	ROW("resident_change_bytes", FIELD_I64, explanation_diff_record, change,
	    "sum of rows_change"),
};
TABLE(explanation_diff);

static const struct field pool_stats_rows[] = {
	ROW("interpreters", FIELD_U32, pool_stats, interpreters,
	    "with arenas of their own, since 3.12"),
	ROW("arenas", FIELD_U64, pool_stats, arenas, "arenas of all of them"),
	ROW("arenas_bytes", FIELD_U64, pool_stats, arena_bytes, "their sum"),
	ROW("pools_used", FIELD_U64, pool_stats, pools_used, "pools with a block in use"),
	ROW("pools_free", FIELD_U64, pool_stats, pools_free, "pools without, once used"),
	ROW("pools_untouched", FIELD_U64, pool_stats, pools_untouched, "pools never used"),
	ROW("pool_bytes", FIELD_U64, pool_stats, pool_bytes, "size of one pool"),
	ROW("pools_lost", FIELD_U64, pool_stats, pools_lost,
	    "header not resident, or nonsense: put down as in use"),
	ROW("live_blocks", FIELD_U64, pool_stats, live_blocks, "blocks in use"),
	ROW("live_bytes", FIELD_U64, pool_stats, live_bytes, "their sum"),
	ROW("free_bytes", FIELD_U64, pool_stats, free_bytes, "in free blocks that were used once"),
	ROW("never_bytes", FIELD_U64, pool_stats, never_bytes,
	    "of pools in use, in blocks never used"),
	ROW("free_pools_resident_bytes", FIELD_U64, pool_stats, free_pools_resident,
	    "of free pools, resident"),
	ROW("sparse_pools", FIELD_U64, pool_stats, sparse_pools,
	    "pools of which less than a quarter of the blocks is in use"),
	ROW("sparse_blocks", FIELD_U64, pool_stats, sparse_blocks, "blocks in use in them"),
	ROW("sparse_live_bytes", FIELD_U64, pool_stats, sparse_live_bytes, "their sum"),
	ROW("sparse_resident_bytes", FIELD_U64, pool_stats, sparse_resident,
	    "of sparse pools, resident"),
	ROW("returned_arenas", FIELD_U64, pool_stats, returned_arenas,
	    "arenas that would be given back if sparse_blocks were freed"),
	ROW("returned_bytes", FIELD_U64, pool_stats, returned_bytes,
	    "by which RSS would shrink then"),
};
TABLE(pool_stats);

static const struct field heap_rows[] = {
	WORDS("version", heap_record, stats.version, "of glibc"),
	ROW("arenas", FIELD_U32, heap_record, stats.arenas, "the main one included"),
	ROW("arena_bytes", FIELD_U64, heap_record, stats.arena, "arena of mallinfo2()"),
	ROW("fordblks_bytes", FIELD_U64, heap_record, stats.fordblks, "fordblks: free"),
	ROW("uordblks_bytes", FIELD_U64, heap_record, stats.uordblks, "uordblks: in use"),
	ROW("hblks", FIELD_U64, heap_record, stats.hblks, "hblks: chunks mapped one by one"),
	ROW("hblkhd_bytes", FIELD_U64, heap_record, stats.hblkhd, "hblkhd: their sum"),
	ROW("fsmblks_bytes", FIELD_U64, heap_record, stats.fsmblks, "fsmblks: free in fastbins"),
	ROW("keepcost_bytes", FIELD_U64, heap_record, stats.keepcost, "keepcost: top"),
	ROW("mmap_threshold_bytes", FIELD_U64, heap_record, stats.mmap_threshold,
	    "blocks from here on are mapped one by one"),
	ROW("trim_threshold_bytes", FIELD_U64, heap_record, stats.trim_threshold,
	    "top is given back from here on"),
	ROW("thresholds_grew", FIELD_BOOL, heap_record, stats.thresholds_grew,
	    "they are dynamic, and above their defaults"),
	ROW("thp_bytes", FIELD_U64, heap_record, stats.thp_bytes,
	    "size of huge pages of glibc.malloc.hugetlb, or 0"),
	ROW("tcache_bytes", FIELD_U64, heap_record, stats.tcache_bytes,
	    "free, kept by threads for themselves"),
	ROW("trim_bytes", FIELD_U64, heap_record, stats.trim_bytes,
	    "resident bytes that malloc_trim(0) would return"),
	ROW("largest_free_bytes", FIELD_U64, heap_record, stats.largest_free,
	    "largest run of free memory below a chunk in use"),
	ROW("exact", FIELD_BOOL, heap_record, stats.exact, "its own checks held"),
	ROW("why_not", FIELD_TEXT, heap_record, why_not, "which did not"),
};
TABLE(heap);

static const struct field cgroup_rows[] = {
	ROW("version", FIELD_I32, memory_cgroup, version, "of the hierarchy: 1 or 2"),
	ROW("path", FIELD_TEXT, memory_cgroup, path, "below the root of the hierarchy"),
	ROW("usage_bytes", FIELD_KNOWN, memory_cgroup, usage, "what it uses"),
	ROW("limit_bytes", FIELD_LIMIT, memory_cgroup, limit,
	    "the smallest of its own limit and of those above it"),
	ROW("limit_path", FIELD_TEXT, memory_cgroup, limit_path, "whose limit; null: its own"),
	ROW("room_bytes", FIELD_LIMIT, memory_cgroup, room,
	    "until the first limit is reached, its own or one above it"),
	ROW("room_path", FIELD_TEXT, memory_cgroup, room_path, "whose limit that is; null: its own"),
	ROW("room_high", FIELD_BOOL, memory_cgroup, room_high, "that limit is a memory.high"),
	ROW("high_bytes", FIELD_LIMIT, memory_cgroup, high,
	    "memory.high; of version 1 the soft limit"),
	ROW("peak_bytes", FIELD_KNOWN, memory_cgroup, peak, "the most it has used"),
	ROW("swap_usage_bytes", FIELD_KNOWN, memory_cgroup, swap_usage, "swap it uses"),
	ROW("swap_limit_bytes", FIELD_LIMIT, memory_cgroup, swap_limit, "swap it may use"),
	ROW("anon_bytes", FIELD_KNOWN, memory_cgroup, anon, "of usage, anonymous"),
	ROW("file_bytes", FIELD_KNOWN, memory_cgroup, file, "of usage, page cache"),
	ROW("kernel_bytes", FIELD_KNOWN, memory_cgroup, kernel, "of usage, the kernel's"),
	ROW("shmem_bytes", FIELD_KNOWN, memory_cgroup, shmem, "of usage, shared memory"),
	ROW("file_inactive_bytes", FIELD_KNOWN, memory_cgroup, file_inactive,
	    "page cache that goes first under pressure"),
	ROW("events_high", FIELD_KNOWN, memory_cgroup, events_high, "times it was above high"),
	ROW("events_max", FIELD_KNOWN, memory_cgroup, events_max, "times it was at its limit"),
	ROW("events_oom", FIELD_KNOWN, memory_cgroup, events_oom,
	    "times its limit could not be kept to"),
	ROW("events_oom_kill", FIELD_KNOWN, memory_cgroup, events_oom_kill,
	    "processes killed for it"),
	ROW("pressure_some_us", FIELD_KNOWN, memory_cgroup, pressure_some_us,
	    "microseconds that some of it waited for memory"),
	ROW("pressure_full_us", FIELD_KNOWN, memory_cgroup, pressure_full_us,
	    "microseconds that all of it did"),
	ROW("processes", FIELD_U32, memory_cgroup, processes, "in it and below it; 0: not known"),
};
TABLE(cgroup);

static const struct field finding_rows[] = {
	WORDS("finding", verdict_record, name, "what was found"),
	ROW("bytes", FIELD_U64, verdict_record, bytes, "that it is about"),
	ROW("text", FIELD_TEXT, verdict_record, text, "the sentence"),
};
TABLE(finding);

static const struct field remedy_rows[] = {
	WORDS("remedy", verdict_record, name, "what would give memory back"),
	ROW("bytes", FIELD_U64, verdict_record, bytes, "by which RSS would shrink; gc_freeze: memory that would stay shared"),
	ROW("exact", FIELD_BOOL, verdict_record, exact, "computed; else at most so many"),
	ROW("text", FIELD_TEXT, verdict_record, text, "the sentence, and what it depends on"),
};
TABLE(remedy);
/* clang-format on */
