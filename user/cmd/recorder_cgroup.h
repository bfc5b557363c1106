/* SPDX-License-Identifier: MIT */
/*
 * What a memory cgroup counts and no tracepoint tells of: memory.events. It is of all its processes, so
 * that each cgroup counts once, with the first process that was seen in it.
 */
#ifndef PMT_CMD_RECORDER_CGROUP_H
#define PMT_CMD_RECORDER_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

struct options;
struct profile;
struct recorded_cgroup;
struct watched;

struct recorder_cgroups {
	struct recorded_cgroup *cgroups;
	size_t nr;
	bool told; /* that there is nothing to be read */
};

/*
 * Reads that of one process and puts what was counted since it was read first into the process's entry.
 * Of a process that has ended, what was read last stays.
 */
void recorder_cgroup(struct recorder_cgroups *r, struct profile *p, const struct options *o,
		     const struct watched *w);
void recorder_cgroups_done(struct recorder_cgroups *r);

#endif
