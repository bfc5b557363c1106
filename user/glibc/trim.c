/* SPDX-License-Identifier: MIT */
/*
 * What malloc_trim(0) would give back, as malloc does it: whole pages inside each free chunk, behind the
 * 48 bytes of its header and links, once fastbins are merged with their neighbours; of the main arena's
 * top all but a page or so. Tops of other arenas and the caches of threads stay.
 *
 *	|hdr|ff|ffffffff|ffffffff|fff|		f: free;  |: page
 *		^^^^^^^^^^^^^^^^^			given back, as far as it is resident
 */
#include "glibc/internal.h"

#include "base/cleanup.h"
#include "model/account.h"

#include <string.h>

#define LINKS 48u /* sizeof(struct malloc_chunk) */

static uint64_t align_up(uint64_t addr)
{
	return (addr + MEM_PAGE - 1) & ~(uint64_t)(MEM_PAGE - 1);
}

uint64_t trim_of_free(const struct account *a, uint64_t start, uint64_t end)
{
	uint64_t from = align_up(start + LINKS);

	if (end - start <= MEM_PAGE - 1 + LINKS || from >= end)
		return 0;
	return account_resident(a, from, from + (end - from) / MEM_PAGE * MEM_PAGE);
}

uint64_t trim_of_top(const struct glibc *g, const struct account *a, uint64_t start, uint64_t end)
{
	const struct vma *v = maps_find(g->maps, end - 1);
	uint64_t unit = g->par.thp_pagesize;
	uint64_t area = end - start > MIN_CHUNK + 1 ? end - start - MIN_CHUNK - 1 : 0;

	/* only while the program break is where malloc left it */
	if (!v || !v->path || strcmp(v->path, "[heap]") || v->end != align_up(end))
		return 0;
	if (!unit || unit % MEM_PAGE)
		unit = MEM_PAGE;
	return account_resident(a, end - area / unit * unit, end);
}
