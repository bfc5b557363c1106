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
#include <sys/resource.h>
#include <sys/wait.h>

#define MAX_LOOKS 8 /* at descendants, until there is no new one */

/* A watched process takes seven descriptors; the usual soft limit is 1024. */
static void raise_file_limit(void)
{
	struct rlimit l;

	if (!getrlimit(RLIMIT_NOFILE, &l) && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* A process of -p must be there; one that is Python must be readable or say why. */
static int open_asked(struct stat_run *r, pid_t pid, struct fault *f)
{
	struct watched *w;
	int err = stat_loop_add(r, pid, r->o->children ? PMT_FOLLOW : 0, &w, f);

	if (err)
		return err;
	w->asked = true;
	if (w->phase == WATCH_IDLE && !r->o->children) {
		*f = w->process.why;
		return -f->err;
	}
	if (w->phase == WATCH_IDLE)
		report_note(r->o, "pid %d is not Python; its descendants are watched", (int)pid);
	return 0;
}

/* Returns how many it added: descendants that nobody watches yet. */
static int open_descendants(struct stat_run *r, struct fault *f)
{
	_cleanup_free_ pid_t *pids = NULL;
	int nr = process_select(r->o, &pids, f), added = 0;

	if (nr < 0)
		return nr;
	for (int i = 0; i < nr; i++) {
		struct watched *w;

		if (stat_loop_find(r, pids[i]) ||
		    stat_loop_add(r, pids[i], PMT_FOLLOW, &w, f)) /* it has ended meanwhile */
			continue;
		w->left_out = !process_matches(r->o, &w->process.id);
		added++;
	}
	return added;
}

static int open_targets(struct stat_run *r, struct fault *f)
{
	int err = 0;

	raise_file_limit();
	for (size_t i = 0; !err && i < r->o->nr_pids; i++)
		err = open_asked(r, r->o->pids[i], f);
	/* what was forked before its parent was followed shows up in a second look */
	for (int look = 0; !err && r->o->children && look < MAX_LOOKS; look++) {
		int added = open_descendants(r, f);

		if (added <= 0)
			return added;
	}
	return err;
}

static int open_program(struct stat_run *r, struct fault *f)
{
	struct watched *w;
	int err = launch_prepare(&r->launch, r->o->program, r->o->as_root, f);

	if (err)
		return err;
	raise_file_limit(); /* not the program's: it has been forked */
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
	if (r.launched && !err && !r.begun)
		report_note(o, "nothing that ran in it was Python for long enough to be looked at");
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
	       "its end, and once more the change since attach. While attached, each probed 4 KiB page of\n"
	       "the interpreter's text (three at most) is a private copy in every process that maps it.\n",
	.takes = OPT_PID | OPT_CHILDREN | OPT_INTERVAL | OPT_REPORTS | OPT_DURATION | OPT_OUTPUT |
		 OPT_FORMAT | OPT_PAUSE | OPT_STRICT | OPT_GLOB | OPT_PROGRAM,
	.formats = "text json",
	.run = run,
};
