/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the text of sys._debugmallocstats(). What is accepted must survive print and parse,
 * and compare with itself without change.
 */
#include "base/fault.h"
#include "output/stats_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int true_or_bug)
{
	if (!true_or_bug)
		abort();
}

static int full_columns(const char *text)
{
	for (const char *p = strchr(text, '='); p; p = strchr(p + 1, '='))
		if (p[1] >= ',' && p[1] <= '9')
			return 1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct malloc_stats s, again;
	struct fault f = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (stats_parse(&s, (const char *)data, size, &f)) {
		check(f.err && f.text[0]);
		return 0;
	}
	out = open_memstream(&text, &len);
	check(out != NULL);
	stats_print(out, &s);
	fclose(out);
	/* figures that fill their 21 columns may have lost their head, as in CPython */
	if (stats_parse(&again, text, len, &f)) {
		check(full_columns(text));
	} else {
		check(stats_equal(&s, &again));
		free(text);
		out = open_memstream(&text, &len);
		check(out != NULL);
		check(stats_print_diff(out, &s, &again, &f) == 0);
		fclose(out);
		check(len == 0);
	}
	free(text);
	return 0;
}
