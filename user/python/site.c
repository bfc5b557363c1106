/* SPDX-License-Identifier: MIT */
#include "python/site.h"

#include "base/cleanup.h"
#include "target/elf.h"

#include <Zydis/Zydis.h>

#define MAX_BYTES	 96
#define MAX_INSTRUCTIONS 16 /* 7 in every build seen */

static bool writes_rsi(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops)
{
	for (unsigned int i = 0; i < insn->operand_count; i++)
		if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     ops[i].reg.value) == ZYDIS_REGISTER_RSI)
			return true;
	return false;
}

/* mov %rdx, %rsi */
static bool moves_size(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_MOV && ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ops[0].reg.value == ZYDIS_REGISTER_RSI &&
	       ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER && ops[1].reg.value == ZYDIS_REGISTER_RDX;
}

/* e8 and e9 without a prefix, as arch/x86/kernel/uprobes.c (branch_setup_xol_ops) emulates them */
static bool is_emulated(const ZydisDecodedInstruction *insn)
{
	return (insn->opcode == 0xe8 || insn->opcode == 0xe9) && !insn->raw.prefix_count &&
	       insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
}

uint64_t py_arena_call_site(const struct elf_file *elf, uint64_t function, bool frees,
			    uint64_t *ret_after)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	bool size_in_rsi = !frees;
	ZydisDecodedInstruction insn;
	uint8_t code[MAX_BYTES];
	ZydisDecoder decoder;
	size_t at = 0;

	*ret_after = 0;
	if (elf_file_read(elf, function, code, sizeof(code)))
		return 0;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (int i = 0; i < MAX_INSTRUCTIONS; i++) {
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code + at, sizeof(code) - at,
							 &insn, ops)))
			return 0;
		if (is_emulated(&insn)) {
			if (insn.opcode == 0xe8)
				*ret_after = function + at + insn.length;
			return size_in_rsi ? function + at : 0;
		}
		if (insn.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE ||
		    insn.meta.category == ZYDIS_CATEGORY_RET)
			return 0;
		if (frees && moves_size(&insn, ops))
			size_in_rsi = true;
		else if (writes_rsi(&insn, ops))
			size_in_rsi = false;
		at += insn.length;
	}
	return 0;
}
