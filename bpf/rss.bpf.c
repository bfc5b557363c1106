/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The resident set: every change of it, as the kernel counts it, and a reading of the counters
 * themselves for processes that have not changed since they became targets.
 */
#include "charge.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define GATE_EVENTS 8 /* with many CPUs a sum is made at one event in so many */

/* For on_init only: a per-CPU object whose address is known both ways. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cpu_probe SEC(".maps");

/* On a stack of its own: what follows takes the most that verifiers until 6.2 allow. */
static __noinline __s64 pages_now(const struct mm_struct *mm, __u32 kind)
{
	return rss_exact_pages(mm, kind);
}

static __noinline int to_stack(struct pmt_rss *r, const struct mm_struct *mm, __s64 pages)
{
	if (r)
		attribute_pages(r, mm, pages);
	return 0;
}

static __noinline int to_call(struct pmt_rss *r, const struct mm_struct *mm, __s64 pages)
{
	if (r)
		charge_pages(r, mm, pages);
	return 0;
}

/* For on_rss_change, which runs next on this CPU. */
static __always_inline void leave_change(const struct pmt_rss *r, const struct mm_struct *mm,
					 __u32 kind, __s64 pages)
{
	__u32 zero = 0;
	struct pmt_rss_change *ch = bpf_map_lookup_elem(&rss_change, &zero);

	if (!ch)
		return;
	ch->mm = (__u64)mm;
	ch->pages = pages;
	ch->kind = kind;
	ch->tgid = r->tgid;
}

/*
 * Runs for every change of every process's RSS: one look-up decides. The mm is that of the change,
 * which need not be the current task's (reclaim, ptrace, khugepaged). Arguments: (mm, member), and
 * until 6.1 a third, which is not read.
 */
SEC("tp_btf/rss_stat")
int BPF_PROG(on_rss_stat, struct mm_struct *mm, int member)
{
	__u64 key = (__u64)mm;
	__u32 kind = member;
	__s64 now, before;
	struct pmt_rss *r;

	r = bpf_map_lookup_elem(&rss, &key);
	if (!r || kind >= PMT_RSS_KINDS)
		return 0;
	/*
	 * Teardown (exit_mmap) takes the figures to 0, and then the address is free for another
	 * process: what counts is what was there before.
	 */
	if (mm->mm_users.counter == 0)
		r->dead = 1;
	if (r->dead || stopped)
		return 0;
	add_one(&r->events);
	if (bpf_get_current_task_btf()->mm != mm)
		add_one(&r->foreign);
	if (cfg_gate_sums && bpf_get_prandom_u32() % GATE_EVENTS)
		return 0;
	now = pages_now(mm, kind);
	keep_here(kind);
	if (kind >= PMT_RSS_KINDS)
		return 0;
	/* in one step, so that the changes of all events add up */
	before = __sync_lock_test_and_set(&r->pages[kind], now);
	if (cfg_stacks & PMT_CHANGE_EVENTS)
		leave_change(r, mm, kind, now - before);
	if (cfg_stacks & 1 << PMT_ON_RSS && now != before && kind != PMT_RSS_SWAP)
		to_stack(r, mm, now - before);
	if (cfg_calls && now != before && kind != PMT_RSS_SWAP)
		to_call(r, mm, now - before);
	return 0;
}

/*
 * Visits the tasks of one process, or all: says which living process is which in the tool's PID
 * namespace, and reads the exact RSS of targets. Every thread is visited because a leader that has
 * ended has no mm while its threads live.
 */
SEC("iter/task")
int on_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct pmt_task out = {};
	struct mm_struct *mm;
	__u32 tgid;

	/*
	 * Without a living thread it is no process any more, however long its memory takes to go or
	 * its parent to bury it: on_exit may be over, and nobody would be told of its end.
	 */
	if (!task || is_last_thread(task))
		return 0;
	tgid = task->tgid;
	if (task == task->group_leader) {
		out.tgid = tgid;
		out.ns_tgid = ns_tgid_of(task);
		if (out.ns_tgid)
			bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	}
	mm = task->mm;
	if (mm && bpf_map_lookup_elem(&targets, &tgid))
		register_mm(mm, tgid);
	return 0;
}

/*
 * Run once, before anything is attached: fills cpu_offsets. An element of a per-CPU array is found
 * through the array's pptrs[0] plus the CPU's offset, so the difference of the two is the offset of
 * all per-CPU objects. Returns whether RSS is batched (kernels until 6.1), or -1.
 */
SEC("syscall")
int on_init(void *ctx)
{
	void *map = &cpu_probe;
	__u64 array = 0, nominal = 0;
	__u32 zero = 0;

	/* Through memory, because arithmetic on map pointers is refused. */
	bpf_probe_read_kernel(&array, sizeof(array), &map);
	bpf_probe_read_kernel(&nominal, sizeof(nominal),
			      (void *)(array + bpf_core_field_offset(struct bpf_array, pptrs)));
	for (__u32 cpu = 0; cpu < cfg_cpus && cpu < PMT_MAX_CPUS; cpu++) {
		__u32 key = cpu;
		void *elem = bpf_map_lookup_percpu_elem(&cpu_probe, &zero, cpu);
		__u64 address = 0, offset;

		if (!elem)
			return -1;
		bpf_probe_read_kernel(&address, sizeof(address), &elem);
		offset = address - nominal;
		bpf_map_update_elem(&cpu_offsets, &key, &offset, BPF_ANY);
	}
	return rss_is_batched();
}
