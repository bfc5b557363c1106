/* SPDX-License-Identifier: MIT */
/* Faults and notes, as a person reads them on stderr. */
#include "cmd/cmd.h"

#include "base/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int report_fault(const struct fault *f)
{
	fflush(stdout);
	fprintf(stderr, "pymemtrace-bpf: %s\n", f->text);
	if (f->hint[0])
		fprintf(stderr, "hint: %s\n", f->hint);
	return EXIT_FAILED;
}

int report_printed(int err)
{
	if (!err && !fflush(stdout) && !ferror(stdout))
		return EXIT_OK;
	fprintf(stderr, "pymemtrace-bpf: cannot write standard output: %s\n", strerror(errno));
	return EXIT_FAILED;
}

void report_note(const struct options *o, const char *fmt, ...)
{
	va_list ap;

	if (o->quiet)
		return;
	fflush(stdout);
	fputs("pymemtrace-bpf: note: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}
