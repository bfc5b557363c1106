/* SPDX-License-Identifier: MIT */
/*
 * A table of calls as text for a person:
 *
 *	# pid 4242  python3 app.py  CPython 3.12.1
 *	# 2023-11-15 12:00:00 to 12:00:30, 30.0 s; 3,412,208 entries, 3,412,190 exits; probes cost 4.9 s, ...
 *	RSS +14.2 MiB (181.0 MiB → 195.2 MiB)
 *
 *	by function, 20 of 214, sorted by self
 *	     self      total   largest    calls  arenas  pools  function     file
 *	+12.0 MiB  +12.0 MiB  +1.0 MiB  120,001      12    761  Loader.load  /srv/app/load.py:40
 *	...
 *	(194 more: --top all)
 *
 *	RSS: whose it is
 *	      net        bytes      grew   shrank
 *	+12.5 MiB  +13,107,200  13.0 MiB  512 KiB  20 functions above
 *	...
 *	+14.2 MiB  +14,889,780  15.0 MiB  ...      sum; RSS 181.0 MiB → 195.2 MiB
 *	# 12 calls had not ended
 *
 * self: net change in the function and in calls from it that are not shown; total: while it was on the
 * stack; largest: of one call. Columns in which nobody has a figure are left out. Why counting ended
 * early comes first, what was lost last.
 */
#ifndef PMT_OUTPUT_CALLS_TEXT_H
#define PMT_OUTPUT_CALLS_TEXT_H

#include "model/calls.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct calls_text_options {
	uint64_t top;	  /* rows of the table; UINT64_MAX: all */
	const char *sort; /* what calls_sort() was given, for the title; NULL: "self" */
	bool verbose;	  /* every column, every probe, also what is no loss */
};

/* 0, or -ENOMEM. */
int calls_text(FILE *out, const struct calls *c, const struct calls_text_options *o);

/* Parts of it, for calls_text.c. */
struct calls_text_sums {
	size_t nr_shown, nr_more;	   /* functions in which something happened */
	struct profile_change shown, more; /* what they did; events are not counted */
};

int calls_text_table(FILE *out, const struct calls *c, const struct calls_text_options *o,
		     struct calls_text_sums *ret);
int calls_text_account(FILE *out, const struct calls *c, const struct calls_text_sums *sums);
int calls_text_sites(FILE *out, const struct calls *c);
void calls_text_losses(FILE *out, const struct calls *c, bool verbose);

#endif
