/* SPDX-License-Identifier: MIT */
/*
 * What tests/tools/record_walk.c writes beside an image of a process's memory, and tests read: where
 * the state of its interpreter is. One line a number: "obmalloc.arenas 139637976727552".
 */
#ifndef TESTS_UNIT_WALK_STATE_H
#define TESTS_UNIT_WALK_STATE_H

#include "python/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WALK_STATE_FIELDS(FIELD)          \
	FIELD(id.version_hex)             \
	FIELD(file.start)                 \
	FIELD(file.end)                   \
	FIELD(obmalloc.arenas)            \
	FIELD(obmalloc.maxarenas)         \
	FIELD(obmalloc.narenas)           \
	FIELD(obmalloc.ntimes)            \
	FIELD(obmalloc.highwater)         \
	FIELD(obmalloc.map_mid_count)     \
	FIELD(obmalloc.map_bot_count)     \
	FIELD(obmalloc.serialno)          \
	FIELD(obmalloc.map_root_bytes)    \
	FIELD(obmalloc.map_mid_bytes)     \
	FIELD(obmalloc.map_bot_bytes)     \
	FIELD(obmalloc.arena_bytes)       \
	FIELD(obmalloc.pool_bytes)        \
	FIELD(allocators.raw)             \
	FIELD(allocators.mem)             \
	FIELD(allocators.obj)             \
	FIELD(allocators.object_malloc)   \
	FIELD(allocators.debug_malloc)    \
	FIELD(free_lists.counter_bytes)   \
	FIELD(free_lists.nr_tuples)       \
	FIELD(free_lists.first_tuple_len) \
	FIELD(free_lists.tuple_stride)    \
	FIELD(free_lists.missing)         \
	FIELD(free_lists.counter[0])      \
	FIELD(free_lists.counter[1])      \
	FIELD(free_lists.counter[2])      \
	FIELD(free_lists.counter[3])      \
	FIELD(free_lists.counter[4])      \
	FIELD(free_lists.counter[5])      \
	FIELD(free_lists.counter[6])      \
	FIELD(free_lists.counter[7])      \
	FIELD(free_lists.item_bytes[0])   \
	FIELD(free_lists.item_bytes[1])   \
	FIELD(free_lists.item_bytes[2])   \
	FIELD(free_lists.item_bytes[3])   \
	FIELD(free_lists.item_bytes[4])   \
	FIELD(free_lists.item_bytes[5])   \
	FIELD(free_lists.item_bytes[6])   \
	FIELD(free_lists.item_bytes[7])

_Static_assert(FREE_KINDS == 8, "each kind has two lines above");

static inline void walk_state_write(FILE *out, const struct python *p)
{
#define WRITE(member) fprintf(out, "%s %" PRIu64 "\n", #member, (uint64_t)p->member);
	WALK_STATE_FIELDS(WRITE)
#undef WRITE
}

/* 0, or -1 if a member is missing. */
static inline int walk_state_read(FILE *in, struct python *ret)
{
	char name[64];
	uint64_t value;
	int missing = 0;

#define COUNT(member) missing++;
	WALK_STATE_FIELDS(COUNT)
#undef COUNT
	while (fscanf(in, "%63s %" SCNu64, name, &value) == 2) {
#define READ(member)                  \
	if (!strcmp(name, #member)) { \
		ret->member = value;  \
		missing--;            \
	}
		WALK_STATE_FIELDS(READ)
#undef READ
	}
	return missing ? -1 : 0;
}

#endif
