/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The Python stack of the current thread, read from its own memory:
 *
 *	its thread state -> the running frame -> the frame before -> ...
 *	                          |                   |
 *	                     code object         code object
 *
 * Nothing read is trusted. Memory that is not resident cannot be read here: the walk then fails, and
 * is counted as such.
 */
#ifndef PMT_WALK_BPF_H
#define PMT_WALK_BPF_H

#include "code.bpf.h"

struct thread_search {
	const struct pmt_walk *w;
	__u64 self; /* pthread_self() */
	__u64 interp, thread;
	__u64 found;
};

static __always_inline __u64 frame_of(const struct pmt_walk *w, __u64 thread)
{
	const struct py_layout *l = &w->layout;
	__u64 at;

	/* 3.11, 3.12; 3.10 has a C frame too, which holds no frame */
	if (l->cframe_current_frame == PY_NONE)
		return user_u64(thread + l->tstate_frame);
	at = user_u64(thread + l->tstate_cframe);
	return at ? user_u64(at + l->cframe_current_frame) : 0;
}

/*
 * One thread of one interpreter, or on to the next one. A thread may have a state in each: the one
 * that runs something.
 */
static long visit_thread(__u32 i, struct thread_search *s)
{
	const struct py_layout *l = &s->w->layout;
	__u64 thread = s->thread;

	if (!thread) {
		if (!s->interp)
			return 1;
		s->thread = user_u64(s->interp + l->interp_threads);
		s->interp = user_u64(s->interp + l->interp_next);
		return 0;
	}
	s->thread = user_u64(thread + l->tstate_next);
	if (user_u64(thread + l->tstate_thread_id) != s->self)
		return 0;
	s->found = thread;
	return frame_of(s->w, thread) ? 1 : 0;
}

/*
 * The current thread's state: who holds the GIL, if that is this thread, else a search by thread_id,
 * which is pthread_self(), that is where the fs register points (glibc, musl). 0: it has none.
 */
static __always_inline __u64 find_thread(const struct pmt_walk *w)
{
	struct thread_search s = {.w = w};
	const struct py_layout *l = &w->layout;
	__u64 holder = 0, gil;

	s.self = bpf_get_current_task_btf()->thread.fsbase;
	s.interp = w->interp_head_addr ? user_u64(w->interp_head_addr) : w->interp_addr;
	if (w->current_addr) {
		holder = user_u64(w->current_addr);
	} else if (l->interp_gil != PY_NONE && s.interp) {
		gil = user_u64(s.interp + l->interp_gil);
		holder = gil ? user_u64(gil + l->gil_last_holder) : 0;
	}
	if (holder && user_u64(holder + l->tstate_thread_id) == s.self)
		return holder;
	/*
	 * The first thread before the loop: the verifiers until 6.6 follow a loop's function once, and
	 * take what it leaves then for what the loop leaves ("bpf: verify callbacks as if they are
	 * called unknown number of times"). A first turn that finds nothing made that the result.
	 */
	if (s.interp) {
		s.thread = user_u64(s.interp + l->interp_threads);
		s.interp = user_u64(s.interp + l->interp_next);
	}
	bpf_loop(PMT_MAX_THREADS + PMT_MAX_INTERPS, visit_thread, &s, 0);
	return s.found;
}

struct frame_visit {
	struct scratch *s;
	const struct pmt_walk *w;
	__u64 frame;
	__u64 hash;
	__u32 tgid;
	__u32 cause; /* PMT_CAUSES: none */
};

static long visit_frame(__u32 i, struct frame_visit *v)
{
	const struct py_layout *l = &v->w->layout;
	struct scratch *s = v->s;
	__u32 bytes = v->w->frame_bytes, nr = s->stack.nr, id;
	__u64 code, frame = v->frame;
	__s32 lasti;

	if (!frame)
		return 1;
	if (bytes > PMT_FRAME_BYTES || bpf_probe_read_user(s->frame, bytes, (void *)frame)) {
		v->cause = PMT_CAUSE_WALK_FAILED;
		return 1;
	}
	v->frame = s->frame[l->frame_previous / 8 & (PMT_FRAME_BYTES / 8 - 1)];
	/* since 3.14 a tagged pointer (gh-123923) */
	code = s->frame[l->frame_code / 8 & (PMT_FRAME_BYTES / 8 - 1)] & ~7ull;
	if (l->frame_owner != PY_NONE &&
	    ((__u8 *)s->frame)[l->frame_owner & (PMT_FRAME_BYTES - 1)] >= PMT_OWNER_CSTACK)
		return 0;
	if (nr >= PMT_MAX_FRAMES) {
		s->stack.flags |= PMT_TRUNCATED;
		return 1;
	}
	if (l->frame_instr != PY_NONE)
		lasti = s->frame[l->frame_instr / 8 & (PMT_FRAME_BYTES / 8 - 1)] -
			(code + l->code_adaptive);
	else
		lasti = ((__s32 *)s->frame)[l->frame_lasti / 4 & (PMT_FRAME_BYTES / 4 - 1)];
	v->cause = PMT_CAUSE_WALK_FAILED;
	id = read_code(s, v->w, code) ? code_id(s, v->w, code, v->tgid, &v->cause) : 0;
	if (!id)
		return 1;
	s->stack.nr = nr + 1;
	keep_here(nr); /* what is known of nr here, the verifier of 6.1 has forgotten */
	nr &= PMT_MAX_FRAMES;
	s->stack.frames[nr].code = id;
	s->stack.frames[nr].lasti = lasti;
	v->hash = mix(v->hash, (__u64)id << 32 | (__u32)lasti);
	return 0;
}

/* The instruction that made it happen, where that is not the interpreter's, libc's or ld.so's. */
static __always_inline __u64 native_leaf(const struct pmt_walk *w)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 ip = regs->ip;

	for (int i = 0; i < PMT_TEXT_RANGES; i++)
		if (ip >= w->text_start[i] && ip < w->text_end[i])
			return 0;
	return ip;
}

/* Fills s->stack but for its type. Returns PMT_CAUSES, or why there is none. */
static __always_inline __u32 walk(struct scratch *s, __u32 tgid)
{
	struct frame_visit v = {.s = s, .tgid = tgid, .cause = PMT_CAUSES};
	const struct pmt_walk *w = bpf_map_lookup_elem(&walks, &tgid);
	__u64 thread;

	s->stack.nr = s->stack.flags = 0;
	for (int i = 0; i < NR_FILES; i++)
		s->files[i].str = 0;
	if (!w)
		return PMT_CAUSE_NOT_READY;
	thread = find_thread(w);
	if (!thread)
		return w->interp_head_addr && !user_u64(w->interp_head_addr) ? PMT_CAUSE_NOT_READY
									     : PMT_CAUSE_NO_THREAD;
	v.w = w;
	v.frame = frame_of(w, thread);
	v.hash = cfg_seed ^ tgid;
	/* shims between Python frames take a turn too */
	bpf_loop(2 * PMT_MAX_FRAMES, visit_frame, &v, 0);
	if (v.cause != PMT_CAUSES)
		return v.cause;
	if (!s->stack.nr)
		return PMT_CAUSE_NO_FRAME;
	s->stack.native = native_leaf(w);
	/* by pages: a page belongs to one file */
	v.hash = mix(v.hash, s->stack.native >> 12);
	s->stack.stack = mix(v.hash, s->stack.flags);
	s->stack.tgid = tgid;
	return PMT_CAUSES;
}

#endif
