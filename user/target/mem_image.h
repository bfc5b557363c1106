/* SPDX-License-Identifier: MIT */
/*
 * Memory of a process as it was once recorded: for tests and fuzzers. All numbers little-endian:
 *
 *   "PMTIMAGE"  u32 version (1)  u32 nr_ranges
 *   nr_ranges times: u64 addr, u64 len     ascending, whole pages, not overlapping
 *   the bytes of all ranges, one after the other
 */
#ifndef PMT_TARGET_MEM_IMAGE_H
#define PMT_TARGET_MEM_IMAGE_H

#include "target/mem.h"

struct fault;

/*
 * An image in a buffer (copied) or a file. Pages that were not recorded read as -ENODATA.
 * -EINVAL: not an image.
 */
int mem_image_parse(struct mem **ret, const void *data, size_t len, struct fault *f);
int mem_image_open(struct mem **ret, const char *path, struct fault *f);

/*
 * Passes on to inner (borrowed) and keeps a copy of every page read: each page is read once, so
 * the image is what its reader saw. Presence is passed on and keeps nothing. -ENOSPC: more than
 * max_pages. mem_record_write() writes what has been kept.
 */
int mem_record_open(struct mem **ret, struct mem *inner, size_t max_pages);
int mem_record_write(const struct mem *recorder, const char *path, struct fault *f);

#endif
