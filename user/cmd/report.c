/* SPDX-License-Identifier: MIT */
/* `report FILE`: a recording, in any of the formats of output/profile_out.c. */
#include "cmd/cmd.h"
#include "cmd/events.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "cmd/saved.h"
#include "output/pmt.h"
#include "output/profile_out.h"
#include "output/sink.h"

#include <errno.h>
#include <string.h>

#define DEFAULT_TOP 20

/* A file that is no recording may be something else of ours: then it is said what reads it. */
static int no_recording(const char *path, const char *name, struct fault *f)
{
	struct saved s = {0};
	struct fault other = {0};
	int err = saved_load(path, &s, &other);

	if (err) {
		fault_hint(f, "report reads what `record` wrote");
		err = -EINVAL; /* not ours: no wrong use, a wrong file */
	} else if (s.kind == SAVED_OTHER) {
		fault_set(f, EMEDIUMTYPE, "%s is %s", name, s.what);
		fault_hint(f, "report reads recordings: what `record` wrote");
		err = -EMEDIUMTYPE;
	} else {
		fault_set(f, EMEDIUMTYPE, "%s is %s, not a recording", name, s.what);
		fault_hint(f, "diff reads it");
		err = -EMEDIUMTYPE;
	}
	saved_done(&s);
	return err;
}

static const char *shown(const char *path, char buf[static 256])
{
	return strcmp(path, "-") != 0 ? text_escape(buf, 256, path, strlen(path))
				      : "standard input";
}

static int load(const char *path, struct profile **ret, struct fault *f)
{
	bool from_stdin = !strcmp(path, "-");
	_cleanup_file_ FILE *in = from_stdin ? NULL : fopen(path, "re");
	char buf[256];
	const char *name = shown(path, buf);
	int err;

	if (!from_stdin && !in)
		return fault_errno(f, errno, "%s", name);
	err = pmt_read(from_stdin ? stdin : in, name, ret, f);
	return err == -EMEDIUMTYPE && !from_stdin ? no_recording(path, name, f) : err;
}

static int check_events(const struct options *o, const struct profile *p, struct fault *f)
{
	char wanted[EVENT_NAMES_SIZE], there[EVENT_NAMES_SIZE];
	unsigned int missing = events_missing(o->events, p->events);

	if (!missing)
		return 0;
	event_names(wanted, missing);
	event_names(there, p->events);
	fault_set(f, EMEDIUMTYPE, "no %s events were recorded, but: %s", wanted,
		  *there ? there : "none");
	fault_hint(f, "record --event %s", wanted);
	return -EMEDIUMTYPE;
}

static void note_what_is_missing(const struct options *o, const struct profile *p,
				 const struct profile_view *view)
{
	enum profile_event one = profile_view_event(p, view);
	char buf[256];

	if (p->cut_short)
		report_note(o, "%s is cut short, or still being recorded: this is what it holds",
			    shown(o->args[0], buf));
	if (profile_format_find(o->format)->one_event &&
	    profile_view_events(p, view) & ~(1u << one))
		report_note(o, "%s shows one event, %s; --event chooses another", o->format,
			    profile_event_name(one));
}

static int show(const struct options *o, const struct profile *p, struct fault *f)
{
	const struct profile_view view = {
		.events = o->events & p->events,
		.top = o->top == TOP_DEFAULT ? DEFAULT_TOP : o->top,
		.min_bytes = o->min_bytes,
		.inverted = o->inverted,
		.by_thread = o->by_thread,
		.sort = o->sort,
	};
	struct fault unwritten = {0};
	struct sink sink;
	int err = sink_open(&sink, o->output, o->force, f);

	if (err)
		return err;
	if (!o->output && format_is(o, "pprof") && isatty(STDOUT_FILENO)) {
		fault_set(f, EMEDIUMTYPE, "pprof is no text for a terminal");
		fault_hint(f, "-o FILE.pb.gz");
		err = -EMEDIUMTYPE;
	}
	if (!err)
		err = profile_write(sink.f, p, &view, o->format, f);
	if (sink_flush(&sink, &unwritten)) { /* a format knows that it failed, not why */
		*f = unwritten;
		err = -unwritten.err;
	}
	if (err) {
		sink_abort(&sink);
		return err;
	}
	err = sink_commit(&sink, f);
	if (!err)
		note_what_is_missing(o, p, &view);
	return err;
}

static int run(const struct options *o)
{
	struct profile *p = NULL;
	struct fault f = {0};
	int status = EXIT_OK, err = 0;

	err = load(o->args[0], &p, &f);
	if (!err)
		err = check_events(o, p, &f);
	if (!err)
		err = show(o, p, &f);
	if (err) {
		status = report_fault(&f);
		if (err == -EMEDIUMTYPE || (o->sort && !profile_sort_field(o->sort)))
			status = EXIT_USAGE;
	} else if (o->strict && profile_incomplete(p)) {
		status = EXIT_INCOMPLETE;
	}
	profile_free(p);
	return status;
}

const struct command cmd_report = {
	.name = "report",
	.summary = "Show a recording: which functions made memory grow",
	.args_doc = "FILE [OPTION...]",
	.doc = "FILE: what `record` wrote, also while it still does; \"-\": standard input. The suffix of -o\n"
	       "chooses the format if --format does not. Needs no root and no process.\n",
	.takes = OPT_OUTPUT | OPT_FORMAT | OPT_STRICT | OPT_FILE | OPT_EVENT | OPT_TREE | OPT_TOP |
		 OPT_SORT,
	.formats = "text folded svg pprof speedscope json",
	.run = run,
};
