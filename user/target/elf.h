/* SPDX-License-Identifier: MIT */
/*
 * One ELF file, through elfutils: sections, bytes, symbols, and where its separate symbols are.
 * Named elf_file because libelf has taken the shorter name.
 */
#ifndef PMT_TARGET_ELF_H
#define PMT_TARGET_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;
struct maps;
struct target;
struct vma;
struct elf_file;

enum elf_symbols {
	ELF_DYNSYM_ONLY, /* nothing but .dynsym */
	ELF_SYMTAB,	 /* its own .symtab */
	ELF_DEBUG_FILE,	 /* a separate file: build-id, debuglink or .gnu_debugdata */
};

struct elf_symbol {
	uint64_t value; /* address in the file (link-time) */
	uint64_t size;
};

struct elf_section {
	uint64_t addr, size, offset;
	bool nobits; /* .bss */
	bool exec;
};

/*
 * Reads an ELF64 x86-64 file. fd is borrowed only for the call. `name` is for messages. `t`, which
 * may be NULL, is where separate debug files are looked for besides this machine's own
 * /usr/lib/debug; they are not looked for if PYMEMTRACE_WITHOUT names debug_files.
 * ENOEXEC: not an ELF file of this machine.
 */
int elf_file_open(struct elf_file **ret, int fd, const char *name, const struct target *t,
		  struct fault *f);
void elf_file_close(struct elf_file *e); /* accepts NULL */

const char *elf_file_name(const struct elf_file *e);
const char *elf_file_build_id(const struct elf_file *e); /* hex, "" if it has none */
enum elf_symbols elf_file_symbols(const struct elf_file *e);
const char *elf_file_debug_path(const struct elf_file *e); /* NULL unless ELF_DEBUG_FILE */
/* Where a debug file would be: "/usr/lib/debug/.build-id/ab/cdef.debug"; "" without build-id. */
const char *elf_file_debug_wanted(const struct elf_file *e);

/*
 * A defined symbol by name: .symtab or the debug file first, then .dynsym. Suffixes of link-time
 * optimisation (".lto_priv.0") are ignored when there is no exact match; ".constprop", ".isra",
 * ".part" and ".cold" are other functions and never match. A name of several local symbols at
 * different addresses is not found. -ENOENT.
 */
int elf_file_symbol(const struct elf_file *e, const char *name, struct elf_symbol *ret);
/* As above, only from .dynsym: what a stripped build still has. */
int elf_file_dynamic_symbol(const struct elf_file *e, const char *name, struct elf_symbol *ret);
/* A file-static symbol of one source file, "numfree" of "dictobject.c" (STT_FILE order). -ENOENT */
int elf_file_static_symbol(const struct elf_file *e, const char *file, const char *name,
			   struct elf_symbol *ret);
/* The name of the function that begins exactly at value, or NULL. */
const char *elf_file_function_at(const struct elf_file *e, uint64_t value);

int elf_file_section(const struct elf_file *e, const char *name, struct elf_section *ret);
/* The section that holds a link-time address; -ENOENT. */
int elf_file_section_at(const struct elf_file *e, uint64_t addr, struct elf_section *ret);

/* Copies file bytes at a link-time address (zeros in .bss). -EFAULT outside every PT_LOAD. */
int elf_file_read(const struct elf_file *e, uint64_t addr, void *buf, size_t len);

/*
 * As above, with what the dynamic linker writes there: link-time addresses of this file's own objects
 * and functions, where it is relocated.
 */
int elf_file_read_linked(const struct elf_file *e, uint64_t addr, void *buf, size_t len);

/* One section after another, of those that take room in memory; *at is 0 at first. False: no more. */
bool elf_file_next_section(const struct elf_file *e, size_t *at, struct elf_section *ret);

/* True if the bytes of text are in the named section. */
bool elf_file_has_text(const struct elf_file *e, const char *section, const char *text);

/* Link-time address -> offset in the file, for uprobes. -EFAULT if it is not in a file part. */
int elf_file_offset(const struct elf_file *e, uint64_t addr, uint64_t *ret);

/* Run-time address minus link-time address, given the mapping of the file's first PT_LOAD. */
uint64_t elf_file_bias(const struct elf_file *e, uint64_t first_map_start);

/* Entry point (e_entry), link-time; names in DT_NEEDED are searched for a prefix: bool. */
uint64_t elf_file_entry(const struct elf_file *e);
bool elf_file_needs(const struct elf_file *e, const char *soname_prefix);

#endif
