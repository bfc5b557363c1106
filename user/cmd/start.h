/* SPDX-License-Identifier: MIT */
/* What a loop begins with: the processes of -p and their descendants, or the program after "--". */
#ifndef PMT_CMD_START_H
#define PMT_CMD_START_H

struct fault;
struct loop;

int start(struct loop *r, struct fault *f);

/*
 * The exit status of a command whose own is `ours`: the program's if one was started. err: start()
 * or what came before it failed. Waits for the program's end.
 */
int start_exit_status(struct loop *r, int err, int ours);

#endif
