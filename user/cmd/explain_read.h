/* SPDX-License-Identifier: MIT */
/* One reading of a process for `explain`: who knows what, asked in the order that makes each byte one kind's. */
#ifndef PMT_CMD_EXPLAIN_READ_H
#define PMT_CMD_EXPLAIN_READ_H

#include "model/explanation.h"

#include <stdbool.h>

struct fault;
struct memory_map;
struct process;

/*
 * Reads until what is read holds still, a few times at most; with pause it is stopped for each reading.
 * What then does not add up is "approximate", and no failure. Errors: the process has ended (ESRCH), may
 * not be read (EPERM), cannot be stopped. Caller: explanation_done(). map, if not NULL, gets the
 * picture of what was read; the caller calls memory_map_done().
 */
int explain_read(struct process *p, bool pause, struct explanation *ret, struct memory_map *map,
		 struct fault *f);

#endif
