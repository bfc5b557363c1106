/* SPDX-License-Identifier: MIT */
/*
 * The chunks of a heap in their order, before it is known whether the heap passes its checks: sizes and
 * kinds, neighbours of one kind together, a byte or two each.
 */
#ifndef PMT_GLIBC_CHUNK_LOG_H
#define PMT_GLIBC_CHUNK_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk_log {
	uint8_t *bytes;
	size_t len, size;
	uint64_t last; /* bytes of the newest run, which may still grow */
	unsigned int last_kind;
};

/* bytes: a multiple of 16; kind < 8. -ENOMEM */
int chunk_log_add(struct chunk_log *l, uint64_t bytes, unsigned int kind);
/* After the newest. */
int chunk_log_end(struct chunk_log *l);
/* One run after the other; *at is 0 at first. */
bool chunk_log_next(const struct chunk_log *l, size_t *at, uint64_t *ret_bytes,
		    unsigned int *ret_kind);
void chunk_log_done(struct chunk_log *l);

#endif
