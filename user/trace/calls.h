/* SPDX-License-Identifier: MIT */
/* What the files of function entry and exit share. */
#ifndef PMT_TRACE_CALLS_H
#define PMT_TRACE_CALLS_H

#include "base/hash.h"
#include "trace/trace.h"

struct bpf_link;
struct ring_buffer;

/* The sites of one file, in one process or (pid 0) in all. */
struct call_link {
	pid_t pid;
	uint64_t dev, inode;
	int fd;			/* uprobe_multi, else -1 */
	struct bpf_link **perf; /* perf uprobes: nr of them */
	size_t nr;
};

/* Of threads that have ended, by function. */
struct ended_calls {
	struct {
		uint32_t tgid, fn;
	} key;
	struct trace_call_sum sum;
	UT_hash_handle hh;
};

/* Instructions whose cost under a probe is tried out. */
enum stub_kind {
	STUB_NOP,
	STUB_LONG_NOP,
	STUB_PUSH,
	STUB_LONG_PUSH,
	STUB_CALL,
	STUB_JMP,
	STUB_SHORT_JMP,
	STUB_JCC,
	STUB_SHORT_JCC,
	STUB_MOV, /* and whatever else is single-stepped */
	NR_STUBS
};

struct call_probes {
	struct call_link *links;
	size_t nr;
	bool by_pid; /* the kernel's filter by process works: tried */
	struct ended_calls *ended;
	struct ring_buffer *log;
	trace_log_fn *each; /* during trace_read_log */
	void *ctx;
	uint32_t left;		    /* events that may be read still */
	uint64_t cost_ns[NR_STUBS]; /* per hit; 0: not tried yet */
	uint64_t own_hits;	    /* of probes that we tried out on ourselves */
};

/* Whether the kernel's filter lets all threads of a process pass. Tries it. */
bool probe_filters_by_pid(struct trace *t);

#endif
