/* SPDX-License-Identifier: MIT */
/* Any bytes as a snapshot and as an explanation. What is accepted must survive write and read. */
#include "base/fault.h"
#include "model/explanation.h"
#include "model/verdict.h"
#include "output/explain_text.h"
#include "output/json.h"
#include "output/json_explain.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int true_or_bug)
{
	if (!true_or_bug)
		abort();
}

/* The document, written; takes it. */
static char *written(json_t *doc, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	check(doc && out);
	check(json_write(out, doc, true) == 0);
	fclose(out);
	json_decref(doc);
	return text;
}

static void try_snapshot(const char *data, size_t size)
{
	struct snapshot s, again;
	struct fault f = {0};
	size_t len = 0;
	char *text;

	if (json_load_snapshot(&s, data, size, "input", &f)) {
		check(f.err && f.text[0]);
		return;
	}
	text = written(json_snapshot(&s), &len);
	check(json_load_snapshot(&again, text, len, "output", &f) == 0);
	check(stats_equal(&s.stats, &again.stats));
	free(text);
	snapshot_done(&s);
	snapshot_done(&again);
}

/* A verdict of it, and all of it as text, also as a difference from nothing. */
static void use(const struct explanation *e)
{
	const struct explain_text how = {.verbose = true};
	struct explanation nothing = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct verdict v;

	check(out != NULL);
	verdict_of(e, &v);
	check(v.nr_sentences > 0);
	check(explain_print(out, e, &v, &how) == 0);
	check(explain_print_diff(out, &nothing, e, &how) == 0);
	fclose(out);
	for (size_t i = 0; i < len; i++)
		check((unsigned char)text[i] >= 0x20 || text[i] == '\n');
	free(text);
	json_decref(json_explanation_diff(&nothing, e));
}

static void try_explanation(const char *data, size_t size)
{
	struct explanation e, again;
	struct fault f = {0};
	char *text, *second;
	size_t len = 0;

	if (json_load_explanation(&e, data, size, "input", &f)) {
		check(f.err && f.text[0]);
		return;
	}
	check(explanation_bytes(&e, 0, MEMORY_KINDS - 1) == e.total);
	use(&e);
	text = written(json_explanation(&e, NULL), &len);
	check(json_load_explanation(&again, text, len, "output", &f) == 0);
	second = written(json_explanation(&again, NULL), &len);
	check(!strcmp(text, second));
	free(text);
	free(second);
	explanation_done(&e);
	explanation_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_snapshot((const char *)data, size);
	try_explanation((const char *)data, size);
	return 0;
}
