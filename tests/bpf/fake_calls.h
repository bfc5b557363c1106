/* SPDX-License-Identifier: MIT */
/*
 * Functions that are entered and left as interpreters of four styles do it, in a process that a test
 * runs its own functions in:
 *
 *	static void twice(void)			run(&scene, twice);
 *	{					look(&scene);
 *		vm_call(1);			EXPECT(&scene, 1, .calls = 1, ...
 *		vm_grow(5);
 *		vm_return();
 *	}
 *
 * Frames, code and thread states are those of fake_stack.h; a site is a function that begins with an
 * instruction which the kernel emulates.
 */
#ifndef PMT_TESTS_FAKE_CALLS_H
#define PMT_TESTS_FAKE_CALLS_H

#include "fake_stack.h"

#include <stdbool.h>
#include <sys/types.h>

#define PAGE		4096
#define VM_FRAMES	70100 /* of the main thread; the others have fake_world.frames */
#define VM_THREADS	4
#define VM_GENERATORS	16
#define VM_SHIM_CODE	(NR_FAKE_CODES - 1) /* the code object that is the interpreter's own */
#define VM_REGION_BYTES (256ul << 20)	    /* that a thread can grow by */

enum fake_style {
	STYLE_38,  /* the evaluation function; a stack that is kept says that a frame has yielded */
	STYLE_310, /* a state says so */
	STYLE_311, /* handlers; nobody says that a frame is unwound */
	STYLE_313, /* _PyEval_FrameClearAndPop does */
	NR_STYLES,
};

enum fake_opcode {
	OP_OTHER = 1,
	OP_RETURN = 36,
	OP_YIELD = 118,
	OP_RESUME = 149,
	OP_RESUME_QUICK = 150, /* of 3.11 */
	OP_RESUME_CHECK = 207,
	OP_INSTRUMENTED_RESUME = 236,
	OP_LINE = 254, /* stands for another */
};

/* Where a function's frame can be, in code units; all have the same code but what a test writes. */
enum fake_place { AT_START, AT_CALL, AT_YIELD, AT_RESUME, AT_OTHER, AT_RETURN };

struct fake_calls {
	struct fake_world world; /* the first: it has the alignment */
	struct fake_frame deep[VM_FRAMES] __attribute__((aligned(4096)));
	struct fake_frame generators[VM_GENERATORS] __attribute__((aligned(4096)));
	enum fake_style style __attribute__((aligned(4096)));
	bool exclusive;	   /* no other code leads to the site of yields */
	uint64_t said[16]; /* what a test's function in the child lets the test know */
};

extern struct fake_calls *vm; /* shared between the test and its children */

/* Maps it. Returns false if that failed. */
bool vm_map(void);
/* Lays it out anew: the main thread, no frame. */
void vm_init(enum fake_style style);
struct pmt_walk vm_walk(void);

/* The sites, by their role: enum pmt_call_site. */
extern void (*const vm_sites[PMT_SITES])(uint64_t arg1, uint64_t arg2);

/* What allocates arenas (ctx, size) and pools (size class). */
#define VM_ARENA_BYTES (256 << 10)
void site_arena(uint64_t ctx, uint64_t size);
void site_pool(uint64_t size_class, uint64_t unused);

/* What child_start() runs: functions whose address comes through the pipe, until it is closed. */
int vm_main(int in, int out);

/* For the test's functions, in the child. Of the thread that calls them. */
void vm_call(unsigned int fn);
/* The same, and pages come before the thread state names the frame (until 3.10: else before). */
void vm_call_growing(unsigned int fn, size_t pages);
void vm_return(void);
/* A generator's frame: entered the first time and again, or by the way that has no entry (throw). */
void vm_send(unsigned int generator, unsigned int fn);
void vm_throw(unsigned int generator, unsigned int fn);
void vm_yield(void);
/* An exception leaves n frames, and the next catches it. */
void vm_raise(unsigned int n);
/* Without a word from any site: frames that appear and go. */
void vm_push(unsigned int fn);
void vm_pop(unsigned int n);
void vm_suspend(void); /* at a yield */
/* Where the thread is; vm_switch() goes elsewhere and returns where it was. */
struct fake_frame *vm_frame(void);
struct fake_frame *vm_switch(struct fake_frame *to);
void vm_hit(enum pmt_call_site site);
struct fake_code *vm_code(unsigned int fn);

/* fork(): neither of both has a frame then, nor comes anything unmeant. */
pid_t vm_fork(void);

void vm_grow(size_t pages);
void vm_shrink(size_t pages); /* the newest */

/* Threads at once, each with a state of its own. To be called with no frame. */
void vm_threads(unsigned int nr, void (*const run[])(void));

#endif
