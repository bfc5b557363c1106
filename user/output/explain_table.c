/* SPDX-License-Identifier: MIT */
/*
 *	                                               bytes  % RSS
 *	pymalloc                               2,912,223,232   71.4
 *	  free blocks in used pools            2,050,121,728   50.3
 *	  other (3 under 1 %)                     50,098,176    1.2
 *	other (9 under 1 %, -v shows them)         9,098,176    0.2
 *	resident pages, sum                    4,078,456,832  100.0  VmRSS 4,078,456,832
 */
#include "output/explain_table.h"

#include "base/text.h"
#include "output/explain_rows.h"
#include "output/table.h"

#include <string.h>

#define NAME_MAX_BYTES 60 /* of a name that the target chose, in a column of its own */

/* The end of a path says more than its beginning. */
static void clip_front(char *buf, size_t size, const char *name)
{
	char text[4 * 256];
	size_t len;
	const char *from;

	text_escape(text, sizeof(text), name, strlen(name));
	len = strlen(text);
	from = len > NAME_MAX_BYTES ? text + len - (NAME_MAX_BYTES - 3) : text;
	while (from > text && ((unsigned char)*from & 0xc0) == 0x80)
		from++;
	snprintf(buf, size, "%s%s", from > text ? "..." : "", from);
}

static void label(char *buf, size_t size, const struct explain_line *l, unsigned int percent)
{
	int n = snprintf(buf, size, "%*s", (int)(2 * l->indent), "");

	buf += n;
	size -= (size_t)n;
	if (!l->text)
		clip_front(buf, size, l->name);
	else if (l->folded)
		snprintf(buf, size, "%s (%zu under %u %%%s)", l->text, l->folded, percent,
			 l->indent ? "" : ", -v shows them");
	else
		snprintf(buf, size, "%s", l->text);
}

static void amount_cells(struct table *t, const struct explain_amount *a,
			 const struct explain_lines *lines, const struct explain_table *how)
{
	char cell[32];

	table_cell(t, text_thousands(cell, a->bytes, !how->percent && a->bytes > 0));
	if (how->percent) {
		if (lines->sum.bytes > 0)
			snprintf(cell, sizeof(cell), "%.1f",
				 100.0 * (double)a->bytes / (double)lines->sum.bytes);
		else
			strcpy(cell, "-");
		table_cell(t, cell);
	}
	if (how->details) {
		table_cell(t, text_thousands(cell, a->exclusive, false));
		table_cell(t, text_thousands(cell, a->huge, false));
	}
}

int explain_table_print(FILE *out, const struct explain_lines *lines,
			const struct explain_table *how)
{
	struct table t = {0};
	char text[256];
	int err;

	table_column(&t, "", false);
	table_column(&t, how->percent ? "bytes" : "change in bytes", true);
	if (how->percent)
		table_column(&t, "% RSS", true);
	if (how->details) {
		table_column(&t, "mapped here only", true);
		table_column(&t, "in huge pages", true);
	}
	table_column(&t, "", false);
	for (size_t i = 0; i < lines->nr; i++) {
		label(text, sizeof(text), &lines->v[i], lines->percent);
		table_cell(&t, text);
		amount_cells(&t, &lines->v[i].amount, lines, how);
		table_cell(&t, "");
	}
	table_cell(&t, "resident pages, sum");
	amount_cells(&t, &lines->sum, lines, how);
	table_cell(&t, how->remark ? how->remark : "");
	err = table_print(out, &t, 0, true);
	table_done(&t);
	return err;
}
