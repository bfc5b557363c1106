/* SPDX-License-Identifier: MIT */
/*
 * The processes under `stat` and the one loop over poll(2) that serves them: signals, the interval's
 * timer, the total time, children that are new, and what BPF reports.
 */
#ifndef PMT_CMD_STAT_LOOP_H
#define PMT_CMD_STAT_LOOP_H

#include "cmd/launch.h"
#include "cmd/stat_report.h"
#include "cmd/watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stat_run {
	const struct options *o;
	struct trace *trace;
	struct watched **watched;
	size_t nr;
	struct stat_reporter out;
	struct launch launch;
	bool launched, launch_ended;
	int launch_status;
	int signals, interval, total_time, newborn; /* fds; -1 */
	uint64_t reports;
	bool begun, stop;
	uint64_t not_watched; /* children past MAX_WATCHED */
};

/* Opens the timers and the signals' fd (signals are blocked from here on). 0 or -errno. */
int stat_loop_open(struct stat_run *r, struct fault *f);
void stat_loop_close(struct stat_run *r);

/* Watches pid as well. ret, which may be NULL, gets the entry. */
int stat_loop_add(struct stat_run *r, pid_t pid, uint32_t flags, struct watched **ret,
		  struct fault *f);
struct watched *stat_loop_find(struct stat_run *r, pid_t pid);

/* The states, reports until it is time to end, and the totals. */
void stat_loop_run(struct stat_run *r);

#endif
