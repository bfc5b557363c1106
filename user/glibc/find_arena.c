/* SPDX-License-Identifier: MIT */
/*
 * main_arena and malloc_par in the C library's data, by what they must look like: a stripped library
 * has no symbols of them.
 *
 *	malloc_state	127 bins of two pointers: an empty one points to itself, the others to chunks that
 *			point back; `next` begins a ring that leads back here
 *	malloc_par	sbrk_base is where a heap must begin that ends where main_arena's top does
 */
#include "glibc/internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define READS_MAX (1u << 18)
#define BINS_SURE 8 /* others may be changing while they are read */

/* The data as it was at one moment. Word i is at start + 8 * i. */
struct data {
	uint64_t start;
	size_t nr;
	uint64_t *words;
	unsigned int
		reads_left; /* of what it points to: some dozen places deserve a look, not all */
};

static uint64_t word(const struct data *d, uint64_t addr)
{
	return d->words[(addr - d->start) / 8];
}

static uint32_t half(const struct data *d, uint64_t addr)
{
	uint32_t v;

	memcpy(&v, (const char *)d->words + (addr - d->start), sizeof(v));
	return v;
}

/* A bin is used like a chunk whose fd and bk are its two words. */
static bool bins_hold(struct glibc *g, struct data *d, uint64_t bins)
{
	unsigned int sure = 0;

	for (unsigned int i = 0; i < NR_BINS; i++) {
		uint64_t bin = bins + 16ull * i, self = bin - 16, back, forth;
		uint64_t fd = word(d, bin), bk = word(d, bin + 8);

		if (fd == self && bk == self) {
			sure++;
			continue;
		}
		if (fd == self || bk == self) /* a chunk is just being put in */
			continue;
		if (fd % MALLOC_ALIGN || bk % MALLOC_ALIGN || fd >= ADDRESS_MAX ||
		    bk >= ADDRESS_MAX || !d->reads_left)
			return false;
		d->reads_left--;
		if (!reader_u64(g->reader, fd + 24, &back) &&
		    !reader_u64(g->reader, bk + 16, &forth))
			sure += back == self && forth == self;
	}
	return sure >= BINS_SURE;
}

static bool ring_closes(struct glibc *g, struct data *d, uint64_t next, uint64_t base,
			unsigned int bins)
{
	for (unsigned int i = 0; i < ARENAS_MAX && d->reads_left; i++, d->reads_left--) {
		if (next == base)
			return true;
		if (next % MALLOC_ALIGN || next >= ADDRESS_MAX ||
		    reader_u64(g->reader, next + bins + STATE_NEXT, &next))
			return false;
	}
	return false;
}

/* As the compiler made it: nobody has ever called this malloc. */
static bool is_untouched(const struct data *d, uint64_t bins)
{
	for (unsigned int i = 0; i < 2 * NR_BINS; i++)
		if (word(d, bins + 8ull * i))
			return false;
	return !word(d, bins + STATE_TOP) && word(d, bins + STATE_ATTACHED) == 1 &&
	       !word(d, bins + STATE_SYSTEM_MEM);
}

/* What costs no reading. */
static bool can_be_state(const struct data *d, uint64_t bins)
{
	uint64_t system_mem = word(d, bins + STATE_SYSTEM_MEM), next = word(d, bins + STATE_NEXT);
	uint64_t most = word(d, bins + STATE_MAX_SYSTEM_MEM);

	/* before there is any memory, top is the first bin */
	return (!system_mem || word(d, bins + STATE_TOP) % MALLOC_ALIGN == 0) &&
	       system_mem < ADDRESS_MAX && most < ADDRESS_MAX && next && next % MALLOC_ALIGN == 0 &&
	       next < ADDRESS_MAX && word(d, bins + STATE_ATTACHED) < THREADS_MAX;
}

static bool is_state(struct glibc *g, struct data *d, uint64_t bins, unsigned int offset)
{
	uint64_t base = bins - offset, next = word(d, bins + STATE_NEXT);

	if (next == base && is_untouched(d, bins))
		return true;
	return ring_closes(g, d, next, base, offset) && bins_hold(g, d, bins);
}

/* Exactly one place may look like it. */
static int find_main_arena(struct glibc *g, struct data *d, uint64_t *ret_bins)
{
	static const unsigned int offsets[] = {112, 24};
	uint64_t first = d->start + 24, end = d->start + d->nr * 8;
	unsigned int nr = 0;

	for (uint64_t bins = first; bins + STATE_END <= end; bins += 8)
		for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
			if (bins - offsets[i] < d->start || !can_be_state(d, bins) ||
			    !is_state(g, d, bins, offsets[i]))
				continue;
			*ret_bins = bins;
			g->main_arena = bins - offsets[i];
			nr++;
			break;
		}
	return nr == 1 ? 0 : -ENOENT;
}

/* Of zeros alone there are many places. */
static bool is_par(const struct glibc *g, const struct data *d, uint64_t at)
{
	const struct glibc_layout *l = g->layout;
	uint64_t counts = at + (uint64_t)(int64_t)l->n_mmaps;
	uint64_t no_dyn = at + (uint64_t)(int64_t)l->no_dyn_threshold;
	uint64_t threshold = at + (uint64_t)(int64_t)l->mmap_threshold;

	if (!word(d, threshold) && !half(d, counts + PAR_N_MMAPS_MAX))
		return false;
	return (int32_t)half(d, counts) >= 0 && (int32_t)half(d, counts + PAR_N_MMAPS_MAX) >= 0 &&
	       (int32_t)half(d, counts + PAR_MAX_N_MMAPS) >= 0 && half(d, no_dyn) <= 1 &&
	       word(d, at + PAR_MMAPPED_MEM) < ADDRESS_MAX &&
	       word(d, at + PAR_MAX_MMAPPED_MEM) < ADDRESS_MAX &&
	       word(d, at + PAR_TCACHE_BINS) <= l->tcache_bins &&
	       word(d, at + PAR_TCACHE_COUNT) <= UINT16_MAX;
}

static bool in_brk(const struct glibc *g, uint64_t addr)
{
	const struct vma *v = maps_find(g->maps, addr);

	return v && v->path && !strcmp(v->path, "[heap]") && addr - v->start < MEM_PAGE;
}

/* Whole pages are mapped, and what is mapped later may be joined to them. */
static bool in_mapped(const struct glibc *g, uint64_t addr)
{
	const struct vma *v = addr % MEM_PAGE ? NULL : maps_find(g->maps, addr);

	return v && (glibc_is_memory(v) || glibc_is_hugetlb(v));
}

/*
 * A heap that others have moved the break of begins elsewhere: then the start of [heap] will do, if
 * there is only one word that has it; or that of a mapping, if all of the heap had to be mapped.
 */
static int find_par(struct glibc *g, const struct data *d, uint64_t expected)
{
	enum { EXPECTED, BREAK, MAPPED, WAYS };
	uint64_t found[WAYS] = {0};
	unsigned int nr[WAYS] = {0};

	for (uint64_t at = d->start - PAR_START; at + PAR_END <= d->start + d->nr * 8; at += 8) {
		uint64_t v = word(d, at);
		unsigned int which = v == expected ? EXPECTED : in_brk(g, v) ? BREAK : MAPPED;

		if (!v || (which == MAPPED && !in_mapped(g, v)) || !is_par(g, d, at))
			continue;
		found[which] = at;
		nr[which]++;
	}
	for (unsigned int i = 0; i < WAYS; i++)
		if (nr[i] == 1) {
			g->par_at = found[i];
			return 0;
		}
	return -ENOENT;
}

static int find(struct glibc *g, struct data *d)
{
	uint64_t bins, top, system_mem, size = 0;
	int err = find_main_arena(g, d, &bins);

	if (err)
		return err;
	system_mem = word(d, bins + STATE_SYSTEM_MEM);
	if (!system_mem && word(d, bins + STATE_NEXT) == g->main_arena)
		return 0;
	top = word(d, bins + STATE_TOP);
	err = reader_u64(g->reader, top + 8, &size);
	if (err == -ESRCH)
		return err;
	err = find_par(g, d, top + (size & ~(uint64_t)CHUNK_FLAGS) - system_mem);
	g->in_use = !err;
	/* the layout is the structure's own, whatever the version says */
	if (!err && bins - g->main_arena != g->layout->bins)
		g->layout = glibc_layout(bins - g->main_arena == 24 ? 43 : 42);
	return err;
}

int glibc_find_state(struct glibc *g, uint64_t start, uint64_t end)
{
	_cleanup_free_ uint64_t *words = NULL;
	struct data d = {.start = start, .nr = (end - start) / 8, .reads_left = READS_MAX};
	int err;

	g->in_use = false;
	if (end - start < 4096)
		return -ENOENT;
	words = calloc(d.nr, 8);
	if (!words)
		return -ENOMEM;
	err = reader_copy(g->reader, start, words, d.nr * 8);
	if (err)
		return err == -ESRCH ? err : -ENOENT;
	d.words = words;
	return find(g, &d);
}
