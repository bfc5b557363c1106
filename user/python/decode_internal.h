/* SPDX-License-Identifier: MIT */
/*
 * What the two halves of the decoder share: decode.c and decode_obmalloc.c.
 */
#ifndef PMT_PYTHON_DECODE_INTERNAL_H
#define PMT_PYTHON_DECODE_INTERNAL_H

#include "python/decode.h"
#include "target/elf.h"

#include <stdbool.h>
#include <stdint.h>

struct x86_value;

#define FUNCTION_BUDGET 4000 /* instructions; _PyObject_DebugMallocStats has under 500 */

/* One address found, twice the same or else a contradiction. */
struct found {
	uint64_t addr;
	bool conflict;
};

static inline void find(struct found *f, uint64_t addr)
{
	if (f->addr && f->addr != addr)
		f->conflict = true;
	f->addr = addr;
}

static inline bool is_found(const struct found *f)
{
	return f->addr && !f->conflict;
}

static inline bool is_text(const struct elf_file *elf, uint64_t addr)
{
	struct elf_section s;

	return !elf_file_section_at(elf, addr, &s) && s.exec;
}

static inline bool is_data(const struct elf_file *elf, uint64_t addr)
{
	struct elf_section s;

	return !elf_file_section_at(elf, addr, &s) && !s.exec;
}

/* .bss: where static objects without initialiser are */
static inline bool is_bss(const struct elf_file *elf, uint64_t addr)
{
	struct elf_section s;

	return !elf_file_section_at(elf, addr, &s) && s.nobits;
}

/* The string constant that begins at v contains text. */
bool decode_is_string(const struct elf_file *elf, const struct x86_value *v, const char *text);

/* ENOENT, in words. */
int decode_not_found(struct fault *f, const struct elf_file *elf, const char *what);

/* decode_obmalloc.c: pymalloc's own state; entry is that of _PyObject_DebugMallocStats(). */
int decode_stats(const struct elf_file *elf, uint64_t entry, struct decoded_state *d,
		 struct fault *f);
/* Needs what decode_stats() has found. */
int decode_narenas(const struct elf_file *elf, struct decoded_state *d, struct fault *f);

#endif
