/* SPDX-License-Identifier: MIT */
/* The lines of a log of calls, as text and as JSON. Strings are escaped already. */
#ifndef PMT_OUTPUT_CALL_LOG_LINE_H
#define PMT_OUTPUT_CALL_LOG_LINE_H

#include <stddef.h>
#include <stdint.h>

/* cPyMemTrace has room for 1023 bytes of each; paths may be longer. */
#define CALL_FUNCTION_BYTES 1024
#define CALL_FILE_BYTES	    4096
/* any line: JSON makes two bytes of a backslash or a quote, all else is printable */
#define CALL_LINE_BYTES (2 * (CALL_FUNCTION_BYTES + CALL_FILE_BYTES) + 1024)

struct call_line {
	uint64_t nr;
	int64_t change; /* of nr, from the line before */
	int64_t cpu_us;
	const char *what; /* "CALL" */
	const char *function, *file;
	int32_t line;
	int64_t rss, rss_change; /* bytes */
	const char *message;	 /* else NULL; then nothing below cpu_us counts */
};

/* SOF and HDR. All return the length. */
size_t call_line_header(char buf[static CALL_LINE_BYTES]);

/* kind: "FRST", "NEXT", "PREV", "MSG", "LAST" */
size_t call_line_text(char buf[static CALL_LINE_BYTES], const char *kind,
		      const struct call_line *l);

/* 0: no memory. */
size_t call_line_json(char buf[static CALL_LINE_BYTES], const char *kind,
		      const struct call_line *l);

#endif
