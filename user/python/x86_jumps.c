/* SPDX-License-Identifier: MIT */
/*
 * Bytes that could be a jump into the range are looked for first, as few are; whether an instruction
 * begins with them is found out after that. To decode all of 5 MiB of code would take 0.1 s.
 */
#include "python/x86_jumps.h"

#include "base/cleanup.h"
#include "target/elf.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <string.h>

#define CHUNK	     (1u << 20)
#define MAX_CODE     (512ull << 20) /* of all sections; the interpreter's own: 6 MiB */
#define MAX_SECTIONS 64
#define CONTEXT	     96u
#define TRIES	     8u
#define MAX_LOOKS    4096	     /* in a chunk; 20 in the evaluation loop's */
#define OVERLAP	     (CONTEXT + 32u) /* of chunks */

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

static bool is_in(const struct x86_range *r, uint64_t target)
{
	return target >= r->lowest && target <= r->highest;
}

static bool is_in_any(const struct x86_range *ranges, size_t nr, uint64_t target)
{
	for (size_t i = 0; i < nr; i++)
		if (is_in(&ranges[i], target))
			return true;
	return false;
}

static struct x86_range whole(const struct x86_range *ranges, size_t nr)
{
	struct x86_range all = {.lowest = UINT64_MAX};

	for (size_t i = 0; i < nr; i++) {
		all.lowest = min(all.lowest, ranges[i].lowest);
		all.highest = max(all.highest, ranges[i].highest);
	}
	return all;
}

bool x86_jumps_scan(const uint8_t *code, size_t len, size_t skip, uint64_t addr,
		    const struct x86_range *ranges, size_t nr_ranges, x86_jump_fn *fn, void *arg)
{
	struct x86_range all = whole(ranges, nr_ranges);
	unsigned int nr = 0;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t i = skip; i + 5 <= len; i++) {
		uint64_t target;
		int32_t distance;
		size_t at;

		if (!may_jump(code, i))
			continue;
		memcpy(&distance, code + i + 1, sizeof(distance));
		target = addr + i + 5 + (uint64_t)(int64_t)distance;
		if (!is_in(&all, target) || !is_in_any(ranges, nr_ranges, target))
			continue;
		at = code[i] < 0x90 ? i - 1 : i; /* 0f 8x */
		/* no compiler's code has so many: what it is does not matter then */
		if ((nr++ < MAX_LOOKS && !begins_at(&decoder, code, len, at)) ||
		    fn(arg, addr + at, target))
			continue;
		return false;
	}
	return true;
}

static int scan_section(const struct elf_file *elf, const struct elf_section *section,
			uint8_t *chunk, const struct x86_range *ranges, size_t nr_ranges,
			x86_jump_fn *fn, void *arg)
{
	size_t skip = 0;

	for (uint64_t at = 0; at < section->size; at += CHUNK - OVERLAP) {
		size_t len = (size_t)min((uint64_t)CHUNK, section->size - at);
		int err = elf_file_read(elf, section->addr + at, chunk, len);

		if (err)
			return err;
		if (!x86_jumps_scan(chunk, len, skip, section->addr + at, ranges, nr_ranges, fn,
				    arg))
			return 0;
		skip = OVERLAP - 4; /* the rest has been looked at */
	}
	return 0;
}

int x86_jumps_find(const struct elf_file *elf, const struct x86_range *ranges, size_t nr_ranges,
		   x86_jump_fn *fn, void *arg)
{
	_cleanup_free_ uint8_t *chunk = malloc(CHUNK);
	unsigned int nr_sections = 0;
	struct elf_section section;
	uint64_t left = MAX_CODE;
	size_t at = 0;
	int err = 0;

	if (!chunk)
		return -ENOMEM;
	while (!err && elf_file_next_section(elf, &at, &section)) {
		if (!section.exec || section.nobits)
			continue;
		if (section.size > left || nr_sections++ == MAX_SECTIONS)
			return -E2BIG;
		left -= section.size;
		err = scan_section(elf, &section, chunk, ranges, nr_ranges, fn, arg);
	}
	return err;
}
