/* SPDX-License-Identifier: MIT */
#include "output/head.h"

#include "base/text.h"
#include "model/snapshot.h"

#include <inttypes.h>
#include <string.h>

#define MAX_COMMAND 200 /* columns of a header that the target chooses */

void head_print_process(FILE *out, const struct process_id *id)
{
	const char *s = id->cmdline && *id->cmdline ? id->cmdline : id->comm;
	char text[MAX_COMMAND];

	fprintf(out, "# pid %d", id->pid);
	if (!s)
		return;
	text_escape(text, sizeof(text), s, strlen(s));
	fprintf(out, "  %s%s", text, strlen(s) >= sizeof(text) ? "..." : "");
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
