/* SPDX-License-Identifier: MIT */
/*
 * What an instruction does to a register. Followed are the few that compilers use to pass and count
 * things: mov, lea, add, sub, inc, xor, push and pop of a constant. Every other one makes what it
 * writes unknown.
 */
#include "python/x86_value.h"

/* 0..15 of the 64-bit register that holds reg; -1: not a general purpose register. */
int x86_reg_index(ZydisRegister reg)
{
	ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (full < ZYDIS_REGISTER_RAX || full > ZYDIS_REGISTER_R15)
		return -1;
	return full - ZYDIS_REGISTER_RAX;
}

/* The address an operand means, if it is a fixed one on this path: x(%rip), x, or known base+index.
 */
bool x86_effective(const struct x86_insn *x, const struct x86_state *s,
		   const ZydisDecodedOperand *op, uint64_t *ret)
{
	const ZydisDecodedOperandMem *m = &op->mem;
	uint64_t addr = m->disp.has_displacement ? (uint64_t)m->disp.value : 0;

	if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || m->segment == ZYDIS_REGISTER_FS ||
	    m->segment == ZYDIS_REGISTER_GS)
		return false;
	if (m->base == ZYDIS_REGISTER_RIP) {
		addr += x->addr + x->insn.length;
	} else if (m->base != ZYDIS_REGISTER_NONE) {
		int r = x86_reg_index(m->base);

		if (r < 0 || s->regs[r].kind != X86_CONST)
			return false;
		addr += s->regs[r].addr;
	}
	if (m->index != ZYDIS_REGISTER_NONE) {
		int r = x86_reg_index(m->index);

		if (r < 0 || s->regs[r].kind != X86_CONST)
			return false;
		addr += s->regs[r].addr * m->scale;
	}
	*ret = addr;
	return true;
}

struct x86_value x86_operand_value(const struct x86_insn *x, const struct x86_state *s,
				   const ZydisDecodedOperand *op)
{
	uint64_t addr;
	int r;

	switch ((int)op->type) {
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		return x86_constant(op->imm.value.u);
	case ZYDIS_OPERAND_TYPE_REGISTER:
		r = x86_reg_index(op->reg.value);
		if (r < 0 || op->size < 32)
			return x86_unknown;
		return s->regs[r];
	case ZYDIS_OPERAND_TYPE_MEMORY:
		if (!x86_effective(x, s, op, &addr))
			return x86_unknown;
		return (struct x86_value){
			.kind = X86_LOAD,
			.addr = addr,
			.size = (uint8_t)(op->size / 8),
		};
	default:
		return x86_unknown;
	}
}

static struct x86_value add(struct x86_value v, int64_t n)
{
	if (v.kind == X86_CONST)
		v.addr += (uint64_t)n;
	else if (v.kind == X86_LOAD)
		v.plus += n;
	return v;
}

static struct x86_value lea(const struct x86_insn *x, const struct x86_state *s)
{
	const ZydisDecodedOperand *op = &x->ops[1];
	uint64_t addr;
	int r;

	if (x86_effective(x, s, op, &addr))
		return x86_constant(addr);
	r = x86_reg_index(op->mem.base);
	if (r >= 0 && op->mem.index == ZYDIS_REGISTER_NONE && s->regs[r].kind == X86_LOAD)
		return add(s->regs[r], op->mem.disp.has_displacement ? op->mem.disp.value : 0);
	return x86_unknown;
}

static bool same_register(const ZydisDecodedOperand *ops)
{
	return ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER && ops[0].reg.value == ops[1].reg.value;
}

/* What the first operand, a register, holds afterwards. */
struct x86_value x86_result(const struct x86_insn *x, const struct x86_state *s)
{
	const ZydisDecodedOperand *ops = x->ops;
	struct x86_value v;

	switch ((int)x->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVSXD:
		v = x86_operand_value(x, s, &ops[1]);
		if (v.kind == X86_CONST && ops[0].size == 32)
			v.addr &= 0xffffffffu;
		return v;
	case ZYDIS_MNEMONIC_LEA:
		v = lea(x, s);
		if (v.kind == X86_CONST && ops[0].size == 32)
			v.addr &= 0xffffffffu;
		return v;
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_SUB:
		if (same_register(ops))
			return x86_constant(0);
		if (x->insn.mnemonic == ZYDIS_MNEMONIC_SUB &&
		    ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return add(x86_operand_value(x, s, &ops[0]), -ops[1].imm.value.s);
		return x86_unknown;
	case ZYDIS_MNEMONIC_ADD:
		if (ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return add(x86_operand_value(x, s, &ops[0]), ops[1].imm.value.s);
		return x86_unknown;
	case ZYDIS_MNEMONIC_INC:
		return add(x86_operand_value(x, s, &ops[0]), 1);
	case ZYDIS_MNEMONIC_POP:
		return s->pushed;
	default:
		return x86_unknown;
	}
}
