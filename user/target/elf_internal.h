/* SPDX-License-Identifier: MIT */
/*
 * Internal to the elf*.c files: what an opened file is made of.
 */
#ifndef PMT_TARGET_ELF_INTERNAL_H
#define PMT_TARGET_ELF_INTERNAL_H

#include "target/elf.h"

#include <elf.h>
#include <libelf.h>

#define ELF_FILE_MAX  ((uint64_t)4 << 30)
#define ELF_TABLE_MAX ((uint64_t)192 << 20) /* one symbol or string table; 8 million symbols */
#define ELF_LOADS_MAX 128u

/* A symbol table and its strings, both inside what libelf has read. */
struct elf_table {
	const Elf64_Sym *syms;
	size_t nr;
	const char *names; /* names_len bytes, the last of them NUL */
	size_t names_len;
};

struct elf_function {
	uint64_t value;
	const char *name;
	bool local;
};

struct elf_file {
	Elf *elf;
	int fd; /* our own, for as long as libelf may read from it */
	char *name;
	char build_id[2 * 64 + 1];
	char debug_wanted[2 * 64 + 64];
	Elf64_Phdr *loads;
	size_t nr_loads;

	enum elf_symbols symbols;
	struct elf_table full; /* .symtab, here or in the separate file */
	struct elf_table dynamic;
	struct elf_function *functions; /* by value */
	size_t nr_functions;

	/* the separate file; debug_data: its bytes, if they came out of .gnu_debugdata */
	Elf *debug_elf;
	int debug_fd;
	char *debug_path;
	char *debug_data;
};

/* The table of this type (SHT_SYMTAB, SHT_DYNSYM); false if the file has none that is sound. */
bool elf_load_table(Elf *elf, Elf64_Word type, struct elf_table *ret);

/* Name of symbol i, "" if it has none. */
static inline const char *elf_table_name(const struct elf_table *t, size_t i)
{
	Elf64_Word at = t->syms[i].st_name;

	return at < t->names_len ? t->names + at : "";
}

/* Bytes of the named section as they are in the file, NULL if there is no such section. */
const void *elf_section_bytes(Elf *elf, const char *name, size_t *ret_len);

void elf_read_build_id(Elf *elf, char *ret, size_t size); /* hex */

/* True if a PT_LOAD holds the address. */
bool elf_in_load(const struct elf_file *e, uint64_t addr);

/* Looks for the separate file; fills e's debug_* and full, symbols. Finding none is no error. */
void elf_find_debug(struct elf_file *e, const struct target *t);

int elf_index_functions(struct elf_file *e);

#endif
