/* SPDX-License-Identifier: MIT */
/*
 * Writes the recordings of the golden tests and of the fuzzer's corpus, out of the made-up profile of
 * the unit tests: write_pmt NAME... >FILE, by `make record-pmt`.
 */
#include "../unit/pmt_fixture.h"

#include "base/fault.h"
#include "output/pmt.h"
#include "output/sink.h"

#include <stdio.h>

/* In three moments; the last of them the end. */
static int write_steps(struct pmt_writer *w, struct profile *p, struct fault *f)
{
	int err = pmt_writer_update(w, p, f);

	for (int i = 1; i <= 2 && !err; i++) {
		profile_fixture_grow(p, i);
		err = i == 2 ? pmt_writer_end(w, p, f) : pmt_writer_update(w, p, f);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct profile *p = !strcmp(argv[argc - 1], "empty") ? profile_new() : profile_fixture();
	struct sink s = {.f = stdout};
	struct pmt_writer *w = pmt_writer_new(&s);
	struct fault f = {0};
	int err = 1;

	if (argc != 2 || !p || !w)
		fprintf(stderr, "usage: write_pmt whole|steps|empty\n");
	else if (!strcmp(argv[1], "steps"))
		err = write_steps(w, p, &f);
	else
		err = pmt_writer_end(w, p, &f);
	if (f.err)
		fprintf(stderr, "write_pmt: %s\n", f.text);
	pmt_writer_free(w);
	profile_free(p);
	return err ? 1 : 0;
}
