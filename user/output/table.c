/* SPDX-License-Identifier: MIT */
/* Collects the cells, measures them, prints them. Cells are safe for a terminal when they come. */
#include "output/table.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define GAP 2 /* blanks between columns */

void table_column(struct table *t, const char *heading, bool right)
{
	if (t->nr_columns == TABLE_MAX_COLUMNS || t->nr_cells) {
		t->failed = true;
		return;
	}
	t->headings[t->nr_columns] = heading;
	t->right[t->nr_columns++] = right;
}

void table_cell(struct table *t, const char *text)
{
	if (t->nr_cells == t->size) {
		size_t size = t->size ? 2 * t->size : 64;
		char **cells = reallocarray(t->cells, size, sizeof(*cells));

		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->size = size;
	}
	t->cells[t->nr_cells] = strdup(text);
	if (t->cells[t->nr_cells])
		t->nr_cells++;
	else
		t->failed = true;
}

/* One for each character: bytes that continue one (10xxxxxx) take no column. */
static size_t columns(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* At most width characters; a text that is longer ends in "..." where that fits. */
static void print_cut(FILE *out, const char *s, size_t width)
{
	size_t keep = columns(s) <= width ? width : width > 3 ? width - 3 : width;
	bool dots = columns(s) > width && width > 3;
	size_t n = 0;

	for (; *s; s++) {
		n += ((unsigned char)*s & 0xc0) != 0x80;
		if (n > keep)
			break;
		fputc(*s, out);
	}
	if (dots)
		fputs("...", out);
}

/* Blanks are printed before a text, never at the end of a line. */
static void print_row(FILE *out, const struct table *t, const char *const *cells,
		      const size_t *widths, size_t width)
{
	size_t used = 0, blanks = 0;

	for (size_t i = 0; i < t->nr_columns; i++) {
		size_t own = columns(cells[i]), pad = widths[i] > own ? widths[i] - own : 0;
		bool last = i + 1 == t->nr_columns;

		if (t->right[i])
			blanks += pad;
		if (*cells[i]) {
			fprintf(out, "%*s", (int)blanks, "");
			blanks = 0;
		}
		if (last && width) /* too narrow for the others: a few columns all the same */
			print_cut(out, cells[i], width > used + 8 ? width - used : 8);
		else
			fputs(cells[i], out);
		blanks += (t->right[i] ? 0 : pad) + GAP;
		used += widths[i] + GAP;
	}
	fputc('\n', out);
}

int table_print(FILE *out, const struct table *t, size_t width, bool headings)
{
	size_t widths[TABLE_MAX_COLUMNS] = {0};

	if (!t->nr_columns)
		return 0;
	for (size_t i = 0; headings && i < t->nr_columns; i++)
		widths[i] = columns(t->headings[i]);
	for (size_t i = 0; i < t->nr_cells; i++) {
		size_t *w = &widths[i % t->nr_columns];

		*w = max(*w, columns(t->cells[i]));
	}
	if (headings)
		print_row(out, t, t->headings, widths, width);
	for (size_t i = 0; i + t->nr_columns <= t->nr_cells; i += t->nr_columns)
		print_row(out, t, (const char *const *)t->cells + i, widths, width);
	return t->failed ? -ENOMEM : 0;
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->nr_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	memset(t, 0, sizeof(*t));
}
