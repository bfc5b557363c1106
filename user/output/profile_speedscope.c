/* SPDX-License-Identifier: MIT */
/*
 * speedscope's own format (https://www.speedscope.app/file-format-schema.json), by jansson:
 *
 *	{"$schema": "...", "exporter": "pymemtrace-bpf 0.1.0", "name": "python3 app.py",
 *	 "shared": {"frames": [{"name": "main", "file": "/srv/app/app.py", "line": 215}, ...]},
 *	 "profiles": [{"type": "sampled", "name": "RSS growth", "unit": "bytes", "startValue": 0,
 *	               "endValue": 72351744, "samples": [[0, 1, 2], ...], "weights": [20971520, ...]},
 *	              {..., "name": "RSS shrinkage"}]}
 *
 * The format has no negative weights: growth and shrinkage are profiles of their own, of each event
 * and each process, both gross. A frame is a function and the line that was running; causes,
 * "[truncated]" and threads are frames by name only. Samples begin with the root, inverted ones with
 * the leaf.
 */
#include "output/profile_out.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "output/json.h"
#include "output/profile_label.h"
#include "output/profile_text.h"

#include <errno.h>
#include <string.h>

/* A failed insertion must not end the program: the frame is lost, which fails the whole. */
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#define HASH_NONFATAL_OOM	   1
#include <uthash.h>

#define SCHEMA "https://www.speedscope.app/file-format-schema.json"

struct shared_frame {
	UT_hash_handle hh;
	uint64_t key;
	json_int_t at;
	bool lost;
};

/* What a frame is of, beside a function and its line; in the key's upper half. */
enum frame_kind { FRAME_THREAD = 1, FRAME_CAUSE, FRAME_TRUNCATED, FRAME_FUNCTION };

struct writer {
	const struct profile *p;
	const struct profile_view *view;
	bool several;
	json_t *frames, *profiles;
	struct shared_frame *table;
	/* those of a process side by side */
	const struct profile_row **rows;
	size_t nr_rows;
};

/* What belongs to one process. */
struct part {
	pid_t pid;
	const struct profile_row *const *rows;
	size_t nr_rows;
	const struct profile_process *of; /* NULL: only its rows are known */
};

/* One profile while it is made. */
struct direction {
	json_t *samples, *weights;
	bool shrink;
	int64_t sum;
};

static json_t *frame_json(const struct writer *w, enum frame_kind kind, uint32_t of, int32_t line)
{
	const struct profile_function *f = kind == FRAME_FUNCTION ? &w->p->functions[of] : NULL;
	char label[PROFILE_LABEL_SIZE] = PROFILE_TRUNCATED_TEXT;
	json_t *o;

	if (kind == FRAME_THREAD)
		profile_thread_label(label, sizeof(label), &w->p->threads[of]);
	else if (kind == FRAME_CAUSE)
		snprintf(label, sizeof(label), "%s", profile_cause_text(of));
	else if (f)
		profile_function_label(label, sizeof(label), f);
	o = json_pack("{s:s}", "name", label);
	if (!f)
		return o;
	if (*profile_place_label(label, sizeof(label), f, 0))
		json_object_set_new(o, "file", json_string(label));
	if (line > 0)
		json_object_set_new(o, "line", json_integer(line));
	return o;
}

/* Appends the index of the frame, which is made at first sight. */
static int put_frame(struct writer *w, json_t *sample, enum frame_kind kind, uint32_t of,
		     int32_t line)
{
	/* functions are fewer than 2^22, lines below 0 are none */
	uint64_t key = (uint64_t)kind << 56 | (uint64_t)of << 32 | (uint32_t)max(line, 0);
	struct shared_frame *f;

	HASH_FIND(hh, w->table, &key, sizeof(key), f);
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		f->key = key;
		f->at = (json_int_t)json_array_size(w->frames);
		HASH_ADD(hh, w->table, key, sizeof(key), f);
		if (f->lost) {
			free(f);
			return -ENOMEM;
		}
		if (json_array_append_new(w->frames, frame_json(w, kind, of, line)))
			return -ENOMEM;
	}
	return json_array_append_new(sample, json_integer(f->at)) ? -ENOMEM : 0;
}

static int put_stack(struct writer *w, json_t *sample, const struct profile_row *r)
{
	const struct profile_stack *s = &w->p->stacks[r->stack];
	bool inverted = w->view->inverted;
	int err = 0;

	if (w->view->by_thread)
		err = put_frame(w, sample, FRAME_THREAD, r->thread, 0);
	if (s->truncated && !inverted)
		err |= put_frame(w, sample, FRAME_TRUNCATED, 0, 0);
	for (uint32_t i = 0; i < s->nr; i++) {
		const struct profile_frame *f = &s->frames[inverted ? i : s->nr - 1 - i];

		err |= put_frame(w, sample, FRAME_FUNCTION, f->function, f->line);
	}
	if (s->truncated && inverted)
		err |= put_frame(w, sample, FRAME_TRUNCATED, 0, 0);
	return err;
}

/* r NULL: a cause */
static int put_sample(struct writer *w, struct direction *d, const struct profile_change *change,
		      const struct profile_row *r, enum profile_cause cause)
{
	struct profile_change sum = {.growth = d->sum};
	int64_t weight = d->shrink ? change->shrink : change->growth;
	json_t *sample;
	int err;

	if (weight <= 0)
		return 0;
	profile_sum(&sum, &(struct profile_change){.growth = weight});
	d->sum = sum.growth;
	sample = json_array();
	err = r ? put_stack(w, sample, r) : put_frame(w, sample, FRAME_CAUSE, cause, 0);
	err |= json_array_append_new(d->samples, sample);
	return err | json_array_append_new(d->weights, json_integer(weight));
}

static int put_samples(struct writer *w, struct direction *d, enum profile_event e,
		       const struct part *part)
{
	int err = 0;

	for (size_t i = 0; !err && i < part->nr_rows; i++)
		if (part->rows[i]->event == e)
			err = put_sample(w, d, &part->rows[i]->change, part->rows[i], 0);
	for (int c = 0; !err && part->of && c < PROFILE_CAUSES; c++)
		err = put_sample(w, d, &part->of->causes[e][c], NULL, c);
	return err;
}

/* Owns d's arrays from here on. */
static int put_profile(struct writer *w, struct direction *d, enum profile_event e, pid_t pid)
{
	char label[PROFILE_LABEL_SIZE], name[PROFILE_LABEL_SIZE + 32];
	json_t *o;

	snprintf(name, sizeof(name), "%s %s", profile_event_title(e),
		 d->shrink ? "shrinkage" : "growth");
	if (w->several) {
		profile_process_label(label, sizeof(label), w->p, pid);
		snprintf(name, sizeof(name), "%s %s, %s", profile_event_title(e),
			 d->shrink ? "shrinkage" : "growth", label);
	}
	o = json_pack("{s:s, s:s, s:s, s:i, s:I, s:o, s:o}", "type", "sampled", "name", name,
		      "unit", "bytes", "startValue", 0, "endValue", (json_int_t)d->sum, "samples",
		      d->samples, "weights", d->weights);
	return json_array_append_new(w->profiles, o);
}

/* Directions without a sample have no profile. */
static int put_process(struct writer *w, const struct part *part)
{
	unsigned int events = profile_view_events(w->p, w->view);

	for (int i = 0; i < 2 * PROFILE_EVENTS; i++) {
		enum profile_event e = i / 2;
		struct direction d = {.shrink = i % 2};
		int err;

		if (!(events & 1u << e))
			continue;
		d.samples = json_array();
		d.weights = json_array();
		err = put_samples(w, &d, e, part);
		if (err || !json_array_size(d.samples)) {
			json_decref(d.samples);
			json_decref(d.weights);
		} else {
			err = put_profile(w, &d, e, part->pid);
		}
		if (err)
			return -ENOMEM;
	}
	return 0;
}

static pid_t pid_of(const struct profile *p, const struct profile_row *r)
{
	return p->threads[r->thread].pid;
}

static int compare_rows(const void *x, const void *y, void *arg)
{
	const struct profile_row *a = *(const struct profile_row *const *)x,
				 *b = *(const struct profile_row *const *)y;
	pid_t s = pid_of(arg, a), t = pid_of(arg, b);

	if (s != t)
		return s < t ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int sort_rows(struct writer *w)
{
	const struct profile *p = w->p;

	w->rows = calloc(p->nr_rows + 1, sizeof(*w->rows));
	if (!w->rows)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nr_rows; i++)
		if (!w->view->pid || w->view->pid == pid_of(p, &p->rows[i]))
			w->rows[w->nr_rows++] = &p->rows[i];
	if (w->nr_rows)
		qsort_r(w->rows, w->nr_rows, sizeof(*w->rows), compare_rows, (void *)p);
	return 0;
}

/* A process of which only causes are known has a part of its own. */
static bool has_rows(const struct writer *w, pid_t pid)
{
	size_t low = 0, high = w->nr_rows;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pid_of(w->p, w->rows[middle]) < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->nr_rows && pid_of(w->p, w->rows[low]) == pid;
}

static int put_profiles(struct writer *w)
{
	const struct profile *p = w->p;
	struct direction none = {0};
	int err = sort_rows(w);

	for (size_t i = 0; !err && i < w->nr_rows;) {
		struct part part = {.pid = pid_of(p, w->rows[i]), .rows = &w->rows[i]};

		part.of = profile_find_process(p, part.pid);
		for (; i < w->nr_rows && pid_of(p, w->rows[i]) == part.pid; i++)
			part.nr_rows++;
		err = put_process(w, &part);
	}
	for (uint32_t i = 0; !err && i < p->nr_processes; i++) {
		struct part part = {.pid = p->processes[i].pid, .of = &p->processes[i]};

		if ((!w->view->pid || w->view->pid == part.pid) && !has_rows(w, part.pid))
			err = put_process(w, &part);
	}
	if (err || json_array_size(w->profiles))
		return err;
	/* a file without profiles is refused: one that is empty */
	none.samples = json_array();
	none.weights = json_array();
	return put_profile(w, &none, profile_view_event(p, w->view), 0);
}

static json_t *document(struct writer *w, int err)
{
	char label[PROFILE_LABEL_SIZE], program[PROFILE_LABEL_SIZE];
	const struct profile *p = w->p;
	struct profile_function as_name = {.kind = PROFILE_PYTHON, .name = p->program};

	profile_function_label(program, sizeof(program), &as_name);
	if (p->nr_processes)
		profile_process_label(label, sizeof(label), p, p->processes[0].pid);
	else
		snprintf(label, sizeof(label), "no process");
	if (err) {
		json_decref(w->frames);
		json_decref(w->profiles);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:s, s:i, s:{s:o}, s:o}", "$schema", SCHEMA, "exporter",
			 program, "name", label, "activeProfileIndex", 0, "shared", "frames",
			 w->frames, "profiles", w->profiles);
}

int profile_write_speedscope(FILE *out, const struct profile *p, const struct profile_view *view,
			     struct fault *f)
{
	struct writer w = {.p = p,
			   .view = view,
			   .several = !view->pid && profile_several(p),
			   .frames = json_array(),
			   .profiles = json_array()};
	struct shared_frame *frame, *next;
	json_t *doc;
	int err;

	doc = document(&w, put_profiles(&w));
	free(w.rows);
	HASH_ITER(hh, w.table, frame, next)
	{
		HASH_DEL(w.table, frame);
		free(frame);
	}
	err = json_write(out, doc, true);
	json_decref(doc);
	return err ? fault_errno(f, -err, "cannot write the profile") : 0;
}
