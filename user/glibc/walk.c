/* SPDX-License-Identifier: MIT */
/*
 * The chunks of one heap, from the first to top, in one pass. A chunk's own header tells its size, and
 * the next one's whether it is in use:
 *
 *	prev_size  size|flags  ...............  prev_size  size|flags
 *	^ chunk				        ^ next: PREV_INUSE; if it is clear, prev_size is our size
 *
 *	top heap:	chunk chunk ... top	its size must reach the heap's end
 *	full heap:	chunk chunk ... 0x10|1 0|1	fenceposts in the last bytes
 *
 * Sizes are the process's own words: each step goes upwards, by 16 bytes at least, and ends within the
 * heap, whose place the mappings have confirmed.
 */
#include "glibc/internal.h"

#include "glibc/chunk_log.h"

#include "base/cleanup.h"

#include <errno.h>

/* The chunk before the one whose header is at hand. */
struct last {
	uint64_t at, size; /* 0: there is none */
	enum chunk_kind mark;
};

/* Free memory has ended at a chunk in use: what of it can be had? */
static void end_run(struct walk *w, const struct last *behind)
{
	uint64_t bytes, trim;
	int pin = 0;

	if (!w->run)
		return;
	bytes = behind->at - w->run;
	trim = trim_of_free(w->account, w->run, behind->at);
	while (pin < HEAP_PINS - 1 && min(behind->size, bytes) >= HEAP_PIN_SMALL << pin)
		pin++;
	w->pinned[pin] += trim;
	if (bytes >= HEAP_MAP_DEFAULT)
		w->large += trim;
	w->largest_free = max(w->largest_free, bytes);
	w->run = 0;
}

static int add(struct walk *w, struct chunk_log *log, const struct last *c, enum chunk_kind kind)
{
	switch (kind) {
	case CHUNK_FAST:
		w->fast += c->size;
		__attribute__((fallthrough));
	case CHUNK_FREE:
		w->free += c->size;
		if (!w->run)
			w->run = c->at;
		return chunk_log_add(log, c->size, CHUNK_FREE);
	case CHUNK_TCACHE:
		w->tcache += c->size;
		w->nr_tcache++;
		break;
	case CHUNK_OVERHEAD:
		w->overhead += c->size;
		break;
	case CHUNK_USED:
	case CHUNK_TOP:
		w->used += c->size;
		break;
	}
	end_run(w, c);
	return chunk_log_add(log, c->size, kind);
}

static void fail(struct glibc *g, const struct heap *h, uint64_t at, const char *why)
{
	struct arena *a = &g->arenas[h->arena];

	arena_fail(a, "the chunk at %#" PRIx64 " of arena %#" PRIx64 " %s", at, a->state, why);
}

/* What the header behind it says of the last chunk. */
static int settle(struct glibc *g, const struct heap *h, struct walk *w, struct chunk_log *log,
		  const struct last *c, const uint64_t *next)
{
	if (!c->size)
		return 0;
	if (next[1] & PREV_INUSE) {
		if (c->mark == CHUNK_FAST)
			g->arenas[h->arena].fast_seen++;
		return add(w, log, c, c->size < MIN_CHUNK ? CHUNK_OVERHEAD : c->mark);
	}
	if (c->mark != CHUNK_USED)
		fail(g, h, c->at, "is on two lists");
	else if (next[0] != c->size)
		fail(g, h, c->at, "has another size at its end");
	return add(w, log, c, CHUNK_FREE);
}

static bool can_be(const struct glibc *g, const struct heap *h, uint64_t at, uint64_t word)
{
	uint64_t size = word & ~(uint64_t)CHUNK_FLAGS, left = h->stop - at;

	if (size % MALLOC_ALIGN || size > left || word & IS_MMAPPED ||
	    (word & NON_MAIN && g->arenas[h->arena].main))
		return false;
	/* the first fencepost has but a header */
	return size >= MIN_CHUNK || (size == CHUNK_HEADER && !h->has_top && left == size);
}

/* Top, or the last fencepost: what is there is not one of the chunks. */
static int finish(struct glibc *g, struct heap *h, struct walk *w, struct chunk_log *log,
		  const uint64_t *head)
{
	struct last rest = {.at = h->stop, .size = h->end - h->stop};
	uint64_t size = head[1] & ~(uint64_t)CHUNK_FLAGS;
	int err;

	if (size != (h->has_top ? rest.size : 0) || !(head[1] & PREV_INUSE))
		fail(g, h, h->stop, h->has_top ? "is not the top it was" : "is no fencepost");
	/* a heap that another follows: the free memory before the fenceposts is a chunk like others */
	if (!h->has_top)
		return add(w, log, &rest, CHUNK_OVERHEAD);
	err = chunk_log_add(log, rest.size, CHUNK_TOP);
	if (g->arenas[h->arena].main)
		w->top += trim_of_top(g, w->account, w->run ? w->run : h->stop, h->end);
	w->run = 0;
	return err;
}

int glibc_walk_heap(struct glibc *g, struct heap *h, struct walk *w, struct chunk_log *log)
{
	struct arena *a = &g->arenas[h->arena];
	uint64_t limit = (h->end + MEM_PAGE - 1) / MEM_PAGE * MEM_PAGE;
	struct last c = {0};
	struct stream s;
	int err = stream_open(&s, g->reader, limit);

	w->run = 0;
	for (uint64_t at = h->first; !err && !a->why[0];) {
		const uint64_t *head;

		err = stream_at(&s, at, &head);
		if (err == -ENODATA || err == -EFAULT) {
			fail(g, h, at, "is not in memory");
			err = 0;
			break;
		}
		if (!err)
			err = settle(g, h, w, log, &c, head);
		if (err || at == h->stop) {
			if (!err)
				err = finish(g, h, w, log, head);
			break;
		}
		if (!can_be(g, h, at, head[1])) {
			fail(g, h, at, "cannot be");
			break;
		}
		c = (struct last){
			.at = at,
			.size = head[1] & ~(uint64_t)CHUNK_FLAGS,
			.mark = glibc_marked(h, at),
		};
		at += c.size;
	}
	stream_close(&s);
	return err ? err : chunk_log_end(log);
}
