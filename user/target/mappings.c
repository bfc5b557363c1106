/* SPDX-License-Identifier: MIT */
/*
 * One rule after the other, the first that holds names the mapping:
 *
 *	[stack] [vdso] [vvar]		the kernel's names
 *	[anon:NAME]			given by prctl(PR_SET_VMA_ANON_NAME); some allocators do
 *	shared, of memory		memfd, /dev/zero (MAP_SHARED without a file), /SYSV..., tmpfs
 *	of a file			text and data of a library, another file; pages of it that are no
 *					longer the file's are copies
 *	behind a library's data		its .bss
 *	anonymous			another allocator's, where one is in use; else nobody knows
 *
 * A target can map files of any name: names are cut to their last component, and whoever prints them
 * escapes them.
 */
#include "target/mappings.h"

#include "base/cleanup.h"
#include "model/account.h"
#include "model/page_runs.h"
#include "target/maps.h"
#include "target/mappings_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An allocator's: smaller ones are of ld.so, or somebody's buffer. */
#define ALLOCATOR_MAPPING (64u << 10)
/* MI_SEGMENT_SIZE and MI_SEGMENT_ALIGN of the mimalloc in CPython 3.13 and later. */
#define MIMALLOC_SEGMENT (32u << 20)

struct classifier {
	const struct maps *maps;
	const struct mappings_hints *hints;
	struct mem *mem;
	struct account *account;
	struct file_ids libraries, shmem;
	size_t run; /* of the account: none behind the mapping at hand */
};

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static bool begins(const char *s, const char *with)
{
	return s && !strncmp(s, with, strlen(with));
}

/* Names that allocators give their mappings, and of their libraries: how these begin, or all of it. */
static const struct {
	const char *library, *mapping, *name;
	bool whole;
} allocators[] = {
	{"libjemalloc", "jemalloc", "jemalloc", false},
	{"libtcmalloc", "tcmalloc", "tcmalloc", false},
	{"libmimalloc", "mimalloc", "mimalloc", false},
	{"ld-musl-", NULL, "musl", false},
	{"libc.musl-", NULL, "musl", false},
	{"libc.so", NULL, "musl", true}, /* as musl installs it; glibc's is a text for the linker */
	{NULL, "scudo", "scudo", false},
};

static bool is_library_of(const struct vma *v, unsigned int k)
{
	const char *name = base_name(v->path);

	if (!v->inode || !v->exec || !name)
		return false;
	return allocators[k].whole ? !strcmp(name, allocators[k].library)
				   : begins(name, allocators[k].library);
}

const char *mappings_allocator(const struct maps *maps)
{
	for (size_t k = 0; k < ARRAY_SIZE(allocators); k++) {
		for (size_t i = 0; i < maps->nr && allocators[k].library; i++)
			if (is_library_of(&maps->v[i], k))
				return allocators[k].name;
	}
	return NULL;
}

static bool is_anonymous(const struct vma *v)
{
	return !v->inode && !v->path && !v->shared;
}

/* Pages of a private mapping of a file that are its own by now. */
static void add_copies(struct classifier *c, const struct vma *v, struct account_area *area)
{
	const struct runs *r = account_runs(c->account);

	c->run = runs_find(r, v->start, c->run);
	for (size_t i = c->run; i < r->nr && r->v[i].start < v->end; i++)
		if (!(r->v[i].flags & PAGE_IS_OF_FILE))
			account_part(area, r->v[i].start, r->v[i].end, MEMORY_FILE_PRIVATE);
}

/* "/memfd:arrow", "/dev/zero", "/SYSV00000000", "/dev/shm/sem.x", "[anon_shmem:pool]" */
static int add_shared(struct classifier *c, const struct vma *v)
{
	const char *name = base_name(v->path);
	char label[256];

	if (v->path && !strcmp(v->path, "/dev/zero")) {
		name = "without a file";
	} else if (begins(v->path, "[anon_shmem:")) {
		snprintf(label, sizeof(label), "%s", v->path + strlen("[anon_shmem:"));
		label[strcspn(label, "]")] = 0;
		name = label;
	}
	return account_area(c->account, v->start, v->end, MEMORY_SHARED, name, NULL);
}

static int add_file(struct classifier *c, const struct vma *v)
{
	bool library = file_ids_have(&c->libraries, v->dev, v->inode);
	enum memory_kind kind = MEMORY_FILE_OTHER;
	struct account_area *area;
	int err;

	if (library && !v->shared)
		kind = MEMORY_FILE_TEXT;
	else if (file_ids_have(&c->shmem, v->dev, 0))
		kind = MEMORY_SHARED;
	if (kind == MEMORY_SHARED && v->shared)
		return add_shared(c, v);
	err = account_area(c->account, v->start, v->end, kind, base_name(v->path), &area);
	if (!err && !v->shared)
		add_copies(c, v, area);
	return err;
}

/* "[anon: glibc: malloc arena]", "[anon:jemalloc_pg]", "[uprobes]" */
static int add_named(struct classifier *c, const struct vma *v)
{
	const char *at = v->path + (begins(v->path, "[anon:") ? strlen("[anon:") : 1);
	enum memory_kind kind = MEMORY_ANONYMOUS;
	char label[256];
	size_t n;

	snprintf(label, sizeof(label), "%s", at + strspn(at, " "));
	n = strlen(label);
	if (n && label[n - 1] == ']')
		label[n - 1] = 0;
	for (size_t k = 0; k < ARRAY_SIZE(allocators); k++) {
		if (allocators[k].mapping && begins(label, allocators[k].mapping)) {
			kind = MEMORY_OTHER_MALLOC;
			strcpy(label, allocators[k].name);
			break;
		}
	}
	if (begins(label, "glibc: pthread stack"))
		kind = MEMORY_STACK;
	if (c->hints->malloc && !strcmp(label, "heap")) {
		kind = MEMORY_OTHER_MALLOC;
		snprintf(label, sizeof(label), "%s", c->hints->malloc);
	}
	return account_area(c->account, v->start, v->end, kind, label, NULL);
}

static int add_bss(struct classifier *c, size_t i, uint64_t *ret_end)
{
	const struct vma *v = &c->maps->v[i], *data = v - 1;

	*ret_end = v->start;
	if (!i || data->end != v->start || !data->inode || !data->write || data->shared ||
	    !v->write || v->exec || !file_ids_have(&c->libraries, data->dev, data->inode))
		return 0;
	*ret_end = find_bss_end(c->maps, i, c->mem);
	return account_area(c->account, v->start, *ret_end, MEMORY_BSS, base_name(data->path),
			    NULL);
}

/* Neighbours that the kernel keeps apart, by their flags, are one mapping of the program. */
static bool has_segment(const struct maps *maps, size_t i, uint64_t from)
{
	while (maps->v[i].end - from < MIMALLOC_SEGMENT && i + 1 < maps->nr &&
	       is_anonymous(&maps->v[i + 1]) && maps->v[i + 1].start == maps->v[i].end)
		i++;
	return maps->v[i].end - from >= MIMALLOC_SEGMENT;
}

static int add_anonymous(struct classifier *c, size_t i, uint64_t from)
{
	const struct vma *v = &c->maps->v[i];
	const char *name = NULL;

	if (c->hints->malloc && v->write && v->end - from >= ALLOCATOR_MAPPING)
		name = c->hints->malloc;
	if (!name && c->hints->python_mimalloc) {
		uint64_t segment =
			(from + MIMALLOC_SEGMENT - 1) & ~(uint64_t)(MIMALLOC_SEGMENT - 1);

		if (segment < v->end && has_segment(c->maps, i, segment)) {
			from = segment;
			name = "mimalloc";
		}
	}
	if (!name)
		return 0;
	return account_area(c->account, from, v->end, MEMORY_OTHER_MALLOC, name, NULL);
}

static int add_mapping(struct classifier *c, size_t i)
{
	const struct vma *v = &c->maps->v[i];
	uint64_t from;
	int err;

	if (v->inode)
		return begins(v->path, "[anon_shmem:") ? add_shared(c, v) : add_file(c, v);
	if (is_anonymous(v)) {
		err = add_bss(c, i, &from);
		return err || from == v->end ? err : add_anonymous(c, i, from);
	}
	if (begins(v->path, "[stack"))
		return account_area(c->account, v->start, v->end, MEMORY_STACK, "main thread",
				    NULL);
	if (begins(v->path, "[v"))
		return account_area(c->account, v->start, v->end, MEMORY_VDSO, NULL, NULL);
	return v->path ? add_named(c, v) : 0;
}

int mappings_account(const struct target *t, const struct maps *maps, struct mem *mem,
		     const struct mappings_hints *hints, struct account *a)
{
	struct classifier c = {
		.maps = maps,
		.hints = hints,
		.mem = mem,
		.account = a,
	};
	int err = find_libraries(maps, &c.libraries);

	if (!err)
		err = find_shmem(t, &c.shmem);
	if (!err && hints->malloc)
		err = add_thread_stacks(t, maps, mem, a);
	for (size_t i = 0; i < maps->nr && !err; i++)
		err = add_mapping(&c, i);
	file_ids_done(&c.libraries);
	file_ids_done(&c.shmem);
	return err;
}
