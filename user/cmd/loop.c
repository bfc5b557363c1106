/* SPDX-License-Identifier: MIT */
#include "cmd/loop.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/timer.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "target/elf.h"
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define MAX_WATCHED	 4096
#define STARTING_POLL_MS 20	   /* how often an interpreter that is starting is looked at */
#define ATTACHING_NS	 700000000 /* its state is said within a second, as far as there is one */
#define LOADING_NS	 2000000000ll /* libraries are mapped by then */
#define NEWBORN_NS	 300000000    /* a child that lives longer without exec is announced */

struct watched *loop_find(struct loop *r, pid_t pid)
{
	for (size_t i = 0; i < r->nr; i++)
		if (r->watched[i]->process.target && r->watched[i]->process.target->pid == pid &&
		    r->watched[i]->phase != WATCH_ENDED)
			return r->watched[i];
	return NULL;
}

/* Its stacks, as far as it is known how; asked again whenever it has been looked at. */
static void follow(struct loop *r, struct watched *w)
{
	struct fault f = {0};

	if (r->stacks && w->phase != WATCH_ENDED && collector_follow(r->stacks, &w->process, &f) &&
	    f.err)
		log_debug("pid %d: %s", (int)w->process.target->pid, f.text);
}

int loop_add(struct loop *r, pid_t pid, uint32_t flags, struct watched **ret, struct fault *f)
{
	struct watched **more, *w;
	int err;

	if (r->nr >= MAX_WATCHED) {
		if (!r->not_watched++)
			report_note(r->o, "more than %d processes: the others are not watched",
				    MAX_WATCHED);
		r->listener->lost(r->ctx);
		return fault_set(f, E2BIG, "more than %d processes", MAX_WATCHED);
	}
	w = calloc(1, sizeof(*w));
	more = w ? realloc(r->watched, (r->nr + 1) * sizeof(*more)) : NULL;
	if (!more) {
		free(w);
		return fault_set(f, ENOMEM, "no memory");
	}
	r->watched = more;
	w->rss_only = r->rss_only;
	err = watch_open(w, r->trace, pid, r->o, flags, f);
	if (err) {
		free(w);
		return err;
	}
	follow(r, w);
	w->loading_until_ns = clock_monotonic_ns() + ATTACHING_NS;
	r->watched[r->nr++] = w;
	if (ret)
		*ret = w;
	return 0;
}

/* A process that is on its way out fails each read in its own way; its end will be reported. */
static void problem(struct loop *r, struct watched *w, int err, const struct fault *f)
{
	if (err != -ESRCH && !target_ended(w->process.target))
		r->listener->problem(r->ctx, w, f);
}

/* The first moment; from here on there is something to report. */
static void begin(struct loop *r, struct watched *w)
{
	struct fault f = {0};
	int err;

	if (w->phase != WATCH_RUNNING || w->has_base || w->left_out)
		return;
	err = watch_sample(w, r->trace, r->o, NULL, &f);
	if (err) {
		problem(r, w, err, &f);
		return;
	}
	/* from here on, too, counts what the stacks have */
	if (r->stacks) {
		collector_update(r->stacks);
		if (w->from_start)
			profile_free(collector_take(r->stacks, w->process.target->pid));
		else
			collector_rebase(r->stacks, w->process.target->pid);
	}
	/* intervals count from the first that there is to report, not from a launcher's start */
	if (!r->begun) {
		r->begun = true;
		timer_arm(r->interval, r->o->interval_ns, r->o->interval_ns);
	}
}

/*
 * Judges what was found only when there has been time for it to be whole: while ld.so maps a library,
 * what will be its data are other bytes of the file, and no state makes sense.
 */
static void settle(struct watched *w)
{
	bool waited = clock_monotonic_ns() >= w->loading_until_ns;

	if (!w->process.supported && !waited && w->phase != WATCH_ENDED)
		w->phase = WATCH_STARTING;
	else if (w->phase == WATCH_STARTING && waited)
		w->phase = WATCH_RUNNING;
}

/*
 * Looks at what runs in it. An interpreter that is mapped but not initialised (an application that
 * has not come to it, or is done with it) is waited for, and then reported by its RSS alone. Once it
 * can be read, a new account begins.
 */
static void look(struct loop *r, struct watched *w)
{
	bool was_read = w->process.supported;
	struct fault f = {0};

	watch_look(w, r->trace, r->o, &f);
	follow(r, w);
	settle(w);
	if (w->has_base && w->process.supported && !was_read) {
		moment_done(&w->base);
		moment_done(&w->last);
		w->has_base = w->announced = w->chain.begun = false;
	}
}

static bool may_yet_start(const struct watched *w)
{
	return w->phase == WATCH_STARTING ||
	       (w->phase == WATCH_RUNNING && w->process.why.err == EAGAIN);
}

/* Header and state line, once. */
static void announce(struct loop *r, struct watched *w)
{
	if (!w->has_base || w->announced)
		return;
	w->announced = true;
	r->listener->begin(r->ctx, w);
}

static void announce_all(struct loop *r)
{
	for (size_t i = 0; i < r->nr; i++)
		announce(r, r->watched[i]);
	r->listener->flush(r->ctx);
}

static void end(struct loop *r, struct watched *w, int wait_status)
{
	if (w->phase == WATCH_ENDED)
		return;
	w->wait_status = wait_status;
	if (r->stacks)
		collector_update(r->stacks);
	watch_end(w, r->trace);
	if (r->stacks)
		collector_forget(r->stacks, w->process.target->pid);
	announce(r, w);
	if (w->has_base)
		r->listener->end(r->ctx, w);
}

/* A moment of one process. False: there is nothing to report of it now. */
static bool sample(struct loop *r, struct watched *w)
{
	struct fault f = {0};
	int err;

	if (w->phase == WATCH_ENDED)
		return false;
	if (target_ended(w->process.target)) {
		end(r, w, 0);
		return false;
	}
	if (may_yet_start(w))
		look(r, w);
	if (w->phase != WATCH_RUNNING)
		return false;
	if (!w->has_base) {
		begin(r, w);
		announce(r, w);
		return false;
	}
	announce(r, w);
	moment_done(&w->prev);
	err = watch_sample(w, r->trace, r->o, &w->prev, &f);
	if (err)
		problem(r, w, err, &f);
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

		if (!w->sampled)
			continue;
		r->listener->change(r->ctx, w, &w->prev);
		reported++;
	}
	r->listener->flush(r->ctx);
	return reported;
}

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
	follow(r, w);
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
		settle(w);
	begin(r, w);
	announce(r, w);
	if (w->flags & PMT_STOP_EXEC)
		kill(w->process.target->pid, SIGCONT);
}

static void on_entry(struct loop *r, struct watched *w)
{
	struct fault f = {0};

	watch_look(w, r->trace, r->o, &f);
	follow(r, w);
	w->loading_until_ns = clock_monotonic_ns() + LOADING_NS;
	if (w->phase != WATCH_IDLE)
		settle(w);
	begin(r, w);
	announce(r, w);
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
	begin(r, w);
	timer_arm(r->newborn, NEWBORN_NS, 0);
}

static void drain_events(struct loop *r)
{
	struct trace_event ev;

	while (trace_next(r->trace, &ev) > 0) {
		struct watched *w = loop_find(r, ev.pid);

		if (ev.type == PMT_REC_FORK && ev.pid)
			on_fork(r, ev.pid, ev.parent);
		else if (ev.type == PMT_REC_EXEC && w)
			on_exec(r, w);
		else if (ev.type == PMT_REC_ENTRY && w)
			on_entry(r, w);
		else if (ev.type == PMT_REC_EXIT && w)
			end(r, w, ev.status);
	}
}

static bool any_starting(struct loop *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nr; i++)
		any |= r->watched[i]->phase == WATCH_STARTING;
	return any;
}

static void look_at_starting(struct loop *r)
{
	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];

		if (w->phase != WATCH_STARTING)
			continue;
		look(r, w);
		begin(r, w);
		announce(r, w);
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
		};

		if (poll(fds, ARRAY_SIZE(fds), any_starting(r) ? STARTING_POLL_MS : -1) < 0 &&
		    errno != EINTR)
			break;
		on_signal(r);
		if (r->stacks)
			collector_drain(r->stacks);
		drain_events(r);
		if (any_starting(r))
			look_at_starting(r);
		if (timer_expired(r->newborn))
			announce_all(r);
		if (timer_expired(r->interval)) {
			r->reports += tick(r) > 0;
			r->stop |= r->o->reports && r->reports >= r->o->reports;
		}
		r->stop |= timer_expired(r->total_time);
	}
}

/* Once more at the end, for the time since attach. */
static void totals(struct loop *r)
{
	drain_events(r);
	/* state and events must not part where both are compared: stat's reading goes on */
	if (r->stacks && r->rss_only)
		trace_stop(r->trace);
	for (size_t i = 0; i < r->nr; i++) {
		struct watched *w = r->watched[i];
		struct fault f = {0};

		if (w->phase == WATCH_RUNNING && w->has_base &&
		    watch_sample(w, r->trace, r->o, NULL, &f) && target_ended(w->process.target))
			end(r, w, 0);
	}
	if (r->stacks)
		collector_update(r->stacks);
	for (size_t i = 0; i < r->nr; i++)
		if (r->watched[i]->has_base && !r->watched[i]->total_done)
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
		begin(r, r->watched[i]);
	announce_all(r);
	if (r->o->duration_ns)
		timer_arm(r->total_time, r->o->duration_ns, 0);
	loop(r);
	totals(r);
}
