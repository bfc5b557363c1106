/* SPDX-License-Identifier: MIT */
#include "cmd/caller.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cmd/caller_table.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "cmd/loop.h"
#include "model/profile_tree.h"
#include "target/target.h"
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_SHOWN_NS 500000000 /* for a rate to mean something */

int caller_open(struct caller *r, const struct options *o, struct fault *f)
{
	memset(r, 0, sizeof(*r));
	r->budget.timer = -1;
	r->o = o;
	r->progress = !o->quiet && isatty(STDERR_FILENO);
	r->table = calls_new();
	if (!r->table)
		return fault_errno(f, ENOMEM, "cannot count calls");
	return sink_open(&r->sink, o->output, o->force, f);
}

int caller_begin(struct caller *r, struct trace *t, struct collector *stacks, struct fault *f)
{
	r->enrol = (struct enrol){.trace = t, .stacks = stacks};
	call_sites_init(&r->sites, r->o, t, r->table);
	call_logs_init(&r->logs, r->o, t, stacks);
	/* of a program that is not running yet nothing can be counted before it is */
	r->sites.entries_only = !r->o->program;
	return call_budget_open(&r->budget, r->o, t, f);
}

static bool is_asked(const struct options *o, pid_t pid)
{
	for (size_t i = 0; i < o->nr_pids; i++)
		if (o->pids[i] == pid)
			return true;
	return false;
}

/* Said once of each, except before the beginning: then it is the command that fails. */
static void refuse(struct caller *r, pid_t pid, const struct fault *f)
{
	pid_t *more;

	for (size_t i = 0; i < r->nr_refused; i++)
		if (r->refused[i] == pid)
			return;
	more = reallocarray(r->refused, r->nr_refused + 1, sizeof(*more));
	if (!more)
		return;
	r->refused = more;
	r->refused[r->nr_refused++] = pid;
	if (!r->begun && is_asked(r->o, pid)) {
		if (!r->refusal.err)
			r->refusal = *f;
		return;
	}
	r->enrol.lost = true;
	report_note(r->o, "pid %d: %s: its calls are not counted%s%s%s", (int)pid, f->text,
		    *f->hint ? " (" : "", f->hint, *f->hint ? ")" : "");
}

/* It may be stopped before its first instruction: then the probes are in before it runs. */
static void follow(void *ctx, struct watched *w)
{
	struct caller *r = ctx;
	pid_t pid = w->process.target->pid;
	struct fault f = {0};

	if (!w->process.python)
		return;
	if (w->process.why.err == ENOTSUP) {
		refuse(r, pid, &w->process.why);
		return;
	}
	if (call_sites_attach(&r->sites, pid, w->process.python, &f)) {
		if (!target_ended(w->process.target))
			refuse(r, pid, &f);
		return;
	}
	r->nr_probed++;
	call_budget_costs(&r->budget, r->sites.entry_ns, r->sites.exit_ns);
	call_budget_add(&r->budget, pid);
}

/* Of a program that is not running yet it is noted when it does. */
static void note_all_before(struct caller *r, const struct loop *l)
{
	struct trace_counts now;

	for (size_t i = 0; i < l->nr && !r->o->program; i++)
		if (!trace_read(r->enrol.trace, l->watched[i]->process.id.pid, &now, NULL))
			caller_note_before(r, l->watched[i]->process.id.pid, &now);
}

int caller_start(struct caller *r, struct loop *l, struct fault *f)
{
	if (!r->refusal.err && !r->o->program && !r->o->quiet && r->nr_probed)
		call_budget_estimate(&r->budget, l->signals);
	r->sites.entries_only = false;
	if (!r->o->program && !r->o->calls.no_exits)
		trace_detach_calls(r->enrol.trace); /* to come back with those of exits */
	for (size_t i = 0; i < l->nr && !r->refusal.err; i++)
		if (l->watched[i]->phase != WATCH_ENDED)
			follow(r, l->watched[i]);
	if (r->refusal.err) {
		*f = r->refusal;
		return -f->err;
	}
	note_all_before(r, l);
	l->own[0] = r->budget.timer;
	l->own[1] = r->o->calls.log ? trace_log_fd(r->enrol.trace) : -1;
	r->table->begin_ns = clock_realtime_ns();
	r->began_ns = r->shown_ns = clock_monotonic_ns();
	r->begun = true;
	trace_collect_calls(r->enrol.trace, true);
	call_budget_begin(&r->budget);
	return 0;
}

static void begin(void *ctx, struct watched *w)
{
	struct caller *r = ctx;

	enrol_begin(&r->enrol, w);
	if (w->from_start)
		caller_note_before(r, w->process.id.pid, &w->start);
}

static void change(void *ctx, struct watched *w, const struct moment *prev)
{
	(void)prev;
	enrol_account(&((struct caller *)ctx)->enrol, w);
}

static void total(void *ctx, struct watched *w)
{
	struct caller *r = ctx;

	w->total_done = true;
	enrol_account(&r->enrol, w);
	caller_take(r, w->process.id.pid);
}

static void end_logs(struct caller *r, pid_t pid)
{
	uint32_t tgid = collector_tgid(r->enrol.stacks, pid);

	if (r->o->calls.log && tgid)
		call_logs_end(&r->logs, tgid);
}

static void exec_(void *ctx, struct watched *w)
{
	struct caller *r = ctx;

	end_logs(r, w->process.id.pid);
	enrol_exec(&r->enrol, w);
}

static void problem(void *ctx, const struct watched *w, const struct fault *f)
{
	struct caller *r = ctx;

	(void)w;
	r->failed = true;
	report_fault(f);
}

static void end(void *ctx, struct watched *w)
{
	struct fault f = {0};

	end_logs(ctx, w->process.id.pid);
	if (w->has_base || w->answered) { /* the latter: of a program before this one */
		total(ctx, w);
	} else if (w->asked && !w->left_out && w->process.python) {
		fault_set(&f, ESRCH, "pid %d ended before it could be read",
			  (int)w->process.id.pid);
		problem(ctx, w, &f);
	}
}

static void brief(void *ctx, pid_t pid, pid_t parent)
{
	struct caller *r = ctx;

	end_logs(r, pid);
	if (enrol_brief(&r->enrol, pid, parent))
		caller_take(r, pid);
}

static void lost(void *ctx)
{
	((struct caller *)ctx)->enrol.lost = true;
}

static void wake(void *ctx, struct loop *l)
{
	struct caller *r = ctx;
	char text[128];

	if (r->o->calls.log)
		l->again = call_logs_read(&r->logs);
	if (r->table->stopped || !call_budget_exceeded(&r->budget, text, sizeof(text)))
		return;
	/* what would be learnt of calls from here on is not what happened in them */
	trace_stop(r->enrol.trace);
	trace_detach_calls(r->enrol.trace);
	text_replace(&r->table->stopped, text);
	report_note(r->o, "%s: the probes are taken out", text);
	l->stop = true;
}

/* 00:00:12  1.1 M calls/s, RSS +14.2 MiB */
static void show_progress(struct caller *r)
{
	const struct profile_select all = {.event = PROFILE_RSS};
	int64_t now = clock_monotonic_ns(), seconds = (now - r->began_ns) / 1000000000;
	uint64_t entries, exits, cost;
	struct profile_account a;
	char rate[32], growth[24];

	if (now - r->shown_ns < LEAST_SHOWN_NS)
		return;
	call_budget_total(&r->budget, &entries, &exits, &cost);
	profile_account(collector_total(r->enrol.stacks), &all, &a);
	fprintf(stderr, "\r%02" PRId64 ":%02" PRId64 ":%02" PRId64 "  %s calls/s, RSS %s\033[K",
		seconds / 3600, seconds / 60 % 60, seconds % 60,
		call_rate_text(rate, (double)(entries - r->shown_entries) * 1e9 /
					     (double)(now - r->shown_ns)),
		text_size(growth, a.rss_after - a.rss_before - caller_rss_before(r), true));
	fflush(stderr);
	r->shown_entries = entries;
	r->shown_ns = now;
}

static void flush(void *ctx)
{
	struct caller *r = ctx;

	if (r->o->calls.log)
		call_logs_flush(&r->logs);
	if (r->progress)
		show_progress(r);
}

static bool broken(void *ctx)
{
	return ((struct caller *)ctx)->logs.failed;
}

const struct listener caller_listener = {
	.begin = begin,
	.change = change,
	.total = total,
	.exec = exec_,
	.end = end,
	.brief = brief,
	.follow = follow,
	.wake = wake,
	.problem = problem,
	.lost = lost,
	.flush = flush,
	.broken = broken,
};

/* A table without functions needs a word of explanation. */
static void note_empty(struct caller *r)
{
	const struct options *o = r->o;
	const struct calls *c = r->table;
	char entries[32];

	if (c->nr_functions || (!r->nr_probed && r->nr_refused))
		return;
	if (!r->nr_probed)
		report_note(o, "no Python was seen: nothing is counted");
	else if (!c->entries)
		report_note(o,
			    "no Python function was entered in that time: the process is idle, or "
			    "at work in C");
	else if (o->include || o->exclude || o->calls.depth || o->calls.nr_tids)
		report_note(o,
			    "what is asked for was not entered: %s entries of other functions or "
			    "threads were left out",
			    text_thousands(entries, (int64_t)c->entries, false));
}

static int finish(struct caller *r, struct fault *f)
{
	int err = caller_fill(r);

	if (err)
		return fault_errno(f, -err, "cannot count calls");
	err = caller_write(r, f);
	return err ? err : sink_commit(&r->sink, f);
}

static void done(struct caller *r)
{
	call_logs_done(&r->logs);
	call_sites_done(&r->sites);
	call_budget_close(&r->budget);
	calls_free(r->table);
	free(r->before);
	free(r->refused);
}

int caller_close(struct caller *r)
{
	struct fault f = {0};
	bool incomplete;
	int err;

	if (r->progress)
		fputc('\n', stderr);
	if (r->o->calls.log)
		call_logs_end(&r->logs, 0);
	enrol_note_losses(&r->enrol, r->o);
	err = finish(r, &f);
	if (err) {
		report_fault(&f);
		sink_abort(&r->sink);
	}
	if (r->logs.failed)
		report_fault(&r->logs.why);
	note_empty(r);
	incomplete = r->enrol.lost || calls_incomplete(r->table) || r->logs.not_written;
	if (!r->nr_probed && r->nr_refused)
		r->failed = true;
	r->failed |= err || r->logs.failed;
	done(r);
	if (r->failed)
		return EXIT_FAILED;
	return r->o->strict && incomplete ? EXIT_INCOMPLETE : EXIT_OK;
}

void caller_abort(struct caller *r)
{
	sink_abort(&r->sink);
	done(r);
}
