/* SPDX-License-Identifier: MIT */
#ifndef PMT_PYTHON_X86_NAME_H
#define PMT_PYTHON_X86_NAME_H

#include <stddef.h>
#include <stdint.h>

/* "jnz"; "?" of what is no instruction. A string that stays. */
const char *x86_name(const uint8_t *bytes, size_t length);

#endif
