/* SPDX-License-Identifier: MIT */
#include "cmd/enrol.h"

#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/collect.h"
#include "cmd/watch.h"
#include "model/profile_tree.h"
#include "trace/trace.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_PROCESSES 4096 /* more are counted as lost */

void enrol_begin(struct enrol *e, const struct watched *w)
{
	const struct process_id *id = &w->process.id;
	const struct python_id *python = &w->last.snap.python;
	struct profile_process *of;
	char version[24], text[64];

	if (profile_add_process(collector_total(e->stacks), id->pid, &of)) {
		e->lost = true;
		return;
	}
	text_replace(&of->command, id->cmdline && *id->cmdline ? id->cmdline : id->comm);
	if (python->version_hex) {
		snprintf(text, sizeof(text), "CPython %s",
			 python_version_text(version, python->version_hex));
		text_replace(&of->python, text);
	}
}

void enrol_account(struct enrol *e, const struct watched *w)
{
	if (collector_account(collector_total(e->stacks), w->process.id.pid, NULL, &w->last.counts))
		e->lost = true;
}

void enrol_exec(struct enrol *e, struct watched *w)
{
	trace_read(e->trace, w->process.id.pid, &w->last.counts, NULL);
	enrol_account(e, w);
}

bool enrol_brief(struct enrol *e, pid_t pid, pid_t parent)
{
	struct profile *p = collector_total(e->stacks);
	struct profile_process *of;
	struct trace_counts c;

	if (!profile_find_process(p, parent)) /* left out, or no Python */
		return false;
	if (p->nr_processes >= MAX_PROCESSES || trace_read(e->trace, pid, &c, NULL) ||
	    profile_add_process(p, pid, &of)) {
		e->lost = true;
		return false;
	}
	text_replace(&of->command, profile_find_process(p, parent)->command);
	text_replace(&of->python, profile_find_process(p, parent)->python);
	if (collector_account(p, pid, NULL, &c))
		e->lost = true;
	return true;
}

void enrol_note_losses(struct enrol *e, const struct options *o)
{
	uint64_t losses[PMT_LOSS_KINDS];

	if (collector_failed(e->stacks)) {
		e->lost = true;
		report_note(o, "memory ran out: stacks or functions are missing");
	}
	if (trace_read_losses(e->trace, losses))
		return;
	for (int i = 0; i < PMT_LOSS_KINDS; i++) {
		if (!losses[i])
			continue;
		e->lost = true;
		report_note(o, "%" PRIu64 " %s", losses[i], trace_loss_text(i));
	}
}
