/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/task: the threads of a process, and the numbers they have within its PID namespace.
 */
#include "target/target.h"

#include "base/cleanup.h"
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define THREADS_MAX (1u << 22) /* PID_MAX_LIMIT */

static int compare(const void *x, const void *y)
{
	const struct thread_id *a = x, *b = y;

	return (a->ns_tid > b->ns_tid) - (a->ns_tid < b->ns_tid);
}

/* "task/4712/status"; 0: it has ended meanwhile */
static pid_t inner_tid(const struct target *t, pid_t tid)
{
	_cleanup_free_ char *status = NULL;
	pid_t inner = 0;
	char name[64];

	snprintf(name, sizeof(name), "task/%d/status", tid);
	if (proc_read(t->proc_fd, name, PROC_SMALL, &status) < 0)
		return 0;
	return proc_status_nspid(status, &inner) ? inner : tid;
}

static bool in_namespace(const struct target *t)
{
	_cleanup_free_ char *status = NULL;
	pid_t inner;

	return proc_read(t->proc_fd, "status", PROC_SMALL, &status) >= 0 &&
	       proc_status_nspid(status, &inner) > 1;
}

static int add(struct thread_ids *ids, size_t *size, pid_t tid, pid_t ns_tid)
{
	if (ids->nr >= THREADS_MAX)
		return -E2BIG;
	if (ids->nr == *size) {
		struct thread_id *more;

		*size = *size ? *size * 2 : 64;
		more = reallocarray(ids->v, *size, sizeof(*more));
		if (!more)
			return -ENOMEM;
		ids->v = more;
	}
	ids->v[ids->nr++] = (struct thread_id){.tid = tid, .ns_tid = ns_tid};
	return 0;
}

int target_threads(const struct target *t, struct thread_ids *ret)
{
	int fd = openat(t->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	bool inside = in_namespace(t);
	size_t size = 0;
	struct dirent *e;
	int err = 0;

	*ret = (struct thread_ids){0};
	if (!dir) {
		err = -errno;
		cleanup_fd_(&fd);
		return err;
	}
	while (!err && (e = readdir(dir))) {
		pid_t tid = proc_parse_pid(e->d_name), ns_tid = tid;

		if (tid && inside)
			ns_tid = inner_tid(t, tid);
		if (tid && ns_tid)
			err = add(ret, &size, tid, ns_tid);
	}
	if (err) {
		thread_ids_done(ret);
		return err;
	}
	if (ret->nr)
		qsort(ret->v, ret->nr, sizeof(*ret->v), compare);
	return 0;
}

void thread_ids_done(struct thread_ids *ids)
{
	free(ids->v);
	*ids = (struct thread_ids){0};
}

const struct thread_id *thread_ids_find(const struct thread_ids *ids, pid_t ns_tid)
{
	struct thread_id key = {.ns_tid = ns_tid};

	return ids->nr ? bsearch(&key, ids->v, ids->nr, sizeof(key), compare) : NULL;
}
