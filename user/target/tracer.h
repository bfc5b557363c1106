/* SPDX-License-Identifier: MIT */
/*
 * Internal to target/: the ptrace part of a pause. One process calls all of it.
 */
#ifndef PMT_TARGET_TRACER_H
#define PMT_TARGET_TRACER_H

#include "base/fault.h"
#include "target/target.h"

#include <stdbool.h>

#define TRACER_THREADS_MAX (1u << 14)

struct tracee {
	pid_t tid;
	bool stopped;
	bool gone;
	int signal; /* was being delivered when the thread stopped: goes on at the end */
};

struct tracer {
	struct tracee *v;
	size_t nr, size;
	int64_t begin_ns; /* CLOCK_MONOTONIC of the first interrupt */
};

/* What the tracer says to the process that started it. */
struct tracer_report {
	int err; /* positive errno */
	int64_t begin_ns;
	struct fault fault;
};

/* Stops every thread. On failure some may be seized, and tracer_release() is due all the same. */
int tracer_stop(struct tracer *tr, const struct target *t, struct fault *f);

/* Lets every stopped thread go on as it was, signals included. */
void tracer_release(struct tracer *tr);

#endif
