/* SPDX-License-Identifier: MIT */
/*
 * Two caches, both direct-mapped: presence in windows of 16 MiB (one system call each), and bytes in
 * pages. Lists of free chunks leap about in the heap and come back to the same pages, or they go through
 * it page by page, up or down: then the neighbours come along.
 */
#include "glibc/reader.h"

#include "base/cleanup.h"
#include "target/mem.h"

#include <errno.h>
#include <string.h>

#define WINDOW_PAGES 4096u
#define WINDOW_BYTES ((uint64_t)WINDOW_PAGES * MEM_PAGE)
#define NR_WINDOWS   64u
#define NR_PAGES     1024u
#define GROUP_BYTES  (16ull * MEM_PAGE) /* that come along */
#define STREAM_PAGES 256u		/* 1 MiB */
#define NOWHERE	     1u			/* the address of no page */

struct window {
	uint64_t start;
	uint64_t bits[WINDOW_PAGES / 64];
};

struct reader {
	struct mem *mem;
	struct window windows[NR_WINDOWS];
	uint64_t first, end; /* of the pages read last */
	uint64_t starts[NR_PAGES];
	uint8_t pages[NR_PAGES][MEM_PAGE];
};

int reader_open(struct reader **ret, struct mem *mem)
{
	struct reader *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->mem = mem;
	reader_forget(r);
	*ret = r;
	return 0;
}

void reader_close(struct reader *r)
{
	free(r);
}

void reader_forget(struct reader *r)
{
	for (size_t i = 0; i < NR_WINDOWS; i++)
		r->windows[i].start = NOWHERE;
	for (size_t i = 0; i < NR_PAGES; i++)
		r->starts[i] = NOWHERE;
	r->first = r->end = NOWHERE;
}

static int look(struct reader *r, uint64_t addr, const struct window **ret)
{
	uint64_t start = addr / WINDOW_BYTES * WINDOW_BYTES;
	struct window *w = &r->windows[start / WINDOW_BYTES % NR_WINDOWS];
	int err = 0;

	if (w->start != start) {
		w->start = NOWHERE;
		err = mem_presence(r->mem, start, WINDOW_PAGES, w->bits);
		if (!err)
			w->start = start;
	}
	*ret = w;
	return err;
}

static bool is_set(const struct window *w, uint64_t page)
{
	return w->bits[page % WINDOW_PAGES / 64] >> page % 64 & 1;
}

int64_t reader_present(struct reader *r, uint64_t addr, uint64_t end)
{
	uint64_t at = addr;

	while (at < end) {
		uint64_t page = at / MEM_PAGE;
		const struct window *w;
		int err = look(r, at, &w);

		if (err)
			return err;
		if (!is_set(w, page))
			break;
		at = (page + 1) * MEM_PAGE;
	}
	return (int64_t)(min(at, end) - addr);
}

static size_t slot(uint64_t page)
{
	return page / MEM_PAGE % NR_PAGES;
}

/* The pages around `page` that are read with it; a group has one slot behind the other. */
static int64_t neighbours(struct reader *r, uint64_t page, uint64_t *ret_first)
{
	uint64_t group = page / GROUP_BYTES * GROUP_BYTES, first = page;
	int64_t n;

	*ret_first = page;
	if (page + MEM_PAGE != r->first && page != r->end)
		return reader_present(r, page, page + MEM_PAGE);
	while (first > group && reader_present(r, first - MEM_PAGE, first) > 0)
		first -= MEM_PAGE;
	n = reader_present(r, page, group + GROUP_BYTES);
	*ret_first = first;
	return n > 0 ? n + (int64_t)(page - first) : n;
}

static int load(struct reader *r, uint64_t page, const uint8_t **ret)
{
	uint64_t first;
	int64_t n;
	int err;

	*ret = r->pages[slot(page)];
	if (r->starts[slot(page)] == page)
		return 0;
	n = neighbours(r, page, &first);
	if (n <= 0)
		return n ? (int)n : -ENODATA;
	for (int64_t i = 0; i < n; i += MEM_PAGE)
		r->starts[slot(first + (uint64_t)i)] = NOWHERE;
	err = mem_read_present(r->mem, first, r->pages[slot(first)], (size_t)n);
	for (int64_t i = 0; i < n && !err; i += MEM_PAGE)
		r->starts[slot(first + (uint64_t)i)] = first + (uint64_t)i;
	r->first = first;
	r->end = first + (uint64_t)n;
	return err;
}

int reader_get(struct reader *r, uint64_t addr, void *buf, size_t len)
{
	uint8_t *out = buf;

	if (len > UINT64_MAX - addr)
		return -ENODATA;
	while (len) {
		uint64_t in_page = addr % MEM_PAGE;
		size_t n = (size_t)min((uint64_t)len, MEM_PAGE - in_page);
		const uint8_t *page;
		int err = load(r, addr - in_page, &page);

		if (err)
			return err;
		memcpy(out, page + in_page, n);
		addr += n;
		out += n;
		len -= n;
	}
	return 0;
}

int reader_u64(struct reader *r, uint64_t addr, uint64_t *ret)
{
	return reader_get(r, addr, ret, sizeof(*ret));
}

int reader_copy(struct reader *r, uint64_t addr, void *buf, size_t len)
{
	uint64_t end = addr + len;
	uint8_t *out = buf;

	memset(buf, 0, len);
	while (addr < end) {
		int64_t n = reader_present(r, addr, end);
		int err = 0;

		if (n > 0)
			err = mem_read_present(r->mem, addr, out, (size_t)n);
		if (n < 0 || err)
			return n < 0 ? (int)n : err;
		if (!n)
			n = (int64_t)(min((addr / MEM_PAGE + 1) * MEM_PAGE, end) - addr);
		addr += (uint64_t)n;
		out += n;
	}
	return 0;
}

int stream_open(struct stream *s, struct reader *r, uint64_t limit)
{
	*s = (struct stream){.reader = r, .limit = limit, .pages = 1};
	s->buf = malloc((size_t)STREAM_PAGES * MEM_PAGE);
	return s->buf ? 0 : -ENOMEM;
}

void stream_close(struct stream *s)
{
	free(s->buf);
}

/*
 * Reading costs as much per page as leaping over one saves: the next page in a row doubles the piece, and
 * a leap ends the row.
 */
int stream_move(struct stream *s, uint64_t addr)
{
	uint64_t start = addr / MEM_PAGE * MEM_PAGE;
	int64_t n;
	int err;

	s->pages = start == s->start + s->len ? min(s->pages * 2, (size_t)STREAM_PAGES) : 1;
	s->len = 0;
	s->start = start;
	if (start >= s->limit)
		return -ENODATA;
	n = reader_present(s->reader, start, min(s->limit, start + s->pages * MEM_PAGE));
	if (n <= 0)
		return n ? (int)n : -ENODATA;
	err = mem_read_present(s->reader->mem, start, s->buf, (size_t)n);
	if (!err)
		s->len = (uint64_t)n;
	return err;
}
