/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Growth and shrinkage by stack: a change is put down to the stack that runs now, or to a cause why
 * there is none, and never to nothing.
 */
#ifndef PMT_STACK_BPF_H
#define PMT_STACK_BPF_H

#include "walk.bpf.h"

#define PAGE_BYTES 4096ull /* x86-64 */
#define MAX_LEVELS 5	   /* what one hash has bits for: a block of 32 steps */

static __always_inline void add_change(struct pmt_change *c, __u64 growth, __u64 shrink,
				       __u64 events)
{
	if (growth)
		__sync_fetch_and_add(&c->growth, growth);
	if (shrink)
		__sync_fetch_and_add(&c->shrink, shrink);
	__sync_fetch_and_add(&c->events, events);
}

static __always_inline void blame(struct pmt_counts *c, __u32 event, __u32 cause, __u64 growth,
				  __u64 shrink, __u64 events)
{
	if (event < PMT_STACK_EVENTS && cause < PMT_CAUSES)
		add_change(&c->causes[event][cause], growth, shrink, events);
}

/* The sum of this stack in this thread; made, and the stack's record sent, if it is the first. */
static __always_inline struct pmt_sum *find_sum(struct scratch *s, __u32 event, __u32 memory,
						__u32 *cause)
{
	struct pmt_sum_key key = {
		.stack = s->stack.stack,
		.tgid = s->stack.tgid,
		.tid = (__u32)bpf_get_current_pid_tgid(),
		.event = event,
		.memory = memory,
	};
	struct pmt_sum *sum = bpf_map_lookup_elem(&sums, &key), fresh = {};
	__u64 bytes;

	if (sum)
		return sum;
	s->stack.type = PMT_REC_STACK;
	fresh.first_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
	if (bpf_map_update_elem(&sums, &key, &fresh, BPF_NOEXIST)) {
		sum = bpf_map_lookup_elem(&sums, &key);
		*cause = PMT_CAUSE_TABLE_FULL;
		return sum;
	}
	/* bounded where it is used: what is known of it before, the verifier of 6.1 forgets */
	bytes = s->stack.nr;
	keep_here(bytes);
	bytes &= PMT_MAX_FRAMES;
	bytes = offsetof(struct pmt_stack_rec, frames) + bytes * sizeof(struct pmt_frame);
	if (bpf_ringbuf_output(&stack_events, &s->stack, bytes, RING_WAKES)) {
		bpf_map_delete_elem(&sums, &key);
		*cause = PMT_CAUSE_RECORD_LOST;
		return NULL;
	}
	return bpf_map_lookup_elem(&sums, &key);
}

/*
 * Bytes that came and went in events, to whoever runs now. c: of that process; memory: what kind
 * of it, enum pmt_memory. Returns the stack's key, 0 if there is none.
 */
static __always_inline __u64 attribute_memory(struct pmt_counts *c, __u32 tgid, __u32 event,
					      __u32 memory, __u64 growth, __u64 shrink,
					      __u64 events)
{
	struct scratch *s = scratch_take();
	struct pmt_sum *sum = NULL;
	__u64 key = 0;
	__u32 cause;

	cause = s ? walk(s, tgid) : PMT_CAUSE_WALK_FAILED;
	if (s && cause == PMT_CAUSES)
		sum = find_sum(s, event, memory, &cause);
	if (sum) {
		key = s->stack.stack;
		add_change(&sum->change, growth, shrink, events);
		sum->last_ns = bpf_ktime_get_ns();
	} else {
		blame(c, event, cause, growth, shrink, events);
	}
	if (s)
		scratch_give(s);
	return key;
}

static __always_inline __u64 attribute(struct pmt_counts *c, __u32 tgid, __u32 event, __u64 growth,
				       __u64 shrink, __u64 events)
{
	return attribute_memory(c, tgid, event, PMT_MEMORY_UNKNOWN, growth, shrink, events);
}

/*
 * Where in step number n the sample lies. Chance gives each block of 32 steps its own places: of two
 * neighbours one lies in either half of its step, of four one in each quarter, ..., so that each of 32
 * places is taken once:
 *
 *	bits of n, the lowest first:    half  quarter  eighth  ...
 *	each turned over or not:        one bit of chance for each beginning, flips[1 | bits so far]
 *
 * No rhythm of the program meets it, and the figures scatter less than if each step stood alone: of a
 * program that takes turns of whole steps, hardly at all.
 */
static __always_inline __u64 sample_place(__u64 n, __u64 direction)
{
	__u64 levels = cfg_step_shift < MAX_LEVELS ? cfg_step_shift : MAX_LEVELS;
	__u64 block = n >> levels, chance = mix(mix(mix(cfg_seed, direction), block), block);
	__u32 flips = chance ^ chance >> 32, before = 1, place = 0;

	for (__u64 i = 0; i < MAX_LEVELS; i++) {
		__u32 bit = n >> i & 1;

		if (i >= levels)
			break;
		place = place << 1 | (bit ^ (flips >> before & 1));
		before = before << 1 | bit;
	}
	/* of longer steps, anywhere in its part */
	levels = cfg_step_shift - levels;
	return (__u64)place << levels | (mix(chance, n) >> 8 & ((1ull << levels) - 1));
}

/* How many samples lie before page number n. */
static __always_inline __u64 samples_before(__u64 n, __u64 direction)
{
	__u64 step = n >> cfg_step_shift;

	return step + (sample_place(step, direction) < (n & ((1ull << cfg_step_shift) - 1)));
}

/*
 * pages of RSS came (or went, below 0) in one event. Each step of pages has one sample, which stands
 * for the whole of it: what is put down and what was seen never differ by more than a step.
 */
static __always_inline void attribute_pages(struct pmt_rss *r, const struct mm_struct *mm,
					    __s64 pages)
{
	__u64 direction = pages < 0, n = pages < 0 ? -pages : pages, from, samples, bytes;
	__u64 growth, shrink;
	struct pmt_counts *c;
	__u32 tgid = r->tgid;

	from = __sync_fetch_and_add(&r->seen[direction], n);
	samples = n;
	if (cfg_step_shift)
		samples = samples_before(from + n, direction) - samples_before(from, direction);
	if (!samples)
		return;
	c = bpf_map_lookup_elem(&counts, &tgid);
	if (!c)
		return;
	bytes = (samples << cfg_step_shift) * PAGE_BYTES;
	growth = direction ? 0 : bytes;
	shrink = direction ? bytes : 0;
	if (!cfg_step_shift)
		samples = 1;
	if (bpf_get_current_task_btf()->mm != mm)
		blame(c, PMT_ON_RSS, PMT_CAUSE_OTHER_TASK, growth, shrink, samples);
	else
		attribute(c, tgid, PMT_ON_RSS, growth, shrink, samples);
}

#endif
