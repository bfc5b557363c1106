/* SPDX-License-Identifier: MIT */
/* Text in SVG: the one way by which a name of the target gets into a page. */
#ifndef PMT_OUTPUT_SVG_H
#define PMT_OUTPUT_SVG_H

#include <stdio.h>

/*
 * Escaped for XML, as content and within quotes. s is a label (profile_label.h), so valid UTF-8; what
 * XML 1.0 has no way to write (controls, U+FFFE, U+FFFF) becomes a question mark.
 */
void svg_text(FILE *out, const char *s);

/* The same of at most so many columns, of which an East Asian character takes two; "…" ends it. */
void svg_text_cut(FILE *out, const char *s, unsigned int columns);

#endif
