/* SPDX-License-Identifier: MIT */
/* Files below tests/fixtures, and output caught in memory. Tests run in the project's directory. */
#ifndef PMT_TESTS_FIXTURE_H
#define PMT_TESTS_FIXTURE_H

#include "base/cleanup.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The whole file, with a NUL behind it. The caller frees it. */
static inline char *fixture_read(const char *name, size_t *ret_len)
{
	char path[512];
	char *text = calloc(1, 1 << 20);
	size_t len;
	FILE *in;

	snprintf(path, sizeof(path), "tests/fixtures/%s", name);
	in = fopen(path, "re");
	if (!in || !text)
		fail_msg("cannot read %s", path);
	len = fread(text, 1, (1 << 20) - 1, in);
	fclose(in);
	assert_true(len < (1 << 20) - 1);
	if (ret_len)
		*ret_len = len;
	return text;
}

/* What a printer wrote: FILE *out = catch_open(&c); print(out, ...); text = catch_text(&c). */
struct catch
{
	FILE *out;
	char *text;
	size_t len;
};

static inline FILE *catch_open(struct catch *c)
{
	c->text = NULL;
	c->out = open_memstream(&c->text, &c->len);
	assert_non_null(c->out);
	return c->out;
}

static inline char *catch_text(struct catch *c)
{
	fclose(c->out);
	assert_non_null(c->text);
	return c->text;
}

#endif
