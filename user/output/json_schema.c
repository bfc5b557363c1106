/* SPDX-License-Identifier: MIT */
/*
 * The JSON Schema (draft 2020-12) of every document. The members of records follow from the field
 * tables; the nesting repeats json.c and json_report.c, and a unit test holds the two together. The
 * schemas of profiles, calls and explanations are in json_schema_profile.c, ..._calls.c, ..._explain.c.
 */
#include "output/json_schema.h"

#include "output/json.h"
#include "output/tables.h"

void schema_add(json_t *object_schema, const char *name, json_t *value)
{
	json_object_set_new(json_object_get(object_schema, "properties"), name, value);
	json_array_append_new(json_object_get(object_schema, "required"), json_string(name));
}

void schema_add_optional(json_t *object_schema, const char *name, json_t *value)
{
	json_object_set_new(json_object_get(object_schema, "properties"), name, value);
}

json_t *schema_ref(const char *name)
{
	return json_pack("{s:s+}", "$ref", "#/$defs/", name);
}

json_t *schema_or_null(json_t *schema)
{
	return json_pack("{s:[o,{s:s}]}", "anyOf", schema, "type", "null");
}

json_t *schema_array_of(json_t *items)
{
	return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

json_t *schema_integer(const char *help)
{
	return json_pack("{s:s, s:s}", "type", "integer", "description", help);
}

json_t *schema_object(void)
{
	return json_pack("{s:s, s:{}, s:[]}", "type", "object", "properties", "required");
}

void schema_merge(json_t *object_schema, const struct field_table *t, bool required)
{
	json_t *rows = fields_schema(t);

	json_object_update(json_object_get(object_schema, "properties"),
			   json_object_get(rows, "properties"));
	if (required)
		json_array_extend(json_object_get(object_schema, "required"),
				  json_object_get(rows, "required"));
	json_decref(rows);
}

json_t *schema_document(const char *kind)
{
	json_t *o = schema_object();

	schema_add(o, "schema", json_pack("{s:s}", "const", JSON_SCHEMA_NAME));
	schema_add(o, "kind", json_pack("{s:s}", "const", kind));
	return o;
}

static json_t *stats_schema(void)
{
	json_t *pymalloc = schema_object(), *o = schema_object();

	schema_merge(pymalloc, &stats_sizes_table, true);
	schema_merge(pymalloc, &stats_table, true);
	schema_add(pymalloc, "object_mallocs",
		   schema_or_null(schema_integer(
			   "calls of the allocator, with debug hooks of 3.6 and 3.7")));
	schema_add(pymalloc, "classes", schema_array_of(fields_schema(&class_table)));
	schema_add(pymalloc, "arena_map", schema_or_null(fields_schema(&arena_map_table)));
	schema_add(o, "pymalloc", schema_or_null(pymalloc));
	schema_add(o, "free_lists", schema_array_of(fields_schema(&free_list_table)));
	return o;
}

/* The rows that json.c turns into b - a lose their minimum. */
static json_t *changes(const struct field_table *t)
{
	json_t *o = fields_schema(t), *properties = json_object_get(o, "properties");

	for (size_t i = 0; i < t->nr; i++)
		if (t->rows[i].type == FIELD_U64)
			json_object_del(json_object_get(properties, t->rows[i].name), "minimum");
	return o;
}

static json_t *stats_change_schema(void)
{
	json_t *pymalloc = changes(&stats_table), *lists = fields_schema(&free_list_table);
	json_t *o = schema_object();

	schema_merge(pymalloc, &stats_sizes_table, true);
	schema_add(pymalloc, "classes", schema_array_of(changes(&class_table)));
	json_object_del(json_object_get(json_object_get(lists, "properties"), "count"), "minimum");
	json_object_set_new(json_object_get(json_object_get(lists, "properties"), "count"),
			    "description", json_string("change of the number of objects"));
	schema_add(o, "pymalloc", schema_or_null(pymalloc));
	schema_add(o, "free_lists", schema_array_of(lists));
	return o;
}

static json_t *snapshot_schema(void)
{
	json_t *o = schema_document("snapshot");

	schema_merge(o, &snapshot_table, true);
	schema_add(o, "process", schema_ref("process"));
	schema_add(o, "python", schema_ref("python"));
	schema_add(o, "rss", schema_ref("rss"));
	schema_add(o, "losses", fields_schema(&losses_table));
	schema_add(o, "stats", schema_or_null(schema_ref("stats")));
	return o;
}

static json_t *state_schema(void)
{
	json_t *o = schema_document("state");

	schema_add(o, "time_ns", schema_integer("since 1970 UTC"));
	schema_add(o, "process", schema_ref("process"));
	schema_add(o, "python", schema_ref("python"));
	schema_add(o, "rss", schema_ref("rss"));
	schema_add(o, "outside_pymalloc_min_bytes",
		   schema_or_null(
			   schema_integer("anonymous memory outside pymalloc's arenas, at least")));
	schema_add(o, "stats", schema_or_null(schema_ref("stats")));
	schema_add(o, "health", schema_ref("health"));
	return o;
}

static json_t *change_schema(void)
{
	json_t *o = schema_document("change");

	schema_merge(o, &change_table, true);
	schema_add(o, "rss_before", schema_ref("rss"));
	schema_add(o, "rss_after", schema_ref("rss"));
	schema_add(o, "rss_change", schema_ref("rss"));
	schema_merge(o, &arena_events_table, false);
	schema_merge(o, &arena_state_table, false);
	schema_add_optional(o, "pools_taken_events",
			    schema_integer("pools taken, counted (gross)"));
	schema_add_optional(o, "pools_taken_by_class",
			    schema_array_of(schema_integer("of size class 0, 1, ...")));
	schema_add_optional(o, "pools_taken_other",
			    schema_integer("by interpreters with an allocator of their own"));
	schema_add_optional(o, "pools_net_from_state",
			    schema_integer("pools in use now less before (net)"));
	schema_add(o, "stats_change", schema_or_null(schema_ref("stats_change")));
	schema_add(o, "health", schema_ref("health"));
	schema_add_optional(o, "functions", schema_array_of(schema_ref("function")));
	schema_add_optional(o, "attribution", schema_ref("attribution"));
	return o;
}

static json_t *list_schema(void)
{
	json_t *o = schema_document("list");

	schema_add(o, "processes", schema_array_of(fields_schema(&list_table)));
	schema_add(o, "denied", schema_integer("processes that may not be looked at"));
	return o;
}

static json_t *diff_schema(void)
{
	json_t *o = schema_document("diff");

	schema_add_optional(o, "rss_change", schema_ref("rss"));
	schema_add(o, "stats_change", schema_ref("stats_change"));
	return o;
}

static json_t *health_schema(void)
{
	json_t *o = schema_document("health");

	schema_add(o, "health", schema_ref("health"));
	return o;
}

static json_t *doctor_schema(void)
{
	json_t *o = schema_document("doctor");

	schema_add(o, "features", schema_array_of(fields_schema(&feature_table)));
	schema_add(o, "ok",
		   json_pack("{s:s, s:s}", "type", "boolean", "description",
			     "stat can fully work here"));
	return o;
}

json_t *json_schema(void)
{
	json_t *defs =
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "process",
			  fields_schema(&process_table), "python", fields_schema(&python_table),
			  "rss", fields_schema(&rss_table), "health", fields_schema(&health_table),
			  "stats", stats_schema(), "stats_change", stats_change_schema());
	json_t *kinds = json_pack("[o, o, o, o, o, o, o, o, o, o, o]", snapshot_schema(),
				  diff_schema(), state_schema(), change_schema(), health_schema(),
				  list_schema(), doctor_schema(), schema_profile(), schema_calls(),
				  schema_explanation(), schema_explanation_diff());

	schema_profile_definitions(defs);
	return json_pack("{s:s, s:s, s:o, s:o}", "$schema",
			 "https://json-schema.org/draft/2020-12/schema", "title", JSON_SCHEMA_NAME,
			 "oneOf", kinds, "$defs", defs);
}
