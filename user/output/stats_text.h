/* SPDX-License-Identifier: MIT */
/*
 * The text of sys._debugmallocstats(), byte for byte, out of numbers and back; and the difference
 * table of pymemtrace (DiffSysDebugMallocStats.diff(), pymemtrace 0.6.3).
 */
#ifndef PMT_OUTPUT_STATS_TEXT_H
#define PMT_OUTPUT_STATS_TEXT_H

#include "model/stats.h"

#include <stdio.h>

struct fault;

/* Objects/obmalloc.c _PyObject_DebugMallocStats + Objects/object.c _PyObject_DebugTypeStats. */
void stats_print(FILE *out, const struct malloc_stats *s);

/*
 * Parses what CPython 3.6 .. 3.15 print; text around it (a program's own stderr) is skipped.
 * -EINVAL: no such text in it, two of them, or it is cut short (the fault says which line).
 * -ENOTSUP: mimalloc's account (since 3.13), which has no size classes of pymalloc.
 */
int stats_parse(struct malloc_stats *ret, const char *text, size_t len, struct fault *f);

/*
 * The change from a to b, every line with its newline; prints nothing if nothing changed.
 *
 * pymemtrace raises where this goes on: a size class that only one of the two shows had no pool in
 * the other; two accounts without pymalloc have their free lists compared; a free list that only b
 * has is a line that begins with "+"; items of different size are a line of each.
 * -EINVAL, and nothing printed: only one has pymalloc, or they differ in the number or alignment of
 * size classes or the size of arenas or pools, so the two are different builds of Python.
 */
int stats_comparable(const struct malloc_stats *a, const struct malloc_stats *b, struct fault *f);
int stats_print_diff(FILE *out, const struct malloc_stats *a, const struct malloc_stats *b,
		     struct fault *f);

#endif
