/* SPDX-License-Identifier: MIT */
/*
 * Who jumps into a range of code: in the functions of an evaluation loop compilers share what is the
 * same, and move what is rare to the other end of the file.
 */
#ifndef PMT_PYTHON_X86_JUMPS_H
#define PMT_PYTHON_X86_JUMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file;

/* Targets from lowest to highest, link-time addresses. */
struct x86_range {
	uint64_t lowest, highest;
};

/* A relative call, jmp or jcc at `from` leads to `target`. False: no more are wanted. */
typedef bool x86_jump_fn(void *arg, uint64_t from, uint64_t target);

/*
 * Those with a 32-bit distance in code[skip..len] whose target is in one of the ranges; code[0] is at
 * addr. What is before skip is only decoded, to find out where instructions begin.
 */
bool x86_jumps_scan(const uint8_t *code, size_t len, size_t skip, uint64_t addr,
		    const struct x86_range *ranges, size_t nr_ranges, x86_jump_fn *fn, void *arg);

/*
 * The same in all code of the file. Short jumps, which are next to their target, are not among them.
 * -errno: the file could not be read.
 */
int x86_jumps_find(const struct elf_file *elf, const struct x86_range *ranges, size_t nr_ranges,
		   x86_jump_fn *fn, void *arg);

#endif
