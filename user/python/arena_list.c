/* SPDX-License-Identifier: MIT */
/*
 * Lists of arenas, for those who want more than the sums of a walk. A walk that has to begin anew
 * empties the list.
 */
#include "python/internal.h"

#include "base/cleanup.h"
#include "base/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct py_arena_list *l)
{
	size_t size = max(l->size * 2, (size_t)64);
	struct python_arena *arenas = reallocarray(l->arenas, size, sizeof(*arenas));
	struct py_pool *pools;

	if (!arenas)
		return -ENOMEM;
	l->arenas = arenas;
	if (l->with_pools) {
		pools = reallocarray(l->pools, size, PY_ARENA_POOLS * sizeof(*pools));
		if (!pools)
			return -ENOMEM;
		l->pools = pools;
	}
	l->size = size;
	return 0;
}

void py_arena_list_add(struct py_arena_list *l, const struct python_arena *a,
		       const struct py_pool *pools)
{
	if (l->nr == l->size && grow(l)) {
		l->failed = true;
		return;
	}
	l->arenas[l->nr] = *a;
	if (l->with_pools)
		memcpy(l->pools + l->nr * PY_ARENA_POOLS, pools, PY_ARENA_POOLS * sizeof(*pools));
	l->nr++;
}

void py_arena_list_done(struct py_arena_list *l)
{
	free(l->arenas);
	free(l->pools);
	*l = (struct py_arena_list){0};
}

int py_arena_list_read(struct python *p, struct py_arena_list *l, struct fault *f)
{
	struct read_losses losses;
	struct malloc_stats s;
	int err;

	p->list = l;
	err = py_obmalloc_walk(p, &s, &losses, f);
	p->list = NULL;
	if (!err && l->failed)
		err = fault_errno(f, ENOMEM, "arenas of pid %d", (int)p->target->pid);
	return err;
}

int python_read_arena_list(struct python *p, struct python_arena **ret, size_t *ret_nr,
			   struct fault *f)
{
	struct py_arena_list list = {0};
	int err;

	if (!p->has_layout || !p->has_obmalloc || !allocator_is_pymalloc(p->id.allocator))
		return fault_set(f, ENOTSUP, "pid %d: pymalloc is not in use", (int)p->target->pid);
	err = py_arena_list_read(p, &list, f);
	if (err) {
		py_arena_list_done(&list);
		return err;
	}
	*ret = list.arenas;
	*ret_nr = list.nr;
	return 0;
}
