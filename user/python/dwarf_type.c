/* SPDX-License-Identifier: MIT */
/*
 * Sizes of types and offsets of members. libdw has such functions, without bounds: the file may be
 * an untrusted process's own, and its types nested without end or in circles.
 */
#include "python/dwarf_type.h"

#include "base/cleanup.h"

#include <dwarf.h>
#include <stdint.h>
#include <string.h>

#define MAX_PEEL    16	       /* typedefs and qualifiers on top of each other */
#define MAX_DEPTH   8	       /* anonymous members within each other */
#define MAX_MEMBERS 8192       /* members of one struct */
#define MAX_VALUE   0xfffffffe /* below PY_NONE */

static bool dwarf_type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, ret);
}

/* Takes typedefs and qualifiers off. False: void, damaged, or nested too deeply. */
bool dwarf_type_peel(Dwarf_Die *die)
{
	for (unsigned i = 0; i < MAX_PEEL; i++) {
		switch (dwarf_tag(die)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type: /* CPython >= 3.13: _Atomic members */
			if (!dwarf_type_of(die, die))
				return false;
			break;
		default:
			return true;
		}
	}
	return false;
}

/* int a[4][2] -> 8: DW_AT_count, or DW_AT_upper_bound + 1, of each dimension. */
static bool array_elements(Dwarf_Die *array, Dwarf_Word *ret)
{
	Dwarf_Word total = 1, n;
	Dwarf_Attribute attr;
	Dwarf_Die dim;
	unsigned dims = 0;

	if (dwarf_child(array, &dim))
		return false;
	do {
		if (dwarf_tag(&dim) != DW_TAG_subrange_type)
			continue;
		if (dwarf_attr_integrate(&dim, DW_AT_count, &attr)) {
			if (dwarf_formudata(&attr, &n))
				return false;
		} else if (dwarf_attr_integrate(&dim, DW_AT_upper_bound, &attr)) {
			if (dwarf_formudata(&attr, &n) || n >= UINT32_MAX)
				return false;
			n++;
		} else {
			n = 0; /* flexible array member */
		}
		if (__builtin_mul_overflow(total, n, &total) || total > UINT32_MAX || ++dims > 8)
			return false;
	} while (!dwarf_siblingof(&dim, &dim));
	*ret = total;
	return dims > 0;
}

/* Size in bytes of a type as it came (typedefs and all); below PY_NONE. */
bool dwarf_type_size(Dwarf_Die die, Dwarf_Word *ret)
{
	Dwarf_Word elements = 1, size;
	int bytes;

	for (unsigned i = 0; i < MAX_DEPTH; i++) {
		Dwarf_Word n;

		if (!dwarf_type_peel(&die))
			return false;
		if (dwarf_tag(&die) != DW_TAG_array_type)
			break;
		if (!array_elements(&die, &n) || __builtin_mul_overflow(elements, n, &elements) ||
		    !dwarf_type_of(&die, &die))
			return false;
	}
	bytes = dwarf_bytesize(&die);
	if (bytes < 0 && dwarf_tag(&die) == DW_TAG_pointer_type)
		bytes = 8; /* the attribute is optional there */
	if (bytes < 0 || __builtin_mul_overflow(elements, (Dwarf_Word)bytes, &size) ||
	    size > MAX_VALUE)
		return false;
	*ret = size;
	return true;
}

bool dwarf_type_is_aggregate(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

/* DWARF >= 3: a constant; DWARF 2: DW_OP_plus_uconst; absent in a union: 0. */
static bool member_offset(Dwarf_Die *member, Dwarf_Word *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Op *ops;
	size_t nr;

	if (dwarf_hasattr(member, DW_AT_bit_size))
		return false;
	*ret = 0;
	if (!dwarf_attr_integrate(member, DW_AT_data_member_location, &attr))
		return true;
	if (!dwarf_formudata(&attr, ret))
		return *ret <= MAX_VALUE;
	if (dwarf_getlocation(&attr, &ops, &nr) || nr != 1 || ops[0].atom != DW_OP_plus_uconst)
		return false;
	*ret = ops[0].number;
	return *ret <= MAX_VALUE;
}

/* Adds the offset of a member to *offset and makes *type its type. Sees through anonymous ones. */
static bool find_member(Dwarf_Die *aggregate, const char *name, unsigned depth, Dwarf_Word *offset,
			Dwarf_Die *type)
{
	Dwarf_Die member, inner;
	Dwarf_Word at;

	if (depth == MAX_DEPTH || !dwarf_type_is_aggregate(aggregate) ||
	    dwarf_child(aggregate, &member))
		return false;
	for (unsigned i = 0; i < MAX_MEMBERS; i++) {
		const char *have = dwarf_diename(&member);

		if (dwarf_tag(&member) != DW_TAG_member)
			goto next;
		if (have) {
			if (strcmp(have, name))
				goto next;
			if (!member_offset(&member, &at) || !dwarf_type_of(&member, type))
				return false;
			*offset += at;
			return true;
		}
		if (dwarf_type_of(&member, &inner) && dwarf_type_peel(&inner) &&
		    member_offset(&member, &at) &&
		    find_member(&inner, name, depth + 1, offset, type)) {
			*offset += at;
			return true;
		}
next:
		if (dwarf_siblingof(&member, &member))
			return false;
	}
	return false;
}

bool dwarf_type_member(Dwarf_Die *aggregate, const char *name, Dwarf_Word *offset, Dwarf_Die *type)
{
	return find_member(aggregate, name, 0, offset, type);
}

static bool get_udata(Dwarf_Die *die, unsigned int which, Dwarf_Word *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, which, &attr) && !dwarf_formudata(&attr, ret) &&
	       *ret <= MAX_VALUE;
}

/*
 * DWARF 5 (and gcc 11 and later): DW_AT_data_bit_offset. Before: the bits between the field and the
 * most significant end of its storage unit, which DW_AT_byte_size or the type gives.
 */
static bool bit_offset(Dwarf_Die *member, Dwarf_Word *ret)
{
	Dwarf_Word at = 0, unit, above, bits;
	Dwarf_Die type;

	if (get_udata(member, DW_AT_data_bit_offset, ret))
		return true;
	if (!get_udata(member, DW_AT_bit_size, &bits) ||
	    !get_udata(member, DW_AT_bit_offset, &above))
		return false;
	if (dwarf_hasattr(member, DW_AT_data_member_location) &&
	    !get_udata(member, DW_AT_data_member_location, &at))
		return false;
	if (!get_udata(member, DW_AT_byte_size, &unit) &&
	    (!dwarf_type_of(member, &type) || !dwarf_type_size(type, &unit)))
		return false;
	if (above + bits > unit * 8)
		return false;
	*ret = at * 8 + unit * 8 - above - bits;
	return *ret <= MAX_VALUE;
}

bool dwarf_type_bit_field(Dwarf_Die *aggregate, const char *name, Dwarf_Word *ret)
{
	Dwarf_Die member;

	if (!dwarf_type_is_aggregate(aggregate) || dwarf_child(aggregate, &member))
		return false;
	for (unsigned i = 0; i < MAX_MEMBERS; i++) {
		const char *have = dwarf_diename(&member);

		if (dwarf_tag(&member) == DW_TAG_member && have && !strcmp(have, name))
			return dwarf_hasattr(&member, DW_AT_bit_size) && bit_offset(&member, ret);
		if (dwarf_siblingof(&member, &member))
			return false;
	}
	return false;
}
