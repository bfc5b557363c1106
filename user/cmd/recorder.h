/* SPDX-License-Identifier: MIT */
/* What `record` makes of a loop: a profile that grows, its file, and a line of progress. */
#ifndef PMT_CMD_RECORDER_H
#define PMT_CMD_RECORDER_H

#include "base/fault.h"
#include "cmd/enrol.h"
#include "cmd/recorder_cgroup.h"
#include "output/sink.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORD_TOP 20 /* rows of ranked tables, when a format is written at once */

struct collector;
struct listener;
struct options;
struct pmt_writer;
struct trace;

struct recorder {
	const struct options *o;
	struct enrol enrol;
	char *path; /* where it goes; NULL: stdout */
	struct sink sink;
	struct pmt_writer *writer; /* NULL: one of report's formats, at the end */
	bool progress;		   /* a line on the terminal */
	struct recorder_cgroups cgroups;
	bool arenas;	  /* those alive at the end are listed */
	int64_t began_ns; /* monotonic */
	bool failed, broken;
	struct fault why;
};

/* Chooses the file's name if there was none, and makes it. */
int recorder_open(struct recorder *r, const struct options *o, struct fault *f);
void recorder_begin(struct recorder *r, struct trace *t, struct collector *stacks);

/* Writes everything out, and says what to do next. Returns the exit status. */
int recorder_close(struct recorder *r);
void recorder_abort(struct recorder *r);

extern const struct listener record_listener;

#endif
