/* SPDX-License-Identifier: MIT */
/*
 * `stat`, the default: attach, say where it stands, then what changes, then the total. The loop is in
 * loop.c, what is written in stat_report.c.
 */
#include "cmd/cmd.h"

#include "base/fault.h"
#include "cmd/collect.h"
#include "cmd/loop.h"
#include "cmd/start.h"
#include "cmd/stat_report.h"
#include "trace/trace.h"

#include <errno.h>

#define MAX_STACKS 8192 /* 2 MiB; record --stacks has room for more */

static int run(const struct options *o)
{
	struct stat_reporter out;
	struct loop r = LOOP(o, &stat_listener, &out);
	struct trace_options to = {.arenas = true, .pools = true, .programs = true};
	struct fault f = {0};
	int err, status;

	err = stat_report_open(&out, o, &f);
	if (err)
		return report_fault(&f);
	if (out.top && !trace_can_walk()) {
		report_note(o, "this kernel cannot walk stacks (doctor: stack_walk): "
			       "no functions are named");
		out.top = 0;
	}
	if (out.top) {
		to.stack_events = 1u << PMT_ON_RSS;
		to.step_shift = COLLECT_STEP_SHIFT;
		to.max_stacks = MAX_STACKS;
	}
	err = loop_open(&r, &f);
	if (!err)
		err = trace_open(&r.trace, &to, &f);
	if (!err && out.top) {
		r.stacks = collector_new(r.trace, 1u << PROFILE_RSS, to.step_shift, true);
		if (!r.stacks)
			err = fault_errno(&f, ENOMEM, "cannot collect stacks");
	}
	out.trace = r.trace;
	out.stacks = r.stacks;
	if (!err)
		err = start(&r, &f);
	if (!err)
		loop_run(&r);
	status = err ? report_fault(&f) : EXIT_OK;
	if (err)
		stat_report_abort(&out);
	else
		status = stat_report_close(&out);
	return finish(&r, err, status);
}

const struct command cmd_stat = {
	.name = "stat",
	.summary = "Changes of RSS, arenas and pools, and who made them, while they happen",
	.args_doc =
		"-p PID[,PID...] [OPTION...]\n       pymemtrace-bpf stat [OPTION...] -- PROGRAM [ARG...]",
	.doc = "First where it stands, then every -i seconds (5) what changed, until -n, -d, Ctrl-C or\n"
	       "its end, and once more the change since attach; each with the functions that made RSS\n"
	       "change, from a sample of the pages (--top 0: without, and without its cost). While\n"
	       "attached, each probed 4 KiB page of the interpreter's text (three at most) is a private\n"
	       "copy in every process that maps it.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_INTERVAL | OPT_REPORTS | OPT_DURATION | OPT_OUTPUT |
		 OPT_FORMAT | OPT_PAUSE | OPT_STRICT | OPT_GLOB | OPT_PROGRAM | OPT_TOP,
	.formats = "text json",
	.run = run,
};
