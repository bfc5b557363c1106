/* SPDX-License-Identifier: MIT */
/*
 * The walk: which instructions, in which order, and what is told of each. What instructions do to
 * registers is in x86_value.c; decoding is Zydis'.
 */
#include "python/x86_value.h"

#include "base/cleanup.h"
#include "target/elf.h"

#include <errno.h>
#include <string.h>

#define MAX_PENDING 1024
#define SEEN_SLOTS  65536 /* power of two, more than twice the largest budget */
#define MAX_BUDGET  30000

struct pending {
	uint64_t addr;
	struct x86_state state;
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

	struct x86_insn x; /* the instruction at hand */
};

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

static void later(struct walk *w, uint64_t addr, const struct x86_state *state)
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
	w->x.addr = addr;
	return len &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeFull(&w->decoder, buf, len, &w->x.insn, w->x.ops));
}

static void report_memory(struct walk *w, const struct x86_state *s)
{
	for (unsigned i = 0; i < w->x.insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &w->x.ops[i];
		struct x86_event ev = {.size = (uint8_t)(op->size / 8)};

		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.type != ZYDIS_MEMOP_TYPE_MEM ||
		    !x86_effective(&w->x, s, op, &ev.addr))
			continue;
		if (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) {
			ev.kind = X86_EV_READ;
			w->fn(w->arg, &ev);
		}
		if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) || i)
			continue;
		if (w->x.insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
			ev.kind = X86_EV_STORE;
			ev.value = x86_operand_value(&w->x, s, &w->x.ops[1]);
		} else if (w->x.insn.mnemonic == ZYDIS_MNEMONIC_ADD &&
			   w->x.ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			ev.kind = X86_EV_ADD;
			ev.value = x86_constant(w->x.ops[1].imm.value.u);
		} else if (w->x.insn.mnemonic == ZYDIS_MNEMONIC_INC) {
			ev.kind = X86_EV_ADD;
			ev.value = x86_constant(1);
		} else if (w->x.insn.mnemonic == ZYDIS_MNEMONIC_SUB &&
			   w->x.ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			ev.kind = X86_EV_ADD;
			ev.value = x86_constant(-w->x.ops[1].imm.value.u);
		} else {
			ev.kind = X86_EV_STORE;
			ev.value = x86_unknown;
		}
		w->fn(w->arg, &ev);
	}
	if (w->x.insn.mnemonic == ZYDIS_MNEMONIC_CMP) {
		struct x86_event ev = {
			.kind = X86_EV_COMPARE,
			.value = x86_operand_value(&w->x, s, &w->x.ops[0]),
			.other = x86_operand_value(&w->x, s, &w->x.ops[1]),
		};

		w->fn(w->arg, &ev);
	}
}

static void update_registers(struct walk *w, struct x86_state *s)
{
	struct x86_value v = x86_result(&w->x, s);

	for (unsigned i = 0; i < w->x.insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &w->x.ops[i];
		int r;

		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		r = x86_reg_index(op->reg.value);
		if (r >= 0)
			s->regs[r] = !i && op->size >= 32 &&
						     !(op->actions & ZYDIS_OPERAND_ACTION_CONDWRITE)
					     ? v
					     : x86_unknown;
	}
	s->pushed = x86_unknown;
	if (w->x.insn.mnemonic == ZYDIS_MNEMONIC_PUSH &&
	    w->x.ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		s->pushed = x86_constant(w->x.ops[0].imm.value.u);
}

static void report_transfer(struct walk *w, const struct x86_state *s, enum x86_event_kind kind,
			    uint64_t target)
{
	static const uint8_t args[X86_NR_ARGS] = {7, 6, 2, 1, 8, 9}; /* rdi rsi rdx rcx r8 r9 */
	struct x86_event ev = {.kind = kind, .target = target};

	if (!target)
		ev.value = x86_operand_value(&w->x, s, &w->x.ops[0]);
	for (unsigned i = 0; i < X86_NR_ARGS; i++)
		ev.args[i] = s->regs[args[i]];
	w->fn(w->arg, &ev);
}

/* What a callee may change by the ABI is unknown after a call. */
static void forget_caller_saved(struct x86_state *s)
{
	static const uint8_t regs[] = {0, 1, 2, 6, 7, 8, 9, 10, 11};

	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
		s->regs[regs[i]] = x86_unknown;
	s->pushed = x86_unknown;
}

/* One instruction. The address of the next, 0: this path ends. */
static uint64_t step(struct walk *w, struct x86_state *s)
{
	uint64_t next = w->x.addr + w->x.insn.length, target = 0;

	if (w->x.insn.operand_count && w->x.ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	    w->x.ops[0].imm.is_relative)
		target = next + w->x.ops[0].imm.value.u;

	switch ((int)w->x.insn.meta.category) {
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
	switch ((int)w->x.insn.mnemonic) {
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
	struct walk w = {.elf = elf, .fn = fn, .arg = arg, .pending = pending, .seen = seen};
	struct x86_state state = {0};
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
