/* SPDX-License-Identifier: MIT */
/*
 * The JSON Schema (draft 2020-12) of every document. The members of records follow from the field
 * tables; the nesting repeats json.c and json_report.c, and a unit test holds the two together.
 */
#include "output/json.h"

#include "output/tables.h"

static void add(json_t *object_schema, const char *name, json_t *value)
{
	json_object_set_new(json_object_get(object_schema, "properties"), name, value);
	json_array_append_new(json_object_get(object_schema, "required"), json_string(name));
}

static void add_optional(json_t *object_schema, const char *name, json_t *value)
{
	json_object_set_new(json_object_get(object_schema, "properties"), name, value);
}

static json_t *ref(const char *name)
{
	return json_pack("{s:s+}", "$ref", "#/$defs/", name);
}

static json_t *or_null(json_t *schema)
{
	return json_pack("{s:[o,{s:s}]}", "anyOf", schema, "type", "null");
}

static json_t *array_of(json_t *items)
{
	return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *integer(const char *help)
{
	return json_pack("{s:s, s:s}", "type", "integer", "description", help);
}

static json_t *object(void)
{
	return json_pack("{s:s, s:{}, s:[]}", "type", "object", "properties", "required");
}

static void merge(json_t *object_schema, const struct field_table *t, bool required)
{
	json_t *rows = fields_schema(t);

	json_object_update(json_object_get(object_schema, "properties"),
			   json_object_get(rows, "properties"));
	if (required)
		json_array_extend(json_object_get(object_schema, "required"),
				  json_object_get(rows, "required"));
	json_decref(rows);
}

static json_t *document(const char *kind)
{
	json_t *o = object();

	add(o, "schema", json_pack("{s:s}", "const", JSON_SCHEMA_NAME));
	add(o, "kind", json_pack("{s:s}", "const", kind));
	return o;
}

static json_t *stats_schema(void)
{
	json_t *pymalloc = object(), *o = object();

	merge(pymalloc, &stats_sizes_table, true);
	merge(pymalloc, &stats_table, true);
	add(pymalloc, "object_mallocs",
	    or_null(integer("calls of the allocator, with debug hooks of 3.6 and 3.7")));
	add(pymalloc, "classes", array_of(fields_schema(&class_table)));
	add(pymalloc, "arena_map", or_null(fields_schema(&arena_map_table)));
	add(o, "pymalloc", or_null(pymalloc));
	add(o, "free_lists", array_of(fields_schema(&free_list_table)));
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
	json_t *o = object();

	merge(pymalloc, &stats_sizes_table, true);
	add(pymalloc, "classes", array_of(changes(&class_table)));
	json_object_del(json_object_get(json_object_get(lists, "properties"), "count"), "minimum");
	json_object_set_new(json_object_get(json_object_get(lists, "properties"), "count"),
			    "description", json_string("change of the number of objects"));
	add(o, "pymalloc", or_null(pymalloc));
	add(o, "free_lists", array_of(lists));
	return o;
}

static json_t *snapshot_schema(void)
{
	json_t *o = document("snapshot");

	merge(o, &snapshot_table, true);
	add(o, "process", ref("process"));
	add(o, "python", ref("python"));
	add(o, "rss", ref("rss"));
	add(o, "losses", fields_schema(&losses_table));
	add(o, "stats", or_null(ref("stats")));
	return o;
}

static json_t *state_schema(void)
{
	json_t *o = document("state");

	add(o, "time_ns", integer("since 1970 UTC"));
	add(o, "process", ref("process"));
	add(o, "python", ref("python"));
	add(o, "rss", ref("rss"));
	add(o, "outside_pymalloc_min_bytes",
	    or_null(integer("anonymous memory outside pymalloc's arenas, at least")));
	add(o, "stats", or_null(ref("stats")));
	add(o, "health", ref("health"));
	return o;
}

static json_t *change_schema(void)
{
	json_t *o = document("change");

	merge(o, &change_table, true);
	add(o, "rss_before", ref("rss"));
	add(o, "rss_after", ref("rss"));
	add(o, "rss_change", ref("rss"));
	merge(o, &arena_events_table, false);
	merge(o, &arena_state_table, false);
	add_optional(o, "pools_taken_events", integer("pools taken, counted (gross)"));
	add_optional(o, "pools_taken_by_class", array_of(integer("of size class 0, 1, ...")));
	add_optional(o, "pools_taken_other",
		     integer("by interpreters with an allocator of their own"));
	add_optional(o, "pools_net_from_state", integer("pools in use now less before (net)"));
	add(o, "stats_change", or_null(ref("stats_change")));
	add(o, "health", ref("health"));
	return o;
}

static json_t *list_schema(void)
{
	json_t *o = document("list");

	add(o, "processes", array_of(fields_schema(&list_table)));
	add(o, "denied", integer("processes that may not be looked at"));
	return o;
}

static json_t *diff_schema(void)
{
	json_t *o = document("diff");

	add_optional(o, "rss_change", ref("rss"));
	add(o, "stats_change", ref("stats_change"));
	return o;
}

static json_t *health_schema(void)
{
	json_t *o = document("health");

	add(o, "health", ref("health"));
	return o;
}

static json_t *doctor_schema(void)
{
	json_t *o = document("doctor");

	add(o, "features", array_of(fields_schema(&feature_table)));
	add(o, "ok",
	    json_pack("{s:s, s:s}", "type", "boolean", "description", "stat can fully work here"));
	return o;
}

json_t *json_schema(void)
{
	json_t *defs =
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "process",
			  fields_schema(&process_table), "python", fields_schema(&python_table),
			  "rss", fields_schema(&rss_table), "health", fields_schema(&health_table),
			  "stats", stats_schema(), "stats_change", stats_change_schema());
	json_t *kinds =
		json_pack("[o, o, o, o, o, o, o]", snapshot_schema(), diff_schema(), state_schema(),
			  change_schema(), health_schema(), list_schema(), doctor_schema());

	return json_pack("{s:s, s:s, s:o, s:o}", "$schema",
			 "https://json-schema.org/draft/2020-12/schema", "title", JSON_SCHEMA_NAME,
			 "oneOf", kinds, "$defs", defs);
}
