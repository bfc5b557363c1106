/* SPDX-License-Identifier: MIT */
/*
 * Text in SVG:
 *
 *	a<b> & "c"  ->  a&lt;b&gt; &amp; &quot;c&quot;
 */
#include "output/svg.h"

#include <limits.h>
#include <stdbool.h>

/* Of the character at s; never past a NUL. */
static size_t sequence(const unsigned char *s)
{
	size_t len = *s < 0xc0 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return i;
	return len;
}

static bool writable(const unsigned char *s, size_t len)
{
	if (len == 1)
		return *s >= 0x20 && *s < 0x7f;
	if (len == 3 && s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe)
		return false;
	return len == (*s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4);
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
	if (!writable(s, len))
		fputc('?', out);
	else
		fwrite(s, 1, len, out);
}

static unsigned int columns_of(const unsigned char *p)
{
	unsigned int columns = 0;

	for (; *p; p += sequence(p))
		columns += width_of(p, sequence(p));
	return columns;
}

void svg_text_cut(FILE *out, const char *s, unsigned int columns)
{
	const unsigned char *p = (const unsigned char *)s;
	bool cut = columns_of(p) > columns;
	unsigned int room = cut && columns ? columns - 1 : columns;

	for (size_t len; *p && width_of(p, len = sequence(p)) <= room; p += len) {
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
