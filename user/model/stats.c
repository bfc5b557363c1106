/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on pymalloc's figures. Everything is modulo 2^64: the numbers may be a hostile
 * target's, so no sum or product here may be undefined.
 */
#include "model/stats.h"

#include "base/cleanup.h"

#include <string.h>

/*
 * Objects/obmalloc.c, the same in 3.6 .. 3.15:
 *	allocated_bytes += b * size; available_bytes += f * size;
 *	pool_header_bytes += p * POOL_OVERHEAD;
 *	quantization += p * ((POOL_SIZE - POOL_OVERHEAD) % size);
 */
void stats_derive(struct malloc_stats *s, uint64_t pool_overhead)
{
	uint32_t nr = min(s->nr_classes, (uint32_t)STATS_MAX_CLASSES);

	s->allocated_bytes = s->available_bytes = 0;
	s->header_bytes = s->quantization_bytes = 0;
	for (uint32_t i = 0; i < nr; i++) {
		const struct size_class *c = &s->classes[i];
		uint64_t size = (uint64_t)(i + 1) * s->alignment;

		s->allocated_bytes += c->used * size;
		s->available_bytes += c->avail * size;
		s->header_bytes += c->pools * pool_overhead;
		if (size)
			s->quantization_bytes +=
				c->pools * ((s->pool_bytes - pool_overhead) % size);
	}
}

uint64_t stats_total(const struct malloc_stats *s)
{
	return s->allocated_bytes + s->available_bytes + s->unused_pools * s->pool_bytes +
	       s->header_bytes + s->quantization_bytes + s->alignment_bytes;
}

bool stats_consistent(const struct malloc_stats *s)
{
	return s->arenas_current * s->arena_bytes == stats_total(s);
}

static bool pymalloc_equal(const struct malloc_stats *a, const struct malloc_stats *b)
{
	if (a->threshold != b->threshold || a->nr_classes != b->nr_classes ||
	    a->alignment != b->alignment)
		return false;
	for (uint32_t i = 0; i < min(a->nr_classes, (uint32_t)STATS_MAX_CLASSES); i++)
		if (a->classes[i].pools != b->classes[i].pools ||
		    a->classes[i].used != b->classes[i].used ||
		    a->classes[i].avail != b->classes[i].avail)
			return false;
	if (a->has_serial != b->has_serial || (a->has_serial && a->serial != b->serial))
		return false;
	if (a->radix != b->radix ||
	    (a->radix &&
	     (a->map_mid_nodes != b->map_mid_nodes || a->map_bot_nodes != b->map_bot_nodes ||
	      a->map_root_bytes != b->map_root_bytes || a->map_mid_bytes != b->map_mid_bytes ||
	      a->map_bot_bytes != b->map_bot_bytes)))
		return false;
	return a->arenas_total == b->arenas_total && a->arenas_reclaimed == b->arenas_reclaimed &&
	       a->arenas_highwater == b->arenas_highwater &&
	       a->arenas_current == b->arenas_current && a->arena_bytes == b->arena_bytes &&
	       a->pool_bytes == b->pool_bytes && a->allocated_bytes == b->allocated_bytes &&
	       a->available_bytes == b->available_bytes && a->unused_pools == b->unused_pools &&
	       a->header_bytes == b->header_bytes &&
	       a->quantization_bytes == b->quantization_bytes &&
	       a->alignment_bytes == b->alignment_bytes;
}

bool stats_equal(const struct malloc_stats *a, const struct malloc_stats *b)
{
	if (a->pymalloc != b->pymalloc || a->nr_free_lists != b->nr_free_lists)
		return false;
	for (size_t i = 0; i < min(a->nr_free_lists, (size_t)STATS_MAX_FREE_LISTS); i++)
		if (strncmp(a->free_lists[i].type, b->free_lists[i].type,
			    sizeof(a->free_lists[i].type)) != 0 ||
		    a->free_lists[i].count != b->free_lists[i].count ||
		    a->free_lists[i].item_bytes != b->free_lists[i].item_bytes)
			return false;
	return !a->pymalloc || pymalloc_equal(a, b);
}
