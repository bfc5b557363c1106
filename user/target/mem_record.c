/* SPDX-License-Identifier: MIT */
/*
 * The recorder of images: a reader in front of another one that keeps a copy of every page read.
 * Pages are kept in a hash table of addresses and sorted when they are written out.
 */
#include "target/mem_image.h"

#include "base/cleanup.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct kept_page {
	uint64_t addr;
	char *bytes; /* NULL: an empty slot */
};

struct mem_record {
	struct mem base;
	struct mem *inner;
	struct kept_page *slots;
	size_t size; /* a power of two, at most half of it used */
	size_t nr, max;
};

static struct mem_record *record(struct mem *m)
{
	return (struct mem_record *)m;
}

static struct kept_page *slot_of(struct kept_page *slots, size_t size, uint64_t addr)
{
	size_t i = (size_t)(addr / MEM_PAGE * 0x9e3779b97f4a7c15ull >> 20) & (size - 1);

	while (slots[i].bytes && slots[i].addr != addr)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static int grow(struct mem_record *r)
{
	size_t size = r->size ? r->size * 2 : 256;
	struct kept_page *slots;

	if (r->nr < r->size / 2)
		return 0;
	slots = calloc(size, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < r->size; i++)
		if (r->slots[i].bytes)
			*slot_of(slots, size, r->slots[i].addr) = r->slots[i];
	free(r->slots);
	r->slots = slots;
	r->size = size;
	return 0;
}

static int keep_page(struct mem_record *r, uint64_t addr, const char **ret)
{
	_cleanup_free_ char *bytes = NULL;
	struct kept_page *slot;
	int err;

	err = grow(r);
	if (err)
		return err;
	slot = slot_of(r->slots, r->size, addr);
	if (!slot->bytes) {
		if (r->nr >= r->max)
			return -ENOSPC;
		bytes = malloc(MEM_PAGE);
		if (!bytes)
			return -ENOMEM;
		err = mem_read(r->inner, addr, bytes, MEM_PAGE);
		if (err)
			return err;
		*slot = (struct kept_page){addr, steal_ptr(bytes)};
		r->nr++;
	}
	*ret = slot->bytes;
	return 0;
}

static int record_read(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	char *out = buf;

	m->reads++;
	if (len > UINT64_MAX - addr)
		return -EFAULT;
	while (len) {
		size_t skip = addr % MEM_PAGE, n = min(len, MEM_PAGE - skip);
		const char *bytes;
		int err = keep_page(record(m), addr - skip, &bytes);

		if (err)
			return err;
		memcpy(out, bytes + skip, n);
		addr += n;
		out += n;
		len -= n;
	}
	return 0;
}

static int record_presence(struct mem *m, uint64_t addr, size_t nr_pages, uint64_t *present)
{
	return mem_presence(record(m)->inner, addr, nr_pages, present);
}

static void record_close(struct mem *m)
{
	for (size_t i = 0; i < record(m)->size; i++)
		free(record(m)->slots[i].bytes);
	free(record(m)->slots);
	free(m);
}

static const struct mem_ops record_ops = {
	.read = record_read,
	.presence = record_presence,
	.read_present = record_read,
	.close = record_close,
};

int mem_record_open(struct mem **ret, struct mem *inner, size_t max_pages)
{
	struct mem_record *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->base.ops = &record_ops;
	r->inner = inner;
	r->max = max_pages;
	*ret = &r->base;
	return 0;
}

static int compare_pages(const void *a, const void *b)
{
	uint64_t x = (*(const struct kept_page *const *)a)->addr;
	uint64_t y = (*(const struct kept_page *const *)b)->addr;

	return (x > y) - (x < y);
}

static void put(FILE *out, const void *p, size_t len)
{
	fwrite(p, 1, len, out); /* errors stay in the stream until it is closed */
}

/* Neighbouring pages make one range. Writes the table of ranges, or only counts them. */
static uint32_t put_ranges(FILE *out, struct kept_page *const *pages, size_t nr)
{
	uint32_t nr_ranges = 0;

	for (size_t i = 0; i < nr;) {
		uint64_t range[2] = {pages[i]->addr, 0};

		do {
			range[1] += MEM_PAGE;
			i++;
		} while (i < nr && pages[i]->addr == range[0] + range[1]);
		nr_ranges++;
		if (out)
			put(out, range, sizeof(range));
	}
	return nr_ranges;
}

int mem_record_write(const struct mem *recorder, const char *path, struct fault *f)
{
	const struct mem_record *r = (const struct mem_record *)recorder;
	_cleanup_free_ struct kept_page **pages = calloc(r->nr + 1, sizeof(*pages));
	FILE *out;
	size_t nr = 0;
	uint32_t numbers[2] = {1};
	bool failed;

	if (!pages)
		return fault_errno(f, ENOMEM, "%s", path);
	for (size_t i = 0; i < r->size; i++)
		if (r->slots[i].bytes)
			pages[nr++] = &r->slots[i];
	qsort(pages, nr, sizeof(*pages), compare_pages);
	out = fopen(path, "we");
	if (!out)
		return fault_errno(f, errno, "%s", path);
	numbers[1] = put_ranges(NULL, pages, nr);
	put(out, "PMTIMAGE", 8);
	put(out, numbers, sizeof(numbers));
	put_ranges(out, pages, nr);
	for (size_t i = 0; i < nr; i++)
		put(out, pages[i]->bytes, MEM_PAGE);
	failed = ferror(out);
	if (fclose(out) || failed)
		return fault_errno(f, errno ? errno : EIO, "%s", path);
	return 0;
}
