/* SPDX-License-Identifier: MIT */
/*
 *	Memory of pid 4242 (python3 app.py)
 *	CPython 3.12.1 · 2026-11-23 12:00:00 UTC · RSS 73.5 MiB, drawn here 68.2 MiB (93 %)
 *	▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇	in use, free, of others
 *	in a cell, nothing in use ▇▇▇▇▇▇▇▇▇▇▇ all that is resident   ▢ not resident
 *
 *	pymalloc: 68 arenas	63.8 MiB resident: 1.6 MiB in use (3 %), 62.2 MiB free. A cell is 16.0 KiB
 *	7f1c25a00000 ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ arena 1	1.0 MiB	  3 %
 *
 * Neighbours of one shade are one rectangle, the lines between cells are drawn above them all; figures
 * are in <title>, which browsers show beside the pointer. No script.
 */
#include "output/explain_map.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/explanation.h"
#include "model/memory_map.h"
#include "output/map_rows.h"
#include "output/svg.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define WIDTH	      1200
#define MARGIN	      12
#define CELLS_X	      108
#define CELLS_WIDTH   832
#define NAME_X	      (CELLS_X + CELLS_WIDTH + 14)
#define SIZE_X	      (WIDTH - MARGIN - 52) /* where it ends */
#define FIRST_Y	      128
#define GROUP_HEAD    46
#define NOTE_LINE     16
#define SMALL_COLUMNS 64
#define SMALL_ROWS    96
#define LARGE_ROWS    160
#define LEVELS	      11

/*
 * From yellow to blue by way of green: steps of one size in lightness (OKLab, 0.90 to 0.36), so that they
 * are told apart by everybody, and in black and white too. What is resident for nothing shines.
 */
static const char *const colours[LEVELS] = {
	"#f8e048", "#c6d95f", "#98cd74", "#6fbf82", "#49af8b", "#1f9d90",
	"#038a91", "#00768d", "#006289", "#004c8b", "#1e3288",
};

static const char style[] =
	"svg { background: var(--page); --page: #fdfdfc; --ink: #1d2126; --dim: #667080; "
	"--line: #c9ced6; --none: #f1f2f4; --others: #d3d7dd;\n"
	"	font: 12px system-ui, \"Segoe UI\", \"DejaVu Sans\", sans-serif; }\n"
	"@media (prefers-color-scheme: dark) { svg { --page: #17191d; --ink: #e4e7eb; "
	"--dim: #98a2b0; --line: #454b55; --none: #1f2227; --others: #4b515b; } }\n"
	"text { fill: var(--ink); white-space: pre; }\n"
	".page { fill: var(--page); }\n"
	".title { font-size: 17px; font-weight: 600; }\n"
	".heading { font-size: 14px; font-weight: 600; }\n"
	".dim { fill: var(--dim); }\n"
	".row { font: 10.5px \"DejaVu Sans Mono\", \"Liberation Mono\", Consolas, Menlo, monospace; }\n"
	".end { text-anchor: end; }\n"
	".none { fill: var(--none); stroke: var(--line); stroke-width: .7; }\n"
	".others { fill: var(--others); }\n"
	".grid { stroke: var(--page); stroke-width: 1; pointer-events: none; }\n"
	".edge { stroke: var(--page); stroke-width: 4; pointer-events: none; }\n"
	"rect:hover { stroke: var(--ink); stroke-width: 1; }\n"
	".page:hover { stroke: none; }\n";

struct page {
	FILE *out;
	const struct explanation *e;
	const struct memory_map *map;
	struct map_rows groups[MAP_GROUPS];
	size_t columns[MAP_GROUPS];
	uint64_t used, free; /* of all regions */
	unsigned int y;
};

static void text_open(struct page *g, const char *class, double x, double y)
{
	fprintf(g->out, "<text class=\"%s\" x=\"%g\" y=\"%g\">", class, x, y);
}

static void print_escaped(struct page *g, const char *s, unsigned int columns)
{
	char text[1024];

	svg_text_cut(g->out, text_escape(text, sizeof(text), s, strlen(s)), columns);
}

static void print_name(struct page *g, unsigned int columns)
{
	const struct process_id *p = &g->e->process;
	const char *command = p->cmdline && *p->cmdline ? p->cmdline : p->comm;

	fprintf(g->out, "Memory of pid %d", (int)p->pid);
	if (command) {
		fputs(" (", g->out);
		print_escaped(g, command, columns);
		fputc(')', g->out);
	}
}

static double cell_width(const struct page *g, int group)
{
	return (double)CELLS_WIDTH / (double)g->columns[group];
}

static unsigned int row_height(const struct page *g, int group)
{
	return g->columns[group] > SMALL_COLUMNS ? 9 : 12;
}

/* "96.0 KiB: 3.1 KiB in use (3 %), 92.9 KiB free, 0 B not resident" */
static void print_figures(struct page *g, uint64_t bytes, uint64_t used, uint64_t unused)
{
	uint64_t absent = bytes > used + unused ? bytes - used - unused : 0;
	char a[24], b[24], c[24], d[24];

	fprintf(g->out, "%s: ", text_size(a, (int64_t)bytes, false));
	if (used + unused)
		fprintf(g->out, "%s in use (%u %%), %s free", text_size(b, (int64_t)used, false),
			map_percent(used, unused), text_size(c, (int64_t)unused, false));
	if (absent)
		fprintf(g->out, "%s%s not resident", used + unused ? ", " : "",
			text_size(d, (int64_t)absent, false));
}

/* What one rectangle can be for: a gap -1, not resident LEVELS, else a shade. */
static int shade_of(const struct map_cell *c)
{
	if (!c->inside)
		return -1;
	return c->used + c->free ? (int)map_level(c->used, c->free, LEVELS) : LEVELS;
}

static void print_run(struct page *g, int group, const struct map_row *row, size_t from, size_t to,
		      unsigned int height)
{
	double width = cell_width(g, group);
	int shade = shade_of(&row->cells[from]);
	uint64_t used = 0, unused = 0;
	char class[8] = "none";

	if (shade < 0)
		return;
	for (size_t i = from; i < to; i++) {
		used += row->cells[i].used;
		unused += row->cells[i].free;
	}
	if (shade < LEVELS)
		snprintf(class, sizeof(class), "c%d", shade);
	fprintf(g->out,
		"<rect class=\"%s\" x=\"%g\" width=\"%g\" height=\"%u\"><title>%" PRIx64 ", ",
		class, (double)from * width, (double)(to - from) * width, height,
		row->addresses[from]);
	print_figures(g, (to - from) * g->groups[group].cell_bytes, used, unused);
	fputs("</title></rect>", g->out);
}

static void print_row(struct page *g, int group, size_t i, unsigned int y)
{
	const struct map_row *row = &g->groups[group].v[i];
	double width = cell_width(g, group);
	unsigned int height = row_height(g, group);
	char name[64], size[24];

	fprintf(g->out, "<g class=\"cells\" transform=\"translate(%d %u)\">", CELLS_X, y);
	for (size_t from = 0, to; from < row->nr; from = to) {
		for (to = from + 1;
		     to < row->nr && shade_of(&row->cells[to]) == shade_of(&row->cells[from]);)
			to++;
		print_run(g, group, row, from, to, height);
	}
	for (size_t k = 0; k < row->nr; k++)
		if (row->cells[k].edge)
			fprintf(g->out, "<path class=\"edge\" d=\"M%g 0v%u\"/>", (double)k * width,
				height);
	fputs("</g>\n", g->out);
	text_open(g, "row dim", MARGIN, y + height - 1.5);
	fprintf(g->out, "%012" PRIx64 "</text>", row->start);
	if (map_rows_new_name(&g->groups[group], i)) {
		text_open(g, "row", NAME_X, y + height - 1.5);
		fprintf(g->out, "%s</text>", map_row_name(name, g->map, row));
	}
	text_open(g, "row end", SIZE_X, y + height - 1.5);
	fprintf(g->out, "%s</text>", text_size(size, (int64_t)(row->used + row->free), false));
	text_open(g, "row end", WIDTH - MARGIN, y + height - 1.5);
	fprintf(g->out, "%u %%</text>\n", map_percent(row->used, row->free));
}

/* Lines between cells, above them all. */
static void print_grid(struct page *g, int group, unsigned int y, unsigned int height)
{
	if (g->columns[group] > SMALL_COLUMNS)
		return;
	fputs("<path class=\"grid\" d=\"", g->out);
	for (size_t i = 1; i < g->columns[group]; i++)
		fprintf(g->out, "M%g %uv%u", CELLS_X + (double)i * cell_width(g, group), y, height);
	fputs("\"/>\n", g->out);
}

static void print_group(struct page *g, int group)
{
	const struct map_rows *rows = &g->groups[group];
	unsigned int pitch = row_height(g, group) + 2;
	char all[24], used[24], unused[24], cell[24];

	if (!rows->nr)
		return;
	fprintf(g->out, "<g class=\"group\" data-name=\"%s\">\n",
		map_group_text((enum map_group)group));
	text_open(g, "heading", MARGIN, g->y + 18);
	fprintf(g->out, "%s</text>", map_group_text((enum map_group)group));
	text_open(g, "dim", MARGIN, g->y + 36);
	fprintf(g->out,
		"%zu %s%s, %s resident: %s in use (%u %%), %s free. A cell is %s of addresses.</text>\n",
		rows->regions, map_region_text((enum map_group)group),
		rows->regions == 1 ? "" : "s",
		text_size(all, (int64_t)(rows->used + rows->free), false),
		text_size(used, (int64_t)rows->used, false), map_percent(rows->used, rows->free),
		text_size(unused, (int64_t)rows->free, false),
		text_size(cell, (int64_t)rows->cell_bytes, false));
	g->y += GROUP_HEAD;
	for (size_t i = 0; i < rows->nr; i++)
		print_row(g, group, i, g->y + (unsigned int)i * pitch);
	print_grid(g, group, g->y, (unsigned int)rows->nr * pitch);
	g->y += (unsigned int)rows->nr * pitch + 14;
	fputs("</g>\n", g->out);
}

/* "CPython 3.12.1 · 2026-11-23 12:00:00 UTC · RSS 73.5 MiB, drawn here 68.2 MiB (93 %)" */
static void print_how(struct page *g)
{
	time_t seconds = (time_t)(g->e->time_ns / 1000000000);
	uint64_t here = g->used + g->free;
	char text[64] = "", a[24], b[24];
	struct tm tm;

	text_open(g, "dim", MARGIN, 46);
	if (g->e->python.version_hex)
		fprintf(g->out, "CPython %s · ",
			python_version_text(text, g->e->python.version_hex));
	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		fprintf(g->out, "%s · ", text);
	fprintf(g->out, "RSS %s, drawn here %s (%u %%)", text_size(a, (int64_t)g->e->total, false),
		text_size(b, (int64_t)here, false),
		map_percent(here, g->e->total > here ? g->e->total - here : 0));
	if (g->e->approximate) {
		fputs(" · approximate: ", g->out);
		print_escaped(g, g->e->approximate_why, 100);
	}
	fputs("</text>\n", g->out);
}

/* One bar of all that is resident. */
static void print_balance(struct page *g)
{
	uint64_t others = g->e->total > g->used + g->free ? g->e->total - g->used - g->free : 0;
	const struct {
		const char *class, *text;
		uint64_t bytes;
	} parts[] = {
		{"c10", "in use", g->used},
		{"c0", "free, and resident all the same", g->free},
		{"others", "of others: files, stacks, other mappings", others},
	};
	double x = MARGIN, sum = (double)(g->used + g->free + others);
	char size[24];

	for (size_t i = 0; i < ARRAY_SIZE(parts) && sum > 0; i++) {
		double width = (WIDTH - 2 * MARGIN) * (double)parts[i].bytes / sum;

		if (!parts[i].bytes)
			continue;
		text_size(size, (int64_t)parts[i].bytes, false);
		fprintf(g->out,
			"<rect class=\"%s\" x=\"%.2f\" y=\"58\" width=\"%.2f\" height=\"14\"><title>%s: %s</title></rect>\n",
			parts[i].class, x, width, parts[i].text, size);
		x += width;
	}
	x = MARGIN;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		text_size(size, (int64_t)parts[i].bytes, false);
		fprintf(g->out, "<rect class=\"%s\" x=\"%g\" y=\"80\" width=\"10\" height=\"10\"/>",
			parts[i].class, x);
		text_open(g, "", x + 16, 89);
		fprintf(g->out, "%s %s</text>\n", size, parts[i].text);
		x += i ? 300 : 180;
	}
}

static void print_legend(struct page *g)
{
	double x = MARGIN + 146;

	text_open(g, "dim", MARGIN, 113);
	fputs("in a cell, nothing in use</text>\n", g->out);
	for (int i = 0; i < LEVELS; i++, x += 20)
		fprintf(g->out,
			"<rect class=\"c%d\" x=\"%g\" y=\"104\" width=\"20\" height=\"11\"/>", i,
			x);
	text_open(g, "dim", x + 6, 113);
	fputs("all that is resident is in use</text>", g->out);
	x += 200;
	fprintf(g->out, "<rect class=\"none\" x=\"%g\" y=\"104\" width=\"20\" height=\"11\"/>", x);
	text_open(g, "dim", x + 26, 113);
	fputs("not resident</text>\n", g->out);
}

static void note(struct page *g, const char *text)
{
	g->y += NOTE_LINE;
	text_open(g, "dim", MARGIN, g->y);
	fprintf(g->out, "%s</text>\n", text);
}

static void print_notes(struct page *g)
{
	char text[128], size[24];

	if (!g->map->nr)
		note(g, "No arena and no heap that can be told apart.");
	else
		note(g,
		     "Rows ascend by address. Regions next to each other go on from row to row; behind a gap "
		     "there is something else in between. Rows without a resident byte are left out.");
	if (g->map->left_out) {
		snprintf(text, sizeof(text), "Too many regions: %s are not drawn.",
			 text_size(size, (int64_t)g->map->left_out, false));
		note(g, text);
	}
}

static int lay_out(struct page *g)
{
	int err = 0;

	g->y = FIRST_Y;
	for (int i = 0; i < MAP_GROUPS && !err; i++) {
		enum map_group group = (enum map_group)i;
		uint64_t least = map_least_cell(g->e, group);
		struct map_rows *rows = &g->groups[i];

		g->columns[i] = SMALL_COLUMNS;
		err = map_rows_of(g->map, group, least, SMALL_COLUMNS, SMALL_ROWS, rows);
		if (!err && rows->cell_bytes > max(least, g->map->cell_bytes)) {
			map_rows_done(rows);
			g->columns[i] = MAP_COLUMNS;
			err = map_rows_of(g->map, group, least, MAP_COLUMNS, LARGE_ROWS, rows);
		}
		if (!err && rows->nr)
			g->y += GROUP_HEAD + (unsigned int)rows->nr * (row_height(g, i) + 2) + 14;
		g->used += rows->used;
		g->free += rows->free;
	}
	return err;
}

static void print_page(struct page *g)
{
	unsigned int height = g->y + 3 * NOTE_LINE;

	fprintf(g->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\">\n<title>",
		WIDTH, height, WIDTH, height);
	print_name(g, 400);
	fprintf(g->out, "</title>\n<style><![CDATA[\n%s", style);
	for (int i = 0; i < LEVELS; i++)
		fprintf(g->out, ".c%d { fill: %s; }\n", i, colours[i]);
	fputs("]]></style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n", g->out);
	text_open(g, "title", MARGIN, 26);
	print_name(g, 100);
	fputs("</text>\n", g->out);
	print_how(g);
	print_balance(g);
	print_legend(g);
	g->y = FIRST_Y;
	for (int i = 0; i < MAP_GROUPS; i++)
		print_group(g, i);
	print_notes(g);
	fputs("</svg>\n", g->out);
}

int explain_map_svg(FILE *out, const struct explanation *e, const struct memory_map *m)
{
	struct page g = {.out = out, .e = e, .map = m};
	int err = lay_out(&g);

	if (!err)
		print_page(&g);
	for (int i = 0; i < MAP_GROUPS; i++)
		map_rows_done(&g.groups[i]);
	return err ? err : ferror(out) ? -EIO : 0;
}
