/* SPDX-License-Identifier: MIT */
/*
 * Who a process is: PIDs, start time, names, container. All strings are the target's own choice and
 * stay raw here; whoever prints them escapes them.
 */
#include "target/target.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "model/snapshot.h"
#include "target/proc.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define CMDLINE_LIMIT (16u << 10) /* shown to people; an argument list may be megabytes */

/* "python3\0-m\0app\0" -> "python3 -m app"; a title set by the process may have no NUL at all. */
static void join_arguments(char *text, size_t len)
{
	while (len && (!text[len - 1] || text[len - 1] == ' '))
		len--;
	text[len] = 0;
	for (size_t i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
}

/* The link's text; without the kernel's " (deleted)", which only an unlinked file has. */
static char *read_exe(int proc_fd)
{
	static const char deleted[] = " (deleted)";
	const size_t suffix = sizeof(deleted) - 1;
	char path[PATH_MAX + sizeof(deleted)];
	struct stat st;
	ssize_t n;

	n = readlinkat(proc_fd, "exe", path, sizeof(path) - 1);
	if (n < 0)
		return strdup(""); /* kernel threads have none */
	path[n] = 0;
	if ((size_t)n > suffix && !strcmp(path + n - suffix, deleted) &&
	    !fstatat(proc_fd, "exe", &st, 0) && st.st_nlink == 0)
		path[(size_t)n - suffix] = 0;
	return strdup(path);
}

int target_identify(const struct target *t, struct process_id *ret, struct fault *f)
{
	_cleanup_free_ char *status = NULL, *comm = NULL, *cmdline = NULL, *cgroup = NULL;
	struct process_id p = {.pid = t->pid, .ns_pid = t->pid};
	struct proc_stat stat;
	ssize_t n, len = 0;
	int err;

	err = proc_read_stat(t->proc_fd, &stat);
	if (!err) {
		n = proc_read(t->proc_fd, "status", PROC_SMALL, &status);
		err = n < 0 ? (int)n : 0;
	}
	if (!err) {
		n = proc_read_head(t->proc_fd, "comm", PROC_SMALL, &comm);
		err = n < 0 ? (int)n : 0;
	}
	if (!err) {
		len = proc_read_head(t->proc_fd, "cmdline", CMDLINE_LIMIT, &cmdline);
		err = len < 0 ? (int)len : 0;
	}
	if (err == -ESRCH)
		return fault_set(f, ESRCH, "process %d has ended", t->pid);
	if (err)
		return fault_errno(f, -err, "/proc/%d", t->pid);

	p.ppid = stat.ppid;
	p.start_ticks = stat.start_ticks;
	proc_status_nspid(status, &p.ns_pid);
	if (n && comm[n - 1] == '\n')
		comm[n - 1] = 0;
	join_arguments(cmdline, (size_t)len);
	p.exe = read_exe(t->proc_fd);
	if (!p.exe)
		return fault_errno(f, ENOMEM, "process %d", t->pid);
	/* no cgroup file: a kernel without cgroups */
	if (proc_read_head(t->proc_fd, "cgroup", PROC_SMALL, &cgroup) > 0)
		p.container = proc_container(cgroup);
	p.comm = steal_ptr(comm);
	p.cmdline = steal_ptr(cmdline);
	*ret = p;
	return 0;
}
