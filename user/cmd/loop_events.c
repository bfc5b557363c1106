/* SPDX-License-Identifier: MIT */
/* Fork, exec and exit of what is watched, and the stop at the entry of a program that is started. */
#include "cmd/loop_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/timer.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "target/elf.h"
#include "target/target.h"

#include <fcntl.h>
#include <signal.h>

#define NEWBORN_NS 300000000 /* a child that lives longer without exec is announced */

/* A stopped child that is about to run its program: the libraries are not mapped yet. */
static void on_exec(struct loop *r, struct watched *w)
{
	struct fault f = {0};

	if (r->stacks) {
		collector_update(r->stacks);
		collector_forget(r->stacks, w->process.target->pid);
	}
	/* what a child was between fork and exec is its parent's doing, and no news */
	if (w->announced)
		r->listener->exec(r->ctx, w);
	moment_done(&w->base);
	moment_done(&w->last);
	process_forget_python(&w->process);
	w->has_base = w->announced = false;
	w->chain.begun = false;
	w->state_disagreed = 0;
	if (r->stacks) {
		collector_rebase(r->stacks, w->process.target->pid);
		trace_read(r->trace, w->process.target->pid, &w->start, NULL);
	}
	watch_look(w, r->trace, r->o, &f);
	loop_follow(r, w);
	if (w->phase == WATCH_IDLE && w->flags & PMT_STOP_EXEC) {
		/* perhaps its interpreter is a library that ld.so will map: stop it once more,
		 * where the program itself begins */
		_cleanup_fd_ int exe =
			openat(w->process.target->proc_fd, "exe", O_RDONLY | O_CLOEXEC);
		struct elf_file *elf = NULL;
		uint64_t offset;

		if (exe >= 0 && !elf_file_open(&elf, exe, "exe", NULL, &f) &&
		    !elf_file_offset(elf, elf_file_entry(elf), &offset))
			trace_stop_at(r->trace, w->process.target->pid, exe, offset, &f);
		elf_file_close(elf);
	}
	w->from_start = w->flags & PMT_STOP_EXEC;
	w->left_out = !process_matches(r->o, &w->process.id);
	w->loading_until_ns = clock_monotonic_ns() + LOADING_NS;
	if (w->phase != WATCH_IDLE || !(w->flags & PMT_STOP_EXEC))
		loop_settle(w);
	loop_begin(r, w);
	loop_announce(r, w);
	if (w->flags & PMT_STOP_EXEC)
		kill(w->process.target->pid, SIGCONT);
}

static void on_entry(struct loop *r, struct watched *w)
{
	struct fault f = {0};

	watch_look(w, r->trace, r->o, &f);
	loop_follow(r, w);
	w->loading_until_ns = clock_monotonic_ns() + LOADING_NS;
	if (w->phase != WATCH_IDLE)
		loop_settle(w);
	loop_begin(r, w);
	loop_announce(r, w);
	kill(w->process.target->pid, SIGCONT);
}

static void on_fork(struct loop *r, pid_t pid, pid_t parent)
{
	struct watched *of = loop_find(r, parent), *w;
	struct fault f = {0};

	/* process_matches() is asked once it is known what it runs */
	if (loop_find(r, pid) || loop_add(r, pid, of ? of->flags : PMT_FOLLOW, &w, &f))
		return;
	w->left_out = !process_matches(r->o, &w->process.id);
	loop_begin(r, w);
	timer_arm(r->newborn, NEWBORN_NS, 0);
}

/* A child that had ended before it could be looked at, or one too many. */
static void on_unwatched_exit(struct loop *r, const struct trace_event *ev)
{
	if (r->stacks) {
		collector_drain(r->stacks);
		loop_brief(r, ev->pid, ev->tgid);
		collector_drop(r->stacks, ev->tgid);
	}
	trace_remove_target(r->trace, ev->pid);
}

/* What a child was between fork and exec is its parent's doing, and what it is now nobody looked at. */
static void on_unwatched_exec(struct loop *r, const struct trace_event *ev)
{
	if (!r->stacks)
		return;
	collector_drain(r->stacks);
	collector_drop(r->stacks, ev->tgid);
}

void loop_drain_events(struct loop *r)
{
	struct trace_event ev;

	while (trace_next(r->trace, &ev) > 0) {
		struct watched *w = loop_find(r, ev.pid);

		if (ev.type == PMT_REC_FORK && ev.pid)
			on_fork(r, ev.pid, ev.parent);
		else if (ev.type == PMT_REC_EXEC && w)
			on_exec(r, w);
		else if (ev.type == PMT_REC_EXEC)
			on_unwatched_exec(r, &ev);
		else if (ev.type == PMT_REC_ENTRY && w)
			on_entry(r, w);
		else if (ev.type == PMT_REC_EXIT && w)
			loop_end(r, w, ev.status);
		else if (ev.type == PMT_REC_EXIT)
			on_unwatched_exit(r, &ev);
	}
}
