/* SPDX-License-Identifier: MIT */
/*
 * `stat`, the default: attach, say where it stands, then what changes, then the total. The loop is in
 * loop.c, what is written in stat_report.c.
 */
#include "cmd/cmd.h"

#include "base/fault.h"
#include "cmd/loop.h"
#include "cmd/start.h"
#include "cmd/stat_report.h"
#include "trace/trace.h"

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
	err = loop_open(&r, &f);
	if (!err)
		err = trace_open(&r.trace, &to, &f);
	out.trace = r.trace;
	if (!err)
		err = start(&r, &f);
	if (!err)
		loop_run(&r);
	trace_close(r.trace);
	loop_close(&r);
	status = err ? report_fault(&f) : EXIT_OK;
	if (err)
		stat_report_abort(&out);
	else
		status = stat_report_close(&out);
	status = start_exit_status(&r, err, status);
	launch_done(&r.launch);
	return status;
}

const struct command cmd_stat = {
	.name = "stat",
	.summary = "Changes of RSS, arenas and pools while they happen",
	.args_doc =
		"-p PID[,PID...] [OPTION...]\n       pymemtrace-bpf stat [OPTION...] -- PROGRAM [ARG...]",
	.doc = "First where it stands, then every -i seconds (5) what changed, until -n, -d, Ctrl-C or\n"
	       "its end, and once more the change since attach. While attached, each probed 4 KiB page of\n"
	       "the interpreter's text (three at most) is a private copy in every process that maps it.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_INTERVAL | OPT_REPORTS | OPT_DURATION | OPT_OUTPUT |
		 OPT_FORMAT | OPT_PAUSE | OPT_STRICT | OPT_GLOB | OPT_PROGRAM,
	.formats = "text json",
	.run = run,
};
