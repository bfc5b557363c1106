/* SPDX-License-Identifier: MIT */
/*
 * struct trace as the files of this layer see it.
 */
#ifndef PMT_TRACE_SESSION_H
#define PMT_TRACE_SESSION_H

#include "trace/probes.h"
#include "trace/trace.h"

struct pymemtrace_bpf; /* the skeleton */
struct ring_buffer;

/* A file with probes in it: one link per row of the probe table that has a site. */
struct traced_file {
	uint64_t dev, inode;
	struct probe_link *links; /* nr_probes of them */
};

/* A process as this PID namespace and as BPF call it. */
struct known_process {
	pid_t pid;
	uint32_t tgid;
};

/* A one-shot probe at the entry point of the program that pid is about to run. */
struct entry_stop {
	uint32_t tgid;
	struct probe_link link;
};

struct trace {
	struct pymemtrace_bpf *skel;
	struct trace_options options;
	struct bpf_link **links; /* of tracepoints, nr_probes of them */
	struct ring_buffer *ring;
	struct ring_buffer *stack_ring;
	const struct trace_sink *sink; /* during trace_read_stacks */
	struct pmt_rec *next; /* where the ring's callback puts a record, during trace_next */
	struct bpf_link **cpu_links; /* of software events */
	size_t nr_cpu_links;
	bool multi, batched, iter_unfiltered;

	struct traced_file *files;
	size_t nr_files;
	struct known_process *known;
	size_t nr_known, size_known;
	struct entry_stop *stops;
	size_t nr_stops;
	struct call_probes *calls; /* NULL: entry and exit are not watched */
};

/*
 * Runs the task iterator over one process: its RSS becomes exact if it is a target. Returns 0 and
 * its tgid, -ESRCH if this PID namespace has no such process.
 */
int tasks_visit(struct trace *t, pid_t pid, uint32_t *ret_tgid);

/* pid <-> tgid of processes met so far. 0: not known. */
uint32_t known_tgid(const struct trace *t, pid_t pid);
int known_add(struct trace *t, pid_t pid, uint32_t tgid);
void known_remove(struct trace *t, pid_t pid);

/* As known_tgid, and asks the kernel if it is not known. 0: no such process. */
uint32_t resolve_tgid(struct trace *t, pid_t pid);

/* Of a per-CPU array of u64: each of its nr elements, of all CPUs. 0 or -errno. */
struct bpf_map;
int sum_per_cpu(const struct bpf_map *map, uint64_t *ret, uint32_t nr);

int ring_open(struct trace *t, struct fault *f);
void ring_close(struct trace *t);

/* stacks.c: sizes and settings before loading; the ring. */
void stacks_configure(struct trace *t);
int stacks_open(struct trace *t, struct fault *f);
void stacks_close(struct trace *t);

/* faults.c: a program at a software event, on each CPU. */
int faults_attach(struct trace *t, const struct probe *p, struct fault *f);
void faults_detach(struct trace *t);

/* calls.c: the same for function entry and exit. */
int calls_configure(struct trace *t, struct fault *f);
int calls_open(struct trace *t, struct fault *f);
void calls_close(struct trace *t);

/* Takes away the entry probes of a process that has reached its own, or has ended. */
void entry_stops_remove(struct trace *t, uint32_t tgid);

#endif
