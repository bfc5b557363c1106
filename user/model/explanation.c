/* SPDX-License-Identifier: MIT */
/* Which kinds of memory belong together, and sums of them. */
#include "model/explanation.h"

#include "base/cleanup.h"

#include <string.h>

static const enum memory_group group_of[MEMORY_KINDS] = {
	[MEMORY_PY_LIVE] = GROUP_PYMALLOC,
	[MEMORY_PY_FREE] = GROUP_PYMALLOC,
	[MEMORY_PY_FREE_POOLS] = GROUP_PYMALLOC,
	[MEMORY_PY_NEVER] = GROUP_PYMALLOC,
	[MEMORY_PY_OVERHEAD] = GROUP_PYMALLOC,
	[MEMORY_HEAP_USED] = GROUP_HEAP,
	[MEMORY_HEAP_FREE] = GROUP_HEAP,
	[MEMORY_HEAP_TCACHE] = GROUP_HEAP,
	[MEMORY_HEAP_TOP] = GROUP_HEAP,
	[MEMORY_ARENA_USED] = GROUP_HEAP,
	[MEMORY_ARENA_FREE] = GROUP_HEAP,
	[MEMORY_ARENA_TCACHE] = GROUP_HEAP,
	[MEMORY_ARENA_TOP] = GROUP_HEAP,
	[MEMORY_ARENA_OVERHEAD] = GROUP_HEAP,
	[MEMORY_HEAP_UNKNOWN] = GROUP_HEAP,
	[MEMORY_MMAPPED] = GROUP_HEAP,
	[MEMORY_OTHER_MALLOC] = GROUP_OTHER_MALLOC,
	[MEMORY_STACK] = GROUP_STACKS,
	[MEMORY_DATA_STACK] = GROUP_STACKS,
	[MEMORY_FILE_TEXT] = GROUP_FILES,
	[MEMORY_FILE_OTHER] = GROUP_FILES,
	[MEMORY_FILE_PRIVATE] = GROUP_FILES,
	[MEMORY_BSS] = GROUP_FILES,
	[MEMORY_SHARED] = GROUP_SHARED,
	[MEMORY_VDSO] = GROUP_KERNEL,
	[MEMORY_ANONYMOUS] = GROUP_ANONYMOUS,
};

static const struct {
	const char *name, *text;
} groups[MEMORY_GROUPS] = {
	[GROUP_PYMALLOC] = {"pymalloc", "pymalloc"},
	[GROUP_HEAP] = {"heap", "glibc heap"},
	[GROUP_OTHER_MALLOC] = {"other_malloc", "other allocators"},
	[GROUP_STACKS] = {"stacks", "stacks"},
	[GROUP_FILES] = {"files", "programs, libraries, files"},
	[GROUP_SHARED] = {"shared", "shared memory"},
	[GROUP_ANONYMOUS] = {"anonymous", "other anonymous mappings"},
	[GROUP_KERNEL] = {"kernel", "vdso"},
};

bool explanation_pause_helps(const struct explanation *e)
{
	return e->approximate && !e->paused &&
	       (e->total != e->kernel.rollup_rss || !e->kernel.swap);
}

void explanation_done(struct explanation *e)
{
	process_id_done(&e->process);
	for (size_t i = 0; i < e->nr_rows; i++)
		free(e->rows[i].name);
	free(e->rows);
	memory_cgroup_done(&e->cgroup);
	memset(e, 0, sizeof(*e));
}

uint64_t explanation_bytes(const struct explanation *e, enum memory_kind first,
			   enum memory_kind last)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < e->nr_rows; i++)
		if (e->rows[i].kind >= first && e->rows[i].kind <= last)
			sum += e->rows[i].bytes;
	return sum;
}

enum memory_group memory_kind_group(enum memory_kind k)
{
	return (size_t)k < ARRAY_SIZE(group_of) ? group_of[k] : GROUP_ANONYMOUS;
}

const char *memory_group_name(enum memory_group g)
{
	return (size_t)g < ARRAY_SIZE(groups) ? groups[g].name : "unknown";
}

const char *memory_group_text(enum memory_group g)
{
	return (size_t)g < ARRAY_SIZE(groups) ? groups[g].text : "unknown";
}
