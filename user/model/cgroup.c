/* SPDX-License-Identifier: MIT */
#include "model/cgroup.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdlib.h>

void memory_cgroup_done(struct memory_cgroup *c)
{
	free(c->path);
	free(c->limit_path);
	free(c->room_path);
	*c = (struct memory_cgroup){0};
}

/* Files of shmem are not among it. */
static uint64_t gone_first(const struct memory_cgroup *c)
{
	return c->file_inactive == CGROUP_UNKNOWN ? 0 : min(c->file_inactive, c->usage);
}

uint64_t memory_cgroup_kept(const struct memory_cgroup *c)
{
	return c->usage == CGROUP_UNKNOWN ? CGROUP_UNKNOWN : c->usage - gone_first(c);
}

double memory_cgroup_seconds_left(const struct memory_cgroup *c, double bytes_per_second)
{
	if (!c->version || c->room >= CGROUP_NO_LIMIT || !(bytes_per_second > 0))
		return INFINITY;
	return ((double)c->room + (double)gone_first(c)) / bytes_per_second;
}
