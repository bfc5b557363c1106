/* SPDX-License-Identifier: MIT */
#include "python/eval_sites.h"

#include "base/cleanup.h"
#include "python/x86_jumps.h"
#include "python/x86_probe.h"
#include "target/elf.h"

#include <errno.h>
#include <string.h>

#define NEAR	 130u	     /* a short jump reaches 127 bytes */
#define MAX_NEAR (64u << 10) /* from one handler to the next: below 10 KiB */

static void init_decoder(ZydisDecoder *d)
{
	ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

static void set_site(struct eval_site *s, const uint8_t *code, size_t at, uint8_t length,
		     bool emulated)
{
	s->addr = s->start + at;
	s->emulated = emulated;
	s->length = length;
	memset(s->bytes, 0, sizeof(s->bytes));
	memcpy(s->bytes, code + at, length);
}

static ZydisRegister kept_register(enum eval_keep keep)
{
	switch (keep) {
	case EVAL_KEEP_RDI:
		return ZYDIS_REGISTER_RDI;
	case EVAL_KEEP_RSI:
		return ZYDIS_REGISTER_RSI;
	case EVAL_KEEP_NONE:
		break;
	}
	return ZYDIS_REGISTER_NONE;
}

int eval_site_choose(const uint8_t *code, size_t len, uint64_t start, enum eval_keep keep,
		     struct eval_site *ret)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisRegister kept = kept_register(keep);
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	init_decoder(&decoder);
	*ret = (struct eval_site){.start = start, .function = keep != EVAL_KEEP_NONE};
	for (size_t at = 0; at < len; at += insn.length) {
		if (!ZYAN_SUCCESS(
			    ZydisDecoderDecodeFull(&decoder, code + at, len - at, &insn, ops)))
			break;
		if (!at)
			set_site(ret, code, at, insn.length, false);
		if (x86_is_emulated(&insn)) {
			set_site(ret, code, at, insn.length, true);
			return 0;
		}
		if (x86_is_transfer(&insn) || (kept && x86_writes(&insn, ops, kept)))
			break;
	}
	return ret->length ? 0 : -ENOEXEC;
}

int eval_site_read(const struct elf_file *elf, uint64_t start, enum eval_keep keep,
		   struct eval_site *ret)
{
	struct elf_section section;
	uint8_t code[EVAL_RUN_MAX];
	size_t len;

	if (elf_file_section_at(elf, start, &section) || !section.exec || section.nobits)
		return -ENOEXEC;
	len = (size_t)min((uint64_t)sizeof(code), section.size - (start - section.addr));
	if (elf_file_read(elf, start, code, len))
		return -ENOEXEC;
	return eval_site_choose(code, len, start, keep, ret);
}

static bool is_jumped_to(const struct eval_site *s, uint64_t target)
{
	return target <= s->addr && target >= s->start && (target > s->start || !s->function);
}

void eval_site_scan_near(const uint8_t *code, size_t len, uint64_t addr, struct eval_site *site)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	bool ended = true;

	init_decoder(&decoder);
	for (size_t at = 0; at < len; at += insn.length) {
		if (addr + at == site->start && !site->function && !ended)
			site->shared = true;
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code + at, len - at,
								&insn)))
			return;
		if (insn.raw.imm[0].size == 8 &&
		    is_jumped_to(site, x86_relative_target(&insn, addr + at)))
			site->shared = true;
		/* a call right before is one that never returns, or else there would be a jump */
		if (insn.mnemonic != ZYDIS_MNEMONIC_NOP)
			ended = x86_is_end(&insn) || insn.meta.category == ZYDIS_CATEGORY_CALL;
	}
}

/* The nearest instruction that is known, far enough before the run; the run itself if none is. */
static uint64_t decode_from(const struct eval_site *s, const uint64_t *known, size_t nr)
{
	uint64_t from = s->start;

	for (size_t i = 0; !s->function && i < nr && known[i] + NEAR <= s->start; i++)
		from = known[i];
	return from;
}

static int find_near(const struct elf_file *elf, const uint64_t *known, size_t nr_known,
		     struct eval_site *s)
{
	uint64_t from = decode_from(s, known, nr_known), end;
	_cleanup_free_ uint8_t *code = NULL;
	struct elf_section section;
	int err;

	if (elf_file_section_at(elf, s->start, &section))
		return -EFAULT;
	/* handlers lie close together, but not in each section */
	if (from < section.addr || s->start - from > MAX_NEAR)
		from = s->start;
	end = min(s->addr + s->length + NEAR, section.addr + section.size);
	code = malloc((size_t)(end - from));
	if (!code)
		return -ENOMEM;
	err = elf_file_read(elf, from, code, (size_t)(end - from));
	if (!err)
		eval_site_scan_near(code, (size_t)(end - from), from, s);
	return err;
}

struct sites {
	struct eval_site *v;
	size_t nr;
};

static bool on_jump(void *arg, uint64_t from, uint64_t target)
{
	struct sites *sites = arg;
	size_t shared = 0;

	for (size_t i = 0; i < sites->nr; i++) {
		if (is_jumped_to(&sites->v[i], target))
			sites->v[i].shared = true;
		shared += sites->v[i].shared;
	}
	return shared < sites->nr;
}

int eval_sites_find_shared(const struct elf_file *elf, const uint64_t *known, size_t nr_known,
			   struct eval_site *sites, size_t nr)
{
	struct x86_range *ranges = calloc(nr, sizeof(*ranges));
	struct sites all = {.v = sites, .nr = nr};
	int err = ranges ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < nr; i++) {
		ranges[i] = (struct x86_range){sites[i].start, sites[i].addr};
		err = find_near(elf, known, nr_known, &sites[i]);
	}
	if (!err)
		err = x86_jumps_find(elf, ranges, nr, on_jump, &all);
	free(ranges);
	return err;
}
