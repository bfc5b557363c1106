/* SPDX-License-Identifier: MIT */
/*
 * THE TABLE OF FORMATS of `report`. To add a format, write one file and add its row in
 * profile_out.c: --format, the suffixes of -o and the list in messages follow.
 */
#ifndef PMT_OUTPUT_PROFILE_OUT_H
#define PMT_OUTPUT_PROFILE_OUT_H

#include "model/profile_tree.h"

#include <stdio.h>

struct fault;
struct field;

#define PROFILE_TOP_ALL UINT64_MAX

/* How a profile is shown. Formats take what means something to them. */
struct profile_view {
	unsigned int events; /* bit per enum profile_event; 0: all that were recorded */
	pid_t pid;	     /* 0: all */
	uint64_t top;	     /* rows of ranked tables; PROFILE_TOP_ALL */
	uint64_t min_bytes;  /* smaller nodes of the tree become "(N smaller)"; 0: 1/200 of all */
	bool inverted;	     /* the leaf first */
	bool by_thread;
	const char *sort; /* NULL: "self"; see profile_sort_field() */
};

/* Writes to out and leaves it open. 0, or -errno with f filled. */
typedef int profile_writer(FILE *out, const struct profile *p, const struct profile_view *view,
			   struct fault *f);

struct profile_format {
	const char *name;
	const char *suffixes; /* ".folded .txt", separated by blanks; the longest that fits wins */
	profile_writer *write;
	bool one_event; /* shows profile_view_event() alone: say so where more were recorded */
};

extern const struct profile_format profile_formats[]; /* ends with a NULL name */

/* -EINVAL: no such format, or view->sort is no column. */
int profile_write(FILE *out, const struct profile *p, const struct profile_view *view,
		  const char *format, struct fault *f);

/* NULL: none. */
const struct profile_format *profile_format_find(const char *name);
const struct profile_format *profile_format_of_file(const char *path);

/* The events that are shown, and the first of them: that which formats of one event show. */
unsigned int profile_view_events(const struct profile *p, const struct profile_view *view);
enum profile_event profile_view_event(const struct profile *p, const struct profile_view *view);

/*
 * The row of function_table (tables.h) with that name, or with that name and "_bytes": "self",
 * "total", "self_growth", "events", "function". NULL: none.
 */
const struct field *profile_sort_field(const char *name);

profile_writer profile_write_text, profile_write_folded, profile_write_svg, profile_write_pprof,
	profile_write_speedscope, profile_write_json;

#endif
