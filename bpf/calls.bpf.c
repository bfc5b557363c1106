/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Function entry and exit: one program for all its sites, each with its kind as cookie
 * (user/python/eval_sites.h says where they are).
 *
 * A hit is believed only if the frame it is about is at an instruction that fits: handlers share code,
 * and a handler that hands over to another would count twice.
 */
#include "call_log.bpf.h"
#include "charge.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Code units read from a frame's instruction on: before RESUME come at most three. */
#define UNITS 4
/* Bytes of the evaluation function's C frame, at most; as usually built it has a few hundred. */
#define MAX_C_FRAME 65536
#define LAG_UNITS   16 /* a yield may be so far behind what a frame says */

/* The argument of RESUME, Include/internal/pycore_opcode_utils.h, 3.15. */
#define RESUME_OPARG		 7
#define RESUME_AT_GEN_EXPR_START 4

enum frame_state {
	FRAME_SUSPENDED = -1,
	FRAME_RETURNED = 1
}; /* 3.10, Include/cpython/frameobject.h */

/* From the first instruction, in bytes; until 3.10 f_lasti. Of the frame in s->frame. */
static __always_inline __s32 frame_lasti(const struct call_run *c)
{
	const struct py_layout *l = &c->w->layout;

	if (l->frame_instr != PY_NONE)
		return frame_u64(c->s, l->frame_instr) - (frame_code(c) + l->code_adaptive);
	return ((__s32 *)c->s->frame)[l->frame_lasti / 4 & (PMT_FRAME_BYTES / 4 - 1)];
}

/* Code units at this offset in the code object, of which s->code has the beginning. */
static __always_inline bool units_of_code(const struct call_run *c, __u64 offset,
					  __u16 units[UNITS])
{
	if (offset + UNITS * sizeof(*units) > c->code_bytes)
		return false;
	for (int i = 0; i < UNITS; i++)
		units[i] = ((__u16 *)c->s->code)[(offset / 2 + i) & (PMT_CODE_BYTES / 2 - 1)];
	return true;
}

/*
 * Since 3.11: does the frame in s->frame stand at a RESUME? Its instruction pointer may lag behind:
 *
 *	RETURN_GENERATOR   POP_TOP   RESUME
 *	^ after creation             ^ where it is
 *
 * Returns enum call_begin, BEGIN_UNSEEN: it does not.
 */
static __always_inline __u32 resume_kind(struct call_run *c, __u32 *opcode, __s32 *at)
{
	__u64 instr = frame_u64(c->s, c->w->layout.frame_instr);
	__u64 first = frame_code(c) + c->w->layout.code_adaptive;
	__u16 units[UNITS] = {};

	if (instr < first)
		instr = first;
	if (!units_of_code(c, instr - frame_code(c), units) &&
	    bpf_probe_read_user(units, sizeof(units), (void *)instr))
		return BEGIN_UNSEEN;
	for (int i = 0; i < UNITS; i++) {
		__u32 bits = opcode_bits(c->w, units[i]);

		if (!(bits & (PMT_OP_RESUME | PMT_OP_RESUME_CHECK | PMT_OP_ANY)))
			continue;
		/* it only makes the generator, and nothing of the expression runs */
		if ((units[i] >> 8 & RESUME_OPARG) == RESUME_AT_GEN_EXPR_START)
			return BEGIN_UNSEEN;
		*opcode = units[i] & 255;
		*at = instr + 2 * i - first;
		/* oparg: 0 at a function's start, else behind a yield or an await */
		return units[i] >> 8 & 3 ? BEGIN_RESUME : BEGIN_CALL;
	}
	return BEGIN_UNSEEN;
}

/* The frame in s->frame. */
static __noinline int enter(struct call_run *c, __u64 frame, __u64 below, __u32 begin)
{
	const struct pmt_open_call *o;

	if (!c || !c->t || !c->s || !c->w)
		return -1;
	if (open_call(c, frame, below, begin) || !cfg_log)
		return 0;
	o = innermost(c);
	if (o && o->flags & PMT_OPEN_SHOWN)
		log_event(c, o->fn, frame_lasti(c), PMT_CALL);
	return 0;
}

static __always_inline bool is_instrumented(const struct call_run *c, __u32 opcode)
{
	return opcode_bits(c->w, opcode) & (PMT_OP_INSTRUMENTED | PMT_OP_ANY);
}

/*
 * One entry may pass two handlers: RESUME_CHECK gives way to RESUME when something is pending
 * (gh-108614), and RESUME, having instrumented the code or undone that, begins anew as what it has become.
 * In 3.11 RESUME goes on as RESUME_QUICK, and may be that in memory by then, or before (while a trace
 * function is set): whether by the other's code is the compiler's choice.
 * o: the innermost call; at: where the instruction is; site: PMT_SITE_RESUME, or _RESUME_CHECK that other code
 * leads to.
 */
static __always_inline bool is_repeated(const struct call_run *c, const struct pmt_open_call *o,
					__u32 site, __u64 frame, __u32 opcode, __s32 at)
{
	bool same = o && o->frame == frame && o->code == frame_code(c) && o->lasti == at &&
		    o->hit + 1 == c->t->hits;
	__u32 bits = opcode_bits(c->w, opcode);

	if (site == PMT_SITE_RESUME_CHECK)
		return (bits & PMT_OP_RESUME && !(bits & PMT_OP_RESUME_CHECK)) ||
		       (bits & PMT_OP_RESUME && same && o->opcode & PMT_OPENED_AT_RESUME);
	if (bits & PMT_OP_RESUME_CHECK)
		return !(bits & PMT_OP_RESUME);
	return same && o->flags & PMT_OPEN_SEEN &&
	       is_instrumented(c, o->opcode) != is_instrumented(c, opcode);
}

/*
 * 3.11, 3.12: what leads from the thread state to the frame that runs is on the C stack of the evaluation
 * function, always at the same place of it.
 */
static __always_inline void note_cframe(struct call_run *c)
{
	const struct py_layout *l = &c->w->layout;
	__u64 at;

	if (l->cframe_current_frame == PY_NONE)
		return;
	at = user_u64(c->tstate + l->tstate_cframe) + l->cframe_current_frame - c->sp;
	c->t->cframe = at < MAX_C_FRAME ? at : 0;
}

/*
 * The frame that runs, into s->frame; 0: it cannot be read. o: the innermost call. A frame that was
 * called from there is on the stack of the thread state that was found before, and no other can have it:
 * who holds the GIL need not be read.
 */
static __always_inline __u64 running_frame(struct call_run *c, const struct pmt_open_call *o)
{
	__u64 frame;

	c->tstate = c->t->tstate;
	if (o && c->tstate) {
		frame = c->t->cframe ? user_u64(c->sp + c->t->cframe) : frame_of(c->w, c->tstate);
		if (read_frame(c, frame) &&
		    frame_u64(c->s, c->w->layout.frame_previous) == o->frame)
			return frame;
	}
	c->tstate = call_tstate(c->t, c->w, true);
	if (!c->tstate)
		return 0;
	note_cframe(c);
	frame = frame_of(c->w, c->tstate);
	return read_frame(c, frame) ? frame : 0;
}

static __always_inline void on_resume(struct call_run *c, __u32 site, bool exclusive)
{
	struct pmt_open_call *o = innermost(c);
	__u64 frame = running_frame(c, o), below;
	__u32 begin, opcode = 0;
	__s32 at = 0;

	if (!frame) {
		count_call(PMT_CALL_UNREAD);
		return;
	}
	read_frames_code(c, PMT_CODE_BYTES);
	begin = resume_kind(c, &opcode, &at);
	if (begin == BEGIN_UNSEEN) {
		count_call(PMT_CALL_STRAY);
		return;
	}
	if (!(exclusive && site == PMT_SITE_RESUME_CHECK) &&
	    is_repeated(c, o, site, frame, opcode, at)) {
		/* there may be a third: a fallback that instruments */
		if (o && o->frame == frame) {
			o->hit = c->t->hits;
			o->opcode = opcode;
		}
		count_call(PMT_CALL_REPEATED);
		return;
	}
	below = frame_u64(c->s, c->w->layout.frame_previous);
	if (o && o->frame == frame && begin == BEGIN_RESUME) {
		/*
		 * Since then it was left, where no probe could be; or it was, and met again before it
		 * was off the thread's stack.
		 */
		close_call(c->t, c->thread, o, o->flags & PMT_OPEN_SEEN ? END_YIELD : END_OPEN);
		o = innermost(c);
	}
	if (!o || o->frame != below) {
		below = python_frame(c, below);
		if (!heal(below) || !read_frame(c, frame)) {
			count_call(PMT_CALL_UNREAD);
			return;
		}
		o = innermost(c);
	}
	c->owner = o ? o->owner : 0;
	c->s->open.opcode = opcode | (site == PMT_SITE_RESUME ? PMT_OPENED_AT_RESUME : 0);
	c->s->open.lasti = at;
	enter(c, frame, below, begin);
}

/* Until 3.10 the evaluation function is called with the frame. */
static __always_inline void on_enter(struct call_run *c, __u64 frame)
{
	const struct pmt_open_call *o = innermost(c);
	__u64 below;
	__u32 begin;

	if (!read_frame(c, frame)) {
		count_call(PMT_CALL_UNREAD);
		return;
	}
	read_frames_code(c, 0);
	below = frame_u64(c->s, c->w->layout.frame_previous);
	begin = frame_lasti(c) < 0 ? BEGIN_CALL : BEGIN_RESUME;
	if (!o || o->frame != below) {
		if (!heal(below) || !read_frame(c, frame)) {
			count_call(PMT_CALL_UNREAD);
			return;
		}
		o = innermost(c);
	}
	c->owner = o ? o->owner : 0;
	enter(c, frame, below, begin);
}

static __always_inline bool has_exception(const struct call_run *c)
{
	return user_u64(c->tstate + c->w->layout.tstate_exception) != 0;
}

/* The frame in s->frame is left: with what? */
static __always_inline __u32 left_with(const struct call_run *c)
{
	const struct py_layout *l = &c->w->layout;

	if (l->frame_state != PY_NONE) {
		__s8 state = ((__s8 *)c->s->frame)[l->frame_state & (PMT_FRAME_BYTES - 1)];

		return state == FRAME_SUSPENDED	 ? END_YIELD
		       : state == FRAME_RETURNED ? END_RETURN
						 : END_UNWIND;
	}
	if (l->frame_stacktop != PY_NONE && frame_u64(c->s, l->frame_stacktop))
		return END_YIELD;
	return has_exception(c) ? END_UNWIND : END_RETURN;
}

/* o: the innermost call, whose frame is in s->frame. */
static __noinline int leave(struct call_run *c, const struct pmt_open_call *o, __u32 end)
{
	if (!c || !c->t || !c->s || !c->w || !o)
		return -1;
	if (cfg_log && o->flags & PMT_OPEN_SHOWN)
		log_event(c, o->fn, frame_lasti(c), PMT_RETURN);
	close_call(c->t, c->thread, o, end);
	return 0;
}

/* Is this the current frame? By the state that was found before: if it says so, it is this thread's. */
static __always_inline bool is_back_at(struct call_run *c, __u64 frame)
{
	c->tstate = c->t->tstate;
	if (c->tstate && frame && frame_of(c->w, c->tstate) == frame)
		return true;
	c->tstate = call_tstate(c->t, c->w, true);
	return c->tstate && frame_of(c->w, c->tstate) == frame;
}

/* Until 3.10, on the way to the end of the evaluation function: the caller's frame is the current one. */
static __always_inline void on_leave(struct call_run *c)
{
	const struct pmt_open_call *o = innermost(c);

	if (!o || !is_back_at(c, o->previous)) {
		count_call(PMT_CALL_STRAY);
		return;
	}
	if (!read_frame(c, o->frame)) {
		count_call(PMT_CALL_UNREAD);
		close_call(c->t, c->thread, o, END_LOST);
		return;
	}
	leave(c, o, left_with(c));
}

/* The innermost call, whose frame is at this address and in s->frame; NULL: impossible. */
static __always_inline const struct pmt_open_call *call_of(struct call_run *c, __u64 frame)
{
	const struct pmt_open_call *o = innermost(c);

	if (o && o->frame == frame)
		return o;
	if (!heal(frame) || !read_frame(c, frame)) {
		count_call(PMT_CALL_UNREAD);
		return NULL;
	}
	return innermost(c);
}

/* For the line: the frame's instruction pointer lags, and the yield is one of those that follow. */
static __always_inline void catch_up(struct call_run *c)
{
	__u32 at = c->w->layout.frame_instr / 8 & (PMT_FRAME_BYTES / 8 - 1);
	__u16 units[LAG_UNITS] = {};

	if (bpf_probe_read_user(units, sizeof(units), (void *)c->s->frame[at]))
		return;
	for (int i = 0; i < LAG_UNITS; i++)
		if (opcode_bits(c->w, units[i]) & PMT_OP_YIELD) {
			c->s->frame[at] += 2 * i;
			return;
		}
}

/*
 * Is the innermost call, whose frame is put into s->frame, one that this run of the evaluation function
 * has made, as far as that can be seen without asking which frame runs? If it stands at a return or a
 * yield, too, then this is that one: what was unwound stands at what failed.
 */
static __always_inline bool is_of(struct call_run *c, const struct pmt_open_call *o)
{
	return o && o->sp == (__u32)c->sp && read_frame(c, o->frame) && frame_code(c) == o->code;
}

/*
 * In the handler of a return or a yield: the frame is the current one still, or no longer. A
 * generator's may not say yet where it is (3.15), where the site says it.
 */
static __always_inline void on_handler_exit(struct call_run *c, __u32 bits, __u32 end,
					    bool exclusive)
{
	const struct pmt_open_call *o = innermost(c);
	bool unsaid;
	__u64 frame;

	if (is_of(c, o) && stands_right_at(c, bits)) {
		leave(c, o, end);
		return;
	}
	c->tstate = call_tstate(c->t, c->w, true);
	frame = c->tstate ? python_frame(c, frame_of(c->w, c->tstate)) : FRAME_UNREAD;
	if (frame == FRAME_UNREAD) {
		count_call(PMT_CALL_UNREAD);
		return;
	}
	unsaid = exclusive && end == END_YIELD && frame && is_generators(c);
	if (frame && stands_at(c, bits)) {
		o = call_of(c, frame);
	} else {
		o = innermost(c);
		if (o && o->previous == frame && read_frame(c, o->frame) && stands_at(c, bits)) {
			/* it was taken off the thread's stack before the site */
		} else if (unsaid) {
			o = read_frame(c, frame) ? call_of(c, frame) : NULL;
			if (cfg_log && o && read_frame(c, frame))
				catch_up(c);
		} else {
			count_call(PMT_CALL_STRAY);
			return;
		}
	}
	leave(c, o, end);
}

/* _PyEval_FrameClearAndPop(tstate, frame): for returns and unwinds. */
static __always_inline void on_clear(struct call_run *c, __u64 tstate, __u64 frame)
{
	const struct pmt_open_call *o = innermost(c);

	c->tstate = tstate == c->t->tstate ? tstate : call_tstate(c->t, c->w, true);
	if (!c->tstate) {
		count_call(PMT_CALL_UNREAD);
		return;
	}
	if (!o || o->frame != frame || (cfg_log && !read_frame(c, frame))) {
		/* a frame of the interpreter's own is no function's */
		if (python_frame(c, frame) != frame) {
			count_call(PMT_CALL_STRAY);
			return;
		}
		o = call_of(c, frame);
	}
	leave(c, o, has_exception(c) ? END_UNWIND : END_RETURN);
}

static __always_inline bool is_entry(__u32 site)
{
	return site == PMT_SITE_ENTER || site == PMT_SITE_RESUME || site == PMT_SITE_RESUME_CHECK;
}

SEC("uprobe")
int on_call_site(struct pt_regs *ctx)
{
	struct call_run c = {.thread = bpf_get_current_pid_tgid()};
	__u64 arg1 = PT_REGS_PARM1(ctx), arg2 = PT_REGS_PARM2(ctx);
	__u32 tgid = c.thread >> 32, site;
	bool exclusive;

	keep_own_stack(ctx);
	/* read here: registers are not to be read at an offset that was chosen */
	keep_here(arg1);
	keep_here(arg2);
	c.sp = PT_REGS_SP(ctx);
	c.w = bpf_map_lookup_elem(&walks, &tgid);
	if (!c.w || !c.w->calls.on || stopped)
		return 0;
	site = bpf_get_attach_cookie(ctx);
	exclusive = site & PMT_SITE_EXCLUSIVE;
	site &= ~PMT_SITE_EXCLUSIVE;
	count_call(is_entry(site) ? PMT_HITS_ENTRY : PMT_HITS_EXIT);
	if (!collecting || c.w->calls.on == PMT_CALLS_COUNT)
		return 0;
	c.t = call_thread(c.thread);
	if (!c.t)
		return 0;
	c.t->hits++;
	c.s = scratch_take();
	if (!c.s) {
		count_call(PMT_CALL_UNREAD);
	} else if (site == PMT_SITE_ENTER) {
		on_enter(&c, c.w->calls.frame_arg == 2 ? arg2 : arg1);
	} else if (site == PMT_SITE_LEAVE) {
		on_leave(&c);
	} else if (is_entry(site)) {
		on_resume(&c, site, exclusive);
	} else if (site == PMT_SITE_CLEAR) {
		on_clear(&c, arg1, arg2);
	} else if (site == PMT_SITE_YIELD) {
		on_handler_exit(&c, PMT_OP_YIELD, END_YIELD, exclusive);
	} else {
		on_handler_exit(&c, PMT_OP_RETURN, END_RETURN, exclusive);
	}
	if (c.s)
		scratch_give(c.s);
	return 0;
}
