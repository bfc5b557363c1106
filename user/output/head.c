/* SPDX-License-Identifier: MIT */
#include "output/head.h"

#include "base/text.h"
#include "model/snapshot.h"

#include <inttypes.h>
#include <string.h>

#define MAX_COMMAND 200 /* columns of a header that the target chooses */

void head_print_text(FILE *out, const char *s)
{
	char text[MAX_COMMAND];

	text_escape(text, sizeof(text), s, strlen(s));
	fprintf(out, "%s%s", text, strlen(s) >= sizeof(text) ? "..." : "");
}

void head_print_watched(FILE *out, int pid, const char *command, const char *python)
{
	fprintf(out, "# pid %d", pid);
	if (command && *command) {
		fputs("  ", out);
		head_print_text(out, command);
	}
	if (python && *python) {
		fputs("  ", out);
		head_print_text(out, python);
	}
}

void head_print_process(FILE *out, const struct process_id *id)
{
	head_print_watched(out, id->pid, id->cmdline && *id->cmdline ? id->cmdline : id->comm,
			   NULL);
}

/* "256 KiB", "1 MiB": arenas are whole units */
static void print_arena_size(FILE *out, uint64_t bytes)
{
	if (bytes % (1 << 20) == 0)
		fprintf(out, "%" PRIu64 " MiB", bytes >> 20);
	else if (bytes % (1 << 10) == 0)
		fprintf(out, "%" PRIu64 " KiB", bytes >> 10);
	else
		fprintf(out, "%" PRIu64 " B", bytes);
}

void head_print_python(FILE *out, const struct python_id *py, uint64_t arena_bytes)
{
	char version[24];

	if (!py->version_hex) {
		fputs("  Python of unknown version", out);
		return;
	}
	fprintf(out, "  CPython %s", python_version_text(version, py->version_hex));
	if (py->free_threaded)
		fputs(" free-threaded", out);
	if (py->debug_build)
		fputs(" debug build", out);
	fprintf(out, ", %s",
		py->allocator == ALLOCATOR_UNKNOWN ? "allocator not known"
						   : allocator_name(py->allocator));
	if (arena_bytes) {
		fputs(", arenas of ", out);
		print_arena_size(out, arena_bytes);
	}
	if (py->tracemalloc)
		fputs(", tracemalloc on", out);
}

void head_print_layout(FILE *out, const struct python_id *py)
{
	char layout[sizeof(py->layout)];

	if (py->layout[0] && !py->layout_measured)
		fprintf(out, "# layout of %s\n",
			text_escape(layout, sizeof(layout), py->layout,
				    strnlen(py->layout, sizeof(py->layout))));
}

void head_print_span(FILE *out, int64_t begin_ns, int64_t end_ns)
{
	char begin[32], end[32];

	fprintf(out, "# %s to %s, %.1f s", text_clock(begin, begin_ns, true),
		text_clock(end, end_ns, false), ((double)end_ns - (double)begin_ns) / 1e9);
}

void head_print_program(FILE *out, const char *program, const char *host)
{
	fputs("# ", out);
	head_print_text(out, program);
	fputs(*host ? ", " : "", out);
	head_print_text(out, host);
	fputc('\n', out);
}

void head_print_batched(FILE *out, uint32_t page_bytes)
{
	char size[24];

	fprintf(out, "# this kernel counts RSS in steps of 64 pages (%s) per thread and kind\n",
		text_size(size, 64 * (int64_t)page_bytes, false));
}
