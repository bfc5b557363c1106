/* SPDX-License-Identifier: MIT */
#include "python/opcode_table.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "target/elf.h"

#include <errno.h>
#include <string.h>

#define MAX_DATA     (256u << 20) /* of all sections; the interpreter's own: below 4 MiB */
#define MAX_SECTIONS 64

struct search {
	const struct elf_file *elf;
	const struct py_opcodes *o;
	uint64_t *targets;
	unsigned int found;
	uint64_t left; /* bytes to be looked at */
};

/*
 * CACHE is never executed, and until 3.12 its handler is __builtin_unreachable(): where its label ends up
 * is the compiler's choice. Of clang it is _unknown_opcode.
 */
#define CACHE 0u

static unsigned int first_used(const struct py_opcodes *o)
{
	unsigned int i = CACHE + 1;

	while (py_opcode_is_unused(o, i))
		i++;
	return i;
}

/*
 * Another table has the shape, in builds with the JIT since 3.15: while it records, all but the unknown
 * lead to one handler. Compilers merge few handlers.
 */
static bool are_many(const struct py_opcodes *o, const uint64_t *w)
{
	unsigned int used = 0, distinct = 0, k;

	for (unsigned int i = 0; i < PY_NR_OPCODES; i++) {
		if (py_opcode_is_unused(o, i))
			continue;
		used++;
		for (k = 0; k < i && w[k] != w[i]; k++)
			;
		distinct += k == i;
	}
	return distinct * 2 > used;
}

bool py_opcode_table_fits(const struct py_opcodes *o, const uint64_t *w)
{
	uint64_t unknown = w[o->unused->first];

	/* most windows end here */
	if (w[o->unused->last] != unknown || !unknown || w[first_used(o)] == unknown)
		return false;
	for (unsigned int i = CACHE + 1; i < PY_NR_OPCODES; i++)
		if ((w[i] == unknown) != py_opcode_is_unused(o, i))
			return false;
	return are_many(o, w);
}

static bool are_code(const struct elf_file *elf, const uint64_t *w)
{
	struct elf_section s = {0};

	for (unsigned int i = CACHE + 1; i < PY_NR_OPCODES; i++) {
		if (s.size && w[i] - s.addr < s.size)
			continue;
		if (elf_file_section_at(elf, w[i], &s) || !s.exec || s.nobits)
			return false;
	}
	return true;
}

static int search_section(struct search *s, const struct elf_section *section)
{
	uint64_t addr = (section->addr + 7) & ~7ull, end = section->addr + section->size;
	_cleanup_free_ uint64_t *words = NULL;
	size_t nr;
	int err;

	if (end < addr || end - addr > s->left)
		return 0;
	s->left -= end - addr;
	nr = (size_t)(end - addr) / sizeof(*words);
	if (nr < PY_NR_OPCODES)
		return 0;
	words = malloc(nr * sizeof(*words));
	if (!words)
		return -ENOMEM;
	err = elf_file_read_linked(s->elf, addr, words, nr * sizeof(*words));
	if (err)
		return 0; /* not in the file after all */
	for (size_t i = 0; i + PY_NR_OPCODES <= nr; i++) {
		if (!py_opcode_table_fits(s->o, words + i) || !are_code(s->elf, words + i))
			continue;
		memcpy(s->targets, words + i, PY_NR_OPCODES * sizeof(*words));
		s->found++;
	}
	return 0;
}

int py_opcode_table_find(const struct elf_file *elf, const struct py_opcodes *o,
			 uint64_t ret[static PY_NR_OPCODES], struct fault *f)
{
	struct search s = {.elf = elf, .o = o, .targets = ret, .left = MAX_DATA};
	struct elf_section section;
	unsigned int nr = 0;
	size_t at = 0;

	while (nr < MAX_SECTIONS && elf_file_next_section(elf, &at, &section)) {
		if (section.exec || section.nobits)
			continue;
		nr++;
		if (search_section(&s, &section))
			return fault_errno(f, ENOMEM, "%s", elf_file_name(elf));
	}
	if (s.found == 1)
		return 0;
	if (s.found)
		return fault_set(f, ENOTSUP,
				 "%s: %u tables look like that of the opcodes' handlers",
				 elf_file_name(elf), s.found);
	return fault_set(f, ENOTSUP,
			 "%s: it has no table of the opcodes' handlers (built without computed "
			 "gotos, or with opcodes of its own)",
			 elf_file_name(elf));
}
