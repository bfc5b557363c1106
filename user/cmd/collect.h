/* SPDX-License-Identifier: MIT */
/*
 * Profiles from what BPF says: records of code objects become functions and lines, those of stacks
 * become stacks, and sums become rows; for all processes since attach, and for each since it was last
 * asked.
 */
#ifndef PMT_CMD_COLLECT_H
#define PMT_CMD_COLLECT_H

#include "model/profile.h"

#include <stdbool.h>
#include <sys/types.h>

#define COLLECT_STEP_SHIFT 5 /* one sample in 32 pages, that is 128 KiB */

struct calls;
struct collector;
struct fault;
struct pmt_counts;
struct process;
struct trace;
struct trace_counts;

/*
 * events: bit per enum profile_event; step_shift: as the trace was opened with; shares: each process's
 * is kept apart too (collector_take, collector_of). NULL when memory ran out. The trace is borrowed.
 */
struct collector *collector_new(struct trace *t, unsigned int events, unsigned int step_shift,
				bool shares);
/* Entry and exit of functions are collected from here on: before the first is followed. */
void collector_want_calls(struct collector *c);
void collector_free(struct collector *c); /* accepts NULL */

/*
 * Walks p from here on; p is borrowed until collector_forget. Called again when its interpreter has
 * become known. Errors are those of finding out how: -ENOTSUP, -EAGAIN.
 */
int collector_follow(struct collector *c, struct process *p, struct fault *f);
/* Its memory is not asked any more: exec, or its end. What was collected stays. */
void collector_forget(struct collector *c, pid_t pid);

/*
 * Its rows are wanted, those of its time before included. What ends unheard leaves none: a child between
 * fork and exec, for example. Where shares are kept, all are.
 */
void collector_hear(struct collector *c, pid_t pid);

/*
 * A child that ended before anybody could look at it: what was collected is pid's from here on, and
 * *ret_parent whose child it was. -ESRCH: nothing is known of it, or it had become another program.
 */
int collector_adopt(struct collector *c, uint32_t tgid, pid_t pid, pid_t *ret_parent);

/*
 * Nothing of this process (as in trace_tgid) is asked for any more: what it took, here and in BPF's
 * maps, is free again.
 */
void collector_drop(struct collector *c, uint32_t tgid);

/* Hands over what the ring buffer holds: soon, because names and line tables vanish. */
void collector_drain(struct collector *c);

/* Drains, and reads the sums, those of calls too. */
void collector_update(struct collector *c);

/* An arena that is alive now, to the total: who opened it and when, if that was seen, is filled in. */
int collector_add_arena(struct collector *c, struct profile_arena *a);

/*
 * What its functions did since it was followed, to a table; *ret_outside is the change of RSS in no
 * function that is shown. Once for each process: they are not the collector's any more.
 */
int collector_take_calls(struct collector *c, pid_t pid, struct calls *to,
			 struct profile_change *ret_outside);

/* What BPF calls a process that is followed; 0: it is not. */
uint32_t collector_tgid(struct collector *c, pid_t pid);
/* Of a process as BPF calls it. pid 0: a child that nobody watches yet, or none that is followed. */
pid_t collector_pid(struct collector *c, uint32_t tgid);
/* Itself or, of such a child, its parent, while its memory can be asked. NULL: nobody is known. */
const struct process *collector_process(struct collector *c, uint32_t tgid);

/* The function of a code object's record. NULL: no record came. */
const struct profile_function *collector_function(struct collector *c, uint32_t tgid,
						  uint32_t code);
/* Of an instruction of it, as in struct pmt_frame. 0: not known. */
int32_t collector_line(struct collector *c, uint32_t tgid, uint32_t code, int32_t lasti);

/* Memory ran out: something is missing, nobody knows what. */
bool collector_failed(const struct collector *c);

/*
 * Everything since attach, unless shares are kept apart; borrowed. Its processes are the caller's to
 * fill (collector_account).
 */
struct profile *collector_total(struct collector *c);

/*
 * What came for one process since the last time, and nothing of others. The caller frees. NULL when
 * memory ran out.
 */
struct profile *collector_take(struct collector *c, pid_t pid);

/* The same since collector_rebase, or attach; borrowed. NULL: nothing came. */
struct profile *collector_of(struct collector *c, pid_t pid);
/* Its account begins anew. */
void collector_rebase(struct collector *c, pid_t pid);

/*
 * The entry of pid in p: change of RSS and causes between two moments, so that they add up with the
 * rows. from NULL: since it became a target, and RSS as the events left it: after trace_stop() that
 * and the sums are of one moment, whatever the process does.
 */
int collector_account(struct profile *p, pid_t pid, const struct trace_counts *from,
		      const struct trace_counts *to);

/* What was put down to no stack between two moments, by cause; other causes stay as they are. */
void collector_causes(const struct pmt_counts *from, const struct pmt_counts *to,
		      enum profile_event e, struct profile_change ret[PROFILE_CAUSES]);

#endif
