/* SPDX-License-Identifier: MIT */
/*
 * Internal to target/: which processes there are, and what a PID that is none may have meant.
 */
#ifndef PMT_TARGET_PIDS_H
#define PMT_TARGET_PIDS_H

#include "target/target.h"

/*
 * Fills f for a PID that is not in /proc, with a hint: host PIDs of processes that have this PID
 * inside a container, or that the tool itself sees only a part of the processes. Returns -ESRCH.
 */
int pids_fault_missing(pid_t pid, struct fault *f);

#endif
