/* SPDX-License-Identifier: MIT */
#include "python/strings.h"

#include <stdio.h>
#include <string.h>

#define REPLACEMENT 0xfffdu

static const char ellipsis[] = "…";

static uint32_t char_at(unsigned int kind, const uint8_t *raw, size_t i)
{
	uint16_t c2;
	uint32_t c4;

	switch (kind) {
	case 1:
		return raw[i];
	case 2:
		memcpy(&c2, raw + i * 2, sizeof(c2));
		return c2;
	default:
		memcpy(&c4, raw + i * 4, sizeof(c4));
		return c4;
	}
}

/* One character as UTF-8 (or as "\udc80"); its length, 1 to 6. */
static size_t encode(uint32_t c, char out[static 8])
{
	if (c >= 0xd800 && c <= 0xdfff)
		return (size_t)snprintf(out, 8, "\\u%04x", (unsigned int)c);
	if (!c || c > 0x10ffff)
		c = REPLACEMENT;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

char *python_text(char *buf, size_t size, unsigned int kind, const void *raw, size_t nr, bool cut)
{
	const size_t mark = sizeof(ellipsis) - 1;
	size_t o = 0, end = 0; /* end: the last character that leaves room for the mark */

	if (!size)
		return buf;
	if (kind != 1 && kind != 2 && kind != 4)
		nr = 0;
	for (size_t i = 0; i < nr; i++) {
		char utf8[8];
		size_t n = encode(char_at(kind, raw, i), utf8);

		if (o + mark < size)
			end = o;
		if (o + n >= size) {
			cut = true;
			break;
		}
		memcpy(buf + o, utf8, n);
		o += n;
	}
	if (cut) {
		if (o + mark >= size)
			o = end;
		if (o + mark < size) {
			memcpy(buf + o, ellipsis, mark);
			o += mark;
		}
	}
	buf[o] = 0;
	return buf;
}
