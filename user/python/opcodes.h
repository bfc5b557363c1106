/* SPDX-License-Identifier: MIT */
/*
 * The opcodes of CPython 3.11 and later at which functions are entered and left, a table per minor
 * version: numbers change with each. Until 3.10 each function runs in its own call of
 * _PyEval_EvalFrameDefault(), and no opcode matters.
 */
#ifndef PMT_PYTHON_OPCODES_H
#define PMT_PYTHON_OPCODES_H

#include <stdbool.h>
#include <stdint.h>

#define PY_NR_OPCODES 256

struct py_opcode {
	const char *name;
	uint8_t number;
	uint8_t bits; /* PMT_OP_ of calls_abi.h */
};

struct py_opcode_range {
	uint8_t first, last;
};

struct py_opcodes {
	uint32_t minor;			      /* 0x030c: 3.12 */
	const struct py_opcode *v;	      /* until one without a name */
	const struct py_opcode_range *unused; /* until one that ends at 0 */
};

/* NULL: not known for this version. */
const struct py_opcodes *py_opcodes_find(uint32_t version_hex);

bool py_opcode_is_unused(const struct py_opcodes *o, unsigned int number);

#endif
