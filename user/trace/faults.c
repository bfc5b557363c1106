/* SPDX-License-Identifier: MIT */
/*
 * Software events of page faults. One on each CPU and not one for each process: those would have to
 * follow threads and children as they come.
 */
#include "trace/session.h"

#include "base/fault.h"
#include "pymemtrace.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_on(int cpu, unsigned int config)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = config,
		.sample_period = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int attach_on(struct trace *t, const struct probe *p, int cpu, struct fault *f)
{
	struct bpf_link *link;
	int fd = open_on(cpu, p->config), err;

	if (fd < 0 && errno == ENODEV) /* a CPU that is off */
		return 0;
	if (fd < 0)
		return fault_errno(f, errno, "cannot open the software event of the %s probe",
				   p->name);
	link = bpf_program__attach_perf_event(probe_program(p, t->skel->obj), fd);
	if (!link) {
		err = fault_errno(f, errno, "cannot attach the %s probe", p->name);
		close(fd);
		return err;
	}
	t->cpu_links[t->nr_cpu_links++] = link;
	return 0;
}

int faults_attach(struct trace *t, const struct probe *p, struct fault *f)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	struct bpf_link **more;

	if (cpus < 0)
		return fault_errno(f, -cpus, "cannot count the CPUs");
	more = reallocarray(t->cpu_links, t->nr_cpu_links + (size_t)cpus, sizeof(*more));
	if (!more)
		return fault_errno(f, ENOMEM, "cannot attach the %s probe", p->name);
	t->cpu_links = more;
	for (int cpu = 0; cpu < cpus && !err; cpu++)
		err = attach_on(t, p, cpu, f);
	return err;
}

void faults_detach(struct trace *t)
{
	for (size_t i = 0; i < t->nr_cpu_links; i++)
		bpf_link__destroy(t->cpu_links[i]);
	free(t->cpu_links);
	t->cpu_links = NULL;
	t->nr_cpu_links = 0;
}
