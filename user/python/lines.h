/* SPDX-License-Identifier: MIT */
/*
 * The line that an instruction of a code object belongs to, from the object's line table. The three
 * formats that CPython 3.6 to 3.15 have; tables come from a hostile process.
 */
#ifndef PMT_PYTHON_LINES_H
#define PMT_PYTHON_LINES_H

#include <stddef.h>
#include <stdint.h>

enum line_format {
	LINES_LNOTAB,	 /* until 3.9: co_lnotab */
	LINES_LINETABLE, /* 3.10: co_linetable (PEP 626) */
	LINES_LOCATIONS, /* since 3.11: co_linetable with columns (PEP 657) */
};

enum line_format line_format_of(uint32_t version_hex);

/* What f_lasti of a struct _frame counts: 1 byte until 3.9, 2 in 3.10. Since 3.11 lasti is in bytes. */
int32_t lasti_unit_of(uint32_t version_hex);

/*
 * The line of the instruction at lasti_bytes (offset in the code). Below 0 means not started: the first
 * line, as the interpreter has it. 0: the instruction has no line, or the table does not reach it, or
 * is damaged.
 */
int32_t code_line(enum line_format format, const uint8_t *table, size_t n, int32_t first_line,
		  int32_t lasti_bytes);

/* As above, of a table whose first n bytes alone are known: 0 where they do not tell. */
int32_t code_line_of_head(enum line_format format, const uint8_t *head, size_t n,
			  int32_t first_line, int32_t lasti_bytes);

#endif
