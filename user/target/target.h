/* SPDX-License-Identifier: MIT */
/*
 * One live process, held so that a reused PID cannot be mistaken for it: an fd of /proc/PID (every
 * file below is opened from it) and a pidfd.
 */
#ifndef PMT_TARGET_TARGET_H
#define PMT_TARGET_TARGET_H

#include "target/maps.h"

#include <stdint.h>
#include <sys/types.h>

struct fault;
struct mem;
struct process_id;
struct rss;

struct target {
	pid_t pid;
	int proc_fd; /* O_PATH|O_DIRECTORY of /proc/PID */
	int pidfd;   /* readable when the process has ended; -1 if the kernel has none */
};

/*
 * Errors: ESRCH no such process (the hint names host PIDs whose innermost namespace PID it is),
 * EPERM (the hint names the capability), EINVAL.
 */
int target_open(struct target **ret, pid_t pid, struct fault *f);
void target_close(struct target *t); /* accepts NULL */

/* True once the process has ended (a zombie counts as ended). */
bool target_ended(const struct target *t);
/* One that has no memory and never had: a process without is about to end. */
bool target_kernel_thread(const struct target *t);

/* Identity: pids, comm, cmdline, exe, container. Caller: process_id_done(). */
int target_identify(const struct target *t, struct process_id *ret, struct fault *f);

/* RssAnon, RssFile, RssShmem, VmSwap of /proc/PID/status, in bytes. */
int target_rss(const struct target *t, struct rss *ret, struct fault *f);

/* RssAnon of its parent, if that runs the same program and so may have forked it; else 0. */
uint64_t target_parent_anon(const struct target *t);

/* VmPTE and HugetlbPages of /proc/PID/status, in bytes: what it has and RSS does not count. */
int target_besides(const struct target *t, uint64_t *ret_page_tables, uint64_t *ret_hugetlb,
		   struct fault *f);

/* /proc/PID/maps. Caller: maps_done(). Bounded: E2BIG past MAPS_MAX mappings. */
int target_maps(const struct target *t, struct maps *ret, struct fault *f);

/*
 * Opens (O_RDONLY|O_CLOEXEC) the file that v maps: the very inode, even if it was replaced on disk
 * or lies in another mount namespace. /proc/PID/map_files first, then /proc/PID/root + path with a
 * check of device and inode. Returns the fd or -errno.
 */
int target_open_mapped(const struct target *t, const struct vma *v, struct fault *f);

/* Opens path as the target sees it (below its root, symlinks resolved inside it). fd or -errno. */
int target_open_path(const struct target *t, const char *path);

/*
 * Its memory. The maps given (may be NULL) tell untouched file pages from untouched anonymous ones;
 * they must outlive the reader.
 */
int target_mem_open(struct mem **ret, const struct target *t, const struct maps *maps,
		    struct fault *f);

/*
 * Stops every thread (PTRACE_SEIZE + PTRACE_INTERRUPT) until target_resume(), or until this process
 * ends in whatever way: the kernel resumes a tracee whose tracer is gone. Invisible to the target's
 * parent. EBUSY if something else traces it; ETIMEDOUT if a thread does not stop within 2 s
 * (nothing is left stopped then).
 */
struct pause;
int target_pause(struct pause **ret, const struct target *t, struct fault *f);
/*
 * Returns how long it was stopped, in ns; -ECHILD: the tracer had been killed, so that the target
 * may have run on before this. Accepts NULL (0).
 */
int64_t target_resume(struct pause *p);

/* PIDs of all processes, ascending, from /proc. Caller frees *ret. Returns the count or -errno. */
int target_list_pids(pid_t **ret);

/* PIDs of pid's present descendants, without pid itself. Caller frees. Count or -errno. */
int target_list_descendants(pid_t pid, pid_t **ret);

/* Threads that are there, ascending by the number that they have themselves. -errno */
struct thread_id {
	pid_t tid, ns_tid; /* the reader's number, and that of the innermost PID namespace */
};
struct thread_ids {
	struct thread_id *v;
	size_t nr;
};
int target_threads(const struct target *t, struct thread_ids *ret);
void thread_ids_done(struct thread_ids *ids);
/* NULL: none has that number. */
const struct thread_id *thread_ids_find(const struct thread_ids *ids, pid_t ns_tid);

/* Since it began, how long its threads waited for a CPU, all together; those that are there. */
int64_t target_run_delay_ns(pid_t pid);

#endif
