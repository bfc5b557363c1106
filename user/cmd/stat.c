/* SPDX-License-Identifier: MIT */
/*
 * `stat`, the default: attach, say where it stands, then what changes, then the total. The loop is in
 * stat_loop.c, what is written in stat_report.c.
 */
#include "cmd/cmd.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "cmd/stat_loop.h"
#include "trace/trace.h"

#include <errno.h>
#include <sys/wait.h>

/* Opens the processes of -p. All must be there; each that is Python must be readable or say why. */
static int open_targets(struct stat_run *r, struct fault *f)
{
	uint32_t flags = r->o->children ? PMT_FOLLOW : 0;
	_cleanup_free_ pid_t *pids = NULL;
	int nr = process_select(r->o, &pids, f);

	if (nr < 0)
		return nr;
	for (int i = 0; i < nr; i++) {
		struct watched *w;
		int err;

		if (stat_loop_find(r, pids[i]))
			continue; /* a child that was followed before its turn came */
		err = stat_loop_add(r, pids[i], flags, &w, f);
		if (err && i >= (int)r->o->nr_pids)
			continue; /* a descendant that has ended meanwhile */
		if (err)
			return err;
		if (w->phase == WATCH_IDLE && i < (int)r->o->nr_pids && !r->o->children) {
			*f = w->process.why;
			return -f->err;
		}
		if (i >= (int)r->o->nr_pids && !process_matches(r->o, &w->process.id))
			w->phase = WATCH_IDLE;
	}
	return 0;
}

static int open_program(struct stat_run *r, struct fault *f)
{
	struct watched *w;
	int err = launch_prepare(&r->launch, r->o->program, r->o->as_root, f);

	if (err)
		return err;
	r->launched = true;
	err = stat_loop_add(r, r->launch.pid, PMT_FOLLOW | PMT_STOP_EXEC, &w, f);
	if (err)
		return err;
	report_note(r->o, "running %s%s%s", r->launch.file, r->launch.user[0] ? " as " : "",
		    r->launch.user);
	launch_go(&r->launch);
	return 0;
}

/* The program's own status; it may go on for longer than we watch it. */
static int program_status(struct stat_run *r, int ours)
{
	int exec_error;

	if (!r->launch_ended)
		while (waitpid(r->launch.pid, &r->launch_status, 0) < 0 && errno == EINTR)
			;
	exec_error = launch_exec_error(&r->launch);
	if (exec_error) {
		struct fault f = {0};

		fault_errno(&f, exec_error, "%s", r->launch.file);
		report_fault(&f);
		return exec_error == ENOENT ? 127 : 126;
	}
	if (launch_exit_status(r->launch_status))
		return launch_exit_status(r->launch_status);
	return ours;
}

static int run(const struct options *o)
{
	struct stat_run r = {
		.o = o,
		.launch = {.go_fd = -1, .failed_fd = -1},
		.signals = -1,
		.interval = -1,
		.total_time = -1,
		.newborn = -1,
	};
	struct trace_options to = {.pools = true, .programs = true};
	struct fault f = {0};
	int err, status;

	err = stat_report_open(&r.out, o, &f);
	if (err)
		return report_fault(&f);
	err = stat_loop_open(&r, &f);
	if (!err)
		err = trace_open(&r.trace, &to, &f);
	if (!err)
		err = o->program ? open_program(&r, &f) : open_targets(&r, &f);
	if (!err)
		stat_loop_run(&r);
	trace_close(r.trace);
	stat_loop_close(&r);
	status = err ? report_fault(&f) : EXIT_OK;
	if (err)
		stat_report_abort(&r.out);
	else
		status = stat_report_close(&r.out);
	if (r.launched && !err)
		status = program_status(&r, status);
	else if (o->program && err)
		status = err == -ENOENT ? 127 : 125;
	launch_done(&r.launch);
	return status;
}

const struct command cmd_stat = {
	.name = "stat",
	.summary = "Changes of RSS, arenas and pools while they happen",
	.args_doc =
		"-p PID[,PID...] [OPTION...]\n       pymemtrace-bpf stat [OPTION...] -- PROGRAM [ARG...]",
	.doc = "First where it stands, then every -i seconds (5) what changed, until -n, -d, Ctrl-C or\n"
	       "its end, and once more the change since attach. Sizes of a process's text pages grow\n"
	       "by 4 KiB a probe; nothing else is added to it.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_INTERVAL | OPT_REPORTS | OPT_DURATION | OPT_OUTPUT |
		 OPT_FORMAT | OPT_PAUSE | OPT_STRICT | OPT_GLOB | OPT_PROGRAM,
	.formats = "text json",
	.run = run,
};
