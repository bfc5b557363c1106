/* SPDX-License-Identifier: MIT */
/*
 * How the regions of one group lie in rows of cells: what both pictures of memory have in common.
 *
 *	region region region		adjacent ones are one stretch; each row goes on where the one
 *	region |hole| region region	above it ends. A stretch that is not longer than what is left of
 *					a row stands there, behind a gap, and rows of which nothing is
 *					resident are left out
 */
#ifndef PMT_OUTPUT_MAP_ROWS_H
#define PMT_OUTPUT_MAP_ROWS_H

#include "model/memory_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct explanation;

#define MAP_COLUMNS 128 /* at most */

struct map_cell {
	bool inside; /* in a region; else it is a gap */
	bool edge;   /* a region begins here, next to another */
	uint64_t used, free;
};

struct map_row {
	uint64_t start;	    /* address of the first cell */
	size_t first, last; /* regions in it */
	uint64_t used, free;
	size_t nr;
	uint64_t addresses[MAP_COLUMNS];
	struct map_cell cells[MAP_COLUMNS];
};

struct map_rows {
	struct map_row *v;
	size_t nr;
	uint64_t cell_bytes;
	/* of the group */
	size_t regions;
	uint64_t used, free;
};

/*
 * How large cells are at least: a pool of pymalloc, since which of its pages have blocks in use is not
 * known; 16 KiB, which is one since 3.10, for other groups too.
 */
uint64_t map_least_cell(const struct explanation *e, enum map_group g);

/*
 * With cells of at least so many bytes, and so large that there are at most max_rows. nr == 0: nothing of
 * this group. -ENOMEM
 */
int map_rows_of(const struct memory_map *m, enum map_group g, uint64_t least_cell, size_t columns,
		size_t max_rows, struct map_rows *ret);
void map_rows_done(struct map_rows *r);

/* Rounded, but 0 and 100 are only what they say. */
unsigned int map_percent(uint64_t used, uint64_t free);
/* 0: nothing is in use, levels - 1: all of it (over 98 %); between them evenly. */
unsigned int map_level(uint64_t used, uint64_t free, unsigned int levels);

/* A region that goes on from the row above needs no name again. */
bool map_rows_new_name(const struct map_rows *rows, size_t i);
/* "arena 12", "arenas 12-15"; "heap", where there is only one */
char *map_row_name(char buf[static 64], const struct memory_map *m, const struct map_row *row);

#endif
