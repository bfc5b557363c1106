/* SPDX-License-Identifier: MIT */
/* A run is a number, 7 bits per byte, the lowest first: bytes / 16 above 3 bits of kind. */
#include "glibc/chunk_log.h"

#include <errno.h>
#include <stdlib.h>

#define RUN_BYTES 10 /* at most: 64 bits */

int chunk_log_end(struct chunk_log *l)
{
	uint64_t v = l->last / 16 << 3 | l->last_kind;

	if (!l->last)
		return 0;
	if (l->size - l->len < RUN_BYTES) {
		size_t size = l->size ? l->size * 2 : 4096;
		uint8_t *more = realloc(l->bytes, size);

		if (!more)
			return -ENOMEM;
		l->bytes = more;
		l->size = size;
	}
	for (; v >= 0x80; v >>= 7)
		l->bytes[l->len++] = (uint8_t)(v | 0x80);
	l->bytes[l->len++] = (uint8_t)v;
	l->last = 0;
	return 0;
}

int chunk_log_add(struct chunk_log *l, uint64_t bytes, unsigned int kind)
{
	int err = 0;

	if (kind != l->last_kind)
		err = chunk_log_end(l);
	l->last += bytes;
	l->last_kind = kind;
	return err;
}

bool chunk_log_next(const struct chunk_log *l, size_t *at, uint64_t *ret_bytes,
		    unsigned int *ret_kind)
{
	unsigned int shift = 0;
	uint64_t v = 0;

	if (*at >= l->len)
		return false;
	do {
		v |= (uint64_t)(l->bytes[*at] & 0x7f) << shift;
		shift += 7;
	} while (l->bytes[(*at)++] & 0x80);
	*ret_bytes = v >> 3 << 4;
	*ret_kind = v & 7;
	return true;
}

void chunk_log_done(struct chunk_log *l)
{
	free(l->bytes);
	*l = (struct chunk_log){0};
}
