/* SPDX-License-Identifier: MIT */
/*
 * Chunks that their neighbours take for used ones, and that are free: on the lists of fastbins and of
 * the caches of threads. The lists are followed first; the walk over the heap then finds each chunk by
 * its mark, and a mark that no chunk begins at betrays a list that is none.
 */
#include "glibc/internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MARKS ((1u << MARK_PIECE_SHIFT) / MALLOC_ALIGN)
#define PIECE_BYTES (PIECE_MARKS / 4) /* two bits each */

void marks_done(struct marks *m)
{
	for (size_t i = 0; i < m->nr_pieces; i++)
		free(m->pieces[i]);
	free(m->pieces);
	*m = (struct marks){0};
}

static int mark(struct heap *h, uint64_t chunk, enum chunk_kind kind)
{
	uint64_t at = chunk - h->start;
	size_t piece = at >> MARK_PIECE_SHIFT, i;
	struct marks *m = &h->marks;
	uint8_t *byte;

	if (!m->pieces) {
		m->nr_pieces = ((h->end - h->start) >> MARK_PIECE_SHIFT) + 1;
		m->pieces = calloc(m->nr_pieces, sizeof(*m->pieces));
		if (!m->pieces) {
			m->nr_pieces = 0;
			return -ENOMEM;
		}
	}
	if (!m->pieces[piece])
		m->pieces[piece] = calloc(1, PIECE_BYTES);
	if (!m->pieces[piece])
		return -ENOMEM;
	i = at / MALLOC_ALIGN % PIECE_MARKS;
	byte = &m->pieces[piece][i / 4];
	if (*byte >> i % 4 * 2 & 3)
		return -EEXIST;
	*byte |= (uint8_t)(kind << i % 4 * 2);
	return 0;
}

int glibc_mark(struct glibc *g, uint64_t chunk, enum chunk_kind kind)
{
	struct heap *h = glibc_heap_at(g, chunk);

	if (!h || chunk % MALLOC_ALIGN || chunk < h->first || chunk >= h->stop)
		return -ENOENT;
	return mark(h, chunk, kind);
}

enum chunk_kind glibc_marked(const struct heap *h, uint64_t chunk)
{
	uint64_t at = chunk - h->start;
	const uint8_t *piece = h->marks.pieces ? h->marks.pieces[at >> MARK_PIECE_SHIFT] : NULL;
	size_t i = at / MALLOC_ALIGN % PIECE_MARKS;

	return piece ? (enum chunk_kind)(piece[i / 4] >> i % 4 * 2 & 3) : CHUNK_USED;
}

/* Each step marks a chunk that was not, so that it ends. */
static int follow_fastbin(struct glibc *g, struct arena *a, uint64_t chunk)
{
	while (chunk) {
		const struct heap *h = glibc_heap_at(g, chunk);
		uint64_t link = chunk + CHUNK_HEADER, word;
		int err = h && &g->arenas[h->arena] == a ? 0 : -ENOENT;

		if (!err)
			err = glibc_mark(g, chunk, CHUNK_FAST);
		if (!err)
			err = reader_u64(g->reader, link, &word);
		if (err == -ENOMEM || err == -ESRCH)
			return err;
		if (err) {
			arena_fail(a, "a fastbin of arena %#" PRIx64 " leads to %#" PRIx64,
				   a->state, chunk);
			return 0;
		}
		a->nr_fast++;
		chunk = glibc_reveal(g, link, word);
	}
	return 0;
}

int glibc_follow_fastbins(struct glibc *g, struct arena *a)
{
	int err = 0;

	for (unsigned int i = 0; i < NR_FASTBINS && !err && !a->why[0]; i++)
		if (g->layout->has_fastbins)
			err = follow_fastbin(g, a, a->fast[i]);
	return err;
}
