/* SPDX-License-Identifier: MIT */
/*
 * The lists: interpreters -> thread states -> frames. Each is a linked list in the memory of a process
 * that may want us to go round in circles: all are bounded.
 */
#include "python/frames.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "python/code.h"
#include "python/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INTERPRETERS 1024
#define MAX_THREADS	 4096
#define MAX_SKIPPED	 1024 /* frames of no Python function: one for each call from C */

struct walk {
	struct python *p;
	const struct python_walk_info *info;
	struct python_threads *threads;
};

static int64_t lasti_of(struct walk *w, uint64_t frame, uint64_t code)
{
	const struct py_layout *l = &w->p->layout;
	uint64_t instr;
	uint32_t lasti;

	if (l->frame_instr != PY_NONE) {
		if (mem_read_u64(w->p->mem, frame + l->frame_instr, &instr))
			return INT64_MIN;
		return (int64_t)(instr - (code + l->code_adaptive));
	}
	if (mem_read_u32(w->p->mem, frame + l->frame_lasti, &lasti))
		return INT64_MIN;
	return (int64_t)(int32_t)lasti * w->info->lasti_unit;
}

static void read_line(struct walk *w, const struct py_code *c, int64_t lasti,
		      struct python_frame *ret)
{
	_cleanup_free_ uint8_t *table = NULL;
	size_t n;

	if (lasti < INT32_MIN || lasti > INT32_MAX ||
	    py_bytes_read(w->p, c->line_table, &table, &n))
		return;
	ret->line = code_line(w->info->line_format, table, n, c->first_line, (int32_t)lasti);
}

/* 1: read, 0: to be skipped, -errno. */
static int read_frame(struct walk *w, uint64_t frame, struct python_frame *ret)
{
	const struct py_layout *l = &w->p->layout;
	struct python_frame r = {0};
	struct py_code c;
	uint8_t owner;
	int err;

	if (l->frame_owner != PY_NONE) {
		err = mem_read(w->p->mem, frame + l->frame_owner, &owner, sizeof(owner));
		if (err || owner >= PYTHON_OWNER_C)
			return err;
	}
	err = mem_read_u64(w->p->mem, frame + l->frame_code, &r.code);
	if (err)
		return err;
	r.code &= PYTHON_CODE_MASK;
	err = py_code_read(w->p, r.code, w->info->code_type, &c);
	if (err)
		return err;
	err = py_text_read(w->p, c.name, &r.name);
	if (!err)
		err = py_text_read(w->p, c.file, &r.file);
	if (err) {
		free(r.name);
		return err;
	}
	r.first_line = c.first_line;
	read_line(w, &c, lasti_of(w, frame, r.code), &r);
	*ret = r;
	return 1;
}

static int first_frame(struct walk *w, uint64_t tstate, uint64_t *ret)
{
	const struct py_layout *l = &w->p->layout;
	uint64_t cframe;
	int err;

	if (l->tstate_frame != PY_NONE)
		return mem_read_u64(w->p->mem, tstate + l->tstate_frame, ret);
	err = mem_read_u64(w->p->mem, tstate + l->tstate_cframe, &cframe);
	if (err)
		return err;
	return mem_read_u64(w->p->mem, cframe + l->cframe_current_frame, ret);
}

static int read_frames(struct walk *w, struct python_thread *t)
{
	struct python_frame frames[PYTHON_MAX_FRAMES];
	uint32_t skipped = 0;
	uint64_t frame;
	int err = first_frame(w, t->tstate, &frame);

	while (!err && frame) {
		struct python_frame f;

		err = read_frame(w, frame, &f);
		if (err > 0 && t->nr == PYTHON_MAX_FRAMES) {
			free(f.name);
			free(f.file);
			t->truncated = true;
			err = 0;
			break;
		}
		if (err > 0)
			frames[t->nr++] = f;
		else if (!err && ++skipped > MAX_SKIPPED)
			err = -ELOOP;
		if (err >= 0)
			err = mem_read_u64(w->p->mem, frame + w->p->layout.frame_previous, &frame);
	}
	t->failed = err;
	t->frames = malloc(t->nr * sizeof(*frames) + 1);
	if (!t->frames) {
		while (t->nr) {
			free(frames[--t->nr].name);
			free(frames[t->nr].file);
		}
		return -ENOMEM;
	}
	memcpy(t->frames, frames, t->nr * sizeof(*frames));
	return 0;
}

static int read_thread(struct walk *w, struct python_thread *t)
{
	const struct py_layout *l = &w->p->layout;
	int err = mem_read_u64(w->p->mem, t->tstate + l->tstate_thread_id, &t->pthread_id);

	if (!err && l->tstate_native_thread_id != PY_NONE)
		err = mem_read_u64(w->p->mem, t->tstate + l->tstate_native_thread_id,
				   &t->native_id);
	return err ? err : read_frames(w, t);
}

static int read_interpreter(struct walk *w, uint64_t interp)
{
	const struct py_layout *l = &w->p->layout;
	struct python_threads *all = w->threads;
	uint64_t tstate;
	int err = mem_read_u64(w->p->mem, interp + l->interp_threads, &tstate);

	while (!err && tstate) {
		struct python_thread *t;

		if (all->nr == MAX_THREADS) {
			all->truncated = true;
			return 0;
		}
		t = reallocarray(all->v, all->nr + 1, sizeof(*t));
		if (!t)
			return -ENOMEM;
		all->v = t;
		t += all->nr++;
		*t = (struct python_thread){.tstate = tstate, .interp = interp};
		err = read_thread(w, t);
		if (!err)
			err = mem_read_u64(w->p->mem, tstate + l->tstate_next, &tstate);
	}
	return err;
}

/* In 3.6, where the list's head may be unknown, the main interpreter is the first of this list. */
static int read_interpreters(struct walk *w)
{
	uint64_t interp = w->info->interp;
	uint32_t nr = 0;
	int err = 0;

	if (w->info->interpreters_head)
		err = mem_read_u64(w->p->mem, w->info->interpreters_head, &interp);
	for (; !err && interp; nr++) {
		if (nr == MAX_INTERPRETERS) {
			w->threads->truncated = true;
			return 0;
		}
		err = read_interpreter(w, interp);
		if (!err)
			err = mem_read_u64(w->p->mem, interp + w->p->layout.interp_next, &interp);
	}
	return err;
}

int py_walk_threads(struct python *p, const struct python_walk_info *info,
		    struct python_threads *ret)
{
	struct walk w = {.p = p, .info = info, .threads = ret};
	int err;

	*ret = (struct python_threads){0};
	err = read_interpreters(&w);
	if (err)
		python_threads_done(ret);
	return err;
}

int python_read_threads(struct python *p, struct python_threads *ret, struct fault *f)
{
	struct python_walk_info info;
	int err = python_walk_info(p, &info, f);

	*ret = (struct python_threads){0};
	if (err)
		return err;
	err = py_walk_threads(p, &info, ret);
	if (err)
		fault_errno(f, -err, "cannot read the threads of pid %d", (int)p->target->pid);
	return err;
}

void python_threads_done(struct python_threads *t)
{
	for (uint32_t i = 0; i < t->nr; i++) {
		for (uint32_t k = 0; k < t->v[i].nr; k++) {
			free(t->v[i].frames[k].name);
			free(t->v[i].frames[k].file);
		}
		free(t->v[i].frames);
	}
	free(t->v);
	*t = (struct python_threads){0};
}
