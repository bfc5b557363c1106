/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps, parsed:
 *   7f0c5a600000-7f0c5a628000 r--p 00000000 fe:00 1311 /usr/lib/x86_64-linux-gnu/libc.so.6
 *   7f0c5a7d0000-7f0c5a7d2000 rw-p 00000000 00:00 0
 *   55d0c0000000-55d0c0001000 r-xp 00000000 fe:00 77   /tmp/a\012b (deleted)
 * The kernel escapes only newline (\012) in paths; " (deleted)" is appended to unlinked files.
 */
#ifndef PMT_TARGET_MAPS_H
#define PMT_TARGET_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAPS_MAX (1u << 18)

struct vma {
	uint64_t start, end;
	uint64_t offset; /* in the file, bytes */
	dev_t dev;
	ino_t inode; /* 0: anonymous */
	uint8_t read : 1, write : 1, exec : 1, shared : 1;
	bool deleted;
	char *path; /* decoded; "[heap]" and friends as they are; NULL if there is none */
};

struct maps {
	struct vma *v;
	size_t nr;
};

/* Parses text (len bytes, need not end in NUL). -EINVAL: not maps text, -E2BIG, -ENOMEM. */
int maps_parse(struct maps *ret, const char *text, size_t len);
void maps_done(struct maps *m);

/* The mapping that holds addr, or NULL. */
const struct vma *maps_find(const struct maps *m, uint64_t addr);

#endif
