/* SPDX-License-Identifier: MIT */
/*
 *	# pid 4242  python3 app.py  CPython 3.12.1: RSS 73.5 MiB, 68.2 MiB of it here (93 %)
 *
 *	pymalloc: 68 arenas, 63.8 MiB resident: 1.6 MiB in use (3 %), 62.2 MiB free; a cell is 16.0 KiB
 *	7f1c25a00000  ▂▂▂▂▃▂▂▂▂▂▂▃▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▃  arena 1            1.0 MiB    3 %
 *	7f1c25b00000  ██▅███▇█████████▁▁▁▁              arena 2          640.0 KiB   81 %
 *	              118 arenas over 95 % in use, 118.0 MiB
 *
 *	a cell:   not resident  ▁ resident, nothing in use  ▂▃▄▅▆▇ partly in use  █ in use
 */
#include "output/explain_map.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/explanation.h"
#include "model/memory_map.h"
#include "output/map_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define MAX_ROWS     96
#define LEVELS	     8
#define FULL_PERCENT 95
#define NAME	     18
#define NAME_NARROW  14
#define AROUND	     (14 + 2 + 1 + 10 + 6) /* columns of a line that are neither cells nor name */
#define FOLD	     3			   /* rows of a kind in a row are one line */

static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char shades[LEVELS + 1] = ".:-=+*#@";
/* yellow to blue by way of green: even to the eye, and told apart by those who see no red or no green */
static const uint8_t colours[LEVELS] = {220, 184, 148, 113, 78, 43, 38, 33};

struct picture {
	FILE *out;
	const struct explanation *explanation;
	const struct memory_map *map;
	const struct explain_map_text *how;
	size_t columns;
	int name;   /* columns of it */
	int colour; /* now; -1: the terminal's own */
};

static void set_colour(struct picture *p, int colour)
{
	if (!p->how->colour || p->colour == colour)
		return;
	if (colour < 0)
		fputs("\033[0m", p->out);
	else
		fprintf(p->out, "\033[38;5;%dm", colour);
	p->colour = colour;
}

static void print_shade(struct picture *p, unsigned int level)
{
	set_colour(p, colours[level]);
	if (p->how->utf8)
		fputs(blocks[level], p->out);
	else
		fputc(shades[level], p->out);
}

static void print_cells(struct picture *p, const struct map_row *row)
{
	for (size_t i = 0; i < p->columns; i++) {
		const struct map_cell *c = &row->cells[i];

		if (i < row->nr && c->used + c->free)
			print_shade(p, map_level(c->used, c->free, LEVELS));
		else
			fputc(' ', p->out);
	}
	set_colour(p, -1);
}

static void print_row(struct picture *p, const struct map_rows *rows, size_t i)
{
	const struct map_row *row = &rows->v[i];
	char name[64] = "", size[24];

	fprintf(p->out, "%012" PRIx64 "  ", row->start);
	print_cells(p, row);
	if (map_rows_new_name(rows, i))
		map_row_name(name, p->map, row);
	fprintf(p->out, "  %-*.*s %10s %3u %%\n", p->name, p->name, name,
		text_size(size, (int64_t)(row->used + row->free), false),
		map_percent(row->used, row->free));
}

static bool is_full(const struct map_row *row)
{
	return (double)row->used * 100 > (double)(row->used + row->free) * FULL_PERCENT;
}

/* As far as can be seen. */
static bool looks_like(const struct picture *p, const struct map_row *a, const struct map_row *b)
{
	if (a->nr != b->nr)
		return false;
	for (size_t i = 0; i < a->nr; i++) {
		const struct map_cell *x = &a->cells[i], *y = &b->cells[i];

		if (!(x->used + x->free) != !(y->used + y->free) ||
		    map_level(x->used, x->free, LEVELS) != map_level(y->used, y->free, LEVELS))
			return false;
	}
	return true;
}

/* "118 arenas over 95 % in use, 118.0 MiB", "like 12 rows more, 12.0 MiB" */
static void print_folded(struct picture *p, const struct map_row *rows, size_t nr, bool full)
{
	const char *what = map_region_text(p->map->v[rows[0].first].group);
	size_t regions = rows[nr - 1].last - rows[0].first + 1;
	uint64_t bytes = 0;
	char size[24];

	for (size_t i = 0; i < nr; i++)
		bytes += rows[i].used + rows[i].free;
	text_size(size, (int64_t)bytes, false);
	fprintf(p->out, "%14s", "");
	if (!full)
		fprintf(p->out, "%zu rows more like this, %s\n", nr, size);
	else if (regions > 1)
		fprintf(p->out, "%zu %ss over %d %% in use, %s\n", regions, what, FULL_PERCENT,
			size);
	else
		fprintf(p->out, "%zu rows over %d %% in use, %s\n", nr, FULL_PERCENT, size);
}

static void print_rows(struct picture *p, const struct map_rows *rows)
{
	for (size_t i = 0, end; i < rows->nr; i = end) {
		const struct map_row *row = &rows->v[i];

		for (end = i; end < rows->nr && is_full(&rows->v[end]);)
			end++;
		if (end - i >= FOLD) {
			print_folded(p, row, end - i, true);
			continue;
		}
		print_row(p, rows, i);
		for (end = i + 1; end < rows->nr && looks_like(p, row, &rows->v[end]);)
			end++;
		if (end - i - 1 >= FOLD)
			print_folded(p, row + 1, end - i - 1, false);
		else
			end = i + 1;
	}
}

static int print_group(struct picture *p, enum map_group g)
{
	_cleanup_(map_rows_done) struct map_rows rows = {0};
	int err = map_rows_of(p->map, g, map_least_cell(p->explanation, g), p->columns, MAX_ROWS,
			      &rows);
	char all[24], used[24], unused[24], cell[24];

	if (err || !rows.nr)
		return err;
	fprintf(p->out, "\n%s: ", map_group_text(g));
	if (g != MAP_HEAP || rows.regions > 1)
		fprintf(p->out, "%zu %s%s, ", rows.regions, map_region_text(g),
			rows.regions == 1 ? "" : "s");
	fprintf(p->out, "%s resident: %s in use (%u %%), %s free; a cell is %s\n",
		text_size(all, (int64_t)(rows.used + rows.free), false),
		text_size(used, (int64_t)rows.used, false), map_percent(rows.used, rows.free),
		text_size(unused, (int64_t)rows.free, false),
		text_size(cell, (int64_t)rows.cell_bytes, false));
	print_rows(p, &rows);
	return 0;
}

static void print_head(struct picture *p)
{
	const struct explanation *e = p->explanation;
	const char *command = e->process.cmdline ? e->process.cmdline : e->process.comm;
	uint64_t here = 0;
	char text[256], a[24], b[24];

	for (size_t i = 0; i < p->map->nr; i++)
		here += p->map->v[i].used + p->map->v[i].free;
	fprintf(p->out, "# pid %d", (int)e->process.pid);
	if (command)
		fprintf(p->out, "  %s", text_escape(text, sizeof(text), command, strlen(command)));
	if (e->python.version_hex)
		fprintf(p->out, "  CPython %s", python_version_text(a, e->python.version_hex));
	fprintf(p->out, ": RSS %s, %s of it here (%u %%)\n", text_size(a, (int64_t)e->total, false),
		text_size(b, (int64_t)here, false),
		map_percent(here, e->total > here ? e->total - here : 0));
	if (e->approximate) {
		text_escape(text, sizeof(text), e->approximate_why, strlen(e->approximate_why));
		fprintf(p->out, "# approximate: %s\n", text);
	}
}

static void print_legend(struct picture *p)
{
	fputs("\na cell: ' ' not resident  ", p->out);
	print_shade(p, 0);
	set_colour(p, -1);
	fputs(" resident, nothing in use  ", p->out);
	for (unsigned int i = 1; i < LEVELS - 1; i++)
		print_shade(p, i);
	set_colour(p, -1);
	fputs(" partly in use  ", p->out);
	print_shade(p, LEVELS - 1);
	set_colour(p, -1);
	fputs(" in use\n", p->out);
	if (p->map->left_out) {
		char size[24];

		fprintf(p->out, "# too many regions: %s are not shown\n",
			text_size(size, (int64_t)p->map->left_out, false));
	}
}

int explain_map_text(FILE *out, const struct explanation *e, const struct memory_map *m,
		     const struct explain_map_text *how)
{
	struct picture p = {
		.out = out,
		.explanation = e,
		.map = m,
		.how = how,
		.columns = 64,
		.colour = -1,
	};
	int err = 0;

	p.name = how->width && how->width < 64 + NAME + AROUND ? NAME_NARROW : NAME;
	while (how->width && p.columns > 8 && p.columns + (size_t)p.name + AROUND > how->width)
		p.columns /= 2;
	print_head(&p);
	if (!m->nr)
		fputs("\nno arena and no heap that can be told apart\n", out);
	for (int g = 0; g < MAP_GROUPS && !err; g++)
		err = print_group(&p, (enum map_group)g);
	if (!err && m->nr)
		print_legend(&p);
	return err ? err : ferror(out) ? -EIO : 0;
}
