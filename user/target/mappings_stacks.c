/* SPDX-License-Identifier: MIT */
/*
 * Stacks of threads, for when no C library tells: the mapping that holds a thread's stack pointer.
 *
 *	/proc/4242/task/4243/syscall	202 0x7f.. 0x189 ... 0x7f0c5a7ff0d0 0x7f0c5b00de43
 *	number and arguments of the system call, or -1; stack pointer; instruction
 *
 * A thread that runs at this moment is shown as "running", and its stack stays unknown.
 *
 * What is mapped one below the other and alike is one mapping to the kernel, so that malloc's memory may
 * lie behind the stack. In musl what the thread is lies at the end of its stack:
 *
 *	[guard][stack ... ][struct pthread: self ... map_base map_size ...][keys]
 */
#include "target/mappings_internal.h"

#include "base/cleanup.h"
#include "model/account.h"
#include "target/mem.h"
#include "target/proc.h"
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MAX_THREADS   65536
#define MAX_PAGES     65536 /* that are read, of all stacks */
#define PTHREAD_WORDS 24    /* of musl's struct pthread, where map_base and map_size are among */
#define PAGE_WORDS    (MEM_PAGE / 8)

struct stacks {
	const struct maps *maps;
	struct mem *mem;
	struct account *account;
	unsigned int pages_left;
};

/* The last word but one; 0: there is none. */
static uint64_t parse_stack_pointer(const char *text)
{
	const char *last = strrchr(text, ' '), *at = last;

	while (at && at > text && at[-1] != ' ')
		at--;
	return at && at < last ? strtoull(at, NULL, 16) : 0;
}

/*
 * musl's (src/internal/pthread_impl.h, since 1.1.0 but for the order of what is between): 0 if there is
 * none at w[i], whose address is at; or else where the thread's mapping ends, which begins in guard.
 */
static uint64_t pthread_end(const uint64_t *w, size_t i, uint64_t at, const struct vma *guard)
{
	if (w[i] != at)
		return 0;
	for (size_t k = i + 1; k < i + PTHREAD_WORDS - 1; k++) {
		uint64_t end = w[k] + w[k + 1];

		if (w[k] >= guard->start && w[k] < guard->end && w[k] % MEM_PAGE == 0 &&
		    end % MEM_PAGE == 0 && end > at && end - at <= 2 * MEM_PAGE)
			return end;
	}
	return 0;
}

/* Where the stack above guard ends; the mapping's end: it is not known. */
static uint64_t find_end(struct stacks *s, const struct vma *v, uint64_t pointer,
			 const struct vma *guard)
{
	uint64_t words[2 * PAGE_WORDS], page = pointer & ~(uint64_t)(MEM_PAGE - 1);

	/* a page and the next, as it may lie across */
	if (mem_read(s->mem, page, words + PAGE_WORDS, MEM_PAGE))
		return v->end;
	for (; page < v->end && s->pages_left; page += MEM_PAGE, s->pages_left--) {
		memcpy(words, words + PAGE_WORDS, MEM_PAGE);
		if (page + MEM_PAGE >= v->end ||
		    mem_read(s->mem, page + MEM_PAGE, words + PAGE_WORDS, MEM_PAGE))
			memset(words + PAGE_WORDS, 0, MEM_PAGE);
		for (size_t i = 0; i < PAGE_WORDS; i++) {
			uint64_t end = pthread_end(words, i, page + 8 * i, guard);

			if (end)
				return min(end, v->end);
		}
	}
	return v->end;
}

static uint64_t stack_end(struct stacks *s, const struct vma *v, uint64_t pointer)
{
	const struct vma *guard = maps_find(s->maps, v->start - 1);

	if (!s->mem || !guard || guard->read || guard->write || guard->inode)
		return v->end;
	return find_end(s, v, pointer, guard);
}

static int add_stack(struct stacks *s, pid_t tid, uint64_t pointer)
{
	const struct vma *v = maps_find(s->maps, pointer);
	char name[32];

	if (!v || v->inode || v->path || v->shared || !v->write)
		return 0;
	snprintf(name, sizeof(name), "thread %d", (int)tid);
	return account_area(s->account, v->start, stack_end(s, v, pointer), MEMORY_STACK, name,
			    NULL);
}

int add_thread_stacks(const struct target *t, const struct maps *maps, struct mem *mem,
		      struct account *a)
{
	struct stacks s = {.maps = maps, .mem = mem, .account = a, .pages_left = MAX_PAGES};
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
			err = add_stack(&s, tid, parse_stack_pointer(text));
	}
	return err;
}
