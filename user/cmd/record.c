/* SPDX-License-Identifier: MIT */
/*
 * `record`: collects stacks until the time is up, Ctrl-C, or the end of what is watched, into a file
 * that `report` reads, or straight into one of report's formats.
 */
#include "cmd/cmd.h"

#include "base/fault.h"
#include "cmd/collect.h"
#include "cmd/events.h"
#include "cmd/loop.h"
#include "cmd/recorder.h"
#include "cmd/start.h"
#include "trace/trace.h"

#include <errno.h>

#define DEFAULT_EVENTS (1u << PROFILE_RSS | 1u << PROFILE_ARENA)

static int open_trace(struct loop *r, struct fault *f)
{
	const struct options *o = r->o;
	struct trace_options to = {
		.arenas = o->events & 1u << PROFILE_ARENA,
		.pools = o->events & 1u << PROFILE_POOL,
		.programs = true,
		.stack_events = o->events,
		.step_shift = o->exact ? 0 : COLLECT_STEP_SHIFT,
		.max_stacks = (uint32_t)o->stacks,
	};
	int err;

	if (!trace_can_walk()) {
		fault_set(f, ENOTSUP, "this kernel cannot walk stacks");
		fault_hint(f, "pymemtrace-bpf doctor: stack_walk; stat works without");
		return -ENOTSUP;
	}
	err = events_check(o->events, f);
	if (!err)
		err = trace_open(&r->trace, &to, f);
	if (err)
		return err;
	r->stacks = collector_new(r->trace, o->events, to.step_shift, false);
	return r->stacks ? 0 : fault_errno(f, ENOMEM, "cannot collect stacks");
}

static int run(const struct options *o)
{
	struct recorder out;
	struct options filled = *o;
	struct loop r = LOOP(&filled, &record_listener, &out);
	struct fault f = {0};
	int err, status;

	filled.interval_ns = 1000000000; /* that of the file, and of the line of progress */
	if (!filled.events)
		filled.events = DEFAULT_EVENTS;
	r.rss_only = true;
	err = recorder_open(&out, &filled, &f);
	if (err)
		return report_fault(&f);
	err = loop_open(&r, &f);
	if (!err)
		err = open_trace(&r, &f);
	recorder_begin(&out, r.trace, r.stacks);
	if (!err)
		err = start(&r, &f);
	if (!err)
		loop_run(&r);
	status = err ? report_fault(&f) : EXIT_OK;
	if (err)
		recorder_abort(&out);
	else
		status = recorder_close(&out);
	return finish(&r, err, status);
}

const struct command cmd_record = {
	.name = "record",
	.summary = "Collect the Python stacks that made memory grow",
	.args_doc =
		"-p PID[,PID...] [OPTION...]\n       pymemtrace-bpf record [OPTION...] -- PROGRAM [ARG...]",
	.doc = "Until -d, Ctrl-C or its end. `report FILE` shows what was recorded; -o x.svg (or another of\n"
	       "report's formats) does both in one step. One page in about 32 is looked at (--exact: every\n"
	       "one). Events are rss and arena unless --event names others (--event list): page faults,\n"
	       "mmap, madvise, swap, reclaim and others, every one of them with its stack.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_DURATION | OPT_OUTPUT | OPT_FORMAT | OPT_STRICT |
		 OPT_GLOB | OPT_PROGRAM | OPT_EVENT | OPT_RECORD | OPT_TOP,
	.formats = "pmt text folded svg pprof speedscope json",
	.run = run,
};
