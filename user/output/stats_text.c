/* SPDX-License-Identifier: MIT */
/*
 * Writes the text of sys._debugmallocstats():
 *
 *	Small block threshold = 512, in 32 size classes.
 *
 *	class   size   num pools   blocks in use  avail blocks
 *	-----   ----   ---------   -------------  ------------
 *	    0     16           1              27           994
 *
 *	# arenas allocated total           =                    2
 *	...
 *	           14 free PyDictObjects * 48 bytes each =                  672
 */
#include "output/stats_text.h"

#include "base/cleanup.h"
#include "output/stats_lines.h"

#include <inttypes.h>
#include <string.h>

#define ROW(text, member)                                   \
	{                                                   \
		text, offsetof(struct malloc_stats, member) \
	}

const struct stats_line_row stats_lines[NR_STATS_LINES] = {
	[LINE_SERIAL] = ROW("# times object malloc called", serial),
	[LINE_ARENAS_TOTAL] = ROW("# arenas allocated total", arenas_total),
	[LINE_ARENAS_RECLAIMED] = ROW("# arenas reclaimed", arenas_reclaimed),
	[LINE_ARENAS_HIGHWATER] = ROW("# arenas highwater mark", arenas_highwater),
	[LINE_ARENAS_CURRENT] = ROW("# arenas allocated current", arenas_current),
	[LINE_ALLOCATED] = ROW("# bytes in allocated blocks", allocated_bytes),
	[LINE_AVAILABLE] = ROW("# bytes in available blocks", available_bytes),
	[LINE_HEADERS] = ROW("# bytes lost to pool headers", header_bytes),
	[LINE_QUANTIZATION] = ROW("# bytes lost to quantization", quantization_bytes),
	[LINE_ALIGNMENT] = ROW("# bytes lost to arena alignment", alignment_bytes),
	[LINE_MAP_MID_NODES] = ROW("# arena map mid nodes", map_mid_nodes),
	[LINE_MAP_BOT_NODES] = ROW("# arena map bot nodes", map_bot_nodes),
	[LINE_MAP_ROOT_BYTES] = ROW("# bytes lost to arena map root", map_root_bytes),
	[LINE_MAP_MID_BYTES] = ROW("# bytes lost to arena map mid", map_mid_bytes),
	[LINE_MAP_BOT_BYTES] = ROW("# bytes lost to arena map bot", map_bot_bytes),
};

/*
 * CPython's printone(): a label longer than 35 columns pushes the rest to the right, a value longer
 * than 21 loses its head.
 */
static void print_line(FILE *out, const char *label, uint64_t value)
{
	char text[32], *p = text + sizeof(text) - 1;
	unsigned int digits = 0;

	*p = 0;
	do {
		if (digits && digits % 3 == 0)
			*--p = ',';
		*--p = (char)('0' + value % 10);
		value /= 10;
		digits++;
	} while (value);
	if (strlen(p) > 21)
		p += strlen(p) - 21;
	fprintf(out, "%-35s=%21s\n", label, p);
}

static void print_lines(FILE *out, const struct malloc_stats *s, enum stats_line first,
			enum stats_line last)
{
	for (enum stats_line i = first; i <= last; i++)
		print_line(out, stats_lines[i].label, stats_line_value(s, i));
}

static void print_classes(FILE *out, const struct malloc_stats *s)
{
	fputs(STATS_HEADING "\n" STATS_RULE "\n", out);
	for (uint32_t i = 0; i < min(s->nr_classes, (uint32_t)STATS_MAX_CLASSES); i++) {
		const struct size_class *c = &s->classes[i];

		if (c->pools)
			fprintf(out, "%5u %6u %11" PRIu64 " %15" PRIu64 " %13" PRIu64 "\n", i,
				(i + 1) * s->alignment, c->pools, c->used, c->avail);
	}
}

static void print_pymalloc(FILE *out, const struct malloc_stats *s)
{
	char label[96];

	fprintf(out, "Small block threshold = %u, in %u size classes.\n\n", s->threshold,
		s->nr_classes);
	print_classes(out, s);
	fputc('\n', out);
	if (s->has_serial)
		print_lines(out, s, LINE_SERIAL, LINE_SERIAL);
	print_lines(out, s, LINE_ARENAS_TOTAL, LINE_ARENAS_CURRENT);
	snprintf(label, sizeof(label), "%" PRIu64 " arenas * %" PRIu64 " bytes/arena",
		 s->arenas_current, s->arena_bytes);
	print_line(out, label, s->arenas_current * s->arena_bytes);
	fputc('\n', out);

	print_lines(out, s, LINE_ALLOCATED, LINE_AVAILABLE);
	snprintf(label, sizeof(label), "%" PRIu64 " unused pools * %" PRIu64 " bytes",
		 s->unused_pools, s->pool_bytes);
	print_line(out, label, s->unused_pools * s->pool_bytes);
	print_lines(out, s, LINE_HEADERS, LINE_ALIGNMENT);
	print_line(out, STATS_TOTAL, stats_total(s));

	if (s->radix) { /* since 3.10, bpo-37448 */
		fputs("\n" STATS_MAP "\n", out);
		print_lines(out, s, LINE_MAP_MID_NODES, LINE_MAP_BOT_NODES);
		fputc('\n', out);
		print_lines(out, s, LINE_MAP_ROOT_BYTES, LINE_MAP_BOT_BYTES);
		print_line(out, STATS_TOTAL,
			   s->map_root_bytes + s->map_mid_bytes + s->map_bot_bytes);
	}
	fputc('\n', out); /* sys__debugmallocstats_impl() writes this one */
}

void stats_print(FILE *out, const struct malloc_stats *s)
{
	if (s->pymalloc && !s->hidden)
		print_pymalloc(out, s);
	for (size_t i = 0; i < min(s->nr_free_lists, (size_t)STATS_MAX_FREE_LISTS); i++) {
		const struct free_list *l = &s->free_lists[i];
		char what[96], label[128];

		/* _PyDebugAllocatorStats(): the 49 columns leave printone() nothing to pad */
		snprintf(what, sizeof(what), "%" PRIu64 " free %.*ss * %" PRIu64 " bytes each",
			 l->count, (int)strnlen(l->type, sizeof(l->type)), l->type, l->item_bytes);
		snprintf(label, sizeof(label), "%48s ", what);
		print_line(out, label, l->count * l->item_bytes);
	}
}
