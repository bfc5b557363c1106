/* SPDX-License-Identifier: MIT */
/* The schemas of kinds "explanation" and "explanation_diff"; the nesting repeats json_explain*.c. */
#include "output/json_schema.h"

#include "model/explanation.h"
#include "model/verdict.h"
#include "output/tables.h"

typedef const char *name_of(int i);

static const char *kind_name(int k)
{
	return memory_kind_name((enum memory_kind)k);
}

static const char *group_name(int g)
{
	return memory_group_name((enum memory_group)g);
}

static const char *sentence_name(int f)
{
	return finding_name((enum finding)f);
}

static const char *cure_name(int r)
{
	return remedy_name((enum remedy)r);
}

/* A word of a record is one of nr names. */
static void restrict_to(json_t *record, const char *member, name_of *name, int nr)
{
	json_t *names = json_array(),
	       *v = json_object_get(json_object_get(record, "properties"), member);

	for (int i = 0; i < nr; i++)
		json_array_append_new(names, json_string(name(i)));
	json_object_set_new(v, "type", json_string("string"));
	json_object_set_new(v, "enum", names);
}

static void restrict_row(json_t *record)
{
	restrict_to(record, "kind", kind_name, MEMORY_KINDS);
	restrict_to(record, "group", group_name, MEMORY_GROUPS);
}

static json_t *groups_schema(const char *help)
{
	json_t *o = schema_object();

	for (int g = 0; g < MEMORY_GROUPS; g++)
		schema_add(o, group_name(g), schema_integer(help));
	return o;
}

static json_t *verdict_schema(void)
{
	json_t *o = schema_object(), *sentence = fields_schema(&finding_table),
	       *cure = fields_schema(&remedy_table);

	restrict_to(sentence, "finding", sentence_name, FINDINGS);
	restrict_to(cure, "remedy", cure_name, REMEDIES);
	schema_add(o, "sentences", schema_array_of(sentence));
	schema_add(o, "remedies", schema_array_of(cure));
	return o;
}

json_t *schema_explanation(void)
{
	json_t *o = schema_document("explanation"), *row = fields_schema(&explanation_row_table),
	       *pools = fields_schema(&pool_stats_table);

	schema_merge(o, &explanation_table, true);
	schema_merge(o, &explanation_why_table, true);
	schema_add(o, "process", schema_ref("process"));
	schema_add(o, "python", schema_ref("python"));
	schema_add(o, "kernel", fields_schema(&explanation_kernel_table));
	schema_add(o, "groups", groups_schema("bytes of its rows"));
	restrict_row(row);
	schema_add(o, "rows", schema_array_of(row));
	schema_add(pools, "fills",
		   schema_array_of(schema_integer(
			   "pools in use, by tenths of their blocks that are in use")));
	schema_add(o, "pools", schema_or_null(pools));
	schema_add(o, "heap", schema_or_null(fields_schema(&heap_table)));
	schema_add(o, "cgroup", schema_or_null(fields_schema(&cgroup_table)));
	schema_add(o, "verdict", schema_or_null(verdict_schema()));
	return o;
}

/* Of a table the rows that json_set_changes() takes. */
static json_t *changes(const struct field_table *t)
{
	json_t *o = schema_object();

	for (size_t i = 0; i < t->nr; i++)
		if (t->rows[i].type == FIELD_U64)
			schema_add(o, t->rows[i].name, schema_integer(t->rows[i].help));
	return o;
}

json_t *schema_explanation_diff(void)
{
	json_t *o = schema_document("explanation_diff"),
	       *row = fields_schema(&explanation_change_table);

	schema_merge(o, &explanation_diff_table, true);
	schema_add(o, "process", schema_ref("process"));
	schema_add(o, "groups_change", groups_schema("change of the bytes of its rows"));
	restrict_row(row);
	schema_add(o, "rows_change", schema_array_of(row));
	schema_add(o, "kernel_change", changes(&explanation_kernel_table));
	schema_add(o, "pools_change", schema_or_null(changes(&pool_stats_table)));
	schema_add(o, "heap_change", schema_or_null(changes(&heap_table)));
	return o;
}
