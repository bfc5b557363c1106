/* SPDX-License-Identifier: MIT */
#include "trace/probes.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "trace/trace.h"
#include "trace/uprobe_multi.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>

/* Attached in this order: on_rss_change looks at what on_rss_stat has just left for it. */
/* clang-format off */
const struct probe probes[] = {
	{"rss", "on_rss_stat", PROBE_TRACEPOINT, WHEN_ALWAYS, 0, false, FEATURE_RSS_STAT,
	 "0.1 us per change of any process's RSS, 0.3 us per change of a target's", 0, 0},
	{"exec", "on_exec", PROBE_TRACEPOINT, WHEN_ALWAYS, 0, true, FEATURE_BPF, "none to speak of", 0, 0},
	{"exit", "on_exit", PROBE_TRACEPOINT, WHEN_ALWAYS, 0, true, FEATURE_BPF, "none to speak of", 0, 0},
	{"fork", "on_fork", PROBE_TRACEPOINT, WHEN_PROGRAMS, 0, true, FEATURE_BPF, "none to speak of", 0, 0},
	{"arena-alloc", "on_arena_alloc", PROBE_SITE, WHEN_ARENAS,
	 offsetof(struct trace_sites, arena_alloc), true, FEATURE_BPF, "1 to 12 us per arena", 0, 0},
	{"arena-free", "on_arena_free", PROBE_SITE, WHEN_ARENAS,
	 offsetof(struct trace_sites, arena_free), true, FEATURE_BPF, "1 to 12 us per arena", 0, 0},
	{"arena-mapped", "on_arena_mapped", PROBE_SITE, WHEN_OPENINGS,
	 offsetof(struct trace_sites, arena_mapped), true, FEATURE_BPF, "1 to 12 us per arena", 0, 0},
	{"pool", "on_new_pool", PROBE_SITE, WHEN_POOLS,
	 offsetof(struct trace_sites, new_pool), true, FEATURE_BPF, "1 us per pool", 0, 0},
	{"call", "on_call_site", PROBE_CALLS, WHEN_CALLS, 0, true, FEATURE_STACK_WALK,
	 "1 us per entry and per exit of a Python function", 0, 0},
	{"entry", "on_entry", PROBE_ENTRY, WHEN_PROGRAMS, 0, true, FEATURE_BPF, "once per program", 0, 0},
	{"user-fault", "on_user_fault", PROBE_TRACEPOINT, WHEN_EVENTS, 0, true, FEATURE_FAULTS,
	 "0.1 us per page fault of any process", PMT_FAULT_EVENTS, 0},
	{"kernel-fault", "on_kernel_fault", PROBE_TRACEPOINT, WHEN_EVENTS, 0, true, FEATURE_FAULTS,
	 "as user-fault", PMT_FAULT_EVENTS, 0},
	{"minor-fault", "on_minor_fault", PROBE_FAULTS, WHEN_EVENTS, 0, true, FEATURE_FAULTS,
	 "0.5 us per page fault of any process, 4 us per fault of a target's", PMT_FAULT_EVENTS,
	 PERF_COUNT_SW_PAGE_FAULTS_MIN},
	{"major-fault", "on_major_fault", PROBE_FAULTS, WHEN_EVENTS, 0, true, FEATURE_FAULTS,
	 "as minor-fault", PMT_FAULT_EVENTS, PERF_COUNT_SW_PAGE_FAULTS_MAJ},
	{"sys-enter", "on_sys_enter", PROBE_TRACEPOINT, WHEN_EVENTS, 0, true, FEATURE_SYSCALLS,
	 "0.2 us per system call of any process", PMT_ENTER_EVENTS, 0},
	{"sys-exit", "on_sys_exit", PROBE_TRACEPOINT, WHEN_EVENTS, 0, true, FEATURE_SYSCALLS,
	 "0.2 us per system call of any process", PMT_SYSCALL_EVENTS, 0},
	{"rss-change", "on_rss_change", PROBE_TRACEPOINT, WHEN_EVENTS, 0, true, FEATURE_RSS_STAT,
	 "0.05 us per change of any process's RSS", PMT_CHANGE_EVENTS, 0},
	{"cgroup-reclaim", "on_cgroup_reclaim", PROBE_TRACEPOINT, WHEN_EVENTS, 0, true,
	 FEATURE_RECLAIM, "none to speak of", PMT_BIT(PRESSURE_CGROUP), 0},
	{"host-reclaim", "on_host_reclaim", PROBE_TRACEPOINT, WHEN_EVENTS, 0, true, FEATURE_RECLAIM,
	 "none to speak of", PMT_BIT(PRESSURE_HOST), 0},
	{"oom-victim", "on_oom_victim", PROBE_TRACEPOINT, WHEN_EVENTS, 0, true, FEATURE_OOM, "none",
	 PMT_BIT(OOM), 0},
	{"tasks", "on_task", PROBE_CALLED, WHEN_ALWAYS, 0, true, FEATURE_TASK_ITER,
	 "20 us of the tool per reading", 0, 0},
	{"init", "on_init", PROBE_CALLED, WHEN_ALWAYS, 0, true, FEATURE_BPF, "once", 0, 0},
};
/* clang-format on */

const size_t nr_probes = ARRAY_SIZE(probes);

const struct probe *probe_find(const char *program)
{
	for (size_t i = 0; i < nr_probes; i++)
		if (!strcmp(probes[i].program, program))
			return &probes[i];
	return NULL;
}

bool probe_wanted(const struct probe *p, const struct trace_options *o)
{
	if (p->when == WHEN_ARENAS && !o->arenas)
		return false;
	if (p->when == WHEN_OPENINGS && !(o->stack_events & 1u << PMT_ON_ARENA))
		return false;
	if (p->when == WHEN_POOLS && !o->pools)
		return false;
	if (p->when == WHEN_CALLS && !o->calls)
		return false;
	if (p->when == WHEN_PROGRAMS && !o->programs)
		return false;
	if (p->when == WHEN_EVENTS && !(o->stack_events & p->events))
		return false;
	return p->required || feature_has(p->feature, NULL);
}

bool trace_has_event(enum pmt_stack_event e, const char **ret_why)
{
	for (size_t i = 0; i < nr_probes; i++)
		if (probes[i].when == WHEN_EVENTS && probes[i].events & 1u << e &&
		    !feature_has(probes[i].feature, ret_why))
			return false;
	return e != PMT_ON_RSS || feature_has(FEATURE_RSS_STAT, ret_why);
}

struct bpf_program *probe_program(const struct probe *p, const struct bpf_object *obj)
{
	return bpf_object__find_program_by_name(obj, p->program);
}

int probe_attach_uprobe(const struct probe *p, const struct bpf_object *obj, bool multi,
			int file_fd, uint64_t offset, const char *file_name, struct probe_link *ret,
			struct fault *f)
{
	struct bpf_program *program = probe_program(p, obj);
	LIBBPF_OPTS(bpf_uprobe_opts, opts);
	struct bpf_link *link;
	char path[32], name[256];
	int fd;

	text_escape(name, sizeof(name), file_name, strlen(file_name));
	if (multi) {
		fd = uprobe_multi_link(bpf_program__fd(program), file_fd, 0, &offset, NULL, 1);
		if (fd < 0)
			return fault_errno(f, -fd,
					   "cannot attach the %s probe to %s at offset 0x%lx",
					   p->name, name, (unsigned long)offset);
		*ret = (struct probe_link){.fd = fd};
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	link = bpf_program__attach_uprobe_opts(program, -1, path, offset, &opts);
	if (!link) {
		int err = errno;

		fault_errno(f, err, "cannot attach the %s probe to %s at offset 0x%lx", p->name,
			    name, (unsigned long)offset);
		if (err == EACCES || err == EPERM)
			fault_hint(
				f,
				"without uprobe_multi (since Linux 6.6) this takes CAP_SYS_ADMIN");
		return -err;
	}
	*ret = (struct probe_link){.fd = -1, .perf = link};
	return 0;
}

void probe_detach(struct probe_link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	bpf_link__destroy(l->perf);
	*l = PROBE_LINK_NONE;
}
