/* SPDX-License-Identifier: MIT */
/*
 * Chunks that are mappings of their own. Nothing lists them; malloc only counts them. Each begins a page:
 *
 *	until 2.42	prev_size 0		size|2 = all of the mapping
 *	2.43		prev_size 0 or 1	size|2 = all of it but the header
 *
 * What an aligned allocation got has a second header further on, and this one stays. Mappings side by
 * side are one stretch here: the kernel merges those of several chunks, and madvise() splits that of one
 * (numpy does, behind the first page). What an area has already (Python's arenas, stacks) is passed over.
 * First the places where a mapping begins or a chunk or an area ends are tried; if these are not all that
 * malloc counts, every MiB behind them and then every 16 KiB: what else maps memory does so in such
 * units; at last every page.
 */
#include "glibc/internal.h"

#include "base/cleanup.h"
#include "model/account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (16ull << 20)
#define COARSE (1ull << 20)
#define FINE   (16ull << 10)

struct chunk {
	uint64_t start, end;
};

struct search {
	struct glibc *g;
	const struct account *account;
	struct chunk *v;
	size_t nr, size;
	uint64_t bytes;
};

static bool can_hold(const struct vma *v)
{
	return !v->inode && !v->shared && v->read && (!v->path || !strncmp(v->path, "[anon:", 6));
}

static bool is_complete(const struct search *s)
{
	uint64_t counted = s->g->par.mmapped_mem;

	if (s->nr != (uint64_t)(uint32_t)s->g->par.n_mmaps)
		return false;
	/* 2.43 adds 16 bytes too many at each mremap() */
	return s->g->layout->mmapped_less ? counted >= s->bytes && (counted - s->bytes) % 16 == 0
					  : counted == s->bytes;
}

/* A chunk at addr that ends by end: its bytes. 0: there is none. */
static int64_t chunk_at(struct search *s, uint64_t addr, uint64_t end)
{
	uint64_t less = s->g->layout->mmapped_less ? CHUNK_HEADER : 0, head[2], size;
	int64_t present = reader_present(s->g->reader, addr, addr + MEM_PAGE);
	int err;

	if (present <= 0)
		return present;
	/* not by way of the pages kept: each of these is looked at once */
	err = mem_read_present(s->g->mem, addr, head, sizeof(head));
	if (err)
		return err == -ESRCH ? err : 0;
	size = (head[1] & ~(uint64_t)CHUNK_FLAGS) + less;
	if ((head[1] & CHUNK_FLAGS) != IS_MMAPPED || size % MEM_PAGE || size < MEM_PAGE ||
	    size > end - addr || head[0] > (less ? 1 : 0))
		return 0;
	return (int64_t)size;
}

static int add_chunk(struct search *s, uint64_t start, uint64_t size)
{
	if (s->nr == s->size) {
		size_t more = s->size ? s->size * 2 : 64;
		struct chunk *v = reallocarray(s->v, more, sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->size = more;
	}
	s->v[s->nr++] = (struct chunk){start, start + size};
	s->bytes += size;
	return 0;
}

/* From `at` on one after the other; *ret_end: where the last ends. */
static int chain(struct search *s, uint64_t at, uint64_t end, uint64_t *ret_end)
{
	int64_t size;
	int err = 0;

	while (!err && at < end) {
		size = chunk_at(s, at, end);
		if (size <= 0) {
			err = (int)size;
			break;
		}
		err = add_chunk(s, at, (uint64_t)size);
		at += (uint64_t)size;
	}
	*ret_end = at;
	return err;
}

/*
 * From *at on, one place every step as long as it is below stop. *at: behind the last chunk found, if that
 * reaches further.
 */
static int every(struct search *s, uint64_t step, uint64_t *at, uint64_t stop, uint64_t end)
{
	int err = 0;

	while (!err && *at < stop && !is_complete(s)) {
		uint64_t leap = WINDOW, next = account_unclaimed(s->account, *at);

		if (next > *at) {
			*at = next;
			continue;
		}
		/* a terabyte without a page is passed over in leaps */
		while (next < stop && !account_resident(s->account, next, min(stop, next + leap))) {
			next += min(leap, (stop - next + step - 1) / step * step);
			leap *= 2;
		}
		if (next == *at) {
			err = chain(s, *at, end, &next);
			next = next > *at ? next : *at + step;
		}
		*at = next;
	}
	return err;
}

/* Chunks and areas next to each other, from where a mapping begins. */
static int beside_areas(struct search *s, uint64_t *at, uint64_t end)
{
	uint64_t begun, next;
	int err;

	do {
		begun = account_unclaimed(s->account, *at);
		err = chain(s, begun, end, at);
		next = account_unclaimed(s->account, *at);
	} while (!err && *at > begun && next > *at && next < end);
	return err;
}

/* What no thread's heap has of v; chunks may reach up to end. step: 0, only where it begins. */
static int search_mapping(struct search *s, const struct vma *v, uint64_t step, uint64_t *at,
			  uint64_t end)
{
	int err = 0;

	*at = max(*at, v->start);
	while (*at < v->end && !err) {
		const struct heap *h = glibc_heap_at(s->g, *at);
		const struct heap *behind = glibc_heap_behind(s->g, *at);
		uint64_t stop = behind ? min(v->end, behind->start) : v->end;

		if (h) {
			*at = h->end;
		} else if (step) {
			err = every(s, step, at, stop, end);
			*at = max(*at, stop);
		} else {
			return *at == v->start ? beside_areas(s, at, end) : 0;
		}
	}
	return err;
}

static int search(struct search *s, uint64_t step)
{
	const struct maps *maps = s->g->maps;
	int err = 0;

	s->nr = 0;
	s->bytes = 0;
	for (size_t i = 0; i < maps->nr && !err; i++) {
		uint64_t at = 0;
		size_t last = i;

		if (!can_hold(&maps->v[i]))
			continue;
		while (last + 1 < maps->nr && can_hold(&maps->v[last + 1]) &&
		       maps->v[last + 1].start == maps->v[last].end)
			last++;
		for (; i <= last && !err; i++)
			err = search_mapping(s, &maps->v[i], step, &at, maps->v[last].end);
		i = last;
	}
	return err;
}

int glibc_mmapped(struct glibc *g, struct account *a, char *why, size_t why_size)
{
	static const uint64_t steps[] = {0, COARSE, FINE, MEM_PAGE};
	struct search s = {.g = g, .account = a};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && !err && (!i || !is_complete(&s)); i++)
		err = search(&s, steps[i]);
	if (!err && !is_complete(&s))
		snprintf(why, why_size,
			 "%zu mmapped chunks with %" PRIu64
			 " bytes were found, not %d with %" PRIu64,
			 s.nr, s.bytes, g->par.n_mmaps, g->par.mmapped_mem);
	for (size_t i = 0; i < s.nr && !err; i++)
		err = account_area(a, s.v[i].start, s.v[i].end, MEMORY_MMAPPED, NULL, NULL);
	free(s.v);
	return err;
}
