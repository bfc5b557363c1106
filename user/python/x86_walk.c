/* SPDX-License-Identifier: MIT */
/*
 * The instructions whose effect is followed are the few that compilers use to pass and count things:
 * mov, lea, add, sub, inc, xor, cmp, push/pop of a constant. Every other one makes what it writes
 * unknown. Decoding is Zydis'.
 */
#include "python/x86_walk.h"

#include "base/cleanup.h"
#include "target/elf.h"

#include <Zydis/Zydis.h>

#include <errno.h>
#include <string.h>

#define NR_REGS	    16
#define MAX_PENDING 1024
#define SEEN_SLOTS  65536 /* power of two, more than twice the largest budget */
#define MAX_BUDGET  30000

struct state {
	struct x86_value regs[NR_REGS]; /* numbered as Zydis does: rax rcx rdx rbx rsp rbp rsi ... */
	struct x86_value pushed;	/* constant on top of the stack, for "push 1; pop rbx" */
};

struct pending {
	uint64_t addr;
	struct state state;
};

struct walk {
	const struct elf_file *elf;
	ZydisDecoder decoder;
	x86_event_fn *fn;
	void *arg;

	struct pending *pending;
	unsigned nr_pending;
	uint64_t *seen;
	bool overflow;

	/* the instruction at hand */
	uint64_t addr;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

static const struct x86_value unknown = { .kind = X86_UNKNOWN };

static struct x86_value constant(uint64_t v)
{
	return (struct x86_value){ .kind = X86_CONST, .addr = v };
}

/* 0..15 of the 64-bit register that holds reg; -1: not a general purpose register. */
static int reg_index(ZydisRegister reg)
{
	ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (full < ZYDIS_REGISTER_RAX || full > ZYDIS_REGISTER_R15)
		return -1;
	return full - ZYDIS_REGISTER_RAX;
}

/* False if addr has been walked before. */
static bool first_visit(struct walk *w, uint64_t addr)
{
	size_t slot = (addr * 0x9e3779b97f4a7c15u) >> 48 & (SEEN_SLOTS - 1);

	while (w->seen[slot]) {
		if (w->seen[slot] == addr + 1)
			return false;
		slot = (slot + 1) & (SEEN_SLOTS - 1);
	}
	w->seen[slot] = addr + 1;
	return true;
}

static bool is_code(const struct elf_file *elf, uint64_t addr)
{
	struct elf_section s;

	return !elf_file_section_at(elf, addr, &s) && s.exec && !s.nobits;
}

static void later(struct walk *w, uint64_t addr, const struct state *state)
{
	if (w->nr_pending == MAX_PENDING) {
		w->overflow = true;
		return;
	}
	w->pending[w->nr_pending].addr = addr;
	w->pending[w->nr_pending].state = *state;
	w->nr_pending++;
}

static bool decode(struct walk *w, uint64_t addr)
{
	uint8_t buf[ZYDIS_MAX_INSTRUCTION_LENGTH];
	size_t len = sizeof(buf);

	while (len && elf_file_read(w->elf, addr, buf, len)) /* the end of a segment */
		len--;
	w->addr = addr;
	return len && ZYAN_SUCCESS(ZydisDecoderDecodeFull(&w->decoder, buf, len, &w->insn, w->ops));
}

/* The address an operand means, if it is a fixed one on this path: x(%rip), x, or known base+index. */
static bool effective(const struct walk *w, const struct state *s, const ZydisDecodedOperand *op,
		      uint64_t *ret)
{
	const ZydisDecodedOperandMem *m = &op->mem;
	uint64_t addr = m->disp.has_displacement ? (uint64_t)m->disp.value : 0;

	if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || m->segment == ZYDIS_REGISTER_FS ||
	    m->segment == ZYDIS_REGISTER_GS)
		return false;
	if (m->base == ZYDIS_REGISTER_RIP) {
		addr += w->addr + w->insn.length;
	} else if (m->base != ZYDIS_REGISTER_NONE) {
		int r = reg_index(m->base);

		if (r < 0 || s->regs[r].kind != X86_CONST)
			return false;
		addr += s->regs[r].addr;
	}
	if (m->index != ZYDIS_REGISTER_NONE) {
		int r = reg_index(m->index);

		if (r < 0 || s->regs[r].kind != X86_CONST)
			return false;
		addr += s->regs[r].addr * m->scale;
	}
	*ret = addr;
	return true;
}

static struct x86_value operand_value(const struct walk *w, const struct state *s,
				      const ZydisDecodedOperand *op)
{
	uint64_t addr;
	int r;

	switch ((int)op->type) {
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		return constant(op->imm.value.u);
	case ZYDIS_OPERAND_TYPE_REGISTER:
		r = reg_index(op->reg.value);
		if (r < 0 || op->size < 32)
			return unknown;
		return s->regs[r];
	case ZYDIS_OPERAND_TYPE_MEMORY:
		if (!effective(w, s, op, &addr))
			return unknown;
		return (struct x86_value){
			.kind = X86_LOAD,
			.addr = addr,
			.size = (uint8_t)(op->size / 8),
		};
	default:
		return unknown;
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

static struct x86_value lea(const struct walk *w, const struct state *s)
{
	const ZydisDecodedOperand *op = &w->ops[1];
	uint64_t addr;
	int r;

	if (effective(w, s, op, &addr))
		return constant(addr);
	r = reg_index(op->mem.base);
	if (r >= 0 && op->mem.index == ZYDIS_REGISTER_NONE && s->regs[r].kind == X86_LOAD)
		return add(s->regs[r], op->mem.disp.has_displacement ? op->mem.disp.value : 0);
	return unknown;
}

static bool same_register(const ZydisDecodedOperand *ops)
{
	return ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER && ops[0].reg.value == ops[1].reg.value;
}

/* What the first operand, a register, holds afterwards. */
static struct x86_value result(const struct walk *w, const struct state *s)
{
	const ZydisDecodedOperand *ops = w->ops;
	struct x86_value v;

	switch ((int)w->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVSXD:
		v = operand_value(w, s, &ops[1]);
		if (v.kind == X86_CONST && ops[0].size == 32)
			v.addr &= 0xffffffffu;
		return v;
	case ZYDIS_MNEMONIC_LEA:
		v = lea(w, s);
		if (v.kind == X86_CONST && ops[0].size == 32)
			v.addr &= 0xffffffffu;
		return v;
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_SUB:
		if (same_register(ops))
			return constant(0);
		if (w->insn.mnemonic == ZYDIS_MNEMONIC_SUB &&
		    ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return add(operand_value(w, s, &ops[0]), -ops[1].imm.value.s);
		return unknown;
	case ZYDIS_MNEMONIC_ADD:
		if (ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return add(operand_value(w, s, &ops[0]), ops[1].imm.value.s);
		return unknown;
	case ZYDIS_MNEMONIC_INC:
		return add(operand_value(w, s, &ops[0]), 1);
	case ZYDIS_MNEMONIC_POP:
		return s->pushed;
	default:
		return unknown;
	}
}

static void report_memory(struct walk *w, const struct state *s)
{
	for (unsigned i = 0; i < w->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &w->ops[i];
		struct x86_event ev = { .size = (uint8_t)(op->size / 8) };

		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.type != ZYDIS_MEMOP_TYPE_MEM ||
		    !effective(w, s, op, &ev.addr))
			continue;
		if (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) {
			ev.kind = X86_EV_READ;
			w->fn(w->arg, &ev);
		}
		if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) || i)
			continue;
		if (w->insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
			ev.kind = X86_EV_STORE;
			ev.value = operand_value(w, s, &w->ops[1]);
		} else if (w->insn.mnemonic == ZYDIS_MNEMONIC_ADD &&
			   w->ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			ev.kind = X86_EV_ADD;
			ev.value = constant(w->ops[1].imm.value.u);
		} else if (w->insn.mnemonic == ZYDIS_MNEMONIC_INC) {
			ev.kind = X86_EV_ADD;
			ev.value = constant(1);
		} else if (w->insn.mnemonic == ZYDIS_MNEMONIC_SUB &&
			   w->ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			ev.kind = X86_EV_ADD;
			ev.value = constant(-w->ops[1].imm.value.u);
		} else {
			ev.kind = X86_EV_STORE;
			ev.value = unknown;
		}
		w->fn(w->arg, &ev);
	}
	if (w->insn.mnemonic == ZYDIS_MNEMONIC_CMP) {
		struct x86_event ev = {
			.kind = X86_EV_COMPARE,
			.value = operand_value(w, s, &w->ops[0]),
			.other = operand_value(w, s, &w->ops[1]),
		};

		w->fn(w->arg, &ev);
	}
}

static void update_registers(struct walk *w, struct state *s)
{
	struct x86_value v = result(w, s);

	for (unsigned i = 0; i < w->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &w->ops[i];
		int r;

		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		r = reg_index(op->reg.value);
		if (r >= 0)
			s->regs[r] = !i && op->size >= 32 &&
						     !(op->actions & ZYDIS_OPERAND_ACTION_CONDWRITE)
					     ? v
					     : unknown;
	}
	s->pushed = unknown;
	if (w->insn.mnemonic == ZYDIS_MNEMONIC_PUSH &&
	    w->ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		s->pushed = constant(w->ops[0].imm.value.u);
}

static void report_transfer(struct walk *w, const struct state *s, enum x86_event_kind kind,
			    uint64_t target)
{
	static const uint8_t args[X86_NR_ARGS] = { 7, 6, 2, 1, 8, 9 }; /* rdi rsi rdx rcx r8 r9 */
	struct x86_event ev = { .kind = kind, .target = target };

	for (unsigned i = 0; i < X86_NR_ARGS; i++)
		ev.args[i] = s->regs[args[i]];
	w->fn(w->arg, &ev);
}

/* What a callee may change by the ABI is unknown after a call. */
static void forget_caller_saved(struct state *s)
{
	static const uint8_t regs[] = { 0, 1, 2, 6, 7, 8, 9, 10, 11 };

	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
		s->regs[regs[i]] = unknown;
	s->pushed = unknown;
}

/* One instruction. The address of the next, 0: this path ends. */
static uint64_t step(struct walk *w, struct state *s)
{
	uint64_t next = w->addr + w->insn.length, target = 0;

	if (w->insn.operand_count && w->ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	    w->ops[0].imm.is_relative)
		target = next + w->ops[0].imm.value.u;

	switch ((int)w->insn.meta.category) {
	case ZYDIS_CATEGORY_CALL:
		report_memory(w, s);
		report_transfer(w, s, X86_EV_CALL, target);
		forget_caller_saved(s);
		return next;
	case ZYDIS_CATEGORY_UNCOND_BR:
		report_transfer(w, s, X86_EV_JUMP, target);
		return target; /* indirect: a switch table or a PLT entry, not followed */
	case ZYDIS_CATEGORY_COND_BR:
		if (target)
			later(w, target, s);
		return next;
	case ZYDIS_CATEGORY_RET:
		return 0;
	default:
		break;
	}
	switch ((int)w->insn.mnemonic) {
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
		return 0;
	default:
		break;
	}
	report_memory(w, s);
	update_registers(w, s);
	return next;
}

int x86_walk(const struct elf_file *elf, uint64_t entry, unsigned *budget, x86_event_fn *fn,
	     void *arg)
{
	_cleanup_free_ struct pending *pending = calloc(MAX_PENDING, sizeof(*pending));
	_cleanup_free_ uint64_t *seen = calloc(SEEN_SLOTS, sizeof(*seen));
	struct walk w = { .elf = elf, .fn = fn, .arg = arg, .pending = pending, .seen = seen };
	struct state state = { 0 };
	unsigned left = min(*budget, (unsigned)MAX_BUDGET), used = 0;

	if (!pending || !seen)
		return -ENOMEM;
	if (!is_code(elf, entry))
		return -EFAULT;
	ZydisDecoderInit(&w.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	later(&w, entry, &state);
	while (w.nr_pending) {
		uint64_t at = w.pending[--w.nr_pending].addr;

		state = w.pending[w.nr_pending].state;
		while (at && used < left && is_code(elf, at) && first_visit(&w, at)) {
			used++;
			if (!decode(&w, at))
				break;
			at = step(&w, &state);
		}
	}
	*budget -= used;
	return used == left || w.overflow ? -E2BIG : 0;
}
