/* SPDX-License-Identifier: MIT */
/*
 * Where entry and exit are found in files made up for this: evaluation loops of a few instructions,
 * assembled by the run of the test. Labels in them say what is to be found.
 */
#include "child.h"

#include <linux/types.h>

#include "base/fault.h"
#include "pymemtrace/calls_abi.h"
#include "python/call_sites.h"
#include "python/opcode_table.h"
#include "target/elf.h"

#define V313 0x030d05f0

static char dir[] = "/tmp/pmt-sites-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return run_command("rm -rf %s", dir);
}

/* --- files ----------------------------------------------------------------------------------- */

/* What differs from one made-up loop of 3.13 to the next. */
struct loop {
	const char *resume, *resume_check, *yield, *instrumented_return, *more;
	const char *flags, *then;
	unsigned int tables;
	bool forged;	   /* the table leads to data */
	const char *cache; /* where the label of CACHE is; NULL: at a handler */
};

static const struct loop plain = {
	.resume = "\tmov %rax, 8(%rbx)\nwant_resume:\n\tje 1f\n1:\tjmp *%rax\n",
	.resume_check = "\tendbr64\n\tmov %rax, 8(%rbx)\nwant_check:\n\tjne cold\n\tjmp *%rax\n",
	.yield = "want_yield:\n\tmov %rax, 8(%rbx)\n\tjmp *%rax\n",
	.instrumented_return = "\tcall other\n\tcall _PyEval_FrameClearAndPop@PLT\n\tjmp *%rax\n",
	.more = "",
	.flags = "",
	.tables = 1,
};

static const char *handler_of(const struct loop *l, unsigned int op)
{
	switch (op) {
	case 149:
		return l->resume;
	case 207:
		return l->resume_check;
	case 118:
		return l->yield;
	case 240:
		return l->instrumented_return;
	case 36:
	case 103:
	case 239:
		return "\tmov %rbx, %rsi\n\ttest %eax, %eax\n\tje 1f\n\tnop\n"
		       "1:\tcall _PyEval_FrameClearAndPop@PLT\n\tjmp *%rax\n";
	default:
		return "\tmov %rax, (%rbx)\n\tcall other\n\tjmp *%rax\n";
	}
}

static void write_tables(FILE *out, const struct loop *l, const struct py_opcodes *o)
{
	fputs("\t.section .data.rel.ro, \"aw\"\n\t.balign 8\n\t.quad unknown\n", out);
	for (unsigned int t = 0; t < l->tables; t++) {
		fprintf(out, "table%u:\n", t);
		for (unsigned int i = 0; i < PY_NR_OPCODES; i++) {
			if (!i && l->cache)
				fprintf(out, "\t.quad %s\n", l->cache);
			else if (py_opcode_is_unused(o, i))
				fputs("\t.quad unknown\n", out);
			else if (l->forged)
				fprintf(out, "\t.quad table0 + %u\n", i);
			else if (!handler_of(l, i))
				fputs("\t.quad handler149\n", out);
			else
				fprintf(out, "\t.quad handler%u\n", i);
		}
	}
}

static void write_loop(const char *path, const struct loop *l)
{
	const struct py_opcodes *o = py_opcodes_find(V313);
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	fputs("\t.text\nother:\tret\nunknown:\tret\n"
	      "\t.globl _PyEval_FrameClearAndPop\n\t.type _PyEval_FrameClearAndPop, @function\n"
	      "_PyEval_FrameClearAndPop:\n\tendbr64\n\tmov %rsi, %rax\nwant_clear:\n"
	      "\tpush %r14\n\tmov %rdi, %rsi\n\tpop %r14\n\tret\n"
	      "\t.size _PyEval_FrameClearAndPop, . - _PyEval_FrameClearAndPop\n",
	      out);
	for (unsigned int i = 0; i < PY_NR_OPCODES; i++)
		if (!py_opcode_is_unused(o, i) && handler_of(l, i))
			fprintf(out, "handler%u:\n%s", i, handler_of(l, i));
	fprintf(out, "\t.section .rare, \"ax\"\n\tnop\ncold:\n\tud2\n%s", l->more);
	write_tables(out, l, o);
	fclose(out);
}

/* flags: of the linker; then: a command that changes the file */
static struct elf_file *build(const char *flags, const char *then)
{
	struct fault f = {0};
	struct elf_file *e;
	char path[64];
	int fd;

	if (run_command("cd %s && cc -shared -nostdlib -Wl,--build-id=none %s a.s -o a.so %s", dir,
			flags, then))
		return NULL;
	snprintf(path, sizeof(path), "%s/a.so", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (elf_file_open(&e, fd, path, NULL, &f))
		fail_msg("%s", f.text);
	close(fd);
	return e;
}

static char *source(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/a.s", dir);
	return path;
}

static struct elf_file *build_loop(const struct loop *l)
{
	struct elf_file *e;

	write_loop(source(), l);
	e = build(l->flags, l->then ? l->then : "");
	if (!e)
		skip();
	return e;
}

static struct elf_file *build_function(const char *text)
{
	FILE *out = fopen(source(), "we");
	struct elf_file *e;

	fprintf(out,
		"\t.text\n\t.globl _PyEval_EvalFrameDefault\n"
		"\t.type _PyEval_EvalFrameDefault, @function\n%s",
		text);
	fclose(out);
	e = build("", "");
	if (!e)
		skip();
	return e;
}

/* --- what is to be found --------------------------------------------------------------------- */

static const struct python_call_site *
site_at(const struct elf_file *e, const struct python_call_info *info, const char *label)
{
	struct elf_symbol s;
	uint64_t offset;

	assert_int_equal(elf_file_symbol(e, label, &s), 0);
	assert_int_equal(elf_file_offset(e, s.value, &offset), 0);
	for (uint32_t i = 0; i < info->nr_sites; i++)
		if (info->sites[i].offset == offset)
			return &info->sites[i];
	fail_msg("nothing is probed at %s", label);
	return NULL;
}

static void expect(const struct elf_file *e, const struct python_call_info *info, const char *label,
		   unsigned int role, bool emulated, bool shared)
{
	const struct python_call_site *s = site_at(e, info, label);

	assert_int_equal(s->role, role);
	assert_int_equal(s->emulated, emulated);
	assert_int_equal(s->shared, shared);
	assert_true(s->length > 0);
}

static void expect_number(const struct python_call_info *info, unsigned int role, unsigned int want)
{
	unsigned int nr = 0;

	for (uint32_t i = 0; i < info->nr_sites; i++)
		nr += info->sites[i].role == role;
	assert_int_equal(nr, want);
}

static struct python_call_info find(const struct elf_file *e)
{
	struct python_call_info info = {0};
	struct fault f = {0};

	if (py_find_handler_sites(e, V313, &info, &f))
		fail_msg("%s", f.text);
	return info;
}

static void refuse(const struct loop *l, const char *why)
{
	struct elf_file *e = build_loop(l);
	struct python_call_info info = {0};
	struct fault f = {0};

	assert_int_equal(py_find_handler_sites(e, V313, &info, &f), -ENOTSUP);
	if (!strstr(f.text, why))
		fail_msg("%s", f.text);
	assert_int_equal(info.nr_sites, 0);
	elf_file_close(e);
}

static void handlers_and_clear(void **state)
{
	struct loop l = plain;

	for (int kind = 0; kind < 3; kind++) {
		struct python_call_info info;
		struct elf_file *e;

		/* addresses in their places and in relocations; in one of both */
		l.flags = kind == 1 ? "-Wl,-z,pack-relative-relocs" : "";
		l.then = kind == 2 ? "&& objcopy -O binary -j .data.rel.ro a.so d && "
				     "truncate -s 0 z && truncate -r d z && "
				     "objcopy --update-section .data.rel.ro=z a.so"
				   : "";
		e = build_loop(&l);
		info = find(e);
		assert_int_equal(info.nr_sites, 6);
		assert_true(info.clears);
		expect(e, &info, "want_resume", PMT_SITE_RESUME, true, false);
		expect(e, &info, "want_check", PMT_SITE_RESUME_CHECK, true, false);
		expect(e, &info, "want_yield", PMT_SITE_YIELD, false, false);
		expect(e, &info, "want_clear", PMT_SITE_CLEAR, true, false);
		expect_number(&info, PMT_SITE_RESUME, 2);
		expect_number(&info, PMT_SITE_YIELD, 2);
		assert_int_equal(info.ops[149], PMT_OP_RESUME);
		assert_int_equal(info.ops[207], PMT_OP_RESUME_CHECK);
		assert_int_equal(info.ops[36], PMT_OP_RETURN);
		assert_int_equal(info.ops[70], PMT_OP_ANY);
		assert_int_equal(info.ops[1], 0);
		elf_file_close(e);
	}
}

/* It is never executed: a compiler may leave its label anywhere. */
static void cache_has_no_handler(void **state)
{
	static const char *const places[] = {"unknown", "handler149", "table0"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct loop l = plain;
		struct python_call_info info;
		struct elf_file *e;

		l.cache = places[i];
		e = build_loop(&l);
		info = find(e);
		assert_int_equal(info.nr_sites, 6);
		expect_number(&info, PMT_SITE_RESUME, 2);
		elf_file_close(e);
	}
}

/* The compiler has put _PyEval_FrameClearAndPop() into one of the handlers. */
static void returns_where_clear_is_inlined(void **state)
{
	struct loop l = plain;
	struct python_call_info info;
	struct elf_file *e;

	l.instrumented_return = "\tmov %rbx, %rsi\nwant_return:\n\tcall other\n\tjmp *%rax\n";
	e = build_loop(&l);
	info = find(e);
	assert_false(info.clears);
	assert_int_equal(info.nr_sites, 9);
	expect_number(&info, PMT_SITE_CLEAR, 0);
	expect_number(&info, PMT_SITE_RETURN, 4);
	expect(e, &info, "want_return", PMT_SITE_RETURN, true, false);
	elf_file_close(e);
}

static void other_code_jumps_into_a_run(void **state)
{
	struct loop l = plain;
	struct python_call_info info;
	struct elf_file *e;

	/* from far away, past the first instruction; near, to the first; and where it does no harm */
	l.more = "\tnop\n\tjmp want_resume\n\tjne _PyEval_FrameClearAndPop\n";
	l.yield = "\tmov %rax, 8(%rbx)\nwant_yield:\n\tje 1f\n\tjmp *%rax\n1:\tjmp handler118\n";
	e = build_loop(&l);
	info = find(e);
	expect(e, &info, "want_resume", PMT_SITE_RESUME, true, true);
	expect(e, &info, "want_yield", PMT_SITE_YIELD, true, true);
	expect(e, &info, "want_check", PMT_SITE_RESUME_CHECK, true, false);
	expect(e, &info, "want_clear", PMT_SITE_CLEAR, true, false);
	elf_file_close(e);
}

/* RESUME's first bytes are its own, the rest it shares with the opcode behind it. */
static void another_opcode_begins_in_a_run(void **state)
{
	struct loop l = plain;
	struct python_call_info info;
	struct elf_file *e;

	l.resume = "\tmov %rax, 8(%rbx)\n";
	e = build_loop(&l);
	info = find(e);
	for (uint32_t i = 0; i < info.nr_sites; i++)
		assert_int_equal(info.sites[i].shared, !strcmp(info.sites[i].name, "RESUME"));
	elf_file_close(e);
}

/* Code is read in pieces of 1 MiB: a jump is found wherever one of them ends. */
static void jumps_across_pieces(void **state)
{
	for (int before = 0; before < 8; before++) {
		struct python_call_info info;
		struct loop l = plain;
		struct elf_file *e;
		char more[128];

		snprintf(more, sizeof(more),
			 "\t.fill 0x100000 - 3 - %d, 1, 0x90\n\tjne want_resume\n", before);
		l.more = more;
		e = build_loop(&l);
		info = find(e);
		expect(e, &info, "want_resume", PMT_SITE_RESUME, true, true);
		elf_file_close(e);
	}
}

static void opcodes_with_one_handler(void **state)
{
	struct loop l = plain;
	struct python_call_info info;
	struct elf_file *e;

	l.resume_check = NULL;
	e = build_loop(&l);
	info = find(e);
	expect_number(&info, PMT_SITE_RESUME_CHECK, 0);
	assert_int_equal(info.ops[207], PMT_OP_RESUME);
	expect(e, &info, "want_resume", PMT_SITE_RESUME, true, false);
	elf_file_close(e);
}

static void tables_that_cannot_be_believed(void **state)
{
	struct python_call_info info = {0};
	struct loop l = plain;
	struct fault f = {0};
	struct elf_file *e;

	l.tables = 2;
	refuse(&l, "2 tables");
	l.tables = 0;
	refuse(&l, "no table");
	l.tables = 1;
	l.forged = true;
	refuse(&l, "no table");

	e = build_loop(&plain);
	/* another version's */
	assert_int_equal(py_find_handler_sites(e, 0x030c01f0, &info, &f), -ENOTSUP);
	assert_int_equal(py_find_handler_sites(e, 0x03100000, &info, &f), -ENOTSUP);
	assert_non_null(strstr(f.text, "not known"));
	assert_int_equal(py_find_function_sites(e, 0x030900f0, &info, &f), -ENOTSUP);
	elf_file_close(e);
}

/* --- until 3.10 ------------------------------------------------------------------------------ */

static struct python_call_info find_function(const struct elf_file *e, uint32_t version)
{
	struct python_call_info info = {0};
	struct fault f = {0};

	if (py_find_function_sites(e, version, &info, &f))
		fail_msg("%s", f.text);
	return info;
}

#define SIZE "\t.size _PyEval_EvalFrameDefault, . - _PyEval_EvalFrameDefault\n"

static void ways_to_the_end(void **state)
{
	struct python_call_info info;
	struct elf_file *e = build_function(
		"other:\tret\n_PyEval_EvalFrameDefault:\nwant_enter:\n\tpush %r15\n\tmov %edx, %esi\n"
		"\ttest %rdi, %rdi\nwant_short:\n\tje end\n\ttest %rsi, %rsi\n\tjne 1f\n"
		"want_long:\n\t.byte 0xe9\n\t.long end - . - 4\n"
		"1:\tje 2f\n\tjmp rare\n2:\txor %eax, %eax\nwant_call:\n\tcall other\n"
		"\tmov %eax, %edx\nend:\tmov %edx, %eax\n\tpop %r15\n\tret\n"
		"\tmov %eax, %edx\n\tpop %r15\nwant_tail:\n\t.byte 0xe9\n\t.long other - . - 4\n" SIZE
		"\t.section .rare, \"ax\"\nrare:\tnop\nwant_cold:\n\tjmp end\n");

	info = find_function(e, 0x030900f0);
	assert_int_equal(info.frame_arg, 2);
	assert_int_equal(info.nr_sites, 6);
	assert_false(info.clears);
	expect(e, &info, "want_enter", PMT_SITE_ENTER, true, false);
	expect(e, &info, "want_short", PMT_SITE_LEAVE, true, false);
	expect(e, &info, "want_long", PMT_SITE_LEAVE, true, false);
	expect(e, &info, "want_call", PMT_SITE_LEAVE, true, false);
	expect(e, &info, "want_tail", PMT_SITE_LEAVE, true, false);
	expect(e, &info, "want_cold", PMT_SITE_LEAVE, true, false);
	info = find_function(e, 0x030812f0);
	assert_int_equal(info.frame_arg, 1);
	elf_file_close(e);
}

/* Where the ways are too many, or one cannot be probed, the ret itself is. */
static void the_end_itself(void **state)
{
	struct python_call_info info;
	struct elf_file *e =
		build_function("_PyEval_EvalFrameDefault:\n\tpush %r15\n\t.rept 17\n\tje end\n"
			       "\t.endr\n\thlt\nend:\tpop %r15\nwant_ret:\n\tret\n" SIZE);

	info = find_function(e, 0x030900f0);
	assert_int_equal(info.nr_sites, 2);
	expect(e, &info, "want_ret", PMT_SITE_LEAVE, false, false);
	elf_file_close(e);
	e = build_function("_PyEval_EvalFrameDefault:\n\tpush %r15\n\tje end\n\tcall *%rax\n"
			   "end:\tpop %r15\nwant_ret:\n\tret\n" SIZE);
	info = find_function(e, 0x030900f0);
	assert_int_equal(info.nr_sites, 2);
	expect(e, &info, "want_ret", PMT_SITE_LEAVE, false, false);
	elf_file_close(e);
}

/* An end that nothing is seen to lead to may be the one that matters. */
static void an_end_without_a_way(void **state)
{
	struct elf_file *e = build_function("_PyEval_EvalFrameDefault:\n\tpush %r15\n\tje end\n"
					    "\tjmp *%rax\nwant_other:\n\tret\n"
					    "end:\tpop %r15\nwant_ret:\n\tret\n" SIZE);
	struct python_call_info info = find_function(e, 0x030900f0);

	assert_int_equal(info.nr_sites, 3);
	expect(e, &info, "want_other", PMT_SITE_LEAVE, false, false);
	expect(e, &info, "want_ret", PMT_SITE_LEAVE, false, false);
	elf_file_close(e);
}

static void functions_that_cannot_be_believed(void **state)
{
	static const char *const texts[] = {
		/* no size; one that is too large; no end; too many of them; no code */
		"_PyEval_EvalFrameDefault:\n\tpush %r15\n\tpop %r15\n\tret\n",
		"_PyEval_EvalFrameDefault:\n\tpush %r15\n\tret\n"
		"\t.size _PyEval_EvalFrameDefault, 0x200000\n",
		"_PyEval_EvalFrameDefault:\n\tpush %r15\n1:\tjmp 1b\n" SIZE,
		"_PyEval_EvalFrameDefault:\n\tpush %r15\n\t.rept 17\n\tje 1f\n1:\tret\n\t.endr\n" SIZE,
		"\t.data\n_PyEval_EvalFrameDefault:\n\t.fill 64\n" SIZE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct elf_file *e = build_function(texts[i]);
		struct python_call_info info = {0};

		assert_int_equal(py_find_function_sites(e, 0x030900f0, &info, NULL), -ENOTSUP);
		elf_file_close(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_and_clear),
		cmocka_unit_test(returns_where_clear_is_inlined),
		cmocka_unit_test(other_code_jumps_into_a_run),
		cmocka_unit_test(another_opcode_begins_in_a_run),
		cmocka_unit_test(jumps_across_pieces),
		cmocka_unit_test(opcodes_with_one_handler),
		cmocka_unit_test(cache_has_no_handler),
		cmocka_unit_test(tables_that_cannot_be_believed),
		cmocka_unit_test(ways_to_the_end),
		cmocka_unit_test(the_end_itself),
		cmocka_unit_test(an_end_without_a_way),
		cmocka_unit_test(functions_that_cannot_be_believed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
