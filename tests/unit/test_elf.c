/* SPDX-License-Identifier: MIT */
/*
 * Symbols and bytes of ELF files built by the run of the test. Ground truth: the dynamic linker,
 * which loads the same file into this process, and a table of addresses inside it.
 */
#include "child.h"

#include "base/fault.h"
#include "target/elf.h"
#include "target/target.h"

#include <dlfcn.h>
#include <sys/auxv.h>

/* clang-format off */
#define LOCAL(name)                                                                                \
	"\"\\t.type " name ",@function\\n" name ":\\n\\tnop\\n\\tret\\n\\t.size " name ", 2\\n\"\n"
#define ADDRESS(name) "\"\\t.quad " name "\\n\"\n"

/* What a link-time optimiser makes of names, without one. */
static const char source_a[] =
	"__asm__(\".text\\n\"\n"
	LOCAL("wanted.lto_priv.0") LOCAL("chained.lto_priv.0.llvm.77")
	LOCAL("other.constprop.0") LOCAL("other.isra.0") LOCAL("other.part.0") LOCAL("other.cold")
	LOCAL("other.lto_priv.0.cold") LOCAL("other.lto_priv.x") LOCAL("other.lto_priv.")
	LOCAL("twice.lto_priv.0") LOCAL("twice.lto_priv.1")
	LOCAL("exactly.lto_priv.0") LOCAL("exactly") LOCAL("plain")
	"\".data\\n.balign 8\\n.globl truth\\n.type truth,@object\\ntruth:\\n\"\n"
	ADDRESS("wanted.lto_priv.0") ADDRESS("chained.lto_priv.0.llvm.77") ADDRESS("exactly")
	ADDRESS("plain")
	"\".size truth, 32\\n.text\\n\");\n"
	"static volatile int numfree = 11;\n"
	"static volatile int only_here = 12;\n"
	"int *numfree_of_a(void) { return (int *)&numfree + 0 * only_here; }\n"
	"long answer = 42;\n"
	"char zeros[12345];\n"
	"__thread int of_thread = 3;\n"
	"const char text[] = \"read-only text\";\n";
/* clang-format on */

static const char source_b[] = "static volatile int numfree = 22;\n"
			       "int *numfree_of_b(void) { return (int *)&numfree; }\n"
			       "int global_function(void) { return numfree; }\n";

static const char *const truth_names[] = {"wanted", "chained", "exactly", "plain"};

static char dir[] = "/tmp/pmt-elf-XXXXXX";
static bool built;
static void *handle;
static uint64_t bias;

static int setup(void **state)
{
	FILE *out;
	char path[64];

	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/a.c", dir);
	out = fopen(path, "we");
	fputs(source_a, out);
	fclose(out);
	snprintf(path, sizeof(path), "%s/b.c", dir);
	out = fopen(path, "we");
	fputs(source_b, out);
	fclose(out);
	built = !run_command("cd %s && cc -O0 -g0 -fPIC -shared -Wl,--build-id=sha1 a.c b.c "
			     "-o full.so -Wl,--no-as-needed -lc 2>/dev/null && "
			     "cc -O0 -g0 -fPIC -shared -Wl,--build-id=none a.c b.c -o noid.so && "
			     "strip -o stripped.so full.so && strip -o noid-stripped.so noid.so && "
			     "objcopy --only-keep-debug full.so full.debug && "
			     "objcopy --only-keep-debug noid.so noid.debug",
			     dir);
	snprintf(path, sizeof(path), "%s/full.so", dir);
	if (built)
		handle = dlopen(path, RTLD_NOW);
	return 0;
}

static int teardown(void **state)
{
	if (handle)
		dlclose(handle);
	return run_command("rm -rf %s", dir);
}

static void need_built(void)
{
	if (!built)
		skip();
	assert_non_null(handle);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static struct elf_file *open_elf_as(const char *path, const struct target *t)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct fault f = {0};
	struct elf_file *e;

	assert_true(fd >= 0);
	if (elf_file_open(&e, fd, path, t, &f))
		fail_msg("%s", f.text);
	close(fd);
	return e;
}

static struct elf_file *open_elf(const char *name)
{
	return open_elf_as(path_of(name), NULL);
}

static uint64_t at_run_time(const char *name)
{
	return (uint64_t)(uintptr_t)dlsym(handle, name);
}

/* The bias of full.so here, from its mapping in our own maps. */
static void find_bias(const struct elf_file *e)
{
	struct target *t;
	struct maps m;

	assert_int_equal(target_open(&t, getpid(), NULL), 0);
	assert_int_equal(target_maps(t, &m, NULL), 0);
	bias = 0;
	for (size_t i = 0; i < m.nr && !bias; i++)
		if (m.v[i].path && strstr(m.v[i].path, "/full.so") && !m.v[i].offset)
			bias = elf_file_bias(e, m.v[i].start);
	maps_done(&m);
	target_close(t);
	assert_true(bias);
}

static void check_global_symbols(const struct elf_file *e)
{
	static const char *const names[] = {"answer", "zeros", "global_function", "truth", "text"};
	struct elf_symbol s;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(elf_file_symbol(e, names[i], &s), 0);
		assert_int_equal(s.value + bias, at_run_time(names[i]));
		assert_int_equal(elf_file_dynamic_symbol(e, names[i], &s), 0);
		assert_int_equal(s.value + bias, at_run_time(names[i]));
	}
	assert_int_equal(elf_file_symbol(e, "zeros", &s), 0);
	assert_int_equal(s.size, 12345);
	s.value = 77;
	assert_int_equal(elf_file_symbol(e, "of_thread", &s), -ENOENT);
	assert_int_equal(elf_file_symbol(e, "answe", &s), -ENOENT);
	assert_int_equal(elf_file_symbol(e, "", &s), -ENOENT);
	assert_int_equal(elf_file_symbol(e, "__cxa_finalize", &s), -ENOENT); /* undefined here */
	assert_int_equal(s.value, 77);
	assert_int_equal(elf_file_symbol(e, "global_function", &s), 0);
	assert_string_equal(elf_file_function_at(e, s.value), "global_function");
	assert_null(elf_file_function_at(e, s.value + 1));
	assert_null(elf_file_function_at(e, s.value - 1));
	assert_int_equal(elf_file_symbol(e, "answer", &s), 0);
	assert_null(elf_file_function_at(e, s.value));
}

static void check_local_symbols(const struct elf_file *e)
{
	const uint64_t *truth = (const uint64_t *)(uintptr_t)at_run_time("truth");
	int *(*of_a)(void) = (int *(*)(void))dlsym(handle, "numfree_of_a");
	int *(*of_b)(void) = (int *(*)(void))dlsym(handle, "numfree_of_b");
	struct elf_symbol s;

	for (size_t i = 0; i < ARRAY_SIZE(truth_names); i++) {
		if (elf_file_symbol(e, truth_names[i], &s))
			fail_msg("no symbol %s", truth_names[i]);
		assert_int_equal(s.value + bias, truth[i]);
		assert_int_equal(s.size, 2);
		assert_int_equal(elf_file_dynamic_symbol(e, truth_names[i], &s), -ENOENT);
	}
	assert_string_equal(elf_file_function_at(e, truth[0] - bias), "wanted.lto_priv.0");
	assert_int_equal(elf_file_symbol(e, "other", &s), -ENOENT);
	assert_int_equal(elf_file_symbol(e, "twice", &s), -ENOENT);
	assert_int_equal(elf_file_symbol(e, "numfree", &s), -ENOENT);
	assert_int_equal(elf_file_symbol(e, "only_here", &s), 0);

	assert_int_equal(elf_file_static_symbol(e, "a.c", "numfree", &s), 0);
	assert_int_equal(s.value + bias, (uintptr_t)of_a());
	assert_int_equal(elf_file_static_symbol(e, "b.c", "numfree", &s), 0);
	assert_int_equal(s.value + bias, (uintptr_t)of_b());
	assert_int_equal(elf_file_static_symbol(e, "b.c", "only_here", &s), -ENOENT);
	assert_int_equal(elf_file_static_symbol(e, "c.c", "numfree", &s), -ENOENT);
	assert_int_equal(elf_file_static_symbol(e, "a.c", "answer", &s), -ENOENT); /* global */
}

static void full_file_has_its_symbols(void **state)
{
	struct elf_file *e;

	need_built();
	e = open_elf("full.so");
	find_bias(e);
	assert_int_equal(elf_file_symbols(e), ELF_SYMTAB);
	assert_null(elf_file_debug_path(e));
	assert_string_equal(elf_file_name(e), path_of("full.so"));
	check_global_symbols(e);
	check_local_symbols(e);
	elf_file_close(e);
}

/* The table of addresses, as the dynamic linker has left it here, less the bias. */
static void relocated_as_the_linker_does(void **state)
{
	static const char *const files[] = {"full.so", "stripped.so"};

	need_built();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const uint64_t *truth = (const uint64_t *)(uintptr_t)at_run_time("truth");
		struct elf_file *e = open_elf(files[i]);
		uint64_t words[6], plain[6];
		struct elf_symbol s;

		if (!i)
			find_bias(e);
		assert_int_equal(elf_file_symbol(e, "truth", &s), 0);
		assert_int_equal(elf_file_read_linked(e, s.value, words, 32), 0);
		for (int k = 0; k < 4; k++)
			assert_int_equal(words[k] + bias, truth[k]);
		/* what is not wholly inside is left alone */
		assert_int_equal(elf_file_read(e, s.value + 4, plain, 16), 0);
		assert_int_equal(elf_file_read_linked(e, s.value + 4, words, 16), 0);
		assert_int_equal(words[0] & 0xffffffff, plain[0] & 0xffffffff);
		assert_int_equal(words[1] >> 32, plain[1] >> 32);
		assert_int_equal(words[0] >> 32, (truth[1] - bias) & 0xffffffff);
		assert_int_equal(elf_file_read_linked(e, s.value, words, 4), 0);
		assert_int_equal(elf_file_read_linked(e, 1ull << 60, words, 8), -EFAULT);
		assert_true(elf_file_has_text(e, ".rodata", "read-only text"));
		assert_false(elf_file_has_text(e, ".rodata", "read-only texts"));
		assert_false(elf_file_has_text(e, ".nowhere", "read-only text"));
		elf_file_close(e);
	}
}

static void stripped_file_has_the_dynamic_ones(void **state)
{
	struct elf_symbol s;
	struct elf_file *e;

	need_built();
	e = open_elf("stripped.so");
	assert_int_equal(elf_file_symbols(e), ELF_DYNSYM_ONLY);
	assert_null(elf_file_debug_path(e));
	check_global_symbols(e);
	assert_int_equal(elf_file_symbol(e, "plain", &s), -ENOENT);
	elf_file_close(e);
}

static void build_id_names_the_debug_file(void **state)
{
	char want[200], note[128] = "";
	struct elf_file *e;
	FILE *in;

	need_built();
	snprintf(want, sizeof(want), "readelf -n %s | sed -n 's/.*Build ID: //p' | tr -d '\\n'",
		 path_of("full.so"));
	in = popen(want, "r");
	assert_non_null(in);
	assert_int_equal(fread(note, 1, sizeof(note) - 1, in), 40);
	pclose(in);
	e = open_elf("stripped.so");
	assert_string_equal(elf_file_build_id(e), note);
	snprintf(want, sizeof(want), "/usr/lib/debug/.build-id/%.2s/%s.debug", note, note + 2);
	assert_string_equal(elf_file_debug_wanted(e), want);
	elf_file_close(e);
	e = open_elf("noid.so");
	assert_string_equal(elf_file_build_id(e), "");
	assert_string_equal(elf_file_debug_wanted(e), "");
	elf_file_close(e);
}

static void run_in_root(struct child *c, void *arg)
{
	if (chroot(dir) && (unshare(CLONE_NEWUSER) || chroot(dir)))
		child_say(c, 1);
	child_say(c, 0);
	child_wait(c);
}

/* Below the root of the target, as in a container with its own -dbg package. */
static void debug_file_by_build_id(void **state)
{
	struct elf_file *e;
	struct target *t;
	char wanted[200];
	struct child c;

	need_built();
	e = open_elf("stripped.so");
	strcpy(wanted, elf_file_debug_wanted(e));
	elf_file_close(e);
	child_start(&c, run_in_root, NULL);
	if (child_hear(&c) || target_open(&t, c.pid, NULL)) {
		child_end(&c);
		skip();
	}
	assert_int_equal(run_command("mkdir -p $(dirname %s%s) && cp %s/noid.debug %s%s", dir,
				     wanted, dir, dir, wanted),
			 0);
	e = open_elf_as(path_of("stripped.so"), t);
	assert_int_equal(elf_file_symbols(e), ELF_DYNSYM_ONLY); /* another file of that name */
	elf_file_close(e);

	assert_int_equal(run_command("cp %s/full.debug %s%s", dir, dir, wanted), 0);
	e = open_elf_as(path_of("stripped.so"), t);
	assert_int_equal(elf_file_symbols(e), ELF_DEBUG_FILE);
	assert_string_equal(elf_file_debug_path(e), wanted);
	check_global_symbols(e);
	check_local_symbols(e);
	elf_file_close(e);

	setenv("PYMEMTRACE_WITHOUT", "debug_files", 1);
	e = open_elf_as(path_of("stripped.so"), t);
	unsetenv("PYMEMTRACE_WITHOUT");
	assert_int_equal(elf_file_symbols(e), ELF_DYNSYM_ONLY);
	elf_file_close(e);
	target_close(t);
	child_end(&c);
	run_command("rm -rf %s/usr", dir);
}

static void debug_file_by_link(void **state)
{
	struct elf_symbol s;
	struct elf_file *e;

	need_built();
	assert_int_equal(run_command("cd %s && objcopy --add-gnu-debuglink=noid.debug "
				     "noid-stripped.so linked.so",
				     dir),
			 0);
	for (int place = 0; place < 2; place++) {
		e = open_elf("linked.so");
		assert_int_equal(elf_file_symbols(e), ELF_DEBUG_FILE);
		assert_string_equal(elf_file_debug_path(e),
				    path_of(place ? ".debug/noid.debug" : "noid.debug"));
		assert_int_equal(elf_file_symbol(e, "wanted", &s), 0);
		elf_file_close(e);
		if (!place)
			assert_int_equal(
				run_command("cd %s && mkdir .debug && mv noid.debug .debug", dir),
				0);
	}
	/* another file of that name: the checksum differs */
	assert_int_equal(run_command("cd %s && echo >>.debug/noid.debug", dir), 0);
	e = open_elf("linked.so");
	assert_int_equal(elf_file_symbols(e), ELF_DYNSYM_ONLY);
	elf_file_close(e);
}

static void debug_data_inside(void **state)
{
	struct elf_file *e;

	need_built();
	if (run_command("cd %s && xz -k full.debug 2>/dev/null", dir))
		skip();
	assert_int_equal(
		run_command("cd %s && objcopy --add-section .gnu_debugdata=full.debug.xz "
			    "stripped.so mini.so && head -c 600 full.debug.xz >cut.xz && "
			    "objcopy --add-section .gnu_debugdata=cut.xz stripped.so cut.so",
			    dir),
		0);
	e = open_elf("mini.so");
	assert_int_equal(elf_file_symbols(e), ELF_DEBUG_FILE);
	assert_non_null(strstr(elf_file_debug_path(e), ".gnu_debugdata"));
	check_global_symbols(e);
	check_local_symbols(e);
	elf_file_close(e);
	e = open_elf("cut.so");
	assert_int_equal(elf_file_symbols(e), ELF_DYNSYM_ONLY);
	elf_file_close(e);
}

static void bytes_are_those_in_memory(void **state)
{
	struct elf_section data, bss, at;
	char buf[16384], byte;
	struct elf_file *e;
	struct elf_symbol s;
	uint64_t offset;
	int fd;

	need_built();
	e = open_elf("full.so");
	find_bias(e);
	/* code: in memory, through the file offset, and by address */
	assert_int_equal(elf_file_symbol(e, "global_function", &s), 0);
	assert_int_equal(elf_file_read(e, s.value, buf, s.size), 0);
	assert_memory_equal(buf, (void *)(uintptr_t)(s.value + bias), s.size);
	assert_int_equal(elf_file_offset(e, s.value, &offset), 0);
	fd = open(path_of("full.so"), O_RDONLY);
	assert_int_equal(pread(fd, buf, s.size, (off_t)offset), s.size);
	assert_memory_equal(buf, (void *)(uintptr_t)(s.value + bias), s.size);
	close(fd);
	assert_int_equal(elf_file_section_at(e, s.value, &at), 0);
	assert_true(at.exec && !at.nobits);

	assert_int_equal(elf_file_symbol(e, "text", &s), 0);
	assert_int_equal(elf_file_read(e, s.value, buf, 15), 0);
	assert_string_equal(buf, "read-only text");

	/* data, whose offset is not its address, and .bss behind it */
	assert_int_equal(elf_file_section(e, ".data", &data), 0);
	assert_int_equal(elf_file_section(e, ".bss", &bss), 0);
	assert_true(bss.nobits && !data.nobits && !data.exec);
	assert_int_equal(elf_file_symbol(e, "answer", &s), 0);
	assert_int_equal(elf_file_read(e, s.value, &offset, sizeof(offset)), 0);
	assert_int_equal(offset, 42);
	assert_int_equal(elf_file_section_at(e, s.value, &at), 0);
	assert_int_equal(at.addr, data.addr);
	assert_int_equal(elf_file_symbol(e, "zeros", &s), 0);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(elf_file_read(e, s.value, buf, s.size), 0);
	for (size_t i = 0; i < s.size; i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(elf_file_offset(e, s.value + 8192, &offset), -EFAULT);
	assert_int_equal(elf_file_read(e, data.addr, buf, bss.addr + 100 - data.addr), 0);
	assert_int_equal(elf_file_read(e, bss.addr + bss.size - 1, buf, 1), 0);
	assert_int_equal(elf_file_read(e, bss.addr + bss.size + 4096, &byte, 1), -EFAULT);
	assert_int_equal(elf_file_read(e, UINT64_MAX - 3, buf, 8), -EFAULT);
	assert_int_equal(elf_file_section(e, ".nothing", &at), -ENOENT);
	assert_int_equal(elf_file_section_at(e, bss.addr + bss.size + 4096, &at), -ENOENT);

	assert_true(elf_file_needs(e, "libc.so"));
	assert_false(elf_file_needs(e, "libpython"));
	elf_file_close(e);
}

static void entry_is_where_the_kernel_started(void **state)
{
	struct elf_file *e = open_elf_as("/proc/self/exe", NULL);
	struct target *t;
	struct maps m;
	char exe[256] = "";
	uint64_t start = 0;

	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_int_equal(target_open(&t, getpid(), NULL), 0);
	assert_int_equal(target_maps(t, &m, NULL), 0);
	for (size_t i = 0; i < m.nr && !start; i++)
		if (m.v[i].path && !strcmp(m.v[i].path, exe))
			start = m.v[i].start;
	assert_int_equal(elf_file_entry(e) + elf_file_bias(e, start), getauxval(AT_ENTRY));
	maps_done(&m);
	target_close(t);
	elf_file_close(e);
}

static int open_bytes(const char *bytes, size_t len, struct fault *f)
{
	struct elf_file *e = NULL;
	int fd = memfd_create("x", MFD_CLOEXEC), err;

	assert_int_equal(write(fd, bytes, len), len);
	err = elf_file_open(&e, fd, "some\nfile", NULL, f);
	close(fd);
	if (!err)
		elf_file_close(e);
	return err;
}

static void other_files_are_refused(void **state)
{
	_cleanup_free_ char *bytes = NULL;
	struct fault f = {0};
	struct elf_file *e;
	size_t len;
	FILE *in;
	int fd;

	assert_int_equal(open_bytes("", 0, &f), -ENOEXEC);
	assert_int_equal(open_bytes("#!/bin/sh\n", 10, &f), -ENOEXEC);
	assert_int_equal(f.err, ENOEXEC);
	assert_non_null(strstr(f.text, "some\\x0afile"));
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(elf_file_open(&e, fd, "null", NULL, &f), -ENOEXEC);
	close(fd);

	need_built();
	bytes = malloc(1 << 20);
	in = fopen(path_of("full.so"), "re");
	len = fread(bytes, 1, 1 << 20, in);
	fclose(in);
	assert_int_equal(open_bytes(bytes, len, &f), 0);
	bytes[4] = 1; /* ELFCLASS32 */
	assert_int_equal(open_bytes(bytes, len, &f), -ENOEXEC);
	bytes[4] = 2;
	bytes[18] = 3; /* EM_386 */
	assert_int_equal(open_bytes(bytes, len, &f), -ENOEXEC);
	bytes[18] = 62;
	bytes[16] = 1; /* ET_REL */
	assert_int_equal(open_bytes(bytes, len, &f), -ENOEXEC);
	bytes[16] = 3;
	/* cut anywhere: no crash, and never a success without headers */
	for (size_t cut = 0; cut < len; cut += 61) {
		int err = open_bytes(bytes, cut, &f);

		if (cut < 64)
			assert_int_equal(err, -ENOEXEC);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_file_has_its_symbols),
		cmocka_unit_test(relocated_as_the_linker_does),
		cmocka_unit_test(stripped_file_has_the_dynamic_ones),
		cmocka_unit_test(build_id_names_the_debug_file),
		cmocka_unit_test(debug_file_by_build_id),
		cmocka_unit_test(debug_file_by_link),
		cmocka_unit_test(debug_data_inside),
		cmocka_unit_test(bytes_are_those_in_memory),
		cmocka_unit_test(entry_is_where_the_kernel_started),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
