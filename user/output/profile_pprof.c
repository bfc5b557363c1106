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
 * Labels: "pid", "tid" (numbers), "thread". A cause is a function of its own, without file. The
 * comments say how it was recorded.
 *
 * Messages of one type that follow each other are one message by the rules of protobuf: repeated
 * members add up. So each string, function, location and sample is written as a profile of its own,
 * and only indices are held.
 */
#include "output/profile_out.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/gzip.h"
#include "output/profile_label.h"
#include "output/pprof.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#define HASH_NONFATAL_OOM	   1
#include <uthash.h>

/* What has a number already: a string by its bytes, a location by its function and line. */
struct numbered {
	UT_hash_handle hh;
	uint64_t id;
	bool lost;
	unsigned char key[];
};

struct writer {
	struct gzip gz;
	const struct profile *p;
	const struct profile_view *view;
	struct numbered *strings, *locations;
	uint64_t nr_strings, nr_locations;
	enum profile_event events[PROFILE_EVENTS]; /* that are shown */
	size_t nr_events;
	bool *written; /* functions */
	uint8_t *buf;
	size_t size;
	int err; /* -ENOMEM, once; nothing is written after it */
};

/* Functions that are no function of the target come after its own; ids begin at 1. */
#define MAPPING_ID     1
#define FUNCTION_ID(i) ((uint64_t)(i) + 1)

static uint64_t cause_function(const struct writer *w, enum profile_cause c)
{
	return (uint64_t)w->p->nr_functions + c;
}

static uint64_t cut_function(const struct writer *w)
{
	return (uint64_t)w->p->nr_functions + PROFILE_CAUSES;
}

static bool shown(const struct writer *w, pid_t pid)
{
	return !w->view->pid || w->view->pid == pid;
}

static void emit(struct writer *w, const Pprof__Profile *part)
{
	size_t size = pprof__profile__get_packed_size(part);

	if (size > w->size) {
		uint8_t *more = realloc(w->buf, size * 2);

		if (!more) {
			w->err = -ENOMEM;
			return;
		}
		w->buf = more;
		w->size = size * 2;
	}
	if (!w->err)
		gzip_write(&w->gz, w->buf, pprof__profile__pack(part, w->buf));
}

/* True if it is new: the caller writes it under the id. */
static bool number(struct writer *w, struct numbered **table, const void *key, size_t size,
		   uint64_t next, uint64_t *ret)
{
	struct numbered *n = NULL;

	*ret = 0;
	if (w->err)
		return false;
	HASH_FIND(hh, *table, key, size, n);
	if (n) {
		*ret = n->id;
		return false;
	}
	n = calloc(1, sizeof(*n) + size);
	if (n) {
		n->id = *ret = next;
		memcpy(n->key, key, size);
		HASH_ADD_KEYPTR(hh, *table, n->key, size, n);
	}
	if (!n || n->lost) {
		free(n);
		w->err = -ENOMEM;
		return false;
	}
	return true;
}

static void numbered_free(struct numbered **table)
{
	struct numbered *n, *next;

	HASH_ITER(hh, *table, n, next)
	{
		HASH_DEL(*table, n);
		free(n);
	}
}

/* Index of a string that is safe for a terminal. */
static int64_t string(struct writer *w, const char *s)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	uint64_t id;

	if (number(w, &w->strings, s, strlen(s), w->nr_strings, &id)) {
		part.n_string_table = 1;
		part.string_table = (char **)&s;
		w->nr_strings++;
		emit(w, &part);
	}
	return (int64_t)id;
}

/* The same of one that is not: pprof prints as it is told to. */
static int64_t untrusted(struct writer *w, const char *s)
{
	size_t len = strlen(s), size = len * 4 + 1;
	_cleanup_free_ char *safe = malloc(size);

	if (!safe) {
		w->err = -ENOMEM;
		return 0;
	}
	return string(w, text_escape(safe, size, s, len));
}

static void emit_function(struct writer *w, uint64_t index)
{
	const struct profile *p = w->p;
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Function function = PPROF__FUNCTION__INIT, *functions[] = {&function};
	char label[PROFILE_LABEL_SIZE];

	if (w->written[index])
		return;
	w->written[index] = true;
	function.id = FUNCTION_ID(index);
	if (index < p->nr_functions) {
		const struct profile_function *f = &p->functions[index];

		function.name = string(w, profile_function_label(label, sizeof(label), f));
		function.filename = string(w, profile_place_label(label, sizeof(label), f, 0));
		function.start_line = f->first_line;
	} else {
		function.name = string(w, index == cut_function(w)
						  ? PROFILE_TRUNCATED_TEXT
						  : profile_cause_text(index - p->nr_functions));
	}
	/* system_name stays "": where it equals the name, pprof takes "<module>" for a template */
	part.n_function = 1;
	part.function = functions;
	emit(w, &part);
}

static uint64_t location(struct writer *w, uint64_t function, int32_t line)
{
	const uint64_t key[] = {function, (uint64_t)line};
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Location loc = PPROF__LOCATION__INIT, *locs[] = {&loc};
	Pprof__Line at = PPROF__LINE__INIT, *lines[] = {&at};

	if (!number(w, &w->locations, key, sizeof(key), w->nr_locations + 1, &loc.id))
		return loc.id;
	w->nr_locations++;
	emit_function(w, function);
	loc.mapping_id = MAPPING_ID;
	loc.n_line = 1;
	loc.line = lines;
	at.function_id = FUNCTION_ID(function);
	at.line = line;
	part.n_location = 1;
	part.location = locs;
	emit(w, &part);
	return loc.id;
}

/* thread: NULL for what no thread is known of */
static void emit_sample(struct writer *w, uint64_t *locations, size_t nr, enum profile_event event,
			const struct profile_change *c, pid_t pid,
			const struct profile_thread *thread)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples[] = {&sample};
	Pprof__Label pid_label = PPROF__LABEL__INIT, tid_label = PPROF__LABEL__INIT,
		     name_label = PPROF__LABEL__INIT;
	Pprof__Label *labels[] = {&pid_label, &tid_label, &name_label};
	int64_t values[2 * PROFILE_EVENTS] = {0};

	pid_label.key = string(w, "pid");
	pid_label.num = pid;
	sample.n_label = 1;
	if (thread) {
		tid_label.key = string(w, "tid");
		tid_label.num = thread->tid;
		name_label.key = string(w, "thread");
		name_label.str = untrusted(w, thread->comm);
		sample.n_label = 3;
	}
	sample.label = labels;
	sample.n_location_id = nr;
	sample.location_id = locations;
	for (size_t i = 0; i < w->nr_events; i++)
		if (w->events[i] == event) {
			values[2 * i] = c->growth;
			values[2 * i + 1] = c->shrink;
		}
	sample.n_value = 2 * w->nr_events;
	sample.value = values;
	part.n_sample = 1;
	part.sample = samples;
	emit(w, &part);
}

static void emit_row(struct writer *w, const struct profile_row *r)
{
	const struct profile_stack *s = &w->p->stacks[r->stack];
	const struct profile_thread *t = &w->p->threads[r->thread];
	uint64_t ids[PROFILE_MAX_FRAMES + 1];
	size_t nr = 0;

	for (uint32_t i = 0; i < s->nr; i++)
		ids[nr++] = location(w, s->frames[i].function, s->frames[i].line);
	if (s->truncated)
		ids[nr++] = location(w, cut_function(w), 0);
	emit_sample(w, ids, nr, r->event, &r->change, t->pid, t);
}

static void emit_causes(struct writer *w, const struct profile_process *of,
			enum profile_event event)
{
	for (int c = 0; c < PROFILE_CAUSES; c++) {
		const struct profile_change *change = &of->causes[event][c];
		uint64_t id;

		if (!change->growth && !change->shrink)
			continue;
		id = location(w, cause_function(w, c), 0);
		emit_sample(w, &id, 1, event, change, of->pid, NULL);
	}
}

static void comment(struct writer *w, const char *text)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	int64_t id = untrusted(w, text);

	part.n_comment = 1;
	part.comment = &id;
	emit(w, &part);
}

/*
 *	pymemtrace-bpf 0.1.0, Linux 6.18.44 x86_64, hostname
 *	rss: sampled every ~32 pages
 *	pid 4242 (python3 app.py): CPython 3.12.1
 */
static void emit_comments(struct writer *w)
{
	const struct profile *p = w->p;
	char line[PROFILE_LABEL_SIZE + 256], label[PROFILE_LABEL_SIZE];

	snprintf(line, sizeof(line), "%s, %s", p->program, p->host);
	comment(w, line);
	if (p->exact)
		comment(w, "rss: every change");
	else
		snprintf(line, sizeof(line), "rss: sampled every ~%" PRIu32 " pages",
			 p->step_pages);
	if (!p->exact)
		comment(w, line);
	if (p->batched)
		comment(w, "rss: this kernel counts in steps of 64 pages");
	if (p->cut_short)
		comment(w, "incomplete: the recording was cut short");
	for (uint32_t i = 0; i < p->nr_processes; i++) {
		const struct profile_process *of = &p->processes[i];

		if (!shown(w, of->pid))
			continue;
		snprintf(line, sizeof(line), "%s: %s",
			 profile_process_label(label, sizeof(label), p, of->pid), of->python);
		comment(w, line);
	}
}

static Pprof__ValueType value_type(struct writer *w, const char *event, const char *what)
{
	Pprof__ValueType t = PPROF__VALUE_TYPE__INIT;
	char name[32];

	snprintf(name, sizeof(name), "%s%s", event, what);
	t.type = string(w, name);
	t.unit = string(w, "bytes");
	return t;
}

/* What there is one of. The first string must be "". */
static void emit_head(struct writer *w)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	Pprof__ValueType types[2 * PROFILE_EVENTS], *pointers[2 * PROFILE_EVENTS], period;
	Pprof__Mapping mapping = PPROF__MAPPING__INIT, *mappings[] = {&mapping};

	string(w, "");
	for (size_t i = 0; i < 2 * w->nr_events; i++) {
		types[i] = value_type(w, profile_event_name(w->events[i / 2]),
				      i % 2 ? "_shrink" : "_growth");
		pointers[i] = &types[i];
	}
	period = value_type(w, profile_event_name(w->events[0]), "");
	part.n_sample_type = 2 * w->nr_events;
	part.sample_type = pointers;
	part.default_sample_type = types[0].type;
	part.period_type = &period;
	/* arenas and pools are never sampled */
	part.period =
		w->events[0] == PROFILE_RSS ? (int64_t)w->p->step_pages * w->p->page_bytes : 1;
	part.time_nanos = w->p->begin_ns;
	part.duration_nanos = max(w->p->end_ns - w->p->begin_ns, (int64_t)0);
	mapping.id = MAPPING_ID;
	mapping.filename = string(w, "python");
	mapping.has_functions = mapping.has_filenames = mapping.has_line_numbers = true;
	part.n_mapping = 1;
	part.mapping = mappings;
	emit(w, &part);
}

static void emit_all(struct writer *w)
{
	const struct profile *p = w->p;
	unsigned int events = profile_view_events(p, w->view);

	for (int e = 0; e < PROFILE_EVENTS; e++)
		if (events & 1u << e)
			w->events[w->nr_events++] = e;
	if (!w->nr_events)
		w->events[w->nr_events++] = PROFILE_RSS;
	emit_head(w);
	emit_comments(w);
	for (uint32_t i = 0; i < p->nr_rows && !w->err; i++)
		if (events & 1u << p->rows[i].event && shown(w, p->threads[p->rows[i].thread].pid))
			emit_row(w, &p->rows[i]);
	for (uint32_t i = 0; i < p->nr_processes; i++)
		for (size_t e = 0; e < w->nr_events && shown(w, p->processes[i].pid); e++)
			emit_causes(w, &p->processes[i], w->events[e]);
}

int profile_write_pprof(FILE *out, const struct profile *p, const struct profile_view *view,
			struct fault *f)
{
	struct writer w = {.p = p, .view = view};
	int err = gzip_begin(&w.gz, out);

	if (err)
		return fault_errno(f, -err, "cannot write the profile");
	w.written = calloc(p->nr_functions + PROFILE_CAUSES + 1, sizeof(*w.written));
	if (w.written)
		emit_all(&w);
	else
		w.err = -ENOMEM;
	err = gzip_end(&w.gz);
	if (w.err)
		err = w.err;
	numbered_free(&w.strings);
	numbered_free(&w.locations);
	free(w.written);
	free(w.buf);
	return err ? fault_errno(f, -err, "cannot write the profile") : 0;
}
