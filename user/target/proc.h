/* SPDX-License-Identifier: MIT */
/*
 * Internal to target/: files of /proc/PID, read whole and bounded, and their two line formats.
 */
#ifndef PMT_TARGET_PROC_H
#define PMT_TARGET_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_SMALL (64u << 10) /* status, stat, comm: a few KiB in practice */

/*
 * Reads name below dirfd to its end. *ret is NUL-terminated (it may also hold NULs) and freed by
 * the caller. Returns the length; -E2BIG: longer than limit; -errno.
 */
ssize_t proc_read(int dirfd, const char *name, size_t limit, char **ret);
/* As proc_read, but what is longer than limit is cut there. */
ssize_t proc_read_head(int dirfd, const char *name, size_t limit, char **ret);

struct proc_stat {
	char state; /* R S D T t Z X ... */
	pid_t ppid;
	bool kernel_thread;
	unsigned int nr_threads;
	uint64_t start_ticks;
};

/* "4242 (a) b) S 1 ...": /proc/PID/stat; comm may hold anything. -EINVAL */
int proc_parse_stat(const char *text, struct proc_stat *ret);
int proc_read_stat(int dirfd, struct proc_stat *ret);

/* The value of "Key:\t..." in /proc/PID/status, as a pointer into it, or NULL. */
const char *proc_status_value(const char *status, const char *key);

/* Numbers of "NSpid:\t4242\t7\n": the innermost one, and how many there are (0: no such line). */
unsigned int proc_status_nspid(const char *status, pid_t *ret_innermost);

/* "4242" -> 4242; 0 if it is not a PID. */
pid_t proc_parse_pid(const char *name);

/*
 * Container id in the text of /proc/PID/cgroup: 64 hex digits, "podUID/HEX", "podUID", "lxc:NAME",
 * "machine:NAME". Returns a new string; NULL outside containers (and when memory is short).
 */
char *proc_container(const char *cgroup);

/* True if PYMEMTRACE_WITHOUT ("name,name") names it: a test of the fallback. */
bool proc_masked(const char *name);

#endif
