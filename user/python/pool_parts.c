/* SPDX-License-Identifier: MIT */
/*
 * First all arenas are read, as often as that takes on a process that runs; then what was read is put
 * into the account, where nothing can be taken back.
 */
#include "python/pool_parts.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "model/account.h"
#include "model/pools.h"
#include "python/internal.h"

#include <errno.h>
#include <string.h>

#define MAX_INTERPRETERS 1024

struct filler {
	struct python *p;
	struct account *account;
	struct pool_stats *facts;
	uint32_t alignment;    /* of blocks, and the step of their sizes */
	uint32_t header_bytes; /* of a pool */
	uint64_t largest;      /* resident bytes of one of the arenas to be returned */
	bool keeps;	       /* another arena (almost) free, so that none of them would be kept */
	bool may_keep;	       /* another that would be so without its survivors */
};

static uint32_t block_bytes(const struct filler *w, const struct py_pool *pool)
{
	return (pool->szidx + 1u) * w->alignment;
}

/*
 * Where the first `bytes` resident bytes of [start, end) end. All of it is resident, but for what the
 * kernel has swapped out or the program has given back by its own means.
 */
static uint64_t resident_end(const struct account *a, uint64_t start, uint64_t end, uint64_t bytes)
{
	uint64_t at = start;

	if (account_resident(a, start, end) == end - start)
		return start + bytes;
	while (at < end) {
		uint64_t stop = min((at | (MEM_PAGE - 1)) + 1, end);
		uint64_t here = account_resident(a, at, stop);

		if (here > bytes)
			return at + bytes;
		bytes -= here;
		at = stop;
	}
	return end;
}

static void add_used(struct filler *w, struct account_area *area, uint64_t at,
		     const struct py_pool *pool)
{
	uint64_t start = at + w->header_bytes, size = block_bytes(w, pool);
	uint64_t blocks_end = start + pool->blocks * size;
	uint64_t used_end = min(at + pool->nextoffset, blocks_end);
	uint64_t live = pool->count * size, live_end;

	/* torn: one of its counters is newer than the other */
	used_end = max(used_end, start);
	live = min(live, used_end - start);
	live_end = resident_end(w->account, start, used_end, live);
	account_part(area, start, live_end, MEMORY_PY_LIVE);
	account_part(area, live_end, used_end, MEMORY_PY_FREE);
	account_part(area, used_end, blocks_end, MEMORY_PY_NEVER);
	w->facts->pools_used++;
	w->facts->live_blocks += pool->count;
	w->facts->live_bytes += live;
	w->facts->free_bytes += used_end - start - live;
	w->facts->never_bytes += blocks_end - used_end;
	w->facts->fills[min(pool->count * POOL_FILLS / pool->blocks, POOL_FILLS - 1)]++;
}

/* Of the blocks once used few are: a pool that is being filled for the first time is not sparse. */
static bool is_sparse(const struct filler *w, const struct py_pool *pool)
{
	uint32_t once =
		(max(pool->nextoffset, w->header_bytes) - w->header_bytes) / block_bytes(w, pool);

	return pool->count * 100u < min(once, pool->blocks) * POOL_SPARSE_PERCENT;
}

static void add_sparse(struct filler *w, uint64_t at, const struct py_pool *pool)
{
	struct pool_stats *f = w->facts;

	f->sparse_pools++;
	f->sparse_blocks += pool->count;
	f->sparse_live_bytes += (uint64_t)pool->count * block_bytes(w, pool);
	f->sparse_resident += account_resident(w->account, at, at + w->p->obmalloc.pool_bytes);
}

/* A pool that nobody uses, or the rest of the arena behind the last one. */
static void add_free(struct filler *w, struct account_area *area, uint64_t at,
		     enum py_pool_state state)
{
	uint64_t end = at + w->p->obmalloc.pool_bytes;

	account_part(area, at, end, MEMORY_PY_FREE_POOLS);
	w->facts->free_pools_resident += account_resident(w->account, at, end);
	if (state == PY_POOL_FREE)
		w->facts->pools_free++;
	else
		w->facts->pools_untouched++;
}

/* An arena that goes, or would if the survivors in its pools did. */
static void add_returned(struct filler *w, uint64_t resident)
{
	w->facts->returned_arenas++;
	w->facts->returned_bytes += resident;
	w->largest = max(w->largest, resident);
}

/*
 * Since 3.9 an arena that becomes free is kept, lest it be taken again at once (bpo-37257), if it is the
 * last in their list: if no other has as many free pools as it had before its last one.
 */
static void keep_one(struct filler *w)
{
	if (!w->facts->returned_arenas || w->keeps || PY_MINOR(w->p->id.version_hex) < 0x0309)
		return;
	/* whether that one gets there before the last of them does */
	if (w->may_keep) {
		w->facts->returned_unsure = w->largest;
		return;
	}
	w->facts->returned_arenas--;
	w->facts->returned_bytes -= w->largest;
}

static int add_arena(struct filler *w, const struct python_arena *a, const struct py_pool *pools)
{
	const struct py_obmalloc *o = &w->p->obmalloc;
	uint64_t end = a->address + o->arena_bytes;
	uint64_t at = (a->address + o->pool_bytes - 1) & ~(uint64_t)(o->pool_bytes - 1);
	bool dense = false, used = false;
	struct account_area *area;
	uint32_t sparse = 0;
	int err;

	err = account_area(w->account, a->address, end, MEMORY_PY_OVERHEAD, NULL, &area);
	if (err)
		return err;
	for (size_t i = 0; i < PY_ARENA_POOLS && at + o->pool_bytes <= end; i++) {
		const struct py_pool *pool = &pools[i];

		if (pool->state == PY_POOL_USED) {
			add_used(w, area, at, pool);
			used = true;
			if (is_sparse(w, pool)) {
				add_sparse(w, at, pool);
				sparse++;
			} else {
				dense = true;
			}
		} else if (pool->state == PY_POOL_FREE || pool->state == PY_POOL_UNTOUCHED) {
			add_free(w, area, at, pool->state);
		} else {
			account_part(area, at, at + o->pool_bytes, MEMORY_PY_LIVE);
			w->facts->pools_lost++;
			dense = true;
		}
		at += o->pool_bytes;
	}
	if (!dense && used)
		add_returned(w, account_resident(w->account, a->address, end));
	else if (a->free_pools + 1 >= a->pools)
		w->keeps = true;
	else if (a->free_pools + sparse + 1 >= a->pools)
		w->may_keep = true;
	w->facts->arenas++;
	return 0;
}

/* The arenas of p->obmalloc. */
static int add_arenas(struct filler *w, struct fault *f)
{
	struct py_arena_list list = {.with_pools = true};
	uint32_t align;
	int err = py_arena_list_read(w->p, &list, f);

	/* a walk finds it out, if there is a pool in use */
	align = w->p->obmalloc.alignment ? w->p->obmalloc.alignment : 16;
	w->alignment = align;
	w->header_bytes = (w->p->layout.pool_header_size + align - 1) / align * align;
	for (size_t i = 0; i < list.nr && !err; i++) {
		err = add_arena(w, &list.arenas[i], list.pools + i * PY_ARENA_POOLS);
		if (err)
			fault_errno(f, -err, "arenas of pid %d", (int)w->p->target->pid);
	}
	if (!err && list.nr)
		w->facts->interpreters++;
	py_arena_list_done(&list);
	return err;
}

/* The state of another interpreter is laid out as the main one's. */
static void move_obmalloc(struct py_obmalloc *o, uint64_t to)
{
	uint64_t by = to - o->state;

	o->state = to;
	o->arenas += by;
	o->maxarenas += by;
	o->narenas += by;
	o->ntimes += by;
	o->highwater += by;
	if (o->map_mid_count) {
		o->map_mid_count += by;
		o->map_bot_count += by;
	}
}

/* Those that do not share the main one's (since 3.12, gh-101659): embedded, or since 3.13 pointed to. */
static int add_others(struct filler *w, struct fault *f)
{
	const struct py_layout *l = &w->p->layout;
	struct py_obmalloc own = w->p->obmalloc;
	uint64_t interp = 0, state;
	int err = 0;

	if (!own.state || l->interp_next == PY_NONE || !py_interpreters_head(w->p) ||
	    mem_read_u64(w->p->mem, py_interpreters_head(w->p), &interp))
		return 0;
	for (int i = 0; interp && i < MAX_INTERPRETERS && !err; i++) {
		state = interp + l->interp_obmalloc;
		if (l->interp_obmalloc_size == 8 && mem_read_u64(w->p->mem, state, &state))
			break;
		if (state && state != own.state) {
			move_obmalloc(&w->p->obmalloc, state);
			err = add_arenas(w, f);
			w->p->obmalloc = own;
			/* it has just ended, and what it had is anybody's: not a failure */
			if (err != -ENOMEM)
				err = 0;
		}
		if (mem_read_u64(w->p->mem, interp + l->interp_next, &interp))
			break;
	}
	return err;
}

int python_account_pools(struct python *p, struct account *a, struct pool_stats *ret,
			 struct fault *f)
{
	struct pool_stats facts = {0};
	struct filler w = {.p = p, .account = a, .facts = &facts};
	int err;

	if (!p->has_layout || !p->has_obmalloc || !allocator_is_pymalloc(p->id.allocator))
		return fault_set(f, ENOTSUP, "pid %d: pymalloc is not in use", (int)p->target->pid);
	facts.arena_bytes = p->obmalloc.arena_bytes;
	facts.pool_bytes = p->obmalloc.pool_bytes;
	err = add_arenas(&w, f);
	if (!err)
		err = add_others(&w, f);
	if (err)
		return err;
	keep_one(&w);
	*ret = facts;
	return 0;
}
