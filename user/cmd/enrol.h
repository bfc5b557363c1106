/* SPDX-License-Identifier: MIT */
/*
 * The processes that a profile is of: an entry for each that is announced, what it runs, and its
 * account. What `record` and `calls` do alike.
 */
#ifndef PMT_CMD_ENROL_H
#define PMT_CMD_ENROL_H

#include <stdbool.h>
#include <sys/types.h>

struct collector;
struct options;
struct trace;
struct watched;

struct enrol {
	struct trace *trace;
	struct collector *stacks;
	bool lost; /* a process, or its account */
};

/* Who it is; a process may become another by exec, and is then listed as what it is at the end. */
void enrol_begin(struct enrol *e, const struct watched *w);

/* Since it became a target, as of its last moment. */
void enrol_account(struct enrol *e, const struct watched *w);

/*
 * Its entry goes on; causes and sums are those of both programs. The new one may be no Python, and this
 * the last that is heard of it.
 */
void enrol_exec(struct enrol *e, struct watched *w);

/* A child that nobody saw run anything else than its parent. False: that is left out, or is lost. */
bool enrol_brief(struct enrol *e, pid_t pid, pid_t parent);

/* What BPF or the collector could not keep, in words; the profile tells the rest. */
void enrol_note_losses(struct enrol *e, const struct options *o);

#endif
