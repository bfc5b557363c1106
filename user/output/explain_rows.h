/* SPDX-License-Identifier: MIT */
/*
 * The rows of an explanation, or of the difference of two, as a table shows them: groups, the kinds in
 * each, and if wanted the names in each kind. Whatever is folded, the lines of one level sum up to the
 * line above them, and groups to the whole.
 */
#ifndef PMT_OUTPUT_EXPLAIN_ROWS_H
#define PMT_OUTPUT_EXPLAIN_ROWS_H

#include "model/explanation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Signed: of differences they are changes. */
struct explain_amount {
	int64_t bytes, huge, exclusive;
};

struct explain_leaf {
	enum memory_kind kind;
	const char *name; /* borrowed; raw bytes of the target */
	struct explain_amount amount;
};

struct explain_line {
	unsigned int indent;
	const char *text; /* ours, or NULL: name */
	const char *name; /* to be escaped */
	size_t folded;	  /* of text "other": how many kinds it stands for */
	struct explain_amount amount;
};

struct explain_lines {
	struct explain_line *v;
	size_t nr;
	unsigned int percent; /* kinds and groups below this part of the whole are folded */
	struct explain_amount sum;
};

/*
 * Lines that are aimed at where some are folded: it takes a higher percentage then. Each group may have
 * one all the same.
 */
#define EXPLAIN_LINES 15

/*
 * The largest first. names: a line for each leaf that has one. percent: what is smaller than this part of
 * the whole is folded, if that is more than one; 0: nothing. Caller: free(ret->v). -ENOMEM
 */
int explain_rows(const struct explain_leaf *leaves, size_t nr, bool names, unsigned int percent,
		 struct explain_lines *ret);

#endif
