/* SPDX-License-Identifier: MIT */
/*
 * pymalloc's state, walked: arenas[] -> the pool headers of each arena -> sums per size class, as
 * _PyObject_DebugMallocStats does in the target.
 *
 * How the walk stays consistent on a running target: each arena (64 pools) is read between two reads
 * of its arena_object, and again if they differ. It counts only if every pool of it is either in use
 * or free (in use + nfreepools == ntotalpools), so narenas * ARENA_SIZE == Total always holds. An
 * arena whose pools come and go faster than the 100 us of a read is taken from the newest attempt
 * that adds up, and counted as unsettled; if none does, it is torn.
 *
 * Everything read is the target's to choose: table sizes, indices and counts are bounded.
 */
#include "python/internal.h"

#include "base/cleanup.h"
#include "base/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ARENAS     (1u << 22) /* 4 TiB of 1 MiB arenas */
#define MAX_POOLS      PY_ARENA_POOLS
#define ARENA_ATTEMPTS 12 /* to read one between two equal reads of its arena_object */
#define TORN_ATTEMPTS  60 /* to read one that adds up at all */
#define TORN_NAP_NS    200000
#define WALK_ATTEMPTS  5

struct arena {
	uint64_t address, pool_address;
	uint32_t nfreepools, ntotalpools;
};

struct counters {
	uint64_t arenas; /* the array */
	uint64_t narenas, ntimes, highwater;
	uint32_t maxarenas;
	uint32_t map_mid, map_bot;
};

/* What one arena adds to the sums. */
struct arena_sums {
	struct size_class classes[STATS_MAX_CLASSES];
	uint64_t used_pools, unread, invalid;
	struct py_pool pools[MAX_POOLS];
};

static int read_counters(struct python *p, struct counters *c)
{
	const struct py_obmalloc *o = &p->obmalloc;
	int err = mem_read_u64(p->mem, o->arenas, &c->arenas);

	if (!err)
		err = mem_read_u32(p->mem, o->maxarenas, &c->maxarenas);
	if (!err)
		err = mem_read_u64(p->mem, o->ntimes, &c->ntimes);
	if (!err)
		err = mem_read_u64(p->mem, o->highwater, &c->highwater);
	c->narenas = UINT64_MAX;
	if (!err && o->narenas)
		err = mem_read_u64(p->mem, o->narenas, &c->narenas);
	c->map_mid = c->map_bot = 0;
	if (!err && o->map_mid_count)
		err = mem_read_u32(p->mem, o->map_mid_count, &c->map_mid);
	if (!err && o->map_bot_count)
		err = mem_read_u32(p->mem, o->map_bot_count, &c->map_bot);
	return err;
}

static uint64_t field64(const uint8_t *object, uint32_t offset)
{
	uint64_t v;

	memcpy(&v, object + offset, sizeof(v));
	return v;
}

static uint32_t field32(const uint8_t *object, uint32_t offset)
{
	uint32_t v;

	memcpy(&v, object + offset, sizeof(v));
	return v;
}

static struct arena arena_decode(const struct python *p, const uint8_t *object)
{
	const struct py_layout *l = &p->layout;

	return (struct arena){
		.address = field64(object, l->arena_address),
		.pool_address = field64(object, l->arena_pool_address),
		.nfreepools = field32(object, l->arena_nfreepools),
		.ntotalpools = field32(object, l->arena_ntotalpools),
	};
}

static bool arena_possible(const struct python *p, const struct arena *a)
{
	const struct py_obmalloc *o = &p->obmalloc;
	uint64_t end = a->address + o->arena_bytes;

	return a->address % MEM_PAGE == 0 && end > a->address && a->pool_address >= a->address &&
	       a->pool_address <= end && a->ntotalpools <= MAX_POOLS &&
	       a->ntotalpools >= MAX_POOLS - 1 && a->nfreepools <= a->ntotalpools;
}

static uint64_t first_pool(const struct python *p, const struct arena *a)
{
	uint64_t mask = p->obmalloc.pool_bytes - 1;

	return (a->address + mask) & ~mask;
}

static bool page_present(const uint64_t *present, uint64_t page)
{
	return present[page / 64] >> (page % 64) & 1;
}

/* block size = POOL_SIZE - maxnextoffset, and also (szidx + 1) * ALIGNMENT */
static void learn_alignment(struct python *p, const uint8_t *header)
{
	const struct py_layout *l = &p->layout;
	uint32_t szidx = field32(header, l->pool_szidx);
	uint32_t size = p->obmalloc.pool_bytes - field32(header, l->pool_maxnextoffset);

	if (szidx < STATS_MAX_CLASSES && size && size % (szidx + 1) == 0 &&
	    (size / (szidx + 1) == 8 || size / (szidx + 1) == 16))
		p->obmalloc.alignment = size / (szidx + 1);
}

static uint32_t pool_overhead(const struct python *p)
{
	uint32_t align = p->obmalloc.alignment ? p->obmalloc.alignment : 16;

	return (p->layout.pool_header_size + align - 1) / align * align;
}

static void add_pool(struct python *p, uint32_t arena_index, const uint8_t *header,
		     struct arena_sums *s, struct py_pool *pool)
{
	const struct py_layout *l = &p->layout;
	uint32_t count = field32(header, l->pool_count);
	uint32_t szidx = field32(header, l->pool_szidx), blocks;

	pool->state = count ? PY_POOL_INVALID : PY_POOL_FREE;
	if (!count)
		return;
	if (!p->obmalloc.alignment)
		learn_alignment(p, header);
	if (!p->obmalloc.alignment || szidx >= 512 / p->obmalloc.alignment ||
	    field32(header, l->pool_arenaindex) != arena_index) {
		s->invalid++;
		return;
	}
	blocks =
		(p->obmalloc.pool_bytes - pool_overhead(p)) / ((szidx + 1) * p->obmalloc.alignment);
	if (count > blocks) {
		s->invalid++;
		return;
	}
	s->classes[szidx].pools++;
	s->classes[szidx].used += count;
	s->classes[szidx].avail += blocks - count;
	s->used_pools++;
	*pool = (struct py_pool){
		.state = PY_POOL_USED,
		.szidx = (uint8_t)szidx,
		.count = (uint16_t)count,
		.blocks = (uint16_t)blocks,
		.nextoffset = field32(header, l->pool_nextoffset),
	};
}

static int read_pools(struct python *p, uint32_t index, const struct arena *a, struct arena_sums *s)
{
	uint64_t present[(1u << 20) / MEM_PAGE / 64 + 1] = {0};
	uint64_t base = first_pool(p, a);
	uint8_t header[64];
	int err;

	memset(s, 0, sizeof(*s));
	if (base >= a->pool_address)
		return 0;
	err = mem_presence(p->mem, base, (a->pool_address - base + MEM_PAGE - 1) / MEM_PAGE,
			   present);
	if (err)
		return err;
	for (uint64_t pool = base; pool < a->pool_address; pool += p->obmalloc.pool_bytes) {
		struct py_pool *found = &s->pools[(pool - base) / p->obmalloc.pool_bytes];

		found->state = PY_POOL_UNREAD;
		if (!page_present(present, (pool - base) / MEM_PAGE)) {
			s->unread++;
			continue;
		}
		err = mem_read_present(p->mem, pool, header, p->layout.pool_header_size);
		if (err)
			return err;
		add_pool(p, index, header, s, found);
	}
	return 0;
}

static bool arena_adds_up(const struct arena *a, const struct arena_sums *s)
{
	return s->used_pools + s->unread + a->nfreepools == a->ntotalpools && !s->invalid;
}

static void list_arena(struct python *p, const struct arena *a, const struct arena_sums *s)
{
	struct python_arena new = {
		.address = a->address,
		.bytes = p->obmalloc.arena_bytes,
		.pools = a->ntotalpools,
		.free_pools = a->nfreepools,
	};

	for (size_t i = 0; i < STATS_MAX_CLASSES; i++)
		new.used_bytes += s->classes[i].used *(i + 1) * p->obmalloc.alignment;
	py_arena_list_add(p->list, &new, s->pools);
}

static void add_arena(struct python *p, const struct arena *a, const struct arena_sums *s,
		      struct malloc_stats *ret, struct read_losses *losses)
{
	if (p->list)
		list_arena(p, a, s);
	ret->arenas_current++;
	ret->unused_pools += a->nfreepools;
	if (a->address & (p->obmalloc.pool_bytes - 1))
		ret->alignment_bytes += p->obmalloc.pool_bytes;
	for (size_t i = 0; i < STATS_MAX_CLASSES; i++) {
		ret->classes[i].pools += s->classes[i].pools;
		ret->classes[i].used += s->classes[i].used;
		ret->classes[i].avail += s->classes[i].avail;
	}
	losses->pools_unread += s->unread;
	losses->pools_invalid += s->invalid;
}

/* The links to neighbours in lists of arenas change with the neighbours: not this arena's state. */
static bool same_arena(const struct arena *a, const struct arena *b)
{
	return a->address == b->address && a->pool_address == b->pool_address &&
	       a->nfreepools == b->nfreepools && a->ntotalpools == b->ntotalpools;
}

/* One arena between two equal reads of its arena_object. -EBUSY: the table itself has moved. */
static int walk_arena(struct python *p, uint64_t table, uint32_t index, struct malloc_stats *ret,
		      struct read_losses *losses)
{
	uint32_t size = p->layout.arena_object_size;
	uint64_t where = table + (uint64_t)index * size;
	struct arena before = {0}, after, best = {0};
	/* its thread may have lost the CPU, or been stopped, inside pymalloc: give it time to go on */
	const struct timespec nap = {.tv_nsec = TORN_NAP_NS};
	struct arena_sums sums, best_sums;
	uint8_t object[128];

	for (int attempt = 0; attempt < (best.address ? ARENA_ATTEMPTS : TORN_ATTEMPTS);
	     attempt++) {
		int err;

		if (attempt >= ARENA_ATTEMPTS)
			nanosleep(&nap, NULL);
		err = mem_read(p->mem, where, object, size);
		if (err)
			return err == -EFAULT ? -EBUSY : err;
		before = arena_decode(p, object);
		if (!before.address)
			return 0; /* released meanwhile */
		if (!arena_possible(p, &before))
			continue;
		err = read_pools(p, index, &before, &sums);
		if (err == -ESRCH || err == -EIO)
			return err;
		if (mem_read(p->mem, where, object, size))
			return -EBUSY;
		after = arena_decode(p, object);
		if (err)
			continue;
		if (same_arena(&before, &after) && arena_adds_up(&before, &sums)) {
			add_arena(p, &before, &sums, ret, losses);
			return 0;
		}
		if (arena_adds_up(&before, &sums)) {
			best = before;
			best_sums = sums;
		} else if (arena_possible(p, &after) && arena_adds_up(&after, &sums)) {
			best = after;
			best_sums = sums;
		}
	}
	if (best.address) {
		add_arena(p, &best, &best_sums, ret, losses);
		losses->arenas_unsettled++;
		return 0;
	}
	if (arena_possible(p, &before) && !read_pools(p, index, &before, &sums))
		add_arena(p, &before, &sums, ret, losses);
	losses->arenas_torn++;
	return 0;
}

static int unreadable(const struct python *p, const char *what, int err, struct fault *f)
{
	int pid = (int)p->target->pid;

	if (err == -ENODATA)
		return fault_set(f, ENODATA, "%s of pid %d is swapped out", what, pid);
	return fault_errno(f, -err, "cannot read %s of pid %d", what, pid);
}

/*
 * 0: one moment. -EAGAIN: complete, but arenas came or went meanwhile. -EBUSY: incomplete, the arena
 * table moved.
 */
static int walk_once(struct python *p, struct malloc_stats *ret, struct read_losses *losses,
		     struct counters *ret_counters, struct fault *f)
{
	uint32_t size = p->layout.arena_object_size;
	_cleanup_free_ uint8_t *objects = NULL;
	struct counters before;
	int err = read_counters(p, &before);

	if (p->list)
		p->list->nr = 0;
	if (err)
		return unreadable(p, "pymalloc's state", err, f);
	if (before.maxarenas > MAX_ARENAS)
		return fault_set(f, EINVAL, "pid %d: %u arenas cannot be", (int)p->target->pid,
				 before.maxarenas);
	objects = malloc((size_t)before.maxarenas * size + 1);
	if (!objects)
		return fault_set(f, ENOMEM, "no memory for %u arena objects", before.maxarenas);
	if (before.maxarenas) {
		err = mem_read(p->mem, before.arenas, objects, (size_t)before.maxarenas * size);
		if (err == -EFAULT)
			return -EBUSY; /* the table has just moved */
		if (err)
			return unreadable(p, "the arena table", err, f);
	}
	for (uint32_t i = 0; i < before.maxarenas; i++) {
		if (!field64(objects + (size_t)i * size, p->layout.arena_address))
			continue;
		err = walk_arena(p, before.arenas, i, ret, losses);
		if (err == -EBUSY)
			return err;
		if (err)
			return fault_errno(f, -err, "cannot read the arenas of pid %d",
					   (int)p->target->pid);
	}
	err = read_counters(p, ret_counters);
	if (err)
		return unreadable(p, "pymalloc's state", err, f);
	if (ret_counters->arenas != before.arenas || ret_counters->ntimes != before.ntimes ||
	    ret_counters->narenas != before.narenas)
		return -EAGAIN; /* arenas came or went: the sums are of no single moment */
	if (ret_counters->narenas != UINT64_MAX && ret_counters->narenas != ret->arenas_current)
		return -EAGAIN;
	return 0;
}

int py_obmalloc_walk(struct python *p, struct malloc_stats *ret, struct read_losses *losses,
		     struct fault *f)
{
	const struct py_obmalloc *o = &p->obmalloc;
	struct counters c = {0};
	bool complete = false;
	int err = -EAGAIN;

	for (int attempt = 0; attempt < WALK_ATTEMPTS && err; attempt++) {
		struct malloc_stats s = {.pymalloc = true};
		struct read_losses l = {0};
		struct counters now;

		err = walk_once(p, &s, &l, &now, f);
		if (err == -EBUSY)
			continue;
		if (err && err != -EAGAIN)
			return err;
		*ret = s;
		*losses = l;
		c = now;
		complete = true;
	}
	if (!complete) {
		fault_set(f, EAGAIN, "pid %d changes its arena table faster than it can be read",
			  (int)p->target->pid);
		fault_hint(f, "--pause stops it for the few milliseconds of a read");
		return -EAGAIN;
	}
	if (!o->alignment)
		p->obmalloc.alignment = 16; /* no pool in use yet */
	ret->threshold = 512;
	ret->alignment = o->alignment;
	ret->nr_classes = 512 / o->alignment;
	ret->arena_bytes = o->arena_bytes;
	ret->pool_bytes = o->pool_bytes;
	ret->arenas_total = c.ntimes;
	ret->arenas_reclaimed = c.ntimes - ret->arenas_current;
	ret->arenas_highwater = c.highwater;
	if (o->map_mid_count) {
		ret->radix = true;
		ret->map_mid_nodes = c.map_mid;
		ret->map_bot_nodes = c.map_bot;
		ret->map_root_bytes = o->map_root_bytes;
		ret->map_mid_bytes = c.map_mid * o->map_mid_bytes;
		ret->map_bot_bytes = c.map_bot * o->map_bot_bytes;
	}
	stats_derive(ret, pool_overhead(p));
	/* arenas kept coming and going: each is right by itself, the sum spans more than a moment */
	losses->moving = err;
	losses->inconsistent = !stats_consistent(ret);
	return 0;
}

int py_obmalloc_validate(struct python *p, struct fault *f)
{
	struct read_losses losses = {0};
	struct malloc_stats s;
	int err = py_obmalloc_walk(p, &s, &losses, f);

	if (err)
		return err;
	if (losses.pools_invalid || (losses.inconsistent && !losses.pools_unread) ||
	    s.arenas_highwater < s.arenas_current || s.arenas_total < s.arenas_highwater)
		return fault_set(f, ENOTSUP,
				 "%s: its allocator state is not where this version has it",
				 p->file.name);
	return 0;
}
