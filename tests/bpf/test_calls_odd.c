/* SPDX-License-Identifier: MIT */
/*
 * Whatever stands where frames and code should, however deep, and in threads at once: all that grows is
 * put down somewhere and adds up, and it ends.
 */
#include "call_scene.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

/* The caller's frames are not to be read for a while. */
static void hide_generators(void)
{
	vm_call(1);
	vm_send(0, 2);
	vm_call(3);
	mprotect(vm->generators, sizeof(vm->generators), PROT_NONE);
	vm_grow(1);
	vm_call(4);
	vm_grow(10);
	vm_return();
	mprotect(vm->generators, sizeof(vm->generators), PROT_READ | PROT_WRITE);
	vm_return();
	vm_grow(100);
	mprotect(vm->generators, sizeof(vm->generators), PROT_NONE);
	vm_grow(1000); /* whoever runs cannot be told */
	mprotect(vm->generators, sizeof(vm->generators), PROT_READ | PROT_WRITE);
	vm_grow(2000);
	vm_return();
	vm_return();
}

static void frames_may_be_away(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, hide_generators);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .total = 2111, .largest = 2111);
		EXPECT(&s, 2, .calls = 1, .returns = 1, .grew = 2100, .total = 2111,
		       .largest = 2111);
		EXPECT(&s, 3, .calls = 1, .returns = 1, .grew = 1, .total = 11, .largest = 11);
		EXPECT(&s, 4, .calls = 1, .returns = 1, .grew = 10, .total = 10, .largest = 10);
		assert_int_equal(s.causes[PMT_CAUSE_WALK_FAILED], 1000);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* Round and round, and the way back. */
static void go_round(void)
{
	struct fake_frame *f;

	vm_call(1);
	vm_call(2);
	f = vm_frame();
	f->previous = fake_address(f);
	vm_grow(1);
	vm_push(3);
	f[1].previous = fake_address(&f[1]);
	for (int i = 0; i < 10; i++) {
		vm_grow(1);
		vm_hit(PMT_SITE_RETURN);
		vm_hit(PMT_SITE_LEAVE);
	}
	f[1].previous = fake_address(f);
	f->previous = fake_address(f - 1);
	vm_pop(1);
	vm_return();
	vm_grow(1);
	vm_return();
}

static void chains_may_be_circles(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, go_round);
		look(&s);
		assert_int_equal(sum_of(&s, 1, 0).calls, 1);
		assert_int_equal(sum_of(&s, 2, 0).growth / PAGE, 1);
		assert_int_equal(sum_of(&s, 3, 0).growth / PAGE, 10);
		assert_int_equal(sum_of(&s, 1, 0).growth / PAGE, 1);
		for (unsigned int fn = 1; fn <= 3; fn++)
			assert_int_equal(sum_of(&s, fn, 0).open, 0);
		scene_close(&s);
	}
}

/* Code objects that are none: what happens in such calls goes to their callers. */
static void run_garbage(void)
{
	static const uint64_t nowhere[] = {8, 0xdeadbeef000, 0xffff888000000000, 0xffffffff81000000,
					   UINT64_MAX - 7};

	vm_call(1);
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		vm_push(2);
		vm_frame()->code = nowhere[i];
		vm_grow(1);
		vm_call(3);
		vm_grow(10);
		vm_return();
		vm_pop(1);
	}
	vm_code(4)->type++;
	vm_call(4);
	vm_grow(100);
	vm_return();
	vm_grow(1000);
	vm_return();
}

static void code_may_be_garbage(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, run_garbage);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 1105, .total = 1155,
		       .largest = 1155);
		EXPECT(&s, 3, .calls = 5, .returns = 5, .grew = 50, .total = 50, .largest = 10);
		EXPECT(&s, NO_FUNCTION, .largest = NO_PAGES);
		/* the same frame five times, and one */
		assert_losses(&s, PMT_CALL_UNREAD, 2);
		scene_close(&s);
	}
}

/* Deeper than the shadow goes. */
#define TOO_DEEP 70000

static void go_too_deep(void)
{
	vm_call(1);
	for (int i = 0; i < TOO_DEEP; i++)
		vm_call(2);
	vm_grow(5);
}

static void come_back(void)
{
	for (int i = 0; i < TOO_DEEP; i++)
		vm_return();
	vm_grow(1);
	vm_call(3);
	vm_grow(1);
	vm_return();
	vm_return();
}

static void depth_is_bounded(void **state)
{
	struct call_scene s = scene_begin(STYLE_311);
	struct trace_call_sum sum;

	run(&s, go_too_deep);
	look(&s);
	assert_true(s.n[PMT_CALL_FULL] > 0);
	assert_int_equal(s.n[PMT_HITS_ENTRY], TOO_DEEP + 1);
	sum = sum_of(&s, 2, 0);
	assert_in_range(sum.calls, TOO_DEEP - 100, TOO_DEEP);
	assert_in_range(sum.open, 1, TOO_DEEP);
	run(&s, come_back);
	look(&s);
	sum = sum_of(&s, 2, 0);
	assert_int_equal(sum.open, 0);
	assert_int_equal(s.n[PMT_HITS_EXIT], TOO_DEEP + 2);
	EXPECT(&s, 3, .calls = 1, .returns = 1, .grew = 1, .total = 1, .largest = 1);
	assert_int_equal(sum_of(&s, 1, 0).growth / PAGE, 1);
	scene_close(&s);
}

/* 1 in the first thread, 2 in the second, ...; and 9 in all. */
#define ROUNDS 300

static void rounds(unsigned int fn)
{
	for (int i = 0; i < ROUNDS; i++) {
		vm_call(fn);
		vm_grow(fn);
		vm_call(9);
		vm_grow(1);
		vm_call(fn);
		vm_raise(2);
		vm_send(fn, 10);
		vm_yield();
		vm_return();
	}
}

static void first_rounds(void)
{
	vm->said[1] = gettid();
	rounds(1);
}

static void second_rounds(void)
{
	vm->said[2] = gettid();
	rounds(2);
}

static void third_rounds(void)
{
	vm->said[3] = gettid();
	rounds(3);
	/* it ends with these open */
	vm_call(3);
	vm_call(11);
	vm_call(12);
	vm_call(13);
	vm_grow(1000);
}

static void run_threads(void)
{
	vm_threads(3, (void (*const[])(void)){first_rounds, second_rounds, third_rounds});
}

static void threads_have_their_own(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, run_threads);
		look(&s);
		for (unsigned int fn = 1; fn <= 2; fn++)
			EXPECT(&s, fn, .calls = 2 * ROUNDS, .returns = ROUNDS, .unwinds = ROUNDS,
			       .grew = fn * ROUNDS, .total = (fn + 1) * ROUNDS, .largest = fn + 1);
		EXPECT(&s, 3, .calls = 2 * ROUNDS + 1, .returns = ROUNDS, .unwinds = ROUNDS,
		       .grew = 3 * ROUNDS, .total = 4 * ROUNDS + 1000, .largest = 1000);
		EXPECT(&s, 9, .calls = 3 * ROUNDS, .unwinds = 3 * ROUNDS, .grew = 3 * ROUNDS,
		       .total = 3 * ROUNDS, .largest = 1);
		EXPECT(&s, 10, .calls = 3, .resumes = 3 * ROUNDS - 3, .yields = 3 * ROUNDS);
		/* what a thread leaves open has ended with it */
		EXPECT(&s, 11, .calls = 1, .total = 1000, .largest = 1000);
		EXPECT(&s, 12, .calls = 1, .total = 1000, .largest = 1000);
		EXPECT(&s, 13, .calls = 1, .grew = 1000, .total = 1000, .largest = 1000);
		assert_no_losses(&s);
		/* the main thread's is all that is kept */
		assert_int_equal(count_entries(s.t, "call_threads"), 1);
		assert_int_equal(count_entries(s.t, "opened"), 0);
		assert_int_equal(s.rows[0].tid, 0);
		scene_close(&s);
	}
}

static uint64_t dice = 88172645463325252ull;

static uint64_t throw_dice(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

/* Anything may stand anywhere, and any site may be hit with anything. */
static void hit_anything(void)
{
	const size_t words = sizeof(vm->world) / 8;
	uint64_t *raw = (uint64_t *)&vm->world;

	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 4; i++) {
			uint64_t r = throw_dice();
			size_t at =
				r % 8 == 0 ? r >> 8
				: r % 2	   ? offsetof(struct fake_world, frames) / 8 + (r >> 8) % 60
					   : (r >> 8) % 100;

			raw[at % words] =
				r % 3 ? fake_address(vm->world.frames + r % 11) : throw_dice();
		}
		/* mostly a thread that is known, and in a frame */
		vm->world.current = fake_address(vm->world.threads);
		vm->world.threads[0].thread_id = vm->said[0];
		if (throw_dice() % 4)
			vm->world.threads[0].frame =
				fake_address(vm->world.frames + throw_dice() % 10);
		for (int i = 0; i < 4; i++)
			vm->world.frames[throw_dice() % 10].code =
				fake_address(vm_code(throw_dice() % 8));
		for (int i = 0; i < 4; i++)
			vm->world.frames[throw_dice() % 10].instr =
				fake_address(&vm_code(throw_dice() % 8)->units[throw_dice() % 8]);
		vm_sites[throw_dice() % PMT_SITES](
			fake_address(vm->world.threads),
			fake_address(vm->world.frames + throw_dice() % 10));
		vm_grow(1);
	}
}

static void anything_may_be_hit(void **state)
{
	for (enum fake_style style = 0; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		for (int i = 0; i < 10; i++) {
			vm->said[0] = (uint64_t)pthread_self();
			run(&s, hit_anything);
			look(&s);
			vm_init(style);
		}
		assert_true(s.n[PMT_CALL_UNREAD] && s.n[PMT_CALL_STRAY] &&
			    s.causes[PMT_CAUSE_WALK_FAILED]);
		assert_true(s.nr_codes > 0);
		scene_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_may_be_away),	  cmocka_unit_test(chains_may_be_circles),
		cmocka_unit_test(code_may_be_garbage),	  cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(threads_have_their_own), cmocka_unit_test(anything_may_be_hit),
	};

	return cmocka_run_group_tests_name("calls_odd", tests, scenes_set_up, scenes_tear_down);
}
