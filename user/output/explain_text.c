/* SPDX-License-Identifier: MIT */
/* The head and the table; what they look like is in explain_text.h. */
#include "output/explain_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/explanation.h"
#include "model/verdict.h"
#include "output/explain_notes.h"
#include "output/explain_rows.h"
#include "output/explain_table.h"
#include "output/head.h"

#include <errno.h>
#include <inttypes.h>

/* "; 8 threads; 2023-11-15 12:00:00, stopped for 12 ms" */
static void print_head(FILE *out, const struct explanation *e)
{
	double ms = (double)e->pause_ns / 1e6;
	char clock[32];

	head_print_process(out, &e->process);
	if (e->python.version_hex)
		head_print_python(out, &e->python, 0);
	else
		fputs("  no Python that is known", out);
	if (e->threads)
		fprintf(out, "; %" PRIu32 " thread%s", e->threads, e->threads == 1 ? "" : "s");
	if (e->time_ns)
		fprintf(out, "; %s", text_clock(clock, e->time_ns, true));
	if (e->paused)
		fprintf(out, ", stopped for %.*f ms", ms < 10 ? 1 : 0, ms);
	fputc('\n', out);
	head_print_layout(out, &e->python);
}

/*
 * "VmRSS 11,284,480: that counter lags, by 45,056". It is read last: of a process that runs, it may as well
 * be what has come since.
 */
static void say_vm_rss(char *buf, size_t size, const struct explanation *e, int64_t sum)
{
	const struct explanation_kernel *k = &e->kernel;
	int64_t vm_rss = explain_signed(k->vm_rss);
	char rss[32], off[32], rollup[32];

	text_thousands(rss, vm_rss, false);
	text_thousands(off, vm_rss > sum ? vm_rss - sum : sum - vm_rss, false);
	text_thousands(rollup, explain_signed(k->rollup_rss), false);
	if (!k->vm_rss)
		*buf = 0;
	else if (vm_rss == sum)
		snprintf(buf, size, "VmRSS %s", rss);
	else if (explain_signed(k->rollup_rss) == sum)
		snprintf(buf, size, "VmRSS %s: %s, by %s", rss,
			 e->paused ? "that counter lags" : "it moved on, or that counter lags",
			 off);
	else
		snprintf(buf, size, "VmRSS %s, smaps_rollup %s: it changed meanwhile", rss, rollup);
}

static int rows_of(const struct explanation *e, bool names, struct explain_lines *ret)
{
	struct explain_leaf *leaves = calloc(e->nr_rows + 1, sizeof(*leaves));
	int err;

	if (!leaves)
		return -ENOMEM;
	for (size_t i = 0; i < e->nr_rows; i++) {
		const struct explanation_row *r = &e->rows[i];

		leaves[i] = (struct explain_leaf){
			.kind = r->kind,
			.name = r->name ? r->name : "",
			.amount = {.bytes = explain_signed(r->bytes),
				   .huge = explain_signed(r->huge),
				   .exclusive = explain_signed(r->exclusive)},
		};
	}
	err = explain_rows(leaves, e->nr_rows, names, names ? 0 : 1, ret);
	free(leaves);
	return err;
}

int explain_print(FILE *out, const struct explanation *e, const struct verdict *v,
		  const struct explain_text *how)
{
	struct explain_table t = {.percent = true, .details = how->verbose};
	struct explain_lines lines;
	char vm_rss[128];
	int err = rows_of(e, how->verbose, &lines);

	if (err)
		return err;
	say_vm_rss(vm_rss, sizeof(vm_rss), e, lines.sum.bytes);
	t.remark = vm_rss;
	print_head(out, e);
	fputc('\n', out);
	err = explain_table_print(out, &lines, &t);
	free(lines.v);
	if (err)
		return err;
	explain_print_notes(out, e, v, how);
	if (v)
		explain_print_verdict(out, v, how);
	return ferror(out) ? -EIO : 0;
}
