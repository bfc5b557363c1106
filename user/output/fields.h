/* SPDX-License-Identifier: MIT */
/*
 * THE FIELD TABLES: one row per figure or word of a record. JSON members, their schema, the columns
 * of `list`, --sort names and the docs follow from the rows.
 */
#ifndef PMT_OUTPUT_FIELDS_H
#define PMT_OUTPUT_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum field_type {
	FIELD_U64,
	FIELD_I64,
	FIELD_U32,
	FIELD_I32, /* pid_t */
	FIELD_BOOL,
	FIELD_TEXT,	 /* char * of the target, may be NULL -> null; escaped */
	FIELD_WORDS,	 /* char[size] of ours: printable ASCII */
	FIELD_BYTES,	 /* int64_t; tables show it in the unit that fits */
	FIELD_MAYBE,	 /* int64_t, below 0: not known -> null */
	FIELD_KNOWN,	 /* uint64_t, CGROUP_UNKNOWN: not known -> null */
	FIELD_LIMIT,	 /* the same; CGROUP_NO_LIMIT -> "max", as the kernel writes it */
	FIELD_VERSION,	 /* uint32_t PY_VERSION_HEX -> "3.12.1"; 0 -> null */
	FIELD_ALLOCATOR, /* enum allocator -> its name */
	FIELD_SHAPE,	 /* enum build_shape -> its name */
};

struct field {
	const char *name; /* JSON member: snake_case, unit as suffix */
	enum field_type type;
	size_t offset; /* in the record */
	const char *help;
	const char *column; /* heading in tables; NULL: not a column by default */
	bool right;	    /* numbers are right-justified */
	size_t size;	    /* of a FIELD_WORDS array */
};

/* Of a FIELD_LIMIT. */
#define FIELD_NO_LIMIT "max"

struct field_table {
	const char *record;
	const struct field *rows;
	size_t nr;
};

/* Adds every row of record to object. 0 or -ENOMEM. */
int fields_to_json(json_t *object, const struct field_table *t, const void *record);
/* Fills record from object; strings are duplicated. -EINVAL and *ret_bad names the member. */
int fields_from_json(const json_t *object, const struct field_table *t, void *record,
		     const char **ret_bad);
/* {"type": "object", "properties": {...}, "required": [...]} */
json_t *fields_schema(const struct field_table *t);
const struct field *fields_find(const struct field_table *t, const char *name);
/* The figure as a cell of a table, safe for a terminal; "-" where it is not known. Returns buf. */
char *fields_cell(const struct field *f, const void *record, char *buf, size_t size);
/* qsort_r order by one row, descending for numbers, ascending for text (unknown ones last). */
int fields_compare(const struct field *f, const void *a, const void *b);

#endif
