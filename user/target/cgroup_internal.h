/* SPDX-License-Identifier: MIT */
/* Where the memory cgroup of a process is, in texts, and its figures below an open folder. */
#ifndef PMT_TARGET_CGROUP_INTERNAL_H
#define PMT_TARGET_CGROUP_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

struct memory_cgroup;

/* The hierarchy that has the memory controller, and the path in it, of /proc/PID/cgroup. */
struct cgroup_place {
	int version; /* 0: none is told */
	char *path;  /* owned */
};
int cgroup_parse_place(const char *text, struct cgroup_place *ret);

/* A mount of that hierarchy. */
struct cgroup_mount {
	char *root;  /* what of the hierarchy is mounted there; owned */
	char *point; /* owned */
	uint64_t id;
};
void cgroup_mount_done(struct cgroup_mount *m);

/*
 * The next of a version from *text, of /proc/self/mountinfo, on; of version 1 only one with the memory
 * controller. 1, 0 at the end, -ENOMEM. Caller: cgroup_mount_done().
 */
int cgroup_next_mount(const char **text, int version, struct cgroup_mount *ret);

/* "/x/y" of "/a/x/y" below "/a", "" of "/a", a pointer into path; NULL if it is not below it. */
const char *cgroup_below(const char *path, const char *root);

/*
 * What the cgroup and those above it say; the one that accounts memory may be above too. folder: where
 * the hierarchy is mounted. below: the part of path that is below it. version stays 0 where none
 * accounts memory, or path leads nowhere. count: the processes, too. -ENOMEM
 */
int cgroup_read(int folder, const char *path, const char *below, int version, bool count,
		struct memory_cgroup *ret);

/* Figures of files of a folder. CGROUP_UNKNOWN: there is no such file; CGROUP_NO_LIMIT */
uint64_t cgroup_file_number(int folder, const char *name);
/* All that is not a limit. */
void cgroup_file_figures(int folder, int version, struct memory_cgroup *ret);
/* Processes in it and below; 0: there are too many cgroups to look into. */
uint32_t cgroup_file_processes(int folder);

/* Version 1: of memory and of memory and swap, the smallest of its own and of all above it. */
struct cgroup_hierarchical {
	uint64_t limit, swap_limit;
};
void cgroup_file_hierarchical(int folder, struct cgroup_hierarchical *ret);

#endif
