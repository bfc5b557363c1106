/* SPDX-License-Identifier: MIT */
/*
 * Walks the x86-64 code of one function and reports what it does with memory at fixed addresses:
 * enough to find file-static objects through exported functions that use them.
 *
 * It follows all jumps (so ".part.0" and ".cold" pieces too) but no calls, and keeps for each
 * register what is known on the path walked: a constant or address, or "loaded from there, plus n".
 * A path walked is a path the code can take, up to conditions; each instruction is walked once.
 */
#ifndef PMT_PYTHON_X86_WALK_H
#define PMT_PYTHON_X86_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct elf_file;

enum x86_kind { X86_UNKNOWN, X86_CONST, X86_LOAD };

struct x86_value {
	enum x86_kind kind;
	uint8_t size;  /* X86_LOAD: bytes loaded */
	uint64_t addr; /* X86_CONST: the value; X86_LOAD: loaded from this link-time address */
	int64_t plus;  /* X86_LOAD: and this was added */
};

/* Argument registers in the order of the System V ABI. */
enum { X86_RDI, X86_RSI, X86_RDX, X86_RCX, X86_R8, X86_R9, X86_NR_ARGS };

enum x86_event_kind {
	X86_EV_CALL,	/* direct to `target`, or indirect to what `value` is */
	X86_EV_JUMP,	/* unconditional, as above: may be a tail call */
	X86_EV_READ,	/* memory at a known address is read: `addr`, `size` */
	X86_EV_STORE,	/* `value` goes to `addr` */
	X86_EV_ADD,	/* `value` (a constant) is added to memory at `addr` */
	X86_EV_COMPARE, /* `value` with `other` */
};

struct x86_event {
	enum x86_event_kind kind;
	uint8_t size;
	uint64_t addr, target;
	struct x86_value value, other;
	struct x86_value args[X86_NR_ARGS]; /* CALL, JUMP */
};

typedef void x86_event_fn(void *arg, const struct x86_event *ev);

/*
 * Walks from `entry` over at most *budget instructions and lowers *budget by what it used. 0,
 * -EFAULT: entry is not code, -E2BIG: the budget did not suffice (everything reported is true),
 * -ENOMEM.
 */
int x86_walk(const struct elf_file *elf, uint64_t entry, unsigned *budget, x86_event_fn *fn,
	     void *arg);

#endif
