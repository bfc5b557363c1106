/* SPDX-License-Identifier: MIT */
/* The schema of kind "calls"; the nesting repeats json_calls.c. */
#include "output/json_schema.h"

#include "output/tables.h"

json_t *schema_calls(void)
{
	json_t *o = schema_document("calls"), *process = schema_object(), *function;

	schema_merge(o, &calls_table, true);
	schema_add(o, "losses", fields_schema(&call_losses_table));
	schema_merge(process, &call_process_table, true);
	schema_add(process, "left_out", schema_ref("growth"));
	schema_add(process, "causes", schema_ref("causes"));
	schema_add(o, "processes", schema_array_of(process));
	function = fields_schema(&call_function_table);
	schema_add(function, "largest",
		   json_pack("{s:[s,s], s:s}", "type", "integer", "null", "description",
			     "net bytes of the one call that grew most; null: none has ended"));
	schema_add(o, "functions", schema_array_of(function));
	schema_add(o, "sites", schema_array_of(fields_schema(&call_site_table)));
	return o;
}
