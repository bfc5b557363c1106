/* SPDX-License-Identifier: MIT */
/* The order of functions in a table of calls: by any figure that JSON has of them. */
#include "model/calls_index.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum column_type { COLUMN_SELF, COLUMN_COUNT, COLUMN_BYTES, COLUMN_SMALL, COLUMN_TEXT };

/* name, as in JSON; type; member of struct call_function */
#define COLUMNS(X)                                \
	X("self", COLUMN_SELF, growth)            \
	X("total", COLUMN_BYTES, total)           \
	X("largest", COLUMN_BYTES, largest)       \
	X("calls", COLUMN_COUNT, calls)           \
	X("resumes", COLUMN_COUNT, resumes)       \
	X("returns", COLUMN_COUNT, returns)       \
	X("yields", COLUMN_COUNT, yields)         \
	X("unwinds", COLUMN_COUNT, unwinds)       \
	X("lost", COLUMN_COUNT, lost)             \
	X("open", COLUMN_COUNT, open)             \
	X("growth", COLUMN_BYTES, growth)         \
	X("shrink", COLUMN_BYTES, shrink)         \
	X("arenas", COLUMN_COUNT, arenas)         \
	X("pools", COLUMN_COUNT, pools)           \
	X("self_ns", COLUMN_COUNT, self_ns)       \
	X("total_ns", COLUMN_COUNT, total_ns)     \
	X("name", COLUMN_TEXT, name)              \
	X("file", COLUMN_TEXT, file)              \
	X("first_line", COLUMN_SMALL, first_line) \
	X("pid", COLUMN_SMALL, pid)

struct column {
	enum column_type type;
	size_t offset;
};

#define COLUMN(name_, type_, member_) {type_, offsetof(struct call_function, member_)},
#define NAME(name_, type_, member_)   name_,

static const struct column columns[] = {COLUMNS(COLUMN)};
const char *const calls_columns[] = {COLUMNS(NAME) NULL};

#define VALUE(type, f, column) (*(const type *)((const char *)(f) + (column)->offset))
#define ORDER(a, b)	       ((a) < (b) ? -1 : (a) > (b))

static int compare_by(const struct column *by, const struct call_function *a,
		      const struct call_function *b)
{
	switch (by->type) {
	case COLUMN_SELF:
		return ORDER(calls_self(b), calls_self(a));
	case COLUMN_COUNT:
		return ORDER(VALUE(uint64_t, b, by), VALUE(uint64_t, a, by));
	case COLUMN_BYTES:
		return ORDER(VALUE(int64_t, b, by), VALUE(int64_t, a, by));
	case COLUMN_SMALL:
		return ORDER(VALUE(int32_t, b, by), VALUE(int32_t, a, by));
	case COLUMN_TEXT:
		return strcmp(VALUE(char *, a, by), VALUE(char *, b, by));
	}
	return 0;
}

/* No two are equal: the order is the same whatever it was before. */
static int compare(const void *x, const void *y, void *by)
{
	const struct call_function *a = x, *b = y;
	int order = compare_by(by, a, b);

	order = order ? order : strcmp(a->name, b->name);
	order = order ? order : strcmp(a->file, b->file);
	order = order ? order : ORDER(a->first_line, b->first_line);
	return order ? order : ORDER(a->pid, b->pid);
}

int calls_sort(struct calls *c, const char *column)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (strcmp(calls_columns[i], column) != 0)
			continue;
		calls_index_drop(&c->index->functions);
		c->index->sorted = true;
		if (c->nr_functions)
			qsort_r(c->functions, c->nr_functions, sizeof(*c->functions), compare,
				(void *)&columns[i]);
		return 0;
	}
	return -EINVAL;
}
