/* SPDX-License-Identifier: MIT */
/* What is said below the table of an explanation. */
#ifndef PMT_OUTPUT_EXPLAIN_NOTES_H
#define PMT_OUTPUT_EXPLAIN_NOTES_H

#include <stdio.h>

struct explain_text;
struct explanation;
struct verdict;

/* What is paid for and in no row, what is shared, what was not looked into and why; not what v says. */
void explain_print_notes(FILE *out, const struct explanation *e, const struct verdict *v,
			 const struct explain_text *how);

/* "verdict", "remedy" */
void explain_print_verdict(FILE *out, const struct verdict *v, const struct explain_text *how);

#endif
