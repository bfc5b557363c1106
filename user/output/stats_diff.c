/* SPDX-License-Identifier: MIT */
/*
 * The difference of two accounts as pymemtrace 0.6.3 prints it (DiffSysDebugMallocStats.diff()):
 *
 *	class   size   num pools   blocks in use  avail blocks
 *	-----   ----   ---------   -------------  ------------
 *	    1     32          +1             +52           +74
 *
 *	# bytes in allocated blocks        =              +19,904
 *	-4 unused pools * 4096 bytes       =              -16,384
 *
 *	           +2 free PyDictObjects * 48 bytes each =                  +96
 *
 * Its peculiarities are kept: lines without change are left out, every block but the table is
 * preceded by a blank line even where the table is empty, unused pools carry no plus sign, free
 * lists are sorted as strings and a line only A or only B has is one column wider. Arena-map lines
 * and the serial number are not compared.
 */
#include "output/stats_text.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/stats_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* One block of "LABEL = CHANGE" lines: the first line printed brings the blank line before it. */
struct block {
	FILE *out;
	bool begun;
};

static void begin_block(struct block *b)
{
	if (!b->begun)
		fputc('\n', b->out);
	b->begun = true;
}

static void change_line(struct block *b, const char *label, uint64_t from, uint64_t to)
{
	char value[32];

	begin_block(b);
	text_thousands(value, (int64_t)(to - from), true);
	fprintf(b->out, "%-34s = %20s\n", label, value);
}

static void change_lines(struct block *block, const struct malloc_stats *a,
			 const struct malloc_stats *b, enum stats_line first, enum stats_line last)
{
	for (enum stats_line i = first; i <= last; i++) {
		uint64_t from = stats_line_value(a, i), to = stats_line_value(b, i);

		if (from != to)
			change_line(block, stats_lines[i].label, from, to);
	}
}

static void print_classes(FILE *out, const struct malloc_stats *a, const struct malloc_stats *b)
{
	bool heading = false;

	for (uint32_t i = 0; i < min(a->nr_classes, (uint32_t)STATS_MAX_CLASSES); i++) {
		const struct size_class *p = &a->classes[i], *q = &b->classes[i];

		if (p->pools == q->pools && p->used == q->used && p->avail == q->avail)
			continue;
		if (!heading)
			fputs(STATS_HEADING "\n" STATS_RULE "\n", out);
		heading = true;
		fprintf(out, "%5u  %5u  %+10" PRId64 "  %+14" PRId64 "  %+12" PRId64 "\n", i,
			(i + 1) * a->alignment, (int64_t)(q->pools - p->pools),
			(int64_t)(q->used - p->used), (int64_t)(q->avail - p->avail));
	}
}

static void print_arenas(FILE *out, const struct malloc_stats *a, const struct malloc_stats *b)
{
	struct block block = {.out = out};
	char label[96];

	change_lines(&block, a, b, LINE_ARENAS_TOTAL, LINE_ARENAS_CURRENT);
	if (a->arenas_current == b->arenas_current)
		return;
	snprintf(label, sizeof(label), "%+" PRId64 " arenas * %" PRIu64 " bytes/arena",
		 (int64_t)(b->arenas_current - a->arenas_current), a->arena_bytes);
	change_line(&block, label, a->arenas_current * a->arena_bytes,
		    b->arenas_current * b->arena_bytes);
}

static void print_bytes(FILE *out, const struct malloc_stats *a, const struct malloc_stats *b)
{
	struct block block = {.out = out};
	uint64_t from = stats_total(a), to = stats_total(b);
	char label[96];

	change_lines(&block, a, b, LINE_ALLOCATED, LINE_AVAILABLE);
	if (a->unused_pools != b->unused_pools) {
		snprintf(label, sizeof(label), "%" PRId64 " unused pools * %" PRIu64 " bytes",
			 (int64_t)(b->unused_pools - a->unused_pools), a->pool_bytes);
		change_line(&block, label, a->unused_pools * a->pool_bytes,
			    b->unused_pools * b->pool_bytes);
	}
	change_lines(&block, a, b, LINE_HEADERS, LINE_ALIGNMENT);
	if (from != to)
		change_line(&block, STATS_TOTAL, from, to);
}

/* sign: of the whole line, for a list that only one side has; 0: the figures carry theirs. */
static void free_list_line(struct block *b, const struct free_list *l, char sign, int64_t count,
			   int64_t bytes)
{
	char what[96], value[32];

	begin_block(b);
	if (sign)
		fputc(sign, b->out);
	snprintf(what, sizeof(what),
		 sign ? "%" PRId64 " free %.*ss * %" PRIu64 " bytes each"
		      : "%+" PRId64 " free %.*ss * %" PRIu64 " bytes each",
		 count, (int)strnlen(l->type, sizeof(l->type)), l->type, l->item_bytes);
	fprintf(b->out, "%48s = %20s\n", what, text_thousands(value, bytes, !sign));
}

/* The order of the names as printed, with their plural s. */
static int compare_type(const struct free_list *a, const struct free_list *b)
{
	char p[sizeof(a->type) + 2], q[sizeof(b->type) + 2];

	snprintf(p, sizeof(p), "%.*ss", (int)strnlen(a->type, sizeof(a->type)), a->type);
	snprintf(q, sizeof(q), "%.*ss", (int)strnlen(b->type, sizeof(b->type)), b->type);
	return strcmp(p, q);
}

static size_t sort_lists(const struct malloc_stats *s, const struct free_list **ret)
{
	size_t nr = min(s->nr_free_lists, (size_t)STATS_MAX_FREE_LISTS);

	for (size_t i = 0; i < nr; i++) {
		size_t j = i;

		for (; j && compare_type(ret[j - 1], &s->free_lists[i]) > 0; j--)
			ret[j] = ret[j - 1];
		ret[j] = &s->free_lists[i];
	}
	return nr;
}

static void only_line(struct block *b, const struct free_list *l, char sign)
{
	free_list_line(b, l, sign, (int64_t)l->count, (int64_t)(l->count * l->item_bytes));
}

static void print_free_lists(FILE *out, const struct malloc_stats *a, const struct malloc_stats *b)
{
	const struct free_list *pa[STATS_MAX_FREE_LISTS], *pb[STATS_MAX_FREE_LISTS];
	size_t na = sort_lists(a, pa), nb = sort_lists(b, pb), i = 0, j = 0;
	struct block block = {.out = out};

	while (i < na || j < nb) {
		int order = i == na ? 1 : j == nb ? -1 : compare_type(pa[i], pb[j]);
		const struct free_list *l = i < na ? pa[i] : NULL, *m = j < nb ? pb[j] : NULL;

		i += order <= 0;
		j += order >= 0;
		if (order < 0) {
			only_line(&block, l, '-');
		} else if (order > 0) {
			only_line(&block, m, '+');
		} else if (l->item_bytes != m->item_bytes) {
			only_line(&block, l, '-');
			only_line(&block, m, '+');
		} else if (l->count != m->count) {
			free_list_line(&block, l, 0, (int64_t)(m->count - l->count),
				       (int64_t)((m->count - l->count) * l->item_bytes));
		}
	}
}

static int same_build(const struct malloc_stats *a, const struct malloc_stats *b, struct fault *f)
{
	if (a->pymalloc != b->pymalloc)
		return fault_set(f, EINVAL, "the %s of the two has no pymalloc part",
				 a->pymalloc ? "second" : "first");
	if (!a->pymalloc)
		return 0;
	if (a->nr_classes != b->nr_classes)
		return fault_set(f, EINVAL, "%u size classes in the first, %u in the second",
				 a->nr_classes, b->nr_classes);
	if (a->alignment != b->alignment)
		return fault_set(f, EINVAL,
				 "size classes of %u bytes in the first, %u in the second",
				 a->alignment, b->alignment);
	if (a->arena_bytes != b->arena_bytes)
		return fault_set(f, EINVAL,
				 "arenas of %" PRIu64 " bytes in the first, %" PRIu64
				 " in the second",
				 a->arena_bytes, b->arena_bytes);
	if (a->pool_bytes != b->pool_bytes)
		return fault_set(f, EINVAL,
				 "pools of %" PRIu64 " bytes in the first, %" PRIu64
				 " in the second",
				 a->pool_bytes, b->pool_bytes);
	return 0;
}

int stats_comparable(const struct malloc_stats *a, const struct malloc_stats *b, struct fault *f)
{
	int err = same_build(a, b, f);

	if (err)
		fault_hint(f, "a difference needs two accounts of the same build of Python");
	return err;
}

int stats_print_diff(FILE *out, const struct malloc_stats *a, const struct malloc_stats *b,
		     struct fault *f)
{
	int err = stats_comparable(a, b, f);

	if (err)
		return err;
	if (a->pymalloc) {
		print_classes(out, a, b);
		print_arenas(out, a, b);
		print_bytes(out, a, b);
	}
	print_free_lists(out, a, b);
	return 0;
}
