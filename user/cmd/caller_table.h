/* SPDX-License-Identifier: MIT */
/* From what was collected to struct calls, and out. */
#ifndef PMT_CMD_CALLER_TABLE_H
#define PMT_CMD_CALLER_TABLE_H

#include <stdint.h>
#include <sys/types.h>

struct caller;
struct fault;
struct trace_counts;

/*
 * What had happened to pid's RSS by that moment is no part of the table: while probes were put in, or
 * before exec. Its RSS before is that of the moment. The first one counts.
 */
void caller_note_before(struct caller *r, pid_t pid, const struct trace_counts *at);

/* The change of RSS before, of all processes together. */
int64_t caller_rss_before(const struct caller *r);

/* The functions of a process go to the table: at its end, or at ours. */
void caller_take(struct caller *r, pid_t pid);

/* Everything else that is in a table. -ENOMEM, -E2BIG */
int caller_fill(struct caller *r);

/* In the format that was asked for, to the sink. */
int caller_write(struct caller *r, struct fault *f);

#endif
