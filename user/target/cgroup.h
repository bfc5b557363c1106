/* SPDX-License-Identifier: MIT */
/* The memory cgroup that a process is in. */
#ifndef PMT_TARGET_CGROUP_H
#define PMT_TARGET_CGROUP_H

#include <stdbool.h>

struct fault;
struct memory_cgroup;
struct target;

/*
 * Reads it from the cgroup file systems that we see mounted (version 2, or the memory controller of version
 * 1; both may be there, then the one that accounts memory). No such cgroup, or not to be seen from
 * here, is no error: version is 0. count: its processes too, for which every cgroup below it is read.
 * Caller: memory_cgroup_done(). -ESRCH, -ENOMEM
 */
int target_memory_cgroup(const struct target *t, bool count, struct memory_cgroup *ret,
			 struct fault *f);

#endif
