/* SPDX-License-Identifier: MIT */
#include "python/eval_sites.h"

#include "base/cleanup.h"
#include "python/x86_probe.h"
#include "target/elf.h"

#include <errno.h>
#include <string.h>

#define CHUNK	     (1u << 20)
#define MAX_CODE     (512ull << 20) /* of all sections; the interpreter's own: 6 MiB */
#define MAX_SECTIONS 64
#define NEAR	     130u /* a short jump reaches 127 bytes */
#define CONTEXT	     96u
#define TRIES	     8u
#define OVERLAP	     (CONTEXT + 32u) /* of chunks */

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

/*
 * Does an instruction begin at code[at]? Decoding that is begun at a wrong byte falls into step within
 * a few instructions, so begun at several before it most get there.
 */
static bool begins_at(const ZydisDecoder *decoder, const uint8_t *code, size_t len, size_t at)
{
	size_t furthest = min(at, (size_t)CONTEXT), votes = 0, tries = 0;

	for (; tries < TRIES && tries <= furthest; tries++) {
		size_t i = at - furthest + tries;
		ZydisDecodedInstruction insn;

		while (i < at)
			i += ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, NULL, code + i,
									len - i, &insn))
				     ? insn.length
				     : 1;
		votes += i == at;
		if (at - furthest == 0) /* known to be the beginning of one */
			return votes;
	}
	return votes * 2 > tries;
}

/* True if a call, jmp or jcc with a 32-bit distance may end at code[i + 5]. */
static bool may_jump(const uint8_t *code, size_t i)
{
	return code[i] == 0xe9 || code[i] == 0xe8 ||
	       (i && code[i - 1] == 0x0f && (code[i] & 0xf0) == 0x80);
}

void eval_sites_scan(const uint8_t *code, size_t len, size_t skip, uint64_t addr,
		     struct eval_site *sites, size_t nr)
{
	uint64_t lowest = UINT64_MAX, highest = 0;
	ZydisDecoder decoder;

	init_decoder(&decoder);
	for (size_t i = 0; i < nr; i++) {
		lowest = min(lowest, sites[i].start);
		highest = max(highest, sites[i].addr);
	}
	for (size_t i = skip; i + 5 <= len; i++) {
		uint64_t target;
		int32_t distance;

		if (!may_jump(code, i))
			continue;
		memcpy(&distance, code + i + 1, sizeof(distance));
		target = addr + i + 5 + (uint64_t)(int64_t)distance;
		if (target < lowest || target > highest)
			continue;
		for (size_t k = 0; k < nr; k++)
			if (!sites[k].shared && is_jumped_to(&sites[k], target) &&
			    begins_at(&decoder, code, len, code[i] < 0x90 ? i - 1 : i))
				sites[k].shared = true;
	}
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

	for (size_t i = 0; i < nr && known[i] + NEAR <= s->start; i++)
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
	if (from < section.addr || s->start - from > CHUNK)
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

static int scan_section(const struct elf_file *elf, const struct elf_section *section,
			uint8_t *chunk, struct eval_site *sites, size_t nr)
{
	size_t skip = 0;

	for (uint64_t at = 0; at < section->size; at += CHUNK - OVERLAP) {
		size_t len = (size_t)min((uint64_t)CHUNK, section->size - at);
		int err = elf_file_read(elf, section->addr + at, chunk, len);

		if (err)
			return err;
		eval_sites_scan(chunk, len, skip, section->addr + at, sites, nr);
		skip = OVERLAP - 5; /* the rest has been looked at */
	}
	return 0;
}

int eval_sites_find_shared(const struct elf_file *elf, const uint64_t *known, size_t nr_known,
			   struct eval_site *sites, size_t nr)
{
	_cleanup_free_ uint8_t *chunk = malloc(CHUNK);
	unsigned int nr_sections = 0;
	struct elf_section section;
	uint64_t left = MAX_CODE;
	size_t at = 0;
	int err = 0;

	if (!chunk)
		return -ENOMEM;
	for (size_t i = 0; !err && i < nr; i++)
		err = find_near(elf, known, nr_known, &sites[i]);
	while (!err && elf_file_next_section(elf, &at, &section)) {
		if (!section.exec || section.nobits)
			continue;
		if (section.size > left || nr_sections++ == MAX_SECTIONS)
			return -E2BIG;
		left -= section.size;
		err = scan_section(elf, &section, chunk, sites, nr);
	}
	return err;
}
