/* SPDX-License-Identifier: MIT */
/*
 * One process under `stat`: what is attached to it, the moment it was first seen and the newest one,
 * and how two moments make a report.
 */
#ifndef PMT_CMD_WATCH_H
#define PMT_CMD_WATCH_H

#include "cmd/process.h"
#include "model/report.h"
#include "trace/trace.h"

#include <stdbool.h>

struct options;
struct trace;

/* State and events of one moment. */
struct moment {
	struct snapshot snap;
	struct trace_counts counts;
	bool anchored; /* no arena event happened while the state was read: both can be compared */
	uint64_t arenas_effective; /* calls that gave an arena by then, as far as known */
};

enum watch_phase {
	WATCH_IDLE,	/* no Python in it (a shell, a shim); its RSS is not reported */
	WATCH_STARTING, /* Python, not initialised yet: probes are in, state cannot be read */
	WATCH_RUNNING,	/* reports can be made */
	WATCH_ENDED,
};

#define WATCH_STATUS_UNKNOWN (-1) /* its record was lost */

/* Where events and state were first known to agree: from there on the one predicts the other. */
struct event_chain {
	bool begun;
	uint64_t ntimes;    /* arenas allocated total, from state */
	uint64_t effective; /* moment.arenas_effective */
};

struct watched {
	struct process process;
	enum watch_phase phase;
	bool left_out;	   /* by --include or --exclude */
	bool asked;	   /* by -p */
	uint32_t flags;	   /* pmt_target_flags that are ours to keep: PMT_FOLLOW, ... */
	bool arena_events; /* probes are in, and they are CPython's own arena allocator */
	bool pool_events;
	bool from_start; /* watched from its first instruction: the base is nothing at all */
	bool has_base;
	bool announced;		   /* header and state line are out */
	bool answered;		   /* ... or were, of a program that it ran before */
	bool total_done;	   /* its total has been reported */
	int64_t loading_until_ns;  /* after exec: libraries may still be mapped (monotonic) */
	int wait_status;	   /* once ended, or WATCH_STATUS_UNKNOWN */
	uint64_t arenas_at_end;	   /* once ended: the last state plus the events after it */
	bool rss_only;		   /* its allocator's state is not read */
	bool sampled;		   /* in this round: prev and last make a report */
	struct trace_counts start; /* from_start: when its program had not begun */
	struct moment base, prev, last;
	struct event_chain chain;
	uint64_t state_disagreed;
};

/* Makes pid a target and attaches to its interpreter. Errors only if it cannot be watched at all. */
int watch_open(struct watched *w, struct trace *t, pid_t pid, const struct options *o,
	       uint32_t flags, struct fault *f);

/*
 * Looks at what runs in it now (again): after exec, or while an interpreter starts. Keeps the
 * target's flags.
 */
int watch_look(struct watched *w, struct trace *t, const struct options *o, struct fault *f);

/* Reads a moment. The first becomes the base; each becomes `last`. Returns the one before in prev. */
int watch_sample(struct watched *w, struct trace *t, const struct options *o, struct moment *prev,
		 struct fault *f);

/* As well as can be after its end: counts and RSS as last seen, the state of the last moment. */
void watch_end(struct watched *w, struct trace *t);

/* What changed from one moment to another. */
void watch_change(const struct watched *w, const struct moment *from, const struct moment *to,
		  struct report_change *ret);

void moment_done(struct moment *m);
void watch_done(struct watched *w);

#endif
