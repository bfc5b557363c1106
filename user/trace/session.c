/* SPDX-License-Identifier: MIT */
/*
 * A tracing session: loading the BPF object, attaching by the probe table, and taking it all away.
 */
#include "trace/features.h"
#include "trace/session.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "pymemtrace.skel.h"
#include "trace/libbpf_log.h"
#include "trace/uprobe_multi.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Above this many CPUs, summing a per-CPU counter at every event costs more than the event: sums are
 * then made at some events, by chance, and by every reading.
 */
#define MAX_CPUS_TO_SUM 16

static int configure(struct trace *t, struct fault *f)
{
	int cpus = libbpf_num_possible_cpus();
	struct stat ns;

	if (cpus < 0)
		return fault_errno(f, -cpus, "cannot count the CPUs");
	if (cpus > PMT_MAX_CPUS)
		return fault_set(f, E2BIG, "%d CPUs are more than the %d that are supported", cpus,
				 PMT_MAX_CPUS);
	if (stat("/proc/self/ns/pid", &ns) < 0)
		return fault_errno(f, errno, "cannot read /proc/self/ns/pid");
	t->skel->rodata->cfg_cpus = cpus;
	t->skel->rodata->cfg_pid_ns = ns.st_ino;
	t->skel->rodata->cfg_report = t->options.programs;
	/* whoever asks for every change gets it at its price */
	t->skel->rodata->cfg_gate_sums = cpus > MAX_CPUS_TO_SUM && !t->options.calls &&
					 !(t->options.stack_events && !t->options.step_shift) &&
					 !(t->options.stack_events & PMT_CHANGE_EVENTS);
	bpf_map__set_max_entries(t->skel->maps.cpu_offsets, cpus);
	stacks_configure(t);
	return calls_configure(t, f);
}

static void choose_programs(struct trace *t)
{
	for (size_t i = 0; i < nr_probes; i++) {
		struct bpf_program *program = probe_program(&probes[i], t->skel->obj);

		bpf_program__set_autoload(program, probe_wanted(&probes[i], &t->options));
		if (t->multi && (probes[i].kind == PROBE_SITE || probes[i].kind == PROBE_CALLS ||
				 probes[i].kind == PROBE_ENTRY))
			bpf_program__set_expected_attach_type(program, UPROBE_MULTI_ATTACH_TYPE);
	}
}

static int load(struct trace *t, struct fault *f)
{
	int err;

	libbpf_log_start();
	err = pymemtrace_bpf__load(t->skel);
	if (!err)
		return 0;
	fault_errno(f, -err, "cannot load the BPF programs%s%s", *libbpf_log_tail() ? ": " : "",
		    libbpf_log_tail());
	if (err == -EPERM || err == -EACCES)
		fault_hint(
			f,
			"run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	else
		fault_hint(f, "pymemtrace-bpf doctor shows what this kernel lacks");
	return err;
}

/* What must run once before anything is attached. */
static int initialise(struct trace *t, struct fault *f)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err = bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.on_init), &opts);

	if (!err && (int)opts.retval < 0)
		err = -ENXIO;
	if (err)
		return fault_errno(f, -err, "cannot find the kernel's per-CPU counters");
	t->batched = opts.retval;
	return 0;
}

static int attach_tracepoints(struct trace *t, struct fault *f)
{
	for (size_t i = 0; i < nr_probes; i++) {
		if (!probe_wanted(&probes[i], &t->options))
			continue;
		if (probes[i].kind == PROBE_FAULTS) {
			int err = faults_attach(t, &probes[i], f);

			if (err)
				return err;
		}
		if (probes[i].kind != PROBE_TRACEPOINT)
			continue;
		t->links[i] = bpf_program__attach(probe_program(&probes[i], t->skel->obj));
		if (!t->links[i])
			return fault_errno(f, errno, "cannot attach the %s probe", probes[i].name);
	}
	return 0;
}

static int session_start(struct trace *t, struct fault *f)
{
	static const char *const needed[] = {"cap_bpf", "cap_perfmon", "bpf", "task_iter",
					     "ringbuf"};
	const char *why;
	int err;

	if (!feature_has(FEATURE_BTF, &why)) {
		fault_set(f, ENOTSUP, "this kernel does not describe its types: %s", why);
		fault_hint(f, "a kernel built with CONFIG_DEBUG_INFO_BTF is needed");
		return -ENOTSUP;
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (feature_masked(needed[i]))
			return fault_set(
				f, ENOTSUP,
				"stat runs BPF programs and cannot do without '%s', which PYMEMTRACE_WITHOUT names",
				needed[i]);
	t->multi = feature_has(FEATURE_UPROBE_MULTI, NULL);
	t->links = calloc(nr_probes, sizeof(t->links[0]));
	libbpf_log_start();
	t->skel = pymemtrace_bpf__open();
	if (!t->links || !t->skel)
		return fault_errno(f, t->links ? errno : ENOMEM, "cannot open the BPF object");
	err = configure(t, f);
	if (err)
		return err;
	choose_programs(t);
	err = load(t, f);
	if (!err)
		err = initialise(t, f);
	if (!err && t->options.programs)
		err = ring_open(t, f);
	if (!err && (t->options.stack_events || t->options.calls))
		err = stacks_open(t, f);
	if (!err && t->options.calls)
		err = calls_open(t, f);
	if (!err)
		err = attach_tracepoints(t, f);
	return err;
}

int trace_open(struct trace **ret, const struct trace_options *o, struct fault *f)
{
	struct trace *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return fault_errno(f, ENOMEM, "cannot start tracing");
	t->options = *o;
	err = session_start(t, f);
	if (err) {
		trace_close(t);
		return err;
	}
	*ret = t;
	return 0;
}

void trace_close(struct trace *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nr_stops; i++)
		probe_detach(&t->stops[i].link);
	for (size_t i = 0; i < t->nr_files; i++) {
		for (size_t j = 0; j < nr_probes; j++)
			probe_detach(&t->files[i].links[j]);
		free(t->files[i].links);
	}
	for (size_t i = 0; t->links && i < nr_probes; i++)
		bpf_link__destroy(t->links[i]);
	faults_detach(t);
	calls_close(t);
	ring_close(t);
	stacks_close(t);
	if (t->skel)
		pymemtrace_bpf__destroy(t->skel);
	free(t->stops);
	free(t->files);
	free(t->known);
	free(t->links);
	free(t);
}

static int attach_sites(struct trace *t, const struct trace_sites *s, struct probe_link *links,
			struct fault *f)
{
	for (size_t i = 0; i < nr_probes; i++) {
		const struct probe *p = &probes[i];
		uint64_t offset;
		int err;

		if (p->kind != PROBE_SITE || !probe_wanted(p, &t->options))
			continue;
		memcpy(&offset, (const char *)s + p->site, sizeof(offset));
		if (!offset)
			continue;
		err = probe_attach_uprobe(p, t->skel->obj, t->multi, s->file_fd, offset,
					  s->file_name, &links[i], f);
		if (err)
			return err;
	}
	return 0;
}

int trace_attach_file(struct trace *t, const struct trace_sites *s, struct fault *f)
{
	struct traced_file *files, file = {.dev = s->dev, .inode = s->inode};
	int err;

	for (size_t i = 0; i < t->nr_files; i++)
		if (t->files[i].dev == s->dev && t->files[i].inode == s->inode)
			return 0;
	if (!t->multi && feature_masked("perf_uprobe"))
		return fault_set(f, ENOTSUP, "no uprobes: PYMEMTRACE_WITHOUT names both kinds");
	files = reallocarray(t->files, t->nr_files + 1, sizeof(*files));
	if (!files)
		return fault_errno(f, ENOMEM, "cannot attach to %s", s->file_name);
	t->files = files;
	file.links = calloc(nr_probes, sizeof(file.links[0]));
	if (!file.links)
		return fault_errno(f, ENOMEM, "cannot attach to %s", s->file_name);
	for (size_t i = 0; i < nr_probes; i++)
		file.links[i] = PROBE_LINK_NONE;
	err = attach_sites(t, s, file.links, f);
	if (err) {
		for (size_t i = 0; i < nr_probes; i++)
			probe_detach(&file.links[i]);
		free(file.links);
		return err;
	}
	t->files[t->nr_files++] = file;
	return 0;
}

const char *trace_uprobe_kind(const struct trace *t)
{
	return t->multi ? "uprobe_multi" : "perf uprobes";
}

bool trace_rss_is_batched(const struct trace *t)
{
	return t->batched;
}
