/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Keeps the shadow of a thread's stack true.
 *
 * It is healed whenever something is learnt: at an entry the new frame's caller must be the innermost
 * call, at an exit the frame that is left, at a change of RSS the frame that runs. What lies above has
 * ended unseen; what is missing was there before us, or came without an entry (throw() into a
 * generator).
 */
#ifndef PMT_HEAL_BPF_H
#define PMT_HEAL_BPF_H

#include "glob.bpf.h"
#include "shadow.bpf.h"

#define NEAR_CALLS	8 /* looked through before anything else */
#define OWNER_GENERATOR 1 /* enum _frameowner, pycore_frame.h, since 3.11 */

enum call_begin { BEGIN_UNSEEN, BEGIN_CALL, BEGIN_RESUME };

/*
 * The current thread's state, as find_thread(), by what was found the last time: it need not hold the
 * GIL when it grows. holds: it does, and whoever holds it with the state that was found is itself; of one
 * that does not, the state may have been freed and be another's. 0: it has none.
 */
static __noinline __u64 call_tstate(struct pmt_call_thread *t, const struct pmt_walk *w, bool holds)
{
	const struct py_layout *l;
	__u64 holder, self = bpf_get_current_task_btf()->thread.fsbase;

	if (!t || !w)
		return 0;
	l = &w->layout;
	holder = w->calls.holder_addr ? user_u64(w->calls.holder_addr) : 0;

	if (holds && holder && holder == t->tstate)
		return holder;
	if (holder && user_u64(holder + l->tstate_thread_id) == self)
		t->tstate = holder;
	else if (!t->tstate || user_u64(t->tstate + l->tstate_thread_id) != self)
		t->tstate = find_thread(w);
	return t->tstate;
}

static __always_inline __u64 frame_u64(const struct scratch *s, __u32 offset)
{
	return s->frame[offset / 8 & (PMT_FRAME_BYTES / 8 - 1)];
}

static __always_inline __u64 frame_code(const struct call_run *c)
{
	/* since 3.14 a tagged pointer (gh-123923) */
	return frame_u64(c->s, c->w->layout.frame_code) & ~7ull;
}

static __always_inline bool read_frame(const struct call_run *c, __u64 frame)
{
	__u32 bytes = c->w->frame_bytes;

	return bytes <= PMT_FRAME_BYTES && frame &&
	       !bpf_probe_read_user(c->s->frame, bytes, (void *)frame);
}

/* The code object of the frame in s->frame; behind what is needed of it, code units if bytes allow. */
static __always_inline void read_frames_code(struct call_run *c, __u32 bytes)
{
	__u64 code = frame_code(c);

	c->code_bytes = bytes;
	if (bytes > c->w->code_bytes && bytes <= PMT_CODE_BYTES &&
	    !bpf_probe_read_user(c->s->code, bytes, (void *)code))
		return;
	c->code_bytes = read_code(c->s, c->w, code) ? c->w->code_bytes : 0;
}

#define FRAME_UNREAD 1ull /* no frame's address: it could not be told which runs */

/*
 * The frame, or the next one below it that is a Python function's and not the interpreter's own:
 * entry frames, and since 3.13 the one that checks what __init__ returned. It is in s->frame then.
 * 0: there is none.
 */
static __always_inline __u64 python_frame(const struct call_run *c, __u64 frame)
{
	const struct py_layout *l = &c->w->layout;

	for (int i = 0; i < 4; i++) {
		__u64 code;

		if (!frame)
			return 0;
		if (!read_frame(c, frame))
			return FRAME_UNREAD;
		code = frame_code(c);
		if ((l->frame_owner == PY_NONE ||
		     ((__u8 *)c->s->frame)[l->frame_owner & (PMT_FRAME_BYTES - 1)] <
			     PMT_OWNER_CSTACK) &&
		    (code < c->w->calls.shims_start || code >= c->w->calls.shims_end))
			return frame;
		frame = frame_u64(c->s, l->frame_previous);
	}
	return FRAME_UNREAD;
}

static __always_inline __u32 opcode_bits(const struct pmt_walk *w, __u32 opcode)
{
	return w->calls.ops[opcode & 255];
}

/* Is the frame in s->frame at an instruction of this kind? */
static __always_inline bool stands_right_at(const struct call_run *c, __u32 bits)
{
	__u16 unit = 0;

	return !bpf_probe_read_user(&unit, sizeof(unit),
				    (void *)frame_u64(c->s, c->w->layout.frame_instr)) &&
	       opcode_bits(c->w, unit) & bits;
}

/* ... or one that stands for it, or, of a yield, just behind it? */
static __always_inline bool stands_at(const struct call_run *c, __u32 bits)
{
	__u16 units[2] = {};

	if (bpf_probe_read_user(units, sizeof(units),
				(void *)(frame_u64(c->s, c->w->layout.frame_instr) - 2)))
		return false;
	return opcode_bits(c->w, units[1]) & (bits | PMT_OP_ANY) ||
	       (bits == PMT_OP_YIELD && opcode_bits(c->w, units[0]) & (bits | PMT_OP_ANY));
}

/*
 * The frame in s->frame, at address frame, whose code object is in s->code, becomes the innermost call;
 * c->owner is that of the one before.
 */
static __noinline int open_call(struct call_run *c, __u64 frame, __u64 previous, __u32 begin)
{
	struct pmt_open_call *fresh, *o;
	struct pmt_call_sum *sum;
	struct pmt_open_key key;
	struct scratch *s;
	__u32 cause, opcode;
	__s32 lasti;

	if (!c || !c->s || !c->w || !c->t)
		return -1;
	s = c->s;
	if (c->t->depth >= MAX_DEPTH) {
		count_call(PMT_CALL_FULL);
		return -1;
	}
	fresh = &s->open;
	opcode = fresh->opcode;
	lasti = fresh->lasti;
	__builtin_memset(fresh, 0, sizeof(*fresh));
	fresh->opcode = opcode;
	fresh->lasti = lasti;
	fresh->hit = c->t->hits;
	fresh->sp = c->sp;
	fresh->frame = frame;
	fresh->previous = previous;
	fresh->net = c->t->net;
	fresh->owner = c->owner;
	fresh->level = c->t->level;
	fresh->code = frame_code(c);
	if (c->w->layout.frame_lasti != PY_NONE)
		fresh->lasti =
			((__s32 *)s
				 ->frame)[c->w->layout.frame_lasti / 4 & (PMT_FRAME_BYTES / 4 - 1)];
	if (cfg_time)
		fresh->start_ns = bpf_ktime_get_ns();
	for (int i = 0; i < NR_FILES; i++)
		s->files[i].str = 0;
	if (c->code_bytes)
		fresh->fn = code_id(s, c->w, fresh->code, c->thread >> 32, &cause);
	if (!fresh->fn)
		count_call(PMT_CALL_UNREAD);
	else if ((!cfg_depth || c->t->level < cfg_depth) && function_is_shown(s, c->w, fresh->fn)) {
		fresh->flags = PMT_OPEN_SHOWN | (begin != BEGIN_UNSEEN ? PMT_OPEN_SEEN : 0);
		fresh->owner = fresh->fn;
	}
	key.tid = c->thread;
	key.depth = c->t->depth;
	o = bpf_map_lookup_elem(&opened, &key);
	if (o) {
		*o = *fresh;
	} else if (bpf_map_update_elem(&opened, &key, fresh, BPF_ANY)) {
		count_call(PMT_CALL_FULL);
		return -1;
	}
	c->t->depth++;
	if (!(fresh->flags & PMT_OPEN_SHOWN))
		return 0;
	c->t->level++;
	sum = call_sum(c->thread, fresh->fn);
	if (!sum)
		return -1;
	sum->active++;
	sum->calls += begin == BEGIN_CALL;
	sum->resumes += begin == BEGIN_RESUME;
	return 0;
}

/* Is the frame in s->frame part of a generator or coroutine? Since 3.11. */
static __always_inline bool is_generators(const struct call_run *c)
{
	__u32 owner = c->w->layout.frame_owner;

	return owner != PY_NONE &&
	       ((__u8 *)c->s->frame)[owner & (PMT_FRAME_BYTES - 1)] == OWNER_GENERATOR;
}

/*
 * Was the innermost call, of which no exit was seen, left at a yield? A generator's frame is there
 * still; of others nothing is left.
 */
static __always_inline bool has_yielded(const struct call_run *c, const struct pmt_open_call *o)
{
	const struct py_layout *l = &c->w->layout;

	return l->frame_instr != PY_NONE && o && read_frame(c, o->frame) && is_generators(c) &&
	       frame_code(c) == o->code && stands_at(c, PMT_OP_YIELD);
}

/* Calls above the one that was found have ended: by an exception, or with their exits not probed. */
static long close_above(__u32 i, struct call_run *c)
{
	const struct pmt_open_call *o;

	if (c->t->depth <= c->s->seek.at)
		return 1;
	o = innermost(c);
	/*
	 * Of what came unseen and goes unseen nothing can be said: it may have been one whose end was
	 * seen, and which was met again before it was off the stack.
	 */
	close_call(c->t, c->thread, o,
		   !c->s->seek.found		       ? END_LOST
		   : !o || !(o->flags & PMT_OPEN_SEEN) ? END_OPEN
		   : has_yielded(c, o)		       ? END_YIELD
						       : END_UNWIND);
	return 0;
}

/* Is one of the frames in seek.hops an open call? Those behind it are too. */
static long look_below(__u32 i, struct call_run *c)
{
	struct scratch *s = c->s;
	struct pmt_open_call *o;

	if (!s->seek.at)
		return 1;
	o = open_at(c->thread, s->seek.at - 1);
	for (__u32 hop = 0; hop < NR_HOPS && o; hop++) {
		if (hop >= s->seek.nr)
			break;
		if (o->frame != s->seek.hops[hop])
			continue;
		s->seek.nr = hop;
		s->seek.found = 1;
		return 1;
	}
	s->seek.at--;
	return 0;
}

/* Among the newest nr calls; what lies above it has ended. */
static __always_inline bool seek_call(struct call_run *c, __u32 nr)
{
	c->s->seek.at = c->t->depth;
	c->s->seek.found = 0;
	bpf_loop(nr, look_below, c, 0);
	if (c->s->seek.found)
		bpf_loop(MAX_DEPTH, close_above, c, 0);
	return c->s->seek.found;
}

/* Notes the frames from seek.frame down to the innermost call, or to where there is no room. */
static long note_hop(__u32 i, struct call_run *c)
{
	struct scratch *s = c->s;
	__u64 frame = python_frame(c, s->seek.frame);
	struct pmt_open_call *o = innermost(c);

	if (o && o->frame == frame) {
		s->seek.found = 1;
		return 1;
	}
	if (!frame || frame == FRAME_UNREAD || s->seek.nr >= s->seek.room)
		return 1;
	s->seek.hops[s->seek.nr & (NR_BASE - 1)] = frame;
	s->seek.nr++;
	s->seek.frame = frame_u64(s, c->w->layout.frame_previous);
	return 0;
}

static __always_inline void note_hops(struct call_run *c, __u64 frame, __u32 room)
{
	c->s->seek.frame = frame;
	c->s->seek.nr = 0;
	c->s->seek.found = 0;
	c->s->seek.room = room;
	bpf_loop(room + 1, note_hop, c, 0);
}

/* ... which were there before us: the one next to the innermost call first. */
static long open_hop(__u32 i, struct call_run *c)
{
	struct pmt_open_call *below = innermost(c);
	struct scratch *s = c->s;
	__u64 frame, previous;

	if (!s->seek.nr)
		return 1;
	s->seek.nr--;
	frame = s->seek.hops[s->seek.nr & (NR_BASE - 1)];
	if (!read_frame(c, frame))
		return 1;
	c->owner = below ? below->owner : 0;
	if (below) {
		previous = below->frame;
	} else {
		/* its end is known by it */
		previous = python_frame(c, frame_u64(s, c->w->layout.frame_previous));
		if (!read_frame(c, frame))
			return 1;
	}
	read_frames_code(c, 0);
	open_call(c, frame, previous, BEGIN_UNSEEN);
	return 0;
}

static __always_inline bool heal_run(struct call_run *c, __u64 frame)
{
	const struct pmt_open_call *o = innermost(c);
	struct scratch *s = c->s;

	if (o && o->frame == frame)
		return true;
	if (!frame) {
		s->seek.at = 0;
		s->seek.found = 1;
		bpf_loop(MAX_DEPTH, close_above, c, 0);
		return true;
	}
	s->seek.hops[0] = frame;
	s->seek.nr = 1;
	if (c->t->depth && seek_call(c, NEAR_CALLS))
		return true;
	if (c->t->depth) {
		note_hops(c, frame, NR_HOPS);
		if (!s->seek.found && !s->seek.nr)
			return false; /* it cannot be read */
		if (!s->seek.found && !seek_call(c, MAX_DEPTH)) {
			/* another stack altogether */
			count_call(PMT_CALL_RESET);
			s->seek.at = 0;
			bpf_loop(MAX_DEPTH, close_above, c, 0);
		}
	}
	/* what is on the stack already is known from here on, and so are its ends */
	if (!c->t->depth)
		note_hops(c, frame, NR_BASE);
	bpf_loop(NR_BASE, open_hop, c, 0);
	o = innermost(c);
	return o && o->frame == frame;
}

/*
 * Makes frame (as python_frame() gives it; 0: none) the innermost call of the current thread. Returns
 * false if that is impossible: nothing has ended then. Global, so that verifiers go through it once and
 * not at every call: it looks up for itself what its callers have, which is as rare as it is dear.
 */
__weak int heal(__u64 frame)
{
	struct call_run c = {.thread = bpf_get_current_pid_tgid()};
	__u32 tgid = c.thread >> 32;
	bool healed = false;

	c.w = bpf_map_lookup_elem(&walks, &tgid);
	c.t = bpf_map_lookup_elem(&call_threads, &c.thread);
	if (!c.w || !c.t)
		return 0;
	c.s = scratch_take();
	if (c.s) {
		healed = heal_run(&c, frame);
		scratch_give(c.s);
	}
	return healed;
}

#endif
