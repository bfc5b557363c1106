/* SPDX-License-Identifier: MIT */
/*
 * What is left out before anything is counted: functions by their name and file, by depth, threads,
 * exits. What happens there goes to the nearest caller that is shown, or is said to be left out.
 */
#include "call_scene.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void nested(void)
{
	vm_call(1);
	vm_grow(1);
	for (int i = 0; i < 3; i++) {
		vm_call(2);
		vm_grow(10);
		vm_call(3);
		vm_grow(100);
		vm_return();
		vm_return();
	}
	vm_grow(1000);
	vm_return();
	vm_call(4);
}

/* What a call's end is not told by, the next entry or change of RSS is. */
static void ends_are_learnt(void **state)
{
	struct trace *t = open_calls_of_entries();

	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_in(t, style);

		run(&s, nested);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .unwinds = 1, .grew = 1001, .total = 1331,
		       .largest = 1331);
		EXPECT(&s, 2, .calls = 3, .unwinds = 3, .grew = 30, .total = 330, .largest = 110);
		EXPECT(&s, 3, .calls = 3, .unwinds = 3, .grew = 300, .total = 300, .largest = 100);
		EXPECT(&s, 4, .calls = 1, .open = 1, .largest = NO_PAGES);
		assert_no_losses(&s);
		assert_int_equal(s.n[PMT_HITS_EXIT], 0);
		scene_close(&s);
	}
	close_session(t);
}

static void raise_in_3(void)
{
	vm_call(3);
	vm_call(3);
	vm_grow(10000);
	vm_raise(2);
}

static void raise_alone(void)
{
	raise_in_3();
	vm_grow(1);
}

static void nested_too_deep(void)
{
	nested();
	vm_return();
	vm_call(1);
	vm_call(2);
	raise_in_3();
	vm_call(3);
	vm_return();
	vm_return();
	vm_return();
}

static void calls_too_deep_are_their_callers(void **state)
{
	const struct trace_calls calls = {.depth = 2, .max_calls = 1024};
	struct trace *t = open_calls(&calls);

	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_in(t, style);

		run(&s, nested_too_deep);
		look(&s);
		EXPECT(&s, 1, .calls = 2, .returns = 2, .grew = 1001, .total = 11331,
		       .largest = 10000);
		EXPECT(&s, 2, .calls = 4, .returns = 4, .grew = 10330, .total = 10330,
		       .largest = 10000);
		EXPECT(&s, 3, .largest = NO_PAGES);
		EXPECT(&s, 4, .calls = 1, .returns = 1);
		EXPECT(&s, NO_FUNCTION, .largest = NO_PAGES);
		assert_no_losses(&s);
		/* it was left out for its depth; and nobody's frame is there at last */
		run(&s, raise_alone);
		look(&s);
		EXPECT(&s, NO_FUNCTION, .largest = NO_PAGES);
		assert_int_equal(s.causes[PMT_CAUSE_NO_FRAME], 1);
		EXPECT(&s, 3, .calls = 2, .unwinds = 2, .grew = 10000, .total = 10000,
		       .largest = 10000);
		scene_close(&s);
	}
	close_session(t);
}

static void set_text(struct fake_str *to, const void *chars, size_t length, unsigned int kind)
{
	memset(to, 0, sizeof(*to));
	to->length = length;
	to->hash = -1;
	/* compact; ASCII characters lie where no others do */
	to->state = kind == 0 ? FAKE_STATE(1) : kind << 2 | 1 << 5;
	memcpy(kind == 0 ? to->ascii : to->ascii + 16, chars, length * (kind ?: 1));
}

static void name_it(unsigned int fn, const char *name)
{
	set_text(&vm->world.names[fn], name, strlen(name), 0);
}

static void file_it(unsigned int fn, unsigned int name)
{
	vm_code(fn)->file = fake_address(&vm->world.names[name]);
}

#define GLOBBED 21

/* Each calls f99, which nobody has chosen, and grows by its number. */
static void call_each(void)
{
	for (unsigned int fn = 1; fn <= GLOBBED; fn++) {
		vm_call(fn);
		vm_call(99);
		vm_grow(fn);
		vm_return();
		vm_return();
	}
}

static const char *const many_chars = "f0123456789012345678901234567*";
static const char *const most_chars =
	"0123456789012345678901234567890123456789012345678901234567890123";

static void names_are_chosen(void **state)
{
	static const char *const include[] = {"exact",
					      "a*b*c",
					      "x?z",
					      "*/lib/*.py",
					      "na\u00efve",
					      "\u0416?\u4e2d*",
					      "\U0001f40d*",
					      many_chars,
					      "**q**",
					      most_chars,
					      "*/caf\xe9\xff.py",
					      NULL};
	static const char *const exclude[] = {"*secret*", "a*bc", NULL};
	static const struct {
		unsigned int fn;
		const char *name;
		bool shown;
	} names[] = {
		{1, "exact", true},
		{2, "exactly", false},
		{3, "exac", false},
		{4, "abc", false}, /* by both: excluded */
		{5, "aXXbYYbYc", true},
		{6, "aXXbYYbYcZ", false},
		{7, "xyz", true},
		{8, "xz", false},
		{9, "xyyz", false},
		{10, "", false},
		{11, "exact.secret", false},
		{12, "f0123456789012345678901234567!", true},
		{13, "Qq", true},
		{14, "Q", false},
	};
	static const uint8_t latin1[] = {'n', 'a', 0xef, 'v', 'e'};
	static const uint16_t ucs2[] = {0x416, 'x', 0x4e2d, 'y'};
	static const uint16_t no_utf8[] = {'/', 'c', 'a', 'f', 0xdce9, 0xdcff, '.', 'p', 'y'};
	static const uint32_t ucs4[] = {0x1f40d, 'p', 'y'};
	const struct trace_calls calls = {
		.include = include, .exclude = exclude, .max_calls = 1024};
	struct trace *t = open_calls(&calls);
	struct child child = start_vm(STYLE_313);
	struct call_scene s;
	uint64_t left_out = 0;
	bool shown[GLOBBED + 1] = {};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		name_it(names[i].fn, names[i].name);
		shown[names[i].fn] = names[i].shown;
	}
	/* as str objects store them */
	set_text(&vm->world.names[15], latin1, ARRAY_SIZE(latin1), 1);
	set_text(&vm->world.names[16], ucs2, ARRAY_SIZE(ucs2), 2);
	set_text(&vm->world.names[17], ucs4, ARRAY_SIZE(ucs4), 4);
	/* by their files */
	name_it(100, "/usr/lib/a.py");
	name_it(101, "/lib/secret.py");
	file_it(18, 100);
	file_it(19, 101);
	/* what is no UTF-8, as PEP 383 has it */
	set_text(&vm->world.names[102], no_utf8, ARRAY_SIZE(no_utf8), 2);
	file_it(21, 102);
	/* 64 characters, of a code object that has none of its own that is as long */
	vm->world.long_file.length = 64;
	memcpy(vm->world.long_file.ascii, most_chars, 64);
	vm_code(20)->name = fake_address(&vm->world.long_file);
	shown[15] = shown[16] = shown[17] = shown[18] = shown[20] = shown[21] = true;

	s = scene_of(t, child, 0);
	run(&s, call_each);
	run(&s, call_each);
	look(&s);
	for (unsigned int fn = 1; fn <= GLOBBED; fn++) {
		if (shown[fn]) {
			EXPECT(&s, fn, .calls = 2, .returns = 2, .grew = 2 * fn, .total = 2 * fn,
			       .largest = fn);
		} else {
			EXPECT(&s, fn, .largest = NO_PAGES);
			left_out += 2 * fn;
		}
	}
	EXPECT(&s, 99, .largest = NO_PAGES);
	EXPECT(&s, NO_FUNCTION, .grew = left_out, .largest = NO_PAGES);
	assert_no_losses(&s);
	scene_close(&s);
	close_session(t);
}

static void spin(void)
{
	for (volatile int i = 0; i < 300000; i++)
		;
}

/* 2 is left out, 1 calls itself. */
static void take_time(void)
{
	vm_call(1);
	spin();
	vm_call(2);
	spin();
	vm_call(3);
	spin();
	vm_return();
	vm_return();
	vm_call(1);
	spin();
	vm_return();
	vm_return();
}

static void time_is_of_those_shown(void **state)
{
	static const char *const exclude[] = {"f2", NULL};
	const struct trace_calls calls = {.time = true, .exclude = exclude, .max_calls = 1024};
	struct trace *t = open_calls(&calls);

	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_in(t, style);
		struct trace_call_sum one, three;

		run(&s, take_time);
		look(&s);
		EXPECT(&s, 1, .calls = 2, .returns = 2);
		EXPECT(&s, 2, .largest = NO_PAGES);
		EXPECT(&s, 3, .calls = 1, .returns = 1);
		one = sum_of(&s, 1, 0);
		three = sum_of(&s, 3, 0);
		assert_true(three.self_ns > 0);
		assert_int_equal(three.self_ns, three.total_ns);
		/* 2's time is its caller's; recursion counts once */
		assert_int_equal(one.self_ns + three.total_ns, one.total_ns);
		assert_true(one.self_ns > 0);
		scene_close(&s);
	}
	close_session(t);
}

static void one_of_many(void)
{
	vm_call(1);
	vm_grow(5);
	vm_return();
	vm_grow(1);
}

static void in_threads(void)
{
	one_of_many();
	vm_threads(3, (void (*const[])(void)){one_of_many, one_of_many, one_of_many});
	one_of_many();
}

#define MANY 20000

static void grow_in_turns(void)
{
	for (int i = 0; i < MANY; i++) {
		vm_grow(1);
		vm_shrink(1);
	}
}

static void grow_in_threads(void)
{
	vm_threads(2, (void (*const[])(void)){grow_in_turns, grow_in_turns});
}

static void no_row(void *ctx, const struct trace_call_sum *sum)
{
}

/* Only the main thread, which has the child's number, is asked for. */
static void threads_are_chosen(void **state)
{
	struct child child = start_vm(STYLE_313);
	const struct trace_calls calls = {.tids = &child.pid, .nr_tids = 1, .max_calls = 1024};
	struct trace *t = open_calls(&calls);
	struct call_scene s = scene_of(t, child, 0);
	struct trace_call_sum left_out;

	run(&s, in_threads);
	look(&s);
	EXPECT(&s, 1, .calls = 2, .returns = 2, .grew = 10, .total = 10, .largest = 5);
	EXPECT_IN(&s, s.child.pid, 1, .calls = 2, .returns = 2, .grew = 10, .total = 10,
		  .largest = 5);
	/* 18, and what it takes to be a thread */
	left_out = sum_of(&s, NO_FUNCTION, 0);
	assert_in_range(left_out.growth / PAGE, 18, 18 + 3 * 40);
	assert_int_equal(left_out.calls, 0);
	assert_no_losses(&s);
	/* whoever reads meanwhile takes nothing away */
	run_begin(&s, grow_in_threads);
	while (!run_is_over(&s))
		assert_int_equal(trace_read_calls(t, no_row, NULL), 0);
	run_end(&s);
	look(&s);
	left_out = sum_of(&s, NO_FUNCTION, 0);
	assert_in_range(left_out.growth / PAGE, 2 * MANY + 18, 2 * MANY + 18 + 5 * 40);
	scene_close(&s);
	close_session(t);
}

static void assert_refused(const struct trace_calls *calls, int err, const char *why)
{
	const struct trace_options o = {.calls = calls, .max_stacks = 1000};
	struct fault f = {};
	struct trace *t;

	assert_int_equal(trace_open(&t, &o, &f), err);
	if (!strstr(f.text, why))
		fail_msg("'%s' is not '%s'", f.text, why);
}

static void too_much_is_refused(void **state)
{
	static const char *const many[] = {"1",	 "2",  "3",  "4",  "5",	 "6",  "7",  "8",  "9",
					   "10", "11", "12", "13", "14", "15", "16", "17", NULL};
	static pid_t tids[1025];
	static const char *const nothing[] = {"", NULL};
	char one_more[80];
	const char *const too_long[] = {one_more, NULL};
	struct trace_calls calls = {.max_calls = 1024};

	calls.nr_tids = ARRAY_SIZE(tids);
	calls.tids = tids;
	assert_refused(&calls, -E2BIG, "more than 1024 threads");
	calls.nr_tids = 0;
	calls.exclude = many;
	assert_refused(&calls, -E2BIG, "more than 16 --include");
	snprintf(one_more, sizeof(one_more), "%s4", most_chars);
	calls.exclude = too_long;
	assert_refused(&calls, -E2BIG, "more than 64 characters");
	calls.exclude = nothing;
	assert_refused(&calls, -EINVAL, "empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_are_learnt),
		cmocka_unit_test(calls_too_deep_are_their_callers),
		cmocka_unit_test(names_are_chosen),
		cmocka_unit_test(time_is_of_those_shown),
		cmocka_unit_test(threads_are_chosen),
		cmocka_unit_test(too_much_is_refused),
	};

	return cmocka_run_group_tests_name("calls_left_out", tests, scenes_set_up,
					   scenes_tear_down);
}
