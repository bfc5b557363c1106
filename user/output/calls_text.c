/* SPDX-License-Identifier: MIT */
/* The text of `calls` but its table: who and how, whose the change is, what was lost (calls_text.h). */
#include "output/calls_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/profile_tree.h"
#include "output/head.h"
#include "output/profile_text.h"
#include "output/table.h"

#include <inttypes.h>
#include <string.h>

#define ARROW	      "\u2192"
#define MAX_CELL      200  /* columns */
#define MAX_PROCESSES 20   /* lines of the head */
#define PAGE_BYTES    4096 /* x86-64 */

static void print_count(FILE *out, uint64_t n)
{
	char text[32];

	fputs(text_thousands(text, (int64_t)min(n, (uint64_t)INT64_MAX), false), out);
}

/* "; probes cost 4.9 s, 16 % of one CPU" */
static void print_cost(FILE *out, const struct calls *c)
{
	double cost = (double)c->cost_ns, time = (double)c->end_ns - (double)c->begin_ns;

	if (!c->cost_ns)
		return;
	fprintf(out, "; probes cost %.1f s", cost / 1e9);
	if (time > 0)
		fprintf(out, ", %.0f %% of one CPU", 100 * cost / time);
}

/* "# 2023-11-15 12:00:00 to 12:00:30, 30.0 s; 3,412,208 entries, 3,412,190 exits; probes cost ..." */
static void print_how(FILE *out, const struct calls *c)
{
	head_print_span(out, c->begin_ns, c->end_ns);
	fputs("; ", out);
	print_count(out, c->entries);
	fputs(" entries", out);
	if (c->exits) {
		fputs(", ", out);
		print_count(out, c->exits_seen);
		fputs(" exits", out);
	}
	print_cost(out, c);
	fputc('\n', out);
	if (!c->exits)
		fputs("# exits were not watched: a call's end was learnt from what ran next\n",
		      out);
	if (c->batched)
		head_print_batched(out, PAGE_BYTES);
}

/* "# pid 4242  python3 app.py  CPython 3.12.1"; with several each has its RSS */
static void print_process(FILE *out, const struct call_process *of, bool several)
{
	char before[24], after[24];

	head_print_watched(out, of->pid, of->command, of->python);
	if (several)
		fprintf(out, "  RSS %s " ARROW " %s", text_size(before, of->rss_before, false),
			text_size(after, of->rss_after, false));
	fputs(of->ended ? ", ended\n" : "\n", out);
}

/* "RSS +14.2 MiB (181.0 MiB → 195.2 MiB)" */
static void print_rss(FILE *out, int64_t rss_before, int64_t rss_after)
{
	char change[32], before[24], after[24];

	fprintf(out, "RSS %s (%s " ARROW " %s)\n", text_net(change, rss_after - rss_before),
		text_size(before, rss_before, false), text_size(after, rss_after, false));
}

/* The sum over processes. */
struct account {
	int64_t rss_before, rss_after;
	struct profile_change left_out, causes[PROFILE_CAUSES];
};

static void add_clamped(int64_t *to, int64_t bytes)
{
	if (__builtin_add_overflow(*to, bytes, to))
		*to = INT64_MAX;
}

static void sum_processes(const struct calls *c, struct account *ret)
{
	*ret = (struct account){0};
	for (size_t i = 0; i < c->nr_processes; i++) {
		const struct call_process *of = &c->processes[i];

		add_clamped(&ret->rss_before, max(of->rss_before, (int64_t)0));
		add_clamped(&ret->rss_after, max(of->rss_after, (int64_t)0));
		profile_sum(&ret->left_out, &of->left_out);
		for (int k = 0; k < PROFILE_CAUSES; k++)
			profile_sum(&ret->causes[k], &of->causes[k]);
	}
}

static void print_head(FILE *out, const struct calls *c, bool verbose)
{
	struct account a;

	if (c->stopped) {
		fputs("# STOPPED EARLY: ", out);
		head_print_text(out, c->stopped);
		fputs("; all figures are those up to then\n", out);
	}
	if (verbose)
		head_print_program(out, c->program, c->host);
	for (size_t i = 0; i < min(c->nr_processes, (size_t)MAX_PROCESSES); i++)
		print_process(out, &c->processes[i], c->nr_processes > 1);
	if (c->nr_processes > MAX_PROCESSES)
		fprintf(out, "# (%zu more processes)\n", c->nr_processes - MAX_PROCESSES);
	print_how(out, c);
	sum_processes(c, &a);
	print_rss(out, a.rss_before, a.rss_after);
}

static void account_row(struct table *t, const struct profile_change *change, bool shrank,
			const char *text)
{
	profile_change_cells(t, change, shrank);
	table_cell(t, text);
}

static bool any(const struct profile_change *change)
{
	return change->growth || change->shrink;
}

/*
 * RSS: whose it is
 *	      net        bytes      grew     shrank
 *	+12.5 MiB  +13,107,200  13.0 MiB  512.0 KiB  20 functions above
 *	+96.0 KiB      +98,304  96.0 KiB             194 functions not shown
 *	 +1.6 MiB   +1,684,276   1.6 MiB             [no Python frame]
 *	+14.2 MiB  +14,889,780  14.7 MiB  512.0 KiB  sum; RSS 181.0 MiB → 195.2 MiB
 */
int calls_text_account(FILE *out, const struct calls *c, const struct calls_text_sums *sums)
{
	char before[24], after[24], text[96];
	struct profile_change all = sums->shown;
	struct table t = {0};
	struct account a;
	int err;

	sum_processes(c, &a);
	profile_sum(&all, &sums->more);
	profile_sum(&all, &a.left_out);
	for (int k = 0; k < PROFILE_CAUSES; k++)
		profile_sum(&all, &a.causes[k]);
	profile_change_columns(&t, all.shrink);
	table_column(&t, "", false);
	snprintf(text, sizeof(text), "%zu function%s above", sums->nr_shown,
		 sums->nr_shown == 1 ? "" : "s");
	if (sums->nr_shown)
		account_row(&t, &sums->shown, all.shrink, text);
	snprintf(text, sizeof(text), "%zu function%s not shown", sums->nr_more,
		 sums->nr_more == 1 ? "" : "s");
	if (sums->nr_more)
		account_row(&t, &sums->more, all.shrink, text);
	if (any(&a.left_out))
		account_row(&t, &a.left_out, all.shrink,
			    "[left out: --include, --exclude, --depth, --tid]");
	for (int k = 0; k < PROFILE_CAUSES; k++)
		if (any(&a.causes[k]))
			account_row(&t, &a.causes[k], all.shrink, profile_cause_text(k));
	snprintf(text, sizeof(text), "sum; RSS %s " ARROW " %s",
		 text_size(before, a.rss_before, false), text_size(after, a.rss_after, false));
	account_row(&t, &all, all.shrink, text);
	fputs("\nRSS: whose it is\n", out);
	err = table_print(out, &t, 0, true);
	if (profile_net(&all) != a.rss_after - a.rss_before)
		fputs("# this does not add up to the change of RSS\n", out);
	table_done(&t);
	return err;
}

/* "# 3 calls of which neither the end nor what followed was seen"; one: for n of 1 */
static void print_loss(FILE *out, uint64_t n, const char *one, const char *many, const char *text)
{
	if (!n)
		return;
	fputs("# ", out);
	print_count(out, n);
	fprintf(out, " %s %s\n", n == 1 ? one : many, text);
}

void calls_text_losses(FILE *out, const struct calls *c, bool verbose)
{
	uint64_t open = 0, lost = 0;

	for (size_t i = 0; i < c->nr_functions; i++) {
		open += min(c->functions[i].open, UINT64_MAX - open);
		lost += min(c->functions[i].lost, UINT64_MAX - lost);
	}
	print_loss(out, open, "call", "calls", "had not ended");
	print_loss(out, lost, "call", "calls", "lost: neither the end nor what followed was seen");
	print_loss(out, c->unread, "entry or exit", "entries or exits",
		   "lost: frame or code object could not be read");
	print_loss(
		out, c->reset, "time", "times",
		"a thread's stack was another than any known (greenlets): its open calls were given up");
	print_loss(out, c->full, "entry", "entries", "lost: a table of calls was full");
	print_loss(out, c->log_lost, "event", "events", "lost from the log: its buffer was full");
	print_loss(out, c->names_lost, "code object", "code objects",
		   "gone before a name could be read: \"?\"");
	if (!verbose)
		return;
	print_loss(out, c->repeated, "entry", "entries",
		   "seen by a second probe too, and counted once (no loss)");
	print_loss(out, c->stray, "hit", "hits", "at which no call begins or ends (no loss)");
}

/*
 *	probe                     instruction  ns per hit
 *	RESUME_CHECK              jnz                 640
 *	_PyEval_FrameClearAndPop  cmp               9,800  single-stepped: slow
 */
int calls_text_sites(FILE *out, const struct calls *c)
{
	char cell[MAX_CELL];
	struct table t = {0};
	int err;

	if (c->nr_processes > 1)
		table_column(&t, "pid", true);
	table_column(&t, "probe", false);
	table_column(&t, "instruction", false);
	table_column(&t, "ns per hit", true);
	table_column(&t, "", false);
	for (size_t i = 0; i < c->nr_sites; i++) {
		const struct call_site *s = &c->sites[i];

		if (c->nr_processes > 1) {
			snprintf(cell, sizeof(cell), "%d", s->pid);
			table_cell(&t, cell);
		}
		table_cell(&t, text_escape(cell, sizeof(cell), s->name, strlen(s->name)));
		table_cell(&t,
			   text_escape(cell, sizeof(cell), s->instruction, strlen(s->instruction)));
		cell[0] = 0;
		if (s->cost_ns)
			text_thousands(cell, (int64_t)min(s->cost_ns, (uint64_t)INT64_MAX), false);
		table_cell(&t, cell);
		table_cell(&t, s->emulated ? "" : "single-stepped: slow");
	}
	fputc('\n', out);
	err = table_print(out, &t, 0, true);
	table_done(&t);
	return err;
}

static bool any_is_slow(const struct calls *c)
{
	for (size_t i = 0; i < c->nr_sites; i++)
		if (!c->sites[i].emulated)
			return true;
	return false;
}

int calls_text(FILE *out, const struct calls *c, const struct calls_text_options *o)
{
	struct calls_text_sums sums;
	int err;

	print_head(out, c, o->verbose);
	err = calls_text_table(out, c, o, &sums);
	if (!err)
		err = calls_text_account(out, c, &sums);
	calls_text_losses(out, c, o->verbose);
	if (!err && c->nr_sites && (o->verbose || any_is_slow(c)))
		err = calls_text_sites(out, c);
	return err;
}
