/* SPDX-License-Identifier: MIT */
/*
 * Reading a target's memory without a trace. Two backends behind one struct: a live process
 * (/proc/PID/mem) and a recorded image (tests, fuzzers).
 *
 * Two rules, each measured to matter (docs/how-it-works.md):
 *  - pread on /proc/PID/mem, never process_vm_readv: that pins, so the kernel copies every page a
 *    forked target shares copy-on-write;
 *  - only pages that are present (PAGEMAP_SCAN, else /proc/PID/pagemap): nothing is faulted or
 *    swapped in. A page never touched is answered without reading it: zeros if it is anonymous,
 *    the file's bytes if it maps a file.
 */
#ifndef PMT_TARGET_MEM_H
#define PMT_TARGET_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEM_PAGE 4096u

struct mem;

struct mem_ops {
	/* Fills buf wholly or fails. -EFAULT: not mapped. -ENODATA: swapped out. -ESRCH: gone. */
	int (*read)(struct mem *m, uint64_t addr, void *buf, size_t len);
	/*
	 * Presence of the nr_pages pages from addr (page aligned): bit i of present is set if page
	 * i can be read without a fault. Not mapped counts as absent. 0 or -errno.
	 */
	int (*presence)(struct mem *m, uint64_t addr, size_t nr_pages, uint64_t *present);
	/* As read, for pages known to be present: no check, one system call. */
	int (*read_present)(struct mem *m, uint64_t addr, void *buf, size_t len);
	void (*close)(struct mem *m);
};

struct mem {
	const struct mem_ops *ops;
	uint64_t reads; /* system calls or look-ups made, for the curious */
};

static inline int mem_read(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	return m->ops->read(m, addr, buf, len);
}

static inline int mem_presence(struct mem *m, uint64_t addr, size_t nr_pages, uint64_t *present)
{
	return m->ops->presence(m, addr, nr_pages, present);
}

static inline int mem_read_present(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	return m->ops->read_present(m, addr, buf, len);
}

static inline int mem_read_u64(struct mem *m, uint64_t addr, uint64_t *ret)
{
	return mem_read(m, addr, ret, sizeof(*ret));
}

static inline int mem_read_u32(struct mem *m, uint64_t addr, uint32_t *ret)
{
	return mem_read(m, addr, ret, sizeof(*ret));
}

void mem_close(struct mem *m); /* accepts NULL */

#endif
