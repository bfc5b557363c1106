/* SPDX-License-Identifier: MIT */
/* What the files of the loop share; nobody else includes this. */
#ifndef PMT_CMD_LOOP_INTERNAL_H
#define PMT_CMD_LOOP_INTERNAL_H

#include "cmd/loop.h"

#define LOADING_NS \
	2000000000ll /* after exec, or a plug-in's coming: libraries are mapped by then */

/* Its stacks, as far as it is known how; asked again whenever it has been looked at. */
void loop_follow(struct loop *r, struct watched *w);

/* A process that is on its way out fails each read in its own way; its end will be reported. */
void loop_problem(struct loop *r, struct watched *w, int err, const struct fault *f);

/* The first moment; from here on there is something to report. */
void loop_begin(struct loop *r, struct watched *w);

/* Judges what was found, once it can be whole. */
void loop_settle(struct watched *w);

/* Looks (again) at what runs in it. */
void loop_look(struct loop *r, struct watched *w);
bool loop_may_yet_start(const struct watched *w);

/* The listener's begin, once. */
void loop_announce(struct loop *r, struct watched *w);
void loop_end(struct loop *r, struct watched *w, int wait_status);

/* The listener's brief, of a child that has ended and is still counted. */
void loop_brief(struct loop *r, pid_t pid, uint32_t tgid);

/* What BPF reports of the lives of processes, as far as it is there. */
void loop_drain_events(struct loop *r);

#endif
