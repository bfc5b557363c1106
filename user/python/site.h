/* SPDX-License-Identifier: MIT */
/*
 * Which instruction of a function to probe. The kernel emulates relative calls and jumps at a probe
 * (0.7 us a hit); any other instruction is single-stepped, which in a virtual machine costs 10 us and
 * more (docs/overhead.md).
 */
#ifndef PMT_PYTHON_SITE_H
#define PMT_PYTHON_SITE_H

#include <stdbool.h>
#include <stdint.h>

struct elf_file;

/*
 * The arena allocator functions do nothing but call mmap(2) and munmap(2):
 *
 *	void *alloc(void *ctx, size_t size)		mov $3, %edx ... call mmap
 *	void free(void *ctx, void *ptr, size_t size)	mov %rsi, %rdi; mov %rdx, %rsi; jmp munmap
 *
 * Where the straight run of code from `function` (link-time address) ends in such a call, with the
 * size in %rsi, its address is returned: the second argument of both system calls. Else 0: probe the
 * entry. *ret_after: the address behind the call, where %rax has the result; 0 behind a jump.
 */
uint64_t py_arena_call_site(const struct elf_file *elf, uint64_t function, bool frees,
			    uint64_t *ret_after);

#endif
