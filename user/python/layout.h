/* SPDX-License-Identifier: MIT */
/*
 * The tables of CPython's structures, one per measured build (user/python/layouts, generated), and
 * the choice among them. A table is used for the patch release it was measured on, or, said so to
 * the user, for another final release of the same minor version; never for another minor version.
 */
#ifndef PMT_PYTHON_LAYOUT_H
#define PMT_PYTHON_LAYOUT_H

#include <linux/types.h>
#include <pymemtrace/layout.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct py_layout_entry {
	uint32_t version_hex; /* PY_VERSION_HEX, 0x030d01f0 = 3.13.1 final */
	unsigned debug : 1, free_threaded : 1;
	const char *provenance;
	struct py_layout layout;
};

/*
 * The table for a build. *ret_measured: it was measured on exactly this release. NULL if there is
 * none: unknown minor version, pre-release that was not measured, or a shape (debug, free-threaded)
 * that was not.
 */
const struct py_layout_entry *layout_find(uint32_t version_hex, bool debug, bool free_threaded,
					  bool *ret_measured);

/* The i-th table, oldest first; NULL behind the last. */
const struct py_layout_entry *layout_at(size_t i);

/* The minor versions with a release table: "3.6–3.15"; gaps are shown ("3.6, 3.8–3.15"). */
char *layout_claims(char *buf, size_t size);

/* The measured releases of the minor version of version_hex: "3.13.0, 3.13.5"; "" if none. */
char *layout_measured(uint32_t version_hex, char *buf, size_t size);

#endif
