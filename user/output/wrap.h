/* SPDX-License-Identifier: MIT */
/*
 * Paragraphs beside a label, wrapped:
 *
 *	remedy   freeing those 412,870 blocks, or a restart, returns 1.9 GiB; malloc_trim(0) would
 *		 return 96 KiB
 */
#ifndef PMT_OUTPUT_WRAP_H
#define PMT_OUTPUT_WRAP_H

#include <stddef.h>
#include <stdio.h>

#define WRAP_LABEL 9 /* columns of the label and the blanks behind it */

/*
 * label: "" for a further paragraph of the one before. width: 0 for the default of 100 columns. text is
 * safe for a terminal; a word that is longer than a line is not broken.
 */
void wrap_print(FILE *out, const char *label, const char *text, size_t width);

#endif
