/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Memory that the kernel takes back: swap, reclaim, want of memory. Swap and reclaim are told by the
 * changes of RSS, which on_rss_stat leaves in rss_change for the program that runs next, here.
 */
#include "memory.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define PF_MEMALLOC \
	0x00000800 /* include/linux/sched.h: it reclaims, and may use the last reserves */
#define HUGE_PAGES 512

/* A huge page comes in one event, in the middle of its fault. */
static __always_inline void note_huge(const struct pmt_rss_change *ch)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct pmt_fault *f;

	if (ch->pages < HUGE_PAGES)
		return;
	f = bpf_map_lookup_elem(&faults, &thread);
	if (f)
		f->huge = 1;
}

static __always_inline __u32 memory_of(__u32 kind)
{
	return kind == PMT_RSS_FILE    ? PMT_MEMORY_FILE
	       : kind == PMT_RSS_SHMEM ? PMT_MEMORY_SHMEM
				       : PMT_MEMORY_ANON;
}

/* To whoever runs now, if the memory is its own. */
static __always_inline void put_pages(__u32 tgid, const void *mm, __u32 event, __u32 kind,
				      __u64 growth, __u64 shrink)
{
	__u64 pages = (growth + shrink) / PAGE_BYTES;
	struct pmt_counts *c;

	if (bpf_get_current_task_btf()->mm == mm) {
		put_down(EVENT_IN(event, memory_of(kind)), growth, shrink, pages);
		return;
	}
	c = bpf_map_lookup_elem(&counts, &tgid);
	if (c && WANTED(event))
		blame(c, event, PMT_CAUSE_OTHER_TASK, growth, shrink, pages);
}

/* Is the current task in a system call that may give entries of swap back? In a fault it is in none. */
static __always_inline bool gives_back(void)
{
	const struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	switch (regs->orig_ax) {
	case NR_MMAP:
	case NR_MUNMAP:
	case NR_BRK:
	case NR_MREMAP:
	case NR_MADVISE:
	case NR_EXECVE:
		return true;
	default:
		return false;
	}
}

/*
 * A page that comes back from swap is one more anonymous page, and at once one entry of swap less (until
 * 6.1 several, as many as its thread has kept back of each); what a process gives back follows no
 * such growth.
 */
static __always_inline __u32 event_of(struct pmt_rss_change *ch, __u64 task)
{
	bool returns = ch->returning == task && ch->kind == PMT_RSS_SWAP && ch->pages < 0 &&
		       (rss_is_batched() || ch->came == -ch->pages) && !gives_back();

	ch->returning = ch->kind == PMT_RSS_ANON && ch->pages > 0 ? task : 0;
	ch->came = ch->pages;
	if (ch->kind == PMT_RSS_SWAP)
		return ch->pages > 0 ? PMT_ON_SWAP_OUT
		       : returns     ? PMT_ON_SWAP_IN
				     : PMT_STACK_EVENTS;
	if (ch->pages < 0 && bpf_get_current_task_btf()->flags & PF_MEMALLOC)
		return PMT_ON_RECLAIM;
	return PMT_STACK_EVENTS;
}

SEC("tp_btf/rss_stat")
int BPF_PROG(on_rss_change, struct mm_struct *mm, int member)
{
	__u32 zero = 0, event, tgid;
	struct pmt_rss_change *ch = bpf_map_lookup_elem(&rss_change, &zero);
	__u64 bytes, growth = 0, shrink = 0;

	/* empty for all but targets; of this event and no other */
	if (!ch || ch->mm != (__u64)mm)
		return 0;
	ch->mm = 0;
	if (!ch->pages || ch->kind != (__u32)member)
		return 0;
	tgid = ch->tgid;
	if (cfg_stacks & PMT_FAULT_EVENTS && bpf_get_current_task_btf()->mm == mm)
		note_huge(ch);
	event = event_of(ch, (__u64)bpf_get_current_task_btf());
	if (event == PMT_STACK_EVENTS)
		return 0;
	bytes = (ch->pages < 0 ? -ch->pages : ch->pages) * PAGE_BYTES;
	if (event == PMT_ON_SWAP_IN)
		growth = bytes;
	else
		shrink = bytes;
	put_pages(tgid, mm, event, member, growth, shrink);
	return 0;
}

static __always_inline int made_room(__u32 event, unsigned long pages)
{
	if (!is_target(current_tgid()))
		return 0;
	return put_down(event, 0, pages * PAGE_BYTES, 1);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(on_cgroup_reclaim, unsigned long pages)
{
	return made_room(PMT_ON_PRESSURE_CGROUP, pages);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(on_host_reclaim, unsigned long pages)
{
	return made_room(PMT_ON_PRESSURE_HOST, pages);
}

/* With the figures of the victim's RSS as its events left them. */
SEC("tp_btf/mark_victim")
int on_oom_victim(__u64 *ctx)
{
	__u32 tgid = victim_tgid(ctx[0]);
	struct pmt_counts *c = bpf_map_lookup_elem(&counts, &tgid);
	const struct pmt_rss *r;
	__u64 key, bytes = 0;

	if (!c || stopped)
		return 0;
	key = c->mm;
	r = bpf_map_lookup_elem(&rss, &key);
	if (r)
		bytes = resident_pages(r->pages) * PAGE_BYTES;
	if (current_tgid() == tgid)
		put_down(PMT_ON_OOM, 0, bytes, 1);
	else
		blame(c, PMT_ON_OOM, PMT_CAUSE_OTHER_TASK, 0, bytes, 1);
	return 0;
}
