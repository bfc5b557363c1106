/* SPDX-License-Identifier: MIT */
/* Time in nanoseconds: to measure with, and to show. */
#ifndef PMT_BASE_CLOCK_H
#define PMT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns_(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* For durations and deadlines. */
static inline int64_t clock_monotonic_ns(void)
{
	return clock_ns_(CLOCK_MONOTONIC);
}

/* Since 1970, UTC: for people and files. */
static inline int64_t clock_realtime_ns(void)
{
	return clock_ns_(CLOCK_REALTIME);
}

#endif
