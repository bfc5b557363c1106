/* SPDX-License-Identifier: MIT */
/*
 * Where the state is: runtime, main interpreter, pymalloc, allocator tables.
 *
 *   3.6        no _PyRuntime; everything file-static
 *   3.7-3.11   pymalloc file-static in Objects/obmalloc.c: symbols, or decoded (decode.h)
 *   3.12       struct _obmalloc_state embedded in the main interpreter (gh-101659)
 *   3.13+      a pointer there (gh-113055); the main interpreter's is static
 */
#include "python/internal.h"

#include "base/fault.h"
#include "python/decode.h"
#include "python/x86_walk.h"

#include <errno.h>
#include <string.h>

#define V(minor)	 (0x0300 | (minor))
#define MAX_INTERPRETERS 1024

/* 64-bit builds with the radix tree (bpo-37448, 3.10) have large arenas; without it, small. */
static void set_sizes(struct py_obmalloc *o, bool radix)
{
	o->arena_bytes = radix ? 1u << 20 : 1u << 18;
	o->pool_bytes = radix ? 1u << 14 : 1u << 12;
}

static uint64_t symbol(const struct python *p, const char *name)
{
	uint64_t addr;

	return py_file_address(&p->file, name, &addr, NULL) ? 0 : addr;
}

static uint64_t relocated(const struct python *p, uint64_t link_address)
{
	return link_address ? link_address + p->file.bias : 0;
}

/* By name where there is a .symtab or a debug file, else by decoding two exported functions. */
static int locate_static(struct python *p, struct fault *f)
{
	struct py_obmalloc *o = &p->obmalloc;
	struct py_allocators *a = &p->allocators;
	uint64_t usedpools_size = 0, usedpools;
	struct decoded_state d = {0};
	struct fault why = {0};
	bool radix;
	int err;

	o->arenas = symbol(p, "arenas");
	o->maxarenas = symbol(p, "maxarenas");
	o->narenas = symbol(p, "narenas_currently_allocated");
	o->ntimes = symbol(p, "ntimes_arena_allocated");
	o->highwater = symbol(p, "narenas_highwater");
	o->map_mid_count = symbol(p, "arena_map_mid_count");
	o->map_bot_count = symbol(p, "arena_map_bot_count");
	o->serialno = symbol(p, "serialno");
	a->raw = symbol(p, "_PyMem_Raw");
	a->mem = symbol(p, "_PyMem");
	a->obj = symbol(p, "_PyObject");
	a->arena = symbol(p, "_PyObject_Arena");
	a->object_malloc = symbol(p, "_PyObject_Malloc");
	a->debug_malloc = symbol(p, "_PyMem_DebugMalloc");
	radix = o->map_mid_count;
	if (!py_file_address(&p->file, "usedpools", &usedpools, &usedpools_size) &&
	    (usedpools_size == 64 * 16 || usedpools_size == 32 * 16))
		o->alignment = usedpools_size == 64 * 16 ? 8 : 16;

	if (!o->arenas || !a->obj) {
		err = decode_state(p->file.elf, p->id.version_hex, &d, &why);
		if (err && !a->obj) {
			if (f)
				*f = why;
			return err;
		}
		o->arenas = relocated(p, d.arenas);
		o->maxarenas = relocated(p, d.maxarenas);
		o->narenas = relocated(p, d.narenas);
		o->ntimes = relocated(p, d.ntimes);
		o->highwater = relocated(p, d.highwater);
		o->map_mid_count = relocated(p, d.map_mid_count);
		o->map_bot_count = relocated(p, d.map_bot_count);
		o->serialno = relocated(p, d.serialno);
		a->raw = relocated(p, d.raw_allocator);
		a->mem = relocated(p, d.mem_allocator);
		a->obj = relocated(p, d.object_allocator);
		a->arena = relocated(p, d.arena_allocator);
		a->object_malloc = relocated(p, d.object_malloc);
		a->debug_malloc = relocated(p, d.debug_malloc);
		radix = d.map_mid_count;
		if (d.nr_classes == 32 || d.nr_classes == 64)
			o->alignment = 512 / d.nr_classes;
	}
	if (radix) {
		o->map_root_bytes = p->layout.arena_map_top_size;
		o->map_mid_bytes = p->layout.arena_map_mid_size;
		o->map_bot_bytes = p->layout.arena_map_bot_size;
		if (o->map_root_bytes == PY_NONE || o->map_mid_bytes == PY_NONE ||
		    o->map_bot_bytes == PY_NONE)
			return fault_set(f, ENOTSUP, "%s: no sizes of the arena map", p->file.name);
		o->alignment = 16;
	}
	set_sizes(o, radix);
	/* a build --without-pymalloc has an allocator table and none of these */
	p->has_obmalloc = o->arenas && o->maxarenas && o->ntimes && o->highwater;
	return 0;
}

static int locate_in_interpreter(struct python *p, struct fault *f)
{
	const struct py_layout *l = &p->layout;
	struct py_obmalloc *o = &p->obmalloc;
	int err;

	if (l->interp_obmalloc == PY_NONE || l->obmalloc_arenas == PY_NONE)
		return 0; /* built --without-pymalloc */
	o->state = p->interp + l->interp_obmalloc;
	if (l->interp_obmalloc_size == 8) {
		err = mem_read_u64(p->mem, o->state, &o->state);
		if (err)
			return fault_errno(f, -err, "cannot read the interpreter state of pid %d",
					   (int)p->target->pid);
		if (!o->state)
			return fault_set(f, EAGAIN, "pid %d: the interpreter is still starting",
					 (int)p->target->pid);
	}
	o->arenas = o->state + l->obmalloc_arenas;
	o->maxarenas = o->state + l->obmalloc_maxarenas;
	o->narenas = o->state + l->obmalloc_narenas;
	o->ntimes = o->state + l->obmalloc_ntimes;
	o->highwater = o->state + l->obmalloc_highwater;
	if (l->obmalloc_map_mid_count != PY_NONE) {
		o->map_mid_count = o->state + l->obmalloc_map_mid_count;
		o->map_bot_count = o->state + l->obmalloc_map_bot_count;
		o->map_root_bytes = l->obmalloc_map_root_size;
		o->map_mid_bytes = l->arena_map_mid_size;
		o->map_bot_bytes = l->arena_map_bot_size;
	}
	set_sizes(o, o->map_mid_count);
	o->alignment = 512 / (l->obmalloc_usedpools_size / 16);
	p->has_obmalloc = true;
	return 0;
}

/* Nothing is wrong with a process that has slept for long: it cannot be looked into all the same. */
static int swapped_out(const struct python *p, struct fault *f)
{
	return fault_set(f, ENODATA, "the runtime of pid %d is swapped out", (int)p->target->pid);
}

/* Head of the list of interpreters agrees with a thread state that points back to it. */
static int validate_interpreter(struct python *p, struct fault *f)
{
	const struct py_layout *l = &p->layout;
	uint64_t tstate, back;
	int err;

	if (l->interp_threads == PY_NONE || l->tstate_interp == PY_NONE)
		return 0;
	err = mem_read_u64(p->mem, p->interp + l->interp_threads, &tstate);
	if (!err && !tstate)
		return 0; /* starting or ending */
	if (!err)
		err = mem_read_u64(p->mem, tstate + l->tstate_interp, &back);
	if (err == -ENODATA)
		return swapped_out(p, f);
	if (!err && back == p->interp)
		return 0;
	return fault_set(f, ENOTSUP, "%s: its interpreter state is not where this version has it",
			 p->file.name);
}

/* First member of _PyRuntime since 3.13 (gh-106597): cookie, version, free_threaded. */
static int validate_debug_offsets(struct python *p, struct fault *f)
{
	struct {
		char cookie[8];
		uint64_t version, free_threaded;
	} head;
	int err;

	if (PY_MINOR(p->id.version_hex) < V(13))
		return 0;
	err = mem_read(p->mem, p->runtime, &head, sizeof(head));
	if (err == -ENODATA)
		return swapped_out(p, f);
	if (err || memcmp(head.cookie, "xdebugpy", 8) || head.version != p->id.version_hex)
		return fault_set(f, ENOTSUP, "%s: _PyRuntime is not that of its version",
				 p->file.name);
	return 0;
}

/* What is there before the interpreter is initialised: static data with relocations applied. */
static int locate_tables(struct python *p, struct fault *f)
{
	const struct py_layout *l = &p->layout;
	struct py_allocators *a = &p->allocators;

	if (PY_MINOR(p->id.version_hex) >= V(7) &&
	    (py_file_address(&p->file, "_PyRuntime", &p->runtime, NULL) ||
	     l->runtime_interpreters_main == PY_NONE))
		return fault_set(f, ENOTSUP, "%s has no _PyRuntime", p->file.name);
	if (PY_MINOR(p->id.version_hex) < V(12))
		return locate_static(p, f);
	a->raw = p->runtime + l->runtime_alloc_raw;
	a->mem = p->runtime + l->runtime_alloc_mem;
	a->obj = p->runtime + l->runtime_alloc_obj;
	if (l->runtime_obj_arena != PY_NONE)
		a->arena = p->runtime + l->runtime_obj_arena;
	set_sizes(&p->obmalloc, l->obmalloc_map_mid_count != PY_NONE);
	return 0;
}

static void on_head_event(void *arg, const struct x86_event *ev)
{
	uint64_t *head = arg;

	if (ev->kind == X86_EV_READ && ev->size == 8 && !*head)
		*head = ev->addr;
}

/* In 3.6 it is file-static; PyInterpreterState_Head() does nothing but return it. */
uint64_t py_interpreters_head(const struct python *p)
{
	unsigned int budget = 32;
	struct elf_symbol fn;
	uint64_t head = 0;

	if (p->runtime)
		return p->runtime + p->layout.runtime_interpreters_head;
	head = symbol(p, "interp_head");
	if (head || PY_MINOR(p->id.version_hex) >= V(7) ||
	    elf_file_dynamic_symbol(p->file.elf, "PyInterpreterState_Head", &fn))
		return head;
	x86_walk(p->file.elf, fn.value, &budget, on_head_event, &head);
	return relocated(p, head);
}

/* 3.6: the newest interpreter is the first of the list, the main one its last. */
static void to_main(struct python *p)
{
	uint64_t next;

	for (int i = 0; i < MAX_INTERPRETERS; i++) {
		if (mem_read_u64(p->mem, p->interp + p->layout.interp_next, &next) || !next)
			return;
		p->interp = next;
	}
}

int py_locate_interpreter(struct python *p, struct fault *f)
{
	const struct py_layout *l = &p->layout;
	uint64_t head, tstate;
	int err;

	if (p->runtime) {
		err = validate_debug_offsets(p, f);
		if (err)
			return err;
		err = mem_read_u64(p->mem, p->runtime + l->runtime_interpreters_main, &p->interp);
		if (err == -ENODATA)
			return swapped_out(p, f);
		if (err)
			return fault_errno(f, -err, "cannot read the runtime of pid %d",
					   (int)p->target->pid);
		if (!p->interp)
			return fault_set(f, EAGAIN, "pid %d: Python is not initialised (yet)",
					 (int)p->target->pid);
		return validate_interpreter(p, f);
	}
	/* 3.6: the current thread leads there too, while one holds the GIL */
	head = py_interpreters_head(p);
	if (head) {
		if (mem_read_u64(p->mem, head, &p->interp) || !p->interp)
			return fault_set(f, EAGAIN, "pid %d: Python is not initialised (yet)",
					 (int)p->target->pid);
		to_main(p);
		return validate_interpreter(p, f);
	} else if (!py_file_address(&p->file, "_PyThreadState_Current", &tstate, NULL) &&
		   !mem_read_u64(p->mem, tstate, &tstate) && tstate) {
		if (mem_read_u64(p->mem, tstate + l->tstate_interp, &p->interp))
			p->interp = 0;
	}
	return 0;
}

int py_locate(struct python *p, struct fault *f)
{
	int err = locate_tables(p, f);

	if (err)
		return err;
	p->has_tables = true;
	err = py_locate_interpreter(p, f);
	if (!err && PY_MINOR(p->id.version_hex) >= V(12))
		err = locate_in_interpreter(p, f);
	if (err)
		return err;
	py_free_lists_locate(p);
	return 0;
}
