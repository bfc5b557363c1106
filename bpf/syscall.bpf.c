/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * System calls that change the address space, if they succeed: mmap, munmap, mremap, brk, madvise. At
 * their end the registers still hold their arguments; what they take away must be looked at before.
 * Both programs run at every system call of the machine: for other processes, one look-up.
 */
#include "memory.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAP_STACK	   0x20000 /* include/uapi/asm-generic/mman.h */
#define MADVISE_DONTNEED   4	   /* include/uapi/asm-generic/mman-common.h */
#define MADVISE_FREE	   8
#define MADVISE_HUGEPAGE   14
#define MADVISE_DONTNEED_L 24 /* MADV_DONTNEED_LOCKED */

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h: of 32 bits, which have other numbers */

/* What is known before a call, by thread. User space sets the size of the map. */
struct begun {
	__u64 brk;
	__u32 nr, memory;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct begun);
} begun_calls SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long nr)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct begun b = {.nr = nr};
	const struct mm_struct *mm;

	if (!is_target(thread >> 32))
		return 0;
	if (nr == NR_BRK && WANTED(PMT_ON_BRK)) {
		mm = bpf_get_current_task_btf()->mm;
		b.brk = mm ? mm->brk : 0;
	} else if (nr == NR_MUNMAP && WANTED(PMT_ON_MUNMAP)) {
		b.memory = kind_of(memory_at(regs->di));
	} else {
		return 0;
	}
	bpf_map_update_elem(&begun_calls, &thread, &b, BPF_ANY);
	return 0;
}

/* What one call did. */
struct effect {
	__u32 event, memory;
	__u64 growth, shrink;
};

static __always_inline bool call_madvise(const struct pt_regs *regs, struct effect *e)
{
	__u64 bytes = whole_pages(regs->si);

	e->memory = kind_of(memory_at(regs->di));
	switch ((int)regs->dx) {
	case MADVISE_DONTNEED:
	case MADVISE_DONTNEED_L:
		e->event = PMT_ON_MADVISE_DONTNEED;
		e->shrink = bytes;
		return true;
	case MADVISE_FREE:
		e->event = PMT_ON_MADVISE_FREE;
		e->shrink = bytes;
		return true;
	case MADVISE_HUGEPAGE:
		e->event = PMT_ON_MADVISE_HUGEPAGE;
		e->growth = bytes;
		return true;
	default:
		return false;
	}
}

static __always_inline bool call_brk(const struct begun *b, __u64 now, struct effect *e)
{
	__u64 from, to = whole_pages(now);

	if (!b || b->nr != NR_BRK)
		return false;
	from = whole_pages(b->brk);
	e->event = PMT_ON_BRK;
	e->memory = PMT_MEMORY_HEAP;
	e->growth = to > from ? to - from : 0;
	e->shrink = to < from ? from - to : 0;
	return now != b->brk; /* or it was a question, or refused */
}

static __always_inline bool call_mremap(const struct pt_regs *regs, __u64 address, struct effect *e)
{
	__u64 from = whole_pages(regs->si), to = whole_pages(regs->dx);

	e->event = PMT_ON_MREMAP;
	e->memory = kind_of(memory_at(address));
	e->growth = to > from ? to - from : 0;
	e->shrink = to < from ? from - to : 0;
	return true;
}

static __always_inline bool effect_of(const struct pt_regs *regs, long ret, __u64 thread,
				      struct effect *e)
{
	const struct begun *b;

	switch (regs->orig_ax) {
	case NR_MMAP:
		e->event = PMT_ON_MMAP;
		e->growth = whole_pages(regs->si);
		e->memory = regs->r10 & MAP_STACK ? PMT_MEMORY_STACK : kind_of(memory_at(ret));
		return true;
	case NR_MUNMAP:
		b = bpf_map_lookup_elem(&begun_calls, &thread);
		e->event = PMT_ON_MUNMAP;
		e->shrink = whole_pages(regs->si);
		if (b && b->nr == NR_MUNMAP)
			e->memory = b->memory;
		return true;
	case NR_MREMAP:
		return call_mremap(regs, ret, e);
	case NR_BRK:
		return call_brk(bpf_map_lookup_elem(&begun_calls, &thread), ret, e);
	case NR_MADVISE:
		return call_madvise(regs, e);
	default:
		return false;
	}
}

/* What was known before is of no use any more, also if it failed. */
static __always_inline void forget_begun(const struct pt_regs *regs, __u64 thread)
{
	if (cfg_stacks & PMT_ENTER_EVENTS &&
	    (regs->orig_ax == NR_BRK || regs->orig_ax == NR_MUNMAP))
		bpf_map_delete_elem(&begun_calls, &thread);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct effect e = {.event = PMT_STACK_EVENTS};

	if (!is_target(thread >> 32))
		return 0;
	if (bpf_get_current_task_btf()->thread_info.status & TS_COMPAT)
		return 0;
	if (ret >= 0 && effect_of(regs, ret, thread, &e))
		put_down(EVENT_IN(e.event, e.memory), e.growth, e.shrink, 1);
	forget_begun(regs, thread);
	return 0;
}
