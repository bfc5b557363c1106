/* SPDX-License-Identifier: MIT */
/*
 * Sources of the numbers: Include/opcode.h (3.11, 3.12), Include/opcode_ids.h and
 * Lib/_opcode_metadata.py (3.13 and later) of the interpreters that docs/entry-and-exit.md names.
 * They are final with a minor version's first release candidate, as .pyc files have them; those of
 * specialised instructions (RESUME_QUICK, RESUME_CHECK) are not in files, but a change of any would
 * show in the unused ones, and tests/live/test_sites compares all with what the interpreters say.
 *
 * Unused: what none of the names has, including pseudo instructions below 256. Python/opcode_targets.h
 * has _unknown_opcode there. ENTER_EXECUTOR and INSTRUMENTED_LINE stand for another instruction.
 */
#include <linux/types.h>

#include "python/opcodes.h"

#include "base/cleanup.h"
#include "pymemtrace/calls_abi.h"

#include <stddef.h>

/* 3.11: Include/opcode.h; DO_TRACING is where every instruction goes while a trace function is set */
static const struct py_opcode opcodes_3_11[] = {
	{"RESUME", 151, PMT_OP_RESUME},
	/* goes to the handler of RESUME instead while a trace function is set */
	{"RESUME_QUICK", 150, PMT_OP_RESUME | PMT_OP_RESUME_CHECK},
	{"RETURN_VALUE", 83, PMT_OP_RETURN},
	{"YIELD_VALUE", 86, PMT_OP_YIELD},
	{"DO_TRACING", 255, PMT_OP_ANY},
	{0},
};
static const struct py_opcode_range unused_3_11[] = {{181, 254}, {0}};

/* 3.12: Include/opcode.h; nothing specialises RESUME */
static const struct py_opcode opcodes_3_12[] = {
	{"RESUME", 151, PMT_OP_RESUME},
	{"INSTRUMENTED_RESUME", 240, PMT_OP_RESUME | PMT_OP_INSTRUMENTED},
	{"RETURN_VALUE", 83, PMT_OP_RETURN},
	{"RETURN_CONST", 121, PMT_OP_RETURN},
	{"INSTRUMENTED_RETURN_VALUE", 242, PMT_OP_RETURN},
	{"INSTRUMENTED_RETURN_CONST", 247, PMT_OP_RETURN},
	{"YIELD_VALUE", 150, PMT_OP_YIELD},
	{"INSTRUMENTED_YIELD_VALUE", 243, PMT_OP_YIELD},
	{"INSTRUMENTED_INSTRUCTION", 253, PMT_OP_ANY},
	{"INSTRUMENTED_LINE", 254, PMT_OP_ANY},
	{0},
};
static const struct py_opcode_range unused_3_12[] = {{169, 170}, {177, 236}, {255, 255}, {0}};

/* 3.13: Include/opcode_ids.h */
static const struct py_opcode opcodes_3_13[] = {
	{"RESUME", 149, PMT_OP_RESUME},
	{"RESUME_CHECK", 207, PMT_OP_RESUME_CHECK},
	{"INSTRUMENTED_RESUME", 236, PMT_OP_RESUME | PMT_OP_INSTRUMENTED},
	{"RETURN_VALUE", 36, PMT_OP_RETURN},
	{"RETURN_CONST", 103, PMT_OP_RETURN},
	{"INSTRUMENTED_RETURN_VALUE", 239, PMT_OP_RETURN},
	{"INSTRUMENTED_RETURN_CONST", 240, PMT_OP_RETURN},
	{"YIELD_VALUE", 118, PMT_OP_YIELD},
	{"INSTRUMENTED_YIELD_VALUE", 241, PMT_OP_YIELD},
	{"ENTER_EXECUTOR", 70, PMT_OP_ANY},
	{"INSTRUMENTED_INSTRUCTION", 247, PMT_OP_ANY},
	{"INSTRUMENTED_LINE", 254, PMT_OP_ANY},
	{0},
};
static const struct py_opcode_range unused_3_13[] = {{119, 148}, {223, 235}, {255, 255}, {0}};

/* 3.14: Lib/_opcode_metadata.py; without RETURN_CONST again (gh-125837) */
static const struct py_opcode opcodes_3_14[] = {
	{"RESUME", 128, PMT_OP_RESUME},
	{"RESUME_CHECK", 196, PMT_OP_RESUME_CHECK},
	{"INSTRUMENTED_RESUME", 245, PMT_OP_RESUME | PMT_OP_INSTRUMENTED},
	{"RETURN_VALUE", 35, PMT_OP_RETURN},
	{"INSTRUMENTED_RETURN_VALUE", 246, PMT_OP_RETURN},
	{"YIELD_VALUE", 120, PMT_OP_YIELD},
	{"INSTRUMENTED_YIELD_VALUE", 247, PMT_OP_YIELD},
	{"INSTRUMENTED_INSTRUCTION", 238, PMT_OP_ANY},
	{"INSTRUMENTED_LINE", 254, PMT_OP_ANY},
	{"ENTER_EXECUTOR", 255, PMT_OP_ANY},
	{0},
};
static const struct py_opcode_range unused_3_14[] = {{121, 127}, {212, 233}, {0}};

/* 3.15: Lib/_opcode_metadata.py */
static const struct py_opcode opcodes_3_15[] = {
	{"RESUME", 128, PMT_OP_RESUME},
	{"RESUME_CHECK", 200, PMT_OP_RESUME_CHECK},
	{"RESUME_CHECK_JIT", 201, PMT_OP_RESUME_CHECK},
	{"INSTRUMENTED_RESUME", 244, PMT_OP_RESUME | PMT_OP_INSTRUMENTED},
	{"RETURN_VALUE", 33, PMT_OP_RETURN},
	{"INSTRUMENTED_RETURN_VALUE", 245, PMT_OP_RETURN},
	{"YIELD_VALUE", 119, PMT_OP_YIELD},
	{"INSTRUMENTED_YIELD_VALUE", 246, PMT_OP_YIELD},
	{"INSTRUMENTED_INSTRUCTION", 237, PMT_OP_ANY},
	{"INSTRUMENTED_LINE", 253, PMT_OP_ANY},
	{"ENTER_EXECUTOR", 254, PMT_OP_ANY},
	{"TRACE_RECORD", 255, PMT_OP_ANY},
	{0},
};
static const struct py_opcode_range unused_3_15[] = {{120, 127}, {219, 232}, {0}};

static const struct py_opcodes versions[] = {
	{0x030b, opcodes_3_11, unused_3_11}, {0x030c, opcodes_3_12, unused_3_12},
	{0x030d, opcodes_3_13, unused_3_13}, {0x030e, opcodes_3_14, unused_3_14},
	{0x030f, opcodes_3_15, unused_3_15},
};

const struct py_opcodes *py_opcodes_find(uint32_t version_hex)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i].minor == version_hex >> 16)
			return &versions[i];
	return NULL;
}

bool py_opcode_is_unused(const struct py_opcodes *o, unsigned int number)
{
	for (const struct py_opcode_range *r = o->unused; r->last; r++)
		if (number >= r->first && number <= r->last)
			return true;
	return false;
}
