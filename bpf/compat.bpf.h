/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Every difference between kernels, and nothing else. One object loads on all: CO-RE turns the
 * questions asked here into constants, and the verifier drops the branch that does not apply.
 */
#ifndef PMT_COMPAT_BPF_H
#define PMT_COMPAT_BPF_H

#include "maps.bpf.h"

/* Until 6.1: one atomic counter per kind, to which each thread adds its changes 64 at a time. */
struct mm_rss_stat___old {
	atomic_long_t count[PMT_RSS_KINDS];
} __attribute__((preserve_access_index));

struct mm_struct___old {
	struct mm_rss_stat___old rss_stat;
} __attribute__((preserve_access_index));

/* Since 6.2 (f1a7941243c1, "mm: convert mm's rss stats into percpu_counter"). */
struct mm_struct___new {
	struct percpu_counter rss_stat[PMT_RSS_KINDS];
} __attribute__((preserve_access_index));

/*
 * Keeps the compiler from computing what follows from p outside the branch it is in: the offset of a
 * member that this kernel does not have is an instruction that no verifier takes.
 */
#define keep_here(p) __asm__ volatile("" : "+r"(p))

/*
 * Asked of a member and not of struct mm_rss_stat: libbpf looks for a missing type in the modules'
 * BTF too, and reading that takes CAP_SYS_ADMIN (its version 1.1 gives up then).
 */
static __always_inline bool rss_is_batched(void)
{
	return !bpf_core_field_exists(struct mm_struct___new, rss_stat);
}

/*
 * Members by constant index: read directly, at the price of a load, where a variable one takes a
 * helper call. This runs for every change of a target's RSS.
 */
#define by_kind(mm, kind, member)                 \
	((kind) == 0   ? (mm)->rss_stat[0].member \
	 : (kind) == 1 ? (mm)->rss_stat[1].member \
	 : (kind) == 2 ? (mm)->rss_stat[2].member \
		       : (mm)->rss_stat[3].member)

/* The shared part of a counter: all of it until 6.1, without the CPUs' unfolded rests since. */
static __always_inline __s64 rss_shared_pages(const struct mm_struct *mm, __u32 kind)
{
	__s64 pages = 0;

	if (rss_is_batched()) {
		const struct mm_struct___old *old = (const void *)mm;
		const void *base;

		keep_here(old);
		base = __builtin_preserve_access_index(&old->rss_stat);

		bpf_probe_read_kernel(&pages, sizeof(pages), base + sizeof(pages) * kind);
	} else {
		const struct mm_struct___new *new = (const void *)mm;

		keep_here(new);
		pages = by_kind(new, kind, count);
	}
	return pages;
}

#define MAX_CPUS_UNROLLED \
	64 /* beyond, the verifier would follow a loop over all of them for too long */

struct cpu_sum {
	const void *counters;
	__s64 pages;
};

static long add_cpu(__u32 cpu, struct cpu_sum *sum)
{
	__u32 key = cpu;
	__u64 *offset = bpf_map_lookup_elem(&cpu_offsets, &key);
	__s32 rest = 0;

	if (!offset)
		return 1;
	bpf_probe_read_kernel(&rest, sizeof(rest), sum->counters + *offset);
	sum->pages += rest;
	return 0;
}

/*
 * The pages of one kind exactly, as /proc/PID/status has them: never below 0, where the parts may be
 * for a moment. bpf_per_cpu_ptr() of a kernel symbol would need CONFIG_KALLSYMS_ALL: hence
 * cpu_offsets.
 */
static __always_inline __s64 rss_exact_pages(const struct mm_struct *mm, __u32 kind)
{
	struct cpu_sum sum = {.pages = rss_shared_pages(mm, kind)};

	if (!rss_is_batched()) {
		const struct mm_struct___new *new = (const void *)mm;

		keep_here(new);
		sum.counters = by_kind(new, kind, counters);
		if (cfg_cpus > MAX_CPUS_UNROLLED)
			bpf_loop(cfg_cpus, add_cpu, &sum, 0);
		else
			for (__u32 cpu = 0; cpu < cfg_cpus && cpu < MAX_CPUS_UNROLLED; cpu++)
				if (add_cpu(cpu, &sum))
					break;
	}
	return sum.pages < 0 ? 0 : sum.pages;
}

/*
 * True in the thread group's last thread to exit. sched_process_exit says so itself only since 6.16
 * ("exit: move and extend sched_process_exit() tracepoint"); signal->live is counted down before it
 * on all. Two threads that exit at once may both see 0: the caller must tolerate that.
 */
static __always_inline bool is_last_thread(struct task_struct *task)
{
	return task->signal->live.counter == 0;
}

/* Since 6.4 (5e31275cc997, "mm: add per-VMA lock and helper functions to control it"); later a seqcount_t. */
struct mm_struct___counted {
	int mm_lock_seq;
} __attribute__((preserve_access_index));

struct seqcount___pmt {
	unsigned int sequence;
} __attribute__((preserve_access_index));

struct mm_struct___sequence {
	struct seqcount___pmt mm_lock_seq;
} __attribute__((preserve_access_index));

/* Another whenever mappings may have changed; 0 where the kernel does not say so. */
static __always_inline __u64 mappings_version(const struct mm_struct *mm)
{
	const struct mm_struct___counted *counted = (const void *)mm;
	const struct mm_struct___sequence *sequence = (const void *)mm;

	if (bpf_core_field_exists(sequence->mm_lock_seq)) {
		keep_here(sequence);
		return 1ull << 32 | (__u32)BPF_CORE_READ(sequence, mm_lock_seq.sequence);
	}
	if (bpf_core_field_exists(counted->mm_lock_seq)) {
		keep_here(counted);
		return 1ull << 32 | (__u32)BPF_CORE_READ(counted, mm_lock_seq);
	}
	return 0;
}

/* Since 6.10 (72ba14deb40a, "mm: update mark_victim tracepoints fields"). */
struct trace_event_raw_mark_victim___new {
	uid_t uid;
} __attribute__((preserve_access_index));

/* Whom mark_victim tells of: a task; before, the PID of one, which is its group's unless that has exited. */
static __always_inline __u32 victim_tgid(__u64 argument)
{
	if (bpf_core_field_exists(struct trace_event_raw_mark_victim___new, uid))
		return BPF_CORE_READ((const struct task_struct *)argument, tgid);
	return argument;
}

/*
 * Never filled. If somebody opens it by its id (bpftool map show) within the moment in which the kernel
 * empties it behind us, it stays: prog_array_map_clear() of 6.18 takes a reference for each last user,
 * and gives back one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} no_programs __weak SEC(".maps");

const volatile __u32 cfg_tail_calls __weak =
	0; /* always: the compiler does not know, verifiers do */

/*
 * For each program of uprobes. Since 6.13 one that takes 64 bytes of stack has them once for each CPU
 * ("bpf: Enable private stack for eligible subprogs"), for it is thought not to run twice on one. At a
 * uprobe it can be preempted there, and whoever runs then may hit the same probe: both write to one
 * stack, and the kernel reads from where that points to. Programs with tail calls have none.
 */
static __always_inline void keep_own_stack(void *ctx)
{
	if (cfg_tail_calls)
		bpf_tail_call(ctx, &no_programs, 0);
}

#endif
