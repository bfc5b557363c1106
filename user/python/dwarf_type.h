/* SPDX-License-Identifier: MIT */
/*
 * Types in DWARF, read within bounds: what sizeof and offsetof would say.
 */
#ifndef PMT_PYTHON_DWARF_TYPE_H
#define PMT_PYTHON_DWARF_TYPE_H

#include <elfutils/libdw.h>
#include <stdbool.h>

/* Takes typedefs and qualifiers off. False: void, damaged, or nested too deeply. */
bool dwarf_type_peel(Dwarf_Die *die);

bool dwarf_type_is_aggregate(Dwarf_Die *die); /* struct or union, peeled */

/* Size in bytes of a type as it came (typedefs and all), below 2^32 - 1. */
bool dwarf_type_size(Dwarf_Die die, Dwarf_Word *ret);

/*
 * Adds the offset of a member to *offset and makes *type its type. Sees through anonymous members.
 * False if there is no such member, or it is a bit-field.
 */
bool dwarf_type_member(Dwarf_Die *aggregate, const char *name, Dwarf_Word *offset, Dwarf_Die *type);

/*
 * The first bit of a bit-field, counted from the start of the aggregate (little-endian). False if
 * there is no such member, or it is none.
 */
bool dwarf_type_bit_field(Dwarf_Die *aggregate, const char *name, Dwarf_Word *ret);

#endif
