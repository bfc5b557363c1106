/* SPDX-License-Identifier: MIT */
/*
 * The shadow of a thread's stack is healed from the interpreter's own frames, whatever happened unseen.
 */
#include "call_scene.h"

/* 2 calls itself so often, and the innermost raises; 1 catches it. */
static void unwind(unsigned int depth)
{
	vm_call(1);
	for (unsigned int i = 0; i < depth; i++)
		vm_call(2);
	vm_grow(9);
	vm_pop(depth);
	vm_call(3);
	vm_return();
	vm_grow(1);
	vm_return();
}

static void unwind_5(void)
{
	unwind(5);
}

static void unwind_1000(void)
{
	unwind(1000);
}

static void frames_end_unseen(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		for (unsigned int round = 1; round <= 3; round++) {
			const uint64_t calls = 5 * round + (round == 3 ? 995 : 0);

			run(&s, round == 3 ? unwind_1000 : unwind_5);
			look(&s);
			EXPECT(&s, 1, .calls = round, .returns = round, .grew = round,
			       .total = 10 * round, .largest = 10);
			EXPECT(&s, 2, .calls = calls, .unwinds = calls, .grew = 9 * round,
			       .total = 9 * round, .largest = 9);
			EXPECT(&s, 3, .calls = round, .returns = round);
		}
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* Generators that delegate to each other: throw() enters the innermost, and none has an entry. */
static void throw_through(void)
{
	vm_call(1);
	vm_throw(0, 2);
	vm_throw(1, 3);
	vm_throw(2, 4);
	vm_grow(3);
	vm_call(5);
	vm_grow(20);
	vm_return();
	vm_yield();
	vm_grow(100);
	vm_suspend(); /* the others, with no word of it */
	vm_suspend();
	vm_return();
}

static void frames_come_unseen(void **state)
{
	for (enum fake_style style = STYLE_311; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, throw_through);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .total = 123, .largest = 123);
		/* came unseen, went unseen: who knows how */
		EXPECT(&s, 2, .total = 123, .largest = NO_PAGES);
		EXPECT(&s, 3, .grew = 100, .total = 123, .largest = NO_PAGES);
		EXPECT(&s, 4, .yields = 1, .grew = 3, .total = 23, .largest = NO_PAGES);
		EXPECT(&s, 5, .calls = 1, .returns = 1, .grew = 20, .total = 20, .largest = 20);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* The same just when others have gone unseen. */
static void raise_and_throw(void)
{
	vm_call(1);
	vm_call(2);
	vm_call(3);
	vm_pop(2);
	vm_throw(0, 4);
	vm_grow(1);
	vm_yield();
	vm_grow(10);
	vm_return();
}

static void frames_go_and_come_unseen(void **state)
{
	for (enum fake_style style = STYLE_311; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, raise_and_throw);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 10, .total = 11, .largest = 11);
		EXPECT(&s, 2, .calls = 1, .unwinds = 1);
		EXPECT(&s, 3, .calls = 1, .unwinds = 1);
		EXPECT(&s, 4, .yields = 1, .grew = 1, .total = 1, .largest = NO_PAGES);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* Further from what is known than is looked. */
static void come_from_afar(void)
{
	vm_call(1);
	for (int i = 0; i < 20; i++)
		vm_push(2);
	vm_call(3);
	vm_grow(1);
	vm_return();
	vm_pop(20);
	vm_grow(1);
	vm_return();
}

static void what_is_far_is_another_stack(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, come_from_afar);
		look(&s);
		/* all of it is known again, as what was there */
		EXPECT(&s, 1, .calls = 1, .lost = 1, .returns = 1, .grew = 1, .total = 2);
		EXPECT(&s, 2, .total = 1, .largest = NO_PAGES);
		EXPECT(&s, 3, .calls = 1, .returns = 1, .grew = 1, .total = 1, .largest = 1);
		assert_losses(&s, PMT_CALL_RESET, 1);
		scene_close(&s);
	}
}

/* Yields that no site has told of: its caller grows, or calls, or resumes it at once. */
static void yield_unseen(void)
{
	vm_call(1);
	vm_send(0, 2);
	vm_suspend();
	vm_grow(1);
	vm_send(0, 2);
	vm_suspend();
	vm_call(3);
	vm_return();
	vm_send(0, 2);
	vm_suspend();
	vm_send(0, 2);
	vm_grow(10);
	vm_yield();
	vm_return();
}

static void yields_may_be_unseen(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		/* until 3.10 a generator's frame does not say it, and no exit is unseen */
		const unsigned int told = style >= STYLE_311 ? 3 : 0;
		struct call_scene s = scene_begin(style);

		run(&s, yield_unseen);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 1, .total = 11, .largest = 11);
		EXPECT(&s, 2, .calls = 1, .resumes = 3, .yields = told + 1, .unwinds = 3 - told,
		       .grew = 10, .total = 10, .largest = 10);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* Two stacks by turns, as greenlets have them: 1 and 2, 3 and 4. */
static void take_turns(void)
{
	struct fake_frame *other;

	vm_call(1);
	vm_call(2);
	other = vm_switch(NULL);
	vm_push(3);
	vm_push(4);
	for (int i = 0; i < 5; i++) {
		vm_grow(1);
		other = vm_switch(other);
		vm_grow(10);
		other = vm_switch(other);
	}
	vm_grow(1);
	vm_return();
	vm_return();
	vm_switch(other);
	vm_grow(10);
	vm_return();
	vm_grow(100);
	vm_return();
}

static void stacks_take_turns(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, take_turns);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .lost = 6, .returns = 1, .grew = 100, .total = 160);
		EXPECT(&s, 2, .calls = 1, .lost = 6, .returns = 1, .grew = 60, .total = 60);
		EXPECT(&s, 3, .lost = 5, .returns = 1, .total = 6, .largest = NO_PAGES);
		EXPECT(&s, 4, .lost = 5, .returns = 1, .grew = 6, .total = 6, .largest = NO_PAGES);
		assert_losses(&s, PMT_CALL_RESET, 11);
		scene_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_end_unseen),
		cmocka_unit_test(frames_come_unseen),
		cmocka_unit_test(frames_go_and_come_unseen),
		cmocka_unit_test(what_is_far_is_another_stack),
		cmocka_unit_test(yields_may_be_unseen),
		cmocka_unit_test(stacks_take_turns),
	};

	return cmocka_run_group_tests_name("calls_heal", tests, scenes_set_up, scenes_tear_down);
}
