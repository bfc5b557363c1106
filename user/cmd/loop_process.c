/* SPDX-License-Identifier: MIT */
/* One process in the loop: from the first look at it to its end. */
#include "cmd/loop_internal.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/timer.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "target/target.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_WATCHED  4096
#define ATTACHING_NS 700000000 /* its state is said within a second, as far as there is one */

struct watched *loop_find(struct loop *r, pid_t pid)
{
	for (size_t i = 0; i < r->nr; i++)
		if (r->watched[i]->process.target && r->watched[i]->process.target->pid == pid &&
		    r->watched[i]->phase != WATCH_ENDED)
			return r->watched[i];
	return NULL;
}

/* Its stacks, as far as it is known how; asked again whenever it has been looked at. */
void loop_follow(struct loop *r, struct watched *w)
{
	struct fault f = {0};

	if (r->stacks && w->phase != WATCH_ENDED && collector_follow(r->stacks, &w->process, &f) &&
	    f.err)
		log_debug("pid %d: %s", (int)w->process.target->pid, f.text);
	if (r->listener->follow && w->phase != WATCH_ENDED)
		r->listener->follow(r->ctx, w);
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
	loop_follow(r, w);
	w->loading_until_ns = clock_monotonic_ns() + ATTACHING_NS;
	r->watched[r->nr++] = w;
	if (ret)
		*ret = w;
	return 0;
}

/* A process that is on its way out fails each read in its own way; its end will be reported. */
void loop_problem(struct loop *r, struct watched *w, int err, const struct fault *f)
{
	if (err != -ESRCH && !target_ended(w->process.target))
		r->listener->problem(r->ctx, w, f);
}

/* The first moment; from here on there is something to report. */
void loop_begin(struct loop *r, struct watched *w)
{
	struct fault f = {0};
	int err;

	if (w->phase != WATCH_RUNNING || w->has_base || w->left_out)
		return;
	err = watch_sample(w, r->trace, r->o, NULL, &f);
	if (err) {
		loop_problem(r, w, err, &f);
		/* tried again with the interval, which nothing else may ever start */
		if (!r->begun)
			timer_arm(r->interval, r->o->interval_ns, r->o->interval_ns);
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
void loop_settle(struct watched *w)
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
void loop_look(struct loop *r, struct watched *w)
{
	bool was_read = w->process.supported;
	struct fault f = {0};

	watch_look(w, r->trace, r->o, &f);
	loop_follow(r, w);
	loop_settle(w);
	if (w->has_base && w->process.supported && !was_read) {
		moment_done(&w->base);
		moment_done(&w->last);
		w->has_base = w->announced = w->chain.begun = false;
	}
}

bool loop_may_yet_start(const struct watched *w)
{
	return w->phase == WATCH_STARTING ||
	       (w->phase == WATCH_RUNNING && w->process.why.err == EAGAIN);
}

/* Header and state line, once. */
void loop_announce(struct loop *r, struct watched *w)
{
	if (!w->has_base || w->announced)
		return;
	w->announced = w->answered = r->answered = true;
	if (r->stacks)
		collector_hear(r->stacks, w->process.target->pid);
	r->listener->begin(r->ctx, w);
}

void loop_brief(struct loop *r, pid_t pid, uint32_t tgid)
{
	pid_t parent;

	if (!r->stacks || !r->listener->brief || collector_adopt(r->stacks, tgid, pid, &parent))
		return;
	collector_update(r->stacks);
	r->listener->brief(r->ctx, pid, parent);
}

void loop_end(struct loop *r, struct watched *w, int wait_status)
{
	uint32_t tgid;

	if (w->phase == WATCH_ENDED)
		return;
	w->wait_status = wait_status;
	if (r->stacks)
		collector_update(r->stacks);
	tgid = trace_tgid(r->trace, w->process.target->pid); /* known as long as it is a target */
	if (!w->has_base && !w->answered && !w->from_start && !w->asked && !w->left_out)
		loop_brief(r, w->process.target->pid, tgid);
	watch_end(w, r->trace);
	if (r->stacks)
		collector_forget(r->stacks, w->process.target->pid);
	loop_announce(r, w);
	if (r->stacks)
		collector_update(r->stacks); /* it may just have been heard of */
	r->listener->end(r->ctx, w);
	if (r->stacks)
		collector_drop(r->stacks, tgid);
}
