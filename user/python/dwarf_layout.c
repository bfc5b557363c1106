/* SPDX-License-Identifier: MIT */
/*
 * Struct offsets and sizes from DWARF, by elfutils' libdw: find the wanted types among the
 * top-level entries of all units, then descend the member paths of PY_LAYOUT_FIELDS.
 *
 * The file may be the target's own, so nothing here trusts it: walks, depths and sizes are bounded,
 * and two different definitions of one name are an error rather than a choice.
 */
#include "python/dwarf_layout.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "python/dwarf_file.h"
#include "python/dwarf_type.h"

#include <linux/types.h>
#include <pymemtrace/layout.h>

#include <dwarf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAX_ENTRIES   (1u << 26) /* top-level DIEs over all units; CPython 3.15 has about 2^20 */
#define MAX_TYPES     64
#define MAX_NAME      64
#define MAX_PATH_TEXT 128

enum field_kind { OFF, SIZE, BIT };

struct field {
	const char *name;
	enum field_kind kind;
	const char *types, *paths; /* alternatives separated by '|' */
};

static const struct field fields[] = {
#define FIELD_ROW(name, kind, type, path) {#name, kind, type, path},
	PY_LAYOUT_FIELDS(FIELD_ROW)
#undef FIELD_ROW
};

_Static_assert(sizeof(struct py_layout) == ARRAY_SIZE(fields) * sizeof(__u32),
	       "struct py_layout is an array of PY_LAYOUT_FIELDS");

struct type {
	char name[MAX_NAME];
	bool found;
	Dwarf_Word size;
	Dwarf_Die die; /* typedefs and qualifiers taken off */
};

struct types {
	struct type t[MAX_TYPES];
	unsigned nr;
	unsigned entries;	     /* visited so far */
	const struct type *conflict; /* two definitions of different size */
};

/* The i-th of "a|b|c"; the last one if there are fewer. False if it does not fit into buf. */
static bool alternative(const char *list, unsigned i, char *buf, size_t size)
{
	const char *end;

	while (i-- && (end = strchr(list, '|')))
		list = end + 1;
	end = strchrnul(list, '|');
	if ((size_t)(end - list) >= size)
		return false;
	memcpy(buf, list, end - list);
	buf[end - list] = '\0';
	return true;
}

static unsigned nr_alternatives(const char *list)
{
	unsigned n = 1;

	while ((list = strchr(list, '|'))) {
		list++;
		n++;
	}
	return n;
}

static struct type *find_type(struct types *types, const char *name)
{
	for (unsigned i = 0; i < types->nr; i++)
		if (!strcmp(types->t[i].name, name))
			return &types->t[i];
	return NULL;
}

/* Every type name that PY_LAYOUT_FIELDS mentions, once. */
static int list_types(struct types *types, struct fault *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		unsigned nr = nr_alternatives(fields[i].types);

		for (unsigned a = 0; a < nr; a++) {
			char name[MAX_NAME];

			if (!alternative(fields[i].types, a, name, sizeof(name)))
				return fault_set(f, EINVAL, "type of field %s is too long",
						 fields[i].name);
			if (find_type(types, name))
				continue;
			if (types->nr == MAX_TYPES)
				return fault_set(f, EINVAL, "too many types in PY_LAYOUT_FIELDS");
			memcpy(types->t[types->nr++].name, name, sizeof(name));
		}
	}
	return 0;
}

/* "mgmt.arenas" from a struct on. */
static bool descend(const struct type *from, const char *path, enum field_kind kind, __u32 *ret)
{
	Dwarf_Die type = from->die;
	Dwarf_Word offset = 0, size;

	while (*path) {
		char name[MAX_NAME];
		size_t len = strcspn(path, ".");

		if (len >= sizeof(name) || !dwarf_type_peel(&type))
			return false;
		memcpy(name, path, len);
		name[len] = '\0';
		if (kind == BIT && !path[len]) {
			if (!dwarf_type_bit_field(&type, name, &size) ||
			    offset * 8 + size >= PY_NONE)
				return false;
			*ret = (__u32)(offset * 8 + size);
			return true;
		}
		if (!dwarf_type_member(&type, name, &offset, &type) || offset >= PY_NONE)
			return false;
		path += len + (path[len] == '.');
	}
	if (kind == BIT)
		return false;
	if (kind == OFF) {
		*ret = (__u32)offset;
		return true;
	}
	if (!dwarf_type_size(type, &size))
		return false;
	*ret = (__u32)size;
	return true;
}

static __u32 read_field(struct types *types, const struct field *field)
{
	unsigned nr = max(nr_alternatives(field->types), nr_alternatives(field->paths));
	char name[MAX_NAME], path[MAX_PATH_TEXT];
	__u32 value;

	for (unsigned i = 0; i < nr; i++) {
		const struct type *type;

		if (!alternative(field->types, i, name, sizeof(name)) ||
		    !alternative(field->paths, i, path, sizeof(path)))
			continue;
		type = find_type(types, name);
		if (type && type->found && descend(type, path, field->kind, &value))
			return value;
	}
	return PY_NONE;
}

/* Notes a struct, union or typedef if it is one of the wanted and complete. */
static void note_type(struct types *types, Dwarf_Die *die)
{
	struct type *type;
	const char *name;
	Dwarf_Die base = *die;
	Dwarf_Word size;

	if (dwarf_tag(die) != DW_TAG_typedef && !dwarf_type_is_aggregate(die))
		return;
	name = dwarf_diename(die);
	type = name ? find_type(types, name) : NULL;
	if (!type || !dwarf_type_peel(&base) || dwarf_hasattr(&base, DW_AT_declaration) ||
	    !dwarf_type_size(base, &size))
		return;
	if (type->found) {
		if (type->size != size)
			types->conflict = type;
		return;
	}
	type->found = true;
	type->size = size;
	type->die = base;
}

static int scan_units(struct types *types, Dwarf *dwarf, struct fault *f)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit, die;
	int r;

	while (!(r = dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, NULL))) {
		if (dwarf_child(&unit, &die))
			continue;
		do {
			if (++types->entries > MAX_ENTRIES)
				return fault_set(f, EBADMSG, "too much debug information");
			note_type(types, &die);
		} while (!dwarf_siblingof(&die, &die));
	}
	if (r < 0)
		return fault_set(f, EBADMSG, "damaged debug information: %s", dwarf_errmsg(-1));
	return 0;
}

int dwarf_layout_read(int fd, const char *debug_path, struct py_layout *ret, struct fault *f)
{
	_cleanup_(dwarf_file_cleanup) struct dwarf_file *file = NULL;
	_cleanup_free_ struct types *types = NULL;
	struct py_layout layout;
	__u32 *values = (__u32 *)&layout;
	int r;

	types = calloc(1, sizeof(*types));
	if (!types)
		return fault_errno(f, ENOMEM, "debug information");
	r = list_types(types, f);
	if (r)
		return r;
	r = dwarf_file_open(&file, fd, debug_path, f);
	if (!r)
		r = scan_units(types, file->dwarf, f);
	if (!r && file->alt)
		r = scan_units(types, file->alt->dwarf, f);
	if (r)
		return r;
	if (types->conflict)
		return fault_set(f, EBADMSG, "two different types are named '%s'",
				 types->conflict->name);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		values[i] = read_field(types, &fields[i]);
	if (layout.tstate_interp == PY_NONE || layout.interp_next == PY_NONE ||
	    layout.type_basicsize == PY_NONE)
		return fault_set(f, ENOENT, "debug information, but not of a CPython interpreter");
	if (layout.arena_object_size == PY_NONE || layout.pool_header_size == PY_NONE)
		return fault_set(f, ENOTSUP, "this CPython was built without pymalloc");
	*ret = layout;
	return 0;
}
