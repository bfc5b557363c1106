/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The maps and settings that all programs share. Each object file has them, weak: the linker keeps
 * one of each. No map is preallocated but the small arrays, so that room for 8,192 targets costs
 * nothing until there are so many (safe in tracing programs since 6.1, "bpf: Convert hash map to
 * bpf_mem_alloc").
 */
#ifndef PMT_MAPS_BPF_H
#define PMT_MAPS_BPF_H

#include "pymemtrace/abi.h"
#include "pymemtrace/stack_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PMT_MAX_TARGETS);
	__type(key, __u32);
	__type(value, struct pmt_target);
} targets __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PMT_MAX_TARGETS);
	__type(key, __u32);
	__type(value, struct pmt_counts);
} counts __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PMT_MAX_TARGETS);
	__type(key, __u64);
	__type(value, struct pmt_rss);
} rss __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
} events __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PMT_LOSS_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} losses __weak SEC(".maps");

/* How far CPU n's copy of a per-CPU object lies from the object's nominal address. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PMT_MAX_CPUS); /* set to the number of possible CPUs before loading */
	__type(key, __u32);
	__type(value, __u64);
} cpu_offsets __weak SEC(".maps");

/*
 * Of stacks. Preallocated, because a change of RSS may come with the page table locked and in bursts,
 * where an allocation can fail. User space sets their sizes; 1 where no stacks are walked.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct pmt_sum_key);
	__type(value, struct pmt_sum);
} sums __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct pmt_code_key);
	__type(value, __u32);
} codes __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PMT_MAX_TARGETS);
	__type(key, __u32);
	__type(value, struct pmt_walk);
} walks __weak SEC(".maps");

/*
 * To wake the reader takes 10 us and more, from whoever runs. What names things does, since they may be
 * gone soon (RING_WAKES: also if records that did not are before it); arenas wait for its next round.
 */
#define RING_WAKES BPF_RB_FORCE_WAKEUP
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} stack_events __weak SEC(".maps");

/*
 * A page fault that is being handled, by thread: what its beginning said; and mappings that its thread has
 * met lately. User space sets the size of the map.
 */
#define PMT_KNOWN_MAPPINGS 4
struct pmt_fault {
	__u64 address; /* 0: it is over */
	__u32 error;   /* enum x86_pf_error_code */
	__u32 huge;    /* a huge page came in it */
	__u64 version; /* of the mappings that are known */
	__u32 next;    /* that will be forgotten */
	__u32 pad;
	struct pmt_mapping {
		__u64 start, end;
		__u64 memory;
	} known[PMT_KNOWN_MAPPINGS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct pmt_fault);
} faults __weak SEC(".maps");

/* By how much the RSS event that is being handled on this CPU changed a target's: for who asks next. */
struct pmt_rss_change {
	__u64 mm; /* 0: none */
	__s64 pages;
	__u64 returning; /* task whose anonymous memory grew in the event before, and by how much */
	__s64 came;
	__u32 kind, tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pmt_rss_change);
} rss_change __weak SEC(".maps");

/* Set before loading; constants to the verifier, which drops what they switch off. */
const volatile __u32 cfg_cpus __weak = 1;	/* possible CPUs */
const volatile __u32 cfg_pid_ns __weak = 0;	/* inode of the tool's PID namespace */
const volatile __u32 cfg_report __weak = 0;	/* write records of fork, exec, exit, entry */
const volatile __u32 cfg_gate_sums __weak = 0;	/* many CPUs: sum at some events, by chance */
const volatile __u32 cfg_stacks __weak = 0;	/* bit per enum pmt_stack_event: walk there */
const volatile __u32 cfg_step_shift __weak = 0; /* RSS: one sample in 1 << so many pages */
const volatile __u64 cfg_seed __weak = 0;	/* of the samples' places */

/* Not constant. */
__u32 next_code __weak = 0; /* number of the newest code object */
__u32 stopped __weak = 0;   /* nothing is counted any more: the maps stay as they are */

#endif
