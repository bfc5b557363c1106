/* SPDX-License-Identifier: MIT */
/*
 * BPF_LINK_CREATE for uprobe_multi (since 6.6), which libbpf offers only since 1.3: one link per
 * program and file, attached and detached in milliseconds, without CAP_SYS_ADMIN.
 *
 * The kernel's own filter by process keeps others that run the same file free of the probes; but until
 * 6.10 it looked at the one thread and not at the process ("bpf: Fix multi-uprobe PID filtering
 * logic"), and later it loses the events of a process whose first thread has ended. It is used only for
 * probes of every call, and after a test; the programs filter by target, on all kernels alike.
 */
#ifndef PMT_TRACE_UPROBE_MULTI_H
#define PMT_TRACE_UPROBE_MULTI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* enum bpf_attach_type; a program must be loaded with it as its expected_attach_type. */
#define UPROBE_MULTI_ATTACH_TYPE 48

/*
 * Probes n offsets of the file, in one process or (pid 0) in all. cookies: one for each, or NULL.
 * Returns the fd of the link, or -errno.
 */
int uprobe_multi_link(int prog_fd, int file_fd, pid_t pid, const uint64_t *offsets,
		      const uint64_t *cookies, size_t n);

#endif
