/* SPDX-License-Identifier: MIT */
/*
 * What must be known of files before mappings can be told apart: libraries by their executable
 * mappings, tmpfs by its device, the size of .bss by the program headers in memory. No file is opened:
 * it might be one of a server that does not answer.
 */
#include "target/mappings_internal.h"

#include "base/cleanup.h"
#include "target/mem.h"
#include "target/proc.h"
#include "target/target.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MOUNTINFO_LIMIT (4u << 20)
#define MAX_PIECES	64 /* mappings of one library: five in practice */

static int compare_ids(const void *x, const void *y)
{
	const struct file_id *a = x, *b = y;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static int append(struct file_ids *ids, size_t *size, dev_t dev, ino_t inode)
{
	if (ids->nr == *size) {
		size_t n = *size ? *size * 2 : 64;
		struct file_id *more = reallocarray(ids->v, n, sizeof(*more));

		if (!more)
			return -ENOMEM;
		ids->v = more;
		*size = n;
	}
	ids->v[ids->nr++] = (struct file_id){dev, inode};
	return 0;
}

static void sort(struct file_ids *ids)
{
	if (ids->nr > 1)
		qsort(ids->v, ids->nr, sizeof(*ids->v), compare_ids);
}

bool file_ids_have(const struct file_ids *ids, dev_t dev, ino_t inode)
{
	struct file_id key = {dev, inode};

	return ids->nr && bsearch(&key, ids->v, ids->nr, sizeof(*ids->v), compare_ids);
}

void file_ids_done(struct file_ids *ids)
{
	free(ids->v);
	*ids = (struct file_ids){0};
}

int find_libraries(const struct maps *maps, struct file_ids *ret)
{
	size_t size = 0;
	int err = 0;

	*ret = (struct file_ids){0};
	for (size_t i = 0; i < maps->nr && !err; i++) {
		const struct vma *v = &maps->v[i];

		if (v->inode && v->exec && !v->shared)
			err = append(ret, &size, v->dev, v->inode);
	}
	sort(ret);
	return err;
}

/*
 *	24 1 0:22 / /dev/shm rw,nosuid,nodev shared:3 - tmpfs tmpfs rw,size=1024k
 *	     device                                     type
 */
static bool parse_mount(const char *line, dev_t *ret)
{
	unsigned int maj, min;
	const char *type;

	if (sscanf(line, "%*u %*u %u:%u ", &maj, &min) != 2)
		return false;
	type = strstr(line, " - ");
	if (!type)
		return false;
	type += 3;
	if (strncmp(type, "tmpfs ", 6) && strncmp(type, "devtmpfs ", 9))
		return false;
	*ret = makedev(maj, min);
	return true;
}

int find_shmem(const struct target *t, struct file_ids *ret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int memfd = memfd_create("device", MFD_CLOEXEC);
	size_t size = 0;
	struct stat st;
	char *rest;
	dev_t dev;
	int err = 0;

	*ret = (struct file_ids){0};
	/* one device for every memfd, MAP_SHARED without a file, and shmget() */
	if (memfd >= 0 && !fstat(memfd, &st))
		err = append(ret, &size, st.st_dev, 0);
	if (!err && proc_read_head(t->proc_fd, "mountinfo", MOUNTINFO_LIMIT, &text) > 0) {
		for (char *line = strtok_r(text, "\n", &rest); line && !err;
		     line = strtok_r(NULL, "\n", &rest))
			if (parse_mount(line, &dev))
				err = append(ret, &size, dev, 0);
	}
	sort(ret);
	return err;
}

/* The mapping of the beginning of the file that before maps. */
static const struct vma *first_mapping(const struct maps *maps, size_t before)
{
	const struct vma *of = &maps->v[before];

	for (size_t i = before + 1, steps = 0; i && steps < MAX_PIECES; i--, steps++) {
		const struct vma *v = &maps->v[i - 1];

		if (v->inode && (v->inode != of->inode || v->dev != of->dev))
			return NULL;
		if (v->inode && !v->offset)
			return v;
	}
	return NULL;
}

/* Behind the last byte of the segments; 0: these are no such headers. */
static uint64_t segments_end(const uint8_t *page, uint64_t at)
{
	uint64_t bias = 0, end = 0;
	const Elf64_Phdr *p;
	bool based = false;
	Elf64_Ehdr e;

	memcpy(&e, page, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) || e.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e.e_phentsize != sizeof(*p) || e.e_phoff > MEM_PAGE || e.e_phoff % 8 ||
	    e.e_phnum > (MEM_PAGE - e.e_phoff) / sizeof(*p))
		return 0;
	p = (const Elf64_Phdr *)(const void *)(page + e.e_phoff);
	for (size_t i = 0; i < e.e_phnum; i++) {
		if (p[i].p_type != PT_LOAD)
			continue;
		if (!based && p[i].p_offset < MEM_PAGE) {
			bias = at - p[i].p_vaddr / MEM_PAGE * MEM_PAGE;
			based = true;
		}
		end = max(end, p[i].p_vaddr + p[i].p_memsz);
	}
	if (!based)
		return 0;
	return (bias + end + MEM_PAGE - 1) / MEM_PAGE * MEM_PAGE;
}

uint64_t find_bss_end(const struct maps *maps, size_t i, struct mem *mem)
{
	const struct vma *v = &maps->v[i], *first = first_mapping(maps, i - 1);
	_Alignas(8) uint8_t page[MEM_PAGE];
	uint64_t present = 0, end;

	if (!mem || !first || mem_presence(mem, first->start, 1, &present) || !(present & 1) ||
	    mem_read_present(mem, first->start, page, sizeof(page)))
		return v->end;
	end = segments_end(page, first->start);
	if (!end)
		return v->end;
	end = max(end, v->start);
	return min(end, v->end);
}
