/* SPDX-License-Identifier: MIT */
/*
 * One process as the commands hold it: the target, who it is, its interpreter if it has a supported
 * one, and otherwise why not.
 */
#ifndef PMT_CMD_PROCESS_H
#define PMT_CMD_PROCESS_H

#include "base/fault.h"
#include "model/snapshot.h"

#include <stdbool.h>
#include <sys/types.h>

struct options;
struct python;
struct target;

struct process {
	struct target *target;
	struct process_id id;
	struct python *python; /* NULL: no interpreter (yet); why says it */
	bool supported;	       /* its layout is known: state can be read */
	struct fault why;      /* err 0 when supported */
};

/*
 * Opens pid. Not being Python, or being an unsupported one, is no error here: supported is false and
 * why is filled. Errors are those of target_open().
 */
int process_open(struct process *ret, pid_t pid, bool strict, struct fault *f);
void process_done(struct process *p);

/*
 * Looks for the interpreter again, while it is starting. False: there is none to be seen now, and what
 * was known of it is kept.
 */
bool process_find_python(struct process *p, bool strict);

/* After exec nothing of it is true. */
void process_forget_python(struct process *p);

/* One moment of it: RSS, allocator state if supported; stopped meanwhile if pause. */
int process_snapshot(struct process *p, bool pause, struct snapshot *ret, struct fault *f);

/* The same without allocator state: at no cost, whatever the size of the heap. */
int process_rss(struct process *p, struct snapshot *ret, struct fault *f);

/*
 * The PIDs of -p, plus present descendants with --children, less what --include and --exclude leave
 * out, without repeats. Caller frees. Count or -errno.
 */
int process_select(const struct options *o, pid_t **ret, struct fault *f);

/* pid is one of these. */
bool process_is_among(pid_t pid, const pid_t *pids, size_t nr);

/* True if the command line passes --include and --exclude. */
bool process_matches(const struct options *o, const struct process_id *id);

#endif
