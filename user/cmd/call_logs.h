/* SPDX-License-Identifier: MIT */
/* --log DIR: what BPF tells of entries and exits becomes a file for each thread (output/call_log.h). */
#ifndef PMT_CMD_CALL_LOGS_H
#define PMT_CMD_CALL_LOGS_H

#include "base/fault.h"

#include <stdbool.h>
#include <stdint.h>

struct collector;
struct options;
struct trace;

struct call_logs {
	const struct options *o;
	struct trace *trace;
	struct collector *names;
	struct thread_log *threads; /* by tgid and tid */
	unsigned int nr;	    /* that were begun */
	uint64_t not_written;	    /* events of threads past the limit */
	bool failed;		    /* a file could not be written; why says it, nothing more is */
	struct fault why;
};

void call_logs_init(struct call_logs *l, const struct options *o, struct trace *t,
		    struct collector *names);

/* Writes what has come, or the first of it: then true. */
bool call_logs_read(struct call_logs *l);

/* Sends it on its way. */
void call_logs_flush(struct call_logs *l);

/* Ends the logs of a process that has ended, or runs another program now. tgid 0: of all. */
void call_logs_end(struct call_logs *l, uint32_t tgid);

void call_logs_done(struct call_logs *l);

#endif
