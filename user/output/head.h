/* SPDX-License-Identifier: MIT */
/* What first lines have in common: which process, which Python. */
#ifndef PMT_OUTPUT_HEAD_H
#define PMT_OUTPUT_HEAD_H

#include <stdint.h>
#include <stdio.h>

struct process_id;
struct python_id;

/* "# pid 4242  python3 app.py", without the end of the line */
void head_print_process(FILE *out, const struct process_id *id);
/* "  CPython 3.12.1, pymalloc, arenas of 1 MiB", likewise; arena_bytes 0: not known */
void head_print_python(FILE *out, const struct python_id *py, uint64_t arena_bytes);
/* A line of its own, where the layout was not measured on this very release. */
void head_print_layout(FILE *out, const struct python_id *py);

#endif
