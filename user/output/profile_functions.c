/* SPDX-License-Identifier: MIT */
/* Turns the flat table of the model into records, and sorts them by any column. */
#include "output/profile_functions.h"

#include "base/cleanup.h"
#include "output/tables.h"

#include <errno.h>
#include <string.h>

static char unnamed[] = "?";

static int name_function(struct function_record *r, const struct profile_function *f)
{
	switch (f->kind) {
	case PROFILE_PYTHON:
		r->function = *f->name ? f->name : unnamed;
		return 0;
	case PROFILE_NATIVE:
		if (asprintf(&r->owned, "<native: %s>", f->name) < 0) {
			r->owned = NULL;
			return -ENOMEM;
		}
		r->function = r->owned;
		return 0;
	case PROFILE_UNNAMED:
		break;
	}
	r->function = unnamed;
	return 0;
}

static int fill(struct function_record *r, const struct profile *p, enum profile_event e,
		const struct profile_flat_row *from)
{
	const struct profile_function *f = &p->functions[from->function];

	*r = (struct function_record){
		.file = *f->file ? f->file : NULL,
		.first_line = f->first_line > 0 ? f->first_line : -1,
		.hot_line = from->line > 0 ? from->line : -1,
		.self = profile_net(&from->self),
		.total = profile_net(&from->total),
		.self_change = from->self,
		.total_change = from->total,
		.error = e == PROFILE_RSS ? profile_error(p, from->self.events) : 0,
		.at = from->function,
	};
	snprintf(r->event, sizeof(r->event), "%s", profile_event_name(e));
	return name_function(r, f);
}

/* Equal ones keep an order: that of their total, then that in which they were first seen. */
static int compare(const void *x, const void *y, void *arg)
{
	const struct function_record *a = x, *b = y;
	const struct field *sort = arg;
	int64_t s = llabs(a->self), t = llabs(b->self);
	int order = sort ? fields_compare(sort, a, b) : s < t ? 1 : s > t ? -1 : 0;

	if (order)
		return order;
	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

int function_records_new(const struct profile *p, const struct profile_select *s,
			 const struct field *sort, struct function_records **ret)
{
	struct function_records *r = calloc(1, sizeof(*r));
	struct profile_flat *flat = NULL;
	int err = r ? profile_flat_new(p, s, &flat) : -ENOMEM;

	if (!err) {
		r->rows = calloc(flat->nr_rows + 1, sizeof(*r->rows));
		err = r->rows ? 0 : -ENOMEM;
	}
	while (!err && r->nr < flat->nr_rows) {
		err = fill(&r->rows[r->nr], p, s->event, &flat->rows[r->nr]);
		r->nr++;
	}
	profile_flat_free(flat);
	if (err) {
		function_records_free(r);
		return err;
	}
	if (r->nr)
		qsort_r(r->rows, r->nr, sizeof(*r->rows), compare, (void *)sort);
	*ret = r;
	return 0;
}

void function_records_free(struct function_records *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->nr; i++)
		free(r->rows[i].owned);
	free(r->rows);
	free(r);
}
