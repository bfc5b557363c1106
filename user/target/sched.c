/* SPDX-License-Identifier: MIT */
/* How long a process's threads could have run and did not get to. */
#include "target/target.h"

#include "base/cleanup.h"
#include "target/proc.h"

#include <fcntl.h>
#include <stdio.h>

#define MAX_TASKS 256 /* of more threads hardly all wait for a CPU */

/* "141621 59012 2": ns on a CPU, ns waiting for one, how often it ran */
static int64_t delay_of(int task_fd, const char *tid)
{
	_cleanup_free_ char *text = NULL;
	char name[64];
	long long delay;

	snprintf(name, sizeof(name), "%.32s/schedstat", tid);
	if (proc_read(task_fd, name, PROC_SMALL, &text) <= 0 ||
	    sscanf(text, "%*u %lld", &delay) != 1 || delay < 0)
		return 0;
	return delay;
}

int64_t target_run_delay_ns(pid_t pid)
{
	_cleanup_dir_ DIR *tasks = NULL;
	struct dirent *e;
	int64_t sum = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	for (int nr = 0; tasks && nr < MAX_TASKS && (e = readdir(tasks)); nr++)
		if (proc_parse_pid(e->d_name))
			sum += delay_of(dirfd(tasks), e->d_name);
	return sum;
}
