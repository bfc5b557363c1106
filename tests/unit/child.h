/* SPDX-License-Identifier: MIT */
/*
 * A forked child as a target: it runs a function, which says when it is ready and then waits to be
 * told to go on. Dies with the test.
 */
#ifndef PMT_TESTS_CHILD_H
#define PMT_TESTS_CHILD_H

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct child {
	pid_t pid;
	int to, from; /* the test's ends; in the child they are its own */
};

/* In the child: a word for the test, and waiting for the next step. */
static inline void child_say(struct child *c, uint64_t word)
{
	if (write(c->to, &word, sizeof(word)) != sizeof(word))
		_exit(9);
}

static inline void child_wait(struct child *c)
{
	char byte;

	if (read(c->from, &byte, 1) != 1)
		_exit(0);
}

/* In the test. */
static inline uint64_t child_hear(struct child *c)
{
	uint64_t word = 0;

	if (read(c->from, &word, sizeof(word)) != sizeof(word))
		fail_msg("the child has ended");
	return word;
}

static inline void child_go_on(struct child *c)
{
	assert_int_equal(write(c->to, "x", 1), 1);
}

/* run(c, arg) is to say something when it is ready. */
static inline void child_start(struct child *c, void (*run)(struct child *, void *), void *arg)
{
	int down[2], up[2];

	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (!c->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		c->from = down[0];
		c->to = up[1];
		run(c, arg);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	c->to = down[1];
	c->from = up[0];
}

static inline int child_end(struct child *c)
{
	int status = -1;

	kill(c->pid, SIGKILL);
	waitpid(c->pid, &status, 0);
	close(c->to);
	close(c->from);
	return status;
}

/* Waits for a condition that another process brings about; fails after 10 s. */
#define wait_until(condition)                                               \
	do {                                                                \
		struct timespec t0_, t_;                                    \
                                                                            \
		clock_gettime(CLOCK_MONOTONIC, &t0_);                       \
		while (!(condition)) {                                      \
			clock_gettime(CLOCK_MONOTONIC, &t_);                \
			if (t_.tv_sec - t0_.tv_sec > 10)                    \
				fail_msg("waited in vain for " #condition); \
			sched_yield();                                      \
		}                                                           \
	} while (0)

static inline int run_command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline int run_command(const char *fmt, ...)
{
	char command[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

#endif
