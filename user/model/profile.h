/* SPDX-License-Identifier: MIT */
/*
 * Who made memory grow: call stacks with the growth and shrinkage seen on them, and by name what
 * could not be put down to any stack. For every process, in every profile,
 *
 *	rows of PROFILE_RSS + all causes == rss_after - rss_before
 *
 * to the byte; PROFILE_UNEXPLAINED is what is left to make it so. Plain data; the builder interns
 * functions, stacks and threads, so that equal ones have one index.
 *
 * Strings are those of the target as valid UTF-8, not escaped: escape before printing.
 */
#ifndef PMT_MODEL_PROFILE_H
#define PMT_MODEL_PROFILE_H

#include "pymemtrace/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROFILE_MAX_FRAMES 127
#define PROFILE_NONE	   UINT32_MAX

/* What is recorded with stacks: PROFILE_RSS, PROFILE_ARENA, ... */
#define PROFILE_EVENT_ID(id, name, title, what, source) PROFILE_##id,
enum profile_event { PMT_EVENTS(PROFILE_EVENT_ID) PROFILE_EVENTS };
#undef PROFILE_EVENT_ID

const char *profile_event_name(enum profile_event e);	/* "rss", "fault-minor" */
const char *profile_event_title(enum profile_event e);	/* "RSS", "minor faults" */
const char *profile_event_what(enum profile_event e);	/* what it counts */
const char *profile_event_source(enum profile_event e); /* what tells of it */
/* Bits of the events of that name, or of the group: "rss", "fault-minor", "fault". 0: none. */
unsigned int profile_events_named(const char *name);
/* Of memory, as the allocators see it: growth and shrinkage of what a program has. Others are counts. */
static inline bool profile_event_is_kernels(enum profile_event e)
{
	return e > PROFILE_POOL;
}

/* What kind of memory an event was about: PROFILE_MEMORY_UNKNOWN, PROFILE_MEMORY_ANON, ... */
#define PROFILE_MEMORY_ID(id, name) PROFILE_MEMORY_##id,
enum profile_memory { PMT_MEMORY_KINDS(PROFILE_MEMORY_ID) PROFILE_MEMORIES };
#undef PROFILE_MEMORY_ID

const char *profile_memory_name(enum profile_memory m); /* "anon" */

/* Why growth was put down to no stack. */
enum profile_cause {
	PROFILE_NO_THREAD,   /* the thread has no Python thread state */
	PROFILE_NO_FRAME,    /* it has one, and runs no Python function */
	PROFILE_NOT_READY,   /* the interpreter was not initialised, or not known yet */
	PROFILE_WALK_FAILED, /* its frames could not be read */
	PROFILE_OTHER_TASK,  /* changed by another task: reclaim, ptrace, khugepaged, exit */
	PROFILE_EXEC, /* the program was replaced: what the old one had, the new one began with */
	PROFILE_TABLE_FULL,  /* no room for one more stack (--stacks) */
	PROFILE_RECORD_LOST, /* the stack was seen and its record did not fit the ring buffer */
	PROFILE_REMAINDER,   /* sampling: pages since the last sample, less than one step */
	PROFILE_UNEXPLAINED, /* no event told of it */
	PROFILE_NO_STACK,    /* counted by the kernel for all of a memory cgroup */
	PROFILE_CAUSES
};

const char *profile_cause_name(enum profile_cause c); /* "no_thread": JSON members */
const char *profile_cause_text(enum profile_cause c); /* "[no Python thread]": roots, tables */

enum profile_function_kind {
	PROFILE_PYTHON,
	PROFILE_NATIVE, /* name: the file, "libfoo.so"; shown as "<native: libfoo.so>" */
	PROFILE_UNNAMED, /* a code object that was gone before its name could be read; shown as "?" */
};

struct profile_function {
	enum profile_function_kind kind;
	char *name; /* qualified since 3.11 */
	char *file; /* "": none */
	int32_t first_line;
};

struct profile_frame {
	uint32_t function; /* index */
	int32_t line;	   /* 0: not known */
};

struct profile_stack {
	uint32_t nr;		      /* 1 .. PROFILE_MAX_FRAMES */
	bool truncated;		      /* there were more, towards the root */
	struct profile_frame *frames; /* the leaf first */
};

struct profile_thread {
	pid_t pid, tid;
	char comm[16]; /* as the kernel has it, NUL-terminated */
};

/* Bytes, none below 0. net = growth - shrink. */
struct profile_change {
	int64_t growth, shrink;
	uint64_t events; /* when sampled: samples */
};

struct profile_row {
	uint32_t stack, thread; /* indices */
	enum profile_event event;
	enum profile_memory memory;
	struct profile_change change;
	int64_t first_ns, last_ns; /* CLOCK_REALTIME of the first and the newest event */
};

/* An arena of pymalloc that was alive when recording ended. */
struct profile_arena {
	pid_t pid;
	uint64_t address;
	uint64_t bytes;
	uint64_t used_bytes;	    /* of blocks in use */
	uint32_t pools, free_pools; /* that it has; of them, unused */
	uint32_t stack, thread;	    /* PROFILE_NONE: before attach, or not seen */
	int64_t opened_ns;	    /* CLOCK_REALTIME; 0: before attach */
};

struct profile_process {
	pid_t pid;
	char *command;		       /* arguments joined by spaces */
	char *python;		       /* "CPython 3.12.1"; "" */
	int64_t rss_before, rss_after; /* resident bytes at the first and the last moment */
	struct profile_change causes[PROFILE_EVENTS][PROFILE_CAUSES];
	bool ended;
};

struct profile {
	int64_t begin_ns, end_ns; /* CLOCK_REALTIME */
	bool exact;		  /* every change; else sampled */
	bool batched;		  /* kernels before 6.2 count in steps of 64 pages */
	uint32_t step_pages;	  /* mean distance of samples; 1 when exact */
	uint32_t page_bytes;
	unsigned int events; /* bit per enum profile_event: what was recorded */
	bool cut_short;	     /* the file ended early: this is what it held up to there */
	char *host;	     /* "Linux 6.18.44 x86_64, hostname"; "" */
	char *program;	     /* "pymemtrace-bpf 0.1.0" */
	uint64_t names_lost; /* code objects gone before their names could be read */
	uint64_t lines_lost; /* ... before their line tables could be read */

	struct profile_function *functions;
	struct profile_stack *stacks;
	struct profile_thread *threads;
	struct profile_process *processes;
	struct profile_row *rows;
	struct profile_arena *arenas;
	uint32_t nr_functions, nr_stacks, nr_threads, nr_processes, nr_rows, nr_arenas;

	struct profile_index *index; /* private: the interning tables */
};

/* NULL when memory ran out. */
struct profile *profile_new(void);
void profile_free(struct profile *p); /* accepts NULL */

/*
 * Index of an equal entry, or of a new one; strings and frames are copied. -ENOMEM, -EINVAL (an index
 * that does not exist, nr of 0 or too many), -E2BIG past PROFILE_MAX_ENTRIES.
 */
#define PROFILE_MAX_ENTRIES (1u << 22)
int profile_add_function(struct profile *p, const struct profile_function *f, uint32_t *ret);
int profile_add_stack(struct profile *p, const struct profile_frame *frames, uint32_t nr,
		      bool truncated, uint32_t *ret);
int profile_add_thread(struct profile *p, const struct profile_thread *t, uint32_t *ret);

/* The entry of that pid, new and zeroed if there was none. */
int profile_add_process(struct profile *p, pid_t pid, struct profile_process **ret);

/* Adds to the row of the same stack, thread, event and memory; times widen. */
int profile_add_row(struct profile *p, const struct profile_row *row);
/* The same for a row of another profile, whose functions, stack and thread come with it. */
int profile_copy_row(struct profile *p, const struct profile *from, const struct profile_row *row);
int profile_add_arena(struct profile *p, const struct profile_arena *a);

/*
 * Sets PROFILE_UNEXPLAINED of every process to what is missing between rows, other causes and the
 * change of its RSS.
 */
void profile_balance(struct profile *p);

/* Sum of the rows of an event of one process (0: of all). */
struct profile_change profile_attributed(const struct profile *p, enum profile_event e, pid_t pid);

/*
 * Something was lost that should have been seen (what --strict does not let pass): the file's end,
 * events, stacks, names; when exact, also what no event told of.
 */
bool profile_incomplete(const struct profile *p);

/*
 * One standard error, in bytes, of a sampled figure of so many samples: each stands for step_pages, and
 * whether a page is a sample is chance. 0 when exact.
 */
int64_t profile_error(const struct profile *p, uint64_t samples);

#endif
