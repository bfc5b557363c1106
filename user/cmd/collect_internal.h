/* SPDX-License-Identifier: MIT */
/* What the files of the collector share; nobody else includes this. */
#ifndef PMT_CMD_COLLECT_INTERNAL_H
#define PMT_CMD_COLLECT_INTERNAL_H

#include "base/hash.h"
#include "cmd/collect.h"
#include "python/lines.h"
#include "target/maps.h"
#include "trace/trace.h"

struct python;

/* A code object: which function it is, and its lines. */
struct code {
	uint32_t id; /* key */
	uint32_t function;
	int32_t first_line;
	enum line_format format;
	int32_t lasti_unit;
	bool has_lines, whole;
	uint8_t *table;
	size_t table_size;
	UT_hash_handle hh;
};

struct stack {
	uint64_t key;
	uint32_t at; /* in the total; PROFILE_NONE: its record did not come */
	UT_hash_handle hh;
};

struct sum_key {
	uint64_t stack;
	uint32_t tid, event, memory;
	uint32_t pad;
};

/* A sum as it was last read. */
struct sum {
	struct sum_key key;
	struct pmt_change change;
	UT_hash_handle hh;
};

/* What one function did in one thread, or in threads that have ended, as it was last read. */
struct call_sum {
	struct {
		uint32_t tid, fn;
	} key;
	struct trace_call_sum sum;
	UT_hash_handle hh;
};

/* Who opened the arena that was mapped last at an address. */
struct opening {
	struct {
		uint64_t address;
		uint64_t tgid;
	} key;
	uint64_t stack;
	uint32_t thread; /* in the total */
	int64_t time_ns; /* CLOCK_REALTIME */
	UT_hash_handle hh;
};

struct followed {
	pid_t pid; /* 0: a child that nobody watches yet */
	uint32_t tgid;
	uint32_t parent;	 /* tgid; 0: not known, or of no meaning any more */
	pid_t parent_pid;	 /* or that of the nearest ancestor that somebody watches */
	bool heard;		 /* its sums become rows */
	struct process *process; /* NULL: forgotten */
	enum line_format format;
	int32_t lasti_unit;
	struct maps maps; /* for native leaves; read again when they do not know one */
	bool has_maps;
	struct profile *fresh; /* since the last take */
	struct profile *since; /* since the last rebase */
	struct code *codes;
	struct stack *stacks;
	struct sum *sums;
	struct call_sum *calls;
	UT_hash_handle hh;
};

struct collector {
	struct trace *trace;
	unsigned int events, step_shift;
	bool shares, calls;
	struct profile *total;
	struct opening *openings;
	struct followed *followed; /* by tgid */
	bool failed;		   /* memory ran out: something is missing */
};

struct followed *collect_find(struct collector *c, uint32_t tgid);
struct followed *collect_find_pid(struct collector *c, pid_t pid);

/* collect_calls.c: what BPF needs to know of a process; the sums; and their end */
void collect_calls_of(struct python *p, struct pmt_calls *ret);
void collect_read_calls(struct collector *c);
void collect_free_calls(struct followed *f);

/* collect_names.c */
const struct process *collect_memory_of(struct collector *c, const struct followed *f);
int32_t collect_line(const struct code *code, int32_t lasti);

/* For struct trace_sink; ctx: the collector. */
void collect_code(void *ctx, const struct pmt_code_rec *r);
void collect_stack(void *ctx, const struct pmt_stack_rec *r);

#endif
