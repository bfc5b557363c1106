/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Lives of processes: fork, exec, exit of targets, and the stop at a program's entry point.
 */
#include "call_log.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define SIGSTOP		  19
#define SIGNAL_GROUP_EXIT 0x00000004 /* include/linux/sched/signal.h */

/* Too large for the stack. */
static const struct pmt_counts no_counts;

/*
 * A forked child has its parent's interpreter at the same addresses: its stacks can be walked before
 * user space has heard of it. User space is told in the ring of stacks, before any of the child's.
 */
static __always_inline void inherit_walk(__u32 ptgid, __u32 tgid)
{
	struct pmt_child_rec r = {.type = PMT_REC_CHILD, .tgid = tgid, .parent = ptgid};
	const struct pmt_walk *w = bpf_map_lookup_elem(&walks, &ptgid);

	if (w && !bpf_ringbuf_output(&stack_events, &r, sizeof(r), RING_WAKES))
		bpf_map_update_elem(&walks, &tgid, w, BPF_ANY);
}

/* Runs in the parent, after everything is copied and before the child runs. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 ptgid = parent->tgid, tgid = child->tgid;
	const struct pmt_target *t;

	if (ptgid == tgid) /* a thread */
		return 0;
	t = bpf_map_lookup_elem(&targets, &ptgid);
	if (!t || !(t->flags & PMT_FOLLOW))
		return 0;
	if (bpf_map_update_elem(&counts, &tgid, &no_counts, BPF_ANY) ||
	    bpf_map_update_elem(&targets, &tgid, t, BPF_ANY)) {
		bpf_map_delete_elem(&counts, &tgid);
		count_loss(PMT_LOSS_TARGETS);
		return 0;
	}
	/* A child of vfork runs on its parent's mm until it execs. */
	if (child->mm && child->mm != parent->mm) {
		register_mm(child->mm, tgid);
		if (cfg_stacks || cfg_calls)
			inherit_walk(ptgid, tgid);
	}
	report(PMT_REC_FORK, child, parent, 0);
	return 0;
}

static long close_innermost(__u32 i, __u64 *thread)
{
	struct pmt_call_thread *t = bpf_map_lookup_elem(&call_threads, thread);

	if (!t || !t->depth)
		return 1;
	close_call(t, *thread, open_at(*thread, t->depth - 1), END_OPEN);
	return 0;
}

/* Also what lies above the depth it had. */
static long forget_open(__u32 i, __u64 *thread)
{
	struct pmt_open_key key = {.tid = (__u32)*thread, .depth = i};

	return bpf_map_delete_elem(&opened, &key) != 0;
}

/* A thread's calls will not end any more, and its number may be another's soon. */
static __always_inline void end_thread(__u64 thread)
{
	struct pmt_call_thread *t = bpf_map_lookup_elem(&call_threads, &thread);

	if (!t)
		return;
	bpf_loop(MAX_DEPTH, close_innermost, &thread, 0);
	bpf_loop(MAX_DEPTH, forget_open, &thread, 0);
	if (cfg_log && t->nr_events)
		send_event(t, thread, PMT_THREAD_END);
	bpf_map_delete_elem(&call_threads, &thread);
}

/* Runs in the process, with the new mm in place and no instruction of the program run. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid)
{
	__u32 tgid = task->tgid;
	struct pmt_target *t = bpf_map_lookup_elem(&targets, &tgid);
	struct pmt_counts *c;
	__u64 events, foreign, seen[2];
	struct pmt_rss *r;
	__u64 begun, gone, came = 0;
	__u32 flags;
	__u64 key;

	if (!t)
		return 0;
	c = bpf_map_lookup_elem(&counts, &tgid);
	if (!c)
		return 0;
	/* whichever of its threads it was, the others have ended */
	if (cfg_calls)
		end_thread((__u64)tgid << 32 | (__u32)old_pid);
	forget_mm(c, tgid);
	events = c->last.events;
	foreign = c->last.foreign;
	seen[0] = c->last.seen[0];
	seen[1] = c->last.seen[1];
	/*
	 * A child of vfork had nothing yet: it begins with what the new program begins with. Without a
	 * branch, which would double what the verifier goes through in register_mm().
	 */
	begun = c->begun;
	gone = begun * resident_pages(c->last.pages) * PAGE_BYTES;
	bpf_map_delete_elem(&walks, &tgid);

	/* Nothing that was found out about the interpreter is true of the new program. */
	flags = t->flags & (PMT_FOLLOW | PMT_STOP_EXEC);
	__builtin_memset(t, 0, sizeof(*t));
	__builtin_memset(c, 0, offsetof(struct pmt_counts, causes));
	t->flags = flags;
	c->last.events = events;
	c->last.foreign = foreign;
	c->last.seen[0] = seen[0];
	c->last.seen[1] = seen[1];

	if (task->mm)
		register_mm(task->mm, tgid);
	key = c->mm;
	r = bpf_map_lookup_elem(&rss, &key);
	if (r)
		came = begun * resident_pages(r->pages) * PAGE_BYTES;
	blame(c, PMT_ON_RSS, PMT_CAUSE_EXEC, came, gone, begun);
	if (flags & PMT_STOP_EXEC)
		bpf_send_signal(SIGSTOP);
	report(PMT_REC_EXEC, task, NULL, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	struct pmt_counts *c;
	__s32 status;

	if (!bpf_map_lookup_elem(&targets, &tgid))
		return 0;
	if (cfg_stacks & PMT_FAULT_EVENTS) {
		__u64 thread = bpf_get_current_pid_tgid();

		bpf_map_delete_elem(&faults, &thread);
	}
	if (cfg_calls)
		end_thread(bpf_get_current_pid_tgid());
	if (!is_last_thread(task))
		return 0;
	c = bpf_map_lookup_elem(&counts, &tgid);
	if (!c || __sync_val_compare_and_swap(&c->ended, 0, 1))
		return 0;
	forget_mm(c, tgid);
	/* As wait() puts it together, kernel/exit.c: wait_task_zombie(). */
	status = task->signal->flags & SIGNAL_GROUP_EXIT ? task->signal->group_exit_code
							 : task->group_leader->exit_code;
	report(PMT_REC_EXIT, task, NULL, status);
	return 0;
}

/* At the entry point of a program, that is after its libraries are mapped. */
SEC("uprobe")
int on_entry(struct pt_regs *ctx)
{
	__u32 tgid = current_tgid();
	struct pmt_target *t = bpf_map_lookup_elem(&targets, &tgid);

	keep_own_stack(ctx);
	if (!t || !(t->flags & PMT_STOP_ENTRY))
		return 0;
	t->flags &= ~PMT_STOP_ENTRY;
	bpf_send_signal(SIGSTOP);
	report(PMT_REC_ENTRY, bpf_get_current_task_btf(), NULL, 0);
	return 0;
}
