/* SPDX-License-Identifier: MIT */
/*
 * The free lists that sys._debugmallocstats() prints after pymalloc's part
 * (Objects/object.c, _PyObject_DebugTypeStats): which types, in which order, with which sizes.
 *
 *   3.6-3.8   CFunction, Dict, Float, Frame, List, Method, tuples 1..19   file-static counters
 *   3.9       Dict, Float, Frame, List, tuples 1..19			   file-static counters
 *   3.10      the same						   in the interpreter state
 *   3.11,12   Dict, Float, List, tuples 1..20
 *   3.13+     Dict, DictKeys, Float, List, tuples 1..20
 *
 * Sizes come from the exported type objects in the target, so a build's own configuration counts.
 */
#include "python/internal.h"

#include "python/decode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define V(minor) (0x0300 | (minor))

struct kind_row {
	const char *type;	 /* as printed */
	const char *type_symbol; /* PyTypeObject that knows the size; NULL: from the layout */
	const char *static_file; /* <= 3.9: the source file of its `numfree` */
	uint32_t first, last;	 /* minor versions that print it */
};

static const struct kind_row rows[FREE_KINDS] = {
	/* gone in 3.9: bpo-37340 */
	[FREE_CFUNCTION] = {"PyCFunctionObject", "PyCFunction_Type", "methodobject.c", V(6), V(8)},
	[FREE_DICT] = {"PyDictObject", "PyDict_Type", "dictobject.c", V(6), V(255)},
	[FREE_DICTKEYS] = {"PyDictKeysObject", NULL, NULL, V(13), V(255)},
	[FREE_FLOAT] = {"PyFloatObject", "PyFloat_Type", "floatobject.c", V(6), V(255)},
	/* frames are made lazily since 3.11, bpo-44590 */
	[FREE_FRAME] = {"PyFrameObject", "PyFrame_Type", "frameobject.c", V(6), V(10)},
	[FREE_LIST] = {"PyListObject", "PyList_Type", "listobject.c", V(6), V(255)},
	[FREE_METHOD] = {"PyMethodObject", "PyMethod_Type", "classobject.c", V(6), V(8)},
	[FREE_TUPLE] = {"PyTupleObject", "PyTuple_Type", "tupleobject.c", V(6), V(255)},
};

static bool printed(const struct python *p, enum py_free_list_kind k)
{
	uint32_t minor = PY_MINOR(p->id.version_hex);

	return minor >= rows[k].first && minor <= rows[k].last;
}

/* Since 3.15 lists, dicts and tuples are counted with the GC header before them: 16 bytes. */
static uint64_t gc_header_bytes(const struct python *p, enum py_free_list_kind k)
{
	if (PY_MINOR(p->id.version_hex) < V(15))
		return 0;
	return k == FREE_DICT || k == FREE_LIST || k == FREE_TUPLE ? 16 : 0;
}

static int item_bytes(const struct python *p, enum py_free_list_kind k, uint64_t *ret)
{
	uint64_t type, size;
	int err;

	if (!rows[k].type_symbol) {
		if (p->layout.dictkeys_size == PY_NONE)
			return -ENOENT;
		*ret = p->layout.dictkeys_size;
		return 0;
	}
	err = py_file_address(&p->file, rows[k].type_symbol, &type, NULL);
	if (!err)
		err = mem_read_u64(p->mem, type + p->layout.type_basicsize, &size);
	if (err)
		return err;
	if (size > 1 << 20)
		return -EINVAL;
	*ret = size + gc_header_bytes(p, k);
	return 0;
}

/* Until 3.9: `static int numfree` of one source file each; by name, else decoded. */
static void locate_static(struct python *p)
{
	struct py_free_lists *l = &p->free_lists;
	struct decoded_state d;
	bool decoded = false;

	l->counter_bytes = 4;
	l->tuple_stride = 4;
	l->nr_tuples = 19; /* PyTuple_MAXSAVESIZE 20, index 0 unused by the printer */
	l->first_tuple_len = 1;
	for (int k = 0; k < FREE_KINDS; k++) {
		struct elf_symbol s;
		uint64_t addr = 0;

		if (!printed(p, k))
			continue;
		if (!elf_file_static_symbol(p->file.elf, rows[k].static_file, "numfree", &s)) {
			addr = s.value;
		} else {
			if (!decoded) {
				memset(&d, 0, sizeof(d));
				decode_state(p->file.elf, p->id.version_hex, &d, NULL);
				decoded = true;
			}
			addr = decode_numfree(&d, rows[k].static_file);
		}
		if (!addr)
			l->missing |= 1u << k;
		else
			l->counter[k] = addr + p->file.bias + (k == FREE_TUPLE ? 4 : 0);
	}
}

static void locate_in_interpreter(struct python *p)
{
	const struct py_layout *o = &p->layout;
	const uint32_t offsets[FREE_KINDS] = {
		[FREE_CFUNCTION] = PY_NONE,
		[FREE_DICT] = o->free_dict,
		[FREE_DICTKEYS] = o->free_dictkeys,
		[FREE_FLOAT] = o->free_float,
		[FREE_FRAME] = o->free_frame,
		[FREE_LIST] = o->free_list,
		[FREE_METHOD] = PY_NONE,
		[FREE_TUPLE] = o->free_tuple,
	};
	struct py_free_lists *l = &p->free_lists;
	/* since 3.14 (gh-100240) each list is a struct _Py_freelist {freelist, size} */
	bool structs = o->freelist_size != PY_NONE && PY_MINOR(p->id.version_hex) >= V(14);

	l->counter_bytes = structs ? 8 : 4;
	l->tuple_stride = structs ? o->freelist_size : 4;
	l->first_tuple_len = 1;
	for (int k = 0; k < FREE_KINDS; k++) {
		if (!printed(p, k))
			continue;
		if (offsets[k] == PY_NONE || !p->interp)
			l->missing |= 1u << k;
		else
			l->counter[k] = p->interp + offsets[k];
	}
	if (!l->counter[FREE_TUPLE] || o->free_tuple_size == PY_NONE)
		return;
	l->nr_tuples = o->free_tuple_size / l->tuple_stride;
	if (structs)
		l->counter[FREE_TUPLE] += o->freelist_count;
	if (PY_MINOR(p->id.version_hex) == V(10)) {
		/* index = length until 3.10, length - 1 since 3.11 */
		l->counter[FREE_TUPLE] += l->tuple_stride;
		l->nr_tuples--;
	}
}

void py_free_lists_locate(struct python *p)
{
	struct py_free_lists *l = &p->free_lists;

	memset(l, 0, sizeof(*l));
	if (PY_MINOR(p->id.version_hex) <= V(9))
		locate_static(p);
	else
		locate_in_interpreter(p);
	if (l->nr_tuples > 32)
		l->nr_tuples = 32;
	for (int k = 0; k < FREE_KINDS; k++)
		if (l->counter[k] && item_bytes(p, k, &l->item_bytes[k])) {
			l->counter[k] = 0;
			l->missing |= 1u << k;
		}
}

static int read_counter(struct python *p, uint64_t addr, uint64_t *ret)
{
	uint32_t v32;
	int err;

	if (p->free_lists.counter_bytes == 8)
		return mem_read_u64(p->mem, addr, ret);
	err = mem_read_u32(p->mem, addr, &v32);
	if (!err)
		*ret = v32;
	return err;
}

static void add(struct python *p, struct malloc_stats *ret, struct read_losses *losses,
		uint64_t addr, uint64_t bytes, const char *type)
{
	struct free_list *l = &ret->free_lists[ret->nr_free_lists];
	uint64_t count;

	/* no free list of CPython holds more than a few thousand items: more is not a count */
	if (read_counter(p, addr, &count) || count > 1 << 20) {
		losses->freelists_unread++;
		return;
	}
	if (ret->nr_free_lists >= STATS_MAX_FREE_LISTS)
		return;
	snprintf(l->type, sizeof(l->type), "%s", type);
	l->count = count;
	l->item_bytes = bytes;
	ret->nr_free_lists++;
}

void py_free_lists_read(struct python *p, struct malloc_stats *ret, struct read_losses *losses)
{
	const struct py_free_lists *l = &p->free_lists;

	losses->freelists_unread += (uint64_t)__builtin_popcount(l->missing);
	for (int k = 0; k < FREE_TUPLE; k++)
		if (l->counter[k])
			add(p, ret, losses, l->counter[k], l->item_bytes[k], rows[k].type);
	if (!l->counter[FREE_TUPLE])
		return;
	for (uint32_t i = 0; i < l->nr_tuples; i++) {
		uint32_t len = l->first_tuple_len + i;
		char type[32];

		snprintf(type, sizeof(type), "%u-sized %s", len, rows[FREE_TUPLE].type);
		add(p, ret, losses, l->counter[FREE_TUPLE] + (uint64_t)i * l->tuple_stride,
		    l->item_bytes[FREE_TUPLE] + 8ull * len, type);
	}
}
