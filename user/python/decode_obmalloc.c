/* SPDX-License-Identifier: MIT */
/*
 * Where pymalloc's file-static objects are, read off the code of Objects/obmalloc.c, 3.6 to 3.11:
 *
 *   ntimes, highwater, the radix tree's counts, serialno
 *       _PyObject_DebugMallocStats() passes them to printone() together with their label:
 *           mov ntimes_arena_allocated(%rip),%rdx
 *           lea "# arenas allocated total",%rsi
 *           call printone
 *   maxarenas, arenas
 *       the only other 32-bit and 64-bit objects that function reads
 *   arena and pool size, number of classes
 *       constant arguments beside their format strings
 *   _PyObject, _PyObject_Malloc, _PyMem_DebugMalloc
 *       _PyMem_PymallocEnabled(), inlined there, compares the malloc of the table with both
 *       functions, and that of the debug hooks with the first alone
 *   narenas
 *       what is stored to highwater where ntimes is counted up; that is in a function reached
 *       from _PyObject_Malloc
 */
#include "python/decode_internal.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "python/x86_walk.h"

#include <errno.h>
#include <string.h>

#define MAX_OBJECTS	 32 /* distinct fixed addresses that one function reads */
#define MAX_CALLEES	 512
#define SEARCH_BUDGET	 20000
#define MAX_SEARCH_DEPTH 3

struct object {
	uint64_t addr;
	uint8_t size;
};

struct compare {
	uint64_t memory, function;
};

struct stats_function {
	const struct elf_file *elf;
	struct found ntimes, highwater, mid, bot, serialno;
	struct found arena_size, pool_size, nr_classes;
	bool has_map, has_serialno; /* the label is there, whatever goes with it */
	struct object objects[MAX_OBJECTS];
	unsigned nr_objects;
	struct compare compares[MAX_OBJECTS];
	unsigned nr_compares;
	uint64_t callees[MAX_CALLEES];
	unsigned nr_callees;
	bool overflow;
};

static void note_label(struct stats_function *s, const struct x86_event *ev, const char *label,
		       uint8_t size, struct found *ret, bool *ret_has)
{
	const struct x86_value *v = &ev->args[X86_RDX];

	if (!decode_is_string(s->elf, &ev->args[X86_RSI], label))
		return;
	if (ret_has)
		*ret_has = true;
	if (v->kind == X86_LOAD && v->size == size && !v->plus && is_bss(s->elf, v->addr))
		find(ret, v->addr);
}

/* printf-like calls: the n-th argument behind the format string, wherever that is. */
static void note_constant(struct stats_function *s, const struct x86_event *ev, const char *format,
			  unsigned n, struct found *ret)
{
	for (unsigned i = X86_RSI; i + n < X86_NR_ARGS; i++) {
		const struct x86_value *v = &ev->args[i + n];

		if (decode_is_string(s->elf, &ev->args[i], format) && v->kind == X86_CONST &&
		    v->addr <= 1u << 30)
			find(ret, v->addr);
	}
}

static void note_object(struct stats_function *s, const struct x86_event *ev)
{
	if ((ev->size != 4 && ev->size != 8) || !is_bss(s->elf, ev->addr))
		return;
	for (unsigned i = 0; i < s->nr_objects; i++)
		if (s->objects[i].addr == ev->addr && s->objects[i].size == ev->size)
			return;
	if (s->nr_objects == MAX_OBJECTS) {
		s->overflow = true;
		return;
	}
	s->objects[s->nr_objects].addr = ev->addr;
	s->objects[s->nr_objects++].size = ev->size;
}

static void note_compare(struct stats_function *s, const struct x86_event *ev)
{
	const struct x86_value *m = &ev->value, *fn = &ev->other;

	if (m->kind != X86_LOAD) {
		m = &ev->other;
		fn = &ev->value;
	}
	if (m->kind != X86_LOAD || m->size != 8 || m->plus || fn->kind != X86_CONST ||
	    !is_text(s->elf, fn->addr) || !is_data(s->elf, m->addr))
		return;
	for (unsigned i = 0; i < s->nr_compares; i++)
		if (s->compares[i].memory == m->addr && s->compares[i].function == fn->addr)
			return;
	if (s->nr_compares == MAX_OBJECTS) {
		s->overflow = true;
		return;
	}
	s->compares[s->nr_compares].memory = m->addr;
	s->compares[s->nr_compares++].function = fn->addr;
}

static void on_stats_event(void *arg, const struct x86_event *ev)
{
	struct stats_function *s = arg;

	switch (ev->kind) {
	case X86_EV_READ:
		note_object(s, ev);
		break;
	case X86_EV_COMPARE:
		note_compare(s, ev);
		break;
	case X86_EV_CALL:
		if (ev->target && s->nr_callees < MAX_CALLEES)
			s->callees[s->nr_callees++] = ev->target;
		/* fall through */
	case X86_EV_JUMP:
		note_label(s, ev, "# arenas allocated total", 8, &s->ntimes, NULL);
		note_label(s, ev, "# arenas highwater mark", 8, &s->highwater, NULL);
		note_label(s, ev, "# arena map mid nodes", 4, &s->mid, &s->has_map);
		note_label(s, ev, "# arena map bot nodes", 4, &s->bot, &s->has_map);
		note_label(s, ev, "# times object malloc called", 8, &s->serialno,
			   &s->has_serialno);
		note_constant(s, ev, " arenas * %d bytes/arena", 2, &s->arena_size);
		note_constant(s, ev, " unused pools * %d bytes", 2, &s->pool_size);
		note_constant(s, ev, "Small block threshold", 2, &s->nr_classes);
		break;
	case X86_EV_STORE:
	case X86_EV_ADD:
		break;
	}
}

static int walk_stats(struct stats_function *s, uint64_t entry)
{
	unsigned budget = FUNCTION_BUDGET;

	return x86_walk(s->elf, entry, &budget, on_stats_event, s);
}

/* The only object of that size which no label explained. */
static uint64_t the_other_object(const struct stats_function *s, uint8_t size)
{
	const uint64_t known[] = {s->ntimes.addr, s->highwater.addr, s->mid.addr, s->bot.addr,
				  s->serialno.addr};
	struct found other = {0};

	for (unsigned i = 0; i < s->nr_objects; i++) {
		bool explained = s->objects[i].size != size;

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			explained |= s->objects[i].addr == known[k];
		if (!explained)
			find(&other, s->objects[i].addr);
	}
	return is_found(&other) ? other.addr : 0;
}

/*
 * malloc of _PyObject is compared with two functions, _PyMem_DebugMalloc and _PyObject_Malloc; that
 * of _PyMem_Debug.obj only with the latter.
 */
static bool resolve_compares(const struct stats_function *s, struct decoded_state *d)
{
	struct found table = {0}, fn = {0}, debug = {0};

	for (unsigned i = 0; i < s->nr_compares; i++)
		for (unsigned k = 0; k < i; k++) {
			const struct compare *a = &s->compares[i], *b = &s->compares[k];

			if (a->memory == b->memory && a->function != b->function)
				find(&table, a->memory);
			if (a->memory != b->memory && a->function == b->function)
				find(&fn, a->function);
		}
	for (unsigned i = 0; i < s->nr_compares; i++)
		if (s->compares[i].function != fn.addr)
			find(&debug, s->compares[i].function);
	if (!is_found(&table) || !is_found(&fn) || !is_found(&debug))
		return false;
	/* PyMemAllocatorEx: ctx, malloc, ... */
	d->object_allocator = table.addr - 8;
	d->object_malloc = fn.addr;
	d->debug_malloc = debug.addr;
	return true;
}

int decode_stats(const struct elf_file *elf, uint64_t entry, struct decoded_state *d,
		 struct fault *f)
{
	_cleanup_free_ struct stats_function *s = calloc(1, sizeof(*s));
	struct elf_symbol enabled;
	unsigned nr;

	if (!s)
		return fault_errno(f, ENOMEM, "'%s'", elf_file_name(elf));
	s->elf = elf;
	walk_stats(s, entry);
	/* the body may be a piece that is called rather than jumped to (".part.0") */
	nr = s->nr_callees;
	for (unsigned i = 0; i < nr && !s->ntimes.addr; i++)
		walk_stats(s, s->callees[i]);
	if (!is_found(&s->ntimes))
		return decode_not_found(f, elf, "'ntimes_arena_allocated'");
	if (!is_found(&s->highwater))
		return decode_not_found(f, elf, "'narenas_highwater'");
	if (s->has_map && (!is_found(&s->mid) || !is_found(&s->bot)))
		return decode_not_found(f, elf, "'arena_map_mid_count'");
	if (s->has_serialno && !is_found(&s->serialno))
		return decode_not_found(f, elf, "'serialno'");
	if (!is_found(&s->arena_size) || !is_found(&s->pool_size) || !is_found(&s->nr_classes))
		return decode_not_found(f, elf, "the size of arenas and pools");
	d->ntimes = s->ntimes.addr;
	d->highwater = s->highwater.addr;
	d->map_mid_count = s->mid.addr;
	d->map_bot_count = s->bot.addr;
	d->serialno = s->serialno.addr;
	d->arena_size = (uint32_t)s->arena_size.addr;
	d->pool_size = (uint32_t)s->pool_size.addr;
	d->nr_classes = (uint32_t)s->nr_classes.addr;
	d->maxarenas = s->overflow ? 0 : the_other_object(s, 4);
	d->arenas = s->overflow ? 0 : the_other_object(s, 8);
	if (!d->maxarenas)
		return decode_not_found(f, elf, "'maxarenas'");
	if (!d->arenas)
		return decode_not_found(f, elf, "'arenas'");
	/* 3.6 does not inline it, and exports it */
	if (!elf_file_dynamic_symbol(elf, "_PyMem_PymallocEnabled", &enabled))
		walk_stats(s, enabled.value);
	if (!resolve_compares(s, d))
		return decode_not_found(f, elf, "the allocator table '_PyObject'");
	return 0;
}

/* --- narenas_currently_allocated --- */

struct new_arena {
	const struct elf_file *elf;
	uint64_t ntimes, highwater;
	bool counts;			    /* ntimes is counted up in the function walked */
	struct found stored_plus_1, stored; /* what goes to highwater */
	uint64_t added[MAX_OBJECTS];	    /* what is counted up in memory */
	unsigned nr_added;
	uint64_t callees[MAX_CALLEES];
	unsigned nr_callees;
};

static void on_new_arena_event(void *arg, const struct x86_event *ev)
{
	struct new_arena *n = arg;
	const struct x86_value *v = &ev->value;

	switch (ev->kind) {
	case X86_EV_CALL:
	case X86_EV_JUMP:
		if (ev->target && n->nr_callees < MAX_CALLEES)
			n->callees[n->nr_callees++] = ev->target;
		break;
	case X86_EV_ADD:
		if (ev->size != 8 || v->addr != 1)
			break;
		if (ev->addr == n->ntimes)
			n->counts = true;
		if (n->nr_added < MAX_OBJECTS)
			n->added[n->nr_added++] = ev->addr;
		break;
	case X86_EV_STORE:
		if (ev->size != 8 || v->kind != X86_LOAD || v->size != 8)
			break;
		if (ev->addr == n->ntimes && v->addr == n->ntimes && v->plus == 1)
			n->counts = true;
		if (ev->addr != n->highwater || v->addr == n->highwater || !is_bss(n->elf, v->addr))
			break;
		if (v->plus == 1)
			find(&n->stored_plus_1, v->addr);
		else if (!v->plus)
			find(&n->stored, v->addr);
		break;
	case X86_EV_READ:
	case X86_EV_COMPARE:
		break;
	}
}

/* highwater = ++narenas, or ++narenas in memory and highwater = narenas. */
static uint64_t narenas_of(const struct new_arena *n)
{
	if (!n->counts)
		return 0;
	if (is_found(&n->stored_plus_1) && !n->stored.addr)
		return n->stored_plus_1.addr;
	if (!is_found(&n->stored) || n->stored_plus_1.addr)
		return 0;
	for (unsigned i = 0; i < n->nr_added; i++)
		if (n->added[i] == n->stored.addr)
			return n->stored.addr;
	return 0;
}

/* Breadth first from _PyObject_Malloc: new_arena() is inlined into what that calls. */
int decode_narenas(const struct elf_file *elf, struct decoded_state *d, struct fault *f)
{
	_cleanup_free_ struct new_arena *n = calloc(1, sizeof(*n));
	_cleanup_free_ uint64_t *queue = calloc(MAX_CALLEES, sizeof(*queue));
	unsigned nr = 1, begin = 0, budget = SEARCH_BUDGET;

	if (!n || !queue)
		return fault_errno(f, ENOMEM, "'%s'", elf_file_name(elf));
	queue[0] = d->object_malloc;
	for (unsigned depth = 0; depth <= MAX_SEARCH_DEPTH; depth++) {
		unsigned end = nr;

		for (; begin < end && budget; begin++) {
			memset(n, 0, sizeof(*n));
			n->elf = elf;
			n->ntimes = d->ntimes;
			n->highwater = d->highwater;
			x86_walk(elf, queue[begin], &budget, on_new_arena_event, n);
			d->narenas = narenas_of(n);
			if (d->narenas)
				return 0;
			for (unsigned i = 0; i < n->nr_callees && nr < MAX_CALLEES; i++) {
				bool seen = false;

				for (unsigned k = 0; k < nr; k++)
					seen |= queue[k] == n->callees[i];
				if (!seen)
					queue[nr++] = n->callees[i];
			}
		}
	}
	return decode_not_found(f, elf, "'narenas_currently_allocated'");
}
