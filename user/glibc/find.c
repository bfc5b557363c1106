/* SPDX-License-Identifier: MIT */
/*
 * Which mappings are the C library's, and which version it is. Names in maps are as the reader's root
 * sees them and anybody's to choose: they only say where to look.
 *
 *	7f0c5a600000-7f0c5a628000 r--p 00000000 fe:00 1311 /usr/lib/x86_64-linux-gnu/libc.so.6
 *	... r-xp, r--p, r--p
 *	7f0c5a7fe000-7f0c5a800000 rw-p 001d5000 fe:00 1311 /usr/lib/x86_64-linux-gnu/libc.so.6
 *	7f0c5a800000-7f0c5a80d000 rw-p 00000000 00:00 0		(.bss)
 */
#include "glibc/internal.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "target/mappings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES (64u << 10)
#define DATA_MAX    (1u << 20) /* the C library's data has 24 KiB */
#define DATA_VMAS   16u
#define SEARCH_MAX  (64u << 20) /* for the version: all of the library has 2 MiB */
#define LIBRARIES   8u
#define ATTEMPTS    3 /* to find what a thread may just be changing */

static const char *base_name(const struct vma *v)
{
	const char *slash = v->path ? strrchr(v->path, '/') : NULL;

	return slash ? slash + 1 : "";
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* libc.so.6, libc-2.31.so, and "libc.so.6 (deleted)" after an upgrade */
bool glibc_is_libc(const struct vma *v)
{
	const char *name = base_name(v);

	return v->inode && (starts_with(name, "libc.so.6") || starts_with(name, "libc-2."));
}

/* Whose data has lists of threads: ld-linux-x86-64.so.2, ld-2.31.so, libpthread-2.31.so */
bool glibc_is_loader(const struct vma *v)
{
	const char *name = base_name(v);

	return v->inode && (starts_with(name, "ld-linux") || starts_with(name, "ld-2.") ||
			    starts_with(name, "ld.so") || starts_with(name, "libpthread"));
}

/* "GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n", "2.42.9000" */
static bool find_version(struct glibc *g, const char *text, size_t len)
{
	static const char words[] = "release version 2.";
	const char *at = memmem(text, len, words, sizeof(words) - 1), *end = text + len;
	unsigned int minor = 0, patch = 0;
	const char *digit;

	if (!at)
		return false;
	digit = at + sizeof(words) - 1;
	while (digit < end && *digit >= '0' && *digit <= '9' && minor < 1000)
		minor = minor * 10 + (unsigned int)(*digit++ - '0');
	if (digit < end && *digit == '.')
		digit++;
	while (digit < end && *digit >= '0' && *digit <= '9' && patch < 10000)
		patch = patch * 10 + (unsigned int)(*digit++ - '0');
	if (!minor)
		return false;
	/* on the way to the next one */
	g->minor = patch >= 9000 ? minor + 1 : minor;
	snprintf(g->version, sizeof(g->version), patch ? "2.%u.%u" : "2.%u", minor, patch);
	return true;
}

/* Blocks overlap: the words may lie across two. */
static bool search_mapping(struct glibc *g, const struct vma *v, bool absent_too, char *block)
{
	const size_t overlap = 64;

	for (uint64_t at = v->start; at < v->end; at += BLOCK_BYTES - overlap) {
		size_t n = (size_t)min((uint64_t)BLOCK_BYTES, v->end - at);
		int err = absent_too ? mem_read(g->mem, at, block, n)
				     : reader_copy(g->reader, at, block, n);

		if (!err && find_version(g, block, n))
			return true;
	}
	return false;
}

static bool is_same_file(const struct vma *a, const struct vma *b)
{
	return a->inode == b->inode && a->dev == b->dev;
}

int glibc_version(struct glibc *g, const struct vma *first)
{
	_cleanup_free_ char *block = malloc(BLOCK_BYTES);
	const char *name = base_name(first);
	unsigned int minor;

	if (!block)
		return -ENOMEM;
	/* what is not in the process's page tables is read from the file only if need be */
	for (int absent_too = 0; absent_too < 2; absent_too++) {
		uint64_t left = SEARCH_MAX;

		for (size_t i = 0; i < g->maps->nr; i++) {
			const struct vma *v = &g->maps->v[i];

			if (!is_same_file(v, first) || !v->read || v->write ||
			    v->end - v->start > left)
				continue;
			left -= v->end - v->start;
			if (search_mapping(g, v, absent_too, block))
				return 0;
		}
	}
	if (sscanf(name, "libc-2.%3u.so", &minor) != 1)
		return -ENOENT;
	g->minor = minor;
	snprintf(g->version, sizeof(g->version), "2.%u", minor);
	return 0;
}

/* -ENOENT: in none of the data of this library */
static int find_in_data(struct glibc *g, const struct vma *first)
{
	unsigned int nr = 0;
	int err = -ENOENT;

	for (size_t i = 0; i < g->maps->nr && err == -ENOENT && nr < DATA_VMAS; i++) {
		const struct vma *v = &g->maps->v[i];

		if (!is_same_file(v, first) || !v->write || v->shared || v->start < first->start)
			continue;
		err = glibc_find_state(g, v->start, min(v->end, v->start + (uint64_t)DATA_MAX));
		nr++;
	}
	return err;
}

/* Then there was nothing to be found in it. */
static bool data_is_swapped(const struct glibc *g, const struct vma *first)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < g->maps->nr && nr < DATA_VMAS; i++) {
		const struct vma *v = &g->maps->v[i];
		uint64_t word, end = min(v->end, v->start + (uint64_t)DATA_MAX);

		if (!is_same_file(v, first) || !v->write || v->shared || v->start < first->start)
			continue;
		for (uint64_t at = v->start; at < end; at += MEM_PAGE)
			if (mem_read_u64(g->mem, at, &word) == -ENODATA)
				return true;
		nr++;
	}
	return false;
}

/* What other malloc there may be: the name of a library, escaped; "" */
static const char *other_malloc(const struct maps *maps, char buf[static 128])
{
	static const char *const names[] = {"jemalloc", "tcmalloc", "mimalloc",
					    "scudo",	"snmalloc", "libhoard"};

	for (size_t i = 0; i < maps->nr; i++)
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			const char *name = base_name(&maps->v[i]);

			if (strstr(name, names[k]))
				return text_escape(buf, 128, name, strlen(name));
		}
	return "";
}

static int no_glibc(const struct maps *maps, struct fault *f)
{
	const char *other = mappings_allocator(maps);

	if (other && !strcmp(other, "musl"))
		return fault_set(f, ENOENT, "the C library is musl, not glibc");
	return fault_set(f, ENOENT, "no glibc is mapped");
}

static int open_library(struct glibc *g, const struct vma *first, struct fault *f)
{
	char name[128];
	int err = glibc_version(g, first);

	if (err == -ENOMEM)
		return fault_errno(f, ENOMEM, "glibc");
	if (err)
		return fault_set(f, ENOTSUP, "the version of glibc was not found");
	g->layout = glibc_layout(g->minor);
	if (!g->layout)
		return fault_set(f, ENOTSUP, "glibc %s is older than 2.31", g->version);
	err = find_in_data(g, first);
	for (int i = 1; i < ATTEMPTS && err == -ENOENT; i++) {
		reader_forget(g->reader);
		err = find_in_data(g, first);
	}
	if (!err && g->in_use)
		return 0;
	if (err == -ESRCH || err == -ENOMEM)
		return fault_errno(f, -err, "glibc %s", g->version);
	if (*other_malloc(g->maps, name))
		return fault_set(f, ENOENT, "glibc's malloc is not in use: %s is there", name);
	if (!err)
		return fault_set(f, ENOENT,
				 "glibc's malloc is not in use: another one is linked in");
	if (data_is_swapped(g, first))
		return fault_set(f, ENODATA, "malloc's own data is swapped out");
	return fault_set(f, ENOTSUP, "the malloc_state of glibc %s was not found", g->version);
}

int glibc_open(struct glibc **ret, const struct target *t, const struct maps *maps, struct mem *mem,
	       struct fault *f)
{
	struct glibc *g = calloc(1, sizeof(*g));
	unsigned int nr = 0;
	int err = -ENOENT;

	*ret = NULL;
	if (!g || reader_open(&g->reader, mem)) {
		free(g);
		return fault_errno(f, ENOMEM, "glibc");
	}
	g->target = t;
	g->maps = maps;
	g->mem = mem;
	/* dlmopen() maps a second one, whose malloc is hardly ever in use: the first that is */
	for (size_t i = 0; i < maps->nr && err && nr < LIBRARIES; i++) {
		const struct vma *v = &maps->v[i];

		if (!glibc_is_libc(v) || v->offset)
			continue;
		err = open_library(g, v, f);
		nr++;
		if (err == -ESRCH || err == -ENOMEM)
			break;
	}
	if (err && !g->version[0] && err == -ENOENT)
		err = no_glibc(maps, f);
	if (err == -ESRCH || err == -ENOMEM || !g->version[0]) {
		glibc_close(g);
		return err;
	}
	/* with another malloc its threads are still glibc's */
	*ret = g;
	if (!err)
		fault_clear(f);
	return err;
}

void glibc_close(struct glibc *g)
{
	if (!g)
		return;
	glibc_forget_arenas(g);
	reader_close(g->reader);
	free(g->threads);
	free(g);
}
