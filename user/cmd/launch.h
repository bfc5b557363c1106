/* SPDX-License-Identifier: MIT */
/*
 * `-- PROGRAM…`: a child that waits, not yet running PROGRAM, until it is told to go; so it can be
 * watched from its first instruction.
 */
#ifndef PMT_CMD_LAUNCH_H
#define PMT_CMD_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

struct fault;

struct launch {
	pid_t pid;
	int go_fd;     /* closing it, or writing a byte, lets the child go */
	int failed_fd; /* errno of a failed exec arrives here */
	char *file;    /* what PATH resolves PROGRAM to */
	char user[64]; /* who it runs as, "" if that is who we are */
};

/*
 * Forks. The program runs as the user behind sudo (SUDO_UID, its groups, HOME) unless as_root.
 * Exit statuses as env(1): ENOENT -> 127, anything else that keeps it from running -> 126.
 */
int launch_prepare(struct launch *ret, char **argv, bool as_root, struct fault *f);

/* Lets it exec. */
void launch_go(struct launch *l);

/* Once the child has ended: was it that exec failed? 0: no; else the errno. */
int launch_exec_error(struct launch *l);

/* Kills it if it has not been let go, and frees. */
void launch_done(struct launch *l);

/* The tool's exit status for a program's wait status: as a shell, 128 + N for signal N. */
int launch_exit_status(int wait_status);

#endif
