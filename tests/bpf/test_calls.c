/* SPDX-License-Identifier: MIT */
/*
 * Function entry and exit as BPF counts them: what each function did, in four styles of interpreters.
 */
#include "call_scene.h"

#include "base/cleanup.h"

#include <unistd.h>

/* 1 calls 2 and 3, and grows between the calls. */
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
		struct call_scene s = scene_open(style, NULL);

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_counted),
	};

	return vm_map() ? cmocka_run_group_tests_name("calls", tests, NULL, NULL) : 1;
}
