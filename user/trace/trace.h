/* SPDX-License-Identifier: MIT */
/*
 * The BPF side as the commands see it. Only this layer includes <bpf/...> and the skeleton.
 *
 * PIDs in this interface are those of the tool's own PID namespace; BPF's are the initial
 * namespace's, and the translation happens here.
 */
#ifndef PMT_TRACE_TRACE_H
#define PMT_TRACE_TRACE_H

#include "model/snapshot.h"
#include "pymemtrace/abi_user.h"
#include "pymemtrace/stack_abi.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fault;
struct trace;

/*
 * Loads the BPF object and attaches what concerns all processes: rss_stat, and with follow also
 * fork, exec and exit. EPERM (hint: which capability), ENOTSUP (no BTF, no BPF).
 */
struct trace_calls;

struct trace_options {
	bool arenas;   /* probe the arena allocator */
	bool pools;    /* and the taking of pools */
	bool programs; /* exec, fork and exit of targets are reported (--children, -- PROGRAM) */
	unsigned int stack_events; /* bit per enum pmt_stack_event: walk the Python stack there */
	unsigned int step_shift;   /* RSS: one sample in 1 << step_shift pages; 0: every change */
	uint32_t max_stacks;	   /* sums by stack and thread that there is room for */
	const struct trace_calls *calls; /* NULL: entry and exit are not watched */
};

/* What is counted at function entry and exit, and what is left out before anything is counted. */
struct trace_calls {
	bool time;	    /* measured per call */
	bool log;	    /* events whose RSS has changed by threshold go to the log's ring */
	uint64_t threshold; /* bytes; 0: every event */
	uint32_t depth;	    /* calls shown within each other, at most; 0: no limit */
	const pid_t *tids;  /* only these threads */
	size_t nr_tids;	    /* 0: all */
	const char *const *include, *const *exclude; /* globs, NULL-terminated; NULL: none */
	uint32_t max_calls; /* functions by thread that there is room for */
};

int trace_open(struct trace **ret, const struct trace_options *o, struct fault *f);
void trace_close(struct trace *t); /* detaches everything; accepts NULL */

/* Where to probe in one file; offsets of 0 are left out. The fd is borrowed for the call. */
struct trace_sites {
	int file_fd;
	uint64_t dev, inode;
	const char *file_name; /* for messages */
	uint64_t arena_alloc, arena_mapped, arena_free, new_pool;
};

/*
 * ENOTSUP: no kind of uprobe. Idempotent per (dev, inode). One uprobe_multi link per program and file
 * where the kernel has it.
 */
int trace_attach_file(struct trace *t, const struct trace_sites *s, struct fault *f);

/*
 * Makes pid a target, or replaces what is known of it; counts are kept if it already was one, and
 * its RSS is (re)read exactly from the kernel's counters.
 */
int trace_set_target(struct trace *t, pid_t pid, const struct pmt_target *what, struct fault *f);
int trace_remove_target(struct trace *t, pid_t pid);

/*
 * Everything counted for pid. Of a process that has ended, what was seen last, until
 * trace_remove_target. ESRCH: no target.
 */
struct trace_counts {
	struct rss rss;	      /* bytes, as the rss_stat events left them */
	struct rss rss_exact; /* bytes, the kernel's counters read now: the figure to show */
	struct pmt_counts counts;
	uint64_t rss_events, rss_foreign; /* since it became a target, across exec */
	int64_t rss_begin;		  /* bytes resident when it became a target */
	int64_t seen_growth, seen_shrink; /* bytes resident that events told of; the same */
	bool ended;
};

int trace_read(struct trace *t, pid_t pid, struct trace_counts *ret, struct fault *f);

/* Sums of the losses map, by enum pmt_loss. */
int trace_read_losses(struct trace *t, uint64_t ret[PMT_LOSS_KINDS]);
const char *trace_loss_text(enum pmt_loss l); /* "fork and exec records dropped" */

/*
 * fork, exec and exit of targets, in the order they happened. fd for poll(); trace_next returns 1
 * and fills ret, 0 when there is none, or -errno.
 */
struct trace_event {
	enum pmt_rec_type type;
	pid_t pid, parent; /* 0 if not visible in this PID namespace */
	uint32_t tgid;	   /* of pid, in the initial one */
	int status;
};

int trace_event_fd(const struct trace *t);
int trace_next(struct trace *t, struct trace_event *ret);

/*
 * A one-shot stop (SIGSTOP) of the target pid at a file offset of a program about to run: its entry
 * point. Announced by PMT_REC_ENTRY. Needs trace_options.programs.
 */
int trace_stop_at(struct trace *t, pid_t pid, int file_fd, uint64_t offset, struct fault *f);

/* What records and sums call a process: its tgid in the initial PID namespace. 0: none such. */
uint32_t trace_tgid(struct trace *t, pid_t pid);

/*
 * Stacks. The sink's functions get each code object's record before any stack with a frame of it;
 * records are borrowed for the call.
 */
struct trace_sink {
	void (*code)(void *ctx, const struct pmt_code_rec *r);
	void (*stack)(void *ctx, const struct pmt_stack_rec *r);
	void (*arena)(void *ctx, const struct pmt_arena_rec *r);
	void (*child)(void *ctx, const struct pmt_child_rec *r);
	void *ctx;
};

/* Whether this kernel tells of an event: tried. If not, *ret_why says what failed. */
bool trace_has_event(enum pmt_stack_event e, const char **ret_why);

/* Whether stacks can be walked here at all. */
bool trace_can_walk(void);

/* Says how to walk in a process; forgotten at its exec. Before that its growth is "not ready". */
int trace_set_walk(struct trace *t, pid_t pid, const struct pmt_walk *w, struct fault *f);

/* fd for poll(); trace_read_stacks hands over what there is. */
int trace_stack_fd(const struct trace *t);
int trace_read_stacks(struct trace *t, const struct trace_sink *sink);

/* What was put down to a stack in one thread, since attach. */
struct trace_sum {
	uint64_t stack;
	uint32_t tgid, tid; /* of the initial PID namespace */
	enum pmt_stack_event event;
	enum pmt_memory memory;
	struct pmt_change change;
	int64_t first_ns, last_ns; /* CLOCK_REALTIME */
	char comm[16];
};

typedef void trace_sum_fn(void *ctx, const struct trace_sum *s);
int trace_read_sums(struct trace *t, trace_sum_fn *each, void *ctx);

/* Forgets all stacks and code objects of a process that has ended: there is room for others. */
void trace_drop_stacks(struct trace *t, uint32_t tgid);

/* Nothing is counted from here on: sums and RSS, as BPF has it, stay as they are. */
void trace_stop(struct trace *t);

/*
 * Function entry and exit. Probes go into the file for one process, or (pid 0) for all that run it;
 * attaching again changes nothing. Sites are borrowed for the call. ENOTSUP: no kind of uprobe.
 */
struct trace_call_site {
	uint64_t offset;
	enum pmt_call_site role;
	bool exclusive;	  /* no other code than this handler's leads to it */
	const char *name; /* for messages */
};

int trace_attach_calls(struct trace *t, pid_t pid, int file_fd, uint64_t dev, uint64_t inode,
		       const char *file_name, const struct trace_call_site *sites, size_t nr,
		       struct fault *f);
/* All of them at once; what was counted stays. */
void trace_detach_calls(struct trace *t);
bool trace_calls_attached(const struct trace *t);

/* While false, hits are only counted (to estimate a cost), and no call is opened. */
void trace_collect_calls(struct trace *t, bool collect);

/* Sums of the map call_counts, by enum pmt_call_count. */
int trace_read_call_counts(struct trace *t, uint64_t ret[PMT_CALL_COUNTS]);
const char *trace_call_count_text(enum pmt_call_count c);

/*
 * What a function did in a thread, open calls as far as they have come. tgid and tid are those of the
 * initial PID namespace; tid 0: threads that have ended, together.
 */
struct trace_call_sum {
	uint32_t tgid, tid, fn; /* fn: id of a code object's record; 0: in no call that is shown */
	uint64_t calls, resumes, returns, yields, unwinds, lost;
	uint64_t open; /* of the calls, those that have not ended */
	uint64_t growth, shrink;
	int64_t total, largest; /* largest: INT64_MIN if no call has ended */
	uint64_t arenas, pools;
	uint64_t self_ns, total_ns;
};

/* Adds one to another, of the same function; tgid, tid and fn stay. */
void trace_add_calls(struct trace_call_sum *to, const struct trace_call_sum *s);

typedef void trace_call_fn(void *ctx, const struct trace_call_sum *s);
int trace_read_calls(struct trace *t, trace_call_fn *each, void *ctx);

/*
 * The log: events in the order they happened in their thread. fd for poll(). trace_read_log() returns 1
 * if there may be more: a program that calls faster than it is read must not keep us for ever.
 */
typedef void trace_log_fn(void *ctx, const struct pmt_call_rec *r);
int trace_log_fd(const struct trace *t);
int trace_read_log(struct trace *t, trace_log_fn *each, void *ctx);
/* The newest event of each thread, written or not. */
int trace_read_last_events(struct trace *t, trace_log_fn *each, void *ctx);

/*
 * What a probe at an instruction costs here, by running one like it: ns per hit, with a program that
 * only counts. length bytes at insn.
 */
int trace_probe_cost(struct trace *t, const uint8_t *insn, size_t length, uint64_t *ret_ns,
		     struct fault *f);

/* How it is attached: "uprobe_multi" or "perf uprobes"; and "exact" or "batched" RSS. */
const char *trace_uprobe_kind(const struct trace *t);
bool trace_rss_is_batched(const struct trace *t); /* kernels < 6.2: steps of 64 pages per thread */

#endif
