/* SPDX-License-Identifier: MIT */
/* What the files of the classification share: which files are libraries, which devices are tmpfs. */
#ifndef PMT_TARGET_MAPPINGS_INTERNAL_H
#define PMT_TARGET_MAPPINGS_INTERNAL_H

#include "target/maps.h"

struct account;
struct mem;
struct target;

struct file_id {
	dev_t dev;
	ino_t inode;
};

/* Sorted, each once. */
struct file_ids {
	struct file_id *v;
	size_t nr;
};

bool file_ids_have(const struct file_ids *ids, dev_t dev, ino_t inode);
void file_ids_done(struct file_ids *ids);

/* Files of which a part is executable: programs and libraries. -ENOMEM */
int find_libraries(const struct maps *maps, struct file_ids *ret);

/* Devices (inode 0) whose files are memory: tmpfs as t mounts it, and the kernel's own. -ENOMEM */
int find_shmem(const struct target *t, struct file_ids *ret);

/*
 * Where the .bss of the library ends whose last mapping of its file is maps->v[i - 1] and behind which
 * the anonymous maps->v[i] begins; maps->v[i].start: it has none.
 */
uint64_t find_bss_end(const struct maps *maps, size_t i, struct mem *mem);

/* Of all threads that do not run at this moment. mem may be NULL. -ENOMEM */
int add_thread_stacks(const struct target *t, const struct maps *maps, struct mem *mem,
		      struct account *a);

#endif
