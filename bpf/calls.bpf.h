/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What function entry and exit are counted in: maps, settings, and the sums by function and thread.
 */
#ifndef PMT_CALLS_BPF_H
#define PMT_CALLS_BPF_H

#include "stack.bpf.h"

/* Not preallocated: uprobes may allocate, and most programs need little of it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct pmt_call_key);
	__type(value, struct pmt_call_sum);
} calls __weak SEC(".maps");

/* The calls that are open, by thread and depth. Those above a thread's depth are left for the next. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct pmt_open_key);
	__type(value, struct pmt_open_call);
} opened __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct pmt_call_thread);
} call_threads __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PMT_CALL_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} call_counts __weak SEC(".maps");

/* Threads that are asked for, with cfg_tids. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u8);
} call_tids __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} call_log __weak SEC(".maps");

const volatile __u32 cfg_calls __weak = 0;     /* entry and exit are watched */
const volatile __u32 cfg_time __weak = 0;      /* of each call */
const volatile __u32 cfg_log __weak = 0;       /* events go to call_log */
const volatile __u64 cfg_threshold __weak = 0; /* bytes RSS must have changed by, for that */
const volatile __u32 cfg_depth __weak = 0;     /* calls shown within each other; 0: all */
const volatile __u32 cfg_tids __weak = 0;      /* only threads of call_tids */

__u32 collecting __weak = 0; /* else hits are only counted */

/* What one run of a program works with. */
struct call_run {
	struct scratch *s;
	const struct pmt_walk *w;
	struct pmt_call_thread *t;
	__u64 thread; /* bpf_get_current_pid_tgid() */
	__u64 tstate;
	__u64 sp;	  /* stack pointer at the probe */
	__u32 owner;	  /* of the call below one that is opened */
	__u32 code_bytes; /* of the code object of the frame in s->frame, in s->code */
};

static __always_inline void count_call(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&call_counts, &what);

	if (n)
		*n += 1;
}

/* Here and not on the stack, of which verifiers until 6.2 count every word that is written. */
static const struct pmt_call_sum no_sum = {.largest = PMT_NO_LARGEST};
static const struct pmt_call_thread no_thread;

/* Made if it is the first. Only its own thread writes to it. */
static __always_inline struct pmt_call_sum *call_sum(__u64 thread, __u32 fn)
{
	struct pmt_call_key key = {.tid = (__u32)thread, .fn = fn};
	struct pmt_call_sum *sum = bpf_map_lookup_elem(&calls, &key);

	if (sum)
		return sum;
	if (bpf_map_update_elem(&calls, &key, &no_sum, BPF_NOEXIST))
		count_call(PMT_CALL_FULL);
	sum = bpf_map_lookup_elem(&calls, &key);
	if (sum)
		sum->tgid = thread >> 32;
	return sum;
}

/* Made if it is the first; NULL: not asked for, or no room. */
static __always_inline struct pmt_call_thread *call_thread(__u64 thread)
{
	struct pmt_call_thread *t = bpf_map_lookup_elem(&call_threads, &thread);
	__u32 tid = thread;

	if (t)
		return t;
	if (cfg_tids && !bpf_map_lookup_elem(&call_tids, &tid))
		return NULL;
	if (bpf_map_update_elem(&call_threads, &thread, &no_thread, BPF_NOEXIST))
		count_call(PMT_CALL_FULL);
	t = bpf_map_lookup_elem(&call_threads, &thread);
	if (t)
		bpf_get_current_comm(t->comm, sizeof(t->comm));
	return t;
}

#endif
