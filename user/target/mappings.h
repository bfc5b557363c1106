/* SPDX-License-Identifier: MIT */
/*
 * What mappings are for, by what /proc/PID/maps says of them and the page tables of their pages: files of
 * programs and libraries, copies of their pages, .bss, shared memory, the kernel's own. Whatever knows
 * better (pymalloc, the C library's heap) has its areas in the account before.
 */
#ifndef PMT_TARGET_MAPPINGS_H
#define PMT_TARGET_MAPPINGS_H

#include <stdbool.h>

struct account;
struct fault;
struct maps;
struct mem;
struct target;

/* What mappings alone cannot tell. */
struct mappings_hints {
	/*
	 * The allocator that is used instead of glibc's ("jemalloc"): mappings_allocator(). Then
	 * stacks of threads are looked for here too.
	 */
	const char *malloc;
	/* Python's objects come from the mimalloc inside of it (since 3.13) */
	bool python_mimalloc;
};

/*
 * The allocator whose library is mapped: "jemalloc", "tcmalloc", "mimalloc", or "musl" whose own is in
 * libc. NULL: none that is known. A library that is loaded need not be in use: glibc_open() knows that.
 */
const char *mappings_allocator(const struct maps *maps);

/*
 * Puts all mappings that can be told into the account; the others stay MEMORY_ANONYMOUS. mem may be
 * NULL: then what is behind the .bss of a library in the same mapping counts as such. -ENOMEM
 */
int mappings_account(const struct target *t, const struct maps *maps, struct mem *mem,
		     const struct mappings_hints *hints, struct account *a);

#endif
