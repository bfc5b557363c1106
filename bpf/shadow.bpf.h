/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The shadow of a thread's Python stack: the calls that are open, by the addresses of their frames.
 *
 *	opened[tid, depth - 1]	the innermost	frame ---> the interpreter's own frames, whose
 *	opened[tid, depth - 2]	its caller	frame	   `previous` says whether this is still true
 *	...
 * How it is kept true: heal.bpf.h.
 */
#ifndef PMT_SHADOW_BPF_H
#define PMT_SHADOW_BPF_H

#include "calls.bpf.h"

#define MAX_DEPTH (1u << 16)

enum call_end { END_RETURN, END_YIELD, END_UNWIND, END_LOST, END_OPEN };

static __always_inline struct pmt_open_call *open_at(__u64 thread, __u32 depth)
{
	struct pmt_open_key key = {.tid = (__u32)thread, .depth = depth};

	return bpf_map_lookup_elem(&opened, &key);
}

/* The innermost call, NULL: none. */
static __always_inline struct pmt_open_call *innermost(const struct call_run *c)
{
	return c->t->depth ? open_at(c->thread, c->t->depth - 1) : NULL;
}

/* o is the innermost call. Its end, in the words of enum call_end, is counted. */
static __always_inline void close_call(struct pmt_call_thread *t, __u64 thread,
				       const struct pmt_open_call *o, __u32 end)
{
	struct pmt_open_call *below;
	struct pmt_call_sum *sum;
	__u64 ns = 0;
	__s64 net;

	if (!t->depth)
		return;
	t->depth--;
	if (!o)
		return;
	if (cfg_time) {
		ns = bpf_ktime_get_ns() - o->start_ns;
		below = t->depth ? open_at(thread, t->depth - 1) : NULL;
		/* what is not shown is its caller's time */
		if (below)
			below->inner_ns += o->flags & PMT_OPEN_SHOWN ? ns : o->inner_ns;
	}
	if (!(o->flags & PMT_OPEN_SHOWN))
		return;
	t->level--;
	sum = call_sum(thread, o->fn);
	if (!sum)
		return;
	net = t->net - o->net;
	if (sum->active)
		sum->active--;
	if (!sum->active) {
		sum->total += net;
		sum->total_ns += ns;
	}
	if (cfg_time)
		sum->self_ns += ns - o->inner_ns;
	if (o->flags & PMT_OPEN_SEEN && net > sum->largest)
		sum->largest = net;
	sum->returns += end == END_RETURN;
	sum->yields += end == END_YIELD;
	sum->unwinds += end == END_UNWIND;
	sum->lost += end == END_LOST;
}

#endif
