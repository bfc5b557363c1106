/* SPDX-License-Identifier: MIT */
/* Kinds of memory as JSON and people call them. */
#include "model/account.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name, *text;
} kinds[MEMORY_KINDS] = {
	[MEMORY_PY_LIVE] = {"py_live", "live blocks"},
	[MEMORY_PY_FREE] = {"py_free", "free blocks in used pools"},
	[MEMORY_PY_FREE_POOLS] = {"py_free_pools", "free pools"},
	[MEMORY_PY_NEVER] = {"py_never", "blocks never used"},
	[MEMORY_PY_OVERHEAD] = {"py_overhead", "pool headers, losses"},
	[MEMORY_HEAP_USED] = {"heap_used", "in use"},
	[MEMORY_HEAP_FREE] = {"heap_free", "free in bins"},
	[MEMORY_HEAP_TCACHE] = {"heap_tcache", "tcache"},
	[MEMORY_HEAP_TOP] = {"heap_top", "top"},
	[MEMORY_ARENA_USED] = {"arena_used", "thread arenas, in use"},
	[MEMORY_ARENA_FREE] = {"arena_free", "thread arenas, free in bins"},
	[MEMORY_ARENA_TCACHE] = {"arena_tcache", "thread arenas, tcache"},
	[MEMORY_ARENA_TOP] = {"arena_top", "thread arenas, top"},
	[MEMORY_ARENA_OVERHEAD] = {"arena_overhead", "thread arenas, headers, fenceposts"},
	[MEMORY_HEAP_UNKNOWN] = {"heap_unknown", "not classified"},
	[MEMORY_MMAPPED] = {"mmapped", "mmapped chunks"},
	[MEMORY_OTHER_MALLOC] = {"other_malloc", "other allocators"},
	[MEMORY_STACK] = {"stack", "thread stacks"},
	[MEMORY_DATA_STACK] = {"data_stack", "data stacks of Python frames"},
	[MEMORY_FILE_TEXT] = {"file_text", "text and read-only data of files"},
	[MEMORY_FILE_OTHER] = {"file_other", "other mapped files"},
	[MEMORY_FILE_PRIVATE] = {"file_private", "private copies of file pages"},
	[MEMORY_BSS] = {"bss", ".bss"},
	[MEMORY_SHARED] = {"shared", "shared memory"},
	[MEMORY_VDSO] = {"vdso", "vdso"},
	[MEMORY_ANONYMOUS] = {"anonymous", "other anonymous mappings"},
};

const char *memory_kind_name(enum memory_kind k)
{
	return (size_t)k < ARRAY_SIZE(kinds) ? kinds[k].name : "unknown";
}

const char *memory_kind_text(enum memory_kind k)
{
	return (size_t)k < ARRAY_SIZE(kinds) ? kinds[k].text : "unknown";
}

int memory_kind_from_name(const char *name, enum memory_kind *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(name, kinds[i].name)) {
			*ret = (enum memory_kind)i;
			return 0;
		}
	return -EINVAL;
}
