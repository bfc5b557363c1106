/* SPDX-License-Identifier: MIT */
/*
 * Sites of 3.11 and later: entry at the handlers of RESUME and what it is specialised to, exit at those
 * of RETURN_VALUE and YIELD_VALUE. Where returning calls _PyEval_FrameClearAndPop(tstate, frame) out of
 * line, that function stands for the handlers of returns: unwinding calls it too.
 */
#include <linux/types.h>

#include "python/call_sites.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "pymemtrace/calls_abi.h"
#include "python/opcode_table.h"
#include "python/x86_probe.h"
#include "python/x86_walk.h"
#include "target/elf.h"

#include <errno.h>
#include <string.h>

#define MAX_HANDLERS  16
#define RETURN_BUDGET 300 /* instructions of a handler that are walked; the call is within 40 */

/* One place to probe, found; several opcodes may share it. */
struct handler {
	const struct py_opcode *op;
	struct eval_site site;
};

struct handlers {
	const struct elf_file *elf;
	const struct py_opcodes *opcodes;
	uint64_t targets[PY_NR_OPCODES];
	uint64_t clear; /* _PyEval_FrameClearAndPop; 0: unknown or inlined */
	struct handler v[MAX_HANDLERS];
	size_t nr;
};

/* --- is the function called out of line? ---------------------------------------------------- */

struct call_search {
	const struct elf_file *elf;
	uint64_t function;
	bool found;
};

static bool slot_leads_to(const struct call_search *s, uint64_t slot)
{
	uint64_t value;

	return !elf_file_read_linked(s->elf, slot, &value, sizeof(value)) && value == s->function;
}

/* endbr64; bnd jmp *0x2fe5(%rip): what a shared library's calls of exported functions go through */
static bool plt_leads_to(const struct call_search *s, uint64_t addr)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	uint8_t code[16];
	size_t at = 0;

	if (elf_file_read(s->elf, addr, code, sizeof(code)))
		return false;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	while (ZYAN_SUCCESS(
		ZydisDecoderDecodeFull(&decoder, code + at, sizeof(code) - at, &insn, ops))) {
		at += insn.length;
		if (insn.mnemonic == ZYDIS_MNEMONIC_ENDBR64)
			continue;
		return insn.mnemonic == ZYDIS_MNEMONIC_JMP &&
		       ops[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		       ops[0].mem.base == ZYDIS_REGISTER_RIP &&
		       slot_leads_to(s, addr + at + (uint64_t)ops[0].mem.disp.value);
	}
	return false;
}

static void on_call(void *arg, const struct x86_event *ev)
{
	struct call_search *s = arg;

	if (s->found || (ev->kind != X86_EV_CALL && ev->kind != X86_EV_JUMP))
		return;
	if (ev->target)
		s->found = ev->target == s->function || plt_leads_to(s, ev->target);
	else if (ev->value.kind == X86_LOAD && !ev->value.plus)
		s->found = slot_leads_to(s, ev->value.addr);
}

static bool calls(const struct elf_file *elf, uint64_t handler, uint64_t function)
{
	struct call_search s = {.elf = elf, .function = function};
	unsigned int budget = RETURN_BUDGET;

	x86_walk(elf, handler, &budget, on_call, &s);
	return s.found;
}

/* Exported since 3.13. All returns must call it: the compiler may have inlined it into some. */
static void find_clear(struct handlers *h)
{
	struct elf_symbol s;

	if (elf_file_dynamic_symbol(h->elf, "_PyEval_FrameClearAndPop", &s))
		return;
	for (const struct py_opcode *op = h->opcodes->v; op->name; op++)
		if (op->bits == PMT_OP_RETURN && !calls(h->elf, h->targets[op->number], s.value)) {
			log_debug("%s does not call _PyEval_FrameClearAndPop", op->name);
			return;
		}
	h->clear = s.value;
}

/* --- sites ------------------------------------------------------------------------------------ */

static const struct py_opcode clear_op = {.name = "_PyEval_FrameClearAndPop"};

static unsigned int role_of(const struct py_opcode *op)
{
	switch (op->bits) {
	case PMT_OP_RESUME:
	case PMT_OP_RESUME | PMT_OP_INSTRUMENTED:
		return PMT_SITE_RESUME;
	case PMT_OP_RESUME_CHECK:
	case PMT_OP_RESUME | PMT_OP_RESUME_CHECK:
		return PMT_SITE_RESUME_CHECK;
	case PMT_OP_RETURN:
		return PMT_SITE_RETURN;
	case PMT_OP_YIELD:
		return PMT_SITE_YIELD;
	default:
		return PMT_SITE_CLEAR;
	}
}

/* The place whose probe this opcode passes as well; NULL: none yet. */
static struct handler *same_site(struct handlers *h, uint64_t addr)
{
	for (size_t i = 0; i < h->nr; i++)
		if (h->v[i].site.addr == addr)
			return &h->v[i];
	return NULL;
}

static int add_handler(struct handlers *h, const struct py_opcode *op, uint8_t *ret_bits,
		       struct fault *f)
{
	struct eval_site site;
	struct handler *other;

	*ret_bits = op->bits;
	if (eval_site_read(h->elf, h->targets[op->number], EVAL_KEEP_NONE, &site))
		return fault_set(f, ENOTSUP, "%s: the handler of %s is no code",
				 elf_file_name(h->elf), op->name);
	other = same_site(h, site.addr);
	if (other) {
		*ret_bits = other->op->bits;
		return 0;
	}
	if (h->nr == MAX_HANDLERS)
		return fault_set(f, ENOTSUP, "%s: too many handlers", elf_file_name(h->elf));
	h->v[h->nr++] = (struct handler){.op = op, .site = site};
	return 0;
}

static int add_clear(struct handlers *h, struct fault *f)
{
	struct handler *c = &h->v[h->nr];

	if (h->nr == MAX_HANDLERS || eval_site_read(h->elf, h->clear, EVAL_KEEP_RSI, &c->site))
		return fault_set(f, ENOTSUP, "%s: %s is no code", elf_file_name(h->elf),
				 clear_op.name);
	c->op = &clear_op;
	h->nr++;
	return 0;
}

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Other opcodes whose handlers begin in a site's run. */
static void find_other_opcodes(struct handlers *h, const uint8_t ops[PY_NR_OPCODES])
{
	for (size_t i = 0; i < h->nr; i++) {
		struct eval_site *s = &h->v[i].site;

		for (unsigned int k = 0; k < PY_NR_OPCODES; k++)
			if (h->targets[k] >= s->start && h->targets[k] <= s->addr &&
			    ops[k] != h->v[i].op->bits)
				s->shared = true;
	}
}

static int find_shared(struct handlers *h, struct fault *f)
{
	struct eval_site sites[MAX_HANDLERS];
	uint64_t known[PY_NR_OPCODES];
	int err;

	memcpy(known, h->targets, sizeof(known));
	qsort(known, PY_NR_OPCODES, sizeof(known[0]), compare_addresses);
	for (size_t i = 0; i < h->nr; i++)
		sites[i] = h->v[i].site;
	err = eval_sites_find_shared(h->elf, known, PY_NR_OPCODES, sites, h->nr);
	if (err)
		return fault_errno(f, -err, "%s: reading its code", elf_file_name(h->elf));
	for (size_t i = 0; i < h->nr; i++)
		h->v[i].site = sites[i];
	return 0;
}

static int find_handlers(struct handlers *h, uint8_t ops[PY_NR_OPCODES], struct fault *f)
{
	int err = py_opcode_table_find(h->elf, h->opcodes, h->targets, f);

	if (err)
		return err;
	find_clear(h);
	for (const struct py_opcode *op = h->opcodes->v; !err && op->name; op++) {
		ops[op->number] = op->bits;
		if (op->bits == PMT_OP_ANY || (op->bits == PMT_OP_RETURN && h->clear))
			continue;
		err = add_handler(h, op, &ops[op->number], f);
	}
	if (!err && h->clear)
		err = add_clear(h, f);
	if (!err)
		err = find_shared(h, f);
	if (!err)
		find_other_opcodes(h, ops);
	return err;
}

int py_find_handler_sites(const struct elf_file *elf, uint32_t version_hex,
			  struct python_call_info *ret, struct fault *f)
{
	struct handlers h = {.elf = elf, .opcodes = py_opcodes_find(version_hex)};
	int err;

	if (!h.opcodes)
		return fault_set(f, ENOTSUP, "%s: the opcodes of its version are not known",
				 elf_file_name(elf));
	err = find_handlers(&h, ret->ops, f);
	for (size_t i = 0; !err && i < h.nr; i++) {
		err = py_call_site_add(elf, ret, role_of(h.v[i].op), h.v[i].op->name, &h.v[i].site);
		if (err)
			fault_errno(f, -err, "%s: %s", elf_file_name(elf), h.v[i].op->name);
	}
	ret->clears = h.clear;
	return err;
}
