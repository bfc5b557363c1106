/* SPDX-License-Identifier: MIT */
/* The functions of a profile as records of function_table: for tables of text and for JSON. */
#ifndef PMT_OUTPUT_PROFILE_FUNCTIONS_H
#define PMT_OUTPUT_PROFILE_FUNCTIONS_H

#include "model/profile_tree.h"

struct field;

struct function_record {
	char event[24];
	char *function; /* "load", "<native: libfoo.so>", "?"; not escaped */
	const char *file;
	int64_t first_line, hot_line; /* -1: not known */
	int64_t self, total;	      /* net */
	struct profile_change self_change, total_change;
	int64_t error; /* of self */
	/* private */
	uint32_t at;
	char *owned;
};

struct function_records {
	struct function_record *rows;
	uint32_t nr;
};

/*
 * All that occur, in the order of the column; sort NULL: those whose self figure is furthest from 0
 * first, whatever its sign. -ENOMEM.
 */
int function_records_new(const struct profile *p, const struct profile_select *s,
			 const struct field *sort, struct function_records **ret);
void function_records_free(struct function_records *r); /* accepts NULL */

#endif
