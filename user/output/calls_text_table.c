/* SPDX-License-Identifier: MIT */
/* The table of functions in the text of `calls` (calls_text.h). */
#include "output/calls_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/profile_tree.h"
#include "output/profile_label.h"
#include "output/table.h"

#include <string.h>

#define MAX_NAME 80 /* one long name must not make the table wide */

enum kind { PID, SELF, NET, GROSS, COUNT, TIME, NAME, PLACE };

/* When a column is there at all; but for those that always are, only if somebody has a figure in it. */
enum when { ALWAYS, IF_ANY, SEVERAL, TIMED, VERBOSE, EXITS /* verbose, and exits were watched */ };

static const struct column {
	const char *heading;
	enum kind kind;
	size_t offset; /* in struct call_function */
	enum when when;
} columns[] = {
#define COLUMN(heading_, kind_, member_, when_)                                 \
	{                                                                       \
		heading_, kind_, offsetof(struct call_function, member_), when_ \
	}
	COLUMN("pid", PID, pid, SEVERAL),
	COLUMN("self", SELF, growth, ALWAYS),
	COLUMN("grew", GROSS, growth, VERBOSE),
	COLUMN("shrank", GROSS, shrink, VERBOSE),
	COLUMN("total", NET, total, ALWAYS),
	COLUMN("largest", NET, largest, ALWAYS),
	COLUMN("calls", COUNT, calls, ALWAYS),
	COLUMN("resumes", COUNT, resumes, IF_ANY),
	COLUMN("returns", COUNT, returns, EXITS),
	COLUMN("yields", COUNT, yields, EXITS),
	COLUMN("unwinds", COUNT, unwinds, EXITS),
	COLUMN("lost", COUNT, lost, VERBOSE),
	COLUMN("open", COUNT, open, VERBOSE),
	COLUMN("arenas", COUNT, arenas, IF_ANY),
	COLUMN("pools", COUNT, pools, IF_ANY),
	COLUMN("self time", TIME, self_ns, TIMED),
	COLUMN("total time", TIME, total_ns, TIMED),
	COLUMN("function", NAME, name, ALWAYS),
	COLUMN("file", PLACE, file, ALWAYS),
};

#define VALUE(type, f, column) (*(const type *)((const char *)(f) + (column)->offset))

static bool nothing_happened(const struct call_function *f)
{
	return !f->growth && !f->shrink && !f->total && !f->calls && !f->resumes && !f->arenas &&
	       !f->pools;
}

/* "640 ns", "12.3 us", "4.5 ms", "67.8 s"; "": none. Returns buf. */
static char *time_text(char buf[static 32], uint64_t ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	double v = (double)ns;
	unsigned int u = 0;

	buf[0] = 0;
	while (v >= 999.95 && u < ARRAY_SIZE(units) - 1) {
		v /= 1000;
		u++;
	}
	if (ns)
		snprintf(buf, 32, "%.*f %s", u ? 1 : 0, v, units[u]);
	return buf;
}

static char *count_text(char buf[static 32], uint64_t n)
{
	buf[0] = 0;
	return n ? text_thousands(buf, (int64_t)min(n, (uint64_t)INT64_MAX), false) : buf;
}

/* A name that is too long ends in "..." */
static char *name_text(char *buf, size_t size, const struct profile_function *f)
{
	char whole[PROFILE_LABEL_SIZE];

	profile_function_label(whole, sizeof(whole), f);
	profile_function_label(buf, size - 3, f);
	if (strcmp(whole, buf) != 0)
		strcat(buf, "...");
	return buf;
}

/* What a column says of a function, "" where there is nothing to say. Returns buf. */
static char *cell_text(char buf[static PROFILE_LABEL_SIZE], const struct column *column,
		       const struct call_function *f)
{
	const struct profile_function named = {.name = f->name, .file = f->file};
	int64_t bytes;

	buf[0] = 0;
	switch (column->kind) {
	case PID:
		snprintf(buf, 32, "%d", f->pid);
		break;
	case SELF: /* "0 B": as much came as went */
		return f->growth || f->shrink ? text_net(buf, calls_self(f)) : buf;
	case NET: /* INT64_MIN: none has ended */
		bytes = VALUE(int64_t, f, column);
		return bytes && bytes != INT64_MIN ? text_net(buf, bytes) : buf;
	case GROSS:
		return text_gross(buf, VALUE(int64_t, f, column));
	case COUNT:
		return count_text(buf, VALUE(uint64_t, f, column));
	case TIME:
		return time_text(buf, VALUE(uint64_t, f, column));
	case NAME:
		return name_text(buf, MAX_NAME, &named);
	case PLACE:
		return profile_place_label(buf, PROFILE_LABEL_SIZE, &named, f->first_line);
	}
	return buf;
}

static bool is_wanted(enum when when, const struct calls *c, const struct calls_text_options *o)
{
	switch (when) {
	case SEVERAL:
		return c->nr_processes > 1;
	case TIMED:
		return c->timed;
	case VERBOSE:
		return o->verbose;
	case EXITS:
		return o->verbose && c->exits;
	case ALWAYS:
	case IF_ANY:
		break;
	}
	return true;
}

/* Has one of the first nr_rows functions in which something happened a figure there? */
static bool is_used(const struct column *column, const struct calls *c, size_t nr_rows)
{
	char buf[PROFILE_LABEL_SIZE];

	for (size_t i = 0; i < c->nr_functions && nr_rows; i++) {
		if (nothing_happened(&c->functions[i]))
			continue;
		if (*cell_text(buf, column, &c->functions[i]))
			return true;
		nr_rows--;
	}
	return false;
}

static int print_rows(FILE *out, const struct calls *c, const struct calls_text_options *o,
		      size_t nr_rows)
{
	const struct column *shown[ARRAY_SIZE(columns)];
	char buf[PROFILE_LABEL_SIZE];
	struct table t = {0};
	size_t nr = 0;
	int err;

	for (size_t k = 0; k < ARRAY_SIZE(columns); k++) {
		const struct column *column = &columns[k];

		if (!is_wanted(column->when, c, o) ||
		    (column->when != ALWAYS && !is_used(column, c, nr_rows)))
			continue;
		shown[nr++] = column;
		table_column(&t, column->heading, column->kind < NAME);
	}
	for (size_t i = 0; i < c->nr_functions && nr_rows; i++) {
		if (nothing_happened(&c->functions[i]))
			continue;
		for (size_t k = 0; k < nr; k++)
			table_cell(&t, cell_text(buf, shown[k], &c->functions[i]));
		nr_rows--;
	}
	err = table_print(out, &t, 0, true);
	table_done(&t);
	return err;
}

/* The rest is a line of the account, so that both together are all that functions did. */
static void sum_up(const struct calls *c, uint64_t top, struct calls_text_sums *ret)
{
	*ret = (struct calls_text_sums){0};
	for (size_t i = 0; i < c->nr_functions; i++) {
		const struct call_function *f = &c->functions[i];
		const struct profile_change change = {.growth = f->growth, .shrink = f->shrink};

		if (nothing_happened(f))
			continue;
		if (ret->nr_shown < top) {
			profile_sum(&ret->shown, &change);
			ret->nr_shown++;
		} else {
			profile_sum(&ret->more, &change);
			ret->nr_more++;
		}
	}
}

int calls_text_table(FILE *out, const struct calls *c, const struct calls_text_options *o,
		     struct calls_text_sums *ret)
{
	int err;

	sum_up(c, o->top, ret);
	if (!ret->nr_shown)
		return 0;
	fprintf(out, "\nby function, %zu of %zu, sorted by %s\n", ret->nr_shown,
		ret->nr_shown + ret->nr_more, o->sort ? o->sort : calls_columns[0]);
	err = print_rows(out, c, o, ret->nr_shown);
	if (ret->nr_more)
		fprintf(out, "(%zu more: --top all)\n", ret->nr_more);
	return err;
}
