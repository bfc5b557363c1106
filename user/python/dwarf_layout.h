/* SPDX-License-Identifier: MIT */
/*
 * The layout of one CPython build, read from that build's own DWARF: what the generator of the
 * checked-in tables uses, and what a build that no table knows is read with if it has debug
 * information.
 */
#ifndef PMT_PYTHON_DWARF_LAYOUT_H
#define PMT_PYTHON_DWARF_LAYOUT_H

struct fault;
struct py_layout;

/*
 * Reads PY_LAYOUT_FIELDS from the debug information of the file behind fd (borrowed), or of the
 * separate debug file debug_path if that is not NULL. A supplementary file of dwz(1) is followed.
 *   ENODATA   no debug information there
 *   ESTALE    debug_path belongs to another build (build-ids differ)
 *   ENOENT    debug information, but not that of a CPython interpreter
 *   ENOTSUP   CPython without pymalloc
 *   EBADMSG   damaged or contradictory debug information
 */
int dwarf_layout_read(int fd, const char *debug_path, struct py_layout *ret, struct fault *f);

#endif
