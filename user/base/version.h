/* SPDX-License-Identifier: MIT */
/* The version of the program, in --version and in what it writes. */
#ifndef PMT_BASE_VERSION_H
#define PMT_BASE_VERSION_H

#define PROGRAM_VERSION "pymemtrace-bpf 0.1.0"

#endif
