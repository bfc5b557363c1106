/* SPDX-License-Identifier: MIT */
/*
 * The choice of a layout. It is only a choice: whether the layout fits the process at hand is
 * validated elsewhere, against that process.
 */
#include "python/layout.h"

#include "base/cleanup.h"
#include "model/snapshot.h"

#include <stdio.h>
#include <string.h>

static const struct py_layout_entry entries[] = {
#include "python/layouts/index.inc"
};

/* PY_VERSION_HEX: major 8 bits, minor 8, micro 8, level 4 (0xa, 0xb, 0xc, 0xf = final), serial 4 */
static uint32_t minor_of(uint32_t version_hex)
{
	return version_hex >> 16;
}

static unsigned micro_of(uint32_t version_hex)
{
	return version_hex >> 8 & 0xff;
}

static bool is_final(uint32_t version_hex)
{
	return (version_hex & 0xff) == 0xf0;
}

const struct py_layout_entry *layout_at(size_t i)
{
	return i < ARRAY_SIZE(entries) ? &entries[i] : NULL;
}

const struct py_layout_entry *layout_find(uint32_t version_hex, bool debug, bool free_threaded,
					  bool *ret_measured)
{
	const struct py_layout_entry *best = NULL;
	unsigned best_distance = 0;

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct py_layout_entry *e = &entries[i];
		int distance;

		if (e->debug != debug || e->free_threaded != free_threaded)
			continue;
		if (e->version_hex == version_hex) {
			*ret_measured = true;
			return e;
		}
		/* structures move between pre-releases; from the first final on they are kept */
		if (minor_of(e->version_hex) != minor_of(version_hex) ||
		    !is_final(e->version_hex) || !is_final(version_hex))
			continue;
		distance = (int)micro_of(e->version_hex) - (int)micro_of(version_hex);
		if (distance < 0)
			distance = -distance;
		/* of two as near, the later one: what moved, moved early in a series */
		if (!best || (unsigned)distance <= best_distance) {
			best = e;
			best_distance = distance;
		}
	}
	if (best)
		*ret_measured = false;
	return best;
}

static void append(char *buf, size_t size, const char *separator, const char *text)
{
	size_t len = strlen(buf);

	if (len < size)
		snprintf(buf + len, size - len, "%s%s", len ? separator : "", text);
}

char *layout_measured(uint32_t version_hex, char *buf, size_t size)
{
	char text[24];

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct py_layout_entry *e = &entries[i];

		if (e->debug || e->free_threaded ||
		    minor_of(e->version_hex) != minor_of(version_hex))
			continue;
		append(buf, size, ", ", python_version_text(text, e->version_hex));
	}
	return buf;
}

static bool has_minor(uint32_t minor)
{
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		if (!entries[i].debug && !entries[i].free_threaded &&
		    is_final(entries[i].version_hex) && minor_of(entries[i].version_hex) == minor)
			return true;
	return false;
}

char *layout_claims(char *buf, size_t size)
{
	buf[0] = '\0';
	for (uint32_t minor = 0x300; minor <= 0x3ff; minor++) {
		uint32_t last = minor;
		char text[32];

		if (!has_minor(minor))
			continue;
		while (last < 0x3ff && has_minor(last + 1))
			last++;
		if (last == minor)
			snprintf(text, sizeof(text), "3.%u", minor & 0xff);
		else
			snprintf(text, sizeof(text), "3.%u–3.%u", minor & 0xff, last & 0xff);
		append(buf, size, ", ", text);
		minor = last;
	}
	return buf;
}
