/* SPDX-License-Identifier: MIT */
#include "output/wrap.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>

#define DEFAULT_WIDTH 100
#define MIN_WIDTH     40

/* Bytes that continue a character of UTF-8 (10xxxxxx) take no column. */
static size_t columns(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

void wrap_print(FILE *out, const char *label, const char *text, size_t width)
{
	size_t at = WRAP_LABEL;

	width = max(width ? width : DEFAULT_WIDTH, (size_t)MIN_WIDTH);
	fprintf(out, "%-*s", WRAP_LABEL, label);
	for (bool first = true; *(text += strspn(text, " ")); first = false) {
		size_t len = strcspn(text, " "), own = columns(text, len);

		if (!first && at + 1 + own > width) {
			fprintf(out, "\n%*s", WRAP_LABEL, "");
			at = WRAP_LABEL;
		} else if (!first) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, len, out);
		at += own;
		text += len;
	}
	fputc('\n', out);
}
