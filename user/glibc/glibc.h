/* SPDX-License-Identifier: MIT */
/*
 * glibc's malloc inside a process, read from outside and without symbols: its arenas, their chunks, what
 * malloc_trim(0) would give back, the stacks of threads. Everything that is of one version is behind
 * this header. glibc 2.31 .. 2.43, x86-64.
 *
 * Sources: malloc/malloc.c, malloc/arena.c, nptl/descr.h of those versions; offsets as measured
 * (docs/how-it-works.md).
 */
#ifndef PMT_GLIBC_GLIBC_H
#define PMT_GLIBC_GLIBC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct account;
struct fault;
struct heap_stats;
struct maps;
struct mem;
struct target;

struct glibc;

/*
 * Finds the C library of t and its malloc_state. ENOENT: there is no glibc, or its malloc is not in
 * use (another one was preloaded or linked in): the text says which is there instead, if it can be told.
 * ENOTSUP: glibc, but its structures were not found. ENODATA: they are swapped out. maps and mem are
 * borrowed until glibc_close. Where a glibc is, but not its malloc, *ret is set all the same, for
 * glibc_stacks; or else it is NULL.
 */
int glibc_open(struct glibc **ret, const struct target *t, const struct maps *maps, struct mem *mem,
	       struct fault *f);
void glibc_close(struct glibc *g); /* accepts NULL */

/*
 * Walks all arenas and puts their parts into a: areas of the main heap, of heaps of thread arenas and of
 * mmapped chunks; MEMORY_HEAP_UNKNOWN as a whole where an arena's checks fail. One reading; a target
 * that runs may have to be read again, or stopped. 0, or -errno if nothing could be read.
 */
int glibc_walk(struct glibc *g, struct account *a, struct heap_stats *ret, struct fault *f);

/* Stacks of threads: areas of kind MEMORY_STACK, named "thread TID"; dead ones "unused stacks". */
int glibc_stacks(struct glibc *g, struct account *a);

#endif
