/* SPDX-License-Identifier: MIT */
/*
 * Where the handlers of opcodes are. Builds with computed gotos have a table of 256 of their addresses
 * (Python/opcode_targets.h), tail-calling interpreters one of as many functions. It has no name outside
 * a debug build, but a shape: all of a version's unused opcodes lead to one place, and no other does.
 *
 *	opcode_targets of 3.12:	[0..168] handlers, [169] [170] X, [171..176] handlers, [177..236] X,
 *				[237..254] handlers, [255] X
 *
 * It is read from the file, relocated: what the process itself has in memory it may have changed, and
 * the probes are in every process of that file.
 */
#ifndef PMT_PYTHON_OPCODE_TABLE_H
#define PMT_PYTHON_OPCODE_TABLE_H

#include "python/opcodes.h"

#include <stddef.h>
#include <stdint.h>

struct elf_file;
struct fault;

/* True if the 256 words at w have the shape; what they point to is not looked at. */
bool py_opcode_table_fits(const struct py_opcodes *o, const uint64_t *w);

/* Link-time addresses of the handlers. ENOTSUP: there is no such table, or more than one. */
int py_opcode_table_find(const struct elf_file *elf, const struct py_opcodes *o,
			 uint64_t ret[static PY_NR_OPCODES], struct fault *f);

#endif
