/* SPDX-License-Identifier: MIT */
/*
 * Each thread's cache of free chunks:
 *
 *	2.31	u16 counts[64]		chunk *entries[64]
 *	2.42	u16 num_slots[76]	chunk *entries[76]	(what still fits: tcache_count - chunks)
 *
 * A pointer to it is in the thread's static TLS, at one distance below the thread pointer for all
 * threads of the process. Which distance is found by looking there for a pointer to a chunk that is such
 * a structure.
 */
#include "glibc/internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TLS_MAX	 (64u << 10)
#define BINS_MAX 76u
#define SEARCHES 16 /* threads whose TLS is searched; in the first of them there is a cache */

struct tcache {
	uint32_t counts[BINS_MAX];
	uint64_t entries[BINS_MAX];
};

struct caches {
	struct glibc *g;
	uint64_t distance; /* below the thread pointer; 0: not known yet */
	unsigned int searches;
	uint64_t nr;
	uint64_t *chunks; /* of one list */
	char *why;
	size_t why_size;
};

/*
 * Of the chunk: 640 bytes and a header, in 2.42 760, in 2.43 16 more for nothing; and 16 if what was left
 * of a free chunk was too small to be one.
 */
static bool is_size_of_cache(const struct glibc *g, uint64_t word)
{
	uint64_t size = word & ~(uint64_t)CHUNK_FLAGS;
	uint64_t least = g->layout->tcache_remaining ? 0x300 : 0x290;

	return size >= least && size - least <= 0x20;
}

/* -ENOENT: there is none at addr */
static int read_cache(struct glibc *g, uint64_t addr, struct tcache *ret)
{
	const struct heap *h = glibc_heap_at(g, addr);
	unsigned int nr = g->layout->tcache_bins;
	uint16_t counts[BINS_MAX];
	uint64_t word;
	int err;

	if (!h || addr % MALLOC_ALIGN || addr - CHUNK_HEADER < h->first || addr >= h->stop)
		return -ENOENT;
	err = reader_u64(g->reader, addr - 8, &word);
	if (!err && !is_size_of_cache(g, word))
		return -ENOENT;
	if (!err)
		err = reader_get(g->reader, addr, counts, nr * sizeof(*counts));
	if (!err)
		err = reader_get(g->reader, addr + nr * sizeof(*counts), ret->entries, nr * 8);
	for (unsigned int i = 0; i < nr && !err; i++) {
		if (g->layout->tcache_remaining && counts[i] > g->par.tcache_count)
			return -ENOENT;
		ret->counts[i] = g->layout->tcache_remaining
					 ? (uint32_t)g->par.tcache_count - counts[i]
					 : counts[i];
		if (ret->counts[i] > g->par.tcache_count || !ret->counts[i] != !ret->entries[i] ||
		    ret->entries[i] % MALLOC_ALIGN)
			return -ENOENT;
	}
	return err == -ENODATA ? -ENOENT : err;
}

/* From the thread pointer downwards: where the C library's variables are, if it was loaded early. */
static int search_tls(struct caches *c, const struct thread *t, struct tcache *ret)
{
	const struct vma *v = maps_find(c->g->maps, t->tcb);
	uint64_t lowest = t->tcb > TLS_MAX ? t->tcb - TLS_MAX : 0, end, at = t->tcb;

	if (!v)
		return -ENOENT;
	end = max(v->start, lowest);
	while (at > end) {
		uint64_t word;
		int err;

		at -= 8;
		err = reader_u64(c->g->reader, at, &word);
		if (err == -ESRCH)
			return err;
		if (!err)
			err = read_cache(c->g, word, ret);
		if (!err)
			c->distance = t->tcb - at;
		if (err != -ENOENT && err != -ENODATA)
			return err;
	}
	return -ENOENT;
}

static int complain(struct caches *c, const struct thread *t, const char *what)
{
	snprintf(c->why, c->why_size, "the cache of thread %d %s", t->tid, what);
	return -EBADMSG;
}

/* All of a list, then its marks: one that is not as long as it says marks nothing. */
static int follow(struct caches *c, const struct thread *t, uint64_t entry, uint32_t nr)
{
	uint32_t n = 0;

	while (entry && n < nr) {
		uint64_t word;
		int err = reader_u64(c->g->reader, entry, &word);

		if (err == -ESRCH)
			return err;
		if (err)
			return complain(c, t, "leads to where no memory is");
		c->chunks[n++] = entry - CHUNK_HEADER;
		entry = glibc_reveal(c->g, entry, word);
	}
	if (entry || n != nr)
		return complain(c, t, "is longer or shorter than it says");
	for (uint32_t i = 0; i < n; i++) {
		int err = glibc_mark(c->g, c->chunks[i], CHUNK_TCACHE);

		if (err == -ENOMEM)
			return err;
		if (err)
			return complain(c, t, "has a chunk that is no free one");
		c->nr++;
	}
	return 0;
}

static int follow_thread(struct caches *c, const struct thread *t)
{
	struct tcache cache;
	uint64_t word = 0;
	int err;

	if (!c->distance) {
		if (c->searches++ >= SEARCHES)
			return 0;
		err = search_tls(c, t, &cache);
		if (err)
			return err == -ENOENT ? 0 : err;
	} else {
		err = reader_u64(c->g->reader, t->tcb - c->distance, &word);
		if (err == -ESRCH)
			return err;
		/* none yet, none any more: NULL, or a constant of the library's */
		if (err || !glibc_heap_at(c->g, word))
			return 0;
		err = read_cache(c->g, word, &cache);
		if (err == -ENOENT)
			return complain(c, t, "is none");
		if (err)
			return err;
	}
	for (unsigned int i = 0; i < c->g->layout->tcache_bins && !err; i++)
		err = follow(c, t, cache.entries[i], cache.counts[i]);
	return err;
}

int glibc_follow_tcaches(struct glibc *g, uint64_t *ret_nr, char *why, size_t why_size)
{
	_cleanup_free_ uint64_t *chunks = calloc(UINT16_MAX, sizeof(*chunks));
	struct caches c = {.g = g, .chunks = chunks, .why = why, .why_size = why_size};
	int err = chunks ? 0 : -ENOMEM;

	if (g->par.tcache_count > UINT16_MAX) {
		snprintf(why, why_size, "tcache_count cannot be");
		return 0;
	}
	/*
	 * The main thread first: it has a cache, and there is no stack below its TLS, where all sorts of
	 * pointers are. The first list that is wrong ends it: what else lies is not worth the time that
	 * it may take.
	 */
	for (int has_stack = 0; has_stack < 2; has_stack++)
		for (size_t i = 0; i < g->nr_threads && !err; i++)
			if (g->threads[i].tid > 0 && !g->threads[i].stack == !has_stack)
				err = follow_thread(&c, &g->threads[i]);
	if (!err && !c.distance && g->par.tcache_count)
		snprintf(why, why_size, "no thread's cache was found");
	*ret_nr = c.nr;
	return err == -ENOMEM || err == -ESRCH ? err : 0;
}
