/* SPDX-License-Identifier: MIT */
/*
 * Where functions are entered and left in one process: since 3.11 in the handlers of a few opcodes,
 * until 3.10 in _PyEval_EvalFrameDefault() itself (eval_function.c).
 */
#include "python/internal.h"

#include "base/fault.h"
#include "python/call_sites.h"

#include <errno.h>
#include <string.h>

#define V(minor) (0x0300 | (minor))

int py_call_site_add(const struct elf_file *elf, struct python_call_info *info, unsigned int role,
		     const char *name, const struct eval_site *site)
{
	struct python_call_site *s = &info->sites[info->nr_sites];
	uint64_t offset;

	if (elf_file_offset(elf, site->addr, &offset))
		return -EFAULT;
	for (uint32_t i = 0; i < info->nr_sites; i++)
		if (info->sites[i].offset == offset)
			return 0;
	if (info->nr_sites == PYTHON_MAX_SITES)
		return -E2BIG;
	*s = (struct python_call_site){
		.role = role,
		.offset = offset,
		.name = name,
		.emulated = site->emulated,
		.shared = site->shared,
		.length = site->length,
	};
	memcpy(s->bytes, site->bytes, sizeof(s->bytes));
	info->nr_sites++;
	return 0;
}

static int unsupported(const struct python *p, struct fault *f, const char *why)
{
	return fault_set(f, ENOTSUP, "pid %d: calls of its %s cannot be seen: %s",
			 (int)p->target->pid, p->file.name, why);
}

static bool knows_holder(const struct python *p)
{
	if (PY_MINOR(p->id.version_hex) < V(12))
		return true;
	return p->layout.interp_gil != PY_NONE && p->layout.gil_last_holder != PY_NONE;
}

/* Since 3.12; 0 while there is no GIL. */
static uint64_t find_holder(struct python *p)
{
	uint64_t gil;

	if (mem_read_u64(p->mem, p->interp + p->layout.interp_gil, &gil) || !gil)
		return 0;
	return gil + p->layout.gil_last_holder;
}

/* Since 3.14, in all builds; the interpreter decides late in its start. */
static bool jit_is_on(struct python *p)
{
	uint8_t on;

	return p->layout.interp_jit != PY_NONE &&
	       !mem_read(p->mem, p->interp + p->layout.interp_jit, &on, sizeof(on)) && on;
}

/*
 * 3.13 has its JIT's state elsewhere, and no release build has the JIT: what makes one ask for this
 * variable is the JIT alone.
 */
static bool may_have_jit(const struct python *p)
{
	return PY_MINOR(p->id.version_hex) == V(13) &&
	       elf_file_has_text(p->file.elf, ".rodata", "PYTHON_JIT");
}

static int find_sites(struct python *p, struct python_call_info *ret, struct fault *f)
{
	if (PY_MINOR(p->id.version_hex) >= V(11))
		return py_find_handler_sites(p->file.elf, p->id.version_hex, ret, f);
	return py_find_function_sites(p->file.elf, p->id.version_hex, ret, f);
}

int python_call_info(struct python *p, struct python_call_info *ret, struct fault *f)
{
	int err;

	memset(ret, 0, sizeof(*ret));
	if (p->id.free_threaded)
		return unsupported(
			p, f, "it is free-threaded, each thread runs its own copy of the code");
	if (!p->has_tables || !knows_holder(p))
		return unsupported(p, f, "no layout describes it");
	if (may_have_jit(p))
		return unsupported(p, f, "it was built with a JIT, which may be on");
	ret->file_fd = p->file.fd;
	ret->dev = p->file.dev;
	ret->inode = p->file.inode;
	ret->file_name = p->file.name;
	/* what __init__() of a class and its like begin and end with is code of the interpreter's */
	if (PY_MINOR(p->id.version_hex) >= V(13)) {
		ret->shims_start = p->file.start;
		ret->shims_end = p->file.end;
	}
	err = find_sites(p, ret, f);
	if (err)
		return err;
	if (PY_MINOR(p->id.version_hex) < V(12))
		ret->holder_addr = py_tstate_current(p);
	err = py_locate_interpreter(p, f);
	if (err)
		return err;
	if (jit_is_on(p)) {
		unsupported(p, f, "its JIT is on: what it compiles passes no entry or exit");
		fault_hint(f, "PYTHON_JIT=0 in its environment turns the JIT off");
		return -ENOTSUP;
	}
	if (PY_MINOR(p->id.version_hex) >= V(12))
		ret->holder_addr = find_holder(p);
	if (!ret->holder_addr)
		return fault_set(f, EAGAIN, "pid %d: the interpreter is still starting",
				 (int)p->target->pid);
	return 0;
}
