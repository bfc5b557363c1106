/* SPDX-License-Identifier: MIT */
/* Tables of functions: in the text of `report`, and below each report of `stat`. */
#include "output/profile_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "output/fields.h"
#include "output/profile_functions.h"
#include "output/profile_label.h"
#include "output/profile_out.h"
#include "output/table.h"

#include <inttypes.h>
#include <string.h>

#define MAX_NAME 80 /* one long name must not make the table wide */

static void number_cell(struct table *t, int64_t n)
{
	char cell[32];

	table_cell(t, n > 0 ? text_thousands(cell, n, false) : "");
}

static void net_cell(struct table *t, const struct profile_change *c, int64_t net)
{
	char cell[32];

	table_cell(t, c->growth || c->shrink ? text_net(cell, net) : "");
}

static void gross_cell(struct table *t, int64_t bytes)
{
	char cell[32];

	table_cell(t, text_gross(cell, bytes));
}

/* line: that of the place */
static void name_cells(struct table *t, const struct profile *p, const struct function_record *r,
		       int64_t line)
{
	const struct profile_function *f = &p->functions[r->at];
	char label[PROFILE_LABEL_SIZE], name[MAX_NAME];

	profile_function_label(label, sizeof(label), f);
	profile_function_label(name, sizeof(name) - 3, f);
	if (strcmp(label, name) != 0)
		strcat(name, "...");
	table_cell(t, name);
	table_cell(t, profile_place_label(label, sizeof(label), f, (int32_t)line));
}

/* What a row of the report's table may have besides self and total. */
struct columns {
	bool shrank, error;
};

static void begin_table(struct table *t, const struct columns *c)
{
	table_column(t, "self", true);
	if (c->error)
		table_column(t, "± error", true);
	if (c->shrank) {
		table_column(t, "grew", true);
		table_column(t, "shrank", true);
	}
	table_column(t, "total", true);
	table_column(t, c->error ? "samples" : "events", true);
	table_column(t, "at line", true);
	table_column(t, "function", false);
	table_column(t, "file", false);
}

static void add_record(struct table *t, const struct columns *c, const struct profile *p,
		       const struct function_record *r)
{
	net_cell(t, &r->self_change, r->self);
	if (c->error)
		gross_cell(t, r->error);
	if (c->shrank) {
		gross_cell(t, r->self_change.growth);
		gross_cell(t, r->self_change.shrink);
	}
	net_cell(t, &r->total_change, r->total);
	number_cell(t, (int64_t)min(r->self_change.events, (uint64_t)INT64_MAX));
	number_cell(t, r->hot_line);
	name_cells(t, p, r, r->first_line);
}

/* The rest in one row: what is above, and this, is what is attributed to stacks. */
static void add_rest(struct table *t, const struct columns *c, const struct profile *p,
		     const struct function_records *rs, uint64_t from, enum profile_event e)
{
	struct profile_change sum = {0};
	char text[40];

	for (uint64_t i = from; i < rs->nr; i++)
		profile_sum(&sum, &rs->rows[i].self_change);
	net_cell(t, &sum, profile_net(&sum));
	if (c->error)
		gross_cell(t, e == PROFILE_RSS ? profile_error(p, sum.events) : 0);
	if (c->shrank) {
		gross_cell(t, sum.growth);
		gross_cell(t, sum.shrink);
	}
	table_cell(t, "");
	number_cell(t, (int64_t)min(sum.events, (uint64_t)INT64_MAX));
	table_cell(t, "");
	snprintf(text, sizeof(text), "(%" PRIu64 " more)", rs->nr - from);
	table_cell(t, text);
	table_cell(t, "");
}

static bool any_shrank(const struct function_records *rs)
{
	for (uint32_t i = 0; i < rs->nr; i++)
		if (rs->rows[i].self_change.shrink)
			return true;
	return false;
}

int profile_print_flat(FILE *out, const struct profile *p, const struct profile_select *s,
		       const struct profile_view *view)
{
	const struct field *sort = profile_sort_field(view->sort ? view->sort : "self");
	struct function_records *rs = NULL;
	struct table t = {0};
	struct columns c;
	uint64_t shown;
	int err = function_records_new(p, s, sort, &rs);

	if (err)
		return err;
	shown = min(view->top, (uint64_t)rs->nr);
	c = (struct columns){any_shrank(rs), !p->exact && s->event == PROFILE_RSS};
	begin_table(&t, &c);
	for (uint64_t i = 0; i < shown; i++)
		add_record(&t, &c, p, &rs->rows[i]);
	if (shown < rs->nr)
		add_rest(&t, &c, p, rs, shown, s->event);
	if (shown) {
		fprintf(out, "\n%s by function, %" PRIu64 " of %" PRIu32 ", sorted by %s\n",
			profile_event_title(s->event), shown, rs->nr, sort->name);
		err = table_print(out, &t, 0, true);
	}
	table_done(&t);
	function_records_free(rs);
	return err;
}

/* "+23.5 MiB seen, +22.0 MiB of it in functions; not: [no Python thread] +1.5 MiB" */
static void print_seen(FILE *out, const struct profile *p, const struct profile_select *s)
{
	struct profile_account a;
	struct profile_change seen;
	const char *between = "; not: ";
	char text[32];

	profile_account(p, s, &a);
	seen = a.attributed;
	profile_sum(&seen, &a.unattributed);
	if (!seen.growth && !seen.shrink)
		return;
	fprintf(out, "# by function: RSS %s seen, ", text_net(text, profile_net(&seen)));
	fprintf(out, "%s", text_net(text, profile_net(&a.attributed)));
	fputs(" of it in functions", out);
	for (int c = 0; c < PROFILE_CAUSES; c++) {
		if (!a.causes[c].growth && !a.causes[c].shrink)
			continue;
		fprintf(out, "%s%s %s", between, profile_cause_text(c),
			text_net(text, profile_net(&a.causes[c])));
		between = ", ";
	}
	fputs(p->batched ? "; in steps of 64 pages per thread and kind\n" : "\n", out);
}

int profile_print_functions(FILE *out, const struct profile *p, pid_t pid, uint64_t top)
{
	const struct profile_select s = {.event = PROFILE_RSS, .pid = pid};
	struct function_records *rs = NULL;
	struct table t = {0};
	int err = function_records_new(p, &s, NULL, &rs);

	if (err)
		return err;
	table_column(&t, "self", true);
	if (!p->exact)
		table_column(&t, "± error", true);
	table_column(&t, "total", true);
	table_column(&t, "function", false);
	table_column(&t, "file", false);
	for (uint32_t i = 0; i < rs->nr && top; i++) {
		const struct function_record *r = &rs->rows[i];

		/* callers have a total only: the callee's row says it */
		if (!r->self_change.growth && !r->self_change.shrink)
			continue;
		net_cell(&t, &r->self_change, r->self);
		if (!p->exact)
			gross_cell(&t, r->error);
		net_cell(&t, &r->total_change, r->total);
		name_cells(&t, p, r, r->hot_line > 0 ? r->hot_line : r->first_line);
		top--;
	}
	if (t.nr_cells)
		err = table_print(out, &t, 0, true);
	print_seen(out, p, &s);
	table_done(&t);
	function_records_free(rs);
	return err;
}
