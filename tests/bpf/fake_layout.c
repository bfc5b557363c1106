/* SPDX-License-Identifier: MIT */
/* What fake_calls.c runs on: sites, and memory laid out as four styles of interpreters have it. */
#include "fake_calls.h"

#include <pthread.h>
#include <sys/mman.h>

/* push and nop are emulated; a single-stepped one would bring a page with its first hit. */
#define SITE(name)                                                   \
	__asm__(".pushsection .text\n"                               \
		".globl " #name "\n"                                 \
		".type " #name ", @function\n" #name ":	push %rbp\n" \
		"		pop %rbp\n"                                       \
		"		ret\n"                                            \
		".size " #name ", .-" #name "\n"                     \
		".popsection\n");                                    \
	void name(uint64_t arg1, uint64_t arg2)

SITE(site_enter);
SITE(site_leave);
SITE(site_resume);
SITE(site_resume_check);
SITE(site_return);
SITE(site_yield);
SITE(site_clear);
SITE(site_arena);
SITE(site_pool);

void (*const vm_sites[PMT_SITES])(uint64_t, uint64_t) = {
	[PMT_SITE_ENTER] = site_enter,	 [PMT_SITE_LEAVE] = site_leave,
	[PMT_SITE_RESUME] = site_resume, [PMT_SITE_RESUME_CHECK] = site_resume_check,
	[PMT_SITE_RETURN] = site_return, [PMT_SITE_YIELD] = site_yield,
	[PMT_SITE_CLEAR] = site_clear,
};

struct fake_calls *vm;

bool vm_map(void)
{
	vm = mmap(NULL, sizeof(*vm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return vm != MAP_FAILED;
}

void vm_init(enum fake_style style)
{
	static const uint16_t units[] = {
		[AT_START] = OP_RESUME_CHECK,
		[AT_CALL] = OP_OTHER,
		[AT_YIELD] = OP_YIELD,
		[AT_RESUME] = OP_RESUME_CHECK | 1 << 8,
		[AT_OTHER] = OP_OTHER,
		[AT_RETURN] = OP_RETURN,
		[AT_RETURN + 1] = OP_OTHER | 255 << 8,
	};

	fake_world_init(&vm->world, (uint64_t)pthread_self());
	memset(vm->deep, 0, sizeof(vm->deep));
	memset(vm->generators, 0, sizeof(vm->generators));
	memset(vm->said, 0, sizeof(vm->said));
	vm->style = style;
	vm->exclusive = false;
	vm->world.threads[0].frame = 0;
	vm->world.current = fake_address(&vm->world.threads[0]);
	for (int i = 0; i < NR_FAKE_CODES; i++)
		memcpy(vm->world.codes[i].units, units, sizeof(units));
}

/* "f7" is the function 7 and its file is "f0", until a test writes others. */
struct pmt_walk vm_walk(void)
{
	struct pmt_walk walk = fake_walk(&vm->world);
	struct py_layout *l = &walk.layout;
	bool handlers = vm->style >= STYLE_311;
	uint8_t *ops = walk.calls.ops;

	walk.current_addr = 0;
	walk.calls.on = 1;
	walk.calls.holder_addr = fake_address(&vm->world.current);
	l->tstate_exception = offsetof(struct fake_thread, exception);
	if (!handlers) {
		walk.calls.frame_arg = vm->style == STYLE_38 ? 1 : 2;
		l->frame_owner = PY_NONE;
		if (vm->style == STYLE_310)
			l->frame_state = offsetof(struct fake_frame, state);
		else
			l->frame_stacktop = offsetof(struct fake_frame, stacktop);
		return walk;
	}
	walk.calls.clears = vm->style == STYLE_313;
	walk.calls.shims_start = fake_address(&vm->world.codes[VM_SHIM_CODE]);
	walk.calls.shims_end = walk.calls.shims_start + sizeof(struct fake_code);
	ops[OP_RETURN] = PMT_OP_RETURN;
	ops[OP_YIELD] = PMT_OP_YIELD;
	ops[OP_RESUME] = ops[OP_INSTRUMENTED_RESUME] = PMT_OP_RESUME;
	ops[OP_RESUME_CHECK] = PMT_OP_RESUME_CHECK;
	ops[OP_RESUME_QUICK] = PMT_OP_RESUME | PMT_OP_RESUME_CHECK;
	ops[OP_LINE] = PMT_OP_ANY;
	l->frame_lasti = PY_NONE;
	l->frame_instr = offsetof(struct fake_frame, instr);
	l->code_adaptive = offsetof(struct fake_code, units);
	return walk;
}

struct fake_code *vm_code(unsigned int fn)
{
	return &vm->world.codes[fn];
}
