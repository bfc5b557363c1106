/* SPDX-License-Identifier: MIT */
#include "output/map_rows.h"

#include "base/cleanup.h"
#include "model/explanation.h"

#include <errno.h>
#include <stdio.h>

#define LEAST_CELL (16u << 10)

/* Regions next to each other: cells [start, end), as far as they matter. */
struct stretch {
	size_t first, last;
	uint64_t start, end;
};

struct layout {
	const struct memory_map *map;
	enum map_group group;
	size_t columns, max_rows;
	unsigned int shift; /* of a cell of the map to one of a row */
	struct map_rows *ret;
	size_t size;
	bool too_many;
};

static uint64_t cell_of(const struct layout *l, const struct memory_cell *c)
{
	return c->at >> l->shift;
}

static uint64_t first_cell(const struct layout *l, const struct memory_region *r)
{
	return cell_of(l, &r->cells[0]);
}

static uint64_t last_cell(const struct layout *l, const struct memory_region *r)
{
	return cell_of(l, &r->cells[r->nr_cells - 1]);
}

static bool same_group(const struct layout *l, size_t i)
{
	return i < l->map->nr && l->map->v[i].group == l->group;
}

/*
 * The regions that touch the first one, or each other. At both ends a part of a cell does not count if
 * nothing of it is resident: that is an arena's alignment.
 */
static struct stretch stretch_at(const struct layout *l, size_t first)
{
	uint64_t bytes = l->ret->cell_bytes;
	struct stretch s = {.first = first, .start = UINT64_MAX};

	for (size_t i = first; same_group(l, i); i++) {
		const struct memory_region *r = &l->map->v[i];
		uint64_t start = min((r->start + bytes - 1) / bytes, first_cell(l, r));
		uint64_t end = max(r->end / bytes, last_cell(l, r) + 1);

		/* a target can make them overlap, too */
		if (i > first && r->start / bytes > s.end)
			break;
		s.last = i;
		s.start = min(s.start, start);
		s.end = max(s.end, end);
	}
	return s;
}

static struct map_row *new_row(struct layout *l)
{
	struct map_rows *r = l->ret;

	if (r->nr == l->max_rows) {
		l->too_many = true;
		return NULL;
	}
	if (r->nr == l->size) {
		size_t size = max(l->size * 2, (size_t)16);
		struct map_row *more = reallocarray(r->v, size, sizeof(*more));

		if (!more)
			return NULL;
		r->v = more;
		l->size = size;
	}
	r->v[r->nr] = (struct map_row){.first = SIZE_MAX};
	return &r->v[r->nr++];
}

/* Cells of the row from column `from`: all inside, nothing resident yet. */
static void open_cells(struct layout *l, struct map_row *row, size_t from, uint64_t cell,
		       uint64_t end)
{
	if (!row->nr)
		row->start = cell * l->ret->cell_bytes;
	for (size_t i = from; i < l->columns && cell < end; i++, cell++) {
		row->cells[i].inside = true;
		row->addresses[i] = cell * l->ret->cell_bytes;
		row->nr = i + 1;
	}
}

static void add_cell(struct map_row *row, size_t column, size_t region, const struct memory_cell *c)
{
	row->cells[column].inside = true;
	row->nr = max(row->nr, column + 1);
	row->cells[column].used += c->used;
	row->cells[column].free += c->free;
	row->used += c->used;
	row->free += c->free;
	row->first = min(row->first, region);
	row->last = max(row->last, region);
}

/* A border is drawn where both sides of it can be seen. */
static bool has_edge(const struct layout *l, const struct stretch *s, size_t region)
{
	const struct memory_region *r = &l->map->v[region];

	return region > s->first && r->end - r->start >= 4 * l->ret->cell_bytes;
}

/* A stretch whose cell s->start is in column `column` of its first row. */
static int place(struct layout *l, const struct stretch *s, struct map_row *row, size_t column)
{
	uint64_t row_cell = s->start - column; /* that of column 0 */

	if (row)
		open_cells(l, row, column, s->start, s->end);
	for (size_t i = s->first; i <= s->last; i++) {
		const struct memory_region *r = &l->map->v[i];

		for (size_t k = 0; k < r->nr_cells; k++) {
			uint64_t cell = cell_of(l, &r->cells[k]);

			if (!row || cell - row_cell >= l->columns) {
				row_cell = s->start - column;
				row_cell += (cell - row_cell) / l->columns * l->columns;
				row = new_row(l);
				if (!row)
					return l->too_many ? 0 : -ENOMEM;
				open_cells(l, row, 0, row_cell, s->end);
			}
			if (!k && has_edge(l, s, i))
				row->cells[cell - row_cell].edge = true;
			add_cell(row, cell - row_cell, i, &r->cells[k]);
		}
	}
	return 0;
}

static int lay_out(struct layout *l)
{
	struct map_rows *ret = l->ret;
	size_t next;
	int err = 0;

	for (size_t i = 0; i < l->map->nr && !err && !l->too_many; i = next) {
		struct map_row *row = ret->nr ? &ret->v[ret->nr - 1] : NULL;
		struct stretch s;

		next = i + 1;
		if (!same_group(l, i))
			continue;
		s = stretch_at(l, i);
		next = s.last + 1;
		if (row && row->nr + 1 + (s.end - s.start) <= l->columns)
			err = place(l, &s, row, row->nr + 1);
		else
			err = place(l, &s, NULL, 0);
	}
	return err;
}

uint64_t map_least_cell(const struct explanation *e, enum map_group g)
{
	return g == MAP_PYMALLOC && e->has_pools && e->pools.pool_bytes == MEMORY_MAP_CELL
		       ? MEMORY_MAP_CELL
		       : LEAST_CELL;
}

int map_rows_of(const struct memory_map *m, enum map_group g, uint64_t least_cell, size_t columns,
		size_t max_rows, struct map_rows *ret)
{
	struct layout l = {
		.map = m,
		.group = g,
		.columns = min(columns, (size_t)MAP_COLUMNS),
		.max_rows = max_rows,
		.ret = ret,
	};
	int err;

	*ret = (struct map_rows){.cell_bytes = m->cell_bytes};
	for (size_t i = 0; i < m->nr; i++) {
		if (m->v[i].group != g)
			continue;
		ret->regions++;
		ret->used += m->v[i].used;
		ret->free += m->v[i].free;
	}
	for (; ret->cell_bytes < least_cell; ret->cell_bytes *= 2)
		l.shift++;
	err = lay_out(&l);
	while (!err && l.too_many) {
		l.too_many = false;
		l.shift++;
		ret->cell_bytes *= 2;
		ret->nr = 0;
		err = lay_out(&l);
	}
	if (err)
		map_rows_done(ret);
	return err;
}

void map_rows_done(struct map_rows *r)
{
	free(r->v);
	r->v = NULL;
	r->nr = 0;
}

unsigned int map_percent(uint64_t used, uint64_t free)
{
	double percent = used ? 100.0 * (double)used / (double)(used + free) : 0;

	if (used && percent < 1)
		return 1;
	if (free && percent > 99)
		return 99;
	return (unsigned int)(percent + 0.5);
}

unsigned int map_level(uint64_t used, uint64_t free, unsigned int levels)
{
	double part = used ? (double)used / (double)(used + free) : 0;

	if (!used)
		return 0;
	if (part > 0.98)
		return levels - 1;
	return 1 + (unsigned int)(part / 0.98 * (levels - 2) * 0.999999);
}

bool map_rows_new_name(const struct map_rows *rows, size_t i)
{
	const struct map_row *row = &rows->v[i];

	return !i || row->first != row->last || row[-1].last != row->first;
}

char *map_row_name(char buf[static 64], const struct memory_map *m, const struct map_row *row)
{
	const struct memory_region *a = &m->v[row->first], *b = &m->v[row->last];
	const char *what = map_region_text(a->group);
	bool only = a->number == 1 && (row->last + 1 == m->nr || b[1].group != b->group);

	if (a == b && only)
		snprintf(buf, 64, "%s", what);
	else if (a == b)
		snprintf(buf, 64, "%s %u", what, a->number);
	else
		snprintf(buf, 64, "%ss %u-%u", what, a->number, b->number);
	return buf;
}
