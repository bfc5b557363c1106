/* SPDX-License-Identifier: MIT */
/*
 * Which instruction of a handler is probed: on the first bytes of handlers and functions of Debian's
 * 3.13 and of 3.11 and 3.13 built by pyenv, and on bytes made up to mislead.
 */
#include "fixture.h"

#include "python/eval_sites.h"
#include "python/opcode_table.h"
#include "python/x86_jumps.h"

#include <errno.h>

#define START 0x561000ull

static struct eval_site chosen;

static int choose(const char *code, size_t len, enum eval_keep keep)
{
	return eval_site_choose((const uint8_t *)code, len, START, keep, &chosen);
}

#define CHOOSE(code, keep) choose(code, sizeof(code) - 1, keep)

static void expect(size_t at, unsigned int length, bool emulated)
{
	assert_int_equal(chosen.start, START);
	assert_int_equal(chosen.addr, START + at);
	assert_int_equal(chosen.length, length);
	assert_int_equal(chosen.emulated, emulated);
	assert_false(chosen.shared);
}

/* --- the instruction ------------------------------------------------------------------------- */

static void first_emulated_of_a_handler(void **state)
{
	/* RESUME_CHECK of 3.13: endbr64; mov; mov; add; mov; cmp; jne */
	assert_int_equal(CHOOSE("\xf3\x0f\x1e\xfa\x48\x89\x6b\x38\x49\x8b\x46\x18\x48\x83\xc5\x02"
				"\x48\x8b\x3b\x48\x39\x87\xa8\x00\x00\x00\x0f\x85\x9e\xa3\x00\x00",
				EVAL_KEEP_NONE),
			 0);
	expect(26, 6, true);
	assert_memory_equal(chosen.bytes, "\x0f\x85\x9e\xa3\x00\x00\0\0\0\0\0\0\0\0\0", 15);
	/* RESUME_QUICK of 3.11: lea; mov; mov; jmp */
	assert_int_equal(CHOOSE("\x49\x8d\x46\x02\x4c\x89\x75\x38\x48\x89\x44\x24\x08\xe9\xdc\xf5"
				"\xff\xff\xba",
				EVAL_KEEP_NONE),
			 0);
	expect(13, 5, true);
	/* RESUME_CHECK of 3.13, pyenv's: a short jne */
	assert_int_equal(
		CHOOSE("\x48\x8b\x55\x00\x48\x39\x82\xa8\x00\x00\x00\x75\xad\x41", EVAL_KEEP_NONE),
		0);
	expect(11, 2, true);
}

/* YIELD_VALUE of 3.13 goes to the next instruction without a relative jump. */
static void handler_without_any(void **state)
{
	assert_int_equal(CHOOSE("\x0f\xb6\xc0\x48\x8b\x04\xc7\x44\x0f\xb6\xf1\xff\xe0\xe9\x00\x00"
				"\x00\x00",
				EVAL_KEEP_NONE),
			 0);
	expect(0, 3, false);
	assert_memory_equal(chosen.bytes, "\x0f\xb6\xc0", 3);
}

static void what_the_kernel_refuses(void **state)
{
	static const struct {
		const char *code;
		size_t len, at, length;
		bool emulated;
	} cases[] = {
		{"\x90", 1, 0, 1, true},		  /* nop */
		{"\x50", 1, 0, 1, true},		  /* push %rax */
		{"\x41\x57", 2, 0, 2, true},		  /* push %r15 */
		{"\xeb\x00", 2, 0, 2, true},		  /* jmp */
		{"\xe8\0\0\0\0", 5, 0, 5, true},	  /* call */
		{"\x7f\x00", 2, 0, 2, true},		  /* jg */
		{"\x0f\x8f\0\0\0\0", 6, 0, 6, true},	  /* jg */
		{"\x48\x50\xeb\x00", 4, 2, 2, true},	  /* rex.W push %rax; jmp */
		{"\x45\x57\xeb\x00", 4, 2, 2, true},	  /* rex.RB push %r15; jmp */
		{"\x66\x50\xeb\x00", 4, 2, 2, true},	  /* push %ax; jmp */
		{"\x6a\x01\xeb\x00", 4, 2, 2, true},	  /* push $1; jmp */
		{"\x0f\x1f\x00\xeb\x00", 5, 3, 2, true},  /* nopl (%rax); jmp */
		{"\x66\x90\xeb\x00", 4, 2, 2, true},	  /* xchg %ax,%ax; jmp */
		{"\xf2\xe9\0\0\0\0", 6, 0, 6, false},	  /* bnd jmp */
		{"\xf2\x0f\x84\0\0\0\0", 7, 0, 7, false}, /* bnd je */
		{"\x2e\x74\x00\xeb\x00", 5, 0, 3, false}, /* je, not taken */
		{"\xe3\x00\xeb\x00", 4, 0, 2, false},	  /* jrcxz */
		{"\xe2\x00\xeb\x00", 4, 0, 2, false},	  /* loop */
		{"\xc3\xeb\x00", 3, 0, 1, false},	  /* ret */
		{"\xff\xd0\xeb\x00", 4, 0, 2, false},	  /* call *%rax */
		{"\x0f\x0b\xeb\x00", 4, 0, 2, false},	  /* ud2 */
		{"\xcc\xeb\x00", 3, 0, 1, false},	  /* int3 */
		{"\x0f\x05\xeb\x00", 4, 0, 2, false},	  /* syscall */
		{"\x89\xc8\x06\xeb\x00", 5, 0, 2, false}, /* mov; no instruction */
		{"\x89\xc8\xe9\x00\x00", 5, 0, 2, false}, /* mov; half a jmp */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(choose(cases[i].code, cases[i].len, EVAL_KEEP_NONE), 0);
		expect(cases[i].at, (unsigned int)cases[i].length, cases[i].emulated);
	}
	assert_int_equal(CHOOSE("", EVAL_KEEP_NONE), -ENOEXEC);
	assert_int_equal(CHOOSE("\x06", EVAL_KEEP_NONE), -ENOEXEC);
	assert_int_equal(CHOOSE("\x0f", EVAL_KEEP_NONE), -ENOEXEC);
}

static void arguments_are_still_there(void **state)
{
	/* _PyEval_FrameClearAndPop of 3.13: endbr64; push %r14 */
	assert_int_equal(CHOOSE("\xf3\x0f\x1e\xfa\x41\x56\x41\x55", EVAL_KEEP_RSI), 0);
	expect(4, 2, true);
	assert_true(chosen.function);
	/* mov %rsi,%rbx; push: it is only read; mov %rdi,%rsi; push: it is gone, xor %esi,%esi too */
	assert_int_equal(CHOOSE("\x48\x89\xf3\x55", EVAL_KEEP_RSI), 0);
	expect(3, 1, true);
	assert_int_equal(CHOOSE("\x48\x89\xfe\x55", EVAL_KEEP_RSI), 0);
	expect(0, 3, false);
	assert_int_equal(CHOOSE("\x31\xf6\x55", EVAL_KEEP_RSI), 0);
	expect(0, 2, false);
	assert_int_equal(CHOOSE("\x31\xf6\x55", EVAL_KEEP_RDI), 0);
	expect(2, 1, true);
	assert_int_equal(CHOOSE("\x40\xb7\x01\x55", EVAL_KEEP_RDI), 0); /* mov $1,%dil */
	expect(0, 3, false);
}

/* --- other code that comes into the run ------------------------------------------------------ */

static bool near(const char *code, size_t len, size_t start, size_t site, bool function)
{
	struct eval_site s = {.start = START + start, .addr = START + site, .function = function};

	eval_site_scan_near((const uint8_t *)code, len, START, &s);
	return s.shared;
}

#define NEAR(code, start, site, function) near(code, sizeof(code) - 1, start, site, function)

static void short_jumps_and_falling_through(void **state)
{
	/* RESUME of 3.13 at 0, RESUME_CHECK behind it: its jne leads into RESUME's run */
	assert_true(NEAR("\x4c\x89\x7d\x38\x49\x83\xc7\x02\x48\x8b\x04\x24\x85\xf6\x74\x10"
			 "\xff\xe0\x48\x39\xc2\x75\xf1",
			 0, 14, false));
	/* to the run's first byte: that is how a function is called */
	assert_true(NEAR("\x90\x74\x00\x75\xfb", 0, 1, false));
	assert_false(NEAR("\x90\x74\x00\x75\xfb", 0, 1, true));
	/* to the site itself, behind it */
	assert_true(NEAR("\x90\x90\x74\x00\x75\xfc", 0, 2, true));
	assert_false(NEAR("\x90\x90\x74\x00\x75\xfe", 0, 2, true));
	/* mov $-0x15,%al is no jump, nor is an immediate that looks like one */
	assert_false(NEAR("\x90\x90\x74\x00\xb0\xfc", 0, 2, true));
	assert_false(NEAR("\x90\x90\x74\x00\xb8\x75\xfb\x00\x00\xff\xe0", 0, 2, true));

	/* before it: mov; jmp; ret; jmp and padding; a call that may not return; a je; mov and padding */
	assert_true(NEAR("\x89\xc8\x74\x00", 2, 2, false));
	assert_false(NEAR("\x89\xc8\x74\x00", 2, 2, true));
	assert_false(NEAR("\xff\xe0\x74\x00", 2, 2, false));
	assert_false(NEAR("\xc3\x74\x00", 1, 1, false));
	assert_false(NEAR("\xff\xe0\x0f\x1f\x00\x74\x00", 5, 5, false));
	assert_false(NEAR("\xe8\0\0\0\0\x74\x00", 5, 5, false));
	assert_true(NEAR("\x74\x7f\x74\x00", 2, 2, false));
	assert_true(NEAR("\x89\xc8\x0f\x1f\x00\x74\x00", 5, 5, false));
	/* what is no instruction ends the look */
	assert_false(NEAR("\x06\x89\xc8\x74\x00", 3, 3, false));
}

struct found {
	unsigned int nr;
	uint64_t from, target;
};

static bool on_jump(void *arg, uint64_t from, uint64_t target)
{
	struct found *f = arg;

	f->nr++;
	f->from = from;
	f->target = target;
	return true;
}

static struct found scan(const char *code, size_t len, size_t skip, uint64_t lowest,
			 uint64_t highest)
{
	struct x86_range ranges[] = {{1, 2}, {START + lowest, START + highest}};
	struct found f = {0};

	x86_jumps_scan((const uint8_t *)code, len, skip, START, ranges, 2, on_jump, &f);
	return f;
}

#define SCAN(code, skip, lowest, highest) scan(code, sizeof(code) - 1, skip, lowest, highest)

static void long_jumps(void **state)
{
	struct found f = SCAN("\x89\xc8\xe9\xf9\x00\x00\x00", 0, 0x100, 0x100);

	assert_int_equal(f.nr, 1);
	assert_int_equal(f.from, START + 2);
	assert_int_equal(f.target, START + 0x100);
	assert_int_equal(SCAN("\x89\xc8\xe9\xf9\x00\x00\x00", 0, 0x101, 0x200).nr, 0);
	assert_int_equal(SCAN("\x89\xc8\xe9\xf9\x00\x00\x00", 0, 0x10, 0xff).nr, 0);
	assert_int_equal(SCAN("\x89\xc8\xe9\xf9\x00\x00", 0, 0, 0x200).nr, 0);
	f = SCAN("\x89\xc8\x0f\x84\xf8\x00\x00\x00", 0, 0x100, 0x100);
	assert_int_equal(f.nr, 1);
	assert_int_equal(f.from, START + 2);
	f = SCAN("\x89\xc8\xe8\xf9\xfe\xff\xff", 0, (uint64_t)-0x100, (uint64_t)-0x100);
	assert_int_equal(f.nr, 1);
	/* 8f is no jcc without 0f before it; e9 in the middle of lea 0xf9e9(%rax),%rcx is no jmp */
	assert_int_equal(SCAN("\x89\xc8\x8f\xf9\x00\x00\x00", 0, 0, 0x200).nr, 0);
	assert_int_equal(SCAN("\x48\x8d\x88\xe9\xf7\x00\x00\x00\xc3", 0, 0, 0x200).nr, 0);
	assert_int_equal(SCAN("\x90\x48\x8d\x88\xe9\xf7\x00\x00\x00\xc3", 0, 0, 0x200).nr, 0);
}

/* Begun in the middle of an instruction, decoding gets into step; what is skipped is not looked at. */
static void chunks_of_code(void **state)
{
	uint8_t code[256];
	struct found f;

	/* movabs $0x10e9,%rax again and again: each looks like a jmp */
	for (size_t i = 0; i + 10 <= 250; i += 10)
		memcpy(code + i, "\x48\xb8\xe9\x10\x00\x00\x00\x00\x00\x00", 10);
	memcpy(code + 250, "\xe9\x01\x00\x00\x00\x90", 6);
	for (size_t from = 0; from < 10; from++) {
		f = scan((char *)code + from, sizeof(code) - from, 110, 0x0, 0x10000);
		assert_int_equal(f.nr, 1);
		assert_int_equal(f.from, START + 250 - from);
	}
	assert_int_equal(scan((char *)code, sizeof(code), 251, 0x0, 0x10000).nr, 0);
}

/* --- the table ------------------------------------------------------------------------------- */

static void make_table(const struct py_opcodes *o, uint64_t w[PY_NR_OPCODES])
{
	for (unsigned int i = 0; i < PY_NR_OPCODES; i++)
		w[i] = py_opcode_is_unused(o, i) ? 0x9999 : 0x400000 + 16 * i;
}

static void table_has_a_shape(void **state)
{
	static const uint32_t versions[] = {0x030b02f0, 0x030c01f0, 0x030d0000, 0x030e00f0,
					    0x030fffff};
	static const unsigned int unused[] = {74, 63, 44, 29, 22};
	uint64_t w[PY_NR_OPCODES + 2];

	assert_null(py_opcodes_find(0x030aff00));
	assert_null(py_opcodes_find(0x03100000));
	for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
		const struct py_opcodes *o = py_opcodes_find(versions[v]);
		unsigned int nr = 0;

		assert_non_null(o);
		for (unsigned int i = 0; i < PY_NR_OPCODES; i++)
			nr += py_opcode_is_unused(o, i);
		assert_int_equal(nr, unused[v]);
		for (const struct py_opcode *op = o->v; op->name; op++)
			assert_false(py_opcode_is_unused(o, op->number));

		w[0] = w[PY_NR_OPCODES + 1] = 0x9999;
		make_table(o, w + 1);
		assert_true(py_opcode_table_fits(o, w + 1));
		/* a word before it, a word behind */
		assert_false(py_opcode_table_fits(o, w));
		assert_false(py_opcode_table_fits(o, w + 2));
		/* any word that is not as it should be */
		for (unsigned int i = 0; i < PY_NR_OPCODES; i++) {
			uint64_t was = w[1 + i];

			w[1 + i] = was == 0x9999 ? 0x400000 : 0x9999;
			/* but for CACHE's, which is never executed */
			assert_int_equal(py_opcode_table_fits(o, w + 1), !i);
			w[1 + i] = was;
		}
		/* some handlers are merged; 3.15's other table, where all but the unknown are one */
		w[1 + 1] = w[1 + 2] = w[1 + 3];
		assert_true(py_opcode_table_fits(o, w + 1));
		for (unsigned int i = 0; i < PY_NR_OPCODES; i++)
			if (w[1 + i] != 0x9999)
				w[1 + i] = 0x8888;
		assert_false(py_opcode_table_fits(o, w + 1));
		memset(w, 0, sizeof(w));
		assert_false(py_opcode_table_fits(o, w + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_emulated_of_a_handler),
		cmocka_unit_test(handler_without_any),
		cmocka_unit_test(what_the_kernel_refuses),
		cmocka_unit_test(arguments_are_still_there),
		cmocka_unit_test(short_jumps_and_falling_through),
		cmocka_unit_test(long_jumps),
		cmocka_unit_test(chunks_of_code),
		cmocka_unit_test(table_has_a_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
