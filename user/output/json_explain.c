/* SPDX-License-Identifier: MIT */
/*
 * An explanation as a document. Members come from the field tables; here is only how they nest:
 *
 *	{"schema": "pymemtrace-bpf/1", "kind": "explanation", "resident_bytes": 75291648, ...,
 *	 "process": {"pid": 4242, ...}, "python": {...}, "kernel": {"vm_rss_bytes": 75291648, ...},
 *	 "groups": {"pymalloc": 65376256, "heap": 1403904, ...},
 *	 "rows": [{"kind": "py_free", "group": "pymalloc", "name": "", "bytes": 63614080, ...}],
 *	 "pools": {..., "fills": [3900, 42, ...]}, "heap": {...}, "cgroup": {...},
 *	 "verdict": {"sentences": [{"finding": "pools_pinned", ...}], "remedies": [{...}]}}
 *
 * rows and groups each sum up to resident_bytes. pools, heap, cgroup and verdict may be null.
 */
#include "output/json_explain.h"

#include "base/cleanup.h"
#include "model/explanation.h"
#include "model/verdict.h"
#include "output/json.h"
#include "output/json_record.h"
#include "output/tables.h"

static json_t *groups_json(const struct explanation *e)
{
	uint64_t sums[MEMORY_GROUPS] = {0};
	json_t *o = json_object();
	int err = 0;

	for (size_t i = 0; i < e->nr_rows; i++)
		sums[memory_kind_group(e->rows[i].kind)] += e->rows[i].bytes;
	for (int g = 0; g < MEMORY_GROUPS; g++)
		err |= json_object_set_new(o, memory_group_name((enum memory_group)g),
					   json_integer((json_int_t)sums[g]));
	return json_checked(o, err);
}

static json_t *rows_json(const struct explanation *e)
{
	json_t *array = json_array();
	char none[] = "";
	int err = 0;

	for (size_t i = 0; i < e->nr_rows; i++) {
		struct explanation_row_record r = {.row = e->rows[i]};

		snprintf(r.kind, sizeof(r.kind), "%s", memory_kind_name(r.row.kind));
		snprintf(r.group, sizeof(r.group), "%s",
			 memory_group_name(memory_kind_group(r.row.kind)));
		if (!r.row.name)
			r.row.name = none;
		err |= json_array_append_new(array, json_record(&explanation_row_table, &r));
	}
	return json_checked(array, err);
}

static json_t *pools_json(const struct pool_stats *p)
{
	json_t *o = json_record(&pool_stats_table, p), *fills = json_array();
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(p->fills); i++)
		err |= json_array_append_new(fills, json_integer((json_int_t)p->fills[i]));
	err |= json_object_set_new(o, "fills", fills);
	return json_checked(o, err);
}

static json_t *heap_json(const struct heap_stats *h)
{
	struct heap_record r = {.stats = *h};

	r.why_not = r.stats.why_not;
	return json_record(&heap_table, &r);
}

static json_t *verdict_json(const struct verdict *v)
{
	json_t *o = json_object(), *sentences = json_array(), *remedies = json_array();
	int err = 0;

	for (size_t i = 0; i < v->nr_sentences; i++) {
		struct verdict_record r = {.bytes = v->sentences[i].bytes,
					   .text = (char *)v->sentences[i].text};

		snprintf(r.name, sizeof(r.name), "%s", finding_name(v->sentences[i].finding));
		err |= json_array_append_new(sentences, json_record(&finding_table, &r));
	}
	for (size_t i = 0; i < v->nr_remedies; i++) {
		struct verdict_record r = {.bytes = v->remedies[i].bytes,
					   .exact = v->remedies[i].exact,
					   .text = (char *)v->remedies[i].text};

		snprintf(r.name, sizeof(r.name), "%s", remedy_name(v->remedies[i].remedy));
		err |= json_array_append_new(remedies, json_record(&remedy_table, &r));
	}
	err |= json_object_set_new(o, "sentences", sentences);
	err |= json_object_set_new(o, "remedies", remedies);
	return json_checked(o, err);
}

json_t *json_explanation(const struct explanation *e, const struct verdict *v)
{
	const struct explanation_why_record why = {
		.approximate = (char *)e->approximate_why,
		.pools = (char *)e->pools_why,
		.heap = (char *)e->heap_why,
		.library_mallocs = (char *)e->library_mallocs,
	};
	json_t *o = json_document("explanation");
	int err = !o || fields_to_json(o, &explanation_table, e);

	err = err || fields_to_json(o, &explanation_why_table, &why);
	err |= json_object_set_new(o, "process", json_record(&process_table, &e->process));
	err |= json_object_set_new(o, "python", json_record(&python_table, &e->python));
	err |= json_object_set_new(o, "kernel", json_record(&explanation_kernel_table, &e->kernel));
	err |= json_object_set_new(o, "groups", groups_json(e));
	err |= json_object_set_new(o, "rows", rows_json(e));
	err |= json_object_set_new(o, "pools", e->has_pools ? pools_json(&e->pools) : json_null());
	err |= json_object_set_new(o, "heap", e->has_heap ? heap_json(&e->heap) : json_null());
	err |= json_object_set_new(o, "cgroup",
				   e->cgroup.version ? json_record(&cgroup_table, &e->cgroup)
						     : json_null());
	err |= json_object_set_new(o, "verdict", v ? verdict_json(v) : json_null());
	return json_checked(o, err);
}
