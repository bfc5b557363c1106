/* SPDX-License-Identifier: MIT */
/*
 * The arenas that were alive when recording ended, the oldest first, of equal age the emptiest:
 *
 *	arenas alive at the end: 151, 151.0 MiB, 121.4 MiB of it used (80 %); 139 from before attach
 *	 age  used      bytes       of  free pools  opened by        file
 *	       0 %      300 B  1.0 MiB    62 of 64  [before attach]
 *	58 s  29 %  293.0 KiB  1.0 MiB    40 of 64  Loader.load      /srv/app/load.py:47
 */
#include "output/profile_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "output/profile_label.h"
#include "output/profile_out.h"
#include "output/table.h"

#include <errno.h>
#include <inttypes.h>

#define BEFORE_ATTACH "[before attach]"

static double used_part(const struct profile_arena *a)
{
	return a->bytes ? (double)a->used_bytes / (double)a->bytes : 0;
}

/* opened_ns of those from before attach is 0: the oldest */
static int compare_arenas(const void *x, const void *y)
{
	const struct profile_arena *a = *(const struct profile_arena *const *)x,
				   *b = *(const struct profile_arena *const *)y;
	double s = used_part(a), t = used_part(b);

	if (a->opened_ns != b->opened_ns)
		return a->opened_ns < b->opened_ns ? -1 : 1;
	if (s != t)
		return s < t ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

/* "0.4 s", "58 s", "12 m 05 s", "3 h 20 m" */
static void print_age(char *buf, size_t size, int64_t ns)
{
	int64_t s = ns / 1000000000;

	if (ns < 10000000000)
		snprintf(buf, size, "%.1f s", (double)max(ns, (int64_t)0) / 1e9);
	else if (s < 60)
		snprintf(buf, size, "%" PRId64 " s", s);
	else if (s < 3600)
		snprintf(buf, size, "%" PRId64 " m %02" PRId64 " s", s / 60, s % 60);
	else
		snprintf(buf, size, "%" PRId64 " h %02" PRId64 " m", s / 3600, s / 60 % 60);
}

static void size_cell(struct table *t, uint64_t bytes)
{
	char cell[24];

	table_cell(t, text_size(cell, (int64_t)min(bytes, (uint64_t)INT64_MAX), false));
}

static void opener_cells(struct table *t, const struct profile *p, const struct profile_arena *a)
{
	char label[PROFILE_LABEL_SIZE];
	const struct profile_frame *leaf;

	if (a->stack == PROFILE_NONE) {
		table_cell(t, a->opened_ns ? "[not seen]" : BEFORE_ATTACH);
		table_cell(t, "");
		return;
	}
	leaf = &p->stacks[a->stack].frames[0];
	table_cell(t, profile_function_label(label, sizeof(label), &p->functions[leaf->function]));
	table_cell(t, profile_place_label(label, sizeof(label), &p->functions[leaf->function],
					  leaf->line));
}

static void add_arena(struct table *t, const struct profile *p, const struct profile_arena *a,
		      bool several)
{
	char cell[48];

	cell[0] = 0;
	if (a->opened_ns) /* no clock of a file is trusted: the difference may be anything */
		print_age(cell, sizeof(cell),
			  (int64_t)((uint64_t)p->end_ns - (uint64_t)a->opened_ns));
	table_cell(t, cell);
	snprintf(cell, sizeof(cell), "%.0f %%", 100 * used_part(a));
	table_cell(t, cell);
	size_cell(t, a->used_bytes);
	size_cell(t, a->bytes);
	snprintf(cell, sizeof(cell), "%" PRIu32 " of %" PRIu32, a->free_pools, a->pools);
	table_cell(t, cell);
	if (several) {
		snprintf(cell, sizeof(cell), "%d", a->pid);
		table_cell(t, cell);
	}
	opener_cells(t, p, a);
}

static void begin_table(struct table *t, bool several)
{
	table_column(t, "age", true);
	table_column(t, "used", true);
	table_column(t, "bytes", true);
	table_column(t, "of", true);
	table_column(t, "free pools", true);
	if (several)
		table_column(t, "pid", true);
	table_column(t, "opened by", false);
	table_column(t, "file", false);
}

static void add_saturated(uint64_t *to, uint64_t n)
{
	*to = min(*to, UINT64_MAX - n) + n;
}

static void print_title(FILE *out, const struct profile_arena *const *arenas, size_t nr)
{
	uint64_t bytes = 0, used = 0, before = 0;
	char size[24], in_use[24];

	for (size_t i = 0; i < nr; i++) {
		add_saturated(&bytes, arenas[i]->bytes);
		add_saturated(&used, arenas[i]->used_bytes);
		before += !arenas[i]->opened_ns;
	}
	text_size(size, (int64_t)min(bytes, (uint64_t)INT64_MAX), false);
	text_size(in_use, (int64_t)min(used, (uint64_t)INT64_MAX), false);
	fprintf(out, "\narenas alive at the end: %zu, %s, %s of it used (%.0f %%)", nr, size,
		in_use, bytes ? 100 * (double)used / (double)bytes : 0);
	if (before)
		fprintf(out, "; %" PRIu64 " from before attach", before);
	fputs("\n", out);
}

int profile_print_arenas(FILE *out, const struct profile *p, const struct profile_view *view)
{
	_cleanup_free_ const struct profile_arena **arenas =
		calloc(p->nr_arenas + 1, sizeof(*arenas));
	bool several = !view->pid && profile_several(p);
	struct table t = {0};
	size_t nr = 0, shown;
	int err;

	if (!arenas)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nr_arenas; i++)
		if (!view->pid || view->pid == p->arenas[i].pid)
			arenas[nr++] = &p->arenas[i];
	if (!nr)
		return 0;
	qsort(arenas, nr, sizeof(*arenas), compare_arenas);
	shown = (size_t)min((uint64_t)nr, view->top);
	begin_table(&t, several);
	for (size_t i = 0; i < shown; i++)
		add_arena(&t, p, arenas[i], several);
	print_title(out, arenas, nr);
	err = shown ? table_print(out, &t, 0, true) : 0;
	if (shown && shown < nr)
		fprintf(out, "(%zu more)\n", nr - shown);
	table_done(&t);
	return err;
}
