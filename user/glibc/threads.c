/* SPDX-License-Identifier: MIT */
/*
 * glibc's own lists of threads: struct pthread of each, hence its stack and its TLS. The heads are in the
 * data of the dynamic linker (2.34 and later) or of libpthread: in use, the program's own stacks, and
 * those kept for threads to come.
 *
 *	head <-> list of a thread <-> list of a thread <-> head		(struct pthread + 704)
 *
 * A word is a head if what it points to lies within a struct pthread, which has its own address in two
 * places, and if that points back to the word.
 */
#include "glibc/internal.h"

#include "base/cleanup.h"
#include "model/account.h"
#include "target/target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DATA_MAX   (1u << 20) /* of one library */
#define BSS_MAX	   (64u << 10)
#define SEARCH_MAX (4u << 20) /* of all */

/* struct pthread, 2.31 .. 2.43: tcb, self; list; tid; stackblock, stackblock_size */
enum {
	PTHREAD_SELF = 16,
	PTHREAD_LIST = 704,
	PTHREAD_TID = 720,
	PTHREAD_STACK = 1680,
};

static bool is_thread(struct glibc *g, uint64_t tcb)
{
	uint64_t head[3];

	return tcb % MALLOC_ALIGN == 0 && tcb < ADDRESS_MAX &&
	       !reader_get(g->reader, tcb, head, sizeof(head)) && head[0] == tcb &&
	       head[PTHREAD_SELF / 8] == tcb;
}

static int add_thread(struct glibc *g, uint64_t tcb)
{
	struct thread t = {.tcb = tcb};
	uint64_t stack[2];

	if (!(g->nr_threads & (g->nr_threads - 1))) {
		struct thread *more = reallocarray(
			g->threads, g->nr_threads ? g->nr_threads * 2 : 1, sizeof(*more));

		if (!more)
			return -ENOMEM;
		g->threads = more;
	}
	if (reader_get(g->reader, tcb + PTHREAD_TID, &t.tid, sizeof(t.tid)) ||
	    reader_get(g->reader, tcb + PTHREAD_STACK, stack, sizeof(stack)))
		return 0;
	/* struct pthread is at the stack's upper end; not the main thread's, which has none here */
	if (stack[0] <= tcb && stack[1] <= ADDRESS_MAX && tcb - stack[0] < stack[1]) {
		t.stack = stack[0];
		t.stack_end = stack[0] + stack[1];
	}
	g->threads[g->nr_threads++] = t;
	return 0;
}

/* Each link must point back to where it was come from, so no thread is on two lists. */
static int follow_list(struct glibc *g, uint64_t head, uint64_t at)
{
	uint64_t from = head;

	while (at != head && g->nr_threads < THREADS_MAX) {
		uint64_t links[2];
		int err;

		if (reader_get(g->reader, at, links, sizeof(links)) || links[1] != from ||
		    !is_thread(g, at - PTHREAD_LIST))
			return 0;
		err = add_thread(g, at - PTHREAD_LIST);
		if (err)
			return err;
		from = at;
		at = links[0];
	}
	return 0;
}

static int search_data(struct glibc *g, uint64_t start, uint64_t end, uint64_t *left)
{
	uint64_t words[MEM_PAGE / 8];

	for (uint64_t page = start; page < end && *left; page += MEM_PAGE) {
		int err = reader_get(g->reader, page, words, sizeof(words));

		*left -= MEM_PAGE;
		if (err == -ESRCH)
			return err;
		if (err)
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
			uint64_t head = page + 8ull * i;

			if (words[i] % MALLOC_ALIGN || words[i] < MEM_PAGE || words[i] == head ||
			    !is_thread(g, words[i] - PTHREAD_LIST))
				continue;
			err = follow_list(g, head, words[i]);
			if (err)
				return err;
		}
	}
	return 0;
}

int glibc_read_threads(struct glibc *g)
{
	uint64_t left = SEARCH_MAX;
	int err = 0;

	if (g->has_threads)
		return 0;
	g->nr_threads = 0;
	for (size_t i = 0; i < g->maps->nr && !err; i++) {
		const struct vma *v = &g->maps->v[i];
		const struct vma *bss = i + 1 < g->maps->nr ? v + 1 : NULL;

		if (!v->write || v->shared || (!glibc_is_loader(v) && !glibc_is_libc(v)))
			continue;
		err = search_data(g, v->start, min(v->end, v->start + DATA_MAX), &left);
		if (!err && bss && bss->start == v->end && !bss->inode && bss->write)
			err = search_data(g, bss->start, min(bss->end, bss->start + BSS_MAX),
					  &left);
	}
	g->has_threads = !err;
	return err;
}

/* The number that the reader's side has for a thread of a process in another PID namespace. */
static pid_t outer_tid(const struct thread_ids *ids, int32_t tid)
{
	const struct thread_id *found = thread_ids_find(ids, tid);

	return found ? found->tid : tid;
}

static int add_main_stack(struct glibc *g, struct account *a)
{
	char name[32];
	int err = 0;

	snprintf(name, sizeof(name), "thread %d", g->target ? g->target->pid : 0);
	for (size_t i = 0; i < g->maps->nr && !err; i++) {
		const struct vma *v = &g->maps->v[i];

		if (v->path && !strcmp(v->path, "[stack]"))
			err = account_area(a, v->start, v->end, MEMORY_STACK, name, NULL);
	}
	return err;
}

bool glibc_knows_all_threads(struct glibc *g, int32_t *ret_missing)
{
	struct thread_ids ids = {0};
	_cleanup_free_ bool *found = NULL;
	bool all = true;

	if (!g->target || target_threads(g->target, &ids))
		return true;
	found = calloc(ids.nr + 1, sizeof(*found));
	for (size_t i = 0; i < g->nr_threads && found; i++) {
		const struct thread_id *id = thread_ids_find(&ids, g->threads[i].tid);

		if (id)
			found[id - ids.v] = true;
	}
	for (size_t i = 0; i < ids.nr && found && all; i++) {
		all = found[i];
		*ret_missing = ids.v[i].tid;
	}
	thread_ids_done(&ids);
	return all;
}

int glibc_stacks(struct glibc *g, struct account *a)
{
	struct thread_ids ids = {0};
	int err = glibc_read_threads(g);

	if (!err)
		err = add_main_stack(g, a);
	/* without it their numbers are as the process has them */
	if (!err && g->target && target_threads(g->target, &ids) == -ENOMEM)
		err = -ENOMEM;
	for (size_t i = 0; i < g->nr_threads && !err; i++) {
		const struct thread *t = &g->threads[i];
		const struct vma *v = maps_find(g->maps, t->tcb);
		char name[32] = "unused stacks";

		/* a stack is of one mapping, but for its guard; a lie would claim all memory */
		if (!t->stack || !v)
			continue;
		if (t->tid > 0)
			snprintf(name, sizeof(name), "thread %d", outer_tid(&ids, t->tid));
		err = account_area(a, max(t->stack, v->start), min(t->stack_end, v->end),
				   MEMORY_STACK, name, NULL);
	}
	thread_ids_done(&ids);
	return err;
}
