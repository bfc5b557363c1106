/* SPDX-License-Identifier: MIT */
/*
 * Whether a memory cgroup grows steadily, and how fast: a line through the newest readings of a series.
 * Said only where it can be relied on; a step, a sawtooth, noise, and what is about to level off are no
 * steady growth.
 */
#ifndef PMT_MODEL_CGROUP_RATE_H
#define PMT_MODEL_CGROUP_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_cgroup;

#define CGROUP_RATE_READINGS 16

/* Zeroed: no reading yet. */
struct cgroup_rate {
	size_t nr;
	/* the newest last */
	int64_t time_ns[CGROUP_RATE_READINGS];
	uint64_t bytes[CGROUP_RATE_READINGS];
};

struct cgroup_growth {
	double bytes_per_second;
	double error; /* one standard error of it */
};

/*
 * What memory_cgroup_kept() says of it then. A time that is not behind the one before, and a reading
 * that tells nothing, begin a new series.
 */
void cgroup_rate_add(struct cgroup_rate *r, int64_t time_ns, const struct memory_cgroup *c);

/* The same of bytes of anything. */
void cgroup_rate_add_bytes(struct cgroup_rate *r, int64_t time_ns, uint64_t bytes);

/* False: it does not grow steadily, or it is too early to tell. */
bool cgroup_rate_steady(const struct cgroup_rate *r, struct cgroup_growth *ret);

#endif
