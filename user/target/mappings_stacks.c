/* SPDX-License-Identifier: MIT */
/*
 * Stacks of threads, for when no C library tells: the mapping that holds a thread's stack pointer.
 *
 *	/proc/4242/task/4243/syscall	202 0x7f.. 0x189 ... 0x7f0c5a7ff0d0 0x7f0c5b00de43
 *	number and arguments of the system call, or -1; stack pointer; instruction
 *
 * A thread that runs at this moment is shown as "running", and its stack stays unknown.
 */
#include "target/mappings_internal.h"

#include "base/cleanup.h"
#include "model/account.h"
#include "target/proc.h"
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MAX_THREADS 65536

/* The last word but one; 0: there is none. */
static uint64_t parse_stack_pointer(const char *text)
{
	const char *last = strrchr(text, ' '), *at = last;

	while (at && at > text && at[-1] != ' ')
		at--;
	return at && at < last ? strtoull(at, NULL, 16) : 0;
}

static int add_stack(const struct maps *maps, pid_t tid, uint64_t pointer, struct account *a)
{
	const struct vma *v = maps_find(maps, pointer);
	char name[32];

	if (!v || v->inode || v->path || v->shared || !v->write)
		return 0;
	snprintf(name, sizeof(name), "thread %d", (int)tid);
	return account_area(a, v->start, v->end, MEMORY_STACK, name, NULL);
}

int add_thread_stacks(const struct target *t, const struct maps *maps, struct account *a)
{
	int fd = openat(t->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	int err = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	for (int i = 0; i < MAX_THREADS && !err && (d = readdir(dir)); i++) {
		_cleanup_free_ char *text = NULL;
		pid_t tid = proc_parse_pid(d->d_name);
		char name[32];

		if (!tid)
			continue;
		snprintf(name, sizeof(name), "%d/syscall", (int)tid);
		if (proc_read(dirfd(dir), name, PROC_SMALL, &text) > 0)
			err = add_stack(maps, tid, parse_stack_pointer(text), a);
	}
	return err;
}
