/* SPDX-License-Identifier: MIT */
/*
 * Prints where entry and exit of functions would be probed in a process:
 *
 *	print_sites PID
 *	RESUME_CHECK  resume-check  0x1613dc  +26  jne 0x56b79a  emulated
 *	...
 *	clears: yes, holder: 0x7f..., frame argument: 0
 *
 * The columns are separated by tabs: name, role, offset in the file, instruction, how it runs, whether
 * other code passes it.
 */
#include "base/fault.h"
#include "python/internal.h"

#include "pymemtrace/calls_abi.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const roles[PMT_SITES] = {
	[PMT_SITE_ENTER] = "enter",   [PMT_SITE_LEAVE] = "leave",
	[PMT_SITE_RESUME] = "resume", [PMT_SITE_RESUME_CHECK] = "resume-check",
	[PMT_SITE_RETURN] = "return", [PMT_SITE_YIELD] = "yield",
	[PMT_SITE_CLEAR] = "clear",
};

static void print_instruction(const struct python_call_site *s)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisFormatter formatter;
	ZydisDecoder decoder;
	char text[128] = "?";

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT);
	if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, s->bytes, s->length, &insn, ops)))
		ZydisFormatterFormatInstruction(&formatter, &insn, ops, insn.operand_count_visible,
						text, sizeof(text), s->offset, NULL);
	printf("%s", text);
}

static void print_ops(const struct python_call_info *info)
{
	for (unsigned int i = 0; i < 256; i++)
		if (info->ops[i])
			printf(" %u:%x", i, info->ops[i]);
}

int main(int argc, char **argv)
{
	static struct python_call_info info;
	struct python *p = NULL;
	struct fault f = {0};
	struct target *t;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: print_sites PID\n");
		return 2;
	}
	err = target_open(&t, atoi(argv[1]), &f);
	if (!err)
		err = python_open(&p, t, false, &f);
	if (p)
		err = python_call_info(p, &info, &f);
	if (err && err != -EAGAIN) {
		fprintf(stderr, "print_sites: %s\n", f.text);
		return 1;
	}
	for (uint32_t i = 0; i < info.nr_sites; i++) {
		const struct python_call_site *s = &info.sites[i];

		printf("%s\t%s\t%#llx\t", s->name, roles[s->role], (unsigned long long)s->offset);
		print_instruction(s);
		printf("\t%s\t%s\n", s->emulated ? "emulated" : "single-stepped",
		       s->shared ? "shared" : "");
	}
	printf("%s; clears: %d, holder: %#llx, shims: %#llx-%#llx, frame argument: %u, opcodes:",
	       err ? "not initialised" : "initialised", info.clears,
	       (unsigned long long)info.holder_addr, (unsigned long long)info.shims_start,
	       (unsigned long long)info.shims_end, info.frame_arg);
	print_ops(&info);
	putchar('\n');
	python_close(p);
	target_close(t);
	return 0;
}
