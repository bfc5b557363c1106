/* SPDX-License-Identifier: MIT */
/* What kernel events (record --event) need, tried. */
#include "trace/features_internal.h"

#include "base/cleanup.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int feature_tracepoint(const char *name, char *detail, size_t size)
{
	_cleanup_fd_ int program = feature_load_tracing(name, BPF_TRACE_RAW_TP);
	_cleanup_fd_ int link = -1;
	char what[64];

	snprintf(what, sizeof(what), "%s tracepoint %s",
		 program < 0 ? "loading for" : "attaching to", name);
	if (program < 0)
		return feature_no(detail, size, what, program);
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link < 0)
		return feature_no(detail, size, what, link);
	snprintf(detail, size, "tracepoint %s attaches", name);
	return 1;
}

int feature_syscalls(char *detail, size_t size)
{
	return feature_tracepoint("sys_enter", detail, size) &&
	       feature_tracepoint("sys_exit", detail, size);
}

int feature_reclaim(char *detail, size_t size)
{
	return feature_tracepoint("mm_vmscan_direct_reclaim_end", detail, size) &&
	       feature_tracepoint("mm_vmscan_memcg_reclaim_end", detail, size);
}

int feature_oom(char *detail, size_t size)
{
	return feature_tracepoint("mark_victim", detail, size);
}

/*
 * A program at a software event, as faults.c attaches it on each CPU. Not one of a task: for the first
 * of these the kernel patches its scheduler.
 */
int feature_faults(char *detail, size_t size)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
		.sample_period = 1,
	};
	_cleanup_fd_ int fd = -1;
	_cleanup_fd_ int program = -1;

	if (!feature_tracepoint("page_fault_kernel", detail, size) ||
	    !feature_tracepoint("page_fault_user", detail, size))
		return 0;
	program = feature_load_program(BPF_PROG_TYPE_PERF_EVENT, 0, 0);
	if (program < 0)
		return feature_no(detail, size, "loading for a software event", program);
	fd = syscall(SYS_perf_event_open, &attr, -1, sched_getcpu(), -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0)
		return feature_no(detail, size, "attaching to a software event", errno);
	return feature_yes(detail, size, "software event page-faults-min attaches");
}
