/* SPDX-License-Identifier: MIT */
/*
 * Which allocator serves PyObject_Malloc, from the tables of the three domains:
 *
 *   struct PyMemAllocatorEx { void *ctx; malloc; calloc; realloc; free; }	(Include/cpython/pymem.h)
 *
 * ctx is NULL for CPython's own allocators. Debug hooks have a debug_alloc_api_t there, whose first
 * word is the domain's letter and whose second member is the table below; tracemalloc has a pointer
 * to the table below, inside the interpreter's own data. Followed to the bottom, no symbol is needed:
 *
 *   obj == raw	      libc malloc	(PYTHONMALLOC=malloc, --without-pymalloc)
 *   obj == mem       pymalloc		(both domains use it since 3.6, bpo-26249)
 *   all different    mimalloc		(since 3.13, gh-90815)
 */
#include "python/internal.h"

#include "base/fault.h"

#include <errno.h>

#define MAX_HOOKS 4

struct chain {
	uint64_t malloc; /* bottom of the chain */
	bool debug, tracemalloc, other;
	bool outer_other; /* the table itself holds neither pymalloc nor debug hooks */
	bool under_debug; /* other hooks lie below the debug hooks */
};

static bool in_interpreter(const struct python *p, uint64_t addr)
{
	return addr >= p->file.start && addr < p->file.end;
}

static int follow(struct python *p, uint64_t table, struct chain *ret)
{
	struct {
		uint64_t ctx, malloc;
	} t;
	struct chain c = {0};

	for (int hop = 0; hop <= MAX_HOOKS; hop++) {
		uint64_t first;
		int err = mem_read(p->mem, table, &t, sizeof(t));

		if (err)
			return err;
		c.malloc = t.malloc;
		if (!t.ctx)
			break;
		err = mem_read_u64(p->mem, t.ctx, &first);
		if (err)
			return err;
		if (first == 'o' || first == 'm' || first == 'r') {
			c.debug = true;
			table = t.ctx + 8;
		} else if (in_interpreter(p, t.ctx) && in_interpreter(p, t.malloc)) {
			c.tracemalloc = true;
			c.outer_other |= hop == 0;
			c.under_debug |= c.debug;
			table = t.ctx;
		} else {
			c.other = c.outer_other = true;
			break;
		}
	}
	if (!in_interpreter(p, c.malloc))
		c.other = true;
	*ret = c;
	return 0;
}

static enum allocator name_of(const struct chain *c, enum allocator plain, enum allocator debug)
{
	return c->debug ? debug : plain;
}

int py_allocator_read(struct python *p, enum allocator *ret, bool *ret_tracemalloc,
		      bool *ret_printed, struct fault *f)
{
	const struct py_allocators *a = &p->allocators;
	struct chain obj, raw, mem;
	bool known_raw, known_mem;
	int err;

	if (!a->obj)
		return fault_set(f, ENOTSUP, "%s: allocator table not found", p->file.name);
	err = follow(p, a->obj, &obj);
	if (err)
		return fault_errno(f, -err, "cannot read the allocator table of pid %d",
				   (int)p->target->pid);
	known_raw = a->raw && !follow(p, a->raw, &raw);
	known_mem = a->mem && !follow(p, a->mem, &mem);

	*ret_tracemalloc = obj.tracemalloc;
	if (obj.other)
		*ret = ALLOCATOR_OTHER;
	else if (a->object_malloc && obj.malloc == a->object_malloc)
		*ret = name_of(&obj, ALLOCATOR_PYMALLOC, ALLOCATOR_PYMALLOC_DEBUG);
	else if (a->object_malloc && PY_MINOR(p->id.version_hex) < 0x030d)
		*ret = name_of(&obj, ALLOCATOR_MALLOC, ALLOCATOR_MALLOC_DEBUG);
	else if (known_raw && obj.malloc == raw.malloc)
		*ret = name_of(&obj, ALLOCATOR_MALLOC, ALLOCATOR_MALLOC_DEBUG);
	else if (known_mem && obj.malloc == mem.malloc)
		*ret = name_of(&obj, ALLOCATOR_PYMALLOC, ALLOCATOR_PYMALLOC_DEBUG);
	else if (known_mem)
		*ret = name_of(&obj, ALLOCATOR_MIMALLOC, ALLOCATOR_MIMALLOC_DEBUG);
	else if (!p->has_obmalloc)
		*ret = name_of(&obj, ALLOCATOR_MALLOC, ALLOCATOR_MALLOC_DEBUG);
	else
		*ret = ALLOCATOR_UNKNOWN;
	/* _PyMem_PymallocEnabled() looks no further than pymalloc or debug hooks on it: with
	 * tracemalloc on top, sys._debugmallocstats() prints no pymalloc part. Since 3.13 a flag says
	 * that there are debug hooks (allocators.is_debug_enabled), wherever they are. */
	*ret_printed = allocator_is_pymalloc(*ret) && !obj.under_debug &&
		       (!obj.outer_other || (obj.debug && PY_MINOR(p->id.version_hex) >= 0x030d));
	return 0;
}
