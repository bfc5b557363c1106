/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Arenas: entries of the functions in the interpreter's table of arena allocators,
 *
 *	void *alloc(void *ctx, size_t size);
 *	void free(void *ctx, void *ptr, size_t size);
 *
 * or of their calls of mmap(2) and munmap(2), where %rsi holds the size of both and the kernel need
 * not single-step (user/python/site.h). pymalloc calls these functions with ARENA_SIZE, under the GIL
 * of the interpreter whose arena it is. Each event is checked against the interpreter's own counters.
 */
#include "charge.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Py_RTFLAGS_USE_MAIN_OBMALLOC, Include/cpython/pystate.h; since 3.13 in pycore_interp.h */
#define USE_MAIN_OBMALLOC (1u << 5)

/*
 * Does this call belong to the main interpreter's allocator? Since 3.12 (gh-101659) a sub-interpreter
 * may have one of its own, with or without a GIL of its own. Arenas of the main one are taken and
 * released by the thread that holds the main GIL, unless that runs a sub-interpreter with its own
 * allocator. Before the runtime has made the GIL, and where what says so cannot be read, there is no
 * other.
 */
static __always_inline bool is_main_allocator(const struct pmt_target *t)
{
	__u64 gil = 0, holder = 0, thread = 0, interp = 0, flags = 0;
	__u32 locked = 0;

	if (!t->interp_addr)
		return true;
	bpf_probe_read_user(&gil, sizeof(gil), (void *)(t->interp_addr + t->interp_gil));
	if (!gil)
		return true;
	bpf_probe_read_user(&holder, sizeof(holder), (void *)(gil + t->gil_last_holder));
	if (!holder)
		return true;
	if (bpf_probe_read_user(&locked, sizeof(locked), (void *)(gil + t->gil_locked)) ||
	    bpf_probe_read_user(&thread, sizeof(thread), (void *)(holder + t->tstate_thread_id)) ||
	    bpf_probe_read_user(&interp, sizeof(interp), (void *)(holder + t->tstate_interp)))
		return true;
	if (!locked)
		return false;
	/* thread_id is pthread_self(): where the thread's fs register points, in glibc and musl. */
	if (interp == t->interp_addr)
		return thread == bpf_get_current_task_btf()->thread.fsbase;
	if (bpf_probe_read_user(&flags, sizeof(flags), (void *)(interp + t->interp_feature_flags)))
		return true;
	/*
	 * A sub-interpreter holds the main GIL. No use in asking for its thread: its thread state
	 * names the thread that made the interpreter, and may run on another
	 * (_xxsubinterpreters.run_string).
	 */
	return flags & USE_MAIN_OBMALLOC;
}

/* Compares the interpreter's counters with what the event before predicts, and remembers them. */
static __always_inline void check_event(struct pmt_counts *c, const struct pmt_target *t,
					bool alloc)
{
	__u64 ntimes = 0, narenas = 0;

	add_one(&c->events);
	/* A program that has only just started: nobody knows yet where its counters are. */
	if (!t->ntimes_addr) {
		c->last_valid = 0;
		return;
	}
	if (bpf_probe_read_user(&ntimes, sizeof(ntimes), (void *)t->ntimes_addr) ||
	    bpf_probe_read_user(&narenas, sizeof(narenas), (void *)t->narenas_addr)) {
		/* Before the first arena ever, the page of the counters may not have been touched. */
		if (c->events > 1)
			add_one(&c->unread);
		c->last_valid = 0;
		return;
	}
	if (c->last_valid) {
		__s64 made = ntimes - c->last_ntimes, more = narenas - c->last_narenas;

		if (c->last_was_alloc && made == 0 && more == 0)
			add_one(&c->arenas_failed);
		else if (made != (c->last_was_alloc ? 1 : 0) ||
			 more != (c->last_was_alloc ? 1 : -1))
			add_one(&c->disagreed);
	}
	c->last_ntimes = ntimes;
	c->last_narenas = narenas;
	c->last_was_alloc = alloc;
	c->last_valid = 1;
}

/* An arena that is being mapped, by thread: who opens it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} openings SEC(".maps");

static __always_inline void open_or_release(struct pmt_counts *c, const struct pmt_target *t,
					    __u32 tgid, bool alloc)
{
	__u64 thread = bpf_get_current_pid_tgid(), stack;

	if (cfg_calls && alloc)
		charge_call(tgid, CHARGE_ARENA, 0, 0);
	if (!(cfg_stacks & 1 << PMT_ON_ARENA))
		return;
	stack = attribute(c, tgid, PMT_ON_ARENA, alloc ? t->arena_size : 0,
			  alloc ? 0 : t->arena_size, 1);
	if (alloc && bpf_map_update_elem(&openings, &thread, &stack, BPF_ANY))
		count_loss(PMT_LOSS_ARENAS);
}

/* entry_size: in the argument that holds it at the function's entry; call_size: in the second. */
static __always_inline void on_arena(__u64 entry_size, __u64 call_size, bool alloc)
{
	__u32 tgid = current_tgid();
	const struct pmt_target *t = bpf_map_lookup_elem(&targets, &tgid);
	struct pmt_counts *c;

	if (!t || !t->arena_size || stopped)
		return;
	c = bpf_map_lookup_elem(&counts, &tgid);
	if (!c)
		return;
	if ((t->flags & PMT_FREE_ARG2 ? call_size : entry_size) != t->arena_size) {
		add_one(alloc ? &c->chunks_taken : &c->chunks_released);
	} else if (!is_main_allocator(t)) {
		add_one(alloc ? &c->other_taken : &c->other_released);
	} else {
		add_one(alloc ? &c->arenas_taken : &c->arenas_released);
		check_event(c, t, alloc);
		open_or_release(c, t, tgid, alloc);
	}
}

SEC("uprobe")
int BPF_KPROBE(on_arena_alloc, void *table_ctx, unsigned long size)
{
	keep_own_stack(ctx);
	on_arena(size, size, true);
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(on_arena_free, void *table_ctx, unsigned long arg2, unsigned long size)
{
	keep_own_stack(ctx);
	on_arena(size, arg2, false);
	return 0;
}

/* Behind the call of mmap(2) in the alloc function: the C library returns -1 for no memory. */
SEC("uprobe")
int on_arena_mapped(struct pt_regs *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u64 *stack = bpf_map_lookup_elem(&openings, &thread);
	__u64 wake = BPF_RB_NO_WAKEUP;
	struct pmt_arena_rec r = {
		.type = PMT_REC_ARENA,
		.tgid = thread >> 32,
		.tid = (__u32)thread,
		.address = PT_REGS_RC(ctx),
	};

	keep_own_stack(ctx);
	if (!stack)
		return 0;
	r.stack = *stack;
	bpf_map_delete_elem(&openings, &thread);
	if (r.address == -1ull)
		return 0;
	r.time_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(r.comm, sizeof(r.comm));
	if (bpf_ringbuf_query(&stack_events, BPF_RB_AVAIL_DATA) * 2 >
	    bpf_ringbuf_query(&stack_events, BPF_RB_RING_SIZE))
		wake = RING_WAKES;
	if (bpf_ringbuf_output(&stack_events, &r, sizeof(r), wake))
		count_loss(PMT_LOSS_ARENAS);
	return 0;
}
