/* SPDX-License-Identifier: MIT */
/*
 * Chunks that are mappings of their own. Nothing lists them; malloc only counts them. Each begins a page:
 *
 *	until 2.42	prev_size 0		size|2 = all of the mapping
 *	2.43		prev_size 0 or 1	size|2 = all of it but the header
 *
 * What an aligned allocation got has a second header further on, and this one stays. Mappings side by
 * side are one stretch here: the kernel merges those of several chunks, and madvise() splits that of one
 * (numpy does, behind the first page). First the places where a mapping begins or a chunk ends are tried;
 * only if these are not all that malloc counts, every page is.
 */
#include "glibc/internal.h"

#include "base/cleanup.h"
#include "model/account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (16ull << 20)

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

/* Every page of [at, end) that no chunk before it has. */
static int every_page(struct search *s, uint64_t at, uint64_t end)
{
	int err = 0;

	while (!err && at < end && !is_complete(s)) {
		uint64_t window = min(end, (at / WINDOW + 1) * WINDOW), next;

		/* a terabyte without a page is passed over in steps of many */
		if (!account_resident(s->account, at, window)) {
			uint64_t step = WINDOW;

			while (window < end &&
			       !account_resident(s->account, window, min(end, window + step))) {
				window = min(end, window + step);
				step *= 2;
			}
			at = window;
			continue;
		}
		err = chain(s, at, end, &next);
		at = next > at ? next : at + MEM_PAGE;
	}
	return err;
}

/* Of the stretch [start, end), mappings first to last: what no thread's heap and no stack has. */
static int search_stretch(struct search *s, size_t first, size_t last, bool all)
{
	uint64_t start = s->g->maps->v[first].start, end = s->g->maps->v[last].end, at = start;
	int err = 0;

	for (size_t i = first; !all && i <= last && !err; i++)
		if (s->g->maps->v[i].start >= at && !glibc_heap_at(s->g, s->g->maps->v[i].start))
			err = chain(s, s->g->maps->v[i].start, end, &at);
	while (all && at < end && !err) {
		const struct heap *h = glibc_heap_at(s->g, at);
		const struct heap *behind = glibc_heap_behind(s->g, at);
		uint64_t stop = behind ? min(end, behind->start) : end;

		if (h) {
			at = h->end;
			continue;
		}
		err = every_page(s, at, stop);
		at = stop;
	}
	return err;
}

static int search(struct search *s, bool all)
{
	const struct maps *maps = s->g->maps;
	int err = 0;

	s->nr = 0;
	s->bytes = 0;
	for (size_t i = 0; i < maps->nr && !err; i++) {
		size_t last = i;

		if (!can_hold(&maps->v[i]))
			continue;
		while (last + 1 < maps->nr && can_hold(&maps->v[last + 1]) &&
		       maps->v[last + 1].start == maps->v[last].end)
			last++;
		err = search_stretch(s, i, last, all);
		i = last;
	}
	return err;
}

int glibc_mmapped(struct glibc *g, struct account *a, char *why, size_t why_size)
{
	struct search s = {.g = g, .account = a};
	int err = search(&s, false);

	if (!err && !is_complete(&s))
		err = search(&s, true);
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
