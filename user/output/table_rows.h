/* SPDX-License-Identifier: MIT */
/* How the rows of field tables are written (fields.h), for the files that hold them. */
#ifndef PMT_OUTPUT_TABLE_ROWS_H
#define PMT_OUTPUT_TABLE_ROWS_H

#include "base/cleanup.h"
#include "output/fields.h"

/* clang-format off */
#define ROW(name_, type_, struct_, member_, help_) \
	{.name = name_, .type = type_, .offset = offsetof(struct struct_, member_), .help = help_}
#define WORDS(name_, struct_, member_, help_) \
	{.name = name_, .type = FIELD_WORDS, .offset = offsetof(struct struct_, member_), \
	 .size = sizeof(((struct struct_ *)0)->member_), .help = help_}
#define TABLE(table_) \
	const struct field_table table_##_table = { \
		.record = #table_, .rows = table_##_rows, .nr = ARRAY_SIZE(table_##_rows)}
/* clang-format on */

#endif
