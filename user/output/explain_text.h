/* SPDX-License-Identifier: MIT */
/*
 * An explanation as people read it:
 *
 *	# pid 4242  python3 app.py  CPython 3.12.1, pymalloc; 8 threads; 2023-11-15 12:00:00, stopped for 12 ms
 *
 *	                                               bytes  % RSS
 *	pymalloc                               2,912,223,232   71.4
 *	  free blocks in used pools            2,050,121,728   50.3
 *	...
 *	other (9 under 1 %, -v shows them)         9,098,176    0.2
 *	resident pages, sum                    4,078,456,832  100.0  VmRSS 4,078,456,832
 *
 *	shared   6.1 MiB is shared with other processes; the fair share of all (Pss) is 3.8 GiB
 *	verdict  50 % of RSS is free blocks ...
 *	remedy   freeing those 412,870 blocks ...
 *
 * What is indented sums up to the line above it, and what is not to the sum, to the byte.
 */
#ifndef PMT_OUTPUT_EXPLAIN_TEXT_H
#define PMT_OUTPUT_EXPLAIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct explanation;
struct verdict;

struct explain_text {
	bool verbose;  /* every row by name, none folded */
	bool interval; /* of a series: a time stamp, and later ones as differences */
	size_t width;  /* columns of the terminal; 0: 100 */
	/* of the cgroup, bytes a second that it grew by, and how sure that is; 0: not known */
	double cgroup_rate;
};

/* The table, footnotes, the verdict and remedies. 0 or -errno */
int explain_print(FILE *out, const struct explanation *e, const struct verdict *v,
		  const struct explain_text *how);

/*
 * What changed from a to b: the same rows as differences, those that did not change left out. In a series
 * each begins with a time stamp, and is one line if nothing changed.
 */
int explain_print_diff(FILE *out, const struct explanation *a, const struct explanation *b,
		       const struct explain_text *how);

#endif
