/* SPDX-License-Identifier: MIT */
/*
 * Sites until 3.10, where each execution of a function is one call of _PyEval_EvalFrameDefault(). Its
 * entry is a push. At its end there is nothing that the kernel emulates:
 *
 *		call _Py_CheckFunctionResult		<- comes to the end by falling through
 *	end:	add  $0x148,%rsp
 *		pop  %rbx
 *		...
 *		ret
 *		...
 *		jmp  end				<- comes there as well
 *
 * so the ways to it are probed. By then tstate->frame is the caller's again. Ways that no call ends on
 * (recursion that went too deep before the frame was set) are among them: the tracer tells.
 */
#include <linux/types.h>

#include "python/call_sites.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "pymemtrace/calls_abi.h"
#include "python/x86_jumps.h"
#include "python/x86_probe.h"
#include "target/elf.h"

#include <errno.h>
#include <string.h>

#define FUNCTION     "_PyEval_EvalFrameDefault"
#define MAX_FUNCTION (1u << 20) /* 39 KiB in 3.10 */
#define MAX_ENDS     16
#define MAX_WAYS     16 /* to all ends */

/* The straight run of code up to a ret. */
struct end {
	uint64_t start, ret;
	bool reached; /* a way to it is known */
};

struct function {
	const struct elf_file *elf;
	uint64_t addr;
	uint8_t *code;
	size_t len;
	struct end ends[MAX_ENDS];
	size_t nr_ends;
	uint64_t ways[MAX_WAYS];
	size_t nr_ways;
	bool many_ends, many_ways; /* more than there is room for */
};

static void add_way(struct function *fn, uint64_t addr)
{
	for (size_t i = 0; i < fn->nr_ways; i++)
		if (fn->ways[i] == addr)
			return;
	if (fn->nr_ways == MAX_WAYS)
		fn->many_ways = true;
	else
		fn->ways[fn->nr_ways++] = addr;
}

/* way: what falls through into it, 0: nothing does. */
static void add_end(struct function *fn, uint64_t start, uint64_t ret, uint64_t way)
{
	if (fn->nr_ends == MAX_ENDS) {
		fn->many_ends = true;
		return;
	}
	fn->ends[fn->nr_ends++] = (struct end){start, ret, way != 0};
	if (way)
		add_way(fn, way);
}

/* A jump, if it leads to an end. */
static void add_jump(struct function *fn, uint64_t from, uint64_t target)
{
	for (size_t i = 0; i < fn->nr_ends; i++) {
		if (target < fn->ends[i].start || target > fn->ends[i].ret)
			continue;
		fn->ends[i].reached = true;
		add_way(fn, from);
	}
}

static bool pops(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_POP && insn->length <= 2;
}

static bool is_inside(const struct function *fn, uint64_t addr)
{
	return addr >= fn->addr && addr - fn->addr < fn->len;
}

/*
 * From one transfer to the next: a run that ends in ret is an end, and the transfer before it a way
 * there, unless nothing falls through that. A jmp out of the function right after registers were
 * restored calls another function last.
 */
static void find_ends(struct function *fn)
{
	uint64_t run = fn->addr, way = 0;
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	bool popped = false;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t at = 0; at < fn->len; at += insn.length) {
		uint64_t addr = fn->addr + at, next;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, fn->code + at,
								fn->len - at, &insn)))
			return;
		next = addr + insn.length;
		if (insn.meta.category == ZYDIS_CATEGORY_RET) {
			add_end(fn, run, addr, way);
		} else if (popped && x86_is_end(&insn) && x86_is_emulated(&insn) &&
			   !is_inside(fn, x86_relative_target(&insn, addr))) {
			add_way(fn, addr);
		}
		popped = pops(&insn);
		if (!x86_is_transfer(&insn))
			continue;
		run = next;
		way = x86_is_end(&insn) ? 0 : addr;
	}
}

static bool on_jump(void *arg, uint64_t from, uint64_t target)
{
	struct function *fn = arg;

	add_jump(fn, from, target);
	return !fn->many_ways;
}

/* Jumps with a distance of 8 bits. */
static void find_short_jumps(struct function *fn)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t at = 0; at < fn->len; at += insn.length) {
		uint64_t target;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, fn->code + at,
								fn->len - at, &insn)))
			return;
		target = x86_relative_target(&insn, fn->addr + at);
		if (target && insn.raw.imm[0].size == 8)
			add_jump(fn, fn->addr + at, target);
	}
}

static int find_ways(struct function *fn)
{
	struct x86_range ranges[MAX_ENDS];

	find_ends(fn);
	find_short_jumps(fn);
	for (size_t i = 0; i < fn->nr_ends; i++)
		ranges[i] = (struct x86_range){fn->ends[i].start, fn->ends[i].ret};
	return x86_jumps_find(fn->elf, ranges, fn->nr_ends, on_jump, fn);
}

static int add_site(struct function *fn, struct python_call_info *ret, unsigned int role,
		    const struct eval_site *site, struct fault *f)
{
	int err = py_call_site_add(fn->elf, ret, role, FUNCTION, site);

	return err ? fault_errno(f, -err, "%s: " FUNCTION, elf_file_name(fn->elf)) : 0;
}

/* Each way; if one of them is no good or one is not known, the rets themselves. */
static int add_leaves(struct function *fn, struct python_call_info *ret, struct fault *f)
{
	struct eval_site sites[MAX_WAYS];
	bool use_ways = !fn->many_ways;
	int err = 0;

	for (size_t i = 0; i < fn->nr_ends; i++)
		use_ways = use_ways && fn->ends[i].reached;
	for (size_t i = 0; i < fn->nr_ways; i++)
		use_ways = use_ways &&
			   !eval_site_read(fn->elf, fn->ways[i], EVAL_KEEP_NONE, &sites[i]) &&
			   sites[i].emulated && sites[i].addr == fn->ways[i];
	for (size_t i = 0; use_ways && !err && i < fn->nr_ways; i++)
		err = add_site(fn, ret, PMT_SITE_LEAVE, &sites[i], f);
	for (size_t i = 0; !use_ways && !err && i < fn->nr_ends; i++) {
		if (eval_site_read(fn->elf, fn->ends[i].ret, EVAL_KEEP_NONE, &sites[0]))
			continue;
		err = add_site(fn, ret, PMT_SITE_LEAVE, &sites[0], f);
	}
	if (!err && (ret->nr_sites < 2 || fn->many_ends))
		err = fault_set(f, ENOTSUP, "%s: the ways out of " FUNCTION " could not be found",
				elf_file_name(fn->elf));
	return err;
}

static int add_entry(struct function *fn, struct python_call_info *ret, struct fault *f)
{
	enum eval_keep keep = ret->frame_arg == 1 ? EVAL_KEEP_RDI : EVAL_KEEP_RSI;
	struct eval_site site;
	int err = eval_site_read(fn->elf, fn->addr, keep, &site);

	if (!err)
		err = eval_sites_find_shared(fn->elf, NULL, 0, &site, 1);
	if (err)
		return fault_set(f, ENOTSUP, "%s: " FUNCTION " is no code", elf_file_name(fn->elf));
	return add_site(fn, ret, PMT_SITE_ENTER, &site, f);
}

int py_find_function_sites(const struct elf_file *elf, uint32_t version_hex,
			   struct python_call_info *ret, struct fault *f)
{
	struct function fn = {.elf = elf};
	_cleanup_free_ uint8_t *code = NULL;
	struct elf_symbol s;
	int err;

	if (elf_file_dynamic_symbol(elf, FUNCTION, &s) || !s.size || s.size > MAX_FUNCTION)
		return fault_set(f, ENOTSUP, "%s has no " FUNCTION, elf_file_name(elf));
	code = malloc(s.size);
	if (!code)
		return fault_errno(f, ENOMEM, "%s", elf_file_name(elf));
	fn.addr = s.value;
	fn.code = code;
	fn.len = s.size;
	/* the frame: (f, throwflag) until 3.8, then (tstate, f, throwflag) */
	ret->frame_arg = version_hex < 0x03090000 ? 1 : 2;
	err = elf_file_read(elf, fn.addr, code, fn.len);
	if (!err)
		err = find_ways(&fn);
	if (err)
		return fault_errno(f, -err, "%s: reading its code", elf_file_name(elf));
	err = add_entry(&fn, ret, f);
	return err ? err : add_leaves(&fn, ret, f);
}
