/* SPDX-License-Identifier: MIT */
/* Records of code objects and of stacks: functions, lines, files of native code. */
#include "cmd/collect_internal.h"

#include "base/cleanup.h"
#include "cmd/process.h"
#include "python/python.h"
#include "python/strings.h"
#include "target/target.h"

#include <errno.h>
#include <string.h>

/* Where more can be read: in its own memory, or at the same addresses in its parent's. */
const struct process *collect_memory_of(struct collector *c, const struct followed *f)
{
	if (f && !f->process && f->parent)
		f = collect_find(c, f->parent);
	return f && f->process && f->process->python ? f->process : NULL;
}

/* The rest of a long line table is still in the process, or gone. */
static void keep_lines(struct collector *c, struct code *code, const struct followed *f,
		       const struct pmt_code_rec *r)
{
	const struct process *process = collect_memory_of(c, f);
	bool unread = r->table_size == PMT_TABLE_UNREAD;
	size_t here = unread ? 0 : min(r->table_size, (uint32_t)PMT_TABLE_BYTES);

	code->first_line = r->first_line;
	code->format = f->format;
	code->lasti_unit = f->lasti_unit;
	if (r->table_size != here && process &&
	    !python_read_code_lines(process->python, r->code, r->name_object, r->first_line,
				    &code->table, &code->table_size)) {
		code->has_lines = code->whole = true;
		return;
	}
	if (unread || !(code->table = malloc(here + 1))) {
		c->total->lines_lost++;
		return;
	}
	memcpy(code->table, r->table_bytes, here);
	code->table_size = here;
	code->has_lines = true;
	code->whole = here == r->table_size;
	if (!code->whole)
		c->total->lines_lost++;
}

void collect_code(void *ctx, const struct pmt_code_rec *r)
{
	char name[PYTHON_TEXT_SIZE(PMT_NAME_BYTES)], file[PYTHON_TEXT_SIZE(PMT_FILE_BYTES) + 4];
	struct profile_function function = {.name = name, .first_line = r->first_line};
	struct collector *c = ctx;
	struct followed *f = collect_find(c, r->tgid);
	struct code *code = f ? calloc(1, sizeof(*code)) : NULL;
	size_t cut = 0;

	if (!f)
		return;
	if (!code) {
		c->failed = true;
		return;
	}
	function.file = file;
	function.kind = r->name.kind ? PROFILE_PYTHON : PROFILE_UNNAMED;
	c->total->names_lost += !r->name.kind;
	python_text(name, sizeof(name), r->name.kind, r->name_bytes,
		    min(r->name.length, (uint32_t)PMT_NAME_BYTES), r->name.skipped);
	/* of a long path the end is what tells */
	if (r->file.skipped)
		cut = strlen(strcpy(file, "…"));
	python_text(file + cut, sizeof(file) - cut, r->file.kind, r->file_bytes,
		    min(r->file.length, (uint32_t)PMT_FILE_BYTES), false);
	if (profile_add_function(c->total, &function, &code->function)) {
		c->failed = true;
		free(code);
		return;
	}
	code->id = r->id;
	keep_lines(c, code, f, r);
	HASH_ADD(hh, f->codes, id, sizeof(code->id), code);
}

int32_t collect_line(const struct code *code, int32_t lasti)
{
	int64_t bytes = lasti < 0 ? -1 : (int64_t)lasti * code->lasti_unit;

	if (!code->has_lines || bytes > INT32_MAX)
		return 0;
	return (code->whole ? code_line : code_line_of_head)(
		code->format, code->table, code->table_size, code->first_line, (int32_t)bytes);
}

/* What file an instruction belongs to. Libraries are loaded all the time: a second look at the maps. */
static const struct vma *native_vma(struct followed *f, uint64_t address)
{
	for (int look = 0; f && f->process && look < 2; look++) {
		const struct vma *v = f->has_maps ? maps_find(&f->maps, address) : NULL;

		if (v)
			return v;
		maps_done(&f->maps);
		f->has_maps = !target_maps(f->process->target, &f->maps, NULL);
	}
	return NULL;
}

static int native_frame(struct collector *c, struct followed *f, uint64_t address,
			struct profile_frame *ret)
{
	const struct vma *v = native_vma(f, address);
	const char *path = v && v->path ? v->path : "", *slash = strrchr(path, '/');
	char anonymous[] = "[anonymous]", none[] = "";
	struct profile_function function = {
		.kind = PROFILE_NATIVE,
		.name = *path ? (char *)(slash ? slash + 1 : path) : anonymous,
		.file = *path ? (char *)path : none,
	};

	ret->line = 0;
	return profile_add_function(c->total, &function, &ret->function);
}

void collect_stack(void *ctx, const struct pmt_stack_rec *r)
{
	struct profile_frame frames[PROFILE_MAX_FRAMES];
	struct profile_function lost = {.kind = PROFILE_UNNAMED, .name = "", .file = ""};
	struct collector *c = ctx;
	struct followed *f = collect_find(c, r->tgid);
	uint32_t nr = 0, from = 0, at;
	bool truncated = r->flags & PMT_TRUNCATED;
	struct stack *stack;

	if (!f)
		return;
	HASH_FIND(hh, f->stacks, &r->stack, sizeof(r->stack), stack);
	if (stack) /* of another thread */
		return;
	if (r->native && !native_frame(c, f, r->native, &frames[0]))
		nr = 1;
	for (; from < r->nr && nr < PROFILE_MAX_FRAMES; from++, nr++) {
		struct code *code;

		HASH_FIND(hh, f->codes, &r->frames[from].code, sizeof(uint32_t), code);
		frames[nr] = (struct profile_frame){0};
		if (code) {
			frames[nr].function = code->function;
			frames[nr].line = collect_line(code, r->frames[from].lasti);
		} else if (profile_add_function(c->total, &lost, &frames[nr].function)) {
			c->failed = true;
			return;
		}
	}
	stack = calloc(1, sizeof(*stack));
	if (!stack || profile_add_stack(c->total, frames, nr, truncated || from < r->nr, &at)) {
		c->failed = true;
		free(stack);
		return;
	}
	stack->key = r->stack;
	stack->at = at;
	HASH_ADD(hh, f->stacks, key, sizeof(stack->key), stack);
}
