/* SPDX-License-Identifier: MIT */
/*
 * Opening one process, whether it has ended, its maps and its resident set. Everything is read
 * through the fd of /proc/PID: once the process is gone these reads fail with ESRCH, so that a
 * reused PID is never mistaken for the target.
 */
#include "target/target.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "model/snapshot.h"
#include "target/pids.h"
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* 262,144 mappings with paths of 150 bytes; the usual limit (vm.max_map_count) is 65,530. */
#define MAPS_TEXT_LIMIT (64u << 20)

static void cleanup_target(struct target **t)
{
	target_close(*t);
}

static int fault_gone(struct fault *f, pid_t pid)
{
	return fault_set(f, ESRCH, "process %d has ended", pid);
}

static int fault_permission(struct fault *f, pid_t pid)
{
	fault_set(f, EPERM, "no permission to look into process %d", pid);
	fault_hint(f, "run as root, or give the tool CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH "
		      "(in a container: --cap-add SYS_PTRACE)");
	return -EPERM;
}

/*
 * Threads have directories below /proc as well, only readdir() hides them; and a zombie has no
 * memory left to explain.
 */
static int check_process(const struct target *t, struct fault *f)
{
	_cleanup_free_ char *status = NULL;
	_cleanup_fd_ int maps_fd = -1;
	struct proc_stat stat;
	const char *tgid;
	ssize_t n;
	int err;

	n = proc_read(t->proc_fd, "status", PROC_SMALL, &status);
	if (n < 0)
		return n == -ESRCH ? fault_gone(f, t->pid)
				   : fault_errno(f, (int)-n, "/proc/%d/status", t->pid);
	tgid = proc_status_value(status, "Tgid");
	if (tgid && strtol(tgid, NULL, 10) != t->pid) {
		long leader = strtol(tgid, NULL, 10);

		fault_set(f, ESRCH, "%d is a thread, not a process", t->pid);
		fault_hint(f, "it belongs to process %ld", leader);
		return -ESRCH;
	}
	err = proc_read_stat(t->proc_fd, &stat);
	if (err)
		return err == -ESRCH ? fault_gone(f, t->pid)
				     : fault_errno(f, -err, "/proc/%d/stat", t->pid);
	if (target_ended(t)) {
		fault_gone(f, t->pid);
		fault_hint(f, "it waits for its parent, process %d, to take note of that",
			   stat.ppid);
		return -ESRCH;
	}
	maps_fd = openat(t->proc_fd, "maps", O_RDONLY | O_CLOEXEC);
	if (maps_fd < 0 && (errno == EACCES || errno == EPERM))
		return fault_permission(f, t->pid);
	return 0;
}

/*
 * /proc/self names us as that /proc counts: where it differs, every PID in it means another process
 * than to kill(2), ptrace(2) and BPF.
 */
static bool proc_is_foreign(void)
{
	char self[16] = "";

	return readlink("/proc/self", self, sizeof(self) - 1) > 0 && atoi(self) != getpid();
}

int target_open(struct target **ret, pid_t pid, struct fault *f)
{
	_cleanup_(cleanup_target) struct target *t = NULL;
	char path[32];
	int err;

	if (pid <= 0)
		return fault_set(f, EINVAL, "%d is not a process id", pid);
	t = malloc(sizeof(*t));
	if (!t)
		return fault_errno(f, ENOMEM, "process %d", pid);
	*t = (struct target){.pid = pid, .proc_fd = -1, .pidfd = -1};

	if (proc_is_foreign()) {
		fault_set(f, EINVAL, "/proc is not that of this tool's PID namespace");
		fault_hint(f, "mount it there (unshare --mount-proc), or run the tool on the host");
		return -EINVAL;
	}
	snprintf(path, sizeof(path), "/proc/%d", pid);
	t->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->proc_fd < 0 && errno == ENOENT)
		return pids_fault_missing(pid, f);
	if (t->proc_fd < 0)
		return fault_errno(f, errno, "%s", path);
	/*
	 * Since 5.3; -1 where the kernel has none. A PID reused between the two opens is noticed
	 * below: the fd of /proc/PID is then dead. A thread's id gives EINVAL, named below.
	 */
	if (!proc_masked("pidfd"))
		t->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	err = check_process(t, f);
	if (err)
		return err;
	*ret = steal_ptr(t);
	return 0;
}

void target_close(struct target *t)
{
	if (!t)
		return;
	cleanup_fd_(&t->proc_fd);
	cleanup_fd_(&t->pidfd);
	free(t);
}

bool target_ended(const struct target *t)
{
	struct proc_stat stat;

	if (t->pidfd >= 0) {
		struct pollfd p = {.fd = t->pidfd, .events = POLLIN};

		return poll(&p, 1, 0) > 0;
	}
	if (proc_read_stat(t->proc_fd, &stat))
		return true;
	/* A leader that called pthread_exit() is a zombie while its other threads live on. */
	return (stat.state == 'Z' || stat.state == 'X') && stat.nr_threads <= 1;
}

bool target_kernel_thread(const struct target *t)
{
	struct proc_stat stat;

	return !proc_read_stat(t->proc_fd, &stat) && stat.kernel_thread;
}

int target_maps(const struct target *t, struct maps *ret, struct fault *f)
{
	_cleanup_free_ char *text = NULL;
	ssize_t n;
	int err;

	n = proc_read(t->proc_fd, "maps", MAPS_TEXT_LIMIT, &text);
	if (n == -EACCES || n == -EPERM)
		return fault_permission(f, t->pid);
	if (n == -ESRCH || (n == 0 && target_ended(t)))
		return fault_gone(f, t->pid);
	if (n == -E2BIG)
		return fault_set(f, E2BIG, "/proc/%d/maps is longer than %u MiB", t->pid,
				 MAPS_TEXT_LIMIT >> 20);
	if (n < 0)
		return fault_errno(f, (int)-n, "/proc/%d/maps", t->pid);
	err = maps_parse(ret, text, (size_t)n);
	if (err == -E2BIG)
		return fault_set(f, E2BIG, "process %d has more than %u mappings", t->pid,
				 MAPS_MAX);
	if (err)
		return fault_errno(f, -err, "/proc/%d/maps cannot be understood", t->pid);
	return 0;
}

/*
 *   RssAnon:	    1536 kB
 * Kernel threads have no such lines. Since 4.5.
 */
static int64_t status_bytes(const char *status, const char *key)
{
	const char *p = proc_status_value(status, key);

	return p ? (int64_t)(strtoull(p, NULL, 10) << 10) : 0;
}

static int read_status(const struct target *t, char **ret, struct fault *f)
{
	ssize_t n = proc_read(t->proc_fd, "status", PROC_SMALL, ret);

	/* A zombie still has a status, but without these lines: not a process of 0 bytes. */
	if (n == -ESRCH || (n >= 0 && !proc_status_value(*ret, "RssAnon") && target_ended(t)))
		return fault_gone(f, t->pid);
	if (n < 0)
		return fault_errno(f, (int)-n, "/proc/%d/status", t->pid);
	return 0;
}

int target_rss(const struct target *t, struct rss *ret, struct fault *f)
{
	_cleanup_free_ char *status = NULL;
	int err = read_status(t, &status, f);

	if (err)
		return err;
	ret->anon = status_bytes(status, "RssAnon");
	ret->file = status_bytes(status, "RssFile");
	ret->shmem = status_bytes(status, "RssShmem");
	ret->swap = status_bytes(status, "VmSwap");
	return 0;
}

/* A reused PID would be another program, or is as good a guess as the one before. */
uint64_t target_parent_anon(const struct target *t)
{
	_cleanup_free_ char *status = NULL;
	_cleanup_fd_ int parent = -1;
	struct stat ours, theirs;
	struct proc_stat stat;
	char path[32];

	if (proc_read_stat(t->proc_fd, &stat) || stat.ppid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d", (int)stat.ppid);
	parent = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || fstatat(t->proc_fd, "exe", &ours, 0) ||
	    fstatat(parent, "exe", &theirs, 0) || ours.st_dev != theirs.st_dev ||
	    ours.st_ino != theirs.st_ino)
		return 0;
	if (proc_read(parent, "status", PROC_SMALL, &status) < 0)
		return 0;
	return (uint64_t)status_bytes(status, "RssAnon");
}

int target_besides(const struct target *t, uint64_t *ret_page_tables, uint64_t *ret_hugetlb,
		   struct fault *f)
{
	_cleanup_free_ char *status = NULL;
	int err = read_status(t, &status, f);

	if (err)
		return err;
	*ret_page_tables = (uint64_t)status_bytes(status, "VmPTE");
	*ret_hugetlb = (uint64_t)status_bytes(status, "HugetlbPages");
	return 0;
}
