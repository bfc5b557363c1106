/* SPDX-License-Identifier: MIT */
/*
 * Prints, as JSON, what user/python reads of a process's stacks, for tests/live/test_frames:
 *
 *	print_frames PID [again]
 *	{"status": 0, "text": [[4198400, 6291456]], "threads": [{"native_id": 7, "frames": [["app.py",
 *	"main", 12, 10, 36, 0]], ...}]}
 *
 * of a frame: file, name, line, first line, bytes of the line table, 0 if reading that by the code
 * object's address does as it should. again: asks the same handle once more at each line of stdin, as
 * long as Python is not initialised.
 */
#include "base/fault.h"
#include "python/code.h"
#include "python/frames.h"
#include "python/internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *frame_json(struct python *p, const struct python_walk_info *info,
			  const struct python_frame *f)
{
	size_t n = 0, again = 0;
	struct py_code c = {0};
	uint8_t *table = NULL, *other = NULL;
	int err = py_code_read(p, f->code, info->code_type, &c);

	/* the table once more, in the way of a reader that knows the code object from before */
	if (!err)
		err = python_read_code_lines(p, f->code, c.name, f->first_line, &table, &n);
	free(table);
	if (!err && python_read_code_lines(p, f->code, c.name + 8, f->first_line, &other, &again) !=
			    -ESTALE)
		err = -EEXIST;
	if (!err && python_read_code_lines(p, f->code, c.name, f->first_line + 1, &other, &again) !=
			    -ESTALE)
		err = -EEXIST;
	return json_pack("[ssiiii]", f->file, f->name, f->line, f->first_line, (int)n, err);
}

static json_t *thread_json(struct python *p, const struct python_walk_info *info,
			   const struct python_thread *t)
{
	json_t *frames = json_array();

	for (uint32_t i = 0; i < t->nr; i++)
		json_array_append_new(frames, frame_json(p, info, &t->frames[i]));
	return json_pack("{sI sI sI sI sb sb so}", "tstate", (json_int_t)t->tstate, "interp",
			 (json_int_t)t->interp, "pthread_id", (json_int_t)t->pthread_id,
			 "native_id", (json_int_t)t->native_id, "truncated", t->truncated, "failed",
			 t->failed, "frames", frames);
}

/* One line, or many that a person can read. */
static void print(struct python *p, struct fault *f)
{
	json_t *doc, *text = json_array(), *threads = json_array();
	struct python_walk_info info = {0};
	struct python_threads all = {0};
	uint64_t current = 0;
	int err = python_walk_info(p, &info, f);

	for (uint32_t i = 0; i < info.nr_text; i++)
		json_array_append_new(text, json_pack("[II]", (json_int_t)info.text[i].start,
						      (json_int_t)info.text[i].end));
	if (!err)
		err = python_read_threads(p, &all, f);
	for (uint32_t i = 0; i < all.nr; i++)
		json_array_append_new(threads, thread_json(p, &info, &all.v[i]));
	if (info.tstate_current)
		mem_read_u64(p->mem, info.tstate_current, &current);
	doc = json_pack("{si ss sI sI sI sI sI sI so so sb}", "status", err, "fault", f->text,
			"runtime", (json_int_t)info.runtime, "interpreters_head",
			(json_int_t)info.interpreters_head, "interp", (json_int_t)info.interp,
			"tstate_current", (json_int_t)info.tstate_current, "current",
			(json_int_t)current, "code_type", (json_int_t)info.code_type, "text", text,
			"threads", threads, "truncated", all.truncated);
	json_dumpf(doc, stdout, isatty(1) ? JSON_INDENT(1) : JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(doc);
	python_threads_done(&all);
}

int main(int argc, char **argv)
{
	struct fault f = {0};
	struct target *t;
	struct python *p = NULL;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: print_frames PID [again]\n");
		return 2;
	}
	err = target_open(&t, atoi(argv[1]), &f);
	if (!err)
		err = python_open(&p, t, false, &f);
	if (!p) {
		fprintf(stderr, "print_frames: %s\n", f.text);
		return 1;
	}
	do {
		fault_clear(&f);
		print(p, &f);
	} while (argc > 2 && f.err == EAGAIN && getchar() != EOF);
	python_close(p);
	target_close(t);
	return 0;
}
