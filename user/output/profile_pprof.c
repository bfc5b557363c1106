/* SPDX-License-Identifier: MIT */
/*
 * Writes pprof's profile.proto, compressed by gzip. As `pprof -raw` shows it:
 *
 *	PeriodType: rss bytes
 *	Period: 131072
 *	Samples:
 *	rss_growth/bytes[dflt] rss_shrink/bytes
 *	    1048576      65536: 1 2
 *	                pid:[4242] tid:[4243] thread:[python3]
 *	Locations
 *	     1: 0x0 M=1 load app.py:12:0 s=10
 *
 * Each event that is shown has such a pair of sample types; "arena_..." and "pool_..." are the others.
 * Events of the kernel have "..._events" with the unit "count" too.
 * Labels: "pid", "tid" (numbers), "thread"; "memory", what kind of it. A cause is a function of its own, without file. The
 * comments say how it was recorded.
 */
#include "output/profile_out.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/profile_label.h"
#include "output/pprof_writer.h"

#include <inttypes.h>
#include <string.h>

#define MAX_VALUES (3 * PROFILE_EVENTS)

/* What is shown of a profile, and where it goes. */
struct sampler {
	struct pprof_writer w;
	const struct profile_view *view;
	enum profile_event events[PROFILE_EVENTS]; /* that are shown */
	size_t nr_events;
};

static bool shown(const struct sampler *g, pid_t pid)
{
	return !g->view->pid || g->view->pid == pid;
}

/* thread: NULL for what no thread is known of */
static void emit_sample(struct sampler *g, uint64_t *locations, size_t nr, enum profile_event event,
			const struct profile_change *c, pid_t pid,
			const struct profile_thread *thread, enum profile_memory memory)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples[] = {&sample};
	Pprof__Label pid_label = PPROF__LABEL__INIT, tid_label = PPROF__LABEL__INIT,
		     name_label = PPROF__LABEL__INIT, memory_label = PPROF__LABEL__INIT;
	Pprof__Label *labels[4] = {&pid_label, &tid_label, &name_label};
	int64_t values[MAX_VALUES] = {0};
	size_t nr_values = 0;

	pid_label.key = pprof_string(&g->w, "pid");
	pid_label.num = pid;
	sample.n_label = 1;
	if (thread) {
		tid_label.key = pprof_string(&g->w, "tid");
		tid_label.num = thread->tid;
		name_label.key = pprof_string(&g->w, "thread");
		name_label.str = pprof_untrusted(&g->w, thread->comm);
		sample.n_label = 3;
	}
	if (memory) {
		memory_label.key = pprof_string(&g->w, "memory");
		memory_label.str = pprof_string(&g->w, profile_memory_name(memory));
		labels[sample.n_label++] = &memory_label;
	}
	sample.label = labels;
	sample.n_location_id = nr;
	sample.location_id = locations;
	for (size_t i = 0; i < g->nr_events; i++) {
		if (g->events[i] == event) {
			values[nr_values] = c->growth;
			values[nr_values + 1] = c->shrink;
			if (profile_event_is_kernels(event))
				values[nr_values + 2] =
					(int64_t)min(c->events, (uint64_t)INT64_MAX);
		}
		nr_values += profile_event_is_kernels(g->events[i]) ? 3 : 2;
	}
	sample.n_value = nr_values;
	sample.value = values;
	part.n_sample = 1;
	part.sample = samples;
	pprof_emit(&g->w, &part);
}

static void emit_row(struct sampler *g, const struct profile_row *r)
{
	const struct profile_stack *s = &g->w.p->stacks[r->stack];
	const struct profile_thread *t = &g->w.p->threads[r->thread];
	uint64_t ids[PROFILE_MAX_FRAMES + 1];
	size_t nr = 0;

	for (uint32_t i = 0; i < s->nr; i++)
		ids[nr++] = pprof_frame(&g->w, &s->frames[i]);
	if (s->truncated)
		ids[nr++] = pprof_truncated(&g->w);
	emit_sample(g, ids, nr, r->event, &r->change, t->pid, t, r->memory);
}

static void emit_causes(struct sampler *g, const struct profile_process *of,
			enum profile_event event)
{
	for (int c = 0; c < PROFILE_CAUSES; c++) {
		const struct profile_change *change = &of->causes[event][c];
		uint64_t id;

		if (!change->growth && !change->shrink &&
		    !(change->events && profile_event_is_kernels(event)))
			continue;
		id = pprof_cause(&g->w, c);
		emit_sample(g, &id, 1, event, change, of->pid, NULL, PROFILE_MEMORY_UNKNOWN);
	}
}

/* text is safe for a terminal */
static void comment(struct sampler *g, const char *text)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	int64_t id = pprof_string(&g->w, text);

	part.n_comment = 1;
	part.comment = &id;
	pprof_emit(&g->w, &part);
}

/*
 *	pymemtrace-bpf 0.1.0, Linux 6.18.44 x86_64, hostname
 *	rss: sampled every ~32 pages
 *	pid 4242 (python3 app.py): CPython 3.12.1
 */
static void emit_comments(struct sampler *g)
{
	const struct profile *p = g->w.p;
	char line[PROFILE_LABEL_SIZE + 256], label[PROFILE_LABEL_SIZE], safe[128], host[128];

	snprintf(line, sizeof(line), "%s, %s",
		 text_escape(safe, sizeof(safe), p->program, strlen(p->program)),
		 text_escape(host, sizeof(host), p->host, strlen(p->host)));
	comment(g, line);
	snprintf(line, sizeof(line), "rss: sampled every ~%" PRIu32 " pages", p->step_pages);
	comment(g, p->exact ? "rss: every change" : line);
	if (p->batched)
		comment(g, "rss: this kernel counts in steps of 64 pages");
	if (p->cut_short)
		comment(g, "incomplete: the recording was cut short");
	for (uint32_t i = 0; i < p->nr_processes; i++) {
		const struct profile_process *of = &p->processes[i];

		if (!shown(g, of->pid))
			continue;
		snprintf(line, sizeof(line), "%s: %s",
			 profile_process_label(label, sizeof(label), p, of->pid),
			 text_escape(safe, sizeof(safe), of->python, strlen(of->python)));
		comment(g, line);
	}
}

static Pprof__ValueType value_type(struct sampler *g, const char *event, const char *what,
				   const char *unit)
{
	Pprof__ValueType t = PPROF__VALUE_TYPE__INIT;
	char name[48];

	snprintf(name, sizeof(name), "%s%s", event, what);
	t.type = pprof_string(&g->w, name);
	t.unit = pprof_string(&g->w, unit);
	return t;
}

/* What there is one of. The first string must be "". */
static void emit_head(struct sampler *g)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__ValueType types[MAX_VALUES], *pointers[MAX_VALUES], period;
	Pprof__Mapping mapping = PPROF__MAPPING__INIT, *mappings[] = {&mapping};
	size_t nr = 0;

	pprof_string(&g->w, "");
	for (size_t i = 0; i < g->nr_events; i++) {
		const char *name = profile_event_name(g->events[i]);

		types[nr++] = value_type(g, name, "_growth", "bytes");
		types[nr++] = value_type(g, name, "_shrink", "bytes");
		if (profile_event_is_kernels(g->events[i]))
			types[nr++] = value_type(g, name, "_events", "count");
	}
	for (size_t i = 0; i < nr; i++)
		pointers[i] = &types[i];
	period = value_type(g, profile_event_name(g->events[0]), "", "bytes");
	part.n_sample_type = nr;
	part.sample_type = pointers;
	part.default_sample_type = types[0].type;
	part.period_type = &period;
	/* arenas and pools are never sampled */
	part.period =
		g->events[0] == PROFILE_RSS ? (int64_t)g->w.p->step_pages * g->w.p->page_bytes : 1;
	part.time_nanos = g->w.p->begin_ns;
	part.duration_nanos = max(g->w.p->end_ns - g->w.p->begin_ns, (int64_t)0);
	mapping.id = PPROF_MAPPING_ID;
	mapping.filename = pprof_string(&g->w, "python");
	mapping.has_functions = mapping.has_filenames = mapping.has_line_numbers = true;
	part.n_mapping = 1;
	part.mapping = mappings;
	pprof_emit(&g->w, &part);
}

static void emit_all(struct sampler *g)
{
	const struct profile *p = g->w.p;
	unsigned int events = profile_view_events(p, g->view);

	for (int e = 0; e < PROFILE_EVENTS; e++)
		if (events & 1u << e)
			g->events[g->nr_events++] = e;
	if (!g->nr_events)
		g->events[g->nr_events++] = PROFILE_RSS;
	emit_head(g);
	emit_comments(g);
	for (uint32_t i = 0; i < p->nr_rows && !g->w.err; i++)
		if (events & 1u << p->rows[i].event && shown(g, p->threads[p->rows[i].thread].pid))
			emit_row(g, &p->rows[i]);
	for (uint32_t i = 0; i < p->nr_processes; i++)
		for (size_t e = 0; e < g->nr_events && shown(g, p->processes[i].pid); e++)
			emit_causes(g, &p->processes[i], g->events[e]);
}

int profile_write_pprof(FILE *out, const struct profile *p, const struct profile_view *view,
			struct fault *f)
{
	struct sampler g = {.view = view};
	int err = pprof_begin(&g.w, out, p);

	if (!err) {
		emit_all(&g);
		err = pprof_end(&g.w);
	}
	return err ? fault_errno(f, -err, "cannot write the profile") : 0;
}
