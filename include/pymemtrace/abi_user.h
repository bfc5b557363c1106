/* SPDX-License-Identifier: MIT */
/* abi.h for user space: the fixed-width types first. */
#ifndef PYMEMTRACE_ABI_USER_H
#define PYMEMTRACE_ABI_USER_H

#include <linux/types.h>

#include "pymemtrace/abi.h"

#endif
