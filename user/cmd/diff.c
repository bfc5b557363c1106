/* SPDX-License-Identifier: MIT */
/* `diff A B`: what changed between two saved files of one kind. */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "cmd/saved.h"
#include "output/explain_text.h"
#include "output/json.h"
#include "output/json_explain.h"
#include "output/sink.h"
#include "output/stats_text.h"

#include <errno.h>
#include <string.h>

/* What is different about the kinds. Each gets two of its own. */
struct comparison {
	enum saved_kind kind;
	/* The files' names are for messages. */
	int (*check)(const struct saved *a, const struct saved *b, char *const *names,
		     struct fault *f);
	int (*print)(FILE *out, const struct saved *a, const struct saved *b,
		     const struct options *o, struct fault *f);
	json_t *(*json)(const struct saved *a, const struct saved *b);
	bool (*incomplete)(const struct saved *s);
	const char *see; /* what an incomplete one is, and where it says why */
};

static int check_snapshots(const struct saved *a, const struct saved *b, char *const *names,
			   struct fault *f)
{
	char shown[256];

	if (a->snapshot.has_stats && b->snapshot.has_stats)
		return stats_comparable(&a->snapshot.stats, &b->snapshot.stats, f);
	names += a->snapshot.has_stats;
	return fault_set(f, EINVAL, "%s has no allocator state: its interpreter was not supported",
			 text_escape(shown, sizeof(shown), *names, strlen(*names)));
}

static int print_snapshots(FILE *out, const struct saved *a, const struct saved *b,
			   const struct options *o, struct fault *f)
{
	return stats_print_diff(out, &a->snapshot.stats, &b->snapshot.stats, f);
}

static json_t *json_snapshots(const struct saved *a, const struct saved *b)
{
	return json_diff(&a->snapshot, &b->snapshot);
}

static bool snapshot_incomplete(const struct saved *s)
{
	return read_losses_any(&s->snapshot.losses);
}

static int print_explanations(FILE *out, const struct saved *a, const struct saved *b,
			      const struct options *o, struct fault *f)
{
	const struct explain_text how = {.verbose = o->verbose > 0};
	int err = explain_print_diff(out, &a->explanation, &b->explanation, &how);

	return err ? fault_errno(f, -err, "cannot print the difference") : 0;
}

static json_t *json_explanations(const struct saved *a, const struct saved *b)
{
	return json_explanation_diff(&a->explanation, &b->explanation);
}

static bool explanation_incomplete(const struct saved *s)
{
	return s->explanation.approximate;
}

static const struct comparison comparisons[] = {
	{SAVED_SNAPSHOT, check_snapshots, print_snapshots, json_snapshots, snapshot_incomplete,
	 "incomplete: see \"losses\""},
	{SAVED_EXPLANATION, NULL, print_explanations, json_explanations, explanation_incomplete,
	 "approximate: see \"approximate_why\""},
};

/* How two of one kind are compared, or the sentence that they are not. */
static int choose(char *const *names, const struct saved *v, const struct comparison **ret,
		  struct fault *f)
{
	char a[160], b[160];

	text_escape(a, sizeof(a), names[0], strlen(names[0]));
	text_escape(b, sizeof(b), names[1], strlen(names[1]));
	for (int i = 0; i < 2; i++)
		if (v[i].kind == SAVED_OTHER) {
			fault_set(f, EMEDIUMTYPE, "%s is %s", i ? b : a, v[i].what);
			fault_hint(f, "diff compares two files of one kind: two snapshots or two "
				      "explanations");
			return -EMEDIUMTYPE;
		}
	if (v[0].kind != v[1].kind)
		return fault_set(f, EMEDIUMTYPE,
				 "%s is %s, %s %s: diff compares two files of one kind", a,
				 v[0].what, b, v[1].what);
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
		if (comparisons[i].kind == v[0].kind) {
			*ret = &comparisons[i];
			return 0;
		}
	fault_set(f, EMEDIUMTYPE,
		  "%s and %s are recordings, diff compares snapshots and "
		  "explanations",
		  a, b);
	fault_hint(f, "report shows each of them");
	return -EMEDIUMTYPE;
}

static int load(char *const *names, struct saved *v, const struct comparison **ret, struct fault *f)
{
	int err = saved_load(names[0], &v[0], f);

	if (!err)
		err = saved_load(names[1], &v[1], f);
	if (!err)
		err = choose(names, v, ret, f);
	if (!err && (*ret)->check)
		err = (*ret)->check(&v[0], &v[1], names, f);
	return err;
}

static int write_json(FILE *out, const struct comparison *how, const struct saved *v,
		      struct fault *f)
{
	json_t *doc = how->json(&v[0], &v[1]);
	int err = doc ? json_write(out, doc, false) : -ENOMEM;

	json_decref(doc);
	return err ? fault_errno(f, -err, "cannot write the difference") : 0;
}

static bool note_incomplete(const struct options *o, const struct comparison *how, const char *name,
			    const struct saved *s)
{
	bool incomplete = how->incomplete(s);
	char shown[256];

	if (incomplete)
		report_note(o, "%s is %s in it",
			    text_escape(shown, sizeof(shown), name, strlen(name)), how->see);
	return incomplete;
}

static int run(const struct options *o)
{
	const struct comparison *how = NULL;
	struct saved v[2] = {{0}};
	struct sink sink = {0};
	struct fault f = {0};
	int status = EXIT_OK, err = load(o->args, v, &how, &f);

	if (!err)
		err = sink_open(&sink, o->output, o->force, &f);
	if (!err && format_is(o, "json"))
		err = write_json(sink.f, how, v, &f);
	else if (!err)
		err = how->print(sink.f, &v[0], &v[1], o, &f);
	if (!err)
		err = sink_commit(&sink, &f);
	else
		sink_abort(&sink);
	if (err)
		status = err == -EMEDIUMTYPE ? (report_fault(&f), EXIT_USAGE) : report_fault(&f);
	else if ((note_incomplete(o, how, o->args[0], &v[0]) |
		  note_incomplete(o, how, o->args[1], &v[1])) &&
		 o->strict)
		status = EXIT_INCOMPLETE;
	saved_done(&v[0]);
	saved_done(&v[1]);
	return status;
}

const struct command cmd_diff = {
	.name = "diff",
	.summary = "What changed between two saved files of one kind",
	.args_doc = "A B [OPTION...]",
	.doc = "A and B: two snapshots of this program (JSON or text), or any text that holds what\n"
	       "sys._debugmallocstats() printed: prints pymemtrace's difference table. Or two\n"
	       "explanations (explain --format json): prints the rows that changed.\n",
	.takes = OPT_OUTPUT | OPT_FORMAT | OPT_STRICT | OPT_FILES,
	.formats = "text json",
	.run = run,
};
