/* SPDX-License-Identifier: MIT */
/*
 * A flame graph as one SVG file that needs nothing else: growth and, below it, shrinkage. With a
 * script: click to zoom, search, tooltips; without one, as in a viewer of pictures, the same frames.
 */
#ifndef PMT_OUTPUT_PROFILE_SVG_H
#define PMT_OUTPUT_PROFILE_SVG_H

#include <stdio.h>

struct fault;
struct profile_view;

int profile_write_svg(FILE *out, const struct profile_view *v, struct fault *f);

#endif
