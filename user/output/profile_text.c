/* SPDX-License-Identifier: MIT */
/* The text of `report`: who and how, then for each event its parts, last that it adds up. */
#include "output/profile_text.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/head.h"
#include "output/profile_label.h"
#include "output/profile_out.h"
#include "output/table.h"

#include <inttypes.h>
#include <string.h>

#define ARROW	      "\u2192"
#define MAX_PROCESSES 20 /* lines of the head */

/* "# 2023-11-15 12:00:00 to 12:01:00, 60.0 s; exact: every change has its stack" */
static void print_how(FILE *out, const struct profile *p)
{
	char size[24];

	head_print_span(out, p->begin_ns, p->end_ns);
	fputs("; ", out);
	if (p->exact) {
		fputs("exact: every change of RSS has its stack\n", out);
	} else {
		text_size(size, (int64_t)p->step_pages * p->page_bytes, false);
		fprintf(out, "sampled: a stack about every %" PRIu32 " page%s (%s) of RSS\n",
			p->step_pages, p->step_pages == 1 ? "" : "s", size);
		fputs("# ± error: one standard error of self; the truth is within twice that in 19 cases of 20\n",
		      out);
	}
	if (p->batched)
		head_print_batched(out, p->page_bytes);
}

/* "# pid 4242  python3 app.py  CPython 3.12.1  RSS 100.0 MiB → 160.0 MiB" */
static void print_process(FILE *out, const struct profile_process *of)
{
	char before[24], after[24];

	head_print_watched(out, of->pid, of->command, of->python);
	fprintf(out, "  RSS %s " ARROW " %s%s\n", text_size(before, of->rss_before, false),
		text_size(after, of->rss_after, false), of->ended ? ", ended" : "");
}

static void print_processes(FILE *out, const struct profile *p, const struct profile_view *view)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < p->nr_processes; i++) {
		if (view->pid && view->pid != p->processes[i].pid)
			continue;
		if (nr++ < MAX_PROCESSES)
			print_process(out, &p->processes[i]);
	}
	if (nr > MAX_PROCESSES)
		fprintf(out, "# (%" PRIu32 " more processes)\n", nr - MAX_PROCESSES);
}

static void print_losses(FILE *out, const struct profile *p)
{
	if (p->cut_short)
		fputs("# cut short: the recording ends early, this is what it held up to there\n",
		      out);
	if (p->names_lost)
		fprintf(out,
			"# %" PRIu64 " code object%s gone before a name could be read: \"?\"\n",
			p->names_lost, p->names_lost == 1 ? " was" : "s were");
	if (p->lines_lost)
		fprintf(out, "# %" PRIu64 " code object%s gone before lines could be read\n",
			p->lines_lost, p->lines_lost == 1 ? " was" : "s were");
}

static void print_head(FILE *out, const struct profile *p, const struct profile_view *view)
{
	head_print_program(out, p->program, p->host);
	print_how(out, p);
	print_processes(out, p, view);
	print_losses(out, p);
}

void profile_change_columns(struct table *t, bool shrank)
{
	table_column(t, "net", true);
	table_column(t, "bytes", true);
	if (shrank) {
		table_column(t, "grew", true);
		table_column(t, "shrank", true);
	}
}

void profile_change_cells(struct table *t, const struct profile_change *c, bool shrank)
{
	char cell[40];

	table_cell(t, text_net(cell, profile_net(c)));
	table_cell(t, text_net_bytes(cell, profile_net(c)));
	if (shrank) {
		table_cell(t, text_gross(cell, c->growth));
		table_cell(t, text_gross(cell, c->shrink));
	}
}

static void account_row(struct table *t, const struct profile_change *c, bool shrank,
			const char *text)
{
	char cell[32];

	profile_change_cells(t, c, shrank);
	table_cell(t, text_thousands(cell, (int64_t)min(c->events, (uint64_t)INT64_MAX), false));
	table_cell(t, text);
}

/* Arenas and pools are never sampled. */
static bool sampled(const struct profile *p, const struct profile_select *s)
{
	return !p->exact && s->event == PROFILE_RSS;
}

/*
 * RSS: what was seen, and whose it is
 *	      net        bytes       grew    shrank  events
 *	+51.5 MiB  +54,001,664   67.5 MiB  16.0 MiB      84  call stacks
 *	 +7.0 MiB   +7,340,032    8.0 MiB   1.0 MiB       9  [no Python thread]
 *	+60.0 MiB  +62,914,560   79.0 MiB  19.0 MiB      95  sum; RSS went from 100.0 MiB to ...
 */
static int print_account(FILE *out, const struct profile *p, const struct profile_select *s)
{
	char before[24], after[24], bytes[40], sum[96] = "sum";
	struct profile_change seen;
	struct profile_account a;
	struct table t = {0};
	bool shrank;
	int err;

	profile_account(p, s, &a);
	seen = a.attributed;
	profile_sum(&seen, &a.unattributed);
	shrank = seen.shrink;
	profile_change_columns(&t, shrank);
	table_column(&t, sampled(p, s) ? "samples" : "events", true);
	table_column(&t, "", false);
	account_row(&t, &a.attributed, shrank, "call stacks");
	for (int c = 0; c < PROFILE_CAUSES; c++)
		if (a.causes[c].growth || a.causes[c].shrink || a.causes[c].events)
			account_row(&t, &a.causes[c], shrank, profile_cause_text(c));
	if (s->event == PROFILE_RSS)
		snprintf(sum, sizeof(sum), "sum; RSS %s " ARROW " %s",
			 text_size(before, a.rss_before, false),
			 text_size(after, a.rss_after, false));
	account_row(&t, &seen, shrank, sum);
	fprintf(out, "\n%s: what was seen, and whose it is\n", profile_event_title(s->event));
	err = table_print(out, &t, 0, true);
	if (s->event == PROFILE_RSS && profile_net(&seen) != a.rss_after - a.rss_before)
		fprintf(out, "# this does not add up: RSS changed by %s bytes\n",
			text_net_bytes(bytes, a.rss_after - a.rss_before));
	table_done(&t);
	return err;
}

/*
 *	# by memory: anon 12.0 MiB in 3,072, file 40.0 KiB in 10
 *
 * Gross: growth and shrinkage together. Of rss and of pymalloc's events no kind is told.
 */
static void print_memories(FILE *out, const struct profile *p, const struct profile_select *s)
{
	struct profile_change by[PROFILE_MEMORIES] = {0};
	const char *between = "# by memory: "; /* where any kind is known */
	char size[24], count[32];

	if (!profile_event_is_kernels(s->event))
		return;
	for (uint32_t i = 0; i < p->nr_rows; i++)
		if (p->rows[i].event == s->event &&
		    (!s->pid || p->threads[p->rows[i].thread].pid == s->pid))
			profile_sum(&by[p->rows[i].memory], &p->rows[i].change);
	for (int m = 1; m <= PROFILE_MEMORIES; m++) {
		/* the unknown last */
		const struct profile_change *c = &by[m % PROFILE_MEMORIES];

		if (!c->events || (m == PROFILE_MEMORIES && *between != ','))
			continue;
		fprintf(out, "%s%s %s in %s", between, profile_memory_name(m % PROFILE_MEMORIES),
			text_size(size, c->growth + c->shrink, false),
			text_thousands(count, (int64_t)min(c->events, (uint64_t)INT64_MAX), false));
		between = ", ";
	}
	if (*between == ',')
		fputc('\n', out);
}

static bool nothing_seen(const struct profile *p, const struct profile_select *s)
{
	struct profile_account a;

	profile_account(p, s, &a);
	return !a.attributed.events && !a.unattributed.events;
}

static int print_event(FILE *out, const struct profile *p, const struct profile_view *view,
		       enum profile_event e)
{
	const struct profile_select s = {.event = e,
					 .pid = view->pid,
					 .inverted = view->inverted,
					 .by_thread = view->by_thread,
					 .brief = true};
	int err;

	if (profile_event_is_kernels(e) && nothing_seen(p, &s)) {
		fprintf(out, "\n%s: none\n", profile_event_title(e));
		return 0;
	}
	err = profile_print_tree(out, p, &s, view->min_bytes);
	if (!err)
		err = profile_print_flat(out, p, &s, view);
	if (!err && e == PROFILE_ARENA)
		err = profile_print_arenas(out, p, view);
	if (!err)
		err = print_account(out, p, &s);
	if (!err)
		print_memories(out, p, &s);
	return err;
}

int profile_write_text(FILE *out, const struct profile *p, const struct profile_view *view,
		       struct fault *f)
{
	unsigned int events = profile_view_events(p, view);
	int err = 0;

	print_head(out, p, view);
	for (int e = 0; !err && e < PROFILE_EVENTS; e++)
		if (events & 1u << e)
			err = print_event(out, p, view, e);
	return err ? fault_errno(f, -err, "cannot print the report") : 0;
}
