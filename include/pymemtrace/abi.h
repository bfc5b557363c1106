/* SPDX-License-Identifier: MIT */
/*
 * What the BPF programs and user space say to each other: map keys and values, ring records,
 * counters. Fixed widths, no pointers, no libc. Both include this after their own __u64 and friends
 * (vmlinux.h, or linux/types.h).
 *
 * Processes are keyed by tgid in the initial PID namespace; user space translates.
 */
#ifndef PYMEMTRACE_ABI_H
#define PYMEMTRACE_ABI_H

#include "pymemtrace/events.h"

#define PMT_MAX_TARGETS 8192
#define PMT_MAX_CPUS	4096
#define PMT_NR_CLASSES	64 /* size classes: 32, or 64 in builds with 8-byte alignment */

/* Indices of mm_struct.rss_stat, the same on 6.1 .. 7.2 (include/linux/mm_types_task.h). */
enum pmt_rss_kind { PMT_RSS_FILE, PMT_RSS_ANON, PMT_RSS_SWAP, PMT_RSS_SHMEM, PMT_RSS_KINDS };

enum pmt_target_flags {
	PMT_FOLLOW = 1 << 0,	/* fork children become targets too */
	PMT_STOP_EXEC = 1 << 1, /* stop it (SIGSTOP) at each exec until user space has looked */
	PMT_POOL_ARG2 = 1 << 2, /* allocate_from_new_pool(state, size), since 3.12 */
	/* stop it once at the entry probe; trace_stop_at() sets it, BPF clears it */
	PMT_STOP_ENTRY = 1 << 3,
	PMT_FREE_ARG2 = 1 << 4, /* the free probe is at the call of munmap(ptr, size) */
};

/* What user space found in one process; map `targets`, key __u32 tgid. */
struct pmt_target {
	__u64 arena_size;    /* bytes; 0: no pymalloc to watch */
	__u64 ntimes_addr;   /* user address of the size_t "arenas allocated total" */
	__u64 narenas_addr;  /* of the size_t "arenas allocated current" */
	__u64 obmalloc_addr; /* 3.12+: the main interpreter's struct _obmalloc_state, else 0 */
	__u64 interp_addr;   /* 3.12+: main PyInterpreterState, else 0 */
	/* 3.12+, to tell a sub-interpreter that has an allocator of its own; PY_NONE before */
	__u32 interp_gil, interp_feature_flags;
	__u32 tstate_interp, tstate_thread_id;
	__u32 gil_last_holder, gil_locked;
	__u32 flags;
	__u32 pool_size; /* bytes */
};

/*
 * Resident set of one mm; map `rss`, key __u64 address of the mm_struct. `pages` is what the newest
 * rss_stat event of each kind left. With stacks, every change of `pages` of a resident kind is in
 * `seen`, and has been put down to a stack or a cause in steps of the sampling.
 */
struct pmt_rss {
	__s64 pages[PMT_RSS_KINDS];
	__s64 exact[PMT_RSS_KINDS]; /* by the newest reading of the kernel's counters */
	__u64 events;		    /* rss_stat events seen */
	__u64 foreign; /* of them, made by a task of another mm (reclaim, ptrace, khugepaged) */
	__u64 seen[2]; /* pages that came, pages that went */
	__u32 tgid;
	__u32 dead; /* its last user is gone: what follows is teardown, and not stored */
};

/* What stacks are walked for, and why one could not be: user/model/profile.h says them in words. */
#define PMT_EVENT_ID(id, name, title, what, source) PMT_ON_##id,
enum pmt_stack_event { PMT_EVENTS(PMT_EVENT_ID) PMT_STACK_EVENTS };
#undef PMT_EVENT_ID

#define PMT_MEMORY_ID(id, name) PMT_MEMORY_##id,
enum pmt_memory { PMT_MEMORY_KINDS(PMT_MEMORY_ID) PMT_MEMORIES };
#undef PMT_MEMORY_ID

#define PMT_BIT(id) (1u << PMT_ON_##id)
#define PMT_FAULT_EVENTS \
	(PMT_BIT(FAULT_MINOR) | PMT_BIT(FAULT_MAJOR) | PMT_BIT(FAULT_COW) | PMT_BIT(FAULT_HUGE))
#define PMT_ENTER_EVENTS (PMT_BIT(MUNMAP) | PMT_BIT(BRK)) /* something must be seen before */
#define PMT_SYSCALL_EVENTS                                                                \
	(PMT_ENTER_EVENTS | PMT_BIT(MMAP) | PMT_BIT(MREMAP) | PMT_BIT(MADVISE_DONTNEED) | \
	 PMT_BIT(MADVISE_FREE) | PMT_BIT(MADVISE_HUGEPAGE))
#define PMT_SWAP_EVENTS	  (PMT_BIT(SWAP_OUT) | PMT_BIT(SWAP_IN) | PMT_BIT(RECLAIM))
#define PMT_CHANGE_EVENTS (PMT_SWAP_EVENTS | PMT_FAULT_EVENTS) /* each change of RSS matters */
#define PMT_CGROUP_EVENTS (PMT_BIT(CGROUP_HIGH) | PMT_BIT(CGROUP_MAX) | PMT_BIT(CGROUP_OOM))

enum pmt_cause {
	PMT_CAUSE_NO_THREAD,
	PMT_CAUSE_NO_FRAME,
	PMT_CAUSE_NOT_READY,
	PMT_CAUSE_WALK_FAILED,
	PMT_CAUSE_OTHER_TASK,
	PMT_CAUSE_EXEC,
	PMT_CAUSE_TABLE_FULL,
	PMT_CAUSE_RECORD_LOST,
	PMT_CAUSES
};

/* Bytes, and how many events (samples) they are. */
struct pmt_change {
	__u64 growth, shrink;
	__u64 events;
};

/*
 * What BPF counted for one process since it became a target, or since its newest exec: a new program
 * is a new account. Map `counts`, key __u32 tgid.
 *
 * Arena events of the main interpreter happen under its GIL, one after another. Each records the
 * target's own counters as they are at the entry of the allocator function, that is before the call
 * changed them, and compares them with what the event before predicts.
 */
struct pmt_counts {
	__u64 arenas_taken;    /* calls of alloc(ctx, ARENA_SIZE) */
	__u64 arenas_released; /* calls of free(ctx, address, ARENA_SIZE) */
	__u64 arenas_failed; /* calls that returned no arena: the next event's total had not grown */
	__u64 chunks_taken;  /* calls of other sizes: data-stack chunks (since 3.11, bpo-44032) */
	__u64 chunks_released;
	__u64 other_taken; /* of sub-interpreters with an allocator of their own */
	__u64 other_released;
	__u64 disagreed; /* events whose recorded counters are not what the event before predicts */
	__u64 unread;	 /* events whose counters could not be read */
	__u64 events;	 /* arena events of the main interpreter; also orders them */
	__u64 last_ntimes; /* as recorded by the newest event that could be read */
	__u64 last_narenas;
	__u32 last_was_alloc;
	__u32 last_valid; /* the newest event could be read, so it predicts the next */
	__u64 pools_taken[PMT_NR_CLASSES];
	__u64 pools_other; /* of sub-interpreters with an allocator of their own */
	__u64 mm;    /* its key in `rss`; 0: ended, or it runs on another target's mm (vfork) */
	__u32 ended; /* its last thread is gone */
	__u32 pad;
	struct pmt_rss last; /* ended: its RSS as last seen. Events of earlier programs, always */
	/* what follows is kept across exec */
	struct pmt_change causes[PMT_STACK_EVENTS][PMT_CAUSES];
	__s64 begin_pages; /* resident, when its first mm became known */
	__u64 cpu_ns;	   /* CPU time of threads that run Python, while calls are logged */
	__u32 begun;
	__u32 pad2;
};

/* Ring buffer `events`: what user space must act on. Rare. */
enum pmt_rec_type { PMT_REC_FORK = 1, PMT_REC_EXEC, PMT_REC_EXIT, PMT_REC_ENTRY };

struct pmt_rec {
	__u32 type;
	__u32 tgid;    /* of the process that was made, execs, ends */
	__u32 parent;  /* FORK: tgid of its parent */
	__s32 status;  /* EXIT: wait status of the thread group leader */
	__u32 ns_tgid; /* the same in the tool's PID namespace, 0 if not visible there */
	__u32 ns_parent;
};

/* What the task iterator writes for each process it visits. */
struct pmt_task {
	__u32 tgid;
	__u32 ns_tgid; /* in the tool's PID namespace, 0 if not visible there */
};

/* Map `losses`, a per-CPU array: what BPF could not do. Names: user/trace/reader.c. */
enum pmt_loss {
	PMT_LOSS_RING,	  /* a record did not fit the ring buffer */
	PMT_LOSS_TARGETS, /* a child could not be added: map full */
	PMT_LOSS_RSS_MAP, /* an mm could not be added: map full */
	PMT_LOSS_NAMES,	  /* a code object's names could not be read */
	PMT_LOSS_ARENAS,  /* who opened an arena could not be told: map or ring buffer full */
	PMT_LOSS_KINDS
};

#endif
