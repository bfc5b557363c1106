/* SPDX-License-Identifier: MIT */
/* `diff A B`: what changed between two saved snapshots. */
#include "cmd/cmd.h"

#include "base/fault.h"
#include "base/text.h"
#include "cmd/saved.h"
#include "output/json.h"
#include "output/sink.h"
#include "output/stats_text.h"

#include <errno.h>
#include <string.h>

static int write_json(FILE *out, const struct snapshot *a, const struct snapshot *b)
{
	json_t *doc = json_diff(a, b);
	int err = doc ? json_write(out, doc, false) : -ENOMEM;

	json_decref(doc);
	return err;
}

static bool note_losses(const struct options *o, const char *path, const struct snapshot *s)
{
	bool any = read_losses_any(&s->losses);
	char shown[256];

	if (any)
		report_note(o, "%s is incomplete: see \"losses\" in it",
			    text_escape(shown, sizeof(shown), path, strlen(path)));
	return any;
}

/* Two snapshots, or the sentence that they are not. */
static int load(const struct options *o, struct snapshot *a, struct snapshot *b, struct fault *f)
{
	bool recording_a = false, recording_b = false;
	char shown_a[160], shown_b[160];
	int err = saved_load(o->args[0], a, &recording_a, f);

	if (!err)
		err = saved_load(o->args[1], b, &recording_b, f);
	if (err || (!recording_a && !recording_b))
		return err;
	text_escape(shown_a, sizeof(shown_a), o->args[0], strlen(o->args[0]));
	text_escape(shown_b, sizeof(shown_b), o->args[1], strlen(o->args[1]));
	if (recording_a == recording_b) {
		fault_set(f, EMEDIUMTYPE, "%s and %s are recordings, diff compares snapshots",
			  shown_a, shown_b);
		fault_hint(f, "report shows each of them");
		return -EMEDIUMTYPE;
	}
	return fault_set(f, EMEDIUMTYPE, "%s is a %s, %s a %s: diff compares two files of one kind",
			 shown_a, recording_a ? "recording" : "snapshot", shown_b,
			 recording_b ? "recording" : "snapshot");
}

static int run(const struct options *o)
{
	struct snapshot a = {0}, b = {0};
	struct sink sink = {0};
	struct fault f = {0};
	int status = EXIT_OK, err;

	err = load(o, &a, &b, &f);
	if (!err && (!a.has_stats || !b.has_stats))
		err = fault_set(&f, EINVAL,
				"%s has no allocator state: its interpreter was not supported",
				o->args[a.has_stats ? 1 : 0]);
	if (!err)
		err = sink_open(&sink, o->output, o->force, &f);
	if (!err && format_is(o, "json")) {
		err = write_json(sink.f, &a, &b);
		if (err)
			fault_errno(&f, -err, "cannot write the difference");
	} else if (!err) {
		err = stats_print_diff(sink.f, &a.stats, &b.stats, &f);
	}
	if (!err)
		err = sink_commit(&sink, &f);
	else
		sink_abort(&sink);
	if (err)
		status = err == -EMEDIUMTYPE ? (report_fault(&f), EXIT_USAGE) : report_fault(&f);
	else if ((note_losses(o, o->args[0], &a) | note_losses(o, o->args[1], &b)) && o->strict)
		status = EXIT_INCOMPLETE;
	snapshot_done(&a);
	snapshot_done(&b);
	return status;
}

const struct command cmd_diff = {
	.name = "diff",
	.summary = "What changed between two saved snapshots",
	.args_doc = "A B [OPTION...]",
	.doc = "A and B: snapshots of this program (JSON or text), or any text that holds what\n"
	       "sys._debugmallocstats() printed. Prints pymemtrace's difference table.\n",
	.takes = OPT_OUTPUT | OPT_FORMAT | OPT_STRICT | OPT_FILES,
	.formats = "text json",
	.run = run,
};
