/* SPDX-License-Identifier: MIT */
/* The schema of kind "profile"; the nesting repeats json_profile.c. */
#include "output/json_schema.h"

#include "model/profile.h"
#include "output/tables.h"

/* Of each event that was recorded. */
static json_t *by_event(const char *definition)
{
	json_t *o = schema_object();

	for (int e = 0; e < PROFILE_EVENTS; e++)
		schema_add_optional(o, profile_event_name(e), schema_ref(definition));
	return o;
}

static json_t *causes_schema(void)
{
	json_t *o = schema_object();

	for (int c = 0; c < PROFILE_CAUSES; c++)
		schema_add(o, profile_cause_name(c), schema_ref("growth"));
	return o;
}

static json_t *attribution_schema(void)
{
	json_t *o = schema_object();

	schema_add(o, "seen_bytes",
		   schema_integer("growth less shrinkage; of rss, the change of RSS"));
	schema_add(o, "attributed_bytes", schema_integer("of it put down to functions"));
	schema_add(o, "unattributed_bytes", schema_integer("sum of causes"));
	schema_add(o, "attributed", schema_ref("growth"));
	schema_add(o, "causes", schema_ref("causes"));
	return o;
}

void schema_profile_definitions(json_t *defs)
{
	json_object_set_new(defs, "growth", fields_schema(&profile_change_table));
	json_object_set_new(defs, "causes", causes_schema());
	json_object_set_new(defs, "attribution", attribution_schema());
	json_object_set_new(defs, "function", fields_schema(&function_table));
}

static json_t *stack_schema(void)
{
	json_t *o = schema_object();

	schema_add(o, "truncated",
		   json_pack("{s:s, s:s}", "type", "boolean", "description",
			     "there were more frames, towards the root"));
	schema_add(
		o, "frames",
		schema_array_of(schema_array_of(schema_integer(
			"index in function_names, then the line, 0: not known; the leaf first"))));
	return o;
}

json_t *schema_profile(void)
{
	json_t *o = schema_document("profile"), *process = schema_object();

	schema_merge(o, &profile_table, true);
	schema_add(o, "events", schema_array_of(json_pack("{s:s}", "type", "string")));
	schema_merge(process, &profile_process_table, true);
	schema_add(process, "causes", by_event("causes"));
	schema_add(o, "processes", schema_array_of(process));
	schema_add(o, "attribution", by_event("attribution"));
	schema_add(o, "functions", schema_array_of(schema_ref("function")));
	schema_add(o, "function_names", schema_array_of(fields_schema(&function_name_table)));
	schema_add(o, "threads", schema_array_of(fields_schema(&profile_thread_table)));
	schema_add(o, "stacks", schema_array_of(stack_schema()));
	schema_add(o, "rows", schema_array_of(fields_schema(&profile_row_table)));
	schema_add(o, "arenas", schema_array_of(fields_schema(&profile_arena_table)));
	return o;
}
