/* SPDX-License-Identifier: MIT */
/*
 * One process at one moment: who it is, its resident set, its allocator, and how far these figures
 * can be trusted. Plain data; strings are raw bytes of the target (escape before printing) and
 * owned by the struct.
 */
#ifndef PMT_MODEL_SNAPSHOT_H
#define PMT_MODEL_SNAPSHOT_H

#include "model/stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes by kind, in the kernel's words. resident = anon + file + shmem. */
struct rss {
	int64_t anon, file, shmem, swap;
};

static inline int64_t rss_resident(const struct rss *r)
{
	return r->anon + r->file + r->shmem;
}

struct rss rss_sub(const struct rss *a, const struct rss *b); /* a - b */

/* Which allocator serves PyObject_Malloc. Printed names: allocator_name(). */
enum allocator {
	ALLOCATOR_UNKNOWN,
	ALLOCATOR_PYMALLOC,	  /* "pymalloc" */
	ALLOCATOR_PYMALLOC_DEBUG, /* "pymalloc_debug": pymalloc under debug hooks */
	ALLOCATOR_MALLOC,	  /* "malloc": libc's */
	ALLOCATOR_MALLOC_DEBUG,	  /* "malloc_debug" */
	ALLOCATOR_MIMALLOC,	  /* "mimalloc" */
	ALLOCATOR_MIMALLOC_DEBUG, /* "mimalloc_debug" */
	ALLOCATOR_OTHER,	  /* "other": hooks of an extension module */
};

const char *allocator_name(enum allocator a);
int allocator_from_name(const char *name, enum allocator *ret); /* -EINVAL */
bool allocator_is_pymalloc(enum allocator a);

/* How the interpreter's file presents itself. */
enum build_shape {
	SHAPE_UNKNOWN,
	SHAPE_SYMBOLS,	  /* "symbols": a .symtab */
	SHAPE_DEBUG_FILE, /* "debug file": stripped, a separate debug file was found */
	SHAPE_STRIPPED,	  /* "stripped": .dynsym only */
};

const char *build_shape_name(enum build_shape s);
int build_shape_from_name(const char *name, enum build_shape *ret); /* -EINVAL */

/* What was lost while reading state; every field 0 for a complete and consistent snapshot. */
struct read_losses {
	uint64_t arenas_torn; /* arenas that never added up under any attempt to read them */
	uint64_t
		arenas_unsettled; /* arenas whose pools came and went while they were read; they add
				    * up, so this alone is no loss */
	uint64_t pools_unread;	  /* pools whose header page is not in memory (swapped out) */
	uint64_t pools_invalid;	  /* pool headers that cannot be: class, count or arena index */
	uint64_t freelists_unread; /* free-list counters that could not be found or read */
	bool inconsistent;	   /* arenas * ARENA_SIZE != Total */
	bool moving; /* arenas came or went during every attempt: the sums span more than a moment */
};

bool read_losses_any(const struct read_losses *l);

struct process_id {
	pid_t pid;    /* as the tool sees it */
	pid_t ns_pid; /* inside the target's own PID namespace; == pid outside containers */
	pid_t ppid;
	uint64_t
		start_ticks; /* since boot, clock ticks: with pid, names a process once and for all */
	char *comm;
	char *cmdline;	 /* arguments joined by spaces */
	char *exe;	 /* path as the target sees it */
	char *container; /* container id or pod, NULL outside */
};

struct python_id {
	uint32_t version_hex; /* PY_VERSION_HEX; 0: not Python, or unknown */
	bool debug_build;
	bool free_threaded;
	bool shared; /* interpreter in a libpython*.so */
	enum build_shape shape;
	enum allocator allocator;
	bool tracemalloc;
	uint32_t nr_interpreters; /* 1: no sub-interpreters; 0: not counted */
	char layout[96]; /* provenance: "3.12.1", "3.12.1, 3.12.3 not measured, validated" */
	bool layout_measured;
};

struct snapshot {
	struct process_id process;
	struct python_id python;
	struct rss rss;
	int64_t time_ns; /* CLOCK_REALTIME of the end of the read */
	bool paused;	 /* the target was stopped while it was read */
	int64_t pause_ns;
	bool has_stats; /* stats and losses below are filled (may be without pymalloc) */
	struct malloc_stats stats;
	struct read_losses losses;
};

/* to gets strings of its own; one for which memory ran out is NULL. */
void process_id_copy(struct process_id *to, const struct process_id *from);
void process_id_done(struct process_id *p);
void snapshot_done(struct snapshot *s);

/* "3.12.1", "3.13.0rc2"; returns buf */
char *python_version_text(char buf[static 24], uint32_t version_hex);

#endif
