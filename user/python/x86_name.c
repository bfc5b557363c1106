/* SPDX-License-Identifier: MIT */
#include "python/x86_name.h"

#include <Zydis/Zydis.h>

const char *x86_name(const uint8_t *bytes, size_t length)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	if (!ZYAN_SUCCESS(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, length, &insn)))
		return "?";
	return ZydisMnemonicGetString(insn.mnemonic);
}
