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

/* What the target chose, escaped and cut where it would fill the screen. */
void head_print_text(FILE *out, const char *s);
/* "# pid 4242  python3 app.py  CPython 3.12.1", of a document; NULL and "" are left out */
void head_print_watched(FILE *out, int pid, const char *command, const char *python);
/* "# 2023-11-15 12:00:00 to 12:01:00, 60.0 s", without the end of the line; ns since 1970 */
void head_print_span(FILE *out, int64_t begin_ns, int64_t end_ns);
/* "# pymemtrace-bpf 0.1.0, host": a line of its own */
void head_print_program(FILE *out, const char *program, const char *host);
/* A line of its own, where the kernel passes changes of RSS on in batches. */
void head_print_batched(FILE *out, uint32_t page_bytes);

#endif
