/* SPDX-License-Identifier: MIT */
/*
 * Two explanations of one process as differences. Of a series:
 *
 *	12:00:05  pid 4242  RSS +34.5 MiB → 46.0 MiB
 *	                             change in bytes
 *	pymalloc                         +33,554,432
 *	  live blocks                    +32,397,568
 *	...
 *	resident pages, sum              +36,175,872  now 48,234,496
 *
 *	12:00:10  pid 4242  no change, RSS 46.0 MiB
 */
#include "output/explain_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/explanation.h"
#include "output/cgroup_text.h"
#include "output/explain_rows.h"
#include "output/explain_table.h"
#include "output/head.h"
#include "output/wrap.h"

#include <errno.h>
#include <string.h>

#define ARROW "\u2192"

static int64_t change(uint64_t before, uint64_t after)
{
	return explain_signed(after) - explain_signed(before);
}

static int rows_of(const struct explanation *a, const struct explanation *b, bool names,
		   struct explain_lines *ret)
{
	struct explanation_change *changes = NULL;
	struct explain_leaf *leaves = NULL;
	size_t nr = 0;
	int err = explanation_changes(a, b, &changes, &nr);

	if (!err) {
		leaves = calloc(nr + 1, sizeof(*leaves));
		err = leaves ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < nr && !err; i++)
		leaves[i] = (struct explain_leaf){
			.kind = changes[i].kind,
			.name = changes[i].name,
			.amount.bytes = change(changes[i].before, changes[i].after),
		};
	if (!err)
		err = explain_rows(leaves, nr, names, 0, ret);
	free(leaves);
	free(changes);
	return err;
}

/* "RSS +34.5 MiB → 46.0 MiB", "no change, RSS 46.0 MiB" */
static void print_rss(FILE *out, const struct explanation *a, const struct explanation *b,
		      bool changed)
{
	char by[32], now[24];

	text_size(now, explain_signed(b->total), false);
	if (changed)
		fprintf(out, "RSS %s " ARROW " %s\n", text_net(by, change(a->total, b->total)),
			now);
	else
		fprintf(out, "no change, RSS %s\n", now);
}

/* "# pid 4242  python3 app.py  2023-11-15 12:00:00 to 2023-11-15 12:01:00, 60.0 s" */
static void print_head(FILE *out, const struct explanation *a, const struct explanation *b)
{
	char from[32], to[32];

	text_clock(from, a->time_ns, true);
	text_clock(to, b->time_ns, true);
	head_print_process(out, &a->process);
	if (explanation_same_process(a, b)) {
		fprintf(out, "  %s to %s, %.1f s\n", from, to,
			((double)b->time_ns - (double)a->time_ns) / 1e9);
		return;
	}
	fprintf(out, "  %s\n", from);
	head_print_process(out, &b->process);
	fprintf(out, "  %s\n# these are two processes\n", to);
}

static void add_change(char *buf, size_t size, const char *what, uint64_t before, uint64_t after)
{
	size_t n = strlen(buf);
	char by[32];

	if (before != after)
		snprintf(buf + n, size - n, "%s%s %s", n ? ", " : "", what,
			 text_net(by, change(before, after)));
}

/* "also     swap +12.0 MiB, page tables +48.0 KiB" */
static void print_also(FILE *out, const struct explanation *a, const struct explanation *b,
		       const struct explain_text *how)
{
	const struct explanation_kernel *p = &a->kernel, *q = &b->kernel;
	char text[256] = "";

	add_change(text, sizeof(text), "swap", p->swap, q->swap);
	add_change(text, sizeof(text), "page tables", p->page_tables, q->page_tables);
	add_change(text, sizeof(text), "hugetlbfs", p->hugetlb, q->hugetlb);
	add_change(text, sizeof(text), "shared with others", p->shared, q->shared);
	add_change(text, sizeof(text), "Pss", p->pss, q->pss);
	if (*text)
		wrap_print(out, "also", text, how->width);
	if (a->approximate || b->approximate)
		wrap_print(out, "caution",
			   a->approximate && b->approximate ? "both readings are approximate"
			   : a->approximate		    ? "the first reading is approximate"
							    : "the second reading is approximate",
			   how->width);
}

/* "cgroup   +12.0 MiB → 3.1 GiB; about 6 min to the limit at this rate" */
static void print_cgroup(FILE *out, const struct memory_cgroup *a, const struct memory_cgroup *b,
			 const struct explain_text *how)
{
	char by[32], now[24], left[CGROUP_TEXT_LEFT] = "", text[192];

	if (!a->version || !b->version || a->usage >= CGROUP_NO_LIMIT ||
	    b->usage >= CGROUP_NO_LIMIT)
		return;
	if (how->cgroup_rate > 0)
		cgroup_text_left(left, b, how->cgroup_rate);
	if (a->usage == b->usage && !*left)
		return;
	snprintf(text, sizeof(text), "%s " ARROW " %s%s%s",
		 text_net(by, change(a->usage, b->usage)),
		 text_size(now, explain_signed(b->usage), false), *left ? "; " : "", left);
	wrap_print(out, "cgroup", text, how->width);
}

int explain_print_diff(FILE *out, const struct explanation *a, const struct explanation *b,
		       const struct explain_text *how)
{
	struct explain_table t = {0};
	struct explain_lines lines;
	char clock[32], now[64];
	int err = rows_of(a, b, how->verbose, &lines);

	if (err)
		return err;
	if (how->interval)
		fprintf(out, "%s%s  pid %d  ", lines.nr ? "\n" : "",
			text_clock(clock, b->time_ns, false), b->process.pid);
	else
		print_head(out, a, b);
	print_rss(out, a, b, lines.nr);
	if (lines.nr) {
		snprintf(now, sizeof(now), "now %s",
			 text_thousands(clock, explain_signed(b->total), false));
		t.remark = now;
		err = explain_table_print(out, &lines, &t);
	}
	free(lines.v);
	if (!err && (lines.nr || !how->interval))
		print_also(out, a, b, how);
	if (!err && (lines.nr || !how->interval || how->cgroup_rate > 0))
		print_cgroup(out, &a->cgroup, &b->cgroup, how);
	return err ? err : ferror(out) ? -EIO : 0;
}
