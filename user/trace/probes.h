/* SPDX-License-Identifier: MIT */
/*
 * THE PROBE TABLE: what is loaded and attached, when, where, and what it costs. It drives loading,
 * attaching and the tests; to add a probe is to write its .bpf.c and a row.
 */
#ifndef PMT_TRACE_PROBES_H
#define PMT_TRACE_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/features.h"

struct bpf_link;
struct bpf_object;
struct bpf_program;
struct fault;
struct trace_options;
struct trace_sites;

enum probe_kind {
	PROBE_TRACEPOINT, /* one link, for all processes */
	PROBE_SITE,	  /* a uprobe in each file of targets, where trace_sites says */
	PROBE_CALLS,	  /* one for all sites of function entry and exit (calls.c) */
	PROBE_ENTRY,	  /* a uprobe at the entry point of one program */
	PROBE_FAULTS,	  /* a software event on each CPU (faults.c) */
	PROBE_CALLED,	  /* run by user space: the task iterator, the initialisation */
};

enum probe_when {
	WHEN_ALWAYS,
	WHEN_ARENAS,
	WHEN_OPENINGS,
	WHEN_POOLS,
	WHEN_CALLS,
	WHEN_PROGRAMS,
	WHEN_EVENTS, /* one of these is asked for */
};

struct probe {
	const char *name;
	const char *program; /* its name in bpf/ */
	enum probe_kind kind;
	enum probe_when when;
	size_t site;	      /* PROBE_SITE: offset in struct trace_sites */
	bool required;	      /* false: left out where the kernel lacks it */
	enum feature feature; /* not loaded without it */
	const char *cost;
	unsigned int events; /* WHEN_EVENTS: bit per enum pmt_stack_event */
	unsigned int config; /* PROBE_FAULTS: PERF_COUNT_SW_... */
};

extern const struct probe probes[];
extern const size_t nr_probes;

/* True if these options ask for it and the machine has what it needs. */
bool probe_wanted(const struct probe *p, const struct trace_options *o);

struct bpf_program *probe_program(const struct probe *p, const struct bpf_object *obj);

/* One attached uprobe, by whichever way this kernel has. */
struct probe_link {
	int fd;		       /* uprobe_multi, else -1 */
	struct bpf_link *perf; /* perf uprobe, else NULL */
};

#define PROBE_LINK_NONE ((struct probe_link){.fd = -1})

/* file_name is for messages. */
int probe_attach_uprobe(const struct probe *p, const struct bpf_object *obj, bool multi,
			int file_fd, uint64_t offset, const char *file_name, struct probe_link *ret,
			struct fault *f);
void probe_detach(struct probe_link *l); /* accepts PROBE_LINK_NONE */

/* The row of a program, NULL if there is none. */
const struct probe *probe_find(const char *program);

#endif
