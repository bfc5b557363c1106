/* SPDX-License-Identifier: MIT */
/*
 * One process as `list` shows it: what can be said of it without reading its allocator. Plain data.
 */
#ifndef PMT_MODEL_LIST_ROW_H
#define PMT_MODEL_LIST_ROW_H

#include "model/snapshot.h"

struct list_row {
	struct process_id process;
	struct python_id python;
	struct rss rss;
	int64_t resident; /* rss_resident(&rss) */
	int64_t arenas;	  /* allocated now; -1: not known */
	bool supported;	  /* its allocator can be read */
	char reason[160]; /* why not, or what is missing; "" */
};

#endif
