/* SPDX-License-Identifier: MIT */
/*
 * Where the file-static state of CPython <= 3.11 is in a build without symbols: read off the code
 * of exported functions that print or copy it. From 3.12 on _PyRuntime, which is exported, holds it
 * all.
 */
#ifndef PMT_PYTHON_DECODE_H
#define PMT_PYTHON_DECODE_H

#include <stdint.h>

struct elf_file;
struct fault;

/* Link-time addresses; 0: this build does not have it, or (numfree only) it was not found. */
struct decoded_state {
	/* Objects/obmalloc.c; but for the allocators all 0 in a build --without-pymalloc */
	uint64_t arenas, maxarenas;
	uint64_t ntimes;  /* ntimes_arena_allocated */
	uint64_t narenas; /* narenas_currently_allocated */
	uint64_t highwater;
	uint64_t map_mid_count, map_bot_count; /* since 3.10 with the radix tree, bpo-37448 */
	uint64_t serialno;		       /* only 3.6, 3.7 print it */
	uint64_t arena_allocator;	       /* _PyObject_Arena */
	uint64_t raw_allocator, mem_allocator; /* the tables _PyMem_Raw, _PyMem; may be 0 */
	uint64_t object_allocator;	       /* the table _PyObject */
	/* and functions, 0 without pymalloc */
	uint64_t object_malloc; /* the function _PyObject_Malloc */
	uint64_t debug_malloc;	/* the function _PyMem_DebugMalloc */

	/* compiled-in constants, as the build itself prints them */
	uint32_t arena_size, pool_size, nr_classes;

	/* free-list counters, int; until 3.9 (then in the interpreter state, bpo-40521) */
	struct {
		uint64_t cfunction, dict, float_, frame, list, method;
		uint64_t tuple; /* int[20], indexed by length */
	} numfree;
};

/*
 * ENOTSUP: 3.12 or later. ENOENT: the code has not the shape that every build seen had; the text
 * names what was not found. Nothing is guessed: what is returned was found by what the code does
 * with it.
 */
int decode_state(const struct elf_file *elf, uint32_t version_hex, struct decoded_state *ret,
		 struct fault *f);

/* The counter of the source file "dictobject.c" and so on; 0. */
uint64_t decode_numfree(const struct decoded_state *state, const char *source_file);

#endif
