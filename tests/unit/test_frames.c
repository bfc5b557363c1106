/* SPDX-License-Identifier: MIT */
/*
 * The walker over a process that lies: lists that go round, objects that are none. The process is this
 * one: its "memory" is a struct below, its layout that struct's. What true processes say is tested in
 * tests/live/test_frames.
 */
#include "base/cleanup.h"
#include "python/frames.h"
#include "python/internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NR_FRAMES 200

struct text {
	uint64_t length;
	uint32_t state; /* kind at bit 2, compact at 5, ascii at 6, as in CPython */
	uint32_t pad;
	char chars[8]; /* ASCII */
	char wide[8];  /* other kinds: after the longer header */
};

struct bytes {
	uint64_t size;
	uint8_t data[8];
};

struct code {
	uint64_t type, name, file, line_table;
	uint32_t first_line, pad;
	uint8_t adaptive[8];
};

struct frame {
	uint64_t previous, code, instr;
	uint8_t owner;
};

struct tstate {
	uint64_t next, frame, id;
};

struct interp {
	uint64_t next, threads;
};

static struct {
	uint64_t head, type;
	struct interp interps[2];
	struct tstate tstates[2];
	struct frame frames[NR_FRAMES];
	struct code code;
	struct text name, file;
	struct bytes table;
} process;

static struct python python;
static struct python_walk_info info;

static int process_read(struct mem *m, uint64_t addr, void *buf, size_t len)
{
	uint64_t start = (uint64_t)(uintptr_t)&process;

	if (addr < start || len > sizeof(process) || addr - start > sizeof(process) - len)
		return -EFAULT;
	memcpy(buf, (const char *)&process + (addr - start), len);
	return 0;
}

static const struct mem_ops process_ops = {.read = process_read};
static struct mem process_mem = {.ops = &process_ops};

static uint64_t at(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* Chain of nr frames in the first thread; one interpreter, one thread. */
static int set_up(void **state)
{
	struct py_layout *l = &python.layout;

	memset(&process, 0, sizeof(process));
	python.mem = &process_mem;
	memset(l, 0xff, sizeof(*l));
	l->interp_next = offsetof(struct interp, next);
	l->interp_threads = offsetof(struct interp, threads);
	l->tstate_next = offsetof(struct tstate, next);
	l->tstate_frame = offsetof(struct tstate, frame);
	l->tstate_thread_id = offsetof(struct tstate, id);
	l->frame_previous = offsetof(struct frame, previous);
	l->frame_code = offsetof(struct frame, code);
	l->frame_instr = offsetof(struct frame, instr);
	l->frame_owner = offsetof(struct frame, owner);
	l->code_name = offsetof(struct code, name);
	l->code_filename = offsetof(struct code, file);
	l->code_linetable = offsetof(struct code, line_table);
	l->code_firstlineno = offsetof(struct code, first_line);
	l->code_adaptive = offsetof(struct code, adaptive);
	l->object_type = offsetof(struct code, type);
	l->unicode_length = offsetof(struct text, length);
	l->unicode_state = offsetof(struct text, state);
	l->unicode_kind_bit = l->unicode_state * 8 + 2;
	l->unicode_compact_bit = l->unicode_state * 8 + 5;
	l->unicode_ascii_bit = l->unicode_state * 8 + 6;
	l->unicode_ascii_size = offsetof(struct text, chars);
	l->unicode_compact_size = offsetof(struct text, wide);
	l->bytes_size = offsetof(struct bytes, size);
	l->bytes_data = offsetof(struct bytes, data);

	info = (struct python_walk_info){.line_format = LINES_LOCATIONS,
					 .lasti_unit = 1,
					 .layout = l,
					 .interpreters_head = at(&process.head),
					 .code_type = at(&process.type)};
	process.head = at(&process.interps[0]);
	process.interps[0].threads = at(&process.tstates[0]);
	process.tstates[0].id = 4242;
	process.tstates[0].frame = at(&process.frames[0]);
	for (int i = 0; i < NR_FRAMES; i++)
		process.frames[i] = (struct frame){.previous = at(&process.frames[i + 1]),
						   .code = at(&process.code),
						   .instr = at(&process.code.adaptive[2])};
	process.frames[2].previous = 0;
	process.code = (struct code){.type = at(&process.type),
				     .name = at(&process.name),
				     .file = at(&process.file),
				     .line_table = at(&process.table),
				     .first_line = 10};
	process.name =
		(struct text){.length = 4, .state = 1 << 2 | 1 << 5 | 1 << 6, .chars = "main"};
	process.file = (struct text){.length = 3, .state = 2 << 2 | 1 << 5, .wide = "\xb1\3.\0c"};
	/* one unit of line 10, one of line 12 */
	process.table = (struct bytes){.size = 4, .data = {0x80, 0, 0xe0, 0}};
	return 0;
}

static struct python_threads walk(int expected)
{
	struct python_threads t;

	assert_int_equal(py_walk_threads(&python, &info, &t), expected);
	return t;
}

static void three_frames(void **state)
{
	struct python_threads t = walk(0);

	assert_int_equal(t.nr, 1);
	assert_int_equal(t.v[0].pthread_id, 4242);
	assert_int_equal(t.v[0].nr, 3);
	assert_false(t.v[0].failed || t.v[0].truncated || t.truncated);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(t.v[0].frames[i].name, "main");
		assert_string_equal(t.v[0].frames[i].file, "α.c");
		assert_int_equal(t.v[0].frames[i].first_line, 10);
		assert_int_equal(t.v[0].frames[i].line, 12);
	}
	python_threads_done(&t);
}

/* The low bits of the code's address are the interpreter's own (3.14). */
static void tagged_code(void **state)
{
	struct python_threads t;

	process.frames[0].code |= 1;
	process.frames[1].code |= 2;
	process.frames[2].code |= 3;
	t = walk(0);
	assert_int_equal(t.v[0].nr, 3);
	assert_int_equal(t.v[0].frames[2].code, at(&process.code));
	assert_false(t.v[0].failed);
	python_threads_done(&t);
}

static void frames_that_are_no_functions(void **state)
{
	struct python_threads t;

	process.frames[0].owner = 3;
	process.frames[0].code = 0;
	process.frames[2].owner = 4;
	process.frames[2].code = 1;
	t = walk(0);
	assert_int_equal(t.v[0].nr, 1);
	assert_false(t.v[0].failed || t.v[0].truncated);
	python_threads_done(&t);
}

static void depth(uint32_t nr, uint32_t expected, bool truncated)
{
	struct python_threads t;

	set_up(NULL);
	process.frames[2].previous = at(&process.frames[3]);
	process.frames[nr - 1].previous = 0;
	t = walk(0);
	assert_int_equal(t.v[0].nr, expected);
	assert_int_equal(t.v[0].truncated, truncated);
	assert_false(t.v[0].failed);
	python_threads_done(&t);
}

static void as_deep_as_is_read(void **state)
{
	depth(126, 126, false);
	depth(127, 127, false);
	depth(128, 127, true);
	depth(199, 127, true);
}

/* The root may be one that is not shown: then nothing is missing. */
static void full_and_a_shim(void **state)
{
	struct python_threads t;

	process.frames[2].previous = at(&process.frames[3]);
	process.frames[127].previous = 0;
	process.frames[127].owner = 3;
	t = walk(0);
	assert_int_equal(t.v[0].nr, 127);
	assert_false(t.v[0].truncated || t.v[0].failed);
	python_threads_done(&t);
}

static void frames_in_a_circle(void **state)
{
	struct python_threads t;

	process.frames[2].previous = at(&process.frames[0]);
	t = walk(0);
	assert_int_equal(t.v[0].nr, PYTHON_MAX_FRAMES);
	assert_true(t.v[0].truncated);
	python_threads_done(&t);

	process.frames[0].owner = process.frames[1].owner = process.frames[2].owner = 3;
	t = walk(0);
	assert_int_equal(t.v[0].nr, 0);
	assert_true(t.v[0].failed);
	python_threads_done(&t);
}

static void threads_in_a_circle(void **state)
{
	struct python_threads t;

	process.tstates[0].next = at(&process.tstates[1]);
	process.tstates[1].next = at(&process.tstates[0]);
	t = walk(0);
	assert_true(t.truncated);
	assert_int_equal(t.nr, 4096);
	python_threads_done(&t);
}

static void interpreters_in_a_circle(void **state)
{
	struct python_threads t;

	process.interps[0].next = at(&process.interps[1]);
	process.interps[1].next = at(&process.interps[0]);
	t = walk(0);
	assert_true(t.truncated);
	assert_int_equal(t.nr, 512);
	python_threads_done(&t);
}

/* What was read before stays; the thread says that there should be more. */
static void broken_at_the_second(void)
{
	struct python_threads t = walk(0);

	assert_int_equal(t.nr, 1);
	assert_int_equal(t.v[0].nr, 1);
	assert_true(t.v[0].failed);
	assert_false(t.v[0].truncated);
	python_threads_done(&t);
}

static void no_frame(void **state)
{
	process.frames[0].previous = 8;
	broken_at_the_second();
	process.frames[0].previous = UINT64_MAX;
	broken_at_the_second();
	process.frames[0].previous = at(&process.frames[1]);
	process.frames[1].code = 0;
	broken_at_the_second();
	process.frames[1].code = at(&process.table);
	broken_at_the_second();
}

static void no_code_object(void **state)
{
	struct python_threads t;

	process.code.type = at(&process.head);
	t = walk(0);
	assert_int_equal(t.v[0].nr, 0);
	assert_true(t.v[0].failed);
	python_threads_done(&t);
}

static void no_strings(void **state)
{
	struct python_threads t;
	const struct text texts[] = {
		{.length = 4, .state = 0},			      /* no kind */
		{.length = 4, .state = 3 << 2 | 1 << 5},	      /* no such kind */
		{.length = UINT64_MAX, .state = 1 << 2 | 1 << 5},     /* below 0 */
		{.length = 1 << 20, .state = 4 << 2 | 1 << 5},	      /* past the end of memory */
		{.length = 4, .state = 1 << 2, .wide = "\1\1\1\1\1"}, /* elsewhere, nowhere */
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		process.name = texts[i];
		t = walk(0);
		assert_int_equal(t.v[0].nr, 0);
		assert_true(t.v[0].failed);
		python_threads_done(&t);
	}
}

/* A subclass of str has its characters elsewhere. */
static void string_elsewhere(void **state)
{
	struct python_threads t;
	uint64_t there = at(process.table.data + 4);

	process.name = (struct text){.length = 2, .state = 1 << 2};
	memcpy(process.name.wide, &there, sizeof(there));
	memcpy(process.table.data + 4, "ab", 2);
	t = walk(0);
	assert_int_equal(t.v[0].nr, 3);
	assert_string_equal(t.v[0].frames[0].name, "ab");
	python_threads_done(&t);
}

/* The frame is known, its line is not. */
static void no_line(void)
{
	struct python_threads t = walk(0);

	assert_int_equal(t.v[0].nr, 3);
	assert_int_equal(t.v[0].frames[0].line, 0);
	assert_false(t.v[0].failed);
	python_threads_done(&t);
}

static void no_line_table(void **state)
{
	process.table.size = UINT64_MAX;
	no_line();
	process.table.size = 1u << 30;
	no_line();
	process.table.size = 4;
	process.code.line_table = 0;
	no_line();
	process.code.line_table = at(&process.table);
	process.frames[0].instr = at(&process.code.adaptive[4]);
	no_line();
	process.frames[0].instr = UINT64_MAX / 2;
	no_line();
}

static void no_lists(void **state)
{
	struct python_threads t;

	process.tstates[0].next = 8;
	walk(-EFAULT);
	process.tstates[0].next = 0;
	process.interps[0].threads = UINT64_MAX - 4;
	walk(-EFAULT);
	process.head = 8;
	walk(-EFAULT);
	info.interpreters_head = 0; /* 3.6, and nothing holds the GIL */
	t = walk(0);
	assert_int_equal(t.nr, 0);
	python_threads_done(&t);
}

/* 3.11, 3.12: through the C frame. Until 3.10: lasti is in the frame, -1 before it has started. */
static void other_layouts(void **state)
{
	struct py_layout *l = &python.layout;
	struct python_threads t;

	l->tstate_cframe = l->tstate_frame;
	l->tstate_frame = PY_NONE;
	l->cframe_current_frame = offsetof(struct interp, threads);
	process.interps[1].threads = at(&process.frames[1]);
	process.tstates[0].frame = at(&process.interps[1]);
	t = walk(0);
	assert_int_equal(t.v[0].nr, 2);
	python_threads_done(&t);

	l->frame_instr = PY_NONE;
	l->frame_owner = PY_NONE;
	l->frame_lasti = offsetof(struct frame, instr);
	info.lasti_unit = 2;
	process.frames[1].instr = 1;
	process.frames[2].instr = UINT32_MAX;
	t = walk(0);
	assert_int_equal(t.v[0].nr, 2);
	assert_int_equal(t.v[0].frames[0].line, 12);
	assert_int_equal(t.v[0].frames[1].line, 10);
	python_threads_done(&t);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(three_frames),
		TEST(tagged_code),
		TEST(frames_that_are_no_functions),
		TEST(as_deep_as_is_read),
		TEST(full_and_a_shim),
		TEST(frames_in_a_circle),
		TEST(threads_in_a_circle),
		TEST(interpreters_in_a_circle),
		TEST(no_frame),
		TEST(no_code_object),
		TEST(no_strings),
		TEST(string_elsewhere),
		TEST(no_line_table),
		TEST(no_lists),
		TEST(other_layouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
