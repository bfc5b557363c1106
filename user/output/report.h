/* SPDX-License-Identifier: MIT */
/*
 * The text of `stat`:
 *
 *	# pid 4242  /srv/app/venv/bin/python3 app.py  CPython 3.12.1, pymalloc, arenas of 1 MiB; ...
 *	12:00:00  RSS 198.2 MiB (anon 181.0, file 17.2)   pymalloc 139 arenas: 121.4 MiB in use, ...
 *
 *	12:00:05  RSS +14.2 MiB → 212.4 MiB (anon +14.1, file +0.1)   arenas +12 −0 → 151   ...
 *	class   size   num pools   blocks in use  avail blocks
 *	...
 *
 * RSS and its kinds share one unit; kinds that are 0 are left out. "in use" are the bytes of blocks
 * in use, "free in them" those of free blocks and free pools; pool headers and ends of pools are
 * neither. "outside pymalloc N or more" is report_outside_pymalloc() (model/report.h): a lower
 * bound, because it takes every page of every arena for touched.
 */
#ifndef PMT_OUTPUT_REPORT_H
#define PMT_OUTPUT_REPORT_H

#include "model/report.h"

#include <stdio.h>

struct fault;

/* Where reports go. Initialise out and several, the rest to 0. */
struct report_printer {
	FILE *out;
	bool several; /* more than one process: each line says which */
	bool gap; /* the report before ended with a table or the states: a blank line comes next */
};

void report_print_header(struct report_printer *p, const struct report_header *h);
void report_print_state(struct report_printer *p, const struct report_state *s);

/*
 * The line; health lines; the difference table if anything in it changed. -EINVAL: the two stats
 * cannot be compared (the process became another Python); the line is printed all the same.
 */
int report_print_change(struct report_printer *p, const struct report_change *c, struct fault *f);

/* "# health: 3 arena events disagree with the target's counters", a line for each loss. */
void report_print_health(FILE *out, pid_t pid, bool several, const struct report_health *h);

#endif
