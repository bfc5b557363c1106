/* SPDX-License-Identifier: MIT */
/*
 * Line tables and strings. Input: format or kind, room or cut, two bytes of where; the rest is the
 * table, or the characters.
 */
#include "python/lines.h"
#include "python/strings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void lines(enum line_format format, int32_t lasti, const uint8_t *table, size_t n)
{
	int32_t whole = code_line(format, table, n, 1000, lasti);
	int32_t head = code_line_of_head(format, table, n, 1000, lasti);

	if (whole < 0 || (head && head != whole))
		abort();
	/* what a part of the table tells is what all of it tells */
	head = code_line_of_head(format, table, n / 2, 1000, lasti);
	if (head && head != whole)
		abort();
}

static void text(unsigned int kind, size_t size, bool cut, const uint8_t *raw, size_t nr)
{
	char *buf = malloc(size + 1), *whole = malloc(PYTHON_TEXT_SIZE(nr));
	size_t n;

	python_text(whole, PYTHON_TEXT_SIZE(nr), kind, raw, nr, false);
	if (strstr(whole, "…") && kind == 1)
		abort();
	python_text(buf, size, kind, raw, nr, cut);
	n = size ? strlen(buf) : 0;
	/* nothing else than a part of it, and perhaps the mark */
	if (n >= 3 && !strcmp(buf + n - 3, "…") && strcmp(buf, whole))
		n -= 3;
	if ((size && n >= size) || memcmp(buf, whole, n))
		abort();
	/* whole characters */
	for (size_t i = 0; i < n; i++)
		if ((buf[i] & 0xc0) == 0xc0 && (i + 1 == n || (buf[i + 1] & 0xc0) != 0x80))
			abort();
	free(whole);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint16_t where;

	if (len < 4)
		return 0;
	memcpy(&where, data + 2, sizeof(where));
	if (data[0] & 0x80) {
		unsigned int kind = data[0] & 7;

		text(kind, where, data[1] & 1, data + 4, (len - 4) / (kind ? kind : 1));
	} else {
		lines(data[0] % 3, where, data + 4, len - 4);
	}
	return 0;
}
