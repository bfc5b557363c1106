/* SPDX-License-Identifier: MIT */
/*
 * All of malloc's memory in one reading: arenas one after the other, each of them only if it passes its
 * checks, then the mmapped chunks.
 */
#include "glibc/internal.h"

#include "glibc/chunk_log.h"

#include "base/cleanup.h"
#include "model/account.h"
#include "model/heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct reading {
	struct glibc *g;
	struct account *account;
	struct heap_stats *stats;
	uint64_t nr_tcache, tcache_seen;
};

static const enum memory_kind main_kinds[] = {
	[CHUNK_USED] = MEMORY_HEAP_USED,     [CHUNK_FREE] = MEMORY_HEAP_FREE,
	[CHUNK_TCACHE] = MEMORY_HEAP_TCACHE, [CHUNK_OVERHEAD] = MEMORY_HEAP_USED,
	[CHUNK_TOP] = MEMORY_HEAP_TOP,
};

static const enum memory_kind thread_kinds[] = {
	[CHUNK_USED] = MEMORY_ARENA_USED,     [CHUNK_FREE] = MEMORY_ARENA_FREE,
	[CHUNK_TCACHE] = MEMORY_ARENA_TCACHE, [CHUNK_OVERHEAD] = MEMORY_ARENA_OVERHEAD,
	[CHUNK_TOP] = MEMORY_ARENA_TOP,
};

/* The first reason is the one that is told. */
static void not_exact(struct heap_stats *s, const char *why)
{
	s->exact = false;
	if (!s->why_not[0])
		snprintf(s->why_not, sizeof(s->why_not), "%s", why);
}

static int give_parts(struct reading *r, const struct heap *h, const struct chunk_log *log)
{
	bool is_main = r->g->arenas[h->arena].main;
	const enum memory_kind *kinds = is_main ? main_kinds : thread_kinds;
	uint64_t at = h->first, bytes;
	struct account_area *area;
	unsigned int kind;
	size_t pos = 0;
	/* in front of the first chunk: heap_info, malloc_state; of the main heap, alignment */
	int err = account_area(r->account, h->start, h->end,
			       is_main ? MEMORY_HEAP_USED : MEMORY_ARENA_OVERHEAD, NULL, &area);

	while (!err && chunk_log_next(log, &pos, &bytes, &kind)) {
		/* most of it is of the area's own kind */
		if (kind != CHUNK_USED || !is_main)
			account_part(area, at, at + bytes, kinds[kind]);
		at += bytes;
	}
	return err;
}

/* A main heap that cannot be located is wherever the kernel says that the break is. */
static int give_unknown(struct reading *r, const struct arena *a)
{
	int err = 0;

	for (uint32_t i = a->first_heap; i != NO_HEAP && !err; i = r->g->heaps[i].next)
		err = account_area(r->account, r->g->heaps[i].start, r->g->heaps[i].end,
				   MEMORY_HEAP_UNKNOWN, NULL, NULL);
	for (size_t i = 0; i < r->g->maps->nr && a->main && !err; i++) {
		const struct vma *v = &r->g->maps->v[i];

		if (v->path && !strcmp(v->path, "[heap]"))
			err = account_area(r->account, v->start, v->end, MEMORY_HEAP_UNKNOWN, NULL,
					   NULL);
	}
	return err;
}

static void add_stats(struct reading *r, const struct arena *a, const struct walk *w)
{
	struct heap_stats *s = r->stats;

	s->arena += a->system_mem;
	s->fordblks += w->free + a->top_size;
	s->fsmblks += w->fast;
	s->tcache_bytes += w->tcache;
	for (int i = 0; i < HEAP_PINS; i++) {
		s->trim_pinned[i] += w->pinned[i];
		s->trim_bytes += w->pinned[i];
	}
	s->trim_bytes += w->top;
	s->trim_top += w->top;
	s->trim_large += w->large;
	s->largest_free = max(s->largest_free, w->largest_free);
	if (a->main)
		s->keepcost = a->top_size;
	if (a->locked)
		not_exact(s, "a thread was in malloc");
}

/* The heaps of an arena are all walked before any counts. */
static int walk_arena(struct reading *r, struct arena *a, struct chunk_log *logs)
{
	struct glibc *g = r->g;
	uint32_t n = 0;
	struct walk w = {.account = r->account};
	int err = a->why[0] ? 0 : glibc_follow_fastbins(g, a);

	for (uint32_t i = a->first_heap; i != NO_HEAP && !err && !a->why[0]; i = g->heaps[i].next)
		err = glibc_walk_heap(g, &g->heaps[i], &w, &logs[n++]);
	if (!err && a->fast_seen != a->nr_fast)
		arena_fail(a, "the fastbins of arena %#" PRIx64 " have chunks that are none",
			   a->state);
	if (err)
		return err;
	r->tcache_seen += w.nr_tcache;
	if (a->why[0]) {
		r->stats->settled |= a->settled;
		not_exact(r->stats, a->why);
		return give_unknown(r, a);
	}
	n = 0;
	for (uint32_t i = a->first_heap; i != NO_HEAP && !err; i = g->heaps[i].next)
		err = give_parts(r, &g->heaps[i], &logs[n++]);
	add_stats(r, a, &w);
	return err;
}

static int walk_arenas(struct reading *r)
{
	char why[128] = "";
	int err = glibc_follow_tcaches(r->g, &r->nr_tcache, why, sizeof(why));

	for (size_t i = 0; i < r->g->nr_arenas && !err; i++) {
		struct arena *a = &r->g->arenas[i];
		struct chunk_log *logs = calloc(a->nr_heaps + 1u, sizeof(*logs));

		if (!logs)
			return -ENOMEM;
		err = walk_arena(r, a, logs);
		for (uint32_t k = 0; k < a->nr_heaps; k++)
			chunk_log_done(&logs[k]);
		free(logs);
	}
	if (why[0])
		not_exact(r->stats, why);
	if (r->tcache_seen != r->nr_tcache)
		not_exact(r->stats, "the caches of threads have chunks that are none");
	return err;
}

static void start_stats(const struct glibc *g, struct heap_stats *s)
{
	const struct malloc_par *p = &g->par;

	*s = (struct heap_stats){
		.arenas = (uint32_t)g->nr_arenas,
		.hblks = (uint64_t)(uint32_t)p->n_mmaps,
		.hblkhd = p->mmapped_mem,
		.mmap_threshold = p->mmap_threshold,
		.trim_threshold = p->trim_threshold,
		.thresholds_grew = !p->no_dyn_threshold && p->mmap_threshold > HEAP_MAP_DEFAULT,
		.thp_bytes = p->thp_pagesize,
		.exact = true,
	};
	memcpy(s->version, g->version, sizeof(s->version));
	if (!g->ring_closed)
		not_exact(s, "the list of arenas does not end where it begins");
}

int glibc_walk(struct glibc *g, struct account *a, struct heap_stats *ret, struct fault *f)
{
	struct reading r = {.g = g, .account = a, .stats = ret};
	int32_t missing = 0;
	char why[128] = "";
	int err;

	if (!g->in_use)
		return fault_set(f, ENOENT, "glibc's malloc is not in use");
	reader_forget(g->reader);
	g->has_threads = false;
	err = glibc_read_threads(g);
	if (!err)
		err = glibc_read_arenas(g);
	if (err == -ENODATA)
		return fault_set(f, ENODATA, "malloc's own data is not in memory");
	if (err)
		return fault_errno(f, -err, "glibc's heap");
	start_stats(g, ret);
	err = walk_arenas(&r);
	if (!err)
		err = glibc_mmapped(g, a, why, sizeof(why));
	if (err)
		return fault_errno(f, -err, "glibc's heap");
	ret->uordblks = ret->arena - ret->fordblks;
	if (why[0])
		not_exact(ret, why);
	if (!glibc_knows_all_threads(g, &missing)) {
		snprintf(why, sizeof(why), "thread %d is not one of glibc's", missing);
		not_exact(ret, why);
	}
	return 0;
}
