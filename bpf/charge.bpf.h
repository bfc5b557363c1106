/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What happens while calls are open, put down to the innermost one of the thread at that moment: changes
 * of RSS, arenas, pools.
 */
#ifndef PMT_CHARGE_BPF_H
#define PMT_CHARGE_BPF_H

#include "heal.bpf.h"

#define PF_EXITING 0x00000004 /* include/linux/sched.h */

/*
 * Until 3.10 the thread state names a frame only some way into the evaluation function: till then the
 * innermost call is one that has begun, its caller is what the thread state says, and no instruction of
 * it has been executed.
 */
static __always_inline bool is_beginning(const struct call_run *c, __u64 frame)
{
	const struct pmt_open_call *o = innermost(c);
	__u32 at = c->w->layout.frame_lasti;
	__s32 lasti = 0;

	if (at == PY_NONE || !o || o->previous != frame || !(o->flags & PMT_OPEN_SEEN))
		return false;
	bpf_probe_read_user(&lasti, sizeof(lasti), (void *)(o->frame + at));
	return lasti == o->lasti;
}

/* Makes the shadow true. Returns PMT_CAUSES, or why there is no call. */
static __always_inline __u32 find_call(struct call_run *c, __u32 tgid)
{
	__u64 frame;

	c->w = bpf_map_lookup_elem(&walks, &tgid);
	if (!c->w || !c->w->calls.on)
		return PMT_CAUSE_NOT_READY;
	/* nothing is known any more of a thread that has ended, and it must not be known again */
	if (bpf_get_current_task_btf()->flags & PF_EXITING)
		return PMT_CAUSE_NO_THREAD;
	c->t = call_thread(c->thread);
	if (!c->t)
		return PMT_CAUSES; /* not asked for, and so not shown */
	c->tstate = call_tstate(c->t, c->w, false);
	if (!c->tstate)
		return PMT_CAUSE_NO_THREAD;
	frame = python_frame(c, frame_of(c->w, c->tstate));
	if (is_beginning(c, frame))
		return PMT_CAUSES;
	if (!frame && !c->t->depth)
		return PMT_CAUSE_NO_FRAME;
	if (!heal(frame))
		return PMT_CAUSE_WALK_FAILED;
	return frame ? PMT_CAUSES : PMT_CAUSE_NO_FRAME;
}

enum charge { CHARGE_RSS, CHARGE_ARENA, CHARGE_POOL };

/* Returns PMT_CAUSES, or why nothing could be charged. */
static __always_inline int charge_call(__u32 tgid, __u32 what, __u64 growth, __u64 shrink)
{
	struct call_run c = {.thread = bpf_get_current_pid_tgid()};
	const struct pmt_open_call *o;
	struct pmt_call_sum *sum;
	__u32 cause;

	if (!collecting)
		return PMT_CAUSE_NOT_READY;
	c.s = scratch_take();
	if (!c.s)
		return PMT_CAUSE_WALK_FAILED;
	cause = find_call(&c, tgid);
	scratch_give(c.s);
	if (cause != PMT_CAUSES)
		return cause;
	o = c.t ? innermost(&c) : NULL;
	sum = call_sum(c.thread, o ? o->owner : 0);
	if (!sum)
		return PMT_CAUSE_TABLE_FULL;
	if (what == CHARGE_RSS) {
		sum->growth += growth;
		sum->shrink += shrink;
		if (c.t)
			c.t->net += growth - shrink;
	} else if (what == CHARGE_ARENA) {
		sum->arenas++;
	} else {
		sum->pools++;
	}
	return PMT_CAUSES;
}

/* pages of RSS came, or went below 0. */
static __always_inline void charge_pages(struct pmt_rss *r, const struct mm_struct *mm, __s64 pages)
{
	__u64 direction = pages < 0, n = pages < 0 ? -pages : pages;
	__u64 growth = direction ? 0 : n * PAGE_BYTES, shrink = direction ? n * PAGE_BYTES : 0;
	__u32 tgid = r->tgid, cause = PMT_CAUSE_OTHER_TASK;
	struct pmt_counts *c;

	__sync_fetch_and_add(&r->seen[direction], n);
	if (bpf_get_current_task_btf()->mm == mm)
		cause = charge_call(tgid, CHARGE_RSS, growth, shrink);
	if (cause == PMT_CAUSES)
		return;
	c = bpf_map_lookup_elem(&counts, &tgid);
	if (c)
		blame(c, PMT_ON_RSS, cause, growth, shrink, 1);
}

#endif
