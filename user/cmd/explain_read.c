/* SPDX-License-Identifier: MIT */
/*
 * The first to claim an area has it, so those who know most are asked first: pymalloc, the data stacks of
 * Python's frames, the stacks of threads, the C library's heap, and last what mappings say of themselves.
 * All of it is put on one scan of the page tables, which is where the sum comes from.
 */
#include "cmd/explain_read.h"

#include "base/clock.h"
#include "base/fault.h"
#include "cmd/process.h"
#include "glibc/glibc.h"
#include "model/memory_map.h"
#include "python/pool_parts.h"
#include "python/python.h"
#include "target/cgroup.h"
#include "target/library_mallocs.h"
#include "target/mappings.h"
#include "target/mem.h"
#include "target/resident.h"
#include "target/smaps.h"
#include "target/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READINGS	5
#define PAUSED_READINGS 8	     /* a stop can hit the middle of malloc */
#define ENOUGH_NS	2000000000ll /* a process that takes longer is not read again */

/* What one reading needs and nobody else. */
struct reading {
	struct process *p;
	struct explanation *e;
	struct account *account;
	struct memory_map *map; /* NULL: nobody wants to see it */
	struct maps maps;
	struct mem *mem;
	struct resident resident;
};

static int read_kernel(struct reading *r, struct fault *f)
{
	struct explanation_kernel *k = &r->e->kernel;
	struct smaps_entry rollup;
	struct rss rss;
	int err = target_smaps_rollup(r->p->target, &rollup, f);

	if (!err)
		err = target_rss(r->p->target, &rss, f);
	if (!err)
		err = target_besides(r->p->target, &k->page_tables, &k->hugetlb, f);
	if (err)
		return err;
	r->e->parent_anon = target_parent_anon(r->p->target);
	k->vm_rss = (uint64_t)rss_resident(&rss);
	k->rollup_rss = rollup.rss;
	k->pss = rollup.pss;
	k->shared = rollup.shared_clean + rollup.shared_dirty;
	k->private_clean = rollup.private_clean;
	k->private_dirty = rollup.private_dirty;
	k->anon_huge = rollup.anon_huge;
	k->swap = (uint64_t)rss.swap;
	k->guard = r->resident.guard;
	k->zero = r->resident.zero;
	return 0;
}

static void say_why(char *why, size_t size, const struct fault *f)
{
	snprintf(why, size, "%.*s", (int)size - 1, f->text);
}

static int read_python(struct reading *r, struct fault *f)
{
	struct explanation *e = r->e;
	struct python *python = r->p->python;
	struct fault why = {0};
	int err;

	if (python)
		e->python = *python_id(python);
	if (!r->p->supported) {
		say_why(e->pools_why, sizeof(e->pools_why), &r->p->why);
		return 0;
	}
	err = python_account_pools(python, r->account, &e->pools, &why);
	e->has_pools = !err;
	if (err)
		say_why(e->pools_why, sizeof(e->pools_why), &why);
	if (err == -ENOMEM || err == -ESRCH) {
		*f = why;
		return err;
	}
	/* one that cannot be found is an anonymous mapping like others */
	err = python_account_data_stacks(python, r->account, &why);
	if (err != -ENOMEM)
		return 0;
	*f = why;
	return err;
}

static int read_heap(struct reading *r, struct mappings_hints *hints)
{
	struct explanation *e = r->e;
	struct fault why = {0};
	struct glibc *g = NULL;
	int err = glibc_open(&g, r->p->target, &r->maps, r->mem, &why);

	if (err == -ENOENT)
		hints->malloc = mappings_allocator(&r->maps);
	/* both know stacks of threads; where there is a glibc, it knows them better */
	if (g)
		glibc_stacks(g, r->account);
	if (!err)
		err = glibc_walk(g, r->account, &e->heap, &why);
	e->has_heap = !err;
	if (err)
		say_why(e->heap_why, sizeof(e->heap_why), &why);
	else if (!e->heap.exact)
		snprintf(e->heap_why, sizeof(e->heap_why), "%s", e->heap.why_not);
	snprintf(e->malloc, sizeof(e->malloc), "%s",
		 hints->malloc ? hints->malloc
		 : e->has_heap ? "glibc"
			       : "");
	glibc_close(g);
	return err == -ENOMEM ? err : 0;
}

/* The account's rows borrow their names from it. */
static int take_rows(struct reading *r)
{
	struct explanation *e = r->e;
	struct account_row *rows = NULL;
	size_t nr = 0;
	int err = account_close(r->account, &rows, &nr, &e->total);

	if (!err) {
		e->rows = calloc(nr + 1, sizeof(*e->rows));
		err = e->rows ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < nr && !err; i++) {
		e->rows[i] = (struct explanation_row){
			.kind = rows[i].kind,
			.name = strdup(rows[i].name),
			.bytes = rows[i].bytes,
			.huge = rows[i].huge,
			.exclusive = rows[i].exclusive,
		};
		e->nr_rows = i + 1;
		err = e->rows[i].name ? 0 : -ENOMEM;
	}
	free(rows);
	return err;
}

static int classify(struct reading *r, struct fault *f)
{
	struct mappings_hints hints = {0};
	enum allocator allocator;
	int err = account_take(r->account, &r->resident.runs);

	if (!err)
		err = read_python(r, f);
	if (!err)
		err = read_heap(r, &hints);
	if (!err && r->p->python && !python_read_allocator(r->p->python, &allocator, NULL))
		hints.python_mimalloc =
			allocator == ALLOCATOR_MIMALLOC || allocator == ALLOCATOR_MIMALLOC_DEBUG;
	if (!err)
		err = mappings_account(r->p->target, &r->maps, r->mem, &hints, r->account);
	if (!err)
		err = take_rows(r);
	if (!err && r->map)
		err = memory_map_finish(r->map);
	return err;
}

/* Before it is a zombie a process is without memory for a moment. */
static int no_memory(const struct target *t, struct fault *f)
{
	if (target_kernel_thread(t))
		return fault_set(f, ENOEXEC,
				 "pid %d is a kernel thread: it has no memory of its own",
				 (int)t->pid);
	return fault_set(f, ESRCH, "pid %d has ended", (int)t->pid);
}

static int read_all(struct reading *r, struct fault *f)
{
	struct thread_ids threads = {0};
	int err = target_maps(r->p->target, &r->maps, f);

	if (!err && !r->maps.nr)
		err = no_memory(r->p->target, f);
	if (!err)
		err = target_mem_open(&r->mem, r->p->target, &r->maps, f);
	if (!err)
		err = target_resident(r->p->target, &r->maps, &r->resident, f);
	if (!err)
		err = classify(r, f);
	/* behind all that was read: what it says of the scan before tells whether anything moved */
	if (!err)
		err = read_kernel(r, f);
	if (!err && !target_threads(r->p->target, &threads))
		r->e->threads = (uint32_t)threads.nr;
	thread_ids_done(&threads);
	r->e->time_ns = clock_realtime_ns();
	return err;
}

static int read_once(struct process *p, struct explanation *e, struct memory_map *map,
		     struct fault *f)
{
	struct reading r = {.p = p, .e = e, .account = account_new(), .map = map};
	int err = r.account ? 0 : -ENOMEM;

	if (!err && map) {
		memory_map_done(map);
		memory_map_watch(map, r.account);
	}
	if (!err)
		err = read_all(&r, f);
	if (err == -ENOMEM)
		fault_set(f, ENOMEM, "no memory");
	account_free(r.account);
	resident_done(&r.resident);
	mem_close(r.mem);
	maps_done(&r.maps);
	return err;
}

static int read_paused(struct process *p, struct explanation *e, struct memory_map *map,
		       struct fault *f)
{
	struct pause *stopped = NULL;
	int err = target_pause(&stopped, p->target, f);

	if (err)
		return err;
	err = read_once(p, e, map, f);
	e->pause_ns = target_resume(stopped);
	e->paused = e->pause_ns >= 0;
	return err;
}

/* Did it hold still? */
static bool holds(struct explanation *e)
{
	uint64_t rollup = e->kernel.rollup_rss;
	char *why = e->approximate_why;
	size_t size = sizeof(e->approximate_why);

	e->approximate = true;
	if (rollup != e->total)
		snprintf(why, size, "it grew or shrank by %llu KiB while it was read",
			 (unsigned long long)(rollup > e->total ? rollup - e->total
								: e->total - rollup) >>
				 10);
	else if (e->has_heap && !e->heap.exact && !e->heap.settled)
		snprintf(why, size, "%s", e->heap.why_not);
	else
		e->approximate = false;
	return !e->approximate;
}

/* Whose the anonymous memory may be, where there is much of it. */
static void find_library_mallocs(const struct process *p, struct explanation *e)
{
	uint64_t anonymous = 0;
	struct maps maps = {0};

	for (size_t i = 0; i < e->nr_rows; i++)
		if (e->rows[i].kind == MEMORY_ANONYMOUS)
			anonymous += e->rows[i].bytes;
	if (anonymous < e->total / 100 * ANONYMOUS_PERCENT)
		return;
	if (!target_maps(p->target, &maps, NULL))
		target_library_mallocs(p->target, &maps, e->library_mallocs,
				       sizeof(e->library_mallocs));
	maps_done(&maps);
}

int explain_read(struct process *p, bool pause, struct explanation *ret, struct memory_map *map,
		 struct fault *f)
{
	int64_t end = clock_monotonic_ns() + ENOUGH_NS;
	struct explanation e;
	uint32_t n = 0;
	int err;

	for (;;) {
		e = (struct explanation){.readings = ++n};
		err = pause ? read_paused(p, &e, map, f) : read_once(p, &e, map, f);
		if (err || holds(&e) || n >= (pause ? PAUSED_READINGS : READINGS) ||
		    clock_monotonic_ns() > end)
			break;
		explanation_done(&e);
	}
	if (!err)
		err = target_memory_cgroup(p->target, true, &e.cgroup, f);
	if (err) {
		explanation_done(&e);
		if (err == -ESRCH || target_ended(p->target))
			err = fault_set(f, ESRCH, "pid %d has ended", (int)p->target->pid);
		return err;
	}
	find_library_mallocs(p, &e);
	process_id_copy(&e.process, &p->id);
	*ret = e;
	return 0;
}
