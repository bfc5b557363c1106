/* SPDX-License-Identifier: MIT */
/*
 * malloc's arenas and the heaps that each has.
 *
 *	main_arena	one heap, by brk:  sbrk_base [chunk][chunk]...[top]
 *	the others	heaps of up to 64 MiB, aligned to that, from the newest to the oldest:
 *			[heap_info][chunk]...[top] -> prev [heap_info][chunk]...[fencepost] -> prev
 *			[heap_info][malloc_state][chunk]...[fencepost]
 *
 * Where a heap lies is checked against the mappings and against all others before anything in it is
 * believed.
 */
#include "glibc/internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONCONTIGUOUS 2u /* of malloc_state.flags */

struct heap_info {
	uint64_t arena, prev, size;
};

void arena_fail(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	if (a->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
}

void glibc_forget_arenas(struct glibc *g)
{
	for (size_t i = 0; i < g->nr_heaps; i++)
		marks_done(&g->heaps[i].marks);
	free(g->heaps);
	free(g->arenas);
	g->heaps = NULL;
	g->arenas = NULL;
	g->nr_heaps = g->nr_arenas = 0;
}

bool glibc_is_hugetlb(const struct vma *v)
{
	return v->path && !strcmp(v->path, "/anon_hugepage");
}

bool glibc_is_memory(const struct vma *v)
{
	return !v->inode && !v->shared && v->read && v->write &&
	       (!v->path || !strcmp(v->path, "[heap]") || !strncmp(v->path, "[anon:", 6));
}

/* All of it is mapped, for reading and writing, and not of a file. */
static bool is_memory(const struct maps *maps, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct vma *v = maps_find(maps, start);

		if (!v || !glibc_is_memory(v))
			return false;
		start = v->end;
	}
	return true;
}

static int add_heap(struct glibc *g, const struct heap *h)
{
	struct heap *more;

	if (g->nr_heaps >= HEAPS_MAX)
		return -E2BIG;
	if (!(g->nr_heaps & (g->nr_heaps - 1))) {
		more = reallocarray(g->heaps, g->nr_heaps ? g->nr_heaps * 2 : 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		g->heaps = more;
	}
	g->heaps[g->nr_heaps++] = *h;
	g->arenas[h->arena].nr_heaps++;
	return 0;
}

static int read_par(struct glibc *g)
{
	const struct glibc_layout *l = g->layout;
	uint64_t at = g->par_at;
	struct malloc_par *p = &g->par;
	int err = reader_u64(g->reader, at, &p->sbrk_base);

	*p = (struct malloc_par){.sbrk_base = p->sbrk_base};
	if (!err)
		err = reader_u64(g->reader, at + (uint64_t)l->trim_threshold, &p->trim_threshold);
	if (!err)
		err = reader_u64(g->reader, at + (uint64_t)l->mmap_threshold, &p->mmap_threshold);
	if (!err && l->thp_pagesize)
		err = reader_u64(g->reader, at + (uint64_t)l->thp_pagesize, &p->thp_pagesize);
	if (!err)
		err = reader_get(g->reader, at + (uint64_t)l->n_mmaps, &p->n_mmaps, 4);
	if (!err)
		err = reader_get(g->reader, at + (uint64_t)l->no_dyn_threshold,
				 &p->no_dyn_threshold, 4);
	if (!err)
		err = reader_u64(g->reader, at + (uint64_t)PAR_MMAPPED_MEM, &p->mmapped_mem);
	if (!err)
		err = reader_u64(g->reader, at + PAR_TCACHE_COUNT, &p->tcache_count);
	return err;
}

/* mutex and flags; top; system_mem; next */
static int read_state(struct glibc *g, struct arena *a, uint64_t *ret_next)
{
	uint64_t bins = a->state + g->layout->bins, size = 0;
	uint32_t head[2];
	int err = reader_get(g->reader, a->state, head, sizeof(head));

	if (!err)
		err = reader_u64(g->reader, bins + (uint64_t)STATE_TOP, &a->top);
	if (!err)
		err = reader_u64(g->reader, bins + STATE_SYSTEM_MEM, &a->system_mem);
	if (!err && g->layout->has_fastbins)
		err = reader_get(g->reader, a->state + 16, a->fast, sizeof(a->fast));
	if (!err)
		err = reader_u64(g->reader, bins + STATE_NEXT, ret_next);
	if (err)
		return err;
	a->locked = head[0];
	a->contiguous = !(head[1] & NONCONTIGUOUS);
	err = reader_u64(g->reader, a->top + 8, &size);
	if (err == -ESRCH)
		return err;
	a->top_size = size & ~(uint64_t)CHUNK_FLAGS;
	if (err || a->top % MALLOC_ALIGN || a->top >= ADDRESS_MAX || a->top_size % MALLOC_ALIGN ||
	    a->top_size >= ADDRESS_MAX)
		arena_fail(a, "the top of arena %#" PRIx64 " cannot be", a->state);
	return 0;
}

/* Pieces wherever there was room, and nothing that leads from one to the next. */
static void fail_in_pieces(const struct glibc *g, struct arena *a)
{
	const struct vma *v = maps_find(g->maps, a->top);

	/* glibc.malloc.hugetlb=2, since 2.35: "malloc: Add Huge Page support to arenas" */
	arena_fail(a, "the main heap is %s",
		   v && glibc_is_hugetlb(v) ? "in huge pages of hugetlbfs, which are in no RSS"
					    : "not of one piece");
	a->settled = true;
}

static int add_main_heap(struct glibc *g, struct arena *a, uint32_t index)
{
	uint64_t base = g->par.sbrk_base, end = a->top + a->top_size;
	struct heap h = {
		.start = base,
		.end = end,
		.first = (base + MALLOC_ALIGN - 1) & ~(uint64_t)(MALLOC_ALIGN - 1),
		.stop = a->top,
		.has_top = true,
		.arena = index,
	};

	if (a->why[0])
		return 0;
	if (!a->contiguous)
		fail_in_pieces(g, a);
	else if (base >= ADDRESS_MAX || a->top < h.first || end - base != a->system_mem)
		arena_fail(a,
			   "the main heap, %#" PRIx64 "-%#" PRIx64 ", has not the %" PRIu64
			   " bytes it should",
			   base, end, a->system_mem);
	return a->why[0] ? 0 : add_heap(g, &h);
}

/* One heap of a thread arena, and where the one before is. */
static int add_thread_heap(struct glibc *g, struct arena *a, uint32_t index, uint64_t at,
			   uint64_t *ret_prev, uint64_t *ret_size)
{
	struct heap h = {.start = at, .first = at + g->layout->heap_info_bytes, .arena = index};
	struct heap_info info;
	int err = reader_get(g->reader, at, &info, sizeof(info));

	if (err == -ESRCH)
		return err;
	h.end = at + info.size;
	if (err || info.arena != a->state || info.size > HEAP_MAX_SIZE || info.size < MEM_PAGE ||
	    info.size % MEM_PAGE || info.prev % HEAP_MAX_SIZE) {
		arena_fail(a, "the heap at %#" PRIx64 " is none", at);
		return 0;
	}
	if (a->state - at < HEAP_MAX_SIZE)
		h.first = (a->state + g->layout->state_bytes + MALLOC_ALIGN - 1) &
			  ~(uint64_t)(MALLOC_ALIGN - 1);
	h.has_top = a->top - at < HEAP_MAX_SIZE;
	h.stop = h.has_top ? a->top : h.end - CHUNK_HEADER;
	if (h.first > h.stop || h.stop >= h.end || (h.has_top && a->top + a->top_size != h.end)) {
		arena_fail(a, "the heap at %#" PRIx64 " does not end at its top", at);
		return 0;
	}
	*ret_prev = info.prev;
	*ret_size = info.size;
	return add_heap(g, &h);
}

static int add_thread_heaps(struct glibc *g, struct arena *a, uint32_t index)
{
	uint64_t at = a->top / HEAP_MAX_SIZE * HEAP_MAX_SIZE, sum = 0;
	uint64_t own = a->state / HEAP_MAX_SIZE * HEAP_MAX_SIZE;

	if (a->state - own != g->layout->heap_info_bytes)
		arena_fail(a, "arena %#" PRIx64 " is not where one can be", a->state);
	while (at && !a->why[0]) {
		uint64_t prev = 0, size = 0;
		bool last = at == own;
		int err = a->nr_heaps >= ARENAS_MAX
				  ? -E2BIG
				  : add_thread_heap(g, a, index, at, &prev, &size);

		if (err == -E2BIG)
			arena_fail(a, "arena %#" PRIx64 " has too many heaps", a->state);
		else if (err)
			return err;
		if (last == !!prev)
			arena_fail(a, "the heaps of arena %#" PRIx64 " do not end at its own",
				   a->state);
		sum += size;
		at = prev;
	}
	if (sum != a->system_mem)
		arena_fail(a,
			   "the heaps of arena %#" PRIx64 " have %" PRIu64 " bytes, not %" PRIu64,
			   a->state, sum, a->system_mem);
	return 0;
}

static int compare_heaps(const void *x, const void *y)
{
	const struct heap *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->arena > b->arena) - (a->arena < b->arena);
}

/*
 * A ring of heaps, or one of two arenas: the first keeps what is claimed twice. Only then the mappings,
 * or else one heap claimed 65,536 times would be looked up as often.
 */
static void check_heaps(struct glibc *g)
{
	uint64_t end = 0;

	if (g->nr_heaps)
		qsort(g->heaps, g->nr_heaps, sizeof(*g->heaps), compare_heaps);
	for (size_t i = 0; i < g->nr_heaps; i++) {
		struct heap *h = &g->heaps[i];

		if (h->start < end)
			arena_fail(&g->arenas[h->arena],
				   "the heap at %#" PRIx64 " is another's too", h->start);
		else if (!is_memory(g->maps, h->start, h->end))
			arena_fail(&g->arenas[h->arena], "the heap at %#" PRIx64 " is not mapped",
				   h->start);
		end = max(end, h->end);
	}
	for (size_t i = g->nr_heaps; i--;) {
		struct heap *h = &g->heaps[i];

		h->next = g->arenas[h->arena].first_heap;
		g->arenas[h->arena].first_heap = (uint32_t)i;
	}
}

static bool is_known(const struct glibc *g, uint64_t state)
{
	for (size_t i = 0; i < g->nr_arenas; i++)
		if (g->arenas[i].state == state)
			return true;
	return false;
}

static int read_ring(struct glibc *g)
{
	uint64_t next = g->main_arena;

	for (uint32_t i = 0; i < ARENAS_MAX; i++) {
		struct arena *a = &g->arenas[i];
		int err;

		*a = (struct arena){.state = next, .main = !i, .first_heap = NO_HEAP};
		err = read_state(g, a, &next);
		if (err)
			return err == -ENODATA && i ? 0 : err;
		g->nr_arenas++;
		err = a->main ? add_main_heap(g, a, i) : add_thread_heaps(g, a, i);
		if (err)
			return err;
		g->ring_closed = next == g->main_arena;
		if (next % MALLOC_ALIGN || next >= ADDRESS_MAX || is_known(g, next))
			break;
	}
	return 0;
}

int glibc_read_arenas(struct glibc *g)
{
	int err;

	glibc_forget_arenas(g);
	g->ring_closed = false;
	g->arenas = calloc(ARENAS_MAX, sizeof(*g->arenas));
	if (!g->arenas)
		return -ENOMEM;
	err = read_par(g);
	if (!err)
		err = read_ring(g);
	if (!err)
		check_heaps(g);
	return err;
}

/* How many begin at addr or before. */
static size_t nr_until(const struct glibc *g, uint64_t addr)
{
	size_t lo = 0, hi = g->nr_heaps;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (g->heaps[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct heap *glibc_heap_at(const struct glibc *g, uint64_t addr)
{
	size_t n = nr_until(g, addr);

	return n && addr < g->heaps[n - 1].end ? &g->heaps[n - 1] : NULL;
}

const struct heap *glibc_heap_behind(const struct glibc *g, uint64_t addr)
{
	size_t n = nr_until(g, addr);

	return n < g->nr_heaps ? &g->heaps[n] : NULL;
}
