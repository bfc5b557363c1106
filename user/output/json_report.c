/* SPDX-License-Identifier: MIT */
/*
 * The reports of `stat` as documents, one line each:
 *
 *	{"schema": "pymemtrace-bpf/1", "kind": "change", "time_ns": ..., "pid": 4242,
 *	 "rss_before": {...}, "rss_after": {...}, "rss_change": {...},
 *	 "arenas_taken_events": 12, "arenas_released_events": 0, "arenas_current": 151, ...,
 *	 "pools_taken_events": 761, "pools_taken_by_class": [0, 12, ...], "pools_taken_other": 0,
 *	 "stats_change": {...}, "health": {...}}
 *
 * Members say where a figure comes from (_events, _from_state); of what is not known there is no
 * member.
 */
#include "output/json.h"
#include "output/json_profile.h"

#include "base/cleanup.h"
#include "model/report.h"
#include "output/tables.h"

static json_t *record_json(const struct field_table *t, const void *record)
{
	json_t *o = json_object();

	if (fields_to_json(o, t, record)) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *finish(json_t *o, int err)
{
	if (err) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *json_report_state(const struct report_state *s)
{
	json_t *o = json_document("state"), *outside = json_null();
	int err;

	if (s->stats && s->stats->pymalloc)
		outside = json_integer(report_outside_pymalloc(&s->rss, s->stats));
	err = json_object_set_new(o, "time_ns", json_integer(s->time_ns));
	err |= json_object_set_new(o, "process", record_json(&process_table, s->process));
	err |= json_object_set_new(o, "python", record_json(&python_table, s->python));
	err |= json_object_set_new(o, "rss", json_rss(&s->rss));
	err |= json_object_set_new(o, "outside_pymalloc_min_bytes", outside);
	err |= json_object_set_new(o, "stats", s->stats ? json_stats(s->stats) : json_null());
	err |= json_object_set_new(o, "health", record_json(&health_table, &s->health));
	return finish(o, err);
}

static json_t *by_class(const struct report_change *c)
{
	size_t nr = c->stats_after ? min(c->stats_after->nr_classes, (uint32_t)STATS_MAX_CLASSES)
				   : STATS_MAX_CLASSES;
	json_t *array = json_array();
	int err = 0;

	for (size_t i = 0; i < nr; i++)
		err |= json_array_append_new(array,
					     json_integer((json_int_t)c->pools_taken_by_class[i]));
	return finish(array, err);
}

static int set_pools(json_t *o, const struct report_change *c)
{
	int err = 0;

	switch (c->pools) {
	case SOURCE_NONE:
		break;
	case SOURCE_EVENTS:
		err |= json_object_set_new(o, "pools_taken_events",
					   json_integer((json_int_t)c->pools_taken));
		err |= json_object_set_new(o, "pools_taken_by_class", by_class(c));
		err |= json_object_set_new(o, "pools_taken_other",
					   json_integer((json_int_t)c->pools_other));
		break;
	case SOURCE_STATE:
		err |= json_object_set_new(o, "pools_net_from_state", json_integer(c->pools_net));
		break;
	}
	return err;
}

json_t *json_report_change(const struct report_change *c)
{
	struct rss change = rss_sub(&c->after, &c->before);
	json_t *o = json_document("change"), *stats = json_null();
	int err = !o || fields_to_json(o, &change_table, c);

	err |= json_object_set_new(o, "rss_before", json_rss(&c->before));
	err |= json_object_set_new(o, "rss_after", json_rss(&c->after));
	err |= json_object_set_new(o, "rss_change", json_rss(&change));
	if (c->arenas == SOURCE_EVENTS)
		err |= !o || fields_to_json(o, &arena_events_table, c);
	else if (c->arenas == SOURCE_STATE)
		err |= !o || fields_to_json(o, &arena_state_table, c);
	err |= set_pools(o, c);
	if (c->stats_before && c->stats_after)
		stats = json_stats_diff(c->stats_before, c->stats_after);
	err |= json_object_set_new(o, "stats_change", stats);
	if (c->who) {
		err |= json_object_set_new(o, "functions", json_functions(c->who, c->pid, c->top));
		err |= json_object_set_new(o, "attribution", json_attribution(c->who, c->pid));
	}
	err |= json_object_set_new(o, "health", record_json(&health_table, &c->health));
	return finish(o, err);
}
