/* SPDX-License-Identifier: MIT */
/*
 * Version and kind of an interpreter from its file alone: nothing is read from the process.
 *
 * 3.11+ export Py_Version, a constant unsigned long (bpo-43931). Before, the only trace is the
 * string literal PY_VERSION ("3.10.13") that Py_GetVersion passes to PyOS_snprintf. The linker
 * merges it with the tail of longer strings, so it cannot be searched for: the operand is decoded.
 */
#include "python/internal.h"

#include "base/fault.h"
#include "python/x86_walk.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INSTRUCTIONS 256 /* Py_GetVersion has under 40 in every build seen */

/* "3.10.13" -> 0x030a0df0, "3.9.0rc2" -> 0x030900c2; 0 if it is no version of Python. */
static uint32_t parse_version(const char *s)
{
	unsigned long major, minor, micro, serial = 0;
	uint32_t level = 0xf;
	char *end;

	if (!isdigit((unsigned char)*s))
		return 0;
	major = strtoul(s, &end, 10);
	if (major < 2 || major > 3 || *end != '.' || !isdigit((unsigned char)end[1]))
		return 0;
	minor = strtoul(end + 1, &end, 10);
	if (*end != '.' || !isdigit((unsigned char)end[1]))
		return 0;
	micro = strtoul(end + 1, &end, 10);
	if (*end == 'a' || *end == 'b' || *end == 'r') {
		level = *end == 'a' ? 0xa : *end == 'b' ? 0xb : 0xc;
		end += *end == 'r' && end[1] == 'c' ? 2 : 1;
		serial = strtoul(end, &end, 10);
	}
	if (*end == '+') /* a checkout after that release */
		end++;
	if (*end || minor > 255 || micro > 255 || serial > 15)
		return 0;
	return (uint32_t)(major << 24 | minor << 16 | micro << 8 | level << 4 | serial);
}

struct search {
	const struct elf_file *elf;
	uint32_t version;
};

/* PyOS_snprintf(version, sizeof(version), "%.80s (%.80s) %.80s", PY_VERSION, ...) */
static void on_event(void *arg, const struct x86_event *ev)
{
	struct search *search = arg;

	if (ev->kind != X86_EV_CALL && ev->kind != X86_EV_JUMP)
		return;
	for (int i = 0; i < X86_NR_ARGS && !search->version; i++) {
		char s[16] = "";

		if (ev->args[i].kind == X86_CONST &&
		    !elf_file_read(search->elf, ev->args[i].addr, s, sizeof(s) - 1))
			search->version = parse_version(s);
	}
}

static uint32_t version_from_code(const struct elf_file *elf)
{
	struct search search = {.elf = elf};
	unsigned int budget = MAX_INSTRUCTIONS;
	struct elf_symbol fn;

	if (!elf_file_dynamic_symbol(elf, "Py_GetVersion", &fn))
		x86_walk(elf, fn.value, &budget, on_event, &search);
	return search.version;
}

static bool has(const struct elf_file *elf, const char *symbol)
{
	struct elf_symbol s;

	return !elf_file_dynamic_symbol(elf, symbol, &s);
}

int py_version_read(const struct py_file *file, struct python_id *ret, struct fault *f)
{
	const struct elf_file *elf = file->elf;
	struct elf_symbol s;
	uint64_t v = 0;

	if (!elf_file_dynamic_symbol(elf, "Py_Version", &s)) {
		if (elf_file_read(elf, s.value, &v, sizeof(v)) || v >> 24 != 3)
			v = 0;
	} else {
		v = version_from_code(elf);
	}
	if (!v || v > UINT32_MAX)
		return fault_set(f, ENOTSUP, "%s: cannot tell which version of CPython it is",
				 file->name);
	ret->version_hex = (uint32_t)v;
	/* Py_REF_DEBUG exports it (Include/object.h); release builds do not have it. */
	ret->debug_build = has(elf, "_Py_NegativeRefcount");
	/* biased reference counts exist in free-threaded builds alone (PEP 703, since 3.13) */
	ret->free_threaded = has(elf, "_Py_DecRefShared");
	ret->shared = file->shared;
	switch (elf_file_symbols(elf)) {
	case ELF_SYMTAB:
		ret->shape = SHAPE_SYMBOLS;
		break;
	case ELF_DEBUG_FILE:
		ret->shape = SHAPE_DEBUG_FILE;
		break;
	case ELF_DYNSYM_ONLY:
		ret->shape = SHAPE_STRIPPED;
		break;
	}
	return 0;
}
