/* SPDX-License-Identifier: MIT */
/* `doctor`: the feature table, row by row, and what is lost without each. */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "output/json.h"
#include "output/sink.h"
#include "output/tables.h"
#include "trace/features.h"

#include <errno.h>
#include <string.h>

static int print_json(FILE *out, const int *has, const char *const *details, bool ok)
{
	json_t *doc = json_document("doctor"), *rows = json_array();
	int err = -ENOMEM;

	for (int i = 0; rows && i < FEATURE_COUNT; i++) {
		const struct feature_record r = {
			.name = features[i].name,
			.offers = features[i].offers,
			.without = features[i].without,
			.detail = details[i],
			.available = has[i],
			.required = features[i].required,
		};
		json_t *row = json_object();

		if (fields_to_json(row, &feature_table, &r) || json_array_append(rows, row))
			json_decref(steal_ptr(doc));
		json_decref(row);
	}
	if (doc && rows && !json_object_set_new(doc, "features", rows) &&
	    !json_object_set_new(doc, "ok", json_boolean(ok)))
		err = json_write(out, doc, false);
	json_decref(doc);
	return err;
}

/*
 * yes  btf             types of this kernel, for programs that fit it
 * no   uprobe_multi    attach in milliseconds: perf uprobes instead, slower to detach
 */
static int print_text(FILE *out, const int *has, const char *const *details, bool ok, bool verbose)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature_row *r = &features[i];

		fprintf(out, "%-4s %-19s %s\n",
			has[i]	      ? "yes"
			: r->required ? "NO"
				      : "no",
			r->name, r->offers);
		if (!has[i])
			fprintf(out, "%-24s without it: %s\n", "", r->without);
		if ((!has[i] || verbose) && details[i] && details[i][0])
			fprintf(out, "%-24s %s\n", "", details[i]);
	}
	fprintf(out, "\n%s\n",
		ok ? "stat can fully work here."
		   : "stat cannot fully work here: see the rows with NO.");
	return 0;
}

static int run(const struct options *o)
{
	const char *details[FEATURE_COUNT] = {0};
	int has[FEATURE_COUNT];
	struct sink sink = {0};
	struct fault f = {0};
	bool ok = true;
	int err;

	for (int i = 0; i < FEATURE_COUNT; i++) {
		has[i] = feature_has(i, &details[i]);
		ok &= has[i] || !features[i].required;
	}
	/* one of the two ways to attach is enough */
	ok &= has[FEATURE_UPROBE_MULTI] || has[FEATURE_PERF_UPROBE];
	if (sink_open(&sink, o->output, o->force, &f))
		return report_fault(&f);
	err = format_is(o, "json") ? print_json(sink.f, has, details, ok)
				   : print_text(sink.f, has, details, ok, o->verbose > 0);
	if (err) {
		sink_abort(&sink);
		fault_errno(&f, -err, "cannot write");
		return report_fault(&f);
	}
	if (sink_commit(&sink, &f))
		return report_fault(&f);
	return ok ? EXIT_OK : EXIT_FAILED;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.summary =
		"What this kernel, these privileges and this machine offer, and what is lost without",
	.args_doc = "[OPTION...]",
	.doc = "Each row is tried, not guessed from a version. PYMEMTRACE_WITHOUT=name,name masks\n"
	       "rows. Exit status 0 if stat can fully work here, else 1.\n",
	.takes = OPT_OUTPUT | OPT_FORMAT,
	.formats = "text json",
	.run = run,
};
