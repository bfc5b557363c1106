/* SPDX-License-Identifier: MIT */
/*
 * One of the two graphs of a page: the frames of the tree by the bytes that they grew, or shrank,
 * callers above callees, the widest to the left.
 */
#ifndef PMT_OUTPUT_PROFILE_SVG_FRAMES_H
#define PMT_OUTPUT_PROFILE_SVG_FRAMES_H

#include "model/profile_tree.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SVG_WIDTH  1200 /* until the script fits it to the window */
#define SVG_MARGIN 10
#define SVG_ROW	   17 /* from one frame to the one below it */

struct svg_graph {
	const struct profile *profile;
	const struct profile_tree *tree;
	bool shrink;
	bool sampled; /* figures have an error */
	int64_t total;
	int64_t narrowest;  /* bytes; what is below is drawn together or left out */
	uint32_t frames;    /* that are drawn */
	uint32_t depth;	    /* rows */
	uint64_t nr_narrow; /* frames, without those below them */
	int64_t narrow;	    /* their bytes */
	int err;
};

/* Chooses what is narrow, so that a browser can bear the page; counts. */
int svg_graph_measure(struct svg_graph *g);

/* From y downwards, SVG_ROW * depth. */
int svg_graph_print(struct svg_graph *g, FILE *out, unsigned int y);

#endif
