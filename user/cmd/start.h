/* SPDX-License-Identifier: MIT */
/* What a loop begins with, the processes of -p and their descendants or the program after "--"; its end. */
#ifndef PMT_CMD_START_H
#define PMT_CMD_START_H

struct fault;
struct loop;

int start(struct loop *r, struct fault *f);

/*
 * Detaches, gives back what the loop has, and waits for the program's end. Returns the exit status of a
 * command whose own is `ours`: the program's if one was started. err: start() or what came before it
 * failed.
 */
int finish(struct loop *r, int err, int ours);

#endif
