/* SPDX-License-Identifier: MIT */
/*
 * Opening of debug information: sizes are bounded, also those that compressed sections claim; only
 * regular files are opened (a FIFO would block for ever); what a file names is used only if its
 * build-id fits.
 */
#include "python/dwarf_file.h"

#include "base/cleanup.h"
#include "base/fault.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE	 (1ull << 30)
#define MAX_UNCOMPRESSED (2ull << 30) /* over all sections */
#define MAX_BUILD_ID	 64

static int read_image(int fd, char **ret, size_t *ret_size, const char *name, struct fault *f)
{
	_cleanup_free_ char *image = NULL;
	struct stat st;
	size_t have = 0;

	if (fstat(fd, &st))
		return fault_errno(f, errno, "'%s'", name);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return fault_set(f, ENODATA, "'%s' has no debug information", name);
	if ((uint64_t)st.st_size > MAX_FILE)
		return fault_set(f, EFBIG, "'%s' is too large", name);
	image = malloc((size_t)st.st_size);
	if (!image)
		return fault_errno(f, ENOMEM, "'%s'", name);
	while (have < (size_t)st.st_size) {
		ssize_t n = pread(fd, image + have, (size_t)st.st_size - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_errno(f, errno, "'%s'", name);
		if (!n)
			break;
		have += (size_t)n;
	}
	*ret = steal_ptr(image);
	*ret_size = have;
	return 0;
}

/* A few kilobytes can claim to be any number of gigabytes. */
static int check_compressed(Elf *elf, const char *name, struct fault *f)
{
	uint64_t total = 0;
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Chdr chdr;

		if (!gelf_getchdr(scn, &chdr))
			continue;
		if (__builtin_add_overflow(total, chdr.ch_size, &total) || total > MAX_UNCOMPRESSED)
			return fault_set(f, EFBIG, "'%s' is too large uncompressed", name);
	}
	return 0;
}

static int open_image(int fd, struct dwarf_file *file, const char *name, struct fault *f)
{
	size_t size = 0;
	int r;

	elf_version(EV_CURRENT);
	r = read_image(fd, &file->image, &size, name, f);
	if (r)
		return r;
	file->elf = elf_memory(file->image, size);
	if (!file->elf || elf_kind(file->elf) != ELF_K_ELF)
		return fault_set(f, ENODATA, "'%s' is not an ELF file", name);
	r = check_compressed(file->elf, name, f);
	if (r)
		return r;
	file->dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
	if (!file->dwarf)
		return fault_set(f, ENODATA, "'%s' has no debug information: %s", name,
				 dwarf_errmsg(-1));
	return 0;
}

static int open_regular(const char *path, struct fault *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fault_errno(f, errno, "'%s'", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return fault_set(f, ENODATA, "'%s' is not a regular file", path);
	}
	return fd;
}

static int open_path(const char *path, struct dwarf_file *file, struct fault *f)
{
	_cleanup_fd_ int fd = open_regular(path, f);

	return fd < 0 ? fd : open_image(fd, file, path, f);
}

static bool has_build_id(Elf *elf, const void *id, ssize_t len)
{
	const void *have;

	return dwelf_elf_gnu_build_id(elf, &have) == len && !memcmp(have, id, (size_t)len);
}

/* The separate file must belong to the executable behind fd. Without build-ids nothing is known. */
static int check_same_build(int fd, Elf *debug, const char *path, struct fault *f)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	const void *id, *debug_id;
	ssize_t len;
	int r = 0;

	if (!elf)
		return fault_set(f, ENOEXEC, "not an ELF file: %s", elf_errmsg(-1));
	len = dwelf_elf_gnu_build_id(elf, &id);
	if (len > 0 && dwelf_elf_gnu_build_id(debug, &debug_id) > 0 &&
	    !has_build_id(debug, id, len))
		r = fault_set(f, ESTALE, "'%s' is the debug file of another build", path);
	elf_end(elf);
	return r;
}

/* /usr/lib/debug/.build-id/ab/cdef.debug */
static void build_id_path(char *buf, size_t size, const uint8_t *id, ssize_t len)
{
	int n = snprintf(buf, size, "/usr/lib/debug/.build-id/%02x/", id[0]);

	for (ssize_t i = 1; i < len; i++)
		n += snprintf(buf + n, size - (size_t)n, "%02x", id[i]);
	snprintf(buf + n, size - (size_t)n, ".debug");
}

/* dwz(1): types that several files share are in a file of their own, named in .gnu_debugaltlink. */
static int open_alt(struct dwarf_file *file, const char *path, struct fault *f)
{
	char candidates[2][2 * PATH_MAX] = {"", ""};
	const char *link, *slash;
	const void *id;
	ssize_t len = dwelf_dwarf_gnu_debugaltlink(file->dwarf, &link, &id);

	if (len <= 0)
		return 0;
	if (len > MAX_BUILD_ID || strnlen(link, PATH_MAX) == PATH_MAX)
		return fault_set(f, EBADMSG, "bad .gnu_debugaltlink");
	build_id_path(candidates[0], sizeof(candidates[0]), id, len);
	/* relative to the debug file, usually "../../.dwz/x86_64-linux-gnu/python3.9.debug" */
	slash = path ? strrchr(path, '/') : NULL;
	if (path)
		snprintf(candidates[1], sizeof(candidates[1]), "%.*s%s",
			 slash && *link != '/' ? (int)(slash - path + 1) : 0, path, link);
	for (size_t i = 0; i < ARRAY_SIZE(candidates) && *candidates[i]; i++) {
		struct dwarf_file *alt = calloc(1, sizeof(*alt));

		if (!alt)
			return fault_errno(f, ENOMEM, "'%s'", candidates[i]);
		if (!open_path(candidates[i], alt, NULL) && has_build_id(alt->elf, id, len)) {
			dwarf_setalt(file->dwarf, alt->dwarf);
			file->alt = alt;
			return 0;
		}
		dwarf_file_close(alt);
	}
	return fault_set(f, ENODATA, "its supplementary debug file '%s' was not found", link);
}

int dwarf_file_open(struct dwarf_file **ret, int fd, const char *path, struct fault *f)
{
	_cleanup_(dwarf_file_cleanup) struct dwarf_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return fault_errno(f, ENOMEM, "debug information");
	r = path ? open_path(path, file, f) : open_image(fd, file, "file", f);
	if (!r && path)
		r = check_same_build(fd, file->elf, path, f);
	if (!r)
		r = open_alt(file, path, f);
	if (r)
		return r;
	*ret = steal_ptr(file);
	return 0;
}

void dwarf_file_close(struct dwarf_file *file)
{
	if (!file)
		return;
	if (file->dwarf)
		dwarf_end(file->dwarf);
	if (file->elf)
		elf_end(file->elf);
	dwarf_file_close(file->alt);
	free(file->image);
	free(file);
}
