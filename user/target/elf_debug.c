/* SPDX-License-Identifier: MIT */
/*
 * The separate file with the symbols of a stripped one, in the order gdb looks:
 *
 *   build-id      /usr/lib/debug/.build-id/ab/cdef.debug           (distributions' -dbg packages)
 *   .gnu_debuglink  "python3.11.debug" + CRC, beside the file, in .debug/, below /usr/lib/debug
 *   .gnu_debugdata  an xz-compressed ELF inside the file itself    (Fedora's mini-debuginfo)
 *
 * Each on this machine and below the target's own root. Written by hand, because libdwfl maps the
 * files it reads, and a file of a target can be truncated while it is mapped.
 */
#include "target/elf_internal.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "target/proc.h"
#include "target/target.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define CRC_FILE_MAX  ((int64_t)1 << 30)
#define MINIDEBUG_MAX ((size_t)64 << 20) /* unpacked; python's is 1 to 3 MiB */
#define XZ_MEMORY_MAX ((uint64_t)128 << 20)
#define DEBUG_ROOT    "/usr/lib/debug"

/*
 * Takes the symbols of elf, if it belongs to e and has any. On success elf is e's. A file found by
 * its build-id must have it; others may have none (mini-debuginfo has not), but no other one.
 */
static bool adopt(struct elf_file *e, Elf *elf, bool by_build_id)
{
	const Elf64_Ehdr *eh = elf && elf_kind(elf) == ELF_K_ELF ? elf64_getehdr(elf) : NULL;
	char build_id[sizeof(e->build_id)];

	if (!eh || eh->e_machine != EM_X86_64 || eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return false;
	elf_read_build_id(elf, build_id, sizeof(build_id));
	if (strcmp(build_id, e->build_id) && (by_build_id || (build_id[0] && e->build_id[0])))
		return false;
	if (!elf_load_table(elf, SHT_SYMTAB, &e->full))
		return false;
	e->debug_elf = elf;
	e->symbols = ELF_DEBUG_FILE;
	return true;
}

static bool crc_matches(int fd, uint32_t wanted)
{
	unsigned char buf[16384];
	uLong crc = crc32(0, NULL, 0);
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		if (n < 0 || at > CRC_FILE_MAX)
			return false;
		if (!n)
			return crc == wanted;
		crc = crc32(crc, buf, (uInt)n);
		at += n;
	}
}

/* crc: NULL if the path names the build-id already. Takes fd. */
static bool try_fd(struct elf_file *e, int taken_fd, const char *path, const uint32_t *crc)
{
	_cleanup_fd_ int fd = taken_fd;
	struct stat st;
	Elf *elf;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size > ELF_FILE_MAX || (crc && !crc_matches(fd, *crc)))
		return false;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!adopt(e, elf, !crc)) {
		elf_end(elf);
		log_debug("%s does not have the symbols of %s", path, e->name);
		return false;
	}
	e->debug_path = strdup(path);
	e->debug_fd = steal_fd(&fd);
	return true;
}

static int open_here(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static bool try_path(struct elf_file *e, const struct target *t, const char *path,
		     const uint32_t *crc)
{
	if (try_fd(e, open_here(path), path, crc))
		return true;
	return t && try_fd(e, target_open_path(t, path), path, crc);
}

static bool try_debuglink(struct elf_file *e, const struct target *t)
{
	static const struct {
		const char *before, *after; /* the directory of the file */
	} places[] = {{DEBUG_ROOT, "/"}, {"", "/"}, {"", "/.debug/"}};
	GElf_Word crc;
	const char *link = dwelf_elf_gnu_debuglink(e->elf, &crc);
	const char *slash = strrchr(e->name, '/');
	uint32_t wanted = crc;

	/* The link is a bare name; one with a slash would be a path of the target's choice. */
	if (!link || !*link || strchr(link, '/') || e->name[0] != '/')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char path[PATH_MAX];
		int n;

		n = snprintf(path, sizeof(path), "%s%.*s%s%s", places[i].before,
			     (int)(slash - e->name), e->name, places[i].after, link);
		if (n < 0 || (size_t)n >= sizeof(path) || !strcmp(path, e->name))
			continue;
		if (try_path(e, t, path, &wanted))
			return true;
	}
	return false;
}

/* xz in one bounded call. */
static char *unpack(const void *packed, size_t len, size_t *ret_len)
{
	uint64_t memory = XZ_MEMORY_MAX;
	size_t in = 0, out = 0;
	char *data, *smaller;

	data = malloc(MINIDEBUG_MAX);
	if (!data)
		return NULL;
	if (lzma_stream_buffer_decode(&memory, 0, NULL, packed, &in, len, (uint8_t *)data, &out,
				      MINIDEBUG_MAX) != LZMA_OK ||
	    !out) {
		free(data);
		return NULL;
	}
	*ret_len = out;
	smaller = realloc(data, out);
	return smaller ? smaller : data;
}

static bool try_debugdata(struct elf_file *e)
{
	size_t packed_len, len;
	const void *packed = elf_section_bytes(e->elf, ".gnu_debugdata", &packed_len);
	char *data = packed ? unpack(packed, packed_len, &len) : NULL;
	Elf *elf;

	if (!data)
		return false;
	elf = elf_memory(data, len);
	if (!adopt(e, elf, false)) {
		elf_end(elf);
		free(data);
		return false;
	}
	e->debug_data = data;
	if (asprintf(&e->debug_path, "%s (.gnu_debugdata)", e->name) < 0)
		e->debug_path = NULL;
	return true;
}

void elf_find_debug(struct elf_file *e, const struct target *t)
{
	if (proc_masked("debug_files"))
		return;
	if (e->debug_wanted[0] && try_path(e, t, e->debug_wanted, NULL))
		return;
	if (try_debuglink(e, t))
		return;
	try_debugdata(e);
}
