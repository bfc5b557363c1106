/* SPDX-License-Identifier: MIT */
/*
 * Sites until 3.10, where each execution of a function is one call of _PyEval_EvalFrameDefault().
 */
#include <linux/types.h>

#include "python/call_sites.h"

#include "base/fault.h"
#include "target/elf.h"

#include <errno.h>

int py_find_function_sites(const struct elf_file *elf, uint32_t version_hex,
			   struct python_call_info *ret, struct fault *f)
{
	return fault_set(f, ENOTSUP, "%s: not yet", elf_file_name(elf));
}
