/* SPDX-License-Identifier: MIT */
/* Text in SVG: the one way by which a name of the target gets into a page. */
#ifndef PMT_OUTPUT_SVG_H
#define PMT_OUTPUT_SVG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SVG_MAX_TEXT 512 /* bytes of one string; longer ones are cut */

/*
 * Escaped as for a terminal (text_escape), then for XML: as content and within quotes. What XML 1.0
 * has no way to write (U+FFFE, U+FFFF) becomes a question mark.
 */
void svg_text(FILE *out, const char *s);

/* The same of at most so many columns, of which an East Asian character takes two; "…" ends it. */
void svg_text_cut(FILE *out, const char *s, unsigned int columns);

/* The columns that s takes once it is escaped. */
unsigned int svg_columns(const char *s);

#endif
