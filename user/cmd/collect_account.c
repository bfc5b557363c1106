/* SPDX-License-Identifier: MIT */
/*
 * The account of one process between two moments: what its RSS was, and which part of the change was
 * put down to no stack, by cause.
 */
#include "cmd/collect.h"

#include "base/cleanup.h"
#include "trace/trace.h"

static const enum profile_cause causes[PMT_CAUSES] = {
	[PMT_CAUSE_NO_THREAD] = PROFILE_NO_THREAD,   [PMT_CAUSE_NO_FRAME] = PROFILE_NO_FRAME,
	[PMT_CAUSE_NOT_READY] = PROFILE_NOT_READY,   [PMT_CAUSE_WALK_FAILED] = PROFILE_WALK_FAILED,
	[PMT_CAUSE_OTHER_TASK] = PROFILE_OTHER_TASK, [PMT_CAUSE_EXEC] = PROFILE_EXEC,
	[PMT_CAUSE_TABLE_FULL] = PROFILE_TABLE_FULL, [PMT_CAUSE_RECORD_LOST] = PROFILE_RECORD_LOST,
};

void collector_causes(const struct pmt_counts *from, const struct pmt_counts *to,
		      enum profile_event e, struct profile_change ret[PROFILE_CAUSES])
{
	for (int i = 0; i < PMT_CAUSES; i++) {
		const struct pmt_change *a = &from->causes[e][i], *b = &to->causes[e][i];

		ret[causes[i]] = (struct profile_change){
			.growth = (int64_t)(b->growth - a->growth),
			.shrink = (int64_t)(b->shrink - a->shrink),
			.events = b->events - a->events,
		};
	}
}

/* By sampling, each direction of change is rounded to whole steps: what that leaves over. */
static struct profile_change remainder_of(const struct profile *p, const struct profile_process *of,
					  int64_t seen_growth, int64_t seen_shrink)
{
	struct profile_change known = profile_attributed(p, PROFILE_RSS, of->pid);
	int64_t left;

	for (int i = 0; i < PROFILE_CAUSES; i++) {
		if (i == PROFILE_EXEC || i == PROFILE_REMAINDER || i == PROFILE_UNEXPLAINED)
			continue;
		known.growth += of->causes[PROFILE_RSS][i].growth;
		known.shrink += of->causes[PROFILE_RSS][i].shrink;
	}
	left = (seen_growth - known.growth) - (seen_shrink - known.shrink);
	return (struct profile_change){
		.growth = max(left, (int64_t)0),
		.shrink = max(-left, (int64_t)0),
	};
}

int collector_account(struct profile *p, pid_t pid, const struct trace_counts *from,
		      const struct trace_counts *to)
{
	static const struct trace_counts nothing;
	struct profile_process *of;
	bool first = !from;
	int err = profile_add_process(p, pid, &of);

	if (err)
		return err;
	if (first)
		from = &nothing;
	of->rss_before = first ? to->rss_begin : rss_resident(&from->rss_exact);
	of->rss_after = rss_resident(first ? &to->rss : &to->rss_exact);
	for (int e = 0; e < PMT_STACK_EVENTS; e++)
		collector_causes(&from->counts, &to->counts, (enum profile_event)e, of->causes[e]);
	if (!p->exact)
		of->causes[PROFILE_RSS][PROFILE_REMAINDER] =
			remainder_of(p, of, to->seen_growth - from->seen_growth,
				     to->seen_shrink - from->seen_shrink);
	of->ended = to->ended;
	profile_balance(p);
	return 0;
}
