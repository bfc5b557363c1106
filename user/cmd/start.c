/* SPDX-License-Identifier: MIT */
#include "cmd/start.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "cmd/loop.h"
#include "model/profile.h"
#include "python/python.h"
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

/* --event pool takes a probe at a function without which there is nothing to record. */
static int check_pools(const struct loop *r, const struct watched *w, struct fault *f)
{
	struct python_probe_info info;
	int pid = (int)w->process.id.pid;

	if (!(r->o->events & 1u << PROFILE_POOL) || w->pool_events || !w->process.python)
		return 0;
	if (python_probe_info(w->process.python, &info, f))
		return -f->err;
	fault_set(f, ENOTSUP,
		  "pid %d: --event pool needs the symbol allocate_from_new_pool, which %s lacks",
		  pid, info.file_name);
	if (python_id(w->process.python)->version_hex < 0x03090000)
		fault_hint(f, "before 3.9 there is no such function; --event arena works");
	else if (*info.debug_wanted)
		fault_hint(f, "its debug symbols would bring it: %s; --event arena works without",
			   info.debug_wanted);
	else
		fault_hint(f, "--event arena works without");
	return -ENOTSUP;
}

/* A process of -p must be there; one that is Python must be readable or say why. */
static int open_asked(struct loop *r, pid_t pid, struct fault *f)
{
	struct watched *w;
	int err = loop_add(r, pid, r->o->children ? PMT_FOLLOW : 0, &w, f);

	if (err)
		return err;
	w->asked = true;
	err = check_pools(r, w, f);
	if (err)
		return err;
	if (w->phase == WATCH_IDLE && !r->o->children) {
		*f = w->process.why;
		return -f->err;
	}
	if (w->phase == WATCH_IDLE)
		report_note(r->o, "pid %d is not Python; its descendants are watched", (int)pid);
	return 0;
}

/* Returns how many it added: descendants that nobody watches yet. */
static int open_descendants(struct loop *r, struct fault *f)
{
	_cleanup_free_ pid_t *pids = NULL;
	int nr = process_select(r->o, &pids, f), added = 0;

	if (nr < 0)
		return nr;
	for (int i = 0; i < nr; i++) {
		struct watched *w;

		if (loop_find(r, pids[i]) ||
		    loop_add(r, pids[i], PMT_FOLLOW, &w, f)) /* it has ended meanwhile */
			continue;
		w->left_out = !process_matches(r->o, &w->process.id);
		added++;
	}
	return added;
}

static int open_targets(struct loop *r, struct fault *f)
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

static int open_program(struct loop *r, struct fault *f)
{
	struct watched *w;
	int err = launch_prepare(&r->launch, r->o->program, r->o->as_root, f);

	if (err)
		return err;
	raise_file_limit(); /* not the program's: it has been forked */
	r->launched = true;
	err = loop_add(r, r->launch.pid, PMT_FOLLOW | PMT_STOP_EXEC, &w, f);
	if (err)
		return err;
	report_note(r->o, "running %s%s%s", r->launch.file, r->launch.user[0] ? " as " : "",
		    r->launch.user);
	launch_go(&r->launch);
	return 0;
}

/* The program's own status; it may go on for longer than we watch it. */
static int program_status(struct loop *r, int ours)
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

int start(struct loop *r, struct fault *f)
{
	return r->o->program ? open_program(r, f) : open_targets(r, f);
}

static int exit_status(struct loop *r, int err, int ours)
{
	if (r->launched && !err) {
		if (!r->answered)
			report_note(
				r->o,
				"nothing that ran in it was Python for long enough to be looked at");
		return program_status(r, ours);
	}
	if (r->o->program && err)
		return err == -ENOENT ? 127 : 125;
	return ours;
}

int finish(struct loop *r, int err, int ours)
{
	int status;

	collector_free(r->stacks);
	trace_close(r->trace);
	loop_close(r);
	status = exit_status(r, err, ours);
	launch_done(&r->launch);
	return status;
}
