/* SPDX-License-Identifier: MIT */
#include "cmd/recorder.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "cmd/loop.h"
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int recorder_open(struct recorder *r, const struct options *o, struct fault *f)
{
	memset(r, 0, sizeof(*r));
	r->o = o;
	return 0;
}

void recorder_begin(struct recorder *r, struct trace *t, struct collector *stacks)
{
	r->trace = t;
	r->stacks = stacks;
}

static void begin(void *ctx, struct watched *w)
{
}

static void change(void *ctx, struct watched *w, const struct moment *prev)
{
}

static void total(void *ctx, struct watched *w)
{
	struct recorder *r = ctx;
	w->total_done = true;
	collector_account(r->stacks, collector_total(r->stacks), w->process.id.pid, NULL, &w->last.counts);
}

static void exec_(void *ctx, struct watched *w)
{
}

static void end(void *ctx, struct watched *w)
{
	total(ctx, w);
}

static void problem(void *ctx, const struct watched *w, const struct fault *f)
{
	struct recorder *r = ctx;

	(void)w;
	r->failed = true;
	report_fault(f);
}

static void lost(void *ctx)
{
	((struct recorder *)ctx)->lost = true;
}

static void flush(void *ctx)
{
}

static bool broken(void *ctx)
{
	return ((struct recorder *)ctx)->broken;
}

const struct listener record_listener = {
	.begin = begin,
	.change = change,
	.total = total,
	.exec = exec_,
	.end = end,
	.problem = problem,
	.lost = lost,
	.flush = flush,
	.broken = broken,
};

int recorder_close(struct recorder *r)
{
	const struct profile *p = collector_total(r->stacks);
	for (uint32_t i=0;i<p->nr_rows;i++) {
		const struct profile_row *row=&p->rows[i];
		const struct profile_stack *s=&p->stacks[row->stack];
		printf("%s %d/%d %s +%ld -%ld n=%lu: ", profile_event_name(row->event), p->threads[row->thread].pid,p->threads[row->thread].tid,p->threads[row->thread].comm,(long)row->change.growth/1024,(long)row->change.shrink/1024,(unsigned long)row->change.events);
		for (uint32_t k=0;k<s->nr;k++) printf("%s (%s:%d) < ", p->functions[s->frames[k].function].name,p->functions[s->frames[k].function].file,s->frames[k].line);
		printf("\n");
	}
	for (uint32_t i=0;i<p->nr_processes;i++) {
		const struct profile_process *q=&p->processes[i];
		printf("pid %d %ld -> %ld (%+ld)\n", q->pid, q->rss_before/1024,q->rss_after/1024,(q->rss_after-q->rss_before)/1024);
		for (int c=0;c<PROFILE_CAUSES;c++) for (int e=0;e<3;e++) if (q->causes[e][c].growth||q->causes[e][c].shrink) printf("  %s %s +%ld -%ld n=%lu\n", profile_event_name(e), profile_cause_text(c), q->causes[e][c].growth/1024,q->causes[e][c].shrink/1024,q->causes[e][c].events);
	}
	printf("names lost %lu lines lost %lu\n", p->names_lost,p->lines_lost);
	return 0;
}

void recorder_abort(struct recorder *r)
{
}
