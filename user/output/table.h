/* SPDX-License-Identifier: MIT */
/*
 * Columns of text that fit their widest cell:
 *
 *	 PID  PYTHON  COMMAND
 *	4242  3.12.1  /srv/app/venv/bin/python3 app.py
 *
 * The last column is neither padded nor limited, unless the table is printed with a width (that of
 * a terminal). A column is as wide as its text appears: UTF-8 is counted in columns.
 */
#ifndef PMT_OUTPUT_TABLE_H
#define PMT_OUTPUT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_MAX_COLUMNS 24

struct table {
	size_t nr_columns, nr_cells, size;
	const char *headings[TABLE_MAX_COLUMNS]; /* borrowed */
	bool right[TABLE_MAX_COLUMNS];
	char **cells; /* row by row, owned */
	bool failed;  /* memory ran out */
};

/* Columns first, then cells, row by row. heading may be "". */
void table_column(struct table *t, const char *heading, bool right);
void table_cell(struct table *t, const char *text);

/* width 0: unlimited. 0, or -ENOMEM if a cell was lost. */
int table_print(FILE *out, const struct table *t, size_t width, bool headings);
void table_done(struct table *t);

#endif
