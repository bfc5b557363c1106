/* SPDX-License-Identifier: MIT */
/*
 * THE TABLE OF EVENTS: what is recorded with stacks. The enums of BPF (PMT_ON_...) and of profiles
 * (PROFILE_...), names, --event list, JSON and its schema follow; a recording holds their numbers, so
 * that new rows come last.
 *
 * EVENT(id, name, title, what it counts, where it comes from). Of what is named "fault-minor" and
 * "fault-major", --event fault means both.
 */
#ifndef PYMEMTRACE_EVENTS_H
#define PYMEMTRACE_EVENTS_H

/* clang-format off */
#define PMT_EVENTS(EVENT) \
	EVENT(RSS, "rss", "RSS", \
	      "the resident set: pages that came and went", "tracepoint rss_stat") \
	EVENT(ARENA, "arena", "arenas", \
	      "pymalloc's arenas: who opened them, who let them go", "probes in the interpreter") \
	EVENT(POOL, "pool", "pools", \
	      "pymalloc's pools, opened (a build with the symbol allocate_from_new_pool)", \
	      "probes in the interpreter") \
	EVENT(FAULT_MINOR, "fault-minor", "minor faults", \
	      "page faults that needed no reading, and are none of the others", \
	      "software event page-faults-min") \
	EVENT(FAULT_MAJOR, "fault-major", "major faults", \
	      "page faults that waited for a file or for swap", "software event page-faults-maj") \
	EVENT(FAULT_COW, "fault-cow", "copy-on-write faults", \
	      "writes to a page that is shared: of a fork, of a private file mapping, the zero page", \
	      "tracepoint page_fault_user, software event page-faults-min") \
	EVENT(FAULT_HUGE, "fault-huge", "huge page faults", \
	      "page faults that brought 2 MiB at once", \
	      "tracepoints page_fault_user and rss_stat, software event page-faults-min") \
	EVENT(MMAP, "mmap", "mmap", \
	      "mappings made: bytes as asked, in whole pages", "tracepoint sys_exit") \
	EVENT(MUNMAP, "munmap", "munmap", \
	      "mappings removed: bytes as asked, in whole pages", \
	      "tracepoints sys_enter and sys_exit") \
	EVENT(MREMAP, "mremap", "mremap", \
	      "mappings made larger or smaller, or moved", "tracepoint sys_exit") \
	EVENT(BRK, "brk", "brk", \
	      "the heap made larger or smaller", "tracepoints sys_enter and sys_exit") \
	EVENT(MADVISE_DONTNEED, "madvise-dontneed", "madvise DONTNEED", \
	      "memory given back at once: bytes of the range", "tracepoint sys_exit") \
	EVENT(MADVISE_FREE, "madvise-free", "madvise FREE", \
	      "memory that may be taken when it is needed: bytes of the range", \
	      "tracepoint sys_exit") \
	EVENT(MADVISE_HUGEPAGE, "madvise-hugepage", "madvise HUGEPAGE", \
	      "memory that may have huge pages: bytes of the range", "tracepoint sys_exit") \
	EVENT(SWAP_OUT, "swap-out", "swap out", \
	      "anonymous pages written to swap", "tracepoint rss_stat") \
	EVENT(SWAP_IN, "swap-in", "swap in", \
	      "anonymous pages that came back from swap", "tracepoint rss_stat") \
	EVENT(RECLAIM, "reclaim", "reclaimed pages", \
	      "resident pages that the kernel took to have memory for others, or for itself", \
	      "tracepoint rss_stat") \
	EVENT(PRESSURE_CGROUP, "pressure-cgroup", "reclaim for a memory cgroup", \
	      "times that it had to make room in its memory cgroup first (memory.high, memory.max)", \
	      "tracepoint mm_vmscan_memcg_reclaim_end") \
	EVENT(PRESSURE_HOST, "pressure-host", "reclaim for the host", \
	      "times that it had to make room in the host's memory first", \
	      "tracepoint mm_vmscan_direct_reclaim_end") \
	EVENT(OOM, "oom", "out of memory", \
	      "that it was chosen to be killed for want of memory, with its RSS then", \
	      "tracepoint mark_victim") \
	EVENT(CGROUP_HIGH, "cgroup-high", "memory.high", \
	      "times that its memory cgroup was above memory.high; without stacks", \
	      "file memory.events") \
	EVENT(CGROUP_MAX, "cgroup-max", "memory.max", \
	      "times that its memory cgroup was at memory.max; without stacks", \
	      "file memory.events") \
	EVENT(CGROUP_OOM, "cgroup-oom", "memory cgroup out of memory", \
	      "processes of its memory cgroup that were killed for want of memory; without stacks", \
	      "file memory.events")

/* What memory an event was about, where that can be told: KIND(id, name). */
#define PMT_MEMORY_KINDS(KIND) \
	KIND(UNKNOWN, "unknown") \
	KIND(ANON, "anon") \
	KIND(HEAP, "heap") \
	KIND(STACK, "stack") \
	KIND(FILE, "file") \
	KIND(SHMEM, "shmem")
/* clang-format on */

#endif
