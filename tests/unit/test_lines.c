/* SPDX-License-Identifier: MIT */
/*
 * Line tables against what interpreters of every minor version found in them themselves, for every
 * instruction (tests/tools/record_lines.py; other records: test_lines FILE.gz...), and damaged ones.
 */
#include "base/cleanup.h"
#include "python/lines.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#define MAX_FIXTURES 64
#define MAX_LINE     (64u << 20)

struct record {
	enum line_format format;
	int32_t first_line;
	long code_bytes;
	uint8_t *table;
	size_t nr;
	int32_t *lines; /* of every second byte */
};

static void cleanup_gz(gzFile *f)
{
	if (*f)
		gzclose(*f);
}

/* "code NAME FIRST_LINE SIZE HEX" */
static void read_code(char *text, struct record *r)
{
	char *save = NULL, *word = strtok_r(text, " \n", &save);

	assert_string_equal(word, "code");
	assert_non_null(strtok_r(NULL, " \n", &save));
	r->first_line = (int32_t)strtol(strtok_r(NULL, " \n", &save), NULL, 10);
	r->code_bytes = strtol(strtok_r(NULL, " \n", &save), NULL, 10);
	word = strtok_r(NULL, " \n", &save);
	r->nr = strcmp(word, "-") ? strlen(word) / 2 : 0;
	/* exactly as long as the table: valgrind and ASan notice a byte read past it */
	r->table = malloc(r->nr ? r->nr : 1);
	for (size_t i = 0; i < r->nr; i++) {
		char hex[3] = {word[2 * i], word[2 * i + 1], 0};

		r->table[i] = (uint8_t)strtoul(hex, NULL, 16);
	}
}

/* "lines 0+12 2+1*3 4-", see record_lines.py */
static void read_truth(char *text, struct record *r)
{
	char *save = NULL, *word = strtok_r(text, " \n", &save);
	int32_t line = 0, now = 0;
	long at = 0, filled = 0;

	assert_string_equal(word, "lines");
	r->lines = calloc((size_t)r->code_bytes / 2 + 1, sizeof(*r->lines));
	while ((word = strtok_r(NULL, " \n", &save))) {
		char *end;
		long step = strtol(word, &end, 10), delta = 0, times = 1;
		bool none = !strcmp(end, "-") || !strncmp(end, "-*", 2);

		if (none)
			end++;
		else
			delta = strtol(end, &end, 10);
		if (*end == '*')
			times = strtol(end + 1, &end, 10);
		assert_int_equal(*end, 0);
		while (times--) {
			at += step;
			assert_true(at >= filled && at < r->code_bytes);
			for (; filled < at; filled += 2)
				r->lines[filled / 2] = now;
			line += (int32_t)delta;
			now = none ? 0 : line;
		}
	}
	for (; filled < r->code_bytes; filled += 2)
		r->lines[filled / 2] = now;
}

/* As much as BPF copies: what it tells must be true, and it must tell of what it covers. */
static long compare_head(const struct record *r, size_t head)
{
	long told = 0;

	for (long at = 0; at < r->code_bytes; at += 2) {
		int32_t line =
			code_line_of_head(r->format, r->table, head, r->first_line, (int32_t)at);

		if (line) {
			assert_int_equal(line, r->lines[at / 2]);
			told++;
		}
	}
	return told;
}

/* Of the longest every 17th: each look-up reads the table from its start. */
static long compare(const struct record *r)
{
	long step = r->nr > 8192 ? 17 : 1, nr = 0;

	for (long at = 0; at < r->code_bytes; at += 2 * step, nr++) {
		int32_t got = code_line(r->format, r->table, r->nr, r->first_line, (int32_t)at);

		if (got != r->lines[at / 2])
			fail_msg("first line %d, byte %ld of %ld: line %d, expected %d",
				 r->first_line, at, r->code_bytes, got, r->lines[at / 2]);
	}
	assert_int_equal(code_line(r->format, r->table, r->nr, r->first_line, -2), r->first_line);
	return nr;
}

static void lines_are_the_interpreters_own(void **state)
{
	const char *path = *state;
	_cleanup_(cleanup_gz) gzFile in = gzopen(path, "rbe");
	_cleanup_free_ char *text = malloc(MAX_LINE);
	struct record r = {0};
	long instructions = 0, tables = 0, heads = 0;
	uint32_t version;

	assert_non_null(in);
	assert_non_null(gzgets(in, text, MAX_LINE));
	assert_int_equal(sscanf(text, "version %x", &version), 1);
	r.format = line_format_of(version);
	while (gzgets(in, text, MAX_LINE)) {
		read_code(text, &r);
		assert_non_null(gzgets(in, text, MAX_LINE));
		read_truth(text, &r);
		instructions += compare(&r);
		if (r.nr > 1024)
			heads += compare_head(&r, 1024);
		tables++;
		free(r.table);
		free(r.lines);
	}
	print_message("# %s: %ld tables, %ld instructions\n", path, tables, instructions);
	assert_true(tables > 150 && instructions > 30000 && heads > 500);
}

static void formats_by_version(void **state)
{
	assert_int_equal(line_format_of(0x03060ff0), LINES_LNOTAB);
	assert_int_equal(line_format_of(0x030912f0), LINES_LNOTAB);
	assert_int_equal(line_format_of(0x030a0df0), LINES_LINETABLE);
	assert_int_equal(line_format_of(0x030b00a7), LINES_LOCATIONS);
	assert_int_equal(line_format_of(0x030f02f0), LINES_LOCATIONS);
	assert_int_equal(lasti_unit_of(0x030912f0), 1);
	assert_int_equal(lasti_unit_of(0x030a0df0), 2);
	assert_int_equal(lasti_unit_of(0x030b00f0), 1);
}

struct damaged {
	enum line_format format;
	const char *table;
	size_t n;
	int32_t first_line, lasti, line;
};

#define TABLE(t) t, sizeof(t) - 1

static void damaged_tables(void **state)
{
	static const struct damaged rows[] = {
		/* nothing there: lnotab has no end, the others have */
		{LINES_LNOTAB, TABLE(""), 7, 100, 7},
		{LINES_LINETABLE, TABLE(""), 7, 0, 0},
		{LINES_LOCATIONS, TABLE(""), 7, 0, 0},
		/* half an entry */
		{LINES_LNOTAB, TABLE("\x02"), 7, 4, 7},
		{LINES_LINETABLE, TABLE("\x02"), 7, 0, 0},
		{LINES_LOCATIONS, TABLE("\xe8"), 7, 0, 0}, /* a line without its number */
		{LINES_LOCATIONS, TABLE("\xe8\x7f\x7f"), 7, 0, 0},
		/* a number that does not end within 32 bits */
		{LINES_LOCATIONS, TABLE("\xe8\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x3f"), 7, 0, 0},
		{LINES_LOCATIONS, TABLE("\xe8\x42\x40\x40\x40\x40\x40\x00"), 7, 0, 0},
		/* no entry begins so */
		{LINES_LOCATIONS, TABLE("\x28\x80"), 7, 0, 0},
		/* lines that no file has */
		{LINES_LNOTAB, TABLE("\x00\x80\x00\x80"), 100, 0, 0},
		{LINES_LINETABLE, TABLE("\x02\x81"), 100, 0, 0},
		{LINES_LINETABLE, TABLE("\x02\x7f"), INT32_MAX, 0, 0},
		{LINES_LOCATIONS, TABLE("\xe8\x43\x06"), 10, 0, 0},
		{LINES_LNOTAB, TABLE(""), -5, -1, 0},
		{LINES_LOCATIONS, TABLE("\x80\x00"), 0, 0, 0},
		/* the columns are missing: nobody needs them */
		{LINES_LOCATIONS, TABLE("\xd8"), 7, 0, 8},
		/* past the end */
		{LINES_LINETABLE, TABLE("\x02\x01"), 7, INT32_MAX, 0},
		{LINES_LOCATIONS, TABLE("\x87\x00"), 7, INT32_MAX, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct damaged *d = &rows[i];
		_cleanup_free_ uint8_t *exact = malloc(d->n ? d->n : 1);
		int32_t line;

		memcpy(exact, d->table, d->n);
		line = code_line(d->format, exact, d->n, d->first_line, d->lasti);
		if (line != d->line)
			fail_msg("row %zu: line %d, expected %d", i, line, d->line);
	}
}

/* What is cut away may have said otherwise: of lnotab's last line nothing is known. */
static void head_of_a_table(void **state)
{
	const uint8_t t[] = {2, 1, 4, 1, 6, 1};

	assert_int_equal(code_line(LINES_LNOTAB, t, 6, 1, 100), 4);
	assert_int_equal(code_line_of_head(LINES_LNOTAB, t, 6, 1, 100), 0);
	assert_int_equal(code_line_of_head(LINES_LNOTAB, t, 4, 1, 5), 2);
	assert_int_equal(code_line_of_head(LINES_LNOTAB, t, 4, 1, 6), 0);
	assert_int_equal(code_line_of_head(LINES_LNOTAB, t, 5, 1, 6), 0);
	assert_int_equal(code_line_of_head(LINES_LINETABLE, t, 4, 1, 5), 3);
	assert_int_equal(code_line_of_head(LINES_LINETABLE, t, 4, 1, 6), 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[3 + MAX_FIXTURES] = {
		cmocka_unit_test(formats_by_version),
		cmocka_unit_test(damaged_tables),
		cmocka_unit_test(head_of_a_table),
	};
	size_t nr = 3;
	glob_t found = {0};
	int status;

	if (argc == 1 && glob("tests/fixtures/lines/*.gz", 0, NULL, &found))
		return 1;
	for (int i = 1; i < argc; i++)
		glob(argv[i], GLOB_APPEND, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc && i < MAX_FIXTURES; i++, nr++) {
		tests[nr].name = found.gl_pathv[i];
		tests[nr].test_func = lines_are_the_interpreters_own;
		tests[nr].initial_state = found.gl_pathv[i];
	}
	status = _cmocka_run_group_tests("lines", tests, nr, NULL, NULL);
	globfree(&found);
	return status || nr < 13;
}
