/* SPDX-License-Identifier: MIT */
/*
 * Code objects, strings and bytes in a target's memory; all of it may be garbage.
 */
#ifndef PMT_PYTHON_CODE_H
#define PMT_PYTHON_CODE_H

#include <stddef.h>
#include <stdint.h>

struct python;

/* Addresses of the objects that a code object refers to. */
struct py_code {
	uint64_t name, file, line_table;
	int32_t first_line;
};

/* -ESTALE: there is no code object. type: run-time address of PyCode_Type. */
int py_code_read(struct python *p, uint64_t code, uint64_t type, struct py_code *ret);

/* A str as UTF-8, cut after a few thousand characters. Caller frees. -EINVAL: it is none. */
int py_text_read(struct python *p, uint64_t object, char **ret);

/* What a bytes object holds. Caller frees. -EINVAL: no line table is that long. */
int py_bytes_read(struct python *p, uint64_t object, uint8_t **ret, size_t *ret_len);

/* Run-time address of PyCode_Type, the size of whose objects must be the layout's. -ENOTSUP */
int py_code_type(struct python *p, uint64_t *ret);

#endif
