/* SPDX-License-Identifier: MIT */
/* A file that claims to be an interpreter: opening it and every question that is asked of it. */
#include "base/fault.h"
#include "python/call_sites.h"
#include "target/elf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is in the file alone of where entry and exit are probed. */
static void find_sites(const struct elf_file *e)
{
	static const uint32_t versions[] = {0x030900f0, 0x030b00f0, 0x030d05f0, 0x030f00f0};
	struct elf_section section;
	struct fault f;
	size_t at = 0;
	char buf[64];

	for (int i = 0; i < 8 && elf_file_next_section(e, &at, &section); i++)
		elf_file_read_linked(e, section.addr, buf, sizeof(buf));
	elf_file_has_text(e, ".rodata", "PYTHON_JIT");
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		struct python_call_info info = {0};

		if (i)
			py_find_handler_sites(e, versions[i], &info, &f);
		else
			py_find_function_sites(e, versions[i], &info, &f);
		if (info.nr_sites > PYTHON_MAX_SITES)
			abort();
	}
}

static void ask(const struct elf_file *e)
{
	static const char *const names[] = {"answer", "wanted", "numfree", "", "_PyRuntime"};
	static const char *const sections[] = {".text", ".bss", ".data", ".dynsym", ""};
	struct elf_section section;
	struct elf_symbol s;
	uint64_t offset;
	char buf[4096];

	elf_file_bias(e, 0x7f0000000000);
	elf_file_needs(e, "libc");
	elf_file_read(e, elf_file_entry(e), buf, 64);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!elf_file_symbol(e, names[i], &s)) {
			elf_file_function_at(e, s.value);
			elf_file_section_at(e, s.value, &section);
			elf_file_offset(e, s.value, &offset);
			elf_file_read(e, s.value, buf, s.size < sizeof(buf) ? s.size : sizeof(buf));
		}
		elf_file_dynamic_symbol(e, names[i], &s);
		elf_file_static_symbol(e, "a.c", names[i], &s);
		if (!elf_file_section(e, sections[i], &section))
			elf_file_read(e, section.addr + section.size - 8, buf, 16);
	}
	find_sites(e);
	/* as a caller that prints it would */
	if (strlen(elf_file_build_id(e)) > 200 || strlen(elf_file_debug_wanted(e)) > 300)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct elf_file *e;
	struct fault f;

	if (fd >= 0 && write(fd, data, len) == (ssize_t)len &&
	    !elf_file_open(&e, fd, "/nonexistent/fuzz", NULL, &f)) {
		ask(e);
		elf_file_close(e);
	}
	close(fd);
	return 0;
}
