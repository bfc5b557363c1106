/* SPDX-License-Identifier: MIT */
/*
 * One file's debug information in memory. Files are read rather than mapped: whoever owns one could
 * truncate it under a mapping, which is a SIGBUS.
 */
#ifndef PMT_PYTHON_DWARF_FILE_H
#define PMT_PYTHON_DWARF_FILE_H

#include <elfutils/libdw.h>

struct fault;

struct dwarf_file {
	char *image;
	Elf *elf;
	Dwarf *dwarf;
	struct dwarf_file *alt; /* dwz's supplementary file, or NULL */
};

/*
 * Reads the debug information of fd, or of the separate file path, which must have the same
 * build-id. A supplementary file is looked for in /usr/lib/debug and beside path.
 * ENODATA, ESTALE, EBADMSG, EFBIG, or what open(2) says.
 */
int dwarf_file_open(struct dwarf_file **ret, int fd, const char *path, struct fault *f);
void dwarf_file_close(struct dwarf_file *file); /* accepts NULL */

static inline void dwarf_file_cleanup(struct dwarf_file **file)
{
	dwarf_file_close(*file);
}

#endif
