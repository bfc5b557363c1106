/* SPDX-License-Identifier: MIT */
/*
 * Libraries that have an allocator of their own compiled in (libarrow, polars, duckdb): what it maps
 * looks like any other anonymous mapping, so that it cannot be told which is whose.
 */
#ifndef PMT_TARGET_LIBRARY_MALLOCS_H
#define PMT_TARGET_LIBRARY_MALLOCS_H

#include <stddef.h>

struct maps;
struct target;

/*
 * "libarrow.so.2600 (jemalloc, mimalloc), _polars.so (jemalloc)"; "" if there is none that is known by
 * the texts in it. Names are the target's, as maps has them. Files are read as far as they are in the page
 * cache, and nothing waits for a disk; the interpreter's own, which has a mimalloc since 3.13, is left
 * out.
 */
void target_library_mallocs(const struct target *t, const struct maps *maps, char *ret,
			    size_t size);

#endif
