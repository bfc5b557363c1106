/* SPDX-License-Identifier: MIT */
/* What the builder of a table of calls keeps to find entries again: for calls.c and calls_sort.c. */
#ifndef PMT_MODEL_CALLS_INDEX_H
#define PMT_MODEL_CALLS_INDEX_H

#include "model/calls.h"

/* A failed insertion must not end the program: it leaves the entry out, which the caller sees. */
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#define HASH_NONFATAL_OOM	   1
#include "base/hash.h"

/* Found by a copy of what makes entries equal, laid out without gaps. */
struct entry {
	UT_hash_handle hh;
	size_t at;
	bool lost;
	size_t key_size;
	unsigned char key[];
};

struct calls_index {
	struct entry *functions, *processes;
	size_t size_functions, size_processes, size_sites;
	bool sorted; /* functions are no longer where entries said */
};

void calls_index_drop(struct entry **table);

#endif
