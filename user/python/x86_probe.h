/* SPDX-License-Identifier: MIT */
/*
 * What a probe's instruction means to the kernel, and to the run of code that it is in.
 */
#ifndef PMT_PYTHON_X86_PROBE_H
#define PMT_PYTHON_X86_PROBE_H

#include <Zydis/Zydis.h>
#include <stdbool.h>

/*
 * Those that every kernel since 4.17 emulates (arch/x86/kernel/uprobes.c: branch_setup_xol_ops(),
 * push_setup_xol_ops()): relative call, jmp and jcc, push of a register, the one-byte nop; all without
 * prefixes but push's REX.B. Any other instruction is executed elsewhere, in a single step. Kernels
 * that take more (nops of several bytes, since 6.18) lose nothing by this.
 */
bool x86_is_emulated(const ZydisDecodedInstruction *insn);

/* Execution may go on elsewhere than behind it, for good or until it returns. */
bool x86_is_transfer(const ZydisDecodedInstruction *insn);

/* Execution never goes on behind it. */
bool x86_is_end(const ZydisDecodedInstruction *insn);

/* full: ZYDIS_REGISTER_RSI and such; parts of it count. */
bool x86_writes(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops,
		ZydisRegister full);

/* The target of a relative call, jmp or jcc at addr; 0: it is none. */
uint64_t x86_relative_target(const ZydisDecodedInstruction *insn, uint64_t addr);

#endif
