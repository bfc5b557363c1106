/* SPDX-License-Identifier: MIT */
/* What `stat` writes and when; the formats themselves are output/'s. */
#ifndef PMT_CMD_STAT_REPORT_H
#define PMT_CMD_STAT_REPORT_H

#include "base/fault.h"
#include "output/report.h"
#include "output/sink.h"
#include "pymemtrace/abi_user.h"

#include <stdbool.h>
#include <stdint.h>

struct moment;
struct options;
struct trace;
struct watched;

struct stat_reporter {
	const struct options *o;
	struct sink sink;
	struct report_printer printer;
	bool json;
	bool lost;   /* something was: --strict */
	bool failed; /* a process could not be read */
	bool broken; /* nobody reads what is written (EPIPE, ENOSPC) */
	struct fault why;
	uint64_t losses[PMT_LOSS_KINDS]; /* as far as they were reported */
};

int stat_report_open(struct stat_reporter *r, const struct options *o, struct fault *f);
/* Writes everything out. Returns the exit status. */
int stat_report_close(struct stat_reporter *r);
void stat_report_abort(struct stat_reporter *r);
/* After a round of reports: what BPF lost since the last, and out with it. */
void stat_report_flush(struct stat_reporter *r, struct trace *t);

void stat_report_begin(struct stat_reporter *r, const struct watched *w);
void stat_report_change(struct stat_reporter *r, const struct watched *w,
			const struct moment *prev);
void stat_report_total(struct stat_reporter *r, struct watched *w);
/* The process replaced itself: the total of what it was. */
void stat_report_exec(struct stat_reporter *r, struct watched *w);
/* It ended: how, and its total; or, if it was asked for, that there is none. */
void stat_report_end(struct stat_reporter *r, struct watched *w);
/* It could not be read this time. */
void stat_report_problem(struct stat_reporter *r, const struct watched *w, const struct fault *f);

#endif
