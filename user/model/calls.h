/* SPDX-License-Identifier: MIT */
/*
 * What functions did to RSS, from their entries and exits: a table of functions for each process, and
 * what could not be put down to one. For every process,
 *
 *	self of all functions + left_out + all causes == rss_after - rss_before
 *
 * to the byte; causes[PROFILE_UNEXPLAINED] is what is left to make it so. Plain data.
 *
 * Strings are those of the target as valid UTF-8, not escaped: escape before printing.
 */
#ifndef PMT_MODEL_CALLS_H
#define PMT_MODEL_CALLS_H

#include "model/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One function in one process. */
struct call_function {
	pid_t pid;
	char *name; /* qualified since 3.11; "": a code object that was gone before it was read */
	char *file;
	int32_t first_line;
	uint64_t calls;	  /* entries at the function's start */
	uint64_t resumes; /* entries of a generator or coroutine that was left at a yield */
	uint64_t returns, yields;
	uint64_t unwinds;	/* left by an exception */
	uint64_t lost;		/* entries whose end was not seen and cannot be told */
	uint64_t open;		/* entries that had not ended when this was read */
	int64_t growth, shrink; /* self: bytes of RSS that came and went in it, and not in a call
				   from it that is shown too */
	int64_t total;	 /* net bytes of RSS while it was on the stack; recursion counts once */
	int64_t largest; /* net, of one entry; INT64_MIN: none has ended */
	uint64_t arenas, pools;	    /* taken in it, as self */
	uint64_t self_ns, total_ns; /* 0 without --time */
};

/* A process, and what was put down to no function. */
struct call_process {
	pid_t pid;
	char *command, *python; /* as in struct profile_process */
	int64_t rss_before, rss_after;
	struct profile_change left_out; /* in functions or threads that filters leave out */
	struct profile_change causes[PROFILE_CAUSES];
	bool ended;
};

/* A probe, as it was chosen and as it was measured here. */
struct call_site {
	pid_t pid;	   /* one that runs this interpreter */
	char *name;	   /* "RESUME_CHECK" */
	char *instruction; /* "jnz" */
	bool emulated;
	uint64_t cost_ns; /* per hit, measured; 0: not */
};

struct calls {
	int64_t begin_ns, end_ns; /* CLOCK_REALTIME; end: of counting */
	bool batched;		  /* kernels before 6.2 count in steps of 64 pages */
	bool timed;		  /* --time */
	bool exits; /* else ends were learnt from what ran next: returns and unwinds are one */
	char *host, *program; /* as in struct profile */
	char *stopped;	      /* why counting ended before its time: "over the budget ..."; NULL */
	uint64_t entries, exits_seen; /* hits of probes */
	uint64_t cost_ns;	      /* what they cost the processes together, by counts x ns */
	/* what was lost, as in enum pmt_call_count */
	uint64_t repeated, stray, unread, reset, full, log_lost;
	uint64_t names_lost;

	struct call_function *functions;
	struct call_process *processes;
	struct call_site *sites;
	size_t nr_functions, nr_processes, nr_sites;

	struct calls_index *index; /* private: functions by what makes them equal */
};

/* NULL when memory ran out. */
struct calls *calls_new(void);
void calls_free(struct calls *c); /* accepts NULL */

/*
 * Strings are copied, NULL is "". Functions of equal pid, name, file and first line become one. -ENOMEM,
 * -E2BIG past CALLS_MAX_FUNCTIONS, -EINVAL once they were sorted.
 */
#define CALLS_MAX_FUNCTIONS (1u << 20)
int calls_add_function(struct calls *c, const struct call_function *f);
/*
 * The entry of that pid, new and zeroed if there was none; it may move when another is added. The caller
 * fills in strings it gives away. -ENOMEM, -E2BIG past CALLS_MAX_PROCESSES.
 */
#define CALLS_MAX_PROCESSES (1u << 16)
int calls_add_process(struct calls *c, pid_t pid, struct call_process **ret);
/* Strings are copied. -ENOMEM, -E2BIG past CALLS_MAX_SITES */
#define CALLS_MAX_SITES 4096
int calls_add_site(struct calls *c, const struct call_site *s);

/* The net change in it: growth - shrink. */
int64_t calls_self(const struct call_function *f);

/* Sets causes[PROFILE_UNEXPLAINED] of every process so that the sum above holds. */
void calls_balance(struct calls *c);

/*
 * Something was lost that should have been counted (what --strict does not let pass). Not `repeated` and
 * `stray`: hits at which no call begins or ends.
 */
bool calls_incomplete(const struct calls *c);

/*
 * The columns to sort by: "self" first, which is the default; -EINVAL: no such column. Numbers from the
 * largest, text from the first; equal ones by name, file, line and pid.
 */
extern const char *const calls_columns[]; /* NULL-terminated */
int calls_sort(struct calls *c, const char *column);

#endif
