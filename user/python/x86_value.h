/* SPDX-License-Identifier: MIT */
/*
 * What is known of registers and operands on a path of x86-64 code. Only for x86_walk.c.
 */
#ifndef PMT_PYTHON_X86_VALUE_H
#define PMT_PYTHON_X86_VALUE_H

#include "python/x86_walk.h"

#include <Zydis/Zydis.h>

#define X86_NR_REGS 16

struct x86_state {
	/* numbered as Zydis does: rax rcx rdx rbx rsp rbp rsi ... */
	struct x86_value regs[X86_NR_REGS];
	/* constant on top of the stack, for "push 1; pop rbx" */
	struct x86_value pushed;
};

struct x86_insn {
	uint64_t addr;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

static const struct x86_value x86_unknown = {.kind = X86_UNKNOWN};

static inline struct x86_value x86_constant(uint64_t v)
{
	return (struct x86_value){.kind = X86_CONST, .addr = v};
}

/* 0..15 of the 64-bit register that holds reg; -1: not a general purpose register. */
int x86_reg_index(ZydisRegister reg);

/* The address an operand means, if it is fixed on this path: x(%rip), x, known base + index. */
bool x86_effective(const struct x86_insn *x, const struct x86_state *s,
		   const ZydisDecodedOperand *op, uint64_t *ret);

struct x86_value x86_operand_value(const struct x86_insn *x, const struct x86_state *s,
				   const ZydisDecodedOperand *op);

/* What the first operand, a register, holds afterwards. */
struct x86_value x86_result(const struct x86_insn *x, const struct x86_state *s);

#endif
