/* SPDX-License-Identifier: MIT */
/*
 * Finding the file-static state of a build without symbols. What identifies each object is what the
 * code does with it, not the order of instructions. Here:
 *
 *   _PyObject_Arena
 *       the 24 bytes PyObject_GetArenaAllocator() copies
 *   numfree
 *       the third argument to _PyDebugAllocatorStats() in _PyDict_DebugMallocStats() and the like
 *
 * and pymalloc's own in decode_obmalloc.c.
 */
#include "python/decode_internal.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "python/x86_walk.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The string constant that begins at v contains text. */
bool decode_is_string(const struct elf_file *elf, const struct x86_value *v, const char *text)
{
	char buf[96];
	size_t len = sizeof(buf) - 1;

	if (v->kind != X86_CONST || !is_data(elf, v->addr) || is_bss(elf, v->addr))
		return false;
	while (len && elf_file_read(elf, v->addr, buf, len))
		len--;
	buf[len] = '\0';
	return len && strstr(buf, text);
}

int decode_not_found(struct fault *f, const struct elf_file *elf, const char *what)
{
	fault_set(f, ENOENT, "'%s' has no symbols, and %s was not found in its code",
		  elf_file_name(elf), what);
	fault_hint(f, "its debug symbols would help: %s", elf_file_debug_wanted(elf));
	return -ENOENT;
}

/* --- _PyObject_Arena --- */

struct copied {
	const struct elf_file *elf;
	uint64_t start, end; /* of what is read */
	uint64_t bytes;
};

static void on_copy_event(void *arg, const struct x86_event *ev)
{
	struct copied *c = arg;

	if (ev->kind != X86_EV_READ || !is_data(c->elf, ev->addr))
		return;
	c->start = c->start ? min(c->start, ev->addr) : ev->addr;
	c->end = max(c->end, ev->addr + ev->size);
	c->bytes += ev->size;
}

/* *allocator = _PyObject_Arena; three pointers and nothing else is read. */
static int decode_arena_allocator(const struct elf_file *elf, struct decoded_state *d,
				  struct fault *f)
{
	struct copied c = {.elf = elf};
	unsigned budget = 64;
	struct elf_symbol fn;

	if (elf_file_dynamic_symbol(elf, "PyObject_GetArenaAllocator", &fn) ||
	    x86_walk(elf, fn.value, &budget, on_copy_event, &c) || c.bytes != 24 ||
	    c.end - c.start != 24)
		return decode_not_found(f, elf, "'_PyObject_Arena'");
	d->arena_allocator = c.start;
	return 0;
}

/* --- allocator tables --- */

struct indirect_call {
	const struct elf_file *elf;
	uint64_t other; /* not this table */
	struct found table;
};

static void on_indirect_call(void *arg, const struct x86_event *ev)
{
	const struct x86_value *fn = &ev->value, *ctx = &ev->args[X86_RDI];
	struct indirect_call *c = arg;

	if (ev->kind != X86_EV_CALL && ev->kind != X86_EV_JUMP)
		return;
	/* PyMemAllocatorEx: ctx, malloc, ... */
	if (fn->kind == X86_LOAD && fn->size == 8 && !fn->plus && ctx->kind == X86_LOAD &&
	    ctx->size == 8 && !ctx->plus && fn->addr == ctx->addr + 8 && ctx->addr != c->other &&
	    is_data(c->elf, ctx->addr))
		find(&c->table, ctx->addr);
}

/*
 * PyObject_Malloc() and its like: return _PyObject.malloc(_PyObject.ctx, size). With the usual
 * callee inlined, what that does for large blocks is there too: the same with _PyMem_Raw. 0: not
 * found.
 */
static uint64_t decode_allocator_table(const struct elf_file *elf, const char *function,
				       uint64_t other)
{
	struct indirect_call c = {.elf = elf, .other = other};
	unsigned budget = FUNCTION_BUDGET;
	struct elf_symbol fn;

	if (elf_file_dynamic_symbol(elf, function, &fn))
		return 0;
	x86_walk(elf, fn.value, &budget, on_indirect_call, &c);
	return is_found(&c.table) ? c.table.addr : 0;
}

/* Twice, by code of different purpose, where there is pymalloc. */
static int decode_allocator_tables(const struct elf_file *elf, struct decoded_state *d,
				   struct fault *f)
{
	uint64_t raw = decode_allocator_table(elf, "PyMem_RawMalloc", 0), table;

	table = decode_allocator_table(elf, "PyObject_Malloc", raw);
	if (!table || (d->object_allocator && d->object_allocator != table))
		return decode_not_found(f, elf, "the allocator table '_PyObject'");
	d->object_allocator = table;
	d->raw_allocator = raw;
	d->mem_allocator = decode_allocator_table(elf, "PyMem_Malloc", raw);
	return 0;
}

/* --- free lists --- */

struct free_list {
	const char *file;     /* that has the static numfree */
	const char *function; /* exported, prints it */
	const char *label;    /* its second argument; NULL: made at run time */
	size_t member;
	uint32_t last_minor;
};

#define NUMFREE(m) offsetof(struct decoded_state, numfree.m)

static const struct free_list free_lists[] = {
	/* the lists of bound and C methods went in 3.9 (bpo-37340) */
	{"methodobject.c", "_PyCFunction_DebugMallocStats", "free PyCFunctionObject",
	 NUMFREE(cfunction), 8},
	{"classobject.c", "_PyMethod_DebugMallocStats", "free PyMethodObject", NUMFREE(method), 8},
	{"dictobject.c", "_PyDict_DebugMallocStats", "free PyDictObject", NUMFREE(dict), 9},
	{"floatobject.c", "_PyFloat_DebugMallocStats", "free PyFloatObject", NUMFREE(float_), 9},
	{"frameobject.c", "_PyFrame_DebugMallocStats", "free PyFrameObject", NUMFREE(frame), 9},
	{"listobject.c", "_PyList_DebugMallocStats", "free PyListObject", NUMFREE(list), 9},
	{"tupleobject.c", "_PyTuple_DebugMallocStats", NULL, NUMFREE(tuple), 9},
};

struct count_argument {
	const struct elf_file *elf;
	const char *label;
	struct found counter;
};

static void on_count_event(void *arg, const struct x86_event *ev)
{
	struct count_argument *c = arg;
	const struct x86_value *v = &ev->args[X86_RDX];

	if (ev->kind != X86_EV_CALL && ev->kind != X86_EV_JUMP)
		return;
	if (c->label && !decode_is_string(c->elf, &ev->args[X86_RSI], c->label))
		return;
	if (v->kind == X86_LOAD && v->size == 4 && !v->plus && is_bss(c->elf, v->addr))
		find(&c->counter, v->addr);
}

static uint64_t decode_free_list(const struct elf_file *elf, const struct free_list *l)
{
	struct count_argument c = {.elf = elf, .label = l->label};
	unsigned budget = FUNCTION_BUDGET;
	struct elf_symbol fn;

	if (elf_file_dynamic_symbol(elf, l->function, &fn))
		return 0;
	x86_walk(elf, fn.value, &budget, on_count_event, &c);
	if (!is_found(&c.counter))
		return 0;
	/* the first round of the loop prints numfree[1] */
	return l->label ? c.counter.addr : c.counter.addr - 4;
}

static uint64_t *numfree_member(struct decoded_state *d, const struct free_list *l)
{
	return (uint64_t *)((char *)d + l->member);
}

uint64_t decode_numfree(const struct decoded_state *state, const char *source_file)
{
	for (size_t i = 0; i < ARRAY_SIZE(free_lists); i++)
		if (!strcmp(free_lists[i].file, source_file))
			return *(const uint64_t *)((const char *)state + free_lists[i].member);
	return 0;
}

int decode_state(const struct elf_file *elf, uint32_t version_hex, struct decoded_state *ret,
		 struct fault *f)
{
	uint32_t minor = version_hex >> 16 & 0xff;
	struct decoded_state d = {0};
	struct elf_symbol stats;
	int r;

	if (version_hex >> 24 != 3 || minor >= 12)
		return fault_set(f, ENOTSUP, "'%s': only CPython 3.6 to 3.11 needs decoding",
				 elf_file_name(elf));
	r = decode_arena_allocator(elf, &d, f);
	if (r)
		return r;
	/* it is compiled only with pymalloc */
	if (!elf_file_dynamic_symbol(elf, "_PyObject_DebugMallocStats", &stats)) {
		r = decode_stats(elf, stats.value, &d, f);
		if (!r)
			r = decode_narenas(elf, &d, f);
		if (r)
			return r;
	}
	r = decode_allocator_tables(elf, &d, f);
	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(free_lists); i++)
		if (minor <= free_lists[i].last_minor)
			*numfree_member(&d, &free_lists[i]) = decode_free_list(elf, &free_lists[i]);
	*ret = d;
	return 0;
}
