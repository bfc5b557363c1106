/* SPDX-License-Identifier: MIT */
/*
 * What call_info.c and the two ways to find its sites share.
 */
#ifndef PMT_PYTHON_CALL_SITES_H
#define PMT_PYTHON_CALL_SITES_H

#include "python/eval_sites.h"
#include "python/python.h"

/* Adds one, unless its instruction is there already. -E2BIG, -EFAULT: not in the file. */
int py_call_site_add(const struct elf_file *elf, struct python_call_info *info, unsigned int role,
		     const char *name, const struct eval_site *site);

/* 3.11 and later: fills sites, ops and clears. ENOTSUP */
int py_find_handler_sites(const struct elf_file *elf, uint32_t version_hex,
			  struct python_call_info *ret, struct fault *f);

/* Until 3.10: fills sites and frame_arg. ENOTSUP */
int py_find_function_sites(const struct elf_file *elf, uint32_t version_hex,
			   struct python_call_info *ret, struct fault *f);

#endif
