/* SPDX-License-Identifier: MIT */
#include "cmd/caller_table.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "cmd/caller.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "model/calls.h"
#include "model/profile.h"
#include "output/calls_text.h"
#include "output/json_calls.h"
#include "trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_TOP 20

struct before_calls {
	pid_t pid;
	int64_t rss; /* less what it was when it became a target */
	struct profile_change causes[PROFILE_CAUSES];
};

static void subtract(struct profile_change *from, const struct profile_change *c)
{
	from->growth -= c->growth;
	from->shrink -= c->shrink;
	from->events -= c->events;
}

void caller_note_before(struct caller *r, pid_t pid, const struct trace_counts *at)
{
	static const struct pmt_counts nothing;
	struct before_calls *more, *b;

	for (size_t i = 0; i < r->nr_before; i++)
		if (r->before[i].pid == pid)
			return;
	more = reallocarray(r->before, r->nr_before + 1, sizeof(*more));
	if (!more)
		return;
	r->before = more;
	b = &r->before[r->nr_before++];
	*b = (struct before_calls){.pid = pid};
	collector_causes(&nothing, &at->counts, PROFILE_RSS, b->causes);
	for (int i = 0; i < PROFILE_CAUSES; i++)
		b->rss += b->causes[i].growth - b->causes[i].shrink;
}

int64_t caller_rss_before(const struct caller *r)
{
	int64_t sum = 0;

	for (size_t i = 0; i < r->nr_before; i++)
		sum += r->before[i].rss;
	return sum;
}

void caller_take(struct caller *r, pid_t pid)
{
	struct profile_change outside;
	struct call_process *of;

	if (collector_take_calls(r->enrol.stacks, pid, r->table, &outside) ||
	    calls_add_process(r->table, pid, &of)) {
		r->enrol.lost = true;
		return;
	}
	of->left_out.growth += outside.growth;
	of->left_out.shrink += outside.shrink;
}

/* With nothing left out, what is in no function that is shown is in one that could not be read. */
static void outside_to_cause(const struct options *o, struct call_process *of)
{
	struct profile_change *unread = &of->causes[PROFILE_WALK_FAILED];

	if (o->include || o->exclude || o->calls.depth || o->calls.nr_tids)
		return;
	unread->growth += of->left_out.growth;
	unread->shrink += of->left_out.shrink;
	of->left_out = (struct profile_change){0};
}

static int fill_process(struct caller *r, const struct profile_process *from)
{
	struct call_process *of;
	int err = calls_add_process(r->table, from->pid, &of);

	if (err)
		return err;
	text_replace(&of->command, from->command ? from->command : "");
	text_replace(&of->python, from->python ? from->python : "");
	of->rss_before = from->rss_before;
	of->rss_after = from->rss_after;
	of->ended = from->ended;
	memcpy(of->causes, from->causes[PROFILE_RSS], sizeof(of->causes));
	for (size_t i = 0; i < r->nr_before; i++) {
		if (r->before[i].pid != from->pid)
			continue;
		of->rss_before += r->before[i].rss;
		for (int k = 0; k < PROFILE_CAUSES; k++)
			subtract(&of->causes[k], &r->before[i].causes[k]);
	}
	outside_to_cause(r->o, of);
	return 0;
}

static void fill_counts(struct caller *r)
{
	uint64_t counts[PMT_CALL_COUNTS], losses[PMT_LOSS_KINDS];
	struct calls *c = r->table;

	call_budget_total(&r->budget, &c->entries, &c->exits_seen, &c->cost_ns);
	if (!trace_read_call_counts(r->enrol.trace, counts)) {
		c->repeated = counts[PMT_CALL_REPEATED];
		c->stray = counts[PMT_CALL_STRAY];
		c->unread = counts[PMT_CALL_UNREAD];
		c->reset = counts[PMT_CALL_RESET];
		c->full = counts[PMT_CALL_FULL];
		c->log_lost = counts[PMT_CALL_LOG_LOST];
	}
	c->names_lost = collector_total(r->enrol.stacks)->names_lost;
	if (!trace_read_losses(r->enrol.trace, losses))
		c->names_lost += losses[PMT_LOSS_NAMES];
}

int caller_fill(struct caller *r)
{
	const struct profile *p = collector_total(r->enrol.stacks);
	struct calls *c = r->table;
	int err = 0;

	c->end_ns = p->end_ns;
	c->batched = p->batched;
	c->timed = r->o->calls.time;
	c->exits = !r->o->calls.no_exits;
	text_replace(&c->host, p->host ? p->host : "");
	text_replace(&c->program, p->program ? p->program : "");
	fill_counts(r);
	for (uint32_t i = 0; i < p->nr_processes && !err; i++)
		err = fill_process(r, &p->processes[i]);
	if (err)
		return err;
	calls_balance(c);
	return calls_sort(c, r->o->sort ? r->o->sort : calls_columns[0]);
}

int caller_write(struct caller *r, struct fault *f)
{
	const struct calls_text_options how = {
		.top = r->o->top == TOP_DEFAULT ? CALLS_TOP : r->o->top,
		.sort = r->o->sort,
		.verbose = r->o->verbose > 0,
	};
	int err = format_is(r->o, "json") ? calls_write_json(r->sink.f, r->table)
					  : calls_text(r->sink.f, r->table, &how);

	return err ? fault_errno(f, -err, "cannot write the table") : 0;
}
