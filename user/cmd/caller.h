/* SPDX-License-Identifier: MIT */
/* What `calls` makes of a loop: probes in what runs Python, a table of functions, logs of threads. */
#ifndef PMT_CMD_CALLER_H
#define PMT_CMD_CALLER_H

#include "base/fault.h"
#include "cmd/call_budget.h"
#include "cmd/call_logs.h"
#include "cmd/call_sites.h"
#include "cmd/enrol.h"
#include "output/sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct calls;
struct collector;
struct listener;
struct loop;
struct options;
struct trace;

struct caller {
	const struct options *o;
	struct enrol enrol;
	struct sink sink;
	struct calls *table;
	struct call_sites sites;
	struct call_budget budget;
	struct call_logs logs;
	struct before_calls *before; /* what was counted of a process before its calls were */
	size_t nr_before;
	pid_t *refused; /* processes that are not probed, as has been said */
	size_t nr_refused, nr_probed;
	struct fault refusal; /* of one that was asked for, before anything began */
	bool begun;
	bool progress; /* a line on the terminal */
	uint64_t shown_entries;
	int64_t began_ns, shown_ns; /* monotonic */
	bool failed;
};

int caller_open(struct caller *r, const struct options *o, struct fault *f);

/* Once there is a session, and before anything is followed. */
int caller_begin(struct caller *r, struct trace *t, struct collector *stacks, struct fault *f);

/*
 * What was there is followed: says what is to be expected, and counts from here on. Errors are those of
 * processes that were asked for.
 */
int caller_start(struct caller *r, struct loop *l, struct fault *f);

/* Writes everything out. Returns the exit status. */
int caller_close(struct caller *r);
void caller_abort(struct caller *r);

extern const struct listener caller_listener;

#endif
