/* SPDX-License-Identifier: MIT */
/*
 * Probes at function entry and exit come and go, in one process and not in another; processes fork, run
 * other programs and end; tables are full; and what a probe costs.
 */
#include "call_scene.h"

#include "base/cleanup.h"
#include "trace/calls.h"
#include "trace/features.h"
#include "pymemtrace.skel.h"
#include "trace/session.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void call_once(void)
{
	vm_call(1);
	vm_grow(1);
	vm_return();
}

static uint64_t hits(const struct call_scene *s)
{
	return s->n[PMT_HITS_ENTRY] + s->n[PMT_HITS_EXIT];
}

static void probes_come_and_go(void **state)
{
	struct call_scene s = scene_begin(STYLE_313);
	uint64_t seen = 2;

	run(&s, call_once);
	for (int i = 0; i < 20; i++) {
		trace_detach_calls(s.t);
		assert_false(trace_calls_attached(s.t));
		run(&s, call_once);
		look(&s);
		assert_int_equal(hits(&s), seen);
		scene_attach(&s, s.child.pid);
		/* a second time changes nothing */
		scene_attach(&s, s.child.pid);
		run(&s, call_once);
		seen += 2;
	}
	look(&s);
	assert_int_equal(hits(&s), seen);
	/* what grew meanwhile grew in what ran, as the frames say */
	EXPECT(&s, 1, .calls = 21, .returns = 21, .grew = 41, .total = 41, .largest = 1);
	assert_no_losses(&s);
	/* hits alone, before anything is collected */
	trace_collect_calls(s.t, false);
	run(&s, call_once);
	look(&s);
	assert_int_equal(hits(&s), seen + 2);
	assert_int_equal(s.causes[PMT_CAUSE_NOT_READY], 1);
	assert_int_equal(sum_of(&s, 1, 0).calls, 21);
	trace_collect_calls(s.t, true);
	/* nor after the end */
	trace_stop(s.t);
	run(&s, call_once);
	look(&s);
	assert_int_equal(hits(&s), seen + 2);
	s.t->skel->bss->stopped = 0;
	scene_close(&s);
}

/* Two that run the same file: each is asked for by itself. */
static void processes_are_told_apart(void **state)
{
	struct call_scene a = scene_begin(STYLE_313);
	struct call_scene b = {.t = a.t, .child = start_vm(STYLE_313)};
	const struct pmt_walk walk = vm_walk();
	const struct pmt_target what = {};
	struct fault f = {};

	run(&a, call_once);
	run(&b, call_once); /* is no target yet */
	look(&a);
	assert_int_equal(hits(&a), 2);
	assert_no_fault(trace_set_target(b.t, b.child.pid, &what, &f), f);
	assert_no_fault(trace_set_walk(b.t, b.child.pid, &walk, &f), f);
	b.tgid = trace_tgid(b.t, b.child.pid);
	run(&b, call_once);
	look(&a);
	/* unless the kernel cannot choose */
	assert_int_equal(hits(&a), a.t->calls->by_pid ? 2 : 4);
	scene_attach(&b, b.child.pid);
	run(&b, call_once);
	look(&a);
	assert_int_equal(hits(&a), a.t->calls->by_pid ? 4 : 6);
	EXPECT(&a, 1, .calls = 1, .returns = 1, .grew = 1, .total = 1, .largest = 1);
	assert_int_equal(child_end(&b.child), 0);
	assert_int_equal(trace_remove_target(b.t, b.child.pid), 0);
	scene_close(&a);
}

static void fork_and_grow(void)
{
	struct fake_frame *frame;
	int status;
	pid_t pid;

	vm_call(1);
	vm_grow(2);
	frame = vm_frame();
	pid = vm_fork();
	if (pid == 0) {
		while (!*(volatile uint64_t *)&vm->said[0])
			sched_yield();
		vm_switch(frame);
		vm_call(2);
		vm_grow(30);
		vm_return();
		vm_grow(400);
		vm_return();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	vm_switch(frame);
	vm_grow(1);
	vm_return();
	vm->said[1] = status;
}

/* A child is walked as its parent, and its calls are its own. */
static void children_have_their_own(void **state)
{
	static const struct trace_calls calls = {.max_calls = 1024};
	const struct trace_options o = {.calls = &calls, .max_stacks = 1000, .programs = true};
	struct trace *t = open_calls_with(&o);

	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_of(t, start_vm(style), PMT_FOLLOW);
		struct trace_event e;

		run_begin(&s, fork_and_grow);
		e = next_event(t);
		assert_int_equal(e.type, PMT_REC_FORK);
		assert_int_equal(e.parent, s.child.pid);
		s.fork_tgid = e.tgid;
		scene_attach(&s, e.pid);
		vm->said[0] = 1;
		run_end(&s);
		assert_int_equal(vm->said[1], 0);
		assert_int_equal(next_event(t).type, PMT_REC_EXIT);
		look(&s);
		assert_no_losses(&s);
		/* 3 in one, 430 in the other, where the call was there before */
		EXPECT(&s, 1, .calls = 1, .returns = 2, .grew = 403, .total = 433, .largest = 3);
		EXPECT_IN(&s, s.tgid, 1, .calls = 1, .returns = 1, .grew = 3, .total = 3,
			  .largest = 3);
		EXPECT(&s, 2, .calls = 1, .returns = 1, .grew = 30, .total = 30, .largest = 30);
		EXPECT_IN(&s, s.tgid, 2, .largest = NO_PAGES);
		assert_int_equal(trace_remove_target(t, e.pid), 0);
		scene_close(&s);
		assert_int_equal(next_event(t).type, PMT_REC_EXIT);
	}
	close_session(t);
}

static void become_another(void)
{
	vm_call(1);
	vm_call(2);
	vm_grow(3);
	execl("/proc/self/exe", "test_calls_life", "--stop", NULL);
	_exit(1);
}

/* The stack is gone with the program that had it. */
static void calls_end_with_their_program(void **state)
{
	struct call_scene s = scene_begin(STYLE_313);
	struct trace_call_sum two;

	run_begin(&s, become_another);
	child_wait_stopped(&s.child);
	look(&s);
	EXPECT(&s, 1, .calls = 1, .total = 3, .largest = 3);
	/* the arguments of exec come, and go */
	two = sum_of(&s, 2, 0);
	EXPECT(&s, 2, .calls = 1, .grew = two.growth / PAGE, .shrank = two.growth / PAGE - 3,
	       .total = 3, .largest = 3);
	assert_no_losses(&s);
	assert_int_equal(count_entries(s.t, "call_threads"), 0);
	assert_int_equal(count_entries(s.t, "opened"), 0);
	scene_close(&s);
}

#define FUNCTIONS 1100 /* 1,024 find room */

static void call_many(void)
{
	for (unsigned int fn = 1; fn <= FUNCTIONS; fn++) {
		vm_call(fn);
		vm_grow(1);
		vm_return();
	}
}

static void tables_may_be_full(void **state)
{
	struct trace *t = open_calls(NULL);
	struct call_scene s = scene_in(t, STYLE_311);
	uint64_t counted = 0;

	run(&s, call_many);
	run(&s, call_once);
	look(&s);
	for (unsigned int i = 0; i < s.nr_rows; i++)
		counted += s.rows[i].calls;
	assert_int_equal(counted, 1024 + 1);
	EXPECT(&s, 1, .calls = 2, .returns = 2, .grew = 2, .total = 2, .largest = 1);
	assert_int_equal(s.causes[PMT_CAUSE_TABLE_FULL], FUNCTIONS - 1024);
	/* at the entry, as it grows, and at the exit */
	assert_losses(&s, PMT_CALL_FULL, 3 * (FUNCTIONS - 1024));
	scene_close(&s);
	close_session(t);
}

static void take_some(void)
{
	vm_call(1);
	site_arena(0, VM_ARENA_BYTES);
	site_pool(3, 0);
	vm_call(2);
	for (int i = 0; i < 5; i++)
		site_pool(i, 0);
	site_arena(0, VM_ARENA_BYTES);
	site_arena(0, VM_ARENA_BYTES);
	vm_return();
	site_pool(3, 0);
	vm_return();
	site_arena(0, VM_ARENA_BYTES);
}

static void arenas_and_pools_are_the_calls(void **state)
{
	static const struct trace_calls calls = {.max_calls = 1024};
	const struct trace_options o = {
		.calls = &calls, .max_stacks = 1000, .arenas = true, .pools = true};
	struct trace *t = open_calls_with(&o);
	struct call_scene s = scene_in(t, STYLE_313);
	_cleanup_fd_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const struct trace_sites sites = {
		.file_fd = fd,
		.dev = 1,
		.inode = 1,
		.file_name = "the test",
		.arena_alloc = file_offset((const void *)(uintptr_t)site_arena),
		.new_pool = file_offset((const void *)(uintptr_t)site_pool),
	};
	const struct pmt_target what = {
		.arena_size = VM_ARENA_BYTES,
		.ntimes_addr = fake_address(&vm->said[0]),
		.narenas_addr = fake_address(&vm->said[1]),
	};
	struct trace_call_sum one, two;
	struct fault f = {};

	assert_no_fault(trace_attach_file(t, &sites, &f), f);
	assert_no_fault(trace_set_target(t, s.child.pid, &what, &f), f);
	run(&s, take_some);
	look(&s);
	one = sum_of(&s, 1, 0);
	two = sum_of(&s, 2, 0);
	assert_int_equal(s.counts.counts.arenas_taken, 4);
	assert_int_equal(one.arenas, 1);
	assert_int_equal(two.arenas, 2);
	assert_int_equal(one.pools, 2);
	assert_int_equal(two.pools, 5);
	scene_close(&s);
	close_session(t);
}

static uint64_t cost_of(struct trace *t, const char *insn, size_t length)
{
	struct fault f = {};
	uint64_t ns = 0;

	assert_no_fault(trace_probe_cost(t, (const uint8_t *)insn, length, &ns, &f), f);
	return ns;
}

#define COST(t, insn) cost_of((t), (insn), sizeof(insn) - 1)

/* Tried out while something is watched: nothing of it is in the figures. */
static void costs_are_measured(void **state)
{
	struct call_scene s = scene_begin(STYLE_313);

	run(&s, call_once);
	assert_true(COST(s.t, "\x55") > 0);			/* push %rbp */
	assert_true(COST(s.t, "\x41\x57") > 0);			/* push %r15 */
	assert_true(COST(s.t, "\xe8\x12\x34\x56\x78") > 0);	/* call */
	assert_true(COST(s.t, "\xe9\x12\x34\x56\x78") > 0);	/* jmp */
	assert_true(COST(s.t, "\xeb\x12") > 0);			/* jmp, short */
	assert_true(COST(s.t, "\x75\x12") > 0);			/* jne, short */
	assert_true(COST(s.t, "\x0f\x85\x12\x34\x56\x78") > 0); /* jne */
	assert_true(COST(s.t, "\x90") > 0);			/* nop */
	assert_true(COST(s.t, "\x0f\x1f\x44\x00\x00") > 0);
	assert_true(COST(s.t, "\x48\x89\xe5") > 0); /* mov %rsp,%rbp: single-stepped */
	/* whatever it is, something is measured */
	assert_true(COST(s.t, "") > 0);
	assert_true(COST(s.t, "\x41") > 0);
	assert_true(COST(s.t, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") > 0);
	look(&s);
	assert_int_equal(s.n[PMT_HITS_ENTRY], 1);
	assert_int_equal(s.n[PMT_HITS_EXIT], 1);
	assert_no_losses(&s);
	assert_int_equal(count_entries(s.t, "call_threads"), 1);
	scene_close(&s);
}

/* To see what failed: PYMEMTRACE_WITHOUT=uprobe_multi test_calls calls_are_counted */
static void perf_uprobes_count_the_same(void **state)
{
	char path[4096];
	int status;
	pid_t pid;

	sibling("test_calls", path);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		setenv("PYMEMTRACE_WITHOUT", "uprobe_multi", 1);
		dup2(null, 1);
		dup2(null, 2);
		execl(path, path, "calls_are_counted", NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_come_and_go),
		cmocka_unit_test(processes_are_told_apart),
		cmocka_unit_test(calls_end_with_their_program),
		cmocka_unit_test(costs_are_measured),
		cmocka_unit_test(children_have_their_own),
		cmocka_unit_test(tables_may_be_full),
		cmocka_unit_test(arenas_and_pools_are_the_calls),
		cmocka_unit_test(perf_uprobes_count_the_same),
	};

	if (argc > 1 && !strcmp(argv[1], "--stop")) {
		raise(SIGSTOP);
		return 0;
	}
	return cmocka_run_group_tests_name("calls_life", tests, scenes_set_up, scenes_tear_down);
}
