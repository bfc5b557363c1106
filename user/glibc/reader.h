/* SPDX-License-Identifier: MIT */
/*
 * Small reads of a process's memory, many of the same pages: presence and bytes are kept. Nothing that
 * is not present is ever read.
 */
#ifndef PMT_GLIBC_READER_H
#define PMT_GLIBC_READER_H

#include <stddef.h>
#include <stdint.h>

struct mem;
struct reader;

int reader_open(struct reader **ret, struct mem *mem);
void reader_close(struct reader *r); /* accepts NULL */

/* What it has kept is out of date. */
void reader_forget(struct reader *r);

/* Bytes from addr that are present, up to end; 0: the page of addr is not. -errno */
int64_t reader_present(struct reader *r, uint64_t addr, uint64_t end);

/* -ENODATA: not all of it is present. -errno */
int reader_get(struct reader *r, uint64_t addr, void *buf, size_t len);
int reader_u64(struct reader *r, uint64_t addr, uint64_t *ret);

/* As reader_get, but past the pages kept, and zeros for those that are not present. */
int reader_copy(struct reader *r, uint64_t addr, void *buf, size_t len);

/*
 * A window that moves upwards over memory, up to limit: large pieces while it moves from page to page,
 * single pages while it leaps.
 */
struct stream {
	struct reader *reader;
	uint8_t *buf;
	uint64_t start, len; /* of what buf holds */
	uint64_t limit;
	size_t pages; /* of the next piece */
};

int stream_open(struct stream *s, struct reader *r, uint64_t limit);
void stream_close(struct stream *s);
/* Slow path of stream_at(). */
int stream_move(struct stream *s, uint64_t addr);

/* The 16 bytes at addr, a multiple of 16. -ENODATA: not present, or past limit. -errno */
static inline int stream_at(struct stream *s, uint64_t addr, const uint64_t **ret)
{
	int err = 0;

	/* len is of whole pages */
	if (addr - s->start >= s->len)
		err = stream_move(s, addr);
	*ret = (const uint64_t *)(const void *)(s->buf + (addr - s->start));
	return err;
}

#endif
