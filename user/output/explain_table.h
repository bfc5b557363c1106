/* SPDX-License-Identifier: MIT */
/* Lines of rows as columns of text, with their sum below. */
#ifndef PMT_OUTPUT_EXPLAIN_TABLE_H
#define PMT_OUTPUT_EXPLAIN_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct explain_lines;

struct explain_table {
	bool percent;	    /* of the sum; else the bytes are changes, with their sign */
	bool details;	    /* columns of what is in huge pages and what nobody else maps */
	const char *remark; /* beside the sum */
};

int explain_table_print(FILE *out, const struct explain_lines *lines,
			const struct explain_table *how);

/* What cannot be is cut. */
static inline int64_t explain_signed(uint64_t bytes)
{
	return bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
}

#endif
