/* SPDX-License-Identifier: MIT */
/*
 * Line tables: Objects/lnotab_notes.txt (until 3.10), Objects/locations.md (3.11, later
 * InternalDocs/code_objects.md). All are deltas from one instruction to the next and are read from the
 * start. Every loop goes forward through the table, so its length bounds them.
 */
#include "python/lines.h"

#include <stdbool.h>

#define NO_LINE	  (-128) /* of a line delta in 3.10 */
#define UNIT	  2	 /* bytes of a code unit */
#define ENTRY_BIT 0x80u	 /* first byte of a location entry */

enum {
	LOCATION_ONE_LINE0 = 10,
	LOCATION_ONE_LINE2 = 12,
	LOCATION_NO_COLUMNS,
	LOCATION_LONG,
	LOCATION_NONE
};

enum line_format line_format_of(uint32_t version_hex)
{
	uint32_t minor = version_hex >> 16;

	return minor <= 0x0309 ? LINES_LNOTAB : minor == 0x030a ? LINES_LINETABLE : LINES_LOCATIONS;
}

int32_t lasti_unit_of(uint32_t version_hex)
{
	return version_hex >> 16 == 0x030a ? UNIT : 1;
}

static int32_t checked(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (int32_t)line : 0;
}

/*
 * Pairs (bytes of code u8, lines s8), each meaning: that much further on, the line is that much more.
 * The last line has no end.
 *
 *	def f(x):		# first line 1; 00 01 08 01
 *	    y = g(x)		# bytes 0..7: line 2
 *	    return y		# from byte 8: line 3
 */
static int32_t from_lnotab(const uint8_t *t, size_t n, bool whole, int64_t line, int64_t lasti)
{
	int64_t at = 0;

	for (size_t i = 0; i + 2 <= n; i += 2) {
		at += t[i];
		if (at > lasti)
			return checked(line);
		line += (int8_t)t[i + 1];
	}
	return whole ? checked(line) : 0;
}

/*
 * Pairs (bytes of code u8, lines s8): the line is that much more for so many bytes; -128: none.
 *
 *	def f(x):		# first line 1; 08 01 04 01
 *	    y = g(x)		# bytes 0..7: line 2
 *	    return y		# bytes 8..11: line 3
 */
static int32_t from_linetable(const uint8_t *t, size_t n, int64_t line, int64_t lasti)
{
	int64_t end = 0;

	for (size_t i = 0; i + 2 <= n; i += 2) {
		int8_t delta = (int8_t)t[i + 1];

		if (delta != NO_LINE)
			line += delta;
		end += t[i];
		if (lasti < end)
			return delta == NO_LINE ? 0 : checked(line);
	}
	return 0;
}

/* 6 bits a byte, the lowest first, bit 6: more follow; bit 0 of the value is its sign. */
static bool read_svarint(const uint8_t *t, size_t n, size_t *i, int64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; *i < n && shift < 36; shift += 6) {
		uint8_t b = t[(*i)++];

		v |= (uint64_t)(b & 0x3f) << shift;
		if (b & 0x40)
			continue;
		*ret = v & 1 ? -(int64_t)(v >> 1) : (int64_t)(v >> 1);
		return true;
	}
	return false;
}

/*
 * Entries that begin with a byte 1kkkklll: kind, code units - 1; the rest, bit 7 clear, holds the
 * change of the line (kinds 13, 14: svarint; 10..12: the kind itself tells 0..2) and columns.
 *
 *	def f(x):		# first line 1; 80 00 | d8 08 09 | ...
 *	    y = g(x)		# 1 unit, kind 0: line 1; 1 unit, kind 11: line 2, columns 8 to 9
 */
static int32_t from_locations(const uint8_t *t, size_t n, int64_t line, int64_t lasti)
{
	int64_t end = 0;
	size_t i = 0;

	while (i < n) {
		uint8_t head = t[i++], kind = head >> 3 & 15;
		int64_t delta = 0;

		if (!(head & ENTRY_BIT))
			return 0;
		if (kind >= LOCATION_ONE_LINE0 && kind <= LOCATION_ONE_LINE2)
			delta = kind - LOCATION_ONE_LINE0;
		else if ((kind == LOCATION_NO_COLUMNS || kind == LOCATION_LONG) &&
			 !read_svarint(t, n, &i, &delta))
			return 0;
		line += delta;
		end += ((head & 7) + 1) * UNIT;
		if (lasti < end)
			return kind == LOCATION_NONE ? 0 : checked(line);
		while (i < n && !(t[i] & ENTRY_BIT)) /* columns */
			i++;
	}
	return 0;
}

static int32_t line_of(enum line_format format, const uint8_t *t, size_t n, bool whole,
		       int32_t first_line, int32_t lasti)
{
	if (lasti < 0)
		return checked(first_line);
	switch (format) {
	case LINES_LNOTAB:
		return from_lnotab(t, n, whole, first_line, lasti);
	case LINES_LINETABLE:
		return from_linetable(t, n, first_line, lasti);
	case LINES_LOCATIONS:
		return from_locations(t, n, first_line, lasti);
	}
	return 0;
}

int32_t code_line(enum line_format format, const uint8_t *table, size_t n, int32_t first_line,
		  int32_t lasti_bytes)
{
	return line_of(format, table, n, true, first_line, lasti_bytes);
}

int32_t code_line_of_head(enum line_format format, const uint8_t *head, size_t n,
			  int32_t first_line, int32_t lasti_bytes)
{
	return line_of(format, head, n, false, first_line, lasti_bytes);
}
