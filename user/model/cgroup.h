/* SPDX-License-Identifier: MIT */
/*
 * A memory cgroup at one moment, version 1 or 2: what it uses, what it may use, what has happened to it.
 * Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst.
 */
#ifndef PMT_MODEL_CGROUP_H
#define PMT_MODEL_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* A figure the kernel does not give, in bytes and in counts. */
#define CGROUP_UNKNOWN UINT64_MAX
/* "max": there is no limit. */
#define CGROUP_NO_LIMIT (UINT64_MAX - 1)

struct memory_cgroup {
	int version; /* 1, 2; 0: the process is in none that accounts memory */
	char *path;  /* below the root of the hierarchy, as we see it: "/kubepods/..."; owned */
	/*
	 * bytes. limit: the smallest of its own and of those above it, which is what stops it; limit_path
	 * says whose. high: memory.high likewise; in version 1 the soft limit, which stops nothing.
	 */
	uint64_t usage, limit, high, peak;
	char *limit_path; /* NULL: its own; owned. "/..": of one above all that we see */
	/*
	 * Until the first of these limits is reached: each is lessened by what is used of it, so that it
	 * need not be the smallest. room_path as limit_path; room_high: it is a memory.high.
	 */
	uint64_t room;
	char *room_path; /* owned */
	bool room_high;
	uint64_t swap_usage, swap_limit;    /* limit: in version 1 of memory and swap together */
	uint64_t anon, file, kernel, shmem; /* of usage, memory.stat */
	uint64_t file_inactive;		    /* page cache that goes first under pressure */
	/* since it was made: memory.events, memory.failcnt, memory.oom_control */
	uint64_t events_high, events_max, events_oom, events_oom_kill;
	uint64_t pressure_some_us, pressure_full_us; /* memory.pressure, totals */
	uint32_t processes; /* in it and below it; 0: not known, or not asked for */
};

void memory_cgroup_done(struct memory_cgroup *c);

/* What it uses less the page cache that it would lose first: that is no reason to be stopped. */
uint64_t memory_cgroup_kept(const struct memory_cgroup *c);

/* Until its room is used up, if it grows so fast; INFINITY if it has no limit, or does not grow. */
double memory_cgroup_seconds_left(const struct memory_cgroup *c, double bytes_per_second);

#endif
