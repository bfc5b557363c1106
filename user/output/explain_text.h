/* SPDX-License-Identifier: MIT */
/* An explanation as people read it. */
#ifndef PMT_OUTPUT_EXPLAIN_TEXT_H
#define PMT_OUTPUT_EXPLAIN_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct explanation;
struct verdict;

struct explain_text {
	bool verbose;  /* every row by name, none folded */
	bool interval; /* of a series: a time stamp, and later ones as differences */
	/* of the cgroup, bytes a second that it grew by, and how sure that is; 0: not known */
	double cgroup_rate;
};

/* The table, footnotes, the verdict and remedies. 0 or -errno */
int explain_print(FILE *out, const struct explanation *e, const struct verdict *v,
		  const struct explain_text *how);

/* What changed from a to b: the same rows as differences, those that did not change left out. */
int explain_print_diff(FILE *out, const struct explanation *a, const struct explanation *b,
		       const struct explain_text *how);

#endif
