/* SPDX-License-Identifier: MIT */
#include "python/site.h"

#include "base/cleanup.h"
#include "python/x86_probe.h"
#include "target/elf.h"

#define MAX_BYTES	 96
#define MAX_INSTRUCTIONS 16 /* 7 in every build seen */

/* mov %rdx, %rsi */
static bool moves_size(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_MOV && ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ops[0].reg.value == ZYDIS_REGISTER_RSI &&
	       ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER && ops[1].reg.value == ZYDIS_REGISTER_RDX;
}

/* The call of the system call's wrapper, or the jump to it. */
static bool is_call_site(const ZydisDecodedInstruction *insn)
{
	return (insn->opcode == 0xe8 || insn->opcode == 0xe9) && x86_is_emulated(insn);
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
		if (is_call_site(&insn)) {
			if (insn.opcode == 0xe8)
				*ret_after = function + at + insn.length;
			return size_in_rsi ? function + at : 0;
		}
		if (insn.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE ||
		    insn.meta.category == ZYDIS_CATEGORY_RET)
			return 0;
		if (frees && moves_size(&insn, ops))
			size_in_rsi = true;
		else if (x86_writes(&insn, ops, ZYDIS_REGISTER_RSI))
			size_in_rsi = false;
		at += insn.length;
	}
	return 0;
}
