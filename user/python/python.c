/* SPDX-License-Identifier: MIT */
/*
 * One interpreter from open to close: find the file, tell the version, choose a layout, locate the
 * state, and, where the patch release was not measured, believe none of it before every invariant
 * has held on the live process.
 */
#include "python/internal.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "python/dwarf_layout.h"
#include "python/layout.h"
#include "python/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INTERPRETERS 1024

static int unsupported(const struct python *p, struct fault *f, const char *why)
{
	char version[24], supported[160];

	python_version_text(version, p->id.version_hex);
	fault_set(f, ENOTSUP, "pid %d runs CPython %s%s%s, %s", (int)p->target->pid, version,
		  p->id.free_threaded ? " (free-threaded)" : "",
		  p->id.debug_build ? " (debug build)" : "", why);
	fault_hint(f,
		   "supported are final releases of %s, other builds from 3.6 on with their debug "
		   "symbols (%s); RSS works without",
		   layout_claims(supported, sizeof(supported)), elf_file_debug_wanted(p->file.elf));
	return -ENOTSUP;
}

/* Exact patch release; else the same minor, to be validated; else the build's own DWARF. */
static int choose_layout(struct python *p, bool strict, struct fault *f)
{
	const struct py_layout_entry *e;
	char version[24], measured_version[24];
	bool measured = false;

	python_version_text(version, p->id.version_hex);
	if (p->id.version_hex < 0x03060000)
		return unsupported(p, f, "which is too old");
	e = layout_find(p->id.version_hex, p->id.debug_build, p->id.free_threaded, &measured);
	if (e && measured) {
		p->layout = e->layout;
		p->id.layout_measured = true;
		snprintf(p->id.layout, sizeof(p->id.layout), "%s", version);
		return 0;
	}
	if (elf_file_symbols(p->file.elf) != ELF_DYNSYM_ONLY &&
	    !dwarf_layout_read(p->file.fd, elf_file_debug_path(p->file.elf), &p->layout, NULL)) {
		p->id.layout_measured = true; /* this very build's own description */
		snprintf(p->id.layout, sizeof(p->id.layout), "%s, from its debug information",
			 version);
		return 0;
	}
	if (!e)
		return unsupported(p, f, "which no layout describes");
	if (strict)
		return unsupported(p, f, "a patch release that was not measured (--strict)");
	p->layout = e->layout;
	python_version_text(measured_version, e->version_hex);
	snprintf(p->id.layout, sizeof(p->id.layout), "%s, %s not measured, validated",
		 measured_version, version);
	return 0;
}

static int open_located(struct python *p, bool strict, struct fault *f)
{
	bool printed;
	int err = choose_layout(p, strict, f);

	if (err)
		return err;
	err = py_locate(p, f);
	if (err)
		return err;
	err = py_allocator_read(p, &p->id.allocator, &p->id.tracemalloc, &printed, f);
	if (err)
		return err;
	if (!p->id.layout_measured && p->has_obmalloc) {
		err = py_obmalloc_validate(p, f);
		if (err)
			return err;
	}
	p->has_layout = true;
	python_count_interpreters(p, &p->id.nr_interpreters);
	return 0;
}

int python_open(struct python **ret, const struct target *t, bool strict, struct fault *f)
{
	struct python *p = calloc(1, sizeof(*p));
	int err;

	*ret = NULL;
	if (!p)
		return fault_set(f, ENOMEM, "no memory");
	p->target = t;
	p->file.fd = -1;
	err = target_maps(t, &p->maps, f);
	if (!err)
		err = py_file_find(&p->file, t, &p->maps, f);
	if (!err)
		err = py_version_read(&p->file, &p->id, f);
	if (!err)
		err = target_mem_open(&p->mem, t, &p->maps, f);
	if (err) {
		python_close(p);
		return err;
	}
	err = open_located(p, strict, f);
	if (err && err != -ENOTSUP && err != -EAGAIN && err != -ENODATA) {
		python_close(p);
		return err;
	}
	log_debug("pid %d: %s, bias %#llx, runtime %#llx, interpreter %#llx, arenas %#llx",
		  (int)t->pid, p->file.name, (unsigned long long)p->file.bias,
		  (unsigned long long)p->runtime, (unsigned long long)p->interp,
		  (unsigned long long)p->obmalloc.arenas);
	*ret = p;
	return err;
}

void python_close(struct python *p)
{
	if (!p)
		return;
	mem_close(p->mem);
	py_file_done(&p->file);
	maps_done(&p->maps);
	free(p);
}

int python_peek(const struct target *t, struct python_id *ret, struct fault *f)
{
	struct py_file file = {.fd = -1};
	struct python_id id = {0};
	struct maps maps = {0};
	int err = target_maps(t, &maps, f);

	if (!err)
		err = py_file_find(&file, t, &maps, f);
	if (!err)
		err = py_version_read(&file, &id, f);
	if (!err)
		*ret = id;
	py_file_done(&file);
	maps_done(&maps);
	return err;
}

const struct python_id *python_id(const struct python *p)
{
	return &p->id;
}

int python_read_allocator(struct python *p, enum allocator *ret, struct fault *f)
{
	bool printed;
	int err;

	if (!p->has_layout)
		return fault_set(f, ENOTSUP, "pid %d: no layout", (int)p->target->pid);
	err = py_allocator_read(p, &p->id.allocator, &p->id.tracemalloc, &printed, f);
	if (!err)
		*ret = p->id.allocator;
	return err;
}

int python_read_stats(struct python *p, struct malloc_stats *ret, struct read_losses *ret_losses,
		      struct fault *f)
{
	struct read_losses losses = {0};
	struct malloc_stats s = {0};
	bool printed = false;
	int err;

	if (!p->has_layout)
		return fault_set(f, ENOTSUP, "pid %d: no layout", (int)p->target->pid);
	err = py_allocator_read(p, &p->id.allocator, &p->id.tracemalloc, &printed, f);
	if (err)
		return err;
	if (p->has_obmalloc && allocator_is_pymalloc(p->id.allocator)) {
		err = py_obmalloc_walk(p, &s, &losses, f);
		if (err)
			return err;
		s.hidden = !printed;
	}
	/* 3.6 and 3.7 print their call counter when the debug hooks are on */
	if (p->id.allocator == ALLOCATOR_PYMALLOC_DEBUG && PY_MINOR(p->id.version_hex) <= 0x0307 &&
	    p->obmalloc.serialno && !mem_read_u64(p->mem, p->obmalloc.serialno, &s.serial))
		s.has_serial = true;
	py_free_lists_read(p, &s, &losses);
	*ret = s;
	*ret_losses = losses;
	return 0;
}

int python_read_arenas(struct python *p, uint64_t *ret)
{
	if (!p->has_layout || !p->obmalloc.narenas || !allocator_is_pymalloc(p->id.allocator))
		return -ENOTSUP;
	return mem_read_u64(p->mem, p->obmalloc.narenas, ret);
}

int python_count_interpreters(struct python *p, uint32_t *ret)
{
	uint32_t next = p->layout.interp_next, head = p->layout.runtime_interpreters_head, n = 0;
	uint64_t interp;

	*ret = 0;
	if (!p->runtime || head == PY_NONE || next == PY_NONE)
		return -ENOTSUP;
	if (mem_read_u64(p->mem, p->runtime + head, &interp))
		return -EFAULT;
	for (; interp && n < MAX_INTERPRETERS; n++)
		if (mem_read_u64(p->mem, interp + next, &interp))
			return -EFAULT;
	*ret = p->id.nr_interpreters = n;
	return 0;
}

/*
 * Where to probe the function that a pointer of the arena allocator's table leads to, as an offset in
 * the interpreter's file; 0 if it is none of its functions. *ret_at_call: at its call of munmap(2).
 * *ret_after: behind the call, 0 if that is not known.
 */
static uint64_t arena_site(struct python *p, uint64_t pointer, bool frees, bool *ret_at_call,
			   uint64_t *ret_after)
{
	struct elf_section section;
	uint64_t function, site, after, offset;

	*ret_after = 0;
	if (mem_read_u64(p->mem, pointer, &function) || function < p->file.start ||
	    function >= p->file.end)
		return 0;
	function -= p->file.bias;
	if (elf_file_section_at(p->file.elf, function, &section) || !section.exec)
		return 0;
	site = py_arena_call_site(p->file.elf, function, frees, &after);
	*ret_at_call = site;
	if (after && elf_file_offset(p->file.elf, after, ret_after))
		*ret_after = 0;
	if (elf_file_offset(p->file.elf, site ? site : function, &offset))
		return 0;
	return offset;
}

int python_probe_info(struct python *p, struct python_probe_info *ret, struct fault *f)
{
	const struct py_layout *l = &p->layout;
	struct elf_symbol s;
	bool at_call = false;
	uint64_t ignored;

	if (!p->has_tables ||
	    (p->has_layout && (!p->has_obmalloc || !allocator_is_pymalloc(p->id.allocator))))
		return fault_set(f, ENOTSUP, "pid %d: pymalloc is not in use", (int)p->target->pid);
	memset(ret, 0, sizeof(*ret));
	ret->arena_size = p->obmalloc.arena_bytes;
	ret->pool_size = p->obmalloc.pool_bytes;
	ret->ntimes_addr = p->obmalloc.ntimes;
	ret->narenas_addr = p->obmalloc.narenas;
	ret->obmalloc_addr = p->obmalloc.state;
	ret->interp_addr = p->obmalloc.state ? p->interp : 0;
	ret->layout = l;
	ret->pool_size_is_arg2 = PY_MINOR(p->id.version_hex) >= 0x030c;
	ret->file_fd = p->file.fd;
	ret->dev = p->file.dev;
	ret->inode = p->file.inode;
	ret->file_name = p->file.name;
	ret->debug_wanted = elf_file_debug_wanted(p->file.elf);
	/* The arena allocator is called through this table alone, so it is never inlined, and its
	 * address needs no symbol. */
	if (p->allocators.arena) {
		ret->arena_alloc_offset =
			arena_site(p, p->allocators.arena + l->arena_allocator_alloc, false,
				   &at_call, &ret->arena_mapped_offset);
		ret->arena_free_offset = arena_site(
			p, p->allocators.arena + l->arena_allocator_free, true, &at_call, &ignored);
		ret->free_size_is_arg2 = at_call;
	}
	if (!elf_file_symbol(p->file.elf, "allocate_from_new_pool", &s))
		elf_file_offset(p->file.elf, s.value, &ret->new_pool_offset);
	return 0;
}
