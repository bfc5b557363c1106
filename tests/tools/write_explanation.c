/* SPDX-License-Identifier: MIT */
/*
 * Writes the explanations of the golden tests and of the fuzzer's corpus, out of those of the unit tests:
 * write_explanation NAME >FILE, by `make record-explanations`.
 */
#include "../unit/explanation_fixture.h"

#include "model/verdict.h"
#include "output/json.h"
#include "output/json_explain.h"

static struct explanation *by_name(const char *name)
{
	struct explanation *e = strcmp(name, "b") != 0 ? fix_explanation() : fix_later();

	if (!strcmp(name, "full")) {
		fix_cgroup(e);
		fix_row(e, MEMORY_FILE_OTHER, "\x1b]0;\xff\n\\", KIB(4));
		fix_kernel(e);
	} else if (!strcmp(name, "bare")) {
		explanation_done(e);
		fix_row(e, MEMORY_ANONYMOUS, "", 4096);
	}
	return e;
}

int main(int argc, char **argv)
{
	struct explanation *e = by_name(argc == 2 ? argv[1] : "");
	struct verdict v;
	json_t *doc;
	int err;

	verdict_of(e, &v);
	doc = json_explanation(e, &v);
	err = json_write(stdout, doc, false);
	json_decref(doc);
	fix_explanation_free(e);
	return err ? 1 : 0;
}
