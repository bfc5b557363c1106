/* SPDX-License-Identifier: MIT */
/*
 * What `stat` has to say of one process: where it stands (once, at the start) and what changed in
 * an interval. Plain data; pointers are borrowed and valid for the call that gets the struct.
 */
#ifndef PMT_MODEL_REPORT_H
#define PMT_MODEL_REPORT_H

#include "model/profile.h"
#include "model/snapshot.h"

/*
 * What makes the figures incomplete; all 0 when they are whole. Printed as one line for each that
 * is not 0. read: of the reads of state that the report is made of.
 */
struct report_health {
	uint64_t events_disagreed; /* arena events whose counters contradict the event before */
	uint64_t events_unread;	   /* arena events whose counters could not be read */
	uint64_t state_disagreed;  /* reads of state that contradict the events counted meanwhile */
	uint64_t records_lost;	   /* fork, exec and exit records that did not fit */
	uint64_t targets_lost;	   /* children that could not be watched: map full */
	uint64_t rss_lost;	   /* address spaces whose RSS could not be followed: map full */
	struct read_losses read;
};

bool report_health_any(const struct report_health *h);

struct report_header {
	const struct process_id *process;
	const struct python_id *python;
	uint64_t arena_bytes; /* 0: no pymalloc */
	int64_t interval_ns;
	bool endless; /* no -n, no -d: Ctrl-C ends it */
};

struct report_state {
	int64_t time_ns;
	const struct process_id *process;
	const struct python_id *python;
	struct rss rss;
	const struct malloc_stats *stats; /* NULL: could not be read */
	struct report_health health;
};

/* Where a figure comes from. Counted events are gross; state tells the net change only. */
enum report_source {
	SOURCE_NONE, /* not known */
	SOURCE_EVENTS,
	SOURCE_STATE,
};

struct report_change {
	int64_t time_ns;     /* end of the interval */
	int64_t interval_ns; /* its length */
	bool total;	     /* the interval is the whole time since attach */
	pid_t pid;
	struct rss before, after;

	/* of the main interpreter; pymalloc's own counters tell taken and released exactly too */
	enum report_source arenas;
	uint64_t arenas_taken, arenas_released;
	uint64_t arenas_current; /* at the end */
	/* SOURCE_EVENTS only: */
	uint64_t arenas_failed;			/* calls that returned no arena */
	uint64_t chunks_taken, chunks_released; /* data-stack chunks, since 3.11 */
	uint64_t other_taken, other_released;	/* arenas of other interpreters' own allocators */

	enum report_source pools;
	uint64_t pools_taken; /* SOURCE_EVENTS: gross */
	uint64_t pools_taken_by_class[STATS_MAX_CLASSES];
	uint64_t pools_other; /* SOURCE_EVENTS: of other interpreters' own allocators */
	int64_t pools_net;    /* SOURCE_STATE: pools in use now less before */

	const struct malloc_stats *stats_before, *stats_after; /* NULL: no table */
	const struct profile *who; /* who made RSS change; NULL: not asked */
	uint64_t top;		   /* so many functions of it */
	struct report_health health;
};

/*
 * Anonymous memory outside pymalloc's arenas, present or swapped: at least so much. It is anon +
 * swap less the bytes of all arenas, as if every page of them had been touched; what no one has
 * touched yet counts too little here, never too much.
 */
int64_t report_outside_pymalloc(const struct rss *rss, const struct malloc_stats *s);

#endif
