/* SPDX-License-Identifier: MIT */
/*
 * All processes, a process's descendants, and the explanation of a PID that does not exist: people
 * copy PIDs from a shell inside a container, where they are others than on the host.
 */
#include "target/pids.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PIDS_MAX    (1u << 22) /* PID_MAX_LIMIT */
#define HINT_PIDS   6
#define ID_SHOWN    12		/* of a container's 64 digits, as docker shows it */
#define INIT_PID_NS 4026531836u /* PROC_PID_INIT_INO, the inode of the initial namespace */

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int target_list_pids(pid_t **ret)
{
	_cleanup_free_ pid_t *pids = NULL;
	_cleanup_dir_ DIR *proc = NULL;
	size_t nr = 0, size = 0;
	struct dirent *e;

	proc = opendir("/proc");
	if (!proc)
		return -errno;
	while ((e = readdir(proc))) {
		pid_t pid = proc_parse_pid(e->d_name);

		if (!pid)
			continue;
		if (nr >= PIDS_MAX)
			return -E2BIG;
		if (nr == size) {
			pid_t *bigger;

			size = size ? size * 2 : 256;
			bigger = realloc(pids, size * sizeof(*pids));
			if (!bigger)
				return -ENOMEM;
			pids = bigger;
		}
		pids[nr++] = pid;
	}
	if (nr)
		qsort(pids, nr, sizeof(*pids), compare_pids);
	*ret = steal_ptr(pids);
	return (int)nr;
}

static int open_proc_dir(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int target_list_descendants(pid_t pid, pid_t **ret)
{
	_cleanup_free_ pid_t *pids = NULL, *parents = NULL, *found = NULL;
	_cleanup_free_ bool *in = NULL;
	size_t nr, nr_found = 0;
	int n = target_list_pids(&pids);
	bool more = true;

	if (n < 0)
		return n;
	nr = (size_t)n;
	parents = calloc(nr + 1, sizeof(*parents));
	found = calloc(nr + 1, sizeof(*found));
	in = calloc(nr + 1, sizeof(*in));
	if (!parents || !found || !in)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		_cleanup_fd_ int fd = open_proc_dir(pids[i]);
		struct proc_stat stat;

		/* A zombie's children have been given to another parent already. */
		if (fd >= 0 && !proc_read_stat(fd, &stat) && stat.state != 'Z' && stat.state != 'X')
			parents[i] = stat.ppid;
	}
	/*
	 * One generation per round at worst, most often all in one: children have the higher PIDs
	 * until these wrap around. Every round but the last adds somebody, so this ends.
	 */
	while (more) {
		more = false;
		for (size_t i = 0; i < nr; i++) {
			const pid_t *p;

			if (in[i] || !parents[i] || pids[i] == pid)
				continue;
			p = bsearch(&parents[i], pids, nr, sizeof(*pids), compare_pids);
			if (parents[i] == pid || (p && in[p - pids]))
				in[i] = more = true;
		}
	}
	for (size_t i = 0; i < nr; i++)
		if (in[i])
			found[nr_found++] = pids[i];
	*ret = steal_ptr(found);
	return (int)nr_found;
}

/* "podUID/ID" and "ID" with their hex parts cut to what people compare by eye. */
static void shorten_container(char *buf, size_t size, const char *container)
{
	const char *id = strrchr(container, '/');
	char text[64];

	id = id ? id + 1 : container;
	if (strlen(id) == 64)
		snprintf(text, sizeof(text), "%.*s", ID_SHOWN, id);
	else
		snprintf(text, sizeof(text), "%.40s", id);
	text_escape(buf, size, text, strlen(text));
}

static bool in_pid_namespace(void)
{
	_cleanup_free_ char *status = NULL;
	_cleanup_fd_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	pid_t innermost;

	if (self < 0)
		return false;
	if (!fstatat(self, "ns/pid", &st, 0) && st.st_ino != INIT_PID_NS)
		return true;
	/* more than one number: /proc belongs to an outer namespace than the tool */
	return proc_read(self, "status", PROC_SMALL, &status) > 0 &&
	       proc_status_nspid(status, &innermost) > 1;
}

/* "4242 (container 3f2a9c01b2c3), 4300": processes whose innermost PID is pid. Returns how many. */
static unsigned int name_host_pids(pid_t pid, char *buf, size_t size)
{
	_cleanup_free_ pid_t *pids = NULL;
	int n = target_list_pids(&pids);
	unsigned int nr = 0;
	size_t len = 0;

	buf[0] = 0;
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *status = NULL, *cgroup = NULL, *container = NULL;
		_cleanup_fd_ int fd = open_proc_dir(pids[i]);
		pid_t innermost = 0;
		char id[64];

		if (fd < 0 || proc_read(fd, "status", PROC_SMALL, &status) < 0 ||
		    proc_status_nspid(status, &innermost) < 2 || innermost != pid)
			continue;
		if (nr++ >= HINT_PIDS)
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%d", nr > 1 ? ", " : "", pids[i]);
		if (proc_read(fd, "cgroup", PROC_SMALL, &cgroup) > 0)
			container = proc_container(cgroup);
		if (!container || len >= size)
			goto full;
		shorten_container(id, sizeof(id), container);
		len += (size_t)snprintf(buf + len, size - len, " (container %s)", id);
full:
		len = min(len, size - 1);
	}
	if (nr > HINT_PIDS)
		snprintf(buf + len, size - len, ", and %u more", nr - HINT_PIDS);
	return nr;
}

int pids_fault_missing(pid_t pid, struct fault *f)
{
	char hosts[400];
	unsigned int nr;

	if (!f)
		return -ESRCH;
	fault_set(f, ESRCH, "no process with PID %d", pid);
	nr = name_host_pids(pid, hosts, sizeof(hosts));
	if (access("/proc/self/stat", F_OK))
		fault_hint(f, "/proc is not mounted");
	else if (nr)
		fault_hint(f, "PID %d exists inside containers: host PID%s %s", pid,
			   nr > 1 ? "s" : "", hosts);
	else if (in_pid_namespace())
		fault_hint(
			f,
			"this tool runs inside a PID namespace and sees only its processes, by "
			"their PIDs there: run it on the host, or its container with --pid=host");
	/* Signal 0 finds a process that /proc does not show. */
	else if (!kill(pid, 0) || errno == EPERM)
		fault_hint(f,
			   "the process exists but /proc does not show it: is /proc mounted with "
			   "hidepid, or is it that of another PID namespace?");
	return -ESRCH;
}
