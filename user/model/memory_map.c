/* SPDX-License-Identifier: MIT */
/*
 * Spans of an area ascend, so a cell is either its region's newest or one behind it. A cell belongs to a
 * region: where two regions meet within one, each has its own part.
 */
#include "model/memory_map.h"

#include "base/cleanup.h"
#include "model/account.h"

#include <errno.h>

#define NO_REGION SIZE_MAX

static const struct {
	const char *text, *region;
} groups[MAP_GROUPS] = {
	[MAP_PYMALLOC] = {"pymalloc", "arena"},
	[MAP_HEAP] = {"glibc heap", "heap"},
	[MAP_THREADS] = {"glibc arenas of threads", "thread heap"},
	[MAP_MMAPPED] = {"glibc mmapped chunks", "chunk"},
};

const char *map_group_text(enum map_group g)
{
	return (size_t)g < ARRAY_SIZE(groups) ? groups[g].text : "unknown";
}

const char *map_region_text(enum map_group g)
{
	return (size_t)g < ARRAY_SIZE(groups) ? groups[g].region : "unknown";
}

/* By the kind of the area, which is what most of it is. -1: not in the picture. */
static int group_of(enum memory_kind kind)
{
	if (kind <= MEMORY_PY_OVERHEAD)
		return MAP_PYMALLOC;
	if (kind <= MEMORY_HEAP_TOP || kind == MEMORY_HEAP_UNKNOWN)
		return MAP_HEAP;
	if (kind <= MEMORY_ARENA_OVERHEAD)
		return MAP_THREADS;
	return kind == MEMORY_MMAPPED ? MAP_MMAPPED : -1;
}

static bool is_free(enum memory_kind kind)
{
	const uint32_t kinds =
		1u << MEMORY_PY_FREE | 1u << MEMORY_PY_FREE_POOLS | 1u << MEMORY_PY_NEVER |
		1u << MEMORY_HEAP_FREE | 1u << MEMORY_HEAP_TCACHE | 1u << MEMORY_HEAP_TOP |
		1u << MEMORY_ARENA_FREE | 1u << MEMORY_ARENA_TCACHE | 1u << MEMORY_ARENA_TOP;

	return kinds >> kind & 1;
}

/* The mark of the area: one more than the index of its region. */
static size_t region_new(struct memory_map *m, const struct account_span *s, enum map_group g)
{
	if (m->nr == MEMORY_MAP_REGIONS)
		return NO_REGION;
	if (m->nr == m->size) {
		size_t size = max(m->size * 2, (size_t)64);
		struct memory_region *more = reallocarray(m->v, size, sizeof(*more));

		if (!more) {
			m->failed = true;
			return NO_REGION;
		}
		m->v = more;
		m->size = size;
	}
	m->v[m->nr] = (struct memory_region){
		.start = s->area_start,
		.end = s->area_end,
		.group = g,
	};
	return ++m->nr;
}

/* Cells have a power of two of room. */
static int cell_add(struct memory_region *r, const struct memory_cell *c)
{
	if (!(r->nr_cells & (r->nr_cells - 1))) {
		size_t size = max(r->nr_cells * 2, (size_t)1);
		struct memory_cell *more = reallocarray(r->cells, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->cells = more;
	}
	r->cells[r->nr_cells++] = *c;
	return 0;
}

static void merge_cells(struct memory_region *r)
{
	size_t nr = 0, room = 1;
	struct memory_cell *fewer;

	for (size_t i = 0; i < r->nr_cells; i++) {
		struct memory_cell *c = &r->cells[i], *last = nr ? &r->cells[nr - 1] : NULL;

		c->at /= 2;
		if (last && last->at == c->at) {
			last->used += c->used;
			last->free += c->free;
		} else {
			r->cells[nr++] = *c;
		}
	}
	r->nr_cells = nr;
	while (room < nr)
		room *= 2;
	fewer = reallocarray(r->cells, room, sizeof(*fewer));
	if (fewer)
		r->cells = fewer;
}

static void merge_all(struct memory_map *m)
{
	m->cell_bytes *= 2;
	m->nr_cells = 0;
	for (size_t i = 0; i < m->nr; i++) {
		merge_cells(&m->v[i]);
		m->nr_cells += m->v[i].nr_cells;
	}
}

static void fill(struct memory_map *m, struct memory_region *r, const struct account_span *s)
{
	for (uint64_t start = s->start, stop; start < s->end; start = stop) {
		struct memory_cell *last = r->nr_cells ? &r->cells[r->nr_cells - 1] : NULL;
		struct memory_cell c = {.at = start / m->cell_bytes};
		uint64_t bytes;

		stop = min((c.at + 1) * m->cell_bytes, s->end);
		bytes = stop - start;
		*(is_free(s->kind) ? &c.free : &c.used) = bytes;
		if (last && last->at == c.at) {
			last->used += c.used;
			last->free += c.free;
		} else if (cell_add(r, &c)) {
			m->failed = true;
			return;
		} else {
			m->nr_cells++;
		}
		r->used += c.used;
		r->free += c.free;
		/* beyond this there is no use in it: each region has a cell at least */
		if (m->nr_cells > max((size_t)MEMORY_MAP_CELLS, 2 * m->nr))
			merge_all(m);
	}
}

static void add_span(void *ctx, const struct account_span *s)
{
	struct memory_map *m = ctx;
	int group = group_of(s->area_kind);

	if (group < 0 || m->failed)
		return;
	if (!*s->mark)
		*s->mark = region_new(m, s, (enum map_group)group);
	if (*s->mark == NO_REGION)
		m->left_out += s->end - s->start;
	else
		fill(m, &m->v[*s->mark - 1], s);
}

void memory_map_watch(struct memory_map *m, struct account *a)
{
	*m = (struct memory_map){.cell_bytes = MEMORY_MAP_CELL};
	account_watch(a, add_span, m);
}

static int compare_regions(const void *x, const void *y)
{
	const struct memory_region *a = x, *b = y;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

int memory_map_finish(struct memory_map *m)
{
	if (m->failed)
		return -ENOMEM;
	if (m->nr)
		qsort(m->v, m->nr, sizeof(*m->v), compare_regions);
	for (size_t i = 0; i < m->nr; i++) {
		bool first = !i || m->v[i].group != m->v[i - 1].group;

		m->v[i].number = first ? 1 : m->v[i - 1].number + 1;
	}
	return 0;
}

void memory_map_done(struct memory_map *m)
{
	for (size_t i = 0; i < m->nr; i++)
		free(m->v[i].cells);
	free(m->v);
	*m = (struct memory_map){0};
}
