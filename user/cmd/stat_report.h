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

struct collector;
struct listener;
struct options;
struct trace;

struct stat_reporter {
	const struct options *o;
	struct trace *trace;	  /* for its losses; set once there is one */
	struct collector *stacks; /* the same; NULL: who made it grow is not asked */
	uint64_t top;
	struct sink sink;
	struct report_printer printer;
	bool json;
	bool lost;	    /* something was: --strict */
	bool out_of_memory; /* that has been said */
	bool failed;	    /* a process could not be read */
	bool broken;	    /* nobody reads what is written (EPIPE, ENOSPC) */
	struct fault why;
	uint64_t losses[PMT_LOSS_KINDS]; /* as far as they were reported */
};

int stat_report_open(struct stat_reporter *r, const struct options *o, struct fault *f);
/* Writes everything out. Returns the exit status. */
int stat_report_close(struct stat_reporter *r);
void stat_report_abort(struct stat_reporter *r);
/* What `stat` makes of a loop; ctx is the reporter. */
extern const struct listener stat_listener;

#endif
