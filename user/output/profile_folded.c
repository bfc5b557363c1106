/* SPDX-License-Identifier: MIT */
/*
 * Folded stacks, as flamegraph.pl, inferno and speedscope read them, of one event:
 *
 *	<module> (/srv/app/app.py:400);main (/srv/app/app.py:215);parse (/srv/app/load.py:85) 31457280
 *	[no Python thread] 7340032
 *	[shrinkage];<module> (/srv/app/app.py:400);main (/srv/app/app.py:220) 6291456
 *
 * A line is the net change of a stack. The format has no negative numbers, and where a stack shrank
 * matters as much as where it grew: stacks and causes that shrank stand below a root "[shrinkage]".
 * So the lines less those of [shrinkage] are the change of RSS to the byte; a stack that grew and
 * shrank by the same amount has no line (text, pprof, speedscope and json have both figures).
 *
 * What kind of memory an event of the kernel was about, if it is known, is a frame of its own: the leaf.
 *
 *	<module> (/srv/app/app.py:400);main (/srv/app/app.py:215);[anon] 4194304
 *
 * Frames carry the line that was running. A ';' in a name becomes ':', control characters \xHH.
 */
#include "output/profile_out.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "output/profile_label.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SHRINKAGE "[shrinkage]"

struct folded {
	pid_t pid;
	uint32_t stack, thread; /* thread PROFILE_NONE: all */
	enum profile_memory memory;
	struct profile_change change;
};

struct writer {
	FILE *out;
	const struct profile *p;
	const struct profile_view *view;
	bool several;
};

static int compare(const void *x, const void *y)
{
	const struct folded *a = x, *b = y;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->stack != b->stack)
		return a->stack < b->stack ? -1 : 1;
	return a->memory < b->memory ? -1 : a->memory > b->memory;
}

/* One frame; the label is changed. */
static void put(const struct writer *w, char *label, bool last)
{
	for (char *c = label; *c; c++)
		if (*c == ';')
			*c = ':';
	fputs(label, w->out);
	if (!last)
		fputc(';', w->out);
}

static void put_start(const struct writer *w, pid_t pid, bool shrank)
{
	char label[PROFILE_LABEL_SIZE] = SHRINKAGE;

	if (shrank)
		put(w, label, false);
	if (w->several)
		put(w, profile_process_label(label, sizeof(label), w->p, pid), false);
}

static void put_frames(const struct writer *w, const struct profile_stack *s,
		       enum profile_memory memory)
{
	bool inverted = w->view->inverted;
	char label[PROFILE_LABEL_SIZE];

	if (memory && inverted)
		fprintf(w->out, "[%s];", profile_memory_name(memory));

	if (s->truncated && !inverted)
		fputs(PROFILE_TRUNCATED_TEXT ";", w->out);
	for (uint32_t i = 0; i < s->nr; i++) {
		const struct profile_frame *f = &s->frames[inverted ? i : s->nr - 1 - i];

		profile_frame_label(label, sizeof(label), &w->p->functions[f->function], f->line);
		put(w, label, i + 1 == s->nr);
	}
	if (s->truncated && inverted)
		fputs(";" PROFILE_TRUNCATED_TEXT, w->out);
	if (memory && !inverted)
		fprintf(w->out, ";[%s]", profile_memory_name(memory));
}

static void write_stack(const struct writer *w, const struct folded *l)
{
	int64_t net = profile_net(&l->change);
	char label[PROFILE_LABEL_SIZE];

	if (!net)
		return;
	put_start(w, l->pid, net < 0);
	if (l->thread != PROFILE_NONE)
		put(w, profile_thread_label(label, sizeof(label), &w->p->threads[l->thread]),
		    false);
	put_frames(w, &w->p->stacks[l->stack], l->memory);
	fprintf(w->out, " %" PRId64 "\n", net < 0 ? -net : net);
}

static void write_causes(const struct writer *w, const struct profile_process *of,
			 enum profile_event e)
{
	for (int c = 0; c < PROFILE_CAUSES; c++) {
		struct profile_change change = {0};
		int64_t net;

		profile_sum(&change, &of->causes[e][c]);
		net = profile_net(&change);
		if (!net)
			continue;
		put_start(w, of->pid, net < 0);
		fprintf(w->out, "%s %" PRId64 "\n", profile_cause_text(c), net < 0 ? -net : net);
	}
}

/* Returns how many; lines has room for all rows. */
static size_t collect(const struct writer *w, enum profile_event e, struct folded *lines)
{
	const struct profile *p = w->p;
	size_t nr = 0;

	for (uint32_t i = 0; i < p->nr_rows; i++) {
		const struct profile_row *r = &p->rows[i];
		pid_t pid = p->threads[r->thread].pid;

		if (r->event != e || (w->view->pid && w->view->pid != pid))
			continue;
		lines[nr++] = (struct folded){pid, r->stack,
					      w->view->by_thread ? r->thread : PROFILE_NONE,
					      r->memory, r->change};
	}
	if (nr)
		qsort(lines, nr, sizeof(*lines), compare);
	return nr;
}

int profile_write_folded(FILE *out, const struct profile *p, const struct profile_view *view,
			 struct fault *f)
{
	struct writer w = {out, p, view, !view->pid && profile_several(p)};
	_cleanup_free_ struct folded *lines = calloc(p->nr_rows + 1, sizeof(*lines));
	enum profile_event e = profile_view_event(p, view);
	size_t nr;

	if (!lines)
		return fault_errno(f, ENOMEM, "no memory for the stacks");
	nr = collect(&w, e, lines);
	for (size_t i = 0; i < nr;) {
		struct folded sum = lines[i];

		sum.change = (struct profile_change){0};
		for (size_t first = i; i < nr && !compare(&lines[first], &lines[i]); i++)
			profile_sum(&sum.change, &lines[i].change);
		write_stack(&w, &sum);
	}
	for (uint32_t i = 0; i < p->nr_processes; i++)
		if (!view->pid || view->pid == p->processes[i].pid)
			write_causes(&w, &p->processes[i], e);
	return 0;
}
