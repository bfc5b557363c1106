/* SPDX-License-Identifier: MIT */
/*
 * What a hit of a site is: an entry, the same entry once more, an exit, or nothing, by where the frame is
 * that runs and by whose it is.
 */
#include "call_scene.h"

/* RESUME_CHECK gives way to RESUME, on the same frame. */
static void contend(void)
{
	vm_call(1);
	vm_hit(PMT_SITE_RESUME);
	vm_send(0, 2);
	vm_hit(PMT_SITE_RESUME);
	vm_yield();
	vm_send(0, 2);
	vm_hit(PMT_SITE_RESUME);
	vm_return();
	vm_return();
}

static void an_entry_is_counted_once(void **state)
{
	for (enum fake_style style = STYLE_311; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, contend);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1);
		EXPECT(&s, 2, .calls = 1, .resumes = 1, .returns = 1, .yields = 1);
		assert_losses(&s, PMT_CALL_REPEATED, 3);
		assert_int_equal(s.n[PMT_HITS_ENTRY], 6);
		scene_close(&s);
	}
}

/* RESUME that has instrumented its code begins anew, as what it has become. */
static void begin_anew(void)
{
	vm_call(1);
	vm_code(2)->units[AT_START] = OP_RESUME;
	vm_push(2);
	vm_frame()->instr -= 2;
	vm_hit(PMT_SITE_RESUME);
	/* a tool has become active: the handler rewrites the code, and what it is now runs */
	vm_code(2)->units[AT_START] = OP_LINE;
	vm_hit(PMT_SITE_RESUME);
	vm_return();
	vm_return();
}

static void a_begun_entry_begins_anew(void **state)
{
	for (enum fake_style style = STYLE_311; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, begin_anew);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1);
		EXPECT(&s, 2, .calls = 1, .returns = 1);
		assert_losses(&s, PMT_CALL_REPEATED, 1);
		scene_close(&s);
	}
}

/* 3.11: the code of RESUME goes on with that of RESUME_QUICK; left_as: what it is in memory by then. */
static void pass_both(enum fake_opcode entered_as, enum fake_opcode left_as)
{
	vm_code(2)->units[AT_START] = entered_as;
	vm_push(2);
	vm_frame()->instr -= 2;
	vm_hit(PMT_SITE_RESUME);
	vm_code(2)->units[AT_START] = left_as;
	vm_hit(PMT_SITE_RESUME_CHECK);
}

static void become_quick(void)
{
	vm_call(1);
	pass_both(OP_RESUME, OP_RESUME);
	vm_return();
	pass_both(OP_RESUME, OP_RESUME_QUICK);
	vm_return();
	/* as instructions are executed while a trace function is set */
	pass_both(OP_RESUME_QUICK, OP_RESUME_QUICK);
	vm_return();
	/* left by an exception, which nothing tells, and entered again */
	pass_both(OP_RESUME, OP_RESUME_QUICK);
	vm_hit(PMT_SITE_RESUME_CHECK);
	vm_hit(PMT_SITE_RESUME_CHECK);
	vm_return();
	vm_return();
}

static void resume_goes_on_as_resume_quick(void **state)
{
	struct call_scene s = scene_begin(STYLE_311);

	run(&s, become_quick);
	look(&s);
	EXPECT(&s, 1, .calls = 1, .returns = 1);
	EXPECT(&s, 2, .calls = 6, .returns = 4, .unwinds = 2);
	assert_losses(&s, PMT_CALL_REPEATED, 4);
	scene_close(&s);
}

/* Instructions that stand for others, and others before RESUME. */
static void be_instrumented(void)
{
	struct fake_code *code = vm_code(2);

	vm_call(1);
	code->units[AT_START] = code->units[AT_YIELD] = code->units[AT_RETURN] = OP_LINE;
	code->units[AT_RESUME] = OP_LINE | 1 << 8;
	vm_send(0, 2);
	vm_yield();
	vm_send(0, 2);
	vm_return();
	/* RETURN_GENERATOR, POP_TOP, RESUME: the frame's instruction lags */
	code = vm_code(3);
	code->units[0] = code->units[1] = OP_OTHER;
	code->units[2] = OP_RESUME_CHECK;
	vm_call(3);
	vm_return();
	/* as 3.11 has it before the first instruction */
	vm_push(4);
	vm_frame()->instr = vm_frame()->code + offsetof(struct fake_code, units) - 2;
	vm_hit(PMT_SITE_RESUME_CHECK);
	vm_return();
	/* since 3.14 its lowest bits are a tag */
	vm_push(5);
	vm_frame()->instr -= 2;
	vm_frame()->code |= 1;
	vm_hit(PMT_SITE_RESUME_CHECK);
	vm_frame()->code &= ~1ull;
	vm_return();
	vm_return();
}

static void instructions_may_be_others(void **state)
{
	for (enum fake_style style = STYLE_311; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, be_instrumented);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1);
		EXPECT(&s, 2, .calls = 1, .resumes = 1, .returns = 1, .yields = 1);
		EXPECT(&s, 3, .calls = 1, .returns = 1);
		EXPECT(&s, 4, .calls = 1, .returns = 1);
		EXPECT(&s, 5, .calls = 1, .returns = 1);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* Handlers share code with those of other instructions. */
static void pass_by(void)
{
	vm_call(1);
	vm_frame()->instr = vm_frame()->code + offsetof(struct fake_code, units) + 2 * AT_OTHER;
	for (int i = 0; i < 10; i++) {
		vm_hit(PMT_SITE_RESUME);
		vm_hit(PMT_SITE_RESUME_CHECK);
		vm_hit(PMT_SITE_RETURN);
		vm_hit(PMT_SITE_YIELD);
	}
	vm_return();
}

static void other_instructions_are_no_calls(void **state)
{
	for (enum fake_style style = STYLE_311; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, pass_by);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1);
		assert_losses(&s, PMT_CALL_STRAY, 40);
		scene_close(&s);
	}
}

/* In 3.15 a generator's frame does not say that it is at a yield; its caller's is at a call. */
static void yield_without_saying(void)
{
	vm_call(1);
	vm_send(0, 2);
	vm_frame()->instr += 2;
	vm_grow(1);
	vm_hit(PMT_SITE_YIELD);
	vm_pop(1);
	vm_hit(PMT_SITE_YIELD); /* 1 is no generator */
	vm_grow(10);
	vm_return();
}

static void a_site_says_what_frames_do_not(void **state)
{
	struct call_scene s = scene_begin(STYLE_313);
	struct child child;

	run(&s, yield_without_saying);
	look(&s);
	EXPECT(&s, 2, .calls = 1, .unwinds = 1, .grew = 1, .total = 1, .largest = 1);
	assert_losses(&s, PMT_CALL_STRAY, 2);
	scene_close(&s);

	child = start_vm(STYLE_313);
	vm->exclusive = true;
	s = scene_of(s.t, child, 0);
	run(&s, yield_without_saying);
	look(&s);
	EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 10, .total = 11, .largest = 11);
	EXPECT(&s, 2, .calls = 1, .yields = 1, .grew = 1, .total = 1, .largest = 1);
	assert_losses(&s, PMT_CALL_STRAY, 1);
	scene_close(&s);
}

/* The state it had, freed, and made again for another thread, which holds the GIL. */
static void lose_state(void)
{
	struct fake_thread *state = &vm->world.threads[0];
	const uint64_t self = state->thread_id;

	vm_call(1);
	vm_grow(1);
	state->thread_id = 8;
	vm_grow(10);
	state->thread_id = self;
	vm_grow(100);
	vm_return();
}

static void states_are_used_again(void **state)
{
	for (enum fake_style style = STYLE_310; style <= STYLE_311; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, lose_state);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 101, .total = 101, .largest = 101);
		assert_int_equal(s.causes[PMT_CAUSE_NO_THREAD], 10);
		assert_no_losses(&s);
		scene_close(&s);
	}
}

/* Frames of the interpreter's own between those of functions. */
static void pass_shims(void)
{
	vm_call(1);
	vm_push(9); /* C calls Python: an entry frame */
	vm_frame()->owner = PMT_OWNER_CSTACK;
	vm_call(2);
	vm_grow(5);
	vm_push(VM_SHIM_CODE); /* __init__ */
	vm_grow(2);
	vm_call(3);
	vm_grow(3);
	vm_return();
	if (vm->style == STYLE_313)
		vm_hit(PMT_SITE_CLEAR);
	vm_pop(1);
	vm_return();
	vm_pop(1);
	vm_grow(1);
	vm_return();
}

static void shims_are_no_functions(void **state)
{
	for (enum fake_style style = STYLE_311; style < NR_STYLES; style++) {
		struct call_scene s = scene_begin(style);

		run(&s, pass_shims);
		look(&s);
		EXPECT(&s, 1, .calls = 1, .returns = 1, .grew = 1, .total = 11, .largest = 11);
		EXPECT(&s, 2, .calls = 1, .returns = 1, .grew = 7, .total = 10, .largest = 10);
		EXPECT(&s, 3, .calls = 1, .returns = 1, .grew = 3, .total = 3, .largest = 3);
		assert_int_equal(s.nr_codes, 3);
		assert_losses(&s, PMT_CALL_STRAY, style == STYLE_313);
		scene_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_counted_once),
		cmocka_unit_test(a_begun_entry_begins_anew),
		cmocka_unit_test(resume_goes_on_as_resume_quick),
		cmocka_unit_test(instructions_may_be_others),
		cmocka_unit_test(other_instructions_are_no_calls),
		cmocka_unit_test(a_site_says_what_frames_do_not),
		cmocka_unit_test(states_are_used_again),
		cmocka_unit_test(shims_are_no_functions),
	};

	return cmocka_run_group_tests_name("calls_sites", tests, scenes_set_up, scenes_tear_down);
}
