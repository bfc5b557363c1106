/* SPDX-License-Identifier: MIT */
#include "python/x86_probe.h"

static bool is_push(const ZydisDecodedInstruction *insn)
{
	if (insn->opcode < 0x50 || insn->opcode > 0x57)
		return false;
	/* push %r12 is 41 54; another REX prefix is left to the single step */
	if (insn->attributes & ZYDIS_ATTRIB_HAS_REX)
		return insn->length == 2 && insn->raw.rex.B && !insn->raw.rex.W &&
		       !insn->raw.rex.R && !insn->raw.rex.X;
	return insn->length == 1;
}

bool x86_is_emulated(const ZydisDecodedInstruction *insn)
{
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && is_push(insn))
		return true;
	if (insn->raw.prefix_count || insn->attributes & ZYDIS_ATTRIB_HAS_REX)
		return false;
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_0F)
		return insn->opcode >= 0x80 && insn->opcode <= 0x8f;
	return insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	       ((insn->opcode >= 0x70 && insn->opcode <= 0x7f) || insn->opcode == 0x90 ||
		insn->opcode == 0xe8 || insn->opcode == 0xe9 || insn->opcode == 0xeb);
}

bool x86_is_end(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	       insn->meta.category == ZYDIS_CATEGORY_RET || insn->mnemonic == ZYDIS_MNEMONIC_UD2 ||
	       insn->mnemonic == ZYDIS_MNEMONIC_HLT || insn->mnemonic == ZYDIS_MNEMONIC_INT3;
}

bool x86_is_transfer(const ZydisDecodedInstruction *insn)
{
	return x86_is_end(insn) || insn->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE ||
	       insn->meta.category == ZYDIS_CATEGORY_CALL ||
	       insn->meta.category == ZYDIS_CATEGORY_COND_BR ||
	       insn->meta.category == ZYDIS_CATEGORY_SYSCALL;
}

bool x86_writes(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops,
		ZydisRegister full)
{
	for (unsigned int i = 0; i < insn->operand_count; i++)
		if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     ops[i].reg.value) == full)
			return true;
	return false;
}

uint64_t x86_relative_target(const ZydisDecodedInstruction *insn, uint64_t addr)
{
	if (insn->meta.branch_type == ZYDIS_BRANCH_TYPE_NONE || !insn->raw.imm[0].is_relative)
		return 0;
	return addr + insn->length + (uint64_t)insn->raw.imm[0].value.s;
}
