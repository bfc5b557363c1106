/* SPDX-License-Identifier: MIT */
/*
 * The resident pages of kernels before 6.7, from two files: smaps says how much of each mapping is
 * resident and how much of it in huge pages, pagemap has eight bytes for each page of address space.
 * Only smaps knows of pages of zeros; which ones they are, the page frame tells, and without
 * CAP_SYS_ADMIN, which hides it, only their number is right.
 */
#include "target/resident_internal.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "target/mem.h"
#include "target/pagemap.h"
#include "target/smaps.h"
#include "target/target.h"

#include <errno.h>

/*
 * Of a mapping of terabytes, as reserved by some allocators, all eight bytes per page would have to be
 * read. As soon as all that is resident is found, the rest is not; and past so many pages altogether
 * the kernel's figure has to do, as if the pages were those at the mapping's start.
 */
#define LARGE_BYTES (1ull << 30)
#define MAX_PAGES   (1ull << 28) /* 1 TiB of address space, 2 GiB of entries: about two seconds */

struct mapping {
	const struct smaps_entry *of;
	uint64_t found, zero; /* bytes: present; of them, to be left out as zero pages */
	uint64_t left_out, huge;
	uint64_t swapped;
};

/* A huge page: as many entries in a row, of frames in a row if they are shown, all alike. */
static bool is_huge(const uint64_t *entries, uint64_t start, size_t nr)
{
	const uint64_t flags = ENTRY_PRESENT | ENTRY_FILE;
	uint64_t frame = entries[0] & ENTRY_FRAME;

	if (nr != HUGE_PAGES || start % HUGE_BYTES || frame % HUGE_PAGES ||
	    !(entries[0] & ENTRY_PRESENT))
		return false;
	for (size_t i = 1; i < nr; i++) {
		if ((entries[i] & flags) != (entries[0] & flags) ||
		    (frame && (entries[i] & ENTRY_FRAME) != frame + i))
			return false;
	}
	return true;
}

/* It is shown as if it were of a file, and anonymous memory, where zero pages are, has no such pages. */
static bool is_huge_zero(struct resident_reader *r, uint64_t entry)
{
	return entry & ENTRY_FRAME ? resident_is_zero(r, entry, true) : !!(entry & ENTRY_FILE);
}

static bool leave_out(struct resident_reader *r, struct mapping *m, uint64_t entry)
{
	if (m->left_out >= m->zero || entry & (ENTRY_FILE | ENTRY_EXCLUSIVE))
		return false;
	return !(entry & ENTRY_FRAME) || resident_is_zero(r, entry, false);
}

static int add_page(struct resident_reader *r, struct mapping *m, uint64_t addr, uint64_t entry,
		    unsigned int flags)
{
	m->found += MEM_PAGE;
	if (leave_out(r, m, entry)) {
		m->left_out += MEM_PAGE;
		return 0;
	}
	if (entry & ENTRY_FILE)
		flags |= PAGE_IS_OF_FILE;
	if (entry & ENTRY_EXCLUSIVE)
		flags |= PAGE_IS_EXCLUSIVE;
	return runs_add(&r->ret->runs, addr, addr + MEM_PAGE, flags);
}

/* The pages of at most one huge page. */
static int add_piece(struct resident_reader *r, struct mapping *m, uint64_t start, size_t nr)
{
	uint64_t entries[HUGE_PAGES];
	int err = resident_entries(r, start, entries, nr);
	unsigned int flags = 0;

	if (!err && m->zero - m->left_out >= HUGE_BYTES && is_huge(entries, start, nr) &&
	    is_huge_zero(r, entries[0])) {
		m->found += HUGE_BYTES;
		m->left_out += HUGE_BYTES;
		return 0;
	}
	if (!err && m->huge >= HUGE_BYTES && is_huge(entries, start, nr)) {
		flags = PAGE_IS_HUGE;
		m->huge -= HUGE_BYTES;
	}
	for (size_t i = 0; i < nr && !err; i++) {
		if (entries[i] & ENTRY_PRESENT)
			err = add_page(r, m, start + i * MEM_PAGE, entries[i], flags);
		else if (entries[i] & ENTRY_SWAPPED && !(entries[i] & ENTRY_GUARD))
			m->swapped += MEM_PAGE;
	}
	return err;
}

static bool is_large(const struct smaps_entry *e)
{
	return e->end - e->start > LARGE_BYTES;
}

static int add_pieces(struct resident_reader *r, struct mapping *m, uint64_t *budget)
{
	const struct smaps_entry *e = m->of;
	bool large = is_large(e);
	int err = 0;

	m->found = m->left_out = m->swapped = 0;
	m->huge = e->anon_huge + e->shmem_huge + e->file_huge;
	for (uint64_t at = e->start; at < e->end && !err;) {
		uint64_t stop = min((at | (HUGE_BYTES - 1)) + 1, e->end);
		size_t nr = (stop - at) / MEM_PAGE;

		if (*budget < nr) {
			*budget = 0;
			break;
		}
		if (large && m->found >= e->rss && m->swapped >= e->swap)
			break;
		*budget -= nr;
		err = add_piece(r, m, at, nr);
		at = stop;
	}
	return err;
}

/* To the state before, so that the mapping can be read again. */
struct mark {
	size_t nr;
	uint64_t last_end;
};

static struct mark mark_of(const struct runs *r)
{
	return (struct mark){
		.nr = r->nr,
		.last_end = r->nr ? r->v[r->nr - 1].end : 0,
	};
}

static void go_back(struct runs *r, const struct mark *m)
{
	r->nr = m->nr;
	if (m->nr)
		r->v[m->nr - 1].end = m->last_end;
}

static int add_mapping(struct resident_reader *r, const struct smaps_entry *e, uint64_t *budget)
{
	struct mark before = mark_of(&r->ret->runs);
	struct mapping m = {.of = e};
	int err = add_pieces(r, &m, budget);

	if (!err && m.found > e->rss) {
		m.zero = m.found - e->rss;
		go_back(&r->ret->runs, &before);
		err = add_pieces(r, &m, budget);
		r->ret->zero += m.left_out;
	} else if (!err && m.found < e->rss && !*budget) {
		go_back(&r->ret->runs, &before);
		err = runs_add(&r->ret->runs, e->start, e->start + min(e->rss, e->end - e->start),
			       0);
	}
	/* what smaps tells of shared memory is of its file, and in nobody's page tables */
	r->ret->swapped += *budget ? m.swapped : e->swap;
	return err;
}

int resident_by_pagemap(struct resident_reader *r, struct fault *f)
{
	_cleanup_(smaps_done) struct smaps smaps = {0};
	uint64_t budget = MAX_PAGES, budget_large = MAX_PAGES;
	int err = target_smaps(r->target, &smaps, f);

	r->ret->runs.nr = 0;
	r->ret->zero = r->ret->guard = r->ret->swapped = 0;
	for (size_t i = 0; i < smaps.nr && !err; i++) {
		const struct smaps_entry *e = &smaps.v[i];
		/* an enormous one, of which little is found, is not to be at the cost of all others */
		uint64_t *from = is_large(e) ? &budget_large : &budget;
		uint64_t share = is_large(e) ? *from / 4 : *from, left = share;

		if ((e->rss || e->swap) && !e->hugetlb)
			err = add_mapping(r, e, &left);
		*from -= share - left;
	}
	return err;
}
