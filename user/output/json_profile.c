/* SPDX-License-Identifier: MIT */
/*
 * A profile as a document. Each object's members come from its field table; here is only how they
 * nest:
 *
 *	{"schema": "pymemtrace-bpf/1", "kind": "profile", "begin_ns": ..., "events": ["rss"], ...,
 *	 "processes": [{"pid": 4242, ..., "causes": {"rss": {"no_thread": {"growth_bytes": ...}}}}],
 *	 "attribution": {"rss": {"seen_bytes": ..., "attributed": {...}, "causes": {...}}},
 *	 "functions": [{"event": "rss", "function": "Loader.load", "self_bytes": ...}, ...],
 *	 "function_names": [{"name": "Loader.load", ...}, ...], "threads": [{"tid": 4242, ...}],
 *	 "stacks": [{"truncated": false, "frames": [[2, 47], [1, 215], [0, 400]]}],
 *	 "rows": [{"event": "rss", "stack": 0, "thread": 0, "growth_bytes": ...}, ...],
 *	 "arenas": [{"address": ..., "stack": 0, ...}]}
 *
 * "functions" is what a table shows: self and total. "rows" is what was recorded: indices lead to
 * "stacks" and "threads", a frame is [index in function_names, line], the leaf first, line 0: not
 * known.
 */
#include "output/json_profile.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "output/json.h"
#include "output/profile_out.h"
#include "output/tables.h"

#include <errno.h>
#include <string.h>

static json_t *checked(json_t *o, int err)
{
	if (err) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *record_json(const struct field_table *t, const void *record)
{
	json_t *o = json_object();

	return checked(o, fields_to_json(o, t, record));
}

static json_t *causes_json(const struct profile_change *causes)
{
	json_t *o = json_object();
	int err = 0;

	for (int c = 0; c < PROFILE_CAUSES; c++)
		err |= json_object_set_new(o, profile_cause_name(c),
					   record_json(&profile_change_table, &causes[c]));
	return checked(o, err);
}

static json_t *process_json(const struct profile_process *of, unsigned int events)
{
	json_t *o = record_json(&profile_process_table, of), *causes = json_object();
	int err = 0;

	for (int e = 0; e < PROFILE_EVENTS; e++)
		if (events & 1u << e)
			err |= json_object_set_new(causes, profile_event_name(e),
						   causes_json(of->causes[e]));
	err |= json_object_set_new(o, "causes", causes);
	return checked(o, err);
}

static json_t *account_json(const struct profile *p, const struct profile_select *s)
{
	json_t *o = json_object();
	struct profile_account a;
	struct profile_change seen;
	int err;

	profile_account(p, s, &a);
	seen = a.attributed;
	profile_sum(&seen, &a.unattributed);
	err = json_object_set_new(o, "seen_bytes", json_integer(profile_net(&seen)));
	err |= json_object_set_new(o, "attributed_bytes", json_integer(profile_net(&a.attributed)));
	err |= json_object_set_new(o, "unattributed_bytes",
				   json_integer(profile_net(&a.unattributed)));
	err |= json_object_set_new(o, "attributed",
				   record_json(&profile_change_table, &a.attributed));
	err |= json_object_set_new(o, "causes", causes_json(a.causes));
	return checked(o, err);
}

static int append_functions(json_t *array, const struct profile *p, const struct profile_select *s,
			    const struct field *sort, uint64_t top)
{
	struct function_records *rs;
	int err = function_records_new(p, s, sort, &rs);

	if (err)
		return err;
	for (uint64_t i = 0; !err && i < min(top, (uint64_t)rs->nr); i++)
		err = json_array_append_new(array, record_json(&function_table, &rs->rows[i]));
	function_records_free(rs);
	return err ? -ENOMEM : 0;
}

json_t *json_functions(const struct profile *p, pid_t pid, uint64_t top)
{
	const struct profile_select s = {.event = PROFILE_RSS, .pid = pid};
	json_t *array = json_array();

	return checked(array, append_functions(array, p, &s, NULL, top));
}

json_t *json_attribution(const struct profile *p, pid_t pid)
{
	return account_json(p, &(struct profile_select){.event = PROFILE_RSS, .pid = pid});
}

static json_t *function_name_json(const struct profile_function *f)
{
	static const char *const kinds[] = {[PROFILE_PYTHON] = "python",
					    [PROFILE_NATIVE] = "native",
					    [PROFILE_UNNAMED] = "unnamed"};
	struct function_name_record r = {
		.name = *f->name ? f->name : NULL,
		.file = *f->file ? f->file : NULL,
		.first_line = f->first_line > 0 ? f->first_line : -1,
	};

	snprintf(r.kind, sizeof(r.kind), "%s", kinds[f->kind]);
	return record_json(&function_name_table, &r);
}

static json_t *stack_json(const struct profile_stack *s)
{
	json_t *frames = json_array(), *o = json_object();
	int err = 0;

	for (uint32_t i = 0; i < s->nr; i++)
		err |= json_array_append_new(frames,
					     json_pack("[I, I]", (json_int_t)s->frames[i].function,
						       (json_int_t)max(s->frames[i].line, 0)));
	err |= json_object_set_new(o, "truncated", json_boolean(s->truncated));
	err |= json_object_set_new(o, "frames", frames);
	return checked(o, err);
}

static json_t *row_json(const struct profile_row *row)
{
	struct profile_row_record r = {.row = *row};

	snprintf(r.event, sizeof(r.event), "%s", profile_event_name(row->event));
	snprintf(r.memory, sizeof(r.memory), "%s", profile_memory_name(row->memory));
	return record_json(&profile_row_table, &r);
}

static json_t *arena_json(const struct profile_arena *a)
{
	struct profile_arena_record r = {
		.arena = *a,
		.stack = a->stack == PROFILE_NONE ? -1 : (int64_t)a->stack,
		.thread = a->thread == PROFILE_NONE ? -1 : (int64_t)a->thread,
		.opened_ns = a->opened_ns ? a->opened_ns : -1,
	};

	return record_json(&profile_arena_table, &r);
}

static bool of_process(const struct profile_view *view, pid_t pid)
{
	return !view->pid || view->pid == pid;
}

/* Dictionaries are whole, whatever the view: rows refer to them by index. */
static int set_dictionaries(json_t *o, const struct profile *p)
{
	json_t *names = json_array(), *threads = json_array(), *stacks = json_array();
	int err = 0;

	for (uint32_t i = 0; i < p->nr_functions; i++)
		err |= json_array_append_new(names, function_name_json(&p->functions[i]));
	for (uint32_t i = 0; i < p->nr_threads; i++)
		err |= json_array_append_new(threads,
					     record_json(&profile_thread_table, &p->threads[i]));
	for (uint32_t i = 0; i < p->nr_stacks; i++)
		err |= json_array_append_new(stacks, stack_json(&p->stacks[i]));
	err |= json_object_set_new(o, "function_names", names);
	err |= json_object_set_new(o, "threads", threads);
	return err | json_object_set_new(o, "stacks", stacks);
}

static int set_figures(json_t *o, const struct profile *p, const struct profile_view *view)
{
	unsigned int events = profile_view_events(p, view);
	json_t *processes = json_array(), *rows = json_array(), *arenas = json_array();
	int err = 0;

	for (uint32_t i = 0; i < p->nr_processes; i++)
		if (of_process(view, p->processes[i].pid))
			err |= json_array_append_new(processes,
						     process_json(&p->processes[i], events));
	for (uint32_t i = 0; i < p->nr_rows; i++)
		if (events & 1u << p->rows[i].event &&
		    of_process(view, p->threads[p->rows[i].thread].pid))
			err |= json_array_append_new(rows, row_json(&p->rows[i]));
	for (uint32_t i = 0; i < p->nr_arenas && events & 1u << PROFILE_ARENA; i++)
		if (of_process(view, p->arenas[i].pid))
			err |= json_array_append_new(arenas, arena_json(&p->arenas[i]));
	err |= json_object_set_new(o, "processes", processes);
	err |= json_object_set_new(o, "rows", rows);
	return err | json_object_set_new(o, "arenas", arenas);
}

static int set_sums(json_t *o, const struct profile *p, const struct profile_view *view)
{
	const struct field *sort = profile_sort_field(view->sort ? view->sort : "self");
	unsigned int events = profile_view_events(p, view);
	json_t *names = json_array(), *accounts = json_object(), *functions = json_array();
	int err = 0;

	for (int e = 0; e < PROFILE_EVENTS; e++) {
		const struct profile_select s = {.event = e, .pid = view->pid};

		if (!(events & 1u << e))
			continue;
		err |= json_array_append_new(names, json_string(profile_event_name(e)));
		err |= json_object_set_new(accounts, profile_event_name(e), account_json(p, &s));
		err |= append_functions(functions, p, &s, sort, UINT64_MAX);
	}
	err |= json_object_set_new(o, "events", names);
	err |= json_object_set_new(o, "attribution", accounts);
	return err | json_object_set_new(o, "functions", functions);
}

json_t *json_profile(const struct profile *p, const struct profile_view *view)
{
	json_t *o = json_document("profile");
	int err = !o || fields_to_json(o, &profile_table, p);

	err |= set_sums(o, p, view);
	err |= set_figures(o, p, view);
	err |= set_dictionaries(o, p);
	return checked(o, err);
}

int profile_write_json(FILE *out, const struct profile *p, const struct profile_view *view,
		       struct fault *f)
{
	json_t *doc = json_profile(p, view);
	int err = json_write(out, doc, true);

	json_decref(doc);
	return err ? fault_errno(f, -err, "cannot write the profile") : 0;
}
