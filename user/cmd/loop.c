/* SPDX-License-Identifier: MIT */
#include "cmd/loop_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/timer.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "target/target.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define STARTING_POLL_MS 20   /* how often an interpreter that is starting is looked at */
#define IDLE_LOOK_MS	 1000 /* ... and what is no Python, for it may become one */

static void announce_all(struct loop *r)
{
	for (size_t i = 0; i < r->nr; i++)
		loop_announce(r, r->watched[i]);
	r->listener->flush(r->ctx);
}

/* If it has ended, takes note: of how, too, since BPF's record is written before the kernel tells. */
static bool has_ended(struct loop *r, struct watched *w)
{
	if (!target_ended(w->process.target))
		return false;
	loop_drain_events(r);
	loop_end(r, w, WATCH_STATUS_UNKNOWN);
	return true;
}

/* A moment of one process. False: there is nothing to report of it now. */
static bool sample(struct loop *r, struct watched *w)
{
	struct fault f = {0};
	int err;

	if (w->phase == WATCH_ENDED)
		return false;
	if (has_ended(r, w))
		return false;
	if (loop_may_yet_start(w))
		loop_look(r, w);
	if (w->phase != WATCH_RUNNING)
		return false;
	if (!w->has_base) {
		loop_begin(r, w);
		loop_announce(r, w);
		return false;
	}
	loop_announce(r, w);
	moment_done(&w->prev);
	err = watch_sample(w, r->trace, r->o, &w->prev, &f);
	if (err)
		loop_problem(r, w, err, &f);
	return !err;
}

/* One report of each process; returns how many had something to report. */
static size_t tick(struct loop *r)
{
	size_t reported = 0;

	/* moments and sums close to each other, whatever writing the reports takes */
	for (size_t i = 0; i < r->nr; i++)
		r->watched[i]->sampled = sample(r, r->watched[i]);
	if (r->stacks)
		collector_update(r->stacks);
	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];

		/* another's end may have told of its own, or of its exec */
		if (!w->sampled || !w->has_base || w->phase == WATCH_ENDED)
			continue;
		r->listener->change(r->ctx, w, &w->prev);
		reported++;
	}
	r->listener->flush(r->ctx);
	return reported;
}

static bool any_starting(struct loop *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nr; i++)
		any |= r->watched[i]->phase == WATCH_STARTING;
	return any;
}

static bool any_idle(struct loop *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nr; i++)
		any |= r->watched[i]->phase == WATCH_IDLE;
	return any;
}

/*
 * A program may load an interpreter at any time (a plug-in, a server that embeds it), and nothing says
 * so. What is found is then given time to start.
 */
static void look_at_idle(struct loop *r)
{
	int64_t now = clock_monotonic_ns();

	if (now < r->idle_look_ns)
		return;
	r->idle_look_ns = now + IDLE_LOOK_MS * 1000000ll;
	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];

		if (w->phase != WATCH_IDLE)
			continue;
		loop_look(r, w);
		if (w->phase != WATCH_IDLE)
			w->loading_until_ns = now + LOADING_NS;
		if (w->phase == WATCH_RUNNING && !w->process.supported)
			w->phase = WATCH_STARTING;
		loop_begin(r, w);
		loop_announce(r, w);
	}
}

static void look_at_starting(struct loop *r)
{
	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];

		if (w->phase != WATCH_STARTING)
			continue;
		loop_look(r, w);
		loop_begin(r, w);
		loop_announce(r, w);
	}
}

static void on_signal(struct loop *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD) {
			if (r->launched &&
			    waitpid(r->launch.pid, &r->launch_status, WNOHANG) == r->launch.pid)
				r->launch_ended = true;
			continue;
		}
		/* the terminal sends Ctrl-C to the program too; others are for us alone */
		if (r->launched && !r->launch_ended && si.ssi_signo != SIGINT && !r->stop)
			kill(r->launch.pid, (int)si.ssi_signo);
		r->stop = true;
	}
}

static bool all_ended(const struct loop *r)
{
	if (r->launched && !r->launch_ended)
		return false;
	for (size_t i = 0; i < r->nr; i++) {
		const struct watched *w = r->watched[i];

		/* a launcher that was asked for may yet start a Python */
		if (w->phase == WATCH_ENDED)
			continue;
		if ((w->phase != WATCH_IDLE && !w->left_out) || (w->asked && w->flags & PMT_FOLLOW))
			return false;
	}
	return true;
}

static void loop(struct loop *r)
{
	while (!r->stop && !all_ended(r) && !r->listener->broken(r->ctx)) {
		struct pollfd fds[] = {
			{.fd = r->signals, .events = POLLIN},
			{.fd = r->interval, .events = POLLIN},
			{.fd = r->total_time, .events = POLLIN},
			{.fd = r->newborn, .events = POLLIN},
			{.fd = trace_event_fd(r->trace), .events = POLLIN},
			{.fd = trace_stack_fd(r->trace), .events = POLLIN},
			{.fd = r->own[0], .events = POLLIN},
			{.fd = r->own[1], .events = POLLIN},
		};

		int wait_ms = r->again		? 0
			      : any_starting(r) ? STARTING_POLL_MS
			      : any_idle(r)	? IDLE_LOOK_MS
						: -1;

		r->again = false;
		if (poll(fds, ARRAY_SIZE(fds), wait_ms) < 0 && errno != EINTR)
			break;
		on_signal(r);
		if (r->stacks)
			collector_drain(r->stacks);
		loop_drain_events(r);
		if (r->listener->wake)
			r->listener->wake(r->ctx, r);
		if (any_starting(r))
			look_at_starting(r);
		if (any_idle(r))
			look_at_idle(r);
		if (timer_expired(r->newborn))
			announce_all(r);
		if (timer_expired(r->interval)) {
			r->reports += tick(r) > 0;
			r->stop |= r->o->reports && r->reports >= r->o->reports;
		}
		r->stop |= timer_expired(r->total_time);
	}
}

/* By exec it has become what no moment is taken of; what was recorded of it must add up all the same. */
static bool was_recorded(const struct loop *r, const struct watched *w)
{
	return r->rss_only && w->answered && !w->has_base && w->phase != WATCH_ENDED;
}

/* Once more at the end, for the time since attach. */
static void totals(struct loop *r)
{
	loop_drain_events(r);
	/* state and events must not part where both are compared: stat's reading goes on */
	if (r->stacks && r->rss_only) {
		trace_stop(r->trace);
		trace_detach_calls(r->trace); /* whatever is written of them, it runs free */
	}
	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];
		struct fault f = {0};

		if (w->phase == WATCH_RUNNING && w->has_base &&
		    watch_sample(w, r->trace, r->o, NULL, &f))
			has_ended(r, w);
		if (r->rss_only)
			loop_announce(r, w); /* a child so young that it was not yet */
		if (was_recorded(r, w))
			trace_read(r->trace, w->process.target->pid, &w->last.counts, NULL);
	}
	if (r->stacks)
		collector_update(r->stacks);
	for (size_t i = 0; i < r->nr; i++)
		if ((r->watched[i]->has_base || was_recorded(r, r->watched[i])) &&
		    !r->watched[i]->total_done)
			r->listener->total(r->ctx, r->watched[i]);
	r->listener->flush(r->ctx);
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int loop_open(struct loop *r, struct fault *f)
{
	int *const timers[] = {&r->interval, &r->total_time, &r->newborn};

	r->signals = block_signals();
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		*timers[i] = timer_open();
		if (*timers[i] < 0)
			return fault_errno(f, -*timers[i], "no timer");
	}
	if (r->signals < 0)
		return fault_errno(f, errno, "signalfd");
	return 0;
}

void loop_close(struct loop *r)
{
	int fds[] = {r->signals, r->interval, r->total_time, r->newborn};

	for (size_t i = 0; i < r->nr; i++) {
		/* nothing of ours may stay stopped */
		if (r->watched[i]->flags & PMT_STOP_EXEC && r->watched[i]->phase != WATCH_ENDED &&
		    r->watched[i]->process.target)
			kill(r->watched[i]->process.target->pid, SIGCONT);
		watch_done(r->watched[i]);
		free(r->watched[i]);
	}
	free(r->watched);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void loop_run(struct loop *r)
{
	for (size_t i = 0; i < r->nr; i++)
		loop_begin(r, r->watched[i]);
	announce_all(r);
	if (r->o->duration_ns)
		timer_arm(r->total_time, r->o->duration_ns, 0);
	loop(r);
	totals(r);
}
