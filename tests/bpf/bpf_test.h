/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the BPF side share: a child that does what it is told and stops, the kernel's
 * own word on it, and proof that a session leaves nothing behind.
 */
#ifndef PMT_TESTS_BPF_TEST_H
#define PMT_TESTS_BPF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/fault.h"
#include "trace/trace.h"

/* Fails the test with the fault's text. */
#define assert_no_fault(err, f)                                  \
	do {                                                     \
		if ((err) < 0)                                   \
			fail_msg("%s (%s)", (f).text, (f).hint); \
	} while (0)

/* A process of the test's; it runs `run` until the pipe from the test is closed. */
struct child {
	pid_t pid;
	int to, from;
};

/* Forks; the child gets fds to read commands from and to write answers to, and exits with the result. */
struct child child_start(int (*run)(int in, int out));
/* The same with a program: its stdin and stdout are the pipes. */
struct child child_exec(const char *path, char *const argv[]);
void child_write(const struct child *c, const void *data, size_t size);
void child_read(const struct child *c, void *data, size_t size);
void child_command(const struct child *c, char command);
/* Waits until it has stopped itself / let it go on / ends it and returns its wait status. */
void child_wait_stopped(const struct child *c);
void child_continue(const struct child *c);
int child_end(struct child *c);
void child_kill(struct child *c);

/* /proc/PID/status, in bytes. */
struct rss rss_of(pid_t pid);

/* Both figures of a stopped process are the kernel's, to the byte. Returns what was read. */
struct trace_counts assert_rss_exact(struct trace *t, pid_t pid);

/* As trace_open and trace_close; the second fails if a link, program or map of the session remains. */
struct trace *open_session(bool pools, bool programs);
struct trace *open_session_with(const struct trace_options *o);
void close_session(struct trace *t);

/* The next event, waiting up to a minute for it; fails the test if there is none. */
struct trace_event next_event(struct trace *t);

/* A file beside the running test binary. */
char *sibling(const char *name, char buf[static 4096]);

/* Where a function of the running program lies in its file. */
uint64_t file_offset(const void *function);

#endif
