/* SPDX-License-Identifier: MIT */
/*
 * Every program alone is accepted by this kernel's verifier, within its budget of instructions
 * (budget.tsv), and the probe table has a row for each.
 */
#include "bpf_test.h"

#include "base/cleanup.h"
#include "pymemtrace.skel.h"
#include "trace/libbpf_log.h"
#include "trace/probes.h"
#include "trace/uprobe_multi.h"

#include <bpf/bpf.h>
#include <string.h>

#define ALL_STACKS ((1u << PMT_STACK_EVENTS) - 1)

/* "on_rss_stat\t2000" */
static unsigned budget_of(const char *program)
{
	_cleanup_file_ FILE *f = fopen("tests/bpf/budget.tsv", "re");
	char name[64];
	unsigned n;

	assert_non_null(f);
	while (fscanf(f, "%63s %u", name, &n) == 2)
		if (!strcmp(name, program))
			return n;
	fail_msg("%s is not in tests/bpf/budget.tsv", program);
	return 0;
}

/* What a session would set. stacks: bits of enum pmt_stack_event. */
struct settings {
	unsigned cpus, stacks, step_shift;
	bool calls; /* with all that can be asked for */
};

/*
 * Has it a stack for each CPU? "add %gs:..., %r9", in what it was translated to. Programs of uprobes must
 * not: keep_own_stack() tells why. What goes wrong else takes a while, and the kernel with it.
 */
static bool has_private_stack(int fd, __u32 bytes)
{
	static const unsigned char add[] = {0x65, 0x4c, 0x03, 0x0c, 0x25};
	_cleanup_free_ unsigned char *code = malloc(bytes);
	struct bpf_prog_info info = {.jited_prog_insns = (uintptr_t)code, .jited_prog_len = bytes};
	__u32 size = sizeof(info);

	assert_non_null(code);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	assert_int_equal(info.jited_prog_len, bytes);
	return memmem(code, bytes, add, sizeof(add));
}

/* Loads one program. Returns what the verifier went through. */
static unsigned load_alone(const struct probe *p, struct settings s)
{
	struct pymemtrace_bpf *skel = pymemtrace_bpf__open();
	struct bpf_prog_info info = {};
	struct bpf_program *program;
	__u32 size = sizeof(info);

	assert_non_null(skel);
	skel->rodata->cfg_cpus = s.cpus;
	skel->rodata->cfg_report = 1;
	skel->rodata->cfg_gate_sums = s.cpus > 16;
	skel->rodata->cfg_stacks = s.stacks;
	skel->rodata->cfg_step_shift = s.step_shift;
	skel->rodata->cfg_calls = s.calls;
	if (s.calls) {
		skel->rodata->cfg_time = 1;
		skel->rodata->cfg_log = 1;
		skel->rodata->cfg_threshold = 4096;
		skel->rodata->cfg_depth = 100;
		skel->rodata->cfg_tids = 1;
		skel->rodata->cfg_globs = 2;
	}
	bpf_object__for_each_program (program, skel->obj)
		bpf_program__set_autoload(program, false);
	program = probe_program(p, skel->obj);
	assert_non_null(program);
	bpf_program__set_autoload(program, true);
	libbpf_log_start();
	if (pymemtrace_bpf__load(skel))
		fail_msg("%s: %s", p->program, libbpf_log_tail());
	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
	if (bpf_program__type(program) == BPF_PROG_TYPE_KPROBE &&
	    has_private_stack(bpf_program__fd(program), info.jited_prog_len))
		fail_msg("%s has a stack for each CPU", p->program);
	pymemtrace_bpf__destroy(skel);
	return info.verified_insns;
}

static const struct settings with_stacks = {.cpus = 2, .stacks = ALL_STACKS, .step_shift = 5};
static const struct settings with_calls = {.cpus = 2, .calls = true};

static void check_budget(const struct probe *p, const struct settings *s)
{
	unsigned n = load_alone(p, *s), most = budget_of(p->program);

	assert_true(n > 0);
	if (n > most)
		fail_msg("%s: %u instructions verified%s, budget %u", p->program, n,
			 s->calls ? " with calls" : "", most);
}

/* Those of kernel events are the same with them. */
static bool knows_calls(const struct probe *p)
{
	return p->when != WHEN_EVENTS;
}

static void every_program_loads_within_budget(void **state)
{
	for (size_t i = 0; i < nr_probes; i++) {
		check_budget(&probes[i], &with_stacks);
		if (knows_calls(&probes[i]))
			check_budget(&probes[i], &with_calls);
	}
}

static void loads_for_the_largest_machine(void **state)
{
	for (size_t i = 0; i < nr_probes; i++)
		load_alone(&probes[i], (struct settings){.cpus = PMT_MAX_CPUS,
							 .stacks = ALL_STACKS,
							 .step_shift = 5});
}

static void loads_with_and_without_stacks(void **state)
{
	for (size_t i = 0; i < nr_probes; i++) {
		load_alone(&probes[i], (struct settings){.cpus = 2});
		load_alone(&probes[i], (struct settings){.cpus = 2, .stacks = ALL_STACKS});
	}
}

static void loads_with_calls(void **state)
{
	for (size_t i = 0; i < nr_probes; i++)
		if (knows_calls(&probes[i]))
			load_alone(&probes[i],
				   (struct settings){.cpus = PMT_MAX_CPUS, .calls = true});
}

static void every_program_has_a_row(void **state)
{
	struct pymemtrace_bpf *skel = pymemtrace_bpf__open();
	struct bpf_program *program;
	size_t n = 0;

	assert_non_null(skel);
	bpf_object__for_each_program (program, skel->obj) {
		if (!probe_find(bpf_program__name(program)))
			fail_msg("%s has no row in probes[]", bpf_program__name(program));
		n++;
	}
	assert_int_equal(n, nr_probes);
	pymemtrace_bpf__destroy(skel);
}

/* A refusal must carry the verifier's own words: the fault is all that a user can report. */
static void a_refusal_is_quoted(void **state)
{
	struct pymemtrace_bpf *skel = pymemtrace_bpf__open();
	struct bpf_program *program;

	assert_non_null(skel);
	bpf_object__for_each_program (program, skel->obj)
		bpf_program__set_autoload(program, false);
	bpf_program__set_autoload(skel->progs.on_arena_mapped, true);
	/* No program of this type may read registers. */
	bpf_program__set_type(skel->progs.on_arena_mapped, BPF_PROG_TYPE_SOCKET_FILTER);
	libbpf_log_start();
	assert_true(pymemtrace_bpf__load(skel) < 0);
	/* of 6.1, the second: there a helper's turn comes first */
	assert_true(strstr(libbpf_log_tail(), "invalid bpf_context access") ||
		    strstr(libbpf_log_tail(), "unknown func bpf_"));
	assert_null(strstr(libbpf_log_tail(), "processed "));
	pymemtrace_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_program_loads_within_budget),
		cmocka_unit_test(loads_for_the_largest_machine),
		cmocka_unit_test(loads_with_and_without_stacks),
		cmocka_unit_test(loads_with_calls),
		cmocka_unit_test(every_program_has_a_row),
		cmocka_unit_test(a_refusal_is_quoted),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
