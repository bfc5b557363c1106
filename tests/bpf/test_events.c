/* SPDX-License-Identifier: MIT */
/*
 * Kernel events of a process without Python, so that each is put down to a cause: page faults against
 * the kernel's own count (getrusage of the child), system calls against what the child did. Nothing is
 * counted for a process that is no target, nor after trace_stop(), and what is not asked for is not
 * loaded.
 */
#include "bpf_test.h"

#include "base/cleanup.h"
#include "trace/features.h"
#include "trace/probes.h"
#include "trace/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGE  4096
#define PAGES 200
#define TIMES 17
#define ALL   ((1u << PMT_STACK_EVENTS) - 1)

static char *anonymous(size_t bytes, int kind)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	return p;
}

static void touch(char *p)
{
	for (size_t i = 0; i < PAGES; i++)
		p[i * PAGE] = 1;
}

/* What is used before each command has been touched. */
static struct {
	char *fresh, *zero, *read;
	struct rusage before, after;
	long done[2];
} own;

static void prepare(void)
{
	volatile char sum = 0;

	own.fresh = anonymous(PAGES * PAGE, MAP_PRIVATE);
	own.zero = anonymous(PAGES * PAGE, MAP_PRIVATE);
	own.read = anonymous(PAGES * PAGE, MAP_PRIVATE);
	madvise(own.fresh, PAGES * PAGE, MADV_NOHUGEPAGE);
	madvise(own.zero, PAGES * PAGE, MADV_NOHUGEPAGE);
	madvise(own.read, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < PAGES; i++)
		sum += own.zero[i * PAGE];
}

static void system_calls(void)
{
	char *p[TIMES];

	for (int i = 0; i < TIMES; i++)
		p[i] = anonymous(3 * PAGE + 1, MAP_PRIVATE);
	for (int i = 0; i < TIMES - 1; i++)
		madvise(p[i], 2 * PAGE, MADV_DONTNEED);
	for (int i = 0; i < TIMES - 2; i++)
		munmap(p[i], 4 * PAGE);
	munmap(p[0] + 1, PAGE);		    /* not aligned: refused */
	madvise(p[0] + 1, PAGE, MADV_FREE); /* likewise */
	syscall(SYS_brk, syscall(SYS_brk, 0) + 5 * PAGE);
	syscall(SYS_brk, 0);
}

static int child_main(int in, int out)
{
	int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char c;

	prepare();
	while (read(in, &c, 1) == 1) {
		getrusage(RUSAGE_SELF, &own.before);
		switch (c) {
		case 'w': /* warm */
			break;
		case 'f':
			touch(own.fresh);
			break;
		case 'z': /* the zero page is copied */
			touch(own.zero);
			break;
		case 'k': /* the kernel touches them */
			if (read(zeros, own.read, PAGES * PAGE) != PAGES * PAGE)
				return 1;
			break;
		case 'c':
			system_calls();
			break;
		default:
			return 1;
		}
		getrusage(RUSAGE_SELF, &own.after);
		own.done[0] = own.after.ru_minflt - own.before.ru_minflt;
		own.done[1] = own.after.ru_majflt - own.before.ru_majflt;
		if (write(out, own.done, sizeof(own.done)) < 0)
			return 1;
	}
	return 0;
}

struct scene {
	struct trace *t;
	struct child child;
	struct pmt_change before[PMT_STACK_EVENTS], change[PMT_STACK_EVENTS]; /* all causes */
	long faults[2];
};

/* Growth and shrinkage of all causes: nobody walks here. */
static void look(struct scene *s)
{
	struct trace_counts n;
	struct fault f = {};

	assert_no_fault(trace_read(s->t, s->child.pid, &n, &f), f);
	for (int e = 0; e < PMT_STACK_EVENTS; e++) {
		struct pmt_change sum = {};

		for (int c = 0; c < PMT_CAUSES; c++) {
			sum.growth += n.counts.causes[e][c].growth;
			sum.shrink += n.counts.causes[e][c].shrink;
			sum.events += n.counts.causes[e][c].events;
		}
		s->change[e].growth = sum.growth - s->before[e].growth;
		s->change[e].shrink = sum.shrink - s->before[e].shrink;
		s->change[e].events = sum.events - s->before[e].events;
		s->before[e] = sum;
	}
}

static void tell(struct scene *s, char what)
{
	child_command(&s->child, what);
	child_read(&s->child, s->faults, sizeof(s->faults));
	look(s);
}

static struct scene open_scene(unsigned int events)
{
	const struct trace_options o = {.stack_events = events, .max_stacks = 64};
	struct scene s = {.t = open_session_with(&o), .child = child_start(child_main)};
	struct pmt_target what = {};
	struct fault f = {};

	child_command(&s.child, 'w');
	child_read(&s.child, s.faults, sizeof(s.faults));
	assert_no_fault(trace_set_target(s.t, s.child.pid, &what, &f), f);
	tell(&s, 'w');
	return s;
}

static void close_scene(struct scene *s)
{
	child_end(&s->child);
	close_session(s->t);
}

static void assert_change(const struct scene *s, enum pmt_stack_event e, uint64_t growth,
			  uint64_t shrink, uint64_t events)
{
	assert_int_equal(s->change[e].growth, growth);
	assert_int_equal(s->change[e].shrink, shrink);
	assert_int_equal(s->change[e].events, events);
}

/* A few more than the pages: the stack, what getrusage() and write() come by. */
static void assert_faults(const struct scene *s, enum pmt_stack_event e)
{
	uint64_t all = 0;

	assert_in_range(s->change[e].events, PAGES, PAGES + 8);
	assert_int_equal(s->change[e].growth, s->change[e].events * PAGE);
	for (int i = PMT_ON_FAULT_MINOR; i <= PMT_ON_FAULT_HUGE; i++)
		all += s->change[i].events;
	/* between the child's two looks, and outside of them */
	assert_in_range(all, s->faults[0] + s->faults[1], s->faults[0] + s->faults[1] + 4);
}

static void faults_are_the_kernels(void **state)
{
	struct scene s = open_scene(PMT_FAULT_EVENTS);

	tell(&s, 'f');
	assert_faults(&s, PMT_ON_FAULT_MINOR);
	tell(&s, 'z');
	assert_faults(&s, PMT_ON_FAULT_COW);
	tell(&s, 'k');
	assert_faults(&s, PMT_ON_FAULT_MINOR);
	close_scene(&s);
}

static void calls_that_succeed_are_counted(void **state)
{
	struct scene s = open_scene(PMT_SYSCALL_EVENTS);

	tell(&s, 'c');
	assert_change(&s, PMT_ON_MMAP, TIMES * 4 * PAGE, 0, TIMES);
	assert_change(&s, PMT_ON_MUNMAP, 0, (TIMES - 2) * 4 * PAGE, TIMES - 2);
	assert_change(&s, PMT_ON_MADVISE_DONTNEED, 0, (TIMES - 1) * 2 * PAGE, TIMES - 1);
	assert_change(&s, PMT_ON_MADVISE_FREE, 0, 0, 0);
	assert_change(&s, PMT_ON_BRK, 5 * PAGE, 0, 1);
	assert_change(&s, PMT_ON_MREMAP, 0, 0, 0);
	close_scene(&s);
}

static void what_is_not_asked_for_is_not_loaded(void **state)
{
	const struct trace_options none = {.stack_events = PMT_BIT(RSS) | PMT_BIT(ARENA)};
	const struct trace_options one = {.stack_events = PMT_BIT(MADVISE_FREE)};
	size_t exits = 0;

	for (size_t i = 0; i < nr_probes; i++) {
		const struct probe *p = &probes[i];

		if (p->when != WHEN_EVENTS)
			continue;
		assert_false(probe_wanted(p, &none));
		assert_int_equal(probe_wanted(p, &one), !strcmp(p->program, "on_sys_exit"));
		exits += !strcmp(p->program, "on_sys_exit");
	}
	assert_int_equal(exits, 1);
}

/* Asked for madvise alone, mmap is not counted; of a process that is no target, nothing is. */
static void others_count_for_nobody(void **state)
{
	struct scene s = open_scene(PMT_BIT(MADVISE_DONTNEED) | PMT_BIT(FAULT_COW));
	struct child stranger = child_start(child_main);
	long faults[2];

	child_command(&stranger, 'c');
	child_read(&stranger, faults, sizeof(faults));
	look(&s);
	for (int e = 0; e < PMT_STACK_EVENTS; e++)
		assert_change(&s, e, 0, 0, 0);
	tell(&s, 'c');
	assert_change(&s, PMT_ON_MMAP, 0, 0, 0);
	assert_change(&s, PMT_ON_MADVISE_DONTNEED, 0, (TIMES - 1) * 2 * PAGE, TIMES - 1);
	child_end(&stranger);
	close_scene(&s);
}

static void nothing_after_the_stop(void **state)
{
	struct scene s = open_scene(ALL);

	trace_stop(s.t);
	tell(&s, 'f');
	tell(&s, 'c');
	for (int e = 0; e < PMT_STACK_EVENTS; e++)
		assert_change(&s, e, 0, 0, 0);
	close_scene(&s);
}

static void every_event_can_be_had_at_once(void **state)
{
	struct scene s = open_scene(ALL);

	for (int e = 0; e < PMT_STACK_EVENTS; e++)
		assert_true(trace_has_event(e, NULL));
	tell(&s, 'f');
	assert_faults(&s, PMT_ON_FAULT_MINOR);
	tell(&s, 'c');
	assert_change(&s, PMT_ON_MMAP, TIMES * 4 * PAGE, 0, TIMES);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_are_the_kernels),
		cmocka_unit_test(calls_that_succeed_are_counted),
		cmocka_unit_test(what_is_not_asked_for_is_not_loaded),
		cmocka_unit_test(others_count_for_nobody),
		cmocka_unit_test(nothing_after_the_stop),
		cmocka_unit_test(every_event_can_be_had_at_once),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
