/* SPDX-License-Identifier: MIT */
/* Any bytes as a snapshot document. What is accepted must survive write and read. */
#include "base/fault.h"
#include "output/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int true_or_bug)
{
	if (!true_or_bug)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot s, again;
	struct fault f = {0};
	char *text = NULL;
	size_t len = 0;
	json_t *doc;
	FILE *out;

	if (json_load_snapshot(&s, (const char *)data, size, "input", &f)) {
		check(f.err && f.text[0]);
		return 0;
	}
	doc = json_snapshot(&s);
	out = open_memstream(&text, &len);
	check(doc && out);
	check(json_write(out, doc, true) == 0);
	fclose(out);
	json_decref(doc);
	check(json_load_snapshot(&again, text, len, "output", &f) == 0);
	check(stats_equal(&s.stats, &again.stats));
	free(text);
	snapshot_done(&s);
	snapshot_done(&again);
	return 0;
}
