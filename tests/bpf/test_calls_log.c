/* SPDX-License-Identifier: MIT */
/*
 * The log of calls: events as they happened in their thread, with the RSS that the kernel had then, of
 * all or of those whose RSS differs enough; and nothing that did not fit goes uncounted.
 */
#include "call_scene.h"

#include "base/cleanup.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 64

/* What a log had, in the order it came. */
struct heard {
	const struct call_scene *s;
	uint64_t nr;
	struct pmt_call_rec events[MAX_EVENTS]; /* the first of them */
};

static void on_event(void *ctx, const struct pmt_call_rec *r)
{
	struct heard *h = ctx;

	assert_int_equal(r->tgid, h->s->tgid);
	if (h->nr < MAX_EVENTS)
		h->events[h->nr] = *r;
	h->nr++;
}

static struct heard listen(const struct call_scene *s)
{
	struct heard h = {.s = s};
	int more;

	do
		more = trace_read_log(s->t, on_event, &h);
	while (more == 1);
	assert_int_equal(more, 0);
	return h;
}

static struct trace *open_log(uint64_t threshold)
{
	const struct trace_calls calls = {.log = true, .threshold = threshold, .max_calls = 1024};

	return open_calls(&calls);
}

static int64_t resident(const struct rss *r)
{
	return r->anon + r->file + r->shmem;
}

/* An event as a test writes it. */
struct line {
	unsigned int nr, what, fn;
	int pages; /* more than at first */
};

static void assert_heard(struct call_scene *s, int64_t rss, const struct line *lines, size_t n)
{
	struct heard h = listen(s);
	uint64_t cpu_ns = 0;

	look(s); /* what the functions are */
	assert_int_equal(h.nr, n);
	for (size_t i = 0; i < n; i++) {
		const struct pmt_call_event *e = &h.events[i].event;

		assert_int_equal(h.events[i].tid, s->child.pid);
		assert_true(*h.events[i].comm);
		assert_int_equal(e->nr, lines[i].nr);
		assert_int_equal(e->what, lines[i].what);
		assert_in_range(e->fn, 1, MAX_CALL_IDS - 1);
		assert_int_equal(s->fn_of[e->fn], lines[i].fn);
		assert_int_equal((e->rss - rss) / PAGE, lines[i].pages);
		assert_true(e->cpu_ns >= cpu_ns);
		cpu_ns = e->cpu_ns;
	}
}

static void some_steps(void)
{
	vm_grow(7);
	vm_call(1);
	vm_call(2);
	vm_return();
	vm_grow(1);
	vm_call(2);
	vm_shrink(2);
	vm_return();
	vm_call(3);
	vm_return();
	vm_grow(30);
	vm_return();
}

static void every_event_is_told(void **state)
{
	static const struct line lines[] = {
		{0, PMT_CALL, 1, 7},   {1, PMT_CALL, 2, 7},    {2, PMT_RETURN, 2, 7},
		{3, PMT_CALL, 2, 8},   {4, PMT_RETURN, 2, 6},  {5, PMT_CALL, 3, 6},
		{6, PMT_RETURN, 3, 6}, {7, PMT_RETURN, 1, 36},
	};
	struct trace *t = open_log(0);

	assert_true(trace_log_fd(t) >= 0);
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_in(t, style);
		int64_t rss;

		look(&s);
		rss = resident(&s.counts.rss_exact);
		run(&s, some_steps);
		assert_heard(&s, rss, lines, ARRAY_SIZE(lines));
		assert_int_equal(resident(&s.counts.rss_exact), rss + 36 * PAGE);
		assert_int_equal(listen(&s).nr, 0);
		assert_no_losses(&s);
		scene_close(&s);
		listen(&s);
	}
	close_session(t);
}

static void generate_twice(void)
{
	vm_send(0, 1);
	vm_yield();
	vm_send(0, 1);
	vm_return();
}

static void call_only(void)
{
	vm_call(2);
	vm_return();
}

/* Where in its code a function was, in bytes. */
static void places_are_told(void **state)
{
	struct trace *t = open_log(0);

	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_in(t, style);
		struct heard h;

		run(&s, generate_twice);
		h = listen(&s);
		assert_int_equal(h.nr, 4);
		for (int i = 0; i < 4; i++) {
			static const int places[] = {AT_START, AT_YIELD, AT_RESUME, AT_RETURN};
			/* until 3.10 the frame's own figure; the test's moves by 2 an entry */
			static const int lasti[] = {-2, 0, 0, 2};

			assert_int_equal(h.events[i].event.lasti,
					 style < STYLE_311 ? lasti[i] : 2 * places[i]);
		}
		scene_close(&s);
		listen(&s);
	}
	close_session(t);
}

static uint64_t process_cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &t), 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The first is told; the second is compared with nothing, and the others with what was told last. */
static void changes_are_told(void **state)
{
	static const struct line lines[] = {
		{0, PMT_CALL, 1, 7},   {1, PMT_CALL, 2, 7},    {3, PMT_CALL, 2, 8},
		{4, PMT_RETURN, 2, 6}, {7, PMT_RETURN, 1, 36},
	};
	static const struct line more[] = {{8, PMT_CALL, 1, 43},
					   {11, PMT_CALL, 2, 44},
					   {12, PMT_RETURN, 2, 42},
					   {15, PMT_RETURN, 1, 72}};
	struct trace *t = open_log(PAGE);
	struct call_scene s = scene_in(t, STYLE_313);
	struct heard h = {.s = &s};
	int64_t rss;

	look(&s);
	rss = resident(&s.counts.rss_exact);
	run(&s, some_steps);
	assert_heard(&s, rss, lines, ARRAY_SIZE(lines));
	run(&s, some_steps);
	assert_heard(&s, rss, more, ARRAY_SIZE(more));
	run(&s, call_only);
	assert_int_equal(listen(&s).nr, 0);
	/* the newest, though it was not told */
	assert_int_equal(trace_read_last_events(t, on_event, &h), 0);
	assert_int_equal(h.nr, 1);
	assert_int_equal(h.events[0].tid, s.child.pid);
	assert_int_equal(h.events[0].event.nr, 17);
	assert_int_equal(h.events[0].event.what, PMT_RETURN);
	assert_int_equal(h.events[0].event.rss, rss + 72 * PAGE);
	/* from the first event on; between two ticks the clock is an estimate */
	assert_in_range(h.events[0].event.cpu_ns, 1, process_cpu_ns(s.child.pid) + 1000000000);
	scene_close(&s);
	close_session(t);
}

static void first_thread(void)
{
	vm_call(1);
	vm_grow(3);
	vm_call(2);
	vm_return();
}

static void second_thread(void)
{
	vm_call(3);
	vm_return();
}

static void no_thread(void)
{
	vm_grow(1);
}

static void run_threads(void)
{
	vm_threads(3, (void (*const[])(void)){first_thread, second_thread, no_thread});
}

/* Each ends with its newest event; one that had none says nothing. */
static void threads_end(void **state)
{
	struct trace *t = open_log(0);
	struct call_scene s = scene_in(t, STYLE_310);
	unsigned int ends[4] = {};
	struct heard h;

	run(&s, run_threads);
	h = listen(&s);
	look(&s);
	assert_int_equal(h.nr, 7);
	for (unsigned int i = 0; i < h.nr; i++) {
		const struct pmt_call_event *e = &h.events[i].event;
		unsigned int fn = s.fn_of[e->fn];

		assert_int_not_equal(h.events[i].tid, s.child.pid);
		if (!(e->what & PMT_THREAD_END))
			continue;
		assert_int_equal(e->what, PMT_THREAD_END | PMT_RETURN);
		assert_int_equal(e->nr, fn == 2 ? 2 : 1);
		ends[fn]++;
		/* the same again */
		for (unsigned int j = i; j-- > 0;)
			if (h.events[j].tid == h.events[i].tid) {
				assert_int_equal(h.events[j].event.nr, e->nr);
				assert_int_equal(h.events[j].event.rss, e->rss);
				assert_int_equal(h.events[j].event.cpu_ns, e->cpu_ns);
				break;
			}
	}
	assert_int_equal(ends[2], 1);
	assert_int_equal(ends[3], 1);
	scene_close(&s);
	/* the main thread had none either */
	assert_int_equal(listen(&s).nr, 0);
	close_session(t);
}

/* 16 MiB have room for 233,016 */
#define MANY_CALLS 120000

static void call_often(void)
{
	vm_call(1);
	for (int i = 0; i < MANY_CALLS; i++) {
		vm_call(2);
		vm_return();
	}
}

static void what_has_no_room_is_counted(void **state)
{
	struct trace *t = open_log(0);
	struct call_scene s = scene_in(t, STYLE_311);
	struct heard h;

	run(&s, call_often);
	h = listen(&s);
	look(&s);
	EXPECT(&s, 2, .calls = MANY_CALLS, .returns = MANY_CALLS);
	assert_in_range(s.n[PMT_CALL_LOG_LOST], 1, MANY_CALLS);
	assert_int_equal(h.nr + s.n[PMT_CALL_LOG_LOST], 2 * MANY_CALLS + 1);
	assert_losses(&s, PMT_CALL_LOG_LOST, s.n[PMT_CALL_LOG_LOST]);
	/* there is room again, and the numbers tell of the gap */
	run(&s, call_only);
	h = listen(&s);
	assert_int_equal(h.nr, 2);
	assert_int_equal(h.events[0].event.nr, 2 * MANY_CALLS + 1);
	scene_close(&s);
	close_session(t);
}

static void nothing_is_told_unasked(void **state)
{
	struct trace *t = open_calls(NULL);
	struct call_scene s = scene_in(t, STYLE_313);

	run(&s, some_steps);
	assert_int_equal(trace_log_fd(t), -1);
	assert_int_equal(listen(&s).nr, 0);
	scene_close(&s);
	close_session(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_is_told),
		cmocka_unit_test(places_are_told),
		cmocka_unit_test(changes_are_told),
		cmocka_unit_test(threads_end),
		cmocka_unit_test(what_has_no_room_is_counted),
		cmocka_unit_test(nothing_is_told_unasked),
	};

	return cmocka_run_group_tests_name("calls_log", tests, scenes_set_up, scenes_tear_down);
}
