/* SPDX-License-Identifier: MIT */
/*
 * The difference of two explanations as a document:
 *
 *	{"schema": "pymemtrace-bpf/1", "kind": "explanation_diff", "same_process": true,
 *	 "begin_ns": ..., "end_ns": ..., "process": {"pid": 4242, ...},
 *	 "resident_bytes": 78154752, "resident_change_bytes": 2863104,
 *	 "groups_change": {"pymalloc": 2863104, "heap": 0, ...},
 *	 "rows_change": [{"kind": "py_free", "group": "pymalloc", "name": "",
 *			  "before_bytes": 63614080, "after_bytes": 66481280, ...}],
 *	 "kernel_change": {"swap_bytes": 4096, ...}, "pools_change": null, "heap_change": null}
 *
 * rows_change and groups_change each sum up to resident_change_bytes. Members of the ..._change of kernel,
 * pools and heap are called as in the explanation; null: one of the two has none.
 */
#include "output/json_explain.h"

#include "model/explanation.h"
#include "output/json.h"
#include "output/json_record.h"
#include "output/tables.h"

#include <stdlib.h>

static int64_t change(uint64_t before, uint64_t after)
{
	return (int64_t)(after - before);
}

static json_t *row_json(const struct explanation_change *c)
{
	const struct explanation_change_record r = {
		.kind = memory_kind_name(c->kind),
		.group = memory_group_name(memory_kind_group(c->kind)),
		.name = c->name,
		.before = c->before,
		.after = c->after,
		.change = change(c->before, c->after),
	};

	return json_record(&explanation_change_table, &r);
}

static json_t *changes_json(const struct field_table *t, const void *a, const void *b)
{
	json_t *o = json_object();

	return json_checked(o, json_set_changes(o, t, a, b));
}

static json_t *groups_json(const int64_t *sums)
{
	json_t *o = json_object();
	int err = 0;

	for (int g = 0; g < MEMORY_GROUPS; g++)
		err |= json_object_set_new(o, memory_group_name((enum memory_group)g),
					   json_integer(sums[g]));
	return json_checked(o, err);
}

static int set_rows(json_t *o, const struct explanation *a, const struct explanation *b)
{
	int64_t sums[MEMORY_GROUPS] = {0};
	struct explanation_change *v = NULL;
	json_t *rows = json_array();
	size_t nr = 0;
	int err = explanation_changes(a, b, &v, &nr);

	for (size_t i = 0; i < nr; i++) {
		sums[memory_kind_group(v[i].kind)] += change(v[i].before, v[i].after);
		err |= json_array_append_new(rows, row_json(&v[i]));
	}
	free(v);
	err |= json_object_set_new(o, "groups_change", groups_json(sums));
	err |= json_object_set_new(o, "rows_change", rows);
	return err;
}

json_t *json_explanation_diff(const struct explanation *a, const struct explanation *b)
{
	const struct explanation_diff_record r = {
		.same_process = explanation_same_process(a, b),
		.approximate = a->approximate || b->approximate,
		.begin_ns = a->time_ns,
		.end_ns = b->time_ns,
		.resident = b->total,
		.change = change(a->total, b->total),
	};
	const struct heap_record p = {.stats = a->heap}, q = {.stats = b->heap};
	json_t *o = json_document("explanation_diff");
	int err = !o || fields_to_json(o, &explanation_diff_table, &r);

	err |= json_object_set_new(o, "process", json_record(&process_table, &b->process));
	err = err || set_rows(o, a, b);
	err |= json_object_set_new(o, "kernel_change",
				   changes_json(&explanation_kernel_table, &a->kernel, &b->kernel));
	err |= json_object_set_new(o, "pools_change",
				   a->has_pools && b->has_pools
					   ? changes_json(&pool_stats_table, &a->pools, &b->pools)
					   : json_null());
	err |= json_object_set_new(o, "heap_change",
				   a->has_heap && b->has_heap ? changes_json(&heap_table, &p, &q)
							      : json_null());
	return json_checked(o, err);
}
