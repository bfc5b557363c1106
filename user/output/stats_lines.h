/* SPDX-License-Identifier: MIT */
/*
 * The lines of sys._debugmallocstats() whose label is constant. One list, so that what is printed,
 * what is read and what is compared cannot drift apart.
 *
 *	# arenas allocated total           =                2,033
 *	label, blanks up to column 35, '=', the value in 21 columns
 */
#ifndef PMT_OUTPUT_STATS_LINES_H
#define PMT_OUTPUT_STATS_LINES_H

#include "model/stats.h"

#include <stddef.h>

enum stats_line {
	LINE_SERIAL, /* only where has_serial */
	LINE_ARENAS_TOTAL,
	LINE_ARENAS_RECLAIMED,
	LINE_ARENAS_HIGHWATER,
	LINE_ARENAS_CURRENT,
	LINE_ALLOCATED,
	LINE_AVAILABLE, /* then "N unused pools * SIZE bytes" */
	LINE_HEADERS,
	LINE_QUANTIZATION,
	LINE_ALIGNMENT,
	LINE_MAP_MID_NODES,
	LINE_MAP_BOT_NODES,
	LINE_MAP_ROOT_BYTES,
	LINE_MAP_MID_BYTES,
	LINE_MAP_BOT_BYTES,
	NR_STATS_LINES
};

extern const struct stats_line_row {
	const char *label;
	size_t offset; /* of a uint64_t in struct malloc_stats */
} stats_lines[NR_STATS_LINES];

static inline uint64_t stats_line_value(const struct malloc_stats *s, enum stats_line i)
{
	return *(const uint64_t *)((const char *)s + stats_lines[i].offset);
}

#define STATS_HEADING "class   size   num pools   blocks in use  avail blocks"
#define STATS_RULE    "-----   ----   ---------   -------------  ------------"
#define STATS_MAP     "arena map counts"
#define STATS_TOTAL   "Total"

#endif
