/* SPDX-License-Identifier: MIT */
/* explain --map: arenas and heaps by address, each cell as full as its shade. */
#ifndef PMT_OUTPUT_EXPLAIN_MAP_H
#define PMT_OUTPUT_EXPLAIN_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct explanation;
struct memory_map;

struct explain_map_text {
	size_t width; /* columns; 0: not a terminal */
	bool utf8;    /* heights of blocks, else the shades of ASCII */
	bool colour;  /* of 256 */
};

/* 0 or -errno */
int explain_map_text(FILE *out, const struct explanation *e, const struct memory_map *m,
		     const struct explain_map_text *how);
/* One document that needs no other file; below 10 MiB whatever the process. */
int explain_map_svg(FILE *out, const struct explanation *e, const struct memory_map *m);

#endif
