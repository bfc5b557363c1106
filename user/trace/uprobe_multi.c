/* SPDX-License-Identifier: MIT */
#include "trace/uprobe_multi.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BPF_LINK_CREATE 28

/* union bpf_attr, link_create with uprobe_multi, include/uapi/linux/bpf.h since 6.6. */
struct link_create_uprobe_multi {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, uprobe_flags, pid, pad;
};

int uprobe_multi_link(int prog_fd, int file_fd, pid_t pid, const uint64_t *offsets,
		      const uint64_t *cookies, size_t n)
{
	/* By the descriptor: the path that names the file may be another container's. */
	char path[32];
	struct link_create_uprobe_multi attr = {
		.prog_fd = prog_fd,
		.attach_type = UPROBE_MULTI_ATTACH_TYPE,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.cookies = (uintptr_t)cookies,
		.cnt = n,
		.pid = pid,
	};
	long fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : (int)fd;
}
