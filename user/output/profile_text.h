/* SPDX-License-Identifier: MIT */
/*
 * Profiles as text for a person. `report` prints, for each event that was recorded,
 *
 *	RSS by call stack, callers first
 *	    total       self       grew     shrank  function
 *	+49.0 MiB             65.0 MiB   16.0 MiB  <module>  /srv/app/app.py:1
 *	+49.0 MiB             65.0 MiB   16.0 MiB    main  /srv/app/app.py:210
 *	+55.0 MiB  +24.0 MiB  65.0 MiB   10.0 MiB    ├─ Loader.load  /srv/app/load.py:40
 *	...
 *	RSS by function, 20 of 214, sorted by self_bytes
 *	     self    total  events  at line  function  file
 *	...
 *	RSS: what was seen, and whose it is
 *	      net       bytes  events
 *	...
 *
 * where the import machinery's own frames are left out unless one is the leaf (as in tracebacks; all
 * other formats have them), a chain of calls without branches is not indented, and what shrank has columns of its own
 * only if something did. "at line": that of the function's lines where most of its own growth was.
 */
#ifndef PMT_OUTPUT_PROFILE_TEXT_H
#define PMT_OUTPUT_PROFILE_TEXT_H

#include "model/profile_tree.h"

#include <stdio.h>

struct profile_view;
struct table;

/*
 * For `stat`: who made RSS grow or shrink in an interval, what changed most first, whatever its
 * sign; then in one line how much was seen:
 *
 *	     self  ± error      total  function     file
 *	+20.0 MiB  1.6 MiB  +23.0 MiB  Loader.load  /srv/app/load.py:47
 *	# by function: RSS +23.5 MiB seen, +22.0 MiB of it in Python; not: [no Python thread] +1.5 MiB
 *
 * pid 0: all. top 0: only the line; nothing at all if nothing was seen. -ENOMEM.
 */
int profile_print_functions(FILE *out, const struct profile *p, pid_t pid, uint64_t top);

/* Parts of the report, for profile_text.c. -ENOMEM. */
int profile_print_tree(FILE *out, const struct profile *p, const struct profile_select *s,
		       uint64_t min_bytes);
int profile_print_flat(FILE *out, const struct profile *p, const struct profile_select *s,
		       const struct profile_view *view);
int profile_print_arenas(FILE *out, const struct profile *p, const struct profile_view *view);

/* The cells of a change in a table of whose the change is; grew and shrank only if any row shrank. */
void profile_change_columns(struct table *t, bool shrank);
void profile_change_cells(struct table *t, const struct profile_change *c, bool shrank);

#endif
