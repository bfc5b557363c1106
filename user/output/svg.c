/* SPDX-License-Identifier: MIT */
/*
 * Text in SVG:
 *
 *	a<b> & "c"  ->  a&lt;b&gt; &amp; &quot;c&quot;
 *	\x1b[31m    ->  \x1b[31m (a backslash and three letters)
 */
#include "output/svg.h"

#include "base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* Of a valid sequence. */
static size_t sequence(const unsigned char *s)
{
	return *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
}

/* From U+1100 on, with the script's rule: too wide rather than too narrow. */
static unsigned int width_of(const unsigned char *s, size_t len)
{
	return len == 4 || (len == 3 && (s[0] > 0xe1 || (s[0] == 0xe1 && s[1] >= 0x84))) ? 2 : 1;
}

static void put(FILE *out, const unsigned char *s, size_t len)
{
	switch (*s) {
	case '<':
		fputs("&lt;", out);
		return;
	case '>':
		fputs("&gt;", out);
		return;
	case '&':
		fputs("&amp;", out);
		return;
	case '"':
		fputs("&quot;", out);
		return;
	case '\'':
		fputs("&#39;", out);
		return;
	}
	if (len == 3 && s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe)
		fputc('?', out);
	else
		fwrite(s, 1, len, out);
}

unsigned int svg_columns(const char *s)
{
	char safe[SVG_MAX_TEXT];
	const unsigned char *p = (unsigned char *)safe;
	unsigned int columns = 0;

	text_escape(safe, sizeof(safe), s, strlen(s));
	for (; *p; p += sequence(p))
		columns += width_of(p, sequence(p));
	return columns;
}

void svg_text_cut(FILE *out, const char *s, unsigned int columns)
{
	const bool cut = columns != UINT_MAX && svg_columns(s) > columns;
	char safe[SVG_MAX_TEXT];
	const unsigned char *p = (unsigned char *)safe;
	unsigned int room = cut && columns ? columns - 1 : columns;

	text_escape(safe, sizeof(safe), s, strlen(s));
	for (size_t len; *p; p += len) {
		len = sequence(p);
		if (width_of(p, len) > room)
			break;
		if (room != UINT_MAX)
			room -= width_of(p, len);
		put(out, p, len);
	}
	if (cut && columns)
		fputs("…", out);
}

void svg_text(FILE *out, const char *s)
{
	svg_text_cut(out, s, UINT_MAX);
}
