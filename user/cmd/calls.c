/* SPDX-License-Identifier: MIT */
/*
 * `calls`: what each function does to RSS, from probes at function entry and exit, until the time is up,
 * Ctrl-C, or the end of what is watched. Here is what its options may be, and who does what when;
 * caller.c has the rest.
 */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "cmd/caller.h"
#include "cmd/collect.h"
#include "cmd/loop.h"
#include "cmd/process.h"
#include "cmd/start.h"
#include "trace/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_CALLS  (1u << 16) /* functions by thread that there is room for */
#define MAX_STACKS (1u << 14) /* none are kept; for each there is room for two code objects */

/* Characters as BPF compares them; 0: it is not text. */
static size_t characters(const char *glob)
{
	_cleanup_free_ char *repaired = strdup(glob);
	size_t nr = 0;

	if (!repaired)
		abort();
	text_repair_utf8(repaired);
	if (strcmp(repaired, glob) != 0)
		return 0;
	for (const char *p = glob; *p; p++)
		nr += (*p & 0xc0) != 0x80;
	return nr;
}

static size_t check_globs(const struct command *c, const char *option, const char *const *globs)
{
	size_t nr = 0;

	for (; globs && globs[nr]; nr++) {
		size_t length = characters(globs[nr]);
		char shown[64];

		text_escape(shown, sizeof(shown), globs[nr], strlen(globs[nr]));
		if (!length)
			options_usage(c, "%s '%s': not a glob", option, shown);
		if (length > PMT_GLOB_CHARS)
			options_usage(c, "%s %s...: a glob has %d characters at most", option,
				      shown, PMT_GLOB_CHARS);
	}
	return nr;
}

static void check_sort(const struct options *o)
{
	char shown[64], columns[512] = "";
	size_t n = 0;

	if (!o->sort)
		return;
	for (const char *const *column = calls_columns; *column; column++) {
		if (!strcmp(*column, o->sort))
			return;
		n += (size_t)snprintf(columns + n, sizeof(columns) - n, " %s", *column);
		n = min(n, sizeof(columns) - 1);
	}
	options_usage(o->command, "--sort %s: not a column; these are:%s",
		      text_escape(shown, sizeof(shown), o->sort, strlen(o->sort)), columns);
}

/* Whether there is such a thread is seen when its process is. */
static void check(const struct options *o)
{
	const struct call_options *own = &o->calls;
	const struct command *c = o->command;
	struct stat st;

	if (own->no_exits && own->log)
		options_usage(c, "--no-exits leaves no ends of calls to log: not with --log");
	if (own->no_exits && own->time)
		options_usage(c, "--no-exits does not see when calls end: not with --time");
	if (own->has_threshold && !own->log)
		options_usage(c, "--threshold needs --log DIR");
	if (own->nr_tids && o->program)
		options_usage(c, "--tid names threads that are there: with -p");
	if (own->log && !stat(own->log, &st) && !S_ISDIR(st.st_mode))
		options_usage(c, "--log: there is a file of that name, which is no directory");
	if (check_globs(c, "--include", (const char *const *)o->include) +
		    check_globs(c, "--exclude", (const char *const *)o->exclude) >
	    PMT_MAX_GLOBS)
		options_usage(c, "more than %d globs", PMT_MAX_GLOBS);
	check_sort(o);
}

/* Each must be one of a process that is asked for. */
static void check_tids(const struct options *o)
{
	struct options all = *o;
	_cleanup_free_ pid_t *pids = NULL;
	int nr;

	if (!o->calls.nr_tids)
		return;
	all.include = all.exclude = NULL;
	nr = process_select(&all, &pids, NULL);
	for (size_t t = 0; t < o->calls.nr_tids; t++) {
		bool found = false;
		char path[64];

		for (int i = 0; i < nr && !found; i++) {
			snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pids[i],
				 (int)o->calls.tids[t]);
			found = !access(path, F_OK);
		}
		if (!found)
			options_usage(o->command, "--tid %d: no thread of what -p names",
				      (int)o->calls.tids[t]);
	}
}

static int open_trace(struct loop *r, const struct options *o, struct fault *f)
{
	const struct trace_calls calls = {
		.time = o->calls.time,
		.log = o->calls.log,
		.threshold = o->calls.threshold,
		.depth = (uint32_t)o->calls.depth,
		.tids = o->calls.tids,
		.nr_tids = o->calls.nr_tids,
		.include = (const char *const *)o->include,
		.exclude = (const char *const *)o->exclude,
		.max_calls = MAX_CALLS,
	};
	struct trace_options to = {
		.arenas = true,
		.pools = true,
		.programs = true,
		.max_stacks = MAX_STACKS,
		.calls = &calls,
	};
	int err;

	if (!trace_can_walk()) {
		fault_set(f, ENOTSUP, "this kernel cannot walk stacks");
		fault_hint(f, "pymemtrace-bpf doctor: stack_walk; stat works without");
		return -ENOTSUP;
	}
	err = trace_open(&r->trace, &to, f);
	if (err)
		return err;
	r->stacks = collector_new(r->trace, 1u << PROFILE_RSS, 0, false);
	if (!r->stacks)
		return fault_errno(f, ENOMEM, "cannot count calls");
	collector_want_calls(r->stacks);
	return 0;
}

static int conduct(struct loop *r, struct caller *out, const struct options *o, struct fault *f)
{
	int err = loop_open(r, f);

	if (!err)
		err = open_trace(r, o, f);
	if (!err)
		err = caller_begin(out, r->trace, r->stacks, f);
	if (!err)
		err = start(r, f);
	if (!err)
		err = caller_start(out, r, f);
	if (!err)
		loop_run(r);
	return err;
}

static int run(const struct options *given)
{
	struct caller out;
	struct options o = *given, processes;
	struct loop r = LOOP(&processes, &caller_listener, &out);
	struct fault f = {0};
	int err, status;

	check(&o);
	check_tids(&o);
	o.interval_ns = 1000000000; /* of the line of progress, and of what is sent to logs */
	if (!o.calls.has_threshold)
		o.calls.threshold = (uint64_t)sysconf(_SC_PAGESIZE);
	/* to the loop, --include and --exclude are of processes */
	processes = o;
	processes.include = processes.exclude = NULL;
	r.rss_only = true;
	if (caller_open(&out, &o, &f)) {
		status = report_fault(&f);
		caller_abort(&out);
		return status;
	}
	err = conduct(&r, &out, &o, &f);
	status = err ? report_fault(&f) : EXIT_OK;
	if (err)
		caller_abort(&out);
	else
		status = caller_close(&out);
	return finish(&r, err, status);
}

const struct command cmd_calls = {
	.name = "calls",
	.summary = "What functions do to RSS, from their entries and exits",
	.args_doc =
		"-p PID[,PID...] [OPTION...]\n       pymemtrace-bpf calls [OPTION...] -- PROGRAM [ARG...]",
	.doc = "Until -d, Ctrl-C or its end. Every entry and exit costs the process about 3 us: how much that\n"
	       "is for what it does is said first. A change of RSS is put down to the innermost function\n"
	       "that is shown: --include, --exclude (name or file) and --depth leave others out.\n"
	       "DIR gets a file for each thread, as pymemtrace's cPyMemTrace writes them; --format json:\n"
	       "the same as JSON lines.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_DURATION | OPT_OUTPUT | OPT_FORMAT | OPT_STRICT |
		 OPT_PROGRAM | OPT_TOP | OPT_SORT | OPT_FUNCTIONS | OPT_CALLS,
	.formats = "text json",
	.run = run,
};
