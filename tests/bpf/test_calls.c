/* SPDX-License-Identifier: MIT */
/*
 * Function entry and exit as BPF counts them: what each function did, in four styles of interpreters.
 */
#include "call_scene.h"

#include <unistd.h>

/* 1 calls 2, which calls 3; all but 3 grow between their calls. */
static void nested(void)
{
	vm_call(1);
	vm_grow(5);
	for (int i = 0; i < 3; i++) {
		vm_call(2);
		vm_grow(10 + i);
		vm_call(3);
		vm_return();
		vm_grow(1);
		vm_return();
		vm_grow(2);
	}
	vm_shrink(4);
	vm_return();
}

static void calls_are_counted(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, nested);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 11, .shrank = 4, .total = 43,
		       .largest = 43);
		EXPECT(&s, 2, .calls = 3, .returns = 3, .grew = 36, .total = 36, .largest = 13);
		EXPECT(&s, 3, .calls = 3, .returns = 3);
		EXPECT(&s, NO_FUNCTION, .largest = NO_PAGES);
		assert_no_losses(&s);
		assert_int_equal(s.n[PMT_HITS_ENTRY], 7);
		assert_int_equal(s.n[PMT_HITS_EXIT], 7);
		assert_int_equal(s.nr_codes, 3);
		scene_close(&s);
	}
}

/* 1 calls itself and 2, which calls 1. */
static void go_down(void)
{
	vm_grow(100); /* in no function */
	for (int i = 0; i < 3; i++) {
		vm_call(1);
		vm_grow(1);
		vm_call(1);
		vm_grow(10);
		vm_call(2);
		vm_grow(100);
	}
}

static void come_up(void)
{
	for (int i = 0; i < 3; i++) {
		vm_return();
		vm_grow(2);
		vm_return();
		vm_return();
	}
}

static void recursion_is_counted_once(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, go_down);
		look(&s);
		assert_int_equal(s.causes[PMT_CAUSE_NO_FRAME], 100);
		/* open calls as far as they have come */
		EXPECT(&s, 1, .calls = 6, .open = 6, .grew = 33, .total = 333, .largest = NO_PAGES);
		EXPECT(&s, 2, .calls = 3, .open = 3, .grew = 300, .total = 322,
		       .largest = NO_PAGES);
		run(&s, come_up);
		look(&s);
		EXPECT(&s, 1, .calls = 6, .returns = 6, .grew = 39, .total = 339, .largest = 339);
		EXPECT(&s, 2, .calls = 3, .returns = 3, .grew = 300, .total = 326, .largest = 326);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* 1 sends to 2 until it returns; 2 calls 3 in between. */
static void generate(void)
{
	vm_call(1);
	for (int i = 0; i < 4; i++) {
		vm_send(0, 2);
		vm_grow(i + 1);
		vm_call(3);
		vm_return();
		if (i < 3)
			vm_yield();
		else
			vm_return();
		vm_grow(10);
	}
	vm_return();
}

static void generators_are_resumed(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, generate);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 40, .total = 50, .largest = 50);
		EXPECT(&s, 2, .calls = 1, .resumes = 3, .returns = 1, .yields = 3, .grew = 10,
		       .total = 10, .largest = 4);
		EXPECT(&s, 3, .calls = 4, .returns = 4);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* 1 calls 2, which calls 3, which raises; 2 does not catch it, and 1 goes on in three ways. */
static void raise_and_go_on(void)
{
	vm_call(1);
	for (int i = 0; i < 3; i++) {
		vm_call(2);
		vm_call(3);
		vm_grow(7);
		vm_raise(2);
		if (i == 0)
			vm_grow(1);
		else if (i == 1)
			vm_call(4), vm_return();
	}
	vm_return();
}

static void exceptions_unwind(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, raise_and_go_on);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 1, .total = 22, .largest = 22);
		EXPECT(&s, 2, .calls = 3, .unwinds = 3, .total = 21, .largest = 7);
		EXPECT(&s, 3, .calls = 3, .unwinds = 3, .grew = 21, .total = 21, .largest = 7);
		EXPECT(&s, 4, .calls = 1, .returns = 1);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* The frame of one that raises is where the next call's is. */
static void raise_and_call_again(void)
{
	vm_call(1);
	for (int i = 0; i < 4; i++) {
		vm_call(2);
		vm_raise(1);
	}
	vm_call(3);
	vm_raise(1);
	vm_return();
}

static void frames_are_used_again(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, raise_and_call_again);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1);
		EXPECT(&s, 2, .calls = 4, .unwinds = 4);
		EXPECT(&s, 3, .calls = 1, .unwinds = 1);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* What was on the stack when it was attached to: 1, 2, 3. */
static void come_from_before(void)
{
	vm_push(1);
	vm_push(2);
	vm_push(3);
	vm_grow(3);
	vm_return();
	vm_grow(20);
	vm_call(4);
	vm_grow(400);
	vm_return();
	vm_return();
	vm_call(5);
	vm_grow(5000);
	vm_return();
	vm_return();
}

static void who_was_there_has_no_calls(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, come_from_before);
		look(&s);
		EXPECT(&s, 3, .returns = 1, .grew = 3, .total = 3, .largest = NO_PAGES);
		EXPECT(&s, 2, .returns = 1, .grew = 20, .total = 423, .largest = NO_PAGES);
		EXPECT(&s, 1, .returns = 1, .total = 5423, .largest = NO_PAGES);
		EXPECT(&s, 4, .calls = 1, .returns = 1, .grew = 400, .total = 400, .largest = 400);
		EXPECT(&s, 5, .calls = 1, .returns = 1, .grew = 5000, .total = 5000,
		       .largest = 5000);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

static void grow_on_the_way_in(void)
{
	vm_call(1);
	vm_call_growing(2, 6);
	vm_grow(1);
	vm_return();
	vm_call_growing(2, 7);
	vm_call_growing(3, 8);
	vm_return();
	vm_return();
	vm_return();
}

/* Until 3.10 the thread state names the caller's frame for a while. */
static void a_call_has_what_grows_as_it_begins(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, grow_on_the_way_in);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .total = 22, .largest = 22);
		EXPECT(&s, 2, .calls = 2, .returns = 2, .grew = 14, .total = 22, .largest = 15);
		EXPECT(&s, 3, .calls = 1, .returns = 1, .grew = 8, .total = 8, .largest = 8);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_counted),
		cmocka_unit_test(recursion_is_counted_once),
		cmocka_unit_test(generators_are_resumed),
		cmocka_unit_test(exceptions_unwind),
		cmocka_unit_test(frames_are_used_again),
		cmocka_unit_test(who_was_there_has_no_calls),
		cmocka_unit_test(a_call_has_what_grows_as_it_begins),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("calls", tests, scenes_set_up, scenes_tear_down);
}
