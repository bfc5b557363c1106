/* SPDX-License-Identifier: MIT */
/*
 * The processes under `stat` or `record` and the one loop over poll(2) that serves them: signals, the
 * interval's timer, the total time, children that are new, and what BPF reports. What becomes of it is
 * the listener's.
 */
#ifndef PMT_CMD_LOOP_H
#define PMT_CMD_LOOP_H

#include "cmd/launch.h"
#include "cmd/watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector;
struct loop;

struct listener {
	void (*begin)(void *ctx,
		      struct watched *w); /* its first moment; it may be the second time */
	void (*change)(void *ctx, struct watched *w, const struct moment *prev);
	void (*total)(void *ctx, struct watched *w); /* once for each, at the end */
	void (*exec)(void *ctx,
		     struct watched *w); /* it is another program: the total of the one before */
	void (*end)(void *ctx, struct watched *w); /* it ended: w->wait_status, and its total */
	/* a child whose life was too short to be looked at; NULL: not asked for */
	void (*brief)(void *ctx, pid_t pid, pid_t parent);
	/* what runs in it has been looked at (again), before it goes on; NULL: not asked for */
	void (*follow)(void *ctx, struct watched *w);
	/* after every waking, which the fds of loop.own cause too; NULL: not asked for */
	void (*wake)(void *ctx, struct loop *r);
	void (*problem)(void *ctx, const struct watched *w, const struct fault *f);
	void (*lost)(void *ctx);   /* a process could not be watched */
	void (*flush)(void *ctx);  /* after a round */
	bool (*broken)(void *ctx); /* no use in going on */
};

struct loop {
	const struct options *o;
	const struct listener *listener;
	void *ctx;     /* of the listener */
	bool rss_only; /* moments have no allocator state */
	struct trace *trace;
	struct collector *stacks; /* NULL: none are walked */
	struct watched **watched;
	size_t nr;
	struct launch launch;
	bool launched, launch_ended;
	int launch_status;
	int signals, interval, total_time, newborn; /* fds; -1 */
	int own[2];				    /* the listener's fds; -1 */
	int64_t idle_look_ns; /* when to look again at what is no Python (monotonic) */
	uint64_t reports;
	bool begun, stop;
	bool again;	      /* the listener has more to do: without waiting */
	bool answered;	      /* something was said of any process */
	uint64_t not_watched; /* children past MAX_WATCHED */
};

#define LOOP(options, to, context)                                                       \
	{                                                                                \
		.o = (options), .listener = (to), .ctx = (context),                      \
		.launch = {.go_fd = -1, .failed_fd = -1}, .signals = -1, .interval = -1, \
		.total_time = -1, .newborn = -1, .own = {-1, -1},                        \
	}

/* Opens the timers and the signals' fd (signals are blocked from here on). 0 or -errno. */
int loop_open(struct loop *r, struct fault *f);
void loop_close(struct loop *r);

/* Watches pid as well. ret, which may be NULL, gets the entry. */
int loop_add(struct loop *r, pid_t pid, uint32_t flags, struct watched **ret, struct fault *f);
struct watched *loop_find(struct loop *r, pid_t pid);

/* The states, reports until it is time to end, and the totals. */
void loop_run(struct loop *r);

#endif
