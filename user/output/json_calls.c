/* SPDX-License-Identifier: MIT */
/*
 * A table of calls as a document. Each object's members come from its field table; here is only how they
 * nest:
 *
 *	{"schema": "pymemtrace-bpf/1", "kind": "calls", "begin_ns": ..., "entries": 3412208, ...,
 *	 "losses": {"unread": 0, ...},
 *	 "processes": [{"pid": 4242, ..., "left_out": {"growth_bytes": ...},
 *			"causes": {"no_thread": {"growth_bytes": ...}, ...}}],
 *	 "functions": [{"pid": 4242, "name": "Loader.load", "self": 12582912, ..., "largest": null}],
 *	 "sites": [{"name": "RESUME_CHECK", "instruction": "jnz", "cost_ns": 640, ...}]}
 */
#include "output/json_calls.h"

#include "base/cleanup.h"
#include "output/json.h"
#include "output/json_record.h"
#include "output/tables.h"

#include <errno.h>

static json_t *process_json(const struct call_process *of)
{
	json_t *o = json_record(&call_process_table, of), *causes = json_object();
	int err = 0;

	for (int k = 0; k < PROFILE_CAUSES; k++)
		err |= json_object_set_new(causes, profile_cause_name(k),
					   json_record(&profile_change_table, &of->causes[k]));
	err |= json_object_set_new(o, "left_out",
				   json_record(&profile_change_table, &of->left_out));
	err |= json_object_set_new(o, "causes", causes);
	return json_checked(o, err);
}

static int64_t if_known(bool known, uint64_t n)
{
	return known ? (int64_t)min(n, (uint64_t)INT64_MAX) : -1;
}

static json_t *function_json(const struct calls *c, const struct call_function *f)
{
	const struct call_function_record r = {
		.f = *f,
		.name = *f->name ? f->name : NULL,
		.file = *f->file ? f->file : NULL,
		.first_line = f->first_line > 0 ? f->first_line : -1,
		.self = calls_self(f),
		.returns = if_known(c->exits, f->returns),
		.yields = if_known(c->exits, f->yields),
		.unwinds = if_known(c->exits, f->unwinds),
		.self_ns = if_known(c->timed, f->self_ns),
		.total_ns = if_known(c->timed, f->total_ns),
	};
	json_t *o = json_record(&call_function_table, &r);
	int err = json_object_set_new(
		o, "largest", f->largest == INT64_MIN ? json_null() : json_integer(f->largest));

	return json_checked(o, err);
}

static json_t *site_json(const struct call_site *s)
{
	const struct call_site_record r = {.site = *s, .cost_ns = if_known(s->cost_ns, s->cost_ns)};

	return json_record(&call_site_table, &r);
}

json_t *json_calls(const struct calls *c)
{
	json_t *processes = json_array(), *functions = json_array(), *sites = json_array();
	json_t *o = json_document("calls");
	int err = !o || fields_to_json(o, &calls_table, c);

	for (size_t i = 0; i < c->nr_processes; i++)
		err |= json_array_append_new(processes, process_json(&c->processes[i]));
	for (size_t i = 0; i < c->nr_functions; i++)
		err |= json_array_append_new(functions, function_json(c, &c->functions[i]));
	for (size_t i = 0; i < c->nr_sites; i++)
		err |= json_array_append_new(sites, site_json(&c->sites[i]));
	err |= json_object_set_new(o, "losses", json_record(&call_losses_table, c));
	err |= json_object_set_new(o, "processes", processes);
	err |= json_object_set_new(o, "functions", functions);
	err |= json_object_set_new(o, "sites", sites);
	return json_checked(o, err);
}

int calls_write_json(FILE *out, const struct calls *c)
{
	json_t *doc = json_calls(c);
	int err = json_write(out, doc, true);

	json_decref(doc);
	return err;
}
